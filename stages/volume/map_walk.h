/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef MAP_WALK_H
#define MAP_WALK_H

/**
 * @file
 * From the root of a tree to a page, and what has to wait on the way.
 */

#include "map_page.h"

/** How far a walk came. */
struct map_walk {
	uint32_t page; /**< the page, or the deepest of its ancestors there is, 0: not even a root */
	uint8_t level; /**< of that page; the levels of the tree if there is none */
};

void map_waits_init(struct map_waits *w);
/** Let @p wait, which may be NULL, wait for room. @return -EAGAIN. */
int map_stall(struct map *m, struct map_wait *wait);
/** Is there room to make @p t dirty from leaf to root, and copy the leaf? @return 0; -EAGAIN. */
int map_room(struct map *m, const struct map_tree *t, struct map_wait *wait);
/**
 * Go to page @p index of @p level. One that has to be read is asked for.
 *
 * @return 0: w->page is it; -ENOENT: nothing was ever set below it; -EAGAIN.
 */
int map_walk(struct map *m, struct map_tree *t, unsigned int level, uint64_t index, struct map_wait *wait,
	     struct map_walk *w);
/** Have leaf @p index ready to be changed. @param make Make it if there is none. @return 0; -ENOENT; -EAGAIN. */
int map_leaf_ready(struct map *m, struct map_tree *t, uint64_t index, bool make, struct map_wait *wait, uint32_t *page);

#endif /* MAP_WALK_H */
