/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The walk through a chain; the shape of it is told in chain.h. */

#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#include "chain.h"
#include "lcore_pvt.h"
#include "qos.h"
#include "slab.h"
#include "stage_poll.h"
#include "strake_account.h"
#include "submit.h"
#include "trace.h"

/* Units taken off the up list in one turn; more wait for the next, so that ports are not starved. */
#define UP_BUDGET 2048

STRAKE_STEP(walk_step, STRAKE_AT_WALK, "walk through the chains")
STRAKE_STEP(chunk_step, STRAKE_AT_END, "volume: ends of chunks")
STRAKE_STEP(req_step, STRAKE_AT_END, "ends of requests: replies built")

static struct walk *walks[STRAKE_LCORE_MAX];

struct walk *
walk_self(void)
{
	return walks[strake_self_index()];
}

/* --- edges between lcores ---------------------------------------------------------------------------------------- */

static void
ring_send(struct rte_ring *ring, uint16_t lcore, struct strake_unit *u)
{
	trace_step(u, STRAKE_TRACE_RING, NULL);
	if (unlikely(rte_ring_mp_enqueue(ring, u) != 0))
		rte_panic("unit ring of lcore %u is full: more units than can exist\n", lcore);
	strake_lcore_wake(lcore);
}

void
walk_send_down(uint16_t lcore, struct strake_unit *u)
{
	ring_send(walks[lcore]->down_ring, lcore, u);
}

static void
send_up(uint16_t lcore, struct strake_unit *u)
{
	ring_send(walks[lcore]->up_ring, lcore, u);
}

static uint16_t
stage_lcore(const struct strake_stage *st, const struct strake_unit *u)
{
	return st->lcore >= 0 ? (uint16_t)st->lcore : u->home;
}

/* --- down -------------------------------------------------------------------------------------------------------- */

/* Send away what this stage does on another lcore. @return how many stay. */
static uint16_t
keep_here(const struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	uint16_t self = strake_self_index(), stay = 0;

	for (uint16_t i = 0; i < n; i++) {
		uint16_t to = stage_lcore(st, units[i]);

		if (likely(to == self))
			units[stay++] = units[i];
		else
			walk_send_down(to, units[i]);
	}
	return stay;
}

/* Act on the verdicts. @return how many go on to the next stage. */
static uint16_t
sort(struct walk *w, struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	struct strake_stage_stats *stats = &st->stats[strake_self_index()];
	uint16_t next = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct strake_unit *u = units[i];

		switch (u->verdict) {
		case STRAKE_NEXT:
			u->visited |= u->chain->ups & (uint16_t)(1u << u->pos);
			u->pos++;
			units[next++] = u;
			break;
		case STRAKE_DONE:
			if (u->status < 0)
				stats->errors++;
			trace_step(u, STRAKE_TRACE_TURN, st);
			walk_up(w, u);
			break;
		case STRAKE_HELD:
			stats->held++;
			trace_step(u, STRAKE_TRACE_HELD, st);
			break;
		default:
			stats->retry++;
			trace_step(u, STRAKE_TRACE_RETRY, st);
			unit_fifo_push(&w->retry, u);
			break;
		}
	}
	return next;
}

/* Time a call of a stage: what stages below used of it, because a chain began another, is theirs and not its own. */
static void
call(struct walk *w, struct strake_stage *st, void (*fn)(struct strake_stage *, struct strake_unit **, uint16_t),
     struct strake_unit **units, uint16_t n)
{
	uint8_t before = strake_account_enter(&st->step);
	uint64_t outer = w->inner, begin = rte_rdtsc(), took;

	w->inner = 0;
	fn(st, units, n);
	took = rte_rdtsc() - begin;
	st->stats[strake_self_index()].cycles += took - w->inner;
	w->inner = outer + took;
	strake_account_leave(before);
}

static void
count_down(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	struct strake_stage_stats *stats = &st->stats[strake_self_index()];

	stats->down += n;
	for (uint16_t i = 0; i < n; i++) {
		units[i]->verdict = STRAKE_NEXT;
		stats->bytes += units[i]->nbytes;
		trace_step(units[i], STRAKE_TRACE_DOWN, st);
	}
}

void
walk_down(struct walk *w, struct strake_unit **units, uint16_t n)
{
	struct strake_chain *chain = units[0]->chain;

	while (n > 0) {
		struct strake_stage *st;

		if (unlikely(units[0]->pos >= chain->n))
			rte_panic("chain %s: its last stage let a unit go on\n", chain->name);
		st = chain->st[units[0]->pos];
		n = keep_here(st, units, n);
		if (n == 0)
			return;
		count_down(st, units, n);
		call(w, st, st->ops->down, units, n);
		n = sort(w, st, units, n);
	}
}

