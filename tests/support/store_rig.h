/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STORE_RIG_H
#define STORE_RIG_H

/* A store on a fake space, with one volume, on this thread and virtual time; and a host that remembers what it wrote.
 */

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>
#include <rte_memory.h>

#include "space.h"

extern "C" {
#include "stages/volume/store.h"
#include "strake_advice.h"
#include "strake_chain.h"
#include "strake_kernel.h"
#include "strake_volume.h"
}

using bytes = std::vector<uint8_t>;

struct RigReq {
	bool done = false;
	int status = 1;
	bytes data;
	strake_advice advice = {};
	std::function<void(RigReq *)> then;
};

inline FakeSpaceConf
space_of(uint32_t segments, uint32_t delay_turns)
{
	FakeSpaceConf c;

	c.segments = segments;
	c.rows = 8;
	c.delay_turns = delay_turns;
	return c;
}

/* What most tests want. */
inline FakeSpaceConf
small()
{
	return space_of(64, 3);
}

class StoreRig
{
      public:
	std::unique_ptr<FakeSpace> fs;
	FakeSpaceConf conf;
	store *st = nullptr;
	strake_volume *vol = nullptr;
	uint64_t now = 1000;
	uint64_t vol_bytes = 8u << 20;
	uint32_t lba_shift = 12;
	bool write_through = false;
	uint64_t map_bytes = 0, checkpoint_bytes = 0, row_age = 0;
	uint64_t open_reqs = 0;
	bool up = false;
	std::function<void()> before_volume; /* may make the stages */
	std::vector<strake_stage *> req_stages, chunk_stages;
	uint32_t domain = 0;
	explicit StoreRig(const FakeSpaceConf &c) : fs(new FakeSpace(c)), conf(c)
	{
		self() = this;
	}

	~StoreRig()
	{
		if (up)
			down(true);
	}

	/* As a process starts. @return of store_open or log_create. */
	int
	boot()
	{
		strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, SOCKET_ID_ANY};
		strake_buf_conf bufs = {8192, 40u << 20, SOCKET_ID_ANY};
		strake_pipeline_conf pipe = {512, 512, 16, SOCKET_ID_ANY, nullptr};
		char err[300];
		int ret;

		EXPECT_EQ(0, strake_lcore_create(0, &lc));
		strake_lcore_enter(0);
		EXPECT_EQ(0, strake_buf_init(&bufs));
		EXPECT_EQ(0, strake_pipeline_init(&pipe));
		EXPECT_EQ(0, strake_pipeline_lcore_init());
		strake_lcore_turn(now);
		fs->start();
		up = true;
		open_reqs = 0;

		store_conf sc = {};

