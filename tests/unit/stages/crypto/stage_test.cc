/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "crypto_fixture.h"
#include "crypto_sink.h"
#include "stages/crypto/crypto.h"
#include "tests/unit/pipeline/world.h"

extern "C" {
#include "conf_key.h"
#include "strake_chain.h"
}

namespace
{

const uint64_t kStore = 16u << 20;

/** Chunks through crypto to the sink, by a real chain. */
class CryptoStage : public World
{
      protected:
	void
	SetUp() override
	{
		std::string key;

		for (int i = 0; i < 64; i++)
			key += (char)(200 - i);
		file.reset(new TempFile(key));
		start(2);
		ASSERT_EQ(0, crypto_sink_init(kStore));
		st = make("v0.crypto", file->path);
		ASSERT_NE(nullptr, st);
		char err[200];
		ASSERT_EQ(0,
			  strake_stage_create(&sink, strake_stage_find("sink"), "sink", nullptr, -1, err, sizeof(err)));
		strake_stage *both[] = {st, sink};
		ASSERT_EQ(0, strake_chain_create(&chain, "v0", STRAKE_UNIT_CHUNK, both, 2, err, sizeof(err))) << err;
		for (uint16_t i = 1; i < lcores; i++) {
			strake_lcore_enter(i);
			ASSERT_EQ(0, strake_stage_lcore_init(st));
			ASSERT_EQ(0, strake_stage_lcore_init(sink));
		}
		strake_lcore_enter(1);
	}

	void
	TearDown() override
	{
		crypto_sink_fini();
		strake_chain_destroy(chain);
		for (uint16_t i = 1; i < lcores; i++) {
			strake_lcore_enter(i);
			strake_stage_lcore_fini(st);
			strake_stage_lcore_fini(sink);
		}
		strake_stage_destroy(st);
		strake_stage_destroy(sink);
		conf_values_free(values);
		World::TearDown();
	}

	strake_stage *
	make(const char *name, const std::string &path)
	{
		const strake_stage_ops *ops = strake_stage_find("crypto");
		const char *pairs[] = {"key_file", path.c_str(), nullptr};
		char err[200] = "";
		strake_stage *out = nullptr;

		values = conf_values_make(ops->keys, pairs, err, sizeof(err));
		EXPECT_NE(nullptr, values) << err;
		EXPECT_EQ(0, strake_stage_create(&out, ops, name, values, -1, err, sizeof(err))) << err;
		return out;
	}

	static void
	ended(strake_unit *u)
	{
		*(bool *)u->arg = true;
	}

	strake_chunk *
	chunk(uint8_t op, uint64_t lba, uint32_t nlb, bool *done)
	{
		strake_chunk *c = strake_chunk_alloc(false);

		c->u.op = op;
		c->u.lba = lba;
		c->u.nlb = nlb;
		c->lba_shift = shift;
		c->u.done = ended;
		c->u.arg = done;
		*done = false;
		if (op == STRAKE_OP_READ || op == STRAKE_OP_WRITE)
			c->u.nbytes = nlb << shift;
		return c;
	}

	void
	begin(strake_chunk *c)
	{
		strake_unit *u = &c->u;

		strake_chain_begin(chain, &u, 1);
	}

	/** Payload as a list of read-only pieces of at most @p piece bytes; the bytes must outlive it. */
	static strake_buf *
	pieces(std::vector<uint8_t> &bytes, size_t piece)
	{
		static const strake_backing test = {"test", nullptr};
		strake_buf *list = nullptr, **end = &list;

		for (size_t at = 0; at < bytes.size(); at += piece) {
			*end = strake_buf_wrap(&bytes[at], (uint32_t)std::min(piece, bytes.size() - at), &test, nullptr,
					       STRAKE_BUF_STABLE);
			end = &(*end)->next;
		}
		return list;
	}

	int
	write(uint64_t lba, std::vector<uint8_t> &bytes, size_t piece = 1 << 20)
	{
		bool done;
		strake_chunk *c = chunk(STRAKE_OP_WRITE, lba, (uint32_t)(bytes.size() >> shift), &done);

		c->u.bufs = pieces(bytes, piece);
		begin(c);
		turn(2);
		EXPECT_TRUE(done);
		int status = c->u.status;
		strake_lcore_enter(1);
		strake_chunk_free(c);
		return status;
	}

