/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef RESEAL_H
#define RESEAL_H

/**
 * @file
 * What was sealed with keys that were changed since is sealed anew, and then those keys are destroyed. A log group
 * whose table has keys older than the newest of their domain has that to do, whenever it is served: after a `key
 * rotate`, after a restart in the midst, or when its key came with `key load`. Main.
 */

#include "boot.h"
#include "store_log.h"

struct reseal_status {
	const char *word; /**< none, running, checking, paused, waiting, stuck */
	const char *why;  /**< if it waits or is stuck, else "" */
	unsigned int domains, old_keys;
	unsigned int percent;
	uint64_t rate; /**< bytes a second */
	struct store_reseal_status store;
};

/** Bytes a second that may be read to seal anew, and to find out which keys are in use. */
uint64_t reseal_rate(const struct conf_group *g);
int reseals_up(struct appliance *a);
void reseals_down(struct appliance *a);
/** The keys of log group @p g (its place in the configuration) have changed, or its work shall go on, with @p rate
 * bytes a second if that is not 0. */
void reseal_go_on(unsigned int g, uint64_t rate);
/** Pause, until reseal_go_on() or a restart. */
void reseal_rest(unsigned int g);
void reseal_get(unsigned int g, struct reseal_status *out);

#endif /* RESEAL_H */
