/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstdio>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include "peers.h"

static const uint32_t kAllTypes[] = {1, 2, 3, 4, 5, 6};

class Resv : public Peers
{
      protected:
	Cmd &
	ask(const Peer &p)
	{
		return submit(*p.admin, admin_sqe(NVME_ADMIN_ASYNC_EVENT));
	}

	nvme_log_resv
	notice(const Peer &p, bool rae = false)
	{
		return *get_log(*p.admin, NVME_LID_RESERVATION, 64, 0, rae).as<nvme_log_resv>();
	}

	uint16_t
	mask(const Peer &p, uint32_t bits, uint32_t nsid = 1)
	{
		return run(*p.admin, admin_sqe(NVME_ADMIN_SET_FEATURES, NVME_FID_RESV_NOTICE, bits, 0, nsid)).sc();
	}

	/* A host of its own for each number, of which there may be more than peer() has names for. */
	Peer
	numbered(unsigned i)
	{
		Peer p;

		p.admin = &host();
		p.io = &host();
		nvme_connect_data d = data_of(1, SUB_OPEN);
		d.hostid[1] = (uint8_t)(i >> 8);
		d.hostid[2] = (uint8_t)i;
		d.cntlid = (uint16_t)connect(*p.admin, connect_sqe(0), d).c.cqe.cdw0;
		EXPECT_EQ(0, property_set(*p.admin, NVME_PROP_CC, kEnable).sc());
		EXPECT_EQ(0, connect(*p.io, connect_sqe(1), d).sc());
		return p;
	}
};

/* --- register ----------------------------------------------------------------------------------------------------- */

TEST_F(Resv, AKeyIsRegisteredReplacedAndGivenUp)
{
	Peer a = peer(1), b = peer(2);

	EXPECT_EQ("0 0 0:", state_of(a));
	EXPECT_EQ(0, reg(a, 10));
	EXPECT_EQ(0, reg(a, 10)) << "the same again";
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, reg(a, 11)) << "another needs Replace";
	EXPECT_EQ(0, reg(b, 10)) << "hosts may share a key";
	EXPECT_EQ("3 0 0: 1=10 2=10", state_of(b));
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, reg(a, 12, NVME_RREGA_REPLACE, 11));
	EXPECT_EQ(0, reg(a, 12, NVME_RREGA_REPLACE, 10));
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, reg(a, 0, NVME_RREGA_UNREGISTER, 10));
	EXPECT_EQ("4 0 0: 1=12 2=10", state_of(b));
	EXPECT_EQ(0, reg(a, 0, NVME_RREGA_UNREGISTER, 12));
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, reg(a, 0, NVME_RREGA_UNREGISTER, 12));
	EXPECT_EQ("5 0 0: 2=10", state_of(b));
}

TEST_F(Resv, TheExistingKeyCanBeIgnored)
{
	Peer a = peer(1), b = peer(2);

	EXPECT_EQ(0, reg(a, 10, NVME_RREGA_REPLACE | NVME_RESV_IEKEY, 99)) << "whether registered or not";
	EXPECT_EQ(0, reg(a, 11, NVME_RREGA_REPLACE | NVME_RESV_IEKEY, 99));
	EXPECT_EQ("2 0 0: 1=11", state_of(a));
	EXPECT_EQ(0, reg(a, 0, NVME_RREGA_UNREGISTER | NVME_RESV_IEKEY, 99));
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, reg(a, 0, NVME_RREGA_UNREGISTER | NVME_RESV_IEKEY, 99));
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, reg(b, 1, NVME_RREGA_REPLACE, 0)) << "not registered, and the key counts";
	EXPECT_EQ("3 0 0:", state_of(a));
}

TEST_F(Resv, WrongWordsAreRefused)
{
	Peer a = peer(1);

	EXPECT_EQ(NVME_SC_INVALID_FIELD, reg(a, 0)) << "a key of zero";
	EXPECT_EQ(NVME_SC_INVALID_FIELD, reg(a, 1, 1u << 30)) << "CPTPL reserved";
	EXPECT_EQ(NVME_SC_INVALID_FIELD, reg(a, 1, 3u << 30)) << "nothing can persist here";
	for (uint32_t action = 3; action < 8; action++) {
		EXPECT_EQ(NVME_SC_INVALID_FIELD, reg(a, 1, action));
		EXPECT_EQ(NVME_SC_INVALID_FIELD, acquire(a, 1, 1, action));
		EXPECT_EQ(NVME_SC_INVALID_FIELD, release(a, 1, 1, action - 1));
	}
	EXPECT_EQ(0, reg(a, 1));
	for (uint32_t type : {0u, 7u, 8u, 0xffu})
		EXPECT_EQ(NVME_SC_INVALID_FIELD, acquire(a, 1, type));
	EXPECT_EQ(NVME_SC_INVALID_FIELD, acquire(a, 1, 1, NVME_RESV_IEKEY)) << "of Acquire since 1.3";
	EXPECT_EQ(NVME_SC_INVALID_FIELD, release(a, 1, 1, NVME_RESV_IEKEY));
	EXPECT_EQ(NVME_SC_INVALID_FIELD, acquire(a, 1, 1, NVME_RACQA_PREEMPT, 0)) << "zero only for all registrants";
	EXPECT_EQ("1 0 0: 1=1", state_of(a));
}

