/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "power_medium.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_debug.h>

#include "strake_drive.h"

struct power_page {
	uint32_t refs;
	uint8_t at[POWER_PAGE];
};

struct power_payload {
	uint32_t refs;
	uint8_t at[];
};

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

/* --- pages -------------------------------------------------------------------------------------------------------- */

static uint64_t
pages_of(const struct power_medium *m)
{
	return (m->bytes + POWER_PAGE - 1) / POWER_PAGE;
}

static void
page_put(struct power_page *p)
{
	if (p != NULL && --p->refs == 0)
		free(p);
}

static struct power_page **
table_share(struct power_page **from, uint64_t n)
{
	struct power_page **to = power_must(calloc(n, sizeof(struct power_page *)));

	for (uint64_t i = 0; i < n; i++) {
		to[i] = from[i];
		if (to[i] != NULL)
			to[i]->refs++;
	}
	return to;
}

static void
table_put(struct power_page **table, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		page_put(table[i]);
	free(table);
}

/* The page, nobody else's; what it held is kept unless all of it is about to be written. */
static struct power_page *
page_own(struct power_page **table, uint64_t i, bool whole)
{
	struct power_page *p = table[i], *own;

	if (p != NULL && p->refs == 1)
		return p;
	own = power_must(p == NULL && !whole ? calloc(1, sizeof(*own)) : malloc(sizeof(*own)));
	if (p != NULL && !whole)
		memcpy(own->at, p->at, POWER_PAGE);
	page_put(p);
	own->refs = 1;
	table[i] = own;
	return own;
}

static void
put(struct power_page **table, uint64_t off, uint64_t len, const uint8_t *from)
{
	while (len > 0) {
		uint64_t in = off % POWER_PAGE, n = RTE_MIN(len, POWER_PAGE - in), i = off / POWER_PAGE;

		if (from == NULL && (n == POWER_PAGE || table[i] == NULL)) {
			page_put(table[i]);
			table[i] = NULL;
		} else if (from == NULL) {
			memset(page_own(table, i, false)->at + in, 0, n);
		} else {
			memcpy(page_own(table, i, n == POWER_PAGE)->at + in, from, n);
			from += n;
		}
		off += n;
		len -= n;
	}
}

/* --- the medium --------------------------------------------------------------------------------------------------- */

void
power_medium_init(struct power_medium *m, uint64_t bytes)
{
	*m = (struct power_medium){.bytes = bytes};
	m->durable = power_must(calloc(pages_of(m), sizeof(struct power_page *)));
	m->now = power_must(calloc(pages_of(m), sizeof(struct power_page *)));
}

struct power_payload *
power_payload_new(uint32_t len)
{
	struct power_payload *p = power_must(malloc(sizeof(*p) + len));

	p->refs = 1;
	return p;
}

uint8_t *
power_payload_bytes(struct power_payload *p)
{
	return p->at;
}

bool
power_payload_is(struct power_payload *p, const struct strake_io *io)
{
	const uint8_t *was = power_payload_bytes(p);
	struct strake_buf_iter it;
	uint8_t *at;
	uint32_t n;

	if (strake_buf_iter_init(&it, io->bufs, io->buf_off, io->len) < 0)
		return false;
	for (; (n = strake_buf_iter_next(&it, &at)) > 0; was += n) {
		if (memcmp(at, was, n) != 0)
			return false;
	}
	return true;
}

void
power_payload_put(struct power_payload *p)
{
	if (p != NULL && --p->refs == 0)
		free(p);
}

void
power_medium_fini(struct power_medium *m)
{
	for (uint64_t i = 0; i < m->n_versions; i++)
		power_payload_put(m->versions[i].data);
	free(m->versions);
	table_put(m->durable, pages_of(m));
	table_put(m->now, pages_of(m));
	*m = (struct power_medium){.bytes = 0};
}

void
power_medium_clone(struct power_medium *to, const struct power_medium *from)
{
	*to = *from;
	to->durable = table_share(from->durable, pages_of(from));
	to->now = table_share(from->now, pages_of(from));
	to->max_versions = from->n_versions + 1;
	to->versions = power_must(calloc(to->max_versions, sizeof(*to->versions)));
	for (uint64_t i = 0; i < from->n_versions; i++) {
		to->versions[i] = from->versions[i];
		if (to->versions[i].data != NULL)
			to->versions[i].data->refs++;
	}
}

