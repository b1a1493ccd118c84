/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <inttypes.h>
#include <stdio.h>

#include <rte_common.h>

#include "strake_telemetry.h"

uint64_t
strake_hist_floor(unsigned int b)
{
	unsigned int octave;

	if (b < 4)
		return b;
	octave = (b + 4) / 4;
	return (uint64_t)(4 + (b & 3)) << (octave - 2);
}

void
strake_hist_merge(struct strake_hist *to, const struct strake_hist *from)
{
	to->count += from->count;
	to->sum += from->sum;
	to->max = RTE_MAX(to->max, from->max);
	for (unsigned int i = 0; i < STRAKE_HIST_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

uint64_t
strake_hist_quantile(const struct strake_hist *h, unsigned int permille)
{
	uint64_t below = 0, want = (h->count * permille + 999) / 1000;

	if (h->count == 0)
		return 0;
	for (unsigned int i = 0; i < STRAKE_HIST_BUCKETS - 1; i++) {
		below += h->bucket[i];
		if (below >= want)
			return RTE_MIN(strake_hist_floor(i + 1), h->max);
	}
	return h->max;
}

void
strake_hist_tel(const struct strake_hist *h, struct rte_tel_data *parent, const char *key)
{
	struct rte_tel_data *d = rte_tel_data_alloc();
	struct rte_tel_data *buckets = rte_tel_data_alloc();
	char name[32];

	if (d == NULL || buckets == NULL) {
		rte_tel_data_free(d);
		rte_tel_data_free(buckets);
		return;
	}
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_u64(d, "count", h->count);
	rte_tel_data_add_dict_u64(d, "mean", h->count != 0 ? h->sum / h->count : 0);
	rte_tel_data_add_dict_u64(d, "max", h->max);
	rte_tel_data_add_dict_u64(d, "p50", strake_hist_quantile(h, 500));
	rte_tel_data_add_dict_u64(d, "p99", strake_hist_quantile(h, 990));
	rte_tel_data_add_dict_u64(d, "p999", strake_hist_quantile(h, 999));
	rte_tel_data_start_dict(buckets);
	for (unsigned int i = 0; i < STRAKE_HIST_BUCKETS; i++) {
		if (h->bucket[i] == 0)
			continue;
		snprintf(name, sizeof(name), "%" PRIu64, strake_hist_floor(i));
		rte_tel_data_add_dict_u64(buckets, name, h->bucket[i]);
	}
	rte_tel_data_add_dict_container(d, "buckets", buckets, 0);
	rte_tel_data_add_dict_container(parent, key, d, 0);
}
