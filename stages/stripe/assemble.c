/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Assembling a group: who is who on the drives given, and may they serve?
 *
 * The superblock with the highest generation (then sequence) is the truth about every member: a member is in sync if
 * that one says so, whatever its own says. What it calls missing and is here comes back stale. Two things are refused
 * although drives enough are here: members that each went on without the other, and a half that was not stopped in
 * order whose other half is absent, for that one may have gone on alone. The latter passes if some column is complete,
 * because a newer generation would be on one of its members, or if the operator lists only the drives to go on with.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "group_priv.h"

#define EDGE_BYTES (1u << 20)

/* How long a new mirror is zeroed at boot, and in what pieces. */
#define ZEROES_NS    (5 * STRAKE_NS_PER_SEC)
#define ZEROES_FIRST (64u << 20)
#define ZEROES_MOST  (1u << 30)

/** A drive as found. */
struct found {
	struct strake_drive *drive;
	struct super *s; /* NULL: holds nothing */
	uint8_t copy;	 /* of the newest superblock */
	bool marked;	 /* was being made a member, perhaps of a group that never came to be */
	struct super_mark mark;
};

int
group_refuse(const struct group_boot *boot, int ret, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Names and serials are what a drive says: one line it stays. */
	for (char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	snprintf(boot->err, boot->errlen, "group \"%s\": %s", boot->conf->name, text);
	return ret;
}

/* --- looking at one drive ------------------------------------------------------------------------------------------
 */

int
group_blank_check(const struct group_boot *boot, struct strake_drive *d, struct strake_buf *page)
{
	uint64_t offs[2] = {0, d->bytes - EDGE_BYTES};
	const char *what;
	int ret;

	for (unsigned int e = 0; e < 2; e++) {
		for (uint64_t off = offs[e]; off < offs[e] + EDGE_BYTES; off += STRAKE_BUF_PAGE_MAX) {
			ret = strake_drive_sync(d, STRAKE_IO_READ, off, page, STRAKE_BUF_PAGE_MAX);
			if (ret < 0)
				return group_refuse(boot, ret, "drive \"%s\" cannot be read: %s", d->name,
						    strerror(-ret));
			if (group_drive_blank(page->addr, STRAKE_BUF_PAGE_MAX, off == 0, &what) < 0)
				return group_refuse(boot, -EEXIST, "drive \"%s\" is not blank: it holds %s", d->name,
						    what);
		}
	}
	return 0;
}

/* One copy of the superblock, or the mark in its place. @return 0: *s is one; -ENOENT: none; else it was refused. */
static int
probe_copy(const struct group_boot *boot, struct found *f, uint8_t copy, struct super *s, struct strake_buf *page)
{
	int ret = strake_drive_sync(f->drive, STRAKE_IO_READ, super_copy_off(copy), page, SUPER_BYTES);

	if (ret < 0)
		return group_refuse(boot, ret, "drive \"%s\" cannot be read: %s", f->drive->name, strerror(-ret));
	if (copy == 0 && mark_decode(&f->mark, page->addr) == 0) {
		f->marked = true;
		if (strcmp(f->mark.name, boot->conf->name) != 0)
			return group_refuse(boot, -EEXIST, "drive \"%s\" is being made a member of group \"%s\"",
					    f->drive->name, f->mark.name);
		return -ENOENT;
	}
	ret = super_decode(s, page->addr);
	if (ret == -EPROTO)
		return group_refuse(boot, ret, "drive \"%s\" has a superblock of another version", f->drive->name);
	/* Under a mark, only the superblock that it announces counts. */
	if (ret == 0 && f->marked && memcmp(s->uuid, f->mark.uuid, sizeof(s->uuid)) != 0)
		return -ENOENT;
	return ret == 0 ? 0 : -ENOENT;
}

static int
probe(const struct group_boot *boot, struct found *f, struct strake_buf *page)
{
	struct super *s = calloc(1, sizeof(*s));
	int ret = 0;

	if (s == NULL)
		return group_refuse(boot, -ENOMEM, "out of memory");
	if (f->drive->bytes < 2 * EDGE_BYTES + SUPER_DATA_OFF) {
		ret = group_refuse(boot, -EINVAL, "drive \"%s\" is too small", f->drive->name);
		goto out;
	}
	for (uint8_t copy = 0; copy < 2; copy++) {
		ret = probe_copy(boot, f, copy, s, page);
		if (ret < 0 && ret != -ENOENT)
			goto out;
		if (ret == 0 && (f->s == NULL || s->seq > f->s->seq)) {
			struct super *old = f->s;

			f->s = s;
			f->copy = copy;
			s = old != NULL ? old : calloc(1, sizeof(*s));
			if (s == NULL)
				return group_refuse(boot, -ENOMEM, "out of memory");
		}
	}
	ret = f->s == NULL && !f->marked ? group_blank_check(boot, f->drive, page) : 0;
out:
	free(s);
	return ret;
}

/* --- a new group ---------------------------------------------------------------------------------------------------
 */

int
group_random_uuid(uint8_t *uuid)
{
	return getrandom(uuid, 16, 0) == 16 ? 0 : -EIO;
}

static unsigned int
raid_of(const struct conf_group *conf)
{
	return conf->raid == CONF_RAID0 ? 0 : conf->raid == CONF_RAID1 ? 1 : 10;
}

static void
take(struct group *g, uint32_t i, struct strake_drive *d)
{
	g->m[i].drive = d;
	snprintf(g->s.member[i].serial, sizeof(g->s.member[i].serial), "%s", d->serial);
}

static int
create(struct group *g, const struct group_boot *boot)
{
	uint64_t bytes = UINT64_MAX;

	if (!boot->conf->create)
		return group_refuse(boot, -ENOENT, "drive \"%s\" is blank, and `create` is false",
				    boot->drives[0]->name);
	if (boot->n != boot->conf->n_drives)
		return group_refuse(boot, -ENODEV, "only %u of %u drives are there to make it of", boot->n,
				    boot->conf->n_drives);
	for (unsigned int i = 0; i < boot->n; i++)
		bytes = RTE_MIN(bytes, boot->drives[i]->bytes - SUPER_DATA_OFF);
	/* A few last bytes stay free, so that a replacement may be a little smaller. */
	if (geometry_init(&g->geo, raid_of(boot->conf), boot->n, boot->conf->chunk,
			  RTE_ALIGN_FLOOR(bytes, RESYNC_WINDOW)) < 0)
		return group_refuse(boot, -EINVAL, "%u drives and chunks of %lu bytes do not make a RAID %u", boot->n,
				    boot->conf->chunk, raid_of(boot->conf));
	if (group_random_uuid(g->s.uuid) < 0)
		return group_refuse(boot, -EIO, "no random numbers");
	snprintf(g->s.name, sizeof(g->s.name), "%s", boot->conf->name);
	g->s.raid = raid_of(boot->conf);
	g->s.members = boot->n;
	g->s.chunk = boot->conf->chunk;
	g->s.region = boot->conf->region;
	g->s.member_bytes = g->geo.member_bytes;
	g->s.clean = true;
	for (unsigned int i = 0; i < boot->n; i++) {
		if (group_random_uuid(g->s.member[i].uuid) < 0)
			return group_refuse(boot, -EIO, "no random numbers");
		take(g, i, boot->drives[i]);
		g->m[i].forming = true;
	}
	return 0;
}

/* --- an old group --------------------------------------------------------------------------------------------------
 */

/* All superblocks are of one group, and it is the one asked for. @return the one that counts, or NULL. */
static const struct found *
newest(const struct group_boot *boot, const struct found *f)
{
	const struct found *top = NULL;

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

/* Both say that the other is not in sync: each went on alone. */
static bool
diverged(const struct found *top, const struct found *f)
{
	uint32_t t = top->s->index, i = f->s->index;

	return f != top && top->s->member[i].state != GROUP_MEMBER_IN_SYNC &&
	       f->s->member[i].state == GROUP_MEMBER_IN_SYNC && f->s->member[t].state != GROUP_MEMBER_IN_SYNC;
}

static int
place_member(struct group *g, const struct group_boot *boot, const struct found *top, const struct found *f,
	     bool *whole)
{
	const struct super_member *sm;
	struct group_slot *m;
	uint32_t i = f->s->index;

	if (i >= top->s->members ||
	    memcmp(f->s->member[i].uuid, top->s->member[i].uuid, sizeof(top->s->member[i].uuid)) != 0)
		return group_refuse(boot, -EEXIST, "drive \"%s\" was replaced and is no member any more",
				    f->drive->name);
	sm = &top->s->member[i];
	m = &g->m[i];
	if (m->drive != NULL)
		return group_refuse(boot, -EEXIST, "drives \"%s\" and \"%s\" are copies of one member", m->drive->name,
				    f->drive->name);
	if (diverged(top, f))
		return group_refuse(boot, -EEXIST, "drives \"%s\" and \"%s\" each went on without the other",
				    top->drive->name, f->drive->name);
	if (f->drive->bytes < SUPER_DATA_OFF + top->s->member_bytes)
		return group_refuse(boot, -EINVAL, "drive \"%s\" has become too small", f->drive->name);
	take(g, i, f->drive);
	m->copy = f->copy ^ 1;
	m->state = sm->state;
	if (m->state == GROUP_MEMBER_MISSING) {
		m->state = GROUP_MEMBER_STALE;
		*whole |= f->s->generation != sm->generation;
	}
	return 0;
}

/* A blank drive takes the place of a member that is not there. */
static int
place_blank(struct group *g, const struct group_boot *boot, struct strake_drive *d)
{
	if (boot->conf->create && g->geo.copies > 1 && d->bytes >= SUPER_DATA_OFF + g->geo.member_bytes) {
		for (uint32_t i = 0; i < g->s.members; i++) {
			if (g->m[i].drive != NULL)
				continue;
			take(g, i, d);
			g->m[i].state = GROUP_MEMBER_STALE;
			g->m[i].forming = true;
			return group_random_uuid(g->s.member[i].uuid);
		}
	}
	return group_refuse(boot, -EEXIST, "drive \"%s\" is blank, and no member's place is free for it", d->name);
}

/* Every column has somebody to read from. */
static int
columns_check(const struct group *g, const struct group_boot *boot)
{
	uint32_t good = group_mask_state(g, GROUP_MEMBER_IN_SYNC);

	for (uint32_t col = 0; col < g->geo.cols; col++) {
		uint32_t members = col_mask(&g->geo, col), gone = members;

		if (good & members)
			continue;
		gone &= ~group_mask_state(g, GROUP_MEMBER_STALE);
		if (gone != 0)
			return group_refuse(boot, -ENODEV, "member %u, drive with serial \"%s\", is missing%s",
					    (uint32_t)__builtin_ctz(gone), g->s.member[__builtin_ctz(gone)].serial,
					    gone != members ? ", and its other half is stale" : "");
		return group_refuse(boot, -ENODEV, "all halves of member %u are stale",
				    (uint32_t)__builtin_ctz(members));
	}
	return 0;
}

/* After an unclean stop, could an absent member know of a newer generation than all who are here? */
static int
alone_check(const struct group *g, const struct group_boot *boot, const struct super *top)
{
	uint32_t here = group_mask_state(g, GROUP_MEMBER_IN_SYNC), all = 0;

	for (uint32_t i = 0; i < RTE_MIN(g->s.members, SUPER_MEMBERS); i++)
		all |= (uint32_t)(top->member[i].state == GROUP_MEMBER_IN_SYNC) << i;
	if (top->clean || here == all || (boot->n == boot->conf->n_drives && boot->n < g->s.members))
		return 0;
	for (uint32_t col = 0; col < g->geo.cols; col++) {
		uint32_t members = col_mask(&g->geo, col) & all;

		if ((here & members) == members)
			return 0;
	}
	all &= ~here;
	return group_refuse(
		boot, -ENODEV,
		"it was not stopped in order, and member %u, drive with serial \"%s\", which may know newer "
		"data, is missing; list only the drives there are to go on without it",
		(uint32_t)__builtin_ctz(all), g->s.member[__builtin_ctz(all)].serial);
}

static int
same_as_conf(const struct group_boot *boot, const struct super *s)
{
	if (s->raid != raid_of(boot->conf))
		return group_refuse(boot, -EINVAL, "is RAID %u on its drives, and RAID %u in the configuration",
				    s->raid, raid_of(boot->conf));
	if (s->chunk != boot->conf->chunk)
		return group_refuse(boot, -EINVAL,
				    "has chunks of %lu bytes on its drives, and %lu in the configuration", s->chunk,
				    boot->conf->chunk);
	return 0;
}

static int
revive(struct group *g, const struct group_boot *boot, const struct found *f, bool *whole)
{
	const struct found *top = newest(boot, f);
	int ret;

	if (top == NULL)
		return -EEXIST;
	ret = same_as_conf(boot, top->s);
	if (ret < 0)
		return ret;
	g->s = *top->s;
	if (geometry_init(&g->geo, g->s.raid, g->s.members, g->s.chunk, g->s.member_bytes) < 0 ||
	    !rte_is_power_of_2((uint32_t)(g->s.region >> 20)) || g->s.region & (RESYNC_WINDOW - 1))
		return group_refuse(boot, -EBADMSG, "drive \"%s\" has a superblock that makes no sense",
				    top->drive->name);
	for (uint32_t i = 0; i < g->s.members; i++)
		g->m[i].state = GROUP_MEMBER_MISSING;
	for (unsigned int i = 0; i < boot->n; i++) {
		ret = f[i].s != NULL ? place_member(g, boot, top, &f[i], whole) : 0;
		if (ret < 0)
			return ret;
	}
	for (unsigned int i = 0; i < boot->n; i++) {
		ret = f[i].s == NULL ? place_blank(g, boot, f[i].drive) : 0;
		if (ret < 0)
			return ret;
		*whole |= f[i].s == NULL;
	}
	ret = columns_check(g, boot);
	return ret < 0 ? ret : alone_check(g, boot, top->s);
}

/* --- the dirty map -------------------------------------------------------------------------------------------------
 */

/* One block of one member: its newest copy, added to the map. A block of which no copy is good is dirty all over. */
static int
block_read(struct group *g, const struct group_boot *boot, uint32_t i, uint32_t block, struct strake_buf *page)
{
	uint8_t bits[2][DIRTY_BLOCK_BITS / 8], *map = g->bits + (size_t)block * sizeof(bits[0]);
	struct dirty_block b, best = {0};
	int newest_copy = -1;

	for (int copy = 0; copy < 2; copy++) {
		int ret = strake_drive_sync(g->m[i].drive, STRAKE_IO_READ, dirty_copy_off(block, (unsigned int)copy),
					    page, DIRTY_BYTES);

		if (ret < 0)
			return group_refuse(boot, ret, "drive \"%s\" cannot be read: %s", g->m[i].drive->name,
					    strerror(-ret));
		if (dirty_decode(&b, bits[copy], page->addr) < 0 || b.index != block ||
		    memcmp(b.uuid, g->s.uuid, sizeof(b.uuid)) != 0 || (newest_copy >= 0 && b.seq < best.seq))
			continue;
		best = b;
		newest_copy = copy;
	}
	if (newest_copy < 0)
		memset(bits[0], 0xff, sizeof(bits[0]));
	for (size_t k = 0; k < sizeof(bits[0]); k++)
		map[k] |= bits[RTE_MAX(newest_copy, 0)][k];
	g->dirty_seq[block] = RTE_MAX(g->dirty_seq[block], best.seq);
	return 0;
}

static int
map_read(struct group *g, const struct group_boot *boot, struct strake_buf *page)
{
	int ret;

	for (uint32_t mask = group_mask_state(g, GROUP_MEMBER_IN_SYNC); mask != 0; mask &= mask - 1) {
		for (uint32_t b = 0; b < g->blocks; b++) {
			ret = block_read(g, boot, (uint32_t)__builtin_ctz(mask), b, page);
			if (ret < 0)
				return ret;
		}
	}
	for (uint32_t r = 0; r < g->regions; r++)
		g->dirty += bit_get(g->bits, r);
	return 0;
}

/* --- both ----------------------------------------------------------------------------------------------------------
 */

/* Dirty map, resynchronisation, pages: sized by the geometry. */
static int
parts_init(struct group *g, const struct group_boot *boot)
{
	g->region_shift = (uint32_t)__builtin_ctzll(g->s.region);
	if (g->geo.copies > 1)
		g->regions = (uint32_t)((g->geo.member_bytes + g->s.region - 1) >> g->region_shift);
	if (g->geo.copies > 1 && (g->geo.member_bytes >> g->region_shift) >= (uint64_t)DIRTY_BLOCKS * DIRTY_BLOCK_BITS)
		return group_refuse(boot, -EINVAL, "regions of %lu bytes are too many; make them larger", g->s.region);
	if (dirty_init(g) < 0 || resync_init(g) < 0)
		return group_refuse(boot, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < g->s.members; i++) {
		g->m[i].page = strake_buf_page(SUPER_BYTES);
		if (g->m[i].page == NULL)
			return group_refuse(boot, -ENOMEM, "out of buffers");
	}
	g->back_page = strake_buf_page(STRAKE_BUF_PAGE_MAX);
	g->back_super = calloc(1, sizeof(*g->back_super));
	if (g->back_page == NULL || g->back_super == NULL)
		return group_refuse(boot, -ENOMEM, "out of memory");
	return 0;
}

/* Zeroes for [off, off + len) of every member. */
static bool
zeroes_write(struct group *g, uint64_t off, uint32_t len)
{
	bool all = true;

	for (uint32_t i = 0; i < g->s.members && all; i++)
		all = strake_drive_sync(g->m[i].drive, STRAKE_IO_WRITE_ZEROES, SUPER_DATA_OFF + off, NULL, len) == 0;
	return all;
}

static bool
zeroes_flush(struct group *g)
{
	bool all = true;

	for (uint32_t i = 0; i < g->s.members && all; i++)
		all = strake_drive_sync(g->m[i].drive, STRAKE_IO_FLUSH, 0, NULL, 0) == 0;
	return all;
}

/* Halves of a new mirror must not differ where nobody has written: zeroes, durable before a superblock says so. Drives
 * that really write them would take hours: after a while the rest is left to a resynchronisation in the background. */
static void
halves_equal(struct group *g)
{
	uint64_t off = 0, until = strake_clock_ns() + ZEROES_NS;
	uint64_t len = ZEROES_FIRST;

	if (g->geo.copies == 1)
		return;
	while (off < g->geo.member_bytes && strake_clock_ns() < until) {
		len = RTE_MIN(g->geo.member_bytes - off, len);
		if (!zeroes_write(g, off, (uint32_t)len))
			break;
		off += len;
		len = RTE_MIN(len * 2, (uint64_t)ZEROES_MOST);
	}
	if (!zeroes_flush(g))
		off = 0;
	for (uint32_t r = (uint32_t)(off >> g->region_shift); r < g->regions && off < g->geo.member_bytes; r++)
		dirty_set(g, r, true);
	if (g->dirty == 0)
		return;
	GROUP_LOG(NOTICE, "group %s: its drives are slow to zero; %lu MiB are made equal in the background\n",
		  g->s.name, (g->geo.member_bytes - off) >> 20);
	resync_need_dirty(g, NEED_UNSYNC);
}

static int
old_state(struct group *g, const struct group_boot *boot, struct strake_buf *page, bool whole)
{
	uint32_t changed = 0;
	int ret = map_read(g, boot, page);

	if (ret < 0)
		return ret;
	if (!g->s.clean)
		resync_need_dirty(g, NEED_UNSYNC);
	if (whole)
		dirty_set_all(g);
	if (group_mask_state(g, GROUP_MEMBER_STALE) != 0)
		resync_need_dirty(g, NEED_COPY);
	for (uint32_t i = 0; i < g->s.members; i++) {
		if (g->m[i].drive == NULL)
			GROUP_LOG(WARNING, "group %s: member %u, drive with serial %s, is missing\n", g->s.name, i,
				  g->s.member[i].serial);
		changed |= g->m[i].state != (enum group_member_state)g->s.member[i].state;
	}
	g->s.generation += changed;
	return 0;
}

int
group_assemble(struct group *g, const struct group_boot *boot)
{
	struct found *f = calloc(boot->n, sizeof(*f));
	struct strake_buf *page = strake_buf_page(STRAKE_BUF_PAGE_MAX);
	unsigned int unformed = 0;
	bool whole = false;
	int ret = 0;

	if (f == NULL || page == NULL)
		ret = group_refuse(boot, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < boot->n && ret == 0; i++) {
		f[i].drive = boot->drives[i];
		ret = probe(boot, &f[i], page);
		unformed += f[i].s == NULL || f[i].marked;
	}
	/* If no drive has got beyond its mark, nothing was ever acknowledged: the group is made, or made once more. */
	if (ret == 0)
		ret = unformed == boot->n ? create(g, boot) : revive(g, boot, f, &whole);
	if (ret == 0)
		ret = parts_init(g, boot);
	if (ret == 0 && unformed == boot->n)
		halves_equal(g);
	else if (ret == 0)
		ret = old_state(g, boot, page, whole);
	for (unsigned int i = 0; f != NULL && i < boot->n; i++)
		free(f[i].s);
	free(f);
	strake_buf_put_list(page);
	return ret;
}
