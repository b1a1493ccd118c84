/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>

#include "conf_key.h"
#include "gcm_soft.h"
#include "gcm_stage.h"
#include "key.h"
#include "secret.h"

/* --- keys on their way to an lcore ---------------------------------------------------------------------------------
 */

/* On the lcore that asked. */
static void
answered(struct strake_msg *msg)
{
	struct gcm_ask *ask = RTE_PTR_SUB(msg, offsetof(struct gcm_ask, msg));
	struct gcm_lcore *lc = strake_stage_lcore(ask->st);
	struct gcm_slot *slot = gcm_slots_new(&lc->slots, &ask->want);

	lc->asking = false;
	if (slot != NULL) {
		slot->epoch = ask->epoch;
		slot->opening = ask->opening;
		slot->generation = ask->generation;
		if (ask->status == 0 && lc->lane.dead)
			slot->soft = gcm_soft_session(ask->key, ask->want.epoch == 0);
		else if (ask->status == 0)
			slot->session = gcm_device_session(lc->slots.dev, ask->key, ask->want.epoch == 0);
		if (ask->status == 0 && slot->session == NULL && slot->soft == NULL)
			slot->generation = 0; /* asked again */
	}
	OPENSSL_cleanse(ask->key, sizeof(ask->key));
}

/* On main. */
static void
asked(struct strake_msg *msg)
{
	struct gcm_ask *ask = RTE_PTR_SUB(msg, offsetof(struct gcm_ask, msg));
	const struct gcm *g = ask->st->priv;

	ask->epoch = ask->want.epoch;
	ask->opening = ask->want.opening;
	ask->generation = g->generation;
	ask->status = -ENOKEY;
	if (g->keyring != NULL) {
		if (ask->epoch == 0) {
			ask->epoch = keyring_epoch(g->keyring, ask->want.domain);
			ask->opening = keyring_opening(g->keyring);
		}
		ask->status = keyring_subkey(g->keyring, ask->want.domain, ask->epoch, ask->opening, ask->key);
	}
	msg->fn = answered;
	strake_msg_send(ask->lcore, msg);
}

void
gcm_ask(struct strake_stage *st, struct gcm_lcore *lc, const struct gcm_want *want)
{
	struct gcm_ask *ask = lc->ask;

	if (lc->asking)
		return;
	lc->asking = true;
	lc->stats->asked++;
	ask->st = st;
	ask->want = *want;
	ask->lcore = strake_self_index();
	ask->msg.fn = asked;
	strake_msg_send(STRAKE_LCORE_MAIN, &ask->msg);
}

/* --- the owner's words ---------------------------------------------------------------------------------------------
 */

static int
from_kernel(void *to, size_t len)
{
	/* Up to 256 bytes come whole. */
	return getrandom(to, len, 0) == (ssize_t)len ? 0 : -EIO;
}

/* What lcores know of keys is out of date. */
static void
changed(struct gcm *g)
{
	__atomic_store_n(&g->generation, g->generation + 1, __ATOMIC_RELEASE);
}

int
gcm_kek_load(uint8_t **kek, const struct conf_values *conf, char *err, size_t errlen)
{
	const char *file = conf_str(conf, "key_file"), *ring = conf_str(conf, "keyring");

	if ((file == NULL) == (ring == NULL)) {
		snprintf(err, errlen, "give either key_file or keyring");
		return -EINVAL;
	}
	return file != NULL ? crypto_key_file(kek, file, KEYRING_KEY_BYTES, err, errlen)
			    : crypto_key_keyring(kek, ring, KEYRING_KEY_BYTES, err, errlen);
}

int
gcm_key_check(const struct conf_values *conf, char *err, size_t errlen)
{
	uint8_t *kek = NULL;
	int ret = gcm_kek_load(&kek, conf, err, errlen);

	crypto_secret_free(kek);
	return ret;
}

