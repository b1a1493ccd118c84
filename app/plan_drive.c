/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Drives: all of them opened when the appliance starts, and those that come and go while it serves. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_log.h>

#include "foreign.h"
#include "group.h"
#include "log_group.h"
#include "plan.h"
#include "strake_drive.h"

RTE_LOG_REGISTER(drives_log, strake.drives, INFO)

#define LATE_SECONDS 15 /* from the start, after which what can do without a drive goes on without it */
#define LOOK_US	     500

/* A drive that is being opened, by a thread of its own: one that keeps silent takes its time, and holds nobody up. */
struct arrival {
	struct strake_opening *opening; /* NULL: it is not */
	const struct conf_drive *conf;
	char path[256]; /* where somebody else's data may be; empty: not looked for */
	bool foreign;	/* there is some, or it cannot be told */
	bool late;	/* its group went on without it */
};

static struct arrival *arrivals; /* as conf->drives */

/* --- one of them -----------------------------------------------------------------------------------------------------
 */

/* On its thread: a drive that does not answer does not answer this, either. */
static int
look_for_others_data(void *arg, char *err, size_t len)
{
	struct arrival *ar = arg;
	int ret = foreign_check(ar->conf, ar->path, err, len);

	ar->foreign = ret < 0;
	return ret;
}

static int
arrival_begin(const struct appliance *a, unsigned int i, const struct conf_values *values, bool look, char *err,
	      size_t errlen)
{
	const struct conf_drive *d = &a->conf->drives[i];
	const char *path = look ? foreign_path(d) : NULL;
	struct arrival *ar = &arrivals[i];
	struct strake_drive_begin how = {
		.name = d->name,
		.kind = d->kind,
		.conf = values,
		.first = path != NULL ? look_for_others_data : NULL,
		.arg = ar,
	};

	if (ar->opening != NULL)
		return -EBUSY;
	*ar = (struct arrival){.conf = d};
	snprintf(ar->path, sizeof(ar->path), "%s", path != NULL ? path : "");
	return strake_drive_open_begin(&ar->opening, &how, err, errlen);
}

/* @return -EINPROGRESS; else it is over, and 0 and *drive or -errno and one line in @p err. */
static int
arrival_end(struct arrival *ar, struct strake_drive **drive, char *err, size_t errlen)
{
	int ret = strake_drive_open_end(ar->opening, drive, err, errlen);

	if (ret != -EINPROGRESS) {
		ar->opening = NULL;
		ar->late = false;
	}
	return ret;
}

/* --- all, at the start -----------------------------------------------------------------------------------------------
 */

/* The drive is not there, not ours to use just now, or says of itself what cannot be: no mistake of the configuration,
 * nor want of memory. */
static bool
unusable(int err)
{
	static const int causes[] = {ENOENT, ENODEV, ENXIO, EIO, EACCES, EPERM, EROFS, EBUSY, ETIMEDOUT, EBADMSG};

	for (unsigned int i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (err == -causes[i])
			return true;
	}
	return false;
}

/* Can its group do without one of its drives? */
static bool
spared(const struct conf_group *g)
{
	return g != NULL && (g->style == CONF_STYLE_LOG ? g->parity > 0 || g->n_spares > 0 : g->raid != CONF_RAID0);
}

/* @return as arrival_end(); -EINPROGRESS: it has had its time, and its group can do without it. */
static int
await(struct appliance *a, unsigned int i, uint64_t until, struct strake_drive **drive)
{
	const struct conf_drive *d = &a->conf->drives[i];
	const struct conf_group *g = plan_group_of(a->conf, d);
	bool told = false;
	int ret;

	while ((ret = arrival_end(&arrivals[i], drive, a->err, sizeof(a->err))) == -EINPROGRESS) {
		if (boot_cancelled())
			return -ECANCELED;
		if (strake_clock_ns() >= until && !told) {
			told = true;
			rte_log(RTE_LOG_WARNING, drives_log, "drive %s has not answered for %u s; %s%s%s\n", d->name,
				LATE_SECONDS, spared(g) ? "group " : "", spared(g) ? g->name : "nothing",
				spared(g) ? " goes on without it if it can, and takes it back when it answers"
					  : " goes on without it");
			if (spared(g))
				return ret;
		}
		usleep(LOOK_US);
	}
	return ret;
}

