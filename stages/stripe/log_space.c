/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The space on its owner lcore: ios in, ops under way, limbo, and ios done.
 *
 * An op goes in steps: lgroup_io() gathers I/Os of drives, lgroup_go() lets them go, and the step's function runs when
 * the last is back. An io that finds no op, no pages or no view waits, and those behind it too.
 */

#include <string.h>

#include <rte_malloc.h>

#include "log_priv.h"

/* --- where ---------------------------------------------------------------------------------------------------------
 */

uint32_t
lgroup_role_column(const struct log_group *g, uint32_t seg, uint32_t row, uint32_t role)
{
	return lgroup_geometry_column(&g->o.geo, seg, lgroup_role_pos(g->o.geo.width, seg, row, role));
}

uint64_t
lgroup_place(const struct log_group *g, uint32_t column, uint32_t row, uint32_t off)
{
	return g->data_off + (uint64_t)lgroup_column_slot(column) * g->s.segment + (uint64_t)row * g->space.unit + off;
}

bool
lgroup_writable(const struct log_group *g, uint32_t member)
{
	const struct lgroup_member *m = &g->o.m[member];

	return m->state != LOG_MEMBER_MISSING && !m->failing;
}

bool
lgroup_readable(const struct log_group *g, uint32_t member, uint32_t seg)
{
	const struct lgroup_member *m = &g->o.m[member];

	/* One that failed a write has all that was ever acknowledged, until main says that it is missing. */
	return m->state == LOG_MEMBER_IN_SYNC || (m->state == LOG_MEMBER_STALE && bit_get(m->fresh, seg));
}

/* --- steps ---------------------------------------------------------------------------------------------------------
 */

static void
later(struct lgroup_op *op)
{
	struct lgroup_owner *o = &op->g->o;

	op->next = NULL;
	*o->over_end = op;
	o->over_end = &op->next;
}

void
lgroup_failed(struct log_group *g, uint32_t member)
{
	struct lgroup_member *m = &g->o.m[member];
	struct lgroup_report *r = &g->o.report[member];

	if (m->failing || m->state == LOG_MEMBER_MISSING)
		return;
	m->failing = true;
	r->g = g;
	r->member = member;
	r->drive = m->drive;
	r->msg.fn = lgroup_report_on_main;
	strake_msg_send(STRAKE_LCORE_MAIN, &r->msg);
}

static void
io_wrote(struct lgroup_op *op, const struct strake_io *io, uint32_t i)
{
	struct lgroup_member *m = &op->g->o.m[op->who[i]];

	if (unlikely(io->status != 0)) {
		op->failed |= 1u << op->who[i];
		m->write_errors++;
		if (op->stamp != 0)
			lgroup_behind_mark(op->g, op->who[i], op->sio->seg);
		lgroup_failed(op->g, op->who[i]);
	} else if (io->op == STRAKE_IO_FLUSH) {
		m->flushed = RTE_MAX(m->flushed, op->cover[i]);
		m->safe = RTE_MAX(m->safe, op->safe);
	} else if (!(io->flags & STRAKE_IO_FUA)) {
		m->written++;
	}
}

static void
io_back(struct strake_io *io)
{
	struct lgroup_op *op = io->arg;
	uint32_t i = (uint32_t)(io - op->io);

	if (io->op == STRAKE_IO_READ) {
		if (unlikely(io->status != 0)) {
			op->g->o.m[op->who[i]].read_errors++;
			if (io->status == -ENODEV)
				lgroup_failed(op->g, op->who[i]);
		}
	} else if (io->op != STRAKE_IO_DEALLOCATE) {
		io_wrote(op, io, i);
	}
	if (--op->pending == 0)
		op->then(op);
}

