/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A log group from open to close, and what it tells. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "log_priv.h"

#define LEAVE_NS (5 * STRAKE_NS_PER_SEC)

RTE_LOG_REGISTER(lgroup_logtype, strake.group, INFO)

static_assert(LOG_MEMBERS_MAX == CONF_GROUP_DRIVES_MAX && LOG_MEMBERS_MAX <= LOG_OP_IOS, "what --check allows");
static_assert(LOG_SPARES == CONF_GROUP_SPARES_MAX, "what --check allows");
static_assert(LOG_MEMBERS_MAX == LOG_SUPER_MEMBERS && LOG_DATA_MAX == LOG_SUPER_DATA, "what is written");

static struct log_group *log_groups;

static void
group_free(struct log_group *g)
{
	for (uint32_t i = 0; i < LOG_MEMBERS_MAX; i++) {
		strake_buf_put_list(g->m[i].page);
		free(g->m[i].fresh);
	}
	strake_buf_put_list(g->note_page);
	free(g->note_blob);
	lgroup_geometry_fini(&g->o.geo);
	if (g->geo != NULL)
		lgroup_geometry_fini(g->geo);
	free(g->geo);
	rte_free(g->rows);
	rte_free(g);
}

/* --- open ----------------------------------------------------------------------------------------------------------
 */

static void
space_fill(struct log_group *g, uint16_t owner)
{
	struct strake_space *sp = &g->space;

	sp->ops = &lgroup_space_ops;
	sp->name = g->s.name;
	memcpy(sp->uuid, g->s.uuid, sizeof(sp->uuid));
	sp->data = (uint16_t)g->s.data;
	sp->parity = (uint16_t)g->s.parity;
	sp->owner = owner;
	sp->unit = g->s.unit;
	sp->rows = g->s.segment / g->s.unit;
	sp->row_bytes = g->s.data * g->s.unit;
	sp->segments = g->o.geo.segments;
	sp->block = g->s.block;
	sp->intent_bytes = g->s.intent_bytes;
	sp->note_bytes = LOG_NOTE_BYTES;
	for (uint32_t i = 0; i < g->s.members; i++)
		sp->volatile_cache |= g->m[i].drive != NULL && g->m[i].drive->volatile_cache;
}

static void
boot_written(struct log_group *g, uint32_t failed)
{
	g->lost |= failed;
	lgroup_job_end(g);
}

/* Marks on what is new, then superblocks on all; then those that were new have two. */
static int
boot_write(struct log_group *g)
{
	uint32_t in_sync = lgroup_mask_state(g, LOG_MEMBER_IN_SYNC);

	g->busy = true;
	lgroup_fan_marks(g, boot_written);
	lgroup_settle(g);
	g->busy = true;
	lgroup_fan_super(g, boot_written);
	lgroup_settle(g);
	if (g->refused == 0 && lgroup_formed(g)) {
		g->busy = true;
		lgroup_fan_super(g, boot_written);
		lgroup_settle(g);
	}
	/* Boot is no time to lose members: whoever cannot be written now is refused by name the next time. */
	return g->refused != 0 || (lgroup_mask_state(g, LOG_MEMBER_IN_SYNC) & in_sync) != in_sync ? -EIO : 0;
}

static int
conf_check(const struct group_boot *boot)
{
	if (boot->n == 0)
		return group_refuse(boot, -ENODEV, "none of its drives is there");
	if (boot->n > LOG_MEMBERS_MAX + LOG_SPARES)
		return group_refuse(boot, -EINVAL, "more than %d drives and %d spares", LOG_MEMBERS_MAX, LOG_SPARES);
	if (strlen(boot->conf->name) >= sizeof(((struct lgroup_super *)NULL)->name))
		return group_refuse(boot, -EINVAL, "its name is too long");
	return 0;
}

int
log_group_open(struct log_group **out, const struct conf_group *conf, struct strake_drive **drives, unsigned int n,
	       uint16_t owner, char *err, size_t errlen)
{
	struct group_boot boot = {conf, drives, n, err, errlen};
	struct log_group *g;
	int ret = conf_check(&boot);

	if (ret < 0)
		return ret;
	g = rte_zmalloc("log_group", sizeof(*g), RTE_CACHE_LINE_SIZE);
	if (g == NULL)
		return group_refuse(&boot, -ENOMEM, "out of memory");
	ret = lgroup_assemble(g, &boot);
	if (ret < 0)
		goto err_free;
	ret = boot_write(g);
	if (ret < 0) {
		group_refuse(&boot, ret, "its superblocks cannot be written");
		goto err_free;
	}
	space_fill(g, owner);
	g->next = log_groups;
	log_groups = g;
	*out = g;
	return 0;

err_free:
	lgroup_settle(g);
	group_free(g);
	return ret;
}

