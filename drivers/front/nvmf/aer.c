/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Asynchronous events: each kind is told once, then masked until the host has read its log page. Main lcore. */

#include "admin.h"
#include "io.h"

static const struct {
	uint32_t enable; /* bit of the feature and of OAES; 0: always on */
	uint8_t type, info, lid;
} events[NVMF_EVENTS] = {
	[NVMF_EVENT_NS_ATTR] = {NVME_AEN_NS_ATTR, NVME_AEN_TYPE_NOTICE, NVME_AEN_NOTICE_NS_ATTR, NVME_LID_CHANGED_NS},
	[NVMF_EVENT_ANA] = {NVME_AEN_ANA, NVME_AEN_TYPE_NOTICE, NVME_AEN_NOTICE_ANA, NVME_LID_ANA},
	[NVMF_EVENT_DISCOVERY] = {NVME_AEN_DISCOVERY, NVME_AEN_TYPE_NOTICE, NVME_AEN_NOTICE_DISCOVERY,
				  NVME_LID_DISCOVERY},
	[NVMF_EVENT_RESERVATION] = {0, NVME_AEN_TYPE_COMMAND_SET, 0, NVME_LID_RESERVATION},
	[NVMF_EVENT_SPARE] = {NVME_AEN_SPARE, NVME_AEN_TYPE_SMART, NVME_AEN_SMART_SPARE, NVME_LID_SMART},
};

static void
send_events(struct nvmf_ctrlr *c)
{
	for (unsigned int e = 0; e < NVMF_EVENTS && c->n_aer > 0; e++) {
		struct nvmf_cmd *cmd;

		if ((c->pending & ~c->masked & 1u << e) == 0)
			continue;
		cmd = c->aer[0];
		c->n_aer--;
		for (unsigned int i = 0; i < c->n_aer; i++)
			c->aer[i] = c->aer[i + 1];
		c->pending &= (uint8_t) ~(1u << e);
		c->masked |= (uint8_t)(1u << e);
		cmd->cqe.cdw0 = NVME_AEN(events[e].type, events[e].info, events[e].lid);
		nvmf_admin_done(cmd);
	}
}

void
nvmf_aer_raise(struct nvmf_ctrlr *c, enum nvmf_event event)
{
	uint32_t enable = events[event].enable;

	if (c->dying || (enable != 0 && (c->feature[NVMF_FEAT_ASYNC_EVENT] & enable) == 0))
		return;
	c->pending |= (uint8_t)(1u << event);
	send_events(c);
}

void
nvmf_aer_read(struct nvmf_ctrlr *c, enum nvmf_event event)
{
	/* What was raised while masked is in the page just read. */
	c->pending &= (uint8_t) ~(1u << event);
	c->masked &= (uint8_t) ~(1u << event);
}

enum nvmf_verdict
nvmf_aer(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	if (c->n_aer == NVMF_AER_MAX) {
		nvmf_status_set(cmd, NVME_SC_ASYNC_LIMIT, true);
		return NVMF_ANSWER;
	}
	c->aer[c->n_aer++] = cmd;
	send_events(c);
	return NVMF_KEPT;
}

void
nvmf_aer_abort(struct nvmf_ctrlr *c, uint16_t sct_sc)
{
	while (c->n_aer > 0) {
		struct nvmf_cmd *cmd = c->aer[--c->n_aer];

		nvmf_status_set(cmd, sct_sc, false);
		nvmf_admin_done(cmd);
	}
}

bool
nvmf_aer_abort_one(struct nvmf_ctrlr *c, uint16_t cid)
{
	for (unsigned int i = 0; i < c->n_aer; i++) {
		struct nvmf_cmd *cmd = c->aer[i];

		if (cmd->sqe.cid != cid)
			continue;
		c->n_aer--;
		for (; i < c->n_aer; i++)
			c->aer[i] = c->aer[i + 1];
		nvmf_status_set(cmd, NVME_SC_ABORT_REQ, false);
		nvmf_admin_done(cmd);
		return true;
	}
	return false;
}
