/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Entries read and set. A run of entries lies in one leaf or in two.
 */

#include <errno.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>

#include "map_walk.h"

#define PREFETCH_BURST 64

static inline bool
in_range(const struct map_tree *t, uint64_t idx, uint32_t n)
{
	uint64_t size = map_tree_size(t);

	return n - 1 < MAP_RUN_MAX && idx < size && n <= size - idx;
}

static inline uint32_t
in_leaf(uint64_t idx, uint32_t n)
{
	return RTE_MIN(n, MAP_FANOUT - (uint32_t)(idx & (MAP_FANOUT - 1)));
}

static inline void
remember(struct map_tree *t, uint64_t leaf, uint32_t page, const uint64_t *entries)
{
	t->last_leaf = leaf;
	t->last_page = page;
	t->last = entries;
}

/* NULL in *entries: nothing was ever set there. */
static int
find_leaf(struct map *m, struct map_tree *t, uint64_t leaf, struct map_wait *wait, const uint64_t **entries)
{
	uint32_t p = map_page_find(m, map_page_key(t, 0, leaf));
	struct map_walk w;
	int ret;

	if (likely(p != 0 && (m->pages[p].flags & PAGE_READING) == 0)) {
		struct map_page *pg = &m->pages[p];

		if (pg->heat < PAGE_HEAT_MAX)
			pg->heat++;
		*entries = map_page_entries(m, p);
		remember(t, leaf, p, *entries);
		m->stats.hits++;
		return 0;
	}
	ret = map_walk(m, t, 0, leaf, wait, &w);
	if (ret == -ENOENT) {
		*entries = NULL;
		return 0;
	}
	m->stats.misses++;
	return ret;
}

static inline void
copy_out(uint64_t *out, const uint64_t *from, uint32_t n)
{
	if (likely(n == 1))
		*out = *from;
	else
		memcpy(out, from, n * sizeof(*out));
}

int
map_get(struct map *m, struct map_tree *t, uint64_t idx, uint32_t n, uint64_t *out, struct map_wait *wait)
{
	if (unlikely(!in_range(t, idx, n)))
		return -ERANGE;
	while (n > 0) {
		uint64_t leaf = idx >> MAP_FANOUT_SHIFT;
		uint32_t k = in_leaf(idx, n);
		const uint64_t *entries = t->last;

		if (leaf == t->last_leaf) {
			m->stats.hits++;
		} else {
			int ret = find_leaf(m, t, leaf, wait, &entries);

			if (unlikely(ret < 0))
				return ret;
		}
		if (likely(entries != NULL))
			copy_out(out, entries + (idx & (MAP_FANOUT - 1)), k);
		else
			memset(out, 0, k * sizeof(*out));
		out += k;
		idx += k;
		n -= k;
	}
	return 0;
}

void
map_prefetch(struct map *m, struct map_tree *t, const uint64_t *idx, uint32_t n)
{
	uint32_t page[PREFETCH_BURST];

	n = RTE_MIN(n, (uint32_t)PREFETCH_BURST);
	for (uint32_t i = 0; i < n; i++)
		rte_prefetch0(map_page_bucket(m, map_page_key(t, 0, idx[i] >> MAP_FANOUT_SHIFT)));
	for (uint32_t i = 0; i < n; i++) {
		page[i] = *map_page_bucket(m, map_page_key(t, 0, idx[i] >> MAP_FANOUT_SHIFT));
		rte_prefetch0(&m->pages[page[i]]);
	}
	for (uint32_t i = 0; i < n; i++) {
		uint64_t key = map_page_key(t, 0, idx[i] >> MAP_FANOUT_SHIFT);

		while (page[i] != 0 && m->pages[page[i]].key != key)
			page[i] = m->pages[page[i]].hash_next;
		rte_prefetch0(map_page_entries(m, page[i]) + (idx[i] & (MAP_FANOUT - 1)));
	}
}

static int
prepare(struct map *m, struct map_tree *t, uint64_t idx, uint32_t n, bool make, struct map_wait *wait, uint32_t *page)
{
	if (unlikely(!in_range(t, idx, n)))
		return -ERANGE;
	for (uint32_t k; n > 0; idx += k, n -= k, page++) {
		int ret;

		k = in_leaf(idx, n);
		*page = 0;
		ret = map_leaf_ready(m, t, idx >> MAP_FANOUT_SHIFT, make, wait, page);
		if (ret == -EAGAIN)
			return ret;
	}
	return 0;
}

int
map_prepare(struct map *m, struct map_tree *t, uint64_t idx, uint32_t n, struct map_wait *wait)
{
	uint32_t page[2];

	return prepare(m, t, idx, n, true, wait, page);
}

static void
set_in_leaf(struct map_tree *t, struct map_page *pg, uint64_t *entries, uint32_t n, const uint64_t *values,
	    uint64_t *old)
{
	int64_t more = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t v = values == NULL ? 0 : values[i];

		more += (v != 0) - (entries[i] != 0);
		if (old != NULL)
			old[i] = entries[i];
		entries[i] = v;
	}
	pg->present = (uint16_t)(pg->present + more);
	/* A damaged root may have told too few. */
	t->entries = more < 0 && t->entries < (uint64_t)-more ? 0 : t->entries + (uint64_t)more;
}

int
map_set(struct map *m, struct map_tree *t, uint64_t idx, uint32_t n, const uint64_t *values, uint64_t *old,
	struct map_wait *wait)
{
	uint32_t page[2], *p = page;
	int ret = prepare(m, t, idx, n, values != NULL, wait, page);

	if (unlikely(ret < 0))
		return ret;
	while (n > 0) {
		uint32_t k = in_leaf(idx, n);

		if (likely(*p != 0))
			set_in_leaf(t, &m->pages[*p], map_page_entries(m, *p) + (idx & (MAP_FANOUT - 1)), k, values,
				    old);
		else if (old != NULL)
			memset(old, 0, k * sizeof(*old));
		values = values == NULL ? NULL : values + k;
		old = old == NULL ? NULL : old + k;
		idx += k;
		n -= k;
		p++;
	}
	return 0;
}
