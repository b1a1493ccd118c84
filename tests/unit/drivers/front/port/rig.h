/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PORT_TEST_RIG_H
#define PORT_TEST_RIG_H

/* A port on the fake ethdev, its lcores turned by hand on one thread, and a builder of frames. */

#include <arpa/inet.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "strake_kernel.h"
#include "strake_lcore.h"
#include "drivers/front/port/port_impl.h"
#include "ethdev_ring.h"
}

using Bytes = std::vector<uint8_t>;

inline Bytes
operator+(Bytes a, const Bytes &b)
{
	a.insert(a.end(), b.begin(), b.end());
	return a;
}

inline Bytes
be16(unsigned v)
{
	return {(uint8_t)(v >> 8), (uint8_t)v};
}

inline Bytes
be32(uint32_t v)
{
	return be16(v >> 16) + be16(v & 0xffff);
}

inline port_addr
addr(const char *text)
{
	port_addr a;

	EXPECT_EQ(0, port_addr_parse(&a, text)) << text;
	return a;
}

inline Bytes
raw(const port_addr &a)
{
	return Bytes(a.b, a.b + (a.family == 6 ? 16 : 4));
}

/** The checksum as RFC 1071 words it: the tests' own, slow and plain. */
inline uint16_t
plain_sum(const Bytes &b)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < b.size(); i++)
		sum += i % 2 == 0 ? (uint32_t)b[i] << 8 : b[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

inline Bytes
pseudo(const port_addr &src, const port_addr &dst, uint8_t proto, size_t len)
{
	return raw(src) + raw(dst) +
	       (src.family == 6 ? be32((uint32_t)len) + be32(proto) : be16(proto) + be16((unsigned)len));
}

inline void
set16(Bytes &b, size_t at, unsigned v)
{
	b[at] = (uint8_t)(v >> 8);
	b[at + 1] = (uint8_t)v;
}

inline unsigned
get16(const Bytes &b, size_t at)
{
	return (unsigned)b[at] << 8 | b[at + 1];
}

inline uint32_t
get32(const Bytes &b, size_t at)
{
	return get16(b, at) << 16 | get16(b, at + 2);
}

inline Bytes
slice(const Bytes &b, size_t at, size_t len = SIZE_MAX)
{
	return at >= b.size() ? Bytes()
			      : Bytes(b.begin() + (long)at,
				      b.begin() + (long)std::min(b.size(), at + std::min(len, b.size())));
}

static const Bytes kPeerMac = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0x01};
static const Bytes kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

inline Bytes
tcp_segment(const port_addr &src, const port_addr &dst, unsigned sport, unsigned dport, const Bytes &payload)
{
	Bytes t = be16(sport) + be16(dport) + be32(1) + be32(2) + Bytes{0x50, 0x10} + be16(4096) + be16(0) + be16(0) +
		  payload;

	set16(t, 16, (uint16_t)~plain_sum(pseudo(src, dst, 6, t.size()) + t));
	return t;
}

inline Bytes
ip4_packet(const port_addr &src, const port_addr &dst, uint8_t proto, const Bytes &payload, const Bytes &options = {},
	   unsigned frag = 0)
{
	Bytes ip = Bytes{(uint8_t)(0x45 + options.size() / 4), 0} +
		   be16((unsigned)(20 + options.size() + payload.size())) + be16(7) + be16(frag) +
		   Bytes{64, proto, 0, 0} + raw(src) + raw(dst) + options;

	set16(ip, 10, (uint16_t)~plain_sum(ip));
	return ip + payload;
}

inline Bytes
ip6_packet(const port_addr &src, const port_addr &dst, uint8_t next, const Bytes &payload, uint8_t hops = 64)
{
	return Bytes{0x60, 0, 0, 0} + be16((unsigned)payload.size()) + Bytes{next, hops} + raw(src) + raw(dst) +
	       payload;
}

inline Bytes
ip_packet(const port_addr &src, const port_addr &dst, uint8_t proto, const Bytes &payload)
{
	return src.family == 6 ? ip6_packet(src, dst, proto, payload) : ip4_packet(src, dst, proto, payload);
}

inline Bytes
icmp4(uint8_t type, uint8_t code, uint32_t rest, const Bytes &data)
{
	Bytes m = Bytes{type, code, 0, 0} + be32(rest) + data;

	set16(m, 2, (uint16_t)~plain_sum(m));
	return m;
}

inline Bytes
icmp6(const port_addr &src, const port_addr &dst, uint8_t type, uint8_t code, uint32_t rest, const Bytes &data)
{
	Bytes m = Bytes{type, code, 0, 0} + be32(rest) + data;

	set16(m, 2, (uint16_t)~plain_sum(pseudo(src, dst, 58, m.size()) + m));
	return m;
}

/** What the transport got. */
struct Segment {
	unsigned lcore;
	struct port_pkt pkt;
	Bytes bytes;
	unsigned segs;
};

struct TooBig {
	unsigned lcore;
	port_addr local, remote;
	Bytes l4;
	unsigned mtu;
};

