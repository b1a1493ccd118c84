/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "raw.h"

static const std::vector<uint8_t> kScaled = {2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7};

/* A user that puts nothing back, and a peer that sends one byte at a time. */
TEST_F(Raw, BoundsWhatOneByteSegmentsPin)
{
	uint32_t before = rte_mempool_avail_count(World::pool);
	uint32_t at = 0;

	establish(kScaled);
	user.keep = true;
	for (int i = 0; i < 30000; i++) {
		inject(segment(TCP_ACK, seq + at, ack, "x"));
		if (i % 30 == 29)
			w->turn(1000);
		at++;
	}
	w->turn(1000);
	tcp_usage u;
	tcp_lcore_usage(us, &u);
	EXPECT_LE(u.pinned, 2u << 20);
	EXPECT_LE((before - rte_mempool_avail_count(World::pool)) * 9344ull, 2u << 20);
	EXPECT_GT(n().rx_coalesced, 1000u);
	EXPECT_EQ(std::string(user.rx.size(), 'x'), user.rx);
	EXPECT_GT(user.rx.size(), 10000u);
	user.put();
	w->turn(1000);
	tcp_lcore_usage(us, &u);
	EXPECT_LE(u.pinned, 9344u); /* the mbuf small segments are copied into stays */
}

/* A slow reader: its window closes, memory stays bounded, others go on, and the window opens again. */
TEST_F(Raw, ClosesAndReopensTheWindowOfASlowReader)
{
	uint32_t at = 0, told = 0;
	uint8_t shift;

	establish(kScaled);
	shift = conn()->rcv_shift;
	user.keep = true;
	for (int i = 0; i < 2000; i++) {
		send(TCP_ACK, seq + at, ack, std::string(1400, 'y'));
		if (!out.empty()) {
			at = out.back().ack - seq;
			told = (uint32_t)out.back().wnd << shift;
			if (told < 1400)
				break;
		}
	}
	EXPECT_LT(told, 1400u);
	EXPECT_LE(tcp_lcore_counters(us)->rx_bytes, (1u << 20) + 65536); /* rounded up to the scale each time */
	/* The sender probes; it must hear that the window is closed still. */
	w->turn(10000000);
	send(TCP_ACK, seq + at - 1, ack);
	ASSERT_EQ(1u, out.size());
	EXPECT_LT((uint32_t)out[0].wnd << shift, 1400u);
	/* Put back: the peer hears at once. */
	out.clear();
	user.put();
	w->turn(1000);
	ASSERT_EQ(1u, out.size());
	EXPECT_GE((uint32_t)out[0].wnd << shift, 500000u);
}

TEST_F(Raw, NeverTakesBackWindow)
{
	uint32_t edge;
	uint8_t shift;

	establish(kScaled);
	shift = conn()->rcv_shift;
	user.keep = true;
	edge = seq;
	for (uint32_t i = 0, at = 0; i < 500; i++, at += 700) {
		send(TCP_ACK, seq + at, ack, std::string(700, 'z'));
		for (const Reply &r : out) {
			uint32_t e = r.ack + ((uint32_t)r.wnd << shift);

			ASSERT_GE((int32_t)(e - edge), 0) << i;
			edge = e;
		}
		if (i % 7 == 0)
			user.put();
	}
}

TEST_F(Raw, OutlivesItsStreamWhileBufsAreHeld)
{
	tcp_usage u;

	establish(kScaled);
	user.keep = true;
	send(TCP_ACK, seq, ack, "precious");
	send(TCP_RST, seq + 8, 0);
	EXPECT_EQ(1, user.closed);
	tcp_lcore_usage(us, &u);
	EXPECT_EQ(1u, u.conns);
	EXPECT_EQ(0, memcmp(user.kept.at(0)->addr, "precious", 8));
	user.put();
	tcp_lcore_usage(us, &u);
	EXPECT_EQ(0u, u.conns);
	EXPECT_EQ(0u, u.pinned);
}

