/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Resynchronisation: copying regions from the half that is read to those that are stale or may differ.
 *
 * One window of a member's part (1 MiB, on all columns at once) at a time:
 *   1. a view that tells data lcores to keep new writes out of the window goes through a round, so what they had
 *      under way there is done;
 *   2. every column that needs it is copied, in pieces, from its first half in sync to its other halves that are stale,
 *      or, where an unclean stop left the halves unequal, to all its other halves;
 *      A piece that its source cannot read is taken from another half (mend.c);
 *   3. the next view moves the window on, or takes it away, and the writes that waited go to all halves.
 * Reads go on all the time: they only touch halves whose bytes do not change. A region's mark in the dirty map stays
 * until the clearing, which flushes first.
 */

#include <string.h>

#include <rte_malloc.h>

#include "group_priv.h"

#define PIECE	    STRAKE_BUF_PAGE_MAX
#define PIECES	    (RESYNC_WINDOW / PIECE)

#define BAD_PERIODS 12 /* of the group's timer, 5 s each, until blocks that no half can read are tried again */

static void step(struct group *g);

int
resync_init(struct group *g)
{
	size_t n = RTE_MAX(g->regions, 1u);

	g->need = rte_zmalloc("group_need", n, 0);
	g->unsync = rte_zmalloc("group_unsync", n / 8 + 1, 0);
	g->copiers = rte_zmalloc("group_copiers", sizeof(*g->copiers) * PIECES * g->geo.cols, RTE_CACHE_LINE_SIZE);
	return g->need == NULL || g->unsync == NULL || g->copiers == NULL ? -ENOMEM : 0;
}

void
resync_fini(struct group *g)
{
	rte_free(g->need);
	rte_free(g->unsync);
	rte_free(g->copiers);
}

/* Regions with blocks that no half could read count as any others again. */
static void
bad_forget(struct group *g)
{
	for (uint32_t r = 0; r < g->regions && g->bad_n > 0; r++) {
		g->bad_n -= (g->need[r] & NEED_BAD) != 0;
		g->need[r] &= (uint8_t)~NEED_BAD;
	}
	g->bad_mask = 0;
	g->bad_due = false;
	g->bad_age = 0;
}

void
resync_tick(struct group *g)
{
	if (g->bad_n > 0 && ++g->bad_age >= BAD_PERIODS)
		g->bad_due = true;
}

void
resync_need_dirty(struct group *g, uint8_t why)
{
	bad_forget(g);
	for (uint32_t r = 0; r < g->regions; r++) {
		if (!bit_get(g->bits, r))
			continue;
		g->need_n += g->need[r] == 0;
		if (why & NEED_UNSYNC && !(g->need[r] & NEED_UNSYNC)) {
			g->unsync_n++;
			bit_set(g->unsync, r, true);
		}
		g->need[r] |= why;
	}
	g->pos = 0;
	g->pos_off = 0;
}

bool
resync_wanted(const struct group *g)
{
	return !g->closing && !g->quiet &&
	       (g->need_n > g->bad_n || g->bad_due || (group_mask_state(g, GROUP_MEMBER_STALE) & ~g->bad_mask) != 0);
}

/* --- the end: stale members are in sync ----------------------------------------------------------------------------
 */

static void
released(struct group *g)
{
	group_task_end(g);
}

static void
release(struct group *g)
{
	g->hold_lo = 0;
	g->hold_hi = 0;
	round_publish(g, released);
}

static void
end_written(struct group *g, uint32_t failed)
{
	g->lost_meta |= failed;
	release(g);
}

static void
end_flushed(struct group *g, uint32_t failed)
{
	uint32_t stale = group_mask_state(g, GROUP_MEMBER_STALE) & ~g->bad_mask;

	/* A stale member that failed a write since is not to be called in sync, not even for a moment. */
	if (failed != 0 || (g->lost_host | g->lost_meta) != 0) {
		g->lost_meta |= failed;
		release(g);
		return;
	}
	for (; stale != 0; stale &= stale - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(stale);

		g->m[i].state = GROUP_MEMBER_IN_SYNC;
		GROUP_LOG(NOTICE, "group %s: member %u, drive %s, is in sync\n", g->s.name, i, g->m[i].drive->name);
	}
	g->s.generation++;
	fan_super(g, group_mask_writable(g), end_written);
}

static void
finish(struct group *g)
{
	if ((group_mask_state(g, GROUP_MEMBER_STALE) & ~g->bad_mask) != 0)
		fan_flush(g, group_mask_writable(g), end_flushed);
	else
		release(g);
}

/* --- a window ------------------------------------------------------------------------------------------------------
 */

/* It goes on being read from one half, or its member stale, until its blocks can be read, or hosts wrote them. */
static void
region_is_bad(struct group *g)
{
	if (!(g->need[g->pos] & NEED_TOLD))
		GROUP_LOG(ERR,
			  "group %s: region %u has blocks that no half can read: hosts get errors there; the rest is "
			  "resynchronised\n",
			  g->s.name, g->pos);
	g->need[g->pos] |= NEED_BAD | NEED_TOLD;
	g->bad_n++;
}

static void
region_done(struct group *g)
{
	if (g->region_bad) {
		region_is_bad(g);
	} else {
		if (g->need[g->pos] & NEED_UNSYNC)
			g->unsync_n--;
		g->need[g->pos] = 0;
		g->need_n--;
	}
	g->region_bad = false;
	g->pos++;
	g->pos_off = 0;
}

static uint64_t
region_end(const struct group *g, uint32_t region)
{
	return RTE_MIN((uint64_t)(region + 1) << g->region_shift, g->geo.member_bytes);
}

