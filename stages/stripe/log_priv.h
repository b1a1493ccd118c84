/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOG_PRIV_H
#define LOG_PRIV_H

/**
 * @file
 * Inside of a log group: what belongs to main, what the owner lcore has, and what passes between them.
 *
 * Main does one *job* at a time (log_main.c): record that a member is lost, bring one in, call one rebuilt, write a
 * note. When what it changed is durable it sends the owner a *view*; one is under way at a time. The owner
 * never waits for that but in one case: an op that some member failed is in *limbo* until main says that the loss is
 * durable (then it is done), or that the member cannot be spared (then it fails).
 */

#include <rte_log.h>

#include "group_priv.h"
#include "log_geometry.h"
#include "log_group.h"
#include "log_parity.h"
#include "log_super_format.h"

#define LOG_OPS	      128 /* under way on the owner lcore */
#define LOG_ROWS      16  /* of those, rows: each has pages for its parity */
#define LOG_OP_IOS    32  /* drives of one op at a time; at least members */
#define LOG_NOTE_JOBS 16
#define LOG_SPARES    8
#define LOG_COPY_IOS  LOG_ROLES_MAX

struct log_group;
struct lgroup_op;

/* --- the owner's --------------------------------------------------------------------------------------------------
 */

/** A member, as the owner knows it. */
struct lgroup_member {
	struct strake_drive *drive; /**< NULL unless it is written */
	uint8_t state;		    /**< enum log_member_state */
	bool failing;		    /**< failed a write; main has not decided yet */
	uint32_t epoch;		    /**< counts its comings */
	uint32_t refused;	    /**< the latest of main's words that refused its loss */
	uint64_t written, flushed;  /**< writes done, and those a flush has covered */
	uint64_t read_errors, write_errors, wrong;
	uint8_t *fresh;	 /**< stale: bitmap of segments whose column here is good; main's to allocate and free */
	uint8_t *behind; /**< bitmap of segments whose column here lacks something; NULL: all. log_behind.c */
	uint64_t safe;	 /**< stamps up to this one are covered by a flush */
};

/** A stretch of one column that a read wants. */
struct lgroup_piece {
	uint32_t row, role;
	uint32_t off, len;   /**< in the unit, whole blocks */
	uint32_t skip, want; /**< of those bytes: what is asked for */
	uint32_t failed;     /**< roles that could not be read here */
	struct strake_buf *bufs;
};

/** Work under way for one strake_space_io. */
struct lgroup_op {
	struct lgroup_op *next;
	struct log_group *g;
	struct strake_space_io *sio;
	void (*then)(struct lgroup_op *op); /**< all ios of the step are back */
	uint32_t pending;
	uint32_t failed; /**< members that lack what was written */
	uint32_t words;	 /**< main had said when it began */
	int err;
	struct strake_buf **parity; /**< m pages, of a row */
	/* reads */
	uint32_t pos; /**< bytes of the window that are done */
	uint32_t ios, pieces, piece, from, out_mask;
	struct strake_buf **tail;
	struct strake_io io[LOG_OP_IOS];
	uint32_t who[LOG_OP_IOS];   /**< member */
	uint32_t of[LOG_OP_IOS];    /**< piece, or role */
	uint64_t cover[LOG_OP_IOS]; /**< writes of the member that a flush covers */
	uint64_t stamp, safe;	    /**< of its latest write to a segment; those that its flushes cover. log_behind.c */
	struct lgroup_piece list[LOG_OP_IOS];
};

/** Owner to main and back: a member failed. */
struct lgroup_report {
	struct strake_msg msg;
	struct log_group *g;
	uint32_t member;
	struct strake_drive *drive; /**< that it was */
};

/** Main to owner and back: how things stand. */
struct lgroup_view {
	struct strake_msg msg;
	struct log_group *g;
	struct {
		struct strake_drive *drive;
		uint8_t state;
		bool same; /**< it came back as it went */
		uint32_t epoch;
		uint8_t *fresh;
	} m[LOG_MEMBERS_MAX];
	uint32_t members;
	uint32_t refused; /**< members whose loss was reported and is not to be */
	bool moved;	  /**< the column on its way is where it goes */
	struct lgroup_geometry
		*geo; /**< with one member more, or NULL; and room for its segments. Both come back old. */
	uint32_t *rows;
	uint32_t rows_room;
};

