/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Active opens over a port as it is: which address they come from, and where the answer arrives. */

#include <arpa/inet.h>

#include "../port/rig.h"

extern "C" {
#include "drivers/front/tcp/conn.h"
}

class TcpConnect : public PortTest
{
      protected:
	const port_addr us4 = addr("10.0.0.2"), peer4 = addr("10.0.0.1");

	void
	Start(unsigned n)
	{
		tcp_conf tc = {};

		tc.conns = 64;
		tc.congestion = "cubic";
		Open(n);
		Settle();
		for (unsigned i = 1; i <= n; i++) {
			strake_lcore_enter((uint16_t)i);
			tc.seed = i;
			ASSERT_EQ(0, tcp_lcore_create(&tcps[i], &tc, ifp[i]));
		}
		carrier = tcp_carrier_create(tcps, n + 1);
		ASSERT_NE(nullptr, carrier);
		Teach("10.0.0.1");
		Drain();
	}

	void
	TearDown() override
	{
		for (unsigned i = 1; i <= lcores; i++) {
			strake_lcore_enter((uint16_t)i);
			if (tcps[i] != nullptr)
				tcp_lcore_destroy(tcps[i]);
		}
		Turn(); /* resets of lcores that send by another's queue */
		tcp_carrier_destroy(carrier);
		PortTest::TearDown();
	}

	strake_stream *
	Connect(unsigned lcore)
	{
		static const strake_stream_cb cb = {
			[](strake_stream *, strake_buf *bufs, uint32_t) { strake_buf_put_list(bufs); },
			[](strake_stream *) {},
			[](strake_stream *) {},
			[](strake_stream *s) { ++*(unsigned *)s->user; },
			[](strake_stream *, int) {},
		};
		sockaddr_in sin = {};
		strake_stream *s = nullptr;

		sin.sin_family = AF_INET;
		sin.sin_port = htons(4420);
		inet_pton(AF_INET, "10.0.0.1", &sin.sin_addr);
		strake_lcore_enter((uint16_t)lcore);
		EXPECT_EQ(0, carrier->connect(carrier, (sockaddr *)&sin, &cb, &connected, &s));
		return s;
	}

	/** The peer's answer to a SYN. */
	Bytes
	SynAck(const Bytes &frame) const
	{
		Bytes t = be16(4420) + be16(get16(frame, 34)) + be32(77) + be32(get32(frame, 38) + 1) +
			  Bytes{0x50, 0x12} + be16(4096) + be16(0) + be16(0);

		set16(t, 16, (uint16_t)~plain_sum(pseudo(peer4, us4, 6, t.size()) + t));
		return IpFrame(ip4_packet(peer4, us4, 6, t));
	}

	tcp *tcps[STRAKE_LCORE_MAX] = {};
	strake_carrier *carrier = nullptr;
	unsigned connected = 0;
};

TEST_F(TcpConnect, ComesFromThePortsAddress)
{
	Start(1);
	ASSERT_NE(nullptr, Connect(1));
	Turn();
	std::vector<Sent> sent = TakeSent();
	ASSERT_EQ(1u, sent.size());
	EXPECT_EQ(raw(us4) + raw(peer4), slice(sent[0].bytes, 26, 8));
	EXPECT_EQ(4420u, get16(sent[0].bytes, 36));
	Receive(SynAck(sent[0].bytes));
	EXPECT_EQ(1u, connected);
}

TEST_F(TcpConnect, LeavesHalfOfThePoolToThePort)
{
	uint64_t pinned = 0;

	Start(3);
	for (unsigned i = 1; i <= 3; i++)
		pinned += tcps[i]->pin_budget;
	EXPECT_LE(pinned, (uint64_t)port->pool->size * rte_pktmbuf_data_room_size(port->pool) / 2);
}

TEST_F(TcpConnect, HearsTheAnswerOnTheLcoreThatAsked)
{
	Start(3);
	for (unsigned i = 0; i < 12; i++) {
		ASSERT_NE(nullptr, Connect(1 + i % 3));
		Turn();
		std::vector<Sent> sent = TakeSent();
		ASSERT_EQ(1u, sent.size());
		Receive(SynAck(sent[0].bytes));
		EXPECT_EQ(i + 1, connected);
		Drain();
	}
}
