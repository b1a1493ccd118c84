/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Requests of several pieces or steps: long ranges, compare, compare-and-write, verify, flush.
 *
 * A request is a row of pieces handed down in order, a bounded number at a time. Where payload comes up (read,
 * compare) it is one at a time, so it comes in order. Compare-and-write walks its range twice: it compares every
 * piece, then writes every piece; the order of writers keeps all others out of the range meanwhile. After the first
 * error nothing more is handed down, and the request ends when what is under way has come back.
 */

#include <string.h>

#include "plain.h"

#define PIECES_WIDTH 4

static inline uint64_t
range_len(const struct strake_req *req)
{
	return (uint64_t)req->u.nlb << req->vol->lba_shift;
}

/* What a piece does, how long it may be, and how many may be under way. */
static uint8_t
piece_kind(const struct strake_req *req, const struct plain_ctx *ctx, uint32_t *max, uint32_t *width)
{
	*max = PLAIN_PIECE;
	*width = PIECES_WIDTH;
	switch (req->u.op) {
	case STRAKE_OP_WRITE_ZEROES:
	case STRAKE_OP_DEALLOCATE:
		*max = PLAIN_PIECE_LONG;
		return req->u.op;
	case STRAKE_OP_FLUSH:
	case STRAKE_OP_WRITE:
		return req->u.op;
	case STRAKE_OP_COMPARE_WRITE:
		if (ctx->phase == 1)
			return STRAKE_OP_WRITE;
		break;
	case STRAKE_OP_VERIFY:
		return STRAKE_OP_READ;
	default:
		break;
	}
	*width = 1;
	return STRAKE_OP_READ;
}

/* Where in the request's payload the bytes that a write takes begin. */
static uint32_t
payload_off(const struct strake_req *req, uint64_t pos)
{
	return (uint32_t)(pos + (req->u.op == STRAKE_OP_COMPARE_WRITE ? req->u.nbytes / 2 : 0));
}

/* What to do with the bytes of a piece that was read. */
static int
take_read(struct strake_req *req, struct strake_chunk *c)
{
	uint64_t off = c->place - req->vol->place - (req->u.lba << req->vol->lba_shift);

	switch (req->u.op) {
	case STRAKE_OP_READ:
		strake_unit_append(&req->u, c->u.bufs);
		c->u.bufs = NULL;
		return 0;
	case STRAKE_OP_COMPARE:
	case STRAKE_OP_COMPARE_WRITE:
		return strake_buf_compare(req->u.bufs, (uint32_t)off, c->u.bufs, 0, c->place_len);
	default:
		return 0;
	}
}

static void
piece_done(struct strake_unit *u)
{
	struct strake_chunk *c = strake_chunk_of(u);
	struct strake_req *req = c->req;
	struct plain_lcore *lc = u->arg;
	int ret = u->status;

	if (ret == 0 && u->op == STRAKE_OP_READ)
		ret = take_read(req, c);
	if (ret < 0 && req->u.status == 0)
		req->u.status = (int16_t)ret;
	strake_chunk_free(c);
	plain_ctx(lc, req)->inflight--;
	plain_long_pump(lc, req);
}

/* Hand down the next piece. @return 0, -ENOMEM. */
static int
piece_begin(struct plain_lcore *lc, struct strake_req *req, uint8_t op, uint32_t len)
{
	struct plain_ctx *ctx = plain_ctx(lc, req);
	struct strake_chunk *c = plain_chunk(lc, req, op, ctx->pos, len);
	struct strake_unit *u;

	if (c == NULL)
		return -ENOMEM;
	c->u.done = piece_done;
	if (op == STRAKE_OP_WRITE) {
		c->u.bufs = strake_buf_window(req->u.bufs, payload_off(req, ctx->pos), len);
		if (c->u.bufs == NULL) {
			strake_chunk_free(c);
			return -ENOMEM;
		}
		for (c->u.last = c->u.bufs; c->u.last->next != NULL; c->u.last = c->u.last->next)
			;
	}
	if (op == STRAKE_OP_READ || op == STRAKE_OP_WRITE)
		c->u.nbytes = len;
	ctx->pos += len;
	ctx->inflight++;
	u = &c->u;
	strake_chain_begin(lc->p->vol.chunks, &u, 1);
	return 0;
}

/* The range was walked. True: once more, to write. */
static bool
next_phase(struct plain_lcore *lc, struct strake_req *req)
{
	struct plain_ctx *ctx = plain_ctx(lc, req);

	if (req->u.op != STRAKE_OP_COMPARE_WRITE || ctx->phase == 1 || req->u.status != 0)
		return false;
	ctx->phase = 1;
	ctx->pos = 0;
	return true;
}

/* A flush has no range: one piece of one imaginary byte, so that pos tells whether it was handed down. */
static int
flush_begin(struct plain_lcore *lc, struct strake_req *req)
{
	int ret = piece_begin(lc, req, STRAKE_OP_FLUSH, 0);

	if (ret == 0)
		plain_ctx(lc, req)->pos = 1;
	return ret;
}

void
plain_long_pump(struct plain_lcore *lc, struct strake_req *req)
{
	struct plain_ctx *ctx = plain_ctx(lc, req);
	uint64_t end = req->u.op == STRAKE_OP_FLUSH ? 1 : range_len(req);

	do {
		uint32_t max, width;
		uint8_t op = piece_kind(req, ctx, &max, &width);

		while (ctx->pos < end && ctx->inflight < width && req->u.status == 0) {
			int ret = op == STRAKE_OP_FLUSH
					  ? flush_begin(lc, req)
					  : piece_begin(lc, req, op, (uint32_t)RTE_MIN(end - ctx->pos, (uint64_t)max));

			if (ret < 0)
				break;
		}
		if (ctx->inflight > 0)
			return;
		if (ctx->pos < end && req->u.status == 0) {
			plain_starve(lc, req);
			return;
		}
	} while (next_phase(lc, req));
	if (req->u.status != 0 && req->u.op == STRAKE_OP_READ) {
		strake_buf_put_list(req->u.bufs);
		req->u.bufs = NULL;
	}
	plain_end(lc, req);
}
