/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link.h"
#include "table.h"
#include "target.h"
#include "ticks.h"

struct target {
	struct tel *tel;
	unsigned int lcore;
};

int
target_open(struct target **out, const char *name, unsigned int lcore, char *err)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	struct target *t = calloc(1, sizeof(*t));
	char path[256];
	int ret;

	if (t == NULL)
		return -ENOMEM;
	if (geteuid() == 0)
		snprintf(path, sizeof(path), "/var/run/dpdk/%s/dpdk_telemetry.v2", name);
	else
		snprintf(path, sizeof(path), "%s/dpdk/%s/dpdk_telemetry.v2", run != NULL ? run : "/tmp", name);
	t->lcore = lcore;
	ret = tel_open(&t->tel, path, err);
	if (ret < 0) {
		free(t);
		return ret;
	}
	*out = t;
	return 0;
}

void
target_close(struct target *t)
{
	tel_close(t->tel);
	free(t);
}

static uint64_t
number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static int
ask_steps(struct target *t, struct target_figures *f, char *err)
{
	char query[64];
	const char *key;
	json_t *all, *one;
	int ret;

	snprintf(query, sizeof(query), "/strake/lcore/steps,%u", t->lcore);
	ret = tel_ask(t->tel, query, &all, err);
	if (ret < 0)
		return ret;
	f->switches = number(all, "switches");
	json_object_foreach(all, key, one)
	{
		struct target_step *s = &f->step[f->n_steps];

		if (!json_is_object(one) || f->n_steps == TARGET_STEPS_MAX)
			continue;
		snprintf(s->name, sizeof(s->name), "%s", json_string_value(json_object_get(one, "name")));
		s->cycles = number(one, "cycles");
		f->n_steps++;
	}
	json_decref(all);
	return 0;
}

int
target_ask(struct target *t, struct target_figures *f, char *err)
{
	char key[16];
	json_t *all;
	int ret = tel_ask(t->tel, "/strake/lcore/list", &all, err);

	if (ret < 0)
		return ret;
	memset(f, 0, sizeof(*f));
	snprintf(key, sizeof(key), "%u", t->lcore);
	f->busy = number(json_object_get(all, key), "busy_cycles");
	f->idle = number(json_object_get(all, key), "idle_cycles");
	json_decref(all);
	if (f->busy + f->idle == 0) {
		snprintf(err, LINK_ERR_MAX, "the appliance has no lcore %u", t->lcore);
		return -ENOENT;
	}
	return ask_steps(t, f, err);
}

int
target_account(struct target *t, bool on, char *err)
{
	json_t *v;
	int ret = tel_ask(t->tel, "/strake/status", &v, err);
	char path[256];

	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), "%s", json_string_value(json_object_get(v, "control")));
	json_decref(v);
	ret = control_ask(path, on ? "steps on" : "steps off", &v, err);
	if (ret < 0)
		return ret;
	if (!json_is_true(json_object_get(v, "ok"))) {
		snprintf(err, LINK_ERR_MAX, "the appliance keeps no account of steps");
		ret = -EOPNOTSUPP;
	}
	json_decref(v);
	return ret;
}

void
target_delta(struct target_figures *f, const struct target_figures *before)
{
	f->busy -= before->busy;
	f->idle -= before->idle;
	f->switches -= before->switches;
	for (unsigned int i = 0; i < f->n_steps && i < before->n_steps; i++)
		f->step[i].cycles -= before->step[i].cycles;
}

static void
row(struct table *t, const char *name, double cycles, double per, double whole)
{
	table_add(t, name);
	table_addf(t, "%.0f", cycles * per);
	table_addf(t, "%.1f %%", whole > 0 ? cycles * 100 / whole : 0);
}

/* Cycles of one reading of the time-stamp counter, on this processor. */
static double
reading_costs(void)
{
	uint64_t begin = ticks_now();

	for (unsigned int i = 0; i < 1000; i++)
		(void)ticks_now();
	return (double)(ticks_now() - begin) / 1000;
}

void
target_print(const struct target_figures *f, uint64_t ios, double without, FILE *out)
{
	double per = ios > 0 ? 1.0 / (double)ios : 0, busy = (double)f->busy, rest = busy, more = busy * per - without;
	struct table t;

	table_init(&t, 3, true);
	table_add(&t, "step");
	table_add(&t, "cycles an I/O");
	table_add(&t, "share");
	for (unsigned int i = 0; i < f->n_steps; i++) {
		double cycles = (double)f->step[i].cycles;

		rest -= cycles;
		if (f->step[i].cycles != 0)
			row(&t, f->step[i].name, cycles, per, busy);
	}
	row(&t, "between turns", rest, per, busy);
	row(&t, "busy", busy, per, busy);
	row(&t, "idle", (double)f->idle, per, busy);
	table_print(&t, out, 0);
	table_free(&t);
	fprintf(out,
		"the accounts themselves: %.1f readings of the clock an I/O, %.0f cycles; busy %.0f with them, %.0f "
		"without "
		"(%+.1f %%)\n",
		(double)f->switches * per, (double)f->switches * per * reading_costs(), busy * per, without,
		without > 0 ? more * 100 / without : 0);
}
