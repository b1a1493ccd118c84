/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef MSG_H
#define MSG_H

#include <rte_ring.h>

/** The ring of messages to lcore @p index. NULL: out of memory. */
struct rte_ring *msg_ring_create(uint16_t index, int socket);
/** Run what is in the ring, at most a burst. @return messages run. */
uint32_t msg_ring_run(struct rte_ring *ring);

#endif /* MSG_H */
