/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Any bytes as a superblock, a block of the dirty map or the head of a drive. The harness sets magic, version and CRC
 * right, so that what lies behind them is reached. What is accepted is within its limits and survives another round.
 */

#include "fuzz_world.h"

extern "C" {
#include "stages/stripe/super_format.h"
#include "strake_kernel.h"
}

namespace
{

constexpr uint32_t kCrcOff = 12;

void
fix_crc(uint8_t *page, size_t len)
{
	uint32_t crc;

	memset(page + kCrcOff, 0, 4);
	crc = strake_kernel->crc32c(0, page, len);
	memcpy(page + kCrcOff, &crc, 4);
}

/* What is left of the input, as patches of the page: where, how many, which bytes. */
void
patch(Input &in, uint8_t *page, size_t len)
{
	while (!in.empty()) {
		size_t at = (in.u16() | (size_t)in.u8() << 16) % len;
		Bytes b = in.bytes(1 + in.u8() % 128);

		if (!b.empty())
			memcpy(page + at, b.data(), std::min(b.size(), len - at));
	}
}

super *
make_super(Input &in)
{
	auto *s = new super();

	s->seq = in.u8();
	s->generation = in.u8();
	s->members = 2 * (1 + in.u8() % (SUPER_MEMBERS / 2));
	s->raid = in.u8() % 3 * 5;
	s->raid = s->raid == 5 ? 1 : s->raid;
	s->index = in.u8() % s->members;
	s->clean = in.bit();
	s->chunk = 4096ULL << in.u8() % 9;
	s->region = 1ULL << (20 + in.u8() % 21);
	s->member_bytes = (1 + (uint64_t)in.u16()) << 20;
	s->extents = in.u8() % SUPER_EXTENTS;
	snprintf(s->name, sizeof(s->name), "group");
	for (uint32_t i = 0; i < s->members; i++) {
		memset(s->member[i].uuid, 1 + (int)i, sizeof(s->member[i].uuid));
		snprintf(s->member[i].serial, sizeof(s->member[i].serial), "serial%u", i);
		s->member[i].state = s->raid == 0 ? 0 : (uint8_t)(i % 3);
		s->member[i].generation = s->generation / (1 + i);
	}
	for (uint32_t i = 0; i < s->extents; i++) {
		snprintf(s->extent[i].name, sizeof(s->extent[i].name), "volume%u", i);
		s->extent[i].place = i * 1024;
		s->extent[i].bytes = 512;
	}
	return s;
}

void
one_super(Input &in, uint8_t *page)
{
	static super first, second;
	super *made = make_super(in);
	bool crc_right = !in.bit();

	super_encode(made, page);
	FUZZ_CHECK(super_decode(&first, page) == 0);
	FUZZ_CHECK(memcmp(&first, made, sizeof(first)) == 0);
	delete made;
	patch(in, page, SUPER_BYTES);
	if (crc_right)
		fix_crc(page, SUPER_BYTES);
	int ret = super_decode(&first, page);

	FUZZ_CHECK(ret == 0 || ret == -ENOENT || ret == -EBADMSG || ret == -EPROTO);
	if (ret != 0)
		return;
	FUZZ_CHECK(first.members >= 1 && first.members <= SUPER_MEMBERS && first.index < first.members);
	FUZZ_CHECK(first.extents <= SUPER_EXTENTS);
	FUZZ_CHECK(memchr(first.name, 0, sizeof(first.name)) != nullptr);
	for (uint32_t i = 0; i < first.extents; i++)
		FUZZ_CHECK(memchr(first.extent[i].name, 0, sizeof(first.extent[i].name)) != nullptr);
	super_encode(&first, page);
	FUZZ_CHECK(super_decode(&second, page) == 0);
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0);
}

void
one_dirty(Input &in, uint8_t *page)
{
	Bytes bits(DIRTY_BLOCK_BITS / 8), again(DIRTY_BLOCK_BITS / 8);
	dirty_block b = {}, c = {};
	bool crc_right = !in.bit();

	b.seq = in.u8();
	b.index = in.u8();
	dirty_encode(&b, bits.data(), page);
	patch(in, page, DIRTY_BYTES);
	if (crc_right)
		fix_crc(page, DIRTY_BYTES);
	int ret = dirty_decode(&b, bits.data(), page);

	FUZZ_CHECK(ret == 0 || ret == -ENOENT || ret == -EBADMSG || ret == -EPROTO);
	if (ret != 0)
		return;
	dirty_encode(&b, bits.data(), page);
	FUZZ_CHECK(dirty_decode(&c, again.data(), page) == 0);
	FUZZ_CHECK(c.seq == b.seq && c.index == b.index && memcmp(c.uuid, b.uuid, 16) == 0 && bits == again);
}

/* A drive may be shorter than any signature's place: the heap block ends where the drive does. */
void
one_foreign(Input &in)
{
	uint32_t len = in.u32() % 70000;
	uint8_t *head = (uint8_t *)calloc(1, len == 0 ? 1 : len);

	if (len > 0)
		patch(in, head, len);
	const char *what = super_foreign(head, len);

	FUZZ_CHECK(what == nullptr || what[0] != 0);
	free(head);
}

} // namespace

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Heap blocks of exactly their size. */
	static uint8_t *const super_page = (uint8_t *)malloc(SUPER_BYTES);
	static uint8_t *const dirty_page = (uint8_t *)malloc(DIRTY_BYTES);
	Input in(data, size);

	switch (in.u8() % 3) {
	case 0:
		one_super(in, super_page);
		break;
	case 1:
		one_dirty(in, dirty_page);
		break;
	default:
		one_foreign(in);
	}
	return 0;
}
