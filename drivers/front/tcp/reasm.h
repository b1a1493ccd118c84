/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_REASM_H
#define TCP_REASM_H

/**
 * @file
 * Bytes that arrived ahead of a gap. Holds lists of strake_buf by contiguous ranges, which are the SACK blocks we
 * report.
 *
 * Ranges are disjoint, not adjacent and ascending. The first copy of a byte to arrive is the one that is kept.
 */

#include "seq.h"
#include "strake_buf.h"

#define TCP_REASM_RANGES 256

struct tcp_reasm_range {
	uint32_t start, end;
	struct strake_buf *head, *tail;
	uint32_t stamp; /**< when it last grew, for the order of SACK blocks (RFC 2018, 4) */
};

struct tcp_reasm {
	uint32_t n, stamp;
	struct tcp_reasm_range r[TCP_REASM_RANGES];
};

/** The first part of [seq, end) that is not held. @return false: all of it is. */
bool tcp_reasm_gap(const struct tcp_reasm *q, uint32_t seq, uint32_t end, struct tcp_range *gap);
/** Is there room for a range there? (One that touches another needs none.) */
bool tcp_reasm_room(const struct tcp_reasm *q, struct tcp_range gap);
/** Take the list for a gap that tcp_reasm_gap() gave and tcp_reasm_room() allowed. */
void tcp_reasm_insert(struct tcp_reasm *q, struct tcp_range gap, struct strake_buf *head, struct strake_buf *tail);
/** Note that a segment within [seq, end) arrived again: its range is reported first. */
void tcp_reasm_touch(struct tcp_reasm *q, uint32_t seq);
/** Take the first range if it starts at @p nxt. @return its length, 0 if there is none. */
uint32_t tcp_reasm_pop(struct tcp_reasm *q, uint32_t nxt, struct strake_buf **head, struct strake_buf **tail);
/** Up to @p max ranges, the latest first. @return how many. */
uint32_t tcp_reasm_blocks(const struct tcp_reasm *q, struct tcp_range *blk, uint32_t max);
/** Put everything. */
void tcp_reasm_clear(struct tcp_reasm *q);

#endif /* TCP_REASM_H */
