/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Segments out: headers, checksums by us and by the device, and what happens when it takes no more. */

#include "rig.h"

class PortTx : public PortWays
{
      protected:
	int
	Send(port_dst *dst, const Bytes &seg, const std::vector<uint16_t> &pieces = {}, uint8_t tos = 0)
	{
		return ifp[1]->ops->send(dst, Outgoing(seg, pieces), tos);
	}
};

TEST_F(PortTx, FillsInEveryHeader)
{
	Ready();
	EXPECT_EQ(0, Send(dst4, Unsummed(10), {}, 0x02));
	EXPECT_EQ(0, Send(dst6, Unsummed(10), {}, 0xb9));
	EXPECT_TRUE(TakeSent().empty()) << "frames leave at the end of the turn, not before";
	Turn();
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(2u, sent.size());
	Bytes a = sent[0].bytes, b = sent[1].bytes;
	EXPECT_EQ(kPeerMac + our_mac + be16(0x0800), slice(a, 0, 14));
	EXPECT_EQ(0x45, a[14]);
	EXPECT_EQ(0x02, a[15]);
	EXPECT_EQ(50u, get16(a, 16));
	EXPECT_EQ(0x4000u, get16(a, 20));
	EXPECT_EQ(64, a[22]);
	EXPECT_EQ(6, a[23]);
	EXPECT_EQ(0xffff, plain_sum(slice(a, 14, 20)));
	EXPECT_EQ(raw(us4) + raw(peer4), slice(a, 26, 8));
	EXPECT_EQ(kPeerMac + our_mac + be16(0x86dd), slice(b, 0, 14));
	EXPECT_EQ(0x6b900000u, get32(b, 14));
	EXPECT_EQ(30u, get16(b, 18));
	EXPECT_EQ(6, b[20]);
	EXPECT_EQ(64, b[21]);
	EXPECT_EQ(raw(us6) + raw(peer6), slice(b, 22, 32));
	EXPECT_EQ(0u, sent[0].flags);
}

TEST_F(PortTx, SumsChainsOfOddPieces)
{
	Ready();
	for (const std::vector<uint16_t> &pieces :
	     {std::vector<uint16_t>{}, {20}, {21, 1, 1, 1}, {33, 7, 500, 3, 99}, {20, 1001}, {61, 2, 1, 2}}) {
		for (size_t payload : {0u, 1u, 2u, 999u, 1400u}) {
			ASSERT_EQ(0, Send(dst4, Unsummed(payload), pieces));
			ASSERT_EQ(0, Send(dst6, Unsummed(payload), pieces));
		}
	}
	Turn();
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(60u, sent.size());
	for (size_t i = 0; i < sent.size(); i++) {
		bool v6 = i % 2 != 0;
		Bytes seg = slice(sent[i].bytes, v6 ? 54 : 34);

		EXPECT_EQ(0xffff, plain_sum(pseudo(v6 ? us6 : us4, v6 ? peer6 : peer4, 6, seg.size()) + seg)) << i;
	}
}

/* What the sender knows of an mbuf is used, at even places and odd ones, and never for the first. */
TEST_F(PortTx, TakesSumsThatAreKnown)
{
	Ready();
	for (const std::vector<uint16_t> &pieces :
	     {std::vector<uint16_t>{20, 512}, {21, 511, 100}, {20, 7, 600, 3, 99}, {61, 2, 1, 2}}) {
		rte_mbuf *m = Outgoing(Unsummed(1400), pieces);

		port_sum_known(m, 0xdead);
		for (rte_mbuf *s = m->next; s != nullptr; s = s->next) {
			Bytes b(rte_pktmbuf_mtod(s, uint8_t *), rte_pktmbuf_mtod(s, uint8_t *) + s->data_len);
			uint16_t sum = (uint16_t)~strake_cksum_fold(strake_kernel->cksum(b.data(), b.size(), 0));

			port_sum_known(s, sum);
		}
		ASSERT_EQ(0, ifp[1]->ops->send(dst4, m, 0));
	}
	/* A lie goes out as it is told: the bytes were not read. */
	rte_mbuf *lie = Outgoing(Unsummed(100), {20, 50});
	port_sum_known(lie->next, 0x1234);
	ASSERT_EQ(0, ifp[1]->ops->send(dst4, lie, 0));
	Turn();
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(5u, sent.size());
	for (size_t i = 0; i < sent.size(); i++) {
		Bytes seg = slice(sent[i].bytes, 34);
		bool right = plain_sum(pseudo(us4, peer4, 6, seg.size()) + seg) == 0xffff;

		EXPECT_EQ(i < 4, right) << i;
	}
}

