/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Members through every change of state, and resynchronisation. */

#include "group_rig.h"

namespace
{

class Member : public GroupRig
{
      protected:
	/* What all superblocks of disk i say, newest copy. */
	std::unique_ptr<super>
	on_disk(unsigned i)
	{
		bytes page(SUPER_BYTES);
		auto best = std::make_unique<super>(), s = std::make_unique<super>();

		best->seq = 0;
		for (unsigned copy = 0; copy < 2; copy++) {
			power_disk_peek(disks[i], super_copy_off(copy), page.data(), page.size());
			if (super_decode(s.get(), page.data()) == 0 && s->seq > best->seq)
				*best = *s;
		}
		return best;
	}
};

TEST_F(Member, IsMissingAfterAFailedWriteAndTheHostSeesNoError)
{
	power_fault bad = {1u << STRAKE_IO_WRITE, SUPER_DATA_OFF + kMiB, 4096, 0, 1, -EIO};
	bytes in = pattern(4096, 1);

	make_disks(2);
	up({0, 1});
	uint64_t before_gen = status().generation;

	power_disk_fault(disks[1], &bad);
	EXPECT_EQ(0, write(kMiB, in));
	EXPECT_EQ(GROUP_MEMBER_MISSING, state(1));
	EXPECT_EQ(GROUP_MEMBER_IN_SYNC, state(0));
	EXPECT_EQ(before_gen + 1, status().generation);
	EXPECT_EQ(before_gen + 1, on_disk(0)->generation);
	EXPECT_EQ(GROUP_MEMBER_MISSING, on_disk(0)->member[1].state);
	EXPECT_EQ(before_gen, on_disk(1)->generation) << "nothing is written to it any more";
	EXPECT_TRUE(drives[1]->failed);
	EXPECT_EQ(in, read(kMiB, 4096));
	EXPECT_EQ(0, write(kMiB, pattern(4096, 2)));
	EXPECT_EQ(1u, status().degraded_writes);
}

/* The rule of rules: when the acknowledgement comes, the survivor already says that the other is missing. */
TEST_F(Member, SurvivorKnowsBeforeTheFirstDegradedAcknowledgement)
{
	for (unsigned delay = 0; delay < 8; delay++) {
		Op op;
		bytes in = pattern(4096, 1);

		disk_conf.delay_turns = delay;
		make_disks(2, delay);
		up({(unsigned)disks.size() - 2, (unsigned)disks.size() - 1});
		ASSERT_EQ(0, write(0, in));
		power_disk_vanish(disks.back(), true);
		begin(op, STRAKE_OP_WRITE, 0, 4096, &in);
		op.then = [&](Op &) {
			auto s = on_disk((unsigned)disks.size() - 2);

			EXPECT_EQ(GROUP_MEMBER_MISSING, s->member[1].state);
		};
		until([&] { return op.done; });
		EXPECT_EQ(0, op.status);
		stop();
		power_disk_vanish(disks.back(), false);
	}
}

TEST_F(Member, IsLostOnReadIfTheDriveIsGone)
{
	bytes in = pattern(4096, 1);

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(0, in));
	power_disk_vanish(disks[0], true);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(in, read(0, 4096));
	for (int i = 0; i < 20 && state(0) == GROUP_MEMBER_IN_SYNC; i++)
		read((uint64_t)i * 131072, 4096);
	turns(20);
	EXPECT_EQ(GROUP_MEMBER_MISSING, state(0));
}

TEST_F(Member, IsLostOnAFailedFlush)
{
	power_fault bad = {1u << STRAKE_IO_FLUSH, 0, 0, 0, 1, -EIO};

	make_disks(2);
	up({0, 1});
	power_disk_fault(disks[0], &bad);
	EXPECT_EQ(0, flush());
	EXPECT_EQ(GROUP_MEMBER_MISSING, state(0));
}

TEST_F(Member, LastHalfIsNotGivenUpForAHostsError)
{
	power_fault bad = {1u << STRAKE_IO_WRITE, SUPER_DATA_OFF, 4096, 0, 0, -EIO};
	bytes in = pattern(4096, 1);

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, group_member_fail(g, 0));
	turns(20);
	EXPECT_EQ(-EBUSY, group_member_fail(g, 1));
	EXPECT_EQ(-EALREADY, group_member_fail(g, 0));
	power_disk_fault(disks[1], &bad);
	EXPECT_EQ(-EIO, write(0, in));
	EXPECT_EQ(GROUP_MEMBER_IN_SYNC, state(1));
	EXPECT_EQ(0, write(8192, in));
	EXPECT_EQ(in, read(8192, 4096));
}

