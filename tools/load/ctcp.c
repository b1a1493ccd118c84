/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "csum.h"
#include "ctcp.h"
#include "ticks.h"

#define SEGS	   1024u /* sent and not acknowledged, at most; a power of two */
#define OOO_MAX	   64
#define SCALE	   8
#define WINDOW_MAX (8u << 20)
#define RTO_NS	   20000000ull /* the round trip is microseconds; a busy machine may stall either side for longer */
#define TRIES	   12
#define L4_OFF	   (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr))

enum state { SYN_SENT, ESTABLISHED, ENDED };

struct seg {
	struct rte_mbuf *m;
	uint32_t seq, len;
};

struct ctcp {
	struct xport x;
	struct net *net;
	enum state state;
	int err;
	uint16_t sport, dport; /* network order */
	uint32_t snd_una, snd_nxt, snd_wnd, recover;
	uint32_t rcv_nxt, window;
	uint8_t snd_scale;
	uint16_t mss;
	uint8_t dupacks, tries;
	bool ack_due, recovering;
	uint64_t now;		/* of the last frame or tick */
	uint64_t rto, deadline; /* deadline 0: nothing waits */
	uint32_t pseudo;
	uint8_t head[NET_HDR];
	struct seg seg[SEGS];
	uint32_t seg_head, seg_tail;
	struct rte_mbuf *ooo[OOO_MAX]; /* by sequence number, payload only, seq in the mbuf's hash field */
	unsigned int n_ooo;
	int (*rx)(void *user, const void *data, size_t len);
	void *user;
	struct ctcp_stats stats;
};

static inline bool
seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static void
end(struct ctcp *c, int err)
{
	if (c->state != ENDED) {
		c->state = ENDED;
		c->err = err;
	}
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

/* Headers in front of the @p len bytes of payload in @p m; @p sum of that payload. */
static void
seal(struct ctcp *c, uint8_t *frame, uint32_t seq, uint32_t len, uint8_t flags, uint32_t hlen, uint32_t sum)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + RTE_ETHER_HDR_LEN);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(frame + L4_OFF);
	uint32_t window = c->window >> (flags & RTE_TCP_SYN_FLAG ? 0 : SCALE);

	memcpy(frame, c->head, NET_HDR);
	ip->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + hlen + len));
	ip->hdr_checksum = (uint16_t)~csum_of(ip, sizeof(*ip));
	tcp->sent_seq = rte_cpu_to_be_32(seq);
	tcp->recv_ack = flags & RTE_TCP_ACK_FLAG ? rte_cpu_to_be_32(c->rcv_nxt) : 0;
	tcp->data_off = (uint8_t)(hlen << 2);
	tcp->tcp_flags = flags;
	tcp->rx_win = rte_cpu_to_be_16(window > UINT16_MAX ? UINT16_MAX : (uint16_t)window);
	sum += csum_of(tcp, hlen) + c->pseudo + rte_cpu_to_be_16((uint16_t)(hlen + len));
	tcp->cksum = (uint16_t)~csum_fold(sum);
	c->stats.segs_out++;
	if (flags & RTE_TCP_ACK_FLAG)
		c->ack_due = false;
}

static void
send_bare(struct ctcp *c, uint32_t seq, uint8_t flags)
{
	struct rte_mbuf *m = net_alloc(c->net);
	uint32_t hlen = sizeof(struct rte_tcp_hdr);
	uint8_t *frame;

	if (m == NULL)
		return; /* the tick tries again, or the next burst */
	frame = rte_pktmbuf_mtod(m, uint8_t *);
	if (flags & RTE_TCP_SYN_FLAG) {
		/* MSS, no operation, window scale */
		const uint8_t opt[] = {2, 4, (uint8_t)(c->mss >> 8), (uint8_t)c->mss, 1, 3, 3, SCALE};

		memcpy(frame + NET_HDR, opt, sizeof(opt));
		hlen += sizeof(opt);
	}
	seal(c, frame, seq, 0, flags, hlen, 0);
	m->data_len = (uint16_t)(L4_OFF + hlen);
	m->pkt_len = m->data_len;
	net_tx(c->net, m);
}

/* The frame as it was, with today's acknowledgement; while the device has it, it may not be touched. */
static void
resend(struct ctcp *c)
{
	struct seg *s = &c->seg[c->seg_head & (SEGS - 1)];
	uint8_t *frame;

	if (c->seg_head == c->seg_tail || rte_mbuf_refcnt_read(s->m) > 1)
		return;
	frame = rte_pktmbuf_mtod(s->m, uint8_t *);
	seal(c, frame, s->seq, s->len, RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG, sizeof(struct rte_tcp_hdr),
	     csum_of(frame + NET_HDR, s->len));
	rte_mbuf_refcnt_update(s->m, 1);
	net_tx(c->net, s->m);
	c->stats.retransmits++;
}

