/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* volume create: from the words of the command to a volume of the configuration, and from there to one that is served.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "change.h"
#include "known.h"
#include "log_group.h"
#include "overlay.h"
#include "plan.h"
#include "store_log.h"
#include "volume_json.h"
#include "volumes.h"

/* --- stages --------------------------------------------------------------------------------------------------------
 */

static bool
same_stages(const struct conf_volume *a, const struct conf_volume *b)
{
	for (unsigned int i = 0; i < a->n_stages && i < b->n_stages; i++) {
		if (strcmp(a->stages[i].name, b->stages[i].name) != 0)
			return false;
	}
	return a->n_stages == b->n_stages && a->lba == b->lba &&
	       (!plan_volume_is_log(a) || plan_domain_number(a) == plan_domain_number(b));
}

/* What the new one is to be like if nothing is said: the volumes of its group, if they are all alike. */
static int
model_of(const struct conf *conf, const struct conf_group *g, const struct conf_volume **out, json_t *answer)
{
	for (unsigned int i = 0; i < conf->n_volumes; i++) {
		const struct conf_volume *v = &conf->volumes[i];

		if (v->group != g)
			continue;
		if (*out != NULL && !same_stages(*out, v))
			return ctl_refuse(
				answer, -EINVAL,
				"volumes \"%s\" and \"%s\" of group \"%s\" differ in their stages: say which to "
				"go by (--like NAME), or its stages (--stages A,B or none)",
				(*out)->name, v->name, g->name);
		*out = v;
	}
	return 0;
}

/* A stage that was named: with the keys it has in the model, else in the first volume of the group that has it. */
static json_t *
stage_named(const struct conf *conf, const struct conf_group *g, const struct conf_volume *like, const char *name)
{
	const struct conf_stage *s = like != NULL ? conf_volume_stage(like, name) : NULL;

	for (unsigned int i = 0; s == NULL && i < conf->n_volumes; i++) {
		if (conf->volumes[i].group == g)
			s = conf_volume_stage(&conf->volumes[i], name);
	}
	if (s != NULL)
		return volume_stage_print(s);
	return json_pack("{ss si so}", "name", name, "lcore", -1, "keys", json_object());
}

static json_t *
stages_of(const struct conf *conf, const struct conf_group *g, const struct conf_volume *like, const char *words)
{
	json_t *list = json_array();
	char copy[CTL_LINE_MAX], *save = NULL;

	for (unsigned int i = 0; words == NULL && like != NULL && i < like->n_stages; i++)
		json_array_append_new(list, volume_stage_print(&like->stages[i]));
	if (words == NULL || strcmp(words, "none") == 0)
		return list;
	snprintf(copy, sizeof(copy), "%s", words);
	for (char *w = strtok_r(copy, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save))
		json_array_append_new(list, stage_named(conf, g, like, w));
	return list;
}

static int
domain_set(json_t *stages, const char *domain, json_t *answer)
{
	size_t i;
	json_t *s;

	json_array_foreach(stages, i, s)
	{
		if (strcmp(json_string_value(json_object_get(s, "name")), "dedup") == 0)
			return json_object_set_new(json_object_get(s, "keys"), "domain", json_string(domain));
	}
	return ctl_refuse(answer, -EINVAL, "a domain is of stage dedup, which it has not");
}

/* --- the words -----------------------------------------------------------------------------------------------------
 */

static void
uuid_new(char text[37])
{
	uint8_t uuid[16];

	while (getrandom(uuid, sizeof(uuid), 0) != sizeof(uuid))
		;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* RFC 9562: version 4, random */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	volume_uuid_print(uuid, text);
}

static int
check_name(struct appliance *a, const char *name, json_t *answer)
{
	char why[256];
	struct store_volume d;

	if (!conf_name_good(name != NULL ? name : "", why, sizeof(why)))
		return ctl_refuse(answer, -EINVAL, "%s", why);
	if (conf_volume_find(a->conf, name) != NULL)
		return ctl_refuse(answer, -EEXIST, "there is a volume \"%s\" already; take another name", name);
	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		if (a->stores[g] != NULL && store_volume_get(a->stores[g], name, &d) == 0)
			return ctl_refuse(
				answer, -EEXIST,
				"group \"%s\" holds a volume \"%s\" from before, with %" PRIu64
				" bytes in it: name it in the configuration file to have it back, or free its "
				"space by `strakectl volume delete %s`",
				a->conf->groups[g].name, name, d.mapped, name);
	}
	return 0;
}

