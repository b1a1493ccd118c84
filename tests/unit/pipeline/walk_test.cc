/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "world.h"

namespace
{

/* A stage that answers what the test tells it, and writes down what it saw. */
struct Probe {
	std::string name;
	std::vector<std::string> *log;
	strake_verdict answer = STRAKE_NEXT;
	int status = 0;
	int retries = 0; /* answer RETRY so often first */
	bool hold_up = false;
	std::vector<strake_unit *> held;
	strake_stage *st = nullptr;
	uint16_t largest = 0;

	void
	note(const char *what)
	{
		log->push_back(name + what + "@" + std::to_string(strake_self_index()));
	}
};

Probe *next_probe;

int
probe_create(strake_stage *st, const conf_values *, char *, size_t)
{
	st->priv = next_probe;
	return 0;
}

void
probe_down(strake_stage *st, strake_unit **units, uint16_t n)
{
	Probe *p = (Probe *)st->priv;

	p->largest = std::max(p->largest, n);
	for (uint16_t i = 0; i < n; i++) {
		p->note("v");
		if (p->retries > 0) {
			p->retries--;
			units[i]->verdict = STRAKE_RETRY;
			continue;
		}
		units[i]->verdict = p->answer;
		if (p->answer == STRAKE_DONE)
			units[i]->status = (int16_t)p->status;
		if (p->answer == STRAKE_HELD)
			p->held.push_back(units[i]);
	}
}

void
probe_up(strake_stage *st, strake_unit **units, uint16_t n)
{
	Probe *p = (Probe *)st->priv;

	for (uint16_t i = 0; i < n; i++) {
		p->note("^");
		if (p->hold_up) {
			units[i]->verdict = STRAKE_HELD;
			p->held.push_back(units[i]);
		}
	}
}

const strake_stage_ops probe_ops = [] {
	strake_stage_ops o = {};
	o.name = "probe";
	o.unit = STRAKE_UNIT_CHUNK;
	o.req_ctx_size = 24;
	o.create = probe_create;
	o.down = probe_down;
	o.up = probe_up;
	return o;
}();

class Walk : public World
{
      protected:
	void
	add(const char *name, int lcore = -1)
	{
		probes.push_back({name, &log});
		next_probe = &probes.back();
		strake_stage *st;

		ASSERT_EQ(0, strake_stage_create(&st, &probe_ops, name, nullptr, lcore, err, sizeof(err))) << err;
		probes.back().st = st;
		stages.push_back(st);
	}

	void
	build()
	{
		ASSERT_EQ(0, strake_chain_create(&chain, "c", STRAKE_UNIT_CHUNK, stages.data(), stages.size(), err,
						 sizeof(err)))
			<< err;
	}

	strake_chunk *
	begin(uint16_t lcore)
	{
		strake_lcore_enter(lcore);
		strake_chunk *c = strake_chunk_alloc(false);

		c->u.done = [](strake_unit *u) {
			Walk *w = (Walk *)u->arg;

			w->done++;
			w->last_status = u->status;
			w->done_lcore = strake_self_index();
			strake_chunk_free(strake_chunk_of(u));
		};
		c->u.arg = this;
		strake_unit *u = &c->u;
		strake_chain_begin(chain, &u, 1);
		EXPECT_EQ(0, done_inside) << "done() from inside begin";
		return c;
	}

	void
	TearDown() override
	{
		strake_chain_destroy(chain);
		for (strake_stage *st : stages)
			strake_stage_destroy(st);
		World::TearDown();
	}

