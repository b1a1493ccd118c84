/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The life of a connection; conn.h has the states. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "conn.h"

static void conn_timer(struct strake_timer *t, uint64_t now);

const char *
nvme_tcp_conn_state_name(const struct nvme_tcp_conn *conn)
{
	static const char *const names[CONN_STATES] = {"free", "icreq", "connect", "ready", "term", "closing"};

	return names[conn->state];
}

void
nvme_tcp_conn_enter(struct nvme_tcp_conn *conn, enum conn_state state)
{
	static const uint64_t limit[CONN_STATES] = {
		[CONN_ICREQ] = CONN_ICREQ_NS, [CONN_CONNECT] = CONN_CONNECT_NS, [CONN_READY] = CONN_PROGRESS_NS,
		[CONN_TERM] = CONN_TERM_NS,   [CONN_CLOSING] = CONN_CLOSE_NS,
	};

	conn->state = (uint8_t)state;
	strake_timer_arm(&conn->timer, strake_now() + limit[state]);
}

void
nvme_tcp_conn_stall(struct nvme_tcp_conn *conn)
{
	if (conn->is_stalled || conn->dying)
		return;
	conn->is_stalled = true;
	conn->lc->stats.stalls++;
	TAILQ_INSERT_TAIL(&conn->lc->stalled, conn, stalled_link);
}

void
nvme_tcp_conn_settle(struct nvme_tcp_conn *conn)
{
	if (conn->is_reaped || conn->stream != NULL || !conn->qp_gone || conn->outstanding != 0)
		return;
	conn->is_reaped = true;
	TAILQ_INSERT_TAIL(&conn->lc->reap, conn, reap_link);
}

static void
qp_gone(struct nvmf_qpair *qp)
{
	struct nvme_tcp_conn *conn = (struct nvme_tcp_conn *)qp;

	conn->qp_gone = true;
	nvme_tcp_conn_settle(conn);
}

static void
drop(struct nvme_tcp_slots *list)
{
	struct nvme_tcp_slot *slot;

	while ((slot = TAILQ_FIRST(list)) != NULL)
		nvme_tcp_slot_put(slot);
}

/* Before the nvmf room hears of the end: it may want them told. */
static void
note_words(struct nvme_tcp_conn *conn, const struct strake_stream *s)
{
	if (!conn->dying && s->ops->last_words != NULL)
		s->ops->last_words(s, &conn->words);
}

void
nvme_tcp_conn_die(struct nvme_tcp_conn *conn)
{
	if (conn->dying)
		return;
	if (conn->stream != NULL)
		note_words(conn, conn->stream);
	/* What came before the end is carried out as far as the nvmf room sees fit. */
	nvme_tcp_burst_end(conn);
	conn->dying = true;
	conn->phase = RX_DISCARD;
	conn->cur = NULL;
	conn->hdr_have = 0;
	nvme_tcp_rx_discard(conn);
	if (conn->is_stalled) {
		conn->is_stalled = false;
		TAILQ_REMOVE(&conn->lc->stalled, conn, stalled_link);
	}
	/* The nvmf room may still compare lent commands with those that are not (fused halves): it is told first. */
	nvmf_qpair_fini(&conn->qp, qp_gone);
	drop(&conn->xfers);
	drop(&conn->r2tq);
	drop(&conn->credit);
	drop(&conn->replies);
	nvme_tcp_r2t_end(conn);
	nvme_tcp_pages_end(conn);
}

void
nvme_tcp_conn_close(struct nvme_tcp_conn *conn, bool abort)
{
	struct strake_stream *s = conn->stream;

	nvme_tcp_conn_die(conn);
	if (s == NULL)
		return;
	if (abort) {
		nvme_tcp_conn_enter(conn, CONN_CLOSING);
		s->ops->abort(s);
	} else if (conn->state != CONN_CLOSING) {
		nvme_tcp_flush(conn);
		nvme_tcp_conn_enter(conn, CONN_CLOSING);
		s->ops->close(s);
	}
}

void
nvme_tcp_conn_kill(struct nvmf_qpair *qp)
{
	nvme_tcp_conn_close((struct nvme_tcp_conn *)qp, false);
}

void
nvme_tcp_conn_tell(struct nvmf_qpair *by, const struct nvmf_qpair *lost)
{
	const struct strake_stream_words *words = &((const struct nvme_tcp_conn *)lost)->words;
	struct strake_stream *s = ((struct nvme_tcp_conn *)by)->stream;

	if (s != NULL && words->ops == s->ops)
		s->ops->tell(s, words);
}

