/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_H
#define TCP_H

/**
 * @file
 * Strake's TCP: one instance per data lcore, on top of port_if, offered as a strake_carrier.
 */

#include <stdint.h>

#include "port.h"
#include "strake_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tcp;

struct tcp_conf {
	uint32_t conns;		/**< connections on this lcore at most; the table is preallocated */
	uint32_t rcvbuf;	/**< most bytes a connection's received mbufs may pin; default 1 MiB */
	uint32_t sndbuf;	/**< tx_limit of a stream; default 1 MiB */
	const char *congestion; /**< "cubic" or "newreno" */
	uint64_t keepalive_ns;	/**< idle time before probes; 0: default 120 s */
	uint64_t seed;		/**< all randomness (initial sequence numbers, cookies, ports) derives from it */
};

/** Make this lcore's instance over @p ifp; sets ifp->rx, too_big and user. On the lcore. @return 0 or -ENOMEM, -EINVAL.
 */
int tcp_lcore_create(struct tcp **out, const struct tcp_conf *conf, struct port_if *ifp);
/** Every stream is closed already. On the lcore. */
void tcp_lcore_destroy(struct tcp *tcp);
/** Abort every connection of this lcore; closed() is called for each. For shutdown after drain. */
void tcp_lcore_abort_all(struct tcp *tcp);

/** The carrier of a port: listens on, and connects from, the instances of all lcores. Main, after tcp_lcore_create() on
 * each of them (instances[lcore index], n = strake_lcore_count()). */
struct strake_carrier *tcp_carrier_create(struct tcp **instances, unsigned int n);
void tcp_carrier_destroy(struct strake_carrier *c);

#ifdef __cplusplus
}
#endif

#endif /* TCP_H */
