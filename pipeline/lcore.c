/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_malloc.h>

#include "lcore_pvt.h"
#include "account.h"
#include "idle.h"
#include "msg.h"

#define SPIN_US_DEFAULT 50

RTE_DEFINE_PER_LCORE(struct strake_lcore *, strake_self);

static struct lcore *lcores[STRAKE_LCORE_MAX];
static uint16_t n_lcores;

static struct lcore *
self(void)
{
	return (struct lcore *)strake_self();
}

uint64_t
strake_clock_ns(void)
{
	static uint64_t mult; /* ns per cycle, 32 fractional bits; every thread computes the same */

	if (unlikely(mult == 0))
		mult = (STRAKE_NS_PER_SEC << 32) / rte_get_tsc_hz();
	return (uint64_t)(((unsigned __int128)rte_rdtsc() * mult) >> 32);
}

void
lcore_ending(void)
{
	struct lcore *lc = self();

	lc->pub.ending = likely(lc->by_clock) ? RTE_MAX(strake_clock_ns(), lc->pub.now) : lc->pub.now;
}

int
strake_lcore_create(uint16_t index, const struct strake_lcore_conf *conf)
{
	struct lcore *lc;

	if (index >= STRAKE_LCORE_MAX)
		return -EINVAL;
	if (lcores[index] != NULL)
		return -EEXIST;
	lc = rte_zmalloc_socket("strake_lcore", sizeof(*lc), RTE_CACHE_LINE_SIZE, conf->socket);
	if (lc == NULL)
		return -ENOMEM;
	lc->pub.index = index;
	lc->pub.socket = conf->socket;
	lc->pub.sleeps = conf->idle == STRAKE_IDLE_ADAPTIVE;
	lc->conf = *conf;
	TAILQ_INIT(&lc->pollers);
	timer_wheel_init(&lc->wheel, 0);
	lc->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (lc->wake_fd < 0)
		goto err_free;
	lc->msgs = msg_ring_create(index, conf->socket);
	if (lc->msgs == NULL)
		goto err_fd;
	lcores[index] = lc;
	if (index >= n_lcores)
		n_lcores = index + 1;
	return 0;

err_fd:
	close(lc->wake_fd);
err_free:
	rte_free(lc);
	return -ENOMEM;
}

void
strake_lcore_destroy(uint16_t index)
{
	struct lcore *lc = lcores[index];

	if (lc == NULL)
		return;
	lcores[index] = NULL;
	while (n_lcores > 0 && lcores[n_lcores - 1] == NULL)
		n_lcores--;
	if (RTE_PER_LCORE(strake_self) == &lc->pub)
		RTE_PER_LCORE(strake_self) = NULL;
	rte_ring_free(lc->msgs);
	close(lc->wake_fd);
	rte_free(lc);
}

uint16_t
strake_lcore_count(void)
{
	return n_lcores;
}

struct strake_lcore *
strake_lcore_at(uint16_t index)
{
	return index < STRAKE_LCORE_MAX && lcores[index] != NULL ? &lcores[index]->pub : NULL;
}

void
strake_lcore_enter(uint16_t index)
{
	RTE_PER_LCORE(strake_self) = index == UINT16_MAX ? NULL : &lcores[index]->pub;
}

struct timer_wheel *
timer_wheel_self(void)
{
	return &self()->wheel;
}

void
strake_poller_add(struct strake_poller *p)
{
	p->calls = 0;
	p->work = 0;
	p->cycles = 0;
	TAILQ_INSERT_TAIL(&self()->pollers, p, link);
	self()->epoch++;
}

void
strake_poller_del(struct strake_poller *p)
{
	TAILQ_REMOVE(&self()->pollers, p, link);
	self()->epoch++;
}

void
strake_poller_walk(void (*fn)(const struct strake_poller *p, void *arg), void *arg)
{
	struct strake_poller *p;

	TAILQ_FOREACH (p, &self()->pollers, link)
		fn(p, arg);
}

