/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The keys of log groups. All sealed volumes of a group have one key-encryption key. If that is not there, or is
 * another than the group's keys are wrapped with, these volumes stay offline and the appliance serves the others: the
 * store is opened for volumes of the group that are not sealed, and collection moves sealed chunks as they lie; if
 * there are none, nothing of the store is touched.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_log.h>

#include "gcm.h"
#include "keys.h"
#include "log_group.h"
#include "overlay.h"
#include "plan.h"
#include "reseal.h"
#include "store_log.h"

RTE_LOG_REGISTER(plan_keys_log, strake.keys, INFO)

#define KEYS_NOTE 1

static int
keys_read(void *arg, void *data, uint32_t *len)
{
	struct strake_space *sp = arg;

	return sp->ops->note_read(sp, KEYS_NOTE, data, len);
}

static int
keys_write(void *arg, const void *data, uint32_t len)
{
	struct strake_space *sp = arg;

	return sp->ops->note_write(sp, KEYS_NOTE, data, len);
}

static struct gcm_notes
notes_of(const struct appliance *a, size_t g)
{
	struct strake_space *sp = log_group_space(a->log_groups[g]);
	struct gcm_notes notes = {.read = keys_read, .write = keys_write, .arg = sp, .room = sp->note_bytes};

	memcpy(notes.uuid, sp->uuid, sizeof(notes.uuid));
	return notes;
}

/* --- one group -----------------------------------------------------------------------------------------------------
 */

const struct conf_volume *
plan_keys_first(const struct conf *conf, unsigned int g)
{
	for (unsigned int i = 0; i < conf->n_volumes; i++) {
		const struct conf_volume *v = &conf->volumes[i];

		if (v->group == &conf->groups[g] && plan_volume_is_log(v) && conf_volume_stage(v, "seal") != NULL)
			return v;
	}
	return NULL;
}

/* Where the key came from, of which the stage's own words know nothing. */
static void
whose(const struct conf_stage *s, char *out, size_t len)
{
	const char *file = conf_str(s->values, "key_file");

	if (file != NULL)
		snprintf(out, len, "key file %s: ", file);
	else
		snprintf(out, len, "kernel keyring, user key \"%s\": ", conf_str(s->values, "keyring"));
}

/**
 * Make the stage and open the keys, by the key that the configuration names.
 * @param off out: in a word or two why keys stay closed, if it is only that.
 * @return 0; -errno with "FILE:LINE: why" in a->err, and nothing is left of the stage.
 */
static int
seal_try(struct appliance *a, const struct conf_volume *v, const char **off)
{
	const struct conf_stage *s = conf_volume_stage(v, "seal");
	size_t g = (size_t)(v->group - a->conf->groups);
	struct gcm_notes notes = notes_of(a, g);
	struct strake_stage *st;
	char name[128], from[BOOT_ERR_MAX / 4] = "", why[BOOT_ERR_MAX / 2];
	int ret = gcm_key_check(s->values, why, sizeof(why));

	*off = ret < 0 ? "no key" : NULL;
	snprintf(name, sizeof(name), "%s.seal", v->group->name);
	if (ret == 0)
		ret = strake_stage_create(&st, strake_stage_find("seal"), name, s->values, s->cpu, why, sizeof(why));
	if (ret == 0) {
		ret = gcm_open(st, &notes, why, sizeof(why));
		if (ret < 0) {
			strake_stage_destroy(st);
			*off = ret == -EACCES ? "wrong key" : "keys not open";
		}
		if (ret == -EACCES)
			whose(s, from, sizeof(from));
	}
	if (ret == 0)
		a->seals[g] = st;
	else
		snprintf(a->err, sizeof(a->err), "%s:%u: group \"%s\": %s%s", a->conf->file, s->line, v->group->name,
			 from, why);
	return ret;
}

/* The same, also by the key that was there before `key rewrap`, if that was cut short. */
static int
seal_open(struct appliance *a, const struct conf_volume *v, const char **off)
{
	struct kek_place first, place;
	char why[sizeof(a->err) - 64];
	int ret = seal_try(a, v, off);

	if (ret == 0 || *off == NULL || overlay_kek(v->group, 1, &place) < 0)
		return ret;
	kek_place(conf_volume_stage(v, "seal"), &first);
	snprintf(why, sizeof(why), "%.*s", (int)sizeof(why) - 1, a->err);
	for (unsigned int i = 0; overlay_kek(v->group, i, &place) == 0; i++) {
		const char *other;

		if (kek_same(&place, &first) || kek_move(a->conf, v->group, &place, a->err, sizeof(a->err)) < 0 ||
		    seal_try(a, v, &other) < 0)
			continue;
		rte_log(RTE_LOG_NOTICE, plan_keys_log,
			"group %s: its keys are wrapped by that of %s %s still: `key rewrap` was cut short\n",
			v->group->name, kek_word(&place), place.name);
		a->err[0] = '\0';
		*off = NULL;
		return 0;
	}
	kek_move(a->conf, v->group, &first, a->err, sizeof(a->err));
	snprintf(a->err, sizeof(a->err), "%s; nor is it where it was before `key rewrap`", why);
	return ret;
}

int
plan_seal_up(struct appliance *a, const struct conf_volume *v, struct strake_stage **out)
{
	size_t g = (size_t)(v->group - a->conf->groups);
	const char *off = a->seals_off[g];
	int ret = -ENOKEY;

	if (off != NULL)
		snprintf(a->err, sizeof(a->err),
			 "volume \"%s\": the keys of group \"%s\" are not open (%s): `strakectl key load %s` first",
			 v->name, v->group->name, off, v->group->name);
	else
		ret = a->seals[g] != NULL ? 0 : seal_open(a, v, &off);
	*out = a->seals[g];
	return ret;
}