/* The volume that the command asks for. @p v is to be cleared whatever is returned. */
static int
wanted(struct appliance *a, const struct ctl_request *r, struct conf_volume *v, json_t *answer)
{
	const char *group = ctl_value(r, "group"), *like = ctl_value(r, "like"), *words = ctl_value(r, "stages");
	const char *uuid = ctl_value(r, "uuid"), *only = ctl_value(r, "read_only"), *domain = ctl_value(r, "domain");
	const struct conf_group *g = conf_group_find(a->conf, group);
	const struct conf_volume *model = NULL;
	uint64_t size, lba = 4096;
	const char *wrong;
	char text[37], why[256];
	json_t *stages, *from;
	int ret;

	if (g == NULL)
		return ctl_refuse(answer, -ENOENT, "no group \"%s\"", group != NULL ? group : "");
	if (g->style != CONF_STYLE_LOG)
		return ctl_refuse(
			answer, -ENOTSUP,
			"group \"%s\" is a plain one, in which a new volume would begin with whatever bytes lie "
			"there: name it in the configuration file and restart the appliance",
			group);
	if (a->stores[g - a->conf->groups] == NULL)
		return ctl_refuse(answer, -ENOKEY, "%s", a->seals_why[g - a->conf->groups]);
	if (ctl_number(r, "size", &size, answer) < 0 || size < 4096 || size > 1ULL << 50)
		return ctl_refuse(answer, -EINVAL, "a size is 4KiB or more, such as 10GiB");
	wrong = plan_log_size_wrong(size);
	if (wrong != NULL)
		return ctl_refuse(answer, -EINVAL, "%s", wrong);
	if (like != NULL) {
		model = conf_volume_find(a->conf, like);
		if (model == NULL || model->group != g)
			return ctl_refuse(answer, -ENOENT, "no volume \"%s\" in group \"%s\" to go by", like, group);
	} else if (words == NULL) {
		ret = model_of(a->conf, g, &model, answer);
		if (ret < 0)
			return ret;
	}
	if (model != NULL)
		lba = model->lba;
	if (ctl_value(r, "lba") != NULL && (ctl_number(r, "lba", &lba, answer) < 0 || (lba != 512 && lba != 4096)))
		return ctl_refuse(answer, -EINVAL, "blocks have 512 or 4096 bytes");
	uuid_new(text);
	stages = stages_of(a->conf, g, model, words);
	ret = domain != NULL ? domain_set(stages, domain, answer) : 0;
	from = json_pack("{ss sI sI sb ss so}", "group", group, "size", (json_int_t)size, "lba", (json_int_t)lba,
			 "read_only", only != NULL && strcmp(only, "true") == 0, "uuid", uuid != NULL ? uuid : text,
			 "stages", stages);
	if (ret == 0) {
		ret = volume_parse(a->conf, ctl_value(r, "name"), from, v, why, sizeof(why));
		if (ret < 0)
			ctl_refuse(answer, ret, "%s", why);
	}
	json_decref(from);
	return ret;
}

/* --- making --------------------------------------------------------------------------------------------------------
 */

/* It was added last to the configuration. */
static int
unmake(struct appliance *a, int ret, const char *why, json_t *answer)
{
	struct conf *conf = (struct conf *)(uintptr_t)a->conf; /* the appliance's own */
	struct conf_volume *v = &conf->volumes[conf->n_volumes - 1];
	struct store *st = a->stores[v->group - conf->groups];
	struct store_volume d;
	uint8_t uuid[16];

	ctl_refuse(answer, ret, "%s", why);
	/* What the store may have of it. */
	if (st != NULL && store_volume_get(st, v->name, &d) == 0 && volume_uuid_parse(v->uuid, uuid) == 0 &&
	    memcmp(uuid, d.uuid, sizeof(uuid)) == 0)
		store_volume_delete(st, v->name);
	conf_volume_remove(conf, v);
	return ret;
}

/* Where in a line "FILE:LINE: volume ..." its own words begin. */
static const char *
words_of(const char *line)
{
	const char *at = strstr(line, "volume \"");

	return at != NULL ? at : line;
}

/* The first of what is told, which is enough for one volume. @p arg: BOOT_ERR_MAX bytes, empty. */
static void
keep_first(void *arg, const char *line)
{
	char *why = arg;

	if (why[0] == '\0')
		snprintf(why, BOOT_ERR_MAX, "%s", line);
}

/* Takes what @p v holds. */
static int
make(struct appliance *a, struct conf_volume *v, json_t *answer)
{
	struct conf *conf = (struct conf *)(uintptr_t)a->conf;
	char why[BOOT_ERR_MAX] = "";
	int ret;

	if (conf_volume_add(conf, v) == NULL) {
		conf_volume_clear(v);
		return -ENOMEM;
	}
	ret = plan_check(conf, keep_first, why);
	if (ret < 0)
		return unmake(a, ret, words_of(why), answer);
	ret = overlay_volume_made(&conf->volumes[conf->n_volumes - 1]);
	if (ret < 0) {
		snprintf(why, sizeof(why), "it would not be remembered: %s cannot be written: %s",
			 conf->appliance.state, strerror(-ret));
		return unmake(a, ret, why, answer);
	}
	ret = plan_volume_begin(a);
	if (ret < 0) {
		overlay_volume_unmade(conf->volumes[conf->n_volumes - 1].name);
		return unmake(a, ret, words_of(a->err), answer);
	}
	known_join(a, &conf->volumes[conf->n_volumes - 1]);
	return 0;
}

int
volumes_create(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	struct conf_subsystem *s = NULL;
	struct conf_volume v = {.name = NULL};
	uint64_t nsid = 0;
	char name[64];
	int ret = check_name(a, ctl_value(r, "name"), answer);

	if (ret < 0)
		return ret;
	if (ctl_value(r, "subsystem") != NULL) {
		s = change_subsystem(a, r, answer);
		if (s == NULL)
			return -ENOENT;
		if (ctl_value(r, "nsid") != NULL && ctl_number(r, "nsid", &nsid, answer) < 0)
			return -EINVAL;
		if (change_nsid_taken(s, nsid))
			return ctl_refuse(answer, -EEXIST, "namespace %" PRIu64 " of it is taken", nsid);
	}
	ret = wanted(a, r, &v, answer);
	if (ret < 0) {
		conf_volume_clear(&v);
		return ret;
	}
	json_object_set_new(answer, "uuid", json_string(v.uuid));
	snprintf(name, sizeof(name), "%s", v.name);
	ret = make(a, &v, answer);
	if (ret < 0)
		json_object_del(answer, "uuid");
	if (ret < 0 || s == NULL)
		return ret;
	return change_namespace(a, s, nsid, conf_volume_find(a->conf, name), answer);
}
