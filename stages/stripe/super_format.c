/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "super_format.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "head_format.h"

#define VERSION	   1

#define MARK_BYTES 512u /* a sector: never torn */

/* No group has more, or less. */
#define CHUNK_MIN  4096u
#define CHUNK_MAX  (1u << 20)
#define REGION_MIN (1u << 20)
#define REGION_MAX (1ULL << 40)
#define MEMBER_MAX (1ULL << 56)
#define COUNT_MAX  (1ULL << 62) /* of changes: from here on a counter could wrap */

static const uint8_t super_magic[8] = {'S', 'T', 'R', 'A', 'K', 'E', 'G', 'R'};
static const uint8_t mark_magic[8] = {'S', 'T', 'R', 'A', 'K', 'E', 'F', 'M'};
static const uint8_t dirty_magic[8] = {'S', 'T', 'R', 'A', 'K', 'E', 'D', 'M'};

struct disk_member {
	uint8_t uuid[16];
	char serial[64];
	rte_le64_t generation;
	uint8_t state;
	uint8_t zero[7];
};
static_assert(sizeof(struct disk_member) == 96, "on disk");

struct disk_extent {
	char name[64];
	uint8_t uuid[16];
	rte_le64_t place, bytes;
};
static_assert(sizeof(struct disk_extent) == 96, "on disk");

struct disk_super {
	uint8_t magic[8];
	rte_le32_t version;
	rte_le32_t crc; /* over all SUPER_BYTES with this field zero */
	rte_le64_t seq, generation;
	uint8_t uuid[16];
	char name[64];
	rte_le32_t raid, members, index, flags, extents, zero;
	rte_le64_t chunk, region, member_bytes;
	uint8_t zeroes[864];
	struct disk_member member[SUPER_MEMBERS];
	struct disk_extent extent[SUPER_EXTENTS];
};
static_assert(offsetof(struct disk_super, member) == 1024, "on disk");
static_assert(offsetof(struct disk_super, extent) == 4096, "on disk");
static_assert(sizeof(struct disk_super) == SUPER_BYTES, "on disk");

#define FLAG_CLEAN 1u

struct disk_dirty {
	uint8_t magic[8];
	rte_le32_t version;
	rte_le32_t crc; /* over all DIRTY_BYTES with this field zero */
	rte_le64_t seq;
	uint8_t uuid[16];
	rte_le32_t index, zero;
	uint8_t zeroes[16];
	uint8_t bits[DIRTY_BLOCK_BITS / 8]; /* region r of the block: bit r & 7 of byte r / 8 */
};
static_assert(sizeof(struct disk_dirty) == DIRTY_BYTES, "on disk");

void
super_encode(const struct super *s, void *page)
{
	struct disk_super *d = page;

	memset(d, 0, sizeof(*d));
	d->seq = rte_cpu_to_le_64(s->seq);
	d->generation = rte_cpu_to_le_64(s->generation);
	memcpy(d->uuid, s->uuid, sizeof(d->uuid));
	memcpy(d->name, s->name, sizeof(d->name));
	d->raid = rte_cpu_to_le_32(s->raid);
	d->members = rte_cpu_to_le_32(s->members);
	d->index = rte_cpu_to_le_32(s->index);
	d->flags = rte_cpu_to_le_32(s->clean ? FLAG_CLEAN : 0);
	d->extents = rte_cpu_to_le_32(s->extents);
	d->chunk = rte_cpu_to_le_64(s->chunk);
	d->region = rte_cpu_to_le_64(s->region);
	d->member_bytes = rte_cpu_to_le_64(s->member_bytes);
	for (uint32_t i = 0; i < s->members; i++) {
		memcpy(d->member[i].uuid, s->member[i].uuid, sizeof(d->member[i].uuid));
		memcpy(d->member[i].serial, s->member[i].serial, sizeof(d->member[i].serial));
		d->member[i].generation = rte_cpu_to_le_64(s->member[i].generation);
		d->member[i].state = s->member[i].state;
	}
	for (uint32_t i = 0; i < s->extents; i++) {
		memcpy(d->extent[i].name, s->extent[i].name, sizeof(d->extent[i].name));
		memcpy(d->extent[i].uuid, s->extent[i].uuid, sizeof(d->extent[i].uuid));
		d->extent[i].place = rte_cpu_to_le_64(s->extent[i].place);
		d->extent[i].bytes = rte_cpu_to_le_64(s->extent[i].bytes);
	}
	head_seal(d, super_magic, VERSION, sizeof(*d));
}