TEST_F(PortTx, LeavesTheSumToTheDevice)
{
	dev_conf.tx_offloads = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	Ready();
	EXPECT_EQ(dev_conf.tx_offloads, dev->tx_asked & dev_conf.tx_offloads);
	Send(dst4, Unsummed(11));
	Send(dst6, Unsummed(11));
	Turn();
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(2u, sent.size());
	EXPECT_EQ(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM, sent[0].flags);
	EXPECT_EQ(RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_TCP_CKSUM, sent[1].flags);
	EXPECT_EQ(14u, sent[0].l2);
	EXPECT_EQ(20u, sent[0].l3);
	EXPECT_EQ(40u, sent[1].l3);
	EXPECT_EQ(20u, sent[0].l4);
	EXPECT_EQ(plain_sum(pseudo(us4, peer4, 6, 31)), get16(sent[0].bytes, 34 + 16));
	EXPECT_EQ(plain_sum(pseudo(us6, peer6, 6, 31)), get16(sent[1].bytes, 54 + 16));
	EXPECT_EQ(0xffff, plain_sum(slice(sent[0].bytes, 14, 20)));
}

TEST_F(PortTx, LetsTheDeviceCut)
{
	dev_conf.tx_offloads =
		RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;
	Ready();
	ASSERT_EQ(PORT_CAP_TSO, ifp[1]->caps);
	EXPECT_GT(ifp[1]->tso_max, 60000u);
	for (port_dst *dst : {dst4, dst6}) {
		rte_mbuf *m = Outgoing(Unsummed(5000), {1020, 1000, 1000, 1000, 1000});

		m->tso_segsz = 1400;
		EXPECT_EQ(0, ifp[1]->ops->send(dst, m, 0));
	}
	Turn();
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(2u, sent.size());
	EXPECT_EQ(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IP_CKSUM,
		  sent[0].flags);
	EXPECT_EQ(RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG, sent[1].flags);
	EXPECT_EQ(1400u, sent[0].tso);
	EXPECT_EQ(0u, get16(sent[0].bytes, 24)) << "the device makes the IP checksum of each packet";
	EXPECT_EQ(plain_sum(pseudo(us4, peer4, 6, 0)), get16(sent[0].bytes, 34 + 16)) << "and adds the lengths";
	EXPECT_EQ(plain_sum(pseudo(us6, peer6, 6, 0)), get16(sent[1].bytes, 54 + 16));
}

