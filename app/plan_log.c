/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Log groups, their stores and volumes. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dedup.h"
#include "gcm.h"
#include "log_group.h"
#include "plan.h"
#include "store_log.h"
#include "strake_drive.h"

#define SLAB_SHIFT    47 /* one slab, whatever the size: all of a store happens on its owner */
#define DRAIN_SECONDS 10

/* --- groups and stores ---------------------------------------------------------------------------------------------
 */

int
plan_log_group_up(struct appliance *a, unsigned int i, struct strake_drive **members, unsigned int n)
{
	const struct conf_group *conf = &a->conf->groups[i];
	unsigned int before = 0, owner = conf->lcore;
	int ret;

	for (unsigned int g = 0; g < i; g++)
		before += a->log_groups[g] != NULL;
	if (owner == 0)
		owner = 1 + before % a->n_data;
	ret = log_group_open(&a->log_groups[i], conf, members, n, (uint16_t)owner, a->err, sizeof(a->err));
	if (ret == 0)
		log_group_rebuild_rate(a->log_groups[i], conf->rebuild_rate);
	return ret;
}

bool
plan_stores_owner(const struct appliance *a, uint16_t lcore)
{
	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		if (a->log_groups[g] != NULL && log_group_space(a->log_groups[g])->owner == lcore)
			return true;
	}
	return false;
}

static int
owner_fini(void *arg)
{
	struct appliance *a = arg;

	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		if (a->log_groups[g] != NULL)
			log_group_lcore_fini(a->log_groups[g]);
	}
	for (unsigned int i = 0; i < a->conf->n_drives; i++) {
		if (a->drives[i] != NULL)
			strake_drive_lcore_fini(a->drives[i]);
	}
	return 0;
}

static int
owner_init(void *arg)
{
	struct appliance *a = arg;
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < a->conf->n_drives; i++)
		ret = a->drives[i] != NULL ? strake_drive_lcore_init(a->drives[i]) : 0;
	for (unsigned int g = 0; ret == 0 && g < a->conf->n_groups; g++)
		ret = a->log_groups[g] != NULL ? log_group_lcore_init(a->log_groups[g]) : 0;
	if (ret < 0)
		owner_fini(a);
	return ret;
}

static int
owner_drained(void *arg)
{
	struct appliance *a = arg;

	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		if (a->log_groups[g] != NULL && !log_group_drained(a->log_groups[g]))
			return 0;
	}
	return 1;
}

/* Rebuild and scrub end what they have begun. */
static void
owners_down(struct appliance *a)
{
	uint64_t until = strake_clock_ns() + DRAIN_SECONDS * STRAKE_NS_PER_SEC;

	for (uint16_t l = 1; l <= a->n_data; l++) {
		if (!plan_stores_owner(a, l))
			continue;
		while (strake_msg_call(l, owner_drained, a) == 0 && strake_clock_ns() < until) {
			strake_lcore_turn(strake_clock_ns());
			usleep(100);
		}
		strake_msg_call(l, owner_fini, a);
	}
}

int
plan_store_up(struct appliance *a, unsigned int i)
{
	struct store_conf conf = {
		.name = a->conf->groups[i].name,
		.space = log_group_space(a->log_groups[i]),
		.map_bytes = a->conf->groups[i].map_cache,
	};

	return store_open(&a->stores[i], &conf, a->err, sizeof(a->err));
}

int
plan_stores_up(struct appliance *a)
{
	int ret = 0;

	a->stores = calloc(a->conf->n_groups + 1, sizeof(*a->stores));
	if (a->stores == NULL)
		return -ENOMEM;
	for (uint16_t l = 1; ret == 0 && l <= a->n_data; l++) {
		ret = plan_stores_owner(a, l) ? strake_msg_call(l, owner_init, a) : 0;
		if (ret < 0)
			snprintf(a->err, sizeof(a->err), "data lcore %u: %s", l, strerror(-ret));
	}
	for (unsigned int i = 0; ret == 0 && i < a->conf->n_groups; i++)
		ret = a->log_groups[i] != NULL && !plan_keys_missed(a, i) ? plan_store_up(a, i) : 0;
	if (ret < 0)
		plan_stores_down(a);
	return ret;
}

void
plan_stores_down(struct appliance *a)
{
	for (unsigned int i = a->conf->n_groups; i-- > 0;) {
		if (a->stores[i] != NULL)
			store_close(a->stores[i], false);
	}
	owners_down(a);
	free(a->stores);
	a->stores = NULL;
}

/* --- volumes -------------------------------------------------------------------------------------------------------
 */

/* Say to the stages whose they are. */
static int
stages_join(struct appliance *a, const struct conf_volume *v, const struct plan_stages *lists)
{
	size_t g = (size_t)(v->group - a->conf->groups);
	const struct strake_space *sp = log_group_space(a->log_groups[g]);
	char why[BOOT_ERR_MAX / 2] = "";
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < lists->n_req; i++) {
		if (strcmp(lists->req[i]->ops->name, "dedup") == 0)
			ret = dedup_attach(lists->req[i], sp->uuid, sp->owner, why, sizeof(why));
	}
	if (ret == 0 && conf_volume_stage(v, "seal") != NULL) {
		ret = gcm_domain_add(a->seals[g], plan_domain_number(v));
		snprintf(why, sizeof(why), "seal: %s", ret == -ENOSPC ? "the table of keys is full" : strerror(-ret));
	}
	if (ret < 0)
		snprintf(a->err, sizeof(a->err), "volume %s: %s", v->name, why);
	return ret;
}

int
plan_log_volume_up(struct appliance *a, unsigned int i, const uint8_t *uuid)
{
	const struct conf_volume *v = &a->conf->volumes[i];
	struct plan_stages lists = {.n_req = 0};
	int ret = plan_stages_up(a, v, &lists);

	if (ret == 0)
		ret = stages_join(a, v, &lists);
	if (ret < 0)
		return ret;
	struct log_conf conf = {
		.name = v->name,
		.store = a->stores[v->group - a->conf->groups],
		.bytes = v->size,
		.lba_shift = v->lba == 512 ? 9 : 12,
		.slab_shift = SLAB_SHIFT,
		.read_only = v->read_only,
		.domain = plan_domain_number(v),
		.uuid = uuid,
		.req_stages = lists.req,
		.n_req_stages = lists.n_req,
		.chunk_stages = lists.chunk,
		.n_chunk_stages = lists.n_chunk,
	};
	return log_create(&a->volumes[i], &conf, a->err, sizeof(a->err));
}
