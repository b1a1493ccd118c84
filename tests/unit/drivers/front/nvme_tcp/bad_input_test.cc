/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What a hostile or broken host can send, and ends at every moment. */

#include <functional>

#include "fixture.h"

static nvme_tcp_ch *
ch(Bytes &b)
{
	return (nvme_tcp_ch *)b.data();
}

TEST_F(NvmeTcp, EndsConnectionsThatSayNothing)
{
	Start();
	Pass(CONN_ICREQ_NS + 10 * STRAKE_NS_PER_MS);
	EXPECT_TRUE(pipe_was_reset(host.end));
	EXPECT_EQ(0u, nvme_tcp_lcores[0]->n_active);
	EXPECT_EQ(1u, Stats().timeouts_setup);
}

TEST_F(NvmeTcp, EndsConnectionsThatNeverConnect)
{
	Start();
	host.write(host.icreq());
	EXPECT_EQ(NVME_TCP_ICRESP, Get().type);
	Pass(CONN_CONNECT_NS + 10 * STRAKE_NS_PER_MS);
	EXPECT_TRUE(pipe_was_reset(host.end));
	EXPECT_EQ(0u, nvme_tcp_lcores[0]->n_active);
}

TEST_F(NvmeTcp, LetsAConnectedHostBeSilent)
{
	Start();
	Connect();
	Pass(100 * STRAKE_NS_PER_SEC);
	host.write(host.capsule(Host::io(NVME_IO_READ, 1, 0, 512)));
	EXPECT_EQ(NVME_TCP_C2H_DATA, Get().type);
}

TEST_F(NvmeTcp, EndsTransfersThatStopHalfWay)
{
	Start();
	Connect();
	host.write(host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 8192)));
	EXPECT_EQ(NVME_TCP_R2T, Get().type);
	nvme_tcp_conn *conn = TAILQ_FIRST(&nvme_tcp_lcores[0]->active);
	Pass(3 * CONN_PROGRESS_NS + STRAKE_NS_PER_SEC);
	EXPECT_TRUE(conn->qp.silent);
	EXPECT_TRUE(pipe_was_reset(host.end));
	EXPECT_EQ(1u, Stats().timeouts_progress);
}

/* A byte a second, so that something always moves. */
static void
trickle(const Host &host, const Bytes &from, size_t *at, int seconds, const std::function<void()> &second)
{
	for (int s = 0; s < seconds && !pipe_was_reset(host.end); s++) {
		if (*at < from.size())
			pipe_write(host.end, from.data() + (*at)++, 1);
		second();
	}
}

static constexpr int kPatience = (int)(2 * CONN_PROGRESS_NS / STRAKE_NS_PER_SEC) + 1;

/* Others wait for the slots that such a host keeps. */
TEST_F(NvmeTcp, EndsWritersThatTrickle)
{
	nvme_tcp_conf nc = {};
	nc.slots = 4;
	Start({}, nc);
	Connect();
	Host other = Another();
	for (uint16_t cid = 0; cid < 4; cid++)
		host.write(host.capsule(Host::io(NVME_IO_WRITE, cid, 0, 4096)));
	Reply r;
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(NVME_TCP_R2T, (r = Get()).type);
	other.write(other.capsule(Host::io(NVME_IO_READ, 1, 0, 512)));
	size_t at = 0;
	trickle(host, host.h2c(r.r2t().cccid, r.r2t().ttag, 0, Bytes(4096), true), &at, kPatience,
		[&] { Pass(STRAKE_NS_PER_SEC); });
	EXPECT_TRUE(pipe_was_reset(host.end));
	EXPECT_EQ(1u, Stats().timeouts_progress);
	host = other;
	EXPECT_EQ(NVME_TCP_C2H_DATA, Get().type);
}

TEST_F(NvmeTcp, EndsWritersWhosePiecesAreTiny)
{
	Start();
	Connect();
	host.write(host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 65536)));
	Reply r = Get();
	for (uint32_t s = 0; s < (uint32_t)kPatience && !pipe_was_reset(host.end); s++) {
		host.write(host.h2c(1, r.r2t().ttag, 512 * s, Bytes(512), false));
		Pass(STRAKE_NS_PER_SEC);
	}
	EXPECT_TRUE(pipe_was_reset(host.end));
}

TEST_F(NvmeTcp, EndsCapsulesThatTrickle)
{
	Start();
	Connect();
	size_t at = 0;
	trickle(host, host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 512, true), Bytes(512)), &at, kPatience,
		[&] { Pass(STRAKE_NS_PER_SEC); });
	EXPECT_TRUE(pipe_was_reset(host.end));
}

