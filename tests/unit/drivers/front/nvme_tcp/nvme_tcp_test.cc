/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <algorithm>
#include <map>
#include <tuple>

#include "fixture.h"

/* Every segmentation, digest and alignment: seed, largest chunk, digests, expect(). */
class NvmeTcpWire : public NvmeTcp, public testing::WithParamInterface<std::tuple<int, uint32_t, int, bool>>
{
      protected:
	void
	SetUp() override
	{
		auto [seed, chunk, digests, expect] = GetParam();
		pipe_conf pc = {};

		pc.seed = (uint64_t)seed;
		pc.chunk_max = chunk;
		pc.delay_max = chunk == 1 ? 0 : 2;
		pc.expect = expect;
		host.hdgst = digests & 1;
		host.ddgst = digests & 2;
		host.hpda = (uint8_t)(seed * 7 % 32);
		Start(pc);
		ASSERT_NO_FATAL_FAILURE(Connect(seed % 2));
	}
};

TEST_P(NvmeTcpWire, CarriesReadsAndWritesUnchanged)
{
	auto data = Pattern(8192, 1), big = Pattern(40960, 2);

	host.write(host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 8192, true), data, 8));
	EXPECT_EQ(0, Get().cqe().status);
	host.write(host.capsule(Host::io(NVME_IO_WRITE, 2, 64, 40960)));
	Reply r = Get();
	ASSERT_NO_FATAL_FAILURE(Fetch(r, big, 13000));
	r = Get();
	EXPECT_EQ(NVME_TCP_CAPSULE_RESP, r.type);
	EXPECT_EQ(0, r.cqe().status);
	EXPECT_EQ(0, memcmp(data.data(), nvmf->disk, data.size()));
	EXPECT_EQ(0, memcmp(big.data(), nvmf->disk + 64 * 512, big.size()));
	EXPECT_TRUE(nvmf->page_aligned || !std::get<3>(GetParam()));

	host.write(host.capsule(Host::io(NVME_IO_READ, 3, 64, 40960)));
	r = Get();
	ASSERT_EQ(NVME_TCP_C2H_DATA, r.type);
	EXPECT_EQ(big, r.data);
	EXPECT_EQ(3, r.c2h().cccid);
	EXPECT_TRUE(r.flags & NVME_TCP_F_LAST);
	if (std::get<0>(GetParam()) % 2 == 0) { /* SQ flow control: SQHD is due */
		EXPECT_FALSE(r.flags & NVME_TCP_F_SUCCESS);
		r = Get();
		EXPECT_EQ(NVME_TCP_CAPSULE_RESP, r.type);
		EXPECT_EQ(3, r.cqe().cid);
	} else {
		EXPECT_TRUE(r.flags & NVME_TCP_F_SUCCESS);
	}
}

TEST_P(NvmeTcpWire, AnswersEachOfManyMixedCommandsOnce)
{
	std::map<uint16_t, Bytes> writes;
	std::map<uint16_t, int> seen;
	unsigned int ended = 0;

	for (uint16_t cid = 0; cid < 60; cid++) {
		auto data = Pattern(2048, (uint8_t)cid);
		if (cid % 3 == 0) {
			host.write(host.capsule(Host::io(NVME_IO_READ, cid, 1000, 4096)));
		} else if (cid % 3 == 1) {
			host.write(host.capsule(Host::io(NVME_IO_WRITE, cid, cid * 4u, 2048, true), data));
		} else {
			writes[cid] = data;
			host.write(host.capsule(Host::io(NVME_IO_WRITE, cid, cid * 4u, 2048)));
		}
	}
	while (ended < 60) {
		Reply r = Get();
		ASSERT_NE(0xff, r.type);
		if (r.type == NVME_TCP_R2T) {
			ASSERT_NO_FATAL_FAILURE(Fetch(r, writes[r.r2t().cccid], 1024));
			continue;
		}
		if (r.type == NVME_TCP_C2H_DATA && !(r.flags & NVME_TCP_F_SUCCESS))
			continue;
		uint16_t cid = r.type == NVME_TCP_C2H_DATA ? r.c2h().cccid : r.cqe().cid;
		EXPECT_EQ(0, seen[cid]++) << cid;
		ended++;
	}
	for (uint16_t cid = 0; cid < 60; cid++)
		if (cid % 3 != 0) {
			auto want = Pattern(2048, (uint8_t)cid);
			EXPECT_EQ(0, memcmp(want.data(), nvmf->disk + cid * 2048, 2048)) << cid;
		}
}

