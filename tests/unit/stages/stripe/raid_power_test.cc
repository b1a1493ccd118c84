/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Power cuts, hundreds of them, each from a seed: random writes, zeroes, FUA and flushes on a mirrored group, a cut at
 * a random I/O, and again while it recovers. What was durable must be there, halves must agree after the
 * resynchronisation, and no block may change between two reads meanwhile.
 */

#include "group_rig.h"

namespace
{

constexpr uint32_t kBlock = 4096;

class RaidPower : public GroupRig
{
      protected:
	struct Block {
		uint32_t durable = 0;	     /* version surely on the medium */
		std::vector<uint32_t> later; /* acknowledged, or under way, since; any sector may have any */
		uint32_t acked = 0;	     /* newest acknowledged */
		std::unique_ptr<Op> op;
		uint32_t writing = 0;
		bool fua = false;
	};
	std::vector<Block> blocks;
	std::vector<unsigned> ours;
	uint32_t next = 0;

	/* Version v of block b: every sector names both. 0 is a block never written. */
	bytes
	content(uint32_t b, uint32_t v)
	{
		bytes d(kBlock);

		for (uint32_t s = 0; s < kBlock && v != 0; s += 512) {
			for (uint32_t i = 0; i < 512; i += 12) {
				uint32_t w[3] = {v, b, s};

				memcpy(&d[s + i], w, std::min<uint32_t>(12, 512 - i));
			}
		}
		return d;
	}

	void
	settle(Block &bl)
	{
		if (bl.op == nullptr || !bl.op->done)
			return;
		if (bl.op->status == 0) {
			bl.acked = bl.writing;
			if (bl.fua) {
				bl.durable = bl.writing;
				bl.later.clear();
			}
		}
		bl.op.reset();
	}

	/* Random work until the power goes. */
	void
	work(std::mt19937 &rnd)
	{
		Op fl;
		bool flushing = false;
		std::vector<uint32_t> covered(blocks.size());

		for (int i = 0; i < 4000 && power_is_on(ps); i++) {
			uint32_t b = rnd() % blocks.size();
			Block &bl = blocks[b];

			for (auto &x : blocks)
				settle(x);
			if (flushing && fl.done) {
				flushing = false;
				for (uint32_t k = 0; k < blocks.size() && fl.status == 0; k++) {
					if (covered[k] > blocks[k].durable) {
						blocks[k].durable = covered[k];
						auto &l = blocks[k].later;

						l.erase(std::remove_if(l.begin(), l.end(),
								       [&](uint32_t v) { return v <= covered[k]; }),
							l.end());
					}
				}
			}
			if (!flushing && rnd() % 16 == 0) {
				for (uint32_t k = 0; k < blocks.size(); k++)
					covered[k] = blocks[k].acked;
				flushing = true;
				begin(fl, STRAKE_OP_FLUSH, 0, 0);
			} else if (bl.op == nullptr) {
				bytes d = content(b, ++next);

				bl.writing = next;
				bl.fua = rnd() % 8 == 0;
				bl.later.push_back(next);
				bl.op = std::make_unique<Op>();
				begin(*bl.op, STRAKE_OP_WRITE, (uint64_t)b * kBlock * 7, kBlock, &d,
				      bl.fua ? STRAKE_UNIT_FUA : 0, (uint16_t)(1 + b % data_lcores));
			}
			if (rnd() % 2 == 0)
				turn();
		}
		until([&] { return inflight == 0; });
		for (auto &x : blocks)
			settle(x);
	}

	/* Every sector has the durable version or a later one. */
	void
	check(uint32_t b, const bytes &got, uint64_t seed)
	{
		const Block &bl = blocks[b];

		for (uint32_t s = 0; s < kBlock; s += 512) {
			bool ok = memcmp(&got[s], &content(b, bl.durable)[s], 512) == 0;

			for (size_t i = 0; i < bl.later.size() && !ok; i++)
				ok = memcmp(&got[s], &content(b, bl.later[i])[s], 512) == 0;
			ASSERT_TRUE(ok) << "seed " << seed << " block " << b << " sector " << s / 512 << ": durable "
					<< bl.durable << ", found " << *(const uint32_t *)&got[s];
		}
	}

