/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Drives that lose writes while all runs well, through all of the store. */

#include "tests/support/store_rig.h"

extern "C" {
#include "store_log.h"
}

namespace
{

constexpr uint32_t kBlocks = 100;

void
write_one_by_one(StoreRig &rig, uint32_t n, uint64_t stamp)
{
	for (uint32_t i = 0; i < n; i++)
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, i, 1, StoreRig::blocks(1, stamp + i)));
}

void
expect(StoreRig &rig, uint32_t n, uint64_t stamp)
{
	for (uint32_t i = 0; i < n; i++) {
		bytes out;

		ASSERT_EQ(0, rig.run(STRAKE_OP_READ, i, 1, {}, &out));
		ASSERT_EQ(stamp + i, StoreRig::stamp_of(out.data())) << "block " << i;
	}
}

void
die(StoreRig &rig)
{
	rig.power_goes();
}

/* Where a block lies. */
uint64_t
place_of(StoreRig &rig, uint64_t block)
{
	uint64_t entry = 0, place = 0;

	EXPECT_EQ(0, map_get(rig.st->map, rig.st->vol[0]->tree, block, 1, &entry, nullptr));
	EXPECT_EQ(0, store_resolve(rig.st, entry, &place, nullptr));
	return place;
}

/* Three blocks alone in a row, in its first column, and then enough to fill the segment. @return where the first is. */
uint64_t
row_of_three(StoreRig &rig)
{
	for (unsigned stream = 0; stream < LOG_STREAMS; stream++)
		store_row_close(rig.st, stream);
	EXPECT_EQ(0, rig.run(STRAKE_OP_WRITE, 0, 3, StoreRig::blocks(3, 700)));
	for (unsigned stream = 0; stream < LOG_STREAMS; stream++)
		store_row_close(rig.st, stream);
	EXPECT_EQ(0, rig.run(STRAKE_OP_WRITE, 200, 100, StoreRig::blocks(100, 7000)));
	EXPECT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));

	uint64_t place = place_of(rig, 0);

	EXPECT_EQ(STORE_SEG_CLOSED, rig.st->seg[log_entry_seg(place)].d.state);
	EXPECT_EQ(0u, log_entry_off(place) % (3 * rig.conf.unit));
	return place;
}

void
mend(StoreRig &rig, uint32_t seg, uint32_t row)
{
	store_mend(rig.st, seg, row);
	for (int i = 0; i < 2000; i++)
		rig.turn();
	ASSERT_EQ(0u, rig.st->seg[seg].readers) << "it does not end";
}

/* Segments that were full at the checkpoint are emptied and used again. A drive drops what is first written to one, and
 * what was there before is whole, and in its place: of the generation that the table has. */
TEST(Lies, TheFirstRowOfASegmentIsNotWhatLayThereBefore)
{
	for (uint16_t parity : {1, 2}) {
		FakeSpaceConf c;
		uint64_t stamp = 1000;
		unsigned again = 0;

		c.parity = parity;
		c.segments = 64;
		StoreRig rig(c);

		rig.checkpoint_bytes = 1ull << 30;
		ASSERT_EQ(0, rig.boot()) << rig.why;
		for (int round = 0; round < 16; round++)
			write_one_by_one(rig, kBlocks, stamp += 1000);
		rig.checkpoint();
		rig.fs->loses = [&](const strake_space_io *io, uint32_t column) {
			const log_segment &then = rig.st->ckpt.table[io->seg];

			if (column != 0 || (io->op == STRAKE_SPACE_ROW && io->row > 0))
				return false;
			again += io->op == STRAKE_SPACE_ROW && then.state == STORE_SEG_CLOSED;
			return true;
		};
		uint64_t checkpoints = rig.st->stats.checkpoints;

		for (int round = 0; round < 40 && again == 0; round++)
			write_one_by_one(rig, kBlocks, stamp += 1000);
		ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
		EXPECT_GT(again, 0u);
		EXPECT_EQ(checkpoints, rig.st->stats.checkpoints);
		rig.fs->loses = nullptr;
		die(rig);
		ASSERT_EQ(0, rig.boot()) << rig.why << ", parity " << parity;
		expect(rig, kBlocks, stamp);
		rig.down(false);
	}
}

/* Rows with a chunk each, of which a drive dropped the chunk, and another drive all that one of the parity says of it:
 * so where there should be a chunk there are zeroes, and that parity says so too. */
