/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "raw.h"

/* RFC 9293, 3.10.7, RFC 5961, RFC 7323. */

static const std::vector<uint8_t> kAll = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 0};
static const std::vector<uint8_t> kSack = {2, 4, 5, 0xb4, 4, 2, 1, 1};

TEST_F(Raw, DeliversBytesInOrder)
{
	establish();
	send(TCP_ACK | TCP_PSH, seq, ack, "hello ");
	send(TCP_ACK | TCP_PSH, seq + 6, ack, "world");
	EXPECT_EQ("hello world", user.rx);
}

TEST_F(Raw, JoinsABurstIntoOneCallAndOneAck)
{
	establish();
	out.clear();
	for (uint32_t i = 0; i < 20; i++)
		inject(segment(TCP_ACK, seq + i * 1000, ack, std::string(1000, 'x')));
	w->turn(1000);
	EXPECT_EQ(1, user.calls);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(seq + 20000, out[0].ack);
}

TEST_F(Raw, LetsAnAnswerCarryTheAck)
{
	establish();
	send(TCP_ACK | TCP_PSH, seq, ack, std::string(3000, 'q'));
	ASSERT_EQ(1u, out.size());
	out.clear();
	inject(segment(TCP_ACK | TCP_PSH, seq + 3000, ack, std::string(1400, 'q')));
	w->turn(1000);
	EXPECT_TRUE(out.empty());
	write("answer");
	w->turn(1000);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ("answer", out[0].data);
	EXPECT_EQ(seq + 4400, out[0].ack);
}

TEST_F(Raw, AcknowledgesAtTheLatestAfterFortyMilliseconds)
{
	establish();
	send(TCP_ACK | TCP_PSH, seq, ack, "x");
	EXPECT_TRUE(out.empty());
	later(42);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(seq + 1, out[0].ack);
	later(200);
	EXPECT_EQ(1u, out.size());
}

TEST_F(Raw, CountsAndDropsImpossibleHeaders)
{
	establish();
	for (uint8_t off : {0, 1, 4, 15}) {
		auto b = segment(TCP_ACK, seq, ack, "data");

		b[12] = (uint8_t)(off << 4);
		out.clear();
		inject(b);
		w->turn(1000);
		EXPECT_EQ("", user.rx) << (int)off;
		EXPECT_TRUE(out.empty());
	}
	inject(std::vector<uint8_t>(19, 0));
	inject({0});
	w->turn(1000);
	send(TCP_ACK, seq, ack, "data", {2, 0, 0, 0});
	EXPECT_EQ(7u, n().rx_malformed);
	EXPECT_EQ("", user.rx);
	send(TCP_ACK, seq, ack, "data");
	EXPECT_EQ("data", user.rx);
}

TEST_F(Raw, LearnsNoTimestampFromOutsideTheWindow)
{
	establish(kAll);
	/* Somebody who knows the ports only: half of all numbers lie before the window. */
	send(TCP_ACK, seq - 0x20000000, ack, "forged", ts(0x70000000, 0));
	send(TCP_ACK, seq - 1, ack, "", ts(0x70000000, 0));
	EXPECT_EQ(2u, conn()->ts_recent);
	send(TCP_ACK, seq, ack, "true", ts(3, tsval));
	EXPECT_EQ("true", user.rx);
	EXPECT_EQ(3u, conn()->ts_recent);
}

TEST_F(Raw, HandlesSegmentsThatOverlap)
{
	establish(kSack);
	send(TCP_ACK, seq + 5, ack, "fghij");
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(seq, out[0].ack);
	ASSERT_EQ(1, out[0].o.n_sack);
	EXPECT_EQ(seq + 5, out[0].o.sack[0].start);
	EXPECT_EQ(seq + 10, out[0].o.sack[0].end);
	send(TCP_ACK, seq + 3, ack, "defghijklm");
	send(TCP_ACK, seq, ack, "abcde");
	EXPECT_EQ("abcdefghijklm", user.rx);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(seq + 13, out[0].ack);
	EXPECT_EQ(0, out[0].o.n_sack);
	/* The front is old, the end is new. */
	send(TCP_ACK, seq + 10, ack, "klmno");
	EXPECT_EQ("abcdefghijklmno", user.rx);
	/* All of it is old: it must be acknowledged all the same. */
	send(TCP_ACK, seq, ack, "abc");
	EXPECT_EQ("abcdefghijklmno", user.rx);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(seq + 15, out[0].ack);
}

