/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_SECRET_H
#define CRYPTO_SECRET_H

/**
 * @file
 * Memory for secrets: private and anonymous, left out of core dumps and of forked children, locked against swapping as
 * far as the system lets us, and zeroed when freed. Control path only: it takes a lock.
 */

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Largest piece, bytes. */
#define CRYPTO_SECRET_MAX 8192

/** Zeroed memory, aligned to 16 bytes. NULL: there is none left, or @p size is too large. */
void *crypto_secret_alloc(size_t size);
void crypto_secret_free(void *p);

/**
 * From begin to end, what OpenSSL allocates on this thread lies in this memory too: its cipher contexts hold the key
 * and its schedule. @return false when OpenSSL had allocated memory before we could ask it to use ours: then contexts
 * lie in ordinary memory.
 */
bool crypto_secret_begin(void);
void crypto_secret_end(void);

#ifdef __cplusplus
}
#endif

#endif /* CRYPTO_SECRET_H */