/** A frame the port sent. */
struct Sent {
	Bytes bytes;
	uint64_t flags;
	unsigned l2, l3, l4, tso, segs, tci;
};

class PortTest : public testing::Test
{
      protected:
	void
	SetUp() override
	{
		dev_conf.queues = 1;
		conf.name = "p0";
		conf.mtu = 1500;
		conf.addresses = addresses;
		conf.n_addresses = 2;
	}

	/** Open on the fake device with @p n data lcores and make their views. */
	void
	Open(unsigned n = 1)
	{
		char err[256] = "";

		if (dev == nullptr)
			dev = ethdev_create("fake", &dev_conf);
		ASSERT_NE(nullptr, dev);
		conf.device = dev->name;
		ASSERT_EQ(0, port_open(&port, &conf, n, err, sizeof(err))) << err;
		Lcores(n);
	}

	void
	Lcores(unsigned n)
	{
		strake_lcore_conf lc = {};

		lcores = n;
		for (unsigned i = 0; i <= n; i++)
			ASSERT_EQ(0, strake_lcore_create((uint16_t)i, &lc));
		for (unsigned i = 1; i <= n; i++) {
			strake_lcore_enter((uint16_t)i);
			strake_lcore_turn(now);
			ifp[i] = port_lcore_init(port);
			ASSERT_NE(nullptr, ifp[i]);
			ifp[i]->rx = OnRx;
			ifp[i]->too_big = OnTooBig;
			ifp[i]->user = this;
		}
		our_mac = Bytes(port->mac.addr_bytes, port->mac.addr_bytes + 6);
		strake_lcore_enter(1);
	}

	void
	TearDown() override
	{
		for (unsigned i = 1; i <= lcores && port != nullptr; i++) {
			strake_lcore_enter((uint16_t)i);
			port_lcore_fini(port);
		}
		strake_lcore_enter(UINT16_MAX);
		if (port != nullptr && dev != nullptr) {
			Drain();
			EXPECT_EQ(port->pool->size, rte_mempool_avail_count(port->pool)) << "mbufs leaked";
		}
		for (unsigned i = 0; i <= lcores && lcores != 0; i++)
			strake_lcore_destroy((uint16_t)i);
		port_close(port);
		if (dev != nullptr)
			ethdev_destroy(dev);
	}

	/** Every lcore runs a few turns at the time as it is. */
	void
	Turn(uint64_t advance_ns = 0)
	{
		now += advance_ns;
		for (unsigned round = 0; round < 3; round++) {
			for (unsigned i = 1; i <= lcores; i++) {
				strake_lcore_enter((uint16_t)i);
				strake_lcore_turn(now);
			}
		}
		strake_lcore_enter(1);
	}

	/** Let time pass in steps a timer can keep up with. */
	void
	Pass(uint64_t ns)
	{
		for (uint64_t t = 0; t < ns; t += 100 * STRAKE_NS_PER_MS)
			Turn(100 * STRAKE_NS_PER_MS);
	}

	/** Announcements sent and forgotten, so that tests see only what they provoke. */
	void
	Settle()
	{
		Pass(4 * STRAKE_NS_PER_SEC);
		Drain();
	}

	Bytes
	Frame(unsigned type, const Bytes &packet, const Bytes &dst = {}) const
	{
		Bytes tag = conf.vlan != 0 ? be16(0x8100) + be16(conf.vlan) : Bytes();

		return (dst.empty() ? our_mac : dst) + kPeerMac + tag + be16(type) + packet;
	}

	Bytes
	IpFrame(const Bytes &packet, const Bytes &dst = {}) const
	{
		return Frame(packet[0] >> 4 == 6 ? 0x86dd : 0x0800, packet, dst);
	}

	void
	Inject(const Bytes &frame, uint16_t piece = 0, uint64_t flags = 0, uint16_t queue = 0)
	{
		rte_mbuf *m = ethdev_frame(port->pool, frame.data(), (uint32_t)frame.size(), piece);

		ASSERT_NE(nullptr, m);
		m->ol_flags |= flags;
		ethdev_inject(dev, queue, m);
	}

	/** Inject and let every lcore run. */
	void
	Receive(const Bytes &frame, uint16_t piece = 0, uint64_t flags = 0, uint16_t queue = 0)
	{
		Inject(frame, piece, flags, queue);
		Turn();
	}

	std::vector<Sent>
	TakeSent()
	{
		std::vector<Sent> out;

		for (uint16_t q = 0; q < dev->conf.queues; q++) {
			while (rte_mbuf *m = ethdev_take(dev, q)) {
				Bytes b(m->pkt_len);
				uint8_t *flat = b.data();

				EXPECT_EQ(0, rte_mbuf_check(m, 1, nullptr) ? 1 : 0);
				for (rte_mbuf *s = m; s != nullptr; s = s->next) {
					memcpy(flat, rte_pktmbuf_mtod(s, void *), s->data_len);
					flat += s->data_len;
				}
				out.push_back(Sent{b, m->ol_flags, (unsigned)m->l2_len, (unsigned)m->l3_len,
						   (unsigned)m->l4_len, (unsigned)m->tso_segsz, m->nb_segs,
						   m->vlan_tci});
				rte_pktmbuf_free(m);
			}
		}
		return out;
	}

