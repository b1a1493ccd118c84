/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <set>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "drive_ring.h"
#include "drive_rig.h"

namespace
{

class DriveRing : public DriveRig
{
      protected:
	drive_ring r = {};
	drive_ring_conf conf = {"test", 256, 512, 4, 0, 18, 16384, 0, false};
	bool is_open = false;

	void
	open()
	{
		int ret = drive_ring_open(&r, &conf);

		if (ret == -ENOSYS || ret == -EPERM)
			GTEST_SKIP() << "no io_uring here";
		ASSERT_EQ(0, ret);
		is_open = true;
	}

	void
	TearDown() override
	{
		if (is_open)
			drive_ring_close(&r);
		DriveRig::TearDown();
	}

	void
	nops(unsigned int from, unsigned int n)
	{
		for (unsigned int i = 0; i < n; i++) {
			io_uring_sqe *sqe = io_uring_get_sqe(&r.ring);

			ASSERT_NE(nullptr, sqe);
			io_uring_prep_nop(sqe);
			sqe->user_data = from + i;
		}
	}

	bool
	idle()
	{
		bool is = drive_ring_arm(&r, true);

		drive_ring_arm(&r, false);
		return is;
	}

	/* Everything that is answered, once. */
	std::set<uint64_t>
	take()
	{
		uint64_t data[DRIVE_RING_BATCH];
		int res[DRIVE_RING_BATCH];
		std::set<uint64_t> all;
		unsigned int n;

		while ((n = drive_ring_take(&r, data, res, DRIVE_RING_BATCH)) > 0) {
			EXPECT_GE(DRIVE_RING_BATCH, (int)n);
			for (unsigned int i = 0; i < n; i++) {
				EXPECT_EQ(0, res[i]);
				EXPECT_TRUE(all.insert(data[i]).second) << data[i];
			}
		}
		return all;
	}
};

TEST_F(DriveRing, EntersOnceForAllAndNotForNothing)
{
	open();
	if (!is_open)
		return;
	EXPECT_EQ(0u, drive_ring_enter(&r));
	EXPECT_EQ(0u, r.enters);
	nops(0, 200);
	EXPECT_EQ(200u, drive_ring_enter(&r));
	EXPECT_EQ(1u, r.enters);
	EXPECT_EQ(200u, take().size());
	EXPECT_EQ(1u, r.most);
}

/* What completes later, by the kernel's own clock, is there without a call. */
TEST_F(DriveRing, APromptOneIsNotAskedForItsCompletions)
{
	__kernel_timespec soon = {0, 1000000};

	conf.prompt = true;
	open();
	if (!is_open)
		return;
	io_uring_sqe *sqe = io_uring_get_sqe(&r.ring);
	io_uring_prep_timeout(sqe, &soon, 0, IORING_TIMEOUT_ETIME_SUCCESS);
	sqe->user_data = 7;
	EXPECT_EQ(1u, drive_ring_enter(&r));
	while (io_uring_cq_ready(&r.ring) == 0)
		ASSERT_FALSE(drive_ring_kernel_waits(&r));
	EXPECT_EQ(1u, r.enters);
}

/* Bigger entries, as passthrough needs them, are taken by the same steps. */
TEST_F(DriveRing, TakesBigCompletions)
{
	conf.setup = IORING_SETUP_SQE128 | IORING_SETUP_CQE32;
	int ret = drive_ring_open(&r, &conf);
	if (ret == -EINVAL || ret == -ENOSYS || ret == -EPERM)
		GTEST_SKIP() << "this kernel has none";
	ASSERT_EQ(0, ret);
	is_open = true;
	nops(1000, 150);
	drive_ring_enter(&r);
	std::set<uint64_t> all = take();
	EXPECT_EQ(150u, all.size());
	EXPECT_EQ(1000u, *all.begin());
	EXPECT_EQ(1149u, *all.rbegin());
}

TEST_F(DriveRing, DoesNotSleepOverWhatIsThere)
{
	open();
	if (!is_open)
		return;
	EXPECT_TRUE(idle());
	nops(0, 1);
	EXPECT_FALSE(idle()) << "an entry is not handed over";
	drive_ring_enter(&r);
	EXPECT_FALSE(idle()) << "a completion is not taken";
	EXPECT_EQ(1u, take().size());
	EXPECT_TRUE(idle());
}

/* What completes while its lcore sleeps wakes it, whether the kernel makes the completion then or when it is entered.
 */
TEST_F(DriveRing, WakesWhoSleepsOnIt)
{
	for (bool prompt : {false, true}) {
		conf.prompt = prompt;
		open();
		if (!is_open)
			return;
		struct pollfd p = {drive_ring_fd(&r), POLLIN, 0};
		for (int round = 0; round < 3; round++) {
			__kernel_timespec soon = {0, 50000000}; /* not before we are armed */
			io_uring_sqe *sqe = io_uring_get_sqe(&r.ring);
			uint64_t data, began = strake_clock_ns();
			int res;

			io_uring_prep_timeout(sqe, &soon, 0, IORING_TIMEOUT_ETIME_SUCCESS);
			sqe->user_data = 7;
			ASSERT_EQ(1u, drive_ring_enter(&r));
			ASSERT_TRUE(drive_ring_arm(&r, true)) << prompt;
			ASSERT_EQ(1, poll(&p, 1, 30000)) << prompt;
			EXPECT_LT(strake_clock_ns() - began, 20 * STRAKE_NS_PER_SEC)
				<< "poll itself looked, at its end";
			EXPECT_FALSE(drive_ring_arm(&r, true));
			drive_ring_arm(&r, false);
			drive_ring_enter(&r);
			EXPECT_EQ(1u, drive_ring_take(&r, &data, &res, 1));
			EXPECT_EQ(7u, data);
			EXPECT_EQ(0, poll(&p, 1, 0)) << "nothing is left to drain";
		}
		drive_ring_close(&r);
		is_open = false;
	}
}

/* While nobody sleeps the kernel is spared telling. */
TEST_F(DriveRing, IsToldOnlyWhileArmed)
{
	open();
	if (!is_open || !r.deferred)
		return;
	struct pollfd p = {drive_ring_fd(&r), POLLIN, 0};
	__kernel_timespec soon = {0, 50000000}; /* not before we are armed */

	for (bool armed : {false, true}) {
		io_uring_sqe *sqe = io_uring_get_sqe(&r.ring);
		uint64_t data;
		int res;

		io_uring_prep_timeout(sqe, &soon, 0, IORING_TIMEOUT_ETIME_SUCCESS);
		sqe->user_data = 7;
		ASSERT_EQ(1u, drive_ring_enter(&r));
		ASSERT_TRUE(drive_ring_arm(&r, armed));
		ASSERT_EQ(armed ? 1 : 0, poll(&p, 1, armed ? 30000 : 100));
		EXPECT_FALSE(drive_ring_arm(&r, true)) << "it is there all the same";
		drive_ring_arm(&r, false);
		EXPECT_EQ(0, poll(&p, 1, 0));
		drive_ring_enter(&r);
		EXPECT_EQ(1u, drive_ring_take(&r, &data, &res, 1));
	}
}

/* Sleeping in the ring: what wakes its lcore, what others wait on, and how many system calls that takes. */
class DriveRingSleep : public DriveRing
{
      protected:
	static const uint64_t LONG = 30 * STRAKE_NS_PER_SEC;
	int wake = -1, other = -1, timer = -1;
	uint32_t epoch = 1;

