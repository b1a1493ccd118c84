/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The stripe stage: fan-out, splitting, reading round what fails. */

#include "group_rig.h"

namespace
{

class StripeIo : public GroupRig
{
};

TEST_F(StripeIo, Raid0DealsChunksInTurn)
{
	bytes in = pattern(128 << 10, 1);

	conf.raid = CONF_RAID0;
	make_disks(3);
	up({0, 1, 2});
	EXPECT_EQ(3 * 4 * kMiB, group_bytes(g));
	EXPECT_EQ(0, write(32768, in)) << "half a chunk, a chunk, half a chunk";
	EXPECT_EQ(in, read(32768, 128 << 10));
	EXPECT_EQ(0, memcmp(medium(0, 32768, 32768).data(), in.data(), 32768));
	EXPECT_EQ(0, memcmp(medium(1, 0, 65536).data(), &in[32768], 65536));
	EXPECT_EQ(0, memcmp(medium(2, 0, 32768).data(), &in[98304], 32768));
}

/* Every piece of a read tells its drive whether it will be touched, and no other does. */
TEST_F(StripeIo, TellsDrivesWhatWillBeTouched)
{
	static std::vector<uint16_t> seen;
	static const strake_drive_ops *below;

	conf.raid = CONF_RAID0;
	make_disks(2);
	up({0, 1});
	below = drives[0]->ops;
	strake_drive_ops watched = *below;
	watched.submit = [](strake_drive *drive, strake_io **ios, uint16_t n) {
		for (uint16_t i = 0; i < n; i++)
			seen.push_back(ios[i]->flags);
		return below->submit(drive, ios, n);
	};
	drives[0]->ops = drives[1]->ops = &watched;
	for (uint16_t flag : {(uint16_t)0, (uint16_t)STRAKE_UNIT_TOUCHED}) {
		seen.clear();
		EXPECT_EQ(0, run(STRAKE_OP_READ, 0, 128 << 10, nullptr, flag));
		ASSERT_EQ(2u, seen.size());
		for (uint16_t flags : seen)
			EXPECT_EQ(flag != 0 ? STRAKE_IO_TOUCHED : 0, flags);
	}
	drives[0]->ops = drives[1]->ops = below;
}

TEST_F(StripeIo, Raid1WritesAllHalvesAndReadsFromEach)
{
	bytes in = pattern(8192, 2);
	power_figures f[2];

	make_disks(2);
	up({0, 1});
	EXPECT_EQ(0, write(kMiB, in));
	EXPECT_EQ(in, medium(0, kMiB, 8192));
	EXPECT_EQ(in, medium(1, kMiB, 8192));
	std::vector<std::unique_ptr<Op>> ops;

	for (int i = 0; i < 64; i++) {
		ops.push_back(std::make_unique<Op>());
		begin(*ops.back(), STRAKE_OP_READ, kMiB, 4096);
	}
	until([&] { return inflight == 0; });
	for (int i = 0; i < 2; i++)
		power_disk_figures(disks[i], &f[i]);
	EXPECT_GT(f[0].ops[STRAKE_IO_READ], 24u);
	EXPECT_GT(f[1].ops[STRAKE_IO_READ], 24u);
}

TEST_F(StripeIo, Raid10IsStripesOfPairs)
{
	bytes in = pattern(128 << 10, 3);

	conf.raid = CONF_RAID10;
	make_disks(4);
	up({0, 1, 2, 3});
	EXPECT_EQ(8 * kMiB, group_bytes(g));
	EXPECT_EQ(0, write(0, in));
	EXPECT_EQ(in, read(0, 128 << 10));
	for (unsigned i = 0; i < 4; i++)
		EXPECT_EQ(0, memcmp(medium(i, 0, 65536).data(), &in[i / 2 * 65536], 65536)) << i;
}

/* What no half can take as it lies is gathered once for all of them; what one of them takes, and what each takes, is
 * not. */
TEST_F(StripeIo, GathersOnceForAllHalves)
{
	struct Seen {
		strake_buf *bufs;
		bool whole;
	};
	static std::vector<Seen> seen;
	static const strake_drive_ops *below;
	bytes in = pattern(128 << 10, 4);

	conf.raid = CONF_RAID10;
	make_disks(4);
	up({0, 1, 2, 3});
	below = drives[0]->ops;
	strake_drive_ops easy = *below, picky;
	easy.submit = [](strake_drive *drive, strake_io **ios, uint16_t n) {
		for (uint16_t i = 0; i < n; i++)
			if (ios[i]->op == STRAKE_IO_WRITE && ios[i]->off >= SUPER_DATA_OFF)
				seen.push_back({ios[i]->bufs, ios[i]->bufs->next == nullptr});
		return below->submit(drive, ios, n);
	};
	picky = easy;
	picky.lies_well = [](const strake_drive *, const strake_io *io) {
		return io->bufs->next == nullptr && (uintptr_t)io->bufs->addr % 4096 == 0;
	};
	auto gathered = [&] {
		uint64_t sum = 0;

		for (strake_drive *d : drives)
			for (uint16_t l = 0; l <= data_lcores; l++)
				sum += d->stats[l]->bytes_gathered;
		return sum;
	};
	auto halves = [&](bool first, bool second) {
		for (unsigned i = 0; i < 4; i++)
			drives[i]->ops = (i % 2 == 0 ? first : second) ? &picky : &easy;
		seen.clear();
		EXPECT_EQ(0, write(0, in));
		EXPECT_EQ(4u, seen.size());
		EXPECT_EQ(in, read(0, 128 << 10));
		for (unsigned i = 0; i < 4; i++)
			EXPECT_EQ(0, memcmp(medium(i, 0, 65536).data(), &in[i / 2 * 65536], 65536)) << i;
	};

	halves(false, false);
	halves(true, false);
	EXPECT_EQ(0u, gathered());
	halves(true, true);
	EXPECT_EQ(128u << 10, gathered());
	for (const Seen &s : seen) {
		EXPECT_TRUE(s.whole);
		EXPECT_EQ(seen[0].bufs, s.bufs) << "one page for all";
	}
	in.resize(1024); /* its one piece lies as a drive can take it */
	EXPECT_EQ(0, write(0, in));
	EXPECT_EQ(128u << 10, gathered());
	for (strake_drive *d : drives)
		d->ops = below;
}

TEST_F(StripeIo, LongZeroesAreOneIoForEachMember)
{
	power_figures a, b;

	conf.raid = CONF_RAID10;
	make_disks(4);
	up({0, 1, 2, 3});
	ASSERT_EQ(0, write(0, pattern(128 << 10, 3)));
	ASSERT_EQ(0, write(6 * kMiB, pattern(128 << 10, 3)));
	power_disk_figures(disks[2], &a);
	EXPECT_EQ(0, run(STRAKE_OP_WRITE_ZEROES, 4096, (uint32_t)(6 * kMiB)));
	power_disk_figures(disks[2], &b);
	EXPECT_EQ(1u, b.ops[STRAKE_IO_WRITE_ZEROES] - a.ops[STRAKE_IO_WRITE_ZEROES]);
	bytes want = pattern(128 << 10, 3);

	memset(&want[4096], 0, want.size() - 4096);
	EXPECT_EQ(want, read(0, 128 << 10));
	want = pattern(128 << 10, 3);
	memset(&want[0], 0, 4096);
	EXPECT_EQ(want, read(6 * kMiB, 128 << 10));
	EXPECT_EQ(0, run(STRAKE_OP_DEALLOCATE, 0, (uint32_t)(8 * kMiB)));
	EXPECT_EQ(medium(2), medium(3));
}

TEST_F(StripeIo, ReadsRoundWhatOneHalfCannotRead)
{
	bytes in = pattern(128 << 10, 4);
	power_fault bad = {1u << STRAKE_IO_READ, SUPER_DATA_OFF, 4096, 0, 0, -EIO};

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(0, in));
	power_disk_fault(disks[0], &bad);
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(in, read(0, 128 << 10));
	EXPECT_EQ(GROUP_MEMBER_IN_SYNC, state(0)) << "a block that cannot be read does not cost the member";
	EXPECT_GT(status().member_errors, 0u);
	power_disk_fault(disks[1], &bad);
	read(0, 4096, -EIO);
	EXPECT_EQ(0, memcmp(&in[4096], read(4096, 4096).data(), 4096));
}

