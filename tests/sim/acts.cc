/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "acts.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

extern "C" {
#include "app/keys.h"
#include "gcm.h"
}

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
	static const char *const names[ACTS] = {"none",		 "deleting a volume", "making one",    "making smaller",
						"making larger", "forgetting",	      "changing keys", "tidying keys",
						"erasing keys",	 "sealing anew"};

	printf("%s", head);
	for (unsigned i = 1; i < ACTS; i++)
		printf("%s %s %lu", i > 1 ? "," : "", names[i], acts[i]);
	printf("\n");
}

Acts::Acts(World &world, Host &h, uint64_t seed, bool r) : w(world), host(h), rnd(seed), reseals(r)
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
	bad = w.conf.domains > 0 && rnd() % 2 == 0 ? keys(at) : volumes(at);
	w.each_turn = nullptr;
	act = NO_ACT;
	return bad;
}

std::string
Acts::volumes(unsigned at)
{
	if (w.vol[at] == nullptr)
		return make(at);
	return rnd() % 2 == 0 ? remove(at, w.conf.domains > 1 && rnd() % 2 == 0) : resize(at);
}

std::string
Acts::keys(unsigned at)
{
	switch (rnd() % (reseals ? 6 : 3)) {
	case 3:
	case 4:
		return reseal();
	case 0:
		return w.vol[at] != nullptr ? rotate(at) : "";
	case 1:
		return tidy();
	default:
		return w.vol[at] != nullptr ? erase(at) : "";
	}
}

