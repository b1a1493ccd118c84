/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STORE_H
#define STORE_H

/**
 * @file
 * Inside of a store: what its files share. README.md tells the story.
 *
 * Everything is the owner lcore's but what says main. Two rules carry all else:
 *
 * - Appending a change to the log and making it in the map are one step, so lsn order is the order of changes, and
 *   playing any part of the log that has no gap *within what one flush covered* gives the same map.
 * - A segment that was emptied is written anew only after a checkpoint that began after it was emptied is durable; or,
 *   if nothing in it is younger than the last checkpoint, after all that emptied it is durable.
 *
 * Replay tolerates gaps among what was never flushed: each record carries what it depended on, and is dropped when that
 * is not so.
 */

#include "log_format.h"
#include "map.h"
#include "strake_space.h"
#include "strake_stage.h"
#include "strake_volume.h"
#include "store_log.h"

#define STORE_ROWS	   24 /* rows in memory: being filled, under way, kept for chunks that lie across two */
#define STORE_PIECES	   32 /* bufs of a row, at most */
#define STORE_READS	   64 /* pages of the map being read at once */
#define STORE_INTENTS	   8  /* under way at once */
#define STORE_INTENT_MAX   (64u << 10)
#define STORE_VOLUMES	   LOG_SUPER_VOLUMES
#define STORE_NONE	   UINT32_MAX
#define STORE_TREE_SHARE   UINT32_MAX /* tree of the share table; those of volumes have the volume's number */
#define STORE_VOL_LEVELS   4
#define STORE_SHARE_LEVELS 6

/* What hosts write, by how soon it will be written again; what collection moves, by its age; pages of the map. */
enum store_stream { STORE_HOT, STORE_COLD, STORE_WARM, STORE_GC, STORE_META };
#define STORE_HOST_STREAMS (1u << STORE_HOT | 1u << STORE_COLD)
#define STORE_GC_STREAMS   (1u << STORE_WARM | 1u << STORE_GC)

enum store_seg_state {
	STORE_SEG_FREE,
	STORE_SEG_OPEN,
	STORE_SEG_CLOSED,
	STORE_SEG_SUSPECT, /* open when power went: what could not be mended of its rows is collected first */
	STORE_SEG_DRAINED, /* nothing in it is needed by the map as it is now */
	STORE_SEG_BAD,	   /* could not be read whole: what is left in it stays */
};

/* Of the chunks of a segment: sealed under keys that are in use, as far as a change of keys goes. */
enum store_seg_keys {
	STORE_KEYS_UNKNOWN,
	STORE_KEYS_NEW,
	STORE_KEYS_OLD,	  /* some are of an older one, or cannot be read */
	STORE_KEYS_STUCK, /* and cannot be sealed anew */
};

struct store;

struct store_seg {
	struct log_segment d;	      /* d.state: enum store_seg_state */
	uint32_t readers;	      /* reads under way */
	uint32_t record_bytes;	      /* not counted as dead blocks yet */
	uint32_t empty;		      /* bytes of rows that were given up before they were full */
	uint32_t rows;		      /* written or under way */
	uint64_t first_row;	      /* of its stream: the ordinal of its row 0 */
	uint64_t born, closed;	      /* serials, which are the clock of age; 0: before the store was opened */
	uint64_t after;		      /* its pages are dirty: let be until this checkpoint has ended */
	uint64_t emptied[STORE_META]; /* when drained: what emptied it lies in rows before these */
	uint32_t unread; /* s of strake_now(): it could not be read, others are collected before until then */
	bool ails : 1;	 /* a row of it cannot be rebuilt: collected first, and freed */
	bool aside : 1;	 /* FREE, but not to be used: opening could not read it */
	bool due : 1;	 /* to be listed by what is under way */
	bool listed : 1; /* in st->ready, unopened */
	bool blank : 1;	 /* deallocated since it was last written */
	uint8_t keys;	 /* enum store_seg_keys: while chunks are sealed anew */
};

