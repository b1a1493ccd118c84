/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

#include "nvme_rig.h"

extern "C" {
#include "nvme_order.h"
}

namespace
{

namespace fs = std::filesystem;

/* --- erasing --- */

enum { OACS = 256, FNA = 524, SANICAP = 328 };
enum { DONE_ONCE = 1, FAILED = 3, DONE_DEALLOC = 4 };
enum { BLOCK_ERASE = 2, OVERWRITE = 3, CRYPTO_ERASE = 4 };

class NvmeErase : public nvme::NvmeDrive
{
      protected:
	char said[200] = "";
	bool stop = false;

	void
	SetUp() override
	{
		NvmeDrive::SetUp();
		make(12, 256);
		ASSERT_EQ(0, try_open()) << err;
		fake_nvme_ctrl(f)[OACS] = 2;
		fake_nvme_ctrl(f)[SANICAP] = 7;
	}

	int
	format()
	{
		return nvme_order_format(drive(), said, sizeof(said));
	}

	int
	sanitize()
	{
		return nvme_order_sanitize(drive(), 0, &stop, said, sizeof(said));
	}

	bool
	says(const char *word)
	{
		return strstr(said, word) != nullptr;
	}
};

TEST_F(NvmeErase, FormatsOnlyThisNamespace)
{
	fake_nvme_erasing(f, 3, 0, 0, 0);
	EXPECT_EQ(0, format()) << said;
	EXPECT_EQ(1u, fake_nvme_formatted(f));
}

TEST_F(NvmeErase, DoesNotFormatWhatWouldTakeOthersAlong)
{
	for (uint8_t fna : {1, 2}) {
		fake_nvme_ctrl(f)[FNA] = fna;
		fake_nvme_erasing(f, 3, 0, 0, 0);
		EXPECT_EQ(-EBUSY, format());
		EXPECT_TRUE(says("1, 2, 3")) << said;
		EXPECT_EQ(0u, fake_nvme_formatted(f));
	}
	fake_nvme_erasing(f, 1, 0, 0, 0);
	EXPECT_EQ(0, format()) << said;
}

TEST_F(NvmeErase, SaysWhatItCannot)
{
	fake_nvme_ctrl(f)[OACS] = 0;
	EXPECT_EQ(-EOPNOTSUPP, format());
	EXPECT_TRUE(says("does not know Format")) << said;
	memset(fake_nvme_ctrl(f) + SANICAP, 0, 4);
	EXPECT_EQ(-EOPNOTSUPP, sanitize());
	EXPECT_TRUE(says("does not know Sanitize")) << said;
}

TEST_F(NvmeErase, ReportsWhatTheDriveRefuses)
{
	fake_nvme_erasing(f, 1, 0x10a, 0, 0);
	EXPECT_EQ(-EIO, format());
	EXPECT_TRUE(says("0x10a")) << said;
	EXPECT_EQ(-EIO, sanitize());
	EXPECT_TRUE(says("0x10a")) << said;
}

TEST_F(NvmeErase, SanitizesTheBestWayThereIsAndWaits)
{
	const uint8_t can[] = {7, 6, 4}, want[] = {CRYPTO_ERASE, BLOCK_ERASE, OVERWRITE};

	for (int i = 0; i < 3; i++) {
		fake_nvme_ctrl(f)[SANICAP] = can[i];
		fake_nvme_erasing(f, 1, 0, i == 0 ? DONE_DEALLOC : DONE_ONCE, 3);
		EXPECT_EQ(0, sanitize()) << said;
		EXPECT_EQ(want[i], fake_nvme_sanitized(f));
	}
}

TEST_F(NvmeErase, DoesNotSanitizeOtherNamespaces)
{
	fake_nvme_erasing(f, 2, 0, DONE_ONCE, 0);
	EXPECT_EQ(-EBUSY, sanitize());
	EXPECT_EQ(0, fake_nvme_sanitized(f));
}

TEST_F(NvmeErase, ReportsAFailedSanitizeAndMayBeLeftAlone)
{
	fake_nvme_erasing(f, 1, 0, FAILED, 2);
	EXPECT_EQ(-EIO, sanitize());
	EXPECT_TRUE(says("failed")) << said;
	fake_nvme_erasing(f, 1, 0, DONE_ONCE, 1000000);
	stop = true;
	EXPECT_EQ(-EINTR, sanitize());
}

/* --- light --- */

class NvmeLight : public testing::Test
{
      protected:
	fs::path sys = fs::temp_directory_path() / ("strake-nvme-light-" + std::to_string(getpid()));
	nvme_place place = {};
	char said[200] = "";

	void
	SetUp() override
	{
		fs::create_directories(sys / "bus/pci/devices/0000:01:00.0");
		strcpy(place.address, "0000:01:00.0");
	}

	void
	TearDown() override
	{
		fs::remove_all(sys);
	}

	void
	file(const std::string &path, const std::string &text)
	{
		fs::create_directories((sys / path).parent_path());
		std::ofstream(sys / path) << text;
	}

	std::string
	text(const std::string &path)
	{
		std::string s;

		std::ifstream(sys / path) >> s;
		return s;
	}

	int
	light(bool on)
	{
		return nvme_order_light(sys.c_str(), &place, on, said, sizeof(said));
	}
};

TEST_F(NvmeLight, IsTheSlotsAndNoOthers)
{
	file("bus/pci/slots/3/address", "0000:01:00\n");
	file("bus/pci/slots/3/attention", "0");
	file("bus/pci/slots/4/address", "0000:02:00\n");
	file("bus/pci/slots/4/attention", "0");
	EXPECT_EQ(0, light(true)) << said;
	EXPECT_EQ("1", text("bus/pci/slots/3/attention"));
	EXPECT_EQ("0", text("bus/pci/slots/4/attention"));
}

TEST_F(NvmeLight, IsTheEnclosuresWhereTheSlotHasNone)
{
	file("bus/pci/devices/0000:01:00.0/enclosure_device:7/locate", "1");
	EXPECT_EQ(0, light(false)) << said;
	EXPECT_EQ("0", text("bus/pci/devices/0000:01:00.0/enclosure_device:7/locate"));
}

TEST_F(NvmeLight, IsNotThere)
{
	EXPECT_EQ(-EOPNOTSUPP, light(true));
	EXPECT_NE(nullptr, strstr(said, "no light"));
}

} // namespace
