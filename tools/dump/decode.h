/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef DECODE_H
#define DECODE_H

/**
 * @file
 * Bytes of the on-disk formats into the structures of their headers, written anew from what those say: a mistake that
 * the appliance makes in writing and reading alike is not made here too. All of version 1; a reason is one phrase.
 */

#include <stdbool.h>

#include "log_format.h"
#include "log_super_format.h"
#include "map_format.h"

/** CRC32C of @p len bytes in which the four at @p field count as zero. */
uint32_t decode_crc(const uint8_t *at, size_t len, size_t field);
bool decode_blank(const uint8_t *at, size_t len);

/** @return NULL, or what is wrong. */
const char *decode_group(struct lgroup_super *s, const uint8_t *page);
const char *decode_note(struct lgroup_note *n, const uint8_t *page);
/** The arrays are allocated, also if something is wrong. */
const char *decode_super(struct log_super *s, const uint8_t *at, size_t len);
void decode_super_free(struct log_super *s);
/** A whole chunk, its checksum too; @p len bytes are at hand. */
const char *decode_chunk(struct log_head *h, const uint8_t *at, size_t len);
const char *decode_intent(struct log_intent *in, const uint8_t *at, size_t len);
const char *decode_record(struct log_record *r, const uint8_t *at);
void decode_segment(struct log_segment *s, const uint8_t *at);
/** @p entries: MAP_FANOUT of them. */
const char *decode_page(struct map_owner *o, uint64_t *entries, const uint8_t *at);
/** @p roots has room for MAP_ROOTS_MAX. */
const char *decode_roots(struct map_root *roots, uint32_t *n, uint64_t *gen, const uint8_t *at, size_t len);
/** A table of keys of the group @p uuid: how many, and of how many openings. */
const char *decode_keys(uint32_t *keys, uint32_t *openings, const uint8_t *at, size_t len, const uint8_t *uuid);

#endif /* DECODE_H */
