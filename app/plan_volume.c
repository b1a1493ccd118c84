/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The volumes of a configuration: their stages and chains, at boot and one by one while others are served. */

#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "group.h"
#include "overlay.h"
#include "strake_chain.h"
#include "store_log.h"
#include "volume.h"
#include "volume_json.h"

static int
volume_up(struct appliance *a, unsigned int i)
{
	const struct conf_volume *v = &a->conf->volumes[i];
	struct group *g = a->groups[v->group - a->conf->groups];
	struct plan_stages lists = {.n_req = 0};
	struct group_extent ext;
	uint8_t uuid[16];
	int ret;

	if (v->uuid != NULL && volume_uuid_parse(v->uuid, uuid) < 0) {
		snprintf(a->err, sizeof(a->err), "volume %s: %s is not a UUID", v->name, v->uuid);
		return -EINVAL;
	}
	if (plan_volume_is_log(v))
		return plan_log_volume_up(a, i, v->uuid != NULL ? uuid : NULL);
	if (overlay_resized(v->name)) {
		ret = group_extent_resize(g, v->name, v->size, a->err, sizeof(a->err));
		if (ret < 0 && ret != -ENOENT)
			return ret;
		a->err[0] = '\0';
	}
	ret = group_extent(g, v->name, v->size, v->uuid != NULL ? uuid : NULL, &ext, a->err, sizeof(a->err));
	if (ret < 0)
		return ret;
	ret = plan_stages_up(a, v, &lists);
	if (ret < 0)
		return ret;
	lists.chunk[lists.n_chunk++] = group_stage(g);
	struct plain_conf conf = {
		.name = v->name,
		.bytes = v->size,
		.lba_shift = v->lba == 512 ? 9 : 12,
		.slab_shift = (uint32_t)__builtin_ctzll(a->conf->appliance.slab),
		.read_only = v->read_only,
		.volatile_cache = group_volatile_cache(g),
		.place = ext.place,
		.uuid = ext.uuid,
		.req_stages = lists.req,
		.n_req_stages = lists.n_req,
		.chunk_stages = lists.chunk,
		.n_chunk_stages = lists.n_chunk,
	};
	return plain_create(&a->volumes[i], &conf, a->err, sizeof(a->err));
}

static void
volume_down(struct appliance *a, unsigned int i)
{
	if (a->volumes[i] != NULL && plan_volume_is_log(&a->conf->volumes[i]))
		log_destroy(a->volumes[i]);
	else if (a->volumes[i] != NULL)
		plain_destroy(a->volumes[i]);
	a->volumes[i] = NULL;
}

int
plan_volumes_up(struct appliance *a)
{
	a->volumes = calloc(a->conf->n_volumes + 1, sizeof(*a->volumes));
	if (a->volumes == NULL)
		return -ENOMEM;
	for (unsigned int g = 0; g < a->conf->n_groups; g++)
		plan_tidy_up(a, g);
	for (unsigned int i = 0; i < a->conf->n_volumes; i++) {
		int ret = plan_keys_off(a, &a->conf->volumes[i]) == NULL ? volume_up(a, i) : 0;

		if (ret < 0) {
			plan_volumes_down(a);
			return ret;
		}
	}
	return 0;
}

void
plan_volumes_down(struct appliance *a)
{
	for (unsigned int i = a->conf->n_volumes; i-- > 0;)
		volume_down(a, i);
	for (unsigned int i = 0; i < a->conf->n_volumes; i++)
		plan_stages_down(&a->conf->volumes[i]);
	plan_tidies_down(a);
	free(a->volumes);
	a->volumes = NULL;
}

/* --- one volume, while others are served ---------------------------------------------------------------------------
 */

struct here {
	struct appliance *a;
	unsigned int i;
};

