/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Rows: chunks are gathered in memory, row by row, and each row is given to the space once, when it is full or somebody
 * needs it written. A row stays in memory until it is written and the chunk that begins at its end is too, so that a
 * read finds a chunk either whole in memory or whole on the drives.
 */

#include <string.h>

#include <rte_common.h>

#include "store.h"
#include "strake_kernel.h"

static void
rows_free(struct store *st, struct store_row *r)
{
	strake_buf_put_list(r->bufs);
	r->bufs = NULL;
	(void)st;
}

static int
row_pages(struct store *st, struct store_row *r)
{
	struct strake_buf **tail = &r->bufs;
	uint32_t left = store_row_bytes(st), n = 0;

	while (left > 0) {
		uint32_t len = RTE_MIN(left, STRAKE_BUF_PAGE_MAX);
		struct strake_buf *b = n < STORE_PIECES ? strake_buf_page(len) : NULL;

		if (b == NULL)
			return -ENOMEM;
		r->piece[n++] = b->addr;
		*tail = b;
		tail = &b->next;
		left -= len;
	}
	return 0;
}

int
store_rows_init(struct store *st)
{
	for (unsigned int i = 0; i < STORE_ROWS; i++) {
		struct store_row *r = &st->rows[i];

		r->st = st;
		if (row_pages(st, r) < 0) {
			store_rows_fini(st);
			return -ENOMEM;
		}
		r->next = st->row_free;
		st->row_free = r;
		st->n_row_free++;
	}
	for (unsigned int s = 0; s < LOG_STREAMS; s++)
		st->out[s].seg = STORE_NONE;
	return 0;
}

void
store_rows_fini(struct store *st)
{
	for (unsigned int i = 0; i < STORE_ROWS; i++)
		rows_free(st, &st->rows[i]);
}

static inline uint8_t *
row_at(struct store_row *r, uint32_t off, uint32_t *run)
{
	*run = STRAKE_BUF_PAGE_MAX - off % STRAKE_BUF_PAGE_MAX;
	return r->piece[off / STRAKE_BUF_PAGE_MAX] + off % STRAKE_BUF_PAGE_MAX;
}

static void
row_put(struct store_row *r, uint32_t off, const uint8_t *from, uint32_t len)
{
	while (len > 0) {
		uint32_t run;
		uint8_t *to = row_at(r, off, &run);

		run = RTE_MIN(run, len);
		memcpy(to, from, run);
		off += run;
		from += run;
		len -= run;
	}
}

static void
row_zero(struct store_row *r, uint32_t off, uint32_t len)
{
	while (len > 0) {
		uint32_t run;
		uint8_t *to = row_at(r, off, &run);

		run = RTE_MIN(run, len);
		memset(to, 0, run);
		off += run;
		len -= run;
	}
}

/* --- the life of a row ------------------------------------------------------------------------------------------- */

static struct store_row *
row_find(struct store *st, uint32_t seg, uint32_t row)
{
	for (struct store_row *r = st->row_used; r != NULL; r = r->next) {
		if (r->seg == seg && r->row == row)
			return r;
	}
	return NULL;
}

static bool
row_pending(struct store *st, uint32_t seg, uint32_t row)
{
	const struct store_row *r = row_find(st, seg, row);

	return r != NULL && r->state != STORE_ROW_WRITTEN;
}

/* Rows that nobody needs in memory any more go back: written, and those that share a chunk with them too. */
static void
rows_reap(struct store *st)
{
	struct store_row **at = &st->row_used;

	while (*at != NULL) {
		struct store_row *r = *at;

		if (r->state != STORE_ROW_WRITTEN || (r->spans && row_pending(st, r->seg, r->row + 1)) ||
		    (r->row > 0 && row_pending(st, r->seg, r->row - 1))) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		r->next = st->row_free;
		st->row_free = r;
		st->n_row_free++;
	}
}

/* Ordinals of a stream end in any order; `written` counts those without a gap. */
static void
written_up_to(struct store *st, unsigned int stream)
{
	struct store_out *o = &st->out[stream];
	uint64_t first = o->given;

	for (struct store_row *r = st->row_used; r != NULL; r = r->next) {
		if (r->stream == stream && r->state == STORE_ROW_UNDER_WAY && r->ordinal < first)
			first = r->ordinal;
	}
	o->written = first;
	if (!st->sp->volatile_cache)
		o->durable = first;
}

