/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Controllers come with their admin queue pair and go with their last one. */

#include "ctrlr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_log.h>

#include "admin.h"

RTE_LOG_REGISTER(ctrlr_log, strake.nvmf, INFO)

/* The next free id after the one given last, so that a host's late I/O Connect does not find a stranger. */
static uint16_t
new_cntlid(struct nvmf_subsystem *sub)
{
	for (uint32_t tries = 0; tries < NVME_CNTLID_MAX; tries++) {
		sub->last_cntlid = sub->last_cntlid >= NVME_CNTLID_MAX ? 1 : sub->last_cntlid + 1;
		if (nvmf_ctrlr_find(sub, sub->last_cntlid) == NULL)
			return sub->last_cntlid;
	}
	return 0;
}

int
nvmf_ctrlr_create(struct nvmf_ctrlr **out, struct nvmf_subsystem *sub, struct nvmf_qpair *admin,
		  const struct nvme_connect_data *data)
{
	uint16_t cntlid = new_cntlid(sub);
	struct nvmf_ctrlr *c;

	if (cntlid == 0)
		return -EBUSY;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->sub = sub;
	c->id = ++nvmf_target->last_id;
	c->cntlid = cntlid;
	c->transport = admin->transport;
	c->admin = admin;
	c->admin_size = admin->size;
	memcpy(c->local, admin->local, sizeof(c->local));
	c->local_service = admin->local_service;
	memcpy(c->hostid, data->hostid, sizeof(c->hostid));
	memcpy(c->hostnqn, data->hostnqn, sizeof(c->hostnqn));
	nvmf_feature_defaults(c);
	c->next = sub->ctrlrs;
	sub->ctrlrs = c;
	nvmf_target->ctrlrs++;
	nvmf_ctrlr_add(c, admin);
	rte_log(RTE_LOG_DEBUG, ctrlr_log, "NVMF: controller %u of %s for %s at %s\n", c->cntlid, sub->nqn, c->hostnqn,
		admin->peer);
	*out = c;
	return 0;
}

static void
free_ctrlr(struct nvmf_ctrlr *c)
{
	struct nvmf_ctrlr **at = &c->sub->ctrlrs;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	nvmf_ka_stop(c);
	nvmf_target->ctrlrs--;
	rte_log(RTE_LOG_DEBUG, ctrlr_log, "NVMF: controller %u of %s for %s is gone\n", c->cntlid, c->sub->nqn,
		c->hostnqn);
	free(c);
}

struct nvmf_qpair *
nvmf_ctrlr_qpair(struct nvmf_ctrlr *c, uint16_t qid)
{
	struct nvmf_qpair *qp = c->qpairs;

	if (qid == 0)
		return c->admin;
	/* qp->qid is the data lcore's; main keeps its own copy in priv[0]. */
	while (qp != NULL && (qp == c->admin || qp->priv[0] != qid))
		qp = qp->ctrlr_next;
	return qp;
}

void
nvmf_ctrlr_add(struct nvmf_ctrlr *c, struct nvmf_qpair *qp)
{
	qp->ctrlr = c;
	qp->ctrlr_next = c->qpairs;
	c->qpairs = qp;
	c->n_qpairs++;
}

void
nvmf_ctrlr_remove(struct nvmf_ctrlr *c, struct nvmf_qpair *qp)
{
	struct nvmf_qpair **at = &c->qpairs;

	while (*at != qp)
		at = &(*at)->ctrlr_next;
	*at = qp->ctrlr_next;
	c->n_qpairs--;
	nvmf_subsystem_retire(c->sub, qp);
	if (qp == c->admin) {
		nvmf_aer_abort(c, NVME_SC_ABORT_SQ_DELETED);
		c->admin = NULL;
		nvmf_ctrlr_kill(c);
	}
	if (c->n_qpairs == 0)
		free_ctrlr(c);
	else if (c->stopping && c->n_qpairs == 1)
		nvmf_property_stopped(c);
}

static void
kill_on_lcore(struct strake_msg *msg)
{
	struct nvmf_qpair *qp = container_of(msg, struct nvmf_qpair, kill_msg);

	if (!qp->dying)
		qp->transport->kill(qp);
}

static void
kill_qpair(struct nvmf_qpair *qp)
{
	if (qp->kill_sent)
		return;
	qp->kill_sent = true;
	qp->kill_msg.fn = kill_on_lcore;
	strake_msg_send(qp->lcore, &qp->kill_msg);
}

void
nvmf_ctrlr_kill_io(struct nvmf_ctrlr *c)
{
	for (struct nvmf_qpair *qp = c->qpairs; qp != NULL; qp = qp->ctrlr_next)
		if (qp != c->admin)
			kill_qpair(qp);
}

void
nvmf_ctrlr_kill(struct nvmf_ctrlr *c)
{
	c->dying = true;
	nvmf_ka_stop(c);
	nvmf_ctrlr_kill_io(c);
	if (c->admin != NULL)
		kill_qpair(c->admin);
}

int
nvmf_ctrlr_drop(uint32_t id)
{
	for (struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next)
		for (struct nvmf_ctrlr *c = sub->ctrlrs; c != NULL; c = c->next)
			if (c->id == id) {
				rte_log(RTE_LOG_NOTICE, ctrlr_log, "NVMF: controller %u of %s for %s is dropped\n",
					c->cntlid, sub->nqn, c->hostnqn);
				nvmf_ctrlr_kill(c);
				return 0;
			}
	return -ENOENT;
}

void
nvmf_ctrlr_error(struct nvmf_ctrlr *c, const struct nvme_error_entry *e)
{
	struct nvme_error_entry *slot = &c->error[c->errors % NVMF_ERRORS_MAX];

	*slot = *e;
	slot->error_count = ++c->errors;
}

uint16_t
nvmf_ctrlr_depth(const struct nvmf_ctrlr *c)
{
	return RTE_MIN(c->sub->queue_depth, c->admin_size);
}
