/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* How an image of a story is recovered, in one of several ways, and judged. */

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "proof.h"
#include "story.h"

extern "C" {
#include "power_medium.h"
#include "stages/stripe/log_super_format.h"
}

namespace sim
{

/* For strake-fsck: the drives, in a folder of STRAKE_SIM_IMAGES. */
void
Story::keep(const std::string &name) const
{
	static const char *const folder = getenv("STRAKE_SIM_IMAGES");

	if (folder != nullptr)
		w.write_drives(std::string(folder) + "/" + std::to_string(seed) + "-" + name);
}

/* Does the segment table? */
static bool
in_several_segments(const log_super &s)
{
	for (uint32_t i = 1; i < s.n_table; i++) {
		if (log_entry_seg(s.table[i]) != log_entry_seg(s.table[0]))
			return true;
	}
	return false;
}

std::string
Story::boot(uint32_t drives)
{
	int ret = w.boot(drives);

	/* It is being forgotten, or was while this booted. */
	totals.parted += ret == 0 && in_several_segments(w.st->ckpt.super);
	totals.in_acts[FORGET] += ret == 0 && (Acts::forgetting(w) || w.st->dead != nullptr);
	return ret == 0 ? "" : "it does not open: " + w.why + " (" + std::to_string(ret) + ")";
}

std::string
Story::judge(Oracle &oracle, bool learn)
{
	std::string bad = Host::check(w, oracle, learn);

	if (bad.empty() && learn)
		host.opened();
	if (bad.empty())
		bad = prove(w);
	if (bad.empty() && learn)
		bad = prove_drives(w, members(), lying(kind), totals.proved);
	if (bad.empty() && Acts::forgetting(w) && !learn) {
		bad = Acts::wait_forgotten(w);
		return bad.empty() ? prove(w) : bad;
	}
	return bad;
}

/* Recovery itself loses power, so many times, at any of its writes. */
std::string
Story::cut_again(unsigned cuts)
{
	for (unsigned i = 0; i < cuts; i++) {
		int ret;

		power_cut_at(w.ps, 1 + rnd() % 160);
		ret = w.boot(w.all_drives());
		if (ret != 0 && power_is_on(w.ps))
			return "it does not open: " + w.why;
		if (!power_is_on(w.ps)) {
			totals.in_recovery++;
			totals.points++;
		}
		w.crash();
	}
	return boot(w.all_drives());
}

/* One drive has other bytes than it should, here and there: flipped, of another place, or of an older time. */
std::string
Story::damage(Image &)
{
	const uint64_t bytes = w.used_bytes();
	power_disk *d = w.disks[rnd() % w.drives()];
	std::vector<uint8_t> some(4096);

	for (unsigned i = 0; i < 24; i++) {
		uint64_t off = w.used_off(rnd() % (bytes / 4096) * 4096), len = rnd() % 3 == 0 ? 4096 : 512;

		power_disk_peek(d, rnd() % 2 == 0 ? off : w.used_off(rnd() % (bytes / 4096) * 4096), some.data(), len);
		if (rnd() % 2 == 0)
			some[rnd() % len] ^= (uint8_t)(1 + rnd() % 255);
		power_disk_poke(d, off, some.data(), len);
	}
	totals.damaged++;
	return boot(w.all_drives());
}

static void
bad_sectors(power_disk *d, uint64_t off, uint64_t len)
{
	power_fault f = {};

	f.ops = 1u << STRAKE_IO_READ;
	f.off = off;
	f.len = len;
	f.status = -EIO;
	f.heals = true;
	power_disk_fault(d, &f);
}

/* Sectors of one drive that cannot be read until they are written, also one each of its superblocks, of the notes that
 * a store has, and of the intents. */
std::string
Story::unreadable()
{
	const uint64_t bytes = w.used_bytes();
	power_disk *d = w.disks[rnd() % w.drives()];
	uint64_t head = seed + totals.unreadable;

	for (unsigned i = 0; i < 8; i++) {
		uint64_t off = w.used_off(rnd() % (bytes / 512) * 512);

		bad_sectors(d, off, 512 * (1 + rnd() % 16));
	}
	bad_sectors(d, power_draw(&head) % (2 * LOG_SUPER_BYTES / 512) * 512, 512);
	bad_sectors(d, LOG_NOTES_OFF + power_draw(&head) % (4 * LOG_NOTE_SLOT / 512) * 512, 512);
	bad_sectors(d, LOG_INTENTS_OFF + power_draw(&head) % (262144 / 512) * 512, 512);
	totals.unreadable++;
	return boot(w.all_drives());
}

/* One drive more is lost than can be spared: errors, but no wrong byte; and all is there when they are back. */
std::string
Story::too_many(Image &im)
{
	std::string bad = boot(w.all_drives());
	std::vector<Request> reqs(8);
	const uint32_t n = w.conf.together != 0 ? w.conf.together : 16;
	uint32_t at[8];

	if (!bad.empty())
		return bad;
	for (unsigned i = 0; i < reqs.size(); i++) {
		at[i] = i * 40 % kAll;
		if (at[i] % kBlocks + n > w.blocks(at[i] / kBlocks))
			at[i] -= at[i] % kBlocks;
	}
	for (unsigned i = 0; i <= w.conf.parity; i++)
		power_disk_vanish(w.disks[(seed + i) % w.drives()], true);
	for (unsigned i = 0; i < reqs.size(); i++)
		w.submit(reqs[i], i == 7 ? STRAKE_OP_FLUSH : STRAKE_OP_READ, at[i], i == 7 ? 0 : n, {}, 0, false);
	if (!w.drain()) {
		w.crash();
		return "requests hang with too many drives lost";
	}
	for (unsigned i = 0; i < 7; i++) {
		for (uint32_t b = 0; reqs[i].status == 0 && b < n; b++) {
			if (!Host::allows(w, im.oracle, at[i] + b, stamp_of(&reqs[i].data[b * 4096])))
				return "a wrong byte with too many drives lost";
		}
	}
	w.crash();
	for (power_disk *d : w.disks)
		power_disk_vanish(d, false);
	totals.too_many++;
	return boot(w.all_drives());
}

std::string
Story::in_order(Image &im)
{
	std::string bad = boot(w.all_drives());
	int ret;

	if (bad.empty())
		bad = judge(im.oracle);
	if (!bad.empty())
		return bad;
	ret = w.stop();
	totals.in_order++;
	return ret != 0 ? "closing ends with " + std::to_string(ret) : boot(w.all_drives());
}

/* The group's drives; others are no members yet, have no superblock any more, or did not come back. */
uint32_t
Story::members() const
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < w.group().members; i++)
		mask |= (uint32_t)log_group_has_drive(w.g, w.drive[i]) << i;
	return mask;
}

