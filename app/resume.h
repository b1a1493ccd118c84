/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef RESUME_H
#define RESUME_H

/**
 * @file
 * How soon a CPU that sleeps must run again: an lcore that has nothing to do sleeps, and the deeper its CPU does, the
 * longer the next host waits. A bound is asked of the kernel by /dev/cpu_dma_latency (Linux, power/pm_qos_interface):
 * it holds for all CPUs until the descriptor is closed, so that it ends with the process, however that ends.
 */

#include <stdint.h>

#include "boot.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @param path  /dev/cpu_dma_latency. @return a descriptor; while it is open CPUs resume within @p us; or -errno. */
int resume_within(const char *path, uint32_t us);

/** Step of bring-up: `resume_us`, unless lcores spin. Where it cannot be asked the log says so, and that is all. */
int resume_up(struct appliance *a);
void resume_down(struct appliance *a);

#ifdef __cplusplus
}
#endif

#endif /* RESUME_H */
