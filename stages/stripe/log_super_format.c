/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "log_super_format.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "head_format.h"

#define VERSION	  1
#define COUNT_MAX (1ULL << 62) /* of changes: from here on a counter could wrap */

static const uint8_t super_magic[8] = {'S', 'T', 'R', 'A', 'K', 'E', 'L', 'G'};
static const uint8_t note_magic[8] = {'S', 'T', 'R', 'A', 'K', 'E', 'N', 'T'};

struct disk_member {
	uint8_t uuid[16];
	char serial[64];
	rte_le64_t generation;
	rte_le32_t slots;
	uint8_t state;
	uint8_t zero[35];
};
static_assert(sizeof(struct disk_member) == 128, "on disk");

struct disk_super {
	uint8_t head[HEAD_BYTES];
	rte_le64_t seq, generation;
	uint8_t uuid[16];
	char name[64];
	rte_le32_t data, parity, members, index, first, moved, unit, segment, intent_bytes, block;
	uint8_t zeroes[3944];
	struct disk_member member[LOG_SUPER_MEMBERS];
	uint8_t rest[57344];
};
static_assert(offsetof(struct disk_super, member) == 4096, "on disk");
static_assert(sizeof(struct disk_super) == LOG_SUPER_BYTES, "on disk");

struct disk_note {
	uint8_t head[HEAD_BYTES];
	rte_le64_t seq;
	uint8_t uuid[16];
	rte_le32_t id, len;
	uint8_t zeroes[4048];
	uint8_t blob[LOG_NOTE_BYTES];
};
static_assert(offsetof(struct disk_note, blob) == LOG_NOTE_HEAD, "on disk");
static_assert(sizeof(struct disk_note) == LOG_NOTE_SLOT, "on disk");

void
lgroup_super_encode(const struct lgroup_super *s, void *page)
{
	struct disk_super *d = page;

	memset(d, 0, sizeof(*d));
	d->seq = rte_cpu_to_le_64(s->seq);
	d->generation = rte_cpu_to_le_64(s->generation);
	memcpy(d->uuid, s->uuid, sizeof(d->uuid));
	memcpy(d->name, s->name, sizeof(d->name));
	d->data = rte_cpu_to_le_32(s->data);
	d->parity = rte_cpu_to_le_32(s->parity);
	d->members = rte_cpu_to_le_32(s->members);
	d->index = rte_cpu_to_le_32(s->index);
	d->first = rte_cpu_to_le_32(s->first);
	d->moved = rte_cpu_to_le_32(s->moved);
	d->unit = rte_cpu_to_le_32(s->unit);
	d->segment = rte_cpu_to_le_32(s->segment);
	d->intent_bytes = rte_cpu_to_le_32(s->intent_bytes);
	d->block = rte_cpu_to_le_32(s->block);
	for (uint32_t i = 0; i < s->members; i++) {
		memcpy(d->member[i].uuid, s->member[i].uuid, sizeof(d->member[i].uuid));
		memcpy(d->member[i].serial, s->member[i].serial, sizeof(d->member[i].serial));
		d->member[i].generation = rte_cpu_to_le_64(s->member[i].generation);
		d->member[i].slots = rte_cpu_to_le_32(s->member[i].slots);
		d->member[i].state = s->member[i].state;
	}
	head_seal(d, super_magic, VERSION, sizeof(*d));
}

static bool
members_sane(const struct lgroup_super *s)
{
	uint32_t away = 0;

	for (uint32_t i = 0; i < s->members; i++) {
		const struct lgroup_super_member *m = &s->member[i];

		if (m->state > 2 || m->generation > s->generation || m->slots == 0 || m->slots > LOG_SLOTS_MAX ||
		    memchr(m->serial, 0, sizeof(m->serial)) == NULL)
			return false;
		for (uint32_t o = 0; o < i; o++) {
			if (memcmp(m->uuid, s->member[o].uuid, sizeof(m->uuid)) == 0)
				return false;
		}
		away += m->state != 0;
	}
	return away <= s->parity;
}

