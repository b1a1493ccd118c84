/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "drive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_log.h>

#include "group.h"
#include "log_group.h"
#include "member.h"
#include "plan.h"
#include "strake_drive.h"

RTE_LOG_REGISTER(drive_log, strake.drive, INFO)

#define RETURNS_MAX    3 /* a drive that comes and goes more often is left to the operator */
#define RETURN_SECONDS 60
#define LOOK_NS	       (500 * STRAKE_NS_PER_MS)
#define WAIT_NS	       (5 * STRAKE_NS_PER_MS)

/* One request that waits. */
struct work {
	struct work *next;
	uint64_t request;   /* 0: nobody's */
	unsigned int drive; /* in the configuration */
	enum { WAIT_ORDER, WAIT_FORGET, WAIT_OPEN } wait;
	bool add;		   /* and open it again */
	bool begun;		   /* it is being opened */
	struct conf_values *where; /* with these values; NULL: as before */
};

static struct work *works;
static struct strake_timer ticker;

/* Drives that came back by themselves, as the configuration counts them. */
static struct homecoming {
	unsigned int seen;
	uint64_t until; /* the group is asked to take it back until then */
} * homecomings;

/* --- finding ---------------------------------------------------------------------------------------------------------
 */

static int
find(struct appliance *a, const struct ctl_request *r, json_t *answer, unsigned int *i)
{
	const char *name = ctl_value(r, "name");

	for (*i = 0; name != NULL && *i < a->conf->n_drives; ++*i)
		if (strcmp(a->conf->drives[*i].name, name) == 0)
			return 0;
	return ctl_refuse(answer, -ENOENT, "no drive \"%s\"", name != NULL ? name : "");
}

/* --- waiting ---------------------------------------------------------------------------------------------------------
 */

static struct work *
work_new(unsigned int drive)
{
	struct work *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->drive = drive;
	w->next = works;
	works = w;
	return w;
}

static void
work_end(struct work *w, int ret, const char *error)
{
	struct work **at = &works;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (w->request != 0)
		ctl_finish(w->request, ret, error);
	conf_values_free(w->where);
	free(w);
}

static bool
waits_for(unsigned int drive)
{
	for (const struct work *w = works; w != NULL; w = w->next)
		if (w->drive == drive)
			return true;
	return false;
}

/* Open drive @p i, with new values if there are any, which are the work's from here on unless it is refused. */
static int
open_later(const struct appliance *a, unsigned int i, struct conf_values *where, json_t *answer)
{
	const struct conf_drive *d = &a->conf->drives[i];
	struct work *w;

	if (plan_group_of(a->conf, d) == NULL)
		return ctl_refuse(answer, -ENOENT, "drive \"%s\" is in no group", d->name);
	if (waits_for(i))
		return ctl_refuse(answer, -EBUSY, "drive \"%s\" is busy with another command", d->name);
	w = work_new(i);
	if (w == NULL)
		return -ENOMEM;
	w->wait = WAIT_OPEN;
	w->where = where;
	w->request = ctl_defer();
	return CTL_LATER;
}

/* --- in and out of service -------------------------------------------------------------------------------------------
 */

/* The same for a member of a log group. */
static int
log_service(struct log_group *g, unsigned int member, struct strake_drive *drive, bool fail, json_t *answer)
{
	char err[BOOT_ERR_MAX] = "";
	int ret;

	if (!fail) {
		ret = log_group_member_return(g, member, drive, err, sizeof(err));
		return ret < 0 && err[0] != '\0' ? ctl_refuse(answer, ret, "%s", err) : ret;
	}
	ret = log_group_member_fail(g, member);
	if (ret == -EBUSY)
		return ctl_refuse(answer, ret, "drive \"%s\" cannot be spared: as many are out as the group has parity",
				  drive->name);
	return ret;
}

