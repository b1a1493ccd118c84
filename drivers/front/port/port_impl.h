/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PORT_IMPL_H
#define PORT_IMPL_H

/**
 * @file
 * A port from the inside: what the files of this room share.
 *
 * struct port is written on main before traffic and read by all afterwards (but for `rx_heard`). struct port_lcore
 * belongs to its lcore; others touch only the rings into it, its kicks' flags and (reading) its counters.
 */

#include <sys/queue.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "strake_lcore.h"
#include "port.h"
#include "port_stats.h"

#define PORT_BURST	  32   /* frames to one receive call */
#define PORT_DESCS	  1024 /* descriptors of a queue, if the device agrees */
#define PORT_RING	  1024 /* slots of a hand-over ring */
#define PORT_RING_ICMP	  64   /* the same where RSS steers and only ICMP errors are handed on */
#define PORT_TX_HOLD	  1024 /* frames kept for the device at most */
#define PORT_ADDRS_MAX	  32
#define PORT_RETA_MAX	  512
#define PORT_RSS_KEY_MAX  64
#define PORT_NEIGHS	  1024 /* entries of a neighbour table */
#define PORT_NEIGH_WAIT	  8    /* packets that wait for one neighbour */
#define PORT_NEIGH_WAITS  512  /* packets that wait for all neighbours of an lcore */
#define PORT_NEIGH_BUCKET 256
#define PORT_DSTS	  4096 /* ways of an lcore */
#define PORT_DST_BUCKET	  1024
#define PORT_NOTES	  1024					/* messages about neighbours under way */
#define PORT_ETH_MAX	  18					/* Ethernet header with a tag, bytes */
#define PORT_TSO_MAX	  (UINT16_MAX - PORT_ETH_MAX - 40 - 60) /* payload of what is cut: one IP packet until then */

/* mbuf::packet_type of a frame handed to its owner, so that the owner need not parse it again. */
#define PORT_HANDED_TCP	    RTE_PTYPE_L4_TCP
#define PORT_HANDED_TOO_BIG RTE_PTYPE_L4_ICMP

/** One address of ours and its network. */
struct port_prefix {
	struct port_addr addr;
	uint8_t len; /* bits */
};

struct port {
	char name[32];
	uint16_t id; /* of the ethdev */
	uint16_t n_lcores;
	uint16_t n_queues; /* RX and TX pairs; pair q is polled by data lcore 1 + q % n_lcores */
	uint16_t mtu;
	uint16_t vlan; /* 0: none */
	uint16_t tx_segs_max;
	uint16_t tx_burst_max; /* frames the device may be given at once */
	uint32_t tso_max;
	bool copies;  /* the driver reads what is sent */
	bool plugged; /* by us, so unplugged by us */
	bool started;
	bool rss;      /* the device steers; otherwise frames go to their owner by ring */
	bool rx_intr;  /* queues have a descriptor to sleep on */
	bool rx_heard; /* an interrupt came by one of them; set by whichever lcore hears it first */
	bool tx_ip_cksum, tx_tcp_cksum, tso, lro, vlan_insert;
	bool tx_prepare; /* the driver must see frames before they are sent: it has work left to do in them */
	const char *driver;
	struct rte_ether_addr mac;
	struct port_prefix addrs[PORT_ADDRS_MAX];
	unsigned int n_addrs;
	struct port_addr gateway4, gateway6;		    /* family 0: none */
	uint64_t seed[3];				    /* of the flow hash */
	uint8_t rss_key[PORT_RSS_KEY_MAX] __rte_aligned(4); /* read by words */
	uint16_t reta_size;
	uint16_t reta[PORT_RETA_MAX];
	bool packet_cuts;	      /* af_packet: the kernel cuts segments (tso), though it computes no other sums */
	int packet_rx;		      /* af_packet's socket of the one RX queue, to sleep on; -1: none */
	int packet[STRAKE_LCORE_MAX]; /* by TX queue: socket to send by instead of the driver; -1: the driver */
	struct rte_mempool *pool, *ext_pool, *notes;
	struct port_bond *bond;		  /* NULL: one device */
	const char *below;		  /* driver of a bond's members; else `driver` */
	struct port_exception *exception; /* NULL: what is not ours is dropped */
	struct port_lcore *lcores[STRAKE_LCORE_MAX];
	/* From lcore, to lcore: received frames. Single producer, single consumer. */
	struct rte_ring *rx_ring[STRAKE_LCORE_MAX][STRAKE_LCORE_MAX];
	/* From an lcore without a TX queue to the one that sends for it. */
	struct rte_ring *tx_ring[STRAKE_LCORE_MAX];
};

