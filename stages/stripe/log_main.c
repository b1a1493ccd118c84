/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Jobs of a log group on main, one at a time, and what it and the owner tell each other.
 *
 * in sync --(a write fails, the drive is gone, the operator says so)--> missing
 *         refused when m are out already: then what needs it ends with -EIO, and it stays a member in sync, because
 *         nothing that it lacks was ever acknowledged.
 * missing --(its drive, or a blank one, is given)--> stale --(rebuilt, flushed)--> in sync
 * stale   --(a write fails)--> missing
 *
 * Each arrow is a new generation, durable on every member that is written afterwards; then the owner gets a view.
 */

#include <stdlib.h>

#include <rte_malloc.h>

#include "log_priv.h"
#include "strake_drive_error.h"

void
lgroup_job_end(struct log_group *g)
{
	g->busy = false;
	lgroup_kick(g);
}

void
lgroup_settle(struct log_group *g)
{
	while (g->busy)
		strake_lcore_turn(RTE_MAX(strake_now(), strake_clock_ns()));
}

/* --- views ---------------------------------------------------------------------------------------------------------
 */

static void
view_back(struct strake_msg *msg)
{
	struct lgroup_view *v = (struct lgroup_view *)msg;
	struct log_group *g = v->g;

	if (v->geo != NULL) {
		lgroup_geometry_fini(v->geo);
		free(v->geo);
	}
	rte_free(v->rows);
	v->geo = NULL;
	v->rows = NULL;
	g->view_out = false;
	if (g->view_due)
		lgroup_publish(g);
}

/* On the owner. */
static void
view_there(struct strake_msg *msg)
{
	if (((struct lgroup_view *)msg)->g->o.here)
		lgroup_adopt(msg);
	msg->fn = view_back;
	strake_msg_send(STRAKE_LCORE_MAIN, msg);
}

void
lgroup_publish(struct log_group *g)
{
	struct lgroup_view *v = &g->view;

	g->view_due = g->view_out;
	if (g->view_out || !g->joined)
		return;
	v->g = g;
	v->members = g->s.members;
	v->refused = g->refused;
	v->moved = g->move_told;
	g->refused = 0;
	g->move_told = false;
	if (g->geo_told) {
		v->geo = g->geo;
		v->rows = g->rows;
		v->rows_room = g->geo->room;
		g->geo = NULL;
		g->rows = NULL;
		g->geo_told = false;
	}
	for (uint32_t i = 0; i < g->s.members; i++) {
		v->m[i].drive = g->m[i].drive;
		v->m[i].state = g->m[i].state;
		v->m[i].epoch = g->m[i].epoch;
		v->m[i].same = g->m[i].same;
		v->m[i].fresh = g->m[i].fresh;
	}
	v->msg.fn = view_there;
	g->view_out = true;
	strake_msg_send(g->space.owner, &v->msg);
}

void
lgroup_join_on_main(struct strake_msg *msg)
{
	struct log_group *g = container_of(msg, struct log_group, o.join);

	g->joined = true;
	g->join_due = true;
	lgroup_kick(g);
}

void
lgroup_leave_on_main(struct strake_msg *msg)
{
	struct log_group *g = container_of(msg, struct log_group, o.leave);

	g->joined = false;
	__atomic_fetch_sub(&g->users, 1, __ATOMIC_RELAXED);
}

/* --- losing members ------------------------------------------------------------------------------------------------
 */

static void
say_lost(const struct log_group *g, uint32_t i)
{
	const struct strake_drive *drive = g->m[i].drive;
	char error[STRAKE_DRIVE_ERROR_MAX] = "";

	if (drive != NULL)
		strake_drive_error(drive, error);
	LOG_GROUP_LOG(ERR, "group %s: member %u, drive %s, is out of service%s%s\n", g->s.name, i,
		      drive != NULL ? drive->name : "-", strake_drive_error_lead(error), error);
}

static void lost_step(struct log_group *g);

