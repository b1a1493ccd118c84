/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "tests/support/store_rig.h"

namespace
{

FakeSpaceConf
small()
{
	FakeSpaceConf c;

	c.segments = 64;
	c.rows = 8;
	c.delay_turns = 3;
	return c;
}

TEST(Store, KeepsWhatWasWritten)
{
	StoreRig rig(small());
	bytes out;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 8, {}, &out));
	EXPECT_EQ(bytes(8 * 4096, 0), out);
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 3, 20, StoreRig::blocks(20, 100)));
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 3, 20, {}, &out));
	EXPECT_EQ(StoreRig::blocks(20, 100), out);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 40, {}, &out));
	EXPECT_EQ(0, memcmp(&out[3 * 4096], StoreRig::blocks(20, 100).data(), 20 * 4096));
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	rig.down(false);
	EXPECT_EQ(0, rig.close_status);
	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 3, 20, {}, &out));
	EXPECT_EQ(StoreRig::blocks(20, 100), out);
	rig.down(false);
}

TEST(Store, AFlushSurvivesACrash)
{
	StoreRig rig(small());
	bytes out;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 0, 2, StoreRig::blocks(2, 100)));
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 100, 64, StoreRig::blocks(64, 200)));
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 200, 1, StoreRig::blocks(1, 300), nullptr, STRAKE_UNIT_FUA));
	rig.fs->cut();
	rig.down(true);
	rig.fs->restore();
	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 2, {}, &out));
	EXPECT_EQ(StoreRig::blocks(2, 100), out);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 200, 1, {}, &out));
	EXPECT_EQ(StoreRig::blocks(1, 300), out);
	rig.down(false);
}

} // namespace
