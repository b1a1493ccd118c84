/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <rte_mbuf.h>

#include "conn.h"

/* Receive credit. A connection is charged for what its bufs really keep from the pool: the whole of every mbuf that
 * one of them lies in, once, and a descriptor for each buf. An mbuf's last reference, wherever it is dropped, gives the
 * charge back to port_pkt()->owner.
 *
 * The window is told from rcvbuf - pinned; since one byte may arrive in an mbuf of its own, small segments are copied
 * together into one mbuf (the slab) once half of rcvbuf is pinned, and nothing is taken beyond TAKE_MAX. */

/* What a descriptor costs. */
#define DESC_BYTES ((uint32_t)sizeof(struct strake_buf))
/* A segment is small when its mbufs are larger by this factor: two that are copied fit one mbuf, and what is told as
 * window pins at most twice as much, which is never refused. */
#define SMALL_FACTOR	 2
#define TAKE_MAX(rcvbuf) ((rcvbuf)*2 + (rcvbuf) / 4)

/* The owed window of a connection whose peer heard of little because of all the others together. Nothing of its own may
 * be pinned, so nothing it gives back would tell it to look again. */
void
tcp_credit_starve(struct tcp_conn *c)
{
	if (c->flags & TCP_F_STARVED)
		return;
	c->flags |= TCP_F_STARVED;
	TAILQ_INSERT_TAIL(&c->tcp->starved, c, starved_link);
}

void
tcp_credit_starve_end(struct tcp_conn *c)
{
	if (!(c->flags & TCP_F_STARVED))
		return;
	c->flags &= ~TCP_F_STARVED;
	TAILQ_REMOVE(&c->tcp->starved, c, starved_link);
}

static void
feed(struct tcp *tcp)
{
	struct tcp_conn *c;

	while ((c = TAILQ_FIRST(&tcp->starved)) != NULL) {
		tcp_credit_starve_end(c);
		if (tcp_window_opened(c))
			tcp_ack_now(c);
	}
}

/* The charge was ours to give back on another lcore: tell the owner, once for all that follows until it looks. */
static void
give_back(struct tcp_conn *c, uint32_t bytes)
{
	const struct strake_lcore *self = strake_self();
	struct tcp *tcp = c->tcp;

	if (unlikely(self == NULL || self->index != c->tcp->lcore)) {
		/* Pairs with the exchange in tcp_credit_msg(): whoever makes it non-zero sends. */
		if (__atomic_fetch_add(&c->credit, bytes, __ATOMIC_ACQ_REL) == 0)
			strake_msg_send(c->tcp->lcore, &c->credit_msg);
		return;
	}
	c->pinned -= bytes;
	c->tcp->pinned -= bytes;
	if (c->state == TCP_CLOSED)
		tcp_conn_reap(c);
	else if (tcp_window_opened(c))
		tcp_ack_now(c);
	if (unlikely(!TAILQ_EMPTY(&tcp->starved)) && tcp->pinned <= tcp->pin_budget)
		feed(tcp);
}

void
tcp_credit_msg(struct strake_msg *msg)
{
	struct tcp_conn *c = (struct tcp_conn *)((char *)msg - offsetof(struct tcp_conn, credit_msg));

	give_back(c, __atomic_exchange_n(&c->credit, 0, __ATOMIC_ACQ_REL));
}

/* Drop one reference of one mbuf of @p c, and @p bytes beside. */
static void
mbuf_put(struct tcp_conn *c, struct rte_mbuf *m, uint32_t bytes)
{
	uint32_t room = m->buf_len;

	m = rte_pktmbuf_prefree_seg(m);
	if (likely(m != NULL)) {
		rte_mbuf_raw_free(m);
		bytes += room;
	}
	if (bytes > 0)
		give_back(c, bytes);
}

static void
mbuf_release(struct strake_buf *buf)
{
	struct rte_mbuf *m = buf->opaque;

	mbuf_put(port_pkt(m)->owner, m, DESC_BYTES);
}

static const struct strake_backing mbuf_backing = {.name = "mbuf", .release = mbuf_release};

static void
charge(struct tcp_conn *c, uint32_t bytes)
{
	c->pinned += bytes;
	c->tcp->pinned += bytes;
}

static struct strake_buf *
wrap(struct tcp_conn *c, struct rte_mbuf *m, void *addr, uint32_t len)
{
	struct strake_buf *buf = strake_buf_wrap(addr, len, &mbuf_backing, m, STRAKE_BUF_STABLE);
	struct port_pkt *pkt = port_pkt(m);

	if (unlikely(buf == NULL)) {
		c->tcp->n.rx_no_buf++;
		return NULL;
	}
	if (pkt->owner == NULL) {
		pkt->owner = c;
		charge(c, m->buf_len);
	}
	charge(c, DESC_BYTES);
	return buf;
}

