/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What is done beside a drive that has something else than was written to it: rebuild, growth, and what cannot be read.
 */

#include "log_rig.h"

namespace
{

class LogDoubt : public LogRig
{
      protected:
	/* The row as it should be, on its way to be written again. */
	std::unique_ptr<LogIo>
	repair(uint32_t s, uint32_t r)
	{
		std::unique_ptr<LogIo> io(
			new LogIo(STRAKE_SPACE_REPAIR, s, (uint64_t)r * sp->row_bytes, sp->row_bytes));

		io->io.bufs = payload(data_of(s, r));
		return io;
	}

	/* In the store's place: it cannot do anything the first time, then has the row written as it should be. */
	struct Checker {
		LogDoubt *t;
		std::set<std::pair<uint32_t, uint32_t>> rows;
		unsigned asked;
		std::vector<std::unique_ptr<LogIo>> ios;
	};
	static inline Checker checker;

	static void
	check(void *, uint32_t s, uint32_t r, void (*done)(void *arg), void *arg)
	{
		checker.asked++;
		checker.rows.insert({s, r});
		if (checker.asked % 2 == 0) {
			checker.ios.push_back(checker.t->repair(s, r));
			strake_space_submit(checker.t->sp, &checker.ios.back()->io);
		}
		done(arg);
	}

	void
	begin_check()
	{
		checker.rows.clear();
		checker.ios.clear();
		checker.asked = 0;
		checker.t = this;
		sp->check = check;
	}

	void
	end_check(size_t rows, unsigned asked)
	{
		EXPECT_EQ(rows, checker.rows.size());
		EXPECT_EQ(asked, checker.asked);
		for (auto &io : checker.ios)
			strake_buf_put_list(io->io.bufs);
		sp->check = nullptr;
	}

	/* It has each row written as it should be. */
	struct Mender {
		LogDoubt *t;
		std::vector<std::unique_ptr<LogIo>> ios;
	};
	static inline Mender mender;

	static void
	mend(void *, uint32_t s, uint32_t r, void (*done)(void *arg), void *)
	{
		EXPECT_EQ(nullptr, done);
		mender.ios.push_back(mender.t->repair(s, r));
		strake_space_submit(mender.t->sp, &mender.ios.back()->io);
	}

	void
	mender_begin()
	{
		mender.t = this;
		sp->check = mend;
	}

	void
	mender_end()
	{
		sp->check = nullptr;
		for (auto &io : mender.ios) {
			until([&] { return io->done > 0; });
			strake_buf_put_list(io->io.bufs);
		}
		mender.ios.clear();
	}

	/* A drive has something else in the first row of the first segment. */
	void
	spoil()
	{
		bytes bad = pattern(512, 9);

		power_disk_poke(disks[2], lgroup_super_data_off(sp->intent_bytes) + 1024, bad.data(), bad.size());
	}

	/* So it is, of two segments, and another drive is lost. */
	void
	two_rows_one_bad()
	{
		conf.parity = 2;
		all_up(5);
		make_disks(1);
		conf.n_drives = 5;
		fill(2);
		spoil();
		lose(1);
	}

	/* The repair of the first, once it has read and is writing that drive, for so many turns. */
	std::unique_ptr<LogIo>
	repair_slowly(uint32_t slow)
	{
		std::unique_ptr<LogIo> io = repair(0, 0);

		strake_lcore_enter(1);
		strake_space_submit(sp, &io->io);
		strake_lcore_enter(0);
		power_disk_slow(disks[2], slow);
		turns(10);
		power_disk_slow(disks[2], 1);
		return io;
	}

	void
	expect_two_rows(LogIo *io)
	{
		sp->check = nullptr;
		EXPECT_EQ(0, io->io.status);
		strake_buf_put_list(io->io.bufs);
		for (auto two : {std::vector<unsigned>{0, 2}, {3, 4}, {0, 4}})
			expect_right_without(two, 2);
	}

	uint64_t
	reads(unsigned disk)
	{
		power_figures f;

		power_disk_figures(disks[disk], &f);
		return f.ops[STRAKE_IO_READ];
	}

	/* It has the row written as it should be, and some of that is lost. */
	struct Loser {
		LogDoubt *t;
		std::unique_ptr<LogIo> io;
		unsigned asked;
		std::function<void()> lose;
	};
	static inline Loser loser;

