/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* IPv6 in (RFC 8200): header checks, a bounded walk over extension headers, then the transport. */

#include <netinet/in.h>

#include <rte_ip.h>

#include "port_impl.h"

#define EXT_MAX 8 /* extension headers of one packet; more is an attack or an accident */

enum { OPT_PAD1 = 0x00, OPT_SKIP = 0x00, OPT_UNKNOWN = 0xc0 };

/** What the walk ended with. */
enum walk { WALK_L4, WALK_FRAGMENT, WALK_BAD };

/** Options of a hop-by-hop or destination header (section 4.2). Padding is all we know; of what we do not know the two
 * high bits of its type say whether the packet may be taken without it. */
static bool
options_ok(const uint8_t *p, uint32_t len)
{
	while (len != 0) {
		uint32_t size = 1;

		if (p[0] != OPT_PAD1) {
			if (len < 2 || (p[0] & OPT_UNKNOWN) != OPT_SKIP)
				return false;
			size = 2 + (uint32_t)p[1];
		}
		if (size > len)
			return false;
		p += size;
		len -= size;
	}
	return true;
}

/**
 * Step over extension headers.
 * @param at in: where the first lies, out: where the transport begins. All of it is inside the first mbuf.
 * @param end where the payload ends.
 */
static enum walk
walk(const struct rte_mbuf *m, uint8_t *proto, uint32_t *at, uint32_t end)
{
	uint32_t limit = RTE_MIN(end, (uint32_t)m->data_len);

	for (unsigned int i = 0; i < EXT_MAX; i++) {
		const uint8_t *h;
		uint32_t len;

		switch (*proto) {
		case IPPROTO_FRAGMENT:
			return WALK_FRAGMENT;
		case IPPROTO_HOPOPTS:
			if (i != 0) /* section 4.1: only directly after the IPv6 header */
				return WALK_BAD;
			break;
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			break;
		default:
			return WALK_L4;
		}
		if (*at + 8 > limit)
			return WALK_BAD;
		h = rte_pktmbuf_mtod_offset(m, const uint8_t *, *at);
		/* A routing header that still has somewhere to go would make us forward (section 4.4). */
		if (*proto == IPPROTO_ROUTING && h[3] != 0)
			return WALK_BAD;
		len = 8 + 8 * (uint32_t)h[1];
		if (len > limit - *at || (*proto != IPPROTO_ROUTING && !options_ok(h + 2, len - 2)))
			return WALK_BAD;
		*proto = h[0];
		*at += len;
	}
	return WALK_BAD;
}

/** Multicast is never a source (section 4.2.2.1 of RFC 4291 and 2.7), nor are loopback and ourselves. */
static bool
source_ok(const struct port *port, const struct port_addr *src)
{
	static const struct port_addr loopback = {.family = 6, .b = {[15] = 1}};

	return !port_addr_multicast(src) && !port_addr_eq(src, &loopback) && !port_has_addr(port, src);
}

/** Multicast groups we are in: all nodes, and the solicited-node groups of our addresses. */
static bool
group_ours(const struct port *port, const struct port_addr *dst)
{
	static const struct port_addr all_nodes = {.family = 6, .b = {[0] = 0xff, [1] = 0x02, [15] = 1}};
	struct rte_ether_addr mac;
	struct port_addr group;

	if (port_addr_eq(dst, &all_nodes))
		return true;
	for (unsigned int i = 0; i < port->n_addrs; i++) {
		if (port->addrs[i].addr.family != 6)
			continue;
		port_solicited_node(&port->addrs[i].addr, &group, &mac);
		if (port_addr_eq(dst, &group))
			return true;
	}
	return false;
}

static void
to_transport(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off, uint16_t l4, uint8_t proto, bool to_group)
{
	static const struct port_addr unspecified = {.family = 6};

	if (proto == IPPROTO_ICMPV6)
		port_icmp6_input(lc, m, off, l4);
	else if (likely(proto == IPPROTO_TCP && !to_group && !port_addr_eq(&port_pkt(m)->src, &unspecified)))
		port_l4_tcp(lc, m, l4);
	else
		port_exception(lc, m);
}

/** @p at is where the fragment header begins; its first byte is the protocol (RFC 8200 section 4.5). A piece of TCP
 * might be of a connection of ours, which the kernel would reset. */
static void
fragment(struct port_lcore *lc, struct rte_mbuf *m, uint32_t at)
{
	if (lc->port->exception != NULL && at < m->data_len &&
	    *rte_pktmbuf_mtod_offset(m, const uint8_t *, at) != IPPROTO_TCP)
		port_exception(lc, m);
	else
		port_drop(m, &lc->stats.rx_drop_fragment);
}

void
port_ip6_input(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off, bool to_many)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, off);
	struct port_pkt *pkt = port_pkt(m);
	uint32_t at = off + sizeof(*ip), end;
	bool to_group;
	uint8_t proto;

	if (unlikely(m->data_len < at)) {
		port_drop(m, &lc->stats.rx_drop_short);
		return;
	}
	end = at + rte_be_to_cpu_16(ip->payload_len);
	if (unlikely((*(const uint8_t *)ip & 0xf0) != 0x60 || end > m->pkt_len)) {
		port_drop(m, &lc->stats.rx_drop_ip);
		return;
	}
	pkt->src.family = 6;
	pkt->dst.family = 6;
	memcpy(pkt->src.b, ip->src_addr, 16);
	memcpy(pkt->dst.b, ip->dst_addr, 16);
	to_group = port_addr_multicast(&pkt->dst);
	if (unlikely(to_group != to_many ||
		     !(to_group ? group_ours(lc->port, &pkt->dst) : port_has_addr(lc->port, &pkt->dst)))) {
		port_exception(lc, m);
		return;
	}
	if (unlikely(!source_ok(lc->port, &pkt->src))) {
		port_drop(m, &lc->stats.rx_drop_ip_source);
		return;
	}
	proto = ip->proto;
	switch (walk(m, &proto, &at, end)) {
	case WALK_FRAGMENT:
		fragment(lc, m, at);
		return;
	case WALK_BAD:
		port_drop(m, &lc->stats.rx_drop_ip);
		return;
	case WALK_L4:
		break;
	}
	pkt->tos = (uint8_t)(rte_be_to_cpu_32(ip->vtc_flow) >> 20);
	pkt->ttl = ip->hop_limits;
	pkt->l4_len = (uint16_t)(end - at);
	port_trim(m, end);
	to_transport(lc, m, off, (uint16_t)at, proto, to_group);
}
