/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef GROUP_PRIV_H
#define GROUP_PRIV_H

/**
 * @file
 * Inside of a group: what belongs to main, what a data lcore has, and what passes between them.
 *
 * Main does one *task* at a time (task.h): take a member out, bring one back, mark regions dirty, clear them, copy a
 * window, write extents. A task may run a *round* (view.h): every data lcore gets a message, takes over the newest
 * view, and answers when all it had handed to the drives before has come back. So a change that has gone through a
 * round is known everywhere and nothing begun without it is under way. Chunks that wait (for a dirty mark, for a
 * window, for main's word on a failed member) are not under way, so no round ever waits for another task.
 */

#include <rte_log.h>

#include "geometry.h"
#include "group.h"
#include "strake_stage.h"
#include "super_format.h"

#define SWEEP_MAX     64
#define ASKS_MAX      32
#define MENDS_MAX     8	 /* of each lcore */
#define MENDED_MAX    64 /* remembered */
#define RESYNC_WINDOW (1u << 20)

struct stripe_lcore;

/** What data lcores know of the group. Read-only once published; two take turns. */
struct group_view {
	struct strake_drive *drive[GEOMETRY_MEMBERS_MAX];
	uint32_t read_mask;	   /**< members in sync */
	uint32_t write_mask;	   /**< these and stale ones */
	bool degraded;		   /**< some member is not in sync */
	uint64_t hold_lo, hold_hi; /**< places that writes keep out of; equal: none */
	bool hold_reads;	   /**< and reads too */
	const uint8_t *unsync;	   /**< bitmap: regions read from the first half only; NULL: none left */
	uint32_t unsync_from;	   /**< those before are settled */
};

/** Main to lcore and back: adopt a view, answer when what was under way is done. */
struct group_ctl {
	struct strake_msg msg;
	struct stripe_lcore *lc;
	const struct group_view *view;
	uint32_t n; /**< regions to age; those that were idle twice are forgotten */
	uint32_t region[SWEEP_MAX];
	uint64_t busy; /**< out: bit i: region[i] is in use here */
};

/** Lcore to main and back: make regions dirty. */
struct group_ask {
	struct strake_msg msg;
	struct group_ask *next;
	struct stripe_lcore *lc;
	uint32_t first, count;
};

/** Lcore to main and back: a member failed; back when that is durable, or when it cannot be spared. */
struct group_fail {
	struct strake_msg msg;
	struct group_fail *next;
	struct stripe_lcore *lc;
	uint32_t member;
	bool busy; /**< on its way; the lcore's */
};

/** Lcore to main and back: a member could not read this, and another half could, or shall. */
struct group_mend {
	struct strake_msg msg;
	struct group_mend *next;
	struct stripe_lcore *lc;
	uint32_t member, len;
	uint64_t off; /**< in the member's data */
};

/** Lcore to main: here I am; main to lcore: this is the view. And the leaving. */
struct group_join {
	struct strake_msg msg;
	struct stripe_lcore *lc;
	const struct group_view *view;
};

/** What a lcore thinks of a region. */
enum { REGION_UNKNOWN, REGION_ASKED, REGION_IDLE, REGION_RECENT };

