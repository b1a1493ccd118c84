/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOG_FORMAT_H
#define LOG_FORMAT_H

/**
 * @file
 * What a store keeps in the segments, intents and notes of its space: format version 1. Pure: no I/O, no state.
 *
 * A *chunk* lies at a multiple of 64 bytes of a segment's data:
 *
 *     head (64) | seal (32, if encrypted) | from (8, if moved) | owners (16 a block) | fingerprints (24 a block, if
 * any) | payload (stored bytes) | zeroes up to the next multiple of 64
 *
 * Its CRC32C covers all of it. The head names store, segment, generation of the segment and offset, so what lies in a
 * wrong place, or is left from an earlier life of the segment, does not check. What is written of a row behind its last
 * chunk is zero. Integers are little-endian.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strake_advice.h"
#include "strake_chunk.h"

#define LOG_VERSION	  1
#define LOG_GRAIN	  64u	/**< chunks begin and end at multiples of it */
#define LOG_BLOCK	  4096u /**< what the map counts in */
#define LOG_RUN		  8u	/**< most blocks of a chunk */
#define LOG_HEAD	  64u
#define LOG_HEAD_MAX	  (LOG_HEAD + 32u + 8u + LOG_RUN * (16u + STRAKE_ADVICE_FP))
#define LOG_CHUNK_MAX	  33280u /**< longest chunk, bytes */
#define LOG_RECORD	  48u
#define LOG_RECORDS_MAX	  64u	      /**< of a chunk */
#define LOG_SEG_MAX	  (64u << 20) /**< longest segment, bytes of data */
#define LOG_SEGS_MAX	  (1u << 28)
#define LOG_INTENT_HEAD	  64u
#define LOG_SUPER_HEAD	  256u
#define LOG_SUPER_VOLUME  192u
#define LOG_SUPER_VOLUMES 1024u
#define LOG_SUPER_ROOTS	  (64u << 10) /**< most bytes of the map's roots */
#define LOG_SUPER_TABLE	  8192u	      /**< most chunks of the segment table */
#define LOG_SUPER_NEXT	  1024u	      /**< most segments that may be opened before the next checkpoint */
#define LOG_TABLE_ENTRY	  16u
#define LOG_TABLE_ENTRIES (LOG_RUN * LOG_BLOCK / LOG_TABLE_ENTRY) /**< of one chunk */

/* --- map entries ------------------------------------------------------------------------------------------------- */

/** Kinds of a map entry; its two highest bits. */
enum log_entry_kind { LOG_ENTRY_HOLE, LOG_ENTRY_DIRECT, LOG_ENTRY_SHARED };

/** Block @p blk of the chunk of @p bytes at @p off of segment @p seg. */
static inline uint64_t
log_direct(uint32_t seg, uint64_t off, uint32_t bytes, uint32_t blk)
{
	return (uint64_t)LOG_ENTRY_DIRECT << 62 | (uint64_t)blk << 59 | (uint64_t)(bytes / LOG_GRAIN) << 48 |
	       (uint64_t)seg << 20 | off / LOG_GRAIN;
}

static inline uint64_t
log_shared(uint64_t id)
{
	return (uint64_t)LOG_ENTRY_SHARED << 62 | id;
}

static inline unsigned int
log_entry_kind(uint64_t e)
{
	return (unsigned int)(e >> 62);
}

static inline uint32_t
log_entry_blk(uint64_t e)
{
	return (e >> 59) & 7;
}

static inline uint32_t
log_entry_bytes(uint64_t e)
{
	return (uint32_t)((e >> 48) & 0x7ff) * LOG_GRAIN;
}

static inline uint32_t
log_entry_seg(uint64_t e)
{
	return (uint32_t)(e >> 20) & 0xfffffff;
}

static inline uint32_t
log_entry_off(uint64_t e)
{
	return (uint32_t)(e & 0xfffff) * LOG_GRAIN;
}

/** The chunk an entry points into, whichever block of it: for comparing. */
static inline uint64_t
log_entry_chunk(uint64_t e)
{
	return e & ~(7ULL << 59);
}

#define LOG_SHARE_BITS 48
static inline uint64_t
log_entry_id(uint64_t e)
{
	return e & ((1ULL << LOG_SHARE_BITS) - 1);
}

/** A share id with its epoch, which tells it from the same id given before: of map entries' low 62 bits. */
static inline uint64_t
log_share_tag(uint64_t id, uint32_t epoch)
{
	return id | (uint64_t)(epoch & 0x3fff) << LOG_SHARE_BITS;
}

static inline uint32_t
log_share_epoch(uint64_t tag)
{
	return (uint32_t)(tag >> LOG_SHARE_BITS) & 0x3fff;
}

/** Share ids: the segment in which the block lay when it was first shared, and a number. */
#define LOG_SHARE_SHIFT 16
static inline uint32_t
log_share_seg(uint64_t id)
{
	return (uint32_t)(id >> LOG_SHARE_SHIFT);
}

/* --- chunks ------------------------------------------------------------------------------------------------------ */

enum log_kind {
	LOG_DATA = 1, /**< blocks of volumes */
	LOG_MOVE,     /**< a chunk that collection moved: takes effect only where the map still says `from` */
	LOG_RECORDS,  /**< changes of the map that store no data */
	LOG_PAGES,    /**< a page of the map: payload is its image */
	LOG_TABLE,    /**< a part of the segment table */
};

/** Whose a block is. */
struct log_owner {
	uint64_t lba; /**< in blocks of 4 KiB; or the share id */
	uint32_t vol; /**< the store's number; LOG_OWNER_SHARE: lba is a share id; LOG_OWNER_NONE: nobody's any more */
	uint32_t blk; /**< MOVE: which block of the chunk at `from` it was; else 0 */
};
#define LOG_OWNER_SHARE UINT32_MAX
#define LOG_OWNER_NONE	(UINT32_MAX - 1)

