/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * strake-fsck on what the drives of the simulation hold: as power left them, where it must foresee what recovery makes
 * of it, and closed in order. STRAKE_SIM_FSCK_SEEDS and STRAKE_SIM_FIRST choose the seeds.
 */

#include <cstdlib>

#include <gtest/gtest.h>

#include "fsck.h"
#include "host.h"

extern "C" {
#include "stages/stripe/log_super_format.h"
#include "strake_kernel.h"
}

namespace
{

using sim::bytes;

uint64_t
number(const char *name, uint64_t other)
{
	const char *s = getenv(name);

	return s != nullptr ? strtoull(s, nullptr, 0) : other;
}

sim::WorldConf
world_conf(uint64_t seed)
{
	static const unsigned shapes[][2] = {{3, 1}, {2, 1}, {3, 2}, {2, 2}, {3, 1}, {3, 3}};
	sim::WorldConf c;

	c.seed = seed * 1000003;
	c.data = shapes[seed % 6][0];
	c.parity = shapes[seed % 6][1];
	c.unit = c.data == 2 ? 32768 : 16384;
	c.drive_bytes += c.data == 2 ? 1u << 20 : 0;
	c.delay_turns = seed % 5;
	c.checkpoint_bytes = 300000 + seed * 7919 % 700000;
	c.row_age = (1 + seed % 50) * 1000000;
	return c;
}

struct Figures {
	uint64_t images = 0, chunks = 0, intents = 0, records = 0, moved = 0, made = 0, degraded = 0, harms = 0;
};

/* Two lives that power ends, with images of some moments of each. */
class Tale
{
      public:
	explicit Tale(uint64_t seed) : w(world_conf(seed)), host(w, seed * 31 + 7), rnd(seed * 7919 + 1), fsck(w)
	{
	}
	~Tale()
	{
		if (w.g != nullptr)
			w.crash();
		for (Image &im : images)
			power_image_free(im.drives);
	}

	void
	run()
	{
		for (life = 0; life < 2; life++) {
			ASSERT_EQ(0, w.boot(w.all_drives())) << w.why;
			ASSERT_EQ("", sim::Host::check(w, host.oracle, true));
			live(life == 0);
			w.crash();
			host.die();
			if (testing::Test::HasFatalFailure())
				return;
			power_image *left = power_image_take(w.ps, 0);

			while (!images.empty() && !testing::Test::HasFailure())
				look(images.back());
			power_image_load(w.ps, left);
			power_image_free(left);
		}
	}

	Figures figures;

      private:
	struct Image {
		power_image *drives;
		sim::Oracle oracle;
		unsigned life;
		bool degraded;
	};

	sim::World w;
	sim::Host host;
	std::mt19937_64 rnd;
	sim::Fsck fsck;
	std::vector<Image> images;
	unsigned life = 0;

	static void
	watched(void *arg, uint64_t)
	{
		Tale *t = (Tale *)arg;

		if (t->rnd() % 60 == 0 && t->images.size() < 3) {
			const struct log_group_status g = t->w.group();

			t->images.push_back({power_image_take(t->w.ps, t->rnd()), t->host.oracle, t->life,
					     g.missing + g.stale > 0});
		}
	}

	void
	live(bool lose)
	{
		unsigned ops = 60 + (unsigned)(rnd() % 60), gone = (unsigned)(rnd() % w.drives());

		for (unsigned i = 0; i < ops; i++) {
			while (w.open_reqs >= 8)
				w.turn();
			if (i == ops / 3)
				power_watch(w.ps, watched, this);
			if (lose && i == ops / 2)
				power_disk_vanish(w.disks[gone], true);
			host.begin();
		}
		power_watch(w.ps, nullptr, nullptr);
		power_disk_vanish(w.disks[gone], false);
		EXPECT_EQ("", host.wrong);
	}

	void
	in_sync()
	{
		for (unsigned t = 0; w.group().stale + w.group().missing > 0; t++) {
			ASSERT_LT(t, 50000u) << "rebuild does not end";
			w.turn();
		}
	}

