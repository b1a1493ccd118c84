/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Members that come back, replacements and spares: rebuilt and filled while the store goes on. */

#include "log_rig.h"

static uint64_t
draw(uint64_t *rng)
{
	*rng = *rng * 6364136223846793005ull + 1442695040888963407ull;
	return *rng >> 33;
}

namespace
{

class LogRebuild : public LogRig
{
      protected:
	/* By segment: what its rows were made of. */
	typedef std::map<uint32_t, std::vector<uint64_t>> Rows;

	std::string
	words()
	{
		struct log_group_status s = status();
		char text[160];

		return log_group_words(&s, text, sizeof(text));
	}
	/* As expect_right_without() two, of other rows than fill()'s. */
	void
	without(unsigned a, unsigned b, const Rows &what, uint64_t seed)
	{
		unreadable(a);
		unreadable(b);
		for (auto &[s, rs] : what)
			for (uint32_t r = 0; r < rs.size(); r++)
				ASSERT_EQ(pattern(sp->row_bytes, rs[r]),
					  read(s, (uint64_t)r * sp->row_bytes, sp->row_bytes))
					<< "seed " << seed << " seg " << s << " row " << r;
		power_disk_no_faults(disks[a]);
		power_disk_no_faults(disks[b]);
	}
};

TEST_F(LogRebuild, ReplacementIsFilledAndCountsWhenItIs)
{
	conf.parity = 1;
	all_up(4);
	make_disks(1);
	conf.n_drives = 4;
	fill(6);
	ASSERT_EQ(0, note(1, "keys"));
	EXPECT_EQ("in order", words());
	lose(1);
	EXPECT_EQ("1 of 4 drives is missing", words());
	ASSERT_EQ(0, row(7, 0, data_of(7, 0))) << "degraded";
	ASSERT_EQ(0, give(1, 4)) << err;
	EXPECT_EQ(LOG_MEMBER_STALE, member(1).state);
	EXPECT_EQ("1 to be rebuilt", words());
	EXPECT_EQ(-EBUSY, log_group_member_fail(g, 2)) << "nothing to spare yet";
	until([&] { return status().rebuild_done >= 4; });
	EXPECT_EQ("rebuilding " + std::to_string(status().rebuild_done * 100 / status().rebuild_total) + " %", words());
	in_sync();
	EXPECT_EQ("in order", words());
	EXPECT_EQ(LOG_MEMBER_IN_SYNC, member(1).state);
	power_disk_vanish(disks[3], true);
	expect_filled(6);
	EXPECT_EQ(data_of(7, 0), read(7, 0, sp->row_bytes));
	power_disk_vanish(disks[3], false);
	until([&] { return !status().stale; });
	stop();
	up({0, 4, 2, 3});
	EXPECT_EQ("keys", note(1));
	until([&] { return status().stale + status().missing == 0; });
	expect_filled(6);
}

/* Intents are not copied, as nobody could say which of them are right: the store makes rows of what they have. */
TEST_F(LogRebuild, AMemberCountsWhenWhatIntentsHadIsInRows)
{
	static std::vector<std::function<void(int)>> asked;
	auto ask = [](void *, void (*done)(void *arg, int status), void *arg) {
		asked.push_back([=](int status) { done(arg, status); });
	};

	asked.clear();
	all_up(4);
	make_disks(1);
	conf.n_drives = 4;
	fill(2);
	sp->to_rows = ask;
	for (unsigned i : {3u, 1u}) {
		lose(i);
		ASSERT_EQ(0, give(i, i)) << err;
		if (i > conf.parity) {
			in_sync();
			EXPECT_EQ(0u, asked.size()) << "it keeps none";
			continue;
		}
		until([&] { return asked.size() == 1; });
		turns(2000);
		EXPECT_EQ(1u, status().stale);
		asked[0](-EIO);
		turn(61 * STRAKE_NS_PER_SEC);
		until([&] { return asked.size() == 2; });
		EXPECT_EQ(1u, status().stale) << "it is asked again";
		asked[1](0);
		in_sync();
	}
	sp->to_rows = nullptr;
	expect_right_without({0}, 2);
}

TEST_F(LogRebuild, RowsAndFreesMeanwhileAreRight)
{
	for (uint64_t seed = 1; seed <= 6; seed++) {
		uint64_t rng = seed;

		disk_conf.delay_turns = 4;
		conf.parity = 2;
		make_disks(7, seed);
		conf.n_drives = 5;
		up({0, 1, 2, 3, 4});
		fill(12);
		lose(0);
		lose(3);
		ASSERT_EQ(0, give(0, 5)) << err;
		ASSERT_EQ(0, give(3, 6)) << err;
		Rows what;

		for (uint32_t s = 0; s < 12; s++)
			for (uint32_t r = 0; r < sp->rows; r++)
				what[s].push_back(1000 * (s + 1) + r);
		for (int i = 0; i < 60; i++) {
			uint32_t s = (uint32_t)(draw(&rng) % 14);

			if (what[s].size() < sp->rows) {
				uint64_t v = 777000 + (uint64_t)i;

				ASSERT_EQ(0, row(s, (uint32_t)what[s].size(), pattern(sp->row_bytes, v)));
				what[s].push_back(v);
			} else {
				rows.erase(s);
				what[s].clear();
				ASSERT_EQ(0, simple(STRAKE_SPACE_FREE, s));
			}
			ASSERT_EQ(0, intent(4096 * (draw(&rng) % 64), pattern(4096, (uint64_t)i)));
			turns((unsigned)(draw(&rng) % 4));
		}
		in_sync();
		ASSERT_EQ(0, simple(STRAKE_SPACE_FLUSH));
		for (unsigned a : {5u, 1u})
			for (unsigned b : {6u, 2u, 4u})
				without(a, b, what, seed);
		stop();
		drop_disks();
		rows.clear();
	}
}

TEST_F(LogRebuild, RateIsKept)
{
	all_up(4);
	fill(20);
	lose(2);
	log_group_rebuild_rate(g, 1 << 20);
	turns(3);
	uint64_t t0 = now, before_bytes = status().rebuild_bytes;

	ASSERT_EQ(0, give(2, 2)) << err;
	in_sync();
	uint64_t bytes_done = status().rebuild_bytes - before_bytes;

	EXPECT_GE(bytes_done, 20 * 16384u * 3 / 4);
	EXPECT_GE(now - t0, bytes_done * STRAKE_NS_PER_SEC / (1 << 20) * 9 / 10);
}

TEST_F(LogRebuild, SpareTakesTheNextPlace)
{
	char text[300];

	all_up(4);
	make_disks(1);
	conf.n_drives = 4;
	fill(4);
	ASSERT_EQ(0, log_group_spare_add(g, plug(4), text, sizeof(text))) << text;
	EXPECT_EQ(1u, status().spares);
	EXPECT_EQ(-ENOSPC, log_group_spare_add(g, drives[4], text, sizeof(text))) << "twice";
	EXPECT_EQ(0, log_group_spare_remove(g, drives[4]));
	EXPECT_EQ(-ENOENT, log_group_spare_remove(g, drives[4]));
	EXPECT_FALSE(log_group_has_drive(g, drives[4]));
	ASSERT_EQ(0, log_group_spare_add(g, drives[4], text, sizeof(text))) << text;
	EXPECT_TRUE(log_group_has_drive(g, drives[4]));
	power_disk_vanish(disks[0], true);
	ASSERT_EQ(0, row(10, 0, data_of(10, 0)));
	until([&] { return status().missing + status().stale == 0; });
	EXPECT_EQ(0u, status().spares);
	EXPECT_EQ(drives[4], member(0).drive);
	expect_right_without({0, 1}, 4);
	stop();
	power_disk_vanish(disks[0], false);
	up({0, 1, 2, 3});
	EXPECT_EQ("1 of 4 drives is missing", words()) << "what was replaced is no member any more";
	expect_filled(4);
	stop();
	up({4, 1, 2, 3});
	until([&] { return status().missing + status().stale == 0; });
	expect_filled(4);
}

/* What the file calls a spare is looked at when the group is opened: it may have become a member since. */
TEST_F(LogRebuild, SparesOfTheFileAreKeptOrAreMembers)
{
	conf_drive d4 = {}, d5 = {};
	conf_drive *spares[] = {&d4, &d5};
	bytes junk = pattern(512, 3);
	char text[300];

	d4.name = "d4";
	d5.name = "d5";
	conf.spares = spares;
	conf.n_spares = 2;
	make_disks(7);
	conf.n_drives = 4;
	power_disk_poke(disks[5], 0, junk.data(), junk.size());
	up({0, 1, 2, 3, 4, 5});
	EXPECT_EQ(4u, status().members) << "spares are no members of a new group";
	EXPECT_EQ(1u, status().spares) << "and one that holds other data is none";
	fill(3);
	power_disk_vanish(disks[2], true);
	ASSERT_EQ(0, row(10, 0, data_of(10, 0)));
	until([&] { return status().missing + status().stale == 0; });
	stop();
	/* The drive that went is back where it was, and no member any more. */
	power_disk_vanish(disks[2], false);
	up({0, 1, 2, 3, 4, 5});
	EXPECT_EQ(0u, status().spares);
	EXPECT_EQ(0u, status().missing + status().stale);
	EXPECT_FALSE(log_group_has_drive(g, drives[2]));
	EXPECT_EQ(-EEXIST, log_group_spare_add(g, drives[2], text, sizeof(text)));
	EXPECT_NE(nullptr, strstr(text, "must be erased first")) << text;
	EXPECT_STREQ("d4", member(2).drive->name);
	expect_right_without({0}, 3);
	stop();
	/* A blank one in its place becomes a spare. One more is lost meanwhile, and found out at the start. */
	up({0, 1, 6, 3, 4});
	EXPECT_EQ(1u, status().spares);
	expect_filled(3);
	stop();
	up({6, 1, 3, 4});
	until([&] { return status().missing + status().stale == 0; });
	EXPECT_EQ(drives[6], member(0).drive);
	expect_right_without({1}, 3);
}

/* A drive that held a segment's column longer ago is not believed, whatever it is called. */
TEST_F(LogRebuild, StaleDriveIsNeverReadBeforeItIsRebuilt)
{
	all_up(4);
	fill(6);
	lose(1);
	for (uint32_t s = 0; s < 6; s++) {
		rows.erase(s);
		ASSERT_EQ(0, simple(STRAKE_SPACE_FREE, s));
		for (uint32_t r = 0; r < sp->rows; r++)
			ASSERT_EQ(0, row(s, r, pattern(sp->row_bytes, 99 * s + r)));
	}
	auto right = [&] {
		for (uint32_t s = 0; s < 6; s++)
			for (uint32_t r = 0; r < sp->rows; r++)
				ASSERT_EQ(pattern(sp->row_bytes, 99 * s + r),
					  read(s, (uint64_t)r * sp->row_bytes, sp->row_bytes))
					<< "segment " << s << " row " << r;
	};

	log_group_rebuild_rate(g, 1 << 20);
	turns(3);
	ASSERT_EQ(0, give(1, 1)) << err;
	right();
	EXPECT_EQ(1u, status().stale) << "it was read while it was being rebuilt";
	/* Over a restart in the midst it is not believed either: the rebuild begins anew. */
	stop();
	up({1, 0, 3, 2});
	right();
	until([&] { return status().stale == 0; });
	power_disk_vanish(disks[0], true);
	right();
}

TEST_F(LogRebuild, DriveThatWasAwayGetsWhatItMissed)
{
	disk_conf.write_through = true;
	all_up(4);
	fill(8);
	lose(1);
	ASSERT_EQ(0, row(9, 0, data_of(9, 0)));
	rows.erase(3);
	ASSERT_EQ(0, simple(STRAKE_SPACE_FREE, 3));
	ASSERT_EQ(0, row(3, 0, pattern(sp->row_bytes, 77)));
	uint64_t before_bytes = status().rebuild_bytes;

	ASSERT_EQ(0, give(1, 1)) << err;
	in_sync();
	EXPECT_LE(status().rebuild_bytes - before_bytes, 2 * sp->unit + sp->intent_bytes)
		<< "two rows, and the intents";
	expect_right_without({0}, 3);
	power_disk_vanish(disks[0], true);
	EXPECT_EQ(pattern(sp->row_bytes, 77), read(3, 0, sp->row_bytes));
	EXPECT_EQ(data_of(9, 0), read(9, 0, sp->row_bytes));
	power_disk_vanish(disks[0], false);
	until([&] { return status().missing == 1; });
	ASSERT_EQ(0, give(0, 0)) << err;
	in_sync();
	/* The write that finds out that a drive is gone is one it missed. */
	power_disk_vanish(disks[1], true);
	ASSERT_EQ(0, row(10, 0, data_of(10, 0)));
	power_disk_vanish(disks[1], false);
	ASSERT_EQ(0, give(1, 1)) << err;
	in_sync();
	power_disk_vanish(disks[0], true);
	EXPECT_EQ(data_of(10, 0), read(10, 0, sp->row_bytes));
}

/* It is rebuilt, and goes while that is made durable: the row that finds out is one it missed. */
TEST_F(LogRebuild, DriveThatGoesAsItIsInSyncGetsWhatItMissed)
{
	disk_conf.write_through = true;
	all_up(4);
	fill(2);
	lose(1);
	ASSERT_EQ(0, row(9, 0, data_of(9, 0)));
	ASSERT_EQ(0, give(1, 1)) << err;
	power_disk_slow(disks[2], 9);
	until([&] { return status().stale == 0; });
	power_disk_vanish(disks[1], true);
	ASSERT_EQ(0, row(10, 0, data_of(10, 0)));
	power_disk_slow(disks[2], 1);
	power_disk_vanish(disks[1], false);
	ASSERT_EQ(0, give(1, 1)) << err;
	in_sync();
	power_disk_vanish(disks[0], true);
	EXPECT_EQ(data_of(10, 0), read(10, 0, sp->row_bytes));
}

/* What was written and not flushed may be lost with the drive's power. */
TEST_F(LogRebuild, CacheOfADriveThatWasAwayIsNotBelieved)
{
	std::vector<uint8_t> image(disk_bytes);

	all_up(4);
	fill(2);
	ASSERT_EQ(0, simple(STRAKE_SPACE_FLUSH));
	power_disk_peek(disks[1], 0, image.data(), image.size());
	for (uint32_t r = 0; r < sp->rows; r++)
		ASSERT_EQ(0, row(2, r, data_of(2, r)));
	lose(1);
	uint64_t before_bytes = status().rebuild_bytes;

	power_disk_poke(disks[1], 0, image.data(), image.size());
	ASSERT_EQ(0, give(1, 1)) << err;
	in_sync();
	EXPECT_LE(status().rebuild_bytes - before_bytes, sp->rows * sp->unit + sp->intent_bytes) << "one segment";
	expect_right_without({0}, 3);
}

/* A drive that comes back with what it had some time before it went, an older image of it, is rebuilt whole. */
TEST_F(LogRebuild, OlderImageOfADriveIsRebuiltWhole)
{
	std::vector<uint8_t> image(disk_bytes);

	disk_conf.write_through = true;
	all_up(4);
	fill(2);
	power_disk_peek(disks[1], 0, image.data(), image.size());
	lose(3);
	ASSERT_EQ(0, give(3, 3)) << err;
	in_sync();
	for (uint32_t r = 0; r < sp->rows; r++)
		ASSERT_EQ(0, row(2, r, data_of(2, r)));
	lose(1);
	power_disk_poke(disks[1], 0, image.data(), image.size());
	ASSERT_EQ(0, give(1, 1)) << err;
	in_sync();
	expect_right_without({0}, 3);
}

/* Drives come and go at any time, with a cache or without, also in the midst of their rebuild. */
TEST_F(LogRebuild, ComingsAndGoingsLeaveNothingBehind)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		uint64_t rng = seed;
		Rows what;
		bool away[5] = {};

