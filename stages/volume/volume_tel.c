/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Volumes on the telemetry socket. The list belongs to main, so the answer is made there; counters are only read.
 */

#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_telemetry.h>

#include "store_job.h"
#include "strake_volume.h"
#include "volume.h"

/* Main's. */
static bool (*offline)(unsigned int n, struct volume_offline *out);

void
volume_offline_ask(bool (*nth)(unsigned int n, struct volume_offline *out))
{
	offline = nth;
}

/* What a store keeps for itself is in its own figures. */
static bool
is_shown(const struct strake_volume *v)
{
	return v->name[0] != '.';
}

static int
list_on_main(const char *params, struct rte_tel_data *d)
{
	struct volume_offline off;
	unsigned int first, count, i = 0;

	if (strake_tel_page(params, &first, &count) < 0)
		return -EINVAL;
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (struct strake_volume *v = strake_volume_first(); v != NULL; v = v->next) {
		if (!is_shown(v))
			continue;
		if (i >= first && i - first < count)
			rte_tel_data_add_array_string(d, v->name);
		i++;
	}
	for (unsigned int n = 0; offline != NULL && offline(n, &off); n++, i++) {
		if (i >= first && i - first < count)
			rte_tel_data_add_array_string(d, off.name);
	}
	return 0;
}

static void
sum_stats(const struct strake_volume *v, struct strake_volume_stats *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned int l = 0; l < RTE_DIM(v->stats); l++) {
		const struct strake_volume_stats *s = v->stats[l];

		if (s == NULL)
			continue;
		for (unsigned int op = 0; op < STRAKE_OP_COUNT; op++) {
			sum->ops[op] += s->ops[op];
			sum->bytes[op] += s->bytes[op];
			sum->errors[op] += s->errors[op];
		}
		sum->waits += s->waits;
		sum->starved += s->starved;
		strake_hist_merge(&sum->latency[0], &s->latency[0]);
		strake_hist_merge(&sum->latency[1], &s->latency[1]);
	}
}

static void
add_by_op(struct rte_tel_data *d, const char *what, const uint64_t *v)
{
	char key[64];

	for (unsigned int op = 0; op < STRAKE_OP_COUNT; op++) {
		snprintf(key, sizeof(key), "%s_%s", strake_op_name((uint8_t)op), what);
		rte_tel_data_add_dict_u64(d, key, v[op]);
	}
}

/* Of a log volume: what it has of its store. */
static void
add_store(struct rte_tel_data *d, const struct lvol *lv)
{
	rte_tel_data_add_dict_string(d, "store", store_name(lv->st));
	rte_tel_data_add_dict_u64(d, "mapped_bytes", map_tree_entries(lv->v->tree) * LOG_BLOCK);
	rte_tel_data_add_dict_u64(d, "shared_bytes", lv->v->d.shared * LOG_BLOCK);
}

static int
info_offline(const char *name, struct rte_tel_data *d)
{
	char text[RTE_TEL_MAX_STRING_LEN];
	struct volume_offline off = {.name = NULL};

	for (unsigned int n = 0; off.name == NULL || strcmp(off.name, name) != 0; n++) {
		if (offline == NULL || !offline(n, &off))
			return -ENOENT;
	}
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", off.name);
	snprintf(text, sizeof(text), "offline: %s", off.word);
	rte_tel_data_add_dict_string(d, "state", text);
	snprintf(text, sizeof(text), "%s", off.why);
	rte_tel_data_add_dict_string(d, "why", text);
	rte_tel_data_add_dict_u64(d, "bytes", off.bytes);
	return 0;
}

static int
info_on_main(const char *params, struct rte_tel_data *d)
{
	const struct strake_volume *v = strake_volume_find(params);
	struct strake_volume_stats sum;
	char uuid[33];

	if (v == NULL)
		return info_offline(params, d);
	for (unsigned int i = 0; i < sizeof(v->uuid); i++)
		snprintf(uuid + 2 * i, 3, "%02x", v->uuid[i]);
	sum_stats(v, &sum);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", v->name);
	rte_tel_data_add_dict_string(d, "state", "online");
	rte_tel_data_add_dict_string(d, "uuid", uuid);
	rte_tel_data_add_dict_u64(d, "bytes", strake_volume_bytes(v));
	rte_tel_data_add_dict_u64(d, "block_bytes", 1ULL << v->lba_shift);
	rte_tel_data_add_dict_int(d, "read_only", v->read_only);
	rte_tel_data_add_dict_int(d, "volatile_cache", v->volatile_cache);
	rte_tel_data_add_dict_u64(d, "slabs", v->slabs);
	if (v->owner != 0) /* only log volumes have one for good */
		add_store(d, v->priv);
	add_by_op(d, "ops", sum.ops);
	add_by_op(d, "bytes", sum.bytes);
	add_by_op(d, "errors", sum.errors);
	rte_tel_data_add_dict_u64(d, "waits", sum.waits);
	rte_tel_data_add_dict_u64(d, "starved", sum.starved);
	strake_hist_tel(&sum.latency[0], d, "read_latency_ns");
	strake_hist_tel(&sum.latency[1], d, "write_latency_ns");
	return 0;
}

RTE_INIT(volume_tel_init)
{
	strake_tel_register_on_main("/strake/volume/list", list_on_main, "Names of volumes. Parameters: first,count");
	strake_tel_register_on_main("/strake/volume/info", info_on_main, "Figures of a volume. Parameter: its name");
}
