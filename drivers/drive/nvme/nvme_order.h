/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_ORDER_H
#define NVME_ORDER_H

/**
 * @file
 * What an operator may ask of a drive: its light, to lose its data. Waits, for minutes where data is lost: never on an
 * lcore, but for nvme_order_light().
 */

#include "nvme_drive.h"

/** The attention indicator of the slot (PCI hot plug) or the enclosure's locate light. @p sys: where sysfs is.
 * @return 0, or -EOPNOTSUPP or another -errno with the reason in @p said. */
int nvme_order_light(const char *sys, const struct nvme_place *place, bool on, char *said, size_t len);

/** Format the namespace in its present format, with user data erased. @return 0 or -errno; either way a line in
 * @p said. */
int nvme_order_format(struct nvme_drive *d, char *said, size_t len);

/** Sanitize the whole drive by the best it can: crypto erase, block erase, overwrite. Asks it every @p poll_ms until it
 * is done; @p stop is looked at meanwhile. Likewise. */
int nvme_order_sanitize(struct nvme_drive *d, unsigned int poll_ms, const bool *stop, char *said, size_t len);

#endif /* NVME_ORDER_H */
