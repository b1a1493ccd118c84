/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Several lcores on one port: steered by the device, or handed on by ring; sending through another's queue; sleeping.
 */

#include <poll.h>

#include <map>
#include <set>

#include "rig.h"

static const uint64_t kRss =
	RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6;

class PortQueues : public PortTest
{
      protected:
	Bytes
	Tcp(bool v6, unsigned sport) const
	{
		const port_addr &src = v6 ? peer6 : peer4, &dst = v6 ? us6 : us4;

		return IpFrame(ip_packet(src, dst, 6, tcp_segment(src, dst, sport, 4420, Bytes(8, 1))));
	}

	unsigned
	Owner(bool v6, unsigned sport)
	{
		return port_flow_lcore(port, v6 ? &us6 : &us4, 4420, v6 ? &peer6 : &peer4, (uint16_t)sport);
	}

	void
	ArmEach(bool on)
	{
		strake_poller_walk(
			[](const struct strake_poller *p, void *arg) {
				auto *armed = static_cast<std::pair<bool, bool> *>(arg);

				armed->second = p->arm(const_cast<struct strake_poller *>(p), armed->first);
			},
			&(armed = {on, false}));
	}

	/** A frame comes to the queue of this lcore while it sleeps. */
	void
	Wake(uint16_t queue = 0)
	{
		ArmEach(true);
		Inject(Tcp(false, 1000), 0, 0, queue);
		ArmEach(false);
		Turn();
	}

	std::pair<bool, bool> armed;
};

TEST_F(PortQueues, HandsFlowsToTheirOwners)
{
	std::map<unsigned, unsigned> by_lcore;

	Open(3);
	EXPECT_FALSE(port->rss);
	for (unsigned sport = 1000; sport < 1300; sport++) {
		for (bool v6 : {false, true}) {
			Inject(Tcp(v6, sport));
			if (sport % 8 == 0)
				Turn();
		}
	}
	Turn();
	ASSERT_EQ(600u, segments.size());
	for (const Segment &s : segments) {
		EXPECT_EQ(Owner(s.pkt.src.family == 6, get16(s.bytes, 0)), s.lcore);
		EXPECT_EQ(ifp[s.lcore], s.pkt.ifp);
		by_lcore[s.lcore]++;
	}
	ASSERT_EQ(3u, by_lcore.size());
	for (auto &l : by_lcore)
		EXPECT_GT(l.second, 120u) << "lcore " << l.first;
	EXPECT_EQ(Stats().rx_handed, by_lcore[2] + by_lcore[3]);
}

TEST_F(PortQueues, HashesBothDirectionsAlikeAndFlowsApart)
{
	std::set<uint32_t> seen;

	Open(2);
	for (unsigned p = 1; p < 2000; p++) {
		Bytes ab = be16(p) + be16(4420), ba = be16(4420) + be16(p);
		uint32_t h = port_hash_flow(port, &peer4, &us4, ab.data());

		EXPECT_EQ(h, port_hash_flow(port, &us4, &peer4, ba.data()));
		seen.insert(h);
	}
	EXPECT_GT(seen.size(), 1990u);
}

TEST_F(PortQueues, DropsWhatAnOwnerIsTooSlowFor)
{
	Open(2);
	unsigned sport = 1000;
	while (Owner(false, sport) != 2)
		sport++;
	for (unsigned i = 0; i < 1200; i++)
		Inject(Tcp(false, sport));
	for (unsigned i = 0; i < 40; i++)
		strake_lcore_turn(now); /* lcore 1 alone */
	EXPECT_EQ(PORT_RING - 1u, Stats().rx_handed);
	EXPECT_EQ(1200u - (PORT_RING - 1), Stats().rx_drop_handover);
	for (unsigned i = 0; i < 20; i++)
		Turn();
	EXPECT_EQ(PORT_RING - 1u, segments.size());
}

TEST_F(PortQueues, LetsTheDeviceSteer)
{
	dev_conf.queues = 4;
	dev_conf.rss = kRss;
	dev_conf.reta_size = 128;
	Open(4);
	ASSERT_TRUE(port->rss);
	EXPECT_EQ(4, port->n_queues);
	EXPECT_EQ(kRss, dev->rss_asked & kRss);
	EXPECT_EQ(0x6d, dev->rss_key[38]);
	for (unsigned sport = 1000; sport < 1200; sport++) {
		for (bool v6 : {false, true}) {
			const port_addr &src = v6 ? peer6 : peer4, &dst = v6 ? us6 : us4;
			Bytes ports = be16(sport) + be16(4420), back = be16(4420) + be16(sport);
			uint16_t q = ethdev_steer(dev, src.family, src.b, dst.b, ports.data());

			EXPECT_EQ(q, ethdev_steer(dev, src.family, dst.b, src.b, back.data())) << "symmetric";
			EXPECT_EQ(q + 1u, Owner(v6, sport)) << "active opens come home";
			Receive(Tcp(v6, sport), 0, 0, q);
			ASSERT_EQ(1u, segments.size());
			EXPECT_EQ(q + 1u, segments[0].lcore);
			segments.clear();
		}
	}
	EXPECT_EQ(0u, Stats().rx_handed);
}

