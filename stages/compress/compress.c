/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_telemetry.h>

#include "compress.h"

/*
 * The compress stage. A chunk's payload becomes smaller on its way to the drives and whole again on its way back. LZ4
 * is done here and now; deflate by a compressdev, which may be done at once (a virtual device) or later (HELD).
 * Whatever goes wrong with a write, it goes down plain; a read that a device cannot do is done by the processor.
 */

RTE_LOG_REGISTER(compress_log, strake.compress, INFO)

#define DEFLATE_LEVEL_MAX 9

static const char *const codecs[] = {"none", "lz4", "deflate", "auto", NULL};

static const struct conf_key compress_keys[] = {
	{.name = "codec",
	 .type = CONF_CHOICE,
	 .def = "auto",
	 .choices = codecs,
	 .help = "How chunks are compressed. auto leaves alone what does not shrink; it uses deflate if `device` is "
		 "set, else LZ4."},
	{.name = "level",
	 .type = CONF_UINT,
	 .min = 1,
	 .max = 12,
	 .def = "1",
	 .help = "How hard to try: 1 is the fastest; LZ4 knows up to 12, deflate up to 9."},
	{.name = "device",
	 .type = CONF_STRING,
	 .min = 1,
	 .max = 40,
	 .help = "Compression device for deflate: a PCI address, or a driver that makes a virtual one (compress_isal, "
		 "the default of codec deflate)."},
	{.name = "min_gain",
	 .type = CONF_UINT,
	 .min = 0,
	 .max = 75,
	 .def = "3",
	 .help = "Percent of its bytes that a chunk must become smaller by, and 64 bytes at least, or it is stored "
		 "plain."},
	{.name = "queue",
	 .type = CONF_UINT,
	 .min = 1,
	 .max = 1024,
	 .def = "128",
	 .help = "Chunks that each lcore may have under way at the device."},
	{},
};

static int
open_device(struct compress *c, const struct conf_values *conf, char *err, size_t errlen)
{
	const char *name = conf_str(conf, "device");

	if (name == NULL && c->mode == COMPRESS_DEFLATE)
		name = "compress_isal";
	if (name == NULL || c->mode == COMPRESS_LZ4 || c->mode == COMPRESS_NONE)
		return 0;
	if (c->level > DEFLATE_LEVEL_MAX) {
		snprintf(err, errlen, "level %u: deflate knows up to %u", c->level, DEFLATE_LEVEL_MAX);
		return -EINVAL;
	}
	return compress_device_open(&c->device, name, c->level, (uint16_t)conf_u64(conf, "queue"), err, errlen);
}

static int
compress_create(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen)
{
	struct compress *c = rte_zmalloc("compress", sizeof(*c), RTE_CACHE_LINE_SIZE);
	int ret;

	if (c == NULL) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	c->mode = (uint8_t)conf_u64(conf, "codec");
	c->level = (uint8_t)conf_u64(conf, "level");
	c->gain = (uint32_t)conf_u64(conf, "min_gain");
	ret = open_device(c, conf, err, errlen);
	if (ret < 0) {
		rte_free(c);
		return ret;
	}
	st->priv = c;
	return 0;
}

static void
compress_destroy(struct strake_stage *st)
{
	struct compress *c = st->priv;

	compress_device_close(c->device);
	rte_free(c);
	st->priv = NULL;
}

static void
lcore_free(struct compress_lcore *lc)
{
	lane_fini(&lc->lane);
	shrink_fini(&lc->lz4);
	compress_inflate_free(lc->inflate);
	rte_free(lc->flat);
	rte_free(lc);
}

static int
compress_lcore_init(struct strake_stage *st)
{
	struct compress *c = st->priv;
	uint16_t self = strake_self_index();
	int socket = strake_self()->socket, ret = -ENOMEM;
	struct compress_lcore *lc = rte_zmalloc_socket("compress_lcore", sizeof(*lc), RTE_CACHE_LINE_SIZE, socket);

	if (lc == NULL)
		return -ENOMEM;
	lc->stats = &c->stats[self];
	lc->flat = rte_malloc_socket("compress_flat", COMPRESS_PLAIN_MAX, RTE_CACHE_LINE_SIZE, socket);
	lc->inflate = compress_inflate_alloc(socket);
	if (lc->flat != NULL && lc->inflate != NULL)
		ret = shrink_init(&lc->lz4, c->level, socket);
	if (ret == 0 && c->device != NULL)
		ret = lane_init(&lc->lane, c->device);
	if (ret < 0) {
		rte_log(RTE_LOG_ERR, compress_log, "%s: lcore %u: %s\n", st->name, self, rte_strerror(-ret));
		lcore_free(lc);
		return ret;
	}
	st->lc[self] = lc;
	return 0;
}

