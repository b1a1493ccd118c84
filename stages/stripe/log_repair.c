/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Repair, a stretch of a row at a time, one io at a time: all columns are read; the data is taken as it lies but for
 * what the attempt leaves out, which is rebuilt; from that the parity follows. Where a drive has something else it is
 * written.
 *
 * Whoever asks has checked the bytes of its window, and nothing else. Those that were rebuilt vouch for all columns at
 * their offsets in the unit: had another been wrong there, they would not have been right. So what is written is just
 * that: elsewhere another column may be wrong too, and would become the truth. And a column that was right then may be
 * wrong by now, as a write to elsewhere may have come to lie there: so what is rebuilt must be what was checked.
 *
 * Without an attempt the data of whole rows is given, and all follows from that: also what a drive gets that is being
 * rebuilt, or that a column moves to, if that has copied the row or asked for it.
 */

#include <string.h>

#include "log_priv.h"

static void repair_stretch(struct lgroup_op *op);
static void repair_begin(struct lgroup_op *op);

static void
rows_drop(struct log_group *g)
{
	for (uint32_t i = 0; i < g->o.geo.width; i++) {
		strake_buf_put_list(g->o.repair.have[i]);
		if (g->o.repair.truth[i] != g->o.repair.have[i])
			strake_buf_put_list(g->o.repair.truth[i]);
		g->o.repair.have[i] = g->o.repair.truth[i] = NULL;
	}
}

static void
repair_over(struct lgroup_op *op, int status)
{
	struct lgroup_owner *o = &op->g->o;
	struct lgroup_op *next = o->repair.next;

	rows_drop(op->g);
	o->repair.op = next;
	if (next != NULL) {
		o->repair.next = next->next;
		if (o->repair.next == NULL)
			o->repair.next_end = &o->repair.next;
	}
	if (status < 0)
		lgroup_end(op, status);
	else
		lgroup_written(op);
	if (next != NULL)
		repair_begin(next);
}

/* The walk may have come to want the row only when this was being written: then its drive did not get it. */
static void
repair_wrote(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	uint32_t member = g->o.walk.member;

	if (g->o.repair.wanted >> member & 1 && !(op->failed >> member & 1) &&
	    lgroup_walk_wants(g, op->sio->seg, g->o.repair.row, member))
		lgroup_walk_mended(g, g->o.repair.row);
	rows_drop(g);
	repair_stretch(op);
}

bool
lgroup_same(struct strake_buf *a, struct strake_buf *b, uint32_t len)
{
	struct strake_buf_iter ia, ib;
	uint32_t left = len;

	if (strake_buf_iter_init(&ia, a, 0, len) < 0 || strake_buf_iter_init(&ib, b, 0, len) < 0)
		return false;
	while (left > 0) {
		uint32_t n = RTE_MIN(ia.buf->len - ia.off, ib.buf->len - ib.off);

		n = RTE_MIN(n, left);

		if (memcmp(ia.buf->addr + ia.off, ib.buf->addr + ib.off, n) != 0)
			return false;
		left -= n;
		ia.off += n;
		ib.off += n;
		if (ia.off == ia.buf->len) {
			ia.buf = ia.buf->next;
			ia.off = 0;
		}
		if (ib.off == ib.buf->len) {
			ib.buf = ib.buf->next;
			ib.off = 0;
		}
	}
	return true;
}

/* A role from k others: its truth, in a page of its own. */
static int
derive(struct log_group *g, uint32_t role, uint32_t from, struct strake_buf **lists)
{
	struct strake_buf *in[LOG_ROLES_MAX], *page = strake_buf_page(g->o.repair.len);
	uint32_t n = 0;

	if (page == NULL)
		return -ENOMEM;
	for (uint32_t mask = from; mask != 0; mask &= mask - 1)
		in[n++] = lists[__builtin_ctz(mask)];
	lgroup_parity_rebuild(&g->o.parity, from, role, in, g->o.repair.len, page->addr);
	g->o.repair.truth[role] = page;
	return 0;
}

/* Are the bytes of the window still those that were checked? */
static bool
as_checked(const struct lgroup_op *op)
{
	const struct log_group *g = op->g;
	uint32_t role = g->o.repair.role - 1, lo = g->o.repair.lo, len = g->o.repair.hi - lo;
	uint64_t at = (uint64_t)g->o.repair.row * g->space.row_bytes + role * g->space.unit + lo;

	return strake_buf_compare(g->o.repair.truth[role], lo - g->o.repair.off, op->sio->bufs,
				  (uint32_t)(at - op->sio->off), len) == 0;
}