TEST_F(PortQueues, HashesItselfWhereTheDeviceCannotSteerTcpOfBothIps)
{
	dev_conf.queues = 4;
	dev_conf.rss = RTE_ETH_RSS_NONFRAG_IPV4_TCP;
	dev_conf.reta_size = 128;
	Open(2);
	EXPECT_FALSE(port->rss);
	EXPECT_EQ(1, port->n_queues);
}

TEST_F(PortQueues, SendsThroughTheQueueOfAnother)
{
	Open(3);
	Settle();
	Receive(Frame(0x0806, Arp(1, kPeerMac, raw(peer4), Bytes(6), raw(us4)), kBroadcast));
	Drain();
	for (unsigned i = 1; i <= 3; i++) {
		strake_lcore_enter((uint16_t)i);
		port_dst *d = ifp[i]->ops->route(ifp[i], &us4, &peer4);

		for (unsigned k = 0; k < 10; k++)
			ifp[i]->ops->send(d, Outgoing(be16(i) + be16(k) + Bytes(8) + Bytes{0x50, 0} + Bytes(6)), 0);
		ifp[i]->ops->unroute(d);
	}
	Turn();
	unsigned next[4] = {};
	for (const Sent &s : TakeSent())
		EXPECT_EQ(next[get16(s.bytes, 34)]++, get16(s.bytes, 36)) << "in order";
	for (unsigned i = 1; i <= 3; i++)
		EXPECT_EQ(10u, next[i]);
	EXPECT_EQ(20u, Stats().tx_handed);
}

TEST_F(PortQueues, UsesAQueueOfItsOwnWhereThereIsOne)
{
	dev_conf.queues = 2;
	conf.queues = 2;
	Open(2);
	Settle();
	Receive(Frame(0x0806, Arp(1, kPeerMac, raw(peer4), Bytes(6), raw(us4)), kBroadcast));
	Drain();
	strake_lcore_enter(2);
	port_dst *d = ifp[2]->ops->route(ifp[2], &us4, &peer4);
	ifp[2]->ops->send(d, Outgoing(Bytes(20, 0x50)), 0);
	ifp[2]->ops->unroute(d);
	Turn();
	rte_mbuf *m = ethdev_take(dev, 1);
	EXPECT_NE(nullptr, m);
	rte_pktmbuf_free(m);
	EXPECT_EQ(0u, Stats().tx_handed);
	Inject(Tcp(false, 1000), 0, 0, 1); /* without RSS the other queue's frames are hashed just the same */
	Inject(Tcp(false, 1000), 0, 0, 0);
	Turn();
	ASSERT_EQ(2u, segments.size());
	EXPECT_EQ(segments[0].lcore, segments[1].lcore);
}

TEST_F(PortQueues, TellsTheOwnerOfTooBig)
{
	for (bool rss : {false, true}) {
		dev_conf.queues = rss ? 2 : 1;
		dev_conf.rss = rss ? kRss : 0;
		dev_conf.reta_size = rss ? 64 : 0;
		Open(2);
		for (unsigned sport = 1000; sport < 1040; sport++) {
			unsigned owner = Owner(false, sport);

			strake_lcore_enter((uint16_t)owner);
			port_dst *d = ifp[owner]->ops->route(ifp[owner], &us4, &peer4);
			Bytes quote = ip4_packet(us4, peer4, 6, tcp_segment(us4, peer4, 4420, sport, {}));

			Receive(IpFrame(ip4_packet(addr("10.0.0.254"), us4, 1,
						   icmp4(3, 4, 1499 - (sport - 1000), slice(quote, 0, 28)))));
			ASSERT_EQ(1u, too_bigs.size());
			EXPECT_EQ(owner, too_bigs[0].lcore);
			EXPECT_EQ(1499 - (sport - 1000), d->mtu);
			EXPECT_EQ(be16(4420) + be16(sport), slice(too_bigs[0].l4, 0, 4));
			too_bigs.clear();
			strake_lcore_enter((uint16_t)owner);
			ifp[owner]->ops->unroute(d);
		}
		if (!rss) {
			TearDown();
			port = nullptr;
			dev = nullptr;
			lcores = 0;
		}
	}
}

TEST_F(PortQueues, WakesByInterrupt)
{
	dev_conf.interrupts = true;
	Open(1);
	Settle();
	Wake();
	segments.clear();

	ArmEach(true);
	EXPECT_TRUE(armed.second);
	int fd = port->lcores[1]->poller.fd;
	struct pollfd pfd = {fd, POLLIN, 0};
	ASSERT_GE(fd, 0);
	EXPECT_TRUE(dev->intr_on[0]);
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	Inject(Tcp(false, 1000));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	ArmEach(false);
	EXPECT_FALSE(dev->intr_on[0]);
	Turn();
	EXPECT_EQ(1u, segments.size());
	ArmEach(true);
	EXPECT_EQ(0, poll(&pfd, 1, 0)) << "drained";
	ArmEach(false);
}

