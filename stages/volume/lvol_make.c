/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Opening, resizing and closing log volumes: main's part. Which volumes a store has: store_vol.c. */

#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "store_job.h"

/* As often as it is looked at (nvmf): a small store is soon full. */
#define TELL (STRAKE_NS_PER_SEC / 10)

/* --- the volume's stage and chains ------------------------------------------------------------------------------- */

static int
chains_create(struct lvol *lv, const struct log_conf *conf, char *err, size_t errlen)
{
	struct strake_stage *stages[STRAKE_CHAIN_STAGES_MAX];
	char name[STRAKE_NAME_MAX + 8];
	unsigned int n = 0;
	int ret;

	if (conf->n_req_stages >= RTE_DIM(stages) || conf->n_chunk_stages >= RTE_DIM(stages)) {
		snprintf(err, errlen, "volume \"%s\": more than %zu stages", conf->name, RTE_DIM(stages) - 1);
		return -EINVAL;
	}
	for (n = 0; n < conf->n_chunk_stages; n++)
		stages[n] = conf->chunk_stages[n];
	stages[n++] = conf->store->stage;
	snprintf(name, sizeof(name), "%s.chunks", conf->name);
	ret = strake_chain_create(&lv->vol.chunks, name, STRAKE_UNIT_CHUNK, stages, n, err, errlen);
	if (ret < 0)
		return ret;
	for (n = 0; n < conf->n_req_stages; n++)
		stages[n] = conf->req_stages[n];
	stages[n++] = lv->stage;
	snprintf(name, sizeof(name), "%s.reqs", conf->name);
	ret = strake_chain_create(&lv->vol.reqs, name, STRAKE_UNIT_REQ, stages, n, err, errlen);
	if (ret < 0)
		strake_chain_destroy(lv->vol.chunks);
	return ret;
}

static int
conf_check(const struct log_conf *conf, char *err, size_t errlen)
{
	const struct store_vol *v = store_vol_named(conf->store, conf->name);

	if (strlen(conf->name) == 0 || strlen(conf->name) >= STRAKE_NAME_MAX)
		snprintf(err, errlen, "volume \"%s\": a name has 1 to %d characters", conf->name, STRAKE_NAME_MAX - 1);
	else if (conf->lba_shift != 9 && conf->lba_shift != 12)
		snprintf(err, errlen, "volume \"%s\": blocks have 512 or 4096 bytes", conf->name);
	else if (conf->bytes == 0 || conf->bytes % LOG_BLOCK != 0 || conf->bytes > LOG_VOLUME_MAX)
		snprintf(err, errlen, "volume \"%s\": its size must be a multiple of 4 KiB, up to 64 TiB", conf->name);
	else if (v != NULL && v->d.lba_shift != conf->lba_shift)
		snprintf(err, errlen, "volume \"%s\": it has blocks of %u bytes", conf->name, 1u << v->d.lba_shift);
	else if (v != NULL && v->d.domain != conf->domain)
		snprintf(err, errlen, "volume \"%s\": it is of another domain", conf->name);
	else
		return 0;
	return -EINVAL;
}

static int
owner_set(struct lvol *lv)
{
	for (uint32_t i = 0; i < lv->vol.slabs; i++) {
		if (strake_slab_owner(&lv->vol, i) != lv->st->sp->owner)
			return -EXDEV;
	}
	return 0;
}

/* What hosts are told of the room, by main: it is main that answers them. */
static void
tell(struct strake_timer *t, uint64_t now)
{
	struct lvol *lv = RTE_PTR_SUB(t, offsetof(struct lvol, tell));
	struct strake_volume *vol = &lv->vol;

	vol->used = map_tree_entries(lv->v->tree) * vol->atomic;
	vol->spare = __atomic_load_n(&lv->st->left, __ATOMIC_RELAXED);
	strake_timer_arm(t, now + TELL);
}