INSTANTIATE_TEST_SUITE_P(Segments, NvmeTcpWire,
			 testing::Combine(testing::Values(1, 2), testing::Values(0u, 1u, 97u, 3000u),
					  testing::Values(0, 1, 2, 3), testing::Bool()));

TEST_F(NvmeTcp, CutsAStreamAtEveryByteWithoutHarm)
{
	Start();
	host.hdgst = host.ddgst = true;
	Connect();
	auto data = Pattern(512, 9);
	Bytes stream = host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 512, true), data);
	Bytes read = host.capsule(Host::io(NVME_IO_READ, 2, 0, 512));
	stream.insert(stream.end(), read.begin(), read.end());
	for (size_t cut = 1; cut < stream.size(); cut++) {
		memset(nvmf->disk, 0, 512);
		host.write(Bytes(stream.begin(), stream.begin() + (long)cut));
		Turn(3);
		host.write(Bytes(stream.begin() + (long)cut, stream.end()));
		bool wrote = false, got = false;
		for (int i = 0; i < 2; i++) {
			Reply r = Get(20);
			wrote |= r.type == NVME_TCP_CAPSULE_RESP && r.cqe().cid == 1 && r.cqe().status == 0;
			got |= r.type == NVME_TCP_C2H_DATA;
		}
		ASSERT_TRUE(wrote && got) << "cut at " << cut;
		ASSERT_EQ(0, memcmp(data.data(), nvmf->disk, 512)) << "cut at " << cut;
	}
}

/* Digests are computed over what is sent, and some carriers copy it; others leave that to a card. */
TEST_F(NvmeTcp, KnowsWhetherItTouchesWhatItSends)
{
	for (int i = 0; i < 8; i++) {
		bool ddgst = (i & 1) != 0, copies = (i & 2) != 0, hdgst = (i & 4) != 0;

		if (i == 0)
			ASSERT_NO_FATAL_FAILURE(Start());
		else
			host.end = pipe_open(pipe, kPort);
		Turn();
		nvme_tcp_conn *conn = TAILQ_LAST(&nvme_tcp_lcores[0]->active, nvme_tcp_conns);
		ASSERT_EQ(CONN_ICREQ, conn->state);
		host.ddgst = ddgst;
		host.hdgst = hdgst;
		conn->stream->copies = copies;
		host.write(host.icreq());
		ASSERT_EQ(NVME_TCP_ICRESP, Get().type);
		EXPECT_EQ(ddgst || copies, conn->qp.touches) << i;
	}
}

TEST_F(NvmeTcp, HandsCommandsOnInBursts)
{
	Start();
	Connect();
	Bytes all;
	for (uint16_t cid = 0; cid < 100; cid++) {
		Bytes c = host.capsule(Host::io(NVME_IO_READ, cid, 0, 512));
		all.insert(all.end(), c.begin(), c.end());
	}
	uint64_t sends = Stats().sends;
	host.write(all);
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(NVME_TCP_C2H_DATA, Get().type);
	EXPECT_EQ((uint32_t)STRAKE_BURST, nvmf->burst_max);
	EXPECT_LE(Stats().sends - sends, 3u);
}

