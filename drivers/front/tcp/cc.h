/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_CC_H
#define TCP_CC_H

/**
 * @file
 * Congestion control: how much may be in the network. Loss detection and recovery are elsewhere; here only the answer.
 */

#include <stdbool.h>
#include <stdint.h>

/** What every algorithm may know, and its own few words. */
struct tcp_cc {
	uint32_t cwnd, ssthresh, mss; /**< bytes */
	union {
		struct {
			uint32_t acked; /**< bytes since cwnd last grew */
		} newreno;
		struct {
			uint64_t epoch;	       /**< ns when this growth began; 0: none */
			float w_max, k, w_est; /**< segments, seconds, segments */
			float cwnd_epoch;      /**< cwnd when the epoch began, segments */
			float credit;	       /**< part of a byte of growth carried over */
		} cubic;
	};
};

struct tcp_cc_ops {
	const char *name;
	/** Connection established, or silent for longer than the timeout (RFC 5681, 4.1): mss and ssthresh are set. */
	void (*start)(struct tcp_cc *cc);
	/** @p acked new bytes were acknowledged, outside recovery, while cwnd was the limit. */
	void (*ack)(struct tcp_cc *cc, uint32_t acked, uint64_t now, uint64_t srtt);
	/** Loss found by duplicate acknowledgements, or ECN's echo: once for each window. @p flight bytes are out. */
	void (*congestion)(struct tcp_cc *cc, uint32_t flight, uint64_t now);
	/** The retransmission timer fired, the first time for this loss. */
	void (*timeout)(struct tcp_cc *cc, uint32_t flight, uint64_t now);
};

extern const struct tcp_cc_ops tcp_cc_newreno;
extern const struct tcp_cc_ops tcp_cc_cubic;

/** By name, or NULL. */
const struct tcp_cc_ops *tcp_cc_find(const char *name);
/** Initial window (RFC 6928). */
uint32_t tcp_cc_initial(uint32_t mss);
/** Slow start (RFC 5681 3.1 with L = 8 as RFC 9438 4.10 leaves open): grows cwnd up to ssthresh.
 * @return bytes of @p acked left for congestion avoidance. */
uint32_t tcp_cc_slow_start(struct tcp_cc *cc, uint32_t acked);

#endif /* TCP_CC_H */
