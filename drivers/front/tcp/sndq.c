/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "sndq.h"

void
tcp_sndq_init(struct tcp_sndq *q, uint32_t seq)
{
	q->head = NULL;
	q->tail = NULL;
	q->off = 0;
	q->seq = seq;
	q->end = seq;
	q->nxt = (struct tcp_cursor){.seq = seq};
	q->rtx = (struct tcp_cursor){.seq = seq};
}

void
tcp_sndq_append(struct tcp_sndq *q, struct strake_buf *bufs, uint32_t len)
{
	if (q->head == NULL)
		q->head = bufs;
	else
		q->tail->next = bufs;
	/* Cursors that had reached the end stand at the first new byte. */
	if (q->nxt.buf == NULL && q->nxt.seq == q->end)
		q->nxt.buf = bufs;
	if (q->rtx.buf == NULL && q->rtx.seq == q->end)
		q->rtx.buf = bufs;
	while (bufs->next != NULL)
		bufs = bufs->next;
	q->tail = bufs;
	q->end += len;
}

uint32_t
tcp_sndq_ack(struct tcp_sndq *q, uint32_t seq)
{
	uint32_t n, left;

	if (seq_le(seq, q->seq))
		return 0;
	n = seq_min(seq, q->end) - q->seq;
	q->seq += n;
	left = n;
	while (left > 0) {
		struct strake_buf *buf = q->head;
		uint32_t here = buf->len - q->off;

		if (left < here) {
			q->off += left;
			break;
		}
		left -= here;
		q->off = 0;
		q->head = buf->next;
		strake_buf_put(buf);
	}
	if (q->head == NULL)
		q->tail = NULL;
	/* A cursor left behind points at bufs that are gone. */
	if (seq_lt(q->nxt.seq, q->seq))
		q->nxt = (struct tcp_cursor){q->head, q->off, q->seq};
	if (seq_lt(q->rtx.seq, q->seq))
		q->rtx = (struct tcp_cursor){q->head, q->off, q->seq};
	return n;
}

void
tcp_sndq_seek(const struct tcp_sndq *q, struct tcp_cursor *cur, uint32_t seq)
{
	if (cur->seq == seq)
		return;
	if (seq_lt(seq, cur->seq))
		*cur = (struct tcp_cursor){q->head, q->off, q->seq};
	while (cur->seq != seq) {
		uint32_t n = cur->buf->len - cur->off;

		tcp_cursor_step(cur, n < seq - cur->seq ? n : seq - cur->seq);
	}
}

void
tcp_sndq_clear(struct tcp_sndq *q)
{
	strake_buf_put_list(q->head);
	tcp_sndq_init(q, q->end);
}
