/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Other people's data: found, named, refused, and gone only when it was named. */

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "app/foreign.h"
#include "strake_drive.h"

namespace
{

constexpr off_t kSize = 8 << 20;
const char kUuid[] = "0b5d2f4e-3f0e-4d0c-8b7c-2f6a1f0e9d11";

class Foreign : public testing::Test
{
      protected:
	void
	SetUp() override
	{
		char name[] = "/tmp/strake-foreign-XXXXXX";

		fd = mkstemp(name);
		ASSERT_GE(fd, 0);
		path = name;
		ASSERT_EQ(0, ftruncate(fd, kSize));
	}

	void
	TearDown() override
	{
		close(fd);
		unlink(path.c_str());
		conf_values_free(drive.values);
	}

	void
	put(off_t off, const void *data, size_t len)
	{
		ASSERT_EQ((ssize_t)len, pwrite(fd, data, len, off));
	}

	/* LUKS version 1: magic, version, UUID as text. */
	void
	luks()
	{
		put(0, "LUKS\xba\xbe\0\1", 8);
		put(168, kUuid, sizeof(kUuid));
	}

	/* One partition of type 0x83. */
	void
	mbr()
	{
		const uint8_t entry[16] = {0, 0, 2, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 0, 8, 0, 0};

		put(440, "\x78\x56\x34\x12", 4);
		put(446, entry, sizeof(entry));
		put(510, "\x55\xaa", 2);
	}

	bool
	blank()
	{
		std::string all(kSize, 'x');

		EXPECT_EQ(kSize, pread(fd, all.data(), all.size(), 0));
		return all.find_first_not_of('\0') == std::string::npos;
	}

	/* Before it is opened. */
	int
	up(const char *overwrite)
	{
		const char *pairs[] = {"path", path.c_str(), nullptr};
		const strake_drive_ops *ops = strake_drive_find("uring");
		char err[200];

		drive.name = "d0";
		drive.kind = "uring";
		drive.overwrite = overwrite;
		conf_values_free(drive.values);
		drive.values = conf_values_make(ops->keys, pairs, err, sizeof(err));
		EXPECT_NE(nullptr, drive.values) << err;
		return foreign_check(&drive, path.c_str(), said, sizeof(said));
	}

