/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* One lcore's share of a port: receive, hand on, transmit, sleep. */

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "port_impl.h"
#include "strake_account.h"

#define TICK_SOON_NS (200 * STRAKE_NS_PER_MS) /* while neighbours are being asked */
#define TICK_NS	     (10 * STRAKE_NS_PER_SEC)
#define TX_RETRY_NS  STRAKE_NS_PER_MS	      /* a device that took not all is asked again, also while asleep */
#define TX_STALL_NS  (100 * STRAKE_NS_PER_MS) /* a device that takes nothing for so long has no peer */
#define ANNOUNCES    3			      /* of each address after start; RFC 5227 asks for two */

STRAKE_STEP(rx_step, STRAKE_AT_RX, "port: receive")
STRAKE_STEP(frame_step, STRAKE_AT_FRAME, "port: frames and IP in, checksums")
STRAKE_STEP(tx_step, STRAKE_AT_TX, "port: transmit")

static struct port_lcore *
of_poller(struct strake_poller *p)
{
	return container_of(p, struct port_lcore, poller);
}

/* --- transmit --- */

/** @return frames gone, from the first on: sent, or refused. */
static uint16_t
device_tx(struct port_lcore *lc, struct rte_mbuf **frames, uint16_t n)
{
	struct port *port = lc->port;

	if (port->packet[lc->tx_queue] >= 0)
		return port_packet_tx(lc, port->packet[lc->tx_queue], frames, n);
	if (port->tx_prepare) {
		/* Each device has its own idea of a pseudo header when it cuts, and virtio's tags are made here. */
		n = rte_eth_tx_prepare(port->id, lc->tx_queue, frames, n);
		if (unlikely(n == 0)) {
			port_drop(frames[0], &lc->stats.tx_drop_refused);
			return 1;
		}
	}
	return rte_eth_tx_burst(port->id, lc->tx_queue, frames, n);
}

/** Give the device, or the lcore that has it, what was gathered. @return frames gone. */
static uint16_t
tx_push(struct port_lcore *lc)
{
	uint8_t before = strake_account_enter(&tx_step);
	struct port *port = lc->port;
	uint16_t sent = 0, k;

	if (lc->tx_owner == lc->index) {
		do {
			k = device_tx(lc, &lc->tx[sent], (uint16_t)RTE_MIN(lc->n_tx - sent, port->tx_burst_max));
			sent += k;
		} while (k != 0 && sent < lc->n_tx);
	} else {
		sent = (uint16_t)rte_ring_sp_enqueue_burst(port->tx_ring[lc->index], (void **)lc->tx, lc->n_tx, NULL);
		lc->stats.tx_handed += sent;
		if (sent != 0)
			port_kick(lc, lc->tx_owner);
	}
	lc->n_tx -= sent;
	if (unlikely(lc->n_tx != 0 && sent != 0))
		memmove(&lc->tx[0], &lc->tx[sent], lc->n_tx * sizeof(lc->tx[0]));
	strake_account_leave(before);
	return sent;
}

int
port_tx(struct port_lcore *lc, struct rte_mbuf *m)
{
	if (unlikely(lc->n_tx == PORT_TX_HOLD) && tx_push(lc) == 0) {
		port_drop(m, &lc->stats.tx_drop_full);
		return -ENOBUFS;
	}
	lc->stats.tx_packets++;
	lc->stats.tx_bytes += m->pkt_len;
	lc->tx[lc->n_tx++] = m;
	return 0;
}

/** Take what lcores without a queue want sent, as far as there is room. */
static void
tx_collect(struct port_lcore *lc)
{
	struct port *port = lc->port;

	for (uint16_t i = port->n_queues + 1; i <= port->n_lcores; i++) {
		if (port_tx_owner(port, i) != lc->index)
			continue;
		lc->n_tx += (uint16_t)rte_ring_sc_dequeue_burst(port->tx_ring[i], (void **)&lc->tx[lc->n_tx],
								PORT_TX_HOLD - lc->n_tx, NULL);
	}
}

/** Nothing went. A memif without a peer is like that: what is old by now is of no use to anyone when one comes. */
static void
tx_stalled(struct port_lcore *lc, uint64_t now)
{
	if (lc->stalled == 0) {
		lc->stalled = now;
	} else if (now - lc->stalled > TX_STALL_NS) {
		lc->stats.tx_drop_full += lc->n_tx;
		rte_pktmbuf_free_bulk(lc->tx, lc->n_tx);
		lc->n_tx = 0;
		lc->stalled = 0;
	}
}

