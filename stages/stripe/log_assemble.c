/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Assembling a log group: who is who on the drives given, and may they serve?
 *
 * The superblock with the highest generation (then sequence) is the truth about every member. What it calls missing and
 * is here comes back stale, to be rebuilt; at most m members may be stale or away. One thing more is asked: could those
 * who are away know of a newer generation, which took all that are here out of service? It took at most m, so more than
 * m members in sync that are here prove that there is none. With fewer (only possible where all drives are at most
 * 2 m) nobody may be away, unless the operator lists only the drives there are. One of which a copy of the superblock
 * cannot be read proves nothing either: it is written again soon.
 *
 * A drive whose place was given to another is left out: a spare may have taken it since the file was written. A spare
 * that has a superblock is a member like any other. One that has none that can be read, and is not blank either, is
 * left out if the others know its serial number as that of a member: it counts as away, and nothing is written to it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_priv.h"

#define INTENTS_LEAST (256u << 10)
#define INTENTS_MOST  (16u << 20)
#define SEGMENT_MOST  (8u << 20)
#define UNIT	      (64u << 10)

/** A drive as found. */
struct seen {
	struct strake_drive *drive;
	struct lgroup_super *s; /* NULL: holds nothing */
	uint8_t copy;		/* of the newest superblock */
	bool marked;
	bool part; /* of its superblock a copy cannot be read */
	bool odd;  /* holds something, and no superblock that can be read */
	struct super_mark mark;
};

/* --- looking at one drive ------------------------------------------------------------------------------------------
 */

static int
unread(const struct group_boot *boot, const struct seen *f, int ret)
{
	return group_refuse(boot, ret, "drive \"%s\" cannot be read: %s", f->drive->name, strerror(-ret));
}

/* It holds no superblock. @return 0: nor anything else. */
static int
blank(const struct group_boot *boot, const struct seen *f, struct strake_buf *page)
{
	return f->part ? unread(boot, f, -EIO) : group_blank_check(boot, f->drive, page);
}

/* One copy of the superblock, or the mark in its place. @return 0: *s is one; -ENOENT: none; else it was refused. */
static int
seen_copy(const struct group_boot *boot, struct seen *f, uint8_t copy, struct lgroup_super *s, struct strake_buf *page)
{
	int ret = strake_drive_sync(f->drive, STRAKE_IO_READ, lgroup_super_off(copy), page, LOG_SUPER_BYTES);

	f->part = f->part || ret < 0;
	if (ret < 0)
		return ret == -ENODEV || ret == -ENOMEM ? unread(boot, f, ret) : -ENOENT;
	if (copy == 0 && mark_decode(&f->mark, page->addr) == 0) {
		f->marked = true;
		if (strcmp(f->mark.name, boot->conf->name) != 0)
			return group_refuse(boot, -EEXIST, "drive \"%s\" is being made a member of group \"%s\"",
					    f->drive->name, f->mark.name);
		return -ENOENT;
	}
	ret = lgroup_super_decode(s, page->addr);
	if (ret == -EPROTO)
		return group_refuse(boot, ret, "drive \"%s\" has a superblock of another version", f->drive->name);
	/* Under a mark, only the superblock that it announces counts. */
	if (ret == 0 && f->marked && memcmp(s->uuid, f->mark.uuid, sizeof(s->uuid)) != 0)
		return -ENOENT;
	return ret == 0 ? 0 : -ENOENT;
}

