/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Segments that were open when power went, with a row of which nobody can tell what it was: until such a segment is
 * collected all keys are kept. So it is collected first, whatever comes between.
 */

#include "tests/support/store_rig.h"

namespace
{

const uint64_t kStep = MAP_FANOUT; /* each write on a page of its own */
const uint64_t kPages = 600;

class Suspects
{
      public:
	StoreRig rig;
	std::vector<uint32_t> torn; /* segments */

	Suspects() : rig(space_of(256, 1))
	{
		rig.vol_bytes = 8ull << 30;
		rig.checkpoint_bytes = 1ull << 30;
	}

	void
	write(uint64_t lba, uint32_t n, uint64_t stamp)
	{
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, lba, n, StoreRig::blocks(n, stamp)));
	}

	/* Power goes, and of the last row of a segment it leaves something, behind others of which it leaves nothing.
	 */
	void
	begin(bool and_checkpoint = false)
	{
		ASSERT_EQ(0, rig.boot()) << rig.why;
		write(kPages * kStep, 32, 1);
		ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
		if (and_checkpoint)
			checkpoint();
		for (uint32_t i = 0; i < rig.st->n_seg; i++) {
			if (rig.st->seg[i].d.state == STORE_SEG_OPEN && rig.st->seg[i].d.stream != STORE_META)
				torn.push_back(i);
		}
		ASSERT_FALSE(torn.empty());
		rig.power_goes();
		for (uint32_t seg : torn) {
			ASSERT_LT(rig.fs->rows_written(seg) + 3, rig.conf.rows);
			for (uint32_t column = 0; column < rig.conf.data + rig.conf.parity; column++)
				rig.fs->scribble(seg, rig.conf.rows - 1, column, 0,
						 bytes(512, (uint8_t)(0xa5 + column)));
		}
	}

	/* It cannot be read, and is tried again a second later. */
	void
	keep_from_collection()
	{
		for (uint32_t seg : torn) {
			FakeSpaceFault f;

			f.ops = 1u << STRAKE_SPACE_READ;
			f.seg = seg;
			rig.fs->fault(f);
		}
		rig.turns(100);
	}

	unsigned
	in(store_seg_state state) const
	{
		unsigned n = 0;

		for (uint32_t seg : torn)
			n += rig.st->seg[seg].d.state == state;
		return n;
	}

	/* Which keys are in use. */
	int
	keys()
	{
		const store_seals *s;
		int ret;

		EXPECT_EQ(0, store_seals_begin(rig.st));
		while ((ret = store_seals_result(rig.st, &s)) == -EINPROGRESS)
			rig.turn();
		store_seals_end(rig.st);
		return ret;
	}

	void
	checkpoint()
	{
		uint64_t ended = rig.st->ckpt.ended;

		store_ckpt_want(rig.st);
		while (rig.st->ckpt.ended == ended)
			rig.turn();
	}

	/* Collection does what it wants, also what it puts off for a second, and a checkpoint frees what that emptied.
	 */
	void
	settle()
	{
		rig.turns(3000);
		rig.now += STRAKE_NS_PER_SEC;
		rig.turns(3000);
		checkpoint();
		while (rig.st->ckpt.state != STORE_CKPT_IDLE)
			rig.turn();
	}
};

/* What the last checkpoint opened for itself is of one piece if the store was closed in order. */
TEST(Suspect, IsNoneAfterAStopInOrder)
{
	Suspects s;

	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	for (uint64_t stamp = 1; stamp < 4; stamp++) {
		s.write(0, 32, stamp);
		s.rig.down(false);
		ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
		EXPECT_FALSE(s.rig.st->suspects);
		for (uint32_t i = 0; i < s.rig.st->n_seg; i++)
			EXPECT_NE(STORE_SEG_SUSPECT, s.rig.st->seg[i].d.state) << "segment " << i;
		s.settle();
		EXPECT_EQ(0u, s.rig.st->stats.collected) << "nothing has to be read again";
	}
	s.rig.down(false);
}

/* All that recovery finds in it was there at the checkpoint. */
TEST(Suspect, IsOneThoughNothingCameToLieThereSince)
{
	Suspects s;

	s.begin(true);
	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	s.settle();
	EXPECT_EQ(0, s.keys());
	s.rig.down(false);
}

/* A checkpoint has hundreds of pages to write, and collection is through with the segment meanwhile. But all that
 * counts once power has gone again is what the checkpoint began with, and for that it is as it was. */
TEST(Suspect, StaysOneIfItIsEmptiedBesideACheckpoint)
{
	Suspects s;

	s.begin();
	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	const store_ckpt &c = s.rig.st->ckpt;
	const uint64_t ended = c.ended;

	s.keep_from_collection();
	for (uint64_t i = 0; i < kPages; i++)
		s.write(i * kStep, 1, 1000 + i);
	s.write(kPages * kStep, 32, 2);
	ASSERT_EQ(s.torn.size(), s.in(STORE_SEG_SUSPECT));
	s.rig.fs->no_faults();
	s.rig.now += STRAKE_NS_PER_SEC;
	while (s.rig.st->seg[s.torn[0]].readers == 0)
		s.rig.turn();
	store_ckpt_want(s.rig.st);
	while (c.state != STORE_CKPT_TABLE)
		s.rig.turn();
	ASSERT_EQ(s.torn.size(), s.in(STORE_SEG_DRAINED)) << "not what this test is about";
	while (c.ended == ended)
		s.rig.turn();
	s.rig.power_goes();
	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	s.settle();
	EXPECT_EQ(0, s.keys());
	s.rig.down(false);
}

/* And nothing else was open when power went again. */
TEST(Suspect, StaysOneIfAllThatIsToldOfItIsTheTable)
{
	Suspects s;

	s.begin();
	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	s.keep_from_collection();
	s.checkpoint();
	s.rig.power_goes();
	s.rig.fs->no_faults();
	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	s.settle();
	EXPECT_EQ(0, s.keys());
	s.rig.down(false);
}

/* Somebody reads it just when it would be collected. */
TEST(Suspect, IsCollectedWhenItsReadersAreGone)
{
	Suspects s;

	s.begin();
	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	for (uint32_t seg : s.torn)
		s.rig.st->seg[seg].readers++;
	s.rig.turns(100);
	ASSERT_EQ(s.torn.size(), s.in(STORE_SEG_SUSPECT));
	for (uint32_t seg : s.torn)
		s.rig.st->seg[seg].readers--;
	s.settle();
	EXPECT_EQ(0, s.keys());
	s.rig.down(false);
}

} // namespace
