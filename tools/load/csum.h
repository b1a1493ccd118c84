/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOAD_CSUM_H
#define LOAD_CSUM_H

/** @file The Internet checksum (RFC 1071), over bytes in one piece. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Sum of 16-bit words in memory order, folded into 16 bits, not inverted. An odd last byte counts as followed by 0. */
uint32_t csum_of(const void *p, size_t n);

/** Fold to 16 bits. */
static inline uint16_t
csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

#ifdef __cplusplus
}
#endif

#endif /* LOAD_CSUM_H */
