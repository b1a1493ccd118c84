/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The door for commands: what they carry, and where they are carried out. On the queue pair's lcore. */

#include "admin.h"
#include "io.h"

/* In-capsule data on the admin queue, bytes: the fabrics minimum that every host counts on. */
#define ADMIN_IN_CAPSULE 8192u

static uint32_t
max_xfer(const struct nvmf_qpair *qp)
{
	return RTE_MIN(qp->transport->max_xfer, STRAKE_BUF_PAGE_MAX);
}

/* Opcode and fabrics type tell the direction in their two low bits. */
static uint8_t
direction(const struct nvme_cmd *sqe)
{
	uint8_t bits = (sqe->opc == NVME_OPC_FABRICS ? sqe->fctype : sqe->opc) & 3;

	return bits == 1 ? NVMF_XFER_TO_CONTROLLER : bits == 2 ? NVMF_XFER_TO_HOST : NVMF_XFER_NONE;
}

static uint16_t
check_state(struct nvmf_cmd *cmd)
{
	struct nvmf_qpair *qp = cmd->qp;
	bool connect = cmd->sqe.opc == NVME_OPC_FABRICS && cmd->sqe.fctype == NVME_FCTYPE_CONNECT;

	if (qp->dying)
		return NVME_SC_ABORT_SQ_DELETED;
	if (connect ? qp->connected || qp->connecting : !qp->connected)
		return NVME_SC_SEQUENCE; /* a second Connect, or something before the first is answered */
	return 0;
}

static uint16_t
check_admin(struct nvmf_cmd *cmd)
{
	const struct nvme_cmd *sqe = &cmd->sqe;

	if (sqe->opc != NVME_OPC_FABRICS && (sqe->flags & NVME_CMD_FUSE_MASK) != 0)
		return NVME_SC_INVALID_FIELD;
	cmd->xfer = sqe->sgl.len != 0 ? direction(sqe) : NVMF_XFER_NONE;
	cmd->xfer_len = sqe->sgl.len;
	if (cmd->xfer == NVMF_XFER_NONE && sqe->sgl.len != 0)
		return NVME_SC_SGL_LENGTH;
	if (cmd->xfer_len > max_xfer(cmd->qp))
		return NVME_SC_INVALID_FIELD;
	return 0;
}

static uint16_t
check_sgl(struct nvmf_cmd *cmd, bool *in_capsule, uint64_t *offset)
{
	const struct nvme_sgl *sgl = &cmd->sqe.sgl;
	uint32_t room = cmd->qp->qid == 0 ? ADMIN_IN_CAPSULE : cmd->qp->transport->in_capsule;

	if (cmd->xfer == NVMF_XFER_NONE)
		return 0;
	if (sgl->type == NVME_SGL_TRANSPORT_DATA)
		return 0;
	/* Only what goes to the controller can lie in a capsule. */
	if (sgl->type != NVME_SGL_IN_CAPSULE || cmd->xfer != NVMF_XFER_TO_CONTROLLER)
		return NVME_SC_SGL_TYPE;
	if (sgl->addr > room)
		return NVME_SC_SGL_OFFSET;
	if (cmd->xfer_len > room - sgl->addr)
		return NVME_SC_SGL_LENGTH;
	*in_capsule = true;
	*offset = sgl->addr;
	return 0;
}

