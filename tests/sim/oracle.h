/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

/*
 * What each block may hold: what was last made durable, and everything written to it since, whole; and which volume it
 * may be that has a place's name. A copy of it goes with each image of the drives.
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

/* A place for a volume, of those that have had its name. They are numbered in the order in which they were made. */
struct Place {
	uint32_t born = 0;		    /* the one that blocks are known of */
	bool there = true;		    /* it may be there */
	bool gone = false;		    /* there may be none, or one made after `last` that holds nothing yet */
	uint32_t last = 0;		    /* none up to this one, but `born`, may ever be seen again */
	bool keyless = false;		    /* what it holds may be sealed by a key that was destroyed */
	uint32_t blocks = 0, or_blocks = 0; /* its size; another that it may have; 0: as it always had */
};

class Oracle
{
      public:
	Oracle(uint32_t blocks, uint32_t volumes)
	    : place(volumes), model(blocks, std::vector<Write>(1, Write{0, 0, true}))
	{
	}

	std::vector<Place> place;

	/* May this volume be there? */
	bool
	may_be(uint32_t at, uint32_t born) const
	{
		return (place[at].there && born == place[at].born) || holds_nothing(at, born);
	}

	/* And nobody can have written to it. */
	bool
	holds_nothing(uint32_t at, uint32_t born) const
	{
		return place[at].gone && born > place[at].last && (born != place[at].born || !place[at].there);
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
