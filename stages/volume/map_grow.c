/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Recovery with a cache too small for what it has to dirty: the cache grows. Pages keep their numbers, so nothing but
 * the hash is made anew.
 */

#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "map_page.h"

void
map_recover(struct map *m, bool on)
{
	m->recovering = on;
	m->cramped = false;
	m->wake_due = UINT32_MAX;
}

bool
map_cramped(const struct map *m)
{
	return m->cramped;
}

/* Everything that the old hash finds goes into the new one. */
static void
rehash(struct map *m, uint32_t *buckets, unsigned int bits)
{
	uint32_t *old = m->buckets;
	size_t n = (size_t)1 << (64 - m->hash_shift);

	m->buckets = buckets;
	m->hash_shift = 64 - bits;
	for (size_t i = 0; i < n; i++) {
		for (uint32_t p = old[i], next; p != 0; p = next) {
			uint32_t *at = map_page_bucket(m, m->pages[p].key);

			next = m->pages[p].hash_next;
			m->pages[p].hash_next = *at;
			*at = p;
		}
	}
	rte_free(old);
}

static void
forget_places(struct map *m)
{
	for (uint16_t i = 0; i < m->n_trees; i++) {
		struct map_tree *t = &m->trees[m->order[i]];

		t->last_leaf = UINT64_MAX;
		t->last_page = 0;
		t->last = NULL;
	}
}

static void *
larger(void *old, size_t bytes, size_t now, size_t align, int socket)
{
	uint8_t *to = rte_malloc_socket("map", now, align, socket);

	if (to != NULL) {
		memcpy(to, old, bytes);
		memset(to + bytes, 0, now - bytes);
	}
	return to;
}

int
map_grow(struct map *m)
{
	uint32_t frames = (uint32_t)m->stats.frames + 1, more = frames + frames / 2;
	unsigned int bits = rte_log2_u32(more), had = 64 - m->hash_shift;
	size_t each = sizeof(*m->pages) + MAP_PAGE_BYTES;
	struct map_page *pages;
	uint64_t *entries;
	uint32_t *buckets;

	pages = larger(m->pages, frames * sizeof(*pages), more * sizeof(*pages), RTE_CACHE_LINE_SIZE, m->socket);
	entries = larger(m->entries, (size_t)frames * MAP_PAGE_BYTES, (size_t)more * MAP_PAGE_BYTES, MAP_PAGE_BYTES,
			 m->socket);
	buckets = rte_zmalloc_socket("map", sizeof(*buckets) << bits, RTE_CACHE_LINE_SIZE, m->socket);
	if (pages == NULL || entries == NULL || buckets == NULL) {
		rte_free(pages);
		rte_free(entries);
		rte_free(buckets);
		return -ENOMEM;
	}
	rte_free(m->pages);
	rte_free(m->entries);
	m->pages = pages;
	m->entries = entries;
	rehash(m, buckets, bits);
	forget_places(m);
	for (uint32_t p = more - 1; p >= frames; p--)
		map_page_list_add(m, &m->free, p);
	m->stats.frames = more - 1;
	m->stats.bytes += (more - frames) * each + (sizeof(*buckets) << bits) - (sizeof(*buckets) << had);
	m->stats.grown++;
	m->play_max = more / 4 * 3;
	m->cramped = false;
	m->wake_due = UINT32_MAX;
	return 0;
}