/* One transfer after another is all that is asked of a slow host, and a slow one may take its time for each. */
TEST_F(NvmeTcp, LetsASlowHostGoOn)
{
	Start();
	Connect();
	for (uint16_t cid = 1; cid < 20; cid++) {
		host.write(host.capsule(Host::io(NVME_IO_WRITE, cid, 0, 4096)));
		Reply r = Get();
		ASSERT_EQ(NVME_TCP_R2T, r.type) << cid;
		Pass(CONN_PROGRESS_NS - STRAKE_NS_PER_SEC);
		host.write(host.h2c(cid, r.r2t().ttag, 0, Bytes(4096), true));
		ASSERT_EQ(0, Get().cqe().status);
	}
	pipe_stop_reading(host.end, true);
	for (uint16_t cid = 1; cid < 10; cid++) {
		host.write(host.capsule(Host::io(NVME_IO_READ, cid, 0, 65536)));
		Pass(CONN_PROGRESS_NS - STRAKE_NS_PER_SEC);
		pipe_stop_reading(host.end, false);
		ASSERT_EQ(NVME_TCP_C2H_DATA, Get().type) << cid;
		pipe_stop_reading(host.end, true);
	}
}

/* What goes the other way is no progress. */
TEST_F(NvmeTcp, EndsReadersThatDoNotReadButTalk)
{
	Start();
	Connect();
	pipe_stop_reading(host.end, true);
	host.write(host.capsule(Host::io(NVME_IO_READ, 1, 0, 8192)));
	for (uint16_t s = 0; s < 3 * CONN_PROGRESS_NS / STRAKE_NS_PER_SEC + 1 && !pipe_was_reset(host.end); s++) {
		host.write(host.capsule(Host::io(NVME_IO_FLUSH, (uint16_t)(2 + s), 0, 0)));
		Pass(STRAKE_NS_PER_SEC);
	}
	EXPECT_TRUE(pipe_was_reset(host.end));
}

/* Whoever keeps pages goes first where there are few; others stay. */
TEST_F(NvmeTcp, EndsTheSlowSoonWherePagesAreShort)
{
	Start();
	Connect();
	Host slow = Another();
	pipe_stop_reading(slow.end, true);
	slow.write(slow.capsule(Host::io(NVME_IO_READ, 1, 0, 8192)));
	Pass(10 * STRAKE_NS_PER_SEC);
	EXPECT_FALSE(pipe_was_reset(slow.end));
	std::vector<strake_buf *> kept;
	while (strake_buf *b = strake_buf_page(131072))
		kept.push_back(b);
	auto put = [&](size_t n) {
		for (; n > 0; n--, kept.pop_back())
			strake_buf_put(kept.back());
	};
	put(kept.size() / 16);
	for (int s = 0; s < 8; s++) {
		host.write(host.capsule(Host::io(NVME_IO_READ, 1, 0, 512)));
		Pass(STRAKE_NS_PER_SEC);
		ASSERT_EQ(NVME_TCP_C2H_DATA, Get().type);
	}
	EXPECT_TRUE(pipe_was_reset(slow.end));
	EXPECT_FALSE(pipe_was_reset(host.end));
	put(kept.size());
}

TEST_F(NvmeTcp, EndsReadersThatNeverDrainTheirWindow)
{
	Start();
	Connect();
	pipe_stop_reading(host.end, true);
	host.write(host.capsule(Host::io(NVME_IO_READ, 1, 0, 8192)));
	Pass(3 * CONN_PROGRESS_NS + STRAKE_NS_PER_SEC);
	EXPECT_TRUE(pipe_was_reset(host.end));
	EXPECT_EQ(0u, nvme_tcp_lcores[0]->n_active);
}

TEST_F(NvmeTcp, SurvivesICReqThenInstantClose)
{
	Start();
	host.write(host.icreq());
	pipe_reset(host.end);
	Turn(20);
	EXPECT_EQ(0u, nvme_tcp_lcores[0]->n_active);
}

TEST_F(NvmeTcp, SurvivesICReqThenFin)
{
	Start();
	host.write(host.icreq());
	pipe_shut(host.end);
	Turn(20);
	EXPECT_EQ(0u, nvme_tcp_lcores[0]->n_active);
}