		disk_conf.delay_turns = 3;
		disk_conf.write_through = seed % 2 == 0;
		conf.parity = 2;
		make_disks(5, seed);
		up({0, 1, 2, 3, 4});
		for (int i = 0; i < 250; i++) {
			uint32_t s = (uint32_t)(draw(&rng) % 12), d = (uint32_t)(draw(&rng) % 5), out = 0;

			switch (draw(&rng) % 8) {
			case 0:
				power_disk_vanish(disks[d], false);
				if (away[d] && give(d, d) == 0)
					away[d] = false;
				break;
			case 1:
				/* It is taken out; or it goes, which is found out by the next write. */
				for (uint32_t k = 0; k < 5; k++)
					out += away[k] || member(k).state != LOG_MEMBER_IN_SYNC;
				if (away[d] || out >= 2)
					break;
				away[d] = true;
				if (i % 2 == 0)
					power_disk_vanish(disks[d], true);
				else
					ASSERT_EQ(0, log_group_member_fail(g, d));
				break;
			case 2:
				ASSERT_EQ(0, simple(STRAKE_SPACE_FLUSH));
				break;
			default:
				if (what[s].size() == sp->rows) {
					rows.erase(s);
					what[s].clear();
					ASSERT_EQ(0, simple(STRAKE_SPACE_FREE, s));
					break;
				}
				ASSERT_EQ(0, row(s, (uint32_t)what[s].size(), pattern(sp->row_bytes, seed * 1000 + i)));
				what[s].push_back(seed * 1000 + i);
			}
			turns((unsigned)(draw(&rng) % 12));
		}
		for (uint32_t d = 0; d < 5; d++) {
			power_disk_vanish(disks[d], false);
			if (!away[d] || member(d).state == LOG_MEMBER_IN_SYNC)
				continue;
			until([&] { return member(d).state == LOG_MEMBER_MISSING; });
			ASSERT_EQ(0, give(d, d)) << err;
		}
		in_sync();
		for (uint32_t a = 0; a < 5; a++)
			for (uint32_t b = a + 1; b < 5; b++)
				without(a, b, what, seed);
		stop();
		drop_disks();
		rows.clear();
	}
}

