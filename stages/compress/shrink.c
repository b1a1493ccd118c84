/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>

#include <lz4.h>
#include <lz4hc.h>

#include <rte_malloc.h>

#include "shrink.h"

int
shrink_init(struct shrink *s, unsigned int level, int socket)
{
	int size = level < SHRINK_HC_FROM ? LZ4_sizeofState() : LZ4_sizeofStateHC();

	s->level = level;
	s->state = rte_zmalloc_socket("compress_lz4", (size_t)size, RTE_CACHE_LINE_SIZE, socket);
	return s->state != NULL ? 0 : -ENOMEM;
}

void
shrink_fini(struct shrink *s)
{
	rte_free(s->state);
	s->state = NULL;
}

uint32_t
shrink_lz4(struct shrink *s, uint8_t *dst, uint32_t room, const uint8_t *src, uint32_t len)
{
	const char *in = (const char *)src;
	char *out = (char *)dst;
	int n = s->level < SHRINK_HC_FROM
			? LZ4_compress_fast_extState(s->state, in, out, (int)len, (int)room, 1)
			: LZ4_compress_HC_extStateHC(s->state, in, out, (int)len, (int)room, (int)s->level);

	return n > 0 ? (uint32_t)n : 0;
}
