/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A segment that cannot be read, as with a drive away and a bad sector on another: the rest is collected all the same.
 */

#include "tests/support/store_rig.h"

namespace
{

class Unread
{
      public:
	StoreRig rig;
	uint64_t stamp = 1000;

	Unread() : rig(space_of(40, 1))
	{
	}

	/* Hosts write the same few blocks again and again. @return of the first write that fails. */
	int
	write(unsigned times)
	{
		int ret = 0;

		for (unsigned i = 0; i < times && ret == 0; i++, stamp += 8)
			ret = rig.run(STRAKE_OP_WRITE, stamp / 8 % 16 * 8, 8, StoreRig::blocks(8, stamp));
		return ret;
	}

	void
	begin()
	{
		FakeSpaceFault f;

		ASSERT_EQ(0, rig.boot()) << rig.why;
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 1000, 8, StoreRig::blocks(8, 1)));
		ASSERT_EQ(0, write(100));
		f.ops = 1u << STRAKE_SPACE_READ;
		f.seg = place();
		ASSERT_EQ(STORE_SEG_CLOSED, rig.st->seg[f.seg].d.state);
		rig.fs->fault(f);
	}

	/* Where the block is that nobody writes anew. */
	uint32_t
	place()
	{
		uint64_t entry = 0;

		EXPECT_EQ(0, map_get(rig.st->map, store_vol_named(rig.st, "v0")->tree, 1000, 1, &entry, nullptr));
		return log_entry_seg(entry);
	}
};

TEST(Unread, KeepsNobodyFromCollectingTheRest)
{
	Unread u;

	u.begin();
	ASSERT_EQ(0, u.write(4000));
	EXPECT_GT(u.rig.fs->figures().failed, 0u);
	EXPECT_LT(u.rig.fs->figures().failed, 20u) << "it is not tried again and again";
	EXPECT_GT(u.rig.st->stats.collected, 300u);
	u.rig.down(false);
}

/* And it is, once it can be read. */
TEST(Unread, IsCollectedInTheEnd)
{
	Unread u;
	bytes out;

	u.begin();
	uint32_t seg = u.place();

	ASSERT_EQ(0, u.write(1000));
	ASSERT_EQ(seg, u.place());
	u.rig.fs->no_faults();
	u.rig.now += 60 * STRAKE_NS_PER_SEC;
	ASSERT_EQ(0, u.write(1000));
	EXPECT_NE(seg, u.place());
	ASSERT_EQ(0, u.rig.run(STRAKE_OP_READ, 1000, 8, {}, &out));
	EXPECT_EQ(StoreRig::blocks(8, 1), out);
	u.rig.down(false);
}

/* A bad sector, with as many drives away as there is parity. */
class BadSector : public Unread
{
      public:
	uint32_t seg = 0, gen = 0;

	uint64_t
	entry(uint64_t lba)
	{
		uint64_t e = 0;

		EXPECT_EQ(0, map_get(rig.st->map, store_vol_named(rig.st, "v0")->tree, lba, 1, &e, nullptr));
		return e;
	}

	/* Two chunks that die, with one between them and one behind that nobody writes anew. */
	void
	begin(uint64_t lba, uint32_t at, unsigned more = 100, uint32_t len = 64)
	{
		FakeSpaceFault f;

		ASSERT_EQ(0, rig.boot()) << rig.why;
		for (uint64_t i = 0; i < 4; i++)
			ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 1000 + 8 * i, 8, StoreRig::blocks(8, 1 + 100 * i)));
		seg = log_entry_seg(entry(1000));
		gen = rig.st->seg[seg].d.gen;
		ASSERT_EQ(seg, log_entry_seg(entry(1024)));
		f.ops = 1u << STRAKE_SPACE_READ;
		f.seg = seg;
		f.off = log_entry_off(entry(lba)) + at;
		f.len = len;
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 1000, 8, StoreRig::blocks(8, 1001)));
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 1016, 8, StoreRig::blocks(8, 1201)));
		ASSERT_EQ(0, write(more));
		ASSERT_EQ(more < 100 ? STORE_SEG_OPEN : STORE_SEG_CLOSED, rig.st->seg[seg].d.state);
		rig.fs->fault(f);
	}

	void
	expect_all()
	{
		for (uint64_t i = 0; i < 4; i++) {
			bytes out;

			ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 1000 + 8 * i, 8, {}, &out));
			EXPECT_EQ(StoreRig::blocks(8, 1 + 100 * i + (i % 2 == 0 ? 1000 : 0)), out) << i;
		}
	}
};

/* In the head of a dead chunk, in what it holds, or at its very end: what lives around it is moved, and the segment is
 * used anew. */
TEST(Unread, OfADeadChunkKeepsNoSegment)
{
	for (uint64_t lba : {1000, 1016}) {
		for (uint32_t at : {0u, 9000u, 8 * LOG_BLOCK}) {
			BadSector u;

			u.begin(lba, at);
			ASSERT_EQ(0, u.write(1000));
			EXPECT_NE(u.gen, u.rig.st->seg[u.seg].d.gen) << "block " << lba << ", byte " << at;
			u.expect_all();
			u.rig.fs->no_faults();
			u.rig.down(false);
		}
	}
}

