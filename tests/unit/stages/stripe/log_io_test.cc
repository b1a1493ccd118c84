/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Rows, reads, intents, flushes and frees of a log group, whole and degraded. */

#include "log_rig.h"

extern "C" {
#include "stages/stripe/log_parity.h"
}

namespace
{

class LogIoTest : public LogRig
{
};

TEST_F(LogIoTest, ReadsAnyWindowOfWhatWasWritten)
{
	disk_conf.delay_turns = 3;
	all_up(4);
	fill(3);
	expect_filled(3);
	bytes both = data_of(1, 0), more = data_of(1, 1);

	both.insert(both.end(), more.begin(), more.end());
	for (auto w : {std::pair<uint32_t, uint32_t>{0, 1}, {511, 2}, {64, 4032}, {4095, 2}, {100, 20000}, {12287, 2}})
		EXPECT_EQ(bytes(both.begin() + w.first, both.begin() + w.first + w.second), read(1, w.first, w.second));
}

TEST_F(LogIoTest, AlignedReadCopiesNothing)
{
	all_up(4);
	fill(1);
	LogIo io(STRAKE_SPACE_READ, 0, 4096, 4096);

	ASSERT_EQ(0, run(io));
	EXPECT_EQ(nullptr, io.io.bufs->next);
	EXPECT_TRUE(io.io.bufs->flags & STRAKE_BUF_WRITABLE) << "the drive's own page, not a slice";
	strake_buf_put_list(io.io.bufs);
}

TEST_F(LogIoTest, RefusesWhatLiesOutside)
{
	all_up(4);
	EXPECT_EQ(-ERANGE, simple(STRAKE_SPACE_READ, sp->segments, 0, 64));
	EXPECT_EQ(-ERANGE, simple(STRAKE_SPACE_READ, 0, strake_space_seg_bytes(sp) - 1, 2));
	EXPECT_EQ(-ERANGE, simple(STRAKE_SPACE_READ, 0, UINT64_MAX, 2));
	EXPECT_EQ(-ERANGE, simple(STRAKE_SPACE_READ, 0, 0, 0));
	EXPECT_EQ(-ERANGE, simple(STRAKE_SPACE_FREE, sp->segments));
	EXPECT_EQ(-ERANGE, simple(STRAKE_SPACE_INTENT_READ, 0, sp->intent_bytes, 512));
	EXPECT_EQ(-ERANGE, simple(STRAKE_SPACE_INTENT_READ, 0, 0, 512, 2));
	EXPECT_EQ(-ERANGE, row(0, sp->rows, data_of(0, 0)));
	EXPECT_EQ(-ERANGE, row(0, 0, bytes(sp->row_bytes - 512)));
	EXPECT_EQ(-EINVAL, simple(77));
}

/* Every combination of at most m lost drives reads right; one more gives errors, never wrong bytes. */
TEST_F(LogIoTest, ReadsWithUpToParityDrivesGone)
{
	for (uint32_t m = 0; m <= 3; m++) {
		const uint32_t n = 3 + m + 1;

		conf.data = 3;
		conf.parity = m;
		all_up(n);
		fill(4);
		ASSERT_EQ(0, simple(STRAKE_SPACE_FLUSH));
		for (uint32_t mask = 0; mask < 1u << n; mask++) {
			if ((uint32_t)__builtin_popcount(mask) > m + 1)
				continue;
			for (uint32_t i = 0; i < n; i++) {
				power_disk_no_faults(disks[i]);
				if (mask >> i & 1)
					unreadable(i);
			}
			for (uint32_t s = 0; s < 4; s++) {
				LogIo io(STRAKE_SPACE_READ, s, 100, sp->row_bytes);
				int ret = run(io);
				bytes want = data_of(s, 0), more = data_of(s, 1);

				want.insert(want.end(), more.begin(), more.end());
				if ((uint32_t)__builtin_popcount(mask) <= m) {
					ASSERT_EQ(0, ret) << "mask " << mask;
				} else {
					ASSERT_TRUE(ret == 0 || ret == -EIO);
				}
				if (ret == 0) {
					ASSERT_EQ(bytes(want.begin() + 100, want.begin() + 100 + sp->row_bytes),
						  taken(io, sp->row_bytes));
				}
			}
		}
		for (auto *d : disks)
			power_disk_no_faults(d);
		stop();
		drop_disks();
		rows.clear();
	}
}

/* With two columns of data, what ends a row and what begins the next lie on one drive. */
TEST_F(LogIoTest, AnAttemptLeavesTheSameDriveOutOfEveryRow)
{
	conf.data = 2;
	all_up(3);
	fill(1);
	bytes want = read(0, 0, 2 * sp->row_bytes), bad = pattern(4096, 99), got;
	uint64_t base = lgroup_super_data_off(sp->intent_bytes);
	uint32_t off = sp->row_bytes - 4096;
	uint16_t attempt = 0;

	want = bytes(want.begin() + off, want.begin() + off + 8192);
	power_disk_poke(disks[1], base + sp->unit - 4096, bad.data(), bad.size());
	power_disk_poke(disks[1], base + sp->unit, bad.data(), bad.size());
	ASSERT_NE(want, read(0, off, 8192));
	do {
		LogIo io(STRAKE_SPACE_READ, 0, off, 8192, ++attempt);

		ASSERT_EQ(0, run(io)) << "attempt " << attempt;
		got = taken(io, 8192);
	} while (got != want);
	EXPECT_EQ(0, repair(0, off, want, attempt));
	EXPECT_EQ(want, read(0, off, 8192));
	EXPECT_EQ(2u, member(1).wrong);
}

/* A column that is away is made from parity, which may be wrong as well: there is another. */
TEST_F(LogIoTest, AnAttemptLeavesParityOutOfWhichAMissingDriveIsMade)
{
	conf.parity = 2;
	all_up(5);
	fill(1);
	bytes want = read(0, 0, 2 * sp->row_bytes), bad = pattern(4096, 99), got;
	uint64_t base = lgroup_super_data_off(sp->intent_bytes);
	uint16_t attempt = 0;

	power_disk_vanish(disks[1], true);
	power_disk_poke(disks[3], base, bad.data(), bad.size());
	ASSERT_NE(want, read(0, 0, 2 * sp->row_bytes));
	do {
		LogIo io(STRAKE_SPACE_READ, 0, 0, 2 * sp->row_bytes, ++attempt);

		ASSERT_NE(-ERANGE, run(io));
		if (io.io.status == 0)
			got = taken(io, 2 * sp->row_bytes);
	} while (got != want);
}

TEST_F(LogIoTest, AttemptsFindTheRightBytesAndRepairWritesThem)
{
	conf.parity = 2;
	all_up(5);
	fill(1);
	uint64_t base = lgroup_super_data_off(sp->intent_bytes);
	bytes bad = pattern(4096, 99);

	power_disk_poke(disks[0], base, bad.data(), bad.size());
	power_disk_poke(disks[3], base, bad.data(), bad.size());
	bytes want = data_of(0, 0);
	uint16_t attempt = 0;

	while (attempt < 200) {
		LogIo io(STRAKE_SPACE_READ, 0, 0, sp->row_bytes, attempt);
		int ret = run(io);

		ASSERT_EQ(0, ret);
		if (taken(io, sp->row_bytes) == want)
			break;
		attempt++;
	}
	ASSERT_GT(attempt, 0);
	ASSERT_LT(attempt, 200);
	EXPECT_EQ(0, repair(0, 0, want, attempt));
	EXPECT_EQ(want, read(0, 0, sp->row_bytes));
	EXPECT_EQ(2u, status().repaired);
	EXPECT_EQ(1u, member(0).wrong);
	EXPECT_EQ(1u, member(3).wrong);
	read(0, 0, 64, -ERANGE, 1000);
	/* And parity is right again: without any two drives. */
	power_disk_vanish(disks[1], true);
	power_disk_vanish(disks[4], true);
	expect_filled(1);
}

/* Two drives are wrong in the same row, at different places. A repair of what was checked must not take what was not
 * for the truth: neither in the rest of the unit nor in the rest of the block. */
TEST_F(LogIoTest, RepairVouchesOnlyForWhatWasChecked)
{
	for (uint32_t other : {1024u, 3584u}) {
		conf.parity = 2;
		all_up(5);
		fill(1);
		const uint32_t unit = sp->unit, off = unit - 300, len = 600;
		uint64_t base = lgroup_super_data_off(sp->intent_bytes);
		bytes want = data_of(0, 0), bad = pattern(512, 99), got;
		std::vector<unsigned> of; /* disk of each data column */
		uint16_t attempt = 0, whole = 0;

		for (uint32_t role = 0; role < 3; role++) {
			for (unsigned i = 0; i < 5; i++) {
				bytes has(unit);

				power_disk_peek(disks[i], base, has.data(), unit);
				if (std::equal(has.begin(), has.end(), want.begin() + role * unit))
					of.push_back(i);
			}
		}
		ASSERT_EQ(3u, of.size());
		power_disk_poke(disks[of[0]], base + unit - 512, bad.data(), 512);
		/* In front of the window's first byte, in its block or elsewhere. */
		power_disk_poke(disks[of[2]], base + other, bad.data(), 200);
		while (got != bytes(want.begin() + off, want.begin() + off + len)) {
			ASSERT_LT(attempt, 200);
			got = read(0, off, len, 0, ++attempt);
		}
		EXPECT_EQ(0, repair(0, off, got, attempt));
		EXPECT_EQ(got, read(0, off, len));
		EXPECT_EQ(1u, member(of[0]).wrong);
		for (got.clear(); got != want; whole++) {
			LogIo io(STRAKE_SPACE_READ, 0, 0, sp->row_bytes, whole);

			ASSERT_EQ(0, run(io)) << "what was mended cannot be had any more";
			got = taken(io, sp->row_bytes);
		}
		stop();
		drop_disks();
		rows.clear();
	}
}

/* What an attempt gave was checked; then a write that went astray comes to lie in another column. Nothing may be made
 * of that. */
TEST_F(LogIoTest, RepairWritesNothingIfTheRowIsAnotherByNow)
{
	conf.parity = 2;
	all_up(5);
	fill(1);
	uint64_t base = lgroup_super_data_off(sp->intent_bytes);
	bytes want = data_of(0, 0), bad = pattern(512, 99), was(512);
	const uint32_t off = 1024;
	uint16_t attempt = 0;

	/* In row 0 of segment 0 disk and column are the same. */
	power_disk_peek(disks[1], base + off, was.data(), 512);
	power_disk_poke(disks[0], base + off, bad.data(), 512);
	want = bytes(want.begin() + off, want.begin() + off + 512);
	while (read(0, off, 512, 0, ++attempt) != want)
		ASSERT_LT(attempt, 200);
	power_disk_poke(disks[1], base + off, bad.data(), 512);
	EXPECT_EQ(-EBADMSG, repair(0, off, want, attempt));
	EXPECT_EQ(0u, status().repaired);
	power_disk_poke(disks[1], base + off, was.data(), 512);
	EXPECT_EQ(0, repair(0, off, want, attempt));
	EXPECT_EQ(1u, status().repaired);
	expect_right_without({1, 4}, 1);
	expect_right_without({3, 4}, 1);
}

/* The data of a row is given: however many columns are wrong, all are right then. */
TEST_F(LogIoTest, RepairWritesARowThatIsGiven)
{
	conf.parity = 2;
	all_up(5);
	fill(1);
	uint64_t base = lgroup_super_data_off(sp->intent_bytes) + sp->unit;
	bytes bad = pattern(1024, 99);

	for (unsigned i : {0u, 2u, 4u})
		power_disk_poke(disks[i], base + 512 * i, bad.data(), bad.size());
	EXPECT_EQ(-ERANGE, repair(0, 0, bytes(sp->row_bytes - 512), 0)) << "whole rows only";
	EXPECT_EQ(-ERANGE, repair(0, 512, bytes(sp->row_bytes), 0));
	EXPECT_EQ(-ERANGE, simple(STRAKE_SPACE_REPAIR, 0, 0, sp->row_bytes)) << "nothing given";
	EXPECT_EQ(0, repair(0, sp->row_bytes, data_of(0, 1), 0));
	EXPECT_EQ(3u, status().repaired);
	expect_right_without({0, 1}, 1);
	expect_right_without({2, 3}, 1);
	expect_right_without({3, 4}, 1);
	EXPECT_EQ(0, repair(0, sp->row_bytes, data_of(0, 1), 0));
	EXPECT_EQ(3u, status().repaired) << "what is right is not written";
	/* A column that is away is not needed for it. */
	power_disk_poke(disks[4], base, bad.data(), bad.size());
	power_disk_vanish(disks[0], true);
	EXPECT_EQ(0, repair(0, sp->row_bytes, data_of(0, 1), 0));
	expect_right_without({1}, 1);
}

TEST_F(LogIoTest, AttemptsAreNumberedAsTheContractSays)
{
	for (uint32_t m = 1; m <= 3; m++) {
		strake_space space = {};
		lgroup_parity p = {};

		p.k = space.data = 4;
		p.m = space.parity = (uint16_t)m;
		for (uint32_t mask = 1; mask < 1u << (4 + m); mask++) {
			uint32_t out = 0;

			if ((uint32_t)__builtin_popcount(mask) > m)
				continue;
			ASSERT_TRUE(lgroup_parity_attempt(&p, strake_space_attempt(&space, mask), &out));
			ASSERT_EQ(mask, out) << m;
		}
	}
}

TEST_F(LogIoTest, DeadDrivesCostNoErrorAndOneMoreDoes)
{
	for (uint32_t m = 0; m <= 3; m++) {
		conf.parity = m;
		all_up(3 + m);
		fill(1);
		for (uint32_t i = 0; i < m; i++) {
			power_disk_vanish(disks[i], true);
			ASSERT_EQ(0, row(1 + i, 0, data_of(1 + i, 0))) << "m " << m << " lost " << i + 1;
			EXPECT_EQ(LOG_MEMBER_MISSING, member(i).state);
		}
		expect_filled(1);
		power_disk_vanish(disks[m], true);
		EXPECT_EQ(-EIO, row(5, 0, data_of(5, 0)));
		EXPECT_EQ(LOG_MEMBER_IN_SYNC, member(m).state) << "one more is not given up";
		read(0, 0, sp->row_bytes, -EIO);
		/* It is back: all is as it was. */
		power_disk_vanish(disks[m], false);
		rows.erase(5);
		expect_filled(1);
		EXPECT_EQ(0, row(6, 0, data_of(6, 0)));
		for (auto *d : disks)
			power_disk_vanish(d, false);
		stop();
		drop_disks();
		rows.clear();
	}
}

TEST_F(LogIoTest, LossIsDurableBeforeTheFirstDegradedRowIsDone)
{
	all_up(4);
	power_disk_vanish(disks[2], true);
	LogIo io(STRAKE_SPACE_ROW, 0);
	bool known = false;

	io.io.bufs = payload(data_of(0, 0));
	io.then = [&] {
		lgroup_super s;
		std::vector<uint8_t> page(LOG_SUPER_BYTES);
		uint32_t survivors = 0;

		for (unsigned i : {0u, 1u, 3u}) {
			uint64_t best = 0;
			uint8_t state = 0;

			for (unsigned copy = 0; copy < 2; copy++) {
				power_disk_peek(disks[i], lgroup_super_off(copy), page.data(), page.size());
				if (lgroup_super_decode(&s, page.data()) == 0 && s.seq > best) {
					best = s.seq;
					state = s.member[2].state;
				}
			}
			survivors += state == LOG_MEMBER_MISSING;
		}
		known = survivors == 3;
	};
	EXPECT_EQ(0, run(io));
	EXPECT_TRUE(known);
	strake_buf_put_list(io.io.bufs);
	power_disk_vanish(disks[2], false);
}

/* Main may refuse a loss while a row that lacks the drive still waits for others. */
TEST_F(LogIoTest, RowUnderWayFailsWithALossThatIsRefused)
{
	for (unsigned delay = 0; delay < 12; delay++) {
		all_up(4);
		fill(1);
		LogIo tells(STRAKE_SPACE_READ, 0, 0, sp->row_bytes), io(STRAKE_SPACE_ROW, 1);

		power_disk_vanish(disks[0], true);
		power_disk_vanish(disks[1], true);
		begin(tells);
		turns(delay);
		io.io.bufs = payload(data_of(1, 0));
		EXPECT_EQ(-EIO, run(io)) << "after " << delay << " turns";
		until([&] { return tells.done > 0; });
		strake_buf_put_list(tells.io.bufs);
		strake_buf_put_list(io.io.bufs);
		for (auto *d : disks)
			power_disk_vanish(d, false);
		stop();
		drop_disks();
		rows.clear();
	}
}

TEST_F(LogIoTest, FlushGoesOnlyToDirtyDrives)
{
	power_figures f;

	all_up(5);
	EXPECT_EQ(0, simple(STRAKE_SPACE_FLUSH));
	EXPECT_EQ(0, row(0, 0, data_of(0, 0)));
	EXPECT_EQ(0, simple(STRAKE_SPACE_FLUSH));
	EXPECT_EQ(0, simple(STRAKE_SPACE_FLUSH));
	uint64_t flushes = 0;

	for (auto *d : disks) {
		power_disk_figures(d, &f);
		flushes += f.ops[STRAKE_IO_FLUSH];
	}
	EXPECT_EQ(4u, flushes) << "3 data and 1 parity, once";
}

TEST_F(LogIoTest, FreedSegmentIsDeallocatedAndWrittenAnew)
{
	power_figures f;

	all_up(4);
	fill(1);
	EXPECT_EQ(0, simple(STRAKE_SPACE_FREE, 0));
	power_disk_figures(disks[0], &f);
	EXPECT_EQ(1u, f.ops[STRAKE_IO_DEALLOCATE]);
	rows.clear();
	ASSERT_EQ(0, row(0, 0, data_of(7, 0)));
	EXPECT_EQ(data_of(7, 0), read(0, 0, sp->row_bytes));
}

TEST_F(LogIoTest, IntentsLieOnParityAndOneMoreDrives)
{
	conf.parity = 2;
	all_up(5);
	bytes a = pattern(8192, 1), b = pattern(200 * 1024, 2);

	ASSERT_EQ(0, intent(4096, a));
	ASSERT_EQ(0, intent(16384, b));
	for (uint16_t copy = 0; copy < 3; copy++) {
		EXPECT_EQ(a, intent_read(4096, 8192, copy));
		EXPECT_EQ(b, intent_read(16384, 200 * 1024, copy));
	}
	power_cut(ps);
	stop();
	power_restore(ps);
	up({0, 1, 2, 3, 4});
	for (uint16_t copy = 0; copy < 3; copy++)
		EXPECT_EQ(a, intent_read(4096, 8192, copy)) << "durable when done";
	power_disk_vanish(disks[0], true);
	power_disk_vanish(disks[1], true);
	ASSERT_EQ(0, intent(4096, b));
	EXPECT_EQ(b, intent_read(4096, (uint32_t)b.size(), 2));
	intent_read(4096, 512, 0, -EIO);
	for (auto *d : disks)
		power_disk_vanish(d, false);
}

TEST_F(LogIoTest, ManyIosAtOnceWaitTheirTurn)
{
	std::vector<std::unique_ptr<LogIo>> ios;
	std::vector<bytes> want;

	disk_conf.delay_turns = 4;
	disk_conf.depth = 8;
	all_up(4);
	for (uint32_t s = 0; s < 120; s++) {
		ios.push_back(std::make_unique<LogIo>((uint8_t)STRAKE_SPACE_ROW, s));
		ios.back()->io.bufs = payload(data_of(s, 0));
		begin(*ios.back());
	}
	until([&] { return std::all_of(ios.begin(), ios.end(), [](auto &io) { return io->done == 1; }); });
	for (auto &io : ios) {
		EXPECT_EQ(0, io->io.status);
		strake_buf_put_list(io->io.bufs);
	}
	for (uint32_t s = 0; s < 120; s++)
		ASSERT_EQ(data_of(s, 0), read(s, 0, sp->row_bytes));
}

} // namespace