static uint32_t
flush(struct strake_poller *p, uint64_t now)
{
	struct port_lcore *lc = of_poller(p);
	uint16_t sent;

	if (lc->tx_owner == lc->index)
		tx_collect(lc);
	if (lc->n_tx == 0)
		return 0;
	sent = tx_push(lc);
	if (likely(sent != 0))
		lc->stalled = 0;
	else
		tx_stalled(lc, now);
	return sent;
}

/* --- between lcores --- */

static void
kick_run(struct strake_msg *msg)
{
	struct port_kick *kick = (struct port_kick *)msg;

	/* Pairs with the exchange in port_kick(): either the sender sees false and kicks again, or we see in the
	 * ring what it put there before. The poller runs after the messages, in this turn. */
	(void)__atomic_exchange_n(&kick->sent, false, __ATOMIC_SEQ_CST);
}

void
port_kick_one(struct port_kick *kick, uint16_t to)
{
	if (__atomic_exchange_n(&kick->sent, true, __ATOMIC_SEQ_CST))
		return;
	kick->msg.fn = kick_run;
	strake_msg_send(to, &kick->msg);
}

void
port_kick(struct port_lcore *lc, uint16_t to)
{
	port_kick_one(&lc->kick[to], to);
}

static void
hand_push(struct port_lcore *lc, uint16_t to)
{
	struct rte_ring *ring = lc->port->rx_ring[lc->index][to];
	uint16_t n = lc->n_hand[to], k;

	k = (uint16_t)rte_ring_sp_enqueue_burst(ring, (void **)lc->hand[to], n, NULL);
	lc->stats.rx_handed += k;
	lc->stats.rx_drop_handover += n - k;
	rte_pktmbuf_free_bulk(&lc->hand[to][k], n - k);
	lc->n_hand[to] = 0;
	if (k != 0)
		port_kick(lc, to);
}

void
port_hand(struct port_lcore *lc, uint16_t owner, struct rte_mbuf *m)
{
	lc->hand[owner][lc->n_hand[owner]++] = m;
	if (lc->n_hand[owner] == PORT_BURST)
		hand_push(lc, owner);
}

/* --- receive --- */

static void
deliver(struct port_lcore *lc)
{
	uint16_t n = lc->n_tcp;

	lc->n_tcp = 0;
	if (unlikely(lc->ifp.rx == NULL)) {
		lc->stats.rx_drop_no_user += n;
		rte_pktmbuf_free_bulk(lc->tcp, n);
		return;
	}
	lc->stats.rx_tcp += n;
	lc->ifp.rx(lc->ifp.user, lc->tcp, n);
}

void
port_tcp_input(struct port_lcore *lc, struct rte_mbuf *m)
{
	struct port_pkt *pkt = port_pkt(m);
	uint64_t flags = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	pkt->ifp = &lc->ifp;
	lc->stats.rx_joined += (m->ol_flags & RTE_MBUF_F_RX_LRO) != 0;
	/* NONE: the sender is on this machine and left the sum undone, but the device vouches for the bytes. */
	if (flags != RTE_MBUF_F_RX_L4_CKSUM_GOOD && flags != RTE_MBUF_F_RX_L4_CKSUM_NONE &&
	    (flags == RTE_MBUF_F_RX_L4_CKSUM_BAD || !port_csum_ok(m, 0, pkt, IPPROTO_TCP))) {
		port_drop(m, &lc->stats.rx_drop_l4_cksum);
		return;
	}
	lc->tcp[lc->n_tcp++] = m;
	if (lc->n_tcp == PORT_BURST)
		deliver(lc);
}

static uint32_t
rx_queue(struct port_lcore *lc, uint16_t queue)
{
	struct rte_mbuf *m[PORT_BURST];
	uint8_t before = strake_account_enter(&rx_step);
	uint16_t n = rte_eth_rx_burst(lc->port->id, queue, m, PORT_BURST);

	strake_account_leave(before);
	for (uint16_t i = 0; i < n && i < 4; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		if (i + 4 < n)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + 4], void *));
		port_eth_input(lc, m[i]);
	}
	lc->stats.rx_packets += n;
	return n;
}

static uint32_t
rx_ring(struct port_lcore *lc, struct rte_ring *ring)
{
	struct rte_mbuf *m[PORT_BURST];
	uint16_t n = (uint16_t)rte_ring_sc_dequeue_burst(ring, (void **)m, PORT_BURST, NULL);

	/* Another lcore wrote the mbufs: first they must come, then what they point to. */
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(m[i]);
	for (uint16_t i = 0; i < n; i++) {
		rte_prefetch0(port_pkt(m[i]));
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	}
	for (uint16_t i = 0; i < n; i++) {
		if (likely(m[i]->packet_type == PORT_HANDED_TCP))
			port_tcp_input(lc, m[i]);
		else
			port_too_big_input(lc, m[i]);
	}
	return n;
}

