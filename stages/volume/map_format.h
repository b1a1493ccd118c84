/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef MAP_FORMAT_H
#define MAP_FORMAT_H

/**
 * @file
 * The map on the drives, version 1: pages and the table of roots. Little-endian, CRC32C, no I/O here.
 *
 * A page's image is a head of 64 bytes and 512 entries of 8 bytes. The head says which page it is, so that a page that
 * lies where another should is refused, and so that garbage collection and fsck know a page they meet in the log:
 *
 *     0   magic "STPG"      4   CRC32C over the whole image with this field zero
 *     8   tree id          16   index of the page in its level: first entry index >> 9 * (level + 1)
 *     24  generation of the checkpoint that wrote it
 *     32  uuid of the store
 *     48  version, level (0: leaf), 2 bytes zero, entries that are not zero (4 bytes), 8 bytes zero
 *     64  entries. Leaf: values of the map. Inner: addresses of pages one level below. 0: nothing there.
 *
 * The table of roots is a head of 32 bytes and 40 bytes a tree:
 *
 *     0   magic "STRT"      4   CRC32C over the whole table with this field zero
 *     8   generation       16   trees (4 bytes), version (4 bytes), 8 bytes zero
 *     32  tree id, address of the root page (0: empty), entries that are not zero, levels (1 byte), 15 bytes zero
 */

#include <stddef.h>
#include <stdint.h>

#define MAP_FANOUT_SHIFT 9
#define MAP_FANOUT	 (1u << MAP_FANOUT_SHIFT) /* entries of a page */
#define MAP_PAGE_BYTES	 4096u			  /* entries, as they lie in memory */
#define MAP_IMAGE_BYTES	 4160u			  /* entries with their head, as they lie in the log */
#define MAP_LEVELS_MAX	 6u			  /* of a tree: 512^6 = 2^54 entries */
#define MAP_ROOTS_HEAD	 32u
#define MAP_ROOT_BYTES	 40u
#define MAP_ROOTS_MAX	 65535u

/** Never an address: in memory it stands for a page that has not been written yet. */
#define MAP_ADDR_NONE UINT64_MAX

/** Which page an image is. */
struct map_owner {
	uint64_t tree, index;
	uint64_t gen; /**< of the checkpoint that wrote it */
	uint8_t uuid[16];
	uint8_t level; /**< 0: leaf */
};

/** Root of a tree, as a checkpoint leaves it. */
struct map_root {
	uint64_t tree;
	uint64_t addr;	  /**< 0: the tree is empty */
	uint64_t entries; /**< that are not zero */
	uint8_t levels;	  /**< 1 .. MAP_LEVELS_MAX */
};

/** Make the image of a page. @p entries are MAP_FANOUT of them; MAP_ADDR_NONE of an inner page is written as 0.
 * @return how many entries are not zero. */
uint32_t map_image_encode(void *image, const struct map_owner *owner, const uint64_t *entries);
/**
 * Which page is this? Checks all of the image.
 *
 * @return 0; -ENOENT not a page; -EBADMSG it is damaged; -EPROTO a version we do not know.
 */
int map_image_owner(const void *image, struct map_owner *owner);
/** Take the entries out of an image that map_image_owner() accepted. @return how many are not zero. */
uint32_t map_image_entries(const void *image, uint64_t *entries);

/** Bytes of a table of @p n roots. */
static inline size_t
map_roots_bytes(uint32_t n)
{
	return MAP_ROOTS_HEAD + (size_t)n * MAP_ROOT_BYTES;
}

/** @p buf has map_roots_bytes(n); @p n at most MAP_ROOTS_MAX. */
void map_roots_encode(void *buf, uint64_t gen, const struct map_root *roots, uint32_t n);
/**
 * @p len may be more than the table takes. Tree ids come out ascending and each once.
 *
 * @return trees, 0 .. @p max; -ENOENT not a table; -EBADMSG damaged; -EPROTO unknown version; -E2BIG more than @p max.
 */
int map_roots_decode(const void *buf, size_t len, uint64_t *gen, struct map_root *roots, uint32_t max);

#endif /* MAP_FORMAT_H */
