/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_telemetry.h>

#include "gcm_soft.h"
#include "gcm_stage.h"
#include "secret.h"

/*
 * The seal stage: AES-256-GCM over the chunks of a log volume, by a cryptodev. Sealing and opening are the same walk: a
 * session for the chunk's key (asked of main when it is not at hand), a job, the device, and on. Whoever lacks a key, a
 * page or room at the device waits (HELD) in one queue. When the device is lost the processor takes its place. There is
 * no way round the cipher: what cannot be sealed or opened fails.
 */

struct burst {
	struct gcm_job *job[STRAKE_BURST];
	uint16_t n;
};

static const struct conf_key seal_keys[] = {
	{.name = "key_file",
	 .type = CONF_PATH,
	 .help = "File with the key that wraps the group's keys, 32 random bytes or 64 hex digits, which only its "
		 "owner may read (mode 0600)."},
	{.name = "keyring",
	 .type = CONF_STRING,
	 .min = 1,
	 .max = 128,
	 .help = "In the place of key_file: description of a key of type user in the kernel's keyring."},
	{.name = "device",
	 .type = CONF_STRING,
	 .min = 1,
	 .max = 40,
	 .def = "crypto_aesni_gcm",
	 .help = "Cipher device: a PCI address, or a driver that makes a virtual one (crypto_aesni_gcm, "
		 "crypto_aesni_mb)."},
	{.name = "queue",
	 .type = CONF_UINT,
	 .min = 1,
	 .max = 1024,
	 .def = "128",
	 .help = "Chunks that each lcore may have under way at the device."},
	{},
};

static int
seal_create(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen)
{
	struct gcm *g = rte_zmalloc("gcm", sizeof(*g), RTE_CACHE_LINE_SIZE);
	int ret;

	if (g == NULL) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	g->generation = 1;
	ret = gcm_kek_load(&g->kek, conf, err, errlen);
	if (ret == 0)
		ret = gcm_device_open(&g->device, conf_str(conf, "device"), (uint16_t)conf_u64(conf, "queue"),
				      GCM_SLOTS * strake_lcore_count(), err, errlen);
	if (ret < 0) {
		crypto_secret_free(g->kek);
		rte_free(g);
		return ret;
	}
	st->priv = g;
	return 0;
}

static void
seal_destroy(struct strake_stage *st)
{
	struct gcm *g = st->priv;

	gcm_close(st);
	gcm_device_close(g->device);
	crypto_secret_free(g->kek);
	rte_free(g);
	st->priv = NULL;
}

static void
lcore_free(struct gcm_lcore *lc)
{
	gcm_lane_fini(&lc->lane);
	for (unsigned int i = 0; i < GCM_SLOTS; i++) {
		gcm_device_session_free(lc->slots.dev, lc->slots.slot[i].session);
		gcm_soft_session_free(lc->slots.slot[i].soft);
	}
	crypto_secret_free(lc->ask);
	rte_free(lc);
}

static int
seal_lcore_init(struct strake_stage *st)
{
	struct gcm *g = st->priv;
	uint16_t self = strake_self_index();
	struct gcm_lcore *lc = rte_zmalloc_socket("gcm_lcore", sizeof(*lc), RTE_CACHE_LINE_SIZE, strake_self()->socket);
	int ret = -ENOMEM;

	if (lc == NULL)
		return ret;
	lc->stats = &g->stats[self];
	lc->slots.dev = g->device;
	lc->ask = crypto_secret_alloc(sizeof(*lc->ask));
	if (lc->ask != NULL)
		ret = gcm_lane_init(&lc->lane, g->device);
	if (ret < 0) {
		lcore_free(lc);
		return ret;
	}
	st->lc[self] = lc;
	return 0;
}

static void
seal_lcore_fini(struct strake_stage *st)
{
	struct gcm_lcore *lc = strake_stage_lcore(st);

	if (lc == NULL)
		return;
	lcore_free(lc);
	st->lc[strake_self_index()] = NULL;
}

/* --- a chunk -------------------------------------------------------------------------------------------------------
 */

static bool
lengths_fit(const struct strake_unit *u)
{
	const struct strake_seal *seal = &strake_chunk_of((struct strake_unit *)(uintptr_t)u)->seal;

	return seal->stored > 0 && seal->stored <= GCM_LANE_BYTES_MAX && strake_buf_list_len(u->bufs) == seal->stored;
}

static void
fail(struct gcm_lcore *lc, struct strake_unit *u, int err)
{
	u->status = (int16_t)err;
	if (u->op == STRAKE_OP_READ) {
		strake_buf_put_list(u->bufs);
		u->bufs = u->last = NULL;
	}
	if (err == -EBADMSG)
		lc->stats->damaged++;
}