static int
look(const struct group_boot *boot, struct seen *f, struct strake_buf *page)
{
	struct lgroup_super *s = calloc(2, sizeof(*s));
	int ret = 0;

	if (s == NULL)
		return group_refuse(boot, -ENOMEM, "out of memory");
	if (f->drive->bytes < lgroup_super_data_off(INTENTS_LEAST) + 2 * (1u << 20)) {
		ret = group_refuse(boot, -EINVAL, "drive \"%s\" is too small", f->drive->name);
		goto out;
	}
	for (uint8_t copy = 0; copy < 2; copy++) {
		ret = seen_copy(boot, f, copy, &s[1], page);
		if (ret < 0 && ret != -ENOENT)
			goto out;
		if (ret == 0 && (f->s == NULL || s[1].seq > s[0].seq)) {
			s[0] = s[1];
			f->s = s;
			f->copy = copy;
		}
	}
	ret = f->s == NULL && !f->marked ? blank(boot, f, page) : 0;
	f->odd = ret == -EEXIST || (ret < 0 && f->part);
out:
	if (f->s == NULL || ret < 0) {
		f->s = NULL;
		free(s);
	}
	return ret;
}

static void
take(struct log_group *g, uint32_t i, struct strake_drive *d)
{
	g->m[i].drive = d;
	snprintf(g->s.member[i].serial, sizeof(g->s.member[i].serial), "%s", d->serial);
}

/* --- a new group ---------------------------------------------------------------------------------------------------
 */

static uint32_t
floor_power(uint64_t x)
{
	return x == 0 ? 0 : 1u << (63 - __builtin_clzll(RTE_MIN(x, 1ULL << 31)));
}

/* Unit, segment and intents, as configured or to suit the smallest drive. */
static int
sizes(struct lgroup_super *s, const struct group_boot *boot)
{
	const struct conf_group *conf = boot->conf;
	uint64_t least = UINT64_MAX;
	uint32_t suits;

	for (unsigned int i = 0; i < boot->n; i++) {
		least = RTE_MIN(least, boot->drives[i]->bytes);
		s->block = RTE_MAX(s->block, boot->drives[i]->block_size);
	}
	s->intent_bytes = (uint32_t)RTE_MIN((uint64_t)INTENTS_MOST, least / 64 & ~4095ULL);
	s->intent_bytes = RTE_MAX(INTENTS_LEAST, s->intent_bytes);
	s->unit = conf->unit != 0 ? (uint32_t)conf->unit : UNIT;
	suits = RTE_MIN(SEGMENT_MOST, floor_power(LOG_SEGMENT_MAX / s->data));
	suits = RTE_MIN(suits, floor_power(least / 512));
	s->segment = conf->segment != 0 ? (uint32_t)conf->segment : RTE_MAX(suits, s->unit);
	if ((uint64_t)s->segment * s->data > LOG_SEGMENT_MAX)
		return group_refuse(boot, -EINVAL, "segments of %u bytes on %u data drives are more than %u MiB",
				    s->segment, s->data, LOG_SEGMENT_MAX >> 20);
	if (s->unit < LOG_UNIT_MIN || s->unit > LOG_UNIT_MAX || s->segment % s->unit != 0)
		return group_refuse(boot, -EINVAL, "segments of %u bytes are no whole number of units of %u bytes",
				    s->segment, s->unit);
	return 0;
}

uint32_t
lgroup_slots(const struct lgroup_super *s, const struct strake_drive *d)
{
	uint64_t off = lgroup_super_data_off(s->intent_bytes);

	return d->bytes <= off ? 0 : (uint32_t)RTE_MIN((d->bytes - off) / s->segment, (uint64_t)LOG_SLOTS_MAX);
}