TEST(Lies, ZeroesAreBelievedOnlyIfAllParitySaysSo)
{
	for (uint32_t other : {3u, 4u}) {
		FakeSpaceConf c;

		c.parity = 2;
		StoreRig rig(c);

		ASSERT_EQ(0, rig.boot()) << rig.why;
		rig.fs->loses = [=](const strake_space_io *io, uint32_t column) {
			return (column == 0 || column == other) && io->op == STRAKE_SPACE_ROW;
		};
		for (uint32_t i = 0; i < 10; i++) {
			ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, i, 1, StoreRig::blocks(1, 500 + i)));
			for (unsigned stream = 0; stream < LOG_STREAMS; stream++)
				store_row_close(rig.st, stream);
		}
		ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
		EXPECT_GT(rig.fs->figures().lost, 10u);
		rig.fs->loses = nullptr;
		die(rig);
		ASSERT_EQ(0, rig.boot()) << rig.why;
		expect(rig, 10, 500);
		rig.down(false);
	}
}

/* Where the segment table lies there was an older one, of the segment's last life: nothing of it is wrong but the
 * generation, which nobody knows before the table is read. */
TEST(Lies, AnOlderTableInItsPlaceIsNotTheTable)
{
	for (uint16_t parity : {1, 2}) {
		FakeSpaceConf c;

		c.parity = parity;
		StoreRig rig(c);

		ASSERT_EQ(0, rig.boot()) << rig.why;
		write_one_by_one(rig, kBlocks, 1000);
		ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
		rig.checkpoint();

		ASSERT_EQ(1u, rig.st->ckpt.super.n_table);
		uint64_t place = rig.st->ckpt.super.table[0];
		uint32_t seg = log_entry_seg(place), off = log_entry_off(place), row_bytes = 3 * c.unit;
		bytes chunk = rig.fs->peek(seg, off, log_entry_bytes(place));
		log_head h;

		ASSERT_EQ(0, log_head_decode(&h, chunk.data(), chunk.size()));
		ASSERT_EQ(LOG_TABLE, h.kind);
		ASSERT_EQ(off / c.unit, (off + h.bytes - 1) / c.unit) << "it is to lie in one column";
		h.gen--;
		std::fill(chunk.begin() + h.head_bytes, chunk.end(), 0);
		log_head_encode(&h, chunk.data());
		log_chunk_seal(chunk.data(), strake_kernel->crc32c(0, chunk.data(), (uint32_t)chunk.size()));
		ASSERT_TRUE(log_chunk_checks(&h, chunk.data()));
		die(rig);
		rig.fs->scribble(seg, off / row_bytes, off % row_bytes / c.unit, off % c.unit, chunk);
		ASSERT_EQ(0, rig.boot()) << rig.why;
		expect(rig, kBlocks, 1000);
		rig.down(false);
	}
}

/* Scrub found a row that disagrees with its parity. What a chunk of it should be cannot be written just then: parity is
 * the only way to it. */
TEST(Lies, ParityIsMadeOfWhatWasRepairedOnly)
{
	StoreRig rig({});
	FakeSpaceFault once;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	uint64_t place = row_of_three(rig);
	uint32_t seg = log_entry_seg(place), row = log_entry_off(place) / (3 * rig.conf.unit);

	rig.fs->wrong(seg, row, 0, 0, 9000);
	once.ops = 1u << STRAKE_SPACE_REPAIR;
	once.count = 1;
	rig.fs->fault(once);
	mend(rig, seg, row);
	expect(rig, 3, 700);
	EXPECT_GT(rig.fs->figures().repaired, 0u);
	for (uint32_t gone = 0; gone < 4; gone++) {
		rig.fs->unreadable(seg, row, gone);
		expect(rig, 3, 700);
		rig.fs->readable();
	}
	/* Now never: it stays as it is, and can be had. */
	rig.fs->wrong(seg, row, 0, 0, 9000);
	once.count = 0;
	rig.fs->fault(once);
	mend(rig, seg, row);
	rig.fs->no_faults();
	expect(rig, 3, 700);
	rig.down(false);
}

/* Behind the last chunk of a row there is nothing, and the walk reads on in the next row. That is over before the
 * segment is let go of, or another row is looked at. */
