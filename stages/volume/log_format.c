/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "log_format.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "strake_kernel.h"

#define CHUNK_MAGIC  0x4b4e4843u /* "CHNK" */
#define INTENT_MAGIC 0x544e5453u /* "STNT" */

#define FLAG_SEAL    0x01 /* encrypted: the seal part is there */
#define FLAG_FP	     0x02
#define FLAG_FROM    0x04

struct disk_chunk {
	rte_le32_t magic;
	uint8_t version, kind, blocks, flags;
	rte_le64_t lsn, store;
	rte_le32_t seg, gen;
	rte_le32_t off64; /* all offsets and lengths that end in 64 count grains */
	rte_le16_t len64, codec;
	rte_le32_t stored, crc;
	rte_le64_t serial;
	rte_le32_t domain, plain;
};
static_assert(sizeof(struct disk_chunk) == LOG_HEAD, "on disk");

struct disk_seal {
	rte_le16_t epoch, salt;
	uint8_t nonce[12], tag[16];
};
static_assert(sizeof(struct disk_seal) == 32, "on disk");

struct disk_owner {
	rte_le64_t lba;
	rte_le32_t vol, blk;
};
static_assert(sizeof(struct disk_owner) == 16, "on disk");

struct disk_record {
	uint8_t type, zero[3];
	rte_le32_t vol, owner_vol, zero2;
	rte_le64_t lba, n, place, owner_lba;
};
static_assert(sizeof(struct disk_record) == LOG_RECORD, "on disk");

struct disk_intent {
	rte_le32_t magic;
	rte_le32_t crc; /* over all bytes with this field zero */
	rte_le64_t store, seq;
	rte_le32_t version, bytes;
	uint8_t zero[32];
};
static_assert(sizeof(struct disk_intent) == LOG_INTENT_HEAD, "on disk");

struct disk_segment {
	rte_le32_t gen;
	rte_le32_t blocks; /* state in the high byte */
	rte_le32_t live;   /* stream in the high byte */
	rte_le32_t next_id;
};
static_assert(sizeof(struct disk_segment) == LOG_TABLE_ENTRY, "on disk");

/* --- chunks ------------------------------------------------------------------------------------------------------ */

void
log_head_measure(struct log_head *h)
{
	h->head_bytes = LOG_HEAD + h->seal.blocks * (uint32_t)sizeof(struct disk_owner);
	if (h->seal.epoch != 0)
		h->head_bytes += sizeof(struct disk_seal);
	if (h->kind == LOG_MOVE)
		h->head_bytes += 8;
	if (h->has_fp)
		h->head_bytes += h->seal.blocks * STRAKE_ADVICE_FP;
	h->bytes = RTE_ALIGN_CEIL(h->head_bytes + h->seal.stored, LOG_GRAIN);
}

