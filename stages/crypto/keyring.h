/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_KEYRING_H
#define CRYPTO_KEYRING_H

/**
 * @file
 * The keys of a group: made at random for each (domain, epoch), wrapped by a key-encryption key, kept in a note.
 *
 * Main lcore only. What changes is durable before a function returns 0; when it cannot be made durable nothing has
 * changed. Main takes turns until then: whoever wants to change something else meanwhile gets -EBUSY. A data key is
 * never used itself: each opening of the group has a random salt, and chunks are sealed by HKDF-SHA256(data key, salt
 * of the opening). So a nonce may be a counter from 0 in each opening, whatever older image the drives were restored
 * from, and whoever else opened a copy of them.
 *
 *     wrapping key = HKDF-SHA256(key-encryption key, salt: the group's UUID, info: "strake wrap 1", domain, epoch)
 *     wrapped key  = AES key wrap (RFC 3394) of the data key under it
 *     subkey       = HKDF-SHA256(data key, salt: the opening's, info: "strake seal 1", domain, epoch, opening)
 *     check        = HKDF-SHA256(key-encryption key, salt: the group's UUID, info: "strake check 1")
 *
 * domain is 4 bytes, epoch and opening 2, little-endian.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gcm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KEYRING_KEY_BYTES 32u

struct keyring;

/**
 * Open: read the table (or begin one), prove the key-encryption key, write the salt of this opening.
 * @param kek KEYRING_KEY_BYTES in secret memory; kept by reference, and another after keyring_rewrap().
 * @param random fills from the kernel's random, or a test's. @return 0 or -errno.
 * @return 0; or -errno with one line in @p err, and nothing was written: -EACCES the key is another's, -EBADMSG the
 * table is damaged, -EPROTO of a version not known, -ENOSPC it is full, -EXDEV of another group, or what the note said.
 */
int keyring_open(struct keyring **out, uint8_t *kek, const struct gcm_notes *notes, int (*random)(void *to, size_t len),
		 char *err, size_t errlen);
void keyring_close(struct keyring *kr);

/** The epoch that domain @p domain writes with, or 0: it has no key. */
uint16_t keyring_epoch(const struct keyring *kr, uint32_t domain);
/** The number of this opening. */
uint16_t keyring_opening(const struct keyring *kr);
/** Make a first key for a domain that has none. @return 0 (also if it has one), -ENOSPC, -EOVERFLOW, the note's. */
int keyring_add(struct keyring *kr, uint32_t domain);
/** A new epoch. @return its number, -ENOKEY the domain has none, or as above. */
int keyring_rotate(struct keyring *kr, uint32_t domain);
/** As gcm_domains(). */
unsigned int keyring_domains(const struct keyring *kr, struct gcm_domain *out, unsigned int max);
/** Wrap all keys anew: from then on @p kek opens the table, and the key-encryption key before does not. It is one
 * writing, so that with power lost one of the two opens it. Keys and what they seal stay the same.
 * @return 0; -errno and the key before counts: -EALREADY it is the same, -EBADMSG a key does not unwrap, the note's. */
int keyring_rewrap(struct keyring *kr, const uint8_t *kek);
/** Destroy all keys of a domain, in both copies of the note; again after a failure. @return 0, -ENOKEY, the note's. */
int keyring_erase(struct keyring *kr, uint32_t domain);
/** The same of a table that nobody has open, for which no key-encryption key is needed. @return 0, also if there is no
 * such key or no table; as keyring_open(); the note's. */
int keyring_erase_unopened(const struct gcm_notes *notes, uint32_t domain);
/** No chunk of @p domain has an epoch older than @p oldest: drop their keys. @return keys dropped, or -errno. */
int keyring_oldest(struct keyring *kr, uint32_t domain, uint16_t oldest);
/** Drop the salts of openings that no chunk names. @return salts dropped, or -errno. */
int keyring_openings(struct keyring *kr, bool (*used)(void *arg, uint16_t opening), void *arg);
/** Openings whose salts are kept. */
uint32_t keyring_openings_count(const struct keyring *kr);
/** The key that seals. @p out of KEYRING_KEY_BYTES in secret memory. @return 0, -ENOKEY, -EBADMSG it does not unwrap.
 */
int keyring_subkey(const struct keyring *kr, uint32_t domain, uint16_t epoch, uint16_t opening, uint8_t *out);

#ifdef __cplusplus
}
#endif

#endif /* CRYPTO_KEYRING_H */
