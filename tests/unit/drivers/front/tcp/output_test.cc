/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "raw.h"

static const std::vector<uint8_t> kSack = {2, 4, 3, 0xe8, 4, 2, 1, 1}; /* MSS 1000 */

static std::string
numbers(size_t n)
{
	std::string s;

	for (size_t i = 0; i < n; i++)
		s.push_back((char)(i * 31 + i / 256));
	return s;
}

TEST_F(Raw, GathersATurnsWritesIntoFullSegments)
{
	std::string all;

	establish(kSack);
	for (int i = 0; i < 50; i++) {
		std::string part = numbers(60 + i);

		all += part;
		write(part);
	}
	out.clear();
	w->turn(1000);
	std::string got;
	for (const Reply &r : out)
		got += r.data;
	EXPECT_EQ(all, got);
	EXPECT_EQ((all.size() + 999) / 1000, out.size());
	EXPECT_TRUE(out.back().flags & TCP_PSH);
	EXPECT_FALSE(out[0].flags & TCP_PSH);
}

TEST_F(Raw, RetransmitsWhatThreeDuplicatesAskFor)
{
	establish(); /* no SACK */
	write(numbers(14600));
	out.clear();
	w->turn(1000);
	ASSERT_EQ(10u, out.size());
	send(TCP_ACK, seq, ack);
	send(TCP_ACK, seq, ack);
	EXPECT_TRUE(out.empty());
	send(TCP_ACK, seq, ack);
	ASSERT_GE(out.size(), 1u);
	EXPECT_EQ(ack, out[0].seq);
	EXPECT_EQ(1460u, out[0].data.size());
	/* A partial acknowledgement brings the next (RFC 6582). */
	send(TCP_ACK, seq, ack + 2920);
	ASSERT_GE(out.size(), 1u);
	EXPECT_EQ(ack + 2920, out[0].seq);
	send(TCP_ACK, seq, ack + 14600);
	EXPECT_TRUE(out.empty());
	EXPECT_EQ(0u, user.s->tx_queued);
	EXPECT_EQ(1u, n().recoveries);
}

TEST_F(Raw, RetransmitsOnlyHolesWithSack)
{
	establish(kSack);
	write(numbers(10000));
	out.clear();
	w->turn(1000);
	ASSERT_EQ(10u, out.size());
	/* Segments 0 and 4 are missing; one ACK tells. */
	send(TCP_ACK, seq, ack, "", sack({{ack + 1000, ack + 4000}, {ack + 5000, ack + 10000}}));
	ASSERT_EQ(2u, out.size());
	EXPECT_EQ(ack, out[0].seq);
	EXPECT_EQ(ack + 4000, out[1].seq);
	EXPECT_EQ(1000u, out[1].data.size());
	send(TCP_ACK, seq, ack + 10000);
	EXPECT_EQ(0u, user.s->tx_queued);
	EXPECT_EQ(nullptr, conn()->trouble);
}

TEST_F(Raw, IgnoresSackThatWasNotAgreed)
{
	establish();
	write(numbers(5000));
	w->turn(1000);
	send(TCP_ACK, seq, ack, "", sack({{ack + 1460, ack + 5000}}));
	EXPECT_EQ(0u, conn()->board->n);
}

TEST_F(Raw, SendsFromTheFirstHoleAfterATimeout)
{
	establish(kSack);
	write(numbers(5000));
	w->turn(1000);
	send(TCP_ACK, seq, ack, "", sack({{ack + 1000, ack + 2000}}));
	out.clear();
	later(2500);
	ASSERT_GE(out.size(), 1u);
	for (const Reply &r : out)
		EXPECT_NE(ack + 1000, r.seq); /* is known to have arrived */
	EXPECT_GE(n().timeouts, 1u);
	/* The peer threw away what it had said it held: it must come again. */
	send(TCP_ACK, seq, ack + 1000);
	out.clear();
	later(5000);
	bool again = false;
	for (const Reply &r : out)
		again |= r.seq == ack + 1000;
	EXPECT_TRUE(again);
}

TEST_F(Raw, BacksOffAndGivesUp)
{
	establish(kSack);
	write("anybody?");
	out.clear();
	later(200000);
	EXPECT_GE(out.size(), 25u);
	EXPECT_LE(out.size(), 35u); /* never further apart than TCP_RTO_MAX */
	EXPECT_EQ(1, user.closed);
	EXPECT_EQ(-ETIMEDOUT, user.err);
}

