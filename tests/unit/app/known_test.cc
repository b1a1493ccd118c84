/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What dedup knows is saved in the store, sealed, and known again after a restart. */

#include "store_rig.h"
#include "tests/unit/stages/crypto/crypto_fixture.h"
#include "tests/unit/stages/crypto/fake_notes.h"

extern "C" {
#include "conf_key.h"
#include "dedup.h"
#include "gcm.h"
#include "known.h"
}

namespace
{

constexpr uint32_t kDomain = 3;

class Known : public testing::TestWithParam<bool>
{
      protected:
	std::unique_ptr<TempFile> file;
	std::unique_ptr<StoreRig> rig;
	strake_stage *dedup = nullptr, *seal = nullptr;
	struct known *known = nullptr;
	FakeNotes table;

	strake_stage *
	stage(const char *kind, std::vector<const char *> pairs)
	{
		strake_stage *s = nullptr;
		char err[300] = "";

		pairs.push_back(nullptr);
		conf_values *v = conf_values_make(strake_stage_find(kind)->keys, pairs.data(), err, sizeof(err));
		EXPECT_EQ(0, strake_stage_create(&s, strake_stage_find(kind), kind, v, -1, err, sizeof(err))) << err;
		conf_values_free(v);
		return s;
	}

	void
	make_stages()
	{
		gcm_notes notes = table.ops();
		char err[300] = "";

		dedup = stage("dedup", {"index_memory", "512KiB"});
		ASSERT_EQ(0, dedup_attach(dedup, rig->fs->space()->uuid, 0, err, sizeof(err))) << err;
		rig->req_stages = {dedup};
		rig->chunk_stages.clear();
		if (GetParam()) {
			seal = stage("seal", {"key_file", file->path.c_str()});
			ASSERT_EQ(0, gcm_open(seal, &notes, err, sizeof(err))) << err;
			ASSERT_EQ(0, gcm_domain_add(seal, kDomain));
			rig->chunk_stages = {seal};
		}
		for (strake_stage *s : {dedup, seal})
			ASSERT_TRUE(s == nullptr || strake_stage_lcore_init(s) == 0);
	}

	void
	boot()
	{
		char err[300] = "";

		ASSERT_EQ(0, rig->boot()) << rig->why;
		const known_conf conf = {".known", rig->st, dedup, seal, kDomain, 0};
		ASSERT_EQ(0, known_open(&known, &conf, err, sizeof(err))) << err;
		ASSERT_EQ(0, log_lcore_init(known_volume(known)));
	}

	void
	down(bool crash)
	{
		log_lcore_fini(known_volume(known));
		known_close(known);
		log_lcore_fini(rig->vol);
		log_destroy(rig->vol);
		rig->vol = nullptr;
		for (strake_stage **s : {&dedup, &seal}) {
			if (*s != nullptr) {
				strake_stage_lcore_fini(*s);
				strake_stage_destroy(*s);
			}
			*s = nullptr;
		}
		rig->down(crash);
	}

	void
	SetUp() override
	{
		FakeSpaceConf c;

		c.segments = 64;
		file.reset(new TempFile(std::string(32, 'k')));
		rig.reset(new StoreRig(c));
		rig->domain = kDomain;
		rig->before_volume = [this] { make_stages(); };
		boot();
	}

	void
	TearDown() override
	{
		if (rig->up)
			down(true);
	}

