/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_CHAIN_H
#define SIM_CHAIN_H

/*
 * The stages between the volumes and their store, as a process has them: `compress`, and `seal` with its keys in a note
 * of the group. Keys come from the kernel's random, so sealed bytes differ each time; nothing that happens depends on
 * them.
 */

#include <cstdint>
#include <string>
#include <vector>

struct conf_values;
struct strake_space;
struct strake_stage;

namespace sim
{

class Chain
{
      public:
	Chain(bool pack, bool seals) : packs(pack), sealed(seals)
	{
	}

	/* Make what is wanted, and open the keys. @return 0, or -errno and why. */
	int up(strake_space *sp, std::string &why);
	/* Nothing is under way in it. */
	void down();

	std::vector<strake_stage *> stages;
	strake_stage *seal = nullptr;

      private:
	const bool packs, sealed;
	std::vector<conf_values *> values;

	int keys_up(strake_space *sp, std::string &why);
	int add(const char *kind, std::vector<const char *> conf, std::string &why);
};

} // namespace sim

#endif /* SIM_CHAIN_H */
