/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What an operator changes while hosts are connected: paths, hosts, namespaces. */

#include "peers.h"

class Change : public Peers
{
      protected:
	void
	SetUp() override
	{
		Rig::SetUp();
		strake_lcore_enter(0);
		EXPECT_EQ(0, nvmf_add_listener(&kTransport, "10.0.0.2", 4420));
		EXPECT_EQ(0, nvmf_add_listener(&kTransport, "0.0.0.0", 4421));
	}

	void
	ana(const char *address, uint16_t service, nvme_ana_state state, int want = 0)
	{
		strake_lcore_enter(0);
		EXPECT_EQ(want, nvmf_ana_set(address, service, state));
		turn(3);
	}

	int
	ana_log(const Peer &p, uint64_t *changes = nullptr)
	{
		Cmd &c = get_log(*p.admin, NVME_LID_ANA, 16 + 32 + 4 * 2);

		if (changes != nullptr)
			*changes = c.as<nvme_log_ana>()->chgcnt;
		return c.data[16 + 16];
	}

	void
	enable(Host &h, uint32_t events)
	{
		EXPECT_EQ(0, run(h, admin_sqe(NVME_ADMIN_SET_FEATURES, NVME_FID_ASYNC_EVENT, events)).sc());
	}

	/* A peer that comes in by the listener on every address. */
	Peer
	peer_at(uint8_t id, uint16_t service)
	{
		came_by = service;
		Peer p = peer(id);
		came_by = 0;
		return p;
	}

	static void
	count(void *arg)
	{
		++*static_cast<int *>(arg);
	}
};

/* --- paths ---------------------------------------------------------------------------------------------------------
 */

TEST_F(Change, APathCanBeClosedAndOpened)
{
	Peer a = peer(1), other = peer_at(1, 4421);
	uint64_t before, after;

	EXPECT_EQ(NVME_ANA_OPTIMIZED, ana_log(a, &before));
	ana("10.0.0.2", 4420, NVME_ANA_INACCESSIBLE);
	EXPECT_EQ(NVME_ANA_INACCESSIBLE, ana_log(a, &after));
	EXPECT_EQ(before + 1, after);
	Cmd &w = run(*a.io, rw(NVME_IO_READ, 0, 1, 512));
	EXPECT_EQ(NVME_SC_ANA_INACCESSIBLE, w.sc());
	EXPECT_FALSE(w.dnr()) << "the host is to try another path";
	EXPECT_EQ(NVME_SC_ANA_INACCESSIBLE, reg(a, 1));
	EXPECT_EQ(NVME_SC_ANA_INACCESSIBLE, run(*a.io, resv_sqe(NVME_IO_FLUSH, 0)).sc());
	EXPECT_EQ(0u, identify(*a.admin, NVME_CNS_NS, 1).as<nvme_id_ns>()->nuse);
	EXPECT_EQ(4096u, identify(*a.admin, NVME_CNS_NS, 1).as<nvme_id_ns>()->nsze);
	EXPECT_EQ(NVME_ANA_OPTIMIZED, ana_log(other));
	EXPECT_EQ(0, read_one(other)) << "the other path goes on";
	Peer late = peer(3);
	EXPECT_EQ(NVME_SC_ANA_INACCESSIBLE, write_one(late)) << "also who comes now";
	ana("10.0.0.2", 4420, NVME_ANA_NON_OPTIMIZED);
	EXPECT_EQ(NVME_ANA_NON_OPTIMIZED, ana_log(a));
	EXPECT_EQ(0, write_one(a));
	EXPECT_EQ(0, write_one(late));
	ana("0.0.0.0", 4421, NVME_ANA_INACCESSIBLE);
	EXPECT_EQ(NVME_SC_ANA_INACCESSIBLE, read_one(other));
	ana("0.0.0.0", 4420, NVME_ANA_OPTIMIZED, -ENOENT);
	ana("10.0.0.2", 4420, NVME_ANA_PERSISTENT_LOSS, -EINVAL);
	ana("10.0.0.2", 4420, (nvme_ana_state)0, -EINVAL);
}

TEST_F(Change, HostsOfAPathAreToldOfItsState)
{
	Peer a = peer(1), other = peer_at(2, 4421);

	enable(*a.admin, NVME_AEN_ANA);
	enable(*other.admin, NVME_AEN_ANA);
	Cmd &e = submit(*a.admin, admin_sqe(NVME_ADMIN_ASYNC_EVENT));
	Cmd &f = submit(*other.admin, admin_sqe(NVME_ADMIN_ASYNC_EVENT));
	ana("10.0.0.2", 4420, NVME_ANA_OPTIMIZED);
	EXPECT_FALSE(e.done) << "it was that before";
	ana("10.0.0.2", 4420, NVME_ANA_INACCESSIBLE);
	ASSERT_TRUE(e.done);
	EXPECT_EQ(NVME_AEN(NVME_AEN_TYPE_NOTICE, NVME_AEN_NOTICE_ANA, NVME_LID_ANA), e.c.cqe.cdw0);
	EXPECT_FALSE(f.done);
}

