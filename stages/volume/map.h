/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef MAP_H
#define MAP_H

/**
 * @file
 * The map of a store: a forest of radix trees of 4-KiB pages, one for each volume and one for the share table.
 *
 * A tree has a fixed number of levels and 512^levels entries of 64 bits, 0 where nothing is; what is never set costs
 * nothing. Pages are kept in a bounded cache. A page that changed stays there until a checkpoint has written it; others
 * may leave, and are read again when they are wanted. A page in the cache has its parents in the cache.
 *
 * All calls are made on one lcore, the store's. Nothing is allocated after map_open(), nothing is locked. Calls return
 * -errno. Those that may need a page that is not in memory take a struct map_wait: they return -EAGAIN, the wait is the
 * map's until wait->fn, and then the whole call is made again (it may have to wait again: one level is read at a time,
 * and the cache is bounded). With wait NULL the page is asked for all the same and nobody is told. A call that returned
 * -EAGAIN has changed nothing, but for map_clear().
 *
 * Addresses of pages are the store's, any u64 but 0 and MAP_ADDR_NONE. A page is written to an address once.
 *
 * Nothing here is durable by itself: after a crash the roots of the newest checkpoint are opened and the log after its
 * begin is played through the same calls, with no checkpoint before its end. It dirties what was dirtied since that
 * begin, so that is bounded: pages of a checkpoint that is not durable yet, and pages changed beside it, are together
 * at most three quarters of the cache (and a sixteenth more for urgent work), and replay may dirty seven eighths. So it
 * fits whenever the cache is as large as it was; with a smaller one the cache can be made larger, for that long.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "map_format.h"

#define MAP_RUN_MAX MAP_FANOUT /* entries of one map_get() or map_set() */

struct map;
struct map_tree;
struct rte_tel_data;

/** Who waits. The caller's memory; the map's from the -EAGAIN until fn. Cannot be withdrawn. */
struct map_wait {
	/** Make the call again (@p status 0), or the page cannot be had (-errno of the read, -EBADMSG if it was another
	 * page or damaged). From inside map_read_done() or map_poll() only; any call of the map may be made here but
	 * those two and map_close(). */
	void (*fn)(struct map_wait *w, int status);
	struct map_wait *link; /**< whoever holds it */
	/** Work that frees space or ends a checkpoint: may dirty pages from a reserve when others have to wait. */
	bool urgent;
};

/** A page under way from the drives. */
struct map_read {
	uint64_t addr;
	uint16_t slot; /**< 0 .. conf.reads - 1, no two under way with the same: for what the store keeps of each */
	uint32_t page; /**< the map's */
	struct map_read *link;
};

struct map_ops {
	/** Required. Read MAP_IMAGE_BYTES from rd->addr and call map_read_done() once, never from inside this. */
	void (*page_read)(void *arg, struct map_read *rd);
	/** Required. No checkpoint from generation @p gen on holds the page at @p addr: its place is free once
	 * checkpoint @p gen is durable. From inside map_set(), map_clear() and the checkpoint's calls; makes no call of
	 * the map. */
	void (*page_dead)(void *arg, uint64_t addr, uint64_t gen);
	/** Required. Half of the pages that may be dirty are, once a generation: begin a checkpoint soon. From inside
	 * map_set(), map_prepare(), map_clear(), map_page_dirty(); makes no call of the map. */
	void (*checkpoint_wanted)(void *arg);
};

struct map_conf {
	uint64_t bytes;	    /**< of the cache, all told; at least MAP_BYTES_MIN */
	uint32_t dirty_max; /**< pages, or 0 for half of the cache; at most three quarters of it */
	uint16_t reads;	    /**< pages under way at once, 1 .. 1024 */
	uint16_t trees;	    /**< at most */
	int socket;	    /**< NUMA, or -1 */
	uint8_t uuid[16];   /**< the store's; pages of another are refused */
};

#define MAP_BYTES_MIN (2u << 20)

