/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * What a member that was away has missed, on the owner lcore: a bit for each segment, so that a drive that comes back
 * as it went is not rebuilt whole.
 *
 * A segment is marked when a row or a repair of it could not be written to the member. When the member goes, the
 * segments are marked too of which its volatile cache may have held something: each has a stamp, from a count of
 * writes begun, and each flush of the member covers the stamps below those of the writes then under way. What was
 * written before the start has stamp 1, since nobody knows whether it was flushed then. A member that
 * was being rebuilt had only what was `fresh`, and with a volatile cache not even that for certain. Marks are taken
 * away when it is in sync, but not if it failed while main made that durable: those of then are among them.
 *
 * None of it outlives the process: whoever is not in sync at the start is rebuilt whole.
 */

#include <string.h>

#include <rte_malloc.h>

#include "log_priv.h"

void
lgroup_behind_mark(struct log_group *g, uint32_t member, uint32_t seg)
{
	struct lgroup_member *m = &g->o.m[member];

	if (m->behind != NULL && seg < g->o.behind_room)
		bit_set(m->behind, seg, true);
}

void
lgroup_behind_stamp(struct lgroup_op *op)
{
	struct lgroup_owner *o = &op->g->o;

	if (op->sio == NULL || op->sio->op == STRAKE_SPACE_INTENT)
		return;
	op->stamp = ++o->stamps;
	if (op->sio->seg < o->behind_room)
		o->stamp[op->sio->seg] = op->stamp;
}

uint64_t
lgroup_behind_safe(const struct log_group *g)
{
	uint64_t safe = g->o.stamps;

	for (uint32_t i = 0; i < LOG_OPS; i++) {
		const struct lgroup_op *op = &g->o.ops[i];

		if (op->sio != NULL && op->stamp != 0)
			safe = RTE_MIN(safe, op->stamp - 1);
	}
	return safe;
}

void
lgroup_behind_went(struct log_group *g, uint32_t member)
{
	struct lgroup_owner *o = &g->o;
	struct lgroup_member *m = &o->m[member];
	bool cached = m->drive == NULL || m->drive->volatile_cache;

	if (m->behind == NULL)
		return;
	for (uint32_t seg = 0; seg < o->behind_room; seg++) {
		if (m->state == LOG_MEMBER_STALE ? cached || !bit_get(m->fresh, seg)
						 : cached && RTE_MAX(o->stamp[seg], 1u) > m->safe)
			bit_set(m->behind, seg, true);
	}
}

void
lgroup_behind_back(struct log_group *g, uint32_t member, bool same, uint8_t *fresh)
{
	struct lgroup_owner *o = &g->o;
	struct lgroup_member *m = &o->m[member];

	memset(fresh, 0, o->geo.room / 8 + 1);
	m->safe = 0;
	for (uint32_t seg = 0; same && m->behind != NULL && seg < o->behind_room; seg++)
		bit_set(fresh, seg, !bit_get(m->behind, seg));
}

void
lgroup_behind_begin(struct log_group *g, uint32_t member, bool in_sync)
{
	struct lgroup_member *m = &g->o.m[member];

	if (m->behind != NULL)
		memset(m->behind, in_sync ? 0 : 0xff, g->o.behind_room / 8 + 1);
}

int
lgroup_behind_init(struct log_group *g)
{
	struct lgroup_owner *o = &g->o;

	o->behind_room = g->space.segments;
	o->stamps = 1;
	o->stamp = rte_zmalloc("lgroup_stamps", sizeof(*o->stamp) * o->behind_room, 0);
	if (o->stamp == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < g->s.members; i++) {
		o->m[i].behind = rte_zmalloc("lgroup_behind", o->behind_room / 8 + 1, 0);
		if (o->m[i].behind == NULL)
			return -ENOMEM;
	}
	return 0;
}

void
lgroup_behind_fini(struct log_group *g)
{
	for (uint32_t i = 0; i < LOG_MEMBERS_MAX; i++) {
		rte_free(g->o.m[i].behind);
		g->o.m[i].behind = NULL;
	}
	rte_free(g->o.stamp);
	g->o.stamp = NULL;
}
