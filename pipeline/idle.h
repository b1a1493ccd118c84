/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef IDLE_H
#define IDLE_H

#include "lcore_pvt.h"

/** Once on each thread that will sleep: asks the kernel for exact wake-ups. */
void idle_thread_init(void);
/** Sleep until there may be work: a poller's descriptor, a message, a timer; at most 150 µs where a poller has none. */
void idle_sleep(struct lcore *lc);

#endif /* IDLE_H */
