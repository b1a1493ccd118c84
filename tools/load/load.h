/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

/**
 * @file
 * The load: one thread that keeps a number of commands under way on each queue of a host, and times them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "bench_pick.h"
#include "bench_side.h"
#include "ctcp.h"
#include "host.h"

#ifdef __cplusplus
extern "C" {
#endif

struct load_conf {
	struct host *host;
	enum bench_pattern pattern;
	uint64_t size;	       /**< bytes of the volume to work on, from its start */
	uint32_t bs;	       /**< bytes a command */
	uint32_t depth;	       /**< commands under way on each queue */
	uint32_t queues;       /**< of the host's, the first so many */
	uint32_t rwmix;	       /**< percentage of reads in BENCH_RANDRW */
	uint64_t warmup, time; /**< ns */
	uint64_t seed;
	bool fill;   /**< write the range once first: what was never written costs less to read */
	bool verify; /**< fill, and check every byte read */
	volatile const bool *stop;
	/** Called when measuring begins and when it has ended, from the thread of the load. Optional. */
	void (*mark)(void *arg, bool begin);
	void *arg;
};

struct load_result {
	struct bench_side read, write;
	double secs;
	uint64_t busy;		      /**< ticks of turns that did something */
	uint64_t turns, bursts;	      /**< looks at the device; those that found frames */
	uint64_t checked, mismatches; /**< commands; with verify */
	struct ctcp_stats tcp;	      /**< while measuring */
	char text[NET_ERR_MAX];	      /**< the first failure, "" when all went well */
};

/** @return 0 with @p r filled in, or -errno with r->text. A failed command or a mismatch is no error here: see r. */
int load_run(const struct load_conf *conf, struct load_result *r);

#ifdef __cplusplus
}
#endif

#endif /* LOAD_LOAD_H */