enum neigh_state {
	NEIGH_FREE,
	NEIGH_SILENT,  /* no MAC address, nobody asks; `due` is when asking is allowed again */
	NEIGH_ASKING,  /* no MAC address, asked, packets wait */
	NEIGH_KNOWN,   /* MAC address usable */
	NEIGH_PROBING, /* usable, but old: asked again while it is used */
};

struct port_neigh {
	LIST_ENTRY(port_neigh) bucket;
	TAILQ_ENTRY(port_neigh) age; /* all entries, least recently looked up first */
	TAILQ_ENTRY(port_neigh) ask; /* ASKING and PROBING */
	struct port_addr addr;
	uint8_t state;
	uint8_t tries;
	uint8_t n_wait;
	uint32_t refs;			  /* ways in use */
	uint64_t confirmed, due, touched; /* ns */
	uint8_t eth[PORT_ETH_MAX];	  /* header of frames to it */
	struct rte_mbuf *wait[PORT_NEIGH_WAIT];
};

/** A way: port_dst first. Without references it stays for what is known of the path's MTU. */
struct port_way {
	struct port_dst d;
	LIST_ENTRY(port_way) bucket;
	TAILQ_ENTRY(port_way) idle; /* refs == 0, least recently used first; or the free list */
	struct port_neigh *neigh;   /* while refs > 0 */
	uint32_t refs;
	uint64_t mtu_until;  /* ns; 0: the port's MTU */
	uint64_t pseudo_sum; /* addresses and protocol of the TCP pseudo header, without the length */
	uint64_t ip_sum;     /* IPv4 header with tos, length and checksum 0 */
	uint8_t ip[40];
	uint8_t ip_len;
};

/** Tokens by time alone. */
struct port_bucket {
	uint64_t due; /* ns: when the bucket would be full again, less its depth */
};

/** Wakes one lcore on behalf of another; sent again only after it ran. */
struct port_kick {
	struct strake_msg msg;
	bool sent; /* set by the sender, cleared by the receiver */
};

struct port_lcore {
	struct port_if ifp; /* first */
	struct port *port;
	uint16_t index;
	uint16_t tx_owner; /* lcore that has the TX queue we use; ourselves if we have one */
	uint16_t tx_queue;
	uint16_t n_tx;
	uint16_t n_tcp;
	uint16_t n_waiting; /* packets in neigh->wait */
	bool in_poller;
	uint8_t announces; /* of our addresses, still to be sent */
	int epfd;
	struct strake_poller poller;
	struct strake_timer tick;
	struct port_stats stats;
	uint64_t stalled;			     /* since when the device takes nothing, ns; 0: it does */
	struct port_bucket exceptions;		     /* frames that may go to the kernel */
	uint64_t echo_tokens, echo_filled, defended; /* echo rate limit; last defence of an address */
	struct rte_mbuf *tcp[PORT_BURST];	     /* received, for ifp.rx */
	struct rte_mbuf *tx[PORT_TX_HOLD];
	uint16_t n_hand[STRAKE_LCORE_MAX];
	struct rte_mbuf *hand[STRAKE_LCORE_MAX][PORT_BURST];
	struct port_kick kick[STRAKE_LCORE_MAX]; /* by receiver */
	LIST_HEAD(, port_neigh) neigh_bucket[PORT_NEIGH_BUCKET];
	TAILQ_HEAD(neigh_list, port_neigh) neigh_age, neigh_ask, neigh_free;
	LIST_HEAD(, port_way) way_bucket[PORT_DST_BUCKET];
	TAILQ_HEAD(way_list, port_way) way_idle, way_free;
	struct port_neigh *neighs; /* PORT_NEIGHS */
	struct port_way *ways;	   /* PORT_DSTS */
};

static inline struct port_lcore *
port_lcore_of(struct port_if *ifp)
{
	return (struct port_lcore *)ifp;
}

static inline uint8_t
port_addr_len(const struct port_addr *a)
{
	return a->family == 6 ? 16 : 4;
}

