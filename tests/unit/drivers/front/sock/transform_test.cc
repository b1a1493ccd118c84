/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A transform over kernel sockets, on both ends of a connection over loopback. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "stream_user.h"

extern "C" {
#include "sock.h"
}

class SockTransform : public testing::TestWithParam<const strake_transform_ops *>
{
      protected:
	void
	SetUp() override
	{
		const strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, -1};
		const strake_buf_conf bc = {16384, 16u << 20, -1};
		socklen_t len = sizeof(addr);

		ASSERT_EQ(0, strake_buf_init(&bc));
		ASSERT_EQ(0, strake_lcore_create(0, &lc));
		strake_lcore_enter(0);
		below = sock_carrier_create("cubic");
		ASSERT_EQ(0, sock_lcore_init(below));
		ASSERT_EQ(0, strake_transform_create(&top, below, GetParam()));
		ASSERT_EQ(0, strake_transform_lcore_init(top, 4));
		addr.sin_family = AF_INET;
		addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		int fd = socket(AF_INET, SOCK_STREAM, 0); /* a port nobody has */
		ASSERT_EQ(0, bind(fd, (sockaddr *)&addr, len));
		ASSERT_EQ(0, getsockname(fd, (sockaddr *)&addr, &len));
		close(fd);
		ASSERT_EQ(0, top->listen(top, (sockaddr *)&addr, StreamUser::accept, &b));
		xor_begins = xor_ends = 0;
	}

	void
	TearDown() override
	{
		top->unlisten(top, (sockaddr *)&addr);
		turn();
		strake_transform_lcore_fini(top);
		sock_lcore_fini(below);
		strake_transform_destroy(top);
		sock_carrier_destroy(below);
		strake_lcore_enter(UINT16_MAX);
		strake_lcore_destroy(0);
		strake_buf_fini();
	}

	void
	turn()
	{
		strake_lcore_turn(now += 20 * STRAKE_NS_PER_US);
	}

	/* The kernel moves bytes when it likes. */
	bool
	until(const std::function<bool()> &fn)
	{
		for (int i = 0; i < 150000 && !fn(); i++) { /* 30 s at least */
			turn();
			if (i > 50)
				usleep(200);
		}
		return fn();
	}

	sockaddr_in addr = {};
	strake_carrier *below = nullptr, *top = nullptr;
	StreamUser a, b;
	uint64_t now = STRAKE_NS_PER_SEC;
};

TEST_P(SockTransform, BytesArriveAndTheEndDoes)
{
	Bytes up = some_bytes(300000, 1), down = some_bytes(200000, 2);
	bool farewell = GetParam() == &xor_transform_ops;

	ASSERT_EQ(0, top->connect(top, (sockaddr *)&addr, StreamUser::callbacks(), &a, &a.s));
	a.send(up, 50000);
	ASSERT_TRUE(until([&] { return b.s != nullptr; }));
	b.send(down, 7000);
	ASSERT_TRUE(until([&] { return b.got.size() == up.size() && a.got.size() == down.size(); }));
	EXPECT_EQ(up, b.got);
	EXPECT_EQ(down, a.got);
	EXPECT_EQ(1, a.connected);
	EXPECT_TRUE(until([&] { return a.s->tx_queued == 0; }));
	a.s->ops->close(a.s);
	ASSERT_TRUE(until([&] { return a.closed == 1 && b.closed == 1; }));
	EXPECT_EQ(0, a.err);
	EXPECT_EQ(0, b.err);
	EXPECT_TRUE(b.has(up, farewell));
	EXPECT_EQ(2u, xor_ends);
}

TEST_P(SockTransform, NobodyThereIsSaidOnce)
{
	top->unlisten(top, (sockaddr *)&addr);
	turn();
	int ret = top->connect(top, (sockaddr *)&addr, StreamUser::callbacks(), &a, &a.s);

	if (ret == 0) {
		ASSERT_TRUE(until([&] { return a.closed == 1; }));
		ret = a.err;
	}
	EXPECT_EQ(-ECONNREFUSED, ret);
	EXPECT_EQ(0, a.connected);
	EXPECT_EQ(0u, xor_begins + xor_ends);
}

INSTANTIATE_TEST_SUITE_P(Kinds, SockTransform, testing::Values(&pass_transform_ops, &xor_transform_ops));
