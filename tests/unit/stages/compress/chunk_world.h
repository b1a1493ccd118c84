/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CHUNK_WORLD_H
#define CHUNK_WORLD_H

/* Chunks of a log volume through the stages under test to the sink that keeps them, by a real chain. */

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "seal_sink.h"
#include "tests/unit/pipeline/world.h"

extern "C" {
#include "conf_key.h"
#include "strake_chain.h"
}

class ChunkWorld : public World
{
      protected:
	static constexpr uint32_t kDomain = 7;

	void
	make_sink()
	{
		char err[200];

		ASSERT_EQ(0, strake_stage_create(&sink, strake_stage_find("seal_sink"), "sink", nullptr, -1, err,
						 sizeof(err)));
	}

	/** A stage of @p kind, configured by pairs ended by nullptr. */
	strake_stage *
	make(const char *kind, const char *name, std::vector<const char *> pairs, int lcore = -1, int want = 0)
	{
		const strake_stage_ops *ops = strake_stage_find(kind);
		strake_stage *out = nullptr;

		pairs.push_back(nullptr);
		error[0] = 0;
		values.push_back(conf_values_make(ops->keys, pairs.data(), error, sizeof(error)));
		EXPECT_NE(nullptr, values.back()) << error;
		EXPECT_EQ(want, strake_stage_create(&out, ops, name, values.back(), lcore, error, sizeof(error)))
			<< error;
		return out;
	}

	/** The chain of @p above and the sink, ready on every data lcore. */
	void
	chain_up(std::vector<strake_stage *> above)
	{
		stages = above;
		stages.push_back(sink);
		char err[200];
		ASSERT_EQ(0, strake_chain_create(&chain, "c", STRAKE_UNIT_CHUNK, stages.data(), (unsigned)stages.size(),
						 err, sizeof(err)))
			<< err;
		for (uint16_t i = 1; i < lcores; i++) {
			strake_lcore_enter(i);
			for (strake_stage *st : stages)
				ASSERT_EQ(0, strake_stage_lcore_init(st));
		}
		strake_lcore_enter(1);
	}

	void
	chain_down()
	{
		strake_chain_destroy(chain);
		chain = nullptr;
		for (uint16_t i = 1; i < lcores; i++) {
			strake_lcore_enter(i);
			for (strake_stage *st : stages)
				strake_stage_lcore_fini(st);
		}
		strake_lcore_enter(0);
		for (strake_stage *st : stages)
			strake_stage_destroy(st);
		stages.clear();
		sink = nullptr;
	}

	void
	TearDown() override
	{
		seal_sink.reset();
		if (chain != nullptr)
			chain_down();
		else if (sink != nullptr)
			strake_stage_destroy(sink);
		for (conf_values *v : values)
			conf_values_free(v);
		World::TearDown();
	}

	/** A chunk under way, or ended. */
	struct Chunk {
		strake_chunk *c = nullptr;
		unsigned int ends = 0;
		std::vector<uint8_t> bytes;
	};

	static void
	ended(strake_unit *u)
	{
		((Chunk *)u->arg)->ends++;
	}

	void
	fill(Chunk *to, uint8_t op, uint64_t lba, uint8_t blocks)
	{
		strake_chunk *c = strake_chunk_alloc(false);

		ASSERT_NE(nullptr, c);
		to->c = c;
		to->ends = 0;
		c->u.op = op;
		c->u.lba = lba;
		c->u.nlb = blocks;
		c->u.nbytes = blocks * 4096u;
		c->lba_shift = 12;
		c->u.done = ended;
		c->u.arg = to;
		if (op == STRAKE_OP_WRITE) {
			c->seal.serial = ++serial;
			c->seal.domain = domain;
			c->seal.plain = blocks * 4096u;
			c->seal.blocks = blocks;
		}
	}

