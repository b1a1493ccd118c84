/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SPACE_H
#define SPACE_H

/*
 * A strake_space in memory, with real parity, that loses power, tears, lies and fails: for tests of the store.
 *
 * It outlives the store that was opened on it, as drives outlive the process. Columns have a volatile cache: until a
 * FLUSH is done, a power cut leaves each 512-byte sector of each column with any content written since, or the durable
 * one. Intents and notes are durable when done; an intent that was under way when power went is torn, differently in
 * each of its copies; a note is the old one or the new one. After a cut all ends with -EIO, until restore(). Everything
 * random follows from the seed.
 *
 *     FakeSpace fs({.seed = 7, .segments = 32});
 *     fs.start();                       on the owner lcore
 *     ... store_open(fs.space()) ..., run once, note fs.writes(); again with fs.cut_at(any number up to it) ...
 *     fs.forget();                      the process is gone: nothing that was under way is ever done
 *     fs.restore();
 *     ... store_open(fs.space()) ...: what was flushed must be there
 *     fs.stop();                        on the owner lcore
 */

#include <cerrno>
#include <functional>
#include <map>
#include <vector>

extern "C" {
#include "power_medium.h"
#include "strake_lcore.h"
}
#include "strake_space.h"

struct FakeSpaceConf {
	uint64_t seed = 1;
	uint16_t data = 3, parity = 1;
	uint16_t owner = 0;
	uint32_t unit = 16384;
	uint32_t rows = 4;
	uint32_t segments = 32;
	uint32_t block = 512;
	uint32_t intent_bytes = 262144;
	uint32_t note_bytes = 65536;
	bool volatile_cache = true;
	uint32_t delay_turns = 0; /* each io takes 1 to 1 + this many turns, and so they end out of order */
	/* Virtual time: the space is busy this long with an io and with each KiB of it; 0: turns alone count. */
	uint64_t op_ns = 0, kib_ns = 0;
};

/* Fail ios on command. */
struct FakeSpaceFault {
	uint32_t ops = 0;	   /* bitmap of 1 << STRAKE_SPACE_*; 0: all */
	uint32_t seg = UINT32_MAX; /* UINT32_MAX: any */
	uint64_t off = 0, len = 0; /* of the segment or the intents; len 0: anywhere */
	uint32_t skip = 0;	   /* let this many pass first */
	uint32_t count = 0;	   /* then fail this many; 0: for ever */
	int status = -EIO;	   /* nothing is carried out */
};

/* What it saw. The last four are bugs of the caller: a test asserts that they are 0. */
struct FakeSpaceFigures {
	uint64_t done[STRAKE_SPACE_REPAIR + 1] = {};
	uint64_t bytes[STRAKE_SPACE_REPAIR + 1] = {};
	uint64_t notes = 0, failed = 0, repaired = 0; /* repaired: column pieces that were wrong and are right now */
	uint64_t lost = 0;			      /* of columns: writes that were */
	uint64_t out_of_order = 0;		      /* a row that is not the next one of its segment */
	uint64_t changed = 0;			      /* payload changed between submit and done */
	uint64_t out_of_bounds = 0;
	uint64_t used_frees = 0; /* a segment freed while reads of it were under way */
};

class FakeSpace
{
      public:
	explicit FakeSpace(const FakeSpaceConf &conf);
	~FakeSpace();
	FakeSpace(const FakeSpace &) = delete;

	strake_space *
	space()
	{
		return &sp;
	}
	/* Add and remove the poller: on the owner lcore. */
	void start();
	void stop();
	/* More segments, as when a drive was added. */
	void grow(uint32_t segments);

	/* --- power --- */

	/* Cut when the nth row, free, flush, intent or note from now begins (that one is under way); 0: not at all. */
	void cut_at(uint64_t nth);
	void cut();
	void restore();
	bool
	on() const
	{
		return powered;
	}
	/* What cut_at() counts, so far. */
	uint64_t
	writes() const
	{
		return n_writes;
	}
	/* Forget what is under way: it is never done. */
	void forget();
	/* Hold everything back until released: ios that hang. */
	bool hold = false;
	size_t inflight() const;

	/* --- faults --- */

