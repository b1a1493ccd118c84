/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Garbage collection: one segment at a time is walked from its first chunk to its last. What the map still needs is
 * moved, sealed as it is, into the collector's own stream; of a chunk that is mostly dead and not sealed only the
 * living runs of blocks go. Pages of the map are made dirty, and the next checkpoint writes them elsewhere.
 *
 * The count of live blocks chooses the victim, the walk proves that it is empty, and both must agree before the segment
 * is given up: a chunk that cannot be read keeps its segment.
 */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "store_walk.h"

#define CHUNKS_A_TURN 4
#define WALKS_MAX     3
#define SHARES_MAX    (1u << LOG_SHARE_SHIFT)

enum gc_state { GC_IDLE, GC_SHARES, GC_WALK, GC_END };

struct gc_share {
	uint64_t place, id;
};

struct store_gc {
	struct store *st;
	uint8_t state;
	bool waiting;	     /* for a page of the map */
	bool bad;	     /* something of the victim cannot be moved */
	bool unread;	     /* the space could not read it just now */
	uint64_t not_before; /* ns */
	uint32_t victim, walks;
	struct store_walk walk;
	struct map_wait wait;
	uint64_t share_at;
	uint32_t n_shares, pages;
	struct gc_share *shares;
};

int
store_gc_init(struct store *st)
{
	struct store_gc *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return -ENOMEM;
	g->st = st;
	g->shares = calloc(SHARES_MAX, sizeof(*g->shares));
	if (g->shares == NULL) {
		free(g);
		return -ENOMEM;
	}
	st->gc = g;
	return 0;
}

void
store_gc_fini(struct store *st)
{
	if (st->gc == NULL)
		return;
	store_walk_fini(&st->gc->walk);
	free(st->gc->shares);
	free(st->gc);
	st->gc = NULL;
}

bool
store_gc_idle(const struct store *st)
{
	return st->gc->state == GC_IDLE;
}

static void
wake(struct map_wait *w, int status)
{
	struct store_gc *g = RTE_PTR_SUB(w, offsetof(struct store_gc, wait));

	g->waiting = false;
	if (status < 0)
		g->bad = true;
}

static struct map_wait *
waiter(struct store_gc *g)
{
	g->wait.fn = wake;
	g->wait.urgent = true;
	return &g->wait;
}

/* --- choosing ---------------------------------------------------------------------------------------------------- */

static uint32_t
target(const struct store *st)
{
	return RTE_MAX(3u, st->n_seg / 64);
}

static void
choose(struct store_gc *g)
{
	struct store *st = g->st;
	uint32_t v = store_seg_victim(st);

	if (v == STORE_NONE)
		return;
	if (store_seg_spare(st) + st->n_drained >= (int64_t)target(st) && st->seg[v].d.state != STORE_SEG_SUSPECT)
		return;
	g->victim = v;
	g->walks = 0;
	g->state = GC_SHARES;
	g->share_at = 2 * ((uint64_t)v << LOG_SHARE_SHIFT);
	g->n_shares = 0;
	st->seg[v].readers++;
}

