/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Commands of the NVM command set become requests. On the queue pair's lcore. */

#include "io.h"
#include "resv.h"

/* Bytes of a command's blocks: at most 65,536 blocks of 4 KiB, so 32 bits are enough. */
static inline uint32_t
bytes_of(const struct nvme_cmd *sqe, const struct nvmf_ns *ns)
{
	return ((uint32_t)sqe->nlb + 1) << ns->lba_shift;
}

static inline uint16_t
check_range(const struct nvme_cmd *sqe, const struct nvmf_ns *ns)
{
	uint32_t nlb = (uint32_t)sqe->nlb + 1;

	if (unlikely(sqe->slba >= ns->nlb || nlb > ns->nlb - sqe->slba))
		return NVME_SC_LBA_RANGE;
	return 0;
}

static inline uint16_t
check_data(struct nvmf_cmd *cmd, const struct nvmf_ns *ns, enum nvmf_xfer xfer)
{
	cmd->xfer = xfer;
	cmd->xfer_len = bytes_of(&cmd->sqe, ns);
	if (unlikely(cmd->xfer_len > RTE_MIN(cmd->qp->transport->max_xfer, STRAKE_BUF_PAGE_MAX)))
		return NVME_SC_INVALID_FIELD; /* beyond MDTS */
	if (unlikely(cmd->sqe.sgl.len != cmd->xfer_len))
		return NVME_SC_SGL_LENGTH;
	return check_range(&cmd->sqe, ns);
}

static inline uint16_t
check_bare(struct nvmf_cmd *cmd)
{
	return cmd->sqe.sgl.len != 0 ? NVME_SC_SGL_LENGTH : 0;
}

/* The groups of the NVM command set's table: Flush is among those that write. */
static bool
writes(uint8_t opc)
{
	return opc == NVME_IO_WRITE || opc == NVME_IO_FLUSH || opc == NVME_IO_WRITE_ZEROES || opc == NVME_IO_DSM;
}

bool
nvmf_io_forbidden(const struct nvmf_cmd *cmd, const struct nvmf_ns *ns)
{
	return nvmf_resv_conflict(ns->resv, cmd->qp->hostid, writes(cmd->sqe.opc));
}

uint16_t
nvmf_io_check(struct nvmf_cmd *cmd)
{
	const struct nvmf_ns *ns = nvmf_ns_of(cmd->qp->ns->array, cmd->sqe.nsid);
	uint16_t sc;

	if (unlikely(ns == NULL))
		return NVME_SC_INVALID_NS;
	if (unlikely(cmd->qp->ana_sc != 0))
		return cmd->qp->ana_sc;
	if (unlikely(ns->resv != NULL) && !nvmf_resv_opcode(cmd->sqe.opc) && nvmf_io_forbidden(cmd, ns))
		return NVME_SC_RESV_CONFLICT;
	switch (cmd->sqe.opc) {
	case NVME_IO_READ:
		return check_data(cmd, ns, NVMF_XFER_TO_HOST);
	case NVME_IO_WRITE:
		if (unlikely(ns->read_only))
			return NVME_SC_NS_WRITE_PROTECTED;
		return check_data(cmd, ns, NVMF_XFER_TO_CONTROLLER);
	case NVME_IO_COMPARE:
		return check_data(cmd, ns, NVMF_XFER_TO_CONTROLLER);
	case NVME_IO_FLUSH:
		return check_bare(cmd);
	case NVME_IO_WRITE_ZEROES:
		if (ns->read_only)
			return NVME_SC_NS_WRITE_PROTECTED;
		if ((cmd->sqe.control & NVME_RW_NSZ) != 0)
			return NVME_SC_INVALID_FIELD; /* zeroing a whole namespace is not offered */
		if (((uint64_t)cmd->sqe.nlb + 1) << ns->lba_shift > 1ull << NVMF_ZEROES_SHIFT)
			return NVME_SC_INVALID_FIELD;
		sc = check_bare(cmd);
		return sc != 0 ? sc : check_range(&cmd->sqe, ns);
	case NVME_IO_VERIFY:
		sc = check_bare(cmd);
		return sc != 0 ? sc : check_range(&cmd->sqe, ns);
	case NVME_IO_DSM:
		return nvmf_dsm_check(cmd);
	case NVME_IO_RESV_REGISTER:
	case NVME_IO_RESV_REPORT:
	case NVME_IO_RESV_ACQUIRE:
	case NVME_IO_RESV_RELEASE:
		return nvmf_resv_check(cmd);
	default:
		return NVME_SC_INVALID_OPCODE;
	}
}

