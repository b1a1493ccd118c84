/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What a half cannot read: rewritten from another, in service and in a resynchronisation. */

#include "group_rig.h"

namespace
{

class Mend : public GroupRig
{
      protected:
	/* A bad sector in the data area: reads fail until it is written. */
	void
	spoil(unsigned disk, uint64_t off, uint64_t len = 4096)
	{
		power_fault bad = {1u << STRAKE_IO_READ, SUPER_DATA_OFF + off, len, 0, 0, -EIO, true};

		power_disk_fault(disks[disk], &bad);
	}

	/* A clean mirror of two disks whose halves differ in [off, off + 128 KiB), as an unclean stop can leave it. */
	void
	unequal(uint64_t off, const bytes &a, const bytes &b)
	{
		make_disks(2);
		up({0, 1});
		for (uint64_t p = 0; p < 4; p++)
			ASSERT_EQ(0, write(p * kMiB, pattern(4096, 99), STRAKE_UNIT_FUA));
		crash();
		power_disk_poke(disks[0], SUPER_DATA_OFF + off, a.data(), a.size());
		power_disk_poke(disks[1], SUPER_DATA_OFF + off, b.data(), b.size());
	}
};

TEST_F(Mend, WritesAgainWhatOneHalfCannotRead)
{
	bytes in = pattern(128 << 10, 4);

	conf.raid = CONF_RAID10;
	make_disks(4);
	up({0, 1, 2, 3});
	ASSERT_EQ(0, write(0, in));
	spoil(0, 8192);
	spoil(2, 16384);
	for (int i = 0; i < 6; i++)
		EXPECT_EQ(in, read(0, 128 << 10));
	until([&] { return status().mends == 2; });
	turns(10);
	EXPECT_EQ(2u * 65536, status().mended_bytes);
	uint64_t errors = status().member_errors;

	for (int i = 0; i < 6; i++)
		EXPECT_EQ(in, read(0, 128 << 10));
	EXPECT_EQ(errors, status().member_errors) << "both can be read again";
	for (unsigned i = 0; i < 4; i++)
		EXPECT_EQ(GROUP_MEMBER_IN_SYNC, state(i));
	EXPECT_EQ(medium(0), medium(1));
	EXPECT_EQ(medium(2), medium(3));
}

TEST_F(Mend, ThatCannotBeWrittenCostsTheMember)
{
	power_fault bad = {1u << STRAKE_IO_WRITE, SUPER_DATA_OFF, 4096, 0, 0, -EIO};
	bytes in = pattern(4096, 4);

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(0, in));
	spoil(0, 0);
	power_disk_fault(disks[0], &bad);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(in, read(0, 4096));
	until([&] { return state(0) == GROUP_MEMBER_MISSING; });
	EXPECT_EQ(in, read(0, 4096));
	EXPECT_EQ(0, write(0, pattern(4096, 5)));
}

/* A drive that says it wrote and still cannot read. */
TEST_F(Mend, IsNotTriedForEver)
{
	power_fault bad = {1u << STRAKE_IO_READ, SUPER_DATA_OFF, 4096, 0, 0, -EIO};
	bytes in = pattern(4096, 4);
	power_figures f, then;

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(0, in));
	power_disk_fault(disks[0], &bad);
	for (int i = 0; i < 40; i++)
		EXPECT_EQ(in, read(0, 4096));
	until([&] { return status().mends_skipped > 3; });
	EXPECT_EQ(1u, status().mends);
	power_disk_figures(disks[0], &f);
	for (int i = 0; i < 40; i++)
		EXPECT_EQ(in, read(0, 4096));
	power_disk_figures(disks[0], &then);
	EXPECT_EQ(f.ops[STRAKE_IO_WRITE], then.ops[STRAKE_IO_WRITE]);
	/* An hour later it may be another fault. */
	turn(3601 * STRAKE_NS_PER_SEC);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(in, read(0, 4096));
	until([&] { return status().mends == 2; });
}

