/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "rig.h"

class NvmfConnect : public Rig
{
      protected:
	/* A Connect that must fail; nothing of it may stay. */
	Cmd &
	refused(const nvme_cmd &sqe, const nvme_connect_data &d)
	{
		Host &h = host();
		Cmd &c = connect(h, sqe, d);

		EXPECT_NE(0, c.sc());
		EXPECT_FALSE(h.qp.connected);
		EXPECT_EQ(nullptr, h.qp.ctrlr);
		return c;
	}
};

TEST_F(NvmfConnect, GivesAControllerId)
{
	Host &h = host();
	Cmd &c = connect(h, connect_sqe(0), connect_data(SUB_LISTED));

	EXPECT_EQ(0, c.sc());
	EXPECT_NE(0u, c.c.cqe.cdw0 & 0xffff);
	EXPECT_EQ(0u, c.c.cqe.cdw0 >> 16) << "no authentication is asked for";
	EXPECT_TRUE(h.qp.connected);
	EXPECT_EQ(32, h.qp.size);
	EXPECT_EQ(1, c.c.cqe.sqhd);
}

TEST_F(NvmfConnect, RefusesAHostThatIsNotListed)
{
	Cmd &c = refused(connect_sqe(0), connect_data(SUB_LISTED, HOST_B));

	EXPECT_EQ(NVME_SC_CONNECT_HOST, c.sc());
	EXPECT_TRUE(c.dnr());
}

TEST_F(NvmfConnect, TakesAnyHostWhereTheSubsystemSaysSo)
{
	Host &h = host();

	EXPECT_EQ(0, connect(h, connect_sqe(0), connect_data(SUB_OPEN, HOST_B)).sc());
}

TEST_F(NvmfConnect, SaysWhereTheWrongValueStands)
{
	nvme_connect_data d = connect_data("nqn.2026-01.org.example:nobody");
	Cmd *c = &refused(connect_sqe(0), d);

	EXPECT_EQ(NVME_SC_CONNECT_INVALID, c->sc());
	EXPECT_EQ(1u << 16 | 256, c->c.cqe.cdw0);

	c = &refused(connect_sqe(0), connect_data(SUB_LISTED, ""));
	EXPECT_EQ(NVME_SC_CONNECT_INVALID, c->sc());
	EXPECT_EQ(1u << 16 | 512, c->c.cqe.cdw0);

	c = &refused(connect_sqe(0), connect_data(SUB_LISTED, HOST_A, 7));
	EXPECT_EQ(NVME_SC_CONNECT_INVALID, c->sc());
	EXPECT_EQ(1u << 16 | 16, c->c.cqe.cdw0);

	c = &refused(connect_sqe(0, 0), connect_data(SUB_LISTED));
	EXPECT_EQ(NVME_SC_CONNECT_INVALID, c->sc());
	EXPECT_EQ(44u, c->c.cqe.cdw0);

	c = &refused(connect_sqe(0, 128), connect_data(SUB_LISTED));
	EXPECT_EQ(44u, c->c.cqe.cdw0);
}

TEST_F(NvmfConnect, RefusesNamesWithoutEnd)
{
	nvme_connect_data d = connect_data(SUB_LISTED);

	memset(d.subnqn, 'x', sizeof(d.subnqn));
	EXPECT_EQ(1u << 16 | 256, refused(connect_sqe(0), d).c.cqe.cdw0);
	d = connect_data(SUB_LISTED);
	memset(d.hostnqn, 'x', sizeof(d.hostnqn));
	EXPECT_EQ(1u << 16 | 512, refused(connect_sqe(0), d).c.cqe.cdw0);
}

TEST_F(NvmfConnect, RefusesAnUnknownRecordFormat)
{
	nvme_cmd sqe = connect_sqe(0);

	sqe.recfmt = 1;
	EXPECT_EQ(NVME_SC_CONNECT_FORMAT, refused(sqe, connect_data(SUB_LISTED)).sc());
}

