/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <openssl/sha.h>

#include "fixture.h"

extern "C" {
#include "stages/dedup/fingerprint.h"
}

using DedupStage = DedupWorld;

static Bytes
sha(const uint8_t *block)
{
	uint8_t digest[32];

	SHA256(block, 4096, digest);
	return Bytes(digest, digest + STRAKE_ADVICE_FP);
}

static Bytes
fp_of(const strake_advice_block &b)
{
	return Bytes(b.fp, b.fp + STRAKE_ADVICE_FP);
}

TEST_F(DedupStage, SameBytesAreSharedOverAllVolumesOfADomain)
{
	Vol *v = volume({}), *w = volume({});
	Bytes data = random_bytes(32768, 1);

	ASSERT_EQ(0, write(v, 0, data));
	EXPECT_EQ(8u, dedup_store.stored);
	ASSERT_EQ(0, write(v, 100, data));
	ASSERT_EQ(0, write(w, 7, data));
	EXPECT_EQ(8u, dedup_store.stored);
	EXPECT_EQ(16u, dedup_store.shared);
	EXPECT_EQ(16u, stats(v).confirmed);
	EXPECT_EQ(16u, stats(w).hits) << "one index, one account";
	EXPECT_EQ(24u, stats(v).lookups);
	EXPECT_EQ(8u, stats(v).entries);
	EXPECT_EQ(DEDUP_ADVICE, advice_left(v));
}

TEST_F(DedupStage, NeverAcrossDomainsNorStores)
{
	Vol *v = volume({});
	Options other_domain, other_store;

	other_domain.domain = "b";
	other_store.store = kStoreB;
	Vol *w = volume(other_domain), *x = volume(other_store);
	Bytes data = random_bytes(32768, 1);

	for (Vol *each : {v, w, x})
		ASSERT_EQ(0, write(each, 0, data));
	EXPECT_EQ(24u, dedup_store.stored);
	for (const auto &s : dedup_store.seen)
		EXPECT_EQ(0u, s.in.where);
	EXPECT_EQ(8u, stats(w).entries);
	EXPECT_EQ(8u, stats(x).entries);
}

TEST_F(DedupStage, EveryCutOfTheBytesGivesTheFingerprintOfTheFlatOnes)
{
	Vol *v = volume({});
	Bytes data = random_bytes(65536, 2);

	for (size_t piece : {1u, 7u, 63u, 512u, 1448u, 4095u, 4096u, 4097u, 5000u, 8192u, 8948u, 65535u, 65536u}) {
		size_t len = piece < 64 ? 8192 : data.size();
		Bytes part(data.begin(), data.begin() + (long)len);
		uint64_t gathered = stats(v).gathered;

		if (piece == 1)
			part.resize(4096);
		dedup_store.seen.clear();
		ASSERT_EQ(0, write(v, 0, part, piece)) << piece;
		ASSERT_EQ(part.size() / 4096, dedup_store.seen.size());
		for (size_t i = 0; i < dedup_store.seen.size(); i++) {
			EXPECT_TRUE(dedup_store.seen[i].in.valid);
			EXPECT_EQ(sha(&part[i * 4096]), fp_of(dedup_store.seen[i].in)) << piece << " block " << i;
		}
		if (piece % 4096 == 0)
			EXPECT_EQ(gathered, stats(v).gathered) << "no copy where a block lies in one piece: " << piece;
		else
			EXPECT_LT(gathered, stats(v).gathered);
	}
}

