/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What assembles, and what is refused. */

#include "group_rig.h"

namespace
{

class Assemble : public GroupRig
{
      protected:
	void
	refused(const std::vector<unsigned> &order, const char *names)
	{
		EXPECT_LT(open(order), 0);
		EXPECT_NE(std::string::npos, err.find(names)) << err;
		EXPECT_EQ(std::string::npos, err.find('\n'));
		EXPECT_NE(std::string::npos, err.find("group \"g0\"")) << err;
	}
};

TEST_F(Assemble, AnyOrderOfDrives)
{
	std::vector<unsigned> order = {0, 1, 2, 3};
	bytes in = pattern(128 << 10, 1);
	uint8_t uuid[16];

	conf.raid = CONF_RAID10;
	make_disks(4);
	up(order);
	ASSERT_EQ(0, write(0, in));
	memcpy(uuid, status().uuid, 16);
	stop();
	do {
		up(order);
		ASSERT_EQ(in, read(0, 128 << 10));
		EXPECT_EQ(0, memcmp(uuid, status().uuid, 16));
		EXPECT_EQ(0u, status().regions_dirty) << "clean";
		EXPECT_EQ(0u, status().regions_resync);
		stop();
	} while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(Assemble, ForeignSuperblockIsNamed)
{
	make_disks(4);
	conf.n_drives = 2;
	up({0, 1});
	stop();
	conf.name = "other";
	up({2, 3});
	stop();
	conf.name = "g0";
	refused({0, 3}, "\"d3\" belongs to group \"other\"");
	conf.name = "other";
	up({2, 3});
}

/* What a drive says is printed, but not obeyed by the terminal. */
TEST_F(Assemble, NameOnADriveIsOneLine)
{
	auto s = std::make_unique<super>();
	bytes page(SUPER_BYTES);

	make_disks(2);
	up({0, 1});
	stop();
	for (unsigned copy = 0; copy < 2; copy++) {
		power_disk_peek(disks[0], super_copy_off(copy), page.data(), page.size());
		ASSERT_EQ(0, super_decode(s.get(), page.data()));
		strcpy(s->name, "x\n\033[2Jy");
		super_encode(s.get(), page.data());
		power_disk_poke(disks[0], super_copy_off(copy), page.data(), page.size());
	}
	refused({0, 1}, "belongs to group \"x??[2Jy\"");
}

TEST_F(Assemble, TwoGroupsOfOneName)
{
	make_disks(4);
	conf.n_drives = 2;
	up({0, 1});
	stop();
	up({2, 3});
	stop();
	refused({0, 3}, "different groups");
}

TEST_F(Assemble, ForeignDataIsNamedAndLeftAlone)
{
	struct {
		uint64_t off;
		const char *bytes, *word;
	} cases[] = {{1080, "\x53\xef", "ext"},	    {0, "XFSB", "XFS"},
		     {512, "EFI PART", "GPT"},	    {700000, "x", "data"},
		     {disk_bytes - 1, "x", "data"}, {disk_bytes - kMiB, "x", "data"}};

	make_disks(1);
	for (auto &c : cases) {
		make_disks(1);
		conf.n_drives = 2;
		power_disk_poke(disks.back(), c.off, c.bytes, strlen(c.bytes));
		refused({0, (unsigned)disks.size() - 1}, c.word);
		EXPECT_NE(std::string::npos, err.find("\"d" + std::to_string(disks.size() - 1) + "\"")) << err;
	}
	bytes head(4096);

	power_disk_peek(disks[0], 0, head.data(), head.size());
	EXPECT_EQ(bytes(4096), head) << "the blank one was not touched either";
}

TEST_F(Assemble, BlankDrivesOnlyIfAllowed)
{
	make_disks(2);
	conf.create = false;
	refused({0, 1}, "create");
}

TEST_F(Assemble, NotFromHalfOfTheDrives)
{
	make_disks(2);
	refused({0}, "only 1 of 2");
}

TEST_F(Assemble, Raid0NeedsAll)
{
	conf.raid = CONF_RAID0;
	make_disks(3);
	up({0, 1, 2});
	stop();
	refused({0, 2}, "\"S1\", is missing");
	up({2, 1, 0});
}

TEST_F(Assemble, TooSmall)
{
	make_disks(1);
	disk_bytes = 2 * kMiB;
	make_disks(1);
	conf.n_drives = 2;
	refused({0, 1}, "\"d1\" is too small");
}

TEST_F(Assemble, ConfigurationDisagrees)
{
	make_disks(2);
	up({0, 1});
	stop();
	conf.raid = CONF_RAID0;
	refused({0, 1}, "RAID 1 on its drives");
	conf.raid = CONF_RAID1;
	conf.chunk = 4096;
	refused({0, 1}, "chunks of");
	conf.region = 3 * kMiB;
	refused({0, 1}, "power of two");
}

TEST_F(Assemble, MirrorStartsDegradedAfterACleanStop)
{
	bytes in = pattern(4096, 1);

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(0, in));
	stop();
	up({1});
	EXPECT_EQ(GROUP_MEMBER_MISSING, state(0));
	EXPECT_EQ(in, read(0, 4096));
	ASSERT_EQ(0, write(kMiB, pattern(4096, 2)));
	stop();
	up({0, 1});
	resynced();
	EXPECT_EQ(GROUP_MEMBER_IN_SYNC, state(0));
	EXPECT_EQ(medium(0), medium(1));
	EXPECT_EQ(pattern(4096, 2), medium(0, kMiB, 4096));
}

TEST_F(Assemble, BothHalvesMissing)
{
	conf.raid = CONF_RAID10;
	make_disks(4);
	up({0, 1, 2, 3});
	stop();
	refused({0, 1}, "\"S2\", is missing");
}

/* Disk 1 fails, disk 0 goes on. Whatever happens then, disk 1 is never read as it is. */
TEST_F(Assemble, StaleHalfNeverAlone)
{
	for (bool clean : {false, true}) {
		unsigned a = (unsigned)disks.size(), b = a + 1;

		make_disks(2);
		up({a, b});
		ASSERT_EQ(0, write(0, pattern(4096, 1)));
		ASSERT_EQ(0, group_member_fail(g, 1));
		turns(30);
		ASSERT_EQ(0, write(0, pattern(4096, 2)));
		ASSERT_EQ(0, flush());
		if (clean)
			stop();
		else
			crash();
		EXPECT_LT(open({b}), 0) << "the stale half alone";
		EXPECT_NE(std::string::npos, err.find("S" + std::to_string(a))) << err;
		up({b, a});
		EXPECT_EQ(pattern(4096, 2), read(0, 4096));
		resynced();
		EXPECT_EQ(medium(a), medium(b));
		stop();
		up({b});
		EXPECT_EQ(pattern(4096, 2), read(0, 4096)) << "and now it is as good as the other";
		stop();
	}
}

TEST_F(Assemble, StaleHalfOfAMemberKnownAsStale)
{
	char text[200];

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, group_member_fail(g, 1));
	turns(30);
	ASSERT_EQ(0, write(0, pattern(4096, 2)));
	power_fault slow = {1u << STRAKE_IO_READ, SUPER_DATA_OFF, 65536, 0, 0, -EIO};