int
drive_service(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	struct strake_drive *drive;
	char err[BOOT_ERR_MAX] = "";
	bool fail = strcmp(r->command, "drive fail") == 0;
	unsigned int i, member;
	struct log_group *log;
	struct group *g;
	int ret = find(a, r, answer, &i);

	if (ret < 0)
		return ret;
	drive = a->drives[i];
	log = member_log_group(a, drive, &member);
	if (fail && homecomings != NULL)
		homecomings[i].until = 0;
	if (log != NULL)
		return log_service(log, member, drive, fail, answer);
	g = member_group(a, drive, &member);
	if (fail && g == NULL)
		return ctl_refuse(answer, -ENOENT, "drive \"%s\" is in no group", a->conf->drives[i].name);
	if (fail) {
		ret = group_member_fail(g, member);
		return ret != -EBUSY ? ret
				     : ctl_refuse(answer, ret,
						  "drive \"%s\" cannot be spared: nothing else holds all "
						  "that is on it",
						  drive->name);
	}
	if (drive == NULL)
		return open_later(a, i, NULL, answer);
	if (g != NULL)
		ret = group_member_return(g, member, drive, err, sizeof(err));
	else
		ret = plan_drive_return(a, i, err, sizeof(err));
	return ret < 0 && err[0] != '\0' ? ctl_refuse(answer, ret, "%s", err) : ret;
}

/* --- the hardware ----------------------------------------------------------------------------------------------------
 */

static int
order(struct appliance *a, unsigned int i, enum strake_drive_task task, json_t *answer)
{
	struct strake_drive *drive = a->drives[i];
	char err[BOOT_ERR_MAX] = "";
	int ret = -EOPNOTSUPP;

	if (drive == NULL)
		return ctl_refuse(answer, -ENODEV, "drive \"%s\" is not open: %s", a->conf->drives[i].name,
				  a->drive_why[i]);
	if (drive->ops->order != NULL)
		ret = drive->ops->order(drive, task, err, sizeof(err));
	else
		snprintf(err, sizeof(err), "kind %s has no such thing", drive->ops->name);
	return ret < 0 ? ctl_refuse(answer, ret, "drive \"%s\": %s", drive->name, err) : 0;
}

int
drive_locate(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	const char *light = ctl_value(r, "light");
	bool on = light == NULL || strcmp(light, "on") == 0;
	unsigned int i;
	int ret = find(a, r, answer, &i);

	if (ret < 0)
		return ret;
	if (!on && strcmp(light, "off") != 0)
		return ctl_refuse(answer, -EINVAL, "light is on or off");
	return order(a, i, on ? STRAKE_DRIVE_LOCATE : STRAKE_DRIVE_UNLOCATE, answer);
}

int
drive_order(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	enum strake_drive_task task = strcmp(r->command, "drive format") == 0	  ? STRAKE_DRIVE_FORMAT
				      : strcmp(r->command, "drive sanitize") == 0 ? STRAKE_DRIVE_SANITIZE
										  : STRAKE_DRIVE_LOOK;
	struct work *w;
	unsigned int i;
	int ret = find(a, r, answer, &i);

	if (ret < 0)
		return ret;
	if (task != STRAKE_DRIVE_LOOK && a->drives[i] != NULL &&
	    (member_in_service(a, a->drives[i]) || member_under_way(a->drives[i]) > 0))
		return ctl_refuse(answer, -EBUSY, "drive \"%s\" is in service: `drive fail` takes it out of its group",
				  a->drives[i]->name);
	if (waits_for(i))
		return ctl_refuse(answer, -EBUSY, "drive \"%s\" is busy with another command", a->conf->drives[i].name);
	ret = order(a, i, task, answer);
	if (ret < 0)
		return ret;
	w = work_new(i);
	if (w == NULL)
		return -ENOMEM;
	w->wait = WAIT_ORDER;
	w->request = ctl_defer();
	return CTL_LATER;
}

/* --- in and out of the appliance -------------------------------------------------------------------------------------
 */

/* The key that says where a drive of this kind is. */
static const char *
place_key(const struct conf_drive *d)
{
	for (const struct conf_key *k = strake_drive_find(d->kind)->keys; k->name != NULL; k++)
		if (strcmp(k->name, "device") == 0 || strcmp(k->name, "path") == 0)
			return k->name;
	return NULL;
}

static int
place_values(const struct conf_drive *d, const char *at, struct conf_values **out, json_t *answer)
{
	char err[BOOT_ERR_MAX] = "";
	const char *key = place_key(d);

	*out = NULL;
	if (at == NULL)
		return 0;
	if (key == NULL)
		return ctl_refuse(answer, -EINVAL, "drives of kind %s have no place", d->kind);
	*out = conf_values_with(d->values, key, at, err, sizeof(err));
	return *out != NULL ? 0 : ctl_refuse(answer, -EINVAL, "%s", err);
}

