/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "idle.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <rte_ring.h>

#define FDS_MAX 64
/* A wake-up costs a few microseconds: at 150 µs an idle lcore stays under 5 % of a core, and answers within 200 µs. */
#define BLIND_NS (150 * STRAKE_NS_PER_US)
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

/* Arm pollers in order and gather their descriptors. @return pollers visited; *ready when one has work already. */
static unsigned int
arm_all(struct lcore *lc, struct pollfd *fds, unsigned int *n, bool *blind, bool *ready)
{
	struct strake_poller *p;
	unsigned int visited = 0;

	TAILQ_FOREACH (p, &lc->pollers, link) {
		visited++;
		if (p->arm != NULL && !p->arm(p, true)) {
			*ready = true;
			break;
		}
		if (p->fd >= 0 && *n < FDS_MAX) {
			fds[*n].fd = p->fd;
			fds[*n].events = POLLIN;
			(*n)++;
		} else if (p->fd != -2) {
			*blind = true;
		}
	}
	return visited;
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

void
idle_sleep(struct lcore *lc)
{
	struct pollfd fds[FDS_MAX] = {{.fd = lc->wake_fd, .events = POLLIN}};
	unsigned int n = 1, visited;
	bool blind = false, ready = false;
	struct timespec ts;
	eventfd_t drain;
	uint64_t ns;

	__atomic_store_n(&lc->asleep, true, __ATOMIC_RELAXED);
	/* Partner: strake_lcore_wake(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	visited = arm_all(lc, fds, &n, &blind, &ready);
	if (!ready && rte_ring_empty(lc->msgs) && !__atomic_load_n(&lc->stop, __ATOMIC_ACQUIRE)) {
		ns = timer_wheel_next(&lc->wheel, strake_clock_ns(), blind ? BLIND_NS : LONGEST_NS);
		ts.tv_sec = (time_t)(ns / STRAKE_NS_PER_SEC);
		ts.tv_nsec = (long)(ns % STRAKE_NS_PER_SEC);
		lc->pub.slept++;
		if (ppoll(fds, n, &ts, NULL) > 0 && (fds[0].revents & POLLIN) != 0)
			eventfd_read(lc->wake_fd, &drain);
	}
	disarm(lc, visited);
	__atomic_store_n(&lc->asleep, false, __ATOMIC_RELAXED);
}
