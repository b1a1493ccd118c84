/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "story.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

extern "C" {
#include "power_medium.h"
#include "stages/stripe/log_super_format.h"
}

namespace sim
{

/* --- one seed ----------------------------------------------------------------------------------------------------- */

static const struct {
	unsigned data, parity;
	uint32_t unit;
} shapes[] = {{3, 1, 16384}, {2, 1, 32768}, {3, 1, 16384}, {3, 2, 16384},
	      {3, 1, 16384}, {2, 2, 32768}, {3, 1, 16384}, {3, 3, 16384}};

bool
Story::loses(uint64_t seed, Kind kind)
{
	return !lying(kind) ||
	       (shapes[seed % 8].parity > 1 && seed / 24 % 2 == 0 && (kind != LYING_ALL || shapes[seed % 8].data > 2));
}

unsigned
Story::liars(uint64_t seed, Kind kind)
{
	const unsigned data = shapes[seed % 8].data, parity = shapes[seed % 8].parity, gone = loses(seed, kind);

	if (!lying(kind))
		return 0;
	/* Without their superblocks the others must still be more than there is parity: else they are not sure to know
	 * the newest. */
	return kind != LYING_ALL ? parity - gone : std::min(parity - gone, data - 1 - gone);
}

WorldConf
Story::world_conf(uint64_t seed, Kind kind)
{
	const bool sealed = kind == SEALED || kind == RESEALED || (kind == LYING_ALL && seed % 5 == 2);
	uint64_t r = seed;
	WorldConf c;

	c.seed = power_draw(&r);
	c.data = shapes[seed % 8].data;
	c.parity = shapes[seed % 8].parity;
	c.unit = shapes[seed % 8].unit;
	c.drive_bytes += power_draw(&r) % 8 * 65536 + (c.unit > 16384 ? 1u << 20 : 0);
	c.delay_turns = seed % 5;
	c.write_through = seed % 11 == 0;
	c.checkpoint_bytes = 200000 + power_draw(&r) % 1500000;
	c.row_age = (1 + power_draw(&r) % 50) * 1000000ull;
	c.packs = kind == PACKED || (sealed && seed % 2 == 0);
	c.checkpoint_bytes /= c.packs ? 2 : 1;
	c.spare = kind == GROWN || (kind == LYING_ALL && seed % 3 == 1);
	c.lively = kind == VOLUMES || sealed;
	c.domains = sealed ? 1 + (seed % 4 < 2) : 0;
	c.together = kind == VOLUMES ? 8 : 0;
	if (kind == LARGE || kind == LARGE_LYING) {
		const uint64_t before = lgroup_super_data_off(262144), column = c.unit * c.rows;

		c.large = {2u + (seed % 4 == 3), (uint32_t)((c.drive_bytes - before) / column)};
		c.drive_bytes = Large::drive_bytes(c.large.segments() * column);
	}
	return c;
}

Story::Story(uint64_t s, unsigned n, Kind k)
    : seed(s), points(n), kind(k), rnd(s * 7919 + 1), w(world_conf(s, k)), host(w, s * 31 + 7)
{
	totals.seeds = 1;
	if (lying(kind))
		w.lie(liars(s, k), 1u << ((seed / 8 + 1) % POWER_LIES), kind == LYING_ALL);
	if (w.conf.lively)
		acts = std::make_unique<Acts>(w, host, s * 131 + 3, k == RESEALED);
}

Story::~Story()
{
	/* While the host is there to be told what ends now. */
	if (w.g != nullptr)
		w.crash();
	for (Image &im : images)
		power_image_free(im.drives);
}

std::string
Story::run()
{
	constexpr unsigned kLives = 2;

	for (unsigned i = 0; i < kLives; i++) {
		std::string bad = live(i, kLives);

		if (!bad.empty())
			return "life " + std::to_string(i) + ": " + bad;
	}
	return finish();
}

void
Story::tell()
{
	const store_stats &s = w.st->stats;

	totals.checkpoints += s.checkpoints;
	totals.collected += s.collected;
	totals.moved += s.moved_blocks;
	totals.hits += s.hit_blocks;
	totals.repacked += s.repacked;
	totals.saved += s.plain_bytes - s.stored_bytes;
	totals.intents += s.intents;
	totals.replayed += s.replayed;
	totals.dropped += s.dropped;
	totals.lost += s.lost;
	totals.repaired += s.repaired;
	totals.caught += s.read_retries;
}

/* Up to the loss of power; then what was taken meanwhile is recovered; then the drives are what that left. */
std::string
Story::live(unsigned life, unsigned lives)
{
	std::string bad = boot(w.all_drives());
	power_image *left;

	if (bad.empty())
		bad = judge(host.oracle, true);
	if (bad.empty())
		bad = take_back();
	if (!bad.empty())
		return bad;
	gap = 12;
	more = 0;
	stale = false;
	power_watch(w.ps, watched, this);
	bad = work((kind == PACKED || w.conf.domains > 0 ? 180 : 100) + (unsigned)(rnd() % 60),
		   loses(seed, kind) && (life == 0 || rnd() % 2 == 0));
	power_watch(w.ps, nullptr, nullptr);
	if (!bad.empty())
		return bad;
	tell();
	w.crash();
	host.die();
	totals.points++;
	left = power_image_take(w.ps, 0);
	while (!images.empty() && bad.empty()) {
		uint64_t nth = images.back().nth;

		bad = recover(images.back());
		if (!bad.empty())
			bad = "power lost at write " + std::to_string(nth) + ": " + bad;
		power_image_free(images.back().drives);
		images.pop_back();
	}
	power_image_load(w.ps, left);
	power_image_free(left);
	return bad;
}

/* The host at work; a drive goes away and comes back, and is rebuilt beside it. */
std::string
Story::work(unsigned ops, bool lose)
{
	/* Not the one that is added only now: what has nothing on it yet is not rebuilt. */
	bool grows = w.conf.spare && w.group().members < w.drives();
	unsigned depth = 1 + (unsigned)(rnd() % 12), gone = (unsigned)(rnd() % (w.drives() - grows));
	unsigned lose_at = lose ? ops / 4 : ops, back_at = lose ? ops / 4 + (unsigned)(rnd() % 40) : ops;
	bool back = false, lost = false;
	std::string bad;

	away = false;

	for (unsigned i = 0; i < ops && host.wrong.empty() && bad.empty(); i++) {
		for (unsigned t = 0; w.open_reqs >= depth; t++) {
			w.turn();
			if (t > patience()) {
				w.dump();
				return "requests hang";
			}
		}
		allowed = 1 + points * (i + 1) / ops + more;
		if (w.conf.spare && w.group().members < w.drives()) {
			allowed = 0;
			bad = i == 6 ? grow() : "";
		}
		slow_down(i + 12);
		if (i >= lose_at && !lost && wait_in_sync().empty()) {
			power_disk_vanish(w.disks[gone], true);
			lost = away = true;
		}
		if (lost && i >= back_at && !back)
			bad = give_back(gone, &back);
		if (acts != nullptr && i % 12 == 5 && bad.empty())
			bad = do_act();
		host.begin();
	}
	power_disk_vanish(w.disks[gone], false);
	for (power_disk *d : w.disks)
		power_disk_slow(d, 1);
	slow = false;
	return bad.empty() ? host.wrong : bad;
}

/* A drive is added; columns move to it while the host goes on. */
std::string
Story::grow()
{
	std::string bad = wait_in_sync();
	int ret;

	if (!bad.empty())
		return bad;
	more += 8;
	allowed = (unsigned)images.size() + 4;
	adding = true;
	ret = w.grow();
	adding = false;
	return ret == 0 ? "" : "a drive cannot be added: " + w.why;
}

bool
Story::growing() const
{
	const struct log_group_status g = w.group();

	return adding || g.segments != g.segments_coming;
}

std::string
Story::wait_grown()
{
	for (unsigned t = 0; growing(); t++) {
		if (t > 1000000) {
			w.dump();
			return "growth does not end";
		}
		w.turn();
	}
	totals.grown += w.group().members > w.conf.data + w.conf.parity;
	return "";
}

/* With images of its own. */
std::string
Story::do_act()
{
	allowed += kind == RESEALED ? 2 : 1;
	more++;
	return acts->next();
}

/* In a third of the stories one drive now and then answers 10 to 1000 times as slowly, for some operations. */
void
Story::slow_down(unsigned i)
{
	if (seed % 3 != 0)
		return;
	if (i % 24 == 0) {
		power_disk_slow(w.disks[i / 24 % w.drives()], seed % 2 == 0 ? 10 : 10 + (uint32_t)(seed * 37 % 990));
		totals.slow++;
		slow = true;
	} else if (i % 24 == 8) {
		for (power_disk *d : w.disks)
			power_disk_slow(d, 1);
		slow = false;
	}
}

std::string
Story::give_back(unsigned i, bool *back)
{
	log_member_figures f;

	log_group_member_get(w.g, i, &f);
	if (f.state != LOG_MEMBER_MISSING)
		return ""; /* nobody has noticed yet */
	*back = true;
	power_disk_vanish(w.disks[i], false);
	away = false;
	return member_return(i);
}

/* If it has lied about its superblocks, it has to be erased before. */
std::string
Story::member_return(unsigned i)
{
	char err[300] = "";
	int ret = log_group_member_return(w.g, i, w.drive[i], err, sizeof(err));

	if (ret == -EEXIST && kind == LYING_ALL) {
		w.erase(i);
		totals.erased++;
		ret = log_group_member_return(w.g, i, w.drive[i], err, sizeof(err));
	}
	return ret == 0 ? "" : std::string("a drive cannot come back: ") + err;
}

/* Drives that were left out as they have no superblock any more. */
std::string
Story::take_back()
{
	std::string bad;

	for (unsigned i = 0; kind == LYING_ALL && i < w.group().members && bad.empty(); i++) {
		log_member_figures f;

		log_group_member_get(w.g, i, &f);
		if (f.state == LOG_MEMBER_MISSING && !log_group_has_drive(w.g, w.drive[i]))
			bad = member_return(i);
	}
	return bad;
}

std::string
Story::wait_in_sync()
{
	stale = stale || w.group().stale > 0;
	for (unsigned t = 0; w.group().stale + w.group().missing > 0; t++) {
		if (t > patience()) {
			w.dump();
			return "rebuild does not end";
		}
		w.turn();
	}
	totals.rebuilt += stale;
	stale = false;
	return "";
}

/* Has all happened that every seed shall see? Some hosts take longer than others. */
bool
Story::seen_all() const
{
	const store_stats &s = w.st->stats;

	return totals.checkpoints + s.checkpoints > 0 && totals.collected + s.collected > 0 &&
	       totals.moved + s.moved_blocks > 0 && totals.hits + s.hit_blocks > 0 && host.figures.trims > 0;
}

/* Power went where there was nothing to play, each time: short lives, until recovery has had something. */
std::string
Story::replay_some()
{
	std::string bad;

	while (bad.empty() && totals.replayed + w.st->stats.replayed == 0) {
		bad = judge(host.oracle, true);
		for (unsigned i = 0; i < 12 && bad.empty(); i++) {
			host.begin();
			bad = w.drain() ? host.wrong : "requests hang";
		}
		if (!bad.empty())
			break;
		tell();
		w.crash();
		host.die();
		totals.points++;
		bad = boot(w.all_drives());
	}
	return bad;
}

/* In order: nothing is lost, nothing is torn. */
std::string
Story::finish()
{
	std::string bad = boot(w.all_drives());

	if (bad.empty())
		bad = replay_some();
	if (bad.empty())
		bad = judge(host.oracle, true);
	if (bad.empty())
		bad = take_back();
	if (bad.empty() && acts != nullptr)
		bad = acts->settle();
	if (bad.empty() && w.conf.spare)
		bad = wait_in_sync();
	if (bad.empty() && w.conf.spare)
		bad = wait_grown();
	for (unsigned i = 0; (i < 40 || (i < 4000 && !seen_all())) && bad.empty(); i++) {
		host.begin();
		bad = w.drain() ? host.wrong : "requests hang";
	}
	if (bad.empty())
		bad = wait_in_sync();
	if (!bad.empty())
		return bad;
	tell();
	host.die();
	bad = leave(true, lying(kind));
	if (!bad.empty())
		return bad;
	keep("closed");
	for (uint32_t b = 0; b < kAll; b++)
		host.oracle.holds(b, host.oracle.last_stamp(b));
	bad = boot(w.all_drives());
	if (bad.empty())
		bad = judge(host.oracle);
	if (bad.empty())
		w.stop();
	if (acts != nullptr)
		totals.acts = acts->done, totals.forgotten = acts->forgotten, totals.resealed = acts->resealed;
	totals.trims = host.figures.trims;
	totals.flushes = host.figures.flushes;
	totals.fuas = host.figures.fuas;
	totals.full = host.figures.full;
	totals.lies = w.lies();
	return bad;
}

/* --- where power goes --------------------------------------------------------------------------------------------- */

/* What the store and the group are about: coarse, so that two that are the same are alike. */
uint64_t
Story::state() const
{
	const store *st = w.st;
	const struct log_group_status g = w.group();
	uint64_t key = 0;
	auto add = [&key](uint64_t v, uint64_t most) { key = key * (most + 1) + std::min(v, most); };
	unsigned intents = 0, filling = 0, moving = 0;

	for (const store_intent &in : st->intent)
		intents += in.busy;
	for (unsigned s = 0; s < LOG_STREAMS; s++) {
		filling |= (unsigned)(st->out[s].row != nullptr) << s;
		moving += st->out[s].written < st->out[s].given;
	}
	add(st->ckpt.state, 5);
	add(st->ckpt.list_only, 1);
	add(!store_gc_idle(st), 1);
	add(intents, 2);
	add(filling, 31);
	add(moving, 3);
	add(st->flushing, 1);
	add(st->barriers != nullptr, 1);
	add(st->waits != nullptr, 1);
	add(st->n_drained, 2);
	add(st->suspects, 1);
	add(st->full, 1);
	add(store_seg_ready(st) < 4, 1);
	add(g.missing, 1);
	add(g.stale, 1);
	if (acts != nullptr)
		add(acts->now(), ACTS);
	if (w.conf.spare)
		add(growing(), 1);
	if (w.conf.large.parts > 1)
		add(st->ckpt.state == STORE_CKPT_TABLE ? st->ckpt.super.n_table : 0, 2);
	return key;
}

bool
Story::between_parts() const
{
	return w.conf.large.parts > 1 && w.st != nullptr && w.st->ckpt.state == STORE_CKPT_TABLE &&
	       w.st->ckpt.super.n_table > 0;
}

void
Story::watched(void *arg, uint64_t nth)
{
	Story *s = (Story *)arg;
	bool stale = s->w.group().stale > 0;

	s->totals.rebuilt += s->stale && !stale;
	s->stale = stale;
	if (s->away || stale || s->w.group().missing > 0)
		s->frail = nth + 40;
	/* Sealing anew does not take long here, and from one part of the segment table to the next it is a turn. */
	bool parts = s->between_parts();
	unsigned allowed = s->allowed + (parts || (s->acts != nullptr && s->acts->now() == RESEAL) ? 3 : 0);

	if (s->w.st == nullptr || s->images.size() >= allowed)
		return;
	/* Where the store is as it never was with this seed, more often; and while a drive is rebuilt. */
	bool fresh =
		s->met.insert(s->state()).second || stale || parts || (s->acts != nullptr && s->acts->now() != NO_ACT);

	if (s->rnd() % (fresh ? 2 : s->gap) == 0)
		s->take(nth);
}

void
Story::take(uint64_t nth)
{
	const struct log_group_status g = w.group();
	uint64_t key = state();

	totals.states.insert(key);
	totals.in_checkpoint += w.st->ckpt.state != STORE_CKPT_IDLE;
	totals.in_table += between_parts();
	totals.in_collection += !store_gc_idle(w.st);
	totals.in_rebuild += g.stale > 0;
	totals.in_slow += slow;
	totals.in_growth += w.conf.spare && growing();
	if (acts != nullptr)
		totals.in_acts[acts->now()]++;
	images.push_back({power_image_take(w.ps, rnd()), host.oracle, nth < frail, nth});
}

} // namespace sim
