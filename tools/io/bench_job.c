/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_job.h"
#include "nvme_text.h"
#include "pattern.h"
#include "ticks.h"

#define PATIENCE_NS 100000

/* Reads that nobody checks are taken from where they were received; so all writes may share few bytes in cache too. */
static bool
needs_buffers(const struct bench_conf *c)
{
	return c->verify || (c->pattern != BENCH_READ && c->pattern != BENCH_RANDREAD);
}

int
bench_job_init(struct bench_job *job)
{
	const struct bench_conf *c = job->conf;

	job->ops = calloc(c->depth, sizeof(*job->ops));
	if (job->ops == NULL)
		return -ENOMEM;
	if (needs_buffers(c)) {
		job->mem = aligned_alloc(4096, ((size_t)c->depth * c->bs + 4095) & ~4095ul);
		if (job->mem == NULL)
			return -ENOMEM;
	}
	if (c->verify) {
		job->pick.gen = calloc(job->pick.units, sizeof(*job->pick.gen));
		if (job->pick.gen == NULL)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < c->depth; i++) {
		job->ops[i].job = job;
		if (job->mem != NULL) {
			job->ops[i].buf = job->mem + (size_t)i * c->bs;
			pattern_fill(job->ops[i].buf, c->bs, c->seed + i, job->first, c->ns->lba_shift, 0);
		}
	}
	hist_init(&job->r.read.lat);
	hist_init(&job->r.write.lat);
	job->pick.pattern = c->pattern;
	job->pick.rwmix = c->rwmix;
	job->pick.rng = c->seed * 0x9e3779b97f4a7c15ull + job->first + 1;
	return 0;
}

void
bench_job_fini(struct bench_job *job)
{
	free(job->ops);
	free(job->mem);
	free(job->pick.gen);
}

static uint64_t
lba_of(const struct bench_job *job, uint64_t unit)
{
	const struct bench_conf *c = job->conf;

	return (c->offset + (job->first + unit) * c->bs) >> c->ns->lba_shift;
}

static void bench_done(struct qp_io *io, int err);

static void
issue(struct bench_op *op, uint64_t now)
{
	struct bench_job *job = op->job;
	const struct bench_conf *c = job->conf;
	bool write = job->filling || bench_pick_write(&job->pick);

	if (job->filling)
		job->fill_left--;
	op->unit = bench_pick_unit(&job->pick, job->filling);
	op->io.cmd.opc = write ? NVME_IO_WRITE : NVME_IO_READ;
	op->io.cmd.nsid = c->ns->nsid;
	op->io.cmd.slba = lba_of(job, op->unit);
	op->io.cmd.nlb = (uint16_t)((c->bs >> c->ns->lba_shift) - 1);
	op->io.dir = write ? QP_OUT : QP_IN;
	op->io.len = c->bs;
	op->io.buf = write || c->verify ? op->buf : NULL;
	op->io.done = bench_done;
	op->io.arg = op;
	if (job->pick.gen != NULL) {
		uint32_t gen = job->pick.gen[op->unit];

		if (write)
			pattern_fill(op->buf, c->bs, c->seed, op->io.cmd.slba, c->ns->lba_shift, gen + 1);
		job->pick.gen[op->unit] = (gen + write) | BENCH_GEN_BUSY;
	}
	if (qp_submit(job->qp, &op->io, now) < 0 && job->r.err == 0) {
		job->r.err = qp_status(job->qp) != 0 ? qp_status(job->qp) : -EAGAIN;
		snprintf(job->r.text, sizeof(job->r.text), "%s", qp_error(job->qp));
		job->ending = true;
	}
}

static void
check(struct bench_job *job, const struct bench_op *op, uint32_t gen)
{
	const struct bench_conf *c = job->conf;
	int64_t bad = pattern_check(op->buf, c->bs, c->seed, op->io.cmd.slba, c->ns->lba_shift, gen);

	job->r.checked++;
	if (bad < 0)
		return;
	if (job->r.mismatches++ == 0)
		snprintf(job->r.text, sizeof(job->r.text),
			 "wrong bytes at volume offset %llu (write number %u of that block was expected)",
			 (unsigned long long)((op->io.cmd.slba << c->ns->lba_shift) + (uint64_t)bad), gen);
}

