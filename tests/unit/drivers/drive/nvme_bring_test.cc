/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

#include "nvme_rig.h"

extern "C" {
#include "nvme_mi.h"
#include "nvme_order.h"
#include "nvme_rescue.h"
#include "nvme_watch.h"
}

namespace
{

namespace fs = std::filesystem;
using lines = std::vector<std::string>;

using namespace nvme;

enum { OACS = 256, INVALID_LOG = 0x4109 };

class NvmeBring : public NvmeDrive
{
      protected:
	void
	SetUp() override
	{
		NvmeDrive::SetUp();
		make(12, 256);
		fake_nvme_kernel(f, 256 * 4096, "FAKE1");
	}

	lines
	said()
	{
		lines all;

		for (unsigned int i = 0; i < drive()->bring.n; i++)
			all.push_back(drive()->bring.lines[i]);
		return all;
	}
};

TEST_F(NvmeBring, AsksInBandWhatAnswersThere)
{
	fake_nvme_mi(f, FAKE_MI_ANSWERS);
	ASSERT_EQ(0, try_open()) << err;
	EXPECT_EQ((lines{"identify: in-band", "health: in-band"}), said());
	EXPECT_EQ(0u, fake_nvme_mi_searched(f));
	EXPECT_EQ(0u, fake_nvme_remedies(f));
}

TEST_F(NvmeBring, AsksTheManagementControllerWhereInBandIsSilent)
{
	for (int silence : {-EINTR, -ETIMEDOUT, HOST_PATH | 0x4000}) {
		fake_nvme_silent(f, silence, UINT32_MAX);
		fake_nvme_mi(f, FAKE_MI_ANSWERS);
		unsigned int asked = fake_nvme_in_band(f);

		ASSERT_EQ(0, try_open()) << err;
		EXPECT_EQ(1u, fake_nvme_in_band(f) - asked) << "each silence takes seconds";
		EXPECT_STREQ("FAKE1", d->serial);
		EXPECT_EQ(256u * 4096, d->bytes);
		std::string why = silence == -EINTR ? "Interrupted system call" : "Connection timed out";
		EXPECT_EQ((lines{"identify: NVMe-MI; in-band: " + why, "health: NVMe-MI; in-band: " + why}), said());
		EXPECT_EQ(0u, fake_nvme_remedies(f));
		strake_drive_close(d);
		d = nullptr;
	}
}

TEST_F(NvmeBring, ResetsWhatAnswersNeitherWay)
{
	fake_nvme_silent(f, -EINTR, 1);
	fake_nvme_mi(f, FAKE_MI_SILENT);
	ASSERT_EQ(0, try_open()) << err;
	EXPECT_EQ((lines{"identify: failed: in-band: Interrupted system call; NVMe-MI: Connection timed out",
			 "reset: remedy 1", "identify: in-band", "health: in-band"}),
		  said());
}

TEST_F(NvmeBring, RescansWhereAResetDoesNotHelp)
{
	fake_nvme_silent(f, -EINTR, 2);
	ASSERT_EQ(0, try_open()) << err;
	EXPECT_EQ((lines{"identify: failed: in-band: Interrupted system call; NVMe-MI: the kernel has no MCTP",
			 "reset: remedy 1",
			 "identify: failed: in-band: Interrupted system call; NVMe-MI: the kernel has no MCTP",
			 "rescan: remedy 2", "identify: in-band", "health: in-band"}),
		  said());
}

TEST_F(NvmeBring, GivesUpWithTheReasonOfBothWays)
{
	fake_nvme_silent(f, -EINTR, 3);
	EXPECT_EQ(-EINTR, try_open());
	EXPECT_EQ(2u, fake_nvme_remedies(f));
	EXPECT_NE(nullptr, strstr(err, "in-band: Interrupted system call; NVMe-MI: the kernel has no MCTP")) << err;
}

TEST_F(NvmeBring, DoesNotResetWhatSaysNo)
{
	fake_nvme_ns(f)[130] = 13;
	EXPECT_EQ(-EMEDIUMTYPE, try_open());
	EXPECT_EQ(0u, fake_nvme_remedies(f));
	EXPECT_EQ(0u, fake_nvme_mi_searched(f));
}

TEST_F(NvmeBring, TakesNoOtherDrivesManagementController)
{
	fake_nvme_kernel(f, 256 * 4096, "OTHER");
	fake_nvme_silent(f, -EINTR, UINT32_MAX);
	fake_nvme_mi(f, FAKE_MI_ANSWERS);
	memcpy(fake_nvme_ctrl(f) + 4, "FAKE1", 5);
	EXPECT_GT(0, try_open());
	EXPECT_NE(nullptr, strstr(err, "the kernel was told OTHER")) << err;
}

/* What the second way says of a drive is held against what the kernel knows, as what the first says. */
TEST_F(NvmeBring, DoesNotBelieveTheSecondWayMoreThanTheFirst)
{
	fake_nvme_kernel(f, 4096, "FAKE1");
	fake_nvme_silent(f, -EINTR, UINT32_MAX);
	fake_nvme_mi(f, FAKE_MI_ANSWERS);
	EXPECT_EQ(-EBADMSG, try_open());
	EXPECT_EQ(0u, fake_nvme_remedies(f));
}

TEST_F(NvmeBring, FormatsBySecondWay)
{
	char line[160];

	ASSERT_EQ(0, try_open()) << err;
	fake_nvme_ctrl(f)[OACS] = 2;
	fake_nvme_silent(f, -EINTR, UINT32_MAX);
	EXPECT_EQ(-EINTR, nvme_order_format(drive(), line, sizeof(line)));
	EXPECT_EQ(0u, fake_nvme_formatted(f));
	fake_nvme_mi(f, FAKE_MI_ANSWERS);
	EXPECT_EQ(0, nvme_order_format(drive(), line, sizeof(line))) << line;
	EXPECT_EQ(1u, fake_nvme_formatted(f));
}

/* --- while it serves --- */

class NvmeLook : public NvmeBring
{
      protected:
	void
	SetUp() override
	{
		NvmeBring::SetUp();
		fake_nvme_smart(f)[1] = 300 & 0xff;
		fake_nvme_smart(f)[2] = 300 >> 8;
		ASSERT_EQ(0, try_open()) << err;
		ASSERT_EQ(0, nvme_watch_start(&drive()->watch, d, UINT64_MAX));
		look();
	}

