/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "rig.h"

class NvmfIo : public Rig
{
      protected:
	void
	SetUp() override
	{
		Rig::SetUp();
		a = &admin();
		q = &io(*a);
	}

	Cmd &
	write(uint64_t slba, const std::vector<uint8_t> &bytes, uint16_t control = 0)
	{
		return run(*q, rw(NVME_IO_WRITE, slba, (uint32_t)(bytes.size() / 512), 0, 1, control), bytes);
	}

	/* Both halves, compare first, of one block each. */
	nvme_cmd
	half(uint8_t opc, uint8_t fuse, uint64_t slba = 5, uint32_t blocks = 1)
	{
		nvme_cmd sqe = rw(opc, slba, blocks, blocks * 512);

		sqe.flags = (uint8_t)(NVME_CMD_PSDT_SGL | fuse);
		sqe.sgl.type = NVME_SGL_TRANSPORT_DATA;
		return sqe;
	}

	Cmd &
	dsm(const std::vector<nvme_dsm_range> &ranges, uint32_t attributes = NVME_DSM_AD, size_t pad = 0)
	{
		std::vector<uint8_t> bytes(ranges.size() * sizeof(ranges[0]) + pad);

		memcpy(bytes.data(), ranges.data(), ranges.size() * sizeof(ranges[0]));
		return submit(*q, admin_sqe(NVME_IO_DSM, (uint32_t)(ranges.size() - 1) & 0xff, attributes, 0, 1),
			      bytes);
	}

	Host *a = nullptr, *q = nullptr;
};

TEST_F(NvmfIo, ReadsWhatWasWritten)
{
	std::vector<uint8_t> bytes = pattern(8 * 512);

	EXPECT_EQ(0, write(16, bytes).sc());
	Cmd &c = run(*q, rw(NVME_IO_READ, 16, 8, 8 * 512));
	EXPECT_EQ(0, c.sc());
	EXPECT_EQ(bytes, c.data);
	EXPECT_EQ(0, memcmp(disk->bytes + 16 * 512, bytes.data(), bytes.size()));
	EXPECT_EQ(1u << 16 | c.c.sqe.cid, disk->tag) << "traces find the command";
}

TEST_F(NvmfIo, UsesTheNamespacesOwnBlocks)
{
	std::vector<uint8_t> bytes = pattern(2 * 4096);

	EXPECT_EQ(0, run(*q, rw(NVME_IO_WRITE, 3, 2, 0, 3), bytes).sc());
	EXPECT_EQ(0, memcmp(big->bytes + 3 * 4096, bytes.data(), bytes.size()));
	EXPECT_EQ(bytes, run(*q, rw(NVME_IO_READ, 3, 2, 8192, 3)).data);
}

TEST_F(NvmfIo, ReachesTheLastBlockAndNotBeyond)
{
	EXPECT_EQ(0, run(*q, rw(NVME_IO_READ, 4095, 1, 512)).sc());
	for (uint8_t opc : {NVME_IO_READ, NVME_IO_WRITE, NVME_IO_COMPARE}) {
		std::vector<uint8_t> bytes(opc == NVME_IO_READ ? 0 : 1024);

		EXPECT_EQ(NVME_SC_LBA_RANGE, run(*q, rw(opc, 4095, 2, 1024), bytes).sc()) << (int)opc;
		EXPECT_EQ(NVME_SC_LBA_RANGE, run(*q, rw(opc, UINT64_MAX, 2, 1024), bytes).sc()) << (int)opc;
		EXPECT_EQ(NVME_SC_LBA_RANGE, run(*q, rw(opc, UINT64_MAX - 1, 2, 1024), bytes).sc()) << (int)opc;
	}
	EXPECT_EQ(NVME_SC_LBA_RANGE, run(*q, rw(NVME_IO_WRITE_ZEROES, 4095, 2, 0)).sc());
	EXPECT_EQ(NVME_SC_LBA_RANGE, run(*q, rw(NVME_IO_VERIFY, UINT64_MAX, 65536, 0)).sc());
	EXPECT_EQ(1u, disk->ops[STRAKE_OP_READ]) << "none of them left this room";
}

TEST_F(NvmfIo, RefusesNamespacesThatAreNotThere)
{
	for (uint32_t nsid : {0u, 2u, 4u, 1024u, 1025u, 0xfffffffeu, 0xffffffffu})
		for (uint8_t opc : {NVME_IO_READ, NVME_IO_FLUSH, NVME_IO_DSM}) {
			Cmd &c = run(*q, rw(opc, 0, 1, opc == NVME_IO_READ ? 512 : 0, nsid));

			EXPECT_EQ(NVME_SC_INVALID_NS, c.sc()) << nsid;
			EXPECT_TRUE(c.dnr());
		}
}

