/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "raw.h"

TEST_F(Raw, ClosesWhenThePeerDid)
{
	establish();
	send(TCP_ACK | TCP_FIN, seq, ack, "bye");
	EXPECT_EQ("bye", user.rx);
	EXPECT_EQ(1, user.eofs);
	EXPECT_EQ(TCP_CLOSE_WAIT, state());
	EXPECT_EQ(seq + 4, out.at(0).ack);
	write("last words");
	user.s->ops->close(user.s);
	out.clear();
	w->turn(1000);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ("last words", out[0].data);
	EXPECT_TRUE(out[0].flags & TCP_FIN);
	EXPECT_EQ(TCP_LAST_ACK, state());
	send(TCP_ACK, seq + 4, ack + 11);
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(0, user.err);
	EXPECT_EQ(TCP_CLOSED, state());
}

TEST_F(Raw, ClosesFirstAndWaits)
{
	establish();
	user.s->ops->close(user.s);
	w->turn(1000);
	EXPECT_EQ(TCP_FIN_WAIT_1, state());
	send(TCP_ACK, seq, ack + 1);
	EXPECT_EQ(TCP_FIN_WAIT_2, state());
	send(TCP_ACK, seq, ack + 1, "more");
	EXPECT_EQ("more", user.rx);
	send(TCP_ACK | TCP_FIN, seq + 4, ack + 1);
	EXPECT_EQ(TCP_TIME_WAIT, state());
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(0, user.err);
	EXPECT_EQ(seq + 5, out.at(0).ack);
	/* The FIN again, because our ACK was lost. */
	send(TCP_ACK | TCP_FIN, seq + 4, ack + 1);
	EXPECT_EQ(seq + 5, out.at(0).ack);
	/* RFC 1337 */
	send(TCP_RST, seq + 5, 0);
	EXPECT_EQ(TCP_TIME_WAIT, state());
	later(61000);
	EXPECT_EQ(TCP_CLOSED, state());
}

TEST_F(Raw, ClosesAtTheSameTime)
{
	establish();
	user.s->ops->close(user.s);
	w->turn(1000);
	send(TCP_ACK | TCP_FIN, seq, ack);
	EXPECT_EQ(TCP_CLOSING, state());
	EXPECT_EQ(0, user.closed);
	send(TCP_ACK, seq + 1, ack + 1);
	EXPECT_EQ(TCP_TIME_WAIT, state());
	EXPECT_EQ(1, user.closed);
}

TEST_F(Raw, RepeatsItsFinWhenNobodyAnswers)
{
	establish();
	user.s->ops->close(user.s);
	out.clear();
	later(3000);
	ASSERT_GE(out.size(), 2u);
	for (const Reply &r : out) {
		EXPECT_EQ(ack, r.seq);
		EXPECT_TRUE(r.flags & TCP_FIN);
	}
	later(200000);
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(-ETIMEDOUT, user.err);
}

TEST_F(Raw, DoesNotWaitForeverForTheOtherFin)
{
	establish();
	user.s->ops->close(user.s);
	w->turn(1000);
	send(TCP_ACK, seq, ack + 1);
	later(61000);
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(-ETIMEDOUT, user.err);
	EXPECT_EQ(TCP_CLOSED, state());
}

TEST_F(Raw, TakesAFinThatComesTooEarlyInItsTurn)
{
	establish();
	send(TCP_ACK | TCP_FIN, seq + 3, ack, "def");
	EXPECT_EQ(0, user.eofs);
	/* Nothing follows a FIN. */
	send(TCP_ACK, seq + 6, ack, "ghi");
	send(TCP_ACK, seq, ack, "abc");
	EXPECT_EQ("abcdef", user.rx);
	EXPECT_EQ(1, user.eofs);
	EXPECT_EQ(seq + 7, out.at(0).ack);
}

TEST_F(Raw, AbortsWithAReset)
{
	establish();
	write("never mind");
	out.clear();
	user.s->ops->abort(user.s);
	EXPECT_EQ(0, user.closed);
	w->turn(1000);
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(-ECONNABORTED, user.err);
	ASSERT_EQ(1u, out.size());
	EXPECT_TRUE(out[0].flags & TCP_RST);
	send(TCP_ACK, seq, ack, "late");
	EXPECT_TRUE(out.at(0).flags & TCP_RST);
	EXPECT_EQ("", user.rx);
}

