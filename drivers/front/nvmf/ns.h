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

struct nvmf_ns {
	struct strake_volume *vol; /**< NULL: inactive */
	uint64_t nlb;
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
/** Make @p array the subsystem's: main at once, the data lcores as the message reaches them. Takes the reference. */
int nvmf_ns_publish(struct nvmf_subsystem *sub, struct nvmf_ns_array *array);

#endif /* NVMF_NS_H */
