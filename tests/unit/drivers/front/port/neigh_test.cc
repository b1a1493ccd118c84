/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* ARP and neighbour discovery: asking, answering, waiting, giving up, and not being fooled. */

#include "rig.h"

class PortNeigh : public PortTest
{
      protected:
	port_dst *
	Route(const port_addr &remote, unsigned lcore = 1)
	{
		return ifp[lcore]->ops->route(ifp[lcore], remote.family == 6 ? &us6 : &us4, &remote);
	}

	int
	Send(port_dst *dst, uint16_t mark = 0)
	{
		Bytes t = be16(4420) + be16(mark) + Bytes(8) + Bytes{0x50, 0x18} + Bytes(6);

		return dst->ifp->ops->send(dst, Outgoing(t), 0);
	}

	Bytes
	Solicit(const port_addr &src, const port_addr &target, const Bytes &options, uint8_t hops = 255,
		const char *to = nullptr) const
	{
		port_addr dst = to != nullptr ? addr(to) : target;

		return IpFrame(ip6_packet(src, dst, 58, icmp6(src, dst, 135, 0, 0, raw(target) + options), hops),
			       dst.b[0] == 0xff ? Bytes{0x33, 0x33, dst.b[12], dst.b[13], dst.b[14], dst.b[15]}
						: Bytes());
	}
};

TEST_F(PortNeigh, AnnouncesItsAddressesAtStart)
{
	unsigned arp = 0, na = 0;

	Open();
	Pass(4 * STRAKE_NS_PER_SEC);
	for (const Sent &s : TakeSent()) {
		if (get16(s.bytes, 12) == 0x0806) {
			EXPECT_EQ(kBroadcast, slice(s.bytes, 0, 6));
			EXPECT_EQ(Arp(1, our_mac, raw(us4), Bytes(6), raw(us4)), slice(s.bytes, 14));
			arp++;
		} else {
			EXPECT_EQ(136, s.bytes[54]);
			na++;
		}
	}
	EXPECT_EQ(3u, arp);
	EXPECT_EQ(6u, na) << "the configured address and the link-local one";
}

TEST_F(PortNeigh, AnswersArpForItsAddressOnly)
{
	Open();
	Settle();
	Receive(Frame(0x0806, Arp(1, kPeerMac, raw(peer4), Bytes(6), raw(us4)), kBroadcast));
	Receive(Frame(0x0806, Arp(1, kPeerMac, raw(peer4), Bytes(6), raw(addr("10.0.0.3"))), kBroadcast));
	Receive(Frame(0x0806, Arp(1, kPeerMac, Bytes(4), Bytes(6), raw(us4)), kBroadcast)); /* a probe */
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(2u, sent.size());
	EXPECT_EQ(kPeerMac + our_mac + be16(0x0806) + Arp(2, our_mac, raw(us4), kPeerMac, raw(peer4)), sent[0].bytes);
	EXPECT_EQ(Arp(2, our_mac, raw(us4), kPeerMac, Bytes(4)), slice(sent[1].bytes, 14));
}

TEST_F(PortNeigh, AnswersSolicitations)
{
	port_addr ll = addr("fe80::1");
	Bytes slla = Bytes{1, 1} + kPeerMac;

	Open();
	Settle();
	Receive(Solicit(peer6, us6, slla, 255, "ff02::1:ff00:2"));
	Receive(Solicit(peer6, us6, {}));
	Receive(Solicit(ll, us6, slla));
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(3u, sent.size());
	for (size_t i = 0; i < 3; i++) {
		const port_addr &to = i == 2 ? ll : peer6;

		EXPECT_EQ(kPeerMac, slice(sent[i].bytes, 0, 6));
		EXPECT_EQ(255, sent[i].bytes[21]);
		EXPECT_EQ(icmp6(us6, to, 136, 0, 0x60000000, raw(us6) + Bytes{2, 1} + our_mac),
			  slice(sent[i].bytes, 54));
	}
}

