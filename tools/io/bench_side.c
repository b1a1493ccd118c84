/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "bench_side.h"

#include <stdio.h>

#include "table.h"
#include "ticks.h"
#include "units.h"

static void
step_json(uint64_t upper, uint64_t count, void *arg)
{
	json_array_append_new(arg, json_pack("[fI]", ticks_to_ns(upper), (json_int_t)count));
}

static json_t *
histogram_json(const struct hist *h)
{
	json_t *steps = json_array();

	hist_each(h, step_json, steps);
	return steps;
}

json_t *
bench_side_json(const struct bench_side *s, double secs)
{
	const struct hist *h = &s->lat;
	double mean = h->count > 0 ? (double)h->sum / (double)h->count / ticks_per_ns() : 0;

	return json_pack("{sI sI sf sf s{sf sf sf sf sf sf sf so}}", "ios", (json_int_t)s->ios, "errors",
			 (json_int_t)s->errors, "iops", (double)s->ios / secs, "bytes_per_second",
			 (double)s->bytes / secs, "latency_ns", "min", h->count > 0 ? ticks_to_ns(h->min) : 0.0, "mean",
			 mean, "p50", ticks_to_ns(hist_quantile(h, 0.5)), "p90", ticks_to_ns(hist_quantile(h, 0.9)),
			 "p99", ticks_to_ns(hist_quantile(h, 0.99)), "p999", ticks_to_ns(hist_quantile(h, 0.999)),
			 "max", ticks_to_ns(h->max), "histogram", histogram_json(h));
}

static void
side_row(struct table *t, const char *name, const struct bench_side *s, double secs)
{
	const double q[] = {0.5, 0.99, 0.999};
	char text[UNITS_MAX];

	if (s->ios == 0)
		return;
	table_add(t, name);
	table_add(t, units_count(text, (double)s->ios / secs));
	table_addf(t, "%s/s", units_bytes(text, (double)s->bytes / secs));
	table_add(t, units_ns(text, (double)s->lat.sum / (double)s->lat.count / ticks_per_ns()));
	for (unsigned int i = 0; i < 3; i++)
		table_add(t, units_ns(text, ticks_to_ns(hist_quantile(&s->lat, q[i]))));
	table_add(t, units_ns(text, ticks_to_ns(s->lat.max)));
	table_addf(t, "%llu", (unsigned long long)s->errors);
}

void
bench_side_print(const struct bench_side *reads, const struct bench_side *writes, double secs)
{
	static const char *const heads[] = {"", "IOPS", "bandwidth", "mean", "p50", "p99", "p99.9", "max", "errors"};
	const unsigned int n = sizeof(heads) / sizeof(heads[0]);
	struct table t;

	table_init(&t, n, true);
	for (unsigned int i = 0; i < n; i++)
		table_add(&t, heads[i]);
	side_row(&t, "read", reads, secs);
	side_row(&t, "write", writes, secs);
	table_print(&t, stdout, 0);
	table_free(&t);
}
