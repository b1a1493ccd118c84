/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_SWEEP_H
#define NVMF_SWEEP_H

/**
 * @file
 * Wait on main until the I/O commands of a namespace that are under way have ended.
 */

#include "barrier.h"
#include "target.h"

enum nvmf_sweep_what {
	NVMF_SWEEP_STOP,   /**< those under way now: ask them to stop, as Abort does, and wait for them */
	NVMF_SWEEP_MARKED, /**< those under way now: wait for them */
	NVMF_SWEEP_ALL,	   /**< wait until there are none; none may come any more */
};

/**
 * Sweep all queue pairs of @p sub, or those of one host, for commands of a namespace; also those whose connection is
 * gone, but whose commands are with drives. What may
 * not come any more must be kept out before: by publishing an array that refuses it.
 * @param hostid NULL: every host's.
 * @param b      held until the last of them has ended.
 */
void nvmf_sweep(struct nvmf_subsystem *sub, uint32_t nsid, const uint8_t *hostid, enum nvmf_sweep_what what,
		struct nvmf_barrier *b);

/* --- on a data lcore --- */
struct nvmf_lcore;
/** End the sweeps that have nothing left to wait for. @return work done. */
uint32_t nvmf_sweep_poll(struct nvmf_lcore *lc);

#endif /* NVMF_SWEEP_H */