	power_disk_fault(disks[0], &slow);
	ASSERT_EQ(0, group_member_return(g, 1, drives[1], text, sizeof(text)));
	until([&] { return state(1) == GROUP_MEMBER_STALE; });
	turns(50);
	power_disk_no_faults(disks[0]);
	stop();
	refused({1}, "is missing, and its other half is stale");
	up({0, 1});
	resynced();
	EXPECT_EQ(medium(0), medium(1));
}

/* After an unclean stop a half cannot know whether the absent one went on: the operator has to say so. */
TEST_F(Assemble, UncleanHalfAloneOnlyByTheOperatorsWord)
{
	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(0, pattern(4096, 1), STRAKE_UNIT_FUA));
	crash();
	refused({0}, "not stopped in order");
	EXPECT_NE(std::string::npos, err.find("\"S1\"")) << err;
	conf.n_drives = 1;
	up({0});
	EXPECT_EQ(pattern(4096, 1), read(0, 4096));
	ASSERT_EQ(0, write(0, pattern(4096, 2)));
	stop();
	conf.n_drives = 2;
	up({0, 1});
	EXPECT_EQ(pattern(4096, 2), read(0, 4096));
}

/* In RAID 10 a complete pair knows the newest generation, so the other pair may start with one half. */
TEST_F(Assemble, CompletePairVouchesForTheOthers)
{
	conf.raid = CONF_RAID10;
	make_disks(4);
	up({0, 1, 2, 3});
	ASSERT_EQ(0, write(0, pattern(4096, 1), STRAKE_UNIT_FUA));
	crash();
	up({0, 2, 3});
	EXPECT_EQ(pattern(4096, 1), read(0, 4096));
	crash();
	refused({1, 2}, "\"S0\", is missing, and its other half is stale");
}

