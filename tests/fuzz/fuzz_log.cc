/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Any bytes as what log groups and their stores keep: chunks, records, intents, the store's superblock, the group's
 * superblock and notes. The harness sets CRCs right unless a bit says otherwise. What is accepted is within its limits
 * and survives another round; and strake-fsck, which decodes by itself, reads the same in it.
 */

#include "fuzz_world.h"

extern "C" {
#include "stages/stripe/log_super_format.h"
#include "stages/volume/log_format.h"
#include "strake_kernel.h"
#include "tools/dump/decode.h"
}

namespace
{

/* A heap block of exactly its size. */
struct Block {
	explicit Block(size_t n) : len(n), p((uint8_t *)calloc(1, n))
	{
	}
	~Block()
	{
		free(p);
	}
	Block(const Block &) = delete;
	size_t len;
	uint8_t *p;
};

void
patch(Input &in, uint8_t *at, size_t len)
{
	while (!in.empty()) {
		size_t to = (in.u8() | (size_t)in.u8() << 8) % len;
		Bytes b = in.bytes(1 + in.u8() % 64);

		if (!b.empty())
			memcpy(at + to, b.data(), std::min(b.size(), len - to));
	}
}

void
fix_crc(uint8_t *at, size_t len, size_t field)
{
	uint32_t crc;

	if (len < field + sizeof(crc))
		return;
	memset(at + field, 0, 4);
	crc = strake_kernel->crc32c(0, at, len);
	memcpy(at + field, &crc, 4);
}

log_head
make_head(Input &in)
{
	log_head h = {};

	h.kind = 1 + in.u8() % 5;
	h.lsn = in.u8();
	h.store = 7;
	h.seg = in.u16();
	h.gen = in.u8();
	h.off = in.u16() * LOG_GRAIN;
	if (h.kind == LOG_DATA || h.kind == LOG_MOVE) {
		h.seal.blocks = 1 + in.u8() % LOG_RUN;
		h.seal.plain = h.seal.blocks * LOG_BLOCK;
		h.has_fp = in.u8() & 1;
		h.seal.epoch = in.u8() & 1;
		h.seal.codec = in.u8() % 3;
	}
	h.seal.stored = in.u16() % (LOG_RUN * LOG_BLOCK + 1);
	for (unsigned int i = 0; i < h.seal.blocks; i++)
		h.owner[i] = {in.u8(), in.u8()};
	if (h.kind == LOG_MOVE)
		h.from = log_direct(1, 64, 128, 0);
	log_head_measure(&h);
	return h;
}

bool
same_head(const log_head &a, const log_head &b)
{
	bool same = a.lsn == b.lsn && a.store == b.store && a.from == b.from && a.seg == b.seg && a.gen == b.gen &&
		    a.off == b.off && a.bytes == b.bytes && a.head_bytes == b.head_bytes && a.kind == b.kind &&
		    a.has_fp == b.has_fp && a.seal.serial == b.seal.serial && a.seal.epoch == b.seal.epoch &&
		    a.seal.salt == b.seal.salt && a.seal.codec == b.seal.codec && a.seal.stored == b.seal.stored &&
		    a.seal.plain == b.seal.plain && a.seal.blocks == b.seal.blocks && a.seal.domain == b.seal.domain;

	for (unsigned int i = 0; same && i < a.seal.blocks; i++)
		same = a.owner[i].lba == b.owner[i].lba && a.owner[i].vol == b.owner[i].vol;
	return same;
}

void
one_chunk(Input &in)
{
	log_head made = make_head(in), h, again;
	bool right = !in.bit();
	size_t len = made.bytes - std::min(made.bytes - 1u, in.u8() % 64u * (in.u8() % 3u));
	Block b(len), whole(made.bytes);

	log_head_encode(&made, whole.p);
	memcpy(b.p, whole.p, len);
	patch(in, b.p, len);
	if (right)
		fix_crc(b.p, len, 44);
	int ret = log_head_decode(&h, b.p, len);
	log_head other;
	const char *why = decode_chunk(&other, b.p, len);

	FUZZ_CHECK(ret == 0 || ret == -EINVAL || ret == -EAGAIN);
	if (ret != 0 || h.bytes > len)
		return;
	FUZZ_CHECK(h.head_bytes <= LOG_HEAD_MAX && h.bytes <= LOG_CHUNK_MAX && h.seal.blocks <= LOG_RUN);
	bool checks = log_chunk_checks(&h, b.p);

	FUZZ_CHECK(!checks || why == nullptr);
	if (!checks)
		return;
	FUZZ_CHECK(same_head(h, other));
	Block out(h.head_bytes);

	log_head_encode(&h, out.p);
	FUZZ_CHECK(log_head_decode(&again, out.p, h.head_bytes) == 0 && same_head(h, again));
}

void
one_record(Input &in)
{
	Block b(LOG_RECORD), out(LOG_RECORD);
	log_record r, again, other;
	Bytes bytes = in.bytes(LOG_RECORD);

	std::copy(bytes.begin(), bytes.end(), b.p);
	int ret = log_record_decode(&r, b.p);

	FUZZ_CHECK(ret == 0 || ret == -EINVAL);
	if (ret != 0)
		return;
	log_record_encode(&r, out.p);
	FUZZ_CHECK(log_record_decode(&again, out.p) == 0 && again.n == r.n && again.place == r.place);
	FUZZ_CHECK(decode_record(&other, b.p) == nullptr && other.type == r.type && other.vol == r.vol &&
		   other.owner_vol == r.owner_vol && other.lba == r.lba && other.n == r.n && other.place == r.place &&
		   other.owner_lba == r.owner_lba);
	log_segment s, t;

	log_segment_decode(&s, b.p);
	decode_segment(&t, b.p);
	FUZZ_CHECK(s.gen == t.gen && s.blocks == t.blocks && s.live == t.live && s.next_id == t.next_id &&
		   s.state == t.state && s.stream == t.stream);
}

void
one_intent(Input &in)
{
	log_intent i = {7, in.u8(), LOG_INTENT_HEAD + in.u8() % 64 * LOG_GRAIN}, other;
	bool right = !in.bit();
	Block b(i.bytes);

	log_intent_seal(&i, b.p);
	patch(in, b.p, b.len);
	if (right)
		fix_crc(b.p, b.len, 4);
	int ret = log_intent_open(&i, b.p, b.len);

	FUZZ_CHECK(ret == 0 || ret == -EINVAL || ret == -EAGAIN);
	if (ret != 0)
		return;
	FUZZ_CHECK(i.bytes >= LOG_INTENT_HEAD && i.bytes <= b.len);
	FUZZ_CHECK(decode_intent(&other, b.p, b.len) == nullptr && other.seq == i.seq && other.bytes == i.bytes &&
		   other.store == i.store);
}

void
one_store(Input &in)
{
	log_volume vol[4] = {};
	uint64_t table[4];
	uint32_t next[8];
	uint8_t roots[64] = {};
	log_super s = {}, d, other;
	const char *why = nullptr;

	s.segments = 1 + in.u16();
	s.n_table = (s.segments + LOG_TABLE_ENTRIES - 1) / LOG_TABLE_ENTRIES;
	s.n_table = s.n_table > 4 ? 0 : s.n_table;
	s.n_next = in.u8() % 9;
	s.n_since = s.n_next / 2;
	s.n_volumes = in.u8() % 5;
	s.roots_bytes = in.u8() % 65;
	s.clean = in.bit();
	s.table = table;
	s.next = next;
	s.volume = vol;
	s.roots = roots;
	std::fill_n(table, 4, log_direct(0, 64, 128, 0));
	std::fill_n(next, 8, s.segments - 1);
	for (auto &v : vol) {
		snprintf(v.name, sizeof(v.name), "volume%u", in.u8());
		v.lba_shift = 12;
	}
	bool right = !in.bit();
	Block b(log_super_bytes(&s)), out(b.len);

	log_super_encode(&s, b.p);
	patch(in, b.p, b.len);
	if (right)
		fix_crc(b.p, b.len, 12);
	int ret = log_super_decode(&d, b.p, b.len, &why);
	const char *reason = decode_super(&other, b.p, b.len);

	FUZZ_CHECK(ret == 0 || (ret == -EINVAL && why != nullptr));
	if (ret == 0) {
		FUZZ_CHECK(reason == nullptr && other.seq == d.seq && other.lsn == d.lsn &&
			   other.segments == d.segments && other.n_next == d.n_next && other.clean == d.clean);
		FUZZ_CHECK(log_super_bytes(&d) <= b.len && d.n_since <= d.n_next);
		for (uint32_t i = 0; i < d.n_next; i++)
			FUZZ_CHECK(d.next[i] < d.segments);
		log_super_encode(&d, out.p);
		log_super_free(&d);
		FUZZ_CHECK(log_super_decode(&d, out.p, out.len, &why) == 0);
		log_super_free(&d);
	}
	log_super_free(&other);
}

void
one_group(Input &in)
{
	static lgroup_super made, d, again, other;
	static uint8_t *const page = (uint8_t *)malloc(LOG_SUPER_BYTES);

	made = {};
	made.seq = in.u8();
	made.generation = in.u8();
	made.data = 1 + in.u8() % 6;
	made.parity = in.u8() % 4;
	made.first = made.data + made.parity;
	made.members = made.first + in.u8() % 3;
	made.index = in.u8() % made.members;
	made.unit = 4096u << in.u8() % 6;
	made.segment = made.unit * (1 + in.u8() % 8);
	made.intent_bytes = 4096u * (1 + in.u8());
	made.block = in.bit() ? 512 : 4096;
	snprintf(made.name, sizeof(made.name), "group");
	for (uint32_t i = 0; i < made.members; i++) {
		memset(made.member[i].uuid, 1 + (int)i, sizeof(made.member[i].uuid));
		snprintf(made.member[i].serial, sizeof(made.member[i].serial), "serial%u", i);
		made.member[i].slots = 1 + in.u8();
	}
	bool right = !in.bit();

	lgroup_super_encode(&made, page);
	FUZZ_CHECK(lgroup_super_decode(&d, page) == 0 && memcmp(&d, &made, sizeof(d)) == 0);
	patch(in, page, 8192);
	if (right)
		fix_crc(page, LOG_SUPER_BYTES, 12);
	int ret = lgroup_super_decode(&d, page);

	FUZZ_CHECK(ret == 0 || ret == -ENOENT || ret == -EBADMSG || ret == -EPROTO);
	if (ret != 0)
		return;
	FUZZ_CHECK(decode_group(&other, page) == nullptr && memcmp(&other, &d, sizeof(d)) == 0);
	FUZZ_CHECK(lgroup_super_sane(&d));
	lgroup_super_encode(&d, page);
	FUZZ_CHECK(lgroup_super_decode(&again, page) == 0 && memcmp(&d, &again, sizeof(d)) == 0);
}

void
one_note(Input &in)
{
	static uint8_t *const page = (uint8_t *)malloc(LOG_NOTE_SLOT), blob[LOG_NOTE_BYTES] = {};
	lgroup_note n = {in.u8(), {}, in.u8() % LOG_NOTES, in.u16() % LOG_NOTE_BYTES}, other;
	bool right = !in.bit();

	lgroup_note_encode(&n, blob, page);
	patch(in, page, 8192);
	if (right)
		fix_crc(page, LOG_NOTE_SLOT, 12);
	int ret = lgroup_note_decode(&n, page);

	FUZZ_CHECK(ret == 0 || ret == -ENOENT || ret == -EBADMSG || ret == -EPROTO);
	if (ret != 0)
		return;
	FUZZ_CHECK(n.id < LOG_NOTES && n.len <= LOG_NOTE_BYTES);
	FUZZ_CHECK(decode_note(&other, page) == nullptr && other.seq == n.seq && other.id == n.id &&
		   other.len == n.len);
}

} // namespace

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parts[])(Input &) = {one_chunk, one_record, one_intent, one_store, one_group, one_note};
	Input in(data, size);

	parts[in.u8() % (sizeof(parts) / sizeof(parts[0]))](in);
	return 0;
}
