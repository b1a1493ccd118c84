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
#include "nvme_logs.h"

struct nvme_watch;

/** @p interval between looks, ns. Main. @return 0 or -errno. */
int nvme_watch_start(struct nvme_watch **out, struct strake_drive *drive, uint64_t interval);
/** Waits for an admin command under way. NULL does nothing. Main. */
void nvme_watch_stop(struct nvme_watch *w);
/** Have the thread do @p task, one that waits. @return 0; -EBUSY: another is under way. Main. */
int nvme_watch_order(struct nvme_watch *w, enum strake_drive_task task);
/** @return -EINPROGRESS; or how the last task went, with a line in @p said. Main. */
int nvme_watch_ordered(struct nvme_watch *w, char *said, size_t len);
/** What it saw last, and by which way, or why it could not look. Any thread. */
void nvme_watch_health(struct nvme_watch *w, struct nvme_health *h, char *way, size_t len);

/** What the drive's other logs said last. Any thread. */
void nvme_watch_logs(struct nvme_watch *w, struct nvme_logs *logs);

#define NVME_EVENTS 16

/** What an operator was told. */
struct nvme_event {
	uint64_t at; /**< seconds since 1970 */
	bool worse;
	char text[160];
};

/** The newest events, oldest first. @return how many were written; *@p all: told since the start. Any thread. */
unsigned int nvme_watch_events(struct nvme_watch *w, struct nvme_event out[NVME_EVENTS], uint64_t *all);

#endif /* NVME_WATCH_H */
