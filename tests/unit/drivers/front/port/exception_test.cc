/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The exception path: what goes to the host's kernel, what comes from it, how fast, and what is never given away. A
 * pair of sockets stands in for the tap: like one it keeps frames whole. */

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "rig.h"

extern "C" {
#include "drivers/front/port/exception.h"
}

namespace
{

class Exceptions : public PortTest
{
      protected:
	/** Open with an exception path of @p rate frames a second. */
	void
	OpenPath(unsigned n = 1, unsigned rate = 1000000)
	{
		int fd[2];

		Open(n);
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd));
		kernel = fd[1];
		strake_lcore_enter(0);
		strake_lcore_turn(now);
		ASSERT_EQ(0, port_exception_create(port, "nic0", fd[0], rate));
		strake_lcore_enter(1);
		Settle();
	}

	void
	TearDown() override
	{
		if (kernel >= 0) {
			strake_lcore_enter(0);
			strake_lcore_turn(now);
			port_exception_destroy(port);
			close(kernel);
		}
		PortTest::TearDown();
	}

	/** Data lcores run, then main, then data lcores again. */
	void
	Round(uint64_t ns = STRAKE_NS_PER_MS)
	{
		Turn(ns);
		strake_lcore_enter(0);
		for (unsigned i = 0; i < 8; i++) /* a burst each */
			strake_lcore_turn(now);
		Turn();
	}

	std::vector<Bytes>
	KernelGot()
	{
		std::vector<Bytes> out;
		uint8_t buf[10000];
		ssize_t got;

		Round();
		while ((got = recv(kernel, buf, sizeof(buf), 0)) >= 0)
			out.push_back(Bytes(buf, buf + got));
		return out;
	}

	void
	KernelSends(const Bytes &frame)
	{
		ASSERT_EQ((ssize_t)frame.size(), send(kernel, frame.data(), frame.size(), 0));
	}

	/** The kernel gets exactly this frame, and nobody else anything. */
	void
	IsPassed(const Bytes &frame, const char *what)
	{
		Receive(frame);
		std::vector<Bytes> got = KernelGot();

		ASSERT_EQ(1u, got.size()) << what;
		EXPECT_EQ(frame, got[0]) << what;
		EXPECT_TRUE(segments.empty()) << what;
		EXPECT_TRUE(TakeSent().empty()) << what;
	}

	void
	IsKept(const Bytes &frame, const char *what)
	{
		Receive(frame);
		EXPECT_TRUE(KernelGot().empty()) << what;
	}

	/** A transport that wants nothing, after it looked behind the header. */
	void
	UnwantedSegments()
	{
		std::vector<Bytes> sent;

		for (unsigned i = 1; i <= lcores; i++) {
			ifp[i]->rx = [](void *user, struct rte_mbuf **m, uint16_t count) {
				auto *t = static_cast<Exceptions *>(static_cast<PortTest *>(user));
				port_if *self = t->ifp[strake_self_index()];

				for (uint16_t k = 0; k < count; k++) {
					rte_pktmbuf_adj(m[k], 20);
					EXPECT_TRUE(self->ops->foreign(self, m[k]));
				}
			};
		}
		for (unsigned sport = 1; sport <= 8; sport++) {
			const port_addr &to = sport % 2 != 0 ? us : us6, &from = sport % 2 != 0 ? peer : peer6;

			sent.push_back(
				IpFrame(ip_packet(from, to, 6, tcp_segment(from, to, sport, 22, Bytes(100, 'x')))));
			Receive(sent.back());
		}
		std::vector<Bytes> got = KernelGot();

		std::sort(sent.begin(), sent.end());
		std::sort(got.begin(), got.end());
		EXPECT_EQ(sent, got);
	}

	const port_addr us = addr("10.0.0.2"), peer = addr("10.0.0.1");
	int kernel = -1;
};

Bytes
udp(const Bytes &payload)
{
	return be16(5353) + be16(53) + be16((unsigned)payload.size() + 8) + be16(0) + payload;
}

const Bytes kText(100, 'x');