	std::deque<Probe> probes;
	std::vector<strake_stage *> stages;
	std::vector<std::string> log;
	strake_chain *chain = nullptr;
	char err[200] = "";
	int done = 0, done_inside = 0, last_status = 1, done_lcore = -1;
};

using Log = std::vector<std::string>;

TEST_F(Walk, GoesDownInOrderAndUpInReverseThroughWhatItVisited)
{
	start(1);
	add("a");
	add("b");
	add("c");
	probes[2].answer = STRAKE_DONE;
	build();
	begin(1);
	EXPECT_EQ(0, done);
	turn();
	EXPECT_EQ(1, done);
	EXPECT_EQ(0, last_status);
	EXPECT_EQ((Log{"av@1", "bv@1", "cv@1", "b^@1", "a^@1"}), log);
}

TEST_F(Walk, ErrorTurnsRoundWhereItHappened)
{
	start(1);
	add("a");
	add("b");
	add("c");
	probes[1].answer = STRAKE_DONE;
	probes[1].status = -EIO;
	build();
	begin(1);
	turn();
	EXPECT_EQ(-EIO, last_status);
	EXPECT_EQ((Log{"av@1", "bv@1", "a^@1"}), log);
	EXPECT_EQ(1u, stages[1]->stats[1].errors);
}

TEST_F(Walk, HeldUnitContinuesOrCompletesWhenItsStageSaysSo)
{
	start(1);
	add("a");
	add("b");
	add("c");
	probes[1].answer = STRAKE_HELD;
	probes[2].answer = STRAKE_DONE;
	build();
	begin(1);
	begin(1);
	turn(3);
	EXPECT_EQ(0, done);
	strake_lcore_enter(1);
	strake_unit_continue(probes[1].held[0]);
	probes[1].held[1]->status = -EIO;
	strake_unit_complete(probes[1].held[1]);
	turn();
	EXPECT_EQ(2, done);
	EXPECT_EQ(1, std::count(log.begin(), log.end(), "b^@1")) << "b sees only what it let pass come back";
	EXPECT_EQ(2, std::count(log.begin(), log.end(), "a^@1"));
}

TEST_F(Walk, UnitHeldOnTheWayUpIsNotVisitedTwice)
{
	start(1);
	add("a");
	add("b");
	add("c");
	probes[1].hold_up = true;
	probes[2].answer = STRAKE_DONE;
	build();
	begin(1);
	turn(2);
	EXPECT_EQ(0, done);
	strake_lcore_enter(1);
	strake_unit_complete(probes[1].held[0]);
	turn();
	EXPECT_EQ(1, done);
	EXPECT_EQ((Log{"av@1", "bv@1", "cv@1", "b^@1", "a^@1"}), log);
}

TEST_F(Walk, RetryIsOfferedAgainEachTurnUntilTaken)
{
	start(1);
	add("a");
	add("b");
	probes[1].retries = 3;
	probes[1].answer = STRAKE_DONE;
	build();
	begin(1);
	turn(2);
	EXPECT_EQ(0, done);
	turn();
	EXPECT_EQ(1, done);
	EXPECT_EQ(1, std::count(log.begin(), log.end(), "av@1")) << "stages above are not asked again";
	EXPECT_EQ(4, std::count(log.begin(), log.end(), "bv@1"));
}

TEST_F(Walk, StageWithAnLcoreOfItsOwnIsReachedByRingBothWays)
{
	start(2);
	add("a");
	add("b", 2);
	add("c");
	probes[2].answer = STRAKE_DONE;
	build();
	begin(1);
	turn(6);
	EXPECT_EQ(1, done);
	EXPECT_EQ(1, done_lcore);
	EXPECT_EQ((Log{"av@1", "bv@2", "cv@1", "b^@2", "a^@1"}), log);
}

TEST_F(Walk, LastStageOnAnotherLcoreComesHomeToo)
{
	start(2);
	add("a");
	add("b", 2);
	probes[1].answer = STRAKE_DONE;
	build();
	for (int i = 0; i < 100; i++)
		begin(1);
	turn(8);
	EXPECT_EQ(100, done);
	EXPECT_EQ(1, done_lcore);
	EXPECT_EQ(0u, strake_pipeline_inflight());
}

TEST_F(Walk, ContextsOfStagesDoNotOverlapAndTooManyAreRefused)
{
	start(1);
	for (const char *n : {"a", "b", "c", "d", "e"})
		add(n);
	build();
	for (size_t i = 0; i < 5; i++) {
		for (size_t j = i + 1; j < 5; j++)
			EXPECT_GE(std::abs(stages[i]->ctx_off - stages[j]->ctx_off), 24);
	}
	add("f");
	strake_chain *none = nullptr;
	EXPECT_EQ(-E2BIG, strake_chain_create(&none, "x", STRAKE_UNIT_CHUNK, stages.data(), 6, err, sizeof(err)));
	EXPECT_NE('\0', err[0]);
}

TEST_F(Walk, WrongKindOfUnitIsRefused)
{
	start(1);
	add("a");
	build();
	strake_chain *none = nullptr;
	EXPECT_EQ(-EINVAL, strake_chain_create(&none, "x", STRAKE_UNIT_REQ, stages.data(), 1, err, sizeof(err)));
	EXPECT_EQ(-EINVAL, strake_chain_create(&none, "x", STRAKE_UNIT_CHUNK, stages.data(), 0, err, sizeof(err)));
}

TEST_F(Walk, PoolKeepsAReserveForWorkBegunInside)
{
	start(1, 64, 8);
	add("a");
	build();
	strake_lcore_enter(1);
	std::vector<strake_chunk *> all;

	for (strake_chunk *c; (c = strake_chunk_alloc(false)) != nullptr;)
		all.push_back(c);
	EXPECT_EQ(64u, all.size());
	for (int i = 0; i < 8; i++) {
		strake_chunk *c = strake_chunk_alloc(true);

		ASSERT_NE(nullptr, c) << i;
		EXPECT_NE(0, c->u.flags & STRAKE_UNIT_INTERNAL);
		all.push_back(c);
	}
	EXPECT_EQ(nullptr, strake_chunk_alloc(true));
	for (strake_chunk *c : all)
		strake_chunk_free(c);
}

} // namespace
