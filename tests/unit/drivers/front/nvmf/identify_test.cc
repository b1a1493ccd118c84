/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "golden.h"
#include "rig.h"

class NvmfIdentify : public Rig
{
      protected:
	void
	SetUp() override
	{
		Rig::SetUp();
		a = &admin(SUB_OPEN);
	}

	Host *a = nullptr;
};

TEST_F(NvmfIdentify, ControllerReadsAsLinuxExpects)
{
	Cmd &c = identify(*a, NVME_CNS_CTRLR);

	ASSERT_EQ(0, c.sc());
	ASSERT_EQ(4096u, c.data.size());
	golden_id_ctrlr(c.data.data(), a->cntlid);
}

TEST_F(NvmfIdentify, NamespaceReadsAsLinuxExpects)
{
	Cmd &c = identify(*a, NVME_CNS_NS, 1);

	ASSERT_EQ(0, c.sc());
	golden_id_ns(c.data.data());
	golden_id_indep_ns(identify(*a, NVME_CNS_INDEP_NS, 1).data.data());
	EXPECT_EQ(12, identify(*a, NVME_CNS_NS, 3).as<nvme_id_ns>()->lbaf[0].lbads);
}

TEST_F(NvmfIdentify, AThinVolumeSaysSoWhatItUsesAndWhatIsAtomic)
{
	disk->vol.thin = true;
	disk->vol.used = 77;
	disk->vol.atomic = 8;
	const nvme_id_ns *id = identify(*a, NVME_CNS_NS, 1).as<nvme_id_ns>();

	EXPECT_EQ(4096u, id->nsze);
	EXPECT_EQ(77u, id->nuse);
	EXPECT_EQ(NVME_NSFEAT_THIN | NVME_NSFEAT_NABP | NVME_NSFEAT_OPTPERF, id->nsfeat);
	for (uint16_t v : {id->nawun, id->nawupf, id->nabsn, id->nabspf, id->npwg, id->npwa, id->npdg, id->npda})
		EXPECT_EQ(7, v);
	EXPECT_EQ(0, id->nacwu);
}

TEST_F(NvmfIdentify, SerialIsTheSameAfterEveryRestart)
{
	Host &b = admin(SUB_LISTED);

	EXPECT_EQ("SK7efdd89e7dc8994d  ", std::string(identify(b, NVME_CNS_CTRLR).as<nvme_id_ctrlr>()->sn, 20));
}

TEST_F(NvmfIdentify, InactiveNamespacesReadAsZeroes)
{
	for (uint32_t cns : {NVME_CNS_NS, NVME_CNS_INDEP_NS, NVME_CNS_CS_NS, NVME_CNS_NS_ALLOCATED})
		for (uint32_t nsid : {2u, 1024u}) {
			Cmd &c = identify(*a, cns, nsid);

			EXPECT_EQ(0, c.sc()) << cns;
			EXPECT_EQ(std::vector<uint8_t>(4096), c.data) << cns;
		}
}

TEST_F(NvmfIdentify, ImpossibleNamespacesAreRefused)
{
	for (uint32_t cns : {NVME_CNS_NS, NVME_CNS_NS_DESC, NVME_CNS_CS_NS, NVME_CNS_INDEP_NS, NVME_CNS_NS_ALLOCATED,
			     NVME_CNS_NS_CTRLRS})
		for (uint32_t nsid : {0u, 1025u, 0xfffffffeu, 0xffffffffu})
			EXPECT_EQ(NVME_SC_INVALID_NS, identify(*a, cns, nsid).sc()) << cns << " " << nsid;
	EXPECT_EQ(NVME_SC_INVALID_NS, identify(*a, NVME_CNS_NS_DESC, 2).sc());
	EXPECT_EQ(NVME_SC_INVALID_NS, identify(*a, NVME_CNS_ACTIVE_NS, 0xfffffffe).sc());
	EXPECT_EQ(NVME_SC_INVALID_NS, identify(*a, NVME_CNS_ACTIVE_NS, 0xffffffff).sc());
}

TEST_F(NvmfIdentify, DescriptorsNameTheNamespace)
{
	Cmd &c = identify(*a, NVME_CNS_NS_DESC, 1);
	std::vector<uint8_t> want = {1, 8, 0, 0};

	want.insert(want.end(), kUuid + 8, kUuid + 16);
	want.insert(want.end(), {2, 16, 0, 0});
	want.insert(want.end(), kUuid, kUuid + 16);
	want.insert(want.end(), {3, 16, 0, 0});
	want.insert(want.end(), kUuid, kUuid + 16);
	want.insert(want.end(), {4, 1, 0, 0, 0});
	want.resize(4096);
	EXPECT_EQ(want, c.data);
}

TEST_F(NvmfIdentify, ListsNamespacesAboveTheOneNamed)
{
	for (uint32_t cns :
	     {NVME_CNS_ACTIVE_NS, NVME_CNS_ALLOCATED_NS, NVME_CNS_CS_ACTIVE_NS, NVME_CNS_CS_ALLOCATED_NS}) {
		Cmd &all_ns = identify(*a, cns, 0);
		EXPECT_EQ(1u, all_ns.as<nvme_ns_list>()->nsid[0]);
		EXPECT_EQ(3u, all_ns.as<nvme_ns_list>()->nsid[1]);
		EXPECT_EQ(0u, all_ns.as<nvme_ns_list>()->nsid[2]);
		EXPECT_EQ(3u, identify(*a, cns, 1).as<nvme_ns_list>()->nsid[0]);
		EXPECT_EQ(0u, identify(*a, cns, 3).as<nvme_ns_list>()->nsid[0]);
		EXPECT_EQ(0u, identify(*a, cns, 0xfffffffd).as<nvme_ns_list>()->nsid[0]);
	}
}

