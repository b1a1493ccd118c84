/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A segment that cannot be read when the store opens, as with a drive away and a bad sector on another. */

#include "tests/support/store_rig.h"

namespace
{

const uint32_t kSegments = 128;

class Aside
{
      public:
	StoreRig rig{space_of(kSegments, 1)};

	/* Something is written and flushed, with a checkpoint between. */
	void
	begin()
	{
		ASSERT_EQ(0, rig.boot()) << rig.why;
		write(0, 100);
		rig.checkpoint();
		write(200, 300);
		ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	}

	void
	write(uint64_t lba, uint64_t stamp)
	{
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, lba, 8, StoreRig::blocks(8, stamp)));
	}

	void
	expect(uint64_t lba, uint64_t stamp)
	{
		bytes out;

		ASSERT_EQ(0, rig.run(STRAKE_OP_READ, lba, 8, {}, &out));
		EXPECT_EQ(StoreRig::blocks(8, stamp), out) << lba;
	}

	/* The nth of those that may be opened next. */
	uint32_t
	listed(uint32_t nth) const
	{
		EXPECT_LT(rig.st->ready_at + nth, rig.st->n_ready);
		return rig.st->ready[rig.st->ready_at + nth];
	}

	/* A sector of it, or all of it, cannot be read. */
	void
	spoil(uint32_t seg, uint64_t off = 0, uint64_t len = 64)
	{
		FakeSpaceFault f;

		f.ops = 1u << STRAKE_SPACE_READ;
		f.seg = seg;
		f.off = off;
		f.len = len;
		rig.fs->fault(f);
	}

	/* As often as there are segments, twice over. */
	void
	write_all()
	{
		for (uint64_t i = 0; i < 3000; i++)
			write(400 + i % 16 * 8, 1000 + 8 * i);
	}

	/* The store opens without it, and uses it when it has been opened again. */
	void
	expect_aside(uint32_t seg)
	{
		struct store_usage u;

		ASSERT_EQ(0, rig.boot()) << rig.why;
		::store_usage(rig.st, &u);
		EXPECT_EQ(1u, u.aside_segments);
		uint64_t frees = rig.fs->figures().done[STRAKE_SPACE_FREE];
		uint32_t gen = rig.st->seg[seg].d.gen;

		write_all();
		EXPECT_GT(rig.fs->figures().done[STRAKE_SPACE_FREE], frees + kSegments);
		EXPECT_EQ(STORE_SEG_FREE, rig.st->seg[seg].d.state);
		EXPECT_EQ(gen, rig.st->seg[seg].d.gen) << "it was used";
		expect(0, 100);
		expect(200, 300);
		rig.fs->no_faults();
		rig.power_goes();
		ASSERT_EQ(0, rig.boot()) << rig.why;
		::store_usage(rig.st, &u);
		EXPECT_EQ(0u, u.aside_segments);
		write_all();
		EXPECT_NE(gen, rig.st->seg[seg].d.gen) << "it was not used";
		expect(0, 100);
		expect(200, 300);
		rig.down(false);
	}
};

/* Whichever it is. */
TEST(Aside, IsAFreeSegmentAfterAStopInOrder)
{
	for (uint32_t nth : {0u, 90u}) {
		Aside a;

		a.begin();
		a.rig.down(false);
		ASSERT_EQ(0, a.rig.boot()) << a.rig.why;
		uint32_t seg = a.listed(3 + nth);

		a.rig.down(false);
		a.spoil(seg, 0, 1 << 20);
		a.expect_aside(seg);
	}
}

/* Recovery has to write somewhere. */
TEST(Aside, IsNotAllThereIs)
{
	Aside a;
	StoreRig &rig = a.rig;

	a.begin();
	rig.down(false);
	ASSERT_EQ(0, rig.boot()) << rig.why;
	std::vector<uint32_t> all(rig.st->ready + rig.st->ready_at, rig.st->ready + rig.st->n_ready);

	rig.down(false);
	for (uint32_t seg : all) {
		bytes head = rig.fs->peek(seg, 0, 8192);
		log_head h;

		/* Not what the end itself was written to. */
		if (log_head_decode(&h, head.data(), head.size()) != 0)
			a.spoil(seg, 0, 64u << 20);
	}
	EXPECT_EQ(-EIO, rig.boot());
	EXPECT_NE(std::string::npos, rig.why.find("too little")) << rig.why;
	rig.down(true);
	rig.fs->no_faults();
	ASSERT_EQ(0, rig.boot()) << rig.why;
	a.expect(0, 100);
	a.expect(200, 300);
	rig.down(false);
}

