/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Reservation commands, on main. The answer waits until the new state is durable and every data lcore goes by it; for
 * Preempt and Abort also until the commands of those who lost their registration have ended.
 */

#include "resv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "io.h"
#include "resv_store.h"
#include "sweep.h"

/* --- on the queue pair's lcore -------------------------------------------------------------------------------------
 */

uint16_t
nvmf_resv_check(struct nvmf_cmd *cmd)
{
	bool report = cmd->sqe.opc == NVME_IO_RESV_REPORT;
	uint32_t want = cmd->sqe.opc == NVME_IO_RESV_RELEASE ? sizeof(uint64_t) : sizeof(struct nvme_resv_keys);

	if (report && cmd->sqe.cdw10 > UINT32_MAX / 4 - 1)
		return NVME_SC_INVALID_FIELD;
	if (report)
		want = (cmd->sqe.cdw10 + 1) * 4;
	cmd->xfer = report ? NVMF_XFER_TO_HOST : NVMF_XFER_TO_CONTROLLER;
	cmd->xfer_len = want;
	return cmd->sqe.sgl.len != want ? NVME_SC_SGL_LENGTH : 0;
}

/* --- report --------------------------------------------------------------------------------------------------------
 */

static void
report(const struct nvmf_resv *r, struct nvmf_cmd *cmd)
{
	const struct nvmf_resv_state *st = &r->st;
	size_t len = sizeof(struct nvme_resv_status) + st->n * sizeof(struct nvme_resv_registrant);
	struct nvme_resv_registrant *reg;
	struct nvme_resv_status *head;

	if ((cmd->sqe.cdw11 & NVME_RESV_EDS) == 0) { /* the short form has no room for 128-bit host identifiers */
		nvmf_status_set(cmd, NVME_SC_HOSTID_FORMAT, true);
		return;
	}
	head = calloc(1, len);
	if (head == NULL) {
		nvmf_status_set(cmd, NVME_SC_INTERNAL, false);
		return;
	}
	head->gen = st->gen;
	head->rtype = st->rtype;
	memcpy(head->regctl, &st->n, sizeof(head->regctl));
	head->ptpls = st->ptpl;
	reg = (struct nvme_resv_registrant *)(head + 1);
	for (uint16_t i = 0; i < st->n; i++) {
		reg[i].cntlid = NVME_CNTLID_DYNAMIC; /* a host may have several controllers here, or none just now */
		reg[i].rcsts = nvmf_resv_holds(st, i);
		reg[i].rkey = st->reg[i].key;
		memcpy(reg[i].hostid, st->reg[i].hostid, sizeof(reg[i].hostid));
	}
	nvmf_admin_reply(cmd, head, len);
	free(head);
}

/* --- register, acquire, release ------------------------------------------------------------------------------------
 */

/* A command that waits for the others to have heard. */
struct wait {
	struct nvmf_barrier known, swept;
	struct nvmf_cmd *cmd;
	uint8_t uuid[16];
	bool abort;
	uint16_t n_victims;
	uint8_t victim[NVMF_RESV_MAX][16];
};

static void
swept(struct nvmf_barrier *b)
{
	struct wait *w = container_of(b, struct wait, swept);

	nvmf_admin_done(w->cmd);
	free(w);
}

static void
sweep_host(struct wait *w, const uint8_t *hostid)
{
	for (struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next)
		for (uint32_t i = 0; i < sub->ns->n; i++)
			if (sub->ns->ns[i].vol != NULL && memcmp(sub->ns->ns[i].vol->uuid, w->uuid, 16) == 0)
				nvmf_sweep(sub, i + 1, hostid, NVMF_SWEEP_STOP, &w->swept);
}

static void
known(struct nvmf_barrier *b)
{
	struct wait *w = container_of(b, struct wait, known);

	nvmf_barrier_init(&w->swept, swept);
	for (uint16_t i = 0; i < w->n_victims; i++)
		sweep_host(w, w->victim[i]);
	nvmf_barrier_drop(&w->swept);
}

