/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A connected host may be silent for as long as its keep-alive allows, but not in the middle of something: a PDU, data
 * of a write that it was asked for, replies that it does not read. What it has begun keeps memory and slots from
 * others.
 *
 * Each connection is looked at every CONN_PROGRESS_NS, and what it owed at one look must have gone on by the next:
 * bytes that trickle in are not enough, nor is one direction for the other. While the largest pages are short all
 * connections are looked at every CONN_SHORT_NS, so that those who keep them in replies go before others lose patience.
 */

#include "conn.h"

/* Of the latter, in a row without progress. */
#define SHORT_LOOKS 4u

/* Of what was queued at one look, as much must have been read at the next. */
#define READ_LEAST (64u * 1024u)

static bool
moved(const struct nvme_tcp_look *a, const struct nvme_tcp_look *b)
{
	if (a->queued != 0 && b->read - a->read < RTE_MIN(a->queued, READ_LEAST))
		return false;
	if (a->fetching && b->fetching && a->fetched == b->fetched)
		return false;
	return !a->inside || !b->inside || a->pdus != b->pdus;
}

static struct nvme_tcp_look
look(const struct nvme_tcp_conn *conn)
{
	return (struct nvme_tcp_look){
		.read = conn->sent - conn->stream->tx_queued,
		.queued = conn->stream->tx_queued,
		.fetched = conn->fetched,
		.pdus = conn->pdus,
		/* What is not read because we are short of something is not the host's to bring. */
		.fetching = conn->r2t_out != 0 && !conn->is_stalled,
		.inside = (conn->phase != RX_HEADER || conn->hdr_have != 0) && !conn->is_stalled,
	};
}

static void
end(struct nvme_tcp_conn *conn)
{
	conn->lc->stats.timeouts_progress++;
	conn->qp.silent = true;
	nvme_tcp_conn_close(conn, true);
}

void
nvme_tcp_progress_look(struct nvme_tcp_conn *conn)
{
	const struct nvme_tcp_look now = look(conn);
	bool goes_on = moved(&conn->seen, &now);

	conn->seen = now;
	if (goes_on)
		nvme_tcp_conn_enter(conn, CONN_READY);
	else
		end(conn);
}

/* Only of replies: what else commands may take is little (pages.c). */
static void
look_short(struct nvme_tcp_conn *conn, bool first)
{
	struct nvme_tcp_look now = look(conn);

	now.fetching = now.inside = false;
	if (!first && !moved(&conn->seen_short, &now))
		now.idle = (uint8_t)(conn->seen_short.idle + 1);
	conn->seen_short = now;
	if (now.idle == SHORT_LOOKS)
		end(conn);
}

/* Every class falls back on the largest pages. */
static bool
pages_short(void)
{
	struct strake_buf_usage u;

	strake_buf_usage(&u);
	return u.pages_free[3] < u.pages[3] / 8;
}

static void
tick(struct strake_timer *t, uint64_t now)
{
	struct nvme_tcp_lcore *lc = (struct nvme_tcp_lcore *)((char *)t - offsetof(struct nvme_tcp_lcore, progress));
	bool was_short = lc->pages_short;
	struct nvme_tcp_conn *conn;

	lc->pages_short = pages_short();
	/* None is freed before the end of the turn. */
	TAILQ_FOREACH (conn, &lc->active, link) {
		if (!lc->pages_short)
			break;
		if (conn->state == CONN_READY)
			look_short(conn, !was_short);
	}
	strake_timer_arm(t, now + CONN_SHORT_NS);
}

void
nvme_tcp_progress_init(struct nvme_tcp_lcore *lc)
{
	lc->progress.fn = tick;
	strake_timer_arm(&lc->progress, strake_now() + CONN_SHORT_NS);
}

void
nvme_tcp_progress_fini(struct nvme_tcp_lcore *lc)
{
	strake_timer_cancel(&lc->progress);
}
