/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <rte_tcp.h>

#include "conn.h"
#include "strake_account.h"

STRAKE_STEP(input_step, STRAKE_AT_TRANSPORT_IN, "TCP: in")

/* Segment arrives: RFC 9293, 3.10.7. The order of the checks is the RFC's; RFC 5961 tightens the second and fourth. */

/* Header and options. On success the mbuf's data begins at the payload. */
static bool
parse(struct tcp *tcp, struct tcp_seg *s, struct rte_mbuf *m)
{
	const struct rte_tcp_hdr *th = rte_pktmbuf_mtod(m, const struct rte_tcp_hdr *);
	uint32_t hlen;

	for (struct rte_mbuf *seg = m; seg != NULL; seg = seg->next)
		port_pkt(seg)->owner = NULL;
	s->m = m;
	s->pkt = port_pkt(m);
	if (unlikely(m->data_len < TCP_HDR_MIN))
		goto malformed;
	hlen = (uint32_t)(th->data_off >> 4) * 4;
	if (unlikely(hlen < TCP_HDR_MIN || hlen > m->data_len))
		goto malformed;
	s->lport = th->dst_port;
	s->rport = th->src_port;
	s->seq = rte_be_to_cpu_32(th->sent_seq);
	s->ack = rte_be_to_cpu_32(th->recv_ack);
	s->wnd = rte_be_to_cpu_16(th->rx_win);
	s->flags = th->tcp_flags;
	s->len = m->pkt_len - hlen;
	if (unlikely(!tcp_option_parse(&s->opt, (const uint8_t *)(th + 1), hlen - TCP_HDR_MIN)))
		goto malformed;
	rte_pktmbuf_adj(m, (uint16_t)hlen);
	return true;

malformed:
	tcp->n.rx_malformed++;
	return false;
}

void
tcp_challenge(struct tcp_conn *c, uint64_t now)
{
	if (c->challenge_at != 0 && now - c->challenge_at < TCP_CHALLENGE_NS)
		return;
	c->challenge_at = now;
	c->tcp->n.challenges++;
	tcp_ack_now(c);
}

/* RFC 7323, 5.3: R1. A timestamp kept for 24 days says nothing any more (5.5). */
static bool
check_timestamp(struct tcp_conn *c, const struct tcp_seg *s, uint64_t now)
{
	if (!(c->flags & TCP_F_TS) || s->flags & TCP_RST)
		return true;
	if (!(s->opt.has & TCP_HAS_TS)) {
		c->tcp->n.rx_paws++;
		return false;
	}
	if (seq_lt(s->opt.tsval, c->ts_recent) && now - c->ts_recent_at < 24ULL * 86400 * STRAKE_NS_PER_SEC) {
		c->tcp->n.rx_paws++;
		tcp_challenge(c, now);
		return false;
	}
	return true;
}

/* R3, for segments within the window only: else anyone could leave a timestamp here that shuts the peer out. */
static void
take_timestamp(struct tcp_conn *c, const struct tcp_seg *s, uint64_t now)
{
	if (c->flags & TCP_F_TS && !(s->flags & TCP_RST) && seq_le(s->seq, c->rcv_acked)) {
		c->ts_recent = s->opt.tsval;
		c->ts_recent_at = now;
	}
}

