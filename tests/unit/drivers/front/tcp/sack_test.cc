/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <random>
#include <set>

#include <gtest/gtest.h>

extern "C" {
#include "drivers/front/tcp/sack.h"
}

TEST(TcpSack, JoinsWhatOverlapsOrTouches)
{
	tcp_board b = {};

	EXPECT_EQ(10u, tcp_board_add(&b, 0, 1000, {100, 110}));
	EXPECT_EQ(10u, tcp_board_add(&b, 0, 1000, {120, 130}));
	EXPECT_EQ(2u, b.n);
	EXPECT_EQ(10u, tcp_board_add(&b, 0, 1000, {110, 120}));
	EXPECT_EQ(1u, b.n);
	EXPECT_EQ(30u, b.bytes);
	EXPECT_EQ(0u, tcp_board_add(&b, 0, 1000, {105, 125}));
	EXPECT_EQ(20u, tcp_board_add(&b, 0, 1000, {90, 140}));
	EXPECT_EQ(90u, b.r[0].start);
	EXPECT_EQ(140u, b.r[0].end);
}

TEST(TcpSack, IgnoresBlocksThatLie)
{
	tcp_board b = {};

	EXPECT_EQ(0u, tcp_board_add(&b, 100, 200, {150, 150}));
	EXPECT_EQ(0u, tcp_board_add(&b, 100, 200, {160, 150}));
	EXPECT_EQ(0u, tcp_board_add(&b, 100, 200, {50, 100}));
	EXPECT_EQ(0u, tcp_board_add(&b, 100, 200, {50, 150}));
	EXPECT_EQ(0u, tcp_board_add(&b, 100, 200, {150, 201}));
	EXPECT_EQ(0u, tcp_board_add(&b, 100, 200, {300, 100}));
	EXPECT_EQ(0u, b.n);
}

TEST(TcpSack, WorksAcrossTheWrap)
{
	tcp_board b = {};
	uint32_t limit = 100;

	EXPECT_EQ(32u, tcp_board_add(&b, 0xffffff00, 0x100, {0xfffffff0, 0x10}));
	EXPECT_EQ(0x10u, tcp_board_skip(&b, 0xfffffff8, &limit));
	tcp_board_ack(&b, 0);
	EXPECT_EQ(16u, b.bytes);
	tcp_board_ack(&b, 0x10);
	EXPECT_EQ(0u, b.n);
	EXPECT_EQ(0u, b.bytes);
}

TEST(TcpSack, ForgetsWhatDoesNotFit)
{
	static tcp_board b;

	for (uint32_t i = 0; i < TCP_BOARD_RANGES; i++)
		ASSERT_EQ(1u, tcp_board_add(&b, 0, 1 << 20, {10 + i * 3, 11 + i * 3}));
	EXPECT_EQ(0u, tcp_board_add(&b, 0, 1 << 20, {1 << 19, (1 << 19) + 1}));
	EXPECT_EQ((uint32_t)TCP_BOARD_RANGES, b.n);
	/* One that joins two makes room. */
	EXPECT_EQ(2u, tcp_board_add(&b, 0, 1 << 20, {11, 13}));
	EXPECT_EQ(1u, tcp_board_add(&b, 0, 1 << 20, {1 << 19, (1 << 19) + 1}));
}

TEST(TcpSack, CallsAHoleLostByRangesOrByBytes)
{
	tcp_board b = {};

	tcp_board_add(&b, 0, 100000, {1000, 1010});
	tcp_board_add(&b, 0, 100000, {2000, 2010});
	EXPECT_FALSE(tcp_board_lost(&b, 1, 1000));
	tcp_board_add(&b, 0, 100000, {3000, 3010});
	EXPECT_TRUE(tcp_board_lost(&b, 1, 1000));
	EXPECT_FALSE(tcp_board_lost(&b, 1500, 1000));
	b = {};
	tcp_board_add(&b, 0, 100000, {1000, 3000});
	EXPECT_FALSE(tcp_board_lost(&b, 1, 1000));
	tcp_board_add(&b, 0, 100000, {3000, 3001});
	EXPECT_TRUE(tcp_board_lost(&b, 1, 1000));
}

TEST(TcpSack, FindsHolesFromTheBottom)
{
	tcp_board b = {};
	tcp_range h;

	tcp_board_add(&b, 0, 100000, {1000, 2000});
	tcp_board_add(&b, 0, 100000, {3000, 9000});
	ASSERT_TRUE(tcp_board_hole(&b, 0, true, 1000, &h));
	EXPECT_EQ(0u, h.start);
	EXPECT_EQ(1000u, h.end);
	ASSERT_TRUE(tcp_board_hole(&b, 1500, true, 1000, &h));
	EXPECT_EQ(2000u, h.start);
	EXPECT_EQ(3000u, h.end);
	EXPECT_FALSE(tcp_board_hole(&b, 5000, false, 1000, &h));
}

/* The pipe of RFC 6675, 4, byte by byte, against ours. */
TEST(TcpSack, CountsThePipeAsTheRfcDoes)
{
	std::mt19937 r(7);

	for (int round = 0; round < 3000; round++) {
		uint32_t base = r() % 4 ? 1000 : 0xffffffb0u, len = 50 + r() % 150, high = r() % len,
			 mss = 1 + r() % 20;
		std::vector<bool> sacked(len);
		tcp_board b = {};
		uint32_t want = 0;

		for (int k = r() % 6; k > 0; k--) {
			uint32_t from = 1 + r() % (len - 1), to = from + 1 + r() % (len - from);

			tcp_board_add(&b, base, base + len, {base + from, base + to});
			for (uint32_t i = from; i < to; i++)
				sacked[i] = true;
		}
		for (uint32_t i = 0; i < len; i++) {
			uint32_t bytes = 0, ranges = 0;
			bool above = false;

			if (sacked[i])
				continue;
			for (uint32_t j = i + 1; j < len; j++) {
				bytes += sacked[j];
				ranges += sacked[j] && !sacked[j - 1];
				above |= sacked[j];
			}
			want += !(ranges >= 3 || bytes > 2 * mss);
			/* Retransmission is of holes: above the last range nothing was sent again. */
			want += i < high && above;
		}
		ASSERT_EQ(want, tcp_board_pipe(&b, base, base + len, base + high, mss)) << "round " << round;
	}
}
