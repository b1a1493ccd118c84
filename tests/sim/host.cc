/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "advice.h"
#include "host.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sim
{

Host::Host(World &world, uint64_t seed) : w(world), rnd(seed), hot(16 + (uint32_t)(rnd() % 64))
{
	std::fill(limit, limit + kVolumes, kBlocks);
	if (w.conf.packs)
		next_stamp |= kLoose;
}

void
Host::fail(const std::string &text)
{
	if (wrong.empty())
		wrong = text;
}

/* For one who looks for a cause: all that touches block STRAKE_SIM_TRACE. */
void
Host::trace(const Op &op, const char *what) const
{
	static const char *of = getenv("STRAKE_SIM_TRACE");
	uint64_t b = of != nullptr ? strtoull(of, nullptr, 0) : 0;
	uint64_t i = b - op.block;

	if (of == nullptr || (op.op != STRAKE_OP_FLUSH && (b < op.block || i >= op.n)))
		return;
	fprintf(stderr, "%lu %s: op %u seq %lu blocks %u+%u%s status %d", power_writes(w.ps), what, op.op, op.seq,
		op.block, op.n, op.fua ? " fua" : "", op.req.status);
	if (op.op == STRAKE_OP_WRITE)
		fprintf(stderr, " stamp %lu where %lx hit %u", op.stamps[i], op.req.advice.block[i].where,
			op.req.advice.block[i].hit);
	fprintf(stderr, "\n");
}

void
Host::die()
{
	ops.clear();
}

void
Host::opened()
{
	for (unsigned i = 0; i < kVolumes; i++)
		limit[i] = w.blocks(i);
}

bool
Host::busy(unsigned at) const
{
	return std::any_of(ops.begin(), ops.end(), [this, at](const auto &o) {
		return !o->req.done && o->block / kBlocks == at &&
		       (limit[at] == 0 || o->block % kBlocks + o->n > limit[at]);
	});
}

/* Some zeroes, some known already, most new. */
uint64_t
Host::pick_stamp()
{
	if (rnd() % 16 == 0)
		return 0;
	if (rnd() % 5 == 0 && !known.empty())
		return known[rnd() % known.size()];
	known.push_back(next_stamp);
	if (known.size() > 100)
		known.erase(known.begin());
	return next_stamp++;
}

void
Host::advise(Op &op)
{
	fill_advice(op.req.advice, op.stamps, [&](uint64_t stamp) {
		auto it = index.find({w.domain(op.block / kBlocks), stamp});

		return it != index.end() ? &it->second : nullptr;
	});
}

void
Host::begin()
{
	unsigned dice = rnd() % 100;
	uint32_t first, longest;
	bytes payload;

	ops.erase(std::remove_if(ops.begin(), ops.end(), [](auto &o) { return o->req.done; }), ops.end());
	if (std::all_of(limit, limit + kVolumes, [](uint32_t l) { return l == 0; }))
		return;
	ops.push_back(std::make_unique<Op>());
	Op &op = *ops.back();

	op.block = (uint32_t)(rnd() % 2 == 0 ? rnd() % hot : rnd() % kAll);
	if (limit[op.block / kBlocks] == 0)
		op.block = (op.block + kBlocks) % kAll;
	first = op.block / kBlocks * kBlocks;
	op.block = first + (op.block - first) % limit[first / kBlocks];
	longest = std::min<uint32_t>(first + limit[first / kBlocks] - op.block, STRAKE_ADVICE_MAX);
	if (w.conf.together != 0)
		longest = std::min(longest, w.conf.together - op.block % w.conf.together);
	op.n = 1 + (uint32_t)(rnd() % (rnd() % 3 == 0 ? 16 : 4));
	op.n = std::min(op.n, longest);
	op.seq = next_seq++;
	op.op = dice < 76   ? STRAKE_OP_WRITE
		: dice < 81 ? STRAKE_OP_DEALLOCATE
		: dice < 83 ? STRAKE_OP_WRITE_ZEROES
		: dice < 91 ? STRAKE_OP_FLUSH
			    : STRAKE_OP_READ;
	op.fua = op.op != STRAKE_OP_READ && op.op != STRAKE_OP_FLUSH && rnd() % 8 == 0;
	op.req.then = [this, &op] { ended(op); };
	if (op.op == STRAKE_OP_WRITE) {
		payload.resize(op.n * 4096);
		for (uint32_t i = 0; i < op.n; i++) {
			op.stamps.push_back(pick_stamp());
			stamp(&payload[i * 4096], op.stamps[i]);
		}
		advise(op);
		figures.writes++;
	} else if (op.op != STRAKE_OP_FLUSH && op.op != STRAKE_OP_READ) {
		op.stamps.assign(op.n, 0);
		figures.trims++;
	}
	for (uint32_t i = 0; i < op.stamps.size(); i++)
		oracle.begun(op.block + i, op.seq, op.stamps[i]);
	for (uint32_t i = 0; op.op == STRAKE_OP_READ && i < op.n; i++)
		op.may.push_back(oracle.may_read(op.block + i));
	for (uint32_t b = 0; op.op == STRAKE_OP_FLUSH && b < kBlocks; b++)
		op.last.push_back(oracle.last_acked(first + b));
	trace(op, "begins");
	w.submit(op.req, op.op, op.block, op.op == STRAKE_OP_FLUSH ? 0 : op.n, payload, op.fua ? STRAKE_UNIT_FUA : 0,
		 op.op == STRAKE_OP_WRITE);
}

void
Host::ended(Op &op)
{
	trace(op, "ends");
	if (op.req.status != 0) {
		if (op.req.status == -ENOSPC)
			figures.full++;
		else if (power_is_on(w.ps))
			fail("operation " + std::to_string(op.op) + " ends with " + std::to_string(op.req.status));
		return;
	}
	for (uint32_t i = 0; i < op.stamps.size(); i++) {
		oracle.acked(op.block + i, op.seq);
		if (op.fua)
			oracle.durable(op.block + i, op.seq);
		if (op.op == STRAKE_OP_WRITE && op.req.advice.block[i].valid && op.req.advice.block[i].where != 0)
			index[{w.domain(op.block / kBlocks), op.stamps[i]}] = op.req.advice.block[i];
	}
	figures.fuas += op.fua;
	if (op.op == STRAKE_OP_FLUSH) {
		figures.flushes++;
		for (uint32_t b = 0; b < kBlocks; b++)
			oracle.durable(op.block / kBlocks * kBlocks + b, op.last[b]);
	}
	if (op.op == STRAKE_OP_READ)
		check_read(op);
}

void
Host::check_read(const Op &op)
{
	figures.reads++;
	for (uint32_t i = 0; i < op.n; i++) {
		uint64_t s = stamp_of(&op.req.data[i * 4096]);

		if (std::find(op.may[i].begin(), op.may[i].end(), s) == op.may[i].end() &&
		    !oracle.written_after(op.block + i, op.seq, s))
			fail("block " + std::to_string(op.block + i) + " reads " + std::to_string(s) + ", not " +
			     std::to_string(op.may[i].back()) + " " + std::to_string(op.may[i].size()) + " oracle " +
			     std::to_string(oracle.durable_stamp(op.block + i)) + " " +
			     std::to_string(oracle.last_stamp(op.block + i)));
	}
}

bool
Host::allows(const World &w, const Oracle &oracle, uint32_t block, uint64_t stamp)
{
	uint32_t at = block / kBlocks;

	return oracle.holds_nothing(at, w.born(at)) ? stamp == 0 : oracle.may_hold(block, stamp);
}

/* Are the volumes those that may be there, of a size they may have? */
static std::string
strangers(const World &w, const Oracle &oracle)
{
	store_volume d;

	for (unsigned at = 0; at < kVolumes; at++) {
		const Place &p = oracle.place[at];
		uint32_t n = w.blocks(at), one = p.blocks != 0 ? p.blocks : kBlocks;

		if (!oracle.may_be(at, w.born(at)))
			return "place " + std::to_string(at) + " has volume " + std::to_string(w.born(at)) +
			       ", and may have " + (p.there ? std::to_string(p.born) : "none") +
			       (p.gone ? " or one after " + std::to_string(p.last) : "");
		if (oracle.holds_nothing(at, w.born(at)) ? n != kBlocks : n != one && n != p.or_blocks)
			return "volume " + std::to_string(w.born(at)) + " has " + std::to_string(n) + " blocks, not " +
			       std::to_string(one) + " or " + std::to_string(p.or_blocks);
	}
	return store_volume_nth(w.st, kVolumes, &d) == 0 ? std::string("there is a volume too many: ") + d.name : "";
}

static void
learn_places(const World &w, Oracle &oracle)
{
	for (unsigned at = 0; at < kVolumes; at++)
		oracle.place[at] = {w.born(at), true, false, 0, false, w.blocks(at), 0};
	/* What lies beyond the end was forgotten before the volume became smaller. */
	for (uint32_t b = 0; b < kAll; b++) {
		if (b % kBlocks >= w.blocks(b / kBlocks))
			oracle.holds(b, 0);
	}
}

/* Which of these is it? */
static std::string
unreadable(World &w, uint32_t from, uint32_t to, int status)
{
	for (uint32_t b = from; b < to; b++) {
		Request r;

		w.submit(r, STRAKE_OP_READ, b, 1, {}, 0, false);
		if (w.drain() && r.status != 0)
			return "block " + std::to_string(b) + ", " + w.where(b) +
			       ", cannot be read: " + std::to_string(r.status);
	}
	return "block " + std::to_string(from) + " or one behind could not be read: " + std::to_string(status);
}

/* Blocks of which some cannot be opened any more: an error, or nothing, but no bytes that were there before. */
static std::string
check_keyless(World &w, const Oracle &oracle, uint32_t from, uint32_t to)
{
	for (uint32_t b = from; b < to; b++) {
		Request r;

		w.submit(r, STRAKE_OP_READ, b, 1, {}, 0, false);
		if (!w.drain())
			return "reads hang";
		if (r.status != -EBADMSG && (r.status != 0 || !Host::allows(w, oracle, b, stamp_of(&r.data[0]))))
			return "block " + std::to_string(b) + " of erased keys: status " + std::to_string(r.status) +
			       (r.status == 0 ? ", holds " + std::to_string(stamp_of(&r.data[0])) : "");
	}
	return "";
}

std::string
Host::check(World &w, Oracle &oracle, bool learn)
{
	const uint32_t part = w.conf.together != 0 ? w.conf.together : 32;
	std::vector<Request> reqs(kAll / part);
	std::string bad = strangers(w, oracle);

	if (!bad.empty())
		return bad;
	for (uint32_t i = 0; i < reqs.size(); i++) {
		uint32_t at = i * part / kBlocks, off = i * part % kBlocks;

		if (off < w.blocks(at))
			w.submit(reqs[i], STRAKE_OP_READ, i * part, std::min(part, w.blocks(at) - off), {}, 0, false);
	}
	if (!w.drain()) {
		w.crash();
		return "reads hang";
	}
	for (uint32_t b = 0; b < kAll; b++) {
		const Request &r = reqs[b / part];
		uint32_t behind;
		uint64_t s;

		behind = std::min(b / part * part + part, b / kBlocks * kBlocks + w.blocks(b / kBlocks));
		if (b >= behind)
			continue;
		if (r.status == -EBADMSG && oracle.place[b / kBlocks].keyless) {
			bad = check_keyless(w, oracle, b, behind);
			if (!bad.empty())
				return bad;
			b = behind - 1;
			continue;
		}
		if (r.status != 0)
			return unreadable(w, b, behind, r.status);
		s = stamp_of(&r.data[b % part * 4096]);
		if (!allows(w, oracle, b, s))
			return "block " + std::to_string(b) + " holds " + std::to_string(s) + ", durable was " +
			       std::to_string(oracle.durable_stamp(b)) + ", last written " +
			       std::to_string(oracle.last_stamp(b));
		if (learn)
			oracle.holds(b, s);
	}
	if (learn)
		learn_places(w, oracle);
	return "";
}

} // namespace sim
