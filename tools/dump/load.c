/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The checkpoint: superblock, segment table, roots, pages; and whether they agree. */

#include "fsck.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

const struct log_volume *
store_volume(const struct store *st, uint64_t id)
{
	for (uint32_t i = 0; i < st->super.n_volumes; i++) {
		if (st->super.volume[i].id == id)
			return &st->super.volume[i];
	}
	return NULL;
}

uint64_t
store_tree_size(const struct store *st, uint64_t tree)
{
	for (uint32_t i = 0; i < st->n_roots; i++) {
		if (st->root[i].tree == tree)
			return 1ULL << st->root[i].levels * MAP_FANOUT_SHIFT;
	}
	return 0;
}

const char *
store_owner_text(const struct store *st, uint64_t tree, uint64_t idx)
{
	static char text[4][128];
	static unsigned int turn;
	char *t = text[turn++ % 4];
	const struct log_volume *v = store_volume(st, tree);

	if (tree == STORE_SHARE)
		snprintf(t, sizeof(text[0]), "share %" PRIx64, idx);
	else if (v != NULL)
		snprintf(t, sizeof(text[0]), "block %" PRIu64 " of volume \"%s\"", idx, v->name);
	else
		snprintf(t, sizeof(text[0]), "block %" PRIu64 " of volume number %" PRIu64, idx, tree);
	return t;
}

/* --- chunks ------------------------------------------------------------------------------------------------------ */

static const char *
chunk_look(const struct store *st, uint64_t place, uint32_t without, struct log_head *h, uint8_t *to)
{
	uint32_t seg = log_entry_seg(place), off = log_entry_off(place), bytes = log_entry_bytes(place);
	const char *why;

	if (bytes < LOG_HEAD || bytes > LOG_CHUNK_MAX || seg >= st->g->deal.segments ||
	    (uint64_t)off + bytes > st->g->seg_bytes)
		return "there is no such place";
	if (group_read(st->g, seg, off, bytes, to, without) < 0)
		return "too few drives can be read";
	why = decode_chunk(h, to, bytes);
	if (why != NULL)
		return why;
	if (h->store != st->g->short_uuid)
		return "it is of another store";
	if (h->seg != seg || h->off != off || h->bytes != bytes)
		return "what lies there belongs elsewhere";
	return !st->has_table || h->gen == st->seg[seg].d.gen ? NULL : "it is of another life of its segment";
}

/* What recovery has looked at is told by replay. */
static bool
told(const struct store *st, uint64_t place)
{
	const struct store_seg *s = &st->seg[log_entry_seg(place)];

	return !st->super.clean && s->d.state == STORE_SUSPECT && log_entry_off(place) >= s->scan_from;
}

const char *
store_chunk(struct store *st, uint64_t place, struct log_head *h, uint8_t *to)
{
	const char *why = chunk_look(st, place, 0, h, to);
	uint32_t wrong, way = 0;

	if (why == NULL || log_entry_seg(place) >= st->g->deal.segments)
		return why;
	while ((wrong = group_way(st->g, log_entry_seg(place), &way)) != 0) {
		if (chunk_look(st, place, wrong, h, to) != NULL)
			continue;
		if (!told(st, place))
			say(SAY_MENDABLE,
			    "chunk at segment %u offset %u: %s; right when made from the other drives: wrong bytes are "
			    "on %s",
			    log_entry_seg(place), log_entry_off(place), why, group_names(st->g, wrong));
		return NULL;
	}
	return why;
}

/* The same while no generation is known: what lies there may be whole and of an older one. If parity does not say the
 * same, the newest counts that can be had. */