/* First: is the segment within the window? The table of RFC 9293, 3.4. */
static bool
check_sequence(struct tcp_conn *c, const struct tcp_seg *s, uint64_t now)
{
	/* What a reset carries is words for people: it is heard also where nothing is taken (RFC 9293, MUST-66). */
	uint32_t len = s->flags & TCP_RST ? 0 : s->len + !!(s->flags & TCP_FIN);
	uint32_t wnd = c->rcv_adv - c->rcv_nxt;
	bool ok;

	if (len == 0)
		ok = wnd == 0 ? s->seq == c->rcv_nxt : s->seq - c->rcv_nxt <= wnd;
	else
		ok = seq_lt(s->seq, c->rcv_adv) && seq_gt(s->seq + len, c->rcv_nxt);
	if (ok)
		return true;
	if (s->flags & TCP_RST)
		return false;
	if (len > 0) {
		/* Sent again because our ACK was lost, or a probe of a closed window: it must have its answer. Its
		 * own ACK field may be news all the same, when both sides are full. */
		if (seq_le(s->seq + len, c->rcv_nxt))
			c->tcp->n.rx_duplicate++;
		else
			c->tcp->n.rx_outside++;
		if (s->flags & TCP_FIN && c->state == TCP_TIME_WAIT)
			tcp_conn_time_wait(c, now);
		tcp_ack_now(c);
		return s->flags & TCP_ACK && !(s->flags & TCP_SYN) && wnd == 0 && s->seq == c->rcv_nxt;
	}
	c->tcp->n.rx_outside++;
	tcp_challenge(c, now);
	return false;
}

/* Second: RST. Only one exactly at the edge ends the connection (RFC 5961, 3.2). */
static void
input_reset(struct tcp_conn *c, const struct tcp_seg *s, uint64_t now)
{
	if (s->seq != c->rcv_nxt) {
		tcp_challenge(c, now);
		return;
	}
	if (c->state == TCP_TIME_WAIT)
		return; /* RFC 1337 */
	c->tcp->n.resets++;
	tcp_conn_close(c, c->state == TCP_SYN_RCVD ? -ECONNREFUSED : -ECONNRESET);
}

/* Fourth: SYN on a synchronised connection, whatever its number (RFC 5961, 4.2). In SYN_RCVD it is the peer's, again;
 * where both opened at once its answer to ours may be all that comes (RFC 9293, 3.5): an answer to that would be
 * answered likewise, without end. @return true: go on with what follows the SYN. */
static bool
input_syn(struct tcp_conn *c, struct tcp_seg *s, uint64_t now)
{
	if (c->state != TCP_SYN_RCVD || s->seq != c->irs) {
		tcp_challenge(c, now);
		return false;
	}
	if (s->flags & TCP_ACK && !(c->flags & TCP_F_PASSIVE)) {
		s->seq++;
		s->flags &= (uint8_t)~TCP_SYN;
		tcp_ack_now(c);
		return true;
	}
	c->flags |= TCP_F_SYN_DUE;
	tcp_dirty(c);
	return false;
}

static void
input_ecn(struct tcp_conn *c, const struct tcp_seg *s)
{
	if (s->flags & TCP_CWR)
		c->flags &= ~TCP_F_ECE;
	if ((s->pkt->tos & TCP_ECN_MASK) == TCP_ECN_CE && s->len > 0) {
		c->flags |= TCP_F_ECE;
		tcp_ack_now(c);
	}
}

static inline void
heard(struct tcp_conn *c, const struct tcp_seg *s, uint64_t now)
{
	c->heard_at = now;
	c->probes = 0;
	c->stream.tos = s->pkt->tos;
	c->stream.pcp = s->pkt->pcp;
}

static void
input_synchronised(struct tcp_conn *c, struct tcp_seg *s, uint64_t now)
{
	if (s->flags & TCP_SYN && !(s->flags & TCP_RST) && !input_syn(c, s, now))
		return;
	if (!check_timestamp(c, s, now) || !check_sequence(c, s, now))
		return;
	take_timestamp(c, s, now);
	if (s->flags & TCP_RST) {
		input_reset(c, s, now);
		return;
	}
	if (!(s->flags & TCP_ACK))
		return;
	heard(c, s, now);
	if (c->flags & TCP_F_ECN)
		input_ecn(c, s);
	if (c->state == TCP_TIME_WAIT) {
		if (s->flags & TCP_FIN) {
			tcp_conn_time_wait(c, now);
			tcp_ack_now(c);
		}
		return;
	}
	if (!tcp_input_ack(c, s, now))
		return;
	if (s->len > 0 || s->flags & TCP_FIN)
		tcp_input_data(c, s, now);
}

