/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Jobs and runs of a store: as many as it was opened with. */

#include <stdlib.h>
#include <string.h>

#include "store_job.h"

static void
job_back(struct store *st, struct store_job *job)
{
	job->next = st->job_free;
	st->job_free = job;
}

int
store_jobs_init(struct store *st)
{
	uint32_t n = st->conf.jobs != 0 ? st->conf.jobs : 512;

	st->jobs = calloc(n, sizeof(*st->jobs));
	st->runs = calloc(4 * (size_t)n, sizeof(*st->runs));
	if (st->jobs == NULL || st->runs == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		job_back(st, &st->jobs[i]);
	for (uint32_t i = 0; i < 4 * n; i++)
		store_run_put(st, &st->runs[i]);
	return 0;
}

void
store_jobs_fini(struct store *st)
{
	free(st->jobs);
	free(st->runs);
}

struct store_job *
store_job_get(struct store *st)
{
	struct store_job *job = st->job_free;

	if (job != NULL) {
		st->job_free = job->next;
		memset(job, 0, offsetof(struct store_job, entry));
		job->merge = job->candidate = NULL;
		job->runs_end = &job->runs;
		job->era = st->era;
		st->era_busy[job->era]++;
		st->jobs_busy++;
	}
	return job;
}

void
store_job_put(struct store *st, struct store_job *job)
{
	st->era_busy[job->era]--;
	st->jobs_busy--;
	job_back(st, job);
}

struct store_run *
store_run_get(struct store *st)
{
	struct store_run *run = st->run_free;

	if (run != NULL) {
		st->run_free = run->next;
		memset(run, 0, sizeof(*run));
		run->st = st;
	}
	return run;
}

void
store_run_put(struct store *st, struct store_run *run)
{
	run->next = st->run_free;
	st->run_free = run;
}
