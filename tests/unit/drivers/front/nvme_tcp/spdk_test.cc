/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What SPDK's initiator does from the first byte to the last, and what comes of it. */

#include "spdk.h"

TEST_P(Spdk, Attaches)
{
	Host queue[4];

	ASSERT_NO_FATAL_FAILURE(attach());
	for (uint16_t q = 0; q < n_queues; q++) {
		queue[q].hdgst = admin.hdgst;
		queue[q].ddgst = admin.ddgst;
		ASSERT_NO_FATAL_FAILURE(connect(queue[q], (uint16_t)(q + 1), io_entries));
	}
	for (Host &h : queue)
		EXPECT_EQ(0, ask(h, blocks(NVME_IO_READ, 0, 4096), 4096).sc());
	detach({&queue[0], &queue[1], &queue[2], &queue[3]});
}

TEST_P(Spdk, ReadsAndWritesAllThatItCan)
{
	ASSERT_NO_FATAL_FAILURE(attach());
	ASSERT_NO_FATAL_FAILURE(connect(io, 1, io_entries));
	uint32_t most = 4096u << id.mdts;

	ASSERT_EQ(131072u, most);
	Bytes small = pattern(in_capsule, 1), more = pattern(in_capsule + 512, 2), big = pattern(most, 3);
	EXPECT_EQ(0, ask(io, blocks(NVME_IO_WRITE, 0, in_capsule), 0, small).sc());
	EXPECT_EQ(0, put(io, blocks(NVME_IO_WRITE, 100, in_capsule + 512), more).sc());
	EXPECT_EQ(0, put(io, blocks(NVME_IO_WRITE, 512, most), big).sc());
	EXPECT_EQ(small, ask(io, blocks(NVME_IO_READ, 0, in_capsule), in_capsule).data);
	EXPECT_EQ(more, ask(io, blocks(NVME_IO_READ, 100, in_capsule + 512), in_capsule + 512).data);
	EXPECT_EQ(big, ask(io, blocks(NVME_IO_READ, 512, most), most).data);
	EXPECT_EQ(0, ask(io, blocks(NVME_IO_COMPARE, 0, in_capsule), 0, small).sc());
	EXPECT_EQ(NVME_SC_COMPARE, NVME_CPL_SC(ask(io, blocks(NVME_IO_COMPARE, 1, 512), 0, Bytes(512)).sc()));

	nvme_cmd c = blocks(NVME_IO_WRITE_ZEROES, 0, in_capsule);
	EXPECT_EQ(0, ask(io, c).sc());
	EXPECT_EQ(Bytes(in_capsule), ask(io, blocks(NVME_IO_READ, 0, in_capsule), in_capsule).data);
	c = {};
	c.opc = NVME_IO_FLUSH;
	c.nsid = 1;
	EXPECT_EQ(0, ask(io, c).sc());
	nvme_dsm_range range = {0, 8, 512};
	c.opc = NVME_IO_DSM;
	c.cdw10 = 0;
	c.cdw11 = 4; /* deallocate */
	EXPECT_EQ(0, ask(io, c, 0, Bytes((uint8_t *)&range, (uint8_t *)(&range + 1))).sc());
	detach({&io});
}

/* Compare and write, fused: both at once, each with its data in the capsule. */
TEST_P(Spdk, ComparesAndWrites)
{
	Bytes old = pattern(512, 1), fresh = pattern(512, 2);

	ASSERT_NO_FATAL_FAILURE(attach());
	ASSERT_TRUE(id.fuses & NVME_FUSES_CMP_WRITE);
	ASSERT_NO_FATAL_FAILURE(connect(io, 1, io_entries));
	ASSERT_EQ(0, ask(io, blocks(NVME_IO_WRITE, 7, 512), 0, old).sc());
	for (bool same : {true, false}) {
		uint16_t a = cid(io_entries), b = cid(io_entries);

		io.write(io.capsule(sgl(blocks(NVME_IO_COMPARE, 7, 512, NVME_CMD_FUSE_FIRST), a, 512, true), old));
		io.write(io.capsule(sgl(blocks(NVME_IO_WRITE, 7, 512, NVME_CMD_FUSE_SECOND), b, 512, true), fresh));
		EXPECT_EQ(same ? 0 : NVME_SC_COMPARE, NVME_CPL_SC(answer(io, a, 0).sc()));
		EXPECT_EQ(same ? 0 : NVME_SC_FUSED_FAIL, NVME_CPL_SC(answer(io, b, 0).sc()));
	}
	EXPECT_EQ(fresh, ask(io, blocks(NVME_IO_READ, 7, 512), 512).data);
	detach({&io});
}

