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
#include "ctrlr.h"

/**
 * Sweep the queue pairs of every controller of @p sub, or of those of one host, for commands of a namespace. What may
 * still come must be kept out before: by publishing an array that refuses it.
 * @param hostid NULL: every host's.
 * @param stop   ask the commands to stop, as Abort does; else only wait.
 * @param b      held until the last of them has ended.
 */
void nvmf_sweep(struct nvmf_subsystem *sub, uint32_t nsid, const uint8_t *hostid, bool stop, struct nvmf_barrier *b);

/* --- on a data lcore --- */
struct nvmf_lcore;
/** End the sweeps that have nothing left to wait for. @return work done. */
uint32_t nvmf_sweep_poll(struct nvmf_lcore *lc);
/** The queue pair's last command has ended and its memory goes. */
void nvmf_sweep_gone(struct nvmf_qpair *qp);

#endif /* NVMF_SWEEP_H */
