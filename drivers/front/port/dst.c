/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Ways to peers: header templates, and what is known of the path's MTU (RFC 1191, RFC 8201). */

#include <errno.h>
#include <netinet/in.h>

#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_tcp.h>

#include "strake_kernel.h"
#include "port_impl.h"

#define MTU_KEEP_NS (600 * STRAKE_NS_PER_SEC) /* RFC 1191 section 6.3: try larger after ten minutes */

int
port_dst_init(struct port_lcore *lc)
{
	TAILQ_INIT(&lc->way_idle);
	TAILQ_INIT(&lc->way_free);
	lc->ways = rte_zmalloc_socket("port_way", PORT_DSTS * sizeof(*lc->ways), RTE_CACHE_LINE_SIZE,
				      strake_self()->socket);
	if (lc->ways == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < PORT_DSTS; i++)
		TAILQ_INSERT_TAIL(&lc->way_free, &lc->ways[i], idle);
	return 0;
}

void
port_dst_fini(struct port_lcore *lc)
{
	rte_free(lc->ways);
	lc->ways = NULL;
}

static unsigned int
bucket_of(const struct port_lcore *lc, const struct port_addr *local, const struct port_addr *remote)
{
	return (port_hash_addr(lc->port, remote) ^ local->b[3] ^ local->b[15]) % PORT_DST_BUCKET;
}

static struct port_way *
way_find(struct port_lcore *lc, const struct port_addr *local, const struct port_addr *remote)
{
	struct port_way *w;

	LIST_FOREACH (w, &lc->way_bucket[bucket_of(lc, local, remote)], bucket) {
		if (port_addr_eq(&w->d.remote, remote) && port_addr_eq(&w->d.local, local))
			return w;
	}
	return NULL;
}

static void
template4(struct port_way *w)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)w->ip;

	/* Always "don't fragment", so the identification may be constant (RFC 6864 section 4.1). */
	ip->version_ihl = 0x45;
	ip->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_TCP;
	memcpy(&ip->src_addr, w->d.local.b, 4);
	memcpy(&ip->dst_addr, w->d.remote.b, 4);
	w->ip_len = sizeof(*ip);
	for (unsigned int i = 0; i < sizeof(*ip); i += 4) {
		uint32_t word;

		memcpy(&word, &w->ip[i], 4);
		w->ip_sum += word;
	}
}

static void
template6(struct port_way *w)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)w->ip;

	ip->vtc_flow = RTE_BE32(0x60000000);
	ip->proto = IPPROTO_TCP;
	ip->hop_limits = 64;
	memcpy(ip->src_addr, w->d.local.b, 16);
	memcpy(ip->dst_addr, w->d.remote.b, 16);
	w->ip_len = sizeof(*ip);
}

static void
way_init(struct port_way *w, struct port_lcore *lc, const struct port_addr *local, const struct port_addr *remote)
{
	memset(w, 0, sizeof(*w));
	w->d.ifp = &lc->ifp;
	w->d.local = *local;
	w->d.remote = *remote;
	w->d.mtu = lc->port->mtu;
	w->pseudo_sum = port_csum_pseudo(local, remote, IPPROTO_TCP);
	if (local->family == 6)
		template6(w);
	else
		template4(w);
}

static struct port_way *
way_new(struct port_lcore *lc, const struct port_addr *local, const struct port_addr *remote)
{
	struct port_way *w = TAILQ_FIRST(&lc->way_free);

	if (w != NULL) {
		TAILQ_REMOVE(&lc->way_free, w, idle);
	} else if ((w = TAILQ_FIRST(&lc->way_idle)) != NULL) {
		TAILQ_REMOVE(&lc->way_idle, w, idle);
		LIST_REMOVE(w, bucket);
	} else {
		lc->stats.dst_full++;
		return NULL;
	}
	way_init(w, lc, local, remote);
	LIST_INSERT_HEAD(&lc->way_bucket[bucket_of(lc, local, remote)], w, bucket);
	TAILQ_INSERT_TAIL(&lc->way_idle, w, idle);
	return w;
}

