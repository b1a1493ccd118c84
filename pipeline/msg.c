/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "msg.h"

#include <errno.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include <rte_debug.h>

#include "lcore_pvt.h"

#define MSG_SLOTS      65536
#define MSG_BURST      64
#define CALL_TIMEOUT_S 5

struct rte_ring *
msg_ring_create(uint16_t index, int socket)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "strake_msg_%u", index);
	return rte_ring_create(name, MSG_SLOTS, socket, RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

uint32_t
msg_ring_run(struct rte_ring *ring)
{
	struct strake_msg *msgs[MSG_BURST];
	unsigned int n;

	if (likely(rte_ring_empty(ring)))
		return 0;
	n = rte_ring_sc_dequeue_burst(ring, (void **)msgs, MSG_BURST, NULL);
	for (unsigned int i = 0; i < n; i++)
		msgs[i]->fn(msgs[i]);
	return n;
}

void
strake_msg_send(uint16_t index, struct strake_msg *msg)
{
	struct lcore *to = (struct lcore *)strake_lcore_at(index);

	msg->from = strake_self() != NULL ? strake_self_index() : UINT16_MAX;
	if (unlikely(rte_ring_mp_enqueue(to->msgs, msg) != 0))
		rte_panic("message ring of lcore %u is full: more messages than can exist\n", index);
	strake_lcore_wake(index);
}

/* One of the two who share a call may give it up: the caller before it is begun. After that the other has begun it. */
enum { WAITS, RUNS, GIVEN_UP };

struct call {
	struct strake_msg msg;
	int (*fn)(void *arg);
	void *arg;
	int ret;
	int state;
	sem_t done;
};

/* @return whether it was still waiting. */
static bool
leave_waiting(struct call *c, int next)
{
	int waits = WAITS;

	return __atomic_compare_exchange_n(&c->state, &waits, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void
call_free(struct call *c)
{
	sem_destroy(&c->done);
	free(c);
}

static void
call_run(struct strake_msg *msg)
{
	struct call *c = (struct call *)msg;

	if (!leave_waiting(c, RUNS)) {
		call_free(c);
		return;
	}
	c->ret = c->fn(c->arg);
	sem_post(&c->done);
}

/* @return false: it was not begun in time, and never will be. */
static bool
wait_for(struct call *c)
{
	struct timespec until;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CALL_TIMEOUT_S;
	while ((ret = sem_clockwait(&c->done, CLOCK_MONOTONIC, &until)) < 0 && errno == EINTR)
		;
	if (ret == 0)
		return true;
	if (leave_waiting(c, GIVEN_UP))
		return false;
	while (sem_wait(&c->done) < 0)
		;
	return true;
}

int
strake_msg_call(uint16_t index, int (*fn)(void *arg), void *arg)
{
	struct call *c;
	int ret;

	if (strake_self() != NULL && strake_self_index() == index)
		return fn(arg);
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->msg.fn = call_run;
	c->fn = fn;
	c->arg = arg;
	sem_init(&c->done, 0, 0);
	strake_msg_send(index, &c->msg);
	if (!wait_for(c))
		return -ETIMEDOUT; /* the message is still on its way, and its memory the receiver's */
	ret = c->ret;
	call_free(c);
	return ret;
}

static int
nothing(void *arg)
{
	(void)arg;
	return 0;
}

void
strake_lcores_settle(void)
{
	for (uint16_t i = STRAKE_LCORE_MAIN + 1; i < strake_lcore_count(); i++) {
		while (lcore_runs(i) && strake_msg_call(i, nothing, NULL) != 0)
			;
	}
}
