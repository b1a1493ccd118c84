/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "stages/volume/log_format.h"
#include "strake_kernel.h"
}

namespace
{

log_head
sample(uint8_t kind, uint8_t blocks, bool sealed, bool fp)
{
	log_head h = {};

	h.lsn = 0x1122334455667788;
	h.store = 0xaabbccdd;
	h.seg = 12345;
	h.gen = 77;
	h.off = 640;
	h.kind = kind;
	h.has_fp = fp;
	h.seal.serial = 99;
	h.seal.domain = 5;
	h.seal.blocks = blocks;
	h.seal.plain = blocks * LOG_BLOCK;
	h.seal.stored = blocks > 0 ? blocks * 1000u : 480;
	h.seal.codec = STRAKE_CODEC_LZ4;
	if (sealed) {
		h.seal.epoch = 256; /* its low byte is zero */
		h.seal.salt = 9;
		memset(h.seal.nonce, 7, sizeof(h.seal.nonce));
		memset(h.seal.tag, 8, sizeof(h.seal.tag));
	}
	if (kind == LOG_MOVE)
		h.from = log_direct(3, 128, 4224, 0);
	for (unsigned i = 0; i < blocks; i++) {
		h.owner[i] = {1000 + i, 3};
		if (fp)
			memset(h.fp[i], (int)i + 1, STRAKE_ADVICE_FP);
	}
	log_head_measure(&h);
	return h;
}

std::vector<uint8_t>
chunk_of(const log_head &h)
{
	std::vector<uint8_t> b(h.bytes);

	log_head_encode(&h, b.data());
	for (uint32_t i = 0; i < h.seal.stored; i++)
		b[h.head_bytes + i] = (uint8_t)(i * 31);
	log_chunk_seal(b.data(), strake_kernel->crc32c(0, b.data(), b.size()));
	return b;
}

TEST(LogFormat, EntriesKeepWhatTheyAreGiven)
{
	uint64_t e = log_direct((1u << 28) - 1, LOG_SEG_MAX - 64, LOG_CHUNK_MAX, 7);

	EXPECT_EQ((unsigned)LOG_ENTRY_DIRECT, log_entry_kind(e));
	EXPECT_EQ((1u << 28) - 1, log_entry_seg(e));
	EXPECT_EQ(LOG_SEG_MAX - 64, log_entry_off(e));
	EXPECT_EQ(LOG_CHUNK_MAX, log_entry_bytes(e));
	EXPECT_EQ(7u, log_entry_blk(e));
	EXPECT_EQ(log_direct((1u << 28) - 1, LOG_SEG_MAX - 64, LOG_CHUNK_MAX, 0), log_entry_chunk(e));
	e = log_shared(0xfffffffffffe);
	EXPECT_EQ((unsigned)LOG_ENTRY_SHARED, log_entry_kind(e));
	EXPECT_EQ(0xfffffffffffeu, log_entry_id(e));
	EXPECT_EQ((unsigned)LOG_ENTRY_HOLE, log_entry_kind(0));
}

TEST(LogFormat, AHeadSurvivesTheWay)
{
	for (uint8_t kind : {LOG_DATA, LOG_MOVE}) {
		for (int bits = 0; bits < 4; bits++) {
			log_head h = sample(kind, 1 + bits * 2, bits & 1, bits & 2), g;
			auto b = chunk_of(h);

			ASSERT_LE(b.size(), LOG_CHUNK_MAX);
			ASSERT_EQ(0, log_head_decode(&g, b.data(), b.size()));
			EXPECT_TRUE(log_chunk_checks(&g, b.data()));
			EXPECT_EQ(h.lsn, g.lsn);
			EXPECT_EQ(h.from, g.from);
			EXPECT_EQ(h.off, g.off);
			EXPECT_EQ(h.bytes, g.bytes);
			EXPECT_EQ(h.head_bytes, g.head_bytes);
			EXPECT_EQ(b, chunk_of(g)) << "with the seal and all owners";
			for (unsigned int i = 0; i < h.seal.blocks; i++) {
				EXPECT_EQ(h.owner[i].vol, g.owner[i].vol);
				EXPECT_EQ(h.owner[i].lba, g.owner[i].lba);
			}
			EXPECT_EQ(h.seal.serial, g.seal.serial);
			EXPECT_EQ(0, memcmp(h.seal.tag, g.seal.tag, sizeof(h.seal.tag)));
			EXPECT_EQ(0, memcmp(h.fp, g.fp, sizeof(h.fp)));
			EXPECT_EQ(-EAGAIN, log_head_decode(&g, b.data(), LOG_HEAD - 1));
			EXPECT_EQ(-EAGAIN, log_head_decode(&g, b.data(), h.head_bytes - 1));
		}
	}
}

TEST(LogFormat, AFullChunkFits)
{
	log_head h = sample(LOG_MOVE, LOG_RUN, true, true);

	h.seal.stored = LOG_RUN * LOG_BLOCK;
	log_head_measure(&h);
	EXPECT_LE(h.bytes, LOG_CHUNK_MAX);
	EXPECT_LE(h.head_bytes, LOG_HEAD_MAX);
}

TEST(LogFormat, ASmallSynchronousWriteFitsIn8KiB)
{
	log_head h = sample(LOG_DATA, 1, true, true);

	h.seal.stored = LOG_BLOCK;
	log_head_measure(&h);
	EXPECT_LE(LOG_INTENT_HEAD + h.bytes, 8192u);
}

TEST(LogFormat, EveryFlippedBitOfAChunkIsSeen)
{
	log_head h = sample(LOG_DATA, 2, true, true), g;
	auto b = chunk_of(h);

	for (size_t bit = 0; bit < b.size() * 8; bit += bit < 2048 ? 1 : 37) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		EXPECT_FALSE(log_head_decode(&g, b.data(), b.size()) == 0 && g.bytes <= b.size() &&
			     log_chunk_checks(&g, b.data()))
			<< "bit " << bit;
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

TEST(LogFormat, RecordsSurviveAndNonsenseDoesNot)
{
	uint8_t at[LOG_RECORD];
	log_record r = {}, g;

	r.type = LOG_REC_HIT;
	r.vol = 1;
	r.owner_vol = 2;
	r.lba = 3;
	r.n = 4;
	r.place = log_direct(1, 64, 128, 0);
	r.owner_lba = 6;
	log_record_encode(&r, at);
	ASSERT_EQ(0, log_record_decode(&g, at));
	EXPECT_EQ(r.place, g.place);
	EXPECT_EQ(r.owner_lba, g.owner_lba);
	r.place = 0;
	log_record_encode(&r, at);
	EXPECT_EQ(-EINVAL, log_record_decode(&g, at));
	r.type = LOG_REC_TRIM;
	r.lba = UINT64_MAX;
	log_record_encode(&r, at);
	EXPECT_EQ(-EINVAL, log_record_decode(&g, at));
}

TEST(LogFormat, AnIntentIsWholeOrNothing)
{
	std::vector<uint8_t> b(8192);
	log_intent i = {7, 8, 8192}, g;

	for (size_t n = LOG_INTENT_HEAD; n < b.size(); n++)
		b[n] = (uint8_t)n;
	log_intent_seal(&i, b.data());
	EXPECT_EQ(0, log_intent_open(&g, b.data(), b.size()));
	EXPECT_EQ(8u, g.seq);
	EXPECT_EQ(-EAGAIN, log_intent_open(&g, b.data(), 4096));
	EXPECT_EQ(8192u, g.bytes);
	b[5000] ^= 1;
	EXPECT_EQ(-EINVAL, log_intent_open(&g, b.data(), b.size()));
}

TEST(LogFormat, ASuperblockSurvivesAndEveryFlippedBitIsSeen)
{
	uint64_t table[2] = {log_direct(1, 0, 64, 0), log_direct(2, 64, 64, 0)};
	uint32_t next[3] = {4, 5, 6};
	log_volume vol[1] = {};
	log_super s = {}, g;
	const char *why;

	snprintf(vol[0].name, sizeof(vol[0].name), "v0");
	vol[0].bytes = 1ull << 46;
	vol[0].lba_shift = 9;
	vol[0].shared = 17;
	s.seq = 3;
	s.lsn = 4;
	s.segments = LOG_TABLE_ENTRIES + 1;
	s.n_table = 2;
	s.n_next = 3;
	s.n_volumes = 1;
	s.open[2] = {9, 640};
	s.table = table;
	s.next = next;
	s.volume = vol;

	std::vector<uint8_t> b(log_super_bytes(&s));

	log_super_encode(&s, b.data());
	ASSERT_EQ(0, log_super_decode(&g, b.data(), b.size(), &why)) << why;
	EXPECT_EQ(table[1], g.table[1]);
	EXPECT_EQ(6u, g.next[2]);
	EXPECT_EQ(9u, g.open[2].seg);
	EXPECT_STREQ("v0", g.volume[0].name);
	EXPECT_EQ(1ull << 46, g.volume[0].bytes);
	log_super_free(&g);
	EXPECT_EQ(-EINVAL, log_super_decode(&g, b.data(), b.size() - 1, &why));
	for (size_t bit = 0; bit < b.size() * 8; bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		EXPECT_EQ(-EINVAL, log_super_decode(&g, b.data(), b.size(), &why)) << "bit " << bit;
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

} // namespace
