/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Members: losing one, and getting one back.
 *
 * in sync --(a write fails, the drive is gone, the operator says so)--> missing
 *         refused when no other half of the column is in sync: then the host gets the error. If it was one of our own
 *         writes that failed, nothing durable can be said on that column any more: the member is dead, the column lost.
 * missing --(its drive, or a blank one, is given)--> stale --(all dirty regions copied, flushed)--> in sync
 * stale   --(a write fails)--> missing
 *
 * Each arrow is a new generation, durable on every member that is in sync or stale afterwards, then a round; only after
 * that do lcores acknowledge what the lost member does not have.
 */

#include <string.h>
#include <sys/random.h>

#include "group_priv.h"
#include "strake_drive_error.h"
#include "strake_kernel.h"

static void lost_step(struct group *g);

/* Is another half of the member's column in sync? */
bool
group_column_spare(const struct group *g, uint32_t member)
{
	uint32_t col = col_mask(&g->geo, member / g->geo.copies);

	return (group_mask_state(g, GROUP_MEMBER_IN_SYNC) & col & ~(1u << member)) != 0;
}

/* Answer the reports whose member is decided. */
static void
fails_answer(struct group *g)
{
	struct group_fail **at = &g->fails;

	while (*at != NULL) {
		struct group_fail *f = *at;

		if (g->lost_host & 1u << f->member) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		strake_msg_send(f->msg.from, &f->msg);
	}
}

void stripe_failed(struct strake_msg *msg);

void
group_fail_on_main(struct strake_msg *msg)
{
	struct group_fail *f = (struct group_fail *)msg;
	struct group *g = f->lc->g;

	msg->fn = stripe_failed;
	f->next = g->fails;
	g->fails = f;
	g->lost_host |= 1u << f->member;
	g->member_errors++;
	group_kick(g);
}

static void
lost_known(struct group *g)
{
	group_task_end(g);
}

static void
lost_publish(struct group *g)
{
	for (uint32_t i = 0; i < g->s.members; i++) {
		if (g->m[i].drive != NULL && (g->m[i].state == GROUP_MEMBER_MISSING || g->m[i].dead))
			g->m[i].drive->failed = true;
	}
	round_publish(g, lost_known);
	/* After the view on the same way, so whoever gets an answer has the view already. */
	fails_answer(g);
}

static void
lost_written(struct group *g, uint32_t failed)
{
	if (failed != 0) {
		g->lost_meta |= failed;
		lost_step(g);
	} else {
		lost_publish(g);
	}
}

static void
lose(struct group *g, uint32_t i, uint32_t meta, bool *states, bool *dead)
{
	struct group_slot *m = &g->m[i];
	char error[STRAKE_DRIVE_ERROR_MAX];

	if (m->state == GROUP_MEMBER_MISSING || m->dead)
		return;
	strake_drive_error(m->drive, error);
	if (m->state == GROUP_MEMBER_STALE || group_column_spare(g, i)) {
		m->state = GROUP_MEMBER_MISSING;
		*states = true;
		GROUP_LOG(ERR, "group %s: member %u, drive %s, has failed and is out of service%s%s\n", g->s.name, i,
			  m->drive->name, strake_drive_error_lead(error), error);
	} else if (meta & 1u << i) {
		m->dead = true;
		*dead = true;
		GROUP_LOG(ERR, "group %s: member %u, drive %s, has failed and nothing stands in for it%s%s\n",
			  g->s.name, i, m->drive->name, strake_drive_error_lead(error), error);
	}
}

static void
lost_step(struct group *g)
{
	uint32_t meta = g->lost_meta, both = g->lost_host | meta;
	bool states = false, dead = false;

	g->lost_host = 0;
	g->lost_meta = 0;
	for (; both != 0; both &= both - 1)
		lose(g, (uint32_t)__builtin_ctz(both), meta, &states, &dead);
	if (states || dead) {
		g->s.generation++;
		fan_super(g, group_mask_writable(g), lost_written);
		return;
	}
	/* Nothing changed this time; but an earlier step of this task may have changed states. */
	lost_publish(g);
}

void
task_lost(struct group *g)
{
	lost_step(g);
}

int
group_member_fail(struct group *g, unsigned int member)
{
	if (member >= g->s.members || g->geo.copies == 1)
		return -EINVAL;
	if (g->m[member].state == GROUP_MEMBER_MISSING)
		return -EALREADY;
	if (g->m[member].state == GROUP_MEMBER_IN_SYNC && !group_column_spare(g, member))
		return -EBUSY;
	g->lost_host |= 1u << member;
	group_kick(g);
	return 0;
}

/* --- letting go -----------------------------------------------------------------------------------------------------
 */

static void
forgotten(struct group *g)
{
	g->forget = 0;
	group_task_end(g);
}