/** Take what others handed to us, and push out what we have for them. */
static uint32_t
rx_between(struct port_lcore *lc)
{
	struct port *port = lc->port;
	uint32_t n = 0;

	/* Lcores beyond the number of queues receive nothing, so they hand on nothing. */
	for (uint16_t i = 1; i <= port->n_queues && i <= port->n_lcores; i++)
		if (i != lc->index)
			n += rx_ring(lc, port->rx_ring[i][lc->index]);
	if (lc->index > port->n_queues)
		return n;
	for (uint16_t i = 1; i <= port->n_lcores; i++)
		if (lc->n_hand[i] != 0)
			hand_push(lc, i);
	return n;
}

static uint32_t
rx_all(struct port_lcore *lc)
{
	struct port *port = lc->port;
	uint32_t n = 0;

	for (uint16_t q = lc->index - 1; q < port->n_queues; q += port->n_lcores)
		n += rx_queue(lc, q);
	if (port->n_lcores > 1)
		n += rx_between(lc);
	if (lc->n_tcp != 0)
		deliver(lc);
	if (unlikely(port->exception != NULL) && lc->index == 1)
		n += port_exception_send(lc);
	return n;
}

static uint32_t
poll(struct strake_poller *p, uint64_t now)
{
	uint8_t before = strake_account_enter(&frame_step);
	uint32_t work = rx_all(of_poller(p));

	strake_account_leave(before);
	return work;
}

/* --- sleep --- */

static void
interrupts(struct port_lcore *lc, bool on)
{
	for (uint16_t q = lc->index - 1; q < lc->port->n_queues; q += lc->port->n_lcores) {
		/* Not every device with a descriptor has a switch: tap's is simply readable while frames wait. */
		if (on)
			rte_eth_dev_rx_intr_enable(lc->port->id, q);
		else
			rte_eth_dev_rx_intr_disable(lc->port->id, q);
	}
}

/** Forget the interrupts of a sleep, but not that there are any. */
static void
drain(struct port_lcore *lc)
{
	struct rte_epoll_event event[4];
	bool heard = false;

	while (rte_epoll_wait(lc->epfd, event, RTE_DIM(event), 0) > 0)
		heard = true;
	if (unlikely(heard && !__atomic_load_n(&lc->port->rx_heard, __ATOMIC_RELAXED)))
		__atomic_store_n(&lc->port->rx_heard, true, __ATOMIC_RELAXED);
}

static bool
arm(struct strake_poller *p, bool on)
{
	struct port_lcore *lc = of_poller(p);

	if (on && lc->n_tx != 0)
		strake_timer_arm(&lc->tick, strake_now() + TX_RETRY_NS);
	if (on && p->fd >= 0 && p->fd == lc->port->packet_rx)
		port_packet_arm(p->fd);
	if (lc->epfd < 0)
		return true;
	interrupts(lc, on);
	if (!on) {
		drain(lc);
		return true;
	}
	/* A driver's word is no proof: one may wait on a vector by which its card never raises any. Until one was heard
	 * we look as where there are none. */
	p->fd = __atomic_load_n(&lc->port->rx_heard, __ATOMIC_RELAXED) ? lc->epfd : -1;
	/* A frame that came between the last poll and the enabling raises no interrupt: look once more. */
	if (rx_all(lc) == 0)
		return true;
	interrupts(lc, false);
	return false;
}

/** What to sleep on for all RX queues of this lcore; -1: the device has nothing; -2: nothing to wait for but kicks. */
static int
open_epoll(struct port_lcore *lc)
{
	struct port *port = lc->port;

	lc->epfd = -1;
	if (lc->index > port->n_queues)
		return -2;
	if (!port->rx_intr)
		return port->packet_rx;
	lc->epfd = epoll_create1(EPOLL_CLOEXEC);
	for (uint16_t q = lc->index - 1; lc->epfd >= 0 && q < port->n_queues; q += port->n_lcores) {
		if (rte_eth_dev_rx_intr_ctl_q(port->id, q, lc->epfd, RTE_INTR_EVENT_ADD, NULL) == 0)
			continue;
		close(lc->epfd);
		lc->epfd = -1;
	}
	return lc->epfd;
}

