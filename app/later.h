/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LATER_H
#define LATER_H

/** @file Commands of the control socket that wait for hosts' commands to end. Main. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot.h"
#include "strake_volume.h"

/** One command that waits. */
struct later {
	struct later *next;
	struct appliance *a;
	uint64_t request;
	unsigned int waits;	      /**< what has to be ready first */
	char volume[STRAKE_NAME_MAX]; /**< which nobody else may change meanwhile; "": none */
	uint64_t bytes;
	bool keys;	/**< of its domain are to be destroyed, too */
	int status;	/**< what went wrong already */
	uint64_t until; /**< ns: finish() is asked again until then while it says -EAGAIN */
	/** What is left to do then: outside of messages, so it may run turns. NULL: nothing. @return 0; -EAGAIN; -errno
	 * with one line in @p err, or none. */
	int (*finish)(struct later *l, char *err, size_t errlen);
};

/** @p volume may be NULL. @return NULL: out of memory. */
struct later *later_new(struct appliance *a, const char *volume);
/** It has been answered already. */
void later_cancel(struct later *l);
/** The command that is being carried out is answered by it. */
int later_defer(struct later *l);
/** One of what it waits for is over; @p later is the struct. */
void later_ready(void *later);
/** Is a command at work on a volume? */
bool later_has(const char *volume);
/** Carry on with those that are ready. */
uint32_t later_poll(uint64_t now);

#endif /* LATER_H */