	static void
	mend_and_lose(void *, uint32_t s, uint32_t r, void (*done)(void *arg), void *arg)
	{
		loser.asked++;
		loser.io = loser.t->repair(s, r);
		loser.io->then = [=] {
			strake_buf_put_list(loser.io->io.bufs);
			loser.lose();
			done(arg);
		};
		strake_space_submit(loser.t->sp, &loser.io->io);
	}
};

/* A drive has something else than was written to it while another is rebuilt: the store says which, and has it
 * repaired; so the new one does not get the same again. */
TEST_F(LogDoubt, AsksTheStoreWhereColumnsDisagree)
{
	bytes bad = pattern(512, 9);

	conf.parity = 2;
	all_up(5);
	make_disks(1);
	conf.n_drives = 5;
	fill(6);
	uint64_t base = lgroup_super_data_off(sp->intent_bytes);

	power_disk_poke(disks[2], base + 1024, bad.data(), bad.size());
	power_disk_poke(disks[3], base + 5 * sp->rows * sp->unit + sp->unit, bad.data(), bad.size());
	lose(1);
	begin_check();
	ASSERT_EQ(0, give(1, 5)) << err;
	in_sync();
	end_check(2, 4);
	for (auto two : {std::vector<unsigned>{0, 2}, {2, 4}, {3, 5}, {0, 4}})
		expect_right_without(two, 6);
}

/* Another one cannot read something meanwhile: the store may have the row all the same, and have it written. */
TEST_F(LogDoubt, AsksTheStoreForWhatCannotBeRead)
{
	all_up(4);
	make_disks(1);
	conf.n_drives = 4;
	fill(3);
	unreadable(2, lgroup_super_data_off(sp->intent_bytes) + sp->rows * sp->unit + 1024, 512);
	lose(1);
	begin_check();
	ASSERT_EQ(0, give(1, 4)) << err;
	in_sync();
	end_check(1, 2);
	for (unsigned i : {0u, 2u, 3u, 4u})
		expect_right_without({i}, 3);
}

/* Or it needs nothing of it any more, and frees the segment; the others are rebuilt meanwhile. */
TEST_F(LogDoubt, WaitsForTheStoreToFreeWhatCannotBeRead)
{
	static unsigned asked;

	asked = 0;
	all_up(4);
	make_disks(1);
	conf.n_drives = 4;
	fill(3);
	unreadable(2, lgroup_super_data_off(sp->intent_bytes) + 2 * sp->rows * sp->unit + 1024, 512);
	lose(1);
	sp->check = [](void *, uint32_t s, uint32_t, void (*done)(void *arg), void *arg) {
		EXPECT_EQ(2u, s);
		asked++;
		done(arg);
	};
	ASSERT_EQ(0, give(1, 4)) << err;
	turns(20000);
	EXPECT_EQ(1u, status().stale);
	EXPECT_EQ(2u, asked);
	rows.erase(2);
	ASSERT_EQ(0, simple(STRAKE_SPACE_FREE, 2));
	turn(60 * STRAKE_NS_PER_SEC);
	in_sync();
	EXPECT_EQ(2u, asked);
	sp->check = nullptr;
	for (unsigned i : {0u, 2u, 3u, 4u})
		expect_right_without({i}, 2);
}

/* A drive that had something else loses the repair, too. What is rebuilt is what the store said. */
TEST_F(LogDoubt, TakesWhatTheStoreHasWrittenThoughADriveLosesIt)
{
	two_rows_one_bad();
	loser = {this, nullptr, 0, [&] { spoil(); }};
	sp->check = mend_and_lose;
	ASSERT_EQ(0, give(1, 5)) << err;
	in_sync();
	sp->check = nullptr;
	EXPECT_EQ(1u, loser.asked);
	for (unsigned other : {0u, 3u, 4u, 5u})
		expect_right_without({2, other}, 2);
	loser.io.reset();
}

/* A repair that was begun before a drive came is under way still when that is rebuilt: the row is looked at when it is
 * over. */
TEST_F(LogDoubt, RebuildsARowOnceItsRepairIsOver)
{
	two_rows_one_bad();
	std::unique_ptr<LogIo> io = repair_slowly(5000);

	sp->check = [](void *, uint32_t, uint32_t, void (*)(void *arg), void *) { FAIL() << "nothing is wrong then"; };
	ASSERT_EQ(0, give(1, 5)) << err;
	turns(2000);
	ASSERT_EQ(0, io->done);
	in_sync();
	EXPECT_EQ(1, io->done);
	expect_two_rows(io.get());
}

/* One that is begun as the row is being read, and ends when the store was asked: the drive was not written by it. */
TEST_F(LogDoubt, RebuildsWhatARepairThatWasNotAskedForDidNotWrite)
{
	static std::function<void()> answer;

	answer = nullptr;
	two_rows_one_bad();
	sp->check = [](void *, uint32_t, uint32_t, void (*done)(void *arg), void *arg) { answer = [=] { done(arg); }; };
	uint64_t read = reads(2);

	power_disk_slow(disks[3], 5000);
	ASSERT_EQ(0, give(1, 5)) << err;
	until([&] { return reads(2) > read; });
	power_disk_slow(disks[3], 1);
	std::unique_ptr<LogIo> io = repair_slowly(9000);

	until([] { return answer != nullptr; });
	ASSERT_EQ(0, io->done) << "asked while it is under way";
	until([&] { return io->done > 0; });
	strake_lcore_enter(1);
	answer();
	strake_lcore_enter(0);
	in_sync();
	expect_two_rows(io.get());
}

/* If it never knows better the drive is rebuilt all the same: what is wrong on one drive is so on two then. */
TEST_F(LogDoubt, GoesOnWhereTheStoreKnowsNoBetter)
{
	static unsigned asked;

	asked = 0;
	two_rows_one_bad();
	sp->check = [](void *, uint32_t, uint32_t, void (*done)(void *arg), void *arg) {
		asked++;
		done(arg);
	};
	ASSERT_EQ(0, give(1, 5)) << err;
	in_sync();
	EXPECT_GT(asked, 1u);
	sp->check = nullptr;
	expect_right_without({5, 2}, 2);
}

/* A drive is added, and columns of one move to it that has something else: what moves is what the store says, though
 * that drive loses the repair. */
TEST_F(LogDoubt, ColumnsMoveAsTheStoreHasThem)
{
	bytes bad = pattern(512, 9);
	char text[300] = "";

	all_up(4);
	make_disks(1);
	conf.n_drives = 5;
	conf.data = 0;
	uint32_t was = sp->segments;

	fill(was);
	loser = {this, nullptr, 0, [&] {
			 for (uint32_t s = 0; s < was; s++)
				 power_disk_poke(disks[2],
						 lgroup_super_data_off(sp->intent_bytes) + s * conf.segment + 1024,
						 bad.data(), bad.size());
		 }};
	loser.lose();
	sp->check = mend_and_lose;
	ASSERT_EQ(0, log_group_drive_add(g, plug(4), text, sizeof(text))) << text;
	until([&] { return status().segments == status().segments_coming; });
	sp->check = nullptr;
	EXPECT_GT(loser.asked, was / 5);
	expect_right_without({2}, was);
	loser.io.reset();
}

/* Sectors of a drive cannot be read: they are written again as the store has the row. */
TEST_F(LogDoubt, WhatCannotBeReadIsWrittenAsTheStoreHasIt)
{
	all_up(4);
	fill(1);
	/* Two rows: at most one of them has its parity here. */
	unreadable(2, lgroup_super_data_off(sp->intent_bytes), 8192);
	mender_begin();
	expect_filled(1);
	mender_end();
	uint64_t mended = status().mended, errors = member(2).read_errors;

	EXPECT_GE(mended, 1u);
	expect_filled(1);
	EXPECT_EQ(mended, status().mended);
	EXPECT_EQ(errors, member(2).read_errors);
	EXPECT_EQ(LOG_MEMBER_IN_SYNC, member(2).state);
	for (unsigned i = 0; i < 4; i++)
		expect_right_without({i}, 1);
}

/* It is made from columns of which one has something else: while nobody has checked it, it is not written. */
TEST_F(LogDoubt, WhatIsMadeOfUncheckedColumnsIsNotWritten)
{
	bytes bad = pattern(512, 9), was, is;

	conf.parity = 2;
	all_up(5);
	fill(1);
	const uint64_t off = lgroup_super_data_off(sp->intent_bytes);

	was.resize(sp->unit);
	is.resize(sp->unit);
	power_disk_poke(disks[2], off + 1024, bad.data(), bad.size());
	power_disk_peek(disks[1], off, was.data(), was.size());
	unreadable(1, off, 512);
	read(0, 0, sp->row_bytes);
	EXPECT_EQ(1u, member(1).read_errors);
	power_disk_peek(disks[1], off, is.data(), is.size());
	EXPECT_EQ(was, is);
	mender_begin();
	read(0, 0, sp->row_bytes);
	mender_end();
	EXPECT_EQ(1u, status().mended);
	for (auto two : {std::vector<unsigned>{0, 4}, {3, 4}, {0, 3}})
		expect_right_without(two, 1);
}

} // namespace
