/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* After a change of keys all is sealed anew, beside all that may happen meanwhile, and the older keys go. */

#include "sealed_rig.h"

namespace
{

class Reseal : public SealedRig
{
      protected:
	void
	begin(uint64_t rate = 0)
	{
		gcm_domain d = {};

		ASSERT_EQ(1u, gcm_domains(seal, &d, 1));
		store_reseal_target t = {d.domain, d.epoch};

		store_reseal_rate(rig->st, rate);
		store_reseal_begin(rig->st, &t, 1);
	}

	store_reseal_status
	status()
	{
		store_reseal_status s;

		store_reseal_get(rig->st, &s);
		return s;
	}

	/* @return false: it goes on for ever. */
	bool
	ended(int turns = 1000000)
	{
		for (int i = 0; i < turns && status().state == STORE_RESEAL_GOES_ON; i++)
			rig->turn();
		return status().state == STORE_RESEAL_ENDED;
	}

	void
	fill(uint64_t first, uint64_t end, uint64_t stamp)
	{
		for (uint64_t lba = first; lba < end; lba += 8)
			put(lba, 8, stamp + lba);
	}

	/* All of it sealed by the key that is the older one then. */
	void
	fill_and_rotate(uint64_t end)
	{
		fill(0, end, 1000);
		ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	}

	void
	expect_all(uint64_t first, uint64_t end, uint64_t stamp)
	{
		for (uint64_t lba = first; lba < end; lba += 8)
			expect(lba, 8, stamp + lba);
	}

	void
	restart(bool crash)
	{
		if (crash)
			rig->fs->cut();
		down(crash);
		if (crash)
			rig->fs->restore();
		ASSERT_EQ(0, rig->boot()) << rig->why;
	}

