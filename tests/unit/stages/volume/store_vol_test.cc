/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Volumes of a store: made, deleted, forgotten beside other work. */

#include "tests/support/store_rig.h"

namespace
{

struct store_usage
usage(const StoreRig &rig)
{
	struct store_usage u;

	store_usage(rig.st, &u);
	return u;
}

/* Volume v1 with blocks in n leaves of its map, flushed. */
void
fill(StoreRig &rig, strake_volume **v1, uint32_t n)
{
	ASSERT_EQ(0, rig.volume_up("v1", 1u << 30, v1)) << rig.why;
	for (uint32_t lba = 0; lba < n * MAP_FANOUT; lba += MAP_FANOUT)
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, lba, 8, StoreRig::blocks(8, 1 + lba), nullptr, 0, *v1));
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0, {}, nullptr, 0, *v1));
}

void
close_volume(strake_volume *v)
{
	log_lcore_fini(v);
	log_destroy(v);
}

/* Turns until nothing is left of what was deleted. */
void
forget(StoreRig &rig)
{
	auto doomed = [&] {
		for (uint32_t i = 0; i < rig.st->n_vol; i++)
			if (rig.st->vol[i]->doomed)
				return true;
		return false;
	};

	for (int i = 0; i < 100000 && doomed(); i++)
		rig.turn();
	EXPECT_FALSE(doomed());
	EXPECT_EQ(0u, usage(rig).deleted_blocks);
}

TEST(StoreVol, ADeletedVolumeGivesItsSpaceBack)
{
	StoreRig rig(small());
	strake_volume *v1;
	store_volume d;
	bytes out;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 0, 8, StoreRig::blocks(8, 5000)));
	/* Half of the store each time. */
	for (int round = 0; round < 6; round++) {
		fill(rig, &v1, 384);
		ASSERT_EQ(0, store_volume_get(rig.st, "v1", &d));
		EXPECT_EQ(384u * 8 * 4096, d.mapped);
		EXPECT_EQ(1u << 30, d.bytes);
		EXPECT_EQ(-EBUSY, store_volume_delete(rig.st, "v1")) << "it is open";
		close_volume(v1);
		ASSERT_EQ(0, store_volume_delete(rig.st, "v1"));
		EXPECT_EQ(-ENOENT, store_volume_get(rig.st, "v1", &d));
		EXPECT_EQ(-ENOENT, store_volume_delete(rig.st, "v1"));
		EXPECT_EQ(8u, usage(rig).logical_blocks);
		EXPECT_EQ(0u, usage(rig).own_blocks);
		EXPECT_GT(usage(rig).deleted_blocks, 0u);
		forget(rig);
		EXPECT_EQ(8u, usage(rig).unique_blocks);
	}
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 8, {}, &out));
	EXPECT_EQ(StoreRig::blocks(8, 5000), out);
	rig.down(false);
	EXPECT_EQ(0, rig.close_status);
}

/* Its name is free at once, and who gets it finds nothing. */
TEST(StoreVol, ANameCanBeGivenAnewWhileTheOldBlocksAreForgotten)
{
	StoreRig rig(small());
	strake_volume *v1;
	bytes out;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	fill(rig, &v1, 256);
	close_volume(v1);
	ASSERT_EQ(0, store_volume_delete(rig.st, "v1"));
	EXPECT_GT(usage(rig).deleted_blocks, 0u);
	ASSERT_EQ(0, rig.volume_up("v1", 32u << 20, &v1)) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 64, {}, &out, 0, v1));
	EXPECT_EQ(bytes(64 * 4096, 0), out);
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 8, 8, StoreRig::blocks(8, 9000), nullptr, 0, v1));
	forget(rig);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 64, {}, &out, 0, v1));
	EXPECT_EQ(0, memcmp(&out[8 * 4096], StoreRig::blocks(8, 9000).data(), 8 * 4096));
	EXPECT_EQ(bytes(8 * 4096, 0), bytes(out.begin(), out.begin() + 8 * 4096));
	EXPECT_EQ(8u, usage(rig).logical_blocks);
	close_volume(v1);
	rig.down(false);
}