/* It has flow control left on, heeds no SQHD, and has one command fewer under way than the queue has entries. */
TEST_P(Spdk, FillsItsQueue)
{
	std::vector<bool> done(IO_SQ);

	ASSERT_NO_FATAL_FAILURE(attach());
	ASSERT_NO_FATAL_FAILURE(connect(io, 1, io_entries));
	ASSERT_EQ(64u, io_entries);
	for (int round = 0; round < 3; round++) {
		done.assign(IO_SQ, false);
		for (uint16_t slot = 0; slot < io_entries - 1; slot++)
			io.write(io.capsule(sgl(blocks(NVME_IO_READ, slot, 512), slot, 512)));
		for (uint16_t slot = 0; slot < io_entries - 1; slot++) {
			Reply r = get(io);

			ASSERT_EQ(NVME_TCP_C2H_DATA, r.type);
			EXPECT_FALSE(done[r.c2h().cccid]);
			done[r.c2h().cccid] = true;
			if ((r.flags & NVME_TCP_F_SUCCESS) == 0) {
				r = get(io);
				ASSERT_EQ(NVME_TCP_CAPSULE_RESP, r.type);
				EXPECT_EQ(0, r.cqe().status);
			}
		}
	}
	detach({&io});
}

TEST_P(Spdk, HearsOfPathsAndNamespaces)
{
	ASSERT_NO_FATAL_FAILURE(attach());
	strake_lcore_enter(0);
	ASSERT_EQ(0, nvmf_ana_set("127.0.0.1", 4420, NVME_ANA_INACCESSIBLE));
	ASSERT_NO_FATAL_FAILURE(hear(AER_ANA));
	ASSERT_NO_FATAL_FAILURE(read_ana(NVME_ANA_INACCESSIBLE));
	strake_lcore_enter(0);
	ASSERT_EQ(0, nvmf_ana_set("127.0.0.1", 4420, NVME_ANA_OPTIMIZED));
	ASSERT_NO_FATAL_FAILURE(hear(AER_ANA));
	ASSERT_NO_FATAL_FAILURE(read_ana(NVME_ANA_OPTIMIZED));
	strake_lcore_enter(0);
	ASSERT_EQ(0, nvmf_ns_remove(
			     SUBNQN, 1, [](void *) {}, nullptr));
	for (bool there : {false, true}) {
		ASSERT_NO_FATAL_FAILURE(hear(AER_NS_LIST));
		Answer a = log(NVME_LID_CHANGED_NS, NVME_NSID_ALL, 4096);
		ASSERT_EQ(0, a.sc());
		EXPECT_EQ(1u, a.as<nvme_ns_list>()->nsid[0]);
		ASSERT_NO_FATAL_FAILURE(list_namespaces());
		EXPECT_EQ(there ? std::vector<uint32_t>{1} : std::vector<uint32_t>{}, active);
		if (there)
			break;
		strake_lcore_enter(0);
		ASSERT_EQ(0, nvmf_ns_add(SUBNQN, 1, &disk->vol));
	}
	detach({});
}

/* A queue that is let go takes nobody with it, and its number is free again; nor does an Abort that comes too late. */
TEST_P(Spdk, OpensAQueueAnew)
{
	nvme_cmd c = {};

	ASSERT_NO_FATAL_FAILURE(attach());
	for (int i = 0; i < 3; i++) {
		ASSERT_NO_FATAL_FAILURE(connect(io, 2, io_entries));
		EXPECT_EQ(0, ask(io, blocks(NVME_IO_READ, 0, 512), 512).sc());
		c.opc = NVME_ADMIN_ABORT;
		c.cdw10 = (uint32_t)last << 16 | 2;
		Answer a = ask(admin, c);
		EXPECT_EQ(0, a.sc());
		EXPECT_EQ(1u, a.cqe.cdw0) << "not aborted";
		leave(io);
		keep_alive();
	}
	detach({});
}

