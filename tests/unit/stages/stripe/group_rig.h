/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef GROUP_RIG_H
#define GROUP_RIG_H

/* A group on drives that lose power: main and data lcores on the test's thread, in virtual time. */

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "group.h"
#include "stages/stripe/super_format.h"
#include "strake_chain.h"
#include "strake_chunk.h"
}
#include "power_drive.h"

using bytes = std::vector<uint8_t>;

struct Op {
	bool done = false;
	int status = 1;
	bytes data; /* of a read */
	std::function<void(Op &)> then;
};

class GroupRig : public testing::Test
{
      protected:
	static constexpr uint64_t kMiB = 1 << 20;

	uint16_t data_lcores = 2;
	uint64_t disk_bytes = 5 * kMiB;
	power_conf disk_conf = {};
	uint64_t now = 0;
	power_supply *ps = nullptr;
	std::vector<power_disk *> disks;
	std::vector<strake_drive *> drives; /* nullptr: not plugged in */
	conf_group conf = {};
	group *g = nullptr;
	strake_chain *chain = nullptr;
	std::string err;
	struct strake_buf_usage before = {};
	unsigned inflight = 0;

	void
	SetUp() override
	{
		strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, 0};
		strake_buf_conf bufs = {16384, 64u << 20, 0};
		strake_pipeline_conf pc = {64, 1024, 8, 0, nullptr};

