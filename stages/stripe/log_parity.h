/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOG_PARITY_H
#define LOG_PARITY_H

/**
 * @file
 * Parity of a row: Reed-Solomon over k data and m parity units, by ISA-L. No I/O here.
 *
 * Roles 0 to k - 1 are data, the others parity. One parity unit is the XOR of the data; more follow a Cauchy matrix.
 * The matrix is part of the on-disk format.
 */

#include <stdbool.h>
#include <stdint.h>

#include "strake_buf.h"

#define LOG_PARITY_MAX 3
#define LOG_ROLES_MAX  27
#define LOG_DATA_MAX   24

struct lgroup_parity {
	uint32_t k, m;
	uint8_t matrix[LOG_ROLES_MAX * LOG_ROLES_MAX]; /**< [role * k + data] */
	uint8_t tables[32 * LOG_ROLES_MAX * LOG_PARITY_MAX];
	/** The last rebuild's, since the next is most often alike. */
	uint32_t last_from, last_role;
	uint8_t last_tables[32 * LOG_ROLES_MAX];
};

/** @return 0, or -EINVAL. */
int lgroup_parity_init(struct lgroup_parity *p, uint32_t k, uint32_t m);

/** Parity of k units in @p row's window [0, k * unit), into m pages of @p unit bytes. */
void lgroup_parity_encode(const struct lgroup_parity *p, struct strake_buf *row, uint32_t unit, uint8_t **parity);

/**
 * The bytes of @p role from those of k others: @p from has their k bits, @p in their lists in the order of roles, each
 * of @p len bytes.
 */
void lgroup_parity_rebuild(struct lgroup_parity *p, uint32_t from, uint32_t role, struct strake_buf **in, uint32_t len,
			   uint8_t *out);

/**
 * The roles that reading with @p attempt leaves out: 0 none; then one at a time, data before parity, then two, up to m.
 * Roles of the first row that is read; of others it leaves out the same columns. Parity alone, too: it may be what a
 * column that is away is made from, and is data in the row behind. @return false: there are not so many.
 */
bool lgroup_parity_attempt(const struct lgroup_parity *p, uint32_t attempt, uint32_t *mask);

#endif /* LOG_PARITY_H */