void
strake_chain_begin(struct strake_chain *chain, struct strake_unit **units, uint16_t n)
{
	struct walk *w = walk_self();
	uint64_t now = strake_now();
	uint8_t self = (uint8_t)strake_self_index();

	for (uint16_t i = 0; i < n; i++) {
		struct strake_unit *u = units[i];

		u->chain = chain;
		u->home = self;
		u->origin = self;
		u->pos = 0;
		u->visited = 0;
		u->t_start = now;
		trace_step(u, STRAKE_TRACE_BEGIN, NULL);
	}
	w->begun += n;
	walk_down(w, units, n);
}

void
strake_unit_continue(struct strake_unit *unit)
{
	unit->visited |= unit->chain->ups & (uint16_t)(1u << unit->pos);
	unit->pos++;
	unit_fifo_push(&walk_self()->down, unit);
}

void
strake_unit_complete(struct strake_unit *unit)
{
	walk_up(walk_self(), unit);
}

/* --- up ---------------------------------------------------------------------------------------------------------- */

/* No stage is left to visit: the slab's account is settled at home, done() runs at the origin. */
static void
finish(struct walk *w, struct strake_unit *u)
{
	uint16_t self = strake_self_index();

	if (u->pos != POS_ENDED) {
		if (u->home != self) {
			send_up(u->home, u);
			return;
		}
		if (u->kind == STRAKE_UNIT_REQ)
			slab_leave(&strake_req_of(u)->vol->slab[strake_req_of(u)->slab]);
		u->pos = POS_ENDED;
	}
	if (u->origin != self) {
		send_up(u->origin, u);
		return;
	}
	trace_step(u, STRAKE_TRACE_END, NULL);
	if (unlikely(w->qos != NULL) && u->kind == STRAKE_UNIT_REQ && strake_req_of(u)->admitted != 0)
		qos_ended(w->qos, strake_req_of(u));
	w->ended++;
	u->done(u);
}

static uint16_t
visit_up(struct walk *w, struct strake_stage *st, unsigned int pos, struct strake_unit **units, uint16_t n)
{
	struct strake_stage_stats *stats = &st->stats[strake_self_index()];
	uint16_t next = 0;

	for (uint16_t i = 0; i < n; i++) {
		units[i]->visited &= (uint16_t) ~(1u << pos);
		units[i]->pos = (uint8_t)pos;
		units[i]->verdict = STRAKE_NEXT;
		trace_step(units[i], STRAKE_TRACE_UP, st);
	}
	stats->up += n;
	call(w, st, st->ops->up, units, n);
	for (uint16_t i = 0; i < n; i++) {
		if (units[i]->verdict != STRAKE_HELD)
			units[next++] = units[i];
		else
			trace_step(units[i], STRAKE_TRACE_HELD, st);
	}
	return next;
}

/* Units of one chain that owe the same visits, with the same home. */
static void
walk_up_burst(struct walk *w, struct strake_unit **units, uint16_t n)
{
	struct strake_chain *chain = units[0]->chain;
	uint8_t before;

	while (n > 0 && units[0]->visited != 0) {
		unsigned int pos = 31u - (unsigned int)__builtin_clz(units[0]->visited);
		struct strake_stage *st = chain->st[pos];
		uint16_t to = stage_lcore(st, units[0]);

		if (unlikely(to != strake_self_index())) {
			for (uint16_t i = 0; i < n; i++)
				send_up(to, units[i]);
			return;
		}
		n = visit_up(w, st, pos, units, n);
	}
	if (n == 0)
		return;
	lcore_ending();
	before = strake_account_enter(units[0]->kind == STRAKE_UNIT_REQ ? &req_step : &chunk_step);
	for (uint16_t i = 0; i < n; i++)
		finish(w, units[i]);
	strake_account_leave(before);
}

static bool
same_way_up(const struct strake_unit *a, const struct strake_unit *b)
{
	return a->chain == b->chain && a->visited == b->visited && a->home == b->home;
}

static uint32_t
run_up(struct walk *w)
{
	struct strake_unit *burst[STRAKE_BURST];
	uint32_t work = 0;

	while (w->up.head != NULL && work < UP_BUDGET) {
		uint16_t n = 0;

		do
			burst[n++] = unit_fifo_pop(&w->up);
		while (n < STRAKE_BURST && w->up.head != NULL && same_way_up(burst[0], w->up.head));
		walk_up_burst(w, burst, n);
		work += n;
	}
	return work;
}

/* --- the lcore's poller --------------------------------------------------------------------------------------------
 */

/* Walk a list down in bursts of units that stand at the same place. */
static uint32_t
run_down(struct walk *w, struct unit_fifo *list)
{
	struct unit_fifo todo = *list;
	struct strake_unit *burst[STRAKE_BURST];
	uint32_t work = 0;

	if (todo.head == NULL)
		return 0;
	/* What a stage puts on the list meanwhile is for the next time. */
	unit_fifo_init(list);
	while (todo.head != NULL) {
		uint16_t n = 0;

		do {
			burst[n++] = todo.head;
			todo.head = todo.head->link;
		} while (n < STRAKE_BURST && todo.head != NULL && todo.head->chain == burst[0]->chain &&
			 todo.head->pos == burst[0]->pos);
		walk_down(w, burst, n);
		work += n;
	}
	return work;
}