	/* As if somebody had changed the chunk of a block who can make the CRC right. */
	void
	forge(uint64_t lba)
	{
		uint64_t entry = 0;
		log_head h;

		ASSERT_EQ(0, rig->run(STRAKE_OP_READ, lba, 1)); /* so that the page of the map is at hand */
		ASSERT_EQ(0, map_get(rig->st->map, rig->st->vol[0]->tree, lba, 1, &entry, nullptr));
		bytes chunk = rig->fs->peek(log_entry_seg(entry), log_entry_off(entry), log_entry_bytes(entry));

		ASSERT_EQ(0, log_head_decode(&h, chunk.data(), chunk.size()));
		ASSERT_NE(0, h.seal.epoch);
		chunk[h.head_bytes + 100] ^= 1;
		log_head_encode(&h, chunk.data());
		log_chunk_seal(chunk.data(), strake_kernel->crc32c(0, chunk.data(), chunk.size()));
		rig->fs->poke(log_entry_seg(entry), log_entry_off(entry), chunk);
	}
};

TEST_F(Reseal, NothingLeansOnTheOldKeyAtTheEnd)
{
	fill(0, 512, 1000);
	ASSERT_EQ(0, rig->run(STRAKE_OP_WRITE, 3, 2, StoreRig::blocks(2, 9))); /* dead parts, too */
	ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	EXPECT_EQ(0, tidy());
	EXPECT_EQ(2u, old_and_new());
	begin();
	ASSERT_TRUE(ended());
	EXPECT_GE(status().chunks, 64u);
	EXPECT_EQ(0u, status().left);
	EXPECT_EQ(1, tidy());
	EXPECT_EQ(1u, old_and_new());
	for (bool crash : {true, false}) {
		expect(3, 2, 9);
		expect_all(8, 512, 1000);
		restart(crash);
	}
	expect_all(8, 512, 1000);
}

TEST_F(Reseal, KeepsItsPace)
{
	fill_and_rotate(512);
	uint64_t t = rig->now;

	begin(1 << 20);
	ASSERT_TRUE(ended());
	EXPECT_GT(rig->now - t, 1500000000u) << "2 MiB at 1 MiB a second";
	EXPECT_LT(rig->now - t, 4000000000u);
	EXPECT_EQ(1, tidy());
}

/* Stopped at any point it begins anew, and comes to the same end. */
TEST_F(Reseal, GoesOnAfterARestart)
{
	fill(0, 768, 1000);
	ASSERT_EQ(0, rig->run(STRAKE_OP_FLUSH, 0, 0));
	ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	for (int i = 0; i < 4; i++) {
		begin(4 << 20);
		for (int turns = 0; turns < 4000; turns++)
			rig->turn();
		EXPECT_EQ(STORE_RESEAL_GOES_ON, status().state);
		EXPECT_GT(status().chunks, 0u);
		restart(i % 2 == 0);
		EXPECT_EQ(2u, old_and_new());
		expect_all(0, 768, 1000);
	}
	begin();
	ASSERT_TRUE(ended());
	EXPECT_GE(tidy(), 1);
	EXPECT_EQ(1u, old_and_new());
	expect_all(0, 768, 1000);
}

TEST_F(Reseal, AnotherRotationMeanwhile)
{
	fill_and_rotate(512);
	begin(2 << 20);
	for (int turns = 0; turns < 10000; turns++)
		rig->turn();
	EXPECT_GT(status().chunks, 0u);
	put(600, 8, 5);
	ASSERT_EQ(3, gcm_domain_rotate(seal, kDomain));
	begin();
	ASSERT_TRUE(ended());
	EXPECT_EQ(2, tidy());
	EXPECT_EQ(1u, old_and_new());
	expect_all(0, 512, 1000);
	expect(600, 8, 5);
}

/* Hosts write and trim meanwhile, and collection has its own reasons to move chunks. */
TEST_F(Reseal, BesideHosts)
{
	uint64_t x = 1;

	fill(0, 1024, 1000);
	fill(1024, 1536, 1 << 20);
	ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	begin(8 << 20);
	for (int i = 0; i < 60000 && status().state == STORE_RESEAL_GOES_ON; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		uint64_t lba = (x >> 33) % 128 * 8;

		if (i % 16 == 0)
			put(lba, 8, 1000 + lba);
		else if (i % 1000 == 999)
			ASSERT_EQ(0, rig->run(STRAKE_OP_DEALLOCATE, 1528, 8));
		else
			rig->turn();
	}
	ASSERT_TRUE(ended());
	EXPECT_EQ(1, tidy());
	expect_all(0, 1024, 1000);
	expect_all(1024, 1528, 1 << 20);
	EXPECT_EQ(0u, rig->fs->figures().out_of_order + rig->fs->figures().used_frees);
}

/* What nobody can open now stays, and is done when somebody can. */
TEST_F(Reseal, WaitsForVolumesThatAreNotOpen)
{
	strake_volume *other = nullptr;

	ASSERT_EQ(0, rig->volume_up("v1", 4 << 20, &other)) << rig->why;
	fill(0, 128, 1000);
	for (uint64_t lba = 0; lba < 128; lba += 8)
		ASSERT_EQ(0, rig->run(STRAKE_OP_WRITE, lba, 8, StoreRig::blocks(8, 5000 + lba), nullptr, 0, other));
	log_lcore_fini(rig->vol);
	log_destroy(rig->vol);
	log_lcore_fini(other);
	log_destroy(other);
	ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	begin();
	ASSERT_TRUE(ended());
	EXPECT_EQ(32u, status().unopened);
	EXPECT_EQ(0u, status().damaged);
	EXPECT_EQ(0, tidy());
	EXPECT_EQ(2u, old_and_new());
	ASSERT_EQ(0, rig->volume_up("v0", rig->vol_bytes, &rig->vol));
	for (int i = 0; i < 100000 && status().state == STORE_RESEAL_ENDED; i++)
		rig->turn();
	EXPECT_EQ(STORE_RESEAL_GOES_ON, status().state);
	ASSERT_TRUE(ended());
	EXPECT_EQ(0u, status().unopened) << "all volumes of a domain open each other's chunks";
	EXPECT_EQ(1, tidy());
	expect_all(0, 128, 1000);
}

/* What its key does not open keeps that, until it is written over. */
TEST_F(Reseal, LeavesWhatCannotBeOpened)
{
	bytes out;

	fill(0, 512, 1000);
	restart(false);
	forge(64);
	forge(128);
	EXPECT_EQ(-EBADMSG, rig->run(STRAKE_OP_READ, 64, 8, {}, &out));
	ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	begin();
	ASSERT_TRUE(ended());
	EXPECT_EQ(2u, status().damaged);
	EXPECT_EQ(0u, status().unopened + status().unread);
	EXPECT_GT(status().left, 0u);
	tidy();
	EXPECT_EQ(2u, old_and_new());
	EXPECT_EQ(-EBADMSG, rig->run(STRAKE_OP_READ, 64, 8, {}, &out)) << "never anything else";
	put(64, 8, 1064);
	put(128, 8, 1128);
	begin();
	ASSERT_TRUE(ended());
	EXPECT_EQ(0u, status().damaged + status().left);
	EXPECT_GE(tidy(), 1);
	EXPECT_EQ(1u, old_and_new());
	expect_all(0, 512, 1000);
}

TEST_F(Reseal, ADeletedVolumeIsNotInItsWay)
{
	fill_and_rotate(512);
	begin(1 << 20);
	for (int turns = 0; turns < 3000; turns++)
		rig->turn();
	while (!log_lcore_drain(rig->vol))
		rig->turn();
	log_lcore_fini(rig->vol);
	log_destroy(rig->vol);
	ASSERT_EQ(0, store_volume_delete(rig->st, "v0"));
	store_reseal_rate(rig->st, 0);
	ASSERT_EQ(0, rig->volume_up("v0", rig->vol_bytes, &rig->vol));
	put(0, 8, 1);
	for (int i = 0; i < 300000; i++)
		rig->turn();
	ASSERT_TRUE(ended());
	EXPECT_EQ(0u, status().unopened);
	EXPECT_EQ(1, tidy());
	expect(0, 8, 1);
}

/* Its reads fail for a while, as when more drives are lost than there is parity. */
TEST_F(Reseal, WaitsForWhatCannotBeReadNow)
{
	FakeSpaceFault f;

	fill(0, 512, 1000);
	ASSERT_EQ(0, rig->run(STRAKE_OP_FLUSH, 0, 0));
	ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	f.ops = 1u << STRAKE_SPACE_READ;
	rig->fs->fault(f);
	begin();
	EXPECT_FALSE(ended(20000));
	EXPECT_EQ(0u, status().chunks);
	rig->fs->no_faults();
	ASSERT_TRUE(ended());
	EXPECT_EQ(0u, status().unread);
	EXPECT_EQ(1, tidy());
	expect_all(0, 512, 1000);
}

/* A store that is full has room enough for this; and hosts get no less than they would. */
TEST_F(Reseal, AFullStoreIsSealedAnewToo)
{
	uint64_t lba = 0;
	int ret = 0;

	for (; ret == 0; lba += 8)
		ret = rig->run(STRAKE_OP_WRITE, lba, 8, StoreRig::blocks(8, 1000 + lba));
	ASSERT_EQ(-ENOSPC, ret);
	lba -= 8;
	ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	begin();
	ASSERT_TRUE(ended(3000000)) << status().left << " of " << status().segments;
	EXPECT_EQ(1, tidy());
	expect_all(0, lba, 1000);
}

/* More segments are emptied than a superblock can list: they become free by the way, list by list. */
class ResealOfMany : public Reseal
{
      protected:
	ResealOfMany()
	{
		space.segments = 1300;
		space.rows = 3;
	}
};

TEST_F(ResealOfMany, EmptiesMoreThanASuperblockLists)
{
	constexpr uint32_t kKept = 1150, kOther = 4096;
	uint32_t most = 0;

	/* Of each segment one block lives. */
	for (uint32_t i = 0; i < kKept; i++) {
		put(i, 1, 1000 + i);
		for (uint32_t j = 0; j < 4; j++)
			put(kOther + 8 * j, 8, 100000 + 8 * i);
	}
	ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	begin();
	EXPECT_GT(status().segments, (uint32_t)LOG_SUPER_NEXT);
	for (int i = 0; i < 3000000 && status().state == STORE_RESEAL_GOES_ON; i++) {
		rig->turn();
		most = std::max(most, rig->st->n_drained);
	}
	ASSERT_EQ(STORE_RESEAL_ENDED, status().state) << status().left << " of " << status().segments;
	EXPECT_GT(most, (uint32_t)LOG_SUPER_NEXT) << "at once";
	EXPECT_GE(status().chunks, kKept);
	EXPECT_EQ(1, tidy());
	for (bool crash : {true, false}) {
		for (uint32_t i = 0; i < kKept; i++)
			expect(i, 1, 1000 + i);
		restart(crash);
	}
	expect(0, 1, 1000);
	expect(kKept - 1, 1, 1000 + kKept - 1);
}

/* It closes at once though the pace would have it rest for long. */
TEST_F(Reseal, TheStoreClosesInItsMidst)
{
	fill_and_rotate(512);
	begin(4096);
	for (int turns = 0; turns < 5000; turns++)
		rig->turn();
	uint64_t t = rig->now;

	restart(false);
	EXPECT_EQ(0, rig->close_status);
	EXPECT_LT(rig->now - t, 1000000000u);
	expect_all(0, 512, 1000);
}

} // namespace
