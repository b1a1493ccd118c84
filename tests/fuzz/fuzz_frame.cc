/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Ethernet frames into a port on a fake ethdev: ARP, neighbour discovery, IPv4, IPv6 and ICMP, in pieces, with the
 * flags a device would set, while time passes and a transport sends. Every frame sent is one that hosts accept; every
 * mbuf comes back.
 */

#include "fuzz_world.h"

#include <rte_malloc.h>

extern "C" {
#include "drivers/front/port/port_impl.h"
#include "ethdev_ring.h"
}

namespace
{

constexpr unsigned int kMtu = 1500, kWays = 4;
const Bytes kPeerMac = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0x01};

ethdev *dev;
port *the_port;
port_if *ifp;
FuzzPool *rx_pool;
std::vector<port_addr> v4, v6; /* [0] is ours, [1] a neighbour */
port_dst *ways[kWays];

Bytes
be16(unsigned int v)
{
	return {(uint8_t)(v >> 8), (uint8_t)v};
}

Bytes
be32(uint32_t v)
{
	return be16(v >> 16) + be16(v & 0xffff);
}

Bytes
raw(const port_addr &a)
{
	return Bytes(a.b, a.b + port_addr_len(&a));
}

void
set16(Bytes &b, size_t at, unsigned int v)
{
	b[at] = (uint8_t)(v >> 8);
	b[at + 1] = (uint8_t)v;
}

/* RFC 1071, slow and plain: not the code under test. */
uint16_t
sum(const uint8_t *b, size_t len, uint32_t acc = 0)
{
	for (size_t i = 0; i < len; i++)
		acc += i % 2 == 0 ? (uint32_t)b[i] << 8 : b[i];
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return (uint16_t)acc;
}

uint16_t
l4_sum(const uint8_t *src, const uint8_t *dst, size_t alen, uint8_t proto, const uint8_t *l4, size_t len)
{
	uint32_t acc = sum(src, alen) + (uint32_t)sum(dst, alen) + proto + (uint32_t)(len >> 16) + (len & 0xffff);

	return sum(l4, len, acc);
}

const port_addr &
pick(const std::vector<port_addr> &from, Input &in)
{
	return from[in.u8() % from.size()];
}

/* --- frames in -----------------------------------------------------------------------------------------------------
 */

Bytes
tcp_segment(Input &in)
{
	Bytes t = be16(in.u8()) + be16(in.u8()) + be32(in.u32()) + be32(1) + Bytes{0x50, 0x10} + be32(4096) + be16(0);

	return t + in.bytes(in.u8());
}

/* What we might have sent, quoted by an ICMP error. */
Bytes
quote(Input &in, bool six)
{
	uint8_t cut = in.u8();
	Bytes t = be16(4420) + be16(in.u8()) + be32(in.u32()) + in.bytes(cut & 31);

	if (six)
		return Bytes{0x60, 0, 0, 0} + be16(in.u16()) + Bytes{6, 64} + raw(v6[0]) + raw(pick(v6, in)) + t;
	return Bytes{(uint8_t)(cut & 0x80 ? 0x45 + (cut >> 5 & 3) : 0x45), 0} + be16(in.u16()) + be16(1) +
	       be16(cut & 0x40 ? in.u16() : 0) + Bytes{64, 6, 0, 0} + raw(v4[0]) + raw(pick(v4, in)) + t;
}

Bytes
icmp(Input &in, bool six)
{
	static const uint8_t types4[] = {0, 3, 5, 8, 11, 13}, types6[] = {1, 2, 3, 128, 129, 133, 134, 137};
	uint8_t how = in.u8();
	Bytes m = {six ? types6[how % sizeof(types6)] : types4[how % sizeof(types4)], in.u8(), 0, 0};

	m = m + be32(in.u32());
	if (m[0] == 3 && !six)
		m[1] = how & 0x40 ? 4 : m[1];
	return m + (how & 0x80 ? quote(in, six) : in.bytes(in.u8()));
}

/* Neighbour solicitation or advertisement, with options. */
Bytes
neighbour(Input &in)
{
	uint8_t how = in.u8();
	Bytes m =
		Bytes{(uint8_t)(how & 1 ? 136 : 135), 0, 0, 0} + be32((uint32_t)(how & 0xe0) << 24) + raw(pick(v6, in));

	if (how & 2)
		m = m + Bytes{(uint8_t)(how & 4 ? 1 : 2), 1} + kPeerMac;
	if (how & 8)
		m = m + in.bytes(in.u8() & 31);
	return m;
}

