/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "head_format.h"

#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>

#include "strake_kernel.h"

/* CRC over all of it with its own field zero. */
static uint32_t
head_sum(const uint8_t *p, size_t len)
{
	static const uint8_t zero[4];
	uint32_t sum = strake_kernel->crc32c(0, p, 12);

	sum = strake_kernel->crc32c(sum, zero, 4);
	return strake_kernel->crc32c(sum, p + HEAD_BYTES, len - HEAD_BYTES);
}

void
head_seal(void *page, const uint8_t *magic, uint32_t version, size_t len)
{
	rte_le32_t v = rte_cpu_to_le_32(version), crc;
	uint8_t *p = page;

	memcpy(p, magic, 8);
	memcpy(p + 8, &v, sizeof(v));
	crc = rte_cpu_to_le_32(head_sum(p, len));
	memcpy(p + 12, &crc, sizeof(crc));
}

int
head_check(const void *page, const uint8_t *magic, uint32_t version, size_t len)
{
	const uint8_t *p = page;
	rte_le32_t v, crc;

	if (memcmp(p, magic, 8) != 0)
		return -ENOENT;
	memcpy(&v, p + 8, sizeof(v));
	memcpy(&crc, p + 12, sizeof(crc));
	if (head_sum(p, len) != rte_le_to_cpu_32(crc))
		return -EBADMSG;
	return v == rte_cpu_to_le_32(version) ? 0 : -EPROTO;
}

bool
head_named(const char *text, size_t len)
{
	return text[0] != '\0' && memchr(text, 0, len) != NULL;
}