TEST_F(NvmeTcp, RefusesASecondICReqAfterDigestsWereAgreed)
{
	Start();
	host.hdgst = host.ddgst = true;
	host.write(host.icreq());
	EXPECT_EQ(NVME_TCP_ICRESP, Get().type);
	host.write(host.icreq());
	ExpectTerm(NVME_TCP_FES_SEQUENCE, 0);
}

TEST_F(NvmeTcp, RefusesCommandsBeforeICReq)
{
	Start();
	host.write(host.capsule(Host::connect(true), Bytes(1024)));
	ExpectTerm(NVME_TCP_FES_SEQUENCE, 0);
}

TEST_F(NvmeTcp, RefusesAnUnknownPduFormatVersion)
{
	Start();
	host.write(host.icreq(1));
	ExpectTerm(NVME_TCP_FES_UNSUPPORTED, 8);
}

TEST_F(NvmeTcp, RefusesAWildAlignment)
{
	Start();
	host.hpda = 32;
	host.write(host.icreq());
	ExpectTerm(NVME_TCP_FES_INVALID_HEADER, 10);
}

/* Digests were asked for, and are not agreed: nothing of theirs may be left, and the answer carries none. */
TEST_F(NvmeTcp, RefusesAWrongICReqThatAsksForDigests)
{
	Start();
	host.hdgst = host.ddgst = true;
	for (bool version : {true, false}) {
		host.end = pipe_open(pipe, kPort);
		host.hpda = version ? 0 : 32;
		host.write(host.icreq(version));
		host.hdgst = false;
		ExpectTerm(version ? NVME_TCP_FES_UNSUPPORTED : NVME_TCP_FES_INVALID_HEADER, version ? 8 : 10);
		host.hdgst = true;
		pipe_shut(host.end);
		Turn(10);
	}
	EXPECT_LE(nvme_tcp_lcores[0]->n_active, 1u) << "the fixture's own";
}

TEST_F(NvmeTcp, RefusesWhatNoHeaderMaySay)
{
	struct {
		const char *what;
		uint8_t hlen;
		uint32_t plen;
		uint8_t type;
		uint16_t fes;
		uint32_t fei;
	} cases[] = {
		{"unknown type", 72, 72, 0x08, NVME_TCP_FES_INVALID_HEADER, 0},
		{"type 255", 72, 72, 0xff, NVME_TCP_FES_INVALID_HEADER, 0},
		{"ours", 24, 24, NVME_TCP_C2H_DATA, NVME_TCP_FES_SEQUENCE, 0},
		{"R2T", 24, 24, NVME_TCP_R2T, NVME_TCP_FES_SEQUENCE, 0},
		{"hlen 255", 255, 72, NVME_TCP_CAPSULE_CMD, NVME_TCP_FES_INVALID_HEADER, 2},
		{"hlen 0", 0, 72, NVME_TCP_CAPSULE_CMD, NVME_TCP_FES_INVALID_HEADER, 2},
		{"plen 0", 72, 0, NVME_TCP_CAPSULE_CMD, NVME_TCP_FES_INVALID_HEADER, 4},
		{"plen short", 72, 71, NVME_TCP_CAPSULE_CMD, NVME_TCP_FES_INVALID_HEADER, 4},
		{"pdo in header", 72, 100, NVME_TCP_CAPSULE_CMD, NVME_TCP_FES_INVALID_HEADER, 3},
		{"plen huge", 72, 0xffffffff, NVME_TCP_CAPSULE_CMD, NVME_TCP_FES_INVALID_HEADER, 3},
		{"term too long", 24, 24 + 129, NVME_TCP_H2C_TERM, NVME_TCP_FES_INVALID_HEADER, 4},
	};
	Start();
	for (auto &c : cases) {
		SCOPED_TRACE(c.what);
		host.end = pipe_open(pipe, kPort);
		Connect();
		Bytes b(128);
		*ch(b) = {c.type, 0, c.hlen, 0, c.plen};
		host.write(b);
		ExpectTerm(c.fes, c.fei);
		pipe_shut(host.end);
		Turn(10);
	}
}

TEST_F(NvmeTcp, RefusesMoreInCapsuleDataThanAllowed)
{
	Start();
	Connect();
	Bytes b = host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 512, true), Bytes(8192 + 512));
	host.write(b);
	ExpectTerm(NVME_TCP_FES_LIMIT_EXCEEDED, 0);
	EXPECT_EQ(1u, nvmf->executed);
}

