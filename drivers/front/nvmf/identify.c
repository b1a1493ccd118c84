/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Identify, in the forms hosts ask for. Main lcore. */

#include <string.h>

#include "admin.h"
#include "io.h"
#include "resv_store.h"

/* Text of fixed width, padded with spaces, not ended. */
static void
pad(char *dst, size_t len, const char *src)
{
	size_t n = strnlen(src, len);

	memcpy(dst, src, n);
	memset(dst + n, ' ', len - n);
}

static uint8_t
mdts(const struct nvmf_ctrlr *c)
{
	uint32_t pages = RTE_MIN(c->transport->max_xfer, STRAKE_BUF_PAGE_MAX) / 4096;

	return pages < 2 ? 0 : (uint8_t)(31 - __builtin_clz(pages));
}

static void
id_ctrlr_common(const struct nvmf_ctrlr *c, struct nvme_id_ctrlr *id)
{
	pad(id->sn, sizeof(id->sn), c->sub->serial);
	pad(id->mn, sizeof(id->mn), c->sub->model);
	pad(id->fr, sizeof(id->fr), NVMF_FIRMWARE);
	id->mdts = mdts(c);
	id->cntlid = c->cntlid;
	id->ver = NVME_VERSION(2, 0, 0);
	id->ctratt = NVME_CTRATT_HOSTID128;
	id->aerl = NVMF_AER_MAX - 1;
	id->elpe = NVMF_ERRORS_MAX - 1;
	id->lpa = NVME_LPA_EXTENDED | NVME_LPA_SUPPORTED;
	id->kas = NVMF_KAS;
	id->maxcmd = nvmf_ctrlr_depth(c);
	id->sgls = NVME_SGLS_SUPPORTED | NVME_SGLS_OFFSET | NVME_SGLS_TRANSPORT;
	memcpy(id->subnqn, c->sub->nqn, sizeof(id->subnqn));
}

static void
id_ctrlr_io(const struct nvmf_ctrlr *c, struct nvme_id_ctrlr *id)
{
	id->cntrltype = 1;
	id->cmic = NVME_CMIC_MULTI_PORT | NVME_CMIC_MULTI_CTRLR | NVME_CMIC_ANA;
	id->oaes = NVME_AEN_NS_ATTR | NVME_AEN_ANA;
	id->acl = NVMF_ABORT_MAX - 1;
	id->frmw = 0x03; /* one slot, read-only */
	id->lpa |= NVME_LPA_EFFECTS;
	id->anatt = NVMF_ANATT_S;
	id->anacap = NVME_ANACAP_OPTIMIZED | NVME_ANACAP_NON_OPT | NVME_ANACAP_NO_ACCESS | NVME_ANACAP_CHANGE |
		     NVME_ANACAP_FIXED | NVME_ANACAP_NONZERO;
	id->anagrpmax = NVMF_ANA_GROUP;
	id->nanagrpid = 1;
	id->sqes = 0x66;
	id->cqes = 0x44;
	id->nn = NVMF_NS_MAX;
	id->mnan = NVMF_NS_MAX;
	id->oncs = NVME_ONCS_COMPARE | NVME_ONCS_DSM | NVME_ONCS_WRITE_ZEROES | NVME_ONCS_SAVE | NVME_ONCS_VERIFY |
		   NVME_ONCS_RESERVATIONS;
	id->fuses = NVME_FUSES_CMP_WRITE;
	id->vwc = NVME_VWC_FLUSH_NO_ALL | (nvmf_has_cache(c->sub) ? NVME_VWC_PRESENT : 0);
	/* AWUN, AWUPF, ACWU 0: one block is what a split across slabs, stripes and drives always leaves whole. */
	id->ioccsz = (sizeof(struct nvme_cmd) + c->transport->in_capsule) / 16;
	id->iorcsz = sizeof(struct nvme_cpl) / 16;
	id->msdbd = 1;
	id->ofcs = 1;
}

static uint16_t
id_ctrlr(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, void *out)
{
	struct nvme_id_ctrlr *id = out;

	id_ctrlr_common(c, id);
	if (c->sub->discovery) {
		id->cntrltype = 2;
		id->oaes = NVME_AEN_DISCOVERY;
	} else {
		id_ctrlr_io(c, id);
	}
	return 0;
}

/* --- namespaces ----------------------------------------------------------------------------------------------------
 */

static bool
valid_nsid(uint32_t nsid)
{
	return nsid != 0 && nsid <= NVMF_NS_MAX;
}