/* The data is what was given. */
static int
given(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	uint32_t off = (uint32_t)((uint64_t)g->o.repair.row * g->space.row_bytes - op->sio->off);

	for (uint32_t role = 0; role < g->s.data; role++) {
		g->o.repair.truth[role] = strake_buf_window(op->sio->bufs, off + role * g->space.unit, g->space.unit);
		if (g->o.repair.truth[role] == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* It is what the attempt gives. */
static int
attempted(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	uint32_t k = g->s.data, width = g->o.geo.width, from = 0;
	struct strake_buf **have = g->o.repair.have, **truth = g->o.repair.truth;
	int ret = 0;

	for (uint32_t role = 0, n = 0; role < width && n < k; role++) {
		if (have[role] == NULL || lgroup_left_out(op, g->o.repair.row, role))
			continue;
		from |= 1u << role;
		n++;
	}
	if ((uint32_t)__builtin_popcount(from) < k)
		return -EIO;
	for (uint32_t role = 0; role < k && ret == 0; role++) {
		if (from >> role & 1)
			truth[role] = have[role];
		else
			ret = derive(g, role, from, have);
	}
	return ret == 0 && !as_checked(op) ? -EBADMSG : ret;
}

/* What every role should be. */
static int
truths(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	uint32_t k = g->s.data, width = g->o.geo.width;
	int ret = op->out_mask == 0 ? given(op) : attempted(op);

	for (uint32_t role = k; role < width && ret == 0; role++)
		ret = derive(g, role, (1u << k) - 1, g->o.repair.truth);
	return ret;
}

/* Whole blocks are written: what nobody vouches for is written as it was. */
static void
edges_keep(struct log_group *g)
{
	uint32_t off = g->o.repair.off, before = g->o.repair.lo - off, to = g->o.repair.hi - off;

	for (uint32_t role = 0; role < g->o.geo.width; role++) {
		struct strake_buf *have = g->o.repair.have[role], *truth = g->o.repair.truth[role];

		if (have == NULL || truth == have)
			continue;
		strake_buf_copy_out(have, 0, truth->addr, before);
		strake_buf_copy_out(have, to, truth->addr + to, g->o.repair.len - to);
	}
}

/* Does the drive have something else, or, being rebuilt, nothing that counts yet? */
static bool
differs(const struct lgroup_op *op, uint32_t role, uint32_t member)
{
	const struct log_group *g = op->g;
	struct strake_buf *have = g->o.repair.have[role], *truth = g->o.repair.truth[role];

	if (!lgroup_writable(g, member))
		return false;
	if (!lgroup_readable(g, member, op->sio->seg))
		return op->out_mask == 0 && lgroup_walk_wants(g, op->sio->seg, g->o.repair.row, member);
	return have == NULL || (have != truth && !lgroup_same(have, truth, g->o.repair.len));
}

/* The column is moving: it is written where it goes, too. */
static void
also_write(struct lgroup_op *op, uint32_t role)
{
	struct log_group *g = op->g;
	uint32_t seg = op->sio->seg, row = g->o.repair.row, also;

	if (op->out_mask == 0 && lgroup_walk_also(g, seg, lgroup_role_pos(g->o.geo.width, seg, row, role), &also) &&
	    lgroup_walk_wants(g, seg, row, lgroup_column_member(also)))
		lgroup_io(op, lgroup_column_member(also), STRAKE_IO_WRITE, lgroup_place(g, also, row, g->o.repair.off),
			  g->o.repair.len, g->o.repair.truth[role], 0);
}

static void
repair_back(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	uint32_t n = op->pieces, width = g->o.geo.width, to = g->o.walk.member;
	bool wanted = op->out_mask == 0 && lgroup_walk_wants(g, op->sio->seg, g->o.repair.row, to);
	int ret;

	g->o.repair.wanted = wanted ? 1u << to : 0;
	for (uint32_t i = 0; i < n; i++)
		g->o.repair.have[op->of[i]] = op->io[i].status == 0 ? op->io[i].bufs : NULL;
	ret = truths(op);
	if (ret < 0) {
		repair_over(op, ret);
		return;
	}
	edges_keep(g);
	lgroup_behind_stamp(op);
	for (uint32_t role = 0; role < width; role++) {
		uint32_t column = lgroup_role_column(g, op->sio->seg, g->o.repair.row, role);
		uint32_t member = lgroup_column_member(column);

		if (!lgroup_writable(g, member))
			lgroup_behind_mark(g, member, op->sio->seg);
		also_write(op, role);
		if (!differs(op, role, member))
			continue;
		g->o.m[member].wrong += g->o.repair.have[role] != NULL;
		g->o.n.repaired += lgroup_readable(g, member, op->sio->seg);
		g->o.n.mended += g->o.repair.have[role] == NULL && lgroup_readable(g, member, op->sio->seg);
		lgroup_io(op, member, STRAKE_IO_WRITE, lgroup_place(g, column, g->o.repair.row, g->o.repair.off),
			  g->o.repair.len, g->o.repair.truth[role], 0);
	}
	lgroup_go(op, repair_wrote);
}

static void
stretch_read(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	uint32_t row = g->o.repair.row;

	for (uint32_t role = 0; role < g->o.geo.width; role++) {
		uint32_t column = lgroup_role_column(g, op->sio->seg, row, role), member = lgroup_column_member(column);

		if (!lgroup_readable(g, member, op->sio->seg))
			continue;
		op->of[op->ios] = role;
		lgroup_io(op, member, STRAKE_IO_READ, lgroup_place(g, column, row, g->o.repair.off), g->o.repair.len,
			  NULL, 0);
	}
	op->pieces = op->ios;
	lgroup_go(op, repair_back);
}

/* Bytes [lo, hi) of the units, in whole blocks. */
static void
stretch_set(struct log_group *g, uint32_t lo, uint32_t hi)
{
	uint32_t block = g->space.block;

	g->o.repair.lo = lo;
	g->o.repair.hi = hi;
	g->o.repair.off = lo & ~(block - 1);
	g->o.repair.len = ((hi + block - 1) & ~(block - 1)) - g->o.repair.off;
}

/* The next stretch of the row of which [lo, hi) is in the window. Without an attempt the row is one.
 * @return false: there is none. */
static bool
stretch_next(struct lgroup_op *op, uint32_t lo, uint32_t hi)
{
	struct log_group *g = op->g;
	uint32_t unit = g->space.unit, k = g->s.data;

	if (op->out_mask == 0 && g->o.repair.role == 0) {
		stretch_set(g, 0, unit);
		g->o.repair.role = k;
		return true;
	}
	while (g->o.repair.role < k) {
		uint32_t role = g->o.repair.role++, from = RTE_MAX(lo, role * unit),
			 to = RTE_MIN(hi, (role + 1) * unit);

		if (from >= to || !lgroup_left_out(op, g->o.repair.row, role))
			continue;
		stretch_set(g, from - role * unit, to - role * unit);
		return true;
	}
	return false;
}

static void
repair_stretch(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	uint64_t bytes = g->space.row_bytes, end = op->sio->off + op->sio->len;

	for (; g->o.repair.row * bytes < end; g->o.repair.row++) {
		uint64_t base = g->o.repair.row * bytes;

		if (stretch_next(op, (uint32_t)(RTE_MAX(op->sio->off, base) - base),
				 (uint32_t)(RTE_MIN(end, base + bytes) - base))) {
			stretch_read(op);
			return;
		}
		g->o.repair.role = 0;
	}
	repair_over(op, 0);
}

static void
repair_begin(struct lgroup_op *op)
{
	op->g->o.repair.op = op;
	op->g->o.repair.row = (uint32_t)(op->sio->off / op->g->space.row_bytes);
	op->g->o.repair.role = 0;
	repair_stretch(op);
}

bool
lgroup_repairs(const struct log_group *g, uint32_t seg, uint32_t row)
{
	return g->o.repair.op != NULL && g->o.repair.op->sio->seg == seg && g->o.repair.row == row;
}

void
lgroup_repair(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	const struct strake_space_io *sio = op->sio;
	uint64_t bytes = strake_space_seg_bytes(&g->space);

	if (sio->seg >= g->space.segments || sio->len == 0 || sio->off >= bytes || sio->len > bytes - sio->off ||
	    strake_buf_list_len(sio->bufs) < sio->len ||
	    !lgroup_parity_attempt(&g->o.parity, sio->attempt, &op->out_mask) ||
	    (op->out_mask == 0 && (sio->off % g->space.row_bytes != 0 || sio->len % g->space.row_bytes != 0))) {
		lgroup_end(op, -ERANGE);
		return;
	}
	if (g->o.repair.op == NULL) {
		repair_begin(op);
		return;
	}
	op->next = NULL;
	*g->o.repair.next_end = op;
	g->o.repair.next_end = &op->next;
}
