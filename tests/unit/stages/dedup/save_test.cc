/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "fixture.h"

extern "C" {
#include "stages/dedup/index_format.h"
#include "strake_kernel.h"
}

using Pieces = std::vector<Bytes>;

namespace
{

int
keep(void *arg, const void *piece, uint32_t len)
{
	((Pieces *)arg)->push_back(Bytes((const uint8_t *)piece, (const uint8_t *)piece + len));
	return 0;
}

Pieces
save(dedup_index *ix, unsigned int at_once = 3)
{
	Pieces out;
	uint64_t cursor = 0;
	int ret;

	do {
		size_t before = out.size();

		ret = dedup_index_save(ix, &cursor, at_once, keep, &out);
		EXPECT_GE(ret, 0);
		EXPECT_LE(out.size() - before, at_once);
	} while (ret == 0);
	return out;
}

void
fix_crc(Bytes &piece)
{
	uint32_t crc;

	memset(&piece[12], 0, 4);
	crc = strake_kernel->crc32c(0, piece.data(), piece.size());
	memcpy(&piece[12], &crc, 4);
}

class DedupSave : public DedupWorld
{
      protected:
	void
	fill(Vol *v, unsigned int blocks32)
	{
		for (unsigned int i = 0; i < blocks32; i++)
			ASSERT_EQ(0, write(v, i * 32, random_bytes(131072, i)));
	}

	/** The index after a restart: what was there is gone. */
	dedup_index *
	fresh(Vol *v)
	{
		strake_lcore_enter(1);
		dedup_index_clear(dedup_index_of(v->dedup));
		return dedup_index_of(v->dedup);
	}
};

} // namespace

TEST_F(DedupSave, WhatWasSavedIsKnownAgain)
{
	Vol *v = volume({});

	fill(v, 200);
	Pieces pieces = save(dedup_index_of(v->dedup));
	EXPECT_GE(pieces.size(), 4u);
	for (const Bytes &p : pieces)
		EXPECT_LE(p.size(), DEDUP_PIECE_MAX);
	uint64_t entries = stats(v).entries;
	dedup_index *ix = fresh(v);

	for (const Bytes &p : pieces)
		EXPECT_LT(0, dedup_index_load(ix, p.data(), (uint32_t)p.size()));
	EXPECT_EQ(entries, stats(v).entries);
	EXPECT_EQ(entries, stats(v).loaded);
	uint64_t stored = dedup_store.stored;
	fill(v, 200);
	EXPECT_EQ(stored, dedup_store.stored) << "all candidates, all confirmed";
}

TEST_F(DedupSave, AnotherSizeOfIndexLoadsAsMuchAsFits)
{
	Options small, large;

	large.memory = "1MiB";
	small.store = kStoreB;
	small.memory = "64KiB";
	Vol *v = volume(large);

	fill(v, 200);
	Pieces pieces = save(dedup_index_of(v->dedup));
	remove(v);
	small.store = kStoreA;
	Vol *w = volume(small);
	strake_lcore_enter(1);
	for (const Bytes &p : pieces)
		EXPECT_LE(0, dedup_index_load(dedup_index_of(w->dedup), p.data(), (uint32_t)p.size()));
	EXPECT_GT(stats(w).entries, stats(w).capacity * 97 / 100);
	EXPECT_EQ(0u, stats(w).evictions);
}

TEST_F(DedupSave, NothingKnownIsNothingSaved)
{
	Vol *v = volume({});

	EXPECT_TRUE(save(dedup_index_of(v->dedup)).empty());
}

