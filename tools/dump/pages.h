/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PAGES_H
#define PAGES_H

/**
 * @file
 * The map of a store, all of it in memory: trees of 64-bit entries, 512 to a page.
 */

#include <stddef.h>
#include <stdint.h>

struct pages_leaf {
	uint64_t tree, index;
	uint64_t *entry; /* NULL: this place of the table is free */
};

struct pages {
	struct pages_leaf *leaf;
	size_t used, room; /* room is a power of two */
};

/** What is not there is 0. */
uint64_t pages_get(const struct pages *p, uint64_t tree, uint64_t idx);
void pages_set(struct pages *p, uint64_t tree, uint64_t idx, uint64_t value);
/** The next leaf that exists, from *at on (0 at first); NULL: there are no more. */
const struct pages_leaf *pages_next(const struct pages *p, size_t *at);
void pages_free(struct pages *p);

#endif /* PAGES_H */
