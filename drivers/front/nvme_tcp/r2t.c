/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Payload that is fetched: R2T out, H2CData in (TCP transport 1.0, section 3.3.2.2). One R2T asks for the whole of a
 * command; several H2CData may answer it, in order. */

#include <stddef.h>

#include "conn.h"

static uint32_t
window(const struct nvme_tcp_conn *conn)
{
	return conn->stream->ops->expect != NULL ? R2T_WINDOW_EXPECT : R2T_WINDOW;
}

void
nvme_tcp_r2t_queue(struct nvme_tcp_slot *slot)
{
	struct nvme_tcp_conn *conn = slot->conn;

	nvme_tcp_slot_move(slot, SLOT_WAIT_R2T);
	nvme_tcp_r2t_pump(conn);
	if (slot->state == SLOT_WAIT_R2T)
		conn->lc->stats.r2t_waits++;
}

static void
ask(struct nvme_tcp_slot *slot)
{
	struct nvme_tcp_conn *conn = slot->conn;
	struct nvme_tcp_r2t *r2t;
	uint32_t plen = NVME_TCP_HLEN_R2T + conn->hdgst;

	r2t = nvme_tcp_tx_small(conn, plen);
	*r2t = (struct nvme_tcp_r2t){
		.ch = {.type = NVME_TCP_R2T, .hlen = NVME_TCP_HLEN_R2T, .plen = plen},
		.cccid = slot->cmd.sqe.cid,
		.ttag = slot->index,
		.r2to = 0,
		.r2tl = slot->cmd.xfer_len,
	};
	nvme_tcp_tx_digest(conn, &r2t->ch);
	conn->lc->stats.r2ts_out++;
	conn->r2t_out++;
	conn->r2t_bytes += slot->cmd.xfer_len;
	if (conn->r2t_budget != 0)
		conn->lc->r2t_bytes += slot->cmd.xfer_len;
	nvme_tcp_slot_move(slot, SLOT_R2T);
}

/* Data of writes is kept until all of it has come: when many connections have begun one and the memory is used up, none
 * ends. So what all of them together ask for fits. */
static bool
fits_budget(const struct nvme_tcp_conn *conn, uint32_t len)
{
	uint64_t asked = conn->lc->r2t_bytes;

	return conn->r2t_budget == 0 || asked == 0 || asked + len <= conn->r2t_budget;
}

static void
wait_turn(struct nvme_tcp_conn *conn)
{
	if (conn->is_waiting)
		return;
	conn->is_waiting = true;
	conn->lc->stats.r2t_budget_waits++;
	TAILQ_INSERT_TAIL(&conn->lc->r2t_waits, conn, wait_link);
}

static void
leave_waits(struct nvme_tcp_conn *conn)
{
	if (!conn->is_waiting)
		return;
	conn->is_waiting = false;
	TAILQ_REMOVE(&conn->lc->r2t_waits, conn, wait_link);
}

/* @p turn: those who wait for the budget are not to be let pass for the first R2T. */
static void
pump(struct nvme_tcp_conn *conn, bool turn)
{
	struct nvme_tcp_slot *slot;

	while ((slot = TAILQ_FIRST(&conn->r2tq)) != NULL) {
		uint32_t len = slot->cmd.xfer_len;

		if (conn->r2t_out != 0 && conn->r2t_bytes + len > window(conn))
			return; /* goes on when data has come */
		if (conn->r2t_budget != 0 && !turn && (!TAILQ_EMPTY(&conn->lc->r2t_waits) || !fits_budget(conn, len))) {
			wait_turn(conn);
			return;
		}
		if (!nvme_tcp_tx_ready(conn->lc)) {
			nvme_tcp_conn_stall(conn);
			return;
		}
		if (slot->cost == 0 && !nvme_tcp_reserve(conn, slot, R2T_COST + RESP_COST))
			return;
		if (conn->stream->ops->expect != NULL) {
			if (slot->pages == 0 && !nvme_tcp_pages_take(slot, PAGES_FETCH))
				return;
			slot->page = strake_buf_page(len);
		}
		ask(slot);
		turn = false;
	}
}

