/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The samples against the tables of the stages and drives there really are. */

#include <cstring>
#include <fstream>
#include <sstream>

#include "conf_fixture.h"

extern "C" {
#include "strake_drive.h"
#include "strake_stage.h"
}

namespace
{

const conf_key *
drive_keys(const char *kind, bool *found)
{
	const strake_drive_ops *ops = strake_drive_find(kind);

	*found = ops != nullptr;
	return *found ? ops->keys : nullptr;
}

const conf_key *
stage_keys(const char *stage, bool *found)
{
	const strake_stage_ops *ops = strake_stage_find(stage);

	*found = ops != nullptr;
	return *found ? ops->keys : nullptr;
}

const char *
drive_kind(unsigned int i)
{
	static const char *const kinds[] = {"mem", "nvme", "uring"};

	return i < 3 ? kinds[i] : nullptr;
}

const char *
stage_name(unsigned int i)
{
	const strake_stage_ops *ops = strake_stage_nth(i);

	return ops != nullptr ? ops->name : nullptr;
}

const conf_kinds real = {drive_keys, stage_keys, drive_kind, stage_name};
const char *const samples[] = {"quickstart", "kernel", "log", "reference", "memif-bench"};

std::string
path_of(const char *name)
{
	return std::string(SAMPLES) + "/" + name + ".yaml";
}

} // namespace

TEST(ConfSamples, LoadWithoutAWordAndSurviveBeingSaved)
{
	for (const char *name : samples) {
		conf_errors errs, again_errs;
		conf *c = conf_load(path_of(name).c_str(), &real, &errs);

		conf_errors_print(&errs, name, stderr);
		ASSERT_NE(nullptr, c) << name;
		EXPECT_EQ(0u, errs.n) << name;
		std::string once = saved(c);
		conf *again = conf_parse(once.data(), once.size(), "/x.yaml", &real, &again_errs);

		ASSERT_NE(nullptr, again) << once;
		EXPECT_EQ(once, saved(again));
		conf_free(c);
		conf_free(again);
		conf_errors_free(&errs);
		conf_errors_free(&again_errs);
	}
}

/* The reference sample shows every key that the reference page names. */
TEST(ConfSamples, TheReferenceHasEveryKey)
{
	std::ifstream in(path_of("reference"));
	std::stringstream text;
	char *buf = nullptr;
	size_t len = 0;
	FILE *out = open_memstream(&buf, &len);

	text << in.rdbuf();
	ASSERT_EQ(0, conf_reference(&real, out));
	fclose(out);
	std::istringstream page(buf);
	std::string line;

	while (std::getline(page, line)) {
		if (line.rfind("| `", 0) != 0)
			continue;
		std::string key = line.substr(3, line.find('`', 3) - 3);

		EXPECT_NE(std::string::npos, text.str().find(key + ":")) << key;
	}
	free(buf);
}
