/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Keep-alive: a controller whose host fell silent is ended with all its queue pairs. Main lcore. */

#include <rte_log.h>

#include "ctrlr.h"

RTE_LOG_REGISTER_SUFFIX(ka_log, keep_alive, INFO);

static void
expired(struct strake_timer *t, uint64_t now)
{
	struct nvmf_ctrlr *c = container_of(t, struct nvmf_ctrlr, ka);

	rte_log(RTE_LOG_NOTICE, ka_log, "NVMF: %s did not keep controller %u of %s alive for %u ms\n", c->hostnqn,
		c->cntlid, c->sub->nqn, c->kato);
	nvmf_target->ka_expired++;
	c->silent = true;
	c->csts |= NVME_CSTS_CFS;
	nvmf_ctrlr_kill(c);
}

void
nvmf_ka_start(struct nvmf_ctrlr *c, uint32_t kato)
{
	const uint64_t unit = NVMF_KAS * 100;
	uint64_t ms = kato;

	if (ms == 0 && c->sub->discovery)
		ms = NVMF_DISCOVERY_KATO_MS;
	ms = (ms + unit - 1) / unit * unit;
	c->kato = (uint32_t)RTE_MIN(ms, (uint64_t)UINT32_MAX / unit * unit);
	c->feature[NVMF_FEAT_KATO] = c->kato;
	c->ka.fn = expired;
	nvmf_ka_touch(c);
}

void
nvmf_ka_touch(struct nvmf_ctrlr *c)
{
	c->heard_at = strake_now();
	if (c->kato == 0 || c->dying)
		strake_timer_cancel(&c->ka);
	else
		strake_timer_arm(&c->ka, c->heard_at + c->kato * STRAKE_NS_PER_MS);
}

void
nvmf_ka_stop(struct nvmf_ctrlr *c)
{
	strake_timer_cancel(&c->ka);
}
