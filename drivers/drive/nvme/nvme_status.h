/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_STATUS_H
#define NVME_STATUS_H

/**
 * @file
 * What the answer to a command means: done, to be tried again, or over.
 */

#include <stdbool.h>
#include <stdint.h>

#include "nvme_geom.h"

enum nvme_verdict {
	NVME_OK,
	NVME_MEDIA,   /**< the blocks cannot be read or written */
	NVME_TROUBLE, /**< the command failed inside the drive, or was aborted */
	NVME_PATH,    /**< the controller is being reset: wait for it */
	NVME_REFUSED, /**< the drive will not do this, ever */
	NVME_GONE,    /**< drive or namespace are no longer there */
};

struct nvme_fate {
	enum nvme_verdict verdict;
	int status;	   /**< for the group, when it is not tried again */
	uint32_t delay_ms; /**< before the next try */
	uint8_t tries;	   /**< most tries in all; 0: as long as there is time */
};

/** @p res as in nvme_dev.h. */
struct nvme_fate nvme_status_judge(int res, const struct nvme_geom *g);

/** @p res is no answer of the drive: it did not come in time, or there is nobody to answer. */
bool nvme_status_silent(int res);

#endif /* NVME_STATUS_H */