TEST_F(Raw, WorksAcrossTheWrapOfSequenceNumbers)
{
	establish(kSack, 0xfffffffa);
	send(TCP_ACK, seq + 8, ack, "89");
	send(TCP_ACK, seq + 4, ack, "4567");
	send(TCP_ACK, seq, ack, "0123");
	EXPECT_EQ("0123456789", user.rx);
	EXPECT_EQ(seq + 10, out.at(0).ack);
}

TEST_F(Raw, CutsWhatIsBeyondTheWindow)
{
	establish();
	uint32_t wnd = conn()->rcv_adv - conn()->rcv_nxt;

	send(TCP_ACK, seq + wnd - 2, ack, "abcd");
	send(TCP_ACK, seq + wnd, ack, "x");
	EXPECT_EQ(1u, n().rx_outside);
	EXPECT_EQ(2u, conn()->reasm->r[0].end - conn()->reasm->r[0].start);
	send(TCP_ACK, seq - 1, ack, "z");
	EXPECT_EQ("", user.rx);
	EXPECT_EQ(1u, out.size());
}

TEST_F(Raw, IgnoresUrgency)
{
	establish();
	auto b = segment(TCP_ACK | TCP_URG, seq, ack, "urgent");

	b[18] = 0xff;
	b[19] = 0xff;
	inject(b);
	w->turn(1000);
	EXPECT_EQ("urgent", user.rx);
}

TEST_F(Raw, DropsSegmentsWithoutAck)
{
	establish();
	send(0, seq, ack, "none");
	send(TCP_PSH, seq, ack, "none");
	send(TCP_FIN, seq, ack, "");
	EXPECT_EQ("", user.rx);
	EXPECT_EQ(0, user.eofs);
}

TEST_F(Raw, EndsOnlyOnAResetExactlyAtTheEdge)
{
	establish();
	for (uint32_t off : {1u, 1000u, 60000u}) {
		w->turn(10000000);
		send(TCP_RST, seq + off, 0);
		ASSERT_EQ(1u, out.size()) << off;
		EXPECT_EQ(TCP_ACK, out[0].flags);
		EXPECT_EQ(seq, out[0].ack);
	}
	send(TCP_RST, seq - 1, 0);
	EXPECT_TRUE(out.empty());
	send(TCP_RST, seq + (2 << 20), 0);
	EXPECT_TRUE(out.empty());
	EXPECT_EQ(0, user.closed);
	send(TCP_RST, seq, 0);
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(-ECONNRESET, user.err);
	EXPECT_TRUE(out.empty());
}

/* RFC 9293, MUST-66, and 3.5.3: a reset may carry words. */
TEST_F(Raw, HearsAResetThatCarriesWordsThoughTheWindowIsClosed)
{
	establish();
	user.keep = true;
	for (int i = 0; i < 3000 && conn()->rcv_adv != conn()->rcv_nxt; i++)
		send(TCP_ACK, conn()->rcv_nxt, ack,
		     std::string(std::min(1400u, conn()->rcv_adv - conn()->rcv_nxt), 'w'));
	uint32_t nxt = conn()->rcv_nxt;
	ASSERT_EQ(nxt, conn()->rcv_adv);
	send(TCP_RST, nxt - 1, 0, "one too old");
	EXPECT_EQ(0, user.closed);
	send(TCP_RST, nxt, 0, "out of memory");
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(-ECONNRESET, user.err);
}

