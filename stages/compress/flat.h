/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef COMPRESS_FLAT_H
#define COMPRESS_FLAT_H

/**
 * @file
 * Payload as the codecs want it: one run of bytes that nobody changes meanwhile.
 */

#include <stdbool.h>
#include <stdint.h>

#include "strake_buf.h"

#ifdef __cplusplus
extern "C" {
#endif

/** True when the first @p len bytes of @p list lie in one run that no peer can change. */
static inline bool
compress_is_flat(const struct strake_buf *list, uint32_t len)
{
	return list != NULL && list->len >= len && (list->flags & STRAKE_BUF_STABLE) != 0;
}

/**
 * The first @p len bytes of @p list: where they lie, or copied to @p room (of @p len bytes) and added to *gathered.
 * @return NULL when the list is shorter.
 */
const uint8_t *compress_flat(struct strake_buf *list, uint32_t len, uint8_t *room, uint64_t *gathered);

#ifdef __cplusplus
}
#endif

#endif /* COMPRESS_FLAT_H */
