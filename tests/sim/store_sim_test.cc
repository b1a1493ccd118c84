/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Log volumes that lose power, again and again, by a seed: the real store and map on a space that loses, tears and
 * reorders what was not flushed, on virtual time. After each crash every block holds what was last made durable or
 * something written to it since, whole.
 *
 * STRAKE_SIM_SEEDS (how many) and STRAKE_SIM_FIRST (the first) choose the seeds.
 */

#include <deque>

#include "tests/sim/advice.h"
#include "tests/support/store_rig.h"

namespace
{

struct Coverage {
	uint64_t crashes = 0, checkpoints = 0, collected = 0, moved = 0, hits = 0, trims = 0, replayed = 0, dropped = 0,
		 intents = 0, flushes = 0, fuas = 0, boots_cut = 0, full = 0;
};

class Host
{
      public:
	Host(uint64_t seed, Coverage &c) : rnd(seed), cov(c), rig(space_conf(seed))
	{
		rig.vol_bytes = kBlocks * 4096ull;
		rig.checkpoint_bytes = 300000 + rnd() % 2000000;
		rig.row_age = (1 + rnd() % 50) * 1000000ull;
		model.resize(kBlocks);
		for (auto &m : model)
			m.push_back({0, 0, true});
	}

	void
	live_and_die(unsigned lives)
	{
		for (unsigned i = 0; i < lives && !testing::Test::HasFailure(); i++)
			life(i + 1 == lives);
	}

      private:
	static constexpr uint32_t kBlocks = 640;

	struct Write {
		uint64_t seq, stamp;
		bool acked;
	};
	struct Op {
		RigReq req;
		uint64_t seq = 0, lba = 0;
		uint32_t n = 0;
		uint8_t op = 0;
		bool fua = false;
		std::vector<uint64_t> stamps;
		std::vector<uint64_t> last;	     /* flush: last acked of each block when it began */
		std::vector<std::set<uint64_t>> may; /* read: what each block could hold when it began */
	};

	std::mt19937_64 rnd;
	Coverage &cov;
	StoreRig rig;
	std::vector<std::deque<Write>> model;
	std::map<uint64_t, strake_advice_block> index;
	std::vector<uint64_t> known;
	uint64_t next_stamp = 1, next_seq = 1;
	std::vector<std::unique_ptr<Op>> ops;

	static FakeSpaceConf
	space_conf(uint64_t seed)
	{
		FakeSpaceConf c;

		c.seed = seed * 77 + 1;
		c.segments = 40;
		c.rows = 4;
		c.data = 3;
		c.parity = seed % 4;
		c.delay_turns = seed % 5;
		c.volatile_cache = seed % 7 != 0;
		c.intent_bytes = seed % 3 == 0 ? 65536 : 262144;
		return c;
	}

	void
	life(bool last)
	{
		/* Some are cut while they boot. */
		rig.fs->cut_at(rnd() % 8 == 0 ? 1 + rnd() % 12 : 0);
		int ret = rig.boot();

		if (ret != 0) {
			EXPECT_FALSE(rig.fs->on()) << rig.why;
			cov.boots_cut++;
			die();
			return;
		}
		cov.replayed += rig.st->stats.replayed;
		cov.dropped += rig.st->stats.dropped;
		rig.fs->cut_at(0);
		if (!check())
			return;
		rig.fs->cut_at(last ? 0 : 1 + rnd() % 250);
		work(last ? 100 : 4000);
		if (last) {
			EXPECT_TRUE(rig.drain(20000));
			if (testing::Test::HasFailure())
				rig.dump();
			note();
			ops.clear();
			rig.down(false);
			EXPECT_EQ(0, rig.close_status);
			EXPECT_EQ(0, rig.boot()) << rig.why;
			for (auto &m : model) {
				while (m.size() > 1)
					m.pop_front();
			}
			check();
			rig.down(false);
			figures();
			return;
		}
		rig.fs->cut();
		die();
	}

	void
	figures()
	{
		const FakeSpaceFigures &f = rig.fs->figures();

		EXPECT_EQ(0u, f.out_of_order);
		EXPECT_EQ(0u, f.changed);
		EXPECT_EQ(0u, f.out_of_bounds);
		EXPECT_EQ(0u, f.used_frees);
	}

