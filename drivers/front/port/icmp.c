/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* ICMP and ICMPv6 (RFC 792, RFC 4443): echo, and what routers say about our packets. */

#include <netinet/in.h>

#include <rte_ether.h>
#include <rte_ip.h>

#include "strake_kernel.h"
#include "port_impl.h"

#define ECHO_RATE  1000 /* replies a second */
#define ECHO_BURST 100
#define MTU4_MIN   552	/* no router we believe has less; RFC 1191 allows 68, which serves attackers only */
#define QUOTED_L4  8	/* bytes of our transport header that a complaint must hold (RFC 792) */
#define MTU6_MIN   1280 /* RFC 8200 section 5 */

enum { ICMP4_ECHO_REPLY = 0, ICMP4_UNREACHABLE = 3, ICMP4_ECHO = 8, ICMP4_TIME_EXCEEDED = 11 };
enum { ICMP4_CODE_TOO_BIG = 4 };
enum { ICMP6_UNREACHABLE = 1, ICMP6_TOO_BIG = 2, ICMP6_TIME_EXCEEDED = 3, ICMP6_ECHO = 128, ICMP6_ECHO_REPLY = 129 };
enum { ICMP6_SOLICIT = 135, ICMP6_ADVERT = 136 };

struct icmp_msg {
	uint8_t type, code;
	uint16_t cksum;
	uint32_t rest; /* echo: identifier and sequence; errors: unused and MTU */
} __rte_packed;

static bool
echo_allowed(struct port_lcore *lc)
{
	uint64_t now = strake_now();
	uint64_t due = (now - lc->echo_filled) / (STRAKE_NS_PER_SEC / ECHO_RATE);

	if (due != 0) {
		lc->echo_tokens = RTE_MIN(lc->echo_tokens + due, (uint64_t)ECHO_BURST);
		lc->echo_filled += due * (STRAKE_NS_PER_SEC / ECHO_RATE);
	}
	if (lc->echo_tokens == 0)
		return false;
	lc->echo_tokens--;
	return true;
}

/** Change the type in place; RFC 1624 equation 3 for the checksum: the type is the first byte of its word. */
static void
set_type(struct icmp_msg *icmp, uint8_t type)
{
	uint64_t sum = (uint16_t)~icmp->cksum;

	sum += (uint16_t) ~(uint16_t)icmp->type;
	sum += type;
	icmp->type = type;
	icmp->cksum = strake_cksum_fold(sum);
	/* The equation cannot tell a message of zeroes, whose checksum is ~0, from one that adds up to ~0. With ~0 in
	 * the field both add up to ~0 at the receiver. */
	if (icmp->cksum == 0)
		icmp->cksum = 0xffff;
}

/** Turn the frame round: what came in goes back to the MAC address it came from. Data at the IP header. */
static void
send_back(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off, uint16_t ethertype)
{
	struct rte_ether_addr mac = rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->src_addr;

	/* Whoever may send larger frames than we: the device might never let go of the answer. */
	if (m->pkt_len - off > lc->port->mtu || m->nb_segs > lc->port->tx_segs_max) {
		port_drop(m, &lc->stats.tx_drop_size);
		return;
	}
	rte_pktmbuf_adj(m, off);
	m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
	m->tx_offload = 0;
	lc->stats.rx_echo++;
	port_eth_send_to(lc, m, &mac, ethertype);
}

static void
echo4(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off, uint16_t l4)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, off);
	uint32_t src = ip->src_addr;

	if (!echo_allowed(lc)) {
		port_drop(m, &lc->stats.rx_drop_echo);
		return;
	}
	set_type(rte_pktmbuf_mtod_offset(m, struct icmp_msg *, l4), ICMP4_ECHO_REPLY);
	ip->src_addr = ip->dst_addr;
	ip->dst_addr = src;
	ip->time_to_live = 64;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = strake_cksum_fold(strake_kernel->cksum(ip, l4 - off, 0));
	send_back(lc, m, off, RTE_ETHER_TYPE_IPV4);
}

