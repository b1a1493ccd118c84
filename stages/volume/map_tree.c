/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <string.h>

#include "map_page.h"

/* Where in the order @p id is, or has to be put. */
static uint16_t
place_of(const struct map *m, uint64_t id)
{
	uint16_t low = 0, high = m->n_trees;

	while (low < high) {
		uint16_t mid = (uint16_t)((low + high) / 2);

		if (m->trees[m->order[mid]].id < id)
			low = (uint16_t)(mid + 1);
		else
			high = mid;
	}
	return low;
}

static struct map_tree *
tree_at(const struct map *m, uint16_t place, uint64_t id)
{
	if (place == m->n_trees || m->trees[m->order[place]].id != id)
		return NULL;
	return &m->trees[m->order[place]];
}

int
map_tree_create(struct map *m, uint64_t id, uint8_t levels, struct map_tree **out)
{
	uint16_t place = place_of(m, id);
	uint32_t slot = 0;
	struct map_tree *t;

	if (levels < 1 || levels > MAP_LEVELS_MAX)
		return -EINVAL;
	if (tree_at(m, place, id) != NULL)
		return -EEXIST;
	if (m->n_trees == m->max_trees)
		return -ENOSPC;
	while (m->trees[slot].levels != 0)
		slot++;
	memmove(&m->order[place + 1], &m->order[place], (m->n_trees - place) * sizeof(*m->order));
	m->order[place] = (uint16_t)slot;
	m->n_trees++;
	t = &m->trees[slot];
	memset(t, 0, sizeof(*t));
	t->id = id;
	t->slot = slot;
	t->levels = levels;
	t->last_leaf = UINT64_MAX;
	*out = t;
	return 0;
}

struct map_tree *
map_tree_find(struct map *m, uint64_t id)
{
	struct map_tree *t = tree_at(m, place_of(m, id), id);

	return t == NULL || t->dropped ? NULL : t;
}

struct map_tree *
map_tree_next(struct map *m, const struct map_tree *prev)
{
	for (uint32_t slot = prev == NULL ? 0 : prev->slot + 1; slot < m->max_trees; slot++) {
		if (m->trees[slot].levels != 0 && !m->trees[slot].dropped)
			return &m->trees[slot];
	}
	return NULL;
}

int
map_tree_drop(struct map *m, struct map_tree *t)
{
	if (t->entries != 0)
		return -ENOTEMPTY;
	t->dropped = true;
	return 0;
}

void
map_trees_sweep(struct map *m)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < m->n_trees; i++) {
		struct map_tree *t = &m->trees[m->order[i]];

		if (t->dropped && t->root == 0)
			t->levels = 0;
		else
			m->order[kept++] = m->order[i];
	}
	m->n_trees = kept;
}

uint64_t
map_tree_id(const struct map_tree *t)
{
	return t->id;
}

uint64_t
map_tree_entries(const struct map_tree *t)
{
	return t->entries;
}

uint64_t
map_tree_size(const struct map_tree *t)
{
	return 1ULL << t->levels * MAP_FANOUT_SHIFT;
}
