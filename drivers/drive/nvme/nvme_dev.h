/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_DEV_H
#define NVME_DEV_H

/**
 * @file
 * How this room reaches a namespace: admin commands that wait, I/O commands that do not. The kernel's passthrough, a
 * helper thread and a test's controller stand behind it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define NVME_IOVS 8 /* pieces of one command's data that are taken as they lie */

struct nvme_dev;
struct nvme_lane;

/** One I/O command. */
struct nvme_cmd {
	uint64_t tag; /**< comes back in the answer */
	uint32_t cdw10, cdw11, cdw12;
	uint32_t len;	   /**< bytes of data, 0: none */
	struct iovec *iov; /**< the data; it and the array stay until the answer */
	uint16_t n_iov;
	uint8_t opcode;
};

/** A result is 0, -errno of the kernel, or the drive's status field (positive, without its phase bit). */
struct nvme_dev_ops {
	const char *name; /**< shown as `access` */
	/** Identify: fill the 4096 bytes at @p data. Waits; any thread but a data lcore. */
	int (*identify)(struct nvme_dev *dev, uint8_t cns, uint32_t nsid, void *data);
	/** Get Log Page from its beginning, of the whole controller. Likewise. */
	int (*log)(struct nvme_dev *dev, uint8_t lid, void *data, uint32_t len);
	/** Get Features, current value. Likewise. */
	int (*feature)(struct nvme_dev *dev, uint8_t fid, uint32_t *value);
	/** Format NVM of this namespace with user data erased, in the format that @p flbas of its Identify names. Waits
	 * for minutes. Likewise. Optional. */
	int (*format)(struct nvme_dev *dev, uint8_t flbas);
	/** Begin Sanitize; log 0x81 says how it goes. Likewise. Optional. */
	int (*sanitize)(struct nvme_dev *dev, uint8_t action);
	/** Make this lcore able to submit; sets lane->queue. @return 0 or -errno. */
	int (*lcore_init)(struct nvme_dev *dev, struct nvme_lane *lane);
	/** Undo; nothing is under way here. */
	void (*lcore_fini)(struct nvme_dev *dev, struct nvme_lane *lane);
	/** Hand over a command; its answer comes by nvme_lane_answer() on this lcore, never from inside.
	 * @return false when there is no room now. */
	bool (*submit)(struct nvme_lane *lane, const struct nvme_cmd *cmd);
	/** dev->fd is another one now: use it on this lcore. @return 0 or -errno. Optional. */
	int (*adopt)(struct nvme_dev *dev, struct nvme_lane *lane);
	/** Figures of one lane for telemetry: system calls made, and the most in one turn. Optional. */
	void (*figures)(const struct nvme_lane *lane, uint64_t *enters, uint64_t *most);
	/** Give everything back; no lcore uses it. */
	void (*close)(struct nvme_dev *dev);
};

struct nvme_dev {
	const struct nvme_dev_ops *ops;
	int fd; /**< of the character device; -1 in tests */
	uint32_t nsid;
	uint16_t slot;	     /**< of this drive among all of this kind */
	uint16_t max_iov;    /**< pieces of data one command may have, at most NVME_IOVS */
	uint32_t dma_mask;   /**< address bits that must be 0 */
	uint32_t timeout_ms; /**< after which the kernel aborts a command */
	bool fixed;	     /**< the kernel takes registered buffers for passthrough */
	void *priv;	     /**< of the implementation */
};

/** Admin commands by libnvme's ioctls on dev->fd. */
int nvme_ask_identify(struct nvme_dev *dev, uint8_t cns, uint32_t nsid, void *data);
int nvme_ask_log(struct nvme_dev *dev, uint8_t lid, void *data, uint32_t len);
int nvme_ask_feature(struct nvme_dev *dev, uint8_t fid, uint32_t *value);
int nvme_ask_format(struct nvme_dev *dev, uint8_t flbas);
int nvme_ask_sanitize(struct nvme_dev *dev, uint8_t action);

#endif /* NVME_DEV_H */