TEST_F(LogRebuild, RefusesWrongDrives)
{
	all_up(4);
	disk_bytes = 4 * kMiB - 512 * 1024;
	make_disks(1);
	disk_bytes = 5 * kMiB;
	make_disks(1);
	conf.n_drives = 4;
	bytes junk = pattern(512, 3);

	power_disk_poke(disks[5], 0, junk.data(), junk.size());
	EXPECT_EQ(-EBUSY, give(1, 4));
	lose(1);
	EXPECT_EQ(-EINVAL, give(1, 4)) << err;
	EXPECT_NE(std::string::npos, err.find("too small")) << err;
	EXPECT_EQ(-EEXIST, give(1, 5)) << err;
	EXPECT_EQ(-EBUSY, give(1, 2)) << err;
	EXPECT_EQ(0, give(1, 1)) << err;
	in_sync();
}

TEST_F(LogRebuild, DriveWithACacheIsFlushedFromTheTimeItComes)
{
	disk_conf.write_through = true;
	all_up(4);
	disk_conf.write_through = false;
	make_disks(1);
	conf.n_drives = 4;
	EXPECT_FALSE(sp->volatile_cache);
	lose(1);
	ASSERT_EQ(0, give(1, 4)) << err;
	in_sync();
	EXPECT_TRUE(sp->volatile_cache);
	ASSERT_EQ(0, row(0, 0, data_of(0, 0)));
	ASSERT_EQ(0, simple(STRAKE_SPACE_FLUSH));
	crash();
	up({0, 4, 2, 3});
	power_disk_vanish(disks[0], true);
	EXPECT_EQ(data_of(0, 0), read(0, 0, sp->row_bytes));
}

