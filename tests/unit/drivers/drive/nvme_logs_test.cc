/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What a drive's logs say of its firmware, of commands that failed, and of those it knows. */

#include <cerrno>
#include <string>
#include <vector>

#include "nvme_rig.h"

extern "C" {
#include "nvme_logs.h"
#include "nvme_order.h"
}

namespace
{

using namespace nvme;
using lines = std::vector<std::string>;

/* Log pages, and places in Identify Controller (NVMe Base specification 2.0, figures 202, 205, 208, 210, 275). */
enum { ERRORS = 1, FIRMWARE = 3, COMMANDS = 5 };
enum { OACS = 256, LPA = 261, ELPE = 262, ONCS = 520 };
enum { FORMAT = 0x80, IO_COMMANDS = 256, ENTRY = 64 };

class NvmeLogs : public NvmeDrive
{
      protected:
	nvme_logs was = {};
	uint64_t entries = 0;
	unsigned int room = 64;

	void
	SetUp() override
	{
		NvmeDrive::SetUp();
		make();
		fake_nvme_page(f, ERRORS);
	}

	/* What is told of the logs as they are now. */
	lines
	look()
	{
		nvme_logs now = was;
		lines told;
		char text[128];
		bool worse;

		nvme_logs_read(&now, &drive()->ways.dev, entries, room);
		for (unsigned int i = 0; nvme_logs_event(&was, &now, i, &worse, text, sizeof(text)); i++)
			told.push_back((worse ? "worse: " : "well: ") + std::string(text));
		was = now;
		return told;
	}

	void
	runs(uint8_t slots, const char *first, const char *second)
	{
		uint8_t *page = fake_nvme_page(f, FIRMWARE);

		page[0] = slots;
		memcpy(page + 8, first, 8);
		memcpy(page + 16, second, 8);
	}

	/* One more entry, the newest. */
	void
	failed(uint16_t queue, uint16_t status, uint64_t lba, uint32_t nsid)
	{
		uint8_t *page = fake_nvme_page(f, ERRORS);

		memmove(page + ENTRY, page, 63 * ENTRY);
		memset(page, 0, ENTRY);
		poke<uint64_t>(page, ++entries);
		poke<uint16_t>(page + 8, queue);
		poke<uint16_t>(page + 12, (uint16_t)(status << 1 | 1));
		poke<uint64_t>(page + 16, lba);
		poke<uint32_t>(page + 24, nsid);
	}

	void
	knows(unsigned int at)
	{
		poke<uint32_t>(fake_nvme_page(f, COMMANDS) + 4 * (size_t)at, 1);
	}
};

TEST_F(NvmeLogs, NameTheFirmwareAndTellWhenItChanges)
{
	runs(0x01, "1.0     ", "2.0     ");
	open();
	EXPECT_EQ(lines{}, look());
	EXPECT_STREQ("1.0", was.firmware.revision);
	EXPECT_EQ(1u, was.firmware.slot);
	runs(0x21, "1.0     ", "2.0     ");
	EXPECT_EQ(lines{"well: its firmware will be 2.0, of slot 2, after its next reset"}, look());
	EXPECT_EQ(lines{}, look());
	runs(0x02, "1.0     ", "2.0     ");
	EXPECT_EQ(lines{"well: its firmware is 2.0 now, in slot 2; it was 1.0"}, look());
	EXPECT_EQ(lines{}, look());
}

TEST_F(NvmeLogs, AreNotBelievedOfAFirmwareThatCannotBe)
{
	open();
	EXPECT_EQ(lines{}, look());
	EXPECT_FALSE(was.firmware.known) << "it has no such log";
	runs(0x00, "1.0     ", "2.0     ");
	EXPECT_EQ(lines{}, look());
	EXPECT_FALSE(was.firmware.known) << "there is no slot 0";
	runs(0x01, "1\033[2J   ", "2.0     ");
	EXPECT_EQ(lines{}, look());
	EXPECT_STREQ("1?[2J", was.firmware.revision);
}

TEST_F(NvmeLogs, TellOfIOsThatFailedOnceAndNotOfThoseOfBefore)
{
	failed(1, UNREADABLE, 7, 1);
	open();
	EXPECT_EQ(lines{}, look());
	EXPECT_EQ(7u, was.failures.lba) << "shown all the same";
	failed(1, UNREADABLE, 17, 1);
	failed(2, UNREADABLE, 18, 2);
	EXPECT_EQ(lines{"worse: failed I/O in its error log: 2 more; last: status 0x281, LBA 18, namespace 2"}, look());
	EXPECT_EQ(lines{}, look());
}

/* Whoever asks a drive what it does not know makes an entry. */
TEST_F(NvmeLogs, LeaveAdminCommandsOut)
{
	open();
	EXPECT_EQ(lines{}, look());
	failed(3, UNREADABLE, 21, 1);
	failed(0, INTERNAL, 0, 0);
	EXPECT_EQ(lines{"worse: failed I/O in its error log: 1 more; last: status 0x281, LBA 21, namespace 1"}, look());
	failed(0, INTERNAL, 0, 0);
	EXPECT_EQ(lines{}, look());
}

TEST_F(NvmeLogs, KeepToTheEntriesThatThereAre)
{
	fake_nvme_ctrl(f)[ELPE] = 1;
	open();
	EXPECT_EQ(2u, drive()->sh.geom.error_entries);
	room = drive()->sh.geom.error_entries;
	EXPECT_EQ(lines{}, look());
	for (uint64_t lba = 1; lba <= 5; lba++)
		failed(1, UNREADABLE, lba, 1);
	EXPECT_EQ(lines{"worse: failed I/O in its error log: 2 more; last: status 0x281, LBA 5, namespace 1"}, look());
}

TEST_F(NvmeLogs, DenyCommandsThatIdentifyPromises)
{
	fake_nvme_ctrl(f)[LPA] = 2;
	open();
	EXPECT_TRUE(drive()->sh.geom.zeroes && drive()->sh.geom.trim) << "there is no such log after all";
	strake_drive_lcore_fini(d);
	strake_drive_close(d);
	d = nullptr;
	knows(IO_COMMANDS + READ);
	knows(IO_COMMANDS + DSM);
	open();
	EXPECT_FALSE(drive()->sh.geom.zeroes);
	EXPECT_TRUE(drive()->sh.geom.trim);
}

TEST_F(NvmeLogs, AreNotAskedForCommandsWhereThereIsNoSuchLog)
{
	knows(IO_COMMANDS + READ);
	open();
	EXPECT_TRUE(drive()->sh.geom.zeroes);
}

TEST_F(NvmeLogs, DenyFormat)
{
	char said[160];

	fake_nvme_ctrl(f)[OACS] = 2;
	fake_nvme_ctrl(f)[LPA] = 2;
	fake_nvme_erasing(f, 1, 0, 0, 0);
	knows(IO_COMMANDS + READ);
	open();
	EXPECT_EQ(-EOPNOTSUPP, nvme_order_format(drive(), said, sizeof(said)));
	EXPECT_STREQ("the drive's log of its commands denies Format", said);
	EXPECT_EQ(0u, fake_nvme_formatted(f));
	knows(FORMAT);
	EXPECT_EQ(0, nvme_order_format(drive(), said, sizeof(said))) << said;
	EXPECT_EQ(1u, fake_nvme_formatted(f));
}

} // namespace
