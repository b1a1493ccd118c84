/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "chunk_world.h"

extern "C" {
#include "stages/compress/compress.h"
}

namespace
{

class Compress : public ChunkWorld
{
      protected:
	void
	SetUp() override
	{
		start(2);
		strake_lcore_enter(0);
		make_sink();
	}
	void
	with(std::vector<const char *> pairs, int lcore = -1)
	{
		st = make("compress", "v0.compress", pairs, lcore);
		ASSERT_NE(nullptr, st);
		chain_up({st});
	}
	struct compress_stats
	stats()
	{
		struct compress_stats s;

		compress_stats(st, &s);
		return s;
	}
	compress_lcore *
	lc(unsigned int lcore = 1)
	{
		return (compress_lcore *)st->lc[lcore];
	}

	strake_stage *st = nullptr;
};

struct Setting {
	const char *name;
	std::vector<const char *> pairs;
	uint8_t codec;
	const char *device = nullptr;
};

const Setting kSettings[] = {
	{"lz4", {"codec", "lz4"}, STRAKE_CODEC_LZ4},
	{"lz4hc", {"codec", "lz4", "level", "9"}, STRAKE_CODEC_LZ4},
	{"isal", {"codec", "deflate"}, STRAKE_CODEC_DEFLATE},
	{"isal3", {"codec", "deflate", "level", "3"}, STRAKE_CODEC_DEFLATE},
	{"zlib", {"codec", "deflate", "device", "compress_zlib"}, STRAKE_CODEC_DEFLATE},
	{"auto", {"codec", "auto"}, STRAKE_CODEC_LZ4},
	{"auto_isal", {"codec", "auto", "device", "compress_isal"}, STRAKE_CODEC_DEFLATE},
};

class CompressWith : public Compress, public testing::WithParamInterface<Setting>
{
};

} // namespace

TEST_P(CompressWith, RoundTripsOfAllSizesInPieces)
{
	with(GetParam().pairs);
	for (uint8_t blocks = 1; blocks <= 8; blocks++)
		for (size_t piece : {4096u, 100u, 1460u, 32768u, 5000u}) {
			uint64_t lba = blocks * 8;
			std::vector<uint8_t> data = bytes(blocks * 4096u, blocks * 7 + (unsigned)piece), back;

			ASSERT_EQ(0, write(lba, data, piece)) << (int)blocks << " in " << piece;
			const strake_seal &seal = seal_sink.at[lba].seal;
			ASSERT_EQ(GetParam().codec, seal.codec);
			ASSERT_LE(seal.stored, seal.plain - 64);
			ASSERT_EQ(seal.stored, seal_sink.at[lba].bytes.size());
			for (SealSinkForm form : {SEAL_SINK_PAGES, SEAL_SINK_SHARED, SEAL_SINK_LENT}) {
				seal_sink.form = form;
				seal_sink.piece = piece < 1000 ? 1000 : (uint32_t)piece;
				ASSERT_EQ(0, read(lba, &back));
				ASSERT_TRUE(data == back) << (int)blocks << " in " << piece;
			}
			for (strake_buf *b : seal_sink.kept)
				strake_buf_put(b);
			seal_sink.kept.clear();
		}
	EXPECT_EQ(0u, seal_sink.bad_lengths);
	EXPECT_EQ(0u, stats().damaged + stats().device_failures + stats().soft);
	EXPECT_EQ(40u, stats().shrunk);
	EXPECT_GT(stats().bytes_in, stats().bytes_out);
	EXPECT_EQ(3 * stats().bytes_out, stats().expanded_in);
}

TEST_P(CompressWith, WhatDoesNotShrinkStaysPlain)
{
	with(GetParam().pairs);
	for (uint8_t blocks : {1, 3, 8}) {
		std::vector<uint8_t> data = bytes(blocks * 4096u, blocks, 1), back;

		for (int again = 0; again < 70; again++)
			ASSERT_EQ(0, write(blocks, data, 3000));
		EXPECT_EQ(STRAKE_CODEC_NONE, seal_sink.at[blocks].seal.codec);
		EXPECT_EQ(blocks * 4096u, seal_sink.at[blocks].seal.stored);
		ASSERT_EQ(0, read(blocks, &back));
		EXPECT_TRUE(data == back);
	}
	EXPECT_EQ(stats().bytes_in, stats().bytes_out);
	EXPECT_EQ(0u, stats().device_failures);
	if (strncmp(GetParam().name, "auto", 4) == 0)
		EXPECT_GT(stats().skipped, 10 * stats().stayed_plain) << "mostly not even tried";
	else
		EXPECT_EQ(210u, stats().stayed_plain);
}

