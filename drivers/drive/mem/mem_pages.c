/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "mem_pages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_branch_prediction.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>

#include "strake_kernel.h"

/* An lcore's own count may be off by this much before it is added to the common one. */
#define LENT_SLACK 16

/* Spares that are never lent against: what the lcores' own counts may hide, with room for reads that meet the limit at
 * the same time. */
#define SPARES_KEPT 512u

static uint32_t
spares_of(uint64_t pages)
{
	return 2 * SPARES_KEPT + (uint32_t)(pages / 16);
}

uint64_t
mem_pages_footprint(uint64_t bytes)
{
	uint64_t pages = (bytes + MEM_PAGE - 1) >> MEM_PAGE_SHIFT;

	return (MEM_ZERO_PAGES + pages + spares_of(pages)) << MEM_PAGE_SHIFT;
}

/* --- lending -------------------------------------------------------------------------------------------------------
 */

/* Keep the sum of lent pages nearly right without sharing a cache line for each. */
static inline void
lent_add(struct mem_pages *m, int64_t n)
{
	struct strake_lcore *self = strake_self();
	int64_t *mine;

	if (unlikely(self == NULL)) {
		__atomic_fetch_add(&m->lent, n, __ATOMIC_RELAXED);
		return;
	}
	mine = &m->lcore[self->index].n;
	*mine += n;
	if (unlikely(*mine >= LENT_SLACK || *mine <= -LENT_SLACK)) {
		__atomic_fetch_add(&m->lent, *mine, __ATOMIC_RELAXED);
		*mine = 0;
	}
}

static inline void
drop(struct mem_pages *m, uint32_t number)
{
	/* Release: the reader is through with the bytes; pairs with the acquire of who finds the page free. */
	if (__atomic_sub_fetch(&m->entry[number].refs, 1, __ATOMIC_ACQ_REL) == 0 && unlikely(number >= m->first_spare))
		rte_ring_enqueue_elem(m->free, &number, sizeof(number));
}

/* The buf's opaque is the run it shows: number of the first page, and how many. */
static void
lent_release(struct strake_buf *buf)
{
	struct mem_pages *m = container_of(buf->backing, struct mem_pages, backing);
	uint64_t run = (uint64_t)(uintptr_t)buf->opaque;
	uint32_t number = (uint32_t)run, n = (uint32_t)(run >> 32);

	if (number < MEM_ZERO_PAGES)
		return;
	lent_add(m, -(int64_t)n);
	for (uint32_t i = 0; i < n; i++)
		drop(m, number + i);
}

/* Known for whole pages only. A lent page never changes, nor does its sum. */
static bool
lent_sum(const struct strake_buf *buf, uint32_t off, uint32_t len, uint16_t *sum)
{
	const struct mem_pages *m = container_of(buf->backing, struct mem_pages, backing);
	uint64_t at = (uint64_t)(buf->addr + off - m->base);
	uint32_t total = 0;

	if (((at | len) & (MEM_PAGE - 1)) != 0)
		return false;
	for (; len > 0; at += MEM_PAGE, len -= MEM_PAGE) {
		uint32_t s = m->entry[at >> MEM_PAGE_SHIFT].sum;

		if (s == 0)
			return false;
		total += s & UINT16_MAX;
	}
	*sum = (uint16_t)~strake_cksum_fold(total);
	return true;
}

/* Pages in a row from logical page @p page, at most @p max, that also lie in a row. */
static inline uint32_t
run_length(const struct mem_pages *m, uint32_t page, uint32_t max)
{
	const struct mem_entry *entry = &m->entry[mem_pages_home(page)];
	uint32_t first = entry->map, n = 1;

	if (first == 0) {
		while (n < max && entry[n].map == 0)
			n++;
	} else {
		while (n < max && entry[n].map == first + n)
			n++;
	}
	return n;
}

struct strake_buf *
mem_pages_lend(struct mem_pages *m, uint64_t off, uint32_t len, bool *full)
{
	struct strake_buf *head = NULL, **tail = &head;

	*full = __atomic_load_n(&m->lent, __ATOMIC_RELAXED) >= (int64_t)m->lend_max;
	if (unlikely(*full))
		return NULL;
	while (len > 0) {
		uint32_t page = (uint32_t)(off >> MEM_PAGE_SHIFT), in = (uint32_t)off & (MEM_PAGE - 1);
		uint32_t n = run_length(m, page, (in + len + MEM_PAGE - 1) >> MEM_PAGE_SHIFT);
		uint32_t number = m->entry[mem_pages_home(page)].map, bytes = RTE_MIN(len, n * MEM_PAGE - in);
		struct strake_buf *buf;

		buf = strake_buf_wrap(mem_pages_addr(m, number) + in, bytes, &m->backing,
				      (void *)(uintptr_t)((uint64_t)n << 32 | number), STRAKE_BUF_STABLE);
		if (unlikely(buf == NULL)) {
			strake_buf_put_list(head);
			return NULL;
		}
		if (number != 0) {
			for (uint32_t i = 0; i < n; i++)
				__atomic_fetch_add(&m->entry[number + i].refs, 1, __ATOMIC_RELAXED);
			lent_add(m, n);
		}
		*tail = buf;
		tail = &buf->next;
		off += bytes;
		len -= bytes;
	}
	return head;
}