	void
	note()
	{
		const store_stats &s = rig.st->stats;

		cov.checkpoints += s.checkpoints;
		cov.collected += s.collected;
		cov.moved += s.moved_blocks;
		cov.hits += s.hit_blocks;
		cov.intents += s.intents;
	}

	void
	die()
	{
		if (rig.st != nullptr)
			note();
		cov.crashes++;
		/* What ends now ends with an error; the rest is never heard of. */
		for (int i = 0; i < 20; i++)
			rig.turn();
		rig.down(true);
		ops.clear();
		rig.fs->restore();
	}

	/* Every block holds something it may hold; that is now what it holds. */
	bool
	check()
	{
		for (uint32_t b = 0; b < kBlocks; b += 32) {
			bytes out;
			int ret = rig.run(STRAKE_OP_READ, b, 32, {}, &out);

			EXPECT_EQ(0, ret) << "block " << b;
			if (ret != 0)
				return false;
			for (uint32_t i = 0; i < 32; i++) {
				uint64_t s = StoreRig::stamp_of(&out[i * 4096]);
				auto &m = model[b + i];
				bool found = false;

				for (auto &w : m)
					found = found || w.stamp == s;
				EXPECT_TRUE(found)
					<< "block " << b + i << " has " << s << ", durable " << m.front().stamp
					<< ", last " << m.back().stamp << " of " << m.size();
				if (!found)
					return false;
				m.clear();
				m.push_back({0, s, true});
			}
		}
		return true;
	}

	/* --- what a host does --- */

	uint64_t
	pick_stamp()
	{
		if (rnd() % 10 == 0)
			return 0;
		if (rnd() % 4 == 0 && !known.empty())
			return known[rnd() % known.size()];
		known.push_back(next_stamp);
		if (known.size() > 200)
			known.erase(known.begin());
		return next_stamp++;
	}

	void
	advise(Op &op)
	{
		sim::fill_advice(op.req.advice, op.stamps, [&](uint64_t stamp) {
			auto it = index.find(stamp);

			return it != index.end() ? &it->second : nullptr;
		});
	}

	void
	begin()
	{
		ops.push_back(std::make_unique<Op>());
		Op &op = *ops.back();
		unsigned dice = rnd() % 100;

		op.lba = rnd() % 3 == 0 ? rnd() % 64 : rnd() % kBlocks;
		op.n = 1 + (uint32_t)(rnd() % (rnd() % 3 == 0 ? 20 : 3));
		op.n = std::min(op.n, kBlocks - (uint32_t)op.lba);
		op.seq = next_seq++;
		op.op = dice < 70   ? STRAKE_OP_WRITE
			: dice < 76 ? STRAKE_OP_DEALLOCATE
			: dice < 80 ? STRAKE_OP_WRITE_ZEROES
			: dice < 88 ? STRAKE_OP_FLUSH
				    : STRAKE_OP_READ;
		op.fua = op.op != STRAKE_OP_READ && op.op != STRAKE_OP_FLUSH && rnd() % 8 == 0;
		op.req.then = [this, &op](RigReq *) { ended(op); };
		bytes payload;

		if (op.op == STRAKE_OP_WRITE) {
			payload.resize(op.n * 4096);
			for (uint32_t i = 0; i < op.n; i++) {
				op.stamps.push_back(pick_stamp());
				StoreRig::stamp(&payload[i * 4096], op.stamps[i]);
			}
			advise(op);
		} else if (op.op != STRAKE_OP_FLUSH && op.op != STRAKE_OP_READ) {
			op.stamps.assign(op.n, 0);
			cov.trims++;
		}
		for (uint32_t i = 0; i < op.stamps.size(); i++)
			model[op.lba + i].push_back({op.seq, op.stamps[i], false});
		for (uint32_t i = 0; op.op == STRAKE_OP_READ && i < op.n; i++) {
			std::set<uint64_t> may;

			for (auto &w : model[op.lba + i]) {
				if (w.acked)
					may.clear();
				may.insert(w.stamp);
			}
			op.may.push_back(may);
		}
		if (op.op == STRAKE_OP_FLUSH) {
			for (auto &m : model) {
				uint64_t seq = 0;

				for (auto &w : m)
					seq = w.acked ? w.seq : seq;
				op.last.push_back(seq);
			}
		}
		rig.submit(op.req, op.op, op.op == STRAKE_OP_FLUSH ? 0 : op.lba, op.op == STRAKE_OP_FLUSH ? 0 : op.n,
			   payload, op.fua ? STRAKE_UNIT_FUA : 0, nullptr, op.op == STRAKE_OP_WRITE);
	}