TEST_F(Member, BothHalvesFailingOneWriteIsAnError)
{
	power_fault bad = {1u << STRAKE_IO_WRITE, SUPER_DATA_OFF, 4096, 0, 0, -EIO};
	bytes in = pattern(4096, 1);

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(8192, in));
	power_disk_fault(disks[0], &bad);
	power_disk_fault(disks[1], &bad);
	EXPECT_EQ(-EIO, write(0, in));
	EXPECT_EQ(in, read(8192, 4096));
	EXPECT_EQ(0, write(8192, in));
}

TEST_F(Member, NothingIsAcknowledgedWhenAllAreGone)
{
	bytes in = pattern(4096, 1);

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(0, in));
	power_disk_vanish(disks[0], true);
	power_disk_vanish(disks[1], true);
	EXPECT_EQ(-ENODEV, write(0, in));
	read(0, 4096, -ENODEV);
	EXPECT_EQ(-ENODEV, flush());
	power_disk_vanish(disks[0], false);
	power_disk_vanish(disks[1], false);
}

TEST_F(Member, ComesBackWithOnlyWhatChanged)
{
	bytes a = pattern(4096, 1), b = pattern(4096, 2);
	strake_drive *d;
	char text[200] = "";

	make_disks(2);
	up({0, 1});
	for (uint64_t p = 0; p < 4; p++)
		ASSERT_EQ(0, write(p * kMiB, a));
	for (int i = 0; i < 20; i++) {
		turn(1000 * STRAKE_NS_PER_MS);
		turns(20);
	}
	EXPECT_EQ(0u, status().regions_dirty);
	ASSERT_EQ(0, group_member_fail(g, 1));
	turns(30);
	EXPECT_EQ(GROUP_MEMBER_MISSING, state(1));
	EXPECT_EQ(0, write(2 * kMiB, b));
	for (int i = 0; i < 20; i++)
		turn(1000 * STRAKE_NS_PER_MS);
	EXPECT_EQ(1u, status().regions_dirty) << "nothing is forgotten while a member is missing";
	EXPECT_NE(medium(0), medium(1));
	group_member_get(g, 1, &d);
	EXPECT_EQ(-EBUSY, group_member_return(g, 0, d, text, sizeof(text)));
	ASSERT_EQ(0, group_member_return(g, 1, d, text, sizeof(text))) << text;
	until([&] { return state(1) == GROUP_MEMBER_STALE; });
	resynced();
	EXPECT_EQ(GROUP_MEMBER_IN_SYNC, state(1));
	EXPECT_EQ(medium(0), medium(1));
	EXPECT_EQ(kMiB, status().resync_bytes);
	EXPECT_EQ(GROUP_MEMBER_IN_SYNC, on_disk(1)->member[1].state);
	EXPECT_EQ(on_disk(0)->generation, on_disk(1)->generation);
}

/* Closed while hosts go on, and opened again: still only what changed is copied. */
TEST_F(Member, LetsGoOfADriveUnderLoad)
{
	char text[200] = "";
	strake_drive *d;

	make_disks(2);
	up({0, 1});
	for (uint64_t p = 0; p < 4; p++)
		ASSERT_EQ(0, write(p * kMiB, pattern(4096, 1)));
	for (int i = 0; i < 20; i++) {
		turn(1000 * STRAKE_NS_PER_MS);
		turns(20);
	}
	EXPECT_EQ(-EBUSY, group_member_forget(g, 1)) << "in service";
	ASSERT_EQ(0, group_member_fail(g, 1));
	until([&] {
		int ret = group_member_forget(g, 1);

		EXPECT_TRUE(ret == 0 || ret == -EAGAIN) << ret;
		return ret == 0;
	});
	group_member_get(g, 1, &d);
	EXPECT_EQ(nullptr, d);
	pull(1);
	EXPECT_EQ(0, write(2 * kMiB, pattern(4096, 2)));
	EXPECT_EQ(pattern(4096, 2), read(2 * kMiB, 4096));
	ASSERT_NE(nullptr, plug(1));
	ASSERT_EQ(1, group_member_vacant(g, drives[1]));
	ASSERT_EQ(0, group_member_return(g, 1, drives[1], text, sizeof(text))) << text;
	EXPECT_EQ(-EAGAIN, group_member_forget(g, 1)) << "on its way back";
	until([&] { return state(1) == GROUP_MEMBER_STALE; });
	resynced();
	EXPECT_EQ(-EBUSY, group_member_forget(g, 1));
	EXPECT_EQ(medium(0), medium(1));
	EXPECT_EQ(kMiB, status().resync_bytes);
}

