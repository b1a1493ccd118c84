/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_LOGS_H
#define NVME_LOGS_H

/**
 * @file
 * What a drive's logs say beside its health: which commands failed, which firmware it runs, which commands it knows.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nvme_dev;

/** Of the Firmware Slot Information log. */
struct nvme_firmware {
	bool known;
	uint8_t slot, next;	       /**< the one it runs; the one it will run after its next reset, 0: that one */
	char revision[12], coming[12]; /**< of both */
};

/** Of the Error Information log. */
struct nvme_failures {
	bool known;
	uint64_t entries; /**< that the drive had counted when this was read */
	uint64_t newest;  /**< number of the newest entry there */
	uint64_t all;	  /**< entries of I/O commands read since the start */
	uint64_t lba;	  /**< of the last of these */
	uint32_t nsid;
	uint16_t status; /**< of the last of these, without its phase bit; 0: there is none */
};

struct nvme_logs {
	struct nvme_firmware firmware;
	struct nvme_failures failures;
};

/**
 * Bring @p l up to date; what the drive keeps to itself stays as it was. Waits.
 *
 * @param entries  Entries of the error log that the drive has counted, by its SMART log.
 * @param room     How many it keeps, at least 1.
 */
void nvme_logs_read(struct nvme_logs *l, struct nvme_dev *dev, uint64_t entries, unsigned int room);

/** The @p i-th thing of which an operator should hear, as one line. @return false when there is no more. */
bool nvme_logs_event(const struct nvme_logs *before, const struct nvme_logs *after, unsigned int i, bool *worse,
		     char *text, size_t len);

/** Whether a drive knows a command, by its Commands Supported and Effects log. Where it cannot tell, or tells that it
 * cannot even read, Identify's word stands: true. Waits. @p page: 4096 bytes to read into. */
bool nvme_logs_knows(struct nvme_dev *dev, bool admin, uint8_t opcode, void *page);

#endif /* NVME_LOGS_H */
