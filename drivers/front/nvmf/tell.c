/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * What a host is told by another of its paths.
 *
 * When a path dies silently both sides find out by their own timeouts. Ours is the keep-alive timer; a host's may be a
 * good deal longer: the keep-alive that times out in Linux 6.1 begins a recovery, which waits for that same keep-alive
 * to time out once more. Recovery that begins earlier does not, and it begins when a connection of the controller is
 * reset. That the transport can bring about by a connection that the host has with us by another path. Main lcore.
 */

#include <string.h>

#include <rte_log.h>

#include "ctrlr.h"

RTE_LOG_REGISTER(tell_log, strake.nvmf, INFO)

static bool
same_host(const struct nvmf_ctrlr *a, const struct nvmf_ctrlr *b)
{
	return memcmp(a->hostid, b->hostid, sizeof(a->hostid)) == 0 && strcmp(a->hostnqn, b->hostnqn) == 0;
}

/* Another of the host's controllers, which it reached at another address: of several that which was heard last, for a
 * path that died with this one may not be known to have. */
static struct nvmf_ctrlr *
other_path(const struct nvmf_ctrlr *c)
{
	struct nvmf_ctrlr *best = NULL;

	for (struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next)
		for (struct nvmf_ctrlr *o = sub->ctrlrs; o != NULL; o = o->next)
			if (!o->dying && o->admin != NULL && o->transport == c->transport &&
			    strcmp(o->local, c->local) != 0 && same_host(o, c) &&
			    (best == NULL || o->heard_at > best->heard_at))
				best = o;
	return best;
}

struct nvmf_qpair *
nvmf_tell_by(const struct nvmf_qpair *lost)
{
	struct nvmf_ctrlr *c = lost->ctrlr, *by;

	if (c == NULL || !(c->silent || lost->silent) || lost->transport->tell == NULL)
		return NULL;
	/* One would do for Linux, and a host may have thousands. The admin queue is idle, so its reset fits best. */
	if (lost != c->admin && c->told >= NVMF_TELL_MAX)
		return NULL;
	by = other_path(c);
	if (by == NULL)
		return NULL;
	if (c->told == 0)
		rte_log(RTE_LOG_NOTICE, tell_log, "NVMF: %s is told by controller %u of %s that %u of %s has ended\n",
			c->hostnqn, by->cntlid, by->sub->nqn, c->cntlid, c->sub->nqn);
	c->told++;
	return by->admin;
}