static int
create(struct log_group *g, const struct group_boot *boot)
{
	struct lgroup_super *s = &g->s;
	int ret;

	if (!boot->conf->create)
		return group_refuse(boot, -ENOENT, "drive \"%s\" is blank, and `create` is false",
				    boot->drives[0]->name);
	if (boot->n != boot->conf->n_drives)
		return group_refuse(boot, -ENODEV, "only %u of %u drives are there to make it of", boot->n,
				    boot->conf->n_drives);
	s->parity = boot->conf->parity;
	s->data = boot->conf->data != 0 || boot->n < s->parity ? boot->conf->data : boot->n - s->parity;
	if (s->data == 0 || s->data > LOG_DATA_MAX || s->parity > LOG_PARITY_MAX || boot->n < s->data + s->parity)
		return group_refuse(boot, -EINVAL, "%u data and %u parity need at least %u drives, found %u", s->data,
				    s->parity, s->data + s->parity, boot->n);
	ret = sizes(s, boot);
	if (ret < 0)
		return ret;
	if (group_random_uuid(s->uuid) < 0)
		return group_refuse(boot, -EIO, "no random numbers");
	snprintf(s->name, sizeof(s->name), "%s", boot->conf->name);
	s->members = s->first = boot->n;
	for (unsigned int i = 0; i < boot->n; i++) {
		if (group_random_uuid(s->member[i].uuid) < 0)
			return group_refuse(boot, -EIO, "no random numbers");
		take(g, i, boot->drives[i]);
		s->member[i].slots = lgroup_slots(s, boot->drives[i]);
		if (s->member[i].slots == 0)
			return group_refuse(boot, -EINVAL, "drive \"%s\" is too small for a segment of %u bytes",
					    boot->drives[i]->name, s->segment);
		g->m[i].forming = true;
	}
	return lgroup_super_sane(s) ? 0 : group_refuse(boot, -EINVAL, "its numbers make no group");
}

/* --- an old group --------------------------------------------------------------------------------------------------
 */

/* All superblocks are of one group, and it is the one asked for. @return the one that counts, or NULL. */
static const struct seen *
newest(const struct group_boot *boot, const struct seen *f)
{
	const struct seen *top = NULL;

	for (unsigned int i = 0; i < boot->n; i++) {
		if (f[i].s == NULL)
			continue;
		if (strcmp(f[i].s->name, boot->conf->name) != 0) {
			group_refuse(boot, -EEXIST, "drive \"%s\" belongs to group \"%s\"", f[i].drive->name,
				     f[i].s->name);
			return NULL;
		}
		if (top != NULL && memcmp(f[i].s->uuid, top->s->uuid, sizeof(top->s->uuid)) != 0) {
			group_refuse(boot, -EEXIST, "drives \"%s\" and \"%s\" belong to different groups of this name",
				     top->drive->name, f[i].drive->name);
			return NULL;
		}
		if (top == NULL || f[i].s->generation > top->s->generation ||
		    (f[i].s->generation == top->s->generation && f[i].s->seq > top->s->seq))
			top = &f[i];
	}
	return top;
}

/* Both say that the other is out of service, and it knows of more than was ever written to it by those who go on
 * without it: each went on alone. One that only stayed behind may well remember the other when it was not rebuilt yet.
 */
static bool
parted(const struct seen *top, const struct seen *f)
{
	uint32_t t = top->s->index, i = f->s->index;

	return f != top && top->s->member[i].state != LOG_MEMBER_IN_SYNC &&
	       f->s->generation > top->s->member[i].generation && f->s->member[i].state == LOG_MEMBER_IN_SYNC &&
	       t < f->s->members && f->s->member[t].state != LOG_MEMBER_IN_SYNC;
}

/* Its place was given to another drive while it was away, later than anything it knows of: it is left out. */
static int
replaced(const struct group_boot *boot, const struct lgroup_super *s, const struct seen *f)
{
	uint32_t i = f->s->index;

	if (s->member[i].generation <= f->s->generation)
		return group_refuse(boot, -EEXIST, "drive \"%s\" and another are both member %u", f->drive->name, i);
	LOG_GROUP_LOG(WARNING,
		      "group %s: drive %s is left out: its place, member %u, was given to one with serial %s\n",
		      s->name, f->drive->name, i, s->member[i].serial);
	return 0;
}

