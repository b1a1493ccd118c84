/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The kernel's loopback is the peer; turns are run by hand, with virtual time. */

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "drivers/front/sock/stream.h"
#include "sock.h"
}

using Bytes = std::vector<uint8_t>;

/* A user of one stream: keeps what it is told. */
struct User {
	strake_stream *s = nullptr;
	Bytes got;
	int eof = 0, closed = 0, room = 0, connected = 0, err = 1;
	bool keep = false;
	std::vector<strake_buf *> kept;
	std::vector<uint8_t *> where; /* address of each buf as it came */
	uint16_t lcore = 0;	      /* where it was born */
};

static void
on_rx(strake_stream *s, strake_buf *bufs, uint32_t len)
{
	User *u = (User *)s->user;

	EXPECT_EQ(len, strake_buf_list_len(bufs));
	EXPECT_EQ(u->lcore, strake_self_index());
	while (bufs != nullptr) {
		strake_buf *next = bufs->next;

		u->got.insert(u->got.end(), bufs->addr, bufs->addr + bufs->len);
		u->where.push_back(bufs->addr);
		if (u->keep)
			u->kept.push_back(bufs);
		else
			strake_buf_put(bufs);
		bufs = next;
	}
}

static const strake_stream_cb kCb = {
	on_rx,
	[](strake_stream *s) { ((User *)s->user)->room++; },
	[](strake_stream *s) {
		EXPECT_EQ(((User *)s->user)->lcore, strake_self_index());
		((User *)s->user)->eof++;
	},
	[](strake_stream *s) { ((User *)s->user)->connected++; },
	[](strake_stream *s, int err) {
		User *u = (User *)s->user;
		u->closed++;
		u->err = err;
		u->s = nullptr;
	},
};

class Sock : public testing::Test
{
      protected:
	uint64_t now = STRAKE_NS_PER_SEC;
	strake_carrier *carrier = nullptr;
	sockaddr_in addr = {};
	std::vector<User *> users;
	uint16_t lcores = 1;
	const char *congestion = "cubic";
	bool refuse = false;
	struct strake_buf_usage before;

	static int
	Accept(strake_stream *s, void *arg)
	{
		Sock *t = (Sock *)arg;
		if (t->refuse)
			return -ENOBUFS;
		User *u = new User();
		u->s = s;
		u->lcore = strake_self_index();
		s->cb = &kCb;
		s->user = u;
		t->users.push_back(u);
		return 0;
	}
	void
	SetUp() override
	{
		const strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, -1};
		const strake_buf_conf bc = {16384, 16u << 20, -1};

