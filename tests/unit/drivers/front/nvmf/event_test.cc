/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "rig.h"

class NvmfEvent : public Rig
{
      protected:
	void
	SetUp() override
	{
		Rig::SetUp();
		a = &admin();
		enable(*a, NVME_AEN_NS_ATTR | NVME_AEN_ANA);
	}

	void
	enable(Host &h, uint32_t events)
	{
		EXPECT_EQ(0, run(h, admin_sqe(NVME_ADMIN_SET_FEATURES, NVME_FID_ASYNC_EVENT, events)).sc());
	}

	Cmd &
	ask(Host &h)
	{
		return submit(h, admin_sqe(NVME_ADMIN_ASYNC_EVENT));
	}

	void
	resize(uint64_t nlb)
	{
		disk->vol.nlb = nlb;
		strake_lcore_enter(0);
		EXPECT_EQ(0, nvmf_ns_resized(&disk->vol, nullptr, nullptr));
		turn(3);
	}

	Host *a = nullptr;
};

TEST_F(NvmfEvent, ANewSizeIsToldAndListed)
{
	Cmd &e = ask(*a);

	turn(3);
	EXPECT_FALSE(e.done);
	resize(2048);
	ASSERT_TRUE(e.done);
	EXPECT_EQ(0, e.sc());
	EXPECT_EQ(NVME_AEN(NVME_AEN_TYPE_NOTICE, 0, NVME_LID_CHANGED_NS), e.c.cqe.cdw0);
	EXPECT_EQ(2048u, identify(*a, NVME_CNS_NS, 1).as<nvme_id_ns>()->nsze);
	Cmd &list = get_log(*a, NVME_LID_CHANGED_NS, 4096);
	EXPECT_EQ(1u, list.as<nvme_ns_list>()->nsid[0]);
	EXPECT_EQ(0u, list.as<nvme_ns_list>()->nsid[1]);
	EXPECT_EQ(0u, get_log(*a, NVME_LID_CHANGED_NS, 4096).as<nvme_ns_list>()->nsid[0]) << "read once";
	Host &q = io(*a);
	EXPECT_EQ(NVME_SC_LBA_RANGE, run(q, rw(NVME_IO_READ, 2048, 1, 512)).sc());
}

TEST_F(NvmfEvent, MaskedUntilThePageIsRead)
{
	Cmd &first = ask(*a), &second = ask(*a);

	resize(2048);
	resize(1024);
	EXPECT_TRUE(first.done);
	EXPECT_FALSE(second.done);
	get_log(*a, NVME_LID_CHANGED_NS, 4096, 0, true);
	resize(2048);
	EXPECT_FALSE(second.done) << "RAE keeps it masked";
	EXPECT_EQ(1u, get_log(*a, NVME_LID_CHANGED_NS, 4096).as<nvme_ns_list>()->nsid[0]);
	turn(3);
	EXPECT_FALSE(second.done) << "what was read is not told again";
	resize(4096);
	EXPECT_TRUE(second.done);
}

TEST_F(NvmfEvent, WaitsForARequest)
{
	resize(2048);
	Cmd &e = ask(*a);
	turn(3);
	EXPECT_TRUE(e.done);
}

TEST_F(NvmfEvent, OnlyWhoAskedIsTold)
{
	Host &b = admin();
	Cmd &e = ask(*a), &f = ask(b);

	resize(2048);
	EXPECT_TRUE(e.done);
	EXPECT_FALSE(f.done);
}

TEST_F(NvmfEvent, LittleRoomIsToldOnceAndShownInTheHealthLog)
{
	Host &late = admin();
	Cmd &first = ask(*a), &second = ask(*a), &other = ask(late);

	disk->vol.thin = true;
	disk->vol.spare = 10;
	enable(*a, NVME_AEN_SPARE);
	turn(110);
	EXPECT_FALSE(first.done) << "enough";
	disk->vol.spare = 9;
	turn(110);
	ASSERT_TRUE(first.done);
	EXPECT_EQ(NVME_AEN(NVME_AEN_TYPE_SMART, NVME_AEN_SMART_SPARE, NVME_LID_SMART), first.c.cqe.cdw0);
	const nvme_smart *s = get_log(*a, NVME_LID_SMART, 512).as<nvme_smart>();
	EXPECT_EQ(9, s->avsp);
	EXPECT_EQ(10, s->avspt);
	EXPECT_EQ(NVME_AEN_SPARE, s->critical_warning);
	disk->vol.spare = 3;
	turn(110);
	EXPECT_FALSE(second.done) << "told already";
	EXPECT_FALSE(other.done) << "did not ask";
	enable(late, NVME_AEN_SPARE);
	turn(110);
	EXPECT_TRUE(other.done) << "it is still so";
	disk->vol.spare = 50;
	turn(110);
	EXPECT_EQ(0, get_log(*a, NVME_LID_SMART, 512).as<nvme_smart>()->critical_warning);
	disk->vol.spare = 0;
	turn(110);
	EXPECT_TRUE(second.done) << "again";
}

