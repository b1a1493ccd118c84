/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Filling columns in the background, on the owner lcore, a row at a time.
 *
 * Rebuild: a stale member is written by every new row; what lies in older rows of segments in use is made from k other
 * columns and written to it. If there are more than k they must agree: a drive that has something else than was written
 * to it would be copied otherwise, and then it takes one loss less. Where they do not, the store has the row repaired
 * by its checksums, and the column is written with it: that drive may lose the repair, too. It is asked as well where
 * too few columns can be read: it may know the row all the same, or that nothing needs it, and free the segment. A
 * segment is read from it again as soon as it is `fresh`; after a short absence most are from the start. Then, if it
 * keeps intents, the store makes what is in those durable in rows and all of them void, and a flush follows; main is
 * told, and when that is durable it is in sync.
 *
 * Move: a column is copied to the slot where it will be, while new rows of its segment are written to both; after a
 * flush main records the move, and the view that says so changes the table. The old slot is used for nothing before.
 * Here too the columns of a row must agree: else a drive that is right would get what another made of it. If the store
 * knows no better the column is copied as it lies: then no more columns of the row are wrong than were.
 *
 * A row that is written anew as the store has it gets to where its column was copied, too.
 *
 * Rows begun before a segment's turn are waited for; those begun later reach the member themselves. A segment that is
 * to be freed need not be copied: the free waits for the row under way.
 */

#include <inttypes.h>

#include "log_priv.h"

#define RETRY_NS STRAKE_NS_PER_MS
#define AGAIN_NS (60 * STRAKE_NS_PER_SEC) /* what could not be read anywhere is tried again */
#define STEP	 4096u			  /* segments looked at in one go */
#define DOUBTS	 2

static void walk_step(struct log_group *g);

static void
timer_due(struct strake_timer *t, uint64_t now)
{
	walk_step(container_of(t, struct log_group, o.walk.timer));
}

static void
again(struct log_group *g, uint64_t in)
{
	strake_timer_arm(&g->o.walk.timer, strake_now() + in);
}

/* The next step, when the rate allows; @p bytes were written. */
static void
go_on(struct log_group *g, uint32_t bytes)
{
	struct lgroup_walk *w = &g->o.walk;

	w->bytes += bytes;
	if (w->rate == 0) {
		walk_step(g);
		return;
	}
	w->due = RTE_MAX(w->due, strake_now()) + bytes * STRAKE_NS_PER_SEC / w->rate;
	strake_timer_arm(&w->timer, RTE_MAX(w->due, strake_now() + 1));
}

static void
release(struct log_group *g)
{
	struct lgroup_walk *w = &g->o.walk;
	struct strake_space_io *sio = w->held;

	w->held = NULL;
	w->copying = false;
	w->freed = false;
	while (sio != NULL) {
		struct strake_space_io *next = sio->link;

		lgroup_submit(&g->space, sio);
		sio = next;
	}
}

static void
walk_stop(struct log_group *g)
{
	g->o.walk.kind = WALK_NONE;
	release(g);
	lgroup_walk_kick(g);
}

/* The member may be gone, or another drive in its place, whenever the walk waited for something. */
static bool
still_wanted(const struct log_group *g)
{
	const struct lgroup_walk *w = &g->o.walk;
	const struct lgroup_member *m = &g->o.m[w->member];

	return !m->failing && m->epoch == w->epoch &&
	       m->state == (w->kind == WALK_REBUILD ? LOG_MEMBER_STALE : LOG_MEMBER_IN_SYNC);
}

bool
lgroup_walk_holds(struct log_group *g, struct strake_space_io *sio)
{
	struct lgroup_walk *w = &g->o.walk;

	if (sio->op != STRAKE_SPACE_FREE || w->kind == WALK_NONE || w->intents || sio->seg != w->seg)
		return false;
	w->freed = true;
	sio->link = w->held;
	w->held = sio;
	return true;
}

bool
lgroup_walk_also(const struct log_group *g, uint32_t seg, uint32_t pos, uint32_t *column)
{
	const struct lgroup_walk *w = &g->o.walk;

	if (w->kind != WALK_MOVE || seg != w->mv.seg || pos != w->mv.pos)
		return false;
	*column = w->mv.to << 26 | w->mv.to_slot;
	return true;
}

/* Is something under way that was begun before and the walk must not race? */
static bool
under_way(const struct log_group *g)
{
	const struct lgroup_walk *w = &g->o.walk;

	for (uint32_t i = 0; i < LOG_OPS; i++) {
		const struct strake_space_io *sio = g->o.ops[i].sio;

		if (sio != NULL && (sio->op == STRAKE_SPACE_ROW || sio->op == STRAKE_SPACE_FREE) && sio->seg == w->seg)
			return true;
	}
	return false;
}

