/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "image.h"

#include <cstring>
#include <stdexcept>

extern "C" {
#include "stages/crypto/keytable_format.h"
#include "stages/stripe/log_super_format.h"
#include "stages/volume/map_format.h"
#include "strake_kernel.h"
}

using sim::bytes;

namespace
{

constexpr uint32_t kIntents = 262144; /* bytes, as a group makes them */

sim::WorldConf
world_conf(uint64_t seed)
{
	sim::WorldConf c;

	c.seed = seed;
	c.checkpoint_bytes = 400000;
	c.row_age = 20000000;
	return c;
}

void
must(bool ok, const char *what)
{
	if (!ok)
		throw std::runtime_error(what);
}

/* Put the CRC32C of a structure in, over its bytes with the field zero. */
void
seal(uint8_t *at, size_t len, size_t field)
{
	uint32_t crc;

	memset(at + field, 0, 4);
	crc = strake_kernel->crc32c(0, at, len);
	memcpy(at + field, &crc, 4);
}

/* What lies in a note has a checksum of its own. */
void
note_seal(bytes &b, uint32_t id)
{
	uint32_t len;

	memcpy(&len, &b[LOG_NOTE_HEAD + (id == 0 ? 16 : 12)], 4);
	if (len <= LOG_NOTE_BYTES && len >= 128)
		seal(&b[LOG_NOTE_HEAD], len, id == 0 ? 12 : 16);
	seal(b.data(), b.size(), 12);
}

} // namespace

Image::Image(uint64_t seed) : w(world_conf(seed)), host(w, seed * 31 + 7), fsck(w), after(w)
{
	must(w.boot(w.all_drives()) == 0, "no first life");
	live(120);
	w.crash();
	host.die();
	keys_write();
	must(w.boot(w.all_drives()) == 0, "no second life");
	must(sim::Host::check(w, host.oracle, true).empty(), "wrong bytes");
	live(150);
	must(w.drain(), "it hangs");
	must(w.stop() == 0, "it is not closed");
	closed = power_image_take(w.ps, 0);
	closed_oracle = host.oracle;
	must(w.boot(w.all_drives()) == 0, "no third life");
	must(sim::Host::check(w, closed_oracle, true).empty(), "wrong bytes");
	host.oracle = closed_oracle;
	live(25);
	w.crash();
	host.die();
	killed = power_image_take(w.ps, 0);
	killed_oracle = host.oracle;
	find_killed();
	load(true);
	find_closed();
}

Image::~Image()
{
	power_image_free(closed);
	power_image_free(killed);
}

void
Image::live(unsigned ops)
{
	for (unsigned i = 0; i < ops; i++) {
		while (w.open_reqs >= 8)
			w.turn();
		host.begin();
	}
}

/* A table of keys as the appliance writes one, newest in copy B. */
void
Image::keys_write()
{
	static keytable t;
	lgroup_super s;
	bytes page(LOG_NOTE_SLOT);

	power_disk_peek(w.disks[0], 0, page.data(), LOG_SUPER_BYTES);
	if (lgroup_super_decode(&s, page.data()) != 0)
		power_disk_peek(w.disks[0], LOG_SUPER_BYTES, page.data(), LOG_SUPER_BYTES);
	must(lgroup_super_decode(&s, page.data()) == 0, "no superblock of the group");
	t = {};
	memcpy(t.uuid, s.uuid, 16);
	memset(t.check, 0x5c, sizeof(t.check));
	t.seq = 2;
	t.n_keys = 2;
	t.n_openings = t.last_opening = 1;
	for (uint16_t i = 0; i < 2; i++) {
		t.key[i] = {7, (uint16_t)(i + 1), KEYTABLE_LIVE, {}};
		memset(t.key[i].wrapped, 0x10 + i, KEYTABLE_WRAPPED);
	}
	t.opening[0].number = 1;
	memset(t.opening[0].salt, 0x77, KEYTABLE_SALT);
	keys.resize(keytable_bytes(2, 1));
	keytable_encode(&t, keys.data());
	for (uint64_t seq = 2; seq < 4; seq++) {
		lgroup_note n = {};

		n.seq = seq;
		memcpy(n.uuid, s.uuid, 16);
		n.id = 1;
		n.len = (uint32_t)keys.size();
		lgroup_note_encode(&n, keys.data(), page.data());
		for (power_disk *d : w.disks)
			power_disk_poke(d, lgroup_note_off(1, seq & 1), page.data(), page.size());
	}
}

void
Image::load(bool as_closed)
{
	power_image_load(w.ps, as_closed ? closed : killed);
	host.oracle = as_closed ? closed_oracle : killed_oracle;
	if (as_closed == files_closed)
		fsck.undo();
	else
		fsck.write();
	files_closed = as_closed;
}

