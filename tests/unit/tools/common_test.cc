/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The small pieces: units, command lines, progress, histogram, pattern, checksums. */

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "cli.h"
#include "crc.h"
#include "hist.h"
#include "pattern.h"
#include "progress.h"
#include "ticks.h"
#include "units.h"
}

namespace
{

TEST(Units, ParsesWhatPeopleWrite)
{
	struct {
		const char *text;
		uint64_t want;
	} good[] = {{"0", 0},
		    {"4096", 4096},
		    {"4K", 4096},
		    {"4k", 4096},
		    {"1.5 GiB", 3ull << 29},
		    {"10MB", 10 << 20},
		    {"0x1000", 4096},
		    {"9007199254740993", 9007199254740993ull}};
	uint64_t v;

	for (auto &g : good) {
		EXPECT_EQ(0, units_parse_size(g.text, &v)) << g.text;
		EXPECT_EQ(g.want, v) << g.text;
	}
	for (const char *bad : {"", "K", "-1", "4X", "4KK", " 4", "1e99", "nan"})
		EXPECT_LT(units_parse_size(bad, &v), 0) << bad;
	EXPECT_EQ(0, units_parse_time("1.5s", &v));
	EXPECT_EQ(1500000000u, v);
	EXPECT_EQ(0, units_parse_time("2", &v));
	EXPECT_EQ(2000000000u, v);
	EXPECT_LT(units_parse_time("2x", &v), 0);
	EXPECT_LT(units_parse_u64("99999999999999999999", &v), 0);
}

TEST(Units, WritesThreeDigits)
{
	char t[UNITS_MAX];

	EXPECT_STREQ("512 B", units_bytes(t, 512));
	EXPECT_STREQ("4.00 KiB", units_bytes(t, 4096));
	EXPECT_STREQ("1.00 MiB", units_bytes(t, 1048575));
	EXPECT_STREQ("788 K", units_count(t, 788000));
	EXPECT_STREQ("1.29 M", units_count(t, 1290000));
	EXPECT_STREQ("9.10 us", units_ns(t, 9100));
	EXPECT_STREQ("0", units_count(t, 0));
}

struct Values {
	bool flag;
	uint32_t n;
	uint64_t size;
	const char *text;
};

class Cli : public testing::Test
{
      protected:
	int
	parse(std::vector<const char *> words)
	{
		argv_.clear();
		for (auto w : words)
			argv_.push_back((char *)w);
		err_[0] = '\0';
		return cli_parse(&cli_, &cmd_, (int)argv_.size(), argv_.data(), err_, sizeof(err_));
	}

