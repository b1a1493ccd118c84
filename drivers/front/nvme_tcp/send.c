/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Replies: data where it lies, with small bytes of ours (headers, digests, response capsules) between. What a turn
 * gathers leaves in one send. */

#include <stdio.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_mempool.h>

#include "conn.h"
#include "strake_kernel.h"

/* Of the pool of small buffers, on each lcore. */
#define SMALLS_CACHE 256u

static void
small_release(struct strake_buf *buf)
{
	rte_mempool_put(rte_mempool_from_obj(buf->opaque), buf->opaque);
}

static const struct strake_backing small_backing = {.name = "nvme_tcp", .release = small_release};

int
nvme_tcp_send_init(struct nvme_tcp_lcore *lc, uint32_t smalls)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "nvme_tcp_%u", strake_self_index());
	lc->smalls = rte_mempool_create(name, smalls, TX_SMALL, RTE_MIN(smalls / 4, SMALLS_CACHE), 0, NULL, NULL, NULL,
					NULL, strake_self()->socket, 0);
	return lc->smalls == NULL ? -ENOMEM : 0;
}

void
nvme_tcp_send_fini(struct nvme_tcp_lcore *lc)
{
	while (lc->n_spare > 0)
		strake_buf_put(lc->spare[--lc->n_spare]);
	rte_mempool_free(lc->smalls);
}

static bool
refill(struct nvme_tcp_lcore *lc)
{
	while (lc->n_spare < RTE_DIM(lc->spare)) {
		struct strake_buf *buf;
		void *mem;

		if (rte_mempool_get(lc->smalls, &mem) < 0)
			return false;
		buf = strake_buf_wrap(mem, TX_SMALL, &small_backing, mem, STRAKE_BUF_STABLE | STRAKE_BUF_WRITABLE);
		if (buf == NULL) {
			rte_mempool_put(lc->smalls, mem);
			return false;
		}
		lc->spare[lc->n_spare++] = buf;
	}
	return true;
}

bool
nvme_tcp_tx_ready(struct nvme_tcp_lcore *lc)
{
	return likely(lc->n_spare == RTE_DIM(lc->spare)) || refill(lc);
}

static void
mark_dirty(struct nvme_tcp_conn *conn)
{
	if (conn->is_dirty)
		return;
	conn->is_dirty = true;
	TAILQ_INSERT_TAIL(&conn->lc->dirty, conn, dirty_link);
}

static void
append(struct nvme_tcp_conn *conn, struct strake_buf *first, struct strake_buf *last, uint32_t len)
{
	if (conn->tx_head == NULL)
		conn->tx_head = first;
	else
		conn->tx_tail->next = first;
	conn->tx_tail = last;
	conn->tx_len += len;
	mark_dirty(conn);
}

void *
nvme_tcp_tx_small(struct nvme_tcp_conn *conn, uint32_t len)
{
	struct nvme_tcp_lcore *lc = conn->lc;
	struct strake_buf *buf = conn->tx_small;
	uint8_t *at;

	if (buf != NULL && buf->len + len <= TX_SMALL) {
		at = buf->addr + buf->len;
		buf->len += len;
		conn->tx_len += len;
		return at;
	}
	buf = lc->spare[--lc->n_spare];
	buf->len = len;
	buf->next = NULL;
	append(conn, buf, buf, len);
	conn->tx_small = buf;
	return buf->addr;
}

void
nvme_tcp_tx_digest(const struct nvme_tcp_conn *conn, struct nvme_tcp_ch *h)
{
	uint32_t crc;

	if (conn->hdgst == 0)
		return;
	h->flags |= NVME_TCP_F_HDGST;
	crc = strake_kernel->crc32c(0, h, h->hlen);
	memcpy((uint8_t *)h + h->hlen, &crc, sizeof(crc));
}

void
nvme_tcp_tx_resp(struct nvme_tcp_conn *conn, const struct nvme_cpl *cqe)
{
	struct nvme_tcp_capsule_resp *resp;
	uint32_t plen = NVME_TCP_HLEN_RESP + conn->hdgst;

	resp = nvme_tcp_tx_small(conn, plen);
	resp->ch = (struct nvme_tcp_ch){.type = NVME_TCP_CAPSULE_RESP, .hlen = NVME_TCP_HLEN_RESP, .plen = plen};
	memcpy(resp->cqe, cqe, sizeof(resp->cqe));
	nvme_tcp_tx_digest(conn, &resp->ch);
	conn->lc->stats.resps_out++;
}

