/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Checkpoints. At begin what was fresh becomes old, all at once, because the two flags change their meaning with the
 * parity of the generation. Then level by level: a page is handed out when all below it have been placed, so that its
 * entries are final. What has become empty is not written: its parent forgets it.
 */

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "map_page.h"

#define DROP_BURST 64 /* empty pages dropped in one call */

uint64_t
map_generation(const struct map *m)
{
	return m->gen;
}

int
map_checkpoint_begin(struct map *m)
{
	if (m->ckpt)
		return -EBUSY;
	assert(m->old_count == 0);
	m->gen++;
	for (unsigned int l = 0; l < MAP_LEVELS_MAX; l++) {
		m->old[l] = m->fresh[l];
		m->fresh[l] = (struct map_list){0};
	}
	m->old_count = m->undurable = m->fresh_count;
	m->fresh_count = 0;
	for (uint32_t slot = 0; slot < m->max_trees; slot++) {
		struct map_tree *t = &m->trees[slot];

		t->ckpt = t->levels != 0 && !t->dropped;
		t->ckpt_root = t->root;
		t->ckpt_entries = t->entries;
	}
	m->ckpt_level = 0;
	m->ckpt = true;
	m->wanted = false;
	return 0;
}

/* Does the checkpoint hold nothing below this page? An inner page's children that are fresh alone are not in it. */
static bool
is_empty(const struct map *m, uint32_t p)
{
	const struct map_page *pg = &m->pages[p];
	const uint64_t *e = map_page_entries(m, p);

	if (pg->present == 0 || map_page_level(pg) == 0)
		return pg->present == 0;
	for (unsigned int i = 0; i < MAP_FANOUT; i++) {
		if (e[i] != 0 && e[i] != MAP_ADDR_NONE)
			return false;
	}
	return true;
}

/* The page's place in its parent, or the root of its tree, for this checkpoint and for what comes after. */
static void
put_place(struct map *m, uint32_t p, uint64_t now, uint64_t later)
{
	const struct map_page *pg = &m->pages[p];
	uint64_t *place = map_page_place(m, p), before = *place;

	*place = later;
	if (pg->parent == 0)
		map_page_tree(m, pg)->ckpt_root = now;
	if (before != 0 && before != MAP_ADDR_NONE)
		m->ops->page_dead(m->arg, before, m->gen - 1);
}

static void
drop(struct map *m, uint32_t p)
{
	struct map_page *pg = &m->pages[p];
	uint32_t parent = pg->parent;
	bool stays = (pg->flags & (PAGE_SHADOW | map_page_fresh_flag(m))) != 0;

	put_place(m, p, 0, stays ? MAP_ADDR_NONE : 0);
	m->stats.dropped++;
	map_page_unmark_old(m, p);
	if (stays)
		return;
	if (parent != 0)
		m->pages[parent].present--;
	map_page_list_remove(m, &m->clean, p);
	map_page_free(m, p);
}

static void
hand_out(struct map *m, uint32_t p, void *image)
{
	struct map_page *pg = &m->pages[p];
	struct map_owner o = {.tree = map_page_tree(m, pg)->id,
			      .index = map_page_index(pg),
			      .gen = m->gen - 1,
			      .level = (uint8_t)map_page_level(pg)};

	memcpy(o.uuid, m->uuid, sizeof(o.uuid));
	map_image_encode(image, &o, map_page_entries(m, p));
	pg->flags |= PAGE_TAKEN;
	m->out_count++;
	m->stats.written++;
}

int
map_checkpoint_next(struct map *m, void *image, uint32_t *page)
{
	for (unsigned int dropped = 0; dropped < DROP_BURST;) {
		struct map_list *l;
		uint32_t p;

		if (m->old_count == 0)
			return 0;
		l = &m->old[m->ckpt_level];
		p = l->first;
		if (p == 0) {
			if (m->out_count > 0)
				return -EAGAIN;
			m->ckpt_level++;
			continue;
		}
		map_page_list_remove(m, l, p);
		if (!is_empty(m, p)) {
			hand_out(m, p, image);
			*page = p;
			return 1;
		}
		drop(m, p);
		dropped++;
	}
	return -EAGAIN;
}

void
map_checkpoint_placed(struct map *m, uint32_t page, uint64_t addr)
{
	assert(m->pages[page].flags & PAGE_TAKEN);
	assert(addr != 0 && addr != MAP_ADDR_NONE);
	put_place(m, page, addr, addr);
	m->out_count--;
	map_page_unmark_old(m, page);
}

uint32_t
map_checkpoint_left(const struct map *m)
{
	return m->old_count - m->out_count;
}

int
map_checkpoint_end(struct map *m, struct map_root *roots, uint32_t max)
{
	uint32_t n = 0;

	if (!m->ckpt || m->old_count > 0)
		return -EBUSY;
	for (uint32_t slot = 0; slot < m->max_trees; slot++)
		n += m->trees[slot].ckpt;
	if (n > max)
		return -E2BIG;
	n = 0;
	for (uint16_t i = 0; i < m->n_trees; i++) {
		struct map_tree *t = &m->trees[m->order[i]];

		if (!t->ckpt)
			continue;
		roots[n++] = (struct map_root){.tree = t->id,
					       .addr = t->ckpt_root,
					       .entries = t->ckpt_root == 0 ? 0 : t->ckpt_entries,
					       .levels = t->levels};
		t->ckpt = false;
	}
	m->ckpt = false;
	m->stats.checkpoints++;
	map_trees_sweep(m);
	m->wake_due = UINT32_MAX;
	return (int)n;
}

void
map_checkpoint_durable(struct map *m)
{
	if (m->ckpt)
		return;
	m->undurable = 0;
	m->wake_due = UINT32_MAX;
}
