/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* ARP for IPv4 over Ethernet (RFC 826), with announcements and defence (RFC 5227). */

#include <rte_arp.h>
#include <rte_ether.h>

#include "port_impl.h"

#define DEFEND_NS (10 * STRAKE_NS_PER_SEC) /* RFC 5227 section 1.1, DEFEND_INTERVAL */

static const struct rte_ether_addr everyone = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
static const struct rte_ether_addr nobody;

static void
arp_send(struct port_lcore *lc, uint16_t op, const uint8_t *sender, const struct rte_ether_addr *tha,
	 const uint8_t *target, const struct rte_ether_addr *to)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(lc->ifp.pool);
	struct rte_arp_hdr *arp;

	if (m == NULL) {
		lc->stats.tx_drop_nombuf++;
		return;
	}
	arp = (struct rte_arp_hdr *)rte_pktmbuf_append(m, sizeof(*arp));
	arp->arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = RTE_ETHER_ADDR_LEN;
	arp->arp_plen = 4;
	arp->arp_opcode = rte_cpu_to_be_16(op);
	arp->arp_data.arp_sha = lc->port->mac;
	memcpy(&arp->arp_data.arp_sip, sender, 4);
	arp->arp_data.arp_tha = *tha;
	memcpy(&arp->arp_data.arp_tip, target, 4);
	port_eth_send_to(lc, m, to, RTE_ETHER_TYPE_ARP);
}

void
port_arp_request(struct port_lcore *lc, const struct port_addr *target, const struct rte_ether_addr *mac)
{
	const struct port_addr *source = port_source_for(lc->port, target);

	if (source == NULL)
		return;
	lc->stats.neigh_asked++;
	arp_send(lc, RTE_ARP_OP_REQUEST, source->b, &nobody, target->b, mac != NULL ? mac : &everyone);
}

void
port_arp_announce(struct port_lcore *lc, const struct port_addr *addr)
{
	arp_send(lc, RTE_ARP_OP_REQUEST, addr->b, &nobody, addr->b, &everyone);
}

/** Someone else says an address of ours is his: say no, at most every DEFEND_NS. */
static void
defend(struct port_lcore *lc, const struct port_addr *addr)
{
	uint64_t now = strake_now();

	lc->stats.addr_conflict++;
	if (lc->defended != 0 && now - lc->defended < DEFEND_NS)
		return;
	lc->defended = now;
	port_arp_announce(lc, addr);
}

static bool
well_formed(const struct rte_arp_hdr *arp)
{
	return arp->arp_hardware == RTE_BE16(RTE_ARP_HRD_ETHER) && arp->arp_protocol == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
	       arp->arp_hlen == RTE_ETHER_ADDR_LEN && arp->arp_plen == 4 &&
	       (arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST) || arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REPLY)) &&
	       rte_is_valid_assigned_ether_addr(&arp->arp_data.arp_sha);
}

void
port_arp_input(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off)
{
	struct port_addr sender = {.family = 4}, target = {.family = 4};
	struct rte_ether_addr sha;
	struct rte_arp_hdr arp;
	bool for_us;

	if (m->data_len < off + sizeof(arp)) {
		port_drop(m, &lc->stats.rx_drop_short);
		return;
	}
	memcpy(&arp, rte_pktmbuf_mtod_offset(m, void *, off), sizeof(arp));
	memcpy(sender.b, &arp.arp_data.arp_sip, 4);
	memcpy(target.b, &arp.arp_data.arp_tip, 4);
	sha = arp.arp_data.arp_sha;
	if (!well_formed(&arp)) {
		port_drop(m, &lc->stats.rx_drop_arp);
		return;
	}
	if (rte_is_same_ether_addr(&sha, &lc->port->mac)) { /* our own broadcast came back */
		port_exception(lc, m);
		return;
	}
	if (port_has_addr(lc->port, &sender)) {
		port_drop(m, &lc->stats.rx_drop_arp);
		defend(lc, &sender);
		return;
	}
	for_us = port_has_addr(lc->port, &target);
	/* A probe (RFC 5227 section 2.1.1) has no sender address: it wants an answer and teaches nothing. */
	if (rte_be_to_cpu_32(arp.arp_data.arp_sip) != 0) {
		if (port_addr_multicast(&sender) || port_addr_broadcast(lc->port, &sender)) {
			port_drop(m, &lc->stats.rx_drop_arp);
			return;
		}
		if (!port_on_link(lc->port, &sender)) { /* perhaps on a network of the kernel's */
			lc->stats.rx_drop_arp++;
			port_pass(lc, m);
			return;
		}
		port_neigh_learn(lc, &sender, &sha, for_us, true, strake_now());
	}
	lc->stats.rx_arp++;
	if (for_us && arp.arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST)) {
		rte_pktmbuf_free(m);
		arp_send(lc, RTE_ARP_OP_REPLY, target.b, &sha, sender.b, &sha);
		return;
	}
	/* Answers are for whoever asked, we or the kernel; questions about other addresses are the kernel's. */
	port_pass(lc, m);
}
