/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOAD_NET_H
#define LOAD_NET_H

/**
 * @file
 * One ethdev, one IPv4 address, one peer: frames in and out, ARP. One thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NET_CONNS_MAX 256
#define NET_ERR_MAX   320
#define NET_HDR	      54 /* Ethernet, IPv4 and TCP, without options */

struct net;
struct ctcp;

struct net_conf {
	const char *device; /**< devargs of a virtual device, or the name of an ethdev */
	uint32_t ip, peer;  /**< network order */
	uint32_t mtu;
	uint32_t descs;	  /**< of each queue; 0: what the device likes */
	bool check;	  /**< check what is received; else the payload's checksum is trusted */
	uint32_t timeout; /**< ms to wait for the link and for the peer's address */
};

struct net_stats {
	uint64_t rx_frames, tx_frames, rx_bursts;
	uint64_t tx_full;  /**< frames the device did not take: dropped, TCP sends them again */
	uint64_t bad_csum; /**< frames dropped, with net_conf::check */
	uint64_t not_ours; /**< frames of no connection */
};

/** Open the device and learn the peer's MAC address. @return 0, or -errno with one line in @p err. */
int net_open(struct net **out, const struct net_conf *conf, char *err);
void net_close(struct net *n);

/** Longest TCP payload of a frame. */
uint16_t net_mss(const struct net *n);
uint32_t net_ring(const struct net *n);
struct rte_mbuf *net_alloc(struct net *n);
/** Fill the first 42 bytes' worth of link and network headers of a segment to the peer. */
void net_headers(const struct net *n, uint8_t *frame);
/** Sum of the pseudo header without the length. */
uint32_t net_pseudo(const struct net *n);
/** Queue a frame, which it then owns; leaves with the next net_flush(). */
void net_tx(struct net *n, struct rte_mbuf *m);
void net_flush(struct net *n);
/** Receive a burst and give it to the connections; answers are sent. @return frames. */
uint32_t net_poll(struct net *n, uint64_t now);

/** Connections of this net. @return 0, -ENOSPC. */
int net_add(struct net *n, struct ctcp *c, uint16_t port);
void net_del(struct net *n, struct ctcp *c);
const struct net_stats *net_get_stats(const struct net *n);

#ifdef __cplusplus
}
#endif

#endif /* LOAD_NET_H */