	/* Have the thread look, and wait for it. @return by which way. */
	std::string
	look(int want = 0)
	{
		char text[160];
		nvme_health h;
		int ret;

		while (nvme_watch_order(drive()->watch, STRAKE_DRIVE_LOOK) == -EBUSY)
			usleep(100);
		while ((ret = nvme_watch_ordered(drive()->watch, text, sizeof(text))) == -EINPROGRESS)
			usleep(100);
		EXPECT_EQ(want, ret);
		nvme_watch_health(drive()->watch, &h, text, sizeof(text));
		return text;
	}

	lines
	events()
	{
		nvme_event all[NVME_EVENTS];
		uint64_t told;
		unsigned int n = nvme_watch_events(drive()->watch, all, &told);
		lines text;

		for (unsigned int i = 0; i < n; i++)
			text.push_back((all[i].worse ? "worse: " : "well: ") + std::string(all[i].text));
		return text;
	}
};

TEST_F(NvmeLook, GoesOnByTheSecondWayAndComesBack)
{
	EXPECT_EQ("in-band", look());
	fake_nvme_mi(f, FAKE_MI_ANSWERS);
	fake_nvme_silent(f, -EINTR, UINT32_MAX);
	EXPECT_EQ("NVMe-MI; in-band: Interrupted system call", look());
	EXPECT_EQ("NVMe-MI; in-band: Interrupted system call", look());
	fake_nvme_silent(f, 0, 0);
	EXPECT_EQ("in-band", look());
	EXPECT_EQ((lines{"worse: it does not answer in-band (NVMe-MI; in-band: Interrupted system call)",
			 "well: it answers again (in-band)"}),
		  events());
}

TEST_F(NvmeLook, TellsOnceThatNobodyAnswers)
{
	fake_nvme_silent(f, -EINTR, UINT32_MAX);
	EXPECT_EQ("in-band: Interrupted system call; NVMe-MI: the kernel has no MCTP", look(-EIO));
	look(-EIO);
	EXPECT_EQ((lines{"worse: its health cannot be read (in-band: Interrupted system call; NVMe-MI: the kernel has "
			 "no MCTP)"}),
		  events());
}

/* Sought as often as it may be, told once; and what has lied is not sought. */
TEST_F(NvmeLook, TellsOnceThatADriveVanishedOrLied)
{
	auto end = [&](nvme_end why, size_t n) {
		__atomic_store_n(&drive()->sh.end, why, __ATOMIC_RELAXED);
		for (int i = 0; i < 1000 && events().size() < n; i++)
			usleep(10000);
		usleep(2500000);
	};

	end(NVME_VANISHED, 2);
	lines told = events();
	ASSERT_EQ(2u, told.size());
	EXPECT_EQ("worse: has vanished; it is looked for", told[0]);
	EXPECT_EQ("well: is not back: ", told[1].substr(0, 19));
	EXPECT_EQ(0u, d->returns);
	end(NVME_LIED, 3);
	told = events();
	ASSERT_EQ(3u, told.size());
	EXPECT_EQ("worse: answered what it was not asked, and is isolated", told[2]);
}

/* --- the table itself --- */

struct run {
	std::string log;
	int fail_at = -1, fail_with = 0, n = 0;
};

int
step(void *arg, char *said, size_t len)
{
	run *r = (run *)arg;

	snprintf(said, len, "n%d", r->n);
	r->log += "+";
	return r->n++ == r->fail_at ? r->fail_with : 0;
}

void
undo(void *arg)
{
	((run *)arg)->log += "-";
}

TEST(NvmeBringTable, UndoesWhatWasDoneBeforeItTriesAgain)
{
	const nvme_bring_step steps[] = {
		{"a", step, undo}, {"b", step, nullptr}, {"c", step, undo}, {"d", step, undo}, {}};
	const nvme_bring_step remedies[] = {{"e", step, nullptr}, {}};
	char err[64];
	nvme_bring b = {};
	run r;

	r.fail_at = 3;
	r.fail_with = -ETIMEDOUT;
	EXPECT_EQ(0, nvme_bring_up(&b, steps, remedies, &r, err, sizeof(err)));
	EXPECT_EQ("++++--"
		  "+"
		  "++++",
		  r.log);
	EXPECT_EQ(9u, b.n);
	EXPECT_STREQ("d: failed: n3", b.lines[3]);
	EXPECT_STREQ("e: n4", b.lines[4]);
	r = {};
	r.fail_at = 2;
	r.fail_with = -EBUSY;
	b = {};
	EXPECT_EQ(-EBUSY, nvme_bring_up(&b, steps, remedies, &r, err, sizeof(err)));
	EXPECT_EQ("+++-", r.log);
	EXPECT_STREQ("n2", err);
}

/* --- the kernel's part --- */

class NvmeRescue : public testing::Test
{
      protected:
	fs::path sys;
	char said[256] = "";
	bool stop = false;

