/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <gtest/gtest.h>

#include "tcp_peer.h"

extern "C" {
#include "drivers/front/tcp/reasm.h"
}

class TcpReasm : public testing::Test
{
      protected:
	void
	SetUp() override
	{
		World::global_init();
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(i * 7);
	}
	void
	TearDown() override
	{
		tcp_reasm_clear(&q);
	}
	strake_buf *
	make(uint32_t seq, uint32_t len)
	{
		return strake_buf_wrap(bytes + (seq - base), len, &backing, nullptr, 0);
	}
	/* As input does: keep of [seq, end) what is new. @return bytes kept. */
	uint32_t
	add(uint32_t seq, uint32_t end)
	{
		uint32_t kept = 0;
		tcp_range gap;

		while (seq_lt(seq, end) && tcp_reasm_gap(&q, seq, end, &gap)) {
			if (!tcp_reasm_room(&q, gap))
				return kept;
			strake_buf *b = make(gap.start, gap.end - gap.start);

			tcp_reasm_insert(&q, gap, b, b);
			kept += gap.end - gap.start;
			seq = gap.end;
		}
		return kept;
	}
	void
	check()
	{
		for (uint32_t i = 0; i < q.n; i++) {
			uint32_t at = q.r[i].start;

			ASSERT_TRUE(seq_lt(q.r[i].start, q.r[i].end));
			if (i > 0) {
				ASSERT_TRUE(seq_lt(q.r[i - 1].end, q.r[i].start));
			}
			for (strake_buf *b = q.r[i].head; b != nullptr; b = b->next) {
				ASSERT_EQ(bytes + (at - base), b->addr);
				at += b->len;
				if (b->next == nullptr) {
					ASSERT_EQ(q.r[i].tail, b);
				}
			}
			ASSERT_EQ(q.r[i].end, at);
		}
	}
	uint32_t base = 0;
	uint8_t bytes[4096];
	tcp_reasm q = {};
	strake_backing backing = {"test", nullptr};
};

TEST_F(TcpReasm, FillsOnlyTheGapsOfAnOverlappingSegment)
{
	EXPECT_EQ(10u, add(100, 110));
	EXPECT_EQ(10u, add(120, 130));
	EXPECT_EQ(2u, q.n);
	EXPECT_EQ(20u, add(95, 135));
	EXPECT_EQ(1u, q.n);
	check();
	EXPECT_EQ(0u, add(95, 135));
	EXPECT_EQ(0u, add(100, 101));
}

TEST_F(TcpReasm, GivesTheFirstRangeOnlyWhenItIsNext)
{
	strake_buf *h = nullptr, *t = nullptr;

	add(100, 110);
	add(200, 210);
	EXPECT_EQ(0u, tcp_reasm_pop(&q, 99, &h, &t));
	EXPECT_EQ(10u, tcp_reasm_pop(&q, 100, &h, &t));
	strake_buf_put_list(h);
	EXPECT_EQ(1u, q.n);
	EXPECT_EQ(200u, q.r[0].start);
}

TEST_F(TcpReasm, ReportsTheLatestRangeFirst)
{
	tcp_range blk[4];

	add(100, 110);
	add(300, 310);
	add(200, 210);
	add(110, 120);
	ASSERT_EQ(3u, tcp_reasm_blocks(&q, blk, 4));
	EXPECT_EQ(100u, blk[0].start);
	EXPECT_EQ(120u, blk[0].end);
	EXPECT_EQ(200u, blk[1].start);
	EXPECT_EQ(300u, blk[2].start);
	tcp_reasm_touch(&q, 305);
	ASSERT_EQ(2u, tcp_reasm_blocks(&q, blk, 2));
	EXPECT_EQ(300u, blk[0].start);
	EXPECT_EQ(100u, blk[1].start);
}

TEST_F(TcpReasm, RefusesARangeTooManyButNotOneThatTouches)
{
	tcp_range gap;

	for (uint32_t i = 0; i < TCP_REASM_RANGES; i++)
		ASSERT_EQ(1u, add(10 + 4 * i, 11 + 4 * i));
	EXPECT_EQ(0u, add(4000, 4001));
	gap = {11, 12};
	EXPECT_TRUE(tcp_reasm_room(&q, gap));
	EXPECT_EQ(1u, add(11, 12));
	EXPECT_EQ(1u, add(9, 10));
	check();
}

TEST_F(TcpReasm, HoldsEveryByteOnceWhateverTheOrder)
{
	std::mt19937 r(3);

	for (uint32_t start : {1000u, 0xfffffe00u}) {
		base = start;
		for (int round = 0; round < 300; round++) {
			std::vector<bool> have(2048);
			strake_buf *h, *t;
			uint32_t got = 0;

			for (int k = 0; k < 60; k++) {
				uint32_t from = r() % 2000, n = 1 + r() % 60, fresh = 0;

				n = std::min(n, 2048 - from);
				for (uint32_t i = from; i < from + n; i++) {
					fresh += !have[i];
					have[i] = true;
				}
				ASSERT_EQ(fresh, add(base + from, base + from + n));
				check();
			}
			for (uint32_t i = 0; i < q.n; i++)
				got += q.r[i].end - q.r[i].start;
			ASSERT_EQ((uint32_t)std::count(have.begin(), have.end(), true), got);
			while (q.n > 0) {
				ASSERT_GT(tcp_reasm_pop(&q, q.r[0].start, &h, &t), 0u);
				strake_buf_put_list(h);
			}
		}
	}
}