static void
echo6(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off, uint16_t l4)
{
	struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, off);
	const struct port_pkt *pkt = port_pkt(m);

	/* Multicast echo is not answered: it would multiply. Nor are packets with extension headers, which a reply
	 * must not repeat. */
	if (port_addr_multicast(&pkt->dst) || l4 - off != sizeof(*ip)) {
		port_exception(lc, m);
		return;
	}
	if (!echo_allowed(lc)) {
		port_drop(m, &lc->stats.rx_drop_echo);
		return;
	}
	set_type(rte_pktmbuf_mtod_offset(m, struct icmp_msg *, l4), ICMP6_ECHO_REPLY);
	memcpy(ip->src_addr, pkt->dst.b, 16);
	memcpy(ip->dst_addr, pkt->src.b, 16);
	ip->hop_limits = 64;
	send_back(lc, m, off, RTE_ETHER_TYPE_IPV6);
}

void
port_too_big_input(struct port_lcore *lc, struct rte_mbuf *m)
{
	const struct port_pkt *pkt = port_pkt(m);
	const uint8_t *l4 = rte_pktmbuf_mtod(m, const uint8_t *);

	if (!port_dst_too_big(lc, &pkt->src, &pkt->dst, l4, pkt->l4_len, strake_now())) {
		port_drop(m, &lc->stats.rx_too_big_ignored);
		return;
	}
	lc->stats.rx_too_big++;
	rte_pktmbuf_free(m);
}

/** @p l4 is where the quoted transport header begins; addresses and MTU are in port_pkt(). To the flow's owner. */
static void
too_big(struct port_lcore *lc, struct rte_mbuf *m, uint16_t l4)
{
	const struct port_pkt *pkt = port_pkt(m);
	const uint8_t *ports = rte_pktmbuf_mtod_offset(m, const uint8_t *, l4);
	uint16_t owner;

	owner = port_flow_lcore(lc->port, &pkt->src, (uint16_t)(ports[0] << 8 | ports[1]), &pkt->dst,
				(uint16_t)(ports[2] << 8 | ports[3]));
	rte_pktmbuf_adj(m, l4);
	if (owner == lc->index) {
		port_too_big_input(lc, m);
	} else {
		m->packet_type = PORT_HANDED_TOO_BIG;
		port_hand(lc, owner, m);
	}
}

/** A router without RFC 1191 gives no MTU: guess the next of the usual ones (section 7.1). */
static uint16_t
plateau(uint16_t total)
{
	static const uint16_t usual[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006};

	for (unsigned int i = 0; i < RTE_DIM(usual); i++)
		if (usual[i] < total)
			return usual[i];
	return MTU4_MIN;
}

/** An IP header of @p len bytes and the ports behind it are quoted, all in the first mbuf. */
static bool
quoted(struct rte_mbuf *m, uint16_t l4, uint16_t len)
{
	uint16_t need = sizeof(struct icmp_msg) + len + QUOTED_L4;

	return port_pkt(m)->l4_len >= need && m->data_len >= l4 + need;
}

static void
too_big4(struct port_lcore *lc, struct rte_mbuf *m, uint16_t l4)
{
	const struct icmp_msg *icmp = rte_pktmbuf_mtod_offset(m, const struct icmp_msg *, l4);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(icmp + 1);
	struct port_pkt *pkt = port_pkt(m);
	uint16_t len, mtu;

	port_pass_copy(lc, m); /* the quoted packet may be the kernel's */
	if (!quoted(m, l4, sizeof(*ip))) {
		port_drop(m, &lc->stats.rx_drop_icmp);
		return;
	}
	len = (ip->version_ihl & 0xf) * 4;
	if (ip->version_ihl >> 4 != 4 || len < sizeof(*ip) || !quoted(m, l4, len) || ip->next_proto_id != IPPROTO_TCP) {
		port_drop(m, &lc->stats.rx_drop_icmp);
		return;
	}
	mtu = (uint16_t)rte_be_to_cpu_32(icmp->rest);
	if (mtu == 0)
		mtu = plateau(rte_be_to_cpu_16(ip->total_length));
	memcpy(pkt->src.b, &ip->src_addr, 4);
	memcpy(pkt->dst.b, &ip->dst_addr, 4);
	pkt->l4_len = RTE_MAX(mtu, MTU4_MIN);
	too_big(lc, m, l4 + sizeof(*icmp) + len);
}