TEST_F(Assemble, HalfOfEachPairDoesNot)
{
	conf.raid = CONF_RAID10;
	make_disks(4);
	up({0, 1, 2, 3});
	ASSERT_EQ(0, write(0, pattern(4096, 1), STRAKE_UNIT_FUA));
	crash();
	refused({1, 2}, "not stopped in order");
	up({0, 1, 2, 3});
	EXPECT_EQ(pattern(4096, 1), read(0, 4096));
}

TEST_F(Assemble, HalvesThatEachWentOnAlone)
{
	make_disks(2);
	up({0, 1});
	stop();
	for (unsigned i = 0; i < 2; i++) {
		up({i});
		ASSERT_EQ(0, write(0, pattern(4096, i)));
		stop();
	}
	refused({0, 1}, "each went on without the other");
}

TEST_F(Assemble, SurvivesADamagedCopy)
{
	bytes junk = pattern(4096, 1);

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(0, junk));
	stop();
	for (unsigned copy = 0; copy < 2; copy++) {
		power_disk_poke(disks[copy], super_copy_off(copy) + 8192, junk.data(), junk.size());
		up({0, 1});
		EXPECT_EQ(junk, read(0, 4096));
		resynced();
		EXPECT_EQ(medium(0), medium(1));
		stop();
	}
	for (unsigned copy = 0; copy < 2; copy++)
		power_disk_poke(disks[1], super_copy_off(copy) + 8192, junk.data(), junk.size());
	refused({0, 1}, "\"d1\" is not blank: it holds a damaged Strake group");
}

TEST_F(Assemble, DamagedDirtyMapMeansAllDirty)
{
	bytes junk = pattern(4096, 1);

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(0, junk));
	crash();
	for (unsigned i = 0; i < 4; i++)
		power_disk_poke(disks[i / 2], dirty_copy_off(0, i % 2), junk.data(), 512);
	up({0, 1});
	EXPECT_EQ(status().regions, status().regions_dirty);
	resynced();
	EXPECT_EQ(medium(0), medium(1));
}

TEST_F(Assemble, BlankDriveTakesTheMissingPlace)
{
	make_disks(3);
	conf.n_drives = 2;
	up({0, 1});
	ASSERT_EQ(0, write(0, pattern(4096, 1)));
	stop();
	refused({0, 1, 2}, "\"d2\" is blank, and no member's place is free");
	up({0, 2});
	EXPECT_EQ(GROUP_MEMBER_STALE, state(1));
	EXPECT_EQ(pattern(4096, 1), read(0, 4096));
	resynced();
	EXPECT_EQ(medium(0), medium(2));
	stop();
	up({2, 0});
	EXPECT_EQ(0u, status().regions_resync);
}

TEST_F(Assemble, ExtentsAreKept)
{
	struct group_extent a, b, c;
	char text[300];

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, group_extent(g, "v0", kMiB + 4096, nullptr, &a, text, sizeof(text))) << text;
	ASSERT_EQ(0, group_extent(g, "v1", kMiB, nullptr, &b, text, sizeof(text))) << text;
	EXPECT_EQ(0u, a.place);
	EXPECT_EQ(2 * kMiB, b.place);
	EXPECT_EQ(kMiB, group_bytes_free(g));
	EXPECT_EQ(-EINVAL, group_extent(g, "v0", kMiB, nullptr, &c, text, sizeof(text)));
	EXPECT_EQ(-ENOSPC, group_extent(g, "v2", 2 * kMiB, nullptr, &c, text, sizeof(text)));
	EXPECT_NE(nullptr, strstr(text, "v2"));
	crash();
	up({1, 0});
	ASSERT_EQ(0, group_extent(g, "v1", kMiB, nullptr, &c, text, sizeof(text))) << text;
	EXPECT_EQ(0, memcmp(&b, &c, sizeof(b)));
}

