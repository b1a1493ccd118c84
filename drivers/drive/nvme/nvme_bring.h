/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_BRING_H
#define NVME_BRING_H

/**
 * @file
 * Bring-up of a drive: a table of named steps, each undone when a later one fails. When a step fails because the drive
 * stays silent, the remedies are tried in order, all steps from the beginning after each. What each of them said is
 * kept for the operator.
 */

#include <stddef.h>

#define NVME_BRING_LINES 40
#define NVME_BRING_TEXT	 120

struct nvme_bring_step {
	const char *name; /**< NULL ends the table */
	/** @return 0, or -errno; one line in @p said either way. -ETIMEDOUT, -EINTR, -ENODEV and -ENXIO: silence. */
	int (*run)(void *arg, char *said, size_t len);
	void (*undo)(void *arg); /**< of one that succeeded. Optional. */
};

struct nvme_bring {
	unsigned int remedies; /**< how many were tried */
	unsigned int n;
	char lines[NVME_BRING_LINES][NVME_BRING_TEXT]; /**< "step: what it said", in order */
};

/** Lines are added to those that are there. @return 0, or -errno of the last step, everything undone, and its
 * line in @p err. */
int nvme_bring_up(struct nvme_bring *b, const struct nvme_bring_step *steps, const struct nvme_bring_step *remedies,
		  void *arg, char *err, size_t len);

#endif /* NVME_BRING_H */
