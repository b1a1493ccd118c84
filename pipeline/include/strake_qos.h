/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_QOS_H
#define STRAKE_QOS_H

/**
 * @file
 * Classes of service at the door of the pipeline: what each may use, and who goes first.
 *
 * Every data lcore has a door of its own. A request whose class is within its limits goes straight in, as long as the
 * bytes under way are fewer than the door's window. The others wait, each class in its own line, first come first
 * served. Whenever there is room again, the line that has had the least for its weight goes first (start-time fair
 * queueing), of those whose limits allow it: so a heavy class gets more, a light one never nothing, and a class that
 * was quiet saves up no turns.
 *
 * A limit is a rate (requests or bytes in a second) and the time for which it may be saved up, in integers of 1/16 ns:
 * the same requests at the same times go in at the same times. It is divided evenly among the data lcores, which share
 * nothing; a host on one lcore gets that lcore's part.
 *
 * Work begun inside (STRAKE_UNIT_INTERNAL) and children of requests that are in do not wait. What waits keeps its
 * request from the pool, counts as under way for the drain, and ends with -ECANCELED when it is cancelled.
 */

#include <stdint.h>

#include "strake_telemetry.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STRAKE_QOS_WEIGHT_MAX	  1000
#define STRAKE_QOS_WEIGHT_DEFAULT 100

/** A class of service. */
struct strake_qos_class {
	uint8_t cls;
	uint32_t weight;    /**< 1 to STRAKE_QOS_WEIGHT_MAX */
	uint64_t iops, bps; /**< requests, bytes of payload a second in the whole appliance; 0: no limit */
	uint64_t burst_ns;  /**< how long a quiet class may save them up */
};

/** All of them; classes that are not named share the line of class 0. Part of strake_pipeline_conf. */
struct strake_qos_conf {
	const struct strake_qos_class *classes; /**< each once; class 0 is there also when it is not named */
	unsigned int n;				/**< 0: there are no doors, and classes are only a number */
	uint64_t window;			/**< bytes of a data lcore's requests under way, 0: any */
};

/** One class at the door of one lcore. Written by the lcore, read by anyone. */
struct strake_qos_stats {
	uint64_t admitted;	 /**< requests let in */
	uint64_t waited;	 /**< of them, those that had to wait */
	uint64_t cancelled;	 /**< ended while they waited */
	uint64_t waiting;	 /**< in line now */
	struct strake_hist wait; /**< ns in line, of those that waited */
};

/** Figures of a class on a data lcore; NULL: it has no line of its own there. */
const struct strake_qos_stats *strake_qos_stats(uint16_t lcore, uint8_t cls);
/** What was asked for a class; NULL: nothing. */
const struct strake_qos_class *strake_qos_asked(uint8_t cls);

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_QOS_H */
