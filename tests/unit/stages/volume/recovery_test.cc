/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Recovery and the cache of the map: what it has to change fits if the cache is as large as it was when that was
 * written, and the cache grows for that long if it is not.
 */

#include "tests/support/store_rig.h"

extern "C" {
#include "stages/volume/store_replay.h"
}

namespace
{

const uint64_t kStep = MAP_FANOUT; /* each write on a page of its own */

class Scattered
{
      public:
	StoreRig rig;

	explicit Scattered(uint64_t cache) : rig(space_of(256, 6))
	{
		rig.vol_bytes = 8ull << 30;
		rig.map_bytes = cache;
		rig.checkpoint_bytes = 1ull << 30;
	}

	void
	write(uint64_t from, uint64_t n, uint64_t stamp)
	{
		for (uint64_t i = from; i < from + n && rig.fs->on(); i++) {
			int ret = rig.run(STRAKE_OP_WRITE, i * kStep, 1, StoreRig::blocks(1, stamp + i));

			ASSERT_TRUE(ret == 0 || !rig.fs->on()) << ret;
		}
	}

	void
	expect(uint64_t n, uint64_t stamp)
	{
		for (uint64_t i = 0; i < n; i++) {
			bytes out;

			ASSERT_EQ(0, rig.run(STRAKE_OP_READ, i * kStep, 1, {}, &out));
			ASSERT_EQ(stamp + i, StoreRig::stamp_of(out.data())) << "page " << i;
		}
	}
};

/* 700 pages changed, and a cache of fewer than 500. */
TEST(Recovery, ACacheThatIsSmallerThanItWasGrowsForIt)
{
	Scattered s(16u << 20);

	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	uint64_t checkpoints = s.rig.st->stats.checkpoints;

	s.write(0, 700, 1000);
	EXPECT_EQ(checkpoints, s.rig.st->stats.checkpoints);
	ASSERT_EQ(0, s.rig.run(STRAKE_OP_FLUSH, 0, 0));
	s.rig.power_goes();
	s.rig.map_bytes = MAP_BYTES_MIN;
	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	EXPECT_GT(s.rig.st->stats.map_grown, 0u);
	EXPECT_LE(map_stats(s.rig.st->map)->bytes, MAP_BYTES_MIN) << "and is what it shall be again";
	s.expect(700, 1000);
	s.write(0, 700, 5000);
	s.expect(700, 5000);
	s.rig.down(false);
}

TEST(Recovery, CutShortWithASmallCacheItBeginsAgain)
{
	Scattered s(16u << 20);
	unsigned cuts = 0;

	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	s.write(0, 700, 1000);
	ASSERT_EQ(0, s.rig.run(STRAKE_OP_FLUSH, 0, 0));
	s.rig.power_goes();
	s.rig.map_bytes = MAP_BYTES_MIN;
	/* Segments are freed first, 250 of them; then pages are written. */
	for (uint64_t at = 1; at < 400; at += at < 230 ? 57 : 5) {
		s.rig.fs->cut_at(at);
		if (s.rig.boot() == 0)
			break;
		EXPECT_FALSE(s.rig.fs->on()) << s.rig.why;
		cuts++;
		s.rig.down(true);
		s.rig.fs->restore();
	}
	EXPECT_GT(cuts, 3u);
	if (s.rig.up)
		s.rig.down(true);
	s.rig.fs->cut_at(0);
	s.rig.fs->restore();
	ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
	s.expect(700, 1000);
	s.rig.down(false);
}

/* Power goes while a checkpoint is under way, and hosts went on beside it as far as they could: still the same cache is
 * enough. */
TEST(Recovery, TheSameCacheIsAlwaysEnough)
{
	Scattered s(MAP_BYTES_MIN);
	uint64_t stamp = 1000, most = 0;

	for (unsigned life = 0; life < 8; life++) {
		std::vector<RigReq> beside(40 * life);

		ASSERT_EQ(0, s.rig.boot()) << s.rig.why;
		EXPECT_EQ(0u, s.rig.st->stats.map_grown + map_stats(s.rig.st->map)->grown) << "life " << life;
		most = std::max(most, s.rig.st->stats.pages);
		if (life > 0)
			s.expect(100, stamp);
		stamp += 1000;
		s.write(0, 100, stamp);
		ASSERT_EQ(0, s.rig.run(STRAKE_OP_FLUSH, 0, 0));

		const store_ckpt &c = s.rig.st->ckpt;
		uint64_t begun = c.begun, i = 100;

		for (; c.begun == begun && i < 2000; i++)
			s.write(i, 1, stamp);
		ASSERT_GT(c.begun, begun);
		s.rig.fs->hold = true;
		for (RigReq &r : beside)
			s.rig.submit(r, STRAKE_OP_WRITE, i++ * kStep, 1, StoreRig::blocks(1, stamp));
		for (int t = 0; t < 300; t++)
			s.rig.turn();
		EXPECT_GT(c.begun, c.ended);
		s.rig.fs->hold = false;
		s.rig.fs->cut();
		for (int t = 0; t < 30; t++)
			s.rig.turn();
		s.rig.power_goes();
	}
	EXPECT_GT(most, 120u) << "pages that recovery changed";
}

constexpr uint64_t kPlace = ~(0x7ffULL << 48); /* of a word, without the generation */

/* Writes block 7 until it lies where it should. @return its word. */
uint64_t
write_until(StoreRig &rig, uint64_t stamp, const std::function<bool(uint64_t)> &there)
{
	for (int i = 0; i < 400; i++) {
		RigReq r;

		r.advice.n = 1;
		r.advice.block[0].valid = 1;
		rig.submit(r, STRAKE_OP_WRITE, 7, 1, StoreRig::blocks(1, stamp), 0, nullptr, true);
		EXPECT_TRUE(rig.drain());
		if (there(r.advice.block[0].where))
			return r.advice.block[0].where;
	}
	ADD_FAILURE() << "it never comes to lie there";
	return 0;
}

/* A dedup index outlives what power took: its word for a lost block must not be good for the next one there. */
TEST(Recovery, AWordForALostBlockIsRefused)
{
	FakeSpaceConf c;

	c.segments = 64;
	c.rows = 8;
	StoreRig rig(c);
	RigReq next;
	bytes out;

	/* The second segment that is opened, since the first is the map's after the crash. */
	ASSERT_EQ(0, rig.boot()) << rig.why;
	uint64_t first = write_until(rig, 411, [](uint64_t) { return true; });
	uint64_t lost = write_until(rig, 411, [&](uint64_t w) { return log_entry_seg(w) != log_entry_seg(first); });

	rig.power_goes();
	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0u, rig.st->stats.replayed);
	write_until(rig, 457, [&](uint64_t w) { return ((w ^ lost) & kPlace) == 0; });
	next.advice.n = 1;
	next.advice.block[0].valid = 1;
	next.advice.block[0].where = lost;
	next.advice.block[0].owner_vol = 1;
	next.advice.block[0].owner_lba = 7;
	rig.submit(next, STRAKE_OP_WRITE, 70, 1, StoreRig::blocks(1, 411), 0, nullptr, true);
	ASSERT_TRUE(rig.drain());
	EXPECT_EQ(0, next.advice.block[0].hit);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 70, 1, {}, &out));
	EXPECT_EQ(StoreRig::blocks(1, 411), out);
	rig.down(false);
}