Bytes
ip4(Input &in)
{
	uint8_t how = in.u8(), kind = in.u8();
	const port_addr &src = pick(v4, in), &dst = how & 1 ? v4[0] : pick(v4, in);
	Bytes opts = how & 2 ? in.bytes((in.u8() % 11) * 4) : Bytes();
	Bytes l4 = kind % 4 == 0 ? in.bytes(in.u8()) : kind % 4 == 1 ? tcp_segment(in) : icmp(in, false);
	uint8_t proto = kind % 4 == 0 ? in.u8() : kind % 4 == 1 ? 6 : 1;

	opts.resize(opts.size() / 4 * 4);
	if ((how & 4) == 0 && l4.size() >= 20 && proto == 6) {
		set16(l4, 16, 0);
		set16(l4, 16, (uint16_t)~l4_sum(src.b, dst.b, 4, 6, l4.data(), l4.size()));
	} else if ((how & 4) == 0 && l4.size() >= 8 && proto == 1) {
		set16(l4, 2, 0);
		set16(l4, 2, (uint16_t)~sum(l4.data(), l4.size()));
	}
	Bytes ip = Bytes{(uint8_t)(0x45 + opts.size() / 4), (uint8_t)(how & 8 ? in.u8() : 0)} +
		   be16((unsigned int)(20 + opts.size() + l4.size())) + be16(7) + be16(how & 16 ? in.u16() : 0) +
		   Bytes{64, proto, 0, 0} + raw(src) + raw(dst) + opts;

	if (how & 32)
		ip[in.u8() % ip.size()] = in.u8();
	if ((how & 64) == 0)
		set16(ip, 10, (uint16_t)~sum(ip.data(), ip.size()));
	return ip + l4;
}

Bytes
ip6(Input &in)
{
	uint8_t how = in.u8(), kind = in.u8();
	const port_addr &src = pick(v6, in), &dst = how & 1 ? v6[0] : pick(v6, in);
	Bytes l4 = kind % 4 == 0   ? in.bytes(in.u8())
		   : kind % 4 == 1 ? tcp_segment(in)
		   : kind % 4 == 2 ? icmp(in, true)
				   : neighbour(in);
	uint8_t proto = kind % 4 == 0 ? in.u8() : kind % 4 == 1 ? 6 : 58;
	size_t at = proto == 6 ? 16 : 2;

	if ((how & 4) == 0 && l4.size() >= at + 2 && (proto == 6 || proto == 58)) {
		set16(l4, at, 0);
		set16(l4, at, (uint16_t)~l4_sum(src.b, dst.b, 16, proto, l4.data(), l4.size()));
	}
	Bytes ext;
	uint8_t next = proto;

	for (unsigned int n = how & 2 ? in.u8() % 4 : 0; n > 0; n--) {
		static const uint8_t kinds[] = {0, 43, 44, 60, 135, 51};
		uint8_t len = in.u8() % 3;
		Bytes h = Bytes{next, len} + in.bytes(6 + 8 * (size_t)len);

		h.resize(8 + 8 * (size_t)len);
		ext = h + ext;
		next = kinds[in.u8() % sizeof(kinds)];
	}
	Bytes ip = Bytes{0x60, 0, 0, 0} + be16((unsigned int)(ext.size() + l4.size())) +
		   Bytes{next, (uint8_t)(how & 8 ? in.u8() : 255)} + raw(src) + raw(dst);

	if (how & 32)
		ip[in.u8() % ip.size()] = in.u8();
	return ip + ext + l4;
}

Bytes
arp(Input &in)
{
	uint8_t how = in.u8();
	Bytes a = be16(1) + be16(0x0800) + Bytes{6, 4} + be16(1 + (how & 1)) + kPeerMac + raw(pick(v4, in)) +
		  Bytes(the_port->mac.addr_bytes, the_port->mac.addr_bytes + 6) + raw(pick(v4, in));

	if (how & 2)
		a[in.u8() % a.size()] = in.u8();
	if (how & 4)
		a.resize(a.size() - in.u8() % a.size());
	return a;
}

Bytes
frame(Input &in)
{
	uint8_t how = in.u8();
	static const unsigned int types[] = {0x0800, 0x86dd, 0x0806, 0};
	unsigned int type = types[how & 3];
	Bytes body = type == 0x0800 ? ip4(in) : type == 0x86dd ? ip6(in) : type == 0x0806 ? arp(in) : Bytes();
	Bytes dst = how & 4 ? in.bytes(6) : Bytes(the_port->mac.addr_bytes, the_port->mac.addr_bytes + 6);

	if (type == 0)
		return in.bytes(in.u8() + 1);
	dst.resize(6, 0xff);
	if (how & 8)
		body.resize(body.size() - in.u8() % body.size());
	if (how & 16)
		body.resize(body.size() + in.u8() % 64); /* Ethernet padding */
	return dst + kPeerMac + (how & 32 ? be16(0x8100) + be16(in.u16()) : Bytes()) + be16(type) + body;
}

