/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Two instances of the TCP over a wire that loses, repeats, delays and reorders. Every run follows from its seed. */

#include <gtest/gtest.h>

#include "tcp_peer.h"

struct Leaks {
	uint32_t mbufs, ext, bufs;
	uint64_t blocks;
	Leaks()
	{
		struct strake_buf_usage u;

		World::global_init();
		strake_buf_usage(&u);
		mbufs = rte_mempool_avail_count(World::pool);
		ext = rte_mempool_avail_count(World::ext_pool);
		bufs = u.descriptors_free;
		blocks = Peer::live_blocks;
	}
	bool
	operator==(const Leaks &o) const
	{
		return mbufs == o.mbufs && ext == o.ext && bufs == o.bufs && blocks == o.blocks;
	}
};

struct Result {
	uint64_t ns;
	tcp_counters n[2];
};

static void
transfer(const WireConf &wc, const tcp_conf &ca, const tcp_conf &cb, const PeerConf &pa, uint64_t limit_ns, Result *res,
	 int family = 4)
{
	Leaks before;
	{
		World w(wc, ca, cb);
		PeerConf pb = pa;

		std::swap(pb.key, pb.expect_key);
		std::swap(pb.total, pb.expect);
		Peer a(pa, wc.seed * 2 + 1), b(pb, wc.seed * 2 + 2);
		int accepts = 0;

		w.on_accept = [&](strake_stream *s) {
			accepts++;
			b.attach(s);
			b.start();
			return 0;
		};
		ASSERT_EQ(0, w.connect(&a, 4420, family));
		uint64_t begin = w.now();
		/* A reset may come before the handshake is finished: then nobody was accepted. */
		auto over = [&] { return a.closed && (b.closed || (pa.abort_early && accepts == 0)); };
		bool done = w.run(over, limit_ns, [&] {
			for (Peer *p : {&a, &b}) {
				if (p->rng() % 4 == 0)
					p->drain(p->rng() % 4);
				p->pump();
			}
		});

		EXPECT_TRUE(done) << "a " << a.sent << "/" << a.received << " b " << b.sent << "/" << b.received;
		EXPECT_EQ(1, a.closed);
		if (pa.abort_early)
			w.settle();
		EXPECT_EQ(accepts, b.closed);
		if (!pa.abort_early) {
			EXPECT_EQ(1, accepts);
			EXPECT_EQ(0, a.err);
			EXPECT_EQ(0, b.err);
			EXPECT_EQ(pa.total, b.received);
			EXPECT_EQ(pa.expect, a.received);
			EXPECT_EQ(1, a.eofs);
			EXPECT_EQ(1, b.eofs);
		}
		EXPECT_EQ(0u, a.bad);
		EXPECT_EQ(0u, b.bad);
		EXPECT_EQ(0u, w.wire->linear_violations);
		EXPECT_EQ(0u, w.wire->too_big);
		res->ns = std::max(a.last_rx_at, b.last_rx_at) - begin;
		a.release_all();
		b.release_all();
		res->n[0] = *tcp_lcore_counters(w.inst[0]);
		res->n[1] = *tcp_lcore_counters(w.inst[1]);
		for (int i = 0; i < 2; i++) {
			tcp_usage u;

			tcp_lcore_usage(w.inst[i], &u);
			EXPECT_EQ(u.time_wait, u.conns) << "side " << i;
			EXPECT_EQ(0u, u.pinned) << "side " << i;
		}
	}
	if (getenv("STRAKE_SIM_SHOW") != nullptr)
		for (int i = 0; i < 2; i++) {
			const char *name;

			for (unsigned int k = 0; (name = tcp_counter_name(k, nullptr)) != nullptr; k++)
				if (((uint64_t *)&res->n[i])[k] != 0)
					printf("side %d %s %lu\n", i, name, ((uint64_t *)&res->n[i])[k]);
		}
	Leaks after;
	EXPECT_TRUE(before == after) << "mbufs " << before.mbufs << "->" << after.mbufs << " ext " << before.ext << "->"
				     << after.ext << " bufs " << before.bufs << "->" << after.bufs << " blocks "
				     << after.blocks;
}