TEST_F(Raw, ChallengesASynWhateverItsNumber)
{
	establish();
	for (uint32_t off : {0u, 100u, 0x80000000u}) {
		w->turn(10000000);
		send(TCP_SYN, seq + off, 0);
		ASSERT_EQ(1u, out.size());
		EXPECT_EQ(TCP_ACK, out[0].flags);
		EXPECT_EQ(seq, out[0].ack);
	}
	EXPECT_EQ(TCP_ESTABLISHED, state());
}

TEST_F(Raw, ChallengesRarely)
{
	establish();
	out.clear();
	w->turn(10000000);
	for (int i = 0; i < 1000; i++) {
		inject(segment(TCP_RST, seq + 100 + i, 0));
		if (i % 10 == 9)
			w->turn(10000);
	}
	EXPECT_EQ(1u, out.size());
}

TEST_F(Raw, RefusesAcksOfTheFutureAndOfTheFarPast)
{
	establish();
	w->turn(10000000);
	send(TCP_ACK, seq, ack + 1, "future");
	EXPECT_EQ(1u, out.size());
	w->turn(10000000);
	send(TCP_ACK, seq, ack - 100000, "past");
	EXPECT_EQ(1u, out.size());
	EXPECT_EQ("", user.rx);
	EXPECT_EQ(2u, n().rx_bad_ack);
	/* A little old is only late. */
	send(TCP_ACK, seq, ack - 10, "late");
	EXPECT_EQ("late", user.rx);
}

TEST_F(Raw, DropsOldTimestamps)
{
	establish(kAll);
	send(TCP_ACK, seq, ack, "a", ts(100, tsval));
	EXPECT_EQ("a", user.rx);
	later(45); /* our ACK moves the echo */
	send(TCP_ACK, seq + 1, ack, "b", ts(99, tsval));
	EXPECT_EQ("a", user.rx);
	EXPECT_EQ(1u, n().rx_paws);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(100u, out[0].o.tsecr);
	send(TCP_ACK, seq + 1, ack, "b");
	EXPECT_EQ("a", user.rx);
	EXPECT_EQ(2u, n().rx_paws);
	send(TCP_ACK, seq + 1, ack, "b", ts(100, tsval));
	EXPECT_EQ("ab", user.rx);
	/* A reset needs none. */
	send(TCP_RST, seq + 2, 0);
	EXPECT_EQ(1, user.closed);
}

TEST_F(Raw, TakesTimestampsAcrossTheirWrap)
{
	establish(kAll);
	send(TCP_ACK, seq, ack, "a", ts(0x7ffffff0, tsval));
	later(45);
	send(TCP_ACK, seq + 1, ack, "b", ts(0xffffffe0, tsval));
	later(45);
	send(TCP_ACK, seq + 2, ack, "c", ts(5, tsval));
	EXPECT_EQ("abc", user.rx);
}

TEST_F(Raw, EchoesCongestionUntilTheSenderHasHeard)
{
	out.clear();
	inject(segment(TCP_SYN | TCP_ECE | TCP_CWR, 1000, 0, "", {2, 4, 5, 0xb4}));
	w->turn(1000);
	ASSERT_EQ(TCP_SYN | TCP_ACK | TCP_ECE, out.at(0).flags);
	seq = 1001;
	ack = out[0].seq + 1;
	send(TCP_ACK, seq, ack);
	out.clear();
	inject(segment(TCP_ACK, seq, ack, "marked"), 3);
	w->turn(1000);
	ASSERT_EQ(1u, out.size());
	EXPECT_TRUE(out[0].flags & TCP_ECE);
	send(TCP_ACK, seq + 6, ack, std::string(3000, 'x'));
	EXPECT_TRUE(out.at(0).flags & TCP_ECE);
	send(TCP_ACK | TCP_CWR, seq + 3006, ack, std::string(3000, 'x'));
	EXPECT_FALSE(out.at(0).flags & TCP_ECE);
}