static const char *
newest_chunk(struct store *st, uint64_t place, struct log_head *h, uint8_t *to)
{
	const char *why = store_chunk(st, place, h, to);
	uint8_t *other = malloc(LOG_CHUNK_MAX);
	uint32_t wrong, way = 0, seg = log_entry_seg(place);
	struct log_head o;

	if (why == NULL && !group_agrees(st->g, seg, log_entry_off(place), to, LOG_GRAIN)) {
		while ((wrong = group_way(st->g, seg, &way)) != 0) {
			if (chunk_look(st, place, wrong, &o, other) != NULL || o.gen <= h->gen)
				continue;
			say(SAY_MENDABLE,
			    "chunk at segment %u offset %u: it is left from an earlier life; right when made from the "
			    "other drives: wrong bytes are on %s",
			    seg, log_entry_off(place), group_names(st->g, wrong));
			memcpy(to, other, o.bytes);
			*h = o;
		}
	}
	free(other);
	return why;
}

void
store_need(struct store *st, uint64_t place)
{
	uint32_t from = log_entry_off(place), to = from + log_entry_bytes(place) - 1, rb = st->g->row_bytes;

	for (uint32_t row = from / rb; row <= to / rb && row < st->g->rows; row++)
		st->needed[(size_t)log_entry_seg(place) * st->g->rows + row] = 1;
}

/* --- the segment table ------------------------------------------------------------------------------------------- */

static int
table_load(struct store *st)
{
	struct log_super *s = &st->super;
	uint8_t *buf = malloc(LOG_CHUNK_MAX);
	struct log_head h;
	int ret = 0;

	for (uint32_t i = 0; i < s->n_table; i++) {
		uint32_t first = i * LOG_TABLE_ENTRIES, n = s->segments - first;
		const char *why = newest_chunk(st, s->table[i], &h, buf);

		n = n < LOG_TABLE_ENTRIES ? n : LOG_TABLE_ENTRIES;
		if (why == NULL && (h.kind != LOG_TABLE || h.seal.stored != n * LOG_TABLE_ENTRY))
			why = "what lies there is no segment table";
		if (why != NULL) {
			say(SAY_BROKEN, "part %u of the segment table (segment %u offset %u): %s", i,
			    log_entry_seg(s->table[i]), log_entry_off(s->table[i]), why);
			ret = -1;
			continue;
		}
		store_need(st, s->table[i]);
		for (uint32_t j = 0; j < n; j++) {
			decode_segment(&st->seg[first + j].d, buf + h.head_bytes + (size_t)j * LOG_TABLE_ENTRY);
			if (st->seg[first + j].d.state >= STORE_STATES || st->seg[first + j].d.stream > STORE_META)
				say(SAY_BROKEN, "segment table: segment %u is in no state there is", first + j);
		}
	}
	free(buf);
	st->has_table = ret == 0;
	return ret;
}

/* --- pages ------------------------------------------------------------------------------------------------------- */

struct climb {
	struct store *st;
	const struct map_root *root;
	uint64_t entries;
	uint8_t buf[LOG_CHUNK_MAX];
};

static const char *
page_read(struct climb *c, uint8_t level, uint64_t index, uint64_t addr, uint64_t *entry)
{
	struct store *st = c->st;
	struct map_owner o;
	struct log_head h;
	const char *why;

	if (log_entry_kind(addr) != LOG_ENTRY_DIRECT || log_entry_seg(addr) >= st->super.segments)
		return "its address is none";
	why = store_chunk(st, addr, &h, c->buf);
	if (why != NULL)
		return why;
	if (h.kind != LOG_PAGES || h.seal.stored != MAP_IMAGE_BYTES)
		return "what lies there is no page of the map";
	why = decode_page(&o, entry, c->buf + h.head_bytes);
	if (why != NULL)
		return why;
	if (o.tree != c->root->tree || o.index != index || o.level != level)
		return "what lies there is another page of the map";
	if (memcmp(o.uuid, st->g->s.uuid, sizeof(o.uuid)) != 0)
		return "it is of another store";
	if (o.gen > st->map_gen)
		return "it is newer than its root";
	if (st->seg[h.seg].d.state == STORE_FREE || st->seg[h.seg].d.stream != STORE_META)
		return "it lies in a segment that the table has for something else";
	st->seg[h.seg].pages++;
	store_need(st, addr);
	return NULL;
}

