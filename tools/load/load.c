/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "pattern.h"
#include "ticks.h"

#define STALL_NS 5000000000ull

struct load;

struct op {
	struct qp_io io;
	struct load *load;
	struct qp *qp;
	uint64_t unit;
	uint8_t *buf;
};

struct load {
	const struct load_conf *conf;
	struct load_result *r;
	struct op *ops;
	uint8_t *mem;
	struct bench_pick pick;
	uint64_t now; /* of the turn: completions seen in one burst have one time */
	uint64_t under_way, done;
	uint64_t fill_left; /* units still to be written for the first time */
	uint32_t blocks, shift;
	bool filling, measuring, ending;
};

static void op_done(struct qp_io *io, int err);

static void
issue(struct op *op)
{
	struct load *l = op->load;
	const struct load_conf *c = l->conf;
	bool write = l->filling || bench_pick_write(&l->pick);
	int ret;

	op->unit = bench_pick_unit(&l->pick, l->filling);
	op->io.cmd.opc = write ? NVME_IO_WRITE : NVME_IO_READ;
	op->io.cmd.nsid = host_nsid(c->host);
	op->io.cmd.slba = op->unit * l->blocks;
	op->io.cmd.nlb = (uint16_t)(l->blocks - 1);
	op->io.dir = write ? QP_OUT : QP_IN;
	op->io.len = c->bs;
	op->io.buf = write || c->verify ? op->buf : NULL;
	op->io.done = op_done;
	if (l->pick.gen != NULL) {
		uint32_t gen = l->pick.gen[op->unit] + write;

		if (write)
			pattern_fill(op->buf, c->bs, c->seed, op->io.cmd.slba, l->shift, gen);
		l->pick.gen[op->unit] = gen | BENCH_GEN_BUSY;
	}
	ret = qp_submit(op->qp, &op->io, l->now);
	if (ret == 0) {
		l->under_way++;
	} else if (!l->ending) {
		l->ending = true;
		snprintf(l->r->text, sizeof(l->r->text), "cannot submit: %s", strerror(-ret));
	}
}

static void
check(struct load *l, const struct op *op, uint32_t gen)
{
	int64_t bad = pattern_check(op->buf, l->conf->bs, l->conf->seed, op->io.cmd.slba, l->shift, gen);

	l->r->checked++;
	if (bad < 0)
		return;
	if (l->r->mismatches++ == 0)
		snprintf(l->r->text, sizeof(l->r->text),
			 "wrong bytes at volume offset %llu (its write number %u is due)",
			 (unsigned long long)((op->io.cmd.slba << l->shift) + (uint64_t)bad), gen);
}

static void
account(struct load *l, struct bench_side *side, const struct qp_io *io)
{
	uint16_t sc = NVME_CPL_SC(io->cpl.status);

	if (sc != 0 && side->errors++ == 0 && l->r->text[0] == '\0')
		snprintf(l->r->text, sizeof(l->r->text), "opcode 0x%02x of LBA %llu failed with status 0x%03x",
			 io->cmd.opc, (unsigned long long)io->cmd.slba, sc);
	if (!l->measuring)
		return;
	side->ios++;
	side->bytes += io->len;
	hist_add(&side->lat, l->now - io->submitted);
}

static void
op_done(struct qp_io *io, int err)
{
	struct op *op = io->arg;
	struct load *l = op->load;
	bool write = io->cmd.opc == NVME_IO_WRITE;

	l->under_way--;
	l->done++;
	if (err != 0) {
		l->ending = true;
		return;
	}
	account(l, write ? &l->r->write : &l->r->read, io);
	if (l->pick.gen != NULL) {
		uint32_t gen = l->pick.gen[op->unit] &= ~BENCH_GEN_BUSY;

		if (!write)
			check(l, op, gen);
	}
	/* The first write of each unit: as many as there are units. */
	if (l->filling && --l->fill_left <= l->under_way)
		return;
	if (!l->ending)
		issue(op);
}

/* One look at the device. */
static int
turn(struct load *l)
{
	uint64_t at = ticks_now();
	int ret;

	l->now = at;
	ret = host_poll(l->conf->host, at);
	if (l->measuring) {
		l->r->turns++;
		if (ret > 0) {
			l->r->bursts++;
			l->r->busy += ticks_now() - at;
		}
	}
	if (ret < 0)
		snprintf(l->r->text, sizeof(l->r->text), "%s", host_error(l->conf->host));
	return ret;
}

static void
start_all(struct load *l, uint64_t n)
{
	uint32_t all = l->conf->depth * l->conf->queues;

	l->now = ticks_now();
	for (uint32_t i = 0; i < all && i < n && !l->ending; i++)
		issue(&l->ops[i]);
}

