/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRIPE_H
#define STRIPE_H

/**
 * @file
 * The lcore's half of a group: what stripe.c (fan-out) and stripe_lcore.c (waiting, messages) share.
 */

#include "group_priv.h"

/** In every chunk. */
struct stripe_ctx {
	struct strake_chunk *chunk;
	struct stripe_lcore *lc;
	struct strake_io *ios, *last; /**< made and not handed on yet; of a read, those that are back, by place */
	struct strake_io *bad;	      /**< read: piece being tried on other halves */
	uint32_t pending;	      /**< I/Os under way */
	uint32_t issued, failed;      /**< write: members written to, and those that failed; read: those to mend */
	uint32_t tried;		      /**< read: members that could not read `bad` */
	int16_t err;
	uint8_t epoch;
	uint8_t again; /**< read: times it was put off until a range is mended */
};

/**
 * Hand a chunk to the drives, or find out why not.
 * @return 0: under way; -EAGAIN: no I/O descriptor; -EINPROGRESS: it was put on lc->held; else the chunk's status.
 */
int stripe_issue(struct stripe_lcore *lc, struct strake_chunk *chunk);
/** Submit what stripe_issue() gathered. */
void stripe_push(struct stripe_lcore *lc);
/** A chunk that wrote is over but for members that failed. */
void stripe_limbo(struct stripe_lcore *lc, struct stripe_ctx *ctx);

/** May a write of [place, place + len) go to the drives? False: it asked main, or waits for a window. */
bool stripe_may_write(struct stripe_lcore *lc, uint64_t place, uint32_t len);
void stripe_hold(struct stripe_lcore *lc, struct strake_chunk *chunk);
/** Tell main, unless it is told already. */
void stripe_report(struct stripe_lcore *lc, uint32_t member);
/** Ask main to rewrite what the member cannot read. @return false: too many are asked for already. */
bool stripe_mend(struct stripe_lcore *lc, uint32_t member, uint64_t off, uint32_t len);
/** One chunk less is under way. */
void stripe_leave(struct stripe_lcore *lc, uint8_t epoch);
/** Member that has the drive. */
uint32_t stripe_member_of(const struct stripe_lcore *lc, const struct strake_drive *drive);

#endif /* STRIPE_H */
