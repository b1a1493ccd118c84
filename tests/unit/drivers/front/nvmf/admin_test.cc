/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "rig.h"

class NvmfAdmin : public Rig
{
      protected:
	void
	SetUp() override
	{
		Rig::SetUp();
		a = &admin();
	}

	Cmd &
	get(uint32_t fid, uint32_t select = 0, uint32_t cdw11 = 0, uint32_t len = 0)
	{
		return run(*a, admin_sqe(NVME_ADMIN_GET_FEATURES, fid | select << 8, cdw11, len));
	}

	Cmd &
	set(uint32_t cdw10, uint32_t value)
	{
		return run(*a, admin_sqe(NVME_ADMIN_SET_FEATURES, cdw10, value));
	}

	Host *a = nullptr;
};

TEST_F(NvmfAdmin, QueuesAreGrantedUpToTheLimit)
{
	EXPECT_EQ(0x00030003u, get(NVME_FID_QUEUES).c.cqe.cdw0);
	EXPECT_EQ(0x00030003u, set(NVME_FID_QUEUES, 0x00070007).c.cqe.cdw0);
	EXPECT_EQ(0x00010001u, set(NVME_FID_QUEUES, 0x00010001).c.cqe.cdw0);
	EXPECT_EQ(NVME_SC_INVALID_FIELD, set(NVME_FID_QUEUES, 0xffff0001).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, set(NVME_FID_QUEUES, 0x0001ffff).sc());
	io(*a);
	EXPECT_EQ(NVME_SC_SEQUENCE, set(NVME_FID_QUEUES, 0x00010001).sc()) << "too late";
}

TEST_F(NvmfAdmin, FeaturesKeepWhatIsSetUntilAReset)
{
	EXPECT_EQ(0, set(NVME_FID_ARBITRATION, 0x01020303).sc());
	EXPECT_EQ(0x01020303u, get(NVME_FID_ARBITRATION).c.cqe.cdw0);
	EXPECT_EQ(0x7u, get(NVME_FID_ARBITRATION, NVME_SEL_DEFAULT).c.cqe.cdw0);
	EXPECT_EQ(0x7u, get(NVME_FID_ARBITRATION, NVME_SEL_SAVED).c.cqe.cdw0);
	EXPECT_EQ((uint32_t)NVME_FEAT_CHANGEABLE, get(NVME_FID_ARBITRATION, NVME_SEL_SUPPORTED).c.cqe.cdw0);
	EXPECT_EQ(NVME_SC_INVALID_FIELD, get(NVME_FID_ARBITRATION, 4).sc());
	EXPECT_EQ(0, set(NVME_FID_ERROR_RECOVERY, 5).sc());
	EXPECT_EQ(0, set(NVME_FID_TEMPERATURE, 330).sc());
	EXPECT_EQ(0, set(NVME_FID_TEMPERATURE, 1u << 20 | 270).sc());
	EXPECT_EQ(330u, get(NVME_FID_TEMPERATURE).c.cqe.cdw0);
	EXPECT_EQ(270u, get(NVME_FID_TEMPERATURE, 0, 1u << 20).c.cqe.cdw0);
	EXPECT_EQ(NVME_SC_INVALID_FIELD, set(NVME_FID_TEMPERATURE, 1u << 16 | 270).sc()) << "there is no sensor 1";
	property_set(*a, NVME_PROP_CC, 0);
	property_set(*a, NVME_PROP_CC, kEnable);
	EXPECT_EQ(0x7u, get(NVME_FID_ARBITRATION).c.cqe.cdw0);
	EXPECT_EQ(0u, get(NVME_FID_ERROR_RECOVERY).c.cqe.cdw0);
}

TEST_F(NvmfAdmin, NothingIsSaved)
{
	EXPECT_EQ(NVME_SC_FEATURE_NOT_SAVEABLE, set(NVME_FID_ARBITRATION | NVME_FEAT_SAVE, 1).sc());
}

TEST_F(NvmfAdmin, FeaturesOfTheControllerAreNotANamespaces)
{
	for (uint32_t fid : {NVME_FID_ARBITRATION, NVME_FID_POWER, NVME_FID_TEMPERATURE, NVME_FID_ATOMICITY,
			     NVME_FID_ASYNC_EVENT, NVME_FID_KATO}) {
		for (uint32_t nsid : {1u, 2u}) {
			Cmd &c = run(*a, admin_sqe(NVME_ADMIN_SET_FEATURES, fid, 0, 0, nsid));

			EXPECT_EQ(NVME_SC_FEATURE_NOT_NS, c.sc()) << fid;
			EXPECT_TRUE(c.dnr());
		}
		EXPECT_EQ(NVME_SC_INVALID_NS,
			  run(*a, admin_sqe(NVME_ADMIN_SET_FEATURES, fid, 0, 0, NVME_NSID_MAX)).sc());
		EXPECT_EQ(0, run(*a, admin_sqe(NVME_ADMIN_SET_FEATURES, fid, 0, 0, NVME_NSID_ALL)).sc()) << fid;
	}
	EXPECT_EQ(0, run(*a, admin_sqe(NVME_ADMIN_SET_FEATURES, NVME_FID_ERROR_RECOVERY, 1, 0, 1)).sc());
}

