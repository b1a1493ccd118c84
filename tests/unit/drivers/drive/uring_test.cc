/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <poll.h>
#include <random>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "conf_key.h"
#include "drive_rig.h"
#include "drivers/drive/uring/uring_op.h"

namespace
{

using keys = std::map<std::string, std::string>;

class UringDrive : public DriveRig
{
      protected:
	strake_drive *d = nullptr;
	std::string dir, path;

	void
	SetUp() override
	{
		const char *base = getenv("STRAKE_TEST_DIR");
		std::string tmpl = std::string(base != nullptr ? base : "/tmp") + "/strake_uring_XXXXXX";

		ASSERT_NE(nullptr, mkdtemp(&tmpl[0]));
		dir = tmpl;
		path = dir + "/disk";
		DriveRig::SetUp();
	}

	void
	TearDown() override
	{
		if (d != nullptr)
			shut(d);
		unlink(path.c_str());
		EXPECT_EQ(0, rmdir(dir.c_str())) << "something was left in " << dir;
		DriveRig::TearDown();
	}

	int
	try_open(strake_drive **out, keys k, std::string *why = nullptr)
	{
		char err[256] = "";
		std::vector<const char *> pairs;
		int ret = -EINVAL;

		k.emplace("path", path);
		for (auto &[name, value] : k) {
			pairs.push_back(name.c_str());
			pairs.push_back(value.c_str());
		}
		pairs.push_back(nullptr);
		conf_values *v = conf_values_make(strake_drive_find("uring")->keys, pairs.data(), err, sizeof(err));
		if (v != nullptr) {
			ret = strake_drive_open(out, "u0", "uring", v, err, sizeof(err));
			conf_values_free(v);
		}
		if (why != nullptr)
			*why = err;
		return ret;
	}

	void
	open(keys k = {{"size", "4MiB"}})
	{
		std::string why;

		ASSERT_EQ(0, try_open(&d, k, &why)) << why;
		ASSERT_EQ(0, strake_drive_lcore_init(d));
	}

	static void
	shut(strake_drive *&drive)
	{
		strake_drive_lcore_fini(drive);
		strake_drive_close(drive);
		drive = nullptr;
	}

	uint64_t
	gathered()
	{
		return d->stats[0]->bytes_gathered;
	}

