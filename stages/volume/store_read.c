/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Reading chunks. What comes back must be the chunk that was asked for, whole: if not, the space is asked for every
 * other way there is, and what was wrong is written again.
 *
 * While the segment table is read nobody knows the generations: what a drive lost the write of may look like an older
 * table. So parity is asked too, and where it says something else the newest counts that can be had in any way. A part
 * of the table that was read does not tell: the next may lie in a segment that was opened for it after that was
 * written.
 */

#include <string.h>

#include <rte_common.h>

#include "store.h"

static void
finish(struct store_read *r, struct strake_buf *buf, int status)
{
	r->st->seg[log_entry_seg(r->place)].readers--;
	r->done(r, buf, status);
}

static inline bool
any_gen(const struct store *st, uint32_t seg)
{
	return unlikely(st->no_table || st->seg[seg].d.gen == 0);
}

/* Is it the chunk? */
static bool
right(struct store_read *r, const struct strake_buf *buf)
{
	const struct store *st = r->st;
	uint32_t seg = log_entry_seg(r->place);
	struct log_head *h = &r->head;

	return log_head_decode(h, buf->addr, buf->len) == 0 && h->bytes == log_entry_bytes(r->place) && h->seg == seg &&
	       h->off == log_entry_off(r->place) && (any_gen(st, seg) || h->gen == st->seg[seg].d.gen) &&
	       h->store == st->short_uuid && log_chunk_checks(h, buf->addr);
}

static void
repair_done(struct strake_space_io *io)
{
	struct store *st = io->arg;

	st->io_under_way--;
	strake_buf_put(io->bufs);
	st->seg[io->seg].readers--;
	st->repairs_busy &= ~(1u << (io - st->repair));
}

/* The chunk is in @p buf, which its reader may change: what is to be written is a copy. */
static void
repair(struct store_read *r, const struct strake_buf *buf)
{
	struct store *st = r->st;
	struct strake_space_io *io;
	struct strake_buf *copy;

	/* Rows torn by a power cut: mending one chunk of them could take away what another is rebuilt from. They are
	 * collected soon. */
	if (st->seg[r->io.seg].d.state == STORE_SEG_SUSPECT)
		return;
	st->stats.repaired++;
	for (unsigned int i = 0; i < STORE_REPAIRS; i++) {
		if (st->repairs_busy & 1u << i)
			continue;
		copy = strake_buf_page(r->io.len);
		if (copy == NULL)
			return;
		memcpy(copy->addr, buf->addr, r->io.len);
		st->repairs_busy |= 1u << i;
		io = &st->repair[i];
		*io = (struct strake_space_io){
			.op = STRAKE_SPACE_REPAIR,
			.attempt = r->io.attempt,
			.seg = r->io.seg,
			.off = r->io.off,
			.len = r->io.len,
			.bufs = copy,
			.done = repair_done,
			.arg = st,
		};
		st->io_under_way++;
		st->seg[io->seg].readers++; /* it must not be freed and written anew before */
		strake_space_submit(st->sp, io);
		return;
	}
}

/* One contiguous buf of the list, which is taken. */
static struct strake_buf *
flatten(struct strake_buf *list, uint32_t len)
{
	struct strake_buf *buf;

	if (list != NULL && list->next == NULL)
		return list;
	buf = strake_buf_page(len);
	if (buf != NULL && strake_buf_copy_out(list, 0, buf->addr, len) < 0) {
		strake_buf_put(buf);
		buf = NULL;
	}
	strake_buf_put_list(list);
	return buf;
}

static void read_done(struct strake_space_io *io);

static void
read_submit(struct store_read *r, uint16_t attempt)
{
	r->io = (struct strake_space_io){
		.op = STRAKE_SPACE_READ,
		.attempt = attempt,
		.seg = log_entry_seg(r->place),
		.off = log_entry_off(r->place),
		.len = log_entry_bytes(r->place),
		.done = read_done,
		.arg = r,
	};
	r->st->io_under_way++;
	strake_space_submit(r->st->sp, &r->io);
}

uint16_t
store_probe(const struct strake_space *sp, uint64_t off, uint32_t nth)
{
	uint32_t column = (uint32_t)(off % sp->row_bytes / sp->unit);

	return strake_space_attempt(sp, 1u << column | ((1u << nth) - 1) << sp->data);
}

static void
newest_found(struct store_read *r)
{
	struct strake_buf *buf = r->buf;

	r->buf = NULL;
	log_head_decode(&r->head, buf->addr, buf->len);
	r->io.attempt = r->found;
	r->io.len = r->head.bytes;
	if (r->found > 0)
		repair(r, buf);
	finish(r, buf, 0);
}

static void probe(struct store_read *r);

static void
probe_done(struct strake_space_io *io)
{
	struct store_read *r = io->arg;
	uint8_t seen[LOG_GRAIN];
	bool same = io->status == -EIO; /* as much parity is away as there is */

	r->st->io_under_way--;
	if (io->status == 0)
		same = strake_buf_copy_out(io->bufs, 0, seen, sizeof(seen)) == 0 &&
		       memcmp(seen, r->buf->addr, sizeof(seen)) == 0;
	strake_buf_put_list(io->bufs);
	io->bufs = NULL;
	if (!same)
		read_submit(r, store_probe(r->st->sp, r->io.off, 0));
	else if (++r->probe < r->st->sp->parity)
		probe(r);
	else
		newest_found(r);
}

