/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Streams on top of streams, over a pipe in memory that cuts and delays as a seed says. */

#include <arpa/inet.h>
#include <netinet/in.h>

#include "stream_user.h"

extern "C" {
#include "pipe_stream.h"
}

class Transform : public testing::Test
{
      protected:
	void
	begin(const strake_transform_ops *ops, pipe_conf pc = {}, uint32_t streams = 4)
	{
		const strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, -1};
		const strake_buf_conf bc = {4096, 16u << 20, -1};
		sockaddr_in addr = {};

		ASSERT_EQ(0, strake_buf_init(&bc));
		ASSERT_EQ(0, strake_lcore_create(0, &lc));
		strake_lcore_enter(0);
		strake_buf_usage(&before);
		xor_begins = xor_ends = 0;
		p = pipe_create(&pc);
		ASSERT_EQ(0, strake_transform_create(&top, pipe_carrier(p), ops));
		ASSERT_EQ(0, strake_transform_lcore_init(top, streams));
		addr.sin_family = AF_INET;
		addr.sin_port = htons(4420);
		ASSERT_EQ(0, top->listen(top, (sockaddr *)&addr, StreamUser::accept, &b));
		EXPECT_EQ(-EADDRINUSE, top->listen(top, (sockaddr *)&addr, StreamUser::accept, &b));
	}

	int
	connect(StreamUser *u)
	{
		sockaddr_in addr = {};

		addr.sin_family = AF_INET;
		addr.sin_port = htons(4420);
		return top->connect(top, (sockaddr *)&addr, StreamUser::callbacks(), u, &u->s);
	}

	void
	turn(int n = 1)
	{
		while (n-- > 0)
			strake_lcore_turn(now += STRAKE_NS_PER_MS);
	}

	bool
	until(const std::function<bool()> &fn)
	{
		for (int i = 0; i < 200000 && !fn(); i++)
			turn();
		return fn();
	}

	void
	TearDown() override
	{
		strake_buf_usage_t after;

		if (a.s != nullptr)
			a.s->ops->abort(a.s);
		else if (b.s != nullptr)
			b.s->ops->abort(b.s);
		turn(5);
		EXPECT_EQ(xor_begins, xor_ends);
		strake_transform_lcore_fini(top);
		strake_transform_destroy(top);
		pipe_destroy(p);
		strake_buf_usage(&after);
		EXPECT_EQ(before.descriptors_free, after.descriptors_free);
		for (int i = 0; i < 4; i++)
			EXPECT_EQ(before.pages_free[i], after.pages_free[i]);
		strake_lcore_enter(UINT16_MAX);
		strake_lcore_destroy(0);
		strake_buf_fini();
	}

	using strake_buf_usage_t = struct strake_buf_usage;
	strake_buf_usage_t before = {};
	struct pipe *p = nullptr;
	strake_carrier *top = nullptr;
	StreamUser a, b;
	uint64_t now = STRAKE_NS_PER_SEC;
};

struct Kind {
	const strake_transform_ops *ops;
	bool farewell;
};

class TransformKinds : public Transform, public testing::WithParamInterface<int>
{
};

TEST_P(TransformKinds, CarryBytesBothWaysAndEndOnce)
{
	const Kind kind = GetParam() % 2 == 0 ? Kind{&pass_transform_ops, false} : Kind{&xor_transform_ops, true};
	Bytes up = some_bytes(100000, 1), down = some_bytes(70000, 2);

	begin(kind.ops, {(uint64_t)GetParam(), GetParam() < 2 ? 0u : 700u, 2, 0, true});
	ASSERT_EQ(0, connect(&a));
	a.send(up); /* before anybody is connected: kept, and first */
	ASSERT_NE(nullptr, b.s);
	b.send(down);
	EXPECT_EQ(0, a.connected);
	ASSERT_TRUE(until([&] { return a.got.size() >= down.size() && b.got.size() >= up.size(); }));
	EXPECT_EQ(1, a.connected);
	EXPECT_EQ(0, b.connected);
	EXPECT_EQ(up, b.got);
	EXPECT_EQ(down, a.got);
	EXPECT_EQ(up.size(), b.s->rx_bytes);
	EXPECT_EQ(up.size(), a.s->tx_bytes);
	EXPECT_EQ(down.size(), a.s->rx_bytes);
	turn(3);
	EXPECT_EQ(0u, a.s->tx_queued) << "acknowledged below, so here";
	EXPECT_STREQ(kind.ops->name, a.s->ops->name);
	EXPECT_TRUE(a.s->copies && b.s->copies) << "a transform reads what is sent";
	a.s->ops->close(a.s);
	ASSERT_TRUE(until([&] { return a.closed == 1 && b.closed == 1; }));
	EXPECT_EQ(0, a.err);
	EXPECT_EQ(0, b.err);
	EXPECT_EQ(1, b.eof);
	EXPECT_TRUE(b.has(up, kind.farewell)) << "the last words came, and nothing after";
	turn(3);
	EXPECT_EQ(1, a.closed);
	EXPECT_EQ(2u, xor_ends);
}

INSTANTIATE_TEST_SUITE_P(Seeds, TransformKinds, testing::Range(0, 12));

TEST_F(Transform, TheWireCarriesOtherBytesThanTheUsers)
{
	begin(&xor_transform_ops);
	pipe_end *raw = pipe_open(p, 4420);
	Bytes plain(64, 0);

	ASSERT_NE(nullptr, b.s);
	b.send(plain);
	turn(2);
	EXPECT_EQ((size_t)XOR_GREETING, pipe_avail(raw)) << "it is not ready: its user's bytes are kept";
	EXPECT_EQ(64u, b.s->tx_queued);
	pipe_write(raw, "XOR1k", 5);
	ASSERT_TRUE(until([&] { return pipe_avail(raw) == XOR_GREETING + 64; }));
	for (int i = 0; i < 64; i++)
		EXPECT_EQ((uint8_t)(0xa5 + i), pipe_peek(raw)[XOR_GREETING + i]);
}

