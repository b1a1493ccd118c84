/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include "reasm.h"

/* Index of the first range that ends at or after @p seq. */
static uint32_t
find(const struct tcp_reasm *q, uint32_t seq)
{
	uint32_t i = 0;

	/* New segments mostly extend the last range. */
	if (q->n > 0 && seq_lt(q->r[q->n - 1].start, seq))
		i = q->n - 1;
	while (i < q->n && seq_lt(q->r[i].end, seq))
		i++;
	return i;
}

bool
tcp_reasm_gap(const struct tcp_reasm *q, uint32_t seq, uint32_t end, struct tcp_range *gap)
{
	uint32_t i = find(q, seq);

	if (i < q->n && seq_le(q->r[i].start, seq)) {
		seq = seq_max(seq, q->r[i].end);
		i++;
	}
	if (i < q->n)
		end = seq_min(end, q->r[i].start);
	gap->start = seq;
	gap->end = end;
	return seq_lt(seq, end);
}

bool
tcp_reasm_room(const struct tcp_reasm *q, struct tcp_range gap)
{
	uint32_t i;

	if (q->n < TCP_REASM_RANGES)
		return true;
	i = find(q, gap.start);
	if (i < q->n && (q->r[i].end == gap.start || q->r[i].start == gap.end))
		return true;
	return i + 1 < q->n && q->r[i + 1].start == gap.end;
}

void
tcp_reasm_insert(struct tcp_reasm *q, struct tcp_range gap, struct strake_buf *head, struct strake_buf *tail)
{
	uint32_t i = find(q, gap.start);
	struct tcp_reasm_range *r = &q->r[i];

	q->stamp++;
	if (i < q->n && r->end == gap.start) {
		r->tail->next = head;
		r->tail = tail;
		r->end = gap.end;
		r->stamp = q->stamp;
		if (i + 1 < q->n && r[1].start == r->end) {
			r->tail->next = r[1].head;
			r->tail = r[1].tail;
			r->end = r[1].end;
			q->n--;
			memmove(&r[1], &r[2], (q->n - i - 1) * sizeof(*r));
		}
		return;
	}
	if (i < q->n && r->start == gap.end) {
		tail->next = r->head;
		r->head = head;
		r->start = gap.start;
		r->stamp = q->stamp;
		return;
	}
	memmove(&r[1], &r[0], (q->n - i) * sizeof(*r));
	*r = (struct tcp_reasm_range){gap.start, gap.end, head, tail, q->stamp};
	q->n++;
}

void
tcp_reasm_touch(struct tcp_reasm *q, uint32_t seq)
{
	uint32_t i = find(q, seq);

	if (i < q->n && seq_le(q->r[i].start, seq))
		q->r[i].stamp = ++q->stamp;
}

uint32_t
tcp_reasm_pop(struct tcp_reasm *q, uint32_t nxt, struct strake_buf **head, struct strake_buf **tail)
{
	uint32_t len;

	if (q->n == 0 || q->r[0].start != nxt)
		return 0;
	len = q->r[0].end - q->r[0].start;
	*head = q->r[0].head;
	*tail = q->r[0].tail;
	q->n--;
	memmove(&q->r[0], &q->r[1], q->n * sizeof(q->r[0]));
	return len;
}

uint32_t
tcp_reasm_blocks(const struct tcp_reasm *q, struct tcp_range *blk, uint32_t max)
{
	uint32_t k, below = q->stamp + 1;

	/* Stamps are unique, so each round takes the latest below the last one taken. */
	for (k = 0; k < max && k < q->n; k++) {
		const struct tcp_reasm_range *best = NULL;

		for (uint32_t i = 0; i < q->n; i++)
			if (seq_lt(q->r[i].stamp, below) && (best == NULL || seq_gt(q->r[i].stamp, best->stamp)))
				best = &q->r[i];
		below = best->stamp;
		blk[k].start = best->start;
		blk[k].end = best->end;
	}
	return k;
}

void
tcp_reasm_clear(struct tcp_reasm *q)
{
	for (uint32_t i = 0; i < q->n; i++)
		strake_buf_put_list(q->r[i].head);
	q->n = 0;
}