TEST_F(Change, AChangeDoesNotOutlastWhatHostsWereTold)
{
	Peer a = peer(1);
	unsigned int s = identify(*a.admin, NVME_CNS_CTRLR).as<nvme_id_ctrlr>()->anatt;

	ana("10.0.0.2", 4420, NVME_ANA_CHANGE);
	EXPECT_EQ(NVME_SC_ANA_TRANSITION, read_one(a));
	EXPECT_EQ(NVME_ANA_CHANGE, ana_log(a));
	turn(s * 1000 - 50);
	EXPECT_EQ(NVME_ANA_INACCESSIBLE, ana_log(a));
	EXPECT_EQ(NVME_SC_ANA_INACCESSIBLE, read_one(a));
	ana("10.0.0.2", 4420, NVME_ANA_CHANGE);
	ana("10.0.0.2", 4420, NVME_ANA_OPTIMIZED);
	turn(s * 1000);
	EXPECT_EQ(NVME_ANA_OPTIMIZED, ana_log(a)) << "it came to its end in time";
	EXPECT_EQ(0, read_one(a));
}

/* --- hosts ---------------------------------------------------------------------------------------------------------
 */

TEST_F(Change, AllowListsDecideAndAreTold)
{
	Host &d = admin(NVME_DISCOVERY_NQN, HOST_B);
	enable(d, NVME_AEN_DISCOVERY);
	Cmd &e = submit(d, admin_sqe(NVME_ADMIN_ASYNC_EVENT)), &f = submit(d, admin_sqe(NVME_ADMIN_ASYNC_EVENT));
	uint64_t gen = get_log(d, NVME_LID_DISCOVERY, 1024).as<nvme_discovery_log>()->genctr;

	EXPECT_EQ(NVME_SC_CONNECT_HOST, connect(host(), connect_sqe(0), connect_data(SUB_LISTED, HOST_B)).sc());
	strake_lcore_enter(0);
	EXPECT_EQ(-ENOENT, nvmf_host_allow("nqn.nobody", HOST_B));
	EXPECT_EQ(-EINVAL, nvmf_host_allow(SUB_OPEN, HOST_B));
	EXPECT_EQ(-EINVAL, nvmf_host_allow(NVME_DISCOVERY_NQN, HOST_B));
	EXPECT_EQ(-EEXIST, nvmf_host_allow(SUB_LISTED, HOST_A));
	EXPECT_EQ(-ENOENT, nvmf_host_deny(SUB_LISTED, HOST_B));
	turn(3);
	EXPECT_FALSE(e.done);
	strake_lcore_enter(0);
	EXPECT_EQ(0, nvmf_host_allow(SUB_LISTED, HOST_B));
	turn(3);
	EXPECT_TRUE(e.done);
	Cmd &log = get_log(d, NVME_LID_DISCOVERY, 1024);
	EXPECT_EQ(gen + 1, log.as<nvme_discovery_log>()->genctr);
	EXPECT_EQ(6u, log.as<nvme_discovery_log>()->numrec);
	Host &b = admin(SUB_LISTED, HOST_B), &a = admin(SUB_LISTED, HOST_A);
	strake_lcore_enter(0);
	EXPECT_EQ(0, nvmf_host_deny(SUB_LISTED, HOST_B));
	turn(3);
	EXPECT_TRUE(f.done);
	EXPECT_TRUE(b.killed) << "it is sent away";
	EXPECT_FALSE(a.killed);
	EXPECT_EQ(NVME_SC_CONNECT_HOST, connect(host(), connect_sqe(0), connect_data(SUB_LISTED, HOST_B)).sc());
	EXPECT_EQ(4u, get_log(d, NVME_LID_DISCOVERY, 1024).as<nvme_discovery_log>()->numrec);
}

TEST_F(Change, OneControllerIsDropped)
{
	Host &a = admin(SUB_OPEN, HOST_A), &b = admin(SUB_OPEN, HOST_A);
	uint32_t id = 0;

	strake_lcore_enter(0);
	EXPECT_EQ(-ENOENT, nvmf_ctrlr_drop(UINT32_MAX));
	while (id < 10000 && nvmf_ctrlr_drop(id) == -ENOENT) /* ids grow: the first one found is the older */
		id++;
	turn(3);
	EXPECT_TRUE(a.killed);
	EXPECT_FALSE(b.killed) << "the same host's other path stays";
}

