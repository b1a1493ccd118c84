/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Frames in: what reaches the transport, and what must not. */

#include <random>

#include "rig.h"

class PortRx : public PortTest
{
      protected:
	Bytes
	Tcp4(const Bytes &payload = Bytes(100, 0x5a)) const
	{
		return IpFrame(ip4_packet(peer4, us4, 6, tcp_segment(peer4, us4, 1000, 4420, payload)));
	}

	Bytes
	Tcp6(const Bytes &payload = Bytes(100, 0x5a)) const
	{
		return IpFrame(ip6_packet(peer6, us6, 6, tcp_segment(peer6, us6, 1000, 4420, payload)));
	}
};

TEST_F(PortRx, HandsOnTcpOverBothIps)
{
	Open();
	Receive(Tcp4());
	Receive(Tcp6());
	ASSERT_EQ(2u, segments.size());
	EXPECT_EQ(120u, segments[0].bytes.size());
	EXPECT_EQ(120, segments[0].pkt.l4_len);
	EXPECT_TRUE(port_addr_eq(&peer4, &segments[0].pkt.src));
	EXPECT_TRUE(port_addr_eq(&us4, &segments[0].pkt.dst));
	EXPECT_EQ(ifp[1], segments[0].pkt.ifp);
	EXPECT_EQ(64, segments[0].pkt.ttl);
	EXPECT_EQ(120u, segments[1].bytes.size());
	EXPECT_TRUE(port_addr_eq(&peer6, &segments[1].pkt.src));
	EXPECT_EQ(2u, Stats().rx_tcp);
}

TEST_F(PortRx, ReadsEcnFromBothIps)
{
	Bytes p4 = ip4_packet(peer4, us4, 6, tcp_segment(peer4, us4, 1, 2, {}));
	Bytes p6 = ip6_packet(peer6, us6, 6, tcp_segment(peer6, us6, 1, 2, {}));

	Open();
	p4[1] = 0xb7;
	set16(p4, 10, 0);
	set16(p4, 10, (uint16_t)~plain_sum(slice(p4, 0, 20)));
	p6[0] = 0x6b;
	p6[1] = 0x70;
	Receive(IpFrame(p4));
	Receive(IpFrame(p6));
	ASSERT_EQ(2u, segments.size());
	EXPECT_EQ(0xb7, segments[0].pkt.tos);
	EXPECT_EQ(0xb7, segments[1].pkt.tos);
}

TEST_F(PortRx, TrimsPaddingAlsoOverChains)
{
	Open();
	Receive(Tcp4({}) + Bytes(6, 0xee));
	Receive(Tcp4(Bytes(101, 1)) + Bytes(300, 0xee), 90);
	Receive(Tcp6(Bytes(50, 1)) + Bytes(3, 0xee), 100);
	ASSERT_EQ(3u, segments.size());
	EXPECT_EQ(20u, segments[0].bytes.size());
	EXPECT_EQ(121u, segments[1].bytes.size());
	EXPECT_EQ(2u, segments[1].segs);
	EXPECT_EQ(70u, segments[2].bytes.size());
	EXPECT_EQ(Bytes(50, 1), slice(segments[2].bytes, 20));
}

TEST_F(PortRx, SkipsIpv4Options)
{
	Open();
	Receive(IpFrame(ip4_packet(peer4, us4, 6, tcp_segment(peer4, us4, 1, 2, Bytes(9, 9)), Bytes(40, 1))));
	ASSERT_EQ(1u, segments.size());
	EXPECT_EQ(29u, segments[0].bytes.size());
}

TEST_F(PortRx, SumsOddPiecesOfAChain)
{
	Bytes payload(777);

	Open();
	for (size_t i = 0; i < payload.size(); i++)
		payload[i] = (uint8_t)(i * 7 + 1);
	for (uint16_t piece : {80, 81, 83, 97, 333}) {
		Receive(Tcp4(payload), piece);
		Receive(Tcp6(payload), piece);
	}
	EXPECT_EQ(10u, segments.size());
	EXPECT_EQ(0u, Stats().rx_drop_l4_cksum);
}

TEST_F(PortRx, DropsWrongTcpChecksum)
{
	Bytes bad4 = Tcp4(), bad6 = Tcp6();

	Open();
	bad4 = Tcp4();
	bad6 = Tcp6();
	bad4.back() ^= 1;
	bad6.back() ^= 1;
	Receive(bad4);
	Receive(bad6);
	EXPECT_EQ(0u, segments.size());
	EXPECT_EQ(2u, Stats().rx_drop_l4_cksum);
}