int
plan_keys_open(struct appliance *a, unsigned int g)
{
	const struct conf_volume *v = plan_keys_first(a->conf, g);
	const char *off = NULL;
	int ret = v != NULL ? seal_open(a, v, &off) : 0;

	if (ret < 0 && off == NULL)
		return ret;
	a->seals_off[g] = off;
	if (ret < 0)
		snprintf(a->seals_why[g], sizeof(a->seals_why[g]), "%s", a->err);
	return ret;
}

const char *
plan_keys_off(const struct appliance *a, const struct conf_volume *v)
{
	return conf_volume_stage(v, "seal") != NULL ? a->seals_off[v->group - a->conf->groups] : NULL;
}

bool
plan_keys_missed(const struct appliance *a, unsigned int g)
{
	const struct conf *conf = a->conf;

	for (unsigned int i = 0; i < conf->n_volumes; i++) {
		if (conf->volumes[i].group == &conf->groups[g] && conf_volume_stage(&conf->volumes[i], "seal") == NULL)
			return false;
	}
	return a->seals_off[g] != NULL;
}

void
plan_keys_settle(struct appliance *a, unsigned int g)
{
	if (plan_keys_first(a->conf, g) == NULL)
		a->seals_off[g] = NULL;
}

static bool
has_key(const struct conf_volume *u, const struct conf_group *g, uint32_t domain)
{
	return u->group == g && plan_volume_is_log(u) && conf_volume_stage(u, "seal") != NULL &&
	       plan_domain_number(u) == domain;
}

bool
plan_keys_shared(const struct appliance *a, unsigned int g, uint32_t domain, const char *but, char *name)
{
	const struct conf *conf = a->conf;
	struct store_volume d;

	for (unsigned int i = 0; i < conf->n_volumes; i++) {
		const struct conf_volume *u = &conf->volumes[i];

		if (!has_key(u, &conf->groups[g], domain) || strcmp(u->name, but) == 0)
			continue;
		snprintf(name, STRAKE_NAME_MAX, "%s", u->name);
		return true;
	}
	/* Those that only the store knows may have it. */
	for (unsigned int i = 0; a->stores[g] != NULL && store_volume_nth(a->stores[g], i, &d) == 0; i++) {
		const struct conf_volume *u = conf_volume_find(conf, d.name);

		if (d.name[0] == '.' || d.domain != domain || strcmp(d.name, but) == 0 ||
		    (u != NULL && u->group == &conf->groups[g]))
			continue;
		snprintf(name, STRAKE_NAME_MAX, "%s", d.name);
		return true;
	}
	return false;
}

int
plan_keys_erase(struct appliance *a, unsigned int g, uint32_t domain)
{
	struct gcm_notes notes = notes_of(a, g);
	int ret;

	if (a->seals[g] == NULL)
		return gcm_notes_erase(&notes, domain);
	ret = gcm_domain_erase(a->seals[g], domain);
	return ret == -ENOKEY ? 0 : ret;
}

/* --- all -----------------------------------------------------------------------------------------------------------
 */

static void
tell_offline(const struct appliance *a, unsigned int g)
{
	const struct conf *conf = a->conf;
	char names[256] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < conf->n_volumes && used < sizeof(names); i++) {
		const struct conf_volume *v = &conf->volumes[i];

		if (v->group == &conf->groups[g] && conf_volume_stage(v, "seal") != NULL)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "",
						 v->name);
	}
	rte_log(RTE_LOG_ERR, plan_keys_log,
		"%s; offline until the right key is there and `strakectl key load %s` or a restart: volumes %s%s\n",
		a->seals_why[g], conf->groups[g].name, names, used < sizeof(names) ? "" : "...");
}

/* Before the stores are opened: those of which all volumes stay offline are not. */
int
plan_keys_up(struct appliance *a)
{
	unsigned int n = a->conf->n_groups;
	int ret = 0;

	a->seals = calloc(n + 1, sizeof(*a->seals));
	a->seals_off = calloc(n + 1, sizeof(*a->seals_off));
	a->seals_why = calloc(n + 1, sizeof(*a->seals_why));
	a->tidies = calloc(n + 1, sizeof(*a->tidies));
	if (a->seals == NULL || a->seals_off == NULL || a->seals_why == NULL || a->tidies == NULL)
		ret = -ENOMEM;
	for (unsigned int g = 0; ret == 0 && g < n; g++) {
		ret = plan_keys_open(a, g);
		if (a->seals_off[g] == NULL)
			continue;
		tell_offline(a, g);
		a->err[0] = '\0';
		ret = 0;
	}
	if (ret < 0)
		plan_keys_down(a);
	return ret;
}

/* After the volumes and their chains; a stage that goes closes its keys. */
void
plan_keys_down(struct appliance *a)
{
	for (unsigned int g = 0; a->seals != NULL && g < a->conf->n_groups; g++) {
		if (a->seals[g] != NULL)
			strake_stage_destroy(a->seals[g]);
	}
	free(a->seals);
	free(a->seals_off);
	free(a->seals_why);
	free(a->tidies);
	a->seals = NULL;
	a->seals_off = NULL;
	a->seals_why = NULL;
	a->tidies = NULL;
}

void
plan_tidy_up(struct appliance *a, unsigned int g)
{
	if (a->seals[g] == NULL || a->tidies[g] != NULL)
		return;
	store_reseal_rate(a->stores[g], reseal_rate(&a->conf->groups[g]));
	a->tidies[g] = keys_tidy_begin(a->stores[g], a->seals[g], KEYS_TIDY_FROM);
}

void
plan_tidies_down(struct appliance *a)
{
	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		keys_tidy_end(a->tidies[g]);
		a->tidies[g] = NULL;
	}
}
