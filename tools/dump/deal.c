/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "deal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct hand {
	struct deal *d;
	uint32_t members, target;
	uint32_t slots[LOG_SUPER_MEMBERS], top[LOG_SUPER_MEMBERS];
	uint32_t *left[LOG_SUPER_MEMBERS], n_left[LOG_SUPER_MEMBERS]; /* slots given back, the last one first */
	uint32_t cursor[LOG_SUPER_MEMBERS], to;
};

/* The most segments s for which sum(min(slots, s)) >= width * s. */
static uint32_t
capacity(const struct hand *h)
{
	uint64_t s = 0, step = 1u << 31;

	for (; step > 0; step /= 2) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < h->members; i++)
			sum += h->slots[i] < s + step ? h->slots[i] : s + step;
		if (sum >= h->d->width * (s + step))
			s += step;
	}
	return (uint32_t)s;
}

static uint32_t
free_of(const struct hand *h, uint32_t i)
{
	return h->slots[i] - h->top[i] + h->n_left[i];
}

static uint32_t
take(struct hand *h, uint32_t i)
{
	return h->n_left[i] > 0 ? h->left[i][--h->n_left[i]] : h->top[i]++;
}

static uint32_t
richest(const struct hand *h, uint32_t without)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < h->members; i++) {
		if ((without >> i & 1) == 0 && free_of(h, i) > 0 &&
		    (best == UINT32_MAX || free_of(h, i) > free_of(h, best)))
			best = i;
	}
	return best;
}

static void
deal_on(struct hand *h)
{
	struct deal *d = h->d;

	for (; d->segments < h->target; d->segments++) {
		uint32_t who[LOG_SUPER_MEMBERS], mask = 0;

		for (uint32_t p = 0; p < d->width; p++) {
			who[p] = richest(h, mask);
			if (who[p] == UINT32_MAX)
				return;
			mask |= 1u << who[p];
		}
		for (uint32_t p = 0; p < d->width; p++) {
			d->member[(size_t)d->segments * d->width + p] = who[p];
			d->slot[(size_t)d->segments * d->width + p] = take(h, who[p]);
		}
	}
}

/* Position of a member in a segment, or UINT32_MAX. */
static uint32_t
where(const struct deal *d, uint32_t seg, uint32_t member)
{
	for (uint32_t p = 0; p < d->width; p++) {
		if (d->member[(size_t)seg * d->width + p] == member)
			return p;
	}
	return UINT32_MAX;
}

static bool
move_from(struct hand *h, uint32_t from, uint32_t to)
{
	struct deal *d = h->d;

	for (uint32_t *seg = &h->cursor[from]; *seg < d->segments; (*seg)++) {
		uint32_t p = where(d, *seg, from);
		size_t at = (size_t)*seg * d->width + p;

		if (p == UINT32_MAX || where(d, *seg, to) != UINT32_MAX)
			continue;
		h->left[from][h->n_left[from]++] = d->slot[at];
		d->member[at] = to;
		d->slot[at] = take(h, to);
		return true;
	}
	return false;
}

/* One column goes to the member with the most room from the largest that has none. @return false: all are moved. */
static bool
move_one(struct hand *h)
{
	uint32_t tried = 0, to = richest(h, 0);

	if (h->d->segments >= h->target || to == UINT32_MAX || free_of(h, to) < 2)
		return false;
	if (to != h->to)
		memset(h->cursor, 0, sizeof(h->cursor));
	h->to = to;
	for (;;) {
		uint32_t from = UINT32_MAX;

		for (uint32_t i = 0; i < h->members; i++) {
			if ((tried >> i & 1) == 0 && i != to && free_of(h, i) == 0 &&
			    (from == UINT32_MAX || h->slots[i] > h->slots[from]))
				from = i;
		}
		if (from == UINT32_MAX)
			return false;
		if (move_from(h, from, to)) {
			deal_on(h);
			return true;
		}
		tried |= 1u << from;
	}
}

int
deal_all(struct deal *d, const struct lgroup_super *s)
{
	struct hand h = {.d = d, .members = s->first};
	uint64_t room = 0, moved = 0;

	memset(d, 0, sizeof(*d));
	d->width = s->data + s->parity;
	for (uint32_t i = 0; i < s->members; i++) {
		h.slots[i] = s->member[i].slots;
		room += h.slots[i];
		h.left[i] = calloc(h.slots[i], sizeof(uint32_t));
	}
	d->member = calloc(room + d->width, sizeof(uint32_t));
	d->slot = calloc(room + d->width, sizeof(uint32_t));
	h.target = capacity(&h);
	deal_on(&h);
	for (; h.members < s->members;) {
		h.to = h.members++;
		memset(h.cursor, 0, sizeof(h.cursor));
		h.target = capacity(&h);
		deal_on(&h);
		for (moved = 0; h.members < s->members || moved < s->moved; moved++) {
			if (!move_one(&h))
				break;
		}
	}
	for (uint32_t i = 0; i < s->members; i++)
		free(h.left[i]);
	return s->members == s->first || moved == s->moved ? 0 : -1;
}

void
deal_free(struct deal *d)
{
	free(d->member);
	free(d->slot);
}
