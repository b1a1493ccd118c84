/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Dataset Management: deallocate up to 256 ranges, a few requests at a time.
 *
 * All ranges are checked before the first is forgotten, on a copy: a peer may still change bytes that are not stable.
 */

#include <errno.h>

#include "io.h"

/* Requests one command may have under way, so that it does not take the pool from the others. */
#define DSM_WINDOW 8

uint16_t
nvmf_dsm_check(struct nvmf_cmd *cmd)
{
	uint32_t ranges = (cmd->sqe.cdw10 & 0xff) + 1;
	const struct nvmf_ns *ns = nvmf_ns_of(cmd->qp->ns->array, cmd->sqe.nsid);

	if (ns->read_only)
		return NVME_SC_NS_WRITE_PROTECTED;
	cmd->xfer = NVMF_XFER_TO_CONTROLLER;
	cmd->xfer_len = cmd->sqe.sgl.len;
	/* Linux always sends room for 256 ranges, however many there are. */
	if (cmd->xfer_len < ranges * sizeof(struct nvme_dsm_range) ||
	    cmd->xfer_len > NVME_DSM_RANGES_MAX * sizeof(struct nvme_dsm_range))
		return NVME_SC_SGL_LENGTH;
	return 0;
}

static const struct nvme_dsm_range *
range_at(const struct nvmf_cmd *cmd, uint16_t i)
{
	return (const struct nvme_dsm_range *)cmd->ranges->addr + i;
}

static uint16_t
check_ranges(const struct nvmf_cmd *cmd, const struct nvmf_ns *ns)
{
	for (uint16_t i = 0; i < cmd->r_n; i++) {
		const struct nvme_dsm_range *r = range_at(cmd, i);

		if (r->slba > ns->nlb || r->nlb > ns->nlb - r->slba)
			return NVME_SC_LBA_RANGE;
	}
	return 0;
}

static void
let_go(struct nvmf_cmd *cmd)
{
	strake_buf_put(cmd->ranges);
	cmd->ranges = NULL;
}

static bool pump(struct nvmf_cmd *cmd);

static void
range_done(struct strake_unit *u)
{
	struct nvmf_cmd *cmd = u->arg;
	uint16_t sc;

	nvmf_class_ended(u);
	if (u->status != 0 && cmd->r_err == 0)
		cmd->r_err = u->status;
	strake_req_free(strake_req_of(u));
	cmd->r_out--;
	if (!cmd->aborted && cmd->r_err == 0 && cmd->r_next < cmd->r_n) {
		if (!pump(cmd))
			nvmf_wait(cmd);
		if (cmd->r_out > 0 || cmd->state == NVMF_CMD_WAITS)
			return;
	}
	if (cmd->r_out > 0)
		return;
	if (cmd->aborted && cmd->r_err == 0 && cmd->r_next < cmd->r_n)
		sc = NVME_SC_ABORT_REQ;
	else
		sc = nvmf_status_of(cmd->r_err, STRAKE_OP_DEALLOCATE);
	let_go(cmd);
	nvmf_status_set(cmd, sc, nvmf_status_final(sc));
	nvmf_finish(cmd);
}

/* Begin ranges up to the window. @return false: nothing under way and no request to be had. */
static bool
pump(struct nvmf_cmd *cmd)
{
	const struct nvmf_ns *ns = nvmf_ns_of(cmd->qp->ns->array, cmd->sqe.nsid);
	struct strake_req *reqs[DSM_WINDOW];
	uint16_t n = 0;

	if (ns == NULL) {
		cmd->r_next = cmd->r_n; /* the namespace has gone: so has all that was in it */
		return true;
	}
	if (ns->resv != NULL && nvmf_io_forbidden(cmd, ns)) { /* reserved by another host meanwhile */
		cmd->r_err = -EPERM;
		cmd->r_next = cmd->r_n;
	}
	while (cmd->r_next < cmd->r_n && cmd->r_out < DSM_WINDOW) {
		const struct nvme_dsm_range *r = range_at(cmd, cmd->r_next);
		struct strake_req *req;

		if (r->nlb == 0) {
			cmd->r_next++;
			continue;
		}
		req = nvmf_io_req(cmd, ns, range_done);
		if (req == NULL)
			break;
		req->u.op = STRAKE_OP_DEALLOCATE;
		req->u.lba = r->slba;
		req->u.nlb = r->nlb;
		cmd->r_next++;
		cmd->r_out++;
		reqs[n++] = req;
	}
	cmd->state = NVMF_CMD_RUNS;
	if (n > 0)
		nvmf_submit(reqs, n);
	return cmd->r_out > 0 || cmd->r_next == cmd->r_n;
}

/* Copy and check the list. @return false: no page. Ends the command if the list is wrong. */
static bool
take_ranges(struct nvmf_cmd *cmd)
{
	const struct nvmf_ns *ns = nvmf_ns_of(cmd->qp->ns->array, cmd->sqe.nsid);
	uint16_t sc = ns == NULL ? NVME_SC_INVALID_NS : 0;

	cmd->r_n = (uint16_t)((cmd->sqe.cdw10 & 0xff) + 1);
	cmd->r_next = cmd->r_out = 0;
	cmd->r_err = 0;
	cmd->ranges = strake_buf_page((uint32_t)(cmd->r_n * sizeof(struct nvme_dsm_range)));
	if (cmd->ranges == NULL)
		return false;
	if (strake_buf_copy_out(cmd->data, 0, cmd->ranges->addr, cmd->ranges->len) < 0)
		sc = NVME_SC_SGL_LENGTH;
	strake_buf_put_list(cmd->data);
	cmd->data = NULL;
	if (sc == 0 && ns->resv != NULL && nvmf_io_forbidden(cmd, ns))
		sc = NVME_SC_RESV_CONFLICT;
	if (sc == 0)
		sc = check_ranges(cmd, ns);
	if (sc == 0 && (cmd->sqe.cdw11 & NVME_DSM_AD) != 0)
		return true;
	let_go(cmd); /* wrong, or only hints about access: those are for others */
	nvmf_end_later(cmd, sc);
	return true;
}

bool
nvmf_dsm_start(struct nvmf_cmd *cmd)
{
	if (cmd->ranges == NULL) {
		if (!take_ranges(cmd))
			return false;
		if (cmd->ranges == NULL)
			return true;
	}
	if (!pump(cmd))
		return false;
	if (cmd->r_out == 0) { /* only empty ranges, or forbidden */
		let_go(cmd);
		nvmf_end_later(cmd, nvmf_status_of(cmd->r_err, STRAKE_OP_DEALLOCATE));
	}
	return true;
}
