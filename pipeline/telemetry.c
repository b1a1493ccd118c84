/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "strake_lcore.h"
#include "strake_telemetry.h"

int
strake_tel_register(const char *cmd, telemetry_cb fn, const char *help)
{
	if (strncmp(cmd, "/strake/", 8) != 0)
		return -EINVAL;
	return rte_telemetry_register_cmd(cmd, fn, help);
}

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

int
strake_tel_on_main(strake_tel_fn fn, const char *params, struct rte_tel_data *d)
{
	struct query q = {.fn = fn, .d = d};

	snprintf(q.params, sizeof(q.params), "%s", params == NULL ? "" : params);
	return strake_msg_call(STRAKE_LCORE_MAIN, query_run, &q);
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