TEST_F(NvmeTcp, KeepsInCapsuleDataWhereItWasReceived)
{
	Start();
	Connect();
	uint64_t placed = Stats().bytes_placed;
	host.write(host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 4096, true), Pattern(4096, 3)));
	EXPECT_EQ(0, Get().cqe().status);
	EXPECT_EQ(placed, Stats().bytes_placed);
}

TEST_F(NvmeTcp, KeepsNoSharedBufferForACapsuleWithoutItsEnd)
{
	pipe_conf pc = {};
	pc.expect = true;
	Start(pc);
	Connect();
	auto data = Pattern(4096, 3);
	for (uint32_t first : {100u, 1000u}) { /* a header and some data; in a piece of its own before that */
		Bytes c = host.capsule(Host::io(NVME_IO_WRITE, 1, 0, 4096, true), data);
		uint32_t cut = first == 100 ? 0 : 30;

		host.write(Bytes(c.begin(), c.begin() + cut));
		Turn(5);
		host.write(Bytes(c.begin() + cut, c.begin() + first));
		Turn(5);
		nvme_tcp_conn *conn = TAILQ_FIRST(&nvme_tcp_lcores[0]->active);
		nvme_tcp_slot *slot = TAILQ_FIRST(&conn->xfers);
		ASSERT_NE(nullptr, slot);
		EXPECT_NE(nullptr, slot->page);
		EXPECT_EQ(nullptr, slot->cmd.data);
		EXPECT_EQ(nullptr, conn->rx_head);
		host.write(Bytes(c.begin() + first, c.end()));
		EXPECT_EQ(0, Get().cqe().status);
		EXPECT_EQ(0, memcmp(data.data(), nvmf->disk, 4096));
	}
}

TEST_F(NvmeTcp, TakesTheWindowOfInCapsuleDataThatTheSglNames)
{
	Start();
	host.ddgst = true;
	Connect();
	auto data = Pattern(4096, 5);
	nvme_cmd c = Host::io(NVME_IO_WRITE, 1, 0, 512, true);
	c.sgl.addr = 1024;
	host.write(host.capsule(c, data));
	EXPECT_EQ(0, Get().cqe().status);
	EXPECT_EQ(0, memcmp(data.data() + 1024, nvmf->disk, 512));
}

TEST_F(NvmeTcp, IssuesAReadOnlyWhenItsReplyHasRoom)
{
	pipe_conf pc = {};
	pc.tx_limit = 40000;
	Start(pc);
	Connect();
	pipe_stop_reading(host.end, true);
	for (uint16_t cid = 0; cid < 64; cid++)
		host.write(host.capsule(Host::io(NVME_IO_READ, cid, 0, 4096)));
	Turn(50);
	EXPECT_EQ(1u + 9u, nvmf->executed); /* Connect, and what fits in 40,000 bytes */
	EXPECT_GT(Stats().credit_waits, 0u);
	pipe_stop_reading(host.end, false);
	for (uint16_t cid = 0; cid < 64; cid++)
		ASSERT_EQ(NVME_TCP_C2H_DATA, Get().type) << cid;
}

TEST_F(NvmeTcp, SendsAReplyLongerThanTheLimitWhenNothingElseIsUnderWay)
{
	pipe_conf pc = {};
	pc.tx_limit = 20000;
	Start(pc);
	Connect();
	for (uint16_t cid = 0; cid < 4; cid++)
		host.write(host.capsule(Host::io(NVME_IO_READ, cid, 0, 65536)));
	for (uint16_t cid = 0; cid < 4; cid++)
		ASSERT_EQ(65536u, Get().data.size());
}

