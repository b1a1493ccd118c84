/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef UNIT_H
#define UNIT_H

/**
 * @file
 * Pools of units, and FIFO lists of them by their link.
 */

#include <stddef.h>

#include "strake_chain.h"

struct unit_fifo {
	struct strake_unit *head, **tail;
};

static inline void
unit_fifo_init(struct unit_fifo *f)
{
	f->head = NULL;
	f->tail = &f->head;
}

static inline void
unit_fifo_push(struct unit_fifo *f, struct strake_unit *u)
{
	u->link = NULL;
	*f->tail = u;
	f->tail = &u->link;
}

static inline struct strake_unit *
unit_fifo_pop(struct unit_fifo *f)
{
	struct strake_unit *u = f->head;

	if (u == NULL)
		return NULL;
	f->head = u->link;
	if (f->head == NULL)
		f->tail = &f->head;
	return u;
}

/** Create the pools of requests and chunks. Main. @return 0 or -ENOMEM. */
int unit_pools_init(const struct strake_pipeline_conf *conf);
void unit_pools_fini(void);
/** Units that can exist at once, requests and chunks, reserves included: what a ring must be able to hold. */
uint32_t unit_pools_total(void);

#endif /* UNIT_H */