/* Header prediction: in order, nothing special in the header, nothing unusual going on in the connection. */
static inline bool
predicted(const struct tcp_conn *c, const struct tcp_seg *s)
{
	const uint32_t unusual = TCP_F_RECOVERY | TCP_F_LOSS | TCP_F_ECN | TCP_F_FIN_SEEN;

	if (c->state != TCP_ESTABLISHED || (s->flags & ~TCP_PSH) != TCP_ACK || s->seq != c->rcv_nxt ||
	    c->flags & unusual || c->reasm->n != 0 || c->board->n != 0 || s->opt.n_sack != 0)
		return false;
	if (c->flags & TCP_F_TS && (!(s->opt.has & TCP_HAS_TS) || seq_lt(s->opt.tsval, c->ts_recent)))
		return false;
	/* A pure duplicate ACK counts for loss detection. */
	if (seq_lt(s->ack, c->snd_una) || seq_gt(s->ack, c->snd_max) || (s->len == 0 && s->ack == c->snd_una))
		return false;
	return s->len <= c->rcv_adv - c->rcv_nxt && c->snd_wnd != 0;
}

static void
input_fast(struct tcp_conn *c, struct tcp_seg *s, uint64_t now)
{
	uint32_t wnd = (uint32_t)s->wnd << c->snd_shift;

	c->tcp->n.rx_fast++;
	heard(c, s, now);
	if (c->flags & TCP_F_TS && seq_le(s->seq, c->rcv_acked)) {
		c->ts_recent = s->opt.tsval;
		c->ts_recent_at = now;
	}
	if (wnd != c->snd_wnd) {
		c->snd_wnd = wnd;
		if (wnd > c->max_wnd)
			c->max_wnd = wnd;
	}
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
	if (s->ack != c->snd_una)
		tcp_ack_advance(c, s->ack, now);
	if (c->snd_nxt != c->q.end || c->flags & TCP_F_CLOSE)
		tcp_dirty(c);
	if (s->len > 0)
		tcp_input_in_order(c, s, 0, s->len);
}

static void
input(struct tcp *tcp, struct tcp_seg *s, uint64_t now)
{
	struct tcp_conn *c;
	struct tcp_key key;

	tcp_key_init(&key, &s->pkt->dst, s->lport, &s->pkt->src, s->rport);
	c = tcp_conn_find(tcp, &key);
	if (likely(c != NULL && predicted(c, s))) {
		input_fast(c, s, now);
		return;
	}
	if (c != NULL && c->state == TCP_TIME_WAIT && (s->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
		if (!tcp_input_time_wait_syn(c, s, now))
			return;
		c = NULL;
	}
	if (c == NULL)
		tcp_input_listen(tcp, s, &key, now);
	else if (c->state == TCP_SYN_SENT)
		tcp_input_syn_sent(c, s, now);
	else
		input_synchronised(c, s, now);
}

void
tcp_input_cookie(struct tcp_conn *c, struct tcp_seg *s, uint64_t now)
{
	input_synchronised(c, s, now);
}

void
tcp_rx(void *user, struct rte_mbuf **m, uint16_t n)
{
	uint8_t before = strake_account_enter(&input_step);
	struct tcp *tcp = user;
	uint64_t now = strake_now();
	struct tcp_seg s;

	tcp->n.rx_segments += n;
	for (uint16_t i = 0; i < n; i++) {
		if (i + 1 < n) {
			rte_prefetch0(rte_pktmbuf_mtod(m[i + 1], void *));
			rte_prefetch0(port_pkt(m[i + 1]));
		}
		if (likely(parse(tcp, &s, m[i])))
			input(tcp, &s, now);
		if (s.m != NULL)
			tcp_seg_free(&s);
	}
	tcp_events_run(tcp);
	strake_account_leave(before);
}