static void
page_load(struct climb *c, uint8_t level, uint64_t index, uint64_t addr)
{
	uint64_t entry[MAP_FANOUT];
	const char *why = page_read(c, level, index, addr, entry);

	if (why != NULL) {
		say(SAY_BROKEN, "map page %" PRIu64 " of level %u (segment %u offset %u), from %s on: %s", index, level,
		    log_entry_seg(addr), log_entry_off(addr),
		    store_owner_text(c->st, c->root->tree, index << MAP_FANOUT_SHIFT * (level + 1)), why);
		return;
	}
	for (unsigned int i = 0; i < MAP_FANOUT; i++) {
		if (entry[i] == 0)
			continue;
		if (level > 0) {
			page_load(c, level - 1, index * MAP_FANOUT + i, entry[i]);
			continue;
		}
		pages_set(&c->st->map, c->root->tree, index * MAP_FANOUT + i, entry[i]);
		c->entries++;
	}
}

static int
map_load(struct store *st)
{
	static struct map_root roots[MAP_ROOTS_MAX];
	const char *why;

	if (st->super.roots_bytes == 0)
		return 0;
	why = decode_roots(roots, &st->n_roots, &st->map_gen, st->super.roots, st->super.roots_bytes);
	if (why == NULL && st->n_roots > LOG_SUPER_VOLUMES + 1)
		why = "it has more trees than there can be";
	if (why != NULL) {
		say(SAY_BROKEN, "the map's table of roots: %s", why);
		return -1;
	}
	memcpy(st->root, roots, st->n_roots * sizeof(*roots));
	for (uint32_t i = 0; i < st->n_roots; i++) {
		struct climb *c = calloc(1, sizeof(*c));

		c->st = st;
		c->root = &st->root[i];
		if (st->root[i].addr != 0)
			page_load(c, (uint8_t)(st->root[i].levels - 1), 0, st->root[i].addr);
		if (c->entries != st->root[i].entries)
			say(SAY_BROKEN, "the map of %s %" PRIu64 " has %" PRIu64 " entries, its root says %" PRIu64,
			    st->root[i].tree == STORE_SHARE ? "shares" : "volume number", st->root[i].tree, c->entries,
			    st->root[i].entries);
		free(c);
	}
	return 0;
}

/* --- what the checkpoint says of itself -------------------------------------------------------------------------- */

static void
volumes_check(struct store *st)
{
	for (uint32_t i = 0; i < st->super.n_volumes; i++) {
		const struct log_volume *v = &st->super.volume[i];

		if (store_tree_size(st, v->id) == 0 && st->n_roots > 0)
			say(SAY_BROKEN, "volume \"%s\" has no map", v->name);
		else if (st->n_roots > 0 && v->bytes / LOG_BLOCK > store_tree_size(st, v->id))
			say(SAY_BROKEN, "volume \"%s\", of %" PRIu64 " bytes, is larger than its map", v->name,
			    v->bytes);
		if (v->id >= st->super.next_volume)
			say(SAY_BROKEN, "volume \"%s\" has number %u, which was not given yet", v->name, v->id);
		for (uint32_t o = 0; o < i; o++) {
			if (st->super.volume[o].id == v->id || strcmp(st->super.volume[o].name, v->name) == 0)
				say(SAY_BROKEN, "volumes \"%s\" and \"%s\" are told apart by nothing", v->name,
				    st->super.volume[o].name);
		}
	}
	for (uint32_t i = 0; i < st->n_roots; i++) {
		if (st->root[i].tree != STORE_SHARE && store_volume(st, st->root[i].tree) == NULL)
			say(SAY_BROKEN, "there is a map of volume number %" PRIu64 ", which there is not",
			    st->root[i].tree);
	}
}

