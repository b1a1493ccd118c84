/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "decode.h"

#include <stdlib.h>
#include <string.h>

#include <isa-l/crc.h>

#define CHUNK_FLAGS 7u /* sealed, fingerprints, moved */
#define CHUNK_CRC   44u

static uint16_t
u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t
u32(const uint8_t *p)
{
	return u16(p) | (uint32_t)u16(p + 2) << 16;
}

static uint64_t
u64(const uint8_t *p)
{
	return u32(p) | (uint64_t)u32(p + 4) << 32;
}

uint32_t
decode_crc(const uint8_t *at, size_t len, size_t field)
{
	uint8_t zero[4] = {0};
	uint32_t crc = crc32_iscsi((uint8_t *)at, (int)field, UINT32_MAX);

	crc = crc32_iscsi(zero, 4, crc);
	return ~crc32_iscsi((uint8_t *)at + field + 4, (int)(len - field - 4), crc);
}

bool
decode_blank(const uint8_t *at, size_t len)
{
	return len == 0 || (at[0] == 0 && memcmp(at, at + 1, len - 1) == 0);
}

/* How everything of a group begins: magic, version, CRC. */
static const char *
head(const uint8_t *p, const char *magic, size_t len)
{
	if (memcmp(p, magic, 8) != 0)
		return "it does not begin as one";
	if (decode_crc(p, len, 12) != u32(p + 12))
		return "its checksum is wrong";
	return u32(p + 8) == 1 ? NULL : "its version is not 1";
}

const char *
decode_group(struct lgroup_super *s, const uint8_t *page)
{
	const char *why = head(page, "STRAKELG", LOG_SUPER_BYTES);

	if (why != NULL)
		return why;
	memset(s, 0, sizeof(*s));
	s->seq = u64(page + 16);
	s->generation = u64(page + 24);
	memcpy(s->uuid, page + 32, 16);
	memcpy(s->name, page + 48, 64);
	s->data = u32(page + 112);
	s->parity = u32(page + 116);
	s->members = u32(page + 120);
	s->index = u32(page + 124);
	s->first = u32(page + 128);
	s->moved = u32(page + 132);
	s->unit = u32(page + 136);
	s->segment = u32(page + 140);
	s->intent_bytes = u32(page + 144);
	s->block = u32(page + 148);
	if (s->data == 0 || s->data > LOG_SUPER_DATA || s->parity > 3 || s->members > LOG_SUPER_MEMBERS ||
	    s->first > s->members || s->data + s->parity > s->first || s->index >= s->members)
		return "its numbers of drives make no group";
	if (s->unit < LOG_UNIT_MIN || s->unit > LOG_UNIT_MAX || s->segment == 0 || s->segment % s->unit != 0 ||
	    (uint64_t)s->segment * s->data > LOG_SEGMENT_MAX || s->intent_bytes % 4096 != 0 ||
	    s->intent_bytes > LOG_INTENT_MAX)
		return "its sizes make no group";
	if (memchr(s->name, 0, 64) == NULL)
		return "its name has no end";
	for (uint32_t i = 0; i < s->members; i++) {
		const uint8_t *m = page + 4096 + (size_t)i * 128;

		memcpy(s->member[i].uuid, m, 16);
		memcpy(s->member[i].serial, m + 16, 64);
		s->member[i].generation = u64(m + 80);
		s->member[i].slots = u32(m + 88);
		s->member[i].state = m[92];
		if (memchr(s->member[i].serial, 0, 64) == NULL || s->member[i].slots == 0 ||
		    s->member[i].slots > LOG_SLOTS_MAX || s->member[i].state > 2)
			return "what it says of a member makes no sense";
	}
	return NULL;
}

const char *
decode_note(struct lgroup_note *n, const uint8_t *page)
{
	const char *why = head(page, "STRAKENT", LOG_NOTE_SLOT);

	if (why != NULL)
		return why;
	n->seq = u64(page + 16);
	memcpy(n->uuid, page + 24, 16);
	n->id = u32(page + 40);
	n->len = u32(page + 44);
	return n->id < LOG_NOTES && n->len <= LOG_NOTE_BYTES ? NULL : "it is too long";
}

