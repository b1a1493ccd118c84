/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Many clients at once over a cache that is far too small: each call that succeeds is held against the model at that
 * moment, each checkpoint against the model at its begin.
 */

#include <functional>

#include "map_rig.h"

namespace
{

constexpr uint64_t kVolumes = 3, kShare = 100; /* trees */

class Stress;

/* Makes one call after the other, each again until it did not have to wait. */
struct Client {
	MapWaiter waiter; /* first */
	Stress *world = nullptr;
	std::function<int(map_wait *)> call; /* empty: nothing under way */
};

class Stress
{
      public:
	Stress(uint64_t seed, uint64_t bytes, uint32_t dirty_max, uint16_t reads) : r(seed), bytes_(bytes)
	{
		EXPECT_EQ(0, r.open(bytes, {}, 0, dirty_max, reads));
		for (Client &c : clients_) {
			c.world = this;
			c.waiter.w.fn = woken;
			c.waiter.w.urgent = &c == &clients_[0];
		}
	}
	void
	run(uint64_t ops)
	{
		while (done < ops && !testing::Test::HasFailure()) {
			for (int i = 0; i < 8; i++) {
				Client &c = clients_[r.rnd() % clients_.size()];

				if (c.waiter.waiting)
					continue;
				if (!c.call)
					c.call = pick();
				go(c);
			}
			move_on();
		}
		r.fail = 0;
		for (int i = 0; i < 200000 && busy(); i++) {
			for (Client &c : clients_) {
				if (!c.waiter.waiting && c.call)
					go(c);
			}
			r.step();
		}
		EXPECT_FALSE(busy()) << "somebody waits for ever";
	}
	/* All of the map, as it is now and as it is opened again. */
	void
	check()
	{
		r.checkpoint();
		r.check_reopened(bytes_);
		for (map_tree *t = map_tree_next(r.m, nullptr); t != nullptr; t = map_tree_next(r.m, t)) {
			const auto &want = r.model[map_tree_id(t)];

			EXPECT_EQ(want.size(), map_tree_entries(t));
			ASSERT_EQ((std::vector<std::pair<uint64_t, uint64_t>>(want.begin(), want.end())),
				  r.list(t, 0, map_tree_size(t)));
		}
	}

	MapRig r;
	uint64_t done = 0, reopened = 0, moved = 0, drops = 0, errors = 0, cleared = 0;

