/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Pages and roots on the drives: what was written comes back, anything else is refused. */

#include <cerrno>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "stages/volume/map_format.h"
#include "strake_kernel.h"
}

namespace
{

using Bytes = std::vector<uint8_t>;

class MapFormat : public testing::Test
{
      protected:
	void
	SetUp() override
	{
		o.tree = 0x1122334455667788;
		o.index = 0x123456789a;
		o.gen = 77;
		o.level = 1;
		memset(o.uuid, 0xab, sizeof(o.uuid));
		entries[0] = 1;
		entries[511] = UINT64_MAX - 1;
		EXPECT_EQ(2u, map_image_encode(image.data(), &o, entries));
	}
	/* The sum made right again, so that what lies behind it is looked at. */
	static void
	fix(Bytes &b, size_t len)
	{
		memset(b.data() + 4, 0, 4);
		uint32_t crc = strake_kernel->crc32c(0, b.data(), len);
		memcpy(b.data() + 4, &crc, 4);
	}
	int
	with(size_t at, uint8_t value)
	{
		Bytes b = image;
		map_owner got;

		b[at] = value;
		fix(b, b.size());
		return map_image_owner(b.data(), &got);
	}
	map_owner o = {};
	uint64_t entries[MAP_FANOUT] = {};
	Bytes image = Bytes(MAP_IMAGE_BYTES);
};

TEST_F(MapFormat, PageComesBack)
{
	uint64_t got[MAP_FANOUT];
	map_owner back = {};

	ASSERT_EQ(0, map_image_owner(image.data(), &back));
	EXPECT_EQ(o.tree, back.tree);
	EXPECT_EQ(o.index, back.index);
	EXPECT_EQ(o.gen, back.gen);
	EXPECT_EQ(o.level, back.level);
	EXPECT_EQ(0, memcmp(o.uuid, back.uuid, sizeof(o.uuid)));
	EXPECT_EQ(2u, map_image_entries(image.data(), got));
	EXPECT_EQ(0, memcmp(entries, got, sizeof(got)));
}

TEST_F(MapFormat, PageWithAnyBitTurnedIsRefused)
{
	map_owner got;

	for (size_t bit = 0; bit < image.size() * 8; bit++) {
		image[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ASSERT_EQ(bit < 32 ? -ENOENT : -EBADMSG, map_image_owner(image.data(), &got)) << bit;
		image[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

TEST_F(MapFormat, PageThatLiesUnderAGoodSumIsRefused)
{
	EXPECT_EQ(0, with(8, 1)); /* another tree: the map's to say */
	EXPECT_EQ(-EPROTO, with(48, 2));
	EXPECT_EQ(-EBADMSG, with(49, MAP_LEVELS_MAX));
	EXPECT_EQ(-EBADMSG, with(50, 1));
	EXPECT_EQ(-EBADMSG, with(52, 3)); /* entries counted wrong */
	EXPECT_EQ(-EBADMSG, with(63, 1));
}

/* An inner entry that stands for a page in memory must not come from a drive. */
TEST_F(MapFormat, PageInMemoryIsNoAddress)
{
	Bytes b = image;
	map_owner got;

	memset(b.data() + 64, 0xff, 8);
	fix(b, b.size());
	EXPECT_EQ(-EBADMSG, map_image_owner(b.data(), &got));
	b[49] = 0; /* in a leaf it is a value like any other */
	fix(b, b.size());
	EXPECT_EQ(0, map_image_owner(b.data(), &got));

	entries[0] = MAP_ADDR_NONE;
	EXPECT_EQ(1u, map_image_encode(image.data(), &o, entries));
	EXPECT_EQ(0, map_image_owner(image.data(), &got));
	EXPECT_EQ(1u, map_image_entries(image.data(), entries));
	EXPECT_EQ(0u, entries[0]);
}

/* Version 1 is what these bytes are, for ever. */
TEST_F(MapFormat, LayoutIsFrozen)
{
	static const uint8_t head[64] = {'S',  'T',  'P',  'G',	 0x00, 0x00, 0x00, 0x00, 0x88, 0x77, 0x66, 0x55,
					 0x44, 0x33, 0x22, 0x11, 0x9a, 0x78, 0x56, 0x34, 0x12, 0,    0,	   0,
					 77,   0,    0,	   0,	 0,    0,    0,	   0,	 0xab, 0xab, 0xab, 0xab,
					 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab,
					 1,    1,    0,	   0,	 2,    0,    0,	   0};
	uint32_t crc;

	memcpy(&crc, image.data() + 4, 4);
	memset(image.data() + 4, 0, 4);
	EXPECT_EQ(strake_kernel->crc32c(0, image.data(), image.size()), crc);
	EXPECT_EQ(0, memcmp(head, image.data(), sizeof(head)));
	EXPECT_EQ(1u, image[64]);
	EXPECT_EQ(0xfe, image[MAP_IMAGE_BYTES - 8]);
	EXPECT_EQ(0xff, image[MAP_IMAGE_BYTES - 1]);

	const map_root root = {0x0102, 0x0304, 0x0506, 6};
	Bytes table(map_roots_bytes(1));
	static const uint8_t roots_head[24] = {'S', 'T', 'R', 'T', 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1};

	map_roots_encode(table.data(), 9, &root, 1);
	memset(table.data() + 4, 0, 4);
	EXPECT_EQ(72u, table.size());
	EXPECT_EQ(0, memcmp(roots_head, table.data(), sizeof(roots_head)));
	EXPECT_EQ(0x02, table[32]);
	EXPECT_EQ(0x04, table[40]);
	EXPECT_EQ(0x06, table[48]);
	EXPECT_EQ(6, table[56]);
}

class MapRoots : public testing::Test
{
      protected:
	int
	decode(const Bytes &b, uint32_t max = 8)
	{
		return map_roots_decode(b.data(), b.size(), &gen, got, max);
	}
	Bytes
	encode(const std::vector<map_root> &r)
	{
		Bytes b(map_roots_bytes((uint32_t)r.size()));

		map_roots_encode(b.data(), 5, r.data(), (uint32_t)r.size());
		return b;
	}
	map_root got[8];
	uint64_t gen = 0;
};

TEST_F(MapRoots, ComeBack)
{
	Bytes b = encode({{1, 10, 3, 4}, {2, 0, 0, 4}, {UINT64_MAX, 12, 1ULL << 54, 6}});

	ASSERT_EQ(3, decode(b));
	EXPECT_EQ(5u, gen);
	EXPECT_EQ(UINT64_MAX, got[2].tree);
	EXPECT_EQ(12u, got[2].addr);
	EXPECT_EQ(1ULL << 54, got[2].entries);
	EXPECT_EQ(6, got[2].levels);
	EXPECT_EQ(-E2BIG, decode(b, 2));
	b.resize(b.size() + 100); /* in a larger note */
	EXPECT_EQ(3, decode(b));
	EXPECT_EQ(0, decode(encode({})));
}

TEST_F(MapRoots, DamagedAreRefused)
{
	Bytes b = encode({{1, 10, 3, 4}, {2, 11, 1, 4}});

	for (size_t bit = 0; bit < b.size() * 8; bit++) {
		Bytes bad = b;

		bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ASSERT_EQ(bit < 32 ? -ENOENT : -EBADMSG, decode(bad)) << bit;
	}
	for (size_t len = 0; len < b.size(); len++) {
		Bytes cut(b.begin(), b.begin() + (long)len);

		ASSERT_EQ(len < MAP_ROOTS_HEAD ? -ENOENT : -EBADMSG, decode(cut)) << len;
	}
}

TEST_F(MapRoots, SenselessAreRefused)
{
	EXPECT_EQ(-EBADMSG, decode(encode({{2, 10, 3, 4}, {1, 11, 1, 4}}))); /* not ascending */
	EXPECT_EQ(-EBADMSG, decode(encode({{2, 10, 3, 4}, {2, 11, 1, 4}})));
	EXPECT_EQ(-EBADMSG, decode(encode({{1, MAP_ADDR_NONE, 3, 4}})));
	EXPECT_EQ(-EBADMSG, decode(encode({{1, 0, 3, 4}})));
	EXPECT_EQ(-EBADMSG, decode(encode({{1, 1, 3, 0}})));
	EXPECT_EQ(-EBADMSG, decode(encode({{1, 1, 3, MAP_LEVELS_MAX + 1}})));
	EXPECT_EQ(-EBADMSG, decode(encode({{1, 1, 513, 1}})));
}

} // namespace
