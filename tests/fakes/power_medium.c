/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "power_medium.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_debug.h>

uint64_t
power_draw(uint64_t *rng)
{
	uint64_t z = (*rng += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void *
power_must(void *p)
{
	RTE_VERIFY(p != NULL);
	return p;
}

void
power_medium_init(struct power_medium *m, uint64_t bytes)
{
	*m = (struct power_medium){.bytes = bytes};
	m->durable = power_must(calloc(1, bytes));
	m->now = power_must(calloc(1, bytes));
}

void
power_medium_fini(struct power_medium *m)
{
	for (uint64_t i = 0; i < m->n_versions; i++)
		free(m->versions[i].data);
	free(m->versions);
	free(m->durable);
	free(m->now);
}

uint64_t
power_medium_seq(const struct power_medium *m)
{
	return m->first_seq + m->n_versions;
}

static void
put(uint8_t *image, uint64_t sector, const struct power_version *v)
{
	if (v->data == NULL)
		memset(image + sector * POWER_SECTOR, 0, POWER_SECTOR);
	else
		memcpy(image + sector * POWER_SECTOR, v->data + (sector - v->sector) * POWER_SECTOR, POWER_SECTOR);
}

static void
put_all(uint8_t *image, const struct power_version *v)
{
	for (uint32_t i = 0; i < v->count; i++)
		put(image, v->sector + i, v);
}

static struct power_version *
add(struct power_medium *m, uint64_t off, uint32_t len, uint8_t *data, bool fua)
{
	struct power_version *v;

	if (m->n_versions == m->max_versions) {
		m->max_versions = RTE_MAX(64u, m->max_versions * 2);
		m->versions = power_must(realloc(m->versions, m->max_versions * sizeof(*v)));
	}
	v = &m->versions[m->n_versions++];
	*v = (struct power_version){off / POWER_SECTOR, len / POWER_SECTOR, fua, data};
	return v;
}

void
power_medium_write(struct power_medium *m, uint64_t off, uint32_t len, uint8_t *data, bool fua)
{
	put_all(m->now, add(m, off, len, data, fua));
}

void
power_medium_half_write(struct power_medium *m, uint64_t off, uint32_t len, uint8_t *data)
{
	add(m, off, len, data, false);
}

void
power_medium_settle(struct power_medium *m, uint64_t seq)
{
	uint64_t n = seq > m->first_seq ? seq - m->first_seq : 0;

	for (uint64_t i = 0; i < n; i++) {
		put_all(m->durable, &m->versions[i]);
		free(m->versions[i].data);
	}
	if (n > 0)
		memmove(m->versions, m->versions + n, (m->n_versions - n) * sizeof(m->versions[0]));
	m->n_versions -= n;
	m->first_seq += n;
}

/*
 * Of a sector's contents since it was last durable, the durable one included, each is as likely as the others: the n-th
 * newer one replaces the choice so far with a chance of 1 in n + 1. One cut in four loses the whole cache, and one in
 * four keeps it, so that those are seen too.
 */
void
power_medium_cut(struct power_medium *m, uint64_t *rng)
{
	uint16_t *newer = power_must(calloc(m->bytes / POWER_SECTOR, sizeof(*newer)));
	uint64_t mood = power_draw(rng) % 4;

	for (uint64_t i = 0; i < m->n_versions; i++) {
		struct power_version *v = &m->versions[i];

		for (uint64_t s = v->sector; s < v->sector + v->count; s++) {
			if (v->fua) {
				newer[s] = 0;
				put(m->durable, s, v);
			} else if (mood == 0 || (mood > 1 && power_draw(rng) % (++newer[s] + 1u) == 0)) {
				put(m->durable, s, v);
			}
		}
		free(v->data);
	}
	m->first_seq += m->n_versions;
	m->n_versions = 0;
	free(newer);
	memcpy(m->now, m->durable, m->bytes);
}