	int
	read(uint64_t lba, size_t len, std::vector<uint8_t> *out)
	{
		bool done;
		strake_chunk *c = chunk(STRAKE_OP_READ, lba, (uint32_t)(len >> shift), &done);

		begin(c);
		turn(2);
		EXPECT_TRUE(done);
		int status = c->u.status;
		if (status == 0) {
			out->resize(len);
			EXPECT_EQ(len, strake_buf_list_len(c->u.bufs));
			EXPECT_EQ(0, strake_buf_copy_out(c->u.bufs, 0, out->data(), (uint32_t)len));
		}
		strake_lcore_enter(1);
		strake_chunk_free(c);
		return status;
	}

	static std::vector<uint8_t>
	random_bytes(size_t len, unsigned int seed = 1)
	{
		std::mt19937 rng(seed);
		std::vector<uint8_t> v(len);

		for (auto &b : v)
			b = (uint8_t)rng();
		return v;
	}

	xts_stats
	stats()
	{
		xts_stats s;

		crypto_stats(st, &s);
		return s;
	}

	std::unique_ptr<TempFile> file;
	strake_stage *st = nullptr, *sink = nullptr;
	strake_chain *chain = nullptr;
	conf_values *values = nullptr;
	uint32_t shift = 12;
};

} // namespace

TEST_F(CryptoStage, SaysThatItWillTouchWhatIsRead)
{
	std::vector<uint8_t> data = random_bytes(4096), back;

	ASSERT_EQ(0, write(16, data));
	EXPECT_FALSE(crypto_sink.flags & STRAKE_UNIT_TOUCHED) << "a drive has nothing to fetch for a write";
	ASSERT_EQ(0, read(16, data.size(), &back));
	EXPECT_TRUE(crypto_sink.flags & STRAKE_UNIT_TOUCHED);
}

TEST_F(CryptoStage, WhatWasWrittenIsReadAndIsNotWhatIsStored)
{
	std::vector<uint8_t> data = random_bytes(65536), back;

	ASSERT_EQ(0, write(16, data));
	EXPECT_NE(0, memcmp(data.data(), crypto_sink.bytes + (16 << 12), 4096));
	ASSERT_EQ(0, read(16, data.size(), &back));
	EXPECT_EQ(data, back);
	ASSERT_EQ(0, read(19, 8192, &back));
	EXPECT_EQ(0, memcmp(&data[3 * 4096], back.data(), 8192));
	EXPECT_EQ(0u, crypto_sink.bad_bufs);
	EXPECT_EQ(65536u, stats().encrypted);
	EXPECT_EQ(65536u + 8192, stats().decrypted);
	EXPECT_EQ(0u, stats().gathered);
}

TEST_F(CryptoStage, EqualBlocksDifferByTheirAddress)
{
	std::vector<uint8_t> data(8192, 5);

	ASSERT_EQ(0, write(0, data));
	EXPECT_NE(0, memcmp(crypto_sink.bytes, crypto_sink.bytes + 4096, 4096));
}

TEST_F(CryptoStage, TheDataUnitIsTheLogicalBlock)
{
	std::vector<uint8_t> data = random_bytes(4096), back;
	std::vector<uint8_t> large(4096);

	ASSERT_EQ(0, write(0, data));
	memcpy(large.data(), crypto_sink.bytes, 4096);
	shift = 9;
	ASSERT_EQ(0, write(0, data));
	EXPECT_EQ(0, memcmp(large.data(), crypto_sink.bytes, 512)) << "block 0 begins the same in both";
	EXPECT_NE(0, memcmp(&large[512], crypto_sink.bytes + 512, 512));
	ASSERT_EQ(0, read(0, 4096, &back));
	EXPECT_EQ(data, back);
	ASSERT_EQ(0, read(3, 512, &back));
	EXPECT_EQ(0, memcmp(&data[1536], back.data(), 512));
}

