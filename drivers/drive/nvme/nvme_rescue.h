/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_RESCUE_H
#define NVME_RESCUE_H

/**
 * @file
 * What can be done about a drive that does not answer: its controller is reset, or looked for again. Only the kernel is
 * asked (sysfs), and waited for. Neither loses data.
 */

#include <stdbool.h>
#include <stddef.h>

/** Reset controller @p ctrl (nvme0) and wait until the kernel calls it live.
 * @param sys where sysfs is mounted
 * @param stop set by another thread: wait no longer
 * @return 0, or -errno: -ENODEV there is no such controller, -ETIMEDOUT not live after @p wait_ms, -ECANCELED stopped
 * before. One line in @p said either way. */
int nvme_rescue_reset(const char *sys, const char *ctrl, unsigned int wait_ms, const bool *stop, char *said,
		      size_t len);

/** Have the kernel look for namespaces of @p ctrl, where it is live. Where it is not: take the NVMe device at PCI
 * @p address off its bus, if it is there and no driver has it, and look for devices on all buses. Then wait until no
 * controller is coming up any more, and half a second at least for one to appear. Either name may be empty. Likewise.
 */
int nvme_rescue_rescan(const char *sys, const char *ctrl, const char *address, unsigned int wait_ms, const bool *stop,
		       char *said, size_t len);

#endif /* NVME_RESCUE_H */
