/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STORE_TRUTH_H
#define STORE_TRUTH_H

/**
 * @file
 * What rows should hold: row after row of a segment is put together in memory of the chunks that check, however they
 * can be had, and zeroes behind the last one. So parity is made of what was checked, and not of what a drive shows when
 * it is read once more: a write that goes astray may come to lie there at any time.
 */

#include "store_walk.h"

struct store_truth {
	struct store_walk walk;
	struct store *st;
	struct strake_buf *bufs; /* row `row`, when it is there */
	uint32_t row, rows;	 /* this one, of so many */
	uint32_t odd_to;	 /* of the segment: up to here something may be neither a chunk nor zeroes */
	uint32_t lost;		 /* the walk's, so far */
	uint32_t chunks;	 /* so far, also in front of the first row */
	uint32_t tail_end;	 /* of the chunk that goes on in the next row */
	bool as_is;		 /* where no chunk is a row stays as it lies: power may have torn it */
	bool begun, reading;
	bool by_parity; /* of the row: a chunk in it is not right as it lies */
	int status;
	struct strake_space_io io;
	uint8_t tail[LOG_CHUNK_MAX]; /* that chunk */
};

/** Rows [row, rows) of a segment. At @p pos, no later than the first, a chunk begins. */
void store_truth_begin(struct store_truth *t, struct store *st, uint32_t seg, uint32_t pos, uint32_t row, uint32_t rows,
		       bool as_is);
void store_truth_fini(struct store_truth *t);
/** @return 1: t->bufs has row t->row; 0: that was the last; -EAGAIN: reading, ask again in another turn; -errno. */
int store_truth_row(struct store_truth *t);
/** Something in the row, or beside it, is neither a chunk nor zeroes: a chunk that cannot be had may have been there.
 */
bool store_truth_odd(const struct store_truth *t);
/** On to the next; it may be told without having been asked for. */
void store_truth_next(struct store_truth *t);
/** Write the row where a drive has something else. @p done has to count st->io_under_way down. */
void store_truth_write(const struct store_truth *t, struct strake_space_io *io,
		       void (*done)(struct strake_space_io *io), void *arg);

#endif /* STORE_TRUTH_H */
