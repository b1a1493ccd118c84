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

/** How a log volume's payload was changed on its way to the drive. */
enum strake_codec {
	STRAKE_CODEC_NONE,
	STRAKE_CODEC_LZ4,
	STRAKE_CODEC_DEFLATE,
};

/** What the stages between a log volume and its drives need to know to undo what they did; kept in the chunk's header
 * on the drive. The volume sets serial, domain, plain and blocks; compress codec and stored; the cipher the rest. The
 * authenticated data of the cipher is all of it but nonce and tag. */
struct strake_seal {
	uint64_t serial; /**< of the chunk, unique for the store's life; moves keep it */
	uint32_t domain; /**< dedup and key domain, the store's number */
	uint16_t epoch;	 /**< key epoch; 0: not encrypted */
	uint16_t salt;	 /**< number of the opening whose subkey sealed it */
	uint32_t plain;	 /**< bytes before compression, a multiple of 4096 up to 32 KiB */
	uint32_t stored; /**< bytes of the payload as it lies on the drive */
	uint8_t codec;	 /**< enum strake_codec */
	uint8_t blocks;	 /**< 4-KiB blocks, 1 to 8 */
	uint8_t nonce[12], tag[16];
};

struct strake_chunk {
	struct strake_unit u; /**< first; u.lba is the volume's LBA (crypto's data unit), u.nlb as in a request */
	struct strake_volume *vol;
	struct strake_req *req;	 /**< the request it serves, or NULL (resync) */
	uint64_t place;		 /**< byte offset in the group's data area */
	uint32_t place_len;	 /**< bytes there (what nlb covers, also for ops without payload) */
	uint32_t lba_shift;	 /**< log2 of the LBA size, bytes */
	uint64_t generation;	 /**< log volumes; 0 on plain ones */
	struct strake_seal seal; /**< log volumes */
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
