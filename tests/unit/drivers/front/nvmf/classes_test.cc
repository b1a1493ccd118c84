/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Rules of the configuration, and the class that the stages then see. */

#include "rig.h"

extern "C" {
#include "drivers/front/nvmf/io.h"
}

static const char *const kWrites[] = {"write", "write_zeroes", "deallocate", "compare_write"};

class NvmfClasses : public Rig
{
      protected:
	static conf_class
	rule(uint8_t cls)
	{
		conf_class c = {};

		c.host = "any";
		c.range_last = UINT64_MAX;
		c.dscp_last = 63;
		c.pcp_last = 7;
		c.cls = cls;
		return c;
	}

	void
	SetUp() override
	{
	}

	void
	with(std::initializer_list<conf_class> list)
	{
		classes = list;
		Rig::SetUp();
	}

	/* An I/O queue of the second host, which only the open subsystem takes. */
	Host &
	host_b()
	{
		Host &a = admin(SUB_OPEN, HOST_B);
		Host &q = host();

		EXPECT_EQ(0, connect(q, connect_sqe(1), connect_data(SUB_OPEN, HOST_B, a.cntlid)).sc());
		return q;
	}

	static const nvmf_class_stats *
	stats(uint8_t cls)
	{
		return nvmf_lcore_at(1)->classes[cls];
	}

	/* Class of a one-block command as the last stage saw it. */
	uint8_t
	seen(Host &q, uint8_t opc, uint64_t slba = 0, uint32_t nsid = 1)
	{
		uint32_t block = nsid == 3 ? 4096 : 512;
		bool moves = opc == NVME_IO_READ || opc == NVME_IO_WRITE;
		nvmf_mem *mem = nsid == 3 ? big : disk;
		std::vector<uint8_t> bytes(opc == NVME_IO_WRITE ? block : 0);

		mem->cls = 0xee;
		EXPECT_EQ(0, run(q, rw(opc, slba, 1, moves ? block : 0, nsid), bytes).sc());
		return mem->cls;
	}
};

TEST_F(NvmfClasses, AreAllZeroWithoutRules)
{
	with({});
	Host &q = io(admin());

	EXPECT_EQ(0, seen(q, NVME_IO_READ));
	EXPECT_EQ(nullptr, q.qp.ns->array->rules) << "nobody asks";
	EXPECT_EQ(nullptr, stats(0)) << "nor counts";
}

TEST_F(NvmfClasses, ComeFromTheFirstRuleThatMatches)
{
	conf_class reads = rule(7), all = rule(200), never = rule(9);
	const char *op[] = {"read"};

	reads.ops = op;
	reads.n_ops = 1;
	with({reads, all, never});
	Host &q = io(admin());

	EXPECT_EQ(7, seen(q, NVME_IO_READ));
	EXPECT_EQ(200, seen(q, NVME_IO_WRITE));
	EXPECT_EQ(200, seen(q, NVME_IO_FLUSH));
	EXPECT_EQ(1u, stats(7)->requests);
	EXPECT_EQ(2u, stats(200)->requests);
	EXPECT_EQ(0u, stats(9)->requests);
	EXPECT_EQ(0u, stats(0)->requests);
	EXPECT_EQ(nullptr, stats(8)) << "no rule gives it";
}

TEST_F(NvmfClasses, GoByHostSubsystemAndNamespace)
{
	conf_class host = rule(1), space = rule(2), sub = rule(3);

	host.host = HOST_B;
	space.nsid = 3;
	sub.subsystem = &subs[1];
	with({host, space, sub});
	Host &listed = io(admin());
	Host &open = io(admin(SUB_OPEN), 1, SUB_OPEN);
	Host &b = host_b();

	EXPECT_EQ(0, seen(listed, NVME_IO_READ));
	EXPECT_EQ(2, seen(listed, NVME_IO_READ, 0, 3));
	EXPECT_EQ(3, seen(open, NVME_IO_READ));
	EXPECT_EQ(2, seen(open, NVME_IO_READ, 0, 3));
	EXPECT_EQ(1, seen(b, NVME_IO_READ));
	EXPECT_EQ(1, seen(b, NVME_IO_READ, 0, 3));
}

TEST_F(NvmfClasses, GoByWhereTheRequestBegins)
{
	conf_class second = rule(4);

	second.range_first = 1 << 20;
	second.range_last = (2 << 20) - 1;
	with({second});
	Host &q = io(admin());

	EXPECT_EQ(0, seen(q, NVME_IO_READ, 2047));
	EXPECT_EQ(4, seen(q, NVME_IO_READ, 2048));
	EXPECT_EQ(4, seen(q, NVME_IO_READ, 4095));
	EXPECT_EQ(4, seen(q, NVME_IO_READ, 511, 3)) << "bytes, not blocks";
	EXPECT_EQ(0, seen(q, NVME_IO_READ, 512, 3));
	EXPECT_EQ(0, seen(q, NVME_IO_FLUSH)) << "no range: begins at 0";
}

TEST_F(NvmfClasses, GoByTheMarksOfThePackets)
{
	conf_class ef = rule(5), urgent = rule(6);

	ef.dscp_first = ef.dscp_last = 46;
	urgent.pcp_first = 5;
	with({ef, urgent});
	Host &q = io(admin());

	EXPECT_EQ(0, seen(q, NVME_IO_READ));
	q.qp.tos = 46 << 2 | 3; /* ECN is not part of it */
	EXPECT_EQ(5, seen(q, NVME_IO_READ));
	q.qp.tos = 45 << 2;
	EXPECT_EQ(0, seen(q, NVME_IO_READ));
	q.qp.pcp = 6;
	EXPECT_EQ(6, seen(q, NVME_IO_READ));
}