void
receive(Input &in)
{
	static const uint64_t flags[] = {
		0,
		0,
		RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD,
		RTE_MBUF_F_RX_L4_CKSUM_BAD,
		RTE_MBUF_F_RX_IP_CKSUM_BAD,
		RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED,
		RTE_MBUF_F_RX_L4_CKSUM_NONE,
		0,
	};
	uint8_t how = in.u8();
	Bytes b = frame(in);
	rte_mbuf *m;

	if (b.empty())
		return;
	/* A device's first piece holds at least the headers' beginning; the port must not rely on more. */
	m = rx_pool->frame(b, how & 8 ? (uint16_t)(14 + in.u8()) : 0);
	if (m == nullptr)
		return;
	m->ol_flags |= flags[how & 7];
	m->vlan_tci = how & 16 ? 1 : 0;
	ethdev_inject(dev, 0, m);
}

/* --- frames out ----------------------------------------------------------------------------------------------------
 */

void
check_ip4(const uint8_t *ip, size_t len)
{
	size_t hlen = (size_t)(ip[0] & 15) * 4, total;

	FUZZ_CHECK(len >= 20 && ip[0] >> 4 == 4 && hlen >= 20 && hlen <= len);
	total = (size_t)ip[2] << 8 | ip[3];
	FUZZ_CHECK(total >= hlen && total <= len && total <= kMtu);
	FUZZ_CHECK(sum(ip, hlen) == 0xffff);
	if (ip[9] == 1)
		FUZZ_CHECK(total >= hlen + 8 && sum(ip + hlen, total - hlen) == 0xffff);
	else
		FUZZ_CHECK(ip[9] == 6 && l4_sum(ip + 12, ip + 16, 4, 6, ip + hlen, total - hlen) == 0xffff);
}

void
check_ip6(const uint8_t *ip, size_t len)
{
	size_t plen;

	FUZZ_CHECK(len >= 40 && ip[0] >> 4 == 6);
	plen = (size_t)ip[4] << 8 | ip[5];
	FUZZ_CHECK(40 + plen <= len && 40 + plen <= kMtu);
	FUZZ_CHECK(ip[6] == 6 || ip[6] == 58);
	FUZZ_CHECK(l4_sum(ip + 8, ip + 24, 16, ip[6], ip + 40, plen) == 0xffff);
}

void
check_sent(rte_mbuf *m)
{
	Bytes b;

	FUZZ_CHECK(rte_mbuf_check(m, 1, nullptr) == 0 || m->refcnt > 0);
	for (rte_mbuf *s = m; s != nullptr; s = s->next)
		b.insert(b.end(), rte_pktmbuf_mtod(s, uint8_t *), rte_pktmbuf_mtod_offset(s, uint8_t *, s->data_len));
	FUZZ_CHECK(b.size() == m->pkt_len && b.size() >= 14);
	FUZZ_CHECK(memcmp(&b[6], the_port->mac.addr_bytes, 6) == 0);
	unsigned int type = (unsigned int)b[12] << 8 | b[13];
	/* An exact block, so that a header that promises too much is seen. */
	uint8_t *body = (uint8_t *)malloc(b.size() - 14 + 1);

	memcpy(body, b.data() + 14, b.size() - 14);
	if (type == 0x0800)
		check_ip4(body, b.size() - 14);
	else if (type == 0x86dd)
		check_ip6(body, b.size() - 14);
	else
		FUZZ_CHECK(type == 0x0806 && b.size() >= 42);
	free(body);
}

void
take_sent(bool check)
{
	while (rte_mbuf *m = ethdev_take(dev, 0)) {
		if (check)
			check_sent(m);
		rte_pktmbuf_free(m);
	}
}

/* --- the transport above -------------------------------------------------------------------------------------------
 */

void
on_rx(void *, rte_mbuf **m, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const struct port_pkt *pkt = port_pkt(m[i]);
		uint32_t len = 0;

		for (rte_mbuf *s = m[i]; s != nullptr; s = s->next)
			len += s->data_len;
		FUZZ_CHECK(len == m[i]->pkt_len && len == pkt->l4_len && len >= 20 && m[i]->data_len >= 20);
		FUZZ_CHECK(pkt->src.family == pkt->dst.family && port_has_addr(the_port, &pkt->dst));
		rte_pktmbuf_free(m[i]);
	}
}

