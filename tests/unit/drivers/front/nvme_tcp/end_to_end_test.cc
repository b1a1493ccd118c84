/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A host's whole way: bytes in, through the real target and a volume in memory, bytes out. */

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

TEST_P(NvmeTcpEnd, ConnectsIdentifiesWritesAndReads)
{
	ASSERT_NO_FATAL_FAILURE(associate());
	nvme_cmd c = {};
	c.opc = NVME_ADMIN_IDENTIFY;
	c.flags = NVME_CMD_PSDT_SGL;
	c.cid = 2;
	c.cdw10 = NVME_CNS_CTRLR;
	c.sgl.type = NVME_SGL_TRANSPORT_DATA;
	c.sgl.len = NVME_IDENTIFY_LEN;
	admin.write(admin.capsule(c));
	Reply r = get(admin);
	ASSERT_EQ(NVME_TCP_C2H_DATA, r.type);
	ASSERT_EQ((size_t)NVME_IDENTIFY_LEN, r.data.size());
	EXPECT_EQ(0, memcmp(r.data.data() + 4, "S1", 2));

	Bytes small(4096), big(65536);
	for (size_t i = 0; i < big.size(); i++)
		big[i] = (uint8_t)(i * 31 + i / 256);
	small.assign(big.begin() + 100, big.begin() + 100 + 4096);
	io.write(io.capsule(Host::io(NVME_IO_WRITE, 10, 8, 4096, true), small));
	EXPECT_EQ(0, get(io).cqe().status);
	io.write(io.capsule(Host::io(NVME_IO_WRITE, 11, 128, 65536)));
	r = get(io);
	ASSERT_EQ(NVME_TCP_R2T, r.type);
	nvme_tcp_r2t t = r.r2t();
	for (uint32_t off = 0; off < big.size(); off += 16384)
		io.write(io.h2c(t.cccid, t.ttag, off, Bytes(big.begin() + off, big.begin() + off + 16384),
				off + 16384 == big.size()));
	r = get(io);
	ASSERT_EQ(NVME_TCP_CAPSULE_RESP, r.type);
	EXPECT_EQ(0, r.cqe().status);
	EXPECT_EQ(0, memcmp(disk->bytes + 8 * 512, small.data(), small.size()));
	EXPECT_EQ(0, memcmp(disk->bytes + 128 * 512, big.data(), big.size()));
	io.write(io.capsule(Host::io(NVME_IO_READ, 12, 128, 65536)));
	r = get(io);
	ASSERT_EQ(NVME_TCP_C2H_DATA, r.type);
	EXPECT_EQ(big, r.data);
	EXPECT_TRUE(r.flags & NVME_TCP_F_SUCCESS);
	io.write(io.capsule(Host::io(NVME_IO_READ, 13, 4096, 4096))); /* beyond the end */
	r = get(io);
	EXPECT_EQ(NVME_SC_LBA_RANGE, NVME_CPL_SC(r.cqe().status));
}

TEST_P(NvmeTcpEnd, ComparesAndWritesAsOneWhenTheSecondPayloadComesFirst)
{
	ASSERT_NO_FATAL_FAILURE(associate());
	Bytes old(512, 0), now_(512, 9);
	nvme_cmd first = Host::io(NVME_IO_COMPARE, 20, 0, 512), second = Host::io(NVME_IO_WRITE, 21, 0, 512, true);

	first.flags |= NVME_CMD_FUSE_FIRST;
	second.flags |= NVME_CMD_FUSE_SECOND;
	memset(disk->bytes, 0, 512);
	io.write(io.capsule(first));
	io.write(io.capsule(second, now_)); /* in the capsule: complete before the first half's is fetched */
	Reply r = get(io);
	ASSERT_EQ(NVME_TCP_R2T, r.type);
	turn(20);
	io.write(io.h2c(r.r2t().cccid, r.r2t().ttag, 0, old, true));
	EXPECT_EQ(0, get(io).cqe().status);
	EXPECT_EQ(0, get(io).cqe().status);
	EXPECT_EQ(9, disk->bytes[511]);
}

TEST_P(NvmeTcpEnd, LosesAnAssociationWithCommandsUnderWay)
{
	ASSERT_NO_FATAL_FAILURE(associate());
	disk->hold = true;
	for (uint16_t cid = 0; cid < 20; cid++)
		io.write(io.capsule(Host::io(cid & 1 ? NVME_IO_WRITE : NVME_IO_READ, cid, cid, 512, cid & 1),
				    cid & 1 ? Bytes(512, 1) : Bytes()));
	turn(100);
	strake_lcore_enter(1);
	pipe_reset(io.end);
	turn(3);
	strake_lcore_enter(1);
	pipe_shut(admin.end);
	nvmf_mem_release(disk);
	turn(10);
}

TEST_P(NvmeTcpEnd, DiesWhenItsFusedPairIsHalfThere)
{
	ASSERT_NO_FATAL_FAILURE(associate());
	nvme_cmd first = Host::io(NVME_IO_COMPARE, 20, 0, 512), second = Host::io(NVME_IO_WRITE, 21, 0, 512, true);

	first.flags |= NVME_CMD_FUSE_FIRST;
	second.flags |= NVME_CMD_FUSE_SECOND;
	io.write(io.capsule(first)); /* waits for its payload, while its partner is with the target */
	io.write(io.capsule(second, Bytes(512, 1)));
	EXPECT_EQ(NVME_TCP_R2T, get(io).type);
	turn(20);
	strake_lcore_enter(1);
	pipe_reset(io.end);
	turn(10);
}

INSTANTIATE_TEST_SUITE_P(Digests, NvmeTcpEnd, testing::Range(0, 8));
