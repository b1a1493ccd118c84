/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * One bit of each field of each structure on the drives is turned: on one drive, in all copies, and with all checksums
 * made to agree. strake-fsck says what is wrong, and whoever opens the store mends it, or refuses with a reason, or
 * fails what it cannot have; it never gives a wrong byte. Pieces of a saved dedup index and the seals of chunks are
 * payload here; each bit of the former is turned in the tests of dedup.
 */

#include <cerrno>
#include <cstring>
#include <set>

#include <gtest/gtest.h>

#include "fields.h"
#include "image.h"

namespace
{

class Flip : public testing::Test
{
      protected:
	static Image *im;

	static void
	SetUpTestSuite()
	{
		for (uint64_t seed = 1; im == nullptr && seed < 60; seed++) {
			im = new Image(seed);
			if (im->whole())
				continue;
			delete im;
			im = nullptr;
		}
		ASSERT_NE(nullptr, im) << "no seed leaves one of each structure";
	}
	static void
	TearDownTestSuite()
	{
		delete im;
		im = nullptr;
	}

	/* Turn it, and have strake-fsck look. */
	static int
	turned(const Field &f, Turn how)
	{
		bool closed = im->closed_spot.count(f.of) > 0;
		const Spot &s = closed ? im->closed_spot.at(f.of) : im->killed_spot.at(f.of);

		im->load(closed);
		im->turn(s, s.field + f.byte, f.bit, how);
		return im->fsck.run();
	}

	struct Opened {
		int ret;
		uint64_t failed = 0, wrong = 0; /* blocks */
		sim::bytes keys;
		int keys_ret = 0;
	};

	/* Open the store as it lies, read every block, and close it. */
	static Opened
	opened()
	{
		sim::World &w = im->w;
		Opened o;

		w.why.clear();
		o.ret = w.boot(w.all_drives());
		if (o.ret < 0) {
			EXPECT_NE("", w.why);
			if (w.g != nullptr)
				w.crash();
			return o;
		}
		for (uint32_t first = 0; first < sim::kAll; first += 32) {
			std::vector<sim::Request> reqs(32);

			for (uint32_t i = 0; i < 32; i++)
				w.submit(reqs[i], STRAKE_OP_READ, first + i, 1, {}, 0, false);
			EXPECT_TRUE(w.drain());
			for (uint32_t i = 0; i < 32; i++) {
				EXPECT_TRUE(reqs[i].status == 0 || reqs[i].status == -EBADMSG) << reqs[i].status;
				o.failed += reqs[i].status != 0;
				o.wrong += reqs[i].status == 0 &&
					   !im->host.oracle.may_hold(first + i, sim::stamp_of(reqs[i].data.data()));
			}
		}
		keys_read(o);
		EXPECT_EQ(0, w.stop());
		return o;
	}

	static void
	keys_read(Opened &o)
	{
		strake_space *sp = log_group_space(im->w.g);
		uint32_t len = sp->note_bytes;

		o.keys.resize(len);
		o.keys_ret = sp->ops->note_read(sp, 1, o.keys.data(), &len);
		o.keys.resize(o.keys_ret == 0 ? len : 0);
	}
};

Image *Flip::im;

TEST_F(Flip, ABitOnOneDriveIsToldAndMended)
{
	std::set<std::string> seen;

	for (const Field &f : fields) {
		SCOPED_TRACE(std::string(f.of) + ": " + f.name);
		bool closed = im->closed_spot.count(f.of) > 0;
		int status = turned(f, ONE);

		/* What is played after a stop without order is mended by opening, and told as a note. */
		EXPECT_EQ(closed ? 4 : 0, status) << im->fsck.said;
		EXPECT_TRUE(im->fsck.times(" is damaged") + im->fsck.times("right when made from the other drives") > 0)
			<< im->fsck.said;
		Opened o = opened();
		EXPECT_EQ(0, o.ret) << im->w.why;
		EXPECT_EQ(0u, o.failed);
		EXPECT_EQ(0u, o.wrong);
		EXPECT_EQ(im->keys, o.keys);
		if (!seen.insert(f.of).second)
			continue;
		/* Of a segment that was open last nothing is written again, until collection moves what it holds. */
		im->after.write();
		EXPECT_TRUE(im->after.run() == 0 || im->after.times("it was open when") > 0) << im->after.said;
		EXPECT_EQ(0u, im->after.before(" broken")) << im->after.said;
	}
}

TEST_F(Flip, ABitInAllCopiesIsToldAndRefusedOrFailed)
{
	std::set<std::string> seen;

	for (const Field &f : fields) {
		if (im->closed_spot.count(f.of) == 0 || !seen.insert(f.of).second)
			continue;
		SCOPED_TRACE(std::string(f.of) + ": " + f.name);
		const Spot &s = im->closed_spot.at(f.of);
		int status = turned(f, ALL);
		Opened o = opened();

		EXPECT_EQ(s.kind == Spot::SUPER ? 5 : 1, status) << im->fsck.said;
		EXPECT_EQ(0u, o.wrong);
		if (s.kind == Spot::SUPER || strcmp(f.of, "table") == 0 || strcmp(f.of, "segment") == 0 ||
		    (s.kind == Spot::NOTE && s.note == 0)) {
			EXPECT_LT(o.ret, 0);
		} else if (s.kind == Spot::NOTE) {
			EXPECT_EQ(-EBADMSG, o.keys_ret);
			EXPECT_EQ(1u, im->fsck.times("the table of keys: no copy of it is whole")) << im->fsck.said;
		} else {
			EXPECT_EQ(0, o.ret) << im->w.why;
			EXPECT_GT(o.failed, 0u);
			EXPECT_GT(im->fsck.times("its checksum is wrong") + im->fsck.times("no chunk begins there"), 0u)
				<< im->fsck.said;
		}
	}
}

TEST_F(Flip, ALieUnderGoodChecksumsIsToldWhereverSomethingKnowsBetter)
{
	for (const Field &f : fields) {
		if (f.lie == nullptr)
			continue;
		SCOPED_TRACE(std::string(f.of) + ": " + f.name);
		int status = turned(f, LIE);

		EXPECT_LE(status, 5) << im->fsck.said;
		if (*f.lie == '\0')
			EXPECT_EQ(0u, im->fsck.times("BROKEN: ")) << im->fsck.said;
		else
			EXPECT_GT(im->fsck.times(f.lie), 0u) << im->fsck.said;
		Opened o = opened();
		EXPECT_EQ(f.blind, o.wrong > 0) << o.wrong;
	}
}

} // namespace
