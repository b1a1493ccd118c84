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
 * the entries that share, volumes' counts, and no place is needed twice. strake-fsck proves the same of the drives.
 * @return the first thing wrong, or nothing.
 */
std::string prove(World &w);

} // namespace sim

#endif /* SIM_PROOF_H */
