/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <unordered_set>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "stages/dedup/index.h"
}

namespace
{

struct Fp {
	uint8_t b[STRAKE_ADVICE_FP];
};

/** A fingerprint for a number; the same number, the same fingerprint. */
Fp
fp(uint64_t n)
{
	Fp f;

	for (unsigned int i = 0; i < STRAKE_ADVICE_FP; i += 8) {
		uint64_t z = (n * 3 + i / 8 + 1) * 0x9e3779b97f4a7c15; /* splitmix64 */

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		z ^= z >> 31;
		memcpy(f.b + i, &z, 8);
	}
	return f;
}

class DedupIndex : public testing::Test
{
      protected:
	void
	make(uint64_t bytes)
	{
		static const uint8_t uuid[16] = {1};

		TearDown();
		ASSERT_EQ(0, dedup_index_create(&ix, bytes, DEDUP_SHA256, uuid, "d", &stats));
	}

	void
	TearDown() override
	{
		dedup_index_destroy(ix);
		ix = nullptr;
		stats = {};
	}

	void
	put(uint64_t n, bool hot = false)
	{
		index_entry e = {n + 1, n % 1000, (uint32_t)(n % 7)};
		Fp f = fp(n);

		dedup_index_put(ix, f.b, &e, hot);
	}

	bool
	known(uint64_t n)
	{
		index_entry e;
		Fp f = fp(n);

		if (!dedup_index_get(ix, f.b, &e))
			return false;
		EXPECT_EQ(n + 1, e.where);
		EXPECT_EQ(n % 1000, e.owner_lba);
		EXPECT_EQ(n % 7, e.owner_vol);
		return true;
	}

	/** A write of block @p n: found and confirmed, or stored. @return found. */
	bool
	access(uint64_t n)
	{
		bool hit = known(n);

		put(n, hit);
		return hit;
	}

	dedup_index *ix = nullptr;
	dedup_stats stats = {};
};

} // namespace

TEST_F(DedupIndex, WhatWasPutIsFoundAndNothingElse)
{
	make(1 << 20);
	for (uint64_t n = 0; n < 5000; n++)
		put(n);
	EXPECT_EQ(5000u, stats.entries);
	for (uint64_t n = 0; n < 5000; n++)
		EXPECT_TRUE(known(n)) << n;
	for (uint64_t n = 5000; n < 50000; n++)
		EXPECT_FALSE(known(n)) << n;
}

TEST_F(DedupIndex, EveryBitOfAFingerprintCounts)
{
	make(512);
	put(1);
	for (unsigned int bit = 0; bit < STRAKE_ADVICE_FP * 8; bit++) {
		Fp f = fp(1);
		index_entry e;

		f.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		EXPECT_FALSE(dedup_index_get(ix, f.b, &e)) << bit;
	}
	EXPECT_TRUE(known(1));
}

TEST_F(DedupIndex, LargestOwnersAreKeptAndLargerOnesAreNot)
{
	make(512);
	Fp f = fp(3);
	index_entry e = {UINT64_MAX, (1ULL << INDEX_LBA_BITS) - 1, (1u << INDEX_VOL_BITS) - 1}, got;

	dedup_index_put(ix, f.b, &e, false);
	ASSERT_TRUE(dedup_index_get(ix, f.b, &got));
	EXPECT_EQ(e.where, got.where);
	EXPECT_EQ(e.owner_lba, got.owner_lba);
	EXPECT_EQ(e.owner_vol, got.owner_vol);
	e.owner_vol++;
	dedup_index_put(ix, f.b, &e, false);
	EXPECT_FALSE(dedup_index_get(ix, f.b, &got)) << "an entry whose new owner does not fit is no more";
	e.owner_vol = 0;
	e.owner_lba++;
	dedup_index_put(ix, f.b, &e, false);
	EXPECT_FALSE(dedup_index_get(ix, f.b, &got));
	EXPECT_EQ(2u, stats.unfit);
	EXPECT_EQ(0u, stats.entries);
}

TEST_F(DedupIndex, DropsOnlyWhatStillLiesThere)
{
	make(512);
	put(1);
	Fp f = fp(1);

	dedup_index_drop(ix, f.b, 99);
	EXPECT_TRUE(known(1));
	dedup_index_drop(ix, f.b, 2);
	EXPECT_FALSE(known(1));
	dedup_index_drop(ix, f.b, 2);
	EXPECT_EQ(0u, stats.entries);
	put(1);
	EXPECT_TRUE(known(1));
}

TEST_F(DedupIndex, ANewPlaceReplacesTheOld)
{
	make(512);
	put(1);
	Fp f = fp(1);
	index_entry e = {77, 8, 9};

	dedup_index_put(ix, f.b, &e, true);
	ASSERT_TRUE(dedup_index_get(ix, f.b, &e));
	EXPECT_EQ(77u, e.where);
	EXPECT_EQ(1u, stats.entries);
	EXPECT_FALSE(dedup_index_add(ix, f.b, &e, 0)) << "what is known stays";
}

