/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Thin volumes share a room that can become full: what is left of it is the spare capacity of the health log, and hosts
 * that ask for it get that event before the first write is refused. Main lcore.
 */

#include <rte_log.h>

#include "ctrlr.h"

RTE_LOG_REGISTER(spare_log, strake.nvmf, INFO)

/* The last tenth of a small store is written in a moment. */
#define LOOK_NS (STRAKE_NS_PER_SEC / 10)

uint8_t
nvmf_spare(const struct nvmf_subsystem *sub)
{
	uint8_t least = 100;

	for (uint32_t i = 0; i < sub->ns->n; i++) {
		const struct strake_volume *vol = sub->ns->ns[i].vol;

		if (vol != NULL && vol->thin)
			least = RTE_MIN(least, vol->spare);
	}
	return least;
}

static void
look_at(struct nvmf_subsystem *sub)
{
	uint8_t spare = nvmf_spare(sub);
	bool low = spare < NVMF_SPARE_LEAST;

	if (low && !sub->spare_low)
		rte_log(RTE_LOG_WARNING, spare_log, "NVMF: %s: %u %% of the room of its thin volumes is left\n",
			sub->nqn, spare);
	sub->spare_low = low;
	for (struct nvmf_ctrlr *c = sub->ctrlrs; c != NULL; c = c->next) {
		bool asked = (c->feature[NVMF_FEAT_ASYNC_EVENT] & NVME_AEN_SPARE) != 0;

		if (low && asked && !c->spare_told)
			nvmf_aer_raise(c, NVMF_EVENT_SPARE);
		c->spare_told = low && asked;
	}
}

static void
look(struct strake_timer *t, uint64_t now)
{
	for (struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next)
		look_at(sub);
	strake_timer_arm(t, now + LOOK_NS);
}

void
nvmf_spare_watch(void)
{
	nvmf_target->spare.fn = look;
	strake_timer_arm(&nvmf_target->spare, strake_now() + LOOK_NS);
}
