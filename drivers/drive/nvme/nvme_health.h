/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_HEALTH_H
#define NVME_HEALTH_H

/**
 * @file
 * What a drive's SMART log says, and which of it an operator should hear of. No I/O.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nvme_geom.h"

#define NVME_SMART_BYTES 512

struct nvme_health {
	bool known;
	uint8_t warning;	 /**< Critical Warning, bit by bit */
	uint16_t temperature;	 /**< kelvin */
	uint8_t spare, spare_at; /**< percent left, and below which it warns */
	uint8_t used;		 /**< percent of its life, may pass 100 */
	uint64_t media_errors, error_entries, unsafe_shutdowns, power_on_hours, power_cycles;
	uint64_t bytes_read, bytes_written;
};

/** @p log of NVME_SMART_BYTES. @return 0, or -EBADMSG: values that cannot be. */
int nvme_health_parse(struct nvme_health *h, const void *log);

/**
 * The @p i-th thing that became worse, or well again, between two looks, as one line.
 * @return false when there is no more.
 */
bool nvme_health_event(const struct nvme_health *before, const struct nvme_health *after, const struct nvme_geom *g,
		       unsigned int i, bool *worse, char *text, size_t len);

#endif /* NVME_HEALTH_H */
