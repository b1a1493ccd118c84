/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef KEYTABLE_FORMAT_H
#define KEYTABLE_FORMAT_H

/**
 * @file
 * The table of a group's wrapped keys and of its openings' salts, as it lies in a note on every drive. Version 1,
 * little-endian.
 *
 *     0    magic "STRKKEYS"            8    version (4), bytes in all (4)
 *     16   CRC32C of all, this 0 (4)   20   keys (4), openings (4), last opening (2), zero (2)
 *     32   number of this writing (8)  40   zero (8)
 *     48   the group's UUID (16)       64   check of the key-encryption key (16)
 *     80   zero (48)
 *     128  keys, 64 bytes each: domain (4), epoch (2), state (1), zero (1), wrapped key (40), zero (16)
 *     ...  openings, 24 bytes each: number (2), zero (6), salt (16)
 *
 * A key's (domain, epoch) and an opening's number occur once; neither is 0.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KEYTABLE_HEAD	       128u
#define KEYTABLE_KEY_BYTES     64u
#define KEYTABLE_OPENING_BYTES 24u
#define KEYTABLE_KEYS	       1024u
#define KEYTABLE_OPENINGS      4096u
#define KEYTABLE_WRAPPED       40u
#define KEYTABLE_SALT	       16u
/** Longest table, bytes. */
#define KEYTABLE_BYTES_MAX                                                                                             \
	(KEYTABLE_HEAD + KEYTABLE_KEYS * KEYTABLE_KEY_BYTES + KEYTABLE_OPENINGS * KEYTABLE_OPENING_BYTES)

enum keytable_state {
	KEYTABLE_LIVE = 1,
	KEYTABLE_ERASED = 2, /**< the key is gone; the entry keeps its epoch from being given again */
};

struct keytable_key {
	uint32_t domain;
	uint16_t epoch;
	uint8_t state; /**< enum keytable_state */
	uint8_t wrapped[KEYTABLE_WRAPPED];
};

struct keytable_opening {
	uint16_t number;
	uint8_t salt[KEYTABLE_SALT];
};

struct keytable {
	uint8_t uuid[16], check[16];
	uint64_t seq;
	uint32_t n_keys, n_openings;
	uint16_t last_opening; /**< the number given last */
	struct keytable_key key[KEYTABLE_KEYS];
	struct keytable_opening opening[KEYTABLE_OPENINGS];
};

static inline uint32_t
keytable_bytes(uint32_t keys, uint32_t openings)
{
	return KEYTABLE_HEAD + keys * KEYTABLE_KEY_BYTES + openings * KEYTABLE_OPENING_BYTES;
}

/** Write keytable_bytes() to @p out. */
void keytable_encode(const struct keytable *t, uint8_t *out);
/** @return 0; -ENOENT no table, -EPROTO another version, -EBADMSG damaged. On failure *t is undefined. */
int keytable_decode(struct keytable *t, const uint8_t *in, size_t len);

#ifdef __cplusplus
}
#endif

#endif /* KEYTABLE_FORMAT_H */
