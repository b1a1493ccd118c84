/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Log volumes on a log group that loses power, again and again, by a seed: README.md tells what is done and checked.
 *
 * STRAKE_SIM_SEEDS (how many) and STRAKE_SIM_FIRST (the first) choose the seeds, STRAKE_SIM_POINTS the images taken of
 * each life. Where an operator is at work, too, a tenth or a twentieth of the seeds are played. STRAKE_SIM_TRACE tells
 * what happens to one block. All failing seeds are told.
 */

#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "story.h"

namespace
{

uint64_t
number(const char *name, uint64_t other)
{
	const char *s = getenv(name);

	return s != nullptr ? strtoull(s, nullptr, 0) : other;
}

/* @return all seeds' figures; what every seed is to meet is asserted of each. */
sim::Totals
play(uint64_t seeds, sim::Kind kind)
{
	uint64_t first = number("STRAKE_SIM_FIRST", 1), points = number("STRAKE_SIM_POINTS", 10);
	sim::Totals all;

	for (uint64_t s = first; s < first + seeds; s++) {
		sim::Story story(s, (unsigned)points, kind);
		std::string bad = story.run();
		const sim::Totals &t = story.totals;

		EXPECT_EQ("", bad) << "seed " << s;
		all.add(t);
		if (!bad.empty())
			continue;
		EXPECT_GT(t.checkpoints, 0u) << "seed " << s;
		EXPECT_GT(t.collected, 0u) << "seed " << s;
		EXPECT_GT(t.moved, 0u) << "seed " << s;
		EXPECT_GT(t.hits, 0u) << "seed " << s;
		EXPECT_GT(t.trims, 0u) << "seed " << s;
		/* Beside a slow drive a rebuild may fall between two images, and beside a long act. */
		EXPECT_TRUE(t.in_rebuild > 0 || t.slow > 0 || sim::Story::liars(s, kind) > 0 || kind == sim::RESEALED)
			<< "seed " << s;
		/* A drive that lost its superblocks is rebuilt, too, and more of that falls between lives. */
		EXPECT_TRUE(kind == sim::LYING_ALL || sim::Story::loses(s, kind) == (t.rebuilt > 0)) << "seed " << s;
		EXPECT_GT(t.replayed, 0u) << "seed " << s;
		EXPECT_GE(t.proved.stores, t.points - t.in_recovery) << "seed " << s;
		EXPECT_GT(t.proved.blocks, t.proved.stores) << "seed " << s;
		EXPECT_GT(t.proved.rows, t.proved.stores) << "seed " << s;
		EXPECT_EQ(s % 3 == 0, t.slow > 0) << "seed " << s;
	}
	all.print("sim");
	return all;
}

TEST(GroupSim, LosesNothingThatWasFlushed)
{
	uint64_t seeds = number("STRAKE_SIM_SEEDS", 20);

	EXPECT_GE(play(seeds, sim::ORDINARY).in_slow, seeds / 3);
}

/* A deleted volume never comes back, and its blocks are not seen in one that gets its name. */
TEST(GroupSim, VolumesComeAndGo)
{
	uint64_t seeds = std::max(number("STRAKE_SIM_SEEDS", 20) / 20, (uint64_t)6);
	sim::Totals all = play(seeds, sim::VOLUMES);

	for (sim::Act a : {sim::DELETE, sim::MAKE, sim::SHRINK, sim::GROW, sim::FORGET})
		EXPECT_GE(all.in_acts[a], seeds / 2) << "act " << a;
	for (sim::Act a : {sim::DELETE, sim::MAKE, sim::SHRINK, sim::GROW})
		EXPECT_GE(all.acts[a], seeds / 2) << "act " << a;
}

/* Chunks of several blocks that are compressed, of which a part dies, and the rest is packed anew. */
TEST(GroupSim, CompressedRunsArePackedAnew)
{
	uint64_t seeds = std::max(number("STRAKE_SIM_SEEDS", 20) / 10, (uint64_t)2);
	sim::Totals all = play(seeds, sim::PACKED);

	EXPECT_GE(all.repacked, seeds);
	EXPECT_GT(all.saved, 0u);
}

/* A drive is added, and columns move to it. */
TEST(GroupSim, TheGroupGrows)
{
	uint64_t seeds = std::max(number("STRAKE_SIM_SEEDS", 20) / 20, (uint64_t)2);
	sim::Totals all = play(seeds, sim::GROWN);

	EXPECT_EQ(seeds, all.grown);
	EXPECT_GE(all.in_growth, seeds);
}

/* Each block is there whatever its key, and nothing comes back of what was sealed with a key that was erased. */
TEST(GroupSim, KeysAreChangedAndErased)
{
	uint64_t seeds = std::max(number("STRAKE_SIM_SEEDS", 20) / 20, (uint64_t)4);
	sim::Totals all = play(seeds, sim::SEALED);

	for (sim::Act a : {sim::ROTATE, sim::TIDY, sim::ERASE, sim::DELETE, sim::MAKE})
		EXPECT_GE(all.in_acts[a], seeds) << "act " << a;
	EXPECT_GT(all.forgotten, 0u);
	EXPECT_GE(all.repacked, seeds);
}

/* Power goes while all is sealed anew; when it was, nothing leans on older keys, and they are gone. */
TEST(GroupSim, AllIsSealedAnewWithNewKeys)
{
	uint64_t seeds = std::max(number("STRAKE_SIM_SEEDS", 20) / 20, (uint64_t)4);
	sim::Totals all = play(seeds, sim::RESEALED);

	for (sim::Act a : {sim::ROTATE, sim::RESEAL})
		EXPECT_GE(all.in_acts[a], seeds) << "act " << a;
	EXPECT_GE(all.in_rebuild, 2 * seeds);
	EXPECT_GE(all.acts[sim::RESEAL], 2 * seeds);
	EXPECT_GE(all.resealed, 30 * seeds);
}

/* Drives say that they wrote what they lost, put elsewhere or got wrong. */
TEST(GroupSim, SurvivesDrivesThatLie)
{
	uint64_t seeds = std::max(number("STRAKE_SIM_SEEDS", 20) / 10, (uint64_t)2);
	sim::Totals all = play(seeds, sim::LYING);

	EXPECT_GT(all.lies, 20 * seeds);
	EXPECT_GT(all.caught, seeds);
	EXPECT_GT(all.repaired, seeds);
}

/* The same of superblocks, notes and intents, which are lied about more often. */
TEST(GroupSim, SurvivesDrivesThatLieAboutAll)
{
	uint64_t seeds = std::max(number("STRAKE_SIM_SEEDS", 20) / 20, (uint64_t)6);
	sim::Totals all = play(seeds, sim::LYING_ALL);

	EXPECT_GT(all.lies, 50 * seeds);
	EXPECT_GT(all.caught, seeds);
	EXPECT_GT(all.repaired, seeds);
	EXPECT_GT(all.rebuilt, 0u);
	EXPECT_GT(all.grown, 0u);
}

/* The segment table has several parts, which may lie in several segments, also beside drives that lie. Of
 * these a fortieth of the seeds. */
TEST(GroupSim, LargeStoresLoseNothing)
{
	uint64_t seeds = std::max(number("STRAKE_SIM_SEEDS", 20) / 40, (uint64_t)4);
	sim::Totals all = play(seeds, sim::LARGE), lying = play(seeds, sim::LARGE_LYING);

	EXPECT_GT(all.in_table + lying.in_table, 0u);
	EXPECT_GE(all.parted, seeds);
	EXPECT_GE(lying.parted, seeds);
	EXPECT_GT(lying.lies, 20 * seeds);
	EXPECT_GT(lying.caught, 0u);
}

/* A generation given twice; the row in which a checkpoint began given the parity of what a drive had made of it; a
 * chunk that two recoveries left twice; parity made anew before what leaned on it was durable; a row let go of too
 * early. A row called written after its loss was refused. New parity for a chunk of which a copy was kept, behind which
 * nothing was found then. A chunk that was lost to a write gone astray after recovery had found it. A drive rebuilt
 * from one that lies, as zeroes behind a row's last chunk were not believed with a drive away. A row that a drive
 * missed as it went when it was just rebuilt, and did not get when it came back. And pages of the map that strake-fsck
 * called lost, as whole ones of an earlier life lay where a drive had lost the writes. */
TEST(GroupSim, LosesNothingWhereItOnceDid)
{
	for (uint64_t s : {203, 1156, 10363, 12127, 13601})
		EXPECT_EQ("", sim::Story(s, 10).run()) << "seed " << s;
	EXPECT_EQ("", sim::Story(5025, 10, sim::SEALED).run());
	EXPECT_EQ("", sim::Story(306086, 10, sim::PACKED).run());
	for (uint64_t s : {2, 54, 163, 5299, 306075})
		EXPECT_EQ("", sim::Story(s, 10, sim::LYING).run()) << "seed " << s;
}

/* A segment that was given up while the store looked which keys are in use was taken for one that cannot be read; one
 * in which power tore a row behind one that was lost was not collected first, and kept all keys until then. */
TEST(GroupSim, KeysAreTidiedWhereTheyOnceWereNot)
{
	for (uint64_t s : {23, 24})
		EXPECT_EQ("", sim::Story(s, 10, sim::SEALED).run()) << "seed " << s;
	EXPECT_EQ("", sim::Story(73028, 10, sim::RESEALED).run());
}

} // namespace