/** Write a note: of main's own, or from the owner and back. */
struct lgroup_note_job {
	struct strake_msg msg;
	struct lgroup_note_job *next;
	struct log_group *g;
	uint32_t id, len;
	const void *data;
	uint32_t tries; /**< that failed */
	int status;
	void (*end)(struct lgroup_note_job *job); /**< main */
	void (*done)(void *arg, int status);	  /**< owner */
	void *arg;
	bool busy;
};

/** Owner to main: a member is rebuilt, or a column moved. */
struct lgroup_done {
	struct strake_msg msg;
	struct log_group *g;
	bool moved;
	uint32_t member;
	struct strake_drive *drive;
	bool out; /**< main has not acted on it; the owner's */
};

/** Main to owner and back to be freed. */
struct lgroup_order {
	struct strake_msg msg;
	struct log_group *g;
	enum { ORDER_RATE, ORDER_SCRUB, ORDER_REST } what;
	uint64_t rate;
};

/** Filling columns in the background: those of a stale member, or one that moves. log_walk.c */
struct lgroup_walk {
	enum { WALK_NONE, WALK_REBUILD, WALK_MOVE } kind;
	uint32_t member, epoch; /**< written to, since it came */
	struct lgroup_move mv;
	uint32_t seg, pos, row, rows;
	bool copying;			 /**< rows of seg */
	bool freed;			 /**< it was to be freed meanwhile */
	bool intents;			 /**< all segments are done: the store makes rows of what the intents have */
	uint32_t bad, role, avoid, from; /**< segments that cannot be had; roles of the row */
	uint32_t doubts;		 /**< how often the store was asked about the row */
	bool asked, mended;		 /**< it was just now; it had the row written, and the column */
	uint64_t doubtful;		 /**< rows of which it knew no better */
	uint64_t rate, bytes, due;
	struct lgroup_op op;
	struct strake_timer timer;
	struct strake_space_io *held;
	struct strake_buf *page;
	struct lgroup_done done;
};

/** Looking for rows that disagree with their parity. log_scrub.c */
struct lgroup_scrub {
	bool on, freed;
	uint32_t seg, row, rows;
	uint64_t rate, due, n_rows, n_wrong, n_ended;
	struct lgroup_op op;
	struct strake_timer timer;
	struct strake_buf *have[LOG_ROLES_MAX], *page;
	void (*found)(void *arg, uint32_t seg, uint32_t row);
	void *arg;
};

struct lgroup_owner {
	bool joined; /**< has a view */
	bool here;
	bool beginning; /**< inside of submit(): what ends is kept for the poller */
	struct strake_poller poller;
	struct strake_msg join, leave;
	struct log_group *g;
	struct lgroup_geometry geo;
	struct lgroup_parity parity;
	struct lgroup_member m[LOG_MEMBERS_MAX];
	uint32_t members;
	uint32_t words; /**< of main about members, so far */
	struct lgroup_op *ops, *free_ops;
	struct strake_buf *pages[LOG_ROWS][LOG_PARITY_MAX]; /**< parity */
	struct strake_buf **free_pages[LOG_ROWS];
	uint32_t n_free_pages;
	uint32_t inflight;
	struct strake_space_io *waiting, **waiting_end;
	struct lgroup_op *limbo;
	struct lgroup_op *over, **over_end; /**< to go on with from the poller */
	struct {			    /* one at a time */
		struct lgroup_op *op, *next, **next_end;
		uint32_t row, role; /* role: to look at next */
		uint32_t off, len;  /* of the units: what is read */
		uint32_t lo, hi;    /* and what is vouched for */
		uint32_t wanted;    /* of the members that it writes: who is given the row by it, bit by bit */
		struct strake_buf *have[LOG_ROLES_MAX], *truth[LOG_ROLES_MAX];
	} repair;
	uint32_t *rows; /**< by segment: rows begun since it was freed */
	uint32_t rows_room;
	uint64_t *stamp, stamps; /**< by segment, of its latest write; given so far. log_behind.c */
	uint32_t behind_room;	 /**< segments with a stamp, and a bit in `behind` */
	bool growing;		 /**< a member was added and columns have to move to it */
	struct lgroup_walk walk;
	struct lgroup_scrub scrub;
	struct lgroup_report report[LOG_MEMBERS_MAX];
	struct lgroup_note_job note[LOG_NOTE_JOBS];
	struct {
		uint64_t rows, reads, bytes_written, bytes_read, degraded_reads, degraded_writes, rebuilt_reads;
		uint64_t mended, repaired;
	} n;
};

