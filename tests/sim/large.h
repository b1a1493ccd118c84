/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_LARGE_H
#define SIM_LARGE_H

/*
 * A store of so many segments that their table has several parts, and that costs a seed little more than a small one:
 * as after a long life, most of what it has could not be read when it was to be collected, and stays. What is used is
 * the first segment and as many as in a small store, half of them on each side of where a part of the table ends.
 */

#include <cstdint>

struct store;

namespace sim
{

struct Large {
	unsigned parts = 1;  /* of the table; 1: the store is not large */
	uint32_t lively = 0; /* segments that are used, beside the first */

	/* As many as there are at least. */
	uint32_t segments() const;
	/* Of a drive that holds so many bytes of segments. */
	static uint64_t drive_bytes(uint64_t data);
	bool is_lively(uint32_t seg) const;
	/* The nth of the lively ones, of which there are so many. */
	uint32_t nth(uint32_t n) const;
	uint32_t count() const;
	/* The rest of a store that has just been opened is at rest: from its first opening on, and nothing was written
	 * there that a rebuild would have to copy. */
	void rest(store *st, bool first) const;
};

} // namespace sim

#endif /* SIM_LARGE_H */
