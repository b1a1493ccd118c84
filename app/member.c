/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "member.h"

#include "group.h"
#include "log_group.h"

struct log_group *
member_log_group(const struct appliance *a, const struct strake_drive *drive, unsigned int *member)
{
	struct log_member_figures f;

	for (unsigned int g = 0; drive != NULL && g < a->conf->n_groups; g++) {
		if (a->log_groups[g] == NULL)
			continue;
		for (*member = 0; log_group_member_get(a->log_groups[g], *member, &f) == 0; ++*member)
			if (f.drive == drive)
				return a->log_groups[g];
	}
	return NULL;
}

struct group *
member_group(struct appliance *a, const struct strake_drive *drive, unsigned int *member)
{
	*member = 0;
	for (unsigned int g = 0; drive != NULL && g < a->conf->n_groups; g++) {
		struct group_status st;

		if (a->groups[g] == NULL)
			continue;
		group_status(a->groups[g], &st);
		for (*member = 0; *member < st.members; ++*member) {
			struct strake_drive *has = NULL;

			group_member_get(a->groups[g], *member, &has);
			if (has == drive)
				return a->groups[g];
		}
	}
	return NULL;
}

uint64_t
member_under_way(const struct strake_drive *drive)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++)
		n += drive->stats[i] != NULL ? drive->stats[i]->inflight : 0;
	return n;
}

bool
member_in_hand(const struct appliance *a, const struct strake_drive *drive)
{
	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		if (a->groups[g] != NULL ? group_has_drive(a->groups[g], drive)
					 : log_group_has_drive(a->log_groups[g], drive))
			return true;
	}
	return member_under_way(drive) > 0;
}

struct log_group *
member_spare_of(const struct appliance *a, const struct strake_drive *drive)
{
	for (unsigned int g = 0; drive != NULL && g < a->conf->n_groups; g++)
		if (a->log_groups[g] != NULL && log_group_spare_is(a->log_groups[g], drive))
			return a->log_groups[g];
	return NULL;
}

bool
member_in_service(struct appliance *a, const struct strake_drive *drive)
{
	unsigned int member;
	const struct group *g = member_group(a, drive, &member);
	const struct log_group *log = g == NULL ? member_log_group(a, drive, &member) : NULL;
	struct log_member_figures f;
	struct strake_drive *has;

	if (log != NULL)
		return log_group_member_get(log, member, &f) == 0 && f.state != LOG_MEMBER_MISSING;
	return member_spare_of(a, drive) != NULL ||
	       (g != NULL && group_member_get(g, member, &has) != GROUP_MEMBER_MISSING);
}