TEST_F(DedupStage, OnlyWholeAlignedBlocksHaveFingerprints)
{
	Options o;

	o.shift = 9;
	Vol *v = volume(o);
	Bytes data = random_bytes(131072, 3);

	struct {
		uint64_t lba;
		uint32_t len;
		std::vector<int> valid; /* by block touched */
	} cases[] = {
		{0, 512, {0}},		 {1, 4096, {0, 0}},
		{0, 4096, {1}},		 {7, 512 + 4096 + 512, {0, 1, 0}},
		{8, 8192, {1, 1}},	 {9, 7 * 512 + 8192, {0, 1, 1}},
		{8, 4096 + 512, {1, 0}}, {15, 1024, {0, 0}},
	};
	for (const auto &c : cases)
		for (size_t piece : {100000u, 300u}) {
			Bytes part(data.begin(), data.begin() + c.len);

			dedup_store.seen.clear();
			dedup_store.bare = 0;
			ASSERT_EQ(0, write(v, c.lba, part, piece));
			if (std::find(c.valid.begin(), c.valid.end(), 1) == c.valid.end()) {
				EXPECT_EQ(1u, dedup_store.bare);
				continue;
			}
			ASSERT_EQ(c.valid.size(), dedup_store.seen.size()) << c.lba;
			uint32_t off = (uint32_t)((8 - c.lba % 8) % 8 * 512);
			for (size_t i = 0; i < c.valid.size(); i++) {
				EXPECT_EQ(c.valid[i], dedup_store.seen[i].in.valid) << c.lba << " block " << i;
				if (!c.valid[i])
					continue;
				EXPECT_EQ(sha(&part[off]), fp_of(dedup_store.seen[i].in)) << c.lba;
				off += 4096;
			}
		}
}

TEST_F(DedupStage, TheLongestRequestAndLonger)
{
	Options o;

	o.shift = 9;
	Vol *v = volume(o);
	Bytes data = random_bytes(131072 + 8192, 4);

	ASSERT_EQ(0, write(v, 0, Bytes(data.begin(), data.begin() + 131072)));
	EXPECT_EQ(32u, stats(v).entries);
	ASSERT_EQ(0, write(v, 8, data));
	EXPECT_EQ(32u, dedup_store.shared) << "what lies beyond the advice is written as it is";
	EXPECT_EQ(34u, dedup_store.stored);
	EXPECT_EQ(2u, stats(v).uncovered);
	/* Touches 33 blocks, 31 of them whole. */
	dedup_store.seen.clear();
	ASSERT_EQ(0, write(v, 1, Bytes(data.begin(), data.begin() + 131072)));
	EXPECT_EQ(32u, dedup_store.seen.size());
	EXPECT_FALSE(dedup_store.seen[0].in.valid);
	EXPECT_TRUE(dedup_store.seen[31].in.valid);
	EXPECT_EQ(4u, stats(v).uncovered);
}

TEST_F(DedupStage, ZeroesAreMarkedAndNotKnown)
{
	Vol *v = volume({});
	Bytes data(16384);

	data[4096] = 0;
	data[4096 + 4095] = 1; /* zeroes but for the last byte */
	memcpy(&data[12288], "x", 1);
	for (size_t piece : {100000u, 1000u}) {
		dedup_store.seen.clear();
		ASSERT_EQ(0, write(v, 0, data, piece));
		for (size_t i = 0; i < 4; i++) {
			EXPECT_EQ(i % 2 == 0, dedup_store.seen[i].in.zero) << i;
			EXPECT_EQ(i % 2 == 1, dedup_store.seen[i].in.valid) << i;
		}
	}
	EXPECT_EQ(4u, stats(v).zeroes);
	EXPECT_EQ(2u, stats(v).entries);
}