		ASSERT_EQ(0, strake_buf_init(&bc));
		for (uint16_t i = 0; i < lcores; i++)
			ASSERT_EQ(0, strake_lcore_create(i, &lc));
		strake_buf_usage(&before);
		carrier = sock_carrier_create(congestion);
		for (uint16_t i = 0; i < lcores; i++) {
			strake_lcore_enter(i);
			ASSERT_EQ(0, sock_lcore_init(carrier));
		}
		addr.sin_family = AF_INET;
		addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		/* A port nobody has, found by the kernel. */
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		socklen_t len = sizeof(addr);
		ASSERT_EQ(0, bind(fd, (sockaddr *)&addr, len));
		ASSERT_EQ(0, getsockname(fd, (sockaddr *)&addr, &len));
		close(fd);
		ASSERT_EQ(0, carrier->listen(carrier, (sockaddr *)&addr, Accept, this));
		Turn(2);
	}
	void
	TearDown() override
	{
		for (User *u : users)
			for (strake_buf *b : u->kept)
				strake_buf_put(b);
		Turn(3);
		carrier->unlisten(carrier, (sockaddr *)&addr);
		Turn();
		for (uint16_t i = 0; i < lcores; i++) {
			strake_lcore_enter(i);
			sock_lcore_fini(carrier);
		}
		sock_carrier_destroy(carrier);
		for (User *u : users) {
			EXPECT_EQ(1, u->closed);
			delete u;
		}
		struct strake_buf_usage after;
		strake_buf_usage(&after);
		EXPECT_EQ(before.descriptors_free, after.descriptors_free);
		strake_lcore_enter(UINT16_MAX);
		for (uint16_t i = 0; i < lcores; i++)
			strake_lcore_destroy(i);
		strake_buf_fini();
	}
	void
	Turn(unsigned int n = 1)
	{
		while (n-- > 0) {
			now += 20 * STRAKE_NS_PER_US;
			for (uint16_t i = 0; i < lcores; i++) {
				strake_lcore_enter(i);
				strake_lcore_turn(now);
			}
		}
	}
	/* The kernel moves bytes when it likes: turn until something is so. */
	bool
	Until(std::function<bool()> fn)
	{
		for (int i = 0; i < 150000; i++) { /* 30 s at least */
			if (fn())
				return true;
			Turn();
			if (i > 50)
				usleep(200);
		}
		return fn();
	}
	int
	Dial()
	{
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		EXPECT_EQ(0, connect(fd, (sockaddr *)&addr, sizeof(addr)));
		return fd;
	}
	User *
	Meet(int *fd)
	{
		size_t n = users.size();
		*fd = Dial();
		EXPECT_TRUE(Until([&] { return users.size() == n + 1; }));
		return users.back();
	}
	sock_lcore *
	Lc(uint16_t i = 0)
	{
		return ((sock_carrier *)carrier)->lc[i];
	}
	static sock_stream *
	Of(User *u)
	{
		return (sock_stream *)((char *)u->s - offsetof(sock_stream, s));
	}
	/* A stream that is read turn after turn. */
	User *
	Busy(int *fd)
	{
		User *u = Meet(fd);

		for (size_t i = 0; i < SOCK_HOT_READS + 10; i++) {
			EXPECT_EQ(1, send(*fd, "x", 1, 0));
			EXPECT_TRUE(Until([&] { return u->got.size() == i + 1; }));
		}
		return u;
	}
	/* Epoll tells of something. */
	bool
	Told()
	{
		pollfd p = {Lc()->poller.fd, POLLIN, 0};

		return poll(&p, 1, 0) == 1;
	}
	static strake_buf *
	Page(const Bytes &b, size_t off, uint32_t len)
	{
		strake_buf *buf = strake_buf_page(len);
		memcpy(buf->addr, b.data() + off, len);
		buf->next = nullptr;
		return buf;
	}
	static Bytes
	Pattern(size_t n)
	{
		Bytes b(n);
		for (size_t i = 0; i < n; i++)
			b[i] = (uint8_t)(i * 7 + i / 255);
		return b;
	}
};

TEST_F(Sock, CarriesBytesBothWays)
{
	int fd;
	User *u = Meet(&fd);
	Bytes up = Pattern(300000), down = Pattern(200000), back;

	EXPECT_TRUE(u->s->copies) << "the kernel does, called by us";
	ASSERT_EQ((ssize_t)up.size(), send(fd, up.data(), up.size(), 0));
	EXPECT_TRUE(Until([&] { return u->got.size() == up.size(); }));
	EXPECT_EQ(up, u->got);
	for (size_t off = 0; off < down.size(); off += 50000)
		strake_stream_send(u->s, Page(down, off, 50000), 50000);
	EXPECT_TRUE(Until([&] {
		uint8_t tmp[65536];
		ssize_t n = recv(fd, tmp, sizeof(tmp), MSG_DONTWAIT);
		if (n > 0)
			back.insert(back.end(), tmp, tmp + n);
		return back.size() == down.size();
	}));
	EXPECT_EQ(down, back);
	EXPECT_EQ(0u, u->s->tx_queued);
	EXPECT_EQ(up.size(), u->s->rx_bytes);
	EXPECT_EQ(down.size(), u->s->tx_bytes);
	close(fd);
	EXPECT_TRUE(Until([&] { return u->eof == 1; }));
	u->s->ops->close(u->s);
	EXPECT_TRUE(Until([&] { return u->closed == 1; }));
	EXPECT_EQ(0, u->err);
}