TEST(Lies, NothingIsReadAnyMoreWhenARowHasBeenMended)
{
	FakeSpaceConf c;

	c.delay_turns = 8;
	StoreRig rig(c);

	ASSERT_EQ(0, rig.boot()) << rig.why;
	/* Two rows before it, so that it ends in another window than it begins in. */
	for (uint32_t i = 0; i < 2; i++) {
		for (unsigned stream = 0; stream < LOG_STREAMS; stream++)
			store_row_close(rig.st, stream);
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 400 + i, 1, StoreRig::blocks(1, 40 + i)));
	}
	uint64_t place = row_of_three(rig);
	uint32_t seg = log_entry_seg(place), row = log_entry_off(place) / (3 * rig.conf.unit);

	ASSERT_EQ(2u, row);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 200; i++)
			rig.turn();
		ASSERT_EQ(0u, rig.st->io_under_way);
		rig.fs->wrong(seg, row, 3, 0, 4000);
		store_mend(rig.st, seg, row);
		rig.turn();
		ASSERT_EQ(1u, rig.st->seg[seg].readers);
		for (int i = 0; i < 2000 && rig.st->seg[seg].readers > 0; i++)
			rig.turn();
		ASSERT_EQ(0u, rig.st->seg[seg].readers);
		ASSERT_EQ(0u, rig.st->io_under_way) << "round " << round;
	}
	EXPECT_GE(rig.fs->figures().repaired, 20u);
	expect(rig, 3, 700);
	rig.down(false);
}

/* What recovery found right as it lies is wrong when it comes to make parity of it: a write to elsewhere came to lie
 * there. */
TEST(Lies, WhatComesToLieInARowBesideRecoveryIsNotMadeItsParity)
{
	StoreRig rig({});
	std::vector<uint32_t> rows;
	bool scanned = false;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	write_one_by_one(rig, kBlocks, 1000);
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	for (uint32_t seg = 0; seg < rig.conf.segments; seg++)
		rows.push_back(rig.fs->rows_written(seg));
	die(rig);
	/* Listed segments are freed when all was scanned. */
	rig.fs->loses = [&](const strake_space_io *io, uint32_t) {
		if (io->op != STRAKE_SPACE_FREE || scanned)
			return false;
		scanned = true;
		for (uint32_t seg = 0; seg < rig.conf.segments; seg++) {
			for (uint32_t row = 0; row < rows[seg]; row++)
				rig.fs->wrong(seg, row, 1, 0, rig.conf.unit);
		}
		return false;
	};
	ASSERT_EQ(0, rig.boot()) << rig.why;
	rig.fs->loses = nullptr;
	EXPECT_TRUE(scanned);
	expect(rig, kBlocks, 1000);
	for (uint32_t gone = 0; gone < 4; gone++) {
		rig.fs->unreadable(UINT32_MAX, 0, gone);
		expect(rig, kBlocks, 1000);
		rig.fs->readable();
	}
	rig.down(false);
}

/* The same where power left the row no parity: what was found is lost, and was not flushed. What it replaced was. */
TEST(Lies, WhatIsLostBesideRecoveryIsAsIfItHadNeverBeenFound)
{
	FakeSpaceConf c;
	bool scanned = false;
	bytes out;

	c.volatile_cache = false;
	StoreRig rig(c);

	ASSERT_EQ(0, rig.boot()) << rig.why;
	write_one_by_one(rig, 10, 1000);
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	for (unsigned stream = 0; stream < LOG_STREAMS; stream++)
		store_row_close(rig.st, stream);
	rig.fs->loses = [](const strake_space_io *io, uint32_t column) {
		return io->op == STRAKE_SPACE_ROW && column == 3;
	};
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 5, 1, StoreRig::blocks(1, 77)));
	uint64_t place = place_of(rig, 5);
	uint32_t seg = log_entry_seg(place), in = log_entry_off(place) % (3 * c.unit);

	for (unsigned stream = 0; stream < LOG_STREAMS; stream++)
		store_row_close(rig.st, stream);
	for (int i = 0; i < 100; i++)
		rig.turn();
	EXPECT_GT(rig.fs->figures().lost, 0u);
	die(rig);
	rig.fs->loses = [&](const strake_space_io *io, uint32_t) {
		if (io->op == STRAKE_SPACE_FREE && !scanned)
			rig.fs->wrong(seg, log_entry_off(place) / (3 * c.unit), in / c.unit, in % c.unit, 512);
		scanned = scanned || io->op == STRAKE_SPACE_FREE;
		return false;
	};
	ASSERT_EQ(0, rig.boot()) << rig.why;
	EXPECT_TRUE(scanned);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 5, 1, {}, &out));
	EXPECT_EQ(1005u, StoreRig::stamp_of(out.data()));
	rig.fs->loses = nullptr;
	rig.down(false);
}

