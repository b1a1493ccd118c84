/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A group from open to close, and its tasks. */

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <rte_malloc.h>

#include "group_priv.h"

#define EXTENT_ALIGN (1u << 20)
#define LEAVE_NS     (5 * STRAKE_NS_PER_SEC)

RTE_LOG_REGISTER(group_logtype, strake.group, INFO)

static_assert(GEOMETRY_MEMBERS_MAX == CONF_GROUP_DRIVES_MAX, "what --check allows");

static struct group *groups;

/* --- tasks ---------------------------------------------------------------------------------------------------------
 */

void
group_kick(struct group *g)
{
	if (g->task != TASK_NONE)
		return;
	if ((g->lost_host | g->lost_meta) != 0) {
		g->task = TASK_LOST;
		task_lost(g);
	} else if (g->asks != NULL) {
		g->task = TASK_DIRTY;
		task_dirty(g);
	} else if (g->closing || g->quiet) {
		return;
	} else if (g->forget != 0) {
		g->task = TASK_FORGET;
		task_forget(g);
	} else if (g->back != NULL) {
		g->task = TASK_RETURN;
		task_return(g);
	} else if (g->mends != NULL) {
		g->task = TASK_MEND;
		task_mend(g);
	} else if (g->clear_due) {
		g->task = TASK_CLEAR;
		task_clear(g);
	} else if (resync_wanted(g)) {
		g->task = TASK_RESYNC;
		task_resync(g);
	}
}

void
group_task_end(struct group *g)
{
	g->task = TASK_NONE;
	group_kick(g);
}

void
group_settle(struct group *g)
{
	g->quiet = true;
	while (g->task != TASK_NONE)
		strake_lcore_turn(RTE_MAX(strake_now(), strake_clock_ns()));
	g->quiet = false;
}

/* --- writing down, while main waits --------------------------------------------------------------------------------
 */

static void
down_super(struct group *g, uint32_t failed)
{
	g->lost_meta |= failed;
	group_task_end(g);
}

static void
down_map(struct group *g, uint32_t failed)
{
	g->lost_meta |= failed;
	fan_super(g, group_mask_writable(g), down_super);
}

static void
down_marks(struct group *g, uint32_t failed)
{
	g->lost_meta |= failed;
	dirty_write_all(g, down_map);
}

static void
down_flushed(struct group *g, uint32_t failed)
{
	g->lost_meta |= failed;
	dirty_write_all(g, down_map);
}

/* @return 0, or -EIO when a column cannot be written any more. */
static int
written(struct group *g)
{
	group_settle(g);
	for (uint32_t i = 0; i < g->s.members; i++) {
		if (g->m[i].dead)
			return -EIO;
	}
	return 0;
}

/* --- open ----------------------------------------------------------------------------------------------------------
 */

static int
conf_check(const struct group_boot *boot)
{
	const struct conf_group *conf = boot->conf;

	if (boot->n == 0)
		return group_refuse(boot, -ENODEV, "none of its drives is there");
	if (boot->n > GEOMETRY_MEMBERS_MAX)
		return group_refuse(boot, -EINVAL, "more than %d drives", GEOMETRY_MEMBERS_MAX);
	if (conf->region < RESYNC_WINDOW || (conf->region & (conf->region - 1)) != 0)
		return group_refuse(boot, -EINVAL, "regions of %lu bytes are no power of two from 1 MiB up",
				    conf->region);
	if (conf->chunk > RESYNC_WINDOW)
		return group_refuse(boot, -EINVAL, "chunks of %lu bytes are too large", conf->chunk);
	if (strlen(conf->name) >= sizeof(((struct super *)NULL)->name))
		return group_refuse(boot, -EINVAL, "its name is too long");
	return 0;
}

static void
group_free(struct group *g)
{
	if (g->stage != NULL)
		strake_stage_destroy(g->stage);
	for (uint32_t i = 0; i < GEOMETRY_MEMBERS_MAX; i++)
		strake_buf_put_list(g->m[i].page);
	strake_buf_put_list(g->back_page);
	free(g->back_super);
	dirty_fini(g);
	resync_fini(g);
	rte_free(g);
}

int
group_open(struct group **out, const struct conf_group *conf, struct strake_drive **drives, unsigned int n, char *err,
	   size_t errlen)
{
	struct group_boot boot = {conf, drives, n, err, errlen};
	char name[80];
	struct group *g;
	int ret;

	ret = conf_check(&boot);
	if (ret < 0)
		return ret;
	g = rte_zmalloc("group", sizeof(*g), RTE_CACHE_LINE_SIZE);
	if (g == NULL)
		return group_refuse(&boot, -ENOMEM, "out of memory");
	ret = group_assemble(g, &boot);
	if (ret < 0)
		goto err_free;
	/* From here on it counts as unclean: that has to be on every member before the first write. */
	g->s.clean = false;
	g->task = TASK_EXTENT;
	fan_marks(g, down_marks);
	ret = written(g);
	if (ret == 0 && group_formed(g)) {
		g->task = TASK_EXTENT;
		fan_super(g, group_mask_writable(g), down_super);
		ret = written(g);
	}
	if (ret < 0) {
		group_refuse(&boot, ret, "its superblocks cannot be written");
		goto err_free;
	}
	group_view_fill(g, &g->views[g->cur]);
	snprintf(name, sizeof(name), "%s.stripe", conf->name);
	ret = strake_stage_create(&g->stage, &stripe_stage_ops, name, NULL, -1, err, errlen);
	if (ret < 0)
		goto err_free;
	g->stage->priv = g;
	g->cached = group_volatile_cache(g);
	g->next = groups;
	groups = g;
	*out = g;
	dirty_watch(g);
	group_kick(g);
	return 0;

err_free:
	g->closing = true;
	group_settle(g);
	group_free(g);
	return ret;
}

