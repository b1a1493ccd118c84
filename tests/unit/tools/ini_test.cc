/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The association and the work over it, against a fake target on loopback. */

#include <cerrno>
#include <cstring>
#include <memory>
#include <random>

#include <gtest/gtest.h>

extern "C" {
#include "bench.h"
#include "ini.h"
#include "pattern.h"
#include "ticks.h"
#include "xfer.h"
}
#include "fake_target.h"

namespace
{

const char kNqn[] = "nqn.2026-01.test:a";

struct Deleter {
	void
	operator()(ini *i) const
	{
		ini_close(i);
	}
};
using Ini = std::unique_ptr<ini, Deleter>;

ini_conf
conf_for(const FakeTarget &t)
{
	ini_conf c{};

	c.addr = "127.0.0.1";
	c.port = t.port();
	c.nqn = kNqn;
	c.queues = 1;
	c.depth = 16;
	c.timeout = 3000000000ull;
	c.kato = 30000;
	return c;
}

Ini
open_ok(const ini_conf &c)
{
	char err[INI_ERR_MAX] = "";
	ini *i = nullptr;

	EXPECT_EQ(0, ini_open(&i, &c, err)) << err;
	return Ini(i);
}

std::string
open_fails(const ini_conf &c, int want)
{
	char err[INI_ERR_MAX] = "";
	ini *i = nullptr;
	int ret = ini_open(&i, &c, err);

	EXPECT_EQ(want, ret) << err;
	if (ret == 0)
		ini_close(i);
	return err;
}

std::vector<uint8_t>
random_bytes(size_t n)
{
	std::mt19937_64 rng(n);
	std::vector<uint8_t> v(n);

	for (auto &b : v)
		b = (uint8_t)rng();
	return v;
}

struct Move {
	std::vector<uint8_t> *bytes;
	uint64_t offset;
};

int
take(xfer *x, void *buf, uint64_t at, uint32_t len)
{
	auto *m = (Move *)x->arg;

	memcpy(buf, m->bytes->data() + (at - m->offset), len);
	return 0;
}

int
give(xfer *x, void *buf, uint64_t at, uint32_t len)
{
	auto *m = (Move *)x->arg;

	memcpy(m->bytes->data() + (at - m->offset), buf, len);
	return 0;
}

/* Write @p n bytes at @p offset and read them back. */
void
round_trip(ini *i, FakeTarget *t, uint64_t offset, size_t n, uint32_t bs, uint32_t depth)
{
	std::vector<uint8_t> out = random_bytes(n), back(n);
	Move m{&out, offset};
	ini_ns ns;
	xfer x{};

	ASSERT_EQ(0, ini_find_ns(i, 1, &ns)) << ini_error(i);
	x.ini = i;
	x.ns = &ns;
	x.opc = NVME_IO_WRITE;
	x.offset = offset;
	x.length = n;
	x.bs = bs;
	x.depth = depth;
	x.data = take;
	x.arg = &m;
	ASSERT_EQ(0, xfer_run(&x)) << ini_error(i);
	EXPECT_EQ(0, memcmp(t->disk().data() + offset, out.data(), n));
	m.bytes = &back;
	x.opc = NVME_IO_READ;
	x.data = give;
	ASSERT_EQ(0, xfer_run(&x)) << ini_error(i);
	EXPECT_TRUE(out == back);
	EXPECT_EQ("", t->violation());
}

TEST(Ini, ConnectsIdentifiesAndShutsDownInOrder)
{
	FakeTarget t;
	Ini i = open_ok(conf_for(t));
	ini_ns ns;

	ASSERT_TRUE(i);
	EXPECT_EQ(128u << 10, ini_max_xfer(i.get()));
	EXPECT_EQ(1u, ini_queues(i.get()));
	ASSERT_EQ(0, ini_find_ns(i.get(), 1, &ns));
	EXPECT_EQ(9u, ns.lba_shift);
	EXPECT_EQ((32u << 20) >> 9, ns.nlb);
	EXPECT_EQ(-EREMOTEIO, ini_find_ns(i.get(), 2, &ns));
	i.reset();
	EXPECT_EQ(1, t.shutdowns);
	EXPECT_EQ("", t.violation());
}

struct Shape {
	bool hdgst, ddgst, success;
	uint8_t cpda;
	uint32_t queues, bs, in_capsule;
};

class IniShapes : public testing::TestWithParam<Shape>
{
};

TEST_P(IniShapes, BytesComeBackAsWritten)
{
	const Shape &s = GetParam();
	FakeTargetConf tc;

	tc.cpda = s.cpda;
	tc.success_flag = s.success;
	tc.in_capsule = s.in_capsule;
	FakeTarget t(tc);
	ini_conf c = conf_for(t);
	c.hdgst = s.hdgst;
	c.ddgst = s.ddgst;
	c.queues = s.queues;
	Ini i = open_ok(c);
	ASSERT_TRUE(i);
	round_trip(i.get(), &t, 1 << 20, (3 << 20) + 512, s.bs, 40);
	EXPECT_EQ(s.bs > s.in_capsule, t.r2ts > 0);
	if (s.bs > tc.max_h2c) {
		EXPECT_GT(t.h2c_pdus, t.r2ts);
	}
}

INSTANTIATE_TEST_SUITE_P(
	All, IniShapes,
	testing::Values(Shape{false, false, true, 0, 1, 4096, 4096}, Shape{true, false, false, 0, 1, 4096, 4096},
			Shape{false, true, true, 0, 1, 131072, 4096}, Shape{true, true, false, 0, 4, 131072, 4096},
			Shape{true, true, true, 31, 3, 65536, 8192}, Shape{false, false, true, 31, 2, 512, 512},
			Shape{true, true, true, 3, 2, 8192, 512}));

TEST(Ini, NamesASubsystemThatIsNotThere)
{
	FakeTarget t;
	ini_conf c = conf_for(t);

	c.nqn = "nqn.2026-01.test:b";
	EXPECT_NE(std::string::npos, open_fails(c, -EREMOTEIO).find("subsystem's name"));
}

TEST(Ini, NamesAHostThatIsNotAllowed)
{
	FakeTargetConf tc;

	tc.allowed_host = "nqn.2026-01.test:friend";
	FakeTarget t(tc);
	ini_conf c = conf_for(t);
	EXPECT_NE(std::string::npos, open_fails(c, -EREMOTEIO).find("host is not allowed"));
	c.hostnqn = "nqn.2026-01.test:friend";
	EXPECT_TRUE(open_ok(c));
}

TEST(Ini, SaysHowManyQueuesTheTargetGrants)
{
	FakeTarget t;
	ini_conf c = conf_for(t);

	c.queues = 9;
	EXPECT_NE(std::string::npos, open_fails(c, -EREMOTEIO).find("grants 8 I/O queues, 9"));
}

TEST(Ini, DepthIsWhatTheTargetHas)
{
	FakeTargetConf tc;

	tc.mqes = 31;
	FakeTarget t(tc);
	ini_conf c = conf_for(t);
	c.depth = 1000;
	Ini i = open_ok(c);
	ASSERT_TRUE(i);
	EXPECT_EQ(31u, ini_depth(i.get()));
	EXPECT_EQ("", t.violation());
}

TEST(Ini, RefusesATargetWithoutTheDigestsAskedFor)
{
	FakeTargetConf tc;

	tc.refuse_digests = true;
	FakeTarget t(tc);
	ini_conf c = conf_for(t);
	c.ddgst = true;
	EXPECT_NE(std::string::npos, open_fails(c, -EPROTO).find("digests other than those asked for"));
}

TEST(Ini, GivesUpOnSilence)
{
	FakeTargetConf tc;

	tc.silent = true;
	FakeTarget t(tc);
	ini_conf c = conf_for(t);
	c.timeout = 100000000;
	EXPECT_NE(std::string::npos, open_fails(c, -ETIMEDOUT).find("does not answer as NVMe/TCP"));
}

TEST(Ini, ReportsACloseAtOnce)
{
	FakeTargetConf tc;

	tc.close_at_icreq = true;
	FakeTarget t(tc);
	EXPECT_NE(std::string::npos, open_fails(conf_for(t), -ECONNRESET).find("closed the connection"));
}

TEST(Ini, GivesUpWhenTheControllerIsNeverReady)
{
	FakeTargetConf tc;

	tc.never_ready = true;
	FakeTarget t(tc);
	EXPECT_NE(std::string::npos, open_fails(conf_for(t), -ETIMEDOUT).find("does not become ready"));
}

TEST(Ini, SaysThatNobodyListens)
{
	uint16_t port;
	{
		FakeTarget t;
		port = t.port();
	}
	FakeTarget other;
	ini_conf c = conf_for(other);
	c.port = port;
	EXPECT_NE(std::string::npos, open_fails(c, -ECONNREFUSED).find("Connection refused"));
}

TEST(Ini, TimesOutACommandThatIsNeverAnswered)
{
	FakeTargetConf tc;

	tc.never_answer_io = true;
	FakeTarget t(tc);
	ini_conf c = conf_for(t);
	c.timeout = 200000000;
	Ini i = open_ok(c);
	ASSERT_TRUE(i);
	qp_io io{};
	uint8_t buf[512];
	io.cmd.opc = NVME_IO_READ;
	io.cmd.nsid = 1;
	io.buf = buf;
	io.len = sizeof(buf);
	io.dir = QP_IN;
	EXPECT_EQ(-ETIMEDOUT, ini_exec(i.get(), ini_queue(i.get(), 0), &io));
	EXPECT_NE(nullptr, strstr(ini_error(i.get()), "did not answer in time"));
}

TEST(Ini, SaysWhatAStatusMeans)
{
	FakeTargetConf tc;

	tc.fail_io_status = NVME_SC_CAPACITY;
	FakeTarget t(tc);
	Ini i = open_ok(conf_for(t));
	ASSERT_TRUE(i);
	qp_io io{};
	io.cmd.opc = NVME_IO_FLUSH;
	io.cmd.nsid = 1;
	EXPECT_EQ(-EREMOTEIO, ini_exec(i.get(), ini_queue(i.get(), 0), &io));
	EXPECT_STREQ("Flush failed: capacity exceeded (status 0x081)", ini_error(i.get()));
}

TEST(Ini, KeepsAliveAThirdOfTheTimeApart)
{
	FakeTarget t;
	Ini i = open_ok(conf_for(t));
	uint64_t now = ticks_now();

	ASSERT_TRUE(i);
	EXPECT_EQ(30000u, t.connect_kato);
	/* Fifty virtual seconds in steps of a tenth: five signs of life. Answers are real, so wait for each. */
	for (int step = 0; step < 500; step++) {
		now += ticks_from_ns(101000000);
		ASSERT_EQ(0, ini_tick(i.get(), now));
		for (int w = 0; w < 2000 && qp_inflight(ini_admin(i.get())) > 0; w++) {
			qp_poll(ini_admin(i.get()), now);
			qp_wait(ini_admin(i.get()), 1);
		}
	}
	EXPECT_GE(t.keep_alives, 5);
	EXPECT_LE(t.keep_alives, 6);
}

TEST(Ini, DiscoversAllSubsystems)
{
	FakeTargetConf tc;

	tc.subsystems = {"nqn.a", "nqn.b", "nqn.c"};
	FakeTarget t(tc);
	ini_conf c = conf_for(t);
	nvme_discovery_entry *e = nullptr;
	uint64_t n = 0;

	c.nqn = NVME_DISCOVERY_NQN;
	Ini i = open_ok(c);
	ASSERT_TRUE(i);
	ASSERT_EQ(0, ini_discover(i.get(), &e, &n)) << ini_error(i.get());
	ASSERT_EQ(3u, n);
	EXPECT_STREQ("nqn.c", e[2].subnqn);
	free(e);
}

TEST(Xfer, EndsAndReportsWhenTheTargetGoesAway)
{
	FakeTargetConf tc;

	tc.close_after_io = 20;
	FakeTarget t(tc);
	Ini i = open_ok(conf_for(t));
	std::vector<uint8_t> out(4 << 20);
	Move m{&out, 0};
	ini_ns ns;
	xfer x{};

	ASSERT_TRUE(i);
	ASSERT_EQ(0, ini_find_ns(i.get(), 1, &ns));
	x.ini = i.get();
	x.ns = &ns;
	x.opc = NVME_IO_WRITE;
	x.length = out.size();
	x.bs = 65536;
	x.depth = 16;
	x.data = take;
	x.arg = &m;
	EXPECT_LT(xfer_run(&x), 0);
	EXPECT_STRNE("", ini_error(i.get()));
	EXPECT_LT(x.moved, x.length);
}

TEST(Xfer, ReportsWrongDataDigest)
{
	FakeTargetConf tc;

	tc.bad_ddgst = true;
	FakeTarget t(tc);
	ini_conf c = conf_for(t);
	c.ddgst = true;
	Ini i = open_ok(c);
	std::vector<uint8_t> in(1 << 20);
	Move m{&in, 0};
	ini_ns ns;
	xfer x{};

	ASSERT_TRUE(i);
	ASSERT_EQ(0, ini_find_ns(i.get(), 1, &ns));
	x.ini = i.get();
	x.ns = &ns;
	x.opc = NVME_IO_READ;
	x.length = in.size();
	x.bs = 65536;
	x.depth = 8;
	x.data = give;
	x.arg = &m;
	EXPECT_EQ(-EBADMSG, xfer_run(&x));
	EXPECT_NE(nullptr, strstr(ini_error(i.get()), "wrong digest"));
}

class Bench : public testing::Test
{
      protected:
	void
	run(const FakeTargetConf &tc, bench_pattern pattern, bool verify, uint32_t jobs, uint32_t bs,
	    bool digests = false)
	{
		static const volatile bool never = false;
		target = std::make_unique<FakeTarget>(tc);
		ini_conf ic = conf_for(*target);
		bench_conf c{};
		ini_ns ns;

		ic.queues = jobs;
		ic.hdgst = ic.ddgst = digests;
		Ini i = open_ok(ic);
		ASSERT_TRUE(i);
		ASSERT_EQ(0, ini_find_ns(i.get(), 1, &ns));
		c.ini = i.get();
		c.ns = &ns;
		c.pattern = pattern;
		c.offset = 1 << 20;
		c.size = 4 << 20;
		c.bs = bs;
		c.depth = 16;
		c.jobs = jobs;
		c.rwmix = 50;
		c.time = 150000000;
		c.seed = 7;
		c.verify = verify;
		c.stop = &never;
		ASSERT_EQ(0, bench_run(&c, &r)) << r.text;
		EXPECT_EQ("", target->violation());
	}

