/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef IMAGE_H
#define IMAGE_H

/*
 * Drives of a store that lived a little, as they lie: closed in order, and after power went. Where each structure lies
 * on them; and bits of it turned, on the drives of the simulation and in the files that strake-fsck reads alike.
 */

#include <map>
#include <string>

#include "tests/sim/fsck.h"
#include "tests/sim/host.h"

/* A structure on the drives. */
struct Spot {
	enum Kind { NONE, SUPER, NOTE, CHUNK, INTENT } kind = NONE;
	uint32_t note = 0;	   /* NOTE: which */
	uint32_t seg = 0, off = 0; /* CHUNK; INTENT: off in the intents */
	uint32_t bytes = 0;
	uint32_t field = 0; /* where fields are counted from */
	bool page = false;  /* CHUNK: that is a page of the map, which has a checksum of its own */
};

/* How a bit is turned. */
enum Turn {
	ONE, /* on one drive */
	ALL, /* in every copy there is, and so that parity agrees */
	LIE, /* the same, and every checksum agrees too */
};

class Image
{
      public:
	explicit Image(uint64_t seed);
	~Image();
	Image(const Image &) = delete;

	/* Does it have all structures? */
	bool whole() const;
	/* The drives are as they were then; nothing is turned. */
	void load(bool closed);
	void turn(const Spot &s, uint32_t off, unsigned bit, Turn how);

	sim::World w;
	sim::Host host;
	sim::Fsck fsck, after; /* after: for what opening the store made of it */
	/* By name. */
	std::map<std::string, Spot> closed_spot, killed_spot;
	sim::bytes keys; /* note 1 */

      private:
	power_image *closed = nullptr, *killed = nullptr;
	bool files_closed = false;
	sim::Oracle closed_oracle{sim::kAll, sim::kVolumes}, killed_oracle{sim::kAll, sim::kVolumes};

	void live(unsigned ops);
	void keys_write();
	void find_closed();
	void find_killed();
	log_super super() const;
	Spot chunk(uint64_t place) const;
	void chunk_turn(const Spot &s, uint32_t off, unsigned bit, Turn how);
	void copies_turn(const Spot &s, uint32_t off, unsigned bit, Turn how);
	void copy_turn(unsigned drive, uint64_t at, const Spot &s, uint32_t off, unsigned bit, bool lie);
	void poke(unsigned drive, uint64_t off, const sim::bytes &b);
	void put(uint32_t seg, uint32_t off, const sim::bytes &b, bool parity);
};

#endif /* IMAGE_H */
