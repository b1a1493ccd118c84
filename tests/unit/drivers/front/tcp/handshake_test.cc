/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "raw.h"

TEST_F(Raw, AgreesOnWhatBothOffer)
{
	send(TCP_SYN, 1000, 0, "", {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7});
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(TCP_HAS_MSS | TCP_HAS_SACK_PERM | TCP_HAS_TS | TCP_HAS_WSCALE, out[0].o.has);
	EXPECT_EQ(1460, out[0].o.mss);
	EXPECT_EQ(9u, out[0].o.tsecr);
	EXPECT_GE(65535u << out[0].o.wscale, 1u << 20);
}

TEST_F(Raw, OffersNothingThatWasNotOffered)
{
	send(TCP_SYN, 1000, 0);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(TCP_HAS_MSS, out[0].o.has);
	EXPECT_EQ(TCP_SYN | TCP_ACK, out[0].flags);
}

TEST_F(Raw, SendsNoMoreThanThePeersSegmentSize)
{
	establish({2, 4, 2, 0});
	write(std::string(2000, 'a'));
	out.clear();
	w->turn(1000);
	ASSERT_EQ(4u, out.size());
	EXPECT_EQ(512u, out[0].data.size());
	EXPECT_EQ(464u, out[3].data.size());
}

TEST_F(Raw, AssumesTheDefaultSegmentSize)
{
	establish({});
	write(std::string(1000, 'a'));
	out.clear();
	w->turn(1000);
	EXPECT_EQ(536u, out.at(0).data.size());
}

TEST_F(Raw, DoesNotStoopToTinySegments)
{
	establish({2, 4, 0, 1});
	EXPECT_EQ(TCP_MSS_MIN, conn()->mss);
}

TEST_F(Raw, AnswersARepeatedSynWithTheSameNumber)
{
	send(TCP_SYN, 1000, 0);
	uint32_t iss = out.at(0).seq;

	send(TCP_SYN, 1000, 0);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(iss, out[0].seq);
	EXPECT_EQ(0, accepts);
}

/* The host died behind its SYN and begins anew: what it says to our answer is what lets it in (RFC 9293, 3.5.1). */
TEST_F(Raw, AnswersAnotherSynWithWhatItExpects)
{
	send(TCP_SYN, 1000, 0, "", {2, 4, 5, 0xb4});
	ASSERT_EQ(1u, out.size());
	uint32_t iss = out[0].seq;
	w->turn(10000000);
	send(TCP_SYN, 500000, 0, "", {2, 4, 5, 0xb4});
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(TCP_ACK, out[0].flags);
	EXPECT_EQ(iss + 1, out[0].seq);
	EXPECT_EQ(1001u, out[0].ack);
	send(TCP_RST, 1001, 0);
	EXPECT_EQ(TCP_CLOSED, state());
	send(TCP_SYN, 500000, 0, "", {2, 4, 5, 0xb4});
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(TCP_SYN | TCP_ACK, out[0].flags);
	EXPECT_EQ(500001u, out[0].ack);
}

TEST_F(Raw, RepeatsTheSynAckAndThenForgets)
{
	send(TCP_SYN, 1000, 0);
	out.clear();
	later(70000);
	EXPECT_EQ(5u, out.size());
	EXPECT_EQ(TCP_CLOSED, state());
	EXPECT_EQ(0, accepts);
	tcp_usage u;
	tcp_lcore_usage(us, &u);
	EXPECT_EQ(0u, u.conns);
	EXPECT_EQ(0u, u.half_open);
}

TEST_F(Raw, IgnoresPayloadOfASyn)
{
	send(TCP_SYN, 1000, 0, "early");
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(1001u, out[0].ack);
	send(TCP_ACK, 1001, out[0].seq + 1, "early");
	EXPECT_EQ("early", user.rx);
}

TEST_F(Raw, TakesDataWithTheAckOfTheHandshake)
{
	send(TCP_SYN, 1000, 0);
	uint32_t iss = out.at(0).seq;

	send(TCP_ACK | TCP_PSH | TCP_FIN, 1001, iss + 1, "all at once");
	EXPECT_EQ(1, accepts);
	EXPECT_EQ("all at once", user.rx);
	EXPECT_EQ(1, user.eofs);
}