/* Live blocks of segments, as the table has them, against what the checkpoint's map needs. */
static void
live_check(struct store *st)
{
	store_count(st);
	for (uint32_t i = 0; i < st->super.segments; i++) {
		const struct store_seg *s = &st->seg[i];
		uint32_t live = s->d.state == STORE_FREE || s->d.stream == STORE_META ? 0 : s->d.live;

		if (s->refs > 0 && (s->d.state == STORE_FREE || s->d.stream == STORE_META))
			say(SAY_BROKEN, "segment %u is %s, and the map needs %u blocks of it", i,
			    s->d.state == STORE_FREE ? "free" : "the map's own", s->refs);
		else if (s->refs != live)
			say(SAY_BROKEN, "segment %u has %u live blocks by the table, and %u by the map", i, live,
			    s->refs);
		if (s->d.state != STORE_FREE && s->d.stream != STORE_META && s->d.live > s->d.blocks)
			say(SAY_BROKEN, "segment %u has %u live blocks of %u", i, s->d.live, s->d.blocks);
	}
}

static void
shared_check(struct store *st)
{
	const struct pages_leaf *l;
	uint64_t n[LOG_SUPER_VOLUMES] = {0};
	size_t at = 0;

	while ((l = pages_next(&st->map, &at)) != NULL) {
		const struct log_volume *v = l->tree == STORE_SHARE ? NULL : store_volume(st, l->tree);

		for (unsigned int i = 0; i < MAP_FANOUT && v != NULL; i++)
			n[v - st->super.volume] += log_entry_kind(l->entry[i]) == LOG_ENTRY_SHARED;
	}
	for (uint32_t i = 0; i < st->super.n_volumes; i++) {
		if (n[i] != st->super.volume[i].shared)
			say(SAY_BROKEN,
			    "volume \"%s\" shares %" PRIu64 " blocks by its map, and %" PRIu64 " as it says",
			    st->super.volume[i].name, n[i], st->super.volume[i].shared);
	}
}

static int
super_load(struct store *st)
{
	struct group *g = st->g;
	const char *why = g->note_seen[0] ? "no copy of it is whole" : "it was never written";

	if (g->note[0] != NULL)
		why = decode_super(&st->super, g->note[0], g->note_len[0]);
	if (why == NULL && memcmp(st->super.uuid, g->s.uuid, 16) != 0)
		why = "it is of another group";
	if (why == NULL && st->super.segments > g->deal.segments)
		why = "it has more segments than the group";
	for (unsigned int i = 0; i < LOG_STREAMS && why == NULL; i++) {
		const struct log_open *o = &st->super.open[i];

		if (o->seg != STORE_NONE && (o->seg >= st->super.segments || o->off > g->seg_bytes))
			why = "a segment it calls open is none";
	}
	for (uint32_t i = 0; i < st->super.n_table && why == NULL; i++) {
		if (log_entry_kind(st->super.table[i]) != LOG_ENTRY_DIRECT ||
		    log_entry_seg(st->super.table[i]) >= st->super.segments)
			why = "the segment table lies nowhere";
	}
	if (why == NULL)
		return 0;
	say(SAY_BROKEN, "the store's superblock: %s", why);
	return -1;
}

int
store_load(struct store *st, struct group *g)
{
	uint32_t keys, openings;

	memset(st, 0, sizeof(*st));
	st->g = g;
	if (super_load(st) < 0)
		return -1;
	g->clean = st->super.clean;
	st->seg = calloc(g->deal.segments + 1, sizeof(*st->seg));
	st->needed = calloc(g->deal.segments + 1, g->rows);
	for (uint32_t i = 0; i < g->deal.segments; i++)
		st->seg[i].scan_from = STORE_NONE;
	if (g->note[1] == NULL && g->note_seen[1])
		say(SAY_BROKEN, "the table of keys: no copy of it is whole");
	if (g->note[1] != NULL && g->note_len[1] > 0) {
		const char *why = decode_keys(&keys, &openings, g->note[1], g->note_len[1], g->s.uuid);

		if (why != NULL)
			say(SAY_BROKEN, "the table of keys: %s", why);
	}
	if (table_load(st) < 0 || map_load(st) < 0)
		return -1;
	volumes_check(st);
	shared_check(st);
	live_check(st);
	return 0;
}

void
store_free(struct store *st)
{
	decode_super_free(&st->super);
	pages_free(&st->map);
	free(st->seg);
	free(st->needed);
	free(st->intent);
	free(st->ref);
}