static const char *
volume(struct log_volume *v, const uint8_t *at)
{
	memcpy(v->name, at, 64);
	memcpy(v->uuid, at + 64, 16);
	v->bytes = u64(at + 80);
	v->shared = u64(at + 88);
	v->id = u32(at + 96);
	v->domain = u32(at + 100);
	v->lba_shift = at[104];
	v->state = at[105];
	return v->name[0] != '\0' && memchr(v->name, 0, 64) != NULL && (v->lba_shift == 9 || v->lba_shift == 12)
		       ? NULL
		       : "a volume of it makes no sense";
}

static const char *
super_arrays(struct log_super *s, const uint8_t *at)
{
	const char *why = NULL;

	s->table = calloc(s->n_table + 1, sizeof(*s->table));
	s->next = calloc(s->n_next + 1, sizeof(*s->next));
	s->volume = calloc(s->n_volumes + 1, sizeof(*s->volume));
	s->roots = malloc(s->roots_bytes + 1);
	if (s->table == NULL || s->next == NULL || s->volume == NULL || s->roots == NULL)
		return "there is no memory for it";
	for (uint32_t i = 0; i < s->n_table; i++, at += 8)
		s->table[i] = u64(at);
	for (uint32_t i = 0; i < s->n_next; i++) {
		s->next[i] = u32(at + (size_t)i * 4);
		if (s->next[i] >= s->segments)
			why = "it lists a segment that there is not";
	}
	at += ((size_t)s->n_next * 4 + 7) & ~(size_t)7;
	for (uint32_t i = 0; i < s->n_volumes && why == NULL; i++, at += LOG_SUPER_VOLUME)
		why = volume(&s->volume[i], at);
	if (why == NULL)
		memcpy(s->roots, at, s->roots_bytes);
	return why;
}

const char *
decode_super(struct log_super *s, const uint8_t *at, size_t len)
{
	uint64_t bytes;

	memset(s, 0, sizeof(*s));
	if (len < LOG_SUPER_HEAD || memcmp(at, "STRAKELV", 8) != 0)
		return "it does not begin as one";
	if (u32(at + 8) != LOG_VERSION)
		return "its version is not 1";
	bytes = u32(at + 16);
	if (bytes < LOG_SUPER_HEAD || bytes > len)
		return "it is cut short";
	if (decode_crc(at, bytes, 12) != u32(at + 12))
		return "its checksum is wrong";
	s->clean = u32(at + 20) & 1;
	memcpy(s->uuid, at + 24, 16);
	s->seq = u64(at + 40);
	s->lsn = u64(at + 48);
	s->serial = u64(at + 56);
	s->intent_seq = u64(at + 64);
	s->segments = u32(at + 72);
	s->next_volume = u32(at + 76);
	s->n_table = u32(at + 80);
	s->n_next = u32(at + 84);
	s->n_volumes = u32(at + 88);
	s->roots_bytes = u32(at + 92);
	s->n_since = u32(at + 96);
	for (unsigned int i = 0; i < LOG_STREAMS; i++)
		s->open[i] = (struct log_open){u32(at + 100 + i * 8), u32(at + 104 + i * 8)};
	if (s->n_table > LOG_SUPER_TABLE || s->n_next > LOG_SUPER_NEXT || s->n_volumes > LOG_SUPER_VOLUMES ||
	    s->roots_bytes > LOG_SUPER_ROOTS || s->n_since > s->n_next || s->segments > LOG_SEGS_MAX ||
	    (s->n_table > 0 && (uint64_t)s->n_table * LOG_TABLE_ENTRIES < s->segments) ||
	    bytes != LOG_SUPER_HEAD + (uint64_t)s->n_table * 8 + (((uint64_t)s->n_next * 4 + 7) & ~7ULL) +
			     (uint64_t)s->n_volumes * LOG_SUPER_VOLUME + s->roots_bytes)
		return "what it says does not hold together";
	return super_arrays(s, at + LOG_SUPER_HEAD);
}

void
decode_super_free(struct log_super *s)
{
	free(s->table);
	free(s->next);
	free(s->volume);
	free(s->roots);
}

/* What follows the fixed part. @return its end. */
static const uint8_t *
chunk_rest(struct log_head *h, const uint8_t *at, uint8_t flags)
{
	if (flags & 1) {
		h->seal.epoch = u16(at);
		h->seal.salt = u16(at + 2);
		at += 32;
	}
	if (flags & 4) {
		h->from = u64(at);
		at += 8;
	}
	for (unsigned int i = 0; i < h->seal.blocks; i++, at += 16)
		h->owner[i] = (struct log_owner){u64(at), u32(at + 8), u32(at + 12)};
	return at + (flags & 2 ? (size_t)h->seal.blocks * 24 : 0);
}

