/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TICKS_H
#define TICKS_H

/** @file The clock of the tools: the time-stamp counter, which costs a tenth of a system call. */

#include <stdint.h>
#include <x86intrin.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline uint64_t
ticks_now(void)
{
	return __rdtsc();
}

/** CLOCK_MONOTONIC_RAW, read between two readings of the counter. */
struct ticks_look {
	uint64_t before, ns, after;
};

/** The one in whose midst least time went by. */
struct ticks_look ticks_best(const struct ticks_look *look, unsigned int n);

/** Measured against CLOCK_MONOTONIC_RAW by the first call, which takes 10 ms; call it before starting threads. */
double ticks_per_ns(void);

static inline uint64_t
ticks_from_ns(uint64_t ns)
{
	return (uint64_t)((double)ns * ticks_per_ns());
}

static inline double
ticks_to_ns(uint64_t ticks)
{
	return (double)ticks / ticks_per_ns();
}

#ifdef __cplusplus
}
#endif

#endif /* TICKS_H */