static void
conn_closed(struct strake_stream *s, int err)
{
	struct nvme_tcp_conn *conn = s->user;

	note_words(conn, s);
	conn->qp.silent |= err == -ETIMEDOUT;
	conn->stream = NULL;
	conn->state = CONN_CLOSING;
	strake_timer_cancel(&conn->timer);
	nvme_tcp_conn_die(conn);
	nvme_tcp_conn_settle(conn);
}

static void
conn_eof(struct strake_stream *s)
{
	nvme_tcp_conn_close(s->user, false);
}

static void
conn_room(struct strake_stream *s)
{
	nvme_tcp_pump(s->user);
}

static const struct strake_stream_cb callbacks = {
	.rx = nvme_tcp_rx, .room = conn_room, .eof = conn_eof, .closed = conn_closed};

static void
conn_timer(struct strake_timer *t, uint64_t now)
{
	struct nvme_tcp_conn *conn = (struct nvme_tcp_conn *)((char *)t - offsetof(struct nvme_tcp_conn, timer));

	if (conn->state == CONN_READY) {
		nvme_tcp_progress_look(conn);
		return;
	}
	if (conn->state == CONN_ICREQ || conn->state == CONN_CONNECT)
		conn->lc->stats.timeouts_setup++;
	nvme_tcp_conn_close(conn, true);
}

static uint16_t
name_of(const struct sockaddr_storage *sa, char *out, size_t len)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

	out[0] = '\0';
	if (sa->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, out, (socklen_t)len);
		return ntohs(in->sin_port);
	}
	if (sa->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, out, (socklen_t)len);
		return ntohs(in6->sin6_port);
	}
	snprintf(out, len, "?");
	return 0;
}

static void
begin(struct nvme_tcp_conn *conn, struct strake_stream *s)
{
	struct nvme_tcp_lcore *lc = conn->lc;

	memset(conn, 0, sizeof(*conn));
	conn->lc = lc;
	conn->stream = s;
	conn->timer.fn = conn_timer;
	conn->c2h_pdo = NVME_TCP_HLEN_DATA;
	conn->r2t_budget = s->rx_budget;
	TAILQ_INIT(&conn->xfers);
	TAILQ_INIT(&conn->r2tq);
	TAILQ_INIT(&conn->credit);
	TAILQ_INIT(&conn->replies);
	conn->qp.transport = &nvme_tcp_trans;
	conn->qp.lcore = strake_self_index();
	conn->qp.local_service = name_of(&s->local, conn->qp.local, sizeof(conn->qp.local));
	name_of(&s->peer, conn->qp.peer, sizeof(conn->qp.peer));
	conn->qp.size = QUEUE_MAX;
	nvmf_qpair_init(&conn->qp);
}

int
nvme_tcp_accept(struct strake_stream *s, void *arg)
{
	struct nvme_tcp_lcore *lc = nvme_tcp_lcores[strake_self_index()];
	struct nvme_tcp_conn *conn = lc == NULL ? NULL : TAILQ_FIRST(&lc->free_conns);

	if (conn == NULL) {
		if (lc != NULL)
			lc->stats.refused++;
		return -ENOBUFS;
	}
	TAILQ_REMOVE(&lc->free_conns, conn, link);
	begin(conn, s);
	s->cb = &callbacks;
	s->user = conn;
	TAILQ_INSERT_TAIL(&lc->active, conn, link);
	lc->n_active++;
	lc->stats.accepted++;
	nvme_tcp_conn_enter(conn, CONN_ICREQ);
	return 0;
}

void
nvme_tcp_conn_reap(struct nvme_tcp_lcore *lc)
{
	struct nvme_tcp_conn *conn;

	while ((conn = TAILQ_FIRST(&lc->reap)) != NULL) {
		TAILQ_REMOVE(&lc->reap, conn, reap_link);
		nvme_tcp_flush(conn); /* drops what was gathered after the end */
		strake_timer_cancel(&conn->timer);
		TAILQ_REMOVE(&lc->active, conn, link);
		conn->state = CONN_FREE;
		TAILQ_INSERT_HEAD(&lc->free_conns, conn, link);
		lc->n_active--;
		lc->stats.closed++;
	}
}
