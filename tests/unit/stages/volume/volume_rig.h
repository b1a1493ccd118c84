/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef VOLUME_RIG_H
#define VOLUME_RIG_H

/* A plain volume above a stage that keeps its bytes in memory and ends chunks late and out of order, by a seed. */

#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "tests/unit/pipeline/world.h"

extern "C" {
#include "strake_stage.h"
#include "volume.h"
}

using bytes = std::vector<uint8_t>;

struct Req {
	bool done = false;
	int status = 1;
	bytes data;
	strake_req *req = nullptr;
};

class VolumeRig : public World
{
      protected:
	static constexpr uint32_t kShift = 12, kBlock = 1u << kShift;

	/* The memory below. A chunk takes effect at a random moment between its going down and its end. */
	struct Memory {
		bytes data;
		std::mt19937 rnd{1};
		unsigned delay = 3; /* turns at most */
		bool hold = false;
		struct Item {
			strake_unit *u;
			unsigned left;
		};
		std::vector<Item> items;
		std::function<int(strake_chunk *)> fault;
		uint64_t chunks = 0, overlaps = 0, most = 0, longest = 0;
		std::vector<uint16_t> flags;
	} mem;
	strake_stage *stage = nullptr;
	strake_volume *vol = nullptr;
	uint64_t place = 5u << 20;
	unsigned open_reqs = 0;

	void
	boot(uint64_t bytes_, uint16_t data_lcores = 1, uint32_t units = 256)
	{
		static const uint8_t uuid[16] = {1};
		char err[200];

		start(data_lcores, units);
		self() = this;
		mem.data.assign(place + bytes_, 0);
		strake_lcore_enter(0);
		ASSERT_EQ(0, strake_stage_create(&stage, &ops(), "v0.memory", nullptr, -1, err, sizeof(err))) << err;
		plain_conf conf = {};

		conf.name = "v0";
		conf.bytes = bytes_;
		conf.lba_shift = kShift;
		conf.slab_shift = 30;
		conf.place = place;
		conf.uuid = uuid;
		conf.chunk_stages = &stage;
		conf.n_chunk_stages = 1;
		ASSERT_EQ(0, plain_create(&vol, &conf, err, sizeof(err))) << err;
		for (uint16_t l = 1; l < lcores; l++) {
			strake_lcore_enter(l);
			ASSERT_EQ(0, plain_lcore_init(vol));
		}
	}

	void
	TearDown() override
	{
		if (vol != nullptr) {
			finish();
			for (uint16_t l = 1; l < lcores; l++) {
				strake_lcore_enter(l);
				plain_lcore_fini(vol);
			}
			strake_lcore_enter(0);
			plain_destroy(vol);
			strake_stage_destroy(stage);
		}
		World::TearDown();
	}

	void
	step()
	{
		turn();
		if (mem.hold)
			return;
		strake_lcore_enter(1);
		for (size_t i = 0; i < mem.items.size();) {
			if (mem.items[i].left-- > 0) {
				i++;
				continue;
			}
			strake_unit *u = mem.items[i].u;

			mem.items[i] = mem.items.back();
			mem.items.pop_back();
			carry_out(strake_chunk_of(u));
			strake_unit_complete(u);
		}
	}

	void
	finish()
	{
		mem.hold = false;
		for (int i = 0; i < 100000 && open_reqs > 0; i++)
			step();
		ASSERT_EQ(0u, open_reqs);
	}