/* The whole payload in one PDU; takes the list of the command. */
static void
send_data(struct nvme_tcp_slot *slot, bool success)
{
	struct nvme_tcp_conn *conn = slot->conn;
	struct strake_buf *first = slot->cmd.data, *last = first;
	uint32_t len = slot->cmd.data_len, crc = 0;
	struct nvme_tcp_data *h;

	h = nvme_tcp_tx_small(conn, conn->c2h_pdo);
	*h = (struct nvme_tcp_data){
		.ch = {.type = NVME_TCP_C2H_DATA,
		       .flags = (uint8_t)(NVME_TCP_F_LAST | (success ? NVME_TCP_F_SUCCESS : 0) |
					  (conn->ddgst ? NVME_TCP_F_DDGST : 0)),
		       .hlen = NVME_TCP_HLEN_DATA,
		       .pdo = conn->c2h_pdo,
		       .plen = conn->c2h_pdo + len + conn->ddgst},
		.cccid = slot->cmd.sqe.cid,
		.datal = len,
	};
	if (conn->c2h_pdo > NVME_TCP_HLEN_DATA)
		memset(h + 1, 0, conn->c2h_pdo - NVME_TCP_HLEN_DATA);
	nvme_tcp_tx_digest(conn, &h->ch);
	for (struct strake_buf *buf = first; buf != NULL; buf = buf->next) {
		if (conn->ddgst)
			crc = strake_kernel->crc32c(crc, buf->addr, buf->len);
		last = buf;
	}
	append(conn, first, last, len);
	conn->tx_small = NULL;
	slot->cmd.data = NULL;
	if (conn->ddgst)
		memcpy(nvme_tcp_tx_small(conn, sizeof(crc)), &crc, sizeof(crc));
	conn->lc->stats.reads_out++;
	conn->lc->stats.success_flag += success;
}

/* SUCCESS says "no error, and nothing else to tell": not when a result or SQHD is due (section 3.6.2.9 and the
 * Connect attribute that disables SQ flow control). */
static void
build(struct nvme_tcp_slot *slot)
{
	struct nvme_tcp_conn *conn = slot->conn;
	const struct nvme_cpl *cqe = &slot->cmd.cqe;
	bool ok = (cqe->status >> 1) == 0;
	bool success = ok && conn->no_sq_flow && cqe->result64 == 0;

	if (ok && slot->cmd.data != NULL && slot->cmd.xfer == NVMF_XFER_TO_HOST) {
		send_data(slot, success);
		if (success)
			return;
	}
	nvme_tcp_tx_resp(conn, cqe);
}

void
nvme_tcp_reply(struct nvme_tcp_slot *slot)
{
	struct nvme_tcp_conn *conn = slot->conn;

	if (likely(!conn->dying)) {
		if (unlikely(!TAILQ_EMPTY(&conn->replies) || !nvme_tcp_tx_ready(conn->lc))) {
			nvme_tcp_slot_move(slot, SLOT_REPLY);
			nvme_tcp_conn_stall(conn);
			return;
		}
		build(slot);
	}
	nvme_tcp_slot_put(slot);
}

void
nvme_tcp_reply_pump(struct nvme_tcp_conn *conn)
{
	struct nvme_tcp_slot *slot;

	while ((slot = TAILQ_FIRST(&conn->replies)) != NULL && nvme_tcp_tx_ready(conn->lc)) {
		build(slot);
		nvme_tcp_slot_put(slot);
	}
	if (slot != NULL)
		nvme_tcp_conn_stall(conn);
}

/* Connect is the one command whose end changes the connection. */
static void
connected(struct nvme_tcp_conn *conn, const struct nvmf_cmd *cmd)
{
	conn->no_sq_flow = (cmd->sqe.cattr & NVME_CONNECT_DISABLE_SQ_FLOW) != 0;
	nvme_tcp_conn_enter(conn, CONN_READY);
}

void
nvme_tcp_done(struct nvmf_cmd *cmd)
{
	struct nvme_tcp_slot *slot = (struct nvme_tcp_slot *)cmd;
	struct nvme_tcp_conn *conn = slot->conn;

	if (unlikely(conn->state == CONN_CONNECT && conn->qp.connected))
		connected(conn, cmd);
	nvme_tcp_reply(slot);
}

void
nvme_tcp_flush(struct nvme_tcp_conn *conn)
{
	struct strake_buf *head = conn->tx_head;
	uint32_t len = conn->tx_len;

	if (conn->is_dirty) {
		conn->is_dirty = false;
		TAILQ_REMOVE(&conn->lc->dirty, conn, dirty_link);
	}
	if (head == NULL)
		return;
	conn->tx_head = NULL;
	conn->tx_tail = NULL;
	conn->tx_small = NULL;
	conn->tx_len = 0;
	if (conn->stream == NULL) {
		strake_buf_put_list(head);
		return;
	}
	conn->lc->stats.sends++;
	conn->sent += len;
	strake_stream_send(conn->stream, head, len);
}
