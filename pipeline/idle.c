/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "idle.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <rte_ring.h>

#define FDS_MAX 64
/* A wake-up costs a few microseconds: at 150 µs an idle lcore stays under 5 % of a core, and answers within 200 µs. */
#define BLIND_NS (150 * STRAKE_NS_PER_US)
/* Shorter where a poller rests: the others are looked at about as often as by a loop that never sleeps. */
#define BLIND_REST_NS (20 * STRAKE_NS_PER_US)
/* The longest sleep; bounds the scan of the timing wheel. */
#define LONGEST_NS STRAKE_NS_PER_SEC

void
idle_thread_init(void)
{
	prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);
}

/* Looking saves a sleep and a wake-up if work comes meanwhile, and is lost if it does not: one gap too long takes as
 * much back as four short ones gave. */
uint64_t
idle_look(uint64_t look, uint64_t gap, uint64_t most)
{
	if (gap < most / 16)
		return look;
	return gap < most ? RTE_MIN(look + most / 8, most) : RTE_MAX(look / 2, most / 16);
}

struct armed {
	struct pollfd fds[FDS_MAX]; /* the first wakes the lcore */
	unsigned int n, visited;
	struct strake_poller *sleeper; /* who can sleep for all */
	unsigned int sleepers;	       /* how many could: two do not wake each other */
	bool blind;		       /* somebody has no descriptor */
	bool ready;		       /* somebody has work already */
};

/* Arm pollers in order and gather their descriptors. */
static void
arm_all(struct lcore *lc, struct armed *a)
{
	struct strake_poller *p;

	TAILQ_FOREACH (p, &lc->pollers, link) {
		a->visited++;
		if (p->arm != NULL && !p->arm(p, true)) {
			a->ready = true;
			break;
		}
		if (p->fd >= 0 && a->n < FDS_MAX) {
			a->fds[a->n++] = (struct pollfd){.fd = p->fd, .events = POLLIN};
			if (p->sleep != NULL) {
				a->sleeper = p;
				a->sleepers++;
			}
		} else if (p->fd != -2) {
			a->blind = true;
		}
	}
}

static void
disarm(struct lcore *lc, unsigned int visited)
{
	struct strake_poller *p;

	TAILQ_FOREACH (p, &lc->pollers, link) {
		if (visited-- == 0)
			break;
		if (p->arm != NULL)
			p->arm(p, false);
	}
}

/* @return whether somebody woke the lcore. */
static bool
sleep_until(struct lcore *lc, struct armed *a, uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / STRAKE_NS_PER_SEC),
		.tv_nsec = (long)(ns % STRAKE_NS_PER_SEC),
	};
	struct strake_sleep s = {.fds = a->fds, .n = a->n, .epoch = lc->epoch, .ns = ns};
	int ret = a->sleepers == 1 ? a->sleeper->sleep(a->sleeper, &s) : -EOPNOTSUPP;

	if (ret >= 0)
		return ret > 0;
	return ppoll(a->fds, a->n, &ts, NULL) > 0 && (a->fds[0].revents & POLLIN) != 0;
}

void
idle_sleep(struct lcore *lc)
{
	struct armed a;
	eventfd_t drain;
	uint64_t blind = lc->pub.rest ? BLIND_REST_NS : BLIND_NS, ns;

	/* Not cleared as a whole: most of it is never looked at. */
	a.fds[0] = (struct pollfd){.fd = lc->wake_fd, .events = POLLIN};
	a.n = 1;
	a.visited = 0;
	a.sleeper = NULL;
	a.sleepers = 0;
	a.blind = a.ready = false;
	__atomic_store_n(&lc->asleep, true, __ATOMIC_RELAXED);
	/* Partner: strake_lcore_wake(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	arm_all(lc, &a);
	if (!a.ready && rte_ring_empty(lc->msgs) && !__atomic_load_n(&lc->stop, __ATOMIC_ACQUIRE)) {
		ns = timer_wheel_next(&lc->wheel, strake_clock_ns(), a.blind ? blind : LONGEST_NS);
		lc->pub.slept++;
		if (sleep_until(lc, &a, ns))
			eventfd_read(lc->wake_fd, &drain);
	}
	disarm(lc, a.visited);
	__atomic_store_n(&lc->asleep, false, __ATOMIC_RELAXED);
}