	void
	submit(Req &r, uint8_t op, uint64_t lba, uint32_t nlb, const bytes &payload = {}, uint16_t flags = 0)
	{
		strake_lcore_enter(1);
		strake_req *req = strake_req_alloc(false);

		ASSERT_NE(nullptr, req);
		r.done = false;
		r.req = req;
		req->vol = vol;
		req->u.op = op;
		req->u.lba = lba;
		req->u.nlb = nlb;
		req->u.flags |= flags;
		req->u.nbytes = op == STRAKE_OP_READ ? nlb << kShift : (uint32_t)payload.size();
		for (size_t off = 0; off < payload.size();) {
			uint32_t n = (uint32_t)std::min<size_t>(payload.size() - off, off == 0 ? 1000 : 60000);
			strake_buf *b = strake_buf_page(n);

			ASSERT_NE(nullptr, b);
			memcpy(b->addr, &payload[off], n);
			strake_unit_append(&req->u, b);
			off += n;
		}
		req->u.arg = &r;
		req->u.done = [](strake_unit *u) {
			Req *q = (Req *)u->arg;

			q->status = u->status;
			if (u->op == STRAKE_OP_READ && u->status == 0) {
				q->data.resize(u->nbytes);
				EXPECT_EQ(u->nbytes, strake_buf_list_len(u->bufs));
				EXPECT_EQ(0, strake_buf_copy_out(u->bufs, 0, q->data.data(), u->nbytes));
			}
			q->done = true;
			q->req = nullptr;
			self()->open_reqs--;
			strake_req_free(strake_req_of(u));
		};
		open_reqs++;
		strake_req_submit(&req, 1);
		EXPECT_FALSE(r.done);
	}

	int
	run(uint8_t op, uint64_t lba, uint32_t nlb, const bytes &payload = {}, bytes *out = nullptr, uint16_t flags = 0)
	{
		Req r;

		submit(r, op, lba, nlb, payload, flags);
		for (int i = 0; i < 10000 && !r.done; i++)
			step();
		EXPECT_TRUE(r.done);
		if (out != nullptr)
			*out = r.data;
		return r.status;
	}

	static bytes
	pattern(uint32_t blocks, uint32_t seed)
	{
		bytes b((size_t)blocks << kShift);

		for (size_t i = 0; i < b.size(); i++)
			b[i] = (uint8_t)(seed * 131 + (i >> kShift) * 17 + i % 253);
		return b;
	}

	bytes
	below(uint64_t lba, uint32_t nlb)
	{
		auto at = mem.data.begin() + (long)(place + (lba << kShift));

		return bytes(at, at + ((long)nlb << kShift));
	}

      private:
	static VolumeRig *&
	self()
	{
		static VolumeRig *r;

		return r;
	}

	void
	carry_out(strake_chunk *c)
	{
		int ret = mem.fault ? mem.fault(c) : 0;
		uint8_t *at = &mem.data[c->place];

		c->u.status = (int16_t)ret;
		if (ret != 0)
			return;
		if (c->u.op == STRAKE_OP_WRITE) {
			EXPECT_EQ(0, strake_buf_copy_out(c->u.bufs, 0, at, c->place_len));
		} else if (c->u.op == STRAKE_OP_READ) {
			strake_buf *b = strake_buf_page(c->place_len);

			ASSERT_NE(nullptr, b);
			memcpy(b->addr, at, c->place_len);
			strake_unit_append(&c->u, b);
		} else if (c->u.op != STRAKE_OP_FLUSH) {
			memset(at, 0, c->place_len);
		}
	}

	static void
	down(strake_stage *st, strake_unit **units, uint16_t n)
	{
		Memory &m = self()->mem;

		for (uint16_t i = 0; i < n; i++) {
			strake_chunk *c = strake_chunk_of(units[i]);

			for (auto &it : m.items) {
				strake_chunk *o = strake_chunk_of(it.u);

				if (strake_op_writes(c->u.op) && strake_op_writes(o->u.op) &&
				    o->place < c->place + c->place_len && c->place < o->place + o->place_len)
					m.overlaps++;
			}
			m.items.push_back({units[i], (unsigned)(m.rnd() % (m.delay + 1))});
			m.most = std::max<uint64_t>(m.most, m.items.size());
			m.longest = std::max<uint64_t>(m.longest, c->place_len);
			m.flags.push_back(c->u.flags);
			m.chunks++;
			units[i]->verdict = STRAKE_HELD;
		}
	}

	static const strake_stage_ops &
	ops()
	{
		static strake_stage_ops o = {};

		o.name = "memory";
		o.unit = STRAKE_UNIT_CHUNK;
		o.create = [](strake_stage *, const conf_values *, char *, size_t) { return 0; };
		o.down = down;
		return o;
	}
};

#endif /* VOLUME_RIG_H */
