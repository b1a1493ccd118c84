/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The turn of a store, and what others ask of it. */

#include <unistd.h>

#include <rte_common.h>

#include "store_job.h"

#define TICK	(100 * STRAKE_NS_PER_MS)
#define WAIT_US 50 /* of main, which may share the owner's processor, and that of the kernel's helpers */

/* --- the turn ---------------------------------------------------------------------------------------------------- */

void
store_fail(struct store *st, int err)
{
	if (st->failed == 0)
		st->failed = err;
}

void
store_stall(struct store *st, struct store_wait *w)
{
	st->stats.stalls++;
	w->next = NULL;
	*st->waits_end = w;
	st->waits_end = &w->next;
}

/* Those who waited for room try again; those who fail line up anew. */
static void
waits_poll(struct store *st)
{
	struct store_wait *w = st->waits;

	st->waits = NULL;
	st->waits_end = &st->waits;
	while (w != NULL) {
		struct store_wait *next = w->next;

		w->fn(w);
		w = next;
	}
}

static void
rows_age(struct store *st, uint64_t now)
{
	for (unsigned int s = 0; s < LOG_STREAMS; s++) {
		if (st->out[s].row != NULL && now - st->out[s].begun > st->conf.row_age)
			store_row_close(st, s);
	}
}

static uint32_t
store_poll(struct strake_poller *p, uint64_t now)
{
	struct store *st = RTE_PTR_SUB(p, offsetof(struct store, poller));
	uint32_t work = store_read_poll(st);

	map_poll(st->map);
	work += store_replay_poll(st);
	if (st->open)
		work += store_delete_poll(st) + store_gc_poll(st, now);
	work += store_ckpt_poll(st, now);
	work += store_seals_poll(st, now);
	work += store_reseal_poll(st, now);
	work += store_mend_poll(st);
	work += store_sync_poll(st);
	work += store_to_rows_poll(st);
	if (st->waits != NULL)
		waits_poll(st);
	return work;
}

static void
store_tick(struct strake_timer *t, uint64_t now)
{
	struct store *st = RTE_PTR_SUB(t, offsetof(struct store, tick));

	rows_age(st, now);
	if (st->open)
		store_look(st);
	strake_timer_arm(&st->tick, now + TICK);
}

void
store_turn_start(struct store *st)
{
	st->poller.name = "store";
	st->poller.poll = store_poll;
	st->poller.fd = -2;
	strake_poller_add(&st->poller);
	st->tick.fn = store_tick;
	strake_timer_arm(&st->tick, strake_now() + TICK);
}

void
store_turn_stop(struct store *st)
{
	strake_poller_del(&st->poller);
	strake_timer_cancel(&st->tick);
}

/* --- main waits for the owner ------------------------------------------------------------------------------------ */

struct errand {
	struct strake_msg msg;
	struct store *st;
	int (*fn)(struct store *st, void *arg);
	void *arg;
	int ret;
	bool over;
};

static void
errand_run(struct strake_msg *msg)
{
	struct errand *e = (struct errand *)msg;

	e->ret = e->fn(e->st, e->arg);
	__atomic_store_n(&e->over, true, __ATOMIC_RELEASE); /* pairs with the acquire in store_call() */
}

int
store_call(struct store *st, int (*fn)(struct store *st, void *arg), void *arg)
{
	struct errand e = {.msg = {.fn = errand_run}, .st = st, .fn = fn, .arg = arg};

	if (strake_self_index() == st->sp->owner)
		return fn(st, arg);
	strake_msg_send(st->sp->owner, &e.msg);
	while (!__atomic_load_n(&e.over, __ATOMIC_ACQUIRE)) {
		strake_lcore_turn(st->conf.clock());
		usleep(WAIT_US);
	}
	return e.ret;
}

int
store_until(struct store *st, int (*fn)(struct store *st, void *arg), void *arg)
{
	int ret;

	while ((ret = store_call(st, fn, arg)) == -EINPROGRESS)
		strake_lcore_turn(st->conf.clock());
	return ret;
}

/* --- what others ask -----------------------------------------------------------------------------------------------
 */

struct strake_stage *
store_stage(struct store *st)
{
	return st->stage;
}

const char *
store_name(const struct store *st)
{
	return st->name;
}

void
store_usage(const struct store *st, struct store_usage *out)
{
	const struct store_stats *s = &st->stats;

	*out = (struct store_usage){
		.bytes = (uint64_t)st->n_seg * st->seg_bytes,
		.free_bytes = (uint64_t)(st->n_free + st->n_drained) * st->seg_bytes,
		.shared_blocks = st->n_refs,
		.unique_blocks = st->live_blocks,
		.dead_blocks = st->all_blocks - RTE_MIN(st->all_blocks, st->live_blocks),
		.plain_bytes = s->plain_bytes,
		.stored_bytes = s->stored_bytes,
		.zero_blocks = s->zero_blocks,
		.hit_blocks = s->hit_blocks + s->same_blocks,
		.host_bytes = s->host_blocks * LOG_BLOCK,
		.hot_bytes = s->appended[STORE_HOT] + s->appended[STORE_COLD],
		.gc_bytes = s->appended[STORE_WARM] + s->appended[STORE_GC],
		.meta_bytes = s->appended[STORE_META],
		.padded_bytes = s->padded,
		.intent_bytes = s->intent_bytes,
		.moved_blocks = s->moved_blocks,
		.collected = s->collected,
		.checkpoints = s->checkpoints,
		.replayed = s->replayed,
		.lost = s->lost,
		.repaired = s->repaired,
		.segments = st->n_seg,
		.free_segments = st->n_free,
		.aside_segments = st->n_aside,
		.full = st->full,
		.failed = st->failed,
	};
	for (uint32_t i = 0; i < st->n_vol; i++) {
		uint64_t n = map_tree_entries(st->vol[i]->tree);

		if (st->vol[i]->doomed) {
			out->deleted_blocks += n;
		} else if (st->vol[i]->d.name[0] == '.') { /* those share with nobody */
			out->own_blocks += n;
			out->unique_blocks -= RTE_MIN(n, out->unique_blocks);
		} else {
			out->logical_blocks += n;
		}
	}
}
