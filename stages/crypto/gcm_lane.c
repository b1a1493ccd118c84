/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_malloc.h>

#include "gcm_lane.h"
#include "strake_lcore.h"
#include "strake_lend.h"

#define BURST 32

struct aad {
	rte_le64_t serial;
	rte_le32_t domain;
	rte_le16_t epoch, salt;
	rte_le32_t plain, stored;
	uint8_t codec, blocks, zero[2], magic[4];
} __rte_packed;
_Static_assert(sizeof(struct aad) == GCM_AAD, "layout");
_Static_assert(sizeof(struct gcm_private) <= 128, "an operation stays small");

void
gcm_aad(const struct strake_seal *seal, uint8_t aad[GCM_AAD])
{
	const struct aad a = {
		.serial = rte_cpu_to_le_64(seal->serial),
		.domain = rte_cpu_to_le_32(seal->domain),
		.epoch = rte_cpu_to_le_16(seal->epoch),
		.salt = rte_cpu_to_le_16(seal->salt),
		.plain = rte_cpu_to_le_32(seal->plain),
		.stored = rte_cpu_to_le_32(seal->stored),
		.codec = seal->codec,
		.blocks = seal->blocks,
		.magic = {'S', 'G', 'C', '1'},
	};

	memcpy(aad, &a, sizeof(a));
}

static uint16_t
device_enqueue(uint8_t dev, uint16_t qp, struct rte_crypto_op **ops, uint16_t n)
{
	return rte_cryptodev_enqueue_burst(dev, qp, ops, n);
}

static uint16_t
device_dequeue(uint8_t dev, uint16_t qp, struct rte_crypto_op **ops, uint16_t n)
{
	return rte_cryptodev_dequeue_burst(dev, qp, ops, n);
}

static int
job_init(struct gcm_lane *l, struct gcm_job *job)
{
	struct rte_mbuf *m[GCM_LANE_PIECES + 1];
	struct rte_crypto_sym_op *sym;
	struct gcm_private *priv;

	job->op = rte_crypto_op_alloc(l->ops, RTE_CRYPTO_OP_TYPE_SYMMETRIC);
	if (job->op == NULL || rte_mempool_get_bulk(l->mbufs, (void **)m, GCM_LANE_PIECES + 1) != 0)
		return -ENOMEM;
	for (unsigned int i = 0; i < GCM_LANE_PIECES; i++)
		job->src[i] = m[i];
	job->dst = m[GCM_LANE_PIECES];
	priv = gcm_private_of(job->op);
	priv->job = job;
	sym = job->op->sym;
	sym->aead.aad.data = priv->aad;
	sym->aead.aad.phys_addr =
		rte_crypto_op_ctophys_offset(job->op, GCM_IV_OFFSET + offsetof(struct gcm_private, aad));
	sym->aead.digest.data = priv->tag;
	sym->aead.digest.phys_addr =
		rte_crypto_op_ctophys_offset(job->op, GCM_IV_OFFSET + offsetof(struct gcm_private, tag));
	job->next = l->free;
	l->free = job;
	return 0;
}

int
gcm_lane_init(struct gcm_lane *l, const struct gcm_device *dev)
{
	int socket = strake_self()->socket;
	char name[RTE_MEMPOOL_NAMESIZE];

	*l = (struct gcm_lane){.enqueue = device_enqueue,
			       .dequeue = device_dequeue,
			       .dev = dev,
			       .qp = strake_self_index(),
			       .depth = dev->jobs};
	l->jobs = rte_zmalloc_socket("gcm_jobs", dev->jobs * sizeof(*l->jobs), RTE_CACHE_LINE_SIZE, socket);
	snprintf(name, sizeof(name), "gops%u_%u", dev->id, l->qp);
	l->ops = rte_crypto_op_pool_create(name, RTE_CRYPTO_OP_TYPE_SYMMETRIC, dev->jobs, 0, sizeof(struct gcm_private),
					   socket);
	snprintf(name, sizeof(name), "gbufs%u_%u", dev->id, l->qp);
	l->mbufs = rte_pktmbuf_pool_create(name, (unsigned int)dev->jobs * (GCM_LANE_PIECES + 1), 0, 0, 0, socket);
	if (l->jobs == NULL || l->ops == NULL || l->mbufs == NULL)
		goto err;
	for (uint16_t i = 0; i < dev->jobs; i++)
		if (job_init(l, &l->jobs[i]) < 0)
			goto err;
	return 0;
err:
	gcm_lane_fini(l);
	return -ENOMEM;
}

void
gcm_lane_fini(struct gcm_lane *l)
{
	struct gcm_job *back[BURST];
	uint16_t n;

	if (l->dev == NULL)
		return;
	/* Orphans may have come back since. What has not is left alone: the device may still write there. */
	do {
		n = gcm_lane_pull(l, back, BURST, 0);
		for (uint16_t i = 0; i < n; i++)
			gcm_lane_put(l, back[i]);
	} while (n > 0);
	if (l->under_way > 0)
		return;
	rte_mempool_free(l->ops);
	rte_mempool_free(l->mbufs);
	rte_free(l->jobs);
	*l = (struct gcm_lane){0};
}

