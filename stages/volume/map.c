/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "map.h"

#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_telemetry.h>

#include "map_walk.h"

#define READS_MAX     1024
#define FRAMES_MAX    (1u << 31)
#define READS_SHARE   32 /* at most one in so many frames is being read: its parents are pinned too */
#define BUCKETS_SLACK 2	 /* their number is a power of two, up to so many a frame */

static uint32_t
frames_of(const struct map_conf *conf)
{
	uint64_t fixed = sizeof(struct map) + conf->trees * (sizeof(struct map_tree) + sizeof(uint16_t)) +
			 conf->reads * sizeof(struct map_read_slot);
	uint64_t each = MAP_PAGE_BYTES + sizeof(struct map_page) + BUCKETS_SLACK * sizeof(uint32_t);

	/* Page 0 has a frame too: it is what a prefetch of nothing touches. */
	return conf->bytes <= fixed ? 0 : (uint32_t)RTE_MIN((conf->bytes - fixed) / each, (uint64_t)FRAMES_MAX);
}

static bool
conf_sane(const struct map_conf *conf, const struct map_root *roots, uint32_t n, uint64_t gen)
{
	uint32_t frames = frames_of(conf);

	if (conf->bytes < MAP_BYTES_MIN || frames < 2 * READS_SHARE || conf->reads == 0 || conf->reads > READS_MAX ||
	    conf->trees == 0 || n > conf->trees || (uint64_t)conf->dirty_max * 4 > (uint64_t)frames * 3 ||
	    (conf->dirty_max != 0 && conf->dirty_max < 4 * MAP_LEVELS_MAX) || gen >= UINT64_MAX / 2)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (roots[i].levels < 1 || roots[i].levels > MAP_LEVELS_MAX || roots[i].addr == MAP_ADDR_NONE ||
		    (roots[i].addr == 0 && roots[i].entries != 0) || (i > 0 && roots[i].tree <= roots[i - 1].tree))
			return false;
	}
	return true;
}

static void *
take(struct map *m, size_t bytes, bool zero, int socket)
{
	m->stats.bytes += bytes;
	return zero ? rte_zmalloc_socket("map", bytes, RTE_CACHE_LINE_SIZE, socket)
		    : rte_malloc_socket("map", bytes, MAP_PAGE_BYTES, socket);
}

static int
take_memory(struct map *m, const struct map_conf *conf, uint32_t frames)
{
	unsigned int bits = rte_log2_u32(frames);

	m->hash_shift = 64 - bits;
	m->pages = take(m, (size_t)frames * sizeof(*m->pages), true, conf->socket);
	m->entries = take(m, (size_t)frames * MAP_PAGE_BYTES, false, conf->socket);
	m->buckets = take(m, sizeof(*m->buckets) << bits, true, conf->socket);
	m->trees = take(m, conf->trees * sizeof(*m->trees), true, conf->socket);
	m->order = take(m, conf->trees * sizeof(*m->order), true, conf->socket);
	m->reads = take(m, conf->reads * sizeof(*m->reads), true, conf->socket);
	return m->pages == NULL || m->entries == NULL || m->buckets == NULL || m->trees == NULL || m->order == NULL ||
			       m->reads == NULL
		       ? -ENOMEM
		       : 0;
}

static void
give_memory(struct map *m)
{
	rte_free(m->reads);
	rte_free(m->order);
	rte_free(m->trees);
	rte_free(m->buckets);
	rte_free(m->entries);
	rte_free(m->pages);
	rte_free(m);
}

static void
fill_pools(struct map *m, const struct map_conf *conf, uint32_t frames)
{
	uint32_t reads = RTE_MIN((uint32_t)conf->reads, frames / READS_SHARE);

	for (uint32_t p = frames - 1; p > 0; p--)
		map_page_list_add(m, &m->free, p);
	for (uint32_t i = reads; i-- > 0;) {
		struct map_read_slot *s = &m->reads[i];

		map_waits_init(&s->waits);
		s->rd.slot = (uint16_t)i;
		s->rd.link = m->reads_free;
		m->reads_free = &s->rd;
	}
	map_waits_init(&m->stalled[0]);
	map_waits_init(&m->stalled[1]);
	m->stats.frames = frames - 1;
	m->stats.dirty_max = conf->dirty_max != 0 ? conf->dirty_max : frames / 2;
	m->dirty_hard = (uint32_t)m->stats.dirty_max + frames / MAP_URGENT_SHARE;
	m->play_max = frames / 4 * 3;
	m->socket = conf->socket;
}

int
map_open(struct map **out, const struct map_conf *conf, const struct map_ops *ops, void *arg,
	 const struct map_root *roots, uint32_t n, uint64_t gen)
{
	uint32_t frames;
	struct map *m;
	int ret;

	if (!conf_sane(conf, roots, n, gen))
		return -EINVAL;
	frames = frames_of(conf);
	m = rte_zmalloc_socket("map", sizeof(*m), RTE_CACHE_LINE_SIZE, conf->socket);
	if (m == NULL)
		return -ENOMEM;
	m->stats.bytes = sizeof(*m);
	ret = take_memory(m, conf, frames);
	if (ret < 0)
		goto err;
	m->ops = ops;
	m->arg = arg;
	m->gen = gen + 1;
	m->max_trees = conf->trees;
	memcpy(m->uuid, conf->uuid, sizeof(m->uuid));
	fill_pools(m, conf, frames);
	for (uint32_t i = 0; i < n; i++) {
		struct map_tree *t;

		ret = map_tree_create(m, roots[i].tree, roots[i].levels, &t);
		if (ret < 0)
			goto err;
		t->root = roots[i].addr;
		t->entries = roots[i].entries;
	}
	*out = m;
	return 0;

err:
	give_memory(m);
	return ret;
}

int
map_close(struct map *m)
{
	if (m->reads_busy > 0 || m->stalled[0].count > 0 || m->stalled[1].count > 0)
		return -EBUSY;
	give_memory(m);
	return 0;
}

const struct map_stats *
map_stats(const struct map *m)
{
	return &m->stats;
}

void
map_tel(const struct map *m, struct rte_tel_data *d)
{
	const struct map_stats *s = &m->stats;
	const struct {
		const char *name;
		uint64_t value;
	} figures[] = {
		{"map_frames", s->frames},
		{"map_used", s->used},
		{"map_dirty", s->dirty},
		{"map_dirty_max", s->dirty_max},
		{"map_hits", s->hits},
		{"map_misses", s->misses},
		{"map_reads", s->reads},
		{"map_read_errors", s->read_errors},
		{"map_evictions", s->evictions},
		{"map_waits", s->waits},
		{"map_stalls", s->stalls},
		{"map_copies", s->copies},
		{"map_written", s->written},
		{"map_dropped", s->dropped},
		{"map_checkpoints", s->checkpoints},
		{"map_bytes", s->bytes},
		{"map_grown", s->grown},
	};

	for (unsigned int i = 0; i < RTE_DIM(figures); i++)
		rte_tel_data_add_dict_u64(d, figures[i].name, figures[i].value);
}