static void
row_done(struct strake_space_io *io)
{
	struct store_row *r = io->arg;
	struct store *st = r->st;

	st->io_under_way--;
	if (io->status < 0) {
		/* Its chunks stay readable from memory; nothing that needs them durable will ever be told so. */
		store_fail(st, io->status);
		return;
	}
	r->state = STORE_ROW_WRITTEN;
	written_up_to(st, r->stream);
	rows_reap(st);
}

static struct store_row *
row_take(struct store *st, unsigned int stream)
{
	struct store_out *o = &st->out[stream];
	struct store_row *r = st->row_free;

	st->row_free = r->next;
	st->n_row_free--;
	r->next = st->row_used;
	st->row_used = r;
	r->seg = o->seg;
	r->row = o->off / store_row_bytes(st);
	r->stream = (uint8_t)stream;
	r->state = STORE_ROW_FILLING;
	r->spans = false;
	r->ordinal = st->seg[o->seg].first_row + r->row;
	o->row = r;
	o->begun = strake_now();
	return r;
}

static void
row_give(struct store *st, struct store_row *r)
{
	struct store_out *o = &st->out[r->stream];

	r->state = STORE_ROW_UNDER_WAY;
	r->io = (struct strake_space_io){
		.op = STRAKE_SPACE_ROW,
		.seg = r->seg,
		.row = r->row,
		.len = store_row_bytes(st),
		.bufs = r->bufs,
		.done = row_done,
		.arg = r,
	};
	o->row = NULL;
	o->given = r->ordinal + 1;
	st->seg[r->seg].rows = r->row + 1;
	st->stats.rows++;
	st->io_under_way++;
	strake_space_submit(st->sp, &r->io);
}

void
store_row_close(struct store *st, unsigned int stream)
{
	struct store_out *o = &st->out[stream];
	uint32_t fill;

	if (o->row == NULL)
		return;
	fill = o->off % store_row_bytes(st);
	row_zero(o->row, fill, store_row_bytes(st) - fill);
	st->stats.padded += store_row_bytes(st) - fill;
	st->seg[o->seg].empty += store_row_bytes(st) - fill;
	o->off += store_row_bytes(st) - fill;
	o->safe = o->logged = o->off;
	row_give(st, o->row);
}

void
store_seg_close(struct store *st, unsigned int stream)
{
	struct store_out *o = &st->out[stream];

	if (o->seg == STORE_NONE)
		return;
	store_row_close(st, stream);
	st->seg[o->seg].d.state = STORE_SEG_CLOSED;
	st->seg[o->seg].closed = st->serial;
	o->seg = STORE_NONE;
}

/* --- appending --------------------------------------------------------------------------------------------------- */

static inline bool
fits_seg(const struct store *st, const struct store_out *o, uint32_t bytes)
{
	return o->seg != STORE_NONE && o->off + bytes <= st->seg_bytes;
}

int
store_room(struct store *st, unsigned int stream, uint32_t bytes)
{
	/* Collection and checkpoints never wait for rows that only they can set free. */
	uint32_t keep = 1u << stream & STORE_HOST_STREAMS ? 6 : 1u << stream & STORE_GC_STREAMS ? 3 : 0;

	if (unlikely(st->failed != 0))
		return st->failed;
	if (1u << stream & STORE_HOST_STREAMS && st->credit <= 0 && !st->trimming && unlikely(!store_gc_rests(st)))
		return -EBUSY;
	if (st->n_row_free < keep + 2 || (stream != STORE_META && unlikely(store_seg_meta_short(st, stream))))
		return -EBUSY;
	if (likely(fits_seg(st, &st->out[stream], bytes)))
		return 0;
	return store_seg_may_open(st, stream);
}

/* Copy a part of a chunk that ends at @p end into the row being filled, and the next one when that is full. */
static void
out_put(struct store *st, unsigned int stream, const uint8_t *from, uint32_t len, uint32_t end)
{
	struct store_out *o = &st->out[stream];

	while (len > 0) {
		uint32_t fill = o->off % store_row_bytes(st), n = RTE_MIN(len, store_row_bytes(st) - fill);
		struct store_row *r = o->row != NULL ? o->row : row_take(st, stream);

		if (from != NULL) {
			row_put(r, fill, from, n);
			from += n;
		} else {
			row_zero(r, fill, n);
		}
		o->off += n;
		len -= n;
		if (fill + n < store_row_bytes(st))
			return;
		r->spans = o->off < end;
		row_give(st, r);
	}
}

static uint32_t
list_crc(uint32_t crc, struct strake_buf *list, uint32_t len)
{
	for (; len > 0; list = list->next) {
		uint32_t n = RTE_MIN(len, list->len);

		crc = strake_kernel->crc32c(crc, list->addr, n);
		len -= n;
	}
	return crc;
}

