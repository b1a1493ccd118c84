/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef MEM_PAGES_H
#define MEM_PAGES_H

/**
 * @file
 * The pages of a memory drive, and how they are lent to readers without a copy.
 *
 * Every logical page has a *home*: the page of memory at its own place, so that neighbours stay neighbours and a long
 * read is one run. A page that was never written, or was zeroed, is mapped to nothing and reads from a zero area.
 * A reader borrows the page as it lies; its reference count says so. A lent page never changes: a write to it goes to a
 * *spare* page, and the old one is free again when its last reader puts it. The next write finds the way home.
 *
 *     map of its home = 0           zeroes
 *                     = the home    refs of the home counts readers
 *                     = a spare     refs of the spare counts readers, and one more for the map
 *
 * A page of the drive is used by one lcore at a time (whoever submits); readers give back on any lcore, so counts are
 * atomic, and nothing else is shared but the ring of spares.
 *
 * Nearly as many pages may be lent as there are spares; beyond that, reads copy. So a reader that never gives back
 * cannot stop the writers.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_prefetch.h>
#include <rte_ring.h>

#include "strake_buf.h"
#include "strake_lcore.h"

#define MEM_PAGE_SHIFT 12
#define MEM_PAGE       (1u << MEM_PAGE_SHIFT)
/** Pages of the zero area: a read of the longest I/O may begin in the middle of a page. */
#define MEM_ZERO_PAGES (STRAKE_BUF_PAGE_MAX / MEM_PAGE + 1)

/** What is known of a page of memory; four to a cache line, because one is cold in every I/O. */
struct mem_entry {
	uint32_t map;  /**< of a home: where the logical page lies */
	uint32_t refs; /**< readers */
	uint32_t sum;  /**< MEM_SUM_KNOWN and the sum of the Internet checksum, or 0 */
	uint32_t unused;
};

/** In mem_entry::sum. A page whose sum is known is sent without being read for its checksum. */
#define MEM_SUM_KNOWN 0x10000u

/** What an lcore lent and took back and has not added to the common count yet. */
struct mem_lent {
	int64_t n;
} __rte_cache_aligned;

struct mem_pages {
	struct strake_backing backing; /**< of the bufs that are lent */
	uint8_t *base;		       /**< zero area, homes, spares */
	struct mem_entry *entry;       /**< by page number */
	uint32_t pages;		       /**< logical ones */
	uint32_t first_spare;	       /**< page number */
	uint32_t spares;
	uint32_t lend_max;
	struct rte_ring *free; /**< spares, by page number */
	int64_t lent __rte_cache_aligned;
	struct mem_lent lcore[STRAKE_LCORE_MAX];
};

/** Reserve memory for @p bytes and the spares, all of it at once. Main. @return 0 or -ENOMEM. */
int mem_pages_init(struct mem_pages *m, uint64_t bytes, int socket);
/** Every lent buf must have been put. */
void mem_pages_fini(struct mem_pages *m);
/** Bytes mem_pages_init() takes, for the operator. */
uint64_t mem_pages_footprint(uint64_t bytes);

/** A list of bufs that shows [off, off + len) as it is now and will stay.
 * @return NULL: descriptors ran out, or (*full) too many pages are lent: copy instead. */
struct strake_buf *mem_pages_lend(struct mem_pages *m, uint64_t off, uint32_t len, bool *full);
/** Where logical page @p page can be written now, mapped; its sum is forgotten. Unless @p whole, it holds what it
 * held before.
 * @return NULL when every spare is lent just now. Asking again before writing gives the same bytes. */
uint8_t *mem_pages_own(struct mem_pages *m, uint32_t page, bool whole);
/** Remember the sum, folded to 16 bits, of what was written to the whole of a page that was owned. */
static inline void
mem_pages_set_sum(struct mem_pages *m, const uint8_t *addr, uint16_t sum)
{
	m->entry[(uint64_t)(addr - m->base) >> MEM_PAGE_SHIFT].sum = MEM_SUM_KNOWN | sum;
}
/** Map logical page @p page to zeroes. */
void mem_pages_clear(struct mem_pages *m, uint32_t page);

static inline uint8_t *
mem_pages_addr(const struct mem_pages *m, uint32_t number)
{
	return m->base + ((uint64_t)number << MEM_PAGE_SHIFT);
}

/** Number of the page at a logical page's own place. */
static inline uint32_t
mem_pages_home(uint32_t page)
{
	return MEM_ZERO_PAGES + page;
}

/** Where logical page @p page can be read now. */
static inline const uint8_t *
mem_pages_look(const struct mem_pages *m, uint32_t page)
{
	return mem_pages_addr(m, m->entry[mem_pages_home(page)].map);
}

static inline void
mem_pages_prefetch(const struct mem_pages *m, uint64_t off)
{
	rte_prefetch0(&m->entry[mem_pages_home((uint32_t)(off >> MEM_PAGE_SHIFT))]);
}

#endif /* MEM_PAGES_H */