/** A group on one data lcore. */
struct stripe_lcore {
	const struct group_view *view; /**< NULL until main has answered */
	struct strake_stage *stage;
	struct group *g; /**< for messages; its contents are main's */
	struct geometry geo;
	uint32_t region_shift;
	uint32_t regions; /**< 0: no mirrors, nothing to mark */
	uint8_t *region;  /**< REGION_*, one byte each */
	uint32_t inflight[2];
	uint8_t epoch;
	bool quiescing; /**< ctl is to be answered when inflight[!epoch] is 0 */
	bool left;
	uint32_t talking; /**< questions and reports that main has not answered */
	bool feeding;
	uint32_t batched; /**< members with something in batch */
	struct {
		uint16_t n;
		struct strake_io *io[STRAKE_BURST];
	} batch[GEOMETRY_MEMBERS_MAX];
	struct strake_unit *held, *held_end;   /**< not submitted: window, dirty mark, no view, no I/O descriptor */
	struct strake_unit *limbo, *limbo_end; /**< written, but some member failed: main decides */
	struct group_ask asks[ASKS_MAX], *free_asks;
	struct group_fail fail[GEOMETRY_MEMBERS_MAX];
	struct group_mend mends[MENDS_MAX], *free_mends;
	struct group_ctl ctl;
	struct group_join join, leave;
	struct strake_msg feed;
	bool ctl_out, orphan; /**< main's: ctl is on its way; free lc when it arrives */
	uint64_t degraded_reads, degraded_writes, member_errors, held_count;
};

/** A member, on main. */
struct group_slot {
	struct strake_drive *drive; /**< NULL: never there since start */
	enum group_member_state state;
	bool dead;    /**< nobody stands in for it and its superblock cannot be written: the column is lost */
	bool forming; /**< has a mark, and no superblock that was complete yet */
	uint8_t copy; /**< superblock copy to overwrite next */
	struct strake_buf *page; /**< SUPER_BYTES */
};

enum group_task {
	TASK_NONE,
	TASK_LOST,
	TASK_FORGET,
	TASK_RETURN,
	TASK_DIRTY,
	TASK_CLEAR,
	TASK_MEND,
	TASK_RESYNC,
	TASK_EXTENT,
	TASK_CLOSE
};

/** A range being mended. */
struct mending {
	uint32_t col, bad; /**< bad: members that cannot read the piece at off */
	uint32_t source, targets;
	uint64_t off, end; /**< what is left of it */
	uint32_t step;	   /**< length of the piece */
	bool spread;	   /**< of a resynchronisation: to all that need it */
	bool unsync;	   /**< halves may differ here */
	int status;	   /**< of the last read that failed */
	struct strake_io io;
	struct strake_buf *bufs;
	void (*done)(struct group *g);
};

struct mended {
	uint32_t member, len;
	uint64_t off, at;
};

/** Piece of a window being copied. */
struct copier {
	struct strake_io io;
	struct group *g;
	uint32_t source, targets; /**< member, and mask of those still to write */
	uint64_t off;
	uint32_t len;
	bool bad; /**< its source cannot read it */
	struct strake_buf *bufs;
};

/** The group: main's. */
struct group {
	struct group *next;
	struct super s; /**< as it will be written; s.member[] holds uuid, serial, generation */
	struct geometry geo;
	uint32_t region_shift, regions;
	struct strake_stage *stage;
	struct group_slot m[GEOMETRY_MEMBERS_MAX];

	enum group_task task;
	bool closing;
	bool cached;	/**< what hosts were told: some member has a volatile write cache */
	bool rough;	/**< something was under way when the lcores left: halves may differ */
	uint32_t users; /**< lcores that came and whose leaving main has not heard of; atomic */
	bool quiet;	/**< main waits for the task under way: begin nothing in the background */

	/* I/O to several members at once: fan.c */
	struct {
		uint32_t pending, failed;
		void (*end)(struct group *g, uint32_t failed);
		struct strake_io io[GEOMETRY_MEMBERS_MAX];
	} fan;

	/* rounds: view.c */
	struct stripe_lcore *lc[STRAKE_LCORE_MAX];
	struct group_view views[2];
	unsigned int cur;
	uint64_t hold_lo, hold_hi;
	bool hold_reads;
	struct {
		uint32_t pending;
		uint64_t busy;
		void (*end)(struct group *g);
	} round;
	uint64_t degraded_reads, degraded_writes, lc_errors; /**< of lcores that left */