static void
compress_lcore_fini(struct strake_stage *st)
{
	struct compress_lcore *lc = strake_stage_lcore(st);

	if (lc == NULL)
		return;
	lcore_free(lc);
	st->lc[strake_self_index()] = NULL;
}

/* --- the device --------------------------------------------------------------------------------------------------- */

void
compress_device_failed(struct compress_lcore *lc)
{
	bool dead = lc->lane.dead;

	lane_failed(&lc->lane);
	lc->stats->device_failures++;
	if (lc->lane.dead && !dead)
		lc->stats->devices_off++;
}

/* The device would not have it now. */
static void
refuse(struct compress_lcore *lc, struct lane_job *job)
{
	if (job->expand) {
		lc->stats->waited++;
		compress_read_wait_first(lc, job->unit);
	} else {
		job->unit->verdict = STRAKE_RETRY;
	}
	lane_put(&lc->lane, job);
}

/* A job is back: its unit goes on. */
static void
finish(struct compress *c, struct compress_lcore *lc, struct lane_job *job)
{
	struct strake_unit *u = job->unit;
	bool fresh = job->fresh, expand = job->expand;

	if (expand)
		compress_read_end(lc, job);
	else
		compress_write_end(c, lc, job);
	if (fresh)
		u->verdict = STRAKE_NEXT;
	else if (expand)
		strake_unit_complete(u);
	else
		strake_unit_continue(u);
}

static uint32_t
take_back(struct compress *c, struct compress_lcore *lc)
{
	struct lane_job *back[STRAKE_BURST];
	uint16_t n = lane_pull(&lc->lane, back, STRAKE_BURST, strake_now());

	for (uint16_t i = 0; i < n; i++)
		finish(c, lc, back[i]);
	return n;
}

void
compress_flush(struct compress *c, struct compress_lcore *lc, struct compress_burst *burst)
{
	uint64_t begin = rte_rdtsc();
	uint16_t n = burst->n - burst->pushed;
	uint64_t *cycles = &lc->stats->shrink_cycles;

	if (lc->lane.dev == NULL)
		return;
	if (n > 0) {
		uint16_t took = lane_push(&lc->lane, &burst->job[burst->pushed], n, strake_now());

		if (burst->job[burst->pushed]->expand)
			cycles = &lc->stats->expand_cycles;
		while (n > took)
			refuse(lc, burst->job[burst->pushed + --n]);
		burst->pushed = burst->n;
	}
	take_back(c, lc);
	*cycles += rte_rdtsc() - begin;
}

/* The burst leaves our hands: what is still with the device is HELD. */
static void
end_burst(struct compress *c, struct compress_lcore *lc, struct compress_burst *burst)
{
	if (burst->n == 0)
		return;
	compress_flush(c, lc, burst);
	for (uint16_t i = 0; i < burst->n; i++)
		burst->job[i]->fresh = false;
	lc->stats->gathered += lc->lane.gathered;
	lc->lane.gathered = 0;
}

/* --- the stage ---------------------------------------------------------------------------------------------------- */

static void
compress_down(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	struct compress_lcore *lc = strake_stage_lcore(st);
	struct compress_burst burst = {.n = 0, .fresh = true};

	for (uint16_t i = 0; i < n; i++) {
		units[i]->verdict = STRAKE_NEXT;
		if (units[i]->op == STRAKE_OP_WRITE)
			compress_write_down(st->priv, lc, units[i], &burst);
	}
	end_burst(st->priv, lc, &burst);
}

static void
compress_up(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	struct compress_lcore *lc = strake_stage_lcore(st);
	struct compress_burst burst = {.n = 0, .fresh = true};

	for (uint16_t i = 0; i < n; i++) {
		struct strake_unit *u = units[i];
		int ret;

		if (u->op != STRAKE_OP_READ || u->status != 0)
			continue;
		/* Behind those that wait already: pages go to who came first. */
		ret = likely(lc->waiting == NULL) ? compress_read_up(lc, u, &burst) : -EAGAIN;
		if (ret == 0)
			continue;
		u->verdict = STRAKE_HELD;
		if (ret == -EAGAIN) {
			lc->stats->waited++;
			compress_read_wait(lc, u);
		}
	}
	end_burst(st->priv, lc, &burst);
}

