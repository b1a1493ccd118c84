/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The client's TCP against a peer written here, over a seeded wire that drops, duplicates and reorders. The wire is in
 * the place of net.c: it holds frames as a device would. */

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "csum.h"
#include "ctcp.h"
#include "ticks.h"

namespace
{

constexpr uint16_t MSS = 1000;
constexpr uint32_t RING = 512;

struct Wire {
	rte_mempool *pool;
	std::mt19937 rng;
	unsigned percent; /* of frames, each for lost, doubled and delayed */
	std::deque<rte_mbuf *> out;
	bool
	chance()
	{
		return rng() % 100 < percent;
	}
};

Wire *wire;

} /* namespace */

extern "C" {
uint16_t
net_mss(const net *)
{
	return MSS;
}

uint32_t
net_ring(const net *)
{
	return RING;
}

rte_mbuf *
net_alloc(net *)
{
	return rte_pktmbuf_alloc(wire->pool);
}

void
net_headers(const net *, uint8_t *frame)
{
	memset(frame, 0, NET_HDR);
	frame[14] = 0x45;
}

uint32_t
net_pseudo(const net *)
{
	return RTE_BE16(IPPROTO_TCP);
}

void
net_tx(net *, rte_mbuf *m)
{
	wire->out.push_back(m);
}

void
net_flush(net *)
{
}

int
net_add(net *, ctcp *, uint16_t)
{
	return 0;
}

void
net_del(net *, ctcp *)
{
}
}

namespace
{

uint8_t
text(uint32_t i)
{
	return (uint8_t)(i * 131 + (i >> 8) * 7);
}

/* The target's end: its stream begins at ISS + 1, the client's at irs + 1. */
class LoadTcp : public testing::Test
{
      protected:
	static constexpr uint32_t ISS = 0xfffff000u;

	static void
	SetUpTestSuite()
	{
		pool = rte_pktmbuf_pool_create("ctcp_test", 4095, 0, 0, 2048, SOCKET_ID_ANY);
		ASSERT_NE(nullptr, pool);
	}

	static void
	TearDownTestSuite()
	{
		rte_mempool_free(pool);
	}

	void
	Begin(unsigned seed, unsigned percent)
	{
		w = Wire{pool, std::mt19937(seed), percent, {}};
		wire = &w;
		ASSERT_EQ(0, ctcp_open(&c, nullptr, 4420, now));
		ctcp_attach(c, OnRx, this);
	}

	void
	TearDown() override
	{
		if (c != nullptr)
			ctcp_xport(c)->ops->close(ctcp_xport(c));
		for (rte_mbuf *m : w.out)
			rte_pktmbuf_free(m);
		for (rte_mbuf *m : in)
			rte_pktmbuf_free(m);
		EXPECT_EQ(pool->size, rte_mempool_avail_count(pool)) << "mbufs leaked";
	}

	static int
	OnRx(void *user, const void *data, size_t len)
	{
		auto *t = static_cast<LoadTcp *>(user);
		const uint8_t *p = static_cast<const uint8_t *>(data);

		for (size_t i = 0; i < len; i++, t->received++) {
			if (p[i] != text(t->received)) {
				ADD_FAILURE() << "wrong byte " << t->received;
				return -1;
			}
		}
		return 0;
	}

	/* A segment of the target's, into the wire. */
	void
	Send(uint32_t seq, uint8_t flags, uint32_t len)
	{
		rte_mbuf *m = rte_pktmbuf_alloc(pool);
		ASSERT_NE(nullptr, m);
		uint8_t *f = rte_pktmbuf_mtod(m, uint8_t *);
		auto *ip = (rte_ipv4_hdr *)(f + 14);
		auto *th = (rte_tcp_hdr *)(ip + 1);
		const uint8_t opt[] = {2, 4, MSS >> 8, MSS & 0xff, 1, 3, 3, 4};
		uint32_t hlen = 20 + (flags & RTE_TCP_SYN_FLAG ? sizeof(opt) : 0);

		memset(f, 0, NET_HDR);
		ip->total_length = rte_cpu_to_be_16((uint16_t)(20 + hlen + len));
		th->sent_seq = rte_cpu_to_be_32(seq);
		th->recv_ack = rte_cpu_to_be_32(rcv_nxt);
		th->data_off = (uint8_t)(hlen << 2);
		th->tcp_flags = flags;
		th->rx_win = RTE_BE16(window >> (flags & RTE_TCP_SYN_FLAG ? 0 : 4));
		memcpy(th + 1, opt, hlen - 20);
		for (uint32_t i = 0; i < len; i++)
			f[34 + hlen + i] = text(seq + i - (ISS + 1));
		/* Some cards and links pad. */
		m->data_len = (uint16_t)(34 + hlen + len + (len < 6 ? 6 - len : 0));
		m->pkt_len = m->data_len;
		in.push_back(m);
	}

