/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Walking and windowing lists of bufs: every access to payload by offset goes through the iterator's length check. */

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include <rte_common.h>

#include "strake_buf.h"

int
strake_buf_iter_init(struct strake_buf_iter *it, struct strake_buf *list, uint32_t off, uint32_t len)
{
	uint64_t have = 0;

	while (list != NULL && off >= list->len) {
		off -= list->len;
		list = list->next;
	}
	for (struct strake_buf *b = list; b != NULL && have < (uint64_t)off + len; b = b->next)
		have += b->len;
	if (have < (uint64_t)off + len)
		return -ERANGE;
	it->buf = list;
	it->off = off;
	it->left = len;
	return 0;
}

uint32_t
strake_buf_iter_next(struct strake_buf_iter *it, uint8_t **addr)
{
	uint32_t len;

	if (it->left == 0)
		return 0;
	len = RTE_MIN(it->buf->len - it->off, it->left);
	*addr = it->buf->addr + it->off;
	it->left -= len;
	it->off = 0;
	it->buf = it->buf->next;
	return len;
}

int
strake_buf_copy_out(struct strake_buf *list, uint32_t off, void *dst, uint32_t len)
{
	struct strake_buf_iter it;
	uint8_t *to = dst, *from;
	uint32_t n;

	if (strake_buf_iter_init(&it, list, off, len) < 0)
		return -ERANGE;
	for (; (n = strake_buf_iter_next(&it, &from)) > 0; to += n)
		memcpy(to, from, n);
	return 0;
}

int
strake_buf_copy_in(struct strake_buf *list, uint32_t off, const void *src, uint32_t len)
{
	struct strake_buf_iter it;
	const uint8_t *from = src;
	uint8_t *to;
	uint32_t n;

	if (strake_buf_iter_init(&it, list, off, len) < 0)
		return -ERANGE;
	for (; (n = strake_buf_iter_next(&it, &to)) > 0; from += n)
		memcpy(to, from, n);
	return 0;
}

int
strake_buf_compare(struct strake_buf *a, uint32_t a_off, struct strake_buf *b, uint32_t b_off, uint32_t len)
{
	struct strake_buf_iter at, bt;
	uint8_t *pa = NULL, *pb = NULL;
	uint32_t na = 0, nb = 0;

	if (strake_buf_iter_init(&at, a, a_off, len) < 0 || strake_buf_iter_init(&bt, b, b_off, len) < 0)
		return -ERANGE;
	while (len > 0) {
		uint32_t n;

		if (na == 0)
			na = strake_buf_iter_next(&at, &pa);
		if (nb == 0)
			nb = strake_buf_iter_next(&bt, &pb);
		n = RTE_MIN(na, nb);
		if (memcmp(pa, pb, n) != 0)
			return -EILSEQ;
		pa += n;
		pb += n;
		na -= n;
		nb -= n;
		len -= n;
	}
	return 0;
}

struct strake_buf *
strake_buf_window(struct strake_buf *list, uint32_t off, uint32_t len)
{
	struct strake_buf *head = NULL, **tail = &head;

	while (list != NULL && off >= list->len) {
		off -= list->len;
		list = list->next;
	}
	for (; list != NULL && len > 0; list = list->next) {
		uint32_t n = RTE_MIN(list->len - off, len);

		*tail = strake_buf_slice(list, off, n);
		if (*tail == NULL)
			break;
		tail = &(*tail)->next;
		len -= n;
		off = 0;
	}
	if (len > 0) {
		strake_buf_put_list(head);
		return NULL;
	}
	return head;
}

int
strake_buf_iov(struct strake_buf *list, uint32_t off, uint32_t len, struct iovec *iov, int max)
{
	struct strake_buf_iter it;
	uint8_t *addr;
	uint32_t n;
	int used = 0;

	if (strake_buf_iter_init(&it, list, off, len) < 0)
		return -ERANGE;
	while ((n = strake_buf_iter_next(&it, &addr)) > 0) {
		if (used == max)
			return -E2BIG;
		iov[used].iov_base = addr;
		iov[used].iov_len = n;
		used++;
	}
	return used;
}