TEST_F(Assemble, ExtentsGrowWhereThereIsRoom)
{
	struct group_extent a, b;
	char text[300];

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, group_extent(g, "v0", kMiB / 2, nullptr, &a, text, sizeof(text))) << text;
	ASSERT_EQ(0, group_extent(g, "v1", kMiB, nullptr, &b, text, sizeof(text))) << text;
	EXPECT_EQ(-ENOENT, group_extent_resize(g, "v2", kMiB, text, sizeof(text)));
	EXPECT_EQ(-ENOSPC, group_extent_resize(g, "v0", kMiB + 4096, text, sizeof(text)));
	EXPECT_NE(nullptr, strstr(text, "v0")) << text;
	EXPECT_EQ(0, group_extent_resize(g, "v0", kMiB, text, sizeof(text))) << text;
	EXPECT_EQ(0, group_extent_resize(g, "v1", 3 * kMiB, text, sizeof(text))) << text;
	EXPECT_EQ(-ENOSPC, group_extent_resize(g, "v1", 3 * kMiB + 4096, text, sizeof(text)));
	EXPECT_EQ(-ENOSPC, group_extent_resize(g, "v1", UINT64_MAX, text, sizeof(text)));
	EXPECT_EQ(0u, group_bytes_free(g));
	EXPECT_EQ(0, group_extent_resize(g, "v1", 4096, text, sizeof(text))) << text;
	crash();
	up({1, 0});
	ASSERT_EQ(0, group_extent(g, "v0", kMiB, nullptr, &a, text, sizeof(text))) << text;
	ASSERT_EQ(0, group_extent(g, "v1", 4096, nullptr, &b, text, sizeof(text))) << text;
}

TEST_F(Assemble, OneDriveMakesNoNewMirror)
{
	make_disks(1);
	refused({0}, "1 drives");
	conf.raid = CONF_RAID10;
	refused({0}, "1 drives");
	make_disks(3);
	refused({0, 1, 2}, "3 drives");
}

/* What a new mirror is made equal with must be durable before a superblock says that it is one. */
TEST_F(Assemble, NewHalvesAreEqualAlsoAfterAPowerCut)
{
	bytes junk[2] = {pattern(4096, 1), pattern(4096, 2)};

	make_disks(2);
	for (unsigned i = 0; i < 2; i++)
		power_disk_poke(disks[i], SUPER_DATA_OFF + kMiB, junk[i].data(), 4096);
	up({0, 1});
	crash();
	up({0, 1});
	resynced();
	EXPECT_EQ(medium(0), medium(1));
}

TEST_F(Assemble, NewHalvesThatCannotBeZeroedAreCopied)
{
	power_fault bad = {1u << STRAKE_IO_WRITE_ZEROES, 0, 0, 0, 0, -EIO};
	bytes junk = pattern(4096, 1);

	make_disks(2);
	power_disk_poke(disks[1], SUPER_DATA_OFF + kMiB, junk.data(), 4096);
	power_disk_fault(disks[1], &bad);
	up({0, 1});
	EXPECT_EQ(bytes(4096), read(kMiB, 4096));
	resynced();
	EXPECT_EQ(medium(0), medium(1));
}

/* Power goes at each write of a new group's first superblocks, and again at each write of the next try: it is made in
 * the end, without anybody's hand, and what was written after it was made stays. */