/* What can be read of the others is moved all the same, and the rest when it can be. */
TEST(Unread, OfALivingChunkKeepsNothingElse)
{
	for (uint32_t at : {0u, 9000u}) {
		BadSector u;

		u.begin(1008, at);
		ASSERT_EQ(0, u.write(1000));
		EXPECT_EQ(u.gen, u.rig.st->seg[u.seg].d.gen);
		EXPECT_EQ(STORE_SEG_CLOSED, u.rig.st->seg[u.seg].d.state) << "it is tried again";
		EXPECT_EQ(8u, u.rig.st->seg[u.seg].d.live);
		EXPECT_LT(u.rig.fs->figures().failed, 20u);
		u.rig.fs->no_faults();
		u.rig.now += 60 * STRAKE_NS_PER_SEC;
		ASSERT_EQ(0, u.write(1000));
		EXPECT_NE(u.gen, u.rig.st->seg[u.seg].d.gen);
		u.expect_all();
		u.rig.down(false);
	}
}

/* Nothing of it can be, and nothing of it is needed. */
TEST(Unread, OfNothingThatLivesKeepsNoSegment)
{
	BadSector u;

	u.begin(1000, 0, 100, 64u << 20);
	for (uint64_t lba : {1008, 1024})
		ASSERT_EQ(0, u.rig.run(STRAKE_OP_WRITE, lba, 8, StoreRig::blocks(8, lba)));
	ASSERT_EQ(0, u.write(1000));
	EXPECT_NE(u.gen, u.rig.st->seg[u.seg].d.gen);
	u.rig.down(false);
}

/* Rebuild cannot read a row, and tells. */
class Ailing : public BadSector
{
      public:
	bool looked_at = false;

	void
	tell()
	{
		looked_at = false;
		store_mend_check(
			rig.st, seg, 0, [](void *arg) { *(bool *)arg = true; }, &looked_at);
		rig.turns(3000);
		EXPECT_TRUE(looked_at);
		rig.now += STRAKE_NS_PER_SEC; /* what collection puts off */
		rig.turns(3000);
	}
};

/* It is free soon, though there is room enough and nobody writes. */
TEST(Unread, OfADeadChunkKeepsNobodyFromRebuilding)
{
	for (bool open : {false, true}) {
		Ailing u;

		u.begin(1000, 9000, open ? 0 : 100);
		u.rig.turns(3000);
		ASSERT_NE(STORE_SEG_FREE, u.rig.st->seg[u.seg].d.state) << "not what this test is about";
		u.tell();
		EXPECT_EQ(STORE_SEG_FREE, u.rig.st->seg[u.seg].d.state);
		u.rig.fs->no_faults();
		u.expect_all();
		u.rig.down(false);
	}
}

/* Nor if it was collected before, and nothing has asked for a checkpoint since. */
TEST(Unread, OfACollectedSegmentKeepsNobodyFromRebuilding)
{
	Ailing u;

	u.begin(1000, 9000);
	u.rig.fs->no_faults();
	ASSERT_EQ(0, u.write(1000));
	u.rig.turns(3000);
	for (u.seg = 0; u.seg < u.rig.st->n_seg && u.rig.st->seg[u.seg].d.state != STORE_SEG_DRAINED; u.seg++)
		;
	ASSERT_LT(u.seg, u.rig.st->n_seg) << "not what this test is about";
	u.tell();
	EXPECT_EQ(STORE_SEG_FREE, u.rig.st->seg[u.seg].d.state);
	EXPECT_FALSE(u.rig.st->seg[u.seg].ails);
	u.expect_all();
	u.rig.down(false);
}

/* And as soon as it can be read, if it lives. */
TEST(Unread, OfALivingChunkKeepsNobodyFromRebuildingForEver)
{
	Ailing u;

	u.begin(1008, 9000);
	u.tell();
	EXPECT_EQ(STORE_SEG_CLOSED, u.rig.st->seg[u.seg].d.state);
	EXPECT_EQ(8u, u.rig.st->seg[u.seg].d.live);
	EXPECT_LT(u.rig.fs->figures().failed, 20u);
	u.rig.fs->no_faults();
	u.rig.now += 60 * STRAKE_NS_PER_SEC;
	u.rig.turns(3000);
	EXPECT_EQ(STORE_SEG_FREE, u.rig.st->seg[u.seg].d.state);
	u.expect_all();
	u.rig.down(false);
}

/* Nothing can be read for a while: that is tried again soon. */
TEST(Unread, IsTriedAgainIfThereIsNothingElse)
{
	Unread u;
	FakeSpaceFault f;

	u.begin();
	f.ops = 1u << STRAKE_SPACE_READ;
	u.rig.fs->fault(f);
	u.write(1000); /* as far as there is room */
	u.rig.turns(5000);
	EXPECT_LT(u.rig.fs->figures().failed, 200u);
	u.rig.fs->no_faults();
	u.rig.now += STRAKE_NS_PER_SEC;
	u.rig.turns(3000);
	EXPECT_EQ(0, u.write(1000));
	u.rig.down(false);
}

} // namespace
