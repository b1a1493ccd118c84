/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Where drives are found in the kernel's tables, and how one comes back that had vanished. */

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

#include "nvme_rig.h"

extern "C" {
#include "nvme_place.h"
#include "nvme_watch.h"
}

namespace
{

namespace fs = std::filesystem;
using namespace nvme;

/* A folder that looks like /sys, and one like /dev. */
class Kernel
{
      public:
	fs::path root;

	Kernel()
	{
		char name[] = "/tmp/strake-place-XXXXXX";

		root = mkdtemp(name);
		fs::create_directories(root / "dev");
		fs::create_directories(root / "sys/class/nvme");
		fs::create_directories(root / "sys/class/block");
		fs::create_directories(root / "sys/class/nvme-generic");
	}

	~Kernel()
	{
		fs::remove_all(root);
	}

	void
	put(const std::string &name, const std::string &text)
	{
		fs::create_directories((root / name).parent_path());
		std::ofstream(root / name) << text;
	}

	void
	controller(const std::string &ctrl, const std::string &serial, const std::string &address)
	{
		put("sys/class/nvme/" + ctrl + "/serial", serial + "         \n");
		put("sys/class/nvme/" + ctrl + "/address", address + "\n");
	}

	/* Of a controller, or of a subsystem; its names are made of two numbers. */
	void
	name_space(const std::string &in, const std::string &numbers, unsigned int nsid, uint64_t sectors)
	{
		std::string dir = "sys/class/" + in + "/nvme" + numbers;

		put(dir + "/nsid", std::to_string(nsid) + "\n");
		put(dir + "/size", std::to_string(sectors) + "\n");
		put("sys/class/" + in + "/ng" + numbers + "/dev", "");
		put("dev/nvme" + numbers, "");
		put("dev/ng" + numbers, "");
		fs::create_symlink(root / dir, root / ("sys/class/block/nvme" + numbers));
		fs::create_symlink(root / ("sys/class/" + in + "/ng" + numbers),
				   root / ("sys/class/nvme-generic/ng" + numbers));
	}
};

class NvmePlace : public testing::Test
{
      protected:
	Kernel kernel;
	nvme_place at = {};
	char why[256] = "";

	void
	SetUp() override
	{
		kernel.controller("nvme0", "ONE", "0000:01:00.0");
		kernel.name_space("nvme/nvme0", "0n1", 1, 2048);
		kernel.controller("nvme1", "TWO", "0000:02:00.0");
		kernel.name_space("nvme/nvme1", "1n1", 1, 2048);
		kernel.name_space("nvme/nvme1", "1n3", 7, 4096);
	}

	int
	find(const char *device)
	{
		return nvme_place_find(&at, (kernel.root / "sys").c_str(), device, why, sizeof(why));
	}

	/* It is found, as this block device. */
	void
	is(const char *device, const char *block)
	{
		ASSERT_EQ(0, find(device)) << why;
		EXPECT_STREQ(block, at.block);
		EXPECT_EQ(std::string("ng") + (block + 4), at.generic);
	}

