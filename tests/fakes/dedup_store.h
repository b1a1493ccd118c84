/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef DEDUP_STORE_H
#define DEDUP_STORE_H

/* A volume stage that keeps blocks in memory and takes advice, for tests of who gives it. Registered as "store"; one
 * for the whole program. Every block stored gets a place of its own, numbered from 1; sharing is believed to whom a
 * place's owner still is there (or whose bytes are the same, in compare mode). */

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

extern "C" {
#include "strake_advice.h"
#include "strake_req.h"
}

struct DedupStore {
	struct Place {
		std::vector<uint8_t> bytes;
		uint32_t vol;
		uint64_t lba;
		bool freed;
	};
	/* What a block's advice said on arrival, and what was done. */
	struct Seen {
		strake_advice_block in;
		bool compare;
	};

	std::vector<Place> places;			       /* place n is places[n - 1] */
	std::map<std::pair<uint32_t, uint64_t>, uint64_t> map; /* (volume, block) -> place */
	std::vector<Seen> seen;
	uint64_t shared = 0, stored = 0, bare = 0; /* blocks; bare: requests without advice */
	int status = 0;				   /* ends writes with it, nothing done */
	bool untouched = false;			   /* knows nothing of advice */
	bool silent = false;			   /* stores, and does not say where */
	bool fold = false;			   /* moves a block into its share table when it is first shared */
	bool hold = false;			   /* keeps units until release() */
	uint64_t lba_offset = 0;		   /* added to owners told */
	std::vector<strake_unit *> held;
};

extern DedupStore dedup_store;

/* Finish what is held. On the lcore where it is. */
void dedup_store_release();

#endif /* DEDUP_STORE_H */