TEST_F(Member, IsReplacedByABlankDriveAndCopiedWhole)
{
	char text[200] = "";

	conf.raid = CONF_RAID10;
	make_disks(4);
	up({0, 1, 2, 3});
	for (uint64_t p = 0; p < 8; p++)
		ASSERT_EQ(0, write(p * kMiB, pattern(128 << 10, (uint32_t)p)));
	power_disk_vanish(disks[3], true);
	ASSERT_EQ(0, write(65536, pattern(4096, 77)));
	EXPECT_EQ(GROUP_MEMBER_MISSING, state(3));
	make_disks(1);
	plug(4);
	ASSERT_EQ(0, group_member_return(g, 3, drives[4], text, sizeof(text))) << text;
	until([&] { return state(3) == GROUP_MEMBER_STALE; });
	EXPECT_EQ(0, write(3 * kMiB, pattern(128 << 10, 78))) << "while it is copied";
	resynced();
	EXPECT_EQ(GROUP_MEMBER_IN_SYNC, state(3));
	EXPECT_EQ(medium(2), medium(4));
	EXPECT_EQ(medium(0), medium(1));
	stop();
	conf.n_drives = 4;
	up({4, 0, 1, 2});
	EXPECT_EQ(pattern(4096, 77), read(65536, 4096));
	stop();
	/* The one it replaced is no member any more. */
	power_disk_vanish(disks[3], false);
	EXPECT_LT(open({0, 1, 2, 3}), 0);
	EXPECT_NE(std::string::npos, err.find("d3")) << err;
	for (auto *d : drives)
		EXPECT_EQ(nullptr, d);
}

TEST_F(Member, ADriveThatIsNotBlankDoesNotBecomeOne)
{
	char text[200] = "";
	bytes junk = pattern(512, 1);

	make_disks(3);
	conf.n_drives = 2;
	power_disk_poke(disks[2], disk_bytes - 512, junk.data(), 512);
	up({0, 1});
	ASSERT_EQ(0, group_member_fail(g, 1));
	turns(30);
	plug(2);
	ASSERT_EQ(0, group_member_return(g, 1, drives[2], text, sizeof(text)));
	turns(100);
	EXPECT_EQ(GROUP_MEMBER_MISSING, state(1));
	bytes still(512);

	power_disk_peek(disks[2], disk_bytes - 512, still.data(), 512);
	EXPECT_EQ(junk, still);
	power_disk_peek(disks[2], 0, still.data(), 512);
	EXPECT_EQ(bytes(512), still) << "nothing was written to it";
}

TEST_F(Member, FailsAgainWhileItIsCopied)
{
	char text[200] = "";

	disk_conf.delay_turns = 3;
	make_disks(2);
	up({0, 1});
	for (uint64_t p = 0; p < 4; p++)
		ASSERT_EQ(0, write(p * kMiB, pattern(4096, (uint32_t)p)));
	ASSERT_EQ(0, group_member_fail(g, 1));
	turns(50);
	ASSERT_EQ(0, write(kMiB, pattern(4096, 9)));
	ASSERT_EQ(0, group_member_return(g, 1, drives[1], text, sizeof(text)));
	until([&] { return status().resync_bytes > 0; });
	power_disk_vanish(disks[1], true);
	until([&] { return state(1) == GROUP_MEMBER_MISSING; });
	EXPECT_EQ(pattern(4096, 9), read(kMiB, 4096));
	turns(50);
	power_disk_vanish(disks[1], false);
	ASSERT_EQ(0, group_member_return(g, 1, drives[1], text, sizeof(text))) << text;
	until([&] { return state(1) == GROUP_MEMBER_STALE; });
	resynced();
	EXPECT_EQ(GROUP_MEMBER_IN_SYNC, state(1));
	EXPECT_EQ(medium(0), medium(1));
}

