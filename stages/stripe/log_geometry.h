/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOG_GEOMETRY_H
#define LOG_GEOMETRY_H

/**
 * @file
 * Which columns make which segment: arithmetic and one table in memory, no I/O.
 *
 * A member has *slots*, each room for a column. A segment takes `width` columns on as many different members. Segments
 * are dealt one after the other to the members with the most free slots, which uses all room that drives of unequal
 * size have (most segments s with sum(min(slots, s)) >= width * s). The result follows from the members alone, so
 * nothing about it is written.
 *
 * A member that is added later gets columns *moved* to it, one by one in an order that again follows from the members
 * alone; the slots they leave, with the new ones, make new segments. How many moves have been done is all there is to
 * remember.
 */

#include <stdbool.h>
#include <stdint.h>

#define LOG_MEMBERS_MAX 32

struct lgroup_geometry {
	uint32_t width;
	uint32_t members;
	uint32_t segments, room;	 /**< dealt; that the table has place for */
	uint32_t slots[LOG_MEMBERS_MAX]; /**< of each member */
	uint32_t top[LOG_MEMBERS_MAX];	 /**< slots from here on were never used */
	uint32_t freed[LOG_MEMBERS_MAX]; /**< slots below top that are free, on spare[member] */
	uint32_t *spare[LOG_MEMBERS_MAX];
	uint32_t *column; /**< [segment * width + position]: member << 26 | slot */
	/** A member being added: segments there will be at its end, and where the search for columns stands. */
	uint32_t target, cursor[LOG_MEMBERS_MAX], dest;
};

/** A column on its way. */
struct lgroup_move {
	uint32_t seg, pos;
	uint32_t from, from_slot, to, to_slot;
};

/** Most segments of @p width columns that members with these slots can hold. */
uint32_t lgroup_geometry_capacity(const uint32_t *slots, uint32_t members, uint32_t width);

/** Deal. @return 0, -ENOMEM, -EINVAL: fewer members than columns, or no segment at all. */
int lgroup_geometry_init(struct lgroup_geometry *geo, uint32_t width, const uint32_t *slots, uint32_t members);
void lgroup_geometry_fini(struct lgroup_geometry *geo);
/** The same in another memory. */
int lgroup_geometry_copy(struct lgroup_geometry *geo, const struct lgroup_geometry *from);

/** Add a member; segments that need no move are dealt at once. */
int lgroup_geometry_grow(struct lgroup_geometry *geo, uint32_t slots);
/** The next move. @return false: there is none, the member is in. */
bool lgroup_geometry_next(struct lgroup_geometry *geo, struct lgroup_move *mv);
/** That move is done: its old slot is free, and what can be dealt now is. */
void lgroup_geometry_moved(struct lgroup_geometry *geo, const struct lgroup_move *mv);

static inline uint32_t
lgroup_column_member(uint32_t column)
{
	return column >> 26;
}

static inline uint32_t
lgroup_column_slot(uint32_t column)
{
	return column & ((1u << 26) - 1);
}

/** Position of a row's role (0 to k - 1 data, then parity): parity goes round with the rows. */
static inline uint32_t
lgroup_role_pos(uint32_t width, uint32_t seg, uint32_t row, uint32_t role)
{
	return (role + row + seg) % width;
}

/** The reverse. */
static inline uint32_t
lgroup_pos_role(uint32_t width, uint32_t seg, uint32_t row, uint32_t pos)
{
	return (pos + width - (row + seg) % width) % width;
}

static inline uint32_t
lgroup_geometry_column(const struct lgroup_geometry *geo, uint32_t seg, uint32_t pos)
{
	return geo->column[(uint64_t)seg * geo->width + pos];
}

#endif /* LOG_GEOMETRY_H */
