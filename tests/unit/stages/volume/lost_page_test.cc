/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Pages of the map that cannot be read for a while, as with a drive away and another that has something else. */

#include "tests/support/store_rig.h"

namespace
{

const uint64_t kPages = 120;

uint64_t
lba_of(uint64_t page)
{
	return page * MAP_FANOUT;
}

/* Of the volume's leaves one that lies in a closed segment, and where. */
bool
find_leaf(StoreRig &rig, uint64_t *page, uint32_t *seg, uint32_t *off)
{
	for (uint32_t s = 0; s < rig.st->n_seg; s++) {
		if (rig.st->seg[s].d.stream != STORE_META || rig.st->seg[s].d.state != STORE_SEG_CLOSED)
			continue;
		bytes all = rig.fs->peek(s, 0, rig.st->seg_bytes);
		log_head h;

		for (uint32_t at = 0; at < all.size(); at += h.bytes) {
			map_owner o;

			if (log_head_decode(&h, &all[at], all.size() - at) != 0) {
				h.bytes = rig.conf.data * rig.conf.unit - at % (rig.conf.data * rig.conf.unit);
				continue;
			}
			if (h.kind != LOG_PAGES || map_image_owner(&all[at + h.head_bytes], &o) != 0 || o.level != 0 ||
			    o.tree == STORE_TREE_SHARE)
				continue;
			*page = o.index;
			*seg = s;
			*off = at;
			return true;
		}
	}
	return false;
}

/* Wrong as it lies, and by what parity says. */
void
spoil(StoreRig &rig, uint32_t seg, uint32_t off)
{
	uint32_t unit = rig.conf.unit, rb = rig.conf.data * unit;

	for (uint32_t column : {off % rb / unit, (uint32_t)rig.conf.data})
		rig.fs->wrong(seg, off / rb, column, off % unit, 64);
}

class LostPage : public testing::Test
{
      protected:
	StoreRig rig{space_of(40, 1)};
	uint32_t seg = 0, off = 0;
	uint64_t page = 0, stamp = 5000;
	bytes was;

	/* Of the volume's leaves one is left where it was written first, and cannot be read. */
	void
	begin()
	{
		rig.vol_bytes = 8ull << 30;
		ASSERT_EQ(0, rig.boot()) << rig.why;
		for (uint64_t p = 0; p < kPages; p++)
			ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, lba_of(p), 1, StoreRig::blocks(1, 1000 + p)));
		rig.checkpoint();
		ASSERT_TRUE(find_leaf(rig, &page, &seg, &off));
		for (uint64_t p = 0; p < kPages; p++) {
			if (p != page) {
				ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, lba_of(p), 1, StoreRig::blocks(1, 2000 + p)));
			}
		}
		rig.down(false);
		ASSERT_EQ(0, rig.boot()) << rig.why; /* nothing of it is in memory */
		ASSERT_EQ(1u, rig.st->seg[seg].d.live);
		was = rig.fs->peek(seg, off, 64);
		spoil(rig, seg, off);
	}

	/* So often that all that can be collected is. */
	void
	write(unsigned times)
	{
		for (unsigned i = 0; i < times; i++, stamp += 8) {
			uint64_t lba = lba_of(kPages) + stamp / 8 % 16 * 8;

			ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, lba, 8, StoreRig::blocks(8, stamp)));
		}
	}

	void
	expect_read()
	{
		bytes out;

		ASSERT_EQ(0, rig.run(STRAKE_OP_READ, lba_of(page), 1, {}, &out));
		EXPECT_EQ(1000 + page, StoreRig::stamp_of(out.data()));
	}
};

/* All that its segment has beside it is written elsewhere. */
TEST_F(LostPage, KeepsItsSegment)
{
	begin();
	uint32_t gen = rig.st->seg[seg].d.gen;

	write(1000);
	EXPECT_GT(rig.st->stats.collected, 50u);
	EXPECT_EQ(STORE_SEG_CLOSED, rig.st->seg[seg].d.state);
	rig.fs->poke(seg, off, was);
	rig.down(false);
	ASSERT_EQ(0, rig.boot()) << rig.why;
	EXPECT_EQ(gen, rig.st->seg[seg].d.gen);
	expect_read();
	rig.down(false);
}

/* Neither that nor the segments of its blocks are left for good when it can be read again. */
TEST_F(LostPage, KeepsNoSegmentForEver)
{
	begin();
	uint32_t gen = rig.st->seg[seg].d.gen;

	write(1000);
	rig.fs->poke(seg, off, was);
	rig.now += 60 * STRAKE_NS_PER_SEC;
	write(1000);
	for (uint32_t i = 0; i < rig.st->n_seg; i++)
		EXPECT_NE(STORE_SEG_BAD, rig.st->seg[i].d.state) << "segment " << i;
	EXPECT_NE(gen, rig.st->seg[seg].d.gen);
	expect_read();
	rig.down(false);
}

} // namespace