TEST_F(Resv, WrongLengthsAreRefused)
{
	Peer a = peer(1);

	for (uint8_t opc : {NVME_IO_RESV_REGISTER, NVME_IO_RESV_ACQUIRE, NVME_IO_RESV_RELEASE})
		for (size_t len : {0, 1, 7, 8, 15, 16, 17, 4096}) {
			if (len == (opc == NVME_IO_RESV_RELEASE ? 8 : 16))
				continue;
			EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*a.io, resv_sqe(opc, 0), std::vector<uint8_t>(len)).sc())
				<< (int)opc << " " << len;
		}
	nvme_cmd sqe = resv_sqe(NVME_IO_RESV_REPORT, 1023);
	for (uint32_t len : {0u, 4u, 4092u, 8192u}) {
		sqe.cdw11 = 1;
		sqe.sgl.len = len;
		EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*a.io, sqe).sc()) << len;
	}
	sqe.cdw10 = UINT32_MAX;
	EXPECT_EQ(NVME_SC_INVALID_FIELD, run(*a.io, sqe).sc());
	sqe.cdw10 = 0x3fffffff;
	sqe.sgl.len = 0;
	EXPECT_EQ(NVME_SC_INVALID_FIELD, run(*a.io, sqe).sc());
	sqe.cdw10 = 0xffff;
	sqe.sgl.len = 0x40000;
	EXPECT_EQ(NVME_SC_INVALID_FIELD, run(*a.io, sqe).sc()) << "beyond MDTS";
	EXPECT_EQ(NVME_SC_INVALID_NS, run(*a.io, resv_sqe(NVME_IO_RESV_REGISTER, 0, 2), keys(0, 1)).sc());
	EXPECT_EQ(NVME_SC_INVALID_NS, run(*a.io, resv_sqe(NVME_IO_RESV_REGISTER, 0, NVME_NSID_ALL), keys(0, 1)).sc());
}

TEST_F(Resv, ReportIsCutToWhatIsAskedFor)
{
	Peer a = peer(1);

	ASSERT_EQ(0, reg(a, 7));
	EXPECT_EQ(NVME_SC_HOSTID_FORMAT, report(a, 4096, 0).sc()) << "the short form has no room for our identifiers";
	EXPECT_EQ(1, report(a, 8).data[5]) << "one registrant, although it does not fit";
	std::vector<uint8_t> d = report(a, 64 + 24).data;
	EXPECT_EQ(7, d[64 + 8]);
	EXPECT_EQ(1, d[64 + 16]);
}

/* Who would delete a volume asks. */
TEST_F(Resv, AVolumeTellsWhetherItIsReserved)
{
	Peer a = peer(1);

	ASSERT_EQ(0, reg(a, 7));
	EXPECT_FALSE(nvmf_volume_reserved(&disk->vol)) << "registered is not reserved";
	ASSERT_EQ(0, acquire(a, 7, NVME_RESV_WRITE_EXCL));
	EXPECT_TRUE(nvmf_volume_reserved(&disk->vol));
	EXPECT_FALSE(nvmf_volume_reserved(&big->vol));
	ASSERT_EQ(0, release(a, 7, NVME_RESV_WRITE_EXCL));
	EXPECT_FALSE(nvmf_volume_reserved(&disk->vol));
}

TEST_F(Resv, AHostWithoutIdentifierCannotReserve)
{
	Peer z = peer(0);

	EXPECT_EQ(NVME_SC_SEQUENCE, reg(z, 1));
	EXPECT_EQ("0 0 0:", state_of(z)) << "but may look";
}

TEST_F(Resv, MoreHostsThanThereIsRoomFor)
{
	Peer last;

	for (unsigned i = 0; i < 257; i++) {
		last = numbered(i);
		ASSERT_EQ(i < 256 ? 0 : NVME_SC_INTERNAL, reg(last, i + 1)) << i;
	}
	Cmd &c = report(last, 64 + 257 * 64);
	EXPECT_EQ(0, c.data[5]);
	EXPECT_EQ(1, c.data[6]) << "256";
	EXPECT_EQ(0, c.data[64 + 256 * 64 + 8]) << "and nothing after them";
}

/* --- acquire and release -------------------------------------------------------------------------------------------
 */

