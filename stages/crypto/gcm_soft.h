/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_GCM_SOFT_H
#define CRYPTO_GCM_SOFT_H

/**
 * @file
 * The same cipher by the processor, for an lcore whose device is lost.
 */

#include <stdbool.h>
#include <stdint.h>

#include "strake_chunk.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Seals or opens under @p key (GCM_KEY bytes, copied). @return NULL: no memory. */
void *gcm_soft_session(const uint8_t *key, bool seal);
void gcm_soft_session_free(void *session);
/**
 * Seal a write's payload, or open a read's, of seal.stored bytes, into a new page; epoch, salt and nonce are set, and a
 * write gets its tag.
 * @return 0; -ENOBUFS: no page, nothing changed; -EBADMSG: the tag does not fit; -EIO.
 */
int gcm_soft_run(void *session, struct strake_unit *u);

#ifdef __cplusplus
}
#endif

#endif /* CRYPTO_GCM_SOFT_H */
