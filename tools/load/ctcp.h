/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOAD_CTCP_H
#define LOAD_CTCP_H

/**
 * @file
 * The client's end of a TCP connection (RFC 9293), as lean as a load generator needs: active open, cumulative
 * acknowledgement, window scaling, a few segments out of order kept, retransmission on three duplicate
 * acknowledgements or a timeout. No congestion control: the link is a ring of memory or a cable to the target, and
 * the target's window bounds what is under way.
 *
 * Received payload goes to a queue pair in place (qp_rx()); what is sent is copied once, into the frame, and kept there
 * until it is acknowledged.
 */

#include <stdbool.h>
#include <stdint.h>

#include "net.h"
#include "xport.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ctcp;

struct ctcp_stats {
	uint64_t segs_in, segs_out, bytes_in, bytes_out, acks_out;
	uint64_t retransmits, timeouts, out_of_order, duplicates;
};

/** Begin to connect to @p port of the net's peer. @p now in ticks of ticks.h, as everywhere here. */
int ctcp_open(struct ctcp **out, struct net *n, uint16_t port, uint64_t now);
/** The byte stream for a queue pair, whose close() frees the connection. It pushes: give it the queue pair. */
struct xport *ctcp_xport(struct ctcp *c);
/** @p rx is called with payload, in order. */
void ctcp_attach(struct ctcp *c, int (*rx)(void *user, const void *data, size_t len), void *user);

/** A frame for this connection, headers included; the mbuf is taken. */
void ctcp_input(struct ctcp *c, struct rte_mbuf *m, uint64_t now);
/** After a burst: acknowledge what came, if nothing that was sent has done so. */
void ctcp_finish(struct ctcp *c);
/** Retransmit what waited too long. */
void ctcp_tick(struct ctcp *c, uint64_t now);

bool ctcp_connected(const struct ctcp *c);
/** 0, or why it ended: -ECONNREFUSED, -ECONNRESET, -ETIMEDOUT. */
int ctcp_status(const struct ctcp *c);
const struct ctcp_stats *ctcp_get_stats(const struct ctcp *c);

#ifdef __cplusplus
}
#endif

#endif /* LOAD_CTCP_H */
