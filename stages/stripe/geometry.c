/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "geometry.h"

#include <errno.h>

#include <rte_common.h>

int
geometry_init(struct geometry *geo, unsigned int raid, unsigned int members, uint64_t chunk, uint64_t member_bytes)
{
	if (members == 0 || members > GEOMETRY_MEMBERS_MAX || chunk < 4096 || !rte_is_power_of_2((uint32_t)chunk) ||
	    chunk > 1u << 30)
		return -EINVAL;
	switch (raid) {
	case 0:
		geo->cols = members;
		geo->copies = 1;
		break;
	case 1:
		geo->cols = 1;
		geo->copies = members;
		break;
	case 10:
		geo->cols = members / 2;
		geo->copies = 2;
		break;
	default:
		return -EINVAL;
	}
	if (geo->cols * geo->copies != members || (raid != 0 && members < 2))
		return -EINVAL;
	geo->chunk_shift = (uint32_t)__builtin_ctzll(chunk);
	geo->cols_shift = rte_is_power_of_2(geo->cols) ? __builtin_ctz(geo->cols) : -1;
	geo->member_bytes = RTE_ALIGN_FLOOR(member_bytes, chunk);
	return geo->member_bytes == 0 ? -EINVAL : 0;
}

uint64_t
geometry_place(const struct geometry *geo, uint32_t col, uint64_t off)
{
	uint64_t row = off >> geo->chunk_shift, in = off & ((1ULL << geo->chunk_shift) - 1);

	return ((row * geo->cols + col) << geo->chunk_shift) + in;
}

/* Bytes of a column among the first @p place bytes of the area. */
static uint64_t
col_bytes(const struct geometry *geo, uint32_t col, uint64_t place)
{
	uint64_t chunk = 1ULL << geo->chunk_shift, row = place / (chunk * geo->cols);
	uint64_t rest = place - row * chunk * geo->cols, before = chunk * col;

	return row * chunk + (rest <= before ? 0 : RTE_MIN(rest - before, chunk));
}

void
geometry_on_col(const struct geometry *geo, uint32_t col, uint64_t place, uint64_t len, struct geometry_run *run)
{
	run->col = col;
	run->off = col_bytes(geo, col, place);
	run->len = col_bytes(geo, col, place + len) - run->off;
}
