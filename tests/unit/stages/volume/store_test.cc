/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <deque>

#include "tests/support/store_rig.h"

extern "C" {
#include "conf_key.h"
}

namespace
{

TEST(Store, KeepsWhatWasWritten)
{
	StoreRig rig(small());
	bytes out;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 8, {}, &out));
	EXPECT_EQ(bytes(8 * 4096, 0), out);
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 3, 20, StoreRig::blocks(20, 100)));
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 3, 20, {}, &out));
	EXPECT_EQ(StoreRig::blocks(20, 100), out);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 40, {}, &out));
	EXPECT_EQ(0, memcmp(&out[3 * 4096], StoreRig::blocks(20, 100).data(), 20 * 4096));
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	rig.down(false);
	EXPECT_EQ(0, rig.close_status);
	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 3, 20, {}, &out));
	EXPECT_EQ(StoreRig::blocks(20, 100), out);
	rig.down(false);
}

TEST(Store, AFlushSurvivesACrash)
{
	StoreRig rig(small());
	bytes out;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 0, 2, StoreRig::blocks(2, 100)));
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 100, 64, StoreRig::blocks(64, 200)));
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 200, 1, StoreRig::blocks(1, 300), nullptr, STRAKE_UNIT_FUA));
	rig.power_goes();
	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 2, {}, &out));
	EXPECT_EQ(StoreRig::blocks(2, 100), out);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 200, 1, {}, &out));
	EXPECT_EQ(StoreRig::blocks(1, 300), out);
	rig.down(false);
}

/* It is zero already, but only in memory. */
TEST(Store, AForcedWriteThatChangesNothingIsDurableToo)
{
	StoreRig rig(small());
	bytes out;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 5, 2, StoreRig::blocks(2, 100)));
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	ASSERT_EQ(0, rig.run(STRAKE_OP_DEALLOCATE, 5, 2));
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE_ZEROES, 5, 1, {}, nullptr, STRAKE_UNIT_FUA));
	rig.power_goes();
	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 5, 1, {}, &out));
	EXPECT_EQ(bytes(4096, 0), out);
	rig.down(false);
}

/* A drive is away, and what was written last is torn: some ways to read it cannot be tried, and that is no reason. */
TEST(Store, OpensWithoutADriveWhenTheEndOfTheLogIsTorn)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		FakeSpaceConf c = small();
		bytes out;

		c.seed = seed;
		StoreRig rig(c);

		ASSERT_EQ(0, rig.boot()) << rig.why;
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 0, 64, StoreRig::blocks(64, 100)));
		ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 100, 200, StoreRig::blocks(200, 300)));
		rig.power_goes();
		rig.fs->unreadable(UINT32_MAX, 0, 0);
		ASSERT_EQ(0, rig.boot()) << "seed " << seed << ": " << rig.why;
		ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 64, {}, &out)) << "seed " << seed;
		EXPECT_EQ(StoreRig::blocks(64, 100), out) << "seed " << seed;
		rig.down(true);
	}
}

/* A drive that lost what it was told to write shows zeroes, which otherwise end a row. */
TEST(Store, MissesNothingWhereADriveLostAWrite)
{
	for (uint32_t column = 0; column < 3; column++) {
		StoreRig rig(small());
		std::vector<uint32_t> written;
		bytes out;

		ASSERT_EQ(0, rig.boot()) << rig.why;
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 0, 100, StoreRig::blocks(100, 100)));
		ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
		for (uint32_t seg = 0; seg < rig.conf.segments; seg++)
			written.push_back(rig.fs->rows_written(seg));
		rig.power_goes();
		for (uint32_t seg = 0; seg < rig.conf.segments; seg++) {
			for (uint32_t row = 0; row < written[seg]; row++)
				rig.fs->misdirect(seg, row, column, rig.conf.segments - 1, 0);
		}
		ASSERT_EQ(0u, written.back());
		ASSERT_EQ(0, rig.boot()) << rig.why;
		ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 100, {}, &out));
		EXPECT_EQ(StoreRig::blocks(100, 100), out) << "column " << column;
		rig.down(false);
	}
}