void
log_head_encode(const struct log_head *h, uint8_t *to)
{
	struct disk_chunk d = {
		.magic = rte_cpu_to_le_32(CHUNK_MAGIC),
		.version = LOG_VERSION,
		.kind = h->kind,
		.blocks = h->seal.blocks,
		.flags = (uint8_t)((h->seal.epoch != 0 ? FLAG_SEAL : 0) | (h->has_fp ? FLAG_FP : 0) |
				   (h->kind == LOG_MOVE ? FLAG_FROM : 0)),
		.lsn = rte_cpu_to_le_64(h->lsn),
		.store = h->store,
		.seg = rte_cpu_to_le_32(h->seg),
		.gen = rte_cpu_to_le_32(h->gen),
		.off64 = rte_cpu_to_le_32(h->off / LOG_GRAIN),
		.len64 = rte_cpu_to_le_16((uint16_t)(h->bytes / LOG_GRAIN)),
		.codec = rte_cpu_to_le_16(h->seal.codec),
		.stored = rte_cpu_to_le_32(h->seal.stored),
		.serial = rte_cpu_to_le_64(h->seal.serial),
		.domain = rte_cpu_to_le_32(h->seal.domain),
		.plain = rte_cpu_to_le_32(h->seal.plain),
	};

	memcpy(to, &d, sizeof(d));
	to += sizeof(d);
	if (h->seal.epoch != 0) {
		struct disk_seal s = {rte_cpu_to_le_16(h->seal.epoch), rte_cpu_to_le_16(h->seal.salt), {0}, {0}};

		memcpy(s.nonce, h->seal.nonce, sizeof(s.nonce));
		memcpy(s.tag, h->seal.tag, sizeof(s.tag));
		memcpy(to, &s, sizeof(s));
		to += sizeof(s);
	}
	if (h->kind == LOG_MOVE) {
		rte_le64_t from = rte_cpu_to_le_64(h->from);

		memcpy(to, &from, sizeof(from));
		to += sizeof(from);
	}
	for (unsigned int i = 0; i < h->seal.blocks; i++) {
		struct disk_owner o = {rte_cpu_to_le_64(h->owner[i].lba), rte_cpu_to_le_32(h->owner[i].vol),
				       rte_cpu_to_le_32(h->owner[i].blk)};

		memcpy(to, &o, sizeof(o));
		to += sizeof(o);
	}
	if (h->has_fp)
		memcpy(to, h->fp, (size_t)h->seal.blocks * STRAKE_ADVICE_FP);
}

void
log_chunk_seal(uint8_t *chunk, uint32_t crc)
{
	rte_le32_t le = rte_cpu_to_le_32(crc);

	memcpy(chunk + offsetof(struct disk_chunk, crc), &le, sizeof(le));
}

/* What the fixed part says must hold together before anything behind it is believed. */
static int
head_sane(const struct log_head *h, const struct disk_chunk *d)
{
	uint32_t len = h->bytes;
	struct log_head measured = *h;

	if (d->version != LOG_VERSION || h->kind < LOG_DATA || h->kind > LOG_TABLE || d->flags & ~7u)
		return -EINVAL;
	if (h->seal.blocks > LOG_RUN || h->seal.plain > LOG_RUN * LOG_BLOCK || h->seal.stored > LOG_RUN * LOG_BLOCK)
		return -EINVAL;
	if ((h->kind == LOG_DATA || h->kind == LOG_MOVE) !=
	    (h->seal.blocks > 0 && h->seal.plain == h->seal.blocks * LOG_BLOCK))
		return -EINVAL;
	if (((d->flags & FLAG_FROM) != 0) != (h->kind == LOG_MOVE) || h->seg >= LOG_SEGS_MAX || h->off >= LOG_SEG_MAX ||
	    h->seal.codec > STRAKE_CODEC_DEFLATE)
		return -EINVAL;
	log_head_measure(&measured);
	return measured.bytes == len ? 0 : -EINVAL;
}

static void
seal_decode(struct log_head *h, const uint8_t *from)
{
	struct disk_seal s;

	memcpy(&s, from, sizeof(s));
	h->seal.epoch = rte_le_to_cpu_16(s.epoch);
	h->seal.salt = rte_le_to_cpu_16(s.salt);
	memcpy(h->seal.nonce, s.nonce, sizeof(s.nonce));
	memcpy(h->seal.tag, s.tag, sizeof(s.tag));
}

static int
rest_decode(struct log_head *h, const uint8_t *at)
{
	if (h->kind == LOG_MOVE) {
		rte_le64_t from;

		memcpy(&from, at, sizeof(from));
		h->from = rte_le_to_cpu_64(from);
		at += sizeof(from);
	}
	for (unsigned int i = 0; i < h->seal.blocks; i++) {
		struct disk_owner o;

		memcpy(&o, at, sizeof(o));
		h->owner[i] =
			(struct log_owner){rte_le_to_cpu_64(o.lba), rte_le_to_cpu_32(o.vol), rte_le_to_cpu_32(o.blk)};
		if (h->owner[i].blk >= (h->kind == LOG_MOVE ? LOG_RUN : 1))
			return -EINVAL;
		at += sizeof(o);
	}
	if (h->has_fp)
		memcpy(h->fp, at, (size_t)h->seal.blocks * STRAKE_ADVICE_FP);
	return 0;
}