TEST_F(NvmeTcp, FailsACommandWhoseInCapsuleWindowIsNotInItsPdu)
{
	Start();
	Connect();
	const uint64_t offsets[] = {1, 512, 4096, UINT32_MAX, UINT64_MAX, UINT64_MAX - 511};
	for (uint64_t off : offsets) {
		nvme_cmd c = Host::io(NVME_IO_WRITE, 1, 0, 512, true);
		c.sgl.addr = off;
		host.write(host.capsule(c, Bytes(512)));
		Reply r = Get();
		ASSERT_EQ(NVME_TCP_CAPSULE_RESP, r.type) << off;
		EXPECT_EQ(NVME_SC_SGL_OFFSET, NVME_CPL_SC(r.cqe().status)) << off;
	}
	/* Without data at all. */
	host.write(host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 512, true)));
	EXPECT_EQ(NVME_SC_SGL_OFFSET, NVME_CPL_SC(Get().cqe().status));
	EXPECT_EQ(1u, nvmf->executed);
}

TEST_F(NvmeTcp, RefusesH2CDataBeforeConnect)
{
	Start();
	host.write(host.icreq());
	EXPECT_EQ(NVME_TCP_ICRESP, Get().type);
	host.write(host.h2c(0, 0, 0, Bytes(512), true));
	ExpectTerm(NVME_TCP_FES_SEQUENCE, 0);
}

TEST_F(NvmeTcp, RefusesH2CDataForARead)
{
	Start();
	Connect();
	nvmf->hold = true;
	host.write(host.capsule(Host::io(NVME_IO_READ, 1, 0, 512)));
	Turn(3);
	host.write(host.h2c(1, 0, 0, Bytes(512), true));
	ExpectTerm(NVME_TCP_FES_SEQUENCE, 0);
}

TEST_F(NvmeTcp, RefusesH2CDataThatDoesNotFitItsR2T)
{
	Start();
	struct {
		const char *what;
		uint16_t cid, ttag_add;
		uint32_t off, len;
		bool last;
		uint16_t fes;
		uint32_t fei;
	} cases[] = {
		{"other ttag", 1, 1, 0, 4096, true, NVME_TCP_FES_INVALID_HEADER, 10},
		{"wild ttag", 1, 0x7fff, 0, 4096, true, NVME_TCP_FES_INVALID_HEADER, 10},
		{"other cid", 2, 0, 0, 4096, true, NVME_TCP_FES_INVALID_HEADER, 8},
		{"gap", 1, 0, 512, 512, false, NVME_TCP_FES_OUT_OF_RANGE, 0},
		{"offset beyond", 1, 0, 0xffffffff, 512, false, NVME_TCP_FES_OUT_OF_RANGE, 0},
		{"too long", 1, 0, 0, 8192, true, NVME_TCP_FES_OUT_OF_RANGE, 0},
		{"early last", 1, 0, 0, 512, true, NVME_TCP_FES_INVALID_HEADER, 1},
		{"no last", 1, 0, 0, 4096, false, NVME_TCP_FES_INVALID_HEADER, 1},
	};
	for (auto &c : cases) {
		SCOPED_TRACE(c.what);
		host.end = pipe_open(pipe, kPort);
		Connect();
		host.write(host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 4096)));
		Reply r = Get();
		ASSERT_EQ(NVME_TCP_R2T, r.type);
		host.write(host.h2c(c.cid, (uint16_t)(r.r2t().ttag + c.ttag_add), c.off, Bytes(c.len), c.last));
		ExpectTerm(c.fes, c.fei);
		pipe_shut(host.end);
		Turn(10);
	}
	EXPECT_EQ(8u, nvmf->executed); /* the Connects */
}

TEST_F(NvmeTcp, RefusesADataLengthThatIsNotThePdus)
{
	Start();
	Connect();
	host.write(host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 4096)));
	Reply r = Get();
	Bytes b = host.h2c(1, r.r2t().ttag, 0, Bytes(1024), false);
	((nvme_tcp_data *)b.data())->datal = 512;
	host.write(b);
	ExpectTerm(NVME_TCP_FES_INVALID_HEADER, 16);
}

TEST_F(NvmeTcp, RefusesMoreThanMaxH2CData)
{
	nvme_tcp_conf nc = {};
	nc.maxh2c = 4096;
	Start({}, nc);
	Connect();
	host.write(host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 16384)));
	Reply r = Get();
	host.write(host.h2c(1, r.r2t().ttag, 0, Bytes(8192), false));
	ExpectTerm(NVME_TCP_FES_LIMIT_EXCEEDED, 0);
}

