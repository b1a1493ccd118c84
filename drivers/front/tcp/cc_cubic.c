/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <math.h>

#include "cc.h"

/* RFC 9438. Windows in segments, times in seconds, as the RFC writes them. */
#define CUBIC_C	   0.4f
#define CUBIC_BETA 0.7f
/* 3 (1 - beta) / (1 + beta): growth as fair as Reno's while below w_max (4.3). */
#define CUBIC_ALPHA 0.529f
#define CWND_MAX    (1u << 28)

static void
cubic_start(struct tcp_cc *cc)
{
	cc->cwnd = tcp_cc_initial(cc->mss);
	cc->cubic.epoch = 0;
	cc->cubic.w_max = 0;
	cc->cubic.credit = 0;
}

static void
begin_epoch(struct tcp_cc *cc, uint64_t now)
{
	float w = (float)cc->cwnd / (float)cc->mss;

	cc->cubic.epoch = now;
	cc->cubic.cwnd_epoch = w;
	cc->cubic.w_est = w;
	if (cc->cubic.w_max > w) {
		cc->cubic.k = cbrtf((cc->cubic.w_max - w) / CUBIC_C);
	} else {
		cc->cubic.w_max = w;
		cc->cubic.k = 0;
	}
}

static void
cubic_ack(struct tcp_cc *cc, uint32_t acked, uint64_t now, uint64_t srtt)
{
	float w, t, target, grow;

	acked = tcp_cc_slow_start(cc, acked);
	if (acked == 0 || cc->cwnd >= CWND_MAX)
		return;
	if (cc->cubic.epoch == 0)
		begin_epoch(cc, now);
	w = (float)cc->cwnd / (float)cc->mss;
	t = (float)(now - cc->cubic.epoch + srtt) * 1e-9f - cc->cubic.k;
	target = CUBIC_C * t * t * t + cc->cubic.w_max;
	target = fminf(fmaxf(target, w), 1.5f * w);
	cc->cubic.w_est += (cc->cubic.w_est < cc->cubic.w_max ? CUBIC_ALPHA : 1.0f) * (float)acked / (float)cc->cwnd;
	if (cc->cubic.w_est > target)
		target = cc->cubic.w_est; /* Reno-friendly region, 4.3 */
	grow = (target - w) / w * (float)acked + cc->cubic.credit;
	cc->cwnd += (uint32_t)grow;
	cc->cubic.credit = grow - (float)(uint32_t)grow;
}

static void
reduce(struct tcp_cc *cc, uint32_t flight)
{
	float w = (float)cc->cwnd / (float)cc->mss;
	/* What was really out, so that a window never used up is not taken for capacity (4.6). */
	uint32_t base = flight < cc->cwnd ? flight : cc->cwnd;
	uint32_t least = 2 * cc->mss;

	/* Fast convergence (4.7): a lower peak than last time means that others want a share. */
	cc->cubic.w_max = w < cc->cubic.w_max ? w * (1.0f + CUBIC_BETA) / 2.0f : w;
	cc->ssthresh = (uint32_t)((float)base * CUBIC_BETA);
	if (cc->ssthresh < least)
		cc->ssthresh = least;
	cc->cubic.epoch = 0;
	cc->cubic.credit = 0;
}

static void
cubic_congestion(struct tcp_cc *cc, uint32_t flight, uint64_t now)
{
	(void)now;
	reduce(cc, flight);
	cc->cwnd = cc->ssthresh;
}

static void
cubic_timeout(struct tcp_cc *cc, uint32_t flight, uint64_t now)
{
	(void)now;
	reduce(cc, flight);
	cc->cwnd = cc->mss;
}

const struct tcp_cc_ops tcp_cc_cubic = {
	.name = "cubic",
	.start = cubic_start,
	.ack = cubic_ack,
	.congestion = cubic_congestion,
	.timeout = cubic_timeout,
};