int
drive_add(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	struct conf_values *where;
	unsigned int i;
	int ret = find(a, r, answer, &i);

	if (ret < 0)
		return ret;
	if (a->drives[i] != NULL)
		return ctl_refuse(answer, -EBUSY, "drive \"%s\" is open; `drive return` brings it back into its group",
				  a->drives[i]->name);
	ret = place_values(&a->conf->drives[i], ctl_value(r, "at"), &where, answer);
	if (ret < 0)
		return ret;
	ret = open_later(a, i, where, answer);
	if (ret < 0)
		conf_values_free(where);
	return ret;
}

/* Out of its group, if it is in one and not out already. */
static int
out_of_service(struct appliance *a, unsigned int i, json_t *answer)
{
	const char *name = a->conf->drives[i].name;
	struct strake_drive *drive = a->drives[i], *has;
	unsigned int member;
	struct log_group *log = member_spare_of(a, drive);
	struct group *g = member_group(a, drive, &member);
	int ret = 0;

	if (log != NULL)
		return log_group_spare_remove(log, drive);
	if (g == NULL)
		log = member_log_group(a, drive, &member);
	if (log != NULL)
		return member_in_service(a, drive) ? log_service(log, member, drive, true, answer) : 0;
	if (g != NULL && group_member_get(g, member, &has) != GROUP_MEMBER_MISSING)
		ret = group_member_fail(g, member);
	if (ret == -EINVAL)
		return ctl_refuse(answer, ret, "drive \"%s\" cannot be spared: its group has no mirrors", name);
	if (ret == -EBUSY)
		return ctl_refuse(answer, ret, "drive \"%s\" cannot be spared: no other half of its mirror is in sync",
				  name);
	return ret;
}

static int
leave(struct appliance *a, unsigned int i, struct conf_values *where, bool add, json_t *answer)
{
	const char *name = a->conf->drives[i].name;
	struct work *w;
	int ret;

	if (waits_for(i))
		return ctl_refuse(answer, -EBUSY, "drive \"%s\" is busy with another command", name);
	ret = out_of_service(a, i, answer);
	if (ret < 0)
		return ret;
	w = work_new(i);
	if (w == NULL)
		return -ENOMEM;
	if (homecomings != NULL)
		homecomings[i].until = 0;
	w->wait = WAIT_FORGET;
	w->where = where;
	w->add = add;
	w->request = ctl_defer();
	return CTL_LATER;
}

int
drive_remove(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	unsigned int i;
	int ret = find(a, r, answer, &i);

	if (ret < 0)
		return ret;
	if (a->drives[i] == NULL)
		return ctl_refuse(answer, -EALREADY, "drive \"%s\" is not open: %s", a->conf->drives[i].name,
				  a->drive_why[i]);
	return leave(a, i, NULL, false, answer);
}

int
drive_replace(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	struct conf_values *where;
	unsigned int i;
	int ret = find(a, r, answer, &i);

	if (ret < 0)
		return ret;
	if (ctl_value(r, "at") == NULL)
		return ctl_refuse(answer, -EINVAL, "drive replace needs at=DEVICE");
	if (a->drives[i] == NULL)
		return drive_add(a, r, answer);
	ret = place_values(&a->conf->drives[i], ctl_value(r, "at"), &where, answer);
	if (ret < 0)
		return ret;
	ret = leave(a, i, where, true, answer);
	if (ret < 0)
		conf_values_free(where);
	return ret;
}

/* --- what goes on by itself ------------------------------------------------------------------------------------------
 */

/* @return false while the drive is in somebody's hands. */
static bool
gone(struct appliance *a, struct work *w)
{
	struct strake_drive *drive = a->drives[w->drive];
	unsigned int member;
	struct group *g = member_group(a, drive, &member);
	struct log_group *log;
	int ret = 0;

	if (g != NULL)
		ret = group_member_forget(g, member);
	else if ((log = member_log_group(a, drive, &member)) != NULL)
		ret = log_group_member_forget(log, member);
	if (ret == -EAGAIN || (ret == 0 && member_in_hand(a, drive)))
		return false;
	/* It took the place of its own accord that it had before, or was the last half by the time it was asked. */
	if (ret < 0) {
		work_end(w, ret, "its group needs it");
		return true;
	}
	plan_drive_close(a, w->drive, "it was removed");
	if (w->add)
		w->wait = WAIT_OPEN;
	else
		work_end(w, 0, "");
	return true;
}

/* A drive that was silent when the appliance started: its group has it back when it is open after all. */
static void
await(unsigned int i)
{
	struct work *w = plan_drive_late(i) && !waits_for(i) ? work_new(i) : NULL;

	if (w == NULL)
		return;
	w->wait = WAIT_OPEN;
	w->begun = true;
}