/* An inactive namespace reads as zeroes; an id that cannot be is an error. */
static uint16_t
find_ns(const struct nvmf_ctrlr *c, const struct nvmf_cmd *cmd, const struct nvmf_ns **ns)
{
	*ns = NULL;
	if (!valid_nsid(cmd->sqe.nsid))
		return NVME_SC_INVALID_NS;
	*ns = nvmf_ns_of(c->sub->ns, cmd->sqe.nsid);
	return 0;
}

static uint8_t
rescap(void)
{
	return NVME_RESCAP_TYPES | NVME_RESCAP_IEKEY13 | (nvmf_store_ready() ? NVME_RESCAP_PTPL : 0);
}

/* What is written whole, or not at all, is also what is best written and deallocated. (0-based) */
static void
units(struct nvme_id_ns *id, uint16_t n)
{
	id->nsfeat |= NVME_NSFEAT_NABP | NVME_NSFEAT_OPTPERF;
	id->nawun = id->nawupf = id->nabsn = id->nabspf = n;
	id->npwg = id->npwa = id->npdg = id->npda = n;
}

static uint16_t
id_ns(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, void *out)
{
	struct nvme_id_ns *id = out;
	const struct nvmf_ns *ns;
	uint16_t sc = find_ns(c, cmd, &ns);

	if (sc != 0 || ns == NULL)
		return sc;
	id->nsze = id->ncap = ns->nlb;
	if (nvmf_ana_state(c) != NVME_ANA_INACCESSIBLE) /* 8.1.3.3: not reported on such a path */
		id->nuse = ns->vol->thin ? RTE_MIN(ns->vol->used, ns->nlb) : ns->nlb;
	if (ns->vol->thin)
		id->nsfeat |= NVME_NSFEAT_THIN;
	if (ns->vol->atomic > 1)
		units(id, (uint16_t)(ns->vol->atomic - 1));
	id->nmic = 1;
	id->rescap = rescap();
	id->dlfeat = NVME_DLFEAT_WZ_DEAC; /* deallocated blocks read as zeroes or as before: not reported */
	id->nvmcap[0] = ns->nlb << ns->lba_shift;
	id->anagrpid = NVMF_ANA_GROUP;
	id->nsattr = ns->read_only;
	memcpy(id->nguid, ns->vol->uuid, sizeof(id->nguid));
	memcpy(id->eui64, ns->vol->uuid + 8, sizeof(id->eui64));
	id->lbaf[0].lbads = ns->lba_shift;
	return 0;
}

static uint16_t
id_indep_ns(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, void *out)
{
	struct nvme_id_indep_ns *id = out;
	const struct nvmf_ns *ns;
	uint16_t sc = find_ns(c, cmd, &ns);

	if (sc != 0 || ns == NULL)
		return sc;
	id->nmic = 1;
	id->rescap = rescap();
	id->anagrpid = NVMF_ANA_GROUP;
	id->nsattr = ns->read_only;
	id->nstat = 1;
	return 0;
}

static uint8_t *
descriptor(uint8_t *at, uint8_t type, const void *value, uint8_t len)
{
	struct nvme_ns_desc head = {.nidt = type, .nidl = len};

	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), value, len);
	return at + sizeof(head) + len;
}

static uint16_t
id_ns_desc(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, void *out)
{
	const uint8_t csi = NVME_CSI_NVM;
	const struct nvmf_ns *ns;
	uint8_t *at = out;

	if (find_ns(c, cmd, &ns) != 0 || ns == NULL)
		return NVME_SC_INVALID_NS;
	at = descriptor(at, NVME_NIDT_EUI64, ns->vol->uuid + 8, 8);
	at = descriptor(at, NVME_NIDT_NGUID, ns->vol->uuid, 16);
	at = descriptor(at, NVME_NIDT_UUID, ns->vol->uuid, 16);
	descriptor(at, NVME_NIDT_CSI, &csi, sizeof(csi));
	return 0;
}

static uint16_t
id_ns_list(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, void *out)
{
	struct nvme_ns_list *list = out;
	unsigned int n = 0;

	if (cmd->sqe.nsid >= NVME_NSID_MAX)
		return NVME_SC_INVALID_NS;
	for (uint64_t nsid = cmd->sqe.nsid + 1ull; nsid <= c->sub->ns->n && n < NVME_ID_LIST_MAX; nsid++)
		if (nvmf_ns_of(c->sub->ns, (uint32_t)nsid) != NULL)
			list->nsid[n++] = (uint32_t)nsid;
	return 0;
}

