/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Assembly, and power cuts at every write of superblocks and notes, while members are lost and come back. */

#include "log_rig.h"

namespace
{

class LogPower : public LogRig
{
      protected:
	void
	poke_super(unsigned disk, std::function<void(lgroup_super &)> bend)
	{
		std::vector<uint8_t> page(LOG_SUPER_BYTES);

		for (unsigned copy = 0; copy < 2; copy++) {
			lgroup_super s;

			power_disk_peek(disks[disk], lgroup_super_off(copy), page.data(), page.size());
			if (lgroup_super_decode(&s, page.data()) < 0)
				continue;
			bend(s);
			lgroup_super_encode(&s, page.data());
			power_disk_poke(disks[disk], lgroup_super_off(copy), page.data(), page.size());
		}
	}
};

TEST_F(LogPower, OpensInAnyOrderAndWithMissingDrives)
{
	conf.parity = 2;
	all_up(5);
	fill(3);
	ASSERT_EQ(0, simple(STRAKE_SPACE_FLUSH));
	ASSERT_EQ(0, note(0, "super"));
	stop();
	up({4, 2, 0, 1, 3});
	expect_filled(3);
	EXPECT_EQ("super", note(0));
	EXPECT_EQ("", note(3));
	stop();
	up({4, 1, 0});
	EXPECT_EQ(2u, status().missing);
	expect_filled(3);
	stop();
	EXPECT_EQ(-ENODEV, open({2, 3})) << "older than what the others know";
	EXPECT_EQ(-ENODEV, open({0, 1}));
	up({0, 1, 2, 3, 4});
	until([&] { return status().stale + status().missing == 0; });
	expect_filled(3);
}

TEST_F(LogPower, StaleColumnNeverAssemblesAsGood)
{
	/* One data, one parity: each half can serve alone, so who went on alone must be known. */
	conf.data = 1;
	conf.parity = 1;
	all_up(2);
	ASSERT_EQ(0, row(0, 0, data_of(0, 0)));
	ASSERT_EQ(0, simple(STRAKE_SPACE_FLUSH));
	power_disk_vanish(disks[0], true);
	ASSERT_EQ(0, row(0, 1, data_of(0, 1)));
	stop();
	power_disk_vanish(disks[0], false);
	EXPECT_EQ(-ENODEV, open({0})) << "it does not know what the other went on to do";
	EXPECT_NE(std::string::npos, err.find("may know newer data")) << err;
	up({0, 1});
	EXPECT_EQ(LOG_MEMBER_STALE, member(0).state);
	until([&] { return status().stale == 0; });
	power_disk_vanish(disks[1], true);
	EXPECT_EQ(data_of(0, 0), read(0, 0, sp->row_bytes));
	EXPECT_EQ(data_of(0, 1), read(0, sp->row_bytes, sp->row_bytes));
	power_disk_vanish(disks[1], false);
}

TEST_F(LogPower, RefusesWhatIsNotOurs)
{
	all_up(4);
	stop();
	make_disks(1);
	conf.n_drives = 4;
	EXPECT_EQ(-EEXIST, open({0, 1, 2, 3, 4}));
	EXPECT_NE(std::string::npos, err.find("no member's place is free")) << err;
	conf.name = "other";
	EXPECT_EQ(-EEXIST, open({0, 1, 2, 3}));
	EXPECT_NE(std::string::npos, err.find("belongs to group \"g0\"")) << err;
	conf.name = "g0";
	conf.parity = 0;
	EXPECT_EQ(-EINVAL, open({0, 1, 2, 3}));
	EXPECT_NE(std::string::npos, err.find("is 3+1 on its drives")) << err;
	conf.parity = 1;
	conf.segment = 32768;
	EXPECT_EQ(-EINVAL, open({0, 1, 2, 3}));
	conf.segment = 0;
	up({0, 1, 2, 3});
	stop();
	bytes junk = pattern(512, 3);

	power_disk_poke(disks[4], 0, junk.data(), junk.size());
	EXPECT_EQ(-EEXIST, open({0, 1, 2, 4}));
	EXPECT_NE(std::string::npos, err.find("not blank")) << err;
}

/* A member whose superblocks are both damaged is away, and not written to; erased, it can take its place again. */
TEST_F(LogPower, AMemberWithoutASuperblockIsLeftOut)
{
	bytes was(disk_bytes), is(disk_bytes), zeroes(kMiB);
	uint8_t bit;

	all_up(4);
	fill(2);
	ASSERT_EQ(0, note(2, "ours"));
	stop();
	for (unsigned copy = 0; copy < 2; copy++) {
		power_disk_peek(disks[1], lgroup_super_off(copy) + 8000, &bit, 1);
		bit ^= 1;
		power_disk_poke(disks[1], lgroup_super_off(copy) + 8000, &bit, 1);
	}
	power_disk_peek(disks[1], 0, was.data(), was.size());
	up({0, 1, 2, 3});
	EXPECT_EQ("", err);
	EXPECT_EQ(1u, status().missing);
	EXPECT_EQ(LOG_MEMBER_MISSING, member(1).state);
	expect_filled(2);
	ASSERT_EQ(0, row(2, 0, data_of(2, 0)));
	power_disk_peek(disks[1], 0, is.data(), is.size());
	EXPECT_EQ(was, is);
	EXPECT_EQ(-EEXIST, give(1, 1));
	EXPECT_NE(std::string::npos, err.find("not blank")) << err;
	power_disk_poke(disks[1], 0, zeroes.data(), zeroes.size());
	power_disk_poke(disks[1], disk_bytes - zeroes.size(), zeroes.data(), zeroes.size());
	ASSERT_EQ(0, give(1, 1)) << err;
	in_sync();
	stop();
	/* With one that is away besides it cannot be spared. */
	for (unsigned copy = 0; copy < 2; copy++)
		power_disk_poke(disks[1], lgroup_super_off(copy) + 8000, &bit, 1);
	EXPECT_EQ(-ENODEV, open({0, 1, 2}));
	up({0, 1, 2, 3});
	/* Nor is it in the way when another has its place. */
	make_disks(1);
	conf.n_drives = 4;
	ASSERT_EQ(0, give(1, 4)) << err;
	in_sync();
	stop();
	up({0, 1, 2, 3, 4});
	EXPECT_EQ(0u, status().missing);
	expect_filled(2);
}

/* Where half of the drives can serve alone, that half whose superblocks are damaged may have: nothing that is left on
 * the others tells one from the other, so both are refused, until the operator says which half is to go on. */
TEST_F(LogPower, HalfOfTheDrivesWithoutSuperblocksMayBeTheNewer)
{
	for (bool newer : {false, true}) {
		uint8_t bit;

		if (newer) {
			up({0, 1, 2, 3});
			until([&] { return status().stale + status().missing == 0; });
			for (unsigned i : {2, 3})
				power_disk_vanish(disks[i], true); /* at once: neither hears of the other */
			ASSERT_EQ(0, row(1, 0, data_of(1, 0)));
			EXPECT_EQ(2u, status().missing);
		} else {
			conf.data = 2;
			conf.parity = 2;
			all_up(4);
			fill(1);
		}
		ASSERT_EQ(0, simple(STRAKE_SPACE_FLUSH));
		stop();
		for (unsigned i : {2, 3})
			power_disk_vanish(disks[i], false);
		for (unsigned copy : {0, 1, 2, 3}) {
			power_disk_peek(disks[copy / 2], lgroup_super_off(copy % 2) + 8000, &bit, 1);
			bit ^= 1;
			power_disk_poke(disks[copy / 2], lgroup_super_off(copy % 2) + 8000, &bit, 1);
		}
		EXPECT_EQ(-ENODEV, open({0, 1, 2, 3}));
		EXPECT_NE(std::string::npos, err.find("may know newer data")) << err;
		for (const char *who : {"member 0 (serial", "has damaged superblocks, member 1 (serial"})
			EXPECT_NE(std::string::npos, err.find(who)) << err;
		EXPECT_EQ(std::string::npos, err.find("member 2")) << err;
		EXPECT_EQ(std::string::npos, err.find("missing")) << err;
		EXPECT_EQ(-ENODEV, open({2, 3})) << "two of four are listed";
		conf.n_drives = 2;
		up({2, 3});
		expect_filled(1);
		stop();
		conf.n_drives = 4;
		for (unsigned i : {0, 1}) {
			bytes zeroes(kMiB);

			power_disk_poke(disks[i], 0, zeroes.data(), zeroes.size());
			power_disk_poke(disks[i], disk_bytes - zeroes.size(), zeroes.data(), zeroes.size());
		}
	}
}

/* Sectors of a member's superblocks cannot be read. One copy is enough, and the other is written again, if the rest is
 * sure to know the newest; without both the member is away. */
TEST_F(LogPower, ASuperblockThatCannotBeReadIsWrittenAgain)
{
	all_up(4);
	fill(2);
	stop();
	for (unsigned copy = 0; copy < 2; copy++) {
		unreadable(1, lgroup_super_off(copy) + 1024, 512);
		for (unsigned i = 0; i < 2; i++) { /* the other copy may be the next to be written */
			up({0, 1, 2, 3});
			EXPECT_EQ("", err);
			EXPECT_EQ(0u, status().missing + status().stale);
			expect_filled(2);
			stop();
		}
	}
	for (unsigned copy = 0; copy < 2; copy++) {
		unreadable(1, lgroup_super_off(copy) + 1024, 512);
	}
	up({0, 1, 2, 3});
	EXPECT_EQ(LOG_MEMBER_MISSING, member(1).state);
	expect_filled(2);
}

/* One of two may have gone on alone, and say so in the copy that cannot be read. */
TEST_F(LogPower, ASuperblockThatCannotBeReadMayBeTheNewest)
{
	conf.data = 1;
	all_up(2);
	ASSERT_EQ(0, row(0, 0, data_of(0, 0)));
	lose(0);
	ASSERT_EQ(0, row(0, 1, data_of(0, 1)));
	stop();
	for (unsigned copy = 0; copy < 2; copy++) {
		unreadable(1, lgroup_super_off(copy), 512);
		EXPECT_EQ(-ENODEV, open({0, 1}));
		EXPECT_NE(std::string::npos, err.find("cannot be read")) << err;
		power_disk_no_faults(disks[1]);
	}
	up({0, 1});
	EXPECT_EQ(data_of(0, 1), read(0, sp->row_bytes, sp->row_bytes));
}

TEST_F(LogPower, HostileSuperblocksAreRefusedInOneLine)
{
	all_up(4);
	stop();
	std::vector<std::function<void(lgroup_super &)>> bends = {
		[](lgroup_super &s) { s.first = 3, s.data = 2, s.moved = 1000; },
		[](lgroup_super &s) {
			s.first = 3;
			s.data = 2;
		},
		[](lgroup_super &s) { s.index = 1; },
		[](lgroup_super &s) { s.member[0].slots = 1u << 26; },
		[](lgroup_super &s) { s.uuid[3] ^= 1; },
		[](lgroup_super &s) { s.member[1].uuid[3] ^= 1; },
		[](lgroup_super &s) {
			s.generation += 5;
			s.member[1].state = 2;
			s.member[2].slots *= 2;
		},
	};
	std::vector<std::vector<uint8_t>> sound(4, std::vector<uint8_t>(2 * LOG_SUPER_BYTES));

	for (unsigned i = 0; i < 4; i++)
		power_disk_peek(disks[i], 0, sound[i].data(), sound[i].size());
	for (size_t b = 0; b < bends.size(); b++) {
		poke_super(0, [&](lgroup_super &s) {
			s.generation++;
			bends[b](s);
		});
		if (open({0, 1, 2, 3}) == 0) {
			log_group_close(g);
			g = nullptr;
			for (unsigned i = 0; i < 4; i++)
				pull(i);
			ADD_FAILURE() << "bend " << b;
		}
		EXPECT_FALSE(err.empty());
		EXPECT_EQ(std::string::npos, err.find('\n'));
		for (unsigned i = 0; i < 4; i++)
			power_disk_poke(disks[i], 0, sound[i].data(), sound[i].size());
	}
	up({0, 1, 2, 3});
}

/* A group being made loses power at each write: it is made again, or it is there. */
TEST_F(LogPower, CutAtEveryWriteOfCreation)
{
	for (uint64_t nth = 1; nth < 40; nth++) {
		make_disks(4, nth);
		power_cut_at(ps, nth);
		int ret = open({0, 1, 2, 3});
		bool whole = power_is_on(ps);

		if (ret == 0) {
			log_group_close(g);
			g = nullptr;
			for (unsigned i = 0; i < 4; i++)
				pull(i);
		}
		power_restore(ps);
		up({0, 1, 2, 3});
		ASSERT_EQ(0, row(0, 0, data_of(0, 0))) << "cut at " << nth;
		EXPECT_EQ(data_of(0, 0), read(0, 0, sp->row_bytes));
		until([&] { return status().stale == 0; });
		stop();
		drop_disks();
		rows.clear();
		if (whole)
			return;
	}
	FAIL() << "never got through";
}

/* As many drives as can be spared go while a note is written: the second only when it is written once more, without the
 * first. */
TEST_F(LogPower, ANoteIsWrittenThoughDrivesGoOneAfterTheOther)
{
	for (uint16_t parity = 1; parity <= 3; parity++) {
		conf.parity = parity;
		all_up(3 + parity);
		ASSERT_EQ(0, note(0, "before"));
		for (unsigned i = 0; i < parity; i++) {
			power_fault f = {};

			f.ops = 1u << STRAKE_IO_WRITE;
			f.off = LOG_NOTES_OFF;
			f.len = lgroup_note_off(1, 0) - LOG_NOTES_OFF;
			f.skip = i;
			f.status = -EIO;
			power_disk_fault(disks[i], &f);
		}
		EXPECT_EQ(0, note(0, "after")) << "parity " << parity;
		EXPECT_EQ("after", note(0));
		EXPECT_EQ(parity, status().missing);
		stop();
		drop_disks();
	}
}

/* Notes, a loss, a return: cut at each write. Every note is the old or the new one, whole; what was flushed is there.
 */
TEST_F(LogPower, CutAtEveryWriteOfNotesAndSuperblocks)
{
	bool through = false;

	for (uint64_t nth = 1; nth < 400 && !through; nth++) {
		int acked = 0;
		bool degraded_acked = false;

		disk_conf.delay_turns = (uint32_t)(nth % 3);
		conf.parity = 1;
		all_up(4);
		fill(2);
		ASSERT_EQ(0, simple(STRAKE_SPACE_FLUSH));
		ASSERT_EQ(0, note(2, std::string(5000, 'a')));
		power_cut_at(ps, nth);
		for (int i = 1; i <= 3; i++) {
			if (note(2, std::string(5000 + (size_t)i, (char)('a' + i))) == 0 && power_is_on(ps))
				acked = i;
		}
		if (log_group_member_fail(g, 1) == 0) {
			turns(20);
			degraded_acked =
				row(2, 0, data_of(2, 0)) == 0 && simple(STRAKE_SPACE_FLUSH) == 0 && power_is_on(ps);
		}
		if (member(1).state == LOG_MEMBER_MISSING) {
			char text[300];

			log_group_member_return(g, 1, drives[1], text, sizeof(text));
			for (int i = 0; i < 3000 && status().stale > 0 && power_is_on(ps); i++)
				turn();
		}
		through = power_is_on(ps);
		crash();
		rows = {{0, sp->rows}, {1, sp->rows}};
		if (degraded_acked)
			rows[2] = 1;
		up({0, 1, 2, 3});
		std::string now_there = note(2);

		ASSERT_GE(now_there.size(), 5000u + (size_t)acked) << "cut at " << nth;
		ASSERT_EQ(std::string(now_there.size(), (char)('a' + now_there.size() - 5000)), now_there);
		if (degraded_acked) {
			ASSERT_EQ(data_of(2, 0), read(2, 0, sp->row_bytes)) << "cut at " << nth;
		}
		expect_filled(2);
		until([&] { return status().stale + status().missing == 0; });
		for (unsigned i = 0; i < 4; i++) {
			expect_right_without({i}, 2);
		}
		EXPECT_EQ(now_there, note(2));
		stop();
		drop_disks();
		rows.clear();
	}
	EXPECT_TRUE(through);
}

} // namespace