/* A nonce is the lcore's number and a counter of its own: unique under the subkeys of this opening. */
static void
next_nonce(struct gcm *g, uint8_t nonce[GCM_NONCE])
{
	const uint32_t self = rte_cpu_to_le_32(strake_self_index());
	const uint64_t count = rte_cpu_to_le_64(++g->nonce[strake_self_index()]);

	memcpy(nonce, &self, sizeof(self));
	memcpy(nonce + sizeof(self), &count, sizeof(count));
}

/* What a write's seal says of its key. */
static void
name_key(struct gcm *g, struct strake_seal *seal, const struct gcm_slot *slot)
{
	seal->epoch = slot->epoch;
	seal->salt = slot->opening;
	next_nonce(g, seal->nonce);
}

/* The device is lost. @return 1: done here; else as begin(). */
static int
by_processor(struct strake_stage *st, struct gcm_lcore *lc, struct strake_unit *u, struct gcm_slot *slot)
{
	struct strake_seal *seal = &strake_chunk_of(u)->seal;
	int ret;

	if (slot->soft == NULL) {
		/* It is the device's still: asked again, as nobody here has the key itself. */
		const struct gcm_want want = slot->want;

		slot->generation = 0;
		gcm_ask(st, lc, &want);
		return -EAGAIN;
	}
	if (u->op == STRAKE_OP_WRITE)
		name_key(st->priv, seal, slot);
	ret = gcm_soft_run(slot->soft, u);
	if (ret == -ENOBUFS)
		return -EAGAIN;
	if (ret < 0)
		return ret;
	lc->stats->soft++;
	if (u->op == STRAKE_OP_WRITE)
		lc->stats->sealed += seal->stored;
	else
		lc->stats->opened += seal->stored;
	return 1;
}

/**
 * Fill a job for it. @return 0; 1: it is done already; -EAGAIN it has to wait; else it failed, and that is the reason.
 */
static int
begin(struct strake_stage *st, struct gcm_lcore *lc, struct strake_unit *u, struct burst *burst)
{
	struct strake_seal *seal = &strake_chunk_of(u)->seal;
	struct gcm *g = st->priv;
	bool write = u->op == STRAKE_OP_WRITE;
	const struct gcm_want want = {seal->domain, write ? 0 : seal->epoch, write ? 0 : seal->salt};
	struct gcm_slot *slot;
	struct gcm_job *job;

	if (unlikely(!lengths_fit(u) || (!write && seal->epoch == 0)))
		return write ? -EINVAL : -EBADMSG;
	slot = gcm_slots_find(&lc->slots, &want, gcm_generation(g));
	if (unlikely(slot == NULL)) {
		gcm_ask(st, lc, &want);
		return -EAGAIN;
	}
	if (unlikely(slot->session == NULL && slot->soft == NULL)) {
		lc->stats->no_key++;
		return write ? -EROFS : -EBADMSG;
	}
	if (unlikely(lc->lane.dead))
		return by_processor(st, lc, u, slot);
	if (burst->n == STRAKE_BURST)
		return -EAGAIN;
	if (write)
		name_key(g, seal, slot);
	if (gcm_lane_fill(&lc->lane, u, slot->session, &job) != 0)
		return -EAGAIN;
	job->slot = slot;
	slot->jobs++;
	burst->job[burst->n++] = job;
	return 0;
}

/* @return false: the device failed with it, and it is as it was: to be done again. */
static bool
take_result(struct gcm_lcore *lc, struct gcm_job *job)
{
	struct strake_unit *u = job->unit;
	struct strake_seal *seal = &strake_chunk_of(u)->seal;
	int ret = gcm_lane_result(job);

	/* Sealing has no tag to fail by. */
	if (ret == -EIO || (ret < 0 && u->op == STRAKE_OP_WRITE)) {
		lc->stats->device_failures++;
		lc->stats->devices_off += gcm_lane_failed(&lc->lane);
		/* In place nobody knows what it did to the bytes. */
		if (job->out != NULL)
			return false;
		ret = -EIO;
	}
	if (ret < 0) {
		fail(lc, u, ret);
		return true;
	}
	if (job->out != NULL) {
		strake_buf_put_list(u->bufs);
		u->bufs = u->last = NULL;
		strake_unit_append(u, job->out);
		job->out = NULL;
		lc->stats->moved++;
	} else {
		lc->stats->in_place++;
	}
	u->nbytes = seal->stored;
	if (u->op == STRAKE_OP_WRITE) {
		memcpy(seal->tag, gcm_private_of(job->op)->tag, GCM_TAG);
		lc->stats->sealed += seal->stored;
	} else {
		lc->stats->opened += seal->stored;
	}
	return true;
}

