/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Rows of a group: which byte lies on which drive, and what the drives make of one that is away. */

#include <stdlib.h>
#include <string.h>

#include <isa-l.h>

#include "drives.h"

#define ROLES_MAX (LOG_SUPER_DATA + 3)

/* Parity goes round with the rows. */
static size_t
column_of(const struct group *g, uint32_t seg, uint32_t row, uint32_t role)
{
	return (size_t)seg * g->width + (role + row + seg) % g->width;
}

static uint32_t
member_of(const struct group *g, uint32_t seg, uint32_t row, uint32_t role)
{
	return g->deal.member[column_of(g, seg, row, role)];
}

static int
unit_read(const struct group *g, uint32_t seg, uint32_t row, uint32_t role, uint32_t off, uint32_t len, uint8_t *to)
{
	const struct group_drive *d = &g->drive[member_of(g, seg, row, role)];
	uint64_t at = g->data_off + (uint64_t)g->deal.slot[column_of(g, seg, row, role)] * g->s.segment +
		      (uint64_t)row * g->s.unit + off;

	return d->src->read(d->src, at, to, len);
}

/* One parity unit is the XOR of the data; more follow ISA-L's Cauchy matrix. */
static void
matrix_make(const struct group *g, uint8_t *matrix)
{
	gf_gen_cauchy1_matrix(matrix, (int)g->width, (int)g->s.data);
	if (g->s.parity == 1)
		memset(matrix + g->s.data * g->s.data, 1, g->s.data);
}

/* The bytes of a role from those of k others. */
static void
make_role(const struct group *g, const uint32_t *from, uint8_t **have, uint32_t role, uint32_t len, uint8_t *to)
{
	uint8_t matrix[ROLES_MAX * ROLES_MAX], some[ROLES_MAX * ROLES_MAX], inverse[ROLES_MAX * ROLES_MAX];
	uint8_t row[ROLES_MAX] = {0}, tables[32 * ROLES_MAX];
	uint32_t k = g->s.data;

	matrix_make(g, matrix);
	for (uint32_t i = 0; i < k; i++)
		memcpy(some + i * k, matrix + from[i] * k, k);
	gf_invert_matrix(some, inverse, (int)k);
	for (uint32_t j = 0; j < k; j++) {
		for (uint32_t i = 0; i < k; i++)
			row[j] ^= gf_mul(matrix[role * k + i], inverse[i * k + j]);
	}
	ec_init_tables((int)k, 1, row, tables);
	ec_encode_data((int)len, (int)k, 1, tables, have, &to);
}

/* k roles that can be read, data first. @return how many were found. */
static uint32_t
basis(const struct group *g, uint32_t seg, uint32_t row, uint32_t off, uint32_t len, uint32_t not_members,
      uint32_t *from, uint8_t **have)
{
	uint32_t n = 0;

	for (uint32_t role = 0; role < g->width && n < g->s.data; role++) {
		uint32_t m = member_of(g, seg, row, role);

		if (!g->drive[m].good || (not_members >> m & 1) != 0)
			continue;
		have[n] = malloc(len);
		if (unit_read(g, seg, row, role, off, len, have[n]) < 0) {
			free(have[n]);
			continue;
		}
		from[n++] = role;
	}
	return n;
}

static int
piece(const struct group *g, uint32_t seg, uint32_t row, uint32_t role, uint32_t off, uint32_t len, uint8_t *to,
      uint32_t without)
{
	uint32_t m = member_of(g, seg, row, role), from[ROLES_MAX], n;
	uint8_t *have[ROLES_MAX];

	if (g->drive[m].good && (without >> m & 1) == 0 && unit_read(g, seg, row, role, off, len, to) == 0)
		return 0;
	n = basis(g, seg, row, off, len, without | 1u << m, from, have);
	if (n == g->s.data)
		make_role(g, from, have, role, len, to);
	for (uint32_t i = 0; i < n; i++)
		free(have[i]);
	return n == g->s.data ? 0 : -1;
}

