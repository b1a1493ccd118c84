/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <random>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "stages/compress/expand.h"
#include "stages/compress/shrink.h"
}

namespace
{

class CompressExpand : public testing::Test
{
      protected:
	CompressExpand() : inflate(compress_inflate_alloc(0))
	{
	}
	~CompressExpand() override
	{
		compress_inflate_free(inflate);
	}
	/** Into a heap block of exactly its size, so that a sanitizer sees a byte too many. */
	int
	expand(uint8_t codec, const std::vector<uint8_t> &src, uint32_t plain)
	{
		std::vector<uint8_t> exact(src);

		exact.shrink_to_fit();
		out.assign(plain, 0xaa);
		out.shrink_to_fit();
		return compress_expand(codec, out.data(), plain, exact.data(), (uint32_t)exact.size(), inflate);
	}

	inflate_state *inflate;
	std::vector<uint8_t> out;
};

} // namespace

TEST_F(CompressExpand, DeflateOfAnotherHand)
{

	/* A stored block says its own length: one byte of it missing, all there, and more than there is room for. */
	std::vector<uint8_t> stored = {0x01, 0x00, 0x10, 0xff, 0xef};
	stored.resize(5 + 4096, 'b');
	EXPECT_EQ(0, expand(STRAKE_CODEC_DEFLATE, stored, 4096));
	EXPECT_EQ(std::vector<uint8_t>(4096, 'b'), out);
	EXPECT_EQ(-EBADMSG, expand(STRAKE_CODEC_DEFLATE, stored, 8192));
	EXPECT_EQ(-EBADMSG, expand(STRAKE_CODEC_DEFLATE, stored, 4095));
	stored.pop_back();
	EXPECT_EQ(-EBADMSG, expand(STRAKE_CODEC_DEFLATE, stored, 4096));
}

TEST_F(CompressExpand, Lz4OfExactlyItsLength)
{
	shrink s = {};
	std::vector<uint8_t> plain(8192, 'x'), small(8192);

	ASSERT_EQ(0, shrink_init(&s, 1, 0));
	small.resize(shrink_lz4(&s, small.data(), 8192, plain.data(), 8192));
	EXPECT_EQ(0, expand(STRAKE_CODEC_LZ4, small, 8192));
	EXPECT_EQ(plain, out);
	EXPECT_EQ(-EBADMSG, expand(STRAKE_CODEC_LZ4, small, 4096));
	EXPECT_EQ(-EBADMSG, expand(STRAKE_CODEC_LZ4, small, 12288));
	small.pop_back();
	EXPECT_EQ(-EBADMSG, expand(STRAKE_CODEC_LZ4, small, 8192));
	EXPECT_EQ(0u, shrink_lz4(&s, small.data(), 10, plain.data(), 8192)) << "no room";
	shrink_fini(&s);
}

TEST_F(CompressExpand, AnyBytesAreSafe)
{
	std::mt19937 rng(1);

	for (int i = 0; i < 20000; i++) {
		std::vector<uint8_t> src(1 + rng() % 600);

		for (auto &b : src)
			b = (uint8_t)(rng() % 4 ? rng() : 0);
		int ret = expand((uint8_t)(1 + i % 2), src, 4096u * (1 + rng() % 8));

		ASSERT_TRUE(ret == 0 || ret == -EBADMSG);
	}
}

TEST_F(CompressExpand, OtherCodecsAreNone)
{
	EXPECT_EQ(-EBADMSG, expand(STRAKE_CODEC_NONE, std::vector<uint8_t>(4096), 4096));
	EXPECT_EQ(-EBADMSG, expand(77, std::vector<uint8_t>(4096), 4096));
}