TEST(Store, MergesPartsOfBlocks)
{
	StoreRig rig(small());
	bytes out, want(8192), part(1024, 0x5a);

	rig.lba_shift = 9;
	ASSERT_EQ(0, rig.boot()) << rig.why;
	want = StoreRig::blocks(2, 100);
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 0, 16, want));
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 7, 2, part));
	memcpy(&want[7 * 512], part.data(), 1024);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 16, {}, &out));
	EXPECT_EQ(want, out);
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE_ZEROES, 3, 2));
	memset(&want[3 * 512], 0, 1024);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 1, 9, {}, &out));
	EXPECT_EQ(bytes(want.begin() + 512, want.begin() + 5120), out);
	rig.down(false);
}

TEST(Store, ComparesAndWrites)
{
	StoreRig rig(small());
	bytes a = StoreRig::blocks(1, 100), b = StoreRig::blocks(1, 200), both, out;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 5, 1, a));
	EXPECT_EQ(0, rig.run(STRAKE_OP_COMPARE, 5, 1, a));
	EXPECT_EQ(-EILSEQ, rig.run(STRAKE_OP_COMPARE, 5, 1, b));
	both = b;
	both.insert(both.end(), a.begin(), a.end());
	EXPECT_EQ(-EILSEQ, rig.run(STRAKE_OP_COMPARE_WRITE, 5, 1, both));
	both = a;
	both.insert(both.end(), b.begin(), b.end());
	EXPECT_EQ(0, rig.run(STRAKE_OP_COMPARE_WRITE, 5, 1, both));
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 5, 1, {}, &out));
	EXPECT_EQ(b, out);
	rig.down(false);
}

TEST(Store, AnEmptyVolumeIsFullOfZeroesAndTrimmedBlocksAre)
{
	StoreRig rig(small());
	bytes out;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, 10, 30, StoreRig::blocks(30, 100)));
	ASSERT_EQ(0, rig.run(STRAKE_OP_DEALLOCATE, 0, 1000));
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 10, 30, {}, &out));
	EXPECT_EQ(bytes(30 * 4096, 0), out);
	struct store_usage u;

	store_usage(rig.st, &u);
	EXPECT_EQ(0u, u.logical_blocks);
	EXPECT_EQ(0u, u.unique_blocks);
	rig.down(false);
}

/* What rebuild and scrub ask; only an open store knows. */
TEST(Store, TellsTheSpaceWhatIsInUse)
{
	StoreRig rig(small());
	uint32_t rows = 0, used = 0, all = 0;

	ASSERT_EQ(nullptr, rig.fs->space()->used);
	ASSERT_EQ(0, rig.boot()) << rig.why;
	strake_space *sp = rig.fs->space();

	ASSERT_NE(nullptr, sp->used);
	for (uint64_t lba = 0; lba < 512; lba += 64)
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, lba, 64, StoreRig::blocks(64, 1000 + lba)));
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	for (uint32_t seg = 0; seg < sp->segments; seg++) {
		used += sp->used(sp->store, seg, &rows);
		all += rows;
	}
	EXPECT_GE((uint64_t)all * sp->row_bytes, 512u * 4096);
	EXPECT_LT(used, sp->segments);
	EXPECT_FALSE(sp->used(sp->store, sp->segments, &rows)) << "as a space that grew would ask";
	rig.down(false);
	EXPECT_EQ(nullptr, rig.fs->space()->used);
}