	/* What the target gets. */
	void
	Take(const rte_mbuf *m)
	{
		const uint8_t *f = rte_pktmbuf_mtod(m, const uint8_t *);
		auto *ip = (const rte_ipv4_hdr *)(f + 14);
		auto *th = (const rte_tcp_hdr *)(ip + 1);
		uint32_t hlen = (uint32_t)(th->data_off >> 4) * 4, len = m->data_len - 34 - hlen;
		uint32_t seq = rte_be_to_cpu_32(th->sent_seq), ack = rte_be_to_cpu_32(th->recv_ack);

		ASSERT_EQ(0xffff, csum_fold((uint64_t)csum_of(th, hlen + len) + RTE_BE16(IPPROTO_TCP) +
					    rte_cpu_to_be_16((uint16_t)(hlen + len))));
		if (earlier != 0) {
			/* A challenge (RFC 5961), until a reset comes that is exactly right. */
			std::swap(earlier, rcv_nxt);
			if (th->tcp_flags & RTE_TCP_SYN_FLAG)
				Send(0x1234, RTE_TCP_ACK_FLAG, 0);
			std::swap(earlier, rcv_nxt);
			if (th->tcp_flags & RTE_TCP_RST_FLAG && seq == earlier)
				earlier = 0;
			return;
		}
		if (th->tcp_flags & RTE_TCP_SYN_FLAG) {
			if (rcv_nxt == 0)
				rcv_nxt = seq + 1;
			irs = seq;
			Send(ISS, RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG, 0);
			return;
		}
		if ((int32_t)(ack - una) > 0)
			una = ack;
		for (uint32_t i = 0; i < len; i++)
			ASSERT_EQ(text(seq + i - (irs + 1)), f[34 + hlen + i]) << "byte " << seq + i - (irs + 1);
		if (len == 0)
			return;
		if ((int32_t)(rcv_nxt - seq) >= 0 && (int32_t)(seq + len - rcv_nxt) > 0)
			rcv_nxt = seq + len;
		Send(nxt, RTE_TCP_ACK_FLAG, 0);
	}

	/* Deliver what is on a wire's end, with its accidents. */
	template <typename F>
	void
	Move(std::deque<rte_mbuf *> &q, F deliver)
	{
		for (size_t n = q.size(); n > 0 && !HasFatalFailure(); n--) {
			rte_mbuf *m = q.front();

			q.pop_front();
			if (w.chance()) {
				rte_pktmbuf_free(m);
			} else if (w.chance()) {
				q.push_back(m); /* next turn */
			} else {
				if (w.chance()) {
					rte_mbuf *again = rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);

					ASSERT_NE(nullptr, again);
					q.push_back(again);
				}
				deliver(m);
			}
		}
	}

	void
	Turn(uint64_t ns)
	{
		now += ticks_from_ns(ns);
		Move(w.out, [this](rte_mbuf *m) {
			Take(m);
			rte_pktmbuf_free(m);
		});
		Move(in, [this](rte_mbuf *m) { ctcp_input(c, m, now); });
		ctcp_tick(c, now);
		ctcp_finish(c);
	}

	void
	Connect()
	{
		for (unsigned i = 0; i < 10000 && !(ctcp_connected(c) && una == ISS + 1); i++)
			Turn(1000000);
		ASSERT_TRUE(ctcp_connected(c));
	}

	/* Both ways at once, segments of every size, cut anew when sent again, until all has come. */
	void
	Transfer(uint32_t down, uint32_t up)
	{
		uint32_t queued = 0, stuck = 0, seen = una;
		std::vector<uint8_t> data(up);

		for (uint32_t i = 0; i < up; i++)
			data[i] = text(i);
		nxt = ISS + 1;
		for (unsigned turns = 0; received < down || una - (ISS + 1) < down || rcv_nxt - (irs + 1) < up;
		     turns++) {
			ASSERT_LT(turns, 200000u)
				<< received << " of " << down << ", " << rcv_nxt - irs - 1 << " of " << up;
			for (unsigned k = 0; k < 8 && nxt - una < 40 * MSS && nxt - (ISS + 1) < down; k++) {
				uint32_t len =
					std::min<uint32_t>(1 + (uint32_t)(w.rng() % MSS), down - (nxt - (ISS + 1)));

				Send(nxt, RTE_TCP_ACK_FLAG, len);
				nxt += len;
			}
			if (queued < up) {
				iovec iov[2] = {{&data[queued], std::min<size_t>(700, up - queued)}, {nullptr, 0}};

				iov[1] = {&data[queued] + iov[0].iov_len,
					  std::min<size_t>(900, up - queued - iov[0].iov_len)};
				ssize_t n = ctcp_xport(c)->ops->send(ctcp_xport(c), iov, 2);
				ASSERT_GE(n, 0);
				queued += (uint32_t)n;
			}
			Turn(1000000);
			ASSERT_FALSE(HasFailure());
			ASSERT_EQ(0, ctcp_status(c));
			stuck = una == seen ? stuck + 1 : 0;
			seen = una;
			if (stuck > 5) { /* the timer of a target that has no SACK: all of it again */
				nxt = una;
				stuck = 0;
			}
		}
	}

