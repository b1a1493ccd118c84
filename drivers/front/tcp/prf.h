/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_PRF_H
#define TCP_PRF_H

/**
 * @file
 * SipHash-2-4: the keyed function behind initial sequence numbers (RFC 6528), SYN cookies and timestamp offsets. Pure.
 */

#include <stddef.h>
#include <stdint.h>

struct tcp_secret {
	uint64_t k0, k1;
};

/** Hash of @p n 64-bit words. */
uint64_t tcp_prf(const struct tcp_secret *key, const uint64_t *words, size_t n);

#endif /* TCP_PRF_H */