int
group_read(const struct group *g, uint32_t seg, uint32_t off, uint32_t len, uint8_t *to, uint32_t without)
{
	if (seg >= g->deal.segments || (uint64_t)off + len > g->seg_bytes)
		return -1;
	while (len > 0) {
		uint32_t in = off % g->s.unit, n = len < g->s.unit - in ? len : g->s.unit - in;

		if (piece(g, seg, off / g->row_bytes, off % g->row_bytes / g->s.unit, in, n, to, without) < 0)
			return -1;
		off += n;
		to += n;
		len -= n;
	}
	return 0;
}

uint32_t
group_member_of(const struct group *g, uint32_t seg, uint32_t off)
{
	return member_of(g, seg, off / g->row_bytes, off % g->row_bytes / g->s.unit);
}

bool
group_agrees(const struct group *g, uint32_t seg, uint32_t off, const uint8_t *at, uint32_t len)
{
	uint32_t row = off / g->row_bytes, without = 1u << group_member_of(g, seg, off);
	uint8_t *made = malloc(len);
	bool same = true;

	/* With the column left out, the first of the parity at hand says what it is; then with that left out too. */
	for (uint32_t i = 0; i < g->s.parity && same; i++) {
		same = group_read(g, seg, off, len, made, without) < 0 || memcmp(made, at, len) == 0;
		without |= 1u << member_of(g, seg, row, g->s.data + i);
	}
	free(made);
	return same;
}

uint32_t
group_members_of(const struct group *g, uint32_t seg)
{
	uint32_t mask = 0;

	for (uint32_t p = 0; p < g->width; p++)
		mask |= 1u << g->deal.member[(size_t)seg * g->width + p];
	return mask;
}

/* The next larger number with as many bits. */
static uint64_t
as_many_bits(uint64_t x)
{
	uint64_t low = x & -x, up = x + low;

	return up | ((x ^ up) >> 2) / low;
}

uint32_t
group_way(const struct group *g, uint32_t seg, uint32_t *at)
{
	uint64_t x = *at;
	uint32_t mask;

	do {
		uint32_t n = (uint32_t)__builtin_popcountll(x);

		x = x == 0 ? 1 : as_many_bits(x);
		if (x >> g->width != 0)
			x = (1ULL << (n + 1)) - 1;
		if (x == 0 || (uint32_t)__builtin_popcountll(x) > g->s.parity || x >> g->width != 0)
			return 0;
		mask = 0;
		for (uint32_t p = 0; p < g->width; p++) {
			uint32_t m = g->deal.member[(size_t)seg * g->width + p];

			if ((x >> p & 1) != 0 && g->drive[m].good)
				mask |= 1u << m;
		}
	} while ((uint32_t)__builtin_popcount(mask) < (uint32_t)__builtin_popcountll(x));
	*at = (uint32_t)x;
	return mask;
}

uint32_t
group_row_wrong(const struct group *g, uint32_t seg, uint32_t row)
{
	uint8_t *have[ROLES_MAX], *made = malloc(g->s.unit), *read = malloc(g->s.unit);
	uint32_t from[ROLES_MAX], n = basis(g, seg, row, 0, g->s.unit, 0, from, have), wrong = 0;

	for (uint32_t role = 0; role < g->width && n == g->s.data; role++) {
		uint32_t m = member_of(g, seg, row, role);
		bool known = false;

		for (uint32_t i = 0; i < n; i++)
			known = known || from[i] == role;
		if (known || !g->drive[m].good || unit_read(g, seg, row, role, 0, g->s.unit, read) < 0)
			continue;
		make_role(g, from, have, role, g->s.unit, made);
		if (memcmp(made, read, g->s.unit) != 0)
			wrong |= 1u << m;
	}
	for (uint32_t i = 0; i < n; i++)
		free(have[i]);
	free(made);
	free(read);
	return wrong;
}
