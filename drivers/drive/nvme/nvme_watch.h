/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_WATCH_H
#define NVME_WATCH_H

/**
 * @file
 * A thread beside each drive: reads its health now and then, tells what an operator should know, and takes the drive
 * back when it returns after it had vanished. Admin commands wait, for seconds where a drive hangs: no lcore does that,
 * and no other drive's thread.
 */

#include "nvme_drive.h"
#include "nvme_health.h"

struct nvme_watch;

/** @p interval between looks, ns. Main. @return 0 or -errno. */
int nvme_watch_start(struct nvme_watch **out, struct strake_drive *drive, uint64_t interval);
/** Waits for an admin command under way. NULL does nothing. Main. */
void nvme_watch_stop(struct nvme_watch *w);
/** What it saw last. Any thread. */
void nvme_watch_health(struct nvme_watch *w, struct nvme_health *h);

#endif /* NVME_WATCH_H */
