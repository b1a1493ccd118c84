/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Admin and fabrics commands: to main, through its tables, and back. */

#include "admin.h"

#include <string.h>

#include "io.h"
#include "resv.h"

/* --- on the queue pair's lcore -------------------------------------------------------------------------------------
 */

static void
connected(struct nvmf_qpair *qp, struct nvmf_cmd *cmd)
{
	qp->connecting = false;
	if (cmd->cqe.status != 0)
		return;
	qp->connected = true;
	qp->qid = cmd->sqe.qid;
	qp->size = cmd->sqe.sqsize + 1;
	qp->ns = cmd->c_ns;
	qp->host = cmd->c_host;
	qp->discovery = cmd->c_discovery;
	qp->sqhd_off = cmd->c_sqhd_off;
	qp->sqhd = 1 % qp->size; /* Connect was the first entry */
}

/* The host gives the queue up: its commands die with it, and the connection is no use for another. */
static void
disconnected(struct nvmf_qpair *qp, struct nvmf_cmd *disconnect)
{
	if (disconnect->cqe.status != 0)
		return;
	qp->connected = false;
	qp->connecting = true;
	for (struct nvmf_cmd *cmd = qp->lent; cmd != NULL; cmd = cmd->next)
		if (cmd != disconnect)
			nvmf_cmd_stop(cmd, NVME_SC_ABORT_SQ_DELETED);
}

static void
back(struct strake_msg *msg)
{
	struct nvmf_cmd *cmd = container_of(msg, struct nvmf_cmd, msg);

	if (cmd->sqe.opc == NVME_OPC_FABRICS) {
		if (cmd->sqe.fctype == NVME_FCTYPE_CONNECT)
			connected(cmd->qp, cmd);
		else if (cmd->sqe.fctype == NVME_FCTYPE_DISCONNECT)
			disconnected(cmd->qp, cmd);
	}
	nvmf_finish(cmd);
}

/* --- on main -------------------------------------------------------------------------------------------------------
 */

/* Main's own copy of the queue's number: a reservation command came by an I/O queue. */
static bool
by_io_queue(const struct nvmf_cmd *cmd)
{
	return cmd->qp->priv[0] != 0 && cmd->sqe.opc != NVME_OPC_FABRICS;
}

static void
log_error(struct nvmf_ctrlr *c, const struct nvmf_cmd *cmd)
{
	struct nvme_error_entry e = {
		.cid = cmd->sqe.cid,
		.status = cmd->cqe.status,
		.pel = UINT16_MAX,
		.nsid = cmd->sqe.opc == NVME_OPC_FABRICS ? 0 : cmd->sqe.nsid,
		.trtype = c->transport->trtype,
	};

	nvmf_ctrlr_error(c, &e);
}

void
nvmf_admin_done(struct nvmf_cmd *cmd)
{
	struct nvmf_ctrlr *c = cmd->qp->ctrlr;
	uint16_t sc = NVME_CPL_SC(cmd->cqe.status);

	/* Those of I/O queues are noted by their lcore. */
	if (sc != 0 && c != NULL && !by_io_queue(cmd) && sc != NVME_SC_ABORT_REQ && sc != NVME_SC_ABORT_SQ_DELETED)
		log_error(c, cmd);
	cmd->msg.fn = back;
	strake_msg_send(cmd->qp->lcore, &cmd->msg);
}

void
nvmf_admin_reply(struct nvmf_cmd *cmd, const void *data, size_t len)
{
	struct strake_buf *buf;

	if (cmd->xfer != NVMF_XFER_TO_HOST) {
		nvmf_status_set(cmd, NVME_SC_SGL_LENGTH, true);
		return;
	}
	buf = strake_buf_page(cmd->xfer_len);
	if (buf == NULL) {
		nvmf_status_set(cmd, NVME_SC_INTERNAL, false);
		return;
	}
	len = RTE_MIN(len, cmd->xfer_len);
	memcpy(buf->addr, data, len);
	memset(buf->addr + len, 0, cmd->xfer_len - len);
	cmd->data = buf;
	cmd->data_len = cmd->xfer_len;
}

bool
nvmf_admin_payload(struct nvmf_cmd *cmd, void *data, size_t len)
{
	if (cmd->xfer != NVMF_XFER_TO_CONTROLLER || cmd->xfer_len != len ||
	    strake_buf_copy_out(cmd->data, 0, data, (uint32_t)len) < 0) {
		nvmf_status_set(cmd, NVME_SC_SGL_LENGTH, true);
		return false;
	}
	return true;
}

