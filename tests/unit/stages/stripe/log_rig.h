/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOG_RIG_H
#define LOG_RIG_H

/* A log group on drives that lose power: main and the owner lcore on the test's thread, in virtual time. */

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "log_group.h"
#include "stages/stripe/log_super_format.h"
#include "strake_chain.h"
}
#include "power_drive.h"

using bytes = std::vector<uint8_t>;

struct LogIo {
	strake_space_io io = {};
	int done = 0;
	std::function<void()> then;

	explicit LogIo(uint8_t op, uint32_t seg = 0, uint64_t off = 0, uint32_t len = 0, uint16_t attempt = 0)
	{
		io.op = op;
		io.seg = seg;
		io.off = off;
		io.len = len;
		io.attempt = attempt;
		io.arg = this;
		io.done = [](strake_space_io *i) {
			LogIo *self = (LogIo *)i->arg;

			self->done++;
			if (self->then)
				self->then();
		};
	}
	LogIo(const LogIo &) = delete;
};

class LogRig : public testing::Test
{
      protected:
	static constexpr uint64_t kMiB = 1 << 20;

	std::vector<uint64_t> sizes; /* of disks; else disk_bytes each */
	uint64_t disk_bytes = 5 * kMiB;
	power_conf disk_conf = {};
	uint64_t now = 0;
	power_supply *ps = nullptr;
	std::vector<power_disk *> disks;
	std::vector<strake_drive *> drives; /* nullptr: not plugged in */
	conf_group conf = {};
	log_group *g = nullptr;
	strake_space *sp = nullptr;
	std::string err;
	struct strake_buf_usage before = {};
	std::map<uint32_t, uint32_t> rows; /* in use, by segment: what the store says */

	void
	SetUp() override
	{
		strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, 0};
		strake_buf_conf bufs = {16384, 128u << 20, 0};
		strake_pipeline_conf pc = {64, 1024, 8, 0, nullptr};

