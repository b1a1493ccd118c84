/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Stores of log groups on the telemetry socket. The list belongs to main, so the answer is made there. */

#include <errno.h>
#include <string.h>

#include <rte_common.h>

#include "figures.h"
#include "store_log.h"
#include "strake_telemetry.h"

static int
list_on_main(const char *params, struct rte_tel_data *d)
{
	unsigned int first, count;

	if (strake_tel_page(params, &first, &count) < 0)
		return -EINVAL;
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (unsigned int i = first; i - first < count && store_nth(i) != NULL; i++)
		rte_tel_data_add_array_string(d, store_name(store_nth(i)));
	return 0;
}

static int
info_on_main(const char *params, struct rte_tel_data *d)
{
	const struct store *st = NULL;
	struct store_usage u;

	for (unsigned int i = 0; (st = store_nth(i)) != NULL; i++) {
		if (strcmp(store_name(st), params) == 0)
			break;
	}
	if (st == NULL)
		return -ENOENT;
	store_usage(st, &u);
	const struct {
		const char *key;
		uint64_t value;
	} figures[] = {
		{"bytes", u.bytes},
		{"free_bytes", u.free_bytes},
		{"logical_blocks", u.logical_blocks},
		{"shared_blocks", u.shared_blocks},
		{"unique_blocks", u.unique_blocks},
		{"own_blocks", u.own_blocks},
		{"deleted_blocks", u.deleted_blocks},
		{"dead_blocks", u.dead_blocks},
		{"plain_bytes", u.plain_bytes},
		{"stored_bytes", u.stored_bytes},
		{"zero_blocks", u.zero_blocks},
		{"hit_blocks", u.hit_blocks},
		{"host_bytes", u.host_bytes},
		{"hot_bytes", u.hot_bytes},
		{"gc_bytes", u.gc_bytes},
		{"meta_bytes", u.meta_bytes},
		{"padded_bytes", u.padded_bytes},
		{"intent_bytes", u.intent_bytes},
		{"moved_blocks", u.moved_blocks},
		{"collected", u.collected},
		{"checkpoints", u.checkpoints},
		{"replayed", u.replayed},
		{"lost", u.lost},
		{"repaired", u.repaired},
		{"segments", u.segments},
		{"free_segments", u.free_segments},
		{"aside_segments", u.aside_segments},
	};

	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", store_name(st));
	for (unsigned int i = 0; i < RTE_DIM(figures); i++)
		rte_tel_data_add_dict_u64(d, figures[i].key, figures[i].value);
	rte_tel_data_add_dict_int(d, "full", u.full);
	rte_tel_data_add_dict_int(d, "failed", u.failed);
	return 0;
}

int
figures_stores_up(void)
{
	int ret = strake_tel_register_on_main("/strake/store/list", list_on_main,
					      "Names of the stores of log groups. Parameters: first,count.");

	return ret < 0 ? ret
		       : strake_tel_register_on_main("/strake/store/info", info_on_main,
						     "Where a store's space went. Parameter: name.");
}
