/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef XFER_H
#define XFER_H

/**
 * @file
 * A long run of bytes to or from a namespace, many commands under way on all queues, bytes handed over in order.
 */

#include "ini.h"
#include "progress.h"

#ifdef __cplusplus
extern "C" {
#endif

struct xfer {
	struct ini *ini;
	const struct ini_ns *ns;
	uint8_t opc;	  /**< NVME_IO_READ, NVME_IO_WRITE, NVME_IO_WRITE_ZEROES */
	uint16_t control; /**< NVME_RW_* */
	uint64_t offset;  /**< bytes, whole blocks */
	uint64_t length;  /**< bytes, whole blocks */
	uint32_t bs;	  /**< bytes a command */
	uint32_t depth;	  /**< commands under way */
	/** Write: fill @p buf before it is sent. Read: these bytes came. In order of @p at, from offset on. <0 stops.
	 */
	int (*data)(struct xfer *x, void *buf, uint64_t at, uint32_t len);
	void *arg;
	struct progress *progress;
	volatile const bool *stop; /**< set by a signal: -EINTR */
	uint64_t moved;		   /**< out: bytes finished */
};

/** @return 0; what data() said; -EREMOTEIO or -errno as ini_exec(), text in ini_error(). */
int xfer_run(struct xfer *x);

#ifdef __cplusplus
}
#endif

#endif /* XFER_H */
