/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "stages/stripe/super_format.h"
#include "strake_kernel.h"
}

namespace
{

std::unique_ptr<super>
sample()
{
	auto s = std::make_unique<super>();

	memset(s.get(), 0, sizeof(*s));
	s->seq = 0x1122334455667788;
	s->generation = 7;
	for (int i = 0; i < 16; i++)
		s->uuid[i] = (uint8_t)i;
	strcpy(s->name, "g0");
	s->raid = 10;
	s->members = 4;
	s->index = 2;
	s->clean = true;
	s->chunk = 65536;
	s->region = 64 << 20;
	s->member_bytes = 1 << 30;
	for (uint32_t i = 0; i < 4; i++) {
		memset(s->member[i].uuid, 0x40 + (int)i, 16);
		snprintf(s->member[i].serial, 64, "serial-%u", i);
		s->member[i].state = (uint8_t)(i % 3);
		s->member[i].generation = 5 + i;
	}
	s->extents = 1;
	strcpy(s->extent[0].name, "v0");
	memset(s->extent[0].uuid, 0x77, 16);
	s->extent[0].place = 1 << 20;
	s->extent[0].bytes = 512 << 20;
	return s;
}

/* The golden one's members are from the future; kept as it is for its bytes. */
std::unique_ptr<super>
sane()
{
	auto s = sample();

	s->generation = 8;
	return s;
}

TEST(SuperFormat, ReadsBackWhatItWrote)
{
	std::vector<uint8_t> page(SUPER_BYTES);
	auto in = sane(), out = std::make_unique<super>();

	super_encode(in.get(), page.data());
	ASSERT_EQ(0, super_decode(out.get(), page.data()));
	EXPECT_EQ(0, memcmp(in.get(), out.get(), sizeof(super)));
}

/* Version 1 for ever: these bytes are on people's drives. */
TEST(SuperFormat, GoldenBytes)
{
	static const uint8_t head[] = {
		'S', 'T', 'R', 'A', 'K', 'E', 'G', 'R', 1, 0, 0, 0,
	};
	std::vector<uint8_t> p(SUPER_BYTES);

	super_encode(sample().get(), p.data());
	EXPECT_EQ(0, memcmp(head, p.data(), sizeof(head)));
	EXPECT_EQ(0x88, p[16]);
	EXPECT_EQ(0x11, p[23]);
	EXPECT_EQ(7, p[24]) << "generation";
	EXPECT_EQ(15, p[47]) << "uuid";
	EXPECT_STREQ("g0", (char *)&p[48]);
	EXPECT_EQ(10, p[112]) << "raid";
	EXPECT_EQ(4, p[116]) << "members";
	EXPECT_EQ(2, p[120]) << "index";
	EXPECT_EQ(1, p[124]) << "clean";
	EXPECT_EQ(1, p[128]) << "extents";
	EXPECT_EQ(1, p[138]) << "chunk 64 KiB";
	EXPECT_EQ(4, p[147]) << "region 64 MiB";
	EXPECT_EQ(0x40, p[155]) << "member bytes";
	EXPECT_EQ(0x41, p[1024 + 96]) << "second member";
	EXPECT_STREQ("serial-1", (char *)&p[1024 + 96 + 16]);
	EXPECT_EQ(6, p[1024 + 96 + 80]) << "its generation";
	EXPECT_EQ(1, p[1024 + 96 + 88]) << "its state";
	EXPECT_STREQ("v0", (char *)&p[4096]);
	EXPECT_EQ(0x10, p[4096 + 82]) << "place 1 MiB";
	EXPECT_EQ(0x20, p[4096 + 91]) << "512 MiB";
	EXPECT_EQ(0xc4f9da18u, strake_kernel->crc32c(0, p.data(), p.size())) << "whole image";
}

TEST(SuperFormat, NoticesEveryFlippedBit)
{
	std::vector<uint8_t> page(SUPER_BYTES);
	auto out = std::make_unique<super>();
	std::mt19937 rnd(1);

	super_encode(sane().get(), page.data());
	for (int i = 0; i < 300; i++) {
		uint32_t bit = i < 200 ? (uint32_t)i * 8 + i % 8 : rnd() % (SUPER_BYTES * 8);

		page[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ASSERT_NE(0, super_decode(out.get(), page.data())) << "bit " << bit;
		page[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	EXPECT_EQ(0, super_decode(out.get(), page.data()));
}

void
reseal(std::vector<uint8_t> &p)
{
	memset(&p[12], 0, 4);
	uint32_t crc = strake_kernel->crc32c(0, p.data(), p.size());

	memcpy(&p[12], &crc, 4);
}

TEST(SuperFormat, NoticesEverySectorThatIsTornOff)
{
	std::vector<uint8_t> a(SUPER_BYTES), b(SUPER_BYTES), torn;
	auto s = sane(), out = std::make_unique<super>();

	super_encode(s.get(), a.data());
	s->seq++;
	s->generation++;
	for (uint32_t i = 0; i < SUPER_EXTENTS; i++) {
		s->extents = SUPER_EXTENTS;
		snprintf(s->extent[i].name, 64, "v%u", i);
	}
	super_encode(s.get(), b.data());
	for (uint32_t cut = 512; cut < SUPER_BYTES; cut += 512) {
		torn = a;
		memcpy(torn.data(), b.data(), cut);
		ASSERT_EQ(-EBADMSG, super_decode(out.get(), torn.data())) << cut;
	}
}

/* Sealed by a program that is not sane: numbers out of bounds must not be believed. */
TEST(SuperFormat, RefusesWildNumbersUnderAGoodSum)
{
	auto out = std::make_unique<super>();
	struct {
		size_t off;
		uint8_t value;
		int expect;
	} cases[] = {
		{8, 2, -EPROTO},    {116, 33, -EBADMSG},      {116, 0, -EBADMSG}, {120, 4, -EBADMSG},
		{130, 1, -EBADMSG}, {1024 + 88, 3, -EBADMSG}, {0, 'X', -ENOENT},
	};

	for (auto &c : cases) {
		std::vector<uint8_t> p(SUPER_BYTES);

		super_encode(sane().get(), p.data());
		p[c.off] = c.value;
		reseal(p);
		EXPECT_EQ(c.expect, super_decode(out.get(), p.data())) << c.off;
	}
	std::vector<uint8_t> p(SUPER_BYTES);

	super_encode(sane().get(), p.data());
	memset(&p[48], 'x', 64); /* a name without end */
	reseal(p);
	EXPECT_EQ(-EBADMSG, super_decode(out.get(), p.data()));
	p.assign(SUPER_BYTES, 0);
	EXPECT_EQ(-ENOENT, super_decode(out.get(), p.data()));
}

TEST(SuperFormat, RefusesWhatNoGroupCanBe)
{
	struct {
		const char *what;
		void (*spoil)(super *s);
	} cases[] = {
		{"raid", [](super *s) { s->raid = 5; }},
		{"odd pairs", [](super *s) { s->members = 3; }},
		{"mirror of one", [](super *s) { s->raid = 1, s->members = 1, s->index = 0; }},
		{"chunk 0", [](super *s) { s->chunk = 0; }},
		{"chunk 2048", [](super *s) { s->chunk = 2048; }},
		{"chunk odd", [](super *s) { s->chunk = 65536 + 4096; }},
		{"chunk large", [](super *s) { s->chunk = 2 << 20; }},
		{"chunk huge", [](super *s) { s->chunk = 1ULL << 32 | 65536; }},
		{"region 0", [](super *s) { s->region = 0; }},
		{"region small", [](super *s) { s->region = 1 << 19; }},
		{"region huge", [](super *s) { s->region = 1ULL << 41; }},
		{"regions many", [](super *s) { s->region = 1 << 20, s->member_bytes = 1ULL << 50; }},
		{"no bytes", [](super *s) { s->member_bytes = 0; }},
		{"part of a chunk", [](super *s) { s->member_bytes += 4096; }},
		{"bytes wrap", [](super *s) { s->member_bytes = 1ULL << 63; }},
		{"generation wraps", [](super *s) { s->generation = UINT64_MAX; }},
		{"sequence wraps", [](super *s) { s->seq = UINT64_MAX; }},
		{"future", [](super *s) { s->member[1].generation = 9; }},
		{"twins", [](super *s) { memcpy(s->member[1].uuid, s->member[3].uuid, 16); }},
		{"stale in raid 0", [](super *s) { s->raid = 0; }},
		{"no name", [](super *s) { s->name[0] = 0; }},
		{"no extent name", [](super *s) { s->extent[0].name[0] = 0; }},
		{"empty extent", [](super *s) { s->extent[0].bytes = 0; }},
		{"extent beyond", [](super *s) { s->extent[0].place = 2ULL << 30; }},
		{"extent too long", [](super *s) { s->extent[0].bytes = 2ULL << 30; }},
		{"extent wraps", [](super *s) { s->extent[0].bytes = UINT64_MAX; }},
		{"extent twice", [](super *s) { s->extent[s->extents++] = s->extent[0]; }},
		{"same name",
		 [](super *s) {
			 s->extent[1] = s->extent[0];
			 s->extent[1].place = 1 << 30;
			 s->extents = 2;
		 }},
		{"overlap",
		 [](super *s) {
			 s->extent[1] = s->extent[0];
			 strcpy(s->extent[1].name, "v1");
			 s->extent[1].place += 4096;
			 s->extents = 2;
		 }},
	};

	for (auto &c : cases) {
		std::vector<uint8_t> p(SUPER_BYTES);
		auto s = sane(), out = std::make_unique<super>();

		c.spoil(s.get());
		super_encode(s.get(), p.data());
		EXPECT_EQ(-EBADMSG, super_decode(out.get(), p.data())) << c.what;
	}
}

TEST(SuperFormat, MarkIsOneSectorAndNoticesDamage)
{
	std::vector<uint8_t> page(DIRTY_BYTES, 0xaa);
	super_mark in = {{1, 2, 3}, "g0"}, out = {};

	mark_encode(&in, page.data());
	ASSERT_EQ(0, mark_decode(&out, page.data()));
	EXPECT_EQ(0, memcmp(&in, &out, sizeof(in)));
	EXPECT_EQ(0, memcmp("STRAKEFM", page.data(), 8));
	for (size_t i = 512; i < page.size(); i++)
		ASSERT_EQ(0, page[i]);
	for (size_t i = 0; i < 512; i++) {
		page[i] ^= 1;
		ASSERT_NE(0, mark_decode(&out, page.data())) << i;
		page[i] ^= 1;
	}
	auto s = std::make_unique<super>();

	EXPECT_EQ(-ENOENT, super_decode(s.get(), page.data())) << "a program that knows no marks sees none";
}

TEST(DirtyFormat, ReadsBackAndNoticesDamage)
{
	std::vector<uint8_t> page(DIRTY_BYTES), in(DIRTY_BLOCK_BITS / 8), out(in.size());
	dirty_block b = {9, {1, 2, 3}, 5}, r = {};

	for (size_t i = 0; i < in.size(); i++)
		in[i] = (uint8_t)(i * 7);
	dirty_encode(&b, in.data(), page.data());
	ASSERT_EQ(0, dirty_decode(&r, out.data(), page.data()));
	EXPECT_EQ(in, out);
	EXPECT_EQ(9u, r.seq);
	EXPECT_EQ(5u, r.index);
	EXPECT_EQ(0, memcmp(b.uuid, r.uuid, 16));
	EXPECT_EQ(0, memcmp("STRAKEDM", page.data(), 8));
	for (size_t i = 0; i < page.size(); i++) {
		page[i] ^= 1;
		ASSERT_NE(0, dirty_decode(&r, out.data(), page.data())) << i;
		page[i] ^= 1;
	}
}

TEST(DirtyFormat, LiesBetweenSuperblocksAndData)
{
	EXPECT_EQ(2 * SUPER_BYTES, dirty_copy_off(0, 0));
	EXPECT_EQ(dirty_copy_off(0, 0) + DIRTY_BYTES, dirty_copy_off(0, 1));
	EXPECT_LE(dirty_copy_off(DIRTY_BLOCKS - 1, 1) + DIRTY_BYTES, SUPER_DATA_OFF);
}

TEST(Foreign, KnowsOthersByTheirSignatures)
{
	struct {
		uint32_t off;
		const char *bytes;
		const char *word;
	} cases[] = {{1080, "\x53\xef", "ext"},	      {0, "XFSB", "XFS"},	{512, "LABELONE", "LVM"},
		     {512, "EFI PART", "GPT"},	      {510, "\x55\xaa", "MBR"}, {0, "LUKS\xba\xbe", "LUKS"},
		     {4096, "\xfc\x4e\x2b\xa9", "md"}};

	for (auto &c : cases) {
		std::vector<uint8_t> head(128 << 10);

		memcpy(&head[c.off], c.bytes, strlen(c.bytes));
		const char *what = super_foreign(head.data(), (uint32_t)head.size());

		ASSERT_NE(nullptr, what) << c.word;
		EXPECT_NE(nullptr, strstr(what, c.word)) << what;
		EXPECT_EQ(nullptr, super_foreign(head.data(), c.off)) << "cut off before it";
	}
	std::vector<uint8_t> zero(128 << 10);

	EXPECT_EQ(nullptr, super_foreign(zero.data(), (uint32_t)zero.size()));
}

} // namespace