static bool
take_op(const struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, struct nvmf_resv_op *op)
{
	struct nvme_resv_keys keys = {0};

	if (!nvmf_admin_payload(cmd, &keys, cmd->sqe.opc == NVME_IO_RESV_RELEASE ? 8 : sizeof(keys)))
		return false;
	*op = (struct nvmf_resv_op){
		.opc = cmd->sqe.opc,
		.action = NVME_RESV_ACTION(cmd->sqe.cdw10),
		.rtype = NVME_RESV_RTYPE(cmd->sqe.cdw10),
		.cptpl = NVME_RESV_CPTPL(cmd->sqe.cdw10),
		.iekey = (cmd->sqe.cdw10 & NVME_RESV_IEKEY) != 0,
		.crkey = keys.crkey,
		.other = keys.nrkey,
	};
	memcpy(op->hostid, c->hostid, sizeof(op->hostid));
	return true;
}

struct scratch {
	struct nvmf_resv_state old, next;
	struct nvmf_resv_effect effect;
};

static void
note_effects(const struct nvmf_resv *r, const struct scratch *s, struct wait *w)
{
	for (uint16_t i = 0; i < s->old.n; i++) {
		if (s->effect.notice[i] != NVME_RESV_NOTICE_NONE)
			nvmf_resv_notify(r, s->old.reg[i].hostid, s->effect.notice[i]);
		if (w->abort && s->effect.preempted[i])
			memcpy(w->victim[w->n_victims++], s->old.reg[i].hostid, 16);
	}
}

/* @return 0: the command is answered when all know; or the NVME_SC to answer with. */
static uint16_t
carry_out(struct nvmf_resv *r, struct nvmf_cmd *cmd, const struct nvmf_resv_op *op, struct scratch *s)
{
	struct wait *w;
	uint16_t sc;
	int ret;

	s->old = r->st;
	sc = nvmf_resv_apply(&s->old, op, nvmf_store_ready(), &s->next, &s->effect);
	if (sc != 0)
		return sc;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return NVME_SC_INTERNAL;
	nvmf_barrier_init(&w->known, known);
	w->cmd = cmd;
	w->abort = op->opc == NVME_IO_RESV_ACQUIRE && op->action == NVME_RACQA_PREEMPT_ABORT;
	memcpy(w->uuid, r->uuid, sizeof(w->uuid));
	ret = nvmf_resv_change(r, &s->next, &w->known);
	if (ret < 0) {
		free(w);
		return NVME_SC_INTERNAL;
	}
	note_effects(r, s, w);
	nvmf_barrier_drop(&w->known);
	return 0;
}

enum nvmf_verdict
nvmf_resv_command(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	static const uint8_t nobody[16];
	const struct nvmf_ns *ns = nvmf_ns_of(c->sub->ns, cmd->sqe.nsid);
	struct nvmf_resv_op op;
	struct scratch *s;
	struct nvmf_resv *r;
	uint16_t sc;

	if (ns == NULL) { /* gone on the way */
		nvmf_status_set(cmd, NVME_SC_INVALID_NS, true);
		return NVMF_ANSWER;
	}
	r = nvmf_resv_of(ns->vol->uuid);
	if (cmd->sqe.opc == NVME_IO_RESV_REPORT) {
		report(r, cmd);
		return NVMF_ANSWER;
	}
	if (memcmp(c->hostid, nobody, sizeof(nobody)) == 0) { /* hosts without a name cannot be told apart */
		nvmf_status_set(cmd, NVME_SC_SEQUENCE, true);
		return NVMF_ANSWER;
	}
	if (!take_op(c, cmd, &op))
		return NVMF_ANSWER;
	s = malloc(sizeof(*s));
	sc = s != NULL ? carry_out(r, cmd, &op, s) : NVME_SC_INTERNAL;
	free(s);
	if (sc == 0)
		return NVMF_KEPT;
	nvmf_status_set(cmd, sc, nvmf_status_final(sc));
	return NVMF_ANSWER;
}
