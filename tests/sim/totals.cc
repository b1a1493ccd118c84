/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "totals.h"

#include <cstdio>

namespace sim
{

void
Totals::add(const Totals &t)
{
	seeds += t.seeds;
	points += t.points;
	in_recovery += t.in_recovery;
	in_rebuild += t.in_rebuild;
	in_checkpoint += t.in_checkpoint;
	in_collection += t.in_collection;
	degraded += t.degraded;
	damaged += t.damaged;
	unreadable += t.unreadable;
	too_many += t.too_many;
	in_order += t.in_order;
	reopened += t.reopened;
	lost += t.lost;
	checkpoints += t.checkpoints;
	collected += t.collected;
	moved += t.moved;
	hits += t.hits;
	trims += t.trims;
	rebuilt += t.rebuilt;
	replayed += t.replayed;
	dropped += t.dropped;
	intents += t.intents;
	flushes += t.flushes;
	fuas += t.fuas;
	full += t.full;
	repaired += t.repaired;
	slow += t.slow;
	in_slow += t.in_slow;
	repacked += t.repacked;
	saved += t.saved;
	grown += t.grown;
	in_growth += t.in_growth;
	forgotten += t.forgotten;
	resealed += t.resealed;
	lies += t.lies;
	caught += t.caught;
	erased += t.erased;
	in_table += t.in_table;
	parted += t.parted;
	proved.stores += t.proved.stores;
	proved.blocks += t.proved.blocks;
	proved.rows += t.proved.rows;
	acts_add(acts, t.acts);
	acts_add(in_acts, t.in_acts);
	states.insert(t.states.begin(), t.states.end());
}

void
Totals::print(const char *head) const
{
	printf("%s: %lu seeds, %lu points, %zu states; power went in recovery %lu, rebuild %lu, checkpoint %lu, "
	       "collection %lu; recovered degraded %lu, damaged %lu, with sectors that cannot be read %lu, with too "
	       "many "
	       "drives lost %lu, closed in order %lu\n",
	       head, seeds, points, states.size(), in_recovery, in_rebuild, in_checkpoint, in_collection, degraded,
	       damaged, unreadable, too_many, in_order);
	printf("%s: checkpoints %lu, collected %lu, blocks moved %lu, shared %lu, trims %lu, rebuilt %lu, replayed "
	       "%lu, "
	       "dropped %lu, intents %lu, flushes %lu, fuas %lu, full %lu, repaired %lu; slow drives %lu, power went "
	       "beside them %lu\n",
	       head, checkpoints, collected, moved, hits, trims, rebuilt, replayed, dropped, intents, flushes, fuas,
	       full, repaired, slow, in_slow);
	printf("%s: proved by strake-fsck %lu times, %lu blocks and %lu rows in all\n", head, proved.stores,
	       proved.blocks, proved.rows);
	if (saved > 0)
		printf("%s: %lu bytes saved by compression, %lu chunks repacked\n", head, saved, repacked);
	if (grown > 0)
		printf("%s: grown %lu, power went in growth %lu\n", head, grown, in_growth);
	if (forgotten > 0)
		printf("%s: %lu keys and openings forgotten\n", head, forgotten);
	if (resealed > 0)
		printf("%s: %lu chunks sealed anew\n", head, resealed);
	if (lies > 0)
		printf("%s: %lu lies, %lu readings of what was wrong by them, %lu drives without a superblock erased\n",
		       head, lies, caught, erased);
	if (parted > 0)
		printf("%s: segment tables in several segments %lu, power went between two parts of one %lu\n", head,
		       parted, in_table);
	if (acts != ActCounts{}) {
		acts_print((std::string(head) + ": acts:").c_str(), acts);
		acts_print((std::string(head) + ": power went in").c_str(), in_acts);
	}
}

} // namespace sim
