/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <algorithm>
#include <atomic>
#include <ctime>
#include <functional>
#include <poll.h>
#include <random>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "world.h"

extern "C" {
#include "pipeline/idle.h"
#include "pipeline/timer.h"
}

namespace
{

struct Timer {
	strake_timer t = {};
	std::function<void(uint64_t)> fn;
	int fired = 0;

	explicit Timer(std::function<void(uint64_t)> f = {}) : fn(std::move(f))
	{
		t.fn = [](strake_timer *timer, uint64_t at) {
			Timer *self = (Timer *)timer;

			self->fired++;
			if (self->fn)
				self->fn(at);
		};
	}
};

class Lcore : public World
{
      protected:
	void
	SetUp() override
	{
		start(1);
		strake_lcore_enter(1);
	}

	void
	at(uint64_t ms)
	{
		strake_lcore_turn(ms * STRAKE_NS_PER_MS);
	}
};

TEST_F(Lcore, TimerNeverFiresEarlyAndAtMostATickLate)
{
	at(10);
	for (uint64_t due : {10ull, 11ull, 15ull, 4105ull, 4106ull, 4107ull, 20000ull}) {
		Timer t;
		uint64_t ms = 10;

		at(10);
		strake_timer_arm(&t.t, due * STRAKE_NS_PER_MS);
		while (t.fired == 0)
			at(++ms);
		EXPECT_GE(ms, due);
		EXPECT_LE(ms, std::max<uint64_t>(due, 10) + 1);
		strake_lcore_destroy(1); /* a fresh wheel: time starts again */
		strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, 0};
		ASSERT_EQ(0, strake_lcore_create(1, &lc));
		strake_lcore_enter(1);
		ASSERT_EQ(0, strake_pipeline_lcore_init());
	}
}

TEST_F(Lcore, CancelledTimerDoesNotFireAndOneMayCancelAnother)
{
	Timer b;
	Timer a([&](uint64_t) { strake_timer_cancel(&b.t); });

	strake_timer_arm(&b.t, 5 * STRAKE_NS_PER_MS);
	strake_timer_arm(&a.t, 5 * STRAKE_NS_PER_MS); /* last in, first looked at */
	at(7);
	EXPECT_EQ(1, a.fired);
	EXPECT_EQ(0, b.fired);
	EXPECT_FALSE(strake_timer_armed(&b.t));
}

TEST_F(Lcore, TimerThatRearmsItselfForThePastFiresOncePerTick)
{
	Timer *p = nullptr;
	Timer a([&](uint64_t) { strake_timer_arm(&p->t, 1); });

	p = &a;
	strake_timer_arm(&a.t, 1);
	for (int ms = 1; ms <= 10; ms++)
		at((uint64_t)ms);
	EXPECT_GE(a.fired, 9);
	EXPECT_LE(a.fired, 10);
	at(100000); /* a long jump, further than the wheel goes round */
	EXPECT_LE(a.fired, 11);
	strake_timer_cancel(&a.t);
}

/* The wheel knows which slots may hold timers; a look at every slot says the same. */
TEST_F(Lcore, SleepsUntilTheFirstSlotThatHoldsATimer)
{
	timer_wheel *w = timer_wheel_self();
	std::mt19937_64 random(7);
	std::vector<Timer> timers(40);
	uint64_t now = 5;

	for (unsigned step = 0; step < 3000; step++) {
		uint64_t most = random() % 2 ? STRAKE_NS_PER_SEC : 150 * STRAKE_NS_PER_US, first = most;
		Timer &t = timers[random() % timers.size()];

		now += random() % 300;
		at(now);
		if (random() % 2)
			strake_timer_cancel(&t.t);
		else
			strake_timer_arm(&t.t, (now + random() % (random() % 2 ? 100 : 9000)) * STRAKE_NS_PER_MS);
		uint64_t ns = now * STRAKE_NS_PER_MS + random() % STRAKE_NS_PER_MS;
		for (uint64_t tick = w->tick; tick < (ns + most) / TIMER_TICK_NS && first == most; tick++) {
			if (!LIST_EMPTY(&w->slot[tick % TIMER_SLOTS]))
				first = std::min<uint64_t>((tick + 1) * TIMER_TICK_NS - ns, most);
		}
		ASSERT_EQ(first, timer_wheel_next(w, ns, most)) << step;
	}
	for (Timer &t : timers)
		strake_timer_cancel(&t.t);
	EXPECT_EQ(STRAKE_NS_PER_SEC, timer_wheel_next(w, now * STRAKE_NS_PER_MS, STRAKE_NS_PER_SEC));
}

