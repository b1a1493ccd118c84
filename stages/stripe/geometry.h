/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef GEOMETRY_H
#define GEOMETRY_H

/**
 * @file
 * Where the bytes of a data area lie: pure arithmetic.
 *
 * The area is dealt in chunks to `cols` columns in turn; a column is `copies` members with the same bytes. RAID 0: n
 * columns of one; RAID 1: one column of n; RAID 10: n / 2 columns of two. Member number = column * copies + half.
 * A place is a byte offset in the data area, an offset one in a member's part of it.
 */

#include <stdbool.h>
#include <stdint.h>

#define GEOMETRY_MEMBERS_MAX 32

struct geometry {
	uint32_t cols, copies;
	uint32_t chunk_shift;  /**< log2 bytes */
	int32_t cols_shift;    /**< log2 cols, -1: no power of two */
	uint64_t member_bytes; /**< of each member's part, a multiple of the chunk */
};

/** Part of a range that lies in one piece on one column. */
struct geometry_run {
	uint32_t col;
	uint64_t off, len;
};

/** @p raid 0, 1 or 10. @p member_bytes is rounded down to chunks. @return 0, or -EINVAL: members or chunk do not suit.
 */
int geometry_init(struct geometry *geo, unsigned int raid, unsigned int members, uint64_t chunk, uint64_t member_bytes);

static inline uint64_t
geometry_bytes(const struct geometry *geo)
{
	return geo->member_bytes * geo->cols;
}

/** Column and offset of a place; len: bytes from there that lie in one piece. */
static inline void
geometry_locate(const struct geometry *geo, uint64_t place, struct geometry_run *run)
{
	uint64_t chunk, row, in = place & ((1ULL << geo->chunk_shift) - 1);

	if (geo->cols == 1) {
		run->col = 0;
		run->off = place;
		run->len = geo->member_bytes - place;
		return;
	}
	chunk = place >> geo->chunk_shift;
	if (geo->cols_shift >= 0) {
		row = chunk >> geo->cols_shift;
		run->col = (uint32_t)(chunk & (geo->cols - 1));
	} else {
		row = chunk / geo->cols;
		run->col = (uint32_t)(chunk - row * geo->cols);
	}
	run->off = (row << geo->chunk_shift) + in;
	run->len = (1ULL << geo->chunk_shift) - in;
}

/** Place of an offset on a column: the reverse of geometry_locate(). */
uint64_t geometry_place(const struct geometry *geo, uint32_t col, uint64_t off);
/** The part of [place, place + len) that lies on a column; it is in one piece there. len 0: none. */
void geometry_on_col(const struct geometry *geo, uint32_t col, uint64_t place, uint64_t len, struct geometry_run *run);

#endif /* GEOMETRY_H */