/* A unit that was HELD goes on. */
static void
go_on(struct strake_unit *u)
{
	if (u->op == STRAKE_OP_WRITE && u->status == 0)
		strake_unit_continue(u);
	else
		strake_unit_complete(u);
}

static void
wait(struct gcm_lcore *lc, struct strake_unit *u)
{
	lc->stats->waited++;
	u->link = NULL;
	if (lc->waiting == NULL)
		lc->waiting = u;
	else
		lc->waiting_last->link = u;
	lc->waiting_last = u;
}

static void
finish(struct gcm_lcore *lc, struct gcm_job *job)
{
	struct strake_unit *u = job->unit;
	bool fresh = job->fresh, over = true;

	job->slot->jobs--;
	if (likely(u != NULL))
		over = take_result(lc, job);
	gcm_lane_put(&lc->lane, job);
	if (u == NULL)
		return;
	if (unlikely(!over))
		wait(lc, u); /* in hand, it is HELD already */
	else if (!fresh)
		go_on(u);
	else
		u->verdict = u->status == 0 || u->op == STRAKE_OP_READ ? STRAKE_NEXT : STRAKE_DONE;
}

static uint32_t
take_back(struct gcm_lcore *lc)
{
	struct gcm_job *back[STRAKE_BURST];
	uint32_t total = 0;
	uint16_t n;

	do {
		n = gcm_lane_pull(&lc->lane, back, STRAKE_BURST, strake_now());
		for (uint16_t i = 0; i < n; i++)
			finish(lc, back[i]);
		total += n;
	} while (n > 0 && total < 2 * STRAKE_BURST);
	return total;
}

/* Give the burst to the device and take back what it has; what is still there then is HELD. */
static void
flush(struct gcm_lcore *lc, struct burst *burst, bool fresh, uint64_t *cycles)
{
	uint64_t before = rte_rdtsc();
	uint16_t took;

	if (burst->n == 0)
		return;
	for (uint16_t i = 0; i < burst->n; i++)
		burst->job[i]->fresh = fresh;
	took = gcm_lane_push(&lc->lane, burst->job, burst->n, strake_now());
	for (uint16_t i = took; i < burst->n; i++) {
		struct gcm_job *job = burst->job[i];

		job->slot->jobs--;
		wait(lc, job->unit);
		gcm_lane_put(&lc->lane, job);
	}
	take_back(lc);
	for (uint16_t i = 0; i < took; i++)
		burst->job[i]->fresh = false;
	lc->stats->gathered += lc->lane.gathered;
	lc->lane.gathered = 0;
	*cycles += rte_rdtsc() - before;
}

/* --- the stage -----------------------------------------------------------------------------------------------------
 */

static void
walk(struct strake_stage *st, struct strake_unit **units, uint16_t n, uint8_t op)
{
	struct gcm_lcore *lc = strake_stage_lcore(st);
	struct burst burst = {.n = 0};

	for (uint16_t i = 0; i < n; i++) {
		struct strake_unit *u = units[i];
		int ret;

		if (u->op != op || u->status != 0)
			continue;
		/* Behind those that wait already: keys and pages go to who came first. */
		ret = likely(lc->waiting == NULL) ? begin(st, lc, u, &burst) : -EAGAIN;
		u->verdict = STRAKE_HELD;
		if (ret == -EAGAIN) {
			wait(lc, u);
		} else if (unlikely(ret == 1)) {
			u->verdict = STRAKE_NEXT;
		} else if (unlikely(ret < 0)) {
			fail(lc, u, ret);
			u->verdict = op == STRAKE_OP_WRITE ? STRAKE_DONE : STRAKE_NEXT;
		}
	}
	flush(lc, &burst, true, op == STRAKE_OP_WRITE ? &lc->stats->seal_cycles : &lc->stats->open_cycles);
}

static void
seal_down(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		units[i]->verdict = STRAKE_NEXT;
	walk(st, units, n, STRAKE_OP_WRITE);
}

static void
seal_up(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	walk(st, units, n, STRAKE_OP_READ);
}

