/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Walks over segments that are not as they should be, through all of the store. */

#include "tests/support/store_rig.h"

namespace
{

/* What was freed while a drive was away still holds old bytes there: behind the last row there is no zero, nor a chunk.
 * With as many drives away as there is parity, no other way to read that can be had. */
TEST(Walk, BytesBehindTheLastRowDoNotKeepADegradedStoreFromOpening)
{
	for (uint16_t parity : {1, 2}) {
		FakeSpaceConf c;

		c.parity = parity;
		c.rows = 8;
		StoreRig rig(c);

		ASSERT_EQ(0, rig.boot()) << rig.why;
		for (uint64_t i = 0; i < 40; i++)
			ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, i, 1, StoreRig::blocks(1, 100 + i)));
		ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
		rig.power_goes();
		for (uint32_t seg = 0; seg < c.segments; seg++) {
			uint32_t rows = rig.fs->rows_written(seg);

			for (uint32_t row = rows; row < c.rows; row++)
				rig.fs->wrong(seg, row, 0, 0, c.unit);
		}
		for (uint16_t i = 0; i < parity; i++)
			rig.fs->unreadable(UINT32_MAX, 0, 1u + i);
		ASSERT_EQ(0, rig.boot()) << rig.why << ", parity " << parity;
		for (uint64_t i = 0; i < 40; i++) {
			bytes out;

			ASSERT_EQ(0, rig.run(STRAKE_OP_READ, i, 1, {}, &out));
			ASSERT_EQ(100 + i, StoreRig::stamp_of(out.data())) << "block " << i;
		}
		rig.down(false);
	}
}

/* Power tore what was written to an open segment after the checkpoint, all of it: no chunk is there, nor nothing. What
 * lives in front of that is moved, and the segment is used anew: else nobody could ever tell what keys it has. */
TEST(Walk, ASegmentOfWhichOnlyTheEndIsTornIsCollected)
{
	FakeSpaceConf c;
	StoreRig rig(c);
	uint64_t entry = 0;
	uint32_t seg, row;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 0, 6, StoreRig::blocks(6, 100)));
	rig.checkpoint();
	ASSERT_EQ(0, map_get(rig.st->map, rig.st->vol[0]->tree, 0, 1, &entry, nullptr));
	seg = log_entry_seg(entry);
	row = rig.fs->rows_written(seg);
	ASSERT_EQ(STORE_SEG_OPEN, rig.st->ckpt.table[seg].state);
	ASSERT_LT(row, c.rows);
	rig.power_goes();
	for (uint32_t column = 0; column < 4; column++)
		rig.fs->wrong(seg, row, column, 0, c.unit);
	ASSERT_EQ(0, rig.boot()) << rig.why;
	for (int i = 0; i < 20000 && rig.st->seg[seg].d.live > 0; i++)
		rig.turn();
	EXPECT_EQ(0u, rig.st->seg[seg].d.live);
	bytes out;

	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 6, {}, &out));
	EXPECT_EQ(StoreRig::blocks(6, 100), out);
	rig.down(false);
}

} // namespace
