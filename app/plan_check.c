/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What must fit together of the volumes of a configuration, and what they share. Nothing is open yet. */

#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store_log.h"
#include "strake_stage.h"

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