void
nvme_tcp_r2t_pump(struct nvme_tcp_conn *conn)
{
	pump(conn, false);
}

/* Some of the budget is free: whose turn it is. Each asks once, or waits for something of its own. */
static void
serve_waits(struct nvme_tcp_lcore *lc)
{
	struct nvme_tcp_conn *conn;

	while ((conn = TAILQ_FIRST(&lc->r2t_waits)) != NULL) {
		const struct nvme_tcp_slot *slot = TAILQ_FIRST(&conn->r2tq);

		if (slot != NULL && !fits_budget(conn, slot->cmd.xfer_len))
			return;
		leave_waits(conn);
		pump(conn, true);
	}
}

static void
give_budget(struct nvme_tcp_conn *conn, uint32_t len)
{
	conn->r2t_bytes -= len;
	if (conn->r2t_budget != 0)
		conn->lc->r2t_bytes -= len;
}

void
nvme_tcp_r2t_end(struct nvme_tcp_conn *conn)
{
	leave_waits(conn);
	give_budget(conn, conn->r2t_bytes);
	serve_waits(conn->lc);
}

static bool
refuse(struct nvme_tcp_conn *conn, const struct nvme_tcp_data *h, enum nvme_tcp_fes fes, size_t fei)
{
	nvme_tcp_fatal(conn, fes, (uint32_t)fei, h, sizeof(*h));
	return false;
}

bool
nvme_tcp_r2t_data(struct nvme_tcp_conn *conn, const struct nvme_tcp_data *h)
{
	struct nvme_tcp_slot *slot;
	uint32_t left;

	if (conn->r2t_out == 0)
		return refuse(conn, h, NVME_TCP_FES_SEQUENCE, 0);
	if (h->ttag >= nvme_tcp_limits.slots)
		return refuse(conn, h, NVME_TCP_FES_INVALID_HEADER, offsetof(struct nvme_tcp_data, ttag));
	slot = &conn->lc->slots[h->ttag];
	if (slot->conn != conn || slot->state != SLOT_R2T)
		return refuse(conn, h, NVME_TCP_FES_INVALID_HEADER, offsetof(struct nvme_tcp_data, ttag));
	if (slot->cmd.sqe.cid != h->cccid)
		return refuse(conn, h, NVME_TCP_FES_INVALID_HEADER, offsetof(struct nvme_tcp_data, cccid));
	left = slot->cmd.xfer_len - slot->got;
	if (h->datao != slot->got || h->datal > left)
		return refuse(conn, h, NVME_TCP_FES_OUT_OF_RANGE, 0);
	if (h->datal > nvme_tcp_limits.maxh2c)
		return refuse(conn, h, NVME_TCP_FES_LIMIT_EXCEEDED, 0);
	if (h->datal != nvme_tcp_pdu_data_len(conn, &h->ch))
		return refuse(conn, h, NVME_TCP_FES_INVALID_HEADER, offsetof(struct nvme_tcp_data, datal));
	if ((h->datal == left) != ((h->ch.flags & NVME_TCP_F_LAST) != 0))
		return refuse(conn, h, NVME_TCP_FES_INVALID_HEADER, offsetof(struct nvme_tcp_ch, flags));
	conn->cur = slot;
	conn->take_from = 0;
	conn->take_to = h->datal;
	return true;
}

void
nvme_tcp_r2t_data_end(struct nvme_tcp_slot *slot)
{
	struct nvme_tcp_conn *conn = slot->conn;
	struct nvme_tcp_lcore *lc = conn->lc;

	if (slot->got < slot->cmd.xfer_len)
		return;
	conn->r2t_out--;
	conn->fetched++;
	give_budget(conn, slot->cmd.xfer_len);
	if (slot->page != NULL) {
		slot->cmd.data = slot->page;
		slot->page = NULL;
	}
	if (slot->bad_digest)
		nvme_tcp_cmd_fail(slot, NVME_SC_TRANSIENT_TRANSPORT);
	else
		nvme_tcp_slot_ready(slot);
	if (!conn->dying)
		nvme_tcp_r2t_pump(conn);
	serve_waits(lc);
}
