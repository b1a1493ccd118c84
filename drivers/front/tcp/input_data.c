/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "conn.h"

/* Payload and FIN: the seventh and eighth step of RFC 9293, 3.10.7.4. */

static void
deliver_later(struct tcp_conn *c, struct strake_buf *head, struct strake_buf *tail, uint32_t len)
{
	c->rcv_nxt += len;
	c->rx_len += len;
	c->tcp->n.rx_bytes += len;
	if (c->rx_head == NULL) {
		c->rx_head = head;
		c->rx_tail = tail;
	} else if (head == tail && c->rx_tail->opaque == head->opaque &&
		   c->rx_tail->addr + c->rx_tail->len == head->addr) {
		/* Small segments copied side by side are one buf. */
		c->rx_tail->len += head->len;
		strake_buf_put(head);
	} else {
		c->rx_tail->next = head;
		c->rx_tail = tail;
	}
	tcp_event(c, TCP_EV_RX);
}

/* At the end of the turn at the latest two full segments are acknowledged (RFC 5681, 4.2); less may wait for an answer
 * to carry it. */
static void
owe_ack(struct tcp_conn *c)
{
	c->flags |= c->rcv_nxt - c->rcv_acked >= 2u * c->mss ? TCP_F_ACK_NOW : TCP_F_ACK_LATER;
	tcp_dirty(c);
}

bool
tcp_input_in_order(struct tcp_conn *c, struct tcp_seg *s, uint32_t off, uint32_t len)
{
	struct strake_buf *head, *tail;

	if (unlikely(!tcp_credit_take(c, s, off, len, &head, &tail))) {
		tcp_ack_now(c);
		return false;
	}
	deliver_later(c, head, tail, len);
	owe_ack(c);
	return true;
}

/* Keep of [seq, end) what is new. Nothing out of order is kept when that would leave no credit for the gap: neither
 * this connection's nor, in half of what there is for all, that of others. A peer leaves gaps before anybody knows it.
 */
static void
reassemble(struct tcp_conn *c, struct tcp_seg *s, uint32_t seq, uint32_t end)
{
	bool ahead = seq_gt(seq, c->rcv_nxt);
	struct strake_buf *head, *tail;
	struct tcp_range gap;

	if (!tcp_trouble_get(c) || (ahead && (c->pinned > c->tcp->conf.rcvbuf + c->tcp->conf.rcvbuf / 2 ||
					      c->tcp->pinned > c->tcp->pin_budget / 2))) {
		c->tcp->n.rx_no_credit++;
		return;
	}
	while (seq_lt(seq, end) && tcp_reasm_gap(c->reasm, seq, end, &gap)) {
		uint32_t len = gap.end - gap.start, off = gap.start - s->seq;

		if (!tcp_reasm_room(c->reasm, gap) || !tcp_credit_take(c, s, off, len, &head, &tail)) {
			if (ahead || c->reasm->n == 0)
				return;
			/* What is in order comes first: forget what was ahead (RFC 2018, 8, allows it). */
			tcp_reasm_clear(c->reasm);
			if (!tcp_credit_take(c, s, off, len, &head, &tail))
				return;
		}
		tcp_reasm_insert(c->reasm, gap, head, tail);
		if (s->m == NULL)
			return; /* taken as a whole */
		seq = gap.end;
	}
	tcp_reasm_touch(c->reasm, end - 1);
}

static void
input_payload(struct tcp_conn *c, struct tcp_seg *s, uint32_t seq, uint32_t end, uint64_t now)
{
	struct strake_buf *head, *tail;
	uint32_t len;

	if (seq == c->rcv_nxt && c->reasm->n == 0) {
		tcp_input_in_order(c, s, seq - s->seq, end - seq);
		return;
	}
	if (seq_gt(seq, c->rcv_nxt)) {
		c->tcp->n.rx_out_of_order++;
		c->n_ooo++;
	}
	reassemble(c, s, seq, end);
	len = tcp_reasm_pop(c->reasm, c->rcv_nxt, &head, &tail);
	if (len > 0)
		deliver_later(c, head, tail, len);
	tcp_trouble_done(c);
	/* A gap appears, shrinks or closes: the sender must know at once (RFC 5681, 4.2). Without SACK it counts
	 * duplicates, so that each segment needs its own. */
	tcp_ack_now(c);
	if (len == 0 && !(c->flags & TCP_F_SACK))
		tcp_send_bare(c, tcp_bare_seq(c), TCP_ACK, now);
}

static void
input_fin(struct tcp_conn *c, uint64_t now)
{
	c->flags |= TCP_F_FIN_RCVD;
	c->rcv_nxt++;
	c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt);
	tcp_ack_now(c);
	tcp_event(c, TCP_EV_EOF);
	if (c->state == TCP_ESTABLISHED)
		c->state = TCP_CLOSE_WAIT;
	else if (c->state == TCP_FIN_WAIT_1)
		c->state = TCP_CLOSING; /* our FIN is not acknowledged: the ACK came before this step */
	else if (c->state == TCP_FIN_WAIT_2)
		tcp_conn_time_wait(c, now);
}

void
tcp_input_data(struct tcp_conn *c, struct tcp_seg *s, uint64_t now)
{
	uint32_t seq = s->seq, end = s->seq + s->len;
	bool fin = s->flags & TCP_FIN;

	if (c->state != TCP_ESTABLISHED && c->state != TCP_FIN_WAIT_1 && c->state != TCP_FIN_WAIT_2)
		return;
	if (seq_gt(end, c->rcv_adv)) {
		end = c->rcv_adv;
		fin = false;
	}
	if (fin && !(c->flags & TCP_F_FIN_SEEN)) {
		c->flags |= TCP_F_FIN_SEEN;
		c->fin_seq = end;
	}
	if (c->flags & TCP_F_FIN_SEEN)
		end = seq_min(end, c->fin_seq); /* nothing follows a FIN */
	seq = seq_max(seq, c->rcv_nxt);
	if (seq_lt(seq, end)) {
		input_payload(c, s, seq, end, now);
	} else if (s->len > 0) {
		c->tcp->n.rx_duplicate++;
		tcp_ack_now(c);
	}
	if (c->flags & TCP_F_FIN_SEEN && !(c->flags & TCP_F_FIN_RCVD) && c->rcv_nxt == c->fin_seq)
		input_fin(c, now);
	else if (fin)
		tcp_ack_now(c);
}
