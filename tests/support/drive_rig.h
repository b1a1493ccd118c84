/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef DRIVE_RIG_H
#define DRIVE_RIG_H

/* This thread as lcore 0, buffers, virtual time, and I/Os that are easy to write down: for tests of drives. */

#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <rte_memory.h>

#include "strake_buf.h"
#include "strake_drive.h"
#include "strake_lcore.h"

using bytes = std::vector<uint8_t>;

/* An I/O and what became of it. */
struct rig_io {
	strake_io io = {};
	int done = 0;
	std::function<void(rig_io *)> then; /* runs inside done */

	rig_io(strake_io_op op, uint64_t off, uint32_t len, strake_buf *bufs = nullptr, uint16_t flags = 0)
	{
		io.op = (uint8_t)op;
		io.off = off;
		io.len = len;
		io.bufs = bufs;
		io.flags = flags;
		io.arg = this;
		io.done = [](strake_io *i) {
			rig_io *self = (rig_io *)i->arg;

			self->done++;
			if (self->then)
				self->then(self);
		};
	}
	rig_io(const rig_io &) = delete;
};

class DriveRig : public testing::Test
{
      protected:
	uint64_t now = 1000;
	struct strake_buf_usage before = {};
	uint64_t arena_bytes = 64u << 20;

	void
	SetUp() override
	{
		strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, SOCKET_ID_ANY};
		strake_buf_conf bc = {16384, arena_bytes, SOCKET_ID_ANY};

		ASSERT_EQ(0, strake_lcore_create(0, &lc));
		strake_lcore_enter(0);
		ASSERT_EQ(0, strake_buf_init(&bc));
		strake_buf_usage(&before);
		turn();
	}

	void
	TearDown() override
	{
		struct strake_buf_usage after;

		strake_buf_usage(&after);
		EXPECT_EQ(before.descriptors_free, after.descriptors_free) << "leaked descriptors";
		for (int i = 0; i < 4; i++)
			EXPECT_EQ(before.pages_free[i], after.pages_free[i]) << "leaked pages of class " << i;
		strake_buf_fini();
		strake_lcore_enter(UINT16_MAX);
		strake_lcore_destroy(0);
	}

	uint32_t
	turn()
	{
		/* strake_drive_sync() may have moved the clock on. */
		now = std::max(now, strake_now()) + 1000;
		return strake_lcore_turn(now);
	}

	void
	submit(strake_drive *d, rig_io &io)
	{
		strake_io *p = &io.io;

		strake_drive_submit(d, &p, 1);
	}

	/* Turns until it is done; drives that wait for the kernel need real time. */
	int
	wait(rig_io &io)
	{
		for (uint64_t i = 0; io.done == 0 && i < 50000000; i++)
			turn();
		EXPECT_EQ(1, io.done);
		return io.io.status;
	}

	int
	run(strake_drive *d, rig_io &io)
	{
		submit(d, io);
		EXPECT_EQ(0, io.done) << "done from inside submit";
		return wait(io);
	}

	int
	write(strake_drive *d, uint64_t off, const bytes &data, uint16_t flags = 0)
	{
		strake_buf *list = payload(data, 0, nullptr);
		rig_io io(STRAKE_IO_WRITE, off, (uint32_t)data.size(), list, flags);
		int ret = run(d, io);

		strake_buf_put_list(list);
		return ret;
	}

	int
	read(strake_drive *d, uint64_t off, uint32_t len, bytes &out)
	{
		rig_io io(STRAKE_IO_READ, off, len);
		int ret = run(d, io);

		out.assign(len, 0xee);
		if (ret == 0) {
			EXPECT_EQ(len, strake_buf_list_len(io.io.bufs));
			EXPECT_EQ(0, strake_buf_copy_out(io.io.bufs, 0, out.data(), len));
		}
		strake_buf_put_list(io.io.bufs);
		return ret;
	}

	int
	simple(strake_drive *d, strake_io_op op, uint64_t off = 0, uint32_t len = 0, uint16_t flags = 0)
	{
		rig_io io(op, off, len, nullptr, flags);

		return run(d, io);
	}

	/* A list of pages that holds data, cut into pieces of at most `piece` bytes (0: as long as pages are), each
	 * piece beginning `skew` bytes into its page. */
	strake_buf *
	payload(const bytes &data, uint32_t piece, strake_buf **last, uint32_t skew = 0)
	{
		strake_buf *head = nullptr, **tail = &head;
		size_t off = 0;

		if (piece == 0)
			piece = STRAKE_BUF_PAGE_MAX - skew;
		while (off < data.size()) {
			uint32_t n = (uint32_t)std::min<size_t>(piece, data.size() - off);
			strake_buf *b = strake_buf_page(n + skew);

			if (b == nullptr)
				abort();
			memcpy(b->addr + skew, &data[off], n);
			if (skew > 0) {
				strake_buf *s = strake_buf_slice(b, skew, n);

				strake_buf_put(b);
				b = s;
			}
			*tail = b;
			tail = &b->next;
			if (last != nullptr)
				*last = b;
			off += n;
		}
		return head;
	}

	static bytes
	pattern(size_t len, uint64_t seed)
	{
		bytes v(len);

		for (size_t i = 0; i < len; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			v[i] = (uint8_t)(seed >> 56);
		}
		return v;
	}
};

#endif /* DRIVE_RIG_H */
