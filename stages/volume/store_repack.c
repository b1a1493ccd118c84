/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Repacking: of a compressed or sealed chunk that collection met only a part lives. The chunk chain of a volume opens
 * and expands it as for a read, and what lives of it goes down the chain again as for a write, which ends as a move.
 * What cannot be repacked is moved whole, dead blocks and all, as nobody's.
 */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "store_job.h"

#define SLOTS 8

enum repack_state { REPACK_FREE, REPACK_CHAIN, REPACK_WHOLE };

struct store_repack {
	struct store *st;
	uint8_t state;
	uint8_t era;
	bool reseal;	     /* what cannot be done is left */
	struct store_vol *v; /* by whose chain */
	uint32_t live;	     /* blocks, a bitmap */
	struct log_head was;
	struct log_owner owner[LOG_RUN];
	struct strake_buf *chunk; /* as it lies */
	struct store_run run;
	struct map_wait wait;
	bool waiting;
};

int
store_repacks_init(struct store *st)
{
	st->repacks = calloc(SLOTS, sizeof(*st->repacks));
	for (unsigned int i = 0; st->repacks != NULL && i < SLOTS; i++)
		st->repacks[i].st = st;
	return st->repacks != NULL ? 0 : -ENOMEM;
}

void
store_repacks_fini(struct store *st)
{
	for (unsigned int i = 0; st->repacks != NULL && i < SLOTS; i++)
		strake_buf_put_list(st->repacks[i].chunk);
	free(st->repacks);
	st->repacks = NULL;
}

static void
end(struct store_repack *rp)
{
	rp->st->era_busy[rp->era]--;
	strake_buf_put(rp->chunk);
	rp->chunk = NULL;
	rp->v = NULL;
	rp->state = REPACK_FREE;
}

void
store_repack_head(const struct store_repack *rp, struct log_head *h)
{
	store_move_head(h, &rp->was, rp->owner, rp->live);
}

struct strake_buf *
store_repack_bytes(struct store_repack *rp)
{
	return strake_buf_get(rp->chunk);
}

/* --- through the chain ------------------------------------------------------------------------------------------- */

static int
chain_begin(struct store_repack *rp, uint8_t op, uint32_t n, struct strake_buf *bufs,
	    void (*done)(struct strake_unit *u))
{
	struct store *st = rp->st;
	struct lvol *lv = rp->v->lv;
	struct strake_chunk *c = lv != NULL ? strake_chunk_alloc(true) : NULL;
	struct strake_unit *u;
	struct pack_ctx *ctx;

	if (c == NULL) {
		strake_buf_put_list(bufs);
		return -EBUSY;
	}
	rp->run.chunk = c;
	c->vol = &lv->vol;
	c->lba_shift = lv->vol.lba_shift;
	c->place = rp->run.place;
	c->place_len = n * LOG_BLOCK;
	c->seal = (struct strake_seal){
		.serial = rp->was.seal.serial,
		.domain = rp->was.seal.domain,
		.plain = n * LOG_BLOCK,
		.stored = n * LOG_BLOCK,
		.blocks = (uint8_t)n,
	};
	c->u.op = op;
	c->u.lba = rp->run.lba << (12 - lv->vol.lba_shift);
	c->u.nlb = n << (12 - lv->vol.lba_shift);
	c->u.nbytes = n * LOG_BLOCK;
	c->u.t_start = strake_now();
	c->u.done = done;
	c->u.arg = rp;
	for (; bufs != NULL; bufs = bufs->next) {
		if (c->u.bufs == NULL)
			c->u.bufs = bufs;
		c->u.last = bufs;
	}
	ctx = strake_stage_ctx(st->stage, &c->u);
	ctx->run = &rp->run;
	u = &c->u;
	strake_chain_begin(lv->vol.chunks, &u, 1);
	return 0;
}

/* It cannot be repacked. */
static void
give_up(struct store_repack *rp, int status)
{
	struct store *st = rp->st;

	if (!rp->reseal) {
		rp->state = REPACK_WHOLE;
		return;
	}
	st->repack_damaged += status == -EBADMSG;
	st->repack_later |= status != -EBADMSG;
	end(rp);
}

static void
written(struct strake_unit *u)
{
	struct store_repack *rp = u->arg;
	struct store *st = rp->st;
	int status = u->status;

	strake_chunk_free(strake_chunk_of(u));
	if (status == 0)
		st->stats.repacked++;
	if (status == 0 && store_reseal_old(st, &rp->was.seal))
		store_reseal_done(st, rp->was.bytes);
	st->repack_starved |= status == -ENOSPC;
	if (status == 0 || status == -ENOSPC)
		end(rp);
	else
		give_up(rp, status == -EBADMSG ? -EIO : status); /* it was opened */
}

/* The living blocks of a list. @return NULL: descriptors ran out. */
static struct strake_buf *
living(const struct store_repack *rp, struct strake_buf *list)
{
	struct strake_buf *out = NULL, **at = &out;
	uint32_t n;

	for (uint32_t i = 0; i < rp->was.seal.blocks; i += n) {
		for (n = 0; i + n < rp->was.seal.blocks && rp->live & 1u << (i + n); n++)
			;
		if (n == 0) {
			n = 1;
			continue;
		}
		*at = strake_buf_window(list, i * LOG_BLOCK, n * LOG_BLOCK);
		if (*at == NULL) {
			strake_buf_put_list(out);
			return NULL;
		}
		while (*at != NULL)
			at = &(*at)->next;
	}
	return out;
}

