/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The index as pieces, and back. */

#include <errno.h>
#include <string.h>

#include "index_format.h"

/* Buckets looked at for one piece: an index that is nearly empty must not be walked in one call. */
#define PIECE_BUCKETS 4096u

/* Entries of the buckets from *cursor on, as many as surely fit. @return how many; *cursor is behind them. */
static uint32_t
collect(const struct dedup_index *ix, uint64_t *cursor, uint8_t *piece)
{
	uint64_t end = RTE_MIN(*cursor + PIECE_BUCKETS, (uint64_t)ix->buckets);
	struct index_entry at[INDEX_WAYS];
	uint8_t fp[INDEX_WAYS][STRAKE_ADVICE_FP];
	uint8_t heat[INDEX_WAYS];
	uint32_t n = 0;

	for (; *cursor < end && n + INDEX_WAYS <= PIECE_ENTRIES; ++*cursor) {
		unsigned int found = dedup_index_bucket_read(ix, (uint32_t)*cursor, fp, at, heat);

		for (unsigned int i = 0; i < found; i++) {
			struct piece_entry e = {.at = at[i], .heat = heat[i]};

			memcpy(e.fp, fp[i], sizeof(e.fp));
			piece_entry_encode(piece, n++, &e);
		}
	}
	return n;
}

int
dedup_index_save(struct dedup_index *ix, uint64_t *cursor, unsigned int pieces,
		 int (*put)(void *arg, const void *piece, uint32_t len), void *arg)
{
	struct piece_head head = {.kind = ix->kind};

	memcpy(head.uuid, ix->uuid, sizeof(head.uuid));
	memcpy(head.domain, ix->domain, sizeof(head.domain));
	for (unsigned int i = 0; i < pieces && *cursor < ix->buckets; i++) {
		uint64_t next = *cursor;
		int ret;

		head.entries = collect(ix, &next, ix->piece);
		if (head.entries > 0) {
			piece_head_encode(ix->piece, &head);
			ret = put(arg, ix->piece, piece_bytes(head.entries));
			if (ret < 0)
				return ret;
		}
		*cursor = next;
	}
	return *cursor == ix->buckets ? 1 : 0;
}

static int
check(const struct dedup_index *ix, struct piece_head *head, const void *piece, uint32_t len)
{
	int ret = piece_head_decode(head, piece, len);

	if (ret < 0)
		return ret;
	if (memcmp(head->uuid, ix->uuid, sizeof(ix->uuid)) != 0 || strcmp(head->domain, ix->domain) != 0 ||
	    head->kind != ix->kind)
		return -EXDEV;
	return 0;
}

int
dedup_index_load(struct dedup_index *ix, const void *piece, uint32_t len)
{
	struct piece_head head;
	int taken = 0;
	int ret = check(ix, &head, piece, len);

	if (ret < 0) {
		ix->stats->bad_pieces += ret == -EBADMSG;
		return ret;
	}
	for (uint32_t i = 0; i < head.entries; i++) {
		struct piece_entry e;

		piece_entry_decode(&e, piece, i);
		taken += e.at.where != 0 && dedup_index_add(ix, e.fp, &e.at, e.heat);
	}
	ix->stats->loaded += (uint64_t)taken;
	return taken;
}
