/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef COMPRESS_LANE_H
#define COMPRESS_LANE_H

/**
 * @file
 * One lcore's way to a compressdev: jobs that go out and come back, in any order, or do not come back.
 *
 * A job is free, filled (lane_fill), under way (lane_push) or back (lane_pull), then free again (lane_put). A lane that
 * failed LANE_FAILURES times is dead: nothing more is given to it. Its jobs under way become orphans, whose memory is
 * kept until the device gives them back, as it may still read and write there.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_comp.h>
#include <rte_compressdev.h>

#include "device.h"
#include "strake_unit.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Pieces of a source that are given as they lie; more are gathered. */
#define LANE_PIECES 8
/** Failures after which a device is left alone. */
#define LANE_FAILURES 2
/** A device with work that gives nothing back for so long, ns, is dead. */
#define LANE_PATIENCE 100000000ULL

struct lane_job {
	struct lane_job *next;		      /**< while free */
	struct strake_unit *unit;	      /**< NULL: an orphan */
	struct strake_buf *in;		      /**< the source gathered, or NULL */
	struct strake_buf *out;		      /**< where the result goes: of the room given, until taken from the job */
	struct strake_buf *kept[LANE_PIECES]; /**< an orphan's source */
	struct rte_comp_op *op;
	struct rte_mbuf *src[LANE_PIECES], *dst;
	bool expand;
	bool fresh; /**< of the burst that its user has in hand; the user's */
	bool under_way;
};

struct lane {
	/** The device's burst functions; a test puts its own here. */
	uint16_t (*enqueue)(uint8_t dev, uint16_t qp, struct rte_comp_op **ops, uint16_t n);
	uint16_t (*dequeue)(uint8_t dev, uint16_t qp, struct rte_comp_op **ops, uint16_t n);
	const struct compress_device *dev;
	uint16_t qp, depth;
	uint16_t under_way, orphans; /**< the second are among the first */
	bool dead;
	uint8_t failures;
	uint64_t progress; /**< ns, when something went out to an idle device or came back */
	uint64_t gathered; /**< bytes */
	struct lane_job *free, *jobs;
	void *xform[2];
	struct rte_mempool *ops, *mbufs;
};

/** On the lcore, before traffic. @return 0, -ENOMEM, -ENOTSUP. */
int lane_init(struct lane *l, const struct compress_device *dev);
void lane_fini(struct lane *l);

/**
 * Fill a job with the first @p len bytes of the unit's payload and room for @p room bytes.
 * @return 0; -EAGAIN no job is free, -ENOBUFS no page is, -EINVAL the payload is shorter.
 */
int lane_fill(struct lane *l, struct strake_unit *unit, bool expand, uint32_t len, uint32_t room,
	      struct lane_job **out);
/** Give jobs to the device. @return how many it took, from the front. */
uint16_t lane_push(struct lane *l, struct lane_job **jobs, uint16_t n, uint64_t now);
/** Jobs that came back, orphans apart. */
uint16_t lane_pull(struct lane *l, struct lane_job **jobs, uint16_t max, uint64_t now);
/** What a job that is back gave: bytes in its `out`; -E2BIG there was too little room; -EBADMSG, -EIO: it failed. */
int lane_result(const struct lane_job *job);
/** The job is free again; puts what is left in it. */
void lane_put(struct lane *l, struct lane_job *job);

/** The device failed with a job. */
void lane_failed(struct lane *l);
/** Has the device stopped giving jobs back? Then the lane is dead. */
bool lane_stuck(struct lane *l, uint64_t now);
/** A job under way on a dead lane that is no orphan yet, or NULL. */
struct lane_job *lane_lost(struct lane *l);
/** Make it an orphan; its unit, with the payload it has, is the caller's again. */
struct strake_unit *lane_orphan(struct lane *l, struct lane_job *job);

#ifdef __cplusplus
}
#endif

#endif /* COMPRESS_LANE_H */