TEST_F(DedupStage, BytesThatAPeerMayChangeAreNotAdvisedOn)
{
	Vol *v = volume({});
	Bytes data = random_bytes(8192, 5);

	for (size_t piece : {100000u, 4096u, 1000u}) {
		ASSERT_EQ(0, write(v, 0, data, piece, 0));
		EXPECT_EQ(0u, stats(v).lookups) << piece;
	}
	EXPECT_EQ(6u, stats(v).uncovered);
	EXPECT_EQ(0u, stats(v).entries);
	/* One unstable piece spoils its own block only. */
	Bytes a(data.begin(), data.begin() + 4096 + 100), b(data.begin() + 4096 + 100, data.end());
	bool done;
	strake_req *r = request(v, STRAKE_OP_WRITE, 0, 8192, &done);

	r->u.bufs = pieces(a, 100000);
	r->u.bufs->next = pieces(b, 100000, 0);
	strake_req_submit(&r, 1);
	turn(2);
	EXPECT_EQ(0, end(r, &done));
	EXPECT_EQ(1u, stats(v).lookups);
	EXPECT_EQ(1u, stats(v).entries);
}

TEST_F(DedupStage, APayloadThatEndsEarlyIsNotReadBeyondItsEnd)
{
	Vol *v = volume({});
	Bytes data = random_bytes(5000, 6);
	bool done;
	strake_req *r = request(v, STRAKE_OP_WRITE, 0, 12288, &done);

	r->u.bufs = pieces(data, 3000);
	strake_req_submit(&r, 1);
	turn(2);
	EXPECT_EQ(0, end(r, &done));
	EXPECT_EQ(1u, stats(v).lookups);
	EXPECT_EQ(DEDUP_ADVICE, advice_left(v));
}

TEST_F(DedupStage, AFailedWriteTeachesNothing)
{
	Vol *v = volume({});
	Bytes data = random_bytes(8192, 7);

	dedup_store.status = -ENOSPC;
	EXPECT_EQ(-ENOSPC, write(v, 0, data));
	EXPECT_EQ(0u, stats(v).entries);
	EXPECT_EQ(DEDUP_ADVICE, advice_left(v));
	dedup_store.status = 0;
	ASSERT_EQ(0, write(v, 0, data));
	dedup_store.status = -EIO;
	EXPECT_EQ(-EIO, write(v, 9, data));
	EXPECT_EQ(2u, stats(v).entries) << "what failed says nothing of what was known";
	dedup_store.status = 0;
	ASSERT_EQ(0, write(v, 20, data));
	EXPECT_EQ(2u, dedup_store.shared);
}

TEST_F(DedupStage, OtherOpsPass)
{
	Vol *v = volume({});
	Bytes data = random_bytes(8192, 8);

	for (uint8_t op : {STRAKE_OP_READ, STRAKE_OP_FLUSH, STRAKE_OP_WRITE_ZEROES, STRAKE_OP_DEALLOCATE,
			   STRAKE_OP_COMPARE, STRAKE_OP_COMPARE_WRITE, STRAKE_OP_VERIFY}) {
		bool done;
		strake_req *r = request(v, op, 0, 8192, &done);

		if (op == STRAKE_OP_COMPARE || op == STRAKE_OP_COMPARE_WRITE)
			r->u.bufs = pieces(data, 8192);
		strake_req_submit(&r, 1);
		turn(2);
		EXPECT_EQ(0, end(r, &done));
	}
	EXPECT_EQ(0u, stats(v).lookups);
	EXPECT_EQ(DEDUP_ADVICE, advice_left(v));
}

TEST_F(DedupStage, ARefusedCandidateDropsOutAndTheNewPlaceTakesItsTurn)
{
	Vol *v = volume({});
	Bytes data = random_bytes(4096, 9);

	ASSERT_EQ(0, write(v, 0, data));
	dedup_store.places[0].freed = true;
	ASSERT_EQ(0, write(v, 1, data));
	EXPECT_EQ(1u, dedup_store.seen[1].in.where);
	EXPECT_EQ(1u, stats(v).stale);
	ASSERT_EQ(0, write(v, 2, data));
	EXPECT_EQ(2u, dedup_store.seen[2].in.where);
	EXPECT_EQ(1u, stats(v).confirmed);
	EXPECT_EQ(1u, stats(v).entries);
}

