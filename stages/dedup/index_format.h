/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef INDEX_FORMAT_H
#define INDEX_FORMAT_H

/**
 * @file
 * A piece of a saved index, version 1. Little-endian, no I/O here.
 *
 *     0    magic "STRKDDIX"        8
 *     8    version                 4
 *     12   CRC32C of the piece     4    these four bytes taken as zeroes
 *     16   store's UUID            16
 *     32   domain's name           64   ended by a zero, then zeroes
 *     96   kind of fingerprint     1
 *     97   zeroes                  3
 *     100  entries                 4    1 to PIECE_ENTRIES
 *     104  zeroes                  24
 *     128  entries, 40 bytes each:
 *            0   fingerprint       24
 *            24  where             8    not 0
 *            32  owner             7    36 bits of LBA (4 KiB), 20 bits of volume
 *            39  heat              1
 *
 * Each piece stands alone, so one that is damaged costs its own entries only.
 */

#include <stdint.h>

#include "dedup.h"
#include "index.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PIECE_HEAD    128u
#define PIECE_ENTRY   40u
#define PIECE_ENTRIES ((DEDUP_PIECE_MAX - PIECE_HEAD) / PIECE_ENTRY)

struct piece_head {
	uint8_t uuid[16];
	char domain[DEDUP_DOMAIN_MAX];
	uint8_t kind;
	uint32_t entries;
};

struct piece_entry {
	uint8_t fp[STRAKE_ADVICE_FP];
	struct index_entry at;
	uint8_t heat;
};

static inline uint32_t
piece_bytes(uint32_t entries)
{
	return PIECE_HEAD + entries * PIECE_ENTRY;
}

/** Entry @p i of a piece being made. Its owner must fit (INDEX_LBA_BITS, INDEX_VOL_BITS). */
void piece_entry_encode(void *piece, uint32_t i, const struct piece_entry *e);
/** The head, last of all: it has the sum. */
void piece_head_encode(void *piece, const struct piece_head *head);

/** Check a piece of @p len bytes. @return 0; -EBADMSG: damaged, or no piece at all; -EPROTO: of another version. */
int piece_head_decode(struct piece_head *head, const void *piece, uint32_t len);
/** Entry @p i of a checked piece. */
void piece_entry_decode(struct piece_entry *e, const void *piece, uint32_t i);

#ifdef __cplusplus
}
#endif

#endif /* INDEX_FORMAT_H */