TEST_F(NvmfIo, RefusesUnknownOpcodes)
{
	for (unsigned int opc = 0; opc < 256; opc++) {
		if (opc == NVME_OPC_FABRICS || opc <= 2 || opc == 5 || opc == 8 || opc == 9 || opc == 0xc ||
		    opc == 0xd || opc == 0xe || opc == 0x11 || opc == 0x15)
			continue;
		ASSERT_EQ(NVME_SC_INVALID_OPCODE, run(*q, rw((uint8_t)opc, 0, 1, 0)).sc()) << opc;
	}
}

TEST_F(NvmfIo, RefusesWrongSgls)
{
	nvme_cmd sqe = rw(NVME_IO_READ, 0, 1, 512);

	for (unsigned int type = 0; type < 256; type++) {
		sqe.sgl.type = (uint8_t)type;
		if (type == NVME_SGL_TRANSPORT_DATA)
			continue;
		ASSERT_EQ(NVME_SC_SGL_TYPE, check(*q, sqe).sc()) << type;
	}
	sqe = rw(NVME_IO_WRITE, 0, 1, 512);
	for (unsigned int type = 0; type < 256; type++) {
		sqe.sgl.type = (uint8_t)type;
		if (type == NVME_SGL_TRANSPORT_DATA || type == NVME_SGL_IN_CAPSULE)
			continue;
		ASSERT_EQ(NVME_SC_SGL_TYPE, check(*q, sqe).sc()) << type;
	}
}

TEST_F(NvmfIo, RefusesLengthsThatAreNotTheBlocks)
{
	for (uint32_t len : {0u, 1u, 511u, 513u, 1024u, 0xffffffffu})
		EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*q, rw(NVME_IO_READ, 0, 1, len)).sc()) << len;
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*q, rw(NVME_IO_FLUSH, 0, 1, 512)).sc());
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*q, rw(NVME_IO_WRITE_ZEROES, 0, 1, 512)).sc());
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*q, rw(NVME_IO_VERIFY, 0, 1, 512)).sc());
}

TEST_F(NvmfIo, RefusesMoreThanMdts)
{
	EXPECT_EQ(0, run(*q, rw(NVME_IO_READ, 0, 256, 131072)).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, run(*q, rw(NVME_IO_READ, 0, 257, 131584)).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, run(*q, rw(NVME_IO_READ, 0, 65536, 1u << 25)).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, run(*q, rw(NVME_IO_READ, 0, 65536, 1u << 28, 3)).sc());
}

TEST_F(NvmfIo, InCapsuleOffsetsStayInTheCapsule)
{
	nvme_cmd sqe = rw(NVME_IO_WRITE, 0, 1, 512);
	bool in_capsule;
	uint64_t offset;

	sqe.sgl.type = NVME_SGL_IN_CAPSULE;
	sqe.sgl.addr = 8192 - 512;
	Cmd &c = check(*q, sqe);
	EXPECT_FALSE(c.rejected);
	EXPECT_TRUE(nvmf_cmd_check(&c.c, &in_capsule, &offset));
	EXPECT_TRUE(in_capsule);
	EXPECT_EQ(8192u - 512, offset);
	EXPECT_EQ(512u, c.c.xfer_len);
	EXPECT_EQ(NVMF_XFER_TO_CONTROLLER, c.c.xfer);
	sqe.sgl.addr = 8192 - 511;
	EXPECT_EQ(NVME_SC_SGL_LENGTH, check(*q, sqe).sc());
	for (uint64_t addr : {(uint64_t)8193, (uint64_t)UINT32_MAX, UINT64_MAX - 511, UINT64_MAX}) {
		sqe.sgl.addr = addr;
		EXPECT_EQ(NVME_SC_SGL_OFFSET, check(*q, sqe).sc()) << addr;
	}
}

TEST_F(NvmfIo, RefusesPrpsAndMetadataSegments)
{
	nvme_cmd sqe = rw(NVME_IO_FLUSH, 0, 1, 0);

	for (uint8_t flags : {0x80, 0xc0, 0x04}) {
		sqe.flags = flags;
		EXPECT_EQ(NVME_SC_INVALID_FIELD, run(*q, sqe).sc()) << (int)flags;
	}
}

TEST_F(NvmfIo, PassesFuaAndDeallocationOn)
{
	write(0, pattern(512), NVME_RW_FUA);
	EXPECT_TRUE(disk->flags & STRAKE_UNIT_FUA);
	write(0, pattern(512));
	EXPECT_FALSE(disk->flags & STRAKE_UNIT_FUA);
	EXPECT_EQ(0, run(*q, rw(NVME_IO_WRITE_ZEROES, 0, 1, 0)).sc());
	EXPECT_TRUE(disk->flags & STRAKE_UNIT_NO_DEALLOC);
	EXPECT_EQ(0, run(*q, rw(NVME_IO_WRITE_ZEROES, 0, 1, 0, 1, NVME_RW_DEAC | NVME_RW_FUA)).sc());
	EXPECT_FALSE(disk->flags & STRAKE_UNIT_NO_DEALLOC);
	EXPECT_TRUE(disk->flags & STRAKE_UNIT_FUA);
	EXPECT_EQ(NVME_SC_INVALID_FIELD, run(*q, rw(NVME_IO_WRITE_ZEROES, 0, 1, 0, 1, NVME_RW_NSZ)).sc());
}