/* A row in memory. */
struct store_row {
	struct store_row *next; /* of the rows in use, or free */
	struct store *st;
	struct strake_space_io io;
	struct strake_buf *bufs;
	uint8_t *piece[STORE_PIECES];
	uint32_t seg, row;
	uint64_t ordinal;
	uint8_t stream;
	uint8_t state; /* enum store_row_state */
	bool spans;    /* its last chunk goes on in the next row */
};
enum store_row_state { STORE_ROW_FILLING, STORE_ROW_UNDER_WAY, STORE_ROW_WRITTEN };

struct store_out {
	uint32_t seg;			  /* STORE_NONE: none is open */
	uint32_t off;			  /* where the next chunk goes */
	uint32_t safe;			  /* chunks that begin before it are whole in rows given to the space */
	uint32_t logged;		  /* or in intents begun */
	struct store_row *row;		  /* being filled, or NULL */
	uint64_t begun;			  /* ns: its first chunk came */
	uint64_t given, written, durable; /* rows by ordinal: all before it are */
};

/* Who waits for something to be durable. */
struct store_barrier {
	struct store_barrier *next;
	uint64_t row[LOG_STREAMS]; /* durable[] must have come so far */
	uint64_t intent;	   /* and all intents before this one be done */
	void (*done)(struct store_barrier *b, int status);
	void *arg;
};

/* Who waits for room: called once, in order, and may wait again. */
struct store_wait {
	struct store_wait *next;
	void (*fn)(struct store_wait *w);
	bool urgent;
};

struct store_intent {
	struct strake_space_io io;
	struct store *st;
	struct strake_buf *buf;
	uint64_t seq;
	bool busy;
};

/* What a piece of the intents' ring holds, oldest first. */
struct store_mark {
	uint64_t pos, end; /* ring positions, never reduced */
	uint8_t stream;
	uint64_t row; /* void once durable[stream] is behind this */
	uint64_t seq;
	bool done;
};
#define STORE_MARKS 1024

/* A volume of the store. */
struct store_vol {
	struct log_volume d;
	struct map_tree *tree;
	struct lvol *lv;	/* the owner's: while it is open, and not being drained */
	bool doomed;		/* deleted: it has another name, and what it holds is being forgotten */
	struct store_vol *next; /* of st->dead */
};

/* The volume whose blocks are being forgotten. */
struct store_deleting {
	struct store_vol *v; /* NULL: none */
	uint64_t at;	     /* forgotten up to here */
	bool waiting;
	uint64_t not_before; /* ns: something of its map could not be read */
	struct map_wait wait;
};

struct store_read {
	struct strake_space_io io;
	struct store *st;
	struct store_read *next;
	uint64_t place;
	bool barred;	      /* some way to read it needs a drive that is away */
	uint8_t probe;	      /* how often parity was asked whether it is the newest: store_read.c */
	uint16_t found;	      /* attempt that gave buf, while a newer one is looked for */
	struct log_head head; /* out */
	/** status 0: buf holds the whole chunk, checked; the callee's to put. */
	void (*done)(struct store_read *r, struct strake_buf *buf, int status);
	void *arg;
	struct strake_buf *buf;
};

struct store_page_read {
	struct store_read r; /* first */
	struct map_read *rd;
};

#define STORE_REPAIRS 8

struct store_stats {
	uint64_t appended[LOG_STREAMS]; /* bytes of chunks */
	uint64_t padded;		/* bytes of rows left zero */
	uint64_t rows, intents, intent_bytes, flushes;
	uint64_t host_blocks, hit_blocks, zero_blocks, same_blocks;
	uint64_t plain_bytes, stored_bytes; /* of host chunks, before and after the stages */
	uint64_t moved_blocks, moved_chunks, repacked, collected, refused_hits;
	uint64_t checkpoints, lists, pages, checkpoint_ns;
	uint64_t reads, read_retries, repaired, lost;
	uint64_t replayed, dropped, replay_ns;
	uint64_t map_grown; /* times the map's cache was made larger for recovery */
	uint64_t stalls;
};

