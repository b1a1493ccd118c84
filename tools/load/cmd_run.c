/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "cmd.h"
#include "table.h"
#include "ticks.h"
#include "units.h"

#define RUNS_MAX 99

/* --- one load ---------------------------------------------------------------------------------------------------- */

static double
target_per_io(const struct session *s, uint64_t ios)
{
	return s->target != NULL ? (double)s->after.busy / (double)ios : 0;
}

static double
target_idle(const struct session *s)
{
	double all = (double)(s->after.busy + s->after.idle);

	return s->target != NULL && all > 0 ? (double)s->after.idle / all : 0;
}

static void
print_json(const struct session *s, const struct load_conf *c, const struct load_result *r)
{
	uint64_t ios = r->read.ios + r->write.ios;
	const struct net_stats *n = net_get_stats(s->net);
	json_t *j = json_pack(
		"{ss si si si sf so so s{sf sf sf} s{sI sI sI sI sI sI} s{sI sI} s{sf sf} ss}", "pattern",
		bench_pattern_names[c->pattern], "block_size", (int)c->bs, "depth", (int)c->depth, "connections",
		(int)c->queues, "seconds", r->secs, "read", bench_side_json(&r->read, r->secs), "write",
		bench_side_json(&r->write, r->secs), "client", "cycles_per_io", (double)r->busy / (double)ios,
		"ios_per_burst", r->bursts > 0 ? (double)ios / (double)r->bursts : 0, "busy_share",
		(double)r->busy / ticks_per_ns() / (r->secs * 1e9), "tcp", "segments_in", (json_int_t)r->tcp.segs_in,
		"segments_out", (json_int_t)r->tcp.segs_out, "retransmits", (json_int_t)r->tcp.retransmits, "timeouts",
		(json_int_t)r->tcp.timeouts, "out_of_order", (json_int_t)r->tcp.out_of_order, "frames_dropped",
		(json_int_t)(n->tx_full + n->bad_csum), "verify", "checked", (json_int_t)r->checked, "mismatches",
		(json_int_t)r->mismatches, "target", "cycles_per_io", target_per_io(s, ios), "idle_share",
		target_idle(s), "error", r->text);

	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(j);
}

static void
print_table(const struct session *s, const struct load_conf *c, const struct load_result *r)
{
	uint64_t ios = r->read.ios + r->write.ios;
	char text[UNITS_MAX];

	printf("%s of %s, depth %u, connections %u, %.1f s\n", bench_pattern_names[c->pattern],
	       units_bytes(text, c->bs), c->depth, c->queues, r->secs);
	bench_side_print(&r->read, &r->write, r->secs);
	printf("client: %.0f cycles an I/O, %.1f I/Os a burst, %.2f frames out and %.2f in an I/O, %llu sent again\n",
	       (double)r->busy / (double)ios, r->bursts > 0 ? (double)ios / (double)r->bursts : 0,
	       (double)r->tcp.segs_out / (double)ios, (double)r->tcp.segs_in / (double)ios,
	       (unsigned long long)r->tcp.retransmits);
	if (s->target != NULL)
		printf("target: %.0f cycles an I/O, %.1f %% idle\n", target_per_io(s, ios), target_idle(s) * 100);
	if (c->verify)
		printf("verify: %llu reads checked, none wrong\n", (unsigned long long)r->checked);
}

static int
one_load(const struct opts *o, struct session *s, struct load_conf *c, struct load_result *r)
{
	int ret = cli_choose("pattern", o->pattern, bench_pattern_names, BENCH_PATTERNS);

	if (ret < 0)
		return -ret;
	c->pattern = (enum bench_pattern)ret;
	ret = session_open(s, o);
	if (ret != CLI_OK)
		return ret;
	c->bs = (uint32_t)o->bs;
	c->depth = o->depth;
	c->fill = o->fill;
	return session_load(s, o, c, r);
}

int
cmd_run(void *values, int argc, char **argv)
{
	static struct load_result r;
	static struct session s;
	const struct opts *o = values;
	struct load_conf c = {0};
	int ret = one_load(o, &s, &c, &r);

	if (ret == CLI_OK)
		(o->json ? print_json : print_table)(&s, &c, &r);
	session_close(&s);
	return ret;
}

/* A third without accounts of steps, one with, one without: what they cost shows, and the machine's moods less. */
static int
thirds(const struct opts *o, struct session *s, struct load_conf *c, struct load_result *r, double without[2])
{
	struct target_figures with;
	uint64_t ios;
	int ret;

	without[0] = target_per_io(s, r->read.ios + r->write.ios);
	c->fill = false;
	if (target_account(s->target, true, s->err) < 0)
		return cli_fail(CLI_UNREACHABLE, "%s", s->err);
	ret = session_load(s, o, c, r);
	with = s->after;
	ios = r->read.ios + r->write.ios;
	if (target_account(s->target, false, s->err) < 0 && ret == CLI_OK)
		ret = cli_fail(CLI_UNREACHABLE, "%s", s->err);
	if (ret == CLI_OK)
		ret = session_load(s, o, c, r);
	if (ret != CLI_OK)
		return ret;
	without[1] = target_per_io(s, r->read.ios + r->write.ios);
	target_print(&with, ios, (without[0] + without[1]) / 2, stdout);
	return CLI_OK;
}

