/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "page.h"
#include "strake_buf.h"
#include "strake_lcore.h"

static_assert(sizeof(struct strake_buf) == RTE_CACHE_LINE_SIZE, "a descriptor is one cache line");

#define DESC_CACHE 512u

static struct rte_mempool *descs;
static bool iova_is_va;

static void
page_release(struct strake_buf *buf)
{
	page_free(buf->opaque);
}

static const struct strake_backing page_backing = {.name = "page", .release = page_release};

static void
slice_release(struct strake_buf *buf)
{
	strake_buf_put(buf->opaque);
}

static const struct strake_backing slice_backing = {.name = "slice", .release = slice_release};

int
strake_buf_init(const struct strake_buf_conf *conf)
{
	uint32_t lcores = RTE_MAX(strake_lcore_count(), (uint16_t)2);
	int ret;

	if (descs != NULL)
		return -EEXIST;
	/* What the caches of idle lcores hold (half as much again as asked for) must leave most for the others. */
	descs = rte_mempool_create("strake_buf", conf->descriptors, sizeof(struct strake_buf),
				   RTE_MIN(DESC_CACHE, conf->descriptors / (4 * lcores)), 0, NULL, NULL, NULL, NULL,
				   conf->socket, 0);
	if (descs == NULL)
		return -ENOMEM;
	ret = page_init(conf->arena_bytes, conf->socket);
	if (ret < 0) {
		rte_mempool_free(descs);
		descs = NULL;
		return ret;
	}
	iova_is_va = rte_eal_iova_mode() == RTE_IOVA_VA;
	return 0;
}

void
strake_buf_fini(void)
{
	page_fini();
	rte_mempool_free(descs);
	descs = NULL;
}

void
strake_buf_arena(void **addr, size_t *len)
{
	page_arena(addr, len);
}

void
strake_buf_usage(struct strake_buf_usage *out)
{
	out->descriptors = descs->size;
	out->descriptors_free = rte_mempool_avail_count(descs);
	page_usage(out);
}

/* The bytes are given back when neither a holder of the descriptor nor an mbuf that shows them is left. The holders
 * have one of shinfo's references together, each mbuf has one more. */
static void
buf_end(struct strake_buf *buf)
{
	if (buf->backing->release != NULL)
		buf->backing->release(buf);
	rte_mempool_put(descs, buf);
}

static void
mbuf_gone(void *addr, void *opaque)
{
	RTE_SET_USED(addr);
	buf_end(opaque);
}

void
strake_buf_free(struct strake_buf *buf)
{
	if (likely(rte_mbuf_ext_refcnt_read(&buf->shinfo) == 1) || rte_mbuf_ext_refcnt_update(&buf->shinfo, -1) == 0)
		buf_end(buf);
}

struct strake_buf *
strake_buf_wrap(void *addr, uint32_t len, const struct strake_backing *backing, void *opaque, uint8_t flags)
{
	struct strake_buf *buf;

	if (unlikely(rte_mempool_get(descs, (void **)&buf) < 0))
		return NULL;
	buf->next = NULL;
	buf->addr = addr;
	buf->backing = backing;
	buf->opaque = opaque;
	buf->len = len;
	buf->refcnt = 1;
	buf->reg = STRAKE_BUF_UNREGISTERED;
	buf->flags = flags;
	buf->shinfo.free_cb = mbuf_gone;
	buf->shinfo.fcb_opaque = buf;
	rte_mbuf_ext_refcnt_set(&buf->shinfo, 1);
	return buf;
}

struct strake_buf *
strake_buf_page(uint32_t len)
{
	struct strake_buf *buf;
	void *page;

	page = page_alloc(len);
	if (unlikely(page == NULL))
		return NULL;
	buf = strake_buf_wrap(page, len, &page_backing, page, STRAKE_BUF_STABLE | STRAKE_BUF_WRITABLE);
	if (unlikely(buf == NULL)) {
		page_free(page);
		return NULL;
	}
	buf->reg = STRAKE_BUF_REG_ARENA;
	return buf;
}

struct strake_buf *
strake_buf_slice(struct strake_buf *buf, uint32_t off, uint32_t len)
{
	struct strake_buf *root = buf->backing == &slice_backing ? buf->opaque : buf;
	struct strake_buf *slice;

	slice = strake_buf_wrap(buf->addr + off, len, &slice_backing, root, buf->flags & STRAKE_BUF_STABLE);
	if (unlikely(slice == NULL))
		return NULL;
	slice->reg = root->reg;
	strake_buf_get(root);
	return slice;
}

void
strake_buf_mbuf_attach(struct rte_mbuf *m, struct strake_buf *buf, uint32_t off, uint16_t len)
{
	uint8_t *addr = buf->addr + off;
	rte_iova_t iova = iova_is_va ? (rte_iova_t)(uintptr_t)addr : rte_mem_virt2iova(addr);

	rte_mbuf_ext_refcnt_update(&buf->shinfo, 1);
	rte_pktmbuf_attach_extbuf(m, addr, iova, len, &buf->shinfo);
	m->data_len = len;
	m->pkt_len = len;
}
