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

static void
add_step(struct target_figures *f, const char *prefix, const char *name, uint64_t cycles, uint64_t work)
{
	struct target_step *s = &f->step[f->n_steps];

	if (f->n_steps == TARGET_STEPS_MAX)
		return;
	snprintf(s->name, sizeof(s->name), "%s%s", prefix, name);
	s->cycles = cycles;
	s->work = work;
	f->n_steps++;
}

/* A stage runs inside the poller that brought its requests, or in the one called pipeline. */
static int
ask_stages(struct target *t, struct target_figures *f, uint64_t *sum, char *err)
{
	json_t *all, *one;
	size_t i;
	int ret = tel_ask_all(t->tel, "stage", &all, err);

	if (ret < 0)
		return ret;
	*sum = 0;
	json_array_foreach(all, i, one)
	{
		*sum += number(one, "cycles");
		add_step(f, "stage ", json_string_value(json_object_get(one, "name")), number(one, "cycles"),
			 number(one, "down"));
	}
	json_decref(all);
	return 0;
}

static int
ask_pollers(struct target *t, struct target_figures *f, uint64_t stages, char *err)
{
	uint64_t around = 0, work = 0;
	char query[64], names[48] = "";
	const char *key;
	json_t *all, *one;
	int ret;

	snprintf(query, sizeof(query), "/strake/lcore/pollers,%u", t->lcore);
	ret = tel_ask(t->tel, query, &all, err);
	if (ret < 0)
		return ret;
	json_object_foreach(all, key, one)
	{
		const char *name = strchr(key, '_') != NULL ? strchr(key, '_') + 1 : key;

		if (strstr(name, "drive") != NULL) {
			add_step(f, "", name, number(one, "cycles"), number(one, "work"));
			continue;
		}
		around += number(one, "cycles");
		work += number(one, "work");
		if (number(one, "work") > 0 && strlen(names) + strlen(name) + 2 < sizeof(names)) {
			strcat(names, names[0] != '\0' ? " " : "");
			strcat(names, name);
		}
	}
	add_step(f, "fronts and walk: ", names, around - stages, work);
	json_decref(all);
	return 0;
}

int
target_ask(struct target *t, struct target_figures *f, char *err)
{
	char key[16];
	json_t *all;
	uint64_t stages;
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
	ret = ask_stages(t, f, &stages, err);
	if (ret == 0)
		ret = ask_pollers(t, f, stages, err);
	return ret;
}

void
target_delta(struct target_figures *f, const struct target_figures *before)
{
	f->busy -= before->busy;
	f->idle -= before->idle;
	for (unsigned int i = 0; i < f->n_steps && i < before->n_steps; i++) {
		f->step[i].cycles -= before->step[i].cycles;
		f->step[i].work -= before->step[i].work;
	}
}

static void
row(struct table *t, const char *name, double cycles, double per, double whole)
{
	table_add(t, name);
	table_addf(t, "%.0f", cycles * per);
	table_addf(t, "%.1f %%", whole > 0 ? cycles * 100 / whole : 0);
}

void
target_print(const struct target_figures *f, uint64_t ios, FILE *out)
{
	double per = ios > 0 ? 1.0 / (double)ios : 0, busy = (double)f->busy, rest = busy;
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
	row(&t, "loop, and looks that found nothing", rest, per, busy);
	row(&t, "busy", busy, per, busy);
	row(&t, "idle", (double)f->idle, per, busy);
	table_print(&t, out, 0);
	table_free(&t);
}
