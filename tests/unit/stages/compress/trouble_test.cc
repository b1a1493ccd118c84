/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <deque>

#include "chunk_world.h"

extern "C" {
#include "stages/compress/compress.h"
}

namespace
{

/* Stands between the lane and its device, and does to it what a bad device would. */
struct BadDevice {
	uint16_t (*enqueue)(uint8_t, uint16_t, rte_comp_op **, uint16_t);
	uint16_t (*dequeue)(uint8_t, uint16_t, rte_comp_op **, uint16_t);
	std::deque<rte_comp_op *> inside;
	uint16_t room = UINT16_MAX; /* operations it takes at a time */
	uint16_t give = UINT16_MAX; /* and gives back in a call */
	bool shuffle = false;
	unsigned int fail = 0; /* so many operations end with this status */
	uint8_t with = RTE_COMP_OP_STATUS_ERROR;
	unsigned int lie = 0; /* so many end well with too few bytes */
	unsigned int taken = 0;
} bad;

uint16_t
bad_enqueue(uint8_t dev, uint16_t qp, rte_comp_op **ops, uint16_t n)
{
	uint16_t took = 0;

	for (; took < n && bad.inside.size() < bad.room; took++) {
		rte_comp_op *back;

		EXPECT_EQ(1, bad.enqueue(dev, qp, &ops[took], 1));
		EXPECT_EQ(1, bad.dequeue(dev, qp, &back, 1));
		bad.taken++;
		if (bad.fail > 0) {
			bad.fail--;
			back->status = bad.with;
			memset(rte_pktmbuf_mtod(back->m_dst, void *), 0xdb, rte_pktmbuf_data_len(back->m_dst));
		} else if (bad.lie > 0) {
			bad.lie--;
			back->produced = back->produced / 2;
		}
		if (bad.shuffle)
			bad.inside.push_front(back);
		else
			bad.inside.push_back(back);
	}
	return took;
}

uint16_t
bad_dequeue(uint8_t dev, uint16_t qp, rte_comp_op **ops, uint16_t n)
{
	uint16_t gave = 0;

	for (; gave < n && gave < bad.give && !bad.inside.empty(); gave++) {
		ops[gave] = bad.inside.front();
		bad.inside.pop_front();
	}
	return gave;
}

class CompressTrouble : public ChunkWorld
{
      protected:
	void
	SetUp() override
	{
		start(1);
		strake_lcore_enter(0);
		make_sink();
		with("128");
	}
	void
	with(const char *queue)
	{
		strake_lcore_enter(0);
		st = make("compress", queue, {"codec", "deflate", "queue", queue});
		chain_up({st});
		lc = (compress_lcore *)st->lc[1];
		((compress *)st->priv)->device->expands = true; /* as hardware does */
		bad = BadDevice();
		bad.enqueue = lc->lane.enqueue;
		bad.dequeue = lc->lane.dequeue;
		lc->lane.enqueue = bad_enqueue;
		lc->lane.dequeue = bad_dequeue;
	}
	const struct compress_stats &
	stats()
	{
		return *lc->stats;
	}
	/** So many writes in one burst. */
	void
	burst(std::vector<Chunk> &all, uint8_t op)
	{
		std::vector<strake_unit *> units;

		for (unsigned int i = 0; i < all.size(); i++) {
			fill(&all[i], op, i, (uint8_t)(1 + i % 4));
			if (op == STRAKE_OP_WRITE) {
				all[i].bytes = bytes((1 + i % 4) * 4096u, i + 1);
				all[i].c->u.bufs = pieces(all[i].bytes, 3000);
			}
			units.push_back(&all[i].c->u);
		}
		strake_chain_begin(chain, units.data(), (uint16_t)units.size());
	}
	/** All that was written is there, whatever became of it on the way. */
	void
	check(std::vector<Chunk> &all)
	{
		std::vector<uint8_t> back;

		for (unsigned int i = 0; i < all.size(); i++) {
			ASSERT_EQ(0, read(i, &back)) << i;
			ASSERT_TRUE(all[i].bytes == back) << i;
		}
	}
	uint8_t
	codec(uint64_t lba)
	{
		return seal_sink.at[lba].seal.codec;
	}

	strake_stage *st = nullptr;
	compress_lcore *lc = nullptr;
};

} // namespace

TEST_F(CompressTrouble, AFullDeviceDelays)
{
	for (uint16_t room : {1, 3, 10}) {
		std::vector<Chunk> all(STRAKE_BURST);

		bad.room = room;
		bad.give = 2;
		burst(all, STRAKE_OP_WRITE);
		turn(80);
		for (Chunk &c : all)
			ASSERT_EQ(0, end(&c));
		burst(all, STRAKE_OP_READ);
		turn(80);
		for (Chunk &c : all) {
			std::vector<uint8_t> back;

			ASSERT_EQ(0, end(&c, &back));
			ASSERT_TRUE(c.bytes == back);
		}
	}
	EXPECT_EQ(3u * STRAKE_BURST, stats().shrunk + stats().stayed_plain);
	EXPECT_EQ(0u, stats().device_failures);
	EXPECT_GT(st->stats[1].retry, 0u);
	EXPECT_GT(stats().waited, 0u);
}

TEST_F(CompressTrouble, FewJobsAreEnough)
{
	chain_down();
	strake_lcore_enter(0);
	make_sink();
	with("1");
	std::vector<Chunk> all(STRAKE_BURST);

	bad.give = 0; /* the only job stays away */
	burst(all, STRAKE_OP_WRITE);
	turn(2);
	EXPECT_EQ(1u, bad.inside.size());
	bad.give = 1;
	turn(80);
	for (Chunk &c : all)
		ASSERT_EQ(0, end(&c));
	check(all);
	EXPECT_EQ(all.size(), stats().shrunk + stats().stayed_plain);
}

