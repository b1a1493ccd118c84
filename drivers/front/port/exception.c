/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The exception path: the data lcores' end of it, and main's. */

#include "exception.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "strake_kernel.h"

#define READ_NS	  (20 * STRAKE_NS_PER_US) /* an empty tap is not asked again before, unless main sleeps on it */
#define SEGS_MAX  16			  /* of a frame to the kernel; af_packet and cards at usual MTUs give one */
#define DEPTH_NS  (100 * STRAKE_NS_PER_MS)
#define BURST_MIN 64 /* frames a full bucket has at least */

/* --- data lcores ---------------------------------------------------------------------------------------------------
 */

/* The kernel's end wants the frame as it was on the wire: the tag the device took off is put back. */
static int
restore_tag(struct rte_mbuf *m)
{
	if ((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0)
		return 0;
	return rte_vlan_insert(&m);
}

/* Between programs of one machine sums are left to whoever needs them: a virtio device vouches for a frame whose sum is
 * half done. The kernel's end takes it for a frame of the wire, so it is finished here. */
static void
finish_sum(struct rte_mbuf *m)
{
	struct rte_net_hdr_lens lens;
	uint32_t type, l4, off, len, at;
	uint16_t *field;
	uint64_t sum;
	void *ip;

	if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_NONE)
		return;
	type = rte_net_get_ptype(m, &lens, RTE_PTYPE_ALL_MASK);
	l4 = type & RTE_PTYPE_L4_MASK;
	off = lens.l2_len + lens.l3_len;
	at = off +
	     (l4 == RTE_PTYPE_L4_UDP ? offsetof(struct rte_udp_hdr, dgram_cksum) : offsetof(struct rte_tcp_hdr, cksum));
	if ((l4 != RTE_PTYPE_L4_UDP && l4 != RTE_PTYPE_L4_TCP) || m->data_len < at + sizeof(*field))
		return;
	ip = rte_pktmbuf_mtod_offset(m, void *, lens.l2_len);
	if (RTE_ETH_IS_IPV4_HDR(type)) {
		len = rte_be_to_cpu_16(((struct rte_ipv4_hdr *)ip)->total_length) - lens.l3_len;
		sum = rte_ipv4_phdr_cksum(ip, 0);
	} else if (lens.l3_len == sizeof(struct rte_ipv6_hdr)) {
		len = rte_be_to_cpu_16(((struct rte_ipv6_hdr *)ip)->payload_len);
		sum = rte_ipv6_phdr_cksum(ip, 0);
	} else {
		return;
	}
	if (len > m->pkt_len - off)
		return;
	field = rte_pktmbuf_mtod_offset(m, uint16_t *, at);
	*field = 0;
	*field = strake_cksum_fold(port_csum_chain(m, off, len, sum));
	if (*field == 0) /* to UDP that would say that there is none; to TCP both are the same */
		*field = 0xffff;
}

void
port_pass(struct port_lcore *lc, struct rte_mbuf *m)
{
	struct port_exception *e = lc->port->exception;

	if (e == NULL) {
		rte_pktmbuf_free(m);
		return;
	}
	/* Our own, come back by a loop in the network. */
	if (rte_is_same_ether_addr(&rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->src_addr, &lc->port->mac)) {
		rte_pktmbuf_free(m);
		return;
	}
	if (!port_bucket_take(&lc->exceptions, e->period, e->depth, strake_now())) {
		port_drop(m, &lc->stats.exception_drop_rate);
		return;
	}
	finish_sum(m);
	if (restore_tag(m) < 0 || rte_ring_sp_enqueue(e->to_kernel[lc->index], m) < 0) {
		port_drop(m, &lc->stats.exception_drop_full);
		return;
	}
	port_kick(lc, STRAKE_LCORE_MAIN);
}

void
port_pass_copy(struct port_lcore *lc, struct rte_mbuf *m)
{
	struct rte_mbuf *copy;

	if (lc->port->exception == NULL)
		return;
	copy = rte_pktmbuf_copy(m, lc->ifp.pool, 0, UINT32_MAX);
	if (copy != NULL)
		port_pass(lc, copy);
	else
		lc->stats.exception_drop_full++;
}

void
port_exception(struct port_lcore *lc, struct rte_mbuf *m)
{
	lc->stats.rx_exception++;
	port_pass(lc, m);
}

bool
port_foreign(struct port_if *ifp, struct rte_mbuf *m)
{
	struct port_lcore *lc = port_lcore_of(ifp);

	if (lc->port->exception == NULL)
		return false;
	/* Everybody on the way only moved the start of the data. */
	rte_pktmbuf_prepend(m, m->data_off - port_pkt(m)->frame_off);
	port_exception(lc, m);
	return true;
}

uint32_t
port_exception_send(struct port_lcore *lc)
{
	struct rte_mbuf *m[PORT_BURST];
	unsigned int n = rte_ring_sc_dequeue_burst(lc->port->exception->from_kernel, (void **)m, PORT_BURST, NULL);

	for (unsigned int i = 0; i < n; i++)
		port_tx(lc, m[i]);
	return n;
}