enum store_ckpt_state {
	STORE_CKPT_IDLE,
	STORE_CKPT_PAGES,
	STORE_CKPT_TABLE,
	STORE_CKPT_SYNC,
	STORE_CKPT_NOTE,
	STORE_CKPT_FREE,
};

struct store_ckpt {
	uint8_t state;
	bool wanted, list_wanted;
	bool starved;	       /* if no list helps, nothing goes on without a checkpoint */
	bool futile;	       /* and that would not help either */
	bool list_only;	       /* the one under way is the last checkpoint with a longer list */
	bool clean;	       /* nothing will be appended any more: nothing to replay */
	bool sync_over;	       /* the barrier was met */
	uint64_t begun, ended; /* checkpoints, counted; ended are durable */
	uint64_t log_bytes;    /* appended when the last began */
	uint64_t t_begin;
	uint32_t since_mark;	     /* of st->since: opened before the checkpoint began */
	uint32_t table_at;	     /* entries written */
	uint32_t n_listed, freed_at; /* new ones of super.next, and how many of those are freed */
	struct log_segment *table;   /* as it was at begin */
	struct map_root *roots;
	uint8_t *note;
	struct log_super super;
	struct store_barrier barrier;
	struct strake_space_io free_io;
	uint8_t image[MAP_IMAGE_BYTES] __rte_aligned(8);
};

struct store_gc;
struct store_repack;
struct store_job;
struct store_run;
struct store_replay;
struct store_seals_walk;
struct store_reseal;
struct store_mend;

struct store {
	struct strake_space *sp;
	struct store_conf conf;
	char name[STRAKE_NAME_MAX];
	uint64_t short_uuid;
	uint32_t seg_bytes;
	int failed; /* -EIO: something could not be written; only what is there is read */
	bool open, closing;

	struct map *map;
	struct map_tree *shares;
	uint64_t n_refs; /* of all shares */

	uint64_t lsn;	 /* last given */
	uint64_t serial; /* next */
	uint64_t life;	 /* serials that pass while a segment of hot writes lives, on average; 0: not known yet */

	struct store_seg *seg;
	uint32_t n_seg, n_free;
	uint32_t n_aside;  /* free ones that are not used, and not counted as such */
	uint32_t seg_room; /* that tables have room for: the space may grow so far while the store is open */
	uint32_t n_drained, n_drained_map; /* all, and those of the map among them */
	uint32_t fruitless;		   /* segments collected since a host got one, or gave something back */
	int64_t credit;			   /* bytes that hosts may append before collection has come further */
	uint32_t *ready;		   /* segments a durable superblock names to be opened, in order */
	uint32_t n_ready, ready_at;
	uint32_t *since; /* opened since the checkpoint under way, or the last, began */
	uint32_t n_since;
	uint64_t live_blocks, all_blocks;

	struct store_out out[LOG_STREAMS];
	struct store_row rows[STORE_ROWS], *row_free, *row_used;
	uint32_t n_row_free;

	struct store_barrier *barriers, **barriers_end;
	struct strake_space_io flush_io;
	uint64_t flush_at[LOG_STREAMS];
	bool flushing;
	struct store_intent intent[STORE_INTENTS];
	struct store_mark mark[STORE_MARKS];
	uint64_t mark_head, mark_tail; /* [head, tail) in use */
	uint64_t ring_at;	       /* next position */
	uint64_t intent_seq;	       /* next */
	uint64_t intents_done;	       /* all before are */

	struct store_wait *waits, **waits_end;
	struct store_page_read pread[STORE_READS];
	struct store_read *reads_over, **reads_over_end; /* answered from memory: done is called next turn */
	struct strake_space_io repair[STORE_REPAIRS];
	uint32_t repairs_busy; /* bitmap */
	struct store_vol *vol[STORE_VOLUMES];
	uint32_t n_vol, next_vol;
	struct store_deleting deleting;
	struct store_vol *dead; /* let go of; main frees them */

