/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Connect: who may have which queue. (NVMe base 2.0, 6.3) Main lcore. */

#include <errno.h>
#include <string.h>

#include "admin.h"
#include "io.h"

static void
invalid(struct nvmf_cmd *cmd, uint32_t where)
{
	cmd->cqe.cdw0 = where;
	nvmf_status_set(cmd, NVME_SC_CONNECT_INVALID, true);
}

#define IN_COMMAND(field) NVME_CONNECT_IN_COMMAND(offsetof(struct nvme_cmd, field))
#define IN_DATA(field)	  NVME_CONNECT_IN_DATA(offsetof(struct nvme_connect_data, field))

/* A name of the wire: ended, not empty, not too long, of printable characters. */
static bool
good_nqn(const char *nqn)
{
	size_t len = strnlen(nqn, NVME_NQN_LEN);

	if (len == 0 || len > NVME_NQN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)nqn[i] < 0x20 || (uint8_t)nqn[i] == 0x7f)
			return false;
	return true;
}

static bool
check_size(struct nvmf_cmd *cmd, uint16_t limit)
{
	if (cmd->sqe.sqsize != 0 && cmd->sqe.sqsize < limit)
		return true;
	invalid(cmd, IN_COMMAND(sqsize));
	return false;
}

static void
accept_queue(struct nvmf_cmd *cmd, struct nvmf_ctrlr *c)
{
	cmd->c_ns = &c->sub->table[cmd->qp->lcore];
	cmd->c_host = nvmf_rules_host(c->hostnqn);
	/* Its lcore looks at these two once it is connected. */
	memcpy(cmd->qp->hostid, c->hostid, sizeof(cmd->qp->hostid));
	cmd->qp->ana_sc = nvmf_ana_status(c);
	cmd->c_discovery = c->sub->discovery;
	cmd->c_sqhd_off = (cmd->sqe.cattr & NVME_CONNECT_DISABLE_SQ_FLOW) != 0;
	cmd->cqe.cdw0 = c->cntlid; /* AUTHREQ 0 */
}

static void
connect_admin(struct nvmf_cmd *cmd, struct nvmf_subsystem *sub, const struct nvme_connect_data *data)
{
	struct nvmf_ctrlr *c;
	int ret;

	if (data->cntlid != NVME_CNTLID_DYNAMIC) {
		invalid(cmd, IN_DATA(cntlid));
		return;
	}
	if (!check_size(cmd, cmd->qp->size))
		return;
	ret = nvmf_ctrlr_create(&c, sub, cmd->qp, data);
	if (ret < 0) {
		nvmf_status_set(cmd, ret == -EBUSY ? NVME_SC_CONNECT_BUSY : NVME_SC_INTERNAL, false);
		return;
	}
	cmd->qp->priv[0] = 0;
	accept_queue(cmd, c);
	nvmf_ka_start(c, cmd->sqe.kato);
}

static void
connect_io(struct nvmf_cmd *cmd, struct nvmf_subsystem *sub, const struct nvme_connect_data *data)
{
	struct nvmf_ctrlr *c = nvmf_ctrlr_find(sub, data->cntlid);
	uint16_t qid = cmd->sqe.qid;

	if (sub->discovery || qid > sub->max_queues) {
		invalid(cmd, IN_COMMAND(qid));
		return;
	}
	if (c == NULL || c->dying || c->admin == NULL || c->transport != cmd->qp->transport) {
		invalid(cmd, IN_DATA(cntlid));
		return;
	}
	if (strcmp(c->hostnqn, data->hostnqn) != 0) {
		invalid(cmd, IN_DATA(hostnqn));
		return;
	}
	if (memcmp(c->hostid, data->hostid, sizeof(c->hostid)) != 0) {
		invalid(cmd, IN_DATA(hostid));
		return;
	}
	if ((c->csts & (NVME_CSTS_RDY | NVME_CSTS_SHST_MASK)) != NVME_CSTS_RDY || c->stopping ||
	    nvmf_ctrlr_qpair(c, qid) != NULL) {
		nvmf_status_set(cmd, NVME_SC_SEQUENCE, true);
		return;
	}
	if (!check_size(cmd, RTE_MIN(nvmf_ctrlr_depth(c), cmd->qp->size)))
		return;
	cmd->qp->priv[0] = qid;
	nvmf_ctrlr_add(c, cmd->qp);
	accept_queue(cmd, c);
}

void
nvmf_connect(struct nvmf_cmd *cmd)
{
	struct nvme_connect_data data;
	struct nvmf_subsystem *sub;

	if (!nvmf_admin_payload(cmd, &data, sizeof(data)))
		return;
	if (cmd->sqe.recfmt != 0) {
		nvmf_status_set(cmd, NVME_SC_CONNECT_FORMAT, true);
		return;
	}
	if (nvmf_target->draining) {
		nvmf_status_set(cmd, NVME_SC_CONNECT_BUSY, false);
		return;
	}
	if (!good_nqn(data.subnqn)) {
		invalid(cmd, IN_DATA(subnqn));
		return;
	}
	if (!good_nqn(data.hostnqn)) {
		invalid(cmd, IN_DATA(hostnqn));
		return;
	}
	sub = nvmf_subsystem_find(data.subnqn);
	if (sub == NULL) {
		invalid(cmd, IN_DATA(subnqn));
		return;
	}
	if (!nvmf_host_allowed(sub, data.hostnqn)) {
		nvmf_status_set(cmd, NVME_SC_CONNECT_HOST, true);
		return;
	}
	if (cmd->sqe.qid == 0)
		connect_admin(cmd, sub, &data);
	else
		connect_io(cmd, sub, &data);
}