		sc.name = "s0";
		sc.space = fs->space();
		sc.map_bytes = map_bytes;
		sc.checkpoint_bytes = checkpoint_bytes;
		sc.row_age = row_age;
		sc.jobs = 128;
		sc.clock = clock;
		stuck = 0;
		ret = store_open(&st, &sc, err, sizeof(err));
		if (ret < 0) {
			st = nullptr;
			why = err;
			return ret;
		}
		if (before_volume)
			before_volume();
		ret = volume_up("v0", vol_bytes, &vol);
		if (ret < 0)
			vol = nullptr;
		return ret;
	}

	int
	volume_up(const char *name, uint64_t size, strake_volume **out)
	{
		static const uint8_t uuid[16] = {7};
		char err[300];
		log_conf lv = {};

		lv.name = name;
		lv.store = st;
		lv.bytes = size;
		lv.lba_shift = lba_shift;
		lv.slab_shift = 47;
		lv.write_through = write_through;
		lv.uuid = uuid;
		lv.domain = domain;
		lv.req_stages = req_stages.data();
		lv.n_req_stages = (unsigned int)req_stages.size();
		lv.chunk_stages = chunk_stages.data();
		lv.n_chunk_stages = (unsigned int)chunk_stages.size();
		int ret = log_create(out, &lv, err, sizeof(err));

		if (ret == 0)
			ret = log_lcore_init(*out);
		else
			why = err;
		return ret;
	}

	/* In order, or as a crash: what was under way is never heard of again. */
	void
	down(bool crash)
	{
		for (int i = 0; i < 1000 && vol != nullptr && !crash && !strake_pipeline_lcore_drain(); i++)
			turn();
		if (vol != nullptr) {
			log_lcore_fini(vol);
			log_destroy(vol);
		}
		vol = nullptr;
		if (st != nullptr)
			close_status = store_close(st, crash);
		st = nullptr;
		if (crash)
			fs->forget();
		fs->stop();
		strake_pipeline_lcore_fini();
		strake_pipeline_fini();
		strake_buf_fini();
		strake_lcore_enter(UINT16_MAX);
		strake_lcore_destroy(0);
		up = false;
	}

	/* And it is back, for the next boot(). */
	void
	power_goes()
	{
		fs->cut();
		down(true);
		fs->restore();
	}

	void
	turn()
	{
		now += 20000;
		strake_lcore_turn(now);
	}

	void
	turns(int n)
	{
		while (n-- > 0)
			turn();
	}

	/* One that begins now, to its end. */
	void
	checkpoint()
	{
		const store_ckpt &c = st->ckpt;
		const uint64_t ended = c.ended;

		store_ckpt_want(st);
		for (int i = 0; i < 20000 && (c.ended == ended || c.state != STORE_CKPT_IDLE); i++)
			turn();
		ASSERT_GT(c.ended, ended);
	}

	/* Turns until nothing is asked any more. @return false: it hangs. */
	bool
	drain(int turns = 200000)
	{
		for (int i = 0; i < turns && open_reqs > 0; i++)
			turn();
		return open_reqs == 0;
	}

	void
	submit(RigReq &r, uint8_t op, uint64_t lba, uint32_t nlb, const bytes &payload = {}, uint16_t flags = 0,
	       strake_volume *v = nullptr, bool advise = false)
	{
		strake_req *req = strake_req_alloc(false);

		if (req == nullptr)
			abort();
		r.done = false;
		req->vol = v != nullptr ? v : vol;
		req->u.op = op;
		req->u.lba = lba;
		req->u.nlb = nlb;
		req->u.flags |= flags;
		req->u.nbytes = op == STRAKE_OP_READ ? nlb << lba_shift : (uint32_t)payload.size();
		for (size_t off = 0; off < payload.size();) {
			uint32_t n = (uint32_t)std::min<size_t>(payload.size() - off, off == 0 ? 5000 : 60000);
			strake_buf *b = strake_buf_page(n);

			if (b == nullptr)
				abort();
			memcpy(b->addr, &payload[off], n);
			strake_unit_append(&req->u, b);
			off += n;
		}
		if (advise)
			req->advice = &r.advice;
		req->u.arg = &r;
		req->u.done = over;
		open_reqs++;
		strake_req_submit(&req, 1);
	}

	int
	run(uint8_t op, uint64_t lba, uint32_t nlb, const bytes &payload = {}, bytes *out = nullptr, uint16_t flags = 0,
	    strake_volume *v = nullptr)
	{
		RigReq r;

		submit(r, op, lba, nlb, payload, flags, v);
		for (int i = 0; i < 100000 && !r.done; i++)
			turn();
		EXPECT_TRUE(r.done) << "op " << (int)op << " hangs";
		if (!r.done)
			abort();
		if (out != nullptr)
			*out = r.data;
		return r.status;
	}

	/* A block with a stamp all over; 0: zeroes. */
	static void
	stamp(uint8_t *to, uint64_t s, uint32_t len = 4096)
	{
		if (s == 0) {
			memset(to, 0, len);
			return;
		}
		for (uint32_t i = 0; i < len / 8; i++) {
			uint64_t v = s * 0x9e3779b97f4a7c15ull + i * 0xbf58476d1ce4e5b9ull;

			if (i == 0)
				v = s;
			memcpy(to + i * 8, &v, 8);
		}
	}

	/* @return whose it is, or UINT64_MAX: torn. */
	static uint64_t
	stamp_of(const uint8_t *at, uint32_t len = 4096)
	{
		uint64_t s;
		bytes want(len);

		memcpy(&s, at, 8);
		stamp(want.data(), s, len);
		return memcmp(want.data(), at, len) == 0 ? s : UINT64_MAX;
	}

	static bytes
	blocks(uint32_t n, uint64_t s)
	{
		bytes b((size_t)n * 4096);

		for (uint32_t i = 0; i < n; i++)
			stamp(&b[(size_t)i * 4096], s == 0 ? 0 : s + i);
		return b;
	}

	/* Where everything is, for a test that failed. */
	void
	dump() const
	{
		static const char states[] = "fOcSDB", streams[] = "hcwgm";

		printf("free %u drained %u ready %u keep %u spare %ld since %u full %d failed %d ckpt %u wanted %d "
		       "rows free %u gc %s live %lu\n",
		       st->n_free, st->n_drained, store_seg_ready(st), store_seg_keep_meta(st), store_seg_spare(st),
		       st->n_since, st->full, st->failed, st->ckpt.state, st->ckpt.wanted, st->n_row_free,
		       store_gc_idle(st) ? "idle" : "busy", st->live_blocks);
		for (uint32_t i = 0; i < st->n_seg; i++)
			printf("%u:%c%c %u/%u r%u ", i, states[st->seg[i].d.state], streams[st->seg[i].d.stream],
			       st->seg[i].d.live, st->seg[i].d.blocks, st->seg[i].readers);
		printf("\n");
		for (unsigned i = 0; i < LOG_STREAMS; i++)
			printf("%c: seg %d off %u ", streams[i], (int)st->out[i].seg, st->out[i].off);
		printf("dirty %lu of %lu, waits %d\n", map_stats(st->map)->dirty, map_stats(st->map)->dirty_max,
		       st->waits != nullptr);
	}

	std::string why;
	int close_status = 0;
	uint64_t stuck = 0;

      private:
	static StoreRig *&
	self()
	{
		static StoreRig *r;

		return r;
	}

	static uint64_t
	clock()
	{
		if (++self()->stuck > 400000) {
			fprintf(stderr, "main waits for ever\n");
			if (self()->st != nullptr)
				self()->dump();
			abort();
		}
		return self()->now += 20000;
	}

	static void
	over(strake_unit *u)
	{
		RigReq *r = (RigReq *)u->arg;

		r->status = u->status;
		if (u->op == STRAKE_OP_READ && u->status == 0) {
			r->data.resize(u->nbytes);
			EXPECT_EQ(u->nbytes, strake_buf_list_len(u->bufs));
			EXPECT_EQ(0, strake_buf_copy_out(u->bufs, 0, r->data.data(), u->nbytes));
		}
		r->done = true;
		self()->open_reqs--;
		strake_req_free(strake_req_of(u));
		if (r->then)
			r->then(r);
	}
};

#endif /* STORE_RIG_H */
