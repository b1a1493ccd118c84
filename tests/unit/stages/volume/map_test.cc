/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Entries, waiting, room: what map.h promises of each call. */

#include "map_rig.h"

namespace
{

constexpr uint64_t kSmall = MAP_BYTES_MIN;

TEST(Map, NewTreeIsEmptyAndCostsNothing)
{
	MapRig r(1);

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(5);

	EXPECT_EQ(0u, r.get(t, 0));
	EXPECT_EQ(0u, r.get(t, (1ULL << 34) - 1));
	EXPECT_TRUE(r.list(t, 0, map_tree_size(t)).empty());
	EXPECT_EQ(0u, map_stats(r.m)->used);
	EXPECT_EQ(0u, map_tree_entries(t));
}

TEST(Map, SetSaysWhatWasThere)
{
	MapRig r(1);

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(5), *other = r.tree(6, 6);

	EXPECT_EQ(0u, r.set(t, 77, 1));
	EXPECT_EQ(1u, r.set(t, 77, 2));
	EXPECT_EQ(2u, r.get(t, 77));
	EXPECT_EQ(0u, r.get(other, 77));
	EXPECT_EQ(1u, map_tree_entries(t));
	EXPECT_EQ(2u, r.set(t, 77, 0));
	EXPECT_EQ(0u, map_tree_entries(t));
	EXPECT_EQ(0u, r.set(other, (1ULL << 54) - 1, UINT64_MAX));
	EXPECT_EQ(UINT64_MAX, r.get(other, (1ULL << 54) - 1));
}

TEST(Map, RunsCrossLeaves)
{
	MapRig r(1);
	uint64_t v[MAP_RUN_MAX], old[MAP_RUN_MAX], got[MAP_RUN_MAX];

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(5);

	for (uint64_t i = 0; i < MAP_RUN_MAX; i++)
		v[i] = i + 1;
	ASSERT_EQ(0, map_set(r.m, t, 300, MAP_RUN_MAX, v, old, nullptr));
	ASSERT_EQ(0, map_get(r.m, t, 300, MAP_RUN_MAX, got, nullptr));
	EXPECT_EQ(0, memcmp(v, got, sizeof(v)));
	ASSERT_EQ(0, map_set(r.m, t, 301, MAP_RUN_MAX, nullptr, old, nullptr));
	EXPECT_EQ(0, memcmp(v + 1, old, sizeof(v) - 8));
	EXPECT_EQ(0u, old[MAP_RUN_MAX - 1]);
	EXPECT_EQ(1u, map_tree_entries(t));
	/* Zeroes over what was never set make no page. */
	ASSERT_EQ(0, map_set(r.m, t, 1 << 20, 8, nullptr, old, nullptr));
	EXPECT_EQ(0u, old[7]);
	EXPECT_EQ(5u, map_stats(r.m)->used);
}

TEST(Map, RefusesWhatIsOutOfRange)
{
	MapRig r(1);
	uint64_t v[MAP_RUN_MAX + 1] = {}, at = 10;
	map_entry e;

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(5, 2);

	EXPECT_EQ(-ERANGE, map_get(r.m, t, 0, 0, v, nullptr));
	EXPECT_EQ(-ERANGE, map_get(r.m, t, 0, MAP_RUN_MAX + 1, v, nullptr));
	EXPECT_EQ(-ERANGE, map_get(r.m, t, 1 << 18, 1, v, nullptr));
	EXPECT_EQ(-ERANGE, map_get(r.m, t, (1 << 18) - 1, 2, v, nullptr));
	EXPECT_EQ(-ERANGE, map_set(r.m, t, UINT64_MAX, 2, v, nullptr, nullptr));
	EXPECT_EQ(-ERANGE, map_prepare(r.m, t, UINT64_MAX - 1, 1, nullptr));
	EXPECT_EQ(-ERANGE, map_iterate(r.m, t, &at, (1 << 18) + 1, &e, 1, 1, nullptr));
	EXPECT_EQ(-ERANGE, map_iterate(r.m, t, &at, 9, &e, 1, 1, nullptr));
	EXPECT_EQ(0, map_get(r.m, t, (1 << 18) - 1, 1, v, nullptr));
}

TEST(Map, RefusesSenselessConf)
{
	map_root bad = {9, MAP_ADDR_NONE, 1, 4}, deep = {9, 5, 1, 7}, twice[2] = {{9, 5, 1, 4}, {9, 6, 1, 4}};
	map_root counted = {9, 0, 1, 4};
	MapRig r(1);

	EXPECT_EQ(-EINVAL, r.open(kSmall - 1));
	EXPECT_EQ(-EINVAL, r.open(kSmall, {}, 0, 0, 0));
	EXPECT_EQ(-EINVAL, r.open(kSmall, {}, 0, 500));
	EXPECT_EQ(-EINVAL, r.open(kSmall, {}, 0, 1));
	EXPECT_EQ(-EINVAL, r.open(kSmall, {bad}));
	EXPECT_EQ(-EINVAL, r.open(kSmall, {deep}));
	EXPECT_EQ(-EINVAL, r.open(kSmall, {counted}));
	EXPECT_EQ(-EINVAL, r.open(kSmall, {twice[0], twice[1]}));
	EXPECT_EQ(-ENOMEM, r.open(1ULL << 42));
	EXPECT_EQ(0, r.open(kSmall));
}

TEST(Map, TreesComeAndGo)
{
	MapRig r(1);
	map_tree *t;

	ASSERT_EQ(0, r.open(kSmall));
	EXPECT_EQ(-EINVAL, map_tree_create(r.m, 1, 0, &t));
	EXPECT_EQ(-EINVAL, map_tree_create(r.m, 1, MAP_LEVELS_MAX + 1, &t));
	for (uint64_t id = 16; id-- > 0;)
		ASSERT_EQ(0, map_tree_create(r.m, id * 1000, 4, &t));
	EXPECT_EQ(-EEXIST, map_tree_create(r.m, 3000, 4, &t));
	EXPECT_EQ(-ENOSPC, map_tree_create(r.m, 1, 4, &t));
	t = map_tree_find(r.m, 3000);
	ASSERT_EQ(3000u, map_tree_id(t));
	r.set(t, 5, 5);
	EXPECT_EQ(-ENOTEMPTY, map_tree_drop(r.m, t));
	r.set(t, 5, 0);
	EXPECT_EQ(0, map_tree_drop(r.m, t));
	EXPECT_EQ(nullptr, map_tree_find(r.m, 3000));
	r.checkpoint();
	EXPECT_EQ(15u, r.roots.size());
	EXPECT_EQ(0u, map_stats(r.m)->used);
	EXPECT_EQ(0, map_tree_create(r.m, 3000, 4, &t));
	EXPECT_EQ(0u, r.get(t, 5));
}

/* A dropped tree is in the checkpoint that began before, whatever became of it since. */
TEST(Map, CheckpointKeepsTheTreeDroppedSince)
{
	MapRig r(1);

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(5), *next;

	r.set(t, 5, 50);
	r.begin();
	r.set(t, 5, 0);
	ASSERT_EQ(0, map_tree_drop(r.m, t));
	EXPECT_EQ(-EEXIST, map_tree_create(r.m, 5, 4, &next));
	r.finish_checkpoint();
	ASSERT_EQ(1u, r.roots.size());
	EXPECT_EQ(1u, r.roots[0].entries);
	r.check_reopened(kSmall);
	r.checkpoint();
	EXPECT_TRUE(r.roots.empty());
	EXPECT_TRUE(r.media->at.empty());
	EXPECT_EQ(0, map_tree_create(r.m, 5, 4, &next));
}

/* Leaves in a map that has just been opened, so that none is in memory. */
class MapCold : public testing::Test
{
      protected:
	void
	SetUp() override
	{
		ASSERT_EQ(0, first.open(kSmall));
		map_tree *a = first.tree(5);

		for (uint64_t i = 0; i < 2000; i++)
			first.set(a, i * 100, i + 1);
		first.checkpoint();
		ASSERT_EQ(0, r.open(kSmall, first.roots, first.ckpt_gen));
		t = map_tree_find(r.m, 5);
		ASSERT_NE(nullptr, t);
	}
	MapRig first{1};
	MapRig r{2, first.media};
	map_tree *t = nullptr;
};

TEST_F(MapCold, ManyWaitForOneRead)
{
	std::array<MapWaiter, 50> w;
	uint64_t v;

	for (MapWaiter &each : w) {
		ASSERT_EQ(-EAGAIN, map_get(r.m, t, 100, 1, &v, &each.w));
		each.waiting = true;
	}
	EXPECT_EQ(1u, r.read_count);
	ASSERT_TRUE(r.deliver());
	for (MapWaiter &each : w)
		EXPECT_TRUE(each.fired && each.status == 0);
	EXPECT_EQ(2u, r.get(t, 100));
	EXPECT_EQ(4u, r.read_count);
	EXPECT_EQ(3u, r.get(t, 200));
	EXPECT_EQ(4u, r.read_count);
}

TEST_F(MapCold, ReadErrorReachesEveryWaiterAndIsNotKept)
{
	for (int bad = 0; bad < 2; bad++) {
		std::array<MapWaiter, 5> w;
		MapImage image = {};
		uint64_t v;

		for (MapWaiter &each : w) {
			ASSERT_EQ(-EAGAIN, map_get(r.m, t, 100, 1, &v, &each.w));
			each.waiting = true;
		}
		map_read *rd = r.reads.back();

		r.reads.pop_back();
		map_read_done(r.m, rd, bad ? 0 : -EIO, bad ? image.data() : nullptr);
		for (MapWaiter &each : w)
			EXPECT_EQ(bad ? -EBADMSG : -EIO, each.status);
		EXPECT_EQ(0u, map_stats(r.m)->used);
	}
	EXPECT_EQ(2u, map_stats(r.m)->read_errors);
	EXPECT_EQ(2u, r.get(t, 100));
}

TEST_F(MapCold, RefusesThePageOfAnotherPlace)
{
	MapWaiter w;
	uint64_t v;

	ASSERT_EQ(-EAGAIN, map_get(r.m, t, 100, 1, &v, &w.w));
	w.waiting = true;
	map_read *rd = r.reads.back();

	r.reads.pop_back();
	for (const auto &page : first.media->at)
		EXPECT_EQ(page.first == rd->addr ? 0 : -EBADMSG, map_read_check(r.m, rd, page.second.data()));
	for (int what = 0; what < 5; what++) {
		MapImage image = first.media->at[rd->addr];
		uint64_t e[MAP_FANOUT];
		map_owner o;

		ASSERT_EQ(0, map_image_owner(image.data(), &o));
		map_image_entries(image.data(), e);
		o.tree += what == 0;
		o.index += what == 1;
		o.level = (uint8_t)(o.level - (what == 2));
		o.gen += what == 3; /* of a checkpoint that has not been */
		o.uuid[0] = (uint8_t)(o.uuid[0] + (what == 4));
		map_image_encode(image.data(), &o, e);
		EXPECT_EQ(-EBADMSG, map_read_check(r.m, rd, image.data())) << what;
	}
	map_read_done(r.m, rd, 0, first.media->at[rd->addr].data());
	EXPECT_TRUE(w.fired && w.status == 0);
}

TEST_F(MapCold, WithoutAWaitThePageComesAllTheSame)
{
	uint64_t v;
	int ret;

	while ((ret = map_get(r.m, t, 100, 1, &v, nullptr)) == -EAGAIN)
		r.deliver();
	EXPECT_EQ(0, ret);
	EXPECT_EQ(2u, v);
}

TEST_F(MapCold, CloseWaitsForReads)
{
	uint64_t v;

	ASSERT_EQ(-EAGAIN, map_get(r.m, t, 100, 1, &v, nullptr));
	EXPECT_EQ(-EBUSY, map_close(r.m));
	r.deliver();
	EXPECT_EQ(0, map_close(r.m));
	r.m = nullptr;
}

/* All or nothing: what was prepared is set at once, whatever else was prepared after it. */
TEST_F(MapCold, PreparedIsSetWithoutWaiting)
{
	uint64_t one = 1;

	for (int round = 0; round < 300; round++) {
		uint64_t idx[8];
		bool all;

		for (uint64_t &i : idx)
			i = r.rnd() % (1ULL << 34);
		do {
			all = true;
			for (uint64_t i : idx) {
				int ret = map_prepare(r.m, t, i, 1, nullptr);

				ASSERT_TRUE(ret == 0 || ret == -EAGAIN);
				if (ret == -EAGAIN) {
					all = false;
					r.step();
				}
			}
		} while (!all);
		for (uint64_t i : idx)
			ASSERT_EQ(0, map_set(r.m, t, i, 1, &one, nullptr, nullptr));
	}
}

TEST(MapRoom, DirtyStaysWithinItsBound)
{
	MapWaiter urgent(true), plain; /* still waits when the rig ends */
	MapRig r(3);

	ASSERT_EQ(0, r.open(kSmall, {}, 0, 100));
	map_tree *t = r.tree(1);
	uint64_t set = 0, one = 1;

	while (map_set(r.m, t, r.rnd() % (1ULL << 34), 1, &one, nullptr, nullptr) == 0)
		ASSERT_LE(map_stats(r.m)->dirty, 100u) << ++set;
	EXPECT_EQ(1, r.wanted);

	/* Urgent work goes on, up to its own bound; others are woken by the checkpoint. */
	EXPECT_EQ(0, map_set(r.m, t, 1, 1, &one, nullptr, &urgent.w));
	plain.waiting = true;
	EXPECT_EQ(-EAGAIN, map_set(r.m, t, 1 << 30, 1, &one, nullptr, &plain.w));
	while (!plain.fired)
		r.step();
	EXPECT_TRUE(r.ckpt_on || map_stats(r.m)->checkpoints == 1);
	EXPECT_LE(map_stats(r.m)->dirty, 100u + map_stats(r.m)->frames / 16 + 8);
	while (map_set(r.m, t, r.rnd() % (1ULL << 34), 1, &one, nullptr, &urgent.w) == 0)
		;
	urgent.waiting = true;
	EXPECT_LE(map_stats(r.m)->dirty, map_stats(r.m)->dirty_max + map_stats(r.m)->frames / 16 + 1);
}

/* A page of the checkpoint that changes meanwhile is copied, and the copies are bounded too. */
TEST(MapRoom, CopiesCountAsDirty)
{
	MapRig r(3);

	ASSERT_EQ(0, r.open(kSmall, {}, 0, 100));
	map_tree *t = r.tree(1);
	uint64_t one = 1, two = 2, done = 0;

	for (uint64_t i = 0; i < 60; i++)
		r.set(t, i * 512, 1);
	r.begin();
	for (uint64_t i = 0; i < 60 && map_set(r.m, t, i * 512, 1, &two, nullptr, nullptr) == 0; i++)
		done++;
	EXPECT_LT(done, 60u);
	EXPECT_EQ(done, map_stats(r.m)->copies);
	EXPECT_LE(map_stats(r.m)->dirty, 100u);
	r.finish_checkpoint();
	r.check_reopened(kSmall);
	EXPECT_EQ(0, map_set(r.m, t, 59 * 512, 1, &one, nullptr, nullptr));
	for (uint64_t i = 0; i < 59; i++)
		EXPECT_EQ(i < done ? 2u : 1u, r.get(t, i * 512));
}

TEST(MapRoom, WhatIsLookedAtStays)
{
	MapRig r(4);

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(1);

	for (uint64_t i = 0; i < 2000; i++)
		r.set(t, i * 512, i + 1);
	r.checkpoint();
	uint64_t before = r.read_count, hot = 0;

	for (uint64_t i = 0; i < 4000; i++) {
		uint64_t reads = r.read_count;

		EXPECT_EQ(i % 50 + 1, r.get(t, i % 50 * 512));
		hot += r.read_count - reads;
		uint64_t cold = 50 + r.rnd() % 1950;
		EXPECT_EQ(cold + 1, r.get(t, cold * 512));
	}
	EXPECT_GT(r.read_count - before, 2000u); /* there is not room for all */
	EXPECT_LT(hot, 100u);
}

TEST(MapOwner, PagesOfTheLogAreKnownAndMoved)
{
	MapRig r(5);

	ASSERT_EQ(0, r.open(kSmall));
	map_tree *t = r.tree(1);

	for (uint64_t i = 0; i < 1000; i++)
		r.set(t, i * 300, i + 1);
	r.checkpoint();
	auto before = r.media->at;

	for (const auto &page : before) {
		map_owner o;

		ASSERT_EQ(0, map_image_owner(page.second.data(), &o));
		EXPECT_EQ(1, r.finish([&](map_wait *w) { return map_page_live(r.m, &o, page.first, w); }));
		EXPECT_EQ(0, r.finish([&](map_wait *w) { return map_page_live(r.m, &o, page.first + 100000, w); }));
		EXPECT_EQ(1, r.finish([&](map_wait *w) { return map_page_dirty(r.m, &o, page.first, w); }));
		o.tree++;
		EXPECT_EQ(0, map_page_live(r.m, &o, page.first, nullptr));
		o.tree--;
		o.index += 1ULL << 40;
		EXPECT_EQ(0, map_page_live(r.m, &o, page.first, nullptr));
		o.index = 0;
		o.level = MAP_LEVELS_MAX;
		EXPECT_EQ(0, map_page_dirty(r.m, &o, page.first, nullptr));
		if (r.wanted)
			r.checkpoint();
	}
	r.checkpoint();
	for (const auto &page : before)
		EXPECT_EQ(0u, r.media->at.count(page.first));
	EXPECT_LE(r.media->at.size(), before.size());
	r.check_reopened(kSmall);
}

} // namespace
