/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypto_sink.h"
#include "strake_stage.h"

struct crypto_sink crypto_sink;

int
crypto_sink_init(uint64_t len)
{
	crypto_sink = (struct crypto_sink){.len = len, .bytes = calloc(1, len)};
	return crypto_sink.bytes != NULL ? 0 : -ENOMEM;
}

void
crypto_sink_reset(void)
{
	strake_buf_put_list(crypto_sink.kept);
	memset(crypto_sink.bytes, 0, crypto_sink.len);
	crypto_sink = (struct crypto_sink){.len = crypto_sink.len, .bytes = crypto_sink.bytes};
}

void
crypto_sink_fini(void)
{
	crypto_sink_reset();
	free(crypto_sink.bytes);
	crypto_sink.bytes = NULL;
}

static void
sink_write(struct strake_unit *u, uint8_t *at)
{
	for (const struct strake_buf *b = u->bufs; b != NULL; b = b->next)
		if ((uintptr_t)b->addr % STRAKE_BUF_PAGE_ALIGN != 0 || b->reg != STRAKE_BUF_REG_ARENA ||
		    (b->flags & STRAKE_BUF_STABLE) == 0)
			crypto_sink.bad_bufs++;
	u->status = (int16_t)strake_buf_copy_out(u->bufs, 0, at, u->nbytes);
}

static struct strake_buf *
reply(uint8_t *at, uint32_t len)
{
	static const struct strake_backing lent = {.name = "sink"};
	struct strake_buf *b, *again;

	if (crypto_sink.form == CRYPTO_SINK_LENT)
		return strake_buf_wrap(at, len, &lent, NULL, STRAKE_BUF_STABLE);
	b = strake_buf_page(len);
	if (b == NULL)
		return NULL;
	memcpy(b->addr, at, len);
	if (crypto_sink.form == CRYPTO_SINK_SHARED) {
		again = strake_buf_slice(b, 0, len);
		again->next = crypto_sink.kept;
		crypto_sink.kept = again;
	}
	return b;
}

static void
sink_read(struct strake_unit *u, uint8_t *at)
{
	uint32_t piece = crypto_sink.piece != 0 ? crypto_sink.piece : STRAKE_BUF_PAGE_MAX;

	u->status = crypto_sink.status;
	for (uint32_t off = 0; off < u->nbytes && u->status == 0;) {
		uint32_t len = RTE_MIN(piece, u->nbytes - off);
		struct strake_buf *b = reply(at + off, len);

		if (b == NULL)
			u->status = -ENOMEM;
		strake_unit_append(u, b);
		off += len;
	}
}

static int
sink_create(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen)
{
	return 0;
}

static void
sink_down(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct strake_unit *u = units[i];
		uint64_t off = u->lba << strake_chunk_of(u)->lba_shift;
		uint64_t len = (uint64_t)u->nlb << strake_chunk_of(u)->lba_shift;

		crypto_sink.ops[u->op]++;
		crypto_sink.flags = u->flags;
		u->verdict = STRAKE_DONE;
		if (off + len > crypto_sink.len)
			u->status = -ERANGE;
		else if (u->op == STRAKE_OP_WRITE)
			sink_write(u, crypto_sink.bytes + off);
		else if (u->op == STRAKE_OP_READ)
			sink_read(u, crypto_sink.bytes + off);
		else if (u->op == STRAKE_OP_WRITE_ZEROES || u->op == STRAKE_OP_DEALLOCATE)
			memset(crypto_sink.bytes + off, 0, len);
	}
}

static const struct strake_stage_ops sink_ops = {
	.name = "sink",
	.unit = STRAKE_UNIT_CHUNK,
	.create = sink_create,
	.down = sink_down,
};
STRAKE_STAGE_REGISTER(sink_ops)