TEST_F(Raw, ResetsAnAckOfAnotherSyn)
{
	send(TCP_SYN, 1000, 0);
	uint32_t iss = out.at(0).seq;

	for (uint32_t bad : {iss, iss + 2, iss - 1}) {
		send(TCP_ACK, 1001, bad);
		ASSERT_EQ(1u, out.size());
		EXPECT_EQ(TCP_RST, out[0].flags);
		EXPECT_EQ(bad, out[0].seq);
	}
	EXPECT_EQ(0, accepts);
	send(TCP_ACK, 1001, iss + 1);
	EXPECT_EQ(1, accepts);
}

TEST_F(Raw, ForgetsAHalfOpenConnectionOnReset)
{
	send(TCP_SYN, 1000, 0);
	send(TCP_RST, 1002, 0);
	EXPECT_EQ(TCP_SYN_RCVD, state());
	send(TCP_RST, 1001, 0);
	EXPECT_EQ(TCP_CLOSED, state());
	EXPECT_EQ(0, accepts);
}

TEST_F(Raw, ResetsWhatNobodyListensFor)
{
	dport = 9;
	send(TCP_SYN, 1000, 0, "abc");
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(TCP_RST | TCP_ACK, out[0].flags);
	EXPECT_EQ(1004u, out[0].ack);
	EXPECT_EQ(0u, out[0].seq);
	send(TCP_ACK, 1000, 77, "abc");
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(TCP_RST, out[0].flags);
	EXPECT_EQ(77u, out[0].seq);
	send(TCP_RST, 1000, 0);
	EXPECT_TRUE(out.empty());
	send(TCP_FIN, 1000, 0);
	EXPECT_EQ(1001u, out.at(0).ack);
}

TEST_F(Raw, DropsOddSegmentsAtAListener)
{
	for (int f : {TCP_SYN | TCP_FIN, 0, TCP_FIN, TCP_PSH | TCP_URG, TCP_RST | TCP_SYN}) {
		send((uint8_t)f, 1000, 0);
		EXPECT_TRUE(out.empty()) << f;
	}
	send(TCP_SYN | TCP_ACK, 1000, 5);
	EXPECT_EQ(TCP_RST, out.at(0).flags);
	EXPECT_EQ(TCP_CLOSED, state());
}

TEST_F(Raw, ResetsWhatTheUserRefuses)
{
	user.refuse = 1;
	send(TCP_SYN, 1000, 0);
	send(TCP_ACK, 1001, out.at(0).seq + 1);
	ASSERT_EQ(1u, out.size());
	EXPECT_TRUE(out[0].flags & TCP_RST);
	EXPECT_EQ(0, user.closed);
	EXPECT_EQ(TCP_CLOSED, state());
}

TEST_F(Raw, StopsAcceptingButKeepsStreams)
{
	sockaddr_storage ss = peer_address(1, 4420, 4);

	establish();
	w->carrier[1]->unlisten(w->carrier[1], (sockaddr *)&ss);
	w->turn(1000);
	send(TCP_ACK, seq, ack, "still");
	EXPECT_EQ("still", user.rx);
	sport++;
	send(TCP_SYN, 1, 0);
	EXPECT_TRUE(out.at(0).flags & TCP_RST);
	EXPECT_EQ(0, w->carrier[1]->listen(
			     w->carrier[1], (sockaddr *)&ss, [](strake_stream *, void *) { return -1; }, nullptr));
	EXPECT_EQ(-EADDRINUSE,
		  w->carrier[1]->listen(
			  w->carrier[1], (sockaddr *)&ss, [](strake_stream *, void *) { return -1; }, nullptr));
}

/* Active opens, from the instance under test towards the hand-made peer. */
class RawConnect : public Raw
{
      protected:
	void
	open()
	{
		sockaddr_storage ss = peer_address(0, 7000, 4);

		ASSERT_EQ(0, w->carrier[1]->connect(w->carrier[1], (sockaddr *)&ss, &User::cb, &user, &user.s));
		out.clear();
		w->turn(1000);
		ASSERT_EQ(1u, out.size());
		ASSERT_EQ(TCP_SYN | TCP_ECE | TCP_CWR, out[0].flags);
		iss = out[0].seq;
		sport = 7000;
		dport = out[0].sport;
		EXPECT_GE(dport, 32768);
	}
	uint32_t iss = 0;
};

