/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOAD_HOST_H
#define LOAD_HOST_H

/**
 * @file
 * An association with a controller over a net: admin queue, I/O queues, one namespace. Opening blocks; I/O does not.
 */

#include <stdint.h>

#include "net.h"
#include "qp.h"

#ifdef __cplusplus
extern "C" {
#endif

struct host;

struct host_conf {
	struct net *net;
	uint16_t service; /**< TCP port */
	const char *nqn, *hostnqn;
	uint32_t nsid;
	uint16_t queues; /**< I/O queues, each a connection */
	uint16_t depth;	 /**< of each; the controller may have less */
	bool hdgst, ddgst;
	uint64_t timeout; /**< ns, for each step */
};

/** @return 0, or -errno with one line in @p err (NET_ERR_MAX). */
int host_open(struct host **out, const struct host_conf *conf, char *err);
void host_close(struct host *h);

/** Look at the device once, complete, send. @return frames received, or -errno when a connection was lost. */
int host_poll(struct host *h, uint64_t now);
struct qp *host_queue(struct host *h, unsigned int i);
unsigned int host_queues(const struct host *h);
uint32_t host_depth(const struct host *h);
uint32_t host_max_xfer(const struct host *h);
uint32_t host_lba_shift(const struct host *h);
uint64_t host_nlb(const struct host *h);
uint32_t host_nsid(const struct host *h);
/** TCP of all connections, summed. */
struct ctcp_stats;
void host_tcp_stats(const struct host *h, struct ctcp_stats *sum);
/** Why the last call failed. */
const char *host_error(const struct host *h);

#ifdef __cplusplus
}
#endif

#endif /* LOAD_HOST_H */