TEST_F(NvmfIdentify, OnlyTheNvmCommandSetIsThere)
{
	EXPECT_EQ(0, identify(*a, NVME_CNS_CS_NS, 1, 0).sc());
	Cmd &limits = identify(*a, NVME_CNS_CS_CTRLR, 0, 0);

	EXPECT_EQ(0, limits.sc());
	EXPECT_EQ(13u, limits.as<nvme_id_cs_ctrlr>()->wzsl) << "32 MiB in pages of 4 KiB";
	for (uint8_t csi : {1, 2, 255})
		for (uint32_t cns :
		     {NVME_CNS_CS_NS, NVME_CNS_CS_CTRLR, NVME_CNS_CS_ACTIVE_NS, NVME_CNS_CS_ALLOCATED_NS}) {
			Cmd &c = identify(*a, cns, 1, csi);

			EXPECT_EQ(NVME_SC_INVALID_FIELD, c.sc()) << cns;
			EXPECT_TRUE(c.dnr());
		}
	EXPECT_EQ(1u, identify(*a, NVME_CNS_IOCS | 0xffff0000u).as<nvme_iocs_list>()->vector[0]);
	EXPECT_EQ(NVME_SC_INVALID_FIELD, identify(*a, NVME_CNS_IOCS | 0xfff00000u).sc());
}

TEST_F(NvmfIdentify, ListsControllersInOrder)
{
	Host &b = admin(SUB_OPEN), &c = admin(SUB_OPEN);
	Cmd &list = identify(*a, NVME_CNS_CTRLRS);

	admin(SUB_LISTED);
	ASSERT_EQ(3, list.as<nvme_ctrlr_list>()->n);
	EXPECT_EQ(a->cntlid, list.as<nvme_ctrlr_list>()->cntlid[0]);
	EXPECT_EQ(b.cntlid, list.as<nvme_ctrlr_list>()->cntlid[1]);
	EXPECT_EQ(c.cntlid, list.as<nvme_ctrlr_list>()->cntlid[2]);
	Cmd &rest = identify(*a, NVME_CNS_NS_CTRLRS | (uint32_t)b.cntlid << 16, 1);
	EXPECT_EQ(2, rest.as<nvme_ctrlr_list>()->n);
	EXPECT_EQ(0, identify(*a, NVME_CNS_NS_CTRLRS, 2).as<nvme_ctrlr_list>()->n);
}

TEST_F(NvmfIdentify, EveryOtherFormIsRefusedForGood)
{
	for (uint32_t cns = 0; cns < 256; cns++) {
		bool known = cns <= 8 && cns != NVME_CNS_NVM_SETS;

		known = known || (cns >= 0x10 && cns <= 0x13) || cns == 0x1a || cns == 0x1b || cns == 0x1c;
		if (known)
			continue;
		Cmd &c = identify(*a, cns, 1);
		ASSERT_EQ(NVME_SC_INVALID_FIELD, c.sc()) << cns;
		ASSERT_TRUE(c.dnr());
	}
}

TEST_F(NvmfIdentify, ShortAndLongBuffersAreServed)
{
	Cmd &part = run(*a, admin_sqe(NVME_ADMIN_IDENTIFY, NVME_CNS_CTRLR, 0, 100));
	EXPECT_EQ(100u, part.data.size());
	Cmd &more = run(*a, admin_sqe(NVME_ADMIN_IDENTIFY, NVME_CNS_CTRLR, 0, 8192));
	ASSERT_EQ(8192u, more.data.size());
	EXPECT_EQ(std::vector<uint8_t>(4096), std::vector<uint8_t>(more.data.begin() + 4096, more.data.end()));
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*a, admin_sqe(NVME_ADMIN_IDENTIFY, NVME_CNS_CTRLR)).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, run(*a, admin_sqe(NVME_ADMIN_IDENTIFY, NVME_CNS_CTRLR, 0, 131076)).sc());
}

TEST_F(NvmfIdentify, ADiscoveryControllerSaysSo)
{
	Host &d = admin(NVME_DISCOVERY_NQN, HOST_B);
	Cmd &c = identify(d, NVME_CNS_CTRLR);
	const nvme_id_ctrlr *id = c.as<nvme_id_ctrlr>();

	ASSERT_EQ(0, c.sc());
	EXPECT_EQ(2, id->cntrltype);
	EXPECT_EQ(NVME_AEN_DISCOVERY, id->oaes);
	EXPECT_EQ(0u, id->nn);
	EXPECT_EQ(0, id->cmic);
	EXPECT_STREQ(NVME_DISCOVERY_NQN, id->subnqn);
	EXPECT_EQ(NVME_SC_INVALID_FIELD, identify(d, NVME_CNS_NS, 1).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, identify(d, NVME_CNS_ACTIVE_NS).sc());
}

TEST_F(NvmfIdentify, AVolatileCacheIsReported)
{
	disk->vol.volatile_cache = true;
	EXPECT_EQ(0x05, identify(*a, NVME_CNS_CTRLR).as<nvme_id_ctrlr>()->vwc);
	EXPECT_EQ(1u, run(*a, admin_sqe(NVME_ADMIN_GET_FEATURES, NVME_FID_VWC)).c.cqe.cdw0);
	EXPECT_EQ(NVME_SC_FEATURE_NOT_CHANGEABLE, run(*a, admin_sqe(NVME_ADMIN_SET_FEATURES, NVME_FID_VWC, 0)).sc());
	disk->vol.volatile_cache = false;
	EXPECT_EQ(NVME_SC_INVALID_FIELD, run(*a, admin_sqe(NVME_ADMIN_GET_FEATURES, NVME_FID_VWC)).sc());
}