TEST_F(Raw, ProbesAClosedWindowUntilItOpens)
{
	establish(kSack);
	send(TCP_ACK, seq, ack, "", {}, 0);
	write(numbers(3000));
	out.clear();
	w->turn(1000);
	EXPECT_TRUE(out.empty());
	later(10000);
	ASSERT_GE(out.size(), 3u);
	for (const Reply &r : out) {
		EXPECT_EQ("", r.data);
		EXPECT_EQ(ack - 1, r.seq);
		EXPECT_EQ(0, user.closed);
	}
	/* Closed for an hour, but alive. */
	for (int i = 0; i < 60; i++) {
		later(60000);
		send(TCP_ACK, seq, ack, "", {}, 0);
	}
	ASSERT_EQ(0, user.closed);
	send(TCP_ACK, seq, ack, "", {}, 65535);
	ASSERT_EQ(3u, out.size());
	EXPECT_EQ(1000u, out[0].data.size());
}

TEST_F(Raw, DoesNotSendCrumbsIntoASmallWindow)
{
	establish(kSack);
	write(numbers(1000));
	w->turn(1000);
	send(TCP_ACK, seq, ack + 1000, "", {}, 100);
	write(numbers(5000));
	out.clear();
	w->turn(1000);
	EXPECT_TRUE(out.empty());
	/* But it does not wait for ever either. */
	later(1500);
	ASSERT_GE(out.size(), 1u);
	EXPECT_EQ(100u, out[0].data.size());
}

TEST_F(Raw, BearsAWindowThatShrinks)
{
	establish(kSack);
	write(numbers(10000));
	out.clear();
	w->turn(1000);
	ASSERT_EQ(10u, out.size());
	send(TCP_ACK, seq, ack + 2000, "", {}, 1000);
	/* What we send now must lie within the window, or it would be ignored. */
	send(TCP_ACK, seq, ack + 2000, std::string(3000, 'x'), {}, 1000);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(ack + 3000, out[0].seq);
	out.clear();
	later(3000);
	for (const Reply &r : out)
		EXPECT_LE(r.seq + r.data.size() - (ack + 2000), 1000u);
	EXPECT_GE(out.size(), 1u);
	send(TCP_ACK, seq + 3000, ack + 10000, "", {}, 65535);
	EXPECT_EQ(0u, user.s->tx_queued);
	EXPECT_EQ(0, user.closed);
}

TEST_F(Raw, SendsATailProbeBeforeTheTimeout)
{
	establish(kSack);
	write(numbers(1000));
	w->turn(1000);
	send(TCP_ACK, seq, ack + 1000); /* a round trip was measured */
	write(numbers(3000));
	w->turn(1000);
	out.clear();
	later(20);
	ASSERT_EQ(1u, out.size());
	EXPECT_EQ(ack + 3000, out[0].seq);
	EXPECT_EQ(1u, n().tail_probes);
	EXPECT_EQ(0u, n().timeouts);
}

TEST_F(Raw, ObeysPacketTooBigThatQuotesItsOwn)
{
	port_addr me = Wire::address(1), other = Wire::address(0);
	auto *ifp = w->wire->side(1);

	establish({2, 4, 5, 0xb4});
	write(numbers(5840));
	out.clear();
	w->turn(1000);
	ASSERT_EQ(4u, out.size());
	auto quote = segment(0, ack, 0);
	std::swap(quote[0], quote[2]);
	std::swap(quote[1], quote[3]);
	auto forged = quote;
	forged[4] ^= 0x40; /* a sequence number not in flight */
	out.clear();
	ifp->too_big(ifp->user, &me, &other, forged.data(), 600);
	w->turn(1000);
	EXPECT_TRUE(out.empty());
	ifp->too_big(ifp->user, &me, &other, quote.data(), 1000);
	w->turn(1000);
	ASSERT_GE(out.size(), 5u);
	EXPECT_EQ(ack, out[0].seq);
	EXPECT_EQ(960u, out[0].data.size());
	EXPECT_EQ(1u, n().rx_too_big);
	/* Not below what makes sense. */
	ifp->too_big(ifp->user, &me, &other, quote.data(), 0);
	EXPECT_EQ(TCP_MSS_MIN, conn()->mss);
}

TEST_F(Raw, CallsTheUserWhenThereIsRoomAgain)
{
	establish(kSack);
	write(numbers(1000));
	user.s->want_room = true;
	w->turn(1000);
	EXPECT_EQ(0, user.rooms);
	EXPECT_EQ(1000u, user.s->tx_queued);
	send(TCP_ACK, seq, ack + 500);
	EXPECT_EQ(1, user.rooms);
	EXPECT_EQ(500u, user.s->tx_queued);
	EXPECT_FALSE(user.s->want_room);
	send(TCP_ACK, seq, ack + 1000);
	EXPECT_EQ(1, user.rooms);
}