TEST_F(Sock, SendsWhatATurnQueuedInOneCall)
{
	int fd;
	User *u = Meet(&fd);
	Bytes b = Pattern(100);
	uint64_t sends = Lc()->stats.sends;

	for (int i = 0; i < 500; i++)
		strake_stream_send(u->s, Page(b, 0, 100), 100);
	Turn();
	EXPECT_EQ(sends + 1, Lc()->stats.sends);
	EXPECT_EQ(0u, u->s->tx_queued);
	close(fd);
}

TEST_F(Sock, ReadsIntoTheWindowTheUserNamed)
{
	int fd;
	User *u = Meet(&fd);
	Bytes b = Pattern(70000);
	strake_buf *page = strake_buf_page(65536);

	u->s->ops->expect(u->s, page, 1000, 64000);
	ASSERT_EQ((ssize_t)b.size(), send(fd, b.data(), b.size(), 0));
	EXPECT_TRUE(Until([&] { return u->got.size() == b.size(); }));
	EXPECT_EQ(b, u->got);
	EXPECT_EQ(0, memcmp(page->addr + 1000, b.data(), 64000));
	EXPECT_EQ(page->addr + 1000, u->where[0]);
	EXPECT_EQ(64000u, Lc()->stats.placed_bytes);
	strake_buf_put(page);
	close(fd);
}

TEST_F(Sock, StopsReadingAtItsCreditAndGoesOnWhenBufsArePut)
{
	int fd;
	User *u = Meet(&fd);
	Bytes b = Pattern(1 << 20);
	size_t sent = 0, total = 8u << 20;
	auto push = [&] {
		while (sent < total) {
			ssize_t n = send(fd, b.data() + sent % b.size(),
					 std::min(b.size() - sent % b.size(), total - sent), MSG_DONTWAIT);
			if (n <= 0)
				break;
			sent += (size_t)n;
		}
	};

	u->keep = true;
	EXPECT_TRUE(Until([&] {
		push();
		return Lc()->stats.paused > 0;
	}));
	Turn(50);
	EXPECT_LE(u->got.size(), SOCK_RX_CREDIT + SLAB_READ);
	u->keep = false;
	for (strake_buf *k : u->kept)
		strake_buf_put(k);
	u->kept.clear();
	EXPECT_TRUE(Until([&] {
		push();
		return u->got.size() == total;
	}));
	for (size_t i = 0; i < total; i += 4093)
		ASSERT_EQ(b[i % b.size()], u->got[i]) << i;
	close(fd);
}

TEST_F(Sock, ReusesASlabAtOnceWhenEverythingInItIsPut)
{
	int fd;
	User *u = Meet(&fd);
	Bytes b = Pattern(64);

	for (size_t i = 1; i <= 20; i++) {
		ASSERT_EQ(64, send(fd, b.data(), 64, 0));
		ASSERT_TRUE(Until([&] { return u->got.size() == 64 * i; }));
	}
	for (uint8_t *p : u->where)
		EXPECT_EQ(u->where[0], p);
	close(fd);
}

TEST_F(Sock, AsksForRoomAgainWhenTheKernelTakesMore)
{
	int fd;
	User *u = Meet(&fd);
	Bytes b = Pattern(65536);
	size_t back = 0, queued = 0;

	while (strake_stream_room(u->s) >= b.size()) { /* until the kernel is full, and then to the limit */
		strake_stream_send(u->s, Page(b, 0, 65536), 65536);
		queued += 65536;
		Turn();
		ASSERT_LT(queued, 64u << 20);
	}
	u->s->want_room = true;
	Turn(5);
	EXPECT_EQ(0, u->room);
	EXPECT_GT(Lc()->stats.blocked, 0u);
	EXPECT_TRUE(Until([&] {
		uint8_t tmp[65536];
		ssize_t n = recv(fd, tmp, sizeof(tmp), MSG_DONTWAIT);
		back += n > 0 ? (size_t)n : 0;
		return back == queued;
	}));
	EXPECT_EQ(1, u->room);
	EXPECT_FALSE(u->s->want_room);
	close(fd);
}

