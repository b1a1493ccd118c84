/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef DEDUP_FIXTURE_H
#define DEDUP_FIXTURE_H

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dedup_store.h"
#include "tests/unit/pipeline/world.h"

extern "C" {
#include "conf_key.h"
#include "dedup.h"
#include "stages/dedup/domain.h"
#include "stages/dedup/index.h"
#include "strake_chain.h"
}

using Bytes = std::vector<uint8_t>;

inline Bytes
random_bytes(size_t len, unsigned int seed)
{
	std::mt19937_64 rng(seed);
	Bytes v(len);

	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t word = rng();

		memcpy(&v[i], &word, 8);
	}
	return v;
}

inline const uint8_t kStoreA[16] = {1, 2, 3}, kStoreB[16] = {9, 8, 7};

/** Volumes whose requests pass a dedup stage and end in the fake store. */
class DedupWorld : public World
{
      protected:
	struct Vol {
		strake_volume vol = {};
		strake_stage *dedup = nullptr;
		conf_values *values = nullptr;
	};
	struct Options {
		std::string domain = "a", fingerprint = "sha256", memory = "1MiB";
		const uint8_t *store = kStoreA;
		int cpu = -1;
		uint32_t shift = 12;
		bool attach = true;
	};

	void
	SetUp() override
	{
		char err[200];

		dedup_store = DedupStore();
		start(2, 2048);
		ASSERT_EQ(0, strake_stage_create(&store, strake_stage_find("store"), "store", nullptr, -1, err,
						 sizeof(err)));
		for (uint16_t i = 1; i < lcores; i++) {
			strake_lcore_enter(i);
			ASSERT_EQ(0, strake_stage_lcore_init(store));
		}
		strake_lcore_enter(1);
	}

	void
	TearDown() override
	{
		for (auto &v : vols)
			remove(v.get());
		vols.clear();
		for (uint16_t i = 1; i < lcores; i++) {
			strake_lcore_enter(i);
			strake_stage_lcore_fini(store);
		}
		strake_stage_destroy(store);
		World::TearDown();
	}

	Vol *
	volume(const Options &o)
	{
		const strake_stage_ops *ops = strake_stage_find("dedup");
		const char *pairs[] = {"domain",       o.domain.c_str(), "fingerprint", o.fingerprint.c_str(),
				       "index_memory", o.memory.c_str(), nullptr};
		std::string name = "v" + std::to_string(made) + ".dedup";
		char err[200] = "";
		auto v = std::make_unique<Vol>();

		v->values = conf_values_make(ops->keys, pairs, err, sizeof(err));
		EXPECT_NE(nullptr, v->values) << err;
		EXPECT_EQ(0, strake_stage_create(&v->dedup, ops, name.c_str(), v->values, o.cpu, err, sizeof(err)))
			<< err;
		if (o.attach) {
			EXPECT_EQ(0, dedup_attach(v->dedup, o.store, 1, err, sizeof(err))) << err;
		}
		v->vol.lba_shift = o.shift;
		v->vol.priv = (void *)(uintptr_t)++made;
		strake_stage *both[] = {v->dedup, store};
		EXPECT_EQ(0,
			  strake_chain_create(&v->vol.reqs, name.c_str(), STRAKE_UNIT_REQ, both, 2, err, sizeof(err)))
			<< err;
		snprintf(v->vol.name, sizeof(v->vol.name), "v%u", made);
		v->vol.slab_shift = 34;
		v->vol.nlb = 1ULL << (34 - o.shift);
		EXPECT_EQ(0, strake_volume_add(&v->vol)); /* one slab, lcore 1's */
		for (uint16_t i = 1; i < lcores; i++) {
			strake_lcore_enter(i);
			EXPECT_EQ(0, strake_stage_lcore_init(v->dedup));
		}
		strake_lcore_enter(1);
		vols.push_back(std::move(v));
		return vols.back().get();
	}

	void
	remove(Vol *v)
	{
		if (v->dedup == nullptr)
			return;
		strake_volume_del(&v->vol);
		strake_chain_destroy(v->vol.reqs);
		for (uint16_t i = 1; i < lcores; i++) {
			strake_lcore_enter(i);
			strake_stage_lcore_fini(v->dedup);
		}
		strake_stage_destroy(v->dedup);
		conf_values_free(v->values);
		v->dedup = nullptr;
	}

	/** Payload as a list of read-only pieces of at most @p piece bytes; the bytes must outlive it. */
	static strake_buf *
	pieces(const Bytes &bytes, size_t piece, uint8_t flags = STRAKE_BUF_STABLE)
	{
		static const strake_backing test = {"test", nullptr};
		strake_buf *list = nullptr, **end = &list;

		for (size_t at = 0; at < bytes.size(); at += piece) {
			*end = strake_buf_wrap(const_cast<uint8_t *>(&bytes[at]),
					       (uint32_t)std::min(piece, bytes.size() - at), &test, nullptr, flags);
			end = &(*end)->next;
		}
		return list;
	}

	static void
	ended(strake_unit *u)
	{
		*(bool *)u->arg = true;
	}

	strake_req *
	request(Vol *v, uint8_t op, uint64_t lba, uint32_t nbytes, bool *done)
	{
		strake_req *r = strake_req_alloc(false);

		r->u.op = op;
		r->u.lba = lba;
		r->u.nlb = nbytes >> v->vol.lba_shift;
		r->u.nbytes = nbytes;
		r->u.done = ended;
		r->u.arg = done;
		r->vol = &v->vol;
		*done = false;
		return r;
	}

	int
	end(strake_req *r, const bool *done)
	{
		int status;

		EXPECT_TRUE(*done);
		EXPECT_EQ(nullptr, r->advice) << "advice was not let go";
		status = r->u.status;
		strake_lcore_enter(1);
		strake_req_free(r);
		return status;
	}

	int
	write(Vol *v, uint64_t lba, const Bytes &bytes, size_t piece = 1 << 20, uint8_t flags = STRAKE_BUF_STABLE)
	{
		bool done;
		strake_req *r = request(v, STRAKE_OP_WRITE, lba, (uint32_t)bytes.size(), &done);

		r->u.bufs = pieces(bytes, piece, flags);
		strake_req_submit(&r, 1);
		turn(v->dedup->lcore >= 0 ? 6 : 2);
		return end(r, &done);
	}

	static dedup_stats
	stats(const Vol *v)
	{
		dedup_stats s;

		dedup_stats_get(v->dedup, &s);
		return s;
	}

	/** All advice of a volume's domain is in its pool. */
	static unsigned int
	advice_left(const Vol *v)
	{
		const auto *d = (const dedup_domain *)v->dedup->lc[1];
		unsigned int n = 0;

		for (const strake_advice *a = d->free; a != nullptr; a = a->next)
			n++;
		return n;
	}

	strake_stage *store = nullptr;
	std::vector<std::unique_ptr<Vol>> vols;
	unsigned int made = 0;
};

#endif /* DEDUP_FIXTURE_H */
