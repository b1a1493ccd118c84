/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Sending on an af_packet device by a socket of our own. The driver copies each frame into a ring that it shares with
 * the kernel; a virtual interface may not keep pages of user space (skb_orphan_frags()), so the kernel then copies it
 * once more into pages it must find first. Given the pieces of a frame as they lie, it copies them once. A virtio
 * header before each tells how much belongs to the headers, which the receiving side would otherwise move there itself.
 * It also lets us give the kernel up to 64 KiB at once, as its own TCP does: it cuts them just before the device, or
 * leaves that to the device, and completes the checksums, so that all but the copy is done once and not for each frame.
 */

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_tcp.h>

#include "port_impl.h"

#define FRAMES 32  /* to one call */
#define PIECES 256 /* of them all together */
#define SNDBUF (8 << 20)

/** Name of the interface in devargs. @return false: none. */
static bool
iface_of(const char *device, char name[IFNAMSIZ])
{
	const char *at = strstr(device, "iface=");

	if (at == NULL)
		return false;
	at += strlen("iface=");
	snprintf(name, IFNAMSIZ, "%.*s", (int)strcspn(at, ","), at);
	return true;
}

/** @p cut: the kernel shall cut segments, which it does only before the queueing discipline. Else we go past that, as
 * the driver does: the driver's socket would hear what we send. */
static int
socket_open(unsigned int ifindex, bool cut)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)ifindex};
	int size = SNDBUF, on = 1, bypass = !cut, ret;
	/* Protocol 0: it receives nothing. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	/* Forced where we may; what the system allows is enough to go on with. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

int
port_packet_open(struct port *port, const char *device)
{
	char name[IFNAMSIZ];
	unsigned int ifindex;
	bool deaf;
	int rx;

	if (!iface_of(device, name))
		return 0;
	ifindex = if_nametoindex(name);
	if (ifindex == 0)
		return -errno;
	rx = port_packet_find(ifindex, &deaf);
	if (port->n_queues == 1)
		port->packet_rx = rx;
	/* Asked to pass through the queueing discipline, the driver does so better. */
	if (strstr(device, "qdisc_bypass=0") != NULL)
		return 0;
	/* The tag lies in the frame, behind which not every kernel finds what to cut. */
	port->packet_cuts = deaf && port->vlan == 0;
	for (uint16_t q = 0; q < port->n_queues && q < port->n_lcores; q++) {
		port->packet[q] = socket_open(ifindex, port->packet_cuts);
		if (port->packet[q] < 0)
			return port->packet[q];
	}
	port->tso = port->packet_cuts;
	port->tso_max = port->tso ? PORT_TSO_MAX : 0;
	port->tx_segs_max = RTE_MIN(port->tx_segs_max, (uint16_t)(PIECES / 4));
	return 0;
}

void
port_packet_close(struct port *port)
{
	for (unsigned int q = 0; q < RTE_DIM(port->packet); q++) {
		if (port->packet[q] >= 0)
			close(port->packet[q]);
		port->packet[q] = -1;
	}
	port->packet_rx = -1; /* the driver's, which closes it */
}

struct batch {
	struct mmsghdr msg[FRAMES];
	struct virtio_net_hdr head[FRAMES];
	struct iovec iov[PIECES];
};

/** What the kernel is told of a frame: bytes of headers, and where it shall cut (virtio 1.2, 5.1.6.2). */
static struct virtio_net_hdr
head_of(const struct rte_mbuf *m)
{
	struct virtio_net_hdr h = {.hdr_len = m->data_len};

	if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0)
		return h;
	h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h.gso_type = m->ol_flags & RTE_MBUF_F_TX_IPV4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
	h.gso_size = m->tso_segsz;
	h.csum_start = (uint16_t)(m->l2_len + m->l3_len);
	h.csum_offset = offsetof(struct rte_tcp_hdr, cksum);
	return h;
}

/** Make messages of as many frames as there is room for. @return frames. */
static unsigned int
gather(struct batch *b, struct rte_mbuf **frames, unsigned int n)
{
	unsigned int used = 0, k;

	for (k = 0; k < n && used + 1 + frames[k]->nb_segs <= PIECES; k++) {
		b->msg[k].msg_hdr = (struct msghdr){.msg_iov = &b->iov[used], .msg_iovlen = 1u + frames[k]->nb_segs};
		b->head[k] = head_of(frames[k]);
		b->iov[used++] = (struct iovec){&b->head[k], sizeof(b->head[k])};
		for (struct rte_mbuf *m = frames[k]; m != NULL; m = m->next)
			b->iov[used++] = (struct iovec){rte_pktmbuf_mtod(m, void *), m->data_len};
	}
	return k;
}

/** The kernel does not take a frame. One that it should have cut is sent again in frames of the MTU, as all are then.
 */
static void
refused(struct port_lcore *lc, const struct rte_mbuf *m, int err)
{
	lc->stats.tx_drop_refused++;
	if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0 || (err != EINVAL && err != EMSGSIZE))
		return;
	/* Those whose frames we send as well: they read it before every segment. */
	for (unsigned int i = 0; i < RTE_DIM(lc->port->lcores); i++)
		if (lc->port->lcores[i] != NULL)
			__atomic_and_fetch(&lc->port->lcores[i]->ifp.caps, ~(uint32_t)PORT_CAP_TSO, __ATOMIC_RELAXED);
}

uint16_t
port_packet_tx(struct port_lcore *lc, int fd, struct rte_mbuf **frames, uint16_t n)
{
	struct batch b;
	uint16_t done = 0;

	while (done < n) {
		unsigned int k = gather(&b, &frames[done], RTE_MIN(n - done, FRAMES));
		int sent = sendmmsg(fd, b.msg, k, MSG_DONTWAIT);

		if (sent < 0) {
			if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
				break; /* full: later */
			refused(lc, frames[done], errno);
			sent = 1;
		}
		rte_pktmbuf_free_bulk(&frames[done], (unsigned int)sent);
		done = (uint16_t)(done + sent);
	}
	return done;
}
