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
