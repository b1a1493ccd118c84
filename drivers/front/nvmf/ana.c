/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Asymmetric namespace access: the state of a path is that of the listener the host came in by. All namespaces are in
 * one group. (NVMe base 2.0, 8.1) Main lcore; a queue pair keeps the status its commands get, and main sends it news.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_log.h>

#include "ctrlr.h"

RTE_LOG_REGISTER(ana_log, strake.nvmf, INFO)

/* A change lasts shorter than hosts were told it could, or they give the controller up. */
#define CHANGE_NS ((NVMF_ANATT_S - 1) * STRAKE_NS_PER_SEC)

const char *
nvmf_ana_name(uint8_t state)
{
	switch (state) {
	case NVME_ANA_OPTIMIZED:
		return "optimized";
	case NVME_ANA_NON_OPTIMIZED:
		return "non_optimized";
	case NVME_ANA_INACCESSIBLE:
		return "inaccessible";
	default:
		return "change";
	}
}

static uint16_t
status_of(uint8_t state)
{
	switch (state) {
	case NVME_ANA_INACCESSIBLE:
		return NVME_SC_ANA_INACCESSIBLE;
	case NVME_ANA_CHANGE:
		return NVME_SC_ANA_TRANSITION;
	default:
		return 0;
	}
}

static const struct nvmf_listener *
listener_of(const struct nvmf_ctrlr *c)
{
	const struct nvmf_listener *any = NULL;

	for (const struct nvmf_listener *l = nvmf_target->listeners; l != NULL; l = l->next) {
		if (l->transport != c->transport || l->service != c->local_service)
			continue;
		if (strcmp(l->address, c->local) == 0)
			return l;
		if (nvmf_any_address(l->address))
			any = l;
	}
	return any;
}

uint8_t
nvmf_ana_state(const struct nvmf_ctrlr *c)
{
	const struct nvmf_listener *l = listener_of(c);

	return l != NULL ? l->ana : NVME_ANA_OPTIMIZED;
}

uint16_t
nvmf_ana_status(const struct nvmf_ctrlr *c)
{
	return status_of(nvmf_ana_state(c));
}

/* --- news ----------------------------------------------------------------------------------------------------------
 */

struct news {
	struct strake_msg msg;
	struct nvmf_qpair *qp;
	uint16_t sct_sc;
};

static void
back(struct strake_msg *msg)
{
	free(container_of(msg, struct news, msg));
}

static void
take(struct strake_msg *msg)
{
	struct news *news = container_of(msg, struct news, msg);

	news->qp->ana_sc = news->sct_sc;
	msg->fn = back;
	strake_msg_send(STRAKE_LCORE_MAIN, msg);
}

static void
tell_qpair(struct nvmf_ctrlr *c, struct nvmf_qpair *qp, uint16_t sct_sc)
{
	struct news *news = malloc(sizeof(*news));

	if (news == NULL) { /* a path that is not what it says must not stay */
		nvmf_ctrlr_kill(c);
		return;
	}
	*news = (struct news){.msg.fn = take, .qp = qp, .sct_sc = sct_sc};
	strake_msg_send(qp->lcore, &news->msg);
}

static void
tell(const struct nvmf_listener *l)
{
	for (struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next) {
		if (sub->discovery)
			continue;
		sub->ana_changes++;
		for (struct nvmf_ctrlr *c = sub->ctrlrs; c != NULL; c = c->next) {
			if (listener_of(c) != l)
				continue;
			for (struct nvmf_qpair *qp = c->qpairs; qp != NULL; qp = qp->ctrlr_next)
				tell_qpair(c, qp, status_of(l->ana));
			nvmf_aer_raise(c, NVMF_EVENT_ANA);
		}
	}
}

static void
change_over(struct strake_timer *t, uint64_t now)
{
	struct nvmf_listener *l = container_of(t, struct nvmf_listener, ana_timer);

	rte_log(RTE_LOG_WARNING, ana_log, "NVMF: %s:%u was left in change: it is inaccessible now\n", l->address,
		l->service);
	l->ana = NVME_ANA_INACCESSIBLE;
	tell(l);
}

int
nvmf_ana_set(const char *address, uint16_t service, enum nvme_ana_state state)
{
	struct nvmf_listener *l = nvmf_target->listeners;

	if (state != NVME_ANA_OPTIMIZED && state != NVME_ANA_NON_OPTIMIZED && state != NVME_ANA_INACCESSIBLE &&
	    state != NVME_ANA_CHANGE)
		return -EINVAL;
	while (l != NULL && (l->service != service || strcmp(l->address, address) != 0))
		l = l->next;
	if (l == NULL)
		return -ENOENT;
	if (l->ana == state)
		return 0;
	rte_log(RTE_LOG_NOTICE, ana_log, "NVMF: %s:%u goes from %s to %s\n", l->address, l->service,
		nvmf_ana_name(l->ana), nvmf_ana_name((uint8_t)state));
	l->ana = (uint8_t)state;
	l->ana_timer.fn = change_over;
	if (state == NVME_ANA_CHANGE)
		strake_timer_arm(&l->ana_timer, strake_now() + CHANGE_NS);
	else
		strake_timer_cancel(&l->ana_timer);
	tell(l);
	return 0;
}