static void
bench_done(struct qp_io *io, int err)
{
	struct bench_op *op = io->arg;
	struct bench_job *job = op->job;
	bool write = io->cmd.opc == NVME_IO_WRITE;
	struct bench_side *side = write ? &job->r.write : &job->r.read;
	uint64_t now = ticks_now();
	uint16_t sc = NVME_CPL_SC(io->cpl.status);

	if (err != 0) {
		job->ending = true;
		if (job->r.err == 0) {
			job->r.err = err;
			snprintf(job->r.text, sizeof(job->r.text), "%s", qp_error(job->qp));
		}
		return;
	}
	if (sc != 0 && side->errors++ == 0 && job->r.text[0] == '\0')
		snprintf(job->r.text, sizeof(job->r.text), "%s of LBA %llu failed: %s (status 0x%03x)",
			 nvme_text_opcode(io->cmd.opc, 0, false), (unsigned long long)io->cmd.slba,
			 nvme_text_status(sc, false), sc);
	if (job->pick.gen != NULL) {
		uint32_t gen = job->pick.gen[op->unit] &= ~BENCH_GEN_BUSY;

		if (!write && sc == 0)
			check(job, op, gen);
	}
	if (job->measuring) {
		side->ios++;
		hist_add(&side->lat, now - io->submitted);
	}
	job->ios++;
	if (job->ending || (job->filling && job->fill_left == 0))
		return;
	if (job->conf->every == 0 || job->filling) {
		issue(op, now);
	} else {
		job->resting = op;
		job->t_issue = io->submitted + ticks_from_ns(job->conf->every);
	}
}

static void
poll_once(struct bench_job *job, uint64_t now)
{
	uint64_t before = job->ios;

	if (job->resting != NULL && now >= job->t_issue) {
		struct bench_op *op = job->resting;

		job->resting = NULL;
		issue(op, now);
		qp_flush(job->qp);
	}
	qp_poll(job->qp, now);
	if (job->ios != before) {
		if (job->measuring)
			job->r.busy += ticks_now() - now;
	} else if (!job->conf->spin) {
		qp_wait(job->qp, 10);
	}
}

static void
start_all(struct bench_job *job, uint64_t n)
{
	for (uint32_t i = 0; i < job->conf->depth && i < n && !job->ending; i++) {
		issue(&job->ops[i], ticks_now());
		qp_flush(job->qp);
	}
}

static void
run_until_idle(struct bench_job *job)
{
	while (qp_inflight(job->qp) > 0 && qp_status(job->qp) == 0)
		poll_once(job, ticks_now());
}

/* Give every unit its first generation. */
static void
fill(struct bench_job *job)
{
	job->filling = true;
	job->fill_left = job->pick.units;
	start_all(job, job->pick.units);
	run_until_idle(job);
	job->filling = false;
	job->pick.next = 0;
}

static void
pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* a wrong number was refused before the threads began */
}

void *
bench_job_main(void *arg)
{
	struct bench_job *job = arg;
	const struct qp_stats *st = qp_get_stats(job->qp);
	const struct bench_conf *c = job->conf;
	uint64_t now;

	pin(job->cpu);
	if (c->spin)
		qp_set_patience(job->qp, ticks_from_ns(PATIENCE_NS));
	if (c->verify)
		fill(job);
	pthread_barrier_wait(job->filled);
	job->ios = 0;
	job->t_measure = ticks_now() + ticks_from_ns(c->warmup);
	job->t_end = job->t_measure + ticks_from_ns(c->time);
	start_all(job, UINT64_MAX);
	while (!job->ending) {
		now = ticks_now();
		if (!job->measuring && now >= job->t_measure) {
			job->measuring = true;
			job->t_measure = now;
			job->r.sends = st->sends;
			job->r.recvs = st->recvs - st->empty;
		}
		if (now >= job->t_end || *c->stop)
			break;
		poll_once(job, now);
	}
	if (job->measuring) {
		job->r.secs = ticks_to_ns(ticks_now() - job->t_measure) / 1e9;
		job->r.sends = st->sends - job->r.sends;
		job->r.recvs = st->recvs - st->empty - job->r.recvs;
	}
	job->measuring = false;
	job->ending = true;
	run_until_idle(job);
	return NULL;
}
