/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What the store's tests rely on: the space in memory keeps the contract, and fails as drives do. */

#include "drive_rig.h"
#include "space.h"

namespace
{

struct Io {
	strake_space_io io = {};
	int done = 0;

	Io(uint8_t op, uint32_t seg = 0, uint64_t off = 0, uint32_t len = 0, uint16_t attempt = 0)
	{
		io.op = op;
		io.seg = seg;
		io.off = off;
		io.len = len;
		io.attempt = attempt;
		io.arg = this;
		io.done = [](strake_space_io *i) { ((Io *)i->arg)->done++; };
	}
	Io(const Io &) = delete;
};

class Space : public DriveRig
{
      protected:
	std::unique_ptr<FakeSpace> fs;

	void
	make(const FakeSpaceConf &c)
	{
		fs = std::make_unique<FakeSpace>(c);
		fs->start();
	}
	void
	TearDown() override
	{
		EXPECT_EQ(0u, fs->figures().out_of_order + fs->figures().changed + fs->figures().out_of_bounds);
		fs->stop();
		fs.reset();
		DriveRig::TearDown();
	}
	int
	run(Io &io)
	{
		strake_space_submit(fs->space(), &io.io);
		EXPECT_EQ(0, io.done) << "done from inside submit";
		for (int i = 0; i < 1000 && io.done == 0; i++)
			turn();
		EXPECT_EQ(1, io.done);
		return io.io.status;
	}
	int
	row(uint32_t seg, uint32_t r, const bytes &data)
	{
		Io io(STRAKE_SPACE_ROW, seg);

		io.io.row = r;
		io.io.bufs = payload(data, 0, nullptr);
		int ret = run(io);
		strake_buf_put_list(io.io.bufs);
		return ret;
	}
	bytes
	read(uint32_t seg, uint64_t off, uint32_t len, uint16_t attempt = 0, int expect = 0)
	{
		Io io(STRAKE_SPACE_READ, seg, off, len, attempt);
		bytes out(len);

		EXPECT_EQ(expect, run(io));
		if (io.io.status == 0) {
			EXPECT_EQ(len, strake_buf_list_len(io.io.bufs));
			EXPECT_EQ(0, strake_buf_copy_out(io.io.bufs, 0, out.data(), len));
			strake_buf_put_list(io.io.bufs);
		}
		return out;
	}
	int
	flush()
	{
		Io io(STRAKE_SPACE_FLUSH);

		return run(io);
	}
};

TEST_F(Space, ReadsWhatWasWrittenAtAnyAlignment)
{
	FakeSpaceConf c;

	c.delay_turns = 3;
	make(c);
	bytes a = pattern(fs->space()->row_bytes, 1), b = pattern(fs->space()->row_bytes, 2), both = a;

	both.insert(both.end(), b.begin(), b.end());
	ASSERT_EQ(0, row(5, 0, a));
	ASSERT_EQ(0, row(5, 1, b));
	for (auto w : {std::pair<uint32_t, uint32_t>{0, 64}, {777, 1}, {16300, 200}, {49000, 4321}, {0, 98304}})
		EXPECT_EQ(bytes(both.begin() + w.first, both.begin() + w.first + w.second), read(5, w.first, w.second));
}

TEST_F(Space, WrongColumnIsRightWithSomeAttemptAndIsRepaired)
{
	for (uint16_t m = 1; m <= 3; m++) {
		FakeSpaceConf c;

		c.parity = m;
		c.unit = 4096;
		make(c);
		bytes a = pattern(fs->space()->row_bytes, m);

		ASSERT_EQ(0, row(0, 0, a));
		for (uint32_t i = 0; i < m; i++)
			fs->wrong(0, 0, i, 100, 8);
		EXPECT_NE(a, read(0, 0, (uint32_t)a.size()));
		uint16_t attempt = 1;

		while (attempt < 100 && read(0, 0, (uint32_t)a.size(), attempt) != a)
			attempt++;
		ASSERT_LT(attempt, 100);
		Io repair(STRAKE_SPACE_REPAIR, 0, 0, (uint32_t)a.size(), attempt);

		repair.io.bufs = payload(a, 0, nullptr);
		EXPECT_EQ(0, run(repair));
		strake_buf_put_list(repair.io.bufs);
		EXPECT_EQ(m, fs->figures().repaired);
		EXPECT_EQ(a, read(0, 0, (uint32_t)a.size()));
		read(0, 0, 64, 1000, -ERANGE);
		fs->stop();
		fs.reset();
	}
	make({});
}

TEST_F(Space, LostColumnsUpToParityCostNothingOneMoreIsAnError)
{
	FakeSpaceConf c;

	c.parity = 2;
	make(c);
	bytes a = pattern(fs->space()->row_bytes, 1);

	ASSERT_EQ(0, row(0, 0, a));
	fs->unreadable(0, 0, 0);
	fs->unreadable(UINT32_MAX, 0, 4);
	EXPECT_EQ(a, read(0, 0, (uint32_t)a.size()));
	fs->unreadable(UINT32_MAX, 0, 1);
	read(0, 0, 64, 0, -EIO);
	fs->readable();
	EXPECT_EQ(a, read(0, 0, (uint32_t)a.size()));
}

TEST_F(Space, PowerCutKeepsWhatWasFlushedAndIntentsThatWereDone)
{
	int lost = 0, kept = 0;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		FakeSpaceConf c;

		c.seed = seed;
		c.unit = 4096;
		make(c);
		bytes a = pattern(fs->space()->row_bytes, 1), b = pattern(fs->space()->row_bytes, 2),
		      d = pattern(512, 3);
		Io intent(STRAKE_SPACE_INTENT, 0, 1024, 512);

		ASSERT_EQ(0, row(0, 0, a));
		ASSERT_EQ(0, flush());
		ASSERT_EQ(0, row(0, 1, b));
		intent.io.bufs = payload(d, 0, nullptr);
		ASSERT_EQ(0, run(intent));
		strake_buf_put_list(intent.io.bufs);
		ASSERT_EQ(0, fs->space()->ops->note_write(fs->space(), 1, "old", 4));
		fs->cut_at(1);
		EXPECT_EQ(-EIO, fs->space()->ops->note_write(fs->space(), 1, "new", 4));
		EXPECT_FALSE(fs->on());
		EXPECT_EQ(-EIO, row(0, 2, b));
		fs->restore();
		EXPECT_EQ(a, read(0, 0, (uint32_t)a.size()));
		bytes now = read(0, a.size(), (uint32_t)b.size());

		lost += now == bytes(b.size());
		for (uint32_t col = 0; col < 3; col++)
			kept += memcmp(&now[col * 4096], &b[col * 4096], 4096) == 0;
		EXPECT_EQ(d, fs->peek_intents(1024, 512, 0));
		EXPECT_EQ(d, fs->peek_intents(1024, 512, 1));
		char note[16];
		uint32_t len = 0;

		EXPECT_EQ(0, fs->space()->ops->note_read(fs->space(), 1, note, &len));
		EXPECT_TRUE(len == 4 && (strcmp(note, "old") == 0 || strcmp(note, "new") == 0));
		fs->stop();
		fs.reset();
	}
	EXPECT_GT(lost, 0);
	EXPECT_GT(kept, 0);
	EXPECT_LT(kept, 120);
	make({});
}

} // namespace
