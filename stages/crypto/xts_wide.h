/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_XTS_WIDE_H
#define CRYPTO_XTS_WIDE_H

/**
 * @file
 * AES-256-XTS on registers of four blocks (VAES with AVX-512), where the processor has them. OpenSSL 3.0 works on
 * single blocks, and each new tweak costs it as much as 300 bytes.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Data units are multiples of this, bytes. */
#define XTS_WIDE_STEP 512u

/** Round keys. Lies in secret memory. */
struct xts_wide {
	uint8_t enc[15][16], dec[15][16], tweak[15][16];
};

/* Only for processors with VAES and AVX-512 F, BW and VL. */

/** Expand a key of CRYPTO_KEY_BYTES. */
void xts_wide_init(struct xts_wide *w, const uint8_t *key);

/**
 * One data unit; @p dst may be @p src.
 * @param ahead Bytes that are wanted next, fetched from memory meanwhile, as many as @p len; NULL: none.
 */
void xts_wide_encrypt(const struct xts_wide *w, uint8_t *dst, const uint8_t *src, uint32_t len, uint64_t lba,
		      const uint8_t *ahead);
void xts_wide_decrypt(const struct xts_wide *w, uint8_t *dst, const uint8_t *src, uint32_t len, uint64_t lba,
		      const uint8_t *ahead);

#ifdef __cplusplus
}
#endif

#endif /* CRYPTO_XTS_WIDE_H */