static void
opened(struct strake_unit *u)
{
	struct store_repack *rp = u->arg;
	struct strake_chunk *c = strake_chunk_of(u);
	struct strake_buf *bufs = NULL;
	int ret = u->status == 0 && u->nbytes != rp->was.seal.plain ? -EBADMSG : u->status;

	if (ret == 0) {
		bufs = living(rp, u->bufs);
		ret = bufs != NULL ? 0 : -ENOMEM;
	}
	strake_chunk_free(c);
	if (ret == 0)
		ret = chain_begin(rp, STRAKE_OP_WRITE, (uint32_t)__builtin_popcount(rp->live), bufs, written);
	if (ret < 0)
		give_up(rp, ret);
}

/* --- begin and end ----------------------------------------------------------------------------------------------- */

static bool
can_open(const struct store_vol *v, const struct log_head *h)
{
	return v != NULL && v->lv != NULL && v->d.domain == h->seal.domain && (h->seal.epoch == 0 || v->lv->opens) &&
	       (h->seal.codec == STRAKE_CODEC_NONE || v->lv->expands);
}

/* The owner's chain, or that of any volume with which it may share: all volumes of a domain read each other's chunks.
 */
static struct store_vol *
opener(struct store *st, const struct log_head *h, const struct log_owner *owner)
{
	for (uint32_t i = 0; i < h->seal.blocks; i++) {
		struct store_vol *v = owner[i].vol < LOG_OWNER_NONE ? store_vol_find(st, owner[i].vol) : NULL;

		if (v != NULL && can_open(v, h))
			return v;
	}
	for (uint32_t i = 0; h->seal.domain != 0 && i < st->n_vol; i++) {
		if (can_open(st->vol[i], h))
			return st->vol[i];
	}
	return NULL;
}

int
store_repack(struct store *st, const struct log_head *h, const struct log_owner *owner, uint32_t live, bool reseal,
	     const uint8_t *chunk)
{
	struct store_vol *v = opener(st, h, owner);
	struct store_repack *rp = NULL;

	if (v == NULL)
		return -ENOTSUP;
	for (unsigned int i = 0; i < SLOTS && rp == NULL; i++) {
		if (st->repacks[i].state == REPACK_FREE)
			rp = &st->repacks[i];
	}
	if (rp == NULL)
		return -EINPROGRESS;
	rp->chunk = strake_buf_page(h->bytes);
	if (rp->chunk == NULL)
		return -ENOMEM;
	memcpy(rp->chunk->addr, chunk, h->bytes);
	rp->state = REPACK_CHAIN;
	rp->reseal = reseal;
	rp->era = st->era;
	st->era_busy[rp->era]++;
	rp->v = v;
	rp->live = live;
	rp->was = *h;
	memcpy(rp->owner, owner, h->seal.blocks * sizeof(*owner));
	memset(&rp->run, 0, sizeof(rp->run));
	rp->run.st = st;
	rp->run.repack = rp;
	rp->run.n = h->seal.blocks;
	rp->run.place = log_direct(h->seg, h->off, h->bytes, 0);
	rp->run.lba = h->owner[0].vol == v->d.id ? h->owner[0].lba : 0;
	if (chain_begin(rp, STRAKE_OP_READ, h->seal.blocks, NULL, opened) < 0)
		give_up(rp, -EBUSY);
	return 0;
}

static void
woken(struct map_wait *w, int status)
{
	struct store_repack *rp = RTE_PTR_SUB(w, offsetof(struct store_repack, wait));

	(void)status; /* asked again, it says so again */
	rp->waiting = false;
}

static uint32_t
move_whole(struct store_repack *rp)
{
	struct store *st = rp->st;
	struct log_head h;
	int ret;

	rp->wait.fn = woken;
	rp->wait.urgent = true;
	store_move_head(&h, &rp->was, rp->owner, (1u << rp->was.seal.blocks) - 1);
	ret = store_move_append(st, &h, NULL, rp->chunk->addr + rp->was.head_bytes, &rp->wait);
	rp->waiting = ret == -EAGAIN;
	if (ret == -EAGAIN || (ret == -EBUSY && store_seg_may_open(st, STORE_GC) == 0))
		return 0;
	st->repack_starved |= ret < 0;
	end(rp);
	return 1;
}

uint32_t
store_repack_poll(struct store *st)
{
	uint32_t work = 0;

	for (unsigned int i = 0; st->failed == 0 && i < SLOTS; i++) {
		struct store_repack *rp = &st->repacks[i];

		if (rp->state == REPACK_WHOLE && !rp->waiting)
			work += move_whole(rp);
	}
	return work;
}

bool
store_repack_busy(const struct store *st)
{
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (st->repacks[i].state != REPACK_FREE)
			return true;
	}
	return false;
}

uint32_t
store_repack_count(const struct store *st)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < SLOTS; i++)
		n += st->repacks[i].state != REPACK_FREE;
	return n;
}

uint32_t
store_repack_left(struct store *st, bool *later)
{
	uint32_t n = st->repack_damaged;

	*later = st->repack_later;
	st->repack_damaged = 0;
	st->repack_later = false;
	return n;
}

bool
store_repack_end(struct store *st)
{
	bool room = !st->repack_starved;

	st->repack_starved = false;
	return room;
}

bool
store_repack_leave(struct store *st, struct store_vol *v)
{
	v->lv = NULL;
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (st->repacks[i].state == REPACK_CHAIN && st->repacks[i].v == v)
			return false;
	}
	return true;
}