const char *
decode_chunk(struct log_head *h, const uint8_t *at, size_t len)
{
	uint32_t rest;
	uint8_t flags;

	if (len < LOG_HEAD || memcmp(at, "CHNK", 4) != 0)
		return "no chunk begins there";
	flags = at[7];
	memset(h, 0, sizeof(*h));
	h->kind = at[5];
	h->seal.blocks = at[6];
	h->lsn = u64(at + 8);
	memcpy(&h->store, at + 16, 8);
	h->seg = u32(at + 24);
	h->gen = u32(at + 28);
	h->off = u32(at + 32) * LOG_GRAIN;
	h->bytes = (uint32_t)u16(at + 36) * LOG_GRAIN;
	h->seal.codec = (uint8_t)u16(at + 38);
	h->seal.stored = u32(at + 40);
	h->seal.serial = u64(at + 48);
	h->seal.domain = u32(at + 56);
	h->seal.plain = u32(at + 60);
	h->has_fp = flags >> 1 & 1;
	if (h->bytes < LOG_HEAD || h->bytes > len || h->bytes > LOG_CHUNK_MAX)
		return "its length is impossible";
	if (decode_crc(at, h->bytes, CHUNK_CRC) != u32(at + CHUNK_CRC))
		return "its checksum is wrong";
	if (at[4] != LOG_VERSION)
		return "its version is not 1";
	rest = LOG_HEAD + (flags & 1 ? 32u : 0) + (flags & 4 ? 8u : 0) + h->seal.blocks * (flags & 2 ? 40u : 16u);
	if (u32(at + 32) >= LOG_SEG_MAX / LOG_GRAIN || h->seg >= LOG_SEGS_MAX || u16(at + 38) > 2 ||
	    h->seal.plain > LOG_RUN * LOG_BLOCK)
		return "its head makes no sense";
	if (h->seal.blocks > LOG_RUN || (flags & ~CHUNK_FLAGS) != 0 || h->kind < LOG_DATA || h->kind > LOG_TABLE ||
	    (flags >> 2 & 1) != (h->kind == LOG_MOVE) || h->seal.stored > LOG_RUN * LOG_BLOCK ||
	    ((rest + h->seal.stored + LOG_GRAIN - 1) & ~(LOG_GRAIN - 1)) != h->bytes)
		return "its head contradicts itself";
	if ((h->kind == LOG_DATA || h->kind == LOG_MOVE) !=
	    (h->seal.blocks > 0 && h->seal.plain == h->seal.blocks * LOG_BLOCK))
		return "its head contradicts itself";
	h->head_bytes = (uint32_t)(chunk_rest(h, at + LOG_HEAD, flags) - at);
	for (unsigned int i = 0; i < h->seal.blocks; i++) {
		if (h->owner[i].blk >= (h->kind == LOG_MOVE ? LOG_RUN : 1))
			return "it was moved from a block that cannot be";
	}
	return (flags & 1) && h->seal.epoch == 0 ? "it is sealed with no key" : NULL;
}

const char *
decode_intent(struct log_intent *in, const uint8_t *at, size_t len)
{
	if (len < LOG_INTENT_HEAD || memcmp(at, "STNT", 4) != 0 || u32(at + 24) != LOG_VERSION)
		return "no intent begins there";
	memcpy(&in->store, at + 8, 8);
	in->seq = u64(at + 16);
	in->bytes = u32(at + 28);
	if (in->bytes < LOG_INTENT_HEAD || in->bytes > len)
		return "its length is impossible";
	return decode_crc(at, in->bytes, 4) == u32(at + 4) ? NULL : "its checksum is wrong";
}

const char *
decode_record(struct log_record *r, const uint8_t *at)
{
	*r = (struct log_record){
		.type = at[0],
		.vol = u32(at + 4),
		.owner_vol = u32(at + 8),
		.lba = u64(at + 16),
		.n = u64(at + 24),
		.place = u64(at + 32),
		.owner_lba = u64(at + 40),
	};
	if (r->type == LOG_REC_TRIM)
		return r->n > 0 && r->lba + r->n > r->lba ? NULL : "it trims nothing";
	return r->type == LOG_REC_HIT && log_entry_kind(r->place) == LOG_ENTRY_DIRECT ? NULL : "it makes no sense";
}

