/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_FSCK_H
#define SIM_FSCK_H

/*
 * strake-fsck (STRAKE_FSCK, a path) on the drives of a world, in files of a folder that lives as long as this. The
 * bytes in them can be looked at and changed, by drive or by place of a segment, and all changes be taken back.
 */

#include "world.h"

namespace sim
{

class Fsck
{
      public:
	explicit Fsck(const World &w);
	~Fsck();
	Fsck(const Fsck &) = delete;

	/* Files of what the drives hold now. */
	void write();
	/* @return its exit status; 128 and a signal's number. What it said is in `said`. */
	int run(const std::string &options = "");
	/* The number in front of, or behind, a text that it said; UINT64_MAX: there is none. */
	uint64_t before(const std::string &text) const;
	uint64_t behind(const std::string &text) const;
	/* How often it said that. */
	uint64_t times(const std::string &text) const;

	bytes peek(unsigned drive, uint64_t off, size_t n) const;
	void poke(unsigned drive, uint64_t off, const bytes &b);
	/* Bytes of a segment's data. */
	bytes get(uint32_t seg, uint32_t off, size_t n) const;
	/* Change them. With one drive of parity that goes along, if @p parity. */
	void put(uint32_t seg, uint32_t off, const bytes &b, bool parity = true);
	/* As write() left them. */
	void undo();
	/* The newest superblock of the store, as it lies. */
	bytes super() const;
	/* All of the map of the checkpoint, and the pages in which it lies; tree after tree. */
	struct Entry {
		uint64_t tree, idx, value, page;
	};
	std::vector<Entry> map() const;
	/* Where a byte of a segment lies. All drives are of one size, so columns lie in order. */
	unsigned drive_of(uint32_t seg, uint32_t off) const;
	uint64_t place_of(uint32_t seg, uint32_t off) const;

	std::string said;

      private:
	struct Change {
		unsigned drive;
		uint64_t off;
		bytes was;
	};

	const World &w;
	std::string folder;
	std::vector<Change> changes;

	void page(std::vector<Entry> &to, uint64_t tree, uint64_t index, unsigned level, uint64_t addr) const;
	unsigned role_drive(uint32_t seg, uint32_t off, uint32_t role) const;
	std::string path(unsigned drive) const;
};

} // namespace sim

#endif /* SIM_FSCK_H */
