/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ini_priv.h"
#include "ticks.h"
#include "xfer.h"

/* One command's worth. The ring of them is used in order: issued at the tail, handed over at the head. */
struct piece {
	struct qp_io io;
	uint64_t at;
	uint32_t len;
	bool done;
	int err;
};

struct run {
	struct xfer *x;
	struct piece *piece;
	uint8_t *mem;
	uint64_t head, tail; /* pieces */
	uint64_t issued;     /* bytes */
};

static void
piece_done(struct qp_io *io, int err)
{
	struct piece *p = io->arg;

	p->done = true;
	p->err = err;
}

static int
issue(struct run *r)
{
	struct xfer *x = r->x;
	uint64_t i = r->tail % x->depth, left = x->length - r->issued;
	struct piece *p = &r->piece[i];
	struct qp *qp = ini_queue(x->ini, (unsigned int)(r->tail % ini_queues(x->ini)));
	int ret;

	*p = (struct piece){.at = x->offset + r->issued, .len = left < x->bs ? (uint32_t)left : x->bs};
	p->io.cmd.opc = x->opc;
	p->io.cmd.nsid = x->ns->nsid;
	p->io.cmd.slba = p->at >> x->ns->lba_shift;
	p->io.cmd.nlb = (uint16_t)((p->len >> x->ns->lba_shift) - 1);
	p->io.cmd.control = x->control;
	p->io.done = piece_done;
	p->io.arg = p;
	if (r->mem != NULL) {
		p->io.buf = r->mem + i * x->bs;
		p->io.len = p->len;
		p->io.dir = x->opc == NVME_IO_READ ? QP_IN : QP_OUT;
	}
	if (x->opc == NVME_IO_WRITE) {
		ret = x->data(x, p->io.buf, p->at, p->len);
		if (ret < 0)
			return ret;
	}
	/* Send space may run out before commands do: let some leave. */
	while ((ret = qp_submit(qp, &p->io, ticks_now())) == -EAGAIN)
		if ((ret = qp_poll(qp, ticks_now())) < 0)
			break;
	if (ret < 0)
		return ini_fail(x->ini, ret, "%s", qp_error(qp));
	r->issued += p->len;
	r->tail++;
	return 0;
}

/* Hand over what is finished, in order. */
static int
collect(struct run *r)
{
	struct xfer *x = r->x;

	while (r->head < r->tail) {
		struct piece *p = &r->piece[r->head % x->depth];
		int ret = p->err;

		if (!p->done)
			return 0;
		if (ret < 0)
			return ini_fail(x->ini, ret, "%s",
					qp_error(ini_queue(x->ini, (unsigned int)(r->head % ini_queues(x->ini)))));
		if (NVME_CPL_SC(p->io.cpl.status) != 0)
			return ini_status_error(x->ini, &p->io, false);
		if (x->opc == NVME_IO_READ && x->data != NULL)
			ret = x->data(x, p->io.buf, p->at, p->len);
		if (ret < 0)
			return ret;
		x->moved += p->len;
		r->head++;
	}
	return 0;
}

static int
turn(struct run *r)
{
	struct xfer *x = r->x;
	uint64_t now = ticks_now();
	int ret = 0, n = 0;

	while (ret == 0 && r->issued < x->length && r->tail - r->head < x->depth)
		ret = issue(r);
	for (unsigned int q = 0; q < ini_queues(x->ini) && ret == 0; q++) {
		int got = qp_poll(ini_queue(x->ini, q), now);

		if (got > 0)
			n += got;
	}
	if (ret == 0)
		ret = collect(r);
	if (ret == 0)
		ret = ini_tick(x->ini, now);
	if (x->progress != NULL)
		progress_update(x->progress, x->moved, (uint64_t)ticks_to_ns(now));
	/* With several queues another may have something sooner than this one: sleep briefly. */
	if (ret == 0 && n == 0 && r->head < r->tail)
		qp_wait(ini_queue(x->ini, (unsigned int)(r->head % ini_queues(x->ini))),
			ini_queues(x->ini) > 1 ? 1 : 10);
	return ret;
}

/* Buffers must stay until nothing under way points at them; a queue that hangs is failed by its timeout. */
static void
drain(struct run *r)
{
	for (unsigned int q = 0; q < ini_queues(r->x->ini); q++)
		while (qp_inflight(ini_queue(r->x->ini, q)) > 0 && qp_poll(ini_queue(r->x->ini, q), ticks_now()) >= 0)
			;
}

int
xfer_run(struct xfer *x)
{
	struct run r = {.x = x};
	uint32_t room = ini_depth(x->ini) * ini_queues(x->ini);
	int ret = 0;

	if (x->depth > room)
		x->depth = room;
	x->moved = 0;
	r.piece = calloc(x->depth, sizeof(*r.piece));
	if (x->opc != NVME_IO_WRITE_ZEROES)
		r.mem = aligned_alloc(4096, ((size_t)x->depth * x->bs + 4095) & ~4095ul);
	if (r.piece == NULL || (r.mem == NULL && x->opc != NVME_IO_WRITE_ZEROES)) {
		ret = ini_fail(x->ini, -ENOMEM, "out of memory");
		goto out;
	}
	while (ret == 0 && x->moved < x->length) {
		ret = turn(&r);
		if (x->stop != NULL && *x->stop)
			ret = ini_fail(x->ini, -EINTR, "interrupted");
	}
	drain(&r);
out:
	free(r.mem);
	free(r.piece);
	return ret;
}