TEST_F(NvmeTcp, BoundsWhatR2TsAskFor)
{
	Start();
	Connect();
	std::map<uint16_t, Reply> asked;
	for (uint16_t cid = 0; cid < 16; cid++)
		host.write(host.capsule(Host::io(NVME_IO_WRITE, cid, 0, 65536)));
	for (Reply r = Get(100); r.type != 0xff; r = Get(100))
		asked[r.r2t().cccid] = r;
	EXPECT_EQ(R2T_WINDOW / 65536, asked.size());
	auto data = Pattern(65536, 1);
	for (int done = 0; done < 16;) {
		ASSERT_FALSE(asked.empty());
		auto it = asked.begin();
		Fetch(it->second, data, 65536);
		asked.erase(it);
		for (Reply r = Get(100); r.type != 0xff; r = Get(100)) {
			if (r.type == NVME_TCP_R2T)
				asked[r.r2t().cccid] = r;
			else
				done++;
		}
	}
}

TEST_F(NvmeTcp, InterleavesH2CDataOfSeveralCommands)
{
	Start();
	host.ddgst = true;
	Connect();
	std::map<uint16_t, Reply> asked;
	for (uint16_t cid = 0; cid < 3; cid++)
		host.write(host.capsule(Host::io(NVME_IO_WRITE, cid, cid * 16u, 8192)));
	for (int i = 0; i < 3; i++) {
		Reply r = Get();
		asked[r.r2t().cccid] = r;
	}
	for (uint32_t off = 0; off < 8192; off += 2048)
		for (uint16_t cid = 0; cid < 3; cid++) {
			auto d = Pattern(8192, (uint8_t)cid);
			host.write(host.h2c(cid, asked[cid].r2t().ttag, off,
					    Bytes(d.begin() + off, d.begin() + off + 2048), off == 6144));
		}
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, Get().cqe().status);
	for (uint16_t cid = 0; cid < 3; cid++)
		EXPECT_EQ(0, memcmp(Pattern(8192, (uint8_t)cid).data(), nvmf->disk + cid * 8192, 8192));
}

TEST_F(NvmeTcp, WaitsForSlotsOfOtherConnections)
{
	nvme_tcp_conf nc = {};
	nc.slots = 16;
	Start({}, nc);
	Connect();
	nvmf->hold = true;
	Bytes all;
	for (uint16_t cid = 0; cid < 40; cid++) {
		Bytes c = host.capsule(Host::io(NVME_IO_READ, cid, 0, 512));
		all.insert(all.end(), c.begin(), c.end());
	}
	host.write(all);
	Turn(20);
	EXPECT_EQ(16u, nvmf->held);
	EXPECT_GT(Stats().stalls, 0u);
	nvmf->hold = false;
	fake_nvmf_release(16);
	for (int i = 0; i < 40; i++)
		ASSERT_EQ(NVME_TCP_C2H_DATA, Get().type);
}

/* Slots full of writes whose data comes behind more commands: they must be read on, or nothing ever ends. */
TEST_F(NvmeTcp, ShedsCommandsRatherThanDeadlockBehindR2Ts)
{
	nvme_tcp_conf nc = {};
	nc.slots = 4;
	Start({}, nc);
	Connect();
	auto data = Pattern(512, 1);
	for (uint16_t cid = 0; cid < 4; cid++)
		host.write(host.capsule(Host::io(NVME_IO_WRITE, cid, 0, 512)));
	std::vector<Reply> r2ts;
	for (int i = 0; i < 4; i++)
		r2ts.push_back(Get());
	host.write(host.capsule(Host::io(NVME_IO_WRITE, 9, 0, 512, true), data));
	for (auto &r : r2ts)
		Fetch(r, data, 512);
	Reply r = Get();
	EXPECT_EQ(9, r.cqe().cid);
	EXPECT_EQ(NVME_SC_INTERRUPTED, NVME_CPL_SC(r.cqe().status));
	EXPECT_FALSE(r.cqe().status & NVME_CPL_DNR);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(0, Get().cqe().status);
	EXPECT_EQ(1u, Stats().shed);
}

