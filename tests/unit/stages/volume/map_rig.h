/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef MAP_RIG_H
#define MAP_RIG_H

/* A map over pages in memory that come when a seed says, and a plain model of what it should hold. */

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "stages/volume/map.h"
}

using MapImage = std::array<uint8_t, MAP_IMAGE_BYTES>;
using MapModel = std::map<uint64_t, std::map<uint64_t, uint64_t>>; /* tree, index, value */

struct MapWaiter {
	map_wait w = {}; /* first */
	bool fired = false, waiting = false;
	int status = 0;

	explicit MapWaiter(bool urgent = false)
	{
		w.fn = [](map_wait *wait, int st) {
			MapWaiter *self = (MapWaiter *)wait;

			EXPECT_TRUE(self->waiting) << "called without having waited";
			self->waiting = false;
			self->fired = true;
			self->status = st;
		};
		w.urgent = urgent;
	}
};

/* Where pages lie. */
struct MapPages {
	std::unordered_map<uint64_t, MapImage> at;
	std::map<uint64_t, uint64_t> placed; /* by which checkpoint */
	uint64_t next = 1000;
};

class MapRig
{
      public:
	explicit MapRig(uint64_t seed, MapPages *pages = nullptr) : rnd(seed), media(pages == nullptr ? &own_ : pages)
	{
	}
	~MapRig()
	{
		if (m == nullptr)
			return;
		fail = 0;
		for (int i = 0; i < 100000 && map_close(m) == -EBUSY; i++)
			step();
	}
	int
	open(uint64_t bytes, const std::vector<map_root> &roots = {}, uint64_t gen = 0, uint32_t dirty_max = 0,
	     uint16_t reads = 16)
	{
		static const map_ops ops = {on_read, on_dead, on_wanted};
		map_conf conf = {};

		conf.bytes = bytes;
		conf.dirty_max = dirty_max;
		conf.reads = reads;
		conf.trees = 16;
		conf.socket = -1;
		conf.uuid[0] = 7;
		return map_open(&m, &conf, &ops, this, roots.data(), (uint32_t)roots.size(), gen);
	}
	map_tree *
	tree(uint64_t id, uint8_t levels = 4)
	{
		map_tree *t = map_tree_find(m, id);

		if (t == nullptr) {
			EXPECT_EQ(0, map_tree_create(m, id, levels, &t));
		}
		return t;
	}

