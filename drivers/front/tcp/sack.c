/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include "sack.h"

static void
remove_at(struct tcp_board *b, uint32_t i)
{
	b->bytes -= b->r[i].end - b->r[i].start;
	b->n--;
	memmove(&b->r[i], &b->r[i + 1], (b->n - i) * sizeof(b->r[0]));
}

uint32_t
tcp_board_add(struct tcp_board *b, uint32_t una, uint32_t max, struct tcp_range blk)
{
	uint32_t before = b->bytes, i = 0;

	if (seq_ge(blk.start, blk.end) || seq_le(blk.end, una) || seq_gt(blk.end, max) || seq_lt(blk.start, una))
		return 0;
	while (i < b->n && seq_lt(b->r[i].end, blk.start))
		i++;
	if (i < b->n && seq_le(b->r[i].start, blk.start) && seq_ge(b->r[i].end, blk.end))
		return 0;
	/* Swallow every range that overlaps or touches. */
	while (i < b->n && seq_le(b->r[i].start, blk.end)) {
		blk.start = seq_min(blk.start, b->r[i].start);
		blk.end = seq_max(blk.end, b->r[i].end);
		remove_at(b, i);
	}
	if (b->n == TCP_BOARD_RANGES)
		return 0; /* nothing was swallowed: a merge would have made room */
	memmove(&b->r[i + 1], &b->r[i], (b->n - i) * sizeof(b->r[0]));
	b->r[i] = blk;
	b->n++;
	b->bytes += blk.end - blk.start;
	return b->bytes - before;
}

void
tcp_board_ack(struct tcp_board *b, uint32_t una)
{
	while (b->n > 0 && seq_le(b->r[0].end, una))
		remove_at(b, 0);
	if (b->n > 0 && seq_lt(b->r[0].start, una)) {
		b->bytes -= una - b->r[0].start;
		b->r[0].start = una;
	}
}

bool
tcp_board_lost(const struct tcp_board *b, uint32_t end, uint32_t mss)
{
	uint32_t bytes = 0, ranges = 0;

	for (uint32_t i = b->n; i > 0 && seq_ge(b->r[i - 1].start, end); i--) {
		bytes += b->r[i - 1].end - b->r[i - 1].start;
		if (++ranges >= TCP_DUP_THRESH || bytes > (TCP_DUP_THRESH - 1) * mss)
			return true;
	}
	return false;
}

uint32_t
tcp_board_above(const struct tcp_board *b, uint32_t seq)
{
	uint32_t bytes = 0;

	for (uint32_t i = b->n; i > 0 && seq_gt(b->r[i - 1].end, seq); i--)
		bytes += b->r[i - 1].end - seq_max(b->r[i - 1].start, seq);
	return bytes;
}

uint32_t
tcp_board_pipe(const struct tcp_board *b, uint32_t una, uint32_t nxt, uint32_t high_rxt, uint32_t mss)
{
	uint32_t pipe = 0, at = una, ranges = 0, bytes = 0;
	bool lost;

	if (b->n == 0)
		return nxt - una;
	/* From the top down, what lies above a hole is known when the hole is reached. */
	pipe = seq_gt(nxt, b->r[b->n - 1].end) ? nxt - b->r[b->n - 1].end : 0;
	for (uint32_t i = b->n; i > 0; i--) {
		struct tcp_range hole = {i > 1 ? b->r[i - 2].end : at, b->r[i - 1].start};

		ranges++;
		bytes += b->r[i - 1].end - b->r[i - 1].start;
		lost = ranges >= TCP_DUP_THRESH || bytes > (TCP_DUP_THRESH - 1) * mss;
		if (!lost)
			pipe += hole.end - hole.start;
		if (seq_gt(high_rxt, hole.start))
			pipe += seq_min(high_rxt, hole.end) - hole.start;
	}
	return pipe;
}

bool
tcp_board_hole(const struct tcp_board *b, uint32_t from, bool lost, uint32_t mss, struct tcp_range *hole)
{
	for (uint32_t i = 0; i < b->n; i++) {
		if (seq_lt(from, b->r[i].start)) {
			/* Holes further up have less above them: if this one is not lost, none is. */
			if (lost && !tcp_board_lost(b, b->r[i].start, mss))
				return false;
			hole->start = from;
			hole->end = b->r[i].start;
			return true;
		}
		from = seq_max(from, b->r[i].end);
	}
	return false;
}

uint32_t
tcp_board_skip(const struct tcp_board *b, uint32_t seq, uint32_t *limit)
{
	for (uint32_t i = 0; i < b->n; i++) {
		if (seq_lt(seq, b->r[i].start)) {
			*limit = b->r[i].start;
			break;
		}
		if (seq_lt(seq, b->r[i].end))
			seq = b->r[i].end;
	}
	return seq;
}