TEST_F(CryptoStage, PiecesOfAnySizeAreGatheredAndCounted)
{
	for (uint32_t s : {9u, 12u})
		for (size_t piece : {3u, 7u, 100u, 511u, 513u, 1460u, 4095u, 4097u, 8192u, 10000u, 65535u}) {
			shift = s;
			std::vector<uint8_t> data = random_bytes(32768, (unsigned int)piece), back;
			uint64_t before = stats().gathered;

			if (32768 / piece > 4000)
				data.resize(2 << s);
			ASSERT_EQ(0, write(8, data, piece)) << piece;
			if (piece % (1u << s) == 0 || piece >= data.size())
				EXPECT_EQ(before, stats().gathered) << piece;
			else
				EXPECT_LT(before, stats().gathered) << piece;
			for (crypto_sink_form form : {CRYPTO_SINK_PAGES, CRYPTO_SINK_SHARED, CRYPTO_SINK_LENT}) {
				crypto_sink.form = form;
				crypto_sink.piece = piece < 1000 ? 1000 : (uint32_t)piece;
				ASSERT_EQ(0, read(8, data.size(), &back)) << piece;
				ASSERT_EQ(data, back) << piece << " form " << form;
			}
			std::vector<uint8_t> stored(crypto_sink.bytes + (8 << s),
						    crypto_sink.bytes + (8 << s) + data.size());
			crypto_sink_reset();
			ASSERT_EQ(0, write(8, data));
			ASSERT_EQ(0, memcmp(stored.data(), crypto_sink.bytes + (8 << s), stored.size())) << piece;
		}
}

TEST_F(CryptoStage, PayloadsLongerThanAPage)
{
	std::vector<uint8_t> data = random_bytes(384 * 1024), back;

	ASSERT_EQ(0, write(1, data, 1460));
	ASSERT_EQ(0, read(1, data.size(), &back));
	EXPECT_EQ(data, back);
	crypto_sink.form = CRYPTO_SINK_LENT;
	ASSERT_EQ(0, read(1, data.size(), &back));
	EXPECT_EQ(data, back);
}

TEST_F(CryptoStage, DecryptsInPlaceOnlyWhatIsItsAlone)
{
	std::vector<uint8_t> data = random_bytes(16384), back, stored;

	ASSERT_EQ(0, write(0, data));
	stored.assign(crypto_sink.bytes, crypto_sink.bytes + 16384);
	ASSERT_EQ(0, read(0, 16384, &back));
	EXPECT_EQ(0u, stats().moved) << "pages of its own";
	crypto_sink.form = CRYPTO_SINK_LENT;
	ASSERT_EQ(0, read(0, 16384, &back));
	EXPECT_EQ(data, back);
	EXPECT_EQ(16384u, stats().moved);
	EXPECT_EQ(0, memcmp(stored.data(), crypto_sink.bytes, 16384)) << "what lies on the drive is not touched";
	crypto_sink.form = CRYPTO_SINK_SHARED;
	ASSERT_EQ(0, read(0, 16384, &back));
	EXPECT_EQ(data, back);
	EXPECT_EQ(32768u, stats().moved);
	EXPECT_EQ(0, memcmp(stored.data(), crypto_sink.kept->addr, 16384)) << "nor what another holds";
	crypto_sink.form = CRYPTO_SINK_PAGES;
	crypto_sink.piece = 1024;
	ASSERT_EQ(0, read(0, 16384, &back));
	EXPECT_EQ(data, back);
	EXPECT_EQ(49152u, stats().moved) << "blocks spread over bufs";
}

