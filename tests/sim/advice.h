/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_ADVICE_H
#define SIM_ADVICE_H

/* What dedup would say of a write whose blocks are known by their stamps; 0: zeroes. */

#include <cstdint>
#include <cstring>
#include <vector>

extern "C" {
#include "strake_advice.h"
}

namespace sim
{

/* known(stamp): where the block lies already, or nullptr. */
template <class Known>
void
fill_advice(strake_advice &a, const std::vector<uint64_t> &stamps, Known known)
{
	a.n = (uint16_t)stamps.size();
	for (size_t i = 0; i < stamps.size(); i++) {
		const strake_advice_block *at = stamps[i] != 0 ? known(stamps[i]) : nullptr;

		a.block[i] = {};
		if (at != nullptr)
			a.block[i] = *at;
		if (stamps[i] == 0)
			continue;
		a.block[i].valid = 1;
		memcpy(a.block[i].fp, &stamps[i], sizeof(stamps[i]));
	}
}

} // namespace sim

#endif /* SIM_ADVICE_H */
