/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "timer.h"

#include <string.h>

#include <rte_common.h>

static inline uint64_t
bit(uint64_t tick)
{
	return 1ULL << (tick % 64);
}

static inline uint64_t *
word(struct timer_wheel *w, uint64_t tick)
{
	return &w->some[tick % TIMER_SLOTS / 64];
}

void
timer_wheel_init(struct timer_wheel *w, uint64_t now)
{
	w->tick = now / TIMER_TICK_NS;
	w->armed = 0;
	for (unsigned int i = 0; i < TIMER_SLOTS; i++)
		LIST_INIT(&w->slot[i]);
	memset(w->some, 0, sizeof(w->some));
}

void
strake_timer_arm(struct strake_timer *t, uint64_t due)
{
	struct timer_wheel *w = timer_wheel_self();
	/* A time gone by goes to the first slot that is still to be looked at. */
	uint64_t tick = RTE_MAX(due / TIMER_TICK_NS, w->tick);

	strake_timer_cancel(t);
	t->due = RTE_MAX(due, 1ULL);
	LIST_INSERT_HEAD(&w->slot[tick % TIMER_SLOTS], t, link);
	*word(w, tick) |= bit(tick);
	w->armed++;
}

void
strake_timer_cancel(struct strake_timer *t)
{
	if (t->due == 0)
		return;
	t->due = 0;
	LIST_REMOVE(t, link);
	timer_wheel_self()->armed--;
}

static uint32_t
slot_run(struct timer_wheel *w, struct timer_slot *slot, uint64_t now)
{
	struct timer_slot later = LIST_HEAD_INITIALIZER(later);
	struct strake_timer *t;
	uint32_t fired = 0;

	/* fn may arm and cancel any timer, also those in this slot and in `later`: so one is taken at a time. */
	while ((t = LIST_FIRST(slot)) != NULL) {
		LIST_REMOVE(t, link);
		if (t->due > now) {
			LIST_INSERT_HEAD(&later, t, link);
			continue;
		}
		t->due = 0;
		w->armed--;
		t->fn(t, now);
		fired++;
	}
	slot->lh_first = later.lh_first;
	if (slot->lh_first != NULL)
		slot->lh_first->link.le_prev = &slot->lh_first;
	return fired;
}

uint32_t
timer_wheel_run(struct timer_wheel *w, uint64_t now)
{
	uint64_t until = now / TIMER_TICK_NS;
	uint64_t from = w->tick;
	uint32_t fired = 0;

	if (until <= from)
		return 0;
	/* Arming from inside fn must not land in a slot this run has passed. */
	w->tick = until;
	if (w->armed == 0)
		return 0;
	/* Never the slot that tick `until` shares: what a callback arms there would be run in this very loop. */
	if (until - from >= TIMER_SLOTS)
		from = until - TIMER_SLOTS + 1;
	for (; from < until; from++)
		fired += slot_run(w, &w->slot[from % TIMER_SLOTS], now);
	return fired;
}

uint64_t
timer_wheel_next(struct timer_wheel *w, uint64_t now, uint64_t most)
{
	uint64_t last = RTE_MIN((now + most) / TIMER_TICK_NS, w->tick + TIMER_SLOTS), tick = w->tick;

	while (w->armed != 0 && tick < last) {
		uint64_t some = *word(w, tick) & -bit(tick), at;

		if (some == 0) {
			tick = RTE_ALIGN_FLOOR(tick, 64) + 64;
			continue;
		}
		tick = RTE_ALIGN_FLOOR(tick, 64) + (uint64_t)__builtin_ctzll(some);
		if (tick >= last)
			break;
		if (!LIST_EMPTY(&w->slot[tick % TIMER_SLOTS])) {
			at = (tick + 1) * TIMER_TICK_NS;
			return at > now ? RTE_MIN(at - now, most) : 0;
		}
		*word(w, tick) &= ~bit(tick);
	}
	return most;
}
