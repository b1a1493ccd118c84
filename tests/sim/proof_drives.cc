/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "proof.h"

extern "C" {
#include "stages/stripe/log_super_format.h"
#include "tools/dump/check.h"
}

namespace sim
{

namespace
{

struct Disk {
	source src; /* first */
	const power_disk *disk;
	std::string name;
};

int
disk_read(const source *s, uint64_t off, void *to, size_t len)
{
	power_disk_peek(((const Disk *)s)->disk, off, to, len);
	return 0;
}

/* One that lost both by its lies is no member for strake-fsck, and for the group neither. */
bool
has_superblock(const power_disk *d)
{
	static lgroup_super s;
	bytes page(LOG_SUPER_BYTES);

	for (unsigned copy = 0; copy < 2; copy++) {
		power_disk_peek(d, lgroup_super_off(copy), page.data(), page.size());
		if (lgroup_super_decode(&s, page.data()) == 0)
			return true;
	}
	return false;
}

struct Listener {
	say_kind worst;
	std::string text;
};

void
listen(void *arg, say_kind kind, const char *line)
{
	Listener *l = (Listener *)arg;

	if (kind > l->worst)
		l->text += std::string("\n  fsck: ") + line;
}

} // namespace

std::string
prove_drives(const World &w, uint32_t mask, bool mendable, Proved &p)
{
	Listener l = {mendable ? SAY_MENDABLE : SAY_NOTE, ""};
	std::vector<const source *> list;
	std::vector<Disk> disks(w.drives());
	check c = {};

	for (unsigned i = 0; i < w.drives(); i++) {
		disks[i].name = "S" + std::to_string(i);
		disks[i].src = {disks[i].name.c_str(), w.conf.drive_bytes, disk_read};
		disks[i].disk = w.disks[i];
		if ((mask >> i & 1) && (!mendable || has_superblock(w.disks[i])))
			list.push_back(&disks[i].src);
	}
	say_begin(listen, &l);
	check_drives(&c, list.data(), (unsigned)list.size(), CHECK_SHOW_NOTHING);
	p.stores++;
	p.blocks += c.blocks;
	p.rows += c.rows;
	return l.text;
}

} // namespace sim