TEST_P(CompressWith, WholeBurstsOfMixedChunks)
{
	with(GetParam().pairs);
	std::vector<Chunk> all(STRAKE_BURST);
	std::vector<strake_unit *> units;

	for (unsigned int i = 0; i < STRAKE_BURST; i++) {
		fill(&all[i], STRAKE_OP_WRITE, i, (uint8_t)(1 + i % 8));
		all[i].bytes = bytes((1 + i % 8) * 4096u, i, 1 + i % 5);
		all[i].c->u.bufs = pieces(all[i].bytes, 2000 + i * 100);
		units.push_back(&all[i].c->u);
	}
	strake_chain_begin(chain, units.data(), STRAKE_BURST);
	turn(70); /* a device that takes one at a time */
	for (unsigned int i = 0; i < STRAKE_BURST; i++)
		ASSERT_EQ(0, end(&all[i])) << i;
	units.clear();
	for (unsigned int i = 0; i < STRAKE_BURST; i++) {
		fill(&all[i], STRAKE_OP_READ, i, 1);
		units.push_back(&all[i].c->u);
	}
	strake_chain_begin(chain, units.data(), STRAKE_BURST);
	turn(70);
	for (unsigned int i = 0; i < STRAKE_BURST; i++) {
		std::vector<uint8_t> back;

		ASSERT_EQ(0, end(&all[i], &back)) << i;
		ASSERT_TRUE(all[i].bytes == back) << i;
	}
	EXPECT_EQ(0u, stats().device_failures);
}

TEST_P(CompressWith, DamagedPayloadsNeverPassForOthers)
{
	with(GetParam().pairs);
	std::mt19937 rng(5);
	unsigned int caught = 0;

	for (int round = 0; round < 300; round++) {
		uint8_t blocks = (uint8_t)(1 + rng() % 8);
		std::vector<uint8_t> data = bytes(blocks * 4096u, rng() % 50), back;

		ASSERT_EQ(0, write(1, data));
		SealSink::Stored &s = seal_sink.at[1];
		switch (rng() % 4) {
		case 0:
			for (unsigned int n = 1 + rng() % 8; n > 0; n--)
				s.bytes[rng() % s.bytes.size()] ^= (uint8_t)(1 + rng() % 255);
			break;
		case 1:
			s.bytes.resize(1 + rng() % (s.bytes.size() - 1));
			s.seal.stored = (uint32_t)s.bytes.size();
			break;
		case 2: /* of another size than it says */
			s.seal.blocks = (uint8_t)(1 + (blocks + rng() % 7) % 8);
			s.seal.plain = s.seal.blocks * 4096u;
			break;
		default:
			for (auto &b : s.bytes)
				b = (uint8_t)rng();
		}
		seal_sink.piece = rng() % 2 ? 700 : 0;
		int ret = read(1, &back);

		/* A flipped literal is for the checksum above to find; it must still have the right length. */
		if (ret == 0)
			ASSERT_EQ(s.seal.plain, back.size());
		else
			ASSERT_EQ(-EBADMSG, ret);
		caught += ret != 0;
	}
	EXPECT_GT(caught, 100u);
	EXPECT_EQ(caught, stats().damaged);
	EXPECT_EQ(0u, stats().device_failures) << "damage is not the device's fault";
	EXPECT_EQ(0u, stats().devices_off);
}

INSTANTIATE_TEST_SUITE_P(All, CompressWith, testing::ValuesIn(kSettings),
			 [](const testing::TestParamInfo<Setting> &i) { return std::string(i.param.name); });

