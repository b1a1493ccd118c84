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

/* --- what must fit together ----------------------------------------------------------------------------------------
 */

bool
plan_volume_is_log(const struct conf_volume *v)
{
	return v->group->style == CONF_STYLE_LOG;
}

const char *
plan_log_size_wrong(uint64_t bytes)
{
	if (bytes % 4096 != 0)
		return "the size of a volume of a log group is a whole number of 4-KiB blocks";
	return bytes > LOG_VOLUME_MAX ? "a volume of a log group has 64TiB at most" : NULL;
}

static const char *
domain_name(const struct conf_volume *v)
{
	const struct conf_stage *s = conf_volume_stage(v, "dedup");

	return s != NULL ? conf_str(s->values, "domain") : NULL;
}

/* A store keeps a volume's domain as a number, which must be the same after every restart whatever else the file then
 * holds: FNV-1a of its name. 0 is for volumes that share nothing. */
uint32_t
plan_domain_number(const struct conf_volume *v)
{
	const char *name = domain_name(v);
	uint32_t h = 2166136261u;

	if (name == NULL)
		return 0;
	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h != 0 ? h : 1;
}

bool
plan_domain_same(const struct conf_volume *u, const struct conf_volume *v)
{
	return u->group == v->group && plan_domain_number(u) == plan_domain_number(v);
}

static bool
same_value(const struct conf_key *k, const struct conf_values *a, const struct conf_values *b)
{
	const char *x, *y;

	if (k->type != CONF_STRING && k->type != CONF_PATH)
		return conf_u64(a, k->name) == conf_u64(b, k->name);
	x = conf_str(a, k->name);
	y = conf_str(b, k->name);
	return (x == NULL && y == NULL) || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

/* One stage seals for all volumes of a store: they must mean the same by it. */
static const char *
seals_differ(const struct conf_stage *a, const struct conf_stage *b)
{
	for (const struct conf_key *k = strake_stage_find("seal")->keys; k->name != NULL; k++) {
		if (!same_value(k, a->values, b->values))
			return k->name;
	}
	return a->cpu != b->cpu ? "lcore" : NULL;
}

/* Blocks that two volumes share are read through the stages of either. */
static const char *
ways_differ(const struct conf_volume *a, const struct conf_volume *b)
{
	static const char *const names[] = {"compress", "seal"};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((conf_volume_stage(a, names[i]) == NULL) != (conf_volume_stage(b, names[i]) == NULL))
			return names[i];
	}
	return NULL;
}

/* Two volumes of one store. */
static int
check_pair(const struct conf *conf, const struct conf_volume *v, const struct conf_volume *u, char *err, size_t errlen)
{
	const struct conf_stage *mine = conf_volume_stage(v, "seal"), *other = conf_volume_stage(u, "seal");
	const char *key = mine != NULL && other != NULL ? seals_differ(mine, other) : NULL;

	if (key != NULL) {
		snprintf(err, errlen,
			 "%s:%u: volume \"%s\": seal: %s is another than that of volume \"%s\"; all sealed volumes of "
			 "group \"%s\" have one key",
			 conf->file, mine->line, v->name, key, u->name, v->group->name);
		return -EINVAL;
	}
	if (plan_domain_number(v) == 0 || plan_domain_number(v) != plan_domain_number(u))
		return 0;
	if (strcmp(domain_name(v), domain_name(u)) != 0) {
		snprintf(err, errlen,
			 "%s:%u: volume \"%s\": domains \"%s\" and \"%s\" have the same number; rename one", conf->file,
			 conf_volume_stage(v, "dedup")->line, v->name, domain_name(v), domain_name(u));
		return -EINVAL;
	}
	key = ways_differ(v, u);
	if (key == NULL)
		return 0;
	snprintf(err, errlen,
		 "%s:%u: volume \"%s\": it shares domain \"%s\" with volume \"%s\", so both must have the stage %s or "
		 "none",
		 conf->file, conf_volume_stage(v, "dedup")->line, v->name, domain_name(v), u->name, key);
	return -EINVAL;
}

static int
check_stage(const struct conf *conf, const struct conf_volume *v, const struct conf_stage *s, char *err, size_t errlen)
{
	bool log = plan_volume_is_log(v);

	if (strake_stage_find(s->name)->log && !log)
		snprintf(err, errlen, "%s:%u: volume \"%s\": stage %s is for volumes of log groups (`style: log`)",
			 conf->file, s->line, v->name, s->name);
	else if (log && strcmp(s->name, "crypto") == 0)
		snprintf(err, errlen,
			 "%s:%u: volume \"%s\": stage crypto is for volumes of plain groups; here it is seal",
			 conf->file, s->line, v->name);
	else if (strcmp(s->name, "seal") == 0 &&
		 (conf_str(s->values, "key_file") == NULL) == (conf_str(s->values, "keyring") == NULL))
		snprintf(err, errlen, "%s:%u: volume \"%s\": seal: give either key_file or keyring", conf->file,
			 s->line, v->name);
	else
		return 0;
	return -EINVAL;
}

int
plan_check(const struct conf *conf, char *err, size_t errlen)
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < conf->n_volumes; i++) {
		const struct conf_volume *v = &conf->volumes[i];
		const char *why = plan_volume_is_log(v) ? plan_log_size_wrong(v->size) : NULL;

		if (why != NULL) {
			snprintf(err, errlen, "%s:%u: volume \"%s\": %s", conf->file, v->line, v->name, why);
			return -EINVAL;
		}
		for (unsigned int s = 0; ret == 0 && s < v->n_stages; s++)
			ret = check_stage(conf, v, &v->stages[s], err, errlen);
		for (unsigned int u = 0; ret == 0 && plan_volume_is_log(v) && u < i; u++) {
			if (conf->volumes[u].group == v->group)
				ret = check_pair(conf, v, &conf->volumes[u], err, errlen);
		}
	}
	return ret;
}

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
