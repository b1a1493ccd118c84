/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef FSCK_H
#define FSCK_H

/**
 * @file
 * A store as it lies in its group's space: the checkpoint, what the log says after it, and the proof of both.
 */

#include "drives.h"
#include "pages.h"

#define STORE_NONE	 UINT32_MAX
#define STORE_SHARE	 ((uint64_t)UINT32_MAX) /* tree of the share table */
#define STORE_REFS_MASK	 ((UINT64_C(1) << 48) - 1)
#define STORE_META	 (LOG_STREAMS - 1) /* stream of the map's own pages */
#define STORE_STATES	 6
#define STORE_DIRECT_BLK (7ULL << 59)

enum store_state {
	STORE_FREE,
	STORE_OPEN,
	STORE_CLOSED,
	STORE_SUSPECT,
	STORE_DRAINED,
	STORE_BAD,
};

struct store_seg {
	struct log_segment d; /* as the table has it; gen and state also as the log goes on */
	uint32_t pages;	      /* of the map that lie in it */
	uint32_t refs;	      /* blocks that the map needs of it */
	uint32_t scan_from;   /* bytes; STORE_NONE: nothing of it was open */
};

/* A chunk that only an intent has. */
struct store_intent {
	uint64_t was, place; /* where it was to lie; a place of its own, in no segment */
	struct log_head head;
};

/* Who needs a block: a block of a volume, or an id of the share table. */
struct store_ref {
	uint64_t place; /* an entry, with its block */
	uint64_t tree, idx;
};

struct store {
	struct group *g;
	struct log_super super;
	struct store_seg *seg;
	bool has_table;	 /* generations are known: a chunk of another one is what a drive lost the write of */
	uint8_t *needed; /* [segment * rows + row] */
	struct map_root root[LOG_SUPER_VOLUMES + 1];
	uint32_t n_roots;
	uint64_t map_gen;
	struct pages map;
	struct store_intent *intent;
	size_t n_intents;
	struct store_ref *ref; /* by place */
	size_t n_refs;
	uint64_t chunks, moved, records, dropped; /* replayed */
	uint64_t rows, live_chunks, live_bytes;	  /* looked at */
	uint64_t live_moved, live_repacked;	  /* of these: by collection; and without blocks that were dead */
	uint64_t live_sealed;
	uint16_t epoch_first, epoch_last; /* of them */
};

/** Superblock, segment table, map of the checkpoint, and what they say of each other. @return 0; -1: no more can be
 * looked at. */
int store_load(struct store *st, struct group *g);
void store_free(struct store *st);
/** Play the log after the checkpoint into the map. */
void store_replay(struct store *st);
/** Every entry of the map against the log, every row against its parity. */
void store_prove(struct store *st);
/** Say what is there. */
void store_show(struct store *st, int segments);

/** Read a chunk by its entry, also from parity. @p to has LOG_CHUNK_MAX. @return NULL; or what is wrong. A chunk that
 * is wrong as it lies and right otherwise is told by say(). */
const char *store_chunk(struct store *st, uint64_t place, struct log_head *h, uint8_t *to);
/** "block 7 of volume \"v0\"", in one of a few static buffers. */
const char *store_owner_text(const struct store *st, uint64_t tree, uint64_t idx);
const struct log_volume *store_volume(const struct store *st, uint64_t id);
/** Entries a tree has room for; 0: there is none. */
uint64_t store_tree_size(const struct store *st, uint64_t tree);
/** The chunk at a place is needed, and so are its rows. */
void store_need(struct store *st, uint64_t place);
/** What the map needs of each segment: fills st->ref (sorted) and seg[].refs. */
void store_count(struct store *st);
/** The intent-only chunk at a place, or NULL. */
const struct store_intent *store_intent_at(const struct store *st, uint64_t place);

#endif /* FSCK_H */
