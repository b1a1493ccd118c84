/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "map_walk.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#define WAKE_BURST 32 /* of those who wait for room, in a turn */

void
map_waits_init(struct map_waits *w)
{
	w->first = NULL;
	w->last = &w->first;
	w->count = 0;
}

static void
waits_add(struct map_waits *w, struct map_wait *wait)
{
	wait->link = NULL;
	*w->last = wait;
	w->last = &wait->link;
	w->count++;
}

static struct map_wait *
waits_pop(struct map_waits *w)
{
	struct map_wait *wait = w->first;

	w->first = wait->link;
	if (w->first == NULL)
		w->last = &w->first;
	w->count--;
	return wait;
}

int
map_stall(struct map *m, struct map_wait *wait)
{
	if (wait != NULL) {
		m->stats.stalls++;
		waits_add(&m->stalled[wait->urgent], wait);
	}
	return -EAGAIN;
}

static void
want_checkpoint(struct map *m)
{
	if (!m->wanted) {
		m->wanted = true;
		m->ops->checkpoint_wanted(m->arg);
	}
}

static int
room_to_play(struct map *m, uint64_t need, struct map_wait *wait)
{
	if (need <= m->stats.frames / 8 * 7)
		return 0;
	m->cramped = true;
	return map_stall(m, wait);
}

int
map_room(struct map *m, const struct map_tree *t, struct map_wait *wait)
{
	bool urgent = wait != NULL && wait->urgent;
	uint64_t need = m->stats.dirty + t->levels + 1, play = (uint64_t)m->undurable + m->fresh_count + t->levels + 1;
	uint64_t more = urgent ? (m->stats.frames + 1) / MAP_URGENT_SHARE : 0;

	if (unlikely(m->recovering))
		return room_to_play(m, need, wait);
	if (unlikely(m->fresh_count >= m->stats.dirty_max / 2))
		want_checkpoint(m);
	if (likely(need <= (urgent ? m->dirty_hard : m->stats.dirty_max) && play <= m->play_max + more))
		return 0;
	if (!m->ckpt)
		want_checkpoint(m);
	return map_stall(m, wait);
}

void
map_poll(struct map *m)
{
	uint32_t n = RTE_MIN(m->wake_due, m->stalled[0].count + m->stalled[1].count);

	m->wake_due = n - RTE_MIN(n, (uint32_t)WAKE_BURST);
	for (n = RTE_MIN(n, (uint32_t)WAKE_BURST); n > 0; n--) {
		struct map_waits *from = &m->stalled[m->stalled[1].count > 0];
		struct map_wait *w = waits_pop(from);

		w->fn(w, 0);
	}
}

static struct map_read_slot *
slot_of(const struct map *m, const struct map_page *pg)
{
	return &m->reads[pg->present];
}

static int
wait_for(struct map *m, uint32_t p, struct map_wait *wait)
{
	if (wait != NULL) {
		m->stats.waits++;
		waits_add(&slot_of(m, &m->pages[p])->waits, wait);
	}
	return -EAGAIN;
}

static int
start_read(struct map *m, uint64_t key, uint32_t parent, uint64_t addr, struct map_wait *wait)
{
	struct map_read *rd = m->reads_free;
	struct map_page *pg;
	uint32_t p;

	if (unlikely(rd == NULL))
		return map_stall(m, wait);
	p = map_page_new(m, key, parent);
	if (unlikely(p == 0))
		return map_stall(m, wait);
	m->reads_free = rd->link;
	m->reads_busy++;
	rd->link = NULL;
	rd->addr = addr;
	rd->page = p;
	pg = &m->pages[p];
	pg->flags = PAGE_READING;
	pg->present = rd->slot;
	m->stats.reads++;
	wait_for(m, p, wait);
	m->ops->page_read(m->arg, rd);
	return -EAGAIN;
}

int
map_walk(struct map *m, struct map_tree *t, unsigned int level, uint64_t index, struct map_wait *wait,
	 struct map_walk *w)
{
	unsigned int l = level;
	uint64_t addr;