static uint32_t
take_rings(struct walk *w)
{
	struct strake_unit *burst[STRAKE_BURST];
	unsigned int n, total = 0;

	n = rte_ring_empty(w->up_ring) ? 0 : rte_ring_sc_dequeue_burst(w->up_ring, (void **)burst, STRAKE_BURST, NULL);
	for (unsigned int i = 0; i < n; i++)
		walk_up(w, burst[i]);
	total += n;
	n = rte_ring_empty(w->down_ring) ? 0
					 : rte_ring_sc_dequeue_burst(w->down_ring, (void **)burst, STRAKE_BURST, NULL);
	for (unsigned int i = 0; i < n; i++) {
		if (burst[i]->pos == POS_ARRIVING)
			submit_arrive(strake_req_of(burst[i]));
		else
			unit_fifo_push(&w->down, burst[i]);
	}
	return total + n;
}

static uint32_t
walk_poll(struct strake_poller *p, uint64_t now)
{
	struct walk *w = RTE_PTR_SUB(p, offsetof(struct walk, poller));
	uint8_t before = strake_account_enter(&walk_step);
	uint32_t work = take_rings(w);

	/* Units offered again are not work: a stage that stays full must not keep the lcore awake by itself. */
	run_down(w, &w->retry);
	work += stage_poll_run(now);
	work += run_down(w, &w->down);
	work += run_up(w);
	/* done() of an up-walk may have begun more, which turned round at once: not to wait for the next turn. */
	work += run_down(w, &w->down);
	strake_account_leave(before);
	return work;
}

/* Asleep only with nothing left to walk; rings are watched by strake_lcore_wake(). */
static bool
walk_arm(struct strake_poller *p, bool on)
{
	struct walk *w = RTE_PTR_SUB(p, offsetof(struct walk, poller));

	if (!on)
		return true;
	p->fd = w->retry.head != NULL || stage_poll_any() ? -1 : -2;
	return w->up.head == NULL && w->down.head == NULL && rte_ring_empty(w->up_ring) && rte_ring_empty(w->down_ring);
}

int
strake_pipeline_lcore_init(void)
{
	struct walk *w = walk_self();

	w->poller.name = "pipeline";
	w->poller.poll = walk_poll;
	w->poller.arm = walk_arm;
	w->poller.fd = -2;
	strake_poller_add(&w->poller);
	w->qos = qos_lcore_init();
	return 0;
}

void
strake_pipeline_lcore_fini(void)
{
	strake_poller_del(&walk_self()->poller);
	qos_lcore_fini();
	walk_self()->qos = NULL;
}

static struct walk *
walk_create(uint16_t index, uint32_t units)
{
	int socket = strake_lcore_at(index)->socket;
	struct walk *w = rte_zmalloc_socket("strake_walk", sizeof(*w), RTE_CACHE_LINE_SIZE, socket);
	char name[RTE_RING_NAMESIZE];

	if (w == NULL)
		return NULL;
	unit_fifo_init(&w->up);
	unit_fifo_init(&w->down);
	unit_fifo_init(&w->retry);
	snprintf(name, sizeof(name), "strake_down_%u", index);
	w->down_ring = rte_ring_create(name, rte_align32pow2(units + 1), socket, RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "strake_up_%u", index);
	w->up_ring = rte_ring_create(name, rte_align32pow2(units + 1), socket, RING_F_SC_DEQ);
	if (w->down_ring == NULL || w->up_ring == NULL) {
		rte_ring_free(w->down_ring);
		rte_ring_free(w->up_ring);
		rte_free(w);
		return NULL;
	}
	return w;
}

int
strake_pipeline_init(const struct strake_pipeline_conf *conf)
{
	int ret = unit_pools_init(conf);

	if (ret == 0)
		ret = qos_init(conf->qos);
	if (ret < 0) {
		unit_pools_fini();
		return ret;
	}
	for (uint16_t i = 0; i < strake_lcore_count(); i++) {
		walks[i] = walk_create(i, unit_pools_total());
		if (walks[i] == NULL) {
			strake_pipeline_fini();
			return -ENOMEM;
		}
	}
	return 0;
}

void
strake_pipeline_fini(void)
{
	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++) {
		if (walks[i] == NULL)
			continue;
		rte_ring_free(walks[i]->down_ring);
		rte_ring_free(walks[i]->up_ring);
		rte_free(walks[i]);
		walks[i] = NULL;
	}
	qos_fini();
	unit_pools_fini();
}

uint64_t
strake_pipeline_inflight(void)
{
	uint64_t begun = 0, ended = 0;

	/* Ended first: a unit that ends in between is then counted as still under way, never the other way round. */
	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++)
		ended += walks[i] != NULL ? __atomic_load_n(&walks[i]->ended, __ATOMIC_ACQUIRE) : 0;
	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++)
		begun += walks[i] != NULL ? __atomic_load_n(&walks[i]->begun, __ATOMIC_ACQUIRE) : 0;
	return begun - ended;
}