/* Two pieces of one chunk, each unreadable on another half: both have a good copy. */
TEST_F(StripeIo, EveryPieceFindsItsGoodHalf)
{
	bytes in = pattern(128 << 10, 5);

	conf.raid = CONF_RAID10;
	conf.chunk = 4096;
	make_disks(4);
	up({0, 1, 2, 3});
	ASSERT_EQ(0, write(0, in));
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned k = 0; k < 4; k++) {
			power_fault bad = {
				1u << STRAKE_IO_READ, SUPER_DATA_OFF + 4096 * (2 * k + i % 2), 4096, 0, 0, -EIO};

			power_disk_fault(disks[i], &bad);
		}
	}
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(in, read(0, 128 << 10));
}

TEST_F(StripeIo, Raid0PassesErrorsOn)
{
	power_fault bad = {1u << STRAKE_IO_WRITE, SUPER_DATA_OFF, 4096, 0, 0, -EIO};

	conf.raid = CONF_RAID0;
	make_disks(2);
	up({0, 1});
	power_disk_fault(disks[0], &bad);
	EXPECT_EQ(-EIO, write(0, pattern(4096, 1)));
	EXPECT_EQ(0, write(65536, pattern(4096, 1)));
	power_disk_vanish(disks[1], true);
	EXPECT_EQ(-ENODEV, write(65536, pattern(4096, 1)));
	read(65536, 4096, -ENODEV);
	EXPECT_EQ(-ENODEV, flush());
	power_disk_vanish(disks[1], false);
}

