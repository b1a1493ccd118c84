/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The queue pair over a stream in memory: every byte the target sends is the test's. */

#include <cerrno>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "crc.h"
#include "qp.h"
}
#include "nvme_tcp_spec.h"

namespace
{

/* Gives and takes at most chunk bytes a call. */
struct MemStream {
	xport x;
	std::string in, out;
	size_t chunk = SIZE_MAX, room = SIZE_MAX;
	bool closed = false;
	unsigned recvs = 0;
};

ssize_t
mem_send(xport *x, const iovec *iov, int n)
{
	auto *m = (MemStream *)x;
	size_t took = 0;

	for (int i = 0; i < n; i++) {
		size_t k = std::min({iov[i].iov_len, m->chunk - took, m->room});

		m->out.append((const char *)iov[i].iov_base, k);
		took += k;
		m->room -= m->room == SIZE_MAX ? 0 : k;
		if (k < iov[i].iov_len)
			break;
	}
	return (ssize_t)took;
}

ssize_t
mem_recv(xport *x, const iovec *iov, int n)
{
	auto *m = (MemStream *)x;
	size_t got = 0;

	m->recvs++;
	if (m->in.empty())
		return m->closed ? -ECONNRESET : 0;
	for (int i = 0; i < n; i++) {
		size_t k = std::min({iov[i].iov_len, m->chunk - got, m->in.size()});

		memcpy(iov[i].iov_base, m->in.data(), k);
		m->in.erase(0, k);
		got += k;
	}
	return (ssize_t)got;
}

ssize_t
mem_drop(xport *x, size_t len)
{
	auto *m = (MemStream *)x;
	size_t k = std::min({len, m->chunk, m->in.size()});

	m->in.erase(0, k);
	return (ssize_t)k;
}

void
mem_close(xport *x)
{
}

const xport_ops kMemOps = {mem_send, mem_recv, mem_drop, nullptr, mem_close};

struct Sent {
	nvme_tcp_ch ch;
	std::string bytes;
	template <typename T>
	T
	as() const
	{
		T t;
		memcpy(&t, bytes.data(), sizeof(t));
		return t;
	}
	nvme_cmd
	cmd() const
	{
		nvme_cmd c;
		memcpy(&c, bytes.data() + 8, sizeof(c));
		return c;
	}
};

struct Result {
	int calls = 0, err = 1;
};

void
on_done(qp_io *io, int err)
{
	auto *r = (Result *)io->arg;

	r->calls++;
	r->err = err;
}

class Qp : public testing::Test
{
      protected:
	void
	TearDown() override
	{
		end();
	}

	/* Before locals that commands under way point at go. */
	void
	end()
	{
		qp_destroy(qp_);
		qp_ = nullptr;
	}

	/* Up to and including the ICResp. */
	void
	open(bool hdgst = false, bool ddgst = false, uint16_t depth = 8, uint64_t timeout = 0, uint32_t in_capsule = 0)
	{
		create(hdgst, ddgst, depth, timeout, in_capsule);
		icresp();
		poll();
		ASSERT_TRUE(qp_ready(qp_)) << qp_error(qp_);
		sent();
	}

	void
	create(bool hdgst = false, bool ddgst = false, uint16_t depth = 8, uint64_t timeout = 0,
	       uint32_t in_capsule = 0, bool discard = false)
	{
		qp_conf c{};

		s_.x.ops = &kMemOps;
		c.xport = &s_.x;
		c.depth = depth;
		c.hdgst = hdgst_ = hdgst;
		c.ddgst = ddgst_ = ddgst;
		c.timeout = timeout;
		c.in_capsule = in_capsule;
		c.discard = discard;
		ASSERT_EQ(0, qp_create(&qp_, &c));
	}

	void
	icresp(uint32_t maxh2c = 4096, uint8_t cpda = 0, int dgst = -1, uint16_t pfv = 0)
	{
		nvme_tcp_icresp r{};

		r.ch.type = NVME_TCP_ICRESP;
		r.ch.hlen = 128;
		r.ch.plen = 128;
		r.pfv = pfv;
		r.cpda = cpda;
		r.dgst = (uint8_t)(dgst >= 0 ? dgst : (hdgst_ ? 1 : 0) | (ddgst_ ? 2 : 0));
		r.maxh2c = maxh2c;
		s_.in.append((char *)&r, sizeof(r));
	}

