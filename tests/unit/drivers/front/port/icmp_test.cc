/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* ICMP of both IPs: echo, and what routers say of paths. */

#include "rig.h"

class PortIcmp : public PortTest
{
      protected:
	const port_addr router4 = addr("10.0.0.254"), router6 = addr("fd00::fe");

	Bytes
	Echo4(const Bytes &data = Bytes(56, 'x')) const
	{
		return IpFrame(ip4_packet(peer4, us4, 1, icmp4(8, 0, 0x12340001, data)));
	}

	Bytes
	Echo6(const Bytes &data = Bytes(56, 'x')) const
	{
		return IpFrame(ip6_packet(peer6, us6, 58, icmp6(peer6, us6, 128, 0, 0x12340001, data)));
	}

	/** A router's complaint about a segment of ours. */
	Bytes
	TooBig4(unsigned mtu, const port_addr &src, const port_addr &dst, uint8_t proto = 6) const
	{
		Bytes quote = ip4_packet(src, dst, proto, tcp_segment(src, dst, 4420, 1000, {}));

		return IpFrame(ip4_packet(router4, us4, 1, icmp4(3, 4, mtu, slice(quote, 0, 28))));
	}

	Bytes
	TooBig6(unsigned mtu, const port_addr &src, const port_addr &dst) const
	{
		Bytes quote = ip6_packet(src, dst, 6, tcp_segment(src, dst, 4420, 1000, Bytes(100, 1)));

		return IpFrame(ip6_packet(router6, us6, 58, icmp6(router6, us6, 2, 0, mtu, quote)));
	}
};

TEST_F(PortIcmp, AnswersEcho)
{
	Open();
	Settle();
	for (size_t size : {0u, 1u, 57u, 1400u}) {
		Receive(Echo4(Bytes(size, 0xa5)), 100);
		Receive(Echo6(Bytes(size, 0xa5)), 100);
		std::vector<Sent> sent = TakeSent();
		ASSERT_EQ(2u, sent.size());
		EXPECT_EQ(kPeerMac + our_mac + be16(0x0800), slice(sent[0].bytes, 0, 14));
		EXPECT_EQ(raw(us4) + raw(peer4), slice(sent[0].bytes, 26, 8));
		EXPECT_EQ(0xffff, plain_sum(slice(sent[0].bytes, 14, 20)));
		EXPECT_EQ(icmp4(0, 0, 0x12340001, Bytes(size, 0xa5)), slice(sent[0].bytes, 34));
		EXPECT_EQ(raw(us6) + raw(peer6), slice(sent[1].bytes, 22, 32));
		EXPECT_EQ(icmp6(us6, peer6, 129, 0, 0x12340001, Bytes(size, 0xa5)), slice(sent[1].bytes, 54));
	}
}

TEST_F(PortIcmp, AnswersEchoOfNothingButZeroes)
{
	Open();
	Settle();
	Receive(IpFrame(ip4_packet(peer4, us4, 1, icmp4(8, 0, 0, Bytes(8)))));
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(1u, sent.size());
	EXPECT_EQ(0xffff, plain_sum(slice(sent[0].bytes, 34)));
}

TEST_F(PortIcmp, LimitsEcho)
{
	Open();
	Settle();
	for (unsigned i = 0; i < 500; i++)
		Inject(Echo4());
	for (unsigned i = 0; i < 20; i++)
		Turn();
	EXPECT_EQ(100u, TakeSent().size());
	EXPECT_EQ(400u, Stats().rx_drop_echo);
	Turn(STRAKE_NS_PER_SEC / 100);
	for (unsigned i = 0; i < 50; i++)
		Inject(Echo4());
	Turn();
	EXPECT_EQ(10u, TakeSent().size());
}

TEST_F(PortIcmp, KeepsQuietToOthers)
{
	Bytes bad;

	Open();
	Settle();
	bad = Echo4();
	bad.back() ^= 1;
	Receive(bad);
	bad = Echo6();
	bad.back() ^= 1;
	Receive(bad);
	EXPECT_EQ(2u, Stats().rx_drop_l4_cksum);
	Receive(IpFrame(ip4_packet(peer4, addr("10.0.0.255"), 1, icmp4(8, 0, 1, {})), kBroadcast));
	Receive(IpFrame(ip6_packet(peer6, addr("ff02::1"), 58, icmp6(peer6, addr("ff02::1"), 128, 0, 1, {})),
			{0x33, 0x33, 0, 0, 0, 1}));
	EXPECT_TRUE(TakeSent().empty());
}