TEST_F(Resv, OneHolderUntilReleased)
{
	Peer a = peer(1), b = peer(2);

	for (uint32_t type : kAllTypes) {
		std::string t = std::to_string(type), star = type >= 5 ? "*" : "";

		ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
		EXPECT_EQ(NVME_SC_RESV_CONFLICT, acquire(a, 9, type)) << "a wrong key";
		EXPECT_EQ(0, acquire(a, 1, type));
		EXPECT_EQ(0, acquire(a, 1, type)) << "again";
		EXPECT_EQ(NVME_SC_RESV_CONFLICT, acquire(a, 1, type % 6 + 1)) << "as another type";
		std::string s = state_of(a);
		EXPECT_EQ(" " + t + " 0: 1=1* 2=2" + star, s.substr(s.find(' ')));
		EXPECT_EQ(NVME_SC_RESV_CONFLICT, release(a, 9, type));
		EXPECT_EQ(NVME_SC_INVALID_FIELD, release(a, 1, type % 6 + 1)) << "another type than it is";
		EXPECT_EQ(0, release(a, 1, type));
		EXPECT_EQ(0, release(a, 1, type)) << "nothing to release";
		EXPECT_EQ(0, acquire(b, 2, type));
		EXPECT_EQ(0, release(b, 2, 0, NVME_RRELA_CLEAR));
		s = state_of(a);
		EXPECT_EQ(" 0 0:", s.substr(s.find(' ')));
		EXPECT_EQ(NVME_SC_RESV_CONFLICT, acquire(a, 1, type)) << "no registrant is left";
	}
}

TEST_F(Resv, WhatTheHolderUnregistersIsFree)
{
	Peer a = peer(1), b = peer(2), c = peer(3);

	for (uint32_t type : kAllTypes) {
		ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
		ASSERT_EQ(0, acquire(a, 1, type));
		EXPECT_EQ(type < 5 ? 0 : NVME_SC_RESV_CONFLICT, reg(a, 0, NVME_RREGA_UNREGISTER, 1) ? 1 : write_one(c))
			<< "all registrants' stays until the last";
		EXPECT_EQ(0, reg(b, 0, NVME_RREGA_UNREGISTER, 2));
		EXPECT_EQ(0, write_one(c)) << type;
	}
}

TEST_F(Resv, TheHolderStaysInItsPlaceWhenOthersGo)
{
	Peer a = peer(1), b = peer(2), c = peer(3);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2) | reg(c, 3));
	ASSERT_EQ(0, acquire(b, 2, NVME_RESV_WRITE_EXCL));
	EXPECT_EQ(0, reg(a, 0, NVME_RREGA_UNREGISTER, 1));
	EXPECT_EQ("4 1 0: 2=2* 3=3", state_of(a));
	EXPECT_EQ(0, write_one(b));
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, write_one(c));
}

TEST_F(Resv, ReservationsAreOfOneNamespace)
{
	Peer a = peer(1), b = peer(2);

	ASSERT_EQ(0, reg(a, 1));
	ASSERT_EQ(0, acquire(a, 1, NVME_RESV_EXCL_ACCESS));
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, read_one(b));
	EXPECT_EQ(0, read_one(b, 3));
	EXPECT_EQ("0 0 0:", state_of(b, 3));
}

TEST_F(Resv, AVolumeHasOneReservationInAllSubsystems)
{
	Peer a = peer(1), b = peer(2);

	ASSERT_EQ(0, reg(a, 1));
	ASSERT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL));
	Host &adm = admin(SUB_LISTED, HOST_A);
	Host &q = io(adm);
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, run(q, rw(NVME_IO_WRITE, 0, 1, 0), pattern(512)).sc());
	strake_lcore_enter(0);
	ASSERT_EQ(0, nvmf_ns_add(SUB_OPEN, 9, &disk->vol));
	turn(2);
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, run(*b.io, rw(NVME_IO_WRITE, 0, 1, 0, 9), pattern(512)).sc());
	EXPECT_EQ(0, run(*a.io, rw(NVME_IO_WRITE, 0, 1, 0, 9), pattern(512)).sc());
}

/* --- preempt -------------------------------------------------------------------------------------------------------
 */

TEST_F(Resv, PreemptTakesOverFromTheHolder)
{
	Peer a = peer(1), b = peer(2), c = peer(3), d = peer(4);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2) | reg(c, 1) | reg(d, 4));
	ASSERT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL));
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, acquire(b, 3, 1, NVME_RACQA_PREEMPT, 1)) << "its own key is wrong";
	EXPECT_EQ(0, acquire(b, 2, NVME_RESV_EXCL_ACCESS_REG, NVME_RACQA_PREEMPT, 1));
	EXPECT_EQ("5 4 0: 2=2* 4=4", state_of(b)) << "everybody of that key is gone";
	EXPECT_EQ(NVME_RESV_NOTICE_REG_PREEMPTED, notice(a).type);
	EXPECT_EQ(NVME_RESV_NOTICE_REG_PREEMPTED, notice(c).type);
	EXPECT_EQ(NVME_RESV_NOTICE_RELEASED, notice(d).type) << "the type is another";
	EXPECT_EQ(NVME_RESV_NOTICE_NONE, notice(b).type);
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, read_one(a));
	EXPECT_EQ(0, write_one(d));
}