TEST_F(PortNeigh, TellsAllNodesWhenSomeoneWantsItsAddress)
{
	Open();
	Settle();
	Receive(Solicit(addr("::"), us6, {}, 255, "ff02::1:ff00:2"));
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(1u, sent.size());
	EXPECT_EQ(raw(addr("ff02::1")), slice(sent[0].bytes, 38, 16));
	EXPECT_EQ(0x20, sent[0].bytes[58]) << "override, not solicited";
	EXPECT_EQ(1u, Stats().addr_conflict);
}

TEST_F(PortNeigh, RefusesDiscoveryThatLies)
{
	Bytes slla = Bytes{1, 1} + kPeerMac;

	Open();
	Settle();
	Receive(Solicit(peer6, us6, slla, 254));			/* came through a router */
	Receive(Solicit(peer6, us6, Bytes{1, 0} + kPeerMac));		/* option without length */
	Receive(Solicit(peer6, us6, Bytes{1, 2} + kPeerMac));		/* option past the end */
	Receive(Solicit(peer6, us6, Bytes{1}));				/* option cut off */
	Receive(Solicit(peer6, us6, Bytes{1, 1} + kBroadcast));		/* nobody's address */
	Receive(Solicit(addr("::"), us6, slla, 255, "ff02::1:ff00:2")); /* unspecified with an option */
	Receive(Solicit(addr("::"), us6, {}));				/* unspecified to one */
	Receive(Solicit(peer6, us6, {}, 255, "ff02::1:ff00:2"));	/* nowhere to answer to */
	EXPECT_EQ(8u, Stats().rx_drop_nd);
	EXPECT_TRUE(TakeSent().empty());
	Receive(Solicit(addr("2001:db8::9"), us6, slla)); /* another network on our wire: answered, not remembered */
	port_addr stranger = addr("2001:db8::9");
	EXPECT_EQ(nullptr, port_neigh_find(port_lcore_of(ifp[1]), &stranger));
	EXPECT_EQ(1u, TakeSent().size());
}

TEST_F(PortNeigh, RefusesArpThatLies)
{
	Bytes good = Arp(1, kPeerMac, raw(peer4), Bytes(6), raw(us4));
	Bytes zero = Arp(1, Bytes(6), raw(peer4), Bytes(6), raw(us4));
	struct {
		size_t at;
		uint8_t value;
	} lies[] = {{1, 6}, {2, 0x86}, {4, 8}, {5, 16}, {7, 3}, {7, 0}};

	Open();
	Settle();
	for (auto &lie : lies) {
		Bytes a = good;

		a[lie.at] = lie.value;
		Receive(Frame(0x0806, a));
	}
	Receive(Frame(0x0806, zero));
	Receive(Frame(0x0806, Arp(1, kBroadcast, raw(peer4), Bytes(6), raw(us4))));
	Receive(Frame(0x0806, Arp(2, kPeerMac, raw(addr("192.0.2.1")), our_mac, raw(us4)))); /* not on our link */
	Receive(Frame(0x0806, Arp(2, kPeerMac, raw(addr("10.0.0.255")), our_mac, raw(us4))));
	EXPECT_EQ(10u, Stats().rx_drop_arp);
	EXPECT_TRUE(TakeSent().empty());
}

TEST_F(PortNeigh, DefendsItsAddressNowAndThen)
{
	Open();
	Settle();
	for (unsigned i = 0; i < 5; i++)
		Receive(Frame(0x0806, Arp(2, kPeerMac, raw(us4), our_mac, raw(us4))));
	EXPECT_EQ(5u, Stats().addr_conflict);
	EXPECT_EQ(1u, TakeSent().size());
	Turn(11 * STRAKE_NS_PER_SEC);
	Drain();
	Receive(Frame(0x0806, Arp(2, kPeerMac, raw(us4), our_mac, raw(us4))));
	EXPECT_EQ(1u, TakeSent().size());
}

