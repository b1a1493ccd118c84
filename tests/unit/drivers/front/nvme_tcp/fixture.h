/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_TCP_FIXTURE_H
#define NVME_TCP_FIXTURE_H

#include <memory>

#include "host.h"

extern "C" {
#include "drivers/front/nvme_tcp/conn.h"
#include "fake_nvmf.h"
}

constexpr uint16_t kPort = 4420;

/* One lcore with the transport, the fake nvmf room and a pipe; leaves nothing behind, or the test fails. */
class NvmeTcp : public testing::Test
{
      protected:
	uint64_t now = 1000 * STRAKE_NS_PER_MS;
	struct pipe *pipe = nullptr;
	fake_nvmf *nvmf = nullptr;
	struct strake_buf_usage before = {};
	Host host;

	void
	Start(pipe_conf pc = {}, nvme_tcp_conf nc = {})
	{
		const strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, -1};
		const strake_buf_conf bc = {131072, 64u << 20, -1};

		static bool once;

		/* The pools serve all tests: making them takes longer than most of these. */
		if (!once) {
			ASSERT_EQ(0, strake_buf_init(&bc));
			once = true;
		}
		ASSERT_EQ(0, strake_lcore_create(0, &lc));
		strake_lcore_enter(0);
		if (nc.conns == 0)
			nc.conns = 8;
		if (nc.slots == 0)
			nc.slots = 512;
		strake_buf_usage(&before);
		ASSERT_EQ(0, nvme_tcp_init(&nc));
		ASSERT_EQ(0, nvme_tcp_lcore_init());
		pipe = pipe_create(&pc);
		nvmf = fake_nvmf_create();
		ASSERT_EQ(0, nvme_tcp_listen(pipe_carrier(pipe), "127.0.0.1", kPort));
		host.end = pipe_open(pipe, kPort);
		ASSERT_NE(nullptr, host.end);
	}
	void
	TearDown() override
	{
		if (pipe == nullptr)
			return;
		nvmf->hold = false;
		nvmf->hold_gone = false;
		fake_nvmf_release(UINT32_MAX);
		for (int i = 0; i < 10000 && !nvme_tcp_lcore_drain(); i++) {
			now += 10 * STRAKE_NS_PER_MS;
			strake_lcore_turn(now);
		}
		EXPECT_TRUE(nvme_tcp_lcore_drain());
		EXPECT_EQ(nvmf->executed, nvmf->done);
		EXPECT_EQ(nvmf->qpairs, nvmf->gone);
		EXPECT_EQ(0u, nvmf->bad_payload);
		pipe_destroy(pipe);
		CheckSlots();
		nvme_tcp_lcore_fini();
		nvme_tcp_fini();
		fake_nvmf_destroy();
		struct strake_buf_usage after;
		strake_buf_usage(&after);
		EXPECT_EQ(before.descriptors_free, after.descriptors_free);
		for (int i = 0; i < 4; i++)
			EXPECT_EQ(before.pages_free[i], after.pages_free[i]) << "class " << i;
		strake_lcore_enter(UINT16_MAX);
		strake_lcore_destroy(0);
	}
	void
	CheckSlots()
	{
		nvme_tcp_slot *slot;
		uint32_t n = 0;

		TAILQ_FOREACH (slot, &nvme_tcp_lcores[0]->free_slots, link)
			n++;
		EXPECT_EQ(nvme_tcp_limits.slots, n);
	}
	nvme_tcp_counters &
	Stats()
	{
		return nvme_tcp_lcores[0]->stats;
	}
	void
	Turn(unsigned int n = 1)
	{
		while (n-- > 0) {
			now += 10 * STRAKE_NS_PER_US;
			strake_lcore_turn(now);
		}
	}
	void
	Pass(uint64_t ns)
	{
		for (uint64_t end = now + ns; now < end;) {
			now += STRAKE_NS_PER_MS;
			strake_lcore_turn(now);
		}
	}
	/* Turns until a PDU has come; type 0xff if none does. */
	Reply
	Get(unsigned int turns = 200000)
	{
		Reply r;

		while (!host.next(&r) && turns-- > 0)
			Turn();
		return r;
	}
	void
	Connect(bool no_flow = true, uint16_t qid = 1)
	{
		host.write(host.icreq());
		Reply r = Get();
		ASSERT_EQ(NVME_TCP_ICRESP, r.type);
		host.write(host.capsule(Host::connect(no_flow, qid), Bytes(sizeof(nvme_connect_data), 7)));
		r = Get();
		ASSERT_EQ(NVME_TCP_CAPSULE_RESP, r.type);
		ASSERT_EQ(0, r.cqe().status);
		ASSERT_EQ(0xfff0, r.cqe().cid);
	}
	/* A second connection is `host` from here on. @return the first. */
	Host
	Another()
	{
		Host first = host;

		host.end = pipe_open(pipe, kPort);
		Connect();
		return first;
	}
	Bytes
	Pattern(uint32_t len, uint8_t seed)
	{
		Bytes b(len);
		for (uint32_t i = 0; i < len; i++)
			b[i] = (uint8_t)(i * 13 + i / 251 + seed);
		return b;
	}
	/* Write with data fetched by R2T, in H2CData PDUs of at most `step` bytes. */
	void
	Fetch(const Reply &r2t, const Bytes &data, uint32_t step)
	{
		ASSERT_EQ(NVME_TCP_R2T, r2t.type);
		nvme_tcp_r2t t = r2t.r2t();
		ASSERT_EQ(data.size(), t.r2tl);
		for (uint32_t off = 0; off < data.size(); off += step) {
			uint32_t n = std::min<uint32_t>(step, (uint32_t)data.size() - off);
			host.write(host.h2c(t.cccid, t.ttag, off, Bytes(data.begin() + off, data.begin() + off + n),
					    off + n == data.size()));
		}
	}
	void
	ExpectTerm(uint16_t fes, uint32_t fei)
	{
		Reply r;
		do
			r = Get(2000);
		while (r.type != NVME_TCP_C2H_TERM && r.type != 0xff);
		ASSERT_EQ(NVME_TCP_C2H_TERM, r.type);
		EXPECT_EQ(fes, r.term().fes);
		uint32_t found = r.term().fei; /* where it lies no reference may point */
		EXPECT_EQ(fei, found);
		EXPECT_GE(r.data.size(), 8u);
	}
};

#endif