TEST_F(Exceptions, WhatIsNotOursGoesToTheKernelByteForByte)
{
	OpenPath();
	IsPassed(IpFrame(ip4_packet(peer, us, 17, udp(kText))), "UDP to our address");
	IsPassed(IpFrame(ip4_packet(peer, addr("10.0.0.77"), 6, tcp_segment(peer, addr("10.0.0.77"), 1, 22, {}))),
		 "TCP to another address");
	IsPassed(IpFrame(ip4_packet(peer, addr("10.0.0.255"), 17, udp(kText)), kBroadcast), "broadcast");
	IsPassed(IpFrame(ip4_packet(peer, us, 132, kText)), "SCTP");
	IsPassed(IpFrame(ip6_packet(peer6, us6, 17, udp(kText))), "UDP over IPv6");
	IsPassed(Frame(0x88cc, kText, {0x01, 0x80, 0xc2, 0, 0, 0x0e}), "LLDP");
	IsPassed(Frame(0x8100, be16(7) + be16(0x0800) + kText), "another VLAN, with its tag");
	IsPassed(IpFrame(ip4_packet(peer, us, 1, icmp4(0, 0, 1, kText))), "an answer to the kernel's ping");
	IsPassed(IpFrame(ip4_packet(peer, us, 1, icmp4(3, 3, 0, kText))), "port unreachable");
	IsPassed(IpFrame(ip4_packet(peer, us, 17, udp(kText), {}, 0x2000)), "a fragment of UDP");
	EXPECT_EQ(10u, Stats().exception_to_kernel);
}

TEST_F(Exceptions, WhatIsOursStaysOurs)
{
	OpenPath();
	IsKept(IpFrame(ip4_packet(peer, us, 6, tcp_segment(peer, us, 1000, 4420, kText))), "TCP to our address");
	EXPECT_EQ(1u, segments.size());
	IsKept(IpFrame(ip4_packet(peer, us, 1, icmp4(8, 0, 1, kText))), "ping");
	IsKept(Frame(0x0806, Arp(1, kPeerMac, raw(peer), {0, 0, 0, 0, 0, 0}, raw(us)), kBroadcast), "who has us");
	EXPECT_EQ(2u, TakeSent().size()) << "both are answered, once";
	IsKept(IpFrame(ip4_packet(peer, us, 6, Bytes(40, 0), {}, 0x2000)), "a fragment of TCP");
	EXPECT_EQ(0u, Stats().exception_to_kernel);
}

TEST_F(Exceptions, WithoutAPathNothingPasses)
{
	Open();
	Settle();
	Receive(IpFrame(ip4_packet(peer, us, 17, udp(kText))));
	EXPECT_EQ(1u, Stats().rx_exception);
	EXPECT_EQ(0u, Stats().exception_drop_rate + Stats().exception_drop_full);
	EXPECT_FALSE(ifp[1]->ops->foreign(ifp[1], nullptr)) << "nobody takes it";
}

TEST_F(Exceptions, ArpAnswersGoToBoth)
{
	OpenPath();
	Receive(Frame(0x0806, Arp(2, kPeerMac, raw(peer), our_mac, raw(us))));
	EXPECT_EQ(1u, KernelGot().size()) << "the kernel may have asked";
	port_dst *d = ifp[1]->ops->route(ifp[1], &us, &peer);

	ASSERT_NE(nullptr, d);
	ifp[1]->ops->send(d, Outgoing(tcp_segment(us, peer, 4420, 1, kText)), 0);
	Turn();
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(1u, sent.size());
	EXPECT_EQ(0x0800u, get16(sent[0].bytes, 12)) << "no question: the answer was ours too";
	ifp[1]->ops->unroute(d);
}

TEST_F(Exceptions, ArpForTheKernelsAddressIsTheKernelsToAnswer)
{
	OpenPath();
	IsPassed(Frame(0x0806, Arp(1, kPeerMac, raw(peer), {0, 0, 0, 0, 0, 0}, raw(addr("10.0.0.50"))), kBroadcast),
		 "an address of the kernel's in our network");
	IsPassed(Frame(0x0806, Arp(1, kPeerMac, raw(addr("192.168.9.1")), {0, 0, 0, 0, 0, 0}, raw(addr("192.168.9.2"))),
		       kBroadcast),
		 "a network of the kernel's alone");
}