/* Gather up to @p room bytes from @p iov, at *i and *off, into one frame. */
static uint32_t
gather(uint8_t *to, uint32_t room, const struct iovec *iov, int n, int *i, size_t *off)
{
	uint32_t have = 0;

	while (have < room && *i < n) {
		size_t k = iov[*i].iov_len - *off;

		if (k > room - have)
			k = room - have;
		memcpy(to + have, (const uint8_t *)iov[*i].iov_base + *off, k);
		have += (uint32_t)k;
		*off += k;
		if (*off == iov[*i].iov_len) {
			*off = 0;
			(*i)++;
		}
	}
	return have;
}

static ssize_t
ctcp_send(struct xport *x, const struct iovec *iov, int n)
{
	struct ctcp *c = (struct ctcp *)x;
	size_t off = 0;
	ssize_t sent = 0;
	int i = 0;

	if (c->state == ENDED)
		return c->err;
	if (c->state != ESTABLISHED)
		return 0;
	while (i < n && c->seg_tail - c->seg_head < SEGS) {
		uint32_t open = c->snd_una + c->snd_wnd - c->snd_nxt, room = c->mss;
		struct seg *s = &c->seg[c->seg_tail & (SEGS - 1)];
		struct rte_mbuf *m;
		uint8_t *frame;
		uint32_t len;

		if ((int32_t)open <= 0)
			break;
		if (room > open)
			room = open;
		m = net_alloc(c->net);
		if (m == NULL)
			break;
		frame = rte_pktmbuf_mtod(m, uint8_t *);
		len = gather(frame + NET_HDR, room, iov, n, &i, &off);
		seal(c, frame, c->snd_nxt, len, RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG, sizeof(struct rte_tcp_hdr),
		     csum_of(frame + NET_HDR, len));
		m->data_len = (uint16_t)(NET_HDR + len);
		m->pkt_len = m->data_len;
		*s = (struct seg){m, c->snd_nxt, len};
		rte_mbuf_refcnt_update(m, 1);
		net_tx(c->net, m);
		c->seg_tail++;
		c->snd_nxt += len;
		sent += len;
	}
	c->stats.bytes_out += (uint64_t)sent;
	/* Also when the window is shut: the timeout then probes it. */
	if (c->deadline == 0)
		c->deadline = c->now + c->rto;
	return sent;
}

/* --- acknowledgements -------------------------------------------------------------------------------------------- */

static void
acked(struct ctcp *c, uint32_t ack, uint64_t now)
{
	c->snd_una = ack;
	c->dupacks = 0;
	c->tries = 0;
	while (c->seg_head != c->seg_tail) {
		struct seg *s = &c->seg[c->seg_head & (SEGS - 1)];

		if (seq_lt(ack, s->seq + s->len))
			break;
		rte_pktmbuf_free(s->m);
		c->seg_head++;
	}
	c->deadline = c->seg_head != c->seg_tail ? now + c->rto : 0;
	if (!c->recovering)
		return;
	/* RFC 6582: a partial acknowledgement names the next hole. */
	if (seq_lt(ack, c->recover))
		resend(c);
	else
		c->recovering = false;
}

static void
input_ack(struct ctcp *c, const struct rte_tcp_hdr *tcp, uint32_t len, uint64_t now)
{
	uint32_t ack = rte_be_to_cpu_32(tcp->recv_ack);
	uint32_t wnd = (uint32_t)rte_be_to_cpu_16(tcp->rx_win) << c->snd_scale;

	if (seq_lt(c->snd_nxt, ack) || seq_lt(ack, c->snd_una))
		return;
	if (ack != c->snd_una) {
		acked(c, ack, now);
	} else if (len == 0 && wnd == c->snd_wnd && c->seg_head != c->seg_tail && ++c->dupacks == 3 && !c->recovering) {
		c->recovering = true;
		c->recover = c->snd_nxt;
		resend(c);
	}
	c->snd_wnd = wnd;
}

/* --- receiving --------------------------------------------------------------------------------------------------- */

static void
deliver(struct ctcp *c, const uint8_t *data, uint32_t len)
{
	c->rcv_nxt += len;
	c->stats.bytes_in += len;
	if (c->rx != NULL && c->rx(c->user, data, len) < 0)
		end(c, -ECONNABORTED);
}

/* Payload before rcv_nxt is known; deliver the rest if it joins on. @return whether it did. */
static bool
take(struct ctcp *c, const uint8_t *data, uint32_t seq, uint32_t len)
{
	uint32_t skip = c->rcv_nxt - seq;

	if ((int32_t)skip < 0)
		return false;
	if (skip >= len)
		c->stats.duplicates++;
	else
		deliver(c, data + skip, len - skip);
	return true;
}

