/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef BENCH_JOB_H
#define BENCH_JOB_H

/** @file One thread of the load. */

#include <pthread.h>

#include "bench.h"

struct bench_job;

struct bench_op {
	struct qp_io io;
	struct bench_job *job;
	uint64_t unit; /* number of the piece of bs bytes, from the job's first */
	uint8_t *buf;
};

struct bench_job {
	const struct bench_conf *conf;
	struct qp *qp;
	pthread_t thread;
	pthread_barrier_t *filled;
	int cpu;	/* -1: any */
	uint64_t first; /* unit of the range at which its part begins */
	struct bench_pick pick;
	struct bench_op *ops;
	uint8_t *mem;
	uint64_t t_measure, t_end; /* ticks */
	struct bench_op *resting;  /* until t_issue */
	uint64_t t_issue;
	bool filling, measuring;
	volatile bool ending;  /* main looks */
	uint64_t fill_left;    /* units not yet issued */
	struct bench_result r; /* read and write: its own */
	volatile uint64_t ios; /* for the line of progress */
};

int bench_job_init(struct bench_job *job);
void bench_job_fini(struct bench_job *job);
void *bench_job_main(void *job);

#endif /* BENCH_JOB_H */
