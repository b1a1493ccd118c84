/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Notes: small blobs on every drive, two copies each that take turns, so that a torn write loses only itself. Main
 * keeps them in memory too. What a power cut left on some members only is written to all when the group is opened: from
 * then on it counts.
 */

#include <string.h>

#include "log_priv.h"

static uint8_t *
blob(const struct log_group *g, uint32_t id)
{
	return g->note_blob + (size_t)id * LOG_NOTE_BYTES;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void
job_done(struct log_group *g, int status)
{
	struct lgroup_note_job *job = g->notes;

	g->notes = job->next;
	job->status = status;
	job->end(job);
	lgroup_job_end(g);
}

static void
job_written(struct log_group *g, uint32_t failed)
{
	struct lgroup_note_job *job = g->notes;

	if (failed == 0) {
		memcpy(blob(g, job->id), job->data, job->len);
		g->note_len[job->id] = job->len;
		g->note_lost[job->id] = false;
		job_done(g, 0);
		return;
	}
	/* Once more, without those who failed, if they can be spared; as often as one more may go meanwhile. */
	g->lost |= failed;
	if (job->tries == RTE_MAX(g->s.parity, 1u)) {
		job_done(g, -EIO);
		return;
	}
	job->tries++;
	lgroup_job_end(g);
}

static void
note_fan(struct log_group *g, uint32_t id, const void *data, uint32_t len, uint32_t mask,
	 void (*end)(struct log_group *g, uint32_t failed))
{
	struct lgroup_note n = {.seq = g->note_seq[id], .id = id, .len = len};

	memcpy(n.uuid, g->s.uuid, sizeof(n.uuid));
	lgroup_note_encode(&n, data, g->note_page->addr);
	lgroup_fan_begin(g, end);
	for (; mask != 0; mask &= mask - 1)
		lgroup_fan_add(g, (uint32_t)__builtin_ctz(mask), STRAKE_IO_WRITE, lgroup_note_off(id, n.seq & 1),
			       g->note_page, LOG_NOTE_SLOT);
	lgroup_fan_go(g);
}

void
lgroup_note_fan(struct log_group *g, uint32_t id, uint32_t mask, void (*end)(struct log_group *g, uint32_t failed))
{
	note_fan(g, id, blob(g, id), g->note_len[id], mask, end);
}

void
lgroup_note_job(struct log_group *g)
{
	struct lgroup_note_job *job = g->notes;

	/* Never the same sequence twice: the last try may be on some member. Two on, so that the copy is the same, and
	 * the one before stays. */
	g->note_seq[job->id] += job->tries > 0 ? 2 : 1;
	note_fan(g, job->id, job->data, job->len, lgroup_mask_writable(g), job_written);
}

static void
job_add(struct lgroup_note_job *job)
{
	struct lgroup_note_job **at = &job->g->notes;

	job->next = NULL;
	while (*at != NULL)
		at = &(*at)->next;
	*at = job;
	lgroup_kick(job->g);
}

/* --- main's users --------------------------------------------------------------------------------------------------
 */

static void
sync_end(struct lgroup_note_job *job)
{
	job->busy = false;
}

static int
note_write(struct strake_space *sp, unsigned int id, const void *data, uint32_t len)
{
	struct log_group *g = container_of(sp, struct log_group, space);
	struct lgroup_note_job job = {.g = g, .id = id, .len = len, .data = data, .end = sync_end, .busy = true};

	if (id >= LOG_NOTES || len > LOG_NOTE_BYTES)
		return -ERANGE;
	job_add(&job);
	while (job.busy)
		strake_lcore_turn(RTE_MAX(strake_now(), strake_clock_ns()));
	return job.status;
}

static int
note_read(struct strake_space *sp, unsigned int id, void *data, uint32_t *len)
{
	struct log_group *g = container_of(sp, struct log_group, space);

	if (id >= LOG_NOTES)
		return -ERANGE;
	if (g->note_lost[id])
		return -EBADMSG;
	*len = g->note_len[id];
	memcpy(data, blob(g, id), *len);
	return 0;
}

/* --- the owner's ---------------------------------------------------------------------------------------------------
 */

static void
async_back(struct strake_msg *msg)
{
	struct lgroup_note_job *job = (struct lgroup_note_job *)msg;

	job->busy = false;
	job->done(job->arg, job->status);
}

static void
async_end(struct lgroup_note_job *job)
{
	job->msg.fn = async_back;
	strake_msg_send(job->g->space.owner, &job->msg);
}

static void
async_on_main(struct strake_msg *msg)
{
	job_add((struct lgroup_note_job *)msg);
}

static void
note_write_async(struct strake_space *sp, unsigned int id, const void *data, uint32_t len,
		 void (*done)(void *arg, int status), void *arg)
{
	struct log_group *g = container_of(sp, struct log_group, space);
	uint32_t i = 0;

	while (i < LOG_NOTE_JOBS && g->o.note[i].busy)
		i++;
	if (i == LOG_NOTE_JOBS || id >= LOG_NOTES || len > LOG_NOTE_BYTES) {
		done(arg, i == LOG_NOTE_JOBS ? -EBUSY : -ERANGE);
		return;
	}
	g->o.note[i] = (struct lgroup_note_job){
		.msg.fn = async_on_main,
		.g = g,
		.id = id,
		.len = len,
		.data = data,
		.end = async_end,
		.done = done,
		.arg = arg,
		.busy = true,
	};
	strake_msg_send(STRAKE_LCORE_MAIN, &g->o.note[i].msg);
}

const struct strake_space_ops lgroup_space_ops = {
	.submit = lgroup_submit,
	.note_read = note_read,
	.note_write = note_write,
	.note_write_async = note_write_async,
};

/* --- at boot -------------------------------------------------------------------------------------------------------
 */

/* The first that is ever written lies in copy B, and power may have torn it on all drives. Once there is a copy A, a
 * whole one was there before it. */
static bool
was_written(const struct log_group *g, unsigned int copy)
{
	struct lgroup_note n;
	int ret = lgroup_note_decode(&n, g->note_page->addr);

	return copy == 0 && (ret == -EBADMSG || ret == -EPROTO ||
			     (ret == -ENOENT && lgroup_note_is_of(g->note_page->addr, g->s.uuid)));
}

/* The newest copy of a note on one member. @return 0 and *seq, 0 if it has none; -errno. */
static int
member_note(struct log_group *g, uint32_t i, uint32_t id, uint64_t *seq)
{
	*seq = 0;
	for (unsigned int copy = 0; copy < 2; copy++) {
		struct lgroup_note n;
		int ret = strake_drive_sync(g->m[i].drive, STRAKE_IO_READ, lgroup_note_off(id, copy), g->note_page,
					    LOG_NOTE_SLOT);

		if (ret < 0)
			return ret;
		if (lgroup_note_decode(&n, g->note_page->addr) < 0 || n.id != id || (n.seq & 1) != copy ||
		    memcmp(n.uuid, g->s.uuid, sizeof(n.uuid)) != 0) {
			g->note_lost[id] = g->note_lost[id] || was_written(g, copy);
			continue;
		}
		*seq = RTE_MAX(*seq, n.seq);
		if (n.seq <= g->note_seq[id])
			continue;
		g->note_seq[id] = n.seq;
		g->note_len[id] = n.len;
		memcpy(blob(g, id), (uint8_t *)g->note_page->addr + LOG_NOTE_HEAD, n.len);
	}
	return 0;
}

static void
load_written(struct log_group *g, uint32_t failed)
{
	g->lost |= failed;
	lgroup_job_end(g);
}

int
lgroup_notes_load(struct log_group *g)
{
	uint64_t seq[LOG_MEMBERS_MAX];

	for (uint32_t id = 0; id < LOG_NOTES; id++) {
		uint32_t lacking = 0;

		for (uint32_t i = 0; i < g->s.members; i++) {
			seq[i] = 0;
			/* One that cannot be read there may do for the rest; what it lacks is written anew. */
			if (g->m[i].state == LOG_MEMBER_IN_SYNC && member_note(g, i, id, &seq[i]) == -ENODEV)
				return -ENODEV;
		}
		g->note_lost[id] = g->note_lost[id] && g->note_seq[id] == 0;
		for (uint32_t i = 0; i < g->s.members; i++) {
			if (g->m[i].state != LOG_MEMBER_MISSING && seq[i] < g->note_seq[id])
				lacking |= 1u << i;
		}
		if (lacking == 0)
			continue;
		g->busy = true;
		lgroup_note_fan(g, id, lacking, load_written);
		lgroup_settle(g);
	}
	return 0;
}
