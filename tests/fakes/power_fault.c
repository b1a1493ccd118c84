/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "power_fault.h"

#include <string.h>

#include <rte_common.h>
#include <rte_debug.h>

/* --- I/Os that fail ----------------------------------------------------------------------------------------------- */

void
power_faults_add(struct power_faults *f, const struct power_fault *fault)
{
	RTE_VERIFY(f->n < POWER_FAULTS_MAX && fault->status < 0);
	f->list[f->n++] = *fault;
}

/* One in the middle of a longer fault stays. */
void
power_faults_heal(struct power_faults *f, uint64_t off, uint64_t len)
{
	for (unsigned int i = 0; i < f->n; i++) {
		struct power_fault *p = &f->list[i];
		uint64_t end = p->off + p->len;

		if (!p->heals || off >= end || off + len <= p->off)
			continue;
		if (off <= p->off) {
			p->off = RTE_MIN(off + len, end);
			p->len = end - p->off;
		} else if (off + len >= end) {
			p->len = off - p->off;
		}
		if (p->len == 0)
			f->list[i--] = f->list[--f->n];
	}
}

int
power_faults_status(struct power_faults *f, const struct strake_io *io)
{
	for (unsigned int i = 0; i < f->n; i++) {
		struct power_fault *p = &f->list[i];

		if (p->ops != 0 && !(p->ops & (1u << io->op)))
			continue;
		if (p->len != 0 && (io->off >= p->off + p->len || io->off + io->len <= p->off))
			continue;
		if (p->skip > 0) {
			p->skip--;
			continue;
		}
		if (p->count == UINT32_MAX)
			continue;
		/* 0 is for ever; the last one counted turns into "no more". */
		if (p->count != 0 && --p->count == 0)
			p->count = UINT32_MAX;
		return p->status;
	}
	return 0;
}

/* --- writes that are not what is said of them ----------------------------------------------------------------------
 */

/* The same payload, but for bytes [at, at + n), which are as they are on the medium. */
static struct power_payload *
without(const struct power_medium *m, uint64_t off, uint32_t len, struct power_payload *data, uint32_t at, uint32_t n)
{
	struct power_payload *rest = power_payload_new(len);

	memcpy(power_payload_bytes(rest), power_payload_bytes(data), len);
	power_medium_read(m, off + at, power_payload_bytes(rest) + at, n);
	return rest;
}

static struct power_payload *
flipped(struct power_faults *f, uint32_t len, struct power_payload *data)
{
	struct power_payload *other = power_payload_new(len);
	uint64_t bit = power_draw(&f->lies.seed) % (len * 8ull);

	memcpy(power_payload_bytes(other), power_payload_bytes(data), len);
	power_payload_bytes(other)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	return other;
}

/* Bytes [at, at + n) of the payload, somewhere else. */
static void
astray(struct power_faults *f, struct power_medium *m, struct power_payload *data, uint32_t at, uint32_t n, bool fua)
{
	uint64_t room = (m->bytes - n - f->lies.from) / POWER_SECTOR + 1;
	struct power_payload *part = power_payload_new(n);

	memcpy(power_payload_bytes(part), power_payload_bytes(data) + at, n);
	power_medium_write(m, f->lies.from + power_draw(&f->lies.seed) % room * POWER_SECTOR, n, part, fua);
	power_payload_put(part);
}

static enum power_lie
one_of(struct power_faults *f)
{
	uint32_t kinds = f->lies.kinds != 0 ? f->lies.kinds : (1u << POWER_LIES) - 1;
	uint64_t n = power_draw(&f->lies.seed) % (uint32_t)__builtin_popcount(kinds);

	while (n-- > 0)
		kinds &= kinds - 1;
	return (enum power_lie)__builtin_ctz(kinds);
}

void
power_faults_write(struct power_faults *f, struct power_medium *m, uint64_t off, uint32_t len,
		   struct power_payload *data, bool fua)
{
	uint64_t *rng = &f->lies.seed;
	struct power_payload *other;
	uint32_t sectors = len / POWER_SECTOR, at = 0, n = len;
	uint32_t one_in = off < f->lies.head ? f->lies.head_one_in : f->lies.one_in;
	enum power_lie lie;

	if (one_in == 0 || off < f->lies.honest || power_draw(rng) % one_in != 0) {
		power_medium_write(m, off, len, data, fua);
		return;
	}
	lie = data == NULL ? POWER_LIE_LOST : one_of(f);
	f->told[lie]++;
	if (data != NULL && power_draw(rng) % 2 == 0) {
		at = (uint32_t)(power_draw(rng) % sectors) * POWER_SECTOR;
		n = (1 + (uint32_t)(power_draw(rng) % (sectors - at / POWER_SECTOR))) * POWER_SECTOR;
	}
	if (lie == POWER_LIE_FLIPPED)
		other = flipped(f, len, data);
	else if (n < len)
		other = without(m, off, len, data, at, n);
	else
		other = NULL;
	if (lie == POWER_LIE_ASTRAY)
		astray(f, m, data, at, n, fua);
	if (other != NULL)
		power_medium_write(m, off, len, other, fua);
	power_payload_put(other);
}