	/* members: member.c */
	uint32_t lost_host, lost_meta; /**< failed I/O of a host, or a write of our own */
	struct group_fail *fails;
	uint32_t forget;	   /**< missing members whose drive is to be let go */
	struct strake_drive *back; /**< the drive that takes, or has again, the place of member back_i */
	uint32_t back_i, back_pos;
	struct strake_buf *back_page;
	struct super *back_super;
	struct super_mark back_mark;
	bool back_marked;	     /**< it was being made a member when power went */
	bool back_found, back_whole; /**< it has a superblock of ours; all of it has to be copied */
	struct strake_io back_io;
	uint64_t member_errors;

	/* dirty regions: dirty.c */
	uint8_t *bits; /**< as on the members, but for what the task under way is writing */
	uint32_t dirty;
	uint64_t dirty_seq[DIRTY_BLOCKS];
	bool block_todo[DIRTY_BLOCKS];
	uint32_t blocks, block, blocks_failed;
	struct strake_buf *dirty_page;
	void (*blocks_end)(struct group *g, uint32_t failed);
	struct group_ask *asks, *asks_end; /**< waiting for the next pass */
	struct group_ask *asks_now;	   /**< of the pass under way */
	struct strake_timer timer;
	bool clear_due;
	uint32_t clear_cursor, clear_n;
	uint32_t clear_region[SWEEP_MAX];

	/* resynchronisation: resync.c */
	uint8_t *need;	 /**< by region: NEED_* */
	uint8_t *unsync; /**< bitmap as of the start; never changed afterwards */
	uint32_t need_n, unsync_n, unsync_from, pos;
	uint64_t pos_off; /**< member offset of the next window */
	bool step_failed;
	struct copier *copiers;
	uint32_t copying, copier_n;
	uint64_t resync_bytes;
	bool region_bad;   /**< the region at pos has blocks that no half can read */
	uint32_t bad_n;	   /**< regions with NEED_BAD */
	uint32_t bad_mask; /**< stale members that lack something for that */
	uint32_t bad_age;  /**< periods of the timer since they were tried */
	bool bad_due;	   /**< try them again */

	/* rewriting what a half cannot read: mend.c */
	struct group_mend *mends, *mends_end, *mend_now;
	struct mending mend;
	struct mended mended[MENDED_MAX];
	uint32_t mended_next;
	uint64_t mends_done, mends_skipped, mended_bytes, unreadable_bytes;
};

#define NEED_COPY   1
#define NEED_UNSYNC 2
#define NEED_BAD    4 /* has blocks that no half can read; left alone for a while */
#define NEED_TOLD   8 /* the operator knows */

/** First bit of a column in a mask of members, and the mask of its members. */
static inline uint32_t
col_mask(const struct geometry *geo, uint32_t col)
{
	return (uint32_t)(((1ULL << geo->copies) - 1) << (col * geo->copies));
}

static inline bool
bit_get(const uint8_t *bits, uint32_t i)
{
	return bits[i >> 3] >> (i & 7) & 1;
}

static inline void
bit_set(uint8_t *bits, uint32_t i, bool on)
{
	if (on)
		bits[i >> 3] |= (uint8_t)(1u << (i & 7));
	else
		bits[i >> 3] &= (uint8_t) ~(1u << (i & 7));
}

extern int group_logtype;
#define GROUP_LOG(level, ...) rte_log(RTE_LOG_##level, (uint32_t)group_logtype, __VA_ARGS__)

/* group.c: tasks */
/** Look for the next task, if none is under way. */
void group_kick(struct group *g);
void group_task_end(struct group *g);
/** Run turns of main until the group has no task under way. At boot and shutdown. */
void group_settle(struct group *g);

