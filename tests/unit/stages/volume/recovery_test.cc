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
	EXPECT_GT(cuts, 3u);
	if (s.rig.up)
		s.rig.down(true);
	s.rig.fs->cut_at(0);
	s.rig.fs->restore();
	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	s.expect(700, 1000);
	s.rig.down(false);
}

/* Power goes while a checkpoint is under way, and hosts went on beside it as far as they could: still the same cache is
 * enough. */
TEST(Recovery, TheSameCacheIsAlwaysEnough)
{
	Scattered s(MAP_BYTES_MIN);
	uint64_t stamp = 1000, most = 0;

	for (unsigned life = 0; life < 8; life++) {
		std::vector<RigReq> beside(40 * life);

		ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
		EXPECT_EQ(0u, s.rig.st->stats.map_grown + map_stats(s.rig.st->map)->grown) << "life " << life;
		most = std::max(most, s.rig.st->stats.pages);
		if (life > 0)
			s.expect(100, stamp);
		stamp += 1000;
		s.write(0, 100, stamp);
		ASSERT_EQ(0, s.rig.run(STRAKE_OP_FLUSH, 0, 0));

		const store_ckpt &c = s.rig.st->ckpt;
		uint64_t begun = c.begun, i = 100;

		for (; c.begun == begun && i < 2000; i++)
			s.write(i, 1, stamp);
		ASSERT_GT(c.begun, begun);
		s.rig.fs->hold = true;
		for (RigReq &r : beside)
			s.rig.submit(r, STRAKE_OP_WRITE, i++ * kStep, 1, StoreRig::blocks(1, stamp));
		for (int t = 0; t < 300; t++)
			s.rig.turn();
		EXPECT_GT(c.begun, c.ended);
		s.rig.fs->hold = false;
		s.rig.fs->cut();
		for (int t = 0; t < 30; t++)
			s.rig.turn();
		s.die();
	}
	EXPECT_GT(most, 120u) << "pages that recovery changed";
}

} // namespace
