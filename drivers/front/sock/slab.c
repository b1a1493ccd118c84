/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Receive slabs: large regions cut in order, so that one recv() takes many commands and nothing is allocated. When all
 * that was cut from the current slab is put, cutting begins again at its start: a load of reads stays in cache. */

#include <errno.h>
#include <stdio.h>

#include <rte_malloc.h>

#include "stream.h"

_Static_assert(SLAB_BYTES >= SLAB_READ + SLAB_LEAST, "a slab serves more than one read");

static void
slab_put(struct sock_slab *slab)
{
	struct sock_lcore *lc = slab->lc;

	/* The release pairs with the acquire of the last one: all writes to and reads of the bytes come before reuse */
	if (__atomic_sub_fetch(&slab->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if (strake_self() != NULL && strake_self_index() == lc->index) {
		slab->next = lc->free_slabs;
		lc->free_slabs = slab;
	} else {
		rte_ring_enqueue(lc->returned, slab); /* has a place for each */
	}
}

static void
piece_release(struct strake_buf *buf)
{
	struct sock_piece *piece = buf->opaque;

	__atomic_sub_fetch(&piece->stream->held, piece->len, __ATOMIC_RELEASE);
	slab_put(piece->slab);
}

static const struct strake_backing piece_backing = {.name = "sock", .release = piece_release};

static struct sock_slab *
slab_get(struct sock_lcore *lc)
{
	struct sock_slab *slab = lc->free_slabs;

	if (slab != NULL)
		lc->free_slabs = slab->next;
	else if (rte_ring_dequeue(lc->returned, (void **)&slab) != 0)
		return NULL;
	slab->refs = 1;
	slab->off = 0;
	return slab;
}

uint8_t *
sock_slab_room(struct sock_lcore *lc, uint32_t *len)
{
	struct sock_slab *slab = lc->slab;

	if (slab != NULL && slab->off != 0 && __atomic_load_n(&slab->refs, __ATOMIC_ACQUIRE) == 1)
		slab->off = 0;
	if (slab != NULL && SLAB_BYTES - slab->off < SLAB_LEAST + sizeof(struct sock_piece)) {
		lc->slab = NULL;
		slab_put(slab);
		slab = NULL;
	}
	if (slab == NULL)
		slab = lc->slab = slab_get(lc);
	if (slab == NULL)
		return NULL;
	*len = RTE_MIN(SLAB_BYTES - slab->off - (uint32_t)sizeof(struct sock_piece), SLAB_READ);
	return slab->mem + slab->off + sizeof(struct sock_piece);
}

struct strake_buf *
sock_slab_cut(struct sock_lcore *lc, struct sock_stream *st, uint32_t len)
{
	struct sock_slab *slab = lc->slab;
	struct sock_piece *piece = (struct sock_piece *)(slab->mem + slab->off);
	struct strake_buf *buf;

	buf = strake_buf_wrap(piece + 1, len, &piece_backing, piece, STRAKE_BUF_STABLE | STRAKE_BUF_WRITABLE);
	if (buf == NULL)
		return NULL;
	piece->slab = slab;
	piece->stream = st;
	piece->len = len;
	slab->off += (uint32_t)sizeof(*piece) + RTE_ALIGN_CEIL(len, (uint32_t)sizeof(*piece));
	__atomic_add_fetch(&slab->refs, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&st->held, len, __ATOMIC_RELAXED);
	return buf;
}

int
sock_slab_init(struct sock_lcore *lc)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "sock_slabs_%u", lc->index);
	lc->returned = rte_ring_create(name, SLAB_COUNT * 2, strake_self()->socket, RING_F_SC_DEQ);
	lc->slab_mem = rte_malloc_socket("sock_slabs", (size_t)SLAB_BYTES * SLAB_COUNT, 4096, strake_self()->socket);
	if (lc->returned == NULL || lc->slab_mem == NULL) {
		sock_slab_fini(lc);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < SLAB_COUNT; i++) {
		struct sock_slab *slab = &lc->slabs[i];

		slab->lc = lc;
		slab->mem = lc->slab_mem + (size_t)i * SLAB_BYTES;
		slab->next = lc->free_slabs;
		lc->free_slabs = slab;
	}
	return 0;
}

void
sock_slab_fini(struct sock_lcore *lc)
{
	rte_ring_free(lc->returned);
	rte_free(lc->slab_mem);
}
