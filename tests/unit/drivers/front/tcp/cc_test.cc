/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cmath>

#include <gtest/gtest.h>

extern "C" {
#include "drivers/front/tcp/cc.h"
}

static const uint64_t kSec = 1000000000;

static tcp_cc
started(const tcp_cc_ops *ops, uint32_t mss)
{
	tcp_cc cc = {};

	cc.mss = mss;
	cc.ssthresh = UINT32_MAX / 2;
	ops->start(&cc);
	return cc;
}

TEST(TcpCc, FindsAlgorithmsByName)
{
	EXPECT_EQ(&tcp_cc_cubic, tcp_cc_find("cubic"));
	EXPECT_EQ(&tcp_cc_newreno, tcp_cc_find("newreno"));
	EXPECT_EQ(&tcp_cc_cubic, tcp_cc_find(nullptr));
	EXPECT_EQ(nullptr, tcp_cc_find("vegas"));
}

TEST(TcpCc, BeginsWithTheWindowOfRfc6928)
{
	EXPECT_EQ(5360u, tcp_cc_initial(536));
	EXPECT_EQ(14600u, tcp_cc_initial(1460));
	EXPECT_EQ(17920u, tcp_cc_initial(8960));
}

class BothCc : public testing::TestWithParam<const tcp_cc_ops *>
{
};

TEST_P(BothCc, DoublesEachRoundTripInSlowStart)
{
	tcp_cc cc = started(GetParam(), 1000);
	uint32_t before = cc.cwnd;

	for (uint32_t left = before; left > 0; left -= 1000)
		GetParam()->ack(&cc, 1000, kSec, kSec / 1000);
	EXPECT_EQ(2 * before, cc.cwnd);
}

TEST_P(BothCc, LeavesSlowStartAtTheThreshold)
{
	tcp_cc cc = started(GetParam(), 1000);

	cc.ssthresh = cc.cwnd + 1500;
	GetParam()->ack(&cc, 1000, kSec, kSec / 1000);
	GetParam()->ack(&cc, 1000, kSec, kSec / 1000);
	EXPECT_GE(cc.cwnd, cc.ssthresh);
	EXPECT_LT(cc.cwnd, cc.ssthresh + 1000);
}

TEST_P(BothCc, ComesDownOnLossButNotBelowTwoSegments)
{
	tcp_cc cc = started(GetParam(), 1000);

	cc.cwnd = 100000;
	GetParam()->congestion(&cc, 100000, kSec);
	EXPECT_EQ(cc.ssthresh, cc.cwnd);
	EXPECT_GE(cc.cwnd, 49000u);
	EXPECT_LE(cc.cwnd, 71000u);
	for (int i = 0; i < 50; i++)
		GetParam()->congestion(&cc, cc.cwnd, kSec);
	EXPECT_EQ(2000u, cc.cwnd);
	cc.cwnd = 100000;
	GetParam()->timeout(&cc, 100000, kSec);
	EXPECT_EQ(1000u, cc.cwnd);
	EXPECT_GE(cc.ssthresh, 49000u);
}

TEST_P(BothCc, NeverShrinksOnAnAckNorWrapsRound)
{
	tcp_cc cc = started(GetParam(), 1460);
	uint64_t now = kSec;

	cc.ssthresh = cc.cwnd;
	for (int i = 0; i < 200000; i++) {
		uint32_t before = cc.cwnd;

		now += 1000000;
		GetParam()->ack(&cc, cc.cwnd / 2, now, 1000000);
		ASSERT_GE(cc.cwnd, before);
		ASSERT_LE(cc.cwnd, 1u << 29);
	}
}

INSTANTIATE_TEST_SUITE_P(Algorithms, BothCc, testing::Values(&tcp_cc_cubic, &tcp_cc_newreno));

TEST(TcpNewReno, AddsOneSegmentForEachWindow)
{
	tcp_cc cc = started(&tcp_cc_newreno, 1000);

	cc.cwnd = 20000;
	cc.ssthresh = 20000;
	for (int i = 0; i < 20; i++)
		tcp_cc_newreno.ack(&cc, 1000, kSec, kSec / 1000);
	EXPECT_EQ(21000u, cc.cwnd);
}

TEST(TcpCubic, ReturnsToTheOldWindowAfterK)
{
	tcp_cc cc = started(&tcp_cc_cubic, 1000);
	uint64_t now = kSec, rtt = kSec / 10;
	/* K = cbrt(1000 segments * 0.3 / 0.4) = 9.1 s. */
	double k = cbrt(1000 * 0.3 / 0.4);

	cc.cwnd = 1000000;
	tcp_cc_cubic.congestion(&cc, 1000000, now);
	EXPECT_EQ(700000u, cc.cwnd);
	for (double t = 0; t < k; t += 0.1) {
		now += rtt;
		for (uint32_t left = cc.cwnd / 1000; left > 0; left--)
			tcp_cc_cubic.ack(&cc, 1000, now, rtt);
	}
	EXPECT_NEAR(1000000.0, cc.cwnd, 30000.0);
}

TEST(TcpCubic, GivesWayWhenThePeakFell)
{
	tcp_cc cc = started(&tcp_cc_cubic, 1000);

	cc.cwnd = 1000000;
	tcp_cc_cubic.congestion(&cc, 1000000, kSec);
	tcp_cc_cubic.congestion(&cc, 700000, 2 * kSec);
	EXPECT_NEAR(700 * 0.85, cc.cubic.w_max, 1.0);
}
