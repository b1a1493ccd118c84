/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A sealed store is opened again and again: keys that no data needs are forgotten, those that it needs never. */

#include "sealed_rig.h"

extern "C" {
#include "stages/volume/store_job.h"
}

namespace
{

using Keys = SealedRig;

/* Openings without end: far more than the table holds, each of which writes. */
TEST_F(Keys, TheTableNeverFills)
{
	char err[300];
	unsigned int forgotten = 0, most = 0;

	put(100, 8, 7); /* of the first opening, and kept */
	for (unsigned int i = 0; i < 5000; i++) {
		gcm_close(seal);
		ASSERT_EQ(0, open_keys(err, sizeof(err))) << "opening " << i << ": " << err;
		if (i % 25 == 0)
			put(i % 3, 1, i + 1);
		most = std::max(most, gcm_openings(seal));
		if (gcm_openings(seal) >= KEYS_TIDY_FROM) {
			int n = tidy();

			ASSERT_GE(n, 0) << "opening " << i;
			forgotten += (unsigned int)n;
		}
	}
	EXPECT_GT(forgotten, 3000u);
	EXPECT_LE(most, KEYS_TIDY_FROM);
	expect(100, 8, 7);
	expect(4975 % 3, 1, 4976);
}

TEST_F(Keys, FewOpeningsAreNotWorthLooking)
{
	EXPECT_EQ(nullptr, keys_tidy_begin(rig->st, seal, KEYS_TIDY_FROM));
}

/* What collection carries from a segment not yet looked at to one that was, and what comes meanwhile. */
TEST_F(Keys, WhatMovesMeanwhileKeepsItsKey)
{
	char err[300];
	uint64_t x = 1;

	for (unsigned int round = 0; round < 6; round++) {
		for (uint64_t lba = 0; lba < 512; lba += 8)
			put(lba, 8, 1000 * round + lba);
		gcm_close(seal);
		ASSERT_EQ(0, open_keys(err, sizeof(err))) << err;
	}
	put(600, 8, 1);
	for (unsigned int round = 0; round < 20; round++) {
		keys_tidy *t = keys_tidy_begin(rig->st, seal, 1);
		unsigned int n;

		ASSERT_NE(nullptr, t);
		for (int i = 0; i < 500000 && keys_tidy_status(t, &n) == -EINPROGRESS; i++) {
			x = x * 6364136223846793005ull + 1442695040888963407ull;
			if (i % 8 == 0)
				put((x >> 33) % 500, 8, x >> 40);
			else
				rig->turn();
		}
		ASSERT_EQ(0, keys_tidy_status(t, &n));
		keys_tidy_end(t);
		gcm_close(seal);
		ASSERT_EQ(0, open_keys(err, sizeof(err))) << err;
	}
	struct store_usage u;

	store_usage(rig->st, &u);
	EXPECT_GT(u.moved_blocks, 0u);
	expect(600, 8, 1);
	for (uint64_t lba = 0; lba < 512; lba += 8) {
		bytes out;

		ASSERT_EQ(0, rig->run(STRAKE_OP_READ, lba, 8, {}, &out)) << "a key is missing, block " << lba;
	}
}

/* It reads no faster than what is sealed anew. */
TEST_F(Keys, LookingKeepsItsPace)
{
	for (uint64_t lba = 0; lba < 512; lba += 8)
		put(lba, 8, lba + 1);
	store_reseal_rate(rig->st, 1 << 20);
	uint64_t t = rig->now;

	EXPECT_EQ(0, tidy());
	EXPECT_GT(rig->now - t, 1500000000u) << "2 MiB at 1 MiB a second";
	EXPECT_LT(rig->now - t, 3000000000u);
}

/* Data of older epochs keeps them; rewritten, they go. */
TEST_F(Keys, EpochsAreDestroyedWhenNothingHasThem)
{
	put(0, 8, 1);
	ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	put(8, 8, 2);
	EXPECT_EQ(0, tidy()) << "both epochs have data";
	expect(0, 8, 1);
	expect(8, 8, 2);
}

/* Of a domain without any data only the newest key is kept. */
TEST_F(Keys, ADomainWithoutDataNeedsNoOlderKeys)
{
	ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	ASSERT_EQ(3, gcm_domain_rotate(seal, kDomain));
	EXPECT_EQ(2, tidy());
	put(0, 8, 1);
	expect(0, 8, 1);
}

/* A request that is under way may hold a chunk that nothing in the store shows any more, or not yet. */
TEST_F(Keys, WhatIsUnderWayKeepsItsKey)
{
	unsigned int n;

	put(0, 8, 1);
	store_job *job = store_job_get(rig->st);
	keys_tidy *t = keys_tidy_begin(rig->st, seal, 1);

	ASSERT_NE(nullptr, t);
	for (int i = 0; i < 20000; i++)
		rig->turn();
	EXPECT_EQ(-EINPROGRESS, keys_tidy_status(t, &n));
	store_job *later = store_job_get(rig->st); /* nobody waits for what began after all was looked at */
	store_job_put(rig->st, job);
	for (int i = 0; i < 20000; i++)
		rig->turn();
	EXPECT_EQ(0, keys_tidy_status(t, &n));
	keys_tidy_end(t);
	store_job_put(rig->st, later);
	EXPECT_EQ(0, tidy());
}

/* What is on its way when a key changes may be of a key that nothing else has. */
TEST_F(Keys, AChangeMeanwhileKeepsAllKeys)
{
	unsigned int n;

	ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	put(0, 8, 1);
	keys_tidy *t = keys_tidy_begin(rig->st, seal, 1);

	ASSERT_NE(nullptr, t);
	ASSERT_EQ(3, gcm_domain_rotate(seal, kDomain));
	for (int i = 0; i < 500000 && keys_tidy_status(t, &n) == -EINPROGRESS; i++)
		rig->turn();
	EXPECT_EQ(0, keys_tidy_status(t, &n));
	keys_tidy_end(t);
	EXPECT_EQ(3u, old_and_new());
	EXPECT_EQ(1, tidy());
	EXPECT_EQ(2u, old_and_new());
	expect(0, 8, 1);
}

/* Forgetting begins in a turn that main takes while it writes down another change: that one counts, and forgetting
 * waits. */
TEST_F(Keys, ForgettingWaitsForAChangeThatIsBeingWritten)
{
	char err[300];
	unsigned int n;
	keys_tidy *t = nullptr;

	gcm_close(seal);
	ASSERT_EQ(0, open_keys(err, sizeof(err))) << err;
	put(0, 8, 1);
	table.meanwhile = [&] {
		t = keys_tidy_begin(rig->st, seal, 1);
		for (int i = 0; i < 20000; i++)
			rig->turn();
		EXPECT_EQ(-EINPROGRESS, keys_tidy_status(t, &n));
	};
	ASSERT_EQ(2, gcm_domain_rotate(seal, kDomain));
	for (int i = 0; i < 500000 && keys_tidy_status(t, &n) == -EINPROGRESS; i++)
		rig->turn();
	EXPECT_EQ(0, keys_tidy_status(t, &n));
	EXPECT_EQ(1u, n) << "the first opening, from before the volume had blocks";
	keys_tidy_end(t);
	EXPECT_EQ(2u, old_and_new());
	EXPECT_EQ(2, gcm_epoch(seal, kDomain));
	expect(0, 8, 1);
}

/* It is ended by a command that comes in a turn of its own. */
TEST_F(Keys, EndsInAMomentWhenItIsForgetting)
{
	char err[300];
	bool ended = false;

	gcm_close(seal);
	ASSERT_EQ(0, open_keys(err, sizeof(err))) << err;
	keys_tidy *t = keys_tidy_begin(rig->st, seal, 1);

	ASSERT_NE(nullptr, t);
	table.meanwhile = [&] {
		keys_tidy_end(t);
		ended = true;
	};
	for (int i = 0; i < 500000 && !ended; i++)
		rig->turn();
	ASSERT_TRUE(ended);
	EXPECT_EQ(1u, gcm_openings(seal));
	EXPECT_EQ(0, tidy()) << "another can begin";
}

/* What the store cannot read may be sealed with any key. */
TEST_F(Keys, AStoreThatCannotBeReadKeepsAll)
{
	char err[300];

	for (uint64_t lba = 0; lba < 512; lba += 8)
		put(lba, 8, lba + 1);
	gcm_close(seal);
	ASSERT_EQ(0, open_keys(err, sizeof(err))) << err;
	FakeSpaceFault f;

	f.ops = 1u << STRAKE_SPACE_READ;
	rig->fs->fault(f);
	EXPECT_EQ(-EIO, tidy());
	EXPECT_EQ(2u, gcm_openings(seal));
	rig->fs->no_faults();
	EXPECT_EQ(0, tidy());
	expect(0, 8, 1);
}

/* Closed while it looks; and after a restart what it forgot is not missed. */
TEST_F(Keys, EndsEarlyAndOutlivesARestart)
{
	put(0, 8, 1);
	keys_tidy *t = keys_tidy_begin(rig->st, seal, 1);

	ASSERT_NE(nullptr, t);
	rig->turn();
	keys_tidy_end(t);
	for (unsigned int i = 0; i < 5; i++) {
		down(false);
		ASSERT_EQ(0, rig->boot()) << rig->why;
		EXPECT_GE(tidy(), 0);
		expect(0, 8, 1);
	}
	EXPECT_LE(gcm_openings(seal), 3u);
}

} // namespace
