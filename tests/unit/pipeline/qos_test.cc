/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The door of a data lcore: limits, turns by weight, and what must never happen at it. */

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "world.h"

extern "C" {
#include "pipeline/timer.h"
}

namespace
{

/* A drive that has `depth` requests at once and finishes `per_turn` of them in a millisecond. */
struct Slow {
	std::vector<strake_unit *> queue;
	std::vector<std::pair<uint64_t, uint8_t>> begun; /* when, class */
	uint32_t per_turn = UINT32_MAX;
};

Slow slow;

const strake_stage_ops slow_ops = [] {
	strake_stage_ops o = {};
	o.name = "slow";
	o.unit = STRAKE_UNIT_REQ;
	o.create = [](strake_stage *, const conf_values *, char *, size_t) { return 0; };
	o.down = [](strake_stage *, strake_unit **units, uint16_t n) {
		for (uint16_t i = 0; i < n; i++) {
			slow.begun.push_back({strake_now(), units[i]->cls});
			units[i]->verdict = STRAKE_HELD;
			slow.queue.push_back(units[i]);
		}
	};
	return o;
}();

class Qos : public World
{
      protected:
	void
	make(std::vector<strake_qos_class> list, uint64_t window = 0, unsigned int data_lcores = 1,
	     uint32_t units = 1024)
	{
		conf = {list.data(), (unsigned int)list.size(), window};
		qos = &conf;
		slow = Slow();
		start(data_lcores, units);
		std::fill(list.begin(), list.end(), strake_qos_class{}); /* it has its own copy */
		ASSERT_EQ(0, strake_stage_create(&st, &slow_ops, "s", nullptr, -1, err, sizeof(err)));
		ASSERT_EQ(0, strake_chain_create(&vol.reqs, "v", STRAKE_UNIT_REQ, &st, 1, err, sizeof(err)));
		strcpy(vol.name, "v");
		vol.nlb = 1 << 20;
		vol.lba_shift = 12;
		vol.slab_shift = 40;
		ASSERT_EQ(0, strake_volume_add(&vol));
		turn();
	}

	void
	TearDown() override
	{
		slow.per_turn = UINT32_MAX;
		for (int i = 0; i < 100000 && strake_pipeline_inflight() != 0; i++)
			tick();
		strake_lcore_enter(0);
		strake_volume_del(&vol);
		strake_chain_destroy(vol.reqs);
		strake_stage_destroy(st);
		World::TearDown();
	}

	static strake_qos_class
	cls(uint8_t c, uint32_t weight, uint64_t iops = 0, uint64_t bps = 0, uint64_t burst_ms = 10)
	{
		return {c, weight, iops, bps, burst_ms * STRAKE_NS_PER_MS};
	}

	strake_req *
	send(uint8_t c, uint32_t bytes = 4096, uint16_t lcore = 1, bool internal = false)
	{
		strake_lcore_enter(lcore);
		strake_req *req = strake_req_alloc(internal);

		req->vol = &vol;
		req->u.op = STRAKE_OP_VERIFY; /* no payload to be made, yet it counts */
		req->u.nlb = 1;
		req->u.nbytes = bytes;
		req->u.cls = c;
		req->u.arg = this;
		req->u.done = [](strake_unit *u) {
			Qos *t = (Qos *)u->arg;

			t->ended[u->cls]++;
			t->bytes[u->cls] += u->nbytes;
			t->cancelled += u->status == -ECANCELED;
			strake_req_free(strake_req_of(u));
		};
		strake_req_submit(&req, 1);
		return req;
	}

	/* A millisecond in which the drive works. */
	void
	tick()
	{
		strake_lcore_enter(1);
		for (uint32_t i = 0; i < slow.per_turn && !slow.queue.empty(); i++) {
			strake_unit *u = slow.queue.front();

			slow.queue.erase(slow.queue.begin());
			strake_unit_complete(u);
		}
		turn();
	}