	void
	SetUp() override
	{
		DriveRing::SetUp();
		open();
		wake = eventfd(0, EFD_NONBLOCK);
		other = eventfd(0, EFD_NONBLOCK);
		timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	}

	void
	TearDown() override
	{
		close(wake);
		close(other);
		close(timer);
		DriveRing::TearDown();
	}

	int
	sleep(uint64_t ns = LONG)
	{
		struct pollfd fds[] = {{wake, POLLIN, 0}, {drive_ring_fd(&r), POLLIN, 0}, {other, POLLIN, 0}};
		struct strake_sleep s = {fds, 3, epoch, ns};

		return drive_ring_sleep(&r, &s);
	}

	/* An I/O of which the kernel says a millisecond later that it is over. Not a timeout of the ring's: those end
	 * a wait before their completion is made. */
	void
	io()
	{
		static const itimerspec soon = {{0, 0}, {0, 1000000}};
		io_uring_sqe *sqe = io_uring_get_sqe(&r.ring);

		ASSERT_EQ(0, timerfd_settime(timer, 0, &soon, nullptr));
		io_uring_prep_poll_add(sqe, timer, POLLIN);
		sqe->user_data = 7;
		ASSERT_EQ(1u, drive_ring_enter(&r));
	}

	static void
	drain(int fd)
	{
		eventfd_t n;

		ASSERT_EQ(0, eventfd_read(fd, &n));
	}
};

/* As fio does: one call to ask, one to wait, and none to have the completion made. */
TEST_F(DriveRingSleep, ACompletionIsThereWhenItsSleeperWakes)
{
	for (int round = 0; is_open && round < 3; round++) {
		io();
		uint64_t calls = r.enters;
		ASSERT_EQ(0, sleep());
		EXPECT_EQ(round == 0 ? 2u : 1u, r.enters - calls) << "the first time what wakes it is said";
		EXPECT_FALSE(drive_ring_kernel_waits(&r));
		calls = r.enters;
		uint64_t data = 0;
		int res;
		EXPECT_EQ(1u, drive_ring_take(&r, &data, &res, 1));
		EXPECT_EQ(7u, data);
		EXPECT_EQ(calls, r.enters);
		EXPECT_EQ(1u, r.most);
		turn();
	}
}

TEST_F(DriveRingSleep, EndsByWhatElseTheLcoreWaitsFor)
{
	for (int round = 0; is_open && round < 3; round++) {
		eventfd_write(wake, 1);
		ASSERT_EQ(1, sleep()) << "whoever wakes the lcore is told from a poller";
		drain(wake);
		EXPECT_EQ(0u, take().size()) << "entries of its own are not the owner's";
		eventfd_write(other, 1);
		ASSERT_EQ(0, sleep());
		drain(other);
		EXPECT_EQ(0u, take().size());
		EXPECT_TRUE(idle());
	}
}

TEST_F(DriveRingSleep, IsOverInTime)
{
	if (!is_open)
		return;
	for (int round = 0; round < 3; round++) {
		uint64_t began = strake_clock_ns();
		ASSERT_EQ(0, sleep(2 * STRAKE_NS_PER_MS));
		EXPECT_GE(strake_clock_ns() - began, 2 * STRAKE_NS_PER_MS) << "something ended it";
		EXPECT_EQ(0u, take().size());
	}
}

/* Written while its lcore was awake, and read: that may end one sleep in vain, never keep the next from ending. */
TEST_F(DriveRingSleep, WhatWasReadMeanwhileEndsOneSleepAtMost)
{
	if (!is_open)
		return;
	ASSERT_EQ(0, sleep(1000));
	eventfd_write(other, 1);
	drain(other);
	sleep(1000);
	take();
	uint64_t began = strake_clock_ns();
	ASSERT_EQ(0, sleep(2 * STRAKE_NS_PER_MS));
	EXPECT_GE(strake_clock_ns() - began, 2 * STRAKE_NS_PER_MS);
	eventfd_write(other, 1);
	began = strake_clock_ns();
	ASSERT_EQ(0, sleep());
	EXPECT_LT(strake_clock_ns() - began, LONG / 2);
	drain(other);
}

/* The number of a descriptor that was closed is another's next. */
TEST_F(DriveRingSleep, AsksAnewWhereANumberMayMeanAnotherFile)
{
	if (!is_open)
		return;
	ASSERT_EQ(0, sleep(1000));
	int old = dup(other), number = other;
	close(other);
	other = eventfd(0, EFD_NONBLOCK);
	ASSERT_EQ(number, other);
	epoch++;
	eventfd_write(other, 1);
	uint64_t began = strake_clock_ns();
	ASSERT_EQ(0, sleep());
	EXPECT_LT(strake_clock_ns() - began, LONG / 2);
	drain(other);
	take();
	/* That it is not watched any more is answered, too. */
	sleep(1000);
	take();
	eventfd_write(old, 1);
	began = strake_clock_ns();
	ASSERT_EQ(0, sleep(2 * STRAKE_NS_PER_MS));
	EXPECT_GE(strake_clock_ns() - began, 2 * STRAKE_NS_PER_MS) << "the old file is still watched";
	close(old);
}

/* The loop sleeps by itself then. */
TEST_F(DriveRingSleep, DoesNotSleepWhereItCannotWatchAll)
{
	if (!is_open)
		return;
	std::vector<struct pollfd> fds;
	for (int i = 0; i <= DRIVE_RING_WAITS; i++)
		fds.push_back({eventfd(0, EFD_NONBLOCK), POLLIN, 0});
	struct strake_sleep s = {fds.data(), (unsigned int)fds.size(), 1, LONG};
	EXPECT_EQ(-EOPNOTSUPP, drive_ring_sleep(&r, &s));
	for (const struct pollfd &p : fds)
		close(p.fd);
	/* Not even open. */
	fds[0].fd = 1000000;
	s = {fds.data(), 1, 2, LONG};
	drive_ring_sleep(&r, &s);
	take();
	EXPECT_EQ(-EOPNOTSUPP, drive_ring_sleep(&r, &s));
}

TEST_F(DriveRing, KnowsWhatIsRegistered)
{
	void *arena;
	size_t len;

	open();
	if (!is_open)
		return;
	strake_buf_arena(&arena, &len);
	if (!r.fixed_bufs)
		GTEST_SKIP() << "memory may not be locked here";
	EXPECT_EQ(STRAKE_BUF_REG_ARENA, drive_ring_index(&r, arena, 512));
	EXPECT_EQ(STRAKE_BUF_REG_ARENA + 3, drive_ring_index(&r, (uint8_t *)arena + (3 << 18) + 17, 512));
	EXPECT_EQ(-1, drive_ring_index(&r, (uint8_t *)arena - 1, 512));
	EXPECT_EQ(-1, drive_ring_index(&r, (uint8_t *)arena + len, 512));
	EXPECT_EQ(-1, drive_ring_index(&r, &len, 512));
}

/* The smallest piece that holds it all. */
TEST_F(DriveRing, KnowsTheFinePieceThatHoldsIt)
{
	void *arena;
	size_t len;

	conf.fine_shift = 12;
	strake_buf_arena(&arena, &len);
	int coarse = (int)(((len - 1) >> 18) + 1), fine = (int)((len - 1) >> 14) + 1;
	conf.reg_max = (unsigned int)(coarse + fine); /* neither of 4 KiB nor of 8 KiB are there places for so many */
	open();
	if (!is_open || !r.fixed_bufs)
		GTEST_SKIP() << "memory may not be locked here";
	if (r.fine_shift == 0)
		GTEST_SKIP() << "so much memory may not be locked here";
	uint8_t *at = (uint8_t *)arena + (3 << 18) + (5 << 14);
	EXPECT_EQ(coarse + (3 << 4) + 5, drive_ring_index(&r, at, 16384));
	EXPECT_EQ(coarse + (3 << 4) + 5, drive_ring_index(&r, at + 16383, 1));
	EXPECT_EQ(3, drive_ring_index(&r, at + 512, 16384)) << "it lies across two";
	EXPECT_EQ(coarse + fine - 1, drive_ring_index(&r, (uint8_t *)arena + len - 512, 512));
	EXPECT_EQ(-1, drive_ring_index(&r, (uint8_t *)arena + len, 512));
}

TEST_F(DriveRing, TakesNoFinePiecesThatAreNotSmaller)
{
	void *arena;
	size_t len;

	conf.fine_shift = 12;
	strake_buf_arena(&arena, &len);
	conf.reg_max = (unsigned int)((len - 1) >> 18) + 2;
	open();
	if (!is_open || !r.fixed_bufs)
		GTEST_SKIP() << "memory may not be locked here";
	EXPECT_EQ(0u, r.fine_shift);
	EXPECT_EQ(STRAKE_BUF_REG_ARENA, drive_ring_index(&r, arena, 512));
}

TEST_F(DriveRing, RegistersNoMoreThanItMay)
{
	void *arena;
	size_t len;

	conf.reg_max = 5;
	open();
	if (!is_open || !r.fixed_bufs)
		GTEST_SKIP() << "memory may not be locked here";
	strake_buf_arena(&arena, &len);
	EXPECT_EQ(STRAKE_BUF_REG_ARENA + 4, drive_ring_index(&r, (uint8_t *)arena + (5 << 18) - 1, 512));
	EXPECT_EQ(-1, drive_ring_index(&r, (uint8_t *)arena + (5 << 18), 512));
}

TEST_F(DriveRing, KeepsFilesUntilTheyAreTakenOut)
{
	char c = 0;
	int ends[2];

	open();
	if (!is_open || !r.fixed_files)
		GTEST_SKIP() << "no table of files here";
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, drive_ring_file(&r, 3, ends[1]));
	close(ends[1]);
	struct pollfd p = {ends[0], POLLIN, 0};
	EXPECT_EQ(0, poll(&p, 1, 0)) << "the table still has the other end";
	EXPECT_GT(0, drive_ring_file(&r, 4, ends[0])) << "there are four places";
	ASSERT_EQ(0, drive_ring_file(&r, 3, -1));
	EXPECT_EQ(1, poll(&p, 1, 30000));
	EXPECT_EQ(0, ::read(ends[0], &c, 1));
	close(ends[0]);
}

} // namespace
