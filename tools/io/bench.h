/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef BENCH_H
#define BENCH_H

/**
 * @file
 * The load: threads, one I/O queue each, that keep a number of commands under way and time them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "bench_pick.h"
#include "bench_side.h"
#include "ini.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_CPUS_MAX 256

struct bench_conf {
	struct ini *ini;
	const struct ini_ns *ns;
	enum bench_pattern pattern;
	uint64_t offset, size; /**< bytes, whole blocks: where to work */
	uint32_t bs;	       /**< bytes a command, whole blocks */
	uint32_t depth;	       /**< commands under way, each job */
	uint32_t jobs;	       /**< threads; the association has as many I/O queues */
	uint32_t rwmix;	       /**< percentage of reads in BENCH_RANDRW */
	uint64_t warmup, time; /**< ns */
	uint64_t every;	       /**< ns from one command to the next, with depth 1; 0: at once */
	uint64_t seed;
	bool verify; /**< fill the range first, and check every byte read */
	bool spin;   /**< poll without sleeping */
	int cpus[BENCH_CPUS_MAX];
	unsigned int ncpus;	   /**< job i runs on cpus[i % ncpus]; 0: where the kernel likes */
	volatile const bool *stop; /**< set by a signal */
	void (*progress)(uint64_t ios, double secs, void *arg); /**< once a second; optional */
	void *progress_arg;
};

struct bench_result {
	struct bench_side read, write;
	double secs;		      /**< measured, without warm-up */
	uint64_t busy;		      /**< ticks the client worked, all jobs */
	uint64_t sends, recvs;	      /**< system calls */
	uint64_t checked, mismatches; /**< commands; with verify */
	int err;		      /**< 0, or why it ended early: -errno */
	char text[INI_ERR_MAX];	      /**< the first error, status or mismatch; "" when all went well */
};

/** @return 0 with the result filled in (also when it ended early: see err), or -errno and text set. */
int bench_run(const struct bench_conf *conf, struct bench_result *result);

#ifdef __cplusplus
}
#endif

#endif /* BENCH_H */
