/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* strake-io as a user meets it: output, one line of error, exit codes. */

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "fake_target.h"

namespace
{

struct Outcome {
	int code;
	std::string out;
};

Outcome
run(const std::string &args)
{
	FILE *p = popen((std::string(STRAKE_IO) + " " + args + " 2>&1 </dev/null").c_str(), "r");
	char buf[4096];
	Outcome r{};
	size_t n;

	while ((n = fread(buf, 1, sizeof(buf), p)) > 0)
		r.out.append(buf, n);
	int st = pclose(p);
	r.code = WIFEXITED(st) ? WEXITSTATUS(st) : -1;
	return r;
}

class IoCli : public testing::Test
{
      protected:
	std::string
	at(const FakeTarget &t)
	{
		return " --quiet --addr 127.0.0.1 --port " + std::to_string(t.port());
	}

	std::string
	file(const std::string &bytes, const char *name = "f")
	{
		std::string path = "/tmp/strake-io-test-" + std::to_string(getpid()) + name;

		std::ofstream(path, std::ios::binary) << bytes;
		paths_.push_back(path);
		return path;
	}

	std::string
	content(const std::string &path)
	{
		std::ifstream f(path, std::ios::binary);

		return std::string(std::istreambuf_iterator<char>(f), {});
	}

	void
	TearDown() override
	{
		for (auto &p : paths_)
			unlink(p.c_str());
	}