TEST_F(NvmfConnect, RefusesDataOfTheWrongLength)
{
	Host &h = host();

	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(h, connect_sqe(0), std::vector<uint8_t>(1020)).sc());
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(h, connect_sqe(0), std::vector<uint8_t>(1028)).sc());
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(h, connect_sqe(0)).sc());
	EXPECT_EQ(0, connect(h, connect_sqe(0), connect_data(SUB_LISTED)).sc()) << "a failed Connect may be repeated";
}

TEST_F(NvmfConnect, RefusesEverythingBeforeConnect)
{
	Host &h = host();

	EXPECT_EQ(NVME_SC_SEQUENCE, identify(h, NVME_CNS_CTRLR).sc());
	EXPECT_EQ(NVME_SC_SEQUENCE, property_get(h, NVME_PROP_CSTS).sc());
	EXPECT_EQ(NVME_SC_SEQUENCE, run(h, rw(NVME_IO_READ, 0, 1, 512)).sc());
	/* All else there is or may be: authentication, discovery's log, whatever comes. */
	for (unsigned int i = 0; i < 512; i++) {
		nvme_cmd sqe = {};

		sqe.opc = i < 256 ? NVME_OPC_FABRICS : (uint8_t)i;
		sqe.fctype = i < 256 ? (uint8_t)i : 0;
		if (sqe.opc == NVME_OPC_FABRICS && sqe.fctype == NVME_FCTYPE_CONNECT)
			continue;
		ASSERT_EQ(NVME_SC_SEQUENCE, run(h, sqe).sc()) << i;
	}
}

TEST_F(NvmfConnect, RefusesASecondConnectOnAQueue)
{
	Host &h = host();

	connect(h, connect_sqe(0), connect_data(SUB_LISTED));
	EXPECT_EQ(NVME_SC_SEQUENCE, connect(h, connect_sqe(0), connect_data(SUB_LISTED)).sc());
}

TEST_F(NvmfConnect, RefusesAnythingWhileConnectIsUnderWay)
{
	Host &h = host();
	Cmd &first = submit(h, connect_sqe(0), bytes_of(connect_data(SUB_LISTED)));
	Cmd &second = submit(h, connect_sqe(0), bytes_of(connect_data(SUB_LISTED)));

	EXPECT_EQ(NVME_SC_SEQUENCE, second.sc());
	EXPECT_EQ(NVME_SC_SEQUENCE, property_get(h, NVME_PROP_CSTS).sc());
	turn(3);
	EXPECT_TRUE(first.done);
	EXPECT_EQ(0, first.sc());
}

TEST_F(NvmfConnect, MayBeRepeatedWhenTheTransportFailedIt)
{
	Host &h = host();
	nvme_cmd sqe = connect_sqe(0);

	sqe.sgl.len = sizeof(nvme_connect_data);
	sqe.sgl.type = NVME_SGL_TRANSPORT_DATA;
	Cmd &c = check(h, sqe);
	nvmf_fail(&c.c, NVME_SC_TRANSIENT_TRANSPORT, false);
	EXPECT_EQ(0, connect(h, connect_sqe(0), connect_data(SUB_LISTED)).sc());
}

TEST_F(NvmfConnect, IoQueueNeedsAnEnabledController)
{
	Host &a = host();
	uint16_t id = (uint16_t)connect(a, connect_sqe(0), connect_data(SUB_LISTED)).c.cqe.cdw0;

	EXPECT_EQ(NVME_SC_SEQUENCE, refused(connect_sqe(1), connect_data(SUB_LISTED, HOST_A, id)).sc());
	property_set(a, NVME_PROP_CC, kEnable);
	EXPECT_EQ(0, connect(host(), connect_sqe(1), connect_data(SUB_LISTED, HOST_A, id)).sc());
}

