/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_OPTION_H
#define TCP_OPTION_H

/**
 * @file
 * TCP options: parse and build. Pure.
 */

#include "seq.h"
#include "tcp_spec.h"

/* tcp_options::has */
#define TCP_HAS_MSS	  0x01
#define TCP_HAS_WSCALE	  0x02
#define TCP_HAS_SACK_PERM 0x04
#define TCP_HAS_TS	  0x08

/** Most SACK blocks that fit beside nothing else. */
#define TCP_SACK_BLOCKS 4

struct tcp_options {
	uint32_t tsval, tsecr;
	uint16_t mss;
	uint8_t wscale; /**< cut to TCP_WSCALE_MAX */
	uint8_t has;
	uint8_t n_sack;
	struct tcp_range sack[TCP_SACK_BLOCKS]; /**< only n_sack of them are set */
};

/** @return false when a length is impossible; what stood before it is parsed. */
bool tcp_option_parse(struct tcp_options *o, const uint8_t *p, unsigned int len);
/** Write options, padded with NOP to a multiple of 4; blocks that do not fit are left out. @p p has room for
 * TCP_OPT_MAX bytes. @return bytes. */
unsigned int tcp_option_build(uint8_t *p, const struct tcp_options *o);

#endif /* TCP_OPTION_H */
