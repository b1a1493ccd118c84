/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "acts.h"

#include <algorithm>
#include <cstdio>

namespace sim
{

namespace
{

constexpr unsigned kPatience = 1000000; /* turns */
constexpr uint32_t kSmallest = 32;	/* blocks */

} // namespace

void
acts_add(ActCounts &to, const ActCounts &from)
{
	for (unsigned i = 0; i < ACTS; i++)
		to[i] += from[i];
}

void
acts_print(const char *head, const ActCounts &acts)
{
	static const char *const names[ACTS] = {"none",		  "deleting a volume", "making one",
						"making smaller", "making larger",     "forgetting"};

	printf("%s", head);
	for (unsigned i = 1; i < ACTS; i++)
		printf("%s %s %lu", i > 1 ? "," : "", names[i], acts[i]);
	printf("\n");
}

Acts::Acts(World &world, Host &h, uint64_t seed) : w(world), host(h), rnd(seed)
{
	for (Place &p : host.oracle.place) {
		p.there = false;
		p.gone = true;
	}
}

bool
Acts::forgetting(const World &w)
{
	for (uint32_t i = 0; w.st != nullptr && i < w.st->n_vol; i++) {
		if (w.st->vol[i]->doomed)
			return true;
	}
	return false;
}

std::string
Acts::wait_forgotten(World &w)
{
	struct store_usage u;

	for (unsigned t = 0; forgetting(w); t++) {
		if (t > kPatience) {
			w.dump();
			return "a deleted volume is not forgotten";
		}
		w.turn();
	}
	::store_usage(w.st, &u);
	return u.deleted_blocks == 0 ? "" : std::to_string(u.deleted_blocks) + " blocks of no volume stay";
}

std::string
Acts::next()
{
	unsigned depth = 1 + (unsigned)(rnd() % 8), at = (unsigned)(rnd() % kVolumes), left = 60;
	std::string bad;

	w.each_turn = [this, depth, &left] {
		if (left > 0 && w.open_reqs < depth && rnd() % 4 == 0) {
			left--;
			host.begin();
		}
	};
	if (w.vol[at] == nullptr)
		bad = make(at);
	else if (rnd() % 2 == 0)
		bad = remove(at);
	else
		bad = resize(at);
	w.each_turn = nullptr;
	act = NO_ACT;
	return bad;
}

std::string
Acts::settle()
{
	std::string bad;

	for (unsigned at = 0; at < kVolumes && bad.empty(); at++) {
		if (w.vol[at] == nullptr)
			bad = make(at);
	}
	act = NO_ACT;
	return bad.empty() ? wait_forgotten(w) : bad;
}

std::string
Acts::ended(const char *what, int ret)
{
	done[act]++;
	return ret == 0 ? "" : std::string(what) + " ends with " + std::to_string(ret) + " " + w.why;
}

/* The host lets go of what is beyond the limit of a place. */
std::string
Acts::let_go(unsigned at)
{
	for (unsigned t = 0; host.busy(at); t++) {
		if (t > kPatience) {
			w.dump();
			return "requests hang";
		}
		w.turn();
	}
	return "";
}

std::string
Acts::remove(unsigned at)
{
	Place &p = host.oracle.place[at];
	std::string name = "v" + std::to_string(at), bad;
	uint64_t seq;

	act = DELETE;
	host.limit[at] = 0;
	bad = let_go(at);
	for (unsigned t = 0; bad.empty() && !log_lcore_drain(w.vol[at]); t++) {
		if (t > kPatience)
			return "the store does not let go of a volume";
		w.turn();
	}
	if (!bad.empty())
		return bad;
	w.volume_down(at);
	/* It may come back, without some of its blocks, until this is durable. */
	seq = host.seq();
	for (uint32_t b = at * kBlocks; b < (at + 1) * kBlocks; b++)
		host.oracle.begun(b, seq, 0);
	p.gone = true;
	p.last = w.last_born;
	bad = ended("deleting", store_volume_delete(w.st, name.c_str()));
	p.there = false;
	return bad;
}

std::string
Acts::make(unsigned at)
{
	Place &p = host.oracle.place[at];
	std::string bad;

	act = MAKE;
	for (uint32_t b = at * kBlocks; b < (at + 1) * kBlocks; b++)
		host.oracle.holds(b, 0);
	p = {w.last_born + 1, true, true, w.last_born, kBlocks, 0};
	bad = ended("making a volume", w.volume_up(at));
	p.gone = false;
	host.limit[at] = bad.empty() ? kBlocks : 0;
	return bad;
}

std::string
Acts::resize(unsigned at)
{
	uint32_t had = w.blocks(at),
		 n = kSmallest + (uint32_t)(rnd() % 2 == 0 ? kBlocks - kSmallest : rnd() % (kBlocks - kSmallest));
	Place &p = host.oracle.place[at];
	std::string bad;

	if (n < had)
		return shrink(at, n);
	if (n == had)
		return "";
	act = GROW;
	p.or_blocks = n;
	bad = ended("making a volume larger", w.volume_resize(at, n));
	p.blocks = n;
	p.or_blocks = 0;
	host.limit[at] = n;
	return bad;
}

/* What lies beyond the new end goes first, and piece by piece. */
std::string
Acts::shrink(unsigned at, uint32_t n)
{
	const uint32_t first = at * kBlocks, had = w.blocks(at);
	Place &p = host.oracle.place[at];
	uint64_t seq;
	std::string bad;

	act = SHRINK;
	host.limit[at] = n;
	bad = let_go(at);
	if (!bad.empty())
		return bad;
	seq = host.seq();
	for (uint32_t b = n; b < had; b++)
		host.oracle.begun(first + b, seq, 0);
	p.or_blocks = n;
	bad = ended("making a volume smaller", w.volume_resize(at, n));
	for (uint32_t b = n; b < had; b++)
		host.oracle.holds(first + b, 0);
	p.blocks = n;
	p.or_blocks = 0;
	return bad;
}

} // namespace sim