	struct store_ckpt ckpt;
	struct store_gc *gc;
	struct store_repack *repacks;
	bool repack_starved;
	uint32_t repack_damaged; /* chunks to be sealed anew that cannot be opened */
	bool repack_later;	 /* some could not be just now */
	bool suspects;		 /* there may be some that are to be collected first */
	struct store_replay *replay;
	bool no_table;			     /* the table of segments is being read: no generation is known */
	struct store_seals_walk *seals;	     /* under way, or NULL */
	struct store_seals_walk *seals_last; /* main's: begun and not ended */
	struct store_reseal *reseal;
	bool resealing; /* chunks of older keys are sealed anew */
	struct store_mend *mend;
	struct {				     /* what intents have is to be in rows: rebuild asked */
		uint64_t ckpt;			     /* which makes it so */
		void (*done)(void *arg, int status); /* NULL: it did not */
		void *arg;
	} to_rows;
	uint64_t super_seq;

	struct strake_poller poller;
	struct strake_timer tick;
	struct store_stats stats;
	struct strake_stage *stage;
	struct store_job *jobs, *job_free;
	struct store_run *runs, *run_free;
	uint32_t jobs_busy;
	uint32_t era_busy[2];  /* jobs and repacks under way, by the era they began in */
	uint8_t era;	       /* 0 or 1 */
	bool full;	       /* takes no more writes of hosts */
	uint8_t left;	       /* percent of what it can hold; main reads it */
	bool eased;	       /* a host gave something back since full was looked at */
	bool trimming;	       /* what is appended frees space */
	uint32_t io_under_way; /* of the store's own */
	uint8_t scratch[LOG_CHUNK_MAX];
};

/* --- rows: appending (store_row.c) ------------------------------------------------------------------------------- */

int store_rows_init(struct store *st);
void store_rows_fini(struct store *st);
/**
 * May a chunk of @p bytes be appended to a stream now? @return 0: store_append() will take it, if it comes before
 * anything else is done; -EBUSY: rows are under way, or room has to be made first (store_stall()); -EIO.
 */
int store_room(struct store *st, unsigned int stream, uint32_t bytes);
/** Append: gives place, generation and, if it has none, an lsn to @p h. After store_room() said 0. The payload is bytes
 * [0, h->seal.stored) of the list, or flat memory. @return the entry of block 0. */
uint64_t store_append(struct store *st, unsigned int stream, struct log_head *h, struct strake_buf *list,
		      const uint8_t *flat);
/** Give what is filled of a stream's row to the space. */
void store_row_close(struct store *st, unsigned int stream);
/** End the stream's segment. */
void store_seg_close(struct store *st, unsigned int stream);
/** Is a part of [off, off + len) of a segment not written yet? Then all of it is in memory. */
bool store_row_has(struct store *st, uint32_t seg, uint32_t off, uint32_t len);
/** Copy it from memory. @return false: it is not there. */
bool store_row_read(struct store *st, uint32_t seg, uint32_t off, uint32_t len, uint8_t *to);
/** Is this place durable? */
bool store_durable(const struct store *st, uint64_t place);

/* --- sync: barriers and intents (store_sync.c) ------------------------------------------------------------------- */

/** Have everything appended to the streams in @p mask so far made durable, by intents where that is cheap and @p
 * intents says so. b->done and b->arg are set; done is called later, never from inside. */
void store_sync(struct store *st, struct store_barrier *b, unsigned int mask, bool intents);
/** Have the rows before b->row[] made durable, all of which are given to the space. */
void store_sync_rows(struct store *st, struct store_barrier *b);
/** Carry on with barriers. */
uint32_t store_sync_poll(struct store *st);
/** The intents' ring begins anew. */
void store_intents_reset(struct store *st);

/* --- segments (store_seg.c) -------------------------------------------------------------------------------------- */

