/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string>
#include <vector>

#include "strake_account.h"
#include "world.h"

namespace
{

strake_step outer = {"outer", 240, 0};
strake_step inner = {"inner", 250, 0};

/* A poller that is in `outer`, in `inner` within it, and in `outer` again. */
struct Worker {
	strake_poller p = {};
	uint32_t work = 1;

	Worker()
	{
		p.name = "worker";
		p.fd = -2;
		p.poll = [](strake_poller *self, uint64_t) {
			uint8_t a = strake_account_enter(&outer);
			uint8_t b = strake_account_enter(&inner);

			strake_account_leave(b);
			strake_account_leave(a);
			return ((Worker *)self)->work;
		};
		strake_poller_add(&p);
	}

	~Worker()
	{
		strake_poller_del(&p);
	}
};

class Account : public World
{
      protected:
	void
	SetUp() override
	{
		start(1);
		strake_lcore_enter(1);
		strake_account_register(&outer);
		strake_account_register(&inner);
	}

	void
	TearDown() override
	{
		strake_account_set(false);
		strake_lcore_turn(++ms * STRAKE_NS_PER_MS);
		strake_account_unregister(&outer);
		strake_account_unregister(&inner);
		World::TearDown();
	}

	const strake_account *
	turns(unsigned int n)
	{
		while (n-- > 0)
			strake_lcore_turn(++ms * STRAKE_NS_PER_MS);
		return strake_account_of(1);
	}

	static std::vector<const strake_step *>
	list()
	{
		std::vector<const strake_step *> all;

		for (unsigned int i = 0; strake_account_step(i) != nullptr; i++)
			all.push_back(strake_account_step(i));
		return all;
	}

	uint64_t ms = 1;
};

TEST_F(Account, BooksNothingUntilAsked)
{
	Worker w;

	EXPECT_EQ(0u, turns(5)->turns);
	EXPECT_EQ(nullptr, strake_self()->account);
}

TEST_F(Account, EachStepHasItsOwnCyclesAndTheLoopTheRest)
{
	Worker w;

	strake_account_set(true);
	uint64_t before = rte_rdtsc();
	const strake_account *a = turns(100);
	uint64_t took = rte_rdtsc() - before, sum = 0;

	EXPECT_EQ(100u, a->turns);
	EXPECT_GT(a->sum[outer.id], 0u);
	EXPECT_GT(a->sum[inner.id], 0u);
	EXPECT_GT(a->sum[0], 0u);
	for (uint64_t s : a->sum)
		sum += s;
	EXPECT_LE(sum, took) << "no cycle is booked twice";
}

TEST_F(Account, ForgetsTurnsThatDidNothing)
{
	Worker w;

	w.work = 0;
	strake_account_set(true);
	EXPECT_EQ(0u, turns(10)->turns);
	EXPECT_EQ(0u, strake_account_of(1)->sum[outer.id]);
	w.work = 1;
	EXPECT_EQ(1u, turns(1)->turns);
}

TEST_F(Account, BeginsAnewAndStaysToBeReadAfterItEnded)
{
	Worker w;

	strake_account_set(true);
	turns(10);
	strake_account_set(false);
	EXPECT_EQ(10u, turns(10)->turns);
	strake_account_set(true);
	EXPECT_EQ(1u, turns(1)->turns);
}

TEST_F(Account, ListsStepsByPlaceAndEachOnce)
{
	std::vector<const strake_step *> all = list();

	ASSERT_GT(all.size(), 3u);
	EXPECT_EQ(0, all[0]->id);
	for (size_t i = 1; i < all.size(); i++)
		EXPECT_LE(all[i - 1]->place, all[i]->place);
	EXPECT_EQ(&inner, all.back());
	EXPECT_EQ(&outer, all[all.size() - 2]);
}

TEST_F(Account, StepsBeyondTheTableAreTheLoops)
{
	std::vector<strake_step> many(STRAKE_STEPS_MAX, strake_step{"many", 100, 0});

	for (strake_step &s : many)
		strake_account_register(&s);
	EXPECT_EQ(0, many.back().id);
	EXPECT_NE(0, many.front().id);
	for (strake_step &s : many)
		strake_account_unregister(&s);
	EXPECT_EQ(&inner, list().back()) << "one that got no id takes nobody's place with it";
}

} // namespace
