/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstring>

#include "conf_fixture.h"
#include "config/conf_value.h"

namespace
{

std::string
wrong(conf_key key, const char *text)
{
	char err[240] = "";
	uint64_t num;

	key.name = "k";
	return conf_value_parse(&key, text, &num, err, sizeof(err)) ? "taken as " + std::to_string(num) : err;
}

std::string
size(const char *text)
{
	conf_key key = {};

	key.type = CONF_SIZE;
	return wrong(key, text);
}

std::string
duration(const char *text)
{
	conf_key key = {};

	key.type = CONF_DURATION;
	return wrong(key, text);
}

std::string
whole(const char *text)
{
	conf_key key = {};

	key.type = CONF_UINT;
	return wrong(key, text);
}

std::string
boolean(const char *text)
{
	conf_key key = {};

	key.type = CONF_BOOL;
	return wrong(key, text);
}

} // namespace

TEST(ConfValue, TakesWholeSizes)
{
	EXPECT_EQ("taken as 0", size("0"));
	EXPECT_EQ("taken as 512", size("512"));
	EXPECT_EQ("taken as 65536", size("64KiB"));
	EXPECT_EQ("taken as 1048576", size("1MiB"));
	EXPECT_EQ("taken as 10737418240", size("10GiB"));
	EXPECT_EQ("taken as 1099511627776", size("1TiB"));
	EXPECT_EQ("taken as 18446744073709551615", size("18446744073709551615"));
}

TEST(ConfValue, SaysWhatAWrongSizeShouldBe)
{
	EXPECT_EQ("\"4k\" is not a size; write 4KiB", size("4k"));
	EXPECT_EQ("\"10GB\" is not a size; write 10GiB", size("10GB"));
	EXPECT_EQ("\"10 GiB\" is not a size; write 10GiB", size("10 GiB"));
	EXPECT_EQ("\"1.5GiB\" is not a size; write 1536MiB", size("1.5GiB"));
	EXPECT_EQ("\"64kib\" is not a size; write 64KiB", size("64kib"));
	EXPECT_EQ("\"512B\" is not a size; write 512", size("512B"));
	for (const char *text : {"", "KiB", "-1", "0x10", "010", "1e9", "ten", "1.0000001KiB", "1KiB1", "+5", " 5",
				 "18446744073709551616", "18014398509481984KiB", "99999999999999999999999TiB"})
		EXPECT_NE(std::string::npos, size(text).find("is not a size; expected")) << text << ": " << size(text);
}

TEST(ConfValue, TakesDurations)
{
	EXPECT_EQ("taken as 200000", duration("200us"));
	EXPECT_EQ("taken as 5000000", duration("5ms"));
	EXPECT_EQ("taken as 30000000000", duration("30s"));
	EXPECT_EQ("taken as 120000000000", duration("2min"));
	EXPECT_EQ("taken as 43200000000000", duration("12h"));
	EXPECT_EQ("taken as 604800000000000", duration("7d"));
	EXPECT_EQ("taken as 0", duration("0"));
	for (const char *text : {"5", "5m", "1.5s", "5 ms", "", "ms", "307445734562min"})
		EXPECT_NE(std::string::npos, duration(text).find("is not a duration")) << text;
}

TEST(ConfValue, TakesPlainNumbersOnly)
{
	EXPECT_EQ("taken as 17", whole("17"));
	for (const char *text : {"", "-1", "017", "0x11", "1_000", "17 ", "1.0", "18446744073709551616"})
		EXPECT_NE(std::string::npos, whole(text).find("is not a whole number")) << text;
}

TEST(ConfValue, SaysWhichOfTrueAndFalseWasMeant)
{
	EXPECT_EQ("taken as 1", boolean("true"));
	EXPECT_EQ("taken as 0", boolean("false"));
	EXPECT_EQ("\"Yes\" is not true or false; write true", boolean("Yes"));
	EXPECT_EQ("\"off\" is not true or false; write false", boolean("off"));
	EXPECT_EQ("\"maybe\" is not true or false", boolean("maybe"));
}

TEST(ConfValue, KeepsToRangesAndPowersOfTwo)
{
	conf_key key = {};

	key.type = CONF_SIZE;
	key.min = 4096;
	key.max = 1 << 20;
	key.power_of_two = true;
	EXPECT_EQ("taken as 4096", wrong(key, "4KiB"));
	EXPECT_EQ("taken as 1048576", wrong(key, "1MiB"));
	EXPECT_EQ("2MiB is out of range; expected 4KiB to 1MiB", wrong(key, "2MiB"));
	EXPECT_EQ("4095 is out of range; expected 4KiB to 1MiB", wrong(key, "4095"));
	EXPECT_EQ("48KiB is not a power of two; the nearest are 32KiB and 64KiB", wrong(key, "48KiB"));
	key.max = 0;
	EXPECT_EQ("1KiB is too small; expected at least 4KiB", wrong(key, "1KiB"));
}

