/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What must fit together of the volumes of a configuration, and what they share. Nothing is open yet. */

#include "plan.h"

#include <errno.h>
#include <stdarg.h>
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

/* What was found, and who is told. */
struct findings {
	const struct conf *conf;
	plan_tell_fn *tell;
	void *arg;
	unsigned int n;
};

__attribute__((format(printf, 3, 4))) static void
found(struct findings *f, unsigned int line, const char *fmt, ...)
{
	char text[BOOT_ERR_MAX];
	int at = snprintf(text, sizeof(text), "%s:%u: ", f->conf->file, line);
	va_list ap;

	f->n++;
	va_start(ap, fmt);
	if (at >= 0 && (size_t)at < sizeof(text))
		vsnprintf(text + at, sizeof(text) - (size_t)at, fmt, ap);
	va_end(ap);
	f->tell(f->arg, text);
}

/* Two volumes of one store. */
static void
check_pair(struct findings *f, const struct conf_volume *v, const struct conf_volume *u)
{
	const struct conf_stage *mine = conf_volume_stage(v, "seal"), *other = conf_volume_stage(u, "seal");
	const char *key = mine != NULL && other != NULL ? seals_differ(mine, other) : NULL;

	if (key != NULL)
		found(f, mine->line,
		      "volume \"%s\": seal: %s is another than that of volume \"%s\"; all sealed volumes of group "
		      "\"%s\" have one key",
		      v->name, key, u->name, v->group->name);
	if (plan_domain_number(v) == 0 || plan_domain_number(v) != plan_domain_number(u))
		return;
	if (strcmp(domain_name(v), domain_name(u)) != 0) {
		found(f, conf_volume_stage(v, "dedup")->line,
		      "volume \"%s\": domains \"%s\" and \"%s\" have the same number; rename one", v->name,
		      domain_name(v), domain_name(u));
		return;
	}
	key = ways_differ(v, u);
	if (key != NULL)
		found(f, conf_volume_stage(v, "dedup")->line,
		      "volume \"%s\": it shares domain \"%s\" with volume \"%s\", so both must have the stage %s or "
		      "none",
		      v->name, domain_name(v), u->name, key);
}

static void
check_stage(struct findings *f, const struct conf_volume *v, const struct conf_stage *s)
{
	bool log = plan_volume_is_log(v);

	if (strake_stage_find(s->name)->log && !log)
		found(f, s->line, "volume \"%s\": stage %s is for volumes of log groups (`style: log`)", v->name,
		      s->name);
	else if (log && strcmp(s->name, "crypto") == 0)
		found(f, s->line, "volume \"%s\": stage crypto is for volumes of plain groups; here it is seal",
		      v->name);
	else if (strcmp(s->name, "seal") == 0 &&
		 (conf_str(s->values, "key_file") == NULL) == (conf_str(s->values, "keyring") == NULL))
		found(f, s->line, "volume \"%s\": seal: give either key_file or keyring", v->name);
}

int
plan_check(const struct conf *conf, plan_tell_fn *tell, void *arg)
{
	struct findings f = {.conf = conf, .tell = tell, .arg = arg};

	for (unsigned int i = 0; i < conf->n_volumes; i++) {
		const struct conf_volume *v = &conf->volumes[i];
		const char *why = plan_volume_is_log(v) ? plan_log_size_wrong(v->size) : NULL;

		if (why != NULL)
			found(&f, v->line, "volume \"%s\": %s", v->name, why);
		for (unsigned int s = 0; s < v->n_stages; s++)
			check_stage(&f, v, &v->stages[s]);
		for (unsigned int u = 0; plan_volume_is_log(v) && u < i; u++) {
			if (conf->volumes[u].group == v->group)
				check_pair(&f, v, &conf->volumes[u]);
		}
	}
	return f.n == 0 ? 0 : -EINVAL;
}
