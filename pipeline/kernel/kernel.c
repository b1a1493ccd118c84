/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <limits.h>

#include <isa-l.h>
#include <rte_common.h>

#include "kernel_sets.h"

const struct strake_kernels *strake_kernel = &kernel_generic;

/* Worst first. */
static const struct strake_kernels *runnable[3] = {&kernel_generic};

/* Before every other constructor, so that whatever runs at start-up finds the choice made. */
RTE_INIT_PRIO(kernel_choose, LOG)
{
	unsigned int n = 1;

	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2"))
		runnable[n++] = &kernel_avx2;
	/* Processors with AVX-512 but without VNNI also pay for 512-bit registers with their clock: AVX2 is for them.
	 */
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
		runnable[n++] = &kernel_avx512;
	strake_kernel = runnable[n - 1];
}

const struct strake_kernels *
strake_kernel_nth(unsigned int i)
{
	return i < RTE_DIM(runnable) ? runnable[i] : NULL;
}

uint32_t
kernel_crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	/* ISA-L's iscsi CRC neither inverts its start value nor its result, and counts in int. */
	crc = ~crc;
	while (len > 0) {
		int n = (int)RTE_MIN(len, (size_t)INT_MAX);

		crc = crc32_iscsi((unsigned char *)(uintptr_t)p, n, crc);
		p += n;
		len -= (size_t)n;
	}
	return ~crc;
}

bool
kernel_is_zero(const void *data, size_t len)
{
	return isal_zero_detect((void *)(uintptr_t)data, len) == 0;
}