TEST_F(Resv, PreemptOfOthersLeavesTheReservation)
{
	Peer a = peer(1), b = peer(2), c = peer(3);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2) | reg(c, 3));
	ASSERT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL_REG));
	EXPECT_EQ(0, acquire(b, 2, NVME_RESV_EXCL_ACCESS, NVME_RACQA_PREEMPT, 3));
	EXPECT_EQ("4 3 0: 1=1* 2=2", state_of(a));
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, acquire(b, 2, 1, NVME_RACQA_PREEMPT, 77)) << "nobody's key";
	EXPECT_EQ("4 3 0: 1=1* 2=2", state_of(a)) << "refused ones do not count";
	EXPECT_EQ(0, release(a, 1, NVME_RESV_WRITE_EXCL_REG));
	EXPECT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL, NVME_RACQA_PREEMPT, 2)) << "without a reservation";
	EXPECT_EQ("5 0 0: 1=1", state_of(a)) << "none is made";
}

TEST_F(Resv, AHolderPreemptsItselfToChangeTheType)
{
	Peer a = peer(1), b = peer(2);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
	ASSERT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL));
	EXPECT_EQ(0, acquire(a, 1, NVME_RESV_EXCL_ACCESS, NVME_RACQA_PREEMPT, 1));
	EXPECT_EQ("3 2 0: 1=1* 2=2", state_of(a));
	EXPECT_EQ(NVME_RESV_NOTICE_RELEASED, notice(b).type);
	EXPECT_EQ(NVME_RESV_NOTICE_NONE, notice(a).type);
}

TEST_F(Resv, AllRegistrantsArePreemptedByZeroOrOneByOne)
{
	Peer a = peer(1), b = peer(2), c = peer(3);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2) | reg(c, 3));
	ASSERT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL_ALL));
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, acquire(b, 2, 1, NVME_RACQA_PREEMPT, 9));
	EXPECT_EQ(0, acquire(b, 2, NVME_RESV_EXCL_ACCESS, NVME_RACQA_PREEMPT, 1));
	EXPECT_EQ("4 5 0: 2=2* 3=3*", state_of(a)) << "one gone, the reservation as it was";
	EXPECT_EQ(0, acquire(c, 3, NVME_RESV_EXCL_ACCESS, NVME_RACQA_PREEMPT, 0));
	EXPECT_EQ("5 2 0: 3=3*", state_of(a)) << "all others gone, a new reservation";
	EXPECT_EQ(NVME_RESV_NOTICE_REG_PREEMPTED, notice(b).type);
}

TEST_F(Resv, PreemptAndAbortEndsTheOthersCommands)
{
	Peer a = peer(1), b = peer(2);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
	ASSERT_EQ(0, acquire(b, 2, NVME_RESV_WRITE_EXCL));
	disk->hold = true;
	Cmd &theirs = submit(*b.io, rw(NVME_IO_WRITE, 8, 1, 0), pattern(512));
	Cmd &mine = submit(*a.io, rw(NVME_IO_READ, 8, 1, 512));
	turn(2);
	ASSERT_EQ(2u, disk->n_held);
	EXPECT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL, NVME_RACQA_PREEMPT_ABORT, 2));
	EXPECT_TRUE(theirs.done);
	EXPECT_EQ(NVME_SC_ABORT_REQ, theirs.sc());
	EXPECT_FALSE(mine.done) << "the preemptor's own go on";
}

TEST_F(Resv, PreemptAndAbortWaitsForWhatCannotBeStopped)
{
	Peer a = peer(1), b = peer(2);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
	ASSERT_EQ(0, acquire(b, 2, NVME_RESV_WRITE_EXCL));
	disk->hold = disk->submitted = true;
	Cmd &theirs = submit(*b.io, rw(NVME_IO_WRITE, 8, 1, 0), pattern(512));
	turn(2);
	Cmd &plain = run(*a.io, resv_sqe(NVME_IO_RESV_ACQUIRE, NVME_RACQA_PREEMPT | 1 << 8), keys(1, 2));
	EXPECT_EQ(0, plain.sc()) << "a plain Preempt does not wait";
	ASSERT_EQ(0, reg(b, 2));
	Cmd &c = submit(*a.io, resv_sqe(NVME_IO_RESV_ACQUIRE, NVME_RACQA_PREEMPT_ABORT | 1 << 8), keys(1, 2));
	turn(50);
	EXPECT_FALSE(c.done);
	EXPECT_FALSE(theirs.done);
	disk->hold = false;
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	turn(5);
	EXPECT_TRUE(c.done);
	EXPECT_EQ(0, c.sc());
	EXPECT_EQ(0, theirs.sc());
	EXPECT_LT(theirs.order, c.order);
}

