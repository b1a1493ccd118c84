/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "conn.h"

/* What may be sent, and when: RFC 9293 3.8.6 and 3.10.2 to 3.10.4, RFC 5681, RFC 6675. Called at the end of a turn, so
 * that all a turn queued goes out in full segments and everything received in it is answered by one ACK. */

uint32_t
tcp_pipe(const struct tcp_conn *c)
{
	uint32_t flight = c->snd_nxt - c->snd_una, dup;

	if (c->board->n == 0) {
		if (!(c->flags & TCP_F_RECOVERY) || c->flags & TCP_F_SACK)
			return flight;
		/* Every duplicate says that a segment has left the network (RFC 6582). */
		dup = (uint32_t)c->dupacks * c->mss;
		return flight > dup ? flight - dup : 0;
	}
	if (c->flags & TCP_F_LOSS) {
		/* All that was out when the timer fired is taken for lost. */
		for (uint32_t i = 0; i < c->board->n && seq_lt(c->board->r[i].start, c->snd_nxt); i++)
			flight -= seq_min(c->board->r[i].end, c->snd_nxt) - c->board->r[i].start;
		return flight;
	}
	return tcp_board_pipe(c->board, c->snd_una, c->snd_nxt, c->flags & TCP_F_RECOVERY ? c->high_rxt : c->snd_una,
			      c->mss);
}

uint32_t
tcp_retransmit(struct tcp_conn *c, uint32_t seq, uint32_t len, uint64_t now)
{
	bool fin = c->flags & TCP_F_FIN_SENT;
	uint32_t most = tcp_payload_max(c);

	c->flags &= ~TCP_F_TIMING;
	if (seq == c->q.end) {
		if (!fin || !tcp_send_bare(c, seq, TCP_FIN | TCP_ACK, now))
			return 0;
		len = 1;
	} else {
		len = RTE_MIN(len, most);
		len = RTE_MIN(len, c->q.end - seq);
		tcp_sndq_seek(&c->q, &c->q.rtx, seq);
		fin = fin && seq + len == c->q.end;
		len = tcp_send_data(c, &c->q.rtx, len, fin ? TCP_ACK | TCP_FIN : TCP_ACK, false, now);
		if (len == 0)
			return 0;
		c->tcp->n.retransmit_bytes += len;
	}
	c->n_retransmits++;
	c->tcp->n.retransmits++;
	if (c->due[TCP_DUE_RXT] == 0)
		tcp_timer_rxt(c, now);
	return len;
}

/* NextSeg() of RFC 6675, 4: rule 1 before new data, rule 3 after it. */
static bool
send_holes(struct tcp_conn *c, bool lost, uint64_t now)
{
	uint32_t pipe = tcp_pipe(c);
	struct tcp_range hole;

	while (pipe < c->cc.cwnd && tcp_board_hole(c->board, seq_max(c->high_rxt, c->snd_una), lost, c->mss, &hole)) {
		uint32_t n = tcp_retransmit(c, hole.start, hole.end - hole.start, now);

		if (n == 0)
			return false;
		c->high_rxt = hole.start + n;
		c->rxt_mark = c->snd_max;
		pipe += n;
	}
	return true;
}

static bool
may_send_fin(const struct tcp_conn *c)
{
	return c->flags & TCP_F_CLOSE && c->state >= TCP_ESTABLISHED && c->state != TCP_FIN_WAIT_2 &&
	       c->state != TCP_TIME_WAIT;
}

static void
fin_sent(struct tcp_conn *c)
{
	c->flags |= TCP_F_FIN_SENT;
	if (c->state == TCP_ESTABLISHED)
		c->state = TCP_FIN_WAIT_1;
	else if (c->state == TCP_CLOSE_WAIT)
		c->state = TCP_LAST_ACK;
}

