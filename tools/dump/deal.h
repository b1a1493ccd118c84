/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef DEAL_H
#define DEAL_H

/**
 * @file
 * Which slots of which members make which segment, from the rules of log groups: a segment takes one slot of each of
 * the `width` members with the most free ones; a member that came later got columns of the fullest moved to it.
 */

#include <stdint.h>

#include "log_super_format.h"

struct deal {
	uint32_t width, segments;
	uint32_t *member, *slot; /* [segment * width + position] */
};

/** @return 0; -1: the superblock's numbers of moves are impossible. */
int deal_all(struct deal *d, const struct lgroup_super *s);
void deal_free(struct deal *d);

#endif /* DEAL_H */
