/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Drives that come: back, in a missing member's place, as a spare, or as a member more. A mark, the notes, two
 * superblocks; then the owner gets a view and fills what is to be filled. And what main records when it has.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "log_priv.h"

/* --- taking a drive in ---------------------------------------------------------------------------------------------
 */

static void
back_formed(struct log_group *g, uint32_t failed)
{
	LOG_GROUP_LOG(NOTICE, "group %s: drive %s is member %u\n", g->s.name, g->back.drive->name, g->back.member);
	g->lost |= failed;
	g->geo_told = g->back.add;
	g->back.drive = NULL;
	lgroup_publish(g);
	lgroup_job_end(g);
}

static void
back_super(struct log_group *g, uint32_t failed)
{
	g->lost |= failed;
	lgroup_formed(g);
	lgroup_fan_super(g, back_formed);
}

/* Each note that was ever written, to the new member. */
static void
back_note(struct log_group *g, uint32_t failed)
{
	g->lost |= failed;
	while (g->back.note < LOG_NOTES && g->note_seq[g->back.note] == 0)
		g->back.note++;
	if (g->back.note < LOG_NOTES) {
		lgroup_note_fan(g, g->back.note++, 1u << g->back.member, back_note);
		return;
	}
	g->s.generation++;
	/* If power goes between, a member that the others know and that knows of nothing would be one loss. */
	if (g->back.add)
		lgroup_fan_super_to(g, 1u << g->back.member, back_super);
	else
		lgroup_fan_super(g, back_super);
}

void
lgroup_back_job(struct log_group *g)
{
	uint32_t i = g->back.member;
	struct lgroup_slot *m = &g->m[i];

	if (g->back.add) {
		g->s.members++;
		g->s.moved = 0;
		g->s.member[i].slots = lgroup_slots(&g->s, g->back.drive);
	}
	m->drive = g->back.drive;
	m->drive->failed = false;
	m->state = g->back.add ? LOG_MEMBER_IN_SYNC : LOG_MEMBER_STALE;
	m->forming = true;
	m->epoch++;
	snprintf(g->s.member[i].serial, sizeof(g->s.member[i].serial), "%s", m->drive->serial);
	g->back.note = 0;
	lgroup_fan_marks(g, back_note);
}

/* What has to be in memory before. */
static int
back_prepare(struct log_group *g, uint32_t i, bool whole)
{
	uint32_t room = g->geo != NULL ? g->geo->room : g->o.geo.room;
	struct lgroup_slot *m = &g->m[i];

	if (whole && group_random_uuid(g->s.member[i].uuid) < 0)
		return -EIO;
	if (m->page == NULL)
		m->page = strake_buf_page(LOG_SUPER_BYTES);
	/* The owner looks at it while the member is stale, and the table grows only while none is. */
	if (m->fresh_room < room) {
		free(m->fresh);
		m->fresh_room = room;
		m->fresh = calloc(1, m->fresh_room / 8 + 1);
	}
	return m->page == NULL || m->fresh == NULL ? -ENOMEM : 0;
}

static bool
drive_is_used(const struct log_group *g, const struct strake_drive *drive)
{
	for (uint32_t i = 0; i < g->s.members; i++) {
		if (g->m[i].drive == drive && g->m[i].state != LOG_MEMBER_MISSING)
			return true;
	}
	return log_group_spare_is(g, drive);
}

static void
back_begin(struct log_group *g, uint32_t member, struct strake_drive *drive, bool add)
{
	g->back.member = member;
	g->back.add = add;
	g->back.drive = drive;
	lgroup_kick(g);
}

static void
back_wait(struct log_group *g)
{
	while (g->back.drive != NULL)
		strake_lcore_turn(RTE_MAX(strake_now(), strake_clock_ns()));
}

