/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Writers of the same blocks take turns in the order they came; others do not wait. */

#include "volume_rig.h"

namespace
{

class Overlap : public VolumeRig
{
};

TEST_F(Overlap, LaterWriteOfTheSameBlocksWins)
{
	boot(8 << 20);
	for (uint32_t seed = 0; seed < 50; seed++) {
		std::vector<std::unique_ptr<Req>> reqs;

		mem.rnd.seed(seed);
		mem.delay = 6;
		for (uint32_t i = 0; i < 12; i++) {
			reqs.push_back(std::make_unique<Req>());
			submit(*reqs.back(), STRAKE_OP_WRITE, 3, 1, pattern(1, seed + i));
		}
		finish();
		ASSERT_EQ(pattern(1, seed + 11), below(3, 1));
	}
	EXPECT_EQ(0u, mem.overlaps);
}

TEST_F(Overlap, NeighboursDoNotWait)
{
	Req a, b, c;

	boot(8 << 20);
	mem.hold = true;
	submit(a, STRAKE_OP_WRITE, 0, 2, pattern(2, 1));
	submit(b, STRAKE_OP_WRITE, 2, 2, pattern(2, 2));
	submit(c, STRAKE_OP_WRITE, 255, 2, pattern(2, 3));
	step();
	EXPECT_EQ(3u, mem.items.size());
	finish();
}

TEST_F(Overlap, ReadsDoNotWait)
{
	Req a, b;

	boot(8 << 20);
	mem.hold = true;
	submit(a, STRAKE_OP_WRITE, 0, 2, pattern(2, 1));
	submit(b, STRAKE_OP_READ, 0, 2);
	step();
	EXPECT_EQ(2u, mem.items.size());
	finish();
}

/* Across regions, and of all lengths: a long one waits for short ones in every region it touches, and they for it. */
TEST_F(Overlap, LongAndShortWaitForEachOther)
{
	Req a, b, c, d;

	boot(1u << 30);
	mem.hold = true;
	submit(a, STRAKE_OP_WRITE, 1000, 1, pattern(1, 1));
	submit(b, STRAKE_OP_WRITE_ZEROES, 0, 1u << 18);
	submit(c, STRAKE_OP_WRITE, 200000, 1, pattern(1, 2));
	submit(d, STRAKE_OP_WRITE, 255, 2, pattern(2, 3));
	step();
	EXPECT_EQ(1u, mem.items.size());
	finish();
	EXPECT_EQ(0u, mem.overlaps);
	EXPECT_EQ(bytes(kBlock), below(1000, 1));
	EXPECT_EQ(pattern(1, 2), below(200000, 1));
	EXPECT_EQ(pattern(2, 3), below(255, 2));
	EXPECT_EQ(3u, vol->stats[1]->waits);
}

/* Random writers against a model that carries them out in the order they came. */
TEST_F(Overlap, RandomOpsAgreeWithAModel)
{
	static const uint8_t kinds[] = {STRAKE_OP_WRITE, STRAKE_OP_WRITE, STRAKE_OP_WRITE_ZEROES, STRAKE_OP_DEALLOCATE,
					STRAKE_OP_COMPARE_WRITE};
	const uint32_t blocks = 1024;

	boot((uint64_t)blocks << kShift);
	for (uint32_t seed = 1; seed <= 10; seed++) {
		std::mt19937 rnd(seed);
		bytes model = below(0, blocks);
		std::vector<std::unique_ptr<Req>> reqs;
		std::vector<int> expect;

		mem.rnd.seed(seed);
		mem.delay = rnd() % 8;
		for (int i = 0; i < 300; i++) {
			uint8_t op = kinds[rnd() % 5];
			uint32_t nlb =
				1 + (op == STRAKE_OP_WRITE || op == STRAKE_OP_COMPARE_WRITE ? rnd() % 40 : rnd() % 400);
			uint32_t lba = rnd() % (blocks - nlb + 1);
			uint8_t *at = &model[(size_t)lba << kShift];
			size_t len = (size_t)nlb << kShift;
			bytes put = pattern(nlb, rnd()), payload;
			int want = 0;

			if (op == STRAKE_OP_WRITE) {
				payload = put;
				memcpy(at, put.data(), len);
			} else if (op == STRAKE_OP_COMPARE_WRITE) {
				bytes seen(at, at + len);

				if (rnd() % 2 == 0) {
					seen[rnd() % len] ^= 1;
					want = -EILSEQ;
				} else {
					memcpy(at, put.data(), len);
				}
				payload = seen;
				payload.insert(payload.end(), put.begin(), put.end());
			} else {
				memset(at, 0, len);
			}
			reqs.push_back(std::make_unique<Req>());
			expect.push_back(want);
			submit(*reqs.back(), op, lba, nlb, payload);
			for (uint32_t k = rnd() % 3; k > 0; k--)
				step();
			while (open_reqs > 16)
				step();
		}
		finish();
		for (size_t i = 0; i < reqs.size(); i++)
			ASSERT_EQ(expect[i], reqs[i]->status) << "seed " << seed << " op " << i;
		ASSERT_TRUE(model == below(0, blocks)) << "seed " << seed;
	}
	EXPECT_EQ(0u, mem.overlaps);
	EXPECT_GT(vol->stats[1]->waits, 50u);
}

} // namespace