/* A device that gives nothing back: its writes go down plain, its reads are done here. */
static uint32_t
give_up(struct compress_lcore *lc)
{
	struct lane_job *job;
	uint32_t work = 0;

	lc->stats->devices_off++;
	for (job = lane_lost(&lc->lane); job != NULL; job = lane_lost(&lc->lane), work++) {
		struct strake_unit *u = lane_orphan(&lc->lane, job);

		lc->stats->device_failures++;
		if (u->op == STRAKE_OP_READ) {
			compress_read_wait(lc, u);
			continue;
		}
		compress_keep_plain(lc, u);
		strake_unit_continue(u);
	}
	return work;
}

static uint32_t
serve_waiting(struct compress *c, struct compress_lcore *lc)
{
	struct compress_burst burst = {.n = 0};
	uint32_t work = 0;

	while (lc->waiting != NULL && work < STRAKE_BURST) {
		struct strake_unit *u = lc->waiting, *next = u->link;
		int ret = compress_read_up(lc, u, &burst);

		if (ret == -EAGAIN)
			break;
		lc->waiting = next;
		work++;
		if (ret == 0)
			strake_unit_complete(u);
	}
	end_burst(c, lc, &burst);
	return work;
}

static uint32_t
compress_poll(struct strake_stage *st, uint64_t now)
{
	struct compress_lcore *lc = strake_stage_lcore(st);
	uint32_t work = 0;

	if (lc == NULL)
		return 0;
	if (lc->lane.under_way > 0) {
		work = take_back(st->priv, lc);
		if (unlikely(!lc->lane.dead && lane_stuck(&lc->lane, now)))
			work += give_up(lc);
	}
	return unlikely(lc->waiting != NULL) ? work + serve_waiting(st->priv, lc) : work;
}

static bool
compress_drain(struct strake_stage *st)
{
	const struct compress_lcore *lc = strake_stage_lcore(st);

	return lc == NULL || (lc->waiting == NULL && lc->lane.under_way == lc->lane.orphans);
}

/* --- figures ------------------------------------------------------------------------------------------------------ */

void
compress_stats(const struct strake_stage *st, struct compress_stats *sum)
{
	const struct compress *c = st->priv;
	uint64_t *to = (uint64_t *)sum;

	*sum = (struct compress_stats){0};
	for (unsigned int l = 0; l < STRAKE_LCORE_MAX; l++)
		for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
			to[i] += ((const uint64_t *)&c->stats[l])[i];
}

static uint64_t
ns(uint64_t cycles)
{
	return (uint64_t)((double)cycles * STRAKE_NS_PER_SEC / (double)rte_get_tsc_hz());
}

static void
compress_telemetry(struct strake_stage *st, struct rte_tel_data *dict)
{
	struct compress_stats s;

	compress_stats(st, &s);
	rte_tel_data_add_dict_u64(dict, "bytes_in", s.bytes_in);
	rte_tel_data_add_dict_u64(dict, "bytes_out", s.bytes_out);
	rte_tel_data_add_dict_u64(dict, "probes", s.shrunk + s.stayed_plain);
	rte_tel_data_add_dict_u64(dict, "shrunk", s.shrunk);
	rte_tel_data_add_dict_u64(dict, "stayed_plain", s.stayed_plain);
	rte_tel_data_add_dict_u64(dict, "skipped", s.skipped);
	rte_tel_data_add_dict_u64(dict, "expanded_in", s.expanded_in);
	rte_tel_data_add_dict_u64(dict, "expanded_out", s.expanded_out);
	rte_tel_data_add_dict_u64(dict, "damaged", s.damaged);
	rte_tel_data_add_dict_u64(dict, "bytes_gathered", s.gathered);
	rte_tel_data_add_dict_u64(dict, "no_pages", s.no_pages);
	rte_tel_data_add_dict_u64(dict, "waited", s.waited);
	rte_tel_data_add_dict_u64(dict, "device_failures", s.device_failures);
	rte_tel_data_add_dict_u64(dict, "devices_off", s.devices_off);
	rte_tel_data_add_dict_u64(dict, "soft", s.soft);
	rte_tel_data_add_dict_u64(dict, "shrink_ns", ns(s.shrink_cycles));
	rte_tel_data_add_dict_u64(dict, "expand_ns", ns(s.expand_cycles));
}

static const struct strake_stage_ops compress_ops = {
	.name = "compress",
	.log = true,
	.after = "dedup", /* identical blocks must still look identical above */
	.unit = STRAKE_UNIT_CHUNK,
	.keys = compress_keys,
	.create = compress_create,
	.lcore_init = compress_lcore_init,
	.lcore_fini = compress_lcore_fini,
	.down = compress_down,
	.up = compress_up,
	.poll = compress_poll,
	.drain = compress_drain,
	.destroy = compress_destroy,
	.telemetry = compress_telemetry,
};
STRAKE_STAGE_REGISTER(compress_ops)
