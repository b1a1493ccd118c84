/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Views and rounds: how main tells the data lcores something, and knows that they know.
 *
 * Rounds belong to the task under way, so there is one at a time; a view's memory is used again two rounds later, when
 * nobody can look at it any more.
 */

#include <rte_malloc.h>

#include "group_priv.h"

void
group_view_fill(struct group *g, struct group_view *v)
{
	for (uint32_t i = 0; i < g->s.members; i++)
		v->drive[i] = g->m[i].drive;
	v->read_mask = group_mask_state(g, GROUP_MEMBER_IN_SYNC);
	v->write_mask = group_mask_writable(g);
	v->degraded = v->read_mask != (uint32_t)((1ULL << g->s.members) - 1);
	v->hold_lo = g->hold_lo;
	v->hold_hi = g->hold_hi;
	v->hold_reads = g->hold_reads;
	while (g->unsync_n > 0 && !(g->need[g->unsync_from] & NEED_UNSYNC))
		g->unsync_from++;
	v->unsync = g->unsync_n > 0 ? g->unsync : NULL;
	v->unsync_from = g->unsync_from;
}

static void
round_put(struct group *g)
{
	if (--g->round.pending == 0)
		g->round.end(g);
}

/* On main: one lcore has done its part. */
void
group_ctl_back(struct strake_msg *msg)
{
	struct group_ctl *ctl = (struct group_ctl *)msg;
	struct stripe_lcore *lc = ctl->lc;
	struct group *g = lc->g;

	lc->ctl_out = false;
	if (lc->orphan) {
		stripe_lcore_free(lc);
		return;
	}
	g->round.busy |= ctl->busy;
	round_put(g);
}

/* On the lcore. */
void stripe_ctl(struct strake_msg *msg);

static void
round_begin(struct group *g, const uint32_t *regions, uint32_t n, void (*end)(struct group *g))
{
	g->round.pending = 1;
	g->round.busy = 0;
	g->round.end = end;
	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++) {
		struct stripe_lcore *lc = g->lc[i];

		if (lc == NULL)
			continue;
		lc->ctl.view = &g->views[g->cur];
		lc->ctl.lc = lc;
		lc->ctl.n = n;
		for (uint32_t r = 0; r < n; r++)
			lc->ctl.region[r] = regions[r];
		lc->ctl.msg.fn = stripe_ctl;
		lc->ctl_out = true;
		g->round.pending++;
		strake_msg_send((uint16_t)i, &lc->ctl.msg);
	}
	round_put(g);
}

void
round_publish(struct group *g, void (*end)(struct group *g))
{
	g->cur ^= 1;
	group_view_fill(g, &g->views[g->cur]);
	round_begin(g, NULL, 0, end);
}

void
round_sweep(struct group *g, const uint32_t *regions, uint32_t n, void (*end)(struct group *g))
{
	round_begin(g, regions, n, end);
}

/* On the lcore. */
void stripe_joined(struct strake_msg *msg);

void
group_join_on_main(struct strake_msg *msg)
{
	struct group_join *join = (struct group_join *)msg;
	struct stripe_lcore *lc = join->lc;
	uint16_t from = msg->from;

	lc->g->lc[from] = lc;
	join->view = &lc->g->views[lc->g->cur];
	msg->fn = stripe_joined;
	strake_msg_send(from, msg);
}

/* The lcore drained before it left, so it has no question open; an order of ours may be on its way to it. */
void
group_leave_on_main(struct strake_msg *msg)
{
	struct group_join *join = (struct group_join *)msg;
	struct stripe_lcore *lc = join->lc;
	struct group *g = lc->g;

	g->lc[msg->from] = NULL;
	g->degraded_reads += lc->degraded_reads;
	g->degraded_writes += lc->degraded_writes;
	g->lc_errors += lc->member_errors;
	__atomic_fetch_sub(&g->users, 1, __ATOMIC_RELAXED);
	if (lc->inflight[0] + lc->inflight[1] > 0 || lc->limbo != NULL || lc->talking > 0) {
		/* The drain ran out of time. What is under way may still come back, so the memory stays too. */
		g->rough = true;
		if (lc->ctl_out)
			round_put(g);
		return;
	}
	if (!lc->ctl_out) {
		/* Left before it ever saw our answer to its join: that is still on its way, so the memory has to stay.
		 */
		if (lc->view != NULL)
			stripe_lcore_free(lc);
		return;
	}
	lc->orphan = true;
	round_put(g);
}
