/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef WORLD_H
#define WORLD_H

/* A small pipeline for tests: main and some data lcores, all driven by hand on the test's thread. */

#include <gtest/gtest.h>

extern "C" {
#include "strake_chain.h"
#include "strake_volume.h"
}

class World : public testing::Test
{
      protected:
	void
	start(unsigned int data_lcores, uint32_t units = 256, uint32_t reserve = 8)
	{
		strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, 0};
		strake_buf_conf bufs = {4096, 8u << 20, 0};
		strake_pipeline_conf conf = {units, units, reserve, 0, qos};

		lcores = data_lcores + 1;
		for (uint16_t i = 0; i < lcores; i++)
			ASSERT_EQ(0, strake_lcore_create(i, &lc));
		ASSERT_EQ(0, strake_buf_init(&bufs));
		ASSERT_EQ(0, strake_pipeline_init(&conf));
		for (uint16_t i = 0; i < lcores; i++) {
			strake_lcore_enter(i);
			ASSERT_EQ(0, strake_pipeline_lcore_init());
		}
		strake_buf_usage(&before);
	}

	void
	TearDown() override
	{
		strake_buf_usage_check();
		for (uint16_t i = 0; i < lcores; i++) {
			strake_lcore_enter(i);
			strake_pipeline_lcore_fini();
		}
		strake_pipeline_fini();
		strake_buf_fini();
		for (uint16_t i = 0; i < lcores; i++)
			strake_lcore_destroy(i);
	}

	/* One turn of every lcore, a millisecond later. */
	void
	turn(unsigned int times = 1)
	{
		while (times-- > 0) {
			now += STRAKE_NS_PER_MS;
			for (uint16_t i = 0; i < lcores; i++) {
				strake_lcore_enter(i);
				strake_lcore_turn(now);
			}
		}
	}

	const strake_qos_conf *qos = nullptr;
	uint16_t lcores = 0;
	uint64_t now = 0;
	struct strake_buf_usage before = {};

      private:
	void
	strake_buf_usage_check()
	{
		struct strake_buf_usage after;

		strake_buf_usage(&after);
		EXPECT_EQ(before.descriptors_free, after.descriptors_free) << "a descriptor leaked";
		for (int i = 0; i < 4; i++)
			EXPECT_EQ(before.pages_free[i], after.pages_free[i]) << "a page of class " << i << " leaked";
		EXPECT_EQ(0u, strake_pipeline_inflight());
	}
};

#endif /* WORLD_H */
