/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What a host is told by one of its paths when another died. */

#include "rig.h"

struct Told {
	nvmf_qpair *by;
	const nvmf_qpair *lost;
	uint16_t lcore;
};
static std::vector<Told> told;

static void
rig_tell(nvmf_qpair *by, const nvmf_qpair *lost)
{
	told.push_back({by, lost, strake_self_index()});
}

static const nvmf_transport kTells = {"tells", NVME_TRTYPE_TCP, 8192, 131072, rig_kill, rig_tell};

class Tell : public Rig
{
      protected:
	void
	SetUp() override
	{
		told.clear();
		up(2);
	}

	/* A controller with @p queues I/O queue pairs, reached at @p local. */
	std::vector<Host *>
	path(const char *local, uint32_t kato, unsigned queues = 1, const char *hostnqn = HOST_A, uint8_t id = 1,
	     uint16_t lcore = 1, const nvmf_transport *transport = &kTells)
	{
		std::vector<Host *> p;

		for (uint16_t qid = 0; qid <= queues; qid++) {
			Host &h = host(lcore);
			nvme_connect_data d = connect_data(SUB_OPEN, hostnqn, qid == 0 ? 0xffff : p[0]->cntlid);

			memset(d.hostid, id, sizeof(d.hostid));
			h.qp.transport = transport;
			snprintf(h.qp.local, sizeof(h.qp.local), "%s", local);
			Cmd &c = connect(h, connect_sqe(qid, 31, kato), d);
			EXPECT_EQ(0, c.sc());
			h.cntlid = (uint16_t)c.c.cqe.cdw0;
			if (qid == 0) {
				EXPECT_EQ(0, property_set(h, NVME_PROP_CC, kEnable).sc());
			}
			p.push_back(&h);
		}
		return p;
	}

	/* What was killed ends, as a transport would have it. */
	void
	reap()
	{
		for (auto &h : all)
			if (h->killed && !h->qp.dying)
				fini(*h);
		turn(5);
	}

	/* One ends, main sends what there is to tell on its way, and who is to tell it ends, too. */
	void
	ends_both(Host &dead, Host &live)
	{
		fini(dead);
		strake_lcore_enter(0);
		strake_lcore_turn(now);
		fini(live);
	}

	void
	alive(const std::vector<Host *> &p)
	{
		EXPECT_EQ(0, run(*p[0], admin_sqe(NVME_ADMIN_KEEP_ALIVE)).sc());
	}
};

TEST_F(Tell, ByAnotherPathWhenTheKeepAliveExpired)
{
	auto dead = path("10.0.0.2", 3000), live = path("10.1.0.2", 0, 1, HOST_A, 1, 2);

	turn(3200);
	reap();
	ASSERT_EQ(2u, told.size());
	for (const Told &t : told) {
		EXPECT_EQ(&live[0]->qp, t.by);
		EXPECT_EQ(2, t.lcore) << "on the lcore of the one that tells";
		EXPECT_TRUE(t.lost == &dead[0]->qp || t.lost == &dead[1]->qp);
	}
	EXPECT_NE(told[0].lost, told[1].lost);
	EXPECT_TRUE(dead[0]->gone && dead[1]->gone);
	EXPECT_FALSE(live[0]->killed || live[1]->killed);
}

TEST_F(Tell, NobodyElseAndNotByTheSameAddress)
{
	path("10.0.0.2", 3000);
	path("10.0.0.2", 0);
	path("10.1.0.2", 0, 0, HOST_B, 1); /* another name */
	path("10.1.0.2", 0, 0, HOST_A, 2); /* another identifier */
	path("10.1.0.2", 0, 0, HOST_A, 1, 1, &kTransport);
	turn(3200);
	reap();
	EXPECT_EQ(0u, told.size());
}

TEST_F(Tell, NothingWhenTheHostWasHeard)
{
	auto a = path("10.0.0.2", 3000), b = path("10.1.0.2", 3000);

	(void)b;
	strake_lcore_enter(0);
	for (uint32_t id = 1; id < 10; id++)
		if (nvmf_ctrlr_drop(id) == 0)
			break;
	turn(2);
	EXPECT_TRUE(a[0]->killed);
	reap();
	EXPECT_EQ(0u, told.size()) << "it was dropped, not lost";
}

TEST_F(Tell, ByThePathThatWasHeardLast)
{
	auto dead = path("10.0.0.2", 3000);
	auto also_dead = path("10.1.0.2", 5000), live = path("10.2.0.2", 5000), idle = path("10.3.0.2", 5000);

	alive(also_dead);
	turn(10);
	alive(dead);
	turn(1500);
	alive(idle);
	turn(10);
	alive(live);
	turn(1700);
	reap();
	ASSERT_EQ(2u, told.size());
	EXPECT_EQ(&live[0]->qp, told[0].by);
	EXPECT_EQ(&live[0]->qp, told[1].by);
}

TEST_F(Tell, OfASingleQueueThatTheTransportGaveUp)
{
	auto a = path("10.0.0.2", 0, 2), b = path("10.1.0.2", 0);

	a[1]->qp.silent = true;
	fini(*a[1]);
	fini(*a[2]);
	turn(5);
	ASSERT_EQ(1u, told.size());
	EXPECT_EQ(&a[1]->qp, told[0].lost);
	EXPECT_EQ(&b[0]->qp, told[0].by);
}

TEST_F(Tell, OfSomeQueuesOnlyButOfTheAdminQueue)
{
	subs[1].max_queues = 64;
	restart();
	auto dead = path("10.0.0.2", 3000, 20), live = path("10.1.0.2", 0);
	bool admin = false;

	turn(3200);
	for (unsigned q = 1; q < dead.size(); q++)
		fini(*dead[q]);
	reap();
	for (const Told &t : told)
		admin |= t.lost == &dead[0]->qp;
	EXPECT_TRUE(admin);
	EXPECT_EQ(9u, told.size());
}

/* A shutdown waits for what is on its way. */
TEST_F(Tell, IsOverBeforeTheTargetGoes)
{
	auto dead = path("10.0.0.2", 3000, 0), live = path("10.1.0.2", 0, 0, HOST_A, 1, 2);

	turn(3200);
	ends_both(*dead[0], *live[0]);
	strake_lcore_enter(0);
	strake_lcore_turn(now);
	EXPECT_FALSE(nvmf_drain()) << "no controller is left, but a message";
	turn(5);
	strake_lcore_enter(0);
	EXPECT_TRUE(nvmf_drain());
	EXPECT_TRUE(dead[0]->gone && live[0]->gone);
}

/* The one that is to tell ends while the message is on its way to it. */
TEST_F(Tell, NotByOneThatHasJustEnded)
{
	auto dead = path("10.0.0.2", 3000, 0), live = path("10.1.0.2", 0, 0, HOST_A, 1, 2);

	turn(3200);
	ends_both(*dead[0], *live[0]);
	turn(5);
	EXPECT_EQ(0u, told.size());
	EXPECT_TRUE(dead[0]->gone && live[0]->gone);
}
