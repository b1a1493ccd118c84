/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_FIXTURE_H
#define CRYPTO_FIXTURE_H

#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

/** A file in a folder of its own, gone at the end. */
class TempFile
{
      public:
	std::string path;

	explicit TempFile(const void *bytes, size_t len, mode_t mode = 0600)
	{
		char folder[] = "/tmp/crypto_test_XXXXXX";

		EXPECT_NE(nullptr, mkdtemp(folder));
		dir = folder;
		path = dir + "/key";
		int fd = open(path.c_str(), O_CREAT | O_WRONLY, 0600);

		EXPECT_EQ((ssize_t)len, write(fd, bytes, len));
		fchmod(fd, mode);
		close(fd);
	}
	explicit TempFile(const std::string &text, mode_t mode = 0600) : TempFile(text.data(), text.size(), mode)
	{
	}
	~TempFile()
	{
		unlink(path.c_str());
		rmdir(dir.c_str());
	}
	TempFile(const TempFile &) = delete;

      private:
	std::string dir;
};

#endif /* CRYPTO_FIXTURE_H */
