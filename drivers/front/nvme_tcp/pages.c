/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Pages of commands under way.
 *
 * A read takes a page for each piece of it, on its way through the stages, and keeps them until the last one is there;
 * a write keeps that of its data while stages ask for more. When many have begun and the pages are used up, each waits
 * for what the others keep, and none ends. So what all of an lcore's commands may take together is a small part of all
 * pages: from its largest class alone, and with as much again for a stage, there is enough for them. Replies that wait
 * to be read are not among them: they go, or the connection does (progress.c). */

#include <rte_branch_prediction.h>

#include "conn.h"

/* Of all pages, for one kind of commands of all lcores. Pages of 16 KiB are the scarcest: 7/32 with those they fall
 * back on. */
#define SHARE 20u

void
nvme_tcp_pages_init(struct nvme_tcp_lcore *lc)
{
	uint64_t lcores = RTE_MAX(strake_lcore_count() - 1, 1);
	size_t bytes;
	void *arena;

	strake_buf_arena(&arena, &bytes);
	lc->pages_most = bytes / SHARE / lcores;
	for (int kind = 0; kind < PAGES_KINDS; kind++)
		TAILQ_INIT(&lc->pages[kind].waits);
}

static void
wait_turn(struct nvme_tcp_conn *conn, enum pages_kind kind)
{
	if (conn->wants_pages[kind])
		return;
	conn->wants_pages[kind] = true;
	conn->lc->stats.page_waits++;
	TAILQ_INSERT_TAIL(&conn->lc->pages[kind].waits, conn, page_link[kind]);
}

static void
leave(struct nvme_tcp_conn *conn, enum pages_kind kind)
{
	if (!conn->wants_pages[kind])
		return;
	conn->wants_pages[kind] = false;
	TAILQ_REMOVE(&conn->lc->pages[kind].waits, conn, page_link[kind]);
}

void
nvme_tcp_pages_end(struct nvme_tcp_conn *conn)
{
	leave(conn, PAGES_READ);
	leave(conn, PAGES_FETCH);
}

/* One at least, however little there is. */
static bool
fits(const struct nvme_tcp_lcore *lc, const struct nvme_tcp_pages *p, uint32_t bytes)
{
	return p->held == 0 || p->held + bytes <= lc->pages_most;
}

bool
nvme_tcp_pages_take(struct nvme_tcp_slot *slot, enum pages_kind kind)
{
	const uint32_t bytes = strake_buf_page_size(slot->cmd.xfer_len);
	struct nvme_tcp_lcore *lc = slot->conn->lc;
	struct nvme_tcp_pages *p = &lc->pages[kind];

	/* Not past those who wait. */
	if (unlikely(!fits(lc, p, bytes) || (!TAILQ_EMPTY(&p->waits) && !p->serving))) {
		wait_turn(slot->conn, kind);
		return false;
	}
	p->held += bytes;
	slot->pages = bytes;
	slot->pages_kind = (uint8_t)kind;
	return true;
}

/* The first of those who wait could go on. */
static bool
first_fits(const struct nvme_tcp_lcore *lc, enum pages_kind kind)
{
	const struct nvme_tcp_pages *p = &lc->pages[kind];
	const struct nvme_tcp_conn *conn = TAILQ_FIRST(&p->waits);
	const struct nvme_tcp_slot *slot;

	if (conn == NULL)
		return false;
	slot = TAILQ_FIRST(kind == PAGES_READ ? &conn->credit : &conn->r2tq);
	return slot == NULL || fits(lc, p, strake_buf_page_size(slot->cmd.xfer_len));
}

static void
serve(struct nvme_tcp_lcore *lc, enum pages_kind kind)
{
	struct nvme_tcp_pages *p = &lc->pages[kind];
	const struct nvme_tcp_conn *last = TAILQ_LAST(&p->waits, nvme_tcp_conns);
	struct nvme_tcp_conn *conn = NULL;

	p->serving = true;
	for (uint32_t i = lc->n_active; i > 0 && conn != last && first_fits(lc, kind); i--) {
		conn = TAILQ_FIRST(&p->waits);
		leave(conn, kind);
		nvme_tcp_pump(conn);
	}
	p->serving = false;
}

void
nvme_tcp_pages_serve(struct nvme_tcp_lcore *lc)
{
	for (int kind = 0; kind < PAGES_KINDS; kind++)
		if (unlikely(!TAILQ_EMPTY(&lc->pages[kind].waits)))
			serve(lc, (enum pages_kind)kind);
}

bool
nvme_tcp_pages_due(const struct nvme_tcp_lcore *lc)
{
	for (int kind = 0; kind < PAGES_KINDS; kind++)
		if (first_fits(lc, (enum pages_kind)kind))
			return true;
	return false;
}