TEST_F(Sock, ReportsAResetOnce)
{
	int fd;
	User *u = Meet(&fd);
	linger hard = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	EXPECT_TRUE(Until([&] { return u->closed == 1; }));
	EXPECT_EQ(-ECONNRESET, u->err);
	Turn(20);
	EXPECT_EQ(1, u->closed);
}

TEST_F(Sock, AbortsFromOutsideAndNotFromInsideTheCall)
{
	int fd;
	User *u = Meet(&fd);
	char c;

	u->s->ops->abort(u->s);
	EXPECT_EQ(0, u->closed);
	u->s->ops->abort(u->s);
	u->s->ops->close(u->s);
	Turn(3);
	EXPECT_EQ(1, u->closed);
	EXPECT_EQ(-ECONNABORTED, u->err);
	EXPECT_EQ(-1, recv(fd, &c, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	close(fd);
}

TEST_F(Sock, SendsWhatIsQueuedBeforeItsFin)
{
	int fd;
	User *u = Meet(&fd);
	Bytes b = Pattern(1000);
	uint8_t tmp[2000];

	strake_stream_send(u->s, Page(b, 0, 1000), 1000);
	u->s->ops->close(u->s);
	Turn(3);
	EXPECT_EQ(1000, recv(fd, tmp, sizeof(tmp), MSG_WAITALL));
	EXPECT_EQ(0, u->closed); /* the peer has not closed */
	close(fd);
	EXPECT_TRUE(Until([&] { return u->closed == 1; }));
	EXPECT_EQ(0, u->err);
}

TEST_F(Sock, ResetsWhomTheUserRefuses)
{
	char c;

	refuse = true;
	int fd = Dial();
	EXPECT_TRUE(Until([&] { return Lc()->stats.refused == 1; }));
	EXPECT_EQ(-1, recv(fd, &c, 1, 0));
	close(fd);
	EXPECT_TRUE(users.empty());
}

TEST_F(Sock, ConnectsToAPeer)
{
	User me;
	strake_stream *s;

	ASSERT_EQ(0, carrier->connect(carrier, (sockaddr *)&addr, &kCb, &me, &s));
	me.s = s;
	Bytes b = Pattern(100);
	strake_stream_send(s, Page(b, 0, 100), 100); /* before it is connected */
	EXPECT_TRUE(Until([&] { return me.connected == 1 && users.size() == 1 && users[0]->got.size() == 100; }));
	s->ops->close(s);
	EXPECT_TRUE(Until([&] { return users[0]->eof == 1; }));
	users[0]->s->ops->close(users[0]->s);
	EXPECT_TRUE(Until([&] { return me.closed == 1 && users[0]->closed == 1; }));
	EXPECT_EQ(0, me.err);
}

TEST_F(Sock, ReportsARefusedConnect)
{
	User me;
	strake_stream *s;

	carrier->unlisten(carrier, (sockaddr *)&addr);
	Turn(2);
	int ret = carrier->connect(carrier, (sockaddr *)&addr, &kCb, &me, &s);
	if (ret == 0) {
		EXPECT_TRUE(Until([&] { return me.closed == 1; }));
		ret = me.err;
	}
	EXPECT_EQ(-ECONNREFUSED, ret);
}

TEST_F(Sock, SaysThatAnAddressIsInUse)
{
	EXPECT_EQ(-EADDRINUSE, carrier->listen(carrier, (sockaddr *)&addr, Accept, this));
}

TEST_F(Sock, SaysThatAnAddressIsNotOurs)
{
	sockaddr_in other = addr;

	other.sin_addr.s_addr = htonl(0x08080808);
	EXPECT_EQ(-EADDRNOTAVAIL, carrier->listen(carrier, (sockaddr *)&other, Accept, this));
}

TEST_F(Sock, KeepsABusyStreamOutOfEpollsSight)
{
	int fd;
	User *u = Busy(&fd);

	EXPECT_TRUE(Of(u)->apart);
	EXPECT_EQ(1u, Lc()->stats.parted);
	EXPECT_EQ(1, send(fd, "x", 1, 0));
	EXPECT_FALSE(Told());
	size_t n = u->got.size() + 1;
	EXPECT_TRUE(Until([&] { return u->got.size() == n; })) << "it is read without";
	close(fd);
	EXPECT_TRUE(Until([&] { return u->eof == 1; }));
	u->s->ops->close(u->s);
	EXPECT_TRUE(Until([&] { return u->closed == 1; }));
}

TEST_F(Sock, ShowsAQuietStreamToEpollAgain)
{
	int fd;
	User *u = Busy(&fd);

	Turn(SOCK_HOT_MISSES);
	EXPECT_FALSE(Of(u)->is_hot);
	EXPECT_FALSE(Of(u)->apart);
	EXPECT_FALSE(Told());
	EXPECT_EQ(1, send(fd, "x", 1, 0));
	EXPECT_TRUE(Told());
	size_t n = u->got.size() + 1;
	EXPECT_TRUE(Until([&] { return u->got.size() == n; }));
	EXPECT_FALSE(Of(u)->apart) << "not for one read";
	EXPECT_EQ(1u, Lc()->stats.parted);
	close(fd);
}

/* What comes to an lcore that sleeps wakes it. */
TEST_F(Sock, ShowsBusyStreamsToEpollBeforeASleep)
{
	int fd;
	User *u = Busy(&fd);

	EXPECT_TRUE(Lc()->poller.arm(&Lc()->poller, true));
	EXPECT_FALSE(Of(u)->apart);
	EXPECT_FALSE(Told());
	EXPECT_EQ(1, send(fd, "x", 1, 0));
	EXPECT_TRUE(Told());
	Lc()->poller.arm(&Lc()->poller, false);
	Turn();
	EXPECT_FALSE(Of(u)->apart) << "not for one read";
	close(fd);
}

/* While the kernel takes no more, epoll has to tell when it does again; and all is sent. */
TEST_F(Sock, ShowsABusyStreamToEpollWhileItsSendBufferIsFull)
{
	int fd;
	User *u = Busy(&fd);
	Bytes b = Pattern(65536);
	size_t back = 0, queued = 0;

	while (!Of(u)->blocked) {
		ASSERT_TRUE(Of(u)->apart);
		strake_stream_send(u->s, Page(b, 0, 65536), 65536);
		queued += 65536;
		EXPECT_EQ(1, send(fd, "x", 1, 0)); /* it stays hot */
		Turn();
		ASSERT_LT(queued, 64u << 20);
	}
	EXPECT_FALSE(Of(u)->apart);
	sock_watch_less(Of(u));
	EXPECT_FALSE(Of(u)->apart) << "however busy it is";
	EXPECT_TRUE(Until([&] {
		uint8_t tmp[65536];
		ssize_t n = recv(fd, tmp, sizeof(tmp), MSG_DONTWAIT);
		back += n > 0 ? (size_t)n : 0;
		return back == queued;
	}));
	EXPECT_EQ(0u, u->s->tx_queued);
	close(fd);
}

TEST_F(Sock, WaitsQuietlyWhileFileDescriptorsAreOut)
{
	rlimit was, few;
	int fd = Dial();

	/* Nothing above the highest descriptor in use. */
	int top = dup(0);
	close(top);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &was));
	few = was;
	few.rlim_cur = (rlim_t)top;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	EXPECT_TRUE(Until([&] { return Lc()->stats.out_of_fds == 1; }));
	EXPECT_EQ(1u, Lc()->stats.out_of_fds);
	for (int i = 0; i < 100; i++)
		Turn(); /* 2 ms: not tried again and again */
	EXPECT_EQ(1u, Lc()->stats.out_of_fds);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &was));
	EXPECT_TRUE(users.empty());
	now += SOCK_RETRY_NS;
	EXPECT_TRUE(Until([&] { return users.size() == 1; }));
	close(fd);
}

