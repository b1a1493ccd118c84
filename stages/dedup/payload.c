/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "payload.h"

#include <string.h>

#include <rte_prefetch.h>

#include "strake_advice.h"

#define FETCH_AHEAD 256u

bool
dedup_payload_skip(struct dedup_payload *p, uint32_t len)
{
	while (p->buf != NULL && len >= p->buf->len - p->off) {
		len -= p->buf->len - p->off;
		p->buf = p->buf->next;
		p->off = 0;
	}
	p->off += len;
	return p->buf != NULL || len == 0;
}

static bool
stable(const struct strake_buf *buf)
{
	return (buf->flags & STRAKE_BUF_STABLE) != 0;
}

/* The beginning of a piece comes in while the one before it is copied; what follows the processor fetches by itself. */
static inline void
fetch(const struct strake_buf *buf)
{
	if (buf == NULL)
		return;
	for (uint32_t at = 0; at < FETCH_AHEAD; at += RTE_CACHE_LINE_SIZE)
		rte_prefetch0(buf->addr + at);
}

/* The next @p len bytes, if they are there. */
static enum dedup_taken
gather(struct dedup_payload *p, uint8_t *to, uint32_t len)
{
	enum dedup_taken how = DEDUP_GATHERED;

	while (len > 0) {
		uint32_t n;

		if (p->buf == NULL)
			return DEDUP_SHORT;
		n = RTE_MIN(len, p->buf->len - p->off);
		fetch(p->buf->next);
		if (stable(p->buf))
			memcpy(to, p->buf->addr + p->off, n);
		else
			how = DEDUP_UNSTABLE;
		to += n;
		len -= n;
		dedup_payload_skip(p, n);
	}
	return how;
}

enum dedup_taken
dedup_payload_block(struct dedup_payload *p, uint8_t *scratch, const uint8_t **block)
{
	const struct strake_buf *buf = p->buf;

	if (buf == NULL || buf->len - p->off < STRAKE_ADVICE_BLOCK) {
		*block = scratch;
		return gather(p, scratch, STRAKE_ADVICE_BLOCK);
	}
	*block = buf->addr + p->off;
	dedup_payload_skip(p, STRAKE_ADVICE_BLOCK);
	return stable(buf) ? DEDUP_LIES : DEDUP_UNSTABLE;
}
