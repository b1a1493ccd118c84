/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * After a change of keys: what was sealed with older ones is sealed anew, so that nothing leans on these.
 *
 * Segments do not tell with which keys their chunks were sealed, so each is looked at, one after the other. One that
 * holds a chunk of an older epoch, alive or dead, is given to collection (store_gc.c), which has each living chunk of
 * that kind opened and sealed anew (store_repack.c), moves the rest as it lies and empties the segment. Round after
 * round, until one meets nothing that is left to do; then a checkpoint, so that what was emptied counts as free, and
 * the job has ended. What is appended meanwhile under an older key is seen as it comes, and has its segment done again.
 *
 * All of this is in memory: what begins anew begins with a look at every segment. What cannot be opened stays where it
 * is, and is counted.
 */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "store_job.h"
#include "store_walk.h"

#define SEGS_A_TURN   256
#define CHUNKS_A_TURN 16
#define SAVED_UP      10 /* a tenth of a second's bytes may be had at once */
#define RESERVE	      3	 /* segments of those that hosts may not have */
#define REPACKS_BUSY  2	 /* under way at once while hosts have requests */
#define SOON	      (100 * STRAKE_NS_PER_MS)

struct store_reseal {
	struct store_reseal_target target[STORE_VOLUMES];
	unsigned int n;
	uint64_t rate;
	int64_t budget;	     /* bytes that may be read just now */
	uint64_t refilled;   /* ns */
	uint64_t not_before; /* ns */
	uint64_t room_at;    /* ns: when room is asked for again */
	uint64_t openers;    /* which volumes could open chunks when it ended */
	uint32_t at;	     /* segment that is looked at */
	uint32_t victim;     /* which collection shall do, or STORE_NONE */
	uint32_t open;	     /* streams whose segment has to be closed first */
	bool walking;	     /* through segment `at` */
	bool more, emptied;  /* met in this round: something left to do; segments that are emptied and not free yet */
	struct store_walk walk;
	struct store_reseal_status out;
};

int
store_reseal_init(struct store *st)
{
	st->reseal = calloc(1, sizeof(*st->reseal));
	return st->reseal != NULL ? 0 : -ENOMEM;
}

void
store_reseal_fini(struct store *st)
{
	if (st->reseal == NULL)
		return;
	store_walk_fini(&st->reseal->walk);
	free(st->reseal);
	st->reseal = NULL;
}

static int
by_domain(const void *a, const void *b)
{
	const struct store_reseal_target *x = a, *y = b;

	return x->domain < y->domain ? -1 : x->domain > y->domain;
}

bool
store_reseal_old(const struct store *st, const struct strake_seal *seal)
{
	const struct store_reseal_target key = {seal->domain, 0}, *t;

	if (likely(!st->resealing) || seal->epoch == 0)
		return false;
	t = bsearch(&key, st->reseal->target, st->reseal->n, sizeof(key), by_domain);
	return t != NULL && seal->epoch < t->epoch;
}

void
store_reseal_note(struct store *st, uint32_t seg, const struct strake_seal *seal)
{
	if (unlikely(store_reseal_old(st, seal)))
		st->seg[seg].keys = STORE_KEYS_OLD;
}

void
store_reseal_done(struct store *st, uint32_t bytes)
{
	st->reseal->out.chunks++;
	st->reseal->out.bytes += bytes;
}

/* --- pace -------------------------------------------------------------------------------------------------------- */

static void
refill(struct store_reseal *r, uint64_t now)
{
	uint64_t most = r->rate / SAVED_UP + LOG_CHUNK_MAX, ns = RTE_MIN(now - r->refilled, STRAKE_NS_PER_SEC);

	r->refilled = now;
	r->budget += (int64_t)((double)r->rate * (double)ns / STRAKE_NS_PER_SEC);
	r->budget = RTE_MIN(r->budget, (int64_t)most);
}

void
store_reseal_spend(struct store *st, uint32_t bytes)
{
	if (st->reseal->rate != 0)
		st->reseal->budget -= bytes;
}

static bool
may_go_on(const struct store_reseal *r)
{
	return r->rate == 0 || r->budget > 0;
}

bool
store_reseal_paced(struct store *st, uint64_t now)
{
	refill(st->reseal, now);
	return may_go_on(st->reseal);
}

bool
store_reseal_may(const struct store *st)
{
	/* Hosts first: while they are at work, only a little of this is under way. */
	return may_go_on(st->reseal) && (st->jobs_busy == 0 || store_repack_count(st) < REPACKS_BUSY);
}

/* --- segments ---------------------------------------------------------------------------------------------------- */

/* Volumes that are there, those that are open and those being forgotten: what could not be opened may be then. */
static uint64_t
openers(const struct store *st)
{
	uint64_t open = 0, doomed = 0;

	for (uint32_t i = 0; i < st->n_vol; i++) {
		open += st->vol[i]->lv != NULL;
		doomed += st->vol[i]->doomed;
	}
	return (uint64_t)st->n_vol << 40 | open << 20 | doomed;
}