static uint16_t
check(struct nvmf_cmd *cmd, bool *in_capsule, uint64_t *offset)
{
	struct nvmf_qpair *qp = cmd->qp;
	bool fabrics = cmd->sqe.opc == NVME_OPC_FABRICS;
	uint16_t sc;

	if (unlikely(!qp->connected || qp->dying || fabrics)) {
		sc = check_state(cmd);
		if (sc != 0)
			return sc;
	}
	if (qp->qid != 0 &&
	    unlikely((cmd->sqe.flags & NVME_CMD_FUSE_MASK) != 0 || qp->fuse_prev != NULL || qp->fuse_failed)) {
		sc = nvmf_fused_check(cmd);
		if (sc != 0)
			return sc;
	}
	if (!fabrics && (cmd->sqe.flags & NVME_CMD_PSDT_MASK) != NVME_CMD_PSDT_SGL)
		return NVME_SC_INVALID_FIELD; /* fabrics knows no PRP, and there is no metadata */
	sc = qp->qid != 0 && !fabrics ? nvmf_io_check(cmd) : check_admin(cmd);
	if (unlikely(sc != 0))
		return sc;
	if (unlikely(cmd->xfer_len > max_xfer(qp)))
		return NVME_SC_INVALID_FIELD;
	return check_sgl(cmd, in_capsule, offset);
}

bool
nvmf_cmd_check(struct nvmf_cmd *cmd, bool *in_capsule, uint64_t *sgl_offset)
{
	struct nvmf_qpair *qp = cmd->qp;
	uint16_t sc;

	cmd->cqe.result64 = 0;
	cmd->cqe.status = 0;
	cmd->xfer = NVMF_XFER_NONE;
	cmd->xfer_len = 0;
	cmd->data_len = 0;
	cmd->aborted = cmd->swept = false;
	cmd->req = NULL;
	cmd->pair = NULL;
	cmd->fuse_sc = 0;
	cmd->state = NVMF_CMD_FREE;
	cmd->ranges = NULL;
	*in_capsule = false;
	*sgl_offset = 0;
	if (++qp->sqhd >= qp->size)
		qp->sqhd = 0;
	sc = check(cmd, in_capsule, sgl_offset);
	if (likely(sc == 0)) {
		if (unlikely(!qp->connected)) { /* then it is a Connect */
			qp->connecting = true;
			cmd->state = NVMF_CMD_CONNECTS;
		}
		return true;
	}
	cmd->xfer = NVMF_XFER_NONE;
	cmd->xfer_len = 0;
	nvmf_fail(cmd, sc, nvmf_status_final(sc));
	return false;
}

static void
lend_one(struct nvmf_qpair *qp, struct nvmf_cmd *cmd, uint64_t now)
{
	cmd->next = qp->lent;
	cmd->pprev = &qp->lent;
	if (qp->lent != NULL)
		qp->lent->pprev = &cmd->next;
	qp->lent = cmd;
	qp->inflight++;
	qp->cmds++;
	cmd->t_start = now;
	cmd->state = NVMF_CMD_LENT;
	if (cmd->xfer != NVMF_XFER_TO_CONTROLLER) {
		cmd->data = NULL;
		cmd->data_len = 0;
	}
}

void
nvmf_execute(struct nvmf_qpair *qp, struct nvmf_cmd **cmds, uint16_t n)
{
	struct strake_req *reqs[STRAKE_BURST];
	bool crowded = nvmf_lcore_self()->waits.head != NULL;
	uint64_t now = strake_now();
	uint16_t ready = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct nvmf_cmd *cmd = cmds[i];
		struct strake_req *req = NULL;

		lend_one(qp, cmd, now);
		if (unlikely(qp->dying)) {
			nvmf_fused_failed(cmd);
			nvmf_end_later(cmd, NVME_SC_ABORT_SQ_DELETED);
			continue;
		}
		if (unlikely(qp->qid == 0 || cmd->sqe.opc == NVME_OPC_FABRICS)) {
			nvmf_admin_send(cmd);
			continue;
		}
		if (unlikely(crowded || !nvmf_io_start(cmd, &req))) {
			crowded = true;
			nvmf_wait(cmd);
			continue;
		}
		if (req == NULL)
			continue;
		reqs[ready++] = req;
		if (ready == STRAKE_BURST) {
			nvmf_submit(reqs, ready);
			ready = 0;
		}
	}
	if (ready > 0)
		nvmf_submit(reqs, ready);
}