/* --- close ---------------------------------------------------------------------------------------------------------
 */

/* What is dirty for no other reason than that it was written is clean once all have flushed. */
static void
close_map(struct group *g)
{
	bool whole = group_mask_writable(g) == (uint32_t)((1ULL << g->s.members) - 1);

	for (uint32_t r = 0; whole && !g->rough && r < g->regions; r++) {
		if (g->need[r] == 0)
			dirty_set(g, r, false);
	}
	g->s.clean = g->unsync_n == 0 && !g->rough;
}

/* Lcores' leavings may still be on their way, behind any number of other messages. */
static void
leavings(struct group *g)
{
	uint64_t until = strake_clock_ns() + LEAVE_NS;

	do
		strake_lcore_turn(RTE_MAX(strake_now(), strake_clock_ns()));
	while (__atomic_load_n(&g->users, __ATOMIC_RELAXED) > 0 && strake_clock_ns() < until);
	g->rough |= __atomic_load_n(&g->users, __ATOMIC_RELAXED) > 0;
}

void
group_close(struct group *g)
{
	struct group **at = &groups;

	g->closing = true;
	strake_timer_cancel(&g->timer);
	group_settle(g);
	leavings(g);
	group_settle(g);
	g->task = TASK_CLOSE;
	fan_flush(g, group_mask_writable(g), down_super);
	group_settle(g);
	close_map(g);
	g->task = TASK_CLOSE;
	down_flushed(g, 0);
	group_settle(g);
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	group_free(g);
}

/* --- extents -------------------------------------------------------------------------------------------------------
 */

/* First gap of @p bytes; extents are few, so trying the end of each is quick enough. */
static bool
gap_free(const struct group *g, uint64_t place, uint64_t bytes)
{
	if (place + bytes > geometry_bytes(&g->geo) || place + bytes < place)
		return false;
	for (uint32_t i = 0; i < g->s.extents; i++) {
		const struct super_extent *e = &g->s.extent[i];

		if (e->place < place + bytes && place < e->place + e->bytes)
			return false;
	}
	return true;
}

static int
gap_find(const struct group *g, uint64_t bytes, uint64_t *place)
{
	uint64_t best = gap_free(g, 0, bytes) ? 0 : UINT64_MAX;

	for (uint32_t i = 0; i < g->s.extents && best != 0; i++) {
		uint64_t at = RTE_ALIGN_CEIL(g->s.extent[i].place + g->s.extent[i].bytes, (uint64_t)EXTENT_ALIGN);

		if (at < best && gap_free(g, at, bytes))
			best = at;
	}
	*place = best;
	return best == UINT64_MAX || g->s.extents == SUPER_EXTENTS ? -ENOSPC : 0;
}

static void
extent_out(const struct super_extent *e, struct group_extent *out)
{
	memcpy(out->name, e->name, sizeof(out->name));
	memcpy(out->uuid, e->uuid, sizeof(out->uuid));
	out->place = e->place;
	out->bytes = e->bytes;
}

/* The extents as they are now, durable. */
static int
extents_write(struct group *g)
{
	int ret;

	g->task = TASK_EXTENT;
	fan_super(g, group_mask_writable(g), down_super);
	ret = written(g);
	group_kick(g);
	return ret;
}

static int
extent_add(struct group *g, const char *name, uint64_t bytes, const uint8_t *uuid)
{
	struct super_extent *e = &g->s.extent[g->s.extents];
	uint64_t place;
	int ret = gap_find(g, bytes, &place);

	if (ret < 0)
		return ret;
	group_settle(g);
	memset(e, 0, sizeof(*e));
	snprintf(e->name, sizeof(e->name), "%s", name);
	if (uuid != NULL)
		memcpy(e->uuid, uuid, sizeof(e->uuid));
	else if (getrandom(e->uuid, sizeof(e->uuid), 0) != (ssize_t)sizeof(e->uuid))
		return -EIO;
	e->place = place;
	e->bytes = bytes;
	g->s.extents++;
	return extents_write(g);
}

