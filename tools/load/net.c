/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_arp.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_string_fns.h>
#include <rte_tcp.h>

#include "csum.h"
#include "ctcp.h"
#include "intr.h"
#include "net.h"
#include "ticks.h"

#define BURST	   32
#define TX_HOLD	   256
#define TX_TRIES   1000 /* a full ring is drained by the target within microseconds */
#define ARP_NS	   200000000ull
#define TICK_NS	   1000000ull
#define CACHE	   256
#define IPV4_PLAIN 0x45

struct net {
	uint16_t id, mss, nb_rx, nb_tx;
	bool plugged, started, have_peer, check;
	uint32_t ip, peer;
	struct rte_ether_addr mac, peer_mac;
	struct rte_mempool *rx_pool, *tx_pool;
	struct ctcp *conn[NET_CONNS_MAX];
	uint16_t port[NET_CONNS_MAX];
	unsigned int n_conns;
	struct rte_mbuf *tx[TX_HOLD];
	unsigned int n_tx;
	uint64_t next_tick, tick;
	struct net_stats stats;
};

static int
fail(char *err, int ret, const char *what)
{
	snprintf(err, NET_ERR_MAX, "%s: %s", what, strerror(-ret));
	return ret;
}

/* --- out --------------------------------------------------------------------------------------------------------- */

uint16_t
net_mss(const struct net *n)
{
	return n->mss;
}

uint32_t
net_ring(const struct net *n)
{
	return n->nb_rx;
}

struct rte_mbuf *
net_alloc(struct net *n)
{
	return rte_pktmbuf_alloc(n->tx_pool);
}

void
net_headers(const struct net *n, uint8_t *frame)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)frame;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);

	memset(frame, 0, NET_HDR);
	eth->dst_addr = n->peer_mac;
	eth->src_addr = n->mac;
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = IPV4_PLAIN;
	ip->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_TCP;
	ip->src_addr = n->ip;
	ip->dst_addr = n->peer;
}

uint32_t
net_pseudo(const struct net *n)
{
	return (n->ip & 0xffff) + (n->ip >> 16) + (n->peer & 0xffff) + (n->peer >> 16) + RTE_BE16(IPPROTO_TCP);
}

void
net_tx(struct net *n, struct rte_mbuf *m)
{
	if (n->n_tx == TX_HOLD)
		net_flush(n);
	n->tx[n->n_tx++] = m;
}

void
net_flush(struct net *n)
{
	unsigned int sent = 0;

	for (unsigned int tries = 0; sent < n->n_tx && tries < TX_TRIES; tries++)
		sent += rte_eth_tx_burst(n->id, 0, &n->tx[sent], (uint16_t)(n->n_tx - sent));
	n->stats.tx_frames += sent;
	n->stats.tx_full += n->n_tx - sent;
	rte_pktmbuf_free_bulk(&n->tx[sent], n->n_tx - sent);
	n->n_tx = 0;
}

/* --- ARP (RFC 826) ----------------------------------------------------------------------------------------------- */

static void
arp_send(struct net *n, uint16_t opcode, const struct rte_ether_addr *to, uint32_t ip)
{
	struct rte_mbuf *m = net_alloc(n);
	struct rte_ether_hdr *eth;
	struct rte_arp_hdr *arp;

	if (m == NULL)
		return;
	m->data_len = sizeof(*eth) + sizeof(*arp);
	m->pkt_len = m->data_len;
	eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	arp = (struct rte_arp_hdr *)(eth + 1);
	eth->src_addr = n->mac;
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP);
	*arp = (struct rte_arp_hdr){
		.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
		.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = RTE_ETHER_ADDR_LEN,
		.arp_plen = sizeof(ip),
		.arp_opcode = rte_cpu_to_be_16(opcode),
		.arp_data = {.arp_sha = n->mac, .arp_sip = n->ip, .arp_tip = ip},
	};
	if (to != NULL) {
		eth->dst_addr = *to;
		arp->arp_data.arp_tha = *to;
	} else {
		memset(&eth->dst_addr, 0xff, sizeof(eth->dst_addr));
	}
	net_tx(n, m);
}

static void
arp_input(struct net *n, const struct rte_mbuf *m)
{
	const struct rte_arp_hdr *arp =
		rte_pktmbuf_mtod_offset(m, const struct rte_arp_hdr *, sizeof(struct rte_ether_hdr));

	if (m->data_len < sizeof(struct rte_ether_hdr) + sizeof(*arp))
		return;
	if (arp->arp_data.arp_sip == n->peer) {
		n->peer_mac = arp->arp_data.arp_sha;
		n->have_peer = true;
	}
	if (arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST) && arp->arp_data.arp_tip == n->ip)
		arp_send(n, RTE_ARP_OP_REPLY, &arp->arp_data.arp_sha, arp->arp_data.arp_sip);
}