TEST_F(PortRx, BelievesTheDeviceAboutChecksums)
{
	Bytes bad;

	Open();
	bad = Tcp4();
	bad.back() ^= 1;
	Receive(bad, 0, RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD);
	EXPECT_EQ(1u, segments.size());
	Receive(bad, 0, RTE_MBUF_F_RX_L4_CKSUM_NONE); /* vouched for, sum undone */
	EXPECT_EQ(2u, segments.size());
	Receive(Tcp4(), 0, RTE_MBUF_F_RX_L4_CKSUM_BAD);
	EXPECT_EQ(1u, Stats().rx_drop_l4_cksum);
	Receive(Tcp4(), 0, RTE_MBUF_F_RX_IP_CKSUM_BAD);
	EXPECT_EQ(1u, Stats().rx_drop_ip_cksum);
	EXPECT_EQ(2u, segments.size());
	bad = Tcp4();
	bad[14 + 8] ^= 1;
	Receive(bad, 0, RTE_MBUF_F_RX_IP_CKSUM_NONE); /* vouched for as well */
	EXPECT_EQ(3u, segments.size());
}

TEST_F(PortRx, SurvivesTruncationAtEveryLength)
{
	Open();
	for (const Bytes &whole :
	     {Tcp4(), Tcp6(), IpFrame(ip4_packet(peer4, us4, 1, icmp4(8, 0, 7, Bytes(20, 1)))),
	      IpFrame(ip6_packet(peer6, us6, 58, icmp6(peer6, us6, 128, 0, 7, Bytes(20, 1)))),
	      Frame(0x0806, Arp(1, kPeerMac, raw(peer4), Bytes(6), raw(us4))),
	      IpFrame(ip6_packet(peer6, us6, 58, icmp6(peer6, us6, 135, 0, 0, raw(us6) + Bytes{1, 1} + kPeerMac),
				 255))}) {
		for (size_t len = 1; len < whole.size(); len++)
			Receive(slice(whole, 0, len));
		segments.clear();
	}
	EXPECT_EQ(0u, Stats().rx_tcp);
	EXPECT_EQ(0u, Stats().rx_echo);
	EXPECT_EQ(0u, Stats().rx_arp);
	EXPECT_EQ(0u, Stats().rx_nd);
}

TEST_F(PortRx, SurvivesRandomDamage)
{
	std::mt19937 rng(1);

	Open();
	for (unsigned i = 0; i < 20000; i++) {
		Bytes f = i % 3 == 0   ? Tcp4()
			  : i % 3 == 1 ? Tcp6()
				       : IpFrame(ip6_packet(peer6, us6, (uint8_t)(i % 2 == 0 ? 0 : 60),
							    Bytes{6, 1} + Bytes(14, 1) + Bytes(40, 2)));
		uint16_t piece = rng() % 4 == 0 ? (uint16_t)(14 + rng() % 60) : 0;

		for (unsigned k = 1 + rng() % 4; k != 0; k--)
			f[rng() % f.size()] = (uint8_t)rng();
		Inject(f, piece, rng() % 2 == 0 ? RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD : 0);
		if (i % 16 == 0)
			Turn();
		if (i % 256 == 0) {
			for (const Segment &s : segments)
				EXPECT_EQ(s.pkt.l4_len, s.bytes.size());
			segments.clear();
			Drain();
		}
	}
	Turn();
	EXPECT_EQ(20000u, Stats().rx_packets);
}

TEST_F(PortRx, DropsBadIpv4Headers)
{
	Bytes good = ip4_packet(peer4, us4, 6, tcp_segment(peer4, us4, 1, 2, Bytes(30, 3)));
	struct {
		size_t at;
		uint8_t value;
	} lies[] = {{0, 0x44}, {0, 0x4f}, {0, 0x55}, {0, 0x40}, {3, 19}, {3, 81}, {2, 0xff}};

	Open();
	for (auto &lie : lies) {
		Bytes p = good;

		p[lie.at] = lie.value;
		set16(p, 10, 0);
		set16(p, 10, (uint16_t)~plain_sum(slice(p, 0, (p[0] & 15) * 4u)));
		Receive(IpFrame(p));
	}
	/* The header length of 60 fits the frame and makes rubbish of the transport: not the header's fault. */
	EXPECT_EQ(RTE_DIM(lies), Stats().rx_drop_ip + Stats().rx_drop_l4_cksum + Stats().rx_drop_short);
	good[8] ^= 1;
	Receive(IpFrame(good));
	EXPECT_EQ(1u, Stats().rx_drop_ip_cksum);
	EXPECT_EQ(0u, segments.size());
}

