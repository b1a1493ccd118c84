/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* I/O of main's own, to several members of a log group at once. */

#include <string.h>

#include "log_priv.h"

#define MARK_BYTES 4096u

uint32_t
lgroup_mask_state(const struct log_group *g, enum log_member_state state)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < g->s.members; i++)
		mask |= (uint32_t)(g->m[i].state == state) << i;
	return mask;
}

uint32_t
lgroup_mask_writable(const struct log_group *g)
{
	return lgroup_mask_state(g, LOG_MEMBER_IN_SYNC) | lgroup_mask_state(g, LOG_MEMBER_STALE);
}

static void
fan_put(struct log_group *g)
{
	if (--g->fan.pending == 0)
		g->fan.end(g, g->fan.failed);
}

static void
fan_back(struct strake_io *io)
{
	struct log_group *g = io->arg;

	if (io->status != 0)
		g->fan.failed |= 1u << (io - g->fan.io);
	fan_put(g);
}

void
lgroup_fan_begin(struct log_group *g, void (*end)(struct log_group *g, uint32_t failed))
{
	g->fan.pending = 1; /* ours, until lgroup_fan_go() */
	g->fan.failed = 0;
	g->fan.end = end;
}

void
lgroup_fan_add(struct log_group *g, uint32_t member, uint8_t op, uint64_t off, struct strake_buf *buf, uint32_t len)
{
	struct strake_io *io = &g->fan.io[member];

	*io = (struct strake_io){
		.op = op,
		.off = off,
		.len = len,
		.bufs = buf,
		.flags = op == STRAKE_IO_WRITE ? STRAKE_IO_FUA : 0,
		.done = fan_back,
		.arg = g,
	};
	g->fan.pending++;
	strake_drive_submit(g->m[member].drive, &io, 1);
}

void
lgroup_fan_go(struct log_group *g)
{
	fan_put(g);
}

void
lgroup_fan_flush(struct log_group *g, void (*end)(struct log_group *g, uint32_t failed))
{
	lgroup_fan_begin(g, end);
	for (uint32_t mask = lgroup_mask_writable(g); mask != 0; mask &= mask - 1)
		lgroup_fan_add(g, (uint32_t)__builtin_ctz(mask), STRAKE_IO_FLUSH, 0, NULL, 0);
	lgroup_fan_go(g);
}

void
lgroup_fan_marks(struct log_group *g, void (*end)(struct log_group *g, uint32_t failed))
{
	struct super_mark mark;

	memcpy(mark.uuid, g->s.uuid, sizeof(mark.uuid));
	memcpy(mark.name, g->s.name, sizeof(mark.name));
	mark_encode(&mark, g->note_page->addr);
	lgroup_fan_begin(g, end);
	for (uint32_t mask = lgroup_mask_writable(g); mask != 0; mask &= mask - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(mask);

		if (g->m[i].forming)
			lgroup_fan_add(g, i, STRAKE_IO_WRITE, lgroup_super_off(0), g->note_page, MARK_BYTES);
	}
	lgroup_fan_go(g);
}

bool
lgroup_formed(struct log_group *g)
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
lgroup_fan_super(struct log_group *g, void (*end)(struct log_group *g, uint32_t failed))
{
	lgroup_fan_super_to(g, lgroup_mask_writable(g), end);
}

void
lgroup_fan_super_to(struct log_group *g, uint32_t mask, void (*end)(struct log_group *g, uint32_t failed))
{
	g->s.seq++;
	for (uint32_t i = 0; i < g->s.members; i++) {
		g->s.member[i].state = g->m[i].state;
		if (mask >> i & 1)
			g->s.member[i].generation = g->s.generation;
	}
	lgroup_fan_begin(g, end);
	for (; mask != 0; mask &= mask - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(mask);
		struct lgroup_slot *m = &g->m[i];

		g->s.index = i;
		m->seq = g->s.seq;
		lgroup_super_encode(&g->s, m->page->addr);
		/* If this write fails the member is lost, and what its other copy holds is older than the rest. */
		lgroup_fan_add(g, i, STRAKE_IO_WRITE, lgroup_super_off(m->forming ? 1 : m->copy), m->page,
			       LOG_SUPER_BYTES);
		m->copy ^= 1;
	}
	lgroup_fan_go(g);
}