/* Opened, and given to its group; a drive that its group does not take is closed again. @return false: not yet. */
static bool
opened(struct appliance *a, struct work *w)
{
	struct conf_drive *d = (struct conf_drive *)(uintptr_t)&a->conf->drives[w->drive];
	char err[BOOT_ERR_MAX] = "";
	int ret;

	if (!w->begun) {
		ret = plan_drive_open(a, w->drive, w->where != NULL ? w->where : d->values, err, sizeof(err));
		w->begun = ret == 0;
		if (ret == 0 || ret == -EBUSY)
			return false;
	} else {
		ret = plan_drive_opened(a, w->drive, err, sizeof(err));
		if (ret == -EINPROGRESS)
			return false;
	}
	if (ret == 0)
		ret = plan_drive_return(a, w->drive, err, sizeof(err));
	if (ret < 0 && a->drives[w->drive] != NULL && !member_in_hand(a, a->drives[w->drive]))
		plan_drive_close(a, w->drive, err);
	if (ret == 0 && w->where != NULL) {
		conf_values_free(d->values);
		d->values = w->where;
		w->where = NULL;
	}
	if (w->request == 0)
		rte_log(ret < 0 ? RTE_LOG_WARNING : RTE_LOG_NOTICE, drive_log, "drive %s, which was late: %s\n",
			d->name, ret < 0 ? err : "its group has it back");
	work_end(w, ret, err);
	return true;
}

static bool
ordered(struct appliance *a, struct work *w)
{
	struct strake_drive *drive = a->drives[w->drive];
	char said[BOOT_ERR_MAX] = "";
	int ret = drive->ops->ordered(drive, said, sizeof(said));

	if (ret == -EINPROGRESS)
		return false;
	work_end(w, ret, said);
	return true;
}

static bool
over(struct appliance *a, struct work *w)
{
	switch (w->wait) {
	case WAIT_ORDER:
		return ordered(a, w);
	case WAIT_FORGET:
		return gone(a, w);
	default:
		return opened(a, w);
	}
}

/* A drive that vanished is back: its group takes it, unless that happens too often. */
static void
welcome(struct appliance *a, unsigned int i, uint64_t now)
{
	struct strake_drive *drive = a->drives[i];
	struct homecoming *h = &homecomings[i];
	char err[BOOT_ERR_MAX] = "";
	unsigned int returns = drive != NULL ? __atomic_load_n(&drive->returns, __ATOMIC_ACQUIRE) : 0;

	if (returns != h->seen) {
		h->seen = returns;
		h->until = returns <= RETURNS_MAX ? now + RETURN_SECONDS * STRAKE_NS_PER_SEC : 0;
	}
	if (h->until == 0 || drive == NULL || !drive->failed || waits_for(i))
		return;
	if (now < h->until && plan_drive_return(a, i, err, sizeof(err)) < 0)
		rte_log(RTE_LOG_WARNING, drive_log, "drive %s is there again: %s\n", drive->name, err);
	h->until = 0;
}

/* Main sleeps when nothing happens: the clock wakes it, and drive_poll() is called in the same turn. */
static void
tick(struct strake_timer *t, uint64_t now)
{
	strake_timer_arm(t, now + (works != NULL ? WAIT_NS : LOOK_NS));
}

uint32_t
drive_poll(struct appliance *a, uint64_t now)
{
	static uint64_t next;

	if (!strake_timer_armed(&ticker) || (works != NULL && ticker.due > now + WAIT_NS)) {
		ticker.fn = tick;
		tick(&ticker, now);
	}

	for (struct work *w = works; w != NULL; w = w->next) {
		if (over(a, w))
			return 1; /* the list may be another now */
	}
	if (now < next)
		return 0;
	next = now + LOOK_NS;
	if (homecomings == NULL)
		homecomings = calloc(a->conf->n_drives + 1, sizeof(*homecomings));
	for (unsigned int i = 0; homecomings != NULL && i < a->conf->n_drives; i++) {
		await(i);
		welcome(a, i, now);
	}
	return 0;
}

void
drive_down(struct appliance *a)
{
	strake_timer_cancel(&ticker);
	plan_drive_open_leave(a);
	while (works != NULL)
		work_end(works, -ESHUTDOWN, "the appliance ends");
	free(homecomings);
	homecomings = NULL;
}
