/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "rtt.h"

/* G of RFC 6298: the timer wheel's tick. */
#define CLOCK_NS 1000000ULL

void
tcp_rtt_init(struct tcp_rtt *r)
{
	r->srtt = 0;
	r->rttvar = 0;
	r->rto = TCP_RTO_INIT;
}

void
tcp_rtt_sample(struct tcp_rtt *r, uint64_t rtt)
{
	uint64_t var;

	if (rtt == 0)
		rtt = 1;
	if (r->srtt == 0) {
		r->srtt = rtt;
		r->rttvar = rtt / 2;
	} else {
		uint64_t diff = r->srtt > rtt ? r->srtt - rtt : rtt - r->srtt;

		r->rttvar = r->rttvar - r->rttvar / 4 + diff / 4;
		r->srtt = r->srtt - r->srtt / 8 + rtt / 8;
		if (r->srtt == 0)
			r->srtt = 1;
	}
	var = 4 * r->rttvar;
	r->rto = r->srtt + (var > CLOCK_NS ? var : CLOCK_NS);
	if (r->rto < TCP_RTO_MIN)
		r->rto = TCP_RTO_MIN;
	if (r->rto > TCP_RTO_MAX)
		r->rto = TCP_RTO_MAX;
}

uint64_t
tcp_rtt_backoff(const struct tcp_rtt *r, unsigned int shift)
{
	uint64_t rto = r->rto << (shift < 16 ? shift : 16);

	return rto < TCP_RTO_MAX ? rto : TCP_RTO_MAX;
}
