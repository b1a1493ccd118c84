/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef DRIVES_H
#define DRIVES_H

/**
 * @file
 * The drives of one log group, and the space they make together.
 */

#include <stdbool.h>

#include "deal.h"
#include "decode.h"
#include "source.h"

struct group_drive {
	const struct source *src;
	bool here; /* a member of the group */
	bool good; /* and in sync: what it holds counts */
};

struct group {
	struct lgroup_super s; /* the newest */
	struct group_drive drive[LOG_SUPER_MEMBERS];
	struct deal deal;
	uint64_t data_off;
	uint32_t rows, row_bytes, seg_bytes, width;
	uint64_t short_uuid; /* as chunks name the store */
	uint8_t *note[LOG_NOTES];
	uint32_t note_len[LOG_NOTES];
	/* It was written: the first one lies in copy B, and power may have torn it on all. That copy A is blank is
	 * believed of more drives than may be wrong. */
	bool note_seen[LOG_NOTES];
	struct log_super *super; /* the store's; told to say whether it was stopped in order */
	bool clean;
};

/** Look at the superblocks and notes. @p g is zeroes. @return 0; -1 after a line of say(). */
int group_gather(struct group *g, const struct source *const *src, unsigned int n);
void group_free(struct group *g);
/** What is said of superblocks and notes: after g->clean is known. */
void group_judge(struct group *g);

/**
 * Bytes [off, off + len) of a segment's data. What lies on a drive that is away, or in @p without (a mask of members),
 * is made from the others. @return 0, -1: too few drives.
 */
int group_read(const struct group *g, uint32_t seg, uint32_t off, uint32_t len, uint8_t *to, uint32_t without);
/** The member on which byte @p off of a segment's data lies. */
uint32_t group_member_of(const struct group *g, uint32_t seg, uint32_t off);
/** Does all of the parity that can be read say that @p len bytes at @p off, of one unit, are as in @p at? */
bool group_agrees(const struct group *g, uint32_t seg, uint32_t off, const uint8_t *at, uint32_t len);
/** Members that have a column of the segment. */
uint32_t group_members_of(const struct group *g, uint32_t seg);
/** The next way to have a segment's bytes: members to leave out, one, then two, up to as many as there is parity. @p at
 * is 0 at first. @return a mask of members that count; 0: every way was told. */
uint32_t group_way(const struct group *g, uint32_t seg, uint32_t *at);
/** Roles of a row whose bytes disagree with those that k others make; a mask of members. 0: they agree. */
uint32_t group_row_wrong(const struct group *g, uint32_t seg, uint32_t row);
/** Intents, copy @p copy. @return 0, -1. */
int group_intents(const struct group *g, unsigned int copy, uint8_t *to);
/** Names of the members in a mask, one after the other; in a static buffer. */
const char *group_names(const struct group *g, uint32_t mask);

#endif /* DRIVES_H */