/* virtio and vmxnet3 cut, and say nothing of the IPv4 header's sum; vmxnet3 refuses frames that ask for it. */
TEST_F(PortTx, LetsADeviceCutThatDoesNotSumIpHeaders)
{
	dev_conf.tx_offloads = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;
	Ready();
	ASSERT_EQ(PORT_CAP_TSO, ifp[1]->caps);
	EXPECT_EQ(dev_conf.tx_offloads, dev->tx_asked & ~RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
	for (port_dst *dst : {dst4, dst6}) {
		rte_mbuf *m = Outgoing(Unsummed(5000), {1020, 1000, 1000, 1000, 1000});

		m->tso_segsz = 1400;
		EXPECT_EQ(0, ifp[1]->ops->send(dst, m, 0x02));
	}
	Turn();
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(2u, sent.size());
	EXPECT_EQ(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG, sent[0].flags);
	EXPECT_EQ(RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG, sent[1].flags);
	EXPECT_EQ(5040u, get16(sent[0].bytes, 16));
	EXPECT_EQ(0xffff, plain_sum(slice(sent[0].bytes, 14, 20))) << "of the frame as it is handed over";
	EXPECT_EQ(plain_sum(pseudo(us4, peer4, 6, 0)), get16(sent[0].bytes, 34 + 16));
	EXPECT_EQ(plain_sum(pseudo(us6, peer6, 6, 0)), get16(sent[1].bytes, 54 + 16));
	EXPECT_EQ(2u, Stats().tx_cut);
}

TEST_F(PortTx, LeavesTheSumToADeviceThatDoesNotSumIpHeaders)
{
	dev_conf.tx_offloads = RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	Ready();
	EXPECT_EQ(0u, ifp[1]->caps);
	Send(dst4, Unsummed(11));
	Turn();
	Sent s = TakeSent().at(0);
	EXPECT_EQ(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM, s.flags);
	EXPECT_EQ(plain_sum(pseudo(us4, peer4, 6, 31)), get16(s.bytes, 34 + 16));
	EXPECT_EQ(0xffff, plain_sum(slice(s.bytes, 14, 20)));
}

/* A device cannot cut whose segments somebody else must sum, nor one that takes no frames of several pieces. */
TEST_F(PortTx, CutsOnlyWithWhatCuttingTakes)
{
	dev_conf.tx_offloads = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;
	Open();
	EXPECT_EQ(0u, ifp[1]->caps);
	EXPECT_EQ(0u, dev->tx_asked & dev_conf.tx_offloads);
}

TEST_F(PortTx, CutsNothingInOnePiece)
{
	dev_conf.tx_offloads = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;
	dev_conf.single_segment = true;
	Open();
	EXPECT_EQ(0u, ifp[1]->caps);
	EXPECT_EQ(0u, dev->tx_asked & RTE_ETH_TX_OFFLOAD_TCP_TSO);
}

/* A frame of more pieces than the ring has descriptors would never go; virtio's rings may have 128. */
TEST_F(PortTx, KeepsFramesShorterThanAnyRing)
{
	Open();
	EXPECT_EQ(64, ifp[1]->tx_segs_max);
}

/** A driver that looks at frames before they are sent, and refuses those to a port of 666. */
static unsigned prepared, calls;

static uint16_t
Prepare(void *, struct rte_mbuf **m, uint16_t n)
{
	calls++;
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(m[i], const uint8_t *);

		if (frame[36] == 666 >> 8 && frame[37] == (666 & 255))
			return i;
		prepared++;
	}
	return n;
}

TEST_F(PortTx, ShowsTheDriverWhatItShallHaveAHandIn)
{
	dev_conf.tx_offloads = RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	Ready();
	rte_eth_fp_ops[dev->id].tx_pkt_prepare = Prepare;
	prepared = 0;
	for (unsigned i = 0; i < 200; i++) {
		Bytes seg = Unsummed(i);

		if (i % 7 == 0)
			set16(seg, 2, 666);
		Send(dst4, seg);
	}
	Turn();
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(200u - 29, sent.size()) << "all but those it refused";
	for (size_t i = 0, size = 0; i < sent.size(); i++, size++) {
		size += size % 7 == 0;
		EXPECT_EQ(40 + size, get16(sent[i].bytes, 16)) << "in order";
	}
	EXPECT_EQ(29u, Stats().tx_drop_refused);
	EXPECT_EQ(200u - 29, prepared) << "once each";
}

TEST_F(PortTx, ShowsTheDriverNothingThatIsDone)
{
	Ready();
	rte_eth_fp_ops[dev->id].tx_pkt_prepare = Prepare;
	calls = 0;
	Send(dst4, Unsummed(1));
	Turn();
	EXPECT_EQ(1u, TakeSent().size());
	EXPECT_EQ(0u, calls);
}