/* Call poll() of every poller in order, or flush() in reverse: what the last one left for the first is pushed out in
 * the same turn. The clock reading that ends one call begins the next. */
static uint32_t
pollers_run(struct lcore *lc, bool flush)
{
	struct strake_poller *p, *next;
	uint64_t at = rte_rdtsc();
	uint32_t total = 0;

	for (p = flush ? TAILQ_LAST(&lc->pollers, poller_list) : TAILQ_FIRST(&lc->pollers); p != NULL; p = next) {
		uint32_t (*fn)(struct strake_poller *, uint64_t) = flush ? p->flush : p->poll;
		uint64_t end;
		uint32_t work;

		/* p may take itself off the list, and be freed. */
		next = flush ? TAILQ_PREV(p, poller_list, link) : TAILQ_NEXT(p, link);
		if (fn == NULL)
			continue;
		p->calls++;
		work = fn(p, lc->pub.now);
		end = rte_rdtsc();
		if (work > 0) {
			p->work += work;
			p->cycles += end - at;
			total += work;
		}
		at = end;
	}
	return total;
}

uint32_t
strake_lcore_turn(uint64_t now)
{
	struct lcore *lc = self();
	uint32_t work;

	if (unlikely((lc->pub.account != NULL) != strake_account_on()))
		account_follow(&lc->pub);
	if (unlikely(lc->pub.account != NULL))
		account_turn_begin(lc->pub.account);
	lc->pub.now = now;
	lc->pub.rest = false;
	work = msg_ring_run(lc->msgs);
	work += timer_wheel_run(&lc->wheel, now);
	work += pollers_run(lc, false);
	work += pollers_run(lc, true);
	lc->pub.turns++;
	if (unlikely(lc->pub.account != NULL))
		account_turn_end(lc->pub.account, work > 0);
	if (work > 0)
		lc->pub.worked++;
	return work;
}

void
strake_lcore_run(void)
{
	struct lcore *lc = self();
	uint64_t at = rte_rdtsc(), idle_since = at, most, look;

	most = (lc->conf.spin_us != 0 ? lc->conf.spin_us : SPIN_US_DEFAULT) * (rte_get_tsc_hz() / US_PER_S);
	look = most;
	/* Not cleared here: whoever said stop before this thread came so far would be forgotten. */
	idle_thread_init();
	__atomic_store_n(&lc->by_clock, true, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* lcore_runs() is the partner */
	while (!__atomic_load_n(&lc->stop, __ATOMIC_ACQUIRE)) {
		uint32_t work = strake_lcore_turn(strake_clock_ns());
		uint64_t end = rte_rdtsc();

		if (work > 0) {
			lc->pub.busy_cycles += end - at;
			look = idle_look(look, at - idle_since, most);
			idle_since = end;
		} else {
			lc->pub.idle_cycles += end - at;
		}
		at = end;
		if (work > 0 || !lc->pub.sleeps || (at - idle_since < look && !lc->pub.rest))
			continue;
		idle_sleep(lc);
		at = rte_rdtsc();
	}
	__atomic_store_n(&lc->by_clock, false, __ATOMIC_RELEASE);
	__atomic_store_n(&lc->stop, false, __ATOMIC_RELAXED);
}

bool
lcore_runs(uint16_t index)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return lcores[index] != NULL && __atomic_load_n(&lcores[index]->by_clock, __ATOMIC_ACQUIRE);
}

void
strake_lcore_stop(uint16_t index)
{
	__atomic_store_n(&lcores[index]->stop, true, __ATOMIC_RELEASE);
	strake_lcore_wake(index);
}

void
strake_lcore_wake(uint16_t index)
{
	struct lcore *lc = lcores[index];

	/* The sleeper sets `asleep`, fences, then looks once more at what others may have left; we leave it, fence,
	 * then look at `asleep`. One of the two sees the other (idle_sleep() is the partner). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&lc->asleep, __ATOMIC_RELAXED)))
		eventfd_write(lc->wake_fd, 1);
}