static void
too_big6(struct port_lcore *lc, struct rte_mbuf *m, uint16_t l4)
{
	const struct icmp_msg *icmp = rte_pktmbuf_mtod_offset(m, const struct icmp_msg *, l4);
	const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)(icmp + 1);
	struct port_pkt *pkt = port_pkt(m);
	uint32_t mtu;

	port_pass_copy(lc, m);
	/* We send TCP directly behind the IPv6 header, so that is all a quote of ours can hold. */
	if (!quoted(m, l4, sizeof(*ip)) || ip->proto != IPPROTO_TCP) {
		port_drop(m, &lc->stats.rx_drop_icmp);
		return;
	}
	mtu = rte_be_to_cpu_32(icmp->rest);
	mtu = RTE_MAX(mtu, (uint32_t)MTU6_MIN);
	memcpy(pkt->src.b, ip->src_addr, 16);
	memcpy(pkt->dst.b, ip->dst_addr, 16);
	pkt->l4_len = (uint16_t)RTE_MIN(mtu, (uint32_t)UINT16_MAX);
	too_big(lc, m, l4 + sizeof(*icmp) + sizeof(*ip));
}

/** Header whole, checksum right. Else the message is gone. */
static bool
icmp_ok(struct port_lcore *lc, struct rte_mbuf *m, uint16_t l4, uint8_t proto)
{
	const struct port_pkt *pkt = port_pkt(m);

	if (pkt->l4_len < sizeof(struct icmp_msg) || m->data_len < l4 + sizeof(struct icmp_msg)) {
		port_drop(m, &lc->stats.rx_drop_icmp);
		return false;
	}
	if (!port_csum_ok(m, l4, pkt, proto)) {
		port_drop(m, &lc->stats.rx_drop_l4_cksum);
		return false;
	}
	return true;
}

/** Nothing to us; perhaps an answer to the kernel, or about a packet of its own. */
static void
pass(struct port_lcore *lc, struct rte_mbuf *m, uint64_t *counter)
{
	(*counter)++;
	port_pass(lc, m);
}

void
port_icmp4_input(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off, uint16_t l4)
{
	const struct icmp_msg *icmp = rte_pktmbuf_mtod_offset(m, const struct icmp_msg *, l4);

	if (!icmp_ok(lc, m, l4, IPPROTO_ICMP))
		return;
	if (icmp->type == ICMP4_ECHO)
		echo4(lc, m, off, l4);
	else if (icmp->type == ICMP4_UNREACHABLE && icmp->code == ICMP4_CODE_TOO_BIG)
		too_big4(lc, m, l4);
	else if (icmp->type == ICMP4_UNREACHABLE || icmp->type == ICMP4_TIME_EXCEEDED)
		pass(lc, m, &lc->stats.rx_unreachable);
	else
		pass(lc, m, &lc->stats.rx_drop_icmp);
}

void
port_icmp6_input(struct port_lcore *lc, struct rte_mbuf *m, uint16_t off, uint16_t l4)
{
	const struct icmp_msg *icmp = rte_pktmbuf_mtod_offset(m, const struct icmp_msg *, l4);

	if (!icmp_ok(lc, m, l4, IPPROTO_ICMPV6))
		return;
	switch (icmp->type) {
	case ICMP6_SOLICIT:
	case ICMP6_ADVERT:
		port_nd_input(lc, m, l4);
		break;
	case ICMP6_ECHO:
		echo6(lc, m, off, l4);
		break;
	case ICMP6_TOO_BIG:
		too_big6(lc, m, l4);
		break;
	case ICMP6_UNREACHABLE:
	case ICMP6_TIME_EXCEEDED:
		pass(lc, m, &lc->stats.rx_unreachable);
		break;
	default:
		pass(lc, m, &lc->stats.rx_drop_icmp);
	}
}
