/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Garbage collection: one segment at a time is walked from its first chunk to its last. What the map still needs is
 * moved, sealed as it is, into the collector's own stream; of a chunk of which a part is dead only the living blocks
 * go: cut out of it, or repacked (store_repack.c) if it is compressed or sealed. Pages of the map are made dirty, and
 * the next checkpoint writes them elsewhere.
 *
 * The count of live blocks chooses the victim, the walk proves that it is empty, and both must agree before the segment
 * is given up. What cannot be read the walk goes round: it keeps its segment if the count says that it lives.
 *
 * While chunks of older keys are sealed anew (store_reseal.c), victims come from there, too, when there is room enough.
 * Of these what cannot be sealed anew stays where it is.
 */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "store_walk.h"

#define CHUNKS_A_TURN 4
#define WALKS_MAX     3
#define SHARES_MAX    (1u << LOG_SHARE_SHIFT)
#define LOOK_EVERY    (10 * STRAKE_NS_PER_MS)
#define UNREAD_S      60 /* seconds */

enum gc_state { GC_IDLE, GC_SHARES, GC_WALK, GC_END };

struct gc_share {
	uint64_t place, id;
};

struct store_gc {
	struct store *st;
	uint8_t state;
	bool waiting;	     /* for a page of the map */
	bool bad;	     /* something of the victim cannot be moved */
	int error;	     /* of a page of the map that was waited for */
	bool unread;	     /* the space could not read it just now */
	bool room;	     /* there was some for all that had to move */
	bool rests;	     /* nothing to do, or nothing that could be done */
	bool reseal;	     /* the victim is not collected for its room */
	uint64_t not_before; /* ns */
	uint64_t suspect_at; /* ns: when one that could not be had may be */
	uint64_t look_again; /* ns: whether another one should be */
	uint64_t pass_again; /* ns: until then nothing is gone round: it was too much */
	uint64_t moved;	     /* blocks, when it was chosen */
	struct store_reseal_left left;
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
	g->rests = true;
	g->shares = calloc(SHARES_MAX, sizeof(*g->shares));
	st->gc = g;
	return g->shares != NULL ? store_repacks_init(st) : -ENOMEM;
}

void
store_gc_fini(struct store *st)
{
	if (st->gc == NULL)
		return;
	store_walk_fini(&st->gc->walk);
	store_repacks_fini(st);
	free(st->gc->shares);
	free(st->gc);
	st->gc = NULL;
}

bool
store_gc_idle(const struct store *st)
{
	return st->gc->state == GC_IDLE;
}

bool
store_gc_rests(const struct store *st)
{
	return st->gc->rests;
}

static void
wake(struct map_wait *w, int status)
{
	struct store_gc *g = RTE_PTR_SUB(w, offsetof(struct store_gc, wait));

	g->waiting = false;
	g->error = status;
}

static struct map_wait *
waiter(struct store_gc *g)
{
	g->wait.fn = wake;
	g->wait.urgent = true;
	return &g->wait;
}

/* --- choosing ---------------------------------------------------------------------------------------------------- */

static bool
enough(const struct store *st)
{
	return store_seg_level(st) >= (int64_t)store_seg_target(st);
}

/* One that comes first always is, as soon as it can be had.
 * @return STORE_NONE: there is no need, or it would not help. */
static uint32_t
worth_it(struct store_gc *g, uint64_t now)
{
	struct store *st = g->st;
	/* Everything was moved, twice, and it won nothing. */
	bool idle = enough(st) || st->fruitless > 2 * st->n_seg;
	uint32_t v;

	if (idle && (!st->suspects || now < g->suspect_at))
		return STORE_NONE;
	v = store_seg_victim(st);
	if (v != STORE_NONE && store_seg_first(&st->seg[v]))
		return v;
	g->suspect_at = now + STRAKE_NS_PER_SEC;
	if (idle)
		return STORE_NONE;
	/* What is dirty may be all that lives in segments of the map. */
	if (v == STORE_NONE && map_stats(st->map)->dirty > 0 && store_room(st, STORE_GC, LOG_CHUNK_MAX) == 0)
		store_ckpt_want_starved(st);
	return v;
}