int
log_group_member_return(struct log_group *g, unsigned int member, struct strake_drive *drive, char *err, size_t errlen)
{
	bool whole, same;
	int ret;

	if (member >= g->s.members || g->m[member].state != LOG_MEMBER_MISSING || drive_is_used(g, drive) ||
	    g->back.drive != NULL) {
		snprintf(err, errlen, "group \"%s\": drive \"%s\" is in use, or member %u is not missing", g->s.name,
			 drive->name, member);
		return -EBUSY;
	}
	ret = lgroup_judge(g, member, drive, &whole, &same, err, errlen);
	if (ret < 0)
		return ret;
	ret = back_prepare(g, member, whole);
	if (ret < 0) {
		snprintf(err, errlen, "group \"%s\": out of memory", g->s.name);
		return ret;
	}
	g->m[member].same = same;
	back_begin(g, member, drive, false);
	back_wait(g);
	return 0;
}

int
log_group_member_vacant(const struct log_group *g, const struct strake_drive *drive)
{
	int first = -ENOENT;

	for (uint32_t i = 0; i < g->s.members; i++) {
		if (g->m[i].state != LOG_MEMBER_MISSING)
			continue;
		if (strcmp(g->s.member[i].serial, drive->serial) == 0)
			return (int)i;
		if (first < 0)
			first = (int)i;
	}
	return first;
}

/* --- spares --------------------------------------------------------------------------------------------------------
 */

int
log_group_spare_add(struct log_group *g, struct strake_drive *drive, char *err, size_t errlen)
{
	bool whole, same;
	int ret;

	if (g->spares == LOG_SPARES || drive_is_used(g, drive)) {
		snprintf(err, errlen, "group \"%s\": drive \"%s\" is in use, or there are %u spares", g->s.name,
			 drive->name, g->spares);
		return -ENOSPC;
	}
	ret = lgroup_judge(g, UINT32_MAX, drive, &whole, &same, err, errlen);
	if (ret < 0)
		return ret;
	log_group_spare_put(g, drive);
	return 0;
}

void
log_group_spare_put(struct log_group *g, struct strake_drive *drive)
{
	g->spare[g->spares++] = drive;
	lgroup_kick(g);
}

bool
log_group_spare_is(const struct log_group *g, const struct strake_drive *drive)
{
	for (uint32_t i = 0; i < g->spares; i++) {
		if (g->spare[i] == drive)
			return true;
	}
	return false;
}

int
log_group_spare_remove(struct log_group *g, const struct strake_drive *drive)
{
	for (uint32_t i = 0; i < g->spares; i++) {
		if (g->spare[i] != drive)
			continue;
		g->spare[i] = g->spare[--g->spares];
		return 0;
	}
	return -ENOENT;
}

bool
lgroup_spare_job(struct log_group *g)
{
	uint32_t missing = lgroup_mask_state(g, LOG_MEMBER_MISSING);

	for (; missing != 0; missing &= missing - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(missing);

		for (uint32_t k = 0; k < g->spares; k++) {
			struct strake_drive *d = g->spare[k];

			if (lgroup_slots(&g->s, d) < g->s.member[i].slots || back_prepare(g, i, true) < 0)
				continue;
			g->spare[k] = g->spare[--g->spares];
			g->m[i].same = false;
			g->back.member = i;
			g->back.add = false;
			g->back.drive = d;
			lgroup_back_job(g);
			return true;
		}
	}
	return false;
}

/* --- growth --------------------------------------------------------------------------------------------------------
 */

static int
grow_prepare(struct log_group *g, uint32_t slots)
{
	g->geo = calloc(1, sizeof(*g->geo));
	if (g->geo == NULL || lgroup_geometry_copy(g->geo, &g->o.geo) < 0)
		goto err_free;
	if (lgroup_geometry_grow(g->geo, slots) < 0)
		goto err_geo;
	g->rows = rte_zmalloc("log_rows", sizeof(*g->rows) * g->geo->room, 0);
	if (g->rows == NULL)
		goto err_geo;
	return 0;

err_geo:
	lgroup_geometry_fini(g->geo);
err_free:
	free(g->geo);
	g->geo = NULL;
	return -ENOMEM;
}