TEST_F(Transform, AWrongGreetingEndsItWithItsReason)
{
	begin(&xor_transform_ops);
	pipe_end *raw = pipe_open(p, 4420);

	b.send(Bytes(10));
	pipe_write(raw, "GET / HTTP", 10);
	ASSERT_TRUE(until([&] { return b.closed == 1; }));
	EXPECT_EQ(-EPROTO, b.err);
	EXPECT_TRUE(b.got.empty());
	EXPECT_TRUE(pipe_was_reset(raw));
	EXPECT_EQ(1u, xor_ends);
}

TEST_F(Transform, AnEndBeforeItsTimeIsNoOrderlyOne)
{
	begin(&xor_transform_ops);
	pipe_end *raw = pipe_open(p, 4420);

	pipe_write(raw, "XO", 2);
	pipe_shut(raw);
	ASSERT_TRUE(until([&] { return b.closed == 1; }));
	EXPECT_EQ(-EBADMSG, b.err);
	EXPECT_EQ(0, b.eof);
}

TEST_F(Transform, ClosedBeforeReadyWhatWasSentStillGoes)
{
	begin(&xor_transform_ops, {3, 100, 3, 0, false});
	Bytes up = some_bytes(5000, 9);

	ASSERT_EQ(0, connect(&a));
	a.send(up);
	a.s->ops->close(a.s);
	ASSERT_TRUE(until([&] { return a.closed == 1 && b.closed == 1; }));
	EXPECT_TRUE(b.has(up, true));
	EXPECT_EQ(0, a.err);
}

TEST_F(Transform, ClosedBeforeReadyWithNothingToSayItEnds)
{
	begin(&xor_transform_ops);
	pipe_end *raw = pipe_open(p, 4420);

	b.s->ops->close(b.s);
	ASSERT_TRUE(until([&] { return pipe_eof(raw); }));
	pipe_write(raw, "XOR1k", 5); /* too late */
	turn(3);
	EXPECT_EQ((size_t)XOR_GREETING, pipe_avail(raw)) << "no farewell after the end";
	pipe_shut(raw);
	ASSERT_TRUE(until([&] { return b.closed == 1; }));
	EXPECT_EQ(0, b.err);
}

TEST_F(Transform, AbortedFromInsideRxNothingMoreComes)
{
	begin(&xor_transform_ops, {7, 50, 0, 0, false});
	ASSERT_EQ(0, connect(&a));
	size_t at_abort = 0;
	b.on_rx = [&] {
		EXPECT_EQ(0u, at_abort) << "after its end";
		at_abort = b.got.size();
		b.s->ops->abort(b.s);
		b.s->ops->abort(b.s);
		b.send(Bytes(10));
	};
	a.send(Bytes(10000));
	ASSERT_TRUE(until([&] { return a.closed == 1 && b.closed == 1; }));
	EXPECT_EQ(at_abort, b.got.size());
	EXPECT_EQ(-ECONNABORTED, b.err);
	EXPECT_EQ(-ECONNRESET, a.err);
}

TEST_F(Transform, RoomIsToldWhenThePeerHasTakenSome)
{
	begin(&xor_transform_ops, {11, 1000, 1, 10000, false});
	ASSERT_EQ(0, connect(&a));
	ASSERT_TRUE(until([&] { return a.connected == 1; }));
	turn(5);
	EXPECT_EQ(10000u, strake_stream_room(a.s));
	a.send(Bytes(10000));
	EXPECT_EQ(0u, strake_stream_room(a.s));
	a.s->want_room = true;
	ASSERT_TRUE(until([&] { return a.room == 1; }));
	EXPECT_FALSE(a.s->want_room);
	EXPECT_GT(strake_stream_room(a.s), 0u);
	ASSERT_TRUE(until([&] { return b.got.size() == 10000; }));
	turn(5);
	EXPECT_EQ(1, a.room) << "only when it was asked for";
	/* Asked for when all is taken already: nothing will come from below, and yet it must be told. */
	a.s->want_room = true;
	a.send(Bytes(1));
	ASSERT_TRUE(until([&] { return a.room == 2; }));
}

TEST_F(Transform, WithoutAFreeOneStreamsAreRefused)
{
	begin(&pass_transform_ops, {}, 1);
	pipe_end *raw = pipe_open(p, 4420);

	ASSERT_NE(nullptr, raw);
	EXPECT_EQ(nullptr, pipe_open(p, 4420));
	EXPECT_EQ(-ENOBUFS, connect(&a));
	pipe_reset(raw);
	ASSERT_TRUE(until([&] { return b.closed == 1; }));
	EXPECT_NE(nullptr, pipe_open(p, 4420)) << "it is free again";
}

TEST_F(Transform, AUserThatRefusesTakesItsTransformAlong)
{
	begin(&pass_transform_ops, {}, 2);
	b.s = (strake_stream *)1; /* busy */
	EXPECT_EQ(nullptr, pipe_open(p, 4420));
	EXPECT_EQ(1u, xor_begins);
	EXPECT_EQ(1u, xor_ends);
	EXPECT_EQ(-ECONNREFUSED, connect(&a));
	b.s = nullptr;
	EXPECT_NE(nullptr, pipe_open(p, 4420));
	a.s = nullptr;
}