TEST_F(Resv, PreemptAndAbortEndsWithTheOthersConnection)
{
	Peer a = peer(1), b = peer(2);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
	disk->hold = disk->submitted = true;
	Cmd &theirs = submit(*b.io, rw(NVME_IO_WRITE, 8, 1, 0), pattern(512));
	turn(2);
	Cmd &c = submit(*a.io, resv_sqe(NVME_IO_RESV_ACQUIRE, NVME_RACQA_PREEMPT_ABORT | 1 << 8), keys(1, 2));
	turn(5);
	fini(*b.io);
	turn(5);
	EXPECT_FALSE(c.done) << "the drive still has it";
	disk->hold = false;
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	turn(5);
	EXPECT_TRUE(theirs.done);
	EXPECT_TRUE(b.io->gone);
	EXPECT_TRUE(c.done);
}

TEST_F(Resv, PreemptAndAbortWaitsForOneWhoseConnectionWasLostBefore)
{
	Peer a = peer(1), b = peer(2);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
	disk->hold = disk->submitted = true;
	Cmd &theirs = submit(*b.io, rw(NVME_IO_WRITE, 8, 1, 0), pattern(512));
	turn(2);
	fini(*b.io);
	fini(*b.admin);
	turn(5);
	EXPECT_EQ(1u, identify(*a.admin, NVME_CNS_CTRLRS).as<nvme_ctrlr_list>()->n) << "main has forgotten it";
	Cmd &c = submit(*a.io, resv_sqe(NVME_IO_RESV_ACQUIRE, NVME_RACQA_PREEMPT_ABORT | 1 << 8), keys(1, 2));
	turn(50);
	EXPECT_FALSE(c.done);
	disk->hold = false;
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	turn(5);
	EXPECT_TRUE(theirs.done);
	EXPECT_TRUE(c.done);
}

TEST_F(Resv, TwoHostsPreemptEachOther)
{
	Peer a = peer(1), b = peer(2);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
	Cmd &x = submit(*a.io, resv_sqe(NVME_IO_RESV_ACQUIRE, NVME_RACQA_PREEMPT_ABORT | 1 << 8), keys(1, 2));
	Cmd &y = submit(*b.io, resv_sqe(NVME_IO_RESV_ACQUIRE, NVME_RACQA_PREEMPT_ABORT | 1 << 8), keys(2, 1));
	turn(5);
	ASSERT_TRUE(x.done && y.done);
	EXPECT_EQ(0, x.sc());
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, y.sc()) << "it was second";
}

/* --- commands on their way -----------------------------------------------------------------------------------------
 */

TEST_F(Resv, APayloadThatArrivesAfterThePreemptIsNotWritten)
{
	Peer a = peer(1), b = peer(2);
	nvme_cmd sqe = rw(NVME_IO_WRITE, 8, 1, 512);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
	ASSERT_EQ(0, acquire(b, 2, NVME_RESV_WRITE_EXCL));
	sqe.sgl.type = NVME_SGL_TRANSPORT_DATA;
	Cmd &w = check(*b.io, sqe);
	nvme_cmd dsm = resv_sqe(NVME_IO_DSM, 0);
	dsm.cdw11 = NVME_DSM_AD;
	dsm.sgl.len = 16;
	dsm.sgl.type = NVME_SGL_TRANSPORT_DATA;
	Cmd &d = check(*b.io, dsm);
	ASSERT_FALSE(w.rejected || d.rejected);
	ASSERT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL, NVME_RACQA_PREEMPT, 2));
	unsigned int writes = disk->ops[STRAKE_OP_WRITE];
	execute(*b.io, w, pattern(512));
	execute(*b.io, d, bytes_of(nvme_dsm_range{0, 1, 0}));
	turn(3);
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, w.sc());
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, d.sc());
	EXPECT_EQ(writes, disk->ops[STRAKE_OP_WRITE]);
	EXPECT_EQ(0u, disk->ops[STRAKE_OP_DEALLOCATE]);
}

TEST_F(Resv, CompareAndWriteConflictsAsAWrite)
{
	Peer a = peer(1), b = peer(2);

	ASSERT_EQ(0, reg(a, 1));
	ASSERT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL));
	nvme_cmd first = rw(NVME_IO_COMPARE, 0, 1, 512), second = rw(NVME_IO_WRITE, 0, 1, 512);
	first.flags = NVME_CMD_PSDT_SGL | NVME_CMD_FUSE_FIRST;
	second.flags = NVME_CMD_PSDT_SGL | NVME_CMD_FUSE_SECOND;
	Cmd &x = submit(*b.io, first, std::vector<uint8_t>(512));
	Cmd &y = submit(*b.io, second, pattern(512));
	turn(3);
	EXPECT_EQ(NVME_SC_FUSED_FAIL, x.sc());
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, y.sc());
	EXPECT_EQ(0u, disk->ops[STRAKE_OP_COMPARE_WRITE]);
}

class ResvLcores : public Resv
{
      protected:
	void
	SetUp() override
	{
		up(3);
	}
};

