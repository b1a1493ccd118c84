/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The stages that the operator names for a volume. */

#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int
plan_stages_up(struct appliance *a, const struct conf_volume *v, struct plan_stages *lists)
{
	for (unsigned int i = 0; i < v->n_stages; i++) {
		const struct conf_stage *s = &v->stages[i];
		const struct strake_stage_ops *ops = strake_stage_find(s->name);
		struct strake_stage *st;
		char name[128];
		int ret;

		snprintf(name, sizeof(name), "%s.%s", v->name, s->name);
		/* One place of each chain is the volume's or the group's own. */
		if (lists->n_req + 1 == STRAKE_CHAIN_STAGES_MAX || lists->n_chunk + 1 == STRAKE_CHAIN_STAGES_MAX)
			return -E2BIG;
		if (strcmp(s->name, "seal") == 0)
			ret = plan_seal_up(a, v, &st);
		else
			ret = strake_stage_create(&st, ops, name, s->values, s->cpu, a->err, sizeof(a->err));
		if (ret < 0)
			return ret;
		if (ops->unit == STRAKE_UNIT_REQ)
			lists->req[lists->n_req++] = st;
		else
			lists->chunk[lists->n_chunk++] = st;
	}
	return 0;
}

struct strake_stage *
plan_stage(const struct conf_volume *v, unsigned int i)
{
	char name[128];

	snprintf(name, sizeof(name), "%s.%s", v->name, v->stages[i].name);
	for (unsigned int at = 0; strake_stage_instance(at) != NULL; at++) {
		if (strcmp(strake_stage_instance(at)->name, name) == 0)
			return strake_stage_instance(at);
	}
	return NULL;
}

void
plan_stages_down(const struct conf_volume *v)
{
	for (unsigned int s = 0; s < v->n_stages; s++) {
		struct strake_stage *st = plan_stage(v, s);

		if (st != NULL)
			strake_stage_destroy(st);
	}
}