TEST(Idle, LooksLessWhereItWasInVainAndMoreWhereItWasNot)
{
	uint64_t look = 1600;

	EXPECT_EQ(800u, idle_look(look, 1600, 1600));
	for (unsigned i = 0; i < 20; i++)
		look = idle_look(look, 50000, 1600);
	EXPECT_EQ(100u, look) << "a little always";
	EXPECT_EQ(100u, idle_look(look, 99, 1600)) << "that was found anyway";
	EXPECT_EQ(300u, idle_look(look, 100, 1600));
	for (unsigned i = 0; i < 20; i++)
		look = idle_look(look, 1599, 1600);
	EXPECT_EQ(1600u, look);
}

/* Each read by itself, at a slow pace: a short wait for the drive, a long one for the host. */
TEST(Idle, LooksLittleWhereEverySecondWaitIsLong)
{
	uint64_t look = 1600, looked = 0;

	for (unsigned i = 0; i < 200; i++) {
		looked += std::min<uint64_t>(look, 800) + look;
		look = idle_look(idle_look(look, 800, 1600), 9000, 1600);
	}
	EXPECT_GT(200u * 600, looked) << "it looked 2400 each time if it did not learn";
}

TEST_F(Lcore, LongJumpFiresEverythingThatIsDue)
{
	std::vector<Timer> timers(1000);
	int fired = 0;

	for (size_t i = 0; i < timers.size(); i++)
		strake_timer_arm(&timers[i].t, (i * 17 + 1) * STRAKE_NS_PER_MS);
	at(50000);
	at(50001);
	for (auto &t : timers)
		fired += t.fired;
	EXPECT_EQ(1000, fired);
}

struct Msg {
	strake_msg msg;
	std::vector<int> *log;
	int id;
};

TEST_F(Lcore, MessagesArriveInOrderOnTheirLcore)
{
	std::vector<int> log;
	std::vector<Msg> msgs(200);

	strake_lcore_enter(0);
	for (int i = 0; i < 200; i++) {
		msgs[i] = {{[](strake_msg *m) {
				    ASSERT_EQ(1, strake_self_index());
				    ASSERT_EQ(0, m->from);
				    ((Msg *)m)->log->push_back(((Msg *)m)->id);
			    },
			    0},
			   &log,
			   i};
		strake_msg_send(1, &msgs[i].msg);
	}
	turn(10);
	ASSERT_EQ(200u, log.size());
	for (int i = 0; i < 200; i++)
		EXPECT_EQ(i, log[i]);
}

TEST_F(Lcore, HopRunsThereAndComesBackHere)
{
	struct Hop {
		struct strake_hop hop;
		int there, back;
	} h = {};

	strake_lcore_enter(0);
	strake_hop(
		&h.hop, 1, [](struct strake_hop *p) { ((Hop *)p)->there = strake_self_index() + 100; },
		[](struct strake_hop *p) { ((Hop *)p)->back = strake_self_index() + 200; });
	turn(3);
	EXPECT_EQ(101, h.there);
	EXPECT_EQ(200, h.back);
}

struct Poller {
	strake_poller p = {};
	std::function<uint32_t()> fn;
};

TEST_F(Lcore, PollerMayRemoveItselfAndFlushComesAfterEveryPoll)
{
	std::vector<int> order;
	Poller a, b;

	a.p.poll = [](strake_poller *p, uint64_t) { return ((Poller *)p)->fn(); };
	a.fn = [&] {
		order.push_back(1);
		strake_poller_del(&a.p);
		return 1u;
	};
	b.p.poll = [](strake_poller *p, uint64_t) { return ((Poller *)p)->fn(); };
	b.fn = [&] {
		order.push_back(2);
		return 0u;
	};
	b.p.flush = [](strake_poller *, uint64_t) { return 0u; };
	strake_poller_add(&a.p);
	strake_poller_add(&b.p);
	at(1);
	at(2);
	EXPECT_EQ((std::vector<int>{1, 2, 2}), order);
	strake_poller_del(&b.p);
}