TEST(StoreVol, ADeletedVolumeStaysDeletedThroughACrash)
{
	for (int turns : {0, 1, 2, 5, 40}) {
		StoreRig rig(small());
		strake_volume *v1;
		store_volume d;
		bytes out;

		ASSERT_EQ(0, rig.boot()) << rig.why;
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 0, 8, StoreRig::blocks(8, 5000), nullptr, STRAKE_UNIT_FUA));
		fill(rig, &v1, 256);
		close_volume(v1);
		ASSERT_EQ(0, store_volume_delete(rig.st, "v1"));
		for (int i = 0; i < turns; i++)
			rig.turn();
		rig.power_goes();
		ASSERT_EQ(0, rig.boot()) << rig.why;
		EXPECT_EQ(-ENOENT, store_volume_get(rig.st, "v1", &d));
		ASSERT_EQ(0, store_volume_nth(rig.st, 0, &d));
		EXPECT_STREQ("v0", d.name);
		EXPECT_EQ(-ENOENT, store_volume_nth(rig.st, 1, &d));
		forget(rig);
		EXPECT_EQ(1u, rig.st->n_vol);
		EXPECT_EQ(8u, usage(rig).unique_blocks);
		ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 8, {}, &out));
		EXPECT_EQ(StoreRig::blocks(8, 5000), out);
		rig.down(false);
		EXPECT_EQ(0, rig.close_status);
	}
}

/* Its map cannot be read for a while, as too many drives are away. */
TEST(StoreVol, ADeletedVolumeIsForgottenWhenItsMapCanBeReadAgain)
{
	StoreRig rig(small());
	FakeSpaceFault f;
	strake_volume *v1;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	fill(rig, &v1, 256);
	close_volume(v1);
	rig.down(false);
	ASSERT_EQ(0, rig.boot()) << rig.why;
	f.ops = 1u << STRAKE_SPACE_READ;
	rig.fs->fault(f);
	ASSERT_EQ(0, store_volume_delete(rig.st, "v1"));
	rig.turns(2000);
	ASSERT_GT(rig.fs->figures().failed, 0u);
	rig.fs->no_faults();
	rig.turns(2000);
	EXPECT_EQ(256u * 8, usage(rig).deleted_blocks) << "nothing is tried again and again";
	rig.now += 60 * STRAKE_NS_PER_SEC;
	forget(rig);
	rig.down(false);
}

/* What another volume shares with it stays, and is nobody's to share from any more by its name. */
TEST(StoreVol, WhatWasSharedWithADeletedVolumeStays)
{
	StoreRig rig(small());
	strake_volume *v1;
	RigReq first, again;
	bytes data = StoreRig::blocks(8, 50), out;

	rig.domain = 3;
	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.volume_up("v1", 64u << 20, &v1)) << rig.why;
	for (RigReq *r : {&first, &again}) {
		r->advice.n = 8;
		for (int i = 0; i < 8; i++)
			r->advice.block[i].valid = 1;
	}
	rig.submit(first, STRAKE_OP_WRITE, 0, 8, data, 0, v1, true);
	ASSERT_TRUE(rig.drain());
	for (int i = 0; i < 8; i++) {
		again.advice.block[i].where = first.advice.block[i].where;
		again.advice.block[i].owner_vol = first.advice.block[i].owner_vol;
		again.advice.block[i].owner_lba = first.advice.block[i].owner_lba;
	}
	rig.submit(again, STRAKE_OP_WRITE, 100, 8, data, 0, nullptr, true);
	ASSERT_TRUE(rig.drain());
	EXPECT_EQ(8u, rig.st->stats.hit_blocks);
	EXPECT_EQ(16u, usage(rig).shared_blocks);
	close_volume(v1);
	ASSERT_EQ(0, store_volume_delete(rig.st, "v1"));
	forget(rig);
	EXPECT_EQ(8u, usage(rig).shared_blocks);
	EXPECT_EQ(8u, usage(rig).unique_blocks);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 100, 8, {}, &out));
	EXPECT_EQ(data, out);
	rig.down(false);
	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 100, 8, {}, &out));
	EXPECT_EQ(data, out);
	rig.down(false);
}

/* One volume too many is refused before it is made: a superblock that does not hold it would be the store's end. */
TEST(StoreVol, NoMoreVolumesThanTheSuperblockHolds)
{
	StoreRig rig(small());
	std::vector<strake_volume *> made;
	strake_volume *v = nullptr;
	int ret = 0;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	while (ret == 0 && made.size() < 2000) {
		ret = rig.volume_up(("w" + std::to_string(made.size())).c_str(), 4096, &v);
		if (ret == 0)
			made.push_back(v);
	}
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_NE(std::string::npos, rig.why.find("room for the figures")) << rig.why;
	EXPECT_GT(made.size(), 100u);
	EXPECT_EQ(0, rig.st->failed);
	for (strake_volume *m : made)
		close_volume(m);
	ASSERT_EQ(0, store_volume_delete(rig.st, "w0"));
	forget(rig);
	ASSERT_EQ(0, rig.volume_up("w0", 4096, &v)) << rig.why;
	close_volume(v);
	rig.down(false);
	EXPECT_EQ(0, rig.close_status);
}