void
decode_segment(struct log_segment *s, const uint8_t *at)
{
	*s = (struct log_segment){
		.gen = u32(at),
		.blocks = u32(at + 4) & 0xffffff,
		.live = u32(at + 8) & 0xffffff,
		.next_id = u32(at + 12),
		.state = at[7],
		.stream = at[11],
	};
}

const char *
decode_page(struct map_owner *o, uint64_t *entries, const uint8_t *at)
{
	uint32_t present = 0;

	if (memcmp(at, "STPG", 4) != 0)
		return "it is no page of the map";
	if (decode_crc(at, MAP_IMAGE_BYTES, 4) != u32(at + 4))
		return "its checksum is wrong";
	o->tree = u64(at + 8);
	o->index = u64(at + 16);
	o->gen = u64(at + 24);
	memcpy(o->uuid, at + 32, 16);
	o->level = at[49];
	for (unsigned int i = 0; i < MAP_FANOUT; i++) {
		entries[i] = u64(at + 64 + (size_t)i * 8);
		present += entries[i] != 0;
	}
	if (at[48] != 1)
		return "its version is not 1";
	return present == u32(at + 52) ? NULL : "its count of entries is wrong";
}

const char *
decode_roots(struct map_root *roots, uint32_t *n, uint64_t *gen, const uint8_t *at, size_t len)
{
	if (len < MAP_ROOTS_HEAD || memcmp(at, "STRT", 4) != 0)
		return "it does not begin as one";
	*n = u32(at + 16);
	*gen = u64(at + 8);
	if (*n > MAP_ROOTS_MAX || map_roots_bytes(*n) > len || decode_crc(at, map_roots_bytes(*n), 4) != u32(at + 4))
		return "its checksum is wrong";
	for (uint32_t i = 0; i < *n; i++) {
		const uint8_t *r = at + MAP_ROOTS_HEAD + (size_t)i * MAP_ROOT_BYTES;

		roots[i] = (struct map_root){u64(r), u64(r + 8), u64(r + 16), r[24]};
		if (roots[i].levels == 0 || roots[i].levels > MAP_LEVELS_MAX ||
		    (i > 0 && roots[i].tree <= roots[i - 1].tree))
			return "its trees make no sense";
	}
	return u32(at + 20) == 1 ? NULL : "its version is not 1";
}

/* Numbers that are 0, or that two entries have, and states that there are not. */
static bool
keys_sane(const uint8_t *at, uint32_t keys, uint32_t openings)
{
	const uint8_t *opening = at + (size_t)keys * 64;

	for (uint32_t i = 0; i < keys; i++) {
		const uint8_t *k = at + (size_t)i * 64;

		if (u16(k + 4) == 0 || (k[6] != 1 && k[6] != 2))
			return false;
		for (uint32_t o = 0; o < i; o++) {
			if (memcmp(k, at + (size_t)o * 64, 6) == 0)
				return false;
		}
	}
	for (uint32_t i = 0; i < openings; i++) {
		if (u16(opening + (size_t)i * 24) == 0)
			return false;
		for (uint32_t o = 0; o < i; o++) {
			if (memcmp(opening + (size_t)i * 24, opening + (size_t)o * 24, 2) == 0)
				return false;
		}
	}
	return true;
}

const char *
decode_keys(uint32_t *keys, uint32_t *openings, const uint8_t *at, size_t len, const uint8_t *uuid)
{
	if (len < 128 || memcmp(at, "STRKKEYS", 8) != 0)
		return "it does not begin as one";
	if (u32(at + 8) != 1)
		return "its version is not 1";
	*keys = u32(at + 20);
	*openings = u32(at + 24);
	if (u32(at + 12) > len || u32(at + 12) < 128 ||
	    128 + (uint64_t)*keys * 64 + (uint64_t)*openings * 24 != u32(at + 12))
		return "its length is impossible";
	if (decode_crc(at, u32(at + 12), 16) != u32(at + 16))
		return "its checksum is wrong";
	if (memcmp(at + 48, uuid, 16) != 0)
		return "it is of another group";
	return keys_sane(at + 128, *keys, *openings) ? NULL : "what it says of a key makes no sense";
}
