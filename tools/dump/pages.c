/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "pages.h"

#include <stdio.h>
#include <stdlib.h>

#include "map_format.h"

static void *
must(void *mem)
{
	if (mem == NULL) {
		fputs("strake-fsck: out of memory\n", stderr);
		exit(5);
	}
	return mem;
}

static size_t
slot_of(const struct pages *p, uint64_t tree, uint64_t index)
{
	uint64_t h = (tree * 0x9e3779b97f4a7c15ULL ^ index) * 0xd6e8feb86659fd93ULL;
	size_t i = (size_t)(h ^ h >> 32) & (p->room - 1);

	while (p->leaf[i].entry != NULL && (p->leaf[i].tree != tree || p->leaf[i].index != index))
		i = (i + 1) & (p->room - 1);
	return i;
}

static void
grow(struct pages *p)
{
	struct pages old = *p;

	p->room = old.room > 0 ? 2 * old.room : 1024;
	p->leaf = must(calloc(p->room, sizeof(*p->leaf)));
	for (size_t i = 0; i < old.room; i++) {
		if (old.leaf[i].entry != NULL)
			p->leaf[slot_of(p, old.leaf[i].tree, old.leaf[i].index)] = old.leaf[i];
	}
	free(old.leaf);
}

uint64_t
pages_get(const struct pages *p, uint64_t tree, uint64_t idx)
{
	const struct pages_leaf *l;

	if (p->room == 0)
		return 0;
	l = &p->leaf[slot_of(p, tree, idx >> MAP_FANOUT_SHIFT)];
	return l->entry != NULL ? l->entry[idx & (MAP_FANOUT - 1)] : 0;
}

void
pages_set(struct pages *p, uint64_t tree, uint64_t idx, uint64_t value)
{
	struct pages_leaf *l;

	if (value == 0 && pages_get(p, tree, idx) == 0)
		return;
	if (2 * p->used >= p->room)
		grow(p);
	l = &p->leaf[slot_of(p, tree, idx >> MAP_FANOUT_SHIFT)];
	if (l->entry == NULL) {
		*l = (struct pages_leaf){tree, idx >> MAP_FANOUT_SHIFT, must(calloc(MAP_FANOUT, sizeof(uint64_t)))};
		p->used++;
	}
	l->entry[idx & (MAP_FANOUT - 1)] = value;
}

const struct pages_leaf *
pages_next(const struct pages *p, size_t *at)
{
	while (*at < p->room) {
		const struct pages_leaf *l = &p->leaf[(*at)++];

		if (l->entry != NULL)
			return l;
	}
	return NULL;
}

void
pages_free(struct pages *p)
{
	const struct pages_leaf *l;
	size_t at = 0;

	while ((l = pages_next(p, &at)) != NULL)
		free(l->entry);
	free(p->leaf);
}
