/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SUPER_FORMAT_H
#define SUPER_FORMAT_H

/**
 * @file
 * What a group writes about itself on each member, version 1. Little-endian, CRC32C, no I/O here.
 *
 *     0         superblock, copy A    64 KiB
 *     64 KiB    superblock, copy B    64 KiB
 *     128 KiB   dirty map: block i has copy A at 128 KiB + 8 KiB * i, copy B 4 KiB after it
 *     1 MiB     data area
 *
 * A drive that is being made a member has a *mark* in place of copy A, one sector, until its first superblock is
 * complete in place of copy B: what a power cut leaves in between is known as ours, and as holding nothing.
 *
 * Of two copies the valid one with the higher sequence counts; the other is overwritten next, so a torn write loses
 * only itself. Every member has all of this; superblocks differ only in the index.
 */

#include <stdbool.h>
#include <stdint.h>

#define SUPER_BYTES	 65536u
#define SUPER_MEMBERS	 32u
#define SUPER_EXTENTS	 640u

#define DIRTY_OFF	 131072u
#define DIRTY_BYTES	 4096u
#define DIRTY_BLOCK_BITS 32256u /* of one block */
#define DIRTY_BLOCKS	 112u	/* at most */

#define SUPER_DATA_OFF	 1048576u

static inline uint64_t
super_copy_off(unsigned int copy)
{
	return (uint64_t)copy * SUPER_BYTES;
}

static inline uint64_t
dirty_copy_off(unsigned int block, unsigned int copy)
{
	return DIRTY_OFF + ((uint64_t)block * 2 + copy) * DIRTY_BYTES;
}

/** One member, as every copy tells it. */
struct super_member {
	uint8_t uuid[16];
	char serial[64];     /**< of the drive, for the operator */
	uint8_t state;	     /**< enum group_member_state */
	uint64_t generation; /**< the last one written to this member */
};

struct super_extent {
	char name[64];
	uint8_t uuid[16];
	uint64_t place, bytes;
};

/** A superblock in memory. */
struct super {
	uint64_t seq;	     /**< of this copy */
	uint64_t generation; /**< grows with every change of a member's state */
	uint8_t uuid[16];    /**< of the group */
	char name[64];
	uint32_t raid, members, index;
	bool clean; /**< stopped in order: in-sync halves are equal */
	uint64_t chunk, region, member_bytes;
	uint32_t extents;
	struct super_member member[SUPER_MEMBERS];
	struct super_extent extent[SUPER_EXTENTS];
};

/** @p page has SUPER_BYTES. */
void super_encode(const struct super *s, void *page);
/** @return 0; -ENOENT: no superblock at all; -EBADMSG: one that is torn or damaged; -EPROTO: of another version. */
int super_decode(struct super *s, const void *page);

/** A drive that is being made a member: which group's. */
struct super_mark {
	uint8_t uuid[16];
	char name[64];
};

/** @p page has DIRTY_BYTES; all but its first sector is zero. */
void mark_encode(const struct super_mark *m, void *page);
/** As super_decode(). */
int mark_decode(struct super_mark *m, const void *page);

/** One block of the dirty map. */
struct dirty_block {
	uint64_t seq;
	uint8_t uuid[16]; /**< of the group */
	uint32_t index;
};

/** @p bits: DIRTY_BLOCK_BITS / 8 bytes; @p page: DIRTY_BYTES. */
void dirty_encode(const struct dirty_block *b, const uint8_t *bits, void *page);
/** @return 0 and bits copied to @p bits, or as super_decode(). */
int dirty_decode(struct dirty_block *b, uint8_t *bits, const void *page);

/** What the bytes of an unknown drive look like: "an ext file system", "LVM", ...; NULL when no signature is known.
 * @p head is the first @p len bytes of the drive, at least 1 MiB unless the drive is smaller. */
const char *super_foreign(const uint8_t *head, uint32_t len);

#endif /* SUPER_FORMAT_H */