/* --- where what lies ---------------------------------------------------------------------------------------------- */

log_super
Image::super() const
{
	const char *why = nullptr;
	bytes b = fsck.super();
	log_super s;

	must(log_super_decode(&s, b.data(), b.size(), &why) == 0, "no superblock of the store");
	return s;
}

Spot
Image::chunk(uint64_t place) const
{
	Spot s;

	s.kind = Spot::CHUNK;
	s.seg = log_entry_seg(place);
	s.off = log_entry_off(place);
	s.bytes = log_entry_bytes(place);
	return s;
}

void
Image::find_closed()
{
	log_super s = super();
	map_root root[sim::kVolumes + 1];
	uint64_t gen;
	int n = map_roots_decode(s.roots, s.roots_bytes, &gen, root, sim::kVolumes + 1);
	uint32_t next = (s.n_next * 4 + 7) & ~7u, at = LOG_NOTE_HEAD + LOG_SUPER_HEAD + s.n_table * 8 + next;
	log_head h;

	closed_spot["group"] = {Spot::SUPER, 0, 0, 0, LOG_SUPER_BYTES, 0, false};
	closed_spot["note"] = {Spot::NOTE, 0, 0, 0, LOG_NOTE_SLOT, 0, false};
	closed_spot["store"] = {Spot::NOTE, 0, 0, 0, LOG_NOTE_SLOT, LOG_NOTE_HEAD, false};
	closed_spot["volume"] = {Spot::NOTE, 0, 0, 0, LOG_NOTE_SLOT, at, false};
	closed_spot["roots"] = {Spot::NOTE, 0, 0, 0, LOG_NOTE_SLOT, at + s.n_volumes * LOG_SUPER_VOLUME, false};
	closed_spot["keys"] = {Spot::NOTE, 1, 0, 0, LOG_NOTE_SLOT, LOG_NOTE_HEAD, false};
	closed_spot["table"] = chunk(s.table[0]);
	for (int i = 0; i < n; i++) {
		if (root[i].addr != 0 && root[i].tree != UINT32_MAX) {
			closed_spot["inner"] = chunk(root[i].addr);
			closed_spot["inner"].field = LOG_HEAD;
			closed_spot["inner"].page = true;
		}
	}
	for (const sim::Fsck::Entry &e : fsck.map()) {
		const char *page = e.tree == UINT32_MAX ? "shares" : "leaf";

		closed_spot[page] = chunk(e.page);
		closed_spot[page].field = LOG_HEAD;
		closed_spot[page].page = true;
		if (log_entry_kind(e.value) != LOG_ENTRY_DIRECT)
			continue;
		Spot c = chunk(e.value);
		bytes b = fsck.get(c.seg, c.off, c.bytes);

		must(log_head_decode(&h, b.data(), b.size()) == 0, "no chunk");
		closed_spot[h.kind == LOG_MOVE ? "move" : "data"] = c;
	}
	/* An entry of the segment table that counts blocks. */
	bytes b = fsck.get(closed_spot["table"].seg, closed_spot["table"].off, closed_spot["table"].bytes);
	log_segment d;

	for (uint32_t i = 0; i < s.segments; i++) {
		log_segment_decode(&d, &b[LOG_HEAD + i * LOG_TABLE_ENTRY]);
		if (d.live > 0 && d.stream < LOG_STREAMS - 1) {
			closed_spot["segment"] = closed_spot["table"];
			closed_spot["segment"].field = LOG_HEAD + i * LOG_TABLE_ENTRY;
		}
	}
	log_super_free(&s);
}

/* What is to be played: records of each kind, and intents. */
void
Image::find_killed()
{
	fsck.write();
	log_super s = super();

	for (uint32_t seg = 0; seg < s.segments; seg++) {
		bytes b = fsck.get(seg, 0, w.conf.data * w.conf.unit * w.conf.rows);
		log_head h;
		log_record r;

		for (uint32_t off = 0; off < b.size(); off += LOG_GRAIN) {
			if (log_head_decode(&h, &b[off], b.size() - off) != 0 || h.kind != LOG_RECORDS ||
			    h.seg != seg || h.off != off || h.lsn <= s.lsn || off + h.bytes > b.size() ||
			    !log_chunk_checks(&h, &b[off]))
				continue;
			for (uint32_t i = 0; i < h.seal.stored; i += LOG_RECORD) {
				uint32_t at = h.head_bytes + i;

				if (log_record_decode(&r, &b[off + at]) == 0)
					killed_spot[r.type == LOG_REC_HIT ? "hit" : "trim"] = {
						Spot::CHUNK, 0, seg, off, h.bytes, at, false};
			}
		}
	}
	/* One that no copy has torn, with payload enough for a field of it. */
	bytes ring = fsck.peek(0, LOG_INTENTS_OFF, kIntents), copy = fsck.peek(1, LOG_INTENTS_OFF, kIntents);
	log_intent in, other;

	for (uint32_t at = 0; at < ring.size(); at += LOG_BLOCK) {
		if (log_intent_open(&in, &ring[at], ring.size() - at) == 0 && in.seq >= s.intent_seq &&
		    log_intent_open(&other, &copy[at], copy.size() - at) == 0 && in.seq == other.seq &&
		    in.bytes >= 1024)
			killed_spot["intent"] = {Spot::INTENT, 0, 0, at, in.bytes, 0, false};
	}
	log_super_free(&s);
}