TEST_F(PortRx, DropsFragmentsOfBothIps)
{
	Bytes t = tcp_segment(peer4, us4, 1, 2, Bytes(30, 3));

	Open();
	Receive(IpFrame(ip4_packet(peer4, us4, 6, t, {}, 0x2000)));
	Receive(IpFrame(ip4_packet(peer4, us4, 6, t, {}, 0x0001)));
	Receive(IpFrame(ip4_packet(peer4, us4, 6, t, {}, 0x4000)));
	Receive(IpFrame(ip6_packet(peer6, us6, 44, Bytes{6, 0, 0, 1, 0, 0, 0, 1} + t)));
	EXPECT_EQ(3u, Stats().rx_drop_fragment);
	EXPECT_EQ(1u, segments.size()); /* only "don't fragment" was set */
}

TEST_F(PortRx, DropsSourcesNobodyMayUse)
{
	Open();
	for (const char *a :
	     {"10.0.0.2", "127.0.0.1", "224.0.0.1", "255.255.255.255", "10.0.0.255", "0.0.0.0", "240.0.0.1"})
		Receive(IpFrame(ip4_packet(addr(a), us4, 6, tcp_segment(addr(a), us4, 1, 2, {}))));
	EXPECT_EQ(7u, Stats().rx_drop_ip_source);
	for (const char *a : {"fd00::2", "::1", "ff02::1"})
		Receive(IpFrame(ip6_packet(addr(a), us6, 6, tcp_segment(addr(a), us6, 1, 2, {}))));
	EXPECT_EQ(10u, Stats().rx_drop_ip_source);
	Receive(IpFrame(ip6_packet(addr("::"), us6, 6, tcp_segment(addr("::"), us6, 1, 2, {}))));
	EXPECT_EQ(0u, segments.size());
}

TEST_F(PortRx, WalksExtensionHeaders)
{
	Bytes t = tcp_segment(peer6, us6, 1, 2, Bytes(5, 5));
	Bytes hop = Bytes{60, 0, 1, 4, 0, 0, 0, 0}, dst = Bytes{43, 1} + Bytes(14),
	      route = Bytes{6, 0, 0, 0, 0, 0, 0, 0};

	Open();
	Receive(IpFrame(ip6_packet(peer6, us6, 0, hop + dst + route + t)));
	ASSERT_EQ(1u, segments.size());
	EXPECT_EQ(25u, segments[0].bytes.size());
}

TEST_F(PortRx, RefusesExtensionHeadersThatLie)
{
	Bytes t = tcp_segment(peer6, us6, 1, 2, Bytes(5, 5));
	Bytes loop;

	Open();
	for (unsigned i = 0; i < 40; i++)
		loop = loop + Bytes{60, 0, 1, 4, 0, 0, 0, 0};
	Receive(IpFrame(ip6_packet(peer6, us6, 60, loop + t)));				   /* more than anyone needs */
	Receive(IpFrame(ip6_packet(peer6, us6, 60, Bytes{6, 255, 1, 4, 0, 0, 0, 0} + t))); /* past the end */
	Receive(IpFrame(ip6_packet(peer6, us6, 60, Bytes{0, 0, 1, 4, 0, 0, 0, 0} + Bytes{6, 0, 1, 4, 0, 0, 0, 0} + t)));
	Receive(IpFrame(ip6_packet(peer6, us6, 43, Bytes{6, 0, 0, 1, 0, 0, 0, 0} + t))); /* would have us forward */
	Receive(IpFrame(ip6_packet(peer6, us6, 60, Bytes{6})));				 /* cut off */
	EXPECT_EQ(5u, Stats().rx_drop_ip);
	EXPECT_EQ(0u, segments.size());
}