TEST_F(DedupSave, APieceThatWasNotTakenIsMadeAgain)
{
	Vol *v = volume({});

	fill(v, 100);
	struct Stingy {
		Pieces taken;
		unsigned int calls = 0;
	} stingy;
	uint64_t cursor = 0;
	int ret;

	do {
		ret = dedup_index_save(
			dedup_index_of(v->dedup), &cursor, 100,
			[](void *arg, const void *piece, uint32_t len) {
				auto *s = (Stingy *)arg;

				return s->calls++ % 3 != 2 ? -EAGAIN : keep(&s->taken, piece, len);
			},
			&stingy);
		EXPECT_TRUE(ret == -EAGAIN || ret == 1);
	} while (ret != 1);
	EXPECT_EQ(save(dedup_index_of(v->dedup)), stingy.taken);
}

TEST_F(DedupSave, ADamagedPieceCostsItsOwnEntriesOnly)
{
	Vol *v = volume({});

	fill(v, 200);
	Pieces pieces = save(dedup_index_of(v->dedup));
	uint64_t entries = stats(v).entries;
	piece_head head;
	dedup_index *ix = fresh(v);

	ASSERT_EQ(0, piece_head_decode(&head, pieces[1].data(), (uint32_t)pieces[1].size()));
	pieces[1][pieces[1].size() / 2] ^= 0x10;
	for (size_t i = 0; i < pieces.size(); i++) {
		int ret = dedup_index_load(ix, pieces[i].data(), (uint32_t)pieces[i].size());

		if (i == 1)
			EXPECT_EQ(-EBADMSG, ret);
		else
			EXPECT_LT(0, ret);
	}
	EXPECT_EQ(entries - head.entries, stats(v).entries);
	EXPECT_EQ(1u, stats(v).bad_pieces);
}

TEST_F(DedupSave, EveryFlippedBitAndEveryShorterLengthIsSeen)
{
	Vol *v = volume({});

	ASSERT_EQ(0, write(v, 0, random_bytes(8192, 1)));
	Bytes piece = save(dedup_index_of(v->dedup)).at(0);
	dedup_index *ix = fresh(v);

	ASSERT_EQ(PIECE_HEAD + 2 * PIECE_ENTRY, piece.size());
	for (size_t bit = 0; bit < piece.size() * 8; bit++) {
		Bytes bad = piece;

		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		EXPECT_GT(0, dedup_index_load(ix, bad.data(), (uint32_t)bad.size())) << bit;
	}
	for (uint32_t len = 0; len < piece.size(); len++) {
		Bytes cut(piece.begin(), piece.begin() + len);

		EXPECT_EQ(-EBADMSG, dedup_index_load(ix, cut.data(), len)) << len;
	}
	EXPECT_EQ(0u, stats(v).entries);
	EXPECT_EQ(2, dedup_index_load(ix, piece.data(), (uint32_t)piece.size()));
}

TEST_F(DedupSave, NeverAcrossDomainsStoresOrKinds)
{
	Vol *v = volume({});
	Options domain, store, kind;

	domain.domain = "ab";
	store.store = kStoreB;
	kind.fingerprint = "fast";
	ASSERT_EQ(0, write(v, 0, random_bytes(8192, 1)));
	Bytes piece = save(dedup_index_of(v->dedup)).at(0);

	for (const Options &o : {domain, store}) {
		Vol *w = volume(o);

		EXPECT_EQ(-EXDEV, dedup_index_load(dedup_index_of(w->dedup), piece.data(), (uint32_t)piece.size()));
		EXPECT_EQ(0u, stats(w).entries);
	}
	remove(v);
	Vol *w = volume(kind);
	EXPECT_EQ(-EXDEV, dedup_index_load(dedup_index_of(w->dedup), piece.data(), (uint32_t)piece.size()));
	EXPECT_EQ(0u, stats(w).entries);
	EXPECT_EQ(0u, stats(w).bad_pieces);
}

TEST_F(DedupSave, AnotherVersionIsRefusedAsSuch)
{
	Vol *v = volume({});

	ASSERT_EQ(0, write(v, 0, random_bytes(4096, 1)));
	Bytes piece = save(dedup_index_of(v->dedup)).at(0);

	piece[8] = 2;
	fix_crc(piece);
	EXPECT_EQ(-EPROTO, dedup_index_load(dedup_index_of(v->dedup), piece.data(), (uint32_t)piece.size()));
}

