/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STORE_WALK_H
#define STORE_WALK_H

/**
 * @file
 * Walking the chunks of a segment, as collection and recovery do: window after window, round padding and what is torn.
 *
 * A drive may have lost a write, or put it elsewhere. Of a chunk of known generation that is seen: what was there
 * before does not check. Zeroes, and the first chunk where the generation is not known, are believed only if all of the
 * parity says the same of them: then as many columns as there is parity cannot have lied. Else the newest generation
 * counts that can be had in any way.
 *
 * A window that cannot be had is read in pieces: a block, then the chunk of which the head lies there. So only what is
 * needed has to be readable. Collection passes over a few pieces that are not: what it has to move and did not meet the
 * count of live blocks tells.
 */

#include "store.h"

/* Pieces that cannot be read: more are not a bad sector or two, but drives that are away. */
#define STORE_WALK_PASS 16

struct store_walk {
	struct store *st;
	uint32_t seg;
	uint32_t gen;	/* of the segment; 0: whichever it is, if it is newer than `older` */
	uint32_t older; /* while it is found out, also the newest seen */
	uint32_t pos, end;
	uint32_t blank;	 /* row behind the last one in which a chunk began */
	bool stop_blank; /* end behind two rows in which none begins */
	uint32_t narrow; /* what lies before it is read in pieces */
	uint32_t need;	 /* bytes of the piece at pos; 0: up to the end of its block */
	bool whole;	 /* that is the chunk whose head lies there */
	uint32_t pass;	 /* pieces that may be passed over if they cannot be read */
	uint32_t passed; /* those that were */
	bool blind;	 /* and nothing tells where the next chunk begins */
	bool reading, scan;
	bool probing, sure;	 /* parity is being asked about what lies at pos; it said the same */
	bool newer;		 /* `older` was seen here, and can be had */
	uint8_t probe;		 /* how many times it was asked */
	uint8_t seen[LOG_GRAIN]; /* and said last */
	int status;
	uint16_t attempt;
	uint32_t win_off, win_len;
	bool zero;     /* in some way to see what is here it is */
	uint32_t lost; /* grains that held neither a chunk nor zeroes, and pieces passed over */
	struct strake_buf *win;
	struct strake_space_io io;
};

void store_walk_begin(struct store_walk *w, struct store *st, uint32_t seg, uint32_t gen, uint32_t pos, uint32_t end);
void store_walk_fini(struct store_walk *w);
/** @return 1: a chunk lies at w->pos, *at has all of it; go on with store_walk_next(). 0: the end. -EAGAIN: reading,
 * ask again in another turn. -errno: it cannot be read. */
int store_walk_chunk(struct store_walk *w, struct log_head *h, const uint8_t **at);
void store_walk_next(struct store_walk *w, const struct log_head *h);

#endif /* STORE_WALK_H */
