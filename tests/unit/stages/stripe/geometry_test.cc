/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cerrno>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

extern "C" {
#include "stages/stripe/geometry.h"
}

namespace
{

struct Case {
	unsigned raid, members;
	uint64_t chunk, member_bytes;
};

class Geometry : public testing::TestWithParam<Case>
{
      protected:
	geometry geo;

	void
	SetUp() override
	{
		const Case &c = GetParam();

		ASSERT_EQ(0, geometry_init(&geo, c.raid, c.members, c.chunk, c.member_bytes));
	}
};

TEST_P(Geometry, GivesEveryBlockItsOwnHome)
{
	std::set<std::pair<uint32_t, uint64_t>> taken;

	for (uint64_t place = 0; place < geometry_bytes(&geo); place += 2048) {
		geometry_run run;

		geometry_locate(&geo, place, &run);
		ASSERT_LT(run.col, geo.cols);
		ASSERT_LT(run.off, geo.member_bytes);
		ASSERT_GT(run.len, 0u);
		ASSERT_LE(run.off + run.len, geo.member_bytes);
		ASSERT_TRUE(taken.emplace(run.col, run.off).second) << place;
		ASSERT_EQ(place, geometry_place(&geo, run.col, run.off));
	}
	EXPECT_EQ(geo.cols * geo.member_bytes / 2048, taken.size());
}

/* The bytes of a range on a column, counted one block at a time, are the run geometry_on_col() gives. */
TEST_P(Geometry, RangeIsOneRunOnEachColumn)
{
	uint64_t total = geometry_bytes(&geo), step = total / 13 / 2048 * 2048;

	for (uint64_t from = 0; from < total; from += step) {
		for (uint64_t to = from + 2048; to <= total; to += step) {
			for (uint32_t col = 0; col < geo.cols; col++) {
				geometry_run run;
				uint64_t len = 0, first = UINT64_MAX;

				geometry_on_col(&geo, col, from, to - from, &run);
				for (uint64_t p = from; p < to; p += 2048) {
					geometry_run one;

					geometry_locate(&geo, p, &one);
					if (one.col != col)
						continue;
					len += 2048;
					first = std::min(first, one.off);
				}
				ASSERT_EQ(len, run.len) << from << " " << to << " col " << col;
				if (len > 0) {
					ASSERT_EQ(first, run.off);
				}
			}
		}
	}
}

TEST_P(Geometry, RunsTileTheArea)
{
	uint64_t place = 0;

	while (place < geometry_bytes(&geo)) {
		geometry_run run;

		geometry_locate(&geo, place, &run);
		place += run.len;
	}
	EXPECT_EQ(geometry_bytes(&geo), place);
}

INSTANTIATE_TEST_SUITE_P(All, Geometry,
			 testing::Values(Case{0, 1, 4096, 65536}, Case{0, 3, 4096, 65536 + 100},
					 Case{0, 4, 8192, 65536}, Case{1, 2, 4096, 65536}, Case{1, 3, 16384, 65536},
					 Case{10, 4, 4096, 65536}, Case{10, 6, 8192, 40000}, Case{10, 2, 4096, 65536}));

TEST(GeometryBad, RefusesWhatMakesNoSense)
{
	geometry geo;

	EXPECT_EQ(-EINVAL, geometry_init(&geo, 10, 3, 4096, 65536)) << "odd";
	EXPECT_EQ(-EINVAL, geometry_init(&geo, 10, 0, 4096, 65536));
	EXPECT_EQ(-EINVAL, geometry_init(&geo, 1, 1, 4096, 65536)) << "a mirror of one";
	EXPECT_EQ(-EINVAL, geometry_init(&geo, 5, 3, 4096, 65536)) << "no such RAID";
	EXPECT_EQ(-EINVAL, geometry_init(&geo, 0, 33, 4096, 65536)) << "too many";
	EXPECT_EQ(-EINVAL, geometry_init(&geo, 0, 2, 5000, 65536)) << "no power of two";
	EXPECT_EQ(-EINVAL, geometry_init(&geo, 0, 2, 2048, 65536)) << "chunk too small";
	EXPECT_EQ(-EINVAL, geometry_init(&geo, 0, 2, 4096, 4095)) << "no room for a chunk";
}

TEST(GeometryBig, SurvivesLargeDrives)
{
	geometry geo;
	geometry_run run;

	ASSERT_EQ(0, geometry_init(&geo, 10, 30, 65536, 1ULL << 46));
	geometry_locate(&geo, geometry_bytes(&geo) - 4096, &run);
	EXPECT_EQ(14u, run.col);
	EXPECT_EQ((1ULL << 46) - 4096, run.off);
	geometry_on_col(&geo, 14, 0, geometry_bytes(&geo), &run);
	EXPECT_EQ(1ULL << 46, run.len);
}

} // namespace
