/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <gtest/gtest.h>

extern "C" {
#include "drivers/front/tcp/rtt.h"
}

static const uint64_t kMs = 1000000;

TEST(TcpRtt, BeginsWithOneSecond)
{
	tcp_rtt r;

	tcp_rtt_init(&r);
	EXPECT_EQ(1000 * kMs, r.rto);
	EXPECT_EQ(0u, r.srtt);
}

TEST(TcpRtt, FollowsTheFormulasOfRfc6298)
{
	tcp_rtt r;

	tcp_rtt_init(&r);
	tcp_rtt_sample(&r, 400 * kMs);
	EXPECT_EQ(400 * kMs, r.srtt);
	EXPECT_EQ(200 * kMs, r.rttvar);
	EXPECT_EQ(1200 * kMs, r.rto);
	tcp_rtt_sample(&r, 800 * kMs);
	EXPECT_EQ(250 * kMs, r.rttvar); /* 3/4 200 + 1/4 400 */
	EXPECT_EQ(450 * kMs, r.srtt);	/* 7/8 400 + 1/8 800 */
	EXPECT_EQ(1450 * kMs, r.rto);
}

TEST(TcpRtt, StaysWithinItsBounds)
{
	tcp_rtt r;

	tcp_rtt_init(&r);
	tcp_rtt_sample(&r, 0);
	EXPECT_NE(0u, r.srtt);
	EXPECT_EQ(TCP_RTO_MIN, r.rto);
	for (int i = 0; i < 200; i++)
		tcp_rtt_sample(&r, 1);
	EXPECT_NE(0u, r.srtt);
	tcp_rtt_sample(&r, 3600000 * kMs);
	EXPECT_EQ(TCP_RTO_MAX, r.rto);
}

TEST(TcpRtt, DoublesUpToTheMaximum)
{
	tcp_rtt r;

	tcp_rtt_init(&r);
	EXPECT_EQ(1000 * kMs, tcp_rtt_backoff(&r, 0));
	EXPECT_EQ(2000 * kMs, tcp_rtt_backoff(&r, 1));
	EXPECT_EQ(TCP_RTO_MAX, tcp_rtt_backoff(&r, 6));
	EXPECT_EQ(TCP_RTO_MAX, tcp_rtt_backoff(&r, 255));
}
