/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "conn.h"

/* Never written: their counts are 0, and nothing is added without tcp_trouble_get(). */
static struct tcp_board no_board;
static struct tcp_reasm no_reasm;

void
tcp_trouble_none(struct tcp_conn *c)
{
	c->board = &no_board;
	c->reasm = &no_reasm;
	c->trouble = NULL;
}

bool
tcp_trouble_get(struct tcp_conn *c)
{
	struct tcp_trouble *t = c->tcp->trouble_pool;

	if (c->trouble != NULL)
		return true;
	if (t == NULL)
		return false;
	c->tcp->trouble_pool = t->next;
	t->board.n = 0;
	t->board.bytes = 0;
	t->reasm.n = 0;
	t->reasm.stamp = 0;
	c->board = &t->board;
	c->reasm = &t->reasm;
	c->trouble = t;
	return true;
}

void
tcp_trouble_done(struct tcp_conn *c)
{
	struct tcp_trouble *t = c->trouble;

	if (t == NULL)
		return;
	if (t->board.n == 0)
		t->board.bytes = 0;
	if (t->board.n > 0 || t->reasm.n > 0)
		return;
	t->next = c->tcp->trouble_pool;
	c->tcp->trouble_pool = t;
	tcp_trouble_none(c);
}