static void
keep(struct ctcp *c, struct rte_mbuf *m, uint32_t seq)
{
	unsigned int i = c->n_ooo;

	c->stats.out_of_order++;
	if (c->n_ooo == OOO_MAX) {
		rte_pktmbuf_free(m);
		return;
	}
	for (; i > 0 && seq_lt(seq, c->ooo[i - 1]->hash.usr); i--)
		c->ooo[i] = c->ooo[i - 1];
	m->hash.usr = seq;
	c->ooo[i] = m;
	c->n_ooo++;
}

static void
join(struct ctcp *c)
{
	unsigned int done = 0;

	while (done < c->n_ooo &&
	       take(c, rte_pktmbuf_mtod(c->ooo[done], uint8_t *), c->ooo[done]->hash.usr, c->ooo[done]->data_len))
		rte_pktmbuf_free(c->ooo[done++]);
	c->n_ooo -= done;
	memmove(c->ooo, c->ooo + done, c->n_ooo * sizeof(c->ooo[0]));
}

static void
input_syn(struct ctcp *c, const struct rte_tcp_hdr *tcp, uint32_t hlen)
{
	const uint8_t *o = (const uint8_t *)(tcp + 1), *e = (const uint8_t *)tcp + hlen;
	uint16_t mss = 536;

	if (rte_be_to_cpu_32(tcp->recv_ack) != c->snd_nxt) {
		/* The target still has the connection of a process that had this port and was killed: with this it
		 * hears of that, and takes the next SYN (RFC 9293, section 3.10.7.3). */
		if ((tcp->tcp_flags & (RTE_TCP_ACK_FLAG | RTE_TCP_RST_FLAG)) == RTE_TCP_ACK_FLAG)
			send_bare(c, rte_be_to_cpu_32(tcp->recv_ack), RTE_TCP_RST_FLAG);
		return;
	}
	if (tcp->tcp_flags & RTE_TCP_RST_FLAG) {
		end(c, -ECONNREFUSED);
		return;
	}
	if ((tcp->tcp_flags & RTE_TCP_SYN_FLAG) == 0)
		return;
	while (o < e && *o != 0) {
		if (*o == 1) {
			o++;
			continue;
		}
		if (e - o < 2 || o[1] < 2 || o[1] > e - o)
			break;
		if (o[0] == 2 && o[1] == 4)
			mss = (uint16_t)(o[2] << 8 | o[3]);
		else if (o[0] == 3 && o[1] == 3)
			c->snd_scale = o[2] > 14 ? 14 : o[2];
		o += o[1];
	}
	if (mss < c->mss)
		c->mss = mss;
	c->rcv_nxt = rte_be_to_cpu_32(tcp->sent_seq) + 1;
	c->snd_una = c->snd_nxt;
	c->snd_wnd = rte_be_to_cpu_16(tcp->rx_win); /* that of a SYN is never scaled */
	c->deadline = 0;
	c->tries = 0;
	c->state = ESTABLISHED;
	c->ack_due = true;
}

static void
input_data(struct ctcp *c, struct rte_mbuf *m, const struct rte_tcp_hdr *tcp, uint32_t hlen, uint32_t len)
{
	uint32_t seq = rte_be_to_cpu_32(tcp->sent_seq);

	c->ack_due = true;
	m->data_off = (uint16_t)(m->data_off + L4_OFF + hlen);
	m->data_len = (uint16_t)len;
	if (!take(c, rte_pktmbuf_mtod(m, uint8_t *), seq, len)) {
		keep(c, m, seq);
		send_bare(c, c->snd_nxt, RTE_TCP_ACK_FLAG); /* at once: three of them make the target resend */
		return;
	}
	rte_pktmbuf_free(m);
	if (c->n_ooo > 0)
		join(c);
}

void
ctcp_input(struct ctcp *c, struct rte_mbuf *m, uint64_t now)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(frame + RTE_ETHER_HDR_LEN);
	const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *)(frame + L4_OFF);
	uint32_t hlen = (uint32_t)(tcp->data_off >> 4) * 4;
	uint32_t total = rte_be_to_cpu_16(ip->total_length), len;

	c->now = now;
	c->stats.segs_in++;
	if (c->state == ENDED || hlen < sizeof(*tcp) || total < sizeof(*ip) + hlen ||
	    total + RTE_ETHER_HDR_LEN > m->data_len)
		goto drop;
	len = total - (uint32_t)sizeof(*ip) - hlen;
	if (c->state == SYN_SENT) {
		input_syn(c, tcp, hlen);
		goto drop;
	}
	if (tcp->tcp_flags & RTE_TCP_RST_FLAG) {
		end(c, -ECONNRESET);
		goto drop;
	}
	if (tcp->tcp_flags & RTE_TCP_SYN_FLAG) {
		c->ack_due = true; /* our acknowledgement of it was lost */
		goto drop;
	}
	input_ack(c, tcp, len, now);
	if (tcp->tcp_flags & RTE_TCP_FIN_FLAG && rte_be_to_cpu_32(tcp->sent_seq) == c->rcv_nxt)
		end(c, -ECONNRESET); /* there are no half-closed NVMe/TCP connections */
	if (len > 0) {
		input_data(c, m, tcp, hlen, len);
		return;
	}
