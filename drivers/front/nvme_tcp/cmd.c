/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Command capsules: what each needs before it can be carried out. */

#include <string.h>

#include "conn.h"

static uint32_t
in_capsule_limit(const struct nvme_tcp_conn *conn)
{
	if (!conn->qp.connected || conn->qp.qid == 0)
		return NVME_TCP_ADMIN_ICD;
	return nvme_tcp_limits.in_capsule;
}

/* No slot. A connection without R2Ts under way waits: its commands end by themselves. One with R2Ts must be read on,
 * because the data that frees slots comes behind this capsule: answer with an error that hosts retry. */
static bool
no_slot(struct nvme_tcp_conn *conn, const struct nvme_tcp_capsule_cmd *h)
{
	struct nvmf_cmd *cmd = &conn->lc->shed;
	bool in_capsule;
	uint64_t offset;

	if (conn->r2t_out == 0 || !nvme_tcp_tx_ready(conn->lc)) {
		nvme_tcp_conn_stall(conn);
		return false;
	}
	memset(cmd, 0, sizeof(*cmd));
	memcpy(&cmd->sqe, h->sqe, sizeof(cmd->sqe));
	cmd->qp = &conn->qp;
	if (nvmf_cmd_check(cmd, &in_capsule, &offset))
		nvmf_fail(cmd, NVME_SC_INTERRUPTED, false);
	nvme_tcp_tx_resp(conn, &cmd->cqe);
	conn->lc->stats.shed++;
	return true;
}

void
nvme_tcp_cmd_fail(struct nvme_tcp_slot *slot, uint16_t sct_sc)
{
	nvmf_fail(&slot->cmd, sct_sc, false);
	nvme_tcp_reply(slot);
}

/* Whether in-capsule data is gathered in a page, so that it keeps no receive buffer from being reused: until a host is
 * known, and while the rest of it has yet to come over a carrier that cuts pieces from regions which all connections
 * share, or as many connections as there are regions, each silent in the middle of a capsule, stop all the others. */
static bool
gather(const struct nvme_tcp_conn *conn, const struct nvme_tcp_ch *ch)
{
	uint32_t parsed = conn->hdr_have != 0 ? ch->hlen + (uint32_t)conn->hdgst : 0;

	return conn->state == CONN_CONNECT || (conn->stream->ops->expect != NULL && conn->rx_len + parsed < ch->plen);
}

/* In-capsule data: the window the SGL names must lie in what the PDU carries. The offset is the host's, 64 bits. */
static void
receive_in_capsule(struct nvme_tcp_slot *slot, const struct nvme_tcp_ch *ch, uint64_t offset, uint32_t data_len)
{
	struct nvme_tcp_conn *conn = slot->conn;
	uint32_t len = slot->cmd.xfer_len;

	if (offset > data_len || len > data_len - offset) {
		nvme_tcp_cmd_fail(slot, NVME_SC_SGL_OFFSET);
		return;
	}
	if (gather(conn, ch))
		slot->page = strake_buf_page(len);
	nvme_tcp_slot_move(slot, SLOT_RECV);
	conn->cur = slot;
	conn->take_from = (uint32_t)offset;
	conn->take_to = (uint32_t)offset + len;
}

void
nvme_tcp_capsule_end(struct nvme_tcp_slot *slot)
{
	if (slot->bad_digest) {
		nvme_tcp_cmd_fail(slot, NVME_SC_TRANSIENT_TRANSPORT);
		return;
	}
	if (slot->page != NULL) {
		slot->cmd.data = slot->page;
		slot->page = NULL;
	}
	nvme_tcp_slot_ready(slot);
}

bool
nvme_tcp_capsule(struct nvme_tcp_conn *conn, const struct nvme_tcp_capsule_cmd *h)
{
	uint32_t data_len = nvme_tcp_pdu_data_len(conn, &h->ch);
	struct nvme_tcp_slot *slot;
	bool in_capsule = false;
	uint64_t offset = 0;

	if (data_len > in_capsule_limit(conn)) {
		nvme_tcp_fatal(conn, NVME_TCP_FES_LIMIT_EXCEEDED, 0, h, sizeof(*h));
		return false;
	}
	slot = nvme_tcp_slot_get(conn);
	if (slot == NULL)
		return no_slot(conn, h);
	conn->lc->stats.cmds++;
	memcpy(&slot->cmd.sqe, h->sqe, sizeof(slot->cmd.sqe));
	/* First, for every command taken off the queue: it advances SQHD. */
	if (!nvmf_cmd_check(&slot->cmd, &in_capsule, &offset)) {
		nvme_tcp_reply(slot);
		return true;
	}
	if (!nvme_tcp_slot_own_cid(slot)) {
		nvme_tcp_cmd_fail(slot, NVME_SC_CID_CONFLICT);
		return true;
	}
	if (slot->cmd.xfer_len > nvme_tcp_trans.max_xfer) {
		nvme_tcp_cmd_fail(slot, NVME_SC_INVALID_FIELD);
		return true;
	}
	if (slot->cmd.xfer != NVMF_XFER_TO_CONTROLLER || slot->cmd.xfer_len == 0)
		nvme_tcp_slot_ready(slot);
	else if (in_capsule)
		receive_in_capsule(slot, &h->ch, offset, data_len);
	else
		nvme_tcp_r2t_queue(slot);
	return true;
}
