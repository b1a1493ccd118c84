/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <time.h>

#include "ticks.h"

#define CALIBRATE_NS 10000000ull
#define LOOKS	     16

static double rate;

static uint64_t
raw_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

struct ticks_look
ticks_best(const struct ticks_look *look, unsigned int n)
{
	struct ticks_look best = look[0];

	for (unsigned int i = 1; i < n; i++) {
		if (look[i].after - look[i].before < best.after - best.before)
			best = look[i];
	}
	return best;
}

/* Both clocks at one time, though the processor may be taken away between any two readings. */
static struct ticks_look
look_now(void)
{
	struct ticks_look look[LOOKS];

	for (unsigned int i = 0; i < LOOKS; i++) {
		look[i].before = ticks_now();
		look[i].ns = raw_ns();
		look[i].after = ticks_now();
	}
	return ticks_best(look, LOOKS);
}

double
ticks_per_ns(void)
{
	struct ticks_look a, b;

	if (rate != 0)
		return rate;
	a = look_now();
	while (raw_ns() - a.ns < CALIBRATE_NS)
		_mm_pause();
	b = look_now();
	rate = (double)(b.before - a.before) / (double)(b.ns - a.ns);
	return rate;
}
