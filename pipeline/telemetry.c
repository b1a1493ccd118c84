/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "strake_lcore.h"
#include "strake_telemetry.h"

int
strake_tel_register(const char *cmd, telemetry_cb fn, const char *help)
{
	if (strncmp(cmd, "/strake/", 8) != 0)
		return -EINVAL;
	return rte_telemetry_register_cmd(cmd, fn, help);
}

/* What DPDK hands to a callback is the command alone: by it the function is found that runs on main. */
static struct on_main {
	char cmd[64];
	strake_tel_fn fn;
} on_main[64];
static unsigned int n_on_main;

struct query {
	strake_tel_fn fn;
	char params[128];
	struct rte_tel_data *d;
};

static int
query_run(void *arg)
{
	struct query *q = arg;

	return q->fn(q->params, q->d);
}

static struct on_main *
on_main_find(const char *cmd)
{
	unsigned int i = 0;

	while (i < n_on_main && strcmp(on_main[i].cmd, cmd) != 0)
		i++;
	return i < RTE_DIM(on_main) ? &on_main[i] : NULL;
}

static int
ask_main(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct query q = {.fn = on_main_find(cmd)->fn, .d = d};

	snprintf(q.params, sizeof(q.params), "%s", params == NULL ? "" : params);
	return strake_msg_call(STRAKE_LCORE_MAIN, query_run, &q);
}

int
strake_tel_register_on_main(const char *cmd, strake_tel_fn fn, const char *help)
{
	struct on_main *at = on_main_find(cmd);

	if (at == NULL || strlen(cmd) >= sizeof(at->cmd))
		return -ENOSPC;
	snprintf(at->cmd, sizeof(at->cmd), "%s", cmd);
	at->fn = fn;
	n_on_main += at == &on_main[n_on_main];
	return strake_tel_register(cmd, ask_main, help);
}

int
strake_tel_page(const char *params, unsigned int *first, unsigned int *count)
{
	char *end;

	*first = 0;
	*count = RTE_TEL_MAX_DICT_ENTRIES;
	if (params == NULL || *params == '\0')
		return 0;
	*first = (unsigned int)strtoul(params, &end, 10);
	if (end == params)
		return -EINVAL;
	if (*end == '\0')
		return 0;
	if (*end != ',')
		return -EINVAL;
	params = end + 1;
	*count = (unsigned int)strtoul(params, &end, 10);
	if (end == params || *end != '\0' || *count == 0)
		return -EINVAL;
	if (*count > RTE_TEL_MAX_DICT_ENTRIES)
		*count = RTE_TEL_MAX_DICT_ENTRIES;
	return 0;
}