	void fault(const FakeSpaceFault &f);
	void no_faults();
	/* Column c of a row: 0 to data - 1 in the order of the bytes, then parity. */
	/* Flip bits of a column's bytes [off, off + len) of a row: a plain read gets them, if they lie in its way. */
	void wrong(uint32_t seg, uint32_t row, uint32_t column, uint32_t off, uint32_t len);
	/* The column of that row holds other bytes, those of another place: misdirected, or a write that was lost. */
	void misdirect(uint32_t seg, uint32_t row, uint32_t column, uint32_t from_seg, uint32_t from_row);
	/* What a column has of a row from off on. Parity does not follow. */
	void scribble(uint32_t seg, uint32_t row, uint32_t column, uint32_t off, const std::vector<uint8_t> &data);
	/* Asked of each column that a row, a free or a repair comes to: is that lost, though it ends well? */
	std::function<bool(const strake_space_io *io, uint32_t column)> loses;
	/* The column of that row cannot be read until it is written or freed. With seg UINT32_MAX: all of it, always,
	 * as a drive that is gone; reads go on up to `parity` of those. */
	void unreadable(uint32_t seg, uint32_t row, uint32_t column);
	void readable();

	/* --- looking --- */

	const FakeSpaceFigures &
	figures() const
	{
		return fig;
	}
	/* Bytes of a segment as a plain read sees them; of the intents. */
	std::vector<uint8_t> peek(uint32_t seg, uint64_t off, uint32_t len) const;
	std::vector<uint8_t> peek_intents(uint64_t off, uint32_t len, unsigned copy = 0) const;
	void poke(uint32_t seg, uint64_t off, const std::vector<uint8_t> &data); /* parity follows */
	std::map<unsigned, std::vector<uint8_t>> notes;
	/* Rows of a segment written since it was last freed. */
	uint32_t
	rows_written(uint32_t seg) const
	{
		return next_row[seg];
	}

      private:
	struct Op;

	/* So that callbacks find their way back. */
	struct Grip {
		strake_space sp;
		strake_poller poller;
		FakeSpace *self;
	} grip = {};
	strake_space &sp = grip.sp;
	FakeSpaceConf conf;
	uint64_t rng;
	bool powered = true;
	uint64_t n_writes = 0, cut_nth = 0, turn = 0, busy_until = 0;
	std::vector<power_medium> columns; /* data + parity of them: segments * rows * unit each */
	std::vector<power_medium> intents; /* parity + 1 */
	std::vector<uint32_t> next_row;
	std::vector<Op *> ops;
	std::vector<FakeSpaceFault> faults;
	std::map<std::pair<uint64_t, uint32_t>, bool> lost; /* (row of all segments, column) */
	uint32_t gone = 0;				    /* columns */
	FakeSpaceFigures fig;
	std::vector<uint8_t> encode, tables;

	uint32_t
	width() const
	{
		return sp.data + sp.parity;
	}
	uint64_t
	place(uint32_t seg, uint32_t row) const
	{
		return ((uint64_t)seg * sp.rows + row) * sp.unit;
	}
	bool bounds(const strake_space_io *io) const;
	void begin(Op *op);
	uint32_t poll();
	int perform(Op *op);
	int perform_read(strake_space_io *io);
	int perform_repair(strake_space_io *io);
	bool is_lost(const strake_space_io *io, uint32_t column);
	int repaired(const strake_space_io *io, uint32_t mask, uint64_t row, std::vector<std::vector<uint8_t>> &cols,
		     std::vector<uint8_t> &vouched) const;
	bool stretch(const strake_space_io *io, uint32_t mask, uint64_t row, uint32_t column, uint32_t *lo,
		     uint32_t *hi) const;
	int fault_of(const strake_space_io *io);
	std::vector<std::vector<uint8_t>> row_columns(const std::vector<uint8_t> &bytes) const;
	bool left_out(uint32_t attempt, uint32_t *mask) const;
	/* A row's columns; those in the mask, or unreadable, rebuilt. @return false: too few are left. */
	bool row_read(uint32_t seg, uint32_t row, uint32_t mask, std::vector<std::vector<uint8_t>> &out) const;
	bool rebuild(uint32_t out_mask, std::vector<std::vector<uint8_t>> &cols) const;
	int give(strake_space_io *io, const std::vector<uint8_t> &bytes);
	bool count_write();
	int note_put(unsigned id, const void *data, uint32_t len, bool *cut_now);

	static FakeSpace *of(strake_space *sp);
	static void submit_fn(strake_space *sp, strake_space_io *io);
	static int note_read_fn(strake_space *sp, unsigned id, void *data, uint32_t *len);
	static int note_write_fn(strake_space *sp, unsigned id, const void *data, uint32_t len);
	static void note_async_fn(strake_space *sp, unsigned id, const void *data, uint32_t len,
				  void (*done)(void *arg, int status), void *arg);
	static const strake_space_ops space_ops;
};

#endif /* SPACE_H */
