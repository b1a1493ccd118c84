/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The dirty map: regions of mirrors that were written, or may be.
 *
 * A bit is durable on every member before the first write of its region is handed down, and stays while anything may
 * differ between members: while one is missing, while the region has to be copied, while lcores still write to it. It
 * goes when no lcore wrote for one to two periods: all lcores forget the region (so their next write asks again), what
 * they had under way is done, every member has flushed, and only then is the map without the bit written.
 */

#include <string.h>

#include <rte_malloc.h>

#include "group_priv.h"

#define CLEAR_PERIOD_NS (5 * STRAKE_NS_PER_SEC)

static void
timer_due(struct strake_timer *t, uint64_t now)
{
	struct group *g = RTE_PTR_SUB(t, offsetof(struct group, timer));

	g->clear_due = g->dirty > 0;
	g->clear_cursor = 0;
	resync_tick(g);
	if (g->dirty > 0)
		strake_timer_arm(t, now + CLEAR_PERIOD_NS);
	group_kick(g);
}

int
dirty_init(struct group *g)
{
	g->blocks = (g->regions + DIRTY_BLOCK_BITS - 1) / DIRTY_BLOCK_BITS;
	g->bits = rte_zmalloc("group_bits", (size_t)RTE_MAX(g->blocks, 1u) * DIRTY_BLOCK_BITS / 8, 0);
	g->dirty_page = strake_buf_page(DIRTY_BYTES);
	g->timer.fn = timer_due;
	return g->bits == NULL || g->dirty_page == NULL ? -ENOMEM : 0;
}

void
dirty_fini(struct group *g)
{
	strake_timer_cancel(&g->timer);
	strake_buf_put_list(g->dirty_page);
	rte_free(g->bits);
}

void
dirty_set(struct group *g, uint32_t region, bool on)
{
	if (bit_get(g->bits, region) == on)
		return;
	bit_set(g->bits, region, on);
	g->dirty = on ? g->dirty + 1 : g->dirty - 1;
	g->block_todo[region / DIRTY_BLOCK_BITS] = true;
	dirty_watch(g);
}

void
dirty_watch(struct group *g)
{
	if (g->dirty > 0 && !strake_timer_armed(&g->timer) && !g->closing)
		strake_timer_arm(&g->timer, strake_now() + CLEAR_PERIOD_NS);
}

void
dirty_set_all(struct group *g)
{
	for (uint32_t r = 0; r < g->regions; r++)
		dirty_set(g, r, true);
}

/* --- writing the map ---------------------------------------------------------------------------------------------- */

static void block_next(struct group *g);

static void
block_done(struct group *g, uint32_t failed)
{
	g->blocks_failed |= failed;
	g->block++;
	block_next(g);
}

static void
block_next(struct group *g)
{
	struct dirty_block b;
	uint32_t mask;

	while (g->block < g->blocks && !g->block_todo[g->block])
		g->block++;
	if (g->block == g->blocks) {
		g->blocks_end(g, g->blocks_failed);
		return;
	}
	g->block_todo[g->block] = false;
	b.seq = ++g->dirty_seq[g->block];
	b.index = g->block;
	memcpy(b.uuid, g->s.uuid, sizeof(b.uuid));
	dirty_encode(&b, g->bits + (size_t)g->block * DIRTY_BLOCK_BITS / 8, g->dirty_page->addr);
	fan_begin(g, block_done);
	for (mask = group_mask_writable(g); mask != 0; mask &= mask - 1)
		fan_add(g, (uint32_t)__builtin_ctz(mask), STRAKE_IO_WRITE, dirty_copy_off(g->block, b.seq & 1),
			g->dirty_page, DIRTY_BYTES);
	fan_go(g);
}

void
dirty_write(struct group *g, void (*end)(struct group *g, uint32_t failed))
{
	g->blocks_end = end;
	g->block = 0;
	g->blocks_failed = 0;
	block_next(g);
}

void
dirty_write_all(struct group *g, void (*end)(struct group *g, uint32_t failed))
{
	for (uint32_t b = 0; b < g->blocks; b++)
		g->block_todo[b] = true;
	dirty_write(g, end);
}

/* --- marking ------------------------------------------------------------------------------------------------------ */

void stripe_asked(struct strake_msg *msg);

void
group_ask_on_main(struct strake_msg *msg)
{
	struct group_ask *ask = (struct group_ask *)msg;
	struct group *g = ask->lc->g;

	ask->next = NULL;
	if (g->asks == NULL)
		g->asks = ask;
	else
		g->asks_end->next = ask;
	g->asks_end = ask;
	group_kick(g);
}

static void
ask_written(struct group *g, uint32_t failed)
{
	struct group_ask *next;

	for (; g->asks_now != NULL; g->asks_now = next) {
		struct group_ask *ask = g->asks_now;

		next = ask->next;
		if (failed != 0) {
			/* Once more, when the member that failed is out: the bits are set, so it costs nothing. */
			group_ask_on_main(&ask->msg);
			continue;
		}
		ask->msg.fn = stripe_asked;
		strake_msg_send(ask->msg.from, &ask->msg);
	}
	g->lost_meta |= failed;
	group_task_end(g);
}

void
task_dirty(struct group *g)
{
	g->asks_now = g->asks;
	g->asks = NULL;
	for (struct group_ask *ask = g->asks_now; ask != NULL; ask = ask->next) {
		for (uint32_t i = 0; i < ask->count; i++)
			dirty_set(g, ask->first + i, true);
	}
	dirty_write(g, ask_written);
}

/* --- clearing ----------------------------------------------------------------------------------------------------- */

static void
clear_written(struct group *g, uint32_t failed)
{
	g->lost_meta |= failed;
	group_task_end(g);
}

static void
clear_flushed(struct group *g, uint32_t failed)
{
	g->lost_meta |= failed;
	if (failed != 0) {
		group_task_end(g);
		return;
	}
	for (uint32_t i = 0; i < g->clear_n; i++)
		dirty_set(g, g->clear_region[i], false);
	dirty_write(g, clear_written);
}

/* Every lcore told what it uses, and has forgotten the rest. A member may have been lost meanwhile. */
static void
clear_swept(struct group *g)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->clear_n; i++) {
		if (!(g->round.busy >> i & 1))
			g->clear_region[n++] = g->clear_region[i];
	}
	g->clear_n = n;
	if (n == 0 || (g->lost_host | g->lost_meta) != 0)
		group_task_end(g);
	else
		fan_flush(g, group_mask_writable(g), clear_flushed);
}

static bool
may_clear(const struct group *g)
{
	return group_mask_writable(g) == (uint32_t)((1ULL << g->s.members) - 1);
}

void
task_clear(struct group *g)
{
	uint32_t n = 0, r = g->clear_cursor;

	for (; may_clear(g) && r < g->regions && n < SWEEP_MAX; r++) {
		if (bit_get(g->bits, r) && g->need[r] == 0)
			g->clear_region[n++] = r;
	}
	g->clear_cursor = r;
	g->clear_n = n;
	if (n == 0) {
		g->clear_due = false;
		group_task_end(g);
		return;
	}
	round_sweep(g, g->clear_region, n, clear_swept);
}