/* A fast hash proves nothing: what may be the same is read and compared, a chunk of eight blocks once. */
TEST(Store, ComparesAWholeChunkAtOnce)
{
	StoreRig rig(small());
	RigReq first, again, other;
	bytes data = StoreRig::blocks(8, 50), out;

	ASSERT_EQ(0, rig.boot()) << rig.why;
	for (RigReq *r : {&first, &again, &other}) {
		r->advice.n = 8;
		r->advice.compare = 1;
		for (int i = 0; i < 8; i++)
			r->advice.block[i].valid = 1;
	}
	rig.submit(first, STRAKE_OP_WRITE, 0, 8, data, 0, nullptr, true);
	ASSERT_TRUE(rig.drain());
	ASSERT_EQ(0, first.status);
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	for (RigReq *r : {&again, &other}) {
		for (int i = 0; i < 8; i++) {
			r->advice.block[i].where = first.advice.block[i].where;
			r->advice.block[i].owner_vol = first.advice.block[i].owner_vol;
			r->advice.block[i].owner_lba = first.advice.block[i].owner_lba;
		}
	}
	uint64_t before = rig.st->stats.reads;

	rig.submit(again, STRAKE_OP_WRITE, 100, 8, data, 0, nullptr, true);
	ASSERT_TRUE(rig.drain());
	ASSERT_EQ(0, again.status);
	EXPECT_EQ(1u, rig.st->stats.reads - before);
	EXPECT_EQ(8u, rig.st->stats.hit_blocks);

	/* The hash says all eight are known; one is another. */
	data = StoreRig::blocks(8, 50);
	StoreRig::stamp(&data[3 * 4096], 999);
	rig.submit(other, STRAKE_OP_WRITE, 200, 8, data, 0, nullptr, true);
	ASSERT_TRUE(rig.drain());
	ASSERT_EQ(0, other.status);
	EXPECT_EQ(15u, rig.st->stats.hit_blocks);
	EXPECT_EQ(1, other.advice.block[3].differs);
	EXPECT_EQ(0, other.advice.block[3].hit);
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(i != 3, other.advice.block[i].hit == 1) << i;
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 200, 8, {}, &out));
	EXPECT_EQ(data, out);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 100, 8, {}, &out));
	EXPECT_EQ(StoreRig::blocks(8, 50), out);
	rig.down(false);
}

/* Written until it is full: refused as that, trims go through, and then so do writes. */
TEST(Store, FullIsSaidAndGotOutOf)
{
	FakeSpaceConf c = small();
	bytes out;

	c.segments = 40;
	c.rows = 4;
	StoreRig rig(c);

	rig.vol_bytes = 64u << 20;
	ASSERT_EQ(0, rig.boot()) << rig.why;
	uint64_t lba = 0;
	int ret = 0;

	for (; ret == 0 && lba < 8000; lba += 8)
		ret = rig.run(STRAKE_OP_WRITE, lba, 8, StoreRig::blocks(8, 1 + lba));
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_GT(lba, 600u);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 8, {}, &out));
	EXPECT_EQ(StoreRig::blocks(8, 1), out);
	EXPECT_EQ(0, rig.run(STRAKE_OP_DEALLOCATE, 0, (uint32_t)lba / 2));
	for (int i = 0; i < 50000 && ret != 0; i++) {
		rig.turn();
		if (i % 1000 == 0)
			ret = rig.run(STRAKE_OP_WRITE, 0, 8, StoreRig::blocks(8, 5));
	}
	EXPECT_EQ(0, ret);
	ASSERT_EQ(0, rig.run(STRAKE_OP_READ, 0, 8, {}, &out));
	EXPECT_EQ(StoreRig::blocks(8, 5), out);
	rig.down(true);
}

/* Full, and its space grows: there is room again, of which nothing is lost whenever power goes. */
TEST(Store, ALargerSpaceIsUsedAtOnceAndAfterACrash)
{
	FakeSpaceConf c = small();
	bytes out;
	uint64_t lba = 0, was;
	int ret = 0;

	c.segments = 40;
	c.rows = 4;
	StoreRig rig(c);

	rig.vol_bytes = 64u << 20;
	ASSERT_EQ(0, rig.boot()) << rig.why;
	for (; ret == 0 && lba < 8000; lba += 8)
		ret = rig.run(STRAKE_OP_WRITE, lba, 8, StoreRig::blocks(8, 1 + lba));
	ASSERT_EQ(-ENOSPC, ret);
	was = lba - 8;
	for (int i = 0; i < 2000; i++)
		rig.turn();
	rig.fs->grow(100);
	for (int i = 0; i < 50000 && ret != 0; i++) {
		rig.turn();
		if (i % 1000 == 0)
			ret = rig.run(STRAKE_OP_WRITE, was, 8, StoreRig::blocks(8, 1 + was));
	}
	ASSERT_EQ(0, ret);
	EXPECT_EQ(80u, rig.st->n_seg) << "twice as many as it was opened with";
	for (lba = was + 8; ret == 0 && lba < 8000; lba += 8)
		ret = rig.run(STRAKE_OP_WRITE, lba, 8, StoreRig::blocks(8, 1 + lba));
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_GT(lba, 3 * was / 2);
	lba -= 8;
	ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
	rig.down(true);
	ASSERT_EQ(0, rig.boot()) << rig.why;
	EXPECT_EQ(100u, rig.st->n_seg);
	for (uint64_t at = 0; at < lba; at += 8) {
		ASSERT_EQ(0, rig.run(STRAKE_OP_READ, at, 8, {}, &out)) << at;
		ASSERT_EQ(StoreRig::blocks(8, 1 + at), out) << at;
	}
	rig.down(false);
}