/** Figures. Plain 64-bit stores of the owner lcore, read by anybody. */
struct map_stats {
	uint64_t frames, used, dirty, dirty_max; /**< pages */
	uint64_t hits, misses;			 /**< leaves looked up and found, not found, in memory */
	uint64_t reads, read_errors, evictions;
	uint64_t waits;	 /**< for a page */
	uint64_t stalls; /**< for a frame or for a checkpoint */
	uint64_t copies; /**< pages copied because they changed while a checkpoint wanted them as they were */
	uint64_t written, dropped, checkpoints;
	uint64_t bytes; /**< memory taken */
	uint64_t grown; /**< times the cache was made larger */
};

/**
 * Open a map from the roots of a checkpoint (none: a new one). @p gen is that checkpoint's generation, 0 for a new map.
 * Main or the owner lcore; reads nothing yet.
 *
 * @return 0; -EINVAL conf or roots make no sense; -ENOMEM.
 */
int map_open(struct map **out, const struct map_conf *conf, const struct map_ops *ops, void *arg,
	     const struct map_root *roots, uint32_t n, uint64_t gen);
/** @return 0; -EBUSY pages are being read or somebody waits. What is dirty is lost. */
int map_close(struct map *m);
/** Wake those who wait for a frame or a checkpoint, when there is one. Once a turn of the lcore. */
void map_poll(struct map *m);
const struct map_stats *map_stats(const struct map *m);
/** Add the figures to a telemetry dictionary. */
void map_tel(const struct map *m, struct rte_tel_data *d);

/* Recovery. */

/** Changes are being played: pages may be dirty up to seven eighths of the cache, whatever dirty_max says. When that is
 * over, or given up, map_poll() tells those who still wait. */
void map_recover(struct map *m, bool on);
/** Does somebody wait, in recovery, because no more pages may be dirty? Only map_grow() helps. */
bool map_cramped(const struct map *m);
/** Make the cache larger by half. Not from inside a call of the map. @return 0; -ENOMEM, and it is as it was. */
int map_grow(struct map *m);

/* Trees. */

/** Make an empty tree of 512^@p levels entries. @return 0; -EEXIST; -EINVAL; -ENOSPC conf.trees are there. */
int map_tree_create(struct map *m, uint64_t id, uint8_t levels, struct map_tree **out);
/** The tree, or NULL. It stays where it is until dropped. */
struct map_tree *map_tree_find(struct map *m, uint64_t id);
/** Walk all trees, in no order: NULL gives the first, the last gives NULL. */
struct map_tree *map_tree_next(struct map *m, const struct map_tree *prev);
/** Forget an empty tree; its id may be used again after the checkpoint that begins next has ended. @return 0;
 * -ENOTEMPTY. */
int map_tree_drop(struct map *m, struct map_tree *t);
uint64_t map_tree_id(const struct map_tree *t);
/** Entries that are not zero, exact. */
uint64_t map_tree_entries(const struct map_tree *t);
/** Entries there can be. */
uint64_t map_tree_size(const struct map_tree *t);

/* Entries. */

/** Read @p n entries, 1 .. MAP_RUN_MAX. @return 0; -EAGAIN; -ERANGE. */
int map_get(struct map *m, struct map_tree *t, uint64_t idx, uint32_t n, uint64_t *out, struct map_wait *wait);
/** Begin to bring what map_get() of each of @p n indices will touch into the processor's cache. Reads no page. */
void map_prefetch(struct map *m, struct map_tree *t, const uint64_t *idx, uint32_t n);
/**
 * Have @p n entries ready to be set: until the next call of a checkpoint or return to the lcore's loop, map_set() of
 * them does not wait. So several sets can be made that must happen all or none: prepare each, then set each.
 *
 * @return 0; -EAGAIN; -ERANGE.
 */
int map_prepare(struct map *m, struct map_tree *t, uint64_t idx, uint32_t n, struct map_wait *wait);
/** Set @p n entries, 1 .. MAP_RUN_MAX, all or none. @p values NULL: all zero. @p old: what was there, or NULL.
 * @return 0; -EAGAIN; -ERANGE. */
int map_set(struct map *m, struct map_tree *t, uint64_t idx, uint32_t n, const uint64_t *values, uint64_t *old,
	    struct map_wait *wait);