	std::unique_ptr<FakeTarget> target;
	bench_result r;
};

TEST_F(Bench, CountsWhatItDoes)
{
	run(FakeTargetConf(), BENCH_RANDRW, false, 2, 4096);
	EXPECT_EQ(0, r.err) << r.text;
	EXPECT_GT(r.read.ios, 0u);
	EXPECT_GT(r.write.ios, 0u);
	EXPECT_EQ(r.read.ios * 4096, r.read.bytes);
	EXPECT_EQ(r.read.ios, r.read.lat.count);
	EXPECT_GE(hist_quantile(&r.read.lat, 0.99), hist_quantile(&r.read.lat, 0.5));
	/* Nothing outside its range. */
	for (size_t at = 0; at < 1 << 20; at++)
		ASSERT_EQ(0, target->disk()[at]);
}

TEST_F(Bench, VerifiesWithoutComplaintAcrossPatternsAndDigests)
{
	for (auto p : {BENCH_READ, BENCH_RANDREAD, BENCH_RANDRW}) {
		run(FakeTargetConf(), p, true, 2, p == BENCH_READ ? 65536 : 4096, p == BENCH_RANDRW);
		EXPECT_EQ(0u, r.mismatches) << r.text;
		EXPECT_GT(r.checked, 0u);
	}
}

TEST_F(Bench, FindsAFlippedByte)
{
	FakeTargetConf tc;

	tc.corrupt_read = 50;
	run(tc, BENCH_RANDREAD, true, 1, 4096);
	EXPECT_EQ(1u, r.mismatches);
	EXPECT_NE(nullptr, strstr(r.text, "wrong bytes at volume offset"));
}

TEST_F(Bench, FindsALostWrite)
{
	FakeTargetConf tc;

	tc.lose_write = 40; /* of the filling: each unit is written once, and read later */
	run(tc, BENCH_READ, true, 1, 4096);
	EXPECT_GE(r.mismatches, 1u);
}

TEST_F(Bench, ReportsFailedCommandsAndLostConnections)
{
	FakeTargetConf tc;

	tc.fail_io_status = NVME_SC_READ_ERROR;
	run(tc, BENCH_RANDREAD, false, 1, 4096);
	EXPECT_GT(r.read.errors, 0u);
	EXPECT_NE(nullptr, strstr(r.text, "unrecovered read error"));
	tc = FakeTargetConf();
	tc.close_after_io = 1000;
	run(tc, BENCH_RANDREAD, false, 2, 4096);
	EXPECT_LT(r.err, 0);
	EXPECT_STRNE("", r.text);
}

} // namespace
