/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "space_pvt.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <isa-l.h>
#include <rte_common.h>
#include <rte_debug.h>

#include "strake_buf.h"

/* An io under way, with its payload as it was at submission; or a note. */
struct FakeSpace::Op {
	strake_space_io *io = nullptr;
	uint64_t due = 0, due_ns = 0;
	std::vector<uint64_t> seq; /* flush: what each column had seen when it began */
	int status = 0;
	std::vector<uint8_t> data;
	void (*note_done)(void *arg, int status) = nullptr;
	void *note_arg = nullptr;
};

std::vector<uint8_t>
bytes_of(const power_medium &m, uint64_t off, uint64_t len)
{
	std::vector<uint8_t> v(len);

	power_medium_read(&m, off, v.data(), len);
	return v;
}

std::vector<uint8_t>
payload_of(strake_buf *bufs, uint32_t len)
{
	std::vector<uint8_t> v(len);

	if (strake_buf_copy_out(bufs, 0, v.data(), len) < 0)
		rte_panic("an io of %u bytes with a shorter payload\n", len);
	return v;
}

void
medium_write(power_medium *m, uint64_t off, const std::vector<uint8_t> &bytes, bool durable, bool half)
{
	power_payload *p = power_payload_new((uint32_t)bytes.size());

	memcpy(power_payload_bytes(p), bytes.data(), bytes.size());
	if (half)
		power_medium_half_write(m, off, (uint32_t)bytes.size(), p);
	else
		power_medium_write(m, off, (uint32_t)bytes.size(), p, durable);
	power_payload_put(p);
}

/* --- power ---------------------------------------------------------------------------------------------------------
 */

void
FakeSpace::cut_at(uint64_t nth)
{
	cut_nth = nth == 0 ? 0 : n_writes + nth;
}

void
FakeSpace::cut()
{
	if (!powered)
		return;
	powered = false;
	for (Op *op : ops) {
		strake_space_io *io = op->io;

		if (io != nullptr && op->status == 0 && io->op == STRAKE_SPACE_ROW) {
			auto cols = row_columns(op->data);

			for (uint32_t c = 0; c < width(); c++)
				medium_write(&columns[c], place(io->seg, io->row), cols[c], false, true);
		} else if (io != nullptr && op->status == 0 && io->op == STRAKE_SPACE_INTENT) {
			for (auto &m : intents)
				medium_write(&m, io->off, op->data, false, true);
		}
		op->status = -EIO;
	}
	for (auto &m : columns)
		power_medium_cut(&m, &rng);
	for (auto &m : intents)
		power_medium_cut(&m, &rng);
}

void
FakeSpace::restore()
{
	powered = true;
	cut_nth = 0;
	/* Which rows there are is for the store to find out: it may go on behind any of them, or free the segment. */
	std::fill(next_row.begin(), next_row.end(), UINT32_MAX);
}

bool
FakeSpace::count_write()
{
	if (++n_writes != cut_nth)
		return false;
	cut();
	return true;
}

void
FakeSpace::forget()
{
	for (Op *op : ops)
		delete op;
	ops.clear();
}

size_t
FakeSpace::inflight() const
{
	return ops.size();
}

/* --- carrying out --------------------------------------------------------------------------------------------------
 */

int
FakeSpace::perform(Op *op)
{
	strake_space_io *io = op->io;

	fig.done[io->op]++;
	fig.bytes[io->op] += io->op == STRAKE_SPACE_ROW ? sp.row_bytes : io->len;
	switch (io->op) {
	case STRAKE_SPACE_ROW: {
		auto cols = row_columns(op->data);

		fig.changed += payload_of(io->bufs, sp.row_bytes) != op->data;
		for (uint32_t c = 0; c < width(); c++) {
			lost.erase({(uint64_t)io->seg * sp.rows + io->row, c});
			if (is_lost(io, c))
				continue;
			medium_write(&columns[c], place(io->seg, io->row), cols[c], !sp.volatile_cache);
		}
		return 0;
	}
	case STRAKE_SPACE_READ:
		return perform_read(io);
	case STRAKE_SPACE_FREE:
		for (uint32_t c = 0; c < width(); c++) {
			for (uint32_t r = 0; r < sp.rows; r++)
				lost.erase({(uint64_t)io->seg * sp.rows + r, c});
			if (is_lost(io, c))
				continue;
			power_medium_write(&columns[c], place(io->seg, 0), sp.rows * sp.unit, nullptr, false);
		}
		return 0;
	case STRAKE_SPACE_FLUSH:
		for (size_t c = 0; c < columns.size(); c++)
			power_medium_settle(&columns[c], op->seq[c]);
		return 0;
	case STRAKE_SPACE_INTENT:
		fig.changed += payload_of(io->bufs, io->len) != op->data;
		for (auto &m : intents) {
			medium_write(&m, io->off, op->data, true);
			power_medium_settle(&m, power_medium_seq(&m));
		}
		return 0;
	case STRAKE_SPACE_INTENT_READ:
		if (io->attempt > sp.parity)
			return -ERANGE;
		return give(io, peek_intents(io->off, io->len, io->attempt));
	default:
		return perform_repair(io);
	}
}

