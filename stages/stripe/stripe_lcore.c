/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The lcore's part in the group's protocol: chunks that wait, and messages from and to main (group_priv.h).
 */

#include <rte_malloc.h>

#include "stripe.h"

/* --- lists ---------------------------------------------------------------------------------------------------------
 */

static void
push(struct strake_unit **head, struct strake_unit **end, struct strake_unit *u)
{
	u->link = NULL;
	if (*head == NULL)
		*head = u;
	else
		(*end)->link = u;
	*end = u;
}

void
stripe_hold(struct stripe_lcore *lc, struct strake_chunk *chunk)
{
	lc->held_count++;
	push(&lc->held, &lc->held_end, &chunk->u);
}

/* Something changed that chunks may have waited for: try them all, in order. */
static void held_run(struct stripe_lcore *lc);

static void
feed(struct strake_msg *msg)
{
	struct stripe_lcore *lc = RTE_PTR_SUB(msg, offsetof(struct stripe_lcore, feed));

	lc->feeding = false;
	held_run(lc);
}

static void
held_run(struct stripe_lcore *lc)
{
	struct strake_unit *u = lc->held;

	lc->held = NULL;
	while (u != NULL) {
		struct strake_unit *next = u->link;
		int ret = stripe_issue(lc, strake_chunk_of(u));

		if (ret == -EAGAIN) {
			stripe_hold(lc, strake_chunk_of(u));
			if (!lc->feeding) {
				lc->feeding = true;
				lc->feed.fn = feed;
				strake_msg_send(strake_self_index(), &lc->feed);
			}
		} else if (ret < 0 && ret != -EINPROGRESS) {
			u->status = (int16_t)ret;
			strake_unit_complete(u);
		}
		u = next;
	}
	stripe_push(lc);
}

/* --- dirty regions -------------------------------------------------------------------------------------------------
 */

void stripe_asked(struct strake_msg *msg);

static void
ask(struct stripe_lcore *lc, uint32_t first, uint32_t last)
{
	struct group_ask *a = lc->free_asks;

	/* None free: one will come back, and the chunks that wait are tried again then. */
	if (a == NULL)
		return;
	lc->free_asks = a->next;
	a->lc = lc;
	a->first = first;
	a->count = last - first + 1;
	for (uint32_t r = first; r <= last; r++)
		lc->region[r] = REGION_ASKED;
	a->msg.fn = group_ask_on_main;
	lc->talking++;
	strake_msg_send(STRAKE_LCORE_MAIN, &a->msg);
}

void
stripe_asked(struct strake_msg *msg)
{
	struct group_ask *a = (struct group_ask *)msg;
	struct stripe_lcore *lc = a->lc;

	for (uint32_t i = 0; i < a->count; i++)
		lc->region[a->first + i] = REGION_RECENT;
	a->next = lc->free_asks;
	lc->free_asks = a;
	lc->talking--;
	held_run(lc);
}

/* Regions [first, last] are not all marked: ask for the stretch from the first unmarked one, unless that was asked. */
static bool
may_write_slow(struct stripe_lcore *lc, uint32_t first, uint32_t last)
{
	bool all = true;

	for (uint32_t r = first; r <= last; r++) {
		if (lc->region[r] >= REGION_IDLE) {
			lc->region[r] = REGION_RECENT;
			continue;
		}
		all = false;
		if (lc->region[r] == REGION_UNKNOWN) {
			ask(lc, r, last);
			return false;
		}
	}
	return all;
}

bool
stripe_may_write(struct stripe_lcore *lc, uint64_t place, uint32_t len)
{
	struct geometry_run run;
	uint32_t first, last;

	if (unlikely(place < lc->view->hold_hi && lc->view->hold_lo < place + len))
		return false;
	geometry_locate(&lc->geo, place, &run);
	first = (uint32_t)(run.off >> lc->region_shift);
	geometry_locate(&lc->geo, place + len - 1, &run);
	last = (uint32_t)(run.off >> lc->region_shift);
	if (likely(first == last && lc->region[first] == REGION_RECENT))
		return true;
	return may_write_slow(lc, first, last);
}

/* --- members that failed -------------------------------------------------------------------------------------------
 */

