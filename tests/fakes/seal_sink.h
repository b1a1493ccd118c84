/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SEAL_SINK_H
#define SEAL_SINK_H

/*
 * A chunk stage that ends the chain of a log volume: keeps payload and seal of each chunk by its LBA, and gives both
 * back. Registered as "seal_sink"; one for the whole program.
 */

#include <cstdint>
#include <map>
#include <vector>

extern "C" {
#include "strake_chunk.h"
}

/** How the sink gives the bytes of a read. */
enum SealSinkForm {
	SEAL_SINK_PAGES,  /* in pages that are the reader's alone */
	SEAL_SINK_SHARED, /* of which the sink keeps a reference until reset() */
	SEAL_SINK_LENT,	  /* where they lie, read-only */
};

struct SealSink {
	struct Stored {
		std::vector<uint8_t> bytes;
		strake_seal seal;
	};
	std::map<uint64_t, Stored> at;
	SealSinkForm form = SEAL_SINK_PAGES;
	uint32_t piece = 0; /* longest buf of a reply; 0: whole */
	int16_t status = 0; /* end reads with it */
	uint64_t writes = 0, bad_lengths = 0;
	std::vector<strake_buf *> kept;

	void reset();
};

extern SealSink seal_sink;

#endif /* SEAL_SINK_H */