struct map_entry {
	uint64_t idx, value;
};

/**
 * The next entries that are not zero from *@p idx on, below @p end, ascending. *@p idx moves behind what has been
 * looked at.
 *
 * @param budget  Pages to look at, at least 1: a call ends after so many even if it found nothing.
 * @return how many are in @p out, 0 .. @p max; the range is done when *idx == end. -EAGAIN: nothing found before the
 * page that is waited for (*idx may have moved). -ERANGE.
 */
int map_iterate(struct map *m, struct map_tree *t, uint64_t *idx, uint64_t end, struct map_entry *out, uint32_t max,
		uint32_t budget, struct map_wait *wait);
/**
 * Make entries of a range zero and tell each that was not, ascending. *@p idx moves behind what has been cleared.
 *
 * @param told    Told of an entry before it becomes zero; anything but 0 stops the call there with that as result, the
 *                entry left as it is. May call map_get(), map_prepare() and map_set() on other trees, with its own
 *                wait; then -EAGAIN is a good answer.
 * @param budget  Pages to look at, at least 1.
 * @return 0: *idx == end; -EINPROGRESS: the budget is spent, call again; -EAGAIN: @p wait will be called (*idx may have
 * moved); -ERANGE; what @p told said.
 */
int map_clear(struct map *m, struct map_tree *t, uint64_t *idx, uint64_t end,
	      int (*told)(void *arg, uint64_t idx, uint64_t value), void *arg, uint32_t budget, struct map_wait *wait);

/* Reading. */

/** Is this the page asked for, unharmed? The store asks before map_read_done(), to try other ways if not.
 * @return 0; -EBADMSG. */
int map_read_check(const struct map *m, const struct map_read *rd, const void *image);
/** A read is over: @p status 0 and the image (checked again), or -errno. Calls those who wait. @p rd is the map's
 * again. */
void map_read_done(struct map *m, struct map_read *rd, int status, const void *image);

/* Checkpoints. Begin; next and placed until next says 0; end. Entries may be read and set all the while: the checkpoint
 * holds the map as it was at begin. */

/** The generation that changes made now belong to: that of the checkpoint which begins next. */
uint64_t map_generation(const struct map *m);
/** @return 0; -EBUSY one is under way. */
int map_checkpoint_begin(struct map *m);
/**
 * The next page to write; leaves come before their parents.
 *
 * @param image  Out: MAP_IMAGE_BYTES to be written. A copy: the page may change at once.
 * @param page   Out: its name for map_checkpoint_placed().
 * @return 1; 0: every page is placed, end the checkpoint; -EAGAIN: not before all pages that are out have been placed,
 * or, if none is, not in this turn.
 */
int map_checkpoint_next(struct map *m, void *image, uint32_t *page);
/** Page @p page will lie at @p addr, from where it can be read from now on. page_dead() is told where it lay before. */
void map_checkpoint_placed(struct map *m, uint32_t page, uint64_t addr);
/** Pages that a map_checkpoint_next() until the end may still hand out, at most. */
uint32_t map_checkpoint_left(const struct map *m);
/**
 * The roots, one for each tree there was at begin, by ascending id; they are of generation map_generation() - 1.
 *
 * @return how many; -EBUSY pages are left, or none is under way; -E2BIG more than @p max (nothing has happened).
 */
int map_checkpoint_end(struct map *m, struct map_root *roots, uint32_t max);
/** Those roots are durable, and what recovery begins with: what they hold needs not be played any more. */
void map_checkpoint_durable(struct map *m);

/* Garbage collection of the log's pages: map_image_owner() says what a page met in the log is. */

/** Is @p addr where the page lies, in the map as it is now? @return 1; 0; -EAGAIN. */
int map_page_live(struct map *m, const struct map_owner *owner, uint64_t addr, struct map_wait *wait);
/** If the page lies at @p addr, have it written elsewhere by the checkpoint under way or the next. @return 1: it will
 * be; 0: it does not lie there; -EAGAIN. */
int map_page_dirty(struct map *m, const struct map_owner *owner, uint64_t addr, struct map_wait *wait);

#endif /* MAP_H */