/* What a group of these numbers can hold; 0: there is none such. */
static uint64_t
area_bytes(const struct super *s)
{
	uint64_t cols = s->raid == 0 ? s->members : s->raid == 1 ? 1 : s->members / 2;

	if (s->members == 0 || s->members > SUPER_MEMBERS || s->index >= s->members)
		return 0;
	if ((s->raid != 0 && s->raid != 1 && s->raid != 10) || (s->raid != 0 && s->members < 2) ||
	    (s->raid == 10 && s->members % 2 != 0))
		return 0;
	if (s->chunk < CHUNK_MIN || s->chunk > CHUNK_MAX || (s->chunk & (s->chunk - 1)) != 0)
		return 0;
	if (s->region < REGION_MIN || s->region > REGION_MAX || (s->region & (s->region - 1)) != 0)
		return 0;
	if (s->member_bytes > MEMBER_MAX || s->member_bytes % s->chunk != 0)
		return 0;
	if (s->raid != 0 && s->member_bytes / s->region >= (uint64_t)DIRTY_BLOCKS * DIRTY_BLOCK_BITS)
		return 0;
	return cols * s->member_bytes;
}

static bool
members_sane(const struct super *s)
{
	for (uint32_t i = 0; i < s->members; i++) {
		const struct super_member *m = &s->member[i];

		if (m->state > 2 || (s->raid == 0 && m->state != 0) || m->generation > s->generation ||
		    memchr(m->serial, 0, sizeof(m->serial)) == NULL)
			return false;
		for (uint32_t o = 0; o < i; o++) {
			if (memcmp(m->uuid, s->member[o].uuid, sizeof(m->uuid)) == 0)
				return false;
		}
	}
	return true;
}

static bool
extents_sane(const struct super *s, uint64_t area)
{
	for (uint32_t i = 0; i < s->extents; i++) {
		const struct super_extent *e = &s->extent[i];

		if (!head_named(e->name, sizeof(e->name)) || e->bytes == 0 || e->place >= area ||
		    e->bytes > area - e->place)
			return false;
		for (uint32_t o = 0; o < i; o++) {
			const struct super_extent *other = &s->extent[o];

			if (strcmp(e->name, other->name) == 0 ||
			    (e->place < other->place + other->bytes && other->place < e->place + e->bytes))
				return false;
		}
	}
	return true;
}

/* A good CRC says the bytes are as written, not that a sane program wrote them. */
static bool
super_sane(const struct super *s)
{
	uint64_t area = area_bytes(s);

	return area != 0 && s->extents <= SUPER_EXTENTS && head_named(s->name, sizeof(s->name)) && s->seq < COUNT_MAX &&
	       s->generation < COUNT_MAX && members_sane(s) && extents_sane(s, area);
}

int
super_decode(struct super *s, const void *page)
{
	const struct disk_super *d = page;
	int ret = head_check(page, super_magic, VERSION, SUPER_BYTES);

	if (ret < 0)
		return ret;
	memset(s, 0, sizeof(*s));
	s->seq = rte_le_to_cpu_64(d->seq);
	s->generation = rte_le_to_cpu_64(d->generation);
	memcpy(s->uuid, d->uuid, sizeof(s->uuid));
	memcpy(s->name, d->name, sizeof(s->name));
	s->raid = rte_le_to_cpu_32(d->raid);
	s->members = rte_le_to_cpu_32(d->members);
	s->index = rte_le_to_cpu_32(d->index);
	s->clean = (rte_le_to_cpu_32(d->flags) & FLAG_CLEAN) != 0;
	s->extents = rte_le_to_cpu_32(d->extents);
	s->chunk = rte_le_to_cpu_64(d->chunk);
	s->region = rte_le_to_cpu_64(d->region);
	s->member_bytes = rte_le_to_cpu_64(d->member_bytes);
	for (uint32_t i = 0; i < RTE_MIN(s->members, SUPER_MEMBERS); i++) {
		memcpy(s->member[i].uuid, d->member[i].uuid, sizeof(s->member[i].uuid));
		memcpy(s->member[i].serial, d->member[i].serial, sizeof(s->member[i].serial));
		s->member[i].generation = rte_le_to_cpu_64(d->member[i].generation);
		s->member[i].state = d->member[i].state;
	}
	for (uint32_t i = 0; i < RTE_MIN(s->extents, SUPER_EXTENTS); i++) {
		memcpy(s->extent[i].name, d->extent[i].name, sizeof(s->extent[i].name));
		memcpy(s->extent[i].uuid, d->extent[i].uuid, sizeof(s->extent[i].uuid));
		s->extent[i].place = rte_le_to_cpu_64(d->extent[i].place);
		s->extent[i].bytes = rte_le_to_cpu_64(d->extent[i].bytes);
	}
	return super_sane(s) ? 0 : -EBADMSG;
}

