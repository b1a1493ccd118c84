/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_debug.h>
#include <rte_malloc.h>

#include "stage.h"

#define KINDS_MAX 64

static const struct strake_stage_ops *kinds[KINDS_MAX];
static unsigned int n_kinds;
static struct strake_stage *instances[STAGE_INSTANCES_MAX];

void
strake_stage_register(const struct strake_stage_ops *ops)
{
	if (strake_stage_find(ops->name) != NULL || n_kinds == KINDS_MAX)
		rte_panic("stage \"%s\": registered twice, or too many stages\n", ops->name);
	kinds[n_kinds++] = ops;
}

const struct strake_stage_ops *
strake_stage_find(const char *name)
{
	for (unsigned int i = 0; i < n_kinds; i++) {
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	}
	return NULL;
}

const struct strake_stage_ops *
strake_stage_nth(unsigned int i)
{
	return i < n_kinds ? kinds[i] : NULL;
}

static int
instance_slot(void)
{
	for (int i = 0; i < STAGE_INSTANCES_MAX; i++) {
		if (instances[i] == NULL)
			return i;
	}
	return -ENOSPC;
}

int
strake_stage_create(struct strake_stage **out, const struct strake_stage_ops *ops, const char *name,
		    const struct conf_values *conf, int lcore, char *err, size_t errlen)
{
	struct strake_stage *st;
	int slot = instance_slot();
	int ret;

	if (slot < 0) {
		snprintf(err, errlen, "%s: more than %d stages", name, STAGE_INSTANCES_MAX);
		return slot;
	}
	if (lcore == STRAKE_LCORE_MAIN || lcore >= strake_lcore_count()) {
		snprintf(err, errlen, "%s: lcore %d is not a data lcore (1 to %d)", name, lcore,
			 strake_lcore_count() - 1);
		return -EINVAL;
	}
	st = rte_zmalloc("strake_stage", sizeof(*st), RTE_CACHE_LINE_SIZE);
	if (st == NULL) {
		snprintf(err, errlen, "%s: out of memory", name);
		return -ENOMEM;
	}
	st->ops = ops;
	st->lcore = (int16_t)lcore;
	st->ctx_off = STAGE_CTX_UNPLACED;
	st->name = strdup(name);
	ret = st->name == NULL ? -ENOMEM : ops->create(st, conf, err, errlen);
	if (ret < 0) {
		free((char *)(uintptr_t)st->name);
		rte_free(st);
		return ret;
	}
	instances[slot] = st;
	st->step = (struct strake_step){.name = st->name, .place = STRAKE_AT_STAGE};
	strake_account_register(&st->step);
	*out = st;
	return 0;
}

void
strake_stage_destroy(struct strake_stage *st)
{
	for (int i = 0; i < STAGE_INSTANCES_MAX; i++) {
		if (instances[i] == st)
			instances[i] = NULL;
	}
	strake_account_unregister(&st->step);
	if (st->ops->destroy != NULL)
		st->ops->destroy(st);
	free((char *)(uintptr_t)st->name);
	rte_free(st);
}

struct strake_stage *
strake_stage_instance(unsigned int i)
{
	for (unsigned int slot = 0; slot < STAGE_INSTANCES_MAX; slot++) {
		if (instances[slot] != NULL && i-- == 0)
			return instances[slot];
	}
	return NULL;
}