TEST_F(NvmfConnect, IoQueueMustBelongToItsHost)
{
	Host &a = admin(SUB_OPEN);
	nvme_connect_data d = connect_data(SUB_OPEN, HOST_B, a.cntlid);
	Cmd *c = &refused(connect_sqe(1), d);

	EXPECT_EQ(NVME_SC_CONNECT_INVALID, c->sc());
	EXPECT_EQ(1u << 16 | 512, c->c.cqe.cdw0);
	d = connect_data(SUB_OPEN, HOST_A, a.cntlid);
	d.hostid[15] ^= 1;
	EXPECT_EQ(1u << 16 | 0, refused(connect_sqe(1), d).c.cqe.cdw0);
	/* another subsystem's controller, and one that never was */
	EXPECT_EQ(1u << 16 | 16, refused(connect_sqe(1), connect_data(SUB_LISTED, HOST_A, a.cntlid)).c.cqe.cdw0);
	EXPECT_EQ(1u << 16 | 16, refused(connect_sqe(1), connect_data(SUB_OPEN, HOST_A, 0xffff)).c.cqe.cdw0);
}

TEST_F(NvmfConnect, IoQueueIdsAreCheckedAndUsedOnce)
{
	Host &a = admin();

	io(a, 4);
	Cmd &dup = refused(connect_sqe(4), connect_data(SUB_LISTED, HOST_A, a.cntlid));
	EXPECT_EQ(NVME_SC_SEQUENCE, dup.sc());
	Cmd &high = refused(connect_sqe(5), connect_data(SUB_LISTED, HOST_A, a.cntlid));
	EXPECT_EQ(NVME_SC_CONNECT_INVALID, high.sc());
	EXPECT_EQ(42u, high.c.cqe.cdw0);
	/* deeper than CAP.MQES */
	EXPECT_EQ(44u, refused(connect_sqe(1, 64), connect_data(SUB_LISTED, HOST_A, a.cntlid)).c.cqe.cdw0);
}

TEST_F(NvmfConnect, AQueueIdIsFreeAgainWhenItsConnectionIsGone)
{
	Host &a = admin();
	Host &q = io(a, 2);

	fini(q);
	turn(3);
	EXPECT_TRUE(q.gone);
	io(a, 2);
}

TEST_F(NvmfConnect, DiscoveryHasNoIoQueues)
{
	Host &a = admin(NVME_DISCOVERY_NQN, HOST_B);

	EXPECT_TRUE(a.qp.discovery);
	EXPECT_EQ(NVME_SC_CONNECT_INVALID,
		  refused(connect_sqe(1), connect_data(NVME_DISCOVERY_NQN, HOST_B, a.cntlid)).sc());
}

TEST_F(NvmfConnect, ControllerIdsAreNotReusedAtOnce)
{
	Host &a = admin();
	uint16_t id = a.cntlid;

	fini(a);
	turn(3);
	EXPECT_NE(id, admin().cntlid);
}

TEST_F(NvmfConnect, WithoutFlowControlTheHeadIsNotReported)
{
	Host &h = host();
	nvme_cmd sqe = connect_sqe(0);

	sqe.cattr = NVME_CONNECT_DISABLE_SQ_FLOW;
	EXPECT_EQ(0xffff, connect(h, sqe, connect_data(SUB_LISTED)).c.cqe.sqhd);
	EXPECT_EQ(0xffff, property_get(h, NVME_PROP_CSTS).c.cqe.sqhd);
}

TEST_F(NvmfConnect, TheQueueHeadGoesRound)
{
	Host &a = admin();
	Host &q = host();

	connect(q, connect_sqe(1, 2), connect_data(SUB_LISTED, HOST_A, a.cntlid));
	EXPECT_EQ(2, run(q, rw(NVME_IO_FLUSH, 0, 1, 0)).c.cqe.sqhd);
	EXPECT_EQ(0, run(q, rw(NVME_IO_FLUSH, 0, 1, 0)).c.cqe.sqhd);
	EXPECT_EQ(1, run(q, rw(0xee, 0, 1, 0)).c.cqe.sqhd) << "a refused command takes an entry as well";
}

TEST_F(NvmfConnect, DyingQueueTakesItsConnectWithIt)
{
	Host &h = host();
	Cmd &c = submit(h, connect_sqe(0), bytes_of(connect_data(SUB_LISTED)));

	fini(h);
	turn(4);
	EXPECT_TRUE(c.done);
	EXPECT_TRUE(h.gone);
}

/* --- properties --------------------------------------------------------------------------------------------------- */