	std::vector<bytes>
	read_all()
	{
		std::vector<bytes> all;

		for (uint32_t b = 0; b < blocks.size(); b++)
			all.push_back(read((uint64_t)b * kBlock * 7, kBlock));
		return all;
	}

	void
	one(uint64_t seed)
	{
		std::mt19937 rnd((uint32_t)seed);
		unsigned n = seed % 2 == 0 ? 4 : 2, first = (unsigned)disks.size();

		conf.raid = n == 4 ? CONF_RAID10 : CONF_RAID1;
		conf.chunk = 4096u << rnd() % 5;
		disk_conf.delay_turns = rnd() % 4;
		disk_bytes = 4 * kMiB;
		ps = power_supply_new(seed);
		/* Neither half takes every payload as it lies, one does, or both. */
		for (unsigned i = 0; i < n; i++) {
			disk_conf.align = (seed >> 1 & (1 + i % 2)) != 0 ? 4096 : 0;
			make_disks(1);
		}
		conf.n_drives = n;
		ours.clear();
		for (unsigned i = 0; i < n; i++)
			ours.push_back(first + i);
		blocks.clear();
		blocks.resize(100);
		next = 0;
		up(ours);
		for (int round = 0; round < 3; round++) {
			power_cut_at(ps, 1 + rnd() % 400);
			work(rnd);
			crash();
			/* A second cut hits the opening or the resynchronisation. */
			if (rnd() % 2 == 0) {
				power_cut_at(ps, 1 + rnd() % 40);
				if (open(ours) == 0) {
					start();
					turns(rnd() % 60);
					crash();
				}
				power_restore(ps);
				unplug();
			}
			power_cut_at(ps, 0);
			/* Sectors that one half of a pair cannot read are the other's to give. */
			for (unsigned i = 0; i < n && seed % 3 == 0; i += 2) {
				power_disk_no_faults(disks[first + i]);
				for (unsigned k = 0; k < 4; k++) {
					power_fault bad = {1u << STRAKE_IO_READ,
							   SUPER_DATA_OFF + rnd() % 700 * 4096,
							   4096,
							   0,
							   0,
							   -EIO,
							   true};

					power_disk_fault(disks[first + i], &bad);
				}
			}
			std::shuffle(ours.begin(), ours.end(), rnd);
			up(ours);
			std::vector<bytes> early = read_all(), late;

			for (uint32_t b = 0; b < blocks.size(); b++) {
				check(b, early[b], seed);
				if (HasFatalFailure())
					return;
			}
			resynced();
			late = read_all();
			for (uint32_t b = 0; b < blocks.size(); b++)
				ASSERT_EQ(early[b], late[b]) << "seed " << seed << ": block " << b << " changed";
			std::sort(ours.begin(), ours.end());
			for (unsigned i = 0; i < n; i += 2)
				ASSERT_EQ(medium(first + i), medium(first + i + 1))
					<< "seed " << seed << " round " << round;
			/* What was found is what will be found: forget the versions that lost. */
			for (uint32_t b = 0; b < blocks.size(); b++) {
				ASSERT_EQ(0, write((uint64_t)b * kBlock * 7, content(b, ++next)));
				blocks[b].durable = next;
				blocks[b].acked = next;
				blocks[b].later.clear();
			}
			ASSERT_EQ(0, flush());
		}
		stop();
		for (unsigned i = 0; i < n; i++) {
			power_figures f;

			power_disk_figures(disks[first + i], &f);
			ASSERT_EQ(0u, f.overlaps + f.changed + f.out_of_bounds) << "seed " << seed;
			/* What both would have to gather was gathered before; what one would is its own. */
			ASSERT_EQ((seed >> 1 & 3) == 1 + i % 2, f.gathered > 0) << "seed " << seed;
			power_disk_free(disks[first + i]);
		}
		disks.clear();
		drives.clear();
		power_supply_free(ps);
		ps = nullptr;
	}
};

TEST_F(RaidPower, WhatWasFlushedSurvivesHundredsOfCuts)
{
	for (uint64_t seed = 1; seed <= 60 && !HasFatalFailure(); seed++)
		one(seed);
}

} // namespace