TEST_F(RawConnect, FinishesTheHandshake)
{
	open();
	send(TCP_SYN | TCP_ACK, 500, iss + 1, "", {2, 4, 5, 0xb4});
	EXPECT_EQ(1, user.connects);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(TCP_ACK, out[0].flags);
	EXPECT_EQ(501u, out[0].ack);
}

TEST_F(RawConnect, IsRefused)
{
	open();
	send(TCP_RST, 0, 0); /* acknowledges nothing: anybody could have sent it */
	EXPECT_EQ(0, user.closed);
	send(TCP_RST | TCP_ACK, 0, iss);
	EXPECT_EQ(0, user.closed);
	send(TCP_RST | TCP_ACK, 0, iss + 1);
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(-ECONNREFUSED, user.err);
	EXPECT_EQ(0, user.connects);
}

TEST_F(RawConnect, ResetsAStrangeSynAck)
{
	open();
	send(TCP_SYN | TCP_ACK, 500, iss + 2);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(TCP_RST, out[0].flags);
	EXPECT_EQ(iss + 2, out[0].seq);
	EXPECT_EQ(0, user.connects);
}

TEST_F(RawConnect, OpensWithAPeerThatOpensTooAndDropsEcn)
{
	open();
	send(TCP_SYN, 500, 0, "", {2, 4, 5, 0xb4});
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(TCP_SYN | TCP_ACK, out[0].flags);
	EXPECT_EQ(iss, out[0].seq);
	EXPECT_EQ(501u, out[0].ack);
	send(TCP_ACK, 501, iss + 1, "hi");
	EXPECT_EQ(1, user.connects);
	EXPECT_EQ("hi", user.rx);
}

/* A peer that stands as we do answers with a SYN-ACK, not with an ACK: two of us must not go on so for ever. */
TEST_F(RawConnect, OpensWithAPeerThatOpensTooAndAnswersAsWeDo)
{
	open();
	send(TCP_SYN, 500, 0, "", {2, 4, 5, 0xb4});
	send(TCP_SYN | TCP_ACK, 500, iss + 1, "", {2, 4, 5, 0xb4});
	EXPECT_EQ(1, user.connects);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(TCP_ACK, out[0].flags);
	EXPECT_EQ(501u, out[0].ack);
	EXPECT_EQ(iss + 1, out[0].seq);
	send(TCP_ACK, 501, iss + 1, "hi");
	EXPECT_EQ("hi", user.rx);
}

TEST_F(RawConnect, GivesUpAfterAMinute)
{
	open();
	out.clear();
	later(125000);
	EXPECT_EQ(5u, out.size());
	EXPECT_EQ(TCP_SYN, out[0].flags); /* without ECN from the second on */
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(-ETIMEDOUT, user.err);
}

TEST_F(RawConnect, ClosesBeforeItIsConnected)
{
	open();
	user.s->ops->close(user.s);
	EXPECT_EQ(0, user.closed); /* not from inside the call */
	w->turn(1000);
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(0, user.err);
}

/* Some senders may not connect. */
class RawAdmit : public Raw
{
      protected:
	void
	SetUp() override
	{
		tcp_conf c = conf();

		c.admit = [](void *arg, const struct port_pkt *pkt, uint16_t port) {
			auto *self = (RawAdmit *)arg;
			port_addr peer = Wire::address(0);

			self->asked++;
			EXPECT_EQ(self->dport, port);
			EXPECT_EQ(0, memcmp(peer.b, pkt->src.b, sizeof(peer.b)));
			return self->allow;
		};
		c.admit_arg = this;
		build(WireConf(), c);
	}
	bool allow = false;
	int asked = 0;
};

TEST_F(RawAdmit, GivesNoAnswerToWhoMayNotConnect)
{
	tcp_usage u;

	send(TCP_SYN, 1000, 0);
	EXPECT_TRUE(out.empty());
	dport = 9; /* nobody listens: not even that is told */
	send(TCP_SYN, 1000, 0);
	later(2000);
	EXPECT_TRUE(out.empty());
	EXPECT_EQ(2u, n().denied);
	EXPECT_EQ(0u, n().tx_segments);
	tcp_lcore_usage(us, &u);
	EXPECT_EQ(0u, u.conns);
	EXPECT_EQ(0u, u.half_open);
}

