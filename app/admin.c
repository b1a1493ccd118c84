/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "admin.h"

#include <errno.h>
#include <string.h>

#include "gcm.h"
#include "log_group.h"
#include "nvmf.h"
#include "offline.h"
#include "overlay.h"
#include "plan.h"
#include "reseal.h"
#include "scrub.h"
#include "store_log.h"
#include "strake_lcore.h"

#define RATE_LEAST 4096u /* as in the file */

/* The log group that is named. @return its place in the configuration, or -errno. */
static int
find(const struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	const char *name = ctl_value(r, "name");
	const struct conf_group *g = conf_group_find(a->conf, name);

	if (g == NULL)
		return ctl_refuse(answer, -ENOENT, "no group \"%s\"", name != NULL ? name : "");
	if (a->log_groups[g - a->conf->groups] == NULL)
		return ctl_refuse(answer, -EINVAL, "group \"%s\" is a plain one: this is for log groups", name);
	return (int)(g - a->conf->groups);
}

/* --- scrub and rebuild ------------------------------------------------------------------------------------------- */

int
admin_scrub(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	int g = find(a, r, answer), ret;
	uint64_t rate = 0;

	if (g < 0)
		return g;
	if (strcmp(r->command, "group rest") == 0) {
		scrub_rest(a, (unsigned int)g);
		return 0;
	}
	if (ctl_value(r, "rate") != NULL && ctl_number(r, "rate", &rate, answer) < 0)
		return -EINVAL;
	ret = scrub_start(a, (unsigned int)g, rate);
	return ret == -EALREADY ? ctl_refuse(answer, ret, "it is being scrubbed already") : ret;
}

int
admin_rate(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	int g = find(a, r, answer);
	uint64_t bytes;

	if (g < 0)
		return g;
	if (ctl_number(r, "bytes", &bytes, answer) < 0)
		return -EINVAL;
	if (bytes > 0 && bytes < RATE_LEAST)
		return ctl_refuse(answer, -EINVAL, "less than %u bytes a second is no rebuild", RATE_LEAST);
	log_group_rebuild_rate(a->log_groups[g], bytes);
	/* For `config save`. */
	((struct conf_group *)(uintptr_t)&a->conf->groups[g])->rebuild_rate = bytes;
	return 0;
}

/* --- growth ------------------------------------------------------------------------------------------------------ */

