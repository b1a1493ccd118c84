/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A host's whole way: bytes in, through the real target and a volume in memory, bytes out. */

#include "end.h"

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
