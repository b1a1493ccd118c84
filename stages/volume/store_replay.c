/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Recovery: from the superblock's checkpoint to the map as the log has it.
 *
 *     table    the segment table, as the checkpoint left it
 *     scan     segments that were open then, or could be opened since: what of them has a later lsn
 *     intents  chunks whose rows never came to be written
 *     free     listed segments that hold nothing are deallocated
 *     apply    everything in lsn order; a record whose premises were lost with power is dropped
 *
 * It writes nothing that counts until the checkpoint that ends it, so it may be cut short and begun again.
 */

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "store_walk.h"

enum replay_state { R_TABLE, R_SCAN, R_INTENTS, R_FREE, R_APPLY, R_OVER };

/* Something to apply. */
struct item {
	uint64_t lsn;
	uint64_t place; /* 0: only an intent has it */
	struct log_head head;
	uint8_t *bytes; /* of a RECORDS chunk, or of one that only an intent has: the payload */
};

/* A chunk that only an intent had: where it was to lie, and where it lies now. */
struct moved {
	uint64_t was, now;
};

struct store_replay {
	struct store *st;
	const struct log_super *super;
	uint8_t state;
	int status;
	bool busy, waiting;
	uint32_t at;	/* table chunk, segment, listed segment, item */
	uint32_t block; /* of the item */
	struct store_read read;
	struct store_walk walk;
	bool walking;
	bool counts;	       /* the segment being scanned holds chunks that count */
	uint32_t n_open;       /* of those to scan: open at the checkpoint */
	uint32_t scan_planned; /* from here on nothing was open when the checkpoint ended */
	uint32_t n_scan, scan_seg[LOG_SUPER_NEXT + LOG_STREAMS], scan_off[LOG_SUPER_NEXT + LOG_STREAMS];
	uint64_t lsn_max, serial_max;
	struct item *item;
	size_t n_items, items_max;
	struct moved *moved; /* by `was`, as many as there are items at most */
	size_t n_moved;
	/* Intents. */
	uint8_t *ring;
	uint32_t ring_at;
	uint16_t copy;
	struct strake_space_io io;
	struct map_wait wait;
	uint64_t t_begin;
};

static void
fail(struct store_replay *r, int err)
{
	r->status = err;
	r->state = R_OVER;
}

int
store_replay_begin(struct store *st, const struct log_super *super)
{
	struct store_replay *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->ring = malloc(st->sp->intent_bytes);
	if (r->ring == NULL) {
		free(r);
		return -ENOMEM;
	}
	r->st = st;
	r->super = super;
	r->lsn_max = super->lsn;
	r->serial_max = super->serial;
	r->t_begin = strake_now();
	for (unsigned int i = 0; i < LOG_STREAMS; i++) {
		if (super->open[i].seg == STORE_NONE)
			continue;
		r->scan_seg[r->n_scan] = super->open[i].seg;
		r->scan_off[r->n_scan++] = super->open[i].off;
	}
	r->n_open = r->n_scan;
	r->scan_planned = r->n_scan + super->n_since;
	for (uint32_t i = 0; i < super->n_next; i++)
		r->scan_seg[r->n_scan++] = super->next[i];
	for (uint32_t i = 0; i < r->n_scan; i++) {
		if (r->scan_seg[i] >= st->n_seg) {
			free(r->ring);
			free(r);
			return -EINVAL;
		}
	}
	st->replay = r;
	return 0;
}

void
store_replay_fini(struct store *st)
{
	struct store_replay *r = st->replay;

	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n_items; i++)
		free(r->item[i].bytes);
	free(r->item);
	free(r->moved);
	free(r->ring);
	store_walk_fini(&r->walk);
	free(r);
	st->replay = NULL;
}

bool
store_replay_over(const struct store *st, int *status)
{
	*status = st->replay->status;
	return st->replay->state == R_OVER;
}

/* --- table ------------------------------------------------------------------------------------------------------- */

