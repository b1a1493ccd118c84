/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cerrno>
#include <deque>
#include <random>
#include <thread>

#include "conf_key.h"
#include "strake_kernel.h"
#include "drive_rig.h"

namespace
{

class MemDrive : public DriveRig
{
      protected:
	strake_drive *d = nullptr;

	int
	try_open(strake_drive **out, const char *size, const char *block, std::string *why = nullptr)
	{
		char err[256] = "";
		const char *pairs[] = {"size", size, "block_size", block, nullptr, nullptr};
		conf_values *v = conf_values_make(strake_drive_find("mem")->keys, pairs, err, sizeof(err));
		int ret = -EINVAL;

		if (v != nullptr) {
			ret = strake_drive_open(out, "m0", "mem", v, err, sizeof(err));
			conf_values_free(v);
		}
		if (why != nullptr)
			*why = err;
		return ret;
	}

	void
	open(const char *size = "1MiB", const char *block = "512")
	{
		ASSERT_EQ(0, try_open(&d, size, block));
		ASSERT_EQ(0, strake_drive_lcore_init(d));
	}

	void
	TearDown() override
	{
		if (d != nullptr) {
			strake_drive_lcore_fini(d);
			strake_drive_close(d);
		}
		DriveRig::TearDown();
	}

	/* Read and keep what was lent. */
	strake_buf *
	borrow(uint64_t off, uint32_t len)
	{
		rig_io io(STRAKE_IO_READ, off, len);

		EXPECT_EQ(0, run(d, io));
		EXPECT_EQ(len, strake_buf_list_len(io.io.bufs));
		return io.io.bufs;
	}

	static bytes
	look(strake_buf *list)
	{
		bytes v(strake_buf_list_len(list));

		EXPECT_EQ(0, strake_buf_copy_out(list, 0, v.data(), (uint32_t)v.size()));
		return v;
	}

