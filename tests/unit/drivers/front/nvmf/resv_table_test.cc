/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* "Command behavior in the presence of a reservation": the specification's table, row by row. */

#include "peers.h"

namespace
{

struct Row {
	const char *name;
	uint8_t opc;
	uint32_t action; /* of reservation commands */
	/* A allowed, C conflict: non-registrant, then registrant; for write exclusive, exclusive access, write
	 * exclusive of registrants (only or all), exclusive access of registrants. The holder may always. */
	const char *behaviour[4];
};

const Row kRows[] = {
	{"Read", NVME_IO_READ, 0, {"AA", "CC", "AA", "CA"}},
	{"Compare", NVME_IO_COMPARE, 0, {"AA", "CC", "AA", "CA"}},
	{"Verify", NVME_IO_VERIFY, 0, {"AA", "CC", "AA", "CA"}},
	{"Write", NVME_IO_WRITE, 0, {"CC", "CC", "CA", "CA"}},
	{"Flush", NVME_IO_FLUSH, 0, {"CC", "CC", "CA", "CA"}},
	{"WriteZeroes", NVME_IO_WRITE_ZEROES, 0, {"CC", "CC", "CA", "CA"}},
	{"DatasetManagement", NVME_IO_DSM, 0, {"CC", "CC", "CA", "CA"}},
	{"Register", NVME_IO_RESV_REGISTER, NVME_RREGA_REGISTER, {"AA", "AA", "AA", "AA"}},
	{"Report", NVME_IO_RESV_REPORT, 0, {"AA", "AA", "AA", "AA"}},
	{"Acquire", NVME_IO_RESV_ACQUIRE, NVME_RACQA_ACQUIRE, {"CC", "CC", "CC", "CC"}},
	{"Preempt", NVME_IO_RESV_ACQUIRE, NVME_RACQA_PREEMPT, {"CA", "CA", "CA", "CA"}},
	{"PreemptAndAbort", NVME_IO_RESV_ACQUIRE, NVME_RACQA_PREEMPT_ABORT, {"CA", "CA", "CA", "CA"}},
	{"Release", NVME_IO_RESV_RELEASE, NVME_RRELA_RELEASE, {"CA", "CA", "CA", "CA"}},
	{"Clear", NVME_IO_RESV_RELEASE, NVME_RRELA_CLEAR, {"CA", "CA", "CA", "CA"}},
};

const int kColumn[] = {-1, 0, 1, 2, 3, 2, 3};
const uint64_t kHolderKey = 0xaaaa, kOtherKey = 0xbbbb;

} // namespace

class ResvTable : public Peers, public testing::WithParamInterface<std::tuple<int, Row>>
{
      protected:
	Cmd &
	carry_out(const Peer &p, const Row &row, uint8_t type, uint64_t key, uint64_t other)
	{
		nvme_cmd sqe = rw(row.opc, 0, 1, 0);

		switch (row.opc) {
		case NVME_IO_READ:
			sqe.sgl.len = 512;
			return run(*p.io, sqe);
		case NVME_IO_COMPARE:
			return run(*p.io, sqe, std::vector<uint8_t>(512));
		case NVME_IO_WRITE:
			return run(*p.io, sqe, std::vector<uint8_t>(512));
		case NVME_IO_DSM: {
			sqe = resv_sqe(NVME_IO_DSM, 0);
			sqe.cdw11 = NVME_DSM_AD;
			return run(*p.io, sqe, bytes_of(nvme_dsm_range{0, 1, 0}));
		}
		case NVME_IO_FLUSH:
			return run(*p.io, resv_sqe(NVME_IO_FLUSH, 0));
		case NVME_IO_RESV_REGISTER:
			return run(*p.io, resv_sqe(row.opc, row.action), keys(0, key));
		case NVME_IO_RESV_REPORT:
			return report(p);
		case NVME_IO_RESV_ACQUIRE:
			return run(*p.io, resv_sqe(row.opc, row.action | (uint32_t)type << 8), keys(key, other));
		case NVME_IO_RESV_RELEASE:
			return run(*p.io, resv_sqe(row.opc, row.action | (uint32_t)type << 8), bytes_of(key));
		default:
			return run(*p.io, sqe);
		}
	}
};

TEST_P(ResvTable, AsSpecified)
{
	uint8_t type = (uint8_t)std::get<0>(GetParam());
	const Row &row = std::get<1>(GetParam());
	const char *want = row.behaviour[kColumn[type]];
	bool all = type >= NVME_RESV_WRITE_EXCL_ALL;
	Peer holder = peer(1), registrant = peer(2), stranger = peer(3);

	ASSERT_EQ(0, reg(holder, kHolderKey));
	ASSERT_EQ(0, reg(registrant, kOtherKey));
	ASSERT_EQ(0, acquire(holder, kHolderKey, type));

	uint64_t prkey = all ? 0 : kHolderKey;
	uint16_t conflict = NVME_SC_RESV_CONFLICT;
	EXPECT_EQ(want[0] == 'C' ? conflict : 0, carry_out(stranger, row, type, 0xcccc, prkey).sc()) << "stranger";
	/* With an all-registrants type every registrant is a holder, so its Acquire of the same type is no conflict. */
	bool holds = all && row.opc == NVME_IO_RESV_ACQUIRE && row.action == NVME_RACQA_ACQUIRE;
	EXPECT_EQ(want[1] == 'C' && !holds ? conflict : 0, carry_out(registrant, row, type, kOtherKey, prkey).sc())
		<< "registrant";
}

TEST_P(ResvTable, TheHolderMayEverything)
{
	uint8_t type = (uint8_t)std::get<0>(GetParam());
	Peer holder = peer(1), registrant = peer(2);

	ASSERT_EQ(0, reg(holder, kHolderKey));
	ASSERT_EQ(0, reg(registrant, kOtherKey));
	ASSERT_EQ(0, acquire(holder, kHolderKey, type));
	EXPECT_EQ(0, carry_out(holder, std::get<1>(GetParam()), type, kHolderKey, kOtherKey).sc());
}

static std::string
name_of(const testing::TestParamInfo<ResvTable::ParamType> &i)
{
	static const char *const types[] = {
		"", "WriteExcl", "ExclAccess", "WriteExclReg", "ExclAccessReg", "WriteExclAll", "ExclAccessAll"};

	return std::string(types[std::get<0>(i.param)]) + std::get<1>(i.param).name;
}

INSTANTIATE_TEST_SUITE_P(Types, ResvTable, testing::Combine(testing::Range(1, 7), testing::ValuesIn(kRows)), name_of);