/* Book what has left from snd_nxt on: @p len bytes, and the FIN if @p fin. */
static void
advance(struct tcp_conn *c, uint32_t len, bool fin, uint64_t now)
{
	bool again = seq_lt(c->snd_nxt, c->snd_max);

	if (again) {
		c->n_retransmits++;
		c->tcp->n.retransmits++;
		c->tcp->n.retransmit_bytes += len;
	} else {
		if (c->snd_una == c->snd_max)
			c->una_at = now;
		c->tcp->n.tx_bytes += len;
		c->stream.tx_bytes += len;
	}
	c->snd_nxt += len + fin;
	if (seq_gt(c->snd_nxt, c->snd_max)) {
		c->snd_max = c->snd_nxt;
		if (!again && !(c->flags & TCP_F_TIMING)) {
			c->flags |= TCP_F_TIMING;
			c->rtt_seq = c->snd_nxt;
			c->rtt_at = now;
		}
	}
}

struct budget {
	uint32_t avail; /* bytes queued from snd_nxt on, up to what the peer already holds */
	uint32_t wnd;	/* of the peer's window */
	uint32_t cwnd;	/* of the congestion window */
	uint32_t most;	/* to a segment, or to a TSO packet */
};

/* @return bytes to send now, 0 for none: sender's silly window avoidance (RFC 9293, 3.8.6.2.1) and, since a turn is
 * what gathers small writes, no Nagle. */
static uint32_t
choose(struct tcp_conn *c, const struct budget *b, uint32_t mss)
{
	uint32_t len = RTE_MIN(b->avail, b->most);

	len = RTE_MIN(len, b->wnd);
	len = RTE_MIN(len, b->cwnd);

	if (b->cwnd < b->avail && b->cwnd < b->wnd)
		c->flags |= TCP_F_LIMITED;
	if (len == b->avail || len >= mss)
		return len > mss && len < b->avail ? len - len % mss : len;
	if (b->cwnd < b->wnd)
		return c->snd_nxt == c->snd_una ? len : 0;
	/* What was sent before has its place in the window, however small that is. */
	if (seq_lt(c->snd_nxt, c->snd_max))
		return len;
	return len >= c->max_wnd / 2 || c->flags & TCP_F_FORCE ? len : 0;
}

static void
budget(struct tcp_conn *c, struct budget *b, uint32_t mss, uint32_t pipe)
{
	struct port_if *ifp = c->tcp->ifp;
	uint32_t limit = c->q.end, edge = c->snd_una + c->snd_wnd;

	if (unlikely(seq_lt(c->snd_nxt, c->snd_max))) {
		c->snd_nxt = tcp_board_skip(c->board, c->snd_nxt, &limit);
		limit = seq_min(limit, c->q.end);
	}
	b->avail = seq_lt(c->snd_nxt, limit) ? limit - c->snd_nxt : 0;
	b->wnd = seq_lt(c->snd_nxt, edge) ? edge - c->snd_nxt : 0;
	b->cwnd = c->cc.cwnd > pipe ? c->cc.cwnd - pipe : 0;
	b->most = mss;
	if (ifp->caps & PORT_CAP_TSO && ifp->tso_max > mss && ifp->tx_segs_max > 1)
		b->most = RTE_MIN(ifp->tso_max, 65535u - 128u) / mss * mss;
}

static bool
send_new(struct tcp_conn *c, uint64_t now)
{
	uint32_t mss = tcp_payload_max(c), pipe = tcp_pipe(c);

	c->flags &= ~TCP_F_LIMITED;
	for (;;) {
		struct budget b;
		uint32_t len, sent;
		bool fin;

		budget(c, &b, mss, pipe);
		len = choose(c, &b, mss);
		fin = may_send_fin(c) && c->snd_nxt + len == c->q.end && b.wnd > len;
		if (len == 0 && !fin)
			return true;
		if (len > 0) {
			tcp_sndq_seek(&c->q, &c->q.nxt, c->snd_nxt);
			sent = tcp_send_data(c, &c->q.nxt, len, fin ? TCP_ACK | TCP_FIN : TCP_ACK,
					     c->snd_nxt == c->snd_max, now);
			if (sent == 0)
				return false;
			fin = fin && sent == len;
			len = sent;
		} else if (!tcp_send_bare(c, c->snd_nxt, TCP_FIN | TCP_ACK, now)) {
			return false;
		}
		advance(c, len, fin, now);
		c->flags &= ~TCP_F_FORCE;
		pipe += len;
		if (fin) {
			fin_sent(c);
			return true;
		}
	}
}

