/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "xor_transform.h"

#include <errno.h>
#include <string.h>

#include <rte_common.h>

#define FAREWELL 0xee

struct xor {
	uint8_t greeting[XOR_GREETING];
	uint32_t got; /* of it */
	uint8_t key;
	uint64_t sent, received; /* bytes after the greeting */
};

unsigned int xor_begins, xor_ends;

/* Pieces of a list, each changed by its place in the stream. Puts the list. */
static struct strake_buf *
changed(struct strake_buf *bufs, uint8_t key, uint64_t *at)
{
	struct strake_buf *out = NULL, **tail = &out, *next;

	for (; bufs != NULL; bufs = next) {
		next = bufs->next;
		for (uint32_t off = 0; off < bufs->len;) {
			uint32_t n = RTE_MIN(bufs->len - off, STRAKE_BUF_PAGE_MAX);

			*tail = strake_buf_page(n);
			for (uint32_t i = 0; i < n; i++)
				(*tail)->addr[i] = bufs->addr[off + i] ^ (uint8_t)(key + (*at)++);
			(*tail)->next = NULL;
			tail = &(*tail)->next;
			off += n;
		}
		bufs->next = NULL;
		strake_buf_put(bufs);
	}
	return out;
}

static int
xor_begin(struct strake_transform *t, bool active)
{
	struct xor *x = strake_transform_state(t);
	struct strake_buf *hello = strake_buf_page(XOR_GREETING);

	xor_begins++;
	x->key = active ? 0x5a : 0xa5;
	memcpy(hello->addr, "XOR1", 4);
	hello->addr[4] = x->key;
	strake_transform_down(t, hello, XOR_GREETING);
	return 0;
}

static int
xor_in(struct strake_transform *t, struct strake_buf *bufs, uint32_t len)
{
	struct xor *x = strake_transform_state(t);
	uint32_t n = RTE_MIN(len, XOR_GREETING - x->got);
	struct strake_buf *rest;

	if (n > 0) {
		strake_buf_copy_out(bufs, 0, x->greeting + x->got, n);
		x->got += n;
		if (memcmp(x->greeting, "XOR1", RTE_MIN(x->got, 4u)) != 0) {
			strake_buf_put_list(bufs);
			return -EPROTO;
		}
		if (x->got == XOR_GREETING)
			strake_transform_ready(t);
	}
	rest = len > n ? strake_buf_window(bufs, n, len - n) : NULL;
	strake_buf_put_list(bufs);
	if (rest != NULL)
		strake_transform_up(t, changed(rest, x->greeting[4], &x->received), len - n);
	return 0;
}

static int
xor_out(struct strake_transform *t, struct strake_buf *bufs, uint32_t len)
{
	struct xor *x = strake_transform_state(t);

	strake_transform_down(t, changed(bufs, x->key, &x->sent), len);
	return 0;
}

static int
xor_eof(struct strake_transform *t)
{
	return ((struct xor *)strake_transform_state(t))->got < XOR_GREETING ? -EBADMSG : 0;
}

static void
xor_finish(struct strake_transform *t)
{
	struct strake_buf *bye = strake_buf_page(1);

	bye->addr[0] = FAREWELL;
	xor_out(t, bye, 1);
}

static int
pass_begin(struct strake_transform *t, bool active)
{
	(void)active;
	xor_begins++;
	strake_transform_ready(t);
	return 0;
}

static int
pass_in(struct strake_transform *t, struct strake_buf *bufs, uint32_t len)
{
	strake_transform_up(t, bufs, len);
	return 0;
}

static int
pass_out(struct strake_transform *t, struct strake_buf *bufs, uint32_t len)
{
	strake_transform_down(t, bufs, len);
	return 0;
}

static void
count_end(struct strake_transform *t)
{
	(void)t;
	xor_ends++;
}

const struct strake_transform_ops pass_transform_ops = {
	.name = "pass", .begin = pass_begin, .in = pass_in, .out = pass_out, .end = count_end};

const struct strake_transform_ops xor_transform_ops = {
	.name = "xor",
	.state = sizeof(struct xor),
	.begin = xor_begin,
	.in = xor_in,
	.out = xor_out,
	.eof = xor_eof,
	.finish = xor_finish,
	.end = count_end,
};
