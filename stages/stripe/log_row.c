/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What is written: rows with their parity, freed segments, intents, flushes. */

#include "log_priv.h"

#define INTENT_PIECE STRAKE_BUF_PAGE_MAX

/* An I/O to a member, if it is written at all; else the op lacks it. */
static void
write_io(struct lgroup_op *op, uint32_t member, uint8_t what, uint64_t off, uint32_t len, struct strake_buf *bufs,
	 uint32_t buf_off)
{
	if (likely(lgroup_writable(op->g, member)))
		lgroup_io(op, member, what, off, len, bufs, buf_off);
	else if (op->g->o.m[member].failing)
		op->failed |= 1u << member;
	if (unlikely(op->stamp != 0 && !lgroup_writable(op->g, member)))
		lgroup_behind_mark(op->g, member, op->sio->seg);
}

void
lgroup_row(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	struct lgroup_owner *o = &g->o;
	const struct strake_space_io *sio = op->sio;
	uint32_t k = g->s.data, unit = g->space.unit, width = k + g->s.parity;
	uint8_t *page[LOG_PARITY_MAX];

	if (sio->seg >= g->space.segments || sio->row >= g->space.rows ||
	    strake_buf_list_len(sio->bufs) != g->space.row_bytes) {
		lgroup_end(op, -ERANGE);
		return;
	}
	lgroup_behind_stamp(op);
	for (uint32_t i = 0; i < g->s.parity; i++)
		page[i] = op->parity[i]->addr;
	if (g->s.parity > 0)
		lgroup_parity_encode(&o->parity, sio->bufs, unit, page);
	for (uint32_t role = 0; role < width; role++) {
		uint32_t column = lgroup_role_column(g, sio->seg, sio->row, role), also;

		if (unlikely(lgroup_walk_also(g, sio->seg, lgroup_role_pos(width, sio->seg, sio->row, role), &also)))
			write_io(op, lgroup_column_member(also), STRAKE_IO_WRITE, lgroup_place(g, also, sio->row, 0),
				 unit, role < k ? sio->bufs : op->parity[role - k], role < k ? role * unit : 0);
		write_io(op, lgroup_column_member(column), STRAKE_IO_WRITE, lgroup_place(g, column, sio->row, 0), unit,
			 role < k ? sio->bufs : op->parity[role - k], role < k ? role * unit : 0);
	}
	o->rows[sio->seg] = RTE_MAX(o->rows[sio->seg], sio->row + 1);
	o->n.rows++;
	o->n.bytes_written += g->space.row_bytes;
	o->n.degraded_writes += op->ios < width;
	lgroup_go(op, lgroup_written);
}

static void
freed(struct lgroup_op *op)
{
	lgroup_end(op, 0);
}

void
lgroup_free(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	const struct strake_space_io *sio = op->sio;

	if (sio->seg >= g->space.segments) {
		lgroup_end(op, -ERANGE);
		return;
	}
	g->o.rows[sio->seg] = 0;
	lgroup_scrub_freed(g, sio->seg);
	for (uint32_t p = 0; p < g->o.geo.width; p++) {
		uint32_t column = lgroup_geometry_column(&g->o.geo, sio->seg, p), member = lgroup_column_member(column);

		/* Advice to the drive: one that does not take it loses nothing. */
		if (lgroup_writable(g, member))
			lgroup_io(op, member, STRAKE_IO_DEALLOCATE, lgroup_place(g, column, 0, 0), g->s.segment, NULL,
				  0);
	}
	lgroup_go(op, freed);
}

void
lgroup_flush(struct lgroup_op *op)
{
	struct lgroup_owner *o = &op->g->o;

	for (uint32_t i = 0; i < o->members; i++) {
		const struct lgroup_member *m = &o->m[i];

		if (m->failing ||
		    (m->state != LOG_MEMBER_MISSING && m->written > m->flushed && m->drive->volatile_cache))
			write_io(op, i, STRAKE_IO_FLUSH, 0, 0, NULL, 0);
	}
	lgroup_go(op, lgroup_written);
}

static bool
intent_bounds(const struct log_group *g, const struct strake_space_io *sio)
{
	return sio->len > 0 && (sio->off | sio->len) % g->space.block == 0 && sio->off < g->space.intent_bytes &&
	       sio->len <= g->space.intent_bytes - sio->off &&
	       (sio->len + INTENT_PIECE - 1) / INTENT_PIECE * (g->s.parity + 1) <= LOG_OP_IOS;
}

void
lgroup_intent(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	const struct strake_space_io *sio = op->sio;

	if (!intent_bounds(g, sio) || strake_buf_list_len(sio->bufs) < sio->len) {
		lgroup_end(op, -ERANGE);
		return;
	}
	for (uint32_t i = 0; i <= g->s.parity; i++) {
		for (uint32_t off = 0; off < sio->len; off += INTENT_PIECE)
			write_io(op, i, STRAKE_IO_WRITE, LOG_INTENTS_OFF + sio->off + off,
				 RTE_MIN(sio->len - off, INTENT_PIECE), sio->bufs, off);
	}
	for (uint32_t i = 0; i < op->ios; i++)
		op->io[i].flags = STRAKE_IO_FUA;
	lgroup_go(op, lgroup_written);
}

static void
intent_back(struct lgroup_op *op)
{
	struct strake_space_io *sio = op->sio;
	struct strake_buf **tail = &sio->bufs;
	int status = 0;

	for (uint32_t i = 0; i < op->pieces; i++)
		status = op->io[i].status != 0 ? op->io[i].status : status;
	sio->bufs = NULL;
	for (uint32_t i = 0; i < op->pieces; i++) {
		if (op->io[i].status == 0 && status != 0)
			strake_buf_put_list(op->io[i].bufs);
		else if (status == 0)
			*tail = op->io[i].bufs;
		while (*tail != NULL)
			tail = &(*tail)->next;
	}
	lgroup_end(op, status == 0 || status == -ENOMEM ? status : -EIO);
}

void
lgroup_intent_read(struct lgroup_op *op)
{
	struct log_group *g = op->g;
	const struct strake_space_io *sio = op->sio;

	if (sio->attempt > g->s.parity || !intent_bounds(g, sio)) {
		lgroup_end(op, -ERANGE);
		return;
	}
	if (g->o.m[sio->attempt].state != LOG_MEMBER_IN_SYNC || g->o.m[sio->attempt].failing) {
		lgroup_end(op, -EIO);
		return;
	}
	for (uint32_t off = 0; off < sio->len; off += INTENT_PIECE)
		lgroup_io(op, sio->attempt, STRAKE_IO_READ, LOG_INTENTS_OFF + sio->off + off,
			  RTE_MIN(sio->len - off, INTENT_PIECE), NULL, 0);
	op->pieces = op->ios;
	lgroup_go(op, intent_back);
}
