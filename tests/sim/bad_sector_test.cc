/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* No story: bad sectors on one drive while another is rebuilt, with the real store and the real group. */

#include <gtest/gtest.h>

#include "world.h"

extern "C" {
#include "stages/volume/store.h"
}

using namespace sim;

namespace
{

void
run(World &w, uint8_t op, uint32_t block, uint32_t n, const bytes &payload, bytes *out = nullptr)
{
	Request r;

	w.submit(r, op, block, n, payload, 0, false);
	ASSERT_TRUE(w.drain());
	ASSERT_EQ(0, r.status);
	if (out != nullptr)
		*out = r.data;
}

bytes
stamped(uint64_t s)
{
	bytes b((size_t)8 * 4096);

	for (unsigned i = 0; i < 8; i++)
		stamp(&b[(size_t)i * 4096], s + i);
	return b;
}

void
bad_sector(World &w, unsigned drive, uint32_t seg, uint32_t row)
{
	power_fault f = {};

	f.ops = 1u << STRAKE_IO_READ;
	f.off = w.used_off(((uint64_t)seg * w.conf.rows + row) * w.conf.unit + 4096);
	f.len = 512;
	f.status = -EIO;
	f.heals = true;
	power_disk_fault(w.disks[drive], &f);
}

/* Of a segment with a chunk in its first row that lives, and dead ones in the others. */
TEST(BadSector, OfDeadChunksKeepsNoDriveFromBeingRebuilt)
{
	World w(WorldConf{});
	uint64_t entry = 0;
	char err[300] = "";

	ASSERT_EQ(0, w.boot(w.all_drives())) << w.why;
	for (uint64_t time = 1; time <= 4; time++) {
		for (uint32_t b = time == 1 ? 0 : 8; b < 32; b += 8)
			run(w, STRAKE_OP_WRITE, b, 8, stamped(1000 * time + b));
	}
	run(w, STRAKE_OP_FLUSH, 0, 0, {});
	ASSERT_EQ(0, map_get(w.st->map, w.st->vol[0]->tree, 0, 1, &entry, nullptr));
	const store_seg &s = w.st->seg[log_entry_seg(entry)];

	ASSERT_EQ(8u, s.d.live);
	ASSERT_EQ(0, log_group_member_fail(w.g, 1));
	while (w.group().missing == 0)
		w.turn();
	for (uint32_t row = 1; row < w.conf.rows; row++)
		bad_sector(w, 2, log_entry_seg(entry), row);
	w.erase(1);
	ASSERT_EQ(0, log_group_member_return(w.g, 1, w.drive[1], err, sizeof(err))) << err;
	for (unsigned t = 0; t < 20000 && w.group().stale > 0; t++)
		w.turn();
	EXPECT_EQ(0u, w.group().stale);
	EXPECT_EQ(STORE_SEG_FREE, s.d.state);
	for (uint32_t b = 0; b < 32; b += 8) {
		bytes out;

		run(w, STRAKE_OP_READ, b, 8, {}, &out);
		EXPECT_EQ(stamped((b == 0 ? 1000 : 4000) + b), out);
	}
	EXPECT_EQ(0, w.stop());
}

} // namespace