		for (uint16_t i = 0; i <= data_lcores; i++)
			ASSERT_EQ(0, strake_lcore_create(i, &lc));
		ASSERT_EQ(0, strake_buf_init(&bufs));
		ASSERT_EQ(0, strake_pipeline_init(&pc));
		for (uint16_t i = 0; i <= data_lcores; i++) {
			strake_lcore_enter(i);
			ASSERT_EQ(0, strake_pipeline_lcore_init());
		}
		strake_lcore_enter(0);
		strake_buf_usage(&before);
		conf.name = "g0";
		conf.raid = CONF_RAID1;
		conf.chunk = 65536;
		conf.region = kMiB;
		conf.create = true;
	}

	void
	TearDown() override
	{
		struct strake_buf_usage after;

		if (g != nullptr)
			stop();
		unplug();
		for (auto *d : disks) {
			power_figures f;

			power_disk_figures(d, &f);
			EXPECT_EQ(0u, f.overlaps) << "I/Os on the same bytes at once";
			EXPECT_EQ(0u, f.changed) << "payload changed under an I/O";
			EXPECT_EQ(0u, f.out_of_bounds);
			power_disk_free(d);
		}
		if (ps != nullptr)
			power_supply_free(ps);
		strake_buf_usage(&after);
		EXPECT_EQ(before.descriptors_free, after.descriptors_free) << "leaked descriptors";
		for (int i = 0; i < 4; i++)
			EXPECT_EQ(before.pages_free[i], after.pages_free[i]) << "leaked pages of class " << i;
		for (uint16_t i = 0; i <= data_lcores; i++) {
			strake_lcore_enter(i);
			strake_pipeline_lcore_fini();
		}
		strake_pipeline_fini();
		strake_buf_fini();
		for (uint16_t i = 0; i <= data_lcores; i++)
			strake_lcore_destroy(i);
	}

	/* --- drives --- */

	void
	make_disks(unsigned n, uint64_t seed = 1)
	{
		if (ps == nullptr)
			ps = power_supply_new(seed);
		for (unsigned i = 0; i < n; i++) {
			std::string serial = "S" + std::to_string(disks.size());
			power_conf c = disk_conf;

			c.bytes = disk_bytes;
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
		if (power_drive_open(&drives[i], name.c_str(), disks[i]) != 0)
			return nullptr;
		for (uint16_t l = 0; l <= data_lcores; l++) {
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
		for (uint16_t l = 0; l <= data_lcores; l++) {
			strake_lcore_enter(l);
			strake_drive_lcore_fini(drives[i]);
		}
		strake_lcore_enter(0);
		strake_drive_close(drives[i]);
		drives[i] = nullptr;
	}

	void
	unplug()
	{
		for (unsigned i = 0; i < drives.size(); i++)
			pull(i);
	}

	/* --- the group --- */

	/* Open the group from disks in this order. */
	int
	open(const std::vector<unsigned> &order)
	{
		std::vector<strake_drive *> list;
		char text[400] = "";
		int ret;

		for (unsigned i : order)
			list.push_back(i < drives.size() && drives[i] != nullptr ? drives[i] : plug(i));
		strake_lcore_enter(0);
		ret = group_open(&g, &conf, list.data(), (unsigned)list.size(), text, sizeof(text));
		err = text;
		if (ret < 0) {
			g = nullptr;
			unplug();
		}
		return ret;
	}

	void
	start()
	{
		strake_stage *st = group_stage(g);
		char text[200];

		ASSERT_EQ(0, strake_chain_create(&chain, "c", STRAKE_UNIT_CHUNK, &st, 1, text, sizeof(text))) << text;
		for (uint16_t l = 1; l <= data_lcores; l++) {
			strake_lcore_enter(l);
			ASSERT_EQ(0, group_lcore_init(g));
		}
		strake_lcore_enter(0);
	}

	void
	up(const std::vector<unsigned> &order)
	{
		ASSERT_EQ(0, open(order)) << err;
		start();
	}

	void
	stop()
	{
		until([&] { return inflight == 0; });
		if (chain != nullptr) {
			until([&] {
				bool all = true;

				for (uint16_t l = 1; l <= data_lcores; l++) {
					strake_lcore_enter(l);
					all &= strake_pipeline_lcore_drain();
				}
				strake_lcore_enter(0);
				return all;
			});
		}
		stop_now();
	}

	/* As stop(), without a turn before. */
	void
	stop_now()
	{
		leave();
		close();
	}

	void
	leave()
	{
		for (uint16_t l = 1; l <= data_lcores && chain != nullptr; l++) {
			strake_lcore_enter(l);
			group_lcore_fini(g);
		}
		strake_lcore_enter(0);
	}

	void
	close()
	{
		strake_chain_destroy(chain);
		chain = nullptr;
		strake_lcore_enter(0);
		group_close(g);
		g = nullptr;
		turn();
		unplug();
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
		for (uint16_t l = 0; l <= data_lcores; l++) {
			strake_lcore_enter(l);
			now = std::max(now, strake_now());
		}
		now += step;
		for (uint16_t l = 0; l <= data_lcores; l++) {
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

	void
	resynced()
	{
		until([&] {
			struct group_status s = status();

			if (s.regions_resync > 0)
				return false;
			for (unsigned i = 0; i < s.members; i++) {
				if (group_member_get(g, i, nullptr) == GROUP_MEMBER_STALE)
					return false;
			}
			return true;
		});
		turns(10);
	}

	struct group_status
	status()
	{
		struct group_status s;

		::group_status(g, &s);
		return s;
	}

	group_member_state
	state(unsigned i)
	{
		return group_member_get(g, i, nullptr);
	}

	/* --- chunks --- */

	static bytes
	pattern(uint32_t len, uint32_t seed)
	{
		bytes b(len);

		for (uint32_t i = 0; i < len; i++)
			b[i] = (uint8_t)((i >> 9) * 31 + seed * 7 + i % 251);
		return b;
	}

	uint16_t
	owner(uint64_t place)
	{
		return (uint16_t)(1 + (place >> 20) % data_lcores);
	}

	/* Begin on lcore; `op` must outlive it. */
	void
	begin(Op &op, uint8_t what, uint64_t place, uint32_t len, const bytes *data = nullptr, uint16_t flags = 0,
	      uint16_t lcore = 0)
	{
		strake_lcore_enter(lcore != 0 ? lcore : owner(place));
		strake_chunk *c = strake_chunk_alloc(false);

		ASSERT_NE(nullptr, c);
		c->u.op = what;
		c->u.flags |= flags;
		c->place = place;
		c->place_len = len;
		c->lba_shift = 9;
		c->u.nlb = len >> 9;
		c->u.arg = &op;
		if (data != nullptr) {
			/* In uneven pieces, so that windows are not whole bufs. */
			for (uint32_t off = 0; off < len;) {
				uint32_t n = std::min<uint32_t>(len - off, off == 0 ? 1536 : 65536);
				strake_buf *b = strake_buf_page(n);

				ASSERT_NE(nullptr, b);
				memcpy(b->addr, data->data() + off, n);
				strake_unit_append(&c->u, b);
				off += n;
			}
			c->u.nbytes = len;
		} else if (what == STRAKE_OP_READ) {
			c->u.nbytes = len;
		}
		op.done = false;
		rigs() = this;
		c->u.done = [](strake_unit *u) {
			Op *o = (Op *)u->arg;

			o->status = u->status;
			if (u->op == STRAKE_OP_READ && u->status == 0) {
				o->data.resize(u->nbytes);
				EXPECT_EQ(u->nbytes, strake_buf_list_len(u->bufs));
				EXPECT_EQ(0, strake_buf_copy_out(u->bufs, 0, o->data.data(), u->nbytes));
			}
			strake_chunk_free(strake_chunk_of(u));
			o->done = true;
			rigs()->inflight--;
			if (o->then)
				o->then(*o);
		};
		inflight++;
		strake_unit *u = &c->u;

		strake_chain_begin(chain, &u, 1);
		EXPECT_FALSE(op.done) << "done before begin returned";
		strake_lcore_enter(0);
	}

	int
	run(uint8_t what, uint64_t place, uint32_t len, const bytes *data = nullptr, uint16_t flags = 0,
	    bytes *out = nullptr)
	{
		Op op;

		begin(op, what, place, len, data, flags);
		until([&] { return op.done; });
		if (out != nullptr)
			*out = op.data;
		return op.status;
	}

	int
	write(uint64_t place, const bytes &data, uint16_t flags = 0)
	{
		return run(STRAKE_OP_WRITE, place, (uint32_t)data.size(), &data, flags);
	}

	bytes
	read(uint64_t place, uint32_t len, int expect = 0)
	{
		bytes out;

		EXPECT_EQ(expect, run(STRAKE_OP_READ, place, len, nullptr, 0, &out));
		return out;
	}

	int
	flush()
	{
		return run(STRAKE_OP_FLUSH, 0, 0);
	}

	/* The data area of a disk. */
	bytes
	medium(unsigned i, uint64_t off = 0, uint64_t len = 0)
	{
		bytes b(len != 0 ? len : (disk_bytes - SUPER_DATA_OFF) / kMiB * kMiB);

		power_disk_peek(disks[i], SUPER_DATA_OFF + off, b.data(), b.size());
		return b;
	}

      private:
	static GroupRig *&
	rigs()
	{
		static GroupRig *r;

		return r;
	}
};

#endif /* GROUP_RIG_H */