      private:
	static void
	woken(map_wait *w, int status)
	{
		Client *c = (Client *)w;

		ASSERT_TRUE(c->waiter.waiting);
		c->waiter.waiting = false;
		if (status != 0) {
			EXPECT_TRUE(status == -EIO || status == -EBADMSG);
			EXPECT_GT(c->world->r.failed, 0u);
			c->world->errors++;
			c->call = nullptr;
		} else if (c->world->r.rnd() % 2) {
			c->world->go(*c);
		}
	}
	void
	go(Client &c)
	{
		int ret;

		c.waiter.waiting = true;
		ret = c.call(&c.waiter.w);
		if (ret == -EAGAIN)
			return;
		c.waiter.waiting = false;
		done++;
		c.call = nullptr;
	}
	bool
	busy() const
	{
		return std::any_of(clients_.begin(), clients_.end(), [](const Client &c) { return (bool)c.call; });
	}
	void
	move_on()
	{
		for (uint64_t n = r.rnd() % 6; n > 0; n--)
			r.deliver();
		if (!r.ckpt_on && (r.wanted || r.rnd() % 2000 == 0))
			r.begin();
		for (uint64_t n = r.rnd() % 6; r.ckpt_on && n > 0; n--) {
			if (r.ckpt_step() && ++ends_ % every_ == 0) {
				r.check_reopened(MAP_BYTES_MIN);
				reopened++;
			}
		}
		EXPECT_LE(map_stats(r.m)->dirty, map_stats(r.m)->dirty_max + map_stats(r.m)->frames / 16);
		if (r.rnd() % 16 == 0)
			drop_one();
	}
	void
	drop_one()
	{
		uint64_t id = 1 + r.rnd() % kVolumes;
		map_tree *t = map_tree_find(r.m, id);

		if (t == nullptr)
			return;
		EXPECT_EQ(r.model[id].size(), map_tree_entries(t));
		if (!r.model[id].empty()) {
			EXPECT_EQ(-ENOTEMPTY, map_tree_drop(r.m, t));
			return;
		}
		EXPECT_EQ(0, map_tree_drop(r.m, t));
		r.model.erase(id);
		drops++;
	}
	/* A tree that is there, or is made; nullptr: it was dropped and its id is not free yet. */
	map_tree *
	tree(uint64_t id)
	{
		map_tree *t = map_tree_find(r.m, id);

		if (t != nullptr)
			return t;
		if (map_tree_create(r.m, id, id == kShare ? 6 : 4, &t) < 0)
			return nullptr;
		r.model[id];
		return t;
	}
	uint64_t
	pick_index(uint64_t id, uint64_t n)
	{
		uint64_t v = r.rnd();

		if (id == kVolumes) /* small, so that it is emptied and dropped */
			return (v >> 8) % 5000 + (v % 2 << 33);
		switch (v % 8) {
		case 0: /* anywhere */
			return (v >> 8) % (id == kShare ? 1ULL << 49 : (1ULL << 34) - n);
		case 1: /* few places far apart */
			return ((v >> 8) % 64 << 27) + (v >> 20) % 600;
		case 2:
		case 3: /* the hot end */
			return (v >> 8) % 2048;
		default:
			return (v >> 8) % (600 * 512);
		}
	}
	std::function<int(map_wait *)>
	pick()
	{
		uint64_t id = r.rnd() % 3 == 0 ? kShare : 1 + r.rnd() % kVolumes;
		uint32_t n = r.rnd() % 32 == 0 ? 1 + (uint32_t)(r.rnd() % MAP_RUN_MAX) : 1 + (uint32_t)(r.rnd() % 8);
		uint64_t idx = pick_index(id, n), what = r.rnd() % 100;

		if (what < 40)
			return [=](map_wait *w) { return get(id, idx, n, w); };
		if (what < 70)
			return [=](map_wait *w) { return set(id, idx, n, w); };
		if (what < 80)
			return [=](map_wait *w) { return swap(id, idx, kShare, idx / 2, w); };
		if (what < 88)
			return [=](map_wait *w) { return iterate(id, idx, w); };
		if (what < 98) {
			idx = id == kVolumes ? 0 : idx;
			auto at = std::make_shared<uint64_t>(idx);
			uint64_t end = id == kVolumes ? 1ULL << 36
						      : idx + (r.rnd() % 3 == 0	   ? 1ULL << 27
							       : r.rnd() % 40 == 0 ? 1ULL << 33
										   : 3000);

			return [=](map_wait *w) { return clear(id, at, end, w); };
		}
		return [=](map_wait *w) { return move(w); };
	}
	int
	get(uint64_t id, uint64_t idx, uint32_t n, map_wait *w)
	{
		map_tree *t = tree(id);
		uint64_t v[MAP_RUN_MAX];

		if (t == nullptr)
			return 0;
		if (r.rnd() % 4 == 0)
			map_prefetch(r.m, t, &idx, 1);
		int ret = map_get(r.m, t, idx, n, v, w);

		if (ret != 0)
			return ret;
		for (uint32_t i = 0; i < n; i++)
			EXPECT_EQ(model_at(id, idx + i), v[i]);
		return 0;
	}
	uint64_t
	model_at(uint64_t id, uint64_t idx)
	{
		auto &tree_model = r.model[id];
		auto e = tree_model.find(idx);

		return e == tree_model.end() ? 0 : e->second;
	}
	int
	set(uint64_t id, uint64_t idx, uint32_t n, map_wait *w)
	{
		map_tree *t = tree(id);
		uint64_t v[MAP_RUN_MAX], old[MAP_RUN_MAX];
		bool zero = r.rnd() % 4 == 0;

		if (t == nullptr)
			return 0;
		for (uint32_t i = 0; i < n; i++)
			v[i] = r.rnd() % 4 == 0 ? 0 : r.rnd();
		int ret = map_set(r.m, t, idx, n, zero ? nullptr : v, old, w);

		if (ret != 0)
			return ret;
		for (uint32_t i = 0; i < n; i++) {
			EXPECT_EQ(model_at(id, idx + i), old[i]);
			r.put_model(id, idx + i, zero ? 0 : v[i]);
		}
		return 0;
	}
	/* Two entries of two trees, both or none. */
	int
	swap(uint64_t id, uint64_t idx, uint64_t id2, uint64_t idx2, map_wait *w)
	{
		map_tree *t = tree(id), *t2 = tree(id2);
		uint64_t v = r.rnd() % 3, old = 0, old2 = 0;
		int ret;

		if (t == nullptr)
			return 0;
		ret = map_prepare(r.m, t, idx, 1, w);
		if (ret == 0)
			ret = map_prepare(r.m, t2, idx2, 1, w);
		if (ret != 0)
			return ret;
		EXPECT_EQ(0, map_set(r.m, t, idx, 1, &v, &old, nullptr));
		EXPECT_EQ(model_at(id, idx), old);
		r.put_model(id, idx, v);
		EXPECT_EQ(0, map_set(r.m, t2, idx2, 1, &old, &old2, nullptr));
		EXPECT_EQ(model_at(id2, idx2), old2);
		r.put_model(id2, idx2, old);
		return 0;
	}
	int
	iterate(uint64_t id, uint64_t idx, map_wait *w)
	{
		map_tree *t = tree(id);
		std::vector<map_entry> out(1 + r.rnd() % 100);
		uint64_t at = idx;

		if (t == nullptr)
			return 0;
		int n = map_iterate(r.m, t, &at, std::min(idx + ((uint64_t)1 << 30), map_tree_size(t)), out.data(),
				    (uint32_t)out.size(), 1 + (uint32_t)(r.rnd() % 30), w);

		if (n < 0)
			return n;
		auto want = r.model[id].lower_bound(idx);

		for (int i = 0; i < n; i++, ++want) {
			EXPECT_TRUE(want != r.model[id].end());
			if (want == r.model[id].end())
				return 0;
			EXPECT_EQ(want->first, out[(size_t)i].idx);
			EXPECT_EQ(want->second, out[(size_t)i].value);
		}
		EXPECT_TRUE(want == r.model[id].end() || want->first >= at);
		return 0;
	}
	struct Told {
		Stress *s;
		uint64_t id, last;
	};
	static int
	told(void *arg, uint64_t idx, uint64_t value)
	{
		Told *to = (Told *)arg;

		EXPECT_EQ(to->s->model_at(to->id, idx), value);
		EXPECT_TRUE(idx >= to->last);
		to->last = idx;
		if (to->s->r.rnd() % 100 == 0)
			return -ECANCELED;
		to->s->r.put_model(to->id, idx, 0);
		to->s->cleared++;
		return 0;
	}
	int
	clear(uint64_t id, const std::shared_ptr<uint64_t> &at, uint64_t end, map_wait *w)
	{
		map_tree *t = tree(id);

		for (int i = 0; i < 4 && t != nullptr; i++) {
			uint64_t from = *at, stop = std::min(end, map_tree_size(t));
			Told to = {this, id, from};
			int ret = map_clear(r.m, t, at.get(), stop, told, &to, 1 + (uint32_t)(r.rnd() % 20), w);
			auto left = r.model[id].lower_bound(from);

			EXPECT_TRUE(left == r.model[id].end() || left->first >= *at);
			EXPECT_TRUE(ret != 0 || *at == stop);
			if (ret == -EAGAIN || ret == 0)
				return ret;
			EXPECT_TRUE(ret == -EINPROGRESS || ret == -ECANCELED);
		}
		return 0;
	}
	/* A page met in the log, if it still lives, goes somewhere else. */
	int
	move(map_wait *w)
	{
		map_owner o;

		if (r.media->placed.empty())
			return 0;
		auto p = r.media->placed.lower_bound(r.media->placed.begin()->first + r.rnd() % 3000);

		if (p == r.media->placed.end())
			return 0;
		EXPECT_EQ(0, map_image_owner(r.media->at[p->first].data(), &o));
		int ret = map_page_dirty(r.m, &o, p->first, w);

		EXPECT_FALSE(ret == 1 && r.dead.count(p->first) != 0);
		moved += ret == 1;
		return ret < 0 ? ret : 0;
	}

