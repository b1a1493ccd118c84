/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Opening and closing of a store. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_log.h>
#include <rte_malloc.h>

#include "store_job.h"
#include "store_replay.h"

RTE_LOG_REGISTER(store_log, strake.store, INFO)

#define STORES_MAX 64
#define OPEN_TRIES 8
/* What a restart has to read at most, about twice: the log since a checkpoint began, and pages of the map. More would
 * save next to nothing: with so many pages few are written twice between two checkpoints. */
#define REPLAY_BYTES (1ull << 30)
#define REPLAY_PAGES (1u << 17)

static struct store *stores[STORES_MAX];

/* --- opening ----------------------------------------------------------------------------------------------------- */

static void
page_dead(void *arg, uint64_t addr, uint64_t gen)
{
	struct store *st = arg;
	struct store_seg *s = &st->seg[log_entry_seg(addr)];

	(void)gen; /* the segment is given up by the walk, and used again after the next checkpoint */
	if (s->d.live > 0)
		s->d.live--;
}

static void
checkpoint_wanted(void *arg)
{
	store_ckpt_want(arg);
}

static int
map_up(struct store *st, const struct log_super *super)
{
	static const struct map_ops ops = {store_map_read, page_dead, checkpoint_wanted};
	uint64_t seg_pages = st->seg_bytes / (MAP_IMAGE_BYTES + LOG_GRAIN);
	struct map_conf conf = {
		.bytes = RTE_MAX(st->conf.map_bytes, (uint64_t)MAP_BYTES_MIN),
		.reads = STORE_READS,
		.trees = STORE_VOLUMES + 1,
		.socket = -1,
	};
	struct map_root *roots = calloc(STORE_VOLUMES + 1, sizeof(*roots));
	uint64_t gen = 0, dirty;
	int n = 0, ret;

	if (roots == NULL)
		return -ENOMEM;
	/* A checkpoint must not need more than an eighth of the segments. */
	dirty = RTE_MAX((uint64_t)st->n_seg / 16 * seg_pages, (uint64_t)64);
	dirty = RTE_MIN(dirty, conf.bytes / MAP_PAGE_BYTES / 2);
	dirty = RTE_MIN(dirty, (uint64_t)REPLAY_PAGES);
	conf.dirty_max = (uint32_t)RTE_MIN(dirty, (uint64_t)UINT32_MAX);
	memcpy(conf.uuid, st->sp->uuid, sizeof(conf.uuid));
	if (super->roots_bytes > 0)
		n = map_roots_decode(super->roots, super->roots_bytes, &gen, roots, STORE_VOLUMES + 1);
	ret = n < 0 ? n : map_open(&st->map, &conf, &ops, st, roots, (uint32_t)n, gen);
	free(roots);
	if (ret < 0)
		return ret;
	st->shares = map_tree_find(st->map, STORE_TREE_SHARE);
	if (st->shares == NULL)
		ret = map_tree_create(st->map, STORE_TREE_SHARE, STORE_SHARE_LEVELS, &st->shares);
	return ret;
}

