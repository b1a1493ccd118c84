/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TRACE_H
#define TRACE_H

#include "strake_stage.h"
#include "strake_trace.h"

/** 0: off. Written by whoever switches tracing, read by every lcore. */
extern uint32_t trace_every;

void trace_record(const struct strake_unit *u, enum strake_trace_event event, const struct strake_stage *st);
/** Choose whether a request that just begins is traced. */
void trace_begin(struct strake_unit *u);

static inline void
trace_step(const struct strake_unit *u, enum strake_trace_event event, const struct strake_stage *st)
{
	if (unlikely(u->flags & STRAKE_UNIT_TRACED))
		trace_record(u, event, st);
}

#endif /* TRACE_H */