/* One chunk of a block, as recovery finds it: at its place, or right by parity only there. */
void
found(store_replay *r, uint64_t lsn, uint64_t place, bool right)
{
	static const uint8_t payload[4096] = {};
	log_head h = {};

	h.lsn = lsn;
	h.kind = LOG_DATA;
	h.seal.blocks = 1;
	h.seal.plain = h.seal.stored = 4096;
	log_head_measure(&h);
	h.seg = log_entry_seg(place);
	h.off = log_entry_off(place);
	ASSERT_EQ(log_entry_chunk(place), log_direct(h.seg, h.off, h.bytes, 0));
	ASSERT_EQ(0, store_replay_add(r, &h, right ? place : 0, payload));
}

/* Recovery writes what is right by parity only anew, and may be cut short each time, so a chunk is found twice, three
 * times: what was told of any of them means the one that is kept. */
TEST(Recovery, ARecordFindsItsBlockWhicheverCopyIsKept)
{
	FakeSpaceConf c;
	StoreRig rig(c);
	log_head h = {};

	h.kind = LOG_DATA;
	h.seal.blocks = 1;
	h.seal.stored = 4096;
	log_head_measure(&h);
	const uint64_t a = log_direct(3, 4096, h.bytes, 0), b = log_direct(9, 0, h.bytes, 0),
		       d = log_direct(5, 640, h.bytes, 0), given = log_direct(12, 64, h.bytes, 0);

	ASSERT_EQ(0, rig.boot()) << rig.why;
	for (unsigned right = 0; right < 8; right++) {
		store_replay *r = (store_replay *)calloc(1, sizeof(*r));
		uint64_t lies;

		r->st = rig.st;
		rig.st->replay = r;
		found(r, 50, b, right & 1);
		found(r, 50, a, right & 2);
		found(r, 50, d, right & 4);
		ASSERT_EQ(0, store_replay_sort(r));
		ASSERT_EQ(1u, r->n_items);
		lies = r->item[0].place;
		if (lies == 0) {
			lies = given;
			store_replay_moved(r, &r->item[0], given);
		}
		for (uint64_t told : {a, b, d})
			EXPECT_EQ(lies, store_replay_place(r, told, 51)) << "right " << right;
		EXPECT_EQ(a, store_replay_place(r, a, 49)) << "what lay there before";
		store_replay_fini(rig.st);
	}
	rig.down(false);
}

