/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_OPEN_H
#define NVME_OPEN_H

/**
 * @file
 * Bring-up of a drive of this kind on a real machine, step by step.
 */

#include <stddef.h>

struct conf_values;
struct nvme_dev;
struct strake_drive;

/* Values of the keys `access` and `trim`. */
enum nvme_access { NVME_ACCESS_AUTO, NVME_ACCESS_PASSTHROUGH, NVME_ACCESS_HELPER, NVME_ACCESS_BLOCK };
enum nvme_trim { NVME_TRIM_SAFE, NVME_TRIM_ALWAYS, NVME_TRIM_NEVER };

/** As strake_drive_ops::open: the best way that works, among those that @p conf allows. */
int nvme_open_drive(struct strake_drive *drive, const struct conf_values *conf, char *err, size_t len);
/** After the drive was closed: forget its device, which may be NULL. */
void nvme_open_forget(struct nvme_dev *dev);

#endif /* NVME_OPEN_H */