TEST_F(NvmeTcp, TakesAWrongHeaderDigestAsFatalAndQuotesIt)
{
	Start();
	host.hdgst = true;
	Connect();
	Bytes b = host.capsule(Host::io(NVME_IO_READ, 1, 0, 512));
	uint32_t bad;
	b[72] ^= 1;
	memcpy(&bad, b.data() + 72, 4);
	host.write(b);
	ExpectTerm(NVME_TCP_FES_HEADER_DIGEST, bad);
	EXPECT_EQ(1u, nvmf->executed);
}

TEST_F(NvmeTcp, RefusesFlagsThatDenyTheAgreedDigests)
{
	Start();
	host.hdgst = true;
	Connect();
	host.hdgst = false;
	host.write(host.capsule(Host::io(NVME_IO_READ, 1, 0, 512)));
	host.hdgst = true;
	ExpectTerm(NVME_TCP_FES_INVALID_HEADER, 1);
}

TEST_F(NvmeTcp, FailsOnlyTheCommandWhoseDataDigestIsWrong)
{
	Start();
	host.ddgst = true;
	Connect();
	host.write(host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 512, true), Bytes(512), 0, true));
	EXPECT_EQ(NVME_SC_TRANSIENT_TRANSPORT, NVME_CPL_SC(Get().cqe().status));
	host.write(host.capsule(Host::io(NVME_IO_READ, 2, 0, 512)));
	EXPECT_EQ(NVME_TCP_C2H_DATA, Get().type);
	EXPECT_EQ(2u, nvmf->executed); /* Connect and the read */
}

TEST_F(NvmeTcp, FailsAWriteOnceWhenADigestIsWrongInTheMiddleOfItsR2T)
{
	Start();
	host.ddgst = true;
	Connect();
	auto data = Pattern(6144, 1);
	host.write(host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 6144)));
	Reply r = Get();
	for (uint32_t off = 0; off < 6144; off += 2048)
		host.write(host.h2c(1, r.r2t().ttag, off, Bytes(2048, 1), off == 4096, off == 2048));
	EXPECT_EQ(NVME_SC_TRANSIENT_TRANSPORT, NVME_CPL_SC(Get().cqe().status));
	EXPECT_EQ(0xff, Get(50).type);
	EXPECT_EQ(1u, nvmf->executed);
}

TEST_F(NvmeTcp, AnswersAnIdentifierInUseWithAConflict)
{
	Start();
	Connect();
	nvmf->hold = true;
	host.write(host.capsule(Host::io(NVME_IO_READ, 7, 0, 512)));
	host.write(host.capsule(Host::io(NVME_IO_READ, 7, 0, 512)));
	Reply r = Get();
	EXPECT_EQ(NVME_SC_CID_CONFLICT, NVME_CPL_SC(r.cqe().status));
	fake_nvmf_release(1);
	EXPECT_EQ(NVME_TCP_C2H_DATA, Get().type);
	nvmf->hold = false;
	host.write(host.capsule(Host::io(NVME_IO_READ, 7, 0, 512))); /* free again */
	EXPECT_EQ(NVME_TCP_C2H_DATA, Get().type);
}

TEST_F(NvmeTcp, ClosesAfterAHostsTerminationRequest)
{
	Start();
	Connect();
	nvme_tcp_term t = {};
	t.ch = {NVME_TCP_H2C_TERM, 0, 24, 0, 24};
	t.fes = NVME_TCP_FES_SEQUENCE;
	host.write(Bytes((uint8_t *)&t, (uint8_t *)(&t + 1)));
	Turn(5);
	EXPECT_TRUE(pipe_eof(host.end));
	EXPECT_EQ(1u, Stats().terms_in);
}

TEST_F(NvmeTcp, GivesUpOnAHostThatKeepsATerminatedConnectionOpen)
{
	Start();
	host.write(Bytes(64, 0xff));
	ExpectTerm(NVME_TCP_FES_INVALID_HEADER, 0);
	for (int i = 0; i < 100; i++) { /* goes on talking */
		host.write(Bytes(4096, 0xaa));
		Pass(CONN_TERM_NS / 50);
	}
	EXPECT_TRUE(pipe_was_reset(host.end));
	EXPECT_EQ(0u, nvme_tcp_lcores[0]->n_active);
}

