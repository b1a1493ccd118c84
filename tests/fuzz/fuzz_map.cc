/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Any bytes as a page of the map or a table of roots, and a map over pages that
 * a hostile drive gives, with magic and CRC right, so that what lies behind
 * them is reached. Whatever is read: every call ends, every wait is called
 * once, and what is dirty stays within its bound.
 */

#include <array>
#include <cerrno>

#include "fuzz_world.h"

extern "C" {
#include "stages/volume/map.h"
#include "strake_kernel.h"
}

namespace
{

constexpr size_t kCrcOff = 4;

void
fix_crc(uint8_t *p, size_t len)
{
	uint32_t crc;

	memset(p + kCrcOff, 0, 4);
	crc = strake_kernel->crc32c(0, p, len);
	memcpy(p + kCrcOff, &crc, 4);
}

void
patch(Input &in, uint8_t *p, size_t len, unsigned int times)
{
	for (; times > 0 && !in.empty(); times--) {
		size_t at = in.u16() % len;
		Bytes b = in.bytes(1 + in.u8() % 16);

		if (!b.empty())
			memcpy(p + at, b.data(), std::min(b.size(), len - at));
	}
}

void
one_page(Input &in, uint8_t *image)
{
	uint64_t e[MAP_FANOUT] = {}, again[MAP_FANOUT];
	map_owner o = {}, back = {};

	o.tree = in.u8();
	o.index = in.u8();
	o.level = in.u8() % MAP_LEVELS_MAX;
	for (unsigned int n = in.u8() % 32; n > 0; n--)
		e[in.u16() % MAP_FANOUT] = in.u8();
	map_image_encode(image, &o, e);
	FUZZ_CHECK(map_image_owner(image, &back) == 0);
	bool crc_right = !in.bit();
	patch(in, image, MAP_IMAGE_BYTES, 8);
	if (crc_right)
		fix_crc(image, MAP_IMAGE_BYTES);
	int ret = map_image_owner(image, &back);

	FUZZ_CHECK(ret == 0 || ret == -ENOENT || ret == -EBADMSG || ret == -EPROTO);
	if (ret != 0)
		return;
	FUZZ_CHECK(back.level < MAP_LEVELS_MAX);
	uint32_t present = map_image_entries(image, e);
	FUZZ_CHECK(map_image_encode(image, &back, e) == present);
	FUZZ_CHECK(map_image_owner(image, &o) == 0 && memcmp(&o, &back, sizeof(o)) == 0);
	FUZZ_CHECK(map_image_entries(image, again) == present && memcmp(e, again, sizeof(e)) == 0);
}

/* The table is a heap block of exactly its size. */
void
one_table(Input &in)
{
	size_t len = in.u16() % 400;
	uint8_t *table = (uint8_t *)calloc(1, len == 0 ? 1 : len);
	map_root roots[8];
	uint64_t gen = 0;

	memcpy(table, "STRT", std::min<size_t>(len, 4));
	if (len >= MAP_ROOTS_HEAD)
		table[16] = (uint8_t)(in.u8() % 9);
	if (len >= MAP_ROOTS_HEAD)
		table[20] = 1;
	if (len > 0)
		patch(in, table, len, 16);
	if (len >= MAP_ROOTS_HEAD && map_roots_bytes(table[16]) <= len && !in.bit())
		fix_crc(table, map_roots_bytes(table[16]));
	int n = map_roots_decode(table, len, &gen, roots, 8);

	FUZZ_CHECK((n >= 0 && n <= 8) || n == -ENOENT || n == -EBADMSG || n == -EPROTO || n == -E2BIG);
	if (n >= 0) {
		uint8_t *again = (uint8_t *)calloc(1, map_roots_bytes((uint32_t)n));
		map_root back[8];

		map_roots_encode(again, gen, roots, (uint32_t)n);
		FUZZ_CHECK(map_roots_decode(again, map_roots_bytes((uint32_t)n), &gen, back, 8) == n);
		for (int i = 0; i < n; i++)
			FUZZ_CHECK(back[i].tree == roots[i].tree && back[i].addr == roots[i].addr);
		free(again);
	}
	free(table);
}

/* A map whose pages the input makes. */
class World
{
      public:
	explicit World(Input &input) : in(input)
	{
		static const map_ops ops = {on_read, [](void *, uint64_t, uint64_t) {}, [](void *) {}};
		map_root root = {1, 77, in.u16(), (uint8_t)(1 + in.u8() % MAP_LEVELS_MAX)};
		map_conf conf = {};

		conf.bytes = MAP_BYTES_MIN;
		conf.reads = 4;
		conf.trees = 4;
		conf.socket = -1;
		conf.dirty_max = 40;
		FUZZ_CHECK(map_open(&m, &conf, &ops, this, &root, 1, 9) == 0);
		t = map_tree_find(m, 1);
		for (Waiter &w : waiters) {
			w.w.fn = [](map_wait *wait, int) {
				FUZZ_CHECK(((Waiter *)wait)->waits);
				((Waiter *)wait)->waits = false;
			};
		}
	}
	~World()
	{
		for (int i = 0; i < 10000 && map_close(m) == -EBUSY; i++) {
			FUZZ_CHECK(i < 9999);
			answer(-EIO);
			map_poll(m);
			checkpoint(true);
		}
		for (Waiter &w : waiters)
			FUZZ_CHECK(!w.waits);
	}
	void
	step()
	{
		uint8_t what = in.u8();
		Waiter *w = &waiters[what >> 4];
		uint64_t size = map_tree_size(t), idx = in.bit() ? in.u16() % size : in.u64() % size;
		uint64_t at = idx, end = std::min<uint64_t>(size, idx + in.u16()), v[8] = {idx, 0, 1};
		uint32_t n = (uint32_t)std::min<uint64_t>(1 + in.u8() % 8, size - idx);
		map_entry out[4];
		map_owner o = {};
		int ret = 0;

		if (w->waits) {
			read_one();
			return;
		}
		w->waits = true;
		o.tree = 1;
		o.level = in.u8() % 8;
		o.index = idx;
		switch (what & 7) {
		case 0:
			ret = map_get(m, t, idx, n, v, &w->w);
			break;
		case 1:
			ret = map_set(m, t, idx, n, v, nullptr, &w->w);
			break;
		case 2:
			ret = map_iterate(m, t, &at, end, out, 4, 5, &w->w);
			break;
		case 3:
			ret = map_clear(
				m, t, &at, end, [](void *, uint64_t, uint64_t) { return 0; }, nullptr, 5, &w->w);
			break;
		case 4:
			ret = map_page_dirty(m, &o, 77 + in.u8(), &w->w);
			break;
		default:
			read_one();
			checkpoint(false);
			map_poll(m);
		}
		w->waits = ret == -EAGAIN;
		FUZZ_CHECK(map_stats(m)->dirty <= map_stats(m)->dirty_max);
	}