	int fd = -1;
	std::string path;
	struct foreign f = {};
	conf_drive drive = {};
	char said[512] = "";
};

TEST_F(Foreign, NothingIsFoundOnABlankFileAndOnAnEmptyOne)
{
	EXPECT_EQ(0, foreign_probe(path.c_str(), &f));
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(0, foreign_probe(path.c_str(), &f));
	EXPECT_EQ(-ENOENT, foreign_probe("/nonexistent/drive", &f));
}

TEST_F(Foreign, DataIsNamedByTypeAndUuid)
{
	luks();
	ASSERT_EQ(1, foreign_probe(path.c_str(), &f));
	EXPECT_EQ(std::string("crypto_LUKS:") + kUuid, f.name);
	EXPECT_STREQ("crypto_LUKS encrypted volume", f.text);
}

TEST_F(Foreign, PartitionTablesCount)
{
	mbr();
	ASSERT_EQ(1, foreign_probe(path.c_str(), &f));
	EXPECT_STREQ("dos:12345678", f.name);
	EXPECT_STREQ("dos partition table", f.text);
}

TEST_F(Foreign, OurOwnSuperblockIsNotForeignWhateverLiesInsideOrAtTheOtherCopy)
{
	luks();
	put(65536, "STRAKEGR", 8);
	EXPECT_EQ(0, foreign_probe(path.c_str(), &f));
	put(0, "STRAKEGR", 8);
	put(65536, "\0\0\0\0\0\0\0\0", 8);
	EXPECT_EQ(0, foreign_probe(path.c_str(), &f));
}

TEST_F(Foreign, LabelsCannotSteerTheTerminal)
{
	/* Swap, version 1, 100 pages, and a label with an escape sequence. */
	const uint32_t version = 1, pages = 100;

	put(4086, "SWAPSPACE2", 10);
	put(1024, &version, 4);
	put(1028, &pages, 4);
	put(1052, "\x1b[2J\"x", 6);
	ASSERT_EQ(1, foreign_probe(path.c_str(), &f));
	EXPECT_STREQ("swap data labelled '?[2J?x'", f.text);
}

TEST_F(Foreign, IsRefusedInOneLineThatSaysWhatItIsAndHowToLoseIt)
{
	luks();
	EXPECT_EQ(-EEXIST, up(nullptr));
	EXPECT_EQ("drive d0: " + path +
			  " holds other data, crypto_LUKS encrypted volume; if that may be lost for good, " +
			  "give the drive `overwrite: \"crypto_LUKS:" + kUuid + "\"`",
		  std::string(said));
	EXPECT_EQ(1, foreign_probe(path.c_str(), &f)) << "it must be there still";
}

TEST_F(Foreign, AnotherNameDoesNotAllowIt)
{
	luks();
	EXPECT_EQ(-EEXIST, up("crypto_LUKS:00000000-0000-0000-0000-000000000000"));
	EXPECT_EQ(-EEXIST, up("crypto_LUKS"));
	EXPECT_EQ(1, foreign_probe(path.c_str(), &f));
}

TEST_F(Foreign, ItsNameAllowsItAndLeavesABlankDrive)
{
	std::string name = std::string("crypto_LUKS:") + kUuid;

	luks();
	put(kSize - 512, "EFI PART", 8);
	EXPECT_EQ(0, up(name.c_str())) << said;
	EXPECT_TRUE(blank());
}

TEST_F(Foreign, TheNameDoesNothingOnceTheDataIsGone)
{
	std::string name = std::string("crypto_LUKS:") + kUuid;

	put(0, "STRAKEGR", 8);
	EXPECT_EQ(0, up(name.c_str()));
	EXPECT_FALSE(blank());
}

TEST_F(Foreign, DrivesWithoutAPathAndPathsWithoutAFileAreLeftToTheirDriver)
{
	conf_drive mem = {};
	char err[200];
	const char *pairs[] = {"size", "1MiB", nullptr};

	mem.name = "m";
	mem.kind = "mem";
	mem.values = conf_values_make(strake_drive_find("mem")->keys, pairs, err, sizeof(err));
	EXPECT_EQ(nullptr, foreign_path(&mem));
	conf_values_free(mem.values);
	unlink(path.c_str());
	EXPECT_EQ(0, up(nullptr));
}

TEST(ForeignNvme, ABlockDeviceIsFoundByEveryNameADriveCanHave)
{
	std::string sys = "/tmp/strake-foreign-sys-" + std::to_string(getpid());
	char out[64];

	auto file = [&sys](const std::string &path, const char *text) {
		std::filesystem::create_directories(std::filesystem::path(sys + "/class/nvme/" + path).parent_path());
		std::ofstream(sys + "/class/nvme/" + path) << text;
	};
	file("nvme0/serial", "ABC 1          \n");
	file("nvme0/address", "0000:01:00.0\n");
	file("nvme0/nvme0n1/nsid", "1\n");
	file("nvme0/nvme0n3/nsid", "7\n");
	/* Multipath: the controller shows a path, and the subsystem has the namespace. */
	file("nvme1/serial", "ABC 2\n");
	file("nvme1/nvme4c1n2/nsid", "2\n");
	struct {
		const char *device, *block;
	} cases[] = {
		{"/dev/ng0n1", "/dev/nvme0n1"},
		{"ng12n3", "/dev/nvme12n3"},
		{"nvme0n1", "/dev/nvme0n1"},
		{"/dev/nvme0n1", "/dev/nvme0n1"},
		{"serial:ABC 1/7", "/dev/nvme0n3"},
		{"0000:01:00.0/1", "/dev/nvme0n1"},
		{"serial:ABC 2", "/dev/nvme4n2"},
		{"serial:ABC 1/9", nullptr},
		{"serial:ABC", nullptr},
		{"0000:02:00.0", nullptr},
	};
	for (auto &c : cases) {
		bool found = foreign_nvme_block(sys.c_str(), c.device, out, sizeof(out));

		EXPECT_STREQ(c.block, found ? out : nullptr) << c.device;
	}
	EXPECT_FALSE(foreign_nvme_block("/nonexistent", "serial:ABC 1", out, sizeof(out)));
	std::filesystem::remove_all(sys);
}

} // namespace