static int
volumes_up(struct store *st, const struct log_super *super)
{
	for (uint32_t i = 0; i < super->n_volumes; i++) {
		struct store_vol *v = calloc(1, sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		st->vol[st->n_vol++] = v;
		v->d = super->volume[i];
		v->doomed = store_vol_is_deleted(&v->d);
		v->tree = map_tree_find(st->map, v->d.id);
		st->n_refs += v->d.shared;
		if (v->tree == NULL)
			return -EINVAL;
	}
	st->next_vol = super->next_volume;
	return 0;
}

static int
geometry_check(struct store *st, char *err, size_t errlen)
{
	const struct strake_space *sp = st->sp;
	uint64_t bytes = strake_space_seg_bytes(sp);

	if (bytes > LOG_SEG_MAX || sp->segments >= LOG_SEGS_MAX)
		snprintf(err, errlen, "store \"%s\": segments of %" PRIu64 " bytes are too long", st->name, bytes);
	else if (sp->row_bytes < LOG_CHUNK_MAX || sp->row_bytes > STORE_PIECES * STRAKE_BUF_PAGE_MAX ||
		 sp->row_bytes % LOG_BLOCK != 0)
		snprintf(err, errlen, "store \"%s\": rows of %u bytes cannot be used", st->name, sp->row_bytes);
	else if (bytes < 4 * LOG_CHUNK_MAX)
		snprintf(err, errlen,
			 "store \"%s\": segments of %" PRIu64 " bytes are too short; larger drives, more of them for "
			 "data, or `segment:` make longer ones",
			 st->name, bytes);
	else if (sp->segments < 16)
		snprintf(err, errlen, "store \"%s\": %u segments are too few", st->name, sp->segments);
	else
		return 0;
	return -EINVAL;
}

/* The superblock of a store in which nothing is yet: it lists what may be opened. */
static int
format(struct store *st, struct log_super *super)
{
	uint32_t n = RTE_MIN(st->n_seg, (uint32_t)LOG_SUPER_NEXT);
	uint8_t *note;
	int ret;

	memset(super, 0, sizeof(*super));
	super->next = calloc(n, sizeof(*super->next));
	note = calloc(1, st->sp->note_bytes);
	if (super->next == NULL || note == NULL) {
		free(note);
		return -ENOMEM;
	}
	memcpy(super->uuid, st->sp->uuid, sizeof(super->uuid));
	super->seq = 1;
	super->serial = 1;
	super->next_volume = 1;
	super->segments = st->n_seg;
	super->n_next = n;
	for (uint32_t i = 0; i < n; i++)
		super->next[i] = i;
	for (unsigned int i = 0; i < LOG_STREAMS; i++)
		super->open[i].seg = STORE_NONE;
	ret = -E2BIG;
	if (log_super_bytes(super) <= st->sp->note_bytes) {
		log_super_encode(super, note);
		ret = st->sp->ops->note_write(st->sp, 0, note, (uint32_t)log_super_bytes(super));
	}
	free(note);
	return ret;
}

static int
super_read(struct store *st, struct log_super *super, char *err, size_t errlen)
{
	uint32_t len = st->sp->note_bytes;
	uint8_t *note = calloc(1, len);
	const char *why = "";
	int ret;

	if (note == NULL)
		return -ENOMEM;
	ret = st->sp->ops->note_read(st->sp, 0, note, &len);
	if (ret < 0) {
		snprintf(err, errlen, "store \"%s\": its superblock cannot be read: %s", st->name, strerror(-ret));
	} else if (len == 0) {
		ret = format(st, super);
		if (ret < 0)
			snprintf(err, errlen, "store \"%s\": cannot be made: %s", st->name, strerror(-ret));
	} else {
		ret = log_super_decode(super, note, len, &why);
		if (ret == 0 && (memcmp(super->uuid, st->sp->uuid, 16) != 0 || super->segments > st->n_seg)) {
			why = "it is of another group, or of a larger one";
			ret = -EINVAL;
			log_super_free(super);
		}
		if (ret < 0)
			snprintf(err, errlen, "store \"%s\": superblock: %s", st->name,
				 ret == -ENOMEM ? "out of memory" : why);
	}
	free(note);
	return ret;
}

static int
owner_up(struct store *st, void *arg)
{
	int ret = store_rows_init(st);

	if (ret < 0)
		return ret;
	ret = store_replay_begin(st, arg);
	if (ret < 0) {
		store_rows_fini(st);
		return ret;
	}
	store_turn_start(st);
	return 0;
}

static int
replay_wait(struct store *st, void *arg)
{
	int status;

	(void)arg;
	if (!store_replay_over(st, &status))
		return st->failed != 0 ? st->failed : -EINPROGRESS;
	if (status == 0) {
		store_replay_fini(st);
		store_ckpt_want(st);
	}
	return status;
}

/* A checkpoint that begins after this was first asked. */
int
store_ckpt_wait(struct store *st, void *arg)
{
	uint64_t *target = arg;

	if (st->failed != 0)
		return st->failed;
	if (*target == 0) {
		*target = st->ckpt.begun + 1;
		store_ckpt_want(st);
	}
	return st->ckpt.ended >= *target ? 0 : -EINPROGRESS;
}

/* Recovery ends with a checkpoint, which needs segments to write to. */
static int
enough_left(struct store *st, void *arg)
{
	(void)arg;
	return st->n_aside == 0 || store_seg_meta_fits(st) ? 0 : -EIO;
}

/* The cache grew for recovery: all of it is on the drives now, so it is opened anew as large as it shall be. If there
 * is no memory for both it stays. */
static int
map_shrink(struct store *st, void *arg)
{
	struct map *large = st->map;
	struct map_tree *shares = st->shares;

	(void)arg;
	if (st->failed != 0 || map_stats(large)->grown == 0)
		return st->failed;
	if (st->ckpt.begun != st->ckpt.ended)
		return -EINPROGRESS;
	if (map_stats(large)->dirty > 0 || map_up(st, &st->ckpt.super) < 0) {
		st->map = large;
		st->shares = shares;
		return 0;
	}
	st->stats.map_grown += map_stats(large)->grown;
	for (uint32_t i = 0; i < st->n_vol; i++)
		st->vol[i]->tree = map_tree_find(st->map, st->vol[i]->d.id);
	return map_close(large);
}

/* What is under way comes back, whatever becomes of it. */
static int
io_over(struct store *st, void *arg)
{
	(void)arg;
	return st->io_under_way == 0 ? 0 : -EINPROGRESS;
}

static int
owner_down(struct store *st, void *arg)
{
	(void)arg;
	st->sp->used = NULL;
	st->sp->check = NULL;
	st->sp->to_rows = NULL;
	store_turn_stop(st);
	store_rows_fini(st);
	store_replay_fini(st);
	store_gc_fini(st);
	store_mend_fini(st);
	store_to_rows_over(st, -ESHUTDOWN);
	store_reseal_fini(st);
	return 0;
}

static void
free_all(struct store *st)
{
	for (uint32_t i = 0; i < st->n_vol; i++)
		free(st->vol[i]);
	store_vol_bury(st->dead);
	store_ckpt_fini(st);
	if (st->map != NULL)
		map_close(st->map);
	if (st->stage != NULL)
		strake_stage_destroy(st->stage);
	store_jobs_fini(st);
	free(st->seg);
	free(st->ready);
	free(st->since);
	rte_free(st);
}

static uint64_t
bytes_between(const struct store *st)
{
	uint64_t share = (uint64_t)st->n_seg * st->seg_bytes / 8;

	share = RTE_MIN(share, REPLAY_BYTES);
	return RTE_MAX(share, (uint64_t)st->seg_bytes);
}

static int
make(struct store **out, const struct store_conf *conf, char *err, size_t errlen)
{
	struct store *st = rte_zmalloc("store", sizeof(*st), RTE_CACHE_LINE_SIZE);
	char name[STRAKE_NAME_MAX + 8];
	int ret;

	if (st == NULL)
		return -ENOMEM;
	st->sp = conf->space;
	st->conf = *conf;
	snprintf(st->name, sizeof(st->name), "%s", conf->name);
	ret = geometry_check(st, err, errlen);
	if (ret < 0)
		goto err;
	st->n_seg = st->n_free = st->sp->segments;
	/* A drive or two more in a group of a few, without tables that move. */
	st->seg_room = 2 * st->n_seg;
	st->seg_bytes = (uint32_t)strake_space_seg_bytes(st->sp);
	memcpy(&st->short_uuid, st->sp->uuid, sizeof(st->short_uuid));
	if (st->conf.map_bytes == 0)
		st->conf.map_bytes = 64u << 20;
	if (st->conf.checkpoint_bytes == 0)
		st->conf.checkpoint_bytes = bytes_between(st);
	if (st->conf.row_age == 0)
		st->conf.row_age = 5 * STRAKE_NS_PER_SEC;
	if (st->conf.clock == NULL)
		st->conf.clock = strake_clock_ns;
	st->barriers_end = &st->barriers;
	st->waits_end = &st->waits;
	st->reads_over_end = &st->reads_over;
	for (unsigned int s = 0; s < LOG_STREAMS; s++)
		st->out[s].given = st->out[s].written = st->out[s].durable = 1ULL << 32;
	ret = -ENOMEM;
	st->seg = calloc(st->seg_room, sizeof(*st->seg));
	st->ready = calloc(2 * LOG_SUPER_NEXT, sizeof(*st->ready));
	st->since = calloc(4 * LOG_SUPER_NEXT, sizeof(*st->since));
	if (st->seg == NULL || st->ready == NULL || st->since == NULL || store_ckpt_init(st) < 0 ||
	    store_gc_init(st) < 0 || store_mend_init(st) < 0 || store_reseal_init(st) < 0 || store_jobs_init(st) < 0)
		goto err;
	snprintf(name, sizeof(name), "%s.pack", st->name);
	ret = strake_stage_create(&st->stage, &store_pack_ops, name, NULL, -1, err, errlen);
	if (ret < 0)
		goto err;
	st->stage->priv = st;
	*out = st;
	return 0;

err:
	store_mend_fini(st);
	store_reseal_fini(st);
	store_gc_fini(st);
	free_all(st);
	return ret;
}

/* What rebuild and scrub ask. Not before replay is over: until then a segment with rows may be called free. */
static bool
seg_used(void *arg, uint32_t seg, uint32_t *rows)
{
	const struct store *st = arg;

	if (seg >= st->n_seg) /* the space grew, and the next checkpoint takes that in, if there is room for it */
		return false;
	*rows = st->seg[seg].rows;
	return st->seg[seg].d.state != STORE_SEG_FREE;
}

static int
owner_open(struct store *st, void *arg)
{
	(void)arg;
	st->sp->store = st;
	st->sp->used = seg_used;
	st->sp->check = store_mend_check;
	st->sp->to_rows = store_to_rows;
	st->open = true;
	store_look(st);
	return 0;
}

/* Play what is there, and make it durable. */
static int
recover(struct store *st, char *err, size_t errlen)
{
	uint64_t target = 0;
	int ret = store_until(st, replay_wait, NULL);

	if (ret == -EIO && st->replay != NULL && st->replay->unread != STORE_NONE)
		snprintf(err, errlen,
			 "store \"%s\": segment %u cannot be read, and may hold what was written last: more drives "
			 "are away, or have bad sectors, than there is parity",
			 st->name, st->replay->unread);
	if (ret == -ENOBUFS)
		snprintf(err, errlen,
			 "store \"%s\": recovery changes more of the map than a map_cache of %" PRIu64
			 " MiB holds, and there is no memory for more: it was larger when that was written",
			 st->name, st->conf.map_bytes >> 20);
	if (ret < 0)
		return ret;
	ret = store_until(st, enough_left, NULL);
	if (ret < 0)
		snprintf(err, errlen,
			 "store \"%s\": %u segments cannot be read, and what is left is too little to begin with",
			 st->name, st->n_aside);
	if (ret == 0)
		ret = store_until(st, store_ckpt_wait, &target);
	if (ret == 0)
		ret = store_until(st, map_shrink, NULL);
	return ret;
}

static int
open_once(struct store **out, const struct store_conf *conf, char *err, size_t errlen)
{
	struct log_super super = {.n_table = 0};
	struct store *st;
	int ret;

	err[0] = '\0';
	ret = make(&st, conf, err, errlen);
	if (ret < 0)
		goto err_text;
	ret = super_read(st, &super, err, errlen);
	if (ret < 0)
		goto err_make;
	st->super_seq = super.seq;
	st->intent_seq = super.intent_seq;
	ret = map_up(st, &super);
	if (ret == 0)
		ret = volumes_up(st, &super);
	if (ret == 0)
		ret = store_call(st, owner_up, &super);
	if (ret < 0)
		goto err_super;
	ret = recover(st, err, errlen);
	if (ret < 0) {
		store_fail(st, ret);
		store_until(st, io_over, NULL);
		store_call(st, owner_down, NULL);
		goto err_super;
	}
	log_super_free(&super);
	store_call(st, owner_open, NULL);
	for (unsigned int i = 0; i < STORES_MAX; i++) {
		if (stores[i] == NULL) {
			stores[i] = st;
			break;
		}
	}
	rte_log(RTE_LOG_INFO, store_log, "store %s: %u segments, %u free, %u volumes, %" PRIu64 " chunks replayed\n",
		st->name, st->n_seg, st->n_free, st->n_vol, st->stats.replayed);
	if (st->n_aside > 0)
		rte_log(RTE_LOG_WARNING, store_log,
			"store %s: %u segments that hold nothing cannot be read, and are not used until it is opened "
			"again\n",
			st->name, st->n_aside);
	*out = st;
	return 0;

err_super:
	log_super_free(&super);
err_make:
	store_mend_fini(st);
	store_reseal_fini(st);
	store_gc_fini(st);
	free_all(st);
err_text:
	if (err[0] == '\0')
		snprintf(err, errlen, "store \"%s\": recovery failed: %s", conf->name, strerror(-ret));
	return ret;
}

int
store_open(struct store **out, const struct store_conf *conf, char *err, size_t errlen)
{
	int ret = -ESTALE;

	/* Something that recovery had found is not there any more: as if it had been cut short (store_settle.c). */
	for (unsigned int i = 0; i < OPEN_TRIES && ret == -ESTALE; i++)
		ret = open_once(out, conf, err, errlen);
	return ret;
}

/* --- closing ----------------------------------------------------------------------------------------------------- */

static int
quiet(struct store *st, void *arg)
{
	(void)arg;
	if (st->failed != 0)
		return 0;
	st->closing = true;
	if (!store_gc_idle(st) || st->deleting.waiting || st->ckpt.state != STORE_CKPT_IDLE)
		return -EINPROGRESS;
	for (unsigned int s = 0; s < LOG_STREAMS; s++)
		store_seg_close(st, s);
	st->ckpt.clean = true;
	return 0;
}

static int
ended(struct store *st, void *arg)
{
	(void)arg;
	if (st->io_under_way > 0)
		return -EINPROGRESS;
	return st->failed != 0 || st->ckpt.state == STORE_CKPT_IDLE ? 0 : -EINPROGRESS;
}

int
store_close(struct store *st, bool abandon)
{
	uint64_t target = 0;
	int ret = 0;

	store_seals_end(st);
	store_reseal_end(st);
	if (!abandon) {
		store_until(st, quiet, NULL);
		ret = store_until(st, store_ckpt_wait, &target);
		store_until(st, ended, NULL);
	}
	store_call(st, owner_down, NULL);
	for (unsigned int i = 0; i < STORES_MAX; i++) {
		if (stores[i] == st)
			stores[i] = NULL;
	}
	free_all(st);
	return ret;
}

struct store *
store_nth(unsigned int i)
{
	for (unsigned int s = 0; s < STORES_MAX; s++) {
		if (stores[s] != NULL && i-- == 0)
			return stores[s];
	}
	return NULL;
}