int
cmd_breakdown(void *values, int argc, char **argv)
{
	static struct load_result r;
	static struct session s;
	struct opts *o = values;
	struct load_conf c = {0};
	double without[2];
	int ret;

	if (o->target == NULL)
		return cli_fail(CLI_USAGE, "--target is missing: the appliance's name, whose telemetry is asked");
	o->time /= 3;
	ret = one_load(o, &s, &c, &r);
	if (ret == CLI_OK) {
		print_table(&s, &c, &r);
		putchar('\n');
		ret = thirds(o, &s, &c, &r, without);
	}
	if (ret == CLI_OK)
		printf("without accounts, before and after: %.0f and %.0f cycles an I/O\n", without[0], without[1]);
	session_close(&s);
	return ret;
}

/* --- the list ---------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum bench_pattern pattern;
	uint32_t bs, depth;
} suite[] = {
	{"4 KiB random read, depth 1", BENCH_RANDREAD, 4096, 1},
	{"4 KiB random write, depth 1", BENCH_RANDWRITE, 4096, 1},
	{"4 KiB random read, depth 32", BENCH_RANDREAD, 4096, 32},
	{"4 KiB random read, depth 128", BENCH_RANDREAD, 4096, 128},
	{"4 KiB random write, depth 128", BENCH_RANDWRITE, 4096, 128},
	{"128 KiB sequential read, depth 16", BENCH_READ, 131072, 16},
	{"128 KiB sequential write, depth 16", BENCH_WRITE, 131072, 16},
};
#define SUITE (sizeof(suite) / sizeof(suite[0]))

struct median {
	double iops[RUNS_MAX], bps[RUNS_MAX], p50[RUNS_MAX], p99[RUNS_MAX], target[RUNS_MAX], client[RUNS_MAX];
};

static int
order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
middle(double *v, uint32_t n)
{
	qsort(v, n, sizeof(*v), order);
	return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void
keep(struct median *m, uint32_t i, const struct session *s, const struct load_result *r)
{
	uint64_t ios = r->read.ios + r->write.ios;
	const struct hist *h = r->read.ios > 0 ? &r->read.lat : &r->write.lat;

	m->iops[i] = (double)ios / r->secs;
	m->bps[i] = (double)(r->read.bytes + r->write.bytes) / r->secs;
	m->p50[i] = ticks_to_ns(hist_quantile(h, 0.5));
	m->p99[i] = ticks_to_ns(hist_quantile(h, 0.99));
	m->target[i] = target_per_io(s, ios);
	m->client[i] = (double)r->busy / (double)ios;
}

static void
suite_row(struct table *t, json_t *list, const char *name, struct median *m, uint32_t n)
{
	double iops = middle(m->iops, n), bps = middle(m->bps, n), p50 = middle(m->p50, n), p99 = middle(m->p99, n);
	double target = middle(m->target, n), client = middle(m->client, n);
	char text[UNITS_MAX];

	json_array_append_new(list,
			      json_pack("{ss sf sf sf sf sf sf sf sf}", "name", name, "iops", iops, "iops_low",
					m->iops[0], "iops_high", m->iops[n - 1], "bytes_per_second", bps, "p50_ns", p50,
					"p99_ns", p99, "target_cycles_per_io", target, "client_cycles_per_io", client));
	table_add(t, name);
	table_add(t, units_count(text, iops));
	table_addf(t, "%s/s", units_bytes(text, bps));
	table_add(t, units_ns(text, p50));
	table_add(t, units_ns(text, p99));
	table_addf(t, "%.0f", target);
	table_addf(t, "%.0f", client);
}

int
cmd_suite(void *values, int argc, char **argv)
{
	static const char *const heads[] = {"", "IOPS", "bandwidth", "p50", "p99", "target cycles", "client cycles"};
	static struct load_result r;
	static struct session s;
	static struct median m;
	struct opts *o = values;
	json_t *list = json_array();
	struct table t;
	int ret;

	o->depth = o->depth > 128 ? o->depth : 128;
	ret = session_open(&s, o);
	table_init(&t, 7, true);
	for (unsigned int i = 0; i < 7; i++)
		table_add(&t, heads[i]);
	for (unsigned int k = 0; k < SUITE && ret == CLI_OK; k++) {
		struct load_conf c = {.pattern = suite[k].pattern, .bs = suite[k].bs, .depth = suite[k].depth};

		for (uint32_t i = 0; i < o->runs && ret == CLI_OK; i++) {
			c.fill = k == 0 && i == 0;
			ret = session_load(&s, o, &c, &r);
			if (ret == CLI_OK)
				keep(&m, i, &s, &r);
		}
		if (ret == CLI_OK)
			suite_row(&t, list, suite[k].name, &m, o->runs);
	}
	if (ret == CLI_OK && o->json) {
		json_dumpf(list, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
	} else if (ret == CLI_OK) {
		printf("Medians of %u runs of %.1f s\n", o->runs, (double)o->time / 1e9);
		table_print(&t, stdout, 0);
	}
	table_free(&t);
	json_decref(list);
	session_close(&s);
	return ret;
}
