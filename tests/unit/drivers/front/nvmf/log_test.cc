/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "golden.h"
#include "rig.h"

class NvmfLog : public Rig
{
      protected:
	void
	SetUp() override
	{
		Rig::SetUp();
		a = &admin();
	}

	void
	listen(const char *address = "10.0.0.2", uint16_t service = 4420)
	{
		strake_lcore_enter(0);
		EXPECT_EQ(0, nvmf_add_listener(&kTransport, address, service));
	}

	Host *a = nullptr;
};

TEST_F(NvmfLog, ErrorsOfAllQueuesAreLogged)
{
	Host &q = io(*a);
	nvme_cmd sqe = rw(NVME_IO_READ, 4096, 1, 512);

	identify(*a, 0xee);
	sqe.cid = 77;
	run(q, sqe);
	turn(2);
	Cmd &c = get_log(*a, NVME_LID_ERROR, 64 * 3);
	ASSERT_EQ(0, c.sc());
	golden_error(c.data.data());
}

TEST_F(NvmfLog, TheErrorLogKeepsTheNewest)
{
	Host &q = io(*a);

	for (int i = 0; i < 100; i++) {
		run(q, rw(0xee, 0, 1, 0));
		turn();
	}
	turn();
	Cmd &c = get_log(*a, NVME_LID_ERROR, 64 * 33);
	const nvme_error_entry *e = c.as<nvme_error_entry>();
	EXPECT_EQ(100u, e[0].error_count);
	EXPECT_EQ(69u, e[31].error_count);
	EXPECT_EQ(0u, e[32].error_count) << "beyond the page: zeroes";
}

TEST_F(NvmfLog, AStormOfErrorsIsCutShort)
{
	Host &q = io(*a);

	for (int i = 0; i < 10000; i++)
		check(q, rw(0xee, 0, 1, 0));
	turn(2);
	EXPECT_EQ(32u, get_log(*a, NVME_LID_ERROR, 64).as<nvme_error_entry>()->error_count);
	EXPECT_EQ(10000u, q.qp.errors) << "but counted";
}

TEST_F(NvmfLog, HealthCountsWhatHostsMoved)
{
	Host &q = io(*a);

	run(q, rw(NVME_IO_WRITE, 0, 2, 0), pattern(1024));
	for (int i = 0; i < 3; i++)
		run(q, rw(NVME_IO_READ, 0, 256, 131072));
	for (uint32_t nsid : {0u, NVME_NSID_ALL}) {
		Cmd &c = get_log(*a, NVME_LID_SMART, 512, 0, false, nsid);
		const nvme_smart *s = c.as<nvme_smart>();

		ASSERT_EQ(0, c.sc());
		EXPECT_EQ(1u, s->dur[0]);
		EXPECT_EQ(1u, s->duw[0]);
		EXPECT_EQ(3u, s->hrc[0]);
		EXPECT_EQ(1u, s->hwc[0]);
		EXPECT_EQ(0, s->critical_warning);
		EXPECT_EQ(100, s->avsp);
	}
	EXPECT_EQ(NVME_SC_INVALID_FIELD, get_log(*a, NVME_LID_SMART, 512, 0, false, 1).sc());
	fini(q);
	turn(3);
	EXPECT_EQ(3u, get_log(*a, NVME_LID_SMART, 512).as<nvme_smart>()->hrc[0]) << "kept when the queue is gone";
}

TEST_F(NvmfLog, FirmwareEffectsAndSupportedPages)
{
	Cmd &fw = get_log(*a, NVME_LID_FIRMWARE, 512);
	EXPECT_EQ(1, fw.as<nvme_log_firmware>()->afi);
	EXPECT_EQ("0.1.0   ", std::string(fw.as<nvme_log_firmware>()->frs[0], 8));

	const nvme_log_effects *fx = get_log(*a, NVME_LID_EFFECTS, 4096).as<nvme_log_effects>();
	EXPECT_EQ(1u, fx->acs[NVME_ADMIN_IDENTIFY]);
	EXPECT_EQ(0u, fx->acs[NVME_ADMIN_FORMAT]);
	EXPECT_EQ(3u, fx->iocs[NVME_IO_WRITE]);
	EXPECT_EQ(1u, fx->iocs[NVME_IO_READ]);
	EXPECT_EQ(1u, fx->iocs[NVME_IO_RESV_REGISTER]);
	EXPECT_EQ(0u, fx->iocs[NVME_IO_COPY]);

	const nvme_log_supported *s = get_log(*a, NVME_LID_SUPPORTED, 1024).as<nvme_log_supported>();
	for (unsigned int lid = 0; lid < 256; lid++) {
		uint16_t sc = get_log(*a, (uint8_t)lid, 64).sc();

		EXPECT_EQ(s->lid[lid] != 0, sc == 0) << lid;
		EXPECT_TRUE(sc == 0 || sc == NVME_SC_INVALID_LOG_PAGE) << lid;
	}
}

TEST_F(NvmfLog, AnaSaysOptimized)
{
	Cmd &c = get_log(*a, NVME_LID_ANA, 16 + 32 + 4 * 1024);

	ASSERT_EQ(0, c.sc());
	golden_ana(c.data.data());
	nvme_cmd sqe = admin_sqe(NVME_ADMIN_GET_LOG_PAGE, NVME_LID_ANA | 1 << 8 | (48 / 4 - 1) << 16, 0, 48);
	Cmd &groups = run(*a, sqe);
	EXPECT_EQ(0u, groups.as<nvme_ana_group>()[0].nnsids) << "groups only";
	EXPECT_EQ(1, *(const uint8_t *)(groups.data.data() + 16 + 16)) << "optimized";
}