int
group_extent(struct group *g, const char *name, uint64_t bytes, const uint8_t *uuid, struct group_extent *out,
	     char *err, size_t errlen)
{
	int ret;

	if (strlen(name) == 0 || strlen(name) >= sizeof(out->name) || bytes == 0) {
		snprintf(err, errlen, "volume \"%s\": its name or size does not do", name);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < g->s.extents; i++) {
		if (strcmp(g->s.extent[i].name, name) != 0)
			continue;
		extent_out(&g->s.extent[i], out);
		if (out->bytes == bytes)
			return 0;
		snprintf(err, errlen, "volume \"%s\" has %lu bytes in group \"%s\", not %lu", name, out->bytes,
			 g->s.name, bytes);
		return -EINVAL;
	}
	ret = extent_add(g, name, bytes, uuid);
	if (ret == 0)
		extent_out(&g->s.extent[g->s.extents - 1], out);
	else if (ret == -ENOSPC)
		snprintf(err, errlen,
			 "volume \"%s\": %lu bytes, and group \"%s\" has no such piece free (%lu bytes in all)", name,
			 bytes, g->s.name, group_bytes_free(g));
	else
		snprintf(err, errlen, "volume \"%s\": group \"%s\" cannot be written", name, g->s.name);
	return ret;
}

static struct super_extent *
extent_find(struct group *g, const char *name)
{
	for (uint32_t i = 0; i < g->s.extents; i++)
		if (strcmp(g->s.extent[i].name, name) == 0)
			return &g->s.extent[i];
	return NULL;
}

int
group_extent_resize(struct group *g, const char *name, uint64_t bytes, char *err, size_t errlen)
{
	struct super_extent *e = extent_find(g, name);
	uint64_t was;
	int ret;

	if (e == NULL || bytes == 0) {
		snprintf(err, errlen, "volume \"%s\" cannot get this size in group \"%s\"", name, g->s.name);
		return -ENOENT;
	}
	was = e->bytes;
	if (bytes > was && !gap_free(g, e->place + was, bytes - was)) {
		snprintf(err, errlen, "volume \"%s\": group \"%s\" has no %lu bytes free behind it (%lu free in all)",
			 name, g->s.name, bytes - was, group_bytes_free(g));
		return -ENOSPC;
	}
	group_settle(g);
	e->bytes = bytes;
	ret = extents_write(g);
	if (ret < 0) {
		e->bytes = was;
		snprintf(err, errlen, "volume \"%s\": group \"%s\" cannot be written", name, g->s.name);
	}
	return ret;
}

/* --- questions -----------------------------------------------------------------------------------------------------
 */

struct strake_stage *
group_stage(struct group *g)
{
	return g->stage;
}

uint64_t
group_bytes(const struct group *g)
{
	return geometry_bytes(&g->geo);
}

uint64_t
group_bytes_free(const struct group *g)
{
	uint64_t used = 0;

	for (uint32_t i = 0; i < g->s.extents; i++)
		used += RTE_ALIGN_CEIL(g->s.extent[i].bytes, (uint64_t)EXTENT_ALIGN);
	return used < group_bytes(g) ? group_bytes(g) - used : 0;
}

bool
group_volatile_cache(const struct group *g)
{
	for (uint32_t i = 0; i < g->s.members; i++) {
		if (g->m[i].drive != NULL && g->m[i].drive->volatile_cache)
			return true;
	}
	return false;
}

void
group_status(const struct group *g, struct group_status *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->name, g->s.name, sizeof(out->name));
	memcpy(out->uuid, g->s.uuid, sizeof(out->uuid));
	out->raid = g->s.raid;
	out->chunk = g->s.chunk;
	out->bytes = group_bytes(g);
	out->bytes_free = group_bytes_free(g);
	out->region = g->s.region;
	out->generation = g->s.generation;
	out->members = g->s.members;
	out->regions = g->regions;
	out->regions_dirty = g->dirty;
	out->regions_resync = g->need_n;
	out->resync_bytes = g->resync_bytes;
	out->degraded_reads = g->degraded_reads;
	out->degraded_writes = g->degraded_writes;
	out->member_errors = g->member_errors + g->lc_errors;
	out->regions_bad = g->bad_n;
	out->mends = g->mends_done;
	out->mends_skipped = g->mends_skipped;
	out->mended_bytes = g->mended_bytes;
	out->unreadable_bytes = g->unreadable_bytes;
	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++) {
		if (g->lc[i] == NULL)
			continue;
		out->degraded_reads += g->lc[i]->degraded_reads;
		out->degraded_writes += g->lc[i]->degraded_writes;
		out->member_errors += g->lc[i]->member_errors;
	}
}

enum group_member_state
group_member_get(const struct group *g, unsigned int member, struct strake_drive **drive)
{
	if (drive != NULL)
		*drive = member < g->s.members ? g->m[member].drive : NULL;
	return member < g->s.members ? g->m[member].state : GROUP_MEMBER_MISSING;
}

struct group *
group_nth(unsigned int i)
{
	struct group *g = groups;

	while (g != NULL && i-- > 0)
		g = g->next;
	return g;
}
