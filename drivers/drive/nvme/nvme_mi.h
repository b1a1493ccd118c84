/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_MI_H
#define NVME_MI_H

/**
 * @file
 * A drive's management controller, reached over MCTP (NVMe-MI specification 1.2) by libnvme-mi: it answers for a drive
 * whose own queues do not.
 */

#include <stddef.h>

struct nvme_dev;

/** An nvme_second_fn: look among the endpoints that mctpd knows for the drive of this serial number. Waits. */
int nvme_mi_find(struct nvme_dev **out, const char *serial, char *why, size_t len);

#endif /* NVME_MI_H */
