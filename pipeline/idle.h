/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef IDLE_H
#define IDLE_H

#include <stdint.h>

#include "lcore_pvt.h"

/** Once on each thread that will sleep: asks the kernel for exact wake-ups. */
void idle_thread_init(void);
/** How long an idle loop should look for work before it sleeps, at most @p most, after it was without work for @p gap:
 * what was found within @p most is worth looking for, and the next look is longer; else it is shorter. A sixteenth of
 * @p most is always looked, and a shorter gap teaches nothing. One unit of time for all. @return the new @p look. */
uint64_t idle_look(uint64_t look, uint64_t gap, uint64_t most);
/** Sleep until there may be work: a poller's descriptor, a message, a timer; at most 150 µs where a poller has none. */
void idle_sleep(struct lcore *lc);

#endif /* IDLE_H */