/* --- submission ----------------------------------------------------------------------------------------------------
 */

bool
FakeSpace::bounds(const strake_space_io *io) const
{
	if (io->op == STRAKE_SPACE_FLUSH)
		return true;
	if (io->op == STRAKE_SPACE_INTENT || io->op == STRAKE_SPACE_INTENT_READ)
		return io->len > 0 && io->off + io->len <= sp.intent_bytes && (io->off | io->len) % sp.block == 0;
	if (io->seg >= sp.segments)
		return false;
	if (io->op == STRAKE_SPACE_ROW)
		return io->row < sp.rows && strake_buf_list_len(io->bufs) == sp.row_bytes;
	return io->op == STRAKE_SPACE_FREE ||
	       (io->len > 0 && io->off + io->len <= strake_space_seg_bytes(&sp) && io->off + io->len > io->off);
}

int
FakeSpace::fault_of(const strake_space_io *io)
{
	for (auto &f : faults) {
		if ((f.ops != 0 && !(f.ops & 1u << io->op)) || (f.seg != UINT32_MAX && f.seg != io->seg) ||
		    (f.len != 0 && (io->off >= f.off + f.len || io->off + io->len <= f.off)))
			continue;
		if (f.skip > 0) {
			f.skip--;
			continue;
		}
		if (f.count == UINT32_MAX)
			continue;
		if (f.count != 0 && --f.count == 0)
			f.count = UINT32_MAX;
		return f.status;
	}
	return 0;
}

void
FakeSpace::begin(Op *op)
{
	strake_space_io *io = op->io;
	uint32_t len = io == nullptr		     ? (uint32_t)op->data.size()
		       : io->op == STRAKE_SPACE_ROW  ? sp.row_bytes
		       : io->op == STRAKE_SPACE_FREE ? 0
						     : io->len;
	uint64_t now = strake_now();

	op->due = turn + 1 + (conf.delay_turns > 0 ? power_draw(&rng) % (conf.delay_turns + 1) : 0);
	busy_until = RTE_MAX(busy_until, now) + conf.op_ns + conf.kib_ns * len / 1024;
	op->due_ns = conf.op_ns + conf.kib_ns > 0 ? busy_until : now;
	for (auto &m : columns)
		op->seq.push_back(power_medium_seq(&m));
	if (!powered)
		op->status = -EIO;
	ops.push_back(op);
}

FakeSpace *
FakeSpace::of(strake_space *s)
{
	return container_of(s, Grip, sp)->self;
}

void
FakeSpace::submit_fn(strake_space *s, strake_space_io *io)
{
	FakeSpace *self = of(s);
	Op *op = new Op;

	RTE_VERIFY(strake_self_index() == s->owner);
	op->io = io;
	io->status = 0;
	if (!self->bounds(io)) {
		self->fig.out_of_bounds++;
		op->status = -ERANGE;
	} else if (self->powered) {
		op->status = self->fault_of(io);
	}
	if (op->status == 0 && (io->op == STRAKE_SPACE_ROW || io->op == STRAKE_SPACE_INTENT))
		op->data = payload_of(io->bufs, io->op == STRAKE_SPACE_ROW ? s->row_bytes : io->len);
	if (op->status == 0 && io->op == STRAKE_SPACE_ROW) {
		uint32_t &next = self->next_row[io->seg];

		self->fig.out_of_order += next != UINT32_MAX && io->row != next;
		next = io->row + 1;
	} else if (op->status == 0 && io->op == STRAKE_SPACE_FREE) {
		self->next_row[io->seg] = 0;
		for (Op *o : self->ops)
			self->fig.used_frees +=
				o->io != nullptr && o->io->op == STRAKE_SPACE_READ && o->io->seg == io->seg;
	}
	self->begin(op);
	if (io->op != STRAKE_SPACE_READ && io->op != STRAKE_SPACE_INTENT_READ && self->powered)
		self->count_write();
}