static struct port_dst *
route(struct port_if *ifp, const struct port_addr *local, const struct port_addr *remote)
{
	static const uint8_t any[sizeof(local->b)];
	struct port_lcore *lc = port_lcore_of(ifp);
	struct port_addr hop;
	struct port_way *w;

	if (memcmp(local->b, any, sizeof(any)) == 0)
		local = port_source_for(lc->port, remote);
	if (local == NULL || local->family != remote->family || !port_has_addr(lc->port, local) ||
	    !port_next_hop(lc->port, remote, &hop)) {
		lc->stats.no_route++;
		return NULL;
	}
	w = way_find(lc, local, remote);
	if (w == NULL) {
		w = way_new(lc, local, remote);
		if (w == NULL)
			return NULL;
	}
	if (w->refs == 0) {
		w->neigh = port_neigh_get(lc, &hop, strake_now());
		if (w->neigh == NULL)
			return NULL;
		w->neigh->refs++;
		TAILQ_REMOVE(&lc->way_idle, w, idle);
	}
	w->refs++;
	return &w->d;
}

static void
unroute(struct port_dst *dst)
{
	struct port_lcore *lc = port_lcore_of(dst->ifp);
	struct port_way *w = (struct port_way *)dst;

	if (--w->refs != 0)
		return;
	w->neigh->refs--;
	w->neigh = NULL;
	TAILQ_INSERT_TAIL(&lc->way_idle, w, idle);
}

/** IP header before the segment; returns the sum its IPv4 checksum is made of. */
static void
put_ip(const struct port_way *w, uint8_t *ip, uint16_t l4_len, uint8_t tos, bool sum)
{
	if (w->ip_len == sizeof(struct rte_ipv4_hdr)) {
		struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)ip;
		uint16_t total = rte_cpu_to_be_16(l4_len + sizeof(*ip4));

		memcpy(ip4, w->ip, sizeof(*ip4));
		ip4->type_of_service = tos;
		ip4->total_length = total;
		if (sum)
			ip4->hdr_checksum = strake_cksum_fold(w->ip_sum + total + rte_cpu_to_be_16(tos));
	} else {
		struct rte_ipv6_hdr *ip6 = (struct rte_ipv6_hdr *)ip;

		memcpy(ip6, w->ip, sizeof(*ip6));
		ip6->vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t)tos << 20);
		ip6->payload_len = rte_cpu_to_be_16(l4_len);
	}
}

/** Checksum of the TCP segment at the mbuf's start, by us or by the device. */
static void
put_cksum(const struct port_way *w, struct rte_mbuf *m, struct rte_tcp_hdr *tcp, uint16_t l4_len, bool tso)
{
	const struct port *port = w->d.ifp->port;
	bool v4 = w->ip_len == sizeof(struct rte_ipv4_hdr);

	if (!port->tx_tcp_cksum && !tso) {
		tcp->cksum = strake_cksum_fold(port_csum_ours(m, l4_len, w->pseudo_sum + rte_cpu_to_be_16(l4_len)));
		return;
	}
	/* The device completes the sum over the pseudo header; when it cuts segments it also adds their lengths, but
	 * Linux replaces the whole packet's by theirs. */
	tcp->cksum = (uint16_t)~strake_cksum_fold(w->pseudo_sum +
						  (tso && !port->packet_cuts ? 0 : rte_cpu_to_be_16(l4_len)));
	m->ol_flags |= (v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6) | RTE_MBUF_F_TX_TCP_CKSUM;
	m->l2_len = port_eth_len(port);
	m->l3_len = w->ip_len;
	m->l4_len = tcp->data_off >> 4 << 2;
	if (tso)
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | (v4 && port->tx_ip_cksum ? RTE_MBUF_F_TX_IP_CKSUM : 0);
}

