/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>

#include <isa-l/igzip_lib.h>
#include <lz4.h>

#include <rte_malloc.h>

#include "expand.h"

bool
compress_seal_ok(const struct strake_seal *seal)
{
	if (seal->blocks == 0 || seal->plain != seal->blocks * 4096u || seal->plain > COMPRESS_PLAIN_MAX)
		return false;
	switch (seal->codec) {
	case STRAKE_CODEC_NONE:
		return seal->stored == seal->plain;
	case STRAKE_CODEC_LZ4:
	case STRAKE_CODEC_DEFLATE:
		return seal->stored > 0 && seal->stored <= seal->plain - COMPRESS_GRANULE;
	default:
		return false;
	}
}

static int
inflate_flat(uint8_t *dst, uint32_t plain, const uint8_t *src, uint32_t stored, struct inflate_state *state)
{
	isal_inflate_reset(state);
	state->next_in = (uint8_t *)(uintptr_t)src;
	state->avail_in = stored;
	state->next_out = dst;
	state->avail_out = plain;
	state->crc_flag = ISAL_DEFLATE;
	if (isal_inflate_stateless(state) != ISAL_DECOMP_OK || state->total_out != plain)
		return -EBADMSG;
	return 0;
}

int
compress_expand(uint8_t codec, uint8_t *dst, uint32_t plain, const uint8_t *src, uint32_t stored,
		struct inflate_state *inflate)
{
	if (codec == STRAKE_CODEC_DEFLATE)
		return inflate_flat(dst, plain, src, stored, inflate);
	if (codec != STRAKE_CODEC_LZ4 ||
	    LZ4_decompress_safe((const char *)src, (char *)dst, (int)stored, (int)plain) != (int)plain)
		return -EBADMSG;
	return 0;
}

struct inflate_state *
compress_inflate_alloc(int socket)
{
	struct inflate_state *state =
		rte_malloc_socket("compress_inflate", sizeof(*state), RTE_CACHE_LINE_SIZE, socket);

	if (state != NULL)
		isal_inflate_init(state);
	return state;
}

void
compress_inflate_free(struct inflate_state *state)
{
	rte_free(state);
}
