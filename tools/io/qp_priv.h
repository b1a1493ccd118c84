/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef QP_PRIV_H
#define QP_PRIV_H

/** @file Inside the queue pair: what qp.c (commands), qp_tx.c (sending) and qp_rx.c (parsing) share. */

#include "pdu.h"
#include "qp.h"

/* A command identifier is a slot's number and a generation, so that an answer that comes twice finds nobody. */
#define CID_SLOT_BITS 12
#define CID_SLOT_MASK ((1u << CID_SLOT_BITS) - 1)

struct slot {
	struct qp_io *io; /* NULL: free */
	uint64_t deadline;
	uint32_t moved;	  /* QP_IN: bytes received; QP_OUT: bytes handed to the send queue */
	uint32_t granted; /* QP_OUT: bytes asked for so far by R2T; moved < granted: a transfer is under way */
	uint32_t tx_refs; /* pieces of its payload still in the send queue */
	uint16_t cid;
	uint16_t ttag;
	bool in_capsule;
	bool answered; /* completion came, but the send queue still points at the payload */
	bool queued;   /* in the list of transfers */
};

enum qp_state { QP_CONNECTING, QP_READY, QP_FAILED };
enum rx_state { RX_HEAD, RX_DATA, RX_DIGEST };

/* What belongs to an entry of the send queue beside its bytes. */
struct tx_meta {
	struct slot *slot;   /* payload of this command */
	uint32_t arena_tail; /* the arena is free up to here once it has left */
};

struct qp {
	struct xport *xport;
	enum qp_state state;
	int err;
	bool hdgst, ddgst, discard;
	uint32_t in_capsule, max_h2c, align;
	uint64_t timeout, next_check;
	unsigned int done_count;

	/* commands */
	struct slot *slots;
	uint16_t *free_list;
	unsigned int depth, nfree;
	uint16_t *xfer; /* ring of slots with an R2T to serve */
	unsigned int xfer_head, xfer_n;

	/* send queue: pieces of bytes in order; headers live in the arena, payload with the caller */
	struct iovec *tx;
	struct tx_meta *tx_meta;
	uint32_t tx_head, tx_tail, tx_mask;
	uint8_t *arena;
	uint32_t arena_head, arena_tail, arena_mask;

	/* receiving */
	enum rx_state rx_state;
	uint8_t head[PDU_HEAD_MAX];
	uint32_t head_have, head_need; /* need 0: not known before the common header is there */
	struct nvme_tcp_ch rx_ch;
	struct slot *rx_slot;
	uint8_t *rx_dst;
	uint32_t rx_left, rx_crc;
	uint8_t rx_digest[NVME_TCP_DIGEST_LEN];
	uint32_t rx_digest_have;
	uint8_t *rx_buf;
	uint32_t rx_bytes;
	uint64_t patience, rx_now;  /* ticks; of this poll */
	uint64_t rx_began, rx_look; /* the payload under way; not before that is there to be more of it */
	uint64_t rx_pace;	    /* of payloads before: ticks for PACE_BYTES */

	struct qp_stats stats;
	char text[192];
};

/* qp.c */
struct slot *qp_slot_of(struct qp *qp, uint16_t cid);
void qp_slot_answer(struct qp *qp, struct slot *s, const struct nvme_cpl *cpl);
void qp_slot_release(struct qp *qp, struct slot *s);
/* The controller broke the protocol: tell it (NULL header: do not) and fail. */
void qp_protocol_error(struct qp *qp, const struct pdu_fault *fault, const void *header, uint32_t len);

/* qp_rx.c: fetch from the stream and parse, a bounded number of times. */
void qp_rx_poll(struct qp *qp, uint64_t now);

/* qp_tx.c */
int qp_tx_init(struct qp *qp, unsigned int depth);
void qp_tx_fini(struct qp *qp);
/* Contiguous room for @p n bytes in the arena, and @p pieces entries; NULL: not now. */
uint8_t *qp_tx_room(struct qp *qp, uint32_t n, uint32_t pieces);
/* Append the @p n bytes just written at @p p, which qp_tx_room() gave. */
void qp_tx_head(struct qp *qp, uint8_t *p, uint32_t n);
/* Append payload of @p s and, if agreed, its digest. */
void qp_tx_payload(struct qp *qp, struct slot *s, const void *p, uint32_t n);
/* Turn granted transfers into H2CData PDUs, as many as there is room for. */
void qp_tx_transfers(struct qp *qp);
void qp_tx_grant(struct qp *qp, struct slot *s);

#endif /* QP_PRIV_H */