	static rte_mempool *pool;
	Wire w = {};
	ctcp *c = nullptr;
	uint64_t now = 1;
	std::deque<rte_mbuf *> in;
	uint32_t una = ISS, nxt = ISS + 1, rcv_nxt = 0, irs = 0, window = 60000, received = 0;
	uint32_t earlier = 0; /* what is expected next on the connection that had this port before; 0: there is none */
};

rte_mempool *LoadTcp::pool;

TEST_F(LoadTcp, PassesAllOverAWireWithoutAccidents)
{
	Begin(1, 0);
	Connect();
	Transfer(300000, 300000);
	const ctcp_stats *s = ctcp_get_stats(c);
	EXPECT_EQ(0u, s->retransmits);
	EXPECT_EQ(0u, s->out_of_order);
	EXPECT_EQ(300000u, s->bytes_in);
}

class LoadTcpSeeds : public LoadTcp, public testing::WithParamInterface<unsigned>
{
};

TEST_P(LoadTcpSeeds, LosesNothingAndInventsNothing)
{
	unsigned percent = 1 + GetParam() % 15;

	Begin(GetParam(), percent);
	Connect();
	ASSERT_NO_FATAL_FAILURE(Transfer(200000, 100000));
	EXPECT_EQ(200000u, received);
	EXPECT_GT(ctcp_get_stats(c)->out_of_order, 0u);
	if (percent > 5) {
		EXPECT_GT(ctcp_get_stats(c)->retransmits, 0u);
	}
}

INSTANTIATE_TEST_SUITE_P(, LoadTcpSeeds, testing::Range(0u, 600u));

/* The target's window shuts, and the segment that opens it is lost. */
TEST_F(LoadTcp, AsksForAWindowThatWasShut)
{
	Begin(2, 0);
	Connect();
	window = 0;
	Send(nxt, RTE_TCP_ACK_FLAG, 0);
	Turn(1000000);
	uint8_t data[100];
	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = text(i);
	iovec iov = {data, sizeof(data)};
	EXPECT_EQ(0, ctcp_xport(c)->ops->send(ctcp_xport(c), &iov, 1));
	size_t asked = w.out.size();
	for (unsigned i = 0; i < 100 && w.out.size() == asked; i++) {
		now += ticks_from_ns(1000000);
		ctcp_tick(c, now);
	}
	ASSERT_GT(w.out.size(), asked) << "nobody asked";
	window = 60000;
	Send(nxt, RTE_TCP_ACK_FLAG, 0);
	Turn(1000000);
	EXPECT_EQ(100, ctcp_xport(c)->ops->send(ctcp_xport(c), &iov, 1));
}

/* A target that is gone is given up, not waited for. */
TEST_F(LoadTcp, GivesUpOnATargetThatIsGone)
{
	Begin(3, 0);
	Connect();
	uint8_t b = text(0);
	iovec iov = {&b, 1};
	EXPECT_EQ(1, ctcp_xport(c)->ops->send(ctcp_xport(c), &iov, 1));
	w.percent = 100;
	for (unsigned i = 0; i < 60000 && ctcp_status(c) == 0; i++)
		Turn(10000000);
	EXPECT_EQ(-ETIMEDOUT, ctcp_status(c));
}

TEST_F(LoadTcp, TakesAPortWhoseLastProcessWasKilled)
{
	earlier = 0x87654321;
	Begin(5, 0);
	Connect();
	EXPECT_EQ(0u, earlier);
	Transfer(3000, 3000);
}

/* What stays while too much is out of order is dropped, and comes again. */
TEST_F(LoadTcp, BearsMoreOutOfOrderThanItKeeps)
{
	Begin(4, 0);
	Connect();
	for (uint32_t i = 100; i > 0; i--)
		Send(ISS + 1 + i * 10, RTE_TCP_ACK_FLAG, 10);
	Turn(1000000);
	EXPECT_EQ(0u, received);
	Send(ISS + 1, RTE_TCP_ACK_FLAG, 10);
	Turn(1000000);
	EXPECT_GE(received, 10u);
	for (uint32_t i = 0; i < 101; i++)
		Send(ISS + 1 + i * 10, RTE_TCP_ACK_FLAG, 10);
	Turn(1000000);
	EXPECT_EQ(1010u, received);
}

} /* namespace */
