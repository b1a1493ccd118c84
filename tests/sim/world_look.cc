/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A world looked at, by who looks for a cause. */

#include "world.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace sim
{

void
World::write_drives(const std::string &folder) const
{
	bytes part(65536);

	std::filesystem::create_directories(folder);
	for (unsigned i = 0; i < drives(); i++) {
		std::string path = folder + "/S" + std::to_string(i);
		std::ofstream file(path, std::ios::binary | std::ios::trunc);

		for (uint64_t off = 0; off < conf.drive_bytes; off += part.size()) {
			power_disk_peek(disks[i], off, part.data(), part.size());
			if (std::any_of(part.begin(), part.end(), [](uint8_t b) { return b != 0; }))
				file.seekp((long)off).write((const char *)part.data(), (long)part.size());
		}
		file.close();
		if (file.fail())
			throw std::runtime_error("a drive cannot be written to " + path);
		std::filesystem::resize_file(path, conf.drive_bytes);
	}
}

static const char states[] = "fOcSDB", streams[] = "hcwgm";

/* The place of a block, as the map says. */
std::string
World::where(uint32_t block) const
{
	uint64_t entry = 0, place = 0;
	char text[200];

	if (map_get(st->map, store_vol_named(st, vol[block / kBlocks]->name)->tree, lba(block), 1, &entry, nullptr) !=
		    0 ||
	    store_resolve(st, entry, &place, nullptr) != 0)
		return "nobody knows where";
	const log_segment &d = st->seg[log_entry_seg(place)].d;

	snprintf(text, sizeof(text), "%s of segment %u (%c%c) offset %u, row %u",
		 entry != place ? "shared block" : "block", log_entry_seg(place), states[d.state], streams[d.stream],
		 log_entry_off(place), log_entry_off(place) / st->sp->row_bytes);
	return text;
}

void
World::dump() const
{

	if (g != nullptr) {
		struct log_group_status s = group();

		fprintf(stderr, "group: missing %u stale %u rebuild %lu of %lu, drained %d, inflight %u\n", s.missing,
			s.stale, s.rebuild_done, s.rebuild_total, log_group_drained(g), 0u);
	}
	if (st == nullptr)
		return;
	fprintf(stderr,
		"store: requests %lu, free %u drained %u ready %u keep %u spare %ld since %u full %d failed %d ckpt %u "
		"wanted %d rows free %u gc %s live %lu\n",
		open_reqs, st->n_free, st->n_drained, store_seg_ready(st), store_seg_keep_meta(st), store_seg_spare(st),
		st->n_since, st->full, st->failed, st->ckpt.state, st->ckpt.wanted, st->n_row_free,
		store_gc_idle(st) ? "idle" : "busy", st->live_blocks);
	for (uint32_t i = 0; i < st->n_seg; i++) {
		if (conf.large.parts == 1 || st->seg[i].d.state != STORE_SEG_BAD)
			fprintf(stderr, "%u:%c%c %u/%u r%u ", i, states[st->seg[i].d.state],
				streams[st->seg[i].d.stream], st->seg[i].d.live, st->seg[i].d.blocks,
				st->seg[i].readers);
	}
	fprintf(stderr, "\n");
}

} // namespace sim