TEST_F(ResvLcores, TheAnswerComesWhenEveryLcoreKnows)
{
	Peer a = peer(1, 1), b = peer(2, 3);

	ASSERT_EQ(0, reg(a, 1));
	Cmd &c = submit(*a.io, resv_sqe(NVME_IO_RESV_ACQUIRE, NVME_RESV_WRITE_EXCL << 8), keys(1, 0));
	for (int i = 0; i < 10; i++) /* lcore 3 sleeps */
		for (uint16_t l : {1, 2, 0}) {
			strake_lcore_enter(l);
			strake_lcore_turn(now += 1000000);
		}
	EXPECT_FALSE(c.done) << "a host there could still write";
	Cmd &w = submit(*b.io, rw(NVME_IO_WRITE, 0, 1, 0), pattern(512));
	turn(5);
	EXPECT_EQ(0, w.sc());
	EXPECT_TRUE(c.done);
	EXPECT_EQ(0, c.sc());
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, write_one(b));
}

TEST_F(ResvLcores, AbortReachesEveryLcore)
{
	Peer a = peer(1, 1), b = peer(2, 2);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
	disk->hold = true;
	Cmd &theirs = submit(*b.io, rw(NVME_IO_WRITE, 8, 1, 0), pattern(512));
	turn(3);
	EXPECT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL, NVME_RACQA_PREEMPT_ABORT, 2));
	EXPECT_TRUE(theirs.done);
}

/* --- notifications -------------------------------------------------------------------------------------------------
 */

TEST_F(Resv, ReleaseIsToldToRegistrantsOfSharedTypes)
{
	Peer a = peer(1), b = peer(2), c = peer(3);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
	for (uint32_t type : kAllTypes) {
		ASSERT_EQ(0, acquire(a, 1, type));
		ASSERT_EQ(0, release(a, 1, type));
		EXPECT_EQ(type >= 3 ? NVME_RESV_NOTICE_RELEASED : NVME_RESV_NOTICE_NONE, notice(b).type) << type;
		EXPECT_EQ(NVME_RESV_NOTICE_NONE, notice(a).type);
		EXPECT_EQ(NVME_RESV_NOTICE_NONE, notice(c).type) << "not registered";
	}
	for (uint32_t type : kAllTypes) {
		ASSERT_EQ(0, acquire(a, 1, type));
		ASSERT_EQ(0, reg(a, 0, NVME_RREGA_UNREGISTER, 1));
		EXPECT_EQ(type == 3 || type == 4 ? NVME_RESV_NOTICE_RELEASED : NVME_RESV_NOTICE_NONE, notice(b).type)
			<< type;
		ASSERT_EQ(0, reg(a, 1));
		ASSERT_EQ(0, type >= 5 ? release(b, 2, type) : 0);
		notice(a);
	}
	ASSERT_EQ(0, release(a, 1, 0, NVME_RRELA_CLEAR));
	EXPECT_EQ(NVME_RESV_NOTICE_PREEMPTED, notice(b).type);
}

TEST_F(Resv, EachNotificationIsAnEventAndAPage)
{
	Peer a = peer(1), b = peer(2);
	Cmd &first = ask(b), &second = ask(b);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
	ASSERT_EQ(0, acquire(a, 1, 3));
	ASSERT_EQ(0, release(a, 1, 3));
	ASSERT_EQ(0, release(a, 1, 0, NVME_RRELA_CLEAR));
	ASSERT_TRUE(first.done);
	EXPECT_EQ(0x800006u, first.c.cqe.cdw0) << "command set specific, page 80h";
	EXPECT_FALSE(second.done) << "masked until the page is read";
	nvme_log_resv n = notice(b, true);
	EXPECT_EQ(1u, n.count);
	EXPECT_EQ(1, n.more);
	EXPECT_EQ(1u, n.nsid);
	EXPECT_EQ(NVME_RESV_NOTICE_RELEASED, notice(b).type) << "RAE had left it there";
	turn(2);
	EXPECT_TRUE(second.done) << "there is one more";
	n = notice(b);
	EXPECT_EQ(2u, n.count);
	EXPECT_EQ(NVME_RESV_NOTICE_PREEMPTED, n.type);
	EXPECT_EQ(0, n.more);
	EXPECT_EQ(std::vector<uint8_t>(64), get_log(*b.admin, NVME_LID_RESERVATION, 64).data) << "then it is empty";
}

TEST_F(Resv, LostNotificationsLeaveAGap)
{
	Peer a = peer(1), b = peer(2);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, acquire(a, 1, 3));
		ASSERT_EQ(0, release(a, 1, 3));
	}
	EXPECT_EQ(37u, notice(b).count);
	for (int i = 0; i < 62; i++)
		notice(b);
	EXPECT_EQ(100u, notice(b).count);
	EXPECT_EQ(0u, notice(b).count);
}