int
log_head_decode(struct log_head *h, const uint8_t *from, size_t len)
{
	struct disk_chunk d;

	if (len < sizeof(d))
		return -EAGAIN;
	memcpy(&d, from, sizeof(d));
	if (d.magic != rte_cpu_to_le_32(CHUNK_MAGIC))
		return -EINVAL;
	memset(h, 0, sizeof(*h));
	h->lsn = rte_le_to_cpu_64(d.lsn);
	h->store = d.store;
	h->seg = rte_le_to_cpu_32(d.seg);
	h->gen = rte_le_to_cpu_32(d.gen);
	if (rte_le_to_cpu_32(d.off64) >= LOG_SEG_MAX / LOG_GRAIN || rte_le_to_cpu_16(d.codec) > UINT8_MAX)
		return -EINVAL;
	h->off = rte_le_to_cpu_32(d.off64) * LOG_GRAIN;
	h->bytes = (uint32_t)rte_le_to_cpu_16(d.len64) * LOG_GRAIN;
	h->kind = d.kind;
	h->has_fp = (d.flags & FLAG_FP) != 0;
	h->seal.blocks = d.blocks;
	h->seal.codec = (uint8_t)rte_le_to_cpu_16(d.codec);
	h->seal.stored = rte_le_to_cpu_32(d.stored);
	h->seal.serial = rte_le_to_cpu_64(d.serial);
	h->seal.domain = rte_le_to_cpu_32(d.domain);
	h->seal.plain = rte_le_to_cpu_32(d.plain);
	h->seal.epoch = d.flags & FLAG_SEAL; /* for the measure, until the real one is read */
	if (head_sane(h, &d) < 0)
		return -EINVAL;
	log_head_measure(h);
	if (len < h->head_bytes)
		return -EAGAIN;
	if (d.flags & FLAG_SEAL) {
		seal_decode(h, from + sizeof(d));
		if (h->seal.epoch == 0)
			return -EINVAL;
	}
	return rest_decode(h, from + sizeof(d) + (d.flags & FLAG_SEAL ? sizeof(struct disk_seal) : 0));
}

/* CRC of bytes in which the four at @p field count as zero. */
static uint32_t
crc_without(const uint8_t *at, size_t len, size_t field)
{
	static const uint8_t zero[4];
	uint32_t crc = strake_kernel->crc32c(0, at, field);

	crc = strake_kernel->crc32c(crc, zero, sizeof(zero));
	return strake_kernel->crc32c(crc, at + field + sizeof(zero), len - field - sizeof(zero));
}

static uint32_t
le32_at(const uint8_t *at)
{
	rte_le32_t v;

	memcpy(&v, at, sizeof(v));
	return rte_le_to_cpu_32(v);
}

bool
log_chunk_checks(const struct log_head *h, const uint8_t *chunk)
{
	size_t field = offsetof(struct disk_chunk, crc);

	return crc_without(chunk, h->bytes, field) == le32_at(chunk + field);
}

/* --- records ----------------------------------------------------------------------------------------------------- */

void
log_record_encode(const struct log_record *r, uint8_t *to)
{
	struct disk_record d = {
		.type = r->type,
		.vol = rte_cpu_to_le_32(r->vol),
		.owner_vol = rte_cpu_to_le_32(r->owner_vol),
		.lba = rte_cpu_to_le_64(r->lba),
		.n = rte_cpu_to_le_64(r->n),
		.place = rte_cpu_to_le_64(r->place),
		.owner_lba = rte_cpu_to_le_64(r->owner_lba),
	};

	memcpy(to, &d, sizeof(d));
}

