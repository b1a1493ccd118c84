/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TIMER_H
#define TIMER_H

/**
 * @file
 * The hashed timing wheel of one lcore. A timer lies in the slot of the tick in which it is due, modulo the wheel; a
 * slot is looked at when its tick has passed, and what is due in a later round stays.
 */

#include "strake_lcore.h"

#define TIMER_SLOTS   4096
#define TIMER_TICK_NS STRAKE_NS_PER_MS

LIST_HEAD(timer_slot, strake_timer);

struct timer_wheel {
	uint64_t tick; /**< first tick not looked at yet */
	uint32_t armed;
	/** A bit for each slot: without it the slot is empty. A wheel is looked through before every sleep. */
	uint64_t some[TIMER_SLOTS / 64];
	struct timer_slot slot[TIMER_SLOTS];
};

void timer_wheel_init(struct timer_wheel *w, uint64_t now);
/** Fire what is due. @return timers fired. */
uint32_t timer_wheel_run(struct timer_wheel *w, uint64_t now);
/** ns until a slot with timers must be looked at, at most @p most. */
uint64_t timer_wheel_next(struct timer_wheel *w, uint64_t now, uint64_t most);
/** The wheel of the lcore this thread is. */
struct timer_wheel *timer_wheel_self(void);

#endif /* TIMER_H */
