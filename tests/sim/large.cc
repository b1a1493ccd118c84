/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "large.h"

extern "C" {
#include "stages/volume/store.h"
}

namespace sim
{

namespace
{

/* Lively segments on each side of a border. */
uint32_t
beside(const Large &l)
{
	return l.lively / (2 * (l.parts - 1));
}

const Large *large;
bool (*used)(void *store, uint32_t seg, uint32_t *rows);

bool
used_if_not_at_rest(void *arg, uint32_t seg, uint32_t *rows)
{
	const store *st = (const store *)arg;

	return used(arg, seg, rows) && (large->is_lively(seg) || st->seg[seg].d.state != STORE_SEG_BAD);
}

} // namespace

uint32_t
Large::segments() const
{
	return (parts - 1) * LOG_TABLE_ENTRIES + beside(*this);
}

/* With all that lies before them: of that intents are the larger part, a 64th of the drive. */
uint64_t
Large::drive_bytes(uint64_t data)
{
	return (data + (4u << 20)) / 62 / 1024 * 65536;
}

uint32_t
Large::count() const
{
	return 1 + 2 * beside(*this) * (parts - 1);
}

uint32_t
Large::nth(uint32_t n) const
{
	uint32_t side = beside(*this);

	return n == 0 ? 0 : ((n - 1) / (2 * side) + 1) * LOG_TABLE_ENTRIES - side + (n - 1) % (2 * side);
}

bool
Large::is_lively(uint32_t seg) const
{
	uint32_t side = beside(*this), from = seg % LOG_TABLE_ENTRIES;

	return seg == 0 || from >= LOG_TABLE_ENTRIES - side || (seg >= LOG_TABLE_ENTRIES && from < side);
}

void
Large::rest(store *st, bool first) const
{
	large = this;
	used = st->sp->used;
	st->sp->used = used_if_not_at_rest;
	if (!first)
		return;
	st->n_ready = st->ready_at = 0;
	for (uint32_t i = 0; i < st->n_seg; i++) {
		store_seg &s = st->seg[i];

		if (s.d.state != STORE_SEG_FREE)
			continue;
		s.listed = s.blank = is_lively(i);
		if (s.listed) {
			st->ready[st->n_ready++] = i;
		} else {
			s.d.state = STORE_SEG_BAD;
			st->n_free--;
		}
	}
}

} // namespace sim
