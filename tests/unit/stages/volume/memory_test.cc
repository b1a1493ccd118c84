/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What a store needs of memory for what it maps: 16 GiB here, a 64th of a TiB. */

#include <random>

#include <gtest/gtest.h>

#include "sparse_rig.h"

namespace
{

const uint64_t kBlocks = 1ull << 22; /* of 4 KiB */
const uint64_t kShare = (1ull << 40) / (kBlocks * 4096);

SparseConf
conf()
{
	SparseConf c;

	c.blocks = kBlocks;
	c.unit = 65536;
	c.rows = 16; /* segments of 4 MiB */
	return c;
}

TEST(Memory, ATebibyteAllInMemoryTakesAtMost2100MiB)
{
	SparseRig rig(conf());

	rig.boot((2099ull << 20) / kShare);
	for (uint64_t lba = 0; lba < kBlocks; lba += MAP_FANOUT)
		ASSERT_TRUE(rig.submit(STRAKE_OP_READ, lba, 1));
	rig.drain();

	const struct map_stats &s = *map_stats(rig.st->map);

	EXPECT_EQ(rig.space.pages, s.used);
	EXPECT_EQ(0u, s.evictions);
	EXPECT_LE(s.bytes, (2099ull << 20) / kShare);
	/* Segments of 64 MiB, as large groups have them, would take a sixteenth of this. */
	EXPECT_LE(rig.memory() - sizeof(*rig.st), (2150ull << 20) / kShare);
	EXPECT_LE(rig.st->n_seg * (sizeof(*rig.st->seg) + sizeof(*rig.st->ckpt.table)), s.bytes / 50);
	rig.kill();
}

/* 256 MiB for a TiB: everything works, a restart after a kill too, and takes no more. */
TEST(Memory, AnEighthOfTheMapIsEnough)
{
	const uint64_t cache = (256ull << 20) / kShare;
	std::mt19937_64 rnd(1);
	SparseRig rig(conf());

	rig.boot(cache);
	EXPECT_LT(map_stats(rig.st->map)->frames, rig.space.pages / 7);
	for (unsigned life = 0; life < 2; life++) {
		for (unsigned i = 0; i < 1500; i++) {
			ASSERT_TRUE(rig.submit(STRAKE_OP_WRITE, rnd() % kBlocks, 1));
			ASSERT_TRUE(rig.submit(STRAKE_OP_READ, rnd() % kBlocks, 1));
			if (i % 500 == 100)
				rig.flush();
		}
		EXPECT_GT(map_stats(rig.st->map)->evictions, 100u);
		rig.kill();
		rig.boot(cache);
		EXPECT_GT(rig.st->stats.replayed, 0u);
		EXPECT_EQ(0u, rig.st->stats.map_grown);
		EXPECT_LE(map_stats(rig.st->map)->bytes, cache);
		for (auto &w : rig.written)
			ASSERT_TRUE(rig.submit(STRAKE_OP_READ, w.first, 1));
		rig.drain();
	}
	rig.kill();
}

} // namespace
