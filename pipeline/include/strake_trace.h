/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_TRACE_H
#define STRAKE_TRACE_H

/**
 * @file
 * Following single requests through their chain. Off: one test of a flag on each step. On: every n-th request carries
 * STRAKE_UNIT_TRACED, and each step of it, and of the chunks made for it, leaves a record in its lcore's ring.
 */

#include <stdint.h>

#include "strake_unit.h"

#ifdef __cplusplus
extern "C" {
#endif

enum strake_trace_event {
	STRAKE_TRACE_BEGIN, /**< entered the pipeline */
	STRAKE_TRACE_DOWN,  /**< given to a stage's down() */
	STRAKE_TRACE_HELD,  /**< the stage kept it */
	STRAKE_TRACE_RETRY, /**< the stage had no room */
	STRAKE_TRACE_TURN,  /**< turned round */
	STRAKE_TRACE_UP,    /**< given to a stage's up() */
	STRAKE_TRACE_RING,  /**< sent to another lcore */
	STRAKE_TRACE_END,   /**< done() */
};

struct strake_trace_record {
	uint64_t cycles; /**< TSC */
	uint64_t id;	 /**< the request's tag; a chunk's record carries its request's */
	uint64_t lba;
	uint32_t nlb;
	int16_t status;
	uint8_t event, op, kind, lcore;
	uint8_t cls;
	char stage[24]; /**< instance name, "" where none is meant */
};

/**
 * Trace every @p every-th request from now on, and forget the records of before; 0: no more, and those until now stay
 * to be read. Any thread.
 */
void strake_trace_set(uint32_t every);
/** Copy the newest records, oldest first, of all lcores in order of time. Any thread. @return how many. */
unsigned int strake_trace_get(struct strake_trace_record *out, unsigned int max);

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_TRACE_H */
