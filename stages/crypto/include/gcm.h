/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef GCM_H
#define GCM_H

/**
 * @file
 * Keys of the `seal` stage (AES-256-GCM for log volumes): who owns a group gives it a place to keep them, and says when
 * they change. Main lcore. A change that comes while another is being made durable ends with -EBUSY.
 *
 * A stage without open keys fails writes with -EROFS and reads with -EBADMSG, as it does for a domain that has no key
 * or was erased. Open before the first chunk, close after the last.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct conf_values;
struct strake_stage;

/** Where the table of wrapped keys lies: note 1 of the group's space (struct strake_space_ops), or a test's. */
struct gcm_notes {
	/** @p len: room, then bytes read; 0 when never written. @return 0 or -errno. */
	int (*read)(void *arg, void *data, uint32_t *len);
	/** Durable on every drive in use when it returns 0, whole or not at all; the second last writing may survive in
	 * the other copy. */
	int (*write)(void *arg, const void *data, uint32_t len);
	void *arg;
	uint32_t room; /**< longest note, bytes */
	uint8_t uuid[16];
};

/** Could the key-encryption key that the stage's configuration names be read now? @return 0; or -errno with one line in
 * @p err that names where it was looked for. */
int gcm_key_check(const struct conf_values *conf, char *err, size_t errlen);
/** Prove the key-encryption key against the table and make the salt of this opening durable.
 * @return 0; or -errno with one line in @p err and nothing written (-EACCES: it is another key). */
int gcm_open(struct strake_stage *st, const struct gcm_notes *notes, char *err, size_t errlen);
void gcm_close(struct strake_stage *st);

/** See to it that @p domain has a key. @return 0, -ENOSPC the table is full, -ENOKEY not open, or the note's. */
int gcm_domain_add(struct strake_stage *st, uint32_t domain);
/** A new key for what is written from now on. @return the new epoch, or -errno as above. */
int gcm_domain_rotate(struct strake_stage *st, uint32_t domain);
/** Wrap all keys of the group anew, by the key-encryption key that @p conf names (key_file or keyring), in one durable
 * step: the one before is of no use from then on. What is sealed is not touched. @return 0; or -errno with one line in
 * @p err, and the one before counts: -EALREADY it is the same. */
int gcm_rewrap(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen);
/** Crypto-erase: nothing written in @p domain until now can be read again, by anybody. gcm_domain_add() begins anew.
 * What flash keeps of overwritten blocks is beyond us: who must rule that out changes the key-encryption key too
 * (gcm_rewrap()). */
int gcm_domain_erase(struct strake_stage *st, uint32_t domain);
/** The same in a table of keys that no stage has open. It takes no key-encryption key. @return 0, also if there is no
 * table or no key of that domain in it; or -errno: -EBADMSG, -EPROTO, -EXDEV what is there is no table of this group,
 * or the note's. */
int gcm_notes_erase(const struct gcm_notes *notes, uint32_t domain);
/** No chunk of @p domain is of an epoch older than @p epoch: older keys are destroyed. @return how many, or -errno. */
int gcm_epoch_oldest_in_use(struct strake_stage *st, uint32_t domain, uint16_t epoch);
/** The keys of a domain. */
struct gcm_domain {
	uint32_t domain;
	uint16_t epoch;	   /**< what it writes with; 0: it was erased */
	uint16_t oldest;   /**< whose key is still there */
	uint16_t old_keys; /**< of epochs before `epoch`, that are still there */
};
/** Most keys that a table has, and so domains. */
#define GCM_DOMAINS_MAX 1024u
/** All domains, in the order of their numbers. @return how many there are, of which @p max at most are told. */
unsigned int gcm_domains(const struct strake_stage *st, struct gcm_domain *out, unsigned int max);
/** Another one whenever gcm_domains() may say something else; never 0. */
uint32_t gcm_domains_version(const struct strake_stage *st);
/** How often a domain got a new key since the stage was made: who looks which keys are in use asks before and after. */
unsigned int gcm_rotations(const struct strake_stage *st);
/** Forget the salts of openings that no chunk names (seal.salt). @return how many, or -errno. */
int gcm_openings_in_use(struct strake_stage *st, bool (*used)(void *arg, uint16_t opening), void *arg);
/** Openings that the table of keys remembers, of 4096; 0: not open. */
unsigned int gcm_openings(const struct strake_stage *st);
/** The epoch that @p domain writes with; 0: none. */
uint16_t gcm_epoch(const struct strake_stage *st, uint32_t domain);
/** Number of this opening (seal.salt of what is written now); 0: not open. */
uint16_t gcm_opening(const struct strake_stage *st);

#ifdef __cplusplus
}
#endif

#endif /* GCM_H */