/* --- main's --------------------------------------------------------------------------------------------------------
 */

struct lgroup_slot {
	struct strake_drive *drive; /**< NULL: never there since start */
	uint8_t state;
	bool forming;	/**< has a mark and no complete superblock yet */
	bool same;	/**< when it last came it was as it had gone */
	uint64_t seq;	/**< of the superblock that was written to it last */
	uint8_t copy;	/**< superblock copy to overwrite next */
	uint32_t epoch; /**< counts its comings */
	uint8_t *fresh; /**< for the owner, which clears it whenever the member comes */
	uint32_t fresh_room;
	struct strake_buf *page; /**< LOG_SUPER_BYTES */
};

struct log_group {
	struct strake_space space;
	struct log_group *next;
	struct lgroup_super s; /**< as it will be written */
	struct lgroup_slot m[LOG_MEMBERS_MAX];
	uint64_t data_off;
	struct lgroup_owner o;

	/* jobs: log_main.c */
	bool busy, closing;
	bool joined, join_due; /**< the owner is there and gets views; it waits for its first */
	uint32_t users;	       /**< atomic: owners that came and have not left */
	uint32_t lost;	       /**< members reported to have failed */
	uint32_t changed;      /**< of those: recorded by the job under way */
	uint32_t refused;      /**< of those: cannot be spared */
	uint32_t rebuilt;      /**< members that the owner has rebuilt */
	bool moved;	       /**< it has moved a column */
	struct lgroup_note_job *notes;
	struct { /* the drive that takes a member's place: log_back.c */
		struct strake_drive *drive;
		uint32_t member, note;
		bool add; /**< the place is a new one */
	} back;
	struct log_scrub_last scrub_last;
	struct strake_drive *spare[LOG_SPARES];
	uint32_t spares;
	struct lgroup_geometry *geo; /**< for the next view, and its rows */
	uint32_t *rows;
	struct lgroup_view view;
	bool view_out, view_due; /**< on its way to the owner or back; another is due */
	bool move_told;		 /**< for the next view: a move is recorded */
	bool geo_told;		 /**< and geo is to be taken over */
	struct {
		uint32_t pending, failed;
		void (*end)(struct log_group *g, uint32_t failed);
		struct strake_io io[LOG_MEMBERS_MAX];
	} fan;

	/* notes: log_note.c */
	uint64_t note_seq[LOG_NOTES];
	uint32_t note_len[LOG_NOTES];
	bool note_lost[LOG_NOTES]; /**< it was written, and no copy of it checks */
	uint8_t *note_blob;	   /**< LOG_NOTES of LOG_NOTE_BYTES */
	struct strake_buf *note_page;
};

extern int lgroup_logtype;
#define LOG_GROUP_LOG(level, ...) rte_log(RTE_LOG_##level, (uint32_t)lgroup_logtype, __VA_ARGS__)

/* log_assemble.c */
/** Fill a zeroed group from its drives: superblock, members, notes. */
int lgroup_assemble(struct log_group *g, const struct group_boot *boot);
/** May an open drive take the place of a member, or of a new one (UINT32_MAX)? Runs turns. @return 0, *whole: it is
 * blank, *same: it has the superblock that was written to it last; or -errno and one line. */
