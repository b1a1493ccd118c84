/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "drives.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

/* A drive as found. */
struct seen {
	struct group_drive d;
	struct lgroup_super s;
	bool any;
	const char *why[2]; /* each copy: NULL good; "": never written */
};

static int
fail(const struct source *src, const char *text)
{
	say(SAY_REFUSED, "%s: %s", src->name, text);
	return -1;
}

static int
read_at(const struct group_drive *d, uint64_t off, void *to, size_t len)
{
	return d->src->read(d->src, off, to, len);
}

static int
look(struct seen *f, uint8_t *page)
{
	struct lgroup_super s;

	for (unsigned int copy = 0; copy < 2; copy++) {
		if (read_at(&f->d, lgroup_super_off(copy), page, LOG_SUPER_BYTES) < 0) {
			f->why[copy] = "it cannot be read";
			continue;
		}
		f->why[copy] = decode_blank(page, LOG_SUPER_BYTES) ? "" : decode_group(&s, page);
		if (f->why[copy] != NULL)
			continue;
		if (!f->any || s.seq > f->s.seq)
			f->s = s;
		f->any = true;
	}
	return f->any ? 0 : fail(f->d.src, "no superblock of a log group is on it that checks");
}

static int
members(struct group *g, const struct seen *f, unsigned int n)
{
	const struct seen *top = &f[0];

	for (unsigned int i = 1; i < n; i++) {
		if (memcmp(f[i].s.uuid, top->s.uuid, 16) != 0)
			return fail(f[i].d.src, "it belongs to another group than the drives before it");
		if (f[i].s.generation > top->s.generation ||
		    (f[i].s.generation == top->s.generation && f[i].s.seq > top->s.seq))
			top = &f[i];
	}
	g->s = top->s;
	memcpy(&g->short_uuid, g->s.uuid, sizeof(g->short_uuid));
	g->width = g->s.data + g->s.parity;
	g->row_bytes = g->s.data * g->s.unit;
	g->rows = g->s.segment / g->s.unit;
	g->seg_bytes = g->rows * g->row_bytes;
	g->data_off = lgroup_super_data_off(g->s.intent_bytes);
	for (unsigned int i = 0; i < n; i++) {
		uint32_t m = f[i].s.index;

		if (m >= g->s.members || memcmp(f[i].s.member[m].uuid, g->s.member[m].uuid, 16) != 0) {
			say(SAY_NOTE, "%s was replaced, and is no member any more", f[i].d.src->name);
			continue;
		}
		if (g->drive[m].here)
			return fail(f[i].d.src, "it is the same member as another of these");
		g->drive[m] = f[i].d;
		g->drive[m].here = true;
		g->drive[m].good = g->s.member[m].state == 0;
		if (g->drive[m].src->bytes < g->data_off + (uint64_t)g->s.member[m].slots * g->s.segment)
			say(SAY_BROKEN, "%s is smaller than its %u columns of %u bytes", f[i].d.src->name,
			    g->s.member[m].slots, g->s.segment);
	}
	return 0;
}

static void
notes(struct group *g, uint8_t *page)
{
	uint32_t any[LOG_NOTES] = {0}, blank[LOG_NOTES] = {0};
	uint64_t best[LOG_NOTES] = {0};

	for (uint32_t i = 0; i < g->s.members; i++) {
		for (unsigned int at = 0; at < 2 * LOG_NOTES && g->drive[i].good; at++) {
			uint32_t id = at / 2;
			struct lgroup_note n;

			if (read_at(&g->drive[i], lgroup_note_off(id, at & 1), page, LOG_NOTE_SLOT) < 0)
				continue;
			if ((at & 1) == 0 && decode_blank(page, LOG_NOTE_SLOT))
				blank[id]++;
			else if ((at & 1) == 0)
				any[id]++;
			if (decode_note(&n, page) != NULL || n.id != id || (n.seq & 1) != (at & 1) ||
			    memcmp(n.uuid, g->s.uuid, 16) != 0 || n.seq <= best[id])
				continue;
			best[id] = n.seq;
			g->note_len[id] = n.len;
			if (g->note[id] == NULL)
				g->note[id] = malloc(LOG_NOTE_BYTES);
			memcpy(g->note[id], page + LOG_NOTE_HEAD, n.len);
		}
	}
	for (uint32_t id = 0; id < LOG_NOTES; id++)
		g->note_seen[id] = any[id] > 0 && blank[id] <= g->s.parity;
}

int
group_gather(struct group *g, const struct source *const *src, unsigned int n)
{
	struct seen *f = calloc(n, sizeof(*f));
	uint8_t *page = malloc(LOG_SUPER_BYTES);
	int ret = 0;

	for (unsigned int i = 0; i < n && ret == 0; i++) {
		f[i].d.src = src[i];
		ret = look(&f[i], page);
	}
	if (ret == 0)
		ret = members(g, f, n);
	if (ret == 0 && deal_all(&g->deal, &g->s) < 0)
		ret = fail(src[0], "the superblocks say of more columns moved than can be");
	if (ret == 0)
		notes(g, page);
	free(page);
	free(f);
	return ret;
}