TEST_F(Exceptions, NeighbourDiscoveryIsSharedLikeArp)
{
	OpenPath();
	Bytes lladdr = Bytes{1, 1} + kPeerMac;

	/* For us: ours to answer. */
	Receive(IpFrame(ip6_packet(peer6, us6, 58, icmp6(peer6, us6, 135, 0, 0, raw(us6) + lladdr), 255)));
	EXPECT_TRUE(KernelGot().empty());
	EXPECT_EQ(1u, TakeSent().size());
	/* For the kernel's, which shares our solicited-node group. */
	port_addr theirs = addr("fd01::2");
	IsPassed(IpFrame(ip6_packet(peer6, us6, 58, icmp6(peer6, us6, 135, 0, 0, raw(theirs) + lladdr), 255)),
		 "solicitation of an address of the kernel's");
	/* An advertisement: both. */
	Receive(IpFrame(ip6_packet(peer6, us6, 58,
				   icmp6(peer6, us6, 136, 0, 0x60000000, raw(peer6) + Bytes{2, 1} + kPeerMac), 255)));
	EXPECT_EQ(1u, KernelGot().size());
	/* A router's: the kernel's. */
	port_addr router = addr("fe80::1"), nodes = addr("ff02::1");
	IsPassed(IpFrame(ip6_packet(router, nodes, 58, icmp6(router, nodes, 134, 0, 0x40000708, Bytes(8, 0)), 255),
			 {0x33, 0x33, 0, 0, 0, 1}),
		 "router advertisement");
}

TEST_F(Exceptions, SegmentsTheTransportDoesNotWantArePassedWhole)
{
	OpenPath();
	UnwantedSegments();
}

TEST_F(Exceptions, SegmentsTheirOwnersDoNotWantArePassedWholeToo)
{
	OpenPath(2);
	UnwantedSegments();
	EXPECT_GT(Stats().rx_handed, 0u);
}

TEST_F(Exceptions, TooBigGoesToTheTransportAndToTheKernel)
{
	OpenPath();
	Bytes quote = slice(ip4_packet(us, peer, 6, tcp_segment(us, peer, 22, 1000, kText)), 0, 28);

	Receive(IpFrame(ip4_packet(peer, us, 1, icmp4(3, 4, 1000, quote))));
	EXPECT_EQ(1u, KernelGot().size());
}

TEST_F(Exceptions, TheTagADeviceTookOffIsPutBack)
{
	conf.vlan = 5;
	OpenPath();
	Bytes inner = ip4_packet(peer, us, 17, udp(kText));
	Bytes bare = our_mac + kPeerMac + be16(0x0800) + inner;
	rte_mbuf *m = ethdev_frame(port->pool, bare.data(), (uint32_t)bare.size(), 0);

	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 5;
	ethdev_inject(dev, 0, m);
	Turn();
	std::vector<Bytes> got = KernelGot();
	ASSERT_EQ(1u, got.size());
	EXPECT_EQ(our_mac + kPeerMac + be16(0x8100) + be16(5) + be16(0x0800) + inner, got[0]);
}

/* A program on the same machine, behind a virtual device, sends sums half done: whole for the kernel's end. */
TEST_F(Exceptions, SumsThatADeviceVouchesForAreFinished)
{
	OpenPath();
	for (auto &[from, to] : {std::pair(peer, addr("10.0.0.77")), std::pair(peer6, addr("fd00::77"))}) {
		Bytes good = ip_packet(from, to, 6, tcp_segment(from, to, 1000, 22, Bytes(777, 'z')));
		Bytes half = good;

		set16(half, half.size() - 777 - 4, (uint16_t)plain_sum(pseudo(from, to, 6, 797)));
		for (uint16_t piece : {0, 200}) {
			Receive(IpFrame(half), piece, RTE_MBUF_F_RX_L4_CKSUM_NONE);
			std::vector<Bytes> got = KernelGot();
			ASSERT_EQ(1u, got.size());
			EXPECT_EQ(IpFrame(good), got[0]);
		}
		/* Of all others the sum is the sender's. */
		IsPassed(IpFrame(half), "a wrong sum");
	}
}

/* Nothing is written beyond a header that is not there, or summed beyond a frame's end. */
TEST_F(Exceptions, SumsOfFramesThatLieAreLeftAlone)
{
	OpenPath();
	const port_addr to = addr("10.0.0.77");
	Bytes whole = IpFrame(ip_packet(peer, to, 6, tcp_segment(peer, to, 1000, 22, Bytes(100, 'z'))));

	for (size_t n = 14; n < whole.size(); n++) {
		Bytes cut(whole.begin(), whole.begin() + (ptrdiff_t)n);

		Receive(cut, 0, RTE_MBUF_F_RX_L4_CKSUM_NONE);
		for (const Bytes &b : KernelGot())
			EXPECT_EQ(cut, b) << n;
	}
}

