/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_HOST_H
#define SIM_HOST_H

/* A host that writes, trims, flushes and reads by a seed, and knows what every block may hold. */

#include <map>
#include <memory>
#include <random>

#include "oracle.h"
#include "world.h"

namespace sim
{

struct HostFigures {
	uint64_t writes = 0, trims = 0, flushes = 0, fuas = 0, reads = 0, full = 0;
};

class Host
{
      public:
	Host(World &world, uint64_t seed);

	/* Begin one operation, chosen by the seed. */
	void begin();
	/* What is under way dies with the process. */
	void die();
	/* The volumes are open, as they are. */
	void opened();
	/* Is anything under way on a place's volume beyond the limit? */
	bool busy(unsigned at) const;
	uint64_t
	seq()
	{
		return next_seq++;
	}
	/* Read every block: is it what the oracle allows? @p learn: that is now what it holds. @return the first thing
	 * wrong, or nothing. */
	static std::string check(World &w, Oracle &oracle, bool learn);
	/* May a block of the volume that is open there hold this? */
	static bool allows(const World &w, const Oracle &oracle, uint32_t block, uint64_t stamp);

	Oracle oracle{kAll, kVolumes};
	uint32_t limit[kVolumes]; /* blocks of each place that are used; 0: leave it alone */
	HostFigures figures;
	std::string wrong; /* the first thing that was */

      private:
	struct Op {
		Request req;
		uint64_t seq = 0;
		uint32_t block = 0, n = 0;
		uint8_t op = 0;
		bool fua = false;
		std::vector<uint64_t> stamps, last; /* last: of each block, acknowledged when a flush began */
		std::vector<std::vector<uint64_t>> may;
	};

	World &w;
	std::mt19937_64 rnd;
	uint64_t next_stamp = 1, next_seq = 1;
	uint32_t hot;
	std::vector<uint64_t> known;
	std::map<std::pair<uint32_t, uint64_t>, strake_advice_block> index; /* by domain and stamp */
	std::vector<std::unique_ptr<Op>> ops;

	uint64_t pick_stamp();
	void advise(Op &op);
	void ended(Op &op);
	void trace(const Op &op, const char *what) const;
	void check_read(const Op &op);
	void fail(const std::string &text);
};

} // namespace sim

#endif /* SIM_HOST_H */