bool
lgroup_super_sane(const struct lgroup_super *s)
{
	if (s->data == 0 || s->data > LOG_SUPER_DATA || s->parity > 3 || s->members > LOG_SUPER_MEMBERS ||
	    s->first > s->members || s->data + s->parity > s->first || s->index >= s->members)
		return false;
	if (s->unit < LOG_UNIT_MIN || s->unit > LOG_UNIT_MAX || (s->unit & (s->unit - 1)) != 0 ||
	    s->segment % s->unit != 0 || s->segment == 0 || (uint64_t)s->segment * s->data > LOG_SEGMENT_MAX)
		return false;
	if (s->intent_bytes == 0 || s->intent_bytes % 4096 != 0 || s->intent_bytes > LOG_INTENT_MAX ||
	    (s->block != 512 && s->block != 4096))
		return false;
	return head_named(s->name, sizeof(s->name)) && s->seq < COUNT_MAX && s->generation < COUNT_MAX &&
	       members_sane(s);
}

int
lgroup_super_decode(struct lgroup_super *s, const void *page)
{
	const struct disk_super *d = page;
	int ret = head_check(page, super_magic, VERSION, LOG_SUPER_BYTES);

	if (ret < 0)
		return ret;
	memset(s, 0, sizeof(*s));
	s->seq = rte_le_to_cpu_64(d->seq);
	s->generation = rte_le_to_cpu_64(d->generation);
	memcpy(s->uuid, d->uuid, sizeof(s->uuid));
	memcpy(s->name, d->name, sizeof(s->name));
	s->data = rte_le_to_cpu_32(d->data);
	s->parity = rte_le_to_cpu_32(d->parity);
	s->members = rte_le_to_cpu_32(d->members);
	s->index = rte_le_to_cpu_32(d->index);
	s->first = rte_le_to_cpu_32(d->first);
	s->moved = rte_le_to_cpu_32(d->moved);
	s->unit = rte_le_to_cpu_32(d->unit);
	s->segment = rte_le_to_cpu_32(d->segment);
	s->intent_bytes = rte_le_to_cpu_32(d->intent_bytes);
	s->block = rte_le_to_cpu_32(d->block);
	for (uint32_t i = 0; i < RTE_MIN(s->members, LOG_SUPER_MEMBERS); i++) {
		memcpy(s->member[i].uuid, d->member[i].uuid, sizeof(s->member[i].uuid));
		memcpy(s->member[i].serial, d->member[i].serial, sizeof(s->member[i].serial));
		s->member[i].generation = rte_le_to_cpu_64(d->member[i].generation);
		s->member[i].slots = rte_le_to_cpu_32(d->member[i].slots);
		s->member[i].state = d->member[i].state;
	}
	return lgroup_super_sane(s) ? 0 : -EBADMSG;
}

void
lgroup_note_encode(const struct lgroup_note *n, const void *data, void *page)
{
	struct disk_note *d = page;

	memset(d, 0, sizeof(*d));
	d->seq = rte_cpu_to_le_64(n->seq);
	memcpy(d->uuid, n->uuid, sizeof(d->uuid));
	d->id = rte_cpu_to_le_32(n->id);
	d->len = rte_cpu_to_le_32(n->len);
	if (n->len > 0)
		memcpy(d->blob, data, n->len);
	head_seal(d, note_magic, VERSION, sizeof(*d));
}

int
lgroup_note_decode(struct lgroup_note *n, const void *page)
{
	const struct disk_note *d = page;
	int ret = head_check(page, note_magic, VERSION, LOG_NOTE_SLOT);

	if (ret < 0)
		return ret;
	n->seq = rte_le_to_cpu_64(d->seq);
	memcpy(n->uuid, d->uuid, sizeof(n->uuid));
	n->id = rte_le_to_cpu_32(d->id);
	n->len = rte_le_to_cpu_32(d->len);
	return n->id < LOG_NOTES && n->len <= LOG_NOTE_BYTES && n->seq < COUNT_MAX ? 0 : -EBADMSG;
}

bool
lgroup_note_is_of(const void *page, const uint8_t *uuid)
{
	const struct disk_note *d = page;

	return memcmp(d->uuid, uuid, sizeof(d->uuid)) == 0;
}
