/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Every test program starts EAL the way a machine without luxuries does: no huge pages, no PCI, nothing shared. */

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rte_eal.h>
#include <rte_log.h>

int
main(int argc, char **argv)
{
	testing::InitGoogleTest(&argc, argv);

	const char *mem = getenv("STRAKE_TEST_MEM_MB");
	std::vector<std::string> args = {argv[0],
					 "--no-huge",
					 "--single-file-segments", /* what a memif without copies asks for */
					 "--no-pci",
					 "--no-shconf",
					 "--no-telemetry",
					 "-l",
					 "0",
					 "-m",
					 mem != nullptr ? mem : "512",
					 "--log-level=warning"};
	std::vector<char *> ptrs;

	for (auto &a : args)
		ptrs.push_back(a.data());
	if (rte_eal_init((int)ptrs.size(), ptrs.data()) < 0) {
		fprintf(stderr, "rte_eal_init failed\n");
		return 2;
	}
	int ret = RUN_ALL_TESTS();

	rte_eal_cleanup();
	return ret;
}
