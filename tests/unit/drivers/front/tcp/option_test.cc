/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <gtest/gtest.h>

extern "C" {
#include "drivers/front/tcp/option.h"
}

static bool
parse(tcp_options *o, std::initializer_list<uint8_t> bytes)
{
	return tcp_option_parse(o, bytes.begin(), (unsigned int)bytes.size());
}

TEST(TcpOption, ReadsWhatASynCarries)
{
	tcp_options o;

	ASSERT_TRUE(parse(&o, {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7}));
	EXPECT_EQ(TCP_HAS_MSS | TCP_HAS_SACK_PERM | TCP_HAS_TS | TCP_HAS_WSCALE, o.has);
	EXPECT_EQ(1460, o.mss);
	EXPECT_EQ(1u, o.tsval);
	EXPECT_EQ(2u, o.tsecr);
	EXPECT_EQ(7, o.wscale);
}

TEST(TcpOption, ReadsTheUsualTimestampLayout)
{
	tcp_options o;

	ASSERT_TRUE(parse(&o, {1, 1, 8, 10, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0}));
	EXPECT_EQ(TCP_HAS_TS, o.has);
	EXPECT_EQ(UINT32_MAX, o.tsval);
	EXPECT_EQ(0x80000000u, o.tsecr);
	EXPECT_EQ(0, o.n_sack);
}

TEST(TcpOption, CutsAWindowScaleBeyondFourteen)
{
	tcp_options o;

	ASSERT_TRUE(parse(&o, {3, 3, 15, 0}));
	EXPECT_EQ(14, o.wscale);
	ASSERT_TRUE(parse(&o, {3, 3, 255, 0}));
	EXPECT_EQ(14, o.wscale);
}

TEST(TcpOption, RefusesImpossibleLengths)
{
	tcp_options o;

	EXPECT_FALSE(parse(&o, {2}));		   /* no length byte */
	EXPECT_FALSE(parse(&o, {2, 0, 0, 0}));	   /* would never end */
	EXPECT_FALSE(parse(&o, {2, 1, 0, 0}));	   /* less than itself */
	EXPECT_FALSE(parse(&o, {2, 5, 0, 0}));	   /* past the end */
	EXPECT_FALSE(parse(&o, {1, 1, 1, 200}));   /* unknown, no length */
	EXPECT_FALSE(parse(&o, {200, 255, 1, 1})); /* unknown, past the end */
}

TEST(TcpOption, SkipsWhatItDoesNotKnowAndStopsAtTheEnd)
{
	tcp_options o;

	ASSERT_TRUE(parse(&o, {254, 4, 1, 2, 2, 4, 1, 0, 0, 2, 0, 0}));
	EXPECT_EQ(TCP_HAS_MSS, o.has);
	EXPECT_EQ(256, o.mss);
	EXPECT_TRUE(parse(&o, {}));
	EXPECT_EQ(0, o.has);
}

TEST(TcpOption, IgnoresKnownKindsOfTheWrongLength)
{
	tcp_options o;

	ASSERT_TRUE(parse(&o, {2, 3, 5, 3, 4, 1, 1, 4, 3, 0, 8, 3, 1, 5, 3, 1}));
	EXPECT_EQ(0, o.has);
	EXPECT_EQ(0, o.n_sack);
	ASSERT_TRUE(parse(&o, {5, 2, 1, 1})); /* SACK without a block */
	EXPECT_EQ(0, o.n_sack);
	ASSERT_TRUE(parse(&o, {5, 14, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 1})); /* one and a half */
	EXPECT_EQ(0, o.n_sack);
}

TEST(TcpOption, TakesFourSackBlocksAtMost)
{
	uint8_t p[40] = {5, 34};
	tcp_options o;

	for (int i = 0; i < 32; i++)
		p[2 + i] = (uint8_t)i;
	ASSERT_TRUE(tcp_option_parse(&o, p, 34));
	EXPECT_EQ(4, o.n_sack);
	EXPECT_EQ(0x00010203u, o.sack[0].start);
	EXPECT_EQ(0x1c1d1e1fu, o.sack[3].end);
}

TEST(TcpOption, ParsesWhatItBuilds)
{
	for (unsigned int has = 0; has < 16; has++)
		for (uint8_t n = 0; n <= 4; n++) {
			tcp_options in = {}, out;
			uint8_t p[TCP_OPT_MAX];
			unsigned int len, fit;

			in.has = (uint8_t)has;
			in.mss = 8960;
			in.wscale = 9;
			in.tsval = 0xdeadbeef;
			in.tsecr = 0xfeedface;
			in.n_sack = n;
			for (uint32_t i = 0; i < n; i++)
				in.sack[i] = {i * 10, i * 10 + 5};
			len = tcp_option_build(p, &in);
			ASSERT_LE(len, sizeof(p));
			ASSERT_EQ(0u, len % 4);
			ASSERT_TRUE(tcp_option_parse(&out, p, len));
			EXPECT_EQ(has, out.has);
			fit = (has & TCP_HAS_MSS ? 4 : 0) + (has & TCP_HAS_SACK_PERM ? 4 : 0) +
			      (has & TCP_HAS_TS ? 12 : 0) + (has & TCP_HAS_WSCALE ? 4 : 0);
			fit = fit + 12 > sizeof(p) ? 0 : (unsigned int)(sizeof(p) - fit - 4) / 8;
			EXPECT_EQ(std::min<unsigned int>(n, fit), out.n_sack);
			for (unsigned int i = 0; i < out.n_sack; i++)
				EXPECT_EQ(in.sack[i].end, out.sack[i].end);
		}
}