/** Longer than a segment may be, which the peer or the path may hold well below our MTU: the device must cut it. */
static bool
must_cut(const struct port *port, const struct rte_mbuf *m)
{
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod(m, const struct rte_tcp_hdr *);

	return m->tso_segsz != 0 && port->tso && m->pkt_len > (uint32_t)m->tso_segsz + (tcp->data_off >> 4 << 2);
}

/** Checksum and IP header of a segment. @return -ENOBUFS: it was dropped. */
static int
put_headers(const struct port_way *w, struct rte_mbuf *m, uint8_t tos)
{
	struct port_lcore *lc = port_lcore_of(w->d.ifp);
	const struct port *port = lc->port;
	uint32_t l4_len = m->pkt_len;
	bool tso = must_cut(port, m);
	uint32_t most = tso ? UINT16_MAX : port->mtu;
	uint8_t *ip;

	if (unlikely(l4_len + w->ip_len > most || m->nb_segs > port->tx_segs_max ||
		     m->data_len < sizeof(struct rte_tcp_hdr))) {
		port_drop(m, &lc->stats.tx_drop_size);
		return -ENOBUFS;
	}
	put_cksum(w, m, rte_pktmbuf_mtod(m, struct rte_tcp_hdr *), (uint16_t)l4_len, tso);
	ip = (uint8_t *)rte_pktmbuf_prepend(m, w->ip_len);
	if (unlikely(ip == NULL)) {
		port_drop(m, &lc->stats.tx_drop_size);
		return -ENOBUFS;
	}
	/* Who cuts makes the sum of each packet's header; who cannot make it from nothing changes what it finds. */
	put_ip(w, ip, (uint16_t)l4_len, tos, !tso || !port->tx_ip_cksum);
	lc->stats.tx_cut += tso;
	return 0;
}

static int
segment(struct port_dst *dst, struct rte_mbuf *m, uint8_t tos)
{
	const struct port_way *w = (const struct port_way *)dst;
	int ret = put_headers(w, m, tos);

	return ret < 0 ? ret : port_neigh_send(port_lcore_of(dst->ifp), w->neigh, m, strake_now());
}

static int
segment_as(struct port_dst *dst, const struct port_addr *local, const struct port_addr *remote, struct rte_mbuf *m)
{
	struct port_lcore *lc = port_lcore_of(dst->ifp);
	struct port_way w;
	int ret;

	way_init(&w, lc, local, remote);
	ret = put_headers(&w, m, 0);
	if (ret < 0)
		return ret;
	return port_neigh_send_as(lc, ((const struct port_way *)dst)->neigh, m,
				  local->family == 6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
}

const struct port_if_ops port_if_ops = {
	.route = route,
	.unroute = unroute,
	.foreign = port_foreign,
	.send = segment,
	.send_as = segment_as,
};

bool
port_dst_too_big(struct port_lcore *lc, const struct port_addr *local, const struct port_addr *remote,
		 const uint8_t *l4, uint16_t mtu, uint64_t now)
{
	struct port_way *w = way_find(lc, local, remote);
	struct port_if *ifp = &lc->ifp;

	/* Each connection has packets of its own size out and must hear of it, whatever the others made of the way. And
	 * only it can tell a lie, which must not shrink the way for all (RFC 5927 section 7.2). */
	if (w == NULL || mtu >= lc->port->mtu || ifp->too_big == NULL ||
	    !ifp->too_big(ifp->user, local, remote, l4, mtu))
		return false;
	if (mtu <= w->d.mtu) {
		w->d.mtu = mtu;
		w->mtu_until = now + MTU_KEEP_NS;
	}
	return true;
}

void
port_dst_tick(struct port_lcore *lc, uint64_t now)
{
	for (unsigned int i = 0; i < PORT_DSTS; i++) {
		struct port_way *w = &lc->ways[i];

		if (w->mtu_until == 0 || now < w->mtu_until)
			continue;
		w->mtu_until = 0;
		w->d.mtu = lc->port->mtu;
	}
}