/* Power goes with each write after the growth: no segment is counted, or written, before all is durable. */
TEST(Store, GrowthMayBeCutShortAnywhere)
{
	for (unsigned int nth = 1; nth <= 12; nth++) {
		FakeSpaceConf c = small();
		std::deque<RigReq> asked;
		uint64_t more = 400;
		bytes out;

		c.segments = 40;
		c.rows = 4;
		StoreRig rig(c);

		rig.vol_bytes = 64u << 20;
		ASSERT_EQ(0, rig.boot()) << rig.why;
		for (uint64_t lba = 0; lba < 400; lba += 8)
			ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, lba, 8, StoreRig::blocks(8, 1 + lba)));
		ASSERT_EQ(0, rig.run(STRAKE_OP_FLUSH, 0, 0));
		rig.fs->grow(60);
		rig.fs->cut_at(nth);
		for (; more < 4000 && rig.fs->on(); more += 8) {
			asked.emplace_back();
			rig.submit(asked.back(), STRAKE_OP_WRITE, more, 8, StoreRig::blocks(8, 1 + more));
			for (int t = 0; t < 2000 && !asked.back().done && rig.fs->on(); t++)
				rig.turn();
		}
		EXPECT_FALSE(rig.fs->on()) << "write " << nth << " never came";
		rig.down(true);
		rig.fs->restore();
		ASSERT_EQ(0, rig.boot()) << rig.why << " after " << nth;
		EXPECT_EQ(60u, rig.st->n_seg);
		for (uint64_t lba = 0; lba < 400; lba += 8) {
			ASSERT_EQ(0, rig.run(STRAKE_OP_READ, lba, 8, {}, &out)) << lba << " after " << nth;
			ASSERT_EQ(StoreRig::blocks(8, 1 + lba), out) << lba << " after " << nth;
		}
		rig.down(false);
	}
}

/* --- overwritten at random, more than once over, nearly full --- */

strake_stage *
lz4()
{
	const strake_stage_ops *ops = strake_stage_find("compress");
	const char *pairs[] = {"codec", "lz4", nullptr};
	static conf_values *values;
	strake_stage *out = nullptr;
	char err[200] = "";

	if (values == nullptr)
		values = conf_values_make(ops->keys, pairs, err, sizeof(err));
	EXPECT_EQ(0, strake_stage_create(&out, ops, "v0.compress", values, -1, err, sizeof(err))) << err;
	return out;
}

/* Half stamp, half zeroes: LZ4 makes about one block of two, and it tells whose it is. */
bytes
halves(uint32_t n, uint64_t s)
{
	bytes b((size_t)n * 4096, 0);

	for (uint32_t i = 0; i < n; i++)
		StoreRig::stamp(&b[(size_t)i * 4096], s + i, 2048);
	return b;
}