	/* Any PDU: header struct with type set, data behind it. */
	template <typename T>
	void
	push(T pdu, const std::string &data = "", uint8_t flags = 0, bool spoil_hdgst = false, bool spoil_ddgst = false)
	{
		uint32_t head = sizeof(T) + (hdgst_ ? 4u : 0u), crc;

		pdu.ch.hlen = sizeof(T);
		pdu.ch.flags = (uint8_t)(flags | (hdgst_ ? NVME_TCP_F_HDGST : 0) |
					 (ddgst_ && !data.empty() ? NVME_TCP_F_DDGST : 0));
		pdu.ch.pdo = data.empty() ? 0 : (uint8_t)head;
		pdu.ch.plen = head + (uint32_t)data.size() + (ddgst_ && !data.empty() ? 4u : 0u);
		s_.in.append((char *)&pdu, sizeof(pdu));
		if (hdgst_) {
			crc = crc_of(&pdu, sizeof(pdu)) ^ spoil_hdgst;
			s_.in.append((char *)&crc, 4);
		}
		s_.in += data;
		if (ddgst_ && !data.empty()) {
			crc = crc_of(data.data(), data.size()) ^ spoil_ddgst;
			s_.in.append((char *)&crc, 4);
		}
	}

	void
	answer(uint16_t cid, uint16_t sc = 0)
	{
		nvme_tcp_capsule_resp r{};
		nvme_cpl cpl{};

		r.ch.type = NVME_TCP_CAPSULE_RESP;
		cpl.cid = cid;
		cpl.status = NVME_CPL_STATUS(sc, 0);
		memcpy(r.cqe, &cpl, sizeof(cpl));
		push(r);
	}

	void
	data(uint16_t cid, uint32_t at, const std::string &bytes, uint8_t flags, bool spoil = false)
	{
		nvme_tcp_data d{};

		d.ch.type = NVME_TCP_C2H_DATA;
		d.cccid = cid;
		d.datao = at;
		d.datal = (uint32_t)bytes.size();
		push(d, bytes, flags, false, spoil);
	}

	void
	r2t(uint16_t cid, uint32_t at, uint32_t len, uint16_t ttag = 77)
	{
		nvme_tcp_r2t r{};

		r.ch.type = NVME_TCP_R2T;
		r.cccid = cid;
		r.ttag = ttag;
		r.r2to = at;
		r.r2tl = len;
		push(r);
	}

	/* Until nothing moves. */
	int
	poll(uint64_t now = 0)
	{
		int ret = 0;

		for (int i = 0; i < 100000; i++) {
			size_t before = s_.in.size() + s_.out.size();

			ret = qp_poll(qp_, now);
			if (ret < 0 || (s_.in.empty() && before == s_.in.size() + s_.out.size()))
				break;
		}
		return ret;
	}

	/* What the queue pair sent since the last call, cut into PDUs. */
	std::vector<Sent>
	sent()
	{
		std::vector<Sent> list;
		size_t at = 0;

		while (s_.out.size() - at >= 8) {
			Sent p;

			memcpy(&p.ch, s_.out.data() + at, 8);
			if (p.ch.plen > s_.out.size() - at)
				break;
			p.bytes = s_.out.substr(at, p.ch.plen);
			at += p.ch.plen;
			list.push_back(p);
		}
		s_.out.erase(0, at);
		return list;
	}

	qp_io
	io(qp_dir dir, void *buf, uint32_t len, Result *r)
	{
		qp_io i{};

		i.cmd.opc = dir == QP_IN ? NVME_IO_READ : dir == QP_OUT ? NVME_IO_WRITE : NVME_IO_WRITE_ZEROES;
		i.buf = buf;
		i.len = len;
		i.dir = dir;
		i.done = on_done;
		i.arg = r;
		return i;
	}

	/* The connection ended with this; the target was told, and every command reported once. */
	void
	expect_broken(const char *text, int fes)
	{
		EXPECT_EQ(-EPROTO, poll());
		EXPECT_NE(nullptr, strstr(qp_error(qp_), text)) << qp_error(qp_);
		auto list = sent();
		ASSERT_FALSE(list.empty());
		EXPECT_EQ(NVME_TCP_H2C_TERM, list.back().ch.type);
		EXPECT_EQ(fes, list.back().as<nvme_tcp_term>().fes);
	}