/* A long deallocation goes leaf by leaf, and what comes after it does not wait for its end. */
TEST(StoreVol, ALongDeallocationLetsOthersThrough)
{
	StoreRig rig(small());
	RigReq all, read;

	rig.vol_bytes = 1ull << 30;
	ASSERT_EQ(0, rig.boot()) << rig.why;
	for (uint64_t leaf = 0; leaf < 256; leaf++)
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, leaf * MAP_FANOUT, 1, StoreRig::blocks(1, 1 + leaf)));
	bool read_first = false;

	read.then = [&](RigReq *) { read_first = !all.done; };
	rig.submit(all, STRAKE_OP_DEALLOCATE, 0, 1u << 18);
	rig.submit(read, STRAKE_OP_READ, 255 * MAP_FANOUT, 1);
	ASSERT_TRUE(rig.drain());
	EXPECT_TRUE(read_first);
	EXPECT_EQ(0, all.status);
	EXPECT_EQ(0u, usage(rig).logical_blocks);
	rig.down(false);
}

/* Blocks that are shared under ids far apart: each needs a page of the share table of its own. In the smallest store,
 * which may have few pages dirty at once, they are given back all the same, by many at once. */
TEST(StoreVol, SharedBlocksFarApartAreForgottenInTheSmallestStore)
{
	constexpr uint32_t kShared = 64, kTrims = 2, kPerPage = MAP_FANOUT / 2;
	FakeSpaceConf conf = small();
	RigReq trim[kTrims];

	conf.segments = 16;
	conf.rows = 4;
	StoreRig rig(conf);
	rig.domain = 3;
	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_LE(map_stats(rig.st->map)->dirty_max, 64u);
	for (uint32_t i = 0; i < kShared; i++) {
		RigReq first, again;

		first.advice.n = again.advice.n = 1;
		first.advice.block[0].valid = 1;
		rig.submit(first, STRAKE_OP_WRITE, i, 1, StoreRig::blocks(1, 1 + i), 0, nullptr, true);
		ASSERT_TRUE(rig.drain());
		again.advice.block[0] = first.advice.block[0];
		rig.st->seg[log_entry_seg(first.advice.block[0].where)].d.next_id = i * kPerPage;
		rig.submit(again, STRAKE_OP_WRITE, MAP_FANOUT + i, 1, StoreRig::blocks(1, 1 + i), 0, nullptr, true);
		ASSERT_TRUE(rig.drain());
	}
	EXPECT_EQ(kShared, rig.st->stats.hit_blocks);
	EXPECT_EQ(kShared, usage(rig).unique_blocks);
	for (uint32_t i = 0; i < kTrims; i++)
		rig.submit(trim[i], STRAKE_OP_DEALLOCATE, i * (2 * MAP_FANOUT / kTrims), 2 * MAP_FANOUT / kTrims);
	EXPECT_TRUE(rig.drain(20000)) << "they wait for each other";
	for (const RigReq &t : trim)
		EXPECT_EQ(0, t.status);
	EXPECT_EQ(0u, usage(rig).unique_blocks);
	rig.down(rig.open_reqs > 0);
}

/* Holes cost next to nothing, however many; a leaf of mapped blocks costs one record. */
TEST(StoreVol, HolesCostNothingAndALeafOneRecord)
{
	StoreRig rig(small());

	rig.vol_bytes = 64ull << 40;
	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_DEALLOCATE, 0, UINT32_MAX));
	EXPECT_EQ(0u, rig.st->stats.appended[STORE_HOT]);
	for (uint64_t lba = 0; lba < MAP_FANOUT; lba += 8)
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, lba, 8, StoreRig::blocks(8, 1 + lba)));
	uint64_t before = rig.st->stats.appended[STORE_HOT], lsn = rig.st->lsn;

	ASSERT_EQ(0, rig.run(STRAKE_OP_DEALLOCATE, 0, UINT32_MAX));
	EXPECT_EQ(1u, rig.st->lsn - lsn);
	EXPECT_EQ(LOG_HEAD + LOG_GRAIN, rig.st->stats.appended[STORE_HOT] - before);
	EXPECT_EQ(0u, usage(rig).logical_blocks);
	rig.down(false);
}

} // namespace