/* A point ends: in order, or power goes once more. Either way strake-fsck is to find nothing wrong. */
std::string
Story::leave(bool in_order, bool mendable)
{
	uint32_t mask = members();
	int ret = 0;

	if (in_order)
		ret = w.stop();
	else
		w.crash();
	return ret != 0 ? "closing ends with " + std::to_string(ret) : prove_drives(w, mask, mendable, totals.proved);
}

std::string
Story::recover(Image &im)
{
	unsigned dice = (unsigned)(rnd() % 16);
	Way way = dice < 3 ? PLAIN : dice < 11 ? CUT : (Way)(DEGRADED + dice - 11);
	std::string bad;

	power_image_load(w.ps, im.drives);
	keep(std::to_string(im.nth) + (im.frail ? "-frail" : ""));
	totals.points++;
	/* Each fourth also as power left it, where strake-fsck has to foresee what recovery makes of it. */
	if (im.nth % 4 == 1)
		bad = prove_drives(w, w.all_drives(), true, totals.proved);
	if (!bad.empty())
		return "as it was left: " + bad;
	/* Those who come back after that are to be rebuilt, as many as there is parity, and the others must not lie. */
	if (lying(kind) && way == TOO_MANY)
		way = PLAIN;
	/* Those which lean on parity, or on all drives but one being good. */
	if ((im.frail || !loses(seed, kind)) &&
	    (way == DEGRADED || way == DAMAGED || way == UNREADABLE || way == TOO_MANY))
		way = PLAIN;
	switch (way) {
	case CUT:
		bad = cut_again(1 + (unsigned)(rnd() % 3));
		break;
	case DEGRADED:
		totals.degraded++;
		bad = boot(w.all_drives() & ~(1u << rnd() % w.drives()));
		break;
	case DAMAGED:
		bad = damage(im);
		break;
	case UNREADABLE:
		bad = unreadable();
		break;
	case TOO_MANY:
		bad = too_many(im);
		break;
	case IN_ORDER:
		bad = in_order(im);
		break;
	default:
		bad = boot(w.all_drives());
	}
	if (bad.empty())
		bad = judge(im.oracle);
	if (w.up())
		totals.repaired += w.st->stats.repaired;
	if (bad.empty())
		bad = leave(im.nth % 2 == 0, way == DAMAGED || lying(kind));
	if (w.g != nullptr)
		w.crash();
	for (power_disk *d : w.disks)
		power_disk_no_faults(d);
	if (!bad.empty()) {
		static const char *const names[] = {
			"",	     "cut in recovery: ", "degraded: ", "damaged: ", "unreadable: ", "too many lost: ",
			"in order: "};

		bad = names[way] + bad;
	}
	return bad;
}

} // namespace sim
