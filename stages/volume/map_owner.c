/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Pages that garbage collection meets in the log: are they still in the map, and away from there.
 */

#include <errno.h>

#include "map_walk.h"

static bool
can_be(const struct map_tree *t, const struct map_owner *o)
{
	return t != NULL && o->level < t->levels && o->index < 1ULL << (t->levels - 1u - o->level) * MAP_FANOUT_SHIFT;
}

static int
is_live(struct map *m, struct map_tree *t, const struct map_owner *o, uint64_t addr, struct map_wait *wait)
{
	struct map_walk w;
	int ret;

	if (!can_be(t, o) || addr == 0 || addr == MAP_ADDR_NONE)
		return 0;
	if (o->level == t->levels - 1)
		return t->root == addr;
	ret = map_walk(m, t, o->level + 1u, o->index >> MAP_FANOUT_SHIFT, wait, &w);
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	return map_page_entries(m, w.page)[o->index & (MAP_FANOUT - 1)] == addr;
}

int
map_page_live(struct map *m, const struct map_owner *owner, uint64_t addr, struct map_wait *wait)
{
	return is_live(m, map_tree_find(m, owner->tree), owner, addr, wait);
}

int
map_page_dirty(struct map *m, const struct map_owner *owner, uint64_t addr, struct map_wait *wait)
{
	struct map_tree *t = map_tree_find(m, owner->tree);
	int ret = is_live(m, t, owner, addr, wait);
	struct map_walk w;

	if (ret <= 0)
		return ret;
	ret = map_walk(m, t, owner->level, owner->index, wait, &w);
	if (ret < 0)
		return ret;
	if ((m->pages[w.page].flags & (map_page_fresh_flag(m) | map_page_old_flag(m))) == 0) {
		if (map_room(m, t, wait) < 0)
			return -EAGAIN;
		map_page_mark_fresh(m, w.page);
	}
	return 1;
}