/* Rebuild asks about rows of segments that are still written, too. */
TEST(Lies, RowsOfAnOpenSegmentAreMended)
{
	StoreRig rig({});
	unsigned done = 0;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	write_one_by_one(rig, 24, 1000);
	uint64_t place = place_of(rig, 0);
	uint32_t seg = log_entry_seg(place), n = rig.st->seg[seg].rows;

	ASSERT_EQ(STORE_SEG_OPEN, rig.st->seg[seg].d.state);
	ASSERT_GE(n, 2u);
	for (uint32_t row = 0; row < n; row++)
		rig.fs->wrong(seg, row, 1, 0, rig.conf.unit);
	/* What the last chunk goes on in is in memory the first time. */
	for (unsigned time = 0; time < 2; time++) {
		for (uint32_t row = 0; row < n; row++)
			rig.st->sp->check(
				rig.st->sp->store, seg, row, [](void *arg) { ++*(unsigned *)arg; }, &done);
		for (int i = 0; i < 2000; i++)
			rig.turn();
		EXPECT_EQ((time + 1) * n, done);
	}
	EXPECT_EQ(0u, rig.st->seg[seg].readers);
	for (uint32_t gone = 0; gone < 4; gone++) {
		rig.fs->unreadable(UINT32_MAX, 0, gone);
		expect(rig, 24, 1000);
		rig.fs->readable();
	}
	/* One who waits is told when the store goes away. */
	rig.st->sp->check(
		rig.st->sp->store, seg, 0, [](void *arg) { ++*(unsigned *)arg; }, &done);
	rig.down(false);
	EXPECT_EQ(2 * n + 1, done);
}

/* Behind the last chunk of a row there is nothing. What a drive has there all the same, or what parity says of it, is
 * to cost no chunk the loss of another drive. */
TEST(Lies, ARowIsMendedBehindItsLastChunk)
{
	for (uint32_t column : {0u, 3u}) {
		StoreRig rig({});

		ASSERT_EQ(0, rig.boot()) << rig.why;
		uint64_t place = row_of_three(rig);
		uint32_t seg = log_entry_seg(place), row = log_entry_off(place) / (3 * rig.conf.unit);

		rig.fs->wrong(seg, row, column, log_entry_bytes(place), 512);
		rig.fs->wrong(seg, row, 3, 512, 9000);
		mend(rig, seg, row);
		for (uint32_t gone = 0; gone < 4; gone++) {
			rig.fs->unreadable(seg, row, gone);
			expect(rig, 3, 700);
			rig.fs->readable();
		}
		rig.down(false);
	}
}

/* A row that was closed early, one drive away and another that has something else. Behind the last chunk that makes
 * bytes of what is nothing, and some ways to see so need the drive that is away. */
TEST(Lies, ARowIsMendedBehindItsLastChunkWithADriveAway)
{
	FakeSpaceConf c;

	c.parity = 2;
	for (uint32_t liar : {0u, 2u, 3u, 4u}) {
		StoreRig rig(c);

		ASSERT_EQ(0, rig.boot()) << rig.why;
		uint64_t place = row_of_three(rig);
		uint32_t seg = log_entry_seg(place), row = log_entry_off(place) / (3 * rig.conf.unit);

		rig.fs->unreadable(UINT32_MAX, 0, 1);
		rig.fs->wrong(seg, row, liar, 512, c.unit - 512);
		mend(rig, seg, row);
		for (uint32_t gone : {0u, 2u, 3u, 4u}) {
			rig.fs->unreadable(UINT32_MAX, 0, gone);
			expect(rig, 3, 700);
			rig.fs->readable();
			rig.fs->unreadable(UINT32_MAX, 0, 1);
		}
		rig.down(false);
	}
}

/* A drive that is rebuilt gets no intents: what they have is made durable in rows, and all are void, those that it may
 * have of a time when it was not there to be asked, too. */
TEST(Lies, WhatIntentsHaveIsPutIntoRowsForWhoAsks)
{
	StoreRig rig({});
	std::vector<int> over;
	auto done = [](void *arg, int status) { ((std::vector<int> *)arg)->push_back(status); };

	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 0, 1, StoreRig::blocks(1, 700)));
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	ASSERT_GT(rig.st->stats.intents, 0u);
	ASSERT_LT(rig.st->mark_head, rig.st->mark_tail) << "it is in an intent only";
	rig.st->sp->to_rows(rig.st->sp->store, done, &over);
	EXPECT_EQ(0u, over.size());
	for (int i = 0; i < 2000 && over.empty(); i++)
		rig.turn();
	EXPECT_EQ(std::vector<int>{0}, over);
	EXPECT_EQ(rig.st->mark_head, rig.st->mark_tail);
	EXPECT_EQ(rig.st->intent_seq, rig.st->ckpt.super.intent_seq);
	EXPECT_EQ(rig.st->ckpt.begun, rig.st->ckpt.ended) << "and that is durable";
	/* One who waits is told when the store goes away. */
	rig.st->sp->to_rows(rig.st->sp->store, done, &over);
	EXPECT_EQ(1u, over.size());
	rig.down(true);
	EXPECT_EQ(2u, over.size());
}

} // namespace