TEST_F(DedupStage, ACandidateLeftAsItWasIsForgotten)
{
	Vol *v = volume({});
	Bytes data = random_bytes(4096, 9);

	ASSERT_EQ(0, write(v, 0, data));
	dedup_store.places[0].freed = true;
	dedup_store.untouched = true;
	ASSERT_EQ(0, write(v, 1, data));
	EXPECT_EQ(0u, stats(v).entries);
	EXPECT_EQ(1u, stats(v).stale);
	ASSERT_EQ(0, write(v, 2, data));
	EXPECT_EQ(0u, dedup_store.seen[2].in.where);
}

TEST_F(DedupStage, AStoreThatDoesNotSayWhereIsNotGuessedAt)
{
	Vol *v = volume({});
	Bytes data = random_bytes(4096, 9);

	dedup_store.silent = true;
	ASSERT_EQ(0, write(v, 0, data));
	EXPECT_EQ(0u, stats(v).entries);
	dedup_store.silent = false;
	ASSERT_EQ(0, write(v, 0, data));
	EXPECT_EQ(1u, stats(v).entries);
}

TEST_F(DedupStage, TheIndexFollowsABlockIntoTheShareTable)
{
	Vol *v = volume({});
	Bytes data = random_bytes(4096, 9);

	dedup_store.fold = true;
	ASSERT_EQ(0, write(v, 0, data));
	ASSERT_EQ(0, write(v, 1, data));
	ASSERT_EQ(0, write(v, 2, data));
	EXPECT_EQ(1u, dedup_store.seen[1].in.where);
	EXPECT_EQ(1u | 1ULL << 62, dedup_store.seen[2].in.where);
	EXPECT_EQ(2u, dedup_store.shared);
}

TEST_F(DedupStage, AFastHashIsComparedAndAFalseMatchIsReplaced)
{
	Options o;

	o.fingerprint = "fast";
	Vol *v = volume(o);
	Bytes data = random_bytes(4096, 9);

	ASSERT_EQ(0, write(v, 0, data));
	EXPECT_TRUE(dedup_store.seen[0].compare);
	ASSERT_EQ(0, write(v, 1, data));
	EXPECT_EQ(1u, dedup_store.shared);
	/* As if another block had the same hash. */
	dedup_store.places[0].bytes[17] ^= 1;
	ASSERT_EQ(0, write(v, 2, data));
	EXPECT_EQ(1u, dedup_store.shared);
	EXPECT_EQ(1u, stats(v).differing);
	EXPECT_EQ(0u, stats(v).stale);
	ASSERT_EQ(0, write(v, 3, data));
	EXPECT_EQ(2u, dedup_store.shared) << "the place that came instead is good";
}

/* It goes through the index group by group: no block of none is left out. */
TEST_F(DedupStage, AFastHashFindsEveryBlockOfAnyNumber)
{
	Options o;

	o.fingerprint = "fast";
	Vol *v = volume(o);

	for (unsigned int blocks = 1; blocks <= 32; blocks++) {
		Bytes data = random_bytes(blocks * 4096, 1000 + blocks);

		if (blocks > 9)
			memset(&data[8 * 4096], 0, 4096); /* leaves its batch */
		uint64_t lookups = stats(v).lookups, shared = dedup_store.shared, known = blocks - (blocks > 9);

		ASSERT_EQ(0, write(v, 0, data)) << blocks;
		EXPECT_EQ(shared, dedup_store.shared) << blocks;
		ASSERT_EQ(0, write(v, 64, data)) << blocks;
		EXPECT_EQ(shared + known, dedup_store.shared) << blocks;
		EXPECT_EQ(lookups + 2 * known, stats(v).lookups) << blocks;
	}
}

