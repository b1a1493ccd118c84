/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Bytes and PDUs into NVMe/TCP over the real target, from up to four connections of a host that knows how to connect,
 * to fill in lengths and digests and to answer R2Ts, and may do none of it. Each command is answered once; replies are
 * well formed; nothing is left at the end.
 */

#include "fuzz_target.h"

#include <map>

extern "C" {
#include "nvme_tcp.h"
#include "nvme_tcp_spec.h"
#include "pipe_stream.h"
#include "strake_kernel.h"
}

namespace
{

constexpr uint16_t kService = 4420;

struct End {
	pipe_end *end = nullptr;
	bool hdgst = false, ddgst = false, admin = true;
	bool clean = true;    /* all it sent were whole PDUs with right lengths */
	bool patient = false; /* has commands that may stay unanswered: events, halves of pairs, data owed */
	bool welcome = false; /* ICResp has come */
	bool over = false;    /* ended by us, or a termination request has come */
	uint16_t cntlid = 0xffff;
	std::map<uint16_t, unsigned int> out; /* commands without an answer, by identifier */
	std::vector<nvme_tcp_r2t> r2ts;
	nvme_cpl last = {};
	unsigned int answers = 0;
};

std::vector<End> ends;
struct pipe *wire;
uint16_t next_cid;

/* --- what comes back ------------------------------------------------------------------------------------------------
 */

void
answered(End &e, uint16_t cid)
{
	if (!e.clean)
		return;
	auto at = e.out.find(cid);

	FUZZ_CHECK(at != e.out.end());
	if (--at->second == 0)
		e.out.erase(at);
}

void
take_pdu(End &e, const uint8_t *p, const nvme_tcp_ch &ch)
{
	uint32_t crc, dd;
	nvme_tcp_data d;
	nvme_tcp_r2t r;

	if (ch.flags & NVME_TCP_F_HDGST && ch.type != NVME_TCP_ICRESP && ch.type != NVME_TCP_C2H_TERM) {
		memcpy(&crc, p + ch.hlen, 4);
		FUZZ_CHECK(strake_kernel->crc32c(0, p, ch.hlen) == crc);
	}
	switch (ch.type) {
	case NVME_TCP_ICRESP:
		FUZZ_CHECK(!e.welcome && ch.hlen == NVME_TCP_HLEN_IC && ch.plen == NVME_TCP_HLEN_IC);
		e.welcome = true;
		break;
	case NVME_TCP_CAPSULE_RESP:
		FUZZ_CHECK(ch.hlen == NVME_TCP_HLEN_RESP);
		memcpy(&e.last, p + 8, sizeof(e.last));
		e.answers++;
		answered(e, e.last.cid);
		break;
	case NVME_TCP_C2H_DATA:
		memcpy(&d, p, sizeof(d));
		dd = ch.flags & NVME_TCP_F_DDGST ? 4 : 0;
		FUZZ_CHECK(ch.hlen == NVME_TCP_HLEN_DATA && ch.pdo >= ch.hlen && d.datal > 0);
		FUZZ_CHECK(ch.plen == ch.pdo + d.datal + dd);
		if (dd != 0) {
			memcpy(&crc, p + ch.pdo + d.datal, 4);
			FUZZ_CHECK(strake_kernel->crc32c(0, p + ch.pdo, d.datal) == crc);
		}
		if (e.clean)
			FUZZ_CHECK(e.out.count(d.cccid) == 1);
		if (ch.flags & NVME_TCP_F_SUCCESS) {
			FUZZ_CHECK(ch.flags & NVME_TCP_F_LAST);
			answered(e, d.cccid);
		}
		break;
	case NVME_TCP_R2T:
		memcpy(&r, p, sizeof(r));
		FUZZ_CHECK(ch.hlen == NVME_TCP_HLEN_R2T && r.r2tl > 0);
		if (e.clean)
			FUZZ_CHECK(e.out.count(r.cccid) == 1);
		e.r2ts.push_back(r);
		break;
	default:
		FUZZ_CHECK(ch.type == NVME_TCP_C2H_TERM && ch.hlen == NVME_TCP_HLEN_TERM);
		FUZZ_CHECK(ch.plen <= NVME_TCP_HLEN_TERM + NVME_TCP_TERM_DATA);
		e.over = true;
	}
}

void
take_all(End &e)
{
	nvme_tcp_ch ch;

	while (pipe_avail(e.end) >= sizeof(ch)) {
		memcpy(&ch, pipe_peek(e.end), sizeof(ch));
		FUZZ_CHECK(ch.plen >= ch.hlen && ch.plen <= 1u << 20);
		if (pipe_avail(e.end) < ch.plen)
			return;
		/* An exact block, so that a length that lies is seen. */
		Bytes whole(ch.plen);

		pipe_read(e.end, whole.data(), whole.size());
		take_pdu(e, whole.data(), ch);
	}
}

void
turn(uint64_t ns = 100000)
{
	FuzzLcores::turn(ns);
	for (End &e : ends)
		take_all(e);
}

/* --- what is sent ---------------------------------------------------------------------------------------------------
 */

void
write(End &e, const Bytes &b)
{
	strake_lcore_enter(1);
	if (!b.empty())
		pipe_write(e.end, b.data(), b.size());
}

/* Header, digest, padding, data, digest. @p wrong: what not to do right. */
Bytes
pdu(const End &e, Bytes h, const Bytes &data, uint8_t wrong, Input *in)
{
	auto *ch = (nvme_tcp_ch *)h.data();
	bool digests = ch->type == NVME_TCP_CAPSULE_CMD || ch->type == NVME_TCP_H2C_DATA;
	uint32_t hd = digests && e.hdgst ? 4 : 0, dd = digests && e.ddgst && !data.empty() ? 4 : 0;
	uint32_t pad = wrong & 1 ? (in->u8() & 7) * 4 : 0, crc;
	size_t hlen = h.size();

	ch->hlen = (uint8_t)hlen;
	ch->flags |= (uint8_t)((hd ? NVME_TCP_F_HDGST : 0) | (dd ? NVME_TCP_F_DDGST : 0));
	ch->plen = (uint32_t)hlen + hd;
	if (!data.empty()) {
		ch->pdo = digests ? (uint8_t)(hlen + hd + pad) : 0;
		ch->plen += (digests ? pad : 0) + (uint32_t)data.size() + dd;
	}
	if (wrong & 2)
		for (unsigned int n = 1 + (in->u8() & 3); n > 0; n--)
			h[in->u8() % std::min<size_t>(hlen, 24)] = in->u8();
	if (hd) {
		crc = strake_kernel->crc32c(0, h.data(), hlen) ^ (wrong & 4 ? 1 : 0);
		h = h + bytes_of(crc);
	}
	if (data.empty())
		return h;
	if (digests)
		h.resize(h.size() + pad, 0xee);
	h = h + data;
	if (dd) {
		crc = strake_kernel->crc32c(0, data.data(), data.size()) ^ (wrong & 8 ? 1 : 0);
		h = h + bytes_of(crc);
	}
	return h;
}

Bytes
icreq(const End &e, uint8_t hpda)
{
	nvme_tcp_icreq r = {};

	r.ch = {NVME_TCP_ICREQ, 0, NVME_TCP_HLEN_IC, 0, NVME_TCP_HLEN_IC};
	r.hpda = hpda;
	r.dgst = (uint8_t)((e.hdgst ? NVME_TCP_DGST_HDR : 0) | (e.ddgst ? NVME_TCP_DGST_DATA : 0));
	return bytes_of(r);
}

void
capsule(End &e, nvme_cmd sqe, const Bytes &data, uint8_t wrong, Input *in)
{
	nvme_tcp_capsule_cmd h = {};

	sqe.cid = wrong & 16 ? (uint16_t)(next_cid - 1) : next_cid++;
	h.ch.type = NVME_TCP_CAPSULE_CMD;
	memcpy(h.sqe, &sqe, sizeof(h.sqe));
	if (wrong & (2 | 4))
		e.clean = false;
	else
		e.out[sqe.cid]++;
	if ((sqe.opc == NVME_ADMIN_ASYNC_EVENT && e.admin) || (sqe.flags & NVME_CMD_FUSE_MASK) != 0 ||
	    sqe.sgl.type != NVME_SGL_IN_CAPSULE)
		e.patient = true;
	write(e, pdu(e, bytes_of(h), data, wrong, in));
}

End *
open(uint8_t how)
{
	if (ends.size() >= 4)
		return nullptr;
	strake_lcore_enter(1);
	ends.emplace_back();
	End &e = ends.back();

	e.end = pipe_open(wire, kService);
	if (e.end == nullptr) {
		ends.pop_back();
		return nullptr;
	}
	e.hdgst = (how & 1) != 0;
	e.ddgst = (how & 2) != 0;
	return &e;
}

void
wait_answer(End &e)
{
	unsigned int had = e.answers;

	for (int i = 0; i < 40 && e.answers == had && !pipe_eof(e.end) && !pipe_was_reset(e.end); i++)
		turn();
}

/* A queue pair as hosts make it; an admin queue's controller is enabled. */
void
associate(uint8_t how, uint16_t qid, uint32_t kato)
{
	uint16_t cntlid = ends.empty() ? 0xffff : ends[0].cntlid;
	End *e = open(how);

	if (e == nullptr)
		return;
	e->admin = qid == 0;
	write(*e, icreq(*e, how & 4 ? 3 : 0));
	for (int i = 0; i < 20 && !e->welcome; i++)
		turn();
	capsule(*e, fuzz_connect_sqe(qid, 31, kato, (how & 8) != 0),
		bytes_of(fuzz_connect_data(how >> 4, qid == 0 ? 0xffff : cntlid)), 0, nullptr);
	wait_answer(*e);
	if (qid != 0 || e->last.status != 0)
		return;
	e->cntlid = (uint16_t)e->last.cdw0;
	nvme_cmd c = {};

	c.opc = NVME_OPC_FABRICS;
	c.flags = NVME_CMD_PSDT_SGL;
	c.fctype = NVME_FCTYPE_PROPERTY_SET;
	c.ofst = NVME_PROP_CC;
	c.value = 0x460001;
	c.sgl.type = NVME_SGL_IN_CAPSULE;
	capsule(*e, c, {}, 0, nullptr);
	wait_answer(*e);
}

void
command(Input &in, End &e)
{
	uint8_t how = in.u8();
	nvme_cmd sqe = fuzz_sqe(in, e.admin);
	Bytes data;

	if (sqe.sgl.type == NVME_SGL_IN_CAPSULE && sqe.sgl.len <= 16384 && !(how & 32)) {
		data = sqe.opc == NVME_OPC_FABRICS && sqe.fctype == NVME_FCTYPE_CONNECT
			       ? bytes_of(fuzz_connect_data(in.u8(), e.cntlid))
			       : in.bytes(in.u8() & 31);
		if (sqe.opc == NVME_IO_WRITE || sqe.opc == NVME_IO_COMPARE || sqe.opc == NVME_IO_DSM ||
		    sqe.opc == NVME_ADMIN_SET_FEATURES || sqe.opc == NVME_OPC_FABRICS)
			data.resize(sqe.sgl.len);
		else
			data.clear();
	}
	if (how & 32)
		data = in.bytes(in.u8());
	if (sqe.sgl.len > 0 && data.empty())
		e.patient = true;
	capsule(e, sqe, data, how & 128 ? how & 31 : 0, &in);
}

/* Data for an R2T: all of it, a part, or another's. */
void
give_data(Input &in, End &e)
{
	uint8_t how = in.u8();
	nvme_tcp_data h = {};

	if (e.r2ts.empty() && !(how & 128))
		return;
	nvme_tcp_r2t r = {};

	if (!e.r2ts.empty())
		r = e.r2ts[how % e.r2ts.size()];
	uint32_t len = std::min<uint32_t>(r.r2tl, how & 16 ? 1 + in.u16() : 131072);
	bool last = len == r.r2tl;

	h.ch.type = NVME_TCP_H2C_DATA;
	h.cccid = r.cccid;
	h.ttag = r.ttag;
	h.datao = r.r2to;
	if (how & 128) { /* not what was asked for */
		e.clean = false;
		h.datao += (uint32_t)(int8_t)in.u8();
		len = in.u8();
		last = in.bit();
		h.cccid = (uint16_t)(h.cccid + (in.u8() & 1));
		h.ttag = (uint16_t)(h.ttag + (in.u8() & 1));
	}
	h.datal = len;
	if (last)
		h.ch.flags = NVME_TCP_F_LAST;
	if (how & 32)
		e.clean = false;
	write(e, pdu(e, bytes_of(h), Bytes(len, how), how & 32 ? in.u8() & 15 : 0, &in));
	if (e.r2ts.empty() || how & 128)
		return;
	size_t at = how % e.r2ts.size();

	e.r2ts[at].r2to += len;
	e.r2ts[at].r2tl -= len;
	if (e.r2ts[at].r2tl == 0)
		e.r2ts.erase(e.r2ts.begin() + (long)at);
}

/* A PDU of any type, or bytes as they are. */
void
anything(Input &in, End &e)
{
	uint8_t how = in.u8();

	e.clean = false;
	if (how & 1) {
		write(e, in.bytes(1 + in.u8()));
		return;
	}
	static const uint8_t hlens[] = {128, 128, 24, 24, 72, 24, 24, 24, 8, 24};
	uint8_t type = how & 2 ? NVME_TCP_H2C_TERM : (how >> 2) % sizeof(hlens);
	Bytes h = in.bytes(how & 32 ? hlens[type] : 16);

	h.resize(hlens[type]);
	memset(h.data(), 0, 8);
	h[0] = type;
	write(e, pdu(e, h, how & 64 ? in.bytes(in.u8() & 127) : Bytes(), how & 128 ? in.u8() & 15 : 0, &in));
}

void
step(Input &in)
{
	static const uint64_t ns[] = {0, 10000, 1000000, 50000000, 1000000000, 3000000000, 6000000000, 20000000000};
	uint8_t op = in.u8();
	End *e = ends.empty() ? nullptr : &ends[(op >> 4 & 3) % ends.size()];

	switch (op & 15) {
	case 0:
		associate(in.u8(), op >> 4 & 3, op & 64 ? in.u16() : 0);
		return;
	case 1:
		open(in.u8());
		return;
	case 2:
	case 3:
		for (unsigned int i = op & 128 ? 8 : 2; i > 0; i--)
			turn(ns[op >> 4 & 7]);
		return;
	case 4:
		FuzzTarget::disk_step(in.u8());
		return;
	case 5:
		FuzzTarget::ns_step(in.u8());
		return;
	case 6:
		strake_lcore_enter(1);
		if (op & 128)
			FuzzHog::take_pages();
		else
			FuzzHog::put();
		return;
	default:
		break;
	}
	if (e == nullptr)
		return;
	strake_lcore_enter(1);
	switch (op & 15) {
	case 7:
		e->over = e->over || (op & 192) != 0;
		if (op & 128)
			pipe_shut(e->end);
		else if (op & 64)
			pipe_reset(e->end);
		else
			pipe_stop_reading(e->end, in.bit());
		break;
	case 8:
	case 9:
	case 10:
		give_data(in, *e);
		break;
	case 11:
		anything(in, *e);
		break;
	default:
		command(in, *e);
	}
}

bool
all_answered()
{
	for (const End &e : ends)
		if (!e.over && !e.out.empty() && !pipe_eof(e.end) && !pipe_was_reset(e.end))
			return false;
	return true;
}

/* Give it time; then whoever behaved has all its answers. */
void
check_answers()
{
	bool patient = false;

	FuzzTarget::let_go();
	strake_lcore_enter(1);
	for (End &e : ends) {
		pipe_stop_reading(e.end, false);
		patient = patient || e.patient || !e.clean;
	}
	for (int i = 0; i < (patient ? 4 : 1000) && !all_answered(); i++)
		turn();
	FUZZ_CHECK(patient || all_answered());
}

} // namespace

