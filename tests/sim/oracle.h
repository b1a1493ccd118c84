/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

/*
 * What each block may hold: what was last made durable, and everything written to it since, whole. A copy of it goes
 * with each image of the drives.
 */

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sim
{

struct Write {
	uint64_t seq, stamp;
	bool acked;
};

class Oracle
{
      public:
	explicit Oracle(uint32_t blocks) : model(blocks, std::vector<Write>(1, Write{0, 0, true}))
	{
	}

	void
	begun(uint32_t block, uint64_t seq, uint64_t stamp)
	{
		model[block].push_back({seq, stamp, false});
	}

	void
	acked(uint32_t block, uint64_t seq)
	{
		for (Write &w : model[block])
			w.acked = w.acked || w.seq == seq;
	}

	/* That write is durable: nothing before it can come back. */
	void
	durable(uint32_t block, uint64_t seq)
	{
		auto &m = model[block];

		for (size_t i = 0; i < m.size(); i++) {
			if (m[i].seq == seq) {
				m.erase(m.begin(), m.begin() + (long)i);
				return;
			}
		}
	}

	uint64_t
	last_acked(uint32_t block) const
	{
		uint64_t seq = 0;

		for (const Write &w : model[block])
			seq = w.acked ? w.seq : seq;
		return seq;
	}

	/* After power went. */
	bool
	may_hold(uint32_t block, uint64_t stamp) const
	{
		for (const Write &w : model[block]) {
			if (w.stamp == stamp)
				return true;
		}
		return false;
	}

	/* While it runs: the last acknowledged write, or one that is under way. */
	std::vector<uint64_t>
	may_read(uint32_t block) const
	{
		std::vector<uint64_t> may;

		for (const Write &w : model[block]) {
			if (w.acked)
				may.clear();
			may.push_back(w.stamp);
		}
		return may;
	}

	bool
	written_after(uint32_t block, uint64_t seq, uint64_t stamp) const
	{
		for (const Write &w : model[block]) {
			if (w.seq > seq && w.stamp == stamp)
				return true;
		}
		return false;
	}

	/* It holds this, and nothing else is known of it. */
	void
	holds(uint32_t block, uint64_t stamp)
	{
		model[block].assign(1, Write{0, stamp, true});
	}

	uint64_t
	durable_stamp(uint32_t block) const
	{
		return model[block].front().stamp;
	}
	uint64_t
	last_stamp(uint32_t block) const
	{
		return model[block].back().stamp;
	}

      private:
	std::vector<std::vector<Write>> model;
};

} // namespace sim

#endif /* SIM_ORACLE_H */