TEST_F(DedupSave, EntriesNoStoreCanHaveMeantAreLeftOut)
{
	Vol *v = volume({});

	ASSERT_EQ(0, write(v, 0, random_bytes(8192, 1)));
	Bytes piece = save(dedup_index_of(v->dedup)).at(0);
	dedup_index *ix = fresh(v);

	memset(&piece[PIECE_HEAD + STRAKE_ADVICE_FP], 0, 8);
	piece[PIECE_HEAD + PIECE_ENTRY + 39] = 0xff; /* hotter than hot */
	fix_crc(piece);
	EXPECT_EQ(1, dedup_index_load(ix, piece.data(), (uint32_t)piece.size()));
	EXPECT_EQ(1u, stats(v).entries);
}

TEST_F(DedupSave, AnOldPieceDoesNotUndoWhatIsKnown)
{
	Vol *v = volume({});
	Bytes data = random_bytes(4096, 1);

	ASSERT_EQ(0, write(v, 0, data));
	Bytes piece = save(dedup_index_of(v->dedup)).at(0);

	dedup_store.places[0].freed = true;
	ASSERT_EQ(0, write(v, 1, data));
	strake_lcore_enter(1);
	EXPECT_EQ(0, dedup_index_load(dedup_index_of(v->dedup), piece.data(), (uint32_t)piece.size()));
	ASSERT_EQ(0, write(v, 2, data));
	EXPECT_EQ(1u, dedup_store.shared);
}

TEST_F(DedupSave, TheFormatOfVersionOneStays)
{
	Bytes piece(PIECE_HEAD + PIECE_ENTRY, 0xaa);
	piece_head head = {};
	piece_entry e = {};

	memset(head.uuid, 0x11, sizeof(head.uuid));
	strcpy(head.domain, "tenant");
	head.kind = DEDUP_FAST;
	head.entries = 1;
	memset(e.fp, 0x22, sizeof(e.fp));
	e.at = {0x0102030405060708, 0x1ffffffff, 0x54321};
	e.heat = 2;
	piece_entry_encode(piece.data(), 0, &e);
	piece_head_encode(piece.data(), &head);
	EXPECT_EQ(0, memcmp(piece.data(), "STRKDDIX\x01\0\0\0", 12));
	EXPECT_EQ(0x11, piece[16]);
	EXPECT_EQ(0, memcmp(&piece[32], "tenant\0\0", 8));
	EXPECT_EQ(1, piece[96]);
	EXPECT_EQ(1, piece[100]);
	for (size_t i = 104; i < 128; i++)
		EXPECT_EQ(0, piece[i]);
	EXPECT_EQ(0x22, piece[151]);
	EXPECT_EQ(0, memcmp(&piece[152], "\x08\x07\x06\x05\x04\x03\x02\x01", 8));
	EXPECT_EQ(0, memcmp(&piece[160], "\xff\xff\xff\xff\x11\x32\x54\x02", 8));
	uint32_t crc;

	memcpy(&crc, &piece[12], 4);
	Bytes again = piece;
	fix_crc(again);
	EXPECT_EQ(again, piece);
	piece_head h2;
	piece_entry e2;

	ASSERT_EQ(0, piece_head_decode(&h2, piece.data(), (uint32_t)piece.size()));
	EXPECT_EQ(0, memcmp(&head, &h2, sizeof(head)));
	piece_entry_decode(&e2, piece.data(), 0);
	EXPECT_EQ(e.at.owner_lba, e2.at.owner_lba);
	EXPECT_EQ(e.at.owner_vol, e2.at.owner_vol);
	EXPECT_EQ(e.at.where, e2.at.where);
	EXPECT_EQ(2, e2.heat);
}
