/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PORT_H
#define PORT_H

/**
 * @file
 * A port: an ethdev with Ethernet, 802.1Q, ARP, neighbour discovery, IPv4, IPv6 and ICMP, as TCP sees it.
 *
 * Each data lcore has its own struct port_if of each port. What arrives is checked up to and including the transport
 * checksum and handed on with data_off at the transport header; what is sent gets its IP and Ethernet headers and its
 * checksum here. Tests put a fake wire in the place of a port by filling struct port_if themselves.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "conf.h"

#ifdef __cplusplus
extern "C" {
#endif

struct port;
struct port_if;

/** An address in network order; IPv4 in the first four bytes, the others zero. */
struct port_addr {
	uint8_t family; /**< 4 or 6 */
	uint8_t b[16];
};

/** What the port found out about a received packet: in the mbuf's private area, see port_pkt(). */
struct port_pkt {
	struct port_if *ifp;
	struct port_addr src, dst;
	uint8_t tos; /**< DSCP and ECN (RFC 3168) */
	uint8_t ttl;
	uint8_t pcp;	    /**< 802.1Q priority; 0 without a tag */
	uint16_t l4_len;    /**< bytes of transport header and payload; the mbuf chain is trimmed to it */
	uint32_t hash;	    /**< symmetric over addresses and ports, seeded; the same on every lcore */
	uint16_t frame_off; /**< data_off of the frame's start, for port_if_ops::foreign */
	void *owner;	    /**< the transport's while it holds the mbuf (receive credit) */
};

/** Every mbuf that passes a port_if comes from a pool with this private size. */
#define PORT_MBUF_PRIV RTE_ALIGN_CEIL(sizeof(struct port_pkt), RTE_MBUF_PRIV_ALIGN)

static inline struct port_pkt *
port_pkt(struct rte_mbuf *m)
{
	return (struct port_pkt *)rte_mbuf_to_priv(m);
}

/** In the packet_type of an mbuf that is not the first of its packet: port_sum_known(). */
#define PORT_SUM_KNOWN 0x4d555300u

/** Before port_if_ops::send: the sum of all bytes of @p m, folded to 16 bits and not inverted, is @p sum, so that they
 * need not be read for the checksum. Not for the first mbuf of a packet. */
static inline void
port_sum_known(struct rte_mbuf *m, uint16_t sum)
{
	m->packet_type = PORT_SUM_KNOWN;
	m->hash.usr = sum;
}

/* port_if::caps */
#define PORT_CAP_TSO 0x01 /**< frames larger than the MTU may be sent, with tso_segsz set */
#define PORT_CAP_LRO 0x02 /**< received packets may be several segments joined */

/** A way to a peer: next hop and header template. Kept by a connection while it lives. Belongs to one port_if. */
struct port_dst {
	struct port_if *ifp;
	struct port_addr local, remote;
	uint16_t mtu; /**< of the path: the port's, or less after packet-too-big (RFC 1191, RFC 8201) */
};

struct port_if_ops {
	/** Find the way to @p remote from our address @p local, or, if that is all zero, from the one that suits (in
	 * port_dst::local). @return NULL: no such address of ours, no way there, or no memory. */
	struct port_dst *(*route)(struct port_if *ifp, const struct port_addr *local, const struct port_addr *remote);
	void (*unroute)(struct port_dst *dst);
	/**
	 * Send a transport segment: data at the transport header, at least 128 bytes of headroom in the first mbuf,
	 * checksum field zero. Takes the mbuf. Fills in the TCP checksum (offloaded or not), IP and Ethernet. With
	 * PORT_CAP_TSO and m->tso_segsz set, the port cuts it. Queued until the end of the turn.
	 * @return 0, or -ENOBUFS when it was dropped (a full ring; counted).
	 */
	int (*send)(struct port_dst *dst, struct rte_mbuf *m, uint8_t tos);
	/**
	 * The same for a segment from @p local to @p remote, of which neither need be known here, nor of the family of
	 * @p dst: to the next hop that @p dst leads to. For what a host must hear when the way it came by is dead.
	 * @return 0, or -ENOBUFS when it was dropped (also: the next hop is not known just now). Optional.
	 */
	int (*send_as)(struct port_dst *dst, const struct port_addr *local, const struct port_addr *remote,
		       struct rte_mbuf *m);
	/**
	 * A received segment for nobody here: neither for a connection nor for a port that is listened on. Goes to the
	 * host's kernel, whole, if the port has an exception path. @return true if the mbuf was taken. Optional.
	 */
	bool (*foreign)(struct port_if *ifp, struct rte_mbuf *m);
};

/** One lcore's view of a port. */
struct port_if {
	const struct port_if_ops *ops;
	struct port *port;
	const char *name;
	uint16_t mtu;
	uint16_t tx_segs_max;	      /**< mbufs to a frame; 1: the sender must linearise (AF_XDP) */
	uint32_t caps;		      /**< PORT_CAP_* */
	bool copies;		      /**< a processor of ours reads what is sent; a card fetches it by itself */
	uint32_t tso_max;	      /**< largest TSO packet, bytes of transport payload */
	struct rte_mempool *pool;     /**< direct mbufs with room for headers and for linear frames */
	struct rte_mempool *ext_pool; /**< mbufs without room, to attach external buffers to */
	/** The transport above, set by it on this lcore. rx takes mbufs with port_pkt() filled, all TCP. */
	void (*rx)(void *user, struct rte_mbuf **m, uint16_t n);
	/** ICMP says: the path to @p remote takes no more than @p mtu; @p l4 is the quoted start (at least 8 bytes) of
	 * our own transport header. @return true if that is believed: then port_dst::mtu shrinks for all. */
	bool (*too_big)(void *user, const struct port_addr *local, const struct port_addr *remote, const uint8_t *l4,
			uint16_t mtu);
	void *user;
};

/* --- main lcore ----------------------------------------------------------------------------------------------------
 */

/** Open, configure and start an ethdev. Main, before traffic. @return 0 or -errno and one line in @p err. */
int port_open(struct port **out, const struct conf_port *conf, unsigned int n_data_lcores, char *err, size_t errlen);
void port_close(struct port *port);
/** On each data lcore, before traffic: makes its port_if and adds its poller. @return NULL: out of memory. */
struct port_if *port_lcore_init(struct port *port);
/** On each data lcore, after its connections are gone. */
void port_lcore_fini(struct port *port);
/** This lcore's view. */
struct port_if *port_if_self(struct port *port);
/**
 * Which lcore owns a flow: the one whose RX queue the port would choose for it where RSS steers, or the one the hash
 * chooses where frames are handed on by ring. For active opens, which must pick a source port that comes home.
 * TCP ports in host order.
 */
uint16_t port_flow_lcore(struct port *port, const struct port_addr *local, uint16_t lport,
			 const struct port_addr *remote, uint16_t rport);
/** True if @p addr is one of the port's own. */
bool port_has_addr(const struct port *port, const struct port_addr *addr);
struct port *port_nth(unsigned int i);

#ifdef __cplusplus
}
#endif

#endif /* PORT_H */