TEST_F(Lcore, SleepingLcoreWakesForAMessageAndUsesLittleOfTheProcessor)
{
	strake_lcore_conf lc = {STRAKE_IDLE_ADAPTIVE, 10, 0};
	std::atomic<bool> running{false};

	ASSERT_EQ(0, strake_lcore_create(2, &lc));
	lcores = 2; /* the thread below drives lcore 2 */
	std::thread thread([&] {
		strake_lcore_enter(2);
		running = true;
		strake_lcore_run();
	});
	while (!running)
		std::this_thread::yield();
	timespec cpu0, cpu1;
	clockid_t clock;
	strake_lcore_enter(UINT16_MAX);
	ASSERT_EQ(0, pthread_getcpuclockid(thread.native_handle(), &clock));
	std::this_thread::sleep_for(std::chrono::milliseconds(20));
	clock_gettime(clock, &cpu0);
	std::this_thread::sleep_for(std::chrono::milliseconds(300));
	clock_gettime(clock, &cpu1);
	double used = (double)(cpu1.tv_sec - cpu0.tv_sec) + (double)(cpu1.tv_nsec - cpu0.tv_nsec) / 1e9;
	EXPECT_LT(used, 0.03) << "an lcore without work or pollers must sleep";
	EXPECT_GT(strake_lcore_at(2)->slept, 0u);
	int arg = 41;
	EXPECT_EQ(42, strake_msg_call(
			      2, [](void *p) { return *(int *)p + 1; }, &arg));
	strake_lcore_stop(2);
	thread.join();
	strake_lcore_destroy(2);
}

/* Who waits for that has taken something away which pollers use: none of them may be in there still. */
TEST_F(Lcore, WhoSettlesWaitsForThePollersOfLoopsThatRun)
{
	struct User {
		strake_poller p = {};
		std::atomic<bool> there{true}, used{false};
	} user;
	strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, 0};

	user.p.name = "uses";
	user.p.fd = -1;
	user.p.poll = [](strake_poller *p, uint64_t) {
		User *u = (User *)p;

		if (!u->there)
			return 0u;
		u->used = true;
		std::this_thread::sleep_for(std::chrono::milliseconds(20));
		u->used = false;
		return 1u;
	};
	ASSERT_EQ(0, strake_lcore_create(2, &lc));
	lcores = 2;
	strake_lcore_enter(2);
	strake_poller_add(&user.p);
	strake_lcore_enter(UINT16_MAX);
	strake_lcores_settle(); /* lcore 1 has no thread, and 2 none yet */
	std::thread thread([] {
		strake_lcore_enter(2);
		strake_lcore_run();
	});
	for (int i = 0; i < 5; i++) {
		user.there = true;
		while (!user.used)
			std::this_thread::yield();
		user.there = false;
		strake_lcores_settle();
		EXPECT_FALSE(user.used);
	}
	strake_lcore_stop(2);
	thread.join();
	strake_lcores_settle();
	strake_lcore_enter(2);
	strake_poller_del(&user.p);
	strake_lcore_destroy(2);
}

/* Where threads of the kernel need the CPU before there is work again, looking for it first keeps them waiting. */
TEST_F(Lcore, ARestIsASleepAtOnceWhereTheLoopSleepsAtAll)
{
	for (strake_idle idle : {STRAKE_IDLE_ADAPTIVE, STRAKE_IDLE_SPIN}) {
		strake_lcore_conf lc = {idle, 60 * 1000 * 1000, 0};
		strake_poller p = {};

		p.name = "rests";
		p.fd = -1;
		p.poll = [](strake_poller *, uint64_t) { return 0u; };
		p.flush = [](strake_poller *, uint64_t) {
			strake_self()->rest = true;
			if (strake_self()->slept == 10 || strake_self()->turns == 10000)
				strake_lcore_stop(2);
			return 0u;
		};
		ASSERT_EQ(0, strake_lcore_create(2, &lc));
		std::thread([&p] {
			strake_lcore_enter(2);
			strake_poller_add(&p);
			strake_lcore_run();
			strake_poller_del(&p);
		}).join();
		EXPECT_EQ(idle == STRAKE_IDLE_ADAPTIVE ? 10u : 0u, strake_lcore_at(2)->slept);
		strake_lcore_destroy(2);
	}
}

/* A poller that has a call of its own to wait by sleeps for the whole lcore; where it cannot, or a second one could,
 * the loop does. */
