/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SOCK_H
#define SOCK_H

/**
 * @file
 * The kernel's sockets as a strake_carrier: for machines without a DPDK port, and for comparison.
 */

#include "strake_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Make the carrier. Main.
 * @param congestion TCP congestion control of its sockets: "cubic", "newreno", or "system" for what the host's
 * administrator set (net.ipv4.tcp_congestion_control). Where the kernel refuses, the log says so and it stays that.
 * What is in use /strake/sock/info tells. A system set to BBR sends at a pace, by timers, as is right for long ways:
 * a storage network, and more so loopback, is slower by a third.
 */
struct strake_carrier *sock_carrier_create(const char *congestion);
/** Main, after every sock_lcore_fini(). */
void sock_carrier_destroy(struct strake_carrier *c);
/** On each data lcore, before listen(): epoll set, receive slabs, poller. @return 0 or -errno. */
int sock_lcore_init(struct strake_carrier *c);
/** On each data lcore, after its connections ended: closes listeners, aborts what is left (closed() is called). */
void sock_lcore_fini(struct strake_carrier *c);

#ifdef __cplusplus
}
#endif

#endif /* SOCK_H */
