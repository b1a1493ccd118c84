/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <rte_cycles.h>

#include "compress.h"
#include "flat.h"

/* The bytes are not what was written: they are no answer. */
static void
damaged(struct compress_lcore *lc, struct strake_unit *u)
{
	lc->stats->damaged++;
	u->status = -EBADMSG;
	strake_buf_put_list(u->bufs);
	u->bufs = u->last = NULL;
}

static void
expanded(struct compress_lcore *lc, struct strake_unit *u, struct strake_buf *out)
{
	const struct strake_seal *seal = &strake_chunk_of(u)->seal;

	compress_adopt(u, out, seal->plain);
	lc->stats->expanded_in += seal->stored;
	lc->stats->expanded_out += seal->plain;
}

/* The payload is as long as its seal says: that was checked before. */
static int
expand_to(struct compress_lcore *lc, struct strake_unit *u, struct strake_buf *out)
{
	const struct strake_seal *seal = &strake_chunk_of(u)->seal;
	uint64_t begin = rte_rdtsc();
	const uint8_t *src = compress_flat(u->bufs, seal->stored, lc->flat, &lc->stats->gathered);
	int ret = compress_expand(seal->codec, out->addr, seal->plain, src, seal->stored, lc->inflate);

	lc->stats->expand_cycles += rte_rdtsc() - begin;
	return ret;
}

static int
here(struct compress_lcore *lc, struct strake_unit *u)
{
	const struct strake_seal *seal = &strake_chunk_of(u)->seal;
	struct strake_buf *out = strake_buf_page(seal->plain);

	if (unlikely(out == NULL))
		return -EAGAIN;
	if (likely(expand_to(lc, u, out) == 0)) {
		expanded(lc, u, out);
	} else {
		strake_buf_put(out);
		damaged(lc, u);
	}
	return 0;
}

static int
by_device(struct compress_lcore *lc, struct strake_unit *u, struct compress_burst *burst)
{
	const struct strake_seal *seal = &strake_chunk_of(u)->seal;
	struct lane_job *job;

	/* No job free, or no page: both come back. */
	if (burst->n == STRAKE_BURST || lane_fill(&lc->lane, u, true, seal->stored, seal->plain, &job) != 0)
		return -EAGAIN;
	job->fresh = burst->fresh;
	burst->job[burst->n++] = job;
	return -EINPROGRESS;
}

int
compress_read_up(struct compress_lcore *lc, struct strake_unit *u, struct compress_burst *burst)
{
	const struct strake_seal *seal = &strake_chunk_of(u)->seal;

	if (unlikely(!compress_seal_ok(seal) || strake_buf_list_len(u->bufs) != seal->stored)) {
		damaged(lc, u);
		return 0;
	}
	if (seal->codec == STRAKE_CODEC_NONE) {
		u->nbytes = seal->plain;
		return 0;
	}
	if (seal->codec == STRAKE_CODEC_DEFLATE && lc->lane.dev != NULL && lc->lane.dev->expands) {
		if (likely(!lc->lane.dead))
			return by_device(lc, u, burst);
		lc->stats->soft++;
	}
	return here(lc, u);
}

/* What a device calls damaged may be the device's own doing: the processor has the last word. */
void
compress_read_end(struct compress_lcore *lc, struct lane_job *job)
{
	struct strake_unit *u = job->unit;
	bool right = lane_result(job) == (int)strake_chunk_of(u)->seal.plain;

	if (unlikely(!right)) {
		lc->stats->soft++;
		right = expand_to(lc, u, job->out) == 0;
		if (right)
			compress_device_failed(lc);
	}
	if (likely(right)) {
		expanded(lc, u, job->out);
		job->out = NULL;
	} else {
		damaged(lc, u);
	}
	lane_put(&lc->lane, job);
}

void
compress_read_wait(struct compress_lcore *lc, struct strake_unit *u)
{
	u->link = NULL;
	if (lc->waiting == NULL)
		lc->waiting = u;
	else
		lc->waiting_last->link = u;
	lc->waiting_last = u;
}

void
compress_read_wait_first(struct compress_lcore *lc, struct strake_unit *u)
{
	u->link = lc->waiting;
	if (lc->waiting == NULL)
		lc->waiting_last = u;
	lc->waiting = u;
}