/* Who of a column is to be written in this region. */
static uint32_t
targets_of(const struct group *g, uint32_t col, uint32_t *source)
{
	uint32_t members = col_mask(&g->geo, col);
	uint32_t good = group_mask_state(g, GROUP_MEMBER_IN_SYNC) & members;
	uint32_t targets = group_mask_state(g, GROUP_MEMBER_STALE) & members;

	if (good == 0)
		return 0;
	*source = (uint32_t)__builtin_ctz(good);
	if (g->need[g->pos] & NEED_UNSYNC)
		targets |= good & ~(1u << *source);
	return targets;
}

/* Pieces whose source could not read them: from another half. @return false: none is left. */
static bool
rescue(struct group *g, void (*done)(struct group *g))
{
	for (uint32_t i = 0; i < g->copier_n; i++) {
		struct copier *c = &g->copiers[i];

		if (!c->bad)
			continue;
		c->bad = false;
		mend_range(g, c->source, c->off - SUPER_DATA_OFF, c->len, true, done);
		return true;
	}
	return false;
}

static void
window_copied(struct group *g)
{
	if (!g->step_failed && rescue(g, window_copied))
		return;
	if (!g->step_failed) {
		g->pos_off += RESYNC_WINDOW;
		if (g->pos_off >= region_end(g, g->pos))
			region_done(g);
	}
	/* Move the window on at once, unless something more pressing waits. */
	if (!g->step_failed && g->need_n > g->bad_n && resync_wanted(g) && (g->lost_host | g->lost_meta) == 0 &&
	    g->asks == NULL && g->back == NULL && g->mends == NULL && !g->clear_due)
		step(g);
	else
		release(g);
}

static void
copier_put(struct group *g)
{
	if (--g->copying == 0)
		window_copied(g);
}

static void copier_wrote(struct strake_io *io);

static void
copier_write(struct copier *c)
{
	uint32_t member = (uint32_t)__builtin_ctz(c->targets);
	struct strake_io *io = &c->io;

	*io = (struct strake_io){
		.op = STRAKE_IO_WRITE,
		.off = c->off,
		.len = c->len,
		.bufs = c->bufs,
		.done = copier_wrote,
		.arg = c,
	};
	strake_drive_submit(c->g->m[member].drive, &io, 1);
}

static void
copier_end(struct copier *c)
{
	strake_buf_put_list(c->bufs);
	c->bufs = NULL;
	copier_put(c->g);
}

static void
copier_wrote(struct strake_io *io)
{
	struct copier *c = io->arg;

	if (io->status != 0) {
		c->g->lost_host |= 1u << __builtin_ctz(c->targets);
		c->g->member_errors++;
		c->g->step_failed = true;
	} else {
		c->g->resync_bytes += c->len;
	}
	c->targets &= c->targets - 1;
	if (c->targets != 0)
		copier_write(c);
	else
		copier_end(c);
}

static void
copier_read(struct strake_io *io)
{
	struct copier *c = io->arg;
	struct group *g = c->g;

	if (io->status == 0) {
		c->bufs = io->bufs;
		copier_write(c);
		return;
	}
	g->member_errors++;
	if (io->status == -ENODEV && group_column_spare(g, c->source)) {
		g->lost_host |= 1u << c->source;
		g->step_failed = true;
	} else {
		c->bad = true;
	}
	copier_end(c);
}

static void
window_held(struct group *g)
{
	uint64_t end = RTE_MIN(g->pos_off + RESYNC_WINDOW, region_end(g, g->pos));
	uint32_t n = 0;

	g->copying = 1;
	g->step_failed = false;
	for (uint32_t col = 0; col < g->geo.cols; col++) {
		uint32_t source, targets = targets_of(g, col, &source);

		for (uint64_t off = g->pos_off; targets != 0 && off < end; off += PIECE) {
			struct copier *c = &g->copiers[n++];
			struct strake_io *io = &c->io;

			c->g = g;
			c->source = source;
			c->targets = targets;
			c->off = SUPER_DATA_OFF + off;
			c->len = (uint32_t)RTE_MIN((uint64_t)PIECE, end - off);
			c->bufs = NULL;
			c->bad = false;
			*io = (struct strake_io){
				.op = STRAKE_IO_READ,
				.off = c->off,
				.len = c->len,
				.done = copier_read,
				.arg = c,
			};
			g->copying++;
			strake_drive_submit(g->m[source].drive, &io, 1);
		}
	}
	g->copier_n = n;
	copier_put(g);
}

/* Does anything have to be copied in the region at all? */
static bool
any_target(const struct group *g)
{
	uint32_t source;

	for (uint32_t col = 0; col < g->geo.cols; col++) {
		if (targets_of(g, col, &source) != 0)
			return true;
	}
	return false;
}

static void
step(struct group *g)
{
	while (g->need_n > g->bad_n) {
		bool todo;

		if (g->pos == g->regions) {
			g->pos = 0;
			g->pos_off = 0;
		}
		todo = g->need[g->pos] != 0 && !(g->need[g->pos] & NEED_BAD);
		if (todo && any_target(g))
			break;
		if (todo) {
			g->region_bad = false;
			region_done(g);
		} else {
			g->pos++;
			g->pos_off = 0;
		}
	}
	if (g->need_n == g->bad_n) {
		finish(g);
		return;
	}
	if (g->pos_off == 0) {
		g->pos_off = (uint64_t)g->pos << g->region_shift;
		g->region_bad = false;
	}
	g->hold_lo = g->pos_off * g->geo.cols;
	g->hold_hi = RTE_MIN(g->pos_off + RESYNC_WINDOW, region_end(g, g->pos)) * g->geo.cols;
	round_publish(g, window_held);
}

void
task_resync(struct group *g)
{
	if (g->bad_due) {
		bad_forget(g);
		g->pos = 0;
		g->pos_off = 0;
	}
	step(g);
}
