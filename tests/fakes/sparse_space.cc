/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "sparse_space.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <rte_debug.h>

extern "C" {
#include "stages/volume/store.h"
#include "strake_buf.h"
#include "strake_kernel.h"
}

#define VOLUME	 1u
#define RUN	 LOG_RUN
#define NOTE_MAX (1u << 20)

static uint32_t
div_up(uint64_t a, uint64_t b)
{
	return (uint32_t)((a + b - 1) / b);
}

static uint32_t
bytes_of(uint8_t kind, uint32_t stored, uint8_t blocks)
{
	log_head h = {};

	h.kind = kind;
	h.seal.blocks = blocks;
	h.seal.stored = stored;
	log_head_measure(&h);
	return h.bytes;
}

SparseSpace::SparseSpace(const SparseConf &c) : conf(c)
{
	static const strake_space_ops ops_table = {submit_fn, note_read_fn, note_write_fn, note_async_fn};
	strake_space &sp = grip.sp;
	uint64_t n = conf.blocks / MAP_FANOUT, used;

	grip.self = this;
	sp.ops = &ops_table;
	sp.name = "sparse";
	memcpy(sp.uuid, "\x5a\x5a\x5e\x00\x5a\x5a\x45\x5e\x85", 10);
	sp.data = conf.data;
	sp.unit = conf.unit;
	sp.rows = conf.rows;
	sp.row_bytes = conf.data * conf.unit;
	sp.block = 4096;
	sp.intent_bytes = conf.intent_bytes;
	sp.note_bytes = NOTE_MAX;
	sp.volatile_cache = true;
	seg_bytes = (uint32_t)strake_space_seg_bytes(&sp);
	run_bytes = bytes_of(LOG_DATA, RUN * LOG_BLOCK, RUN);
	page_bytes = bytes_of(LOG_PAGES, MAP_IMAGE_BYTES, 0);
	table_bytes = bytes_of(LOG_TABLE, LOG_TABLE_ENTRIES * LOG_TABLE_ENTRY, 0);
	runs_a_seg = seg_bytes / run_bytes;
	pages_a_seg = seg_bytes / page_bytes;
	for (unsigned l = 0; l < 4; l++, n = div_up(n, MAP_FANOUT)) {
		level_first[l] = pages;
		level_pages[l] = n;
		pages += n;
	}
	data_segs = div_up(conf.blocks / RUN, runs_a_seg);
	page_segs = div_up(pages, pages_a_seg);
	used = data_segs + page_segs + 1;
	sp.segments = (uint32_t)((double)used * (1 + conf.spare)) + 16;
	RTE_VERIFY(div_up(sp.segments, LOG_TABLE_ENTRIES) <= seg_bytes / table_bytes);
	computed.assign(sp.segments, false);
	for (uint32_t i = 0; i < conf.ready; i++)
		unused.emplace_back(new uint8_t[sp.row_bytes]());
	std::fill(computed.begin(), computed.begin() + (long)used, true);
	intents.resize(conf.intent_bytes);
	chunk.resize(LOG_CHUNK_MAX);
	make_super();
}

SparseSpace::~SparseSpace()
{
	forget();
}

/* --- what was there ------------------------------------------------------------------------------------------------
 */

uint64_t
SparseSpace::run_at(uint64_t run) const
{
	return log_direct((uint32_t)(run / runs_a_seg), run % runs_a_seg * run_bytes, run_bytes, 0);
}

uint64_t
SparseSpace::page_at(uint64_t page) const
{
	return log_direct(data_segs + (uint32_t)(page / pages_a_seg), page % pages_a_seg * page_bytes, page_bytes, 0);
}

log_head
SparseSpace::head(uint8_t kind, uint32_t seg, uint32_t off, uint32_t stored, uint8_t blocks) const
{
	log_head h = {};

	h.kind = kind;
	memcpy(&h.store, grip.sp.uuid, sizeof(h.store));
	h.seg = seg;
	h.gen = 1;
	h.off = off;
	h.lsn = kind == LOG_DATA ? 1 : 0;
	h.seal.serial = 1;
	h.seal.blocks = blocks;
	h.seal.stored = stored;
	h.seal.plain = stored;
	log_head_measure(&h);
	return h;
}

