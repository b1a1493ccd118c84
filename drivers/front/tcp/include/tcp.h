/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_H
#define TCP_H

/**
 * @file
 * Strake's TCP: one instance per data lcore, on top of port_if, offered as a strake_carrier.
 */

#include <stdbool.h>
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
	/** Asked about each SYN before anything is kept of it; false: dropped without an answer, so that whoever may
	 * not connect learns nothing. NULL: everybody may. @p dport is in host order. On the lcore. */
	bool (*admit)(void *arg, const struct port_pkt *pkt, uint16_t dport);
	void *admit_arg;
	uint64_t seed; /**< all randomness (initial sequence numbers, cookies, ports) derives from it */
};

/** Make this lcore's instance over @p ifp; sets ifp->rx, too_big and user. On the lcore. @return 0 or -ENOMEM, -EINVAL.
 */
int tcp_lcore_create(struct tcp **out, const struct tcp_conf *conf, struct port_if *ifp);
/** Every stream is closed already, and every buf it gave is put. On the lcore. */
void tcp_lcore_destroy(struct tcp *tcp);
/** Abort every connection of this lcore; closed() is called for each, from inside. For shutdown after drain. */
void tcp_lcore_abort_all(struct tcp *tcp);

/** The carrier of a port: listens on, and connects from, the instances of all lcores. Main, after tcp_lcore_create() on
 * each of them (instances[lcore index], NULL where an lcore has none; n = strake_lcore_count()). */
struct strake_carrier *tcp_carrier_create(struct tcp **instances, unsigned int n);
/** Stops what still listens; the instances' lcores must not run any more, or have drained their messages. */
void tcp_carrier_destroy(struct strake_carrier *c);

/** What an instance counts. One writer, its lcore; any thread may read. */
struct tcp_counters {
#define TCP_COUNTER(name, text) uint64_t name;
#include "tcp_counter.def"
#undef TCP_COUNTER
};

/** What an instance has just now. */
struct tcp_usage {
	uint32_t conns, conns_max; /**< in use, of any state, and in all */
	uint32_t half_open;	   /**< SYN received, handshake not finished */
	uint32_t time_wait;
	uint32_t conn_bytes; /**< memory of one connection's own, bytes */
	uint64_t pinned;     /**< bytes of received mbufs held by users and in reassembly */
};

const struct tcp_counters *tcp_lcore_counters(const struct tcp *tcp);
/** On the lcore; elsewhere the numbers may be a little old. */
void tcp_lcore_usage(const struct tcp *tcp, struct tcp_usage *out);
/** On the lcore: every stream that has a user, with the name of its state. */
void tcp_lcore_walk(struct tcp *tcp, void (*fn)(struct strake_stream *s, const char *state, void *arg), void *arg);
/** Name and description of the @p i-th counter (its place in struct tcp_counters, as an array of uint64_t), or NULL. */
const char *tcp_counter_name(unsigned int i, const char **text);

#ifdef __cplusplus
}
#endif

#endif /* TCP_H */
