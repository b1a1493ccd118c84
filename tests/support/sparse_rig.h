/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SPARSE_RIG_H
#define SPARSE_RIG_H

/* A store on a sparse space, with its volume, on this thread and by the clock; whatever reads wrong ends the program.
 */

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <unordered_map>
#include <vector>

#include <rte_memory.h>

#include "sparse_space.h"

extern "C" {
#include "stages/volume/store.h"
#include "strake_chain.h"
#include "strake_volume.h"
}

class SparseRig
{
      public:
	static constexpr unsigned kDepth = 64; /* requests under way */

	explicit SparseRig(const SparseConf &c) : space(c), blocks(c.blocks)
	{
	}

	/* As a process starts. @return nanoseconds that opening the store took. */
	uint64_t
	boot(uint64_t map_bytes)
	{
		strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, SOCKET_ID_ANY};
		strake_buf_conf bufs = {8192, 192u << 20, SOCKET_ID_ANY};
		strake_pipeline_conf pipe = {512, 512, 16, SOCKET_ID_ANY};
		store_conf sc = {};
		log_conf lv = {};
		char err[300];

		must(strake_lcore_create(0, &lc) == 0, "lcore");
		strake_lcore_enter(0);
		must(strake_buf_init(&bufs) == 0 && strake_pipeline_init(&pipe) == 0 &&
			     strake_pipeline_lcore_init() == 0,
		     "no memory");
		turn();
		space.start();
		sc.name = "s0";
		sc.space = space.space();
		sc.map_bytes = map_bytes;
		uint64_t begin = strake_clock_ns();

		must(store_open(&st, &sc, err, sizeof(err)) == 0, err);
		uint64_t took = strake_clock_ns() - begin;

		lv.name = "v0";
		lv.store = st;
		lv.bytes = blocks * LOG_BLOCK;
		lv.lba_shift = 12;
		lv.slab_shift = 47;
		must(log_create(&vol, &lv, err, sizeof(err)) == 0, err);
		must(log_lcore_init(vol) == 0, "volume");
		return took;
	}

	/* As SIGKILL ends it: what is under way is never heard of again. */
	void
	kill()
	{
		log_lcore_fini(vol);
		log_destroy(vol);
		store_close(st, true);
		space.forget();
		space.stop();
		strake_pipeline_lcore_fini();
		strake_pipeline_fini();
		strake_buf_fini();
		strake_lcore_enter(UINT16_MAX);
		strake_lcore_destroy(0);
		open_reqs = 0;
		since_flush.clear(); /* those may be lost */
	}

	static void
	must(bool ok, const char *what)
	{
		if (ok)
			return;
		fprintf(stderr, "sparse rig: %s\n", what);
		exit(1);
	}

	/* All that the store keeps of its space in memory, the map's cache included: bytes. */
	uint64_t
	memory() const
	{
		return map_stats(st->map)->bytes + sizeof(*st) +
		       st->n_seg * (sizeof(*st->seg) + sizeof(*st->ckpt.table));
	}

	static void
	turn()
	{
		strake_lcore_turn(strake_clock_ns());
	}

	/* @return false: it is time to die. */
	bool
	submit(uint8_t op, uint64_t lba, uint32_t n)
	{
		strake_req *req;

		while (open_reqs >= kDepth || (req = strake_req_alloc(false)) == nullptr) {
			turn();
			if (enough && enough())
				return false;
		}
		req->vol = vol;
		req->u.op = op;
		req->u.lba = lba;
		req->u.nlb = n;
		req->u.nbytes = n * LOG_BLOCK;
		req->u.arg = this;
		req->u.done = over;
		for (uint32_t i = 0; op == STRAKE_OP_WRITE && i < n; i++) {
			strake_buf *b = strake_buf_page(LOG_BLOCK);
			uint64_t stamp = lba + i + (1ull << 48);

			must(b != nullptr, "no buffer");
			memset(b->addr, 0, LOG_BLOCK);
			memcpy(b->addr, &stamp, sizeof(stamp));
			strake_unit_append(&req->u, b);
			written[lba + i] = false;
			since_flush.push_back(lba + i);
		}
		open_reqs++;
		strake_req_submit(&req, 1);
		return true;
	}

	void
	flush()
	{
		drain();
		submit(STRAKE_OP_FLUSH, 0, 0);
		drain();
		for (uint64_t lba : since_flush)
			written[lba] = true;
		since_flush.clear();
	}

	void
	drain()
	{
		while (open_reqs > 0)
			turn();
	}

	store *st = nullptr;
	strake_volume *vol = nullptr;
	SparseSpace space;
	uint64_t blocks;
	unsigned open_reqs = 0;
	std::unordered_map<uint64_t, bool> written; /* by block: and flushed */
	std::vector<uint64_t> since_flush;
	std::function<bool()> enough;

      private:
	static void
	over(strake_unit *u)
	{
		SparseRig *m = (SparseRig *)u->arg;

		must(u->status == 0, "a request failed");
		if (u->op == STRAKE_OP_READ)
			m->check(u);
		m->open_reqs--;
		strake_req_free(strake_req_of(u));
	}

	void
	check(strake_unit *u)
	{
		for (uint32_t i = 0; i < u->nlb; i++) {
			auto it = written.find(u->lba + i);
			uint64_t got;

			must(strake_buf_copy_out(u->bufs, i * LOG_BLOCK, &got, sizeof(got)) == 0, "short read");
			bool old = got == u->lba + i, now = got == u->lba + i + (1ull << 48);

			must(it == written.end() ? old : it->second ? now : old || now, "wrong data");
		}
	}
};

#endif /* SPARSE_RIG_H */