static int
drive_up(struct appliance *a, unsigned int i, uint64_t until)
{
	const struct conf_drive *d = &a->conf->drives[i];
	const struct conf_group *g = plan_group_of(a->conf, d);
	int ret = await(a, i, until, &a->drives[i]);

	if (ret == -EINPROGRESS) {
		arrivals[i].late = true;
		snprintf(a->drive_why[i], sizeof(a->drive_why[i]), "drive %s: it has not answered yet", d->name);
		return 0;
	}
	if (ret == 0)
		ret = strake_drive_lcore_init(a->drives[i]);
	if (ret == 0)
		return 0;
	if (a->err[0] == '\0')
		snprintf(a->err, sizeof(a->err), "drive %s: %s", d->name, strerror(-ret));
	if (a->drives[i] != NULL || arrivals[i].foreign || !spared(g) || !unusable(ret))
		return ret;
	rte_log(RTE_LOG_WARNING, drives_log, "%s; group %s goes on without it if it can\n", a->err, g->name);
	memcpy(a->drive_why[i], a->err, sizeof(a->drive_why[i]));
	a->err[0] = '\0';
	return 0;
}

int
plan_drives_up(struct appliance *a)
{
	uint64_t until = strake_clock_ns() + LATE_SECONDS * STRAKE_NS_PER_SEC;
	unsigned int i;
	int ret = 0;

	a->drives = calloc(a->conf->n_drives + 1, sizeof(*a->drives));
	a->drive_why = calloc(a->conf->n_drives + 1, sizeof(*a->drive_why));
	arrivals = calloc(a->conf->n_drives + 1, sizeof(*arrivals));
	if (a->drives == NULL || a->drive_why == NULL || arrivals == NULL)
		ret = -ENOMEM;
	for (i = 0; ret == 0 && i < a->conf->n_drives; i++)
		ret = arrival_begin(a, i, a->conf->drives[i].values, true, a->err, sizeof(a->err));
	for (i = 0; ret == 0 && i < a->conf->n_drives; i++)
		ret = drive_up(a, i, until);
	if (ret < 0)
		plan_drives_down(a);
	return ret;
}

void
plan_drives_down(struct appliance *a)
{
	plan_drive_open_leave(a);
	for (unsigned int i = a->drives != NULL ? a->conf->n_drives : 0; i-- > 0;) {
		if (a->drives[i] == NULL)
			continue;
		strake_drive_lcore_fini(a->drives[i]);
		strake_drive_close(a->drives[i]);
	}
	free(a->drives);
	free(a->drive_why);
	free(arrivals);
	a->drives = NULL;
	a->drive_why = NULL;
	arrivals = NULL;
}

/* --- while it serves -------------------------------------------------------------------------------------------------
 */

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
	return arrival_begin(a, i, values, false, err, errlen);
}

bool
plan_drive_late(unsigned int i)
{
	return arrivals[i].late;
}

int
plan_drive_opened(struct appliance *a, unsigned int i, char *err, size_t errlen)
{
	struct strake_drive *drive = NULL;
	uint16_t l;
	int ret = arrival_end(&arrivals[i], &drive, err, errlen);

	if (ret == -EINPROGRESS)
		return ret;
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
plan_drive_open_leave(const struct appliance *a)
{
	unsigned int i, n = arrivals != NULL ? a->conf->n_drives : 0;

	/* All are told first, so that they end at the same time. */
	for (i = 0; i < n; i++) {
		if (arrivals[i].opening != NULL)
			strake_drive_open_unwant(arrivals[i].opening);
	}
	for (i = 0; i < n; i++) {
		if (arrivals[i].opening != NULL)
			strake_drive_open_leave(arrivals[i].opening);
		arrivals[i].opening = NULL;
	}
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