TEST_F(Compress, SealsThatContradictThemselvesAreRefused)
{
	with({"codec", "lz4"});
	std::vector<uint8_t> data = bytes(16384, 3), back;

	ASSERT_EQ(0, write(1, data));
	const SealSink::Stored right = seal_sink.at[1];
	auto bent = [&](void (*how)(strake_seal *)) {
		seal_sink.at[1] = right;
		how(&seal_sink.at[1].seal);
		return read(1, &back);
	};

	EXPECT_EQ(0, bent([](strake_seal *s) {}));
	EXPECT_EQ(-EBADMSG, bent([](strake_seal *s) { s->codec = 3; }));
	EXPECT_EQ(-EBADMSG, bent([](strake_seal *s) { s->codec = STRAKE_CODEC_NONE; }));
	EXPECT_EQ(-EBADMSG, bent([](strake_seal *s) { s->codec = STRAKE_CODEC_DEFLATE; }));
	EXPECT_EQ(-EBADMSG, bent([](strake_seal *s) { s->blocks = 0, s->plain = 0; }));
	EXPECT_EQ(-EBADMSG, bent([](strake_seal *s) { s->blocks = 9, s->plain = 9 * 4096; }));
	EXPECT_EQ(-EBADMSG, bent([](strake_seal *s) { s->plain = 1u << 31; }));
	EXPECT_EQ(-EBADMSG, bent([](strake_seal *s) { s->stored++; }));
	EXPECT_EQ(-EBADMSG, bent([](strake_seal *s) { s->stored--; }));
	EXPECT_EQ(-EBADMSG, bent([](strake_seal *s) { s->stored = 0; }));
	EXPECT_EQ(-EBADMSG, bent([](strake_seal *s) { s->stored = s->plain; }));
}

TEST_F(Compress, WritesThatAreNotWhatTheirSealSaysFail)
{
	with({"codec", "lz4"});
	Chunk c;

	fill(&c, STRAKE_OP_WRITE, 0, 2);
	c.bytes = bytes(4096, 1);
	c.c->u.bufs = pieces(c.bytes, 4096);
	begin(&c);
	turn(2);
	EXPECT_EQ(-EINVAL, end(&c));
	EXPECT_EQ(0u, seal_sink.writes);
}

TEST_F(Compress, NoneLeavesAllAsItIsAndStillExpands)
{
	with({"codec", "none"});
	std::vector<uint8_t> data = bytes(8192, 3), back;
	shrink lz4 = {};

	ASSERT_EQ(0, write(0, data));
	EXPECT_EQ(STRAKE_CODEC_NONE, seal_sink.at[0].seal.codec);
	ASSERT_EQ(0, shrink_init(&lz4, 1, 0));
	SealSink::Stored &s = seal_sink.at[0];
	s.bytes.resize(8192);
	s.seal.stored = shrink_lz4(&lz4, s.bytes.data(), 8000, data.data(), 8192);
	s.bytes.resize(s.seal.stored);
	s.seal.codec = STRAKE_CODEC_LZ4;
	shrink_fini(&lz4);
	ASSERT_EQ(0, read(0, &back));
	EXPECT_TRUE(data == back);
}

TEST_F(Compress, GainsLessThanAskedForStayPlain)
{
	with({"codec", "lz4", "min_gain", "50"});
	/* A third of the block repeats. */
	std::vector<uint8_t> data = bytes(4096, 1, 1);
	memset(&data[2700], 0, 1396);
	ASSERT_EQ(0, write(0, data));
	EXPECT_EQ(STRAKE_CODEC_NONE, seal_sink.at[0].seal.codec);
	memset(&data[1000], 0, 3096);
	ASSERT_EQ(0, write(0, data));
	EXPECT_EQ(STRAKE_CODEC_LZ4, seal_sink.at[0].seal.codec);
}

TEST_F(Compress, OneGranuleIsTheLeastGain)
{
	with({"codec", "lz4", "min_gain", "0"});
	bool least = false;

	for (unsigned int zeroes = 40; zeroes < 140; zeroes++) {
		std::vector<uint8_t> data = bytes(4096, zeroes, 1), back;
		memset(&data[2000], 0, zeroes);
		ASSERT_EQ(0, write(0, data));
		ASSERT_EQ(0, read(0, &back));
		ASSERT_TRUE(data == back);
		const strake_seal &s = seal_sink.at[0].seal;
		ASSERT_TRUE(s.codec == STRAKE_CODEC_NONE || s.stored <= 4032);
		least = least || (s.stored > 4000 && s.stored <= 4032);
	}
	EXPECT_TRUE(least);
}

TEST_F(Compress, BytesThatAPeerCanChangeAreCopiedFirst)
{
	for (auto codec : {"lz4", "deflate"}) {
		st = make("compress", codec, {"codec", codec});
		chain_up({st});
		std::vector<uint8_t> data = bytes(8192, 3), back;

		ASSERT_EQ(0, write(0, data, 1 << 20, 0));
		EXPECT_EQ(8192u, stats().gathered);
		ASSERT_EQ(0, read(0, &back));
		EXPECT_TRUE(data == back);
		chain_down();
		strake_lcore_enter(0);
		make_sink();
	}
}

