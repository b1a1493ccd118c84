/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The bound on waking: what the kernel is told, and that a start does without. */

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include <gtest/gtest.h>

#include "app/resume.h"

namespace
{

TEST(Resume, WritesTheBoundAsTheKernelReadsIt)
{
	char name[] = "/tmp/strake-resume-XXXXXX";
	int fd = mkstemp(name), held = resume_within(name, 37);
	int32_t us = 0;

	EXPECT_GE(held, 0);
	EXPECT_EQ((ssize_t)sizeof(us), read(fd, &us, sizeof(us)));
	EXPECT_EQ(37, us);
	close(held);
	close(fd);
	std::filesystem::remove(name);
}

TEST(Resume, SaysWhyNot)
{
	EXPECT_EQ(-ENOENT, resume_within("/tmp/strake-resume-none/x", 100));
	EXPECT_EQ(-ENOSPC, resume_within("/dev/full", 100));
}

TEST(Resume, AsksNothingWhereLcoresSpin)
{
	conf c = {};
	appliance a = {};

	c.appliance.idle = CONF_IDLE_SPIN;
	a.conf = &c;
	EXPECT_EQ(0, resume_up(&a));
	EXPECT_EQ(-1, a.resume_fd);
	resume_down(&a);
}

} /* namespace */