drop:
	rte_pktmbuf_free(m);
}

void
ctcp_finish(struct ctcp *c)
{
	if (c->ack_due && c->state == ESTABLISHED) {
		send_bare(c, c->snd_nxt, RTE_TCP_ACK_FLAG);
		c->stats.acks_out++;
	}
}

void
ctcp_tick(struct ctcp *c, uint64_t now)
{
	c->now = now;
	if (c->deadline == 0 || now < c->deadline || c->state == ENDED)
		return;
	if (++c->tries > TRIES) {
		end(c, -ETIMEDOUT);
		return;
	}
	c->stats.timeouts++;
	c->deadline = now + (c->rto << (c->tries < 6 ? c->tries : 6));
	if (c->state == SYN_SENT) {
		send_bare(c, c->snd_una, RTE_TCP_SYN_FLAG);
		return;
	}
	if (c->seg_head == c->seg_tail) {
		send_bare(c, c->snd_nxt - 1, RTE_TCP_ACK_FLAG); /* asks for the window; that will come */
		c->deadline = c->snd_wnd == 0 ? c->deadline : 0;
		return;
	}
	c->recovering = true;
	c->recover = c->snd_nxt;
	resend(c);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static void
ctcp_close(struct xport *x)
{
	struct ctcp *c = (struct ctcp *)x;

	/* A reset: the target need not keep TIME_WAIT for a load generator. */
	if (c->state == ESTABLISHED)
		send_bare(c, c->snd_nxt, RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG);
	net_flush(c->net);
	net_del(c->net, c);
	while (c->seg_head != c->seg_tail)
		rte_pktmbuf_free(c->seg[c->seg_head++ & (SEGS - 1)].m);
	rte_pktmbuf_free_bulk(c->ooo, c->n_ooo);
	free(c);
}

static const struct xport_ops ctcp_ops = {.send = ctcp_send, .close = ctcp_close};

int
ctcp_open(struct ctcp **out, struct net *n, uint16_t port, uint64_t now)
{
	static uint16_t next_port;
	struct ctcp *c = calloc(1, sizeof(*c));
	struct rte_tcp_hdr *tcp;
	int ret;

	if (c == NULL)
		return -ENOMEM;
	if (next_port == 0)
		next_port = (uint16_t)(49152 + (now >> 12) % 8192);
	c->x.ops = &ctcp_ops;
	c->net = n;
	c->now = now;
	c->mss = net_mss(n);
	c->window = net_ring(n) / 2 * c->mss;
	if (c->window > WINDOW_MAX)
		c->window = WINDOW_MAX;
	c->sport = rte_cpu_to_be_16(next_port);
	c->dport = rte_cpu_to_be_16(port);
	c->snd_una = (uint32_t)(now >> 6);
	c->snd_nxt = c->snd_una + 1;
	c->rto = ticks_from_ns(RTO_NS);
	c->pseudo = net_pseudo(n);
	net_headers(n, c->head);
	tcp = (struct rte_tcp_hdr *)(c->head + L4_OFF);
	tcp->src_port = c->sport;
	tcp->dst_port = c->dport;
	ret = net_add(n, c, c->sport);
	if (ret < 0) {
		free(c);
		return ret;
	}
	next_port++;
	c->deadline = now + c->rto;
	send_bare(c, c->snd_una, RTE_TCP_SYN_FLAG);
	net_flush(n);
	*out = c;
	return 0;
}

struct xport *
ctcp_xport(struct ctcp *c)
{
	return &c->x;
}

void
ctcp_attach(struct ctcp *c, int (*rx)(void *user, const void *data, size_t len), void *user)
{
	c->rx = rx;
	c->user = user;
}

bool
ctcp_connected(const struct ctcp *c)
{
	return c->state == ESTABLISHED;
}

int
ctcp_status(const struct ctcp *c)
{
	return c->err;
}

const struct ctcp_stats *
ctcp_get_stats(const struct ctcp *c)
{
	return &c->stats;
}