TEST_F(Resv, NotificationsCanBeMasked)
{
	Peer a = peer(1), b = peer(2);

	ASSERT_EQ(0, reg(a, 1) | reg(b, 2));
	EXPECT_EQ(0, mask(b, 1u << NVME_RESV_NOTICE_RELEASED | 0xf1));
	Cmd &get = run(*b.admin, admin_sqe(NVME_ADMIN_GET_FEATURES, NVME_FID_RESV_NOTICE, 0, 0, 1));
	EXPECT_EQ(1u << NVME_RESV_NOTICE_RELEASED, get.c.cqe.cdw0);
	ASSERT_EQ(0, acquire(a, 1, 3));
	ASSERT_EQ(0, release(a, 1, 3));
	EXPECT_EQ(NVME_RESV_NOTICE_NONE, notice(b).type);
	ASSERT_EQ(0, release(a, 1, 0, NVME_RRELA_CLEAR));
	EXPECT_EQ(NVME_RESV_NOTICE_PREEMPTED, notice(b).type) << "another kind";
	EXPECT_EQ(0, mask(b, 0xe, NVME_NSID_ALL));
	EXPECT_EQ(NVME_SC_INVALID_NS, mask(b, 0, 2));
	EXPECT_EQ(NVME_SC_INVALID_NS, mask(b, 0, 0));
	Cmd &all = run(*b.admin, admin_sqe(NVME_ADMIN_GET_FEATURES, NVME_FID_RESV_NOTICE, 0, 0, NVME_NSID_ALL));
	EXPECT_EQ(NVME_SC_INVALID_NS, all.sc());
	Cmd &three = run(*b.admin, admin_sqe(NVME_ADMIN_GET_FEATURES, NVME_FID_RESV_NOTICE, 0, 0, 3));
	EXPECT_EQ(0xeu, three.c.cqe.cdw0);
	Cmd &can = run(*b.admin, admin_sqe(NVME_ADMIN_GET_FEATURES, NVME_FID_RESV_NOTICE | 3 << 8, 0, 0, 1));
	EXPECT_EQ((uint32_t)(NVME_FEAT_NS | NVME_FEAT_CHANGEABLE), can.c.cqe.cdw0);
}

/* --- persistence ---------------------------------------------------------------------------------------------------
 */

class ResvKept : public Resv
{
      protected:
	void
	SetUp() override
	{
		char name[] = "/tmp/strake-resv-XXXXXX";

		dir = mkdtemp(name);
		state = dir + "/deep/er";
		up(1);
	}

	void
	TearDown() override
	{
		Resv::TearDown();
		ASSERT_EQ(0, system(("rm -r " + dir).c_str()));
	}

	std::string
	file()
	{
		return state + "/reservation-10010203-0405-4607-8809-0a0b0c0d0e0f";
	}

	std::vector<char>
	content()
	{
		std::ifstream in(file(), std::ios::binary);

		return std::vector<char>(std::istreambuf_iterator<char>(in), {});
	}

	void
	refuses(const std::vector<char> &bytes)
	{
		char err[256] = "";

		std::ofstream(file(), std::ios::binary | std::ios::trunc)
			.write(bytes.data(), (std::streamsize)bytes.size());
		strake_lcore_enter(0);
		EXPECT_NE(0, nvmf_create(&conf_, err, sizeof(err)));
		EXPECT_NE(nullptr, strstr(err, "10010203")) << err;
	}

	uint16_t
	persist(const Peer &p, bool on, uint32_t nsid = 1)
	{
		return run(*p.admin, admin_sqe(NVME_ADMIN_SET_FEATURES, NVME_FID_RESV_PERSIST, on, 0, nsid)).sc();
	}

	std::string dir;
};

TEST_F(ResvKept, WhatPersistsIsThereAfterARestart)
{
	Peer a = peer(1), b = peer(2);

	EXPECT_EQ(0xff, identify(*a.admin, NVME_CNS_NS, 1).as<nvme_id_ns>()->rescap);
	EXPECT_NE(0, access(state.c_str(), F_OK)) << "made only when there is something to keep";
	ASSERT_EQ(0, reg(a, 1, 3u << 30) | reg(b, 2));
	ASSERT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL));
	EXPECT_EQ("2 1 1: 1=1* 2=2", state_of(b));
	restart();
	b = peer(2);
	EXPECT_EQ("2 1 1: 1=1* 2=2", state_of(b));
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, write_one(b)) << "although its holder is not there";
	EXPECT_EQ(0, acquire(b, 2, NVME_RESV_EXCL_ACCESS_ALL, NVME_RACQA_PREEMPT, 1));
	restart();
	b = peer(2);
	EXPECT_EQ("3 6 1: 2=2*", state_of(b));
	EXPECT_EQ(0, reg(b, 0, NVME_RREGA_UNREGISTER | 2u << 30, 2)) << "does not persist any more";
	EXPECT_NE(0, access(file().c_str(), F_OK));
	restart();
	EXPECT_EQ("0 0 0:", state_of(peer(2)));
}

TEST_F(ResvKept, WhatDoesNotPersistIsGone)
{
	Peer a = peer(1);

	ASSERT_EQ(0, reg(a, 1));
	ASSERT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL));
	restart();
	Peer b = peer(2);
	EXPECT_EQ("0 0 0:", state_of(b));
	EXPECT_EQ(0, write_one(b));
}

