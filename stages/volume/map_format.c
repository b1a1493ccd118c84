/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "map_format.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <rte_byteorder.h>

#include "strake_kernel.h"

#define VERSION 1

#define CRC_OFF 4

static const uint8_t page_magic[4] = {'S', 'T', 'P', 'G'};
static const uint8_t roots_magic[4] = {'S', 'T', 'R', 'T'};

struct disk_page {
	uint8_t magic[4];
	rte_le32_t crc;
	rte_le64_t tree, index, gen;
	uint8_t uuid[16];
	uint8_t version, level, zero[2];
	rte_le32_t present;
	uint8_t zeroes[8];
	rte_le64_t entry[MAP_FANOUT];
};
static_assert(offsetof(struct disk_page, entry) == MAP_IMAGE_BYTES - MAP_PAGE_BYTES, "on disk");
static_assert(sizeof(struct disk_page) == MAP_IMAGE_BYTES, "on disk");

struct disk_root {
	rte_le64_t tree, addr, entries;
	uint8_t levels, zeroes[15];
};
static_assert(sizeof(struct disk_root) == MAP_ROOT_BYTES, "on disk");

struct disk_roots {
	uint8_t magic[4];
	rte_le32_t crc;
	rte_le64_t gen;
	rte_le32_t trees, version;
	uint8_t zeroes[8];
	struct disk_root root[];
};
static_assert(sizeof(struct disk_roots) == MAP_ROOTS_HEAD, "on disk");

static uint32_t
sum_of(const void *buf, size_t len)
{
	static const uint8_t zero[4];
	const uint8_t *p = buf;
	uint32_t crc = strake_kernel->crc32c(0, p, CRC_OFF);

	crc = strake_kernel->crc32c(crc, zero, sizeof(zero));
	return strake_kernel->crc32c(crc, p + CRC_OFF + 4, len - CRC_OFF - 4);
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != 0)
			return false;
	}
	return true;
}

uint32_t
map_image_encode(void *image, const struct map_owner *owner, const uint64_t *entries)
{
	struct disk_page *d = image;
	uint32_t present = 0;

	memset(d, 0, offsetof(struct disk_page, entry));
	memcpy(d->magic, page_magic, sizeof(d->magic));
	d->tree = rte_cpu_to_le_64(owner->tree);
	d->index = rte_cpu_to_le_64(owner->index);
	d->gen = rte_cpu_to_le_64(owner->gen);
	memcpy(d->uuid, owner->uuid, sizeof(d->uuid));
	d->version = VERSION;
	d->level = owner->level;
	for (unsigned int i = 0; i < MAP_FANOUT; i++) {
		uint64_t v = owner->level > 0 && entries[i] == MAP_ADDR_NONE ? 0 : entries[i];

		d->entry[i] = rte_cpu_to_le_64(v);
		present += v != 0;
	}
	d->present = rte_cpu_to_le_32(present);
	d->crc = rte_cpu_to_le_32(sum_of(d, sizeof(*d)));
	return present;
}

/* A good CRC says the bytes are as written, not that a sane program wrote them. */
static bool
page_sane(const struct disk_page *d)
{
	uint32_t present = 0;
	bool none = false;

	for (unsigned int i = 0; i < MAP_FANOUT; i++) {
		present += d->entry[i] != 0;
		none |= d->entry[i] == MAP_ADDR_NONE;
	}
	return d->level < MAP_LEVELS_MAX && present == rte_le_to_cpu_32(d->present) && (d->level == 0 || !none) &&
	       all_zero(d->zero, sizeof(d->zero)) && all_zero(d->zeroes, sizeof(d->zeroes));
}

int
map_image_owner(const void *image, struct map_owner *owner)
{
	const struct disk_page *d = image;

	if (memcmp(d->magic, page_magic, sizeof(d->magic)) != 0)
		return -ENOENT;
	if (sum_of(d, sizeof(*d)) != rte_le_to_cpu_32(d->crc))
		return -EBADMSG;
	if (d->version != VERSION)
		return -EPROTO;
	if (!page_sane(d))
		return -EBADMSG;
	owner->tree = rte_le_to_cpu_64(d->tree);
	owner->index = rte_le_to_cpu_64(d->index);
	owner->gen = rte_le_to_cpu_64(d->gen);
	memcpy(owner->uuid, d->uuid, sizeof(owner->uuid));
	owner->level = d->level;
	return 0;
}

uint32_t
map_image_entries(const void *image, uint64_t *entries)
{
	const struct disk_page *d = image;

	for (unsigned int i = 0; i < MAP_FANOUT; i++)
		entries[i] = rte_le_to_cpu_64(d->entry[i]);
	return rte_le_to_cpu_32(d->present);
}

void
map_roots_encode(void *buf, uint64_t gen, const struct map_root *roots, uint32_t n)
{
	struct disk_roots *d = buf;

	memset(d, 0, map_roots_bytes(n));
	memcpy(d->magic, roots_magic, sizeof(d->magic));
	d->gen = rte_cpu_to_le_64(gen);
	d->trees = rte_cpu_to_le_32(n);
	d->version = rte_cpu_to_le_32(VERSION);
	for (uint32_t i = 0; i < n; i++) {
		d->root[i].tree = rte_cpu_to_le_64(roots[i].tree);
		d->root[i].addr = rte_cpu_to_le_64(roots[i].addr);
		d->root[i].entries = rte_cpu_to_le_64(roots[i].entries);
		d->root[i].levels = roots[i].levels;
	}
	d->crc = rte_cpu_to_le_32(sum_of(d, map_roots_bytes(n)));
}

static bool
root_sane(const struct map_root *r)
{
	return r->levels >= 1 && r->levels <= MAP_LEVELS_MAX && r->addr != MAP_ADDR_NONE &&
	       r->entries <= 1ULL << r->levels * MAP_FANOUT_SHIFT && (r->addr != 0 || r->entries == 0);
}

int
map_roots_decode(const void *buf, size_t len, uint64_t *gen, struct map_root *roots, uint32_t max)
{
	const struct disk_roots *d = buf;
	uint32_t n;

	if (len < MAP_ROOTS_HEAD || memcmp(d->magic, roots_magic, sizeof(d->magic)) != 0)
		return -ENOENT;
	n = rte_le_to_cpu_32(d->trees);
	if (n > MAP_ROOTS_MAX || map_roots_bytes(n) > len || sum_of(d, map_roots_bytes(n)) != rte_le_to_cpu_32(d->crc))
		return -EBADMSG;
	if (d->version != rte_cpu_to_le_32(VERSION))
		return -EPROTO;
	if (n > max)
		return -E2BIG;
	for (uint32_t i = 0; i < n; i++) {
		roots[i].tree = rte_le_to_cpu_64(d->root[i].tree);
		roots[i].addr = rte_le_to_cpu_64(d->root[i].addr);
		roots[i].entries = rte_le_to_cpu_64(d->root[i].entries);
		roots[i].levels = d->root[i].levels;
		if (!root_sane(&roots[i]) || (i > 0 && roots[i].tree <= roots[i - 1].tree))
			return -EBADMSG;
	}
	*gen = rte_le_to_cpu_64(d->gen);
	return (int)n;
}