uint32_t
FakeSpace::poll()
{
	std::vector<Op *> due, left;
	uint64_t now = strake_now();

	turn++;
	for (Op *op : ops) {
		if (hold || op->due > turn || (op->due_ns > now && powered))
			left.push_back(op);
		else if (conf.delay_turns > 0 && power_draw(&rng) % 2 == 0)
			due.insert(due.begin(), op);
		else
			due.push_back(op);
	}
	ops = left;
	for (Op *op : due) {
		if (op->status == 0 && op->io != nullptr)
			op->status = perform(op);
		fig.failed += op->status != 0;
	}
	for (Op *op : due) {
		if (op->io != nullptr) {
			op->io->status = op->status;
			op->io->done(op->io);
		} else {
			op->note_done(op->note_arg, op->status);
		}
		delete op;
	}
	return (uint32_t)due.size();
}

/* --- notes ---------------------------------------------------------------------------------------------------------
 */

/* A note under way when power goes is the old one or the new one. */
int
FakeSpace::note_put(unsigned id, const void *data, uint32_t len, bool *cut_now)
{
	*cut_now = false;
	if (len > sp.note_bytes)
		return -ERANGE;
	if (!powered)
		return -EIO;
	fig.notes++;
	*cut_now = count_write();
	if (!*cut_now || power_draw(&rng) % 2 == 0)
		notes[id].assign((const uint8_t *)data, (const uint8_t *)data + len);
	return *cut_now ? -EIO : 0;
}

int
FakeSpace::note_read_fn(strake_space *s, unsigned id, void *data, uint32_t *len)
{
	FakeSpace *self = of(s);
	auto it = self->notes.find(id);

	if (!self->powered)
		return -EIO;
	*len = it == self->notes.end() ? 0 : (uint32_t)it->second.size();
	if (*len > 0)
		memcpy(data, it->second.data(), *len);
	return 0;
}

int
FakeSpace::note_write_fn(strake_space *s, unsigned id, const void *data, uint32_t len)
{
	FakeSpace *self = of(s);
	bool cut_now;

	RTE_VERIFY(strake_self_index() == STRAKE_LCORE_MAIN);
	strake_lcore_turn(strake_now());
	return self->note_put(id, data, len, &cut_now);
}

void
FakeSpace::note_async_fn(strake_space *s, unsigned id, const void *data, uint32_t len,
			 void (*done)(void *arg, int status), void *arg)
{
	FakeSpace *self = of(s);
	Op *op = new Op;
	bool cut_now;
	int ret = self->note_put(id, data, len, &cut_now);

	op->note_done = done;
	op->note_arg = arg;
	op->status = ret;
	self->begin(op);
}

const strake_space_ops FakeSpace::space_ops = {submit_fn, note_read_fn, note_write_fn, note_async_fn};

/* --- the test's side -----------------------------------------------------------------------------------------------
 */

FakeSpace::FakeSpace(const FakeSpaceConf &c) : conf(c), rng(c.seed)
{
	grip.self = this;
	sp.ops = &space_ops;
	sp.name = "fake";
	memcpy(sp.uuid, "\x0f\xa4\xe0\x0f\xa4\xe0\x40\x00\x80\x00", 10);
	sp.data = c.data;
	sp.parity = c.parity;
	sp.owner = c.owner;
	sp.unit = c.unit;
	sp.rows = c.rows;
	sp.row_bytes = c.data * c.unit;
	sp.segments = c.segments;
	sp.block = c.block;
	sp.intent_bytes = c.intent_bytes;
	sp.note_bytes = c.note_bytes;
	sp.volatile_cache = c.volatile_cache;
	columns.resize(width());
	intents.resize(sp.parity + 1u);
	for (auto &m : columns)
		power_medium_init(&m, (uint64_t)c.segments * c.rows * c.unit);
	for (auto &m : intents)
		power_medium_init(&m, c.intent_bytes);
	next_row.assign(c.segments, 0);
	encode.resize((size_t)width() * c.data);
	gf_gen_cauchy1_matrix(encode.data(), (int)width(), c.data);
	tables.resize((size_t)32 * c.data * RTE_MAX(c.parity, (uint16_t)1));
	if (c.parity > 0)
		ec_init_tables(c.data, c.parity, &encode[(size_t)c.data * c.data], tables.data());
}

