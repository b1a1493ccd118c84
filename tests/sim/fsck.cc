/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "fsck.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <sys/wait.h>

extern "C" {
#include "stages/stripe/log_super_format.h"
#include "stages/volume/map_format.h"
}

namespace sim
{

namespace
{

constexpr uint32_t kIntents = 262144; /* bytes, as a group makes them */

void
must(bool ok, const std::string &what)
{
	if (!ok)
		throw std::runtime_error(what);
}

} // namespace

Fsck::Fsck(const World &world) : w(world)
{
	std::string name = (std::filesystem::temp_directory_path() / "strake-sim-XXXXXX").string();

	must(mkdtemp(name.data()) != nullptr, "no folder for drives");
	folder = name;
}

Fsck::~Fsck()
{
	std::filesystem::remove_all(folder);
}

std::string
Fsck::path(unsigned drive) const
{
	return folder + "/S" + std::to_string(drive);
}

void
Fsck::write()
{
	w.write_drives(folder);
	changes.clear();
}

int
Fsck::run(const std::string &options)
{
	const char *program = getenv("STRAKE_FSCK");
	std::string line;
	char part[4096];
	FILE *out;
	int status;

	must(program != nullptr, "STRAKE_FSCK does not say where strake-fsck is");
	line = std::string(program) + " " + options;
	for (unsigned i = 0; i < w.drives(); i++)
		line += " " + path(i);
	out = popen((line + " 2>&1").c_str(), "r");
	must(out != nullptr, "strake-fsck cannot be run");
	said.clear();
	for (size_t n; (n = fread(part, 1, sizeof(part), out)) > 0;)
		said.append(part, n);
	status = pclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

uint64_t
Fsck::behind(const std::string &text) const
{
	size_t at = said.find(text);

	return at == std::string::npos ? UINT64_MAX : strtoull(&said[at + text.size()], nullptr, 10);
}

uint64_t
Fsck::before(const std::string &text) const
{
	size_t at = said.find(text), from = at;

	while (at != std::string::npos && from > 0 && isdigit(said[from - 1]))
		from--;
	return at == std::string::npos || from == at ? UINT64_MAX : strtoull(&said[from], nullptr, 10);
}

uint64_t
Fsck::times(const std::string &text) const
{
	uint64_t n = 0;

	for (size_t at = said.find(text); at != std::string::npos; at = said.find(text, at + 1))
		n++;
	return n;
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

bytes
Fsck::peek(unsigned drive, uint64_t off, size_t n) const
{
	std::ifstream file(path(drive), std::ios::binary);
	bytes b(n);

	file.seekg((long)off).read((char *)b.data(), (long)n);
	must(file.good(), "a drive's file cannot be read");
	return b;
}

void
Fsck::poke(unsigned drive, uint64_t off, const bytes &b)
{
	changes.push_back({drive, off, peek(drive, off, b.size())});
	std::fstream file(path(drive), std::ios::binary | std::ios::in | std::ios::out);

	file.seekp((long)off).write((const char *)b.data(), (long)b.size());
	file.close();
	must(!file.fail(), "a drive's file cannot be written");
}

void
Fsck::undo()
{
	std::vector<Change> all;

	all.swap(changes);
	for (auto c = all.rbegin(); c != all.rend(); c++)
		poke(c->drive, c->off, c->was);
	changes.clear();
}

unsigned
Fsck::role_drive(uint32_t seg, uint32_t off, uint32_t role) const
{
	return (role + off / (w.conf.data * w.conf.unit) + seg) % w.drives();
}

unsigned
Fsck::drive_of(uint32_t seg, uint32_t off) const
{
	return role_drive(seg, off, off % (w.conf.data * w.conf.unit) / w.conf.unit);
}

uint64_t
Fsck::place_of(uint32_t seg, uint32_t off) const
{
	uint64_t row = off / (w.conf.data * w.conf.unit);

	return lgroup_super_data_off(kIntents) + ((uint64_t)seg * w.conf.rows + row) * w.conf.unit + off % w.conf.unit;
}

bytes
Fsck::get(uint32_t seg, uint32_t off, size_t n) const
{
	bytes all;

	while (all.size() < n) {
		size_t part = std::min<size_t>(n - all.size(), w.conf.unit - off % w.conf.unit);
		bytes b = peek(drive_of(seg, off), place_of(seg, off), part);

		all.insert(all.end(), b.begin(), b.end());
		off += (uint32_t)part;
	}
	return all;
}

void
Fsck::put(uint32_t seg, uint32_t off, const bytes &b, bool parity)
{
	for (size_t done = 0; done < b.size();) {
		size_t n = std::min<size_t>(b.size() - done, w.conf.unit - off % w.conf.unit);
		uint64_t at = place_of(seg, off);
		bytes part(b.begin() + (long)done, b.begin() + (long)(done + n)), was = peek(drive_of(seg, off), at, n);

		poke(drive_of(seg, off), at, part);
		if (parity && w.conf.parity == 1) {
			unsigned p = role_drive(seg, off, w.conf.data);
			bytes x = peek(p, at, n);

			for (size_t i = 0; i < n; i++)
				x[i] ^= was[i] ^ part[i];
			poke(p, at, x);
		}
		done += n;
		off += (uint32_t)n;
	}
}

/* --- what the checkpoint says ------------------------------------------------------------------------------------- */

bytes
Fsck::super() const
{
	lgroup_note n, newest = {};
	bytes found;

	for (unsigned copy = 0; copy < 2; copy++) {
		bytes b = peek(0, lgroup_note_off(0, copy), LOG_NOTE_SLOT);

		if (lgroup_note_decode(&n, b.data()) != 0 || n.seq < newest.seq)
			continue;
		newest = n;
		found.assign(b.begin() + LOG_NOTE_HEAD, b.begin() + LOG_NOTE_HEAD + n.len);
	}
	return found;
}

void
Fsck::page(std::vector<Entry> &to, uint64_t tree, uint64_t index, unsigned level, uint64_t addr) const
{
	uint64_t entry[MAP_FANOUT];
	bytes b = get(log_entry_seg(addr), log_entry_off(addr), log_entry_bytes(addr));
	log_head h;

	must(log_head_decode(&h, b.data(), b.size()) == 0 && h.kind == LOG_PAGES, "a page of the map is none");
	map_image_entries(&b[h.head_bytes], entry);
	for (unsigned i = 0; i < MAP_FANOUT; i++) {
		uint64_t idx = index * MAP_FANOUT + i;

		if (entry[i] != 0 && level > 0)
			page(to, tree, idx, level - 1, entry[i]);
		else if (entry[i] != 0)
			to.push_back({tree, idx, entry[i], addr});
	}
}

std::vector<Fsck::Entry>
Fsck::map() const
{
	bytes b = super();
	const char *why = nullptr;
	map_root root[kVolumes + 1];
	std::vector<Entry> all;
	log_super s;
	uint64_t gen;
	int n;

	must(log_super_decode(&s, b.data(), b.size(), &why) == 0, "no superblock");
	n = map_roots_decode(s.roots, s.roots_bytes, &gen, root, kVolumes + 1);
	log_super_free(&s);
	must(n >= 0, "no roots");
	for (int i = 0; i < n; i++) {
		if (root[i].addr != 0)
			page(all, root[i].tree, 0, root[i].levels - 1u, root[i].addr);
	}
	return all;
}

} // namespace sim
