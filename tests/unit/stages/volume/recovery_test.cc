/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Recovery and the cache of the map: what it has to change fits if the cache is as large as it was when that was
 * written, and the cache grows for that long if it is not.
 */

#include "tests/support/store_rig.h"

namespace
{

const uint64_t kStep = MAP_FANOUT; /* each write on a page of its own */

FakeSpaceConf
roomy()
{
	FakeSpaceConf c;

	c.segments = 256;
	c.rows = 8;
	c.delay_turns = 6;
	return c;
}

class Scattered
{
      public:
	StoreRig rig;

	explicit Scattered(uint64_t cache) : rig(roomy())
	{
		rig.vol_bytes = 8ull << 30;
		rig.map_bytes = cache;
		rig.checkpoint_bytes = 1ull << 30;
	}

	void
	write(uint64_t from, uint64_t n, uint64_t stamp)
	{
		for (uint64_t i = from; i < from + n && rig.fs->on(); i++) {
			int ret = rig.run(STRAKE_OP_WRITE, i * kStep, 1, StoreRig::blocks(1, stamp + i));

			ASSERT_TRUE(ret == 0 || !rig.fs->on()) << ret;
		}
	}

	void
	expect(uint64_t n, uint64_t stamp)
	{
		for (uint64_t i = 0; i < n; i++) {
			bytes out;

			ASSERT_EQ(0, rig.run(STRAKE_OP_READ, i * kStep, 1, {}, &out));
			ASSERT_EQ(stamp + i, StoreRig::stamp_of(out.data())) << "page " << i;
		}
	}

	void
	die()
	{
		rig.fs->cut();
		rig.down(true);
		rig.fs->restore();
	}
};

/* 700 pages changed, and a cache of fewer than 500. */
TEST(Recovery, ACacheThatIsSmallerThanItWasGrowsForIt)
{
	Scattered s(16u << 20);

	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	uint64_t checkpoints = s.rig.st->stats.checkpoints;

	s.write(0, 700, 1000);
	EXPECT_EQ(checkpoints, s.rig.st->stats.checkpoints);
	ASSERT_EQ(0, s.rig.run(STRAKE_OP_FLUSH, 0, 0));
	s.die();
	s.rig.map_bytes = MAP_BYTES_MIN;
	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	EXPECT_GT(s.rig.st->stats.map_grown, 0u);
	EXPECT_LE(map_stats(s.rig.st->map)->bytes, MAP_BYTES_MIN) << "and is what it shall be again";
	s.expect(700, 1000);
	s.write(0, 700, 5000);
	s.expect(700, 5000);
	s.rig.down(false);
}

TEST(Recovery, CutShortWithASmallCacheItBeginsAgain)
{
	Scattered s(16u << 20);
	unsigned cuts = 0;

	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	s.write(0, 700, 1000);
	ASSERT_EQ(0, s.rig.run(STRAKE_OP_FLUSH, 0, 0));
	s.die();
	s.rig.map_bytes = MAP_BYTES_MIN;
	/* Segments are freed first, 250 of them; then pages are written. */
	for (uint64_t at = 1; at < 400; at += at < 230 ? 57 : 5) {
		s.rig.fs->cut_at(at);
		if (s.rig.boot() == 0)
			break;
		EXPECT_FALSE(s.rig.fs->on()) << s.rig.why;
		cuts++;
		s.rig.down(true);
		s.rig.fs->restore();
	}
	EXPECT_GT(cuts, 6u);
	if (s.rig.up)
		s.rig.down(true);
	s.rig.fs->cut_at(0);
	s.rig.fs->restore();
	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	s.expect(700, 1000);
	s.rig.down(false);
}

/* Whenever power goes, the same cache is enough: also while a checkpoint is under way, and hosts go on beside it. */
TEST(Recovery, TheSameCacheIsAlwaysEnough)
{
	Scattered s(MAP_BYTES_MIN);
	uint64_t stamp = 1000, replayed = 0;
	unsigned under_way = 0;

	for (unsigned life = 0; life < 10; life++) {
		ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
		EXPECT_EQ(0u, s.rig.st->stats.map_grown + map_stats(s.rig.st->map)->grown) << "life " << life;
		replayed = std::max(replayed, s.rig.st->stats.replayed);
		if (life > 0)
			s.expect(100, stamp);
		stamp += 1000;
		s.write(0, 100, stamp);
		ASSERT_EQ(0, s.rig.run(STRAKE_OP_FLUSH, 0, 0));

		const store_ckpt &c = s.rig.st->ckpt;
		uint64_t begun = c.begun, left = 20 * life;

		for (uint64_t i = 100; left > 0; i++) {
			s.write(i, 1, stamp);
			left -= c.begun > begun || i > 2000;
			if (c.begun > begun && c.begun != c.ended && left < 4)
				break;
		}
		under_way += c.begun != c.ended;
		s.die();
	}
	EXPECT_GT(replayed, 100u);
	EXPECT_GT(under_way, 0u);
}

} // namespace
