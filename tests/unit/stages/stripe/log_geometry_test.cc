/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Dealing columns, parity, and what is written about a log group. */

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "stages/stripe/head_format.h"
#include "stages/stripe/log_geometry.h"
#include "stages/stripe/log_parity.h"
#include "stages/stripe/log_super_format.h"
#include "stages/stripe/super_format.h"
}
#include "drive_rig.h"

namespace
{

/* Every column of every segment on a member of its own, in a slot of its own. @return columns in all. */
uint64_t
check(const lgroup_geometry &geo)
{
	std::set<uint32_t> taken;

	for (uint32_t s = 0; s < geo.segments; s++) {
		uint32_t members = 0;

		for (uint32_t p = 0; p < geo.width; p++) {
			uint32_t c = lgroup_geometry_column(&geo, s, p), m = lgroup_column_member(c);

			EXPECT_LT(m, geo.members);
			EXPECT_LT(lgroup_column_slot(c), geo.slots[m]);
			EXPECT_FALSE(members >> m & 1) << "twice on a member";
			EXPECT_TRUE(taken.insert(c).second) << "a slot given twice";
			members |= 1u << m;
		}
	}
	return taken.size();
}

TEST(LogGeometry, EveryByteHasOneHomeAndAllRoomIsUsed)
{
	std::mt19937 rnd(7);

	for (uint32_t width = 1; width <= 8; width++) {
		for (uint32_t n = width; n <= 12; n++) {
			for (int round = 0; round < 6; round++) {
				std::vector<uint32_t> slots(n);
				lgroup_geometry geo;

				for (auto &s : slots)
					s = round == 0 ? 20 : 1 + rnd() % (round * 30);
				uint32_t most = lgroup_geometry_capacity(slots.data(), n, width);

				if (most == 0)
					continue;
				ASSERT_EQ(0, lgroup_geometry_init(&geo, width, slots.data(), n));
				EXPECT_EQ(most, geo.segments) << "width " << width << " of " << n;
				EXPECT_EQ((uint64_t)most * width, check(geo));
				lgroup_geometry_fini(&geo);
			}
		}
	}
}

TEST(LogGeometry, CapacityIsWhatTheSmallAllow)
{
	uint32_t equal[] = {10, 10, 10, 10}, one_big[] = {100, 1, 1}, two_big[] = {9, 9, 1, 1};

	EXPECT_EQ(10u, lgroup_geometry_capacity(equal, 4, 4));
	EXPECT_EQ(13u, lgroup_geometry_capacity(equal, 4, 3));
	EXPECT_EQ(2u, lgroup_geometry_capacity(one_big, 3, 2));
	EXPECT_EQ(1u, lgroup_geometry_capacity(two_big, 4, 4));
	EXPECT_EQ(102u, lgroup_geometry_capacity(one_big, 3, 1));
}

TEST(LogGeometry, RefusesTooFewMembers)
{
	uint32_t slots[] = {4, 4};
	lgroup_geometry geo;

	EXPECT_EQ(-EINVAL, lgroup_geometry_init(&geo, 3, slots, 2));
	EXPECT_EQ(-EINVAL, lgroup_geometry_init(&geo, 0, slots, 2));
	slots[0] = 0;
	EXPECT_EQ(-EINVAL, lgroup_geometry_init(&geo, 2, slots, 2));
}

/* Moves lead to the most segments there can be, each move is to a free slot, and doing them again gives the same. */
TEST(LogGeometry, GrowsByAMemberStepByStep)
{
	std::mt19937 rnd(3);

	for (int round = 0; round < 200; round++) {
		uint32_t width = 1 + rnd() % 5, n = width + rnd() % 4;
		std::vector<uint32_t> slots(n);
		lgroup_geometry a, b;
		lgroup_move mv;
		uint32_t moves = 0;

		for (auto &s : slots)
			s = 5 + rnd() % (round % 2 == 0 ? 1 : 40);
		ASSERT_EQ(0, lgroup_geometry_init(&a, width, slots.data(), n));
		uint32_t was = a.segments, more = 1 + rnd() % 40;

		ASSERT_EQ(0, lgroup_geometry_grow(&a, more));
		ASSERT_EQ(0, lgroup_geometry_init(&b, width, slots.data(), n));
		ASSERT_EQ(0, lgroup_geometry_grow(&b, more));
		while (lgroup_geometry_next(&a, &mv)) {
			ASSERT_LT(moves++, 100000u);
			EXPECT_EQ(mv.from << 26 | mv.from_slot, lgroup_geometry_column(&a, mv.seg, mv.pos));
			lgroup_geometry_moved(&a, &mv);
			if (moves % 7 == 0)
				check(a);
		}
		check(a);
		slots.push_back(more);
		uint32_t most = lgroup_geometry_capacity(slots.data(), n + 1, width);

		EXPECT_GE(a.segments, was);
		EXPECT_LE(a.segments, most);
		if (round % 2 == 0) {
			EXPECT_EQ(most, a.segments)
				<< "equal members: all room is used, width " << width << " of " << n;
		} else {
			EXPECT_GE(a.segments + width, most - most / 10) << "nearly all";
		}
		for (uint32_t i = 0; i < moves; i++) {
			ASSERT_TRUE(lgroup_geometry_next(&b, &mv));
			lgroup_geometry_moved(&b, &mv);
		}
		ASSERT_EQ(a.segments, b.segments);
		EXPECT_EQ(0, memcmp(a.column, b.column, sizeof(uint32_t) * a.segments * width));
		lgroup_geometry_fini(&a);
		lgroup_geometry_fini(&b);
	}
}

TEST(LogGeometry, ParityGoesRound)
{
	for (uint32_t width = 1; width < 7; width++) {
		for (uint32_t row = 0; row < 9; row++) {
			std::set<uint32_t> seen;

			for (uint32_t role = 0; role < width; role++) {
				uint32_t pos = lgroup_role_pos(width, 5, row, role);

				EXPECT_TRUE(seen.insert(pos).second);
				EXPECT_EQ(role, lgroup_pos_role(width, 5, row, pos));
			}
		}
	}
}

/* --- parity --------------------------------------------------------------------------------------------------------
 */

class LogParity : public DriveRig
{
};

TEST_F(LogParity, AnyKOfARowGiveTheRest)
{
	for (uint32_t k : {1u, 2u, 3u, 4u, 8u, 24u}) {
		for (uint32_t m = 0; m <= 3; m++) {
			const uint32_t unit = 4096, width = k + m;
			lgroup_parity p;
			std::vector<strake_buf *> cols;
			std::vector<uint8_t *> parity;
			bytes row = pattern(k * unit, k * 10 + m);
			strake_buf *list = payload(row, 1500, nullptr);

			ASSERT_EQ(0, lgroup_parity_init(&p, k, m));
			for (uint32_t i = 0; i < width; i++) {
				cols.push_back(strake_buf_page(unit));
				if (i < k)
					memcpy(cols[i]->addr, &row[i * unit], unit);
				else
					parity.push_back(cols[i]->addr);
			}
			lgroup_parity_encode(&p, list, unit, parity.data());
			if (m == 1) {
				for (uint32_t at = 0; at < unit; at++) {
					uint8_t x = 0;

					for (uint32_t i = 0; i < k; i++)
						x ^= row[i * unit + at];
					ASSERT_EQ(x, parity[0][at]) << "one parity is the XOR";
				}
			}
			strake_buf *page = strake_buf_page(unit);

			for (uint32_t out = 0; out < 1ull << std::min(width, 11u); out++) {
				uint32_t from = 0, n = 0;
				strake_buf *in[LOG_ROLES_MAX];

				if ((uint32_t)__builtin_popcount(out) > m)
					continue;
				for (uint32_t i = 0; i < width && n < k; i++) {
					if (!(out >> i & 1)) {
						from |= 1u << i;
						in[n++] = cols[i];
					}
				}
				for (uint32_t i = 0; i < width; i++) {
					lgroup_parity_rebuild(&p, from, i, in, unit, page->addr);
					ASSERT_EQ(0, memcmp(page->addr, cols[i]->addr, unit))
						<< k << "+" << m << " role " << i << " without " << out;
				}
			}
			strake_buf_put(page);
			strake_buf_put_list(list);
			for (auto *c : cols)
				strake_buf_put(c);
		}
	}
}

TEST_F(LogParity, AttemptsNameEverySetOnceDataFirst)
{
	lgroup_parity p;
	std::set<uint32_t> seen;
	uint32_t mask, n = 1, last = 1;

	ASSERT_EQ(0, lgroup_parity_init(&p, 4, 2));
	EXPECT_TRUE(lgroup_parity_attempt(&p, 0, &mask));
	EXPECT_EQ(0u, mask);
	while (lgroup_parity_attempt(&p, n, &mask)) {
		EXPECT_TRUE(seen.insert(mask).second);
		EXPECT_EQ(n <= 4 ? 1u << (n - 1) : mask, mask) << "one column with data after the other";
		EXPECT_GE((uint32_t)__builtin_popcount(mask), last) << "singles first";
		last = (uint32_t)__builtin_popcount(mask);
		n++;
	}
	EXPECT_EQ(6u + 15u, seen.size());
	ASSERT_EQ(0, lgroup_parity_init(&p, 4, 0));
	EXPECT_FALSE(lgroup_parity_attempt(&p, 1, &mask));
	EXPECT_EQ(-EINVAL, lgroup_parity_init(&p, 0, 1));
	EXPECT_EQ(-EINVAL, lgroup_parity_init(&p, 25, 1));
	EXPECT_EQ(-EINVAL, lgroup_parity_init(&p, 4, 4));
}

/* --- what is written -----------------------------------------------------------------------------------------------
 */

lgroup_super
sound()
{
	lgroup_super s = {};

	s.seq = 9;
	s.generation = 5;
	memcpy(s.uuid, "0123456789abcdef", 16);
	strcpy(s.name, "g0");
	s.data = 3;
	s.parity = 1;
	s.members = 5;
	s.first = 4;
	s.index = 2;
	s.moved = 7;
	s.unit = 65536;
	s.segment = 8u << 20;
	s.intent_bytes = 1u << 20;
	s.block = 512;
	for (uint32_t i = 0; i < 5; i++) {
		s.member[i].uuid[0] = (uint8_t)i;
		snprintf(s.member[i].serial, sizeof(s.member[i].serial), "S%u", i);
		s.member[i].slots = 100 + i;
		s.member[i].generation = 5;
	}
	s.member[1].state = 2;
	return s;
}

TEST(LogSuper, IsReadAsItWasWritten)
{
	std::vector<uint8_t> page(LOG_SUPER_BYTES);
	lgroup_super s = sound(), t;

	lgroup_super_encode(&s, page.data());
	ASSERT_EQ(0, lgroup_super_decode(&t, page.data()));
	EXPECT_EQ(0, memcmp(&s, &t, sizeof(s)));
	EXPECT_STREQ("a Strake log group", super_foreign(page.data(), (uint32_t)page.size()));
}

TEST(LogSuper, EveryFlippedBitIsFound)
{
	std::vector<uint8_t> page(LOG_SUPER_BYTES);
	lgroup_super s = sound(), t;

	lgroup_super_encode(&s, page.data());
	for (size_t at = 0; at < 6000; at += at < 600 ? 1 : 97) {
		page[at] ^= 1 << at % 8;
		EXPECT_NE(0, lgroup_super_decode(&t, page.data())) << at;
		page[at] ^= 1 << at % 8;
	}
	page[LOG_SUPER_BYTES - 1] ^= 1;
	EXPECT_EQ(-EBADMSG, lgroup_super_decode(&t, page.data()));
	memset(page.data(), 0, page.size());
	EXPECT_EQ(-ENOENT, lgroup_super_decode(&t, page.data()));
	lgroup_super_encode(&s, page.data());
	head_seal(page.data(), (const uint8_t *)"STRAKELG", 2, page.size());
	EXPECT_EQ(-EPROTO, lgroup_super_decode(&t, page.data()));
}

TEST(LogSuper, SenselessNumbersAreRefusedUnderAGoodSum)
{
	std::vector<uint8_t> page(LOG_SUPER_BYTES);
	std::vector<void (*)(lgroup_super &)> bends = {
		[](lgroup_super &s) { s.data = 0; },
		[](lgroup_super &s) { s.data = 25; },
		[](lgroup_super &s) { s.parity = 4; },
		[](lgroup_super &s) { s.first = 3; },
		[](lgroup_super &s) { s.first = 6; },
		[](lgroup_super &s) { s.index = 5; },
		[](lgroup_super &s) { s.unit = 12288; },
		[](lgroup_super &s) { s.unit = 2048; },
		[](lgroup_super &s) { s.unit = 262144; },
		[](lgroup_super &s) { s.segment = 0; },
		[](lgroup_super &s) { s.segment = 65536 + 4096; },
		[](lgroup_super &s) { s.segment = 32u << 20; },
		[](lgroup_super &s) { s.intent_bytes = 0; },
		[](lgroup_super &s) { s.intent_bytes = 4095; },
		[](lgroup_super &s) { s.intent_bytes = UINT32_MAX & ~4095u; },
		[](lgroup_super &s) { s.block = 1024; },
		[](lgroup_super &s) { s.name[0] = 0; },
		[](lgroup_super &s) { memset(s.name, 'x', sizeof(s.name)); },
		[](lgroup_super &s) { s.seq = UINT64_MAX; },
		[](lgroup_super &s) { s.generation = UINT64_MAX; },
		[](lgroup_super &s) { s.member[0].state = 3; },
		[](lgroup_super &s) { s.member[0].state = 1; }, /* two out, of one that may be */
		[](lgroup_super &s) { s.member[3].slots = 0; },
		[](lgroup_super &s) { s.member[3].slots = UINT32_MAX; },
		[](lgroup_super &s) { s.member[3].generation = 6; },
		[](lgroup_super &s) { s.member[3].uuid[0] = 4; },
		[](lgroup_super &s) { memset(s.member[3].serial, 'x', sizeof(s.member[3].serial)); },
	};

	for (size_t i = 0; i < bends.size(); i++) {
		lgroup_super s = sound(), t;

		bends[i](s);
		lgroup_super_encode(&s, page.data());
		EXPECT_EQ(-EBADMSG, lgroup_super_decode(&t, page.data())) << "bend " << i;
	}
}

TEST(LogSuper, NotesKeepTheirBlob)
{
	std::vector<uint8_t> page(LOG_NOTE_SLOT), blob(LOG_NOTE_BYTES, 0x5a);
	lgroup_note n = {}, t;

	n.seq = 4;
	n.id = 1;
	n.len = LOG_NOTE_BYTES;
	lgroup_note_encode(&n, blob.data(), page.data());
	ASSERT_EQ(0, lgroup_note_decode(&t, page.data()));
	EXPECT_EQ(n.len, t.len);
	EXPECT_EQ(0, memcmp(blob.data(), page.data() + LOG_NOTE_HEAD, n.len));
	page[LOG_NOTE_SLOT - 1] ^= 1;
	EXPECT_EQ(-EBADMSG, lgroup_note_decode(&t, page.data()));
	n.id = LOG_NOTES;
	lgroup_note_encode(&n, blob.data(), page.data());
	EXPECT_EQ(-EBADMSG, lgroup_note_decode(&t, page.data()));
}

} // namespace
