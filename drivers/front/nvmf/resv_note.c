/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What hosts are told of reservations, and the features that go with it. Main lcore. */

#include <string.h>

#include "barrier.h"
#include "io.h"
#include "resv.h"
#include "resv_store.h"

/* --- notifications -------------------------------------------------------------------------------------------------
 */

/* Pages are numbered as they come: when the list is full the oldest is lost, and the host sees a gap. */
static void
note(struct nvmf_ctrlr *c, uint32_t nsid, uint8_t notice)
{
	if ((c->resv_mask[nsid - 1] & 1u << notice) != 0)
		return;
	c->resv_notes++;
	c->resv_note[c->resv_notes % NVMF_RESV_NOTES] = (struct nvmf_resv_note){nsid, notice};
	if (c->resv_notes - c->resv_notes_read > NVMF_RESV_NOTES)
		c->resv_notes_read = c->resv_notes - NVMF_RESV_NOTES;
	nvmf_aer_raise(c, NVMF_EVENT_RESERVATION);
}

void
nvmf_resv_notify(const struct nvmf_resv *r, const uint8_t *hostid, enum nvme_resv_notice notice)
{
	for (struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next)
		for (uint32_t i = 0; i < sub->ns->n; i++) {
			if (sub->ns->ns[i].vol == NULL || memcmp(sub->ns->ns[i].vol->uuid, r->uuid, 16) != 0)
				continue;
			for (struct nvmf_ctrlr *c = sub->ctrlrs; c != NULL; c = c->next)
				if (!c->dying && memcmp(c->hostid, hostid, sizeof(c->hostid)) == 0)
					note(c, i + 1, (uint8_t)notice);
		}
}

void
nvmf_resv_log(const struct nvmf_ctrlr *c, struct nvme_log_resv *log)
{
	uint64_t waiting = c->resv_notes - c->resv_notes_read, first = c->resv_notes_read + 1;

	if (waiting == 0)
		return;
	log->count = first;
	log->type = c->resv_note[first % NVMF_RESV_NOTES].type;
	log->more = (uint8_t)(waiting - 1);
	log->nsid = c->resv_note[first % NVMF_RESV_NOTES].nsid;
}

void
nvmf_resv_log_read(struct nvmf_ctrlr *c)
{
	if (c->resv_notes_read == c->resv_notes)
		return;
	c->resv_notes_read++;
	if (c->resv_notes_read != c->resv_notes)
		nvmf_aer_raise(c, NVMF_EVENT_RESERVATION);
}

/* --- features ------------------------------------------------------------------------------------------------------
 */

static bool
is_mine(const struct nvmf_ctrlr *c, const struct nvmf_cmd *cmd)
{
	uint8_t fid = (uint8_t)cmd->sqe.cdw10;

	return !c->sub->discovery && (fid == NVME_FID_RESV_NOTICE || fid == NVME_FID_RESV_PERSIST);
}

static uint16_t
get(const struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	const struct nvmf_ns *ns = nvmf_ns_of(c->sub->ns, cmd->sqe.nsid);
	bool mask = (uint8_t)cmd->sqe.cdw10 == NVME_FID_RESV_NOTICE;

	if (ns == NULL)
		return NVME_SC_INVALID_NS;
	if (nvmf_ana_status(c) != 0)
		return nvmf_ana_status(c);
	switch ((cmd->sqe.cdw10 >> 8) & 7) {
	case NVME_SEL_CURRENT:
		cmd->cqe.cdw0 = mask ? c->resv_mask[cmd->sqe.nsid - 1] : nvmf_resv_of(ns->vol->uuid)->st.ptpl;
		return 0;
	case NVME_SEL_DEFAULT:
	case NVME_SEL_SAVED:
		return 0; /* all are told, and nothing persists */
	case NVME_SEL_SUPPORTED:
		cmd->cqe.cdw0 = NVME_FEAT_NS | (mask || nvmf_store_ready() ? NVME_FEAT_CHANGEABLE : 0);
		return 0;
	default:
		return NVME_SC_INVALID_FIELD;
	}
}

bool
nvmf_resv_get_feature(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	uint16_t sc;

	if (!is_mine(c, cmd))
		return false;
	sc = get(c, cmd);
	if (sc != 0)
		nvmf_status_set(cmd, sc, nvmf_status_final(sc));
	return true;
}

static void
nobody_waits(struct nvmf_barrier *b)
{
}

static uint16_t
set_persist(struct nvmf_resv *r, bool ptpl)
{
	struct nvmf_resv_state next = r->st;
	struct nvmf_barrier b;

	if (next.ptpl == ptpl)
		return 0;
	if (ptpl && !nvmf_store_ready())
		return NVME_SC_INVALID_FIELD;
	next.ptpl = ptpl;
	nvmf_barrier_init(&b, nobody_waits); /* what data lcores see is the same: nothing is sent */
	return nvmf_resv_change(r, &next, &b) == 0 ? 0 : NVME_SC_INTERNAL;
}

static uint16_t
set_one(struct nvmf_ctrlr *c, const struct nvmf_cmd *cmd, uint32_t nsid, const struct nvmf_ns *ns)
{
	if ((uint8_t)cmd->sqe.cdw10 == NVME_FID_RESV_PERSIST)
		return set_persist(nvmf_resv_of(ns->vol->uuid), (cmd->sqe.cdw11 & 1) != 0);
	c->resv_mask[nsid - 1] = cmd->sqe.cdw11 & NVME_RESV_NOTICE_MASK;
	return 0;
}

static uint16_t
set(struct nvmf_ctrlr *c, const struct nvmf_cmd *cmd)
{
	const struct nvmf_ns *ns = nvmf_ns_of(c->sub->ns, cmd->sqe.nsid);
	uint16_t sc = 0;

	if ((cmd->sqe.cdw10 & NVME_FEAT_SAVE) != 0)
		return NVME_SC_FEATURE_NOT_SAVEABLE;
	if (nvmf_ana_status(c) != 0)
		return nvmf_ana_status(c);
	if (cmd->sqe.nsid != NVME_NSID_ALL)
		return ns != NULL ? set_one(c, cmd, cmd->sqe.nsid, ns) : NVME_SC_INVALID_NS;
	for (uint32_t i = 0; sc == 0 && i < c->sub->ns->n; i++)
		if (c->sub->ns->ns[i].vol != NULL)
			sc = set_one(c, cmd, i + 1, &c->sub->ns->ns[i]);
	return sc;
}

bool
nvmf_resv_set_feature(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	uint16_t sc;

	if (!is_mine(c, cmd))
		return false;
	sc = set(c, cmd);
	if (sc != 0)
		nvmf_status_set(cmd, sc, nvmf_status_final(sc));
	return true;
}