/* A peer that has it all and whose acknowledgements are lost takes a reset only behind that (RFC 5961, 3.2). */
TEST_F(Raw, AbortsBehindAllThatWasSentThoughItIsSendingAgain)
{
	establish();
	write(std::string(5000, 'x'));
	later(1500);
	EXPECT_GT(n().timeouts, 0u);
	out.clear();
	user.s->ops->abort(user.s);
	w->turn(1000);
	ASSERT_EQ(1u, out.size());
	EXPECT_TRUE(out[0].flags & TCP_RST);
	EXPECT_EQ(ack + 5000, out[0].seq);
}

/* Likewise the duplicate that a peer without SACK counts. */
TEST_F(Raw, AcknowledgesAGapBehindAllThatWasSentThoughItIsSendingAgain)
{
	establish();
	write(std::string(5000, 'x'));
	later(1500);
	EXPECT_GT(n().timeouts, 0u);
	send(TCP_ACK, seq + 3, ack, "def");
	ASSERT_GE(out.size(), 1u);
	EXPECT_EQ("", out[0].data);
	EXPECT_EQ(seq, out[0].ack);
	EXPECT_EQ(ack + 5000, out[0].seq);
}

/* In TIME_WAIT, with timestamps: the peer's last was 50. */
class RawTimeWait : public Raw
{
      protected:
	void
	SetUp() override
	{
		Raw::SetUp();
		establish({2, 4, 5, 0xb4, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1});
		user.s->ops->close(user.s);
		w->turn(1000);
		send(TCP_ACK | TCP_FIN, seq, ack + 1, "", ts(50, tsval));
		ASSERT_EQ(TCP_TIME_WAIT, state());
	}
};

TEST_F(RawTimeWait, ReusesTimeWaitForANewerSynOnly)
{
	later(10);
	send(TCP_SYN, seq + 1000, 0, "", {2, 4, 5, 0xb4, 8, 10, 0, 0, 0, 2, 0, 0, 0, 0, 1, 1});
	EXPECT_EQ(TCP_TIME_WAIT, state());
	EXPECT_EQ(TCP_ACK, out.at(0).flags);
	send(TCP_SYN, seq - 1000, 0, "", {2, 4, 5, 0xb4, 8, 10, 0, 0, 0, 50, 0, 0, 0, 0, 1, 1});
	EXPECT_EQ(TCP_TIME_WAIT, state()) << "the same tick, but an older number";
	send(TCP_SYN, seq - 1000, 0, "", {2, 4, 5, 0xb4, 8, 10, 0, 0, 0, 99, 0, 0, 0, 0, 1, 1});
	EXPECT_EQ(TCP_SYN_RCVD, state());
	EXPECT_EQ(TCP_SYN | TCP_ACK, out.at(0).flags);
	EXPECT_EQ(1u, n().time_wait_reused);
}

/* A host that comes again within one tick of its timestamps (RFC 6191, 2). */
TEST_F(RawTimeWait, ReusesTimeWaitWithinATickOfThePeersClock)
{
	send(TCP_SYN, seq + 1000, 0, "", {2, 4, 5, 0xb4, 8, 10, 0, 0, 0, 50, 0, 0, 0, 0, 1, 1});
	EXPECT_EQ(TCP_SYN_RCVD, state());
}

TEST_F(Raw, EndsTheOldestTimeWaitWhenConnectionsRunOut)
{
	for (int i = 0; i < 40; i++) {
		accepts = 0;
		sport++;
		establish();
		user.s->ops->close(user.s);
		w->turn(1000);
		send(TCP_ACK | TCP_FIN, seq, ack + 1);
		ASSERT_EQ(TCP_TIME_WAIT, state()) << i;
	}
	EXPECT_EQ(40 - 16u, n().time_wait_reused);
	EXPECT_EQ(40, user.closed);
}

TEST_F(Raw, ProbesASilentPeerAndGivesUp)
{
	establish();
	out.clear();
	later(119000);
	EXPECT_TRUE(out.empty());
	later(2000);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(ack - 1, out[0].seq);
	EXPECT_EQ("", out[0].data);
	send(TCP_ACK, seq, ack);
	later(119000);
	EXPECT_TRUE(out.empty());
	later(70000);
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(-ETIMEDOUT, user.err);
}

TEST_F(Raw, AbortsEverythingAtShutdown)
{
	establish();
	tcp_lcore_abort_all(us);
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(-ECONNABORTED, user.err);
}

TEST_F(Raw, RunsNoRetransmissionTimerWhenAllIsAcknowledged)
{
	establish();
	user.s->ops->close(user.s);
	w->turn(1000);
	send(TCP_ACK, seq, ack + 1);
	ASSERT_EQ(TCP_FIN_WAIT_2, state());
	EXPECT_EQ(0u, conn()->due[TCP_DUE_RXT]);
}