	bytes
	file(uint64_t off, size_t len)
	{
		std::ifstream in(path, std::ios::binary);
		bytes v(len, 0xee);

		in.seekg((std::streamoff)off);
		in.read((char *)v.data(), (std::streamsize)len);
		return v;
	}
};

TEST_F(UringDrive, MakesItsFileWithRoomReserved)
{
	struct stat st;

	open();
	EXPECT_EQ(4u << 20, d->bytes);
	ASSERT_EQ(0, stat(path.c_str(), &st));
	EXPECT_GE((uint64_t)st.st_blocks * 512, 4u << 20);
	EXPECT_EQ(0u, st.st_mode & 077) << "others may read it";
	EXPECT_TRUE(d->volatile_cache);
	EXPECT_EQ(0, strncmp("file-", d->serial, 5));
	EXPECT_EQ(STRAKE_BUF_PAGE_MAX, d->max_io);
}

TEST_F(UringDrive, ReadsWhatWasWrittenAlsoAfterReopening)
{
	bytes in = pattern(STRAKE_BUF_PAGE_MAX, 1), out;

	open();
	EXPECT_EQ(0, write(d, 65536, in));
	EXPECT_EQ(0, read(d, 65536, STRAKE_BUF_PAGE_MAX, out));
	EXPECT_EQ(in, out);
	EXPECT_EQ(0u, gathered());
	shut(d);
	open({});
	EXPECT_EQ(4u << 20, d->bytes);
	EXPECT_EQ(0, read(d, 65536, STRAKE_BUF_PAGE_MAX, out));
	EXPECT_EQ(in, out);
	shut(d);
	/* Extended, its bytes stay. */
	open({{"size", "8MiB"}});
	EXPECT_EQ(8u << 20, d->bytes);
	EXPECT_EQ(0, read(d, 65536, STRAKE_BUF_PAGE_MAX, out));
	EXPECT_EQ(in, out);
	EXPECT_EQ(0, read(d, 6 << 20, 4096, out));
	EXPECT_EQ(bytes(4096), out);
}

TEST_F(UringDrive, AReadLandsInARegisteredPage)
{
	open();
	rig_io io(STRAKE_IO_READ, 0, 4096);
	EXPECT_EQ(0, run(d, io));
	EXPECT_EQ(STRAKE_BUF_REG_ARENA, io.io.bufs->reg);
	EXPECT_EQ(STRAKE_BUF_STABLE | STRAKE_BUF_WRITABLE, io.io.bufs->flags);
	strake_buf_put_list(io.io.bufs);
}

TEST_F(UringDrive, TakesAlignedListsAsTheyLie)
{
	bytes in = pattern(65536, 1), out;
	strake_buf *list = payload(in, 4096, nullptr);
	rig_io w(STRAKE_IO_WRITE, 8192, 65536, list);

	open();
	EXPECT_TRUE(d->ops->lies_well(d, &w.io));
	EXPECT_EQ(0, run(d, w));
	EXPECT_EQ(0u, gathered());
	strake_buf_put_list(list);
	list = payload(bytes(65536), 8192, nullptr);
	rig_io r(STRAKE_IO_READ, 8192, 65536, list);
	EXPECT_EQ(0, run(d, r));
	EXPECT_EQ(0u, gathered());
	out.resize(65536);
	EXPECT_EQ(0, strake_buf_copy_out(list, 0, out.data(), 65536));
	EXPECT_EQ(in, out);
	strake_buf_put_list(list);
}

TEST_F(UringDrive, GathersWhatTheDriveCannotTake)
{
	bytes in = pattern(20480, 1), out;

	open();
	/* Odd addresses, odd lengths, a window that begins inside: what TCP delivers. */
	strake_buf *list = payload(in, 1448, nullptr, 66);
	rig_io w(STRAKE_IO_WRITE, 4096, 16384, list);
	w.io.buf_off = 100;
	EXPECT_FALSE(d->ops->lies_well(d, &w.io));
	EXPECT_EQ(0, run(d, w));
	EXPECT_EQ(16384u, gathered());
	strake_buf_put_list(list);
	EXPECT_EQ(0, read(d, 4096, 16384, out));
	EXPECT_EQ(0, memcmp(out.data(), &in[100], 16384));
	/* The other way round. */
	list = payload(bytes(17000), 1448, nullptr);
	rig_io r(STRAKE_IO_READ, 4096, 16384, list);
	r.io.buf_off = 100;
	EXPECT_EQ(0, run(d, r));
	EXPECT_EQ(32768u, gathered());
	EXPECT_EQ(0, strake_buf_copy_out(list, 100, out.data(), 16384));
	EXPECT_EQ(0, memcmp(out.data(), &in[100], 16384));
	strake_buf_put_list(list);
}

TEST_F(UringDrive, WithoutDirectIoNothingIsGathered)
{
	bytes in = pattern(16384, 1), out;

	open({{"size", "1MiB"}, {"direct", "false"}, {"registered", "false"}});
	strake_buf *list = payload(in, 1448, nullptr, 66);
	rig_io w(STRAKE_IO_WRITE, 512, 16384, list);
	EXPECT_EQ(0, run(d, w));
	strake_buf_put_list(list);
	EXPECT_EQ(0u, gathered());
	EXPECT_EQ(0, read(d, 512, 16384, out));
	EXPECT_EQ(in, out);
}

TEST_F(UringDrive, FlushAndFuaSucceed)
{
	open();
	EXPECT_EQ(0, simple(d, STRAKE_IO_FLUSH));
	EXPECT_EQ(0, write(d, 0, pattern(4096, 1), STRAKE_IO_FUA));
	EXPECT_EQ(0, simple(d, STRAKE_IO_WRITE_ZEROES, 0, 4096, STRAKE_IO_FUA));
	EXPECT_EQ(bytes(4096), file(0, 4096));
}

TEST_F(UringDrive, ZeroesAndDeallocatesReadAsZeroes)
{
	bytes in = pattern(STRAKE_BUF_PAGE_MAX, 1), out;

	open();
	for (auto op : {STRAKE_IO_WRITE_ZEROES, STRAKE_IO_DEALLOCATE}) {
		EXPECT_EQ(0, write(d, 0, in));
		EXPECT_EQ(0, simple(d, op, 4096, 65536));
		bytes want = in;
		memset(&want[4096], 0, 65536);
		EXPECT_EQ(0, read(d, 0, STRAKE_BUF_PAGE_MAX, out));
		EXPECT_EQ(want, out);
	}
	/* The whole drive at once. */
	EXPECT_EQ(0, simple(d, STRAKE_IO_WRITE_ZEROES, 0, 4 << 20));
	EXPECT_EQ(0, read(d, 0, STRAKE_BUF_PAGE_MAX, out));
	EXPECT_EQ(bytes(STRAKE_BUF_PAGE_MAX), out);
}

/* tmpfs cannot zero a range: the zeroes are written, also more of them than one I/O holds. */
TEST_F(UringDrive, ZeroesAreWrittenWhereTheFileSystemCannot)
{
	std::string shm = "/dev/shm/strake_uring_" + std::to_string(getpid());
	bytes in = pattern(STRAKE_BUF_PAGE_MAX, 1), out;
	uint32_t len = 5 * STRAKE_BUF_PAGE_MAX / 2;

	if (access("/dev/shm", W_OK) != 0)
		GTEST_SKIP() << "no tmpfs here";
	open({{"path", shm}, {"size", "1MiB"}, {"direct", "false"}});
	unlink(shm.c_str());
	for (uint64_t off = 0; off < 1 << 20; off += STRAKE_BUF_PAGE_MAX)
		EXPECT_EQ(0, write(d, off, in));
	EXPECT_EQ(0, simple(d, STRAKE_IO_WRITE_ZEROES, 4096, len, STRAKE_IO_FUA));
	EXPECT_EQ(len, ((const uring_drive *)d->priv)->zeroes_written);
	EXPECT_EQ(0, read(d, 0, 4096, out));
	EXPECT_EQ(0, memcmp(out.data(), in.data(), 4096));
	for (uint32_t off = 4096; off < 4096 + len; off += 4096) {
		EXPECT_EQ(0, read(d, off, 4096, out));
		EXPECT_EQ(bytes(4096), out);
	}
	EXPECT_EQ(0, read(d, 4096 + len, 4096, out));
	EXPECT_EQ(0, memcmp(out.data(), &in[(4096 + len) % STRAKE_BUF_PAGE_MAX], 4096));
}

/* A group takes a drive that fails a write out of service: a lack of pages must not look like that. */
TEST_F(UringDrive, ZeroesAreWrittenWithoutAPageLeft)
{
	std::string shm = "/dev/shm/strake_uring_" + std::to_string(getpid());
	std::vector<strake_buf *> all;

	if (access("/dev/shm", W_OK) != 0)
		GTEST_SKIP() << "no tmpfs here";
	open({{"path", shm}, {"size", "1MiB"}, {"direct", "false"}});
	unlink(shm.c_str());
	for (strake_buf *b; (b = strake_buf_page(4096)) != nullptr;)
		all.push_back(b);
	EXPECT_EQ(0, simple(d, STRAKE_IO_WRITE_ZEROES, 4096, 8192));
	for (strake_buf *b : all)
		strake_buf_put(b);
}

TEST_F(UringDrive, OutOfBoundsIsRefused)
{
	bytes out;

	open({{"size", "1MiB"}, {"block_size", "4096"}});
	EXPECT_EQ(-ERANGE, read(d, 1 << 20, 4096, out));
	EXPECT_EQ(-ERANGE, read(d, 512, 4096, out));
	EXPECT_EQ(-ERANGE, read(d, 0, 512, out));
	EXPECT_EQ(-ERANGE, read(d, 0, STRAKE_BUF_PAGE_MAX * 2, out));
	EXPECT_EQ(-ERANGE, simple(d, STRAKE_IO_WRITE_ZEROES, 4096, 1 << 20));
	strake_buf *b = payload(pattern(4096, 1), 0, nullptr);
	rig_io io(STRAKE_IO_WRITE, 0, 8192, b);
	EXPECT_EQ(-ERANGE, run(d, io));
	strake_buf_put(b);
}

TEST_F(UringDrive, AFileCutShortIsAMediaErrorNotAHang)
{
	bytes out;

	open();
	ASSERT_EQ(0, truncate(path.c_str(), 1 << 20));
	EXPECT_EQ(-EIO, read(d, 2 << 20, 4096, out));
	/* Half of it is there: the rest is asked for, and is not. */
	EXPECT_EQ(-EIO, read(d, (1 << 20) - 4096, 8192, out));
	EXPECT_EQ(0, read(d, 0, 4096, out));
}

TEST_F(UringDrive, MoreThanTheRingHoldsIsKeptAndDone)
{
	std::vector<std::unique_ptr<rig_io>> ios;
	std::vector<strake_io *> ptrs;

	open();
	for (int i = 0; i < 3000; i++) {
		ios.push_back(std::make_unique<rig_io>(STRAKE_IO_READ, i % 1024 * 4096, 4096));
		ptrs.push_back(&ios.back()->io);
	}
	for (size_t i = 0; i < ptrs.size(); i += 1000)
		strake_drive_submit(d, &ptrs[i], 1000);
	EXPECT_GT(d->stats[0]->full, 0u);
	for (auto &io : ios) {
		EXPECT_EQ(0, wait(*io));
		strake_buf_put_list(io->io.bufs);
	}
}

/* The arena holds fewer pages than reads were asked for: they wait for pages instead of failing. */
TEST_F(UringDrive, ReadsWaitForPages)
{
	std::vector<strake_buf *> hog;
	std::vector<std::unique_ptr<rig_io>> ios;

	open();
	for (strake_buf *b; (b = strake_buf_page(4096)) != nullptr;)
		hog.push_back(b);
	for (int i = 0; i < 8; i++) {
		ios.push_back(std::make_unique<rig_io>(STRAKE_IO_READ, i * 4096, 4096));
		submit(d, *ios.back());
	}
	for (int i = 0; i < 100; i++)
		turn();
	EXPECT_EQ(0, ios[0]->done);
	for (auto *b : hog)
		strake_buf_put(b);
	for (auto &io : ios) {
		EXPECT_EQ(0, wait(*io));
		strake_buf_put_list(io->io.bufs);
	}
}

TEST_F(UringDrive, TwoDrivesShareTheRing)
{
	strake_drive *d2 = nullptr;
	std::string second = dir + "/disk2";
	bytes a = pattern(4096, 1), b = pattern(4096, 2), out;

	open();
	ASSERT_EQ(0, try_open(&d2, {{"path", second}, {"size", "1MiB"}}));
	ASSERT_EQ(0, strake_drive_lcore_init(d2));
	EXPECT_EQ(d->lc[0], d2->lc[0]);
	EXPECT_EQ(0, write(d, 0, a));
	EXPECT_EQ(0, write(d2, 0, b));
	EXPECT_EQ(a, file(0, 4096));
	EXPECT_EQ(0, read(d2, 0, 4096, out));
	EXPECT_EQ(b, out);
	shut(d);
	EXPECT_EQ(0, read(d2, 0, 4096, out));
	EXPECT_EQ(b, out);
	shut(d2);
	unlink(second.c_str());
}

TEST_F(UringDrive, OneDriveOneOwner)
{
	strake_drive *again = nullptr;
	std::string why;

	open();
	EXPECT_EQ(-EBUSY, try_open(&again, {}, &why));
	EXPECT_EQ("drive u0: " + path + ": another drive or another appliance has it open", why);
	shut(d);
	ASSERT_EQ(0, try_open(&again, {}, &why)) << why;
	strake_drive_close(again);
}

TEST_F(UringDrive, SaysWhatIsWrongInOneLine)
{
	strake_drive *none = nullptr;
	std::string why;

	EXPECT_EQ(-ENOENT, try_open(&none, {}, &why));
	EXPECT_EQ("drive u0: " + path + ": does not exist; give `size:` to create it", why);
	EXPECT_EQ(-EINVAL, try_open(&none, {{"path", dir}}, &why));
	EXPECT_NE(std::string::npos, why.find("neither a file nor a block device")) << why;
	EXPECT_EQ(-ENOENT, try_open(&none, {{"path", dir + "/none/x"}, {"size", "1MiB"}}, &why));
	EXPECT_EQ(-EINVAL, try_open(&none, {{"path", "/dev/null"}}, &why));
	EXPECT_EQ(-ENOENT, try_open(&none, {{"path", "/dev/strake-test"}, {"size", "1MiB"}}, &why));
	EXPECT_NE(std::string::npos, why.find("/dev/strake-test: there is no such device")) << why;
	EXPECT_NE(0, access("/dev/strake-test", F_OK));
	EXPECT_EQ(-EINVAL, try_open(&none, {{"size", "1MiB"}, {"block_size", "1024"}}, &why));
	EXPECT_NE(std::string::npos, why.find("expected 512 or 4096")) << why;
	std::ofstream(path).close();
	EXPECT_EQ(-EINVAL, try_open(&none, {}, &why));
	EXPECT_NE(std::string::npos, why.find("is empty; give `size:`")) << why;
	EXPECT_EQ(nullptr, strake_drive_nth(0));
}

TEST_F(UringDrive, AFullDiskIsFoundAtOpenAndNothingIsLeft)
{
	strake_drive *none = nullptr;
	std::string why;

	/* More than any file system here holds. */
	int ret = try_open(&none, {{"size", "15TiB"}}, &why);
	EXPECT_TRUE(ret == -ENOSPC || ret == -EFBIG) << why;
	EXPECT_NE(std::string::npos, why.find(path)) << why;
	EXPECT_NE(0, access(path.c_str(), F_OK));
	/* A file that was there keeps its size. */
	open({{"size", "1MiB"}});
	shut(d);
	EXPECT_GT(0, try_open(&none, {{"size", "15TiB"}}, &why));
	struct stat st;
	ASSERT_EQ(0, stat(path.c_str(), &st));
	EXPECT_EQ(1 << 20, st.st_size);
}

TEST_F(UringDrive, TheFileSizeLimitIsAnErrorNotASignal)
{
	rlimit was, low;
	strake_drive *none = nullptr;
	std::string why;

	getrlimit(RLIMIT_FSIZE, &was);
	low = was;
	low.rlim_cur = 1 << 20;
	setrlimit(RLIMIT_FSIZE, &low);
	EXPECT_EQ(-EFBIG, try_open(&none, {{"size", "2MiB"}}, &why));
	setrlimit(RLIMIT_FSIZE, &was);
	EXPECT_NE(std::string::npos, why.find("ulimit -f")) << why;
}

TEST_F(UringDrive, IsAtMostOneSystemCallATurn)
{
	std::vector<std::unique_ptr<rig_io>> ios;
	size_t done = 0, turns = 0;

	open();
	auto *ring = (const uring_ring *)d->lc[0];
	uint64_t enters = ring->q.enters;
	for (int i = 0; i < 20; i++)
		turn();
	EXPECT_EQ(enters, ring->q.enters) << "nothing to do, and yet a call";
	for (int i = 0; i < 300; i++) {
		ios.push_back(std::make_unique<rig_io>(STRAKE_IO_READ, i * 4096, 4096));
		ios.back()->then = [&](rig_io *) { done++; };
		submit(d, *ios.back());
	}
	turn();
	EXPECT_EQ(enters + 1, ring->q.enters) << "300 I/Os, one call";
	for (turns = 1; done < 300; turns++)
		turn();
	EXPECT_LE(ring->q.enters - enters, turns);
	for (auto &io : ios)
		strake_buf_put_list(io->io.bufs);
}

/* Whatever completes together is answered over several turns, so that new work comes to the device in between. */
TEST_F(UringDrive, ATurnAnswersAFewCompletions)
{
	std::vector<std::unique_ptr<rig_io>> ios;
	size_t done = 0;

	open();
	for (int i = 0; i < 200; i++) {
		ios.push_back(std::make_unique<rig_io>(STRAKE_IO_READ, i * 4096, 4096));
		ios.back()->then = [&](rig_io *) { done++; };
		submit(d, *ios.back());
	}
	while (done < 200) {
		size_t before = done;

		turn();
		ASSERT_LE(done - before, 2 * ((200 - before) / 16 + 1)) << "when it looks, and after its call";
	}
	for (auto &io : ios)
		strake_buf_put_list(io->io.bufs);
}

/* A sleeping lcore is woken by a completion, whatever way the kernel makes completions. */
TEST_F(UringDrive, CompletionsWakeASleeper)
{
	open();
	strake_drive_lcore_fini(d);
	strake_lcore_enter(UINT16_MAX);
	strake_lcore_conf lc = {STRAKE_IDLE_ADAPTIVE, 1, SOCKET_ID_ANY};
	ASSERT_EQ(0, strake_lcore_create(1, &lc));
	std::atomic<int> rounds{0};
	std::thread t([&] {
		strake_lcore_enter(1);
		ASSERT_EQ(0, strake_drive_lcore_init(d));
		/* Each flush goes to the kernel's workers, so that the lcore finds nothing to do and sleeps. */
		rig_io io(STRAKE_IO_FLUSH, 0, 0);
		io.then = [&](rig_io *self) {
			if (++rounds == 200) {
				strake_lcore_stop(1);
				return;
			}
			strake_io *p = &self->io;
			strake_drive_submit(d, &p, 1);
		};
		submit(d, io);
		strake_lcore_run();
		EXPECT_EQ(200, rounds);
		strake_drive_lcore_fini(d);
		strake_lcore_enter(UINT16_MAX);
	});
	t.join();
	/* Asleep for want of a wake-up it would take the loop's longest sleep, 1 s, each time. */
	EXPECT_EQ(200, rounds);
	EXPECT_GT(strake_lcore_at(1)->slept, 0u);
	strake_lcore_destroy(1);
	strake_lcore_enter(0);
	ASSERT_EQ(0, strake_drive_lcore_init(d));
}

/* Workers of the kernel on a CPU that a spinning lcore has for itself: each flush and write ends without waiting for
 * the scheduler to take the CPU away, which is what an involuntary switch would be. */
TEST_F(UringDrive, LeavesItsCpuToTheKernelsWorkers)
{
	rusage before, after;
	unsigned turns = 0;

	open();
	getrusage(RUSAGE_THREAD, &before);
	for (int i = 0; i < 50; i++) {
		rig_io io(STRAKE_IO_FLUSH, 0, 0);
		bool done = false;

		io.then = [&](rig_io *) { done = true; };
		submit(d, io);
		for (uint64_t t = 1; !done; t += 10000, turns++)
			strake_lcore_turn(t);
	}
	getrusage(RUSAGE_THREAD, &after);
	EXPECT_GT(after.ru_nvcsw, before.ru_nvcsw) << "in " << turns << " turns it never waited";
}

class UringModel : public UringDrive, public testing::WithParamInterface<int>
{
};

TEST_P(UringModel, BehavesLikeFlatMemory)
{
	constexpr uint32_t kBytes = 2 << 20;
	std::mt19937_64 rng(GetParam());
	bytes model(kBytes);
	keys k = {{"size", "2MiB"}};

	if (GetParam() % 3 == 0)
		k["direct"] = "false";
	if (GetParam() % 2 == 0)
		k["registered"] = "false";
	open(k);
	/* A batch of operations on disjoint ranges, under way together. */
	for (int round = 0; round < 40; round++) {
		std::vector<std::unique_ptr<rig_io>> ios;
		std::vector<strake_buf *> lists;

		for (uint64_t part = 0; part < 8; part++) {
			uint32_t block = d->block_size, room = kBytes / 8;
			uint32_t len = (1 + rng() % (rng() % 4 == 0 ? STRAKE_BUF_PAGE_MAX / block : 16)) * block;
			uint64_t off = part * room + rng() % ((room - len) / block + 1) * block;
			auto op = (strake_io_op)(rng() % 8 < 3 ? 1 : rng() % 5);

			if (op == STRAKE_IO_WRITE) {
				bytes v = pattern(len, rng());
				strake_buf *l =
					payload(v, rng() % 2 ? 0 : 512 + rng() % 3 * 3584, nullptr, rng() % 2 ? 0 : 10);

				lists.push_back(l);
				memcpy(&model[off], v.data(), len);
				ios.push_back(std::make_unique<rig_io>(op, off, len, l, rng() % 4 ? 0 : STRAKE_IO_FUA));
			} else if (op == STRAKE_IO_FLUSH) {
				ios.push_back(std::make_unique<rig_io>(op, 0, 0));
			} else {
				if (op != STRAKE_IO_READ)
					memset(&model[off], 0, len);
				ios.push_back(std::make_unique<rig_io>(op, off, len));
			}
			submit(d, *ios.back());
		}
		for (auto &io : ios) {
			ASSERT_EQ(0, wait(*io)) << "op " << (int)io->io.op;
			if (io->io.op != STRAKE_IO_READ)
				continue;
			bytes out(io->io.len);
			ASSERT_EQ(0, strake_buf_copy_out(io->io.bufs, 0, out.data(), io->io.len));
			ASSERT_EQ(0, memcmp(out.data(), &model[io->io.off], io->io.len));
			strake_buf_put_list(io->io.bufs);
		}
		for (auto *l : lists)
			strake_buf_put_list(l);
		ASSERT_EQ(0u, ((const uring_ring *)d->lc[0])->helped) << "rests though nothing is under way";
	}
	shut(d);
	EXPECT_EQ(model, file(0, kBytes));
}

INSTANTIATE_TEST_SUITE_P(Seeds, UringModel, testing::Range(0, 6));

} // namespace