TEST_F(PortIcmp, LowersThePathAndTellsTheTransport)
{
	Open();
	port_dst *d4 = ifp[1]->ops->route(ifp[1], &us4, &peer4), *d6 = ifp[1]->ops->route(ifp[1], &us6, &peer6);

	EXPECT_EQ(1500, d4->mtu);
	Receive(TooBig4(1400, us4, peer4));
	Receive(TooBig6(1300, us6, peer6));
	EXPECT_EQ(1400, d4->mtu);
	EXPECT_EQ(1300, d6->mtu);
	ASSERT_EQ(2u, too_bigs.size());
	EXPECT_EQ(1400u, too_bigs[0].mtu);
	EXPECT_TRUE(port_addr_eq(&us4, &too_bigs[0].local));
	EXPECT_TRUE(port_addr_eq(&peer4, &too_bigs[0].remote));
	EXPECT_EQ(be16(4420) + be16(1000) + be32(1), too_bigs[0].l4);
	EXPECT_TRUE(port_addr_eq(&peer6, &too_bigs[1].remote));
	EXPECT_EQ(be16(4420) + be16(1000) + be32(1), too_bigs[1].l4);

	Receive(TooBig4(1450, us4, peer4)); /* raising is not theirs to say */
	EXPECT_EQ(1400, d4->mtu);
	Receive(TooBig4(68, us4, peer4)); /* nor is ruin */
	EXPECT_EQ(552, d4->mtu);
	Receive(TooBig6(100, us6, peer6));
	EXPECT_EQ(1280, d6->mtu);
	EXPECT_EQ(5u, too_bigs.size());

	Pass(620 * STRAKE_NS_PER_SEC); /* ten minutes later the full size is tried again */
	EXPECT_EQ(1500, d4->mtu);
	EXPECT_EQ(1500, d6->mtu);
	ifp[1]->ops->unroute(d4);
	ifp[1]->ops->unroute(d6);
}

TEST_F(PortIcmp, TellsEveryConnectionOfAPathThatShrank)
{
	Open();
	port_dst *d = ifp[1]->ops->route(ifp[1], &us4, &peer4);

	Receive(TooBig4(1400, us4, peer4));
	Receive(TooBig4(1400, us4, peer4)); /* the packet of another queue, on the same way */
	EXPECT_EQ(2u, too_bigs.size());
	EXPECT_EQ(0u, Stats().rx_too_big_ignored);
	EXPECT_EQ(1400, d->mtu);
	ifp[1]->ops->unroute(d);
}

TEST_F(PortIcmp, LeavesAPathAsItIsWhenTheTransportDoesNotBelieveIt)
{
	Open();
	port_dst *d = ifp[1]->ops->route(ifp[1], &us4, &peer4);

	believe = false; /* ports or sequence number were guessed, and wrong */
	Receive(TooBig4(600, us4, peer4));
	EXPECT_EQ(1u, too_bigs.size());
	EXPECT_EQ(1u, Stats().rx_too_big_ignored);
	EXPECT_EQ(1500, d->mtu);
	ifp[1]->ops->unroute(d);
}

TEST_F(PortIcmp, GuessesForRoutersThatGiveNoMtu)
{
	Open();
	port_dst *d = ifp[1]->ops->route(ifp[1], &us4, &peer4);
	Bytes quote = ip4_packet(us4, peer4, 6, tcp_segment(us4, peer4, 4420, 1000, Bytes(1460, 1)));

	Receive(IpFrame(ip4_packet(router4, us4, 1, icmp4(3, 4, 0, slice(quote, 0, 28)))));
	EXPECT_EQ(1492, d->mtu);
	ifp[1]->ops->unroute(d);
}

TEST_F(PortIcmp, IgnoresPathsNotInUseAndLies)
{
	Open();
	Receive(TooBig4(1400, us4, peer4)); /* we talk to nobody */
	EXPECT_EQ(1u, Stats().rx_too_big_ignored);
	port_dst *d = ifp[1]->ops->route(ifp[1], &us4, &peer4);
	Receive(TooBig4(1400, peer4, us4));	/* not our segment */
	Receive(TooBig4(1400, us4, peer4, 17)); /* not TCP */
	Receive(TooBig6(1300, us6, peer6));
	for (size_t len = 0; len < 28; len++) { /* quotes cut short */
		Bytes quote = ip4_packet(us4, peer4, 6, tcp_segment(us4, peer4, 4420, 1000, {}));

		Receive(IpFrame(ip4_packet(router4, us4, 1, icmp4(3, 4, 1000, slice(quote, 0, len)))));
	}
	for (unsigned ihl = 0; ihl < 16; ihl++) { /* quotes that lie about their length */
		Bytes quote = ip4_packet(us4, peer4, 6, tcp_segment(us4, peer4, 4420, 1000, {}));

		quote[0] = (uint8_t)(0x40 | ihl);
		if (ihl != 5)
			Receive(IpFrame(ip4_packet(router4, us4, 1, icmp4(3, 4, 1000, slice(quote, 0, 28)))));
	}
	EXPECT_EQ(1500, d->mtu);
	EXPECT_TRUE(too_bigs.empty());
	ifp[1]->ops->unroute(d);
}

TEST_F(PortIcmp, CountsUnreachable)
{
	Open();
	Receive(IpFrame(ip4_packet(router4, us4, 1, icmp4(3, 1, 0, Bytes(28)))));
	Receive(IpFrame(ip4_packet(router4, us4, 1, icmp4(11, 0, 0, Bytes(28)))));
	Receive(IpFrame(ip6_packet(router6, us6, 58, icmp6(router6, us6, 1, 0, 0, Bytes(48)))));
	EXPECT_EQ(3u, Stats().rx_unreachable);
	Receive(IpFrame(ip4_packet(router4, us4, 1, icmp4(13, 0, 0, Bytes(12)))));
	EXPECT_EQ(1u, Stats().rx_drop_icmp);
}
