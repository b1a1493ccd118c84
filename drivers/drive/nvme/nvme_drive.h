/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_DRIVE_H
#define NVME_DRIVE_H

/**
 * @file
 * A strake_drive on an nvme_dev, however that came to be.
 */

#include "nvme_bring.h"
#include "nvme_health.h"
#include "nvme_lane.h"
#include "nvme_place.h"
#include "nvme_ways.h"

struct nvme_watch;

struct nvme_drive {
	struct nvme_shared sh;
	struct nvme_dev *dev;
	struct nvme_ways ways; /* for admin commands; main while the drive is opened, then the watching thread */
	struct nvme_bring bring;
	struct nvme_limits limits;
	struct nvme_place place;
	const char *sys, *dev_dir;  /* where sysfs and the devices are; tests have their own */
	int claim_fd;		    /* of the block device, held so that nobody mounts it; -1: none */
	struct strake_drive *block; /* the way by the block device, in place of all above; or NULL */
	struct nvme_watch *watch;   /* or NULL */
	char access_why[128];	    /* why it is reached this way */
};

struct nvme_drive_opts {
	uint64_t patience; /**< ns */
	bool always_trim;  /**< deallocate also where it is not known what is read afterwards */
	bool never_trim;
	struct nvme_limits wish;
	nvme_second_fn *second; /**< finds the other way to ask it, or NULL */
};

/** Ask @p dev, or whoever answers for it, who it is and make @p drive of it. On failure @p dev is still the caller's.
 * Main. @return as nvme_geom_ask(); a line in @p why either way. */
int nvme_drive_attach(struct strake_drive *drive, struct nvme_dev *dev, const struct nvme_kernel_view *kernel,
		      const struct nvme_drive_opts *opts, char *why, size_t len);

/** Undo, of a drive that was not used yet; @p dev is the caller's again. Main. */
void nvme_drive_detach(struct strake_drive *drive);

/** Ask the drive, or whoever answers for it, for its health. Waits. @return 0 or -errno; a line in @p said either way.
 */
int nvme_drive_look(struct nvme_drive *d, struct nvme_health *h, char *said, size_t len);

/** What tells a namespace from all others wherever it is plugged in: the serial number, and the namespace's but for the
 * first. */
void nvme_drive_serial(struct strake_drive *drive, const char *serial, uint32_t nsid);

/** Of struct strake_drive_ops. */
void nvme_drive_close(struct strake_drive *drive);
int nvme_drive_lcore_init(struct strake_drive *drive);
void nvme_drive_lcore_fini(struct strake_drive *drive);
uint16_t nvme_drive_submit(struct strake_drive *drive, struct strake_io **ios, uint16_t n);
bool nvme_drive_lies_well(const struct strake_drive *drive, const struct strake_io *io);
int nvme_drive_order(struct strake_drive *drive, enum strake_drive_task task, char *err, size_t len);
int nvme_drive_ordered(struct strake_drive *drive, char *said, size_t len);
void nvme_drive_telemetry(struct strake_drive *drive, struct rte_tel_data *dict);

#endif /* NVME_DRIVE_H */