TEST_F(Change, NamespacesAreNoNewsForDiscovery)
{
	Host &d = admin(NVME_DISCOVERY_NQN, HOST_B);
	uint64_t gen = get_log(d, NVME_LID_DISCOVERY, 1024).as<nvme_discovery_log>()->genctr;

	enable(d, NVME_AEN_DISCOVERY);
	Cmd &e = submit(d, admin_sqe(NVME_ADMIN_ASYNC_EVENT));
	strake_lcore_enter(0);
	EXPECT_EQ(0, nvmf_ns_add(SUB_OPEN, 9, &big->vol));
	EXPECT_EQ(0, nvmf_ns_remove(SUB_OPEN, 9, nullptr, nullptr));
	turn(3);
	EXPECT_FALSE(e.done);
	EXPECT_EQ(gen, get_log(d, NVME_LID_DISCOVERY, 1024).as<nvme_discovery_log>()->genctr);
}

TEST_F(Change, APersistentDiscoveryControllerLivesByItsKeepAlive)
{
	Host &d = admin(NVME_DISCOVERY_NQN, HOST_B, 30000);

	enable(d, NVME_AEN_DISCOVERY);
	for (int i = 0; i < 10; i++) {
		turn(20000);
		EXPECT_EQ(0, run(d, admin_sqe(NVME_ADMIN_KEEP_ALIVE)).sc());
	}
	EXPECT_FALSE(d.killed);
	Cmd &e = submit(d, admin_sqe(NVME_ADMIN_ASYNC_EVENT));
	strake_lcore_enter(0);
	nvmf_del_listener(&kTransport, "0.0.0.0", 4421);
	turn(3);
	EXPECT_TRUE(e.done);
	turn(31000);
	EXPECT_TRUE(d.killed);
}

/* --- namespaces ----------------------------------------------------------------------------------------------------
 */

TEST_F(Change, ARemovalWaitsForWhatIsUnderWay)
{
	Peer a = peer(1);
	int done = 0;

	disk->hold = disk->submitted = true;
	Cmd &r = submit(*a.io, rw(NVME_IO_READ, 0, 1, 512));
	turn(2);
	strake_lcore_enter(0);
	ASSERT_EQ(0, nvmf_ns_remove(SUB_OPEN, 1, count, &done));
	EXPECT_EQ(-ENOENT, nvmf_ns_remove(SUB_OPEN, 1, count, &done));
	EXPECT_EQ(-EBUSY, nvmf_ns_add(SUB_OPEN, 1, &disk->vol)) << "not before it has gone";
	EXPECT_EQ(2u, nvmf_ns_free(SUB_OPEN, 1));
	turn(50);
	EXPECT_EQ(0, done);
	EXPECT_EQ(NVME_SC_INVALID_NS, read_one(a)) << "but nothing new is begun";
	disk->hold = false;
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	turn(5);
	EXPECT_EQ(1, done);
	EXPECT_EQ(0, r.sc());
	strake_lcore_enter(0);
	EXPECT_EQ(0, nvmf_ns_add(SUB_OPEN, 1, &disk->vol));
	EXPECT_EQ(1u, nvmf_ns_find(SUB_OPEN, &disk->vol));
	turn(2);
	EXPECT_EQ(0, read_one(a));
}

/* A volume that cannot be served yet: hosts see the others, and hear of it when it is there. */
TEST_F(Change, ANamespaceWithoutItsVolumeIsAttachedWhenThatIsThere)
{
	vols[0].name = "later";
	restart();
	Peer a = peer(1);
	EXPECT_EQ(NVME_SC_INVALID_NS, read_one(a));
	strake_lcore_enter(0);
	EXPECT_EQ(1u, nvmf_ns_free(SUB_OPEN, 1));
	EXPECT_EQ(2u, nvmf_ns_free(SUB_OPEN, 2));
	EXPECT_EQ(4u, nvmf_ns_free(SUB_OPEN, 3)) << "its neighbour is there";
	enable(*a.admin, NVME_AEN_NS_ATTR);
	Cmd &e = submit(*a.admin, admin_sqe(NVME_ADMIN_ASYNC_EVENT));
	strake_lcore_enter(0);
	ASSERT_EQ(0, nvmf_ns_add(SUB_OPEN, 1, &disk->vol));
	turn(4);
	EXPECT_TRUE(e.done) << "no event";
	EXPECT_EQ(0, read_one(a));
	vols[0].name = "disk";
}

/* A message that came to an lcore after the target had left it was read with what was not there any more. */
TEST_F(Change, ShutdownWaitsForChangesUnderWay)
{
	int done = 0;

	strake_lcore_enter(0);
	ASSERT_EQ(0, nvmf_ns_remove(SUB_OPEN, 1, count, &done));
	EXPECT_FALSE(nvmf_drain());
	turn(4);
	EXPECT_EQ(1, done);
	strake_lcore_enter(0);
	EXPECT_TRUE(nvmf_drain());
}