TEST_F(StripeIo, FlushReachesEveryMember)
{
	power_figures a, b;

	conf.raid = CONF_RAID10;
	make_disks(4);
	up({0, 1, 2, 3});
	for (unsigned i = 0; i < 4; i++) {
		power_disk_figures(disks[i], &a);
		EXPECT_EQ(0, flush());
		power_disk_figures(disks[i], &b);
		EXPECT_EQ(1u, b.ops[STRAKE_IO_FLUSH] - a.ops[STRAKE_IO_FLUSH]);
	}
}

TEST_F(StripeIo, FuaPassesOn)
{
	bytes in = pattern(4096, 6);

	make_disks(2);
	up({0, 1});
	EXPECT_EQ(0, write(4096, in, STRAKE_UNIT_FUA));
	crash();
	up({0, 1});
	EXPECT_EQ(in, read(4096, 4096));
}

/* A region's mark is on all members before the first write of it is, and later writes do not ask again. */
TEST_F(StripeIo, MarksARegionBeforeItsFirstWrite)
{
	uint8_t bits[DIRTY_BLOCK_BITS / 8];
	bytes page(DIRTY_BYTES);
	power_figures a, b;
	Op op;

	make_disks(2);
	up({0, 1});
	EXPECT_EQ(0u, status().regions_dirty);
	begin(op, STRAKE_OP_WRITE, 2 * kMiB, 4096, std::make_unique<bytes>(pattern(4096, 1)).get());
	while (!op.done) {
		if (medium(0, 2 * kMiB, 4096) != bytes(4096)) {
			uint8_t newest = 0;

			for (unsigned copy = 0; copy < 2; copy++) {
				dirty_block blk;

				power_disk_peek(disks[1], dirty_copy_off(0, copy), page.data(), page.size());
				if (dirty_decode(&blk, bits, page.data()) == 0)
					newest |= bits[0];
			}
			EXPECT_EQ(4, newest);
		}
		turn();
	}
	EXPECT_EQ(1u, status().regions_dirty);
	power_disk_figures(disks[0], &a);
	EXPECT_EQ(0, write(2 * kMiB + 8192, pattern(4096, 1)));
	power_disk_figures(disks[0], &b);
	EXPECT_EQ(1u, b.ops[STRAKE_IO_WRITE] - a.ops[STRAKE_IO_WRITE]);
}

TEST_F(StripeIo, ClearsRegionsNobodyWritesTo)
{
	power_figures a, b;

	make_disks(2);
	up({0, 1});
	for (uint64_t p = 0; p < 4; p++)
		ASSERT_EQ(0, write(p * kMiB, pattern(4096, 1)));
	EXPECT_EQ(4u, status().regions_dirty);
	power_disk_figures(disks[0], &a);
	for (int i = 0; i < 11; i++) {
		ASSERT_EQ(0, write(kMiB, pattern(4096, 2))) << "this one stays in use";
		turn(1000 * STRAKE_NS_PER_MS);
		turns(50);
	}
	power_disk_figures(disks[0], &b);
	EXPECT_EQ(1u, status().regions_dirty);
	EXPECT_GT(b.ops[STRAKE_IO_FLUSH], a.ops[STRAKE_IO_FLUSH]) << "no clearing without flush";
	EXPECT_EQ(0, write(3 * kMiB, pattern(4096, 3)));
	EXPECT_EQ(2u, status().regions_dirty);
}

/* What an unclean stop left dirty is cleared once it is copied, without anybody writing. */
TEST_F(StripeIo, ClearsWhatARestartFoundDirty)
{
	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(0, pattern(4096, 1)));
	crash();
	up({0, 1});
	EXPECT_EQ(1u, status().regions_dirty);
	resynced();
	for (int i = 0; i < 12; i++) {
		turn(1000 * STRAKE_NS_PER_MS);
		turns(30);
	}
	EXPECT_EQ(0u, status().regions_dirty);
}

} // namespace
