/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A sealed store is opened again and again: keys that no data needs are forgotten, those that it needs never. */

#include "store_rig.h"
#include "tests/unit/stages/crypto/crypto_fixture.h"

extern "C" {
#include "conf_key.h"
#include "gcm.h"
#include "keys.h"
}

namespace
{

constexpr uint32_t kDomain = 3;

class Keys : public testing::Test
{
      protected:
	std::unique_ptr<TempFile> file;
	std::unique_ptr<StoreRig> rig;
	strake_stage *seal = nullptr;
	std::vector<uint8_t> table;

	static int
	read(void *arg, void *data, uint32_t *len)
	{
		auto &t = ((Keys *)arg)->table;

		*len = (uint32_t)t.size();
		std::copy(t.begin(), t.end(), (uint8_t *)data);
		return 0;
	}
	static int
	write(void *arg, const void *data, uint32_t len)
	{
		((Keys *)arg)->table.assign((const uint8_t *)data, (const uint8_t *)data + len);
		return 0;
	}

	int
	open_keys(char *err, size_t len)
	{
		gcm_notes notes = {read, write, this, 61440, {5}};

		return gcm_open(seal, &notes, err, len);
	}

	void
	make_seal()
	{
		const char *pairs[] = {"key_file", file->path.c_str(), nullptr};
		char err[300] = "";
		conf_values *v = conf_values_make(strake_stage_find("seal")->keys, pairs, err, sizeof(err));

		ASSERT_NE(nullptr, v) << err;
		ASSERT_EQ(0, strake_stage_create(&seal, strake_stage_find("seal"), "g.seal", v, -1, err, sizeof(err)))
			<< err;
		conf_values_free(v);
		ASSERT_EQ(0, open_keys(err, sizeof(err))) << err;
		ASSERT_EQ(0, gcm_domain_add(seal, kDomain));
		ASSERT_EQ(0, strake_stage_lcore_init(seal));
		rig->chunk_stages = {seal};
	}

	void
	SetUp() override
	{
		FakeSpaceConf c;

		c.segments = 64;
		file.reset(new TempFile(std::string(32, 'k')));
		rig.reset(new StoreRig(c));
		rig->domain = kDomain;
		rig->before_volume = [this] { make_seal(); };
		ASSERT_EQ(0, rig->boot()) << rig->why;
	}

	void
	down(bool crash)
	{
		log_lcore_fini(rig->vol);
		log_destroy(rig->vol);
		rig->vol = nullptr;
		strake_stage_lcore_fini(seal);
		strake_stage_destroy(seal);
		rig->down(crash);
	}

	void
	TearDown() override
	{
		if (rig->up)
			down(true);
	}

	void
	put(uint64_t lba, uint32_t n, uint64_t stamp)
	{
		ASSERT_EQ(0, rig->run(STRAKE_OP_WRITE, lba, n, StoreRig::blocks(n, stamp)));
	}

	void
	expect(uint64_t lba, uint32_t n, uint64_t stamp)
	{
		bytes out;

		ASSERT_EQ(0, rig->run(STRAKE_OP_READ, lba, n, {}, &out)) << "blocks from " << lba;
		EXPECT_EQ(StoreRig::blocks(n, stamp), out) << "blocks from " << lba;
	}

	/* @return keys and openings forgotten, or what went wrong. */
	int
	tidy()
	{
		keys_tidy *t = keys_tidy_begin(rig->st, seal, 1);
		unsigned int n = 0;
		int ret = -EINPROGRESS;

		EXPECT_NE(nullptr, t);
		for (int i = 0; t != nullptr && i < 500000 && ret == -EINPROGRESS; i++) {
			rig->turn();
			ret = keys_tidy_status(t, &n);
		}
		keys_tidy_end(t);
		return ret < 0 ? ret : (int)n;
	}
};

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
