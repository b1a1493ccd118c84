/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef INTR_H
#define INTR_H

/**
 * @file
 * Work done on DPDK's interrupt thread. That thread hears when a memif's peer goes, and then frees what stopping and
 * closing the device free: only if it does those too, the two never meet.
 *
 * Not by an alarm of DPDK's: taking alarms down at exit wakes the thread, which then reads memif's handles in memory
 * that is gone by then.
 */

/** Call @p fn there, and come back when it has ended and the thread has taken note of the handles it dropped. Where the
 * system has no descriptor left @p fn is called here. Main. */
void port_intr_call(void (*fn)(void *arg), void *arg);

#endif /* INTR_H */
