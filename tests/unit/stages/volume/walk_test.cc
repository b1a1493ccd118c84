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
		rig.fs->cut();
		rig.down(true);
		rig.fs->restore();
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

} // namespace
