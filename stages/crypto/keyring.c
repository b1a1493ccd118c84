/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <rte_byteorder.h>
#include <rte_common.h>

#include "keyring.h"
#include "keytable_format.h"
#include "secret.h"

struct keyring {
	uint8_t *kek;
	struct gcm_notes notes;
	int (*random)(void *to, size_t len);
	uint16_t opening;
	bool writing;		   /* a note is under way, for which main takes turns: nothing else changes meanwhile */
	struct keytable now, next; /* next: a change until it is durable */
	uint8_t image[KEYTABLE_BYTES_MAX];
};

/* --- derivation ----------------------------------------------------------------------------------------------------
 */

static int
hkdf(const uint8_t *key, const uint8_t *salt, size_t saltlen, const void *info, size_t infolen, uint8_t *out,
     size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, KEYRING_KEY_BYTES),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, saltlen),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, infolen),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF_CTX *ctx;
	int ok = 0;

	crypto_secret_begin();
	ctx = EVP_KDF_CTX_new(kdf);
	if (ctx != NULL)
		ok = EVP_KDF_derive(ctx, out, len, params);
	EVP_KDF_CTX_free(ctx);
	crypto_secret_end();
	EVP_KDF_free(kdf);
	return ok == 1 ? 0 : -EIO;
}

/* "strake WHAT 1", domain, epoch, opening. */
static size_t
info_of(char *out, const char *what, uint32_t domain, uint16_t epoch, uint16_t opening)
{
	size_t n = (size_t)sprintf(out, "strake %s 1", what);
	const uint32_t d = rte_cpu_to_le_32(domain);
	const uint16_t rest[2] = {rte_cpu_to_le_16(epoch), rte_cpu_to_le_16(opening)};

	memcpy(out + n, &d, sizeof(d));
	memcpy(out + n + sizeof(d), rest, sizeof(rest));
	return n + sizeof(d) + sizeof(rest);
}

static int
kek_check(const struct keyring *kr, const uint8_t *kek, uint8_t out[16])
{
	static const char info[] = "strake check 1";

	return hkdf(kek, kr->notes.uuid, sizeof(kr->notes.uuid), info, sizeof(info) - 1, out, 16);
}

/* AES key wrap under a key of the entry's own: entries cannot stand in for one another. */
static int
wrap(const struct keyring *kr, const uint8_t *kek, const struct keytable_key *k, bool encrypt, const uint8_t *in,
     int inlen, uint8_t *out)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL);
	uint8_t *wrapping = crypto_secret_alloc(KEYRING_KEY_BYTES);
	EVP_CIPHER_CTX *ctx = NULL;
	char info[32];
	int ret = -ENOMEM, len = 0;

	if (cipher == NULL || wrapping == NULL)
		goto out;
	ret = hkdf(kek, kr->notes.uuid, sizeof(kr->notes.uuid), info,
		   info_of(info, "wrap", k->domain, k->epoch, 0) - sizeof(uint16_t), wrapping, KEYRING_KEY_BYTES);
	if (ret < 0)
		goto out;
	crypto_secret_begin();
	ctx = EVP_CIPHER_CTX_new();
	if (ctx != NULL)
		EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (ctx == NULL || EVP_CipherInit_ex2(ctx, cipher, wrapping, NULL, encrypt, NULL) != 1 ||
	    EVP_CipherUpdate(ctx, out, &len, in, inlen) != 1 || len != (encrypt ? inlen + 8 : inlen - 8))
		ret = -EBADMSG;
	EVP_CIPHER_CTX_free(ctx);
	crypto_secret_end();
out:
	crypto_secret_free(wrapping);
	EVP_CIPHER_free(cipher);
	return ret;
}

/* --- the table -----------------------------------------------------------------------------------------------------
 */

static const struct keytable_key *
newest(const struct keytable *t, uint32_t domain)
{
	const struct keytable_key *best = NULL;

	for (uint32_t i = 0; i < t->n_keys; i++)
		if (t->key[i].domain == domain && (best == NULL || t->key[i].epoch > best->epoch))
			best = &t->key[i];
	return best;
}

/* next becomes durable, then now. */
static int
commit(struct keyring *kr, unsigned int copies)
{
	uint32_t bytes = keytable_bytes(kr->next.n_keys, kr->next.n_openings);
	int ret = bytes <= kr->notes.room ? 0 : -ENOSPC;

	kr->writing = true;
	for (unsigned int i = 0; ret == 0 && i < copies; i++) {
		kr->next.seq++;
		keytable_encode(&kr->next, kr->image);
		ret = kr->notes.write(kr->notes.arg, kr->image, bytes);
		if (ret == 0)
			kr->now = kr->next;
	}
	kr->writing = false;
	return ret;
}

