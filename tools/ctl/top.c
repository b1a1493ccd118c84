/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "top.h"
#include "units.h"

int
top_look(struct tel *t, json_t **out, char *err)
{
	static const char *const kinds[] = {"volume", "stage", "drive"};
	json_t *root = json_object(), *v;
	int ret = tel_ask(t, "/strake/status", &v, err);

	if (ret == 0)
		json_object_set_new(root, "status", v);
	if (ret == 0)
		ret = tel_ask(t, "/strake/lcore/list", &v, err);
	if (ret == 0)
		json_object_set_new(root, "lcore", v);
	for (unsigned int i = 0; i < 3 && ret == 0; i++) {
		ret = tel_ask_all(t, kinds[i], &v, err);
		if (ret == 0)
			json_object_set_new(root, kinds[i], v);
	}
	if (ret < 0)
		json_decref(root);
	else
		*out = root;
	return ret;
}

static double
number(const json_t *obj, const char *key)
{
	return json_number_value(json_object_get(obj, key));
}

/* Counters only grow; a smaller one is of an appliance that began anew. */
static double
gain(const json_t *before, const json_t *now, const char *key)
{
	double a = number(before, key), b = number(now, key);

	return b >= a ? b - a : b;
}

double
top_quantile(const json_t *before, const json_t *now, double q)
{
	json_t *old = json_object_get(before, "buckets"), *new = json_object_get(now, "buckets"), *v;
	double total = 0, seen = 0;
	const char *key;

	json_object_foreach(new, key, v) total += gain(old, new, key);
	/* Buckets come in order, four to an octave, named by their lower edges. */
	json_object_foreach(new, key, v)
	{
		double floor_ = atof(key), width = floor_ < 4 ? 1 : exp2(floor(log2(floor_)) - 2);

		seen += gain(old, new, key);
		if (total > 0 && seen >= q * total)
			return fmin(floor_ + width - 1, number(now, "max"));
	}
	return 0;
}

static const json_t *
named(const json_t *list, const json_t *like)
{
	const char *name = json_string_value(json_object_get(like, "name"));
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *n = json_string_value(json_object_get(one, "name"));

		if (name != NULL && n != NULL && strcmp(n, name) == 0)
			return one;
	}
	return NULL;
}

static void
heads(struct table *t, const char *const *names, int n)
{
	table_init(t, n, true);
	for (int i = 0; i < n; i++)
		table_add(t, names[i]);
}

static void
add_rate(struct table *t, const json_t *a, const json_t *b, const char *key, double secs, bool bytes)
{
	char text[UNITS_MAX];
	double v = gain(a, b, key) / secs;

	if (bytes)
		table_addf(t, "%s/s", units_bytes(text, v));
	else
		table_add(t, units_count(text, round(v)));
}

/* Operations, bytes and latencies of one direction; volumes and drives name them alike, but for the unit's ending. */
static void
add_direction(struct table *t, const json_t *a, const json_t *b, const char *dir, double secs)
{
	char key[64], text[UNITS_MAX];
	const json_t *lat;
	const char *end = "_ns";

	snprintf(key, sizeof(key), "%s_ops", dir);
	add_rate(t, a, b, key, secs, false);
	snprintf(key, sizeof(key), "%s_bytes", dir);
	add_rate(t, a, b, key, secs, true);
	snprintf(key, sizeof(key), "%s_latency%s", dir, end);
	lat = json_object_get(b, key);
	if (lat == NULL) {
		snprintf(key, sizeof(key), "%s_latency", dir);
		lat = json_object_get(b, key);
	}
	table_add(t, units_ns(text, top_quantile(json_object_get(a, key), lat, 0.5)));
	table_add(t, units_ns(text, top_quantile(json_object_get(a, key), lat, 0.99)));
}

static void
volumes(const json_t *before, const json_t *now, const char *kind, double secs, FILE *out)
{
	const char *const names[] = {kind, "reads/s", "read", "p50", "p99", "writes/s", "write", "p50", "p99"};
	const json_t *one;
	struct table t;
	size_t i;

	heads(&t, names, 9);
	json_array_foreach(json_object_get(now, kind), i, one)
	{
		const json_t *old = named(json_object_get(before, kind), one);
		const char *name = json_string_value(json_object_get(one, "name"));

		table_addf(&t, "%s%s", name != NULL ? name : "?", number(one, "failed") != 0 ? " (failed)" : "");
		add_direction(&t, old, one, "read", secs);
		add_direction(&t, old, one, "write", secs);
	}
	table_print(&t, out, 0);
	table_free(&t);
	fputc('\n', out);
}

static void
lcores(const json_t *before, const json_t *now, double secs, FILE *out)
{
	static const char *const names[] = {"lcore", "role", "busy", "turns/s", "sleeps/s"};
	const char *key;
	struct table t;
	json_t *one;

	heads(&t, names, 5);
	json_object_foreach(json_object_get(now, "lcore"), key, one)
	{
		const json_t *old = json_object_get(json_object_get(before, "lcore"), key);
		double busy = gain(old, one, "busy_cycles"), idle = gain(old, one, "idle_cycles");
		const char *role = json_string_value(json_object_get(one, "role"));

		table_add(&t, key);
		table_add(&t, role != NULL ? role : "");
		table_addf(&t, "%.1f %%", busy + idle > 0 ? busy * 100 / (busy + idle) : 0);
		add_rate(&t, old, one, "turns", secs, false);
		add_rate(&t, old, one, "slept", secs, false);
	}
	table_print(&t, out, 0);
	table_free(&t);
	fputc('\n', out);
}

static void
stages(const json_t *before, const json_t *now, double secs, FILE *out)
{
	static const char *const names[] = {"stage", "down/s", "up/s", "bytes", "cycles/unit", "errors"};
	const json_t *one;
	struct table t;
	size_t i;

	heads(&t, names, 6);
	json_array_foreach(json_object_get(now, "stage"), i, one)
	{
		const json_t *old = named(json_object_get(before, "stage"), one);
		double units = gain(old, one, "down");
		const char *name = json_string_value(json_object_get(one, "name"));

		table_add(&t, name != NULL ? name : "?");
		add_rate(&t, old, one, "down", secs, false);
		add_rate(&t, old, one, "up", secs, false);
		add_rate(&t, old, one, "bytes", secs, true);
		table_addf(&t, "%.0f", units > 0 ? gain(old, one, "cycles") / units : 0);
		table_addf(&t, "%.0f", number(one, "errors"));
	}
	table_print(&t, out, 0);
	table_free(&t);
	fputc('\n', out);
}

void
top_render(const json_t *before, const json_t *now, double secs, FILE *out)
{
	const json_t *st = json_object_get(now, "status");
	const char *name = json_string_value(json_object_get(st, "name"));
	unsigned long long up = (unsigned long long)number(st, "uptime_s");

	fprintf(out, "strake %s  up %llu:%02llu:%02llu  under way %.0f\n\n", name != NULL ? name : "", up / 3600,
		up / 60 % 60, up % 60, number(st, "inflight"));
	volumes(before, now, "volume", secs, out);
	volumes(before, now, "drive", secs, out);
	stages(before, now, secs, out);
	lcores(before, now, secs, out);
}