TEST_F(PortNeigh, AsksHoldsAndSendsInOrder)
{
	Open();
	Settle();
	for (const port_addr &peer : {peer4, peer6}) {
		port_dst *d = Route(peer);
		size_t l4 = peer.family == 6 ? 54 : 34;

		for (uint16_t i = 0; i < 5; i++)
			EXPECT_EQ(0, Send(d, i));
		Turn();
		std::vector<Sent> sent = TakeSent();
		ASSERT_EQ(1u, sent.size());
		if (peer.family == 4) {
			EXPECT_EQ(kBroadcast + our_mac + be16(0x0806) + Arp(1, our_mac, raw(us4), Bytes(6), raw(peer4)),
				  sent[0].bytes);
		} else {
			port_addr group = addr("ff02::1:ff00:1");

			EXPECT_EQ(Bytes({0x33, 0x33, 0xff, 0, 0, 1}), slice(sent[0].bytes, 0, 6));
			EXPECT_EQ(icmp6(us6, group, 135, 0, 0, raw(peer6) + Bytes{1, 1} + our_mac),
				  slice(sent[0].bytes, 54));
			EXPECT_EQ(255, sent[0].bytes[21]);
		}
		Teach(peer.family == 6 ? "fd00::1" : "10.0.0.1");
		sent = TakeSent();
		ASSERT_EQ(5u, sent.size());
		for (uint16_t i = 0; i < 5; i++) {
			EXPECT_EQ(i, get16(sent[i].bytes, l4 + 2));
			EXPECT_EQ(kPeerMac, slice(sent[i].bytes, 0, 6));
		}
		ifp[1]->ops->unroute(d);
	}
}

TEST_F(PortNeigh, DropsTheOldestOfTooManyThatWait)
{
	Open();
	Settle();
	port_dst *d = Route(peer4);
	for (uint16_t i = 0; i < PORT_NEIGH_WAIT + 3; i++)
		EXPECT_EQ(0, Send(d, i));
	EXPECT_EQ(3u, Stats().tx_drop_neigh);
	Turn();
	Drain();
	Teach("10.0.0.1");
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ((size_t)PORT_NEIGH_WAIT, sent.size());
	EXPECT_EQ(3u, get16(sent[0].bytes, 36));
	ifp[1]->ops->unroute(d);
}

TEST_F(PortNeigh, GivesUpAndTriesAgainLater)
{
	Open();
	Settle();
	port_dst *d = Route(peer4);
	Send(d);
	Pass(5 * STRAKE_NS_PER_SEC);
	EXPECT_EQ(3u, TakeSent().size()) << "asked three times, a second apart";
	EXPECT_EQ(1u, Stats().neigh_failed);
	EXPECT_EQ(1u, Stats().tx_drop_neigh);
	Send(d);
	Turn();
	EXPECT_EQ(1u, TakeSent().size()) << "a new packet asks again";
	Teach("10.0.0.1");
	EXPECT_EQ(1u, TakeSent().size());
	ifp[1]->ops->unroute(d);
}

TEST_F(PortNeigh, BoundsHowOftenItAsksTheSilent)
{
	unsigned asked = 0;

	Open();
	Settle();
	port_dst *d = Route(peer4);
	for (unsigned i = 0; i < 100; i++) { /* ten seconds of a transport that never stops trying */
		Send(d);
		Turn(100 * STRAKE_NS_PER_MS);
		asked += (unsigned)TakeSent().size();
	}
	EXPECT_LE(asked, 11u);
	EXPECT_GE(asked, 8u);
	ifp[1]->ops->unroute(d);
}

TEST_F(PortNeigh, ProbesTheOldWhileSending)
{
	Bytes moved = {0x02, 7, 7, 7, 7, 7};

	Open();
	Settle();
	Teach("10.0.0.1");
	port_dst *d = Route(peer4);
	Turn(61 * STRAKE_NS_PER_SEC);
	Drain();
	Send(d);
	Turn();
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(2u, sent.size()) << "the packet, and a question to the address we knew";
	EXPECT_EQ(0x0806u, get16(sent[0].bytes, 12));
	EXPECT_EQ(kPeerMac, slice(sent[0].bytes, 0, 6));
	EXPECT_EQ(0x0800u, get16(sent[1].bytes, 12));
	Teach("10.0.0.1", moved);
	Send(d);
	Turn();
	EXPECT_EQ(moved, slice(TakeSent().at(0).bytes, 0, 6));
	ifp[1]->ops->unroute(d);
}