TEST_F(Mend, OfTheOnlyHalfIsNotTried)
{
	bytes in = pattern(4096, 4);

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(0, in));
	ASSERT_EQ(0, group_member_fail(g, 1));
	turns(30);
	spoil(0, 0);
	read(0, 4096, -EIO);
	turns(50);
	EXPECT_EQ(0u, status().mends);
	EXPECT_EQ(0, write(0, in));
	EXPECT_EQ(in, read(0, 4096));
}

/* Hosts write all the time; bad sectors come up everywhere on one half. The newest bytes are on both in the end. */
TEST_F(Mend, NeverPutsOldBytesOverNewOnes)
{
	for (uint32_t seed = 1; seed <= 8; seed++) {
		constexpr uint32_t kBlocks = 64;
		std::mt19937 rnd(seed);
		std::vector<uint32_t> version(kBlocks, 0);
		std::vector<std::unique_ptr<Op>> writes(kBlocks), reads(kBlocks);
		unsigned a = (unsigned)disks.size();
		uint32_t number = 0;

		disk_conf.delay_turns = seed % 5;
		conf.raid = CONF_RAID1;
		make_disks(2, seed);
		up({a, a + 1});
		ASSERT_EQ(0, run(STRAKE_OP_WRITE_ZEROES, 0, kBlocks * 4096));
		for (int i = 0; i < 3000; i++) {
			uint32_t b = rnd() % kBlocks;

			if (rnd() % 8 == 0) {
				power_disk_no_faults(disks[a]);
				for (int k = 0; k < 8; k++)
					spoil(a, (rnd() % kBlocks) * 4096);
			}
			if (i % 500 == 499)
				turn(3601 * STRAKE_NS_PER_SEC);
			/* Hosts' reads and writes keep apart, so that drives see no overlap but of the mending. */
			if ((writes[b] != nullptr && !writes[b]->done) || (reads[b] != nullptr && !reads[b]->done)) {
				turn();
			} else if (rnd() % 2 == 0) {
				reads[b] = std::make_unique<Op>();
				begin(*reads[b], STRAKE_OP_READ, b * 4096, 4096, nullptr, 0, (uint16_t)(1 + rnd() % 2));
			} else {
				bytes in = pattern(4096, ++number);

				version[b] = number;
				writes[b] = std::make_unique<Op>();
				begin(*writes[b], STRAKE_OP_WRITE, b * 4096, 4096, &in, 0, (uint16_t)(1 + b % 2));
			}
			if (i % 2 == 0)
				turn();
		}
		until([&] { return inflight == 0; });
		for (auto &r : reads) {
			if (r != nullptr) {
				ASSERT_EQ(0, r->status);
			}
		}
		EXPECT_LT(20u, status().mends) << "seed " << seed;
		turns(100);
		power_disk_no_faults(disks[a]);
		ASSERT_EQ(medium(a), medium(a + 1)) << "seed " << seed;
		for (uint32_t b = 0; b < kBlocks; b++) {
			if (version[b] != 0) {
				ASSERT_EQ(pattern(4096, version[b]), medium(a, b * 4096, 4096)) << "seed " << seed;
			}
		}
		stop();
	}
}

/* Either copy of a block is right after an unclean stop; but each block is one and the same in all reads. */
TEST_F(Mend, ResyncTakesFromTheOtherHalfWhatTheFirstCannotRead)
{
	bytes a = pattern(128 << 10, 1), b = pattern(128 << 10, 2), want = a;
	Op op;

	unequal(kMiB, a, b);
	spoil(0, kMiB + 8192);
	memcpy(&want[8192], &b[8192], 4096);
	up({0, 1});
	begin(op, STRAKE_OP_READ, kMiB, 128 << 10);
	until([&] { return op.done; });
	EXPECT_EQ(0, op.status);
	EXPECT_EQ(want, op.data);
	resynced();
	EXPECT_EQ(want, read(kMiB, 128 << 10));
	EXPECT_EQ(want, medium(0, kMiB, 128 << 10));
	EXPECT_EQ(medium(0), medium(1));
	EXPECT_LE(4096u, status().mended_bytes);
	EXPECT_EQ(0u, status().unreadable_bytes);
	for (unsigned i = 0; i < 2; i++)
		EXPECT_EQ(GROUP_MEMBER_IN_SYNC, state(i));
}

