/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STORE_REPLAY_H
#define STORE_REPLAY_H

/**
 * @file
 * Inside of recovery: store_replay.c keeps what is to be applied, store_scan.c finds it, store_apply.c applies it,
 * store_settle.c gives the rows that were scanned their parity.
 */

#include "store_truth.h"

#define REPLAY_SCANS 4	/* segments scanned at once */
#define REPLAY_FREES 16 /* deallocated at once */

enum replay_state { REPLAY_TABLE, REPLAY_SCAN, REPLAY_INTENTS, REPLAY_FREE, REPLAY_APPLY, REPLAY_SETTLE, REPLAY_OVER };

/* Something to apply: of a chunk's head only what that takes, since there may be a million. What it points at lies in
 * the arena. */
struct replay_item {
	uint64_t lsn;
	uint64_t place; /* 0: only an intent has it */
	uint64_t was;	/* where its head says it lies */
	uint64_t from;	/* of a MOVE */
	const struct log_owner *owner;
	const uint8_t *bytes;	     /* RECORDS; of one that only an intent has: the payload */
	const struct log_head *head; /* of one that only an intent has */
	uint16_t records;
	uint8_t kind, blocks;
	bool counted; /* among the blocks of its segment: it may be begun again */
	bool home;    /* it lies where it was, but is right by parity only */
};

/* A chunk that only an intent had: where it was to lie, and where it lies now. */
struct replay_moved {
	uint64_t was, now; /* was 0: a free slot of the hash */
	uint64_t lsn;	   /* of the chunk */
};

struct replay_scan {
	struct store_walk walk;
	uint32_t at; /* which of those to scan */
	bool busy;
	bool counts; /* it holds chunks that count */
	uint32_t row, rows, chunks;
};

/* Rows [row, rows) of a segment get the parity of what counts in them. */
struct replay_rows {
	uint32_t seg, row, rows;
	uint32_t pos;	 /* a chunk begins there */
	uint32_t chunks; /* from there on */
	bool torn;	 /* there is something that is neither a chunk nor zeroes */
};

/* Has a page of the map read that will be wanted soon. */
struct replay_ahead {
	struct map_wait wait;  /* first */
	struct map_tree *tree; /* NULL: nothing to look for */
	uint64_t idx;
	bool waiting;
};

struct store_replay {
	struct store *st;
	const struct log_super *super;
	uint8_t state;
	int status;
	bool busy, waiting;
	uint32_t at;	/* table chunk, segment, listed segment, item */
	uint32_t block; /* of the item */
	struct store_read read;
	struct replay_scan scan[REPLAY_SCANS];
	uint32_t n_open;       /* of those to scan: open at the checkpoint */
	uint32_t scan_planned; /* from here on nothing was open when the checkpoint ended */
	uint32_t n_scan, scan_seg[LOG_SUPER_NEXT + LOG_STREAMS], scan_off[LOG_SUPER_NEXT + LOG_STREAMS];
	bool blind[LOG_SUPER_NEXT + LOG_STREAMS]; /* it was listed only, and cannot be read */
	uint32_t unread;			  /* a segment that must be read and cannot be, or STORE_NONE */
	uint64_t lsn_max, serial_max;
	struct replay_item *item;
	size_t n_items, items_max, n_images;
	uint32_t image_bytes; /* of chunks that are right by parity only: found, then moved */
	struct replay_block *arena;
	struct replay_moved *moved; /* hash by `was` */
	size_t moved_mask;
	struct strake_space_io free_io[REPLAY_FREES];
	uint32_t frees; /* bitmap of those under way */
	/* Intents. */
	uint8_t *ring;
	uint32_t ring_at;
	uint16_t copy;
	struct strake_space_io io;
	/* Applying. */
	struct map_wait wait;
	struct replay_ahead ahead[STORE_READS];
	uint32_t ahead_at, ahead_block;
	/* Settling. */
	struct replay_rows settle[LOG_SUPER_NEXT + LOG_STREAMS];
	uint32_t n_settle, settle_at;
	struct store_barrier barrier;
	bool durable;  /* what was written anew */
	bool settling; /* rows of a segment */
	struct store_truth truth;
	uint64_t t_begin;
};

/** It ends, with @p err or 0. */
void store_replay_end(struct store_replay *r, int err);
/** Have a chunk applied. @p payload: what of it is not in the head and will be needed, or NULL. @return 0, -ENOMEM. */
int store_replay_add(struct store_replay *r, const struct log_head *h, uint64_t place, const uint8_t *payload);
/** All are there: sort them, and forget what is there twice. @return 0, -ENOMEM. */
int store_replay_sort(struct store_replay *r);
/** A chunk lies elsewhere now; and where one lies that a record speaks of as it was before power went. A record that is
 * older than the chunk speaks of what lay there before, when the segment had another generation. */
void store_replay_moved(struct store_replay *r, const struct replay_item *it, uint64_t now);
uint64_t store_replay_place(const struct store_replay *r, uint64_t place, uint64_t lsn);

/* Steps, each of which goes on to the next state when it is through. @return whether anything was done. */

/** REPLAY_TABLE, REPLAY_SCAN, REPLAY_INTENTS (store_scan.c). */
uint32_t store_scan_table(struct store_replay *r);
uint32_t store_scan_segments(struct store_replay *r);
uint32_t store_scan_intents(struct store_replay *r);
/** REPLAY_FREE, REPLAY_APPLY (store_apply.c). */
uint32_t store_apply_free(struct store_replay *r);
uint32_t store_apply_items(struct store_replay *r);
/** REPLAY_SETTLE (store_settle.c). */
uint32_t store_settle_rows(struct store_replay *r);

/** Rows that will get their parity. */
void store_settle_add(struct store_replay *r, const struct replay_rows *rows);

#endif /* STORE_REPLAY_H */
