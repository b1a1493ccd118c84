/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Scrub, on the owner lcore: row after row of the segments in use is read with its parity. Which column is wrong where
 * they disagree only the store can tell, by its checksums: it is told the row. Rows under way, and rows of a segment
 * that was freed meanwhile, are nobody's business.
 */

#include "log_priv.h"

#define RETRY_NS STRAKE_NS_PER_MS
#define STEP	 4096u

static void scrub_step(struct log_group *g);

static void
timer_due(struct strake_timer *t, uint64_t now)
{
	scrub_step(container_of(t, struct log_group, o.scrub.timer));
}

static bool
row_under_way(const struct log_group *g)
{
	const struct lgroup_scrub *s = &g->o.scrub;

	for (uint32_t i = 0; i < LOG_OPS; i++) {
		const struct strake_space_io *sio = g->o.ops[i].sio;

		if (sio != NULL && sio->seg == s->seg &&
		    (sio->op == STRAKE_SPACE_ROW || sio->op == STRAKE_SPACE_FREE || sio->op == STRAKE_SPACE_REPAIR))
			return true;
	}
	return false;
}

static bool
parity_agrees(struct log_group *g)
{
	struct lgroup_scrub *s = &g->o.scrub;
	uint32_t k = g->s.data, unit = g->space.unit;

	for (uint32_t role = k; role < g->o.geo.width; role++) {
		lgroup_parity_rebuild(&g->o.parity, (1u << k) - 1, role, s->have, unit, s->page->addr);
		if (!lgroup_same(s->have[role], s->page, unit))
			return false;
	}
	return true;
}

static void
row_read(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	struct lgroup_scrub *s = &g->o.scrub;
	bool whole = true;

	for (uint32_t i = 0; i < op->pieces; i++) {
		s->have[i] = op->io[i].status == 0 ? op->io[i].bufs : NULL;
		whole &= op->io[i].status == 0;
	}
	if (g->o.here && !s->freed) {
		s->n_rows++;
		if (!whole || !parity_agrees(g)) {
			s->n_wrong++;
			if (s->found != NULL)
				s->found(s->arg, s->seg, s->row);
		}
	}
	for (uint32_t i = 0; i < op->pieces; i++) {
		strake_buf_put_list(s->have[i]);
		s->have[i] = NULL;
	}
	s->row++;
	if (!g->o.here || !s->on)
		return;
	s->due = s->rate == 0 ? 0 : RTE_MAX(s->due, strake_now()) + g->space.row_bytes * STRAKE_NS_PER_SEC / s->rate;
	strake_timer_arm(&s->timer, RTE_MAX(s->due, strake_now() + 1));
}

/* All columns of the row. @return false: some member is out, so there is nothing to compare. */
static bool
row_begin(struct log_group *g)
{
	struct lgroup_scrub *s = &g->o.scrub;
	struct lgroup_op *op = &s->op;
	uint32_t width = g->o.geo.width;

	for (uint32_t role = 0; role < width; role++) {
		uint32_t column = lgroup_role_column(g, s->seg, s->row, role), member = lgroup_column_member(column);

		if (!lgroup_readable(g, member, s->seg)) {
			op->ios = 0;
			return false;
		}
		lgroup_io(op, member, STRAKE_IO_READ, lgroup_place(g, column, s->row, 0), g->space.unit, NULL, 0);
	}
	op->pieces = op->ios;
	lgroup_go(op, row_read);
	return true;
}

static void
scrub_step(struct log_group *g)
{
	struct lgroup_scrub *s = &g->o.scrub;
	struct strake_space *sp = &g->space;
	uint32_t n = 0;

	if (!s->on || !g->o.here || s->op.pending > 0)
		return;
	for (; s->seg < sp->segments && n < STEP; n++) {
		if (s->row == 0) {
			s->freed = false;
			if (sp->used == NULL || !sp->used(sp->store, s->seg, &s->rows))
				s->rows = 0;
		}
		if (s->row >= s->rows || s->freed) {
			s->seg++;
			s->row = 0;
			continue;
		}
		if (row_under_way(g)) {
			strake_timer_arm(&s->timer, strake_now() + RETRY_NS);
			return;
		}
		if (row_begin(g))
			return;
		s->row++;
	}
	if (s->seg >= sp->segments) {
		s->on = false;
		s->n_ended++;
	} else {
		strake_timer_arm(&s->timer, strake_now() + 1);
	}
}

void
lgroup_scrub_freed(struct log_group *g, uint32_t seg)
{
	if (seg == g->o.scrub.seg)
		g->o.scrub.freed = true;
}

void
lgroup_scrub_order(struct log_group *g, const struct lgroup_order *order)
{
	struct lgroup_scrub *s = &g->o.scrub;

	if (order->what == ORDER_REST) {
		s->on = false;
		return;
	}
	if (s->on)
		return;
	s->on = true;
	s->rate = order->rate;
	s->seg = s->row = 0;
	s->n_rows = s->n_wrong = 0;
	strake_timer_arm(&s->timer, strake_now() + 1);
}

void
log_group_scrub_watch(struct log_group *g, void (*found)(void *arg, uint32_t seg, uint32_t row), void *arg)
{
	g->o.scrub.found = found;
	g->o.scrub.arg = arg;
}

int
lgroup_scrub_init(struct log_group *g)
{
	struct lgroup_scrub *s = &g->o.scrub;

	s->op.g = g;
	s->timer.fn = timer_due;
	s->page = strake_buf_page(g->space.unit);
	return s->page == NULL ? -ENOMEM : 0;
}

void
lgroup_scrub_fini(struct log_group *g)
{
	strake_buf_put_list(g->o.scrub.page);
	g->o.scrub.page = NULL;
}
