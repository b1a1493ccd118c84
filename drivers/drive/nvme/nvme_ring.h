/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_RING_H
#define NVME_RING_H

/**
 * @file
 * The kernel's NVMe passthrough: one io_uring per lcore, shared by all its drives, at most one io_uring_enter() in a
 * turn. Commands go to the namespace's character device as they are (NVME_URING_CMD_IO, Linux 5.19), with buffers of
 * the arena by registration where the kernel can (IORING_URING_CMD_FIXED, Linux 6.1).
 */

#include <stdbool.h>

#include "nvme_dev.h"

#define NVME_DRIVES 256 /* most drives of this kind */

/** Can this kernel and this process do it to dev->fd? Reads one block of @p block bytes to know; @p segments: most
 * pages of a transfer, 0 if unknown.
 * @return 0, with dev->fixed set; -EOPNOTSUPP: not this kernel; -EACCES: not permitted; another
 * -errno. */
int nvme_ring_probe(struct nvme_dev *dev, uint32_t block, uint32_t segments);

extern const struct nvme_dev_ops nvme_ring_ops;

#endif /* NVME_RING_H */
