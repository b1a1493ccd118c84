/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Features: values a host may look at and some it may set; none survives the controller. Main lcore. */

#include <string.h>

#include "admin.h"
#include "io.h"
#include "resv.h"

#define ASYNC_EVENTS   (NVME_AEN_NS_ATTR | NVME_AEN_ANA | NVME_AEN_DISCOVERY)
#define TEMP_OVER_OFF  0xffffu /* the threshold nothing reaches */
#define TEMP_THSEL(v)  (((v) >> 20) & 3)
#define TEMP_SENSOR(v) (((v) >> 16) & 0xf)

static const struct {
	uint8_t fid;
	bool changeable;
	bool discovery;	  /* a discovery controller has it too */
	uint32_t mask;	  /* bits a host may set */
	uint32_t initial; /* default value */
} table[NVMF_FEATURES] = {
	[NVMF_FEAT_ARBITRATION] = {NVME_FID_ARBITRATION, true, false, 0xffffff07, 0x7},
	[NVMF_FEAT_POWER] = {NVME_FID_POWER, true, false, 0, 0},
	[NVMF_FEAT_TEMPERATURE] = {NVME_FID_TEMPERATURE, true, false, 0xffff, TEMP_OVER_OFF},
	[NVMF_FEAT_ERROR_RECOVERY] = {NVME_FID_ERROR_RECOVERY, true, false, 0xffff, 0},
	[NVMF_FEAT_VWC] = {NVME_FID_VWC, false, false, 1, 0},
	[NVMF_FEAT_QUEUES] = {NVME_FID_QUEUES, true, false, UINT32_MAX, 0},
	[NVMF_FEAT_ATOMICITY] = {NVME_FID_ATOMICITY, true, false, 1, 0},
	[NVMF_FEAT_ASYNC_EVENT] = {NVME_FID_ASYNC_EVENT, true, true, ASYNC_EVENTS | NVME_AEN_SMART, 0},
	[NVMF_FEAT_KATO] = {NVME_FID_KATO, true, true, UINT32_MAX, 0},
	[NVMF_FEAT_IOCS_PROFILE] = {NVME_FID_IOCS_PROFILE, true, false, 0, 0},
	[NVMF_FEAT_HOSTID] = {NVME_FID_HOSTID, false, false, 0, 0},
};

bool
nvmf_has_cache(const struct nvmf_subsystem *sub)
{
	for (uint32_t i = 0; i < sub->ns->n; i++)
		if (sub->ns->ns[i].vol != NULL && sub->ns->ns[i].vol->volatile_cache)
			return true;
	return false;
}

/* What hosts get at most: both counts 0-based. */
static uint32_t
queues_of(uint32_t n)
{
	return (n - 1) | (n - 1) << 16;
}

static uint32_t
initial(const struct nvmf_ctrlr *c, enum nvmf_feature f)
{
	if (f == NVMF_FEAT_QUEUES && !c->sub->discovery)
		return queues_of(c->sub->max_queues);
	if (f == NVMF_FEAT_VWC)
		return nvmf_has_cache(c->sub);
	return table[f].initial;
}

void
nvmf_feature_defaults(struct nvmf_ctrlr *c)
{
	for (int f = 0; f < NVMF_FEATURES; f++)
		if (f != NVMF_FEAT_KATO) /* was set by Connect, and outlives a reset */
			c->feature[f] = initial(c, f);
	c->temp_under = 0;
	memset(c->resv_mask, 0, sizeof(c->resv_mask));
}

static int
find(const struct nvmf_ctrlr *c, uint8_t fid)
{
	for (int f = 0; f < NVMF_FEATURES; f++)
		if (table[f].fid == fid && (table[f].discovery || !c->sub->discovery))
			/* without a write cache the feature does not exist */
			return f == NVMF_FEAT_VWC && !nvmf_has_cache(c->sub) ? -1 : f;
	return -1;
}

static void
current(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, int f)
{
	cmd->cqe.cdw0 = c->feature[f];
	if (f == NVMF_FEAT_VWC)
		cmd->cqe.cdw0 = nvmf_has_cache(c->sub);
	if (f == NVMF_FEAT_TEMPERATURE) {
		if (TEMP_SENSOR(cmd->sqe.cdw11) != 0 || TEMP_THSEL(cmd->sqe.cdw11) > 1)
			nvmf_status_set(cmd, NVME_SC_INVALID_FIELD, true);
		else if (TEMP_THSEL(cmd->sqe.cdw11) == 1)
			cmd->cqe.cdw0 = c->temp_under;
	}
	if (f != NVMF_FEAT_HOSTID)
		return;
	cmd->cqe.cdw0 = 1; /* EXHID: fabrics knows only 128-bit host identifiers */
	if ((cmd->sqe.cdw11 & 1) == 0)
		nvmf_status_set(cmd, NVME_SC_INVALID_FIELD, true);
	else
		nvmf_admin_reply(cmd, c->hostid, sizeof(c->hostid));
}