/* RFC 8200 section 4.2: what an unknown option wants done with its packet. */
TEST_F(PortRx, DropsPacketsWhoseOptionsWantThat)
{
	Bytes t = tcp_segment(peer6, us6, 1, 2, Bytes(5, 5));

	Open();
	for (unsigned header : {0u, 60u}) {
		for (uint8_t type : {0x05, 0x1e, 0x3e}) /* router alert; nobody's */
			Receive(IpFrame(ip6_packet(peer6, us6, header, Bytes{6, 0, type, 2, 0, 0, 1, 0} + t)));
		for (uint8_t type : {0x42, 0x80, 0xc2, 0xff}) /* c2: jumbo payload */
			Receive(IpFrame(ip6_packet(peer6, us6, header, Bytes{6, 0, type, 4, 0, 0, 0, 0} + t)));
		Receive(IpFrame(ip6_packet(peer6, us6, header, Bytes{6, 0, 1, 5, 0, 0, 0, 0} + t))); /* past the end */
		Receive(IpFrame(ip6_packet(peer6, us6, header, Bytes{6, 0, 0, 0, 0, 0, 0, 1} + t))); /* no length */
	}
	EXPECT_EQ(6u, segments.size());
	EXPECT_EQ(12u, Stats().rx_drop_ip);
}

TEST_F(PortRx, CountsWhatIsNotOurs)
{
	Bytes t = tcp_segment(peer4, us4, 1, 2, {});
	Bytes other_mac = {0x02, 1, 1, 1, 1, 1};

	Open();
	Receive(IpFrame(ip4_packet(peer4, us4, 6, t), other_mac));
	Receive(IpFrame(ip4_packet(peer4, us4, 6, t), kBroadcast)); /* TCP is for one */
	Receive(IpFrame(ip4_packet(peer4, addr("10.0.0.3"), 6, t)));
	Receive(IpFrame(ip4_packet(peer4, us4, 17, t)));
	Receive(IpFrame(ip6_packet(peer6, us6, 17, t)));
	Receive(IpFrame(ip6_packet(peer6, addr("ff02::1"), 6, t), {0x33, 0x33, 0, 0, 0, 1}));
	Receive(Frame(0x88cc, Bytes(40)));
	Receive(our_mac + kPeerMac + be16(0x8100) + be16(9) + slice(IpFrame(ip4_packet(peer4, us4, 6, t)), 12));
	EXPECT_EQ(8u, Stats().rx_exception);
	EXPECT_EQ(0u, segments.size());
}

TEST_F(PortRx, TakesPriorityTagsWithoutVlan)
{
	Open();
	Receive(our_mac + kPeerMac + be16(0x8100) + be16(0xe000) + slice(Tcp4(), 12));
	EXPECT_EQ(1u, segments.size());
}

TEST_F(PortRx, TakesItsVlanTaggedOrStripped)
{
	Bytes f;

	conf.vlan = 42;
	Open();
	Receive(Tcp4());
	EXPECT_EQ(1u, segments.size());
	Receive(our_mac + kPeerMac + slice(Tcp4(), 16)); /* untagged: not for us */
	EXPECT_EQ(1u, Stats().rx_exception);
	f = our_mac + kPeerMac + slice(Tcp6(), 16);
	for (uint16_t tci : {5 << 13 | 42, 5 << 13 | 43}) {
		rte_mbuf *m = ethdev_frame(port->pool, f.data(), (uint32_t)f.size(), 0);

		m->vlan_tci = tci;
		m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
		ethdev_inject(dev, 0, m);
		Turn();
	}
	ASSERT_EQ(2u, segments.size());
	EXPECT_EQ(0, segments[0].pkt.pcp);
	EXPECT_EQ(5, segments[1].pkt.pcp);
	EXPECT_EQ(2u, Stats().rx_exception);
}

TEST_F(PortRx, DropsSegmentsWithoutATransport)
{
	Open();
	ifp[1]->rx = nullptr;
	Receive(Tcp4());
	EXPECT_EQ(1u, Stats().rx_drop_no_user);
}

TEST_F(PortRx, RefusesTcpShorterThanItsHeader)
{
	Open();
	for (size_t len = 0; len < 20; len++) {
		Receive(IpFrame(ip4_packet(peer4, us4, 6, Bytes(len, 1))));
		Receive(IpFrame(ip6_packet(peer6, us6, 6, Bytes(len, 1))));
	}
	Receive(Tcp4(), 40); /* header over two mbufs */
	EXPECT_EQ(41u, Stats().rx_drop_short);
	EXPECT_EQ(0u, segments.size());
}
