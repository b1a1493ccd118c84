/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "bench.h"
#include "cmd.h"
#include "table.h"
#include "ticks.h"
#include "units.h"

/* In-place parsing likes a buffer that stays in the second-level cache. */
#define RX_BYTES      (256u << 10)
#define VERIFY_SIZE   (64ull << 20)
#define DISCARD_LEAST (16u << 10)
#define BAR	      40 /* columns of the largest step of a histogram */

/* "1" or "1-3", up to the list's end or its next comma. @return there, or NULL. */
static const char *
cpu_range(const char *text, unsigned long *a, unsigned long *b)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return NULL;
	*a = *b = strtoul(text, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		*b = strtoul(end + 1, &end, 10);
	return *b >= *a && (*end == '\0' || *end == ',') ? end : NULL;
}

/* "1", "0,2", "1-3": CPUs this process may run on. */
static int
parse_cpus(const char *text, struct bench_conf *c)
{
	const char *end;
	unsigned long a, b;
	cpu_set_t may;

	sched_getaffinity(0, sizeof(may), &may);
	do {
		end = cpu_range(text, &a, &b);
		if (end == NULL)
			return cli_fail(CLI_USAGE, "--cpus: '%s' is not a list such as 0,2-3", text);
		for (; a <= b; a++) {
			if (a >= CPU_SETSIZE || !CPU_ISSET(a, &may) || c->ncpus == BENCH_CPUS_MAX)
				return cli_fail(CLI_USAGE, "--cpus: CPU %lu is not here for us", a);
			c->cpus[c->ncpus++] = (int)a;
		}
		text = *end == ',' ? end + 1 : end;
	} while (*text != '\0');
	return CLI_OK;
}

/* Options that need the namespace to be judged. */
static int
fill_conf(struct bench_conf *c, const struct session *s, struct opts *o)
{
	uint64_t block = 1ull << s->ns.lba_shift, units;
	int ret;

	if (o->bs == 0)
		o->bs = block > 4096 ? block : 4096;
	if (o->bs % block != 0)
		return cli_fail(CLI_USAGE, "--bs %llu is not a multiple of the volume's block size, %llu",
				(unsigned long long)o->bs, (unsigned long long)block);
	if (o->bs > ini_max_xfer(s->ini) || o->bs / block > 65536)
		return cli_fail(CLI_USAGE, "--bs %llu is more than the target takes in one command, %u",
				(unsigned long long)o->bs, ini_max_xfer(s->ini));
	o->length = o->size;
	if (o->verify && o->length == 0 && (s->ns.nlb << s->ns.lba_shift) > o->offset + VERIFY_SIZE)
		o->length = VERIFY_SIZE;
	ret = range_check(s, o);
	if (ret != CLI_OK)
		return ret;
	c->ini = s->ini;
	c->ns = &s->ns;
	c->offset = o->offset;
	c->size = o->length;
	c->bs = (uint32_t)o->bs;
	c->depth = o->depth < ini_depth(s->ini) ? o->depth : ini_depth(s->ini);
	if (c->depth < o->depth)
		fprintf(stderr, "strake-io: the target's queues hold %u commands: --depth is that\n", c->depth);
	units = c->size / c->bs / (o->verify || c->pattern <= BENCH_WRITE ? c->jobs : 1);
	if (units == 0 || (o->verify && units <= c->depth))
		return cli_fail(CLI_USAGE, "%llu bytes are too few for %u jobs of depth %u at %u bytes",
				(unsigned long long)c->size, c->jobs, c->depth, c->bs);
	return CLI_OK;
}

static void
show_progress(uint64_t ios, double secs, void *arg)
{
	const struct bench_conf *c = arg;
	char n[UNITS_MAX], b[UNITS_MAX];

	fprintf(stderr, "\r%s IOPS  %s/s\033[K", units_count(n, (double)ios / secs),
		units_bytes(b, (double)ios * c->bs / secs));
	fflush(stderr);
}

static void
print_json(const struct bench_conf *c, const struct bench_result *r)
{
	uint64_t ios = r->read.ios + r->write.ios;
	double per = ios > 0 ? 1.0 / (double)ios : 0;
	json_t *j = json_pack("{ss si si si sf so so s{sf sf sf} s{sb sI sI} ss}", "pattern",
			      bench_pattern_names[c->pattern], "block_size", (int)c->bs, "depth", (int)c->depth, "jobs",
			      (int)c->jobs, "seconds", r->secs, "read", bench_side_json(&r->read, r->secs), "write",
			      bench_side_json(&r->write, r->secs), "client", "ticks_per_io", (double)r->busy * per,
			      "sends_per_io", (double)r->sends * per, "receives_per_io", (double)r->recvs * per,
			      "verify", "on", (int)c->verify, "checked", (json_int_t)r->checked, "mismatches",
			      (json_int_t)r->mismatches, "error", r->text);

	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(j);
}

