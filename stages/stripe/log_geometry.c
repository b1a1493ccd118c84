/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "log_geometry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint32_t
lgroup_geometry_capacity(const uint32_t *slots, uint32_t members, uint32_t width)
{
	uint64_t total = 0, lo = 0, hi;

	for (uint32_t i = 0; i < members; i++)
		total += slots[i];
	hi = total / width;
	while (lo < hi) {
		uint64_t mid = (lo + hi + 1) / 2, sum = 0;

		for (uint32_t i = 0; i < members; i++)
			sum += slots[i] < mid ? slots[i] : mid;
		if (sum >= mid * width)
			lo = mid;
		else
			hi = mid - 1;
	}
	return (uint32_t)lo;
}

static uint32_t
slots_free(const struct lgroup_geometry *geo, uint32_t i)
{
	return geo->slots[i] - geo->top[i] + geo->freed[i];
}

static uint32_t
slot_take(struct lgroup_geometry *geo, uint32_t i)
{
	return geo->freed[i] > 0 ? geo->spare[i][--geo->freed[i]] : geo->top[i]++;
}

/* The member with the most free slots that is not in @p not, the first of equals; UINT32_MAX: none has any. */
static uint32_t
most_free(const struct lgroup_geometry *geo, uint32_t except)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < geo->members; i++) {
		if (!(except >> i & 1) && slots_free(geo, i) > 0 &&
		    (best == UINT32_MAX || slots_free(geo, i) > slots_free(geo, best)))
			best = i;
	}
	return best;
}

/* One more segment. @return false: fewer than width members have room. */
static bool
deal_one(struct lgroup_geometry *geo)
{
	uint32_t chosen[LOG_MEMBERS_MAX], mask = 0;

	if (geo->segments == geo->target)
		return false;
	for (uint32_t p = 0; p < geo->width; p++) {
		chosen[p] = most_free(geo, mask);
		if (chosen[p] == UINT32_MAX)
			return false;
		mask |= 1u << chosen[p];
	}
	for (uint32_t p = 0; p < geo->width; p++)
		geo->column[(uint64_t)geo->segments * geo->width + p] = chosen[p] << 26 | slot_take(geo, chosen[p]);
	geo->segments++;
	return true;
}

static void
deal(struct lgroup_geometry *geo)
{
	while (deal_one(geo))
		;
}

static int
room_make(struct lgroup_geometry *geo, uint32_t segments)
{
	uint32_t *column = realloc(geo->column, (size_t)segments * geo->width * sizeof(*column));

	if (column == NULL)
		return -ENOMEM;
	geo->column = column;
	geo->room = segments;
	return 0;
}

int
lgroup_geometry_init(struct lgroup_geometry *geo, uint32_t width, const uint32_t *slots, uint32_t members)
{
	memset(geo, 0, sizeof(*geo));
	if (width == 0 || members < width || members > LOG_MEMBERS_MAX)
		return -EINVAL;
	geo->width = width;
	geo->members = members;
	memcpy(geo->slots, slots, members * sizeof(*slots));
	geo->target = lgroup_geometry_capacity(slots, members, width);
	if (geo->target == 0)
		return -EINVAL;
	if (room_make(geo, geo->target) < 0)
		return -ENOMEM;
	deal(geo);
	return 0;
}

void
lgroup_geometry_fini(struct lgroup_geometry *geo)
{
	for (uint32_t i = 0; i < LOG_MEMBERS_MAX; i++)
		free(geo->spare[i]);
	free(geo->column);
	memset(geo, 0, sizeof(*geo));
}

