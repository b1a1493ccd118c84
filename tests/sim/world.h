/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_WORLD_H
#define SIM_WORLD_H

/*
 * An appliance that can lose power at any write: the real store on the real log group, with places for two volumes, on
 * drives of the tests (power_drive.h), all on this thread as main and owner, in virtual time. Everything follows from
 * seeds.
 */

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "chain.h"
#include "large.h"
#include "power_drive.h"

extern "C" {
#include "log_group.h"
#include "stages/volume/store.h"
#include "strake_advice.h"
#include "strake_chain.h"
#include "strake_volume.h"
}

namespace sim
{

using bytes = std::vector<uint8_t>;

constexpr unsigned kVolumes = 2;
constexpr uint32_t kBlocks = 96;	      /* of a volume */
constexpr uint32_t kAll = kVolumes * kBlocks; /* of all: number them volume after volume */

struct WorldConf {
	uint64_t seed = 1;
	unsigned data = 3, parity = 1;
	uint32_t unit = 16384, rows = 3;
	uint64_t drive_bytes = 5u << 20; /* fewer are no member */
	uint32_t delay_turns = 0;	 /* of drives */
	bool write_through = false;
	uint64_t checkpoint_bytes = 0, row_age = 0;
	bool lively = false; /* volumes come and go: each has a number of its own */
	bool packs = false;  /* chunks are compressed */
	/* 0: chunks are not sealed; 1: all volumes have the same keys; else each has its own. */
	uint32_t domains = 0;
	bool spare = false; /* there is a drive more, which becomes a member when the group grows */
	/* Blocks that lie side by side; what comes next lies in another leaf of the map. 0: all do. */
	uint32_t together = 0;
	Large large;
};

struct Request {
	bool done = false;
	int status = 1;
	bytes data;
	strake_advice advice = {};
	std::function<void()> then;
};

class World
{
      public:
	explicit World(const WorldConf &c);
	~World();
	World(const World &) = delete;

	/* As a process starts, with the drives of the mask. @return 0, or what refused it, and `why`. */
	int boot(uint32_t drives);
	/* Power goes: everything under way ends with errors, the process with it. Then power is back. */
	void crash();
	/* In order. @return of store_close(). */
	int stop();
	bool
	up() const
	{
		return st != nullptr;
	}

	/* Open the volume of a place, or make it. @return of log_create(). */
	int volume_up(unsigned at);
	/* Close it: nothing is under way on it. */
	void volume_down(unsigned at);
	int volume_resize(unsigned at, uint32_t blocks);
	/* Of deduplication and keys. */
	uint32_t domain(unsigned at) const;
	/* Its number, among all that were made, and its size. */
	uint32_t born(unsigned at) const;
	uint32_t blocks(unsigned at) const;
	uint32_t last_born = 0;

	void turn();
	/* Turns until nothing is asked any more. @return false: it hangs. */
	bool drain(unsigned turns = 50000);
	void submit(Request &r, uint8_t op, uint32_t block, uint32_t n, const bytes &payload, uint16_t flags,
		    bool advise);

	unsigned
	drives() const
	{
		return (unsigned)disks.size();
	}
	uint32_t
	all_drives() const
	{
		return (1u << disks.size()) - 1;
	}
	struct log_group_status group() const;
	/* Make a drive's first and last bytes zeroes, as one does before a group takes it for blank. */
	void erase(unsigned i);
	/* Add the spare. @return of log_group_drive_add(). */
	int grow();
	/* So many drives lie about what they write to segments, once in a while, or about all that they write, more
	 * often before the segments; lies told so far. */
	void lie(unsigned liars, uint32_t kinds, bool all);
	uint64_t lies() const;
	/* Where a drive's segments begin; bytes that those take which are used, and where the nth of them lies. */
	uint64_t data_off() const;
	uint64_t used_bytes() const;
	uint64_t used_off(uint64_t n) const;

	const WorldConf conf;
	power_supply *ps = nullptr;
	std::vector<power_disk *> disks;
	std::vector<strake_drive *> drive;
	log_group *g = nullptr;
	Chain chain;
	store *st = nullptr;
	strake_volume *vol[kVolumes] = {};
	uint64_t open_reqs = 0;
	std::string why;
	std::function<void()> each_turn; /* also in the turns that the appliance runs while it waits */

	/* For a seed that hangs: says where, and aborts. */
	void dump() const;
	std::string where(uint32_t block) const;
	/* What the drives hold now, as a reader of them sees it, in sparse files of a new folder: S0, S1 and so on. */
	void write_drives(const std::string &folder) const;

      private:
	uint64_t now;
	bool opened = false; /* once */

	int store_up();
	int store_down(bool abandon);
	void settle();
	void let_go();
	uint64_t lba(uint32_t block) const;
	void group_down();
	static uint64_t clock();
	static void over(strake_unit *u);
};

/* Blocks of such stamps can be compressed, by an eighth to a half. */
constexpr uint64_t kLoose = 1ull << 40;
/* A block with a stamp all over; 0: zeroes. */
void stamp(uint8_t *to, uint64_t s);
/* @return whose it is, or UINT64_MAX: torn. */
uint64_t stamp_of(const uint8_t *at);

} // namespace sim

#endif /* SIM_WORLD_H */