TEST_F(PortNeigh, KeepsAnAddressAgainstAnAdvertisementWithoutOverride)
{
	Bytes other = {0x02, 7, 7, 7, 7, 7};

	Open();
	Settle();
	port_dst *d = Route(peer6);
	Teach("fd00::1");
	Receive(IpFrame(ip6_packet(peer6, us6, 58,
				   icmp6(peer6, us6, 136, 0, 0x40000000, raw(peer6) + Bytes{2, 1} + other), 255)));
	Send(d);
	Turn();
	EXPECT_EQ(kPeerMac, slice(TakeSent().at(0).bytes, 0, 6));
	ifp[1]->ops->unroute(d);
}

TEST_F(PortNeigh, AFloodOfClaimsPushesNobodyOut)
{
	conf_port wide = conf;
	const char *net[] = {"10.0.0.2/8"};

	wide.addresses = net;
	wide.n_addresses = 1;
	conf = wide;
	Open();
	Settle();
	Teach("10.0.0.1");
	port_dst *d = Route(peer4);
	for (unsigned i = 0; i < 3 * PORT_NEIGHS; i++) {
		Bytes ip = {10, 7, (uint8_t)(i >> 8), (uint8_t)i};

		Inject(Frame(0x0806, Arp(1, kPeerMac, ip, Bytes(6), raw(us4)), kBroadcast));
		Turn();
		Drain();
	}
	EXPECT_GT(Stats().neigh_full, 0u);
	Send(d);
	Turn();
	EXPECT_EQ(kPeerMac, slice(TakeSent().at(0).bytes, 0, 6)) << "still known";
	port_addr fresh = addr("10.9.9.9"); /* our own needs make room */
	port_dst *e = Route(fresh);
	EXPECT_NE(nullptr, e);
	ifp[1]->ops->unroute(e);
	ifp[1]->ops->unroute(d);
}

TEST_F(PortNeigh, TellsTheOtherLcores)
{
	Open(3);
	Settle();
	Teach("10.0.0.1"); /* heard by lcore 1 */
	for (unsigned i = 1; i <= 3; i++) {
		strake_lcore_enter((uint16_t)i);
		port_dst *d = Route(peer4, i);
		Send(d);
		ifp[i]->ops->unroute(d);
	}
	Turn();
	unsigned packets = 0;
	for (const Sent &s : TakeSent())
		packets += get16(s.bytes, 12) == 0x0800;
	EXPECT_EQ(3u, packets);
	port_dst *d[4];
	for (unsigned i = 2; i <= 3; i++) { /* an answer that only others wait for */
		strake_lcore_enter((uint16_t)i);
		d[i] = Route(peer6, i);
		Send(d[i]);
	}
	Turn();
	Drain();
	Teach("fd00::1");
	EXPECT_EQ(2u, TakeSent().size());
	for (unsigned i = 2; i <= 3; i++)
		ifp[i]->ops->unroute(d[i]);
}

TEST_F(PortNeigh, ForgetsTheUnused)
{
	Open();
	Settle();
	Teach("10.0.0.1");
	Receive(Frame(0x0806, Arp(1, kPeerMac, raw(peer4), Bytes(6), raw(us4)), kBroadcast));
	EXPECT_NE(nullptr, port_neigh_find(port_lcore_of(ifp[1]), &peer4));
	for (unsigned i = 0; i < 62; i++)
		Turn(10 * STRAKE_NS_PER_SEC);
	EXPECT_EQ(nullptr, port_neigh_find(port_lcore_of(ifp[1]), &peer4));
}