TEST_F(NvmfIo, SaysWhetherTheTransportTouchesWhatIsRead)
{
	EXPECT_EQ(0, run(*q, rw(NVME_IO_READ, 0, 1, 512)).sc());
	EXPECT_FALSE(disk->flags & STRAKE_UNIT_TOUCHED);
	q->qp.touches = true;
	EXPECT_EQ(0, run(*q, rw(NVME_IO_READ, 0, 1, 512)).sc());
	EXPECT_TRUE(disk->flags & STRAKE_UNIT_TOUCHED);
}

TEST_F(NvmfIo, ZeroesLongRanges)
{
	memset(disk->bytes, 0xff, 4096 * 512);
	EXPECT_EQ(0, run(*q, rw(NVME_IO_WRITE_ZEROES, 0, 4096, 0)).sc());
	EXPECT_EQ(0, disk->bytes[4096 * 512 - 1]);
	EXPECT_EQ(0, disk->bytes[0]);
}

TEST_F(NvmfIo, FlushIgnoresWhatItHasNoUseFor)
{
	nvme_cmd sqe = rw(NVME_IO_FLUSH, UINT64_MAX, 9, 0);

	sqe.control = 0xffff;
	EXPECT_EQ(0, run(*q, sqe).sc());
	EXPECT_EQ(1u, disk->ops[STRAKE_OP_FLUSH]);
}

TEST_F(NvmfIo, ComparesAndVerifies)
{
	std::vector<uint8_t> bytes = pattern(1024);

	write(8, bytes);
	EXPECT_EQ(0, run(*q, rw(NVME_IO_COMPARE, 8, 2, 0), bytes).sc());
	bytes[1023] ^= 1;
	Cmd &c = run(*q, rw(NVME_IO_COMPARE, 8, 2, 0), bytes);
	EXPECT_EQ(NVME_SC_COMPARE, c.sc());
	EXPECT_EQ(0, run(*q, rw(NVME_IO_VERIFY, 0, 4096, 0)).sc());
	EXPECT_GE(disk->ops[STRAKE_OP_VERIFY], 1u);
}

TEST_F(NvmfIo, TurnsErrorsIntoStatus)
{
	static const struct {
		int err;
		uint16_t read, write;
		bool dnr;
	} map[] = {
		{-EIO, NVME_SC_READ_ERROR, NVME_SC_WRITE_FAULT, false},
		{-EBADMSG, NVME_SC_READ_ERROR, NVME_SC_READ_ERROR, false},
		{-ERANGE, NVME_SC_LBA_RANGE, NVME_SC_LBA_RANGE, true},
		{-ECANCELED, NVME_SC_ABORT_REQ, NVME_SC_ABORT_REQ, false},
		{-ENOSPC, NVME_SC_CAPACITY, NVME_SC_CAPACITY, true},
		{-EROFS, NVME_SC_NS_WRITE_PROTECTED, NVME_SC_NS_WRITE_PROTECTED, true},
		{-ENODEV, NVME_SC_PATH_INTERNAL, NVME_SC_PATH_INTERNAL, false},
		{-ENOMEM, NVME_SC_INTERRUPTED, NVME_SC_INTERRUPTED, false},
		{-EOPNOTSUPP, NVME_SC_INVALID_OPCODE, NVME_SC_INVALID_OPCODE, true},
		{-EINVAL, NVME_SC_INVALID_FIELD, NVME_SC_INVALID_FIELD, true},
		{-ETIMEDOUT, NVME_SC_INTERNAL, NVME_SC_INTERNAL, false},
	};

	for (const auto &m : map) {
		disk->fail = m.err;
		Cmd &r = run(*q, rw(NVME_IO_READ, 0, 1, 512));
		EXPECT_EQ(m.read, r.sc()) << m.err;
		EXPECT_EQ(m.dnr, r.dnr()) << m.err;
		EXPECT_TRUE(r.data.empty());
		EXPECT_EQ(m.write, write(0, pattern(512)).sc()) << m.err;
	}
}