TEST_F(NvmfAdmin, OnePowerStateAndOneCommandSet)
{
	EXPECT_EQ(0, set(NVME_FID_POWER, 0).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, set(NVME_FID_POWER, 1).sc());
	EXPECT_EQ(0, set(NVME_FID_IOCS_PROFILE, 0).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, set(NVME_FID_IOCS_PROFILE, 1).sc());
}

TEST_F(NvmfAdmin, HostIdentifierIsTheOneOfConnect)
{
	Cmd &c = get(NVME_FID_HOSTID, 0, 1, 16);

	EXPECT_EQ(0, c.sc());
	EXPECT_EQ(std::vector<uint8_t>(16, 0x5a), c.data);
	EXPECT_EQ(NVME_SC_INVALID_FIELD, get(NVME_FID_HOSTID, 0, 0, 8).sc()) << "64-bit ones are not for fabrics";
	EXPECT_EQ(NVME_SC_SGL_LENGTH, get(NVME_FID_HOSTID, 0, 1, 0).sc());
	EXPECT_EQ(NVME_SC_SEQUENCE,
		  run(*a, admin_sqe(NVME_ADMIN_SET_FEATURES, NVME_FID_HOSTID, 1), std::vector<uint8_t>(16)).sc());
}

TEST_F(NvmfAdmin, UnknownFeaturesAreRefused)
{
	for (unsigned int fid = 0; fid < 256; fid++) {
		bool known = (fid >= 1 && fid <= 0xf) || fid == 0x19 || (fid >= 0x81 && fid <= 0x83);

		if (fid == 3 || fid == 6 || fid == 8 || fid == 9 || (fid >= 0xc && fid <= 0xe))
			known = false;
		if (known)
			continue;
		ASSERT_EQ(NVME_SC_INVALID_FIELD, get(fid).sc()) << fid;
		ASSERT_EQ(NVME_SC_INVALID_FIELD, set(fid, 0).sc()) << fid;
	}
}

TEST_F(NvmfAdmin, UnknownCommandsAreRefused)
{
	for (unsigned int opc = 0; opc < 256; opc++) {
		if (opc == NVME_OPC_FABRICS || opc == 2 || opc == 6 || (opc >= 8 && opc <= 0xa) || opc == 0xc ||
		    opc == 0x18)
			continue;
		Cmd &c = run(*a, admin_sqe((uint8_t)opc));
		ASSERT_EQ(NVME_SC_INVALID_OPCODE, c.sc()) << opc;
		ASSERT_TRUE(c.dnr());
	}
}

TEST_F(NvmfAdmin, DiscoveryControllersHaveFewCommands)
{
	Host &d = admin(NVME_DISCOVERY_NQN, HOST_B);

	EXPECT_EQ(0, run(d, admin_sqe(NVME_ADMIN_KEEP_ALIVE)).sc());
	EXPECT_EQ(NVME_SC_INVALID_OPCODE, run(d, admin_sqe(NVME_ADMIN_ABORT)).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, run(d, admin_sqe(NVME_ADMIN_GET_FEATURES, NVME_FID_QUEUES)).sc());
	EXPECT_EQ(0, run(d, admin_sqe(NVME_ADMIN_GET_FEATURES, NVME_FID_ASYNC_EVENT)).sc());
}

TEST_F(NvmfAdmin, PayloadWhereNoneBelongsIsRefused)
{
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*a, admin_sqe(NVME_ADMIN_KEEP_ALIVE, 0, 0, 4)).sc());
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*a, admin_sqe(NVME_ADMIN_ASYNC_EVENT, 0, 0, 4096)).sc());
}

TEST_F(NvmfAdmin, WithoutMemoryTheHostMayTryAgain)
{
	std::vector<strake_buf *> all_pages;

	strake_lcore_enter(0);
	for (uint32_t len : {4096u, 16384u, 65536u, 131072u})
		while (strake_buf *b = strake_buf_page(len))
			all_pages.push_back(b);
	Cmd &c = identify(*a, NVME_CNS_CTRLR);
	EXPECT_EQ(NVME_SC_INTERNAL, c.sc());
	EXPECT_FALSE(c.dnr());
	for (strake_buf *b : all_pages)
		strake_buf_put(b);
	EXPECT_EQ(0, identify(*a, NVME_CNS_CTRLR).sc());
}

TEST_F(NvmfAdmin, ThereIsOneTarget)
{
	conf bad = {};
	char err[200] = "";

	strake_lcore_enter(0);
	EXPECT_EQ(-EEXIST, nvmf_create(&bad, err, sizeof(err)));
}