void
group_free(struct group *g)
{
	deal_free(&g->deal);
	for (uint32_t i = 0; i < LOG_NOTES; i++)
		free(g->note[i]);
}

/* --- what of it is wrong ----------------------------------------------------------------------------------------- */

static void
judge_super(struct group *g, uint32_t i, uint8_t *page, enum say_kind kind)
{
	const struct group_drive *d = &g->drive[i];
	struct lgroup_super s;
	uint64_t newest = 0;

	for (unsigned int copy = 0; copy < 2; copy++) {
		const char *why = read_at(d, lgroup_super_off(copy), page, LOG_SUPER_BYTES) < 0
					  ? "it cannot be read"
					  : decode_group(&s, page);

		if (why != NULL && copy == 0 && memcmp(page, "STRAKEFM", 8) == 0)
			say(SAY_NOTE, "%s is being made a member", d->src->name);
		else if (why != NULL && !decode_blank(page, LOG_SUPER_BYTES)) {
			say(kind, "%s: copy %c of the group's superblock is damaged: %s", d->src->name, 'A' + (int)copy,
			    why);
		}
		if (why == NULL && s.generation > newest)
			newest = s.generation;
	}
	if (d->good && newest < g->s.member[i].generation)
		say(kind, "%s: its newest superblock is of generation %" PRIu64 ", the group says it has %" PRIu64,
		    d->src->name, newest, g->s.member[i].generation);
}

/* What lies where a copy of a note should. */
static void
judge_note(struct group *g, uint32_t i, unsigned int at, uint8_t *page, enum say_kind kind, bool *has)
{
	static const char *const names[] = {"the store's superblock", "the table of keys"};
	const struct group_drive *d = &g->drive[i];
	uint32_t id = at / 2;
	char other[32];
	const char *name = id < 2 ? names[id] : other;
	const char *why = "it cannot be read";
	struct lgroup_note n;

	snprintf(other, sizeof(other), "note %u", id);
	if (read_at(d, lgroup_note_off(id, at & 1), page, LOG_NOTE_SLOT) == 0)
		why = decode_blank(page, LOG_NOTE_SLOT) ? "" : decode_note(&n, page);
	if (why == NULL && (n.id != id || (n.seq & 1) != (at & 1)))
		why = "it belongs elsewhere";
	if (why == NULL && memcmp(n.uuid, g->s.uuid, 16) != 0)
		why = "it is of another group";
	if (why == NULL)
		*has = *has || (n.len == g->note_len[id] && memcmp(page + LOG_NOTE_HEAD, g->note[id], n.len) == 0);
	else if (*why != '\0')
		say(kind, "%s: copy %c of %s is damaged: %s", d->src->name, 'A' + (int)(at & 1), name, why);
	if ((at & 1) == 1 && g->note[id] != NULL && !*has)
		say(kind, "%s: it lacks the newest version of %s", d->src->name, name);
}

void
group_judge(struct group *g)
{
	/* What was being written when power went may be torn, or not have come to all. */
	enum say_kind kind = g->clean ? SAY_MENDABLE : SAY_NOTE;
	uint8_t *page = malloc(LOG_SUPER_BYTES);
	unsigned int away = 0;

	for (uint32_t i = 0; i < g->s.members; i++) {
		bool has = false;

		if (!g->drive[i].good) {
			away++;
			say(SAY_NOTE, "member %u (serial \"%s\") is %s", i, g->s.member[i].serial,
			    g->drive[i].here ? "not in sync: what it holds does not count" : "not here");
		}
		if (!g->drive[i].here)
			continue;
		judge_super(g, i, page, kind);
		for (unsigned int at = 0; at < 2 * LOG_NOTES && g->drive[i].good; at++) {
			has = has && (at & 1) == 1;
			judge_note(g, i, at, page, kind, &has);
		}
	}
	if (away > g->s.parity)
		say(SAY_BROKEN, "%u of %u drives do not count, and the group can spare %u", away, g->s.members,
		    g->s.parity);
	free(page);
}

const char *
group_names(const struct group *g, uint32_t mask)
{
	static char text[1024];
	size_t n = 0;

	text[0] = '\0';
	for (; mask != 0 && n < sizeof(text); mask &= mask - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(mask);

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n > 0 ? ", " : "",
				      g->drive[i].here ? g->drive[i].src->name : "a missing drive");
	}
	return text;
}

int
group_intents(const struct group *g, unsigned int copy, uint8_t *to)
{
	const struct group_drive *d = &g->drive[copy];

	return copy < g->s.members && d->good ? read_at(d, LOG_INTENTS_OFF, to, g->s.intent_bytes) : -1;
}
