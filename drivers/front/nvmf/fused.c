/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Compare and Write, fused. (NVMe base 2.0, 3.4.2; NVM command set 1.0, 3.2.)
 *
 * The halves must follow each other in their queue, so they are paired in nvmf_cmd_check(), which sees every command
 * in that order; their payloads may be complete in any order, so the half that is handed over first is held. When a
 * half fails before both are there the other gets Aborted due to Failed Fused Command, or Missing Fused Command.
 */

#include <errno.h>

#include "io.h"

static bool
first_half(const struct nvmf_cmd *cmd)
{
	return (cmd->sqe.flags & NVME_CMD_FUSE_MASK) == NVME_CMD_FUSE_FIRST;
}

static uint16_t
check_pair(struct nvmf_cmd *second, struct nvmf_cmd *first)
{
	second->pair = first;
	first->pair = second;
	if (second->sqe.opc != NVME_IO_WRITE || second->sqe.nsid != first->sqe.nsid ||
	    second->sqe.slba != first->sqe.slba || second->sqe.nlb != first->sqe.nlb)
		return NVME_SC_INVALID_FIELD;
	return 0;
}

uint16_t
nvmf_fused_check(struct nvmf_cmd *cmd)
{
	struct nvmf_qpair *qp = cmd->qp;
	struct nvmf_cmd *prev = qp->fuse_prev;
	bool prev_failed = qp->fuse_failed;
	uint8_t fuse = cmd->sqe.flags & NVME_CMD_FUSE_MASK;

	qp->fuse_prev = NULL;
	qp->fuse_failed = false;
	if (fuse == NVME_CMD_FUSE_SECOND) {
		if (prev_failed)
			return NVME_SC_FUSED_FAIL;
		return prev == NULL ? NVME_SC_FUSED_MISSING : check_pair(cmd, prev);
	}
	if (prev != NULL)
		nvmf_fused_break(prev, NVME_SC_FUSED_MISSING);
	if (fuse == 0)
		return 0;
	if (fuse != NVME_CMD_FUSE_FIRST)
		return NVME_SC_INVALID_FIELD;
	qp->fuse_prev = cmd;
	if (cmd->sqe.opc != NVME_IO_COMPARE)
		return NVME_SC_INVALID_FIELD;
	/* ACWU: one block. More could cross a slab, whose owner is what makes it atomic. */
	return cmd->sqe.nlb > 0 ? NVME_SC_ATOMIC_WRITE_UNIT : 0;
}

void
nvmf_fused_break(struct nvmf_cmd *cmd, uint16_t sct_sc)
{
	cmd->pair = NULL;
	cmd->fuse_sc = sct_sc;
	if (cmd->state == NVMF_CMD_FUSED)
		nvmf_end_later(cmd, sct_sc);
}

void
nvmf_fused_failed(struct nvmf_cmd *cmd)
{
	struct nvmf_qpair *qp = cmd->qp;
	struct nvmf_cmd *pair = cmd->pair;

	if (qp->fuse_prev == cmd) {
		qp->fuse_prev = NULL;
		qp->fuse_failed = true;
	}
	if (pair == NULL)
		return;
	cmd->pair = NULL;
	nvmf_fused_break(pair, NVME_SC_FUSED_FAIL);
}

static void
set_status(struct nvmf_cmd *cmd, uint16_t sct_sc)
{
	nvmf_status_set(cmd, sct_sc, nvmf_status_final(sct_sc));
}

static void
fused_done(struct strake_unit *u)
{
	struct nvmf_cmd *first = u->arg, *second = first->pair;
	uint16_t sc = nvmf_status_of(u->status, u->op);

	nvmf_class_ended(u);
	if (u->status == 0) {
		first->qp->bytes_in += second->xfer_len;
		first->qp->writes++;
	} else if (u->status == -EROFS || u->status == -ENOSPC || u->status == -EIO) {
		/* the write could not be; what was compared was equal, or was not looked at */
		set_status(first, NVME_SC_FUSED_FAIL);
		set_status(second, sc);
	} else {
		set_status(first, sc);
		set_status(second, NVME_SC_FUSED_FAIL);
	}
	first->req = second->req = NULL;
	first->pair = second->pair = NULL;
	strake_req_free(strake_req_of(u));
	nvmf_finish(first);
	nvmf_finish(second);
}

static bool
start_pair(struct nvmf_cmd *first, struct nvmf_cmd *second, struct strake_req **out)
{
	const struct nvmf_ns *ns = nvmf_ns_of(first->qp->ns->array, first->sqe.nsid);
	struct strake_req *req;

	/* The namespace may have become another between the halves, or since. */
	if (ns == NULL || 1u << ns->lba_shift != first->xfer_len || first->xfer_len != second->xfer_len) {
		first->pair = second->pair = NULL;
		nvmf_end_later(first, NVME_SC_INVALID_NS);
		nvmf_end_later(second, NVME_SC_FUSED_FAIL);
		return true;
	}
	if (ns->resv != NULL && nvmf_io_forbidden(second, ns)) {
		first->pair = second->pair = NULL;
		nvmf_end_later(first, NVME_SC_FUSED_FAIL);
		nvmf_end_later(second, NVME_SC_RESV_CONFLICT);
		return true;
	}
	req = nvmf_io_req(first, ns, fused_done);
	if (req == NULL)
		return false;
	req->u.op = STRAKE_OP_COMPARE_WRITE;
	req->u.flags |= (second->sqe.control & NVME_RW_FUA) != 0 ? STRAKE_UNIT_FUA : 0;
	req->u.lba = first->sqe.slba;
	req->u.nlb = (uint32_t)first->sqe.nlb + 1;
	req->u.nbytes = first->xfer_len + second->xfer_len;
	strake_unit_append(&req->u, first->data);
	strake_unit_append(&req->u, second->data);
	first->data = second->data = NULL;
	first->req = second->req = req;
	first->state = second->state = NVMF_CMD_RUNS;
	*out = req;
	return true;
}

bool
nvmf_fused_start(struct nvmf_cmd *cmd, struct strake_req **out)
{
	struct nvmf_cmd *pair = cmd->pair;

	if (cmd->fuse_sc != 0) {
		nvmf_end_later(cmd, cmd->fuse_sc);
		return true;
	}
	if (pair == NULL || pair->state != NVMF_CMD_FUSED) {
		cmd->state = NVMF_CMD_FUSED;
		return true;
	}
	return first_half(cmd) ? start_pair(cmd, pair, out) : start_pair(pair, cmd, out);
}
