/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SCRUB_PLAN_H
#define SCRUB_PLAN_H

/**
 * @file
 * When a log group is to be scrubbed, and what its scrubs came to: no clock and no I/O of its own.
 *
 * The time between two scrubs counts from the end of one that went through, or from when the group was first seen. A
 * clock that was set back costs at most one period. Repairs follow what a scrub finds a little later, so that its
 * result is taken when they have come to rest.
 */

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What outlives a restart. Times are seconds of the wall clock. */
struct scrub_past {
	uint64_t since;	      /**< the period counts from here; 0: not known yet */
	uint64_t ended;	      /**< of the last that went through; 0: none did */
	uint64_t rows, wrong; /**< that it read; that disagreed with their parity or could not be read */
	uint64_t mended;      /**< columns that were written again then */
};

/** How the group stands. */
struct scrub_seen {
	bool running, whole;  /**< whole: no member is missing or being rebuilt */
	uint64_t ended;	      /**< scrubs that went through since it was opened */
	uint64_t rows, wrong; /**< of the running or last one */
	uint64_t repaired;    /**< columns written again, since it was opened */
};

struct scrub_plan {
	uint64_t every; /**< seconds; 0: only when told */
	struct scrub_past past;
	/* the plan's own */
	bool settling;
	uint64_t ended, before, repaired; /**< as seen: scrubs; repairs before one; and lately */
	uint64_t quiet, give_up;	  /**< ns: repairs are at rest then; or not waited for any longer */
};

enum scrub_do {
	SCRUB_NOTHING,
	SCRUB_START,
	SCRUB_RECORD, /**< past has changed: keep it */
};

/** Look; at least every few seconds. @p now: ns, monotonic; @p wall: seconds of the wall clock. */
enum scrub_do scrub_plan_look(struct scrub_plan *p, const struct scrub_seen *seen, uint64_t now, uint64_t wall);
/** The operator has stopped one: the next comes a period later. */
void scrub_plan_rest(struct scrub_plan *p, uint64_t wall);
/** When the next one is due, seconds of the wall clock; 0: when told. */
uint64_t scrub_plan_next(const struct scrub_plan *p);

#define SCRUB_PAST_MAX 256
/** As one line of text. @return its length. */
unsigned int scrub_past_print(const struct scrub_past *past, char text[SCRUB_PAST_MAX]);
/** @return 0, -EINVAL: it is no such text. */
int scrub_past_parse(struct scrub_past *past, const char *text);

#ifdef __cplusplus
}
#endif

#endif /* SCRUB_PLAN_H */