/* What reads of all connections may take together is bounded; each has its turn, and small ones do not pass. */
TEST_F(NvmeTcp, BoundsThePagesThatReadsMayTake)
{
	Start();
	Connect();
	Host other = Another();
	nvme_tcp_lcores[0]->pages_most = 3 * 65536;
	nvmf->hold = true;
	for (uint16_t cid = 0; cid < 6; cid++)
		host.write(host.capsule(Host::io(NVME_IO_READ, cid, 0, 65536)));
	Turn(10);
	EXPECT_EQ(3u, nvmf->held);
	for (uint16_t cid = 0; cid < 2; cid++)
		other.write(other.capsule(Host::io(NVME_IO_READ, cid, 0, 512)));
	Turn(10);
	EXPECT_EQ(3u, nvmf->held);
	for (int i = 0; i < 8; i++) {
		fake_nvmf_release(1);
		Turn(5);
		EXPECT_GE(3u + 1, nvmf->held) << i;
	}
	nvmf->hold = false;
	fake_nvmf_release(UINT32_MAX);
	for (int i = 0; i < 6; i++)
		ASSERT_EQ(NVME_TCP_C2H_DATA, Get().type);
	host = other;
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(NVME_TCP_C2H_DATA, Get().type);
	EXPECT_GT(Stats().page_waits, 0u);
	EXPECT_LT(Stats().page_waits, 20u) << "nobody asks again for nothing";
	EXPECT_EQ(0u, nvme_tcp_lcores[0]->pages[PAGES_READ].held);
}

/* Likewise of writes, where their data is fetched into pages; and they do not keep reads waiting. */
TEST_F(NvmeTcp, BoundsThePagesThatWritesFetchInto)
{
	pipe_conf pc = {};
	pc.expect = true;
	Start(pc);
	Connect();
	Host other = Another();
	nvme_tcp_lcores[0]->pages_most = 2 * 65536;
	auto data = Pattern(65536, 3);
	std::vector<Reply> r2ts;
	for (uint16_t cid = 0; cid < 4; cid++)
		host.write(host.capsule(Host::io(NVME_IO_WRITE, cid, 0, 65536)));
	r2ts = {Get(), Get()};
	EXPECT_EQ(0xff, Get(50).type);
	other.write(other.capsule(Host::io(NVME_IO_WRITE, 1, 0, 65536)));
	other.write(other.capsule(Host::io(NVME_IO_READ, 2, 0, 65536)));
	std::swap(host, other);
	EXPECT_EQ(NVME_TCP_C2H_DATA, Get().type);
	EXPECT_EQ(0xff, Get(50).type);
	std::swap(host, other);
	nvmf->hold = true;
	Fetch(r2ts[0], data, 65536);
	Turn(20);
	EXPECT_EQ(0xff, Get(50).type) << "it has its data, and its page";
	nvmf->hold = false;
	fake_nvmf_release(UINT32_MAX);
	Reply r = Get();
	EXPECT_EQ(NVME_TCP_CAPSULE_RESP, r.type);
	ASSERT_EQ(NVME_TCP_R2T, (r = Get()).type);
	Fetch(r2ts[1], data, 65536);
	EXPECT_EQ(NVME_TCP_CAPSULE_RESP, Get().type);
	std::swap(host, other);
	EXPECT_EQ(NVME_TCP_R2T, Get().type) << "its turn";
	pipe_reset(host.end);
	std::swap(host, other);
	Fetch(r, data, 65536);
	Turn(20);
	EXPECT_GT(Stats().page_waits, 0u);
	pipe_reset(host.end);
	Turn(20);
	EXPECT_EQ(0u, nvme_tcp_lcores[0]->pages[PAGES_FETCH].held);
}

TEST_F(NvmeTcp, ReportsFailuresInAResponseCapsuleWithoutData)
{
	Start();
	Connect();
	nvmf->fail_sc = NVME_SC_READ_ERROR;
	host.write(host.capsule(Host::io(NVME_IO_READ, 5, 0, 4096)));
	Reply r = Get();
	ASSERT_EQ(NVME_TCP_CAPSULE_RESP, r.type);
	EXPECT_EQ(NVME_SC_READ_ERROR, NVME_CPL_SC(r.cqe().status));
}