/* The round that made it missing has waited for all I/O on it; this one takes it out of everybody's view. */
void
task_forget(struct group *g)
{
	for (uint32_t rest = g->forget; rest != 0; rest &= rest - 1) {
		struct group_slot *m = &g->m[__builtin_ctz(rest)];

		if (m->state == GROUP_MEMBER_MISSING)
			m->drive = NULL;
	}
	round_publish(g, forgotten);
}

int
group_member_forget(struct group *g, unsigned int member)
{
	const struct group_slot *m = &g->m[member];

	if (member >= g->s.members)
		return -EINVAL;
	if (((g->lost_host | g->lost_meta | g->forget) & 1u << member) != 0 || (g->back != NULL && g->back_i == member))
		return -EAGAIN;
	if (m->state != GROUP_MEMBER_MISSING)
		return g->task == TASK_LOST ? -EAGAIN : -EBUSY;
	if (m->drive == NULL)
		return 0;
	g->forget |= 1u << member;
	group_kick(g);
	return -EAGAIN;
}

bool
group_has_drive(const struct group *g, const struct strake_drive *drive)
{
	for (uint32_t i = 0; i < g->s.members; i++) {
		if (g->m[i].drive == drive)
			return true;
	}
	return g->back == drive;
}

/* --- the way back -------------------------------------------------------------------------------------------------
 */

#define EDGE_BYTES (1u << 20) /* at either end of a drive, looked at before it is taken for blank */

/* @return 0, or -EEXIST and what is there. @p head: these are the drive's first bytes. */
int
group_drive_blank(const uint8_t *page, uint32_t len, bool head, const char **what)
{
	const char *found = head ? super_foreign(page, len) : NULL;

	if (found == NULL && strake_kernel->is_zero(page, len))
		return 0;
	*what = found != NULL ? found : "data";
	return -EEXIST;
}

static void
back_refuse(struct group *g, const char *why)
{
	GROUP_LOG(ERR, "group %s: drive %s does not become member %u: %s\n", g->s.name, g->back->name, g->back_i, why);
	g->back = NULL;
	group_task_end(g);
}

static void
back_known(struct group *g)
{
	GROUP_LOG(NOTICE, "group %s: drive %s is member %u, %s to copy\n", g->s.name, g->back->name, g->back_i,
		  g->back_whole ? "all of it" : "what changed");
	g->back = NULL;
	resync_need_dirty(g, NEED_COPY);
	group_task_end(g);
}

static void
back_formed(struct group *g, uint32_t failed)
{
	g->lost_meta |= failed;
	round_publish(g, back_known);
}

static void
back_written(struct group *g, uint32_t failed)
{
	g->lost_meta |= failed;
	if (group_formed(g) && failed == 0)
		fan_super(g, group_mask_writable(g), back_formed);
	else
		round_publish(g, back_known);
}

static void
back_marked(struct group *g, uint32_t failed)
{
	g->lost_meta |= failed;
	g->s.generation++;
	fan_super(g, group_mask_writable(g), back_written);
}

static void
back_has_mark(struct group *g, uint32_t failed)
{
	g->lost_meta |= failed;
	dirty_write_all(g, back_marked);
}

/* The dirty map goes to the new member whole: what it has of it is old. */
static void
back_accept(struct group *g)
{
	struct group_slot *m = &g->m[g->back_i];
	struct super_member *sm = &g->s.member[g->back_i];

	m->drive = g->back;
	m->drive->failed = false;
	m->state = GROUP_MEMBER_STALE;
	m->dead = false;
	snprintf(sm->serial, sizeof(sm->serial), "%s", g->back->serial);
	if (!g->back_found && getrandom(sm->uuid, sizeof(sm->uuid), 0) != (ssize_t)sizeof(sm->uuid)) {
		m->state = GROUP_MEMBER_MISSING;
		back_refuse(g, "no random numbers");
		return;
	}
	if (g->back_whole)
		dirty_set_all(g);
	m->forming = !g->back_found;
	fan_marks(g, back_has_mark);
}

/* Its superblock, if it has one, is known: is it ours, and how much of its data is still good? */
static const char *
back_judge(struct group *g)
{
	const struct super *s = g->back_super;
	const struct super_member *sm = &g->s.member[g->back_i];

	if (memcmp(s->uuid, g->s.uuid, sizeof(s->uuid)) != 0)
		return "it belongs to another group";
	if (s->index != g->back_i || memcmp(s->member[s->index].uuid, sm->uuid, sizeof(sm->uuid)) != 0)
		return "it is, or was, another member of this group";
	/* Written to after we lost it: whatever it went through, only all of it is sure to be enough. */
	g->back_whole = s->generation != sm->generation;
	return NULL;
}

static void back_read(struct group *g);

