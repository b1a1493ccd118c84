/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Abort: main finds the queue pair, its lcore the command; the Abort itself travels. Main keeps nothing of it but a
 * count, and sends it to the queue pair's lcore before it could tell that lcore that the queue pair is forgotten, so
 * the pointer in priv[0] is good there.
 */

#include "admin.h"
#include "io.h"

#define NOT_ABORTED 1u /* bit 0 of DW0 */

static void
answer(struct strake_msg *msg)
{
	struct nvmf_cmd *cmd = container_of(msg, struct nvmf_cmd, msg);

	if (cmd->qp->ctrlr != NULL)
		cmd->qp->ctrlr->n_abort--;
	nvmf_admin_done(cmd);
}

static void
abort_on_lcore(struct strake_msg *msg)
{
	struct nvmf_cmd *cmd = container_of(msg, struct nvmf_cmd, msg);
	struct nvmf_qpair *qp = (struct nvmf_qpair *)(uintptr_t)cmd->priv[0];
	struct nvmf_cmd *victim = nvmf_qpair_cmd(qp, (uint16_t)(cmd->sqe.cdw10 >> 16));

	if (victim != NULL && victim != cmd && nvmf_cmd_stop(victim, NVME_SC_ABORT_REQ))
		cmd->cqe.cdw0 = 0;
	msg->fn = answer;
	strake_msg_send(STRAKE_LCORE_MAIN, msg);
}

enum nvmf_verdict
nvmf_abort(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	uint16_t sqid = (uint16_t)cmd->sqe.cdw10, cid = (uint16_t)(cmd->sqe.cdw10 >> 16);
	struct nvmf_qpair *qp;

	if (c->n_abort >= NVMF_ABORT_MAX) {
		nvmf_status_set(cmd, NVME_SC_ABORT_LIMIT, true);
		return NVMF_ANSWER;
	}
	cmd->cqe.cdw0 = NOT_ABORTED;
	if (sqid == 0) { /* of these only event requests stay */
		if (nvmf_aer_abort_one(c, cid))
			cmd->cqe.cdw0 = 0;
		return NVMF_ANSWER;
	}
	qp = nvmf_ctrlr_qpair(c, sqid);
	if (qp == NULL)
		return NVMF_ANSWER;
	c->n_abort++;
	cmd->priv[0] = (uintptr_t)qp;
	cmd->msg.fn = abort_on_lcore;
	strake_msg_send(qp->lcore, &cmd->msg);
	return NVMF_KEPT;
}