	MemStream s_;
	qp *qp_ = nullptr;
	bool hdgst_ = false, ddgst_ = false;
};

TEST_F(Qp, SendsNothingButTheIcreqBeforeTheIcresp)
{
	Result r;
	qp_io i;

	create();
	i = io(QP_NONE, nullptr, 0, &r);
	EXPECT_EQ(-EAGAIN, qp_submit(qp_, &i, 0));
	poll();
	auto list = sent();
	ASSERT_EQ(1u, list.size());
	EXPECT_EQ(NVME_TCP_ICREQ, list[0].ch.type);
	EXPECT_EQ(128u, list[0].ch.plen);
}

TEST_F(Qp, ReadsInSeveralPdusByteByByte)
{
	for (bool dgst : {false, true}) {
		for (size_t chunk : {1ul, 7ul, 100ul, 100000ul}) {
			std::string want(20000, 'x'), got(20000, 0);
			Result r;

			for (size_t k = 0; k < want.size(); k++)
				want[k] = (char)(k * 31 >> 3);
			s_.chunk = chunk;
			open(dgst, dgst);
			qp_io i = io(QP_IN, &got[0], 20000, &r);
			ASSERT_EQ(0, qp_submit(qp_, &i, 0));
			poll();
			uint16_t cid = sent().at(0).cmd().cid;
			data(cid, 0, want.substr(0, 12000), 0);
			data(cid, 12000, want.substr(12000), NVME_TCP_F_LAST | NVME_TCP_F_SUCCESS);
			EXPECT_GE(poll(), 0) << qp_error(qp_);
			EXPECT_EQ(1, r.calls);
			EXPECT_EQ(0, r.err);
			EXPECT_TRUE(want == got) << "chunk " << chunk;
			end();
		}
	}
}

TEST_F(Qp, TakesPushedBytesWithoutRecv)
{
	std::string got(4096, 0), want(4096, 'q');
	Result r;

	open();
	qp_io i = io(QP_IN, &got[0], 4096, &r);
	ASSERT_EQ(0, qp_submit(qp_, &i, 0));
	qp_flush(qp_);
	data(sent().at(0).cmd().cid, 0, want, NVME_TCP_F_LAST | NVME_TCP_F_SUCCESS);
	for (char c : s_.in)
		ASSERT_EQ(0, qp_rx(qp_, &c, 1));
	s_.in.clear();
	EXPECT_EQ(1, r.calls);
	EXPECT_EQ(want, got);
}

TEST_F(Qp, DropsUnwantedPayloadInsideTheStream)
{
	Result r;

	create(false, false, 8, 0, 0, true);
	icresp();
	poll();
	sent();
	qp_io i = io(QP_IN, nullptr, 200000, &r);
	ASSERT_EQ(0, qp_submit(qp_, &i, 0));
	poll();
	data(sent().at(0).cmd().cid, 0, std::string(200000, 'z'), NVME_TCP_F_LAST | NVME_TCP_F_SUCCESS);
	EXPECT_GE(poll(), 0) << qp_error(qp_);
	EXPECT_EQ(1, r.calls);
}

TEST_F(Qp, LeavesTheStreamAloneWhileTheRestOfAPayloadIsOnItsWay)
{
	const uint32_t len = 65536, first = 24 + 16384;
	struct {
		uint64_t patience, wait;
	} turns[] = {{100000, 0}, {100000, 16000 * 3 / 4 * 15 / 16}, {500, 500}, {0, 0}};
	uint64_t now = 1000;

	open();
	for (auto &turn : turns) {
		Result r;
		qp_io i = io(QP_IN, nullptr, len, &r);

		qp_set_patience(qp_, turn.patience);
		ASSERT_EQ(0, qp_submit(qp_, &i, now));
		qp_flush(qp_);
		data(sent().at(0).cmd().cid, 0, std::string(len, 'p'), NVME_TCP_F_LAST | NVME_TCP_F_SUCCESS);
		std::string rest = s_.in.substr(first);
		s_.in.resize(first);
		qp_poll(qp_, now);
		s_.in = rest;
		if (turn.wait > 0) {
			unsigned before = s_.recvs;

			qp_poll(qp_, now + turn.wait - 1);
			EXPECT_EQ(before, s_.recvs);
			EXPECT_EQ(0, r.calls);
		}
		/* The first takes 64,000 ticks, a quarter of which counts: 16,000 for a payload. 3/4 of it is to
		 * come, and 15/16 of that is waited. */
		now += &turn == turns ? 64000 : turn.wait;
		qp_poll(qp_, now);
		EXPECT_EQ(1, r.calls) << &turn - turns;
		EXPECT_EQ(0, r.err);
	}
	end();
}

TEST_F(Qp, WritesByR2tInPiecesOfMaxH2c)
{
	std::string bytes(10000, 0), came;
	Result r;

	for (size_t k = 0; k < bytes.size(); k++)
		bytes[k] = (char)(k * 7 >> 2);
	open(true, true);
	qp_io i = io(QP_OUT, &bytes[0], 10000, &r);
	ASSERT_EQ(0, qp_submit(qp_, &i, 0));
	poll();
	auto cmd = sent().at(0);
	EXPECT_EQ(NVME_SGL_TRANSPORT_DATA, cmd.cmd().sgl.type);
	EXPECT_EQ(10000u, cmd.cmd().sgl.len);
	r2t(cmd.cmd().cid, 0, 6000, 5);
	poll();
	r2t(cmd.cmd().cid, 6000, 4000, 6);
	poll();
	auto list = sent();
	ASSERT_EQ(3u, list.size()); /* 4096 + 1904, 4000 */
	for (auto &p : list) {
		auto d = p.as<nvme_tcp_data>();
		uint32_t crc;

		EXPECT_EQ(came.size(), d.datao);
		EXPECT_EQ(&p == &list[2] ? 6 : 5, d.ttag);
		EXPECT_EQ(&p != &list[0], (p.ch.flags & NVME_TCP_F_LAST) != 0);
		memcpy(&crc, p.bytes.data() + p.bytes.size() - 4, 4);
		came += p.bytes.substr(p.ch.pdo, d.datal);
		EXPECT_EQ(crc, crc_of(p.bytes.data() + p.ch.pdo, d.datal));
	}
	EXPECT_EQ(bytes, came);
	answer(cmd.cmd().cid);
	poll();
	EXPECT_EQ(1, r.calls);
	EXPECT_EQ(0, r.err);
}

TEST_F(Qp, HoldsTheAnswerUntilThePayloadHasLeft)
{
	std::string bytes(4096, 'w');
	Result r;

	open(false, false, 8, 0, 4096);
	s_.room = 100; /* the stream takes the header and a little */
	qp_io i = io(QP_OUT, &bytes[0], 4096, &r);
	ASSERT_EQ(0, qp_submit(qp_, &i, 0));
	poll();
	nvme_cmd cmd;
	memcpy(&cmd, s_.out.data() + 8, sizeof(cmd));
	answer(cmd.cid, NVME_SC_LBA_RANGE); /* an error, before the data was read */
	poll();
	EXPECT_EQ(0, r.calls) << "the buffer is still being sent";
	s_.room = SIZE_MAX;
	poll();
	EXPECT_EQ(1, r.calls);
	EXPECT_EQ(NVME_SC_LBA_RANGE, NVME_CPL_SC(i.cpl.status));
	EXPECT_EQ(1u, sent().size());
}

TEST_F(Qp, AlignsDataToCpda)
{
	std::string bytes(512, 'a');
	Result r;

	create(true, false, 8, 0, 512);
	icresp(4096, 31);
	poll();
	sent();
	qp_io i = io(QP_OUT, &bytes[0], 512, &r);
	ASSERT_EQ(0, qp_submit(qp_, &i, 0));
	poll();
	auto p = sent().at(0);
	EXPECT_EQ(128, p.ch.pdo);
	EXPECT_EQ(128u + 512, p.ch.plen);
	EXPECT_EQ(bytes, p.bytes.substr(128));
	end();
}

TEST_F(Qp, FullIsFullAndRecoversWithNewIdentifiers)
{
	std::vector<qp_io> ios(9);
	Result r;

	open();
	for (auto &i : ios)
		i = io(QP_NONE, nullptr, 0, &r);
	for (int k = 0; k < 8; k++)
		ASSERT_EQ(0, qp_submit(qp_, &ios[k], 0));
	EXPECT_EQ(-EAGAIN, qp_submit(qp_, &ios[8], 0));
	poll();
	auto list = sent();
	ASSERT_EQ(8u, list.size());
	answer(list[3].cmd().cid);
	poll();
	EXPECT_EQ(1, r.calls);
	ASSERT_EQ(0, qp_submit(qp_, &ios[8], 0));
	poll();
	EXPECT_NE(list[3].cmd().cid, sent().at(0).cmd().cid) << "a late second answer must find nobody";
	EXPECT_EQ(8u, qp_inflight(qp_));
	end();
	EXPECT_EQ(9, r.calls);
	EXPECT_EQ(-ECANCELED, r.err);
}

TEST_F(Qp, SurvivesALongRunOverATinyStream)
{
	std::vector<qp_io> ios(8);
	std::string bytes(600, 'k');
	Result r;
	unsigned int submitted = 0;

	s_.chunk = 333;
	open(true, true, 8, 0, 1024);
	/* Round and round the send arena, with payloads, digests and pieces. */
	while (submitted < 5000) {
		for (auto &i : ios) {
			i = io(submitted % 2 ? QP_OUT : QP_NONE, &bytes[0], submitted % 2 ? 600 : 0, &r);
			if (qp_submit(qp_, &i, 0) == 0)
				submitted++;
		}
		poll();
		for (auto &p : sent()) {
			ASSERT_TRUE(p.ch.pdo == 0 || bytes == p.bytes.substr(p.ch.pdo, 600));
			answer(p.cmd().cid);
		}
		ASSERT_GE(poll(), 0) << qp_error(qp_);
	}
	EXPECT_EQ((int)submitted, r.calls);
}

TEST_F(Qp, TimesOutInVirtualTime)
{
	Result r;

	open(false, false, 8, 1000);
	qp_io i = io(QP_NONE, nullptr, 0, &r);
	ASSERT_EQ(0, qp_submit(qp_, &i, 5000));
	EXPECT_EQ(0, poll(5999));
	EXPECT_EQ(0, r.calls);
	EXPECT_EQ(-ETIMEDOUT, poll(6200));
	EXPECT_EQ(1, r.calls);
	EXPECT_EQ(-ETIMEDOUT, r.err);
	EXPECT_EQ(-ETIMEDOUT, qp_submit(qp_, &i, 6300));
}

TEST_F(Qp, ReportsEverythingOnceWhenTheTargetCloses)
{
	std::vector<qp_io> ios(5);
	Result r;

	open();
	for (auto &i : ios) {
		i = io(QP_NONE, nullptr, 0, &r);
		ASSERT_EQ(0, qp_submit(qp_, &i, 0));
	}
	s_.closed = true;
	EXPECT_EQ(-ECONNRESET, poll());
	EXPECT_EQ(5, r.calls);
	EXPECT_EQ(-ECONNRESET, r.err);
}

TEST_F(Qp, SaysWhyTheTargetTerminated)
{
	nvme_tcp_term t{};

	open(true, true);
	t.ch.type = NVME_TCP_C2H_TERM;
	t.ch.hlen = 24;
	t.ch.plen = 24 + 72;
	t.fes = NVME_TCP_FES_INVALID_HEADER;
	t.fei = 4;
	s_.in.append((char *)&t, sizeof(t));
	s_.in.append(72, 'h');
	EXPECT_EQ(-ECONNABORTED, poll());
	EXPECT_NE(nullptr, strstr(qp_error(qp_), "invalid PDU header field (FES 1, FEI 0x4)"));
}

/* --- what a bad target sends ---------------------------------------------------------------------------------------
 */

TEST_F(Qp, RefusesBadIcresps)
{
	struct {
		uint32_t maxh2c;
		uint8_t cpda;
		int dgst;
		uint16_t pfv;
		const char *text;
		int fes;
	} bad[] = {
		{4095, 0, 0, 0, "MAXH2CDATA", NVME_TCP_FES_INVALID_HEADER},
		{4098, 0, 0, 0, "MAXH2CDATA", NVME_TCP_FES_INVALID_HEADER},
		{0, 0, 0, 0, "MAXH2CDATA", NVME_TCP_FES_INVALID_HEADER},
		{4096, 32, 0, 0, "CPDA", NVME_TCP_FES_INVALID_HEADER},
		{4096, 0, 1, 0, "digests other", NVME_TCP_FES_UNSUPPORTED},
		{4096, 0, 0, 1, "PDU format", NVME_TCP_FES_UNSUPPORTED},
	};

	for (auto &b : bad) {
		create();
		icresp(b.maxh2c, b.cpda, b.dgst, b.pfv);
		expect_broken(b.text, b.fes);
		s_.in.clear();
		qp_destroy(qp_);
		qp_ = nullptr;
	}
}

TEST_F(Qp, RefusesAPduBeforeTheIcrespAndASecondOne)
{
	create();
	answer(0);
	expect_broken("before the ICResp", NVME_TCP_FES_SEQUENCE);
	qp_destroy(qp_);
	s_ = MemStream();
	open();
	icresp();
	expect_broken("second ICResp", NVME_TCP_FES_SEQUENCE);
}

/* CVE-2025-21927: a header length of 255 made the host read past its buffer. */
TEST_F(Qp, RefusesEveryWrongHeaderLength)
{
	for (uint8_t type :
	     {NVME_TCP_CAPSULE_RESP, NVME_TCP_C2H_DATA, NVME_TCP_R2T, NVME_TCP_ICRESP, NVME_TCP_C2H_TERM}) {
		for (int hlen : {0, 8, 23, 25, 72, 127, 129, 255}) {
			nvme_tcp_ch ch{};

			open();
			ch.type = type;
			ch.hlen = (uint8_t)hlen;
			ch.pdo = 24;
			ch.plen = 4096;
			s_.in.append((char *)&ch, sizeof(ch));
			s_.in.append(300, 'A');
			expect_broken("header length", NVME_TCP_FES_INVALID_HEADER);
			end();
			s_ = MemStream();
		}
	}
}

TEST_F(Qp, RefusesTypesThatNoControllerSends)
{
	for (int type = 0; type < 256; type++) {
		nvme_tcp_ch ch{};

		if (type == NVME_TCP_ICRESP || type == NVME_TCP_C2H_TERM || type == NVME_TCP_CAPSULE_RESP ||
		    type == NVME_TCP_C2H_DATA || type == NVME_TCP_R2T)
			continue;
		open();
		ch.type = (uint8_t)type;
		ch.hlen = 24;
		ch.plen = 24;
		s_.in.append((char *)&ch, sizeof(ch));
		expect_broken("type no controller sends", NVME_TCP_FES_INVALID_HEADER);
		end();
		s_ = MemStream();
	}
}

TEST_F(Qp, RefusesWrongLengthsAndOffsets)
{
	struct {
		uint8_t type, flags, pdo;
		uint32_t plen;
	} bad[] = {
		{NVME_TCP_CAPSULE_RESP, 0, 0, 23},
		{NVME_TCP_CAPSULE_RESP, 0, 0, 25},
		{NVME_TCP_CAPSULE_RESP, 0, 0, UINT32_MAX},
		{NVME_TCP_CAPSULE_RESP, NVME_TCP_F_HDGST, 0, 28},
		{NVME_TCP_CAPSULE_RESP, NVME_TCP_F_DDGST, 0, 24},
		{NVME_TCP_R2T, 0, 0, 4096},
		{NVME_TCP_C2H_DATA, 0, 0, 4120},
		{NVME_TCP_C2H_DATA, 0, 20, 4120},
		{NVME_TCP_C2H_DATA, 0, 26, 4120},
		{NVME_TCP_C2H_DATA, 0, 24, 0},
		{NVME_TCP_C2H_DATA, 0, 24, 23},
		{NVME_TCP_C2H_DATA, 0, 255, 30},
		{NVME_TCP_C2H_DATA, NVME_TCP_F_DDGST, 24, 4124},
		{NVME_TCP_C2H_DATA, NVME_TCP_F_SUCCESS, 24, 4120},
		{NVME_TCP_C2H_TERM, 0, 0, 153},
		{NVME_TCP_C2H_TERM, 0, 0, 23},
	};

	for (auto &b : bad) {
		nvme_tcp_ch ch{};

		open();
		ch.type = b.type;
		ch.flags = b.flags;
		ch.hlen = 24;
		ch.pdo = b.pdo;
		ch.plen = b.plen;
		s_.in.append((char *)&ch, sizeof(ch));
		s_.in.append(300, 'A');
		EXPECT_EQ(-EPROTO, poll()) << (int)b.type << " " << b.plen;
		end();
		s_ = MemStream();
	}
}

TEST_F(Qp, RefusesAWrongHeaderDigest)
{
	nvme_tcp_capsule_resp r{};

	open(true);
	r.ch.type = NVME_TCP_CAPSULE_RESP;
	push(r, "", 0, true);
	expect_broken("header digest", NVME_TCP_FES_HEADER_DIGEST);
}

TEST_F(Qp, FailsOnAWrongDataDigest)
{
	std::string got(512, 0);
	Result r;

	open(false, true);
	qp_io i = io(QP_IN, &got[0], 512, &r);
	ASSERT_EQ(0, qp_submit(qp_, &i, 0));
	poll();
	data(sent().at(0).cmd().cid, 0, std::string(512, 'd'), NVME_TCP_F_LAST | NVME_TCP_F_SUCCESS, true);
	EXPECT_EQ(-EBADMSG, poll());
	EXPECT_EQ(1, r.calls);
	EXPECT_EQ(-EBADMSG, r.err);
}

/* One command under way, then what the target sends. */
class QpBad : public Qp
{
      protected:
	uint16_t
	begin(qp_dir dir, uint32_t len = 4096, uint32_t in_capsule = 0)
	{
		open(false, false, 8, 0, in_capsule);
		buf_.assign(len, 0);
		io_ = io(dir, dir == QP_NONE ? nullptr : &buf_[0], dir == QP_NONE ? 0 : len, &r_);
		EXPECT_EQ(0, qp_submit(qp_, &io_, 0));
		poll();
		return sent().at(0).cmd().cid;
	}