int
log_record_decode(struct log_record *r, const uint8_t *from)
{
	struct disk_record d;

	memcpy(&d, from, sizeof(d));
	*r = (struct log_record){
		.type = d.type,
		.vol = rte_le_to_cpu_32(d.vol),
		.owner_vol = rte_le_to_cpu_32(d.owner_vol),
		.lba = rte_le_to_cpu_64(d.lba),
		.n = rte_le_to_cpu_64(d.n),
		.place = rte_le_to_cpu_64(d.place),
		.owner_lba = rte_le_to_cpu_64(d.owner_lba),
	};
	if (r->type == LOG_REC_TRIM)
		return r->n > 0 && r->lba + r->n > r->lba ? 0 : -EINVAL;
	if (r->type != LOG_REC_HIT || r->n >> 62 != 0)
		return -EINVAL;
	return log_entry_kind(r->place) == LOG_ENTRY_DIRECT ? 0 : -EINVAL;
}

/* --- intents ----------------------------------------------------------------------------------------------------- */

void
log_intent_seal(const struct log_intent *i, uint8_t *at)
{
	struct disk_intent d = {
		.magic = rte_cpu_to_le_32(INTENT_MAGIC),
		.store = i->store,
		.seq = rte_cpu_to_le_64(i->seq),
		.version = rte_cpu_to_le_32(LOG_VERSION),
		.bytes = rte_cpu_to_le_32(i->bytes),
	};

	memcpy(at, &d, sizeof(d));
	d.crc = rte_cpu_to_le_32(strake_kernel->crc32c(0, at, i->bytes));
	memcpy(at, &d, sizeof(d));
}

int
log_intent_open(struct log_intent *i, const uint8_t *at, size_t len)
{
	struct disk_intent d;

	if (len < sizeof(d))
		return -EAGAIN;
	memcpy(&d, at, sizeof(d));
	if (d.magic != rte_cpu_to_le_32(INTENT_MAGIC) || d.version != rte_cpu_to_le_32(LOG_VERSION))
		return -EINVAL;
	*i = (struct log_intent){d.store, rte_le_to_cpu_64(d.seq), rte_le_to_cpu_32(d.bytes)};
	if (i->bytes < sizeof(d) || i->bytes % LOG_GRAIN != 0 || i->bytes > LOG_SEG_MAX)
		return -EINVAL;
	if (len < i->bytes)
		return -EAGAIN;
	return crc_without(at, i->bytes, offsetof(struct disk_intent, crc)) == rte_le_to_cpu_32(d.crc) ? 0 : -EINVAL;
}

/* --- the segment table ------------------------------------------------------------------------------------------- */

void
log_segment_encode(const struct log_segment *s, uint8_t *to)
{
	struct disk_segment d = {
		.gen = rte_cpu_to_le_32(s->gen),
		.blocks = rte_cpu_to_le_32(s->blocks | (uint32_t)s->state << 24),
		.live = rte_cpu_to_le_32(s->live | (uint32_t)s->stream << 24),
		.next_id = rte_cpu_to_le_32(s->next_id),
	};

	memcpy(to, &d, sizeof(d));
}

void
log_segment_decode(struct log_segment *s, const uint8_t *from)
{
	struct disk_segment d;

	memcpy(&d, from, sizeof(d));
	*s = (struct log_segment){
		.gen = rte_le_to_cpu_32(d.gen),
		.blocks = rte_le_to_cpu_32(d.blocks) & 0xffffff,
		.live = rte_le_to_cpu_32(d.live) & 0xffffff,
		.next_id = rte_le_to_cpu_32(d.next_id),
		.state = (uint8_t)(rte_le_to_cpu_32(d.blocks) >> 24),
		.stream = (uint8_t)(rte_le_to_cpu_32(d.live) >> 24),
	};
}