int
admin_grow(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	const char *name = ctl_value(r, "drive");
	struct strake_drive *drive = NULL;
	int g = find(a, r, answer), ret;
	char err[BOOT_ERR_MAX] = "";

	if (g < 0)
		return g;
	for (unsigned int i = 0; name != NULL && i < a->conf->n_drives; i++)
		drive = strcmp(a->conf->drives[i].name, name) == 0 ? a->drives[i] : drive;
	if (drive == NULL || log_group_spare_remove(a->log_groups[g], drive) < 0)
		return ctl_refuse(
			answer, -ENOENT,
			"no spare \"%s\" of group \"%s\" is there: list it in `spares:`, and bring it in with "
			"`drive add`",
			name != NULL ? name : "", a->conf->groups[g].name);
	ret = log_group_drive_add(a->log_groups[g], drive, err, sizeof(err));
	if (ret == 0)
		return 0;
	log_group_spare_put(a->log_groups[g], drive);
	return ctl_refuse(answer, ret, "%s", err);
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

static bool
is_sealed(const struct conf_volume *v)
{
	return conf_volume_stage(v, "seal") != NULL;
}

static bool
same_key(const struct conf_volume *u, const struct conf_volume *v)
{
	return is_sealed(u) && plan_domain_same(u, v);
}

/* The first volume of the group with this domain and a seal. */
static bool
is_first(const struct conf *conf, unsigned int i)
{
	const struct conf_volume *v = &conf->volumes[i], *u;

	for (u = conf->volumes; u < v; u++) {
		if (same_key(u, v))
			return false;
	}
	return true;
}

/* The log group that is named, whose keys are open. @return as find(). */
static int
find_open(const struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	int g = find(a, r, answer);

	if (g < 0)
		return g;
	if (a->seals_off[g] != NULL)
		return ctl_refuse(answer, -ENOKEY, "%s", a->seals_why[g]);
	if (a->seals[g] == NULL)
		return ctl_refuse(answer, -EINVAL, "no volume of group \"%s\" is sealed", a->conf->groups[g].name);
	return g;
}

int
admin_key_rotate(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	int g = find_open(a, r, answer), ret = 0;
	json_int_t n = 0;

	if (g < 0)
		return g;
	for (unsigned int i = 0; i < a->conf->n_volumes && ret >= 0; i++) {
		const struct conf_volume *v = &a->conf->volumes[i];

		if (v->group != &a->conf->groups[g] || !is_sealed(v) || !is_first(a->conf, i))
			continue;
		ret = gcm_domain_rotate(a->seals[g], plan_domain_number(v));
		n += ret >= 0;
	}
	if (ret < 0)
		return ctl_refuse(answer, ret, "%lld keys are new, the next could not be made: %s", (long long)n,
				  ret == -ENOSPC ? "the table of keys is full" : strerror(-ret));
	json_object_set_new(answer, "keys", json_integer(n));
	reseal_go_on((unsigned int)g, 0);
	return 0;
}

int
admin_key_reseal(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	int g = find(a, r, answer);
	uint64_t rate = 0;

	if (g < 0)
		return g;
	if (plan_keys_first(a->conf, (unsigned int)g) == NULL)
		return ctl_refuse(answer, -EINVAL, "no volume of group \"%s\" is sealed", a->conf->groups[g].name);
	if (strcmp(r->command, "key rest") == 0) {
		reseal_rest((unsigned int)g);
		return 0;
	}
	if (ctl_value(r, "rate") != NULL && ctl_number(r, "rate", &rate, answer) < 0)
		return -EINVAL;
	if (ctl_value(r, "rate") != NULL && rate < RATE_LEAST)
		return ctl_refuse(answer, -EINVAL, "less than %u bytes a second is no pace", RATE_LEAST);
	if (rate != 0) /* for `config save` */
		((struct conf_group *)(uintptr_t)&a->conf->groups[g])->reseal_rate = rate;
	reseal_go_on((unsigned int)g, rate);
	return 0;
}

/* Wrapped by the key that @p values name. What comes first says why on failure. */
static int
rewrap(struct appliance *a, unsigned int g, const struct conf_values *values, const struct kek_place *now,
       const struct kek_place *before, char *err, size_t errlen)
{
	int ret = gcm_key_check(values, err, errlen);

	if (ret < 0)
		return ret;
	ret = overlay_kek_moved(&a->conf->groups[g], now, before);
	if (ret < 0)
		snprintf(err, errlen, "%s: %s", a->conf->appliance.state, strerror(-ret));
	else
		ret = gcm_rewrap(a->seals[g], values, err, errlen);
	/* The same key elsewhere. */
	if (ret == -EALREADY && !kek_same(now, before))
		ret = 0;
	return ret < 0 ? ret : kek_move(a->conf, &a->conf->groups[g], now, err, errlen);
}

int
admin_key_rewrap(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	int g = find_open(a, r, answer), ret;
	const char *file = ctl_value(r, "key_file"), *ring = ctl_value(r, "keyring");
	const struct conf_stage *seal;
	struct kek_place before, now;
	struct conf_values *values;
	char err[BOOT_ERR_MAX];

	if (g < 0)
		return g;
	if (file != NULL && ring != NULL)
		return ctl_refuse(answer, -EINVAL, "the new key is in a file or in the keyring, not in both");
	seal = conf_volume_stage(plan_keys_first(a->conf, (unsigned int)g), "seal");
	kek_place(seal, &before);
	now = before;
	if (file != NULL || ring != NULL) {
		now.keyring = ring != NULL;
		snprintf(now.name, sizeof(now.name), "%s", ring != NULL ? ring : file);
	}
	values = kek_values(seal->values, &now, err, sizeof(err));
	ret = values != NULL ? rewrap(a, (unsigned int)g, values, &now, &before, err, sizeof(err)) : -EINVAL;
	conf_values_free(values);
	if (ret < 0)
		return ctl_refuse(answer, ret, "%s %s: %s", kek_word(&now), now.name, err);
	json_object_set_new(answer, kek_word(&now), json_string(now.name));
	return 0;
}

/* A subsystem that offers the volume, or NULL. */
static const char *
offered(const struct appliance *a, const struct conf_volume *v)
{
	const struct strake_volume *vol = strake_volume_find(v->name);

	for (unsigned int s = 0; vol != NULL && s < a->conf->n_subsystems; s++) {
		if (nvmf_ns_find(a->conf->subsystems[s].nqn, vol) != 0)
			return a->conf->subsystems[s].nqn;
	}
	return NULL;
}

/* Whom it costs, and that no host has one of them. */
static int
may_erase(const struct appliance *a, const struct conf_volume *v, json_t *lost, json_t *answer)
{
	for (unsigned int i = 0; i < a->conf->n_volumes; i++) {
		const struct conf_volume *u = &a->conf->volumes[i];

		if (!same_key(u, v))
			continue;
		json_array_append_new(lost, json_string(u->name));
		if (offered(a, u) != NULL)
			return ctl_refuse(
				answer, -EBUSY,
				"volume \"%s\", which has the same key, is a namespace of %s: `namespace remove` "
				"first",
				u->name, offered(a, u));
	}
	return 0;
}

/* First the blocks are forgotten, so that nothing written later is taken for equal to one that nobody can read. */
static int
erase(struct appliance *a, const struct conf_volume *v)
{
	struct strake_stage *seal = a->seals[v->group - a->conf->groups];
	int ret = 0;

	for (unsigned int i = 0; i < a->conf->n_volumes && ret == 0; i++) {
		if (same_key(&a->conf->volumes[i], v))
			ret = log_clear(strake_volume_find(a->conf->volumes[i].name));
	}
	if (ret == 0)
		ret = gcm_domain_erase(seal, plan_domain_number(v));
	return ret >= 0 ? gcm_domain_add(seal, plan_domain_number(v)) : ret;
}

int
admin_key_erase(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	const char *name = ctl_value(r, "volume");
	const struct conf_volume *v = NULL;
	const char *why;
	json_t *lost = json_array();
	int ret;

	for (unsigned int i = 0; name != NULL && i < a->conf->n_volumes; i++)
		v = strcmp(a->conf->volumes[i].name, name) == 0 ? &a->conf->volumes[i] : v;
	if (v == NULL)
		ret = ctl_refuse(answer, -ENOENT, "no volume \"%s\"", name != NULL ? name : "");
	else if (!plan_volume_is_log(v) || !is_sealed(v))
		ret = ctl_refuse(answer, -EINVAL, "volume \"%s\" has no stage seal", name);
	else if (offline_word(a, v, &why) != NULL)
		ret = ctl_refuse(answer, -ENODEV, "volume \"%s\" is offline: %s", name, why);
	else
		ret = may_erase(a, v, lost, answer);
	if (ret == 0)
		ret = erase(a, v);
	if (ret < 0)
		json_decref(lost);
	else
		json_object_set_new(answer, "lost", lost);
	return ret;
}
