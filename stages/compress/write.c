/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include <rte_cycles.h>

#include "compress.h"
#include "flat.h"
#include "strake_volume.h"

void
compress_adopt(struct strake_unit *u, struct strake_buf *buf, uint32_t len)
{
	buf->len = len;
	strake_buf_put_list(u->bufs);
	u->bufs = u->last = NULL;
	strake_unit_append(u, buf);
	u->nbytes = len;
}

void
compress_keep_plain(struct compress_lcore *lc, struct strake_unit *u)
{
	struct strake_seal *seal = &strake_chunk_of(u)->seal;

	seal->codec = STRAKE_CODEC_NONE;
	seal->stored = seal->plain;
	lc->stats->bytes_in += seal->plain;
	lc->stats->bytes_out += seal->plain;
}

static void
keep_small(struct compress_lcore *lc, struct strake_unit *u, uint8_t codec, struct strake_buf *buf, uint32_t len)
{
	struct strake_seal *seal = &strake_chunk_of(u)->seal;

	compress_adopt(u, buf, len);
	seal->codec = codec;
	seal->stored = len;
	lc->stats->bytes_in += seal->plain;
	lc->stats->bytes_out += len;
	lc->stats->shrunk++;
}

static uint32_t
region_of(const struct strake_unit *u)
{
	const struct strake_chunk *chunk = strake_chunk_of((struct strake_unit *)(uintptr_t)u);
	uint64_t id = chunk->seal.domain;

	if (chunk->vol != NULL)
		memcpy(&id, chunk->vol->uuid, sizeof(id));
	return guess_region(id, u->lba << chunk->lba_shift);
}

static void
told(const struct compress *c, struct compress_lcore *lc, const struct strake_unit *u, bool shrank)
{
	if (c->mode == COMPRESS_AUTO)
		guess_told(&lc->guess, region_of(u), shrank);
	if (!shrank)
		lc->stats->stayed_plain++;
}

static void
by_lz4(struct compress *c, struct compress_lcore *lc, struct strake_unit *u)
{
	uint32_t plain = strake_chunk_of(u)->seal.plain, room = compress_room(c, plain), len;
	struct strake_buf *out = strake_buf_page(room);
	uint64_t begin = rte_rdtsc();

	if (unlikely(out == NULL)) {
		/* A page more would be freed sooner or later; plain, it is freed sooner. */
		lc->stats->no_pages++;
		compress_keep_plain(lc, u);
		return;
	}
	len = shrink_lz4(&lc->lz4, out->addr, room, compress_flat(u->bufs, plain, lc->flat, &lc->stats->gathered),
			 plain);
	lc->stats->shrink_cycles += rte_rdtsc() - begin;
	told(c, lc, u, len > 0);
	if (len > 0) {
		keep_small(lc, u, STRAKE_CODEC_LZ4, out, len);
	} else {
		strake_buf_put(out);
		compress_keep_plain(lc, u);
	}
}

static void
by_device(struct compress *c, struct compress_lcore *lc, struct strake_unit *u, struct compress_burst *burst)
{
	uint32_t plain = strake_chunk_of(u)->seal.plain;
	struct lane_job *job;
	int ret = lane_fill(&lc->lane, u, false, plain, compress_room(c, plain), &job);

	if (ret == -EAGAIN) {
		compress_flush(c, lc, burst);
		ret = lane_fill(&lc->lane, u, false, plain, compress_room(c, plain), &job);
	}
	if (ret == 0) {
		job->fresh = true;
		burst->job[burst->n++] = job;
		u->verdict = STRAKE_HELD;
	} else if (ret == -EAGAIN) {
		u->verdict = STRAKE_RETRY;
	} else {
		lc->stats->no_pages++;
		compress_keep_plain(lc, u);
	}
}

void
compress_write_down(struct compress *c, struct compress_lcore *lc, struct strake_unit *u, struct compress_burst *burst)
{
	const struct strake_seal *seal = &strake_chunk_of(u)->seal;
	bool device = c->device != NULL && !lc->lane.dead;

	if (unlikely(seal->blocks == 0 || seal->plain != seal->blocks * 4096u || seal->plain > COMPRESS_PLAIN_MAX ||
		     strake_buf_list_len(u->bufs) != seal->plain)) {
		strake_unit_fail(u, -EINVAL);
		return;
	}
	if (c->mode == COMPRESS_NONE || (c->device != NULL && !device)) {
		compress_keep_plain(lc, u);
		return;
	}
	if (c->mode == COMPRESS_AUTO && !guess_try(&lc->guess, region_of(u), u->bufs, seal->plain)) {
		lc->stats->skipped++;
		compress_keep_plain(lc, u);
		return;
	}
	if (device)
		by_device(c, lc, u, burst);
	else
		by_lz4(c, lc, u);
}

void
compress_write_end(struct compress *c, struct compress_lcore *lc, struct lane_job *job)
{
	struct strake_unit *u = job->unit;
	int len = lane_result(job);

	if (len == 0 || len == -EIO)
		compress_device_failed(lc);
	else
		told(c, lc, u, len > 0);
	if (len > 0) {
		keep_small(lc, u, STRAKE_CODEC_DEFLATE, job->out, (uint32_t)len);
		job->out = NULL;
	} else {
		compress_keep_plain(lc, u);
	}
	lane_put(&lc->lane, job);
}
