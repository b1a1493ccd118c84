/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Requests that cross slabs: one child for each slab.
 *
 * A child costs a request and descriptors. When those have run out the request waits in the line of its lcore. Only the
 * first in the line takes what comes free, and when no child of it is under way it may take one request from the
 * reserve. A child waits for nobody who waits here, so the line always moves, even if all requests there are stand in
 * such lines. A line holds requests that exist already, so it is no longer than their pool.
 */

#include "cut.h"

#include <errno.h>

#include "slab.h"
#include "submit.h"

struct line {
	struct strake_msg again; /* to ourselves, for the next turn */
	bool sent;
	bool cancelled; /* one of them, perhaps */
	struct unit_fifo wait;
} __rte_cache_aligned;

static struct line lines[STRAKE_LCORE_MAX];

static void
cut_end(struct strake_req *parent)
{
	submit_turn_back(parent, parent->u.status);
}

/* Fork and submit as far as the pools reach. @return true: all of it. */
static bool
cut_on(struct strake_req *req, bool reserve)
{
	const struct strake_volume *vol = req->vol;
	uint64_t per_slab = 1ULL << (vol->slab_shift - vol->lba_shift), end = req->u.lba + req->u.nlb;

	while (req->cut < end) {
		uint64_t next = RTE_MIN((req->cut / per_slab + 1) * per_slab, end);
		struct strake_req *child = submit_fork(req, req->cut, (uint32_t)(next - req->cut), reserve);

		if (child == NULL)
			return false;
		reserve = false;
		req->cut = next;
		strake_req_submit(&child, 1);
	}
	return true;
}

/* End those that were cancelled; what they have under way ends first. */
static void
sweep(struct line *line)
{
	struct unit_fifo all = line->wait;
	struct strake_unit *u;

	unit_fifo_init(&line->wait);
	while ((u = unit_fifo_pop(&all)) != NULL) {
		if (!(u->flags & STRAKE_UNIT_CANCELLED)) {
			unit_fifo_push(&line->wait, u);
			continue;
		}
		if (u->status == 0)
			u->status = -ECANCELED;
		strake_req_join(strake_req_of(u), cut_end);
	}
}

/* @return true: it needs no more forking. */
static bool
go_on(struct strake_req *req)
{
	/* What its children have is collected as they end, so that a request from the reserve goes back. */
	if (req->kids != NULL && req->children == 1)
		submit_reap(req);
	return req->u.status < 0 || cut_on(req, req->kids == NULL);
}

static void line_run(struct strake_msg *msg);

static void
line_again(struct line *line)
{
	if (line->sent || line->wait.head == NULL)
		return;
	line->sent = true;
	line->again.fn = line_run;
	strake_msg_send(strake_self_index(), &line->again);
}

static void
line_run(struct strake_msg *msg)
{
	struct line *line = RTE_PTR_SUB(msg, offsetof(struct line, again));

	line->sent = false;
	if (line->cancelled)
		sweep(line);
	line->cancelled = false;
	while (line->wait.head != NULL && go_on(strake_req_of(line->wait.head)))
		strake_req_join(strake_req_of(unit_fifo_pop(&line->wait)), cut_end);
	line_again(line);
}

void
cut_begin(struct strake_req *req)
{
	struct line *line = &lines[strake_self_index()];

	/* Compare-and-write is atomic by what its slab's owner can order: one that crosses slabs is refused. */
	if (req->u.op == STRAKE_OP_COMPARE_WRITE) {
		submit_turn_back(req, -EOPNOTSUPP);
		return;
	}
	req->cut = req->u.lba;
	if (line->wait.head == NULL) {
		unit_fifo_init(&line->wait);
		if (cut_on(req, false)) {
			strake_req_join(req, cut_end);
			return;
		}
	}
	unit_fifo_push(&line->wait, &req->u);
	line_again(line);
}

void
cut_cancelled(void)
{
	struct line *line = &lines[strake_self_index()];

	line->cancelled = line->wait.head != NULL;
}