	/* Chunks may be right by parity only, if power went before: as much of them as a segment holds recovery writes
	 * anew, what is more is left to collection. */
	void
	expect_clean(int status, bool first)
	{
		EXPECT_EQ(first || fsck.before(" mendable, ") == 0 ? 0 : 4, status) << fsck.said;
		EXPECT_EQ(0u, fsck.before(" broken")) << fsck.said;
		EXPECT_EQ(fsck.before(" mendable, "), fsck.times("mendable: chunk at ")) << fsck.said;
	}

	void
	look(Image &im)
	{
		uint64_t needed, made;
		int status;

		power_image_load(w.ps, im.drives);
		fsck.write();
		status = fsck.run("--dump");
		expect_clean(status, im.life == 0);
		EXPECT_NE(std::string::npos, fsck.said.find("; not closed in order")) << fsck.said;
		needed = fsck.behind("needed: ");
		made = fsck.times("right when made from");
		figures.images++;
		figures.degraded += im.degraded;
		figures.chunks += fsck.behind("after the checkpoint: ");
		figures.intents += fsck.before(" of them in intents only");
		figures.records += fsck.before(" records");
		figures.moved += fsck.before(" blocks moved");
		figures.made += made;

		/* Recovery comes to the same, and leaves nothing to say. */
		ASSERT_EQ(0, w.boot(w.all_drives())) << w.why;
		EXPECT_EQ(needed, w.st->live_blocks) << fsck.said;
		EXPECT_EQ("", sim::Host::check(w, im.oracle, false));
		in_sync();
		ASSERT_EQ(0, w.stop());
		fsck.write();
		status = fsck.run();
		expect_clean(status, im.life == 0 && made * LOG_CHUNK_MAX <= w.conf.data * w.conf.unit * w.conf.rows);
		/* Rows of such chunks stay as they are, until collection has moved those; and rows that never counted.
		 */
		EXPECT_EQ(fsck.before(" notes"),
			  fsck.times("it was open when the power went") + fsck.times("nothing in it is needed"))
			<< fsck.said;
		if (status == 0)
			harm(needed_place());
		power_image_free(im.drives);
		images.pop_back();
	}

	/* A block that the map of the closed store needs, and that nobody shares. */
	uint64_t
	needed_place()
	{
		std::vector<sim::Fsck::Entry> all = fsck.map();

		for (size_t i = rnd() % (all.size() + 1); i < 2 * all.size(); i++) {
			const sim::Fsck::Entry &e = all[i % all.size()];

			if (e.tree != UINT32_MAX && log_entry_kind(e.value) == LOG_ENTRY_DIRECT)
				return e.value;
		}
		return 0;
	}

	void
	flip(unsigned drive, uint64_t at)
	{
		bytes b = fsck.peek(drive, at, 1);

		b[0] ^= (uint8_t)(1 << rnd() % 8);
		fsck.poke(drive, at, b);
	}