/* No segment is taken that hosts could not have. A full store has none of these; but a victim gives back what it takes,
 * so while hosts are quiet and there is nothing to collect, some of what is kept for collection is used, for one victim
 * after the other. */
static bool
has_room(struct store *st)
{
	int64_t level = store_seg_level(st);

	if (level > 0)
		return true;
	if (st->jobs_busy > 0 || !store_gc_rests(st) || level <= -RESERVE ||
	    store_seg_ready(st) <= store_seg_keep_meta(st) + 1)
		return false;
	if (st->n_drained == st->n_drained_map)
		return true;
	store_ckpt_want_list(st);
	return false;
}

uint32_t
store_reseal_victim(struct store *st)
{
	struct store_reseal *r = st->reseal;

	if (!st->resealing || r->victim == STORE_NONE || st->closing || !may_go_on(r) || strake_now() < r->room_at)
		return STORE_NONE;
	r->out.no_room = !has_room(st);
	if (!r->out.no_room && st->waits == NULL && store_room(st, STORE_GC, LOG_CHUNK_MAX) == 0)
		return r->victim;
	/* Who asks for room has some made, which takes room, too. */
	r->room_at = strake_now() + SOON;
	return STORE_NONE;
}

void
store_reseal_over(struct store *st, uint32_t seg, const struct store_reseal_left *left)
{
	struct store_reseal *r = st->reseal;
	struct store_seg *s = &st->seg[seg];

	if (r->victim == seg)
		r->victim = STORE_NONE;
	r->more = true;
	if (s->keys != STORE_KEYS_OLD) /* the job has begun anew meanwhile */
		return;
	if (s->d.state == STORE_SEG_DRAINED || left->later) {
		r->not_before = left->later ? strake_now() + SOON : r->not_before;
		return;
	}
	if (s->d.state == STORE_SEG_BAD)
		r->out.unread++;
	r->out.damaged += left->damaged;
	r->out.unopened += left->unopened;
	s->keys = STORE_KEYS_STUCK;
}

static void
looked_at(struct store *st, struct store_reseal *r, bool old)
{
	struct store_seg *s = &st->seg[r->at];

	s->readers--;
	r->walking = false;
	if (!old && r->walk.lost == 0) {
		if (s->keys == STORE_KEYS_UNKNOWN)
			s->keys = STORE_KEYS_NEW;
		return;
	}
	/* What cannot be read may be of any key; collection finds out whether anything needs it. */
	s->keys = STORE_KEYS_OLD;
}

static uint32_t
look(struct store *st, struct store_reseal *r, uint64_t now)
{
	struct log_head h;
	const uint8_t *at;
	int ret = 1;

	for (unsigned int i = 0; i < CHUNKS_A_TURN && may_go_on(r); i++) {
		ret = store_walk_chunk(&r->walk, &h, &at);
		if (ret == -EAGAIN)
			return i;
		if (ret <= 0 || store_reseal_old(st, &h.seal)) {
			if (ret < 0) /* not now: it stays unknown */
				r->not_before = now + SOON;
			looked_at(st, r, ret > 0);
			if (ret < 0)
				st->seg[r->at++].keys = STORE_KEYS_UNKNOWN;
			r->more |= ret < 0;
			return 1;
		}
		store_reseal_spend(st, h.bytes);
		store_walk_next(&r->walk, &h);
	}
	return 1;
}

/* @return whether the segment has to be waited for. */
static bool
meet(struct store *st, struct store_reseal *r)
{
	struct store_seg *s = &st->seg[r->at];

	if (s->d.state == STORE_SEG_FREE || s->d.stream == STORE_META || s->keys == STORE_KEYS_NEW ||
	    s->keys == STORE_KEYS_STUCK)
		return false;
	if (s->d.state == STORE_SEG_DRAINED) {
		r->emptied = true;
		return false;
	}
	if (s->d.state == STORE_SEG_OPEN) {
		r->open |= 1u << s->d.stream;
		return false;
	}
	r->more = true;
	if (s->first_row + s->rows > st->out[s->d.stream].written)
		return false; /* its last rows are still under way: in the next round */
	if (s->keys == STORE_KEYS_UNKNOWN) {
		if (may_go_on(r)) {
			s->readers++;
			store_walk_begin(&r->walk, st, r->at, s->d.gen, 0, s->rows * store_row_bytes(st));
			r->walk.pass = STORE_WALK_PASS;
			r->walking = true;
		}
		return true;
	}
	if (s->d.state == STORE_SEG_BAD) {
		r->out.unread++;
		s->keys = STORE_KEYS_STUCK;
		return false;
	}
	if (s->readers > 0)
		return false;
	r->victim = r->at++;
	return true;
}