/* Records are dead as soon as a checkpoint holds what they say: as many bytes of them count as a dead block. */
static void
blocks_add(struct store *st, uint32_t seg, uint8_t kind, uint32_t n)
{
	struct store_seg *s = &st->seg[seg];

	if (kind == LOG_RECORDS) {
		s->record_bytes += n;
		n = s->record_bytes / LOG_BLOCK;
		s->record_bytes %= LOG_BLOCK;
	} else if (kind != LOG_DATA && kind != LOG_MOVE) {
		return;
	}
	s->d.blocks += n;
	st->all_blocks += n;
}

uint64_t
store_append(struct store *st, unsigned int stream, struct log_head *h, struct strake_buf *list, const uint8_t *flat)
{
	static const uint8_t zero[LOG_GRAIN];
	struct store_out *o = &st->out[stream];
	uint8_t head[LOG_HEAD_MAX];
	uint32_t pad, crc, begin, end;

	if (!fits_seg(st, o, h->bytes)) {
		store_seg_close(st, stream);
		store_seg_open(st, stream);
	}
	h->store = st->short_uuid;
	h->seg = o->seg;
	h->gen = st->seg[o->seg].d.gen;
	h->off = o->off;
	if (h->lsn == 0 && h->kind != LOG_PAGES && h->kind != LOG_TABLE)
		h->lsn = ++st->lsn;
	if (unlikely(st->seals != NULL))
		store_seals_note(st->seals, &h->seal);
	if (unlikely(st->resealing))
		store_reseal_note(st, h->seg, &h->seal);
	pad = h->bytes - h->head_bytes - h->seal.stored;
	log_head_encode(h, head);
	crc = strake_kernel->crc32c(0, head, h->head_bytes);
	crc = list != NULL ? list_crc(crc, list, h->seal.stored) : strake_kernel->crc32c(crc, flat, h->seal.stored);
	crc = strake_kernel->crc32c(crc, zero, pad);
	log_chunk_seal(head, crc);
	begin = o->off;
	end = begin + h->bytes;
	out_put(st, stream, head, h->head_bytes, end);
	for (uint32_t left = h->seal.stored; list != NULL && left > 0; list = list->next) {
		uint32_t n = RTE_MIN(left, list->len);

		out_put(st, stream, list->addr, n, end);
		left -= n;
	}
	if (flat != NULL)
		out_put(st, stream, flat, h->seal.stored, end);
	out_put(st, stream, NULL, pad, end);
	/* Chunks before this one are whole in the rows that are full now; this one is not, if it lies across two. */
	if (o->off / store_row_bytes(st) != begin / store_row_bytes(st))
		o->safe = o->off % store_row_bytes(st) == 0 ? o->off : begin;
	o->logged = RTE_MAX(o->logged, o->safe);
	blocks_add(st, h->seg, h->kind, h->kind == LOG_RECORDS ? h->bytes : h->seal.blocks);
	st->stats.appended[stream] += h->bytes;
	if (1u << stream & STORE_HOST_STREAMS && !store_gc_rests(st))
		st->credit -= h->bytes;
	return log_direct(h->seg, h->off, h->bytes, 0);
}

/* --- reading what is not written yet ----------------------------------------------------------------------------- */

bool
store_row_has(struct store *st, uint32_t seg, uint32_t off, uint32_t len)
{
	uint32_t rb = store_row_bytes(st);

	for (uint32_t row = off / rb; row <= (off + len - 1) / rb; row++) {
		const struct store_row *r = row_find(st, seg, row);

		if (r != NULL && r->state != STORE_ROW_WRITTEN)
			return true;
	}
	return false;
}

bool
store_row_read(struct store *st, uint32_t seg, uint32_t off, uint32_t len, uint8_t *to)
{
	uint32_t rb = store_row_bytes(st);

	while (len > 0) {
		struct store_row *r = row_find(st, seg, off / rb);
		uint32_t run, n = RTE_MIN(len, rb - off % rb);
		const uint8_t *from;

		if (r == NULL)
			return false;
		from = row_at(r, off % rb, &run);
		n = RTE_MIN(n, run);
		memcpy(to, from, n);
		to += n;
		off += n;
		len -= n;
	}
	return true;
}

bool
store_durable(const struct store *st, uint64_t place)
{
	const struct store_seg *s = &st->seg[log_entry_seg(place)];
	uint32_t end = log_entry_off(place) + log_entry_bytes(place) - 1;

	return s->first_row + end / store_row_bytes(st) < st->out[s->d.stream].durable;
}
