/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SPARSE_SPACE_H
#define SPARSE_SPACE_H

/*
 * A strake_space that holds a store with one large volume, all of it mapped, without keeping it: what lies in the
 * segments that were there at the beginning is computed when it is read. Only rows that are written are kept. Without
 * parity and power cuts (space.h has those); nothing is lost but what was under way.
 *
 * Block b of the volume "v0" begins with b, as 64 bits, and is zero behind; it lies in runs of eight, in order.
 *
 * Ios take time, by the clock given: a latency each, and bytes pass one after the other, so a queue helps as on drives.
 */

#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <unordered_map>
#include <vector>

extern "C" {
#include "stages/volume/log_format.h"
#include "stages/volume/map_format.h"
#include "strake_lcore.h"
#include "strake_space.h"
}

struct SparseConf {
	uint64_t blocks = 1 << 20; /* of the volume, of 4 KiB; a multiple of 512 */
	uint32_t unit = 131072;
	uint16_t data = 4;
	uint32_t rows = 128; /* 4 * 128 KiB * 128: segments of 64 MiB */
	double spare = 0.25; /* segments that are free, by those that are not */
	uint32_t intent_bytes = 1 << 20;
	uint32_t ready = 0; /* rows whose memory is there before they are written */
	/* Nanoseconds an io takes, and those of each byte read or written. */
	uint64_t read_ns = 0, write_ns = 0, flush_ns = 0, free_ns = 0;
	double byte_ns = 0;
};

class SparseSpace
{
      public:
	explicit SparseSpace(const SparseConf &conf);
	~SparseSpace();
	SparseSpace(const SparseSpace &) = delete;

	strake_space *
	space()
	{
		return &grip.sp;
	}
	/* Add and remove the poller: on the owner lcore. */
	void start();
	void stop();
	/* The process is gone: what is under way is never done. */
	void forget();

	uint64_t compute_ns = 0; /* of the processor, spent on what drives would have read */
	uint64_t done[STRAKE_SPACE_REPAIR + 1] = {}, bytes[STRAKE_SPACE_REPAIR + 1] = {};
	/* What the store had at the beginning. */
	uint32_t data_segs = 0, page_segs = 0;
	uint64_t pages = 0;

      private:
	struct Op {
		strake_space_io *io = nullptr;
		uint64_t due = 0;
		void (*note_done)(void *arg, int status) = nullptr;
		void *note_arg = nullptr;
		bool
		operator<(const Op &o) const
		{
			return due > o.due;
		}
	};
	struct Grip {
		strake_space sp;
		strake_poller poller;
		SparseSpace *self;
	} grip = {};

	SparseConf conf;
	uint32_t seg_bytes, run_bytes, page_bytes, table_bytes, runs_a_seg, pages_a_seg;
	uint64_t level_first[4], level_pages[4]; /* ordinals of pages, leaves first */
	std::priority_queue<Op> ops;
	uint64_t busy_until = 0;
	std::unordered_map<uint64_t, std::unique_ptr<uint8_t[]>> rows; /* by segment and row */
	std::vector<std::unique_ptr<uint8_t[]>> unused;		       /* of freed ones, and those made ready */
	std::vector<bool> computed;				       /* segments that nobody has freed */
	std::vector<uint8_t> intents, chunk;
	std::unordered_map<unsigned, std::vector<uint8_t>> notes;

	uint64_t run_at(uint64_t run) const;
	uint64_t page_at(uint64_t page) const;
	log_head head(uint8_t kind, uint32_t seg, uint32_t off, uint32_t stored, uint8_t blocks) const;
	void seal(log_head &h);
	void make_run(uint32_t seg, uint32_t i);
	void make_page(uint32_t seg, uint32_t i);
	void make_table(uint32_t seg, uint32_t i);
	void make_super();
	void compute(uint32_t seg, uint64_t off, uint32_t len, uint8_t *to);
	void read(uint32_t seg, uint64_t off, uint32_t len, uint8_t *to);
	uint8_t *row_at(uint32_t seg, uint32_t row);
	void rows_free(uint32_t seg);
	int perform(strake_space_io *io);
	int give(strake_space_io *io);
	void begin(Op op, uint64_t latency, uint64_t len);
	uint32_t poll(uint64_t now);

	static SparseSpace *of(strake_space *sp);
	static void submit_fn(strake_space *sp, strake_space_io *io);
	static int note_read_fn(strake_space *sp, unsigned id, void *data, uint32_t *len);
	static int note_write_fn(strake_space *sp, unsigned id, const void *data, uint32_t len);
	static void note_async_fn(strake_space *sp, unsigned id, const void *data, uint32_t len,
				  void (*done)(void *arg, int status), void *arg);
};

#endif /* SPARSE_SPACE_H */