void
overwrite_at_random(bool compressed, uint32_t blocks)
{
	FakeSpaceConf c = small();

	c.segments = 100;
	c.unit = 12288;
	StoreRig rig(c);
	std::vector<uint64_t> stamps(blocks);
	std::mt19937_64 rnd(1);
	uint64_t next = 1, written = 0;
	std::deque<RigReq> reqs;
	struct store_usage u;

	rig.vol_bytes = 128u << 20;
	if (compressed)
		rig.before_volume = [&rig] {
			rig.chunk_stages = {lz4()};
			EXPECT_EQ(0, strake_stage_lcore_init(rig.chunk_stages[0]));
		};
	ASSERT_EQ(0, rig.boot()) << rig.why;
	for (uint32_t b = 0; b < blocks; b += 8, next += 8) {
		ASSERT_EQ(0, rig.run(STRAKE_OP_WRITE, b, 8, halves(8, next)));
		for (uint32_t i = 0; i < 8; i++)
			stamps[b + i] = next + i;
	}
	store_usage(rig.st, &u);
	EXPECT_LT(u.free_bytes * 100, u.bytes * 40);
	uint64_t before = u.host_bytes;

	while (written < 2 * u.bytes && !testing::Test::HasFailure()) {
		std::set<uint64_t> busy;

		reqs.clear();
		while (busy.size() < 32) {
			uint64_t b = rnd() % blocks;

			if (!busy.insert(b).second)
				continue;
			stamps[b] = next;
			reqs.emplace_back();
			rig.submit(reqs.back(), STRAKE_OP_WRITE, b, 1, halves(1, next++));
		}
		ASSERT_TRUE(rig.drain(100000));
		for (auto &r : reqs)
			ASSERT_EQ(0, r.status);
		store_usage(rig.st, &u);
		written = u.host_bytes - before;
	}
	for (uint32_t b = 0; b < blocks; b += 8) {
		bytes out;

		ASSERT_EQ(0, rig.run(STRAKE_OP_READ, b, 8, {}, &out));
		for (uint32_t i = 0; i < 8; i++)
			ASSERT_EQ(stamps[b + i], StoreRig::stamp_of(&out[i * 4096], 2048));
	}
	EXPECT_EQ(compressed, rig.st->stats.repacked > 0);
	/* Most of what collection empties comes back without a checkpoint. */
	EXPECT_LT(3 * rig.st->stats.checkpoints, rig.st->stats.collected);
	strake_stage *above = compressed ? rig.chunk_stages[0] : nullptr;

	for (int i = 0; i < 1000 && !strake_pipeline_lcore_drain(); i++)
		rig.turn();
	if (above != nullptr)
		strake_stage_lcore_fini(above);
	rig.down(false);
	EXPECT_EQ(0, rig.close_status);
	if (above != nullptr)
		strake_stage_destroy(above);
}

TEST(Store, NeverFillsUpWithChunksThatAreMostlyDead)
{
	overwrite_at_random(true, 9448);
}

TEST(Store, TakesOverwritesOfPlainRunsForEver)
{
	overwrite_at_random(false, 4936);
}

/* A chunk that goes on in a row that is not written yet is read from memory, all of it: also if a part of its payload
 * ends where its first row does. */
TEST(Store, KeepsARowInMemoryWhileItsLastChunkGoesOn)
{
	StoreRig rig(small());
	const uint32_t row = rig.conf.unit * rig.conf.data;
	const bytes zero(96, 0);
	log_head h = {};
	bytes chunk(192);

	ASSERT_EQ(0, rig.boot()) << rig.why;
	h.kind = LOG_RECORDS;
	h.seal.stored = 48;
	log_head_measure(&h);
	ASSERT_EQ(128u, h.bytes);
	for (uint32_t off = 0; off < row - 128; off += 128) {
		log_head one = h;

		ASSERT_EQ(0, store_room(rig.st, STORE_HOT, one.bytes));
		store_append(rig.st, STORE_HOT, &one, nullptr, zero.data());
	}
	h.seal.stored = 96;
	log_head_measure(&h);
	strake_buf *list = strake_buf_page(64);

	list->next = strake_buf_page(32);
	memset(list->addr, 0, 64);
	memset(list->next->addr, 0, 32);
	ASSERT_EQ(0, store_room(rig.st, STORE_HOT, h.bytes));
	uint64_t place = store_append(rig.st, STORE_HOT, &h, list, nullptr);
	uint32_t seg = log_entry_seg(place), off = log_entry_off(place);

	strake_buf_put_list(list);
	ASSERT_EQ(row - 128, off);
	for (int t = 0; t < 20; t++)
		rig.turn();
	ASSERT_EQ(1u, rig.fs->rows_written(seg));
	ASSERT_TRUE(store_row_has(rig.st, seg, off, 192));
	ASSERT_TRUE(store_row_read(rig.st, seg, off, 192, chunk.data()));
	EXPECT_TRUE(log_chunk_checks(&h, chunk.data()));
	rig.down(true);
}

} // namespace