		for (uint16_t i = 0; i < 2; i++)
			ASSERT_EQ(0, strake_lcore_create(i, &lc));
		ASSERT_EQ(0, strake_buf_init(&bufs));
		ASSERT_EQ(0, strake_pipeline_init(&pc));
		for (uint16_t i = 0; i < 2; i++) {
			strake_lcore_enter(i);
			ASSERT_EQ(0, strake_pipeline_lcore_init());
		}
		strake_lcore_enter(0);
		strake_buf_usage(&before);
		conf.name = "g0";
		conf.style = CONF_STYLE_LOG;
		conf.data = 3;
		conf.parity = 1;
		conf.unit = 4096;
		conf.segment = 16384;
		conf.create = true;
	}

	void
	TearDown() override
	{
		struct strake_buf_usage after;

		if (g != nullptr)
			stop();
		drop_disks();
		strake_buf_usage(&after);
		EXPECT_EQ(before.descriptors_free, after.descriptors_free) << "leaked descriptors";
		for (int i = 0; i < 4; i++)
			EXPECT_EQ(before.pages_free[i], after.pages_free[i]) << "leaked pages of class " << i;
		for (uint16_t i = 0; i < 2; i++) {
			strake_lcore_enter(i);
			strake_pipeline_lcore_fini();
		}
		strake_pipeline_fini();
		strake_buf_fini();
		for (uint16_t i = 0; i < 2; i++)
			strake_lcore_destroy(i);
	}

	/* --- drives --- */

	void
	drop_disks()
	{
		for (unsigned i = 0; i < drives.size(); i++)
			pull(i);
		for (auto *d : disks) {
			power_figures f;

			power_disk_figures(d, &f);
			EXPECT_EQ(0u, f.overlaps) << "I/Os on the same bytes at once";
			EXPECT_EQ(0u, f.changed) << "payload changed under an I/O";
			EXPECT_EQ(0u, f.out_of_bounds);
			power_disk_free(d);
		}
		disks.clear();
		drives.clear();
		if (ps != nullptr)
			power_supply_free(ps);
		ps = nullptr;
	}

	void
	make_disks(unsigned n, uint64_t seed = 1)
	{
		if (ps == nullptr)
			ps = power_supply_new(seed);
		for (unsigned i = 0; i < n; i++) {
			std::string serial = "S" + std::to_string(disks.size());
			power_conf c = disk_conf;

			c.bytes = disks.size() < sizes.size() ? sizes[disks.size()] : disk_bytes;
			c.serial = serial.c_str();
			disks.push_back(power_disk_new(ps, &c));
		}
		conf.n_drives = n;
	}

	strake_drive *
	plug(unsigned i)
	{
		std::string name = "d" + std::to_string(i);

		drives.resize(disks.size());
		if (drives[i] != nullptr)
			return drives[i];
		if (power_drive_open(&drives[i], name.c_str(), disks[i]) != 0)
			return nullptr;
		for (uint16_t l = 0; l < 2; l++) {
			strake_lcore_enter(l);
			EXPECT_EQ(0, strake_drive_lcore_init(drives[i]));
		}
		strake_lcore_enter(0);
		return drives[i];
	}

	void
	pull(unsigned i)
	{
		if (i >= drives.size() || drives[i] == nullptr)
			return;
		for (uint16_t l = 0; l < 2; l++) {
			strake_lcore_enter(l);
			strake_drive_lcore_fini(drives[i]);
		}
		strake_lcore_enter(0);
		strake_drive_close(drives[i]);
		drives[i] = nullptr;
	}

	/* --- the group --- */

	int
	open(const std::vector<unsigned> &order)
	{
		std::vector<strake_drive *> list;
		char text[400] = "";
		int ret;

		for (unsigned i : order)
			list.push_back(plug(i));
		strake_lcore_enter(0);
		ret = log_group_open(&g, &conf, list.data(), (unsigned)list.size(), 1, text, sizeof(text));
		err = text;
		if (ret < 0) {
			g = nullptr;
			for (unsigned i = 0; i < drives.size(); i++)
				pull(i);
		}
		return ret;
	}

	void
	up(const std::vector<unsigned> &order)
	{
		ASSERT_EQ(0, open(order)) << err;
		strake_lcore_enter(1);
		ASSERT_EQ(0, log_group_lcore_init(g));
		strake_lcore_enter(0);
		sp = log_group_space(g);
		sp->store = this;
		sp->used = [](void *store, uint32_t seg, uint32_t *n) {
			auto &r = ((LogRig *)store)->rows;
			auto it = r.find(seg);

			*n = it == r.end() ? 0 : it->second;
			return it != r.end();
		};
	}

	void
	all_up(unsigned n)
	{
		std::vector<unsigned> order;

		make_disks(n);
		for (unsigned i = 0; i < n; i++)
			order.push_back(i);
		up(order);
	}

	void
	stop()
	{
		until([&] {
			strake_lcore_enter(1);
			bool ok = log_group_drained(g);
			strake_lcore_enter(0);
			return ok;
		});
		strake_lcore_enter(1);
		log_group_lcore_fini(g);
		strake_lcore_enter(0);
		turn();
		log_group_close(g);
		g = nullptr;
		turn();
		for (unsigned i = 0; i < drives.size(); i++)
			pull(i);
	}

	/* Power goes; the appliance notices nothing but errors. Then power is back. */
	void
	crash()
	{
		power_cut(ps);
		stop();
		power_restore(ps);
	}

	void
	turn(uint64_t step = 100000)
	{
		now = std::max(now, strake_now());
		for (uint16_t l = 0; l < 2; l++) {
			strake_lcore_enter(l);
			now = std::max(now, strake_now());
		}
		now += step;
		for (uint16_t l = 0; l < 2; l++) {
			strake_lcore_enter(l);
			strake_lcore_turn(now);
		}
		strake_lcore_enter(0);
	}

	void
	turns(unsigned n)
	{
		while (n-- > 0)
			turn();
	}

	void
	until(std::function<bool()> cond)
	{
		for (int i = 0; i < 200000 && !cond(); i++)
			turn();
		ASSERT_TRUE(cond());
	}

	struct log_group_status
	status()
	{
		struct log_group_status s;

		::log_group_status(g, &s);
		return s;
	}

	log_member_figures
	member(unsigned i)
	{
		log_member_figures f;

		EXPECT_EQ(0, log_group_member_get(g, i, &f));
		return f;
	}

	/* --- ios --- */

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

	/* Pages in uneven pieces, so that windows are not whole bufs. */
	static strake_buf *
	payload(const bytes &data, uint32_t first = 0)
	{
		strake_buf *head = nullptr, **tail = &head;

		for (size_t off = 0; off < data.size();) {
			uint32_t n = off == 0 && first != 0 ? first : 65536;
			strake_buf *b = strake_buf_page((uint32_t)std::min<size_t>(n, data.size() - off));

			if (b == nullptr)
				abort();
			memcpy(b->addr, &data[off], b->len);
			off += b->len;
			*tail = b;
			tail = &b->next;
		}
		return head;
	}

	void
	begin(LogIo &io)
	{
		strake_lcore_enter(1);
		strake_space_submit(sp, &io.io);
		EXPECT_EQ(0, io.done) << "done from inside submit";
		strake_lcore_enter(0);
	}

	int
	run(LogIo &io)
	{
		begin(io);
		until([&] { return io.done > 0; });
		EXPECT_EQ(1, io.done);
		return io.io.status;
	}

	int
	row(uint32_t seg, uint32_t r, const bytes &data, uint32_t first = 1536)
	{
		LogIo io(STRAKE_SPACE_ROW, seg);
		int ret;

		io.io.row = r;
		io.io.bufs = payload(data, first);
		ret = run(io);
		strake_buf_put_list(io.io.bufs);
		if (ret == 0)
			rows[seg] = r + 1;
		return ret;
	}

	static bytes
	taken(LogIo &io, uint32_t len)
	{
		bytes out(len);

		if (io.io.status != 0)
			return {};
		EXPECT_EQ(len, strake_buf_list_len(io.io.bufs));
		EXPECT_EQ(0, strake_buf_copy_out(io.io.bufs, 0, out.data(), len));
		strake_buf_put_list(io.io.bufs);
		return out;
	}

	bytes
	read(uint32_t seg, uint64_t off, uint32_t len, int expect = 0, uint16_t attempt = 0)
	{
		LogIo io(STRAKE_SPACE_READ, seg, off, len, attempt);

		EXPECT_EQ(expect, run(io));
		return taken(io, len);
	}

	int
	simple(uint8_t op, uint32_t seg = 0, uint64_t off = 0, uint32_t len = 0, uint16_t attempt = 0)
	{
		LogIo io(op, seg, off, len, attempt);

		return run(io);
	}

	/* What was checked there, as the attempt gave it. */
	int
	repair(uint32_t seg, uint64_t off, const bytes &data, uint16_t attempt)
	{
		LogIo io(STRAKE_SPACE_REPAIR, seg, off, (uint32_t)data.size(), attempt);
		int ret;

		io.io.bufs = payload(data, 1536);
		ret = run(io);
		strake_buf_put_list(io.io.bufs);
		return ret;
	}

	int
	intent(uint64_t off, const bytes &data)
	{
		LogIo io(STRAKE_SPACE_INTENT, 0, off, (uint32_t)data.size());
		int ret;

		io.io.bufs = payload(data);
		ret = run(io);
		strake_buf_put_list(io.io.bufs);
		return ret;
	}

	bytes
	intent_read(uint64_t off, uint32_t len, uint16_t copy, int expect = 0)
	{
		LogIo io(STRAKE_SPACE_INTENT_READ, 0, off, len, copy);

		EXPECT_EQ(expect, run(io));
		return taken(io, len);
	}

	int
	note(unsigned id, const std::string &text)
	{
		return sp->ops->note_write(sp, id, text.data(), (uint32_t)text.size());
	}

	std::string
	note(unsigned id)
	{
		std::string s(sp->note_bytes, 0);
		uint32_t len = 0;

		EXPECT_EQ(0, sp->ops->note_read(sp, id, s.data(), &len));
		s.resize(len);
		return s;
	}

	/* Where a role of a row lies on its disk, as it lies there now. */
	bytes
	data_of(uint32_t seg, uint32_t r)
	{
		return pattern(sp->row_bytes, 1000 * (seg + 1) + r);
	}

	/* Fill segments [0, n) with data_of(). */
	void
	fill(uint32_t n)
	{
		for (uint32_t s = 0; s < n; s++)
			for (uint32_t r = 0; r < sp->rows; r++)
				ASSERT_EQ(0, row(s, r, data_of(s, r)));
	}

	void
	expect_filled(uint32_t n)
	{
		for (uint32_t s = 0; s < n; s++)
			for (uint32_t r = 0; r < sp->rows; r++)
				ASSERT_EQ(data_of(s, r), read(s, (uint64_t)r * sp->row_bytes, sp->row_bytes))
					<< "segment " << s << " row " << r;
	}

	/* A drive is taken from its member; another one, or the same, comes in its place; all is rebuilt. */
	void
	lose(unsigned i)
	{
		ASSERT_EQ(0, log_group_member_fail(g, i));
		until([&] { return member(i).state == LOG_MEMBER_MISSING; });
		turns(5);
	}
	int
	give(unsigned i, unsigned disk)
	{
		char text[300] = "";
		int ret = log_group_member_return(g, i, plug(disk), text, sizeof(text));

		err = text;
		return ret;
	}
	void
	in_sync()
	{
		until([&] { return status().stale == 0; });
		turns(5);
	}

	/* Nothing can be read from a disk; or, from there on, so many bytes, until they are written. */
	void
	unreadable(unsigned disk, uint64_t off = 0, uint64_t len = 0)
	{
		power_fault f = {};

		f.ops = 1u << STRAKE_IO_READ;
		f.status = -EIO;
		f.off = off;
		f.len = len;
		f.heals = len > 0;
		power_disk_fault(disks[disk], &f);
	}

	/* Everything is right although nothing can be read from these. */
	void
	expect_right_without(const std::vector<unsigned> &gone, uint32_t n)
	{
		for (unsigned d : gone)
			unreadable(d);
		expect_filled(n);
		for (unsigned d : gone)
			power_disk_no_faults(disks[d]);
	}
};

#endif /* LOG_RIG_H */
