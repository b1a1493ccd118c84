/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SEALED_RIG_H
#define SEALED_RIG_H

/* A store whose one volume is sealed by the real stage, with its table of keys in memory. */

#include "store_rig.h"
#include "tests/unit/stages/crypto/crypto_fixture.h"
#include "tests/unit/stages/crypto/fake_notes.h"

extern "C" {
#include "conf_key.h"
#include "gcm.h"
#include "app/keys.h"
}

constexpr uint32_t kDomain = 3;

class SealedRig : public testing::Test
{
      protected:
	std::unique_ptr<TempFile> file;
	std::unique_ptr<StoreRig> rig;
	strake_stage *seal = nullptr;
	FakeNotes table;
	FakeSpaceConf space;

	SealedRig()
	{
		space.segments = 64;
	}

	int
	open_keys(char *err, size_t len)
	{
		gcm_notes notes = table.ops();

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
		file.reset(new TempFile(std::string(32, 'k')));
		rig.reset(new StoreRig(space));
		rig->domain = kDomain;
		rig->vol_bytes = 32 << 20;
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

	/* Keys of the domain that are there. */
	unsigned
	old_and_new()
	{
		gcm_domain d[4] = {};
		unsigned n = gcm_domains(seal, d, 4);

		EXPECT_EQ(1u, n);
		EXPECT_EQ(kDomain, d[0].domain);
		return d[0].old_keys + (d[0].epoch != 0);
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

#endif /* SEALED_RIG_H */
