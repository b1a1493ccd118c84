/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* I/O of main's own, to several members at once. */

#include <string.h>

#include "group_priv.h"

uint32_t
group_mask_state(const struct group *g, enum group_member_state state)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < g->s.members; i++) {
		if (g->m[i].state == state && !g->m[i].dead)
			mask |= 1u << i;
	}
	return mask;
}

uint32_t
group_mask_writable(const struct group *g)
{
	return group_mask_state(g, GROUP_MEMBER_IN_SYNC) | group_mask_state(g, GROUP_MEMBER_STALE);
}

static void
fan_put(struct group *g)
{
	if (--g->fan.pending == 0)
		g->fan.end(g, g->fan.failed);
}

static void
fan_done(struct strake_io *io)
{
	struct group *g = io->arg;

	if (io->status != 0)
		g->fan.failed |= 1u << (io - g->fan.io);
	fan_put(g);
}

void
fan_begin(struct group *g, void (*end)(struct group *g, uint32_t failed))
{
	g->fan.pending = 1; /* ours, until fan_go() */
	g->fan.failed = 0;
	g->fan.end = end;
}

void
fan_add(struct group *g, uint32_t member, uint8_t op, uint64_t off, struct strake_buf *buf, uint32_t len)
{
	struct strake_io *io = &g->fan.io[member];

	*io = (struct strake_io){
		.op = op,
		.off = off,
		.len = len,
		.bufs = buf,
		.flags = op == STRAKE_IO_WRITE ? STRAKE_IO_FUA : 0,
		.done = fan_done,
		.arg = g,
	};
	g->fan.pending++;
	strake_drive_submit(g->m[member].drive, &io, 1);
}

void
fan_go(struct group *g)
{
	fan_put(g);
}

void
fan_flush(struct group *g, uint32_t mask, void (*end)(struct group *g, uint32_t failed))
{
	fan_begin(g, end);
	for (; mask != 0; mask &= mask - 1)
		fan_add(g, (uint32_t)__builtin_ctz(mask), STRAKE_IO_FLUSH, 0, NULL, 0);
	fan_go(g);
}

void
fan_marks(struct group *g, void (*end)(struct group *g, uint32_t failed))
{
	uint32_t mask = group_mask_writable(g);
	struct super_mark mark;

	memcpy(mark.uuid, g->s.uuid, sizeof(mark.uuid));
	memcpy(mark.name, g->s.name, sizeof(mark.name));
	mark_encode(&mark, g->dirty_page->addr);
	fan_begin(g, end);
	for (; mask != 0; mask &= mask - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(mask);

		if (g->m[i].forming)
			fan_add(g, i, STRAKE_IO_WRITE, super_copy_off(0), g->dirty_page, DIRTY_BYTES);
	}
	fan_go(g);
}

bool
group_formed(struct group *g)
{
	bool any = false;

	for (uint32_t i = 0; i < g->s.members; i++) {
		any |= g->m[i].forming;
		if (g->m[i].forming)
			g->m[i].copy = 0;
		g->m[i].forming = false;
	}
	return any;
}

void
fan_super(struct group *g, uint32_t mask, void (*end)(struct group *g, uint32_t failed))
{
	g->s.seq++;
	for (uint32_t i = 0; i < g->s.members; i++) {
		g->s.member[i].state = (uint8_t)g->m[i].state;
		if (mask & 1u << i)
			g->s.member[i].generation = g->s.generation;
	}
	fan_begin(g, end);
	for (; mask != 0; mask &= mask - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(mask);
		struct group_slot *m = &g->m[i];

		g->s.index = i;
		super_encode(&g->s, m->page->addr);
		/* If this write fails the member is lost, and what the other copy holds is older than the rest. */
		fan_add(g, i, STRAKE_IO_WRITE, super_copy_off(m->forming ? 1 : m->copy), m->page, SUPER_BYTES);
		m->copy ^= 1;
	}
	fan_go(g);
}