TEST_F(NvmfIo, ReadOnlyVolumesAreNotWritten)
{
	disk->vol.read_only = true;
	strake_lcore_enter(0);
	nvmf_ns_resized(&disk->vol, nullptr, nullptr);
	turn(2);
	EXPECT_EQ(NVME_SC_NS_WRITE_PROTECTED, write(0, pattern(512)).sc());
	EXPECT_EQ(NVME_SC_NS_WRITE_PROTECTED, run(*q, rw(NVME_IO_WRITE_ZEROES, 0, 1, 0)).sc());
	EXPECT_EQ(NVME_SC_NS_WRITE_PROTECTED, run(*q, admin_sqe(NVME_IO_DSM, 0, NVME_DSM_AD, 16, 1)).sc());
	EXPECT_EQ(0, run(*q, rw(NVME_IO_READ, 0, 1, 512)).sc());
}

TEST_F(NvmfIo, ANamespaceThatGoesWhileThePayloadTravels)
{
	nvme_cmd sqe = rw(NVME_IO_WRITE, 0, 1, 512);

	sqe.sgl.type = NVME_SGL_TRANSPORT_DATA;
	Cmd &c = check(*q, sqe);
	strake_lcore_enter(0);
	EXPECT_EQ(0, nvmf_ns_remove(SUB_LISTED, 1, nullptr, nullptr));
	turn(2);
	execute(*q, c, pattern(512));
	turn(2);
	EXPECT_EQ(NVME_SC_INVALID_NS, c.sc());

	/* ... and comes back with other blocks */
	strake_lcore_enter(0);
	EXPECT_EQ(0, nvmf_ns_add(SUB_LISTED, 1, &disk->vol));
	turn(2);
	Cmd &d = check(*q, sqe);
	strake_lcore_enter(0);
	EXPECT_EQ(0, nvmf_ns_remove(SUB_LISTED, 1, nullptr, nullptr));
	turn(3);
	strake_lcore_enter(0);
	EXPECT_EQ(0, nvmf_ns_add(SUB_LISTED, 1, &big->vol));
	turn(2);
	execute(*q, d, pattern(512));
	turn(2);
	EXPECT_EQ(NVME_SC_INVALID_NS, d.sc());
	EXPECT_EQ(0u, disk->ops[STRAKE_OP_WRITE] + big->ops[STRAKE_OP_WRITE]);
}

TEST_F(NvmfIo, CountsWhatItMoved)
{
	write(0, pattern(1024));
	run(*q, rw(NVME_IO_READ, 0, 4, 2048));
	EXPECT_EQ(1024u, q->qp.bytes_in);
	EXPECT_EQ(2048u, q->qp.bytes_out);
	EXPECT_EQ(3u, q->qp.cmds) << "Connect is one";
	EXPECT_EQ(0u, q->qp.errors);
}

/* --- fused compare and write ---------------------------------------------------------------------------------------
 */

TEST_F(NvmfIo, MeasuresReadsAndWritesOfEachQueueUntilTheAnswerIsReady)
{
	Host &a = admin(), &q = io(a), &other = io(a, 2);
	std::vector<uint8_t> bytes(512);

	EXPECT_EQ(0, run(q, rw(NVME_IO_WRITE, 0, 1, 512), bytes).sc());
	EXPECT_EQ(0, run(q, rw(NVME_IO_FLUSH, 0, 1, 0)).sc());
	EXPECT_EQ(0u, q.qp.latency[0].count);
	EXPECT_EQ(1u, q.qp.latency[1].count) << "a flush is neither read nor write";
	disk->hold = true;
	Cmd &slow = submit(q, rw(NVME_IO_READ, 0, 1, 512));
	turn(50);
	EXPECT_EQ(0u, q.qp.latency[0].count) << "not yet answered";
	disk->hold = false;
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	turn(3);
	ASSERT_TRUE(slow.done);
	EXPECT_EQ(1u, q.qp.latency[0].count);
	EXPECT_GE(q.qp.latency[0].max, 50 * STRAKE_NS_PER_MS);
	EXPECT_LE(q.qp.latency[0].max, 54 * STRAKE_NS_PER_MS);
	disk->fail = -EIO;
	EXPECT_NE(0, run(q, rw(NVME_IO_READ, 0, 1, 512)).sc());
	disk->fail = 0;
	EXPECT_EQ(1u, q.qp.latency[0].count) << "what failed moved nothing";
	EXPECT_EQ(0u, other.qp.latency[0].count + other.qp.latency[1].count);
}

TEST_F(NvmfIo, FusedPairSwapsABlock)
{
	std::vector<uint8_t> old = pattern(512, 1), fresh = pattern(512, 2);

	write(5, old);
	Cmd &c = submit(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST), old);
	Cmd &w = submit(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND), fresh);
	turn(3);
	ASSERT_TRUE(c.done && w.done);
	EXPECT_EQ(0, c.sc());
	EXPECT_EQ(0, w.sc());
	EXPECT_LT(c.order, w.order);
	EXPECT_EQ(0, memcmp(disk->bytes + 5 * 512, fresh.data(), 512));
	EXPECT_EQ(1u, disk->ops[STRAKE_OP_COMPARE_WRITE]);
}