TEST_F(NvmfEvent, NamespacesComeAndGo)
{
	Host &q = io(*a);
	Cmd &e = ask(*a);
	uint64_t ana = get_log(*a, NVME_LID_ANA, 48).as<nvme_log_ana>()->chgcnt;

	strake_lcore_enter(0);
	EXPECT_EQ(-EEXIST, nvmf_ns_add(SUB_LISTED, 1, &big->vol));
	EXPECT_EQ(-ENOENT, nvmf_ns_add("nqn.nobody", 1, &big->vol));
	EXPECT_EQ(-EINVAL, nvmf_ns_add(SUB_LISTED, 0, &big->vol));
	EXPECT_EQ(-EINVAL, nvmf_ns_add(SUB_LISTED, 1025, &big->vol));
	EXPECT_EQ(-ENOENT, nvmf_ns_remove(SUB_LISTED, 2, nullptr, nullptr));
	EXPECT_EQ(0, nvmf_ns_add(SUB_LISTED, 700, &big->vol));
	EXPECT_EQ(0, nvmf_ns_remove(SUB_LISTED, 3, nullptr, nullptr));
	turn(3);
	EXPECT_TRUE(e.done);
	Cmd &list = get_log(*a, NVME_LID_CHANGED_NS, 4096);
	EXPECT_EQ(3u, list.as<nvme_ns_list>()->nsid[0]);
	EXPECT_EQ(700u, list.as<nvme_ns_list>()->nsid[1]);
	EXPECT_EQ(700u, identify(*a, NVME_CNS_ACTIVE_NS, 1).as<nvme_ns_list>()->nsid[0]);
	EXPECT_EQ(NVME_SC_INVALID_NS, run(q, rw(NVME_IO_READ, 0, 1, 4096, 3)).sc());
	EXPECT_EQ(0, run(q, rw(NVME_IO_READ, 0, 1, 4096, 700)).sc());
	EXPECT_EQ(ana + 2, get_log(*a, NVME_LID_ANA, 48).as<nvme_log_ana>()->chgcnt);
}

TEST_F(NvmfEvent, RequestsAreLimited)
{
	std::vector<Cmd *> asked;

	for (int i = 0; i < 5; i++)
		asked.push_back(&ask(*a));
	turn(3);
	EXPECT_FALSE(asked[3]->done);
	ASSERT_TRUE(asked[4]->done);
	EXPECT_EQ(NVME_SC_ASYNC_LIMIT, asked[4]->sc());
}

TEST_F(NvmfEvent, RequestsEndWithTheQueueTheResetOrAnAbort)
{
	Cmd &aborted = ask(*a), &reset = ask(*a);

	turn(2);
	Cmd &abort = run(*a, admin_sqe(NVME_ADMIN_ABORT, (uint32_t)aborted.c.sqe.cid << 16));
	EXPECT_EQ(0u, abort.c.cqe.cdw0 & 1);
	turn(2);
	EXPECT_EQ(NVME_SC_ABORT_REQ, aborted.sc());
	EXPECT_FALSE(reset.done);
	property_set(*a, NVME_PROP_CC, 0);
	turn(2);
	EXPECT_EQ(NVME_SC_ABORT_SQ_DELETED, reset.sc());
	property_set(*a, NVME_PROP_CC, kEnable);
	Cmd &lost = ask(*a);
	turn(2);
	fini(*a);
	turn(3);
	EXPECT_TRUE(lost.done);
	EXPECT_EQ(NVME_SC_ABORT_SQ_DELETED, lost.sc());
	EXPECT_TRUE(a->gone);
}

TEST_F(NvmfEvent, DiscoveryIsToldOfListeners)
{
	Host &d = admin(NVME_DISCOVERY_NQN, HOST_B);
	Cmd &e = ask(d);

	enable(d, NVME_AEN_DISCOVERY);
	strake_lcore_enter(0);
	nvmf_add_listener(&kTransport, "10.0.0.2", 4420);
	turn(3);
	ASSERT_TRUE(e.done);
	EXPECT_EQ(NVME_AEN(NVME_AEN_TYPE_NOTICE, NVME_AEN_NOTICE_DISCOVERY, NVME_LID_DISCOVERY), e.c.cqe.cdw0);
}

TEST_F(NvmfEvent, AForgottenDiscoveryControllerGoes)
{
	Host &d = admin(NVME_DISCOVERY_NQN, HOST_B);

	turn(119000);
	EXPECT_FALSE(d.killed);
	turn(1100);
	EXPECT_TRUE(d.killed);
}
