/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TOOLS_LOAD_INTR_H
#define TOOLS_LOAD_INTR_H

/** Call @p fn on DPDK's interrupt thread, and come back when it has ended. A memif must be closed there: the thread
 * hears when the peer goes, and then frees what closing frees. Where the system has no descriptor left @p fn is called
 * here. */
void intr_call(void (*fn)(void *arg), void *arg);

#endif /* TOOLS_LOAD_INTR_H */
