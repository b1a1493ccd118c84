/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include "conn.h"

/* SYN cookies (RFC 4987, 3.6): when no more half-open connections are kept, what one would remember goes into the
 * initial sequence number: 5 bits of time, 3 of segment size, 24 of a keyed hash over all of it. The options that do
 * not fit there ride in the low bits of our timestamp, which the peer echoes. */

#define TICK_NS	  (64 * STRAKE_NS_PER_SEC)

#define TS_BITS	  6
#define TS_SACK	  0x10
#define TS_ECN	  0x20
#define TS_SHIFT  0x0f
#define NO_WSCALE 0x0f

static const uint16_t mss_table[8] = {TCP_MSS_MIN, 536, 1220, 1440, 1460, 4036, 8940, 8960};

static uint32_t
cookie(const struct tcp *tcp, const struct tcp_key *key, uint32_t irs, uint32_t tick, uint32_t mss)
{
	uint64_t w[7];

	memcpy(w, key, sizeof(*key));
	w[5] = (uint64_t)irs << 32 | tick;
	w[6] = mss;
	return (tick & 31) << 27 | mss << 24 | (uint32_t)(tcp_prf(&tcp->secret, w, 7) & 0xffffff);
}

void
tcp_cookie_send(struct tcp *tcp, const struct tcp_seg *s, const struct tcp_key *key, uint64_t now)
{
	struct tcp_options o = {.has = TCP_HAS_MSS, .mss = tcp_mss_local(tcp, key->family)};
	uint32_t tick = (uint32_t)(now / TICK_NS);
	uint32_t mss = 7, ts = (uint32_t)(now / STRAKE_NS_PER_MS) + tcp_ts_offset(tcp, key), bits;
	bool ecn = (s->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);

	while (mss > 0 && mss_table[mss] > (s->opt.has & TCP_HAS_MSS ? s->opt.mss : TCP_MSS_DEFAULT4))
		mss--;
	if (s->opt.has & TCP_HAS_TS) {
		bits = s->opt.has & TCP_HAS_WSCALE ? s->opt.wscale : NO_WSCALE;
		if (s->opt.has & TCP_HAS_SACK_PERM)
			bits |= TS_SACK;
		if (ecn)
			bits |= TS_ECN;
		/* Not later than the clock, so that it never seems to go back. */
		bits |= ts & ~((1u << TS_BITS) - 1);
		o.tsval = seq_gt(bits, ts) ? bits - (1u << TS_BITS) : bits;
		o.tsecr = s->opt.tsval;
		o.has |= s->opt.has & (TCP_HAS_TS | TCP_HAS_WSCALE | TCP_HAS_SACK_PERM);
		o.wscale = tcp->rcv_shift;
	}
	tcp->n.cookies_sent++;
	tcp->cookie_at = now;
	tcp_reply(tcp, s, cookie(tcp, key, s->seq, tick, mss), s->seq + 1,
		  ecn && s->opt.has & TCP_HAS_TS ? TCP_SYN | TCP_ACK | TCP_ECE : TCP_SYN | TCP_ACK,
		  (uint16_t)RTE_MIN(tcp->conf.rcvbuf, (uint32_t)UINT16_MAX), &o);
}

/* The SYN as it must have been. */
static struct tcp_seg
rebuild(const struct tcp_seg *s, uint32_t mss)
{
	struct tcp_seg syn = {.seq = s->seq - 1, .wnd = s->wnd};

	syn.opt.has = TCP_HAS_MSS;
	syn.opt.mss = mss_table[mss];
	if (s->opt.has & TCP_HAS_TS) {
		uint32_t bits = s->opt.tsecr;

		syn.opt.has |= TCP_HAS_TS;
		syn.opt.tsval = s->opt.tsval;
		if ((bits & TS_SHIFT) != NO_WSCALE) {
			syn.opt.has |= TCP_HAS_WSCALE;
			syn.opt.wscale = bits & TS_SHIFT;
		}
		if (bits & TS_SACK)
			syn.opt.has |= TCP_HAS_SACK_PERM;
		if (bits & TS_ECN)
			syn.flags |= TCP_ECE;
	}
	return syn;
}

struct tcp_conn *
tcp_cookie_open(struct tcp *tcp, const struct tcp_seg *s, const struct tcp_key *key, uint64_t now)
{
	uint32_t tick = (uint32_t)(now / TICK_NS), iss = s->ack - 1, mss = iss >> 24 & 7;
	struct tcp_listener *l = tcp_listener_find(tcp, &s->pkt->dst, s->lport);
	struct tcp_seg syn;
	struct tcp_conn *c;

	/* None is out that could come back valid. */
	if (tcp->cookie_at == 0 || now - tcp->cookie_at > 2 * TICK_NS)
		return NULL;
	tick -= (tick - (iss >> 27)) & 31;
	if (now / TICK_NS - tick > 1 || cookie(tcp, key, s->seq - 1, tick, mss) != iss) {
		tcp->n.cookies_bad++;
		return NULL;
	}
	c = tcp_conn_open(tcp, key);
	if (c == NULL) {
		tcp->n.refused++;
		return NULL;
	}
	tcp->n.cookies_good++;
	syn = rebuild(s, mss);
	tcp_conn_passive(c, &syn, l, iss, now);
	if (syn.flags & TCP_ECE)
		c->flags |= TCP_F_ECN;
	c->snd_nxt = iss + 1;
	c->snd_max = iss + 1;
	c->rcv_adv = c->rcv_nxt + RTE_MIN(tcp->conf.rcvbuf, (uint32_t)UINT16_MAX);
	return c;
}
