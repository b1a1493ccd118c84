/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_telemetry.h>

#include "domain.h"
#include "index.h"
#include "payload.h"
#include "strake_kernel.h"
#include "strake_volume.h"

/*
 * The dedup stage. On the way down the whole aligned blocks of a burst's writes are hashed together, so that the
 * hasher's lanes are full, and looked up; what is known goes with the request as advice. On the way up the index
 * learns where each block came to lie. Nothing here can fail a request: without advice it is written as it is.
 */

/* Blocks hashed at a time by a fast hash: two lines of the index each come in during the next. */
#define FAST_GROUP 8u

RTE_LOG_REGISTER(dedup_log, strake.dedup, INFO)

struct dedup {
	char domain[DEDUP_DOMAIN_MAX];
	enum dedup_kind kind;
	uint64_t memory;
	struct dedup_domain *d; /* NULL until attached */
};

static const char *const fingerprints[] = {
	[DEDUP_SHA256] = "sha256",
	[DEDUP_FAST] = "fast",
	NULL,
};

static const struct conf_key dedup_keys[] = {
	{.name = "domain",
	 .type = CONF_STRING,
	 .min = 1,
	 .max = DEDUP_DOMAIN_MAX - 1,
	 .def = "default",
	 .help = "Volumes of a group that name the same domain share equal blocks; no others do."},
	{.name = "fingerprint",
	 .type = CONF_CHOICE,
	 .def = "sha256",
	 .choices = fingerprints,
	 .help = "How equal blocks are known: sha256 proves it, fast is a cheaper hash whose matches are compared byte "
		 "by byte."},
	{.name = "index_memory",
	 .type = CONF_SIZE,
	 .def = "64MiB",
	 .min = 64 << 10,
	 .max = 1ULL << 40,
	 .help = "Memory for the blocks known, 40 bytes each; what is not seen again is forgotten first. The same for "
		 "all "
		 "volumes of a domain."},
	{},
};

static int
dedup_create(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen)
{
	struct dedup *dd = rte_zmalloc("dedup", sizeof(*dd), RTE_CACHE_LINE_SIZE);

	if (dd == NULL) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	snprintf(dd->domain, sizeof(dd->domain), "%s", conf_str(conf, "domain"));
	dd->kind = (enum dedup_kind)conf_u64(conf, "fingerprint");
	dd->memory = conf_u64(conf, "index_memory");
	st->priv = dd;
	return 0;
}

static void
dedup_destroy(struct strake_stage *st)
{
	struct dedup *dd = st->priv;

	dedup_domain_leave(dd->d);
	rte_free(dd);
	st->priv = NULL;
}

int
dedup_attach(struct strake_stage *st, const uint8_t *uuid, uint16_t lcore, char *err, size_t errlen)
{
	struct dedup *dd = st->priv;
	const struct dedup_conf conf = {dd->domain, dd->kind, dd->memory};

	return dedup_domain_join(&dd->d, &conf, uuid, st->lcore >= 0 ? (uint16_t)st->lcore : lcore, err, errlen);
}

const char *
dedup_domain_name(const struct strake_stage *st)
{
	const struct dedup *dd = st->priv;

	return dd->domain;
}

static int
dedup_lcore_init(struct strake_stage *st)
{
	struct dedup *dd = st->priv;
	uint16_t self = strake_self_index();
	int ret;

	if (dd->d == NULL || dd->d->lcore != self)
		return 0;
	ret = dedup_domain_open(dd->d);
	if (ret < 0) {
		rte_log(RTE_LOG_ERR, dedup_log, "%s: no memory for an index of %" PRIu64 " bytes\n", st->name,
			dd->memory);
		return ret;
	}
	st->lc[self] = dd->d;
	return 0;
}

static void
dedup_lcore_fini(struct strake_stage *st)
{
	uint16_t self = strake_self_index();

	if (st->lc[self] == NULL)
		return;
	dedup_domain_close(st->lc[self]);
	st->lc[self] = NULL;
}

/* --- down ---------------------------------------------------------------------------------------------------------
 */

static void
look_up(struct dedup_domain *d, const struct dedup_block *block)
{
	struct strake_advice_block *b = &block->advice->a.block[block->at];
	struct index_entry e;

	b->valid = 1;
	if (!dedup_index_get(d->ix, b->fp, &e))
		return;
	b->where = e.where;
	b->owner_lba = e.owner_lba;
	b->owner_vol = e.owner_vol;
	block->advice->gave[block->at] = e.where;
	d->stats.hits++;
}

/* A block of zeroes is rare, and most others show in their first bytes that they are none. */
static inline bool
is_zero(const uint8_t *block)
{
	uint64_t first;

	memcpy(&first, block, sizeof(first));
	return first == 0 && strake_kernel->is_zero(block, STRAKE_ADVICE_BLOCK);
}

