/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_GCM_LANE_H
#define CRYPTO_GCM_LANE_H

/**
 * @file
 * One lcore's way to a cryptodev: jobs that go out and come back, in any order, or do not come back.
 *
 * A job is free, filled (gcm_lane_fill), under way (gcm_lane_push) or back (gcm_lane_pull), then free again
 * (gcm_lane_put). A lane that failed GCM_LANE_FAILURES times is dead; jobs still under way become orphans, whose memory
 * is kept until the device gives them back.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_crypto.h>
#include <rte_cryptodev.h>

#include "gcm_device.h"
#include "strake_chunk.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Pieces of a source that are given as they lie; more are gathered. */
#define GCM_LANE_PIECES 8
/** Failures after which a device is left alone. */
#define GCM_LANE_FAILURES 2
/** A device with work that gives nothing back for so long, ns, is dead. */
#define GCM_LANE_PATIENCE 100000000ULL
/** Longest payload. */
#define GCM_LANE_BYTES_MAX 32768u

struct gcm_slot;

struct gcm_job {
	struct gcm_job *next;	  /**< while free */
	struct strake_unit *unit; /**< NULL: an orphan */
	struct gcm_slot *slot;	  /**< the session in use */
	struct strake_buf *out;	  /**< the result, if not in place; until taken from the job */
	struct strake_buf *kept;  /**< an orphan's payload */
	struct rte_crypto_op *op;
	struct rte_mbuf *src[GCM_LANE_PIECES], *dst;
	bool fresh; /**< of the burst that its user has in hand; the user's */
	bool under_way;
};

/** What an operation has of its own, at GCM_IV_OFFSET in it. */
struct gcm_private {
	uint8_t nonce[16], aad[GCM_AAD], tag[GCM_TAG];
	struct gcm_job *job;
};

struct gcm_lane {
	/** The device's burst functions; a test puts its own here. */
	uint16_t (*enqueue)(uint8_t dev, uint16_t qp, struct rte_crypto_op **ops, uint16_t n);
	uint16_t (*dequeue)(uint8_t dev, uint16_t qp, struct rte_crypto_op **ops, uint16_t n);
	const struct gcm_device *dev;
	uint16_t qp, depth;
	uint16_t under_way, orphans; /**< the second are among the first */
	bool dead;
	uint8_t failures;
	uint64_t progress; /**< ns, when something went out to an idle device or came back */
	uint64_t gathered; /**< bytes */
	struct gcm_job *free, *jobs;
	struct rte_mempool *ops, *mbufs;
};

/** The authenticated data of a chunk: serial (8), domain (4), epoch (2), salt (2), plain (4), stored (4), codec (1),
 * blocks (1), zero (2), "SGC1"; little-endian. */
void gcm_aad(const struct strake_seal *seal, uint8_t aad[GCM_AAD]);

/** On the lcore, before traffic. @return 0, -ENOMEM. */
int gcm_lane_init(struct gcm_lane *l, const struct gcm_device *dev);
void gcm_lane_fini(struct gcm_lane *l);

/**
 * Fill a job with the unit's payload of seal.stored bytes and what its seal says (epoch, salt and nonce are set).
 * @return 0; -EAGAIN no job is free, -ENOBUFS no page is.
 */
int gcm_lane_fill(struct gcm_lane *l, struct strake_unit *unit, void *session, struct gcm_job **out);
/** Give jobs to the device. @return how many it took, from the front. */
uint16_t gcm_lane_push(struct gcm_lane *l, struct gcm_job **jobs, uint16_t n, uint64_t now);
/** Jobs that came back, orphans too. */
uint16_t gcm_lane_pull(struct gcm_lane *l, struct gcm_job **jobs, uint16_t max, uint64_t now);
/** @return 0; -EBADMSG the tag does not fit; -EIO the device failed. */
int gcm_lane_result(const struct gcm_job *job);
/** The job is free again; puts what is left in it. */
void gcm_lane_put(struct gcm_lane *l, struct gcm_job *job);

/** The device failed with a job. @return true: from now on it is left alone. */
bool gcm_lane_failed(struct gcm_lane *l);
/** Has the device stopped giving jobs back? */
bool gcm_lane_stuck(const struct gcm_lane *l, uint64_t now);
/** A job under way that is no orphan yet, or NULL. */
struct gcm_job *gcm_lane_lost(struct gcm_lane *l);
/** Make it an orphan, which keeps the unit's payload. */
struct strake_unit *gcm_lane_orphan(struct gcm_lane *l, struct gcm_job *job);

static inline struct gcm_private *
gcm_private_of(struct rte_crypto_op *op)
{
	return (struct gcm_private *)((uint8_t *)op + GCM_IV_OFFSET);
}

#ifdef __cplusplus
}
#endif

#endif /* CRYPTO_GCM_LANE_H */
