/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cerrno>
#include <random>

#include "nvme_rig.h"

namespace
{

using namespace nvme;

/* --- what it says of itself ------------------------------------------------------------------------------------------
 */

TEST_F(NvmeDrive, TakesItsFormFromIdentify)
{
	make(9, 4096);
	open();
	EXPECT_EQ(512u, d->block_size);
	EXPECT_EQ(2u << 20, d->bytes);
	EXPECT_EQ(STRAKE_BUF_PAGE_MAX, d->max_io);
	EXPECT_TRUE(d->volatile_cache);
	EXPECT_STREQ("FAKE1", d->serial);
}

TEST_F(NvmeDrive, WithoutACacheIsDurableAtOnce)
{
	make();
	fake_nvme_ctrl(f)[525] = 0;
	open();
	EXPECT_FALSE(d->volatile_cache);
	ASSERT_EQ(0, write(d, 0, pattern(4096, 1), STRAKE_IO_FUA));
	EXPECT_EQ(0u, cmd(0).cdw12 >> 30) << "FUA to a drive that has no cache";
}

TEST_F(NvmeDrive, RefusesMetadata)
{
	make(9);
	poke<uint16_t>(fake_nvme_ns(f) + 128, 8);
	refused("8 bytes of metadata");
}

TEST_F(NvmeDrive, RefusesProtectionInformation)
{
	make();
	fake_nvme_ns(f)[29] = 1;
	refused("protection information");
}

TEST_F(NvmeDrive, RefusesBlocksItCannotUse)
{
	make();
	fake_nvme_ns(f)[130] = 13;
	refused("8192 bytes; expected 512 or 4096");
	fake_nvme_ns(f)[130] = 3;
	refused("impossible LBA format");
	fake_nvme_ns(f)[130] = 255;
	refused("impossible LBA format");
	fake_nvme_ns(f)[130] = 12;
	fake_nvme_ns(f)[26] = 5;
	refused("LBA format 5 of 1");
	fake_nvme_ns(f)[25] = 200;
	refused("LBA format");
}

TEST_F(NvmeDrive, RefusesSizesThatCannotBe)
{
	make();
	poke<uint64_t>(fake_nvme_ns(f), 0);
	refused("not there or not attached");
	poke<uint64_t>(fake_nvme_ns(f), UINT64_MAX / 2);
	refused("impossible size");
	poke<uint64_t>(fake_nvme_ns(f), 512);
	refused("contradict");
}

TEST_F(NvmeDrive, RefusesWhatTheKernelWasToldOtherwise)
{
	make();
	fake_nvme_kernel(f, 4096, nullptr);
	refused("the kernel was told 4096");
	fake_nvme_kernel(f, 1024 * 4096, "OTHER");
	refused("the kernel was told OTHER");
	fake_nvme_kernel(f, 1024 * 4096, "FAKE1");
	EXPECT_EQ(0, try_open()) << err;
}

TEST_F(NvmeDrive, RefusesAShortIdentify)
{
	make();
	for (size_t n : {0, 1, 100, 512, 4000}) {
		fake_nvme_short_identify(f, n);
		refused("of its 4096 bytes");
	}
}

TEST_F(NvmeDrive, RefusesANameThatIsNoText)
{
	make();
	fake_nvme_ctrl(f)[6] = 0x1b;
	refused("is no text");
	memset(fake_nvme_ctrl(f) + 4, ' ', 20);
	refused("no serial number");
}

TEST_F(NvmeDrive, RefusesControllersWithoutIo)
{
	make();
	fake_nvme_ctrl(f)[111] = 3;
	refused("does no I/O");
	fake_nvme_ctrl(f)[111] = 0;
	fake_nvme_ns(f)[99] = 1;
	refused("write-protected");
}

/* --- I/O -------------------------------------------------------------------------------------------------------------
 */

TEST_F(NvmeDrive, KeepsBytes)
{
	bytes in = pattern(64 << 10, 3), out;

	open();
	ASSERT_EQ(0, write(d, 8192, in));
	ASSERT_EQ(0, read(d, 8192, 64 << 10, out));
	EXPECT_EQ(in, out);
	EXPECT_EQ(0, memcmp(fake_nvme_medium(f) + 8192, in.data(), in.size()));
	EXPECT_EQ(2u, cmd(0).slba);
	EXPECT_EQ(16u, cmd(0).blocks);
	EXPECT_EQ(0u, d->stats[0]->bytes_gathered);
}

TEST_F(NvmeDrive, CutsAtMdts)
{
	bytes in = pattern(128 << 10, 4), out;

	make();
	fake_nvme_ctrl(f)[77] = 2; /* 16 KiB */
	open();
	ASSERT_EQ(0, write(d, 4096, in));
	EXPECT_EQ(8u, fake_nvme_count(f));
	for (unsigned int i = 0; i < 8; i++) {
		EXPECT_EQ(1 + 4 * i, cmd(i).slba);
		EXPECT_EQ(16384u, cmd(i).len);
	}
	fake_nvme_backwards(f);
	ASSERT_EQ(0, read(d, 4096, 128 << 10, out));
	EXPECT_EQ(in, out);
}

TEST_F(NvmeDrive, CutsWritesWhereTheDriveLikesIt)
{
	make();
	fake_nvme_ctrl(f)[77] = 2;
	fake_nvme_ns(f)[24] = 0x10;		 /* NSFEAT: preferences are valid */
	poke<uint16_t>(fake_nvme_ns(f) + 64, 1); /* NPWG: 2 blocks */
	open();
	ASSERT_EQ(0, write(d, 4096, pattern(32 << 10, 5)));
	ASSERT_EQ(3u, fake_nvme_count(f));
	EXPECT_EQ(3u, cmd(0).blocks) << "up to a multiple of 2";
	EXPECT_EQ(4u, cmd(1).slba);
	EXPECT_EQ(4u, cmd(1).blocks);
	EXPECT_EQ(1u, cmd(2).blocks);
}

TEST_F(NvmeDrive, DoesNotCrossTheBoundaryItNames)
{
	make();
	poke<uint16_t>(fake_nvme_ns(f) + 46, 8); /* NOIOB */
	open();
	bytes out;

	ASSERT_EQ(0, read(d, 6 * 4096, 12 * 4096, out));
	ASSERT_EQ(3u, fake_nvme_count(f));
	EXPECT_EQ(2u, cmd(0).blocks);
	EXPECT_EQ(8u, cmd(1).blocks);
	EXPECT_EQ(2u, cmd(2).blocks);
}

TEST_F(NvmeDrive, TakesPiecesThatLeaveNoGap)
{
	bytes in = pattern(48 << 10, 6);
	strake_buf *list = payload(in, 16 << 10, nullptr);
	rig_io io(STRAKE_IO_WRITE, 0, 48 << 10, list);

	open();
	ASSERT_EQ(0, run(d, io));
	strake_buf_put_list(list);
	EXPECT_EQ(3u, cmd(0).n_iov);
	EXPECT_EQ(0u, d->stats[0]->bytes_gathered);
	EXPECT_EQ(0, memcmp(fake_nvme_medium(f), in.data(), in.size()));
}

TEST_F(NvmeDrive, GathersWhatTheKernelWouldCopy)
{
	bytes in = pattern(16 << 10, 7);
	strake_buf *list = payload(in, 4096, nullptr, 64); /* each ends in the middle of a page */
	rig_io io(STRAKE_IO_WRITE, 0, 16 << 10, list);

	open();
	ASSERT_EQ(0, run(d, io));
	strake_buf_put_list(list);
	EXPECT_EQ(1u, cmd(0).n_iov);
	EXPECT_EQ(16u << 10, d->stats[0]->bytes_gathered);
	EXPECT_EQ(0, memcmp(fake_nvme_medium(f), in.data(), in.size()));
}

TEST_F(NvmeDrive, TakesAnOddBeginningButNoOddAddress)
{
	bytes in = pattern(8192, 8);

	open();
	for (uint32_t skew : {64u, 2u}) {
		strake_buf *list = payload(in, 0, nullptr, skew);
		rig_io io(STRAKE_IO_WRITE, 0, 8192, list);

		EXPECT_EQ(skew != 2, nvme_drive_lies_well(d, &io.io)) << "as a mirror asks";
		ASSERT_EQ(0, run(d, io));
		strake_buf_put_list(list);
		EXPECT_EQ(skew == 2 ? 8192u : 0u, d->stats[0]->bytes_gathered);
		EXPECT_EQ(0, memcmp(fake_nvme_medium(f), in.data(), in.size()));
	}
}

/* However the payload lies, no command is one that the kernel would copy for; and what lies well is not copied here. */
TEST_F(NvmeDrive, NeverHandsOverWhatTheKernelWouldCopy)
{
	make(9, 4096);
	fake_nvme_ctrl(f)[77] = 2; /* MDTS 16 KiB: cut in the midst of pieces */
	open();
	std::mt19937 rnd(41);
	for (int i = 0; i < 600; i++) {
		const uint32_t pieces[] = {0, 512, 4096, 8192, 16384, 12288, 4096 + 512, 1000, 4094};
		const uint32_t skews[] = {0, 0, 0, 4, 64, 512, 2, 1, 4092};
		const uint32_t masks[] = {3, 3, 511};
		uint32_t len = 512 * (1 + rnd() % 128), off = 512 * (rnd() % 512), skew = skews[rnd() % 9];
		bytes in = pattern(len, i), out(len);
		strake_buf *list;

		fake_nvme_align(f, masks[rnd() % 3]);
		fake_nvme_iovs(f, 1 + rnd() % 8);
		list = payload(in, pieces[rnd() % 9], nullptr, skew);
		rig_io w(STRAKE_IO_WRITE, off, len, list);
		ASSERT_EQ(0, run(d, w));
		strake_buf_put_list(list);
		list = payload(out, pieces[rnd() % 9], nullptr, skews[rnd() % 9]);
		rig_io r(STRAKE_IO_READ, off, len, list);
		ASSERT_EQ(0, run(d, r));
		strake_buf_copy_out(list, 0, out.data(), len);
		strake_buf_put_list(list);
		ASSERT_EQ(in, out) << "round " << i;
		ASSERT_EQ(0u, fake_nvme_bounced(f)) << "round " << i;
	}
	ASSERT_EQ(0, simple(d, STRAKE_IO_DEALLOCATE, 0, 4096));
	EXPECT_EQ(0u, fake_nvme_bounced(f));
}

TEST_F(NvmeDrive, CopiesNothingThatLiesAsFrontsLayIt)
{
	open();
	for (uint32_t skew : {0u, 4u, 64u, 512u, 4092u}) { /* one piece, begun anywhere */
		strake_buf *list = payload(pattern(64 << 10, skew), 0, nullptr, skew);
		rig_io io(STRAKE_IO_WRITE, 0, 64 << 10, list);

		ASSERT_EQ(0, run(d, io));
		strake_buf_put_list(list);
	}
	strake_buf *list = payload(pattern(64 << 10, 1), 8192, nullptr); /* pages in a row */
	rig_io io(STRAKE_IO_WRITE, 0, 64 << 10, list);
	ASSERT_EQ(0, run(d, io));
	strake_buf_put_list(list);
	EXPECT_EQ(0u, d->stats[0]->bytes_gathered);
	EXPECT_EQ(0u, fake_nvme_bounced(f));
}

TEST_F(NvmeDrive, ReadsIntoMemoryThatIsGiven)
{
	bytes in = pattern(8192, 9), out(8192);

	open();
	memcpy(fake_nvme_medium(f), in.data(), in.size());
	for (uint32_t piece : {4096u, 1000u}) {
		strake_buf *list = payload(bytes(8192), piece, nullptr);
		rig_io io(STRAKE_IO_READ, 0, 8192, list);

		ASSERT_EQ(0, run(d, io));
		strake_buf_copy_out(list, 0, out.data(), 8192);
		EXPECT_EQ(in, out);
		strake_buf_put_list(list);
	}
}

TEST_F(NvmeDrive, FlushesAndForces)
{
	open();
	ASSERT_EQ(0, simple(d, STRAKE_IO_FLUSH));
	EXPECT_EQ(FLUSH, cmd(0).opcode);
	ASSERT_EQ(0, write(d, 0, pattern(4096, 1), STRAKE_IO_FUA));
	EXPECT_EQ(1u, cmd(1).cdw12 >> 30);
	ASSERT_EQ(0, simple(d, STRAKE_IO_WRITE_ZEROES, 0, 4096, STRAKE_IO_FUA));
	EXPECT_EQ(1u, cmd(2).cdw12 >> 30);
}

TEST_F(NvmeDrive, ZeroesAndDeallocates)
{
	open();
	ASSERT_EQ(0, write(d, 0, pattern(64 << 10, 1)));
	ASSERT_EQ(0, simple(d, STRAKE_IO_WRITE_ZEROES, 4096, 8192));
	EXPECT_EQ(ZEROES, cmd(1).opcode);
	EXPECT_EQ(0u, fake_nvme_medium(f)[4096]);
	ASSERT_EQ(0, simple(d, STRAKE_IO_DEALLOCATE, 16384, 16384));
	EXPECT_EQ(DSM, cmd(2).opcode);
	EXPECT_EQ(4u, cmd(2).cdw11) << "the attribute that deallocates";
	EXPECT_EQ(4u, cmd(2).slba);
	EXPECT_EQ(4u, cmd(2).blocks);
	EXPECT_EQ(4096u, cmd(2).len) << "drives exist that always fetch 256 ranges";
}

TEST_F(NvmeDrive, WritesZeroesWhereTheDriveCannot)
{
	make();
	fake_nvme_ctrl(f)[520] = 0;
	open();
	ASSERT_EQ(0, write(d, 0, pattern(64 << 10, 1)));
	ASSERT_EQ(0, simple(d, STRAKE_IO_WRITE_ZEROES, 0, 1 << 20));
	EXPECT_EQ(WRITE, cmd(1).opcode);
	for (unsigned int i = 0; i < 1 << 20; i++)
		ASSERT_EQ(0u, fake_nvme_medium(f)[i]);
	ASSERT_EQ(0, simple(d, STRAKE_IO_DEALLOCATE, 0, 4096)) << "never an error";
}

TEST_F(NvmeDrive, DeallocatesOnlyWhereZeroesAreRead)
{
	make();
	fake_nvme_ns(f)[33] = 2; /* DLFEAT: ones */
	open();
	ASSERT_EQ(0, simple(d, STRAKE_IO_DEALLOCATE, 0, 4096));
	EXPECT_EQ(0u, fake_nvme_count(f));
}

TEST_F(NvmeDrive, RefusesWhatIsBeyondTheEnd)
{
	open();
	EXPECT_EQ(-ERANGE, simple(d, STRAKE_IO_READ, 1024 * 4096, 4096));
	EXPECT_EQ(-ERANGE, simple(d, STRAKE_IO_WRITE_ZEROES, 1023 * 4096, 8192));
	EXPECT_EQ(-ERANGE, simple(d, STRAKE_IO_READ, 100, 4096));
	EXPECT_EQ(0u, fake_nvme_count(f));
}

/* --- full queues
 * ------------------------------------------------------------------------------------------------------
 */

TEST_F(NvmeDrive, GoesOnWhenThereIsRoomAgain)
{
	bytes in = pattern(128 << 10, 4), out;
	strake_buf *list = payload(in, 0, nullptr);
	rig_io a(STRAKE_IO_WRITE, 0, 128 << 10, list), b(STRAKE_IO_WRITE, 256 << 10, 128 << 10, list);

	make();
	fake_nvme_ctrl(f)[77] = 0;
	fake_nvme_ctrl(f)[77] = 1; /* 8 KiB: 16 commands each */
	open();
	fake_nvme_room(f, 5);
	submit(d, a);
	submit(d, b);
	for (int i = 0; i < 10; i++)
		turn();
	EXPECT_EQ(5u, fake_nvme_count(f));
	EXPECT_EQ(0, a.done);
	fake_nvme_room(f, -1);
	EXPECT_EQ(0, wait(a));
	EXPECT_EQ(0, wait(b));
	strake_buf_put_list(list);
	ASSERT_EQ(0, read(d, 0, 128 << 10, out));
	EXPECT_EQ(in, out);
	ASSERT_EQ(0, read(d, 256 << 10, 128 << 10, out));
	EXPECT_EQ(in, out);
}

TEST_F(NvmeDrive, TakesMoreThanItHasCommands)
{
	std::vector<std::unique_ptr<rig_io>> ios;

	open();
	fake_nvme_hold(f, true);
	for (unsigned int i = 0; i < 700; i++) {
		ios.push_back(std::make_unique<rig_io>(STRAKE_IO_READ, i * 4096ull, 4096));
		submit(d, *ios.back());
	}
	turn();
	EXPECT_EQ(256u, fake_nvme_pending(f));
	fake_nvme_hold(f, false);
	for (auto &io : ios) {
		EXPECT_EQ(0, wait(*io));
		strake_buf_put_list(io->io.bufs);
	}
	EXPECT_EQ(700u, fake_nvme_count(f));
}

/* A write that must be gathered, the range of a deallocation. */
TEST_F(NvmeDrive, WaitsForPagesWhereThereAreNone)
{
	bytes in = pattern(4096, 5), out;
	strake_buf *list = payload(in, 0, nullptr, 1);
	rig_io write_it(STRAKE_IO_WRITE, 0, 4096, list), trim(STRAKE_IO_DEALLOCATE, 65536, 4096);

	open();
	memset(fake_nvme_medium(f) + 65536, 0xee, 4096);
	for (rig_io *io : {&write_it, &trim}) {
		unsigned int asked = fake_nvme_count(f);
		strake_buf *all = nullptr, *b;

		while ((b = strake_buf_page(4096)) != nullptr) {
			b->next = all;
			all = b;
		}
		submit(d, *io);
		for (int i = 0; i < 10; i++)
			turn();
		EXPECT_EQ(0, io->done);
		EXPECT_EQ(asked, fake_nvme_count(f));
		strake_buf_put_list(all);
		EXPECT_EQ(0, wait(*io));
	}
	strake_buf_put_list(list);
	EXPECT_EQ(0, memcmp(fake_nvme_medium(f), in.data(), in.size()));
	EXPECT_EQ(0, fake_nvme_medium(f)[65536]);
}

} // namespace