/* --- writing -------------------------------------------------------------------------------------------------------
 */

static inline bool
is_lent(const struct mem_pages *m, uint32_t number)
{
	return __atomic_load_n(&m->entry[number].refs, __ATOMIC_ACQUIRE) > (number >= m->first_spare ? 1u : 0u);
}

/* @return page number, or 0. */
static uint32_t
spare_take(struct mem_pages *m)
{
	uint32_t number;

	if (unlikely(rte_ring_dequeue_elem(m->free, &number, sizeof(number)) < 0))
		return 0;
	__atomic_store_n(&m->entry[number].refs, 1, __ATOMIC_RELAXED);
	return number;
}

uint8_t *
mem_pages_own(struct mem_pages *m, uint32_t page, bool whole)
{
	uint32_t home = mem_pages_home(page), old = m->entry[home].map, number;

	/* Home is best even from a spare that nobody borrowed: the spare is then free again. */
	if (likely(!is_lent(m, home)))
		number = home;
	else if (old >= m->first_spare && !is_lent(m, old))
		number = old;
	else
		number = spare_take(m);
	if (unlikely(number == 0))
		return NULL;
	m->entry[number].sum = 0;
	if (number == old)
		return mem_pages_addr(m, number);
	if (!whole)
		memcpy(mem_pages_addr(m, number), mem_pages_addr(m, old), MEM_PAGE);
	m->entry[home].map = number;
	if (old >= m->first_spare)
		drop(m, old);
	return mem_pages_addr(m, number);
}

void
mem_pages_clear(struct mem_pages *m, uint32_t page)
{
	uint32_t old = m->entry[mem_pages_home(page)].map;

	m->entry[mem_pages_home(page)].map = 0;
	if (unlikely(old >= m->first_spare))
		drop(m, old);
}

/* --- memory --------------------------------------------------------------------------------------------------------
 */

/* Have every page there before traffic. Without huge pages the kernel may still give large ones. */
static void
populate(uint8_t *base, uint64_t bytes)
{
	if (!rte_eal_has_hugepages())
		madvise(base, bytes, MADV_HUGEPAGE);
	for (uint64_t at = 0; at < bytes; at += MEM_PAGE)
		*(volatile uint8_t *)(base + at) = 0;
}

static int
free_ring_init(struct mem_pages *m, int socket)
{
	static unsigned int made;
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "mem_drive_%u", made++);
	m->free = rte_ring_create_elem(name, sizeof(uint32_t), rte_align32pow2(m->spares + 1), socket, 0);
	if (m->free == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->spares; i++) {
		uint32_t number = m->first_spare + i;

		rte_ring_enqueue_elem(m->free, &number, sizeof(number));
	}
	return 0;
}

int
mem_pages_init(struct mem_pages *m, uint64_t bytes, int socket)
{
	uint64_t total = mem_pages_footprint(bytes) >> MEM_PAGE_SHIFT;

	memset(m, 0, sizeof(*m));
	m->backing = (struct strake_backing){.name = "mem_drive", .release = lent_release, .sum = lent_sum};
	m->pages = (uint32_t)((bytes + MEM_PAGE - 1) >> MEM_PAGE_SHIFT);
	m->first_spare = mem_pages_home(m->pages);
	m->spares = (uint32_t)total - m->first_spare;
	m->lend_max = m->spares - SPARES_KEPT;
	m->base = rte_malloc_socket("mem_drive", total << MEM_PAGE_SHIFT, MEM_PAGE, socket);
	m->entry = rte_zmalloc_socket("mem_entries", total * sizeof(m->entry[0]), RTE_CACHE_LINE_SIZE, socket);
	if (m->base == NULL || m->entry == NULL || free_ring_init(m, socket) < 0) {
		mem_pages_fini(m);
		return -ENOMEM;
	}
	populate(m->base, total << MEM_PAGE_SHIFT);
	memset(m->base, 0, (uint64_t)MEM_ZERO_PAGES << MEM_PAGE_SHIFT);
	for (uint32_t i = 0; i < MEM_ZERO_PAGES; i++)
		m->entry[i].sum = MEM_SUM_KNOWN;
	return 0;
}

void
mem_pages_fini(struct mem_pages *m)
{
	rte_ring_free(m->free);
	rte_free(m->entry);
	rte_free(m->base);
}
