/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "conn.h"

/* The ACK field: the fifth step of RFC 9293, 3.10.7.4, and what RFC 5681, 6582, 6675 and 3168 do on it. */

void
tcp_ack_advance(struct tcp_conn *c, uint32_t ack, uint64_t now)
{
	uint32_t acked = ack - c->snd_una;
	uint32_t bytes = tcp_sndq_ack(&c->q, ack);

	c->snd_una = ack;
	if (seq_lt(c->snd_nxt, ack))
		c->snd_nxt = ack;
	if (c->board->n != 0) {
		tcp_board_ack(c->board, ack);
		tcp_trouble_done(c);
	}
	if (c->flags & TCP_F_TIMING && seq_ge(ack, c->rtt_seq)) {
		c->flags &= ~TCP_F_TIMING;
		tcp_rtt_sample(&c->rtt, now - c->rtt_at);
	}
	c->backoff = 0;
	c->una_at = now;
	c->stream.tx_queued -= bytes;
	if (c->stream.want_room && bytes > 0)
		tcp_event(c, TCP_EV_ROOM);
	if (!(c->flags & TCP_F_RECOVERY)) {
		c->dupacks = 0;
		if (c->flags & TCP_F_LIMITED)
			c->tcp->cc->ack(&c->cc, acked, now, c->rtt.srtt);
	}
	if (c->flags & TCP_F_LOSS && seq_ge(ack, c->recover))
		c->flags &= ~TCP_F_LOSS;
	c->flags &= ~(TCP_F_TLP_OUT | TCP_F_TLP);
	/* With nothing out the timer begins anew with what is sent next. */
	if (ack == c->snd_max)
		c->due[TCP_DUE_RXT] = 0;
	else
		tcp_timer_rxt(c, now);
}

/* An ACK of new bytes while in fast recovery (RFC 6582, 3.2; RFC 6675, 5). */
static void
recovery_advance(struct tcp_conn *c, uint32_t ack, uint64_t now)
{
	uint32_t segs = (ack - c->snd_una) / c->mss;

	tcp_ack_advance(c, ack, now);
	if (seq_ge(ack, c->recover)) {
		uint32_t flight = c->snd_max - c->snd_una;
		uint32_t some = RTE_MAX(flight, (uint32_t)c->mss) + c->mss;

		/* Without this a burst of a whole window would follow. */
		c->cc.cwnd = RTE_MIN(c->cc.ssthresh, some);
		c->flags &= ~(TCP_F_RECOVERY | TCP_F_RXT_DUE);
		c->dupacks = 0;
		if (flight > 0)
			tcp_timer_rxt(c, now); /* a tail loss probe may be set again */
		return;
	}
	c->high_rxt = seq_max(c->high_rxt, ack);
	if (!(c->flags & TCP_F_SACK)) {
		c->dupacks = (uint8_t)(c->dupacks > segs ? c->dupacks - segs : 0);
		c->flags |= TCP_F_RXT_DUE;
	}
}

static void
recovery_enter(struct tcp_conn *c, uint64_t now)
{
	c->flags |= TCP_F_RECOVERY | TCP_F_RXT_DUE;
	c->flags &= ~TCP_F_TIMING;
	c->recover = c->snd_max;
	c->high_rxt = c->snd_una;
	c->rxt_mark = c->snd_max;
	c->n_recoveries++;
	c->tcp->n.recoveries++;
	c->tcp->cc->congestion(&c->cc, c->snd_max - c->snd_una, now);
	c->flags |= TCP_F_CWR;
	/* The probe for tail loss has served. */
	c->flags &= ~TCP_F_TLP;
	tcp_timer_rxt(c, now);
}

/* Three segments sent after all that was sent again have arrived: what is still missing was lost once more. Begin
 * another pass over the holes instead of waiting for the timer. */
static void
retransmission_lost(struct tcp_conn *c, uint64_t now)
{
	if (tcp_board_above(c->board, c->rxt_mark) < (uint32_t)TCP_DUP_THRESH * c->mss)
		return;
	c->high_rxt = c->snd_una;
	c->rxt_mark = c->snd_max;
	c->recover = c->snd_max;
	c->tcp->cc->congestion(&c->cc, tcp_pipe(c), now);
}

static void
detect_loss(struct tcp_conn *c, const struct tcp_seg *s, uint32_t newly, bool same_window, uint64_t now)
{
	bool dup = newly > 0 || (s->ack == c->snd_una && s->len == 0 && same_window && !(s->flags & TCP_FIN));

	if (c->snd_una == c->snd_max || c->flags & TCP_F_LOSS || !dup)
		return;
	if (c->dupacks < UINT8_MAX)
		c->dupacks++;
	c->n_dupacks++;
	if (c->flags & TCP_F_RECOVERY) {
		retransmission_lost(c, now);
		return;
	}
	if (c->dupacks < TCP_DUP_THRESH && !tcp_board_lost(c->board, c->snd_una + 1, c->mss))
		return;
	/* Duplicates for what a timeout has already repaired mean nothing (RFC 6582, 4). */
	if (seq_ge(c->snd_una, c->recover))
		recovery_enter(c, now);
}