	/** Payload as a list of read-only pieces of at most @p piece bytes; the bytes must outlive it. */
	static strake_buf *
	pieces(std::vector<uint8_t> &bytes, size_t piece, uint8_t flags = STRAKE_BUF_STABLE)
	{
		static const strake_backing test = {"test", nullptr, nullptr};
		strake_buf *list = nullptr, **end = &list;

		for (size_t at = 0; at < bytes.size(); at += piece) {
			*end = strake_buf_wrap(&bytes[at], (uint32_t)std::min(piece, bytes.size() - at), &test, nullptr,
					       flags);
			end = &(*end)->next;
		}
		return list;
	}

	void
	begin(Chunk *c)
	{
		strake_unit *u = &c->c->u;

		strake_chain_begin(chain, &u, 1);
	}

	void
	begin_write(Chunk *c, uint64_t lba, std::vector<uint8_t> bytes, size_t piece = 1 << 20,
		    uint8_t flags = STRAKE_BUF_STABLE)
	{
		fill(c, STRAKE_OP_WRITE, lba, (uint8_t)(bytes.size() / 4096));
		c->bytes = std::move(bytes);
		c->c->u.bufs = pieces(c->bytes, piece, flags);
		begin(c);
	}

	/** The status; frees the chunk. */
	int
	end(Chunk *c, std::vector<uint8_t> *out = nullptr)
	{
		int status = c->c->u.status;

		EXPECT_EQ(1u, c->ends);
		if (out != nullptr && status == 0) {
			out->resize(strake_buf_list_len(c->c->u.bufs));
			EXPECT_EQ(out->size(), c->c->u.nbytes);
			EXPECT_EQ(0, strake_buf_copy_out(c->c->u.bufs, 0, out->data(), (uint32_t)out->size()));
		}
		if (status != 0 && c->c->u.op == STRAKE_OP_READ) {
			EXPECT_EQ(nullptr, c->c->u.bufs);
		}
		strake_lcore_enter(1);
		strake_chunk_free(c->c);
		c->c = nullptr;
		return status;
	}

	int
	write(uint64_t lba, const std::vector<uint8_t> &bytes, size_t piece = 1 << 20,
	      uint8_t flags = STRAKE_BUF_STABLE)
	{
		Chunk c;

		begin_write(&c, lba, bytes, piece, flags);
		turn(3);
		return end(&c);
	}

	int
	read(uint64_t lba, std::vector<uint8_t> *out)
	{
		Chunk c;

		fill(&c, STRAKE_OP_READ, lba, 1);
		begin(&c);
		turn(3);
		return end(&c, out);
	}

	/** Bytes in which about one of @p one_in is new and the rest are repeated: 1 is noise. */
	static std::vector<uint8_t>
	bytes(size_t len, unsigned int seed, unsigned int one_in = 8)
	{
		std::mt19937 rng(seed);
		std::vector<uint8_t> v(len);
		size_t at = 0;

		while (at < len) {
			size_t n = std::min(len - at, (size_t)(16 + rng() % 48));
			bool fresh = one_in == 1 || at < 64 || rng() % one_in == 0;
			size_t from = fresh ? 0 : rng() % (at - n % at);

			for (size_t i = 0; i < n; i++)
				v[at + i] = fresh ? (uint8_t)rng() : v[from + i % at];
			at += n;
		}
		return v;
	}

	/** All pages of the arena, until they are given back. */
	void
	take_pages()
	{
		for (uint32_t len : {131072u, 65536u, 16384u, 4096u})
			while (strake_buf *b = strake_buf_page(len))
				hogged.push_back(b);
	}

	void
	give_pages()
	{
		for (strake_buf *b : hogged)
			strake_buf_put(b);
		hogged.clear();
	}

	uint32_t domain = kDomain;
	uint64_t serial = 0;
	char error[256] = "";
	strake_stage *sink = nullptr;
	strake_chain *chain = nullptr;
	std::vector<strake_stage *> stages;
	std::vector<conf_values *> values;
	std::vector<strake_buf *> hogged;
};

#endif /* CHUNK_WORLD_H */