TEST_F(NvmfIo, FusedPairWritesNothingWhenTheBlockDiffers)
{
	write(5, pattern(512, 1));
	Cmd &c = submit(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST), pattern(512, 9));
	Cmd &w = submit(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND), pattern(512, 2));
	turn(3);
	EXPECT_EQ(NVME_SC_COMPARE, c.sc());
	EXPECT_EQ(NVME_SC_FUSED_FAIL, w.sc());
	EXPECT_EQ(0, memcmp(disk->bytes + 5 * 512, pattern(512, 1).data(), 512));
}

TEST_F(NvmfIo, FusedPayloadsMayArriveInAnyOrder)
{
	std::vector<uint8_t> zero(512), fresh = pattern(512, 2);
	Cmd &c = check(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST));
	Cmd &w = check(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND));
	Cmd &after = check(*q, rw(NVME_IO_FLUSH, 0, 1, 0));

	execute(*q, w, fresh);
	execute(*q, after);
	turn(3);
	EXPECT_TRUE(after.done);
	EXPECT_FALSE(w.done);
	execute(*q, c, zero);
	turn(3);
	EXPECT_EQ(0, c.sc());
	EXPECT_EQ(0, w.sc());
	EXPECT_LT(c.order, w.order);
	EXPECT_EQ(0, memcmp(disk->bytes + 5 * 512, fresh.data(), 512));
}

TEST_F(NvmfIo, FusedHalvesOfDifferentBlocksFail)
{
	auto become = [this](strake_volume *vol) {
		strake_lcore_enter(0);
		EXPECT_EQ(0, nvmf_ns_remove(SUB_LISTED, 1, nullptr, nullptr));
		turn(3);
		strake_lcore_enter(0);
		EXPECT_EQ(0, nvmf_ns_add(SUB_LISTED, 1, vol));
		turn(3);
	};
	nvme_cmd large = half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND);

	/* The namespace becomes another between the halves, and the first again before their payloads are there. */
	large.sgl.len = 4096;
	Cmd &c = check(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST));
	become(&big->vol);
	Cmd &w = check(*q, large);
	become(&disk->vol);
	execute(*q, c, std::vector<uint8_t>(512));
	execute(*q, w, pattern(4096));
	turn(3);
	EXPECT_EQ(NVME_SC_INVALID_NS, c.sc());
	EXPECT_EQ(NVME_SC_FUSED_FAIL, w.sc());
	EXPECT_EQ(0u, disk->ops[STRAKE_OP_COMPARE_WRITE]);
}

TEST_F(NvmfIo, FusedHalvesThatStandAloneFail)
{
	Cmd &w = submit(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND), pattern(512));
	EXPECT_EQ(NVME_SC_FUSED_MISSING, w.sc());

	Cmd &c = submit(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST), std::vector<uint8_t>(512));
	turn(3);
	EXPECT_FALSE(c.done) << "the other may still come";
	Cmd &r = submit(*q, rw(NVME_IO_READ, 0, 1, 512));
	turn(3);
	EXPECT_EQ(NVME_SC_FUSED_MISSING, c.sc());
	EXPECT_EQ(0, r.sc()) << "its neighbour is not to blame";

	Cmd &c1 = submit(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST), std::vector<uint8_t>(512));
	Cmd &c2 = submit(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST), std::vector<uint8_t>(512));
	Cmd &w2 = submit(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND), pattern(512));
	turn(3);
	EXPECT_EQ(NVME_SC_FUSED_MISSING, c1.sc());
	EXPECT_EQ(0, c2.sc());
	EXPECT_EQ(0, w2.sc());
}

TEST_F(NvmfIo, FusedHalvesMustFit)
{
	Cmd &c = submit(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST, 5), std::vector<uint8_t>(512));
	Cmd &w = submit(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND, 6), pattern(512));
	turn(3);
	EXPECT_EQ(NVME_SC_FUSED_FAIL, c.sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, w.sc());

	EXPECT_EQ(NVME_SC_INVALID_FIELD, check(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_FIRST)).sc());
	EXPECT_EQ(NVME_SC_FUSED_FAIL, check(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND)).sc());
	EXPECT_EQ(NVME_SC_INVALID_FIELD, check(*q, half(NVME_IO_COMPARE, 3)).sc());
	EXPECT_EQ(0u, disk->ops[STRAKE_OP_COMPARE_WRITE]);
}

TEST_F(NvmfIo, FusedPairsAreOneBlockAsAcwuSays)
{
	EXPECT_EQ(NVME_SC_ATOMIC_WRITE_UNIT, check(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST, 5, 2)).sc());
	EXPECT_EQ(NVME_SC_FUSED_FAIL, check(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND, 5, 2)).sc());
}

