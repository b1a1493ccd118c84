/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Ethernet and 802.1Q: frames in by type, frames out with their header. */

#include <errno.h>

#include <rte_ether.h>

#include "port_impl.h"

void
port_trim(struct rte_mbuf *m, uint32_t len)
{
	struct rte_mbuf *seg = m;
	uint32_t left = len;

	if (likely(m->pkt_len == len))
		return;
	m->pkt_len = len;
	while (left > seg->data_len) {
		left -= seg->data_len;
		seg = seg->next;
	}
	seg->data_len = (uint16_t)left;
	if (seg->next == NULL)
		return;
	rte_pktmbuf_free(seg->next);
	seg->next = NULL;
	m->nb_segs = 1;
	for (seg = m; seg->next != NULL; seg = seg->next)
		m->nb_segs++;
}

/** Take the tag off, if there is one, and note its priority. @return false: another VLAN's. */
static bool
vlan_ours(const struct port *port, struct rte_mbuf *m, uint16_t *type, uint16_t *off)
{
	uint16_t tci = 0;

	if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		tci = m->vlan_tci;
	} else if (*type == RTE_BE16(RTE_ETHER_TYPE_VLAN)) {
		const struct rte_vlan_hdr *tag;

		if (m->data_len < RTE_ETHER_HDR_LEN + sizeof(*tag))
			return false;
		tag = rte_pktmbuf_mtod_offset(m, const struct rte_vlan_hdr *, RTE_ETHER_HDR_LEN);
		tci = rte_be_to_cpu_16(tag->vlan_tci);
		*type = tag->eth_proto;
		*off += sizeof(*tag);
	}
	port_pkt(m)->pcp = (uint8_t)(tci >> 13);
	return (tci & 0xfff) == port->vlan; /* id 0 is a priority tag: as good as none */
}

void
port_eth_input(struct port_lcore *lc, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	uint16_t off = RTE_ETHER_HDR_LEN;
	uint16_t type;
	bool to_many;

	lc->stats.rx_bytes += m->pkt_len;
	if (unlikely(m->data_len < RTE_ETHER_HDR_LEN)) {
		port_drop(m, &lc->stats.rx_drop_short);
		return;
	}
	type = eth->ether_type;
	to_many = rte_is_multicast_ether_addr(&eth->dst_addr);
	if (unlikely(!vlan_ours(lc->port, m, &type, &off)) ||
	    unlikely(!to_many && !rte_is_same_ether_addr(&eth->dst_addr, &lc->port->mac))) {
		port_exception(lc, m);
		return;
	}
	if (likely(type == RTE_BE16(RTE_ETHER_TYPE_IPV4)))
		port_ip4_input(lc, m, off, to_many);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		port_ip6_input(lc, m, off, to_many);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_ARP))
		port_arp_input(lc, m, off);
	else
		port_exception(lc, m);
}

uint16_t
port_eth_header(const struct port *port, uint8_t *eth, const struct rte_ether_addr *mac, uint16_t ethertype)
{
	uint16_t words[3];
	uint16_t len = port_eth_len(port);

	words[0] = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	words[1] = rte_cpu_to_be_16(port->vlan);
	words[2] = rte_cpu_to_be_16(ethertype);
	memcpy(eth, mac, RTE_ETHER_ADDR_LEN);
	memcpy(eth + RTE_ETHER_ADDR_LEN, &port->mac, RTE_ETHER_ADDR_LEN);
	if (len == RTE_ETHER_HDR_LEN)
		memcpy(eth + 12, &words[2], 2);
	else
		memcpy(eth + 12, words, 6);
	return len;
}

int
port_eth_send(struct port_lcore *lc, struct rte_mbuf *m, const uint8_t *eth)
{
	const struct port *port = lc->port;
	uint16_t len = port_eth_len(port);
	void *h = rte_pktmbuf_prepend(m, len);

	if (unlikely(h == NULL)) {
		port_drop(m, &lc->stats.tx_drop_size);
		return -ENOBUFS;
	}
	if (len == RTE_ETHER_HDR_LEN)
		memcpy(h, eth, RTE_ETHER_HDR_LEN);
	else
		memcpy(h, eth, PORT_ETH_MAX);
	if (port->vlan_insert) {
		m->vlan_tci = port->vlan;
		m->ol_flags |= RTE_MBUF_F_TX_VLAN;
	}
	return port_tx(lc, m);
}

int
port_eth_send_to(struct port_lcore *lc, struct rte_mbuf *m, const struct rte_ether_addr *mac, uint16_t ethertype)
{
	uint8_t eth[PORT_ETH_MAX];

	port_eth_header(lc->port, eth, mac, ethertype);
	return port_eth_send(lc, m, eth);
}