	port_stats
	Stats() const
	{
		port_stats s;

		port_stats_sum(port, &s);
		return s;
	}

	/** The peer answers for @p a as our ARP or solicitation would have it. */
	void
	Teach(const char *a, const Bytes &mac = kPeerMac)
	{
		port_addr pa = addr(a);

		if (pa.family == 4) {
			Receive(Frame(0x0806, Arp(2, mac, raw(pa), our_mac, raw(addr("10.0.0.2")))));
		} else {
			port_addr us = addr("fd00::2");

			Receive(IpFrame(ip6_packet(
				pa, us, 58, icmp6(pa, us, 136, 0, 0x60000000, raw(pa) + Bytes{2, 1} + mac), 255)));
		}
	}

	static Bytes
	Arp(unsigned op, const Bytes &sha, const Bytes &sip, const Bytes &tha, const Bytes &tip)
	{
		return be16(1) + be16(0x0800) + Bytes{6, 4} + be16(op) + sha + sip + tha + tip;
	}

	/** A segment from the transport, checksum field zero, in pieces of the lengths given. */
	rte_mbuf *
	Outgoing(const Bytes &segment, const std::vector<uint16_t> &pieces = {})
	{
		rte_mbuf *head = rte_pktmbuf_alloc(port->pool), *m = head;
		size_t done = 0;

		for (size_t i = 0; done < segment.size(); i++) {
			size_t run = segment.size() - done;

			if (i < pieces.size())
				run = std::min(run, (size_t)pieces[i]);
			if (i != 0) {
				m->next = rte_pktmbuf_alloc(port->pool);
				m = m->next;
				head->nb_segs++;
			}
			memcpy(rte_pktmbuf_mtod(m, void *), &segment[done], run);
			m->data_len = (uint16_t)run;
			done += run;
		}
		head->pkt_len = (uint32_t)done;
		return head;
	}

	void
	Drain()
	{
		TakeSent();
	}

	static void
	OnRx(void *user, struct rte_mbuf **m, uint16_t n)
	{
		PortTest *t = static_cast<PortTest *>(user);

		for (uint16_t i = 0; i < n; i++) {
			Segment s = {strake_self_index(), *port_pkt(m[i]), Bytes(m[i]->pkt_len), m[i]->nb_segs};
			uint8_t *flat = s.bytes.data();

			for (rte_mbuf *seg = m[i]; seg != nullptr; seg = seg->next) {
				memcpy(flat, rte_pktmbuf_mtod(seg, void *), seg->data_len);
				flat += seg->data_len;
			}
			t->segments.push_back(s);
			rte_pktmbuf_free(m[i]);
		}
	}

	static bool
	OnTooBig(void *user, const struct port_addr *local, const struct port_addr *remote, const uint8_t *l4,
		 uint16_t mtu)
	{
		auto *t = static_cast<PortTest *>(user);

		t->too_bigs.push_back(TooBig{strake_self_index(), *local, *remote, Bytes(l4, l4 + 8), mtu});
		return t->believe;
	}

	const port_addr us4 = addr("10.0.0.2"), peer4 = addr("10.0.0.1");
	const port_addr us6 = addr("fd00::2"), peer6 = addr("fd00::1");
	const char *addresses[2] = {"10.0.0.2/24", "fd00::2/64"};
	conf_port conf = {};
	ethdev_conf dev_conf = {};
	ethdev *dev = nullptr;
	struct port *port = nullptr;
	port_if *ifp[STRAKE_LCORE_MAX] = {};
	unsigned lcores = 0;
	uint64_t now = STRAKE_NS_PER_SEC;
	Bytes our_mac;
	std::vector<Segment> segments;
	std::vector<TooBig> too_bigs;
	bool believe = true; /* the transport, what ICMP says */
};

/** One that knows the way to its peer and sends segments there. */
class PortWays : public PortTest
{
      protected:
	void
	Ready()
	{
		Open();
		Settle();
		dst4 = ifp[1]->ops->route(ifp[1], &us4, &peer4);
		dst6 = ifp[1]->ops->route(ifp[1], &us6, &peer6);
		ASSERT_NE(nullptr, dst4);
		ASSERT_NE(nullptr, dst6);
		Teach("10.0.0.1");
		Teach("fd00::1");
	}

	void
	TearDown() override
	{
		for (port_dst *d : {dst4, dst6})
			if (d != nullptr)
				ifp[1]->ops->unroute(d);
		PortTest::TearDown();
	}

	/** A segment with its checksum field zero, as the transport hands it over. */
	static Bytes
	Unsummed(size_t payload, uint8_t flags = 0x18)
	{
		Bytes t = be16(4420) + be16(1000) + be32(5) + be32(6) + Bytes{0x50, flags} + be16(512) + be16(0) +
			  be16(0);

		for (size_t i = 0; i < payload; i++)
			t.push_back((uint8_t)(i * 13 + 5));
		return t;
	}

	port_dst *dst4 = nullptr, *dst6 = nullptr;
};

#endif /* PORT_TEST_RIG_H */