/* --- in ---------------------------------------------------------------------------------------------------------- */

static bool
csum_ok(const struct net *n, const struct rte_ipv4_hdr *ip, uint32_t len)
{
	uint32_t l4 = len - (uint32_t)sizeof(*ip);

	return csum_of(ip, sizeof(*ip)) == 0xffff &&
	       csum_fold((uint64_t)csum_of(ip + 1, l4) + net_pseudo(n) + rte_cpu_to_be_16((uint16_t)l4)) == 0xffff;
}

static void
input(struct net *n, struct rte_mbuf *m, uint64_t now)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(eth + 1);
	const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *)(ip + 1);
	uint32_t len;

	if (m->data_len >= NET_HDR && eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
		len = rte_be_to_cpu_16(ip->total_length);
		if (ip->version_ihl != IPV4_PLAIN || ip->next_proto_id != IPPROTO_TCP || ip->dst_addr != n->ip ||
		    ip->src_addr != n->peer || len < NET_HDR - sizeof(*eth) || len + sizeof(*eth) > m->data_len)
			goto drop;
		if (n->check && !csum_ok(n, ip, len)) {
			n->stats.bad_csum++;
			goto drop;
		}
		for (unsigned int i = 0; i < n->n_conns; i++) {
			if (n->port[i] == tcp->dst_port) {
				ctcp_input(n->conn[i], m, now);
				return;
			}
		}
	} else if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP)) {
		arp_input(n, m);
	}
drop:
	n->stats.not_ours++;
	rte_pktmbuf_free(m);
}