	void
	TearDown() override
	{
		EXPECT_EQ(1, r_.calls) << "reported once";
		EXPECT_EQ(-EPROTO, r_.err);
		Qp::TearDown();
		EXPECT_EQ(1, r_.calls);
	}

	std::string buf_;
	qp_io io_;
	Result r_;
};

/* CVE-2026-89482: data for a command that has no buffer. */
TEST_F(QpBad, DataForWriteZeroes)
{
	data(begin(QP_NONE), 0, std::string(512, 'e'), NVME_TCP_F_LAST);
	expect_broken("data for a command that wants none", NVME_TCP_FES_INVALID_HEADER);
}

TEST_F(QpBad, DataForAWrite)
{
	data(begin(QP_OUT), 0, std::string(4096, 'e'), NVME_TCP_F_LAST);
	expect_broken("data for a command that wants none", NVME_TCP_FES_INVALID_HEADER);
}

TEST_F(QpBad, DataForAnUnknownCommand)
{
	data((uint16_t)(begin(QP_IN) + 1), 0, std::string(4096, 'e'), NVME_TCP_F_LAST);
	expect_broken("data for a command that wants none", NVME_TCP_FES_INVALID_HEADER);
}

TEST_F(QpBad, MoreDataThanAskedFor)
{
	data(begin(QP_IN), 0, std::string(4100, 'e'), NVME_TCP_F_LAST);
	expect_broken("more data than was asked for", NVME_TCP_FES_OUT_OF_RANGE);
}

TEST_F(QpBad, DataOffsetNearTheTopOfItsField)
{
	data(begin(QP_IN), 0xfffffff0u, std::string(512, 'e'), 0);
	expect_broken("out of order", NVME_TCP_FES_OUT_OF_RANGE);
}

TEST_F(QpBad, SameDataTwice)
{
	uint16_t cid = begin(QP_IN);

	data(cid, 0, std::string(1024, 'e'), 0);
	data(cid, 0, std::string(1024, 'e'), 0);
	expect_broken("out of order", NVME_TCP_FES_OUT_OF_RANGE);
}

TEST_F(QpBad, DataLengthAgainstPduLength)
{
	nvme_tcp_data d{};

	d.ch.type = NVME_TCP_C2H_DATA;
	d.cccid = begin(QP_IN);
	d.datal = 4096;
	push(d, std::string(512, 'e'), NVME_TCP_F_LAST);
	expect_broken("against PDU length", NVME_TCP_FES_INVALID_HEADER);
}

TEST_F(QpBad, LastDataTooEarly)
{
	data(begin(QP_IN), 0, std::string(1024, 'e'), NVME_TCP_F_LAST | NVME_TCP_F_SUCCESS);
	expect_broken("last data before all came", NVME_TCP_FES_SEQUENCE);
}

TEST_F(QpBad, SuccessWithoutTheData)
{
	uint16_t cid = begin(QP_IN);

	data(cid, 0, std::string(1024, 'e'), 0);
	answer(cid);
	expect_broken("did not all come", NVME_TCP_FES_SEQUENCE);
}

TEST_F(QpBad, SuccessOfAWriteWhoseDataWasNotAskedFor)
{
	answer(begin(QP_OUT));
	expect_broken("not all asked for", NVME_TCP_FES_SEQUENCE);
}

/* CVE-2025-38264: a duplicate R2T freed a request twice, or sent what lies behind the buffer. */
TEST_F(QpBad, TheSameR2tTwice)
{
	uint16_t cid = begin(QP_OUT);

	r2t(cid, 0, 4096);
	poll();
	sent();
	r2t(cid, 0, 4096);
	expect_broken("already sent", NVME_TCP_FES_OUT_OF_RANGE);
}

TEST_F(QpBad, AnR2tWhileAnotherOneIsServed)
{
	uint16_t cid = begin(QP_OUT);

	r2t(cid, 0, 2048);
	r2t(cid, 2048, 2048);
	expect_broken("while another one is served", NVME_TCP_FES_R2T_LIMIT_EXCEEDED);
}

TEST_F(QpBad, R2tPastTheEnd)
{
	r2t(begin(QP_OUT), 0, 4097);
	expect_broken("past the end", NVME_TCP_FES_OUT_OF_RANGE);
}

TEST_F(QpBad, R2tOfNothing)
{
	r2t(begin(QP_OUT), 0, 0);
	expect_broken("past the end", NVME_TCP_FES_OUT_OF_RANGE);
}

TEST_F(QpBad, R2tOffsetNearTheTopOfItsField)
{
	r2t(begin(QP_OUT), 0xfffff000u, 4096);
	expect_broken("out of order", NVME_TCP_FES_OUT_OF_RANGE);
}

TEST_F(QpBad, R2tForARead)
{
	r2t(begin(QP_IN), 0, 4096);
	expect_broken("nothing to send", NVME_TCP_FES_INVALID_HEADER);
}

TEST_F(QpBad, R2tForDataThatWentInTheCapsule)
{
	r2t(begin(QP_OUT, 4096, 4096), 0, 4096);
	expect_broken("nothing to send", NVME_TCP_FES_INVALID_HEADER);
}

TEST_F(QpBad, AnswerToAnUnknownCommand)
{
	answer((uint16_t)(begin(QP_NONE) ^ 0x1000));
	expect_broken("not under way", NVME_TCP_FES_INVALID_HEADER);
}

TEST_F(QpBad, AnswerOfACommandBeyondTheQueue)
{
	begin(QP_NONE);
	answer(0x0fff);
	expect_broken("not under way", NVME_TCP_FES_INVALID_HEADER);
}

TEST_F(Qp, AnsweredTwiceIsReportedOnce)
{
	Result r;

	open();
	qp_io i = io(QP_NONE, nullptr, 0, &r);
	ASSERT_EQ(0, qp_submit(qp_, &i, 0));
	poll();
	uint16_t cid = sent().at(0).cmd().cid;
	answer(cid);
	answer(cid);
	EXPECT_EQ(-EPROTO, poll());
	EXPECT_EQ(1, r.calls);
	EXPECT_EQ(0, r.err);
}

/* Anything at all: no crash, no read outside, each command reported once. */
TEST_F(Qp, SurvivesRandomBytes)
{
	uint64_t rng = 1;

	for (int round = 0; round < 3000; round++) {
		std::string got(4096, 0), noise;
		Result r, w;

		s_ = MemStream();
		open(round & 1, round & 2);
		qp_io i = io(QP_IN, &got[0], 4096, &r), o = io(QP_OUT, &got[0], 4096, &w);
		ASSERT_EQ(0, qp_submit(qp_, &i, 0));
		ASSERT_EQ(0, qp_submit(qp_, &o, 0));
		poll();
		auto cmds = sent();
		/* Near-valid PDUs with some fields spoilt. */
		for (int k = 0; k < 4; k++) {
			size_t at = s_.in.size();
			uint16_t cid = cmds.at((size_t)(k + round) % 2).cmd().cid;

			if ((rng >> 20) % 3 == 0)
				r2t(cid, 0, 2048);
			else if ((rng >> 20) % 3 == 1)
				data(cid, 0, std::string(1024, 'r'), 0);
			else
				answer(cid, NVME_SC_INTERNAL);
			for (int b = 0; b < 2; b++) {
				rng = rng * 6364136223846793005ull + 1442695040888963407ull;
				s_.in[at + (rng >> 33) % std::min<size_t>(28, s_.in.size() - at)] = (char)(rng >> 50);
			}
		}
		s_.chunk = 1 + (rng >> 40) % 200;
		s_.closed = true;
		poll();
		end();
		EXPECT_EQ(1, r.calls);
		EXPECT_EQ(1, w.calls);
	}
}

} // namespace
