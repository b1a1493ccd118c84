/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "index_format.h"

#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>

#include "strake_kernel.h"

#define PIECE_VERSION 1u

static const uint8_t magic[8] = "STRKDDIX";

/* Fields lie where the compiler would put them, so this is what the table of the header says. */
struct disk_head {
	uint8_t magic[8];
	rte_le32_t version;
	rte_le32_t crc;
	uint8_t uuid[16];
	char domain[DEDUP_DOMAIN_MAX];
	uint8_t kind;
	uint8_t zero[3];
	rte_le32_t entries;
	uint8_t spare[24];
};
_Static_assert(sizeof(struct disk_head) == PIECE_HEAD, "the head of a piece is as documented");

struct disk_entry {
	uint8_t fp[STRAKE_ADVICE_FP];
	rte_le64_t where;
	uint8_t owner[7];
	uint8_t heat;
};
_Static_assert(sizeof(struct disk_entry) == PIECE_ENTRY, "an entry is as documented");

static uint32_t
sum(const struct disk_head *with_zero, const uint8_t *piece, uint32_t len)
{
	uint32_t crc = strake_kernel->crc32c(0, with_zero, sizeof(*with_zero));

	return strake_kernel->crc32c(crc, piece + PIECE_HEAD, len - PIECE_HEAD);
}

void
piece_entry_encode(void *piece, uint32_t i, const struct piece_entry *e)
{
	rte_le64_t owner = rte_cpu_to_le_64(e->at.owner_lba | (uint64_t)e->at.owner_vol << INDEX_LBA_BITS);
	struct disk_entry d = {.where = rte_cpu_to_le_64(e->at.where), .heat = e->heat};

	memcpy(d.fp, e->fp, sizeof(d.fp));
	memcpy(d.owner, &owner, sizeof(d.owner));
	memcpy((uint8_t *)piece + piece_bytes(i), &d, sizeof(d));
}

void
piece_head_encode(void *piece, const struct piece_head *head)
{
	struct disk_head d = {
		.version = rte_cpu_to_le_32(PIECE_VERSION),
		.kind = head->kind,
		.entries = rte_cpu_to_le_32(head->entries),
	};

	memcpy(d.magic, magic, sizeof(d.magic));
	memcpy(d.uuid, head->uuid, sizeof(d.uuid));
	memcpy(d.domain, head->domain, strnlen(head->domain, sizeof(d.domain) - 1));
	d.crc = rte_cpu_to_le_32(sum(&d, piece, piece_bytes(head->entries)));
	memcpy(piece, &d, sizeof(d));
}

int
piece_head_decode(struct piece_head *head, const void *piece, uint32_t len)
{
	struct disk_head d;
	uint32_t crc, entries;

	if (len < PIECE_HEAD)
		return -EBADMSG;
	memcpy(&d, piece, sizeof(d));
	if (memcmp(d.magic, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	if (rte_le_to_cpu_32(d.version) != PIECE_VERSION)
		return -EPROTO;
	entries = rte_le_to_cpu_32(d.entries);
	if (entries == 0 || entries > PIECE_ENTRIES || len < piece_bytes(entries))
		return -EBADMSG;
	crc = rte_le_to_cpu_32(d.crc);
	d.crc = 0;
	if (sum(&d, piece, piece_bytes(entries)) != crc || d.domain[sizeof(d.domain) - 1] != '\0')
		return -EBADMSG;
	*head = (struct piece_head){.kind = d.kind, .entries = entries};
	memcpy(head->uuid, d.uuid, sizeof(head->uuid));
	memcpy(head->domain, d.domain, strlen(d.domain));
	return 0;
}

void
piece_entry_decode(struct piece_entry *e, const void *piece, uint32_t i)
{
	struct disk_entry d;
	rte_le64_t word = 0;
	uint64_t owner;

	memcpy(&d, (const uint8_t *)piece + piece_bytes(i), sizeof(d));
	memcpy(&word, d.owner, sizeof(d.owner));
	owner = rte_le_to_cpu_64(word);
	memcpy(e->fp, d.fp, sizeof(e->fp));
	e->at.where = rte_le_to_cpu_64(d.where);
	e->at.owner_lba = owner & ((1ULL << INDEX_LBA_BITS) - 1);
	e->at.owner_vol = (uint32_t)(owner >> INDEX_LBA_BITS);
	e->heat = d.heat;
}