/* --- main ----------------------------------------------------------------------------------------------------------
 */

static void
write_frame(struct port_exception *e, struct rte_mbuf *m)
{
	struct iovec iov[SEGS_MAX];
	int n = 0;

	for (struct rte_mbuf *seg = m; seg != NULL && n < SEGS_MAX; seg = seg->next)
		iov[n++] = (struct iovec){rte_pktmbuf_mtod(seg, void *), seg->data_len};
	/* A tap that is down or full loses frames, as a wire does. */
	if (m->nb_segs <= SEGS_MAX && writev(e->fd, iov, n) == (ssize_t)m->pkt_len)
		e->stats.exception_to_kernel++;
	else
		e->stats.exception_drop_tap++;
	rte_pktmbuf_free(m);
}

static uint32_t
write_frames(struct port_exception *e)
{
	struct rte_mbuf *m[PORT_BURST];
	uint32_t all = 0;

	for (uint16_t i = 1; i <= e->port->n_lcores; i++) {
		unsigned int n = rte_ring_sc_dequeue_burst(e->to_kernel[i], (void **)m, PORT_BURST, NULL);

		for (unsigned int k = 0; k < n; k++)
			write_frame(e, m[k]);
		all += n;
	}
	return all;
}

/* @return false: there is nothing more to read. */
static bool
read_frame(struct port_exception *e, uint64_t now)
{
	struct rte_mbuf *m = e->spare != NULL ? e->spare : rte_pktmbuf_alloc(e->port->pool);
	ssize_t got;

	e->spare = NULL;
	if (m == NULL) {
		e->stats.tx_drop_nombuf++;
		return false;
	}
	got = read(e->fd, rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m));
	if (got < RTE_ETHER_HDR_LEN) {
		e->spare = m;
		return got >= 0;
	}
	if (!port_bucket_take(&e->bucket, e->main_period, e->depth, now)) {
		e->stats.exception_drop_rate++;
		e->spare = m;
		return true;
	}
	rte_pktmbuf_append(m, (uint16_t)got);
	if (rte_ring_sp_enqueue(e->from_kernel, m) < 0)
		port_drop(m, &e->stats.exception_drop_full);
	else
		e->stats.exception_from_kernel++;
	return true;
}

static uint32_t
exception_poll(struct strake_poller *p, uint64_t now)
{
	struct port_exception *e = container_of(p, struct port_exception, poller);
	uint32_t wrote = write_frames(e), n = 0;

	if (now >= e->read_at) {
		while (n < PORT_BURST && read_frame(e, now))
			n++;
		e->read_at = n == PORT_BURST ? 0 : now + READ_NS;
	}
	if (n != 0)
		port_kick_one(&e->kick, 1);
	return wrote + n;
}

/* Awake again: whatever is there is wanted now. */
static bool
exception_arm(struct strake_poller *p, bool on)
{
	struct port_exception *e = container_of(p, struct port_exception, poller);

	e->read_at = 0;
	return true;
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

static struct rte_ring *
make_ring(const struct port *port, char kind, unsigned int lcore)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "port%u_x%c%u", port->id, kind, lcore);
	return rte_ring_create(name, EXCEPTION_RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static void
free_ring(struct rte_ring *ring)
{
	void *m;

	while (ring != NULL && rte_ring_dequeue(ring, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(ring);
}

static void
release(struct port_exception *e)
{
	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++)
		free_ring(e->to_kernel[i]);
	free_ring(e->from_kernel);
	rte_pktmbuf_free(e->spare);
	close(e->fd);
	rte_free(e);
}

int
port_exception_create(struct port *port, const char *name, int fd, unsigned int rate)
{
	struct port_exception *e = rte_zmalloc("port_exception", sizeof(*e), RTE_CACHE_LINE_SIZE);

	if (e == NULL) {
		close(fd);
		return -ENOMEM;
	}
	e->port = port;
	e->fd = fd;
	snprintf(e->name, sizeof(e->name), "%s", name);
	e->main_period = STRAKE_NS_PER_SEC / rate;
	/* Which lcore meets the frames is not ours to say, so each has its part. */
	e->period = e->main_period * port->n_lcores;
	e->depth = RTE_MAX(DEPTH_NS, BURST_MIN * e->period);
	e->from_kernel = make_ring(port, 'f', 1);
	for (uint16_t i = 1; i <= port->n_lcores; i++) {
		e->to_kernel[i] = make_ring(port, 't', i);
		if (e->to_kernel[i] == NULL || e->from_kernel == NULL) {
			release(e);
			return -ENOMEM;
		}
	}
	e->poller.name = "exception path";
	e->poller.poll = exception_poll;
	e->poller.arm = exception_arm;
	e->poller.fd = fd;
	strake_poller_add(&e->poller);
	port->exception = e;
	return 0;
}

void
port_exception_destroy(struct port *port)
{
	struct port_exception *e = port->exception;

	if (e == NULL)
		return;
	strake_poller_del(&e->poller);
	port->exception = NULL;
	release(e);
}