void store_seg_live(struct store *st, uint32_t seg, int n);
/** Open the next segment for a stream, which may. */
void store_seg_open(struct store *st, unsigned int stream);
/** May it? @return 0, -EBUSY. */
int store_seg_may_open(struct store *st, unsigned int stream);
/** See what of its room is needed: st->full, st->left. */
void store_look(struct store *st);
/** Hosts wait for a segment, and nothing will ever free one. */
bool store_stuck(struct store *st);
void store_seg_drained(struct store *st, uint32_t seg);
/** The same, of one that was not collected for its room: says nothing of how long segments live. */
void store_seg_resealed(struct store *st, uint32_t seg);
/** The stream of a host's write over an entry, and that of what collection moves, by its chunk's serial. */
unsigned int store_seg_host_stream(const struct store *st, uint64_t over);
unsigned int store_seg_moved_stream(const struct store *st, uint64_t serial);
uint32_t store_seg_victim(struct store *st);
/** Is it to be collected whether there is room or not? */
bool store_seg_first(const struct store_seg *s);
/** A row of it cannot be rebuilt. */
void store_seg_ails(struct store *st, uint32_t seg);
/** Segments kept for a checkpoint; listed and unopened; free for hosts (may be less than none). */
uint32_t store_seg_keep_meta(const struct store *st);
bool store_seg_meta_short(struct store *st, unsigned int stream);
/** Segments that a checkpoint of so many pages takes. */
uint32_t store_seg_pages(const struct store *st, uint64_t pages);
uint32_t store_seg_target(const struct store *st);
/** Is there room for a checkpoint now? */
bool store_seg_meta_fits(const struct store *st);
uint32_t store_seg_ready(const struct store *st);
int64_t store_seg_spare(const struct store *st);
/** The same, and those that are empty. */
int64_t store_seg_level(const struct store *st);
/** Collection has dealt with so many bytes: hosts may append some more. */
void store_seg_walked(struct store *st, uint32_t bytes);
/** Are there not more than @p n listed that hosts may open? */
bool store_seg_short(const struct store *st, uint32_t n);

/* --- changes of the map (store_commit.c) ------------------------------------------------------------------------- */

/* Of all these: -EAGAIN: the map has the wait, call again when it says so; -EBUSY: no room, see store_stall(). */

/** What has to be at hand before blocks [lba, lba + n) of a volume get new entries. @return 0, -EAGAIN, -errno. */
int store_prepare(struct store *st, struct store_vol *v, uint64_t lba, uint32_t n, struct map_wait *w);
/** Set them; after store_prepare(). @p values NULL: holes. */
void store_set(struct store *st, struct store_vol *v, uint64_t lba, uint32_t n, const uint64_t *values);
/** The place behind an entry, through the share table. *out 0: a hole. @return 0, -EAGAIN, -errno. */
int store_resolve(struct store *st, uint64_t entry, uint64_t *out, struct map_wait *w);
/** Share instead of storing: confirms @p where, the word a dedup index keeps. @return 1: shared; 2: it is what lies
 * there already; 0: cannot, store it; -EAGAIN; -errno. Appends the record. */
int store_hit(struct store *st, struct store_vol *v, uint64_t lba, uint64_t where, uint32_t owner_vol,
	      uint64_t owner_lba, struct map_wait *w);
/** The place @p where says, if it can still be had: for comparing bytes. As store_hit(). */
int store_hit_place(struct store *st, struct store_vol *v, uint64_t where, uint32_t owner_vol, uint64_t owner_lba,
		    uint64_t *place, struct map_wait *w);
/** The word for a dedup index. @p entry as in the map. */
uint64_t store_where(struct store *st, uint64_t entry);
/** Make [lba, lba + n) holes, n within one leaf. Appends the record. @return 0, -EAGAIN, -errno */
int store_trim(struct store *st, struct store_vol *v, uint64_t lba, uint32_t n, struct map_wait *w);
/** A block of a chunk at @p from: who holds it? Sets *owner for a moved chunk. @p id its share id if it has one, or
 * UINT64_MAX. @return 1 live, 0 dead, -EAGAIN, -errno. */
int store_block_live(struct store *st, uint64_t from, const struct log_owner *was, uint64_t id, struct log_owner *owner,
		     struct map_wait *w);
