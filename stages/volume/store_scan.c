/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Recovery's reading: the segment table, the chunks of the log that came after it, and the intents.
 *
 * A segment that cannot be read may hold what hosts wrote last, of which blocks nobody knows: they would get what was
 * there before. So the store does not open then, until more of its drives are back. It does where that cannot be. Pages
 * of the map are read when they are needed; and after a stop in order one that was only listed is set aside.
 */

#include <string.h>

#include <rte_common.h>

#include "store_replay.h"

#define CHUNKS_A_TURN 64
#define IMAGES_MAX    (64u << 20) /* in memory; what is more stays where it is */
#define ASIDE_GENS    0x10401u	  /* more than may have been given, and no round number: store_where() has few bits */

/* --- the table --------------------------------------------------------------------------------------------------- */

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
		store_replay_end(r, status);
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

	st->no_table = false;
	st->n_free = 0;
	for (uint32_t i = 0; i < st->n_seg; i++) {
		struct store_seg *s = &st->seg[i];

		if (s->d.state == STORE_SEG_OPEN)
			s->d.state = STORE_SEG_CLOSED;
		st->suspects |= s->d.state == STORE_SEG_SUSPECT;
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
	r->state = REPLAY_SCAN;
}

uint32_t
store_scan_table(struct store_replay *r)
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

/* --- segments ----------------------------------------------------------------------------------------------------- */

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
	/* After a stop in order it is what the last checkpoint opened for itself, and of one piece. */
	s->d.state = r->super->clean ? STORE_SEG_CLOSED : STORE_SEG_SUSPECT;
	st->suspects |= !r->super->clean;
	s->rows = st->sp->rows;
}

/* @return 0; 1: the segment holds nothing that counts; -errno. */
static int
chunk_found(struct store_replay *r, struct replay_scan *s, const struct log_head *h, const uint8_t *at)
{
	struct log_segment *d = &r->st->seg[h->seg].d;
	bool listed = s->at >= r->scan_planned, meta = h->kind == LOG_PAGES || h->kind == LOG_TABLE;

	/* As it was at the checkpoint: emptied since, and never opened. */
	if (listed && d->state != STORE_SEG_FREE && h->gen == d->gen && !s->counts)
		return 1;
	/* Pages of a checkpoint that never ended: only its generation is remembered. */
	if (listed && meta && !s->counts) {
		d->gen = h->gen;
		return 1;
	}
	s->counts = true;
	s->chunks++;
	seg_found(r, h);
	if (meta) {
		r->serial_max = RTE_MAX(r->serial_max, h->seal.serial);
		return 0;
	}
	s->rows = (h->off + h->bytes - 1) / store_row_bytes(r->st) + 1;
	if (h->lsn <= r->super->lsn)
		return 0;
	/* Right by parity only, as power or a drive left it: one loss more would take it. It is written anew. */
	if (s->walk.attempt > 0 && r->image_bytes + h->bytes <= IMAGES_MAX) {
		r->image_bytes += h->bytes;
		if (store_replay_add(r, h, 0, at + h->head_bytes) < 0)
			return -ENOMEM;
		r->item[r->n_items - 1].home = true;
		return 0;
	}
	return store_replay_add(r, h, log_direct(h->seg, h->off, h->bytes, 0),
				h->kind == LOG_RECORDS ? at + h->head_bytes : NULL);
}

static void
scan_begin(struct store_replay *r, struct replay_scan *s)
{
	struct store *st = r->st;
	uint32_t seg = r->scan_seg[r->at];
	const struct log_segment *d = &st->seg[seg].d;

	s->at = r->at++;
	store_walk_begin(&s->walk, st, seg, s->at >= r->n_open ? 0 : d->gen, r->scan_off[s->at], st->seg_bytes);
	s->walk.older = d->state == STORE_SEG_FREE || d->gen == 0 ? d->gen : d->gen - 1;
	s->walk.stop_blank = true;
	/* The row in which the checkpoint began is durable since, and holds chunks that are not looked at here. */
	s->row = s->rows = (r->scan_off[s->at] + store_row_bytes(st) - 1) / store_row_bytes(st);
	s->chunks = 0;
	s->counts = false;
	s->busy = true;
}

/* All in it was emptied before. */
static void
seg_free(struct store *st, struct store_seg *g)
{
	if (g->d.state == STORE_SEG_FREE)
		return;
	st->all_blocks -= g->d.stream == STORE_META ? 0 : g->d.blocks;
	g->d.blocks = 0;
	g->d.state = STORE_SEG_FREE;
	st->n_free++;
}

/* The scan of a segment is over. One that was only listed, and holds nothing that counts, is as good as free: what is
 * played takes away every entry that points there, so only the count of those is kept. One that was open, and in which
 * nothing was found since, is collected first, too: behind what is blank may lie what power tore, of which nobody can
 * tell what it was. */
