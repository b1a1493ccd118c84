/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include <rte_tcp.h>

#include "conn.h"

/* Building one segment: header, options, payload from the send queue. */

/* Pieces up to this are copied into the header's mbuf: dearer as an mbuf of their own than as a copy. */
#define INLINE_MAX 192
/* Bytes for which backings know sums: a page. */
#define SUM_UNIT 4096u

/* Bytes we are ready to take, told or not. */
static uint32_t
receive_room(const struct tcp_conn *c)
{
	uint32_t rcvbuf = c->tcp->conf.rcvbuf;
	uint32_t room = c->pinned < rcvbuf ? rcvbuf - c->pinned : 0;

	if (unlikely(c->tcp->pinned > c->tcp->pin_budget))
		return 0;
	return RTE_MIN(room, (uint32_t)UINT16_MAX << c->rcv_shift); /* more cannot be said */
}

uint16_t
tcp_window(struct tcp_conn *c)
{
	uint32_t told = c->rcv_adv - c->rcv_nxt, room = receive_room(c), wnd;

	/* Never take back what was told; do not tell of crumbs (RFC 9293, 3.8.6.2.2). */
	if (room < told || room - told < RTE_MIN(c->tcp->conf.rcvbuf / 2, (uint32_t)c->mss))
		room = told;
	if (unlikely(c->tcp->pinned > c->tcp->pin_budget))
		tcp_credit_starve(c);
	wnd = (room + (1u << c->rcv_shift) - 1) >> c->rcv_shift;
	wnd = RTE_MIN(wnd, (uint32_t)UINT16_MAX);
	c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt + (wnd << c->rcv_shift));
	return (uint16_t)wnd;
}

bool
tcp_window_opened(const struct tcp_conn *c)
{
	uint32_t rcvbuf = c->tcp->conf.rcvbuf, room;
	uint32_t told = c->rcv_adv - c->rcv_nxt, step = 2u * c->mss;

	if (c->state < TCP_ESTABLISHED || c->flags & TCP_F_FIN_RCVD || told >= rcvbuf / 4)
		return false;
	/* A peer that is not yet starved hears in larger steps. */
	if (told >= step)
		step = rcvbuf / 4;
	room = receive_room(c);
	return room >= told && room - told >= RTE_MIN(step, rcvbuf / 2);
}

static unsigned int
put_options(const struct tcp_conn *c, uint8_t *p, uint64_t now)
{
	struct tcp_options o = {.has = 0};

	if (likely(c->reasm->n == 0)) {
		uint32_t ts[3] = {rte_cpu_to_be_32(0x0101080a), rte_cpu_to_be_32(tcp_ts_now(c, now)),
				  rte_cpu_to_be_32(c->ts_recent)};

		if (!(c->flags & TCP_F_TS))
			return 0;
		memcpy(p, ts, sizeof(ts));
		return sizeof(ts);
	}
	if (c->flags & TCP_F_TS) {
		o.has = TCP_HAS_TS;
		o.tsval = tcp_ts_now(c, now);
		o.tsecr = c->ts_recent;
	}
	if (c->flags & TCP_F_SACK)
		o.n_sack = (uint8_t)tcp_reasm_blocks(c->reasm, o.sack, c->flags & TCP_F_TS ? 3 : 4);
	return tcp_option_build(p, &o);
}

/* Bytes of options the next segment will carry. */
static uint32_t
options_len(const struct tcp_conn *c)
{
	uint8_t p[TCP_OPT_MAX];

	if (likely(c->reasm->n == 0))
		return c->flags & TCP_F_TS ? 12 : 0;
	return put_options(c, p, 0);
}

uint32_t
tcp_payload_max(const struct tcp_conn *c)
{
	return c->mss - options_len(c);
}