static void
choose(struct store_gc *g, uint64_t now)
{
	struct store *st = g->st;
	uint32_t v = worth_it(g, now);

	g->rests = true;
	g->reseal = v == STORE_NONE;
	if (g->reseal)
		v = store_reseal_victim(st);
	if (v == STORE_NONE)
		return;
	/* Hosts do not wait for what gives them nothing. */
	if (!g->reseal)
		g->rests = st->ckpt.futile = false;
	g->left = (struct store_reseal_left){.damaged = 0};
	g->moved = st->stats.moved_blocks;
	g->victim = v;
	g->walks = 0;
	g->walk.passed = 0;
	g->room = true;
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
	if (n < 0) {
		g->error = n;
		return 1;
	}
	if (g->share_at >= end) {
		qsort(g->shares, g->n_shares, sizeof(*g->shares), by_place);
		g->pages = 0;
		store_walk_begin(&g->walk, st, g->victim, st->seg[g->victim].d.gen, 0,
				 st->seg[g->victim].rows * store_row_bytes(st));
		g->walk.pass = strake_now() < g->pass_again ? 0 : STORE_WALK_PASS;
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

/* Plain blocks can be cut out of their chunk as they are. @return 0, -EAGAIN, -EBUSY. */
static int
cut(struct store_gc *g, const struct log_head *was, const struct log_owner *owner, uint32_t live,
    const uint8_t *payload)
{
	struct store *st = g->st;
	struct log_head h;
	uint32_t n = 0;

	store_move_head(&h, was, owner, live);
	for (uint32_t i = 0; i < was->seal.blocks; i++) {
		if (live & 1u << i)
			memcpy(st->scratch + (size_t)n++ * LOG_BLOCK, payload + (size_t)i * LOG_BLOCK, LOG_BLOCK);
	}
	h.seal.plain = h.seal.stored = n * LOG_BLOCK;
	return store_move_append(st, &h, NULL, st->scratch, waiter(g));
}

/* It shall be sealed anew. @return 0: taken, or left where it is; -ENOTSUP: to be moved as it is; -EINPROGRESS. */
static int
seal_anew(struct store_gc *g, const struct log_head *h, const struct log_owner *owner, uint32_t live,
	  const uint8_t *chunk)
{
	int ret = store_repack(g->st, h, owner, live, g->reseal, chunk);

	if (ret == 0 || ret == -EINPROGRESS)
		return ret;
	if (!g->reseal)
		return -ENOTSUP;
	g->left.unopened += ret == -ENOTSUP;
	g->left.later |= ret != -ENOTSUP;
	return 0;
}

/* @return 0: nothing of it is needed here any more, or it is being repacked; -EAGAIN, -EBUSY, -errno. */
static int
data_step(struct store_gc *g, const struct log_head *h, const uint8_t *chunk)
{
	struct log_owner owner[LOG_RUN];
	uint32_t live = 0, all = (1u << h->seal.blocks) - 1;
	struct log_head whole;
	int ret;

	for (uint32_t i = 0; i < h->seal.blocks; i++) {
		uint64_t at = log_direct(h->seg, h->off, h->bytes, i);

		ret = store_block_live(g->st, at, &h->owner[i], share_of(g, at), &owner[i], waiter(g));
		if (ret < 0)
			return ret;
		live |= (uint32_t)ret << i;
	}
	if (live == 0)
		return 0;
	if (live != all && h->seal.codec == STRAKE_CODEC_NONE && h->seal.epoch == 0)
		return cut(g, h, owner, live, chunk + h->head_bytes);
	if (store_reseal_old(g->st, &h->seal)) {
		ret = seal_anew(g, h, owner, live, chunk);
		if (ret != -ENOTSUP)
			return ret;
	} else if (live != all) {
		ret = store_repack(g->st, h, owner, live, false, chunk);
		if (ret != -ENOTSUP && ret != -ENOMEM)
			return ret;
	}
	store_move_head(&whole, h, owner, all);
	return store_move_append(g->st, &whole, NULL, chunk + h->head_bytes, waiter(g));
}

static int
page_step(struct store_gc *g, const struct log_head *h, const uint8_t *chunk)
{
	struct map_owner owner;
	int ret;

	/* Pages that nobody needs make none dirty: what is full of them is the very room that is short. */
	if (g->st->seg[g->victim].d.live > 0 && store_seg_meta_short(g->st, STORE_GC))
		return -EBUSY;
	if (map_image_owner(chunk + h->head_bytes, &owner) < 0)
		return 0;
	ret = map_page_dirty(g->st->map, &owner, log_direct(h->seg, h->off, h->bytes, 0), waiter(g));
	if (ret == 1)
		g->pages++;
	return ret < 0 ? ret : 0;
}

/* A page that cannot be read: the victim is left alone for now. Sealing anew is to end, though, and tells of it. */
static uint32_t
page_lost(struct store_gc *g)
{
	g->bad = g->bad || (g->reseal && g->error == -EBADMSG);
	g->unread = !g->bad;
	g->error = 0;
	g->state = GC_END;
	return 1;
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
		if (g->walk.passed == STORE_WALK_PASS)
			g->pass_again = strake_now() + STRAKE_NS_PER_SEC;
		g->unread = ret < 0 && (ret != -EIO || st->seg[g->victim].d.live > 0);
		g->state = GC_END;
		return 1;
	}
	ret = 0;
	if (h.kind == LOG_DATA || h.kind == LOG_MOVE)
		ret = data_step(g, &h, at);
	else if (h.kind == LOG_PAGES)
		ret = page_step(g, &h, at);
	if (ret == -EINPROGRESS)
		return 0; /* as many are being repacked as can be */
	if (ret == -EAGAIN)
		g->waiting = true;
	if (ret == -EBUSY && (g->reseal ? store_seg_may_open(st, STORE_GC) < 0 : store_seg_victim(st) != STORE_NONE)) {
		/* No segment to move to: another victim may need none. */
		g->room = false;
		g->state = GC_END;
		return 1;
	}
	if (ret == -EAGAIN || ret == -EBUSY)
		return 0;
	g->bad = g->bad || ret < 0;
	store_walk_next(&g->walk, &h);
	if (g->reseal)
		store_reseal_spend(st, h.bytes);
	else
		store_seg_walked(st, h.bytes);
	return 1;
}

/* A victim that is not collected for its room makes way for one that is, and for the store's end. */
static bool
gives_way(struct store_gc *g, uint64_t now)
{
	struct store *st = g->st;

	if (!g->reseal)
		return false;
	if (st->closing || !st->resealing)
		return true;
	/* While somebody waits for room checkpoints come one after the other, if collection rests, as it seems to. */
	if (st->waits == NULL && now < g->look_again)
		return false;
	g->look_again = now + LOOK_EVERY;
	return worth_it(g, now) != STORE_NONE;
}

/* The victim is let go of. */
static void
let_go(struct store_gc *g)
{
	g->st->seg[g->victim].readers--;
	g->state = GC_IDLE;
	g->unread = g->bad = false;
}

/* A victim from store_reseal.c is done, or left. */
static void
reseal_over(struct store_gc *g)
{
	struct store *st = g->st;

	/* The map has changed, and checkpoints leave their segments behind: collecting these is not fruitless. */
	if (st->stats.moved_blocks != g->moved)
		st->fruitless = 0;
	/* Whether there is something to collect is found out anew, before anybody is told that there is not. */
	g->rests = st->ckpt.futile = false;
	store_reseal_over(st, g->victim, &g->left);
}

/* Something of a victim from store_reseal.c was left. @return false: nothing, and it is dealt with as any other. */
static bool
left_some(struct store_gc *g)
{
	struct store *st = g->st;
	bool later = false, missed = g->walk.passed > 0 && st->seg[g->victim].d.live > 0;

	g->left.damaged += store_repack_left(st, &later);
	g->left.later |= later || !g->room || g->unread || missed;
	if (!g->reseal || (!g->left.later && g->left.damaged + g->left.unopened == 0))
		return false;
	let_go(g);
	reseal_over(g);
	return true;
}

/* It could not be read just now: as more drives are away than can be spared, for a moment, or something of it for good.
 * Others come first for a while. If it was chosen all the same there is no other, and if it is suspect nothing is more
 * pressing: then it is tried again soon. */
static void
unread(struct store_gc *g)
{
	struct store_seg *s = &g->st->seg[g->victim];
	uint32_t now = (uint32_t)(strake_now() / STRAKE_NS_PER_SEC);

	if (s->unread > now)
		g->not_before = strake_now() + STRAKE_NS_PER_SEC;
	s->unread = now + (s->d.state == STORE_SEG_SUSPECT ? 1 : UNREAD_S);
	let_go(g);
}

static void
end_step(struct store_gc *g)
{
	struct store *st = g->st;
	struct store_seg *s = &st->seg[g->victim];

	g->room = store_repack_end(st) && g->room;
	g->walks++;
	if (left_some(g))
		return;
	if (!g->room) {
		let_go(g);
		return;
	}
	if (g->unread) {
		unread(g);
		return;
	}
	if (s->d.stream != STORE_META && s->d.live > 0 && g->walks < WALKS_MAX) {
		g->state = GC_SHARES;
		g->share_at = 0;
		g->n_shares = 0;
		return;
	}
	if (s->d.stream == STORE_META && g->pages > 0 && !g->bad) {
		/* The next checkpoint moves them. */
		s->after = st->ckpt.begun + 1;
	} else if (s->d.live > 0 && !g->bad && (s->d.stream == STORE_META || g->walk.passed > 0)) {
		unread(g); /* a page or a block that is needed was not met */
		return;
	} else if (g->bad || s->d.live > 0) {
		s->d.state = STORE_SEG_BAD;
	} else if (g->reseal) {
		store_seg_resealed(st, g->victim);
	} else {
		store_seg_drained(st, g->victim);
	}
	if (s->ails) /* rebuild waits for it to be free */
		store_ckpt_want(st);
	let_go(g);
	if (g->reseal)
		reseal_over(g);
}

uint32_t
store_gc_poll(struct store *st, uint64_t now)
{
	struct store_gc *g = st->gc;
	uint32_t work = store_repack_poll(st), n = 0, chunks = 0, most;

	if (st->failed != 0 || st->replay != NULL || g->waiting)
		return work;
	if (g->state == GC_IDLE && (st->closing || now < g->not_before))
		g->rests = true;
	else if (g->state == GC_IDLE)
		choose(g, now);
	if (g->error < 0)
		return work + page_lost(g);
	switch (g->state) {
	case GC_SHARES:
		return work + shares_step(g);
	case GC_WALK:
		if (unlikely(g->reseal) && gives_way(g, now) && !g->walk.reading) {
			g->room = false;
			g->state = GC_END;
			return work + 1;
		}
		if (unlikely(g->reseal) && !store_reseal_may(st))
			return work;
		most = g->reseal && st->jobs_busy > 0 ? 1 : CHUNKS_A_TURN;
		do {
			n = walk_step(g);
			work += n;
			chunks += n;
		} while (n > 0 && g->state == GC_WALK && chunks < most && !g->waiting);
		return work;
	case GC_END:
		if (store_repack_busy(st))
			return work;
		end_step(g);
		return 1;
	default:
		return work;
	}
}