/* --- the end -------------------------------------------------------------------------------------------------------
 */

static void
flushed(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	struct lgroup_walk *w = &g->o.walk;

	if (op->failed != 0) {
		walk_stop(g);
		return;
	}
	w->done.g = g;
	w->done.moved = w->kind == WALK_MOVE;
	w->done.member = w->member;
	w->done.drive = g->o.m[w->member].drive;
	w->done.out = true;
	w->done.msg.fn = lgroup_done_on_main;
	strake_msg_send(STRAKE_LCORE_MAIN, &w->done.msg);
}

static void
finish(struct log_group *g)
{
	struct lgroup_walk *w = &g->o.walk;

	if (w->doubtful > 0)
		LOG_GROUP_LOG(WARNING, "group %s: %" PRIu64 " rows were %s though their columns disagree\n", g->s.name,
			      w->doubtful, w->kind == WALK_MOVE ? "moved" : "rebuilt");
	w->doubtful = 0;
	if (w->bad > 0) {
		LOG_GROUP_LOG(ERR, "group %s: %u segments cannot be rebuilt for now: too few columns can be read\n",
			      g->s.name, w->bad);
		w->kind = WALK_NONE;
		release(g);
		again(g, AGAIN_NS);
		return;
	}
	if (!still_wanted(g)) {
		walk_stop(g);
		return;
	}
	w->op.failed = 0;
	lgroup_io(&w->op, w->member, STRAKE_IO_FLUSH, 0, 0, NULL, 0);
	lgroup_go(&w->op, flushed);
}

void
lgroup_walk_moved(struct log_group *g)
{
	struct lgroup_walk *w = &g->o.walk;

	if (w->kind != WALK_MOVE || !w->done.out)
		return;
	w->done.out = false;
	w->kind = WALK_NONE;
	lgroup_geometry_moved(&g->o.geo, &w->mv);
	g->space.segments = g->o.geo.segments;
	release(g);
}

/* --- intents -------------------------------------------------------------------------------------------------------
 */

static void
in_rows(void *arg, int status)
{
	struct log_group *g = arg;

	if (status < 0)
		g->o.walk.kind = WALK_NONE;
	if (g->o.here)
		again(g, status < 0 ? AGAIN_NS : 1);
}

/* They are not copied: a drive may have something else there than was written, and here nobody could tell. */
static void
intents_begin(struct log_group *g)
{
	struct lgroup_walk *w = &g->o.walk;

	w->intents = true;
	if (w->member <= g->s.parity && g->space.to_rows != NULL)
		g->space.to_rows(g->space.store, in_rows, g);
	else
		finish(g);
}

/* --- rows ----------------------------------------------------------------------------------------------------------
 */

static void
segment_done(struct log_group *g, bool good)
{
	struct lgroup_walk *w = &g->o.walk;

	if (w->kind == WALK_MOVE) {
		w->bad += !good;
		finish(g);
		return;
	}
	if (good)
		bit_set(g->o.m[w->member].fresh, w->seg, true);
	else
		w->bad++;
	release(g);
	w->seg++;
}

static void
row_first(struct lgroup_walk *w, uint32_t row)
{
	w->row = row;
	w->avoid = 0;
	w->doubts = 0;
	w->asked = w->mended = false;
}

static void
row_over(struct log_group *g)
{
	row_first(&g->o.walk, g->o.walk.row + 1);
	go_on(g, g->space.unit);
}

static void
row_wrote(struct lgroup_op *op)
{
	if (op->failed != 0)
		walk_stop(op->g);
	else
		row_over(op->g);
}

/* Do the columns beyond the k that the others are made of agree with these? */
static bool
row_agrees(struct log_group *g, const struct lgroup_op *op, struct strake_buf **in)
{
	struct lgroup_walk *w = &g->o.walk;

	for (uint32_t i = g->s.data; i < op->pieces; i++) {
		lgroup_parity_rebuild(&g->o.parity, w->from, op->of[i], in, g->space.unit, w->page->addr);
		if (!lgroup_same(in[i], w->page, g->space.unit))
			return false;
	}
	return true;
}

/* What is to be written: the column as it lies, or made of k others. */
static void
row_make(struct log_group *g, const struct lgroup_op *op, struct strake_buf **in)
{
	struct lgroup_walk *w = &g->o.walk;

	for (uint32_t i = 0; i < op->pieces; i++) {
		if (op->of[i] == w->role) {
			strake_buf_copy_out(in[i], 0, w->page->addr, g->space.unit);
			return;
		}
	}
	lgroup_parity_rebuild(&g->o.parity, w->from, w->role, in, g->space.unit, w->page->addr);
}

