/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Which stages stand on which lcore: their lcore_init(), poll() and drain(). */

#include "stage_poll.h"

#include <errno.h>

#include "stage.h"
#include "strake_chain.h"

struct stage_set {
	unsigned int n, n_polled;
	struct strake_stage *st[STAGE_INSTANCES_MAX];
	struct strake_stage *polled[STAGE_INSTANCES_MAX];
};

static struct stage_set sets[STRAKE_LCORE_MAX];

static bool
stands_here(const struct strake_stage *st)
{
	return st->lcore < 0 || st->lcore == strake_self_index();
}

static bool
known(const struct stage_set *set, const struct strake_stage *st)
{
	for (unsigned int i = 0; i < set->n; i++) {
		if (set->st[i] == st)
			return true;
	}
	return false;
}

int
strake_stage_lcore_init(struct strake_stage *st)
{
	struct stage_set *set = &sets[strake_self_index()];
	int ret;

	if (!stands_here(st) || known(set, st))
		return 0;
	if (set->n == STAGE_INSTANCES_MAX)
		return -ENOSPC;
	ret = st->ops->lcore_init != NULL ? st->ops->lcore_init(st) : 0;
	if (ret < 0)
		return ret;
	set->st[set->n++] = st;
	if (st->ops->poll != NULL)
		set->polled[set->n_polled++] = st;
	return 0;
}

static void
forget(struct strake_stage **list, unsigned int *n, const struct strake_stage *st)
{
	for (unsigned int i = 0; i < *n; i++) {
		if (list[i] == st) {
			list[i] = list[--*n];
			return;
		}
	}
}

void
strake_stage_lcore_fini(struct strake_stage *st)
{
	struct stage_set *set = &sets[strake_self_index()];

	if (!known(set, st))
		return;
	forget(set->st, &set->n, st);
	forget(set->polled, &set->n_polled, st);
	if (st->ops->lcore_fini != NULL)
		st->ops->lcore_fini(st);
}

uint32_t
stage_poll_run(uint64_t now)
{
	struct stage_set *set = &sets[strake_self_index()];
	uint32_t work = 0;

	for (unsigned int i = 0; i < set->n_polled; i++)
		work += set->polled[i]->ops->poll(set->polled[i], now);
	return work;
}

bool
stage_poll_any(void)
{
	return sets[strake_self_index()].n_polled > 0;
}

bool
strake_pipeline_lcore_drain(void)
{
	struct stage_set *set = &sets[strake_self_index()];
	bool all = true;

	for (unsigned int i = 0; i < set->n; i++) {
		if (set->st[i]->ops->drain != NULL && !set->st[i]->ops->drain(set->st[i]))
			all = false;
	}
	return all;
}
