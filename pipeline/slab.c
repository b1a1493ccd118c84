/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "slab.h"

#include <errno.h>

#include <rte_malloc.h>

#include "submit.h"

/* One hand-over: goes to the old owner, then to the heir, then back to main. */
struct slab_move {
	struct strake_msg msg;
	struct strake_volume *vol;
	uint32_t index;
	uint16_t to;
	struct unit_fifo held;
	void (*done)(struct strake_volume *vol, uint32_t slab, void *arg);
	void *arg;
};

/* Room for volumes that grow: data lcores look into the array at any time, so it must not move. */
#define SLABS_SPARE_MIN 256u
#define SLABS_SPARE_MAX 65536u /* 4 MiB */

static uint64_t
slabs_for(const struct strake_volume *vol, uint64_t nlb)
{
	return ((nlb << vol->lba_shift) + (1ULL << vol->slab_shift) - 1) >> vol->slab_shift;
}

int
slab_create(struct strake_volume *vol)
{
	uint16_t data = strake_lcore_count() > 1 ? strake_lcore_count() - 1 : 0;
	uint32_t spare;

	vol->slabs = (uint32_t)slabs_for(vol, vol->nlb);
	spare = RTE_MAX(vol->slabs, SLABS_SPARE_MIN);
	vol->slabs_max = vol->slabs + RTE_MIN(spare, SLABS_SPARE_MAX);
	vol->slab = rte_zmalloc("strake_slab", sizeof(*vol->slab) * vol->slabs_max, RTE_CACHE_LINE_SIZE);
	if (vol->slab == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < vol->slabs_max; i++) {
		uint16_t turn = data > 0 ? (uint16_t)(1 + i % data) : STRAKE_LCORE_MAIN;

		vol->slab[i].owner = vol->owner != 0 ? vol->owner : turn;
		vol->slab[i].heir = UINT16_MAX;
		unit_fifo_init(&vol->slab[i].held);
	}
	return 0;
}

int
slab_extend(struct strake_volume *vol, uint64_t nlb)
{
	uint64_t n = slabs_for(vol, nlb);

	if (n > vol->slabs_max)
		return -E2BIG;
	/* Those beyond a smaller end stay: they may be moving, or hold the last requests. */
	vol->slabs = RTE_MAX(vol->slabs, (uint32_t)n);
	return 0;
}

void
slab_destroy(struct strake_volume *vol)
{
	rte_free(vol->slab);
	vol->slab = NULL;
}

uint16_t
strake_slab_owner(const struct strake_volume *vol, uint32_t slab)
{
	return __atomic_load_n(&vol->slab[slab].owner, __ATOMIC_RELAXED);
}

static void
move_done(struct strake_msg *msg)
{
	struct slab_move *m = (struct slab_move *)msg;

	m->vol->slab[m->index].move = NULL;
	if (m->done != NULL)
		m->done(m->vol, m->index, m->arg);
	rte_free(m);
}

/* On the heir: begin what the old owner had put aside. */
static void
move_arrive(struct strake_msg *msg)
{
	struct slab_move *m = (struct slab_move *)msg;
	struct strake_unit *u;

	while ((u = unit_fifo_pop(&m->held)) != NULL)
		submit_arrive(strake_req_of(u));
	m->msg.fn = move_done;
	strake_msg_send(STRAKE_LCORE_MAIN, &m->msg);
}

/* On the old owner: nothing of the slab is under way any more. */
void
slab_handed_over(struct strake_slab *slab)
{
	struct slab_move *m = slab->move;
	struct strake_unit *u;

	unit_fifo_init(&m->held);
	while ((u = unit_fifo_pop(&slab->held)) != NULL)
		unit_fifo_push(&m->held, u);
	slab->heir = UINT16_MAX;
	m->msg.fn = move_arrive;
	/* Everything this lcore did with the slab is visible to whoever sees the new owner; submit's load pairs. */
	__atomic_store_n(&slab->owner, m->to, __ATOMIC_RELEASE);
	strake_msg_send(m->to, &m->msg);
}

static void
move_begin(struct strake_msg *msg)
{
	struct slab_move *m = (struct slab_move *)msg;
	struct strake_slab *slab = &m->vol->slab[m->index];

	slab->heir = m->to;
	if (slab->inflight == 0)
		slab_handed_over(slab);
}

int
strake_slab_move(struct strake_volume *vol, uint32_t slab, uint16_t lcore,
		 void (*done)(struct strake_volume *vol, uint32_t slab, void *arg), void *arg)
{
	struct slab_move *m;

	if (slab >= vol->slabs || vol->owner != 0 || lcore == STRAKE_LCORE_MAIN || lcore >= strake_lcore_count())
		return -EINVAL;
	if (vol->slab[slab].move != NULL)
		return -EBUSY;
	m = rte_zmalloc("strake_slab_move", sizeof(*m), 0);
	if (m == NULL)
		return -ENOMEM;
	m->vol = vol;
	m->index = slab;
	m->to = lcore;
	m->done = done;
	m->arg = arg;
	m->msg.fn = strake_slab_owner(vol, slab) == lcore ? move_done : move_begin;
	vol->slab[slab].move = m;
	/* No hand-over is under way, so the owner cannot change before the message is there. */
	strake_msg_send(m->msg.fn == move_done ? STRAKE_LCORE_MAIN : strake_slab_owner(vol, slab), &m->msg);
	return 0;
}