/* A segment table in parts: a later one lies in a segment that was used before, and was opened for it, so that an
 * earlier one has the generation that it had then. */
TEST(Recovery, ATableMayLieInASegmentOfWhichItsBeginKnowsNot)
{
	FakeSpaceConf c;
	unsigned again = 0;

	c.segments = 2 * LOG_TABLE_ENTRIES;
	c.rows = 3;
	StoreRig rig(c);
	rig.vol_bytes = 8ull << 30;
	ASSERT_EQ(0, rig.boot()) << rig.why;
	for (uint64_t stamp = 100; stamp < 400 && again < 2; stamp++) {
		const log_super &s = rig.st->ckpt.super;
		bytes out;

		for (uint64_t i = 0; i < 12 + stamp % 16; i++)
			ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, i * kStep, 1, StoreRig::blocks(1, stamp)));
		rig.checkpoint();
		ASSERT_EQ(2u, s.n_table);
		uint32_t seg = log_entry_seg(s.table[1]);
		if (seg == log_entry_seg(s.table[0]) || seg >= LOG_TABLE_ENTRIES || rig.st->seg[seg].d.gen == 1)
			continue;
		again++;
		rig.power_goes();
		ASSERT_EQ(0, rig.boot()) << rig.why;
		ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 1, {}, &out));
		EXPECT_EQ(stamp, StoreRig::stamp_of(out.data()));
	}
	EXPECT_EQ(2u, again);
	rig.down(false);
}

/* So many blocks, flushed; then power goes, and one drive turns out to have kept none of them: all that lies there is
 * right by parity only. */
void
spoiled(StoreRig &rig, uint32_t n)
{
	std::vector<uint32_t> rows;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 0, n, StoreRig::blocks(n, 100)));
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	for (uint32_t seg = 0; seg < rig.conf.segments; seg++)
		rows.push_back(rig.fs->rows_written(seg));
	rig.power_goes();
	for (uint32_t seg = 0; seg < rig.conf.segments; seg++) {
		for (uint32_t row = 0; row < rows[seg]; row++)
			rig.fs->wrong(seg, row, 0, 0, rig.conf.unit);
	}
}

void
expect_all(StoreRig &rig, uint32_t n)
{
	bytes out;

	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, n, {}, &out));
	EXPECT_EQ(StoreRig::blocks(n, 100), out);
}

/* More than a segment. */
TEST(Recovery, AfterItADriveMayBeLostThoughMuchWasRightByParityOnly)
{
	FakeSpaceConf c;
	StoreRig rig(c);

	spoiled(rig, 100);
	ASSERT_EQ(0, rig.boot()) << rig.why;
	rig.fs->unreadable(UINT32_MAX, 0, 1);
	expect_all(rig, 100);
	rig.down(true);
}

/* The parity that is to follow what lies there is the way to what is being written anew: not before that is durable. */
TEST(Recovery, KeepsTheParityUntilWhatNeedsItIsWrittenAnew)
{
	FakeSpaceConf c;
	StoreRig rig(c);
	FakeSpaceFault f;

	spoiled(rig, 24);
	f.ops = 1u << STRAKE_SPACE_ROW;
	rig.fs->fault(f);
	ASSERT_NE(0, rig.boot());
	rig.down(true);
	rig.fs->no_faults();
	ASSERT_EQ(0, rig.boot()) << rig.why;
	expect_all(rig, 24);
	rig.down(false);
}

} // namespace
