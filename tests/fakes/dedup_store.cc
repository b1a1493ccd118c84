/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "dedup_store.h"

#include <algorithm>
#include <cstring>

extern "C" {
#include "strake_stage.h"
#include "strake_volume.h"
}

DedupStore dedup_store;

namespace
{

/* Bit that says a place was told by the share table. */
const uint64_t kShared = 1ULL << 62;

uint32_t
number_of(const strake_volume *vol)
{
	return (uint32_t)(uintptr_t)vol->priv;
}

uint64_t
place_of(uint64_t where)
{
	return where & ~kShared;
}

bool
is_confirmed(const strake_advice *a, const strake_advice_block &b, const uint8_t *bytes)
{
	uint64_t place = place_of(b.where);

	if (place == 0 || place > dedup_store.places.size())
		return false;
	const DedupStore::Place &p = dedup_store.places[place - 1];

	if (p.freed || p.vol != b.owner_vol || p.lba + dedup_store.lba_offset != b.owner_lba)
		return false;
	return !a->compare || memcmp(p.bytes.data(), bytes, STRAKE_ADVICE_BLOCK) == 0;
}

bool
differs(const strake_advice *a, const strake_advice_block &b, const uint8_t *bytes)
{
	uint64_t place = place_of(b.where);

	return a->compare && place != 0 && place <= dedup_store.places.size() &&
	       memcmp(dedup_store.places[place - 1].bytes.data(), bytes, STRAKE_ADVICE_BLOCK) != 0;
}

void
write_block(strake_req *req, uint64_t lba, strake_advice *a, unsigned int i, const uint8_t *bytes)
{
	uint32_t vol = number_of(req->vol);
	strake_advice_block *b = a != nullptr && i < a->n ? &a->block[i] : nullptr;

	if (b != nullptr)
		dedup_store.seen.push_back({*b, a->compare != 0});
	if (b != nullptr && b->zero) {
		dedup_store.map[{vol, lba}] = 0;
		return;
	}
	if (b != nullptr && b->valid && is_confirmed(a, *b, bytes)) {
		dedup_store.shared++;
		dedup_store.map[{vol, lba}] = place_of(b->where);
		b->hit = 1;
		if (dedup_store.fold)
			b->where |= kShared;
		return;
	}
	dedup_store.stored++;
	dedup_store.places.push_back({{bytes, bytes + STRAKE_ADVICE_BLOCK}, vol, lba, false});
	dedup_store.map[{vol, lba}] = dedup_store.places.size();
	if (b == nullptr || !b->valid || dedup_store.untouched)
		return;
	b->differs = b->where != 0 && differs(a, *b, bytes);
	b->where = dedup_store.silent ? 0 : dedup_store.places.size();
	b->owner_vol = vol;
	b->owner_lba = lba + dedup_store.lba_offset;
}

void
write(strake_req *req)
{
	uint64_t first = req->u.lba << req->vol->lba_shift;
	uint32_t head = (uint32_t)(first % STRAKE_ADVICE_BLOCK);
	std::vector<uint8_t> flat(head + req->u.nbytes + STRAKE_ADVICE_BLOCK);

	req->u.status = (int16_t)dedup_store.status;
	if (dedup_store.status != 0)
		return;
	if (req->advice == nullptr)
		dedup_store.bare++;
	strake_buf_copy_out(req->u.bufs, 0, flat.data() + head,
			    std::min(req->u.nbytes, strake_buf_list_len(req->u.bufs)));
	for (uint32_t at = 0, i = 0; at < head + req->u.nbytes; at += STRAKE_ADVICE_BLOCK, i++)
		write_block(req, first / STRAKE_ADVICE_BLOCK + i, req->advice, i, flat.data() + at);
}

int
store_create(strake_stage *st, const conf_values *conf, char *err, size_t errlen)
{
	return 0;
}

void
store_down(strake_stage *st, strake_unit **units, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		if (units[i]->op == STRAKE_OP_WRITE)
			write(strake_req_of(units[i]));
		units[i]->verdict = dedup_store.hold ? STRAKE_HELD : STRAKE_DONE;
		if (dedup_store.hold)
			dedup_store.held.push_back(units[i]);
	}
}

strake_stage_ops
make_ops()
{
	strake_stage_ops ops = {};

	ops.name = "store";
	ops.unit = STRAKE_UNIT_REQ;
	ops.create = store_create;
	ops.down = store_down;
	return ops;
}

const strake_stage_ops store_ops = make_ops();

struct Registered {
	Registered()
	{
		strake_stage_register(&store_ops);
	}
} registered;

} // namespace

void
dedup_store_release()
{
	std::vector<strake_unit *> units;

	units.swap(dedup_store.held);
	for (strake_unit *u : units)
		strake_unit_complete(u);
}