struct strake_req *
nvmf_io_req(struct nvmf_cmd *cmd, const struct nvmf_ns *ns, void (*done)(struct strake_unit *))
{
	struct strake_req *req = strake_req_alloc(false);

	if (unlikely(req == NULL))
		return NULL;
	req->vol = ns->vol;
	req->front = cmd;
	req->u.tag = (uint32_t)cmd->qp->qid << 16 | cmd->sqe.cid;
	req->u.done = done;
	req->u.arg = cmd;
	return req;
}

static inline void
measure(const struct nvmf_cmd *cmd, unsigned int writes)
{
	strake_hist_add(&cmd->qp->latency[writes], strake_ending() - cmd->t_start);
}

static void
io_done(struct strake_unit *u)
{
	struct nvmf_cmd *cmd = u->arg;
	struct nvmf_qpair *qp = cmd->qp;

	nvmf_class_ended(u);
	if (unlikely(u->status != 0)) {
		uint16_t sc = nvmf_status_of(u->status, u->op);

		nvmf_status_set(cmd, sc, nvmf_status_final(sc));
	} else if (u->op == STRAKE_OP_READ) {
		cmd->data = u->bufs;
		cmd->data_len = u->nbytes;
		u->bufs = NULL;
		qp->bytes_out += cmd->data_len;
		qp->reads++;
		measure(cmd, 0);
	} else if (u->op == STRAKE_OP_WRITE) {
		qp->bytes_in += cmd->xfer_len;
		qp->writes++;
		measure(cmd, 1);
	}
	cmd->req = NULL;
	strake_req_free(strake_req_of(u));
	nvmf_finish(cmd);
}

static uint8_t
op_of(uint8_t opc)
{
	switch (opc) {
	case NVME_IO_READ:
		return STRAKE_OP_READ;
	case NVME_IO_WRITE:
		return STRAKE_OP_WRITE;
	case NVME_IO_FLUSH:
		return STRAKE_OP_FLUSH;
	case NVME_IO_COMPARE:
		return STRAKE_OP_COMPARE;
	case NVME_IO_WRITE_ZEROES:
		return STRAKE_OP_WRITE_ZEROES;
	default:
		return STRAKE_OP_VERIFY;
	}
}

static uint16_t
flags_of(const struct nvme_cmd *sqe)
{
	uint16_t flags = 0;

	if (sqe->opc == NVME_IO_FLUSH)
		return 0; /* has no such word */
	if ((sqe->control & NVME_RW_FUA) != 0)
		flags |= STRAKE_UNIT_FUA;
	if (sqe->opc == NVME_IO_WRITE_ZEROES && (sqe->control & NVME_RW_DEAC) == 0)
		flags |= STRAKE_UNIT_NO_DEALLOC;
	return flags;
}

bool
nvmf_io_start(struct nvmf_cmd *cmd, struct strake_req **out)
{
	const struct nvmf_ns *ns;
	struct strake_req *req;

	if (unlikely((cmd->sqe.flags & NVME_CMD_FUSE_MASK) != 0))
		return nvmf_fused_start(cmd, out);
	if (unlikely(cmd->sqe.opc >= NVME_IO_DSM)) {
		if (cmd->sqe.opc == NVME_IO_DSM)
			return nvmf_dsm_start(cmd);
		if (nvmf_resv_opcode(cmd->sqe.opc)) {
			nvmf_admin_send(cmd);
			return true;
		}
	}
	ns = nvmf_ns_of(cmd->qp->ns->array, cmd->sqe.nsid);
	/* The namespace may have gone, or become another, while the payload was on its way. */
	if (unlikely(ns == NULL || (cmd->xfer_len != 0 && bytes_of(&cmd->sqe, ns) != cmd->xfer_len))) {
		nvmf_end_later(cmd, NVME_SC_INVALID_NS);
		return true;
	}
	if (unlikely(ns->resv != NULL) && nvmf_io_forbidden(cmd, ns)) {
		nvmf_end_later(cmd, NVME_SC_RESV_CONFLICT);
		return true;
	}
	req = nvmf_io_req(cmd, ns, io_done);
	if (unlikely(req == NULL))
		return false;
	req->u.op = op_of(cmd->sqe.opc);
	req->u.flags |= flags_of(&cmd->sqe) | (cmd->qp->touches ? STRAKE_UNIT_TOUCHED : 0);
	if (likely(cmd->sqe.opc != NVME_IO_FLUSH)) {
		req->u.lba = cmd->sqe.slba;
		req->u.nlb = (uint32_t)cmd->sqe.nlb + 1;
		req->u.nbytes = cmd->xfer_len;
	}
	if (cmd->xfer == NVMF_XFER_TO_CONTROLLER) {
		strake_unit_append(&req->u, cmd->data);
		cmd->data = NULL;
	}
	cmd->req = req;
	cmd->state = NVMF_CMD_RUNS;
	*out = req;
	return true;
}