TEST_F(NvmfConnect, PropertiesSayWhatIsThere)
{
	Host &a = admin();
	uint64_t cap = property_get(a, NVME_PROP_CAP, 1).c.cqe.result64;

	EXPECT_EQ(63u, cap & 0xffff) << "MQES";
	EXPECT_EQ(1u, cap >> 16 & 1) << "CQR";
	EXPECT_EQ(30u, cap >> 24 & 0xff) << "TO";
	EXPECT_EQ(1u, cap >> 37 & 1) << "NVM command set";
	EXPECT_EQ(0u, cap >> 48 & 0xff) << "MPSMIN and MPSMAX: 4 KiB";
	EXPECT_EQ(0x20000u, property_get(a, NVME_PROP_VS).c.cqe.cdw0);
	EXPECT_EQ(kEnable, property_get(a, NVME_PROP_CC).c.cqe.cdw0);
	EXPECT_EQ(30u, property_get(a, NVME_PROP_CRTO).c.cqe.cdw0);
}

TEST_F(NvmfConnect, DiscoveryHasTheSamePageSizeAndSomeQueueDepth)
{
	Host &d = admin(NVME_DISCOVERY_NQN, HOST_B);
	uint64_t cap = property_get(d, NVME_PROP_CAP, 1).c.cqe.result64;

	EXPECT_EQ(0u, cap >> 48 & 0xff) << "MPSMIN and MPSMAX: 4 KiB";
	EXPECT_LE(31u, cap & 0xffff) << "MQES: what a host asks of a discovery controller";
	EXPECT_GT(0xffffu, cap & 0xffff);
}

TEST_F(NvmfConnect, PropertiesOfTheWrongSizeOrPlaceAreRefused)
{
	Host &a = admin();

	EXPECT_EQ(NVME_SC_INVALID_FIELD, property_get(a, NVME_PROP_CAP, 0).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, property_get(a, NVME_PROP_VS, 1).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, property_get(a, 0x1000).sc());
	EXPECT_FALSE(property_get(a, 0x1000).dnr()) << "nvme show-regs gives up at a DNR";
	EXPECT_EQ(NVME_SC_INVALID_FIELD, property_get(a, 0xfffffffc).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, property_set(a, NVME_PROP_CAP, 0, 1).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, property_set(a, NVME_PROP_VS, 0).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, property_get(io(a), NVME_PROP_CSTS).sc()) << "only on the admin queue";
}

TEST_F(NvmfConnect, EnableWantsTheEntrySizesThereAre)
{
	Host &h = host();

	connect(h, connect_sqe(0), connect_data(SUB_LISTED));
	EXPECT_EQ(NVME_SC_INVALID_FIELD, property_set(h, NVME_PROP_CC, 1).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, property_set(h, NVME_PROP_CC, kEnable | 1 << 7).sc()) << "8 KiB pages";
	EXPECT_EQ(NVME_SC_INVALID_FIELD, property_set(h, NVME_PROP_CC, kEnable | 3 << 4).sc()) << "command set 3";
	EXPECT_EQ(0u, property_get(h, NVME_PROP_CSTS).c.cqe.cdw0);
	EXPECT_EQ(NVME_SC_SEQUENCE, identify(h, NVME_CNS_CTRLR).sc()) << "not enabled";
	EXPECT_EQ(0, property_set(h, NVME_PROP_CC, kEnable | 6 << 4).sc());
	EXPECT_EQ(0, identify(h, NVME_CNS_CTRLR).sc());
}

TEST_F(NvmfConnect, ResetKillsTheIoQueuesThenClearsReady)
{
	Host &a = admin();
	Host &q = io(a);

	EXPECT_EQ(0, property_set(a, NVME_PROP_CC, kEnable & ~1u).sc());
	turn(2);
	EXPECT_TRUE(q.killed);
	EXPECT_FALSE(a.killed);
	EXPECT_EQ(1u, property_get(a, NVME_PROP_CSTS).c.cqe.cdw0) << "the queue is still there";
	EXPECT_EQ(NVME_SC_INVALID_FIELD, property_set(a, NVME_PROP_CC, kEnable).sc()) << "not before it has stopped";
	fini(q);
	turn(3);
	EXPECT_EQ(0u, property_get(a, NVME_PROP_CSTS).c.cqe.cdw0);
	EXPECT_EQ(0, property_set(a, NVME_PROP_CC, kEnable).sc());
	EXPECT_EQ(1u, property_get(a, NVME_PROP_CSTS).c.cqe.cdw0);
	io(a);
}