TEST_F(Sock, DoesNotReuseAStreamWhoseBytesAreStillHeld)
{
	int fd;
	User *u = Meet(&fd);
	strake_stream *s = u->s;
	uint8_t x = 42;

	u->keep = true;
	ASSERT_EQ(1, send(fd, &x, 1, 0));
	EXPECT_TRUE(Until([&] { return u->got.size() == 1; }));
	u->s->ops->abort(u->s);
	Turn(3);
	close(fd);
	EXPECT_EQ(s, &TAILQ_FIRST(&Lc()->zombies)->s);
	EXPECT_EQ(42, *u->kept[0]->addr);
	strake_buf_put(u->kept[0]);
	u->kept.clear();
	Turn(2);
	EXPECT_TRUE(TAILQ_EMPTY(&Lc()->zombies));
}

TEST_F(Sock, ServesManyConnections)
{
	std::vector<int> fds;

	for (int i = 0; i < 400; i++)
		fds.push_back(Dial());
	EXPECT_TRUE(Until([&] { return users.size() == 400; }));
	for (int i = 0; i < 400; i++)
		ASSERT_EQ(4, send(fds[(size_t)i], &i, 4, 0));
	EXPECT_TRUE(Until(
		[&] { return std::all_of(users.begin(), users.end(), [](User *u) { return u->got.size() == 4; }); }));
	EXPECT_LE(Lc()->n_hot, (uint32_t)SOCK_HOT);
	for (int fd : fds)
		close(fd);
	EXPECT_TRUE(
		Until([&] { return std::all_of(users.begin(), users.end(), [](User *u) { return u->eof == 1; }); }));
}

