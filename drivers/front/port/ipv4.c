/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* IPv4 in (RFC 791, RFC 1122 section 3.2): header checks, then the transport. */

#include <netinet/in.h>

#include <rte_ip.h>
#include <rte_tcp.h>

#include "strake_kernel.h"
#include "port_impl.h"

void
port_l4_tcp(struct port_lcore *lc, struct rte_mbuf *m, uint16_t l4)
{
	struct port_pkt *pkt = port_pkt(m);
	struct port *port = lc->port;
	uint16_t owner = lc->index;

	/* The fixed header lies in the first mbuf, so that nobody above need look further for it. */
	if (unlikely(pkt->l4_len < sizeof(struct rte_tcp_hdr) || m->data_len < l4 + sizeof(struct rte_tcp_hdr))) {
		port_drop(m, &lc->stats.rx_drop_short);
		return;
	}
	pkt->hash = port_hash_flow(port, &pkt->src, &pkt->dst, rte_pktmbuf_mtod_offset(m, const uint8_t *, l4));
	pkt->owner = NULL;
	pkt->frame_off = m->data_off;
	rte_pktmbuf_adj(m, l4);
	if (!port->rss && port->n_lcores > 1)
		owner = port_hash_owner(port, pkt->hash);
	if (owner == lc->index) {
		port_tcp_input(lc, m);
	} else {
		m->packet_type = PORT_HANDED_TCP;
		port_hand(lc, owner, m);
	}
}

/** Sum of a header, @p len bytes in words of four. Inline: a call costs more than the five additions. */
static uint64_t
header_sum(const uint8_t *ip, uint16_t len)
{
	uint64_t sum = 0;
	uint32_t w;

	for (uint16_t i = 0; i < len; i += sizeof(w)) {
		memcpy(&w, ip + i, sizeof(w));
		sum += w;
	}
	return sum;
}

static bool
cksum_ok(const struct rte_mbuf *m, const void *ip, uint16_t len)
{
	uint64_t flags = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;

	/* NONE: not made by who sent it, but vouched for. */
	if (flags == RTE_MBUF_F_RX_IP_CKSUM_GOOD || flags == RTE_MBUF_F_RX_IP_CKSUM_NONE)
		return true;
	if (flags == RTE_MBUF_F_RX_IP_CKSUM_BAD)
		return false;
	return strake_cksum_fold(header_sum(ip, len)) == 0;
}

/** RFC 1122 section 3.2.1.3: sources that must not be, and (against LAND) ourselves. */
static bool
source_ok(const struct port *port, const struct port_addr *src)
{
	return src->b[0] != 0 && src->b[0] != 127 && src->b[0] < 224 && !port_addr_broadcast(port, src) &&
	       !port_has_addr(port, src);
}

/** Header length, or 0 when the header is malformed or does not fit the frame. */
static uint16_t
header_len(const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, uint16_t off)
{
	uint16_t len = (ip->version_ihl & 0xf) * 4;
	uint16_t total = rte_be_to_cpu_16(ip->total_length);

	if (ip->version_ihl >> 4 != 4 || len < sizeof(*ip) || total < len || off + total > m->pkt_len ||
	    off + len > m->data_len)
		return 0;
	return len;
}

void
port_ip4_input(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off, bool to_many)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, off);
	struct port_pkt *pkt = port_pkt(m);
	uint16_t len;

	if (unlikely(m->data_len < off + sizeof(*ip))) {
		port_drop(m, &lc->stats.rx_drop_short);
		return;
	}
	len = header_len(m, ip, off);
	if (unlikely(len == 0)) {
		port_drop(m, &lc->stats.rx_drop_ip);
		return;
	}
	if (unlikely(!cksum_ok(m, ip, len))) {
		port_drop(m, &lc->stats.rx_drop_ip_cksum);
		return;
	}
	memset(&pkt->src, 0, sizeof(pkt->src) + sizeof(pkt->dst));
	pkt->src.family = 4;
	pkt->dst.family = 4;
	memcpy(pkt->src.b, &ip->src_addr, 4);
	memcpy(pkt->dst.b, &ip->dst_addr, 4);
	/* A unicast packet in a multicast frame is nobody's (RFC 1122 section 3.3.6). */
	if (unlikely(to_many || !port_has_addr(lc->port, &pkt->dst))) {
		port_exception(lc, m);
		return;
	}
	if (unlikely(!source_ok(lc->port, &pkt->src))) {
		port_drop(m, &lc->stats.rx_drop_ip_source);
		return;
	}
	if (unlikely((ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0)) {
		/* A piece of TCP might be of a connection of ours, which the kernel would reset. */
		if (lc->port->exception != NULL && ip->next_proto_id != IPPROTO_TCP)
			port_exception(lc, m);
		else
			port_drop(m, &lc->stats.rx_drop_fragment);
		return;
	}
	pkt->tos = ip->type_of_service;
	pkt->ttl = ip->time_to_live;
	pkt->l4_len = rte_be_to_cpu_16(ip->total_length) - len;
	port_trim(m, (uint32_t)off + len + pkt->l4_len);
	if (likely(ip->next_proto_id == IPPROTO_TCP))
		port_l4_tcp(lc, m, off + len);
	else if (ip->next_proto_id == IPPROTO_ICMP)
		port_icmp4_input(lc, m, off, off + len);
	else
		port_exception(lc, m);
}