/* The store has looked at the row. It may have to write it first: later it can do more. */
static void
checked(void *arg)
{
	struct log_group *g = arg;

	if (g->o.here)
		again(g, RETRY_NS << g->o.walk.doubts);
}

/* @return true: the store is asked. */
static bool
row_ask(struct log_group *g)
{
	struct lgroup_walk *w = &g->o.walk;

	if (g->space.check == NULL || w->doubts == DOUBTS)
		return false;
	w->doubts++;
	w->avoid = 0;
	w->asked = true;
	g->space.check(g->space.store, w->seg, w->row, checked, g);
	return true;
}

static bool
row_doubt(struct log_group *g)
{
	bool asked = row_ask(g);

	g->o.walk.doubtful += !asked;
	return asked;
}

/* The row cannot be read, and it is not the drives that are away. @return true: the store is asked. */
static bool
row_gone(struct log_group *g)
{
	const struct lgroup_walk *w = &g->o.walk;
	uint32_t there = 0;

	for (uint32_t role = 0; role < g->o.geo.width; role++)
		there += lgroup_readable(g, lgroup_column_member(lgroup_role_column(g, w->seg, w->row, role)), w->seg);
	return there >= g->s.data && row_ask(g);
}

bool
lgroup_walk_wants(const struct log_group *g, uint32_t seg, uint32_t row, uint32_t member)
{
	const struct lgroup_walk *w = &g->o.walk;

	return w->kind != WALK_NONE && w->copying && w->seg == seg && w->member == member && still_wanted(g) &&
	       (row < w->row || (row == w->row && w->asked));
}

void
lgroup_walk_mended(struct log_group *g, uint32_t row)
{
	g->o.walk.mended = g->o.walk.mended || row == g->o.walk.row;
}

static void
row_got(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	struct lgroup_walk *w = &g->o.walk;
	struct strake_buf *in[LOG_ROLES_MAX];
	uint32_t n = op->pieces, bad = 0, column;
	bool agrees = true;

	for (uint32_t i = 0; i < n; i++) {
		in[i] = op->io[i].status == 0 ? op->io[i].bufs : NULL;
		bad |= op->io[i].status != 0 ? 1u << op->of[i] : 0;
	}
	if (bad == 0) {
		agrees = row_agrees(g, op, in);
		row_make(g, op, in);
	}
	for (uint32_t i = 0; i < n; i++)
		strake_buf_put_list(in[i]);
	if (bad != 0) {
		w->avoid |= bad;
		walk_step(g);
		return;
	}
	if (!still_wanted(g)) {
		walk_stop(g);
		return;
	}
	if (!agrees && row_doubt(g))
		return;
	column = w->kind == WALK_MOVE ? w->mv.to << 26 | w->mv.to_slot
				      : lgroup_geometry_column(&g->o.geo, w->seg, w->pos);
	op->failed = 0;
	lgroup_io(op, w->member, STRAKE_IO_WRITE, lgroup_place(g, column, w->row, 0), g->space.unit, w->page, 0);
	lgroup_go(op, row_wrote);
}

/* All columns of the row: the one that moves as well, if it can be read; then the others need not be there. @return
 * false: no way. */
static bool
row_read(struct log_group *g)
{
	struct lgroup_walk *w = &g->o.walk;
	struct lgroup_op *op = &w->op;
	uint32_t width = g->o.geo.width, want = g->s.data;

	w->role = lgroup_pos_role(width, w->seg, w->row, w->pos);
	w->from = 0;
	w->asked = false;
	for (uint32_t role = 0; role < width; role++) {
		uint32_t column = lgroup_role_column(g, w->seg, w->row, role), member = lgroup_column_member(column);

		if (w->avoid >> role & 1 || !lgroup_readable(g, member, w->seg))
			continue;
		if (role == w->role)
			want = 1;
		op->of[op->ios] = role;
		w->from |= op->ios < g->s.data ? 1u << role : 0;
		lgroup_io(op, member, STRAKE_IO_READ, lgroup_place(g, column, w->row, 0), g->space.unit, NULL, 0);
	}
	op->pieces = op->ios;
	if (op->ios < want) {
		op->ios = 0;
		return false;
	}
	lgroup_go(op, row_got);
	return true;
}