bool
on_too_big(void *, const port_addr *local, const port_addr *, const uint8_t *l4, uint16_t mtu)
{
	volatile uint8_t last = l4[7]; /* at least eight bytes may be read */

	FUZZ_CHECK(mtu < kMtu && port_has_addr(the_port, local));
	return last & 1;
}

void
transport(Input &in)
{
	uint8_t how = in.u8();
	port_dst *&way = ways[how % kWays];
	const auto &from = how & 4 ? v6 : v4;

	if (how & 8 && way != nullptr) {
		ifp->ops->unroute(way);
		way = nullptr;
		return;
	}
	if (way == nullptr)
		way = ifp->ops->route(ifp, how & 16 ? &pick(from, in) : &from[0], &pick(from, in));
	if (way == nullptr)
		return;
	FUZZ_CHECK(way->mtu <= kMtu && way->mtu >= 68);
	rte_mbuf *m = rte_pktmbuf_alloc(the_port->pool);

	if (m == nullptr)
		return;
	unsigned int len = 20 + in.u16() % (way->mtu - 40 - 20 + 1);
	uint8_t *t = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)std::min<unsigned int>(len, rte_pktmbuf_tailroom(m)));

	memset(t, how, m->data_len);
	memset(t + 16, 0, 2);
	t[12] = 0x50;
	m->l4_len = 20;
	ifp->ops->send(way, m, how);
}

void
step(Input &in)
{
	uint8_t op = in.u8();

	switch (op & 7) {
	case 4:
		transport(in);
		break;
	case 5:
		FuzzLcores::turn(STRAKE_NS_PER_MS * in.u16());
		break;
	case 6:
		FuzzLcores::turn(0);
		break;
	case 7:
		take_sent(true);
		break;
	default:
		receive(in);
	}
}

void
address(const char *text)
{
	port_addr a;

	FUZZ_CHECK(port_addr_parse(&a, text) == 0);
	(a.family == 6 ? v6 : v4).push_back(a);
}

} // namespace

extern "C" int
LLVMFuzzerInitialize(int *, char ***argv)
{
	static const char *addresses[] = {"10.0.0.2/24", "fd00::2/64"};
	ethdev_conf dc = {};
	conf_port conf = {};
	char err[256];

	fuzz_eal((*argv)[0]);
	FuzzLcores::create(1, 1024, 1u << 20);
	dc.queues = 1;
	dc.tx_slots = 64; /* so that it can be full */
	dev = ethdev_create("fuzz", &dc);
	FUZZ_CHECK(dev != nullptr);
	conf.name = "fuzz";
	conf.mtu = kMtu;
	conf.addresses = addresses;
	conf.n_addresses = 2;
	conf.gateway4 = "10.0.0.1";
	conf.device = dev->name;
	FUZZ_CHECK(port_open(&the_port, &conf, 1, err, sizeof(err)) == 0);
	/* The same flow hash in every run. */
	memset(the_port->seed, 0x11, sizeof(the_port->seed));
	rx_pool = new FuzzPool("fuzz_rx", 1023, PORT_MBUF_PRIV);
	for (const char *a : {"10.0.0.2", "10.0.0.9", "10.0.0.1", "10.0.0.77", "192.0.2.1", "10.0.0.255",
			      "255.255.255.255", "224.0.0.1", "0.0.0.0", "127.0.0.1"})
		address(a);
	for (const char *a : {"fd00::2", "fd00::9", "fe80::9", "2001:db8::1", "ff02::1", "ff02::1:ff00:2", "::", "::1"})
		address(a);
	strake_lcore_enter(1);
	return 0;
}

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input in(data, size);

	strake_lcore_enter(1);
	FuzzLcores::begin();
	ifp = port_lcore_init(the_port);
	FUZZ_CHECK(ifp != nullptr);
	ifp->rx = on_rx;
	ifp->too_big = on_too_big;
	while (!in.empty())
		step(in);
	do /* the port takes so many frames a turn */
		FuzzLcores::turn();
	while (rte_ring_count(dev->rx[0]) > 0);
	take_sent(true);
	for (port_dst *&way : ways) {
		if (way != nullptr)
			ifp->ops->unroute(way);
		way = nullptr;
	}
	port_lcore_fini(the_port);
	rte_free(the_port->lcores[1]);
	the_port->lcores[1] = nullptr;
	take_sent(true);
	rx_pool->check_leaks();
	FUZZ_CHECK(rte_mempool_full(the_port->pool));
	FuzzLcores::check_leaks();
	return 0;
}
