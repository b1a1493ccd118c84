/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef URING_RING_H
#define URING_RING_H

/**
 * @file
 * One io_uring per lcore, shared by all its uring drives: at most one io_uring_enter() in a turn.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "drive_ring.h"
#include "strake_drive.h"

#define URING_SQES  512	 /* queue entries: most I/Os begun in one turn */
#define URING_OPS   1024 /* most I/Os under way on an lcore */
#define URING_IOVS  64	 /* pieces of one I/O that are taken as they lie */
#define URING_FILES 256

struct uring_drive;

/** What an op does next when the kernel answers. */
enum uring_step {
	URING_RW,	  /* read or write, whole or the rest */
	URING_FLUSH,	  /* fdatasync asked for */
	URING_FALLOC,	  /* zero or punch by fallocate */
	URING_FILL,	  /* zeroes written, where fallocate cannot */
	URING_FLUSH_ZERO, /* fdatasync after zeroes with FUA */
	URING_REFUSED,	  /* beyond the end: only comes back */
};

/** An I/O under way. */
struct uring_op {
	struct uring_op *next; /* free list, or waiting to be offered again */
	struct strake_io *io;
	struct uring_drive *drive;
	struct strake_buf *page; /* of the arena: aligned copy of the payload, or where a read lands */
	uint32_t done;		 /* bytes */
	bool helped;		 /* a thread of the kernel has to run before it is done */
	enum uring_step step;
	struct iovec iov[URING_IOVS];
};

struct uring_ring {
	struct strake_poller poller;
	struct drive_ring q;
	unsigned int users; /* drives */
	struct uring_op *ops, *free;
	struct uring_op *again, **again_tail; /* found no queue entry when they went on */
	struct strake_buf *zeroes;	      /* STRAKE_BUF_PAGE_MAX of them */
	uint64_t inflight, retried;
	uint64_t helped;	/* of those in flight */
	uint64_t worked, quiet; /* turns of the lcore that found work; since when (ns) there was none */
};

/** This lcore's ring, made when its first drive comes. @return 0 or -errno. */
int uring_ring_get(struct uring_ring **out);
/** The last one frees it; nothing is under way. */
void uring_ring_put(struct uring_ring *r);
/** Make @p fd registered file @p slot; -1 takes it out. */
void uring_ring_file(struct uring_ring *r, unsigned int slot, int fd);

static inline struct uring_op *
uring_op_get(struct uring_ring *r)
{
	struct uring_op *op = r->free;

	if (op != NULL)
		r->free = op->next;
	return op;
}

static inline void
uring_op_put(struct uring_ring *r, struct uring_op *op)
{
	op->next = r->free;
	r->free = op;
}

#endif /* URING_RING_H */