TEST_F(Sock, TellsWhatItCounted)
{
	sock_usage sum = {};
	int fd;
	User *u = Meet(&fd);

	u->keep = true;
	ASSERT_EQ(4, send(fd, "four", 4, 0));
	EXPECT_TRUE(Until([&] { return u->got.size() == 4; }));
	EXPECT_EQ(0, sock_usage_add(&sum));
	EXPECT_EQ(1u, sum.streams);
	EXPECT_EQ(1u, sum.hot);
	EXPECT_EQ(1u, sum.n.accepts);
	EXPECT_EQ(1u, sum.accepts[0]);
	EXPECT_EQ(4u, sum.n.recv_bytes);
	u->s->ops->abort(u->s);
	Turn(3);
	sum = {};
	EXPECT_EQ(0, sock_usage_add(&sum));
	EXPECT_EQ(0u, sum.streams);
	EXPECT_EQ(1u, sum.zombies) << "what it received is held still";
	close(fd);
}

static std::string
CongestionOf(int fd)
{
	char name[16] = "";
	socklen_t len = sizeof(name);

	EXPECT_EQ(0, getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	return name;
}

static std::string
CongestionOfTheSystem()
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	std::string name = CongestionOf(fd);

	close(fd);
	return name;
}

/* Every kernel has Reno. */
class SockReno : public Sock
{
      protected:
	SockReno()
	{
		congestion = "newreno";
	}
};

TEST_F(SockReno, GivesItsCongestionControlToConnectionsBothWays)
{
	int fd;
	User *u = Meet(&fd), me;
	strake_stream *out = nullptr;

	EXPECT_EQ("reno", CongestionOf(Of(u)->fd));
	ASSERT_EQ(0, carrier->connect(carrier, (sockaddr *)&addr, &kCb, &me, &out));
	me.s = out;
	EXPECT_EQ("reno", CongestionOf(Of(&me)->fd));
	out->ops->abort(out);
	EXPECT_TRUE(Until([&] { return me.closed == 1; }));
	close(fd);
}

class SockUnheardOf : public Sock
{
      protected:
	SockUnheardOf()
	{
		congestion = "nonesuch";
	}
};

TEST_F(SockUnheardOf, KeepsTheSystemsWhereTheKernelRefuses)
{
	int fd;
	User *u = Meet(&fd);

	EXPECT_EQ(CongestionOfTheSystem(), CongestionOf(Of(u)->fd));
	close(fd);
}

/* Several data lcores on one address: each has a listening socket of its own, and the kernel deals connections out. */
class SockLcores : public Sock
{
      protected:
	SockLcores()
	{
		lcores = 3;
	}
};