/* @return NULL: another change is being written. */
static struct keytable *
change(struct keyring *kr)
{
	if (kr->writing)
		return NULL;
	kr->next = kr->now;
	return &kr->next;
}

/* A key of the epoch after the newest. @return the epoch or -errno. */
static int
new_key(struct keyring *kr, uint32_t domain)
{
	struct keytable *t = change(kr);
	const struct keytable_key *last = newest(&kr->now, domain);
	struct keytable_key k = {.domain = domain, .state = KEYTABLE_LIVE};
	uint8_t *data;
	int ret;

	if (t == NULL)
		return -EBUSY;
	data = crypto_secret_alloc(KEYRING_KEY_BYTES);
	if (data == NULL)
		return -ENOMEM;
	if (last != NULL && last->epoch == UINT16_MAX)
		ret = -EOVERFLOW;
	else
		ret = t->n_keys < KEYTABLE_KEYS ? 0 : -ENOSPC;
	k.epoch = last != NULL ? (uint16_t)(last->epoch + 1) : 1;
	if (ret == 0)
		ret = kr->random(data, KEYRING_KEY_BYTES);
	if (ret == 0)
		ret = wrap(kr, kr->kek, &k, true, data, KEYRING_KEY_BYTES, k.wrapped);
	crypto_secret_free(data);
	if (ret < 0)
		return ret;
	t->key[t->n_keys++] = k;
	ret = commit(kr, 1);
	return ret < 0 ? ret : k.epoch;
}

/* Keep the keys for which @p keep says so. @return how many went. */
static uint32_t
sift(struct keytable *t, bool (*keep)(const struct keytable_key *k, uint32_t domain, uint16_t epoch), uint32_t domain,
     uint16_t epoch)
{
	uint32_t left = 0, had = t->n_keys;

	for (uint32_t i = 0; i < had; i++)
		if (keep(&t->key[i], domain, epoch))
			t->key[left++] = t->key[i];
	memset(&t->key[left], 0, (had - left) * sizeof(t->key[0]));
	t->n_keys = left;
	return had - left;
}

static bool
not_older(const struct keytable_key *k, uint32_t domain, uint16_t epoch)
{
	return k->domain != domain || k->epoch >= epoch;
}

/* --- opening -------------------------------------------------------------------------------------------------------
 */

/* -ENOENT: there is none. */
static int
read_table(struct keyring *kr, char *err, size_t errlen)
{
	uint32_t len = RTE_MIN(kr->notes.room, (uint32_t)sizeof(kr->image));
	int ret = kr->notes.read(kr->notes.arg, kr->image, &len);

	if (ret < 0) {
		snprintf(err, errlen, "the group's keys cannot be read: %s", strerror(-ret));
		return ret == -ENOENT ? -EIO : ret;
	}
	ret = keytable_decode(&kr->now, kr->image, len);
	if (ret == -ENOENT && len == 0)
		return ret;
	if (ret < 0) {
		snprintf(err, errlen, "the group's table of keys is %s",
			 ret == -EPROTO ? "of a later version" : "damaged");
		return ret == -ENOENT ? -EBADMSG : ret;
	}
	if (memcmp(kr->now.uuid, kr->notes.uuid, sizeof(kr->now.uuid)) != 0) {
		snprintf(err, errlen, "the table of keys is of another group");
		return -EXDEV;
	}
	return 0;
}

static int
load(struct keyring *kr, char *err, size_t errlen)
{
	uint8_t check[16];
	int ret = kek_check(kr, kr->kek, check);

	if (ret < 0) {
		snprintf(err, errlen, "the key cannot be proven: %s", strerror(-ret));
		return ret;
	}
	ret = read_table(kr, err, errlen);
	if (ret == -ENOENT) {
		memset(&kr->now, 0, sizeof(kr->now));
		memcpy(kr->now.uuid, kr->notes.uuid, sizeof(kr->now.uuid));
		memcpy(kr->now.check, check, sizeof(check));
		return 0;
	}
	if (ret == 0 && CRYPTO_memcmp(kr->now.check, check, sizeof(check)) != 0) {
		snprintf(err, errlen,
			 "this is not the key that the group's keys are wrapped with; nothing was written");
		return -EACCES;
	}
	return ret;
}