/* A source block that cannot be read must not become good bytes elsewhere. */
TEST_F(Member, IsNotCalledInSyncWhenTheSourceCannotBeRead)
{
	power_fault bad = {1u << STRAKE_IO_READ, SUPER_DATA_OFF + kMiB, 4096, 0, 0, -EIO};
	char text[200] = "";

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, group_member_fail(g, 1));
	turns(50);
	ASSERT_EQ(0, write(kMiB, pattern(4096, 9)));
	power_disk_fault(disks[0], &bad);
	ASSERT_EQ(0, group_member_return(g, 1, drives[1], text, sizeof(text)));
	turns(500);
	EXPECT_EQ(GROUP_MEMBER_STALE, state(1));
	read(kMiB, 4096, -EIO);
	power_disk_no_faults(disks[0]);
	for (int i = 0; i < 75; i++)
		turn(1000 * STRAKE_NS_PER_MS);
	resynced();
	EXPECT_EQ(GROUP_MEMBER_IN_SYNC, state(1));
	EXPECT_EQ(pattern(4096, 9), read(kMiB, 4096));
}

/* The same rule for a member that is being copied: else it could be called in sync, for a moment, without the write. */
TEST_F(Member, FailedWriteOfAStaleOneWaitsForMainToo)
{
	power_fault unread = {1u << STRAKE_IO_READ, SUPER_DATA_OFF + kMiB, 4096, 0, 0, -EIO};
	power_fault unwritten = {1u << STRAKE_IO_WRITE, SUPER_DATA_OFF, 4096, 0, 0, -EIO};
	bytes in = pattern(4096, 2);
	char text[200] = "";
	Op op;

	disk_conf.delay_turns = 8;
	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, group_member_fail(g, 1));
	turns(50);
	ASSERT_EQ(0, write(kMiB, pattern(4096, 9)));
	power_disk_fault(disks[0], &unread);
	ASSERT_EQ(0, group_member_return(g, 1, drives[1], text, sizeof(text)));
	turns(500);
	ASSERT_EQ(GROUP_MEMBER_STALE, state(1));
	ASSERT_EQ(0, write(0, pattern(4096, 1)));
	power_disk_fault(disks[1], &unwritten);
	begin(op, STRAKE_OP_WRITE, 0, 4096, &in);
	op.then = [&](Op &) { EXPECT_EQ(GROUP_MEMBER_MISSING, on_disk(0)->member[1].state); };
	until([&] { return op.done; });
	EXPECT_EQ(0, op.status);
}

/* Writes by hosts, on both lcores, all through failures and copies: at the end all halves are equal and right. */
TEST_F(Member, HostsWriteThroughItAll)
{
	for (uint32_t seed = 1; seed <= 6; seed++) {
		std::mt19937 rnd(seed);
		std::vector<uint32_t> version(1024, UINT32_MAX); /* by 8 KiB block */
		std::vector<std::unique_ptr<Op>> ops(1024);
		std::vector<unsigned> ours;
		char text[200] = "";
		uint32_t next = 0;

		disk_conf.delay_turns = seed % 4;
		conf.raid = CONF_RAID10;
		conf.chunk = 4096u << seed % 4;
		unsigned first = (unsigned)disks.size();

		make_disks(4, seed);
		for (unsigned i = 0; i < 4; i++)
			ours.push_back(first + i);
		up(ours);
		for (int i = 0; i < 6000; i++) {
			unsigned b = rnd() % 1024;

			if (ops[b] == nullptr || ops[b]->done) {
				if (ops[b] != nullptr) {
					ASSERT_EQ(0, ops[b]->status);
				}
				bytes in = pattern(8192, ++next);

				version[b] = next;
				ops[b] = std::make_unique<Op>();
				begin(*ops[b], STRAKE_OP_WRITE, b * 8192ull, 8192, &in, 0, (uint16_t)(1 + b % 2));
			}
			if (i % 3 == 0)
				turn();
			if (i == 1000) {
				ASSERT_EQ(0, group_member_fail(g, 1));
			}
			if (i == 2000) {
				ASSERT_EQ(0, group_member_return(g, 1, drives[ours[1]], text, sizeof(text))) << text;
			}
			if (i == 4000 && state(1) == GROUP_MEMBER_IN_SYNC) {
				ASSERT_EQ(0, group_member_fail(g, 0));
			}
		}
		until([&] { return inflight == 0; });
		if (state(0) == GROUP_MEMBER_MISSING) {
			ASSERT_EQ(0, group_member_return(g, 0, drives[ours[0]], text, sizeof(text))) << text;
		}
		turns(50);
		resynced();
		for (unsigned b = 0; b < 1024; b++) {
			if (version[b] != UINT32_MAX) {
				ASSERT_EQ(pattern(8192, version[b]), read(b * 8192ull, 8192)) << "seed " << seed;
			}
		}
		EXPECT_EQ(medium(ours[0]), medium(ours[1])) << seed;
		EXPECT_EQ(medium(ours[2]), medium(ours[3])) << seed;
		stop();
	}
}

} // namespace
