/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "raw.h"

class Flood : public Raw
{
      protected:
	/* SYNs from everywhere, as packets through input. */
	void
	flood(uint32_t count)
	{
		std::mt19937_64 r(9);

		for (uint32_t i = 0; i < count; i++) {
			port_addr from = Wire::address(0);
			uint32_t a = (uint32_t)r();

			memcpy(from.b, &a, 4);
			sport = (uint16_t)r();
			w->wire->inject(1, segment(TCP_SYN, (uint32_t)r(), 0, "", kSyn), from, Wire::address(1));
			if (i % 32 == 31) {
				w->turn(1000);
				out.clear();
			}
		}
		w->turn(1000);
		out.clear();
	}
	const std::vector<uint8_t> kSyn = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 5};
};

TEST_F(Flood, AMillionSynsLeaveRoomForTheOneThatMeansIt)
{
	tcp_usage u;

	establish();
	uint32_t mbufs = rte_mempool_avail_count(World::pool);
	flood(1000000);
	tcp_lcore_usage(us, &u);
	EXPECT_LE(u.half_open, 9u);
	EXPECT_LE(u.conns, 10u);
	EXPECT_EQ(mbufs, rte_mempool_avail_count(World::pool));
	EXPECT_GT(n().cookies_sent, 990000u);
	/* The connection that was there works. */
	sport = 5000;
	send(TCP_ACK, seq, ack, "still here");
	EXPECT_EQ("still here", user.rx);
	/* A new one is made from a cookie, with its options. */
	accepts = 0;
	sport = 5001;
	user.rx.clear();
	send(TCP_SYN, 70000, 0, "", kSyn);
	ASSERT_EQ(1u, out.size());
	ASSERT_EQ(TCP_SYN | TCP_ACK, out[0].flags);
	Reply syn_ack = out[0];
	send(TCP_ACK, 70001, syn_ack.seq + 1, "from a cookie", ts(8, syn_ack.o.tsval));
	EXPECT_EQ(1, accepts);
	EXPECT_EQ(1u, n().cookies_good);
	EXPECT_EQ("from a cookie", user.rx);
	EXPECT_EQ(5, conn()->snd_shift);
	EXPECT_EQ(1460, conn()->mss);
	EXPECT_TRUE(conn()->flags & TCP_F_SACK);
	EXPECT_TRUE(conn()->flags & TCP_F_TS);
}

TEST_F(Flood, ACookieCannotBeForgedOrKept)
{
	flood(2000);
	accepts = 0;
	sport = 5001;
	send(TCP_SYN, 70000, 0, "", kSyn);
	Reply syn_ack = out.at(0);
	/* Another port, another number, another acknowledgement: resets. */
	sport = 5002;
	send(TCP_ACK, 70001, syn_ack.seq + 1, "", ts(8, syn_ack.o.tsval));
	EXPECT_TRUE(out.at(0).flags & TCP_RST);
	sport = 5001;
	send(TCP_ACK, 70002, syn_ack.seq + 1, "", ts(8, syn_ack.o.tsval));
	EXPECT_TRUE(out.at(0).flags & TCP_RST);
	for (uint32_t i = 2; i < 2000; i++)
		send(TCP_ACK, 70001, syn_ack.seq + i, "", ts(8, syn_ack.o.tsval));
	EXPECT_EQ(0, accepts);
	EXPECT_EQ(0u, n().cookies_good);
	/* Too late. */
	later(200000);
	send(TCP_ACK, 70001, syn_ack.seq + 1, "", ts(8, syn_ack.o.tsval));
	EXPECT_TRUE(out.at(0).flags & TCP_RST);
	EXPECT_EQ(0, accepts);
}

TEST_F(Flood, WithoutTimestampsACookieKeepsTheSegmentSize)
{
	flood(2000);
	accepts = 0;
	sport = 5001;
	send(TCP_SYN, 70000, 0, "", {2, 4, 4, 0xd2});
	EXPECT_EQ(TCP_HAS_MSS, out.at(0).o.has);
	send(TCP_ACK, 70001, out.at(0).seq + 1, "x");
	ASSERT_EQ(1, accepts);
	EXPECT_EQ(1220, conn()->mss); /* the next one down in the table */
	EXPECT_EQ(0, conn()->snd_shift);
}

TEST_F(Flood, HalfOpenOnesAreForgottenAndTheTableRecovers)
{
	tcp_usage u;

	flood(100);
	later(70000);
	tcp_lcore_usage(us, &u);
	EXPECT_EQ(0u, u.half_open);
	EXPECT_EQ(0u, u.conns);
	uint64_t cookies = n().cookies_sent;
	sport = 5001;
	establish();
	EXPECT_EQ(cookies, n().cookies_sent);
}