TEST_F(Lcore, APollerMaySleepForAll)
{
	struct Sleeper {
		strake_poller p = {};
		std::atomic<unsigned> slept{0};
		std::atomic<bool> able{true};
		uint32_t epoch = 0;
	} sleeper, second;
	strake_lcore_conf lc = {STRAKE_IDLE_ADAPTIVE, 10, 0};

	for (Sleeper *s : {&sleeper, &second}) {
		s->p.name = "sleeper";
		s->p.fd = eventfd(0, EFD_NONBLOCK);
		s->p.poll = [](strake_poller *, uint64_t) { return 0u; };
		s->p.sleep = [](strake_poller *p, const strake_sleep *what) {
			Sleeper *self = (Sleeper *)p;
			struct pollfd fds[8];

			EXPECT_EQ(3u, what->n) << "who wakes the lcore, and two pollers";
			EXPECT_TRUE(self->epoch == 0 || self->epoch == what->epoch);
			self->epoch = what->epoch;
			if (!self->able)
				return -EOPNOTSUPP;
			self->slept++;
			std::copy(what->fds, what->fds + what->n, fds);
			return poll(fds, what->n, (int)(what->ns / STRAKE_NS_PER_MS)) > 0 && fds[0].revents != 0 ? 1
														 : 0;
		};
	}
	ASSERT_EQ(0, strake_lcore_create(2, &lc));
	lcores = 2;
	strake_lcore_enter(2);
	auto asks = second.p.sleep;
	second.p.sleep = nullptr;
	strake_poller_add(&sleeper.p);
	strake_poller_add(&second.p);
	strake_lcore_enter(UINT16_MAX);
	std::thread thread([] {
		strake_lcore_enter(2);
		strake_lcore_run();
	});
	int arg = 41;
	for (int way : {0, 1, 2}) {
		bool able = way == 0;

		sleeper.able = way != 1;
		if (way == 2)
			__atomic_store_n(&second.p.sleep, asks, __ATOMIC_RELAXED);
		unsigned before = sleeper.slept;
		uint64_t slept = strake_lcore_at(2)->slept;
		for (int i = 0; i < 20; i++) {
			std::this_thread::sleep_for(std::chrono::milliseconds(2));
			EXPECT_EQ(42, strake_msg_call(
					      2, [](void *p) { return *(int *)p + 1; }, &arg));
		}
		EXPECT_GE(strake_lcore_at(2)->slept, slept + 10);
		EXPECT_LE(strake_lcore_at(2)->slept, slept + 100) << "what woke it was not drained";
		if (able)
			EXPECT_GE(sleeper.slept, before + 10);
		else
			EXPECT_LE(sleeper.slept, before + 1);
	}
	EXPECT_EQ(0u, second.slept) << "neither of two sleeps for the other";
	strake_lcore_stop(2);
	thread.join();
	strake_lcore_enter(2);
	strake_poller_del(&sleeper.p);
	strake_poller_del(&second.p);
	strake_lcore_enter(UINT16_MAX);
	close(sleeper.p.fd);
	close(second.p.fd);
	strake_lcore_destroy(2);
}

/* What a caller lends to the other lcore is its own again when the call returns: what was not begun in time is never
 * begun, and what was is waited for. */
TEST_F(Lcore, CallThatTimedOutNeverRunsAndOneThatRunsIsWaitedFor)
{
	strake_lcore_conf lc = {STRAKE_IDLE_ADAPTIVE, 10, 0};
	int late = 0, slow = 0, ret = -1;

	ASSERT_EQ(0, strake_lcore_create(2, &lc));
	ASSERT_EQ(0, strake_lcore_create(3, &lc));
	lcores = 2;
	std::thread runs([] {
		strake_lcore_enter(3);
		strake_lcore_run();
	});
	std::thread waits([&] {
		ret = strake_msg_call(
			3,
			[](void *p) {
				std::this_thread::sleep_for(std::chrono::milliseconds(5500));
				*(int *)p = 1;
				return 7;
			},
			&slow);
	});
	EXPECT_EQ(-ETIMEDOUT, strake_msg_call(
				      2,
				      [](void *p) {
					      *(int *)p = 1;
					      return 0;
				      },
				      &late));
	strake_lcore_enter(2);
	strake_lcore_turn(STRAKE_NS_PER_SEC);
	EXPECT_EQ(0, late);
	waits.join();
	EXPECT_EQ(7, ret);
	EXPECT_EQ(1, slow);
	strake_lcore_stop(3);
	runs.join();
	strake_lcore_enter(1);
	strake_lcore_destroy(3);
	strake_lcore_destroy(2);
}

/* Else a signal, or a start that fails, that comes before the thread has reached its loop would wait for ever. */
TEST_F(Lcore, StopBeforeRunIsNotForgotten)
{
	strake_lcore_stop(1);
	strake_lcore_run();
	EXPECT_EQ(0u, strake_self()->turns);
}

} // namespace
