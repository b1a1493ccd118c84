/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Making and unmaking plain volumes. */

#include "volume.h"

#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>

#include "plain.h"

static int
chains_create(struct plain *p, const struct plain_conf *conf, char *err, size_t errlen)
{
	struct strake_stage *stages[STRAKE_CHAIN_STAGES_MAX];
	char name[STRAKE_NAME_MAX + 8];
	int ret;

	if (conf->n_req_stages >= RTE_DIM(stages)) {
		snprintf(err, errlen, "volume \"%s\": more than %zu stages", conf->name, RTE_DIM(stages) - 1);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < conf->n_req_stages; i++)
		stages[i] = conf->req_stages[i];
	stages[conf->n_req_stages] = p->stage;
	snprintf(name, sizeof(name), "%s.chunks", conf->name);
	ret = strake_chain_create(&p->vol.chunks, name, STRAKE_UNIT_CHUNK, conf->chunk_stages, conf->n_chunk_stages,
				  err, errlen);
	if (ret < 0)
		return ret;
	snprintf(name, sizeof(name), "%s.reqs", conf->name);
	ret = strake_chain_create(&p->vol.reqs, name, STRAKE_UNIT_REQ, stages, conf->n_req_stages + 1, err, errlen);
	if (ret < 0)
		strake_chain_destroy(p->vol.chunks);
	return ret;
}

static int
conf_check(const struct plain_conf *conf, char *err, size_t errlen)
{
	if (strlen(conf->name) == 0 || strlen(conf->name) >= STRAKE_NAME_MAX)
		snprintf(err, errlen, "volume \"%s\": a name has 1 to %d characters", conf->name, STRAKE_NAME_MAX - 1);
	else if (conf->lba_shift != 9 && conf->lba_shift != 12)
		snprintf(err, errlen, "volume \"%s\": blocks have 512 or 4096 bytes", conf->name);
	else if (conf->bytes == 0 || conf->bytes & ((1u << conf->lba_shift) - 1))
		snprintf(err, errlen, "volume \"%s\": its size is no multiple of its block", conf->name);
	else
		return 0;
	return -EINVAL;
}

int
plain_create(struct strake_volume **out, const struct plain_conf *conf, char *err, size_t errlen)
{
	char name[STRAKE_NAME_MAX + 8];
	struct plain *p;
	int ret;

	ret = conf_check(conf, err, errlen);
	if (ret < 0)
		return ret;
	p = rte_zmalloc("plain", sizeof(*p), RTE_CACHE_LINE_SIZE);
	if (p == NULL) {
		snprintf(err, errlen, "volume \"%s\": out of memory", conf->name);
		return -ENOMEM;
	}
	snprintf(p->vol.name, sizeof(p->vol.name), "%s", conf->name);
	memcpy(p->vol.uuid, conf->uuid, sizeof(p->vol.uuid));
	p->vol.lba_shift = conf->lba_shift;
	p->vol.nlb = conf->bytes >> conf->lba_shift;
	p->vol.slab_shift = conf->slab_shift;
	p->vol.read_only = conf->read_only;
	p->vol.volatile_cache = conf->volatile_cache;
	p->vol.place = conf->place;
	p->vol.priv = p;
	snprintf(name, sizeof(name), "%s.plain", conf->name);
	ret = strake_stage_create(&p->stage, &plain_stage_ops, name, NULL, -1, err, errlen);
	if (ret < 0)
		goto err_free;
	p->stage->priv = p;
	ret = chains_create(p, conf, err, errlen);
	if (ret < 0)
		goto err_stage;
	ret = strake_volume_add(&p->vol);
	if (ret < 0) {
		snprintf(err, errlen, "volume \"%s\": %s", conf->name,
			 ret == -EEXIST ? "there is one of this name" : "out of memory");
		goto err_chains;
	}
	*out = &p->vol;
	return 0;

err_chains:
	strake_chain_destroy(p->vol.reqs);
	strake_chain_destroy(p->vol.chunks);
err_stage:
	strake_stage_destroy(p->stage);
err_free:
	rte_free(p);
	return ret;
}

void
plain_destroy(struct strake_volume *vol)
{
	struct plain *p = vol->priv;

	strake_volume_del(vol);
	strake_chain_destroy(vol->reqs);
	strake_chain_destroy(vol->chunks);
	strake_stage_destroy(p->stage);
	for (unsigned int i = 0; i < RTE_DIM(vol->stats); i++)
		rte_free(vol->stats[i]);
	rte_free(p);
}

int
plain_lcore_init(struct strake_volume *vol)
{
	struct plain *p = vol->priv;
	uint16_t self = strake_self_index();
	struct plain_lcore *lc;

	lc = rte_zmalloc_socket("plain_lcore", sizeof(*lc), RTE_CACHE_LINE_SIZE, strake_self()->socket);
	if (lc == NULL)
		return -ENOMEM;
	if (vol->stats[self] == NULL)
		vol->stats[self] = rte_zmalloc_socket("volume_stats", sizeof(*lc->stats), RTE_CACHE_LINE_SIZE,
						      strake_self()->socket);
	if (vol->stats[self] == NULL) {
		rte_free(lc);
		return -ENOMEM;
	}
	lc->p = p;
	lc->stats = vol->stats[self];
	lc->ov.ctx_off = p->stage->ctx_off + offsetof(struct plain_ctx, ov);
	p->stage->lc[self] = lc;
	return strake_stage_lcore_init(p->stage);
}

void
plain_lcore_fini(struct strake_volume *vol)
{
	struct plain *p = vol->priv;
	uint16_t self = strake_self_index();

	strake_stage_lcore_fini(p->stage);
	rte_free(p->stage->lc[self]);
	p->stage->lc[self] = NULL;
}
