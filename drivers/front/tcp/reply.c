/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include <rte_tcp.h>

#include "conn.h"

/* Segments that belong to no connection, or to the handshake. */

static struct rte_mbuf *
build(struct tcp *tcp, uint16_t lport, uint16_t rport, uint32_t seq, uint32_t ack, uint8_t flags, uint16_t wnd,
      const struct tcp_options *opt)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(tcp->ifp->pool);
	struct rte_tcp_hdr *th;
	unsigned int hlen = TCP_HDR_MIN;

	if (m == NULL) {
		tcp->n.tx_no_mbuf++;
		return NULL;
	}
	th = rte_pktmbuf_mtod(m, struct rte_tcp_hdr *);
	if (opt != NULL)
		hlen += tcp_option_build((uint8_t *)(th + 1), opt);
	th->src_port = lport;
	th->dst_port = rport;
	th->sent_seq = rte_cpu_to_be_32(seq);
	th->recv_ack = rte_cpu_to_be_32(ack);
	th->data_off = (uint8_t)(hlen << 2);
	th->tcp_flags = flags;
	th->rx_win = rte_cpu_to_be_16(wnd);
	th->cksum = 0;
	th->tcp_urp = 0;
	m->data_len = (uint16_t)hlen;
	m->pkt_len = hlen;
	m->l4_len = hlen;
	return m;
}

static bool
emit(struct tcp *tcp, struct port_dst *dst, struct rte_mbuf *m)
{
	if (tcp->ifp->ops->send(dst, m, 0) < 0) {
		tcp->n.tx_dropped++;
		return false;
	}
	tcp->n.tx_segments++;
	return true;
}

void
tcp_reply(struct tcp *tcp, const struct tcp_seg *s, uint32_t seq, uint32_t ack, uint8_t flags, uint16_t wnd,
	  const struct tcp_options *opt)
{
	struct port_dst *dst = tcp->ifp->ops->route(tcp->ifp, &s->pkt->dst, &s->pkt->src);
	struct rte_mbuf *m;

	if (dst == NULL)
		return;
	m = build(tcp, s->lport, s->rport, seq, ack, flags, wnd, opt);
	if (m != NULL)
		emit(tcp, dst, m);
	tcp->ifp->ops->unroute(dst);
}

void
tcp_reply_reset(struct tcp *tcp, const struct tcp_seg *s)
{
	uint32_t len = s->len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);

	if (s->flags & TCP_RST)
		return;
	tcp->n.tx_resets++;
	if (s->flags & TCP_ACK)
		tcp_reply(tcp, s, s->ack, 0, TCP_RST, 0, NULL);
	else
		tcp_reply(tcp, s, 0, s->seq + len, TCP_RST | TCP_ACK, 0, NULL);
}

/*
 * Last words. A peer takes an RST only at the very number it expects next (RFC 5961, 3.2), and takes it from any of its
 * devices: a connection is its addresses and ports. What it expects is not known while it is silent: it is at least
 * what it has acknowledged, and that is it where nothing was under way; at most what was sent.
 */

struct words {
	struct tcp_key key;
	uint32_t acked, sent;
};
static_assert(sizeof(struct words) == sizeof(((struct strake_stream_words *)NULL)->w), "words fit, without padding");

void
tcp_last_words(const struct strake_stream *s, struct strake_stream_words *out)
{
	const struct tcp_conn *c = (const struct tcp_conn *)((const char *)s - offsetof(struct tcp_conn, stream));
	const struct words words = {.key = c->key, .acked = c->snd_una, .sent = c->snd_max};

	out->ops = s->ops;
	memcpy(out->w, &words, sizeof(words));
}

static void
reset_by(struct tcp_conn *by, const struct tcp_key *key, uint32_t seq)
{
	struct tcp *tcp = by->tcp;
	struct port_addr local = {.family = (uint8_t)key->family}, remote = local;
	struct rte_mbuf *m = build(tcp, key->lport, key->rport, seq, 0, TCP_RST, 0, NULL);

	if (m == NULL)
		return;
	memcpy(local.b, key->local, sizeof(local.b));
	memcpy(remote.b, key->remote, sizeof(remote.b));
	if (tcp->ifp->ops->send_as(by->dst, &local, &remote, m) < 0)
		tcp->n.tx_dropped++;
	else
		tcp->n.tx_told++;
}

void
tcp_tell(struct strake_stream *s, const struct strake_stream_words *w)
{
	struct tcp_conn *by = tcp_conn_of(s);
	struct words words;

	if (by->state == TCP_CLOSED || by->tcp->ifp->ops->send_as == NULL)
		return;
	memcpy(&words, w->w, sizeof(words));
	reset_by(by, &words.key, words.acked);
	if (words.sent != words.acked)
		reset_by(by, &words.key, words.sent);
}

/* A SYN, or in SYN_RCVD a SYN-ACK. An active open offers everything; the answer takes only what was offered. */
bool
tcp_send_syn(struct tcp_conn *c, uint64_t now)
{
	bool answer = c->state == TCP_SYN_RCVD;
	uint32_t wnd = RTE_MIN(c->tcp->conf.rcvbuf, (uint32_t)UINT16_MAX);
	struct tcp_options o = {.has = TCP_HAS_MSS, .mss = tcp_mss_local(c->tcp, c->key.family)};
	uint8_t flags = answer ? TCP_SYN | TCP_ACK : TCP_SYN;
	struct rte_mbuf *m;

	if (!answer || c->flags & TCP_F_WSCALE)
		o.has |= TCP_HAS_WSCALE;
	if (!answer || c->flags & TCP_F_SACK)
		o.has |= TCP_HAS_SACK_PERM;
	if (!answer || c->flags & TCP_F_TS)
		o.has |= TCP_HAS_TS;
	o.wscale = c->rcv_shift;
	o.tsval = tcp_ts_now(c, now);
	o.tsecr = c->ts_recent;
	/* RFC 3168, 6.1.1; a SYN sent again does without, for the sake of middleboxes that drop it. */
	if (!answer && c->backoff == 0)
		flags |= TCP_ECE | TCP_CWR;
	else if (answer && c->flags & TCP_F_ECN)
		flags |= TCP_ECE;
	m = build(c->tcp, c->key.lport, c->key.rport, c->iss, answer ? c->rcv_nxt : 0, flags, (uint16_t)wnd, &o);
	if (m == NULL || !emit(c->tcp, c->dst, m))
		return false;
	c->sent_at = now;
	if (answer) {
		c->rcv_acked = c->rcv_nxt;
		c->rcv_adv = c->rcv_nxt + wnd;
	}
	return true;
}
