/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Drives that are opened beside main: one of a kind that does not answer before it is told to. */

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <unistd.h>

#include "drive_rig.h"

namespace
{

std::atomic<int> answer;     /* 1: none yet; else what open() returns */
std::atomic<unsigned> opens; /* begun */
unsigned closes;

int
slow_open(strake_drive *drive, const conf_values *, char *err, size_t errlen)
{
	opens++;
	while (answer == 1 && !__atomic_load_n(&drive->unwanted, __ATOMIC_RELAXED))
		usleep(100);
	drive->bytes = 1 << 20;
	drive->block_size = 4096;
	if (answer != 1 && answer < 0)
		snprintf(err, errlen, "drive %s: it says no", drive->name);
	return answer == 1 ? 0 : answer.load();
}

void
slow_close(strake_drive *)
{
	closes++;
}

uint16_t
slow_submit(strake_drive *, strake_io **, uint16_t)
{
	return 0;
}

class DriveOpen : public DriveRig
{
      protected:
	strake_opening *o = nullptr;
	strake_drive *d = nullptr;
	char err[128] = "";
	int (*first)(void *arg, char *err, size_t errlen) = nullptr;
	int first_said = 0;

	static void
	SetUpTestSuite()
	{
		static strake_drive_ops ops = {};

		ops.name = "slow";
		ops.open = slow_open;
		ops.close = slow_close;
		ops.submit = slow_submit;
		strake_drive_register(&ops);
	}

	void
	SetUp() override
	{
		DriveRig::SetUp();
		answer = 1;
		opens = closes = 0;
	}

	int
	begin(const char *name = "d0", const char *kind = "slow")
	{
		struct strake_drive_begin how = {name, kind, nullptr, first, &first_said};

		return strake_drive_open_begin(&o, &how, err, sizeof(err));
	}

	int
	end()
	{
		int ret;

		while ((ret = strake_drive_open_end(o, &d, err, sizeof(err))) == -EINPROGRESS)
			usleep(100);
		return ret;
	}
};

TEST_F(DriveOpen, MainGoesOnWhileADriveKeepsSilent)
{
	ASSERT_EQ(0, begin());
	while (opens == 0)
		usleep(100);
	for (int i = 0; i < 10; i++) {
		EXPECT_EQ(-EINPROGRESS, strake_drive_open_end(o, &d, err, sizeof(err)));
		turn();
	}
	EXPECT_EQ(nullptr, strake_drive_nth(0)) << "nobody may see it yet";
	answer = 0;
	ASSERT_EQ(0, end());
	EXPECT_STREQ("d0", d->name);
	EXPECT_EQ(d, strake_drive_nth(0));
	strake_drive_close(d);
	EXPECT_EQ(1u, closes);
}

/* One that keeps silent holds up none of the others. */
TEST_F(DriveOpen, SeveralBesideEachOther)
{
	strake_opening *silent, *other;
	strake_drive *second;

	ASSERT_EQ(0, begin());
	silent = o;
	ASSERT_EQ(0, begin("d1"));
	other = o;
	while (opens < 2)
		usleep(100);
	strake_drive_open_unwant(other);
	o = other;
	ASSERT_EQ(0, end());
	second = d;
	EXPECT_STREQ("d1", second->name);
	EXPECT_EQ(second, strake_drive_nth(0));
	EXPECT_EQ(-EINPROGRESS, strake_drive_open_end(silent, &d, err, sizeof(err)));
	answer = 0;
	o = silent;
	ASSERT_EQ(0, end());
	EXPECT_STREQ("d0", d->name);
	strake_drive_close(d);
	strake_drive_close(second);
}

TEST_F(DriveOpen, WhatComesFirstMayRefuseIt)
{
	first = [](void *arg, char *text, size_t len) {
		snprintf(text, len, "it is somebody's");
		return *(int *)arg;
	};
	first_said = -EEXIST;
	answer = 0;
	ASSERT_EQ(0, begin());
	EXPECT_EQ(-EEXIST, end());
	EXPECT_STREQ("it is somebody's", err);
	EXPECT_EQ(0u, opens);
	first_said = 0;
	ASSERT_EQ(0, begin());
	ASSERT_EQ(0, end());
	EXPECT_EQ(1u, opens);
	strake_drive_close(d);
}

TEST_F(DriveOpen, ReasonOfARefusalComesBackAndNothingIsLeft)
{
	ASSERT_EQ(0, begin());
	answer = -ENODEV;
	EXPECT_EQ(-ENODEV, end());
	EXPECT_STREQ("drive d0: it says no", err);
	EXPECT_EQ(nullptr, strake_drive_nth(0));
	EXPECT_EQ(0u, closes);
	EXPECT_EQ(-EINVAL, begin("d0", "tape"));
	EXPECT_STREQ("drive d0: no such kind: tape", err);
}

/* Whether it comes to nothing or opens after all. */
TEST_F(DriveOpen, OneThatNobodyWaitsForIsClosed)
{
	ASSERT_EQ(0, begin());
	strake_drive_open_leave(o);
	EXPECT_EQ(1u, opens);
	EXPECT_EQ(1u, closes);
	EXPECT_EQ(nullptr, strake_drive_nth(0));
	answer = -EIO;
	ASSERT_EQ(0, begin());
	strake_drive_open_leave(o);
	EXPECT_EQ(1u, closes);
	EXPECT_EQ(nullptr, strake_drive_nth(0));
}

} // namespace
