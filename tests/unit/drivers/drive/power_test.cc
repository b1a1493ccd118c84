/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <random>

#include "drive_rig.h"
#include "power_drive.h"

namespace
{

constexpr uint64_t kBytes = 1 << 20;

class PowerDrive : public DriveRig
{
      protected:
	power_supply *ps = nullptr;
	power_disk *disk = nullptr;
	strake_drive *d = nullptr;

	void
	plug(uint64_t seed, power_conf conf = {})
	{
		if (conf.bytes == 0)
			conf.bytes = kBytes;
		ps = power_supply_new(seed);
		disk = power_disk_new(ps, &conf);
		open();
	}

	void
	open()
	{
		ASSERT_EQ(0, power_drive_open(&d, "p0", disk));
		ASSERT_EQ(0, strake_drive_lcore_init(d));
	}

	void
	close()
	{
		strake_drive_lcore_fini(d);
		strake_drive_close(d);
		d = nullptr;
	}

	/* As after a crash: the process is gone, the power returns, and a new one opens the same disk. */
	void
	reboot()
	{
		close();
		power_restore(ps);
		open();
	}

	void
	unplug()
	{
		if (d != nullptr)
			close();
		power_disk_free(disk);
		power_supply_free(ps);
	}

	bytes
	content(uint64_t off, uint64_t len)
	{
		bytes v(len);

		power_disk_peek(disk, off, v.data(), len);
		return v;
	}
};

TEST_F(PowerDrive, ReadsWhatWasWritten)
{
	bytes in = pattern(8192, 1), out;

	plug(1);
	EXPECT_EQ(0, write(d, 4096, in));
	EXPECT_EQ(0, read(d, 4096, 8192, out));
	EXPECT_EQ(in, out);
	EXPECT_EQ(0, read(d, 0, 4096, out));
	EXPECT_EQ(bytes(4096), out);
	EXPECT_EQ(0, simple(d, STRAKE_IO_WRITE_ZEROES, 4096, 512));
	EXPECT_EQ(0, simple(d, STRAKE_IO_DEALLOCATE, 5120, 512));
	memset(&in[0], 0, 512);
	memset(&in[1024], 0, 512);
	EXPECT_EQ(0, read(d, 4096, 8192, out));
	EXPECT_EQ(in, out);
	unplug();
}

TEST_F(PowerDrive, FlushedAndFuaDataSurvivesEveryCut)
{
	for (uint64_t seed = 0; seed < 60; seed++) {
		bytes a = pattern(4096, 10), b = pattern(4096, 11);

		plug(seed);
		EXPECT_EQ(0, write(d, 0, pattern(4096, 12)));
		EXPECT_EQ(0, write(d, 0, a));
		EXPECT_EQ(0, simple(d, STRAKE_IO_FLUSH));
		EXPECT_EQ(0, write(d, 8192, pattern(4096, 13)));
		EXPECT_EQ(0, write(d, 8192, b, STRAKE_IO_FUA));
		power_cut(ps);
		EXPECT_EQ(-ENODEV, write(d, 0, b));
		reboot();
		EXPECT_EQ(a, content(0, 4096)) << seed;
		EXPECT_EQ(b, content(8192, 4096)) << seed;
		unplug();
	}
}

/* Over the seeds every outcome must be seen: all of it, none of it, and torn; and never a sector of anything else. */
TEST_F(PowerDrive, UnflushedWritesAreKeptLostOrTornBySector)
{
	int kept = 0, lost = 0, torn = 0, middle = 0;

	for (uint64_t seed = 0; seed < 200; seed++) {
		bytes zero(4096), a = pattern(4096, 1), b = pattern(4096, 2);

		plug(seed);
		EXPECT_EQ(0, write(d, 0, a));
		EXPECT_EQ(0, write(d, 0, b));
		power_cut(ps);
		reboot();
		bytes now = content(0, 4096);
		for (size_t s = 0; s < 4096; s += 512) {
			bool is_zero = memcmp(&now[s], &zero[s], 512) == 0, is_a = memcmp(&now[s], &a[s], 512) == 0;
			bool is_b = memcmp(&now[s], &b[s], 512) == 0;

			EXPECT_TRUE(is_zero || is_a || is_b) << seed;
			middle += is_a;
		}
		kept += now == b;
		lost += now == zero;
		torn += now != b && now != zero && now != a;
		unplug();
	}
	EXPECT_GT(kept, 20);
	EXPECT_GT(lost, 20);
	EXPECT_GT(torn, 50);
	EXPECT_GT(middle, 100);
}

TEST_F(PowerDrive, FlushCoversOnlyWhatWasCompletedBeforeIt)
{
	int lost = 0;

	for (uint64_t seed = 0; seed < 40; seed++) {
		bytes a = pattern(512, 1);
		strake_buf *pl = payload(a, 0, nullptr);
		rig_io w(STRAKE_IO_WRITE, 0, 512, pl), f(STRAKE_IO_FLUSH, 0, 0);

		plug(seed);
		submit(d, w);
		submit(d, f);
		wait(w);
		wait(f);
		power_cut(ps);
		lost += content(0, 512) != a;
		strake_buf_put_list(pl);
		unplug();
	}
	EXPECT_GT(lost, 5);
}

TEST_F(PowerDrive, WriteThroughDisksLoseNothing)
{
	plug(3, {.bytes = kBytes, .write_through = true});
	EXPECT_FALSE(d->volatile_cache);
	bytes a = pattern(65536, 1);
	EXPECT_EQ(0, write(d, 0, a));
	power_cut(ps);
	EXPECT_EQ(a, content(0, 65536));
	unplug();
}

TEST_F(PowerDrive, CutsAtTheWriteNamedForAllDisksAtOnce)
{
	plug(5);
	power_conf conf = {.bytes = kBytes};
	power_disk *disk2 = power_disk_new(ps, &conf);
	strake_drive *d2;
	ASSERT_EQ(0, power_drive_open(&d2, "p1", disk2));
	ASSERT_EQ(0, strake_drive_lcore_init(d2));

	power_cut_at(ps, 3);
	EXPECT_EQ(0, write(d, 0, pattern(512, 1)));
	EXPECT_EQ(0, write(d2, 0, pattern(512, 1)));
	bytes out;
	EXPECT_EQ(0, read(d, 0, 512, out));
	EXPECT_EQ(-ENODEV, simple(d2, STRAKE_IO_FLUSH));
	EXPECT_FALSE(power_is_on(ps));
	EXPECT_EQ(3u, power_writes(ps));
	EXPECT_EQ(-ENODEV, read(d, 0, 512, out));
	strake_drive_lcore_fini(d2);
	strake_drive_close(d2);
	power_disk_free(disk2);
	unplug();
}

TEST_F(PowerDrive, TheSameSeedGivesTheSameCut)
{
	bytes seen[2];

	for (auto &s : seen) {
		plug(77, {.bytes = kBytes, .delay_turns = 5});
		for (int i = 0; i < 20; i++)
			EXPECT_EQ(0, write(d, (uint64_t)i * 2048, pattern(4096, i)));
		power_cut(ps);
		s = content(0, 65536);
		unplug();
	}
	EXPECT_EQ(seen[0], seen[1]);
}

TEST_F(PowerDrive, FaultsHitWhatTheyNameAndEnd)
{
	bytes out;

	plug(1);
	power_fault f = {.ops = 1u << STRAKE_IO_READ, .off = 4096, .len = 4096, .skip = 1, .count = 2, .status = -EIO};
	power_disk_fault(disk, &f);
	EXPECT_EQ(0, write(d, 4096, pattern(4096, 1)));
	EXPECT_EQ(0, read(d, 4096, 4096, out));
	EXPECT_EQ(0, read(d, 0, 4096, out));
	EXPECT_EQ(-EIO, read(d, 4096, 512, out));
	EXPECT_EQ(-EIO, read(d, 0, 8192, out));
	EXPECT_EQ(0, read(d, 4096, 4096, out));

	power_fault all = {.status = -ETIMEDOUT};
	power_disk_fault(disk, &all);
	EXPECT_EQ(-ETIMEDOUT, simple(d, STRAKE_IO_FLUSH));
	EXPECT_EQ(-ETIMEDOUT, write(d, 0, pattern(512, 1)));
	power_disk_no_faults(disk);
	EXPECT_EQ(bytes(512), content(0, 512)) << "a failed write is not carried out";
	EXPECT_EQ(0, write(d, 0, pattern(512, 1)));
	EXPECT_EQ(2u, d->stats[0]->errors[STRAKE_IO_READ]);
	unplug();
}

TEST_F(PowerDrive, VanishesWithWhatIsUnderWayAndReturns)
{
	bytes a = pattern(512, 1), out;

	plug(1);
	EXPECT_EQ(0, write(d, 0, a));
	rig_io r(STRAKE_IO_READ, 0, 512);
	submit(d, r);
	power_disk_vanish(disk, true);
	EXPECT_EQ(-ENODEV, wait(r));
	EXPECT_EQ(nullptr, r.io.bufs);
	EXPECT_EQ(-ENODEV, simple(d, STRAKE_IO_FLUSH));
	power_disk_vanish(disk, false);
	EXPECT_EQ(0, read(d, 0, 512, out));
	EXPECT_EQ(a, out);
	unplug();
}

TEST_F(PowerDrive, HoldsDelaysAndReorders)
{
	std::vector<int> order;
	std::vector<std::unique_ptr<rig_io>> ios;

	plug(9, {.bytes = kBytes, .delay_turns = 8});
	power_disk_hold(disk, true);
	for (int i = 0; i < 32; i++) {
		ios.push_back(std::make_unique<rig_io>(STRAKE_IO_READ, i * 512, 512));
		ios.back()->then = [&order, i](rig_io *) { order.push_back(i); };
		submit(d, *ios.back());
	}
	for (int i = 0; i < 30; i++)
		turn();
	EXPECT_TRUE(order.empty());
	power_disk_hold(disk, false);
	for (auto &io : ios) {
		EXPECT_EQ(0, wait(*io));
		strake_buf_put_list(io->io.bufs);
	}
	EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
	unplug();
}

TEST_F(PowerDrive, TellsOnItsCallers)
{
	power_figures f;
	bytes a = pattern(1024, 1), out;
	strake_buf *pl = payload(a, 0, nullptr);
	rig_io w(STRAKE_IO_WRITE, 0, 1024, pl), r(STRAKE_IO_READ, 512, 512);

	plug(1);
	submit(d, w);
	submit(d, r);
	pl->addr[0] ^= 1;
	wait(w);
	wait(r);
	strake_buf_put_list(pl);
	strake_buf_put_list(r.io.bufs);
	EXPECT_EQ(-ERANGE, read(d, kBytes, 512, out));
	EXPECT_EQ(-ERANGE, read(d, 100, 512, out));
	EXPECT_EQ(-ERANGE, read(d, 0, 2 * STRAKE_BUF_PAGE_MAX, out));
	power_disk_figures(disk, &f);
	EXPECT_EQ(1u, f.overlaps);
	EXPECT_EQ(1u, f.changed);
	EXPECT_EQ(3u, f.out_of_bounds);
	unplug();
}

/* A write that is a lie is acknowledged, and the disk holds something else; what else is written is as it should be. */
TEST_F(PowerDrive, LiesAboutWritesNowAndThen)
{
	constexpr uint64_t kFrom = 524288;
	power_lies lies = {7, 4, kFrom};
	uint64_t wrong = 0, elsewhere = 0, told = 0;
	power_figures f;

	plug(1);
	power_disk_lies(disk, &lies);
	for (uint64_t i = 0; i < 100; i++) {
		bytes in = pattern(4096, (uint32_t)i + 1), before = content(0, kBytes), after;

		EXPECT_EQ(0, write(d, i * 4096, in, i % 2 == 0 ? STRAKE_IO_FUA : 0));
		EXPECT_EQ(0, simple(d, STRAKE_IO_FLUSH));
		after = content(0, kBytes);
		wrong += !std::equal(in.begin(), in.end(), after.begin() + (long)(i * 4096));
		std::copy(in.begin(), in.end(), after.begin() + (long)(i * 4096));
		std::copy(in.begin(), in.end(), before.begin() + (long)(i * 4096));
		elsewhere += after != before;
		EXPECT_TRUE(std::equal(after.begin(), after.begin() + kFrom, before.begin())) << i;
	}
	power_disk_figures(disk, &f);
	for (uint64_t n : f.lies) {
		EXPECT_GT(n, 2u);
		told += n;
	}
	EXPECT_EQ(told, wrong);
	EXPECT_EQ(f.lies[POWER_LIE_ASTRAY], elsewhere);
	power_cut(ps);
	reboot();
	lies.one_in = 0;
	power_disk_lies(disk, &lies);
	EXPECT_EQ(0, write(d, 0, pattern(4096, 200)));
	EXPECT_EQ(pattern(4096, 200), content(0, 4096));
	unplug();
}

/* Zeroes and deallocates can be lost too: what was there stays. */
TEST_F(PowerDrive, LosesADeallocate)
{
	power_lies lies = {7, 1, 0};
	power_figures f;

	plug(1);
	EXPECT_EQ(0, write(d, 0, pattern(4096, 1)));
	power_disk_lies(disk, &lies);
	EXPECT_EQ(0, simple(d, STRAKE_IO_DEALLOCATE, 0, 4096));
	EXPECT_EQ(pattern(4096, 1), content(0, 4096));
	power_disk_figures(disk, &f);
	EXPECT_EQ(1u, f.lies[POWER_LIE_LOST]);
	unplug();
}

} // namespace