static int
new_opening(struct keyring *kr, char *err, size_t errlen)
{
	struct keytable *t = change(kr);
	struct keytable_opening *o = &t->opening[t->n_openings];
	int ret = t->n_openings < KEYTABLE_OPENINGS && t->last_opening < UINT16_MAX ? 0 : -ENOSPC;

	if (ret == 0)
		ret = kr->random(o->salt, sizeof(o->salt));
	if (ret == 0) {
		o->number = ++t->last_opening;
		t->n_openings++;
		ret = commit(kr, 1);
	}
	if (ret < 0)
		snprintf(err, errlen, "no salt for this opening of the group: %s",
			 ret == -ENOSPC ? "its table is full" : strerror(-ret));
	kr->opening = kr->now.last_opening;
	return ret;
}

int
keyring_open(struct keyring **out, uint8_t *kek, const struct gcm_notes *notes, int (*random)(void *to, size_t len),
	     char *err, size_t errlen)
{
	struct keyring *kr = calloc(1, sizeof(*kr));
	int ret;

	if (kr == NULL) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	kr->kek = kek;
	kr->notes = *notes;
	kr->random = random;
	ret = load(kr, err, errlen);
	if (ret == 0)
		ret = new_opening(kr, err, errlen);
	if (ret < 0)
		keyring_close(kr);
	else
		*out = kr;
	return ret;
}

void
keyring_close(struct keyring *kr)
{
	free(kr);
}

/* --- use -----------------------------------------------------------------------------------------------------------
 */

uint16_t
keyring_epoch(const struct keyring *kr, uint32_t domain)
{
	const struct keytable_key *k = newest(&kr->now, domain);

	return k != NULL && k->state == KEYTABLE_LIVE ? k->epoch : 0;
}

uint16_t
keyring_opening(const struct keyring *kr)
{
	return kr->opening;
}

int
keyring_add(struct keyring *kr, uint32_t domain)
{
	int ret = keyring_epoch(kr, domain) != 0 ? 0 : new_key(kr, domain);

	return ret < 0 ? ret : 0;
}

int
keyring_rotate(struct keyring *kr, uint32_t domain)
{
	return keyring_epoch(kr, domain) != 0 ? new_key(kr, domain) : -ENOKEY;
}

static int
by_domain(const void *a, const void *b)
{
	const struct keytable_key *x = *(const struct keytable_key *const *)a,
				  *y = *(const struct keytable_key *const *)b;

	if (x->domain != y->domain)
		return x->domain < y->domain ? -1 : 1;
	return (int)x->epoch - (int)y->epoch;
}

unsigned int
keyring_domains(const struct keyring *kr, struct gcm_domain *out, unsigned int max)
{
	const struct keytable_key *k[KEYTABLE_KEYS];
	uint32_t n_keys = kr->now.n_keys;
	struct gcm_domain d = {.old_keys = 0};
	unsigned int n = 0;

	RTE_BUILD_BUG_ON(KEYTABLE_KEYS != GCM_DOMAINS_MAX);
	for (uint32_t i = 0; i < n_keys; i++)
		k[i] = &kr->now.key[i];
	qsort(k, n_keys, sizeof(k[0]), by_domain);
	for (uint32_t i = 0; i < n_keys; i++) {
		bool newest_one = i + 1 == n_keys || k[i + 1]->domain != k[i]->domain;
		bool live = k[i]->state == KEYTABLE_LIVE;

		if (live && d.old_keys == 0)
			d.oldest = k[i]->epoch;
		if (!newest_one) {
			d.old_keys += live;
			continue;
		}
		d.domain = k[i]->domain;
		d.epoch = live ? k[i]->epoch : 0;
		if (n < max)
			out[n] = d;
		n++;
		d = (struct gcm_domain){.old_keys = 0};
	}
	return n;
}

