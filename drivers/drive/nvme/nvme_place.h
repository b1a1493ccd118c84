/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_PLACE_H
#define NVME_PLACE_H

/**
 * @file
 * Where a namespace is to be found on this machine, from what an operator calls it.
 *
 * Only the kernel's own tables are read (sysfs), never a drive: one that hangs must not hold up the search for another,
 * as libnvme's scan, which asks each namespace it meets, would.
 */

#include <stddef.h>
#include <stdint.h>

struct nvme_place {
	char ctrl[32];	  /**< nvme0 */
	char generic[32]; /**< ng0n1: the character device; empty: the kernel has none */
	char block[32];	  /**< nvme0n1; empty: the kernel has none */
	char serial[24];
	char address[64]; /**< 0000:01:00.0 */
	char model[44];
	uint32_t nsid;
	uint64_t bytes;	   /**< of the block device; 0 without one */
	uint32_t max_xfer; /**< bytes; 0: not said, as below */
	uint32_t max_segments;
	uint32_t max_zeroes; /**< bytes */
	uint32_t dma_mask;   /**< address bits that must be 0 or the kernel copies */
};

/**
 * Find @p device: /dev/ng0n1, /dev/nvme0n1, ng0n1, nvme0n1, serial:S[/NSID] or 0000:01:00.0[/NSID]. Without NSID there
 * must be one namespace only.
 * @param sys where sysfs is mounted
 * @return 0, or -errno with the reason in @p why, and in @p place the controller, if that was found.
 */
int nvme_place_find(struct nvme_place *place, const char *sys, const char *device, char *why, size_t len);

/** The state of a controller as the kernel sees it ("live", "resetting", ...), empty when it is not there. */
void nvme_place_state(const char *sys, const char *ctrl, char *state, size_t len);

#endif /* NVME_PLACE_H */
