/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Log pages. Each is built whole on main, and the window the host asked for copied out of it. */

#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "io.h"
#include "resv.h"

struct page {
	uint8_t *data;
	size_t len;
};

static bool
page_new(struct page *p, size_t len)
{
	p->data = calloc(1, len);
	p->len = len;
	return p->data != NULL;
}

static uint16_t
build_error(struct nvmf_ctrlr *c, struct page *p)
{
	struct nvme_error_entry *e;
	uint64_t n = RTE_MIN(c->errors, (uint64_t)NVMF_ERRORS_MAX);

	if (!page_new(p, sizeof(c->error)))
		return NVME_SC_INTERNAL;
	e = (struct nvme_error_entry *)p->data;
	for (uint64_t i = 0; i < n; i++) /* the newest first */
		e[i] = c->error[(c->errors - 1 - i) % NVMF_ERRORS_MAX];
	return 0;
}

/* Thousands of 512-byte units, rounded up. */
static uint64_t
data_units(uint64_t bytes)
{
	return (bytes / 512 + 999) / 1000;
}

static uint16_t
build_smart(struct nvmf_ctrlr *c, struct page *p)
{
	struct nvmf_totals t;
	struct nvme_smart *s;

	if (!page_new(p, sizeof(*s)))
		return NVME_SC_INTERNAL;
	nvmf_subsystem_totals(c->sub, &t);
	s = (struct nvme_smart *)p->data;
	s->avsp = nvmf_spare(c->sub);
	s->avspt = NVMF_SPARE_LEAST;
	s->critical_warning = s->avsp < s->avspt ? NVME_AEN_SPARE : 0;
	s->dur[0] = data_units(t.bytes_out);
	s->duw[0] = data_units(t.bytes_in);
	s->hrc[0] = t.reads;
	s->hwc[0] = t.writes;
	s->poh[0] = (strake_now() - nvmf_target->t_start) / (3600 * STRAKE_NS_PER_SEC);
	s->nele[0] = c->errors;
	return 0;
}

static uint16_t
build_firmware(struct nvmf_ctrlr *c, struct page *p)
{
	struct nvme_log_firmware *f;

	if (!page_new(p, sizeof(*f)))
		return NVME_SC_INTERNAL;
	f = (struct nvme_log_firmware *)p->data;
	f->afi = 1;
	memcpy(f->frs[0], NVMF_FIRMWARE, sizeof(f->frs[0]));
	return 0;
}

static uint16_t
build_changed(struct nvmf_ctrlr *c, struct page *p)
{
	struct nvme_ns_list *list;
	unsigned int n = 0;

	if (!page_new(p, sizeof(*list)))
		return NVME_SC_INTERNAL;
	list = (struct nvme_ns_list *)p->data;
	for (uint32_t i = 0; i < NVMF_NS_MAX; i++)
		if ((c->changed[i / 64] & 1ull << i % 64) != 0)
			list->nsid[n++] = i + 1;
	return 0;
}

static uint16_t
build_effects(struct nvmf_ctrlr *c, struct page *p)
{
	static const struct {
		uint8_t opc;
		uint32_t effects;
	} io[] = {
		{NVME_IO_FLUSH, NVME_EFFECT_CSUPP},
		{NVME_IO_WRITE, NVME_EFFECT_CSUPP | NVME_EFFECT_LBCC},
		{NVME_IO_READ, NVME_EFFECT_CSUPP},
		{NVME_IO_COMPARE, NVME_EFFECT_CSUPP},
		{NVME_IO_WRITE_ZEROES, NVME_EFFECT_CSUPP | NVME_EFFECT_LBCC},
		{NVME_IO_DSM, NVME_EFFECT_CSUPP | NVME_EFFECT_LBCC},
		{NVME_IO_VERIFY, NVME_EFFECT_CSUPP},
		{NVME_IO_RESV_REGISTER, NVME_EFFECT_CSUPP},
		{NVME_IO_RESV_REPORT, NVME_EFFECT_CSUPP},
		{NVME_IO_RESV_ACQUIRE, NVME_EFFECT_CSUPP},
		{NVME_IO_RESV_RELEASE, NVME_EFFECT_CSUPP},
	};
	struct nvme_log_effects *log;

	if (!page_new(p, sizeof(*log)))
		return NVME_SC_INTERNAL;
	log = (struct nvme_log_effects *)p->data;
	nvmf_admin_effects(c, log);
	for (unsigned int i = 0; i < RTE_DIM(io); i++)
		log->iocs[io[i].opc] = io[i].effects;
	return 0;
}

static uint16_t
build_ana(struct nvmf_ctrlr *c, struct page *p)
{
	const struct nvmf_ns_array *array = c->sub->ns;
	struct nvme_ana_group *g;
	struct nvme_log_ana *log;
	uint32_t *nsid;

	if (!page_new(p, sizeof(*log) + sizeof(*g) + array->n * sizeof(*nsid)))
		return NVME_SC_INTERNAL;
	log = (struct nvme_log_ana *)p->data;
	log->chgcnt = c->sub->ana_changes;
	log->ngrps = 1;
	g = (struct nvme_ana_group *)(log + 1);
	g->grpid = NVMF_ANA_GROUP;
	g->chgcnt = c->sub->ana_changes;
	g->state = nvmf_ana_state(c);
	nsid = (uint32_t *)(g + 1);
	for (uint32_t i = 0; i < array->n; i++)
		if (array->ns[i].vol != NULL)
			nsid[g->nnsids++] = i + 1;
	p->len = sizeof(*log) + sizeof(*g) + g->nnsids * sizeof(*nsid);
	return 0;
}