extern "C" int
LLVMFuzzerInitialize(int *, char ***argv)
{
	fuzz_eal((*argv)[0]);
	FuzzTarget::create();
	return 0;
}

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t chunks[] = {0, 4096, 500, 97};
	Input in(data, size);
	uint8_t how = in.u8(), first = in.u8();
	nvme_tcp_conf nc = {};
	pipe_conf pc = {};
	bool gone = false;

	FuzzTarget::set_up();
	next_cid = 0;
	nc.conns = 4;
	nc.slots = 32;
	FUZZ_CHECK(nvme_tcp_init(&nc) == 0);
	strake_lcore_enter(1);
	FUZZ_CHECK(nvme_tcp_lcore_init() == 0);
	pc.seed = 5;
	pc.chunk_max = chunks[how & 3];
	pc.delay_max = how >> 2 & 1;
	pc.expect = (how & 8) != 0;
	wire = pipe_create(&pc);
	strake_lcore_enter(0);
	FUZZ_CHECK(nvme_tcp_listen(pipe_carrier(wire), "127.0.0.1", kService) == 0);
	ends.reserve(4);
	if (how & 0x30)
		associate(first & 15, 0, 0);
	if (how & 0x20)
		associate(first >> 4, 1, 0);
	while (!in.empty())
		step(in);
	check_answers();
	strake_lcore_enter(1);
	for (End &e : ends)
		pipe_reset(e.end);
	for (int i = 0; i < 20 && !gone; i++) {
		FuzzLcores::turn();
		gone = nvme_tcp_lcore_drain();
	}
	FUZZ_CHECK(gone);
	ends.clear();
	strake_lcore_enter(0);
	nvme_tcp_unlisten(pipe_carrier(wire), "127.0.0.1", kService);
	strake_lcore_enter(1);
	pipe_destroy(wire);
	nvme_tcp_lcore_fini();
	strake_lcore_enter(0);
	nvme_tcp_fini();
	FuzzTarget::tear_down();
	return 0;
}
