/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "nvme_health.h"
}

namespace
{

/* Offsets of the SMART / Health log (NVMe Base specification 2.0, figure 207). */
enum { WARNING = 0, TEMPERATURE = 1, SPARE = 3, SPARE_AT = 4, USED = 5, WRITTEN = 48, MEDIA_ERRORS = 160 };

class NvmeHealth : public testing::Test
{
      protected:
	uint8_t log[NVME_SMART_BYTES] = {};
	nvme_health was = {};
	nvme_geom g = {};
	nvme_limits wish = {.warm = 0, .hot = 0, .used = 80, .spare = 0};

	void
	SetUp() override
	{
		log[TEMPERATURE] = 300 & 0xff;
		log[TEMPERATURE + 1] = 300 >> 8;
		log[SPARE] = 100;
		log[SPARE_AT] = 10;
		g.temp_warn = 343;
		g.temp_crit = 373;
		look();
	}

	/* What is told of the log as it is now. */
	std::vector<std::string>
	look()
	{
		std::vector<std::string> told;
		nvme_health now;
		char text[128];
		bool worse;

		const nvme_limits limits = nvme_health_limits(&wish, &g);

		EXPECT_EQ(0, nvme_health_parse(&now, log));
		nvme_health_judge(&now, &was, &limits);
		for (unsigned int i = 0; nvme_health_event(&was, &now, &limits, i, &worse, text, sizeof(text)); i++)
			told.push_back((worse ? "worse: " : "well: ") + std::string(text));
		was = now;
		return told;
	}
};

TEST_F(NvmeHealth, SaysNothingOfADriveThatIsWell)
{
	EXPECT_TRUE(look().empty());
}

TEST_F(NvmeHealth, TellsEachWarningOnceAndWhenItIsOver)
{
	log[WARNING] = 0x08 | 0x04;
	EXPECT_EQ((std::vector<std::string>{"worse: it does not keep data reliably", "worse: it has gone read-only"}),
		  look());
	EXPECT_TRUE(look().empty());
	log[WARNING] = 0x04;
	EXPECT_EQ((std::vector<std::string>{"well: no longer: it has gone read-only"}), look());
}

TEST_F(NvmeHealth, TellsOfHeatInTwoSteps)
{
	log[TEMPERATURE] = 345 & 0xff;
	log[TEMPERATURE + 1] = 345 >> 8;
	EXPECT_EQ((std::vector<std::string>{"worse: 72 C; it warns at 70 and stops at 100"}), look());
	log[TEMPERATURE] = 374 & 0xff;
	EXPECT_EQ(1u, look().size());
	log[TEMPERATURE] = 300 & 0xff;
	EXPECT_EQ((std::vector<std::string>{"well: 27 C; it warns at 70 and stops at 100"}), look());
}

TEST_F(NvmeHealth, TellsOfWearEveryTenPercentFromEighty)
{
	log[USED] = 79;
	EXPECT_TRUE(look().empty());
	log[USED] = 80;
	EXPECT_EQ((std::vector<std::string>{"worse: 80 % of its life is used"}), look());
	log[USED] = 89;
	EXPECT_TRUE(look().empty());
	log[USED] = 255;
	EXPECT_EQ(1u, look().size());
}

TEST_F(NvmeHealth, TellsWhenSpareBlocksRunOut)
{
	log[SPARE] = 10;
	EXPECT_TRUE(look().empty());
	log[SPARE] = 9;
	EXPECT_EQ((std::vector<std::string>{"worse: 9 % of its spare blocks are left; it warns below 10 %"}), look());
}

TEST_F(NvmeHealth, TellsOfHeatWhereTheOperatorWantsIt)
{
	wish.warm = 320;
	log[TEMPERATURE] = 319 & 0xff;
	log[TEMPERATURE + 1] = 319 >> 8;
	EXPECT_TRUE(look().empty());
	log[TEMPERATURE] = 320 & 0xff;
	EXPECT_EQ((std::vector<std::string>{"worse: 47 C; it warns at 47 and stops at 100"}), look());
	for (int t : {318, 320, 319, 318}) {
		log[TEMPERATURE] = t & 0xff;
		EXPECT_TRUE(look().empty()) << "on the edge, at " << t;
	}
	log[TEMPERATURE] = 316 & 0xff;
	EXPECT_EQ((std::vector<std::string>{"well: 43 C; it warns at 47 and stops at 100"}), look());
}

TEST_F(NvmeHealth, NamesNoLimitThatThereIsNot)
{
	g.temp_crit = 0;
	log[TEMPERATURE] = 345 & 0xff;
	log[TEMPERATURE + 1] = 345 >> 8;
	EXPECT_EQ((std::vector<std::string>{"worse: 72 C; it warns at 70"}), look());
	g.temp_warn = 0;
	log[TEMPERATURE] = 400 & 0xff;
	log[TEMPERATURE + 1] = 400 >> 8;
	was.heat = 0;
	EXPECT_TRUE(look().empty());
}

TEST_F(NvmeHealth, TellsOfWearWhereTheOperatorWantsItAndWhenItIsAnotherDrive)
{
	wish.used = 35;
	log[USED] = 34;
	EXPECT_TRUE(look().empty());
	log[USED] = 35;
	EXPECT_EQ((std::vector<std::string>{"worse: 35 % of its life is used"}), look());
	log[USED] = 45;
	EXPECT_EQ(1u, look().size());
	log[USED] = 0;
	EXPECT_EQ((std::vector<std::string>{"well: 0 % of its life is used"}), look());
}

TEST_F(NvmeHealth, TellsOfSpareBlocksWhereTheOperatorWantsIt)
{
	wish.spare = 50;
	log[SPARE] = 50;
	EXPECT_TRUE(look().empty());
	log[SPARE] = 49;
	EXPECT_EQ((std::vector<std::string>{"worse: 49 % of its spare blocks are left; it warns below 50 %"}), look());
	log[SPARE] = 50;
	EXPECT_EQ((std::vector<std::string>{"well: 50 % of its spare blocks are left; it warns below 50 %"}), look());
}

/* A drive that is in a bad way when it is first seen. */
TEST_F(NvmeHealth, TellsAtTheFirstLook)
{
	was = {};
	log[SPARE] = 9;
	log[USED] = 100;
	log[TEMPERATURE] = 345 & 0xff;
	log[TEMPERATURE + 1] = 345 >> 8;
	EXPECT_EQ((std::vector<std::string>{"worse: 72 C; it warns at 70 and stops at 100",
					    "worse: 100 % of its life is used",
					    "worse: 9 % of its spare blocks are left; it warns below 10 %"}),
		  look());
}

TEST_F(NvmeHealth, TellsOfEveryRiseOfMediaErrorsButNotOfOldOnes)
{
	log[MEDIA_ERRORS] = 7;
	was.known = false; /* the first look */
	EXPECT_TRUE(look().empty());
	log[MEDIA_ERRORS] = 9;
	EXPECT_EQ((std::vector<std::string>{"worse: 9 blocks could not be recovered, 2 more than before"}), look());
}

TEST_F(NvmeHealth, CountersThatDoNotFitAreEndless)
{
	nvme_health h;

	log[WRITTEN + 7] = 0xff;
	ASSERT_EQ(0, nvme_health_parse(&h, log));
	EXPECT_EQ(UINT64_MAX, h.bytes_written);
	memset(log + WRITTEN, 0, 8);
	log[WRITTEN] = 2;
	ASSERT_EQ(0, nvme_health_parse(&h, log));
	EXPECT_EQ(1024000u, h.bytes_written);
	log[MEDIA_ERRORS + 12] = 1;
	ASSERT_EQ(0, nvme_health_parse(&h, log));
	EXPECT_EQ(UINT64_MAX, h.media_errors);
}

TEST_F(NvmeHealth, RefusesPercentagesThatCannotBe)
{
	nvme_health h;

	log[SPARE] = 101;
	EXPECT_EQ(-EBADMSG, nvme_health_parse(&h, log));
	log[SPARE] = 100;
	log[SPARE_AT] = 255;
	EXPECT_EQ(-EBADMSG, nvme_health_parse(&h, log));
}

} // namespace
