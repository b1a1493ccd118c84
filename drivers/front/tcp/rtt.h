/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_RTT_H
#define TCP_RTT_H

/**
 * @file
 * Round-trip time and the retransmission timeout (RFC 6298). Pure; all times in ns.
 */

#include <stdint.h>

#define TCP_RTO_INIT 1000000000ULL
/* Above the delayed acknowledgement of the peers we meet; RFC 6298's 1 s dates from coarse clocks. */
#define TCP_RTO_MIN 200000000ULL
/* RFC 6298 would have 60 s. Hosts give a command up after 10 to 30 s, so a path that comes back must be found out
 * before that; one segment in 4 s congests nothing. */
#define TCP_RTO_MAX 4000000000ULL

struct tcp_rtt {
	uint64_t srtt; /**< 0: no sample yet */
	uint64_t rttvar;
	uint64_t rto; /**< without backoff */
};

void tcp_rtt_init(struct tcp_rtt *r);
void tcp_rtt_sample(struct tcp_rtt *r, uint64_t rtt);
/** The timeout after @p shift timeouts in a row (RFC 6298, 5.5). */
uint64_t tcp_rtt_backoff(const struct tcp_rtt *r, unsigned int shift);

#endif /* TCP_RTT_H */