TEST_F(DedupIndex, AFullBucketForgetsTheOldestOfTheCold)
{
	make(512);
	for (uint64_t n = 0; n < INDEX_WAYS; n++)
		put(n);
	put(0, true);
	put(2, true);
	put(100);
	EXPECT_TRUE(known(0));
	EXPECT_FALSE(known(1));
	put(101);
	EXPECT_TRUE(known(2));
	EXPECT_FALSE(known(3));
	EXPECT_TRUE(known(100)) << "the newest is considered last";
	EXPECT_EQ(2u, stats.evictions);
	EXPECT_EQ(INDEX_WAYS, stats.entries);
	Fp f = fp(200);
	index_entry e = {1, 1, 1};

	EXPECT_FALSE(dedup_index_add(ix, f.b, &e, 3)) << "nothing is forgotten for what is loaded";
}

TEST_F(DedupIndex, WhatWasHotOnceIsForgottenInTheEnd)
{
	make(512);
	for (uint64_t n = 0; n < INDEX_WAYS; n++)
		for (int i = 0; i < 5; i++)
			put(n, i > 0);
	for (uint64_t n = 1000; n < 1000 + 3 * INDEX_WAYS; n++)
		put(n);
	for (uint64_t n = 0; n < INDEX_WAYS; n++)
		EXPECT_FALSE(known(n)) << n;
}

TEST_F(DedupIndex, AScanDoesNotDriveOutWhatRepeats)
{
	make(1 << 20);
	const uint64_t hot = stats.capacity / 4;
	uint64_t found = 0, asked = 0, cold = 1u << 30;

	for (unsigned int round = 0; round < 16; round++)
		for (uint64_t n = 0; n < hot; n++) {
			bool hit = access(n);

			if (round >= 12) {
				asked++;
				found += hit;
			}
			for (int i = 0; i < 3; i++)
				put(cold++);
		}
	/* Blocks come back after as many others as the index can know. */
	EXPECT_GT(cold - (1u << 30), 8 * stats.capacity);
	EXPECT_GT((double)found / (double)asked, 0.92);
}

TEST_F(DedupIndex, ZipfTrafficFindsNearlyWhatTheBestTableOfItsSizeWould)
{
	make(1 << 20);
	const uint64_t universe = stats.capacity * 10;
	std::vector<double> cdf(universe);
	std::mt19937_64 rng(5);
	double sum = 0;

	for (uint64_t n = 0; n < universe; n++)
		cdf[n] = sum += 1 / std::pow((double)(n + 1), 0.9);
	std::uniform_real_distribution<double> uniform(0, sum);
	const unsigned int warm = 600000, total = 1000000;
	uint64_t found = 0;

	for (unsigned int i = 0; i < total; i++) {
		auto n = (uint64_t)(std::lower_bound(cdf.begin(), cdf.end(), uniform(rng)) - cdf.begin());
		bool hit = access(n);

		found += i >= warm && hit;
	}
	/* The best one keeps the most frequent for ever. */
	double best = cdf[stats.capacity - 1] / sum, got = (double)found / (total - warm);

	RecordProperty("hit_ratio_permille", (int)(got * 1000));
	RecordProperty("best_permille", (int)(best * 1000));
	EXPECT_GT(got, 0.88 * best) << got << " of " << best;
	EXPECT_LE(stats.entries, stats.capacity);
}

TEST_F(DedupIndex, ClearedIsEmptyAndStaysUsable)
{
	make(1 << 16);
	/* Once round the epochs, and more. */
	for (uint64_t round = 0; round < 600; round++) {
		for (uint64_t n = round; n < round + 5; n++) {
			EXPECT_FALSE(known(n)) << round;
			put(n);
		}
		EXPECT_EQ(5u, stats.entries);
		dedup_index_clear(ix);
		EXPECT_EQ(0u, stats.entries);
	}
	uint8_t out[INDEX_WAYS][STRAKE_ADVICE_FP], heat[INDEX_WAYS];
	index_entry e[INDEX_WAYS];

	for (uint32_t b = 0; b < ix->buckets; b++)
		EXPECT_EQ(0u, dedup_index_bucket_read(ix, b, out, e, heat));
}

TEST_F(DedupIndex, TheSmallestHasOneBucket)
{
	make(1);
	EXPECT_EQ(INDEX_WAYS, stats.capacity);
	EXPECT_EQ(512u, stats.bytes);
	put(1);
	EXPECT_TRUE(known(1));
}

TEST_F(DedupIndex, NoMemoryIsAnError)
{
	static const uint8_t uuid[16] = {1};
	dedup_stats s = {};
	dedup_index *none = nullptr;

	EXPECT_EQ(-ENOMEM, dedup_index_create(&none, 1ULL << 40, DEDUP_SHA256, uuid, "d", &s));
	EXPECT_EQ(nullptr, none);
}