static void
probe(struct store_read *r)
{
	const struct strake_space *sp = r->st->sp;

	r->io.attempt = store_probe(sp, r->io.off, r->probe);
	r->io.len = RTE_MIN(log_entry_bytes(r->place), sp->block);
	r->io.done = probe_done;
	r->st->io_under_way++;
	strake_space_submit(r->st->sp, &r->io);
}

/* The chunk, or what was there before. */
static void
newest(struct store_read *r, struct strake_buf *buf)
{
	struct log_head h;

	if (r->buf != NULL && log_head_decode(&h, r->buf->addr, r->buf->len) == 0 && h.gen >= r->head.gen) {
		strake_buf_put(buf);
	} else {
		strake_buf_put_list(r->buf);
		r->buf = buf;
		r->found = r->io.attempt;
	}
	if (r->st->sp->parity == 0)
		newest_found(r);
	else if (r->io.attempt == 0)
		probe(r);
	else
		read_submit(r, (uint16_t)(r->io.attempt + 1));
}

static void
read_failed(struct store_read *r)
{
	const struct strake_space_io *io = &r->io;

	/* That way needs a drive that is away; another may not. If none is right, what is away may have been. */
	if (io->status == -EIO && io->attempt > 0) {
		r->barred = true;
		read_submit(r, (uint16_t)(io->attempt + 1));
		return;
	}
	if (io->status == -ERANGE && r->buf != NULL) {
		newest_found(r);
		return;
	}
	r->st->stats.lost++;
	strake_buf_put_list(r->buf);
	r->buf = NULL;
	if (io->status == -ERANGE && io->attempt > 0)
		finish(r, NULL, r->barred ? -EIO : -EBADMSG);
	else
		finish(r, NULL, io->status);
}

static void
read_done(struct strake_space_io *io)
{
	struct store_read *r = io->arg;
	struct strake_buf *buf;

	r->st->io_under_way--;
	if (io->status < 0) {
		read_failed(r);
		return;
	}
	buf = flatten(io->bufs, io->len);
	io->bufs = NULL;
	if (buf == NULL) {
		strake_buf_put_list(r->buf);
		r->buf = NULL;
		finish(r, NULL, -ENOMEM);
		return;
	}
	if (unlikely(!right(r, buf))) {
		strake_buf_put(buf);
		r->st->stats.read_retries++;
		read_submit(r, (uint16_t)(io->attempt + 1));
		return;
	}
	if (any_gen(r->st, io->seg)) {
		newest(r, buf);
		return;
	}
	if (unlikely(io->attempt > 0))
		repair(r, buf);
	finish(r, buf, 0);
}

/* To be answered next turn. */
static void
over(struct store_read *r)
{
	r->next = NULL;
	*r->st->reads_over_end = r;
	r->st->reads_over_end = &r->next;
}

void
store_chunk_read(struct store_read *r)
{
	struct store *st = r->st;
	uint32_t seg = log_entry_seg(r->place), off = log_entry_off(r->place), len = log_entry_bytes(r->place);

	st->stats.reads++;
	r->buf = NULL;
	r->barred = false;
	r->probe = 0;
	if (unlikely(seg >= st->n_seg || len < LOG_HEAD || off + len > st->seg_bytes)) {
		r->place = 0; /* whoever said so is wrong: it ends as lost */
		st->seg[0].readers++;
		over(r);
		return;
	}
	st->seg[seg].readers++;
	if (!store_row_has(st, seg, off, len)) {
		read_submit(r, 0);
		return;
	}
	r->buf = strake_buf_page(len);
	if (r->buf != NULL)
		store_row_read(st, seg, off, len, r->buf->addr);
	over(r);
}

void
store_chunk_give(struct store_read *r, struct strake_buf *buf)
{
	r->st->seg[log_entry_seg(r->place)].readers++;
	r->buf = buf;
	over(r);
}

uint32_t
store_read_poll(struct store *st)
{
	struct store_read *r = st->reads_over;
	uint32_t work = 0;

	st->reads_over = NULL;
	st->reads_over_end = &st->reads_over;
	while (r != NULL) {
		struct store_read *next = r->next;
		struct strake_buf *buf = r->buf;

		r->buf = NULL;
		work++;
		if (buf != NULL && right(r, buf)) {
			finish(r, buf, 0);
		} else {
			finish(r, NULL, buf == NULL && r->place != 0 ? -ENOMEM : -EBADMSG);
			strake_buf_put_list(buf);
		}
		r = next;
	}
	return work;
}

/* --- pages of the map -------------------------------------------------------------------------------------------- */

static void
page_done(struct store_read *r, struct strake_buf *buf, int status)
{
	struct store_page_read *p = (struct store_page_read *)r;
	struct store *st = r->st;

	if (status == 0 && (r->head.kind != LOG_PAGES || r->head.seal.stored != MAP_IMAGE_BYTES))
		status = -EBADMSG;
	map_read_done(st->map, p->rd, status, status == 0 ? buf->addr + r->head.head_bytes : NULL);
	if (buf != NULL)
		strake_buf_put(buf);
}

void
store_map_read(void *arg, struct map_read *rd)
{
	struct store *st = arg;
	struct store_page_read *p = &st->pread[rd->slot];

	p->rd = rd;
	p->r.st = st;
	p->r.place = rd->addr;
	p->r.done = page_done;
	store_chunk_read(&p->r);
}
