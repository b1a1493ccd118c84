/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_SNDQ_H
#define TCP_SNDQ_H

/**
 * @file
 * Bytes to send: references to the user's bufs, kept unchanged until the peer has acknowledged them.
 *
 * A cursor remembers a place in the list, so that building a segment never walks the queue from its head. Pure but for
 * the references it drops.
 */

#include "seq.h"
#include "strake_buf.h"

/** A place in the queue. Past the last byte buf is NULL. */
struct tcp_cursor {
	struct strake_buf *buf;
	uint32_t off; /**< in buf */
	uint32_t seq;
};

struct tcp_sndq {
	struct strake_buf *head, *tail;
	uint32_t off;	       /**< bytes of head already acknowledged */
	uint32_t seq;	       /**< of the first byte not acknowledged */
	uint32_t end;	       /**< after the last byte */
	struct tcp_cursor nxt; /**< where new segments begin */
	struct tcp_cursor rtx; /**< where the last retransmission ended */
};

/** Empty, the next byte to be @p seq. */
void tcp_sndq_init(struct tcp_sndq *q, uint32_t seq);
/** Takes the list of @p len bytes. */
void tcp_sndq_append(struct tcp_sndq *q, struct strake_buf *bufs, uint32_t len);
/** Bytes before @p seq are acknowledged (not past end). @return how many were new. */
uint32_t tcp_sndq_ack(struct tcp_sndq *q, uint32_t seq);
/** Move a cursor to @p seq, within [q->seq, q->end]. */
void tcp_sndq_seek(const struct tcp_sndq *q, struct tcp_cursor *cur, uint32_t seq);
/** Put everything. */
void tcp_sndq_clear(struct tcp_sndq *q);

/** Move on by @p n bytes within the cursor's buf. */
static inline void
tcp_cursor_step(struct tcp_cursor *cur, uint32_t n)
{
	cur->seq += n;
	cur->off += n;
	if (cur->off == cur->buf->len) {
		cur->buf = cur->buf->next;
		cur->off = 0;
	}
}

#endif /* TCP_SNDQ_H */
