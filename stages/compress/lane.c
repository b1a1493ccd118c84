/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>

#include <rte_branch_prediction.h>
#include <rte_malloc.h>

#include "lane.h"
#include "strake_lcore.h"
#include "strake_lend.h"

#define BURST 32

static uint16_t
device_enqueue(uint8_t dev, uint16_t qp, struct rte_comp_op **ops, uint16_t n)
{
	return rte_compressdev_enqueue_burst(dev, qp, ops, n);
}

static uint16_t
device_dequeue(uint8_t dev, uint16_t qp, struct rte_comp_op **ops, uint16_t n)
{
	return rte_compressdev_dequeue_burst(dev, qp, ops, n);
}

/* The operation leads back to its job. */
static struct lane_job **
job_of(struct rte_comp_op *op)
{
	return (struct lane_job **)(op + 1);
}

static int
job_init(struct lane *l, struct lane_job *job)
{
	struct rte_mbuf *m[LANE_PIECES + 1];

	if (rte_comp_op_bulk_alloc(l->ops, &job->op, 1) != 1 ||
	    rte_mempool_get_bulk(l->mbufs, (void **)m, LANE_PIECES + 1) != 0)
		return -ENOMEM;
	*job_of(job->op) = job;
	for (unsigned int i = 0; i < LANE_PIECES; i++)
		job->src[i] = m[i];
	job->dst = m[LANE_PIECES];
	job->next = l->free;
	l->free = job;
	return 0;
}

int
lane_init(struct lane *l, const struct compress_device *dev)
{
	int socket = strake_self()->socket, ret = -ENOMEM;
	char name[RTE_MEMPOOL_NAMESIZE];

	*l = (struct lane){.enqueue = device_enqueue,
			   .dequeue = device_dequeue,
			   .dev = dev,
			   .qp = strake_self_index(),
			   .depth = dev->jobs};
	l->jobs = rte_zmalloc_socket("compress_jobs", dev->jobs * sizeof(*l->jobs), RTE_CACHE_LINE_SIZE, socket);
	snprintf(name, sizeof(name), "cops%u_%u", dev->id, l->qp);
	l->ops = rte_comp_op_pool_create(name, dev->jobs, 0, sizeof(struct lane_job *), socket);
	snprintf(name, sizeof(name), "cbufs%u_%u", dev->id, l->qp);
	l->mbufs = rte_pktmbuf_pool_create(name, (unsigned int)dev->jobs * (LANE_PIECES + 1), 0, 0, 0, socket);
	if (l->jobs == NULL || l->ops == NULL || l->mbufs == NULL)
		goto err;
	for (uint16_t i = 0; i < dev->jobs; i++)
		if (job_init(l, &l->jobs[i]) < 0)
			goto err;
	ret = compress_device_transforms(dev, l->xform);
	if (ret == 0)
		return 0;
err:
	l->xform[0] = NULL;
	lane_fini(l);
	return ret;
}

void
lane_fini(struct lane *l)
{
	struct lane_job *back[BURST];
	uint16_t n;

	if (l->dev == NULL)
		return;
	/* Orphans may have come back since. What has not is left alone: the device may still write there. */
	do {
		n = lane_pull(l, back, BURST, 0);
		for (uint16_t i = 0; i < n; i++)
			lane_put(l, back[i]);
	} while (n > 0);
	if (l->xform[0] != NULL)
		compress_device_transforms_free(l->dev, l->xform);
	if (l->under_way > 0)
		return;
	rte_mempool_free(l->ops);
	rte_mempool_free(l->mbufs);
	rte_free(l->jobs);
	*l = (struct lane){0};
}

static int
fill_source(struct lane *l, struct lane_job *job, struct strake_buf *list, uint32_t len)
{
	if (likely(strake_lend(job->src, l->dev->pieces ? LANE_PIECES : 1, list, len)))
		return 0;
	job->in = strake_buf_page(len);
	if (job->in == NULL)
		return -ENOBUFS;
	if (strake_buf_copy_out(list, 0, job->in->addr, len) != 0)
		return -EINVAL;
	l->gathered += len;
	strake_lend_bytes(job->src[0], job->in->addr, (uint16_t)len);
	return 0;
}