      private:
	struct Waiter {
		map_wait w = {}; /* first */
		bool waits = false;
	};
	static void
	on_read(void *arg, map_read *rd)
	{
		World *self = (World *)arg;

		FUZZ_CHECK(rd->slot < 4 && self->reads[rd->slot] == nullptr && rd->addr != 0);
		self->reads[rd->slot] = rd;
	}
	void
	answer(int status)
	{
		for (map_read *&rd : reads) {
			map_read *gone = rd;

			rd = nullptr;
			if (gone != nullptr)
				map_read_done(m, gone, status, image);
		}
	}
	/* A read ends with a page of the input's making. Whose it says it is is tried
	 * until one is taken, as a hostile drive that knows the map would say right.
	 */
	void
	read_one()
	{
		map_read *&rd = reads[in.u8() & 3];
		map_read *gone = rd;
		uint64_t e[MAP_FANOUT] = {};
		map_owner o = {};

		if (rd == nullptr)
			return;
		rd = nullptr;
		for (unsigned int n = in.u8() % 16; n > 0; n--)
			e[in.u16() % MAP_FANOUT] = in.bit() ? 77 + in.u8() : in.u64();
		o.tree = 1;
		o.gen = 5;
		o.level = in.u8() % MAP_LEVELS_MAX;
		o.index = in.u16();
		for (unsigned int l = 0; l < MAP_LEVELS_MAX; l++) {
			map_image_encode(image, &o, e);
			if (map_read_check(m, gone, image) == 0)
				break;
			o.level = (uint8_t)l;
			o.index = 0;
		}
		map_read_done(m, gone, in.u8() % 16 == 0 ? -EIO : 0, image);
	}
	void
	checkpoint(bool all)
	{
		map_root roots[4];
		uint32_t page;
		int ret;

		if (!on && (all || in.u8() % 4 == 0))
			on = map_checkpoint_begin(m) == 0;
		for (int i = all ? 10000 : in.u8() % 8; on && i > 0; i--) {
			ret = map_checkpoint_next(m, image, &page);
			if (ret == 1)
				map_checkpoint_placed(m, page, addr++);
			else if (ret == 0)
				on = map_checkpoint_end(m, roots, 4) < 0;
			if (!on)
				map_checkpoint_durable(m);
		}
	}

	Input &in;
	map *m = nullptr;
	map_tree *t = nullptr;
	std::array<Waiter, 16> waiters;
	map_read *reads[4] = {};
	uint8_t image[MAP_IMAGE_BYTES];
	uint64_t addr = 1000;
	bool on = false;
};

void
one_map(Input &in)
{
	World w(in);

	while (!in.empty())
		w.step();
}

} // namespace

extern "C" int
LLVMFuzzerInitialize(int *, char ***argv)
{
	fuzz_eal((*argv)[0]);
	return 0;
}

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t *const image = (uint8_t *)malloc(MAP_IMAGE_BYTES);
	Input in(data, size);

	switch (in.u8() % 4) {
	case 0:
		one_page(in, image);
		break;
	case 1:
		one_table(in);
		break;
	default:
		one_map(in);
	}
	return 0;
}