/* A direct mbuf with everything but the payload. */
static struct rte_mbuf *
header(struct tcp_conn *c, uint32_t seq, uint8_t flags, uint64_t now)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(c->tcp->ifp->pool);
	struct rte_tcp_hdr *th;
	unsigned int hlen;

	if (unlikely(m == NULL)) {
		c->tcp->n.tx_no_mbuf++;
		return NULL;
	}
	th = rte_pktmbuf_mtod(m, struct rte_tcp_hdr *);
	hlen = TCP_HDR_MIN + put_options(c, (uint8_t *)(th + 1), now);
	if (c->flags & TCP_F_ECE)
		flags |= TCP_ECE;
	th->src_port = c->key.lport;
	th->dst_port = c->key.rport;
	th->sent_seq = rte_cpu_to_be_32(seq);
	th->recv_ack = rte_cpu_to_be_32(c->rcv_nxt);
	th->data_off = (uint8_t)(hlen << 2);
	th->tcp_flags = flags;
	th->rx_win = rte_cpu_to_be_16(tcp_window(c));
	th->cksum = 0;
	th->tcp_urp = 0;
	m->data_len = (uint16_t)hlen;
	m->pkt_len = hlen;
	m->l4_len = hlen;
	return m;
}

/* Every segment carries the ACK. */
static void
ack_sent(struct tcp_conn *c)
{
	c->rcv_acked = c->rcv_nxt;
	c->flags &= ~(TCP_F_ACK_NOW | TCP_F_ACK_LATER);
	c->due[TCP_DUE_ACK] = 0;
}

static bool
emit(struct tcp_conn *c, struct rte_mbuf *m, uint8_t tos, uint64_t now)
{
	if (unlikely(c->dst->ifp->ops->send(c->dst, m, tos) < 0)) {
		c->tcp->n.tx_dropped++;
		return false;
	}
	c->tcp->n.tx_segments++;
	c->sent_at = now;
	ack_sent(c);
	return true;
}

bool
tcp_send_bare(struct tcp_conn *c, uint32_t seq, uint8_t flags, uint64_t now)
{
	struct rte_mbuf *m = header(c, seq, flags, now);

	if (m == NULL || !emit(c, m, 0, now))
		return false;
	c->tcp->n.tx_acks++;
	return true;
}

static uint32_t
append_copy(struct rte_mbuf *m, struct rte_mbuf *last, const struct tcp_cursor *cur, uint32_t n)
{
	n = RTE_MIN(n, (uint32_t)rte_pktmbuf_tailroom(last));
	memcpy(rte_pktmbuf_mtod_offset(last, void *, last->data_len), cur->buf->addr + cur->off, n);
	last->data_len = (uint16_t)(last->data_len + n);
	m->pkt_len += n;
	return n;
}

static struct rte_mbuf *
append_mbuf(struct tcp_conn *c, struct rte_mbuf *m, struct rte_mbuf *last, struct rte_mempool *pool)
{
	struct rte_mbuf *x = rte_pktmbuf_alloc(pool);

	if (unlikely(x == NULL)) {
		c->tcp->n.tx_no_mbuf++;
		return NULL;
	}
	last->next = x;
	m->nb_segs++;
	return x;
}

/* How much of the current piece goes into a segment with room for @p left of @p len bytes. A piece whose sums are known
 * by the page is not cut elsewhere if the segment is nearly full without: what is cut must be read for its checksum.
 * @return 0: the segment ends here. */
static inline uint32_t
piece(const struct tcp_cursor *cur, uint32_t left, uint32_t len)
{
	uint32_t have = cur->buf->len - cur->off, n = RTE_MIN(have, left), over;

	if (n == have || cur->buf->backing->sum == NULL)
		return n;
	over = (uint32_t)((uintptr_t)cur->buf->addr + cur->off + n) & (SUM_UNIT - 1);
	return over <= n && left - n + over <= len / 4 ? n - over : n;
}