uint32_t
tcp_bare_seq(const struct tcp_conn *c)
{
	uint32_t edge = c->snd_una + c->snd_wnd;

	return seq_gt(c->snd_max, edge) ? edge : c->snd_max;
}

static bool
send_data(struct tcp_conn *c, uint64_t now)
{
	if (c->flags & TCP_F_RXT_DUE) {
		uint32_t n = c->snd_una == c->snd_max ? 1 : tcp_retransmit(c, c->snd_una, c->mss, now);

		if (n == 0)
			return false;
		c->flags &= ~TCP_F_RXT_DUE;
		c->high_rxt = seq_max(c->high_rxt, c->snd_una + n);
		c->rxt_mark = c->snd_max;
	}
	if (c->flags & TCP_F_RECOVERY && c->flags & TCP_F_SACK && !send_holes(c, true, now))
		return false;
	if (!send_new(c, now))
		return false;
	return !(c->flags & TCP_F_RECOVERY && c->flags & TCP_F_SACK) || send_holes(c, false, now);
}

static bool
send_syn(struct tcp_conn *c, uint64_t now)
{
	if (!(c->flags & TCP_F_SYN_DUE)) /* something that is no part of the handshake wants to know where we stand */
		return !(c->flags & TCP_F_ACK_NOW) || tcp_send_bare(c, c->snd_max, TCP_ACK, now);
	if (!tcp_send_syn(c, now))
		return false;
	c->flags &= ~(TCP_F_SYN_DUE | TCP_F_ACK_NOW | TCP_F_ACK_LATER);
	if (c->snd_max == c->iss) {
		c->snd_nxt = c->iss + 1;
		c->snd_max = c->iss + 1;
		c->rtt_at = now;
		c->rtt_seq = c->snd_max;
		c->flags |= TCP_F_TIMING;
	} else {
		c->flags &= ~TCP_F_TIMING;
	}
	if (c->due[TCP_DUE_RXT] == 0)
		tcp_timer_set(c, TCP_DUE_RXT, now + tcp_rtt_backoff(&c->rtt, c->backoff));
	return true;
}

/* RFC 5681, 4.1: after a silence the old window says nothing. */
static void
restart_idle(struct tcp_conn *c, uint64_t now)
{
	uint32_t before = c->cc.cwnd;

	if (c->snd_una != c->snd_max || now - c->sent_at <= c->rtt.rto || c->snd_nxt == c->q.end)
		return;
	c->tcp->cc->start(&c->cc);
	c->cc.cwnd = RTE_MIN(c->cc.cwnd, before);
}

bool
tcp_output(struct tcp_conn *c, uint64_t now)
{
	uint32_t max = c->snd_max;
	bool ok = true;

	if (c->state == TCP_CLOSED)
		return true;
	if (c->state < TCP_ESTABLISHED)
		return send_syn(c, now);
	if (c->state != TCP_TIME_WAIT) {
		restart_idle(c, now);
		ok = send_data(c, now);
	}
	if (c->flags & TCP_F_ACK_NOW)
		ok = tcp_send_bare(c, tcp_bare_seq(c), TCP_ACK, now) && ok;
	else if (c->flags & TCP_F_ACK_LATER && c->due[TCP_DUE_ACK] == 0)
		tcp_timer_set(c, TCP_DUE_ACK, now + TCP_DELACK_NS);
	/* Something is out, or waits for a window: either way a timer must run. */
	if (c->state != TCP_TIME_WAIT)
		tcp_timer_sent(c, max != c->snd_max, now);
	return ok;
}
