/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STORE_JOB_H
#define STORE_JOB_H

/**
 * @file
 * Requests under way in log volumes: a job each, which sends runs of blocks down the chunk chain.
 */

#include "overlap.h"
#include "store.h"
#include "strake_advice.h"

struct lvol;

/* A run of blocks on its way. */
struct store_run {
	struct store_run *next;
	struct store *st;
	struct store_job *job;
	struct strake_chunk *chunk;
	struct store_vol *vol;
	uint64_t lba;		 /* blocks of 4 KiB */
	uint32_t n;		 /* 0: read the whole chunk, however long */
	uint64_t place;		 /* of the chunk read */
	uint32_t first;		 /* read: block of the chunk that is wanted first */
	struct strake_buf *bufs; /* what was read */
	const struct strake_advice_block *fp;
	bool over;
	struct store_repack *repack; /* of a chunk that collection repacks */
	struct map_wait map_wait;
	struct store_wait room_wait;
	struct store_read read;
};

#define STORE_WINDOW 32 /* blocks that a job looks at at once */

enum store_phase { STORE_PHASE_COMPARE, STORE_PHASE_WRITE, STORE_PHASE_SYNC };

struct store_job {
	struct store_job *next;
	struct lvol *lv;
	struct strake_req *req;
	uint64_t first, end; /* blocks of 4 KiB that the range touches */
	uint64_t pos;	     /* of the next one to begin */
	uint64_t base;	     /* of the window */
	uint32_t inflight;
	uint8_t phase;
	uint8_t era;
	bool in_down; /* inside down(): the request ends by verdict */
	bool waiting; /* for the map or for room */
	int16_t status;
	struct store_run *runs, **runs_end; /* of the window, in order */
	uint64_t entry[STORE_WINDOW];
	uint64_t place[STORE_WINDOW];
	struct strake_buf *merge;     /* a block of which only a part is written */
	struct strake_buf *candidate; /* a chunk, of which blocks may be the same as ours */
	uint64_t candidate_at;	      /* pos + 1 of the block for which it was read */
	uint64_t candidate_place;     /* of its block for pos */
	uint32_t candidate_gen;	      /* of its segment */
	struct map_wait map_wait;
	struct store_wait room_wait;
	struct store_barrier barrier;
	struct strake_msg next_turn;
};

int store_jobs_init(struct store *st);
void store_jobs_fini(struct store *st);
struct store_job *store_job_get(struct store *st);
void store_job_put(struct store *st, struct store_job *job);
struct store_run *store_run_get(struct store *st);
void store_run_put(struct store *st, struct store_run *run);

/** The head of the move that a repacked chunk is; its seal is the chunk's. */
void store_repack_head(const struct store_repack *rp, struct log_head *h);
/** The bytes of the chunk that is to be opened, once. */
struct strake_buf *store_repack_bytes(struct store_repack *rp);

/** What pack keeps in a chunk. */
struct pack_ctx {
	struct store_run *run;
};

int store_call(struct store *st, int (*fn)(struct store *st, void *arg), void *arg);
/** Again and again while it says -EINPROGRESS. */
int store_until(struct store *st, int (*fn)(struct store *st, void *arg), void *arg);
/** For store_until(): a checkpoint that begins from now on is durable. @p arg: a uint64_t, 0 at first. */
int store_ckpt_wait(struct store *st, void *arg);

/** A log volume that is open. */
struct lvol {
	struct strake_volume vol;
	struct store *st;
	struct store_vol *v;
	struct strake_stage *stage;
	struct strake_volume_stats *stats;
	struct overlap ov;
	bool write_through;
	bool opens;				    /* has the stage that opens what is sealed */
	bool expands;				    /* and that which expands what is compressed */
	struct strake_unit *starved, **starved_end; /* requests that found no job */
	struct strake_msg feed;
	struct strake_timer tell; /* main's */
};

struct lvol_ctx {
	struct overlap_ctx ov;
	bool entered;
};

extern const struct strake_stage_ops lvol_stage_ops;

/** Carry on with a job. Ends the request when it is over. */
void lvol_pump(struct store_job *job);
/* Between lvol_run.c and lvol_write.c. */

static inline uint64_t
lvol_range_first(const struct store_job *job)
{
	return job->req->u.lba << job->lv->vol.lba_shift;
}

static inline uint64_t
lvol_range_end(const struct store_job *job)
{
	return (job->req->u.lba + job->req->u.nlb) << job->lv->vol.lba_shift;
}

/** Who is told when a page of the map is there: carries on with the job. */
struct map_wait *lvol_waiter(struct store_job *job);
/** What a step said: true: go on with it. Else the job waits, or has failed. */
bool lvol_took(struct store_job *job, int ret);
/** Go on with the job in the next turn: others come first. */
void lvol_yield(struct store_job *job);
/** Send a run down the chain; bufs: what it writes, taken. @return 0, -EBUSY: later. */
int lvol_run_begin(struct store_job *job, struct store_run *run, uint8_t op, struct strake_buf *bufs);
/** Forget the runs of the window; none is under way. */
void lvol_runs_drop(struct store_job *job);
/** Carry on with writing. @return whether it is over. */
bool lvol_write_pump(struct store_job *job);
/** Take what was read for merging or comparing. */
void lvol_write_take(struct store_job *job);
/** The request is over, with the job's status. */
void lvol_end(struct store_job *job);

#endif /* STORE_JOB_H */
