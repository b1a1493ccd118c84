/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* strakectl's parts against a telemetry socket and a control socket that the test serves. */

#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

extern "C" {
#include "cli.h"
#include "confirm.h"
#include "link.h"
#include "render.h"
#include "usage.h"
#include "top.h"
}

namespace
{

/* One client at a time; each message is answered by what the function returns, "" closes. */
class FakeSocket
{
      public:
	FakeSocket(int type, const std::string &hello, std::function<std::string(std::string)> answer)
	    : path_("/tmp/strake-ctl-test-" + std::to_string(getpid()) + ".sock")
	{
		sockaddr_un a{};

		a.sun_family = AF_UNIX;
		strcpy(a.sun_path, path_.c_str());
		unlink(path_.c_str());
		fd_ = socket(AF_UNIX, type, 0);
		if (bind(fd_, (sockaddr *)&a, sizeof(a)) < 0 || listen(fd_, 4) < 0)
			abort();
		thread_ = std::thread([this, hello, answer] {
			int c;

			while ((c = accept(fd_, nullptr, nullptr)) >= 0) {
				char buf[4096];
				ssize_t n;

				if (!hello.empty())
					send(c, hello.data(), hello.size(), MSG_NOSIGNAL);
				while ((n = recv(c, buf, sizeof(buf), 0)) > 0) {
					std::string out = answer(std::string(buf, (size_t)n));

					if (out.empty())
						break;
					send(c, out.data(), out.size(), MSG_NOSIGNAL);
				}
				close(c);
			}
		});
	}

	~FakeSocket()
	{
		shutdown(fd_, SHUT_RDWR);
		thread_.join();
		close(fd_);
		unlink(path_.c_str());
	}

	const char *
	path() const
	{
		return path_.c_str();
	}

