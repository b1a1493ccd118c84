/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "log_parity.h"

#include <errno.h>
#include <string.h>

#include <isa-l.h>
#include <rte_common.h>
#include <rte_debug.h>

#include "strake_kernel.h"

#define XOR_ALIGN 32u /* of addresses, for xor_gen() */

int
lgroup_parity_init(struct lgroup_parity *p, uint32_t k, uint32_t m)
{
	if (k == 0 || k > LOG_DATA_MAX || m > LOG_PARITY_MAX)
		return -EINVAL;
	memset(p, 0, sizeof(*p));
	p->k = k;
	p->m = m;
	gf_gen_cauchy1_matrix(p->matrix, (int)(k + m), (int)k);
	if (m == 1)
		memset(p->matrix + (size_t)k * k, 1, k);
	if (m > 0)
		ec_init_tables((int)k, (int)m, p->matrix + (size_t)k * k, p->tables);
	p->last_role = UINT32_MAX;
	return 0;
}

/* Next stretch in which all of n lists are contiguous. @return its length, 0 at the end. */
static uint32_t
stretch(struct strake_buf_iter *it, uint32_t n, uint8_t **at)
{
	uint32_t len = UINT32_MAX;

	for (uint32_t i = 0; i < n; i++) {
		if (it[i].left == 0)
			return 0;
		len = RTE_MIN(len, it[i].left);
		len = RTE_MIN(len, it[i].buf->len - it[i].off);
	}
	for (uint32_t i = 0; i < n; i++) {
		at[i] = it[i].buf->addr + it[i].off;
		it[i].off += len;
		it[i].left -= len;
		if (it[i].off == it[i].buf->len) {
			it[i].buf = it[i].buf->next;
			it[i].off = 0;
		}
	}
	return len;
}

static bool
xor_aligned(uint8_t **at, uint32_t n, uint32_t len)
{
	uintptr_t all = len;

	for (uint32_t i = 0; i < n; i++)
		all |= (uintptr_t)at[i];
	return (all & (XOR_ALIGN - 1)) == 0;
}

void
lgroup_parity_encode(const struct lgroup_parity *p, struct strake_buf *row, uint32_t unit, uint8_t **parity)
{
	struct strake_buf_iter it[LOG_ROLES_MAX];
	uint8_t *at[LOG_ROLES_MAX];
	uint32_t off = 0, len;

	for (uint32_t c = 0; c < p->k; c++)
		RTE_VERIFY(strake_buf_iter_init(&it[c], row, c * unit, unit) == 0);
	while ((len = stretch(it, p->k, at)) > 0) {
		for (uint32_t i = 0; i < p->m; i++)
			at[p->k + i] = parity[i] + off;
		if (p->m == 1 && p->k > 1 && xor_aligned(at, p->k + 1, len))
			xor_gen((int)p->k + 1, (int)len, (void **)at);
		else
			ec_encode_data((int)len, (int)p->k, (int)p->m, (unsigned char *)p->tables, at, at + p->k);
		off += len;
	}
	strake_kernel->end_vectors();
}

/* Row of the matrix that makes the role of k others: its own row times the inverse of theirs. */
static void
rebuild_tables(struct lgroup_parity *p, uint32_t from, uint32_t role)
{
	uint8_t some[LOG_ROLES_MAX * LOG_ROLES_MAX], inverse[LOG_ROLES_MAX * LOG_ROLES_MAX], row[LOG_ROLES_MAX];
	uint32_t k = p->k, n = 0;

	for (uint32_t mask = from; mask != 0; mask &= mask - 1)
		memcpy(some + (size_t)n++ * k, p->matrix + (size_t)__builtin_ctz(mask) * k, k);
	/* Any k rows of such a matrix are independent. */
	RTE_VERIFY(n == k && gf_invert_matrix(some, inverse, (int)k) == 0);
	for (uint32_t j = 0; j < k; j++) {
		row[j] = 0;
		for (uint32_t i = 0; i < k; i++)
			row[j] ^= gf_mul(p->matrix[(size_t)role * k + i], inverse[(size_t)i * k + j]);
	}
	ec_init_tables((int)k, 1, row, p->last_tables);
	p->last_from = from;
	p->last_role = role;
}

void
lgroup_parity_rebuild(struct lgroup_parity *p, uint32_t from, uint32_t role, struct strake_buf **in, uint32_t len,
		      uint8_t *out)
{
	struct strake_buf_iter it[LOG_ROLES_MAX];
	uint8_t *at[LOG_ROLES_MAX];
	uint32_t n;

	if (p->last_from != from || p->last_role != role)
		rebuild_tables(p, from, role);
	for (uint32_t i = 0; i < p->k; i++)
		RTE_VERIFY(strake_buf_iter_init(&it[i], in[i], 0, len) == 0);
	while ((n = stretch(it, p->k, at)) > 0) {
		ec_encode_data((int)n, (int)p->k, 1, p->last_tables, at, &out);
		out += n;
	}
	strake_kernel->end_vectors();
}

/* The next greater number with as many bits set. */
static uint32_t
next_mask(uint32_t x)
{
	uint32_t low = x & -x, up = x + low;

	return up | (((x ^ up) / low) >> 2);
}

bool
lgroup_parity_attempt(const struct lgroup_parity *p, uint32_t attempt, uint32_t *mask)
{
	uint64_t end = 1ULL << (p->k + p->m);

	*mask = 0;
	if (attempt == 0)
		return true;
	for (uint32_t n = 1; n <= p->m; n++) {
		for (uint32_t x = (1u << n) - 1; x != 0 && x < end; x = next_mask(x)) {
			if (--attempt > 0)
				continue;
			*mask = x;
			return true;
		}
	}
	return false;
}