TEST(ConfNear, FindsTheNearestWord)
{
	struct {
		const char *word, *want;
	} cases[] = {
		{"mtu", "mtu"},	    {"mut", "mtu"}, {"addreses", "addresses"}, {"adresses", "addresses"},
		{"xyzzy", nullptr}, {"q", nullptr}, {"queue", "queues"},       {"", nullptr},
	};

	for (auto &c : cases) {
		conf_near near = {};

		near.word = c.word;
		for (const char *known : {"name", "device", "mtu", "queues", "vlan", "addresses"})
			conf_near_offer(&near, known);
		EXPECT_STREQ(c.want, near.best) << c.word;
	}
}

TEST(ConfValues, AreMadeFromPairsWithDefaults)
{
	static const char *const words[] = {"slow", "fast", nullptr};
	static const conf_key keys[] = {
		{"path", CONF_PATH, true, false, 0, 0, nullptr, nullptr, ""},
		{"size", CONF_SIZE, false, false, 0, 0, "4KiB", nullptr, ""},
		{"speed", CONF_CHOICE, false, false, 0, 0, "fast", words, ""},
		{"label", CONF_STRING, false, false, 1, 8, nullptr, nullptr, ""},
		{},
	};
	const char *good[] = {"path", "x/y", "speed", "slow", nullptr};
	char err[240];
	conf_values *v = conf_values_make(keys, good, err, sizeof(err));

	ASSERT_NE(nullptr, v) << err;
	EXPECT_STREQ("x/y", conf_str(v, "path"));
	EXPECT_EQ(4096u, conf_u64(v, "size"));
	EXPECT_STREQ("slow", conf_str(v, "speed"));
	EXPECT_EQ(0u, conf_u64(v, "speed"));
	EXPECT_FALSE(conf_has(v, "label"));
	EXPECT_EQ(nullptr, conf_str(v, "label"));
	EXPECT_DEATH(conf_str(v, "lable"), "lable");
	conf_values_free(v);

	const char *missing[] = {"size", "1MiB", nullptr};
	EXPECT_EQ(nullptr, conf_values_make(keys, missing, err, sizeof(err)));
	EXPECT_STREQ("path: missing", err);
	const char *unknown[] = {"path", "x", "sise", "1MiB", nullptr};
	EXPECT_EQ(nullptr, conf_values_make(keys, unknown, err, sizeof(err)));
	EXPECT_STREQ("sise: unknown key", err);
	const char *bad[] = {"path", "x", "label", "123456789", nullptr};
	EXPECT_EQ(nullptr, conf_values_make(keys, bad, err, sizeof(err)));
	EXPECT_STREQ("label: 9 bytes long; expected 1 to 8", err);
}

TEST(ConfValues, AreTheSameButForOne)
{
	static const conf_key keys[] = {
		{"path", CONF_PATH, true, false, 0, 0, nullptr, nullptr, ""},
		{"size", CONF_SIZE, false, false, 0, 0, "4KiB", nullptr, ""},
		{"label", CONF_STRING, false, false, 1, 8, nullptr, nullptr, ""},
		{},
	};
	const char *pairs[] = {"path", "/x", "size", "1MiB", nullptr};
	char err[240];
	conf_values *old = conf_values_make(keys, pairs, err, sizeof(err));
	conf_values *v = conf_values_with(old, "path", "/y", err, sizeof(err));

	ASSERT_NE(nullptr, v) << err;
	EXPECT_STREQ("/y", conf_str(v, "path"));
	EXPECT_EQ(1u << 20, conf_u64(v, "size"));
	EXPECT_FALSE(conf_has(v, "label"));
	EXPECT_STREQ("/x", conf_str(old, "path"));
	conf_values_free(v);
	v = conf_values_with(old, "path", nullptr, err, sizeof(err));
	ASSERT_NE(nullptr, v) << err;
	EXPECT_FALSE(conf_has(v, "path"));
	EXPECT_EQ(conf_u64(old, "size"), conf_u64(v, "size"));
	conf_values_free(v);
	EXPECT_EQ(nullptr, conf_values_with(old, "sise", nullptr, err, sizeof(err)));
	EXPECT_EQ(nullptr, conf_values_with(old, "sise", "1MiB", err, sizeof(err)));
	EXPECT_STREQ("sise: unknown key", err);
	EXPECT_EQ(nullptr, conf_values_with(old, "size", "big", err, sizeof(err)));
	conf_values_free(old);
}