struct disk_mark {
	uint8_t magic[8];
	rte_le32_t version;
	rte_le32_t crc; /* over MARK_BYTES with this field zero */
	uint8_t uuid[16];
	char name[64];
	uint8_t zeroes[416];
};
static_assert(sizeof(struct disk_mark) == MARK_BYTES, "on disk");

void
mark_encode(const struct super_mark *m, void *page)
{
	struct disk_mark *d = page;

	memset(page, 0, DIRTY_BYTES);
	memcpy(d->uuid, m->uuid, sizeof(d->uuid));
	memcpy(d->name, m->name, sizeof(d->name));
	head_seal(d, mark_magic, VERSION, sizeof(*d));
}

int
mark_decode(struct super_mark *m, const void *page)
{
	const struct disk_mark *d = page;
	int ret = head_check(page, mark_magic, VERSION, MARK_BYTES);

	if (ret < 0)
		return ret;
	memcpy(m->uuid, d->uuid, sizeof(m->uuid));
	memcpy(m->name, d->name, sizeof(m->name));
	return head_named(m->name, sizeof(m->name)) ? 0 : -EBADMSG;
}

void
dirty_encode(const struct dirty_block *b, const uint8_t *bits, void *page)
{
	struct disk_dirty *d = page;

	memset(d, 0, sizeof(*d));
	d->seq = rte_cpu_to_le_64(b->seq);
	memcpy(d->uuid, b->uuid, sizeof(d->uuid));
	d->index = rte_cpu_to_le_32(b->index);
	memcpy(d->bits, bits, sizeof(d->bits));
	head_seal(d, dirty_magic, VERSION, sizeof(*d));
}

int
dirty_decode(struct dirty_block *b, uint8_t *bits, const void *page)
{
	const struct disk_dirty *d = page;
	int ret = head_check(page, dirty_magic, VERSION, DIRTY_BYTES);

	if (ret < 0)
		return ret;
	b->seq = rte_le_to_cpu_64(d->seq);
	memcpy(b->uuid, d->uuid, sizeof(b->uuid));
	b->index = rte_le_to_cpu_32(d->index);
	memcpy(bits, d->bits, sizeof(d->bits));
	return 0;
}

const char *
super_foreign(const uint8_t *head, uint32_t len)
{
	static const struct {
		uint32_t off;
		uint32_t len;
		const char *bytes, *what;
	} known[] = {
		{0, 8, "STRAKEGR", "a damaged Strake group"},
		{0, 8, "STRAKELG", "a Strake log group"},
		{512, 8, "EFI PART", "a GPT partition table"},
		{4096, 8, "EFI PART", "a GPT partition table"},
		{0, 6, "LUKS\xba\xbe", "LUKS"},
		{0, 4, "XFSB", "an XFS file system"},
		{1080, 2, "\x53\xef", "an ext file system"},
		{512, 8, "LABELONE", "LVM"},
		{4096, 4, "\xfc\x4e\x2b\xa9", "md RAID"},
		{0, 4, "\xfc\x4e\x2b\xa9", "md RAID"},
		{65600, 8, "_BHRfS_M", "a Btrfs file system"},
		{4086, 10, "SWAPSPACE2", "swap space"},
		{510, 2, "\x55\xaa", "an MBR partition table"},
	};

	for (unsigned int i = 0; i < RTE_DIM(known); i++) {
		if (known[i].off + known[i].len <= len &&
		    memcmp(head + known[i].off, known[i].bytes, known[i].len) == 0)
			return known[i].what;
	}
	return NULL;
}
