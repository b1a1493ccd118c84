/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_TOTALS_H
#define SIM_TOTALS_H

/* What seeds came to: that what shall be met was met. */

#include <unordered_set>

#include "acts.h"
#include "proof.h"

namespace sim
{

struct Totals {
	uint64_t seeds = 0, points = 0; /* points: losses of power that were recovered from */
	uint64_t in_recovery = 0, in_rebuild = 0, in_checkpoint = 0, in_collection = 0; /* of those */
	uint64_t degraded = 0, damaged = 0, unreadable = 0, too_many = 0, in_order = 0, reopened = 0, lost = 0;
	uint64_t checkpoints = 0, collected = 0, moved = 0, hits = 0, trims = 0, rebuilt = 0, replayed = 0, dropped = 0,
		 intents = 0, flushes = 0, fuas = 0, full = 0, repaired = 0, slow = 0, in_slow = 0, repacked = 0,
		 saved = 0, grown = 0, in_growth = 0, forgotten = 0, resealed = 0, lies = 0, caught = 0, erased = 0,
		 in_table = 0, parted = 0; /* parted: recovery left a segment table in several segments */
	ActCounts acts{}, in_acts{};	   /* done; and power went in their midst */
	std::unordered_set<uint64_t> states;
	Proved proved;

	void add(const Totals &t);
	void print(const char *head) const;
};

} // namespace sim

#endif /* SIM_TOTALS_H */
