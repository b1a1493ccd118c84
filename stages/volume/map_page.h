/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef MAP_PAGE_H
#define MAP_PAGE_H

/**
 * @file
 * The pages of a map in memory: frames, the hash that finds them, who may leave and who has to be written.
 *
 * A page is in one of these places:
 *
 *     free     no page
 *     clean    as it lies on the drives, without children in memory: the list from which room is made
 *     dirty    changed since the last checkpoint began: list `fresh` of its level
 *     old      has to be written by the checkpoint under way: list `old` of its level
 *     none     being read; handed out by the checkpoint and not placed yet; or clean with children in memory
 *
 * Always: the parent of a page is in memory. The parent of a fresh page is fresh, of an old one old and not handed out.
 * An inner page can be old and fresh at once (it stays in `old`): its entries change only by placing its children, or
 * by dropping one, which is not done while it is old and not handed out. A leaf that changes while it is old is copied:
 * the *shadow* is old and outside the hash, the leaf is fresh.
 */

#include <assert.h>

#include "map.h"

enum {
	PAGE_FRESH_A = 1, /* one of these two is fresh, the other old, by the generation's parity */
	PAGE_FRESH_B = 2,
	PAGE_READING = 4,
	PAGE_TAKEN = 8, /* handed out, not placed */
	PAGE_SHADOW = 16,
};

#define PAGE_HEAT_MAX	 3
#define MAP_URGENT_SHARE 16 /* frames for urgent work beside what others may have */

/* Page 0 is no page. */
struct map_page {
	uint64_t key; /* tree slot, level, index */
	uint32_t hash_next;
	uint32_t parent;
	uint32_t prev, next;
	uint16_t present;  /* entries that are not zero; READING: slot of the read */
	uint16_t children; /* in memory, or being read */
	uint8_t flags;
	uint8_t heat; /* looked at since it was last passed over */
};
static_assert(sizeof(struct map_page) == 32, "two to a cache line");

struct map_list {
	uint32_t first, last, count;
};

struct map_waits {
	struct map_wait *first, **last;
	uint32_t count;
};

struct map_read_slot {
	struct map_read rd;
	struct map_waits waits;
};

struct map_tree {
	uint64_t id;
	uint64_t root; /* address; 0: none; MAP_ADDR_NONE: in memory only */
	uint64_t entries;
	uint64_t last_leaf;   /* found last; UINT64_MAX: none */
	const uint64_t *last; /* its entries */
	uint32_t last_page;
	uint32_t slot;	    /* in map.trees */
	uint64_t ckpt_root; /* of the checkpoint under way */
	uint64_t ckpt_entries;
	bool ckpt; /* was there at its begin */
	bool dropped;
	uint8_t levels; /* 0: the slot is free */
};

struct map {
	struct map_page *pages;
	uint64_t *entries; /* of all pages */
	uint32_t *buckets;
	unsigned int hash_shift;
	struct map_list free, clean;
	struct map_list fresh[MAP_LEVELS_MAX], old[MAP_LEVELS_MAX];
	uint64_t gen;	      /* of what is fresh */
	uint32_t fresh_count; /* pages marked fresh */
	uint32_t old_count;   /* pages marked old, handed out ones included */
	uint32_t out_count;   /* handed out */
	uint32_t dirty_hard;  /* dirty_max and what urgent work may have beside it */
	uint32_t undurable;   /* pages of the checkpoint begun last, while it is not durable */
	uint32_t play_max;    /* of those and fresh ones: recovery would have to play so many */
	int socket;
	uint8_t ckpt_level;
	bool ckpt;   /* under way */
	bool wanted; /* told so in this generation */
	bool recovering, cramped;
	const struct map_ops *ops;
	void *arg;
	struct map_tree *trees;
	uint16_t *order; /* slots of trees by id */
	uint16_t n_trees, max_trees;
	struct map_read_slot *reads;
	struct map_read *reads_free;
	uint32_t reads_busy;
	struct map_waits stalled[2]; /* [1]: urgent */
	uint32_t wake_due;
	struct map_stats stats;
	uint8_t uuid[16];
};

static inline uint64_t
map_page_key(const struct map_tree *t, unsigned int level, uint64_t index)
{
	return (uint64_t)t->slot << 48 | (uint64_t)level << 45 | index;
}

static inline unsigned int
map_page_level(const struct map_page *pg)
{
	return pg->key >> 45 & 7;
}

static inline uint64_t
map_page_index(const struct map_page *pg)
{
	return pg->key & ((1ULL << 45) - 1);
}

static inline struct map_tree *
map_page_tree(const struct map *m, const struct map_page *pg)
{
	return &m->trees[pg->key >> 48];
}

static inline uint64_t *
map_page_entries(const struct map *m, uint32_t p)
{
	return m->entries + (size_t)p * MAP_FANOUT;
}

static inline uint8_t
map_page_fresh_flag(const struct map *m)
{
	return m->gen & 1 ? PAGE_FRESH_A : PAGE_FRESH_B;
}

static inline uint8_t
map_page_old_flag(const struct map *m)
{
	return m->gen & 1 ? PAGE_FRESH_B : PAGE_FRESH_A;
}

/** Must the checkpoint under way still write it as it is? */
static inline bool
map_page_wanted(const struct map *m, const struct map_page *pg)
{
	return (pg->flags & (map_page_old_flag(m) | PAGE_TAKEN)) == map_page_old_flag(m);
}

static inline uint32_t *
map_page_bucket(const struct map *m, uint64_t key)
{
	return &m->buckets[key * 0x9e3779b97f4a7c15ULL >> m->hash_shift];
}

/** The page in memory or being read, or 0. */
static inline uint32_t
map_page_find(const struct map *m, uint64_t key)
{
	uint32_t p = *map_page_bucket(m, key);

	while (p != 0 && m->pages[p].key != key)
		p = m->pages[p].hash_next;
	return p;
}

/** A checkpoint has ended: give away the slots of dropped trees of which nothing is left. */
void map_trees_sweep(struct map *m);

void map_page_list_add(struct map *m, struct map_list *l, uint32_t p);
void map_page_list_remove(struct map *m, struct map_list *l, uint32_t p);
/** Where the address of the page stands: its parent's entry, or the root of its tree. */
uint64_t *map_page_place(struct map *m, uint32_t p);

/** Take a frame, out of the clean pages if none is free, and make it page @p key, in the hash, child of @p parent (0:
 * root). Its entries are anything. @return 0: every page is needed. */
uint32_t map_page_new(struct map *m, uint64_t key, uint32_t parent);
/** Out of the hash and away; it is in no list, has no child, and is marked neither fresh nor old. */
void map_page_free(struct map *m, uint32_t p);
/** It changes, or will: fresh, and its parents. It is not a leaf that the checkpoint wants. */
void map_page_mark_fresh(struct map *m, uint32_t p);
/** Neither fresh any more, nor in a list. */
void map_page_unmark_fresh(struct map *m, uint32_t p);
/** It is not old any more, and in no list: put it where it belongs now, or free it if it was a shadow. */
void map_page_unmark_old(struct map *m, uint32_t p);
/** Leave the leaf to the checkpoint in a copy. @return 0; -ENOBUFS. */
int map_page_copy(struct map *m, uint32_t p);
/** If the page is empty leave it out of the tree at once, and its parents too, unless the checkpoint is in the way:
 * then the next one drops it. */
void map_page_drop_empty(struct map *m, uint32_t p);

#endif /* MAP_PAGE_H */
