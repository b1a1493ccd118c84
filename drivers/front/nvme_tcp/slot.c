/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Slots: taking and returning them, and lending them to the nvmf room within the transmit credit. */

#include <rte_branch_prediction.h>

#include "conn.h"

static struct nvme_tcp_slots *
list_of(struct nvme_tcp_slot *slot)
{
	switch (slot->state) {
	case SLOT_RECV:
	case SLOT_R2T:
		return &slot->conn->xfers;
	case SLOT_WAIT_R2T:
		return &slot->conn->r2tq;
	case SLOT_CREDIT:
		return &slot->conn->credit;
	case SLOT_REPLY:
		return &slot->conn->replies;
	default:
		return NULL;
	}
}

void
nvme_tcp_slot_move(struct nvme_tcp_slot *slot, enum slot_state state)
{
	struct nvme_tcp_slots *list = list_of(slot);

	if (list != NULL)
		TAILQ_REMOVE(list, slot, link);
	slot->state = (uint8_t)state;
	list = list_of(slot);
	if (list != NULL)
		TAILQ_INSERT_TAIL(list, slot, link);
}

/* Commands a host may have under way: what it said in Connect; before, what the admin queue needs at most. */
static uint32_t
depth(const struct nvme_tcp_conn *conn)
{
	return conn->qp.connected ? conn->qp.size : 4;
}

struct nvme_tcp_slot *
nvme_tcp_slot_get(struct nvme_tcp_conn *conn)
{
	struct nvme_tcp_lcore *lc = conn->lc;
	struct nvme_tcp_slot *slot = TAILQ_FIRST(&lc->free_slots);

	if (unlikely(slot == NULL || conn->outstanding >= depth(conn)))
		return NULL;
	TAILQ_REMOVE(&lc->free_slots, slot, link);
	conn->outstanding++;
	slot->conn = conn;
	slot->state = SLOT_LENT; /* on no list */
	slot->tail = NULL;
	slot->page = NULL;
	slot->got = 0;
	slot->cost = 0;
	slot->pages = 0;
	slot->cid_owned = false;
	slot->bad_digest = false;
	slot->cmd.qp = &conn->qp;
	slot->cmd.data = NULL;
	slot->cmd.done = nvme_tcp_done;
	return slot;
}

/* Neighbours of one connection lie side by side: most hosts count. */
static uint16_t *
cid_bucket(const struct nvme_tcp_slot *slot)
{
	const struct nvme_tcp_lcore *lc = slot->conn->lc;
	uint32_t conn = (uint32_t)(slot->conn - lc->conns);

	return &lc->cids[(conn * 40503u + slot->cmd.sqe.cid) & lc->cid_mask];
}

static void
disown_cid(struct nvme_tcp_slot *slot)
{
	struct nvme_tcp_slot *slots = slot->conn->lc->slots;
	uint16_t *at = cid_bucket(slot);

	while (*at != slot->index + 1)
		at = &slots[*at - 1].cid_next;
	*at = slot->cid_next;
	slot->cid_owned = false;
}

void
nvme_tcp_slot_put(struct nvme_tcp_slot *slot)
{
	struct nvme_tcp_conn *conn = slot->conn;

	nvme_tcp_slot_move(slot, SLOT_FREE);
	if (slot->cid_owned)
		disown_cid(slot);
	conn->reserved -= slot->cost;
	if (slot->pages != 0)
		conn->lc->pages[slot->pages_kind].held -= slot->pages;
	strake_buf_put_list(slot->cmd.data);
	slot->cmd.data = NULL;
	if (slot->page != NULL)
		strake_buf_put(slot->page);
	slot->page = NULL;
	slot->conn = NULL;
	conn->outstanding--;
	/* Last out, first in: the next command finds a warm slot. */
	TAILQ_INSERT_HEAD(&conn->lc->free_slots, slot, link);
	if (unlikely(conn->dying))
		nvme_tcp_conn_settle(conn);
}

bool
nvme_tcp_slot_own_cid(struct nvme_tcp_slot *slot)
{
	struct nvme_tcp_lcore *lc = slot->conn->lc;
	uint16_t *bucket = cid_bucket(slot);

	for (uint16_t i = *bucket; i != 0; i = lc->slots[i - 1].cid_next) {
		const struct nvme_tcp_slot *other = &lc->slots[i - 1];

		if (unlikely(other->conn == slot->conn && other->cmd.sqe.cid == slot->cmd.sqe.cid)) {
			lc->stats.duplicate_cids++;
			return false;
		}
	}
	slot->cid_next = *bucket;
	*bucket = (uint16_t)(slot->index + 1);
	slot->cid_owned = true;
	return true;
}

bool
nvme_tcp_reserve(struct nvme_tcp_conn *conn, struct nvme_tcp_slot *slot, uint32_t need)
{
	uint32_t room = strake_stream_room(conn->stream);
	uint32_t promised = conn->reserved + conn->tx_len;

	/* A reply longer than the stream ever has room for goes when nothing else is under way. */
	if (unlikely(room < promised || room - promised < need) && (promised != 0 || conn->stream->tx_queued != 0)) {
		conn->stream->want_room = true;
		return false;
	}
	slot->cost = need;
	conn->reserved += need;
	return true;
}

static uint32_t
reply_cost(const struct nvme_tcp_slot *slot)
{
	const struct nvme_tcp_conn *conn = slot->conn;

	if (slot->cmd.xfer != NVMF_XFER_TO_HOST)
		return RESP_COST;
	return conn->c2h_pdo + slot->cmd.xfer_len + conn->ddgst + RESP_COST;
}

static void
lend(struct nvme_tcp_slot *slot)
{
	struct nvme_tcp_lcore *lc = slot->conn->lc;

	nvme_tcp_slot_move(slot, SLOT_LENT);
	lc->burst[lc->n_burst++] = &slot->cmd;
	if (lc->n_burst == STRAKE_BURST)
		nvme_tcp_burst_end(slot->conn);
}

static bool
try_lend(struct nvme_tcp_slot *slot)
{
	if (slot->cost == 0 && !nvme_tcp_reserve(slot->conn, slot, reply_cost(slot)))
		return false;
	if (slot->cmd.xfer == NVMF_XFER_TO_HOST && slot->pages == 0 && !nvme_tcp_pages_take(slot, PAGES_READ))
		return false;
	lend(slot);
	return true;
}

void
nvme_tcp_slot_ready(struct nvme_tcp_slot *slot)
{
	struct nvme_tcp_conn *conn = slot->conn;

	if (likely((slot->cost != 0 || TAILQ_EMPTY(&conn->credit)) && try_lend(slot)))
		return;
	conn->lc->stats.credit_waits++;
	nvme_tcp_slot_move(slot, SLOT_CREDIT);
}

void
nvme_tcp_pump(struct nvme_tcp_conn *conn)
{
	struct nvme_tcp_slot *slot;

	if (conn->dying)
		return;
	while ((slot = TAILQ_FIRST(&conn->credit)) != NULL && try_lend(slot))
		;
	if (!TAILQ_EMPTY(&conn->r2tq))
		nvme_tcp_r2t_pump(conn);
	nvme_tcp_burst_end(conn);
}

void
nvme_tcp_burst_end(struct nvme_tcp_conn *conn)
{
	struct nvme_tcp_lcore *lc = conn->lc;
	uint16_t n = lc->n_burst;

	if (n == 0)
		return;
	lc->n_burst = 0;
	nvmf_execute(&conn->qp, lc->burst, n);
}
