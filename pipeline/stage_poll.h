/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STAGE_POLL_H
#define STAGE_POLL_H

#include <stdbool.h>
#include <stdint.h>

/** Call poll() of every stage of this lcore that has one. @return work done. */
uint32_t stage_poll_run(uint64_t now);
/** Has this lcore such a stage? */
bool stage_poll_any(void);

#endif /* STAGE_POLL_H */
