/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <gtest/gtest.h>

#include "tcp_peer.h"

extern "C" {
#include "drivers/front/tcp/sndq.h"
}

class TcpSndq : public testing::Test
{
      protected:
	void
	SetUp() override
	{
		World::global_init();
		released = 0;
		backing.release = [](strake_buf *) { released++; };
	}
	strake_buf *
	list(std::initializer_list<uint32_t> lens)
	{
		strake_buf *head = nullptr, **at = &head;

		for (uint32_t n : lens) {
			*at = strake_buf_wrap(bytes, n, &backing, nullptr, 0);
			at = &(*at)->next;
		}
		return head;
	}
	uint8_t bytes[256];
	strake_backing backing = {"test", nullptr};
	static int released;
	tcp_sndq q;
};
int TcpSndq::released;

TEST_F(TcpSndq, LetsGoOnlyOfWholeAcknowledgedBufs)
{
	tcp_sndq_init(&q, 0xfffffff0);
	tcp_sndq_append(&q, list({10, 20}), 30);
	tcp_sndq_append(&q, list({30}), 30);
	EXPECT_EQ(9u, tcp_sndq_ack(&q, 0xfffffff9));
	EXPECT_EQ(0, released);
	EXPECT_EQ(0u, tcp_sndq_ack(&q, 0xfffffff0));
	EXPECT_EQ(2u, tcp_sndq_ack(&q, 0xfffffffb));
	EXPECT_EQ(1, released);
	/* One past the end is the FIN's. */
	EXPECT_EQ(49u, tcp_sndq_ack(&q, 0xfffffff0 + 61));
	EXPECT_EQ(3, released);
	EXPECT_EQ(nullptr, q.head);
}

TEST_F(TcpSndq, KeepsCursorsWhereTheyBelong)
{
	tcp_sndq_init(&q, 1000);
	EXPECT_EQ(nullptr, q.nxt.buf);
	tcp_sndq_append(&q, list({10, 20}), 30);
	EXPECT_EQ(q.head, q.nxt.buf);
	tcp_sndq_seek(&q, &q.nxt, 1030);
	EXPECT_EQ(nullptr, q.nxt.buf);
	tcp_sndq_append(&q, list({5}), 5);
	EXPECT_EQ(q.tail, q.nxt.buf);
	EXPECT_EQ(0u, q.nxt.off);
	tcp_sndq_seek(&q, &q.rtx, 1015);
	EXPECT_EQ(5u, q.rtx.off);
	tcp_sndq_seek(&q, &q.rtx, 1003);
	EXPECT_EQ(q.head, q.rtx.buf);
	EXPECT_EQ(3u, q.rtx.off);
	/* Acknowledged past a cursor: it moves to the new head. */
	tcp_sndq_ack(&q, 1012);
	EXPECT_EQ(1012u, q.rtx.seq);
	EXPECT_EQ(q.head, q.rtx.buf);
	EXPECT_EQ(2u, q.rtx.off);
	tcp_sndq_clear(&q);
	EXPECT_EQ(3, released);
}