void
stripe_report(struct stripe_lcore *lc, uint32_t member)
{
	struct group_fail *f = &lc->fail[member];

	if (f->busy)
		return;
	f->busy = true;
	f->lc = lc;
	f->member = member;
	f->msg.fn = group_fail_on_main;
	lc->talking++;
	strake_msg_send(STRAKE_LCORE_MAIN, &f->msg);
}

/* What a write that some member failed comes to, as far as main has decided. @return false: not yet. */
static bool
decide(const struct stripe_lcore *lc, const struct stripe_ctx *ctx, int *status)
{
	uint32_t bad = ctx->failed & lc->view->read_mask, good = ctx->issued & ~ctx->failed & lc->view->read_mask;
	bool waits = false;

	/* Of a stale member too: main may be calling it in sync just now. */
	for (uint32_t m = ctx->failed; m != 0; m &= m - 1)
		waits |= lc->fail[__builtin_ctz(m)].busy;
	if (waits)
		return false;
	*status = bad != 0 ? ctx->err : 0;
	for (uint32_t m = ctx->failed; m != 0 && bad == 0; m &= m - 1) {
		uint32_t col = (uint32_t)__builtin_ctz(m) / lc->geo.copies;

		if ((good & col_mask(&lc->geo, col)) == 0)
			*status = ctx->err;
	}
	return true;
}

static void
limbo_run(struct stripe_lcore *lc)
{
	struct strake_unit *u = lc->limbo;

	lc->limbo = NULL;
	while (u != NULL) {
		struct strake_unit *next = u->link;
		struct stripe_ctx *ctx = strake_stage_ctx(lc->stage, u);
		int status;

		if (decide(lc, ctx, &status)) {
			u->status = (int16_t)status;
			strake_unit_complete(u);
		} else {
			push(&lc->limbo, &lc->limbo_end, u);
		}
		u = next;
	}
}

void
stripe_limbo(struct stripe_lcore *lc, struct stripe_ctx *ctx)
{
	struct strake_unit *u = &ctx->chunk->u;

	lc->member_errors++;
	if (lc->geo.copies == 1) {
		u->status = ctx->err;
		stripe_leave(lc, ctx->epoch);
		strake_unit_complete(u);
		return;
	}
	/* Told before the chunk counts as done, so main hears of it before it hears that a round is over. */
	for (uint32_t m = ctx->failed & lc->view->write_mask; m != 0; m &= m - 1)
		stripe_report(lc, (uint32_t)__builtin_ctz(m));
	stripe_leave(lc, ctx->epoch);
	push(&lc->limbo, &lc->limbo_end, u);
	limbo_run(lc);
}

/* From main: the member's fate is decided, and the view that says so has come. */
void stripe_failed(struct strake_msg *msg);

void
stripe_failed(struct strake_msg *msg)
{
	struct group_fail *f = (struct group_fail *)msg;

	f->busy = false;
	f->lc->talking--;
	limbo_run(f->lc);
}

/* --- what a half cannot read ---------------------------------------------------------------------------------------
 */

bool
stripe_mend(struct stripe_lcore *lc, uint32_t member, uint64_t off, uint32_t len)
{
	struct group_mend *a = lc->free_mends;

	if (a == NULL)
		return false;
	lc->free_mends = a->next;
	a->lc = lc;
	a->member = member;
	a->off = off;
	a->len = len;
	a->msg.fn = group_mend_on_main;
	lc->talking++;
	strake_msg_send(STRAKE_LCORE_MAIN, &a->msg);
	return true;
}

/* From main: done, as far as it could be. */
void stripe_mended(struct strake_msg *msg);

void
stripe_mended(struct strake_msg *msg)
{
	struct group_mend *a = (struct group_mend *)msg;
	struct stripe_lcore *lc = a->lc;

	a->next = lc->free_mends;
	lc->free_mends = a;
	lc->talking--;
	held_run(lc);
}

/* --- rounds --------------------------------------------------------------------------------------------------------
 */

static void
ctl_answer(struct stripe_lcore *lc)
{
	lc->quiescing = false;
	lc->ctl.msg.fn = group_ctl_back;
	strake_msg_send(STRAKE_LCORE_MAIN, &lc->ctl.msg);
}