FakeSpace::~FakeSpace()
{
	forget();
	for (auto &m : columns)
		power_medium_fini(&m);
	for (auto &m : intents)
		power_medium_fini(&m);
}

void
FakeSpace::start()
{
	RTE_VERIFY(strake_self_index() == sp.owner);
	grip.poller.name = "fake_space";
	grip.poller.poll = [](strake_poller *p, uint64_t) { return container_of(p, Grip, poller)->self->poll(); };
	grip.poller.fd = -1;
	strake_poller_add(&grip.poller);
}

void
FakeSpace::stop()
{
	strake_poller_del(&grip.poller);
}

void
FakeSpace::grow(uint32_t segments)
{
	for (auto &m : columns) {
		power_medium bigger;
		uint64_t bytes = m.bytes;

		power_medium_settle(&m, power_medium_seq(&m));
		power_medium_init(&bigger, (uint64_t)segments * sp.rows * sp.unit);
		power_medium_poke(&bigger, 0, bytes_of(m, 0, bytes).data(), bytes);
		bigger.first_seq = power_medium_seq(&m);
		power_medium_fini(&m);
		m = bigger;
	}
	next_row.resize(segments, 0);
	sp.segments = segments;
}

void
FakeSpace::fault(const FakeSpaceFault &f)
{
	faults.push_back(f);
}

void
FakeSpace::no_faults()
{
	faults.clear();
}

void
FakeSpace::wrong(uint32_t seg, uint32_t row, uint32_t column, uint32_t off, uint32_t len)
{
	std::vector<uint8_t> v = bytes_of(columns[column], place(seg, row) + off, len);

	for (auto &b : v)
		b ^= (uint8_t)(1 + power_draw(&rng) % 255);
	power_medium_poke(&columns[column], place(seg, row) + off, v.data(), len);
}

void
FakeSpace::misdirect(uint32_t seg, uint32_t row, uint32_t column, uint32_t from_seg, uint32_t from_row)
{
	std::vector<uint8_t> v = bytes_of(columns[column], place(from_seg, from_row), sp.unit);

	power_medium_poke(&columns[column], place(seg, row), v.data(), sp.unit);
}

void
FakeSpace::scribble(uint32_t seg, uint32_t row, uint32_t column, uint32_t off, const std::vector<uint8_t> &data)
{
	power_medium_poke(&columns[column], place(seg, row) + off, data.data(), data.size());
}

void
FakeSpace::unreadable(uint32_t seg, uint32_t row, uint32_t column)
{
	if (seg == UINT32_MAX)
		gone |= 1u << column;
	else
		lost[{(uint64_t)seg * sp.rows + row, column}] = true;
}

void
FakeSpace::readable()
{
	gone = 0;
	lost.clear();
}

std::vector<uint8_t>
FakeSpace::peek(uint32_t seg, uint64_t off, uint32_t len) const
{
	std::vector<uint8_t> v(len);

	for (uint32_t i = 0; i < len; i++) {
		uint64_t at = off + i, row = at / sp.row_bytes, in = at % sp.row_bytes;

		power_medium_read(&columns[in / sp.unit], place(seg, (uint32_t)row) + in % sp.unit, &v[i], 1);
	}
	return v;
}

std::vector<uint8_t>
FakeSpace::peek_intents(uint64_t off, uint32_t len, unsigned copy) const
{
	return bytes_of(intents[copy], off, len);
}

void
FakeSpace::poke(uint32_t seg, uint64_t off, const std::vector<uint8_t> &data)
{
	for (uint64_t row = off / sp.row_bytes; row * sp.row_bytes < off + data.size(); row++) {
		auto bytes = peek(seg, row * sp.row_bytes, sp.row_bytes);

		for (size_t i = 0; i < bytes.size(); i++) {
			uint64_t at = row * sp.row_bytes + i;

			if (at >= off && at < off + data.size())
				bytes[i] = data[at - off];
		}
		auto cols = row_columns(bytes);

		for (uint32_t c = 0; c < width(); c++)
			power_medium_poke(&columns[c], place(seg, (uint32_t)row), cols[c].data(), sp.unit);
	}
}