static int
volume_fini_here(void *arg)
{
	const struct here *h = arg;
	const struct conf_volume *v = &h->a->conf->volumes[h->i];

	if (h->a->volumes[h->i] == NULL)
		return 0;
	if (plan_volume_is_log(v))
		log_lcore_fini(h->a->volumes[h->i]);
	else
		plain_lcore_fini(h->a->volumes[h->i]);
	for (unsigned int s = 0; s < v->n_stages; s++) {
		struct strake_stage *st = plan_stage(v, s);

		if (st != NULL)
			strake_stage_lcore_fini(st);
	}
	return 0;
}

/* Stages that stand here already are left as they are. */
static int
volume_init_here(void *arg)
{
	const struct here *h = arg;
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && strake_stage_instance(i) != NULL; i++)
		ret = strake_stage_lcore_init(strake_stage_instance(i));
	if (ret == 0)
		ret = plan_volume_is_log(&h->a->conf->volumes[h->i]) ? log_lcore_init(h->a->volumes[h->i])
								     : plain_lcore_init(h->a->volumes[h->i]);
	return ret;
}

int
plan_volume_begin(struct appliance *a)
{
	unsigned int i = a->conf->n_volumes - 1;
	struct strake_volume **list = realloc(a->volumes, (a->conf->n_volumes + 1) * sizeof(*list));

	if (list == NULL) {
		snprintf(a->err, sizeof(a->err), "volume \"%s\": out of memory", a->conf->volumes[i].name);
		return -ENOMEM;
	}
	a->volumes = list;
	a->volumes[i] = NULL;
	return plan_volume_online(a, i);
}

int
plan_volume_online(struct appliance *a, unsigned int i)
{
	struct here h = {a, i};
	uint16_t l = 1;
	int ret;

	a->err[0] = '\0';
	ret = volume_up(a, i);
	if (ret < 0)
		goto err;
	for (; ret == 0 && l <= a->n_data; l++)
		ret = strake_msg_call(l, volume_init_here, &h);
	if (ret == 0)
		return 0;
	for (uint16_t done = 1; done < l; done++)
		strake_msg_call(done, volume_fini_here, &h);
err:
	if (a->err[0] == '\0')
		snprintf(a->err, sizeof(a->err), "volume \"%s\": %s", a->conf->volumes[i].name, strerror(-ret));
	volume_down(a, i);
	plan_stages_down(&a->conf->volumes[i]);
	return ret;
}

/* Each does a part of its work in the asking, so all are asked. */
static int
volume_drain_here(void *arg)
{
	const struct here *h = arg;
	const struct conf_volume *v = &h->a->conf->volumes[h->i];
	bool all = plan_volume_is_log(v) ? log_lcore_drain(h->a->volumes[h->i]) : true;

	for (unsigned int s = 0; s < v->n_stages; s++) {
		struct strake_stage *st = plan_stage(v, s);

		if (st != NULL && st->ops->drain != NULL && (st->lcore < 0 || st->lcore == strake_self_index()))
			all = st->ops->drain(st) && all;
	}
	return all ? 1 : 0;
}

int
plan_volume_drain(struct appliance *a, unsigned int i)
{
	struct here h = {a, i};
	bool all = true;

	for (uint16_t l = 1; l <= a->n_data; l++)
		all = strake_msg_call(l, volume_drain_here, &h) == 1 && all;
	return all ? 0 : -EAGAIN;
}

void
plan_volume_end(struct appliance *a, unsigned int i)
{
	struct conf *conf = (struct conf *)(uintptr_t)a->conf; /* the appliance's own */
	struct here h = {a, i};

	for (uint16_t l = 1; l <= a->n_data; l++)
		strake_msg_call(l, volume_fini_here, &h);
	volume_down(a, i);
	plan_stages_down(&conf->volumes[i]);
	conf_volume_remove(conf, &conf->volumes[i]);
	memmove(&a->volumes[i], &a->volumes[i + 1], (conf->n_volumes - i) * sizeof(a->volumes[0]));
}