	/* One read that was asked for comes, or somebody is woken. */
	bool
	deliver()
	{
		map_poll(m);
		if (reads.empty())
			return false;
		std::swap(reads[rnd() % reads.size()], reads.back());
		map_read *rd = reads.back();
		auto page = media->at.find(rd->addr);

		reads.pop_back();
		if (page == media->at.end()) {
			ADD_FAILURE() << "read of address " << rd->addr << " where nothing is";
			map_read_done(m, rd, -EIO, nullptr);
		} else if (fail != 0 && rnd() % fail == 0) {
			failed++;
			if (rnd() % 2) {
				MapImage bad = page->second;

				bad[rnd() % bad.size()] ^= (uint8_t)(1u << rnd() % 8);
				EXPECT_EQ(-EBADMSG, map_read_check(m, rd, bad.data()));
				map_read_done(m, rd, 0, bad.data());
			} else {
				map_read_done(m, rd, -EIO, nullptr);
			}
		} else {
			EXPECT_EQ(0, map_read_check(m, rd, page->second.data()));
			map_read_done(m, rd, 0, page->second.data());
		}
		return true;
	}
	/* Whatever brings those on who wait. */
	void
	step()
	{
		if (deliver())
			return;
		if (map_cramped(m)) {
			ASSERT_EQ(0, map_grow(m));
			return;
		}
		if (!ckpt_on && wanted)
			begin();
		if (ckpt_on)
			ckpt_step();
	}
	/* Make @p call until it does not have to wait. */
	template <class F>
	int
	finish(F call, bool urgent = false)
	{
		for (;;) {
			MapWaiter w(urgent);
			int ret = call(&w.w);

			if (ret != -EAGAIN)
				return ret;
			w.waiting = true;
			for (int i = 0; !w.fired; i++) {
				if (i > 1000000) {
					ADD_FAILURE() << "nobody comes";
					abort();
				}
				step();
			}
			if (w.status != 0 && fail == 0)
				return w.status;
		}
	}
	uint64_t
	get(map_tree *t, uint64_t idx)
	{
		uint64_t v = ~0ULL;

		EXPECT_EQ(0, finish([&](map_wait *w) { return map_get(m, t, idx, 1, &v, w); }));
		return v;
	}
	uint64_t
	set(map_tree *t, uint64_t idx, uint64_t value)
	{
		uint64_t old = ~0ULL;

		EXPECT_EQ(0, finish([&](map_wait *w) { return map_set(m, t, idx, 1, &value, &old, w); }));
		put_model(map_tree_id(t), idx, value);
		return old;
	}
	void
	put_model(uint64_t id, uint64_t idx, uint64_t value)
	{
		if (value == 0)
			model[id].erase(idx);
		else
			model[id][idx] = value;
	}
	/* All that a range holds, by map_iterate(). */
	std::vector<std::pair<uint64_t, uint64_t>>
	list(map_tree *t, uint64_t from, uint64_t end)
	{
		std::vector<std::pair<uint64_t, uint64_t>> all;
		std::vector<map_entry> got(1 + rnd() % 700);

		while (from < end) {
			uint32_t budget = 1 + (uint32_t)(rnd() % 20);
			int n = finish([&](map_wait *w) {
				return map_iterate(m, t, &from, end, got.data(), (uint32_t)got.size(), budget, w);
			});

			EXPECT_GE(n, 0);
			if (n < 0)
				break;
			for (int i = 0; i < n; i++)
				all.emplace_back(got[(size_t)i].idx, got[(size_t)i].value);
		}
		return all;
	}
	void
	begin()
	{
		wanted = 0;
		ASSERT_EQ(0, map_checkpoint_begin(m));
		ckpt_on = true;
		ckpt_gen = map_generation(m) - 1;
		ckpt_model = model;
	}
	/* A page or two of the checkpoint under way. @return it has ended. */
	bool
	ckpt_step()
	{
		MapImage image;
		uint32_t page;
		int ret = map_checkpoint_next(m, image.data(), &page);

		if (ret == 1)
			out.emplace_back(page, image);
		if (!out.empty() && (ret != 1 || rnd() % 2)) {
			std::swap(out[rnd() % out.size()], out.back());
			uint64_t addr = media->next++;

			media->placed[addr] = ckpt_gen;
			media->at[addr] = out.back().second;
			map_checkpoint_placed(m, out.back().first, addr);
			out.pop_back();
		}
		if (ret != 0)
			return false;
		end();
		return true;
	}
	void
	finish_checkpoint()
	{
		while (ckpt_on)
			ckpt_step();
	}
	void
	checkpoint()
	{
		finish_checkpoint();
		begin();
		finish_checkpoint();
	}
	void
	end()
	{
		std::vector<uint8_t> table;

		roots.resize(16);
		int n = map_checkpoint_end(m, roots.data(), 16);
		ASSERT_GE(n, 0);
		roots.resize((size_t)n);
		ckpt_on = false;
		ended_gen = ckpt_gen;
		/* As the store keeps it. */
		table.resize(map_roots_bytes((uint32_t)n));
		map_roots_encode(table.data(), ckpt_gen, roots.data(), (uint32_t)n);
		std::vector<map_root> again(16);
		uint64_t gen;

		ASSERT_EQ(n, map_roots_decode(table.data(), table.size(), &gen, again.data(), 16));
		EXPECT_EQ(ckpt_gen, gen);
		for (size_t i = 0; i < roots.size(); i++)
			EXPECT_TRUE(again[i].tree == roots[i].tree && again[i].addr == roots[i].addr &&
				    again[i].entries == roots[i].entries && again[i].levels == roots[i].levels);
		check_reach();
		if (durable)
			map_checkpoint_durable(m);
		/* The checkpoint is durable: what it does not hold may go. */
		for (auto d = dead.begin(); d != dead.end();) {
			if (d->second <= ckpt_gen) {
				media->at.erase(d->first);
				media->placed.erase(d->first);
				d = dead.erase(d);
			} else {
				++d;
			}
		}
	}
	/* Pages the roots reach and pages not said to be dead are the same. */
	void
	check_reach()
	{
		std::set<uint64_t> reached;
		std::vector<uint64_t> todo;
		uint64_t alive = 0;

		for (const map_root &r : roots)
			todo.push_back(r.addr);
		while (!todo.empty()) {
			uint64_t addr = todo.back();
			uint64_t e[MAP_FANOUT];
			map_owner o;

			todo.pop_back();
			if (addr == 0)
				continue;
			ASSERT_TRUE(media->at.count(addr) != 0);
			ASSERT_TRUE(reached.insert(addr).second);
			ASSERT_EQ(0, map_image_owner(media->at[addr].data(), &o));
			EXPECT_GT(map_image_entries(media->at[addr].data(), e), 0u);
			if (o.level > 0)
				todo.insert(todo.end(), e, e + MAP_FANOUT);
		}
		for (const auto &p : media->placed) {
			auto d = dead.find(p.first);
			bool lives = d == dead.end() || d->second > ckpt_gen;

			alive += lives;
			EXPECT_EQ(lives, reached.count(p.first) == 1) << "address " << p.first;
		}
		EXPECT_EQ(alive, reached.size());
	}
	/* Open what the last checkpoint left and hold it against the model at its begin. */
	void
	check_reopened(uint64_t bytes)
	{
		MapRig other(rnd(), media);

		ASSERT_EQ(0, other.open(bytes, roots, ckpt_gen));
		size_t trees = 0;

		for (map_tree *t = map_tree_next(other.m, nullptr); t != nullptr; t = map_tree_next(other.m, t)) {
			const auto &want = ckpt_model[map_tree_id(t)];
			auto got = other.list(t, 0, map_tree_size(t));

			trees++;
			EXPECT_EQ(want.size(), map_tree_entries(t));
			ASSERT_EQ((std::vector<std::pair<uint64_t, uint64_t>>(want.begin(), want.end())), got);
		}
		EXPECT_EQ(roots.size(), trees);
		for (const auto &t : ckpt_model)
			EXPECT_TRUE(t.second.empty() || map_tree_find(other.m, t.first) != nullptr);
	}

