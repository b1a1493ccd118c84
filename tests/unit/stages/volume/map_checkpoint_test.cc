/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Checkpoints, ranges, and coming back after a crash. */

#include <rte_malloc.h>

#include "map_rig.h"

namespace
{

constexpr uint64_t kSmall = MAP_BYTES_MIN;
constexpr uint64_t k64T = 1ULL << 34; /* blocks */

int
count_told(void *arg, uint64_t, uint64_t)
{
	++*(uint64_t *)arg;
	return 0;
}

TEST(MapCheckpoint, EmptyMapHasNoPages)
{
	MapRig r(1);
	MapImage image;
	uint32_t page;

	ASSERT_EQ(0, r.open(kSmall));
	r.tree(9);
	EXPECT_EQ(1u, map_generation(r.m));
	EXPECT_EQ(-EBUSY, map_checkpoint_end(r.m, nullptr, 0));
	ASSERT_EQ(0, map_checkpoint_begin(r.m));
	EXPECT_EQ(2u, map_generation(r.m));
	EXPECT_EQ(-EBUSY, map_checkpoint_begin(r.m));
	EXPECT_EQ(0, map_checkpoint_next(r.m, image.data(), &page));
	map_root root;

	EXPECT_EQ(-E2BIG, map_checkpoint_end(r.m, &root, 0));
	ASSERT_EQ(1, map_checkpoint_end(r.m, &root, 1));
	EXPECT_EQ(9u, root.tree);
	EXPECT_EQ(0u, root.addr);
	EXPECT_EQ(4, root.levels);
}

TEST(MapCheckpoint, LeavesComeBeforeTheirParents)
{
	MapRig r(1);
	MapImage image;
	std::vector<uint32_t> out;
	uint32_t page;
	map_owner o;

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(9);

	r.set(t, 0, 1);
	r.set(t, k64T - 1, 2);
	ASSERT_EQ(0, map_checkpoint_begin(r.m));
	EXPECT_EQ(7u, map_checkpoint_left(r.m)); /* two ways of three pages, and the root */
	uint64_t addr = 1;

	for (uint8_t level = 0; level < 4; level++) {
		size_t pages = level < 3 ? 2 : 1;

		for (size_t i = 0; i < pages; i++) {
			ASSERT_EQ(1, map_checkpoint_next(r.m, image.data(), &page));
			out.push_back(page);
			ASSERT_EQ(0, map_image_owner(image.data(), &o));
			EXPECT_EQ(level, o.level);
			EXPECT_EQ(9u, o.tree);
			EXPECT_EQ(1u, o.gen);
		}
		EXPECT_EQ(-EAGAIN, map_checkpoint_next(r.m, image.data(), &page));
		map_root root;

		EXPECT_EQ(-EBUSY, map_checkpoint_end(r.m, &root, 1));
		for (uint32_t p : out)
			map_checkpoint_placed(r.m, p, addr++);
		out.clear();
	}
	EXPECT_EQ(0, map_checkpoint_next(r.m, image.data(), &page));
	EXPECT_EQ(0u, map_checkpoint_left(r.m));
	map_root root;

	ASSERT_EQ(1, map_checkpoint_end(r.m, &root, 1));
	EXPECT_EQ(7u, root.addr);
	EXPECT_EQ(2u, root.entries);
}

/* A page set while its image is out, before it is placed, goes to the next checkpoint. */
TEST(MapCheckpoint, ChangeBetweenImageAndPlaceIsNotLost)
{
	MapRig r(1);
	MapImage image;
	uint32_t page;

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(9);

	r.set(t, 5, 1);
	r.begin();
	ASSERT_EQ(1, map_checkpoint_next(r.m, image.data(), &page));
	r.out.emplace_back(page, image);
	r.set(t, 5, 2);
	EXPECT_EQ(0u, map_stats(r.m)->copies);
	r.finish_checkpoint();
	r.check_reopened(kSmall);
	EXPECT_EQ(2u, r.get(t, 5));
	r.checkpoint();
	r.check_reopened(kSmall);
}

TEST(MapCheckpoint, UnchangedPagesAreNotWrittenAgain)
{
	MapRig r(1);

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(9);

	for (uint64_t i = 0; i < 200; i++)
		r.set(t, i * 512, 1);
	r.checkpoint();
	uint64_t before = map_stats(r.m)->written;

	r.set(t, 512, 2);
	r.checkpoint();
	EXPECT_EQ(4u, map_stats(r.m)->written - before);
	r.checkpoint();
	EXPECT_EQ(4u, map_stats(r.m)->written - before);
}

/* The log is played again onto the newest checkpoint, from its begin. */
TEST(MapCheckpoint, CrashAndReplayGiveTheSameMap)
{
	for (uint64_t seed = 0; seed < 4 && !HasFailure(); seed++) {
		struct Record {
			uint64_t gen, idx, n, value; /* n 1: set, else clear */
		};
		MapRig r(seed);
		std::vector<Record> log;
		uint64_t crash = 1000 + r.rnd() % 2000;

		ASSERT_EQ(0, r.open(kSmall));
		map_tree *t = r.tree(1);

		for (uint64_t i = 0; i < crash; i++) {
			Record rec = {0, r.rnd() % (1 << 18) << (r.rnd() % 2) * 16, 1, r.rnd() % 4};

			if (r.rnd() % 100 == 0)
				rec.n = r.rnd() % 20000;
			if (rec.n == 1) {
				r.set(t, rec.idx, rec.value);
			} else {
				uint64_t at = rec.idx, told = 0;

				ASSERT_EQ(0, r.finish([&](map_wait *w) {
					return map_clear(r.m, t, &at, rec.idx + rec.n, count_told, &told, 1000, w);
				}));
				auto &model = r.model[1];

				model.erase(model.lower_bound(rec.idx), model.lower_bound(rec.idx + rec.n));
			}
			/* Waits may have begun a checkpoint: the record belongs behind its begin. */
			rec.gen = map_generation(r.m);
			log.push_back(rec);
			if (!r.ckpt_on && r.rnd() % 700 == 0)
				r.begin();
			if (r.ckpt_on && r.rnd() % 2)
				r.ckpt_step();
		}
		/* What the last checkpoint placed and what died by it is not known to those who come after. */
		MapPages left = *r.media;
		MapRig again(seed + 1000, &left);

		ASSERT_EQ(0, again.open(kSmall, r.roots, r.ended_gen));
		map_tree *t2 = again.tree(1);
		map_recover(again.m, seed % 2 != 0);
		for (const Record &rec : log) {
			uint64_t at = rec.idx, told = 0;

			if (rec.gen <= r.ended_gen)
				continue;
			if (rec.n == 1) {
				again.set(t2, rec.idx, rec.value);
				continue;
			}
			ASSERT_EQ(0, again.finish([&](map_wait *w) {
				return map_clear(again.m, t2, &at, rec.idx + rec.n, count_told, &told, 1000, w);
			}));
		}
		const auto &want = r.model[1];

		ASSERT_EQ((std::vector<std::pair<uint64_t, uint64_t>>(want.begin(), want.end())),
			  again.list(t2, 0, map_tree_size(t2)))
			<< "seed " << seed;
		EXPECT_EQ(want.size(), map_tree_entries(t2));
	}
}

/* Power may go before it is durable: then all of it is played, and what changed since. */
TEST(MapRecovery, PagesOfACheckpointThatIsNotDurableCount)
{
	MapRig r(1);
	uint64_t idx = 0, one = 1;
	MapWaiter w;

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(1);
	uint64_t most = map_stats(r.m)->frames * 3 / 4 + 1;

	r.durable = false;
	for (; map_stats(r.m)->dirty < map_stats(r.m)->dirty_max - 8; idx += MAP_FANOUT)
		r.set(t, idx, 1);
	uint64_t pages = map_stats(r.m)->dirty;

	r.checkpoint();
	EXPECT_EQ(0u, map_stats(r.m)->dirty);
	map_poll(r.m);
	while (map_set(r.m, t, idx, 1, &one, nullptr, &w.w) == 0)
		idx += MAP_FANOUT;
	w.waiting = true;
	EXPECT_LE(pages + map_stats(r.m)->dirty, most);
	EXPECT_LT(map_stats(r.m)->dirty, map_stats(r.m)->dirty_max - 8);
	map_poll(r.m);
	EXPECT_FALSE(w.fired);
	map_checkpoint_durable(r.m);
	map_poll(r.m);
	EXPECT_TRUE(w.fired);
	EXPECT_EQ(0, map_set(r.m, t, idx, 1, &one, nullptr, nullptr));
}

TEST(MapRecovery, TheCacheGrowsAndForgetsNothing)
{
	MapRig r(1);

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(1), *other = r.tree(2);
	uint64_t frames = map_stats(r.m)->frames, bytes = map_stats(r.m)->bytes;

	for (uint64_t i = 0; i < 200; i++)
		r.set(other, i * 3 << 18, i);
	r.checkpoint();
	uint64_t checkpoints = map_stats(r.m)->checkpoints;

	map_recover(r.m, true);
	for (uint64_t i = 0; i < 4 * frames; i++)
		r.set(t, i * MAP_FANOUT, i + 1);
	EXPECT_GT(map_stats(r.m)->grown, 2u);
	EXPECT_GT(map_stats(r.m)->frames, 4 * frames);
	EXPECT_GT(map_stats(r.m)->bytes, bytes + 3 * frames * MAP_PAGE_BYTES);
	EXPECT_EQ(checkpoints, map_stats(r.m)->checkpoints);
	map_recover(r.m, false);
	for (int i = 0; i < 2; i++, r.checkpoint()) {
		for (auto &tree : r.model) {
			EXPECT_EQ((std::vector<std::pair<uint64_t, uint64_t>>(tree.second.begin(), tree.second.end())),
				  r.list(r.tree(tree.first), 0, map_tree_size(t)));
		}
	}
}

TEST(MapRecovery, WithoutMemoryToGrowTheCacheStaysAsItWas)
{
	std::vector<void *> hog;
	uint64_t idx = 0, one = 1;
	MapWaiter w(true);
	MapRig r(1);

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(1);

	map_recover(r.m, true);
	while (map_set(r.m, t, idx, 1, &one, nullptr, &w.w) == 0) {
		r.put_model(1, idx, 1);
		idx += MAP_FANOUT;
	}
	w.waiting = true;
	EXPECT_TRUE(map_cramped(r.m));
	for (void *p; (p = rte_malloc("hog", 1 << 20, 0)) != nullptr;)
		hog.push_back(p);
	EXPECT_EQ(-ENOMEM, map_grow(r.m));
	EXPECT_TRUE(map_cramped(r.m));
	EXPECT_EQ(r.model[1].size(), r.list(t, 0, map_tree_size(t)).size());
	map_recover(r.m, false);
	map_poll(r.m);
	EXPECT_TRUE(w.fired) << "recovery is given up";
	map_recover(r.m, true);
	EXPECT_EQ(-EAGAIN, map_set(r.m, t, idx, 1, &one, nullptr, &w.w));
	w.waiting = true;
	w.fired = false;
	for (void *p : hog)
		rte_free(p);
	EXPECT_EQ(0, map_grow(r.m));
	EXPECT_FALSE(map_cramped(r.m));
	map_poll(r.m);
	EXPECT_TRUE(w.fired);
	EXPECT_EQ(0, map_set(r.m, t, idx, 1, &one, nullptr, nullptr));
}

/* 64 TiB with a thousand entries: pages looked at go with the entries, not with the range. */
TEST(MapRange, SparseTerabytesAreSteppedOver)
{
	MapRig r(1);
	uint64_t at = 0, told = 0, calls = 0, dirty;

	ASSERT_EQ(0, r.open(16 << 20));
	map_tree *t = r.tree(1);

	for (uint64_t i = 0; i < 1000; i++)
		r.set(t, i * (k64T / 1000), 1 + i);
	r.checkpoint();
	int ret;

	do {
		ret = map_clear(r.m, t, &at, k64T, count_told, &told, 10, nullptr);
		calls++;
	} while (ret == -EINPROGRESS);
	dirty = map_stats(r.m)->dirty;
	EXPECT_EQ(0, ret);
	EXPECT_EQ(k64T, at);
	EXPECT_EQ(1000u, told);
	/* A leaf, and up to a step behind each of the pages above it. */
	EXPECT_LE(calls, 4 * 1000 / 10);
	EXPECT_EQ(0u, dirty) << "nothing is left to write but the empty tree's root";
	EXPECT_EQ(0u, map_tree_entries(t));
	r.checkpoint();
	EXPECT_TRUE(r.media->at.empty());
}

/* What is emptied leaves at once: no checkpoint is needed to clear far more than may be dirty. */
TEST(MapRange, ClearNeedsNoRoomForWhatItEmpties)
{
	MapRig r(1);
	uint64_t at = 0, told = 0;

	ASSERT_EQ(0, r.open(kSmall, {}, 0, 30));
	map_tree *t = r.tree(1);

	for (uint64_t i = 0; i < 5000; i++)
		r.set(t, i * 512 + i % 512, 1 + i);
	r.checkpoint();
	uint64_t checkpoints = map_stats(r.m)->checkpoints;
	int ret;

	do
		ret = r.finish(
			[&](map_wait *w) { return map_clear(r.m, t, &at, 5000 * 512, count_told, &told, 7, w); });
	while (ret == -EINPROGRESS);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(5000u, told);
	EXPECT_EQ(checkpoints, map_stats(r.m)->checkpoints);
	EXPECT_EQ(0u, map_stats(r.m)->used);
	r.checkpoint();
	EXPECT_TRUE(r.media->at.empty());
}

TEST(MapRange, ClearStopsWhereItIsTold)
{
	MapRig r(1);
	uint64_t at = 0;

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(1);

	for (uint64_t i = 0; i < 2000; i++)
		r.set(t, i, 1 + i);
	EXPECT_EQ(-ECANCELED, map_clear(
				      r.m, t, &at, k64T,
				      [](void *, uint64_t idx, uint64_t v) {
					      EXPECT_EQ(idx + 1, v);
					      return idx == 777 ? -ECANCELED : 0;
				      },
				      nullptr, 100, nullptr));
	EXPECT_EQ(777u, at);
	EXPECT_EQ(0u, r.get(t, 776));
	EXPECT_EQ(778u, r.get(t, 777));
	EXPECT_EQ(2000u - 777u, map_tree_entries(t));
}

/* References of a share are dropped from inside: another tree may change, and have to wait. */
TEST(MapRange, ClearMayChangeAnotherTree)
{
	struct Two {
		MapRig *r;
		map_tree *shares;
		map_wait *wait;
	};
	MapRig first(1);

	ASSERT_EQ(0, first.open(kSmall));
	for (uint64_t i = 0; i < 1000; i++) {
		first.set(first.tree(1), i * 100, 1 + i);
		first.set(first.tree(2, 6), (1 + i) << 30, 7);
	}
	first.checkpoint();
	MapRig r(2, first.media);

	ASSERT_EQ(0, r.open(kSmall, first.roots, first.ckpt_gen));
	map_tree *t = r.tree(1);
	Two two = {&r, r.tree(2, 6), nullptr};
	uint64_t at = 0;
	int ret;

	do {
		MapWaiter inner;

		two.wait = &inner.w;
		inner.waiting = true; /* by whichever of the two calls */
		ret = map_clear(
			r.m, t, &at, 400000,
			[](void *arg, uint64_t, uint64_t v) {
				Two *w = (Two *)arg;
				uint64_t zero = 0;

				return map_set(w->r->m, w->shares, v << 30, 1, &zero, nullptr, w->wait);
			},
			&two, 16, &inner.w);
		while (ret == -EAGAIN && !inner.fired)
			r.step();
	} while (ret == -EAGAIN || ret == -EINPROGRESS);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(0u, map_tree_entries(t));
	EXPECT_EQ(0u, map_tree_entries(two.shares));
	r.checkpoint();
	EXPECT_TRUE(first.media->at.empty());
}

/* All in memory, a TiB of 4-KiB blocks may take 2.1 GiB. */
TEST(MapBytes, TebibyteFits)
{
	const uint64_t leaves = (1ULL << 40) / 4096 / MAP_FANOUT, inner = leaves / MAP_FANOUT + leaves / (1 << 18) + 2;
	MapRig r(1);

	ASSERT_EQ(0, r.open(64 << 20));
	EXPECT_LE(map_stats(r.m)->bytes, 64u << 20);
	EXPECT_LE(map_stats(r.m)->bytes * (leaves + inner) / map_stats(r.m)->frames, 21 * (1ULL << 30) / 10);
}

} // namespace
