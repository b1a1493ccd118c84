/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "trace.h"

#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "strake_chunk.h"
#include "strake_req.h"

#define RECORDS 4096u /* by lcore; a power of two */

/* One writer, the lcore, which does not wait for readers: record i is whole while head is below i + RECORDS. */
struct trace_ring {
	uint64_t head;
	struct strake_trace_record rec[RECORDS];
};

uint32_t trace_every;
static uint64_t trace_since, trace_until; /* TSC: what is shown, of the newest tracing */
static uint64_t next_id;
static struct trace_ring rings[STRAKE_LCORE_MAX];

static uint64_t
id_of(const struct strake_unit *u)
{
	const struct strake_req *req = u->kind == STRAKE_UNIT_CHUNK ? ((const struct strake_chunk *)u)->req : NULL;

	return req != NULL ? req->u.tag : u->tag;
}

void
trace_begin(struct strake_unit *u)
{
	uint32_t every = __atomic_load_n(&trace_every, __ATOMIC_RELAXED);

	if (likely(every == 0))
		return;
	if (__atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED) % every != 0)
		return;
	u->flags |= STRAKE_UNIT_TRACED;
	trace_record(u, STRAKE_TRACE_BEGIN, NULL);
}

void
trace_record(const struct strake_unit *u, enum strake_trace_event event, const struct strake_stage *st)
{
	struct trace_ring *ring = &rings[strake_self_index()];
	struct strake_trace_record *r = &ring->rec[ring->head % RECORDS];

	r->cycles = rte_rdtsc();
	r->id = id_of(u);
	r->lba = u->lba;
	r->nlb = u->nlb;
	r->status = u->status;
	r->event = (uint8_t)event;
	r->op = u->op;
	r->kind = u->kind;
	r->cls = u->cls;
	r->lcore = (uint8_t)strake_self_index();
	memset(r->stage, 0, sizeof(r->stage));
	if (st != NULL)
		strncpy(r->stage, st->name, sizeof(r->stage) - 1);
	__atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELEASE);
}

void
strake_trace_set(uint32_t every)
{
	if (every != 0)
		__atomic_store_n(&trace_since, rte_rdtsc(), __ATOMIC_RELAXED);
	__atomic_store_n(&trace_until, every != 0 ? UINT64_MAX : rte_rdtsc(), __ATOMIC_RELAXED);
	__atomic_store_n(&trace_every, every, __ATOMIC_RELAXED);
}

static int
by_time(const void *a, const void *b)
{
	uint64_t x = ((const struct strake_trace_record *)a)->cycles;
	uint64_t y = ((const struct strake_trace_record *)b)->cycles;

	return x < y ? -1 : x > y;
}

/** The newest of one lcore that are to be shown, at most @p max. @return how many. */
static unsigned int
copy_newest(const struct trace_ring *ring, struct strake_trace_record *out, unsigned int max)
{
	uint64_t since = __atomic_load_n(&trace_since, __ATOMIC_RELAXED);
	uint64_t until = __atomic_load_n(&trace_until, __ATOMIC_RELAXED);
	uint64_t i = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	unsigned int n = 0;

	while (i > 0 && n < max) {
		out[n] = ring->rec[--i % RECORDS];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&ring->head, __ATOMIC_RELAXED) - i >= RECORDS || out[n].cycles < since)
			break;
		n += out[n].cycles <= until;
	}
	return n;
}

unsigned int
strake_trace_get(struct strake_trace_record *out, unsigned int max)
{
	uint16_t lcores = strake_lcore_count();
	unsigned int n = 0;

	for (uint16_t l = 0; l < lcores; l++)
		n += copy_newest(&rings[l], out + n, max / lcores);
	qsort(out, n, sizeof(*out), by_time);
	return n;
}
