/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_log.h>

#include "group.h"
#include "log_group.h"
#include "strake_chain.h"
#include "strake_drive.h"

RTE_LOG_REGISTER(plan_log, strake.plan, INFO)

/* --- what the loader asks ------------------------------------------------------------------------------------------
 */

static const struct conf_key *
drive_keys(const char *kind, bool *found)
{
	const struct strake_drive_ops *ops = strake_drive_find(kind);

	*found = ops != NULL;
	return ops != NULL ? ops->keys : NULL;
}

/* The stages that a volume is made of are not the operator's to name. */
static bool
for_operator(const struct strake_stage_ops *ops)
{
	return ops != NULL && strcmp(ops->name, "plain") != 0 && strcmp(ops->name, "stripe") != 0;
}

static const struct conf_key *
stage_keys(const char *stage, bool *found)
{
	const struct strake_stage_ops *ops = strake_stage_find(stage);

	*found = for_operator(ops);
	return *found ? ops->keys : NULL;
}

static const char *
drive_kind(unsigned int i)
{
	const struct strake_drive_ops *ops = strake_drive_kind(i);

	return ops != NULL ? ops->name : NULL;
}

static const char *
stage_name(unsigned int i)
{
	for (unsigned int at = 0;; at++) {
		const struct strake_stage_ops *ops = strake_stage_nth(at);

		if (ops == NULL)
			return NULL;
		if (for_operator(ops) && i-- == 0)
			return ops->name;
	}
}

const struct conf_kinds plan_kinds = {drive_keys, stage_keys, drive_kind, stage_name};

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

/* The drive is not there, or not ours to use just now: no mistake of the configuration, nor want of memory. */
static bool
absent(int err)
{
	static const int causes[] = {ENOENT, ENODEV, ENXIO, EIO, EACCES, EPERM, EROFS, EBUSY, ETIMEDOUT};

	for (unsigned int i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (err == -causes[i])
			return true;
	}
	return false;
}

/* Can the group do without one of its drives? */
static bool
spares(const struct conf_group *g)
{
	return g->style == CONF_STYLE_LOG ? g->parity > 0 || g->n_spares > 0 : g->raid != CONF_RAID0;
}

static int
drive_up(struct appliance *a, unsigned int i)
{
	const struct conf_drive *d = &a->conf->drives[i];
	const struct conf_group *g = plan_group_of(a->conf, d);
	int ret = strake_drive_open(&a->drives[i], d->name, d->kind, d->values, a->err, sizeof(a->err));

	if (ret == 0)
		ret = strake_drive_lcore_init(a->drives[i]);
	if (ret == 0)
		return 0;
	if (a->err[0] == '\0')
		snprintf(a->err, sizeof(a->err), "drive %s: %s", d->name, strerror(-ret));
	if (a->drives[i] != NULL || g == NULL || !spares(g) || !absent(ret))
		return ret;
	rte_log(RTE_LOG_WARNING, plan_log, "%s; group %s goes on without it if it can\n", a->err, g->name);
	memcpy(a->drive_why[i], a->err, sizeof(a->drive_why[i]));
	a->err[0] = '\0';
	return 0;
}

int
plan_drives_up(struct appliance *a)
{
	a->drives = calloc(a->conf->n_drives + 1, sizeof(*a->drives));
	a->drive_why = calloc(a->conf->n_drives + 1, sizeof(*a->drive_why));
	if (a->drives == NULL || a->drive_why == NULL) {
		free(a->drives);
		free(a->drive_why);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < a->conf->n_drives; i++) {
		int ret = drive_up(a, i);

		if (ret < 0) {
			plan_drives_down(a);
			return ret;
		}
	}
	return 0;
}

void
plan_drives_down(struct appliance *a)
{
	for (unsigned int i = a->conf->n_drives; i-- > 0;) {
		if (a->drives[i] == NULL)
			continue;
		strake_drive_lcore_fini(a->drives[i]);
		strake_drive_close(a->drives[i]);
	}
	free(a->drives);
	free(a->drive_why);
	a->drives = NULL;
	a->drive_why = NULL;
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