TEST_F(Exceptions, FramesInPiecesArriveWhole)
{
	OpenPath();
	Bytes frame = IpFrame(ip4_packet(peer, us, 17, udp(Bytes(1000, 'y'))));

	Receive(frame, 300);
	std::vector<Bytes> got = KernelGot();
	ASSERT_EQ(1u, got.size());
	EXPECT_EQ(frame, got[0]);
}

TEST_F(Exceptions, WhatTheKernelSendsGoesOutAsItIs)
{
	OpenPath(2);
	Bytes frame = kPeerMac + our_mac + be16(0x0800) + ip4_packet(us, peer, 17, udp(kText));

	for (unsigned i = 0; i < 3; i++)
		KernelSends(frame);
	Round();
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(3u, sent.size());
	EXPECT_EQ(frame, sent[2].bytes);
	EXPECT_EQ(3u, Stats().exception_from_kernel);
}

TEST_F(Exceptions, ScrapsFromTheKernelAreNotSent)
{
	OpenPath();
	KernelSends(Bytes(13, 0));
	KernelSends(Bytes(60, 1));
	Round();
	EXPECT_EQ(1u, TakeSent().size());
}

TEST_F(Exceptions, OurOwnFramesComeBackAreNotPassed)
{
	OpenPath();
	IsKept(kBroadcast + our_mac + be16(0x88cc) + kText, "a loop in the network");
}

TEST_F(Exceptions, TheRateHoldsForEachDirectionAndIsCounted)
{
	OpenPath(1, 1000);
	Bytes frame = IpFrame(ip4_packet(peer, us, 17, udp(kText)));
	size_t passed = 0;

	/* A full bucket is a tenth of a second's: 100. */
	for (unsigned i = 0; i < 300; i++) {
		Inject(frame);
		if (i % 20 == 19)
			Turn();
	}
	passed = KernelGot().size();
	EXPECT_GE(passed, 99u);
	EXPECT_LE(passed, 102u);
	EXPECT_EQ(300 - passed, Stats().exception_drop_rate);
	/* 10 ms give ten more. */
	Turn(10 * STRAKE_NS_PER_MS);
	for (unsigned i = 0; i < 30; i++)
		Inject(frame);
	Turn();
	passed = KernelGot().size();
	EXPECT_GE(passed, 9u);
	EXPECT_LE(passed, 12u);
}

TEST_F(Exceptions, TheKernelsRateIsHeldToo)
{
	OpenPath(1, 1000);
	for (unsigned k = 0; k < 30; k++) {
		for (unsigned i = 0; i < 10; i++)
			KernelSends(kPeerMac + our_mac + be16(0x0800) + kText);
		Round(1000); /* a microsecond */
		strake_lcore_enter(0);
		strake_lcore_turn(now += 20000);
		strake_lcore_enter(1);
	}
	Round();
	uint64_t sent = TakeSent().size();
	EXPECT_GE(sent, 99u);
	EXPECT_LE(sent, 103u);
	EXPECT_EQ(300 - sent, Stats().exception_drop_rate);
}

TEST_F(Exceptions, AFullRingDropsAndCounts)
{
	OpenPath(1, 1000000);
	for (unsigned i = 0; i < 600; i++) {
		Inject(IpFrame(ip4_packet(peer, us, 17, udp(kText))));
		if (i % 20 == 19)
			Turn();
	}
	EXPECT_EQ(600u - (EXCEPTION_RING - 1), Stats().exception_drop_full) << "main did not run";
}

TEST_F(Exceptions, AKernelThatTakesNothingLosesFramesAndNothingElse)
{
	OpenPath();
	close(kernel);
	Receive(IpFrame(ip4_packet(peer, us, 17, udp(kText))));
	Round();
	EXPECT_EQ(1u, Stats().exception_drop_tap);
	kernel = open("/dev/null", O_RDONLY);
}

TEST(Bucket, ReplaysByTimeAlone)
{
	port_bucket b = {};
	const uint64_t period = 1000, depth = 5000;
	unsigned n = 0;

	while (port_bucket_take(&b, period, depth, 1000000))
		n++;
	EXPECT_EQ(5u, n);
	EXPECT_FALSE(port_bucket_take(&b, period, depth, 1000999));
	EXPECT_TRUE(port_bucket_take(&b, period, depth, 1001000));
	EXPECT_FALSE(port_bucket_take(&b, period, depth, 1001000));
	n = 0;
	while (port_bucket_take(&b, period, depth, 1000000000))
		n++;
	EXPECT_EQ(5u, n) << "a long rest saves up no more than the depth";
}

} // namespace
