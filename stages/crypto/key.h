/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_KEY_H
#define CRYPTO_KEY_H

/**
 * @file
 * The key of a volume, or the one that wraps those of a group: from a file that only its owner can read, or from the
 * kernel's keyring.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** AES-256-XTS has two keys of 256 bits: for the data, then for the tweak. */
#define CRYPTO_KEY_BYTES 64

/**
 * Read a key: 64 bytes as they are, or 128 hex digits with or without a line's end.
 * @param out the key, in secret memory; crypto_secret_free() it.
 * @return 0; or -errno and one line in @p err, which never shows a byte of the file:
 * -EACCES others than the owner could read it or it is not ours, -EINVAL not a key, or what open() says.
 */
int crypto_key_load(uint8_t **out, const char *path, char *err, size_t errlen);
/** Likewise any key of @p bytes, or twice as many hex digits. */
int crypto_key_file(uint8_t **out, const char *path, size_t bytes, char *err, size_t errlen);
/** Likewise from the kernel: the key of type "user" of that description in a keyring of this process, session or user.
 */
int crypto_key_keyring(uint8_t **out, const char *description, size_t bytes, char *err, size_t errlen);

#ifdef __cplusplus
}
#endif

#endif /* CRYPTO_KEY_H */
