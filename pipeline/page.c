/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "page.h"

#include <errno.h>

#include <rte_malloc.h>
#include <rte_ring.h>

#include "strake_lcore.h"

/* Pages an lcore keeps to itself at most before it gives half back: last in, first out, so that they are still in its
 * cache. Fewer where pages are few: what idle lcores keep must leave most for the others. */
#define KEEP 64u

struct keep {
	uint32_t n;
	void *page[KEEP];
} __rte_cache_aligned;

struct page_class {
	uint32_t size, total, most; /* most: what an lcore keeps, even */
	uint8_t *first, *end;
	struct rte_ring *free;
	struct keep keep[STRAKE_LCORE_MAX];
};

static const struct {
	uint32_t size;
	uint32_t eighths; /* of the arena */
} shares[PAGE_CLASSES] = {{4096, 2}, {16384, 1}, {65536, 1}, {131072, 4}};

static struct page_class *classes;
static uint8_t *arena;
static size_t arena_len;

static int
class_init(struct page_class *c, uint8_t *first, uint32_t size, uint64_t bytes, int socket)
{
	uint32_t lcores = RTE_MAX(strake_lcore_count(), (uint16_t)1);
	char name[RTE_RING_NAMESIZE];

	c->size = size;
	c->total = (uint32_t)(bytes / size);
	c->most = RTE_MAX(c->total / (2 * lcores) & ~1u, 2u);
	c->most = RTE_MIN(c->most, KEEP);
	c->first = first;
	c->end = first + (uint64_t)c->total * size;
	snprintf(name, sizeof(name), "strake_page_%u", size);
	c->free = rte_ring_create(name, rte_align32pow2(c->total + 1), socket, 0);
	if (c->free == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->total; i++)
		rte_ring_enqueue(c->free, first + (uint64_t)i * size);
	return 0;
}

int
page_init(uint64_t bytes, int socket)
{
	uint64_t eighth = RTE_ALIGN_FLOOR(bytes / 8, STRAKE_BUF_PAGE_MAX);
	uint8_t *at;

	if (eighth == 0)
		return -ENOMEM;
	classes = rte_zmalloc_socket("strake_page", sizeof(*classes) * PAGE_CLASSES, RTE_CACHE_LINE_SIZE, socket);
	arena = rte_zmalloc_socket("strake_arena", eighth * 8, STRAKE_BUF_PAGE_ALIGN, socket);
	arena_len = eighth * 8;
	if (classes == NULL || arena == NULL)
		goto err;
	at = arena;
	for (unsigned int i = 0; i < PAGE_CLASSES; i++) {
		if (class_init(&classes[i], at, shares[i].size, eighth * shares[i].eighths, socket) < 0)
			goto err;
		at = classes[i].end;
	}
	return 0;

err:
	page_fini();
	return -ENOMEM;
}

void
page_fini(void)
{
	for (unsigned int i = 0; classes != NULL && i < PAGE_CLASSES; i++)
		rte_ring_free(classes[i].free);
	rte_free(classes);
	rte_free(arena);
	classes = NULL;
	arena = NULL;
	arena_len = 0;
}

static void *
class_alloc(struct page_class *c)
{
	struct strake_lcore *self = strake_self();
	struct keep *keep;
	void *page;

	if (unlikely(self == NULL))
		return rte_ring_dequeue(c->free, &page) == 0 ? page : NULL;
	keep = &c->keep[self->index];
	if (keep->n == 0)
		keep->n = rte_ring_dequeue_burst(c->free, keep->page, c->most / 2, NULL);
	return keep->n > 0 ? keep->page[--keep->n] : NULL;
}

void *
page_alloc(uint32_t len)
{
	for (unsigned int i = 0; i < PAGE_CLASSES; i++) {
		void *page;

		if (len > classes[i].size)
			continue;
		page = class_alloc(&classes[i]);
		if (likely(page != NULL))
			return page;
	}
	return NULL;
}

static struct page_class *
class_of(const uint8_t *page)
{
	unsigned int i = 0;

	while (page >= classes[i].end)
		i++;
	return &classes[i];
}

void
page_free(void *page)
{
	struct page_class *c = class_of(page);
	struct strake_lcore *self = strake_self();
	struct keep *keep;

	if (unlikely(self == NULL)) {
		rte_ring_enqueue(c->free, page);
		return;
	}
	keep = &c->keep[self->index];
	if (unlikely(keep->n == c->most)) {
		rte_ring_enqueue_bulk(c->free, keep->page, c->most / 2, NULL);
		for (unsigned int i = 0; i < c->most / 2; i++)
			keep->page[i] = keep->page[i + c->most / 2];
		keep->n = c->most / 2;
	}
	keep->page[keep->n++] = page;
}

void
page_usage(struct strake_buf_usage *out)
{
	for (unsigned int i = 0; i < PAGE_CLASSES; i++) {
		out->pages[i] = classes[i].total;
		out->pages_free[i] = rte_ring_count(classes[i].free);
		for (unsigned int l = 0; l < STRAKE_LCORE_MAX; l++)
			out->pages_free[i] += classes[i].keep[l].n;
	}
}

void
page_arena(void **addr, size_t *len)
{
	*addr = arena;
	*len = arena_len;
}