TEST_F(NvmfIo, WhenTheTransportFailsAHalfTheOtherFails)
{
	Cmd &c = submit(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST), std::vector<uint8_t>(512));
	Cmd &w = check(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND));

	nvmf_fail(&w.c, NVME_SC_TRANSIENT_TRANSPORT, false); /* a digest was wrong */
	turn(3);
	EXPECT_EQ(NVME_SC_FUSED_FAIL, c.sc());

	Cmd &c2 = check(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST));
	nvmf_fail(&c2.c, NVME_SC_TRANSIENT_TRANSPORT, false);
	EXPECT_EQ(NVME_SC_FUSED_FAIL, check(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND)).sc());
}

/* --- dataset management ------------------------------------------------------------------------------------------- */

TEST_F(NvmfIo, DeallocatesItsRanges)
{
	std::vector<nvme_dsm_range> ranges;

	memset(disk->bytes, 0xff, 4096 * 512);
	for (uint32_t i = 0; i < 256; i++)
		ranges.push_back({0, 1, i * 2});
	Cmd &c = dsm(ranges);
	turn(60);
	ASSERT_TRUE(c.done);
	EXPECT_EQ(0, c.sc());
	EXPECT_EQ(256u, disk->ops[STRAKE_OP_DEALLOCATE]);
	for (uint32_t i = 0; i < 512; i++)
		ASSERT_EQ(i % 2 == 0 ? 0 : 0xff, disk->bytes[i * 512]) << i;
}

TEST_F(NvmfIo, TakesTheLongListLinuxAlwaysSends)
{
	Cmd &c = dsm({{0, 4, 4}}, NVME_DSM_AD, 4096 - 16);

	turn(3);
	EXPECT_EQ(0, c.sc());
	EXPECT_EQ(1u, disk->ops[STRAKE_OP_DEALLOCATE]);
}

TEST_F(NvmfIo, OneWrongRangeAndNoneIsTouched)
{
	Cmd *c = &dsm({{0, 4, 4}, {0, 2, 4095}});

	turn(3);
	EXPECT_EQ(NVME_SC_LBA_RANGE, c->sc());
	c = &dsm({{0, 4, 4}, {0, 2, UINT64_MAX}});
	turn(3);
	EXPECT_EQ(NVME_SC_LBA_RANGE, c->sc());
	c = &dsm({{0, UINT32_MAX, 0}});
	turn(3);
	EXPECT_EQ(NVME_SC_LBA_RANGE, c->sc());
	EXPECT_EQ(0u, disk->ops[STRAKE_OP_DEALLOCATE]);
}

TEST_F(NvmfIo, HintsAndEmptyRangesAreNoWork)
{
	Cmd &hint = dsm({{0, 4, 4}}, NVME_DSM_IDR | NVME_DSM_IDW);
	Cmd &empty = dsm({{0, 0, 0}, {0, 0, 4096}});

	turn(3);
	ASSERT_TRUE(hint.done && empty.done);
	EXPECT_EQ(0, hint.sc());
	EXPECT_EQ(0, empty.sc());
	EXPECT_EQ(0u, disk->ops[STRAKE_OP_DEALLOCATE]);
}

TEST_F(NvmfIo, DsmListsOfTheWrongLengthAreRefused)
{
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*q, admin_sqe(NVME_IO_DSM, 1, 4, 16, 1)).sc());
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*q, admin_sqe(NVME_IO_DSM, 255, 4, 4095, 1)).sc());
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*q, admin_sqe(NVME_IO_DSM, 0, 4, 4112, 1)).sc());
	EXPECT_EQ(NVME_SC_SGL_LENGTH, run(*q, admin_sqe(NVME_IO_DSM, 0, 4, 0, 1)).sc());
}

TEST_F(NvmfIo, TheFirstErrorOfARangeIsTheCommands)
{
	std::vector<nvme_dsm_range> ranges(100, {0, 1, 7});

	disk->fail = -EIO;
	Cmd &c = dsm(ranges);
	turn(10);
	EXPECT_EQ(NVME_SC_WRITE_FAULT, c.sc());
	EXPECT_LT(disk->ops[STRAKE_OP_DEALLOCATE], 20u) << "no further ranges after an error";
}

/* --- shortage, abort, loss ---------------------------------------------------------------------------------------- */

class NvmfShortage : public NvmfIo
{
      protected:
	void
	SetUp() override
	{
		up(1, 16);
		a = &admin();
		q = &io(*a);
	}
};

TEST_F(NvmfShortage, CommandsWaitForRequestsInOrder)
{
	std::vector<Cmd *> cmds;

	disk->hold = true;
	for (unsigned int i = 0; i < 30; i++)
		cmds.push_back(&submit(*q, rw(NVME_IO_READ, i, 1, 512)));
	turn(3);
	EXPECT_LE(disk->n_held, 16u);
	EXPECT_GT(disk->n_held, 0u);
	disk->hold = false;
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	turn(10);
	for (size_t i = 0; i < cmds.size(); i++) {
		ASSERT_TRUE(cmds[i]->done) << i;
		EXPECT_EQ(0, cmds[i]->sc());
		EXPECT_TRUE(i == 0 || cmds[i - 1]->order < cmds[i]->order) << i;
	}
}