static void
input_ece(struct tcp_conn *c, uint64_t now)
{
	/* Once for each window of data (RFC 3168, 6.1.2). */
	if (c->flags & (TCP_F_RECOVERY | TCP_F_LOSS) || seq_lt(c->snd_una, c->recover) || c->snd_una == c->snd_max)
		return;
	c->tcp->n.ecn_reductions++;
	c->recover = c->snd_max;
	c->tcp->cc->congestion(&c->cc, c->snd_max - c->snd_una, now);
	c->flags |= TCP_F_CWR;
}

/* @return true if it differs from before. */
static bool
update_window(struct tcp_conn *c, const struct tcp_seg *s)
{
	uint32_t wnd = (uint32_t)s->wnd << c->snd_shift;
	bool changed = wnd != c->snd_wnd;

	if (seq_lt(s->seq, c->snd_wl1) || (s->seq == c->snd_wl1 && seq_lt(s->ack, c->snd_wl2)))
		return changed;
	/* A window that opens ends probing. */
	if (c->snd_wnd == 0 && wnd > 0 && c->snd_una == c->snd_max) {
		c->due[TCP_DUE_RXT] = 0;
		c->backoff = 0;
	}
	c->snd_wnd = wnd;
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
	c->max_wnd = RTE_MAX(c->max_wnd, wnd);
	return changed;
}

/* SYN_RCVD: the ACK that finishes the handshake. */
static bool
input_ack_syn(struct tcp_conn *c, struct tcp_seg *s, uint64_t now)
{
	if (seq_le(s->ack, c->snd_una) || seq_gt(s->ack, c->snd_max)) {
		tcp_reply_reset(c->tcp, s);
		return false;
	}
	c->snd_una = c->iss + 1;
	c->snd_wnd = (uint32_t)s->wnd << c->snd_shift;
	c->max_wnd = c->snd_wnd;
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
	if (c->flags & TCP_F_TIMING) {
		c->flags &= ~TCP_F_TIMING;
		tcp_rtt_sample(&c->rtt, now - c->rtt_at);
	}
	c->flags &= ~TCP_F_SYN_DUE;
	tcp_conn_established(c, now);
	if (c->flags & TCP_F_PASSIVE)
		return tcp_accept(c, now);
	c->tcp->n.connected++;
	tcp_event(c, TCP_EV_CONNECTED);
	tcp_dirty(c);
	return true;
}

static void
fin_acked(struct tcp_conn *c, uint64_t now)
{
	if (!(c->flags & TCP_F_FIN_SENT) || c->snd_una != c->q.end + 1)
		return;
	if (c->state == TCP_FIN_WAIT_1) {
		c->state = TCP_FIN_WAIT_2;
		tcp_timer_set(c, TCP_DUE_LIFE, now + TCP_FIN_WAIT_2_NS);
	} else if (c->state == TCP_CLOSING) {
		tcp_conn_time_wait(c, now);
	} else if (c->state == TCP_LAST_ACK) {
		tcp_conn_close(c, 0);
	}
}

static uint32_t
input_sack(struct tcp_conn *c, const struct tcp_seg *s)
{
	uint32_t newly = 0, una = seq_max(c->snd_una, s->ack);

	if (s->opt.n_sack == 0 || !(c->flags & TCP_F_SACK) || c->state < TCP_ESTABLISHED || c->snd_una == c->snd_max ||
	    !tcp_trouble_get(c))
		return 0;
	for (uint8_t i = 0; i < s->opt.n_sack; i++)
		newly += tcp_board_add(c->board, una, c->snd_max, s->opt.sack[i]);
	c->n_sacks += s->opt.n_sack;
	tcp_trouble_done(c);
	return newly;
}

/* After a timeout the flight is not timed; a timestamp's echo tells new from old (RFC 7323, 4). */
static void
sample_timestamp(struct tcp_conn *c, const struct tcp_seg *s, uint64_t now)
{
	uint32_t ms = tcp_ts_now(c, now) - s->opt.tsecr;

	if (c->backoff > 0 && c->flags & TCP_F_TS && s->opt.has & TCP_HAS_TS && s->opt.tsecr != 0 && ms < 60000)
		tcp_rtt_sample(&c->rtt, (uint64_t)ms * STRAKE_NS_PER_MS);
}

bool
tcp_input_ack(struct tcp_conn *c, struct tcp_seg *s, uint64_t now)
{
	bool changed;
	uint32_t newly;

	if (c->state == TCP_SYN_RCVD && !input_ack_syn(c, s, now))
		return false;
	if (seq_gt(s->ack, c->snd_max) || seq_lt(s->ack, c->snd_una - c->max_wnd)) {
		c->tcp->n.rx_bad_ack++;
		tcp_challenge(c, now);
		return false;
	}
	newly = input_sack(c, s);
	changed = seq_ge(s->ack, c->snd_una) && update_window(c, s);
	if (seq_gt(s->ack, c->snd_una)) {
		sample_timestamp(c, s, now);
		if (c->flags & TCP_F_RECOVERY)
			recovery_advance(c, s->ack, now);
		else
			tcp_ack_advance(c, s->ack, now);
		fin_acked(c, now);
		if (c->state == TCP_CLOSED)
			return false;
		/* What was SACKed before may make a loss of what is now first. */
		detect_loss(c, s, newly, false, now);
	} else if (s->ack == c->snd_una) {
		detect_loss(c, s, newly, !changed, now);
	}
	if (s->flags & TCP_ECE && c->flags & TCP_F_ECN)
		input_ece(c, now);
	tcp_dirty(c);
	return true;
}