/* Until nothing is under way, or nothing has come for a while. */
static int
run_dry(struct load *l)
{
	uint64_t done = l->done, since = ticks_now(), most = ticks_from_ns(STALL_NS);
	int ret = 0;

	while (l->under_way > 0 && ret >= 0) {
		ret = turn(l);
		if (l->done != done) {
			done = l->done;
			since = l->now;
		} else if (l->now - since > most) {
			snprintf(l->r->text, sizeof(l->r->text), "%llu commands are not answered",
				 (unsigned long long)l->under_way);
			ret = -ETIMEDOUT;
		}
	}
	return ret < 0 ? ret : 0;
}

static void
tcp_delta(struct ctcp_stats *d, const struct ctcp_stats *since)
{
	uint64_t *a = (uint64_t *)d;
	const uint64_t *b = (const uint64_t *)since;

	for (unsigned int i = 0; i < sizeof(*d) / sizeof(*a); i++)
		a[i] -= b[i];
}

static int
run_until(struct load *l, uint64_t end)
{
	uint64_t done = l->done, since = ticks_now(), most = ticks_from_ns(STALL_NS);
	int ret = 0;

	while (ret >= 0 && !l->ending && !*l->conf->stop) {
		ret = turn(l);
		if (l->now >= end)
			break;
		if (l->done != done) {
			done = l->done;
			since = l->now;
		} else if (l->now - since > most) {
			snprintf(l->r->text, sizeof(l->r->text), "the target stopped answering");
			return -ETIMEDOUT;
		}
	}
	return ret < 0 ? ret : 0;
}

static int
measure(struct load *l)
{
	const struct load_conf *c = l->conf;
	struct ctcp_stats before;
	uint64_t begin;
	int ret;

	start_all(l, UINT64_MAX);
	ret = run_until(l, ticks_now() + ticks_from_ns(c->warmup));
	if (ret < 0)
		return ret;
	if (c->mark != NULL)
		c->mark(c->arg, true);
	host_tcp_stats(c->host, &before);
	l->measuring = true;
	begin = ticks_now();
	ret = run_until(l, begin + ticks_from_ns(c->time));
	l->r->secs = ticks_to_ns(ticks_now() - begin) / 1e9;
	l->measuring = false;
	host_tcp_stats(c->host, &l->r->tcp);
	tcp_delta(&l->r->tcp, &before);
	if (c->mark != NULL)
		c->mark(c->arg, false);
	l->ending = true;
	return ret < 0 ? ret : run_dry(l);
}

static int
prepare(struct load *l)
{
	const struct load_conf *c = l->conf;
	uint32_t all = c->depth * c->queues;

	l->ops = calloc(all, sizeof(*l->ops));
	l->mem = aligned_alloc(4096, ((size_t)all * c->bs + 4095) & ~4095ul);
	if (c->verify)
		l->pick.gen = calloc(l->pick.units, sizeof(*l->pick.gen));
	if (l->ops == NULL || l->mem == NULL || (c->verify && l->pick.gen == NULL))
		return -ENOMEM;
	for (uint32_t i = 0; i < all; i++) {
		struct op *op = &l->ops[i];

		op->load = l;
		op->io.arg = op;
		op->qp = host_queue(c->host, i % c->queues);
		op->buf = l->mem + (size_t)i * c->bs;
		pattern_fill(op->buf, c->bs, c->seed + i, 0, l->shift, 0);
	}
	return 0;
}

int
load_run(const struct load_conf *conf, struct load_result *r)
{
	struct load l = {.conf = conf, .r = r};
	int ret;

	memset(r, 0, sizeof(*r));
	hist_init(&r->read.lat);
	hist_init(&r->write.lat);
	l.shift = host_lba_shift(conf->host);
	l.blocks = conf->bs >> l.shift;
	l.pick = (struct bench_pick){.pattern = conf->pattern,
				     .rwmix = conf->rwmix,
				     .units = conf->size / conf->bs,
				     .rng = conf->seed * 0x9e3779b97f4a7c15ull + 1};
	ret = prepare(&l);
	if (ret == 0 && (conf->fill || conf->verify)) {
		l.filling = true;
		l.fill_left = l.pick.units;
		start_all(&l, l.pick.units);
		ret = run_dry(&l);
		l.filling = false;
		l.pick.next = 0;
	}
	if (ret == 0 && !l.ending)
		ret = measure(&l);
	if (ret == 0 && r->mismatches == 0 && r->text[0] != '\0' && r->read.errors + r->write.errors == 0)
		ret = -ECONNRESET;
	/* After a failure commands are still under way; they may not outlive what they point to. */
	for (unsigned int i = 0; l.under_way > 0 && i < host_queues(conf->host); i++)
		qp_fail(host_queue(conf->host, i), -ECANCELED, "given up");
	free(l.ops);
	free(l.mem);
	free(l.pick.gen);
	return ret;
}
