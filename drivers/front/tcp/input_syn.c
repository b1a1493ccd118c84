/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <string.h>

#include "conn.h"

/* The handshake: RFC 9293 3.10.7.2 (LISTEN), 3.10.7.3 (SYN-SENT), and what TIME_WAIT says to a SYN. */

static void
half_open_begin(struct tcp_conn *c, struct tcp_listener *l)
{
	c->listener = l;
	l->refs++;
	c->flags |= TCP_F_HALF_OPEN;
	c->tcp->half_open++;
}

void
tcp_half_open_done(struct tcp_conn *c)
{
	if (c->flags & TCP_F_HALF_OPEN) {
		c->flags &= ~TCP_F_HALF_OPEN;
		c->tcp->half_open--;
	}
	if (c->listener != NULL)
		tcp_listener_put(c->listener);
	c->listener = NULL;
}

static void
take_syn(struct tcp_conn *c, const struct tcp_seg *s, uint64_t now)
{
	c->irs = s->seq;
	c->rcv_nxt = s->seq + 1;
	c->rcv_adv = c->rcv_nxt;
	c->rcv_acked = c->rcv_nxt;
	c->snd_wnd = s->wnd; /* never scaled in a SYN */
	c->max_wnd = s->wnd;
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
	tcp_conn_options(c, &s->opt, now);
}

static void
set_iss(struct tcp_conn *c, uint32_t iss)
{
	c->iss = iss;
	c->snd_una = iss;
	c->snd_nxt = iss;
	c->snd_max = iss;
	tcp_sndq_init(&c->q, iss + 1);
}

void
tcp_conn_passive(struct tcp_conn *c, const struct tcp_seg *s, struct tcp_listener *l, uint32_t iss, uint64_t now)
{
	c->state = TCP_SYN_RCVD;
	c->flags |= TCP_F_PASSIVE;
	set_iss(c, iss);
	take_syn(c, s, now);
	half_open_begin(c, l);
}

void
tcp_conn_active(struct tcp_conn *c, uint64_t now)
{
	c->state = TCP_SYN_SENT;
	set_iss(c, tcp_isn(c->tcp, &c->key, now));
	c->flags |= TCP_F_SYN_DUE | TCP_F_USER;
	tcp_dirty(c);
}

static bool
admitted(struct tcp *tcp, const struct tcp_seg *s)
{
	const struct tcp_conf *conf = &tcp->conf;

	if (conf->admit == NULL || conf->admit(conf->admit_arg, s->pkt, rte_be_to_cpu_16(s->lport)))
		return true;
	tcp->n.denied++;
	return false;
}

/* Nobody here has this port: the host's kernel may, and who may connect to it is not ours to say. */
static bool
foreign(struct tcp *tcp, struct tcp_seg *s)
{
	if (tcp->ifp->ops->foreign == NULL || !tcp->ifp->ops->foreign(tcp->ifp, s->m))
		return false;
	s->m = NULL;
	return true;
}

void
tcp_input_listen(struct tcp *tcp, struct tcp_seg *s, const struct tcp_key *key, uint64_t now)
{
	struct tcp_listener *l = tcp_listener_find(tcp, &s->pkt->dst, s->lport);
	struct tcp_conn *c = NULL;

	if ((l == NULL && foreign(tcp, s)) || s->flags & TCP_RST)
		return;
	if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && !admitted(tcp, s))
		return;
	if (l != NULL && (s->flags & (TCP_ACK | TCP_SYN)) == TCP_ACK) {
		c = tcp_cookie_open(tcp, s, key, now);
		/* Asked again: 24 bits can be guessed by one whose SYN never had an answer. */
		if (c != NULL && !admitted(tcp, s)) {
			tcp_conn_close(c, -ECONNREFUSED);
			return;
		}
		if (c != NULL) {
			tcp_input_cookie(c, s, now);
			return;
		}
	}
	if (l == NULL || s->flags & TCP_ACK) {
		tcp->n.rx_no_conn++;
		tcp_reply_reset(tcp, s);
		return;
	}
	if ((s->flags & (TCP_SYN | TCP_FIN)) != TCP_SYN)
		return;
	if (tcp->half_open < tcp->half_open_max)
		c = tcp_conn_open(tcp, key);
	if (c == NULL) {
		tcp_cookie_send(tcp, s, key, now);
		return;
	}
	/* Payload of a SYN is not kept; the peer sends it again. */
	tcp_conn_passive(c, s, l, tcp_isn(tcp, key, now), now);
	if ((s->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR))
		c->flags |= TCP_F_ECN;
	c->flags |= TCP_F_SYN_DUE;
	tcp_dirty(c);
}

static void
syn_sent_done(struct tcp_conn *c, const struct tcp_seg *s, uint64_t now)
{
	c->snd_una = s->ack;
	if (c->flags & TCP_F_TIMING) {
		c->flags &= ~TCP_F_TIMING;
		tcp_rtt_sample(&c->rtt, now - c->rtt_at);
	}
	if ((s->flags & (TCP_ECE | TCP_CWR)) == TCP_ECE && c->n_timeouts == 0)
		c->flags |= TCP_F_ECN;
	c->due[TCP_DUE_RXT] = 0;
	tcp_conn_established(c, now);
	c->tcp->n.connected++;
	tcp_event(c, TCP_EV_CONNECTED);
	tcp_ack_now(c);
}

void
tcp_input_syn_sent(struct tcp_conn *c, struct tcp_seg *s, uint64_t now)
{
	bool acks = s->flags & TCP_ACK;

	if (acks && (seq_le(s->ack, c->iss) || seq_gt(s->ack, c->snd_max))) {
		tcp_reply_reset(c->tcp, s);
		return;
	}
	if (s->flags & TCP_RST) {
		if (acks)
			tcp_conn_close(c, -ECONNREFUSED);
		return;
	}
	if (!(s->flags & TCP_SYN))
		return;
	take_syn(c, s, now);
	if (acks) {
		syn_sent_done(c, s, now);
		return;
	}
	/* Both opened at once: answer with a SYN-ACK of the same number. */
	c->state = TCP_SYN_RCVD;
	c->flags |= TCP_F_SYN_DUE;
	tcp_dirty(c);
}

bool
tcp_input_time_wait_syn(struct tcp_conn *c, const struct tcp_seg *s, uint64_t now)
{
	bool newer = seq_gt(s->seq, c->rcv_nxt);

	/* Within one tick of the peer's clock only the number tells. */
	if (c->flags & TCP_F_TS && s->opt.has & TCP_HAS_TS && s->opt.tsval != c->ts_recent)
		newer = seq_gt(s->opt.tsval, c->ts_recent);
	if (!newer) {
		tcp_challenge(c, now);
		return false;
	}
	c->tcp->n.time_wait_reused++;
	tcp_conn_close(c, 0);
	return true;
}

bool
tcp_accept(struct tcp_conn *c, uint64_t now)
{
	struct tcp_listener *l = c->listener;
	int ret = -ECONNREFUSED;

	c->flags |= TCP_F_USER;
	if (!l->gone)
		ret = l->accept(&c->stream, l->arg);
	if (c->state == TCP_CLOSED)
		return false; /* aborted by who accepted it */
	tcp_half_open_done(c);
	if (ret < 0) {
		c->flags &= ~TCP_F_USER;
		c->tcp->n.refused++;
		tcp_abort(c, -ECONNABORTED);
		return false;
	}
	c->tcp->n.accepted++;
	tcp_dirty(c);
	(void)now;
	return true;
}
