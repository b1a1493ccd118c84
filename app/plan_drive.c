/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Drives that come and go while the appliance serves. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "group.h"
#include "log_group.h"
#include "plan.h"
#include "strake_drive.h"

static struct strake_opening *opening; /* the drive that is being opened, or NULL */

static int
ready_here(void *arg)
{
	return strake_drive_lcore_init(arg);
}

static int
gone_here(void *arg)
{
	strake_drive_lcore_fini(arg);
	return 0;
}

int
plan_drive_open(const struct appliance *a, unsigned int i, const struct conf_values *values, char *err, size_t errlen)
{
	const struct conf_drive *d = &a->conf->drives[i];

	return strake_drive_open_begin(&opening, d->name, d->kind, values, err, errlen);
}

int
plan_drive_opened(struct appliance *a, unsigned int i, char *err, size_t errlen)
{
	struct strake_drive *drive = NULL;
	uint16_t l;
	int ret = strake_drive_open_end(opening, &drive, err, errlen);

	if (ret == -EINPROGRESS)
		return ret;
	opening = NULL;
	if (ret < 0) {
		snprintf(a->drive_why[i], sizeof(a->drive_why[i]), "%s", err);
		return ret;
	}
	for (l = 0; l <= a->n_data; l++) {
		ret = strake_msg_call(l, ready_here, drive);
		if (ret < 0)
			goto err_lcores;
	}
	a->drives[i] = drive;
	return 0;

err_lcores:
	snprintf(err, errlen, "drive %s: %s", drive->name, strerror(-ret));
	while (l-- > 0)
		strake_msg_call(l, gone_here, drive);
	strake_drive_close(drive);
	return ret;
}

void
plan_drive_open_leave(void)
{
	if (opening != NULL)
		strake_drive_open_leave(opening);
	opening = NULL;
}

void
plan_drive_close(struct appliance *a, unsigned int i, const char *why)
{
	struct strake_drive *drive = a->drives[i];

	a->drives[i] = NULL;
	snprintf(a->drive_why[i], sizeof(a->drive_why[i]), "%s", why);
	for (uint16_t l = 0; l <= a->n_data; l++)
		strake_msg_call(l, gone_here, drive);
	strake_drive_close(drive);
}

int
plan_drive_return(struct appliance *a, unsigned int i, char *err, size_t errlen)
{
	const struct conf_group *g = plan_group_of(a->conf, &a->conf->drives[i]);
	struct strake_drive *drive = a->drives[i];
	struct log_group *log;
	struct group *group;
	int ret;

	if (g == NULL)
		return -ENOENT;
	group = a->groups[g - a->conf->groups];
	log = a->log_groups[g - a->conf->groups];
	ret = log != NULL ? log_group_member_vacant(log, drive) : group_member_vacant(group, drive);
	if (ret < 0 && log != NULL && g->n_spares > 0)
		return log_group_spare_add(log, drive, err, errlen);
	if (ret < 0) {
		snprintf(err, errlen, "group \"%s\": no member's place is free for drive \"%s\"", g->name, drive->name);
		return -EBUSY;
	}
	if (log != NULL)
		return log_group_member_return(log, (unsigned int)ret, drive, err, errlen);
	return group_member_return(group, (unsigned int)ret, drive, err, errlen);
}