	do {
		w->page = map_page_find(m, map_page_key(t, l, index >> (l - level) * MAP_FANOUT_SHIFT));
	} while (w->page == 0 && ++l < t->levels);
	w->level = (uint8_t)l;
	if (w->page != 0 && unlikely(m->pages[w->page].flags & PAGE_READING))
		return wait_for(m, w->page, wait);
	if (l == level)
		return 0;
	l--;
	index >>= (l - level) * MAP_FANOUT_SHIFT;
	addr = w->page == 0 ? t->root : map_page_entries(m, w->page)[index & (MAP_FANOUT - 1)];
	if (addr == 0)
		return -ENOENT;
	return start_read(m, map_page_key(t, l, index), w->page, addr, wait);
}

/* Make the pages that are missing between w->page and leaf @p index. What has been made when a frame is missing stays:
 * empty, so that the next checkpoint drops it. */
static int
make_below(struct map *m, struct map_tree *t, uint64_t index, struct map_wait *wait, struct map_walk *w)
{
	while (w->level > 0) {
		unsigned int l = w->level - 1u;
		uint64_t key = map_page_key(t, l, index >> l * MAP_FANOUT_SHIFT);
		uint32_t p;

		if (w->page != 0)
			map_page_mark_fresh(m, w->page);
		p = map_page_new(m, key, w->page);
		if (unlikely(p == 0))
			return map_stall(m, wait);
		memset(map_page_entries(m, p), 0, MAP_PAGE_BYTES);
		map_page_list_add(m, &m->clean, p);
		map_page_mark_fresh(m, p);
		*map_page_place(m, p) = MAP_ADDR_NONE;
		if (w->page != 0)
			m->pages[w->page].present++;
		w->page = p;
		w->level = (uint8_t)l;
	}
	return 0;
}

int
map_leaf_ready(struct map *m, struct map_tree *t, uint64_t index, bool make, struct map_wait *wait, uint32_t *page)
{
	struct map_walk w;
	int ret = map_walk(m, t, 0, index, wait, &w);

	if (ret == -EAGAIN || (ret == -ENOENT && !make))
		return ret;
	if (ret == 0 && (m->pages[w.page].flags & map_page_fresh_flag(m))) {
		*page = w.page;
		return 0;
	}
	if (map_room(m, t, wait) < 0)
		return -EAGAIN;
	if (ret == -ENOENT) {
		ret = make_below(m, t, index, wait, &w);
		if (ret < 0)
			return ret;
	} else if (map_page_wanted(m, &m->pages[w.page])) {
		if (map_page_copy(m, w.page) < 0)
			return map_stall(m, wait);
	} else {
		map_page_mark_fresh(m, w.page);
	}
	*page = w.page;
	return 0;
}

static bool
is_that_page(const struct map *m, const struct map_read *rd, const void *image)
{
	const struct map_page *pg = &m->pages[rd->page];
	struct map_owner o;

	return map_image_owner(image, &o) == 0 && o.tree == map_page_tree(m, pg)->id && o.level == map_page_level(pg) &&
	       o.index == map_page_index(pg) && o.gen < m->gen && memcmp(o.uuid, m->uuid, sizeof(o.uuid)) == 0;
}

int
map_read_check(const struct map *m, const struct map_read *rd, const void *image)
{
	return is_that_page(m, rd, image) ? 0 : -EBADMSG;
}

void
map_read_done(struct map *m, struct map_read *rd, int status, const void *image)
{
	struct map_page *pg = &m->pages[rd->page];
	struct map_read_slot *slot = slot_of(m, pg);
	struct map_waits waits;

	assert(pg->flags == PAGE_READING && rd == &slot->rd);
	if (status == 0 && !is_that_page(m, rd, image))
		status = -EBADMSG;
	if (status == 0) {
		pg->present = (uint16_t)map_image_entries(image, map_page_entries(m, rd->page));
		pg->flags = 0;
		map_page_list_add(m, &m->clean, rd->page);
	} else {
		m->stats.read_errors++;
		map_page_free(m, rd->page);
	}
	/* Those who wait may ask for another page at once, with this slot. */
	waits = slot->waits;
	map_waits_init(&slot->waits);
	rd->link = m->reads_free;
	m->reads_free = rd;
	m->reads_busy--;
	m->wake_due = UINT32_MAX;
	while (waits.count > 0) {
		struct map_wait *w = waits_pop(&waits);

		w->fn(w, status);
	}
}
