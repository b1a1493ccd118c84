/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_NS_H
#define NVMF_NS_H

/**
 * @file
 * Namespaces, and how main publishes them.
 *
 * Main builds a new immutable array for every change and sends it to each data lcore, which swaps its own pointer and
 * sends the message back; the old array is freed when the last lcore has let go. So a data lcore reads a plain array.
 */

#include "classes.h"

/** Largest namespace id (NN), a power of two so that the ANA log stays small. */
#define NVMF_NS_MAX 1024u

struct nvmf_resv_view;
struct nvmf_barrier;

struct nvmf_ns {
	struct strake_volume *vol; /**< NULL: inactive */
	uint64_t nlb;
	struct nvmf_resv_view *resv; /**< NULL: not reserved */
	uint8_t lba_shift;
	bool read_only;
};

/** Never changed after it was published. */
struct nvmf_ns_array {
	uint32_t refs;			       /**< main's */
	uint32_t n;			       /**< entries; nsid is index + 1 */
	const struct strake_classifier *rules; /**< NULL: there are none, every class is 0 */
	struct nvmf_classes *classes;	       /**< main's: the tables it was made from */
	struct nvmf_ns ns[];
};

/** What one lcore knows of a subsystem's namespaces. Written on that lcore only (by main before the lcore runs). */
struct nvmf_ns_table {
	const struct nvmf_ns_array *array;
	uint32_t subsystem; /**< its number, for rules; never changes */
} __rte_cache_aligned;

struct nvmf_subsystem;

/** An active namespace of an array, or NULL. */
static inline const struct nvmf_ns *
nvmf_ns_of(const struct nvmf_ns_array *array, uint32_t nsid)
{
	const struct nvmf_ns *ns;

	if (nsid - 1 >= array->n)
		return NULL;
	ns = &array->ns[nsid - 1];
	return ns->vol != NULL ? ns : NULL;
}

/** Namespaces 1 to @p n of a subsystem as @p classes leads them, with one reference. NULL: out of memory. */
struct nvmf_ns_array *nvmf_ns_array_new(const struct nvmf_subsystem *sub, struct nvmf_classes *classes, uint32_t n);
void nvmf_ns_array_put(struct nvmf_ns_array *array);
/** News of one subsystem, ready to go out. */
struct nvmf_publication {
	struct nvmf_publication *next; /**< the caller's */
	struct nvmf_subsystem *sub;
	struct nvmf_ns_array *array;
	struct nvmf_ns_copy *copy[STRAKE_LCORE_MAX]; /**< NULL: the lcore does not run */
};
/** Have all the memory it takes; takes the array's reference, whatever happens. @return 0, -ENOMEM. */
int nvmf_ns_prepare(struct nvmf_publication **out, struct nvmf_subsystem *sub, struct nvmf_ns_array *array);
/** Make the array the subsystem's: main at once, the data lcores as the message reaches them. Cannot fail.
 * @param b held until every lcore has it; may be NULL. */
void nvmf_ns_commit(struct nvmf_publication *p, struct nvmf_barrier *b);
void nvmf_ns_cancel(struct nvmf_publication *p);
/** Both in one. */
int nvmf_ns_publish(struct nvmf_subsystem *sub, struct nvmf_ns_array *array, struct nvmf_barrier *b);

#endif /* NVMF_NS_H */