TEST_F(Raw, TellsItsFigures)
{
	const char *names[64];
	uint64_t values[64];

	establish(kSack);
	unsigned int n = user.s->figures(user.s, names, values, 64);

	ASSERT_GT(n, 10u);
	EXPECT_EQ(3u, user.s->figures(user.s, names, values, 3));
}

TEST_F(Raw, SaysThatItsPortCopies)
{
	w->wire->side(1)->copies = true;
	establish(kSack);
	EXPECT_TRUE(user.s->copies);
}

TEST_F(Raw, SaysThatItsPortHasThemFetched)
{
	establish(kSack);
	EXPECT_FALSE(user.s->copies);
}

/* The window has room for what was lost, not for a full segment: no reason to hold the loss back. */
TEST_F(Raw, RetransmitsIntoASillyWindow)
{
	int again = 0;

	establish(kSack);
	send(TCP_ACK, seq, ack, "", {}, 150);
	write(numbers(100));
	w->turn(1000);
	write(numbers(5000));
	out.clear();
	later(7000);
	for (const Reply &r : out)
		again += r.seq == ack && r.data.size() >= 100;
	EXPECT_GE(again, 4);
	/* Once that has come, the peer's window is what counts again. */
	send(TCP_ACK, seq, ack + 150, "", {}, 65535);
	EXPECT_EQ(1000u, conn()->snd_max - conn()->snd_una);
}

/* Pages of a payload whose sums are known are sent without being read, so segments end with a page if that costs less
 * than a quarter of them. */
TEST_F(Raw, EndsSegmentsWherePagesEndIfTheirSumsAreKnown)
{
	static std::vector<uint8_t> room((1 << 20) + 4096);
	static uint8_t *base = room.data() + (-(uintptr_t)room.data() & 4095);
	static strake_backing backing = {
		"pages", nullptr, [](const strake_buf *b, uint32_t off, uint32_t len, uint16_t *sum) {
			if ((((uintptr_t)b->addr + off) | len) % 4096 != 0)
				return false;
			*sum = (uint16_t)~strake_cksum_fold(strake_kernel->cksum(b->addr + off, len, 0));
			return true;
		}};
	WireConf wc;

	wc.mtu = 9000;
	build(wc, conf());
	establish({2, 4, 0x22, 0xf4}); /* MSS 8948 */
	for (size_t i = 0; i < 32768; i++)
		base[i] = (uint8_t)(i * 7 + i / 4096);
	/* A header of 24 bytes before one page, another before three. */
	strake_buf *h0 = strdup_buf(numbers(24)), *h1 = strdup_buf(numbers(24));
	h0->next = strake_buf_wrap(base, 4096, &backing, nullptr, STRAKE_BUF_STABLE);
	h0->next->next = h1;
	h1->next = strake_buf_wrap(base + 4096, 12288, &backing, nullptr, STRAKE_BUF_STABLE);
	out.clear();
	strake_stream_send(user.s, h0, 2 * 24 + 4 * 4096);
	w->turn(1000);
	std::string want = numbers(24) + std::string((char *)base, 4096) + numbers(24) +
			   std::string((char *)base + 4096, 12288),
		    got;
	for (const Reply &r : out)
		got += r.data;
	EXPECT_TRUE(want == got);
	ASSERT_EQ(2u, out.size());
	EXPECT_EQ(2 * (24 + 4096), (int)out[0].data.size());
	EXPECT_EQ(8192u, out[1].data.size());
	EXPECT_EQ(3u, w->wire->sums_known);
	EXPECT_EQ(0u, w->wire->sums_wrong);
	EXPECT_TRUE(out[1].flags & TCP_PSH);
}

/* RFC 3168, 6.1.2: once for each window of data, and the next new segment says so. */
TEST_F(Raw, GivesWayOnceToAnEchoOfCongestion)
{
	out.clear();
	inject(segment(TCP_SYN | TCP_ECE | TCP_CWR, 1000, 0, "", {2, 4, 3, 0xe8}));
	w->turn(1000);
	ASSERT_EQ(TCP_SYN | TCP_ACK | TCP_ECE, out.at(0).flags);
	seq = 1001;
	ack = out[0].seq + 1;
	send(TCP_ACK, seq, ack);
	uint32_t before = conn()->cc.cwnd;
	write(numbers(before));
	w->turn(1000);
	send(TCP_ACK | TCP_ECE, seq, ack + 1000);
	uint32_t after = conn()->cc.cwnd;
	EXPECT_LT(after, before);
	EXPECT_EQ(1u, n().ecn_reductions);
	send(TCP_ACK | TCP_ECE, seq, ack + 2000);
	EXPECT_GE(conn()->cc.cwnd, after) << "of the same window";
	EXPECT_EQ(1u, n().ecn_reductions);
	send(TCP_ACK, seq, ack + before);
	write(numbers(2000));
	out.clear();
	w->turn(1000);
	ASSERT_EQ(2u, out.size());
	EXPECT_TRUE(out[0].flags & TCP_CWR);
	EXPECT_FALSE(out[1].flags & TCP_CWR) << "said once";
	send(TCP_ACK | TCP_ECE, seq, ack + before + 1000);
	EXPECT_EQ(2u, n().ecn_reductions) << "of the next window";
}

