/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>

#include "conn.h"

/* One timer to a connection, set for the earliest of its deadlines or earlier. Moving a deadline later is a store: the
 * timer finds out when it fires. */

void
tcp_timer_set(struct tcp_conn *c, enum tcp_due which, uint64_t due)
{
	c->due[which] = due;
	if (!strake_timer_armed(&c->timer) || due < c->timer.due)
		strake_timer_arm(&c->timer, due);
}

/* RFC 8985, 7.2: twice the round trip; a lone segment may be acknowledged late. */
static uint64_t
probe_time(const struct tcp_conn *c)
{
	uint64_t pto = 2 * c->rtt.srtt + 2 * STRAKE_NS_PER_MS;

	if (c->snd_max - c->snd_una <= c->mss)
		pto += 200 * STRAKE_NS_PER_MS;
	return pto;
}

static bool
may_probe(const struct tcp_conn *c)
{
	return c->flags & TCP_F_SACK && c->backoff == 0 && c->rtt.srtt != 0 &&
	       !(c->flags & (TCP_F_RECOVERY | TCP_F_LOSS | TCP_F_TLP_OUT));
}

void
tcp_timer_rxt(struct tcp_conn *c, uint64_t now)
{
	uint64_t wait = tcp_rtt_backoff(&c->rtt, c->backoff);

	c->flags &= ~TCP_F_TLP;
	if (c->state < TCP_ESTABLISHED)
		return;
	if (c->snd_una == c->snd_max) {
		/* Nothing out. What is queued then waits for the window: probe it. */
		if (seq_ge(c->snd_nxt, c->q.end) && !(c->flags & TCP_F_CLOSE && !(c->flags & TCP_F_FIN_SENT)))
			c->due[TCP_DUE_RXT] = 0;
		else
			tcp_timer_set(c, TCP_DUE_RXT, now + wait);
		return;
	}
	if (may_probe(c) && probe_time(c) < wait) {
		c->flags |= TCP_F_TLP;
		wait = probe_time(c);
	}
	tcp_timer_set(c, TCP_DUE_RXT, now + wait);
}

void
tcp_timer_sent(struct tcp_conn *c, bool fresh, uint64_t now)
{
	/* New data moves the probe (RFC 8985, 7.2), but not the retransmission timeout (RFC 6298, 5.1). */
	if (c->due[TCP_DUE_RXT] == 0 || (fresh && may_probe(c)))
		tcp_timer_rxt(c, now);
}

void
tcp_rewind(struct tcp_conn *c)
{
	c->snd_nxt = c->snd_una;
	c->flags &= ~(TCP_F_TIMING | TCP_F_RXT_DUE | TCP_F_RECOVERY);
	c->dupacks = 0;
	tcp_dirty(c);
}

static void
give_up(struct tcp_conn *c)
{
	c->tcp->n.expired++;
	tcp_abort(c, -ETIMEDOUT);
}

static void
syn_timeout(struct tcp_conn *c, uint64_t now)
{
	if (c->backoff >= TCP_SYN_RETRIES) {
		c->tcp->n.expired++;
		tcp_conn_close(c, -ETIMEDOUT);
		return;
	}
	c->backoff++;
	c->n_timeouts++;
	c->flags |= TCP_F_SYN_DUE;
	tcp_dirty(c);
	tcp_timer_set(c, TCP_DUE_RXT, now + tcp_rtt_backoff(&c->rtt, c->backoff));
}

/* Tail loss probe (RFC 8985, 7.3): the last segment again, so that its SACK shows what is missing before it. */
static void
tail_probe(struct tcp_conn *c, uint64_t now)
{
	uint32_t len = RTE_MIN(c->snd_max - c->snd_una, tcp_payload_max(c));
	uint32_t seq = c->snd_max - len;

	if (seq_gt(c->snd_max, c->snd_una + c->snd_wnd))
		seq = c->snd_una; /* the window shrank */
	c->flags &= ~TCP_F_TLP;
	c->flags |= TCP_F_TLP_OUT;
	c->tcp->n.tail_probes++;
	if (seq_le(c->snd_una, c->q.end))
		tcp_retransmit(c, seq_min(seq, c->q.end), len, now);
	tcp_timer_set(c, TCP_DUE_RXT, now + c->rtt.rto);
}

