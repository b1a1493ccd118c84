/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef DRIVE_RING_H
#define DRIVE_RING_H

/**
 * @file
 * An io_uring of one lcore, for a kind of drive that hands it entries and takes its completions: made the best way the
 * kernel knows, with the buffers' arena and a table of files registered, and entered at most once in a turn.
 *
 * The owner has the poller; its flush calls drive_ring_enter(), its arm drive_ring_arm(), its sleep
 * drive_ring_sleep(), and it sleeps on drive_ring_fd().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <liburing.h>

#include "strake_buf.h"
#include "strake_lcore.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DRIVE_RING_BATCH 64 /* completions taken at once */
#define DRIVE_RING_WAITS 16 /* descriptors beside its own that a sleep in the ring can end by */

/* user_data of the ring's own entries: this, the epoch, which descriptor. No owner's begins so, nor liburing's own. */
#define DRIVE_RING_OWN (0xfffeULL << 48)

struct drive_ring_conf {
	const char *kind;		/**< for the log */
	unsigned int sqes, cqes, files; /**< entries; places in the table of files */
	unsigned int setup;		/**< IORING_SETUP_ flags that the owner needs beside those chosen here */
	/** The arena is registered in pieces of 1 << reg_shift bytes, reg_max of them at most; what lies beyond works
	 * unregistered. A page of the arena never crosses a multiple of its own size. */
	unsigned int reg_shift, reg_max;
	/** Once more in pieces of at least 1 << fine_shift bytes, the smallest that there is room for among reg_max:
	 * for memory that lies within one of them, where the kernel's work grows with the piece. 0: not. */
	unsigned int fine_shift;
	/** The kernel makes completions in the interrupt that brings them: a loop that looks finds them without a
	 * system call, and sooner. Else it makes them when it is entered, which disturbs less. */
	bool prompt;
};

/** On its lcore only; telemetry reads the counters. */
struct drive_ring {
	struct io_uring ring;
	bool fixed_bufs, fixed_files;
	bool deferred; /**< completions are made when we ask: the kernel flags that there are some */
	int event;     /**< of a deferred ring: written, while armed, when there are some; else -1 */
	unsigned int reg_shift, fine_shift; /**< fine_shift 0: there are no fine pieces */
	unsigned int fine_from;		    /**< place of the first of them */
	uint8_t *arena;			    /**< what of it is registered */
	size_t arena_len;
	uint64_t enters, turn, in_turn, most; /**< system calls: all, of the turn `turn`, and the most in any turn */
	/** Descriptors that the kernel watches for drive_ring_sleep(), each until it was readable once. */
	struct {
		int fd; /* -1: none yet */
		bool armed;
	} waits[DRIVE_RING_WAITS];
	uint32_t epoch; /**< of the numbers in them */
	bool no_sleep;	/**< the kernel has no call for it, or cannot watch one of them */
};

/** The queues alone. @p prompt and @p deferred as above. @return 0 or -errno, -EINVAL and -ENOSYS: not this kernel. */
int drive_ring_queue(struct io_uring *ring, unsigned int sqes, unsigned int cqes, unsigned int setup, bool prompt,
		     bool *deferred);

/** Buffers that cannot be registered are worth a warning, not a failure. On the lcore that will use it.
 * @return 0 or -errno. */
int drive_ring_open(struct drive_ring *r, const struct drive_ring_conf *conf);
/** Nothing is under way. */
void drive_ring_close(struct drive_ring *r);
/** Make @p fd file @p slot of the table, where there is one; -1 takes it out (a registered file stays open until then).
 * @return 0 or -errno. */
int drive_ring_file(struct drive_ring *r, unsigned int slot, int fd);

/** The one system call of a turn: hands over what the turn gathered and fetches what is ready; none when there is
 * neither. @return entries handed over. */
uint32_t drive_ring_enter(struct drive_ring *r);
/** A system call is about to be made another way. */
void drive_ring_count(struct drive_ring *r);
/** As strake_poller::arm. @return on: nothing to hand over and nothing to take, so its lcore may sleep on
 * drive_ring_fd(). */
bool drive_ring_arm(struct drive_ring *r, bool on);
/** As strake_poller::sleep. A completion that ends the sleep is there when it returns: without this a sleeper wakes by
 * one system call and has the completion made by another. */
int drive_ring_sleep(struct drive_ring *r, const struct strake_sleep *s);
/** An entry of the ring's own was answered. */
void drive_ring_own(struct drive_ring *r, uint64_t data, int res);

/** Readable, while armed, once there are completions, those among them that the kernel makes when it is entered. On
 * newer kernels (seen on 6.18) these do not wake who polls the ring itself. */
static inline int
drive_ring_fd(const struct drive_ring *r)
{
	return r->event >= 0 ? r->event : r->ring.ring_fd;
}

static inline bool
drive_ring_is_own(uint64_t data)
{
	return data >> 48 == DRIVE_RING_OWN >> 48;
}

/** Completions that are there: their user_data and results, at most @p max, which is at most DRIVE_RING_BATCH.
 * @return how many. */
static inline unsigned int
drive_ring_take(struct drive_ring *r, uint64_t *data, int *res, unsigned int max)
{
	struct io_uring_cqe *cqes[DRIVE_RING_BATCH];
	unsigned int n = io_uring_peek_batch_cqe(&r->ring, cqes, max), taken = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (__builtin_expect(drive_ring_is_own(cqes[i]->user_data), false)) {
			drive_ring_own(r, cqes[i]->user_data, cqes[i]->res);
			continue;
		}
		data[taken] = cqes[i]->user_data;
		res[taken++] = cqes[i]->res;
	}
	io_uring_cq_advance(&r->ring, n);
	return taken;
}

/** The kernel has completions for us that it only makes when we enter. */
static inline bool
drive_ring_kernel_waits(const struct drive_ring *r)
{
	return (IO_URING_READ_ONCE(*r->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/** The registered buffer that @p addr lies in, or -1; the smallest that holds @p len bytes from there. */
static inline int
drive_ring_index(const struct drive_ring *r, const void *addr, uint32_t len)
{
	size_t at = (uintptr_t)addr - (uintptr_t)r->arena;

	if (!r->fixed_bufs || at >= r->arena_len)
		return -1;
	if (r->fine_shift != 0 && at >> r->fine_shift == (at + len - 1) >> r->fine_shift)
		return STRAKE_BUF_REG_ARENA + (int)(r->fine_from + (at >> r->fine_shift));
	return STRAKE_BUF_REG_ARENA + (int)(at >> r->reg_shift);
}

#ifdef __cplusplus
}
#endif

#endif /* DRIVE_RING_H */