void
lgroup_io(struct lgroup_op *op, uint32_t member, uint8_t what, uint64_t off, uint32_t len, struct strake_buf *bufs,
	  uint32_t buf_off)
{
	struct strake_io *io = &op->io[op->ios];

	io->drive = op->g->o.m[member].drive;
	io->op = what;
	io->flags = 0;
	io->off = off;
	io->len = len;
	io->bufs = bufs;
	io->buf_off = buf_off;
	io->status = 0;
	io->retries = 0;
	io->done = io_back;
	io->arg = op;
	op->who[op->ios] = member;
	if (what == STRAKE_IO_FLUSH) {
		op->cover[op->ios] = op->g->o.m[member].written;
		if (op->ios == 0)
			op->safe = lgroup_behind_safe(op->g);
	}
	op->ios++;
}

void
lgroup_go(struct lgroup_op *op, void (*then)(struct lgroup_op *op))
{
	uint32_t n = op->ios;

	op->then = then;
	op->pending = n;
	op->ios = 0;
	if (n == 0) {
		later(op);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct strake_io *io = &op->io[i];

		strake_drive_submit(io->drive, &io, 1);
	}
}

/* --- the end of an op ----------------------------------------------------------------------------------------------
 */

static void begin_waiting(struct log_group *g);

static void
over(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	struct lgroup_owner *o = &g->o;
	struct strake_space_io *sio = op->sio;

	if (op->parity != NULL)
		o->free_pages[o->n_free_pages++] = op->parity;
	sio->status = op->err;
	op->sio = NULL;
	op->next = o->free_ops;
	o->free_ops = op;
	o->inflight--;
	sio->done(sio);
	begin_waiting(g);
}

void
lgroup_end(struct lgroup_op *op, int status)
{
	op->err = status;
	if (op->g->o.beginning) {
		op->then = over;
		later(op);
	} else {
		over(op);
	}
}

void
lgroup_written(struct lgroup_op *op)
{
	struct lgroup_owner *o = &op->g->o;
	bool open = false, refused = false;

	for (uint32_t mask = op->failed; mask != 0; mask &= mask - 1) {
		const struct lgroup_member *m = &o->m[__builtin_ctz(mask)];

		open = open || m->failing;
		/* Also while it still waited for other members. */
		refused = refused || m->refused > op->words;
	}
	if (likely(!open) || refused) {
		lgroup_end(op, refused ? -EIO : 0);
		return;
	}
	op->next = o->limbo;
	o->limbo = op;
}

/* --- views ---------------------------------------------------------------------------------------------------------
 */

/* What waited for main's word: done where the loss is durable, failed where it is not to be. */
static void
limbo_decide(struct log_group *g)
{
	struct lgroup_op *op = g->o.limbo;

	g->o.limbo = NULL;
	while (op != NULL) {
		struct lgroup_op *next = op->next;

		lgroup_written(op);
		op = next;
	}
}

/* A member more: its table instead of ours, which goes back to be freed. */
static void
grown(struct log_group *g, struct lgroup_view *v)
{
	struct lgroup_owner *o = &g->o;
	struct lgroup_geometry old = o->geo;
	uint32_t *rows = o->rows;

	memcpy(v->rows, rows, sizeof(*rows) * g->space.segments);
	o->geo = *v->geo;
	o->rows = v->rows;
	o->rows_room = v->rows_room;
	*v->geo = old;
	v->rows = rows;
	o->growing = true;
	g->space.segments = o->geo.segments;
}