/* Blocks of zeroes are marked and leave the batch. @return how many remain. */
static unsigned int
take_out_zeroes(struct dedup_domain *d, unsigned int n)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (unlikely(is_zero(d->job[i].block))) {
			d->block[i].advice->a.block[d->block[i].at].zero = 1;
			d->stats.zeroes++;
			continue;
		}
		d->job[left] = d->job[i];
		d->block[left++] = d->block[i];
	}
	return left;
}

/* What has gathered: hashed, then looked up in three steps, so that the index's lines come in meanwhile. A hash that is
 * fast goes group by group, and each group takes the next step while the next one is hashed: more lines asked for at
 * once than the processor has room for would hold it up. */
static void
run_batch(struct dedup_domain *d)
{
	unsigned int n = take_out_zeroes(d, d->n), group = d->kind == DEDUP_FAST ? FAST_GROUP : DEDUP_BATCH;
	unsigned int hashed = 0, fetched = 0, looked = 0;

	d->n = 0;
	d->stats.lookups += n;
	while (looked < n) {
		const unsigned int here = fetched, known = hashed, some = RTE_MIN(n - hashed, group);

		if (unlikely(dedup_hasher_run(d->hasher, d->job + hashed, some, n - hashed - some) < 0)) {
			d->stats.uncovered += n - hashed;
			d->stats.lookups -= n - hashed;
			n = hashed;
			continue;
		}
		for (unsigned int end = hashed + some; hashed < end; hashed++)
			dedup_index_prefetch(d->ix, d->job[hashed].fp);
		for (; fetched < known; fetched++)
			dedup_index_prefetch_slot(d->ix, d->job[fetched].fp);
		for (; looked < here; looked++)
			look_up(d, &d->block[looked]);
	}
}

/* The next block of the payload into the batch; its first line comes in while others are added. @return false: there
 * is none. */
static bool
add_block(struct dedup_domain *d, struct dedup_advice *adv, unsigned int i, struct dedup_payload *payload)
{
	const uint8_t *block;
	enum dedup_taken how = dedup_payload_block(payload, d->scratch[d->n], &block);

	if (unlikely(how == DEDUP_SHORT || how == DEDUP_UNSTABLE)) {
		d->stats.uncovered++;
		return how == DEDUP_UNSTABLE;
	}
	if (how == DEDUP_GATHERED)
		d->stats.gathered += STRAKE_ADVICE_BLOCK;
	rte_prefetch0(block);
	d->job[d->n] = (struct dedup_job){block, adv->a.block[i].fp};
	d->block[d->n] = (struct dedup_block){adv, i};
	if (++d->n == DEDUP_BATCH)
		run_batch(d);
	return true;
}

static void
advise(struct dedup_domain *d, struct strake_req *req)
{
	uint64_t first = req->u.lba << req->vol->lba_shift;
	uint32_t head = (uint32_t)first % STRAKE_ADVICE_BLOCK;
	uint32_t touched = (uint32_t)(((uint64_t)head + req->u.nbytes + STRAKE_ADVICE_BLOCK - 1) / STRAKE_ADVICE_BLOCK);
	uint32_t whole_end = (head + req->u.nbytes) / STRAKE_ADVICE_BLOCK;
	uint32_t whole = head == 0 ? 0 : 1;
	struct dedup_payload payload = {req->u.bufs, 0};
	struct dedup_advice *adv;

	if (whole >= whole_end) {
		d->stats.uncovered += touched;
		return;
	}
	adv = dedup_advice_take(d);
	if (unlikely(adv == NULL)) {
		d->stats.starved++;
		return;
	}
	adv->a.n = (uint16_t)RTE_MIN(touched, STRAKE_ADVICE_MAX);
	adv->a.compare = d->kind == DEDUP_FAST;
	memset(adv->a.block, 0, sizeof(adv->a.block[0]) * adv->a.n);
	memset(adv->gave, 0, sizeof(adv->gave[0]) * adv->a.n);
	req->advice = &adv->a;
	whole_end = RTE_MIN(whole_end, adv->a.n);
	d->stats.uncovered += touched - (whole_end - whole);
	if (head != 0 && !dedup_payload_skip(&payload, STRAKE_ADVICE_BLOCK - head))
		return;
	while (whole < whole_end && add_block(d, adv, whole, &payload))
		whole++;
}

static void
dedup_down(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	struct dedup_domain *d = strake_stage_lcore(st);

	for (uint16_t i = 0; i < n; i++) {
		units[i]->verdict = STRAKE_NEXT;
		if (units[i]->op == STRAKE_OP_WRITE && d != NULL)
			advise(d, strake_req_of(units[i]));
	}
	if (d != NULL)
		run_batch(d);
}

/* --- up -----------------------------------------------------------------------------------------------------------
 */