static int
place_member(struct log_group *g, const struct group_boot *boot, const struct seen *top, const struct seen *f)
{
	const struct lgroup_super *s = top->s;
	uint32_t i = f->s->index;
	struct lgroup_slot *m = &g->m[i];

	if (i >= s->members)
		return group_refuse(boot, -EEXIST, "drive \"%s\" is a member that the others do not know",
				    f->drive->name);
	if (memcmp(f->s->member[i].uuid, s->member[i].uuid, sizeof(s->member[i].uuid)) != 0)
		return replaced(boot, s, f);
	if (m->drive != NULL)
		return group_refuse(boot, -EEXIST, "drives \"%s\" and \"%s\" are copies of one member", m->drive->name,
				    f->drive->name);
	if (parted(top, f))
		return group_refuse(boot, -EEXIST, "drives \"%s\" and \"%s\" each went on without the other",
				    top->drive->name, f->drive->name);
	if (lgroup_slots(s, f->drive) < s->member[i].slots || f->drive->block_size > s->block)
		return group_refuse(boot, -EINVAL, "drive \"%s\" has become too small, or its blocks too large",
				    f->drive->name);
	take(g, i, f->drive);
	m->copy = f->copy ^ 1;
	m->forming = f->marked; /* the mark stays until what it announces is whole */
	m->state = s->member[i].state == LOG_MEMBER_IN_SYNC ? LOG_MEMBER_IN_SYNC : LOG_MEMBER_STALE;
	return 0;
}

/* The others know it by its serial; or, if its place was given to another drive since, it has notes of the group. */
static bool
was_member(const struct log_group *g, struct strake_drive *d, struct strake_buf *page)
{
	for (uint32_t i = 0; i < g->s.members; i++) {
		if (g->m[i].drive == NULL && d->serial[0] != '\0' && strcmp(g->s.member[i].serial, d->serial) == 0)
			return true;
	}
	for (unsigned int i = 0; i < 2 * LOG_NOTES; i++) {
		struct lgroup_note n;

		if (strake_drive_sync(d, STRAKE_IO_READ, lgroup_note_off(i / 2, i % 2), page, LOG_NOTE_SLOT) == 0 &&
		    lgroup_note_decode(&n, page->addr) == 0 && memcmp(n.uuid, g->s.uuid, sizeof(n.uuid)) == 0)
			return true;
	}
	return false;
}

static int
leave_out(const struct log_group *g, const struct group_boot *boot, const struct seen *f, struct strake_buf *page)
{
	if (!was_member(g, f->drive, page))
		return blank(boot, f, page);
	LOG_GROUP_LOG(ERR, "group %s: drive %s is left out: it was a member, and its superblocks are damaged\n",
		      g->s.name, f->drive->name);
	boot->err[0] = '\0';
	return 0;
}

/* A blank drive takes the place of a member that is not there. */
static int
place_blank(struct log_group *g, const struct group_boot *boot, struct strake_drive *d)
{
	for (uint32_t i = 0; boot->conf->create && i < g->s.members; i++) {
		if (g->m[i].drive != NULL || lgroup_slots(&g->s, d) < g->s.member[i].slots ||
		    d->block_size > g->s.block)
			continue;
		take(g, i, d);
		g->m[i].state = LOG_MEMBER_STALE;
		g->m[i].forming = true;
		return group_random_uuid(g->s.member[i].uuid);
	}
	/* A spare took the place of the drive that this one is put in for. */
	if (boot->conf->create && boot->conf->n_spares > 0 && g->spares < LOG_SPARES) {
		g->spare[g->spares++] = d;
		return 0;
	}
	return group_refuse(boot, -EEXIST, "drive \"%s\" is blank, and no member's place is free for it", d->name);
}

/* Why a member is out of service. */
static const char *
out_why(const struct log_group *g, const struct group_boot *boot, const struct seen *f, uint32_t i)
{
	if (g->m[i].state == LOG_MEMBER_IN_SYNC)
		return "has a superblock that cannot be read";
	if (g->m[i].state == LOG_MEMBER_STALE)
		return "is not rebuilt";
	for (unsigned int d = 0; d < boot->n; d++) {
		if (f[d].odd && strcmp(f[d].drive->serial, g->s.member[i].serial) == 0)
			return "has damaged superblocks";
	}
	return "is missing";
}