int
log_create(struct strake_volume **out, const struct log_conf *conf, char *err, size_t errlen)
{
	char name[STRAKE_NAME_MAX + 8];
	struct store_vol *v;
	struct lvol *lv;
	int ret;

	err[0] = '\0';
	ret = conf_check(conf, err, errlen);
	if (ret < 0)
		return ret;
	v = store_vol_named(conf->store, conf->name);
	ret = v == NULL			  ? store_vol_make(conf->store, conf, &v)
	      : v->d.bytes != conf->bytes ? store_vol_resize(conf->store, v, conf->bytes)
					  : 0;
	if (ret < 0) {
		snprintf(err, errlen, "volume \"%s\": cannot be made: %s", conf->name,
			 ret == -ENOSPC ? "its store has no room for the figures of one more; delete one"
					: strerror(-ret));
		return ret;
	}
	lv = rte_zmalloc("lvol", sizeof(*lv), RTE_CACHE_LINE_SIZE);
	if (lv == NULL)
		return -ENOMEM;
	lv->st = conf->store;
	lv->v = v;
	lv->write_through = conf->write_through;
	for (unsigned int i = 0; i < conf->n_chunk_stages; i++) {
		lv->opens |= strcmp(conf->chunk_stages[i]->ops->name, "seal") == 0;
		lv->expands |= strcmp(conf->chunk_stages[i]->ops->name, "compress") == 0;
	}
	memcpy(lv->vol.name, v->d.name, sizeof(lv->vol.name));
	memcpy(lv->vol.uuid, v->d.uuid, sizeof(lv->vol.uuid));
	lv->vol.lba_shift = conf->lba_shift;
	lv->vol.nlb = conf->bytes >> conf->lba_shift;
	lv->vol.slab_shift = conf->slab_shift;
	lv->vol.owner = conf->store->sp->owner;
	lv->vol.read_only = conf->read_only;
	lv->vol.thin = true;
	lv->vol.atomic = LOG_BLOCK >> conf->lba_shift;
	lv->vol.volatile_cache = !conf->write_through;
	lv->vol.priv = lv;
	snprintf(name, sizeof(name), "%s.log", conf->name);
	ret = strake_stage_create(&lv->stage, &lvol_stage_ops, name, NULL, -1, err, errlen);
	if (ret < 0)
		goto err_free;
	lv->stage->priv = lv;
	ret = chains_create(lv, conf, err, errlen);
	if (ret < 0)
		goto err_stage;
	lv->ov.ctx_off = (uint16_t)(lv->stage->ctx_off + offsetof(struct lvol_ctx, ov));
	ret = strake_volume_add(&lv->vol);
	if (ret == 0 && owner_set(lv) < 0) {
		strake_volume_del(&lv->vol);
		ret = -EXDEV;
	}
	if (ret < 0) {
		snprintf(err, errlen, "volume \"%s\": %s", conf->name,
			 ret == -EEXIST	 ? "there is one of this name"
			 : ret == -EXDEV ? "its slabs are not the owner's of its group"
					 : "out of memory");
		goto err_chains;
	}
	lv->tell.fn = tell;
	tell(&lv->tell, strake_now());
	*out = &lv->vol;
	return 0;

err_chains:
	strake_chain_destroy(lv->vol.reqs);
	strake_chain_destroy(lv->vol.chunks);
err_stage:
	strake_stage_destroy(lv->stage);
err_free:
	rte_free(lv);
	return ret;
}

void
log_destroy(struct strake_volume *vol)
{
	struct lvol *lv = vol->priv;

	strake_timer_cancel(&lv->tell);
	strake_volume_del(vol);
	strake_chain_destroy(vol->reqs);
	strake_chain_destroy(vol->chunks);
	strake_stage_destroy(lv->stage);
	for (unsigned int i = 0; i < RTE_DIM(vol->stats); i++)
		rte_free(vol->stats[i]);
	rte_free(lv);
}

int
log_lcore_init(struct strake_volume *vol)
{
	struct lvol *lv = vol->priv;
	uint16_t self = strake_self_index();
	int ret;

	if (vol->stats[self] == NULL)
		vol->stats[self] = rte_zmalloc_socket("volume_stats", sizeof(*lv->stats), RTE_CACHE_LINE_SIZE,
						      strake_self()->socket);
	if (vol->stats[self] == NULL)
		return -ENOMEM;
	if (self == lv->st->sp->owner)
		lv->stats = vol->stats[self];
	ret = strake_stage_lcore_init(lv->st->stage);
	if (ret == 0)
		ret = strake_stage_lcore_init(lv->stage);
	if (ret == 0 && self == lv->st->sp->owner)
		lv->v->lv = lv;
	return ret;
}

void
log_lcore_fini(struct strake_volume *vol)
{
	struct lvol *lv = vol->priv;

	if (strake_self_index() == lv->st->sp->owner)
		lv->v->lv = NULL;
	strake_stage_lcore_fini(lv->stage);
}

bool
log_lcore_drain(struct strake_volume *vol)
{
	struct lvol *lv = vol->priv;

	return lvol_stage_ops.drain(lv->stage);
}

int
log_clear(struct strake_volume *vol)
{
	struct lvol *lv = vol->priv;

	return store_vol_clear(lv->st, lv->v);
}

int
log_resize(struct strake_volume *vol, uint64_t bytes)
{
	struct lvol *lv = vol->priv;
	uint64_t before = vol->nlb;
	int ret;

	if (bytes == 0 || bytes % LOG_BLOCK != 0)
		return -EINVAL;
	/* Smaller: hosts first, then what is forgotten. Larger: the other way round. */
	if (bytes >> vol->lba_shift < before) {
		ret = strake_volume_resize(vol, bytes >> vol->lba_shift);
		return ret < 0 ? ret : store_vol_resize(lv->st, lv->v, bytes);
	}
	ret = store_vol_resize(lv->st, lv->v, bytes);
	return ret < 0 ? ret : strake_volume_resize(vol, bytes >> vol->lba_shift);
}
