/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_XTS_H
#define CRYPTO_XTS_H

/**
 * @file
 * AES-256-XTS (IEEE 1619) over data units of one logical block, and over payloads of many.
 *
 * The tweak is the block's LBA as a 128-bit little-endian number ("plain64"). One struct xts belongs to one lcore.
 */

#include <stdbool.h>
#include <stdint.h>

#include "strake_buf.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Written by the lcore it belongs to, read by telemetry. */
struct xts_stats {
	uint64_t encrypted, decrypted; /**< bytes */
	uint64_t gathered;	       /**< bytes copied because a data unit was spread over bufs */
	uint64_t moved;		       /**< bytes decrypted into new pages, because the old ones were not ours alone */
	uint64_t holes;		       /**< bytes that were never written: zeroes on the drive, zeroes to the host */
	uint64_t errors;	       /**< data units OpenSSL refused: never expected */
};

struct xts {
	struct xts_wide *wide; /**< NULL: this processor has it not, and OpenSSL works */
	struct evp_cipher_ctx_st *enc, *dec;
	/** Where the data unit lies that will be decrypted after this one, which is fetched meanwhile; NULL: unknown.
	 */
	const uint8_t *ahead;
	/** The same of the payload after this one, and how much of it lies there. */
	const uint8_t *next;
	uint32_t next_len;
	struct xts_stats *stats;
};

/** Prepare both directions with a key of CRYPTO_KEY_BYTES. @return 0, -ENOMEM, -EIO (OpenSSL refuses). */
int xts_init(struct xts *x, const uint8_t *key, struct xts_stats *stats);
void xts_fini(struct xts *x);

/** One data unit; @p dst may be @p src. @return 0 or -EIO. */
int xts_encrypt(struct xts *x, uint8_t *dst, const uint8_t *src, uint32_t len, uint64_t lba);
/** Likewise; a unit of zeroes is a hole, and stays zeroes. */
int xts_decrypt(struct xts *x, uint8_t *dst, const uint8_t *src, uint32_t len, uint64_t lba);

/**
 * Encrypt a payload of @p nbytes (a multiple of the block) into new pages.
 * @param out the new list; the old one is still the caller's.
 * @return 0; -ENOBUFS: not enough pages, nothing has changed; -EINVAL: the payload is shorter; -EIO.
 */
int xts_payload_encrypt(struct xts *x, struct strake_buf *list, uint32_t nbytes, uint32_t lba_shift, uint64_t lba,
			struct strake_buf **out);
/** Decrypt likewise; *out is @p list itself where that could be done in place. */
int xts_payload_decrypt(struct xts *x, struct strake_buf *list, uint32_t nbytes, uint32_t lba_shift, uint64_t lba,
			struct strake_buf **out);

#ifdef __cplusplus
}
#endif

#endif /* CRYPTO_XTS_H */