/** What a MOVE chunk says happens: entries that say from say to. */
int store_move_prepare(struct store *st, const struct log_head *h, struct map_wait *w);
void store_move(struct store *st, const struct log_head *h, uint64_t to);
/** The head of a move of some blocks (a bitmap) of a chunk; the seal is the chunk's but for `blocks`. */
void store_move_head(struct log_head *h, const struct log_head *was, const struct log_owner *owner, uint32_t blocks);
/** Append it, and make the move in the map. Payload as for store_append(). @return 0, -EAGAIN, -EBUSY, -errno. */
int store_move_append(struct store *st, struct log_head *h, struct strake_buf *list, const uint8_t *flat,
		      struct map_wait *w);
struct store_vol *store_vol_find(struct store *st, uint32_t id);
/** Play a record. @return 0, -EAGAIN, -errno. */
int store_replay_record(struct store *st, const struct log_record *r, struct map_wait *w);

/* --- reading (store_read.c) -------------------------------------------------------------------------------------- */

/** Read the chunk at r->place; st, place, done and arg are set. done is never called from inside. */
void store_chunk_read(struct store_read *r);
/** The same for a chunk that somebody has read already: @p buf is taken, and what is in it checked. */
void store_chunk_give(struct store_read *r, struct strake_buf *buf);
/** The attempt that shows what a byte of a segment is by the nth of the parity that is at hand, counted from 0: the
 * column is left out, and so many of the parity. */
uint16_t store_probe(const struct strake_space *sp, uint64_t off, uint32_t nth);
void store_map_read(void *arg, struct map_read *rd);
uint32_t store_read_poll(struct store *st);

/* --- checkpoint, recovery, collection ---------------------------------------------------------------------------- */

int store_ckpt_init(struct store *st);
void store_ckpt_fini(struct store *st);
void store_ckpt_want(struct store *st);
/** Segments to open are wanted: by a longer list if that is enough, else by a checkpoint. */
void store_ckpt_want_list(struct store *st);
/** The same, by one who cannot go on without. */
void store_ckpt_want_starved(struct store *st);
uint32_t store_ckpt_poll(struct store *st, uint64_t now);

int store_gc_init(struct store *st);
void store_gc_fini(struct store *st);
uint32_t store_gc_poll(struct store *st, uint64_t now);
/** Between two segments, or at rest. */
bool store_gc_idle(const struct store *st);
/** There is nothing to collect, or nothing that can be. */
bool store_gc_rests(const struct store *st);

/** Count a chunk that is appended while the store looks which keys are in use. */
void store_seals_note(struct store_seals_walk *s, const struct strake_seal *seal);
uint32_t store_seals_poll(struct store *st, uint64_t now);

/* --- sealing anew (store_reseal.c) ------------------------------------------------------------------------------- */

int store_reseal_init(struct store *st);
void store_reseal_fini(struct store *st);
uint32_t store_reseal_poll(struct store *st, uint64_t now);
/** Was it sealed under a key that is to go out of use? */
bool store_reseal_old(const struct store *st, const struct strake_seal *seal);
/** A chunk is appended to a segment. */
void store_reseal_note(struct store *st, uint32_t seg, const struct strake_seal *seal);
/** A segment to collect now, though there is room, or STORE_NONE. */
uint32_t store_reseal_victim(struct store *st);
/** May what is done at its pace go on in this turn? */
bool store_reseal_paced(struct store *st, uint64_t now);
/** May collection go on with it in this turn? */
bool store_reseal_may(const struct store *st);
/** It has read so much of it; a chunk of so many bytes was sealed anew. */
void store_reseal_spend(struct store *st, uint32_t bytes);
void store_reseal_done(struct store *st, uint32_t bytes);
/** What it had to leave in a victim. */
struct store_reseal_left {
	uint32_t damaged, unopened; /**< chunks that cannot be opened; that no open volume can open */
	bool later;		    /**< it was not done, or not all of it, for a reason that may pass */
};
void store_reseal_over(struct store *st, uint32_t seg, const struct store_reseal_left *left);

