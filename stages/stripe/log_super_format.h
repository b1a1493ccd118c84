/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOG_SUPER_FORMAT_H
#define LOG_SUPER_FORMAT_H

/**
 * @file
 * What a log group writes about itself on each drive, version 1. Little-endian, CRC32C, no I/O here.
 *
 *     0         superblock, copy A   64 KiB
 *     64 KiB    superblock, copy B   64 KiB
 *     1 MiB     notes: note i has copy A at 1 MiB + 128 KiB * i, copy B 64 KiB after it
 *     2 MiB     intents: used on the first parity + 1 members, reserved on all
 *     data_off  columns, each `segment` bytes: slot s at data_off + s * segment
 *
 * Of two copies the valid one with the higher sequence counts; a note's sequence says which copy it lies in (its lowest
 * bit), a superblock overwrites the older one. A drive that is being made a member has a mark (super_format.h) in place
 * of copy A until its first superblock is complete in place of copy B.
 *
 * Which columns make a segment is not written: it follows from the members' slots in their order (log_geometry.h).
 */

#include <stdbool.h>
#include <stdint.h>

#define LOG_SUPER_BYTES	  65536u
#define LOG_SUPER_MEMBERS 32u
#define LOG_SUPER_DATA	  24u

#define LOG_NOTES	  8u
#define LOG_NOTE_SLOT	  65536u
#define LOG_NOTE_BYTES	  61440u /* of the blob */
#define LOG_NOTE_HEAD	  4096u
#define LOG_NOTES_OFF	  1048576u
#define LOG_INTENTS_OFF	  2097152u

#define LOG_UNIT_MIN	  4096u
#define LOG_UNIT_MAX	  131072u
#define LOG_SEGMENT_MAX	  (64u << 20) /* data of a segment: the store's addresses reach no further */
#define LOG_SLOTS_MAX	  (1u << 26)
#define LOG_INTENT_MAX	  (1u << 30)

static inline uint64_t
lgroup_super_off(unsigned int copy)
{
	return (uint64_t)copy * LOG_SUPER_BYTES;
}

static inline uint64_t
lgroup_note_off(unsigned int id, unsigned int copy)
{
	return LOG_NOTES_OFF + ((uint64_t)id * 2 + copy) * LOG_NOTE_SLOT;
}

/** One member, as every copy tells it. */
struct lgroup_super_member {
	uint8_t uuid[16];
	char serial[64];     /**< of the drive, for the operator */
	uint8_t state;	     /**< enum log_member_state */
	uint32_t slots;	     /**< columns it has room for */
	uint64_t generation; /**< the last one written to this member */
};

/** A superblock in memory. */
struct lgroup_super {
	uint64_t seq;	     /**< of this copy */
	uint64_t generation; /**< grows with every change of a member's state or place */
	uint8_t uuid[16];    /**< of the group */
	char name[64];
	uint32_t data, parity;	 /**< k, m */
	uint32_t members, index; /**< index: whose copy this is */
	uint32_t first;		 /**< members the group was made of; the others were added one by one */
	uint32_t moved;		 /**< columns moved for the one added last */
	uint32_t unit, segment;	 /**< bytes of a row, and of a column, on one drive */
	uint32_t intent_bytes;
	uint32_t block; /**< largest block size of its drives when it was made */
	struct lgroup_super_member member[LOG_SUPER_MEMBERS];
};

/** Where columns begin. */
static inline uint64_t
lgroup_super_data_off(uint32_t intent_bytes)
{
	return ((uint64_t)LOG_INTENTS_OFF + intent_bytes + 1048575u) & ~1048575ULL;
}

/** @p page has LOG_SUPER_BYTES. */
void lgroup_super_encode(const struct lgroup_super *s, void *page);
/** @return 0; -ENOENT: no superblock at all; -EBADMSG: torn, damaged or senseless; -EPROTO: of another version. */
int lgroup_super_decode(struct lgroup_super *s, const void *page);
/** The numbers make a group: what the decoder asks of them. */
bool lgroup_super_sane(const struct lgroup_super *s);

/** A note's head; the blob follows at LOG_NOTE_HEAD. */
struct lgroup_note {
	uint64_t seq;
	uint8_t uuid[16]; /**< of the group */
	uint32_t id, len;
};

/** @p page has LOG_NOTE_SLOT bytes. */
void lgroup_note_encode(const struct lgroup_note *n, const void *data, void *page);
/** @return 0, and the blob lies at page + LOG_NOTE_HEAD; or as lgroup_super_decode(). */
int lgroup_note_decode(struct lgroup_note *n, const void *page);
/** Of a page that is no note any more: does it still name the group? */
bool lgroup_note_is_of(const void *page, const uint8_t *uuid);

#endif /* LOG_SUPER_FORMAT_H */
