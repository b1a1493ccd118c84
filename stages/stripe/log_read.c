/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Reads: a window of a segment is cut at the units of its rows, each piece is read from its column, and what cannot be
 * read, or is left out by the attempt, is rebuilt from k other columns of its row, one piece after the other.
 *
 * What a drive could not read is to be written there again: it finds another place for a sector that is written. But
 * what was rebuilt here nobody has checked, and one of the k may have something else than was written to it: that would
 * be wrong on two drives then. So the store is asked to look at the row, and has it written by its checksums.
 */

#include "log_priv.h"

static void read_step(struct lgroup_op *op);
static void fix_next(struct lgroup_op *op);

static void
read_drop(struct lgroup_op *op, int status)
{
	for (uint32_t i = 0; i < op->pieces; i++)
		strake_buf_put_list(op->list[i].bufs);
	strake_buf_put_list(op->sio->bufs);
	op->sio->bufs = NULL;
	lgroup_end(op, status);
}

/* All pieces are here: show the caller exactly what it asked for. */
static void
read_take(struct lgroup_op *op)
{
	for (uint32_t i = 0; i < op->pieces; i++) {
		struct lgroup_piece *p = &op->list[i];
		struct strake_buf *list = p->bufs;

		if (p->want != p->len) {
			list = strake_buf_window(p->bufs, p->skip, p->want);
			if (list == NULL) {
				read_drop(op, -ENOMEM);
				return;
			}
			strake_buf_put_list(p->bufs);
		}
		p->bufs = NULL;
		*op->tail = list;
		while (*op->tail != NULL)
			op->tail = &(*op->tail)->next;
		op->pos += p->want;
	}
	if (op->pos < op->sio->len) {
		read_step(op);
		return;
	}
	op->g->o.n.bytes_read += op->sio->len;
	lgroup_end(op, 0);
}

/* --- rebuilding ----------------------------------------------------------------------------------------------------
 */

/* Its own column could not be read, and can be written. */
static void
mend_ask(const struct lgroup_op *op, const struct lgroup_piece *p)
{
	struct log_group *g = op->g;
	uint32_t column = lgroup_role_column(g, op->sio->seg, p->row, p->role), member = lgroup_column_member(column);

	if ((p->failed >> p->role & 1) && lgroup_readable(g, member, op->sio->seg) && lgroup_writable(g, member) &&
	    g->space.check != NULL)
		g->space.check(g->space.store, op->sio->seg, p->row, NULL, NULL);
}

static void fix(struct lgroup_op *op);

static void
fix_back(struct lgroup_op *op)
{
	struct lgroup_piece *p = &op->list[op->piece];
	struct strake_buf *in[LOG_ROLES_MAX];
	uint32_t k = op->g->s.data, bad = 0;

	for (uint32_t i = 0; i < k; i++) {
		in[i] = op->io[i].status == 0 ? op->io[i].bufs : NULL;
		if (op->io[i].status != 0)
			bad |= 1u << op->of[i];
	}
	if (bad == 0)
		p->bufs = strake_buf_page(p->len);
	if (p->bufs != NULL)
		lgroup_parity_rebuild(&op->g->o.parity, op->from, p->role, in, p->len, p->bufs->addr);
	for (uint32_t i = 0; i < k; i++)
		strake_buf_put_list(in[i]);
	if (bad != 0) {
		p->failed |= bad;
		fix(op);
	} else if (p->bufs == NULL) {
		read_drop(op, -ENOMEM);
	} else {
		op->g->o.n.rebuilt_reads++;
		mend_ask(op, p);
		op->piece++;
		fix_next(op);
	}
}

