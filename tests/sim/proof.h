/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_PROOF_H
#define SIM_PROOF_H

#include <string>

#include "world.h"

namespace sim
{

/*
 * Does the store as it is in memory agree with itself? The map against the segments' counts, the share table against
 * the entries that share, volumes' counts, and no place is needed twice.
 * @return the first thing wrong, or nothing.
 */
std::string prove(World &w);

/* What strake-fsck looked at. */
struct Proved {
	uint64_t stores = 0, blocks = 0, rows = 0;
};

/*
 * What strake-fsck finds on drives as a reader sees them now. @p mask has those to look at; @p mendable: some may hold
 * what was not written to them, or no superblock.
 * @return all that should not be, or nothing.
 */
std::string prove_drives(const World &w, uint32_t mask, bool mendable, Proved &p);

} // namespace sim

#endif /* SIM_PROOF_H */
