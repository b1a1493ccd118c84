/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A transform over the TCP, on both ends of a wire that loses, repeats and reorders. */

#include "stream_user.h"
#include "tcp_peer.h"

class TcpTransform : public testing::TestWithParam<uint64_t>
{
};

TEST_P(TcpTransform, BytesArriveWhateverTheWireDoes)
{
	WireConf wc;

	wc.seed = GetParam();
	wc.drop = 0.02;
	wc.dup = 0.02;
	wc.reorder = 0.05;
	wc.chains = true;
	World w(wc, small_conf(wc.seed * 2), small_conf(wc.seed * 2 + 1));
	strake_carrier *top[2];
	StreamUser a, b;
	sockaddr_storage at = peer_address(1, 4433, 4);
	Bytes up = some_bytes(300000, 1), down = some_bytes(200000, 2);
	size_t sent = 0;

	xor_begins = xor_ends = 0;
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, strake_transform_create(&top[i], w.carrier[i], &xor_transform_ops));
		ASSERT_EQ(0, strake_transform_lcore_init(top[i], 2));
	}
	ASSERT_EQ(0, top[1]->listen(top[1], (sockaddr *)&at, StreamUser::accept, &b));
	ASSERT_EQ(0, top[0]->connect(top[0], (sockaddr *)&at, StreamUser::callbacks(), &a, &a.s));
	/* As much as there is room for, and no more. */
	auto feed = [&] {
		uint32_t room = a.s != nullptr ? strake_stream_room(a.s) : 0;
		size_t n = std::min<size_t>(room, up.size() - sent);

		if (n == 0)
			return;
		a.send(Bytes(up.begin() + (long)sent, up.begin() + (long)(sent + n)));
		sent += n;
	};
	ASSERT_TRUE(w.run([&] { return b.s != nullptr; }, 60 * STRAKE_NS_PER_SEC, feed));
	b.send(down);
	ASSERT_TRUE(w.run([&] { return b.got.size() == up.size() && a.got.size() == down.size(); },
			  600 * STRAKE_NS_PER_SEC, feed));
	EXPECT_EQ(up, b.got);
	EXPECT_EQ(down, a.got);
	EXPECT_EQ(1, a.connected);
	a.s->ops->close(a.s);
	ASSERT_TRUE(w.run([&] { return a.closed == 1 && b.closed == 1; }, 600 * STRAKE_NS_PER_SEC));
	EXPECT_EQ(0, a.err);
	EXPECT_EQ(0, b.err);
	EXPECT_TRUE(b.has(up, true));
	EXPECT_EQ(2u, xor_ends);
	for (strake_carrier *c : top) {
		strake_transform_lcore_fini(c);
		strake_transform_destroy(c);
	}
}

INSTANTIATE_TEST_SUITE_P(Seeds, TcpTransform, testing::Range<uint64_t>(1, 9));