TEST_F(ResvKept, TheFeatureTurnsItOnAndOff)
{
	Peer a = peer(1);
	nvme_cmd get = admin_sqe(NVME_ADMIN_GET_FEATURES, NVME_FID_RESV_PERSIST, 0, 0, 1);

	ASSERT_EQ(0, reg(a, 1));
	EXPECT_EQ(0u, run(*a.admin, get).c.cqe.cdw0);
	EXPECT_EQ(0, persist(a, true));
	EXPECT_EQ(1u, run(*a.admin, get).c.cqe.cdw0);
	EXPECT_EQ("1 0 1: 1=1", state_of(a)) << "setting it is no change of the registrations";
	restart();
	a = peer(1);
	EXPECT_EQ("1 0 1: 1=1", state_of(a));
	EXPECT_EQ(0, persist(a, false, NVME_NSID_ALL));
	EXPECT_EQ(NVME_SC_INVALID_NS, persist(a, false, 2));
	EXPECT_NE(0, access(file().c_str(), F_OK));
}

TEST_F(ResvKept, WithoutDurabilityThereIsNoAnswer)
{
	Peer a = peer(1), b = peer(2);

	ASSERT_EQ(0, reg(a, 1, 3u << 30));
	ASSERT_EQ(0, mkdir((state + "/reservation.new").c_str(), 0700)); /* nothing can be written beside it now */
	EXPECT_EQ(NVME_SC_INTERNAL, reg(b, 2));
	EXPECT_EQ(NVME_SC_INTERNAL, acquire(a, 1, NVME_RESV_WRITE_EXCL));
	EXPECT_EQ("1 0 1: 1=1", state_of(a)) << "and nothing has changed";
	EXPECT_EQ(0, write_one(b));
	ASSERT_EQ(0, rmdir((state + "/reservation.new").c_str()));
	EXPECT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL));
	EXPECT_EQ(NVME_SC_RESV_CONFLICT, write_one(b));
}

TEST_F(ResvKept, ADamagedFileIsNotBelieved)
{
	Peer a = peer(1);

	ASSERT_EQ(0, reg(a, 1, 3u << 30));
	ASSERT_EQ(0, acquire(a, 1, NVME_RESV_WRITE_EXCL));
	target_down();
	all.clear();
	std::vector<char> good = content();
	ASSERT_EQ(96u, good.size());
	refuses({});
	for (size_t i = 0; i < good.size(); i += 5) {
		std::vector<char> bad = good;

		bad[i] ^= 0x40;
		refuses(bad);
		bad = good;
		bad.resize(i);
		refuses(bad);
	}
	std::vector<char> more = good;
	more.resize(200000);
	refuses(more);
	std::ofstream(file(), std::ios::binary | std::ios::trunc).write(good.data(), (std::streamsize)good.size());
	target_up();
	EXPECT_EQ("1 1 1: 1=1*", state_of(peer(2)));
}

TEST_F(ResvKept, EveryStateComesBackAsItWas)
{
	for (uint32_t type : kAllTypes) {
		Peer a = peer(1), b = peer(2), c = peer(3);

		ASSERT_EQ(0, reg(a, 1, 3u << 30) | reg(b, UINT64_MAX) | reg(c, 3));
		ASSERT_EQ(0, acquire(c, 3, type));
		std::string was = state_of(a);
		restart();
		a = peer(1);
		EXPECT_EQ(was, state_of(a));
		ASSERT_EQ(0, release(a, 1, 0, NVME_RRELA_CLEAR));
	}
}

/* CVE-2025-57275: what was written for so many, beyond what had room. */
TEST_F(ResvKept, AsManyAsThereIsRoomForComeBack)
{
	std::set<uint64_t> seen;

	for (unsigned i = 0; i < 257; i++)
		ASSERT_EQ(i < 256 ? 0 : NVME_SC_INTERNAL, reg(numbered(i), i + 1, 3u << 30)) << i;
	restart();
	Peer a = numbered(7);
	Cmd &c = report(a, 64 + 257 * 64);
	ASSERT_EQ(0, c.sc());
	EXPECT_EQ(0, c.data[5]);
	EXPECT_EQ(1, c.data[6]) << "256";
	const auto *r = reinterpret_cast<const nvme_resv_registrant *>(c.as<nvme_resv_status>() + 1);
	for (unsigned i = 0; i < 256; i++) {
		EXPECT_EQ(r[i].rkey, 1u + ((unsigned)r[i].hostid[1] << 8 | r[i].hostid[2])) << "each with its own key";
		seen.insert(r[i].rkey);
	}
	EXPECT_EQ(256u, seen.size());
	EXPECT_EQ(0, acquire(a, 8, NVME_RESV_WRITE_EXCL)) << "and is known again";
	EXPECT_EQ(NVME_SC_INTERNAL, reg(numbered(300), 300, 3u << 30));
}