int
gcm_rewrap(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen)
{
	struct gcm *g = st->priv;
	uint8_t *kek = NULL;
	int ret = gcm_kek_load(&kek, conf, err, errlen);

	if (ret < 0)
		return ret;
	ret = g->keyring != NULL ? keyring_rewrap(g->keyring, kek) : -ENOKEY;
	crypto_secret_free(kek);
	if (ret < 0)
		snprintf(err, errlen, "%s",
			 ret == -EALREADY  ? "it is the key that wraps the group's keys already"
			 : ret == -EBADMSG ? "a key of the group's table does not unwrap: it is damaged"
			 : ret == -EBUSY   ? "the table of keys is being written: try again"
					   : strerror(-ret));
	return ret;
}

int
gcm_open(struct strake_stage *st, const struct gcm_notes *notes, char *err, size_t errlen)
{
	struct gcm *g = st->priv;
	int ret;

	if (g->keyring != NULL) {
		snprintf(err, errlen, "%s: its keys are open already", st->name);
		return -EBUSY;
	}
	ret = keyring_open(&g->keyring, g->kek, notes, from_kernel, err, errlen);
	if (ret < 0)
		return ret;
	/* A new opening has a new salt, hence new subkeys: counters begin anew. */
	memset(g->nonce, 0, sizeof(g->nonce));
	changed(g);
	return 0;
}

void
gcm_close(struct strake_stage *st)
{
	struct gcm *g = st->priv;

	keyring_close(g->keyring);
	g->keyring = NULL;
	changed(g);
}

int
gcm_domain_add(struct strake_stage *st, uint32_t domain)
{
	struct gcm *g = st->priv;
	int ret = g->keyring != NULL ? keyring_add(g->keyring, domain) : -ENOKEY;

	if (ret == 0)
		changed(g);
	return ret;
}

int
gcm_domain_rotate(struct strake_stage *st, uint32_t domain)
{
	struct gcm *g = st->priv;
	int ret = g->keyring != NULL ? keyring_rotate(g->keyring, domain) : -ENOKEY;

	g->rotations += ret > 0;
	if (ret > 0)
		changed(g);
	return ret;
}

unsigned int
gcm_rotations(const struct strake_stage *st)
{
	const struct gcm *g = st->priv;

	return g->rotations;
}

unsigned int
gcm_domains(const struct strake_stage *st, struct gcm_domain *out, unsigned int max)
{
	const struct gcm *g = st->priv;

	return g->keyring != NULL ? keyring_domains(g->keyring, out, max) : 0;
}

uint32_t
gcm_domains_version(const struct strake_stage *st)
{
	return gcm_generation(st->priv);
}

int
gcm_domain_erase(struct strake_stage *st, uint32_t domain)
{
	struct gcm *g = st->priv;
	int ret = g->keyring != NULL ? keyring_erase(g->keyring, domain) : -ENOKEY;

	changed(g);
	return ret;
}

int
gcm_notes_erase(const struct gcm_notes *notes, uint32_t domain)
{
	return keyring_erase_unopened(notes, domain);
}

int
gcm_epoch_oldest_in_use(struct strake_stage *st, uint32_t domain, uint16_t epoch)
{
	struct gcm *g = st->priv;
	int ret = g->keyring != NULL ? keyring_oldest(g->keyring, domain, epoch) : -ENOKEY;

	if (ret != 0)
		changed(g);
	return ret;
}

int
gcm_openings_in_use(struct strake_stage *st, bool (*used)(void *arg, uint16_t opening), void *arg)
{
	struct gcm *g = st->priv;

	return g->keyring != NULL ? keyring_openings(g->keyring, used, arg) : -ENOKEY;
}

unsigned int
gcm_openings(const struct strake_stage *st)
{
	const struct gcm *g = st->priv;

	return g->keyring != NULL ? keyring_openings_count(g->keyring) : 0;
}

uint16_t
gcm_epoch(const struct strake_stage *st, uint32_t domain)
{
	const struct gcm *g = st->priv;

	return g->keyring != NULL ? keyring_epoch(g->keyring, domain) : 0;
}

uint16_t
gcm_opening(const struct strake_stage *st)
{
	const struct gcm *g = st->priv;

	return g->keyring != NULL ? keyring_opening(g->keyring) : 0;
}
