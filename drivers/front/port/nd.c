/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Neighbour discovery for IPv6 (RFC 4861): solicitations and advertisements. Routers are configured, not discovered. */

#include <netinet/in.h>

#include <rte_ether.h>
#include <rte_ip.h>

#include "strake_kernel.h"
#include "port_impl.h"

enum { ND_SOLICIT = 135, ND_ADVERT = 136 };
enum { ND_OPT_SOURCE = 1, ND_OPT_TARGET = 2 };
enum { ND_SOLICITED = 0x40, ND_OVERRIDE = 0x20 };

/** Both messages (RFC 4861 sections 4.3, 4.4). */
struct nd_msg {
	uint8_t type, code;
	uint16_t cksum;
	uint8_t flags; /* of advertisements */
	uint8_t reserved[3];
	uint8_t target[16];
} __rte_packed;

/** Link-layer address option for Ethernet (section 4.6.1). */
struct nd_lladdr {
	uint8_t type;
	uint8_t len; /* units of 8 bytes */
	uint8_t mac[RTE_ETHER_ADDR_LEN];
};

/** An advertisement or solicitation, whole but for its Ethernet header. @p option 0: no option. */
static struct rte_mbuf *
nd_make(struct port_lcore *lc, const struct port_addr *src, const struct port_addr *dst, uint8_t type, uint8_t flags,
	const struct port_addr *target, uint8_t option)
{
	uint16_t len = sizeof(struct nd_msg) + (option != 0 ? sizeof(struct nd_lladdr) : 0);
	struct rte_mbuf *m = rte_pktmbuf_alloc(lc->ifp.pool);
	struct rte_ipv6_hdr *ip;
	struct nd_lladdr *ll;
	struct nd_msg *nd;

	if (m == NULL) {
		lc->stats.tx_drop_nombuf++;
		return NULL;
	}
	ip = (struct rte_ipv6_hdr *)rte_pktmbuf_append(m, sizeof(*ip) + len);
	ip->vtc_flow = RTE_BE32(0x60000000);
	ip->payload_len = rte_cpu_to_be_16(len);
	ip->proto = IPPROTO_ICMPV6;
	ip->hop_limits = 255;
	memcpy(ip->src_addr, src->b, 16);
	memcpy(ip->dst_addr, dst->b, 16);
	nd = (struct nd_msg *)(ip + 1);
	memset(nd, 0, sizeof(*nd));
	nd->type = type;
	nd->flags = flags;
	memcpy(nd->target, target->b, 16);
	if (option != 0) {
		ll = (struct nd_lladdr *)(nd + 1);
		ll->type = option;
		ll->len = 1;
		memcpy(ll->mac, &lc->port->mac, sizeof(ll->mac));
	}
	nd->cksum = strake_cksum_fold(port_csum_chain(
		m, sizeof(*ip), len, port_csum_pseudo(src, dst, IPPROTO_ICMPV6) + rte_cpu_to_be_16(len)));
	return m;
}

void
port_nd_solicit(struct port_lcore *lc, const struct port_addr *target, const struct rte_ether_addr *mac)
{
	const struct port_addr *source = port_source_for(lc->port, target);
	struct rte_ether_addr group_mac;
	struct port_addr group;
	struct rte_mbuf *m;

	if (source == NULL)
		return;
	port_solicited_node(target, &group, &group_mac);
	m = nd_make(lc, source, mac != NULL ? target : &group, ND_SOLICIT, 0, target, ND_OPT_SOURCE);
	if (m == NULL)
		return;
	lc->stats.neigh_asked++;
	port_eth_send_to(lc, m, mac != NULL ? mac : &group_mac, RTE_ETHER_TYPE_IPV6);
}

void
port_nd_announce(struct port_lcore *lc, const struct port_addr *addr)
{
	static const struct rte_ether_addr nodes_mac = {{0x33, 0x33, 0, 0, 0, 1}};
	static const struct port_addr nodes = {.family = 6, .b = {[0] = 0xff, [1] = 0x02, [15] = 1}};
	struct rte_mbuf *m = nd_make(lc, addr, &nodes, ND_ADVERT, ND_OVERRIDE, addr, ND_OPT_TARGET);

	if (m != NULL)
		port_eth_send_to(lc, m, &nodes_mac, RTE_ETHER_TYPE_IPV6);
}

