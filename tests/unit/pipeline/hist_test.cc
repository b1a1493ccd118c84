/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <gtest/gtest.h>

extern "C" {
#include "strake_telemetry.h"
}

TEST(Hist, EveryValueLiesInItsBucket)
{
	for (uint64_t v = 0; v < 100000; v++) {
		unsigned int b = strake_hist_bucket(v);

		ASSERT_LE(strake_hist_floor(b), v);
		ASSERT_GT(strake_hist_floor(b + 1), v);
	}
	for (unsigned int shift = 0; shift < 40; shift++) {
		uint64_t v = 1ull << shift;

		ASSERT_EQ(v, strake_hist_floor(strake_hist_bucket(v))) << shift;
	}
}

TEST(Hist, ValuesBeyondTheLastBucketStayInIt)
{
	EXPECT_EQ(STRAKE_HIST_BUCKETS - 1u, strake_hist_bucket(UINT64_MAX));
}

TEST(Hist, QuantileIsTheUpperEdgeAndNeverAboveTheMaximum)
{
	strake_hist h = {};

	EXPECT_EQ(0u, strake_hist_quantile(&h, 500));
	for (uint64_t v = 1; v <= 1000; v++)
		strake_hist_add(&h, v);
	EXPECT_GE(strake_hist_quantile(&h, 500), 500u);
	EXPECT_LE(strake_hist_quantile(&h, 500), 640u);
	EXPECT_EQ(1000u, strake_hist_quantile(&h, 1000));
	EXPECT_EQ(1000u, h.max);
	EXPECT_EQ(500500u, h.sum);
}

TEST(Hist, MergeAddsCountsAndKeepsTheLargerMaximum)
{
	strake_hist a = {}, b = {};

	strake_hist_add(&a, 10);
	strake_hist_add(&b, 7000);
	strake_hist_merge(&a, &b);
	EXPECT_EQ(2u, a.count);
	EXPECT_EQ(7000u, a.max);
	EXPECT_EQ(1u, a.bucket[strake_hist_bucket(10)]);
	EXPECT_EQ(1u, a.bucket[strake_hist_bucket(7000)]);
}

TEST(TelPage, ReadsFirstAndCountAndRefusesTheRest)
{
	unsigned int first, count;

	EXPECT_EQ(0, strake_tel_page(nullptr, &first, &count));
	EXPECT_EQ(0u, first);
	EXPECT_EQ(256u, count);
	EXPECT_EQ(0, strake_tel_page("12", &first, &count));
	EXPECT_EQ(12u, first);
	EXPECT_EQ(0, strake_tel_page("12,7", &first, &count));
	EXPECT_EQ(7u, count);
	EXPECT_EQ(0, strake_tel_page("0,100000", &first, &count));
	EXPECT_EQ(256u, count);
	for (const char *bad : {"x", "1,", "1,x", "1;2", "1,2,3", "1,0"})
		EXPECT_EQ(-EINVAL, strake_tel_page(bad, &first, &count)) << bad;
}