TEST_F(LogRebuild, LossInTheMidstGoesOnWithoutErrors)
{
	for (bool write_through : {false, true}) {
		disk_conf.delay_turns = 2;
		disk_conf.write_through = write_through;
		all_up(4);
		make_disks(1);
		conf.n_drives = 4;
		fill(10);
		lose(1);
		ASSERT_EQ(0, give(1, 4)) << err;
		turns(10);
		power_disk_vanish(disks[4], true);
		until([&] { return member(1).state == LOG_MEMBER_MISSING; });
		expect_filled(10);
		ASSERT_EQ(0, row(11, 0, data_of(11, 0)));
		power_disk_vanish(disks[4], false);
		ASSERT_EQ(0, give(1, 4)) << err;
		in_sync();
		expect_right_without({0}, 10);
		stop();
		drop_disks();
		rows.clear();
	}
}

/* At whatever step of its rebuild a drive is taken away: it can be closed, and nothing looks at it again. */
TEST_F(LogRebuild, ForgottenDriveCanBeClosedInTheMidst)
{
	disk_conf.delay_turns = 3;
	all_up(4);
	make_disks(1);
	conf.n_drives = 4;
	fill(4);
	ASSERT_EQ(0, intent(0, pattern(8192, 5)));
	EXPECT_EQ(-EBUSY, log_group_member_forget(g, 1)) << "it is in service";
	EXPECT_EQ(-EINVAL, log_group_member_forget(g, 9));
	lose(1);
	for (unsigned n = 0; n < 400; n += 1 + n / 8) {
		ASSERT_EQ(0, give(1, 4)) << err;
		turns(n);
		ASSERT_EQ(0, log_group_member_fail(g, 1));
		EXPECT_TRUE(log_group_has_drive(g, drives[4]));
		EXPECT_EQ(-EAGAIN, log_group_member_forget(g, 1)) << "its loss is not durable yet";
		until([&] { return log_group_member_forget(g, 1) == 0; });
		EXPECT_FALSE(log_group_has_drive(g, drives[4]));
		until([&] {
			uint64_t busy = 0;

			for (auto *s : drives[4]->stats)
				busy += s != nullptr ? s->inflight : 0;
			return busy == 0;
		});
		pull(4);
		ASSERT_EQ(0, row(5, 0, data_of(5, 0))) << "degraded";
		rows.erase(5);
		ASSERT_EQ(0, simple(STRAKE_SPACE_FREE, 5));
	}
	expect_filled(4);
	ASSERT_EQ(0, give(1, 4)) << err;
	in_sync();
	expect_right_without({0}, 4);
}