	void
	refused(const char *device, int ret, const char *words)
	{
		EXPECT_EQ(ret, find(device)) << device;
		EXPECT_NE(nullptr, strstr(why, words)) << device << ": " << why;
	}
};

TEST_F(NvmePlace, FindsOneByEveryName)
{
	for (const char *name : {"/dev/ng1n3", "ng1n3", "nvme1n3", "serial:TWO/7", "serial:two/7", "0000:02:00.0/7"}) {
		is(name, "nvme1n3");
		EXPECT_STREQ("nvme1", at.ctrl);
		EXPECT_STREQ("TWO", at.serial);
		EXPECT_STREQ("0000:02:00.0", at.address);
		EXPECT_EQ(7u, at.nsid);
		EXPECT_EQ(4096u * 512, at.bytes);
		EXPECT_EQ(511u, at.dma_mask) << "what older kernels want, who do not say";
	}
	is("serial:ONE", "nvme0n1");
	is("0000:01:00.0", "nvme0n1");
}

TEST_F(NvmePlace, SaysWhatThereIsInPlaceOfWhatThereIsNot)
{
	refused("ng0n2", -ENODEV, "no such namespace");
	refused("serial:THREE", -ENODEV, "there are: ");
	refused("0000:03:00.0", -ENODEV, "no controller has the address");
	refused("serial:ONE/2", -ENODEV, "it has 1");
	EXPECT_STREQ("nvme0", at.ctrl) << "it can be reset all the same";
	refused("serial:TWO", -EINVAL, "say which");
	refused("serial:ONE/one", -EINVAL, "a namespace's number");
	refused("serial:ONE/0", -EINVAL, "a namespace's number");
	refused("sda", -EINVAL, "expected /dev/ng0n1");
	fs::remove(kernel.root / "sys/class/nvme/nvme0/nvme0n1/nsid");
	refused("serial:ONE", -ENODEV, "has no namespace");
	refused("ng0n1", -ENODEV, "no block device");
}

/* Which of the two is the drive that the file means? */
TEST_F(NvmePlace, RefusesTwoOfOneSerialNumber)
{
	kernel.controller("nvme2", "ONE", "0000:03:00.0");
	kernel.name_space("nvme/nvme2", "2n1", 1, 2048);
	refused("serial:ONE", -ENOTUNIQ, "2 controllers have the serial ONE");
	is("0000:03:00.0", "nvme2n1");
}

TEST_F(NvmePlace, NamespacesMayHangFromTheSubsystem)
{
	kernel.controller("nvme4", "MANY", "0000:04:00.0");
	kernel.put("sys/class/nvme/nvme4/nvme4c4n1/nsid", "1\n"); /* a path, of no use to us */
	fs::create_directories(kernel.root / "sys/class/nvme-subsystem/nvme-subsys4/nvme4");
	kernel.name_space("nvme-subsystem/nvme-subsys4", "4n1", 1, 2048);
	for (const char *name : {"serial:MANY", "0000:04:00.0/1", "nvme4n1", "ng4n1"}) {
		is(name, "nvme4n1");
		EXPECT_STREQ("nvme4", at.ctrl) << name;
		EXPECT_STREQ("MANY", at.serial) << name;
	}
}

TEST_F(NvmePlace, TellsOfAKernelWithoutTheDriver)
{
	fs::remove_all(kernel.root / "sys/class/nvme");
	refused("serial:ONE", -ENODEV, "modprobe nvme");
}

/* --- coming back --- */

class NvmeReturn : public NvmeDrive
{
      protected:
	Kernel kernel;
	std::string sys = kernel.root / "sys", dev = kernel.root / "dev";

	void
	SetUp() override
	{
		NvmeDrive::SetUp();
		make(12, 256);
		fake_nvme_kernel(f, 256 * 4096, "FAKE1");
		ASSERT_NO_FATAL_FAILURE(open());
		drive()->sys = sys.c_str();
		drive()->dev_dir = dev.c_str();
		ASSERT_EQ(0, nvme_watch_start(&drive()->watch, d, UINT64_MAX));
	}

	void
	plug(uint64_t sectors = 2048)
	{
		kernel.controller("nvme5", "FAKE1", "0000:05:00.0");
		kernel.name_space("nvme/nvme5", "5n1", 1, sectors);
	}

	void
	vanish()
	{
		fake_nvme_fail(f, READ, -ENODEV, 1);
		bytes out;

		EXPECT_EQ(-ENODEV, read(d, 0, 4096, out));
	}

	/* Of the lcores it is ready on. */
	virtual void
	turn_all()
	{
		turn();
	}