TEST_F(CryptoStage, HolesReadAsZeroes)
{
	std::vector<uint8_t> data = random_bytes(16384), back, zeroes(4096);

	ASSERT_EQ(0, write(0, data));
	for (uint8_t op : {STRAKE_OP_WRITE_ZEROES, STRAKE_OP_DEALLOCATE}) {
		bool done;
		strake_chunk *c = chunk(op, op == STRAKE_OP_WRITE_ZEROES ? 1 : 3, 1, &done);

		begin(c);
		turn(2);
		ASSERT_TRUE(done);
		strake_lcore_enter(1);
		strake_chunk_free(c);
		EXPECT_EQ(1u, crypto_sink.ops[op]) << "passed as it is";
	}
	for (crypto_sink_form form : {CRYPTO_SINK_PAGES, CRYPTO_SINK_LENT}) {
		crypto_sink.form = form;
		ASSERT_EQ(0, read(0, 16384, &back));
		EXPECT_EQ(0, memcmp(&data[0], &back[0], 4096));
		EXPECT_EQ(0, memcmp(zeroes.data(), &back[4096], 4096));
		EXPECT_EQ(0, memcmp(&data[8192], &back[8192], 4096));
		EXPECT_EQ(0, memcmp(zeroes.data(), &back[12288], 4096));
	}
	EXPECT_EQ(16384u, stats().holes);
	/* Zeroes that a host wrote are no hole. */
	ASSERT_EQ(0, write(1, zeroes));
	EXPECT_NE(0, memcmp(zeroes.data(), crypto_sink.bytes + 4096, 4096));
	ASSERT_EQ(0, read(1, 4096, &back));
	EXPECT_EQ(zeroes, back);
}

TEST_F(CryptoStage, AFailedReadIsNotDecrypted)
{
	std::vector<uint8_t> back;

	crypto_sink.status = -EIO;
	EXPECT_EQ(-EIO, read(0, 4096, &back));
	EXPECT_EQ(0u, stats().decrypted + stats().holes);
}

TEST_F(CryptoStage, WholeBursts)
{
	std::vector<std::vector<uint8_t>> data;
	std::vector<strake_unit *> units;
	bool done[STRAKE_BURST];

	for (unsigned int i = 0; i < STRAKE_BURST; i++) {
		strake_chunk *c = chunk(STRAKE_OP_WRITE, i * 2, 2, &done[i]);

		data.push_back(random_bytes(8192, i));
		c->u.bufs = pieces(data.back(), 1000 + i);
		units.push_back(&c->u);
	}
	strake_chain_begin(chain, units.data(), STRAKE_BURST);
	turn(2);
	strake_lcore_enter(1);
	for (unsigned int i = 0; i < STRAKE_BURST; i++) {
		std::vector<uint8_t> back;

		EXPECT_TRUE(done[i]);
		EXPECT_EQ(0, units[i]->status);
		strake_chunk_free(strake_chunk_of(units[i]));
		ASSERT_EQ(0, read(i * 2, 8192, &back));
		EXPECT_EQ(data[i], back);
	}
}

/* All pages of the arena, until they are given back. */
static std::vector<strake_buf *>
take_all_pages()
{
	std::vector<strake_buf *> all;

	for (uint32_t len : {131072u, 65536u, 16384u, 4096u})
		while (strake_buf *b = strake_buf_page(len))
			all.push_back(b);
	return all;
}

static void
give_back(std::vector<strake_buf *> &all)
{
	for (strake_buf *b : all)
		strake_buf_put(b);
	all.clear();
}

TEST_F(CryptoStage, AWriteWithoutPagesIsOfferedAgainUnchanged)
{
	std::vector<uint8_t> data = random_bytes(200 * 1024), back;
	std::vector<strake_buf *> all = take_all_pages();
	bool done;
	strake_chunk *c = chunk(STRAKE_OP_WRITE, 4, (uint32_t)(data.size() >> 12), &done);
	strake_buf *list = pieces(data, 1000);

	c->u.bufs = list;
	begin(c);
	turn(3);
	EXPECT_FALSE(done);
	EXPECT_EQ(list, c->u.bufs);
	EXPECT_EQ(data.size(), strake_buf_list_len(c->u.bufs));
	EXPECT_EQ(0u, crypto_sink.ops[STRAKE_OP_WRITE]);
	EXPECT_GE(st->stats[1].retry, 2u);
	/* One page is not enough for two. */
	strake_lcore_enter(1);
	strake_buf_put(all.front());
	all.erase(all.begin());
	turn(2);
	EXPECT_FALSE(done);
	strake_lcore_enter(1);
	give_back(all);
	turn(3);
	ASSERT_TRUE(done);
	EXPECT_EQ(0, c->u.status);
	strake_lcore_enter(1);
	strake_chunk_free(c);
	ASSERT_EQ(0, read(4, data.size(), &back));
	EXPECT_EQ(data, back);
}