	Values v_{};
	std::vector<char *> argv_;
	char err_[256];
	cli_opt opts_[5] = {{"depth", "N", "", CLI_U32, offsetof(Values, n), 1, 100},
			    {"size", "SIZE", "", CLI_SIZE, offsetof(Values, size), 512, 0},
			    {"verify", nullptr, "", CLI_FLAG, offsetof(Values, flag), 0, 0},
			    {"name", "NAME", "", CLI_STR, offsetof(Values, text), 0, 0},
			    {}};
	cli_opt common_[1] = {{}};
	cli_cmd cmd_ = {"bench", "", "", opts_, 0, 1, nullptr};
	struct cli cli_ = {"prog", "", &cmd_, common_, &v_};
};

TEST_F(Cli, ParsesBothFormsAndKeepsArguments)
{
	EXPECT_EQ(2, parse({"--depth", "7", "FILE", "--size=4K", "--verify", "--", "--depth"}));
	EXPECT_EQ(7u, v_.n);
	EXPECT_EQ(4096u, v_.size);
	EXPECT_TRUE(v_.flag);
	EXPECT_STREQ("FILE", argv_[0]);
	EXPECT_STREQ("--depth", argv_[1]);
}

TEST_F(Cli, SaysWhatIsWrong)
{
	struct {
		std::vector<const char *> words;
		const char *text;
	} bad[] = {
		{{"--dpeth", "3"}, "did you mean --depth?"},  {{"--zzzzzzz"}, "bench has no option --zzzzzzz"},
		{{"--depth"}, "--depth needs a value: N"},    {{"--depth", "x"}, "'x' is not a whole number"},
		{{"--depth", "0"}, "out of range, 1 to 100"}, {{"--depth", "4294967297"}, "out of range"},
		{{"--verify=yes"}, "takes no value"},	      {{"-d"}, "options are long"},
		{{"--size", "4Q"}, "not a size such as"},     {{"--size", "1"}, "at least 512 B"},
	};

	for (auto &b : bad) {
		EXPECT_EQ(-EINVAL, parse(b.words));
		EXPECT_NE(nullptr, strstr(err_, b.text)) << err_;
	}
	EXPECT_EQ(-ECANCELED, parse({"--help"}));
}

TEST(CliNearest, FindsMisspellingsOnly)
{
	const char *words[] = {"read", "write", "randread", "verify"};

	EXPECT_STREQ("write", cli_nearest("wirte", words, 4, sizeof(words[0])));
	EXPECT_STREQ("verify", cli_nearest("verfy", words, 4, sizeof(words[0])));
	EXPECT_EQ(nullptr, cli_nearest("banana", words, 4, sizeof(words[0])));
	EXPECT_EQ(nullptr, cli_nearest(std::string(500, 'x').c_str(), words, 4, sizeof(words[0])));
}

TEST(Progress, LineFitsAndTellsTheRate)
{
	progress p{};
	char line[256];

	p.what = "copy-in";
	p.total = 64 << 20;
	progress_line(line, sizeof(line), &p, 16 << 20, 1000000000, 80);
	EXPECT_LE(strlen(line), 80u);
	EXPECT_NE(nullptr, strstr(line, "16.0 MiB of 64.0 MiB  16.0 MiB/s")) << line;
	EXPECT_NE(nullptr, strstr(line, " 25 %"));
	progress_line(line, sizeof(line), &p, 16 << 20, 1000000000, 0);
	EXPECT_EQ(nullptr, strchr(line, '#'));
}

TEST(Hist, EveryValueLiesInItsBucketAndQuantilesAreClose)
{
	static hist h;

	for (uint64_t v = 0; v < 1u << 20; v += 7) {
		unsigned int b = hist_bucket(v);

		ASSERT_LE(hist_floor(b), v);
		ASSERT_GT(hist_floor(b + 1), v);
	}
	EXPECT_EQ(HIST_BUCKETS - 1u, hist_bucket(UINT64_MAX));
	hist_init(&h);
	EXPECT_EQ(0u, hist_quantile(&h, 0.5));
	for (uint64_t v = 1; v <= 100000; v++)
		hist_add(&h, v);
	EXPECT_NEAR(50000, (double)hist_quantile(&h, 0.5), 50000 * 0.004);
	EXPECT_NEAR(99900, (double)hist_quantile(&h, 0.999), 99900 * 0.004);
	EXPECT_EQ(100000u, hist_quantile(&h, 1.0));
}

TEST(Hist, IsShownInStepsThatHoldAllOfIt)
{
	static hist h;
	struct Seen {
		uint64_t upper = 0, count = 0, steps = 0;
	} seen;
	auto each = [](uint64_t upper, uint64_t count, void *arg) {
		auto *s = (Seen *)arg;

		EXPECT_GT(upper, s->upper);
		EXPECT_GT(count, 0u);
		EXPECT_LE((double)(upper - s->upper), 0.13 * (double)upper + 32) << upper;
		s->upper = upper;
		s->count += count;
		s->steps++;
	};

	hist_init(&h);
	hist_each(&h, each, &seen);
	EXPECT_EQ(0u, seen.steps) << "of nothing there is nothing to see";
	for (uint64_t v = 1; v <= 100000; v++)
		hist_add(&h, v);
	hist_each(&h, each, &seen);
	EXPECT_EQ(100000u, seen.count);
	EXPECT_EQ(100000u, seen.upper) << "no further than the largest";
	EXPECT_LE(seen.steps, 8u * 17);
	hist_add(&h, UINT64_MAX);
	seen = {};
	hist_each(
		&h, [](uint64_t upper, uint64_t, void *arg) { *(uint64_t *)arg = upper; }, &seen.upper);
	EXPECT_EQ(UINT64_MAX, seen.upper);
}

TEST(Pattern, FindsEveryKindOfWrongBlock)
{
	std::vector<uint64_t> b(1024), c(1024);

	pattern_fill(b.data(), 8192, 1, 100, 9, 3);
	EXPECT_EQ(-1, pattern_check(b.data(), 8192, 1, 100, 9, 3));
	EXPECT_EQ(0, pattern_check(b.data(), 8192, 2, 100, 9, 3)) << "another seed";
	EXPECT_EQ(0, pattern_check(b.data(), 8192, 1, 101, 9, 3)) << "another place";
	EXPECT_EQ(0, pattern_check(b.data(), 8192, 1, 100, 9, 4)) << "another time";
	((uint8_t *)b.data())[5000] ^= 1;
	EXPECT_EQ(5000, pattern_check(b.data(), 8192, 1, 100, 9, 3));
	/* A block torn between two generations. */
	pattern_fill(b.data(), 512, 1, 100, 9, 3);
	pattern_fill(c.data(), 512, 1, 100, 9, 4);
	memcpy(b.data() + 32, c.data() + 32, 256);
	EXPECT_EQ(256, pattern_check(b.data(), 512, 1, 100, 9, 3));
}

/* RFC 3720, appendix B.4 */
TEST(Crc, KnownValuesAndPieces)
{
	std::vector<uint8_t> zero(32), ones(32, 0xff), up(32);

	for (int i = 0; i < 32; i++)
		up[(size_t)i] = (uint8_t)i;
	EXPECT_EQ(0x8a9136aau, crc_of(zero.data(), 32));
	EXPECT_EQ(0x62a8ab43u, crc_of(ones.data(), 32));
	EXPECT_EQ(0x46dd794eu, crc_of(up.data(), 32));
	EXPECT_EQ(0x46dd794eu, crc_end(crc_feed(crc_feed(CRC_INIT, up.data(), 5), up.data() + 5, 27)));
}

/* What a command was given: its options by value, its arguments by number. */
struct Seen {
	uint32_t depth;
	bool verify;
	int args;
};

int
see(void *values, int argc, char **argv)
{
	(void)argv;
	((Seen *)values)->args = argc;
	return CLI_OK;
}

TEST(CliMain, OptionsMayStandBeforeTheCommand)
{
	static const cli_opt common[] = {{"verify", nullptr, "", CLI_FLAG, offsetof(Seen, verify), 0, 0}, {}};
	static const cli_opt opts[] = {{"depth", "N", "", CLI_U32, offsetof(Seen, depth), 1, 100}, {}};
	static const cli_cmd cmds[] = {{"bench", "", "", opts, 0, 1, see}, {}};
	const std::vector<std::vector<std::string>> ways = {{"bench", "--verify", "--depth", "7", "FILE"},
							    {"--verify", "--depth", "7", "bench", "FILE"},
							    {"--depth=7", "bench", "--verify", "FILE"}};

	for (auto &way : ways) {
		std::vector<std::string> words = way;
		std::vector<char *> argv = {(char *)"prog"};
		Seen v = {};
		struct cli cli = {"prog", "", cmds, common, &v};

		for (auto &w : words)
			argv.push_back(w.data());
		argv.push_back(nullptr);
		EXPECT_EQ(CLI_OK, cli_main(&cli, (int)argv.size() - 1, argv.data())) << way[0];
		EXPECT_EQ(7u, v.depth) << way[0];
		EXPECT_TRUE(v.verify) << way[0];
		EXPECT_EQ(1, v.args) << way[0];
	}
	Seen v = {};
	struct cli cli = {"prog", "", cmds, common, &v};
	char *only[] = {(char *)"prog", (char *)"--depth", (char *)"7", nullptr};
	EXPECT_EQ(CLI_USAGE, cli_main(&cli, 3, only)) << "an option's value is no command";
	char *cut[] = {(char *)"prog", (char *)"--depth", nullptr};
	EXPECT_EQ(CLI_USAGE, cli_main(&cli, 2, cut));
}

TEST(CliChoose, KnowsItsWords)
{
	static const char *const words[] = {"read", "write", "randread"};

	EXPECT_EQ(0, cli_choose("pattern", "read", words, 3));
	EXPECT_EQ(2, cli_choose("pattern", "randread", words, 3));
	EXPECT_EQ(-CLI_USAGE, cli_choose("pattern", "raed", words, 3));
	EXPECT_EQ(-CLI_USAGE, cli_choose("pattern", "", words, 3));
}

/* A process that is held up between two readings must not take its clock for a hundred times as slow. */
TEST(Ticks, WhatWasHeldUpDoesNotCount)
{
	const ticks_look look[] = {{100, 10, 9000}, {9100, 20, 9130}, {9200, 30, 9225}, {9300, 40, 99999}};

	EXPECT_EQ(30u, ticks_best(look, 4).ns);
	EXPECT_EQ(20u, ticks_best(look, 2).ns);
	EXPECT_EQ(10u, ticks_best(look, 1).ns);
}

} // namespace