TEST_F(DedupStage, WholeBurstsOfEverySize)
{
	for (unsigned int n : {1u, 2u, 10u, 11u, 15u, 16u, 17u, 27u, 31u, 63u, 64u})
		for (unsigned int blocks : {1u, 3u, 32u}) {
			Options o;

			o.domain = std::to_string(n) + "x" + std::to_string(blocks);
			Vol *v = volume(o);
			std::vector<Bytes> data;
			std::vector<strake_req *> reqs;
			bool done[STRAKE_BURST];

			dedup_store.seen.clear();
			for (unsigned int i = 0; i < n; i++) {
				strake_req *r = request(v, i % 5 == 4 ? STRAKE_OP_READ : STRAKE_OP_WRITE, i * 40,
							blocks * 4096, &done[i]);

				data.push_back(random_bytes(blocks * 4096, i * 100 + blocks));
				if (r->u.op == STRAKE_OP_WRITE)
					r->u.bufs = pieces(data.back(), i % 3 == 0 ? 131072 : 4096 * blocks - 100);
				reqs.push_back(r);
			}
			strake_req_submit(reqs.data(), (uint16_t)n);
			turn(2);
			strake_lcore_enter(1);
			size_t at = 0;
			for (unsigned int i = 0; i < n; i++) {
				for (unsigned int b = 0; b < blocks && i % 5 != 4; b++, at++) {
					ASSERT_EQ(sha(&data[i][b * 4096]), fp_of(dedup_store.seen[at].in))
						<< n << "x" << blocks << ": " << i << ", " << b;
				}
				EXPECT_EQ(0, end(reqs[i], &done[i]));
			}
			EXPECT_EQ(at, dedup_store.seen.size());
			EXPECT_EQ(at, stats(v).entries);
			EXPECT_EQ(DEDUP_ADVICE, advice_left(v));
		}
}

TEST_F(DedupStage, WithoutAdviceLeftWritesPassAndAreCounted)
{
	Vol *v = volume({});
	Bytes data = random_bytes(4096, 1);
	std::vector<strake_req *> reqs;
	std::vector<char> done(DEDUP_ADVICE + 3);

	dedup_store.hold = true;
	for (unsigned int i = 0; i < done.size(); i++) {
		reqs.push_back(request(v, STRAKE_OP_WRITE, i, 4096, (bool *)&done[i]));
		reqs.back()->u.bufs = pieces(data, 4096);
		strake_req_submit(&reqs.back(), 1);
		strake_lcore_turn(now += 1000);
	}
	EXPECT_EQ(3u, stats(v).starved);
	EXPECT_EQ(3u, dedup_store.bare);
	EXPECT_EQ(0u, advice_left(v));
	strake_lcore_enter(1);
	dedup_store_release();
	turn(3);
	for (unsigned int i = 0; i < done.size(); i++)
		EXPECT_EQ(0, end(reqs[i], (bool *)&done[i]));
	EXPECT_EQ(DEDUP_ADVICE, advice_left(v));
	dedup_store.hold = false;
	ASSERT_EQ(0, write(v, 0, data));
	EXPECT_EQ(3u, stats(v).starved);
}

TEST_F(DedupStage, AnOwnerThatDoesNotFitIsNotKept)
{
	Vol *v = volume({});
	Bytes data = random_bytes(4096, 1);

	dedup_store.lba_offset = 1ULL << INDEX_LBA_BITS;
	ASSERT_EQ(0, write(v, 0, data));
	EXPECT_EQ(0u, stats(v).entries);
	EXPECT_EQ(1u, stats(v).unfit);
	dedup_store.lba_offset = (1ULL << INDEX_LBA_BITS) - 1;
	ASSERT_EQ(0, write(v, 0, data));
	ASSERT_EQ(0, write(v, 1, data));
	EXPECT_EQ(1u, dedup_store.shared);
	EXPECT_EQ((1ULL << INDEX_LBA_BITS) - 1, dedup_store.seen[2].in.owner_lba);
}

