/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/sha.h>

extern "C" {
#include <rte_memory.h>

#include "stages/dedup/fingerprint.h"
}

namespace
{

struct Batch {
	std::vector<uint8_t> bytes, fp;
	std::vector<dedup_job> jobs;

	Batch(unsigned int n, unsigned int seed, size_t misalign = 0)
	    : bytes(n * 4096 + misalign), fp((n + 1) * STRAKE_ADVICE_FP, 0xee)
	{
		std::mt19937 rng(seed);

		for (auto &b : bytes)
			b = (uint8_t)rng();
		for (unsigned int i = 0; i < n; i++)
			jobs.push_back({&bytes[i * 4096 + misalign], &fp[i * STRAKE_ADVICE_FP]});
	}
};

void
hold_against_openssl(dedup_hasher *h, const char *what)
{
	for (unsigned int n = 1; n <= DEDUP_BATCH; n++) {
		Batch b(n, n, n % 17);

		ASSERT_EQ(0, dedup_hasher_run(h, b.jobs.data(), n, 0));
		for (unsigned int i = 0; i < n; i++) {
			uint8_t digest[32];

			SHA256(b.jobs[i].block, 4096, digest);
			ASSERT_EQ(0, memcmp(digest, b.jobs[i].fp, STRAKE_ADVICE_FP)) << what << " " << n << ": " << i;
		}
		EXPECT_EQ(0xee, b.fp[n * STRAKE_ADVICE_FP]) << "wrote beyond a fingerprint";
	}
}

} // namespace

TEST(DedupFingerprint, EveryEngineGivesTheSameForEveryBatch)
{
	dedup_hasher *h;

	ASSERT_EQ(0, dedup_hasher_create(&h, DEDUP_SHA256, SOCKET_ID_ANY));
	hold_against_openssl(h, dedup_hasher_name(h));
	dedup_hasher_without(h, true, false);
	hold_against_openssl(h, dedup_hasher_name(h));
	dedup_hasher_without(h, true, true);
	EXPECT_STREQ("openssl", dedup_hasher_name(h));
	hold_against_openssl(h, dedup_hasher_name(h));
	dedup_hasher_destroy(h);
}

TEST(DedupFingerprint, TheFastHashIsAFixedFunctionOfTheBytes)
{
	dedup_hasher *h;
	Batch b(2, 1);
	/* Saved indexes hold these: a block of the bytes 0, 1, 2, ... 255, 0, 1, ... */
	static const uint8_t golden[STRAKE_ADVICE_FP] = {0x51, 0x91, 0x87, 0x07, 0x37, 0x7c, 0x4b, 0xeb,
							 0x66, 0x7a, 0x9f, 0x96, 0x78, 0x65, 0x91, 0x03};

	ASSERT_EQ(0, dedup_hasher_create(&h, DEDUP_FAST, SOCKET_ID_ANY));
	for (unsigned int i = 0; i < 4096; i++)
		b.bytes[i] = (uint8_t)i;
	ASSERT_EQ(0, dedup_hasher_run(h, b.jobs.data(), 2, 0));
	EXPECT_EQ(0, memcmp(golden, b.jobs[0].fp, STRAKE_ADVICE_FP));
	EXPECT_NE(0, memcmp(b.jobs[0].fp, b.jobs[1].fp, 16));
	EXPECT_EQ(0xee, b.fp[2 * STRAKE_ADVICE_FP]);
	dedup_hasher_destroy(h);
}

TEST(DedupFingerprint, OneBitMakesAnother)
{
	for (dedup_kind kind : {DEDUP_SHA256, DEDUP_FAST}) {
		dedup_hasher *h;
		Batch b(2, 7);

		ASSERT_EQ(0, dedup_hasher_create(&h, kind, SOCKET_ID_ANY));
		for (unsigned int bit : {0u, 9u, 4096u * 8 - 1, 2048u * 8}) {
			memcpy(&b.bytes[4096], &b.bytes[0], 4096);
			ASSERT_EQ(0, dedup_hasher_run(h, b.jobs.data(), 2, 0));
			EXPECT_EQ(0, memcmp(b.jobs[0].fp, b.jobs[1].fp, STRAKE_ADVICE_FP));
			b.bytes[4096 + bit / 8] ^= (uint8_t)(1 << bit % 8);
			ASSERT_EQ(0, dedup_hasher_run(h, b.jobs.data(), 2, 0));
			EXPECT_NE(0, memcmp(b.jobs[0].fp, b.jobs[1].fp, STRAKE_ADVICE_FP)) << kind << " bit " << bit;
		}
		dedup_hasher_destroy(h);
	}
}
