/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LCORE_PVT_H
#define LCORE_PVT_H

/**
 * @file
 * What the files of this room know of an lcore beyond strake_lcore.h.
 */

#include <rte_ring.h>

#include "strake_lcore.h"
#include "timer.h"

TAILQ_HEAD(poller_list, strake_poller);

struct lcore {
	struct strake_lcore pub; /* first: strake_self() points here */
	struct strake_lcore_conf conf;
	struct poller_list pollers;
	uint32_t epoch;	       /* of pollers: another one came or went */
	struct rte_ring *msgs; /* MP/SC */
	int wake_fd;	       /* eventfd: written by who finds `asleep` set */
	bool asleep;	       /* pairs with the sender's enqueue: see strake_lcore_wake() */
	bool stop;
	bool by_clock; /* run() gives it the real time, not a test its own */
	struct timer_wheel wheel;
};

/** Units of a burst are ended: read the clock, once for all of them. */
void lcore_ending(void);
/** Is it in strake_lcore_run()? A loop that begins after a no sees what the caller did before it asked. Any thread. */
bool lcore_runs(uint16_t index);
/** Wake lcore @p index if it sleeps, after something was put where it will look. Any thread. */
void strake_lcore_wake(uint16_t index);

#endif /* LCORE_PVT_H */
