/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_LEND_H
#define STRAKE_LEND_H

/**
 * @file
 * A payload shown to a DPDK device where it lies, by mbufs that own no bytes of their own. Any lcore.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_memory.h>

#include "strake_buf.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Let @p m be these bytes and no more. */
static inline void
strake_lend_bytes(struct rte_mbuf *m, uint8_t *addr, uint16_t len)
{
	m->buf_addr = addr;
	m->buf_iova = rte_eal_iova_mode() == RTE_IOVA_VA ? (rte_iova_t)(uintptr_t)addr : rte_mem_virt2iova(addr);
	m->buf_len = len;
	m->data_off = 0;
	m->data_len = len;
	m->pkt_len = len;
	m->nb_segs = 1;
	m->next = NULL;
}

/** Let m[0], with up to @p max - 1 behind it, be the first @p len bytes of @p list.
 * @return false: they have to be gathered, being in more pieces, in one too long for an mbuf, or such as a peer can
 * still change; or there are fewer. */
static inline bool
strake_lend(struct rte_mbuf *const *m, uint16_t max, const struct strake_buf *list, uint32_t len)
{
	uint32_t have = 0;
	uint16_t n = 0;

	for (; list != NULL && have < len; list = list->next, n++) {
		uint32_t piece = list->len < len - have ? list->len : len - have;

		if (n == max || (list->flags & STRAKE_BUF_STABLE) == 0 || piece > UINT16_MAX)
			return false;
		strake_lend_bytes(m[n], list->addr, (uint16_t)piece);
		if (n > 0)
			m[n - 1]->next = m[n];
		have += piece;
	}
	m[0]->nb_segs = n;
	m[0]->pkt_len = len;
	return have == len;
}

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_LEND_H */