int
keyring_rewrap(struct keyring *kr, const uint8_t *kek)
{
	struct keytable *t = change(kr);
	uint8_t *data;
	int ret;

	if (t == NULL)
		return -EBUSY;
	data = crypto_secret_alloc(KEYTABLE_WRAPPED);
	if (data == NULL)
		return -ENOMEM;
	ret = kek_check(kr, kek, t->check);
	if (ret == 0 && CRYPTO_memcmp(t->check, kr->now.check, sizeof(t->check)) == 0)
		ret = -EALREADY;
	for (uint32_t i = 0; ret == 0 && i < t->n_keys; i++) {
		struct keytable_key *k = &t->key[i];

		if (k->state != KEYTABLE_LIVE)
			continue;
		ret = wrap(kr, kr->kek, k, false, k->wrapped, KEYTABLE_WRAPPED, data);
		if (ret == 0)
			ret = wrap(kr, kek, k, true, data, KEYRING_KEY_BYTES, k->wrapped);
	}
	crypto_secret_free(data);
	if (ret == 0)
		ret = commit(kr, 1);
	if (ret < 0)
		return ret;
	memcpy(kr->kek, kek, KEYRING_KEY_BYTES);
	/* So that the other copy is not for the old key. Should it fail, the next opening writes that. */
	commit(kr, 1);
	return 0;
}

int
keyring_erase(struct keyring *kr, uint32_t domain)
{
	struct keytable *t = change(kr);
	const struct keytable_key *last = newest(&kr->now, domain);

	if (t == NULL)
		return -EBUSY;
	if (last == NULL)
		return -ENOKEY;
	sift(t, not_older, domain, last->epoch);
	for (uint32_t i = 0; i < t->n_keys; i++) {
		if (t->key[i].domain != domain)
			continue;
		t->key[i].state = KEYTABLE_ERASED;
		memset(t->key[i].wrapped, 0, sizeof(t->key[i].wrapped));
	}
	/* A note has two copies, written in turn. */
	return commit(kr, 2);
}

int
keyring_erase_unopened(const struct gcm_notes *notes, uint32_t domain)
{
	struct keyring *kr = calloc(1, sizeof(*kr));
	char why[128];
	int ret;

	if (kr == NULL)
		return -ENOMEM;
	kr->notes = *notes;
	ret = read_table(kr, why, sizeof(why));
	if (ret == 0)
		ret = keyring_erase(kr, domain);
	keyring_close(kr);
	return ret == -ENOKEY || ret == -ENOENT ? 0 : ret;
}

int
keyring_oldest(struct keyring *kr, uint32_t domain, uint16_t oldest)
{
	struct keytable *t = change(kr);
	const struct keytable_key *last = newest(&kr->now, domain);
	uint32_t gone;
	int ret;

	if (t == NULL)
		return -EBUSY;
	gone = last != NULL ? sift(t, not_older, domain, RTE_MIN(oldest, last->epoch)) : 0;
	ret = gone > 0 ? commit(kr, 2) : 0;
	return ret < 0 ? ret : (int)gone;
}

int
keyring_openings(struct keyring *kr, bool (*used)(void *arg, uint16_t opening), void *arg)
{
	struct keytable *t = change(kr);
	uint32_t left = 0, gone;
	int ret;

	if (t == NULL)
		return -EBUSY;
	for (uint32_t i = 0; i < t->n_openings; i++)
		if (t->opening[i].number == kr->opening || used(arg, t->opening[i].number))
			t->opening[left++] = t->opening[i];
	gone = t->n_openings - left;
	t->n_openings = left;
	ret = gone > 0 ? commit(kr, 1) : 0;
	return ret < 0 ? ret : (int)gone;
}

uint32_t
keyring_openings_count(const struct keyring *kr)
{
	return kr->now.n_openings;
}

int
keyring_subkey(const struct keyring *kr, uint32_t domain, uint16_t epoch, uint16_t opening, uint8_t *out)
{
	const struct keytable *t = &kr->now;
	const struct keytable_key *k = NULL;
	const uint8_t *salt = NULL;
	uint8_t *data;
	char info[32];
	int ret;

	for (uint32_t i = 0; i < t->n_keys; i++)
		if (t->key[i].domain == domain && t->key[i].epoch == epoch && t->key[i].state == KEYTABLE_LIVE)
			k = &t->key[i];
	for (uint32_t i = 0; i < t->n_openings; i++)
		if (t->opening[i].number == opening)
			salt = t->opening[i].salt;
	if (k == NULL || salt == NULL)
		return -ENOKEY;
	data = crypto_secret_alloc(KEYTABLE_WRAPPED);
	if (data == NULL)
		return -ENOMEM;
	ret = wrap(kr, kr->kek, k, false, k->wrapped, KEYTABLE_WRAPPED, data);
	if (ret == 0)
		ret = hkdf(data, salt, KEYTABLE_SALT, info, info_of(info, "seal", domain, epoch, opening), out,
			   KEYRING_KEY_BYTES);
	crypto_secret_free(data);
	return ret;
}