static void
lost_publish(struct log_group *g)
{
	for (uint32_t i = 0; i < g->s.members; i++) {
		if (g->m[i].drive != NULL && g->m[i].state == LOG_MEMBER_MISSING)
			g->m[i].drive->failed = true;
	}
	lgroup_publish(g);
	lgroup_job_end(g);
}

static void
lost_written(struct log_group *g, uint32_t failed)
{
	if (failed == 0) {
		lost_publish(g);
		return;
	}
	g->lost |= failed;
	lost_step(g);
}

/* Whom of the lost the group can spare. A loss that cannot be made durable on all survivors is none to rely on. */
static void
lost_step(struct log_group *g)
{
	bool more = false;

	for (; g->lost != 0; g->lost &= g->lost - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(g->lost);
		uint32_t away = g->s.members - (uint32_t)__builtin_popcount(lgroup_mask_state(g, LOG_MEMBER_IN_SYNC));

		if (g->m[i].state == LOG_MEMBER_MISSING)
			continue;
		if (g->m[i].state == LOG_MEMBER_IN_SYNC && away >= g->s.parity) {
			g->refused |= 1u << i | g->changed;
			continue;
		}
		say_lost(g, i);
		g->m[i].state = LOG_MEMBER_MISSING;
		g->changed |= 1u << i;
		more = true;
	}
	if (more) {
		g->s.generation++;
		lgroup_fan_super(g, lost_written);
	} else {
		lost_publish(g);
	}
}

void
lgroup_report_on_main(struct strake_msg *msg)
{
	struct lgroup_report *r = (struct lgroup_report *)msg;
	struct log_group *g = r->g;

	if (g->m[r->member].drive == r->drive && g->m[r->member].state != LOG_MEMBER_MISSING)
		g->lost |= 1u << r->member;
	lgroup_kick(g);
}

int
log_group_member_fail(struct log_group *g, unsigned int member)
{
	if (member >= g->s.members || g->m[member].state == LOG_MEMBER_MISSING)
		return -EINVAL;
	if (g->m[member].state == LOG_MEMBER_IN_SYNC &&
	    g->s.members - (uint32_t)__builtin_popcount(lgroup_mask_state(g, LOG_MEMBER_IN_SYNC)) >= g->s.parity)
		return -EBUSY;
	g->lost |= 1u << member;
	lgroup_kick(g);
	return 0;
}

int
log_group_member_forget(struct log_group *g, unsigned int member)
{
	struct lgroup_slot *m = &g->m[member];

	if (member >= g->s.members)
		return -EINVAL;
	if (g->busy || g->lost >> member & 1 || (g->back.drive != NULL && g->back.member == member))
		return -EAGAIN;
	if (m->state != LOG_MEMBER_MISSING)
		return -EBUSY;
	if (m->drive != NULL) {
		m->drive = NULL;
		lgroup_publish(g);
	}
	return __atomic_load_n(&g->o.m[member].drive, __ATOMIC_ACQUIRE) != NULL ? -EAGAIN : 0;
}

bool
log_group_has_drive(const struct log_group *g, const struct strake_drive *drive)
{
	for (uint32_t i = 0; i < g->s.members; i++) {
		if (g->m[i].drive == drive || __atomic_load_n(&g->o.m[i].drive, __ATOMIC_ACQUIRE) == drive)
			return true;
	}
	return g->back.drive == drive || log_group_spare_is(g, drive);
}

/* --- the next job --------------------------------------------------------------------------------------------------
 */

void
lgroup_kick(struct log_group *g)
{
	if (g->busy)
		return;
	g->busy = true;
	if (g->lost != 0) {
		g->changed = 0;
		lost_step(g);
	} else if (g->join_due) {
		g->join_due = false;
		lgroup_publish(g);
		lgroup_job_end(g);
	} else if (g->rebuilt != 0) {
		lgroup_rebuilt_job(g);
	} else if (g->moved) {
		lgroup_moved_job(g);
	} else if (g->notes != NULL) {
		lgroup_note_job(g);
	} else if (g->back.drive != NULL) {
		lgroup_back_job(g);
	} else if (g->closing || !lgroup_spare_job(g)) {
		g->busy = false;
	}
}
