/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "gone.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_log.h>

#include "known.h"
#include "plan.h"
#include "store_log.h"

RTE_LOG_REGISTER(gone_log, strake.volumes, INFO)

int
gone_forget(struct appliance *a, const struct overlay_gone *gone, char *err, size_t errlen)
{
	unsigned int g = (unsigned int)(conf_group_find(a->conf, gone->group) - a->conf->groups);
	char other[STRAKE_NAME_MAX];
	bool shared = gone->keys && plan_keys_shared(a, g, gone->domain, gone->name, other);
	int ret = gone->keys && !shared ? plan_keys_erase(a, g, gone->domain) : 0;

	if (ret < 0) {
		snprintf(err, errlen, "its keys cannot be destroyed: %s", strerror(-ret));
		return ret;
	}
	if (gone->keys && !shared)
		known_forget(a, g, gone->domain);
	ret = store_volume_delete(a->stores[g], gone->name);
	if (ret < 0) {
		snprintf(err, errlen, "%s", strerror(-ret));
		return ret;
	}
	if (shared)
		snprintf(err, errlen, "it is deleted, but its keys stay: by now volume \"%s\" has them", other);
	return shared ? -EBUSY : 0;
}

static void
finish_deletion(struct appliance *a, const struct overlay_gone *gone, bool *all)
{
	const struct conf_group *g = conf_group_find(a->conf, gone->group);
	struct store *st = g != NULL ? a->stores[g - a->conf->groups] : NULL;
	struct store_volume d;
	char why[BOOT_ERR_MAX / 2];
	int ret;

	/* Its store is not open: to be done when it is. */
	if (st == NULL && g != NULL && g->style == CONF_STYLE_LOG)
		*all = false;
	if (st == NULL || store_volume_get(st, gone->name, &d) < 0 || memcmp(d.uuid, gone->uuid, sizeof(d.uuid)) != 0)
		return;
	ret = gone_forget(a, gone, why, sizeof(why));
	if (ret < 0 && store_volume_get(st, gone->name, &d) == 0)
		*all = false;
	rte_log(ret < 0 ? RTE_LOG_ERR : RTE_LOG_INFO, gone_log, "volume %s was being deleted%s: %s\n", gone->name,
		gone->keys ? " with its keys" : "", ret < 0 ? why : "it is now");
}

static void
tell_orphans(const struct appliance *a, unsigned int g)
{
	struct store_volume d;

	for (unsigned int i = 0; store_volume_nth(a->stores[g], i, &d) == 0; i++) {
		const struct conf_volume *v = conf_volume_find(a->conf, d.name);

		if (d.name[0] == '.' || (v != NULL && v->group == &a->conf->groups[g]))
			continue;
		rte_log(RTE_LOG_WARNING, gone_log,
			"group %s holds volume %s with %" PRIu64
			" bytes in it, which nobody is offered: name it in the "
			"configuration, or free its space by `strakectl volume delete %s`\n",
			a->conf->groups[g].name, d.name, d.mapped, d.name);
	}
}

static void
finish_deletions(struct appliance *a)
{
	struct overlay_gone gone;
	bool all = true;

	for (unsigned int i = 0; overlay_gone(i, &gone) == 0; i++)
		finish_deletion(a, &gone, &all);
	if (all)
		overlay_gone_done();
}

void
gone_settle_group(struct appliance *a, unsigned int g)
{
	finish_deletions(a);
	tell_orphans(a, g);
}

int
gone_settle(struct appliance *a)
{
	finish_deletions(a);
	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		if (a->stores[g] != NULL)
			tell_orphans(a, g);
	}
	return 0;
}