TEST_F(NvmfShortage, DsmAndFusedPairsWaitAsWell)
{
	std::vector<nvme_dsm_range> ranges(40, {0, 1, 7});

	disk->hold = true;
	for (unsigned int i = 0; i < 20; i++)
		submit(*q, rw(NVME_IO_READ, i, 1, 512));
	Cmd &d = dsm(ranges);
	Cmd &c = submit(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST), std::vector<uint8_t>(512));
	Cmd &w = submit(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND), pattern(512));
	turn(3);
	EXPECT_FALSE(d.done || c.done || w.done);
	disk->hold = false;
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	turn(20);
	ASSERT_TRUE(d.done && c.done && w.done);
	EXPECT_EQ(0, d.sc());
	EXPECT_EQ(0, c.sc());
	EXPECT_EQ(0, w.sc());
	EXPECT_EQ(40u, disk->ops[STRAKE_OP_DEALLOCATE]);
}

TEST_F(NvmfShortage, WhatWaitsDiesWithItsQueue)
{
	std::vector<nvme_dsm_range> ranges(40, {0, 1, 7});
	std::vector<Cmd *> cmds;

	disk->hold = disk->submitted = true;
	for (unsigned int i = 0; i < 20; i++)
		cmds.push_back(&submit(*q, rw(NVME_IO_READ, i, 1, 512)));
	Cmd &d = dsm(ranges);
	Cmd &c = submit(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST), std::vector<uint8_t>(512));
	turn(2);
	fini(*q);
	turn(3);
	EXPECT_TRUE(d.done && c.done && cmds.back()->done);
	EXPECT_EQ(NVME_SC_ABORT_SQ_DELETED, d.sc());
	EXPECT_EQ(NVME_SC_ABORT_SQ_DELETED, c.sc());
	EXPECT_EQ(NVME_SC_ABORT_SQ_DELETED, cmds.back()->sc());
	EXPECT_FALSE(q->gone) << "a drive still has some";
	EXPECT_FALSE(cmds[0]->done);
	disk->hold = false;
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	turn(3);
	EXPECT_TRUE(q->gone);
	EXPECT_EQ(0, cmds[0]->sc()) << "what a drive had was finished";
}

TEST_F(NvmfIo, QueuedCommandsOfALostHostDieAndSubmittedOnesFinish)
{
	disk->hold = true;
	Cmd &queued = submit(*q, rw(NVME_IO_WRITE, 0, 1, 0), pattern(512));
	turn(2);
	fini(*a); /* the admin queue is lost: the controller goes */
	turn(3);
	EXPECT_TRUE(q->killed);
	fini(*q);
	turn(3);
	EXPECT_TRUE(queued.done);
	EXPECT_EQ(NVME_SC_ABORT_REQ, queued.sc());
	EXPECT_EQ(0, disk->bytes[1]) << "it was not written";
	EXPECT_TRUE(q->gone && a->gone);
}

TEST_F(NvmfIo, NothingIsBegunOnADyingQueue)
{
	nvme_cmd sqe = rw(NVME_IO_WRITE, 0, 1, 512);

	sqe.sgl.type = NVME_SGL_TRANSPORT_DATA;
	disk->hold = disk->submitted = true;
	submit(*q, rw(NVME_IO_READ, 0, 1, 512));
	Cmd &late = check(*q, sqe);
	fini(*q);
	execute(*q, late, pattern(512));
	turn(3);
	EXPECT_EQ(NVME_SC_ABORT_SQ_DELETED, late.sc());
	EXPECT_EQ(NVME_SC_ABORT_SQ_DELETED, check(*q, sqe).sc());
	EXPECT_EQ(0u, disk->ops[STRAKE_OP_WRITE]);
}

TEST_F(NvmfIo, AbortStopsWhatNoDriveHas)
{
	disk->hold = true;
	Cmd &victim = submit(*q, rw(NVME_IO_READ, 0, 1, 512));
	turn(2);
	Cmd &abort = run(*a, admin_sqe(NVME_ADMIN_ABORT, (uint32_t)victim.c.sqe.cid << 16 | 1));
	EXPECT_EQ(0, abort.sc());
	EXPECT_EQ(0u, abort.c.cqe.cdw0 & 1) << "aborted";
	turn(3);
	EXPECT_TRUE(victim.done);
	EXPECT_EQ(NVME_SC_ABORT_REQ, victim.sc());
}