void
stripe_leave(struct stripe_lcore *lc, uint8_t epoch)
{
	if (--lc->inflight[epoch] == 0 && unlikely(lc->quiescing) && epoch != lc->epoch)
		ctl_answer(lc);
}

/* Regions idle for a second time are forgotten; the next write asks again. */
static void
sweep(struct stripe_lcore *lc, struct group_ctl *ctl)
{
	ctl->busy = 0;
	for (uint32_t i = 0; i < ctl->n; i++) {
		uint8_t *r = &lc->region[ctl->region[i]];

		if (*r == REGION_IDLE) {
			*r = REGION_UNKNOWN;
		} else if (*r != REGION_UNKNOWN) {
			ctl->busy |= 1ULL << i;
			if (*r == REGION_RECENT)
				*r = REGION_IDLE;
		}
	}
}

void stripe_ctl(struct strake_msg *msg);

void
stripe_ctl(struct strake_msg *msg)
{
	struct group_ctl *ctl = (struct group_ctl *)msg;
	struct stripe_lcore *lc = ctl->lc;

	if (lc->left) {
		ctl_answer(lc);
		return;
	}
	lc->view = ctl->view;
	sweep(lc, ctl);
	lc->epoch ^= 1;
	lc->quiescing = true;
	if (lc->inflight[!lc->epoch] == 0)
		ctl_answer(lc);
	held_run(lc);
	limbo_run(lc);
}

/* --- coming and going ----------------------------------------------------------------------------------------------
 */

void stripe_joined(struct strake_msg *msg);

void
stripe_joined(struct strake_msg *msg)
{
	struct group_join *join = (struct group_join *)msg;

	join->lc->view = join->view;
	if (!join->lc->left)
		held_run(join->lc);
}

int
stripe_lcore_create(struct stripe_lcore **out, struct group *g)
{
	int socket = strake_self()->socket;
	struct stripe_lcore *lc = rte_zmalloc_socket("stripe_lcore", sizeof(*lc), RTE_CACHE_LINE_SIZE, socket);

	if (lc == NULL)
		return -ENOMEM;
	lc->region = rte_zmalloc_socket("stripe_region", RTE_MAX(g->regions, 1u), RTE_CACHE_LINE_SIZE, socket);
	if (lc->region == NULL) {
		rte_free(lc);
		return -ENOMEM;
	}
	lc->g = g;
	lc->stage = g->stage;
	lc->geo = g->geo;
	lc->region_shift = g->region_shift;
	lc->regions = g->regions;
	for (unsigned int i = 0; i < ASKS_MAX; i++) {
		lc->asks[i].next = lc->free_asks;
		lc->free_asks = &lc->asks[i];
	}
	for (unsigned int i = 0; i < MENDS_MAX; i++) {
		lc->mends[i].next = lc->free_mends;
		lc->free_mends = &lc->mends[i];
	}
	*out = lc;
	return 0;
}

void
stripe_lcore_free(struct stripe_lcore *lc)
{
	rte_free(lc->region);
	rte_free(lc);
}

int
group_lcore_init(struct group *g)
{
	struct stripe_lcore *lc;
	int ret = stripe_lcore_create(&lc, g);

	if (ret < 0)
		return ret;
	g->stage->lc[strake_self_index()] = lc;
	ret = strake_stage_lcore_init(g->stage);
	if (ret < 0) {
		g->stage->lc[strake_self_index()] = NULL;
		stripe_lcore_free(lc);
		return ret;
	}
	__atomic_fetch_add(&g->users, 1, __ATOMIC_RELAXED);
	lc->join.lc = lc;
	lc->join.msg.fn = group_join_on_main;
	strake_msg_send(STRAKE_LCORE_MAIN, &lc->join.msg);
	return 0;
}

void
group_lcore_fini(struct group *g)
{
	struct stripe_lcore *lc = g->stage->lc[strake_self_index()];

	if (lc == NULL)
		return;
	strake_stage_lcore_fini(g->stage);
	g->stage->lc[strake_self_index()] = NULL;
	lc->left = true;
	if (lc->quiescing)
		ctl_answer(lc);
	lc->leave.lc = lc;
	lc->leave.msg.fn = group_leave_on_main;
	strake_msg_send(STRAKE_LCORE_MAIN, &lc->leave.msg);
}