static void
prefetch_advice(const struct dedup_domain *d, struct strake_unit *u)
{
	const struct strake_advice *a = strake_req_of(u)->advice;

	if (u->op != STRAKE_OP_WRITE || a == NULL)
		return;
	for (unsigned int i = 0; i < a->n; i++)
		if (a->block[i].valid)
			dedup_index_prefetch(d->ix, a->block[i].fp);
}

/* What became of a block. */
static void
learn(struct dedup_domain *d, const struct strake_advice_block *b, uint64_t gave)
{
	const struct index_entry e = {b->where, b->owner_lba, b->owner_vol};

	if (gave != 0) {
		if (b->hit)
			d->stats.confirmed++;
		else if (b->differs)
			d->stats.differing++;
		else
			d->stats.stale++;
	}
	if (b->where != 0 && (b->hit || b->where != gave))
		dedup_index_put(d->ix, b->fp, &e, b->hit);
	else if (gave != 0)
		dedup_index_drop(d->ix, b->fp, gave);
}

static void
dedup_up(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	struct dedup_domain *d = strake_stage_lcore(st);

	if (d == NULL)
		return;
	for (uint16_t i = 0; i < n; i++) {
		struct strake_req *req = strake_req_of(units[i]);
		struct strake_advice *a = req->advice;

		if (i == 0)
			prefetch_advice(d, units[0]);
		if (i + 1 < n)
			prefetch_advice(d, units[i + 1]);
		if (req->u.op != STRAKE_OP_WRITE || a == NULL)
			continue;
		for (unsigned int b = 0; b < a->n && req->u.status == 0; b++)
			if (a->block[b].valid)
				learn(d, &a->block[b], ((struct dedup_advice *)a)->gave[b]);
		req->advice = NULL;
		dedup_advice_give(d, a);
	}
}

/* --- figures ------------------------------------------------------------------------------------------------------
 */

void
dedup_stats_get(const struct strake_stage *st, struct dedup_stats *out)
{
	const struct dedup *dd = st->priv;

	*out = dd->d != NULL ? dd->d->stats : (struct dedup_stats){0};
}

struct dedup_index *
dedup_index_of(const struct strake_stage *st)
{
	const struct dedup_domain *d = strake_stage_lcore(st);

	return d != NULL ? d->ix : NULL;
}

static void
dedup_telemetry(struct strake_stage *st, struct rte_tel_data *dict)
{
	const struct dedup *dd = st->priv;
	struct dedup_stats s;

	dedup_stats_get(st, &s);
	rte_tel_data_add_dict_string(dict, "domain", dd->domain);
	rte_tel_data_add_dict_string(dict, "fingerprint", fingerprints[dd->kind]);
	rte_tel_data_add_dict_string(dict, "engine", dd->d != NULL ? dd->d->engine : "");
	rte_tel_data_add_dict_u64(dict, "lookups", s.lookups);
	rte_tel_data_add_dict_u64(dict, "hits", s.hits);
	rte_tel_data_add_dict_u64(dict, "confirmed", s.confirmed);
	rte_tel_data_add_dict_u64(dict, "false", s.differing);
	rte_tel_data_add_dict_u64(dict, "stale", s.stale);
	rte_tel_data_add_dict_u64(dict, "zeroes", s.zeroes);
	rte_tel_data_add_dict_u64(dict, "bytes_gathered", s.gathered);
	rte_tel_data_add_dict_u64(dict, "uncovered", s.uncovered);
	rte_tel_data_add_dict_u64(dict, "starved", s.starved);
	rte_tel_data_add_dict_u64(dict, "unfit", s.unfit);
	rte_tel_data_add_dict_u64(dict, "inserted", s.inserted);
	rte_tel_data_add_dict_u64(dict, "evictions", s.evictions);
	rte_tel_data_add_dict_u64(dict, "entries", s.entries);
	rte_tel_data_add_dict_u64(dict, "capacity", s.capacity);
	rte_tel_data_add_dict_u64(dict, "bytes", s.bytes);
	rte_tel_data_add_dict_u64(dict, "bytes_per_1000_blocks", s.capacity > 0 ? s.bytes * 1000 / s.capacity : 0);
	rte_tel_data_add_dict_u64(dict, "loaded", s.loaded);
	rte_tel_data_add_dict_u64(dict, "bad_pieces", s.bad_pieces);
}

static const struct strake_stage_ops dedup_ops = {
	.name = "dedup",
	.log = true,
	.unit = STRAKE_UNIT_REQ,
	.keys = dedup_keys,
	.create = dedup_create,
	.lcore_init = dedup_lcore_init,
	.lcore_fini = dedup_lcore_fini,
	.down = dedup_down,
	.up = dedup_up,
	.destroy = dedup_destroy,
	.telemetry = dedup_telemetry,
};
STRAKE_STAGE_REGISTER(dedup_ops)