static void
table_done(struct store_read *rd, struct strake_buf *buf, int status)
{
	struct store_replay *r = rd->arg;
	struct store *st = r->st;
	uint32_t first = r->at * LOG_TABLE_ENTRIES, n;

	r->busy = false;
	n = RTE_MIN(r->super->segments - first, (uint32_t)LOG_TABLE_ENTRIES);
	if (status == 0 && (rd->head.kind != LOG_TABLE || rd->head.seal.stored != n * LOG_TABLE_ENTRY))
		status = -EBADMSG;
	if (status < 0) {
		fail(r, status);
		strake_buf_put_list(buf);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		log_segment_decode(&st->seg[first + i].d,
				   buf->addr + rd->head.head_bytes + (size_t)i * LOG_TABLE_ENTRY);
	strake_buf_put(buf);
	r->at++;
}

/* The table is there: who is what. */
static void
table_over(struct store_replay *r)
{
	struct store *st = r->st;

	st->n_free = 0;
	for (uint32_t i = 0; i < st->n_seg; i++) {
		struct store_seg *s = &st->seg[i];

		if (s->d.state == STORE_SEG_OPEN)
			s->d.state = STORE_SEG_CLOSED;
		if (s->d.state == STORE_SEG_FREE) {
			st->n_free++;
			s->d.blocks = s->d.live = 0;
			continue;
		}
		s->rows = st->sp->rows;
		if (s->d.stream != STORE_META) {
			st->live_blocks += s->d.live;
			st->all_blocks += s->d.blocks;
		}
	}
	r->at = 0;
	r->state = R_SCAN;
}

static uint32_t
table_step(struct store_replay *r)
{
	if (r->busy)
		return 0;
	if (r->at == r->super->n_table) {
		table_over(r);
		return 1;
	}
	r->busy = true;
	r->read.st = r->st;
	r->read.place = r->super->table[r->at];
	r->read.done = table_done;
	r->read.arg = r;
	store_chunk_read(&r->read);
	return 1;
}

/* --- scan -------------------------------------------------------------------------------------------------------- */

static int
item_add(struct store_replay *r, const struct log_head *h, uint64_t place, const uint8_t *payload)
{
	struct item *it;

	if (r->n_items == r->items_max) {
		size_t max = RTE_MAX(2 * r->items_max, (size_t)1024);
		struct item *more = realloc(r->item, max * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		r->item = more;
		r->items_max = max;
	}
	it = &r->item[r->n_items];
	*it = (struct item){h->lsn, place, *h, NULL};
	if (payload != NULL) {
		it->bytes = malloc(h->seal.stored);
		if (it->bytes == NULL)
			return -ENOMEM;
		memcpy(it->bytes, payload, h->seal.stored);
	}
	r->n_items++;
	r->lsn_max = RTE_MAX(r->lsn_max, h->lsn);
	r->serial_max = RTE_MAX(r->serial_max, h->seal.serial);
	return 0;
}

/* The first chunk of a segment that was opened since. */
static void
seg_found(struct store_replay *r, const struct log_head *h)
{
	struct store *st = r->st;
	struct store_seg *s = &st->seg[h->seg];
	bool meta = h->kind == LOG_PAGES || h->kind == LOG_TABLE;
	if (h->gen != s->d.gen || s->d.state == STORE_SEG_FREE) {
		/* Emptied after the checkpoint and opened anew: what is played takes away what lived in it then. */
		if (s->d.state == STORE_SEG_FREE) {
			st->n_free--;
			s->d.live = 0;
		} else {
			st->all_blocks -= s->d.stream == STORE_META ? 0 : s->d.blocks;
		}
		s->d.gen = h->gen;
		s->d.blocks = 0;
		s->d.stream = meta ? STORE_META : STORE_HOT;
	}
	s->d.state = STORE_SEG_SUSPECT;
	st->suspects = true;
	s->rows = st->sp->rows;
}

/* @return 0; 1: the segment holds nothing that counts; -errno. */
static int
chunk_found(struct store_replay *r, const struct log_head *h, const uint8_t *at)
{
	struct log_segment *d = &r->st->seg[h->seg].d;

	/* As it was at the checkpoint: emptied since, and never opened. */
	if (r->at >= r->scan_planned && d->state != STORE_SEG_FREE && h->gen == d->gen && !r->counts)
		return 1;
	/* Pages of a checkpoint that never ended: only its generation is remembered. */
	if (r->at >= r->scan_planned && (h->kind == LOG_PAGES || h->kind == LOG_TABLE) && !r->counts) {
		d->gen = h->gen;
		return 1;
	}
	r->counts = true;
	seg_found(r, h);
	if (h->kind == LOG_PAGES || h->kind == LOG_TABLE) {
		r->serial_max = RTE_MAX(r->serial_max, h->seal.serial);
		return 0;
	}
	if (h->lsn <= r->super->lsn)
		return 0;
	return item_add(r, h, log_direct(h->seg, h->off, h->bytes, 0),
			h->kind == LOG_RECORDS ? at + h->head_bytes : NULL);
}

/* The scan of a segment is over. One that was only listed, and holds nothing that counts, is as good as free: what is
 * played takes away every entry that points there, so only the count of those is kept. */
static void
seg_scanned(struct store_replay *r)
{
	struct store *st = r->st;
	struct store_seg *s = &st->seg[r->scan_seg[r->at]];

	if (r->at >= r->scan_planned && !r->counts && s->d.state != STORE_SEG_FREE) {
		st->all_blocks -= s->d.stream == STORE_META ? 0 : s->d.blocks;
		s->d.blocks = 0;
		s->d.state = STORE_SEG_FREE;
		st->n_free++;
	}
	r->walking = false;
	r->at++;
}

static uint32_t
scan_step(struct store_replay *r)
{
	struct store *st = r->st;
	struct store_seg *s;
	struct log_head h;
	const uint8_t *at;
	int ret;

	if (r->at == r->n_scan) {
		r->at = 0;
		r->state = R_INTENTS;
		return 1;
	}
	s = &st->seg[r->scan_seg[r->at]];
	if (!r->walking) {
		bool listed = r->at >= r->n_open;

		store_walk_begin(&r->walk, st, r->scan_seg[r->at], listed ? 0 : s->d.gen, r->scan_off[r->at],
				 st->seg_bytes);
		r->walk.older = s->d.state == STORE_SEG_FREE || s->d.gen == 0 ? s->d.gen : s->d.gen - 1;
		r->counts = false;
		r->walk.stop_blank = true;
		r->walking = true;
	}
	for (unsigned int i = 0; i < 64; i++) {
		ret = store_walk_chunk(&r->walk, &h, &at);
		if (ret == -EAGAIN)
			return i;
		if (ret < 0) {
			fail(r, ret);
			return 1;
		}
		if (ret == 0) {
			seg_scanned(r);
			return 1;
		}
		ret = chunk_found(r, &h, at);
		if (ret < 0) {
			fail(r, ret);
			return 1;
		}
		if (ret == 1) {
			seg_scanned(r);
			return 1;
		}
		store_walk_next(&r->walk, &h);
	}
	return 1;
}

/* --- intents ----------------------------------------------------------------------------------------------------- */

static int
by_lsn(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->lsn != y->lsn)
		return x->lsn < y->lsn ? -1 : 1;
	/* What lies in a segment comes before its image in an intent. */
	return (x->place == 0) - (y->place == 0);
}

/* Images of an intent that opened. */
static int
images(struct store_replay *r, const uint8_t *at, uint32_t bytes)
{
	uint32_t pos = LOG_INTENT_HEAD;
	struct log_head h;

	while (pos < bytes) {
		if (log_head_decode(&h, at + pos, bytes - pos) < 0 || h.bytes > bytes - pos ||
		    h.store != r->st->short_uuid || !log_chunk_checks(&h, at + pos))
			return 0;
		if (h.lsn > r->super->lsn && (h.kind == LOG_DATA || h.kind == LOG_RECORDS)) {
			int ret = item_add(r, &h, 0, at + pos + h.head_bytes);

			if (ret < 0)
				return ret;
		}
		pos += h.bytes;
	}
	return 0;
}

static int
intents_take(struct store_replay *r)
{
	uint32_t size = r->st->sp->intent_bytes;

	for (uint32_t pos = 0; pos < size; pos += LOG_BLOCK) {
		struct log_intent in;
		int ret;

		if (log_intent_open(&in, r->ring + pos, size - pos) < 0 || in.store != r->st->short_uuid ||
		    in.seq < r->super->intent_seq)
			continue;
		r->st->intent_seq = RTE_MAX(r->st->intent_seq, in.seq + 1);
		ret = images(r, r->ring + pos, in.bytes);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void
ring_read(struct strake_space_io *io)
{
	struct store_replay *r = io->arg;

	r->st->io_under_way--;
	r->busy = false;
	if (io->status == 0)
		strake_buf_copy_out(io->bufs, 0, r->ring + io->off, io->len);
	else
		memset(r->ring + io->off, 0, io->len);
	strake_buf_put_list(io->bufs);
	io->bufs = NULL;
	r->ring_at += io->len;
}

/* Sort, and forget what is there twice. */
static void
items_sort(struct store_replay *r)
{
	size_t n = 0;

	if (r->n_items > 0)
		qsort(r->item, r->n_items, sizeof(*r->item), by_lsn);
	for (size_t i = 0; i < r->n_items; i++) {
		const struct log_head *h = &r->item[i].head;
		uint64_t was = log_direct(h->seg, h->off, h->bytes, 0);

		if (n == 0 || r->item[n - 1].lsn != r->item[i].lsn) {
			r->item[n++] = r->item[i];
			continue;
		}
		/* A recovery that was cut short gave the image a place already. */
		if (r->item[n - 1].place != 0 && r->item[i].place == 0 && r->item[n - 1].place != was)
			r->moved[r->n_moved++] = (struct moved){was, r->item[n - 1].place};
		free(r->item[i].bytes);
	}
	r->n_items = n;
}

static uint32_t
intents_step(struct store_replay *r)
{
	struct store *st = r->st;
	int ret;

	if (r->busy)
		return 0;
	if (r->ring_at == st->sp->intent_bytes) {
		ret = intents_take(r);
		if (ret < 0) {
			fail(r, ret);
			return 1;
		}
		r->ring_at = 0;
		/* A copy that was torn may be whole in another: all are taken, and what is there twice is forgotten. */
		if (++r->copy <= st->sp->parity)
			return 1;
		r->moved = calloc(2 * r->n_items + 1, sizeof(*r->moved));
		if (r->moved == NULL) {
			fail(r, -ENOMEM);
			return 1;
		}
		items_sort(r);
		r->state = R_FREE;
		return 1;
	}
	r->busy = true;
	r->io = (struct strake_space_io){
		.op = STRAKE_SPACE_INTENT_READ,
		.attempt = r->copy,
		.off = r->ring_at,
		.len = RTE_MIN(st->sp->intent_bytes - r->ring_at, STRAKE_BUF_PAGE_MAX),
		.done = ring_read,
		.arg = r,
	};
	st->io_under_way++;
	strake_space_submit(st->sp, &r->io);
	return 1;
}

/* --- free -------------------------------------------------------------------------------------------------------- */

static void
freed(struct strake_space_io *io)
{
	struct store_replay *r = io->arg;
	struct store *st = r->st;

	st->io_under_way--;
	r->busy = false;
	if (io->status < 0) {
		fail(r, io->status);
		return;
	}
	st->seg[io->seg].blank = true;
	st->seg[io->seg].listed = true;
	st->ready[st->n_ready++] = io->seg;
}

static uint32_t
free_step(struct store_replay *r)
{
	struct store *st = r->st;
	uint32_t seg;

	if (r->busy)
		return 0;
	if (r->at == r->super->n_next) {
		r->at = 0;
		r->state = R_APPLY;
		return 1;
	}
	seg = r->super->next[r->at++];
	if (st->seg[seg].d.state != STORE_SEG_FREE) {
		/* The superblock that ends recovery lists it again, should that be cut short. */
		st->since[st->n_since++] = seg;
		return 1;
	}
	r->busy = true;
	r->io = (struct strake_space_io){.op = STRAKE_SPACE_FREE, .seg = seg, .done = freed, .arg = r};
	st->io_under_way++;
	strake_space_submit(st->sp, &r->io);
	return 1;
}

/* --- apply ------------------------------------------------------------------------------------------------------- */

static void
woken(struct map_wait *w, int status)
{
	struct store_replay *r = RTE_PTR_SUB(w, offsetof(struct store_replay, wait));

	r->waiting = false;
	if (status < 0)
		fail(r, status);
}

static struct map_wait *
waiter(struct store_replay *r)
{
	r->wait.fn = woken;
	r->wait.urgent = true;
	return &r->wait;
}

/* Blocks of a chunk that a host wrote, one by one. */
static int
apply_data(struct store_replay *r, struct item *it)
{
	struct store *st = r->st;

	for (; r->block < it->head.seal.blocks; r->block++) {
		const struct log_owner *o = &it->head.owner[r->block];
		struct store_vol *v = store_vol_find(st, o->vol);
		uint64_t value = it->place + ((uint64_t)r->block << 59);
		int ret;

		if (v == NULL || o->lba >= map_tree_size(v->tree))
			continue;
		ret = store_prepare(st, v, o->lba, 1, waiter(r));
		if (ret < 0)
			return ret;
		store_set(st, v, o->lba, 1, &value);
	}
	return 0;
}

/* Records speak of places as they were before the crash. */
static uint64_t
place_now(const struct store_replay *r, uint64_t place)
{
	uint64_t chunk = log_entry_chunk(place);

	for (size_t i = 0; i < r->n_moved; i++) {
		if (r->moved[i].was == chunk)
			return r->moved[i].now | (place & ~chunk);
	}
	return place;
}

static int
apply_records(struct store_replay *r, struct item *it)
{
	for (; r->block < it->head.seal.stored / LOG_RECORD; r->block++) {
		struct log_record rec;
		int ret = log_record_decode(&rec, it->bytes + (size_t)r->block * LOG_RECORD);

		rec.place = place_now(r, rec.place);
		if (ret == 0)
			ret = store_replay_record(r->st, &rec, waiter(r));
		if (ret == -EAGAIN)
			return ret;
		if (ret < 0)
			r->st->stats.dropped++;
	}
	return 0;
}

/* Only an intent has it: it gets a place now. */
static int
place(struct store_replay *r, struct item *it)
{
	struct store *st = r->st;
	uint64_t was = log_direct(it->head.seg, it->head.off, it->head.bytes, 0);
	int ret;

	ret = store_room(st, STORE_HOT, it->head.bytes);
	if (ret < 0)
		return ret;
	it->place = store_append(st, STORE_HOT, &it->head, NULL, it->bytes);
	r->moved[r->n_moved++] = (struct moved){was, it->place};
	return 0;
}

static int
apply(struct store_replay *r, struct item *it)
{
	struct store *st = r->st;
	int ret = 0;

	if (it->head.kind == LOG_RECORDS)
		return apply_records(r, it);
	if (it->place == 0)
		ret = place(r, it);
	else if (r->block == 0 && it->head.seg == log_entry_seg(it->place) && it->bytes == NULL) {
		st->seg[it->head.seg].d.blocks += it->head.seal.blocks;
		st->all_blocks += it->head.seal.blocks;
		it->bytes = calloc(1, 1); /* counted: this may be begun again */
	}
	if (ret < 0)
		return ret;
	if (it->head.kind == LOG_DATA)
		return apply_data(r, it);
	ret = store_move_prepare(st, &it->head, waiter(r));
	if (ret == 0)
		store_move(st, &it->head, it->place);
	return ret;
}

static uint32_t
apply_step(struct store_replay *r)
{
	struct store *st = r->st;

	for (unsigned int i = 0; i < 256 && r->state == R_APPLY; i++) {
		int ret;

		if (r->at == r->n_items) {
			/* Numbers that were given and lost are not given again. */
			st->lsn = r->lsn_max + (1u << 20);
			st->serial = r->serial_max + (1u << 20);
			st->intents_done = st->intent_seq;
			st->stats.replayed = r->n_items;
			st->stats.replay_ns = strake_now() - r->t_begin;
			r->state = R_OVER;
			return 1;
		}
		ret = apply(r, &r->item[r->at]);
		if (ret == -EAGAIN) {
			r->waiting = true;
			return i;
		}
		if (ret == -EBUSY)
			return i;
		if (ret < 0) {
			fail(r, ret);
			return 1;
		}
		r->at++;
		r->block = 0;
	}
	return 1;
}

uint32_t
store_replay_poll(struct store *st)
{
	struct store_replay *r = st->replay;

	if (r == NULL || r->waiting)
		return 0;
	switch (r->state) {
	case R_TABLE:
		return table_step(r);
	case R_SCAN:
		return scan_step(r);
	case R_INTENTS:
		return intents_step(r);
	case R_FREE:
		return free_step(r);
	case R_APPLY:
		return apply_step(r);
	default:
		return 0;
	}
}