/* All that waits tries again, in order; who must wait on keeps his place. */
static uint32_t
serve_waiting(struct strake_stage *st, struct gcm_lcore *lc)
{
	struct strake_unit *todo = lc->waiting;
	struct burst burst = {.n = 0};
	uint32_t work = 0;

	lc->waiting = lc->waiting_last = NULL;
	while (todo != NULL) {
		struct strake_unit *u = todo;
		int ret;

		todo = u->link;
		ret = begin(st, lc, u, &burst);
		if (ret == -EAGAIN) {
			wait(lc, u);
			continue;
		}
		work++;
		if (ret < 0)
			fail(lc, u, ret);
		if (ret != 0)
			go_on(u);
	}
	flush(lc, &burst, false, &lc->stats->seal_cycles);
	return work;
}

/* A device that gives nothing back: its chunks fail, and it keeps their bytes. */
static uint32_t
give_up(struct gcm_lcore *lc)
{
	struct gcm_job *job;
	uint32_t work = 0;

	lc->lane.dead = true;
	lc->stats->devices_off++;
	for (job = gcm_lane_lost(&lc->lane); job != NULL; job = gcm_lane_lost(&lc->lane), work++) {
		struct strake_unit *u = gcm_lane_orphan(&lc->lane, job);

		lc->stats->device_failures++;
		fail(lc, u, -EIO);
		go_on(u);
	}
	return work;
}

static uint32_t
seal_poll(struct strake_stage *st, uint64_t now)
{
	struct gcm_lcore *lc = strake_stage_lcore(st);
	uint32_t work = 0, generation;

	if (lc == NULL)
		return 0;
	if (lc->lane.under_way > 0) {
		work = take_back(lc);
		if (unlikely(gcm_lane_stuck(&lc->lane, now)))
			work += give_up(lc);
	}
	generation = gcm_generation(st->priv);
	if (unlikely(lc->generation != generation) && gcm_slots_sweep(&lc->slots, generation))
		lc->generation = generation;
	return unlikely(lc->waiting != NULL) ? work + serve_waiting(st, lc) : work;
}

static bool
seal_drain(struct strake_stage *st)
{
	const struct gcm_lcore *lc = strake_stage_lcore(st);

	return lc == NULL || (lc->waiting == NULL && !lc->asking && lc->lane.under_way == lc->lane.orphans);
}

/* --- figures -------------------------------------------------------------------------------------------------------
 */

void
gcm_stats(const struct strake_stage *st, struct gcm_stats *sum)
{
	const struct gcm *g = st->priv;
	uint64_t *to = (uint64_t *)sum;

	*sum = (struct gcm_stats){0};
	for (unsigned int l = 0; l < STRAKE_LCORE_MAX; l++)
		for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
			to[i] += ((const uint64_t *)&g->stats[l])[i];
}

static uint64_t
ns(uint64_t cycles)
{
	return (uint64_t)((double)cycles * STRAKE_NS_PER_SEC / (double)rte_get_tsc_hz());
}

static void
seal_telemetry(struct strake_stage *st, struct rte_tel_data *dict)
{
	struct gcm_stats s;

	gcm_stats(st, &s);
	rte_tel_data_add_dict_u64(dict, "bytes_sealed", s.sealed);
	rte_tel_data_add_dict_u64(dict, "bytes_opened", s.opened);
	rte_tel_data_add_dict_u64(dict, "in_place", s.in_place);
	rte_tel_data_add_dict_u64(dict, "moved", s.moved);
	rte_tel_data_add_dict_u64(dict, "bytes_gathered", s.gathered);
	rte_tel_data_add_dict_u64(dict, "damaged", s.damaged);
	rte_tel_data_add_dict_u64(dict, "no_key", s.no_key);
	rte_tel_data_add_dict_u64(dict, "keys_asked", s.asked);
	rte_tel_data_add_dict_u64(dict, "waited", s.waited);
	rte_tel_data_add_dict_u64(dict, "device_failures", s.device_failures);
	rte_tel_data_add_dict_u64(dict, "devices_off", s.devices_off);
	rte_tel_data_add_dict_u64(dict, "by_processor", s.soft);
	rte_tel_data_add_dict_u64(dict, "seal_ns", ns(s.seal_cycles));
	rte_tel_data_add_dict_u64(dict, "open_ns", ns(s.open_cycles));
}

static const struct strake_stage_ops seal_ops = {
	.name = "seal",
	.log = true,
	.after = "compress", /* what is sealed does not shrink */
	.unit = STRAKE_UNIT_CHUNK,
	.keys = seal_keys,
	.create = seal_create,
	.lcore_init = seal_lcore_init,
	.lcore_fini = seal_lcore_fini,
	.down = seal_down,
	.up = seal_up,
	.poll = seal_poll,
	.drain = seal_drain,
	.destroy = seal_destroy,
	.telemetry = seal_telemetry,
};
STRAKE_STAGE_REGISTER(seal_ops)