TEST_F(DedupStage, WhoWasNeverAttachedLetsEverythingPass)
{
	Options o;

	o.attach = false;
	Vol *v = volume(o);
	Bytes data = random_bytes(8192, 1);

	ASSERT_EQ(0, write(v, 0, data));
	EXPECT_EQ(1u, dedup_store.bare);
	EXPECT_EQ(0u, stats(v).lookups);
	EXPECT_EQ(nullptr, dedup_index_of(v->dedup));
	EXPECT_STREQ("a", dedup_domain_name(v->dedup));
}

TEST_F(DedupStage, TheIndexIsTheStoresLcoresOrTheStagesOwn)
{
	Vol *v = volume({});

	EXPECT_NE(nullptr, v->dedup->lc[1]);
	EXPECT_EQ(nullptr, v->dedup->lc[2]) << "no memory where the store is not";
	Options o;

	o.cpu = 2;
	Vol *w = volume(o);
	EXPECT_EQ(nullptr, w->dedup->lc[1]);
	ASSERT_NE(nullptr, w->dedup->lc[2]);
	Bytes data = random_bytes(8192, 1);

	ASSERT_EQ(0, write(w, 0, data));
	ASSERT_EQ(0, write(w, 8, data));
	EXPECT_EQ(2u, dedup_store.shared);
	EXPECT_EQ(0u, stats(v).lookups);
}

TEST_F(DedupStage, VolumesOfADomainMustAgree)
{
	volume({});
	const strake_stage_ops *ops = strake_stage_find("dedup");
	const char *fast[] = {"domain", "a", "fingerprint", "fast", "index_memory", "1MiB", nullptr};
	const char *large[] = {"domain", "a", "fingerprint", "sha256", "index_memory", "2MiB", nullptr};

	for (const char *const *pairs : {fast, large}) {
		char err[200] = "";
		strake_stage *st = nullptr;
		conf_values *values = conf_values_make(ops->keys, pairs, err, sizeof(err));

		ASSERT_NE(nullptr, values) << err;
		ASSERT_EQ(0, strake_stage_create(&st, ops, "x.dedup", values, -1, err, sizeof(err)));
		EXPECT_EQ(-EINVAL, dedup_attach(st, kStoreA, 1, err, sizeof(err)));
		EXPECT_NE(nullptr, strstr(err, pairs == fast ? "fingerprint" : "index_memory")) << err;
		EXPECT_EQ(0, dedup_attach(st, kStoreB, 1, err, sizeof(err))) << "another store's is another domain";
		strake_stage_destroy(st);
		conf_values_free(values);
	}
}

TEST_F(DedupStage, TheIndexGoesWithTheLastVolumeOfItsDomain)
{
	Vol *v = volume({}), *w = volume({});
	Bytes data = random_bytes(8192, 1);

	ASSERT_EQ(0, write(v, 0, data));
	remove(v);
	strake_lcore_enter(1);
	EXPECT_EQ(2u, stats(w).entries);
	remove(w);
	strake_lcore_enter(1);
	Vol *x = volume({});
	EXPECT_EQ(0u, stats(x).entries);
	EXPECT_EQ(1u << 20, stats(x).bytes);
}

TEST_F(DedupStage, MemoryIsWhatWasConfiguredAndFortyBytesABlock)
{
	Vol *v = volume({});

	EXPECT_EQ(1u << 20, stats(v).bytes);
	EXPECT_GE(stats(v).capacity * 40, stats(v).bytes);
	/* Twice as many blocks as it can know. */
	for (unsigned int i = 0; i < 2 * stats(v).capacity / 32; i++)
		ASSERT_EQ(0, write(v, i * 32, random_bytes(131072, i)));
	EXPECT_EQ(1u << 20, stats(v).bytes);
	EXPECT_LE(stats(v).entries, stats(v).capacity);
	EXPECT_GT(stats(v).entries, stats(v).capacity * 97 / 100);
	EXPECT_EQ(stats(v).entries + stats(v).evictions, stats(v).inserted);
}
