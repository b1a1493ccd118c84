/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* When log groups are scrubbed, in virtual time. */

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "scrub_plan.h"

namespace
{

constexpr uint64_t kSecond = 1000000000, kDay = 86400, kStart = 1800000000;

class ScrubPlan : public testing::Test
{
      protected:
	scrub_plan p = {};
	scrub_seen seen = {};
	uint64_t now = 5 * kSecond, wall = kStart;

	void
	SetUp() override
	{
		p.every = 7 * kDay;
		seen.whole = true;
	}
	scrub_do
	look()
	{
		return scrub_plan_look(&p, &seen, now, wall);
	}
	void
	pass(uint64_t seconds)
	{
		now += seconds * kSecond;
		wall += seconds;
	}
	/* One that goes through, and finds and mends so much. */
	void
	scrub(uint64_t rows, uint64_t wrong, uint64_t mended)
	{
		seen.running = true;
		seen.rows = 0;
		EXPECT_EQ(SCRUB_NOTHING, look());
		pass(3600);
		EXPECT_EQ(SCRUB_NOTHING, look());
		seen.running = false;
		seen.ended++;
		seen.rows = rows;
		seen.wrong = wrong;
		EXPECT_EQ(SCRUB_NOTHING, look());
		for (uint64_t i = 0; i < mended; i++) {
			pass(1);
			seen.repaired++;
			EXPECT_EQ(SCRUB_NOTHING, look()) << "repairs go on";
		}
		pass(2);
		EXPECT_EQ(SCRUB_RECORD, look());
	}
};

TEST_F(ScrubPlan, FirstOneComesAPeriodAfterTheGroupWasSeen)
{
	EXPECT_EQ(SCRUB_RECORD, look()) << "the period counts from here, over restarts too";
	EXPECT_EQ(kStart + 7 * kDay, scrub_plan_next(&p));
	EXPECT_EQ(SCRUB_NOTHING, look());
	pass(7 * kDay - 1);
	EXPECT_EQ(SCRUB_NOTHING, look());
	pass(1);
	EXPECT_EQ(SCRUB_START, look());
}

TEST_F(ScrubPlan, NextOneComesAPeriodAfterTheEndOfTheLast)
{
	look();
	pass(7 * kDay);
	ASSERT_EQ(SCRUB_START, look());
	scrub(1000, 3, 4);
	EXPECT_EQ(wall, p.past.ended);
	EXPECT_EQ(1000u, p.past.rows);
	EXPECT_EQ(3u, p.past.wrong);
	EXPECT_EQ(4u, p.past.mended);
	EXPECT_EQ(wall + 7 * kDay, scrub_plan_next(&p));
	pass(7 * kDay - 1);
	seen.repaired += 10; /* what hosts read is mended too, and no scrub's doing */
	EXPECT_EQ(SCRUB_NOTHING, look());
	pass(1);
	EXPECT_EQ(SCRUB_START, look());
	scrub(1001, 0, 0);
	EXPECT_EQ(0u, p.past.mended);
}

TEST_F(ScrubPlan, OneThatTheOperatorAskedForCountsToo)
{
	look();
	pass(kDay);
	scrub(10, 0, 0);
	EXPECT_EQ(wall + 7 * kDay, scrub_plan_next(&p));
	/* One so short that it was never seen to run. */
	pass(60);
	seen.ended++;
	look();
	pass(2);
	EXPECT_EQ(SCRUB_RECORD, look());
	EXPECT_EQ(wall, p.past.ended);
}

TEST_F(ScrubPlan, WithoutAScheduleOnlyResultsAreKept)
{
	p.every = 0;
	EXPECT_EQ(SCRUB_RECORD, look());
	pass(1000 * kDay);
	EXPECT_EQ(SCRUB_NOTHING, look());
	EXPECT_EQ(0u, scrub_plan_next(&p));
	scrub(10, 1, 1);
	EXPECT_EQ(1u, p.past.wrong);
}

TEST_F(ScrubPlan, WaitsForAGroupThatIsNotWhole)
{
	look();
	pass(8 * kDay);
	seen.whole = false;
	EXPECT_EQ(SCRUB_NOTHING, look());
	seen.whole = true;
	EXPECT_EQ(SCRUB_START, look());
}

TEST_F(ScrubPlan, OneThatARestartCutBeginsAnew)
{
	look();
	pass(7 * kDay);
	ASSERT_EQ(SCRUB_START, look());
	seen.running = true;
	look();
	scrub_plan again = {};

	again.every = p.every;
	again.past = p.past;
	p = again;
	seen = {};
	seen.whole = true;
	EXPECT_EQ(SCRUB_START, look());
}

TEST_F(ScrubPlan, OneThatTheOperatorStoppedDoesNotBeginAtOnceAgain)
{
	look();
	pass(7 * kDay);
	ASSERT_EQ(SCRUB_START, look());
	seen.running = true;
	look();
	scrub_plan_rest(&p, wall);
	seen.running = false;
	EXPECT_EQ(SCRUB_NOTHING, look());
	EXPECT_EQ(0u, p.past.ended) << "it did not go through";
	pass(7 * kDay);
	EXPECT_EQ(SCRUB_START, look());
}

TEST_F(ScrubPlan, ClockThatWasSetBackCostsOnePeriod)
{
	p.past.since = p.past.ended = kStart + 1000 * kDay;
	EXPECT_EQ(SCRUB_NOTHING, look());
	pass(7 * kDay);
	EXPECT_EQ(SCRUB_START, look());
}

TEST_F(ScrubPlan, StoreThatIsAlwaysMendedHasAResultAllTheSame)
{
	look();
	pass(60);
	seen.ended++;
	for (int i = 0; i < 60; i++) {
		EXPECT_EQ(SCRUB_NOTHING, look()) << i;
		pass(1);
		seen.repaired++;
	}
	EXPECT_EQ(SCRUB_RECORD, look());
}

TEST(ScrubPast, TextOutAndIn)
{
	scrub_past past = {1, 2, 3, 4, UINT64_MAX}, back = {};
	char text[SCRUB_PAST_MAX];

	unsigned int len = scrub_past_print(&past, text);

	EXPECT_EQ(strlen(text), len);
	EXPECT_EQ(0, scrub_past_parse(&back, text));
	EXPECT_EQ(0, memcmp(&past, &back, sizeof(past)));
	for (const char *bad :
	     {"", "since", "since 1 ended 2 rows 3 wrong 4", "since 1 ended 2 rows 3 wrong 4 mended x",
	      "since 1 ended 2 rows 3 wrong 4 mended 5\nmore"})
		EXPECT_EQ(-EINVAL, scrub_past_parse(&back, bad)) << bad;
}

} // namespace
