/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * A sweep goes to every data lcore, stays on its list while commands it looks for are lent by one of that lcore's queue
 * pairs, and comes back. Queue pairs that main has forgotten are among them as long as drives have their commands.
 */

#include "sweep.h"

#include <stdlib.h>
#include <string.h>

#include <rte_debug.h>

#include "io.h"

struct nvmf_sweep {
	struct strake_msg msg;
	struct nvmf_sweep *next; /* of the lcore's list */
	struct nvmf_subsystem *sub;
	uint32_t nsid;
	enum nvmf_sweep_what what;
	bool one_host;
	uint8_t hostid[16];
	struct nvmf_barrier *barrier;
};

/* --- on the lcore --------------------------------------------------------------------------------------------------
 */

static bool
looks_at(const struct nvmf_sweep *s, const struct nvmf_qpair *qp)
{
	return qp->ns == &s->sub->table[strake_self_index()] &&
	       (!s->one_host || memcmp(qp->hostid, s->hostid, sizeof(qp->hostid)) == 0);
}

/* Commands with main are not I/O: a reservation command may be what waits for this sweep. */
static bool
concerns(const struct nvmf_sweep *s, const struct nvmf_cmd *cmd)
{
	return cmd->state != NVMF_CMD_MAIN && cmd->sqe.opc != NVME_OPC_FABRICS && cmd->sqe.nsid == s->nsid;
}

static bool
over(const struct nvmf_lcore *lc, const struct nvmf_sweep *s)
{
	for (const struct nvmf_qpair *qp = lc->qpairs; qp != NULL; qp = qp->lc_next) {
		if (!looks_at(s, qp))
			continue;
		for (const struct nvmf_cmd *cmd = qp->lent; cmd != NULL; cmd = cmd->next)
			if (concerns(s, cmd) && (s->what == NVMF_SWEEP_ALL || cmd->swept))
				return false;
	}
	return true;
}

static void
back(struct strake_msg *msg)
{
	struct nvmf_sweep *s = container_of(msg, struct nvmf_sweep, msg);

	nvmf_target->rounds--;
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
mark(const struct nvmf_sweep *s, struct nvmf_qpair *qp)
{
	for (struct nvmf_cmd *cmd = qp->lent; cmd != NULL; cmd = cmd->next) {
		if (!concerns(s, cmd))
			continue;
		cmd->swept = true;
		if (s->what == NVMF_SWEEP_STOP)
			nvmf_cmd_stop(cmd, NVME_SC_ABORT_REQ);
	}
}

static void
begin(struct strake_msg *msg)
{
	struct nvmf_sweep *s = container_of(msg, struct nvmf_sweep, msg);
	struct nvmf_lcore *lc = nvmf_lcore_self();

	for (struct nvmf_qpair *qp = lc->qpairs; qp != NULL; qp = qp->lc_next)
		if (looks_at(s, qp))
			mark(s, qp);
	if (over(lc, s)) {
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

		if (!over(lc, s)) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		end(s);
		n++;
	}
	return n;
}

/* --- on main -------------------------------------------------------------------------------------------------------
 */

void
nvmf_sweep(struct nvmf_subsystem *sub, uint32_t nsid, const uint8_t *hostid, enum nvmf_sweep_what what,
	   struct nvmf_barrier *b)
{
	uint32_t running = __atomic_load_n(&nvmf_target->lcores, __ATOMIC_ACQUIRE);

	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++) {
		struct nvmf_sweep *s;

		if ((running & 1u << i) == 0)
			continue;
		s = calloc(1, sizeof(*s));
		if (s == NULL) /* to go on without would break the promise that is waited for */
			rte_panic("no memory to wait for commands of namespace %u\n", nsid);
		s->msg.fn = begin;
		s->sub = sub;
		s->nsid = nsid;
		s->what = what;
		s->one_host = hostid != NULL;
		if (hostid != NULL)
			memcpy(s->hostid, hostid, sizeof(s->hostid));
		s->barrier = b;
		nvmf_barrier_hold(b);
		nvmf_target->rounds++;
		strake_msg_send(i, &s->msg);
	}
}
