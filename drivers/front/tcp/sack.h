/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_SACK_H
#define TCP_SACK_H

/**
 * @file
 * What the peer says it holds beyond the cumulative acknowledgement: the sender's scoreboard (RFC 2018) and the
 * questions RFC 6675 asks of it. Pure.
 *
 * Ranges are disjoint, not adjacent, ascending, and all within (una, max]. A full board forgets what does not fit:
 * that costs a needless retransmission, never data.
 */

#include "seq.h"

#define TCP_BOARD_RANGES 256
/** Duplicate acknowledgements, or discontiguous ranges above a hole, that mean loss (RFC 6675, 2). */
#define TCP_DUP_THRESH 3

struct tcp_board {
	uint32_t bytes; /**< in all ranges */
	uint32_t n;
	struct tcp_range r[TCP_BOARD_RANGES];
};

/** Take note of one block of an arriving segment. Blocks outside (una, max] are ignored (a duplicate report, or a lie).
 * @return bytes not known before. */
uint32_t tcp_board_add(struct tcp_board *b, uint32_t una, uint32_t max, struct tcp_range blk);
/** Everything before @p una is acknowledged. */
void tcp_board_ack(struct tcp_board *b, uint32_t una);
/** IsLost() of RFC 6675, 4, for a hole that ends at @p end. */
bool tcp_board_lost(const struct tcp_board *b, uint32_t end, uint32_t mss);
/** Bytes known to have arrived at or after @p seq. */
uint32_t tcp_board_above(const struct tcp_board *b, uint32_t seq);
/** SetPipe(): bytes thought to be in the network. @p high_rxt: holes below it were retransmitted. */
uint32_t tcp_board_pipe(const struct tcp_board *b, uint32_t una, uint32_t nxt, uint32_t high_rxt, uint32_t mss);
/** First hole at or after @p from that ends before a range; @p lost: only one that is lost. @return false: none. */
bool tcp_board_hole(const struct tcp_board *b, uint32_t from, bool lost, uint32_t mss, struct tcp_range *hole);
/** If @p seq lies in a range, the end of that range, else @p seq; *limit is the start of the next range after it (or
 * unchanged). */
uint32_t tcp_board_skip(const struct tcp_board *b, uint32_t seq, uint32_t *limit);

#endif /* TCP_SACK_H */