/* --- repacking (store_repack.c) ---------------------------------------------------------------------------------- */

int store_repacks_init(struct store *st);
void store_repacks_fini(struct store *st);
/** Have the living blocks (a bitmap) of a chunk opened, and moved as a chunk of their own. What cannot be is moved
 * whole; with @p reseal it is left where it is (store_repack_left()). @return 0: taken; -ENOTSUP: no open volume can
 * open it; -ENOMEM; -EINPROGRESS: as many are under way as can be. */
int store_repack(struct store *st, const struct log_head *h, const struct log_owner *owner, uint32_t live, bool reseal,
		 const uint8_t *chunk);
uint32_t store_repack_poll(struct store *st);
bool store_repack_busy(const struct store *st);
uint32_t store_repack_count(const struct store *st);
/** What was left since the last call, of what was to be sealed anew. @return chunks that cannot be opened. */
uint32_t store_repack_left(struct store *st, bool *later);
/** @return whether all since the last call found room; those that did not have stayed where they were. */
bool store_repack_end(struct store *st);
/** No more by way of this volume. @return whether none is under way. */
bool store_repack_leave(struct store *st, struct store_vol *v);

/** Rows that scrub found (store_mend.c). */
int store_mend_init(struct store *st);
void store_mend_fini(struct store *st);
uint32_t store_mend_poll(struct store *st);
/** The same for rebuild; strake_space.check. */
void store_mend_check(void *store, uint32_t seg, uint32_t row, void (*done)(void *arg), void *arg);
/** strake_space.to_rows; and its end, if that is still to come (store_sync.c). */
void store_to_rows(void *store, void (*done)(void *arg, int status), void *arg);
uint32_t store_to_rows_poll(struct store *st);
void store_to_rows_over(struct store *st, int status);

/** Play the log after the superblock's checkpoint. Owner lcore; done is called when it is over. */
int store_replay_begin(struct store *st, const struct log_super *super);
uint32_t store_replay_poll(struct store *st);
bool store_replay_over(const struct store *st, int *status);
void store_replay_fini(struct store *st);

/* --- volumes (store_vol.c) --------------------------------------------------------------------------------------- */

/** Does a superblock of so many segments and volumes go into its note? */
bool store_super_fits(const struct store *st, uint32_t segments, uint32_t volumes);
struct store_vol *store_vol_named(const struct store *st, const char *name);
/** Has it a deleted one's name? */
bool store_vol_is_deleted(const struct log_volume *d);
/** Main: make one; another size; forget all it holds. Durable on return; run turns. */
int store_vol_make(struct store *st, const struct log_conf *conf, struct store_vol **out);
int store_vol_resize(struct store *st, struct store_vol *v, uint64_t bytes);
int store_vol_clear(struct store *st, struct store_vol *v);
/** Main: free a list of the dead. */
void store_vol_bury(struct store_vol *dead);
/** Make holes from lba on, of which end is the first that stays: as many as one record takes, within one leaf.
 * @return how many, 1 or more; -EAGAIN, -EBUSY, -errno. */
int store_trim_some(struct store *st, struct store_vol *v, uint64_t lba, uint64_t end, struct map_wait *w);
uint32_t store_delete_poll(struct store *st);

/* --- the rest ---------------------------------------------------------------------------------------------------- */

/** Begin and end to turn: owner lcore. */
void store_turn_start(struct store *st);
void store_turn_stop(struct store *st);
/** Call w->fn when there may be room again. */
void store_stall(struct store *st, struct store_wait *w);
void store_fail(struct store *st, int err);

extern const struct strake_stage_ops store_pack_ops;

/** Something was given back. */
static inline void
store_ease(struct store *st)
{
	st->eased = true;
	st->fruitless = 0;
}

static inline uint32_t
store_row_bytes(const struct store *st)
{
	return st->sp->row_bytes;
}

#endif /* STORE_H */
