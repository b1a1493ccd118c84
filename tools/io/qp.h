/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef QP_H
#define QP_H

/**
 * @file
 * One NVMe/TCP queue pair of a host: commands in, completions out, over any byte stream. Never blocks, never allocates
 * after qp_create(). One thread at a time.
 *
 * Time is an argument, in ticks of the caller's choice; all of one queue pair's come from the same clock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nvme_spec.h"
#include "xport.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QP_DEPTH_MAX 4095

struct qp;

enum qp_dir { QP_NONE, QP_OUT, QP_IN };

/** One command. The caller's from before qp_submit() until done(). */
struct qp_io {
	struct nvme_cmd cmd; /**< cid, PSDT and SGL are set by qp_submit() */
	struct nvme_cpl cpl; /**< when done() has err 0; all zero but cid if the data carried the success */
	void *buf;	     /**< payload; QP_IN: NULL takes the bytes, checks their digest, and drops them */
	uint32_t len;	     /**< bytes of payload */
	uint8_t dir;	     /**< enum qp_dir */
	/** Answered (err 0: look at cpl.status), or lost with the queue pair (err -errno). May submit again. */
	void (*done)(struct qp_io *io, int err);
	void *arg;
	uint64_t submitted; /**< ticks: when qp_submit() took it */
};

struct qp_conf {
	struct xport *xport; /**< the queue pair closes it */
	uint16_t depth;	     /**< commands under way, at most; 1 to QP_DEPTH_MAX */
	bool hdgst, ddgst;   /**< ask for digests; a target that refuses is an error */
	bool discard;	     /**< drop payloads that nobody wants inside the stream, where it can */
	uint32_t rx_bytes;   /**< fetched at a time; 0: 256 KiB */
	uint32_t in_capsule; /**< longest payload sent with its command; qp_set_in_capsule() later */
	uint64_t timeout;    /**< ticks a command may take; 0: for ever */
};

struct qp_stats {
	uint64_t sends, recvs, empty; /**< calls into the stream; those that brought nothing */
	uint64_t tx_bytes, rx_bytes;
	uint64_t r2ts, h2c_pdus, c2h_pdus;
};

/** Makes the queue pair and queues its ICReq. @return 0, -EINVAL, -ENOMEM. On error the stream is still the caller's.
 */
int qp_create(struct qp **out, const struct qp_conf *conf);
/** Commands under way are done() with -ECANCELED first. */
void qp_destroy(struct qp *qp);

/** ICResp came: commands may be submitted. */
bool qp_ready(const struct qp *qp);
/** Why the queue pair failed, one line; "" while it works. */
const char *qp_error(const struct qp *qp);
/** 0, or the -errno it failed with: -EPROTO broken protocol, -ETIMEDOUT, -ECONNRESET, -ECONNABORTED (terminated). */
int qp_status(const struct qp *qp);
unsigned int qp_inflight(const struct qp *qp);
void qp_set_in_capsule(struct qp *qp, uint32_t bytes);
/** For who polls without sleeping: while the rest of a payload is on its way, leave the stream alone for as long as it
 * should take, by the pace of those before, at most @p ticks. 0, as at first: never. */
void qp_set_patience(struct qp *qp, uint64_t ticks);
const struct qp_stats *qp_get_stats(const struct qp *qp);

/**
 * Queue a command; it leaves with the next qp_flush() or qp_poll().
 * @return 0; -EAGAIN when full (depth, or send space); -EINVAL; or what qp_status() says.
 */
int qp_submit(struct qp *qp, struct qp_io *io, uint64_t now);
/** Send what the stream takes. @return 0 or qp_status(). */
int qp_flush(struct qp *qp);
/** Send, fetch, complete. @return completions made, or the -errno it failed with after completing everything. */
int qp_poll(struct qp *qp, uint64_t now);
/** Sleep until the stream has something to do, at most @p ms. */
int qp_wait(struct qp *qp, int ms);

/** Bytes that came, for streams without recv(). All are taken. @return 0 or qp_status(). */
int qp_rx(struct qp *qp, const void *data, size_t len);
/** Give up: everything under way is done() with @p err. */
void qp_fail(struct qp *qp, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif

#endif /* QP_H */