TEST_F(SockLcores, LetsEachConnectionLiveWhereItWasBorn)
{
	std::vector<int> fds;
	sock_usage sum = {};

	/* That one of three has none of 96 connections has a chance of 1 in 10^16. */
	for (int i = 0; i < 96; i++)
		fds.push_back(Dial());
	EXPECT_TRUE(Until([&] { return users.size() == 96; }));
	for (int fd : fds)
		ASSERT_EQ(4, send(fd, "ping", 4, 0));
	EXPECT_TRUE(Until(
		[&] { return std::all_of(users.begin(), users.end(), [](User *u) { return u->got.size() == 4; }); }));
	for (uint16_t i = 0; i < lcores; i++) {
		strake_lcore_enter(i);
		sock_usage_add(&sum);
		EXPECT_LT(0u, sum.accepts[i]) << i;
		EXPECT_EQ((uint64_t)std::count_if(users.begin(), users.end(), [&](User *u) { return u->lcore == i; }),
			  sum.accepts[i]);
	}
	EXPECT_EQ(96u, sum.streams);
	EXPECT_EQ(96u * 4, sum.n.recv_bytes);
	for (User *u : users) {
		strake_lcore_enter(u->lcore);
		strake_stream_send(u->s, Page(Pattern(100), 0, 100), 100);
	}
	Turn(2);
	for (int fd : fds) {
		uint8_t back[200];

		EXPECT_EQ(100, recv(fd, back, sizeof(back), 0)) << "each heard one answer";
		close(fd);
	}
	EXPECT_TRUE(
		Until([&] { return std::all_of(users.begin(), users.end(), [](User *u) { return u->eof == 1; }); }));
}

/* What was received on one lcore may be put on another: its slab finds its way home, and is received into again. */
TEST_F(SockLcores, TakesSlabsBackFromOtherLcores)
{
	Bytes b = Pattern(1 << 20);
	int fd;
	User *u = Meet(&fd);

	for (int round = 0; round < 40; round++) { /* 40 MiB through 16 MiB of slabs */
		size_t sent = 0, had = u->got.size();

		u->keep = true;
		EXPECT_TRUE(Until([&] {
			ssize_t n = sent < b.size() ? send(fd, b.data() + sent, b.size() - sent, MSG_DONTWAIT) : 0;
			sent += n > 0 ? (size_t)n : 0;
			return u->got.size() == had + b.size();
		})) << round;
		strake_lcore_enter((uint16_t)((u->lcore + 1 + round % 2) % lcores));
		for (strake_buf *k : u->kept)
			strake_buf_put(k);
		u->kept.clear();
	}
	EXPECT_EQ(0, memcmp(b.data(), u->got.data() + u->got.size() - b.size(), b.size()));
	EXPECT_EQ(0u, u->s->tx_queued);
	close(fd);
}

TEST_F(SockLcores, SharesItsAddressWithNobodyElse)
{
	sockaddr_in other = addr;
	socklen_t len = sizeof(other);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	/* Another process of the same user that would share its port with ours. */
	other.sin_port = 0;
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
	ASSERT_EQ(0, bind(fd, (sockaddr *)&other, len));
	ASSERT_EQ(0, listen(fd, 1));
	ASSERT_EQ(0, getsockname(fd, (sockaddr *)&other, &len));
	EXPECT_EQ(-EADDRINUSE, carrier->listen(carrier, (sockaddr *)&other, Accept, this));
	close(fd);
}

TEST_F(SockLcores, StopsListeningOnAllOfThem)
{
	int fd;

	Meet(&fd);
	carrier->unlisten(carrier, (sockaddr *)&addr);
	Turn(2);
	for (int i = 0; i < 20; i++) {
		int again = socket(AF_INET, SOCK_STREAM, 0);

		EXPECT_EQ(-1, connect(again, (sockaddr *)&addr, sizeof(addr)));
		EXPECT_EQ(ECONNREFUSED, errno);
		close(again);
	}
	close(fd);
}
