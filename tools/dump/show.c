/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What is there, for a person to read. */

#include <inttypes.h>
#include <stdio.h>

#include "fsck.h"
#include "table.h"
#include "units.h"

static const char *const state_names[] = {"free", "open", "closed", "suspect", "drained", "bad"};

static const char *
name_of(const char *const *names, unsigned int n, unsigned int i)
{
	return i < n ? names[i] : "?";
}

static void
show_group(const struct group *g)
{
	static const char *const states[] = {"in sync", "stale", "missing"};
	char a[UNITS_MAX], b[UNITS_MAX];
	struct table t;

	printf("group \"%s\": %u data + %u parity on %u drives, generation %" PRIu64 "\n", g->s.name, g->s.data,
	       g->s.parity, g->s.members, g->s.generation);
	printf("%u segments of %s, rows of %s\n\n", g->deal.segments, units_bytes(a, g->seg_bytes),
	       units_bytes(b, g->row_bytes));
	table_init(&t, 5, true);
	for (unsigned int c = 0; c < 5; c++)
		table_add(&t, ((const char *const[]){"member", "drive", "serial", "state", "columns"})[c]);
	for (uint32_t i = 0; i < g->s.members; i++) {
		table_addf(&t, "%u", i);
		table_add(&t, g->drive[i].here ? g->drive[i].src->name : "-");
		table_add(&t, g->s.member[i].serial);
		table_add(&t, name_of(states, 3, g->s.member[i].state));
		table_addf(&t, "%u", g->s.member[i].slots);
	}
	table_print(&t, stdout, 2);
	table_free(&t);
}

static void
show_volumes(const struct store *st)
{
	char text[UNITS_MAX];
	struct table t;

	if (st->super.n_volumes == 0)
		return;
	table_init(&t, 6, true);
	for (unsigned int c = 0; c < 6; c++)
		table_add(&t, ((const char *const[]){"volume", "number", "domain", "size", "mapped", "shared"})[c]);
	for (uint32_t i = 0; i < st->super.n_volumes; i++) {
		const struct log_volume *v = &st->super.volume[i];
		uint64_t entries = 0;

		for (uint32_t r = 0; r < st->n_roots; r++)
			entries = st->root[r].tree == v->id ? st->root[r].entries : entries;
		table_add(&t, v->name);
		table_addf(&t, "%u", v->id);
		table_addf(&t, "%u", v->domain);
		table_add(&t, units_bytes(text, (double)v->bytes));
		table_add(&t, units_bytes(text, (double)entries * LOG_BLOCK));
		table_add(&t, units_bytes(text, (double)v->shared * LOG_BLOCK));
	}
	putchar('\n');
	table_print(&t, stdout, 2);
	table_free(&t);
}

static void
show_segments(const struct store *st)
{
	struct table t;

	table_init(&t, 8, true);
	for (unsigned int c = 0; c < 8; c++)
		table_add(&t, ((const char *const[]){"segment", "state", "stream", "life", "blocks", "live", "needed",
						     "pages"})[c]);
	for (uint32_t i = 0; i < st->super.segments; i++) {
		const struct store_seg *s = &st->seg[i];

		if (s->d.state == STORE_FREE)
			continue;
		table_addf(&t, "%u", i);
		table_add(&t, name_of(state_names, 6, s->d.state));
		table_add(&t, s->d.stream == STORE_META ? "map"
			      : s->d.stream == 0	? "hot"
			      : s->d.stream == 1	? "cold"
							: "moved");
		table_addf(&t, "%u", s->d.gen);
		table_addf(&t, "%u", s->d.blocks);
		table_addf(&t, "%u", s->d.live);
		table_addf(&t, "%u", s->refs);
		table_addf(&t, "%u", s->pages);
	}
	putchar('\n');
	table_print(&t, stdout, 2);
	table_free(&t);
}

void
store_show(struct store *st, int segments)
{
	const struct log_super *s = &st->super;
	uint32_t count[STORE_STATES] = {0}, keys, openings;
	char text[UNITS_MAX];

	show_group(st->g);
	printf("\nstore: superblock %" PRIu64 ", %s; log number %" PRIu64 ", next serial %" PRIu64 "\n", s->seq,
	       s->clean ? "closed in order" : "not closed in order", s->lsn, s->serial);
	if (st->g->note[1] != NULL &&
	    decode_keys(&keys, &openings, st->g->note[1], st->g->note_len[1], st->g->s.uuid) == NULL)
		printf("keys: %u, of %u openings\n", keys, openings);
	printf("after the checkpoint: %" PRIu64 " chunks, %zu of them in intents only; %" PRIu64 " records, %" PRIu64
	       " dropped; %" PRIu64 " blocks moved\n",
	       st->chunks, st->n_intents, st->records, st->dropped, st->moved);
	for (uint32_t i = 0; i < s->segments; i++)
		count[st->seg[i].d.state < STORE_STATES ? st->seg[i].d.state : STORE_BAD]++;
	printf("segments:");
	for (unsigned int i = 0; i < STORE_STATES; i++)
		printf(" %u %s%s", count[i], state_names[i], i + 1 < STORE_STATES ? "," : "\n");
	printf("needed: %zu blocks in %" PRIu64 " chunks, %s with their heads\n", st->n_refs, st->live_chunks,
	       units_bytes(text, (double)st->live_bytes));
	printf("of these chunks: %" PRIu64 " moved by collection, %" PRIu64 " of them packed anew", st->live_moved,
	       st->live_repacked);
	if (st->live_sealed > 0)
		printf("; %" PRIu64 " sealed, by keys of epochs %u to %u", st->live_sealed, st->epoch_first,
		       st->epoch_last);
	putchar('\n');
	show_volumes(st);
	if (segments)
		show_segments(st);
}