	std::array<Client, 40> clients_;
	uint64_t bytes_, ends_ = 0, every_ = 16;
};

TEST(MapStress, HoldsTheModelInATinyCache)
{
	for (uint64_t seed = 0; seed < 4 && !HasFailure(); seed++) {
		SCOPED_TRACE(seed);
		Stress s(seed, MAP_BYTES_MIN, seed % 3 == 0 ? 60 : 0, (uint16_t)(1 + seed));

		s.run(30000);
		s.check();
		EXPECT_GT(s.reopened, 1u);
		EXPECT_GT(s.drops, 0u);
		EXPECT_GT(s.cleared, 1000u);
		EXPECT_GT(map_stats(s.r.m)->evictions, 1000u);
		EXPECT_GT(map_stats(s.r.m)->copies, 10u);
		EXPECT_GT(map_stats(s.r.m)->dropped, 100u);
		EXPECT_GT(map_stats(s.r.m)->stalls, 10u);
		EXPECT_GT(s.moved, 10u);
	}
}

TEST(MapStress, HoldsTheModelWhileReadsFail)
{
	for (uint64_t seed = 100; seed < 102 && !HasFailure(); seed++) {
		SCOPED_TRACE(seed);
		Stress s(seed, MAP_BYTES_MIN, 0, 8);

		s.r.fail = 20;
		s.run(30000);
		s.check();
		EXPECT_GT(s.errors, 100u);
	}
}

TEST(MapStress, HoldsTheModelInMemory)
{
	Stress s(200, 192 << 20, 0, 64);

	s.run(60000);
	s.check();
	EXPECT_EQ(0u, map_stats(s.r.m)->evictions);
}

} // namespace