TEST_F(Mend, ResyncGoesOnAroundWhatNoHalfCanRead)
{
	bytes a = pattern(128 << 10, 1), b = pattern(128 << 10, 2), want = a;

	unequal(kMiB, a, b);
	for (unsigned i = 0; i < 2; i++) {
		spoil(i, kMiB + 8192);
		spoil(i, kMiB + 32768 + i * 4096);
	}
	/* Only on one half each: the other's. */
	memcpy(&want[32768], &b[32768], 4096);
	up({0, 1});
	until([&] { return status().regions_bad == 1 && status().regions_resync == 1; });
	turns(50);
	EXPECT_EQ(1u, status().regions_resync);
	read(kMiB + 8192, 4096, -EIO);
	EXPECT_EQ(bytes(want.begin() + 32768, want.begin() + 40960), read(kMiB + 32768, 8192));
	EXPECT_EQ(bytes(want.begin() + 12288, want.end()), read(kMiB + 12288, (128 << 10) - 12288));
	EXPECT_EQ(medium(0, 2 * kMiB, 2 * kMiB), medium(1, 2 * kMiB, 2 * kMiB));
	EXPECT_EQ(0, write(kMiB + 8192, pattern(4096, 7))) << "a written sector can be read again";
	EXPECT_EQ(pattern(4096, 7), read(kMiB + 8192, 4096));
	for (int i = 0; i < 75; i++) {
		turn(1000 * STRAKE_NS_PER_MS);
		turns(20);
	}
	EXPECT_EQ(0u, status().regions_bad);
	resynced();
	EXPECT_EQ(medium(0), medium(1));
	EXPECT_EQ(want, [&] {
		bytes got = read(kMiB, 128 << 10);

		memcpy(&got[8192], &want[8192], 4096);
		return got;
	}());
}

/* The blocks are in the other column: they do not keep this one's member from coming back. */
TEST_F(Mend, UnreadableBlocksHoldUpOnlyTheirOwnColumn)
{
	char text[200] = "";

	conf.raid = CONF_RAID10;
	make_disks(4);
	up({0, 1, 2, 3});
	for (unsigned m : {1u, 3u})
		ASSERT_EQ(0, group_member_fail(g, m));
	turns(50);
	for (uint64_t p = 0; p < 8; p++)
		ASSERT_EQ(0, write(p * kMiB, pattern(128 << 10, (uint32_t)p)));
	spoil(0, 65536);
	for (unsigned m : {1u, 3u}) {
		int ret = -EBUSY;

		until([&] {
			return ret == 0 || (ret = group_member_return(g, m, drives[m], text, sizeof(text))) == 0;
		});
	}
	until([&] { return state(3) == GROUP_MEMBER_IN_SYNC; });
	turns(100);
	EXPECT_EQ(GROUP_MEMBER_STALE, state(1)) << "it has old bytes where the other cannot be read";
	EXPECT_EQ(1u, status().regions_bad);
	read(131072, 4096, -EIO);
	EXPECT_EQ(medium(2), medium(3));
	/* Once hosts wrote those blocks, all is well. */
	EXPECT_EQ(0, write(131072, pattern(4096, 50)));
	for (int i = 0; i < 75; i++) {
		turn(1000 * STRAKE_NS_PER_MS);
		turns(20);
	}
	EXPECT_EQ(GROUP_MEMBER_IN_SYNC, state(1));
	EXPECT_EQ(medium(0), medium(1));
}

/* Both halves of the only copy gone while a resynchronisation would run: no endless round of tries. */
TEST_F(Mend, ResyncOfAGroupThatIsGoneComesToRest)
{
	bytes a = pattern(4096, 1);

	unequal(kMiB, a, a);
	up({0, 1});
	power_disk_vanish(disks[0], true);
	power_disk_vanish(disks[1], true);
	turns(3000);
	power_figures f, then;

	power_disk_figures(disks[0], &f);
	turns(200);
	power_disk_figures(disks[0], &then);
	EXPECT_GT(20u, then.failed - f.failed);
	power_disk_vanish(disks[0], false);
	power_disk_vanish(disks[1], false);
}

} // namespace
