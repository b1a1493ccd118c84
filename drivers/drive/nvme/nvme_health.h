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
	uint8_t heat; /**< level against the limits: 0, 1 warm, 2 hot */
};

/** From where on an operator is told. 0 in a wish: as the drive itself says. */
struct nvme_limits {
	uint16_t warm, hot; /**< kelvin; 0: never */
	uint8_t used;	    /**< percent of its life; again every ten percent after that */
	uint8_t spare;	    /**< told below so many percent left */
};

/** What holds for a drive, from what was wished. The spare blocks' stays a wish: the drive says its own in each log. */
struct nvme_limits nvme_health_limits(const struct nvme_limits *wish, const struct nvme_geom *g);
/** Percent of spare blocks below which it is told. */
uint8_t nvme_health_spare_at(const struct nvme_health *h, const struct nvme_limits *limits);

/** @p log of NVME_SMART_BYTES. @return 0, or -EBADMSG: values that cannot be. */
int nvme_health_parse(struct nvme_health *h, const void *log);

/** Fill in the levels of @p now. A drive on the edge is not told of again and again: it is well when it is a few
 * degrees below its limit. */
void nvme_health_judge(struct nvme_health *now, const struct nvme_health *before, const struct nvme_limits *limits);
/**
 * The @p i-th thing that became worse, or well again, between two looks that were judged, as one line.
 * @return false when there is no more.
 */
bool nvme_health_event(const struct nvme_health *before, const struct nvme_health *after,
		       const struct nvme_limits *limits, unsigned int i, bool *worse, char *text, size_t len);

#endif /* NVME_HEALTH_H */