/** Find the link-layer address among the options. @return false: options are malformed. */
static bool
options(const uint8_t *p, uint16_t len, uint8_t wanted, const struct rte_ether_addr **mac)
{
	*mac = NULL;
	while (len != 0) {
		uint16_t size;

		/* Section 4.6: an option of length zero makes the whole packet void. */
		if (len < 8 || p[1] == 0)
			return false;
		size = p[1] * 8;
		if (size > len)
			return false;
		if (p[0] == wanted && size == 8)
			*mac = (const struct rte_ether_addr *)(p + 2);
		p += size;
		len -= size;
	}
	return *mac == NULL || rte_is_valid_assigned_ether_addr(*mac);
}

/** Answer a solicitation (section 7.2.4). */
static void
solicited(struct port_lcore *lc, const struct port_pkt *pkt, const struct port_addr *target,
	  const struct rte_ether_addr *mac)
{
	struct rte_mbuf *m;

	if (mac == NULL) { /* duplicate address detection: source is unspecified, all nodes must hear */
		lc->stats.addr_conflict++;
		port_nd_announce(lc, target);
		return;
	}
	m = nd_make(lc, target, &pkt->src, ND_ADVERT, ND_SOLICITED | ND_OVERRIDE, target, ND_OPT_TARGET);
	if (m != NULL)
		port_eth_send_to(lc, m, mac, RTE_ETHER_TYPE_IPV6);
}

/** Take in an advertisement (section 7.2.5). @return false: nonsense. */
static bool
advertised(struct port_lcore *lc, const struct port_pkt *pkt, const struct nd_msg *nd, const struct port_addr *target,
	   const struct rte_ether_addr *mac)
{
	struct port_neigh *n;

	if (port_addr_multicast(target) || (port_addr_multicast(&pkt->dst) && (nd->flags & ND_SOLICITED) != 0))
		return false;
	if (port_has_addr(lc->port, target)) {
		lc->stats.addr_conflict++;
		return true;
	}
	n = port_neigh_find(lc, target);
	if (mac == NULL || (n == NULL && lc->port->n_lcores == 1))
		return true;
	/* Without Override a known address stays. */
	if (n != NULL && (n->state == NEIGH_KNOWN || n->state == NEIGH_PROBING) && (nd->flags & ND_OVERRIDE) == 0 &&
	    memcmp(n->eth, mac, RTE_ETHER_ADDR_LEN) != 0)
		return true;
	port_neigh_learn(lc, target, mac, false, true, strake_now());
	return true;
}

/** Checks of sections 7.1.1 and 7.1.2 that both messages share; fills in option and target. */
static bool
well_formed(const struct port_pkt *pkt, const struct nd_msg *nd, const struct rte_ether_addr **mac)
{
	static const struct port_addr unspecified = {.family = 6};
	bool solicit = nd->type == ND_SOLICIT;

	if (pkt->ttl != 255 || nd->code != 0 ||
	    !options((const uint8_t *)(nd + 1), pkt->l4_len - sizeof(*nd), solicit ? ND_OPT_SOURCE : ND_OPT_TARGET,
		     mac))
		return false;
	if (port_addr_eq(&pkt->src, &unspecified))
		return solicit && *mac == NULL && port_addr_multicast(&pkt->dst);
	return !solicit || *mac != NULL || !port_addr_multicast(&pkt->dst);
}

void
port_nd_input(struct port_lcore *lc, struct rte_mbuf *m, uint16_t l4)
{
	const struct port_pkt *pkt = port_pkt(m);
	const struct nd_msg *nd = rte_pktmbuf_mtod_offset(m, const struct nd_msg *, l4);
	const struct rte_ether_addr *mac;
	struct port_addr target = {.family = 6};

	if (pkt->l4_len < sizeof(*nd) || m->data_len < l4 + pkt->l4_len || !well_formed(pkt, nd, &mac)) {
		port_drop(m, &lc->stats.rx_drop_nd);
		return;
	}
	memcpy(target.b, nd->target, 16);
	if (nd->type == ND_ADVERT) {
		if (!advertised(lc, pkt, nd, &target, mac)) {
			port_drop(m, &lc->stats.rx_drop_nd);
			return;
		}
	} else if (port_has_addr(lc->port, &target)) {
		const struct rte_ether_addr *to = mac;

		if (mac != NULL && port_on_link(lc->port, &pkt->src))
			port_neigh_learn(lc, &pkt->src, mac, true, true, strake_now());
		else if (mac == NULL && pkt->src.b[0] != 0) /* unicast without the option: answer whence it came */
			to = &rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->src_addr;
		solicited(lc, pkt, &target, to);
		lc->stats.rx_nd++;
		rte_pktmbuf_free(m);
		return;
	}
	lc->stats.rx_nd++;
	port_pass(lc, m); /* as with ARP */
}