/* A world drawn from a seed. */
static void
random_world(uint64_t seed)
{
	std::mt19937_64 r(seed);
	auto pick = [&](std::initializer_list<double> l) { return *(l.begin() + r() % l.size()); };
	WireConf wc;
	tcp_conf ca = small_conf(seed), cb = small_conf(seed + 1);
	PeerConf pa;
	Result res;

	wc.seed = seed;
	wc.mtu = (uint16_t)pick({576, 1280, 1400, 1500, 3542, 9000});
	int family = wc.mtu >= 1280 && r() % 4 == 0 ? 6 : 4;
	wc.tx_segs_max = (uint16_t)pick({1, 2, 4, 8, 32});
	wc.caps = r() % 3 == 0 ? PORT_CAP_TSO : 0;
	wc.delay_ns = (uint64_t)pick({1000, 20000, 500000, 5000000});
	wc.gbps = pick({0.1, 1, 10, 100});
	wc.drop = pick({0, 0, 0.001, 0.01, 0.05});
	wc.dup = pick({0, 0, 0.01, 0.1});
	wc.reorder = pick({0, 0, 0.02, 0.2});
	wc.jitter_ns = 1 + (uint64_t)pick({10000, 1000000, 10000000});
	wc.mark = pick({0, 0, 0, 0.02});
	wc.enobufs = pick({0, 0, 0, 0.02});
	wc.queue_bytes = (uint32_t)pick({30000, 300000, 4000000});
	wc.chains = r() % 3 == 0;
	for (tcp_conf *c : {&ca, &cb}) {
		c->congestion = r() % 2 ? "cubic" : "newreno";
		c->rcvbuf = (uint32_t)pick({65536, 262144, 1048576});
		c->sndbuf = (uint32_t)pick({16384, 262144, 1048576});
	}
	pa.total = r() % 5 == 0 ? r() % 100 : r() % 200000;
	pa.expect = r() % 5 == 0 ? r() % 100 : r() % 200000;
	pa.key = r();
	pa.expect_key = r();
	pa.chunk = (uint32_t)pick({200, 8192, 16000});
	pa.hold = pick({0, 0, 0.3, 0.9});
	pa.abort_early = r() % 20 == 0;
	transfer(wc, ca, cb, pa, 600000000000ULL, &res, family);
}

TEST(TcpSim, EveryByteArrivesOnceWhateverTheWireDoes)
{
	const char *env = getenv("STRAKE_SIM_SEEDS"), *first = getenv("STRAKE_SIM_FIRST");
	uint64_t seeds = env != nullptr ? strtoull(env, nullptr, 0) : 2000;
	uint64_t from = first != nullptr ? strtoull(first, nullptr, 0) : 1;

	for (uint64_t seed = from; seed < from + seeds; seed++) {
		SCOPED_TRACE("seed " + std::to_string(seed));
		random_world(seed);
		if (HasFailure())
			FAIL() << "STRAKE_SIM_FIRST=" << seed << " STRAKE_SIM_SEEDS=1 repeats it";
	}
}

/* A reader stops until its window is shut, then goes on; of what its side sends from then on the first @p lost packets
 * never arrive, the window update first. It is the sender that must find out (RFC 9293, 3.8.6.1): nothing repeats an
 * acknowledgement of nothing. @return how long that took, ns. */