void
lgroup_adopt(struct strake_msg *msg)
{
	struct lgroup_view *v = (struct lgroup_view *)msg;
	struct log_group *g = v->g;
	struct lgroup_owner *o = &g->o;

	if (v->geo != NULL)
		grown(g, v);
	if (v->moved)
		lgroup_walk_moved(g);
	o->words++;
	for (uint32_t i = 0; i < v->members; i++) {
		struct lgroup_member *m = &o->m[i];

		if (m->epoch != v->m[i].epoch || v->m[i].state == LOG_MEMBER_MISSING || v->refused >> i & 1)
			m->failing = false;
		if (v->refused >> i & 1)
			m->refused = o->words;
		if (!o->joined || i >= o->members)
			lgroup_behind_begin(g, i, v->m[i].state == LOG_MEMBER_IN_SYNC);
		else if (m->state != LOG_MEMBER_MISSING &&
			 (m->epoch != v->m[i].epoch || v->m[i].state == LOG_MEMBER_MISSING))
			lgroup_behind_went(g, i);
		else if (m->state == LOG_MEMBER_STALE && v->m[i].state == LOG_MEMBER_IN_SYNC && !m->failing)
			lgroup_behind_begin(g, i, true); /* else it has missed something since it was rebuilt */
		if (m->epoch != v->m[i].epoch) {
			m->epoch = v->m[i].epoch;
			m->written = m->flushed = 0;
			lgroup_behind_back(g, i, v->m[i].same, v->m[i].fresh);
		}
		/* Main asks for it when it wants to close a drive: what we begin on one comes before. */
		__atomic_store_n(&m->drive, v->m[i].drive, __ATOMIC_RELEASE);
		m->state = v->m[i].state;
		m->fresh = v->m[i].fresh;
		g->space.volatile_cache |= lgroup_writable(g, i) && m->drive->volatile_cache;
	}
	o->members = v->members;
	o->joined = true;
	limbo_decide(g);
	lgroup_walk_kick(g);
	begin_waiting(g);
}

/* --- submission ----------------------------------------------------------------------------------------------------
 */

static void (*const begins[])(struct lgroup_op *op) = {
	[STRAKE_SPACE_ROW] = lgroup_row,       [STRAKE_SPACE_READ] = lgroup_read,
	[STRAKE_SPACE_FREE] = lgroup_free,     [STRAKE_SPACE_FLUSH] = lgroup_flush,
	[STRAKE_SPACE_INTENT] = lgroup_intent, [STRAKE_SPACE_INTENT_READ] = lgroup_intent_read,
	[STRAKE_SPACE_REPAIR] = lgroup_repair,
};

static bool
may_begin(const struct lgroup_owner *o, const struct strake_space_io *sio)
{
	return o->joined && o->free_ops != NULL && (sio->op != STRAKE_SPACE_ROW || o->n_free_pages > 0);
}

static void
begin(struct log_group *g, struct strake_space_io *sio)
{
	struct lgroup_owner *o = &g->o;
	struct lgroup_op *op = o->free_ops;
	bool was = o->beginning;

	o->free_ops = op->next;
	o->inflight++;
	op->sio = sio;
	op->ios = 0;
	op->failed = 0;
	op->words = o->words;
	op->stamp = 0;
	op->parity = sio->op == STRAKE_SPACE_ROW ? o->free_pages[--o->n_free_pages] : NULL;
	o->beginning = true;
	if (likely(sio->op < RTE_DIM(begins)))
		begins[sio->op](op);
	else
		lgroup_end(op, -EINVAL);
	o->beginning = was;
}

static void
begin_waiting(struct log_group *g)
{
	struct lgroup_owner *o = &g->o;

	while (o->waiting != NULL && may_begin(o, o->waiting)) {
		struct strake_space_io *sio = o->waiting;

		o->waiting = sio->link;
		if (o->waiting == NULL)
			o->waiting_end = &o->waiting;
		if (!o->walk.copying || !lgroup_walk_holds(g, sio))
			begin(g, sio);
	}
}

void
lgroup_submit(struct strake_space *sp, struct strake_space_io *sio)
{
	struct log_group *g = container_of(sp, struct log_group, space);
	struct lgroup_owner *o = &g->o;

	if (unlikely(o->walk.copying) && lgroup_walk_holds(g, sio))
		return;
	if (likely(o->waiting == NULL && may_begin(o, sio))) {
		begin(g, sio);
		return;
	}
	sio->link = NULL;
	*o->waiting_end = sio;
	o->waiting_end = &sio->link;
}

static uint32_t
lgroup_poll(struct strake_poller *p, uint64_t now)
{
	struct log_group *g = container_of(p, struct log_group, o.poller);
	struct lgroup_op *op = g->o.over;
	uint32_t n = 0;

	g->o.over = NULL;
	g->o.over_end = &g->o.over;
	for (; op != NULL; n++) {
		struct lgroup_op *next = op->next;

		op->then(op);
		op = next;
	}
	return n;
}

