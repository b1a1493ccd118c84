/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "unit.h"

#include <string.h>

#include <rte_mempool.h>

#define POOL_CACHE 256

/* One kind of unit: what hosts may use up, and what only work begun inside may. */
struct unit_pool {
	struct rte_mempool *common, *reserve;
};

static struct unit_pool reqs, chunks;

static const char *const op_names[STRAKE_OP_COUNT] = {
	[STRAKE_OP_READ] = "read",
	[STRAKE_OP_WRITE] = "write",
	[STRAKE_OP_FLUSH] = "flush",
	[STRAKE_OP_WRITE_ZEROES] = "write_zeroes",
	[STRAKE_OP_DEALLOCATE] = "deallocate",
	[STRAKE_OP_COMPARE] = "compare",
	[STRAKE_OP_COMPARE_WRITE] = "compare_write",
	[STRAKE_OP_VERIFY] = "verify",
};

const char *
strake_op_name(uint8_t op)
{
	return op < STRAKE_OP_COUNT ? op_names[op] : "unknown";
}

static struct rte_mempool *
pool_create(const char *name, uint32_t n, size_t size, int socket)
{
	uint32_t lcores = RTE_MAX(strake_lcore_count(), (uint16_t)2);
	/* What the caches of idle lcores hold (half as much again as asked for) must leave most for the others. */
	uint32_t cache = RTE_MIN((uint32_t)POOL_CACHE, n / (4 * lcores));

	return rte_mempool_create(name, n, size, cache, 0, NULL, NULL, NULL, NULL, socket, 0);
}

int
unit_pools_init(const struct strake_pipeline_conf *conf)
{
	uint32_t reserve = RTE_MAX(conf->reserve, 1u);

	reqs.common = pool_create("strake_req", conf->reqs, sizeof(struct strake_req), conf->socket);
	reqs.reserve = pool_create("strake_req_rsv", reserve, sizeof(struct strake_req), conf->socket);
	chunks.common = pool_create("strake_chunk", conf->chunks, sizeof(struct strake_chunk), conf->socket);
	chunks.reserve = pool_create("strake_chunk_rsv", reserve, sizeof(struct strake_chunk), conf->socket);
	if (reqs.common != NULL && reqs.reserve != NULL && chunks.common != NULL && chunks.reserve != NULL)
		return 0;
	unit_pools_fini();
	return -ENOMEM;
}

void
unit_pools_fini(void)
{
	rte_mempool_free(reqs.common);
	rte_mempool_free(reqs.reserve);
	rte_mempool_free(chunks.common);
	rte_mempool_free(chunks.reserve);
	memset(&reqs, 0, sizeof(reqs));
	memset(&chunks, 0, sizeof(chunks));
}

uint32_t
unit_pools_total(void)
{
	return reqs.common->size + reqs.reserve->size + chunks.common->size + chunks.reserve->size;
}

static void *
pool_get(const struct unit_pool *p, bool internal)
{
	void *obj;

	if (likely(rte_mempool_get(p->common, &obj) == 0))
		return obj;
	if (internal && rte_mempool_get(p->reserve, &obj) == 0)
		return obj;
	return NULL;
}

struct strake_req *
strake_req_alloc(bool internal)
{
	struct strake_req *req = pool_get(&reqs, internal);

	if (unlikely(req == NULL))
		return NULL;
	memset(req, 0, sizeof(*req));
	req->u.kind = STRAKE_UNIT_REQ;
	if (internal)
		req->u.flags = STRAKE_UNIT_INTERNAL;
	return req;
}

void
strake_req_free(struct strake_req *req)
{
	strake_buf_put_list(req->u.bufs);
	rte_mempool_put(rte_mempool_from_obj(req), req);
}

struct strake_chunk *
strake_chunk_alloc(bool internal)
{
	struct strake_chunk *chunk = pool_get(&chunks, internal);

	if (unlikely(chunk == NULL))
		return NULL;
	memset(chunk, 0, sizeof(*chunk));
	chunk->u.kind = STRAKE_UNIT_CHUNK;
	if (internal)
		chunk->u.flags = STRAKE_UNIT_INTERNAL;
	return chunk;
}

void
strake_chunk_free(struct strake_chunk *chunk)
{
	strake_buf_put_list(chunk->u.bufs);
	rte_mempool_put(rte_mempool_from_obj(chunk), chunk);
}