/* Find the next segment with something to copy. @return false: come again, or none is left. */
static bool
segment_next(struct log_group *g)
{
	struct lgroup_walk *w = &g->o.walk;
	struct strake_space *sp = &g->space;
	uint32_t width = g->o.geo.width, n = 0;

	for (; w->seg < sp->segments && n < STEP; w->seg++, n++) {
		uint32_t rows = 0;

		if (bit_get(g->o.m[w->member].fresh, w->seg))
			continue;
		for (w->pos = 0; w->pos < width; w->pos++) {
			if (lgroup_column_member(lgroup_geometry_column(&g->o.geo, w->seg, w->pos)) == w->member)
				break;
		}
		if (w->pos == width)
			continue;
		if (sp->used(sp->store, w->seg, &rows) || g->o.rows[w->seg] > 0) {
			w->rows = RTE_MAX(rows, g->o.rows[w->seg]);
			w->rows = RTE_MIN(w->rows, sp->rows);
			row_first(w, 0);
			w->copying = true;
			return true;
		}
		bit_set(g->o.m[w->member].fresh, w->seg, true);
	}
	if (w->seg < sp->segments) {
		again(g, 1);
		return false;
	}
	intents_begin(g);
	return false;
}

static void
walk_step(struct log_group *g)
{
	struct lgroup_walk *w = &g->o.walk;

	if (!g->o.here)
		return;
	if (w->kind == WALK_NONE) {
		lgroup_walk_kick(g);
		return;
	}
	if (!still_wanted(g)) {
		walk_stop(g);
		return;
	}
	if (g->space.used == NULL) {
		again(g, 100 * RETRY_NS);
		return;
	}
	if (w->intents) {
		finish(g);
		return;
	}
	if (!w->copying && !segment_next(g))
		return;
	if (w->row == 0 && !w->freed && under_way(g)) {
		again(g, RETRY_NS);
	} else if (w->mended) {
		row_over(g);
	} else if (w->freed || w->row >= w->rows) {
		segment_done(g, true);
		if (w->kind == WALK_REBUILD)
			again(g, 1);
	} else if (lgroup_repairs(g, w->seg, w->row)) {
		again(g, RETRY_NS); /* half of it may be there */
	} else if (!row_read(g) && !row_gone(g)) {
		segment_done(g, false);
		if (w->kind == WALK_REBUILD)
			again(g, 1);
	}
}

/* --- beginning -----------------------------------------------------------------------------------------------------
 */

static void
rebuild_begin(struct log_group *g, uint32_t member)
{
	struct lgroup_walk *w = &g->o.walk;

	w->kind = WALK_REBUILD;
	w->member = member;
	w->epoch = g->o.m[member].epoch;
	w->seg = 0;
	w->intents = false;
	w->bad = 0;
	again(g, 1);
}

static void
move_begin(struct log_group *g)
{
	struct lgroup_walk *w = &g->o.walk;
	struct strake_space *sp = &g->space;
	uint32_t rows = 0;

	if (sp->used == NULL) {
		again(g, 100 * RETRY_NS);
		return;
	}
	g->o.growing = lgroup_geometry_next(&g->o.geo, &w->mv);
	if (!g->o.growing || g->o.m[w->mv.to].state != LOG_MEMBER_IN_SYNC || g->o.m[w->mv.to].failing)
		return;
	w->kind = WALK_MOVE;
	w->member = w->mv.to;
	w->epoch = g->o.m[w->member].epoch;
	w->seg = w->mv.seg;
	w->pos = w->mv.pos;
	row_first(w, 0);
	w->rows = sp->used(sp->store, w->seg, &rows) ? rows : 0;
	w->rows = RTE_MAX(w->rows, g->o.rows[w->seg]);
	w->rows = RTE_MIN(w->rows, sp->rows);
	w->bad = 0;
	w->intents = false;
	w->copying = true;
	again(g, 1);
}

void
lgroup_walk_kick(struct log_group *g)
{
	struct lgroup_owner *o = &g->o;

	/* Main has decided on what it was told, if the member is not stale any more. */
	if (o->walk.done.out && o->walk.kind == WALK_REBUILD && !still_wanted(g)) {
		o->walk.done.out = false;
		o->walk.kind = WALK_NONE;
	}
	if (o->walk.kind != WALK_NONE || o->walk.done.out || !o->joined || strake_timer_armed(&o->walk.timer))
		return;
	for (uint32_t i = 0; i < o->members; i++) {
		if (o->m[i].state == LOG_MEMBER_STALE && !o->m[i].failing) {
			rebuild_begin(g, i);
			return;
		}
	}
	if (o->growing)
		move_begin(g);
}

int
lgroup_walk_init(struct log_group *g)
{
	struct lgroup_walk *w = &g->o.walk;

	w->op.g = g;
	w->timer.fn = timer_due;
	w->page = strake_buf_page(g->space.unit);
	return w->page == NULL ? -ENOMEM : 0;
}

void
lgroup_walk_fini(struct log_group *g)
{
	strake_buf_put_list(g->o.walk.page);
	g->o.walk.page = NULL;
}
