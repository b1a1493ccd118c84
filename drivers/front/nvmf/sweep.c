/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * A sweep goes to the queue pair's lcore, stays on that lcore's list while commands it looks for are lent, and comes
 * back. Main sends it before it could tell the lcore that the queue pair is forgotten, so the pointer is good there;
 * a queue pair that goes takes its sweeps off the list.
 */

#include "sweep.h"

#include <stdlib.h>
#include <string.h>

#include "io.h"

struct nvmf_sweep {
	struct strake_msg msg;
	struct nvmf_sweep *next; /* of the lcore's list */
	struct nvmf_qpair *qp;
	uint32_t nsid;
	enum nvmf_sweep_what what;
	struct nvmf_barrier *barrier;
};

/* --- on the lcore --------------------------------------------------------------------------------------------------
 */

/* Commands with main are not I/O: a reservation command may be what waits for this sweep. */
static bool
concerns(const struct nvmf_sweep *s, const struct nvmf_cmd *cmd)
{
	return cmd->state != NVMF_CMD_MAIN && cmd->sqe.opc != NVME_OPC_FABRICS && cmd->sqe.nsid == s->nsid &&
	       (s->what == NVMF_SWEEP_ALL || cmd->swept);
}

static bool
over(const struct nvmf_sweep *s)
{
	for (const struct nvmf_cmd *cmd = s->qp->lent; cmd != NULL; cmd = cmd->next)
		if (concerns(s, cmd))
			return false;
	return true;
}

static void
back(struct strake_msg *msg)
{
	struct nvmf_sweep *s = container_of(msg, struct nvmf_sweep, msg);

	nvmf_barrier_drop(s->barrier);
	free(s);
}

static void
end(struct nvmf_sweep *s)
{
	s->msg.fn = back;
	strake_msg_send(STRAKE_LCORE_MAIN, &s->msg);
}

static void
begin(struct strake_msg *msg)
{
	struct nvmf_sweep *s = container_of(msg, struct nvmf_sweep, msg);
	struct nvmf_lcore *lc = nvmf_lcore_self();

	for (struct nvmf_cmd *cmd = s->qp->lent; cmd != NULL; cmd = cmd->next) {
		if (cmd->state == NVMF_CMD_MAIN || cmd->sqe.nsid != s->nsid)
			continue;
		cmd->swept = true;
		if (s->what == NVMF_SWEEP_STOP)
			nvmf_cmd_stop(cmd, NVME_SC_ABORT_REQ);
	}
	if (over(s)) {
		end(s);
		return;
	}
	s->next = lc->sweeps;
	lc->sweeps = s;
}

uint32_t
nvmf_sweep_poll(struct nvmf_lcore *lc)
{
	uint32_t n = 0;

	for (struct nvmf_sweep **at = &lc->sweeps; *at != NULL;) {
		struct nvmf_sweep *s = *at;

		if (!over(s)) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		end(s);
		n++;
	}
	return n;
}

void
nvmf_sweep_gone(struct nvmf_qpair *qp)
{
	struct nvmf_lcore *lc = nvmf_lcore_self();

	for (struct nvmf_sweep **at = &lc->sweeps; *at != NULL;) {
		struct nvmf_sweep *s = *at;

		if (s->qp != qp) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		end(s);
	}
}

/* --- on main -------------------------------------------------------------------------------------------------------
 */

static void
sweep_qpair(struct nvmf_ctrlr *c, struct nvmf_qpair *qp, uint32_t nsid, enum nvmf_sweep_what what,
	    struct nvmf_barrier *b)
{
	struct nvmf_sweep *s = malloc(sizeof(*s));

	if (s == NULL) { /* its commands end with it */
		nvmf_ctrlr_kill(c);
		return;
	}
	*s = (struct nvmf_sweep){.msg.fn = begin, .qp = qp, .nsid = nsid, .what = what, .barrier = b};
	nvmf_barrier_hold(b);
	strake_msg_send(qp->lcore, &s->msg);
}

void
nvmf_sweep(struct nvmf_subsystem *sub, uint32_t nsid, const uint8_t *hostid, enum nvmf_sweep_what what,
	   struct nvmf_barrier *b)
{
	for (struct nvmf_ctrlr *c = sub->ctrlrs; c != NULL; c = c->next) {
		if (hostid != NULL && memcmp(c->hostid, hostid, sizeof(c->hostid)) != 0)
			continue;
		for (struct nvmf_qpair *qp = c->qpairs; qp != NULL; qp = qp->ctrlr_next)
			if (qp != c->admin)
				sweep_qpair(c, qp, nsid, what, b);
	}
}
