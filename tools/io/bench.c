/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_job.h"
#include "ticks.h"

#define WAKE_NS 50000000

static void
add_side(struct bench_side *to, const struct bench_side *from, uint32_t bs)
{
	to->ios += from->ios;
	to->bytes += from->ios * bs;
	to->errors += from->errors;
	hist_merge(&to->lat, &from->lat);
}

static void
add_job(struct bench_result *r, const struct bench_job *job)
{
	const struct bench_result *j = &job->r;

	add_side(&r->read, &j->read, job->conf->bs);
	add_side(&r->write, &j->write, job->conf->bs);
	if (j->secs > r->secs)
		r->secs = j->secs;
	r->busy += j->busy;
	r->sends += j->sends;
	r->recvs += j->recvs;
	r->checked += j->checked;
	r->mismatches += j->mismatches;
	if (r->err == 0)
		r->err = j->err;
	if (r->text[0] == '\0' && j->text[0] != '\0')
		snprintf(r->text, sizeof(r->text), "%s", j->text);
}

/* Sequential and verified jobs have a part of the range each; random ones share all of it. */
static void
deal_range(const struct bench_conf *c, struct bench_job *job, uint32_t i)
{
	uint64_t units = c->size / c->bs;

	job->first = 0;
	job->pick.units = units;
	if (c->verify || c->pattern <= BENCH_WRITE) {
		job->pick.units = units / c->jobs;
		job->first = i * job->pick.units;
	}
}

/* Main's part: keep the association alive and show how it goes, until the jobs end. */
static void
watch(const struct bench_conf *c, struct bench_job *jobs, struct bench_result *r)
{
	uint64_t t0 = ticks_now(), shown = t0, before = 0;

	for (;;) {
		struct timespec ts = {.tv_nsec = WAKE_NS};
		uint64_t now, ios = 0;
		bool all = true;
		int ret;

		nanosleep(&ts, NULL);
		for (uint32_t i = 0; i < c->jobs; i++) {
			ios += jobs[i].ios;
			all = all && jobs[i].ending;
		}
		if (all)
			return;
		now = ticks_now();
		ret = ini_tick(c->ini, now);
		if (ret < 0 && r->err == 0) {
			r->err = ret;
			snprintf(r->text, sizeof(r->text), "%s", ini_error(c->ini));
			for (uint32_t i = 0; i < c->jobs; i++)
				jobs[i].ending = true;
			return;
		}
		if (c->progress != NULL && ticks_to_ns(now - shown) >= 1e9) {
			/* The count starts anew after filling. */
			c->progress(ios >= before ? ios - before : ios, ticks_to_ns(now - shown) / 1e9,
				    c->progress_arg);
			before = ios;
			shown = now;
		}
	}
}

static int
start_jobs(const struct bench_conf *c, struct bench_job *jobs, pthread_barrier_t *filled)
{
	for (uint32_t i = 0; i < c->jobs; i++) {
		int ret;

		jobs[i].conf = c;
		jobs[i].qp = ini_queue(c->ini, i);
		jobs[i].filled = filled;
		jobs[i].cpu = c->ncpus > 0 ? c->cpus[i % c->ncpus] : -1;
		deal_range(c, &jobs[i], i);
		ret = bench_job_init(&jobs[i]);
		if (ret < 0)
			return ret;
	}
	/* Threads only when nothing can fail any more but themselves: they meet at a barrier. */
	for (uint32_t i = 0; i < c->jobs; i++)
		if (pthread_create(&jobs[i].thread, NULL, bench_job_main, &jobs[i]) != 0)
			abort();
	return 0;
}

int
bench_run(const struct bench_conf *c, struct bench_result *r)
{
	struct bench_job *jobs = calloc(c->jobs, sizeof(*jobs));
	pthread_barrier_t filled;
	int ret = -ENOMEM;

	memset(r, 0, sizeof(*r));
	hist_init(&r->read.lat);
	hist_init(&r->write.lat);
	snprintf(r->text, sizeof(r->text), "out of memory");
	if (jobs == NULL)
		return ret;
	ticks_per_ns();
	pthread_barrier_init(&filled, NULL, c->jobs);
	ret = start_jobs(c, jobs, &filled);
	if (ret == 0) {
		r->text[0] = '\0';
		watch(c, jobs, r);
		for (uint32_t i = 0; i < c->jobs; i++) {
			pthread_join(jobs[i].thread, NULL);
			add_job(r, &jobs[i]);
		}
	}
	for (uint32_t i = 0; i < c->jobs; i++)
		bench_job_fini(&jobs[i]);
	pthread_barrier_destroy(&filled);
	free(jobs);
	return ret;
}
