/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The discovery log: for each subsystem the host may use, and for discovery itself, an entry for each listener. Main
 * lcore.
 *
 * It is built anew for every read; genctr tells a host that reads in pieces whether the pieces belong together.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"

bool
nvmf_any_address(const char *address)
{
	return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

static void
entry(struct nvme_discovery_entry *e, const struct nvmf_ctrlr *c, const struct nvmf_subsystem *sub,
      const struct nvmf_listener *l)
{
	/* A listener on all addresses is reached by the one this host came to. */
	const char *address = nvmf_any_address(l->address) ? c->local : l->address;

	e->trtype = l->transport->trtype;
	e->adrfam = strchr(address, ':') != NULL ? NVME_ADRFAM_IPV6 : NVME_ADRFAM_IPV4;
	e->subtype = sub->discovery ? NVME_DISC_CURRENT : NVME_DISC_NVM;
	if (sub->discovery) /* hosts may stay connected, and every listener gives the same log */
		e->eflags = NVME_DISC_EFLAGS_EPCSD | NVME_DISC_EFLAGS_DUPRETINFO;
	/* Secure channel "not specified": libnvme takes "not required" for TLS that is on offer, and asks for it. */
	e->treq = NVME_TREQ_NO_SQ_FLOW;
	e->portid = l->portid;
	e->cntlid = NVME_CNTLID_DYNAMIC;
	e->asqsz = 32;
	snprintf(e->trsvcid, sizeof(e->trsvcid), "%u", l->service);
	snprintf(e->subnqn, sizeof(e->subnqn), "%s", sub->nqn);
	snprintf(e->traddr, sizeof(e->traddr), "%s", address);
}

static struct nvme_discovery_entry *
entries(struct nvme_discovery_entry *e, const struct nvmf_ctrlr *c, const struct nvmf_subsystem *sub)
{
	for (const struct nvmf_listener *l = nvmf_target->listeners; l != NULL; l = l->next)
		entry(e++, c, sub, l);
	return e;
}

size_t
nvmf_discovery_log(const struct nvmf_ctrlr *c, uint8_t **out)
{
	const struct nvmf_subsystem *self = c->sub;
	struct nvme_discovery_log *log;
	struct nvme_discovery_entry *e;
	unsigned int subs = 0, listeners = 0;

	for (const struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next)
		subs++;
	for (const struct nvmf_listener *l = nvmf_target->listeners; l != NULL; l = l->next)
		listeners++;
	log = calloc(1, sizeof(*log) + (size_t)subs * listeners * sizeof(*e));
	if (log == NULL)
		return 0;
	e = (struct nvme_discovery_entry *)(log + 1);
	for (const struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next) {
		if (!sub->discovery && nvmf_host_allowed(sub, c->hostnqn))
			e = entries(e, c, sub);
	}
	e = entries(e, c, self);
	log->numrec = (uint64_t)(e - (struct nvme_discovery_entry *)(log + 1));
	log->genctr = nvmf_target->genctr;
	*out = (uint8_t *)log;
	return sizeof(*log) + log->numrec * sizeof(*e);
}

void
nvmf_discovery_changed(void)
{
	nvmf_target->genctr++;
	for (struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next)
		for (struct nvmf_ctrlr *c = sub->ctrlrs; sub->discovery && c != NULL; c = c->next)
			nvmf_aer_raise(c, NVMF_EVENT_DISCOVERY);
}