	static void
	settle(std::deque<Write> &m, uint64_t seq)
	{
		for (size_t i = 0; i < m.size(); i++) {
			if (m[i].seq == seq) {
				m.erase(m.begin(), m.begin() + (long)i);
				return;
			}
		}
	}

	void
	ended(Op &op)
	{
		if (op.req.status != 0) {
			if (op.req.status == -ENOSPC)
				cov.full++;
			else
				EXPECT_FALSE(rig.fs->on()) << "op " << (int)op.op << " status " << op.req.status;
			return;
		}
		for (uint32_t i = 0; i < op.stamps.size(); i++) {
			for (auto &w : model[op.lba + i]) {
				if (w.seq == op.seq)
					w.acked = true;
			}
			if (op.fua)
				settle(model[op.lba + i], op.seq);
			if (op.op == STRAKE_OP_WRITE && op.req.advice.block[i].valid &&
			    op.req.advice.block[i].where != 0)
				index[op.stamps[i]] = op.req.advice.block[i];
		}
		if (op.op == STRAKE_OP_FLUSH) {
			cov.flushes++;
			for (uint32_t b = 0; b < kBlocks; b++)
				settle(model[b], op.last[b]);
		}
		cov.fuas += op.fua;
		if (op.op == STRAKE_OP_READ)
			check_read(op);
	}

	/* While it runs a block holds its last acknowledged write, or one that was under way at some time since. */
	void
	check_read(Op &op)
	{
		for (uint32_t i = 0; i < op.n; i++) {
			uint64_t s = StoreRig::stamp_of(&op.req.data[i * 4096]);
			bool found = op.may[i].count(s) > 0;

			for (auto &w : model[op.lba + i])
				found = found || (w.seq > op.seq && w.stamp == s);
			EXPECT_TRUE(found) << "block " << op.lba + i << " reads " << s;
		}
	}

	void
	work(unsigned n)
	{
		unsigned depth = 1 + rnd() % 12;

		for (unsigned i = 0; i < n && rig.fs->on() && !testing::Test::HasFailure(); i++) {
			for (int t = 0; rig.open_reqs >= depth && rig.fs->on(); t++) {
				rig.turn();
				if (t > 20000) {
					ADD_FAILURE() << "it hangs";
					rig.dump();
					return;
				}
			}
			if (!rig.fs->on())
				break;
			begin();
			if (ops.size() > 300 && rig.open_reqs == 0)
				ops.clear();
			if (ops.size() > 300)
				rig.drain();
		}
	}
};

TEST(StoreSim, LosesNothingThatWasFlushed)
{
	const char *n = getenv("STRAKE_SIM_SEEDS"), *f = getenv("STRAKE_SIM_FIRST");
	uint64_t seeds = n != nullptr ? strtoull(n, nullptr, 0) : 6, first = f != nullptr ? strtoull(f, nullptr, 0) : 1;
	Coverage c;

	for (uint64_t s = first; s < first + seeds && !HasFailure(); s++) {
		SCOPED_TRACE("seed " + std::to_string(s));
		Host(s, c).live_and_die(12);
	}
	printf("crashes %lu (%lu while booting), checkpoints %lu, collected %lu, moved %lu, hits %lu, trims %lu, "
	       "replayed %lu, dropped %lu, intents %lu, flushes %lu, fuas %lu, full %lu\n",
	       c.crashes, c.boots_cut, c.checkpoints, c.collected, c.moved, c.hits, c.trims, c.replayed, c.dropped,
	       c.intents, c.flushes, c.fuas, c.full);
	EXPECT_GT(c.checkpoints, c.crashes);
	EXPECT_GT(c.collected, 0u);
	EXPECT_GT(c.moved, 0u);
	EXPECT_GT(c.hits, 0u);
	EXPECT_GT(c.trims, 0u);
	EXPECT_GT(c.replayed, 0u);
	EXPECT_GT(c.intents, 0u);
	EXPECT_GT(c.fuas, 0u);
	EXPECT_GT(c.boots_cut, 0u);
}

} // namespace
