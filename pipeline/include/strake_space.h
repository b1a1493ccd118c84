/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_SPACE_H
#define STRAKE_SPACE_H

/**
 * @file
 * The space of a log group, as the store sees it: segments that are written once, in whole rows, and then only read.
 *
 * A *segment* is one column on each of k + m drives. Its data is a linear run of rows * k * unit bytes; row r holds
 * bytes [r * k * unit, (r + 1) * k * unit) of it in k units, beside m units of parity. Rows of a segment are written in
 * order, each once, until the segment is freed. Beside the segments there are two mirrored areas: *intents*, small
 * blocks on m + 1 drives, and *notes*, small named blobs on every drive.
 *
 * Everything here runs on the space's owner lcore, unless it says main. What a call begins ends in io->done, once,
 * never from inside the call. The io belongs to the caller, and to the space until done.
 */

#include <stdbool.h>
#include <stdint.h>

#include "strake_buf.h"

#ifdef __cplusplus
extern "C" {
#endif

struct strake_space;

enum strake_space_op {
	STRAKE_SPACE_ROW,    /**< write row `row` of `seg`: bufs has exactly row_bytes; parity is made here */
	STRAKE_SPACE_READ,   /**< read bytes [off, off + len) of `seg`, any alignment */
	STRAKE_SPACE_FREE,   /**< the segment holds nothing any more: deallocated, may be written anew from row 0 */
	STRAKE_SPACE_FLUSH,  /**< rows and intents done before this began are durable on every drive in use */
	STRAKE_SPACE_INTENT, /**< write intent blocks [off, off + len) durably on m + 1 drives */
	STRAKE_SPACE_INTENT_READ, /**< read them back, from the copy `attempt` (0 .. m) */
	/** [off, off + len) of `seg` was wrong as read plainly and right as read with `attempt`, which gave bufs: write
	 * it again where it was wrong, count the drives it lay on. What lies there may change at any time, so nothing
	 * is written if the attempt gives something else by now: -EBADMSG. With attempt 0 the window is whole rows, of
	 * which bufs is the data as it should be: that, and its parity, is written where a drive has something else. */
	STRAKE_SPACE_REPAIR,
};

/** One piece of work. */
struct strake_space_io {
	struct strake_space_io *link; /**< whoever holds it */
	uint8_t op;		      /**< enum strake_space_op */
	/** READ: 0 as it lies; 1, 2, ... leave out one more of the ways the data could be wrong (each drive of the row
	 * in turn, then pairs, up to m at once: strake_space_attempt()) and rebuild it from parity; -ERANGE when there
	 * is no such way left. The caller checks what it gets. */
	uint16_t attempt;
	uint32_t seg, row;
	uint64_t off;
	uint32_t len;
	struct strake_buf *bufs; /**< written, or repaired: the caller's, kept until done. READ: a list of exactly len
				    bytes at done, the caller's to put. */
	int32_t status;		 /**< 0, -EIO (more than m columns cannot be read or written), -ERANGE, -ENOMEM */
	void (*done)(struct strake_space_io *io);
	void *arg;
	uint64_t priv[6]; /**< the space's */
};

struct strake_space_ops {
	/** Begin a piece of work. Never refused: what cannot begin now waits in order. */
	void (*submit)(struct strake_space *sp, struct strake_space_io *io);
	/** Read / write note @p id (0 the store's superblock, 1 the keys, 2.. free; up to note_bytes each). Main, waits
	 * by running turns: for boot, shutdown and operators' words. A write is durable on every drive in use and whole
	 * or not at all. @return 0 (read: *len set; 0 bytes if never written), -errno. */
	int (*note_read)(struct strake_space *sp, unsigned int id, void *data, uint32_t *len);
	int (*note_write)(struct strake_space *sp, unsigned int id, const void *data, uint32_t len);
	/** The same for the owner lcore, without waiting; @p done runs there. @p data is kept until then. */
	void (*note_write_async)(struct strake_space *sp, unsigned int id, const void *data, uint32_t len,
				 void (*done)(void *arg, int status), void *arg);
};

struct strake_space {
	const struct strake_space_ops *ops;
	const char *name;      /**< the group's */
	uint8_t uuid[16];      /**< the group's */
	uint16_t data, parity; /**< k, m */
	uint16_t owner;	       /**< data lcore */
	uint32_t unit;	       /**< bytes of a row on one drive, a multiple of 4096 */
	uint32_t rows;	       /**< of a segment */
	uint32_t row_bytes;    /**< data * unit */
	uint32_t segments;     /**< grows when a drive is added, never shrinks */
	uint32_t block;	       /**< drives' block size, 512 or 4096 */
	uint32_t intent_bytes; /**< size of the intent area, a multiple of 4096 */
	uint32_t note_bytes;   /**< largest note */
	bool volatile_cache;   /**< a FLUSH does something; from the moment a drive with a cache comes in, too */
	/** Set by the store: is the segment in use (rebuild and scrub ask), and how many of its rows are written?
	 * Owner lcore. */
	bool (*used)(void *store, uint32_t seg, uint32_t *rows);
	/** Set by the store with that: columns of row `row` of `seg` disagree, as rebuild sees, or one could not be
	 * read. What is right only checksums tell: have it repaired, if that is possible; done(arg), if it is not NULL,
	 * is called when it has been looked at, maybe from inside. Who gives done cannot go on with a row that cannot
	 * be had: then what lives in the segment is moved, and the segment freed, later. Owner lcore. */
	void (*check)(void *store, uint32_t seg, uint32_t row, void (*done)(void *arg), void *arg);
	/** Set by the store with that: what only the intents have shall be durable in rows, and all intents written
	 * before void, also those that a drive has which was away since. done(arg, 0 or -errno), maybe from inside.
	 * Owner lcore. */
	void (*to_rows)(void *store, void (*done)(void *arg, int status), void *arg);
	void *store;
};

static inline uint64_t
strake_space_seg_bytes(const struct strake_space *sp)
{
	return (uint64_t)sp->rows * sp->row_bytes;
}

/** How many sets of @p n there are of @p of. */
static inline uint32_t
strake_space_sets(uint32_t of, uint32_t n)
{
	uint32_t sets = 1;

	for (uint32_t i = 0; i < n; i++)
		sets = sets * (of - i) / (i + 1);
	return n > of ? 0 : sets;
}

/** The attempt that leaves out the columns of @p mask, 1 to m of them: bit i is the i-th of the row in which the window
 * begins, data before parity. Sets of as many come in the order of these numbers. */
static inline uint16_t
strake_space_attempt(const struct strake_space *sp, uint32_t mask)
{
	uint32_t attempt = 1, left = (uint32_t)__builtin_popcount(mask);

	/* Sets of fewer; then of those of as many the smaller ones, from the highest bit down. */
	for (uint32_t n = 1; n < left; n++)
		attempt += strake_space_sets(sp->data + sp->parity, n);
	for (; left > 0; left--) {
		uint32_t top = 31 - (uint32_t)__builtin_clz(mask);

		attempt += strake_space_sets(top, left);
		mask &= ~(1u << top);
	}
	return (uint16_t)attempt;
}

static inline void
strake_space_submit(struct strake_space *sp, struct strake_space_io *io)
{
	sp->ops->submit(sp, io);
}

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_SPACE_H */
