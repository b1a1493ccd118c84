/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A drive more: columns move to it, and segments come. */

#include "log_rig.h"

namespace
{

class LogGrowth : public LogRig
{
      protected:
	uint32_t was = 0; /* segments */
	char text[300] = "";

	/* A fifth drive for a full group of four. */
	void
	add()
	{
		all_up(4);
		make_disks(1);
		conf.n_drives = 5;
		conf.data = 0;
		was = sp->segments;
		fill(was);
		ASSERT_EQ(0, log_group_drive_add(g, plug(4), text, sizeof(text))) << text;
	}
};

TEST_F(LogGrowth, DriveIsAddedAndSegmentsGrow)
{
	ASSERT_NO_FATAL_FAILURE(add());
	EXPECT_EQ(-EBUSY, log_group_drive_add(g, plug(4), text, sizeof(text)));
	until([&] { return status().segments == status().segments_coming; });
	EXPECT_EQ(was * 5 / 4, sp->segments);
	expect_filled(was);
	for (uint32_t s = was; s < sp->segments; s++)
		ASSERT_EQ(0, row(s, 0, data_of(s, 0)));
	expect_filled(was);
	for (unsigned i = 0; i < 5; i++)
		expect_right_without({i}, was);
	uint32_t grown = sp->segments;

	stop();
	up({4, 3, 2, 1, 0});
	EXPECT_EQ(grown, sp->segments);
	until([&] { return status().stale + status().missing == 0; });
	expect_filled(was);
	for (uint32_t s = was; s < grown; s++)
		ASSERT_EQ(data_of(s, 0), read(s, 0, sp->row_bytes));
}

/* Segments that come after a restart have their place in every table, too. */
TEST_F(LogGrowth, GrowthGoesOnAfterARestart)
{
	ASSERT_NO_FATAL_FAILURE(add());
	until([&] { return status().moves > 0; });
	ASSERT_LT(status().segments, status().segments_coming);
	stop();
	up({0, 1, 2, 3, 4});
	uint32_t early = sp->segments;

	ASSERT_LT(early, status().segments_coming);
	until([&] { return status().segments == status().segments_coming; });
	EXPECT_EQ(was * 5 / 4, sp->segments);
	for (uint32_t s = was; s < sp->segments; s++)
		ASSERT_EQ(0, row(s, 0, data_of(s, 0)));
	expect_filled(was);
	stop();
}

/* Whenever power goes, a drive that was not a member before is no loss beside another one. */
TEST_F(LogGrowth, CutAtEveryWriteOfAddingADrive)
{
	char name[] = "d4";
	conf_drive last = {}, *spares[] = {&last};
	bool through = false;

	last.name = name;
	conf.spares = spares;
	for (uint64_t nth = 1; nth < 100 && !through; nth++) {
		conf.n_spares = 0;
		all_up(4);
		make_disks(1);
		conf.n_drives = 4;
		conf.n_spares = 1;
		fill(2);
		ASSERT_EQ(0, simple(STRAKE_SPACE_FLUSH));
		power_cut_at(ps, nth);
		log_group_drive_add(g, plug(4), text, sizeof(text));
		through = power_is_on(ps);
		crash();
		up({1, 2, 3, 4});
		expect_filled(2);
		stop();
		drop_disks();
		rows.clear();
	}
	EXPECT_TRUE(through);
}

} // namespace
