/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_ACCOUNT_H
#define STRAKE_ACCOUNT_H

/**
 * @file
 * Where an lcore's cycles go, step by step, while somebody wants to know.
 *
 * A step is a named part of the way from wire to drive and back. Code that begins one says so, once per burst, and says
 * when it ends; what runs in between belongs to the innermost step. Off, this costs a load and a branch that is
 * always the same; on, a reading of the TSC. It changes between turns only, so begin and end always agree.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_cycles.h>

#include "strake_lcore.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STRAKE_STEPS_MAX 64

struct strake_step {
	const char *name;
	uint8_t place; /**< where it stands in a listing: 0 first; the same place: as registered */
	uint8_t id;    /**< set by registering; 0 is the loop itself, and what found no room */
};

/** Places of steps: from the wire down, and up again. */
enum strake_step_place {
	STRAKE_AT_RX = 10,
	STRAKE_AT_FRAME = 20,
	STRAKE_AT_TRANSPORT_IN = 30,
	STRAKE_AT_FRONT_IN = 40,
	STRAKE_AT_WALK = 50,
	STRAKE_AT_STAGE = 60,
	STRAKE_AT_DRIVE = 70,
	STRAKE_AT_END = 80,
	STRAKE_AT_FRONT_OUT = 90,
	STRAKE_AT_TRANSPORT_OUT = 100,
	STRAKE_AT_TX = 110,
};

/** One lcore's account. One writer, the lcore; readers may see a turn's end half booked. */
struct strake_account {
	uint64_t at; /**< TSC when the current step began or went on */
	uint8_t cur;
	uint64_t turn[STRAKE_STEPS_MAX]; /**< cycles of this turn; idle turns are not booked */
	uint64_t sum[STRAKE_STEPS_MAX];	 /**< of turns that did something */
	uint64_t switches, turns;	 /**< readings of the TSC, and turns, in turns that did something */
	uint32_t turn_switches;
};

/** Give @p step its id. Main, or a constructor. With no room left it is booked as the loop's. */
void strake_account_register(struct strake_step *step);
/** Give the id back; nobody may be in it. */
void strake_account_unregister(struct strake_step *step);
/** The @p i-th step in the order of places, or NULL after the last. */
const struct strake_step *strake_account_step(unsigned int i);

/** Keep accounts on every lcore from its next turn on, or stop. Turning on begins from nothing. Any thread. */
void strake_account_set(bool on);
bool strake_account_on(void);
/** What lcore @p index has booked since accounts were turned on. */
const struct strake_account *strake_account_of(uint16_t index);

static inline uint8_t
strake_account_switch(struct strake_account *a, uint8_t id)
{
	uint64_t now = rte_rdtsc();
	uint8_t before = a->cur;

	a->turn[before] += now - a->at;
	a->at = now;
	a->cur = id;
	a->turn_switches++;
	return before;
}

/** From here on it is @p step. @return what to give to strake_account_leave(). On an lcore. */
static inline uint8_t
strake_account_enter(const struct strake_step *step)
{
	struct strake_account *a = strake_self()->account;

	return unlikely(a != NULL) ? strake_account_switch(a, step->id) : 0;
}

/** Back to what it was before. */
static inline void
strake_account_leave(uint8_t before)
{
	struct strake_account *a = strake_self()->account;

	if (unlikely(a != NULL))
		strake_account_switch(a, before);
}

/** A step of the file it stands in. */
#define STRAKE_STEP(var, where, text)                                                                                  \
	static struct strake_step var = {.name = text, .place = where};                                                \
	RTE_INIT(strake_step_reg_##var)                                                                                \
	{                                                                                                              \
		strake_account_register(&var);                                                                         \
	}

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_ACCOUNT_H */
