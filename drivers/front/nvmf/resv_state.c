/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The state machine of reservations.
 *
 *	none --acquire--> held --release, clear, holder unregisters--> none
 *	held --preempt(holder's key)--> held by the preemptor
 *	held --preempt(another key)--> held as before, those registrants gone
 *
 * A reservation of an all-registrants type is held by every registrant, and ends with the last of them.
 */

#include "resv_state.h"

#include <string.h>

#include <rte_common.h>

int
nvmf_resv_find(const struct nvmf_resv_state *st, const uint8_t *hostid)
{
	for (uint16_t i = 0; i < st->n; i++)
		if (memcmp(st->reg[i].hostid, hostid, sizeof(st->reg[i].hostid)) == 0)
			return i;
	return -1;
}

bool
nvmf_resv_holds(const struct nvmf_resv_state *st, uint16_t i)
{
	return st->rtype != NVME_RESV_NONE && (nvmf_resv_all(st->rtype) || st->holder == i);
}

static void
set_free(struct nvmf_resv_state *st)
{
	st->rtype = NVME_RESV_NONE;
	st->holder = NVMF_RESV_NOBODY;
}

static void
set_held(struct nvmf_resv_state *st, uint8_t rtype, uint16_t holder)
{
	st->rtype = rtype;
	st->holder = nvmf_resv_all(rtype) ? NVMF_RESV_NOBODY : holder;
}

/* Unregister one. What it held alone is free; of all registrants' the last one's going frees it. */
static void
drop(struct nvmf_resv_state *st, uint16_t i)
{
	if (st->rtype != NVME_RESV_NONE && (st->holder == i || (nvmf_resv_all(st->rtype) && st->n == 1)))
		set_free(st);
	st->n--;
	memmove(&st->reg[i], &st->reg[i + 1], (st->n - i) * sizeof(st->reg[0]));
	memset(&st->reg[st->n], 0, sizeof(st->reg[0]));
	if (st->holder != NVMF_RESV_NOBODY && st->holder > i)
		st->holder--;
}

/* All that are registered after the command, but the one who asks, by their places before it. */
static void
notify_rest(const struct nvmf_resv_state *old, const struct nvmf_resv_state *next, const uint8_t *hostid,
	    uint8_t notice, struct nvmf_resv_effect *effect)
{
	for (uint16_t i = 0; i < old->n; i++)
		if (memcmp(old->reg[i].hostid, hostid, sizeof(old->reg[i].hostid)) != 0 &&
		    nvmf_resv_find(next, old->reg[i].hostid) >= 0)
			effect->notice[i] = notice;
}

/* --- register ------------------------------------------------------------------------------------------------------
 */

static uint16_t
add(struct nvmf_resv_state *st, const struct nvmf_resv_op *op)
{
	struct nvmf_registrant *r = &st->reg[st->n];

	if (st->n == NVMF_RESV_MAX)
		return NVME_SC_INTERNAL; /* the specification has no better word for "no room" */
	memcpy(r->hostid, op->hostid, sizeof(r->hostid));
	r->key = op->other;
	st->n++;
	return 0;
}

static uint16_t
unregister(const struct nvmf_resv_state *old, const struct nvmf_resv_op *op, int self, struct nvmf_resv_state *next,
	   struct nvmf_resv_effect *effect)
{
	if (self < 0 || (!op->iekey && old->reg[self].key != op->crkey))
		return NVME_SC_RESV_CONFLICT;
	drop(next, (uint16_t)self);
	if (nvmf_resv_only(old->rtype) && next->rtype == NVME_RESV_NONE)
		notify_rest(old, next, op->hostid, NVME_RESV_NOTICE_RELEASED, effect);
	return 0;
}

static uint16_t
register_key(const struct nvmf_resv_state *old, const struct nvmf_resv_op *op, int self, struct nvmf_resv_state *next,
	     struct nvmf_resv_effect *effect)
{
	/* Zero stands for "all others" in Preempt, so it cannot be anybody's key. */
	if (op->action != NVME_RREGA_UNREGISTER && op->other == 0)
		return NVME_SC_INVALID_FIELD;
	switch (op->action) {
	case NVME_RREGA_REGISTER:
		if (self < 0)
			return add(next, op);
		return old->reg[self].key == op->other ? 0 : NVME_SC_RESV_CONFLICT;
	case NVME_RREGA_UNREGISTER:
		return unregister(old, op, self, next, effect);
	case NVME_RREGA_REPLACE:
		/* "Without regard to its registration status or current key" when the key is ignored. */
		if (self < 0)
			return op->iekey ? add(next, op) : NVME_SC_RESV_CONFLICT;
		if (!op->iekey && old->reg[self].key != op->crkey)
			return NVME_SC_RESV_CONFLICT;
		next->reg[self].key = op->other;
		return 0;
	default:
		return NVME_SC_INVALID_FIELD;
	}
}

static uint16_t
do_register(const struct nvmf_resv_state *old, const struct nvmf_resv_op *op, bool can_persist,
	    struct nvmf_resv_state *next, struct nvmf_resv_effect *effect)
{
	uint16_t sc;

	if (op->cptpl == NVME_CPTPL_RESERVED || (op->cptpl == NVME_CPTPL_SET && !can_persist))
		return NVME_SC_INVALID_FIELD;
	sc = register_key(old, op, nvmf_resv_find(old, op->hostid), next, effect);
	if (sc != 0)
		return sc;
	if (op->cptpl != NVME_CPTPL_KEEP)
		next->ptpl = op->cptpl == NVME_CPTPL_SET;
	next->gen++;
	return 0;
}

/* --- acquire -------------------------------------------------------------------------------------------------------
 */

static uint16_t
acquire(const struct nvmf_resv_state *old, const struct nvmf_resv_op *op, uint16_t self, struct nvmf_resv_state *next)
{
	if (old->rtype == NVME_RESV_NONE)
		set_held(next, op->rtype, self);
	else if (!nvmf_resv_holds(old, self) || old->rtype != op->rtype)
		return NVME_SC_RESV_CONFLICT;
	return 0;
}

/* Unregister those with the key (0: all), but not @p spare. @return how many. */
static unsigned int
preempt_keys(const struct nvmf_resv_state *old, uint64_t key, const uint8_t *spare, const struct nvmf_resv_op *op,
	     struct nvmf_resv_state *next, struct nvmf_resv_effect *effect)
{
	unsigned int n = 0;

	for (uint16_t i = 0; i < old->n; i++) {
		const struct nvmf_registrant *r = &old->reg[i];

		if ((key != 0 && r->key != key) || (spare != NULL && memcmp(r->hostid, spare, sizeof(r->hostid)) == 0))
			continue;
		drop(next, (uint16_t)nvmf_resv_find(next, r->hostid));
		n++;
		if (memcmp(r->hostid, op->hostid, sizeof(r->hostid)) == 0)
			continue;
		effect->preempted[i] = true;
		effect->notice[i] = NVME_RESV_NOTICE_REG_PREEMPTED;
	}
	return n;
}

static uint16_t
preempt(const struct nvmf_resv_state *old, const struct nvmf_resv_op *op, struct nvmf_resv_state *next,
	struct nvmf_resv_effect *effect)
{
	bool all = nvmf_resv_all(old->rtype);
	bool take = all ? op->other == 0 : old->rtype != NVME_RESV_NONE && old->reg[old->holder].key == op->other;

	if (op->other == 0 && !all)
		return NVME_SC_INVALID_FIELD;
	if (take) {
		preempt_keys(old, op->other, op->hostid, op, next, effect);
		set_held(next, op->rtype, (uint16_t)nvmf_resv_find(next, op->hostid));
	} else if (preempt_keys(old, op->other, NULL, op, next, effect) == 0) {
		return NVME_SC_RESV_CONFLICT;
	}
	/* Those who stay learn that what they knew of the reservation is over. */
	if (old->rtype != NVME_RESV_NONE && next->rtype != old->rtype)
		notify_rest(old, next, op->hostid, NVME_RESV_NOTICE_RELEASED, effect);
	next->gen++;
	return 0;
}

static uint16_t
do_acquire(const struct nvmf_resv_state *old, const struct nvmf_resv_op *op, struct nvmf_resv_state *next,
	   struct nvmf_resv_effect *effect)
{
	int self = nvmf_resv_find(old, op->hostid);

	if (op->action > NVME_RACQA_PREEMPT_ABORT || op->iekey || op->rtype == NVME_RESV_NONE ||
	    op->rtype > NVME_RESV_EXCL_ACCESS_ALL)
		return NVME_SC_INVALID_FIELD;
	if (self < 0 || old->reg[self].key != op->crkey)
		return NVME_SC_RESV_CONFLICT;
	if (op->action == NVME_RACQA_ACQUIRE)
		return acquire(old, op, (uint16_t)self, next);
	return preempt(old, op, next, effect);
}

/* --- release -------------------------------------------------------------------------------------------------------
 */

static void
clear(const struct nvmf_resv_state *old, int self, struct nvmf_resv_state *next, struct nvmf_resv_effect *effect)
{
	for (int i = 0; i < old->n; i++)
		if (i != self)
			effect->notice[i] = NVME_RESV_NOTICE_PREEMPTED;
	memset(next->reg, 0, sizeof(next->reg));
	next->n = 0;
	set_free(next);
	next->gen++;
}

static uint16_t
do_release(const struct nvmf_resv_state *old, const struct nvmf_resv_op *op, struct nvmf_resv_state *next,
	   struct nvmf_resv_effect *effect)
{
	int self = nvmf_resv_find(old, op->hostid);

	if (op->action > NVME_RRELA_CLEAR || op->iekey)
		return NVME_SC_INVALID_FIELD;
	if (self < 0 || old->reg[self].key != op->crkey)
		return NVME_SC_RESV_CONFLICT;
	if (op->action == NVME_RRELA_CLEAR) {
		clear(old, self, next, effect);
		return 0;
	}
	if (!nvmf_resv_holds(old, (uint16_t)self))
		return 0; /* releases nothing */
	if (old->rtype != op->rtype)
		return NVME_SC_INVALID_FIELD;
	set_free(next);
	if (old->rtype != NVME_RESV_WRITE_EXCL && old->rtype != NVME_RESV_EXCL_ACCESS)
		notify_rest(old, next, op->hostid, NVME_RESV_NOTICE_RELEASED, effect);
	return 0;
}

uint16_t
nvmf_resv_apply(const struct nvmf_resv_state *old, const struct nvmf_resv_op *op, bool can_persist,
		struct nvmf_resv_state *next, struct nvmf_resv_effect *effect)
{
	*next = *old;
	memset(effect, 0, sizeof(*effect));
	switch (op->opc) {
	case NVME_IO_RESV_REGISTER:
		return do_register(old, op, can_persist, next, effect);
	case NVME_IO_RESV_ACQUIRE:
		return do_acquire(old, op, next, effect);
	default:
		return do_release(old, op, next, effect);
	}
}
