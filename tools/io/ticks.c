/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <time.h>

#include "ticks.h"

#define CALIBRATE_NS 10000000ull

static double rate;

static uint64_t
raw_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

double
ticks_per_ns(void)
{
	uint64_t ns, t;

	if (rate != 0)
		return rate;
	ns = raw_ns();
	t = ticks_now();
	while (raw_ns() - ns < CALIBRATE_NS)
		_mm_pause();
	rate = (double)(ticks_now() - t) / (double)(raw_ns() - ns);
	return rate;
}
