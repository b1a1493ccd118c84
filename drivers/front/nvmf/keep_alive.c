/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Keep-alive: a controller whose host fell silent is ended with all its queue pairs. Main lcore.
 *
 * A timer alone does not know that it did: where we had no processor for a while, what the host sent meanwhile lies
 * unread in a port or a socket, and our absence is not the host's. So a timer that is due asks for a look: a message
 * goes over all data lcores, stays with each for the turns in which it reads all that a port can hold, and comes back
 * behind what they had to tell main. Who was not heard by then is silent.
 */

#include <rte_log.h>

#include "ctrlr.h"

#define LOOK_TURNS 32 /* descriptors of a port's queue by frames taken in a turn */

RTE_LOG_REGISTER(ka_log, strake.nvmf, INFO)

/* --- looking ------------------------------------------------------------------------------------------------------ */

static void pass_on(struct nvmf_look *look);

static void
begin(struct nvmf_look *look)
{
	look->begun++;
	look->seen = 0;
	look->again = false;
	nvmf_target->rounds++;
	pass_on(look);
}

static void
back(struct strake_msg *msg)
{
	struct nvmf_look *look = container_of(msg, struct nvmf_look, msg);

	nvmf_target->rounds--;
	look->done = look->begun;
	if (look->wanted > look->begun)
		begin(look);
}

static void
stay(struct strake_msg *msg)
{
	struct nvmf_look *look = container_of(msg, struct nvmf_look, msg);

	if (look->turns-- > 0)
		strake_msg_send(strake_self_index(), msg);
	else
		pass_on(look);
}

/* To the next lcore that runs; twice over several, for one hands another what it reads. */
static void
pass_on(struct nvmf_look *look)
{
	uint32_t running = __atomic_load_n(&nvmf_target->lcores, __ATOMIC_ACQUIRE);
	uint32_t left = running & ~look->seen;
	uint16_t next = STRAKE_LCORE_MAIN;

	if (left == 0 && !look->again && (running & (running - 1)) != 0) {
		look->again = true;
		look->seen = 0;
		left = running;
	}
	look->msg.fn = back;
	if (left != 0) {
		next = (uint16_t)__builtin_ctz(left);
		look->seen |= 1u << next;
		look->turns = LOOK_TURNS;
		look->msg.fn = stay;
	}
	strake_msg_send(next, &look->msg);
}

/* @return the number of a look that begins after now. */
static uint64_t
look_for_more(void)
{
	struct nvmf_look *look = &nvmf_target->look;

	look->wanted = look->begun + 1;
	if (look->done == look->begun)
		begin(look);
	return look->wanted;
}

/* --- controllers -------------------------------------------------------------------------------------------------- */

static void
expired(struct nvmf_ctrlr *c)
{
	rte_log(RTE_LOG_NOTICE, ka_log, "NVMF: %s did not keep controller %u of %s alive for %u ms\n", c->hostnqn,
		c->cntlid, c->sub->nqn, c->kato);
	nvmf_target->ka_expired++;
	c->silent = true;
	c->csts |= NVME_CSTS_CFS;
	nvmf_ctrlr_kill(c);
}

static void
due(struct strake_timer *t, uint64_t now)
{
	struct nvmf_ctrlr *c = container_of(t, struct nvmf_ctrlr, ka);

	if (c->look == 0) {
		c->look = look_for_more();
	} else if (nvmf_target->look.done >= c->look) {
		expired(c);
		return;
	}
	strake_timer_arm(t, now + STRAKE_NS_PER_MS);
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
	c->ka.fn = due;
	nvmf_ka_touch(c);
}

void
nvmf_ka_touch(struct nvmf_ctrlr *c)
{
	c->heard_at = strake_now();
	c->look = 0;
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