TEST_F(NvmfIo, AbortComesTooLateForADrive)
{
	disk->hold = disk->submitted = true;
	Cmd &victim = submit(*q, rw(NVME_IO_READ, 0, 1, 512));
	turn(2);
	Cmd &abort = run(*a, admin_sqe(NVME_ADMIN_ABORT, (uint32_t)victim.c.sqe.cid << 16 | 1));
	EXPECT_EQ(0, abort.sc());
	EXPECT_EQ(1u, abort.c.cqe.cdw0 & 1) << "not aborted";
	EXPECT_FALSE(victim.done);
}

TEST_F(NvmfIo, AbortOfNothingIsNoError)
{
	for (uint32_t which : {0x00010001u, 0x00010007u, 0xffff0000u, 0xffffffffu}) {
		Cmd &abort = run(*a, admin_sqe(NVME_ADMIN_ABORT, which));

		EXPECT_EQ(0, abort.sc());
		EXPECT_EQ(1u, abort.c.cqe.cdw0 & 1);
	}
}

TEST_F(NvmfIo, AbortOfAHeldHalfEndsThePair)
{
	Cmd &c = submit(*q, half(NVME_IO_COMPARE, NVME_CMD_FUSE_FIRST), std::vector<uint8_t>(512));
	Cmd &w = check(*q, half(NVME_IO_WRITE, NVME_CMD_FUSE_SECOND));

	EXPECT_EQ(0u, run(*a, admin_sqe(NVME_ADMIN_ABORT, (uint32_t)c.c.sqe.cid << 16 | 1)).c.cqe.cdw0 & 1);
	EXPECT_EQ(NVME_SC_ABORT_REQ, c.sc());
	execute(*q, w, pattern(512));
	turn(3);
	EXPECT_EQ(NVME_SC_FUSED_FAIL, w.sc());
}

TEST_F(NvmfIo, AbortsAreLimited)
{
	std::vector<Cmd *> aborts;
	unsigned int refused = 0;

	for (int i = 0; i < 6; i++)
		aborts.push_back(&submit(*a, admin_sqe(NVME_ADMIN_ABORT, 0x00010001)));
	turn(5);
	for (Cmd *c : aborts)
		refused += c->sc() == NVME_SC_ABORT_LIMIT;
	EXPECT_EQ(2u, refused);
}

TEST_F(NvmfIo, AbortOfDatasetManagementStopsBetweenRanges)
{
	std::vector<nvme_dsm_range> ranges(100, {0, 1, 7});

	disk->hold = true;
	Cmd &c = dsm(ranges);
	turn(2);
	run(*a, admin_sqe(NVME_ADMIN_ABORT, (uint32_t)c.c.sqe.cid << 16 | 1));
	disk->hold = false;
	strake_lcore_enter(1);
	nvmf_mem_release(disk);
	turn(3);
	EXPECT_EQ(NVME_SC_ABORT_REQ, c.sc());
	EXPECT_EQ(8u, disk->ops[STRAKE_OP_DEALLOCATE]);
}

class NvmfLcores : public Rig
{
      protected:
	void
	SetUp() override
	{
		up(2);
	}
};

TEST_F(NvmfLcores, QueuesOnOtherLcoresWorkOnTheSameVolume)
{
	Host &a = admin(SUB_LISTED, HOST_A, 0, 2);
	Host &q1 = io(a, 1, SUB_LISTED, 1), &q2 = io(a, 2, SUB_LISTED, 2);
	std::vector<uint8_t> bytes = pattern(512);

	for (uint64_t lba : {0, 2048}) { /* in slabs of both lcores */
		EXPECT_EQ(0, run(q1, rw(NVME_IO_WRITE, lba, 1, 0), bytes).sc());
		EXPECT_EQ(bytes, run(q2, rw(NVME_IO_READ, lba, 1, 512)).data);
	}
	disk->hold = true;
	Cmd &victim = submit(q1, rw(NVME_IO_READ, 0, 1, 512));
	turn(2);
	EXPECT_EQ(0, run(a, admin_sqe(NVME_ADMIN_ABORT, (uint32_t)victim.c.sqe.cid << 16 | 1)).sc());
	turn(3);
	EXPECT_TRUE(victim.done);
}

TEST_F(NvmfLcores, EveryLcoreLearnsOfNamespaces)
{
	Host &a = admin();
	Host &q1 = io(a, 1, SUB_LISTED, 1), &q2 = io(a, 2, SUB_LISTED, 2);

	strake_lcore_enter(0);
	EXPECT_EQ(0, nvmf_ns_add(SUB_LISTED, 1024, &big->vol));
	turn(2);
	EXPECT_EQ(0, run(q1, rw(NVME_IO_READ, 0, 1, 4096, 1024)).sc());
	EXPECT_EQ(0, run(q2, rw(NVME_IO_READ, 0, 1, 4096, 1024)).sc());
}
