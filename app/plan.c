/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "group.h"
#include "log_group.h"

/* --- drives --------------------------------------------------------------------------------------------------------
 */

/* A group's drives, its spares after them. */
static struct conf_drive **
drive_nth(const struct conf_group *g, unsigned int i)
{
	return i < g->n_drives ? &g->drives[i] : &g->spares[i - g->n_drives];
}

struct conf_group *
plan_group_of(const struct conf *conf, const struct conf_drive *d)
{
	for (unsigned int g = 0; g < conf->n_groups; g++) {
		struct conf_group *group = &conf->groups[g];

		for (unsigned int i = 0; i < group->n_drives + group->n_spares; i++) {
			if (*drive_nth(group, i) == d)
				return group;
		}
	}
	return NULL;
}

/* --- groups --------------------------------------------------------------------------------------------------------
 */

static int
group_up(struct appliance *a, unsigned int i)
{
	const struct conf_group *g = &a->conf->groups[i];
	struct strake_drive **members = calloc(g->n_drives + g->n_spares, sizeof(*members));
	const char *why = NULL;
	unsigned int n = 0;
	size_t used;
	int ret;

	if (members == NULL)
		return -ENOMEM;
	for (unsigned int d = 0; d < g->n_drives + g->n_spares; d++) {
		size_t at = (size_t)(*drive_nth(g, d) - a->conf->drives);

		if (a->drives[at] != NULL)
			members[n++] = a->drives[at];
		else if (d < g->n_drives)
			why = a->drive_why[at];
	}
	if (g->style == CONF_STYLE_LOG)
		ret = plan_log_group_up(a, i, members, n);
	else
		ret = group_open(&a->groups[i], g, members, n, a->err, sizeof(a->err));
	used = strlen(a->err);
	if (ret < 0 && why != NULL)
		snprintf(a->err + used, sizeof(a->err) - used, " (%s)", why);
	free(members);
	return ret;
}

int
plan_groups_up(struct appliance *a)
{
	a->groups = calloc(a->conf->n_groups + 1, sizeof(*a->groups));
	a->log_groups = calloc(a->conf->n_groups + 1, sizeof(*a->log_groups));
	if (a->groups == NULL || a->log_groups == NULL) {
		free(a->groups);
		free(a->log_groups);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < a->conf->n_groups; i++) {
		int ret = group_up(a, i);

		if (ret < 0) {
			plan_groups_down(a);
			return ret;
		}
	}
	return 0;
}

void
plan_groups_down(struct appliance *a)
{
	for (unsigned int i = a->conf->n_groups; i-- > 0;) {
		if (a->groups[i] != NULL)
			group_close(a->groups[i]);
		if (a->log_groups[i] != NULL)
			log_group_close(a->log_groups[i]);
	}
	free(a->groups);
	free(a->log_groups);
	a->groups = NULL;
	a->log_groups = NULL;
}
