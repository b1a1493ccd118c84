/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <string.h>

#include "xts.h"

/* Pages for @p nbytes, all but the last of the longest kind: data units never straddle them. */
static struct strake_buf *
take_pages(uint32_t nbytes)
{
	struct strake_buf *list = NULL, **end = &list;

	while (nbytes != 0) {
		uint32_t len = RTE_MIN(nbytes, STRAKE_BUF_PAGE_MAX);

		*end = strake_buf_page(len);
		if (*end == NULL) {
			strake_buf_put_list(list);
			return NULL;
		}
		end = &(*end)->next;
		nbytes -= len;
	}
	return list;
}

/* A walk over the source that hands out data units. */
struct source {
	struct strake_buf_iter it;
	uint8_t *run; /* what is left of the current run */
	uint32_t left;
};

/* The next unit where it lies, or gathered into @p dst when it is spread over bufs. */
static const uint8_t *
next_unit(struct source *s, uint8_t *dst, uint32_t len, struct xts_stats *stats)
{
	uint32_t have = 0;

	if (s->left == 0)
		s->left = strake_buf_iter_next(&s->it, &s->run);
	if (likely(s->left >= len)) {
		const uint8_t *unit = s->run;

		s->run += len;
		s->left -= len;
		return unit;
	}
	while (have < len) {
		uint32_t n = RTE_MIN(len - have, s->left);

		memcpy(dst + have, s->run, n);
		have += n;
		s->run += n;
		s->left -= n;
		if (s->left == 0 && have < len)
			s->left = strake_buf_iter_next(&s->it, &s->run);
	}
	stats->gathered += len;
	return dst;
}

/* What follows @p left bytes at @p run: within the payload, or the next payload's first. */
static inline void
look_ahead(struct xts *x, const uint8_t *run, uint32_t left, uint32_t len)
{
	if (left >= len)
		x->ahead = run;
	else
		x->ahead = x->next_len >= len ? x->next : NULL;
}

typedef int (*unit_fn)(struct xts *x, uint8_t *dst, const uint8_t *src, uint32_t len, uint64_t lba);

static int
to_new_pages(struct xts *x, struct strake_buf *list, uint32_t nbytes, uint32_t lba_shift, uint64_t lba, unit_fn fn,
	     struct strake_buf **out)
{
	const uint32_t len = 1u << lba_shift;
	struct source src = {0};
	struct strake_buf *pages;

	if (nbytes % len != 0 || strake_buf_iter_init(&src.it, list, 0, nbytes) != 0)
		return -EINVAL;
	pages = take_pages(nbytes);
	if (pages == NULL)
		return -ENOBUFS;
	for (struct strake_buf *page = pages; page != NULL; page = page->next)
		for (uint32_t at = 0; at < page->len; at += len, lba++) {
			const uint8_t *unit = next_unit(&src, page->addr + at, len, x->stats);
			int ret;

			look_ahead(x, src.run, src.left, len);
			ret = fn(x, page->addr + at, unit, len, lba);
			if (unlikely(ret != 0)) {
				strake_buf_put_list(pages);
				return ret;
			}
		}
	*out = pages;
	return 0;
}

int
xts_payload_encrypt(struct xts *x, struct strake_buf *list, uint32_t nbytes, uint32_t lba_shift, uint64_t lba,
		    struct strake_buf **out)
{
	return to_new_pages(x, list, nbytes, lba_shift, lba, xts_encrypt, out);
}

/* In place, if the bytes are ours alone and no data unit is spread over bufs. */
static bool
is_ours_alone(const struct strake_buf *list, uint32_t nbytes, uint32_t lba_shift)
{
	const uint32_t mask = (1u << lba_shift) - 1;
	uint32_t sum = 0;

	for (; list != NULL; list = list->next) {
		if ((list->flags & STRAKE_BUF_WRITABLE) == 0 || (list->len & mask) != 0 ||
		    __atomic_load_n(&list->refcnt, __ATOMIC_ACQUIRE) != 1)
			return false;
		sum += list->len;
	}
	return sum == nbytes;
}

int
xts_payload_decrypt(struct xts *x, struct strake_buf *list, uint32_t nbytes, uint32_t lba_shift, uint64_t lba,
		    struct strake_buf **out)
{
	const uint32_t len = 1u << lba_shift;
	int ret;

	if (!is_ours_alone(list, nbytes, lba_shift)) {
		ret = to_new_pages(x, list, nbytes, lba_shift, lba, xts_decrypt, out);
		if (ret == 0)
			x->stats->moved += nbytes;
		return ret;
	}
	for (struct strake_buf *b = list; b != NULL; b = b->next)
		for (uint32_t at = 0; at < b->len; at += len, lba++) {
			look_ahead(x, b->addr + at + len, b->len - at - len, len);
			ret = xts_decrypt(x, b->addr + at, b->addr + at, len, lba);
			if (unlikely(ret != 0))
				return ret;
		}
	*out = list;
	return 0;
}
