/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "map_page.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <rte_branch_prediction.h>

#define CHANCES 64 /* pages passed over before one goes that was looked at */

void
map_page_list_add(struct map *m, struct map_list *l, uint32_t p)
{
	struct map_page *pg = &m->pages[p];

	pg->prev = l->last;
	pg->next = 0;
	if (l->last != 0)
		m->pages[l->last].next = p;
	else
		l->first = p;
	l->last = p;
	l->count++;
}

void
map_page_list_remove(struct map *m, struct map_list *l, uint32_t p)
{
	struct map_page *pg = &m->pages[p];

	if (pg->prev != 0)
		m->pages[pg->prev].next = pg->next;
	else
		l->first = pg->next;
	if (pg->next != 0)
		m->pages[pg->next].prev = pg->prev;
	else
		l->last = pg->prev;
	l->count--;
}

uint64_t *
map_page_place(struct map *m, uint32_t p)
{
	const struct map_page *pg = &m->pages[p];

	if (pg->parent == 0)
		return &map_page_tree(m, pg)->root;
	return &map_page_entries(m, pg->parent)[map_page_index(pg) & (MAP_FANOUT - 1)];
}

static inline bool
is_clean(const struct map_page *pg)
{
	return (pg->flags & ~PAGE_SHADOW) == 0;
}

/* A clean page without children may leave. */
static void
pin(struct map *m, uint32_t p)
{
	struct map_page *pg = &m->pages[p];

	if (pg->children++ == 0 && is_clean(pg))
		map_page_list_remove(m, &m->clean, p);
}

static void
unpin(struct map *m, uint32_t p)
{
	struct map_page *pg = &m->pages[p];

	if (--pg->children == 0 && is_clean(pg))
		map_page_list_add(m, &m->clean, p);
}

static void
forget_last(struct map *m, uint32_t p)
{
	struct map_tree *t = map_page_tree(m, &m->pages[p]);

	if (t->last_page == p) {
		t->last_page = 0;
		t->last_leaf = UINT64_MAX;
	}
}

static void
unhash(struct map *m, uint32_t p)
{
	uint32_t *at = map_page_bucket(m, m->pages[p].key);

	while (*at != p)
		at = &m->pages[*at].hash_next;
	*at = m->pages[p].hash_next;
}

void
map_page_free(struct map *m, uint32_t p)
{
	struct map_page *pg = &m->pages[p];

	assert(pg->children == 0);
	forget_last(m, p);
	unhash(m, p);
	if (pg->parent != 0)
		unpin(m, pg->parent);
	map_page_list_add(m, &m->free, p);
	m->stats.used--;
}

/* The page a lookup ends at without touching it counts as looked at. */
static bool
was_looked_at(struct map *m, uint32_t p)
{
	if (map_page_tree(m, &m->pages[p])->last_page == p) {
		forget_last(m, p);
		return true;
	}
	if (m->pages[p].heat == 0)
		return false;
	m->pages[p].heat--;
	return true;
}

static bool
evict(struct map *m)
{
	uint32_t p = m->clean.first;

	if (p == 0)
		return false;
	for (unsigned int i = 0; i < CHANCES && was_looked_at(m, p); i++) {
		map_page_list_remove(m, &m->clean, p);
		map_page_list_add(m, &m->clean, p);
		p = m->clean.first;
	}
	map_page_list_remove(m, &m->clean, p);
	map_page_free(m, p);
	m->stats.evictions++;
	return true;
}

static uint32_t
take_frame(struct map *m)
{
	uint32_t p;

	if (m->free.first == 0 && !evict(m))
		return 0;
	p = m->free.first;
	map_page_list_remove(m, &m->free, p);
	m->stats.used++;
	return p;
}

uint32_t
map_page_new(struct map *m, uint64_t key, uint32_t parent)
{
	struct map_page *pg;
	uint32_t *at;
	uint32_t p;

	if (parent != 0)
		pin(m, parent);
	p = take_frame(m);
	if (unlikely(p == 0)) {
		if (parent != 0)
			unpin(m, parent);
		return 0;
	}
	at = map_page_bucket(m, key);
	pg = &m->pages[p];
	*pg = (struct map_page){.key = key, .parent = parent, .hash_next = *at, .heat = 1};
	*at = p;
	return p;
}

void
map_page_mark_fresh(struct map *m, uint32_t p)
{
	uint8_t fresh = map_page_fresh_flag(m);

	for (; p != 0; p = m->pages[p].parent) {
		struct map_page *pg = &m->pages[p];

		if (pg->flags & fresh)
			return;
		m->fresh_count++;
		if (is_clean(pg)) {
			if (pg->children == 0)
				map_page_list_remove(m, &m->clean, p);
			map_page_list_add(m, &m->fresh[map_page_level(pg)], p);
			m->stats.dirty++;
		}
		pg->flags |= fresh;
	}
}

void
map_page_unmark_fresh(struct map *m, uint32_t p)
{
	struct map_page *pg = &m->pages[p];

	map_page_list_remove(m, &m->fresh[map_page_level(pg)], p);
	pg->flags &= (uint8_t)~map_page_fresh_flag(m);
	m->fresh_count--;
	m->stats.dirty--;
}

void
map_page_unmark_old(struct map *m, uint32_t p)
{
	struct map_page *pg = &m->pages[p];

	m->old_count--;
	pg->flags &= (uint8_t) ~(map_page_old_flag(m) | PAGE_TAKEN);
	if (pg->flags & map_page_fresh_flag(m)) {
		map_page_list_add(m, &m->fresh[map_page_level(pg)], p);
		return;
	}
	m->stats.dirty--;
	m->wake_due = UINT32_MAX;
	if (pg->flags & PAGE_SHADOW) {
		map_page_list_add(m, &m->free, p);
		m->stats.used--;
	} else if (pg->children == 0) {
		map_page_list_add(m, &m->clean, p);
	}
}

int
map_page_copy(struct map *m, uint32_t p)
{
	struct map_page *pg = &m->pages[p], *shadow;
	uint32_t s = take_frame(m);

	if (unlikely(s == 0))
		return -ENOBUFS;
	memcpy(map_page_entries(m, s), map_page_entries(m, p), MAP_PAGE_BYTES);
	shadow = &m->pages[s];
	*shadow = *pg;
	shadow->flags |= PAGE_SHADOW;
	map_page_list_remove(m, &m->old[0], p);
	map_page_list_add(m, &m->old[0], s);
	/* The shadow is the old page now; the leaf changes places with it in all counts. */
	pg->flags = map_page_fresh_flag(m);
	map_page_list_add(m, &m->fresh[0], p);
	m->fresh_count++;
	m->stats.dirty++;
	m->stats.copies++;
	if (pg->parent != 0)
		map_page_mark_fresh(m, pg->parent);
	return 0;
}

void
map_page_drop_empty(struct map *m, uint32_t p)
{
	while (p != 0) {
		struct map_page *pg = &m->pages[p];
		uint32_t parent = pg->parent;
		uint64_t *place;

		if (pg->present != 0 || (pg->flags & map_page_old_flag(m)) ||
		    (pg->flags & map_page_fresh_flag(m)) == 0 || (parent != 0 && map_page_wanted(m, &m->pages[parent])))
			return;
		place = map_page_place(m, p);
		if (*place != MAP_ADDR_NONE)
			m->ops->page_dead(m->arg, *place, m->gen);
		*place = 0;
		if (parent != 0)
			m->pages[parent].present--;
		map_page_unmark_fresh(m, p);
		map_page_free(m, p);
		m->wake_due = UINT32_MAX;
		m->stats.dropped++;
		p = parent;
	}
}