	map *m = nullptr;
	bool durable = true; /* checkpoints, as soon as they have ended */
	std::mt19937_64 rnd;
	MapPages *media;
	MapModel model, ckpt_model;
	std::vector<map_read *> reads;
	std::vector<std::pair<uint32_t, MapImage>> out;
	std::map<uint64_t, uint64_t> dead; /* address, from which checkpoint on */
	std::vector<map_root> roots;
	uint64_t ckpt_gen = 0, ended_gen = 0; /* ended: roots are its */
	bool ckpt_on = false;
	int wanted = 0;
	unsigned int fail = 0; /* one read in so many */
	uint64_t failed = 0, read_count = 0;

      private:
	static void
	on_read(void *arg, map_read *rd)
	{
		MapRig *self = (MapRig *)arg;

		for (const map_read *other : self->reads)
			EXPECT_TRUE(other->slot != rd->slot && other->addr != rd->addr);
		self->reads.push_back(rd);
		self->read_count++;
	}
	static void
	on_dead(void *arg, uint64_t addr, uint64_t gen)
	{
		MapRig *self = (MapRig *)arg;

		EXPECT_TRUE(self->dead.emplace(addr, gen).second) << "address " << addr << " died twice";
		EXPECT_TRUE(self->media->at.count(addr) != 0);
	}
	static void
	on_wanted(void *arg)
	{
		((MapRig *)arg)->wanted++;
	}
	MapPages own_;
};

#endif /* MAP_RIG_H */