/* fan.c */
/** Members that are in sync or stale and alive: those our own writes go to. */
uint32_t group_mask_writable(const struct group *g);
uint32_t group_mask_state(const struct group *g, enum group_member_state state);
void fan_begin(struct group *g, void (*end)(struct group *g, uint32_t failed));
/** Add one I/O of a member; writes are FUA. */
void fan_add(struct group *g, uint32_t member, uint8_t op, uint64_t off, struct strake_buf *buf, uint32_t len);
/** All added: end() runs when all are done, at once if there are none. */
void fan_go(struct group *g);
/** Flush those of @p mask. */
void fan_flush(struct group *g, uint32_t mask, void (*end)(struct group *g, uint32_t failed));
/** Write marks to the members that are being formed. */
void fan_marks(struct group *g, void (*end)(struct group *g, uint32_t failed));
/** Their first superblocks are durable: the marks may go with the next ones. @return true: there were such members. */
bool group_formed(struct group *g);
/** Write the superblock of every member in @p mask. */
void fan_super(struct group *g, uint32_t mask, void (*end)(struct group *g, uint32_t failed));

/* view.c */
void round_publish(struct group *g, void (*end)(struct group *g));
void round_sweep(struct group *g, const uint32_t *regions, uint32_t n, void (*end)(struct group *g));
void group_view_fill(struct group *g, struct group_view *v);
void group_join_on_main(struct strake_msg *msg);
void group_leave_on_main(struct strake_msg *msg);
void group_ctl_back(struct strake_msg *msg);

/* member.c */
void task_lost(struct group *g);
void task_return(struct group *g);
void task_forget(struct group *g);
void group_fail_on_main(struct strake_msg *msg);
bool group_column_spare(const struct group *g, uint32_t member);
int group_drive_blank(const uint8_t *page, uint32_t len, bool head, const char **what);

/* dirty.c */
int dirty_init(struct group *g);
void dirty_fini(struct group *g);
void task_dirty(struct group *g);
void task_clear(struct group *g);
void group_ask_on_main(struct strake_msg *msg);
void dirty_set_all(struct group *g);
/** Begin to look for regions that can be cleared, if there are any. */
void dirty_watch(struct group *g);
void dirty_set(struct group *g, uint32_t region, bool on);
/** Write the blocks with block_todo to @p mask. */
void dirty_write(struct group *g, void (*end)(struct group *g, uint32_t failed));
void dirty_write_all(struct group *g, void (*end)(struct group *g, uint32_t failed));

/* resync.c */
int resync_init(struct group *g);
void resync_fini(struct group *g);
/** A member became stale: every dirty region has to be copied. */
void resync_need_dirty(struct group *g, uint8_t why);
bool resync_wanted(const struct group *g);
void task_resync(struct group *g);

/** Time passes: now and then, what could not be read is tried again. */
void resync_tick(struct group *g);

/* mend.c */
void task_mend(struct group *g);
void group_mend_on_main(struct strake_msg *msg);
/**
 * Keep everybody out of a range of a column, rewrite what @p member, or else any of its halves, cannot read there, and
 * call @p done with the range still held. @p spread: also to members that are to be resynchronised.
 */
void mend_range(struct group *g, uint32_t member, uint64_t off, uint32_t len, bool spread,
		void (*done)(struct group *g));

/* assemble.c */
struct group_boot {
	const struct conf_group *conf;
	struct strake_drive **drives;
	unsigned int n;
	char *err;
	size_t errlen;
};
/** Fill a zeroed group from its drives: members, geometry, superblock, dirty map. */
int group_assemble(struct group *g, const struct group_boot *boot);
/** Refuse in one line. @return @p ret. */
int group_refuse(const struct group_boot *boot, int ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** Refuse a drive whose first or last MiB holds something. @p page has STRAKE_BUF_PAGE_MAX bytes. */
int group_blank_check(const struct group_boot *boot, struct strake_drive *d, struct strake_buf *page);
int group_random_uuid(uint8_t *uuid);

/* stripe.c, stripe_lcore.c */
extern const struct strake_stage_ops stripe_stage_ops;
int stripe_lcore_create(struct stripe_lcore **out, struct group *g);
void stripe_lcore_free(struct stripe_lcore *lc);

#endif /* GROUP_PRIV_H */