/* Not every device that cuts knows that only the first segment may say so: virtio's, for one. */
TEST_F(Raw, SaysThatItGaveWayInOneSegmentThoughTheDeviceCuts)
{
	WireConf wc;
	unsigned said = 0;
	std::string got;

	wc.caps = PORT_CAP_TSO;
	build(wc, conf());
	inject(segment(TCP_SYN | TCP_ECE | TCP_CWR, 1000, 0, "", {2, 4, 3, 0xe8}));
	w->turn(1000);
	seq = 1001;
	ack = out.at(0).seq + 1;
	send(TCP_ACK, seq, ack);
	uint32_t before = conn()->cc.cwnd;
	write(numbers(before));
	w->turn(1000);
	send(TCP_ACK | TCP_ECE, seq, ack + 1000);
	EXPECT_EQ(1u, n().ecn_reductions);
	send(TCP_ACK, seq, ack + before);
	write(numbers(4500));
	user.s->ops->close(user.s); /* its end goes with the last of them */
	out.clear();
	w->turn(1000);
	for (const Reply &r : out) {
		said += (r.flags & TCP_CWR) != 0;
		got += r.data;
	}
	EXPECT_EQ(1u, said);
	EXPECT_TRUE(out.at(0).flags & TCP_CWR);
	EXPECT_EQ(numbers(4500), got);
	EXPECT_FALSE(out.at(0).flags & TCP_FIN);
	EXPECT_TRUE(out.back().flags & TCP_FIN);
}

TEST_F(Raw, HeedsNoEchoThatWasNotAgreed)
{
	establish(kSack);
	write(numbers(5000));
	w->turn(1000);
	uint32_t before = conn()->cc.cwnd;
	send(TCP_ACK | TCP_ECE, seq, ack + 1000);
	EXPECT_GE(conn()->cc.cwnd, before);
	EXPECT_EQ(0u, n().ecn_reductions);
}

/* Of a frame with a piece that crosses the end of a huge page nothing leaves an emulated card, however often it is
 * sent. */
TEST_F(Raw, ShowsADeviceNoPieceInTwoHugePages)
{
	static strake_backing backing = {"none", nullptr};
	uint8_t *two = (uint8_t *)aligned_alloc(RTE_PGSIZE_2M, 2 * RTE_PGSIZE_2M);
	std::string all = numbers(9000);

	for (uint32_t caps : {0u, (uint32_t)PORT_CAP_TSO}) {
		for (uint32_t before : {1u, 500u, 1000u, 4096u, 8999u}) {
			uint8_t *at = two + RTE_PGSIZE_2M - before;
			WireConf wc;

			wc.caps = caps;
			user.put();
			w.reset();
			accepts = 0;
			build(wc, conf());
			establish(kSack);
			memcpy(at, all.data(), all.size());
			strake_stream_send(user.s, strake_buf_wrap(at, 9000, &backing, nullptr, STRAKE_BUF_STABLE),
					   9000);
			out.clear();
			w->turn(1000);
			std::string got;
			for (const Reply &r : out)
				got += r.data;
			EXPECT_EQ(all, got) << before;
			EXPECT_EQ(0u, w->wire->torn) << before;
			EXPECT_EQ(0u, w->wire->linear_violations);
		}
	}
	user.put();
	w.reset();
	free(two);
}

/* AF_XDP sends from one mbuf only: what is copied for its sake is counted, and nothing is where there is room. */
TEST_F(Raw, CountsWhatItCopiesForPortsOfOneSegment)
{
	for (uint16_t most : {1, 8}) {
		WireConf wc;

		wc.tx_segs_max = most;
		user.put();
		w.reset();
		accepts = 0;
		build(wc, conf());
		establish(kSack);
		write(numbers(5000));
		out.clear();
		w->turn(1000);
		EXPECT_EQ(5u, out.size());
		EXPECT_EQ(most == 1 ? 5u : 0u, n().linearised);
		EXPECT_EQ(0u, w->wire->linear_violations);
	}
}