/* Bufs put on another lcore come back by message. */
TEST_F(Raw, TakesCreditBackFromOtherLcores)
{
	tcp_usage u;

	establish(kScaled);
	user.keep = true;
	send(TCP_ACK, seq, ack, std::string(1000, 'a'));
	send(TCP_ACK, seq + 1000, ack, std::string(1000, 'a'));
	tcp_lcore_usage(us, &u);
	EXPECT_GT(u.pinned, 2 * 9344u);
	strake_lcore *self = strake_self();
	RTE_PER_LCORE(strake_self) = nullptr; /* this thread is no lcore now */
	user.put();
	tcp_lcore_usage(us, &u);
	EXPECT_GT(u.pinned, 2 * 9344u);
	RTE_PER_LCORE(strake_self) = self;
	w->turn(1000);
	tcp_lcore_usage(us, &u);
	EXPECT_EQ(0u, u.pinned);
}

/* Others pin what the lcore has; when they let go, a peer whose window stayed shut hears of it without asking. */
TEST_F(Raw, OpensTheWindowThatOthersHeldShut)
{
	User other;
	uint32_t at = 0, told = UINT32_MAX;
	uint8_t shift;

	establish(kScaled);
	other.s = user.s;
	other.s->user = &other;
	other.keep = true;
	us->pin_budget = 20000;
	for (int i = 0; i < 3; i++)
		send(TCP_ACK, seq + at, ack, std::string(1400, 'o')), at += 1400;
	ASSERT_GT(us->pinned, us->pin_budget);
	accepts = 0;
	sport = 5001;
	establish(kScaled);
	shift = conn()->rcv_shift;
	for (at = 0; told >= 1400;) {
		send(TCP_ACK, seq + at, ack, std::string(1400, 'm'));
		at += 1400;
		for (const Reply &r : out)
			told = (uint32_t)r.wnd << shift;
		ASSERT_LT(at, 1u << 20);
	}
	/* Nothing of its own is pinned but the mbuf that small segments share. */
	out.clear();
	other.put();
	w->turn(1000);
	told = 0;
	for (const Reply &r : out)
		if (r.dport == 5001)
			told = (uint32_t)r.wnd << shift;
	EXPECT_GE(told, 500000u);
	other.s->ops->abort(other.s);
	w->turn(1000);
}

/* Peers that send all but the first byte, which they may before anybody knows who they are, and keep it up: what they
 * pin leaves the window of the others as it is. */
TEST_F(Raw, GapsOfSomeLeaveTheOthersTheirWindow)
{
	User gaps[3];
	uint32_t at = 0, told = UINT32_MAX;
	uint8_t shift;

	us->pin_budget = 2u << 20;
	for (User &u : gaps) {
		establish(kScaled);
		u.s = user.s;
		u.s->user = &u;
		for (uint32_t off = 1; off < 900000; off += 8000)
			send(TCP_ACK, seq + off, ack, std::string(8000, 'g'));
		accepts = 0;
		sport++;
	}
	EXPECT_GT(us->pinned, us->pin_budget / 4) << "what fits is kept";
	establish(kScaled);
	shift = conn()->rcv_shift;
	for (at = 0; at < 2u << 20; at += 1400) {
		send(TCP_ACK, seq + at, ack, std::string(1400, 'm'));
		for (const Reply &r : out)
			told = (uint32_t)r.wnd << shift;
		ASSERT_GE(told, 500000u) << at;
	}
	for (User &u : gaps)
		u.s->ops->abort(u.s);
	w->turn(1000);
}

/* Segments of which two do not quite fill an mbuf, and a user that keeps them: nothing that was told is refused. */
TEST_F(Raw, KeepsWhatItToldOfWhateverTheSegments)
{
	for (uint32_t size : {2400u, 4600u, 4700u, 8900u}) {
		uint32_t at = 0, edge;
		uint8_t shift;

		TearDown();
		accepts = 0;
		SetUp();
		establish(kScaled);
		shift = conn()->rcv_shift;
		user.keep = true;
		edge = seq + 65535;
		while (edge - (seq + at) >= size) {
			send(TCP_ACK, seq + at, ack, std::string(size, 'k'));
			at += size;
			for (const Reply &r : out)
				edge = r.ack + ((uint32_t)r.wnd << shift);
			ASSERT_LT(at, 4u << 20);
		}
		EXPECT_EQ(0u, n().rx_no_credit) << size;
	}
}