/* A reset: admin queue away, admin queue anew, all from the start, and then the I/O queues. */
TEST_P(Spdk, ResetsItsController)
{
	uint16_t before;

	ASSERT_NO_FATAL_FAILURE(attach());
	ASSERT_NO_FATAL_FAILURE(connect(io, 1, io_entries));
	before = cntlid;
	strake_lcore_enter(1);
	pipe_shut(admin.end);
	pipe_shut(io.end);
	ASSERT_NO_FATAL_FAILURE(attach());
	EXPECT_NE(before, cntlid);
	ASSERT_NO_FATAL_FAILURE(connect(io, 1, io_entries));
	EXPECT_EQ(0, ask(io, blocks(NVME_IO_READ, 0, 512), 512).sc());
	detach({&io});
}

/* The log in pieces of a page: first its head and three entries, then four at a time. */
TEST_P(Spdk, Discovers)
{
	const uint32_t page = 4096;
	std::vector<nvme_discovery_entry> found;
	uint64_t left;

	strake_lcore_enter(0);
	for (uint16_t port = 5000; port < 5003; port++)
		ASSERT_EQ(0, nvme_tcp_listen(pipe_carrier(pipe), "127.0.0.1", port));
	turn(2);
	ASSERT_NO_FATAL_FAILURE(connect(admin, 0, ADMIN_SQ, NVME_DISCOVERY_NQN));
	ASSERT_NO_FATAL_FAILURE(enable());
	ASSERT_NO_FATAL_FAILURE(configure_events(NVME_AEN_DISCOVERY));
	ASSERT_EQ(0, identify(NVME_CNS_CTRLR, 0).sc()) << "once more";
	Answer a = log(NVME_LID_DISCOVERY, 0, page);
	ASSERT_EQ(0, a.sc());
	ASSERT_EQ(0, a.as<nvme_discovery_log>()->recfmt);
	left = a.as<nvme_discovery_log>()->numrec;
	EXPECT_EQ(8u, left) << "of each listener the subsystem, and the discovery service itself";
	const auto *e = (const nvme_discovery_entry *)(a.as<nvme_discovery_log>() + 1);
	for (uint64_t n = std::min<uint64_t>(left, 3), offset = sizeof(nvme_discovery_log);;) {
		found.insert(found.end(), e, e + n);
		offset += n * sizeof(*e);
		left -= n;
		if (left == 0)
			break;
		a = log(NVME_LID_DISCOVERY, 0, page, offset);
		ASSERT_EQ(0, a.sc());
		e = a.as<nvme_discovery_entry>();
		n = std::min<uint64_t>(left, 4);
	}
	for (size_t i = 0; i < found.size(); i++) {
		EXPECT_EQ(i < 4 ? NVME_DISC_NVM : NVME_DISC_CURRENT, found[i].subtype);
		EXPECT_EQ(NVME_ADRFAM_IPV4, found[i].adrfam);
		EXPECT_EQ(NVME_TRTYPE_TCP, found[i].trtype);
		EXPECT_STREQ("127.0.0.1", found[i].traddr);
		EXPECT_NE(nullptr, memchr(found[i].subnqn, 0, sizeof(found[i].subnqn)));
	}
	keep_alive();
	strake_lcore_enter(0);
	for (uint16_t port = 5000; port < 5003; port++)
		nvme_tcp_unlisten(pipe_carrier(pipe), "127.0.0.1", port);
	ASSERT_NO_FATAL_FAILURE(hear(AER_DISC));
	EXPECT_EQ(2u, log(NVME_LID_DISCOVERY, 0, page).as<nvme_discovery_log>()->numrec);
	detach({});
}

INSTANTIATE_TEST_SUITE_P(Digests, Spdk, testing::Range(0, 4));