TEST_F(NvmfClasses, ReachFusedPairsAndRangesAndWhatHadToWait)
{
	conf_class writes = rule(8);

	writes.ops = (const char **)kWrites;
	writes.n_ops = 4;
	with({writes});
	Host &q = io(admin());
	nvme_cmd first = rw(NVME_IO_COMPARE, 5, 1, 512), second = rw(NVME_IO_WRITE, 5, 1, 512);
	nvme_dsm_range range = {0, 1, 9};
	std::vector<uint8_t> zero(512);

	first.flags = NVME_CMD_PSDT_SGL | NVME_CMD_FUSE_FIRST;
	second.flags = NVME_CMD_PSDT_SGL | NVME_CMD_FUSE_SECOND;
	first.sgl.type = second.sgl.type = NVME_SGL_TRANSPORT_DATA;
	submit(q, first, zero);
	EXPECT_EQ(0, run(q, second, zero).sc());
	EXPECT_EQ(8, disk->cls);
	disk->cls = 0;
	EXPECT_EQ(0, run(q, admin_sqe(NVME_IO_DSM, 0, NVME_DSM_AD, 0, 1), bytes_of(range)).sc());
	EXPECT_EQ(8, disk->cls);

	disk->hold = true;
	std::vector<Cmd *> cmds;
	for (int i = 0; i < 260; i++) /* more than there are requests */
		cmds.push_back(&submit(q, rw(NVME_IO_WRITE_ZEROES, 0, 1, 0)));
	disk->hold = false;
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	turn(30);
	for (Cmd *c : cmds)
		ASSERT_TRUE(c->done);
	EXPECT_EQ(262u, stats(8)->requests);
	EXPECT_EQ(262u, stats(8)->latency.count) << "each ended once";
	EXPECT_EQ(0u, stats(0)->requests);
}

TEST_F(NvmfClasses, TellBytesErrorsAndLatency)
{
	conf_class reads = rule(7);
	const char *op[] = {"read"};

	reads.ops = op;
	reads.n_ops = 1;
	with({reads});
	Host &q = io(admin());

	EXPECT_EQ(7, seen(q, NVME_IO_READ));
	EXPECT_EQ(0, run(q, rw(NVME_IO_READ, 0, 8, 4096)).sc());
	EXPECT_EQ(0, seen(q, NVME_IO_WRITE));
	EXPECT_EQ(512u + 4096, stats(7)->bytes);
	EXPECT_EQ(512u, stats(0)->bytes) << "what no rule matches";
	disk->fail = -EIO;
	EXPECT_NE(0, run(q, rw(NVME_IO_READ, 0, 1, 512)).sc());
	disk->fail = 0;
	EXPECT_EQ(1u, stats(7)->errors);
	EXPECT_EQ(512u + 4096, stats(7)->bytes) << "a failed one moved nothing";
	EXPECT_EQ(0u, stats(0)->errors);
	disk->hold = true;
	Cmd &slow = submit(q, rw(NVME_IO_READ, 0, 1, 512));
	turn(50);
	EXPECT_EQ(4u, stats(7)->requests);
	EXPECT_EQ(3u, stats(7)->latency.count) << "one is under way";
	uint64_t before = stats(7)->latency.max;
	disk->hold = false;
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	turn(3);
	ASSERT_TRUE(slow.done);
	EXPECT_EQ(4u, stats(7)->latency.count);
	EXPECT_LT(before, stats(7)->latency.max);
}

/* Rules outlive the namespaces: what is added while hosts are connected is found by route and classified. */
TEST_F(NvmfClasses, StayWhenNamespacesChange)
{
	conf_class space = rule(11), other = rule(12);

	space.nsid = 700;
	other.subsystem = &subs[1];
	with({space, other});
	Host &q = io(admin()), &o = io(admin(SUB_OPEN), 1, SUB_OPEN);

	strake_lcore_enter(0);
	EXPECT_EQ(0, nvmf_ns_add(SUB_LISTED, 700, &disk->vol));
	turn(5);
	EXPECT_EQ(11, seen(q, NVME_IO_READ, 0, 700));
	EXPECT_EQ(0, seen(q, NVME_IO_READ));
	EXPECT_EQ(12, seen(o, NVME_IO_READ)) << "still by the tables of before";
	strake_lcore_enter(0);
	EXPECT_EQ(0, nvmf_ns_remove(SUB_LISTED, 700, nullptr, nullptr));
	EXPECT_EQ(0, nvmf_ns_remove(SUB_LISTED, 1, nullptr, nullptr));
	EXPECT_EQ(0, nvmf_ns_add(SUB_OPEN, 2, &big->vol));
	turn(5);
	EXPECT_EQ(NVME_SC_INVALID_NS, run(q, rw(NVME_IO_READ, 0, 1, 512, 700)).sc());
	EXPECT_EQ(NVME_SC_INVALID_NS, run(q, rw(NVME_IO_READ, 0, 1, 512)).sc());
	EXPECT_EQ(0, seen(q, NVME_IO_READ, 0, 3));
	EXPECT_EQ(0, run(o, rw(NVME_IO_READ, 0, 1, 4096, 2)).sc());
	EXPECT_EQ(12, big->cls);
}
