/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SCRUB_H
#define SCRUB_H

/**
 * @file
 * Scrubs of log groups: by the file's schedule and by the operator's word. What the last one came to is kept in the
 * appliance's `state` folder and told in `group show`. Main.
 */

#include "boot.h"

/** Watch the log groups from now on; the stores are open. */
int scrubs_up(struct appliance *a);
void scrubs_down(struct appliance *a);
/** A store that was not open is open now. */
int scrubs_watch(struct appliance *a);
/** Scrub log group @p g (its place in the configuration) now, at most @p rate bytes a second; 0: no limit.
 * @return 0; -EALREADY. */
int scrub_start(struct appliance *a, unsigned int g, uint64_t rate);
/** Stop; the next of the schedule comes a period later. */
void scrub_rest(struct appliance *a, unsigned int g);

#endif /* SCRUB_H */
