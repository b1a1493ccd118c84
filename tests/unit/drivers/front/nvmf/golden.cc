/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "golden.h"

#include <cstring>
#include <string>

#include <gtest/gtest.h>

extern "C" {
#include <nvme/types.h>
}

static std::string
text(const char *s, size_t len)
{
	return std::string(s, len);
}

void
golden_id_ctrlr(const uint8_t *bytes, uint16_t cntlid)
{
	const nvme_id_ctrl *id = reinterpret_cast<const nvme_id_ctrl *>(bytes);

	EXPECT_EQ("SERIAL7             ", text(id->sn, 20));
	EXPECT_EQ("Model 9                                 ", text(id->mn, 40));
	EXPECT_EQ("0.1.0   ", text(id->fr, 8));
	EXPECT_EQ(NVME_CTRL_CMIC_MULTI_PORT | NVME_CTRL_CMIC_MULTI_CTRL | NVME_CTRL_CMIC_MULTI_ANA_REPORTING, id->cmic);
	EXPECT_EQ(5, id->mdts) << "128 KiB";
	EXPECT_EQ(cntlid, id->cntlid);
	EXPECT_EQ(0x20000u, id->ver);
	EXPECT_EQ((unsigned)NVME_CTRL_OAES_NA | NVME_CTRL_OAES_ANA, id->oaes);
	EXPECT_EQ((unsigned)NVME_CTRL_CTRATT_128_ID, id->ctratt);
	EXPECT_EQ(NVME_CTRL_CNTRLTYPE_IO, id->cntrltype);
	EXPECT_EQ(0, id->oacs);
	EXPECT_EQ(3, id->acl);
	EXPECT_EQ(3, id->aerl);
	EXPECT_EQ(0x03, id->frmw);
	EXPECT_EQ(0x26, id->lpa);
	EXPECT_EQ(31, id->elpe);
	EXPECT_EQ(0, id->npss);
	EXPECT_EQ(10, id->kas);
	EXPECT_EQ(10, id->anatt);
	EXPECT_EQ(0xd7, id->anacap);
	EXPECT_EQ(1u, id->anagrpmax);
	EXPECT_EQ(1u, id->nanagrpid);
	EXPECT_EQ(0x66, id->sqes);
	EXPECT_EQ(0x44, id->cqes);
	EXPECT_EQ(64, id->maxcmd);
	EXPECT_EQ(1024u, id->nn);
	EXPECT_EQ(1024u, id->mnan) << "Linux refuses ANA without it";
	EXPECT_EQ(NVME_CTRL_ONCS_COMPARE | NVME_CTRL_ONCS_DSM | NVME_CTRL_ONCS_WRITE_ZEROES |
			  NVME_CTRL_ONCS_SAVE_FEATURES | NVME_CTRL_ONCS_VERIFY | NVME_CTRL_ONCS_RESERVATIONS,
		  id->oncs);
	EXPECT_EQ(NVME_CTRL_FUSES_COMPARE_AND_WRITE, id->fuses);
	EXPECT_EQ(0, id->fna);
	EXPECT_EQ(0x04, id->vwc) << "no volatile cache, no flush of all namespaces";
	EXPECT_EQ(0, id->awun);
	EXPECT_EQ(0, id->awupf);
	EXPECT_EQ(0, id->acwu);
	EXPECT_EQ(0x300001u, id->sgls);
	EXPECT_STREQ("nqn.2026-01.org.example:open", id->subnqn);
	EXPECT_EQ((64u + 8192) / 16, id->ioccsz);
	EXPECT_EQ(1u, id->iorcsz);
	EXPECT_EQ(0, id->icdoff);
	EXPECT_EQ(1, id->msdbd);
	EXPECT_EQ(1, id->ofcs);
}

