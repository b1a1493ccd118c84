/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Threads that wait for a drive's ioctls: what is left when they cannot be started. */

#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rte_ring.h>

#include "drive_rig.h"

extern "C" {
#include "drivers/drive/nvme/nvme_dev.h"
#include "drivers/drive/nvme/nvme_helper.h"
}

namespace
{

class NvmeHelper : public DriveRig
{
      protected:
	static const size_t kStack = 256u << 20; /* more than glibc keeps of threads that have ended */
	struct nvme_dev dev = {};
	pthread_attr_t before_attr;

	void
	SetUp() override
	{
		pthread_attr_t attr;

		DriveRig::SetUp();
		dev.slot = 9;
		dev.max_iov = 3;
		dev.fd = ::open("/dev/null", O_RDWR);
		pthread_getattr_default_np(&before_attr);
		pthread_getattr_default_np(&attr);
		pthread_attr_setstacksize(&attr, kStack);
		pthread_setattr_default_np(&attr);
		pthread_attr_destroy(&attr);
	}

	void
	TearDown() override
	{
		pthread_setattr_default_np(&before_attr);
		pthread_attr_destroy(&before_attr);
		DriveRig::TearDown();
	}

	/* Room for this much more memory of the process. */
	static rlimit
	room(size_t bytes)
	{
		unsigned long pages = 0;
		rlimit was, now;
		FILE *file = fopen("/proc/self/statm", "r");

		EXPECT_EQ(1, fscanf(file, "%lu", &pages));
		fclose(file);
		getrlimit(RLIMIT_AS, &was);
		now = was;
		now.rlim_cur = pages * (size_t)getpagesize() + bytes;
		setrlimit(RLIMIT_AS, &now);
		return was;
	}

	static unsigned int
	threads()
	{
		DIR *dir = opendir("/proc/self/task");
		unsigned int n = 0;

		while (readdir(dir) != nullptr)
			n++;
		closedir(dir);
		return n;
	}
};

TEST_F(NvmeHelper, LeavesNothingWhereOneOfItsThreadsCannotStart)
{
	unsigned int n = threads();

	for (size_t stacks : {0, 1, 3}) {
		rlimit was = room(stacks * kStack + kStack / 2);
		int ret = nvme_helper_start(&dev);

		setrlimit(RLIMIT_AS, &was);
		EXPECT_EQ(-EAGAIN, ret) << stacks;
		EXPECT_EQ(n, threads()) << stacks;
		EXPECT_EQ(nullptr, rte_ring_lookup("nvme_todo_9")) << stacks;
		EXPECT_EQ(nullptr, dev.ops) << "it is as it was";
		EXPECT_EQ(nullptr, dev.priv);
		EXPECT_EQ(3u, dev.max_iov);
	}
	ASSERT_EQ(0, nvme_helper_start(&dev));
	EXPECT_GT(threads(), n);
	EXPECT_STREQ("helper", dev.ops->name);
	dev.ops->close(&dev);
	EXPECT_EQ(n, threads());
	EXPECT_EQ(nullptr, rte_ring_lookup("nvme_todo_9"));
	EXPECT_EQ(-1, fcntl(dev.fd, F_GETFD)) << "its descriptor is closed";
}

} // namespace
