/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cerrno>

#include "drive_rig.h"
#include "power_drive.h"
#include "strake_drive_error.h"

namespace
{

/* The framework's half of the contract, shown on the fake drive. */
class Drive : public DriveRig
{
      protected:
	power_supply *ps = nullptr;
	power_disk *disk = nullptr;
	strake_drive *d = nullptr;

	void
	plug(power_conf conf)
	{
		conf.bytes = 1 << 20;
		ps = power_supply_new(1);
		disk = power_disk_new(ps, &conf);
		ASSERT_EQ(0, power_drive_open(&d, "d0", disk));
		ASSERT_EQ(0, strake_drive_lcore_init(d));
	}

	void
	TearDown() override
	{
		if (d != nullptr) {
			strake_drive_lcore_fini(d);
			strake_drive_close(d);
			power_disk_free(disk);
			power_supply_free(ps);
		}
		DriveRig::TearDown();
	}
};

TEST_F(Drive, KindsAreFoundByName)
{
	ASSERT_NE(nullptr, strake_drive_find("power"));
	EXPECT_STREQ("power", strake_drive_find("power")->name);
	EXPECT_EQ(nullptr, strake_drive_find("powe"));
	EXPECT_EQ(nullptr, strake_drive_kind(1));
	EXPECT_EQ(nullptr, strake_drive_kind(UINT32_MAX));
}

TEST_F(Drive, UnknownKindIsNamed)
{
	strake_drive *none = nullptr;
	char err[128] = "";

	EXPECT_EQ(-EINVAL, strake_drive_open(&none, "x", "tape", nullptr, err, sizeof(err)));
	EXPECT_STREQ("drive x: no such kind: tape", err);
	EXPECT_EQ(nullptr, none);
	EXPECT_EQ(nullptr, strake_drive_nth(0));
}

TEST_F(Drive, AnOpenThatFailsLeavesNothing)
{
	strake_drive *none = nullptr;
	char err[128] = "";

	EXPECT_EQ(-EINVAL, strake_drive_open(&none, "x", "power", nullptr, err, sizeof(err)));
	EXPECT_NE(nullptr, strstr(err, "drive x: "));
	EXPECT_EQ(nullptr, strake_drive_nth(0));
}

TEST_F(Drive, OpenDrivesAreListedInOrder)
{
	plug({});
	power_conf conf = {.bytes = 4096};
	power_disk *disk2 = power_disk_new(ps, &conf);
	strake_drive *d2;

	ASSERT_EQ(0, power_drive_open(&d2, "d1", disk2));
	EXPECT_EQ(d, strake_drive_nth(0));
	EXPECT_EQ(d2, strake_drive_nth(1));
	EXPECT_EQ(nullptr, strake_drive_nth(2));
	strake_drive_close(d2);
	power_disk_free(disk2);
	EXPECT_EQ(nullptr, strake_drive_nth(1));
}

TEST_F(Drive, WhatTheDriverRefusesIsKeptAndOfferedAgainInOrder)
{
	std::vector<std::unique_ptr<rig_io>> ios;
	std::vector<strake_io *> ptrs;
	std::vector<int> order;

	plug({.depth = 3});
	for (int i = 0; i < 200; i++) {
		ios.push_back(std::make_unique<rig_io>(STRAKE_IO_READ, i * 512, 512));
		ios.back()->then = [&order, i](rig_io *) { order.push_back(i); };
		ptrs.push_back(&ios.back()->io);
	}
	strake_drive_submit(d, ptrs.data(), 100);
	strake_drive_submit(d, ptrs.data() + 100, 100);
	EXPECT_EQ(200u, d->stats[0]->inflight);
	EXPECT_EQ(2u, d->stats[0]->full);
	for (auto &io : ios) {
		EXPECT_EQ(0, wait(*io));
		strake_buf_put_list(io->io.bufs);
	}
	EXPECT_EQ(200u, order.size());
	EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
	EXPECT_EQ(0u, d->stats[0]->inflight);
	power_figures f;
	power_disk_figures(disk, &f);
	EXPECT_EQ(3u, f.most_inflight);
}

TEST_F(Drive, DoneMaySubmitAgain)
{
	rig_io second(STRAKE_IO_FLUSH, 0, 0), first(STRAKE_IO_FLUSH, 0, 0);

	plug({.depth = 1});
	first.then = [&](rig_io *) { submit(d, second); };
	submit(d, first);
	EXPECT_EQ(0, wait(second));
	EXPECT_EQ(1, first.done);
}

TEST_F(Drive, CountsOpsBytesErrorsAndLatency)
{
	bytes out;

	plug({});
	EXPECT_EQ(0, write(d, 0, pattern(4096, 1)));
	EXPECT_EQ(0, read(d, 0, 1024, out));
	EXPECT_EQ(0, simple(d, STRAKE_IO_FLUSH));
	char error[STRAKE_DRIVE_ERROR_MAX];
	EXPECT_STREQ("", strake_drive_error(d, error));
	power_fault f = {.status = -EIO};
	power_disk_fault(disk, &f);
	EXPECT_EQ(-EIO, read(d, 0, 512, out));
	EXPECT_STREQ("read of 512 bytes at 0: Input/output error", strake_drive_error(d, error));
	const strake_drive_stats *s = d->stats[0];
	EXPECT_EQ(2u, s->ops[STRAKE_IO_READ]);
	EXPECT_EQ(1024u, s->bytes[STRAKE_IO_READ]);
	EXPECT_EQ(1u, s->errors[STRAKE_IO_READ]);
	EXPECT_EQ(4096u, s->bytes[STRAKE_IO_WRITE]);
	EXPECT_EQ(1u, s->ops[STRAKE_IO_FLUSH]);
	/* A turn of the rig is 1 us, and the fake completes in the turn after. */
	EXPECT_EQ(1u, s->latency[STRAKE_IO_WRITE].count);
	EXPECT_EQ(1000u, s->latency[STRAKE_IO_WRITE].max);
	EXPECT_EQ(1u, s->latency[STRAKE_IO_READ].count);
}

TEST_F(Drive, SyncRunsTurnsUntilDone)
{
	plug({.delay_turns = 10});
	bytes data = pattern(4096, 3);
	strake_buf *b = payload(data, 0, nullptr), *r = strake_buf_page(4096);

	EXPECT_EQ(0, strake_drive_sync(d, STRAKE_IO_WRITE, 8192, b, 4096));
	EXPECT_EQ(0, strake_drive_sync(d, STRAKE_IO_FLUSH, 0, nullptr, 0));
	EXPECT_EQ(0, strake_drive_sync(d, STRAKE_IO_READ, 8192, r, 4096));
	EXPECT_EQ(0, memcmp(r->addr, data.data(), 4096));
	power_disk_vanish(disk, true);
	EXPECT_EQ(-ENODEV, strake_drive_sync(d, STRAKE_IO_READ, 8192, r, 4096));
	strake_buf_put(b);
	strake_buf_put(r);
}

TEST_F(Drive, DescriptorsComeZeroedAndEnd)
{
	std::vector<strake_io *> all;

	plug({});
	for (strake_io *io; (io = strake_io_alloc()) != nullptr;) {
		static const strake_io zero = {};

		ASSERT_EQ(0, memcmp(io, &zero, sizeof(zero)));
		memset(io, 0xff, sizeof(*io));
		all.push_back(io);
	}
	EXPECT_GE(all.size(), 60000u);
	for (auto *io : all)
		strake_io_free(io);
}

/* Undoing a start that failed half-way meets drives that were never made ready. */
TEST_F(Drive, LcoreFiniOfADriveThatIsNotReadyIsHarmless)
{
	plug({});
	power_conf conf = {.bytes = 4096};
	power_disk *disk2 = power_disk_new(ps, &conf);
	rig_io io(STRAKE_IO_FLUSH, 0, 0);
	strake_drive *d2;
	strake_io *ptr = &io.io;

	ASSERT_EQ(0, power_drive_open(&d2, "d1", disk2));
	strake_drive_lcore_fini(d2);
	ASSERT_EQ(0, strake_drive_lcore_init(d2));
	strake_drive_lcore_fini(d2);
	strake_drive_lcore_fini(d2);
	strake_drive_close(d2);
	power_disk_free(disk2);
	strake_drive_submit(d, &ptr, 1);
	EXPECT_EQ(0, wait(io));
}

} // namespace