      private:
	std::string path_;
	int fd_;
	std::thread thread_;
};

const char kHello[] = "{\"version\": \"DPDK 22.11.11\", \"pid\": 1, \"max_output_len\": 16384}";

std::string
wrap(const std::string &query, const std::string &value)
{
	return "{\"" + query.substr(0, query.find(',')) + "\":" + value + "}";
}

std::string
rendered(const char *json, int width = 0)
{
	json_t *v = json_loads(json, JSON_DECODE_ANY, nullptr);
	char *text = nullptr;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	EXPECT_NE(nullptr, v);
	render(v, f, width);
	fclose(f);
	std::string s(text, len);
	free(text);
	json_decref(v);
	return s;
}

TEST(CtlLink, AsksAndUnwraps)
{
	FakeSocket s(SOCK_SEQPACKET, kHello, [](std::string q) { return wrap(q, "{\"name\": \"a\"}"); });
	char err[LINK_ERR_MAX] = "";
	tel *t = nullptr;
	json_t *v = nullptr;

	ASSERT_EQ(0, tel_open(&t, s.path(), err)) << err;
	ASSERT_EQ(0, tel_ask(t, "/strake/status", &v, err)) << err;
	EXPECT_STREQ("a", json_string_value(json_object_get(v, "name")));
	json_decref(v);
	tel_close(t);
}

TEST(CtlLink, FetchesAllPagesOfALongList)
{
	/* 1,100 names, 512 a page. */
	FakeSocket s(SOCK_SEQPACKET, kHello, [](std::string q) {
		unsigned int first = 0, count = 512;
		std::string list = "[";

		sscanf(q.c_str(), "%*[^,],%u,%u", &first, &count);
		for (unsigned int i = first; i < 1100 && i < first + count; i++)
			list += (i == first ? "\"" : ",\"") + std::to_string(i) + "\"";
		return wrap(q, list + "]");
	});
	char err[LINK_ERR_MAX] = "";
	tel *t = nullptr;
	json_t *v = nullptr;

	ASSERT_EQ(0, tel_open(&t, s.path(), err));
	ASSERT_EQ(0, tel_ask_list(t, "/strake/volume/list", &v, err)) << err;
	ASSERT_EQ(1100u, json_array_size(v));
	EXPECT_STREQ("1099", json_string_value(json_array_get(v, 1099)));
	json_decref(v);
	tel_close(t);
}

TEST(CtlLink, AsksForTheFiguresOfEachAndSkipsWhatVanished)
{
	FakeSocket s(SOCK_SEQPACKET, kHello, [](std::string q) {
		if (q == "/strake/drive/list")
			return wrap(q, "[\"a\", \"gone\", \"b\"]");
		if (q == "/strake/drive/info,gone")
			return wrap(q, "null");
		return wrap(q, "{\"inflight\": 1}");
	});
	char err[LINK_ERR_MAX] = "";
	tel *t = nullptr;
	json_t *v = nullptr;

	ASSERT_EQ(0, tel_open(&t, s.path(), err));
	ASSERT_EQ(0, tel_ask_all(t, "drive", &v, err)) << err;
	ASSERT_EQ(2u, json_array_size(v));
	/* An answer without a name gets the one it was asked by, in front. */
	EXPECT_STREQ("name", json_object_iter_key(json_object_iter(json_array_get(v, 1))));
	EXPECT_STREQ("b", json_string_value(json_object_get(json_array_get(v, 1), "name")));
	json_decref(v);
	tel_close(t);
}

TEST(CtlLink, SaysWhatIsWrong)
{
	char err[LINK_ERR_MAX] = "";
	tel *t = nullptr;
	json_t *v = nullptr;

	EXPECT_EQ(-ENOENT, tel_open(&t, "/tmp/strake-no-such.sock", err));
	EXPECT_NE(nullptr, strstr(err, "is it running"));
	EXPECT_EQ(-ENAMETOOLONG, tel_open(&t, std::string(200, 'x').c_str(), err));
	{
		FakeSocket s(SOCK_SEQPACKET, "hello", [](std::string) { return ""; });
		EXPECT_EQ(-EPROTO, tel_open(&t, s.path(), err));
	}
	{
		FakeSocket s(SOCK_SEQPACKET, kHello, [](std::string) { return "not json"; });
		ASSERT_EQ(0, tel_open(&t, s.path(), err));
		EXPECT_EQ(-EPROTO, tel_ask(t, "/x", &v, err));
		tel_close(t);
	}
	{
		FakeSocket s(SOCK_SEQPACKET, kHello, [](std::string) { return ""; });
		ASSERT_EQ(0, tel_open(&t, s.path(), err));
		EXPECT_EQ(-ECONNRESET, tel_ask(t, "/x", &v, err));
		tel_close(t);
	}
}

TEST(CtlControl, SendsALineAndTakesALine)
{
	std::string got;
	FakeSocket s(SOCK_STREAM, "", [&got](std::string q) {
		got = q;
		return "{\"ok\": false, \"error\": \"no drive \\\"x\\\"\"}\n";
	});
	char err[LINK_ERR_MAX] = "";
	json_t *v = nullptr;

	ASSERT_EQ(0, control_ask(s.path(), "drive fail name=x", &v, err)) << err;
	EXPECT_EQ("drive fail name=x\n", got);
	EXPECT_TRUE(json_is_false(json_object_get(v, "ok")));
	json_decref(v);
}

TEST(CtlControl, RefusesHalfAnAnswer)
{
	FakeSocket closes(SOCK_STREAM, "", [](std::string) { return ""; });
	char err[LINK_ERR_MAX] = "";
	json_t *v = nullptr;

	EXPECT_EQ(-ECONNRESET, control_ask(closes.path(), "stop", &v, err));
	EXPECT_NE(nullptr, strstr(err, "without an answer"));
}

TEST(CtlRender, ADictionaryIsTwoColumnsWithUnits)
{
	EXPECT_EQ("name        vol1\n"
		  "read bytes  4.00 KiB\n"
		  "wait ns     1.50 us\n"
		  "ops         1234\n"
		  "latency     2.00 K ops, p50 9.00 us, p99 20.0 us, p99.9 1.00 ms, max 2.00 ms\n",
		  rendered("{\"name\": \"vol1\", \"read_bytes\": 4096, \"wait_ns\": 1500, \"ops\": 1234, \"latency\": "
			   "{\"count\": 2000, \"p50\": 9000, \"p99\": 20000, \"p999\": 1000000, \"max\": 2000000}}"));
}

TEST(CtlRender, AListOfDictionariesIsATable)
{
	EXPECT_EQ(
		"name     bytes  state\n"
		"a     1.00 KiB  ok\n"
		"long     512 B  -\n",
		rendered("[{\"name\": \"a\", \"bytes\": 1024, \"state\": \"ok\", \"latency\": {\"count\": 1, \"p99\": "
			 "2}}, {\"name\": \"long\", \"bytes\": 512}]"));
}

TEST(CtlRender, ATableIsCutToTheScreenAndSaysSo)
{
	std::string s = rendered("[{\"name\": \"a\", \"second\": 1, \"third\": 2}]", 14);

	EXPECT_EQ("name  second\na          1\n(1 more columns: make the terminal wider, or 'show' one)\n", s);
}

TEST(CtlRender, ADictionaryOfDictionariesIsATable)
{
	EXPECT_EQ("   role\n0  main\n1  data\n",
		  rendered("{\"0\": {\"role\": \"main\"}, \"1\": {\"role\": \"data\"}}"));
}

TEST(CtlRender, SectionsFollowTheirParent)
{
	EXPECT_EQ("state  ok\n\nmembers\nname\na\n", rendered("{\"state\": \"ok\", \"members\": [{\"name\": \"a\"}]}"));
}

TEST(CtlRender, NothingRawReachesTheTerminal)
{
	EXPECT_EQ("name  ?[2Jx\n", rendered("{\"name\": \"\\u001b[2Jx\"}"));
}

TEST(CtlRender, EmptyThings)
{
	EXPECT_EQ("(none)\n", rendered("[]"));
	EXPECT_EQ("-\n", rendered("null"));
	EXPECT_EQ("", rendered("{}"));
	EXPECT_EQ("a\nb\n", rendered("[\"a\", \"b\"]"));
}

TEST(CtlTop, QuantilesAreOfTheIntervalOnly)
{
	json_t *a = json_loads("{\"max\": 5000, \"buckets\": {\"8\": 1000, \"4096\": 10}}", 0, nullptr);
	json_t *b = json_loads("{\"max\": 5000, \"buckets\": {\"8\": 1000, \"1024\": 98, \"4096\": 12}}", 0, nullptr);

	EXPECT_EQ(1279, top_quantile(a, b, 0.5));  /* four buckets to an octave: 1024 to 1279 */
	EXPECT_EQ(5000, top_quantile(a, b, 0.99)); /* no more than the maximum */
	EXPECT_EQ(0, top_quantile(b, b, 0.5));
	EXPECT_EQ(9, top_quantile(nullptr, a, 0.5));
	json_decref(a);
	json_decref(b);
}

TEST(CtlTop, ShowsRatesBetweenTwoLooks)
{
	const char *shape = "{\"status\": {\"name\": \"box\", \"uptime_s\": 3661, \"inflight\": 5},"
			    "\"volume\": [{\"name\": \"vol1\", \"read_ops\": %d, \"read_bytes\": %d}],"
			    "\"drive\": [{\"name\": \"d0\", \"failed\": 1}],"
			    "\"stage\": [{\"name\": \"crypto\", \"down\": %d, \"cycles\": %d}],"
			    "\"lcore\": {\"1\": {\"role\": \"data\", \"busy_cycles\": %d, \"idle_cycles\": %d}}}";
	char one[1024], two[1024];
	char *text = nullptr;
	size_t len = 0;

	snprintf(one, sizeof(one), shape, 100, 1000, 0, 0, 100, 100);
	snprintf(two, sizeof(two), shape, 2100, 1000 + 8192, 10, 2500, 400, 200);
	json_t *a = json_loads(one, 0, nullptr), *b = json_loads(two, 0, nullptr);
	FILE *f = open_memstream(&text, &len);
	ASSERT_NE(nullptr, a);
	top_render(a, b, 2.0, f);
	fclose(f);
	std::string s(text, len);
	EXPECT_NE(std::string::npos, s.find("strake box  up 1:01:01  under way 5")) << s;
	EXPECT_NE(std::string::npos, s.find("1.00 K")) << s;
	EXPECT_NE(std::string::npos, s.find("4.00 KiB/s")) << s;
	EXPECT_NE(std::string::npos, s.find("d0 (failed)")) << s;
	EXPECT_NE(std::string::npos, s.find("250")) << s;
	EXPECT_NE(std::string::npos, s.find("75.0 %")) << s;
	free(text);
	json_decref(a);
	json_decref(b);
}

/* What the operator types, and what he is shown. */
struct Operator {
	explicit Operator(const char *types) : in(fmemopen((void *)types, strlen(types) + 1, "r"))
	{
	}
	~Operator()
	{
		fclose(in);
		fclose(out);
		free(text);
	}
	char *text = nullptr;
	size_t len = 0;
	FILE *in, *out = open_memstream(&text, &len);
};

TEST(Confirm, AsksATerminalAndTakesOnlyAYes)
{
	for (const char *no : {"no\n", "\n", "y\n", "yess\n", "YES\n", "a long answer that is cut, yes\n"}) {
		Operator o(no);

		EXPECT_EQ(CLI_USAGE, confirm(false, "d0 is lost", true, o.in, o.out)) << no;
		EXPECT_STREQ("d0 is lost. Go on? (yes/no) ", o.text);
	}
	Operator yes("yes\n");

	EXPECT_EQ(CLI_OK, confirm(false, "d0 is lost", true, yes.in, yes.out));
}

TEST(Confirm, AProgramMustSayYesBeforehand)
{
	Operator o("yes\n");

	EXPECT_EQ(CLI_USAGE, confirm(false, "d0 is lost", false, o.in, o.out));
	EXPECT_EQ(CLI_OK, confirm(true, "d0 is lost", false, o.in, o.out));
	fflush(o.out);
	EXPECT_STREQ("", o.text) << "nobody is there to read it";
}

} // namespace

TEST(Usage, DrawsNothingOfNothingAndALittleOfALittle)
{
	char *text = nullptr;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	json_t *store = json_pack("{ss sI sI sI}", "name", "g0", "bytes", (json_int_t)(1LL << 40), "free_bytes",
				  (json_int_t)(1LL << 40), "logical_blocks", (json_int_t)1);
	json_t *none = json_pack("{ss}", "name", "none");

	usage_draw(out, none, none, none, 0);
	usage_draw(out, store, none, nullptr, 40);
	fclose(out);
	EXPECT_NE(nullptr, strstr(text, "logical                  4.00 KiB  #........."));
	EXPECT_NE(nullptr, strstr(text, "free                     1.00 TiB  ##########"));
	EXPECT_EQ(nullptr, strstr(text, "FULL"));
	free(text);
	json_object_set_new(store, "full", json_integer(1));
	out = open_memstream(&text, &len);
	usage_draw(out, store, none, nullptr, 200);
	fclose(out);
	EXPECT_NE(nullptr, strstr(text, "FULL"));
	free(text);
	json_decref(store);
	json_decref(none);
}