/* Of the NVM command set these say nothing but defaults; the namespace must be one, though. */
static uint16_t
id_cs_ns(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, void *out)
{
	const struct nvmf_ns *ns;

	return find_ns(c, cmd, &ns);
}

static uint16_t
id_cs_ctrlr(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, void *out)
{
	struct nvme_id_cs_ctrlr *id = out;

	/* Hosts that are told no limit take that of transfers, and send a thousand commands for one. */
	id->wzsl = NVMF_ZEROES_SHIFT - 12;
	return 0;
}

/* --- others --------------------------------------------------------------------------------------------------------
 */

/* Ids in rising order from the one named on: selects the next smallest each time, lists are short. */
static void
list_ctrlrs(const struct nvmf_subsystem *sub, uint16_t from, struct nvme_ctrlr_list *list)
{
	uint32_t least = from;

	while (list->n < RTE_DIM(list->cntlid)) {
		uint32_t next = UINT32_MAX;

		for (const struct nvmf_ctrlr *c = sub->ctrlrs; c != NULL; c = c->next)
			if (c->cntlid >= least && c->cntlid < next)
				next = c->cntlid;
		if (next == UINT32_MAX)
			return;
		list->cntlid[list->n++] = (uint16_t)next;
		least = next + 1;
	}
}

static uint16_t
id_ctrlrs(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, void *out)
{
	list_ctrlrs(c->sub, (uint16_t)(cmd->sqe.cdw10 >> 16), out);
	return 0;
}

static uint16_t
id_ns_ctrlrs(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, void *out)
{
	const struct nvmf_ns *ns;

	if (find_ns(c, cmd, &ns) != 0)
		return NVME_SC_INVALID_NS;
	return ns == NULL ? 0 : id_ctrlrs(c, cmd, out); /* every controller has every namespace */
}

static uint16_t
id_iocs(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, void *out)
{
	struct nvme_iocs_list *list = out;
	uint16_t cntlid = (uint16_t)(cmd->sqe.cdw10 >> 16);

	if (cntlid != UINT16_MAX && cntlid != c->cntlid)
		return NVME_SC_INVALID_FIELD;
	list->vector[0] = 1ull << NVME_CSI_NVM;
	return 0;
}

static const struct {
	uint8_t cns;
	bool discovery; /* a discovery controller has it too */
	bool csi;	/* names an I/O command set: it must be NVM */
	uint16_t (*fn)(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, void *out);
} table[] = {
	{NVME_CNS_NS, false, false, id_ns},
	{NVME_CNS_CTRLR, true, false, id_ctrlr},
	{NVME_CNS_ACTIVE_NS, false, false, id_ns_list},
	{NVME_CNS_NS_DESC, false, false, id_ns_desc},
	{NVME_CNS_CS_NS, false, true, id_cs_ns},
	{NVME_CNS_CS_CTRLR, false, true, id_cs_ctrlr},
	{NVME_CNS_CS_ACTIVE_NS, false, true, id_ns_list},
	{NVME_CNS_INDEP_NS, false, false, id_indep_ns},
	{NVME_CNS_ALLOCATED_NS, false, false, id_ns_list},
	{NVME_CNS_NS_ALLOCATED, false, false, id_ns},
	{NVME_CNS_NS_CTRLRS, false, false, id_ns_ctrlrs},
	{NVME_CNS_CTRLRS, false, false, id_ctrlrs},
	{NVME_CNS_CS_ALLOCATED_NS, false, true, id_ns_list},
	{NVME_CNS_CS_NS_ALLOCATED, false, true, id_cs_ns},
	{NVME_CNS_IOCS, false, false, id_iocs},
};

void
nvmf_identify(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	uint8_t page[NVME_IDENTIFY_LEN] __rte_aligned(8);
	uint16_t sc = NVME_SC_INVALID_FIELD;

	memset(page, 0, sizeof(page));
	for (unsigned int i = 0; i < RTE_DIM(table); i++) {
		if (table[i].cns != (uint8_t)cmd->sqe.cdw10 || (c->sub->discovery && !table[i].discovery))
			continue;
		if (!table[i].csi || cmd->sqe.cdw11 >> 24 == NVME_CSI_NVM)
			sc = table[i].fn(c, cmd, page);
		break;
	}
	if (sc != 0)
		nvmf_status_set(cmd, sc, true);
	else
		nvmf_admin_reply(cmd, page, sizeof(page));
}