/* Whatever lies before it in the list: what is empty there may have been emptied by a recovery that was cut short. */
TEST(Aside, IsNoSegmentAfterALossOfPower)
{
	Aside a;

	a.begin();
	uint32_t seg = a.listed(90);

	a.rig.power_goes();
	a.spoil(seg);
	EXPECT_EQ(-EIO, a.rig.boot());
	EXPECT_NE(std::string::npos, a.rig.why.find("segment " + std::to_string(seg) + " cannot be read")) << a.rig.why;
	a.rig.down(true);
	a.rig.fs->no_faults();
	ASSERT_EQ(0, a.rig.boot()) << a.rig.why;
	a.expect(200, 300);
	a.rig.down(false);
}

/* It lies behind the first block of a row: there is nothing that has to be read. */
TEST(Aside, IsNoSegmentThatIsSeenToBeEmpty)
{
	Aside a;

	a.begin();
	uint32_t seg = a.listed(0);

	a.rig.power_goes();
	a.spoil(seg, 8192);
	ASSERT_EQ(0, a.rig.boot()) << a.rig.why;
	EXPECT_EQ(0u, a.rig.st->n_aside);
	a.expect(200, 300);
	a.rig.down(false);
}

/* Hosts would get what was there before. */
TEST(Aside, IsNoSegmentThatMayHoldWhatHostsWrote)
{
	Aside a;

	a.begin();
	a.write(0, 500);
	ASSERT_EQ(0, a.rig.run(STRAKE_OP_FLUSH, 0, 0));
	uint32_t next = a.listed(0);

	for (uint64_t i = 0; a.rig.st->seg[next].d.state == STORE_SEG_FREE; i++)
		a.write(400 + i % 16 * 8, 1000 + 8 * i);
	a.write(0, 600);
	ASSERT_EQ(0, a.rig.run(STRAKE_OP_FLUSH, 0, 0));
	a.rig.power_goes();
	a.spoil(next);
	EXPECT_EQ(-EIO, a.rig.boot());
	EXPECT_NE(std::string::npos, a.rig.why.find("segment " + std::to_string(next) + " cannot be read"))
		<< a.rig.why;
	a.rig.down(true);
	a.rig.fs->no_faults();
	ASSERT_EQ(0, a.rig.boot()) << a.rig.why;
	a.expect(0, 600);
	a.expect(200, 300);
	a.rig.down(false);
}

/* A page of the map that the checkpoint wrote. The store opens, and of all blocks only those it maps cannot be read. */
TEST(Aside, IsNoPageOfTheMapThatIsNotNeededYet)
{
	for (bool crash : {false, true}) {
		Aside a;
		StoreRig &rig = a.rig;
		uint32_t seg = STORE_NONE;

		rig.vol_bytes = 8ull << 30;
		ASSERT_EQ(0, rig.boot()) << rig.why;
		for (uint64_t p = 0; p < 200; p++)
			a.write(p * MAP_FANOUT, 1000 + 8 * p);
		rig.checkpoint();
		if (!crash) {
			rig.down(false);
			ASSERT_EQ(0, rig.boot()) << rig.why;
			rig.down(false);
		} else {
			rig.power_goes();
		}
		/* Its first page is one of the volume's leaves. */
		for (uint32_t s = 0; s < kSegments && seg == STORE_NONE; s++) {
			bytes all = rig.fs->peek(s, 0, 8192);
			log_head h;
			map_owner o;

			if (log_head_decode(&h, all.data(), all.size()) == 0 && h.kind == LOG_PAGES &&
			    map_image_owner(&all[h.head_bytes], &o) == 0 && o.level == 0 && o.tree != STORE_TREE_SHARE)
				seg = s;
		}
		ASSERT_NE(STORE_NONE, seg);
		a.spoil(seg);
		ASSERT_EQ(0, rig.boot()) << rig.why;
		unsigned lost = 0;

		for (uint64_t p = 0; p < 200; p++) {
			bytes out;

			if (rig.run(STRAKE_OP_READ, p * MAP_FANOUT, 8, {}, &out) != 0)
				lost++;
			else
				EXPECT_EQ(StoreRig::blocks(8, 1000 + 8 * p), out) << p;
		}
		EXPECT_LE(lost, 1u);
		rig.fs->no_faults();
		rig.now += 60 * STRAKE_NS_PER_SEC;
		for (uint64_t p = 0; p < 200; p++)
			a.expect(p * MAP_FANOUT, 1000 + 8 * p);
		rig.down(false);
	}
}

} // namespace