int
log_group_drive_add(struct log_group *g, struct strake_drive *drive, char *err, size_t errlen)
{
	uint32_t i = g->s.members, slots = lgroup_slots(&g->s, drive);
	bool whole, same;
	int ret;

	if (i == LOG_MEMBERS_MAX || !g->joined || g->geo != NULL || g->view_out || g->back.drive != NULL ||
	    drive_is_used(g, drive) || lgroup_mask_state(g, LOG_MEMBER_IN_SYNC) != (1ULL << i) - 1 ||
	    __atomic_load_n(&g->o.growing, __ATOMIC_ACQUIRE)) {
		snprintf(err, errlen,
			 "group \"%s\": drive \"%s\" cannot be added: all members have to be in sync, and growth to be "
			 "over",
			 g->s.name, drive->name);
		return -EBUSY;
	}
	ret = lgroup_judge(g, UINT32_MAX, drive, &whole, &same, err, errlen);
	if (ret < 0)
		return ret;
	ret = grow_prepare(g, slots);
	if (ret == 0)
		ret = back_prepare(g, i, true);
	if (ret < 0) {
		snprintf(err, errlen, "group \"%s\": out of memory", g->s.name);
		return ret;
	}
	back_begin(g, i, drive, true);
	back_wait(g);
	return 0;
}

/* --- what the owner has filled -------------------------------------------------------------------------------------
 */

void
lgroup_done_on_main(struct strake_msg *msg)
{
	struct lgroup_done *done = (struct lgroup_done *)msg;
	struct log_group *g = done->g;

	if (done->moved)
		g->moved = true;
	else if (g->m[done->member].drive == done->drive)
		g->rebuilt |= 1u << done->member;
	lgroup_kick(g);
}

static void
rebuilt_written(struct log_group *g, uint32_t failed)
{
	g->lost |= failed;
	lgroup_publish(g);
	lgroup_job_end(g);
}

void
lgroup_rebuilt_job(struct log_group *g)
{
	for (; g->rebuilt != 0; g->rebuilt &= g->rebuilt - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(g->rebuilt);

		if (g->m[i].state != LOG_MEMBER_STALE)
			continue;
		g->m[i].state = LOG_MEMBER_IN_SYNC;
		LOG_GROUP_LOG(NOTICE, "group %s: member %u, drive %s, is in sync\n", g->s.name, i, g->m[i].drive->name);
	}
	g->s.generation++;
	lgroup_fan_super(g, rebuilt_written);
}

void
lgroup_moved_job(struct log_group *g)
{
	g->s.moved++;
	g->moved = false;
	g->move_told = true;
	lgroup_fan_super(g, rebuilt_written);
}

/* --- orders --------------------------------------------------------------------------------------------------------
 */

static void
order_back(struct strake_msg *msg)
{
	free(msg);
}

static void
order_there(struct strake_msg *msg)
{
	struct lgroup_order *order = (struct lgroup_order *)msg;

	if (order->g->o.here && order->what == ORDER_RATE)
		order->g->o.walk.rate = order->rate;
	else if (order->g->o.here)
		lgroup_scrub_order(order->g, order);
	msg->fn = order_back;
	strake_msg_send(STRAKE_LCORE_MAIN, msg);
}

static int
order_send(struct log_group *g, int what, uint64_t rate)
{
	struct lgroup_order *order = calloc(1, sizeof(*order));

	if (order == NULL)
		return -ENOMEM;
	if (!g->joined) {
		free(order);
		return -ENODEV;
	}
	order->g = g;
	order->what = what;
	order->rate = rate;
	order->msg.fn = order_there;
	strake_msg_send(g->space.owner, &order->msg);
	return 0;
}

void
log_group_rebuild_rate(struct log_group *g, uint64_t bytes)
{
	if (order_send(g, ORDER_RATE, bytes) == -ENODEV)
		g->o.walk.rate = bytes;
}

int
log_group_scrub_start(struct log_group *g, uint64_t bytes_per_s)
{
	return g->o.scrub.on ? -EALREADY : order_send(g, ORDER_SCRUB, bytes_per_s);
}

void
log_group_scrub_tell(struct log_group *g, const struct log_scrub_last *last)
{
	g->scrub_last = *last;
}

void
log_group_scrub_stop(struct log_group *g)
{
	order_send(g, ORDER_REST, 0);
}
