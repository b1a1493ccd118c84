/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_LANE_H
#define NVME_LANE_H

/**
 * @file
 * A drive's part on one lcore: I/Os become commands, answers become completions.
 *
 * An I/O longer than the drive takes at once is cut, and done when all its commands are answered: its memory is the
 * drive's until then, whatever timed out. A command that failed for a reason that passes is asked again until its time
 * is up. Commands are numbered afresh each time they are handed over, so that an answer nobody waits for is known.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include "nvme_dev.h"
#include "nvme_geom.h"
#include "strake_drive.h"

#define NVME_LANE_SLOTS 256 /* most commands of a drive under way on an lcore */

/** Why a drive is not used any more; what the first lcore to notice wrote stays. */
enum nvme_end {
	NVME_IN_USE,
	NVME_VANISHED, /**< controller or namespace are gone */
	NVME_LIED,     /**< it answered what was not asked, or changed under us */
};

/** What lanes share: written by main before lcores are ready, but for `end`. */
struct nvme_shared {
	struct nvme_dev *dev;
	struct nvme_geom geom;
	uint64_t patience; /**< ns from a command's first try to its last */
	bool trim;	   /**< hand on deallocation */
	enum nvme_end end; /**< atomic; any lcore sets it, main clears it */
};

struct nvme_slot {
	struct nvme_slot *next; /* free, or to be asked again */
	struct strake_io *io;
	struct strake_buf *range; /* the page that holds what to deallocate */
	uint64_t first, due;	  /* ns: first try, next try */
	uint32_t off, len;	  /* of the I/O */
	uint32_t serial;	  /* of the present try */
	uint16_t tries;
	uint8_t opcode;
	bool out; /* with the drive */
	struct iovec iov[NVME_IOVS];
};

/** One writer. */
struct nvme_lane_stats {
	uint64_t commands, retried, cut; /* cut: commands beyond the first of an I/O */
	uint64_t media, trouble, path, refused, gone;
	uint64_t strangers; /* answers to nothing that was asked */
	uint64_t copied;    /* bytes copied out of a page because a read's own memory did not suit */
	uint64_t zeroes_written;
};

struct nvme_lane {
	struct nvme_shared *sh;
	void *queue; /* the device's part */
	struct strake_drive *drive;
	struct nvme_slot *slots, *free;
	struct nvme_slot *later;		   /* failed, wait for their time */
	struct strake_io *waiting, **waiting_tail; /* begun, but not all their commands are handed over */
	struct strake_io *ended, **ended_tail;	   /* over; done() is called in the next turn */
	struct strake_buf *zeroes; /* STRAKE_BUF_PAGE_MAX of them; only where the drive has no Write Zeroes */
	struct strake_timer timer;
	bool listed; /* on the desk: has something to do in the next turn */
	TAILQ_ENTRY(nvme_lane) link;
	struct nvme_lane_stats stats;
};

/** Make a lane on this lcore. @return 0 or -errno. */
int nvme_lane_create(struct nvme_lane **out, struct strake_drive *drive, struct nvme_shared *sh);
/** Nothing is under way. */
void nvme_lane_destroy(struct nvme_lane *lane);
/** As strake_drive_ops::submit. */
uint16_t nvme_lane_submit(struct nvme_lane *lane, struct strake_io **ios, uint16_t n);
/** The answer to the command of tag @p tag; @p res as in nvme_dev.h. From the device's poller. */
void nvme_lane_answer(struct nvme_lane *lane, uint64_t tag, int res);
/** The drive is not to be used any more: what is not with it ends with -ENODEV. Any lcore. */
void nvme_lane_end(struct nvme_lane *lane, enum nvme_end why);

/** Has the drive a command of this lane? On its lcore. */
bool nvme_lane_busy(const struct nvme_lane *lane);

/** The drive's slot that a tag names, for devices that serve several drives by one queue. */
static inline uint16_t
nvme_tag_drive(uint64_t tag)
{
	return (uint16_t)(tag >> 48);
}

#endif /* NVME_LANE_H */