TEST_F(CryptoStage, ReadsWithoutPagesWaitInOrderAndEndOnce)
{
	std::vector<uint8_t> data = random_bytes(32768);

	ASSERT_EQ(0, write(0, data));
	crypto_sink.form = CRYPTO_SINK_LENT;
	std::vector<strake_buf *> all = take_all_pages();
	static std::vector<unsigned int> order;
	strake_chunk *c[8];
	bool done[8];

	order.clear();
	for (unsigned int i = 0; i < 8; i++) {
		c[i] = chunk(STRAKE_OP_READ, i, 1, &done[i]);
		c[i]->u.tag = i;
		c[i]->u.done = [](strake_unit *u) {
			order.push_back(u->tag);
			*(bool *)u->arg = true;
		};
		begin(c[i]);
	}
	turn(3);
	EXPECT_TRUE(order.empty());
	EXPECT_FALSE(st->ops->drain == nullptr);
	strake_lcore_enter(1);
	EXPECT_FALSE(st->ops->drain(st));
	give_back(all);
	turn(3);
	strake_lcore_enter(1);
	EXPECT_TRUE(st->ops->drain(st));
	EXPECT_EQ((std::vector<unsigned int>{0, 1, 2, 3, 4, 5, 6, 7}), order);
	for (unsigned int i = 0; i < 8; i++) {
		uint8_t back[4096];

		EXPECT_EQ(0, c[i]->u.status);
		EXPECT_EQ(0, strake_buf_copy_out(c[i]->u.bufs, 0, back, 4096));
		EXPECT_EQ(0, memcmp(&data[i * 4096], back, 4096));
		strake_chunk_free(c[i]);
	}
}

TEST_F(CryptoStage, EachLcoreHasContextsOfItsOwn)
{
	std::vector<uint8_t> data = random_bytes(8192);
	strake_chunk *c;
	bool done;

	ASSERT_NE(st->lc[1], st->lc[2]);
	ASSERT_EQ(nullptr, st->lc[0]);
	ASSERT_EQ(0, write(0, data));
	strake_lcore_enter(2);
	c = chunk(STRAKE_OP_READ, 0, 2, &done);
	begin(c);
	turn(2);
	ASSERT_TRUE(done);
	uint8_t back[8192];
	EXPECT_EQ(0, strake_buf_copy_out(c->u.bufs, 0, back, 8192));
	EXPECT_EQ(0, memcmp(data.data(), back, 8192));
	strake_lcore_enter(2);
	strake_chunk_free(c);
}

TEST_F(CryptoStage, APayloadThatIsTooShortFails)
{
	std::vector<uint8_t> data(4096);
	bool done;
	strake_chunk *c = chunk(STRAKE_OP_WRITE, 0, 2, &done);

	c->u.bufs = pieces(data, 4096);
	begin(c);
	turn(2);
	ASSERT_TRUE(done);
	EXPECT_EQ(-EINVAL, c->u.status);
	EXPECT_EQ(0u, crypto_sink.ops[STRAKE_OP_WRITE]);
	strake_lcore_enter(1);
	strake_chunk_free(c);
}

TEST_F(CryptoStage, IsNotMadeFromABadKeyFile)
{
	TempFile bad("short");
	const char *pairs[] = {"key_file", bad.path.c_str(), nullptr};
	char err[200] = "";
	conf_values *v = conf_values_make(strake_stage_find("crypto")->keys, pairs, err, sizeof(err));
	strake_stage *out = nullptr;

	EXPECT_EQ(-EINVAL, strake_stage_create(&out, strake_stage_find("crypto"), "x", v, -1, err, sizeof(err)));
	EXPECT_NE(nullptr, strstr(err, "expected a key of 64 bytes")) << err;
	EXPECT_EQ(nullptr, out);
	conf_values_free(v);
}