bool
Image::whole() const
{
	for (const char *name : {"table", "inner", "leaf", "shares", "data", "move", "segment"}) {
		if (closed_spot.count(name) == 0)
			return false;
	}
	return killed_spot.count("hit") + killed_spot.count("trim") + killed_spot.count("intent") == 3;
}

/* --- bits --------------------------------------------------------------------------------------------------------- */

void
Image::poke(unsigned drive, uint64_t off, const bytes &b)
{
	fsck.poke(drive, off, b);
	power_disk_poke(w.disks[drive], off, b.data(), b.size());
}

void
Image::put(uint32_t seg, uint32_t off, const bytes &b, bool parity)
{
	uint32_t row = w.conf.data * w.conf.unit;

	for (size_t done = 0; done < b.size();) {
		size_t n = std::min<size_t>(b.size() - done, w.conf.unit - off % w.conf.unit);
		unsigned p = (w.conf.data + off / row + seg) % w.drives(), d = fsck.drive_of(seg, off);
		uint64_t at = fsck.place_of(seg, off);
		bytes part(b.begin() + (long)done, b.begin() + (long)(done + n)), was = fsck.peek(d, at, n);
		bytes x = fsck.peek(p, at, n);

		for (size_t i = 0; i < n; i++)
			x[i] ^= was[i] ^ part[i];
		poke(d, at, part);
		if (parity)
			poke(p, at, x);
		done += n;
		off += (uint32_t)n;
	}
}

void
Image::chunk_turn(const Spot &s, uint32_t off, unsigned bit, Turn how)
{
	bytes b = fsck.get(s.seg, s.off, s.bytes);

	b[off + bit / 8] ^= (uint8_t)(1 << bit % 8);
	if (how == LIE) {
		if (s.page)
			seal(&b[LOG_HEAD], MAP_IMAGE_BYTES, 4);
		seal(b.data(), b.size(), 44);
	}
	put(s.seg, s.off, b, how != ONE);
}

void
Image::copy_turn(unsigned drive, uint64_t at, const Spot &s, uint32_t off, unsigned bit, bool lie)
{
	bytes b = fsck.peek(drive, at, s.bytes);

	b[off + bit / 8] ^= (uint8_t)(1 << bit % 8);
	if (lie && s.kind == Spot::NOTE)
		note_seal(b, s.note);
	else if (lie)
		seal(b.data(), b.size(), s.kind == Spot::SUPER ? 12 : 4);
	poke(drive, at, b);
}

void
Image::copies_turn(const Spot &s, uint32_t off, unsigned bit, Turn how)
{
	unsigned copies = s.kind == Spot::INTENT ? 1 : 2,
		 drives = s.kind == Spot::INTENT ? w.conf.parity + 1 : w.drives();
	uint64_t newest = 0, place = 0;

	for (unsigned copy = 0; copy < copies && s.kind != Spot::INTENT; copy++) {
		uint64_t seq, at = s.kind == Spot::SUPER ? lgroup_super_off(copy) : lgroup_note_off(s.note, copy);
		bytes b = fsck.peek(0, at, 24);

		memcpy(&seq, &b[16], 8);
		place = seq > newest ? at : place;
		newest = std::max(newest, seq);
	}
	if (s.kind == Spot::INTENT)
		place = LOG_INTENTS_OFF + s.off;
	for (unsigned d = 0; d < (how == ONE ? 1 : drives); d++) {
		copy_turn(d, place, s, off, bit, how == LIE);
		if (how == ALL && copies == 2)
			copy_turn(d, place ^ LOG_NOTE_SLOT, s, off, bit, false);
	}
}

void
Image::turn(const Spot &s, uint32_t off, unsigned bit, Turn how)
{
	if (s.kind == Spot::CHUNK)
		chunk_turn(s, off, bit, how);
	else
		copies_turn(s, off, bit, how);
}