/* The payload is in place. */
void
SparseSpace::seal(log_head &h)
{
	log_head_encode(&h, chunk.data());
	log_chunk_seal(chunk.data(), strake_kernel->crc32c(0, chunk.data(), h.bytes));
}

void
SparseSpace::make_run(uint32_t seg, uint32_t i)
{
	uint64_t run = (uint64_t)seg * runs_a_seg + i;
	log_head h = head(LOG_DATA, seg, i * run_bytes, RUN * LOG_BLOCK, RUN);

	std::fill(chunk.begin(), chunk.begin() + run_bytes, 0);
	for (uint32_t b = 0; b < RUN; b++) {
		uint64_t lba = run * RUN + b;

		h.owner[b] = {lba, VOLUME, 0};
		memcpy(&chunk[h.head_bytes + b * LOG_BLOCK], &lba, sizeof(lba));
	}
	seal(h);
}

void
SparseSpace::make_page(uint32_t seg, uint32_t i)
{
	uint64_t page = (uint64_t)(seg - data_segs) * pages_a_seg + i, entry[MAP_FANOUT] = {};
	log_head h = head(LOG_PAGES, seg, i * page_bytes, MAP_IMAGE_BYTES, 0);
	map_owner o = {};

	while (o.level < 3 && page >= level_first[o.level + 1])
		o.level++;
	o.tree = VOLUME;
	o.index = page - level_first[o.level];
	o.gen = 1;
	memcpy(o.uuid, grip.sp.uuid, sizeof(o.uuid));
	for (uint32_t e = 0; e < MAP_FANOUT; e++) {
		uint64_t below = o.index * MAP_FANOUT + e;

		if (o.level > 0)
			entry[e] = below < level_pages[o.level - 1] ? page_at(level_first[o.level - 1] + below) : 0;
		else
			entry[e] = run_at(below / RUN) + (below % RUN << 59);
	}
	std::fill(chunk.begin(), chunk.begin() + page_bytes, 0);
	map_image_encode(&chunk[h.head_bytes], &o, entry);
	seal(h);
}

void
SparseSpace::make_table(uint32_t seg, uint32_t i)
{
	uint32_t first = i * LOG_TABLE_ENTRIES, n = std::min(grip.sp.segments - first, LOG_TABLE_ENTRIES);
	log_head h = head(LOG_TABLE, seg, i * table_bytes, n * LOG_TABLE_ENTRY, 0);

	std::fill(chunk.begin(), chunk.begin() + table_bytes, 0);
	for (uint32_t s = first; s < first + n; s++) {
		log_segment d = {};

		if (s < data_segs) {
			d.live = (uint32_t)std::min<uint64_t>(runs_a_seg * RUN,
							      conf.blocks - (uint64_t)s * runs_a_seg * RUN);
			d.stream = STORE_COLD;
		} else if (s < data_segs + page_segs) {
			d.live = (uint32_t)std::min<uint64_t>(pages_a_seg,
							      pages - (uint64_t)(s - data_segs) * pages_a_seg);
			d.stream = STORE_META;
		} else {
			d.stream = STORE_META;
		}
		d.blocks = d.live;
		d.gen = s <= data_segs + page_segs ? 1 : 0;
		d.state = s <= data_segs + page_segs ? STORE_SEG_CLOSED : STORE_SEG_FREE;
		log_segment_encode(&d, &chunk[h.head_bytes + (s - first) * LOG_TABLE_ENTRY]);
	}
	seal(h);
}