	void
	SetUp() override
	{
		char name[] = "/tmp/strake-rescue-XXXXXX";

		sys = mkdtemp(name);
		put("class/nvme/nvme0/state", "live\n");
		put("class/nvme/nvme0/reset_controller", "");
		put("class/nvme/nvme0/rescan_controller", "");
		put("bus/pci/rescan", "");
		put("bus/pci/devices/0000:01:00.0/class", "0x010802\n");
		put("bus/pci/devices/0000:01:00.0/remove", "");
	}

	void
	TearDown() override
	{
		fs::remove_all(sys);
	}

	void
	put(const char *name, const char *text)
	{
		fs::create_directories((sys / name).parent_path());
		std::ofstream(sys / name) << text;
	}

	std::string
	get(const char *name)
	{
		std::string text;

		std::ifstream(sys / name) >> text;
		return text;
	}

	int
	reset(const char *ctrl = "nvme0", unsigned int wait_ms = 0)
	{
		return nvme_rescue_reset(sys.c_str(), ctrl, wait_ms, &stop, said, sizeof(said));
	}

	int
	rescan(const char *ctrl, const char *address, unsigned int wait_ms = 0)
	{
		return nvme_rescue_rescan(sys.c_str(), ctrl, address, wait_ms, &stop, said, sizeof(said));
	}
};

TEST_F(NvmeRescue, ResetsAController)
{
	EXPECT_EQ(0, reset()) << said;
	EXPECT_EQ("1", get("class/nvme/nvme0/reset_controller"));
	EXPECT_STREQ("nvme0 is live again", said);
}

TEST_F(NvmeRescue, SaysWhatItCannotReset)
{
	put("class/nvme/nvme0/state", "resetting\n");
	EXPECT_EQ(-ETIMEDOUT, reset());
	EXPECT_STREQ("nvme0 is not live 0 ms later", said);
	EXPECT_EQ(-ENOENT, reset("nvme7"));
	EXPECT_EQ(-ENODEV, reset(""));
}

TEST_F(NvmeRescue, WaitsNoLongerThanSomebodyWaitsForIt)
{
	put("class/nvme/nvme0/state", "resetting\n");
	stop = true;
	EXPECT_EQ(-ECANCELED, reset("nvme0", 600000));
	EXPECT_EQ(-ECANCELED, rescan("nvme0", "0000:01:00.0", 600000));
}

TEST_F(NvmeRescue, LooksForNamespacesOfAControllerThatLives)
{
	EXPECT_EQ(0, rescan("nvme0", "0000:01:00.0")) << said;
	EXPECT_EQ("1", get("class/nvme/nvme0/rescan_controller"));
	EXPECT_EQ("", get("bus/pci/rescan"));
	EXPECT_EQ("", get("bus/pci/devices/0000:01:00.0/remove"));
}

TEST_F(NvmeRescue, TakesADeviceThatItsDriverGaveUpOffTheBus)
{
	EXPECT_EQ(0, rescan("", "0000:01:00.0")) << said;
	EXPECT_EQ("1", get("bus/pci/devices/0000:01:00.0/remove"));
	EXPECT_EQ("1", get("bus/pci/rescan"));
	EXPECT_EQ("", get("class/nvme/nvme0/rescan_controller"));
}

TEST_F(NvmeRescue, LeavesDevicesThatAreNotItsOwn)
{
	put("bus/pci/devices/0000:02:00.0/class", "0x020000\n");
	put("bus/pci/devices/0000:02:00.0/remove", "");
	EXPECT_EQ(0, rescan("", "0000:02:00.0")) << said;
	EXPECT_EQ("", get("bus/pci/devices/0000:02:00.0/remove")) << "a network card";
	put("bus/pci/devices/0000:01:00.0/driver/bind", "");
	EXPECT_EQ(0, rescan("", "0000:01:00.0")) << said;
	EXPECT_EQ("", get("bus/pci/devices/0000:01:00.0/remove")) << "some driver has it";
}

TEST_F(NvmeRescue, DoesNothingWhereTheKernelHasNoSuchDriver)
{
	fs::remove_all(sys / "class");
	EXPECT_EQ(-ENODEV, rescan("", "0000:01:00.0"));
	EXPECT_EQ("", get("bus/pci/rescan"));
	EXPECT_EQ("", get("bus/pci/devices/0000:01:00.0/remove"));
}

/* Whatever this machine has: no drive is called this. */
TEST(NvmeMi, SaysWhyThereIsNoSecondWay)
{
	struct nvme_dev *dev = nullptr;
	char why[96] = "";

	EXPECT_GT(0, nvme_mi_find(&dev, "no drive of this name", why, sizeof(why)));
	EXPECT_EQ(nullptr, dev);
	EXPECT_STRNE("", why);
}

} // namespace