/* The first of some members, each with why; @return @p text. */
static const char *
out_text(char *text, size_t len, const struct log_group *g, const struct group_boot *boot, const struct seen *f,
	 uint32_t mask)
{
	size_t n = 0;

	for (text[0] = '\0'; mask != 0 && n < len; mask &= mask - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(mask);

		n += (size_t)snprintf(text + n, len - n, "%smember %u (serial \"%s\") %s", n > 0 ? ", " : "", i,
				      g->s.member[i].serial, out_why(g, boot, f, i));
	}
	return text;
}

/* At most m are out, and those who are here are not the ones that went out unnoticed. */
static int
enough(const struct log_group *g, const struct group_boot *boot, const struct seen *f, const struct lgroup_super *top)
{
	uint32_t here = lgroup_mask_state(g, LOG_MEMBER_IN_SYNC), all = 0, part = 0, gone;
	uint32_t out = (g->s.members < 32 ? (1u << g->s.members) - 1 : UINT32_MAX) & ~here;
	char text[200];

	for (uint32_t i = 0; i < RTE_MIN(g->s.members, LOG_SUPER_MEMBERS); i++)
		all |= (uint32_t)(top->member[i].state == LOG_MEMBER_IN_SYNC) << i;
	gone = all & ~here;
	if ((uint32_t)__builtin_popcount(out) > g->s.parity)
		return group_refuse(boot, -ENODEV,
				    "%u of its %u drives are missing or not rebuilt, and it can spare %u: %s",
				    (uint32_t)__builtin_popcount(out), g->s.members, g->s.parity,
				    out_text(text, sizeof(text), g, boot, f, out));
	for (unsigned int i = 0; i < boot->n; i++)
		part |= (uint32_t)(f[i].s != NULL && f[i].part) << (f[i].s != NULL ? f[i].s->index : 0);
	gone |= part & here;
	if (gone == 0 || (uint32_t)__builtin_popcount(here & ~part) > g->s.parity ||
	    (boot->n + g->spares == boot->conf->n_drives + boot->conf->n_spares && boot->n < g->s.members))
		return 0;
	return group_refuse(boot, -ENODEV,
			    "these may know newer data than the other drives, list only the others to go on without "
			    "them: %s",
			    out_text(text, sizeof(text), g, boot, f, gone));
}

static int
same_as_conf(const struct group_boot *boot, const struct lgroup_super *s)
{
	const struct conf_group *conf = boot->conf;

	if ((conf->data != 0 && s->data != conf->data) || s->parity != conf->parity)
		return group_refuse(boot, -EINVAL, "is %u+%u on its drives, and %u+%u in the configuration", s->data,
				    s->parity, conf->data, conf->parity);
	if ((conf->unit != 0 && conf->unit != s->unit) || (conf->segment != 0 && conf->segment != s->segment))
		return group_refuse(boot, -EINVAL, "has units of %u and segments of %u bytes on its drives", s->unit,
				    s->segment);
	return 0;
}

static int
revive(struct log_group *g, const struct group_boot *boot, const struct seen *f, struct strake_buf *page)
{
	const struct seen *top = newest(boot, f);
	uint32_t changed = 0;
	int ret;

	if (top == NULL)
		return -EEXIST;
	ret = same_as_conf(boot, top->s);
	g->s = *top->s;
	for (uint32_t i = 0; i < g->s.members; i++)
		g->m[i].state = LOG_MEMBER_MISSING;
	for (unsigned int i = 0; i < boot->n && ret == 0; i++)
		ret = f[i].s != NULL ? place_member(g, boot, top, &f[i]) : 0;
	for (unsigned int i = 0; i < boot->n && ret == 0; i++)
		ret = f[i].odd ? leave_out(g, boot, &f[i], page) : 0;
	for (unsigned int i = 0; i < boot->n && ret == 0; i++)
		ret = f[i].s == NULL && !f[i].odd ? place_blank(g, boot, f[i].drive) : 0;
	if (ret == 0)
		ret = enough(g, boot, f, top->s);
	for (uint32_t i = 0; i < g->s.members && ret == 0; i++) {
		if (g->m[i].drive == NULL)
			LOG_GROUP_LOG(WARNING, "group %s: member %u, drive with serial %s, is missing\n", g->s.name, i,
				      g->s.member[i].serial);
		changed |= g->m[i].state != g->s.member[i].state;
	}
	g->s.generation += changed;
	return ret;
}

