/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Which volumes a store has: making, resizing, emptying and deleting them. Main asks, the owner does it.
 *
 * To delete is to give another name, durably: from then on the volume never comes back. What it holds is forgotten
 * meanwhile and afterwards by the owner's poller, some leaves of its tree a turn, also after a restart; then its tree
 * goes. That begins at once, as a full store may have no room for the checkpoint before: if power goes until then, the
 * volume comes back without some of its blocks. Only main frees a volume, so that main may look at the list at any
 * time.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <rte_common.h>

#include "store_job.h"

#define DELETED	   "..deleted." /* and the number; no other name begins so */
#define DELETE_RUN 4		/* leaves a turn */
#define CLEAR_RUN  32		/* leaves a message of main */
#define TRIM_SHARE LOG_RUN /* shared blocks of one record: each needs pages of the share table at hand, all at once */
#define ROOTS_MORE 16	   /* roots of trees that were dropped and not yet swept */
#define AGAIN	   (60 * STRAKE_NS_PER_SEC)

struct store_vol *
store_vol_named(const struct store *st, const char *name)
{
	for (uint32_t i = 0; i < st->n_vol; i++) {
		if (strcmp(st->vol[i]->d.name, name) == 0)
			return st->vol[i];
	}
	return NULL;
}

bool
store_vol_is_deleted(const struct log_volume *d)
{
	return strncmp(d->name, DELETED, strlen(DELETED)) == 0;
}

/* Errands for the owner. */
struct change {
	struct store_vol *v;
	uint64_t bytes;
	uint64_t ckpt; /* see store_ckpt_wait() */
	uint64_t at;   /* cleared up to here */
	bool waiting;
	int status;
	struct map_wait wait;
};

/* --- making ------------------------------------------------------------------------------------------------------ */

/* The superblock tells of every volume and of the segments; one too many, and no checkpoint could be written any more.
 */
bool
store_super_fits(const struct store *st, uint32_t segments, uint32_t volumes)
{
	const struct log_super s = {
		.n_table = (segments + LOG_TABLE_ENTRIES - 1) / LOG_TABLE_ENTRIES,
		.n_next = LOG_SUPER_NEXT,
		.n_volumes = volumes,
		.roots_bytes = (uint32_t)map_roots_bytes(volumes + 1 + ROOTS_MORE),
	};

	return volumes <= STORE_VOLUMES && s.roots_bytes <= LOG_SUPER_ROOTS &&
	       log_super_bytes(&s) <= st->sp->note_bytes;
}

static int
add(struct store *st, void *arg)
{
	struct change *c = arg;
	int ret;

	if (!store_super_fits(st, st->n_seg, st->n_vol + 1))
		return -ENOSPC;
	c->v->d.id = st->next_vol;
	ret = map_tree_create(st->map, c->v->d.id, STORE_VOL_LEVELS, &c->v->tree);
	if (ret < 0)
		return ret;
	st->next_vol++;
	st->vol[st->n_vol++] = c->v;
	return 0;
}

int
store_vol_make(struct store *st, const struct log_conf *conf, struct store_vol **out)
{
	struct change c = {.v = calloc(1, sizeof(*c.v))};
	int ret = 0;

	if (c.v == NULL)
		return -ENOMEM;
	snprintf(c.v->d.name, sizeof(c.v->d.name), "%s", conf->name);
	if (conf->uuid != NULL)
		memcpy(c.v->d.uuid, conf->uuid, sizeof(c.v->d.uuid));
	else if (getrandom(c.v->d.uuid, sizeof(c.v->d.uuid), 0) != sizeof(c.v->d.uuid))
		ret = -EIO;
	c.v->d.bytes = conf->bytes;
	c.v->d.domain = conf->domain;
	c.v->d.lba_shift = (uint8_t)conf->lba_shift;
	if (ret == 0)
		ret = store_call(st, add, &c);
	if (ret < 0) {
		free(c.v);
		return ret;
	}
	*out = c.v;
	return store_until(st, store_ckpt_wait, &c.ckpt);
}

/* --- forgetting -------------------------------------------------------------------------------------------------- */

int
store_trim_some(struct store *st, struct store_vol *v, uint64_t lba, uint64_t end, struct map_wait *w)
{
	uint32_t n = (uint32_t)RTE_MIN(end - lba, (uint64_t)(MAP_FANOUT - lba % MAP_FANOUT)), shared = 0;
	uint64_t entry[MAP_RUN_MAX];
	int ret = map_get(st->map, v->tree, lba, n, entry, w);

	if (ret < 0)
		return ret;
	for (uint32_t i = 0; i < n; i++) {
		shared += log_entry_kind(entry[i]) == LOG_ENTRY_SHARED;
		if (shared > TRIM_SHARE)
			n = i;
	}
	ret = store_trim(st, v, lba, n, w);
	return ret < 0 ? ret : (int)n;
}

/* Forget some leaves of what lies from *at on. @return 0: all; -EINPROGRESS; -EAGAIN: @p w will be called; -EBUSY. */
static int
forget_some(struct store *st, struct store_vol *v, uint64_t *at, unsigned int leaves, struct map_wait *w)
{
	uint64_t end = map_tree_size(v->tree);

	for (unsigned int i = 0; i < leaves && *at < end; i++) {
		struct map_entry e[1];
		int ret = map_iterate(st->map, v->tree, at, end, e, 1, 16, w);

		if (ret < 0)
			return ret;
		if (ret == 0)
			continue;
		*at = e[0].idx;
		ret = store_trim_some(st, v, *at, end, w);
		if (ret < 0)
			return ret;
		*at += (unsigned int)ret;
	}
	return *at < end ? -EINPROGRESS : 0;
}

