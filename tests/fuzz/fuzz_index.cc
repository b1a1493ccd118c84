/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * A de-duplication index under steps of all kinds, held against a map that forgets nothing, and pieces of a saved one
 * that were bent in between, with sums set right. Whatever is found is what was put last; what is accepted stays within
 * its limits; what is saved loads again.
 */

#include <map>

#include "fuzz_world.h"

extern "C" {
#include "stages/dedup/index_format.h"
#include "strake_kernel.h"
}

namespace
{

const uint8_t kUuid[16] = {7};
constexpr uint64_t kIndexBytes = 4 * 512;
constexpr size_t kCrcOff = 12;

using Name = std::string; /* bytes of a fingerprint */

struct Known {
	uint64_t where, lba;
	uint32_t vol;
};

/* Few fingerprints, so that they meet again; many in one bucket. */
Name
fingerprint(Input &in)
{
	Name fp(STRAKE_ADVICE_FP, '\0');
	uint8_t n = in.u8();

	fp[3] = (char)(n & 0xc0);
	fp[4] = (char)(n & 0x07);
	fp[23] = (char)(n & 0x38);
	return fp;
}

const uint8_t *
bytes(const Name &fp)
{
	return reinterpret_cast<const uint8_t *>(fp.data());
}

int
keep(void *arg, const void *piece, uint32_t len)
{
	auto *out = static_cast<std::vector<Bytes> *>(arg);
	auto *p = static_cast<const uint8_t *>(piece);

	FUZZ_CHECK(len <= DEDUP_PIECE_MAX);
	out->push_back(Bytes(p, p + len));
	return 0;
}

std::vector<Bytes>
saved(dedup_index *ix)
{
	std::vector<Bytes> out;
	uint64_t cursor = 0;

	while (dedup_index_save(ix, &cursor, 1, keep, &out) == 0)
		;
	return out;
}

/* What was saved is all of it, and loads into an empty one. */
void
save_and_load(dedup_index *ix, const dedup_stats &stats)
{
	std::vector<Bytes> pieces = saved(ix);
	dedup_stats second_stats = {};
	dedup_index *second;
	int taken = 0;

	FUZZ_CHECK(dedup_index_create(&second, kIndexBytes, DEDUP_SHA256, kUuid, "d", &second_stats) == 0);
	for (const Bytes &p : pieces) {
		int ret = dedup_index_load(second, p.data(), (uint32_t)p.size());

		FUZZ_CHECK(ret > 0);
		taken += ret;
	}
	FUZZ_CHECK((uint64_t)taken == stats.entries && second_stats.entries == stats.entries);
	FUZZ_CHECK(saved(second).size() == pieces.size());
	dedup_index_destroy(second);
}

/* A piece of an index, patched; the heap block ends where the piece does. */
void
load_bent(Input &in, dedup_index *ix)
{
	std::vector<Bytes> pieces = saved(ix);
	Bytes piece = pieces.empty() ? Bytes(PIECE_HEAD) : pieces[0];
	unsigned int patches = in.u8() % 4;

	piece.resize(in.bit() ? piece.size() : in.u16() % (piece.size() + 64));
	for (unsigned int i = 0; i < patches && !piece.empty(); i++) {
		size_t at = in.u16() % piece.size();
		Bytes b = in.bytes(1 + in.u8() % 16);

		if (!b.empty())
			memcpy(&piece[at], b.data(), std::min(b.size(), piece.size() - at));
	}
	if (in.bit() && piece.size() >= PIECE_HEAD) {
		uint32_t entries, crc, len;

		memcpy(&entries, &piece[100], 4);
		len = (uint32_t)std::min<uint64_t>(piece.size(), PIECE_HEAD + (uint64_t)entries * PIECE_ENTRY);
		memset(&piece[kCrcOff], 0, 4);
		crc = strake_kernel->crc32c(0, piece.data(), len);
		memcpy(&piece[kCrcOff], &crc, 4);
	}
	auto *exact = (uint8_t *)malloc(piece.size() == 0 ? 1 : piece.size());

	if (!piece.empty())
		memcpy(exact, piece.data(), piece.size());
	int ret = dedup_index_load(ix, exact, (uint32_t)piece.size());

	FUZZ_CHECK(ret >= 0 || ret == -EBADMSG || ret == -EPROTO || ret == -EXDEV);
	free(exact);
}

class Steps
{
      public:
	Steps()
	{
		FUZZ_CHECK(dedup_index_create(&ix, kIndexBytes, DEDUP_SHA256, kUuid, "d", &stats) == 0);
	}
	~Steps()
	{
		dedup_index_destroy(ix);
	}
	Steps(const Steps &) = delete;

	void
	step(Input &in)
	{
		switch (in.u8() % 8) {
		case 0:
		case 1:
		case 2:
			put(in);
			break;
		case 3:
			find(fingerprint(in));
			break;
		case 4:
			drop(in);
			break;
		case 5:
			save_and_load(ix, stats);
			break;
		case 6:
			load_bent(in, ix);
			bent = true; /* it may say anything from here on, but no more than it has room for */
			break;
		default:
			dedup_index_clear(ix);
			known.clear();
			bent = false;
			FUZZ_CHECK(stats.entries == 0);
		}
		FUZZ_CHECK(stats.entries <= stats.capacity);
	}

      private:
	void
	put(Input &in)
	{
		Name fp = fingerprint(in);
		index_entry e = {1 + (uint64_t)in.u8(), in.u64() >> in.u8() % 64, in.u32() >> in.u8() % 32};
		bool fits = e.owner_lba >> INDEX_LBA_BITS == 0 && e.owner_vol >> INDEX_VOL_BITS == 0;

		dedup_index_put(ix, bytes(fp), &e, in.bit());
		if (fits)
			known[fp] = {e.where, e.owner_lba, e.owner_vol};
		else
			known.erase(fp);
		FUZZ_CHECK(find(fp) == fits);
	}

	bool
	find(const Name &fp)
	{
		index_entry e;
		auto k = known.find(fp);

		if (!dedup_index_get(ix, bytes(fp), &e))
			return false;
		FUZZ_CHECK(bent || k != known.end());
		FUZZ_CHECK(bent || (e.where == k->second.where && e.owner_lba == k->second.lba &&
				    e.owner_vol == k->second.vol));
		return true;
	}

	void
	drop(Input &in)
	{
		Name fp = fingerprint(in);
		uint64_t where = 1 + (uint64_t)in.u8();
		index_entry e;
		bool lies_there = dedup_index_get(ix, bytes(fp), &e) && e.where == where;

		dedup_index_drop(ix, bytes(fp), where);
		if (!lies_there)
			return;
		known.erase(fp);
		FUZZ_CHECK(!find(fp));
	}

	dedup_index *ix;
	dedup_stats stats = {};
	std::map<Name, Known> known; /* forgets what the index does only when it is asked to */
	bool bent = false;
};

} // namespace

extern "C" int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	fuzz_eal((*argv)[0]);
	return 0;
}

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input in(data, size);
	Steps steps;

	while (!in.empty())
		steps.step(in);
	return 0;
}