void
nvmf_get_feature(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	int f;

	if (nvmf_resv_get_feature(c, cmd))
		return;
	f = find(c, (uint8_t)cmd->sqe.cdw10);
	if (f < 0) {
		nvmf_status_set(cmd, NVME_SC_INVALID_FIELD, true);
		return;
	}
	switch ((cmd->sqe.cdw10 >> 8) & 7) {
	case NVME_SEL_CURRENT:
		current(c, cmd, f);
		break;
	case NVME_SEL_DEFAULT:
	case NVME_SEL_SAVED: /* none is saveable: then it is the default */
		cmd->cqe.cdw0 = initial(c, f);
		break;
	case NVME_SEL_SUPPORTED:
		cmd->cqe.cdw0 = table[f].changeable ? NVME_FEAT_CHANGEABLE : 0;
		break;
	default:
		nvmf_status_set(cmd, NVME_SC_INVALID_FIELD, true);
	}
}

static uint16_t
set_queues(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	uint32_t sq = cmd->sqe.cdw11 & 0xffff, cq = cmd->sqe.cdw11 >> 16;
	uint32_t max = c->sub->max_queues - 1u;

	if (sq == 0xffff || cq == 0xffff)
		return NVME_SC_INVALID_FIELD;
	if (c->n_qpairs > 1)
		return NVME_SC_SEQUENCE; /* only before the first I/O queue */
	c->feature[NVMF_FEAT_QUEUES] = RTE_MIN(sq, max) | RTE_MIN(cq, max) << 16;
	cmd->cqe.cdw0 = c->feature[NVMF_FEAT_QUEUES];
	return 0;
}

static uint16_t
set_temperature(struct nvmf_ctrlr *c, uint32_t value)
{
	if (TEMP_SENSOR(value) != 0 || TEMP_THSEL(value) > 1)
		return NVME_SC_INVALID_FIELD;
	if (TEMP_THSEL(value) == 1)
		c->temp_under = value & 0xffff;
	else
		c->feature[NVMF_FEAT_TEMPERATURE] = value & 0xffff;
	return 0;
}

/* All but error recovery are the controller's: a host that names a namespace takes them for something else. */
static uint16_t
check_scope(const struct nvmf_cmd *cmd, int f)
{
	uint32_t nsid = cmd->sqe.nsid;

	if (nsid == 0 || nsid == NVME_NSID_ALL || f == NVMF_FEAT_ERROR_RECOVERY)
		return 0;
	return nsid > NVMF_NS_MAX ? NVME_SC_INVALID_NS : NVME_SC_FEATURE_NOT_NS;
}

static uint16_t
set(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	int f = find(c, (uint8_t)cmd->sqe.cdw10);
	uint32_t value = cmd->sqe.cdw11;
	uint16_t sc;

	if (f < 0)
		return NVME_SC_INVALID_FIELD;
	if ((cmd->sqe.cdw10 & NVME_FEAT_SAVE) != 0)
		return NVME_SC_FEATURE_NOT_SAVEABLE;
	sc = check_scope(cmd, f);
	if (sc != 0)
		return sc;
	switch (f) {
	case NVMF_FEAT_QUEUES:
		return set_queues(c, cmd);
	case NVMF_FEAT_TEMPERATURE:
		return set_temperature(c, value);
	case NVMF_FEAT_KATO:
		nvmf_ka_start(c, value);
		return 0;
	case NVMF_FEAT_HOSTID: /* Connect has set it */
		return NVME_SC_SEQUENCE;
	case NVMF_FEAT_VWC: /* the cache is the drives', and stays on */
		return (value & 1) == nvmf_has_cache(c->sub) ? 0 : NVME_SC_FEATURE_NOT_CHANGEABLE;
	case NVMF_FEAT_POWER:
	case NVMF_FEAT_IOCS_PROFILE: /* there is one power state, one combination of command sets */
		if ((value & (f == NVMF_FEAT_POWER ? 0x1f : 0x1ff)) != 0)
			return NVME_SC_INVALID_FIELD;
		break;
	default:
		break;
	}
	c->feature[f] = value & table[f].mask;
	return 0;
}

void
nvmf_set_feature(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	uint16_t sc;

	if (nvmf_resv_set_feature(c, cmd))
		return;
	sc = set(c, cmd);
	if (sc != 0)
		nvmf_status_set(cmd, sc, true);
}