	/* The last word on it, as soon as it has these in it. */
	std::string
	told(const char *words)
	{
		nvme_event all[NVME_EVENTS];
		std::string last;
		uint64_t n;

		for (int i = 0; i < 10000 && last.find(words) == std::string::npos; i++) {
			unsigned int have = nvme_watch_events(drive()->watch, all, &n);

			last = have > 0 ? all[have - 1].text : "";
			turn_all(); /* the thread beside it asks them */
			usleep(1000);
		}
		return last;
	}
};

TEST_F(NvmeReturn, IsUsedAgainWhereverItIsPluggedIn)
{
	bytes in = pattern(4096, 1), out;

	ASSERT_EQ(0, write(d, 8192, in));
	vanish();
	EXPECT_EQ("is not back: no controller has the serial FAKE1; there are: none", told("is not back"));
	plug();
	EXPECT_EQ("is back, as ng5n1 in slot 0000:05:00.0", told("is back, as"));
	EXPECT_EQ(1u, d->returns);
	EXPECT_EQ(0, read(d, 8192, 4096, out));
	EXPECT_EQ(in, out);
	EXPECT_GE(drive()->claim_fd, 0) << "nobody else may mount it";
}

/* What was with it is in our memory's way until it is answered; only then may the lcore use the new descriptor. */
TEST_F(NvmeReturn, WaitsForTheLastAnswerOfBefore)
{
	rig_io held(STRAKE_IO_READ, 0, 4096);

	plug();
	fake_nvme_hold(f, true);
	submit(d, held);
	turn();
	nvme_lane_end((nvme_lane *)d->lc[0], NVME_VANISHED);
	EXPECT_EQ("is not back: ng5n1: Device or resource busy", told("is not back"));
	EXPECT_EQ(0u, d->returns);
	EXPECT_EQ(-1, drive()->dev->fd) << "the descriptor of before";
	fake_nvme_hold(f, false);
	EXPECT_EQ(0, wait(held));
	strake_buf_put_list(held.io.bufs);
	EXPECT_EQ("is back, as ng5n1 in slot 0000:05:00.0", told("is back, as"));
}

TEST_F(NvmeReturn, RefusesItInAnotherForm)
{
	bytes out;

	vanish();
	uint64_t blocks = 128;
	for (int at : {0, 8, 16})
		memcpy(fake_nvme_ns(f) + at, &blocks, 8);
	plug(1024);
	EXPECT_EQ("is not back: ng5n1 has its name, but another form", told("another form"));
	EXPECT_EQ(0u, d->returns);
	EXPECT_EQ(-ENODEV, read(d, 0, 4096, out));
}

/* The kernel has it again, and its device is not there yet, or is somebody else's. */
TEST_F(NvmeReturn, RefusesWhatItCannotOpen)
{
	plug();
	fs::remove(kernel.root / "dev/ng5n1");
	vanish();
	EXPECT_EQ("is not back: its device cannot be opened", told("is not back"));
	kernel.put("dev/ng5n1", "");
	fs::remove(kernel.root / "dev/nvme5n1");
	EXPECT_EQ("is not back: ng5n1: No such file or directory", told("ng5n1: No"));
	kernel.put("dev/nvme5n1", "");
	EXPECT_EQ("is back, as ng5n1 in slot 0000:05:00.0", told("is back, as"));
}

/* A drive that several lcores use is back when each of them can use it: until then nobody submits anything. */
class NvmeReturnToTwo : public NvmeReturn
{
      protected:
	void
	SetUp() override
	{
		NvmeReturn::SetUp();
		strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, SOCKET_ID_ANY};
		ASSERT_EQ(0, strake_lcore_create(1, &lc));
		strake_lcore_enter(1);
		ASSERT_EQ(0, strake_drive_lcore_init(d));
		strake_lcore_enter(0);
	}

	void
	TearDown() override
	{
		strake_lcore_enter(1);
		strake_drive_lcore_fini(d);
		strake_lcore_enter(0);
		/* Its thread asks both of them. */
		strake_drive_lcore_fini(d);
		strake_drive_close(d);
		d = nullptr;
		strake_lcore_destroy(1);
		NvmeReturn::TearDown();
	}

	/* Of both. */
	void
	turn_all() override
	{
		turn();
		strake_lcore_enter(1);
		strake_lcore_turn(now);
		strake_lcore_enter(0);
	}
};

TEST_F(NvmeReturnToTwo, IsNotBackBeforeTheSecondLcoreHasItToo)
{
	bytes out;

	vanish();
	fake_nvme_adopting(f, 1, -EMFILE, 1);
	plug();
	EXPECT_EQ("is not back: ng5n1: Too many open files", told("ng5n1: Too"));
	EXPECT_EQ(1, fake_nvme_adopted(f, 0)) << "the first had it already";
	EXPECT_EQ(0, fake_nvme_adopted(f, 1));
	EXPECT_EQ(0u, d->returns);
	EXPECT_EQ(-1, drive()->dev->fd) << "the descriptor of before";
	EXPECT_EQ("is back, as ng5n1 in slot 0000:05:00.0", told("is back, as"));
	EXPECT_EQ(2, fake_nvme_adopted(f, 0)) << "asked again, for the descriptor that is used";
	EXPECT_EQ(1, fake_nvme_adopted(f, 1));
	EXPECT_EQ(1u, d->returns);
	EXPECT_GE(drive()->dev->fd, 0);
	EXPECT_EQ(0, read(d, 0, 4096, out));
}

} // namespace