	/* @return 0 or -errno; *entries. */
	int
	wait(uint64_t *entries)
	{
		int status = 1;

		for (int i = 0; i < 200000; i++) {
			if (known_over(known, &status, entries))
				return status;
			rig->turn();
		}
		ADD_FAILURE() << "it hangs";
		return status;
	}
	int
	save()
	{
		uint64_t n;

		EXPECT_EQ(0, known_save(known));
		EXPECT_EQ(-EBUSY, known_save(known));
		return wait(&n);
	}
	uint64_t
	load(int status = 0)
	{
		uint64_t n = 0;

		EXPECT_EQ(0, known_load(known));
		EXPECT_EQ(status, wait(&n));
		return n;
	}
	void
	put(uint64_t lba, uint32_t n, uint64_t stamp)
	{
		ASSERT_EQ(0, rig->run(STRAKE_OP_WRITE, lba, n, StoreRig::blocks(n, stamp)));
	}
	uint64_t
	hits()
	{
		struct store_usage u;

		store_usage(rig->st, &u);
		return u.hit_blocks;
	}
	/* Does this stand anywhere on the drives? */
	bool
	stands(const std::string &what)
	{
		strake_space *sp = rig->fs->space();

		for (uint32_t seg = 0; seg < sp->segments; seg++) {
			bytes b = rig->fs->peek(seg, 0, (uint32_t)strake_space_seg_bytes(sp));

			if (std::search(b.begin(), b.end(), what.begin(), what.end()) != b.end())
				return true;
		}
		return false;
	}
};

class KnownSealed : public Known
{
};

TEST_P(Known, ARestartForgetsNothing)
{
	for (uint64_t lba = 0; lba < 800; lba += 8)
		put(lba, 8, 1000 + lba);
	ASSERT_EQ(0, save());
	struct store_usage u;

	store_usage(rig->st, &u);
	EXPECT_EQ(800u, u.logical_blocks);
	EXPECT_EQ(800u, u.unique_blocks) << "what the index takes is told apart";
	EXPECT_GT(u.own_blocks, 0u);
	EXPECT_EQ(!GetParam(), stands("STRKDDIX")) << "fingerprints tell of bytes: sealed, where those are";
	down(false);
	boot();
	EXPECT_GE(load(), 790u) << "some may have been forgotten for others";
	uint64_t before = hits();

	for (uint64_t lba = 0; lba < 400; lba += 8)
		put(1000 + lba, 8, 1000 + lba);
	EXPECT_GE(hits() - before, 380u);
	bytes out;

	for (uint64_t lba = 0; lba < 400; lba += 8) {
		ASSERT_EQ(0, rig->run(STRAKE_OP_READ, 1000 + lba, 8, {}, &out));
		ASSERT_EQ(StoreRig::blocks(8, 1000 + lba), out);
	}
}

/* Old advice about what has changed since is refused, and nobody gets other bytes. */
TEST_P(Known, WhatChangedSinceIsNotShared)
{
	for (uint64_t lba = 0; lba < 400; lba += 8)
		put(lba, 8, 1000 + lba);
	ASSERT_EQ(0, save());
	for (uint64_t lba = 0; lba < 400; lba += 8)
		put(lba, 8, 5000 + lba);
	ASSERT_EQ(0, rig->run(STRAKE_OP_FLUSH, 0, 0));
	down(true);
	boot();
	EXPECT_GT(load(), 0u);
	bytes out;

	for (uint64_t lba = 0; lba < 400; lba += 8)
		put(1000 + lba, 8, 1000 + lba);
	for (uint64_t lba = 0; lba < 400; lba += 8) {
		ASSERT_EQ(0, rig->run(STRAKE_OP_READ, 1000 + lba, 8, {}, &out));
		ASSERT_EQ(StoreRig::blocks(8, 1000 + lba), out);
		ASSERT_EQ(0, rig->run(STRAKE_OP_READ, lba, 8, {}, &out));
		ASSERT_EQ(StoreRig::blocks(8, 5000 + lba), out);
	}
}

/* A shorter index after a longer one: what the longer one left is not taken for its own. */
TEST_P(Known, AnotherSaveTakesThePlaceOfTheLast)
{
	for (uint64_t lba = 0; lba < 1600; lba += 8)
		put(lba, 8, 1000 + lba);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, save());
	strake_lcore_enter(0);
	dedup_index_clear(dedup_index_of(dedup));
	put(0, 8, 77);
	ASSERT_EQ(0, save());
	down(false);
	boot();
	EXPECT_EQ(8u, load());
}

TEST_P(Known, NothingSavedIsNothingKnown)
{
	EXPECT_EQ(0u, load());
	put(0, 8, 1);
	put(100, 8, 1);
	EXPECT_EQ(8u, hits());
}

/* The domain's key is gone, and with it what told of its bytes. */
TEST_P(KnownSealed, AnErasedDomainIsNotRemembered)
{
	put(0, 8, 1);
	ASSERT_EQ(0, save());
	down(false);
	boot();
	ASSERT_EQ(0, gcm_domain_erase(seal, kDomain));
	EXPECT_EQ(0u, load(-EBADMSG));
}

INSTANTIATE_TEST_SUITE_P(All, Known, testing::Bool(),
			 [](const testing::TestParamInfo<bool> &i) { return i.param ? "sealed" : "plain"; });

INSTANTIATE_TEST_SUITE_P(One, KnownSealed, testing::Values(true));

} // namespace