TEST_F(NvmfLog, LengthsMustAgreeAndOffsetsBeInside)
{
	nvme_cmd sqe = admin_sqe(NVME_ADMIN_GET_LOG_PAGE, NVME_LID_SMART | 127 << 16, 0, 508);

	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*a, sqe).sc());
	sqe.sgl.len = 0;
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*a, sqe).sc());
	sqe = admin_sqe(NVME_ADMIN_GET_LOG_PAGE, NVME_LID_SMART | 0xffff0000, 0xffff, 512);
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*a, sqe).sc());
	EXPECT_EQ(0, get_log(*a, NVME_LID_SMART, 512, 0).sc());
	EXPECT_EQ(std::vector<uint8_t>(512), get_log(*a, NVME_LID_SMART, 512, 512).data) << "nothing left is zeroes";
	for (uint64_t offset : {(uint64_t)2, (uint64_t)516, (uint64_t)1 << 32, UINT64_MAX - 3, UINT64_MAX})
		EXPECT_EQ(NVME_SC_INVALID_FIELD, get_log(*a, NVME_LID_SMART, 512, offset).sc()) << offset;
	sqe = admin_sqe(NVME_ADMIN_GET_LOG_PAGE, NVME_LID_SMART | 127 << 16, 0, 512);
	sqe.cdw14 = 1u << 23;
	EXPECT_EQ(NVME_SC_INVALID_FIELD, run(*a, sqe).sc()) << "index offsets";
}

/* --- discovery ---------------------------------------------------------------------------------------------------- */

TEST_F(NvmfLog, DiscoveryShowsEachHostItsOwn)
{
	Host &stranger = admin(NVME_DISCOVERY_NQN, HOST_B);

	listen();
	Cmd &c = get_log(stranger, NVME_LID_DISCOVERY, 1024 * 3);
	ASSERT_EQ(0, c.sc());
	golden_discovery(c.data.data());
	Host &known = admin(NVME_DISCOVERY_NQN, HOST_A);
	EXPECT_EQ(3u, get_log(known, NVME_LID_DISCOVERY, 1024).as<nvme_discovery_log>()->numrec);
	EXPECT_EQ(NVME_SC_INVALID_LOG_PAGE, get_log(*a, NVME_LID_DISCOVERY, 1024).sc());
	EXPECT_EQ(NVME_SC_INVALID_LOG_PAGE, get_log(known, NVME_LID_SMART, 512).sc());
}

TEST_F(NvmfLog, DiscoveryShowsEachListenerOnce)
{
	Host &d = admin(NVME_DISCOVERY_NQN, HOST_B);

	listen();
	listen("fd00::2", 8009);
	listen("0.0.0.0", 4421);
	strake_lcore_enter(0);
	EXPECT_EQ(-EEXIST, nvmf_add_listener(&kTransport, "fd00::2", 8009));
	Cmd &c = get_log(d, NVME_LID_DISCOVERY, 1024 * 4);
	const nvme_discovery_entry *e = c.as<nvme_discovery_entry>();
	EXPECT_EQ(6u, c.as<nvme_discovery_log>()->numrec);
	EXPECT_STREQ("fd00::2", e[2].traddr);
	EXPECT_EQ(NVME_ADRFAM_IPV6, e[2].adrfam);
	EXPECT_STREQ("8009", e[2].trsvcid);
	EXPECT_STREQ("10.0.0.2", e[3].traddr) << "the address this host came to";
	EXPECT_NE(e[1].portid, e[2].portid);
	uint64_t genctr = c.as<nvme_discovery_log>()->genctr;
	strake_lcore_enter(0);
	nvmf_del_listener(&kTransport, "0.0.0.0", 4421);
	nvmf_del_listener(&kTransport, "0.0.0.0", 9999);
	Cmd &after = get_log(d, NVME_LID_DISCOVERY, 1024);
	EXPECT_EQ(4u, after.as<nvme_discovery_log>()->numrec);
	EXPECT_EQ(genctr + 1, after.as<nvme_discovery_log>()->genctr);
}

TEST_F(NvmfLog, DiscoveryCanBeReadInPieces)
{
	Host &d = admin(NVME_DISCOVERY_NQN, HOST_A);

	listen();
	std::vector<uint8_t> whole = get_log(d, NVME_LID_DISCOVERY, 4096).data, pieces;
	for (uint64_t off = 0; off < 4096; off += 256) {
		Cmd &c = get_log(d, NVME_LID_DISCOVERY, 256, off);

		pieces.insert(pieces.end(), c.data.begin(), c.data.end());
	}
	EXPECT_EQ(whole, pieces);
}

TEST_F(NvmfLog, DiscoveryRefusesWildOffsets)
{
	Host &d = admin(NVME_DISCOVERY_NQN, HOST_B);

	listen();
	EXPECT_EQ(std::vector<uint8_t>(4096), get_log(d, NVME_LID_DISCOVERY, 4096, 3072).data);
	for (uint64_t offset :
	     {(uint64_t)3076, (uint64_t)1 << 20, (uint64_t)UINT32_MAX - 3, UINT64_MAX - 1023, UINT64_MAX - 3})
		EXPECT_EQ(NVME_SC_INVALID_FIELD, get_log(d, NVME_LID_DISCOVERY, 1024, offset).sc()) << offset;
}