static uint64_t
back_off(const struct group *g)
{
	uint32_t edge = EDGE_BYTES / STRAKE_BUF_PAGE_MAX;

	if (g->back_pos < 2)
		return super_copy_off(g->back_pos);
	if (g->back_pos < 2 + edge)
		return (uint64_t)(g->back_pos - 2) * STRAKE_BUF_PAGE_MAX;
	return g->back->bytes - EDGE_BYTES + (uint64_t)(g->back_pos - 2 - edge) * STRAKE_BUF_PAGE_MAX;
}

static void
back_super_read(struct group *g)
{
	static struct super s; /* main's, too large for the stack */

	if (g->back_pos == 0)
		g->back_marked = mark_decode(&g->back_mark, g->back_page->addr) == 0;
	if (super_decode(&s, g->back_page->addr) == 0 &&
	    (!g->back_marked || memcmp(s.uuid, g->back_mark.uuid, sizeof(s.uuid)) == 0) &&
	    (!g->back_found || s.seq > g->back_super->seq)) {
		*g->back_super = s;
		g->back_found = true;
		g->m[g->back_i].copy = (uint8_t)(g->back_pos ^ 1);
	}
}

static void
back_done(struct strake_io *io)
{
	struct group *g = io->arg;
	const char *why;

	if (io->status != 0) {
		back_refuse(g, "it cannot be read");
		return;
	}
	if (g->back_pos < 2)
		back_super_read(g);
	else if (group_drive_blank(g->back_page->addr, io->len, g->back_pos == 2, &why) < 0) {
		back_refuse(g, why);
		return;
	}
	g->back_pos++;
	if (g->back_pos == 2 && g->back_found) {
		why = back_judge(g);
		if (why != NULL)
			back_refuse(g, why);
		else
			back_accept(g);
	} else if (g->back_pos == 2 && g->back_marked) {
		if (strcmp(g->back_mark.name, g->s.name) != 0)
			back_refuse(g, "it is being made a member of another group");
		else
			back_accept(g);
	} else if (g->back_pos == 2 + 2 * EDGE_BYTES / STRAKE_BUF_PAGE_MAX) {
		back_accept(g);
	} else {
		back_read(g);
	}
}

static void
back_read(struct group *g)
{
	struct strake_io *io = &g->back_io;

	*io = (struct strake_io){
		.op = STRAKE_IO_READ,
		.off = back_off(g),
		.len = g->back_pos < 2 ? SUPER_BYTES : STRAKE_BUF_PAGE_MAX,
		.bufs = g->back_page,
		.done = back_done,
		.arg = g,
	};
	strake_drive_submit(g->back, &io, 1);
}

void
task_return(struct group *g)
{
	g->back_pos = 0;
	g->back_found = false;
	g->back_marked = false;
	g->back_whole = true;
	back_read(g);
}

int
group_member_vacant(const struct group *g, const struct strake_drive *drive)
{
	int vacant = -ENOENT;

	for (uint32_t i = g->s.members; i-- > 0;) {
		if (g->m[i].state != GROUP_MEMBER_MISSING)
			continue;
		if (strcmp(g->s.member[i].serial, drive->serial) == 0)
			return (int)i;
		if (g->m[i].drive == NULL || g->m[i].drive == drive)
			vacant = (int)i;
	}
	return vacant;
}

int
group_member_return(struct group *g, unsigned int member, struct strake_drive *drive, char *err, size_t errlen)
{
	if (member >= g->s.members || g->geo.copies == 1) {
		snprintf(err, errlen, "group \"%s\" has no mirrored member %u", g->s.name, member);
		return -EINVAL;
	}
	if (g->m[member].state != GROUP_MEMBER_MISSING || g->back != NULL) {
		snprintf(err, errlen, "group \"%s\": member %u is in service", g->s.name, member);
		return -EBUSY;
	}
	for (uint32_t i = 0; i < g->s.members; i++) {
		if (i != member && g->m[i].drive == drive) {
			snprintf(err, errlen, "group \"%s\": drive \"%s\" is member %u", g->s.name, drive->name, i);
			return -EBUSY;
		}
	}
	if (drive->bytes < SUPER_DATA_OFF + g->geo.member_bytes || drive->bytes < 2 * EDGE_BYTES) {
		snprintf(err, errlen, "group \"%s\": drive \"%s\" is too small: %lu bytes, %lu needed", g->s.name,
			 drive->name, drive->bytes, SUPER_DATA_OFF + g->geo.member_bytes);
		return -EINVAL;
	}
	if (drive->volatile_cache && !g->cached) {
		snprintf(err, errlen,
			 "group \"%s\": drive \"%s\" has a volatile cache, and hosts were told that there is none; "
			 "it can join at the next start",
			 g->s.name, drive->name);
		return -EINVAL;
	}
	g->back = drive;
	g->back_i = member;
	group_kick(g);
	return 0;
}