/* --- close ---------------------------------------------------------------------------------------------------------
 */

/* The owner's leaving may still be on its way, behind any number of other messages, and a view on its way back. */
static void
leavings(struct log_group *g)
{
	uint64_t until = strake_clock_ns() + LEAVE_NS;

	do
		strake_lcore_turn(RTE_MAX(strake_now(), strake_clock_ns()));
	while ((__atomic_load_n(&g->users, __ATOMIC_RELAXED) > 0 || g->view_out) && strake_clock_ns() < until);
}

void
log_group_close(struct log_group *g)
{
	struct log_group **at = &log_groups;

	g->closing = true;
	leavings(g);
	lgroup_settle(g);
	g->busy = true;
	lgroup_fan_flush(g, boot_written);
	lgroup_settle(g);
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	/* An owner that never left, or a view that it never gave back, may still look at it. */
	if (g->users == 0 && !g->view_out) {
		lgroup_owner_free(g);
		group_free(g);
	}
}

/* --- questions -----------------------------------------------------------------------------------------------------
 */

struct strake_space *
log_group_space(struct log_group *g)
{
	return &g->space;
}

/* Counters of the owner are read as they are: a figure that is a little old. */
void
log_group_status(const struct log_group *g, struct log_group_status *out)
{
	const struct lgroup_owner *o = &g->o;
	uint32_t slots[LOG_MEMBERS_MAX];

	memset(out, 0, sizeof(*out));
	memcpy(out->name, g->s.name, sizeof(out->name));
	memcpy(out->uuid, g->s.uuid, sizeof(out->uuid));
	out->data = g->s.data;
	out->parity = g->s.parity;
	out->members = g->s.members;
	out->missing = (unsigned int)__builtin_popcount(lgroup_mask_state(g, LOG_MEMBER_MISSING));
	out->stale = (unsigned int)__builtin_popcount(lgroup_mask_state(g, LOG_MEMBER_STALE));
	out->unit = g->s.unit;
	out->segment = g->s.segment;
	out->segments = g->space.segments;
	for (uint32_t i = 0; i < g->s.members; i++)
		slots[i] = g->s.member[i].slots;
	out->segments_coming = lgroup_geometry_capacity(slots, g->s.members, g->s.data + g->s.parity);
	out->bytes = (uint64_t)g->space.segments * strake_space_seg_bytes(&g->space);
	out->generation = g->s.generation;
	out->rows = o->n.rows;
	out->reads = o->n.reads;
	out->bytes_written = o->n.bytes_written;
	out->bytes_read = o->n.bytes_read;
	out->degraded_reads = o->n.degraded_reads;
	out->degraded_writes = o->n.degraded_writes;
	out->rebuilt_reads = o->n.rebuilt_reads;
	out->mended = o->n.mended;
	out->repaired = o->n.repaired;
	out->spares = g->spares;
	out->rebuild_total = o->walk.kind == WALK_REBUILD ? g->space.segments : 0;
	out->rebuild_done = o->walk.kind == WALK_REBUILD ? o->walk.seg : 0;
	out->rebuild_bytes = o->walk.bytes;
	out->rebuild_rate = o->walk.rate;
	out->moves = g->s.moved;
	out->scrub_total = o->scrub.on ? g->space.segments : 0;
	out->scrub_done = o->scrub.on ? o->scrub.seg : 0;
	out->scrub_rows = o->scrub.n_rows;
	out->scrub_wrong = o->scrub.n_wrong;
	out->scrubs_ended = o->scrub.n_ended;
}

int
log_group_member_get(const struct log_group *g, unsigned int member, struct log_member_figures *out)
{
	if (member >= g->s.members)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	out->drive = g->m[member].drive;
	memcpy(out->serial, g->s.member[member].serial, sizeof(out->serial));
	out->state = g->m[member].state;
	out->slots = g->s.member[member].slots;
	out->read_errors = g->o.m[member].read_errors;
	out->write_errors = g->o.m[member].write_errors;
	out->wrong = g->o.m[member].wrong;
	return 0;
}

struct log_group *
log_group_nth(unsigned int i)
{
	struct log_group *g = log_groups;

	while (g != NULL && i-- > 0)
		g = g->next;
	return g;
}