	/* Keep @p depth requests of each class with the appliance for so long. */
	void
	press(std::map<uint8_t, unsigned int> depth, unsigned int ms, std::map<uint8_t, uint32_t> size = {})
	{
		for (unsigned int i = 0; i < ms; i++) {
			for (auto &[c, want] : depth) {
				while (sent[c] - ended[c] < want) {
					sent[c]++;
					send(c, size.count(c) != 0 ? size[c] : 4096);
				}
			}
			tick();
		}
	}

	char err[200] = "";
	strake_qos_conf conf = {};
	strake_stage *st = nullptr;
	strake_volume vol = {};
	std::map<uint8_t, uint64_t> sent, ended, bytes;
	unsigned int cancelled = 0;
};

TEST_F(Qos, WithoutServicesThereIsNoDoor)
{
	make({});
	send(7);
	EXPECT_EQ(1u, slow.begun.size());
	EXPECT_EQ(nullptr, strake_qos_stats(1, 7));
	EXPECT_EQ(nullptr, strake_qos_stats(1, 0));
}

TEST_F(Qos, WithinItsLimitsARequestGoesStraightIn)
{
	make({cls(7, 100, 1000)}, 1 << 20);
	send(7);
	EXPECT_EQ(1u, slow.begun.size()) << "in the same call";
	EXPECT_EQ(1u, strake_qos_stats(1, 7)->admitted);
	EXPECT_EQ(0u, strake_qos_stats(1, 7)->waited);
}

TEST_F(Qos, RequestsASecondAreLimitedAndAQuietClassSavesUpItsBurst)
{
	make({cls(7, 100, 1000, 0, 50)});
	press({{7, 200}}, 50);
	EXPECT_LE(slow.begun.size(), 50u + 50 + 2) << "what was saved up, and 50 ms of the rate";
	EXPECT_GE(slow.begun.size(), 50u + 48);
	uint64_t before = ended[7];
	press({{7, 200}}, 2000);
	EXPECT_NEAR(2000, (double)(ended[7] - before), 20);
	EXPECT_GT(strake_qos_stats(1, 7)->waiting, 100u);
	EXPECT_GT(strake_qos_stats(1, 7)->wait.max, 100 * STRAKE_NS_PER_MS);
}

TEST_F(Qos, BytesASecondAreLimitedWhateverTheSizes)
{
	make({cls(7, 100, 0, 10 << 20)});
	press({{7, 64}}, 3000, {{7, 64 << 10}});
	EXPECT_NEAR(30 << 20, (double)bytes[7], 1 << 20);
}

TEST_F(Qos, ARequestBeyondTheBurstPassesAndIsPaidForAfterwards)
{
	make({cls(7, 100, 0, 1 << 20)});
	send(7, 1 << 20); /* a second's worth, where 10 ms may be saved up */
	EXPECT_EQ(1u, slow.begun.size());
	send(7);
	for (int i = 0; i < 985; i++)
		tick();
	EXPECT_EQ(1u, slow.begun.size()) << "still in debt";
	for (int i = 0; i < 10; i++)
		tick();
	EXPECT_EQ(2u, slow.begun.size());
}

TEST_F(Qos, ALimitIsTheAppliancesAndDividedAmongItsLcores)
{
	make({cls(7, 100, 1000, 0, 10)}, 0, 2);
	for (int i = 0; i < 400; i++)
		send(7, 4096, 1);
	for (int i = 0; i < 500; i++)
		tick();
	EXPECT_NEAR(250, (double)ended[7], 10) << "half of the rate on one of two";
}

TEST_F(Qos, ClassesNotNamedShareTheLineOfClass0)
{
	make({cls(0, 100, 100, 0, 10)});
	for (int i = 0; i < 10; i++) {
		send(3);
		send(200);
	}
	EXPECT_LE(slow.begun.size(), 2u);
	EXPECT_EQ(nullptr, strake_qos_stats(1, 3));
	EXPECT_GE(strake_qos_stats(1, 0)->waiting, 18u);
}

TEST_F(Qos, TurnsGoByWeightAndNobodyIsStarved)
{
	make({cls(1, 900), cls(2, 90), cls(3, 10)}, 16 * 4096);
	slow.per_turn = 10;
	press({{1, 100}, {2, 100}, {3, 100}}, 5000);
	double all = (double)(ended[1] + ended[2] + ended[3]);
	EXPECT_NEAR(50000, all, 100) << "the drive is never idle";
	EXPECT_NEAR(0.9, (double)ended[1] / all, 0.01);
	EXPECT_NEAR(0.09, (double)ended[2] / all, 0.005);
	EXPECT_NEAR(0.01, (double)ended[3] / all, 0.002);
}

TEST_F(Qos, WeightCountsBytesSoLongRequestsGainNothing)
{
	make({cls(1, 100), cls(2, 100)}, 16 * 4096);
	slow.per_turn = 4;
	press({{1, 64}, {2, 64}}, 4000, {{2, 64 << 10}});
	EXPECT_NEAR(1.0, (double)bytes[1] / (double)bytes[2], 0.1);
}

/* What others left is anybody's: weights bind only those that wait. */
TEST_F(Qos, ALoneClassHasItAllAndSavesUpNoTurns)
{
	make({cls(1, 1000), cls(2, 1)}, 16 * 4096);
	slow.per_turn = 10;
	press({{2, 100}}, 1000);
	EXPECT_NEAR(10000, (double)ended[2], 100);
	uint64_t before1 = ended[1], before2 = ended[2];
	press({{1, 100}, {2, 100}}, 100);
	EXPECT_GE(ended[1] - before1, 950u) << "at once, but for what was under way";
	press({{2, 100}}, 1000);
	before1 = ended[1];
	before2 = ended[2];
	press({{1, 100}, {2, 100}}, 1000);
	EXPECT_GE(ended[2] - before2, 5u) << "the heavy one did not save up while it was away";
	EXPECT_GE(ended[1] - before1, 9500u);
}

/* A class at its limit must not hold up the others, nor lose its place. */
TEST_F(Qos, ALimitedClassLeavesTheOthersAlone)
{
	make({cls(1, 100), cls(9, 100, 100)}, 64 * 4096);
	press({{1, 4}, {9, 500}}, 1000);
	EXPECT_GE(ended[1], 3900u);
	EXPECT_EQ(0u, strake_qos_stats(1, 1)->waited) << "nobody who may goes before";
	EXPECT_NEAR(100, (double)ended[9], 5);
}

TEST_F(Qos, ClassesGoInOrderWithinThemselves)
{
	make({cls(7, 100, 1000, 0, 10)});
	std::vector<uint32_t> order;
	for (uint32_t i = 0; i < 50; i++) {
		send(7)->u.tag = i;
		for (strake_unit *u : slow.queue)
			order.push_back(u->tag);
		tick();
	}
	while (ended[7] < 50) {
		for (strake_unit *u : slow.queue)
			order.push_back(u->tag);
		tick();
	}
	EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(Qos, WhatIsCancelledInLineEndsSoonAndIsChargedNothing)
{
	make({cls(7, 100, 10, 0, 10)});
	std::vector<strake_req *> reqs;
	for (int i = 0; i < 10; i++)
		reqs.push_back(send(7));
	ASSERT_EQ(1u, slow.begun.size());
	strake_lcore_enter(1);
	for (int i = 5; i < 10; i++)
		strake_req_cancel(reqs[i]);
	turn(2);
	EXPECT_EQ(5u, cancelled);
	EXPECT_EQ(5u, strake_qos_stats(1, 7)->cancelled);
	EXPECT_EQ(4u, strake_qos_stats(1, 7)->waiting);
	for (int i = 0; i < 420; i++)
		tick();
	EXPECT_EQ(5u, slow.begun.size()) << "the others at their rate";
}

TEST_F(Qos, WorkBegunInsideDoesNotWait)
{
	make({cls(0, 100, 1, 0, 10)}, 4096);
	send(0);
	send(0);
	EXPECT_EQ(1u, slow.begun.size());
	send(0, 4096, 1, true);
	EXPECT_EQ(2u, slow.begun.size());
	EXPECT_EQ(1u, strake_qos_stats(1, 0)->admitted);
}

TEST_F(Qos, AnLcoreThatGoesToSleepIsWokenWhenALimitAllowsMore)
{
	make({cls(7, 100, 10, 0, 10), cls(8, 100)}, 2 * 4096);
	strake_poller *door = nullptr;

	strake_lcore_enter(1);
	strake_poller_walk(
		[](const strake_poller *p, void *arg) {
			if (strcmp(p->name, "qos") == 0)
				*(strake_poller **)arg = const_cast<strake_poller *>(p);
		},
		&door);
	ASSERT_NE(nullptr, door);
	EXPECT_TRUE(door->arm(door, true));
	EXPECT_EQ(0u, timer_wheel_self()->armed) << "nobody waits";
	for (int i = 0; i < 3; i++)
		send(7);
	EXPECT_TRUE(door->arm(door, true));
	EXPECT_EQ(1u, timer_wheel_self()->armed);
	uint64_t slept = now;
	while (slow.begun.size() < 2) {
		now += timer_wheel_next(timer_wheel_self(), now, STRAKE_NS_PER_SEC);
		strake_lcore_turn(now);
		ASSERT_LT(now, slept + 300 * STRAKE_NS_PER_MS);
	}
	send(8); /* with one of class 7 under way: the window is full */
	send(8);
	EXPECT_GT(strake_qos_stats(1, 8)->waiting, 0u);
	EXPECT_TRUE(door->arm(door, true)) << "what ends will wake it";
}

/* The same arrivals at the same times: the same order in, bit for bit. */
TEST_F(Qos, ReplaysFromASeed)
{
	std::vector<std::pair<uint64_t, uint8_t>> runs[2];

	for (auto &run : runs) {
		std::mt19937 rng(42);

		make({cls(0, 100), cls(1, 500, 3000, 0, 20), cls(2, 50, 0, 20 << 20, 50), cls(3, 1)}, 32 * 4096);
		slow.per_turn = 12;
		for (int ms = 0; ms < 500; ms++) {
			for (unsigned int i = rng() % 30; i > 0 && strake_pipeline_inflight() < 900; i--) {
				uint8_t c = rng() % 5;

				send(c, 512u << rng() % 8);
			}
			tick();
		}
		run = slow.begun;
		uint64_t first = run.front().first;
		for (auto &b : run)
			b.first -= first;
		Qos::TearDown();
		now = 0;
		sent.clear();
	}
	EXPECT_GT(runs[0].size(), 1000u);
	EXPECT_EQ(runs[0], runs[1]);
	make({}); /* for the fixture's own end */
}

TEST_F(Qos, RefusesWeightsThatAreNone)
{
	strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, 0};
	strake_buf_conf bufs = {64, 8u << 20, 0};

	for (uint32_t weight : {0u, STRAKE_QOS_WEIGHT_MAX + 1u}) {
		strake_qos_class bad = cls(1, weight);
		strake_qos_conf q = {&bad, 1, 0};
		strake_pipeline_conf pc = {64, 64, 4, 0, &q};

		ASSERT_EQ(0, strake_lcore_create(0, &lc));
		ASSERT_EQ(0, strake_buf_init(&bufs));
		EXPECT_EQ(-EINVAL, strake_pipeline_init(&pc));
		strake_buf_fini();
		strake_lcore_destroy(0);
	}
	make({});
}

} // namespace
