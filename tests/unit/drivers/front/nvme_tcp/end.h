/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_TCP_END_H
#define NVME_TCP_END_H

/* The real target with a volume in memory behind the transport, at the end of a pipe. The test's parameter: 1 header
 * digests, 2 data digests, 4 streams that offer expect(). */

#include "host.h"
#include "tests/unit/pipeline/world.h"

extern "C" {
#include "drivers/front/nvme_tcp/conn.h"
#include "nvmf_mem_stage.h"
}

#define SUBNQN	"nqn.2026-01.org.example:end"
#define HOSTNQN "nqn.2014-08.org.nvmexpress:uuid:aaaaaaaa-0000-0000-0000-000000000001"

static const uint8_t kUuid[16] = {0x10, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, 15};

class NvmeTcpEnd : public World, public testing::WithParamInterface<int>
{
      protected:
	struct pipe *pipe = nullptr;
	nvmf_mem *disk = nullptr;
	conf_volume vol = {};
	conf_namespace space = {};
	conf_subsystem sub = {};
	conf conf_ = {};
	Host admin, io;
	uint16_t cntlid = 0;

	void
	SetUp() override
	{
		char err[256] = "";
		pipe_conf pc = {};
		nvme_tcp_conf nc = {};

		start(1);
		strake_lcore_enter(0);
		disk = nvmf_mem_create("disk", 4096, 9, kUuid);
		strake_buf_usage(&before);
		vol.name = "disk";
		space.nsid = 1;
		space.volume = &vol;
		sub.nqn = SUBNQN;
		sub.serial = "S1";
		sub.model = "Strake";
		sub.any_host = true;
		sub.namespaces = &space;
		sub.n_namespaces = 1;
		sub.max_queues = 4;
		sub.queue_depth = 64;
		conf_.subsystems = &sub;
		conf_.n_subsystems = 1;
		ASSERT_EQ(0, nvmf_create(&conf_, err, sizeof(err))) << err;
		nc.conns = 16;
		nc.slots = 256;
		ASSERT_EQ(0, nvme_tcp_init(&nc));
		strake_lcore_enter(1);
		ASSERT_EQ(0, nvmf_lcore_init());
		ASSERT_EQ(0, strake_stage_lcore_init(disk->stage));
		ASSERT_EQ(0, nvme_tcp_lcore_init());
		pc.seed = 5;
		pc.chunk_max = 500;
		pc.expect = GetParam() & 4;
		pipe = pipe_create(&pc);
		strake_lcore_enter(0);
		ASSERT_EQ(0, nvme_tcp_listen(pipe_carrier(pipe), "127.0.0.1", 4420));
		turn(2);
		admin.hdgst = io.hdgst = GetParam() & 1;
		admin.ddgst = io.ddgst = GetParam() & 2;
	}
	void
	TearDown() override
	{
		bool gone = false;

		disk->hold = false;
		strake_lcore_enter(1);
		nvmf_mem_release(disk);
		for (int i = 0; i < 8000 && !gone; i++) {
			turn();
			strake_lcore_enter(1);
			gone = nvme_tcp_lcore_drain();
		}
		EXPECT_TRUE(gone);
		turn(5);
		strake_lcore_enter(0);
		nvme_tcp_unlisten(pipe_carrier(pipe), "127.0.0.1", 4420);
		EXPECT_TRUE(nvmf_drain());
		strake_lcore_enter(1);
		pipe_destroy(pipe);
		nvme_tcp_lcore_fini();
		nvmf_lcore_fini();
		strake_stage_lcore_fini(disk->stage);
		strake_lcore_enter(0);
		nvme_tcp_fini();
		nvmf_destroy();
		nvmf_mem_destroy(disk);
		World::TearDown();
	}
	Reply
	get(Host &h)
	{
		Reply r;
		for (int i = 0; i < 3000 && !h.next(&r); i++)
			turn();
		return r;
	}
	static nvme_cmd
	fabrics(uint8_t fctype, uint16_t cid)
	{
		nvme_cmd c = {};
		c.opc = NVME_OPC_FABRICS;
		c.fctype = fctype;
		c.flags = NVME_CMD_PSDT_SGL;
		c.cid = cid;
		return c;
	}
	Reply
	open(Host &h, uint16_t qid)
	{
		nvme_connect_data d = {};
		nvme_cmd c = Host::connect(true, qid);

		strake_lcore_enter(1);
		h.end = pipe_open(pipe, 4420);
		EXPECT_NE(nullptr, h.end);
		h.write(h.icreq());
		EXPECT_EQ(NVME_TCP_ICRESP, get(h).type);
		memset(d.hostid, 0x5a, sizeof(d.hostid));
		d.cntlid = qid == 0 ? 0xffff : cntlid;
		snprintf(d.subnqn, sizeof(d.subnqn), SUBNQN);
		snprintf(d.hostnqn, sizeof(d.hostnqn), HOSTNQN);
		c.sqsize = 31;
		Bytes data((uint8_t *)&d, (uint8_t *)(&d + 1));
		h.write(h.capsule(c, data));
		return get(h);
	}
	void
	associate()
	{
		Reply r = open(admin, 0);
		ASSERT_EQ(NVME_TCP_CAPSULE_RESP, r.type);
		ASSERT_EQ(0, r.cqe().status);
		cntlid = (uint16_t)r.cqe().cdw0;
		nvme_cmd c = fabrics(NVME_FCTYPE_PROPERTY_SET, 1);
		c.ofst = NVME_PROP_CC;
		c.value = 0x460001;
		admin.write(admin.capsule(c));
		ASSERT_EQ(0, get(admin).cqe().status);
		r = open(io, 1);
		ASSERT_EQ(NVME_TCP_CAPSULE_RESP, r.type);
		ASSERT_EQ(0, r.cqe().status);
	}
};

#endif