/* Once around. */
static void
round_over(struct store *st, struct store_reseal *r, uint64_t now)
{
	bool more = r->more || r->open != 0;

	for (unsigned int i = 0; i < STORE_META; i++) {
		if (r->open & 1u << i)
			store_seg_close(st, i);
	}
	if (!more && r->emptied) {
		/* It may be held back by a read of a host, or by want of room, as a checkpoint frees only what was
		 * empty when it began. */
		r->out.no_room = store_seg_ready(st) <= store_seg_keep_meta(st);
		if (st->ckpt.state == STORE_CKPT_IDLE && !r->out.no_room)
			store_ckpt_want(st);
		else if (r->out.no_room)
			store_ckpt_want_list(st);
		r->not_before = now + SOON;
	}
	if (!more && !r->emptied) {
		r->out.state = STORE_RESEAL_ENDED;
		r->openers = openers(st);
		r->not_before = now + STRAKE_NS_PER_SEC;
	}
	r->at = 0;
	r->open = 0;
	r->more = r->emptied = false;
}

static void
count_left(const struct store *st, struct store_reseal *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < st->n_seg; i++) {
		const struct store_seg *s = &st->seg[i];

		n += s->d.state != STORE_SEG_FREE && s->d.stream != STORE_META && s->keys != STORE_KEYS_NEW;
	}
	r->out.left = n;
	r->out.segments = RTE_MAX(r->out.segments, n);
}

/* Those that could not be done are tried again. */
static void
again(struct store *st, struct store_reseal *r)
{
	for (uint32_t i = 0; i < st->n_seg; i++) {
		if (st->seg[i].keys == STORE_KEYS_STUCK)
			st->seg[i].keys = STORE_KEYS_OLD;
	}
	r->out.damaged = r->out.unopened = r->out.unread = 0;
	r->out.state = STORE_RESEAL_GOES_ON;
}

/* While it has ended: volumes come and go. */
static uint32_t
watch(struct store *st, struct store_reseal *r, uint64_t now)
{
	r->not_before = now + STRAKE_NS_PER_SEC;
	if (r->out.unopened == 0 || r->openers == openers(st))
		return 0;
	again(st, r);
	return 1;
}

uint32_t
store_reseal_poll(struct store *st, uint64_t now)
{
	struct store_reseal *r = st->reseal;

	if (likely(!st->resealing) || st->failed != 0 || st->replay != NULL || st->closing)
		return 0;
	store_reseal_paced(st, now);
	if (r->walking)
		return look(st, r, now);
	if (r->victim != STORE_NONE || now < r->not_before)
		return 0;
	if (r->out.state == STORE_RESEAL_ENDED)
		return watch(st, r, now);
	for (unsigned int i = 0; i < SEGS_A_TURN && r->at < st->n_seg; i++) {
		if (meet(st, r))
			return 1;
		r->at++;
	}
	if (r->at >= st->n_seg) {
		round_over(st, r, now);
		count_left(st, r);
	}
	return 0;
}

/* --- main's part ------------------------------------------------------------------------------------------------- */

/* It looks at nothing. @return -EINPROGRESS: it does, just now. */
static int
rest(struct store *st)
{
	struct store_reseal *r = st->reseal;

	if (r->walking && r->walk.reading)
		return -EINPROGRESS;
	if (r->walking)
		st->seg[r->at].readers--;
	r->walking = false;
	return 0;
}

struct order {
	const struct store_reseal_target *t;
	unsigned int n;
};

static int
begin(struct store *st, void *arg)
{
	struct store_reseal *r = st->reseal;
	const struct order *o = arg;

	if (rest(st) < 0)
		return -EINPROGRESS;
	memcpy(r->target, o->t, o->n * sizeof(*o->t));
	qsort(r->target, o->n, sizeof(*r->target), by_domain);
	r->n = o->n;
	for (uint32_t i = 0; i < st->n_seg; i++)
		st->seg[i].keys = STORE_KEYS_UNKNOWN;
	r->out = (struct store_reseal_status){.state = STORE_RESEAL_GOES_ON};
	r->victim = STORE_NONE;
	r->at = r->open = 0;
	r->more = r->emptied = false;
	r->not_before = 0;
	r->refilled = strake_now();
	st->resealing = true;
	count_left(st, r);
	return 0;
}

void
store_reseal_begin(struct store *st, const struct store_reseal_target *t, unsigned int n)
{
	struct order o = {t, RTE_MIN(n, (unsigned int)STORE_VOLUMES)};

	store_until(st, begin, &o);
}

static int
end(struct store *st, void *arg)
{
	struct store_reseal *r = st->reseal;

	(void)arg;
	if (rest(st) < 0)
		return -EINPROGRESS;
	st->resealing = false;
	r->n = 0;
	r->victim = STORE_NONE;
	r->out.state = STORE_RESEAL_NONE;
	return 0;
}

void
store_reseal_end(struct store *st)
{
	if (st->resealing)
		store_until(st, end, NULL);
}

static int
pace(struct store *st, void *arg)
{
	st->reseal->rate = *(const uint64_t *)arg;
	st->reseal->budget = 0;
	return 0;
}

void
store_reseal_rate(struct store *st, uint64_t bytes)
{
	store_call(st, pace, &bytes);
}

void
store_reseal_get(const struct store *st, struct store_reseal_status *out)
{
	*out = st->reseal->out;
}