void
tcp_credit_drop_slab(struct tcp_conn *c)
{
	struct rte_mbuf *m = c->slab;

	c->slab = NULL;
	if (m != NULL)
		mbuf_put(c, m, 0);
}

/* One segment is taken whatever it pins when nothing else is held, or nothing would ever move again. */
static bool
over_limit(struct tcp_conn *c, uint32_t more)
{
	if (c->pinned + more <= TAKE_MAX(c->tcp->conf.rcvbuf) &&
	    c->tcp->pinned + more <= c->tcp->pin_budget + c->tcp->pin_budget / 2)
		return false;
	tcp_credit_drop_slab(c);
	return c->pinned > 0;
}

static bool
slab_room(struct tcp_conn *c, uint32_t len)
{
	if (c->slab != NULL && rte_pktmbuf_tailroom(c->slab) >= len)
		return true;
	tcp_credit_drop_slab(c);
	if (c->pinned > TAKE_MAX(c->tcp->conf.rcvbuf))
		return false;
	c->slab = rte_pktmbuf_alloc(c->tcp->ifp->pool);
	if (c->slab == NULL || rte_pktmbuf_tailroom(c->slab) < len) {
		rte_pktmbuf_free(c->slab);
		c->slab = NULL;
		return false;
	}
	port_pkt(c->slab)->owner = c;
	charge(c, c->slab->buf_len);
	return true;
}

static bool
take_copy(struct tcp_conn *c, struct tcp_seg *s, uint32_t off, uint32_t len, struct strake_buf **head,
	  struct strake_buf **tail)
{
	const void *from;
	uint8_t *to;

	if (!slab_room(c, len))
		return false;
	to = rte_pktmbuf_mtod_offset(c->slab, uint8_t *, c->slab->data_len);
	from = rte_pktmbuf_read(s->m, off, len, to);
	if (from != to)
		memcpy(to, from, len);
	*head = wrap(c, c->slab, to, len);
	if (*head == NULL)
		return false;
	rte_mbuf_refcnt_update(c->slab, 1);
	c->slab->data_len = (uint16_t)(c->slab->data_len + len);
	*tail = *head;
	c->tcp->n.rx_coalesced++;
	c->tcp->n.rx_coalesced_bytes += len;
	return true;
}

static bool
take_pieces(struct tcp_conn *c, struct tcp_seg *s, uint32_t off, uint32_t len, struct strake_buf **head,
	    struct strake_buf **tail)
{
	*head = NULL;
	for (struct rte_mbuf *m = s->m; len > 0; m = m->next) {
		uint32_t here = m->data_len;
		struct strake_buf *buf;

		if (off >= here) {
			off -= here;
			continue;
		}
		here = RTE_MIN(here - off, len);
		buf = wrap(c, m, rte_pktmbuf_mtod_offset(m, void *, off), here);
		if (buf == NULL) {
			strake_buf_put_list(*head);
			return false;
		}
		rte_mbuf_refcnt_update(m, 1);
		if (*head == NULL)
			*head = buf;
		else
			(*tail)->next = buf;
		*tail = buf;
		len -= here;
		off = 0;
	}
	return true;
}

static uint32_t
chain_room(const struct rte_mbuf *m)
{
	uint32_t room = 0;

	for (; m != NULL; m = m->next)
		room += m->buf_len;
	return room;
}

bool
tcp_credit_take(struct tcp_conn *c, struct tcp_seg *s, uint32_t off, uint32_t len, struct strake_buf **head,
		struct strake_buf **tail)
{
	uint32_t rcvbuf = c->tcp->conf.rcvbuf;
	uint32_t room = s->m->nb_segs == 1 ? s->m->buf_len : chain_room(s->m);

	if (unlikely(c->pinned + room > rcvbuf / 2 || c->tcp->pinned > c->tcp->pin_budget)) {
		if (len < room / SMALL_FACTOR && take_copy(c, s, off, len, head, tail))
			return true;
		if (over_limit(c, room)) {
			c->tcp->n.rx_no_credit++;
			return false;
		}
	}
	if (likely(s->m->nb_segs == 1 && len == s->len)) {
		*head = wrap(c, s->m, rte_pktmbuf_mtod(s->m, void *), len);
		*tail = *head;
		if (likely(*head != NULL))
			s->m = NULL;
		return *head != NULL;
	}
	return take_pieces(c, s, off, len, head, tail);
}

void
tcp_seg_free(struct tcp_seg *s)
{
	for (struct rte_mbuf *m = s->m, *next; m != NULL; m = next) {
		struct tcp_conn *owner = port_pkt(m)->owner;

		next = m->next;
		if (owner != NULL)
			mbuf_put(owner, m, 0);
		else
			rte_pktmbuf_free_seg(m);
	}
	s->m = NULL;
}