	/* One thing is made wrong, and must be found. */
	void
	harm(uint64_t place)
	{
		ASSERT_NE(0u, place) << "the map is empty";
		uint32_t seg = log_entry_seg(place), off = log_entry_off(place), len = log_entry_bytes(place);
		unsigned drive = (unsigned)(rnd() % w.drives()), what = (unsigned)(figures.images % 8);
		bytes chunk = fsck.get(seg, off, len);
		uint32_t at = off + (uint32_t)(rnd() % len);

		switch (what) {
		case 0:
			flip(fsck.drive_of(seg, at), fsck.place_of(seg, at));
			EXPECT_EQ(4, fsck.run()) << fsck.said;
			EXPECT_EQ(1u, fsck.times("right when made from the other drives")) << fsck.said;
			break;
		case 1: /* a write that was lost */
			fsck.put(seg, off / 512 * 512, bytes(512), false);
			EXPECT_EQ(4, fsck.run()) << fsck.said;
			break;
		case 2: /* the same, and its parity says so as well */
			fsck.put(seg, off, bytes(64));
			EXPECT_EQ(w.conf.parity == 1 ? 1 : 4, fsck.run()) << fsck.said;
			break;
		case 3: /* a block that says it is another's; all seals are right */
			chunk[LOG_HEAD + (chunk[7] & 4 ? 8 : 0) + 16 * log_entry_blk(place)] ^= 1;
			seal(chunk);
			fsck.put(seg, off, chunk);
			EXPECT_EQ(1, fsck.run()) << fsck.said;
			EXPECT_EQ(1u, fsck.times(": its chunk says that it holds block")) << fsck.said;
			break;
		case 4:
			flip(drive, rnd() % 2 * LOG_SUPER_BYTES + rnd() % LOG_SUPER_BYTES);
			EXPECT_EQ(4, fsck.run()) << fsck.said;
			EXPECT_EQ(1u, fsck.times(" of the group's superblock is damaged")) << fsck.said;
			break;
		case 5: /* there are no keys: what one drive has in their place is not a table that was lost */
			flip(drive, lgroup_note_off(1, 0) + rnd() % LOG_NOTE_SLOT);
			EXPECT_EQ(4, fsck.run()) << fsck.said;
			EXPECT_EQ(1u, fsck.times("copy A of the table of keys is damaged")) << fsck.said;
			break;
		case 6: /* a write that was lost, where a whole chunk of an earlier life lies */
			older(seg, off, chunk);
			place = fsck.map().front().page;
			seg = log_entry_seg(place), off = log_entry_off(place);
			older(seg, off, fsck.get(seg, off, log_entry_bytes(place)));
			break;
		default:
			flip(drive, LOG_NOTES_OFF + rnd() % 2 * LOG_NOTE_SLOT + rnd() % LOG_NOTE_SLOT);
			EXPECT_EQ(4, fsck.run()) << fsck.said;
			EXPECT_EQ(1u, fsck.times(" of the store's superblock is damaged")) << fsck.said;
		}
		figures.harms++;
		fsck.undo();
	}

	void
	older(uint32_t seg, uint32_t off, bytes chunk)
	{
		log_head h;

		ASSERT_EQ(0, log_head_decode(&h, chunk.data(), chunk.size()));
		h.gen--;
		memcpy(&chunk[28], &h.gen, sizeof(h.gen));
		seal(chunk);
		fsck.put(seg, off, chunk, false);
		EXPECT_EQ(4, fsck.run()) << fsck.said;
		EXPECT_EQ(1u, fsck.times("it is of another life of its segment; right when made from the other"))
			<< fsck.said;
		fsck.undo();
	}

	static void
	seal(bytes &chunk)
	{
		log_chunk_seal(chunk.data(), 0);
		log_chunk_seal(chunk.data(), strake_kernel->crc32c(0, chunk.data(), chunk.size()));
	}
};

TEST(FsckSim, ForeseesWhatRecoveryMakesOfAnImage)
{
	uint64_t seeds = number("STRAKE_SIM_FSCK_SEEDS", 4), first = number("STRAKE_SIM_FIRST", 1);
	Figures all;

	for (uint64_t s = first; s < first + seeds; s++) {
		SCOPED_TRACE("seed " + std::to_string(s));
		Tale tale(s);

		tale.run();
		if (HasFatalFailure())
			return;
		all.images += tale.figures.images;
		all.chunks += tale.figures.chunks;
		all.intents += tale.figures.intents;
		all.records += tale.figures.records;
		all.moved += tale.figures.moved;
		all.made += tale.figures.made;
		all.degraded += tale.figures.degraded;
		all.harms += tale.figures.harms;
	}
	printf("fsck: %lu images, %lu of them degraded; after checkpoints %lu chunks, %lu in intents only, %lu "
	       "records, "
	       "%lu blocks moved; %lu chunks made from parity; %lu times something wrong was found\n",
	       all.images, all.degraded, all.chunks, all.intents, all.records, all.moved, all.made, all.harms);
	EXPECT_GT(all.degraded, 0u);
	EXPECT_GT(all.harms, all.images / 2);
	EXPECT_GT(all.chunks, 0u);
	EXPECT_GT(all.intents, 0u);
	EXPECT_GT(all.records, 0u);
}

} // namespace
