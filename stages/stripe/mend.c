/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Mending: writing again, from another half, what one half cannot read.
 *
 * The data of the read that found it cannot be used: a newer write may have passed it since. So main takes the range
 * out of use for a moment: a view that keeps reads and writes out of it goes through a round, the range is read anew
 * and written, and the next view gives it back. A drive finds another place for a sector that is written; if the write
 * fails, the member is lost as with any write.
 *
 * Where halves may still differ after an unclean stop, each block is taken from the first half that can read it, since
 * hosts may have read it from there already. A block that no half can read stays as it is: its reads end in an error,
 * and a stale half, which would have old bytes in its place, stays stale.
 */

#include "group_priv.h"

#define BLOCK	     4096u /* what is tried for itself when a longer piece cannot be read anywhere */
#define FORGET_AFTER (3600 * STRAKE_NS_PER_SEC)

static void source_try(struct group *g);

/* --- one range ---------------------------------------------------------------------------------------------------- */

static void
next(struct group *g)
{
	struct mending *m = &g->mend;

	m->off += m->step;
	m->bad = 0;
	m->step = BLOCK;
	if (m->off < m->end) {
		source_try(g);
		return;
	}
	g->hold_reads = false;
	m->done(g);
}

static void
unreadable(struct group *g)
{
	struct mending *m = &g->mend;

	if (m->step > BLOCK && m->status != -ENODEV) {
		m->step = BLOCK;
		m->bad = 0;
		source_try(g);
		return;
	}
	g->unreadable_bytes += m->step;
	if (m->spread) {
		g->region_bad = true;
		g->bad_mask |= group_mask_state(g, GROUP_MEMBER_STALE) & col_mask(&g->geo, m->col);
	}
	next(g);
}

static void piece_wrote(struct strake_io *io);

static void
submit(struct group *g, uint32_t member, uint8_t op, struct strake_buf *bufs, void (*done)(struct strake_io *io))
{
	struct mending *m = &g->mend;
	struct strake_io *io = &m->io;

	*io = (struct strake_io){
		.op = op,
		.off = SUPER_DATA_OFF + m->off,
		.len = m->step,
		.bufs = bufs,
		.done = done,
		.arg = g,
	};
	strake_drive_submit(g->m[member].drive, &io, 1);
}

static void
piece_write(struct group *g)
{
	struct mending *m = &g->mend;

	if (m->targets != 0) {
		submit(g, (uint32_t)__builtin_ctz(m->targets), STRAKE_IO_WRITE, m->bufs, piece_wrote);
		return;
	}
	strake_buf_put_list(m->bufs);
	m->bufs = NULL;
	next(g);
}

static void
piece_wrote(struct strake_io *io)
{
	struct group *g = io->arg;
	struct mending *m = &g->mend;
	uint32_t target = m->targets & -m->targets;

	if (io->status != 0) {
		g->lost_host |= target;
		g->member_errors++;
		g->step_failed = true;
	} else if (target & m->bad) {
		g->mended_bytes += io->len;
	}
	m->targets &= ~target;
	piece_write(g);
}

static void
piece_read(struct strake_io *io)
{
	struct group *g = io->arg;
	struct mending *m = &g->mend;
	uint32_t col = col_mask(&g->geo, m->col), good = group_mask_state(g, GROUP_MEMBER_IN_SYNC) & col;

	if (io->status != 0) {
		m->status = io->status;
		m->bad |= 1u << m->source;
		g->member_errors++;
		if (io->status == -ENODEV && group_column_spare(g, m->source))
			g->lost_host |= 1u << m->source;
		source_try(g);
		return;
	}
	m->bufs = io->bufs;
	m->targets = m->bad & good;
	if (m->spread)
		m->targets |= group_mask_state(g, GROUP_MEMBER_STALE) & col;
	if (m->spread && m->unsync)
		m->targets |= good & ~(1u << m->source);
	piece_write(g);
}

static void
source_try(struct group *g)
{
	struct mending *m = &g->mend;
	uint32_t good = group_mask_state(g, GROUP_MEMBER_IN_SYNC) & col_mask(&g->geo, m->col) & ~m->bad;

	if (good == 0) {
		unreadable(g);
		return;
	}
	m->source = (uint32_t)__builtin_ctz(good);
	submit(g, m->source, STRAKE_IO_READ, NULL, piece_read);
}

void
mend_range(struct group *g, uint32_t member, uint64_t off, uint32_t len, bool spread, void (*done)(struct group *g))
{
	uint32_t last = (uint32_t)((off + len - 1) >> g->region_shift);
	struct mending *m = &g->mend;

	*m = (struct mending){
		.col = member / g->geo.copies,
		.bad = 1u << member,
		.off = off,
		.end = off + len,
		.step = len,
		.spread = spread,
		.done = done,
	};
	for (uint32_t r = (uint32_t)(off >> g->region_shift); r <= last; r++)
		m->unsync |= (g->need[r] & NEED_UNSYNC) != 0;
	if (m->unsync) {
		m->step = BLOCK;
		m->bad = 0;
	}
	g->hold_lo = geometry_place(&g->geo, m->col, off);
	g->hold_hi = geometry_place(&g->geo, m->col, off + len - 1) + 1;
	g->hold_reads = true;
	round_publish(g, source_try);
}

/* --- what lcores found ---------------------------------------------------------------------------------------------
 */

void
group_mend_on_main(struct strake_msg *msg)
{
	struct group_mend *a = (struct group_mend *)msg;
	struct group *g = a->lc->g;

	a->next = NULL;
	if (g->mends == NULL)
		g->mends = a;
	else
		g->mends_end->next = a;
	g->mends_end = a;
	group_kick(g);
}

void stripe_mended(struct strake_msg *msg);

static void
answer(struct group_mend *a)
{
	a->msg.fn = stripe_mended;
	strake_msg_send(a->msg.from, &a->msg);
}

/* A drive that cannot read what was written to it just now is not written to again and again. */
static bool
seen(const struct group *g, const struct group_mend *a)
{
	for (uint32_t i = 0; i < MENDED_MAX; i++) {
		if (g->mended[i].len != 0 && g->mended[i].member == a->member && g->mended[i].off <= a->off &&
		    a->off + a->len <= g->mended[i].off + g->mended[i].len &&
		    strake_now() - g->mended[i].at < FORGET_AFTER)
			return true;
	}
	return false;
}

static void
mend_known(struct group *g)
{
	group_task_end(g);
}

static void
mend_done(struct group *g)
{
	struct group_mend *a = g->mend_now;

	g->mended[g->mended_next++ % MENDED_MAX] = (struct mended){a->member, a->len, a->off, strake_now()};
	g->mends_done++;
	g->mend_now = NULL;
	g->hold_lo = 0;
	g->hold_hi = 0;
	round_publish(g, mend_known);
	/* After the view on the same way: who gets it may use the range again. */
	answer(a);
}

void
task_mend(struct group *g)
{
	struct group_mend *a = g->mends;

	g->mends = a->next;
	if (g->m[a->member].state != GROUP_MEMBER_IN_SYNC || !group_column_spare(g, a->member) || seen(g, a)) {
		g->mends_skipped++;
		answer(a);
		group_task_end(g);
		return;
	}
	g->mend_now = a;
	mend_range(g, a->member, a->off, a->len, false, mend_done);
}