TEST_F(NvmfConnect, ShutdownIsReportedWhenTheIoQueuesAreGone)
{
	Host &a = admin();
	Host &q = io(a);

	EXPECT_EQ(0, property_set(a, NVME_PROP_CC, kEnable | 1 << 14).sc());
	turn(2);
	EXPECT_TRUE(q.killed);
	EXPECT_EQ(1u << 2 | 1, property_get(a, NVME_PROP_CSTS).c.cqe.cdw0) << "occurring";
	fini(q);
	turn(3);
	EXPECT_EQ(2u << 2 | 1, property_get(a, NVME_PROP_CSTS).c.cqe.cdw0) << "complete";
	EXPECT_EQ(NVME_SC_SEQUENCE, refused(connect_sqe(1), connect_data(SUB_LISTED, HOST_A, a.cntlid)).sc());
}

/* --- the end of things -------------------------------------------------------------------------------------------- */

TEST_F(NvmfConnect, LosingTheAdminQueueKillsTheOthers)
{
	Host &a = admin();
	Host &q = io(a), &r = io(a, 2);

	fini(a);
	turn(3);
	EXPECT_TRUE(a.gone);
	EXPECT_TRUE(q.killed);
	EXPECT_TRUE(r.killed);
	EXPECT_EQ(NVME_SC_CONNECT_INVALID, refused(connect_sqe(3), connect_data(SUB_LISTED, HOST_A, a.cntlid)).sc());
}

TEST_F(NvmfConnect, KeepAliveExpiryKillsEveryQueue)
{
	Host &a = admin(SUB_LISTED, HOST_A, 3000);
	Host &q = io(a);

	turn(2900);
	EXPECT_EQ(0, run(a, admin_sqe(NVME_ADMIN_KEEP_ALIVE)).sc());
	turn(2900);
	EXPECT_FALSE(a.killed);
	turn(200);
	EXPECT_TRUE(a.killed);
	EXPECT_TRUE(q.killed);
}

/* Nobody ran for ten seconds. What the host sent meanwhile is read before it is called silent, however much lies before
 * it; and who sent nothing is not kept. */
TEST_F(NvmfConnect, KeepAliveThatLiesUnreadCounts)
{
	Host &a = admin(SUB_LISTED, HOST_A, 3000), &silent = admin(SUB_OPEN, HOST_B, 3000);

	for (int i = 0; i < 2; i++) {
		now += 10 * STRAKE_NS_PER_SEC;
		turn(25);
		EXPECT_EQ(0, run(a, admin_sqe(NVME_ADMIN_KEEP_ALIVE)).sc());
		turn(50);
		EXPECT_FALSE(a.killed) << i;
		EXPECT_TRUE(silent.killed);
	}
	turn(2800);
	EXPECT_FALSE(a.killed) << "its time began anew";
	turn(200);
	EXPECT_TRUE(a.killed);
}

TEST_F(NvmfConnect, KeepAliveThatComesWhileAnotherIsLookedForCounts)
{
	Host &late = admin(SUB_LISTED, HOST_A, 3000), &later = admin(SUB_OPEN, HOST_B, 3000);

	turn(10);
	EXPECT_EQ(0, run(later, admin_sqe(NVME_ADMIN_KEEP_ALIVE)).sc());
	while (!late.killed && now < 4 * STRAKE_NS_PER_SEC)
		turn();
	EXPECT_FALSE(later.killed) << "the look that was under way when it became due is not its own";
	EXPECT_EQ(0, run(later, admin_sqe(NVME_ADMIN_KEEP_ALIVE)).sc());
	turn(100);
	EXPECT_TRUE(late.killed);
	EXPECT_FALSE(later.killed);
}