/** A chunk's head, decoded. */
struct log_head {
	uint64_t lsn;	/**< order of the map's changes */
	uint64_t store; /**< first eight bytes of the space's uuid, as they lie */
	uint64_t from;	/**< MOVE: log_direct() of the chunk's block 0 in which the blocks lay before */
	uint32_t seg, gen;
	uint32_t off;	     /**< in the segment, bytes */
	uint32_t bytes;	     /**< of the whole chunk, a multiple of LOG_GRAIN */
	uint32_t head_bytes; /**< of all before the payload */
	uint8_t kind;	     /**< enum log_kind */
	uint8_t has_fp;
	struct strake_seal seal; /**< blocks: of PAGES pages, of RECORDS and TABLE 0 */
	struct log_owner owner[LOG_RUN];
	uint8_t fp[LOG_RUN][STRAKE_ADVICE_FP];
};

/** Bytes before the payload, and of the whole chunk: set in @p h from kind, seal, from and has_fp. */
void log_head_measure(struct log_head *h);
/** Write head_bytes bytes. The CRC is left zero: log_chunk_seal() puts it in. */
void log_head_encode(const struct log_head *h, uint8_t *to);
/** Put the CRC of the whole chunk in: @p crc over its bytes with the field zero. */
void log_chunk_seal(uint8_t *chunk, uint32_t crc);
/**
 * Read a head; @p len bytes are at hand, which may be fewer than the chunk's. The CRC is not looked at.
 * @return 0; -EINVAL: this is none; -EAGAIN: more bytes are needed.
 */
int log_head_decode(struct log_head *h, const uint8_t *from, size_t len);
/** Are the bytes of a whole chunk what they were? @p len at least h->bytes. */
bool log_chunk_checks(const struct log_head *h, const uint8_t *chunk);

/* --- records ----------------------------------------------------------------------------------------------------- */

enum log_record_type {
	LOG_REC_TRIM = 1, /**< n blocks from lba of vol are holes */
	LOG_REC_HIT,	  /**< lba of vol shares `place`, whose owner is owner, as log_share_tag() n */
};

struct log_record {
	uint8_t type;
	uint32_t vol, owner_vol;
	uint64_t lba, n, place, owner_lba;
};

void log_record_encode(const struct log_record *r, uint8_t *to);
/** @return 0 or -EINVAL. */
int log_record_decode(struct log_record *r, const uint8_t *from);

/* --- intents ----------------------------------------------------------------------------------------------------- */

/** An intent block's head: images of chunks follow, each at a multiple of LOG_GRAIN. */
struct log_intent {
	uint64_t store, seq; /**< seq: of intents, ascending */
	uint32_t bytes;	     /**< head and images */
};

/** Write the head over a whole intent of @p i->bytes bytes whose images are in place, and its CRC. */
void log_intent_seal(const struct log_intent *i, uint8_t *at);
/** @return 0; -EINVAL; -EAGAIN: more than @p len bytes are needed (i->bytes says how many). */
int log_intent_open(struct log_intent *i, const uint8_t *at, size_t len);

/* --- the segment table ------------------------------------------------------------------------------------------- */

struct log_segment {
	uint32_t gen;	       /**< grows each time it is opened */
	uint32_t blocks, live; /**< blocks of volumes written to it, and those the map still needs; under 2^24 */
	uint32_t next_id;      /**< share ids of this segment: how many were given, all told */
	uint8_t state;	       /**< the store's */
	uint8_t stream;
};

void log_segment_encode(const struct log_segment *s, uint8_t *to);
void log_segment_decode(struct log_segment *s, const uint8_t *from);

/* --- superblock -------------------------------------------------------------------------------------------------- */

struct log_volume {
	char name[64];
	uint8_t uuid[16];
	uint64_t bytes;
	uint64_t shared; /**< blocks that share with others */
	uint32_t id;	 /**< the store's number */
	uint32_t domain; /**< dedup and key domain */
	uint8_t lba_shift;
	uint8_t state; /**< the store's */
};

struct log_open {
	uint32_t seg, off; /**< written up to here at the checkpoint; what lies behind is replayed */
};
#define LOG_STREAMS 5

struct log_super {
	uint8_t uuid[16];    /**< of the space */
	uint64_t seq;	     /**< of superblocks */
	uint64_t lsn;	     /**< everything up to it is in the map that the roots name */
	uint64_t serial;     /**< next one to give; a jump ahead of what was given */
	uint64_t intent_seq; /**< intents before it are void */
	uint32_t segments;   /**< entries of the table */
	uint32_t next_volume;
	uint32_t n_table, n_next, n_volumes;
	uint32_t n_since; /**< of next: opened since lsn, so what they hold of the map counts */
	uint32_t roots_bytes;
	bool clean; /**< closed in order: nothing to replay */
	struct log_open open[LOG_STREAMS];
	uint64_t *table; /**< places (log_direct()) of the table's chunks; none: all segments are free */
	uint32_t *next;	 /**< segments to be opened next, in this order */
	struct log_volume *volume;
	uint8_t *roots; /**< the map's table of roots, see map_format.h */
};

/** Bytes it takes. */
size_t log_super_bytes(const struct log_super *s);
void log_super_encode(const struct log_super *s, uint8_t *to);
/** Decode; the arrays are allocated, log_super_free() frees them.
 * @return 0; -EINVAL, with the reason in @p why; -ENOMEM. */
int log_super_decode(struct log_super *s, const uint8_t *from, size_t len, const char **why);
void log_super_free(struct log_super *s);

#endif /* LOG_FORMAT_H */