static uint64_t
stop_and_go(const WireConf &wc, int reader, int lost)
{
	tcp_conf c = small_conf(wc.seed);
	PeerConf idle, busy;

	c.rcvbuf = 65536;
	idle.total = UINT64_MAX; /* never closes; sends nothing */
	idle.chunk = 1;
	idle.frozen = true;
	idle.expect_key = busy.key = 77;
	busy.expect_key = idle.key = 78;
	busy.total = 400000;
	World w(wc, c, c);
	Peer ends[2] = {Peer(reader == 0 ? idle : busy, wc.seed), Peer(reader == 1 ? idle : busy, wc.seed + 1)};
	Peer &from = ends[1 - reader], &to = ends[reader];
	uint64_t thawed, took;

	to.closing = true; /* its pump does nothing */
	w.on_accept = [&](strake_stream *s) {
		ends[1].attach(s);
		ends[1].start();
		return 0;
	};
	EXPECT_EQ(0, w.connect(&ends[0]));
	EXPECT_FALSE(w.run([&] { return to.received >= 300000; }, 3000000000ULL)) << "the window did not shut";
	EXPECT_LT(60000u, to.received);
	uint64_t had = to.received;
	int left = lost, updates = 0;
	bool probed = false;
	w.wire->filter = [&](int side, std::vector<uint8_t> &) {
		if (side != reader) {
			probed = true;
			return true;
		}
		updates += !probed;
		return left-- <= 0;
	};
	to.conf.frozen = false;
	thawed = w.now();
	to.release_all();
	EXPECT_TRUE(w.run([&] { return to.received > had; }, 60000000000ULL)) << "it stands still";
	took = w.now() - thawed;
	if (wc.drop == 0 && lost > 0) {
		EXPECT_EQ(1, updates) << "one update, and the rest is the sender's";
		EXPECT_TRUE(probed);
	}
	EXPECT_TRUE(w.run([&] { return to.received == busy.total; }, 60000000000ULL));
	EXPECT_EQ(0u, to.bad);
	to.stream->ops->close(to.stream);
	EXPECT_TRUE(w.run([&] { return ends[0].closed && ends[1].closed; }, 120000000000ULL));
	EXPECT_EQ(0, from.err);
	EXPECT_EQ(0, to.err);
	return took;
}

TEST(TcpSim, ALostWindowUpdateIsFoundOutByTheSender)
{
	for (int reader : {0, 1}) {
		WireConf wc;

		SCOPED_TRACE("reader " + std::to_string(reader));
		EXPECT_LT(stop_and_go(wc, reader, 0), 10000000u);
		/* By then probes are up to 4 s apart: each that goes unanswered costs as much. */
		EXPECT_LT(stop_and_go(wc, reader, 1), 5000000000u);
		EXPECT_LT(stop_and_go(wc, reader, 4), 60000000000u);
	}
}

TEST(TcpSim, ReadersStopAndGoOnOverALossyWire)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		WireConf wc;

		SCOPED_TRACE("seed " + std::to_string(seed));
		wc.seed = seed;
		wc.drop = 0.1;
		wc.reorder = 0.05;
		wc.dup = 0.02;
		stop_and_go(wc, seed % 2, 1);
		if (HasFailure())
			break;
	}
}

static double
goodput(const WireConf &wc, const char *cc, uint64_t total)
{
	tcp_conf c = small_conf(wc.seed);
	PeerConf pa;
	Result res;

	c.rcvbuf = 4 << 20;
	c.sndbuf = 4 << 20;
	c.congestion = cc;
	pa.total = total;
	pa.expect = 0;
	pa.chunk = 65536;
	transfer(wc, c, c, pa, 600000000000ULL, &res);
	return (double)total * 8 / (double)res.ns;
}

class Throughput : public testing::TestWithParam<const char *>
{
};

TEST_P(Throughput, FillsACleanLink)
{
	WireConf wc;

	wc.gbps = 10;
	wc.delay_ns = 50000;
	wc.queue_bytes = 16 << 20;
	EXPECT_GT(goodput(wc, GetParam(), 30 << 20), 8.5);
	wc.mtu = 9000;
	EXPECT_GT(goodput(wc, GetParam(), 30 << 20), 9.0);
}

TEST_P(Throughput, BearsOnePerCentLoss)
{
	WireConf wc;

	wc.gbps = 10;
	wc.delay_ns = 50000;
	wc.drop = 0.01;
	/* Mathis: about 1.2 MSS / (RTT sqrt(p)) = 1.4 Gbit/s here; the timer must not dominate. */
	EXPECT_GT(goodput(wc, GetParam(), 10 << 20), 0.4);
}

TEST_P(Throughput, SharesASmallQueue)
{
	WireConf wc;

	wc.gbps = 1;
	wc.delay_ns = 500000;
	wc.queue_bytes = 60000;
	EXPECT_GT(goodput(wc, GetParam(), 20 << 20), 0.6);
}

INSTANTIATE_TEST_SUITE_P(Algorithms, Throughput, testing::Values("cubic", "newreno"));