TEST_F(LogRebuild, ScrubFindsRowsThatDisagree)
{
	std::vector<std::pair<uint32_t, uint32_t>> found;

	all_up(4);
	fill(5);
	bytes bad = pattern(512, 9);

	power_disk_poke(disks[2], lgroup_super_data_off(sp->intent_bytes) + 16384 + 4096, bad.data(), bad.size());
	log_group_scrub_watch(
		g,
		[](void *arg, uint32_t s, uint32_t r) {
			((decltype(found) *)arg)->push_back({s, r});
		},
		&found);
	ASSERT_EQ(0, log_group_scrub_start(g, 0));
	turns(2);
	until([&] { return status().scrub_total == 0; });
	EXPECT_EQ(5 * sp->rows, status().scrub_rows);
	ASSERT_EQ(1u, found.size());
	EXPECT_EQ(1u, found[0].second);
	uint64_t off = sp->row_bytes;
	uint32_t seg = found[0].first;
	uint16_t attempt = 0;

	while (attempt < 5 && read(seg, off, sp->row_bytes, 0, attempt) != data_of(seg, 1))
		attempt++;
	ASSERT_LT(attempt, 5);
	ASSERT_EQ(0, repair(seg, off, data_of(seg, 1), attempt));
	ASSERT_EQ(0, log_group_scrub_start(g, 0));
	turns(2);
	until([&] { return status().scrub_total == 0; });
	EXPECT_EQ(0u, status().scrub_wrong);
	EXPECT_EQ(1u, member(2).wrong);
}

} // namespace