TEST_F(CompressTrouble, JobsComeBackLateInAnyOrder)
{
	std::vector<Chunk> all(STRAKE_BURST);

	bad.give = 0;
	bad.shuffle = true;
	burst(all, STRAKE_OP_WRITE);
	turn(3);
	EXPECT_EQ(0u, seal_sink.writes);
	strake_lcore_enter(1);
	EXPECT_FALSE(st->ops->drain(st));
	bad.give = 5;
	turn(20);
	for (Chunk &c : all)
		ASSERT_EQ(0, end(&c));
	strake_lcore_enter(1);
	EXPECT_TRUE(st->ops->drain(st));
	bad.give = 0;
	burst(all, STRAKE_OP_READ);
	turn(3);
	bad.give = 7;
	turn(20);
	for (Chunk &c : all) {
		std::vector<uint8_t> back;

		ASSERT_EQ(0, end(&c, &back));
		ASSERT_TRUE(c.bytes == back);
	}
}

TEST_F(CompressTrouble, AFailedWriteGoesDownPlainAndTheSecondIsTheLast)
{
	std::vector<Chunk> all(8);

	bad.fail = 1;
	burst(all, STRAKE_OP_WRITE);
	turn(2);
	for (Chunk &c : all)
		ASSERT_EQ(0, end(&c));
	EXPECT_EQ(STRAKE_CODEC_NONE, codec(0));
	EXPECT_EQ(STRAKE_CODEC_DEFLATE, codec(1));
	EXPECT_EQ(1u, stats().device_failures);
	EXPECT_FALSE(lc->lane.dead);
	check(all);
	bad.fail = 1;
	bad.with = RTE_COMP_OP_STATUS_INVALID_STATE;
	ASSERT_EQ(0, write(0, all[0].bytes));
	EXPECT_TRUE(lc->lane.dead);
	EXPECT_EQ(1u, stats().devices_off);
	unsigned int before = bad.taken;
	ASSERT_EQ(0, write(1, all[1].bytes));
	check(all);
	EXPECT_EQ(before, bad.taken) << "left alone";
	EXPECT_EQ(STRAKE_CODEC_NONE, codec(1));
	EXPECT_GT(stats().soft, 0u);
}

TEST_F(CompressTrouble, TooLittleRoomIsNoFailure)
{
	bad.fail = 5;
	bad.with = RTE_COMP_OP_STATUS_OUT_OF_SPACE_TERMINATED;
	for (unsigned int i = 0; i < 5; i++)
		ASSERT_EQ(0, write(i, bytes(8192, i)));
	EXPECT_EQ(0u, stats().device_failures);
	EXPECT_EQ(5u, stats().stayed_plain);
}

TEST_F(CompressTrouble, AReadThatTheDeviceSpoilsIsDoneByTheProcessor)
{
	std::vector<Chunk> all(8);

	burst(all, STRAKE_OP_WRITE);
	turn(2);
	for (Chunk &c : all)
		ASSERT_EQ(0, end(&c));
	bad.lie = 1;
	std::vector<uint8_t> back;
	ASSERT_EQ(0, read(3, &back));
	EXPECT_TRUE(all[3].bytes == back);
	EXPECT_EQ(1u, stats().device_failures);
	bad.fail = 1;
	ASSERT_EQ(0, read(4, &back));
	EXPECT_TRUE(all[4].bytes == back);
	EXPECT_TRUE(lc->lane.dead);
	check(all);
	EXPECT_EQ(0u, stats().damaged);
}

TEST_F(CompressTrouble, ADeviceThatGivesNothingBackIsGivenUp)
{
	std::vector<Chunk> all(8), stuck(8);

	burst(all, STRAKE_OP_WRITE);
	turn(2);
	for (Chunk &c : all)
		ASSERT_EQ(0, end(&c));
	bad.give = 0;
	burst(stuck, STRAKE_OP_WRITE);
	turn(50);
	EXPECT_EQ(0u, stuck[0].ends);
	Chunk read_stuck;
	fill(&read_stuck, STRAKE_OP_READ, 5, 1);
	strake_lcore_enter(1);
	begin(&read_stuck);
	seal_sink.at.clear();
	turn(100);
	for (Chunk &c : stuck)
		ASSERT_EQ(0, end(&c));
	std::vector<uint8_t> back;
	ASSERT_EQ(0, end(&read_stuck, &back));
	EXPECT_TRUE(all[5].bytes == back);
	EXPECT_EQ(9u, stats().device_failures);
	EXPECT_EQ(1u, stats().devices_off);
	check(stuck);
	strake_lcore_enter(1);
	EXPECT_TRUE(st->ops->drain(st));
	/* They come back after all: nobody's end is told twice, and their memory is free again (see World). */
	bad.give = 3;
	turn(10);
	EXPECT_EQ(0u, lc->lane.under_way);
	EXPECT_EQ(0u, lc->lane.orphans);
}

TEST_F(CompressTrouble, WhatComesBackOnlyAtTheEndIsTakenThen)
{
	std::vector<Chunk> stuck(8);

	bad.give = 0;
	burst(stuck, STRAKE_OP_WRITE);
	turn(150);
	for (Chunk &c : stuck)
		ASSERT_EQ(0, end(&c));
	EXPECT_EQ(8u, lc->lane.orphans);
	bad.give = 100;
	chain_down(); /* and World counts the pages */
	strake_lcore_enter(0);
	make_sink();
}