static void
print_table(const struct bench_conf *c, const struct bench_result *r)
{
	uint64_t ios = r->read.ios + r->write.ios;
	char text[UNITS_MAX];

	printf("%s of %s, depth %u, jobs %u, %.1f s\n", bench_pattern_names[c->pattern], units_bytes(text, c->bs),
	       c->depth, c->jobs, r->secs);
	bench_side_print(&r->read, &r->write, r->secs);
	if (ios > 0)
		printf("client: %.0f cycles an I/O, %.3f sends, %.3f receives\n", (double)r->busy / (double)ios,
		       (double)r->sends / (double)ios, (double)r->recvs / (double)ios);
	if (c->verify)
		printf("verify: %llu reads checked, %llu wrong\n", (unsigned long long)r->checked,
		       (unsigned long long)r->mismatches);
}

struct steps {
	struct table t;
	uint64_t most, all;
};

static void
step_most(uint64_t upper, uint64_t count, void *arg)
{
	struct steps *s = arg;

	s->most = count > s->most ? count : s->most;
}

static void
step_row(uint64_t upper, uint64_t count, void *arg)
{
	struct steps *s = arg;
	char text[UNITS_MAX];

	table_add(&s->t, units_ns(text, ticks_to_ns(upper)));
	table_addf(&s->t, "%llu", (unsigned long long)count);
	table_addf(&s->t, "%.2f %%", 100.0 * (double)count / (double)s->all);
	table_addf(&s->t, "%.*s", (int)((BAR * count + s->most - 1) / s->most),
		   "########################################");
}

static void
print_histogram(const char *name, const struct hist *h)
{
	static const char *const heads[] = {"up to", "commands", "share", ""};
	struct steps s = {.all = h->count};

	if (h->count == 0)
		return;
	printf("\n%s\n", name);
	hist_each(h, step_most, &s);
	table_init(&s.t, 4, true);
	for (unsigned int i = 0; i < 4; i++)
		table_add(&s.t, heads[i]);
	hist_each(h, step_row, &s);
	table_print(&s.t, stdout, 0);
	table_free(&s.t);
}

static int
verdict(const struct bench_result *r)
{
	if (r->mismatches > 0)
		return cli_fail(CLI_MISMATCH, "%llu commands returned wrong bytes: %s",
				(unsigned long long)r->mismatches, r->text);
	if (r->err < 0)
		return cli_fail(exit_of(r->err), "ended early: %s", r->text);
	if (r->read.errors + r->write.errors > 0)
		return cli_fail(CLI_FAILED, "%llu commands failed; the first: %s",
				(unsigned long long)(r->read.errors + r->write.errors), r->text);
	if (r->secs <= 0)
		return cli_fail(CLI_INTERRUPTED, "interrupted before anything was measured");
	return CLI_OK;
}

int
cmd_bench(void *values, int argc, char **argv)
{
	struct opts *o = values;
	static struct bench_result r;
	struct bench_conf c = {.jobs = o->jobs,
			       .rwmix = o->rwmix,
			       .warmup = o->warmup,
			       .time = o->time,
			       .every = o->every,
			       .seed = o->seed,
			       .verify = o->verify,
			       .spin = o->spin,
			       .stop = &cmd_stop};
	struct session s;
	int ret = cli_choose("pattern", o->pattern, bench_pattern_names, BENCH_PATTERNS);

	if (ret < 0)
		return -ret;
	c.pattern = (enum bench_pattern)ret;
	ret = o->cpus != NULL ? parse_cpus(o->cpus, &c) : CLI_OK;
	if (ret != CLI_OK)
		return ret;
	if (o->every != 0)
		o->depth = 1;
	/* Whatever is checked must be seen; small payloads are cheaper to copy than to ask the kernel to drop. */
	if (o->verify || (o->bs != 0 && o->bs < DISCARD_LEAST))
		o->discard = false;
	ret = session_open(&s, o, o->jobs, (uint16_t)o->depth, RX_BYTES);
	if (ret != CLI_OK)
		return ret;
	ret = fill_conf(&c, &s, o);
	if (ret == CLI_OK) {
		c.progress = !o->quiet && !o->json && isatty(STDERR_FILENO) == 1 ? show_progress : NULL;
		c.progress_arg = &c;
		ret = bench_run(&c, &r);
		if (c.progress != NULL)
			fputs("\r\033[K", stderr);
		if (ret == 0 && r.secs > 0)
			(o->json ? print_json : print_table)(&c, &r);
		if (ret == 0 && r.secs > 0 && o->histogram && !o->json) {
			print_histogram("reads", &r.read.lat);
			print_histogram("writes", &r.write.lat);
		}
		ret = ret < 0 ? cli_fail(CLI_LOCAL, "%s", r.text) : verdict(&r);
	}
	session_close(&s);
	return ret;
}
