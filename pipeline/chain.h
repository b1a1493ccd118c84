/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CHAIN_H
#define CHAIN_H

/**
 * @file
 * A chain, and the per-lcore state of the walk.
 *
 * A walk down calls stage after stage with what is left of the burst. Whatever turns round, is completed by a stage, or
 * comes back by ring goes onto the lcore's `up` list, and only the lcore's poller takes it from there: so no stage, and
 * no front, is entered again while it is still running.
 */

#include "strake_chain.h"
#include "unit.h"

struct strake_chain {
	char name[64];
	enum strake_unit_kind kind;
	uint8_t n;
	uint16_t ups; /* bitmap of the stages that have an up() */
	struct strake_stage *st[STRAKE_CHAIN_STAGES_MAX];
};

struct walk {
	struct strake_poller poller;
	struct unit_fifo up;		      /* turned round here, or come back by ring */
	struct unit_fifo down;		      /* continued by a stage that held them */
	struct unit_fifo retry;		      /* offered again next turn */
	struct rte_ring *down_ring, *up_ring; /* from other lcores; a slot for every unit */
	uint64_t begun, ended;		      /* units, for the drain */
	struct qos *qos;		      /* NULL: requests do not wait by class */
	uint64_t inner;			      /* TSC spent in stages below the one that runs now */
} __rte_cache_aligned;

/** This lcore's. */
struct walk *walk_self(void);
/** Walk units that stand at the same place of the same chain, on the lcore they belong to now. */
void walk_down(struct walk *w, struct strake_unit **units, uint16_t n);
/** Send one to another lcore, to be walked down (or begun) there. */
void walk_send_down(uint16_t lcore, struct strake_unit *u);
/** Put one on its way up. */
static inline void
walk_up(struct walk *w, struct strake_unit *u)
{
	unit_fifo_push(&w->up, u);
}

#endif /* CHAIN_H */
