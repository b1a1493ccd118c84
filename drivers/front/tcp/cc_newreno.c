/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include "cc.h"

/* No path we serve needs more; keeps sums of windows and sequence numbers far from 2^31. */
#define CWND_MAX (1u << 28)

/* RFC 5681 as amended by RFC 3465's byte counting: the window opens by what was acknowledged. */

uint32_t
tcp_cc_initial(uint32_t mss)
{
	uint32_t most = 2 * mss > 14600 ? 2 * mss : 14600;

	return 10 * mss < most ? 10 * mss : most;
}

uint32_t
tcp_cc_slow_start(struct tcp_cc *cc, uint32_t acked)
{
	uint32_t room;

	if (cc->cwnd >= cc->ssthresh)
		return acked;
	room = cc->ssthresh - cc->cwnd;
	if (room > acked)
		room = acked;
	if (cc->cwnd < CWND_MAX)
		cc->cwnd += room;
	return acked - room;
}

static void
newreno_start(struct tcp_cc *cc)
{
	cc->cwnd = tcp_cc_initial(cc->mss);
	cc->newreno.acked = 0;
}

static void
newreno_ack(struct tcp_cc *cc, uint32_t acked, uint64_t now, uint64_t srtt)
{
	(void)now;
	(void)srtt;
	cc->newreno.acked += tcp_cc_slow_start(cc, acked);
	if (cc->newreno.acked >= cc->cwnd) {
		cc->newreno.acked -= cc->cwnd;
		if (cc->cwnd < CWND_MAX)
			cc->cwnd += cc->mss;
	}
}

static uint32_t
half(const struct tcp_cc *cc, uint32_t flight)
{
	return flight / 2 > 2 * cc->mss ? flight / 2 : 2 * cc->mss;
}

static void
newreno_congestion(struct tcp_cc *cc, uint32_t flight, uint64_t now)
{
	(void)now;
	cc->ssthresh = half(cc, flight);
	cc->cwnd = cc->ssthresh;
	cc->newreno.acked = 0;
}

static void
newreno_timeout(struct tcp_cc *cc, uint32_t flight, uint64_t now)
{
	(void)now;
	cc->ssthresh = half(cc, flight);
	cc->cwnd = cc->mss;
	cc->newreno.acked = 0;
}

const struct tcp_cc_ops tcp_cc_newreno = {
	.name = "newreno",
	.start = newreno_start,
	.ack = newreno_ack,
	.congestion = newreno_congestion,
	.timeout = newreno_timeout,
};

const struct tcp_cc_ops *
tcp_cc_find(const char *name)
{
	if (name == NULL || strcmp(name, tcp_cc_cubic.name) == 0)
		return &tcp_cc_cubic;
	return strcmp(name, tcp_cc_newreno.name) == 0 ? &tcp_cc_newreno : NULL;
}
