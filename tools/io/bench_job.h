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

/* A unit's generation; 0 nothing known of it. BUSY while a command on it is under way (verify only). */
#define BENCH_GEN_BUSY 0x80000000u

struct bench_job {
	const struct bench_conf *conf;
	struct qp *qp;
	pthread_t thread;
	pthread_barrier_t *filled;
	int cpu;	       /* -1: any */
	uint64_t first, units; /* its part of the range, in pieces of bs bytes */
	uint64_t next, rng;
	uint32_t *gen;
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