TEST_F(NvmeTcp, ServesAThousandConnectionsAndFreesThem)
{
	nvme_tcp_conf nc = {};
	nc.conns = 1024;
	Start({}, nc);
	std::vector<Host> hosts(1023);
	for (auto &h : hosts) {
		h.end = pipe_open(pipe, kPort);
		ASSERT_NE(nullptr, h.end);
		h.write(h.icreq());
	}
	EXPECT_EQ(nullptr, pipe_open(pipe, kPort)); /* one too many is refused */
	EXPECT_EQ(1u, Stats().refused);
	Turn(20);
	for (auto &h : hosts) {
		Reply r;
		ASSERT_TRUE(h.next(&r));
		EXPECT_EQ(NVME_TCP_ICRESP, r.type);
		pipe_shut(h.end);
	}
	Pass(20 * STRAKE_NS_PER_MS);
	EXPECT_LE(nvme_tcp_lcores[0]->n_active, 1u);
}

/* What a stream has to say is noted before the nvmf room hears of its end, which may have another connection tell it.
 */
TEST_F(NvmeTcp, TellsTheHostByAnotherConnection)
{
	const nvmf_transport *t = nvme_tcp_transport();
	Host second;
	const strake_stream *by = nullptr;

	Start();
	Connect();
	second.end = pipe_open(pipe, kPort);
	second.write(second.icreq());
	Turn(20);
	nvme_tcp_conn *a = TAILQ_FIRST(&nvme_tcp_lcores[0]->active), *b = TAILQ_NEXT(a, link);
	const strake_stream *of = a->stream;
	nvmf->hold_gone = true;
	t->kill(&a->qp);
	EXPECT_FALSE(a->qp.silent);
	pipe_shut(host.end);
	Turn(20);
	EXPECT_EQ(nullptr, a->stream);
	t->tell(&b->qp, &a->qp);
	EXPECT_EQ(of, pipe_told(pipe, &by));
	EXPECT_EQ(b->stream, by);
}

TEST_F(NvmeTcp, SaysWhoseHostDidNotAnswer)
{
	const strake_stream *by = nullptr;
	Host second;

	Start();
	Connect();
	second.end = pipe_open(pipe, kPort);
	Turn(20);
	nvme_tcp_conn *a = TAILQ_FIRST(&nvme_tcp_lcores[0]->active), *b = TAILQ_NEXT(a, link);
	const strake_stream *of = a->stream;
	nvmf->hold_gone = true;
	pipe_time_out(host.end);
	Turn(5);
	EXPECT_TRUE(a->qp.silent);
	nvme_tcp_transport()->tell(&b->qp, &a->qp);
	EXPECT_EQ(of, pipe_told(pipe, &by));
	nvme_tcp_transport()->tell(&a->qp, &b->qp); /* has no stream any more */
	EXPECT_EQ(of, pipe_told(pipe, &by));
}

TEST_F(NvmeTcp, TellsAboutItsConnections)
{
	Start();
	host.hdgst = true;
	Connect();
	struct Seen {
		int n = 0;
		std::string state;
		uint32_t bytes = 0;
	} seen;
	nvme_tcp_walk(
		[](const nvme_tcp_conn_info *info, void *arg) {
			Seen *s = (Seen *)arg;
			s->n++;
			s->state = info->state;
			s->bytes = info->bytes;
			EXPECT_TRUE(info->hdgst);
			EXPECT_FALSE(info->ddgst);
			EXPECT_STREQ("127.0.0.1", info->qp->peer);
			EXPECT_EQ(kPort, info->qp->local_service);
		},
		&seen);
	EXPECT_EQ(1, seen.n);
	EXPECT_EQ("ready", seen.state);
	EXPECT_LT(seen.bytes, 16384u);
	RecordProperty("bytes_per_connection", (int)seen.bytes);
}