void
SparseSpace::make_super()
{
	std::vector<uint64_t> table;
	std::vector<uint32_t> next;
	map_root roots[2] = {{VOLUME, page_at(pages - 1), conf.blocks, 4},
			     {STORE_TREE_SHARE, 0, 0, STORE_SHARE_LEVELS}};
	uint8_t roots_image[MAP_ROOTS_HEAD + 2 * MAP_ROOT_BYTES];
	log_volume v = {};
	log_super s = {};

	for (uint32_t i = 0; i < div_up(grip.sp.segments, LOG_TABLE_ENTRIES); i++) {
		uint32_t n = std::min(grip.sp.segments - i * LOG_TABLE_ENTRIES, LOG_TABLE_ENTRIES);

		table.push_back(log_direct(data_segs + page_segs, i * table_bytes,
					   bytes_of(LOG_TABLE, n * LOG_TABLE_ENTRY, 0), 0));
	}
	for (uint32_t i = data_segs + page_segs + 1; i < grip.sp.segments && next.size() < LOG_SUPER_NEXT; i++)
		next.push_back(i);
	map_roots_encode(roots_image, 1, roots, 2);
	snprintf(v.name, sizeof(v.name), "v0");
	v.uuid[0] = 7;
	v.bytes = conf.blocks * LOG_BLOCK;
	v.id = VOLUME;
	v.lba_shift = 12;
	memcpy(s.uuid, grip.sp.uuid, sizeof(s.uuid));
	s.seq = s.lsn = s.intent_seq = 1;
	s.serial = conf.blocks;
	s.segments = grip.sp.segments;
	s.next_volume = VOLUME + 1;
	s.n_table = (uint32_t)table.size();
	s.n_next = (uint32_t)next.size();
	s.n_volumes = 1;
	s.roots_bytes = sizeof(roots_image);
	for (auto &o : s.open)
		o.seg = STORE_NONE;
	s.table = table.data();
	s.next = next.data();
	s.volume = &v;
	s.roots = roots_image;
	notes[0].resize(log_super_bytes(&s));
	log_super_encode(&s, notes[0].data());
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

void
SparseSpace::compute(uint32_t seg, uint64_t off, uint32_t len, uint8_t *to)
{
	uint32_t each = seg < data_segs ? run_bytes : seg < data_segs + page_segs ? page_bytes : table_bytes;
	uint64_t n = seg < data_segs ? std::min<uint64_t>(runs_a_seg, conf.blocks / RUN - (uint64_t)seg * runs_a_seg)
		     : seg < data_segs + page_segs
			     ? std::min<uint64_t>(pages_a_seg, pages - (uint64_t)(seg - data_segs) * pages_a_seg)
			     : div_up(grip.sp.segments, LOG_TABLE_ENTRIES);

	memset(to, 0, len);
	for (uint64_t i = off / each; i < n && i * each < off + len; i++) {
		uint64_t lo = std::max(off, i * each), hi = std::min(off + len, (i + 1) * each);

		if (seg < data_segs)
			make_run(seg, (uint32_t)i);
		else if (seg < data_segs + page_segs)
			make_page(seg, (uint32_t)i);
		else
			make_table(seg, (uint32_t)i);
		memcpy(to + (lo - off), &chunk[lo - i * each], hi - lo);
	}
}

void
SparseSpace::read(uint32_t seg, uint64_t off, uint32_t len, uint8_t *to)
{
	if (computed[seg]) {
		uint64_t begin = strake_clock_ns();

		compute(seg, off, len, to);
		compute_ns += strake_clock_ns() - begin;
		return;
	}
	while (len > 0) {
		uint64_t row = off / grip.sp.row_bytes, in = off % grip.sp.row_bytes;
		uint32_t n = (uint32_t)std::min<uint64_t>(len, grip.sp.row_bytes - in);
		auto it = rows.find((uint64_t)seg << 32 | row);

		if (it != rows.end())
			memcpy(to, it->second.get() + in, n);
		else
			memset(to, 0, n);
		off += n;
		to += n;
		len -= n;
	}
}

int
SparseSpace::give(strake_space_io *io)
{
	strake_buf **tail = &io->bufs;

	io->bufs = nullptr;
	for (uint32_t off = 0, n; off < io->len; off += n) {
		strake_buf *b;

		n = std::min(io->len - off, STRAKE_BUF_PAGE_MAX);
		b = strake_buf_page(n);
		if (b == nullptr) {
			strake_buf_put_list(io->bufs);
			io->bufs = nullptr;
			return -ENOMEM;
		}
		if (io->op == STRAKE_SPACE_READ)
			read(io->seg, io->off + off, n, b->addr);
		else
			memcpy(b->addr, &intents[io->off + off], n);
		*tail = b;
		tail = &b->next;
	}
	return 0;
}

/* --- the space -----------------------------------------------------------------------------------------------------
 */

uint8_t *
SparseSpace::row_at(uint32_t seg, uint32_t row)
{
	auto &at = rows[(uint64_t)seg << 32 | row];

	if (at == nullptr && unused.empty()) {
		at.reset(new uint8_t[grip.sp.row_bytes]);
	} else if (at == nullptr) {
		at = std::move(unused.back());
		unused.pop_back();
	}
	return at.get();
}

void
SparseSpace::rows_free(uint32_t seg)
{
	for (uint32_t r = 0; r < grip.sp.rows; r++) {
		auto it = rows.find((uint64_t)seg << 32 | r);

		if (it == rows.end())
			continue;
		unused.push_back(std::move(it->second));
		rows.erase(it);
	}
}

int
SparseSpace::perform(strake_space_io *io)
{
	done[io->op]++;
	bytes[io->op] += io->len;
	switch (io->op) {
	case STRAKE_SPACE_ROW:
		return strake_buf_copy_out(io->bufs, 0, row_at(io->seg, io->row), grip.sp.row_bytes);
	case STRAKE_SPACE_READ:
	case STRAKE_SPACE_INTENT_READ:
		return io->attempt > 0 ? -ERANGE : give(io);
	case STRAKE_SPACE_FREE:
		computed[io->seg] = false;
		rows_free(io->seg);
		return 0;
	case STRAKE_SPACE_INTENT:
		return strake_buf_copy_out(io->bufs, 0, &intents[io->off], io->len);
	default:
		return 0;
	}
}

void
SparseSpace::begin(Op op, uint64_t latency, uint64_t len)
{
	uint64_t now = strake_now();

	busy_until = std::max(busy_until, now) + (uint64_t)((double)len * conf.byte_ns);
	op.due = busy_until + latency;
	ops.push(op);
}

uint32_t
SparseSpace::poll(uint64_t now)
{
	uint32_t work = 0;

	while (!ops.empty() && ops.top().due <= now && work < 64) {
		Op op = ops.top();

		ops.pop();
		work++;
		if (op.io == nullptr) {
			op.note_done(op.note_arg, 0);
			continue;
		}
		op.io->status = perform(op.io);
		op.io->done(op.io);
	}
	return work;
}

SparseSpace *
SparseSpace::of(strake_space *sp)
{
	return container_of(sp, Grip, sp)->self;
}

void
SparseSpace::submit_fn(strake_space *sp, strake_space_io *io)
{
	SparseSpace *self = of(sp);
	Op op;

	op.io = io;
	switch (io->op) {
	case STRAKE_SPACE_READ:
	case STRAKE_SPACE_REPAIR: /* nothing is wrong here, but all of it is read for that */
	case STRAKE_SPACE_INTENT_READ:
		self->begin(op, self->conf.read_ns, io->len);
		break;
	case STRAKE_SPACE_ROW:
	case STRAKE_SPACE_INTENT:
		self->begin(op, self->conf.write_ns, io->len);
		break;
	case STRAKE_SPACE_FREE:
		self->begin(op, self->conf.free_ns, 0);
		break;
	default:
		self->begin(op, self->conf.flush_ns, 0);
	}
}

int
SparseSpace::note_read_fn(strake_space *sp, unsigned id, void *data, uint32_t *len)
{
	auto &note = of(sp)->notes[id];

	*len = (uint32_t)note.size();
	if (*len > 0)
		memcpy(data, note.data(), *len);
	return 0;
}

int
SparseSpace::note_write_fn(strake_space *sp, unsigned id, const void *data, uint32_t len)
{
	const uint8_t *p = (const uint8_t *)data;

	of(sp)->notes[id].assign(p, p + len);
	return 0;
}

void
SparseSpace::note_async_fn(strake_space *sp, unsigned id, const void *data, uint32_t len,
			   void (*over)(void *arg, int status), void *arg)
{
	SparseSpace *self = of(sp);
	Op op;

	note_write_fn(sp, id, data, len);
	op.note_done = over;
	op.note_arg = arg;
	self->begin(op, self->conf.write_ns + self->conf.flush_ns, len);
}

void
SparseSpace::start()
{
	grip.poller.name = "sparse_space";
	grip.poller.poll = [](strake_poller *p, uint64_t now) {
		return container_of(p, Grip, poller)->self->poll(now);
	};
	grip.poller.fd = -1;
	strake_poller_add(&grip.poller);
}

void
SparseSpace::stop()
{
	strake_poller_del(&grip.poller);
}

void
SparseSpace::forget()
{
	ops = {};
}