static bool
lgroup_arm(struct strake_poller *p, bool on)
{
	return container_of(p, struct log_group, o.poller)->o.over == NULL;
}

/* --- coming and going ----------------------------------------------------------------------------------------------
 */

void
lgroup_owner_free(struct log_group *g)
{
	struct lgroup_owner *o = &g->o;

	lgroup_walk_fini(g);
	lgroup_scrub_fini(g);
	for (uint32_t i = 0; i < LOG_ROWS; i++) {
		for (uint32_t j = 0; j < LOG_PARITY_MAX; j++) {
			strake_buf_put_list(o->pages[i][j]);
			o->pages[i][j] = NULL;
		}
	}
	rte_free(o->ops);
	o->ops = NULL;
	rte_free(o->rows);
	o->rows = NULL;
	lgroup_behind_fini(g);
}

static int
owner_make(struct log_group *g)
{
	struct lgroup_owner *o = &g->o;

	o->ops = rte_zmalloc("lgroup_ops", sizeof(*o->ops) * LOG_OPS, RTE_CACHE_LINE_SIZE);
	o->rows_room = o->geo.room; /* growth may go on where it was */
	o->rows = rte_zmalloc("lgroup_rows", sizeof(*o->rows) * o->rows_room, 0);
	if (o->ops == NULL || o->rows == NULL)
		return -ENOMEM;
	o->free_ops = NULL;
	for (uint32_t i = 0; i < LOG_OPS; i++) {
		o->ops[i].g = g;
		o->ops[i].next = o->free_ops;
		o->free_ops = &o->ops[i];
	}
	o->n_free_pages = 0;
	for (uint32_t i = 0; i < LOG_ROWS; i++) {
		for (uint32_t j = 0; j < g->s.parity; j++) {
			o->pages[i][j] = strake_buf_page(g->space.unit);
			if (o->pages[i][j] == NULL)
				return -ENOMEM;
		}
		o->free_pages[o->n_free_pages++] = o->pages[i];
	}
	return lgroup_walk_init(g) < 0 || lgroup_scrub_init(g) < 0 || lgroup_behind_init(g) < 0 ? -ENOMEM : 0;
}

int
log_group_lcore_init(struct log_group *g)
{
	struct lgroup_owner *o = &g->o;
	int ret;

	if (strake_self_index() != g->space.owner)
		return 0;
	o->waiting_end = &o->waiting;
	o->over_end = &o->over;
	o->repair.next_end = &o->repair.next;
	ret = owner_make(g);
	if (ret < 0) {
		lgroup_owner_free(g);
		return ret;
	}
	o->here = true;
	o->poller = (struct strake_poller){.name = "log_group", .poll = lgroup_poll, .arm = lgroup_arm, .fd = -2};
	strake_poller_add(&o->poller);
	__atomic_fetch_add(&g->users, 1, __ATOMIC_RELAXED);
	o->g = g;
	o->join.fn = lgroup_join_on_main;
	strake_msg_send(STRAKE_LCORE_MAIN, &o->join);
	return 0;
}

bool
log_group_drained(const struct log_group *g)
{
	return strake_self_index() != g->space.owner || !g->o.here ||
	       (g->o.inflight == 0 && g->o.waiting == NULL && g->o.walk.held == NULL && g->o.walk.op.pending == 0 &&
		g->o.scrub.op.pending == 0 && g->o.joined);
}

void
log_group_lcore_fini(struct log_group *g)
{
	struct lgroup_owner *o = &g->o;

	if (strake_self_index() != g->space.owner || !o->here)
		return;
	o->here = false;
	strake_timer_cancel(&o->walk.timer);
	strake_timer_cancel(&o->scrub.timer);
	strake_poller_del(&o->poller);
	o->leave.fn = lgroup_leave_on_main;
	strake_msg_send(STRAKE_LCORE_MAIN, &o->leave);
}
