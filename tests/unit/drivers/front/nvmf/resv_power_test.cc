/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Reservations through power loss. The calls that make something durable come here first; before and after each of them
 * the power fails, in every way it may: what was changed in the folder since it was synced is there or not, and a file
 * that was not synced has all, half or nothing of its bytes. In each of these worlds one of the two states must be
 * found whole, and once the answer is given only the new one.
 */

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "drivers/front/nvmf/resv_store.h"
}

namespace
{

namespace fs = std::filesystem;

struct file {
	std::string bytes;
	bool synced;
};

using folder_view = std::map<std::string, file>;

/* What is on the medium of one folder, as far as that is known. */
class Medium
{
      public:
	fs::path folder;
	bool exists = false;		     /* its name is durable in the folder above */
	folder_view durable;		     /* when the folder was synced last */
	std::map<ino_t, std::string> synced; /* bytes of a file when it was synced last */

	static std::string
	bytes_of(const fs::path &path)
	{
		std::ifstream in(path, std::ios::binary);

		return std::string(std::istreambuf_iterator<char>(in), {});
	}

	folder_view
	now() const
	{
		folder_view view;

		if (!fs::exists(folder))
			return view;
		for (const auto &e : fs::directory_iterator(folder)) {
			struct stat st;
			std::string bytes = bytes_of(e.path());

			EXPECT_EQ(0, stat(e.path().c_str(), &st));
			auto at = synced.find(st.st_ino);
			view[e.path().filename()] = {bytes, at != synced.end() && at->second == bytes};
		}
		return view;
	}

	void
	sync(int fd)
	{
		fs::path path = fs::read_symlink("/proc/self/fd/" + std::to_string(fd));
		struct stat st;

		if (path == folder.parent_path()) {
			exists = fs::exists(folder);
		} else if (path == folder) {
			durable = now();
		} else if (fstat(fd, &st) == 0) {
			synced[st.st_ino] = bytes_of(path);
		}
	}
};

Medium *medium; /* NULL: nobody watches */
std::function<void()> power_fails;

template <typename F>
int
watched(F call)
{
	int ret;

	if (medium == nullptr)
		return call();
	power_fails();
	ret = call();
	return ret;
}

} // namespace

extern "C" int
fsync(int fd)
{
	int ret = watched([&] { return (int)syscall(SYS_fsync, fd); });

	if (ret == 0 && medium != nullptr) {
		medium->sync(fd);
		power_fails();
	}
	return ret;
}

extern "C" int
renameat(int from_fd, const char *from, int to_fd, const char *to) noexcept
{
	int ret = watched([&] { return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0); });

	if (medium != nullptr)
		power_fails();
	return ret;
}

extern "C" int
unlinkat(int fd, const char *name, int flags) noexcept
{
	int ret = watched([&] { return (int)syscall(SYS_unlinkat, fd, name, flags); });

	if (medium != nullptr)
		power_fails();
	return ret;
}

namespace
{

class ResvPower : public testing::Test
{
      protected:
	const uint8_t uuid[16] = {0x10, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, 15};
	fs::path dir;
	Medium m;
	std::string before = "none", after = "none"; /* what may be found */
	unsigned int worlds = 0, found_old = 0;

	void
	SetUp() override
	{
		char name[] = "/tmp/strake-resv-XXXXXX";

		dir = fs::canonical(mkdtemp(name));
		m.folder = dir / "state";
		ASSERT_EQ(0, nvmf_store_open(m.folder.c_str()));
	}

	void
	TearDown() override
	{
		medium = nullptr;
		nvmf_store_close();
		fs::remove_all(dir);
	}

	/* A state in words: how many are registered, and its generation. */
	static std::string
	words(const nvmf_resv_state &st)
	{
		return std::to_string(st.n) + " of " + std::to_string(st.gen);
	}

	/* What another life finds in a world. The store is the same: it is closed and opened, and opened again here. */
	std::string
	find(const fs::path &world)
	{
		nvmf_resv_state st = {};
		int ret = nvmf_store_open(world.c_str());

		EXPECT_EQ(0, ret);
		ret = nvmf_store_load(&st, uuid);
		nvmf_store_close();
		return ret == -ENOENT ? "none" : ret < 0 ? "error " + std::to_string(ret) : words(st);
	}

	void
	is_one_of_them(const folder_view *view, int part)
	{
		fs::path world = dir / "world";

		if (view != nullptr) {
			fs::create_directory(world);
			for (const auto &[name, f] : *view) {
				size_t n = f.synced ? f.bytes.size() : f.bytes.size() * (size_t)part / 2;

				std::ofstream(world / name, std::ios::binary) << f.bytes.substr(0, n);
			}
		}
		std::string found = find(world);
		EXPECT_TRUE(found == before || found == after) << found << " is neither " << before << " nor " << after;
		worlds++;
		found_old += found == before && before != after;
		fs::remove_all(world);
	}

	void
	all_worlds()
	{
		Medium *was = medium;
		folder_view now = m.now();

		medium = nullptr; /* what is done here is no part of it */
		for (int part = 0; part <= 2; part++) {
			is_one_of_them(&m.durable, part);
			is_one_of_them(&now, part);
			if (!m.exists)
				is_one_of_them(nullptr, part);
		}
		medium = was;
	}

	/* Save with the power failing all the while, then when the answer is given. The store has one folder open: the
	 * worlds are looked at when it is done with each, from what was noted. */
	void
	save(const nvmf_resv_state &st)
	{
		struct moment {
			bool exists;
			folder_view durable, now;
		};
		std::vector<moment> moments;

		after = st.ptpl ? words(st) : "none";
		power_fails = [&] {
			Medium *was = medium;

			medium = nullptr;
			moments.push_back({m.exists, m.durable, m.now()});
			medium = was;
		};
		medium = &m;
		ASSERT_EQ(0, nvmf_store_save(&st, uuid));
		medium = nullptr;
		ASSERT_LE(2u, moments.size());
		for (const moment &at : moments) {
			for (int part = 0; part <= 2; part++) {
				is_one_of_them(&at.durable, part);
				is_one_of_them(&at.now, part);
				if (!at.exists)
					is_one_of_them(nullptr, part);
			}
		}
		before = after;
		all_worlds();
		ASSERT_EQ(0, nvmf_store_open(m.folder.c_str()));
	}

	static nvmf_resv_state
	state(uint32_t gen, uint16_t n, bool ptpl = true)
	{
		nvmf_resv_state st = {};

		st.gen = gen;
		st.ptpl = ptpl;
		st.n = n;
		st.rtype = NVME_RESV_WRITE_EXCL;
		for (uint16_t i = 0; i < n; i++) {
			st.reg[i].hostid[0] = (uint8_t)(i + 1);
			st.reg[i].hostid[1] = (uint8_t)(i >> 8);
			st.reg[i].key = gen + i;
		}
		return st;
	}
};

TEST_F(ResvPower, OneOfTheTwoStatesIsAlwaysThere)
{
	save(state(1, 1));
	save(state(2, 2));
	save(state(3, NVMF_RESV_MAX));
	save(state(4, 1));
	EXPECT_LT(60u, worlds);
	EXPECT_LT(10u, found_old) << "the power never failed too early";
}

TEST_F(ResvPower, WhatNoLongerPersistsDoesNotComeBack)
{
	save(state(1, 3));
	save(state(2, 3, false));
	EXPECT_EQ("none", before);
	save(state(3, 2));
}

} // namespace