/* Read the piece's place on k other columns. */
static void
fix(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	struct lgroup_piece *p = &op->list[op->piece];
	uint32_t width = g->o.geo.width;

	op->from = 0;
	for (uint32_t role = 0; role < width && op->ios < g->s.data; role++) {
		uint32_t column = lgroup_role_column(g, op->sio->seg, p->row, role),
			 member = lgroup_column_member(column);

		if (role == p->role || p->failed >> role & 1 || lgroup_left_out(op, p->row, role) ||
		    !lgroup_readable(g, member, op->sio->seg))
			continue;
		op->of[op->ios] = role;
		op->from |= 1u << role;
		lgroup_io(op, member, STRAKE_IO_READ, lgroup_place(g, column, p->row, p->off), p->len, NULL, 0);
	}
	if (op->ios < g->s.data) {
		op->ios = 0;
		read_drop(op, -EIO);
		return;
	}
	lgroup_go(op, fix_back);
}

static void
fix_next(struct lgroup_op *op)
{
	while (op->piece < op->pieces && op->list[op->piece].bufs != NULL)
		op->piece++;
	if (op->piece == op->pieces)
		read_take(op);
	else
		fix(op);
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

static void
read_back(struct lgroup_op *op)
{
	bool whole = true;

	for (uint32_t i = 0; i < op->pieces; i++) {
		struct lgroup_piece *p = &op->list[i];

		if (op->of[i] == UINT32_MAX) {
			whole = false;
		} else if (op->io[op->of[i]].status == 0) {
			p->bufs = op->io[op->of[i]].bufs;
		} else {
			p->failed |= 1u << p->role;
			whole = false;
		}
	}
	if (likely(whole)) {
		read_take(op);
		return;
	}
	op->g->o.n.degraded_reads++;
	op->piece = 0;
	fix_next(op);
}

static void
piece_add(struct lgroup_op *op, uint64_t at, uint32_t len)
{
	struct log_group *g = op->g;
	struct lgroup_piece *p = &op->list[op->pieces];
	uint32_t in = (uint32_t)(at % g->space.row_bytes), unit_off, block = g->space.block, column, member;

	p->row = (uint32_t)(at / g->space.row_bytes);
	p->role = in / g->space.unit;
	unit_off = in % g->space.unit;
	p->want = RTE_MIN(len, g->space.unit - unit_off);
	p->off = unit_off & ~(block - 1);
	p->skip = unit_off - p->off;
	p->len = ((unit_off + p->want + block - 1) & ~(block - 1)) - p->off;
	p->failed = 0;
	p->bufs = NULL;
	column = lgroup_role_column(g, op->sio->seg, p->row, p->role);
	member = lgroup_column_member(column);
	op->of[op->pieces] = UINT32_MAX;
	if (likely(!lgroup_left_out(op, p->row, p->role) && lgroup_readable(g, member, op->sio->seg))) {
		op->of[op->pieces] = op->ios;
		lgroup_io(op, member, STRAKE_IO_READ, lgroup_place(g, column, p->row, p->off), p->len, NULL, 0);
	}
	op->pieces++;
}

static void
read_step(struct lgroup_op *op)
{
	const struct strake_space_io *sio = op->sio;
	uint32_t pos = op->pos;

	op->pieces = 0;
	while (pos < sio->len && op->pieces < LOG_OP_IOS) {
		piece_add(op, sio->off + pos, sio->len - pos);
		pos += op->list[op->pieces - 1].want;
	}
	lgroup_go(op, read_back);
}

void
lgroup_read(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	struct strake_space_io *sio = op->sio;
	uint64_t bytes = strake_space_seg_bytes(&g->space);

	sio->bufs = NULL;
	op->pos = 0;
	op->pieces = 0;
	op->tail = &sio->bufs;
	if (sio->seg >= g->space.segments || sio->len == 0 || sio->off >= bytes || sio->len > bytes - sio->off ||
	    !lgroup_parity_attempt(&g->o.parity, sio->attempt, &op->out_mask)) {
		lgroup_end(op, -ERANGE);
		return;
	}
	g->o.n.reads++;
	read_step(op);
}
