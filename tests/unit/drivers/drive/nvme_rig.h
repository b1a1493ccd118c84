/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_RIG_H
#define NVME_RIG_H

/* A drive on a fake controller, and the words that it answers with. */

#include "drive_rig.h"
#include "fake_nvme.h"

extern "C" {
#include "drivers/drive/nvme/nvme_drive.h"
}

namespace nvme
{

enum { FLUSH = 0, WRITE = 1, READ = 2, ZEROES = 8, DSM = 9, ANY = 255 };
enum { DNR = 0x4000, INTERNAL = 0x06, ABORTED = 0x07, NO_NAMESPACE = 0x0b, FULL = 0x81, NOT_READY = 0x82 };
enum { UNREADABLE = 0x281, HOST_PATH = 0x370 };

constexpr uint64_t MS = 1000000;

class NvmeDrive : public DriveRig
{
      protected:
	fake_nvme *f = nullptr;
	strake_drive *d = nullptr;
	char err[512] = "";

	void
	make(uint8_t shift = 12, uint64_t blocks = 1024)
	{
		f = fake_nvme_new(shift, blocks);
	}

	int
	try_open(const char *trim = nullptr)
	{
		return fake_nvme_open(&d, f, trim, err, sizeof(err));
	}

	void
	open(const char *trim = nullptr)
	{
		if (f == nullptr)
			make();
		ASSERT_EQ(0, try_open(trim)) << err;
		ASSERT_EQ(0, strake_drive_lcore_init(d));
	}

	nvme_drive *
	drive()
	{
		return (nvme_drive *)d->priv;
	}

	void
	refused(const char *word)
	{
		EXPECT_GT(0, try_open());
		EXPECT_NE(nullptr, strstr(err, word)) << err;
	}

	void
	TearDown() override
	{
		if (d != nullptr) {
			strake_drive_lcore_fini(d);
			strake_drive_close(d);
		}
		if (f != nullptr)
			fake_nvme_free(f);
		DriveRig::TearDown();
	}

	void
	pass(uint64_t ms)
	{
		now += ms * MS;
		turn();
		turn();
	}

	const fake_nvme_cmd &
	cmd(unsigned int i)
	{
		EXPECT_LT(i, fake_nvme_count(f));
		return *fake_nvme_asked(f, i);
	}

	template <typename T>
	static void
	poke(uint8_t *at, T value)
	{
		memcpy(at, &value, sizeof(value));
	}
};

} // namespace nvme

#endif /* NVME_RIG_H */