TEST_F(NvmfConnect, KeepAliveTimeIsRoundedUpToItsGranularity)
{
	Host &a = admin(SUB_LISTED, HOST_A, 1);

	EXPECT_EQ(1000u, run(a, admin_sqe(NVME_ADMIN_GET_FEATURES, NVME_FID_KATO)).c.cqe.cdw0);
	turn(900);
	EXPECT_FALSE(a.killed);
	EXPECT_EQ(0, run(a, admin_sqe(NVME_ADMIN_SET_FEATURES, NVME_FID_KATO, 0)).sc());
	turn(5000);
	EXPECT_FALSE(a.killed) << "0 turns it off";
	EXPECT_EQ(0, run(a, admin_sqe(NVME_ADMIN_SET_FEATURES, NVME_FID_KATO, 1500)).sc());
	EXPECT_EQ(2000u, run(a, admin_sqe(NVME_ADMIN_GET_FEATURES, NVME_FID_KATO)).c.cqe.cdw0);
	turn(2100);
	EXPECT_TRUE(a.killed);
}

TEST_F(NvmfConnect, KeepAliveBeginsWhenTheControllerIsEnabled)
{
	Host &h = host();

	EXPECT_EQ(0, connect(h, connect_sqe(0, 31, 3000), connect_data(SUB_LISTED)).sc());
	turn(2900);
	EXPECT_EQ(0, property_set(h, NVME_PROP_CC, kEnable).sc());
	turn(2900);
	EXPECT_FALSE(h.killed);
	EXPECT_EQ(0, run(h, admin_sqe(NVME_ADMIN_KEEP_ALIVE)).sc());
	turn(3100);
	EXPECT_TRUE(h.killed);
}

TEST_F(NvmfConnect, DrainKillsAllAndRefusesNewcomers)
{
	Host &a = admin();
	Host &q = io(a);

	strake_lcore_enter(0);
	EXPECT_FALSE(nvmf_drain());
	turn(2);
	EXPECT_TRUE(a.killed && q.killed);
	EXPECT_EQ(NVME_SC_CONNECT_BUSY, refused(connect_sqe(0), connect_data(SUB_LISTED)).sc());
	fini(a);
	fini(q);
	turn(3);
	strake_lcore_enter(0);
	EXPECT_TRUE(nvmf_drain());
}

TEST_F(NvmfConnect, DisconnectEndsAnIoQueueOnly)
{
	Host &a = admin();
	Host &q = io(a);
	nvme_cmd sqe = {};

	sqe.opc = NVME_OPC_FABRICS;
	sqe.fctype = NVME_FCTYPE_DISCONNECT;
	EXPECT_EQ(NVME_SC_QUEUE_TYPE, run(a, sqe).sc());
	disk->hold = true;
	Cmd &stuck = submit(q, rw(NVME_IO_READ, 0, 1, 512));
	EXPECT_EQ(0, run(q, sqe).sc());
	turn(3);
	EXPECT_TRUE(stuck.done);
	EXPECT_EQ(NVME_SC_ABORT_REQ, stuck.sc());
	EXPECT_EQ(NVME_SC_SEQUENCE, run(q, rw(NVME_IO_READ, 0, 1, 512)).sc());
	EXPECT_EQ(NVME_SC_SEQUENCE, connect(q, connect_sqe(1), connect_data(SUB_LISTED, HOST_A, a.cntlid)).sc());
}

TEST_F(NvmfConnect, UnknownFabricsCommandsAreRefused)
{
	Host &a = admin();
	nvme_cmd sqe = {};

	sqe.opc = NVME_OPC_FABRICS;
	for (unsigned int type = 0; type < 256; type++) {
		if (type == NVME_FCTYPE_CONNECT || type == NVME_FCTYPE_PROPERTY_GET ||
		    type == NVME_FCTYPE_PROPERTY_SET || type == NVME_FCTYPE_DISCONNECT)
			continue;
		sqe.fctype = (uint8_t)type;
		ASSERT_EQ(NVME_SC_INVALID_OPCODE, run(a, sqe).sc()) << type;
	}
}
