/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_CHAIN_H
#define SIM_CHAIN_H

/* The stages between the volumes and their store, as a process has them: `compress`. */

#include <string>
#include <vector>

struct conf_values;
struct strake_stage;

namespace sim
{

class Chain
{
      public:
	explicit Chain(bool pack) : packs(pack)
	{
	}

	/* Make what is wanted. @return 0, or -errno and why. */
	int up(std::string &why);
	/* Nothing is under way in it. */
	void down();

	std::vector<strake_stage *> stages;

      private:
	const bool packs;
	std::vector<conf_values *> values;

	int add(const char *kind, std::vector<const char *> conf, std::string &why);
};

} // namespace sim

#endif /* SIM_CHAIN_H */