static uint16_t
build_discovery(struct nvmf_ctrlr *c, struct page *p)
{
	p->len = nvmf_discovery_log(c, &p->data);
	return p->len == 0 ? NVME_SC_INTERNAL : 0;
}

static uint16_t
build_resv(struct nvmf_ctrlr *c, struct page *p)
{
	if (!page_new(p, sizeof(struct nvme_log_resv)))
		return NVME_SC_INTERNAL;
	nvmf_resv_log(c, (struct nvme_log_resv *)p->data);
	return 0;
}

static uint16_t build_supported(struct nvmf_ctrlr *c, struct page *p);

static const struct {
	uint8_t lid;
	bool io, discovery; /* which kind of controller has it */
	int event;	    /* the event it clears, or -1 */
	uint16_t (*build)(struct nvmf_ctrlr *c, struct page *p);
} table[] = {
	{NVME_LID_SUPPORTED, true, true, -1, build_supported},
	{NVME_LID_ERROR, true, true, -1, build_error},
	{NVME_LID_SMART, true, false, NVMF_EVENT_SPARE, build_smart},
	{NVME_LID_FIRMWARE, true, false, -1, build_firmware},
	{NVME_LID_CHANGED_NS, true, false, NVMF_EVENT_NS_ATTR, build_changed},
	{NVME_LID_EFFECTS, true, false, -1, build_effects},
	{NVME_LID_ANA, true, false, NVMF_EVENT_ANA, build_ana},
	{NVME_LID_RESERVATION, true, false, NVMF_EVENT_RESERVATION, build_resv},
	{NVME_LID_DISCOVERY, false, true, NVMF_EVENT_DISCOVERY, build_discovery},
};

static bool
has(const struct nvmf_ctrlr *c, unsigned int i)
{
	return c->sub->discovery ? table[i].discovery : table[i].io;
}

static uint16_t
build_supported(struct nvmf_ctrlr *c, struct page *p)
{
	struct nvme_log_supported *log;

	if (!page_new(p, sizeof(*log)))
		return NVME_SC_INTERNAL;
	log = (struct nvme_log_supported *)p->data;
	for (unsigned int i = 0; i < RTE_DIM(table); i++)
		if (has(c, i))
			log->lid[table[i].lid] = NVME_LOG_LID_SUPP;
	return 0;
}

/* The groups alone: a host that knows its namespaces saves itself the lists. */
static void
ana_groups_only(struct page *p)
{
	struct nvme_ana_group *g = (struct nvme_ana_group *)(p->data + sizeof(struct nvme_log_ana));

	g->nnsids = 0;
	p->len = sizeof(struct nvme_log_ana) + sizeof(*g);
}

static uint16_t
check(const struct nvmf_cmd *cmd, uint64_t len, uint64_t offset)
{
	uint8_t lid = (uint8_t)cmd->sqe.cdw10;

	if (cmd->xfer != NVMF_XFER_TO_HOST || len != cmd->xfer_len)
		return NVME_SC_SGL_LENGTH;
	if ((offset & 3) != 0 || (cmd->sqe.cdw14 & (1u << 23)) != 0)
		return NVME_SC_INVALID_FIELD; /* offsets are bytes, not entries */
	if (lid == NVME_LID_EFFECTS && cmd->sqe.cdw14 >> 24 != NVME_CSI_NVM)
		return NVME_SC_INVALID_FIELD;
	if (lid == NVME_LID_SMART && cmd->sqe.nsid != 0 && cmd->sqe.nsid != NVME_NSID_ALL)
		return NVME_SC_INVALID_FIELD; /* health is the controller's, not a namespace's */
	return 0;
}

static uint16_t
answer(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd, unsigned int i)
{
	uint64_t len = (((uint64_t)(cmd->sqe.cdw11 & 0xffff) << 16 | cmd->sqe.cdw10 >> 16) + 1) * 4;
	uint64_t offset = (uint64_t)cmd->sqe.cdw13 << 32 | cmd->sqe.cdw12;
	struct page page;
	uint16_t sc;

	sc = check(cmd, len, offset);
	if (sc != 0)
		return sc;
	sc = table[i].build(c, &page);
	if (sc != 0)
		return sc;
	if (table[i].lid == NVME_LID_ANA && (cmd->sqe.cdw10 >> 8 & NVME_LOG_ANA_RGO) != 0)
		ana_groups_only(&page);
	if (offset > page.len)
		sc = NVME_SC_INVALID_FIELD;
	else
		nvmf_admin_reply(cmd, page.data + offset, RTE_MIN(page.len - offset, len));
	free(page.data);
	return sc;
}

void
nvmf_get_log(struct nvmf_ctrlr *c, struct nvmf_cmd *cmd)
{
	uint8_t lid = (uint8_t)cmd->sqe.cdw10;
	uint16_t sc = NVME_SC_INVALID_LOG_PAGE;

	for (unsigned int i = 0; i < RTE_DIM(table); i++) {
		if (table[i].lid != lid || !has(c, i))
			continue;
		sc = answer(c, cmd, i);
		if (sc != 0 || cmd->cqe.status != 0 || table[i].event < 0 || (cmd->sqe.cdw10 & NVME_LOG_RAE) != 0)
			break;
		nvmf_aer_read(c, table[i].event);
		if (lid == NVME_LID_CHANGED_NS)
			memset(c->changed, 0, sizeof(c->changed));
		else if (lid == NVME_LID_RESERVATION)
			nvmf_resv_log_read(c);
		break;
	}
	if (sc != 0)
		nvmf_status_set(cmd, sc, sc != NVME_SC_INTERNAL);
}