int
lane_fill(struct lane *l, struct strake_unit *unit, bool expand, uint32_t len, uint32_t room, struct lane_job **out)
{
	struct lane_job *job = l->free;
	struct rte_comp_op *op;
	int ret = -ENOBUFS;

	if (job == NULL)
		return -EAGAIN;
	l->free = job->next;
	job->out = strake_buf_page(room);
	if (job->out != NULL)
		ret = fill_source(l, job, unit->bufs, len);
	if (ret < 0) {
		lane_put(l, job);
		return ret;
	}
	strake_lend_bytes(job->dst, job->out->addr, (uint16_t)room);
	job->unit = unit;
	job->expand = expand;
	op = job->op;
	op->op_type = RTE_COMP_OP_STATELESS;
	op->private_xform = l->xform[expand];
	op->m_src = job->src[0];
	op->m_dst = job->dst;
	op->src.offset = op->dst.offset = 0;
	op->src.length = len;
	op->flush_flag = RTE_COMP_FLUSH_FINAL;
	op->consumed = op->produced = 0;
	op->status = RTE_COMP_OP_STATUS_NOT_PROCESSED;
	*out = job;
	return 0;
}

uint16_t
lane_push(struct lane *l, struct lane_job **jobs, uint16_t n, uint64_t now)
{
	struct rte_comp_op *ops[BURST];
	uint16_t sent = 0;

	while (sent < n) {
		uint16_t some = (uint16_t)RTE_MIN((size_t)(n - sent), RTE_DIM(ops)), took;

		for (uint16_t i = 0; i < some; i++)
			ops[i] = jobs[sent + i]->op;
		took = l->enqueue(l->dev->id, l->qp, ops, some);
		for (uint16_t i = 0; i < took; i++)
			jobs[sent + i]->under_way = true;
		if (l->under_way == 0)
			l->progress = now;
		l->under_way += took;
		sent += took;
		if (took < some)
			break;
	}
	return sent;
}

uint16_t
lane_pull(struct lane *l, struct lane_job **jobs, uint16_t max, uint64_t now)
{
	struct rte_comp_op *ops[BURST];
	uint16_t n, got = 0;

	if (l->under_way == 0)
		return 0;
	n = l->dequeue(l->dev->id, l->qp, ops, (uint16_t)RTE_MIN((size_t)max, RTE_DIM(ops)));
	if (n > 0)
		l->progress = now;
	l->under_way -= n;
	for (uint16_t i = 0; i < n; i++) {
		struct lane_job *job = *job_of(ops[i]);

		job->under_way = false;
		if (likely(job->unit != NULL)) {
			jobs[got++] = job;
		} else {
			l->orphans--;
			lane_put(l, job);
		}
	}
	return got;
}

int
lane_result(const struct lane_job *job)
{
	switch (job->op->status) {
	case RTE_COMP_OP_STATUS_SUCCESS:
		return job->op->produced <= job->out->len ? (int)job->op->produced : -EIO;
	case RTE_COMP_OP_STATUS_OUT_OF_SPACE_TERMINATED:
	case RTE_COMP_OP_STATUS_OUT_OF_SPACE_RECOVERABLE:
		return -E2BIG;
	default:
		return job->expand ? -EBADMSG : -EIO;
	}
}

void
lane_put(struct lane *l, struct lane_job *job)
{
	strake_buf_put_list(job->out);
	strake_buf_put_list(job->in);
	for (unsigned int i = 0; i < LANE_PIECES && job->kept[i] != NULL; i++) {
		strake_buf_put(job->kept[i]);
		job->kept[i] = NULL;
	}
	job->out = job->in = NULL;
	job->unit = NULL;
	job->fresh = false;
	job->next = l->free;
	l->free = job;
}

void
lane_failed(struct lane *l)
{
	if (l->failures < UINT8_MAX)
		l->failures++;
	if (l->failures >= LANE_FAILURES)
		l->dead = true;
}

bool
lane_stuck(struct lane *l, uint64_t now)
{
	if (l->under_way == 0 || now < l->progress + LANE_PATIENCE)
		return false;
	l->dead = true;
	return true;
}

struct lane_job *
lane_lost(struct lane *l)
{
	for (uint16_t i = 0; i < l->depth; i++)
		if (l->jobs[i].under_way && l->jobs[i].unit != NULL)
			return &l->jobs[i];
	return NULL;
}

struct strake_unit *
lane_orphan(struct lane *l, struct lane_job *job)
{
	struct strake_unit *unit = job->unit;
	struct strake_buf *b = unit->bufs;

	/* A gathered source is the job's own already. */
	for (unsigned int i = 0; job->in == NULL && i < LANE_PIECES && b != NULL; i++, b = b->next)
		job->kept[i] = strake_buf_get(b);
	job->unit = NULL;
	l->orphans++;
	return unit;
}
