/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Which keys chunks were sealed with. Once around all segments that hold anything: what lies there is looked at, and
 * what is appended meanwhile counts too, so a chunk that collection carries past the walk is not missed. Dead chunks
 * count until their segment is freed: after a crash they may be needed again.
 *
 * Requests that were under way when all was looked at may hold a chunk that is sealed and not appended yet, or one that
 * was read and is not opened yet, whose segment is free already: the answer waits until they are over. Which are is
 * told by eras: one ends when everything that began in it has.
 *
 * It reads at the pace of sealing anew, of which it is the end.
 *
 * What cannot be read makes the answer useless, not wrong: -EIO, and all keys stay.
 */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "store_job.h"
#include "store_walk.h"

#define CHUNKS_A_TURN 16

struct store_seals_walk {
	struct store_seals out;
	struct store_walk walk;
	uint64_t given[LOG_STREAMS]; /* rows that were full when it began: read when they are written */
	uint32_t seg;
	bool walking, over;
	bool turned; /* an era has begun after everything was looked at */
	int status;
};

void
store_seals_note(struct store_seals_walk *s, const struct strake_seal *seal)
{
	struct store_seals *o = &s->out;
	uint32_t i = 0;

	if (seal->epoch == 0)
		return;
	o->opening[seal->salt / 64] |= 1ULL << seal->salt % 64;
	while (i < o->n_domains && o->domain[i].domain != seal->domain)
		i++;
	if (i == STORE_VOLUMES) {
		s->status = -E2BIG;
		return;
	}
	if (i == o->n_domains) {
		o->domain[i].domain = seal->domain;
		o->domain[i].oldest = seal->epoch;
		o->n_domains++;
	}
	o->domain[i].oldest = RTE_MIN(o->domain[i].oldest, seal->epoch);
}

static void
end(struct store *st, struct store_seals_walk *s)
{
	if (s->walking)
		st->seg[s->seg].readers--;
	s->walking = false;
	st->seals = NULL;
	store_walk_fini(&s->walk);
	__atomic_store_n(&s->over, true, __ATOMIC_RELEASE); /* pairs with the acquire in store_seals_result() */
}

/* Everything that was in memory when it began is on the drives. */
static bool
written(const struct store *st, const struct store_seals_walk *s)
{
	for (unsigned int i = 0; i < LOG_STREAMS; i++) {
		if (st->out[i].written < s->given[i])
			return false;
	}
	return true;
}

/* It may be one of those that are freed now, which no reader holds back any more. */
static bool
being_freed(const struct store *st, const struct store_seg *g)
{
	return g->d.state == STORE_SEG_DRAINED &&
	       (st->ckpt.state == STORE_CKPT_NOTE || st->ckpt.state == STORE_CKPT_FREE);
}

/* @return false: there is none, or not yet. */
static bool
next_seg(struct store *st, struct store_seals_walk *s)
{
	for (; s->seg < st->n_seg; s->seg++) {
		struct store_seg *g = &st->seg[s->seg];

		if (g->d.state == STORE_SEG_FREE || g->d.state == STORE_SEG_OPEN || g->d.stream == STORE_META)
			continue;
		if (being_freed(st, g))
			return false;
		g->readers++;
		store_walk_begin(&s->walk, st, s->seg, g->d.gen, 0, g->rows * store_row_bytes(st));
		s->walking = true;
		return true;
	}
	return false;
}

/* Is everything over that had begun when the last segment had been looked at? Between two of these an era must have
 * come to its end, since there are only two names for them. */
static bool
era_over(struct store *st, struct store_seals_walk *s)
{
	if (!s->turned && st->era_busy[!st->era] == 0) {
		st->era = !st->era;
		s->turned = true;
	}
	return s->turned && st->era_busy[!st->era] == 0;
}

uint32_t
store_seals_poll(struct store *st, uint64_t now)
{
	struct store_seals_walk *s = st->seals;

	if (s == NULL)
		return 0;
	if (st->failed != 0 || s->status != 0) {
		if (s->walk.reading)
			return 0;
		s->status = s->status != 0 ? s->status : st->failed;
		end(st, s);
		return 1;
	}
	if (!s->walking && (!written(st, s) || !next_seg(st, s))) {
		if (s->seg == st->n_seg && era_over(st, s))
			end(st, s);
		return 0;
	}
	if (!store_reseal_paced(st, now))
		return 0;
	for (unsigned int i = 0; i < CHUNKS_A_TURN; i++) {
		const uint8_t *at;
		struct log_head h;
		int ret = store_walk_chunk(&s->walk, &h, &at);

		if (ret == -EAGAIN)
			return i;
		if (ret <= 0) {
			s->status = ret < 0 ? ret : s->walk.lost > 0 ? -EIO : 0;
			st->seg[s->seg++].readers--;
			s->walking = false;
			break;
		}
		store_seals_note(s, &h.seal);
		store_reseal_spend(st, h.bytes);
		store_walk_next(&s->walk, &h);
	}
	return 1;
}

/* --- main's part ------------------------------------------------------------------------------------------------- */

static int
begin(struct store *st, void *arg)
{
	struct store_seals_walk *s = arg;

	/* What lies in rows that are being filled is read with the rest; what comes from here on is noted as it comes.
	 */
	for (unsigned int i = 0; i < LOG_STREAMS; i++) {
		if (i != STORE_META)
			store_seg_close(st, i);
		s->given[i] = st->out[i].given;
	}
	st->seals = s;
	return 0;
}

int
store_seals_begin(struct store *st)
{
	struct store_seals_walk *s;

	if (st->seals_last != NULL)
		return -EBUSY;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->out.domain = calloc(STORE_VOLUMES, sizeof(*s->out.domain));
	if (s->out.domain == NULL) {
		free(s);
		return -ENOMEM;
	}
	st->seals_last = s;
	return store_call(st, begin, s);
}

int
store_seals_result(struct store *st, const struct store_seals **out)
{
	struct store_seals_walk *s = st->seals_last;

	if (s == NULL)
		return -ENOENT;
	if (!__atomic_load_n(&s->over, __ATOMIC_ACQUIRE))
		return -EINPROGRESS;
	*out = &s->out;
	return s->status;
}

static int
stop(struct store *st, void *arg)
{
	struct store_seals_walk *s = arg;

	if (s->over)
		return 0;
	if (s->walk.reading)
		return -EINPROGRESS;
	end(st, s);
	return 0;
}

void
store_seals_end(struct store *st)
{
	struct store_seals_walk *s = st->seals_last;

	if (s == NULL)
		return;
	store_until(st, stop, s);
	st->seals_last = NULL;
	free(s->out.domain);
	free(s);
}