int
lgroup_geometry_copy(struct lgroup_geometry *geo, const struct lgroup_geometry *from)
{
	*geo = *from;
	geo->column = NULL;
	memset(geo->spare, 0, sizeof(geo->spare));
	if (room_make(geo, from->room) < 0)
		return -ENOMEM;
	memcpy(geo->column, from->column, (size_t)from->segments * from->width * sizeof(*geo->column));
	for (uint32_t i = 0; i < from->members; i++) {
		if (from->spare[i] == NULL)
			continue;
		geo->spare[i] = malloc((size_t)from->slots[i] * sizeof(uint32_t));
		if (geo->spare[i] == NULL) {
			lgroup_geometry_fini(geo);
			return -ENOMEM;
		}
		memcpy(geo->spare[i], from->spare[i], from->freed[i] * sizeof(uint32_t));
	}
	return 0;
}

int
lgroup_geometry_grow(struct lgroup_geometry *geo, uint32_t slots)
{
	uint32_t n = geo->members;

	if (n == LOG_MEMBERS_MAX || slots == 0)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++) {
		if (geo->spare[i] == NULL)
			geo->spare[i] = malloc((size_t)geo->slots[i] * sizeof(uint32_t));
		if (geo->spare[i] == NULL)
			return -ENOMEM;
	}
	geo->slots[n] = slots;
	geo->target = lgroup_geometry_capacity(geo->slots, n + 1, geo->width);
	if (geo->target > geo->room && room_make(geo, geo->target) < 0)
		return -ENOMEM;
	geo->members = n + 1;
	geo->dest = n;
	memset(geo->cursor, 0, sizeof(geo->cursor));
	deal(geo);
	return 0;
}

static bool
on_member(const struct lgroup_geometry *geo, uint32_t seg, uint32_t member, uint32_t *pos)
{
	for (uint32_t p = 0; p < geo->width; p++) {
		if (lgroup_column_member(lgroup_geometry_column(geo, seg, p)) == member) {
			*pos = p;
			return true;
		}
	}
	return false;
}

/* A column of @p from whose segment has none on @p to. What the cursor has passed never becomes one. */
static bool
movable(struct lgroup_geometry *geo, uint32_t from, uint32_t to, struct lgroup_move *mv)
{
	for (uint32_t *seg = &geo->cursor[from]; *seg < geo->segments; (*seg)++) {
		uint32_t pos, other;

		if (!on_member(geo, *seg, from, &pos) || on_member(geo, *seg, to, &other))
			continue;
		mv->seg = *seg;
		mv->pos = pos;
		mv->from = from;
		mv->from_slot = lgroup_column_slot(lgroup_geometry_column(geo, *seg, pos));
		mv->to = to;
		mv->to_slot = geo->freed[to] > 0 ? geo->spare[to][geo->freed[to] - 1] : geo->top[to];
		return true;
	}
	return false;
}

/* Too few members have room: the one with the most takes a column of the fullest that has none. */
bool
lgroup_geometry_next(struct lgroup_geometry *geo, struct lgroup_move *mv)
{
	uint32_t tried = 0, to = most_free(geo, 0);

	if (geo->segments >= geo->target || to == UINT32_MAX || slots_free(geo, to) < 2)
		return false;
	if (to != geo->dest) {
		geo->dest = to;
		memset(geo->cursor, 0, sizeof(geo->cursor));
	}
	for (;;) {
		uint32_t from = UINT32_MAX;

		for (uint32_t i = 0; i < geo->members; i++) {
			if (!(tried >> i & 1) && i != to && slots_free(geo, i) == 0 &&
			    (from == UINT32_MAX || geo->slots[i] > geo->slots[from]))
				from = i;
		}
		if (from == UINT32_MAX)
			return false;
		if (movable(geo, from, to, mv))
			return true;
		tried |= 1u << from;
	}
}

void
lgroup_geometry_moved(struct lgroup_geometry *geo, const struct lgroup_move *mv)
{
	uint32_t slot = slot_take(geo, mv->to);

	geo->column[(uint64_t)mv->seg * geo->width + mv->pos] = mv->to << 26 | slot;
	geo->spare[mv->from][geo->freed[mv->from]++] = mv->from_slot;
	deal(geo);
}