std::string
Acts::settle()
{
	std::string bad;

	for (unsigned at = 0; at < kVolumes && bad.empty(); at++) {
		if (w.vol[at] == nullptr)
			bad = make(at);
	}
	if (bad.empty())
		bad = wait_forgotten(w);
	if (bad.empty() && reseals)
		bad = reseal();
	act = NO_ACT;
	return bad;
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
Acts::remove(unsigned at, bool keys)
{
	Place &p = host.oracle.place[at];
	std::string name = "v" + std::to_string(at), bad;

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
	/* First the keys, so that who finds the volume knows what is left to do. */
	if (keys) {
		p.keyless = true;
		bad = destroy_keys(at);
		for (uint32_t b = at * kBlocks; b < (at + 1) * kBlocks; b++)
			host.oracle.holds(b, 0);
	}
	if (!bad.empty())
		return bad;
	/* It may come back, without some of its blocks, until this is durable. */
	act = DELETE;
	may_be_zero(at);
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
	p = {w.last_born + 1, true, true, w.last_born, false, kBlocks, 0};
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

/* --- keys --------------------------------------------------------------------------------------------------------- */

void
Acts::may_be_zero(unsigned at)
{
	uint64_t seq = host.seq();

	for (uint32_t b = at * kBlocks; b < (at + 1) * kBlocks; b++)
		host.oracle.begun(b, seq, 0);
}

/* What is written from now on has another key. */
std::string
Acts::rotate(unsigned at)
{
	int had = gcm_epoch(w.chain.seal, w.domain(at)), ret;

	act = ROTATE;
	ret = gcm_domain_rotate(w.chain.seal, w.domain(at));
	return ended("changing keys", ret == had + 1 ? 0 : ret);
}

/* Is there a segment that may have been open when power went, or that cannot be read whole? */
static bool
torn(const World &w)
{
	return std::any_of(w.st->seg, w.st->seg + w.st->n_seg, [](const store_seg &g) {
		return g.d.state == STORE_SEG_SUSPECT || g.d.state == STORE_SEG_BAD ||
		       (g.d.state == STORE_SEG_DRAINED && g.born == 0);
	});
}

std::string
Acts::wait_tidied(int *status)
{
	keys_tidy *t = keys_tidy_begin(w.st, w.chain.seal, 0);
	unsigned n = 0;

	if (t == nullptr)
		return "tidying keys does not begin";
	while ((*status = keys_tidy_status(t, &n)) == -EINPROGRESS)
		w.turn();
	keys_tidy_end(t);
	forgotten += n;
	return "";
}

/* Keys that no chunk needs any more are forgotten; unless what some were sealed with cannot be told. */
std::string
Acts::tidy()
{
	int ret = 0;

	/* It may be free by the time that the answer comes. */
	const bool before = torn(w);

	act = TIDY;
	std::string bad = wait_tidied(&ret);

	if (!bad.empty() || (ret == -EIO && (before || torn(w))))
		return bad;
	return ended("tidying keys", ret);
}

/* Keys that newer ones have taken the place of. */
unsigned
Acts::old_keys()
{
	gcm_domain d[8];
	unsigned n = gcm_domains(w.chain.seal, d, 8), sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += d[i].old_keys;
	return sum;
}

/* @p whole: nothing was left, for a reason that there may be. */
std::string
Acts::sealed_anew(bool *whole)
{
	std::vector<store_reseal_target> t;
	struct store_reseal_status s;
	gcm_domain d[8];
	unsigned n = gcm_domains(w.chain.seal, d, 8);

	for (unsigned i = 0; i < n; i++) {
		if (d[i].epoch != 0 && d[i].old_keys > 0)
			t.push_back({d[i].domain, d[i].epoch});
	}
	store_reseal_rate(w.st, rnd() % 2 == 0 ? 0 : 1 << 20);
	store_reseal_begin(w.st, t.data(), (unsigned)t.size());
	for (unsigned turns = 0;; turns++) {
		store_reseal_get(w.st, &s);
		act = s.chunks > 0 ? RESEAL : act; /* power goes here, rather than before */
		if (s.state == STORE_RESEAL_ENDED || (s.no_room && turns > kPatience / 4))
			break;
		if (turns > kPatience) {
			w.dump();
			return "sealing anew does not end";
		}
		w.turn();
	}
	resealed += s.chunks;
	*whole = s.state == STORE_RESEAL_ENDED && s.damaged + s.unopened + s.unread == 0;
	if (s.damaged > 0 || (s.unread > 0 && !torn(w)))
		return std::to_string(s.damaged) + " chunks, " + std::to_string(s.unread) + " segments are left";
	/* What a volume left behind that is not there any more. */
	if (s.unopened > 0 && !forgetting(w) && w.vol[0] != nullptr && w.vol[1] != nullptr)
		return std::to_string(s.unopened) + " chunks cannot be opened";
	return "";
}

/* As `strakectl key rotate` does it: new keys, all is sealed with them, and the older ones are gone. */
std::string
Acts::reseal()
{
	bool whole = false, before = torn(w);
	std::string bad;
	int ret = 0;

	act = NO_ACT;
	for (unsigned at = 0; at < kVolumes && bad.empty(); at++) {
		if (w.vol[at] != nullptr && (at == 0 || w.domain(at) != w.domain(0)) &&
		    gcm_domain_rotate(w.chain.seal, w.domain(at)) < 0)
			bad = "changing keys fails";
	}
	/* What was on its way may be appended when all else is done. */
	for (unsigned tries = 0; tries < 3 && bad.empty() && ret == 0 && old_keys() > 0; tries++) {
		bad = sealed_anew(&whole);
		if (!whole)
			break;
		if (bad.empty())
			bad = wait_tidied(&ret);
	}
	store_reseal_end(w.st);
	if (bad.empty() && whole && ret == 0 && old_keys() > 0)
		bad = std::to_string(old_keys()) + " keys are in use that nothing should have";
	act = RESEAL;
	if (!bad.empty() || (ret == -EIO && (before || torn(w))))
		return bad;
	return ended("sealing anew", ret);
}

std::string
Acts::destroy_keys(unsigned at)
{
	act = ERASE;
	return ended("erasing keys", gcm_domain_erase(w.chain.seal, w.domain(at)));
}

/* As `strakectl key erase` does it: of all volumes that have the key; what they hold is forgotten before. */
std::string
Acts::erase(unsigned at)
{
	const uint32_t domain = w.domain(at);
	std::string bad;

	act = ERASE;
	for (unsigned i = 0; i < kVolumes && bad.empty(); i++) {
		if (w.domain(i) != domain || w.vol[i] == nullptr)
			continue;
		host.limit[i] = 0;
		bad = let_go(i);
		may_be_zero(i);
		if (bad.empty() && log_clear(w.vol[i]) != 0)
			bad = "a volume cannot be emptied";
		for (uint32_t b = i * kBlocks; b < (i + 1) * kBlocks; b++)
			host.oracle.holds(b, 0);
	}
	if (bad.empty())
		bad = destroy_keys(at);
	if (bad.empty() && gcm_domain_add(w.chain.seal, domain) != 0)
		bad = "no new key";
	for (unsigned i = 0; i < kVolumes && bad.empty(); i++) {
		if (w.domain(i) == domain && w.vol[i] != nullptr)
			host.limit[i] = w.blocks(i);
	}
	return bad;
}

} // namespace sim
