/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cerrno>

#include "nvme_rig.h"

namespace
{

using namespace nvme;

class NvmeTrouble : public NvmeDrive
{
};

/* --- trouble ---------------------------------------------------------------------------------------------------------
 */

TEST_F(NvmeTrouble, AsksAgainWhatWasAborted)
{
	bytes in = pattern(8192, 2);
	strake_buf *list = payload(in, 0, nullptr);
	rig_io io(STRAKE_IO_WRITE, 0, 8192, list);

	open();
	fake_nvme_fail(f, WRITE, -EINTR, 3);
	submit(d, io);
	for (int i = 0; i < 10; i++)
		pass(60);
	EXPECT_EQ(1, io.done);
	EXPECT_EQ(0, io.io.status);
	EXPECT_EQ(4u, fake_nvme_count(f));
	EXPECT_EQ(0, memcmp(fake_nvme_medium(f), in.data(), in.size()));
	strake_buf_put_list(list);
}

/* The kernel's whole way with a command that a drive lost: it tries to abort it for one timeout, resets the controller
 * after a second one, and only then are answers to be had. The memory is the drive's meanwhile. */
TEST_F(NvmeTrouble, OutlastsADriveThatHangs)
{
	bytes in = pattern(16384, 2);
	strake_buf *list = payload(in, 0, nullptr);
	rig_io io(STRAKE_IO_WRITE, 0, 16384, list), other(STRAKE_IO_READ, 1 << 20, 4096);

	make();
	fake_nvme_ctrl(f)[77] = 1;
	open();
	fake_nvme_hold(f, true);
	submit(d, io);
	submit(d, other);
	for (int i = 0; i < 10; i++)
		pass(999);
	EXPECT_EQ(0, io.done + other.done);
	EXPECT_EQ(3u, fake_nvme_pending(f)) << "nothing is asked twice while the drive has it";
	fake_nvme_fail(f, ANY, -EINTR, 3); /* both timeouts are over: the reset gives them back */
	fake_nvme_hold(f, false);
	pass(1);
	EXPECT_EQ(0, io.done + other.done);
	pass(60);
	EXPECT_EQ(1, io.done);
	EXPECT_EQ(0, io.io.status);
	EXPECT_EQ(0, other.io.status);
	EXPECT_EQ(6u, fake_nvme_count(f));
	EXPECT_EQ(0, memcmp(fake_nvme_medium(f), in.data(), in.size()));
	strake_buf_put_list(list);
	strake_buf_put_list(other.io.bufs);
}

TEST_F(NvmeTrouble, WaitsOutAReset)
{
	rig_io io(STRAKE_IO_FLUSH, 0, 0);

	open();
	fake_nvme_fail(f, ANY, HOST_PATH, 100);
	submit(d, io);
	for (int i = 0; i < 101; i++) {
		EXPECT_EQ(0, io.done);
		pass(60);
	}
	EXPECT_EQ(1, io.done);
	EXPECT_EQ(0, io.io.status);
}

TEST_F(NvmeTrouble, GivesUpInTime)
{
	rig_io io(STRAKE_IO_FLUSH, 0, 0);

	open();
	fake_nvme_fail(f, ANY, -EINTR, UINT32_MAX);
	submit(d, io);
	for (int i = 0; i < 400 && io.done == 0; i++)
		pass(60);
	EXPECT_EQ(1, io.done);
	EXPECT_EQ(-ETIMEDOUT, io.io.status);
	EXPECT_LT(now, 21000 * MS);
	EXPECT_GT(now, 19000 * MS);
}

TEST_F(NvmeTrouble, HonoursTheDelayItIsTold)
{
	rig_io io(STRAKE_IO_FLUSH, 0, 0);

	make();
	poke<uint16_t>(fake_nvme_ctrl(f) + 130, 30); /* CRDT2: 3 s */
	open();
	fake_nvme_fail(f, ANY, NOT_READY | 2 << 11, 1);
	submit(d, io);
	pass(0);
	pass(2900);
	EXPECT_EQ(1u, fake_nvme_count(f));
	pass(200);
	EXPECT_EQ(1, io.done);
	EXPECT_EQ(0, io.io.status);
}

TEST_F(NvmeTrouble, ReportsUnreadableBlocks)
{
	bytes out;

	open();
	fake_nvme_fail(f, READ, UNREADABLE | DNR, UINT32_MAX);
	EXPECT_EQ(-EIO, read(d, 0, 4096, out));
	EXPECT_EQ(1u, fake_nvme_count(f)) << "Do Not Retry";
	fake_nvme_fail(f, READ, UNREADABLE, UINT32_MAX);
	rig_io io(STRAKE_IO_READ, 0, 4096);
	submit(d, io);
	pass(1);
	pass(1);
	EXPECT_EQ(-EIO, io.io.status);
	EXPECT_EQ(3u, fake_nvme_count(f));
	/* The drive as such is well. */
	fake_nvme_fail(f, READ, 0, 0);
	EXPECT_EQ(0, read(d, 0, 4096, out));
}

TEST_F(NvmeTrouble, ReportsAFullDrive)
{
	open();
	fake_nvme_fail(f, WRITE, FULL | DNR, 1);
	EXPECT_EQ(-ENOSPC, write(d, 0, pattern(4096, 1)));
}

TEST_F(NvmeTrouble, FailsOnceWhateverPartsFail)
{
	bytes in = pattern(128 << 10, 4);
	strake_buf *list = payload(in, 0, nullptr);
	rig_io io(STRAKE_IO_WRITE, 0, 128 << 10, list);

	make();
	fake_nvme_ctrl(f)[77] = 1;
	open();
	fake_nvme_room(f, 6);
	fake_nvme_hold(f, true);
	submit(d, io);
	turn();
	fake_nvme_fail(f, WRITE, UNREADABLE | DNR, 2);
	fake_nvme_hold(f, false);
	EXPECT_EQ(-EIO, wait(io));
	for (int i = 0; i < 10; i++)
		turn();
	EXPECT_EQ(1, io.done);
	EXPECT_EQ(6u, fake_nvme_count(f)) << "a failed I/O is not continued";
	strake_buf_put_list(list);
}

/* The memory of an I/O is the drive's until the last of its commands is answered, whatever became of the others. */
TEST_F(NvmeTrouble, IsNotDoneBeforeItsLastAnswer)
{
	rig_io io(STRAKE_IO_READ, 0, 16384);

	make();
	fake_nvme_ctrl(f)[77] = 1;
	open();
	fake_nvme_fail(f, READ, UNREADABLE | DNR, 1);
	fake_nvme_hold(f, true);
	submit(d, io);
	turn();
	ASSERT_EQ(2u, fake_nvme_pending(f));
	pass(3600 * 1000);
	EXPECT_EQ(0, io.done);
	fake_nvme_hold(f, false);
	EXPECT_EQ(-EIO, wait(io));
}

/* Its time for another try has come while the queue is full: it must not be forgotten. */
TEST_F(NvmeTrouble, AsksAgainWhenThereIsRoom)
{
	rig_io io(STRAKE_IO_FLUSH, 0, 0);

	open();
	fake_nvme_fail(f, FLUSH, -EINTR, 1);
	submit(d, io);
	pass(0);
	fake_nvme_room(f, 0);
	pass(1000);
	EXPECT_EQ(0, io.done);
	EXPECT_EQ(1u, fake_nvme_count(f));
	fake_nvme_room(f, -1);
	pass(10);
	EXPECT_EQ(1, io.done);
	EXPECT_EQ(0, io.io.status);
	EXPECT_EQ(2u, fake_nvme_count(f));
}

/* --- a drive that goes, or lies
 * --------------------------------------------------------------------------------------- */

TEST_F(NvmeTrouble, EndsEverythingWhenItIsGone)
{
	rig_io a(STRAKE_IO_FLUSH, 0, 0), b(STRAKE_IO_READ, 0, 4096), c(STRAKE_IO_READ, 0, 4096);

	open();
	fake_nvme_fail(f, FLUSH, INTERNAL, 1);
	submit(d, a);
	pass(0); /* waits for its second try */
	fake_nvme_fail(f, READ, -ENODEV, 1);
	submit(d, b);
	EXPECT_EQ(-ENODEV, wait(b));
	pass(100);
	EXPECT_EQ(-ENODEV, a.io.status);
	unsigned int before_it = fake_nvme_count(f);
	submit(d, c);
	EXPECT_EQ(0, c.done) << "done from inside submit";
	EXPECT_EQ(-ENODEV, wait(c));
	EXPECT_EQ(before_it, fake_nvme_count(f)) << "it was asked though it is gone";
}

TEST_F(NvmeTrouble, EndsWithItsNamespace)
{
	bytes out;

	open();
	fake_nvme_fail(f, READ, NO_NAMESPACE | DNR, 1);
	EXPECT_EQ(-ENODEV, read(d, 0, 4096, out));
	EXPECT_EQ(-ENODEV, read(d, 0, 4096, out));
}

TEST_F(NvmeTrouble, IsIsolatedWhenItAnswersTwice)
{
	bytes out;
	rig_io other(STRAKE_IO_READ, 8192, 4096);

	open();
	fake_nvme_answer_twice(f);
	EXPECT_EQ(0, read(d, 0, 4096, out));
	EXPECT_EQ(-ENODEV, simple(d, STRAKE_IO_FLUSH));
}

TEST_F(NvmeTrouble, IsIsolatedWhenItAnswersWhatNobodyAsked)
{
	rig_io io(STRAKE_IO_READ, 0, 4096);

	open();
	fake_nvme_hold(f, true);
	submit(d, io);
	turn();
	fake_nvme_stranger(f, 7ull << 48 | 0xffff);
	fake_nvme_stranger(f, 7ull << 48 | 3);
	EXPECT_EQ(0, io.done) << "it still has our memory";
	fake_nvme_hold(f, false);
	EXPECT_EQ(0, wait(io)) << "this answer is the right one";
	strake_buf_put_list(io.io.bufs);
	EXPECT_EQ(-ENODEV, simple(d, STRAKE_IO_FLUSH));
}

/* The answer to a try that was given up comes after all, while the drive has the next one and its memory. */
TEST_F(NvmeTrouble, TakesNoAnswerOfAnEarlierTry)
{
	rig_io io(STRAKE_IO_READ, 0, 4096);

	open();
	fake_nvme_fail(f, READ, -EINTR, 1);
	submit(d, io); /* the first command of slot 0 */
	pass(0);
	fake_nvme_hold(f, true);
	pass(60);
	ASSERT_EQ(1u, fake_nvme_pending(f));
	fake_nvme_stranger(f, 7ull << 48 | 1ull << 16);
	turn();
	EXPECT_EQ(0, io.done) << "it still has our memory";
	fake_nvme_hold(f, false);
	EXPECT_EQ(0, wait(io));
	strake_buf_put_list(io.io.bufs);
	EXPECT_EQ(-ENODEV, simple(d, STRAKE_IO_FLUSH)) << "it is isolated all the same";
}

TEST_F(NvmeTrouble, IsolatedDriveGetsNoSecondTries)
{
	rig_io io(STRAKE_IO_READ, 0, 4096);

	open();
	fake_nvme_fail(f, READ, -EINTR, 1);
	submit(d, io);
	pass(0);
	fake_nvme_stranger(f, 7ull << 48 | 0xffff);
	pass(60);
	EXPECT_EQ(1, io.done);
	EXPECT_EQ(-ENODEV, io.io.status);
	EXPECT_EQ(1u, fake_nvme_count(f));
}

/* Half of an I/O is with the drive, the rest waits for room: its end comes once, after the last answer. */
TEST_F(NvmeTrouble, EndsOnceWhatWasHalfAskedWhenItWent)
{
	bytes in = pattern(128 << 10, 4);
	strake_buf *list = payload(in, 0, nullptr);
	rig_io other(STRAKE_IO_FLUSH, 0, 0), half(STRAKE_IO_WRITE, 0, 128 << 10, list),
		none(STRAKE_IO_WRITE, 256 << 10, 128 << 10, list);

	make();
	fake_nvme_ctrl(f)[77] = 1; /* 8 KiB: 16 commands each */
	open();
	fake_nvme_room(f, 5);
	fake_nvme_hold(f, true);
	submit(d, other);
	submit(d, half);
	submit(d, none);
	turn();
	ASSERT_EQ(5u, fake_nvme_pending(f));
	fake_nvme_fail(f, FLUSH, -ENODEV, 1);
	fake_nvme_hold(f, false);
	turn();
	fake_nvme_room(f, -1);
	for (rig_io *io : {&other, &half, &none})
		EXPECT_EQ(-ENODEV, wait(*io));
	for (int i = 0; i < 10; i++)
		turn();
	EXPECT_EQ(3, other.done + half.done + none.done);
	EXPECT_EQ(5u, fake_nvme_count(f)) << "it was asked though it is gone";
	strake_buf_put_list(list);
}

/* done() may submit at once, to the same drive, in every way an I/O can end. */
TEST_F(NvmeTrouble, MayBeUsedFromInsideDone)
{
	rig_io first(STRAKE_IO_READ, 1024 * 4096, 4096), second(STRAKE_IO_FLUSH, 0, 0), third(STRAKE_IO_READ, 1, 1);

	open();
	first.then = [&](rig_io *) { submit(d, second); };
	second.then = [&](rig_io *) { submit(d, third); };
	submit(d, first);
	EXPECT_EQ(-ERANGE, wait(third));
	EXPECT_EQ(0, second.io.status);
}

} // namespace
