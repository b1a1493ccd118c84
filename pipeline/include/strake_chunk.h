/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_CHUNK_H
#define STRAKE_CHUNK_H

/**
 * @file
 * The chunk: what the drives keep. Lives from the volume to the drives.
 *
 * A run of blocks with a place in a group. The volume turns requests into chunks and back; chunk stages (compress,
 * crypto, stripe) see nothing else.
 */

#include "strake_unit.h"

#ifdef __cplusplus
extern "C" {
#endif

struct strake_volume;

struct strake_chunk {
	struct strake_unit u; /**< first; u.lba is the volume's LBA (crypto's data unit), u.nlb as in a request */
	struct strake_volume *vol;
	struct strake_req *req; /**< the request it serves, or NULL (resync) */
	uint64_t place;		/**< byte offset in the group's data area */
	uint32_t place_len;	/**< bytes there (what nlb covers, also for ops without payload) */
	uint32_t lba_shift;	/**< log2 of the LBA size, bytes */
	uint64_t generation;	/**< log volumes; 0 on plain ones */
	uint8_t ctx[STRAKE_UNIT_CTX] __rte_aligned(8);
};

static inline struct strake_chunk *
strake_chunk_of(struct strake_unit *unit)
{
	return (struct strake_chunk *)unit;
}

/** As strake_req_alloc(), from the chunks' pool; kind CHUNK. */
struct strake_chunk *strake_chunk_alloc(bool internal);
/** Return it; puts its payload list. */
void strake_chunk_free(struct strake_chunk *chunk);

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_CHUNK_H */