void
power_medium_read(const struct power_medium *m, uint64_t off, void *to, uint64_t len)
{
	uint8_t *at = to;

	while (len > 0) {
		uint64_t in = off % POWER_PAGE, n = RTE_MIN(len, POWER_PAGE - in);
		const struct power_page *p = m->now[off / POWER_PAGE];

		if (p == NULL)
			memset(at, 0, n);
		else
			memcpy(at, p->at + in, n);
		at += n;
		off += n;
		len -= n;
	}
}

void
power_medium_poke(struct power_medium *m, uint64_t off, const void *from, uint64_t len)
{
	/* Older versions would cover it again when they settle. */
	power_medium_settle(m, power_medium_seq(m));
	put(m->now, off, len, from);
	put(m->durable, off, len, from);
}

uint64_t
power_medium_seq(const struct power_medium *m)
{
	return m->first_seq + m->n_versions;
}

static struct power_version *
add(struct power_medium *m, uint64_t off, uint32_t len, struct power_payload *data, bool fua)
{
	struct power_version *v;

	if (m->n_versions == m->max_versions) {
		m->max_versions = RTE_MAX(64u, m->max_versions * 2);
		m->versions = power_must(realloc(m->versions, m->max_versions * sizeof(*v)));
	}
	v = &m->versions[m->n_versions++];
	*v = (struct power_version){off / POWER_SECTOR, len / POWER_SECTOR, fua, data};
	if (data != NULL)
		data->refs++;
	return v;
}

/* Sectors [from, from + n) of a version. */
static void
put_some(struct power_page **table, const struct power_version *v, uint32_t from, uint32_t n)
{
	put(table, (v->sector + from) * POWER_SECTOR, (uint64_t)n * POWER_SECTOR,
	    v->data != NULL ? v->data->at + (size_t)from * POWER_SECTOR : NULL);
}

void
power_medium_write(struct power_medium *m, uint64_t off, uint32_t len, struct power_payload *data, bool fua)
{
	const struct power_version *v = add(m, off, len, data, fua);

	put_some(m->now, v, 0, v->count);
}

void
power_medium_half_write(struct power_medium *m, uint64_t off, uint32_t len, struct power_payload *data)
{
	add(m, off, len, data, false);
}

void
power_medium_settle(struct power_medium *m, uint64_t seq)
{
	uint64_t n = seq > m->first_seq ? seq - m->first_seq : 0;

	for (uint64_t i = 0; i < n; i++) {
		put_some(m->durable, &m->versions[i], 0, m->versions[i].count);
		power_payload_put(m->versions[i].data);
	}
	if (n > 0)
		memmove(m->versions, m->versions + n, (m->n_versions - n) * sizeof(m->versions[0]));
	m->n_versions -= n;
	m->first_seq += n;
}

/* --- power goes --------------------------------------------------------------------------------------------------- */

/*
 * One cut in four loses the whole cache, one keeps it, one keeps any of the writes whole (they were reordered), one any
 * of their sectors (they were torn as well).
 */
enum mood { LOSES, KEEPS, REORDERS, TEARS };

/*
 * Of a sector's contents since it was last durable, the durable one included, each is as likely as the others: the n-th
 * newer one replaces the choice so far with a chance of 1 in n + 1.
 */
static void
tear(struct power_medium *m, const struct power_version *v, uint16_t *newer, uint64_t *rng)
{
	for (uint32_t i = 0; i < v->count; i++) {
		if (power_draw(rng) % (++newer[v->sector + i] + 1u) == 0)
			put_some(m->durable, v, i, 1);
	}
}

void
power_medium_cut(struct power_medium *m, uint64_t *rng)
{
	enum mood mood = (enum mood)(power_draw(rng) % 4);
	uint16_t *newer = NULL;

	if (m->n_versions > 0)
		newer = power_must(calloc(m->bytes / POWER_SECTOR + 1, sizeof(*newer)));
	for (uint64_t i = 0; i < m->n_versions; i++) {
		struct power_version *v = &m->versions[i];

		if (v->fua || mood == KEEPS || (mood == REORDERS && power_draw(rng) % 2 == 0)) {
			put_some(m->durable, v, 0, v->count);
			memset(&newer[v->sector], 0, v->count * sizeof(*newer));
		} else if (mood == TEARS) {
			tear(m, v, newer, rng);
		}
		power_payload_put(v->data);
	}
	m->first_seq += m->n_versions;
	m->n_versions = 0;
	free(newer);
	table_put(m->now, pages_of(m));
	m->now = table_share(m->durable, pages_of(m));
}