void
golden_id_ns(const uint8_t *bytes)
{
	const nvme_id_ns *id = reinterpret_cast<const nvme_id_ns *>(bytes);
	static const uint8_t nguid[16] = {0x10, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, 15};

	EXPECT_EQ(4096u, id->nsze);
	EXPECT_EQ(4096u, id->ncap);
	EXPECT_EQ(4096u, id->nuse);
	EXPECT_EQ(0, id->nsfeat);
	EXPECT_EQ(0, id->nlbaf) << "one format";
	EXPECT_EQ(0, id->flbas);
	EXPECT_EQ(0, id->mc | id->dpc | id->dps);
	EXPECT_EQ(1, id->nmic) << "shared";
	EXPECT_EQ(0xfe, id->rescap) << "no state folder: nothing persists";
	EXPECT_EQ(1u, id->anagrpid);
	EXPECT_EQ(0, id->nsattr);
	EXPECT_EQ(0, memcmp(nguid, id->nguid, 16));
	EXPECT_EQ(0, memcmp(nguid + 8, id->eui64, 8));
	EXPECT_EQ(0, id->lbaf[0].ms);
	EXPECT_EQ(9, id->lbaf[0].ds);
}

void
golden_id_indep_ns(const uint8_t *bytes)
{
	const nvme_id_independent_id_ns *id = reinterpret_cast<const nvme_id_independent_id_ns *>(bytes);

	EXPECT_EQ(1, id->nmic);
	EXPECT_EQ(1u, id->anagrpid);
	EXPECT_EQ(1, id->nstat) << "ready";
}

void
golden_discovery(const uint8_t *bytes)
{
	const nvmf_discovery_log *log = reinterpret_cast<const nvmf_discovery_log *>(bytes);
	const nvmf_disc_log_entry *e = &log->entries[0];

	EXPECT_EQ(2u, log->numrec);
	EXPECT_EQ(0, log->recfmt);
	EXPECT_EQ(NVMF_TRTYPE_TCP, e->trtype);
	EXPECT_EQ(NVMF_ADDR_FAMILY_IP4, e->adrfam);
	EXPECT_EQ(NVME_NQN_NVME, e->subtype);
	EXPECT_EQ(NVMF_TREQ_NOT_SPECIFIED | NVMF_TREQ_DISABLE_SQFLOW, e->treq) << "or libnvme asks for TLS";
	EXPECT_EQ(0xffff, e->cntlid);
	EXPECT_EQ(32, e->asqsz);
	EXPECT_STREQ("4420", e->trsvcid);
	EXPECT_STREQ("10.0.0.2", e->traddr);
	EXPECT_STREQ("nqn.2026-01.org.example:open", e->subnqn);
	EXPECT_EQ(NVMF_TCP_SECTYPE_NONE, e->tsas.tcp.sectype);
	EXPECT_EQ(0, e->eflags);
	EXPECT_EQ(NVME_NQN_CURR, e[1].subtype) << "discovery itself";
	EXPECT_STREQ(NVME_DISC_SUBSYS_NAME, e[1].subnqn);
	EXPECT_STREQ("4420", e[1].trsvcid);
	EXPECT_EQ(NVMF_DISC_EFLAGS_DUPRETINFO | NVMF_DISC_EFLAGS_EPCSD, e[1].eflags);
}

void
golden_ana(const uint8_t *bytes)
{
	const nvme_ana_log *log = reinterpret_cast<const nvme_ana_log *>(bytes);
	const nvme_ana_group_desc *g = reinterpret_cast<const nvme_ana_group_desc *>(bytes + 16);

	EXPECT_EQ(1, log->ngrps);
	EXPECT_EQ(1u, g->grpid);
	EXPECT_EQ(2u, g->nnsids);
	EXPECT_EQ(NVME_ANA_STATE_OPTIMIZED, g->state);
	EXPECT_EQ(1u, g->nsids[0]);
	EXPECT_EQ(3u, g->nsids[1]);
}

void
golden_error(const uint8_t *bytes)
{
	const nvme_error_log_page *e = reinterpret_cast<const nvme_error_log_page *>(bytes);

	EXPECT_EQ(2u, e[0].error_count) << "the newest first";
	EXPECT_EQ(1, e[0].sqid);
	EXPECT_EQ(77, e[0].cmdid);
	EXPECT_EQ(NVME_SC_LBA_RANGE, e[0].status_field >> 1 & 0x7ff);
	EXPECT_EQ(0xffff, e[0].parm_error_location);
	EXPECT_EQ(4096u, e[0].lba);
	EXPECT_EQ(1u, e[0].nsid);
	EXPECT_EQ(3, e[0].trtype);
	EXPECT_EQ(1u, e[1].error_count);
	EXPECT_EQ(0, e[1].sqid);
	EXPECT_EQ(0u, e[2].error_count);
}