	std::vector<std::string> paths_;
};

TEST_F(IoCli, CopiesInAndOutAnOddSizeAndKeepsWhatLiesBehind)
{
	FakeTarget t;
	std::string bytes(1000003, 0);

	for (size_t i = 0; i < bytes.size(); i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	memset(t.disk().data(), 0x77, t.disk().size());
	std::string f = file(bytes), g = file("old and longer", "g");
	Outcome r = run("copy-in " + f + at(t) + " --offset 64K --hdgst --ddgst --queues 3");
	EXPECT_EQ(0, r.code) << r.out;
	EXPECT_NE(std::string::npos, r.out.find("sha256 "));
	EXPECT_EQ(0, memcmp(t.disk().data() + 65536, bytes.data(), bytes.size()));
	EXPECT_EQ(0x77, t.disk()[65535]);
	EXPECT_EQ(0x77, t.disk()[65536 + bytes.size()]);
	EXPECT_EQ(1, t.flushes);
	r = run("copy-out " + g + at(t) + " --offset 64K --length 1000003");
	EXPECT_EQ(0, r.code) << r.out;
	EXPECT_TRUE(content(g) == bytes);
	EXPECT_EQ(0, run("verify " + f + at(t) + " --offset 64K").code);
	t.disk()[65536 + 500000] ^= 1;
	r = run("verify " + f + at(t) + " --offset 64K");
	EXPECT_EQ(4, r.code);
	EXPECT_NE(std::string::npos, r.out.find("first at byte 565536")) << r.out;
	EXPECT_EQ("", t.violation());
}

TEST_F(IoCli, WritesReadsTrimsZeroesAndVerifies)
{
	FakeTarget t;

	EXPECT_EQ(0, run("write --fill 0xab --offset 4K --length 8K --fua" + at(t)).code);
	EXPECT_EQ(0xab, t.disk()[12287]);
	EXPECT_EQ(0, t.disk()[12288]);
	EXPECT_GT(t.fua, 0);
	EXPECT_EQ(std::string(512, '\xab'), run("read --offset 4K" + at(t)).out);
	EXPECT_EQ(0, run("trim --offset 4K --length 512" + at(t)).code);
	EXPECT_EQ(0, t.disk()[4096]);
	EXPECT_EQ(0xab, t.disk()[4608]);
	EXPECT_EQ(0, run("zero --offset 4608 --length 512" + at(t)).code);
	EXPECT_EQ(0, t.disk()[4608]);
	EXPECT_EQ(0, run("verify --seed 5 --length 1M" + at(t)).code);
	EXPECT_EQ(0, run("verify --seed 5 --length 1M --read-only" + at(t)).code);
	EXPECT_EQ(4, run("verify --seed 6 --length 1M --read-only" + at(t)).code);
	EXPECT_EQ("", t.violation());
}

TEST_F(IoCli, DiscoversAndIdentifiesWithoutRawBytes)
{
	FakeTargetConf c;

	c.subsystems = {"nqn.2026-01.test:a", "nqn.2026-01.test:b"};
	FakeTarget t(c);
	Outcome r = run("discover 127.0.0.1:" + std::to_string(t.port()));
	EXPECT_EQ(0, r.code) << r.out;
	EXPECT_NE(std::string::npos, r.out.find("nqn.2026-01.test:b"));
	r = run("identify" + at(t));
	EXPECT_EQ(2, r.code) << "which of the two?";
	EXPECT_NE(std::string::npos, r.out.find("--nqn"));
	r = run("identify --nqn nqn.2026-01.test:a" + at(t));
	EXPECT_EQ(0, r.code) << r.out;
	EXPECT_NE(std::string::npos, r.out.find("FAKE TARGET"));
	EXPECT_EQ(std::string::npos, r.out.find('\x1b')) << "the target's serial must not reach the terminal raw";
	EXPECT_EQ('{', run("identify --json --nqn nqn.2026-01.test:a" + at(t)).out[0]);
}

TEST_F(IoCli, BenchMeasuresAndPrintsJson)
{
	FakeTarget t;
	Outcome r =
		run("bench --pattern randrw --bs 4K --depth 8 --jobs 2 --time 100ms --warm-up 10ms --verify --size 4M "
		    "--json" +
		    at(t));

	EXPECT_EQ(0, r.code) << r.out;
	EXPECT_NE(std::string::npos, r.out.find("\"p999\""));
	EXPECT_NE(std::string::npos, r.out.find("\"mismatches\": 0"));
}

TEST_F(IoCli, BenchShowsHowManyCommandsTookHowLong)
{
	FakeTarget t;
	std::string args = "bench --depth 4 --time 100ms --warm-up 10ms" + at(t);
	Outcome r = run(args + " --histogram");

	EXPECT_EQ(0, r.code) << r.out;
	EXPECT_NE(std::string::npos, r.out.find("up to  commands")) << r.out;
	EXPECT_NE(std::string::npos, r.out.find("  ####################")) << r.out;
	EXPECT_EQ(std::string::npos, r.out.find("writes")) << "there were none: " << r.out;
	EXPECT_EQ(std::string::npos, run(args).out.find("up to")) << "not asked for";
	/* Of what is measured by a program all is there, and adds up. */
	r = run(args + " --json");
	size_t at = r.out.find("\"histogram\": [", r.out.find("\"read\""));
	ASSERT_NE(std::string::npos, at) << r.out;
	unsigned long long ios = 0, sum = 0, count;
	double upper, last = 0;
	ASSERT_EQ(1, sscanf(r.out.c_str() + r.out.find("\"ios\""), "\"ios\": %llu", &ios));
	for (const char *p = strchr(r.out.c_str() + at, '[') + 1; sscanf(p, " [ %lf , %llu ]", &upper, &count) == 2;) {
		EXPECT_GT(upper, last);
		last = upper;
		sum += count;
		p = strchr(p, ']') + 1;
		p += *p == ',';
	}
	EXPECT_EQ(ios, sum);
	EXPECT_GT(ios, 0u);
}

TEST_F(IoCli, ExitCodesAndOneLineOfError)
{
	FakeTargetConf c;

	c.fail_io_status = NVME_SC_WRITE_FAULT;
	FakeTarget good, bad(c);
	struct {
		std::string args;
		int code;
		const char *text;
	} cases[] = {
		{"", 2, "no command given"},
		{"bnech", 2, "did you mean 'bench'?"},
		{"bench --patern read", 2, "did you mean --pattern?"},
		{"bench --pattern rnadread" + at(good), 2, "did you mean 'randread'?"},
		{"bench --bs 1000" + at(good), 2, "not a multiple"},
		{"bench --bs 1M" + at(good), 2, "more than the target takes"},
		{"bench --jobs 9" + at(good), 1, "grants 8 I/O queues"},
		{"read --offset 100" + at(good), 2, "not a multiple"},
		{"read --offset 32M" + at(good), 2, "past the end"},
		{"read --offset 31M --length 2M" + at(good), 2, "past the end"},
		{"read --ns 2" + at(good), 1, "namespace 2"},
		{"copy-in" + at(good), 2, "needs FILE"},
		{"copy-in /nonexistent" + at(good), 5, "No such file"},
		{"copy-in /tmp" + at(good), 5, "is a directory"},
		{"copy-in /dev/zero" + at(good), 5, "neither a file nor a block device"},
		{"bench --cpus 0-" + at(good), 2, "not a list such as"},
		{"bench --cpus 1-0" + at(good), 2, "not a list such as"},
		{"bench --cpus 0:1" + at(good), 2, "not a list such as"},
		{"bench --cpus ''" + at(good), 2, "not a list such as"},
		{"bench --time 0" + at(good), 2, "at least 1.00 ms"},
		{"flush --keep-alive 1200h" + at(good), 2, "out of range, 0 ns to"},
		{"write --fill 300 --length 512" + at(good), 2, "not a byte"},
		{"write" + at(good), 5, "nothing came"},
		{"flush --nqn nqn.x:y" + at(good), 1, "subsystem's name"},
		{"flush" + at(bad), 1, "Flush failed: write fault"},
		{"flush --addr 127.0.0.1:1 --timeout 1s", 3, "Connection refused"},
		{"flush --addr no.such.host.invalid", 3, "cannot find the address"},
		{"flush --addr 127.0.0.1:70000", 2, "not a port"},
	};

	for (auto &k : cases) {
		Outcome r = run(k.args);

		EXPECT_EQ(k.code, r.code) << k.args << ": " << r.out;
		EXPECT_NE(std::string::npos, r.out.find(k.text)) << k.args << ": " << r.out;
		EXPECT_EQ(1, std::count(r.out.begin(), r.out.end(), '\n')) << r.out;
	}
	EXPECT_EQ(0, run("--help").code);
	EXPECT_EQ(0, run("bench --help").code);
}

TEST_F(IoCli, ACopyThatFailsLeavesNoFileAndOneThatWasThereStays)
{
	FakeTarget t;
	std::string made = file(""), kept = file("abc", "kept");

	unlink(made.c_str());
	for (const std::string &why :
	     {std::string(" --addr 127.0.0.1:1"), at(t) + " --offset 100", at(t) + " --ns 2"}) {
		EXPECT_NE(0, run("copy-out " + made + why).code) << why;
		EXPECT_NE(0, access(made.c_str(), F_OK)) << why;
		EXPECT_NE(0, run("copy-out " + kept + why).code) << why;
		EXPECT_EQ("abc", content(kept)) << why;
	}
	EXPECT_EQ(0, run("copy-out " + made + " --length 4096" + at(t)).code);
	EXPECT_EQ(4096u, content(made).size());
}

TEST_F(IoCli, NobodyAnswersInTime)
{
	FakeTargetConf c;

	c.never_answer_io = true;
	FakeTarget t(c);
	Outcome r = run("flush --timeout 200ms" + at(t));
	EXPECT_EQ(3, r.code);
	EXPECT_NE(std::string::npos, r.out.find("did not answer in time")) << r.out;
}

} // namespace
