/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "stages/compress/guess.h"
}

namespace
{

class CompressGuess : public testing::Test
{
      protected:
	CompressGuess() : g(new guess())
	{
	}
	/** Asked about bytes in @p n pieces. */
	bool
	ask(std::vector<uint8_t> &v, size_t n = 1, uint32_t region = 5)
	{
		std::vector<strake_buf> b(n);

		for (size_t i = 0; i < n; i++) {
			b[i].addr = &v[v.size() / n * i];
			b[i].len = (uint32_t)(v.size() / n);
			b[i].next = i + 1 < n ? &b[i + 1] : nullptr;
		}
		return guess_try(g.get(), region, b.data(), (uint32_t)v.size());
	}
	static std::vector<uint8_t>
	noise(size_t len, unsigned int seed = 1)
	{
		std::mt19937 rng(seed);
		std::vector<uint8_t> v(len);

		for (auto &b : v)
			b = (uint8_t)rng();
		return v;
	}

	std::unique_ptr<guess> g;
};

} // namespace

TEST_F(CompressGuess, NoiseIsToldFromText)
{
	std::string line = "The quick brown fox jumps over the lazy dog, 0123456789 times. ";
	std::vector<uint8_t> text;

	while (text.size() < 32768)
		text.insert(text.end(), line.begin(), line.end());
	text.resize(32768);
	for (size_t n : {1u, 4u, 8u, 64u})
		EXPECT_TRUE(ask(text, n)) << n;
	for (size_t len : {4096u, 8192u, 32768u})
		for (unsigned int seed = 1; seed < 10; seed++) {
			std::vector<uint8_t> v = noise(len, seed);

			EXPECT_FALSE(ask(v, seed % 2 ? 1 : 8)) << len << " " << seed;
		}
}

TEST_F(CompressGuess, WhatLooksRandomIsTriedNowAndThen)
{
	std::vector<uint8_t> v = noise(4096);
	int tried = 0;

	for (int i = 0; i < 320; i++)
		tried += ask(v);
	EXPECT_EQ(10, tried);
}

TEST_F(CompressGuess, WhenItWasNotRandomTheLookIsSuspended)
{
	std::vector<uint8_t> v = noise(4096);

	while (!ask(v))
		;
	guess_told(g.get(), 5, true);
	for (int i = 0; i < 1024; i++)
		ASSERT_TRUE(ask(v)) << i;
	EXPECT_FALSE(ask(v));
}

TEST_F(CompressGuess, TriesInVainAreRepeatedLessAndLess)
{
	std::vector<uint8_t> v(4096, 1);
	std::vector<int> gaps;

	for (int miss = 0; miss < 8; miss++) {
		int gap = 0;

		while (!ask(v))
			gap++;
		gaps.push_back(gap);
		guess_told(g.get(), 5, false);
	}
	EXPECT_EQ((std::vector<int>{0, 1, 3, 7, 15, 31, 63, 63}), gaps);
	EXPECT_TRUE(ask(v, 1, 6)) << "another region knows nothing of it";
	while (!ask(v))
		;
	guess_told(g.get(), 5, true);
	EXPECT_TRUE(ask(v));
	EXPECT_TRUE(ask(v)) << "one success and all is forgotten";
}

TEST_F(CompressGuess, NeighboursShareARegionAndVolumesDoNot)
{
	EXPECT_EQ(guess_region(1, 0), guess_region(1, (1 << 20) - 1));
	EXPECT_NE(guess_region(1, 0), guess_region(1, 1 << 20));
	EXPECT_NE(guess_region(1, 0), guess_region(2, 0));
	EXPECT_LT(guess_region(~0ull, ~0ull), GUESS_REGIONS);
}