TEST_F(RawAdmit, AsksOnceForEachSynAndNeverAgain)
{
	allow = true;
	establish();
	EXPECT_EQ(1, asked);
	allow = false; /* who is in stays in */
	send(TCP_ACK, seq, ack, "still");
	EXPECT_EQ("still", user.rx);
	EXPECT_EQ(1, asked);
	EXPECT_EQ(0u, n().denied);
	sport++;
	send(TCP_SYN, 1, 0);
	EXPECT_EQ(2, asked);
	EXPECT_TRUE(out.empty());
}

TEST_F(RawAdmit, AsksAgainWhenACookieComesBack)
{
	tcp_usage u;

	allow = true;
	us->half_open_max = 0;
	send(TCP_SYN, 1000, 0);
	ASSERT_EQ(1u, out.size());
	ASSERT_EQ(1u, n().cookies_sent);
	allow = false; /* as for one who guessed the cookie */
	send(TCP_ACK, 1001, out[0].seq + 1);
	EXPECT_EQ(0, accepts);
	EXPECT_TRUE(out.empty());
	tcp_lcore_usage(us, &u);
	EXPECT_EQ(0u, u.conns);
	EXPECT_EQ(0u, u.half_open);
	allow = true;
	send(TCP_SYN, 1000, 0);
	ASSERT_EQ(1u, out.size());
	send(TCP_ACK, 1001, out[0].seq + 1);
	EXPECT_EQ(1, accepts);
	EXPECT_EQ(4, asked);
}

TEST_F(Raw, KeepsTheMarksOfTheNewestPacket)
{
	WireConf wc;

	wc.pcp = 6;
	w.reset();
	build(wc, conf());
	establish();
	EXPECT_EQ(0, user.s->tos);
	EXPECT_EQ(6, user.s->pcp);
	inject(segment(TCP_ACK, seq, ack, "a"), 0xb8);
	w->turn(1000);
	EXPECT_EQ(0xb8, user.s->tos);
	inject(segment(TCP_ACK | TCP_URG, seq + 1, ack, "b"), 0x20); /* not by the fast path */
	w->turn(1000);
	EXPECT_EQ("ab", user.rx);
	EXPECT_EQ(0x20, user.s->tos);
	inject(segment(TCP_ACK, seq + (1u << 30), ack, "b"), 0x40); /* outside the window: perhaps not the peer's */
	w->turn(1000);
	EXPECT_EQ(0x20, user.s->tos);
}

/* A port with an exception path: the host's kernel has the other ports. */
class RawForeign : public RawAdmit
{
      protected:
	void
	SetUp() override
	{
		RawAdmit::SetUp();
		allow = true;
		port_if *ifp = w->wire->side(1);

		ops = *ifp->ops;
		ops.foreign = [](port_if *, rte_mbuf *m) {
			taken++;
			rte_pktmbuf_free(m);
			return true;
		};
		ifp->ops = &ops;
		taken = 0;
	}
	port_if_ops ops = {};
	static int taken;
};
int RawForeign::taken;

TEST_F(RawForeign, GivesAwayWhatIsForNoListenerWhoeverSentIt)
{
	allow = false; /* the kernel has its own mind about who may connect */
	dport = 22;
	for (uint8_t f : {TCP_SYN, TCP_ACK, TCP_RST, TCP_FIN | TCP_ACK, TCP_SYN | TCP_ACK})
		send(f, 1000, 7, "ssh");
	EXPECT_EQ(5, taken);
	EXPECT_TRUE(out.empty());
	EXPECT_EQ(0, asked);
	EXPECT_EQ(0u, n().tx_resets);
}

TEST_F(RawForeign, KeepsWhatIsForAListenerOrAConnectionAlsoWhenItIsWrong)
{
	send(TCP_ACK, 1000, 77); /* no connection, but our port: ours to reset */
	EXPECT_EQ(TCP_RST, out.at(0).flags);
	send(TCP_RST, 1000, 77);
	establish();
	send(TCP_ACK, seq, ack, "bytes");
	EXPECT_EQ("bytes", user.rx);
	EXPECT_EQ(0, taken);
}
