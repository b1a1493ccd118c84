/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "offline.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_log.h>

#include "gone.h"
#include "known.h"
#include "nvmf.h"
#include "plan.h"
#include "scrub.h"
#include "volume.h"

RTE_LOG_REGISTER(offline_log, strake.volumes, INFO)

static const struct appliance *app;

const char *
offline_word(const struct appliance *a, const struct conf_volume *v, const char **why)
{
	const char *word = plan_keys_off(a, v);

	*why = a->seals_why[v->group - a->conf->groups];
	if (word != NULL || a->volumes[v - a->conf->volumes] != NULL)
		return word;
	*why = "its keys are open, but it is not: the log says why, and a restart tries again";
	return "not opened";
}

unsigned int
offline_count(const struct appliance *a)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < a->conf->n_volumes; i++)
		n += a->volumes[i] == NULL;
	return n;
}

/* --- told with those that are served ------------------------------------------------------------------------------ */

static bool
nth(unsigned int n, struct volume_offline *out)
{
	for (unsigned int i = 0; i < app->conf->n_volumes; i++) {
		const struct conf_volume *v = &app->conf->volumes[i];

		if (app->volumes[i] != NULL || n-- != 0)
			continue;
		out->name = v->name;
		out->bytes = v->size;
		out->word = offline_word(app, v, &out->why);
		return true;
	}
	return false;
}

int
offline_up(struct appliance *a)
{
	app = a;
	volume_offline_ask(nth);
	return 0;
}

void
offline_down(struct appliance *a)
{
	(void)a;
	volume_offline_ask(NULL);
}

/* --- back ----------------------------------------------------------------------------------------------------------
 */

static int
namespaces_join(struct appliance *a, const struct conf_volume *v)
{
	int ret = 0;

	for (unsigned int s = 0; ret == 0 && s < a->conf->n_subsystems; s++) {
		const struct conf_subsystem *sub = &a->conf->subsystems[s];

		for (unsigned int n = 0; ret == 0 && n < sub->n_namespaces; n++) {
			if (sub->namespaces[n].volume == v)
				ret = nvmf_ns_add(sub->nqn, sub->namespaces[n].nsid, strake_volume_find(v->name));
		}
	}
	if (ret < 0)
		snprintf(a->err, sizeof(a->err), "volume \"%s\": its namespace: %s", v->name, strerror(-ret));
	return ret;
}

static int
volume_back(struct appliance *a, unsigned int i)
{
	const struct conf_volume *v = &a->conf->volumes[i];
	int ret = plan_volume_online(a, i);

	if (ret < 0)
		return ret;
	known_join(a, v);
	return namespaces_join(a, v);
}

int
offline_store(struct appliance *a, unsigned int g)
{
	int ret;

	if (a->stores[g] != NULL)
		return 0;
	ret = plan_store_up(a, g);
	if (ret < 0)
		return ret;
	scrubs_watch(a);
	gone_settle_group(a, g);
	return 0;
}

/* All of a group that is offline. @return 0; -errno with one line in a->err. */
static int
group_back(struct appliance *a, unsigned int g, json_t *back)
{
	int ret = a->seals[g] == NULL ? plan_keys_open(a, g) : 0;

	if (ret == 0)
		ret = offline_store(a, g);
	for (unsigned int i = 0; ret == 0 && i < a->conf->n_volumes; i++) {
		const struct conf_volume *v = &a->conf->volumes[i];

		if (v->group != &a->conf->groups[g] || a->volumes[i] != NULL)
			continue;
		ret = volume_back(a, i);
		if (ret == 0)
			json_array_append_new(back, json_string(v->name));
	}
	if (ret == 0)
		plan_tidy_up(a, g);
	return ret;
}

static bool
has_offline(const struct appliance *a, unsigned int g)
{
	for (unsigned int i = 0; i < a->conf->n_volumes; i++) {
		if (a->conf->volumes[i].group == &a->conf->groups[g] && a->volumes[i] == NULL)
			return true;
	}
	return false;
}

int
offline_load(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	const char *name = ctl_value(r, "name");
	const struct conf_group *group = conf_group_find(a->conf, name);
	json_t *back;
	unsigned int g;
	int ret;

	if (group == NULL)
		return ctl_refuse(answer, -ENOENT, "no group \"%s\"", name != NULL ? name : "");
	g = (unsigned int)(group - a->conf->groups);
	if (plan_keys_first(a->conf, g) == NULL)
		return ctl_refuse(answer, -EINVAL, "no volume of group \"%s\" is sealed", name);
	if (!has_offline(a, g))
		return ctl_refuse(answer, -EALREADY, "no volume of group \"%s\" is offline", name);
	back = json_array();
	ret = group_back(a, g, back);
	rte_log(ret < 0 ? RTE_LOG_ERR : RTE_LOG_NOTICE, offline_log, "group %s: %zu volumes are back%s%s\n", name,
		json_array_size(back), ret < 0 ? ": " : "", ret < 0 ? a->err : "");
	json_object_set_new(answer, "volumes", back);
	return ret < 0 ? ctl_refuse(answer, ret, "%s", a->err) : 0;
}