/* --- both ----------------------------------------------------------------------------------------------------------
 */

static int
parts(struct log_group *g, const struct group_boot *boot)
{
	struct lgroup_owner *o = &g->o;
	struct lgroup_move mv;
	uint32_t slots[LOG_MEMBERS_MAX], moved = 0;
	int ret;

	for (uint32_t i = 0; i < g->s.members; i++)
		slots[i] = g->s.member[i].slots;
	ret = lgroup_geometry_init(&o->geo, g->s.data + g->s.parity, slots, g->s.first);
	for (uint32_t i = g->s.first; i < g->s.members && ret == 0; i++) {
		ret = lgroup_geometry_grow(&o->geo, slots[i]);
		moved = 0;
		while (ret == 0 && (i + 1 < g->s.members || moved < g->s.moved) && lgroup_geometry_next(&o->geo, &mv)) {
			lgroup_geometry_moved(&o->geo, &mv);
			moved++;
		}
		o->growing = ret == 0 && lgroup_geometry_next(&o->geo, &mv);
	}
	if (ret == -ENOMEM)
		return group_refuse(boot, ret, "out of memory");
	if (ret < 0 || (g->s.members > g->s.first && moved != g->s.moved))
		return group_refuse(boot, -EBADMSG, "its superblocks make no sense");
	if (lgroup_parity_init(&o->parity, g->s.data, g->s.parity) < 0)
		return group_refuse(boot, -EINVAL, "%u+%u is not possible", g->s.data, g->s.parity);
	g->data_off = lgroup_super_data_off(g->s.intent_bytes);
	g->note_blob = calloc(LOG_NOTES, LOG_NOTE_BYTES);
	g->note_page = strake_buf_page(LOG_NOTE_SLOT);
	if (g->note_blob == NULL || g->note_page == NULL)
		return group_refuse(boot, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < g->s.members; i++) {
		g->m[i].page = strake_buf_page(LOG_SUPER_BYTES);
		if (g->m[i].state == LOG_MEMBER_STALE) {
			g->m[i].fresh_room = o->geo.room;
			g->m[i].fresh = calloc(1, o->geo.room / 8 + 1);
		}
		if (g->m[i].page == NULL || (g->m[i].state == LOG_MEMBER_STALE && g->m[i].fresh == NULL))
			return group_refuse(boot, -ENOMEM, "out of buffers");
	}
	return 0;
}

static bool
is_spare(const struct conf_group *conf, const struct strake_drive *d)
{
	for (unsigned int i = 0; i < conf->n_spares; i++) {
		if (strcmp(conf->spares[i]->name, d->name) == 0)
			return true;
	}
	return false;
}

/* Look at all drives. Spares that are none of the members are kept for later, and those that cannot be are left out:
 * nothing is lost without them. The rest stays, as *boot and @p f. */
static int
look_all(struct log_group *g, struct group_boot *boot, struct seen *f, struct strake_buf *page)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < boot->n; i++) {
		struct strake_drive *d = boot->drives[i];
		bool spare = is_spare(boot->conf, d);
		int ret;

		f[n] = (struct seen){.drive = d};
		ret = look(boot, &f[n], page);
		if (ret < 0 && !spare && !f[n].odd)
			return ret;
		if (ret < 0 && spare)
			LOG_GROUP_LOG(WARNING, "%s; it cannot be a spare\n", boot->err);
		else if (spare && f[n].s == NULL && g->spares < LOG_SPARES)
			g->spare[g->spares++] = d;
		else
			boot->drives[n++] = d;
	}
	boot->n = n;
	return n > 0 ? 0 : group_refuse(boot, -ENODEV, "none of its drives is there");
}