static inline bool
port_addr_eq(const struct port_addr *a, const struct port_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/** Ethernet header length of what we send. */
static inline uint16_t
port_eth_len(const struct port *port)
{
	return port->vlan != 0 && !port->vlan_insert ? PORT_ETH_MAX : RTE_ETHER_HDR_LEN;
}

/* addr.c: the operator's words, and what addresses mean. */
int port_addr_parse(struct port_addr *out, const char *text);
int port_prefix_parse(struct port_prefix *out, const char *text);
bool port_prefix_match(const struct port_prefix *p, const struct port_addr *addr);
/** IPv4 broadcast address of a network of ours. */
bool port_addr_broadcast(const struct port *port, const struct port_addr *addr);
bool port_addr_multicast(const struct port_addr *addr);
/** Whom to ask for the MAC address on the way to @p remote. @return false: no route. */
bool port_next_hop(const struct port *port, const struct port_addr *remote, struct port_addr *hop);
/** True if @p addr is on a network of ours. */
bool port_on_link(const struct port *port, const struct port_addr *addr);
/** Our address in the network of @p remote, or the first of its family; NULL: none. */
const struct port_addr *port_source_for(const struct port *port, const struct port_addr *remote);
void port_solicited_node(const struct port_addr *addr, struct port_addr *group, struct rte_ether_addr *mac);

/* memif.c */
/** Remove the socket that a memif server of these devargs would find in its way, if nobody listens on it: what a
 * process leaves that was killed. */
void port_memif_clear(const char *device);

/* plug.c: finding, configuring and leaving the ethdev. */
int port_plug(struct port *port, const struct conf_port *conf, char *err, size_t errlen);
void port_unplug(struct port *port);
int port_device_start(struct port *port, const struct conf_port *conf, char *err, size_t errlen);
/** Let the multicast of our addresses in. */
void port_device_groups(struct port *port);
/** Devargs as given, with what af_packet needs for an MTU. */
void port_complete_devargs(const char *device, unsigned int mtu, char *args, size_t len);
extern int port_logtype;

/* packet.c: sending on an af_packet device. */
/** Open sockets for the queues, unless @p device asks for what they cannot do. Main. @return 0 or -errno. */
int port_packet_open(struct port *port, const char *device);
void port_packet_close(struct port *port);
/** Send frames, in order, and free what went. @return how many went; the others are for later. */
uint16_t port_packet_tx(struct port_lcore *lc, int fd, struct rte_mbuf **frames, uint16_t n);

/* packet_group.c */
/** rte_dev_probe(). An af_packet device's one socket is told to ignore what is sent. Main. */
int port_probe(const char *device);

/* packet_wait.c: the socket its driver receives by. */
/** The one packet socket of this process that receives on an interface, or -1. (*deaf): none of them hears any more
 * what is sent there. */
int port_packet_find(unsigned int ifindex, bool *deaf);
/** Before every sleep on it. */
void port_packet_arm(int fd);

/* port_lcore.c */
/** Queue a whole frame for the device. Takes it. @return 0 or -ENOBUFS. */
int port_tx(struct port_lcore *lc, struct rte_mbuf *m);
/** Lcore that sends for @p lcore: itself while there are enough queues. */
static inline uint16_t
port_tx_owner(const struct port *port, uint16_t lcore)
{
	return 1 + (lcore - 1) % port->n_queues;
}
/** Wake another lcore, which finds its work in a ring. */
void port_kick(struct port_lcore *lc, uint16_t to);
/** The same with a flag that is not an lcore's. */
void port_kick_one(struct port_kick *kick, uint16_t to);
/** Tell the network anew where our addresses are. On lcore 1. */
void port_announce(struct port_lcore *lc);
/** Hand a parsed frame to its owner. Takes it. */
void port_hand(struct port_lcore *lc, uint16_t owner, struct rte_mbuf *m);
/** A TCP segment whose owner is this lcore: data at the TCP header, port_pkt() filled. Takes it. */
void port_tcp_input(struct port_lcore *lc, struct rte_mbuf *m);

/* eth.c */
void port_eth_input(struct port_lcore *lc, struct rte_mbuf *m);

/* exception.c: data at the Ethernet header. */
/** Everything that is not ours comes here: counted, and passed to the kernel. Takes the frame. */
void port_exception(struct port_lcore *lc, struct rte_mbuf *m);
/** The kernel gets the frame where there is an exception path; else it is freed. Takes it. */
void port_pass(struct port_lcore *lc, struct rte_mbuf *m);
/** The same with a copy. */
void port_pass_copy(struct port_lcore *lc, struct rte_mbuf *m);
/** port_if_ops::foreign. */
bool port_foreign(struct port_if *ifp, struct rte_mbuf *m);
/** Send what the kernel has sent, on lcore 1. @return frames. */
uint32_t port_exception_send(struct port_lcore *lc);

/** Write the header of frames to @p mac. @return its length. */
uint16_t port_eth_header(const struct port *port, uint8_t *eth, const struct rte_ether_addr *mac, uint16_t ethertype);
/** Put a header before the packet and queue it. Takes it. @return 0 or -ENOBUFS. */
int port_eth_send(struct port_lcore *lc, struct rte_mbuf *m, const uint8_t *eth);
/** The same, to a MAC address. */
int port_eth_send_to(struct port_lcore *lc, struct rte_mbuf *m, const struct rte_ether_addr *mac, uint16_t ethertype);
static inline void
port_drop(struct rte_mbuf *m, uint64_t *counter)
{
	(*counter)++;
	rte_pktmbuf_free(m);
}
/** Cut the chain to @p len bytes; it has at least as many. */
void port_trim(struct rte_mbuf *m, uint32_t len);

/* arp.c, nd.c */
void port_arp_input(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off);
/** Ask for @p target; to @p mac if that is not NULL, else to all. */
void port_arp_request(struct port_lcore *lc, const struct port_addr *target, const struct rte_ether_addr *mac);
void port_arp_announce(struct port_lcore *lc, const struct port_addr *addr);
/** Neighbour solicitation or advertisement at @p l4, checksum already verified. */
void port_nd_input(struct port_lcore *lc, struct rte_mbuf *m, uint16_t l4);
void port_nd_solicit(struct port_lcore *lc, const struct port_addr *target, const struct rte_ether_addr *mac);
void port_nd_announce(struct port_lcore *lc, const struct port_addr *addr);

/* neigh.c */
/** Size of a message between lcores, for the pool they come from. */
size_t port_neigh_note_size(void);
int port_neigh_init(struct port_lcore *lc);
void port_neigh_fini(struct port_lcore *lc);
/** Entry of @p addr, made if there is none; NULL: the table is full of those in use. */
struct port_neigh *port_neigh_get(struct port_lcore *lc, const struct port_addr *addr, uint64_t now);
struct port_neigh *port_neigh_find(struct port_lcore *lc, const struct port_addr *addr);
/** Send a packet (data at the IP header) to a neighbour, or let it wait. Takes it. @return 0 or -ENOBUFS. */
int port_neigh_send(struct port_lcore *lc, struct port_neigh *n, struct rte_mbuf *m, uint64_t now);
/** Send a packet of this type, whatever the family of the neighbour's address, if it is known where that is. */
int port_neigh_send_as(struct port_lcore *lc, const struct port_neigh *n, struct rte_mbuf *m, uint16_t ethertype);
/** Learned: @p addr is at @p mac. @p make enters unknown ones if there is room; @p share tells the other lcores. */
void port_neigh_learn(struct port_lcore *lc, const struct port_addr *addr, const struct rte_ether_addr *mac, bool make,
		      bool share, uint64_t now);
/** Ask again where an answer is due; age. @return true while someone is being asked. */
bool port_neigh_tick(struct port_lcore *lc, uint64_t now);
/** Make the tick come soon. */
void port_tick_soon(struct port_lcore *lc, uint64_t now);

/* ipv4.c, ipv6.c: @p off is where the IP header begins. */
void port_ip4_input(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off, bool to_many);
void port_ip6_input(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off, bool to_many);
/** TCP with port_pkt() filled but for the hash: to its owner. @p l4 is where its header begins. Takes it. */
void port_l4_tcp(struct port_lcore *lc, struct rte_mbuf *m, uint16_t l4);

/* icmp.c */
void port_icmp4_input(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off, uint16_t l4);
void port_icmp6_input(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off, uint16_t l4);
/** Too-big at the owner of the quoted flow: data at the quoted transport header. Takes it. */
void port_too_big_input(struct port_lcore *lc, struct rte_mbuf *m);

/* dst.c */
int port_dst_init(struct port_lcore *lc);
void port_dst_fini(struct port_lcore *lc);
extern const struct port_if_ops port_if_ops;
/** Somebody says that the path from @p local to @p remote takes no more than @p mtu. @return false: not believed. */
bool port_dst_too_big(struct port_lcore *lc, const struct port_addr *local, const struct port_addr *remote,
		      const uint8_t *l4, uint16_t mtu, uint64_t now);
void port_dst_tick(struct port_lcore *lc, uint64_t now);

/* hash.c */
/** Symmetric hash of addresses and ports (@p ports: the first four bytes of the transport header). */
uint32_t port_hash_flow(const struct port *port, const struct port_addr *a, const struct port_addr *b,
			const uint8_t *ports);
/** Seeded hash of one address, for tables. */
uint32_t port_hash_addr(const struct port *port, const struct port_addr *a);
/** Data lcore of a flow where frames are handed on. */
static inline uint16_t
port_hash_owner(const struct port *port, uint32_t hash)
{
	return (uint16_t)(1 + (((uint64_t)hash * port->n_lcores) >> 32));
}

/* csum.c */
/** One's-complement sum of chain bytes [off, off + len) added to @p sum; the chain has them. */
uint64_t port_csum_chain(const struct rte_mbuf *m, uint32_t off, uint32_t len, uint64_t sum);
/** The same of a whole packet of ours, whose mbufs may say what they know (port_sum_known()). */
uint64_t port_csum_ours(const struct rte_mbuf *m, uint32_t len, uint64_t sum);
/** Sum of a pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1) without its length. */
uint64_t port_csum_pseudo(const struct port_addr *src, const struct port_addr *dst, uint8_t proto);
/** True when the transport checksum over pseudo header and packet is right. */
bool port_csum_ok(const struct rte_mbuf *m, uint16_t l4, const struct port_pkt *pkt, uint8_t proto);

#endif /* PORT_IMPL_H */
