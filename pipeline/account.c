/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "account.h"

#include <string.h>

static struct strake_step loop_step = {.name = "loop and what no step claims"};
static struct strake_step *steps[STRAKE_STEPS_MAX] = {&loop_step};
static struct strake_account accounts[STRAKE_LCORE_MAX] __rte_cache_aligned;

bool account_wanted;

void
strake_account_register(struct strake_step *step)
{
	step->id = 0;
	for (uint8_t i = 1; i < STRAKE_STEPS_MAX && step->id == 0; i++) {
		if (steps[i] == NULL) {
			steps[i] = step;
			step->id = i;
		}
	}
}

void
strake_account_unregister(struct strake_step *step)
{
	if (step->id != 0)
		steps[step->id] = NULL;
	step->id = 0;
}

const struct strake_step *
strake_account_step(unsigned int nth)
{
	for (unsigned int place = 0; place <= UINT8_MAX; place++) {
		for (unsigned int i = 0; i < STRAKE_STEPS_MAX; i++) {
			if (steps[i] != NULL && steps[i]->place == place && nth-- == 0)
				return steps[i];
		}
	}
	return NULL;
}

void
strake_account_set(bool on)
{
	__atomic_store_n(&account_wanted, on, __ATOMIC_RELAXED);
}

bool
strake_account_on(void)
{
	return __atomic_load_n(&account_wanted, __ATOMIC_RELAXED);
}

const struct strake_account *
strake_account_of(uint16_t index)
{
	return &accounts[index];
}

/* What was booked stays to be read when accounts are turned off. */
void
account_follow(struct strake_lcore *lc)
{
	if (lc->account != NULL) {
		lc->account = NULL;
		return;
	}
	lc->account = &accounts[lc->index];
	memset(lc->account, 0, sizeof(*lc->account));
}

void
account_turn_begin(struct strake_account *a)
{
	a->cur = 0;
	a->turn_switches = 1;
	a->at = rte_rdtsc();
}

void
account_turn_end(struct strake_account *a, bool worked)
{
	strake_account_switch(a, 0);
	if (worked) {
		for (unsigned int i = 0; i < STRAKE_STEPS_MAX; i++)
			a->sum[i] += a->turn[i];
		a->switches += a->turn_switches;
		a->turns++;
	}
	memset(a->turn, 0, sizeof(a->turn));
}