static int
assemble(struct log_group *g, struct group_boot *boot, struct seen *f, struct strake_buf *page)
{
	unsigned int unformed = 0;
	int ret = look_all(g, boot, f, page);

	for (unsigned int i = 0; i < boot->n; i++)
		unformed += f[i].s == NULL || f[i].marked;
	for (unsigned int i = 0; i < boot->n && ret == 0 && unformed == boot->n; i++)
		ret = f[i].odd ? blank(boot, &f[i], page) : 0;
	/* If no drive has got beyond its mark, nothing was ever acknowledged: the group is made, or made once more. */
	if (ret == 0)
		ret = unformed == boot->n ? create(g, boot) : revive(g, boot, f, page);
	if (ret == 0)
		ret = parts(g, boot);
	if (ret == 0 && unformed < boot->n && lgroup_notes_load(g) < 0)
		ret = group_refuse(boot, -EIO, "its notes cannot be read");
	return ret;
}

int
lgroup_assemble(struct log_group *g, const struct group_boot *boot)
{
	struct group_boot mine = *boot;
	struct seen *f = calloc(boot->n, sizeof(*f));
	struct strake_buf *page = strake_buf_page(STRAKE_BUF_PAGE_MAX);
	int ret;

	mine.drives = malloc(boot->n * sizeof(*mine.drives));
	if (f == NULL || page == NULL || mine.drives == NULL) {
		ret = group_refuse(boot, -ENOMEM, "out of memory");
	} else {
		memcpy(mine.drives, boot->drives, boot->n * sizeof(*mine.drives));
		ret = assemble(g, &mine, f, page);
	}
	for (unsigned int i = 0; f != NULL && i < boot->n; i++)
		free(f[i].s);
	free(f);
	free(mine.drives);
	strake_buf_put_list(page);
	return ret;
}

/* --- later ---------------------------------------------------------------------------------------------------------
 */

int
lgroup_judge(struct log_group *g, uint32_t member, struct strake_drive *drive, bool *whole, bool *same, char *err,
	     size_t errlen)
{
	const struct conf_group conf = {.name = g->s.name};
	const struct group_boot boot = {&conf, &drive, 1, err, errlen};
	struct seen f = {.drive = drive};
	struct strake_buf *page = strake_buf_page(STRAKE_BUF_PAGE_MAX);
	uint32_t least = member < g->s.members ? g->s.member[member].slots : 1;
	int ret = page == NULL ? group_refuse(&boot, -ENOMEM, "out of buffers") : look(&boot, &f, page);

	if (ret == 0 && (lgroup_slots(&g->s, drive) < least || drive->block_size > g->s.block))
		ret = group_refuse(&boot, -EINVAL, "drive \"%s\" is too small, or its blocks are too large",
				   drive->name);
	*whole = f.s == NULL;
	*same = f.s != NULL && !f.marked && member < g->s.members && f.s->seq == g->m[member].seq;
	if (ret == 0 && f.s != NULL && member >= g->s.members)
		ret = group_refuse(
			&boot, -EEXIST,
			"drive \"%s\" is not blank: it was a member of a group once, and must be erased first",
			drive->name);
	if (ret == 0 && f.s != NULL &&
	    (memcmp(f.s->uuid, g->s.uuid, sizeof(f.s->uuid)) != 0 || f.s->index != member ||
	     memcmp(f.s->member[member].uuid, g->s.member[member].uuid, sizeof(g->s.uuid)) != 0))
		ret = group_refuse(&boot, -EEXIST, "drive \"%s\" is not the one that was member %u", drive->name,
				   member);
	free(f.s);
	strake_buf_put_list(page);
	return ret;
}