TEST_F(NvmeTcp, EndsQuietlyWhenKilledFromInside)
{
	Start();
	Connect();
	nvmf->hold = true;
	host.write(host.capsule(Host::io(NVME_IO_READ, 1, 0, 512)));
	Turn(3);
	nvme_tcp_conn *conn = TAILQ_FIRST(&nvme_tcp_lcores[0]->active);
	nvme_tcp_transport()->kill(&conn->qp);
	nvme_tcp_transport()->kill(&conn->qp);
	Turn(5);
	EXPECT_TRUE(pipe_eof(host.end));
	EXPECT_EQ(1u, nvme_tcp_lcores[0]->n_active); /* its command is not back yet */
	fake_nvmf_release(1);
	pipe_shut(host.end);
	Turn(5);
	EXPECT_EQ(0u, nvme_tcp_lcores[0]->n_active);
}

/* The stream's end, the queue pair's end and the commands' ends in every order, at every byte of a conversation: each
 * command is done once, nothing leaks (the fixture counts), nothing is touched after it was freed (the sanitizer). */
class NvmeTcpEnds : public NvmeTcp, public testing::WithParamInterface<int>
{
};

TEST_P(NvmeTcpEnds, AtEveryPointOfAConversation)
{
	int how = GetParam();
	pipe_conf pc = {};
	pc.expect = how & 1;
	Start(pc);
	host.ddgst = true;
	Bytes script = host.icreq();
	auto add = [&](const Bytes &b) { script.insert(script.end(), b.begin(), b.end()); };
	add(host.capsule(Host::connect(true), Bytes(1024, 1)));
	add(host.capsule(Host::io(NVME_IO_READ, 1, 0, 8192)));
	add(host.capsule(Host::io(NVME_IO_WRITE, 2, 0, 512, true), Bytes(512, 2)));
	add(host.capsule(Host::io(NVME_IO_WRITE, 3, 0, 1024)));
	/* Slots are taken last in, first out: of the fresh table the fourth command has the lowest free index. */
	for (size_t cut = 0; cut <= script.size(); cut += 7) {
		host.end = pipe_open(pipe, kPort);
		ASSERT_NE(nullptr, host.end) << cut;
		nvmf->hold = (how & 2) != 0;
		nvmf->hold_gone = (how & 4) != 0;
		host.write(Bytes(script.begin(), script.begin() + (long)std::min(cut, (size_t)128)));
		Turn(2);
		if (cut > 128) {
			host.write(
				Bytes(script.begin() + 128, script.begin() + (long)std::min(cut, (size_t)128 + 1104)));
			Turn(3);
		}
		if (cut > 128 + 1104) {
			host.write(Bytes(script.begin() + 128 + 1104, script.begin() + (long)cut));
			Turn(3);
		}
		if (how & 8)
			pipe_reset(host.end);
		else
			pipe_shut(host.end);
		Turn(4);
		fake_nvmf_release(UINT32_MAX);
		Turn(2);
		nvmf->hold_gone = false;
		Turn(4);
		ASSERT_LE(nvme_tcp_lcores[0]->n_active, 1u) << cut; /* the fixture's first */
	}
}

INSTANTIATE_TEST_SUITE_P(Orders, NvmeTcpEnds, testing::Range(0, 16));

/* Bytes that are nearly right: a seed damages a good conversation; the connection may end, the process may not. */
TEST_F(NvmeTcp, SurvivesDamagedConversations)
{
	pipe_conf pc = {};
	pc.chunk_max = 64;
	Start(pc);
	uint64_t x = 88172645463325252ull;
	auto rnd = [&](uint32_t n) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		return (uint32_t)((x >> 20) % n);
	};
	for (int round = 0; round < 600; round++) {
		host.hdgst = false;
		host.ddgst = round & 1;
		host.end = pipe_open(pipe, kPort);
		ASSERT_NE(nullptr, host.end);
		Bytes script = host.icreq();
		auto add = [&](const Bytes &b) { script.insert(script.end(), b.begin(), b.end()); };
		add(host.capsule(Host::connect(true), Bytes(1024, 1)));
		for (uint16_t cid = 0; cid < 6; cid++)
			add(host.capsule(Host::io(cid & 1 ? NVME_IO_WRITE : NVME_IO_READ, cid, cid, 512, cid & 1),
					 cid & 1 ? Bytes(512, 2) : Bytes()));
		for (uint32_t n = 1 + rnd(4); n > 0; n--)
			script[(round & 2) ? rnd(128) : 128 + rnd((uint32_t)script.size() - 128)] ^=
				(uint8_t)(1u << rnd(8));
		host.write(script);
		Turn(120);
		pipe_reset(host.end);
		Turn(4);
	}
	EXPECT_LE(nvme_tcp_lcores[0]->n_active, 1u);
}