static void
close_epoll(struct port_lcore *lc)
{
	if (lc->epfd < 0)
		return;
	/* The device remembers the descriptor and would use its number again. */
	for (uint16_t q = lc->index - 1; q < lc->port->n_queues; q += lc->port->n_lcores)
		rte_eth_dev_rx_intr_ctl_q(lc->port->id, q, lc->epfd, RTE_INTR_EVENT_DEL, NULL);
	close(lc->epfd);
	lc->epfd = -1;
}

/* --- timer --- */

static void
announce(struct port_lcore *lc)
{
	const struct port *port = lc->port;

	lc->announces--;
	for (unsigned int i = 0; i < port->n_addrs; i++) {
		if (port->addrs[i].addr.family == 6)
			port_nd_announce(lc, &port->addrs[i].addr);
		else
			port_arp_announce(lc, &port->addrs[i].addr);
	}
}

static void
tick(struct strake_timer *t, uint64_t now)
{
	struct port_lcore *lc = container_of(t, struct port_lcore, tick);
	uint64_t next = TICK_NS;

	if (lc->announces != 0)
		announce(lc);
	if (port_neigh_tick(lc, now))
		next = TICK_SOON_NS;
	else if (lc->announces != 0)
		next = STRAKE_NS_PER_SEC;
	port_dst_tick(lc, now);
	strake_timer_arm(t, now + next);
}

void
port_announce(struct port_lcore *lc)
{
	if (!lc->in_poller)
		return;
	lc->announces = ANNOUNCES;
	tick(&lc->tick, strake_now());
}

void
port_tick_soon(struct port_lcore *lc, uint64_t now)
{
	if (!strake_timer_armed(&lc->tick) || lc->tick.due > now + TICK_SOON_NS)
		strake_timer_arm(&lc->tick, now + TICK_SOON_NS);
}

/* --- life --- */

static void
fill_ifp(struct port_lcore *lc)
{
	struct port *port = lc->port;
	struct port_if *ifp = &lc->ifp;

	ifp->ops = &port_if_ops;
	ifp->port = port;
	ifp->name = port->name;
	ifp->mtu = port->mtu;
	ifp->tx_segs_max = port->tx_segs_max;
	ifp->copies = port->copies;
	ifp->caps = (port->tso ? PORT_CAP_TSO : 0) | (port->lro ? PORT_CAP_LRO : 0);
	ifp->tso_max = port->tso_max;
	ifp->pool = port->pool;
	ifp->ext_pool = port->ext_pool;
}

struct port_if *
port_lcore_init(struct port *port)
{
	struct strake_lcore *self = strake_self();
	struct port_lcore *lc;

	lc = rte_zmalloc_socket("port_lcore", sizeof(*lc), RTE_CACHE_LINE_SIZE, self->socket);
	if (lc == NULL)
		return NULL;
	lc->port = port;
	lc->index = self->index;
	lc->tx_owner = port_tx_owner(port, lc->index);
	lc->tx_queue = lc->tx_owner - 1;
	fill_ifp(lc);
	if (port_neigh_init(lc) < 0 || port_dst_init(lc) < 0) {
		port_dst_fini(lc);
		port_neigh_fini(lc);
		rte_free(lc);
		return NULL;
	}
	lc->poller.name = port->name;
	lc->poller.poll = poll;
	lc->poller.flush = flush;
	lc->poller.arm = arm;
	lc->poller.fd = open_epoll(lc);
	lc->tick.fn = tick;
	lc->announces = lc->index == 1 ? ANNOUNCES : 0;
	lc->in_poller = true;
	port->lcores[lc->index] = lc;
	strake_poller_add(&lc->poller);
	strake_timer_arm(&lc->tick, strake_now() + STRAKE_NS_PER_MS);
	return &lc->ifp;
}

void
port_lcore_fini(struct port *port)
{
	struct port_lcore *lc = port->lcores[strake_self_index()];

	if (lc == NULL || !lc->in_poller)
		return;
	flush(&lc->poller, strake_now());
	lc->in_poller = false;
	strake_poller_del(&lc->poller);
	strake_timer_cancel(&lc->tick);
	close_epoll(lc);
	port_neigh_fini(lc);
	port_dst_fini(lc);
	rte_pktmbuf_free_bulk(lc->tx, lc->n_tx);
	lc->n_tx = 0;
}

struct port_if *
port_if_self(struct port *port)
{
	struct port_lcore *lc = port->lcores[strake_self_index()];

	return lc != NULL ? &lc->ifp : NULL;
}