/* The bytes are ours alone and in one run: the result may take their place. */
static bool
in_place(const struct strake_buf *b, uint32_t len)
{
	return b->next == NULL && b->len == len && (b->flags & STRAKE_BUF_WRITABLE) != 0 &&
	       __atomic_load_n(&b->refcnt, __ATOMIC_ACQUIRE) == 1;
}

static int
place(struct gcm_lane *l, struct gcm_job *job, struct strake_buf *list, uint32_t len)
{
	struct rte_crypto_sym_op *sym = job->op->sym;

	sym->m_src = job->src[0];
	sym->m_dst = NULL;
	if (in_place(list, len)) {
		strake_lend_bytes(job->src[0], list->addr, (uint16_t)len);
		return 0;
	}
	job->out = strake_buf_page(len);
	if (job->out == NULL)
		return -ENOBUFS;
	if (l->dev->apart && strake_lend(job->src, l->dev->pieces ? GCM_LANE_PIECES : 1, list, len)) {
		strake_lend_bytes(job->dst, job->out->addr, (uint16_t)len);
		sym->m_dst = job->dst;
		return 0;
	}
	strake_buf_copy_out(list, 0, job->out->addr, len);
	l->gathered += len;
	strake_lend_bytes(job->src[0], job->out->addr, (uint16_t)len);
	return 0;
}

int
gcm_lane_fill(struct gcm_lane *l, struct strake_unit *unit, void *session, struct gcm_job **out)
{
	const struct strake_seal *seal = &strake_chunk_of(unit)->seal;
	struct gcm_job *job = l->free;
	struct gcm_private *priv;
	int ret;

	if (job == NULL)
		return -EAGAIN;
	l->free = job->next;
	ret = place(l, job, unit->bufs, seal->stored);
	if (ret < 0) {
		gcm_lane_put(l, job);
		return ret;
	}
	job->unit = unit;
	priv = gcm_private_of(job->op);
	memcpy(priv->nonce, seal->nonce, GCM_NONCE);
	memcpy(priv->tag, seal->tag, GCM_TAG);
	gcm_aad(seal, priv->aad);
	job->op->sym->aead.data.offset = 0;
	job->op->sym->aead.data.length = seal->stored;
	job->op->status = RTE_CRYPTO_OP_STATUS_NOT_PROCESSED;
	rte_crypto_op_attach_sym_session(job->op, session);
	*out = job;
	return 0;
}

uint16_t
gcm_lane_push(struct gcm_lane *l, struct gcm_job **jobs, uint16_t n, uint64_t now)
{
	struct rte_crypto_op *ops[BURST];
	uint16_t sent = 0;

	while (sent < n) {
		uint16_t some = RTE_MIN((uint16_t)(n - sent), (uint16_t)BURST), took;

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
gcm_lane_pull(struct gcm_lane *l, struct gcm_job **jobs, uint16_t max, uint64_t now)
{
	struct rte_crypto_op *ops[BURST];
	uint16_t n;

	if (l->under_way == 0)
		return 0;
	n = l->dequeue(l->dev->id, l->qp, ops, RTE_MIN(max, (uint16_t)BURST));
	if (n > 0)
		l->progress = now;
	l->under_way -= n;
	for (uint16_t i = 0; i < n; i++) {
		jobs[i] = gcm_private_of(ops[i])->job;
		jobs[i]->under_way = false;
	}
	return n;
}

int
gcm_lane_result(const struct gcm_job *job)
{
	switch (job->op->status) {
	case RTE_CRYPTO_OP_STATUS_SUCCESS:
		return 0;
	case RTE_CRYPTO_OP_STATUS_AUTH_FAILED:
		return -EBADMSG;
	default:
		return -EIO;
	}
}

void
gcm_lane_put(struct gcm_lane *l, struct gcm_job *job)
{
	if (job->kept != NULL)
		l->orphans--;
	strake_buf_put_list(job->out);
	strake_buf_put_list(job->kept);
	job->out = job->kept = NULL;
	job->unit = NULL;
	job->slot = NULL;
	job->fresh = false;
	job->next = l->free;
	l->free = job;
}

bool
gcm_lane_failed(struct gcm_lane *l)
{
	bool was = l->dead;

	if (l->failures < UINT8_MAX)
		l->failures++;
	if (l->failures >= GCM_LANE_FAILURES)
		l->dead = true;
	return l->dead && !was;
}

bool
gcm_lane_stuck(const struct gcm_lane *l, uint64_t now)
{
	return l->under_way > l->orphans && now >= l->progress + GCM_LANE_PATIENCE;
}

struct gcm_job *
gcm_lane_lost(struct gcm_lane *l)
{
	for (uint16_t i = 0; i < l->depth; i++)
		if (l->jobs[i].under_way && l->jobs[i].unit != NULL)
			return &l->jobs[i];
	return NULL;
}

struct strake_unit *
gcm_lane_orphan(struct gcm_lane *l, struct gcm_job *job)
{
	struct strake_unit *unit = job->unit;

	job->kept = unit->bufs;
	unit->bufs = unit->last = NULL;
	job->unit = NULL;
	l->orphans++;
	return unit;
}
