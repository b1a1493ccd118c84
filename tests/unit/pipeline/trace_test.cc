/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <algorithm>
#include <cstring>
#include <vector>

#include "world.h"

extern "C" {
#include "strake_trace.h"
}

namespace
{

std::vector<strake_unit *> kept;
bool keep;

const strake_stage_ops stage_ops = [] {
	strake_stage_ops o = {};
	o.name = "traced";
	o.unit = STRAKE_UNIT_REQ;
	o.create = [](strake_stage *, const conf_values *, char *, size_t) { return 0; };
	o.down = [](strake_stage *, strake_unit **units, uint16_t n) {
		for (uint16_t i = 0; i < n; i++) {
			units[i]->verdict = keep ? STRAKE_HELD : STRAKE_DONE;
			units[i]->status = keep ? 0 : -EIO;
			if (keep)
				kept.push_back(units[i]);
		}
	};
	o.up = [](strake_stage *, strake_unit **, uint16_t) {};
	return o;
}();

class Trace : public World
{
      protected:
	void
	SetUp() override
	{
		start(2);
		keep = false;
		ended = 0;
		ASSERT_EQ(0, strake_stage_create(&st, &stage_ops, "s0", nullptr, -1, err, sizeof(err)));
		ASSERT_EQ(0, strake_chain_create(&vol.reqs, "v", STRAKE_UNIT_REQ, &st, 1, err, sizeof(err)));
		strcpy(vol.name, "v");
		vol.nlb = 4096;
		vol.lba_shift = 12;
		vol.slab_shift = 20;
		ASSERT_EQ(0, strake_volume_add(&vol));
		strake_trace_set(1); /* what other tests left is forgotten */
		strake_trace_set(0);
	}
	void
	TearDown() override
	{
		strake_trace_set(0);
		strake_volume_del(&vol);
		strake_chain_destroy(vol.reqs);
		strake_stage_destroy(st);
		World::TearDown();
	}
	void
	send(uint32_t tag, uint64_t lba = 0)
	{
		strake_lcore_enter(1);
		strake_req *req = strake_req_alloc(false);

		req->vol = &vol;
		req->u.op = STRAKE_OP_VERIFY;
		req->u.lba = lba;
		req->u.nlb = 1;
		req->u.cls = 9;
		req->u.tag = tag;
		req->u.arg = this;
		req->u.done = [](strake_unit *u) {
			((Trace *)u->arg)->ended++;
			strake_req_free(strake_req_of(u));
		};
		strake_req_submit(&req, 1);
	}
	static std::vector<strake_trace_record>
	records(unsigned int max = 4096)
	{
		std::vector<strake_trace_record> r(max);

		r.resize(strake_trace_get(r.data(), max));
		return r;
	}
	static std::vector<int>
	events(const std::vector<strake_trace_record> &r)
	{
		std::vector<int> e;

		for (auto &x : r)
			e.push_back(x.event);
		return e;
	}

	strake_stage *st = nullptr;
	strake_volume vol = {};
	char err[200] = "";
	unsigned int ended = 0;
};

} // namespace

TEST_F(Trace, IsOffUntilAskedFor)
{
	send(1);
	turn(3);
	EXPECT_EQ(1u, ended);
	EXPECT_TRUE(records().empty());
}

TEST_F(Trace, FollowsARequestToItsOwnerAndBack)
{
	strake_trace_set(1);
	send(0x30007, 256); /* the second slab: lcore 2's */
	turn(4);
	ASSERT_EQ(1u, ended);
	auto r = records();
	EXPECT_EQ((std::vector<int>{STRAKE_TRACE_BEGIN, STRAKE_TRACE_RING, STRAKE_TRACE_DOWN, STRAKE_TRACE_TURN,
				    STRAKE_TRACE_RING, STRAKE_TRACE_END}),
		  events(r));
	for (auto &x : r) {
		EXPECT_EQ(0x30007u, x.id);
		EXPECT_EQ(256u, x.lba);
		EXPECT_EQ(9, x.cls);
		EXPECT_EQ(STRAKE_OP_VERIFY, x.op);
	}
	EXPECT_EQ(1, r.front().lcore);
	EXPECT_EQ(2, r[2].lcore);
	EXPECT_STREQ("s0", r[2].stage);
	EXPECT_EQ(1, r.back().lcore);
	EXPECT_EQ(-EIO, r.back().status);
}

TEST_F(Trace, TellsThatAStageKeptItAndOfTheWayUp)
{
	strake_trace_set(1);
	keep = true;
	send(5);
	turn(2);
	strake_lcore_enter(1);
	for (auto *u : std::exchange(kept, {}))
		strake_unit_complete(u);
	turn(2);
	ASSERT_EQ(1u, ended);
	EXPECT_EQ((std::vector<int>{STRAKE_TRACE_BEGIN, STRAKE_TRACE_DOWN, STRAKE_TRACE_HELD, STRAKE_TRACE_END}),
		  events(records()));
}

TEST_F(Trace, TakesEveryNthRequest)
{
	strake_trace_set(4);
	for (uint32_t i = 0; i < 40; i++)
		send(i);
	turn(4);
	ASSERT_EQ(40u, ended);
	auto e = events(records());
	EXPECT_EQ(10, std::count(e.begin(), e.end(), STRAKE_TRACE_BEGIN));
	EXPECT_EQ(10, std::count(e.begin(), e.end(), STRAKE_TRACE_END));
}

TEST_F(Trace, KeepsWhatWasUntilItEndedAndForgetsItWhenItBeginsAnew)
{
	strake_trace_set(1);
	keep = true;
	send(1);
	turn(2);
	EXPECT_EQ(STRAKE_TRACE_HELD, records().back().event);
	strake_trace_set(0);
	send(2);
	strake_lcore_enter(1);
	for (auto *u : std::exchange(kept, {}))
		strake_unit_complete(u);
	turn(3);
	ASSERT_EQ(2u, ended);
	EXPECT_EQ((std::vector<int>{STRAKE_TRACE_BEGIN, STRAKE_TRACE_DOWN, STRAKE_TRACE_HELD}), events(records(9)))
		<< "what was under way left steps behind the end, and they take no room of three of each lcore";
	strake_trace_set(1);
	EXPECT_TRUE(records().empty());
}

TEST_F(Trace, ShowsNoRecordThatMayBeHalfWritten)
{
	strake_trace_set(1);
	for (uint32_t i = 0; i < 3000; i++) {
		send(i);
		turn();
	}
	turn(3);
	EXPECT_EQ(4095u, records(3 * 8192).size()) << "the oldest of a full ring is the next to be written over";
}

TEST_F(Trace, KeepsTheNewest)
{
	strake_trace_set(1);
	for (uint32_t i = 0; i < 3000; i++) {
		send(i);
		turn();
	}
	turn(3);
	ASSERT_EQ(3000u, ended);
	auto r = records(300); /* 100 of each lcore */
	ASSERT_EQ(100u, r.size());
	EXPECT_EQ(2999u, r.back().id);
	EXPECT_LT(2900u, r.front().id);
	for (size_t i = 1; i < r.size(); i++)
		EXPECT_LE(r[i - 1].cycles, r[i].cycles);
}