/* A device that is full is not asked to prepare all that waits, at every turn anew. */
TEST_F(PortTx, PreparesFewOfThoseThatCannotGo)
{
	dev_conf.tx_offloads = RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	dev_conf.tx_slots = 64;
	Ready();
	rte_eth_fp_ops[dev->id].tx_pkt_prepare = Prepare;
	for (unsigned i = 0; i < 500; i++)
		Send(dst4, Unsummed(1));
	prepared = 0;
	Turn();
	EXPECT_LE(prepared, 64u * 5);
	EXPECT_EQ(63u, TakeSent().size());
}

TEST_F(PortTx, AsksForNoCuttingWithoutNeed)
{
	dev_conf.tx_offloads =
		RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;
	Ready();
	rte_mbuf *m = Outgoing(Unsummed(100));
	m->tso_segsz = 1400;
	EXPECT_EQ(0, ifp[1]->ops->send(dst4, m, 0));
	Turn();
	EXPECT_EQ(0u, TakeSent().at(0).flags & RTE_MBUF_F_TX_TCP_SEG);
}

TEST_F(PortTx, AsksForCuttingToAPeersSmallerSegments)
{
	dev_conf.tx_offloads =
		RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;
	Ready();
	/* It would fit our link, but who said so little lives behind a narrower one. */
	rte_mbuf *m = Outgoing(Unsummed(1072));
	m->tso_segsz = 536;
	EXPECT_EQ(0, ifp[1]->ops->send(dst4, m, 0));
	Turn();
	EXPECT_NE(0u, TakeSent().at(0).flags & RTE_MBUF_F_TX_TCP_SEG);
}

TEST_F(PortTx, ChoosesTheSourceForWhoHasNone)
{
	const port_addr any4 = {.family = 4, .b = {}}, any6 = {.family = 6, .b = {}}, far4 = addr("192.0.2.1");
	port_dst *d;

	Open();
	d = ifp[1]->ops->route(ifp[1], &any4, &peer4);
	ASSERT_NE(nullptr, d);
	EXPECT_TRUE(port_addr_eq(&us4, &d->local));
	ifp[1]->ops->unroute(d);
	d = ifp[1]->ops->route(ifp[1], &any6, &peer6);
	ASSERT_NE(nullptr, d);
	EXPECT_TRUE(port_addr_eq(&us6, &d->local));
	ifp[1]->ops->unroute(d);
	EXPECT_EQ(nullptr, ifp[1]->ops->route(ifp[1], &any4, &far4)) << "no gateway";
}

TEST_F(PortTx, RefusesWhatTheDeviceCannotTake)
{
	dev_conf.single_segment = true;
	Ready();
	EXPECT_EQ(1, ifp[1]->tx_segs_max);
	EXPECT_EQ(-ENOBUFS, Send(dst4, Unsummed(100), {40}));
	EXPECT_EQ(-ENOBUFS, Send(dst4, Unsummed(1500 - 40 + 1)));
	EXPECT_EQ(0, Send(dst4, Unsummed(1500 - 40)));
	EXPECT_EQ(2u, Stats().tx_drop_size);
}

TEST_F(PortTx, TagsFramesItselfOrByTheDevice)
{
	conf.vlan = 42;
	Ready();
	Send(dst4, Unsummed(1));
	Turn();
	Sent s = TakeSent().at(0);
	EXPECT_EQ(kPeerMac + our_mac + be16(0x8100) + be16(42) + be16(0x0800), slice(s.bytes, 0, 18));
	EXPECT_EQ(0x45, s.bytes[18]);
}

TEST_F(PortTx, TagsByTheDevice)
{
	conf.vlan = 42;
	dev_conf.tx_offloads = RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
	Ready();
	Send(dst4, Unsummed(1));
	Turn();
	Sent s = TakeSent().at(0);
	EXPECT_EQ(kPeerMac + our_mac + be16(0x0800), slice(s.bytes, 0, 14));
	EXPECT_EQ(RTE_MBUF_F_TX_VLAN, s.flags);
	EXPECT_TRUE(port->tx_prepare) << "virtio's driver makes the tag then, or never";
	EXPECT_EQ(42u, s.tci);
}