int lgroup_judge(struct log_group *g, uint32_t member, struct strake_drive *drive, bool *whole, bool *same, char *err,
		 size_t errlen);
uint32_t lgroup_slots(const struct lgroup_super *s, const struct strake_drive *d);

/* log_main.c */
void lgroup_kick(struct log_group *g);
void lgroup_job_end(struct log_group *g);
/** Run turns of main until no job is under way. */
void lgroup_settle(struct log_group *g);
/** Send a view, or another when the one under way is back. The job need not wait for it. */
void lgroup_publish(struct log_group *g);
void lgroup_report_on_main(struct strake_msg *msg);
void lgroup_join_on_main(struct strake_msg *msg);
void lgroup_leave_on_main(struct strake_msg *msg);

/* log_fan.c: I/O of main's own, to several members at once */
uint32_t lgroup_mask_state(const struct log_group *g, enum log_member_state state);
uint32_t lgroup_mask_writable(const struct log_group *g);
void lgroup_fan_begin(struct log_group *g, void (*end)(struct log_group *g, uint32_t failed));
/** Add one I/O of a member; writes are FUA. */
void lgroup_fan_add(struct log_group *g, uint32_t member, uint8_t op, uint64_t off, struct strake_buf *buf,
		    uint32_t len);
void lgroup_fan_go(struct log_group *g);
void lgroup_fan_flush(struct log_group *g, void (*end)(struct log_group *g, uint32_t failed));
/** Write marks to the members that are being formed. */
void lgroup_fan_marks(struct log_group *g, void (*end)(struct log_group *g, uint32_t failed));
/** Their first superblocks are durable: the marks may go with the next ones. @return true: there were such members. */
bool lgroup_formed(struct log_group *g);
/** Write the superblock of every member that is written. */
void lgroup_fan_super(struct log_group *g, void (*end)(struct log_group *g, uint32_t failed));
/** Of some of them. */
void lgroup_fan_super_to(struct log_group *g, uint32_t mask, void (*end)(struct log_group *g, uint32_t failed));

/* log_back.c */
void lgroup_back_job(struct log_group *g);
void lgroup_rebuilt_job(struct log_group *g);
void lgroup_moved_job(struct log_group *g);
/** A member is missing and a spare is there: begin. @return true: it is under way. */
bool lgroup_spare_job(struct log_group *g);
void lgroup_done_on_main(struct strake_msg *msg);

/* log_note.c */
/** Read all notes from all members in sync, and write again what some member lacks. */
int lgroup_notes_load(struct log_group *g);
/** The job at the head of the list. */
void lgroup_note_job(struct log_group *g);
/** Write a note as it is to some members. */
void lgroup_note_fan(struct log_group *g, uint32_t id, uint32_t mask,
		     void (*end)(struct log_group *g, uint32_t failed));
extern const struct strake_space_ops lgroup_space_ops;

/* log_space.c: on the owner lcore */
void lgroup_submit(struct strake_space *sp, struct strake_space_io *io);
/** Add an I/O of a member to the op's step. */
void lgroup_io(struct lgroup_op *op, uint32_t member, uint8_t what, uint64_t off, uint32_t len, struct strake_buf *bufs,
	       uint32_t buf_off);
/** Hand the step's I/Os to the drives; @p then runs when they are back, later in any case. */
void lgroup_go(struct lgroup_op *op, void (*then)(struct lgroup_op *op));
/** The op is over; its io is done in a later turn or callback, never inside submit. */
void lgroup_end(struct lgroup_op *op, int status);
/** A step that wrote is back: the op is done, or waits in limbo for main's word on who failed. */
void lgroup_written(struct lgroup_op *op);
/** Tell main that a member failed, once. */
void lgroup_failed(struct log_group *g, uint32_t member);
/** Where a column's byte lies on its drive. */
uint64_t lgroup_place(const struct log_group *g, uint32_t column, uint32_t row, uint32_t off);
uint32_t lgroup_role_column(const struct log_group *g, uint32_t seg, uint32_t row, uint32_t role);
/** Does the op's attempt leave out the column that has @p role in @p row? It does so in all rows, as a drive is wrong.
 */