uint32_t
net_poll(struct net *n, uint64_t now)
{
	struct rte_mbuf *m[BURST];
	uint16_t got = rte_eth_rx_burst(n->id, 0, m, BURST);

	for (uint16_t i = 0; i < got; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (uint16_t i = 0; i < got; i++) {
		/* One frame in one piece is all that is asked of a device here. */
		if (unlikely(m[i]->nb_segs > 1 && rte_pktmbuf_linearize(m[i]) < 0)) {
			n->stats.not_ours++;
			rte_pktmbuf_free(m[i]);
			continue;
		}
		input(n, m[i], now);
	}
	n->stats.rx_frames += got;
	n->stats.rx_bursts += got > 0;
	if (now >= n->next_tick) {
		n->next_tick = now + n->tick;
		for (unsigned int i = 0; i < n->n_conns; i++)
			ctcp_tick(n->conn[i], now);
	}
	return got;
}

/* --- life -------------------------------------------------------------------------------------------------------- */

int
net_add(struct net *n, struct ctcp *c, uint16_t port)
{
	if (n->n_conns == NET_CONNS_MAX)
		return -ENOSPC;
	n->conn[n->n_conns] = c;
	n->port[n->n_conns++] = port;
	return 0;
}

void
net_del(struct net *n, struct ctcp *c)
{
	for (unsigned int i = 0; i < n->n_conns; i++) {
		if (n->conn[i] == c) {
			n->conn[i] = n->conn[--n->n_conns];
			n->port[i] = n->port[n->n_conns];
			return;
		}
	}
}

/* A memif whose buffers hold less than a frame chains them, and miscounts its ring when that is nearly full. */
static int
plug(struct net *n, const struct net_conf *conf, char *err)
{
	const char *device = conf->device;
	char name[RTE_ETH_NAME_MAX_LEN], args[512], more[32] = "";
	int ret;

	rte_strlcpy(name, device, sizeof(name));
	name[strcspn(name, ",")] = '\0';
	if (rte_eth_dev_get_port_by_name(name, &n->id) == 0)
		return 0;
	if (strncmp(device, "net_memif", 9) == 0 && strstr(device, "bsize=") == NULL)
		snprintf(more, sizeof(more), ",bsize=%u", RTE_ALIGN_CEIL(conf->mtu + 64u, 64u));
	rte_strlcpy(args, device, sizeof(args));
	rte_strlcat(args, more, sizeof(args));
	ret = rte_dev_probe(args);
	if (ret == 0)
		ret = rte_eth_dev_get_port_by_name(name, &n->id);
	if (ret != 0)
		return fail(err, ret, device);
	n->plugged = true;
	return 0;
}

/* The receive pool fills a zero-copy ring, and what a burst and the connections keep comes on top. */
static int
setup(struct net *n, const struct net_conf *conf, char *err)
{
	uint16_t room = (uint16_t)RTE_MIN(RTE_ALIGN_CEIL(conf->mtu + 64u, 64u) + RTE_PKTMBUF_HEADROOM, 65472u);
	const char *bsize = strstr(conf->device, "bsize=");
	struct rte_eth_conf ec = {.rxmode.mtu = 0};
	struct rte_eth_dev_info info;
	int ret = rte_eth_dev_info_get(n->id, &info);

	if (ret != 0)
		return fail(err, ret, "asking the device");
	/* A zero-copy memif hands its mbufs to the target as ring buffers of this size. */
	if (bsize != NULL && strtoul(bsize + 6, NULL, 10) + RTE_PKTMBUF_HEADROOM > room)
		room = (uint16_t)RTE_MIN(strtoul(bsize + 6, NULL, 10) + RTE_PKTMBUF_HEADROOM, 65535ul);
	ec.rxmode.mtu = RTE_MIN((uint32_t)info.max_mtu, conf->mtu);
	if (ec.rxmode.mtu > RTE_ETHER_MTU && info.max_rx_pktlen <= RTE_ETHER_MAX_LEN)
		ec.rxmode.mtu = RTE_ETHER_MTU; /* memif passes more than it says */
	ec.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	ret = rte_eth_dev_configure(n->id, 1, 1, &ec);
	if (ret != 0)
		return fail(err, ret, "configuring the device");
	n->nb_rx = n->nb_tx = conf->descs != 0 ? (uint16_t)conf->descs : 1024;
	rte_eth_dev_adjust_nb_rx_tx_desc(n->id, &n->nb_rx, &n->nb_tx);
	n->rx_pool = rte_pktmbuf_pool_create("load_rx", n->nb_rx + 1024u, CACHE, 0, room, SOCKET_ID_ANY);
	n->tx_pool = rte_pktmbuf_pool_create("load_tx", n->nb_tx + 2048u, CACHE, 0, room, SOCKET_ID_ANY);
	if (n->rx_pool == NULL || n->tx_pool == NULL)
		return fail(err, -ENOMEM, "memory for frames (see --memory)");
	ret = rte_eth_rx_queue_setup(n->id, 0, n->nb_rx, SOCKET_ID_ANY, NULL, n->rx_pool);
	if (ret == 0)
		ret = rte_eth_tx_queue_setup(n->id, 0, n->nb_tx, SOCKET_ID_ANY, NULL);
	if (ret == 0)
		ret = rte_eth_dev_start(n->id);
	if (ret != 0)
		return fail(err, ret, "starting the device");
	n->started = true;
	ret = rte_eth_macaddr_get(n->id, &n->mac);
	return ret == 0 ? 0 : fail(err, ret, "asking for the MAC address");
}

static int
find_peer(struct net *n, uint32_t timeout, char *err)
{
	uint64_t now = ticks_now(), end = now + ticks_from_ns(timeout * 1000000ull), next = now;
	struct rte_eth_link link = {0};

	while (!n->have_peer && now < end) {
		rte_eth_link_get_nowait(n->id, &link);
		if (link.link_status != 0 && now >= next) {
			arp_send(n, RTE_ARP_OP_REQUEST, NULL, n->peer);
			next = now + ticks_from_ns(ARP_NS);
		}
		net_flush(n);
		if (link.link_status == 0)
			usleep(1000);
		net_poll(n, now);
		now = ticks_now();
	}
	if (n->have_peer)
		return 0;
	return fail(err, -ETIMEDOUT,
		    link.link_status == 0 ? "the device has no link: is the target's end there?"
					  : "the target's address does not answer ARP");
}

int
net_open(struct net **out, const struct net_conf *conf, char *err)
{
	struct net *n = calloc(1, sizeof(*n));
	int ret;

	if (n == NULL)
		return fail(err, -ENOMEM, "opening the device");
	n->ip = conf->ip;
	n->peer = conf->peer;
	n->check = conf->check;
	n->mss = (uint16_t)(conf->mtu - (NET_HDR - RTE_ETHER_HDR_LEN));
	n->tick = ticks_from_ns(TICK_NS);
	ret = plug(n, conf, err);
	if (ret == 0)
		ret = setup(n, conf, err);
	if (ret == 0)
		ret = find_peer(n, conf->timeout, err);
	if (ret < 0) {
		net_close(n);
		return ret;
	}
	*out = n;
	return 0;
}

static void
leave(void *arg)
{
	struct net *n = arg;

	if (n->started)
		rte_eth_dev_stop(n->id);
	if (n->plugged)
		rte_eth_dev_close(n->id);
}

void
net_close(struct net *n)
{
	struct rte_eth_dev_info info = {.device = NULL};

	if (n->plugged)
		rte_eth_dev_info_get(n->id, &info);
	intr_call(leave, n);
	if (info.device != NULL)
		rte_dev_remove(info.device);
	rte_mempool_free(n->rx_pool);
	rte_mempool_free(n->tx_pool);
	free(n);
}

const struct net_stats *
net_get_stats(const struct net *n)
{
	return &n->stats;
}