TEST_F(PortQueues, DoesNotSleepOnAFrameThatCameBeforeTheInterrupt)
{
	dev_conf.interrupts = true;
	Open(1);
	Settle();
	Inject(Tcp(false, 1000)); /* interrupts are off: none is raised for it */
	ArmEach(true);
	EXPECT_FALSE(armed.second);
	EXPECT_FALSE(dev->intr_on[0]);
	EXPECT_EQ(1u, segments.size());
}

/* Drivers have descriptors which their card never raises an interrupt by: an lcore would sleep on them until a timer.
 */
TEST_F(PortQueues, SleepsOnlyBrieflyUntilAnInterruptCame)
{
	dev_conf.interrupts = true;
	dev_conf.mute = true;
	dev_conf.queues = 2;
	conf.queues = 2;
	Open(2);
	Settle();
	for (unsigned i = 0; i < 100; i++) {
		Wake();
		ASSERT_EQ(-1, port->lcores[1]->poller.fd);
		ASSERT_FALSE(port->rx_heard);
	}
	dev->conf.mute = false;
	Wake();
	EXPECT_EQ(101u, segments.size());
	for (uint16_t i = 1; i <= 2; i++) {
		strake_lcore_enter(i);
		ArmEach(true);
		EXPECT_EQ(port->lcores[i]->epfd, port->lcores[i]->poller.fd) << "one queue speaks for all";
		ArmEach(false);
	}
}

TEST_F(PortQueues, AsksNoInterruptsOfE1000)
{
	dev_conf.interrupts = true;
	dev_conf.driver = "net_e1000_em";
	Open(1);
	Settle();
	EXPECT_FALSE(dev->intr_asked);
	Wake();
	EXPECT_EQ(-1, port->lcores[1]->poller.fd);
	EXPECT_FALSE(dev->intr_on[0]);
	EXPECT_EQ(1u, segments.size());
}

TEST_F(PortQueues, SleepsOnlyBrieflyWithoutInterrupts)
{
	Open(2);
	EXPECT_EQ(-1, port->lcores[1]->poller.fd) << "must look for itself";
	EXPECT_EQ(-2, port->lcores[2]->poller.fd) << "is kicked by lcore 1";
}

TEST_F(PortQueues, AsksForLroOnlyWithChecksums)
{
	dev_conf.rx_offloads = RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	Open(1);
	EXPECT_EQ(0u, ifp[1]->caps);
	EXPECT_EQ(0u, dev->rx_asked & RTE_ETH_RX_OFFLOAD_TCP_LRO);
}

/* What is joined must find room: our mbufs hold one segment each. */
TEST_F(PortQueues, AsksForLroOnlyWhereFramesMayHaveSeveralPieces)
{
	dev_conf.rx_offloads = RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	dev_conf.no_scatter = true;
	Open(1);
	EXPECT_EQ(0u, ifp[1]->caps);
	EXPECT_EQ(0u, dev->rx_asked & RTE_ETH_RX_OFFLOAD_TCP_LRO);
}

/* As virtio has it: nothing is said of the IPv4 header, and of the segment that whoever sent it is on this machine. */
TEST_F(PortQueues, TakesJoinedSegmentsWhoseIpHeadersItMustSum)
{
	const uint64_t flags = RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO;
	Bytes packet = ip4_packet(peer4, us4, 6, tcp_segment(peer4, us4, 1, 2, Bytes(9000, 7)));

	dev_conf.rx_offloads = RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	Open(1);
	EXPECT_EQ(PORT_CAP_LRO, ifp[1]->caps);
	EXPECT_EQ(dev_conf.rx_offloads, dev->rx_asked & ~RTE_ETH_RX_OFFLOAD_SCATTER);
	set16(packet, 20 + 16, 0x1234); /* half done */
	Receive(IpFrame(packet), 1514, flags);
	Receive(IpFrame(ip6_packet(peer6, us6, 6, tcp_segment(peer6, us6, 1, 2, Bytes(9000, 7)))), 1514, flags);
	ASSERT_EQ(2u, segments.size());
	EXPECT_EQ(9020u, segments[0].bytes.size());
	EXPECT_EQ(2u, Stats().rx_joined);
	packet[8] ^= 1;
	Receive(IpFrame(packet), 1514, flags);
	EXPECT_EQ(1u, Stats().rx_drop_ip_cksum);
	EXPECT_EQ(2u, segments.size());
}

TEST_F(PortQueues, TakesJoinedSegments)
{
	dev_conf.rx_offloads =
		RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	Open(1);
	EXPECT_EQ(PORT_CAP_LRO, ifp[1]->caps);
	Receive(IpFrame(ip4_packet(peer4, us4, 6, tcp_segment(peer4, us4, 1, 2, Bytes(9000, 7)))), 1514,
		RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_LRO);
	ASSERT_EQ(1u, segments.size());
	EXPECT_EQ(9020u, segments[0].bytes.size());
	EXPECT_EQ(6u, segments[0].segs);
}