static void
window_probe(struct tcp_conn *c, uint64_t now)
{
	/* One number before the window: the peer must answer with where it stands (RFC 9293, 3.8.6.1). */
	tcp_send_bare(c, c->snd_una - 1, TCP_ACK, now);
	c->tcp->n.tx_probes++;
	c->n_probes++;
}

static void
loss_timeout(struct tcp_conn *c, uint64_t now)
{
	uint64_t since = c->snd_wnd == 0 ? c->heard_at : c->una_at;

	if (now - since > TCP_GIVE_UP_NS) {
		give_up(c);
		return;
	}
	c->n_timeouts++;
	c->tcp->n.timeouts++;
	if (c->backoff == 0)
		c->tcp->cc->timeout(&c->cc, c->snd_max - c->snd_una, now);
	c->cc.cwnd = c->mss;
	c->flags |= TCP_F_LOSS | TCP_F_CWR;
	c->recover = c->snd_max;
	/* The first byte SACKed but not acknowledged: the peer has thrown away what it held (RFC 2018, 8). */
	if (c->board->n > 0 && c->board->r[0].start == c->snd_una) {
		c->board->n = 0;
		tcp_trouble_done(c);
	}
	tcp_rewind(c);
	if (c->snd_wnd == 0)
		window_probe(c, now);
}

static void
rxt_timeout(struct tcp_conn *c, uint64_t now)
{
	if (c->state < TCP_ESTABLISHED) {
		syn_timeout(c, now);
		return;
	}
	if (c->flags & TCP_F_TLP) {
		tail_probe(c, now);
		return;
	}
	if (c->snd_una != c->snd_max) {
		loss_timeout(c, now);
	} else if (c->snd_wnd > 0) {
		c->flags |= TCP_F_FORCE;
		tcp_dirty(c);
	} else if (now - c->heard_at > TCP_GIVE_UP_NS) {
		give_up(c);
	} else {
		window_probe(c, now);
	}
	if (c->state == TCP_CLOSED)
		return;
	if (c->backoff < UINT8_MAX)
		c->backoff++;
	tcp_timer_set(c, TCP_DUE_RXT, now + tcp_rtt_backoff(&c->rtt, c->backoff));
}

static void
life_timeout(struct tcp_conn *c, uint64_t now)
{
	uint64_t every = c->tcp->conf.keepalive_ns;

	if (c->state == TCP_TIME_WAIT) {
		tcp_conn_close(c, 0);
		return;
	}
	if (c->state == TCP_FIN_WAIT_2)
		every = RTE_MIN(every, (uint64_t)TCP_FIN_WAIT_2_NS);
	if (now - c->heard_at < every) {
		tcp_timer_set(c, TCP_DUE_LIFE, c->heard_at + every);
		return;
	}
	if (c->state == TCP_FIN_WAIT_2 || c->probes >= TCP_KEEPALIVE_TRIES) {
		give_up(c);
		return;
	}
	c->probes++;
	window_probe(c, now);
	tcp_timer_set(c, TCP_DUE_LIFE, now + RTE_MAX(every / 12, STRAKE_NS_PER_SEC));
}

void
tcp_timer_fire(struct strake_timer *t, uint64_t now)
{
	struct tcp_conn *c = (struct tcp_conn *)((char *)t - offsetof(struct tcp_conn, timer));
	uint64_t first = UINT64_MAX;

	if (c->due[TCP_DUE_ACK] != 0 && c->due[TCP_DUE_ACK] <= now) {
		c->due[TCP_DUE_ACK] = 0;
		if (c->flags & TCP_F_ACK_LATER)
			tcp_ack_now(c);
	}
	if (c->due[TCP_DUE_RXT] != 0 && c->due[TCP_DUE_RXT] <= now) {
		c->due[TCP_DUE_RXT] = 0;
		rxt_timeout(c, now);
	}
	if (c->due[TCP_DUE_LIFE] != 0 && c->due[TCP_DUE_LIFE] <= now) {
		c->due[TCP_DUE_LIFE] = 0;
		life_timeout(c, now);
	}
	for (int i = 0; i < TCP_DUE_COUNT; i++)
		if (c->due[i] != 0 && c->due[i] < first)
			first = c->due[i];
	if (first != UINT64_MAX && (!strake_timer_armed(&c->timer) || first < c->timer.due))
		strake_timer_arm(&c->timer, first);
}
