/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_BARRIER_H
#define NVMF_BARRIER_H

/**
 * @file
 * Something that happens on main when everything it waits for has: count what is begun, and let go once at the end.
 */

#include <stdint.h>

struct nvmf_barrier {
	uint32_t left;
	void (*done)(struct nvmf_barrier *b);
};

/** Begins with one hold, the caller's own. */
static inline void
nvmf_barrier_init(struct nvmf_barrier *b, void (*done)(struct nvmf_barrier *b))
{
	b->left = 1;
	b->done = done;
}

static inline void
nvmf_barrier_hold(struct nvmf_barrier *b)
{
	b->left++;
}

/** May call done(), after which the barrier is gone. */
static inline void
nvmf_barrier_drop(struct nvmf_barrier *b)
{
	if (--b->left == 0)
		b->done(b);
}

#endif /* NVMF_BARRIER_H */