static inline bool
lgroup_left_out(const struct lgroup_op *op, uint32_t row, uint32_t role)
{
	uint32_t first = (uint32_t)(op->sio->off / op->g->space.row_bytes);

	return op->out_mask != 0 && (op->out_mask >> (role + row - first) % op->g->o.geo.width & 1) != 0;
}
bool lgroup_writable(const struct log_group *g, uint32_t member);
bool lgroup_readable(const struct log_group *g, uint32_t member, uint32_t seg);
void lgroup_adopt(struct strake_msg *msg);
void lgroup_owner_free(struct log_group *g);

/* log_walk.c: on the owner lcore */
int lgroup_walk_init(struct log_group *g);
/** What stands may have changed: begin, or give up, what is to be filled. */
void lgroup_walk_kick(struct log_group *g);
/** The io has to wait until the walk is past it; it is kept. */
bool lgroup_walk_holds(struct log_group *g, struct strake_space_io *sio);
/** Main has recorded the move. */
void lgroup_walk_moved(struct log_group *g);
/** Where the column of a segment that moves is to be written too. @return false: it does not move. */
bool lgroup_walk_also(const struct log_group *g, uint32_t seg, uint32_t pos, uint32_t *column);
/** A row is written anew, all of it: is the stale member's column, or the one that moves to this member, to be written
 * too? It was copied already, or the store was asked about it. */
bool lgroup_walk_wants(const struct log_group *g, uint32_t seg, uint32_t row, uint32_t member);
/** It was. */
void lgroup_walk_mended(struct log_group *g, uint32_t row);
void lgroup_walk_fini(struct log_group *g);

/* log_behind.c: on the owner lcore */
int lgroup_behind_init(struct log_group *g);
void lgroup_behind_fini(struct log_group *g);
/** A write to the segment did not reach the member. */
void lgroup_behind_mark(struct log_group *g, uint32_t member, uint32_t seg);
/** The op begins to write to its segment. */
void lgroup_behind_stamp(struct lgroup_op *op);
/** Writes with stamps up to this one are done: a flush that begins now covers them. */
uint64_t lgroup_behind_safe(const struct log_group *g);
/** The member, as it still stands, goes. */
void lgroup_behind_went(struct log_group *g, uint32_t member);
/** It comes: what is `fresh` on it from the start. @p same: as it went. */
void lgroup_behind_back(struct log_group *g, uint32_t member, bool same, uint8_t *fresh);
/** From now on it is told what it lacks: nothing if it is in sync, else all. */
void lgroup_behind_begin(struct log_group *g, uint32_t member, bool in_sync);

/* log_scrub.c: on the owner lcore */
int lgroup_scrub_init(struct log_group *g);
void lgroup_scrub_freed(struct log_group *g, uint32_t seg);
void lgroup_scrub_fini(struct log_group *g);
void lgroup_scrub_order(struct log_group *g, const struct lgroup_order *order);
bool lgroup_same(struct strake_buf *a, struct strake_buf *b, uint32_t len);

/* log_tel.c: the figures of a log group by name, on main. @return 0, -ENOENT. */
struct rte_tel_data;
int lgroup_tel_info(const char *params, struct rte_tel_data *d);

/* log_row.c, log_read.c: begin a piece of work */
void lgroup_row(struct lgroup_op *op);
void lgroup_free(struct lgroup_op *op);
void lgroup_flush(struct lgroup_op *op);
void lgroup_intent(struct lgroup_op *op);
void lgroup_intent_read(struct lgroup_op *op);
void lgroup_read(struct lgroup_op *op);
void lgroup_repair(struct lgroup_op *op);
/** Is a repair of this row under way? */
bool lgroup_repairs(const struct log_group *g, uint32_t seg, uint32_t row);

#endif /* LOG_PRIV_H */