TEST_F(PortTx, KeepsWhatTheDeviceDidNotTakeUpToABound)
{
	unsigned taken = 0;

	dev_conf.tx_slots = 64;
	Ready();
	for (unsigned i = 0; i < 63 + PORT_TX_HOLD; i++)
		ASSERT_EQ(0, Send(dst4, Unsummed(i % 100))) << i;
	EXPECT_EQ(-ENOBUFS, Send(dst4, Unsummed(1)));
	EXPECT_EQ(1u, Stats().tx_drop_full);
	for (unsigned i = 0; i < 40; i++) {
		Turn();
		for (const Sent &s : TakeSent())
			EXPECT_EQ(40 + taken++ % 100, get16(s.bytes, 16)) << "in order";
	}
	EXPECT_EQ(63u + PORT_TX_HOLD, taken);
}

TEST_F(PortTx, LetsGoOfFramesNobodyTakes)
{
	dev_conf.tx_slots = 16;
	Ready();
	for (unsigned i = 0; i < 100; i++)
		ASSERT_EQ(0, Send(dst4, Unsummed(1)));
	Turn();
	Turn(50 * STRAKE_NS_PER_MS);
	EXPECT_EQ(0u, Stats().tx_drop_full);
	Turn(101 * STRAKE_NS_PER_MS);
	EXPECT_EQ(85u, Stats().tx_drop_full);
	EXPECT_EQ(15u, TakeSent().size());
	Send(dst4, Unsummed(1));
	Turn();
	EXPECT_EQ(1u, TakeSent().size()) << "and goes on";
}

/* For another port, whose way is dead: its addresses, of either family, to where this way leads. */
TEST_F(PortTx, SendsForOthersByAWayItHas)
{
	port_addr other4 = addr("192.0.2.2"), far4 = addr("192.0.2.1");
	port_addr other6 = addr("2001:db8::2"), far6 = addr("2001:db8::1");
	const struct port_if_ops *ops;

	conf.vlan = 7;
	Ready();
	ops = ifp[1]->ops;
	for (port_dst *by : {dst4, dst6}) {
		EXPECT_EQ(0, ops->send_as(by, &other4, &far4, Outgoing(Unsummed(0, 0x04))));
		EXPECT_EQ(0, ops->send_as(by, &other6, &far6, Outgoing(Unsummed(0, 0x04))));
	}
	Turn();
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(4u, sent.size());
	for (size_t i = 0; i < sent.size(); i++) {
		const Bytes &f = sent[i].bytes;
		bool v6 = i % 2 != 0;

		EXPECT_EQ(kPeerMac + our_mac + be16(0x8100) + be16(7) + be16(v6 ? 0x86dd : 0x0800), slice(f, 0, 18));
		EXPECT_EQ(v6 ? raw(other6) + raw(far6) : raw(other4) + raw(far4),
			  v6 ? slice(f, 26, 32) : slice(f, 30, 8));
		Bytes seg = slice(f, v6 ? 58 : 38);
		EXPECT_EQ(0xffff, plain_sum((v6 ? pseudo(other6, far6, 6, 20) : pseudo(other4, far4, 6, 20)) + seg));
		if (!v6) {
			EXPECT_EQ(0xffff, plain_sum(slice(f, 18, 20)));
		}
	}
	EXPECT_EQ(0u, Stats().no_route);
}

