/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_SEQ_H
#define TCP_SEQ_H

/**
 * @file
 * Arithmetic on sequence numbers (RFC 9293, 3.4): modulo 2^32, meaningful while two numbers are less than 2^31 apart.
 */

#include <stdbool.h>
#include <stdint.h>

/** Bytes [start, end) of sequence space. */
struct tcp_range {
	uint32_t start, end;
};

static inline bool
seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool
seq_le(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline bool
seq_gt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static inline bool
seq_ge(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

static inline uint32_t
seq_max(uint32_t a, uint32_t b)
{
	return seq_gt(a, b) ? a : b;
}

static inline uint32_t
seq_min(uint32_t a, uint32_t b)
{
	return seq_lt(a, b) ? a : b;
}

#endif /* TCP_SEQ_H */