static void
seg_scanned(struct store_replay *r, struct replay_scan *s)
{
	struct store *st = r->st;
	struct store_seg *g = &st->seg[s->walk.seg];

	if (s->at >= r->scan_planned && !s->counts) {
		seg_free(st, g);
	} else if (s->at < r->n_open && g->d.state == STORE_SEG_CLOSED) {
		g->d.state = STORE_SEG_SUSPECT;
		st->suspects = true;
	}
	s->busy = false;
	if (s->counts && st->sp->parity > 0)
		store_settle_add(r, &(struct replay_rows){s->walk.seg, s->row, s->rows, r->scan_off[s->at], s->chunks,
							  s->walk.lost > 0});
}

/* The segment cannot be read. @return false: it must be. */
static bool
seg_unread(struct store_replay *r, struct replay_scan *s)
{
	struct store *st = r->st;
	struct store_seg *g = &st->seg[s->walk.seg];
	/* The checkpoint opened it for itself, and the table has it so. */
	bool pages = s->at >= r->n_open && g->d.state != STORE_SEG_FREE && g->d.stream == STORE_META;

	r->unread = s->walk.seg;
	if (s->at < r->scan_planned ? !pages : s->counts)
		return false;
	s->busy = false;
	if (s->at >= r->scan_planned) {
		r->blind[s->at] = true;
	} else if (!r->super->clean) {
		g->d.state = STORE_SEG_SUSPECT;
		st->suspects = true;
	}
	return true;
}

/* Those that were listed only. After a stop in order hosts have written to none of them. After anything else nobody can
 * tell whether they have: what is empty before it in the list may have been emptied by a recovery that was cut short.
 */
static bool
unread_aside(struct store_replay *r)
{
	struct store *st = r->st;

	for (uint32_t i = r->scan_planned; i < r->n_scan; i++) {
		struct store_seg *g = &st->seg[r->scan_seg[i]];

		if (!r->blind[i])
			continue;
		r->unread = r->scan_seg[i];
		if (!r->super->clean)
			return false;
		seg_free(st, g);
		st->n_free--;
		st->n_aside++;
		g->aside = true;
		g->d.gen += ASIDE_GENS;
	}
	return true;
}

static uint32_t
scan_run(struct store_replay *r, struct replay_scan *s)
{
	struct log_head h;
	const uint8_t *at;

	for (unsigned int i = 0; i < CHUNKS_A_TURN; i++) {
		int ret = store_walk_chunk(&s->walk, &h, &at);

		if (ret == -EAGAIN)
			return i;
		if (ret > 0)
			ret = chunk_found(r, s, &h, at);
		else if (ret == 0)
			ret = 1;
		if (ret == -EIO && seg_unread(r, s))
			return 1;
		if (ret < 0) {
			store_replay_end(r, ret);
			return 1;
		}
		if (ret == 1) {
			seg_scanned(r, s);
			return 1;
		}
		store_walk_next(&s->walk, &h);
	}
	return 1;
}

uint32_t
store_scan_segments(struct store_replay *r)
{
	uint32_t work = 0, busy = 0;

	for (unsigned int i = 0; i < REPLAY_SCANS && r->state == REPLAY_SCAN; i++) {
		struct replay_scan *s = &r->scan[i];

		if (!s->busy && r->at < r->n_scan)
			scan_begin(r, s);
		if (s->busy)
			work += scan_run(r, s);
		busy += s->busy;
	}
	if (r->state == REPLAY_SCAN && busy == 0 && r->at == r->n_scan) {
		if (!unread_aside(r)) {
			store_replay_end(r, -EIO);
			return 1;
		}
		r->at = 0;
		r->unread = STORE_NONE;
		r->state = REPLAY_INTENTS;
		return 1;
	}
	return work;
}

/* --- intents ----------------------------------------------------------------------------------------------------- */

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
			int ret = store_replay_add(r, &h, 0, at + pos + h.head_bytes);

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

uint32_t
store_scan_intents(struct store_replay *r)
{
	struct store *st = r->st;
	int ret;

	if (r->busy)
		return 0;
	if (r->ring_at == st->sp->intent_bytes) {
		ret = intents_take(r);
		if (ret < 0) {
			store_replay_end(r, ret);
			return 1;
		}
		r->ring_at = 0;
		/* A copy that was torn may be whole in another: all are taken, and what is there twice is forgotten. */
		if (++r->copy <= st->sp->parity)
			return 1;
		ret = store_replay_sort(r);
		if (ret < 0)
			store_replay_end(r, ret);
		else
			r->state = REPLAY_FREE;
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