TEST_F(PortTx, DoesNotAskForANeighbourToSendForOthers)
{
	port_addr other = addr("192.0.2.2"), far = addr("192.0.2.1"), unknown = addr("10.0.0.77");
	port_dst *by;

	Ready();
	by = ifp[1]->ops->route(ifp[1], &us4, &unknown);
	ASSERT_NE(nullptr, by);
	EXPECT_EQ(-ENOBUFS, ifp[1]->ops->send_as(by, &other, &far, Outgoing(Unsummed(0, 0x04))));
	Turn();
	EXPECT_TRUE(TakeSent().empty());
	EXPECT_EQ(1u, Stats().tx_drop_neigh);
	ifp[1]->ops->unroute(by);
}

TEST_F(PortTx, KnowsWhereItCanSend)
{
	port_addr other = addr("10.0.0.9"), far = addr("192.0.2.1"), far6 = addr("2001:db8::1");
	const struct port_if_ops *ops;

	Ready();
	ops = ifp[1]->ops;
	EXPECT_EQ(nullptr, ops->route(ifp[1], &other, &peer4)) << "not our address";
	EXPECT_EQ(nullptr, ops->route(ifp[1], &us4, &peer6)) << "families differ";
	EXPECT_EQ(nullptr, ops->route(ifp[1], &us4, &far)) << "no gateway";
	EXPECT_EQ(nullptr, ops->route(ifp[1], &us6, &far6));
	EXPECT_EQ(4u, Stats().no_route);
}

TEST_F(PortTx, SendsFarTrafficToTheGateway)
{
	port_addr far = addr("192.0.2.1"), far6 = addr("2001:db8::1");
	Bytes gw_mac = {0x02, 9, 9, 9, 9, 9};

	conf.gateway4 = "10.0.0.254";
	conf.gateway6 = "fd00::fe";
	Ready();
	Teach("10.0.0.254", gw_mac);
	port_dst *a = ifp[1]->ops->route(ifp[1], &us4, &far), *b = ifp[1]->ops->route(ifp[1], &us6, &far6);
	ASSERT_NE(nullptr, a);
	ASSERT_NE(nullptr, b);
	Send(a, Unsummed(1));
	Send(b, Unsummed(1)); /* unknown as yet: asked for, then learned */
	Turn();
	Teach("fd00::fe", gw_mac);
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(3u, sent.size());
	EXPECT_EQ(gw_mac, slice(sent[0].bytes, 0, 6));
	EXPECT_EQ(raw(far), slice(sent[0].bytes, 30, 4));
	EXPECT_EQ(135, sent[1].bytes[54]) << "a solicitation";
	EXPECT_EQ(gw_mac, slice(sent[2].bytes, 0, 6));
	ifp[1]->ops->unroute(a);
	ifp[1]->ops->unroute(b);
}

TEST_F(PortTx, ReusesWaysAndRefusesWhenAllAreInUse)
{
	std::vector<port_dst *> ways;
	port_addr p = addr("10.1.0.0");

	conf.gateway4 = "10.0.0.254";
	Ready();
	EXPECT_EQ(dst4, ifp[1]->ops->route(ifp[1], &us4, &peer4));
	ifp[1]->ops->unroute(dst4);
	for (unsigned i = 0; i < 2 * PORT_DSTS; i++) { /* let go at once: old ones make room */
		p.b[2] = (uint8_t)(i >> 8);
		p.b[3] = (uint8_t)i;
		port_dst *d = ifp[1]->ops->route(ifp[1], &us4, &p);
		ASSERT_NE(nullptr, d);
		ifp[1]->ops->unroute(d);
	}
	for (unsigned i = 0; i < PORT_DSTS - 2; i++) {
		p.b[2] = (uint8_t)(i >> 8);
		p.b[3] = (uint8_t)i;
		ways.push_back(ifp[1]->ops->route(ifp[1], &us4, &p));
		ASSERT_NE(nullptr, ways.back()) << i;
	}
	p = addr("10.2.0.0");
	EXPECT_EQ(nullptr, ifp[1]->ops->route(ifp[1], &us4, &p));
	EXPECT_EQ(1u, Stats().dst_full);
	for (port_dst *d : ways)
		ifp[1]->ops->unroute(d);
}
