/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <random>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "strake_classify.h"
#include "strake_unit.h"
}

namespace
{

strake_class_rule
any(uint32_t priority, uint8_t cls)
{
	strake_class_rule r = {};

	r.last_byte = UINT64_MAX;
	r.dscp_last = 63;
	r.pcp_last = 7;
	r.label_last = 7;
	r.priority = priority;
	r.cls = cls;
	return r;
}

class Classify : public testing::Test
{
      protected:
	int
	build(const std::vector<strake_route> &routes, const std::vector<strake_class_rule> &rules)
	{
		return strake_classifier_create(&c, routes.data(), routes.size(), rules.data(), rules.size(), err,
						sizeof(err));
	}

	uint8_t
	ask(const strake_class_key &key)
	{
		uint8_t cls = 99;

		strake_classify(c, &key, &cls, 1);
		return cls;
	}

	void
	TearDown() override
	{
		if (c != nullptr)
			strake_classifier_destroy(c);
	}

	strake_classifier *c = nullptr;
	char err[200] = "";
};

strake_volume *
fake(uintptr_t n)
{
	return (strake_volume *)n;
}

TEST_F(Classify, RouteOfAHostGoesBeforeTheOneForAny)
{
	ASSERT_EQ(0, build({{STRAKE_HOST_ANY, 1, 1, fake(10)}, {7, 1, 1, fake(20)}, {7, 2, 1, fake(30)}}, {})) << err;
	EXPECT_EQ(fake(20), strake_classify_route(c, 7, 1, 1));
	EXPECT_EQ(fake(10), strake_classify_route(c, 8, 1, 1));
	EXPECT_EQ(nullptr, strake_classify_route(c, 8, 2, 1));
	EXPECT_EQ(nullptr, strake_classify_route(c, 7, 1, 2));
}

TEST_F(Classify, TwoRoutesForTheSameAreRefused)
{
	EXPECT_EQ(-EINVAL, build({{7, 1, 1, fake(1)}, {7, 1, 1, fake(2)}}, {}));
	EXPECT_STRNE("", err);
}

TEST_F(Classify, NoRulesMeansClassZero)
{
	ASSERT_EQ(0, build({}, {}));
	EXPECT_FALSE(strake_classifier_has_rules(c));
	EXPECT_EQ(0, ask({1, 1, 1, 0, STRAKE_OP_READ, 0, 0, 0}));
}

TEST_F(Classify, HighestPriorityOfThoseThatMatchWins)
{
	auto low = any(1, 1), high = any(2, 2);

	high.nsid = 5;
	high.ops = 1u << STRAKE_OP_WRITE | 1u << STRAKE_OP_FLUSH;
	ASSERT_EQ(0, build({}, {high, low})) << err;
	EXPECT_EQ(2, ask({1, 1, 5, 0, STRAKE_OP_WRITE, 0, 0, 0}));
	EXPECT_EQ(2, ask({1, 1, 5, 0, STRAKE_OP_FLUSH, 0, 0, 0}));
	EXPECT_EQ(1, ask({1, 1, 5, 0, STRAKE_OP_READ, 0, 0, 0}));
	EXPECT_EQ(1, ask({1, 1, 6, 0, STRAKE_OP_WRITE, 0, 0, 0}));
}

TEST_F(Classify, ImpossibleRulesAreNamed)
{
	std::vector<strake_class_rule> bad(7, any(1, 1));

	bad[0].first_byte = 2, bad[0].last_byte = 1;
	bad[1].dscp_last = 64;
	bad[2].pcp_first = 3, bad[2].pcp_last = 2;
	bad[3].ops = 1u << STRAKE_OP_COUNT;
	bad[4].priority = 0;
	bad[5].cls = 0;
	bad[6].label_last = 8;
	for (const auto &r : bad) {
		EXPECT_EQ(-EINVAL, build({}, {any(1, 1), r}));
		EXPECT_NE(nullptr, strstr(err, "rule 2")) << err;
	}
}

/* Against the obvious: look at every rule in turn. */
TEST_F(Classify, AgreesWithALinearSearchOnRandomTables)
{
	std::mt19937 rng(5);

	for (int table = 0; table < 20; table++) {
		std::vector<strake_class_rule> rules;

		for (uint32_t i = 0; i < 12; i++) {
			auto r = any(i + 1, (uint8_t)(i + 1));

			r.host = rng() % 3;
			r.subsystem = rng() % 3;
			r.nsid = rng() % 3;
			if (rng() % 2) {
				r.first_byte = (uint64_t)(rng() % 8) << 20;
				r.last_byte = r.first_byte + ((uint64_t)(rng() % 8) << 20);
			}
			r.dscp_first = rng() % 64;
			r.pcp_last = rng() % 8;
			r.ops = rng() % 2 ? 0 : (uint16_t)(rng() % (1u << STRAKE_OP_COUNT));
			rules.push_back(r);
		}
		ASSERT_EQ(0, build({}, rules)) << err;
		std::vector<strake_class_key> keys;
		std::vector<uint8_t> got(300);
		for (int i = 0; i < 300; i++)
			keys.push_back({1 + (uint32_t)rng() % 3, 1 + (uint32_t)rng() % 3, 1 + (uint32_t)rng() % 3,
					(uint64_t)(rng() % 20) << 20, (uint8_t)(rng() % STRAKE_OP_COUNT),
					(uint8_t)(rng() % 64), (uint8_t)(rng() % 8), (uint8_t)(rng() % 8)});
		strake_classify(c, keys.data(), got.data(), 300);
		for (int i = 0; i < 300; i++) {
			const auto &k = keys[i];
			uint8_t want = 0;

			for (const auto &r : rules) {
				bool hit = (r.host == 0 || r.host == k.host) &&
					   (r.subsystem == 0 || r.subsystem == k.subsystem) &&
					   (r.nsid == 0 || r.nsid == k.nsid) && k.byte >> 20 >= r.first_byte >> 20 &&
					   k.byte >> 20 <= r.last_byte >> 20 && k.dscp >= r.dscp_first &&
					   k.dscp <= r.dscp_last && k.pcp <= r.pcp_last &&
					   (r.ops == 0 || (r.ops >> k.op & 1));

				if (hit)
					want = r.cls; /* later rules have the higher priority */
			}
			ASSERT_EQ(want, got[i]) << "table " << table << " key " << i;
		}
		strake_classifier_destroy(c);
		c = nullptr;
	}
}

} // namespace