TEST_F(Compress, WritesWithoutPagesGoDownPlain)
{
	with({"codec", "lz4"});
	std::vector<uint8_t> data = bytes(32768, 3), back;

	take_pages();
	ASSERT_EQ(0, write(0, data));
	give_pages();
	EXPECT_EQ(STRAKE_CODEC_NONE, seal_sink.at[0].seal.codec);
	EXPECT_EQ(1u, stats().no_pages);
	ASSERT_EQ(0, read(0, &back));
	EXPECT_TRUE(data == back);
}

TEST_F(Compress, ReadsWithoutPagesWaitInOrderAndEndOnce)
{
	for (auto codec : {"lz4", "deflate"}) {
		st = make("compress", codec, {"codec", codec});
		chain_up({st});
		std::vector<uint8_t> data = bytes(32768, 3);
		static std::vector<uint64_t> order;
		std::vector<Chunk> all(8);

		for (unsigned int i = 0; i < all.size(); i++)
			ASSERT_EQ(0, write(i, data));
		seal_sink.form = SEAL_SINK_LENT;
		order.clear();
		take_pages();
		for (unsigned int i = 0; i < all.size(); i++) {
			fill(&all[i], STRAKE_OP_READ, i, 8);
			all[i].c->u.done = [](strake_unit *u) {
				order.push_back(u->lba);
				ended(u);
			};
			begin(&all[i]);
		}
		turn(3);
		EXPECT_TRUE(order.empty());
		strake_lcore_enter(1);
		EXPECT_FALSE(st->ops->drain(st));
		give_pages();
		turn(3);
		strake_lcore_enter(1);
		EXPECT_TRUE(st->ops->drain(st));
		EXPECT_EQ((std::vector<uint64_t>{0, 1, 2, 3, 4, 5, 6, 7}), order);
		for (Chunk &c : all) {
			std::vector<uint8_t> back;

			ASSERT_EQ(0, end(&c, &back));
			EXPECT_TRUE(data == back);
		}
		chain_down();
		strake_lcore_enter(0);
		make_sink();
		seal_sink.form = SEAL_SINK_PAGES;
	}
}

TEST_F(Compress, OnAnLcoreOfItsOwnItDoesTheSame)
{
	with({"codec", "deflate"}, 2);
	for (uint8_t blocks = 1; blocks <= 8; blocks++) {
		std::vector<uint8_t> data = bytes(blocks * 4096u, blocks), back;

		ASSERT_EQ(0, write(blocks, data, 3000));
		EXPECT_EQ(STRAKE_CODEC_DEFLATE, seal_sink.at[blocks].seal.codec);
		ASSERT_EQ(0, read(blocks, &back));
		EXPECT_TRUE(data == back);
	}
	EXPECT_EQ(nullptr, st->lc[1]);
	EXPECT_EQ(8u, ((compress *)st->priv)->stats[2].shrunk);
}

TEST_F(Compress, AFailedReadIsNotExpanded)
{
	with({"codec", "lz4"});
	std::vector<uint8_t> back;

	ASSERT_EQ(0, write(0, bytes(4096, 1)));
	seal_sink.status = -EIO;
	EXPECT_EQ(-EIO, read(0, &back));
	EXPECT_EQ(0u, stats().expanded_in + stats().damaged);
}

TEST_F(Compress, DevicesThatAreNoneAreRefusedInOneLine)
{
	EXPECT_EQ(nullptr, make("compress", "a", {"codec", "deflate", "device", "compress_nothing"}, -1, -ENODEV));
	EXPECT_STREQ("compression device \"compress_nothing\": no such device, and no driver that makes one", error);
	EXPECT_EQ(nullptr, make("compress", "a", {"codec", "deflate", "level", "10"}, -1, -EINVAL));
	EXPECT_STREQ("level 10: deflate knows up to 9", error);
	strake_stage *one = make("compress", "a", {"codec", "deflate"});
	ASSERT_NE(nullptr, one);
	std::string name = ((compress *)one->priv)->device->name;
	EXPECT_EQ(nullptr, make("compress", "b", {"codec", "deflate", "device", name.c_str()}, -1, -EBUSY));
	EXPECT_EQ("compression device \"" + name + "\" serves another stage already", error);
	strake_stage_destroy(one);
}
