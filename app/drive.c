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
	uint64_t request;
	unsigned int drive; /* in the configuration */
	enum { WAIT_ORDER, WAIT_FORGET } wait;
	bool add;		   /* and open it again */
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

/* The log group whose member this open drive is, or NULL. */
static struct log_group *
log_group_with(const struct appliance *a, const struct strake_drive *drive, unsigned int *member)
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

/* The plain group whose member this open drive is, or NULL. */
static struct group *
group_with(struct appliance *a, const struct strake_drive *drive, unsigned int *member)
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

static uint64_t
under_way(const struct strake_drive *drive)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++)
		n += drive->stats[i] != NULL ? drive->stats[i]->inflight : 0;
	return n;
}

/* Also while a group only looks whether it may be a member. */
static bool
in_hand(const struct appliance *a, const struct strake_drive *drive)
{
	for (unsigned int g = 0; g < a->conf->n_groups; g++) {
		if (a->groups[g] != NULL ? group_has_drive(a->groups[g], drive)
					 : log_group_has_drive(a->log_groups[g], drive))
			return true;
	}
	return under_way(drive) > 0;
}

/* The log group whose spare it is, or NULL. */
static struct log_group *
spare_of(const struct appliance *a, const struct strake_drive *drive)
{
	for (unsigned int g = 0; drive != NULL && g < a->conf->n_groups; g++)
		if (a->log_groups[g] != NULL && log_group_spare_is(a->log_groups[g], drive))
			return a->log_groups[g];
	return NULL;
}

static bool
in_service(struct appliance *a, const struct strake_drive *drive)
{
	unsigned int member;
	const struct group *g = group_with(a, drive, &member);
	const struct log_group *log = g == NULL ? log_group_with(a, drive, &member) : NULL;
	struct log_member_figures f;
	struct strake_drive *has;

	if (log != NULL)
		return log_group_member_get(log, member, &f) == 0 && f.state != LOG_MEMBER_MISSING;
	return spare_of(a, drive) != NULL || (g != NULL && group_member_get(g, member, &has) != GROUP_MEMBER_MISSING);
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
	log = log_group_with(a, drive, &member);
	if (fail && homecomings != NULL)
		homecomings[i].until = 0;
	if (log != NULL)
		return log_service(log, member, drive, fail, answer);
	g = group_with(a, drive, &member);
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
	if (g != NULL)
		ret = group_member_return(g, member, drive, err, sizeof(err));
	else
		ret = plan_drive_return(a, a->conf->drives[i].name, err, sizeof(err));
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
	    (in_service(a, a->drives[i]) || under_way(a->drives[i]) > 0))
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

/* Open drive @p i, with new values if there are any, and give it to its group. Takes over *@p where if all went well.
 */
static int
open_drive(struct appliance *a, unsigned int i, struct conf_values **where, char *err, size_t len)
{
	struct conf_drive *d = (struct conf_drive *)(uintptr_t)&a->conf->drives[i];
	struct conf_values *old = d->values;
	int ret;

	if (*where != NULL)
		d->values = *where;
	ret = plan_drive_return(a, d->name, err, len);
	if (ret < 0 && a->drives[i] != NULL && !in_hand(a, a->drives[i]))
		plan_drive_close(a, i, err);
	if (ret < 0) {
		d->values = old;
	} else if (*where != NULL) {
		conf_values_free(old);
		*where = NULL;
	}
	return ret;
}

int
drive_add(struct appliance *a, const struct ctl_request *r, json_t *answer)
{
	char err[BOOT_ERR_MAX] = "";
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
	ret = open_drive(a, i, &where, err, sizeof(err));
	conf_values_free(where);
	return ret < 0 && err[0] != '\0' ? ctl_refuse(answer, ret, "%s", err) : ret;
}

/* Out of its group, if it is in one and not out already. */
static int
out_of_service(struct appliance *a, unsigned int i, json_t *answer)
{
	const char *name = a->conf->drives[i].name;
	struct strake_drive *drive = a->drives[i], *has;
	unsigned int member;
	struct log_group *log = spare_of(a, drive);
	struct group *g = group_with(a, drive, &member);
	int ret = 0;

	if (log != NULL)
		return log_group_spare_remove(log, drive);
	if (g == NULL)
		log = log_group_with(a, drive, &member);
	if (log != NULL)
		return in_service(a, drive) ? log_service(log, member, drive, true, answer) : 0;
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
	char err[BOOT_ERR_MAX] = "";
	unsigned int member;
	struct group *g = group_with(a, drive, &member);
	struct log_group *log;
	int ret = 0;

	if (g != NULL)
		ret = group_member_forget(g, member);
	else if ((log = log_group_with(a, drive, &member)) != NULL)
		ret = log_group_member_forget(log, member);
	if (ret == -EAGAIN || (ret == 0 && in_hand(a, drive)))
		return false;
	/* It took the place of its own accord that it had before, or was the last half by the time it was asked. */
	if (ret < 0) {
		work_end(w, ret, "its group needs it");
		return true;
	}
	plan_drive_close(a, w->drive, "it was removed");
	if (w->add)
		ret = open_drive(a, w->drive, &w->where, err, sizeof(err));
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
	if (now < h->until && plan_drive_return(a, drive->name, err, sizeof(err)) < 0)
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
		if (w->wait == WAIT_ORDER ? ordered(a, w) : gone(a, w))
			return 1; /* the list may be another now */
	}
	if (now < next)
		return 0;
	next = now + LOOK_NS;
	if (homecomings == NULL)
		homecomings = calloc(a->conf->n_drives + 1, sizeof(*homecomings));
	for (unsigned int i = 0; homecomings != NULL && i < a->conf->n_drives; i++)
		welcome(a, i, now);
	return 0;
}

void
drive_down(struct appliance *a)
{
	RTE_SET_USED(a);
	strake_timer_cancel(&ticker);
	while (works != NULL)
		work_end(works, -ESHUTDOWN, "the appliance ends");
	free(homecomings);
	homecomings = NULL;
}
