/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "known.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "dedup.h"
#include "store_log.h"
#include "strake_volume.h"

#define PIECE_BLOCKS (DEDUP_PIECE_MAX / 4096u)
#define PIECE_LEAST  1024u /* entries of a piece that is full, at least */
#define SLAB_SHIFT   47

enum state { IDLE, LOADING, SAVING, LAST, CLEARING, FLUSHING };

/* Main sends it to the index's lcore to begin, and looks at `over`; all else is that lcore's meanwhile. */
struct known {
	struct strake_msg msg;
	struct strake_volume *vol;
	struct strake_stage *dedup;
	struct dedup_index *ix;
	uint16_t lcore;
	uint8_t state;
	bool begun;
	bool asked; /* the step has begun a request */
	uint64_t slot, slots, cursor, entries;
	int status;
	bool over;
	uint8_t piece[DEDUP_PIECE_MAX];
};

static void step(struct known *k);

static void
end(struct known *k, int status)
{
	k->status = status;
	k->state = IDLE;
	__atomic_store_n(&k->over, true, __ATOMIC_RELEASE); /* pairs with the acquire in known_over() */
}

/* --- one request after the other ---------------------------------------------------------------------------------- */

/* A piece that is there. @return 1: go on; 0: that was all. */
static int
take(struct known *k, struct strake_unit *u)
{
	uint64_t first;
	int ret;

	if (strake_buf_copy_out(u->bufs, 0, k->piece, DEDUP_PIECE_MAX) < 0)
		return 0;
	memcpy(&first, k->piece, sizeof(first));
	if (first == 0)
		return 0;
	ret = dedup_index_load(k->ix, k->piece, DEDUP_PIECE_MAX);
	k->entries += ret > 0 ? (uint64_t)ret : 0;
	return 1;
}

static void
done(struct strake_unit *u)
{
	struct known *k = u->arg;
	int status = u->status, more = 1;

	if (status == 0 && u->op == STRAKE_OP_READ)
		more = take(k, u);
	strake_req_free(strake_req_of(u));
	k->slot++;
	if (status < 0 || more == 0)
		end(k, status);
	else
		step(k);
}

/* Takes the payload. @return 0, -ENOMEM. */
static int
ask(struct known *k, uint8_t op, uint64_t lba, uint64_t n, struct strake_buf *bufs)
{
	struct strake_req *req = strake_req_alloc(true);

	if (req == NULL) {
		strake_buf_put_list(bufs);
		return -ENOMEM;
	}
	req->vol = k->vol;
	req->u.op = op;
	req->u.lba = lba;
	req->u.nlb = (uint32_t)n;
	req->u.nbytes = op == STRAKE_OP_READ || op == STRAKE_OP_WRITE ? (uint32_t)n * 4096 : 0;
	strake_unit_append(&req->u, bufs);
	req->u.done = done;
	req->u.arg = k;
	k->asked = true;
	strake_req_submit(&req, 1);
	return 0;
}

static int
put(void *arg, const void *piece, uint32_t len)
{
	struct known *k = arg;
	struct strake_buf *page = strake_buf_page(DEDUP_PIECE_MAX);

	if (page == NULL)
		return -ENOMEM;
	memcpy(page->addr, piece, len);
	memset(page->addr + len, 0, DEDUP_PIECE_MAX - len);
	return ask(k, STRAKE_OP_WRITE, k->slot * PIECE_BLOCKS, PIECE_BLOCKS, page);
}

/* Up to the next piece that has entries. */
static int
save(struct known *k)
{
	int ret = 0;

	while (!k->asked && ret == 0) {
		if (k->slot == k->slots)
			return -ENOSPC;
		ret = dedup_index_save(k->ix, &k->cursor, 1, put, k);
	}
	if (ret == 1)
		k->state = LAST;
	return ret < 0 ? ret : 0;
}

static void
step(struct known *k)
{
	uint64_t left = (k->slots - k->slot) * PIECE_BLOCKS;
	int ret = 0;

	k->asked = false;
	if (k->state == LOADING && left > 0)
		ret = ask(k, STRAKE_OP_READ, k->slot * PIECE_BLOCKS, PIECE_BLOCKS, NULL);
	if (k->state == SAVING)
		ret = save(k);
	/* What an earlier, longer one left. */
	if (k->state == LAST && !k->asked && ret == 0) {
		k->state = CLEARING;
		left = (k->slots - k->slot) * PIECE_BLOCKS;
		if (left > 0)
			ret = ask(k, STRAKE_OP_DEALLOCATE, k->slot * PIECE_BLOCKS, left, NULL);
	}
	if (k->state == CLEARING && !k->asked && ret == 0) {
		k->state = FLUSHING;
		ret = ask(k, STRAKE_OP_FLUSH, 0, 0, NULL);
	}
	if (!k->asked)
		end(k, ret);
}

/* On the index's lcore. */
static void
begin(struct strake_msg *msg)
{
	struct known *k = RTE_PTR_SUB(msg, offsetof(struct known, msg));

	k->ix = dedup_index_of(k->dedup);
	k->slot = k->cursor = k->entries = 0;
	if (k->ix == NULL)
		end(k, -ENODEV);
	else
		step(k);
}

/* --- main --------------------------------------------------------------------------------------------------------- */

static int
send(struct known *k, enum state state)
{
	if (k->begun && !__atomic_load_n(&k->over, __ATOMIC_ACQUIRE))
		return -EBUSY;
	k->state = (uint8_t)state;
	k->over = false;
	k->begun = true;
	k->msg.fn = begin;
	strake_msg_send(k->lcore, &k->msg);
	return 0;
}

int
known_load(struct known *k)
{
	return send(k, LOADING);
}

int
known_save(struct known *k)
{
	return send(k, SAVING);
}

bool
known_over(const struct known *k, int *status, uint64_t *entries)
{
	if (k->begun && !__atomic_load_n(&k->over, __ATOMIC_ACQUIRE))
		return false;
	*status = k->status;
	*entries = k->entries;
	return true;
}

struct strake_volume *
known_volume(const struct known *k)
{
	return k->vol;
}

void
known_rehome(struct known *k, struct strake_stage *dedup)
{
	k->dedup = dedup;
}

int
known_open(struct known **out, const struct known_conf *conf, char *err, size_t errlen)
{
	struct strake_stage *chunk = conf->seal;
	struct known *k = calloc(1, sizeof(*k));
	struct dedup_stats stats;
	int ret;

	if (k == NULL) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	dedup_stats_get(conf->dedup, &stats);
	/* Pieces that are not full end at whole buckets, and a nearly empty index has one for some thousand of those.
	 */
	k->slots = 2 * (stats.capacity / PIECE_LEAST + 1);
	k->dedup = conf->dedup;
	k->lcore = conf->lcore;
	struct log_conf lv = {
		.name = conf->name,
		.store = conf->store,
		.bytes = k->slots * DEDUP_PIECE_MAX,
		.lba_shift = 12,
		.slab_shift = SLAB_SHIFT,
		.domain = conf->domain,
		.chunk_stages = &chunk,
		.n_chunk_stages = chunk != NULL ? 1 : 0,
	};
	ret = log_create(&k->vol, &lv, err, errlen);
	if (ret < 0) {
		free(k);
		return ret;
	}
	*out = k;
	return 0;
}

void
known_close(struct known *k)
{
	log_destroy(k->vol);
	free(k);
}