/* Bytes an mbuf may show from @p addr on. What lies behind the end of a huge page may be elsewhere in the machine's
 * memory, which an IOMMU hides; but QEMU's e1000e and vmxnet3 drop each frame with a piece that is in two places, every
 * time it is sent. */
static inline uint32_t
shown(const uint8_t *addr)
{
	uint32_t rest = (uint32_t)(RTE_PGSIZE_2M - ((uintptr_t)addr & (RTE_PGSIZE_2M - 1)));

	return RTE_MIN(rest, (uint32_t)UINT16_MAX);
}

/* Payload of @p len bytes from a cursor; @p cut: more than a segment, which the port cuts and sums up. @return bytes
 * placed: fewer when the chain is as long as the port takes, or mbufs ran out. */
static uint32_t
fill(struct tcp_conn *c, struct rte_mbuf *m, struct tcp_cursor *cur, uint32_t len, bool cut)
{
	struct port_if *ifp = c->tcp->ifp;
	bool linear = ifp->tx_segs_max <= 1, copied_much = false;
	struct rte_mbuf *last = m;
	uint32_t left = len;
	uint16_t sum;

	while (left > 0) {
		uint32_t n = linear || cut ? RTE_MIN(cur->buf->len - cur->off, left) : piece(cur, left, len);
		bool small = n <= INLINE_MAX || linear;

		if (n == 0)
			break;
		rte_prefetch0(cur->buf->next);
		if (small && RTE_MBUF_DIRECT(last) && rte_pktmbuf_tailroom(last) > 0) {
			copied_much |= n > INLINE_MAX;
			n = append_copy(m, last, cur, n);
		} else {
			struct rte_mbuf *x;

			if (linear || m->nb_segs == ifp->tx_segs_max)
				break;
			x = append_mbuf(c, m, last, small ? ifp->pool : ifp->ext_pool);
			if (x == NULL)
				break;
			last = x;
			if (small)
				continue;
			n = RTE_MIN(n, shown(cur->buf->addr + cur->off));
			strake_buf_mbuf_attach(x, cur->buf, cur->off, (uint16_t)n);
			if (!cut && strake_buf_sum(cur->buf, cur->off, n, &sum))
				port_sum_known(x, sum);
			m->pkt_len += n;
		}
		tcp_cursor_step(cur, n);
		left -= n;
	}
	c->tcp->n.linearised += copied_much;
	return len - left;
}

uint32_t
tcp_send_data(struct tcp_conn *c, struct tcp_cursor *cur, uint32_t len, uint8_t flags, bool fresh, uint64_t now)
{
	struct tcp_cursor at = *cur;
	struct rte_mbuf *m;
	uint32_t placed, most = tcp_payload_max(c);
	uint8_t tos = 0;

	if (fresh && c->flags & TCP_F_ECN) {
		tos = TCP_ECN_ECT0;
		if (c->flags & TCP_F_CWR) {
			flags |= TCP_CWR;
			c->flags &= ~TCP_F_CWR;
			/* On one segment (RFC 3168, 6.1.2): not every device that cuts takes it from the others. */
			if (len > most) {
				flags &= (uint8_t)~TCP_FIN;
				len = most;
			}
		}
	}
	if (cur->seq + len == c->q.end)
		flags |= TCP_PSH;
	m = header(c, cur->seq, flags, now);
	if (unlikely(m == NULL))
		return 0;
	placed = fill(c, m, &at, len, len > most);
	if (unlikely(placed == 0)) {
		rte_pktmbuf_free(m);
		return 0;
	}
	if (placed < len && flags & (TCP_PSH | TCP_FIN))
		rte_pktmbuf_mtod(m, struct rte_tcp_hdr *)->tcp_flags &= (uint8_t) ~(TCP_PSH | TCP_FIN);
	if (placed > most)
		m->tso_segsz = (uint16_t)most;
	if (!emit(c, m, tos, now))
		return 0;
	*cur = at;
	return placed;
}