static int
by_place(const void *a, const void *b)
{
	const struct gc_share *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

/* Ids of blocks that lie in the victim: those whose first owner went away are known by nothing else. */
static uint32_t
shares_step(struct store_gc *g)
{
	struct store *st = g->st;
	/* A block that recovery took out of an intent may have an id of the segment it was meant for: if the first walk
	 * left something, all ids are looked at. */
	uint64_t end = g->walks == 0 ? 2 * (((uint64_t)g->victim + 1) << LOG_SHARE_SHIFT) : map_tree_size(st->shares);
	struct map_entry e[64];
	int n = map_iterate(st->map, st->shares, &g->share_at, end, e, RTE_DIM(e), 4, waiter(g));

	if (n == -EAGAIN) {
		g->waiting = true;
		return 0;
	}
	for (int i = 0; i < n; i++) {
		if (e[i].idx % 2 == 0 && log_entry_seg(e[i].value) == g->victim && g->n_shares < SHARES_MAX)
			g->shares[g->n_shares++] = (struct gc_share){e[i].value, e[i].idx / 2};
	}
	if (n < 0)
		g->bad = true;
	if (n < 0 || g->share_at >= end) {
		qsort(g->shares, g->n_shares, sizeof(*g->shares), by_place);
		g->pages = 0;
		store_walk_begin(&g->walk, st, g->victim, st->seg[g->victim].d.gen, 0,
				 st->seg[g->victim].rows * store_row_bytes(st));
		g->state = GC_WALK;
	}
	return 1;
}

static uint64_t
share_of(const struct store_gc *g, uint64_t place)
{
	struct gc_share key = {place, 0};
	const struct gc_share *s = bsearch(&key, g->shares, g->n_shares, sizeof(key), by_place);

	return s != NULL ? s->id : UINT64_MAX;
}

/* --- one chunk --------------------------------------------------------------------------------------------------- */

/* Append what says that blocks [first, first + n) of the chunk lie elsewhere now. Plain blocks can be cut out of their
 * chunk; sealed or compressed ones go as a whole. @return 0, -EAGAIN. */
static int
move(struct store_gc *g, const struct log_head *was, const struct log_owner *owner, unsigned int first, unsigned int n,
     const uint8_t *payload)
{
	struct store *st = g->st;
	struct log_head h = {.kind = LOG_MOVE, .has_fp = was->has_fp, .seal = was->seal};
	uint64_t to;
	int ret;

	h.from = log_direct(was->seg, was->off, was->bytes, first);
	for (unsigned int i = 0; i < n; i++) {
		h.owner[i] = owner[first + i];
		memcpy(h.fp[i], was->fp[first + i], STRAKE_ADVICE_FP);
	}
	if (n < was->seal.blocks) {
		h.seal.blocks = (uint8_t)n;
		h.seal.plain = h.seal.stored = n * LOG_BLOCK;
		h.seal.serial = st->serial++;
		payload += (size_t)first * LOG_BLOCK;
	}
	log_head_measure(&h);
	ret = store_room(st, STORE_GC, h.bytes);
	if (ret == 0)
		ret = store_move_prepare(st, &h, waiter(g));
	if (ret < 0)
		return ret;
	to = store_append(st, STORE_GC, &h, NULL, payload);
	store_move(st, &h, to);
	st->stats.moved_chunks++;
	return 0;
}

/* @return 0: nothing of it is needed here any more; -EAGAIN, -errno. */
static int
data_step(struct store_gc *g, const struct log_head *h, const uint8_t *chunk)
{
	struct log_owner owner[LOG_RUN];
	bool live[LOG_RUN], cut = h->seal.codec == STRAKE_CODEC_NONE && h->seal.epoch == 0;
	unsigned int n = 0, run;
	int ret;

	for (unsigned int i = 0; i < h->seal.blocks; i++) {
		uint64_t at = log_direct(h->seg, h->off, h->bytes, i);

		ret = store_block_live(g->st, at, &h->owner[i], share_of(g, at), &owner[i], waiter(g));
		if (ret < 0)
			return ret;
		live[i] = ret == 1;
		n += live[i];
	}
	if (n == 0)
		return 0;
	if (!cut || n == h->seal.blocks)
		return move(g, h, owner, 0, h->seal.blocks, chunk + h->head_bytes);
	for (unsigned int i = 0; i < h->seal.blocks; i += run) {
		for (run = 0; i + run < h->seal.blocks && live[i + run]; run++)
			;
		if (run == 0) {
			run = 1;
			continue;
		}
		ret = move(g, h, owner, i, run, chunk + h->head_bytes);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int
page_step(struct store_gc *g, const struct log_head *h, const uint8_t *chunk)
{
	struct map_owner owner;
	int ret;

	if (map_image_owner(chunk + h->head_bytes, &owner) < 0)
		return 0;
	ret = map_page_dirty(g->st->map, &owner, log_direct(h->seg, h->off, h->bytes, 0), waiter(g));
	if (ret == 1)
		g->pages++;
	return ret < 0 ? ret : 0;
}

static uint32_t
walk_step(struct store_gc *g)
{
	struct store *st = g->st;
	const uint8_t *at;
	struct log_head h;
	int ret = store_walk_chunk(&g->walk, &h, &at);

	if (ret == -EAGAIN)
		return 0;
	if (ret <= 0) {
		g->unread = ret < 0;
		g->state = GC_END;
		return 1;
	}
	ret = 0;
	if (h.kind == LOG_DATA || h.kind == LOG_MOVE)
		ret = data_step(g, &h, at);
	else if (h.kind == LOG_PAGES)
		ret = page_step(g, &h, at);
	if (ret == -EAGAIN)
		g->waiting = true;
	if (ret == -EBUSY && store_seg_victim(st) != STORE_NONE) {
		/* No segment to move to: another victim may need none. */
		st->seg[g->victim].readers--;
		g->state = GC_IDLE;
		return 1;
	}
	if (ret == -EAGAIN || ret == -EBUSY)
		return 0;
	g->bad = g->bad || ret < 0;
	store_walk_next(&g->walk, &h);
	return 1;
}

static void
end_step(struct store_gc *g)
{
	struct store *st = g->st;
	struct store_seg *s = &st->seg[g->victim];

	g->walks++;
	if (g->unread) {
		s->readers--;
		g->state = GC_IDLE;
		g->unread = g->bad = false;
		g->not_before = strake_now() + STRAKE_NS_PER_SEC;
		return;
	}
	if (s->d.stream != STORE_META && s->d.live > 0 && g->walks < WALKS_MAX) {
		g->state = GC_SHARES;
		g->share_at = 0;
		g->n_shares = 0;
		return;
	}
	s->readers--;
	g->state = GC_IDLE;
	if (s->d.stream == STORE_META && g->pages > 0 && !g->bad)
		store_ckpt_want(st);
	else if (g->bad || (s->d.stream != STORE_META && s->d.live > 0))
		s->d.state = STORE_SEG_BAD;
	else
		store_seg_drained(st, g->victim);
	g->bad = false;
}

uint32_t
store_gc_poll(struct store *st, uint64_t now)
{
	struct store_gc *g = st->gc;
	uint32_t work = 0, n = 0;

	if (st->failed != 0 || st->replay != NULL || g->waiting)
		return 0;
	if (g->state == GC_IDLE && !st->closing && now >= g->not_before)
		choose(g);
	switch (g->state) {
	case GC_SHARES:
		return shares_step(g);
	case GC_WALK:
		do {
			n = walk_step(g);
			work += n;
		} while (n > 0 && g->state == GC_WALK && work < CHUNKS_A_TURN && !g->waiting);
		return work;
	case GC_END:
		end_step(g);
		return 1;
	default:
		return 0;
	}
}