static void
woken(struct map_wait *w, int status)
{
	struct change *c = RTE_PTR_SUB(w, offsetof(struct change, wait));

	c->waiting = false;
	c->status = status;
}

static int
clear(struct store *st, void *arg)
{
	struct change *c = arg;
	int ret;

	c->wait.fn = woken;
	if (c->waiting)
		return -EINPROGRESS;
	if (st->failed != 0 || c->status != 0)
		return st->failed != 0 ? st->failed : c->status;
	ret = forget_some(st, c->v, &c->at, CLEAR_RUN, &c->wait);
	c->waiting = ret == -EAGAIN;
	return c->waiting || ret == -EBUSY ? -EINPROGRESS : ret;
}

int
store_vol_clear(struct store *st, struct store_vol *v)
{
	struct change c = {.v = v};
	int ret = store_until(st, clear, &c);

	return ret < 0 ? ret : store_until(st, store_ckpt_wait, &c.ckpt);
}

static int
resized(struct store *st, void *arg)
{
	struct change *c = arg;

	(void)st;
	c->v->d.bytes = c->bytes;
	return 0;
}

int
store_vol_resize(struct store *st, struct store_vol *v, uint64_t bytes)
{
	struct change c = {.v = v, .bytes = bytes, .at = (bytes + LOG_BLOCK - 1) / LOG_BLOCK};
	bool smaller = bytes < v->d.bytes;
	int ret;

	if (bytes > LOG_VOLUME_MAX)
		return -E2BIG;
	if (smaller) {
		ret = store_until(st, clear, &c);
		if (ret < 0)
			return ret;
	}
	store_call(st, resized, &c);
	return store_until(st, store_ckpt_wait, &c.ckpt);
}

/* --- deleting ---------------------------------------------------------------------------------------------------- */

static int
doom(struct store *st, void *arg)
{
	struct change *c = arg;

	(void)st;
	snprintf(c->v->d.name, sizeof(c->v->d.name), DELETED "%" PRIu32, c->v->d.id);
	c->v->doomed = true;
	return 0;
}

/* The dead that the owner has let go of. */
static int
collect(struct store *st, void *arg)
{
	struct store_vol **out = arg;

	*out = st->dead;
	st->dead = NULL;
	return 0;
}

void
store_vol_bury(struct store_vol *dead)
{
	while (dead != NULL) {
		struct store_vol *next = dead->next;

		free(dead);
		dead = next;
	}
}

int
store_volume_delete(struct store *st, const char *name)
{
	struct change c = {.v = store_vol_named(st, name)};
	struct store_vol *dead;

	store_call(st, collect, &dead);
	store_vol_bury(dead);
	if (c.v == NULL || c.v->doomed)
		return -ENOENT;
	if (strake_volume_find(name) != NULL)
		return -EBUSY;
	store_call(st, doom, &c);
	return store_until(st, store_ckpt_wait, &c.ckpt);
}

static void
delete_woken(struct map_wait *w, int status)
{
	struct store *st = RTE_PTR_SUB(w, offsetof(struct store, deleting.wait));

	st->deleting.waiting = false;
	/* A part of the map cannot be read: what is left of the volume stays until it can be, or the store is made
	 * anew. */
	if (status < 0)
		st->deleting.not_before = strake_now() + AGAIN;
}

static void
let_go(struct store *st, struct store_vol *v)
{
	if (map_tree_drop(st->map, v->tree) < 0) {
		st->deleting.at = 0; /* something is left in front, after all */
		return;
	}
	for (uint32_t i = 0; i < st->n_vol; i++) {
		if (st->vol[i] == v)
			st->vol[i] = st->vol[--st->n_vol];
	}
	v->next = st->dead;
	st->dead = v;
	st->deleting.v = NULL;
	store_ckpt_want(st);
}

uint32_t
store_delete_poll(struct store *st)
{
	struct store_deleting *d = &st->deleting;
	int ret;

	if (d->waiting || strake_now() < d->not_before || st->failed != 0 || st->closing)
		return 0;
	for (uint32_t i = 0; d->v == NULL && i < st->n_vol; i++) {
		if (st->vol[i]->doomed) {
			d->v = st->vol[i];
			d->at = 0;
		}
	}
	if (d->v == NULL)
		return 0;
	d->wait.fn = delete_woken;
	ret = forget_some(st, d->v, &d->at, DELETE_RUN, &d->wait);
	d->waiting = ret == -EAGAIN;
	store_ease(st);
	if (ret == 0)
		let_go(st, d->v);
	else if (ret != -EINPROGRESS && ret != -EAGAIN && ret != -EBUSY)
		d->not_before = strake_now() + AGAIN;
	return ret == 0 || ret == -EINPROGRESS;
}

/* --- looking ----------------------------------------------------------------------------------------------------- */

static void
describe(const struct store_vol *v, struct store_volume *out)
{
	*out = (struct store_volume){
		.bytes = v->d.bytes,
		.mapped = map_tree_entries(v->tree) * LOG_BLOCK,
		.lba_shift = v->d.lba_shift,
		.domain = v->d.domain,
	};
	memcpy(out->name, v->d.name, sizeof(out->name));
	memcpy(out->uuid, v->d.uuid, sizeof(out->uuid));
}

int
store_volume_nth(const struct store *st, unsigned int i, struct store_volume *out)
{
	for (uint32_t at = 0; at < st->n_vol; at++) {
		if (!st->vol[at]->doomed && i-- == 0) {
			describe(st->vol[at], out);
			return 0;
		}
	}
	return -ENOENT;
}

int
store_volume_get(const struct store *st, const char *name, struct store_volume *out)
{
	const struct store_vol *v = store_vol_named(st, name);

	if (v == NULL || v->doomed)
		return -ENOENT;
	describe(v, out);
	return 0;
}
