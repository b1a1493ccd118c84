/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <memory>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "stages/crypto/keytable_format.h"
#include "strake_kernel.h"
}

namespace
{

class Keytable : public testing::Test
{
      protected:
	Keytable() : t(new keytable()), back(new keytable())
	{
		memset(t->uuid, 0x11, 16);
		memset(t->check, 0x22, 16);
		t->seq = 0x0102030405060708;
		t->last_opening = 3;
		t->n_keys = 2;
		t->key[0] = {7, 1, KEYTABLE_ERASED, {}};
		t->key[1] = {0x01020304, 0x0506, KEYTABLE_LIVE, {}};
		memset(t->key[1].wrapped, 0x33, KEYTABLE_WRAPPED);
		t->n_openings = 1;
		t->opening[0].number = 3;
		memset(t->opening[0].salt, 0x44, 16);
		image.resize(keytable_bytes(2, 1));
		keytable_encode(t.get(), image.data());
	}
	int
	decode(bool mend = true)
	{
		if (mend) {
			memset(&image[16], 0, 4);
			uint32_t crc = strake_kernel->crc32c(0, image.data(), image.size());
			memcpy(&image[16], &crc, 4);
		}
		return keytable_decode(back.get(), image.data(), image.size());
	}

	std::unique_ptr<keytable> t, back;
	std::vector<uint8_t> image;
};

} // namespace

TEST_F(Keytable, RoundTrips)
{
	ASSERT_EQ(0, decode(false));
	EXPECT_EQ(0, memcmp(t.get(), back.get(), sizeof(*t)));
}

TEST_F(Keytable, LiesAsVersionOneSays)
{
	EXPECT_EQ(0, memcmp(image.data(), "STRKKEYS\x01\0\0\0\x18\x01\0\0", 16));
	EXPECT_EQ(0, memcmp(&image[20], "\x02\0\0\0\x01\0\0\0\x03\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01", 20));
	EXPECT_EQ(0x11, image[48]);
	EXPECT_EQ(0x22, image[64]);
	EXPECT_EQ(0, memcmp(&image[128 + 64], "\x04\x03\x02\x01\x06\x05\x01\0\x33", 9));
	EXPECT_EQ(0, memcmp(&image[256], "\x03\0\0\0\0\0\0\0\x44", 9));
}

TEST_F(Keytable, DamageIsSeen)
{
	for (size_t i = 8; i < image.size(); i++) {
		image[i] ^= 0x40;
		int ret = decode(false);
		EXPECT_TRUE(ret == -EBADMSG || (ret == -EPROTO && i < 12)) << i;
		image[i] ^= 0x40;
	}
	image.pop_back();
	EXPECT_EQ(-EBADMSG, decode(false));
	image.resize(100);
	EXPECT_EQ(-EBADMSG, decode(false));
	image.clear();
	EXPECT_EQ(-ENOENT, keytable_decode(back.get(), nullptr, 0));
}

TEST_F(Keytable, NonsenseUnderAGoodSumIsRefused)
{
	auto with = [&](size_t at, std::vector<uint8_t> bytes) {
		keytable_encode(t.get(), image.data());
		std::copy(bytes.begin(), bytes.end(), image.begin() + (long)at);
		return decode();
	};

	EXPECT_EQ(0, with(0, {}));
	EXPECT_EQ(-EBADMSG, with(28, {0, 0})) << "openings beyond the last";
	EXPECT_EQ(-ENOENT, with(0, {'X'}));
	EXPECT_EQ(-EPROTO, with(8, {2}));
	EXPECT_EQ(-EBADMSG, with(12, {0x17}));
	EXPECT_EQ(-EBADMSG, with(20, {0xff, 0xff, 0xff, 0xff}));
	EXPECT_EQ(-EBADMSG, with(24, {0xff, 0xff, 0xff, 0xff}));
	EXPECT_EQ(-EBADMSG, with(128 + 4, {0, 0})) << "epoch 0";
	EXPECT_EQ(-EBADMSG, with(128 + 6, {0})) << "no state";
	EXPECT_EQ(-EBADMSG, with(128 + 6, {3}));
	EXPECT_EQ(-EBADMSG, with(128 + 64, {7, 0, 0, 0, 1, 0})) << "twice the same";
	EXPECT_EQ(-EBADMSG, with(256, {0, 0})) << "opening 0";
	t->n_openings = 2;
	t->opening[1].number = 3;
	image.resize(keytable_bytes(2, 2));
	EXPECT_EQ(-EBADMSG, with(0, {})) << "twice the same opening";
}

TEST_F(Keytable, TheLargestFits)
{
	t->n_keys = KEYTABLE_KEYS;
	for (uint32_t i = 0; i < KEYTABLE_KEYS; i++)
		t->key[i] = {i, 1, KEYTABLE_LIVE, {}};
	t->n_openings = t->last_opening = KEYTABLE_OPENINGS;
	for (uint32_t i = 0; i < KEYTABLE_OPENINGS; i++)
		t->opening[i].number = (uint16_t)(i + 1);
	image.resize(KEYTABLE_BYTES_MAX);
	keytable_encode(t.get(), image.data());
	ASSERT_EQ(0, decode(false));
	EXPECT_EQ(0, memcmp(t.get(), back.get(), sizeof(*t)));
}