	static unsigned int
	pieces(const strake_buf *list)
	{
		unsigned int n = 0;

		for (; list != nullptr; list = list->next)
			n++;
		return n;
	}
};

TEST_F(MemDrive, RefusesSizesItCannotGive)
{
	strake_drive *none = nullptr;
	std::string why;

	EXPECT_EQ(-EINVAL, try_open(&none, "1MiB", "1024", &why));
	EXPECT_NE(std::string::npos, why.find("expected 512 or 4096")) << why;
	EXPECT_EQ(-EINVAL, try_open(&none, "4608", "4096", &why));
	EXPECT_EQ(-ENOMEM, try_open(&none, "1TiB", "512", &why));
	EXPECT_NE(std::string::npos, why.find("drive m0: DPDK has no ")) << why;
	EXPECT_EQ(nullptr, strake_drive_nth(0));
}

TEST_F(MemDrive, IsZeroAtFirstWithoutCopying)
{
	open();
	strake_buf *b = borrow(512, STRAKE_BUF_PAGE_MAX);
	EXPECT_EQ(1u, pieces(b));
	EXPECT_EQ(bytes(STRAKE_BUF_PAGE_MAX), look(b));
	EXPECT_EQ(0u, d->stats[0]->bytes_gathered);
	strake_buf_put_list(b);
}

TEST_F(MemDrive, CompletesInTheSameTurnButNotInSubmit)
{
	open();
	rig_io io(STRAKE_IO_FLUSH, 0, 0);
	submit(d, io);
	EXPECT_EQ(0, io.done);
	turn();
	EXPECT_EQ(1, io.done);
	EXPECT_EQ(0, io.io.status);

	/* What another poller submits in its poll is done before the turn ends. */
	static rig_io *late;
	static strake_drive *drive;
	rig_io l(STRAKE_IO_FLUSH, 0, 0);
	late = &l;
	drive = d;
	strake_poller p = {};
	p.name = "front";
	p.fd = -1;
	p.poll = [](strake_poller *, uint64_t) {
		strake_io *i = &late->io;

		if (late->done == 0)
			strake_drive_submit(drive, &i, 1);
		return 1u;
	};
	strake_poller_add(&p);
	turn();
	EXPECT_EQ(1, l.done);
	strake_poller_del(&p);
}

/* Fetching ahead is a hint: whatever is read, to the last block, comes as without it. */
TEST_F(MemDrive, LendsTheSameWhereItWillBeTouched)
{
	const uint64_t end = 1 << 20;
	bytes all = pattern(1 << 20, 3);

	open();
	for (uint64_t off = 0; off < end; off += STRAKE_BUF_PAGE_MAX)
		EXPECT_EQ(0, write(d, off, bytes(&all[off], &all[off] + STRAKE_BUF_PAGE_MAX)));
	for (uint32_t len : {512u, 1024u, 1536u, 4096u, 65536u + 512u}) {
		for (uint64_t off : {end - len, end - len - 512, (uint64_t)512}) {
			rig_io io(STRAKE_IO_READ, off, len);

			io.io.flags = STRAKE_IO_TOUCHED;
			EXPECT_EQ(0, run(d, io));
			EXPECT_EQ(bytes(&all[off], &all[off] + len), look(io.io.bufs));
			strake_buf *other = borrow(off, len);
			EXPECT_EQ(other->addr, io.io.bufs->addr) << "lent, not copied";
			strake_buf_put_list(other);
			strake_buf_put_list(io.io.bufs);
		}
	}
	EXPECT_EQ(end, d->stats[0]->bytes_gathered) << "what was written";
}

TEST_F(MemDrive, ReadLendsThePageItself)
{
	bytes a = pattern(4096, 1);

	open();
	EXPECT_EQ(0, write(d, 8192, a));
	strake_buf *x = borrow(8192, 4096), *y = borrow(8192, 4096), *z = borrow(8192 + 512, 512);
	EXPECT_EQ(x->addr, y->addr);
	EXPECT_EQ(x->addr + 512, z->addr);
	EXPECT_EQ(0u, (uintptr_t)x->addr % 4096);
	EXPECT_EQ(STRAKE_BUF_STABLE, x->flags);
	EXPECT_EQ(STRAKE_BUF_UNREGISTERED, x->reg);
	EXPECT_EQ(a, look(x));
	EXPECT_EQ(4096u, d->stats[0]->bytes_gathered) << "the write's one copy, and nothing for the reads";
	strake_buf_put(x);
	strake_buf_put(y);
	strake_buf_put(z);
}

TEST_F(MemDrive, ALentPageNeverChanges)
{
	bytes v[4];

	open();
	for (int i = 0; i < 4; i++)
		v[i] = pattern(4096, i);
	EXPECT_EQ(0, write(d, 0, v[0]));
	strake_buf *b0 = borrow(0, 4096);
	EXPECT_EQ(0, write(d, 0, v[1]));
	strake_buf *b1 = borrow(0, 4096);
	EXPECT_EQ(0, write(d, 0, v[2]));
	/* Half a page: the other half must come along. */
	strake_buf *b2 = borrow(0, 4096);
	EXPECT_EQ(0, write(d, 2048, bytes(&v[3][0], &v[3][2048])));
	bytes mixed = v[2];
	memcpy(&mixed[2048], &v[3][0], 2048);
	strake_buf *b3 = borrow(0, 4096);
	EXPECT_EQ(0, simple(d, STRAKE_IO_WRITE_ZEROES, 0, 4096));
	EXPECT_EQ(v[0], look(b0));
	EXPECT_EQ(v[1], look(b1));
	EXPECT_EQ(v[2], look(b2));
	EXPECT_EQ(mixed, look(b3));
	bytes out;
	EXPECT_EQ(0, read(d, 0, 4096, out));
	EXPECT_EQ(bytes(4096), out);
	for (auto *b : {b2, b0, b3, b1})
		strake_buf_put(b);
}

TEST_F(MemDrive, APageGoesHomeWhenItsReadersAreThrough)
{
	open();
	EXPECT_EQ(0, write(d, 0, pattern(STRAKE_BUF_PAGE_MAX, 1)));
	strake_buf *whole = borrow(0, STRAKE_BUF_PAGE_MAX);
	EXPECT_EQ(1u, pieces(whole));
	uint8_t *home = whole->addr;
	EXPECT_EQ(0, write(d, 4096, pattern(4096, 2)));
	strake_buf *split = borrow(0, STRAKE_BUF_PAGE_MAX);
	EXPECT_EQ(3u, pieces(split));
	strake_buf_put_list(split);
	strake_buf_put_list(whole);
	EXPECT_EQ(0, write(d, 4096, pattern(4096, 3)));
	whole = borrow(0, STRAKE_BUF_PAGE_MAX);
	EXPECT_EQ(1u, pieces(whole));
	EXPECT_EQ(home, whole->addr);
	strake_buf_put_list(whole);
}

/* A page that was written whole is sent without being read: its sum goes with it, and never outlives its bytes. */
TEST_F(MemDrive, KnowsTheSumOfPagesWrittenWhole)
{
	auto known = [&](uint64_t off, uint32_t len) {
		strake_buf *list = borrow(off, len);
		bool yes = true;
		uint16_t sum;

		for (strake_buf *b = list; b != nullptr; b = b->next) {
			uint16_t want = (uint16_t)~strake_cksum_fold(strake_kernel->cksum(b->addr, b->len, 0));

			if (!strake_buf_sum(b, 0, b->len, &sum))
				yes = false;
			else
				EXPECT_EQ(want % 0xffff, sum % 0xffff);
		}
		EXPECT_FALSE(strake_buf_sum(list, 0, 512, &sum)) << "less than a page";
		strake_buf_put_list(list);
		return yes;
	};

	open();
	EXPECT_TRUE(known(0, 8192)) << "zeroes";
	EXPECT_EQ(0, write(d, 0, pattern(16384, 1)));
	EXPECT_TRUE(known(0, 16384));
	EXPECT_TRUE(known(4096, 8192));
	EXPECT_FALSE(known(512, 4096)) << "across two pages";
	EXPECT_EQ(0, write(d, 4096 + 512, pattern(512, 2)));
	EXPECT_FALSE(known(4096, 4096)) << "a part was written since";
	EXPECT_TRUE(known(8192, 4096));
	EXPECT_FALSE(known(0, 16384));
	/* While it is lent, the next content goes elsewhere, with its own sum; the lent bytes keep theirs. */
	strake_buf *lent = borrow(8192, 4096);
	EXPECT_EQ(0, write(d, 8192, pattern(4096, 3)));
	EXPECT_TRUE(known(8192, 4096));
	uint16_t sum;
	bytes v = look(lent);
	ASSERT_TRUE(strake_buf_sum(lent, 0, 4096, &sum));
	EXPECT_EQ(((uint16_t)~strake_cksum_fold(strake_kernel->cksum(v.data(), v.size(), 0))) % 0xffff, sum % 0xffff);
	strake_buf_put(lent);
	EXPECT_EQ(0, write(d, 4096, pattern(4096, 4)));
	EXPECT_TRUE(known(0, 16384));
	EXPECT_EQ(0, simple(d, STRAKE_IO_WRITE_ZEROES, 0, 4096 + 512));
	EXPECT_TRUE(known(0, 4096));
	EXPECT_FALSE(known(4096, 4096));
}

/* Payload in pieces of every size and place: only where they meet it goes through the cache. */
TEST_F(MemDrive, WritesPayloadInPieces)
{
	static const strake_backing kept = {"kept", nullptr, nullptr};
	std::mt19937 rng(7);

	open();
	for (int i = 0; i < 300; i++) {
		uint32_t len = 512 * (1 + rng() % 40), off = 512 * (rng() % 100);
		bytes v = pattern(len, (uint64_t)i), out;
		rig_io io(STRAKE_IO_WRITE, off, len);
		strake_buf **tail = &io.io.bufs;

		for (uint32_t at = 0; at < len;) {
			uint32_t n = std::min(len - at, 1 + (uint32_t)(rng() % (i % 2 ? 300 : 5000)));

			*tail = strake_buf_wrap(&v[at], n, &kept, nullptr, STRAKE_BUF_STABLE);
			tail = &(*tail)->next;
			at += n;
		}
		ASSERT_EQ(0, run(d, io));
		strake_buf_put_list(io.io.bufs);
		ASSERT_EQ(0, read(d, off, len, out));
		ASSERT_EQ(v, out) << i;
		strake_buf *b = borrow(off & ~4095u, 4096);
		uint16_t sum;
		bytes page = look(b);
		if (strake_buf_sum(b, 0, 4096, &sum)) {
			EXPECT_EQ(((uint16_t)~strake_cksum_fold(strake_kernel->cksum(page.data(), 4096, 0))) % 0xffff,
				  sum % 0xffff);
		}
		strake_buf_put(b);
	}
}

/* Readers that never give back use up the right to borrow, not the drive: reads then copy, and writes go on. */
TEST_F(MemDrive, ReadersWhoKeepEverythingStopNobody)
{
	std::vector<std::pair<strake_buf *, bytes>> kept;
	unsigned int lent = 0, copied = 0;

	open();
	for (uint64_t i = 0; i < 4000; i++) {
		bytes v = pattern(4096, i);

		ASSERT_EQ(0, write(d, i % 4 * 4096, v));
		strake_buf *b = borrow(i % 4 * 4096, 4096);
		(b->reg == STRAKE_BUF_UNREGISTERED ? lent : copied)++;
		kept.emplace_back(b, v);
	}
	EXPECT_GE(lent, 256u);
	EXPECT_GE(copied, 256u);
	EXPECT_EQ(4000ull * 4096 + copied * 4096ull, d->stats[0]->bytes_gathered);
	for (auto &[b, v] : kept) {
		EXPECT_EQ(v, look(b));
		strake_buf_put(b);
	}
	/* And all of it comes back. */
	strake_buf *b = borrow(0, 4096);
	EXPECT_EQ(STRAKE_BUF_UNREGISTERED, b->reg);
	strake_buf_put(b);
}

TEST_F(MemDrive, OutOfBoundsIsRefusedOnce)
{
	bytes out;

	open("1MiB", "4096");
	EXPECT_EQ(-ERANGE, read(d, 1 << 20, 4096, out));
	EXPECT_EQ(-ERANGE, read(d, (1 << 20) - 4096, 8192, out));
	EXPECT_EQ(-ERANGE, read(d, UINT64_MAX - 4095, 4096, out));
	EXPECT_EQ(-ERANGE, read(d, 512, 4096, out));
	EXPECT_EQ(-ERANGE, read(d, 0, 512, out));
	EXPECT_EQ(-ERANGE, read(d, 0, 0, out));
	EXPECT_EQ(-ERANGE, read(d, 0, STRAKE_BUF_PAGE_MAX * 2, out));
	EXPECT_EQ(-ERANGE, simple(d, STRAKE_IO_DEALLOCATE, 4096, 1 << 20));
	/* A payload shorter than its write. */
	strake_buf *b = payload(pattern(4096, 1), 0, nullptr);
	rig_io io(STRAKE_IO_WRITE, 0, 8192, b);
	EXPECT_EQ(-ERANGE, run(d, io));
	strake_buf_put(b);
}

TEST_F(MemDrive, ReadFillsTheBufsItIsGiven)
{
	bytes a = pattern(8192, 5);

	open();
	EXPECT_EQ(0, write(d, 512, a));
	strake_buf *list = payload(bytes(9000, 0xcc), 1000, nullptr);
	rig_io io(STRAKE_IO_READ, 512, 8192, list);
	io.io.buf_off = 300;
	EXPECT_EQ(0, run(d, io));
	EXPECT_EQ(list, io.io.bufs);
	bytes got = look(list), want(9000, 0xcc);
	memcpy(&want[300], a.data(), a.size());
	EXPECT_EQ(want, got);
	strake_buf_put_list(list);
}

TEST_F(MemDrive, LongRangesAreClearedOverSeveralTurns)
{
	open("64MiB", "4096");
	EXPECT_EQ(0, write(d, 63 << 20, pattern(4096, 1)));
	rig_io io(STRAKE_IO_DEALLOCATE, 0, 64 << 20);
	bytes out;
	submit(d, io);
	turn();
	EXPECT_EQ(0, io.done) << "16,384 pages at once would stall the turn";
	EXPECT_EQ(0, wait(io));
	EXPECT_EQ(0, read(d, 63 << 20, 4096, out));
	EXPECT_EQ(bytes(4096), out);
}

TEST_F(MemDrive, ReadersGiveBackOnOtherThreads)
{
	open();
	for (int round = 0; round < 50; round++) {
		std::vector<strake_buf *> lent;

		for (int i = 0; i < 64; i++) {
			EXPECT_EQ(0, write(d, i * 4096, pattern(4096, round * 100 + i)));
			lent.push_back(borrow(i * 4096, 4096));
		}
		std::thread t([&] {
			for (auto *b : lent)
				strake_buf_put(b);
		});
		for (int i = 0; i < 64; i++)
			EXPECT_EQ(0, write(d, i * 4096, pattern(4096, round)));
		t.join();
	}
}

/* Seeded operations of all kinds against a model, with readers who keep what they read for a while. */
class MemModel : public MemDrive, public testing::WithParamInterface<int>
{
};

TEST_P(MemModel, BehavesLikeFlatMemory)
{
	constexpr uint32_t kBytes = 1 << 20;
	struct kept {
		strake_buf *list;
		bytes was;
	};
	bool small = GetParam() % 2 == 0;
	uint32_t block = small ? 512 : 4096;
	std::mt19937_64 rng(GetParam());
	std::deque<kept> readers;
	bytes model(kBytes);

	open("1MiB", small ? "512" : "4096");
	for (int i = 0; i < 4000; i++) {
		/* Short ones mostly, in a hot part mostly. */
		uint32_t blocks = 1 + rng() % (rng() % 8 == 0 ? STRAKE_BUF_PAGE_MAX / block : 8);
		uint32_t len = blocks * block, room = rng() % 2 ? kBytes : 256 * 1024;
		uint64_t off = rng() % ((room - len) / block + 1) * block;

		switch (rng() % 8) {
		case 0:
		case 1:
		case 2: {
			bytes v = pattern(len, rng());
			uint32_t skip = rng() % 3 == 0 ? rng() % 700 : 0;
			bytes framed(skip + len);

			memcpy(&framed[skip], v.data(), len);
			strake_buf *list =
				payload(framed, rng() % 2 ? 0 : 500 + rng() % 9000, nullptr, rng() % 2 ? 0 : 3);
			rig_io io(STRAKE_IO_WRITE, off, len, list);
			io.io.buf_off = skip;
			ASSERT_EQ(0, run(d, io));
			strake_buf_put_list(list);
			memcpy(&model[off], v.data(), len);
			break;
		}
		case 3:
			ASSERT_EQ(0, simple(d, rng() % 2 ? STRAKE_IO_WRITE_ZEROES : STRAKE_IO_DEALLOCATE, off, len));
			memset(&model[off], 0, len);
			break;
		default: {
			strake_buf *list = borrow(off, len);
			bytes v = look(list);

			ASSERT_EQ(0, memcmp(v.data(), &model[off], len)) << "op " << i;
			readers.push_back({list, v});
		}
		}
		while (readers.size() > (size_t)(rng() % 60)) {
			size_t at = rng() % readers.size();

			ASSERT_EQ(readers[at].was, look(readers[at].list)) << "a lent page changed";
			strake_buf_put_list(readers[at].list);
			readers.erase(readers.begin() + (long)at);
		}
	}
	for (auto &r : readers)
		strake_buf_put_list(r.list);
}

INSTANTIATE_TEST_SUITE_P(Seeds, MemModel, testing::Range(1, 9));

} // namespace