TEST_F(Assemble, PowerCutAtEachStepOfTheMaking)
{
	struct {
		conf_raid raid;
		unsigned n;
	} kinds[] = {{CONF_RAID0, 3}, {CONF_RAID1, 2}, {CONF_RAID10, 4}};
	bytes in = pattern(4096, 1);

	for (auto &k : kinds) {
		bool made = false;

		conf.raid = k.raid;
		for (uint64_t cut = 1; !made; cut++) {
			std::vector<unsigned> ours;

			make_disks(k.n, cut);
			for (unsigned i = 0; i < k.n; i++)
				ours.push_back((unsigned)disks.size() - k.n + i);
			power_cut_at(ps, cut);
			int ret = open(ours);

			made = power_is_on(ps);
			ASSERT_EQ(made, ret == 0) << err;
			if (made)
				stop();
			power_restore(ps);
			/* A second one, somewhere else. */
			power_cut_at(ps, 1 + cut * 7 % 11);
			if (open(ours) == 0) {
				if (power_is_on(ps)) {
					power_cut(ps);
				}
				stop();
			}
			power_cut_at(ps, 0);
			power_restore(ps);
			ASSERT_EQ(0, open(ours)) << "RAID " << k.raid << " cut " << cut << ": " << err;
			start();
			ASSERT_EQ(0, write(0, in, STRAKE_UNIT_FUA));
			crash();
			up(ours);
			ASSERT_EQ(in, read(0, 4096)) << "cut " << cut;
			stop();
			for (unsigned i = 0; i < k.n; i++) {
				power_disk_free(disks.back());
				disks.pop_back();
				drives.clear();
			}
		}
	}
}

TEST_F(Assemble, MarkedForAnotherGroupIsRefused)
{
	make_disks(2);
	conf.name = "other";
	power_cut_at(ps, 8); /* after zeroes, flushes and marks */
	EXPECT_LT(open({0, 1}), 0);
	power_restore(ps);
	conf.name = "g0";
	bytes head(4096);

	power_disk_peek(disks[0], 0, head.data(), head.size());
	if (memcmp(head.data(), "STRAKEFM", 8) != 0)
		power_disk_peek(disks[1], 0, head.data(), head.size());
	ASSERT_EQ(0, memcmp(head.data(), "STRAKEFM", 8));
	for (unsigned i = 0; i < 2; i++)
		power_disk_poke(disks[i], 0, head.data(), head.size());
	refused({0, 1}, "being made a member of group \"other\"");
}

/* A drive that takes a missing place: cut at each write. */
TEST_F(Assemble, PowerCutAtEachStepOfAReplacement)
{
	bytes in = pattern(4096, 1);

	for (uint64_t cut = 1; cut < 14; cut++) {
		unsigned a = (unsigned)disks.size();

		conf.n_drives = 2;
		make_disks(2);
		up({a, a + 1});
		ASSERT_EQ(0, write(0, in, STRAKE_UNIT_FUA));
		stop();
		make_disks(1, cut);
		conf.n_drives = 2;
		power_cut_at(ps, cut);
		if (open({a, a + 2}) == 0) {
			start();
			turns(20);
			crash();
		}
		power_cut_at(ps, 0);
		power_restore(ps);
		ASSERT_EQ(0, open({a, a + 2})) << "cut " << cut << ": " << err;
		start();
		EXPECT_EQ(in, read(0, 4096));
		resynced();
		EXPECT_EQ(medium(a), medium(a + 2));
		stop();
		while (disks.size() > a) {
			power_disk_free(disks.back());
			disks.pop_back();
		}
		drives.clear();
	}
}

/* Many lcores and groups leave behind more messages than main takes in one turn. */
TEST_F(Assemble, CloseHearsAllLcoresOut)
{
	static unsigned heard;
	std::vector<strake_msg> others(500);

	heard = 0;
	make_disks(2);
	up({0, 1});
	turns(10);
	for (auto &m : others) {
		m.fn = [](strake_msg *) { heard++; };
		strake_msg_send(STRAKE_LCORE_MAIN, &m);
	}
	stop_now();
	EXPECT_EQ(500u, heard);
}

/* A drain that ran out of time: what may be half written is not called clean. */
TEST_F(Assemble, CloseWithAWriteUnderWayIsNotClean)
{
	bytes in = pattern(4096, 1);
	Op op;

	make_disks(2);
	up({0, 1});
	ASSERT_EQ(0, write(0, in));
	power_disk_hold(disks[1], true);
	begin(op, STRAKE_OP_WRITE, 0, 4096, &in);
	turns(20);
	ASSERT_FALSE(op.done);
	leave();
	turns(5);
	power_disk_hold(disks[1], false);
	until([&] { return op.done; });
	close();
	up({0, 1});
	EXPECT_LT(0u, status().regions_resync);
	resynced();
}

} // namespace
