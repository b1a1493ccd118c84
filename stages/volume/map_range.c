/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Ranges: entries that are there are found page by page, holes are stepped over as a whole.
 */

#include <errno.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "map_walk.h"

/* The first leaf behind the hole at @p leaf: below @p w->page its entry is 0. */
static uint64_t
behind_hole(const struct map *m, const struct map_walk *w, uint64_t leaf)
{
	unsigned int shift = (w->level - 1u) * MAP_FANOUT_SHIFT; /* leaves of an entry, log 2 */
	const uint64_t *e = map_page_entries(m, w->page);
	uint64_t at = leaf >> shift;

	do
		at++;
	while ((at & (MAP_FANOUT - 1)) != 0 && e[at & (MAP_FANOUT - 1)] == 0);
	return at << shift;
}

/* Walk to the first leaf from *leaf on that there is. @return 0; -ENOENT none below @p end; -EINPROGRESS; -EAGAIN. */
static int
next_leaf(struct map *m, struct map_tree *t, uint64_t *leaf, uint64_t end, uint32_t *budget, struct map_wait *wait,
	  uint32_t *page)
{
	struct map_walk w;

	while (*leaf < end) {
		int ret;

		if (*budget == 0)
			return -EINPROGRESS;
		(*budget)--;
		ret = map_walk(m, t, 0, *leaf, wait, &w);
		*page = w.page;
		if (ret != -ENOENT)
			return ret;
		*leaf = w.page == 0 ? end : RTE_MIN(behind_hole(m, &w, *leaf), end);
	}
	return -ENOENT;
}

/* Step *idx to the next leaf that there is, and say which entries of it are in the range. */
static int
next_part(struct map *m, struct map_tree *t, uint64_t *idx, uint64_t end, uint32_t *budget, struct map_wait *wait,
	  uint32_t *page, uint64_t *part_end)
{
	uint64_t leaf = *idx >> MAP_FANOUT_SHIFT, from = leaf;
	int ret = next_leaf(m, t, &leaf, (end + MAP_FANOUT - 1) >> MAP_FANOUT_SHIFT, budget, wait, page);

	if (leaf != from)
		*idx = RTE_MIN(leaf << MAP_FANOUT_SHIFT, end);
	*part_end = RTE_MIN((leaf + 1) << MAP_FANOUT_SHIFT, end);
	return ret;
}

static inline bool
range_sane(const struct map_tree *t, uint64_t idx, uint64_t end)
{
	return idx <= end && end <= map_tree_size(t);
}

int
map_iterate(struct map *m, struct map_tree *t, uint64_t *idx, uint64_t end, struct map_entry *out, uint32_t max,
	    uint32_t budget, struct map_wait *wait)
{
	uint32_t found = 0;

	if (!range_sane(t, *idx, end))
		return -ERANGE;
	while (*idx < end && found < max) {
		uint64_t part_end;
		const uint64_t *e;
		uint32_t page;
		/* Who gets entries does not wait, but the page is asked for. */
		int ret = next_part(m, t, idx, end, &budget, found > 0 ? NULL : wait, &page, &part_end);

		if (ret == -ENOENT)
			break;
		if (ret == -EAGAIN && found == 0)
			return ret;
		if (ret < 0)
			break;
		e = map_page_entries(m, page);
		for (; *idx < part_end && found < max; (*idx)++) {
			uint64_t v = e[*idx & (MAP_FANOUT - 1)];

			if (v != 0)
				out[found++] = (struct map_entry){*idx, v};
		}
	}
	return (int)found;
}

/* Clear [*idx, end) of a leaf; *idx moves. */
static int
clear_part(struct map *m, struct map_tree *t, uint32_t page, uint64_t *idx, uint64_t end,
	   int (*told)(void *arg, uint64_t idx, uint64_t value), void *arg)
{
	uint64_t *e = map_page_entries(m, page);

	for (; *idx < end; (*idx)++) {
		uint64_t *v = &e[*idx & (MAP_FANOUT - 1)];
		int ret = *v == 0 ? 0 : told(arg, *idx, *v);

		if (ret != 0)
			return ret;
		if (*v == 0)
			continue;
		*v = 0;
		m->pages[page].present--;
		t->entries -= t->entries > 0;
	}
	return 0;
}

static uint64_t
first_set(const uint64_t *e, uint64_t idx, uint64_t end)
{
	while (idx < end && e[idx & (MAP_FANOUT - 1)] == 0)
		idx++;
	return idx;
}

int
map_clear(struct map *m, struct map_tree *t, uint64_t *idx, uint64_t end,
	  int (*told)(void *arg, uint64_t idx, uint64_t value), void *arg, uint32_t budget, struct map_wait *wait)
{
	if (!range_sane(t, *idx, end))
		return -ERANGE;
	while (*idx < end) {
		uint64_t part_end;
		uint32_t page;
		int ret = next_part(m, t, idx, end, &budget, wait, &page, &part_end);

		if (ret == -ENOENT)
			break;
		if (ret < 0)
			return ret;
		*idx = first_set(map_page_entries(m, page), *idx, part_end);
		if (*idx == part_end)
			continue;
		ret = map_leaf_ready(m, t, *idx >> MAP_FANOUT_SHIFT, false, wait, &page);
		if (ret < 0)
			return ret;
		ret = clear_part(m, t, page, idx, part_end, told, arg);
		map_page_drop_empty(m, page);
		if (ret != 0)
			return ret;
	}
	*idx = end;
	return 0;
}
