/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef COMPRESS_EXPAND_H
#define COMPRESS_EXPAND_H

/**
 * @file
 * From what lies on a drive back to what was written, by the processor. The input may be anything.
 */

#include <stdbool.h>
#include <stdint.h>

#include "strake_chunk.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Longest payload before compression. */
#define COMPRESS_PLAIN_MAX 32768u
/** What a chunk occupies in the log is a multiple of this. */
#define COMPRESS_GRANULE 64u

struct inflate_state;

/** Do the seal's lengths and codec agree with one another? */
bool compress_seal_ok(const struct strake_seal *seal);

/**
 * Expand @p stored bytes at @p src to exactly @p plain bytes at @p dst. Neither is read or written beyond its end.
 * @param inflate working memory for deflate.
 * @return 0 or -EBADMSG.
 */
int compress_expand(uint8_t codec, uint8_t *dst, uint32_t plain, const uint8_t *src, uint32_t stored,
		    struct inflate_state *inflate);

/** Working memory for one lcore. @return NULL: none. */
struct inflate_state *compress_inflate_alloc(int socket);
void compress_inflate_free(struct inflate_state *state);

#ifdef __cplusplus
}
#endif

#endif /* COMPRESS_EXPAND_H */
