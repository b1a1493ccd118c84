/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "proof.h"

#include <algorithm>
#include <cerrno>
#include <unordered_map>

namespace sim
{

namespace
{

struct Waiter {
	map_wait wait = {};
	bool over = false;
	int status = 0;

	Waiter()
	{
		wait.urgent = true;
		wait.fn = [](map_wait *m, int s) {
			Waiter *self = (Waiter *)m; /* wait is first */

			self->over = true;
			self->status = s;
		};
	}
};

/* Entries of a tree, between two turns. @return 1: some page had to be read first, and all is to begin anew. */
int
entries(World &w, map_tree *t, std::vector<map_entry> &out)
{
	uint64_t at = 0, end = map_tree_size(t);
	bool waited = false;

	out.clear();
	while (at < end) {
		map_entry e[64];
		Waiter wt;
		int n = map_iterate(w.st->map, t, &at, end, e, 64, 1000, &wt.wait);

		if (n == -EAGAIN) {
			while (!wt.over)
				w.turn();
			if (wt.status < 0)
				return wt.status;
			waited = true;
			continue;
		}
		if (n < 0)
			return n;
		out.insert(out.end(), e, e + n);
	}
	return waited;
}

struct Found {
	std::vector<std::vector<map_entry>> vol;
	std::vector<map_entry> shares;
};

/* All of it as it is at one time. */
int
collect(World &w, Found &f)
{
	for (int tries = 0; tries < 50; tries++) {
		int ret = entries(w, w.st->shares, f.shares), more;

		f.vol.resize(w.st->n_vol);
		for (uint32_t i = 0; i < w.st->n_vol && ret >= 0; i++) {
			more = entries(w, w.st->vol[i]->tree, f.vol[i]);
			ret = more < 0 ? more : ret | more;
		}
		if (ret <= 0)
			return ret;
	}
	return -ETIMEDOUT;
}

std::string
text(const char *what, uint64_t i, uint64_t has, uint64_t should)
{
	return std::string(what) + " " + std::to_string(i) + ": " + std::to_string(has) + ", and it should be " +
	       std::to_string(should);
}

struct Share {
	uint64_t place = 0, refs = 0, found = 0;
};

} // namespace

std::string
prove(World &w)
{
	std::unordered_map<uint64_t, Share> shares;
	std::vector<uint64_t> places;
	std::vector<uint32_t> live(w.st->n_seg);
	uint64_t refs = 0, blocks = 0;
	Found f;

	if (collect(w, f) < 0)
		return "the map cannot be read";
	for (const map_entry &e : f.shares) {
		Share &s = shares[e.idx / 2];

		if (e.idx % 2 == 0)
			s.place = e.value;
		else
			s.refs = e.value & ((1ull << 48) - 1);
	}
	for (uint32_t i = 0; i < w.st->n_vol; i++) {
		uint64_t shared = 0;

		for (const map_entry &e : f.vol[i]) {
			if (log_entry_kind(e.value) == LOG_ENTRY_DIRECT)
				places.push_back(e.value);
			else if (log_entry_kind(e.value) == LOG_ENTRY_SHARED && shares.count(log_entry_id(e.value)))
				shares[log_entry_id(e.value)].found++;
			else
				return text("an entry that is none, block", e.idx, e.value, 0);
			shared += log_entry_kind(e.value) == LOG_ENTRY_SHARED;
		}
		if (w.st->vol[i]->d.shared != shared)
			return text("blocks shared of volume", i, w.st->vol[i]->d.shared, shared);
		refs += shared;
	}
	for (auto &s : shares) {
		if (s.second.refs != s.second.found)
			return text("references of share", s.first, s.second.refs, s.second.found);
		places.push_back(s.second.place);
	}
	if (w.st->n_refs != refs)
		return text("references of", 0, w.st->n_refs, refs);
	std::sort(places.begin(), places.end());
	for (size_t i = 0; i < places.size(); i++) {
		if (log_entry_kind(places[i]) != LOG_ENTRY_DIRECT || log_entry_seg(places[i]) >= w.st->n_seg)
			return text("a place that is none", i, places[i], 0);
		if (i > 0 && places[i] == places[i - 1])
			return text("a place that is needed twice", i, places[i], 0);
		live[log_entry_seg(places[i])]++;
	}
	for (uint32_t i = 0; i < w.st->n_seg; i++) {
		const log_segment &d = w.st->seg[i].d;

		if (d.stream == STORE_META && d.state != STORE_SEG_FREE && live[i] == 0)
			continue;
		if (d.live != live[i])
			return text("live blocks of segment", i, d.live, live[i]);
		if (live[i] > 0 && (d.state == STORE_SEG_FREE || d.state == STORE_SEG_DRAINED))
			return text("a segment that is given up and needed", i, d.state, live[i]);
		blocks += live[i];
	}
	if (w.st->live_blocks != blocks)
		return text("live blocks of", 0, w.st->live_blocks, blocks);
	return "";
}

} // namespace sim