static void
disconnect(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	if (cmd->qp == c->admin)
		nvmf_status_set(cmd, NVME_SC_QUEUE_TYPE, true);
	else if (cmd->sqe.recfmt != 0)
		nvmf_status_set(cmd, NVME_SC_CONNECT_FORMAT, true);
}

static void
fabrics(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	bool property = cmd->sqe.fctype == NVME_FCTYPE_PROPERTY_GET || cmd->sqe.fctype == NVME_FCTYPE_PROPERTY_SET;

	if (cmd->sqe.fctype == NVME_FCTYPE_CONNECT)
		nvmf_connect(cmd);
	else if (c == NULL || c->dying)
		nvmf_status_set(cmd, NVME_SC_ABORT_SQ_DELETED, false);
	else if (cmd->sqe.fctype == NVME_FCTYPE_DISCONNECT)
		disconnect(c, cmd);
	else if (property && cmd->qp != c->admin)
		nvmf_status_set(cmd, NVME_SC_INVALID_FIELD, true);
	else if (cmd->sqe.fctype == NVME_FCTYPE_PROPERTY_GET)
		nvmf_property_get(c, cmd);
	else if (cmd->sqe.fctype == NVME_FCTYPE_PROPERTY_SET)
		nvmf_property_set(c, cmd);
	else
		nvmf_status_set(cmd, NVME_SC_INVALID_OPCODE, true); /* authentication is not offered */
}

static void
keep_alive(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	nvmf_ka_touch(c);
}

static const struct {
	uint8_t opc;
	bool discovery; /* a discovery controller has it too */
	void (*now)(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);
	enum nvmf_verdict (*later)(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd);
} table[] = {
	{NVME_ADMIN_GET_LOG_PAGE, true, nvmf_get_log, NULL},
	{NVME_ADMIN_IDENTIFY, true, nvmf_identify, NULL},
	{NVME_ADMIN_ABORT, false, NULL, nvmf_abort},
	{NVME_ADMIN_SET_FEATURES, true, nvmf_set_feature, NULL},
	{NVME_ADMIN_GET_FEATURES, true, nvmf_get_feature, NULL},
	{NVME_ADMIN_ASYNC_EVENT, true, NULL, nvmf_aer},
	{NVME_ADMIN_KEEP_ALIVE, true, keep_alive, NULL},
};

void
nvmf_admin_effects(const struct nvmf_ctrlr *c, struct nvme_log_effects *log)
{
	for (unsigned int i = 0; i < RTE_DIM(table); i++)
		if (table[i].discovery || !c->sub->discovery)
			log->acs[table[i].opc] = NVME_EFFECT_CSUPP;
}

static enum nvmf_verdict
admin(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	if (c == NULL || c->dying) {
		nvmf_status_set(cmd, NVME_SC_ABORT_SQ_DELETED, false);
		return NVMF_ANSWER;
	}
	if ((c->csts & NVME_CSTS_RDY) == 0) {
		nvmf_status_set(cmd, NVME_SC_SEQUENCE, true);
		return NVMF_ANSWER;
	}
	if (by_io_queue(cmd))
		return nvmf_resv_command(c, cmd);
	for (unsigned int i = 0; i < RTE_DIM(table); i++) {
		if (table[i].opc != cmd->sqe.opc || (c->sub->discovery && !table[i].discovery))
			continue;
		if (table[i].later != NULL)
			return table[i].later(c, cmd);
		table[i].now(c, cmd);
		return NVMF_ANSWER;
	}
	nvmf_status_set(cmd, NVME_SC_INVALID_OPCODE, true);
	return NVMF_ANSWER;
}

static void
run(struct strake_msg *msg)
{
	struct nvmf_cmd *cmd = container_of(msg, struct nvmf_cmd, msg);
	struct nvmf_ctrlr *c = cmd->qp->ctrlr;
	enum nvmf_verdict verdict = NVMF_ANSWER;

	if (cmd->sqe.opc == NVME_OPC_FABRICS)
		fabrics(c, cmd);
	else
		verdict = admin(c, cmd);
	if (verdict == NVMF_ANSWER)
		nvmf_admin_done(cmd);
}

void
nvmf_admin_send(struct nvmf_cmd *cmd)
{
	cmd->state = NVMF_CMD_MAIN;
	cmd->msg.fn = run;
	strake_msg_send(STRAKE_LCORE_MAIN, &cmd->msg);
}
