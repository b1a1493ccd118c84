/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_UNIT_H
#define STRAKE_UNIT_H

/**
 * @file
 * What travels through a chain: the part that requests and chunks have in common.
 *
 * A unit is begun by its *origin* (a front, a volume, a stage that has work of its own), walks down a chain of stages
 * towards the drives, comes back up through the stages it visited, and ends in `done`, on the lcore that began it,
 * exactly once, whatever happened. Between begin and done it belongs to the chain and to the stage that holds it.
 */

#include <errno.h>
#include <stdint.h>

#include "strake_buf.h"

#ifdef __cplusplus
extern "C" {
#endif

struct strake_chain;
struct strake_stage;

enum strake_unit_kind {
	STRAKE_UNIT_REQ,   /**< struct strake_req: what a host asked for */
	STRAKE_UNIT_CHUNK, /**< struct strake_chunk: what the drives keep */
};

enum strake_op {
	STRAKE_OP_READ,
	STRAKE_OP_WRITE,
	STRAKE_OP_FLUSH,	 /**< everything acknowledged before is durable afterwards; no range */
	STRAKE_OP_WRITE_ZEROES,	 /**< the range reads as zeroes afterwards */
	STRAKE_OP_DEALLOCATE,	 /**< the range may be forgotten; it reads as zeroes, or as before */
	STRAKE_OP_COMPARE,	 /**< bufs against what is stored; -EILSEQ when different */
	STRAKE_OP_COMPARE_WRITE, /**< fused: bufs holds the expected bytes, then the new ones, each nbytes / 2 */
	STRAKE_OP_VERIFY,	 /**< read and check, return no data */
	STRAKE_OP_COUNT,
};

/** What a stage says of each unit of a burst. */
enum strake_verdict {
	STRAKE_NEXT,  /**< to the next stage */
	STRAKE_DONE,  /**< finished here (status says how): turns round and goes up */
	STRAKE_HELD,  /**< the stage keeps it, and later calls strake_unit_continue() or strake_unit_complete() */
	STRAKE_RETRY, /**< the stage has no room: the chain offers it again next turn, in order */
};

/* strake_unit::flags */
#define STRAKE_UNIT_FUA	       0x0001 /**< durable before done */
#define STRAKE_UNIT_INTERNAL   0x0002 /**< begun inside the appliance (resync, GC): may use the pools' reserves */
#define STRAKE_UNIT_TRACED     0x0004 /**< strake_trace.h records each step */
#define STRAKE_UNIT_CANCELLED  0x0008 /**< its host is gone: stages drop it if they have not submitted it yet */
#define STRAKE_UNIT_SUBMITTED  0x0010 /**< a drive has it: cancellation comes too late */
#define STRAKE_UNIT_NO_DEALLOC 0x0020 /**< write zeroes must not deallocate */
/** Read: a processor of ours looks at the bytes before they are gone (copies, sums, deciphers them), so whoever has
 * them in memory may begin to fetch them into the cache. Set on the way down by each who will; nobody may rely on it.
 */
#define STRAKE_UNIT_TOUCHED 0x0040

/** Bytes of private room that the stages of one chain share in a unit (each gets its req_ctx_size of it). */
#define STRAKE_UNIT_CTX 128

/**
 * The common head.
 *
 * `status` is 0 or a negative errno; the front turns it into the protocol's (see nvmf_status_of() for NVMe):
 * -EIO media error, -EILSEQ compare failed, -ERANGE beyond the end, -ECANCELED aborted, -ENOSPC capacity exceeded,
 * -EROFS write protected, -ENODEV no path left, -ETIMEDOUT, -EBADMSG integrity, -ENOMEM out of buffers,
 * -EOPNOTSUPP, -EINVAL.
 */
struct strake_unit {
	struct strake_unit *link; /**< free for whoever holds the unit: list or queue */
	struct strake_chain *chain;
	struct strake_buf *bufs; /**< payload. Write: set by the origin. Read: NULL on the way down, set by whoever has
				    the bytes; the origin puts them. */
	struct strake_buf *last; /**< last element of bufs, kept only by who appends */
	uint32_t nbytes;	 /**< payload length, bytes; 0 for ops without payload */
	int16_t status;		 /**< 0 or -errno */
	uint16_t flags;		 /**< STRAKE_UNIT_* */
	uint8_t kind;		 /**< enum strake_unit_kind */
	uint8_t op;		 /**< enum strake_op */
	uint8_t verdict;	 /**< enum strake_verdict, written by the stage */
	uint8_t cls;		 /**< class of service, 0 the default */
	uint8_t pos;		 /**< stage it stands at; the chain's */
	uint8_t home;		 /**< lcore whose stages it walks: the slab's owner; the chain's */
	uint8_t origin;		 /**< lcore that began it, where done runs; the chain's */
	uint16_t visited;	 /**< bitmap of stages whose up() is owed; the chain's */
	uint64_t lba;		 /**< first logical block, in the volume's LBA size */
	uint32_t nlb;		 /**< logical blocks, 1-based (0: none, e.g. flush) */
	uint32_t tag;		 /**< the origin's, for traces (NVMe: qid << 16 | cid) */
	uint64_t t_start;	 /**< ns, when it was begun */
	/** Ends it: runs on `origin`, once. The unit is the callee's again. */
	void (*done)(struct strake_unit *unit);
	void *arg; /**< the origin's */
};

/** Fail a unit from inside a stage's down(): status and verdict in one. */
static inline void
strake_unit_fail(struct strake_unit *unit, int err)
{
	unit->status = (int16_t)err;
	unit->verdict = STRAKE_DONE;
}

/** Append a list to the payload of a unit; takes the list. */
static inline void
strake_unit_append(struct strake_unit *unit, struct strake_buf *list)
{
	if (list == NULL)
		return;
	if (unit->bufs == NULL)
		unit->bufs = list;
	else
		unit->last->next = list;
	while (list->next != NULL)
		list = list->next;
	unit->last = list;
}

static inline int
strake_op_writes(uint8_t op)
{
	return op == STRAKE_OP_WRITE || op == STRAKE_OP_WRITE_ZEROES || op == STRAKE_OP_DEALLOCATE ||
	       op == STRAKE_OP_COMPARE_WRITE;
}

/** Name of an op, for traces and telemetry. */
const char *strake_op_name(uint8_t op);

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_UNIT_H */
