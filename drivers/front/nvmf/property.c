/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Properties: the registers of a controller without registers. (NVMe base 2.0, 3.1.3) Main lcore.
 *
 *	CC.EN 0 -> 1	ready at once
 *	CC.EN 1 -> 0	I/O queue pairs are killed; CSTS.RDY = 0 when the last is gone
 *	CC.SHN != 0	the same, then CSTS.SHST = complete; only CC.EN = 0 leaves it
 */

#include "admin.h"
#include "io.h"

static uint64_t
cap(const struct nvmf_ctrlr *c)
{
	return NVME_CAP_MQES(nvmf_ctrlr_depth(c) - 1) | NVME_CAP_CQR | NVME_CAP_TO(NVMF_READY_HALF_S) |
	       NVME_CAP_CSS_NVM | NVME_CAP_CSS_IOCS | NVME_CAP_CRWMS;
}

/* A property that is not there is refused without DNR: nvme-cli's register dump knows only that form and goes on. */
void
nvmf_property_get(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	bool wide = (cmd->sqe.attrib & 7) == 1;

	if ((cmd->sqe.attrib & 7) > 1 || wide != (cmd->sqe.ofst == NVME_PROP_CAP)) {
		nvmf_status_set(cmd, NVME_SC_INVALID_FIELD, false);
		return;
	}
	switch (cmd->sqe.ofst) {
	case NVME_PROP_CAP:
		cmd->cqe.result64 = cap(c);
		break;
	case NVME_PROP_VS:
		cmd->cqe.result64 = NVME_VERSION(2, 0, 0);
		break;
	case NVME_PROP_CC:
		cmd->cqe.result64 = c->cc;
		break;
	case NVME_PROP_CSTS:
		cmd->cqe.result64 = c->csts;
		break;
	case NVME_PROP_NSSR:
		break; /* reads as 0: there is no subsystem reset */
	case NVME_PROP_CRTO:
		cmd->cqe.result64 = NVMF_READY_HALF_S;
		break;
	default:
		nvmf_status_set(cmd, NVME_SC_INVALID_FIELD, false);
	}
}

void
nvmf_property_stopped(struct nvmf_ctrlr *c)
{
	c->stopping = false;
	if (NVME_CC_SHN(c->cc) != 0)
		c->csts = (c->csts & ~NVME_CSTS_SHST_MASK) | NVME_CSTS_SHST_COMPLETE;
	if (NVME_CC_EN(c->cc) == 0)
		c->csts = 0;
}

static void
stop(struct nvmf_ctrlr *c)
{
	c->stopping = true;
	nvmf_ctrlr_kill_io(c);
	if (c->n_qpairs == 1)
		nvmf_property_stopped(c);
}

static bool
good_cc(const struct nvmf_ctrlr *c, uint32_t cc)
{
	if (NVME_CC_EN(cc) == 0)
		return true;
	if (NVME_CC_MPS(cc) != 0 || NVME_CC_AMS(cc) != 0)
		return false;
	if (NVME_CC_CSS(cc) != NVME_CC_CSS_NVM && NVME_CC_CSS(cc) != NVME_CC_CSS_IOCS)
		return false;
	/* A discovery controller has no I/O queues, and hosts may leave their entry sizes out. */
	return c->sub->discovery || (NVME_CC_IOSQES(cc) == 6 && NVME_CC_IOCQES(cc) == 4);
}

static void
set_cc(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, uint32_t cc)
{
	uint32_t was = c->cc;

	if (!good_cc(c, cc) || (c->stopping && NVME_CC_EN(cc) > NVME_CC_EN(was))) {
		nvmf_status_set(cmd, NVME_SC_INVALID_FIELD, true);
		return;
	}
	c->cc = cc;
	if (NVME_CC_SHN(cc) != 0 && NVME_CC_SHN(was) == 0) {
		c->csts |= NVME_CSTS_SHST_OCCURRING;
		stop(c);
	}
	if (NVME_CC_EN(cc) != 0 && NVME_CC_EN(was) == 0) {
		c->csts = (c->csts & NVME_CSTS_SHST_MASK) | NVME_CSTS_RDY;
		nvmf_ka_touch(c); /* a disabled controller is not kept alive: the time begins here */
	} else if (NVME_CC_EN(cc) == 0 && NVME_CC_EN(was) != 0) {
		nvmf_aer_abort(c, NVME_SC_ABORT_SQ_DELETED);
		c->pending = c->masked = 0;
		c->resv_notes_read = c->resv_notes;
		nvmf_feature_defaults(c);
		stop(c);
	}
}

void
nvmf_property_set(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	if (cmd->sqe.ofst != NVME_PROP_CC || (cmd->sqe.attrib & 7) != 0) {
		nvmf_status_set(cmd, NVME_SC_INVALID_FIELD, true);
		return;
	}
	set_cc(c, cmd, (uint32_t)cmd->sqe.value);
}