TEST_F(Change, ARemovalWithNothingUnderWayIsSoonOver)
{
	int done = 0;

	peer(1);
	strake_lcore_enter(0);
	ASSERT_EQ(0, nvmf_ns_remove(SUB_OPEN, 1, count, &done));
	turn(4);
	EXPECT_EQ(1, done);
}

TEST_F(Change, ASmallerSizeWaitsForTheOldCommandsOnly)
{
	Peer a = peer(1);
	int done = 0;

	disk->hold = disk->submitted = true;
	Cmd &r = submit(*a.io, rw(NVME_IO_READ, 4000, 1, 512));
	turn(2);
	disk->vol.nlb = 2048;
	strake_lcore_enter(0);
	ASSERT_EQ(0, nvmf_ns_resized(&disk->vol, count, &done));
	turn(5);
	EXPECT_EQ(0, done);
	EXPECT_EQ(NVME_SC_LBA_RANGE, run(*a.io, rw(NVME_IO_READ, 2048, 1, 512)).sc());
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	Cmd &later = submit(*a.io, rw(NVME_IO_READ, 0, 1, 512));
	turn(5);
	EXPECT_TRUE(r.done);
	EXPECT_EQ(1, done) << "not for the one that came after";
	EXPECT_FALSE(later.done);
	disk->vol.nlb = 4096;
	strake_lcore_enter(0);
	strake_volume stranger = {};
	EXPECT_EQ(-ENOENT, nvmf_ns_resized(&stranger, count, &done));
	turn(5);
	EXPECT_EQ(1, done);
}

/* --- many ----------------------------------------------------------------------------------------------------------
 */

TEST_F(Change, SixtyFourControllersAtOnce)
{
	std::vector<Peer> peers;
	std::set<uint16_t> ids;

	for (uint8_t i = 1; i <= 64; i++) {
		peers.push_back(peer(i));
		ids.insert(peers.back().admin->cntlid);
	}
	EXPECT_EQ(64u, ids.size());
	const nvme_ctrlr_list *list = identify(*peers[0].admin, NVME_CNS_CTRLRS).as<nvme_ctrlr_list>();
	EXPECT_EQ(64, list->n);
	std::vector<Cmd *> cmds;
	for (auto &p : peers)
		cmds.push_back(&submit(*p.io, rw(NVME_IO_WRITE, p.id, 1, 0), pattern(512, p.id)));
	turn(10);
	for (auto *c : cmds)
		EXPECT_TRUE(c->done && c->sc() == 0);
	for (auto &p : peers)
		EXPECT_EQ(pattern(512, p.id), run(*p.io, rw(NVME_IO_READ, p.id, 1, 512)).data);
	std::set<uint16_t> again;
	for (auto &p : peers) { /* all go, all come back */
		fini(*p.io);
		fini(*p.admin);
	}
	turn(5);
	for (uint8_t i = 1; i <= 64; i++)
		again.insert(peer(i).admin->cntlid);
	EXPECT_EQ(64u, again.size());
	for (uint16_t id : ids)
		EXPECT_EQ(0u, again.count(id)) << "an id is not given again at once";
}

TEST_F(Change, KeepAliveExpiresWhileCommandsAreUnderWay)
{
	Host &adm = admin(SUB_LISTED, HOST_A, 1000), &q = io(adm);

	disk->hold = true;
	Cmd &waiting = submit(q, rw(NVME_IO_WRITE, 0, 1, 0), pattern(512));
	turn(2);
	disk->submitted = true;
	Cmd &begun = submit(q, rw(NVME_IO_WRITE, 4, 1, 0), pattern(512));
	turn(1100);
	EXPECT_TRUE(adm.killed);
	EXPECT_TRUE(q.killed);
	fini(adm);
	fini(q);
	turn(5);
	EXPECT_TRUE(waiting.done) << "no drive had it";
	EXPECT_FALSE(begun.done);
	EXPECT_FALSE(q.gone);
	disk->hold = false;
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	turn(5);
	EXPECT_TRUE(begun.done);
	EXPECT_TRUE(q.gone);
}

TEST_F(Change, IdentityIsTheSameAfterARestart)
{
	auto look = [this]() {
		Host &h = admin(SUB_LISTED);
		std::vector<uint8_t> all = identify(h, NVME_CNS_CTRLR).data;

		memset(all.data() + offsetof(nvme_id_ctrlr, cntlid), 0, 2); /* of the association */
		for (uint32_t nsid : {1, 3})
			for (uint32_t cns : {NVME_CNS_NS, NVME_CNS_NS_DESC}) {
				std::vector<uint8_t> d = identify(h, cns, nsid).data;

				all.insert(all.end(), d.begin(), d.end());
			}
		return all;
	};
	std::vector<uint8_t> before = look();

	restart();
	EXPECT_EQ(before, look());
}
