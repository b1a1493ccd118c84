/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_HELPER_H
#define NVME_HELPER_H

/**
 * @file
 * Commands by libnvme's ioctls, for kernels without passthrough by io_uring: threads of the drive's own wait for them,
 * never an lcore. A drive has as many commands at once as it has threads.
 */

#include "nvme_dev.h"

/** Start the threads and make @p dev work by them. Main. @return 0 or -errno. */
int nvme_helper_start(struct nvme_dev *dev);

#endif /* NVME_HELPER_H */
