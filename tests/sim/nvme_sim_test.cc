/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* NVMe/TCP over the TCP over a wire that loses and reorders, between ends that stop looking for a while: hosts that do
 * not read, a target that is not run, drives that take their time, memory that runs out. Whatever happens, every
 * command is answered, with the right bytes, within a bound of virtual time. Every run follows from its seed. */

#include <gtest/gtest.h>

#include "tcp_peer.h"
#include "tests/unit/drivers/front/nvme_tcp/host.h"

extern "C" {
#include "drivers/front/nvme_tcp/conn.h"
#include "drivers/front/tcp/conn.h"
#include "fake_nvmf.h"
}

#define NS_PER_SEC 1000000000ull

static fake_nvmf *fake;

struct SimConf {
	int hosts = 3;
	uint16_t depth = 4;
	int commands = 30; /* of each host */
	double reads = 0.3;
	bool hdgst = true, ddgst = true;
	uint32_t spare_mbufs = 0;    /* if not 0, as many are left for everyone */
	uint64_t pin_budget = 0;     /* if not 0, of the target's TCP */
	uint64_t pause = NS_PER_SEC; /* longest of each kind */
	double trouble = 0.002;	     /* chance of a pause, each turn */
	bool long_only = false;	     /* every command as long as can be */
};

/* One I/O queue of a host. Each slot has a piece of the disk of its own. */
class SimHost : public Host
{
      public:
	struct Slot {
		bool busy = false, write = false;
		uint32_t off = 0;
		uint64_t at = 0;
		Bytes data;
	};
	SimHost(const SimConf &c, int index, uint64_t seed) : sc(c), rng(seed), slots(c.depth)
	{
		hdgst = c.hdgst;
		ddgst = c.ddgst;
		span = FAKE_NVMF_DISK / (uint32_t)(c.hosts * c.depth) / 4096 * 4096;
		base = (uint32_t)index * c.depth * span;
		left = c.commands;
	}
	~SimHost()
	{
		for (strake_buf *b : held)
			strake_buf_put(b);
	}
	bool
	over() const
	{
		return left == 0 && busy == 0;
	}
	/* Read what was put off, send what there is. */
	void
	run()
	{
		while (!held.empty() && strake_now() >= deaf_until) {
			in.insert(in.end(), held.front()->addr, held.front()->addr + held.front()->len);
			strake_buf_put(held.front());
			held.pop_front();
		}
		while (take())
			;
		for (uint16_t cid = 0; ready && cid < sc.depth && left > 0; cid++)
			if (!slots[cid].busy)
				issue(cid);
		flush();
	}

	static const strake_stream_cb callbacks;
	const SimConf &sc;
	std::mt19937_64 rng;
	strake_stream *stream = nullptr;
	std::vector<Slot> slots;
	std::deque<strake_buf *> held;
	Bytes in, out;
	uint32_t base, span;
	uint64_t deaf_until = 0, worst = 0;
	int left, busy = 0, closed = 0;
	bool ready = false, connected = false;

      private:
	void
	queue(const Bytes &b)
	{
		out.insert(out.end(), b.begin(), b.end());
	}
	void
	flush()
	{
		while (connected && !closed && !out.empty()) {
			uint32_t n = (uint32_t)std::min<size_t>(out.size(), 1 + rng() % 40000);

			if (n > strake_stream_room(stream)) {
				stream->want_room = true;
				return;
			}
			strake_stream_send(stream, copy(out.data(), n), n);
			out.erase(out.begin(), out.begin() + n);
		}
	}
	static strake_buf *
	copy(const uint8_t *from, uint32_t n)
	{
		static strake_backing backing = {"copy", [](strake_buf *b) { free(b->opaque); }};
		void *p = malloc(n);

		memcpy(p, from, n);
		return strake_buf_wrap(p, n, &backing, p, STRAKE_BUF_STABLE);
	}
	void
	issue(uint16_t cid)
	{
		Slot &s = slots[cid];
		uint32_t len = (uint32_t)(rng() % 3 == 0 ? 512 * (1 + rng() % 16)
							 : 512 * (1 + rng() % (std::min(span, 131072u) / 512)));
		if (sc.long_only)
			len = std::min(span, 131072u);
		bool in_capsule = len <= 8192 && rng() % 4 != 0;

		s.write = std::uniform_real_distribution<>(0, 1)(rng) >= sc.reads;
		s.off = base + cid * span + 512 * (uint32_t)(rng() % ((span - len) / 512 + 1));
		s.busy = true;
		s.at = strake_now();
		s.data.resize(len);
		left--;
		busy++;
		if (s.write) {
			for (uint8_t &b : s.data)
				b = (uint8_t)rng();
			queue(capsule(io(NVME_IO_WRITE, cid, s.off / 512, len, in_capsule),
				      in_capsule ? s.data : Bytes(), 4 * (uint32_t)(rng() % 3)));
		} else {
			memcpy(s.data.data(), fake->disk + s.off, len);
			queue(capsule(io(NVME_IO_READ, cid, s.off / 512, len)));
		}
	}
	void
	answered(const Reply &r)
	{
		nvme_cpl cqe = r.cqe();

		if (!ready) {
			ready = true;
			return;
		}
		Slot &s = slots.at(cqe.cid);
		EXPECT_EQ(0, cqe.status);
		EXPECT_TRUE(s.busy);
		EXPECT_TRUE(!s.write || memcmp(fake->disk + s.off, s.data.data(), s.data.size()) == 0);
		s.busy = false;
		busy--;
		worst = std::max(worst, strake_now() - s.at);
	}
	void
	came(const Reply &r)
	{
		if (r.type == NVME_TCP_ICRESP) {
			queue(capsule(connect(false), Bytes(sizeof(nvme_connect_data), 1)));
		} else if (r.type == NVME_TCP_R2T) {
			nvme_tcp_r2t t = r.r2t();
			const Slot &s = slots.at(t.cccid);
			uint32_t most = rng() % 2 ? 131072 : 4096 + 4 * (uint32_t)(rng() % 4096);

			for (uint32_t at = 0, n; at < t.r2tl; at += n) {
				n = std::min(most, t.r2tl - at);
				queue(h2c(t.cccid, t.ttag, at, Bytes(s.data.begin() + at, s.data.begin() + at + n),
					  at + n == t.r2tl));
			}
		} else if (r.type == NVME_TCP_C2H_DATA) {
			EXPECT_EQ(slots.at(r.c2h().cccid).data, r.data);
		} else {
			ASSERT_EQ(NVME_TCP_CAPSULE_RESP, r.type);
			answered(r);
		}
	}
	/* One whole PDU. */
	bool
	take()
	{
		nvme_tcp_ch ch;
		Reply r;
		uint32_t crc;

		if (in.size() < sizeof(ch))
			return false;
		memcpy(&ch, in.data(), sizeof(ch));
		if (in.size() < ch.plen)
			return false;
		r.type = ch.type;
		r.flags = ch.flags;
		r.header.assign(in.begin(), in.begin() + ch.hlen);
		if (ch.flags & NVME_TCP_F_HDGST) {
			memcpy(&crc, in.data() + ch.hlen, 4);
			EXPECT_EQ(strake_kernel->crc32c(0, in.data(), ch.hlen), crc);
		}
		if (ch.type == NVME_TCP_C2H_DATA) {
			r.data.assign(in.begin() + ch.pdo, in.begin() + ch.plen - (ddgst ? 4 : 0));
			if (ddgst) {
				memcpy(&crc, in.data() + ch.plen - 4, 4);
				EXPECT_EQ(strake_kernel->crc32c(0, r.data.data(), r.data.size()), crc);
			}
		}
		in.erase(in.begin(), in.begin() + ch.plen);
		came(r);
		return true;
	}
};

const strake_stream_cb SimHost::callbacks = {
	[](strake_stream *s, strake_buf *bufs, uint32_t len) {
		auto *h = (SimHost *)s->user;

		for (strake_buf *next; bufs != nullptr; bufs = next) {
			next = bufs->next;
			bufs->next = nullptr;
			h->held.push_back(bufs);
		}
	},
	[](strake_stream *s) {},
	[](strake_stream *s) {},
	[](strake_stream *s) {
		auto *h = (SimHost *)s->user;

		h->connected = true;
		h->out = h->icreq();
	},
	[](strake_stream *s, int err) {
		auto *h = (SimHost *)s->user;

		h->closed++;
		h->stream = nullptr;
	},
};

/* The target on side 1 of a world. */
class Sim
{
      public:
	Sim(const SimConf &c, const WireConf &wc, const tcp_conf &host, const tcp_conf &target)
	    : sc(c), w(wc, host, target), rng(wc.seed * 77)
	{
		nvme_tcp_conf nc = {};

		nc.conns = 16;
		nc.slots = 128;
		fake = fake_nvmf_create();
		if (nvme_tcp_init(&nc) != 0 || nvme_tcp_lcore_init() != 0)
			abort();
		w.on_accept = [](strake_stream *s) { return nvme_tcp_accept(s, nullptr); };
		if (sc.pin_budget != 0)
			w.inst[1]->pin_budget = sc.pin_budget;
		if (sc.spare_mbufs != 0) /* as if the pool were so small */
			w.inst[1]->pin_budget = sc.spare_mbufs * 9344ull / 2;
		for (uint32_t n = rte_mempool_avail_count(World::pool); sc.spare_mbufs != 0 && n > sc.spare_mbufs; n--)
			taken.push_back(rte_pktmbuf_alloc(World::pool));
		for (int i = 0; i < sc.hosts; i++) {
			sockaddr_storage ss = peer_address(1, 4420, 4);

			hosts.push_back(std::make_unique<SimHost>(sc, i, rng()));
			if (w.carrier[0]->connect(w.carrier[0], (sockaddr *)&ss, &SimHost::callbacks, hosts[i].get(),
						  &hosts[i]->stream) != 0)
				abort();
		}
	}
	~Sim()
	{
		fake->hold = false;
		fake_nvmf_release(UINT32_MAX);
		for (auto &h : hosts) {
			h->deaf_until = 0;
			if (h->stream != nullptr)
				h->stream->ops->abort(h->stream);
		}
		w.run([] { return nvme_tcp_lcore_drain(); }, 100 * NS_PER_SEC, [this] { run_hosts(); });
		EXPECT_EQ(fake->qpairs, fake->gone);
		EXPECT_EQ(0u, fake->bad_payload);
		hosts.clear();
		w.turn(1);
		nvme_tcp_lcore_fini();
		nvme_tcp_fini();
		fake_nvmf_destroy();
		for (rte_mbuf *m : taken)
			rte_pktmbuf_free(m);
	}
	void
	run_hosts()
	{
		for (auto &h : hosts)
			h->run();
		if (fake->hold && w.now() >= hold_until) {
			fake->hold = false;
			fake_nvmf_release(UINT32_MAX);
		}
	}
	uint64_t
	oldest() const
	{
		uint64_t at = w.now();

		for (auto &h : hosts)
			for (auto &s : h->slots)
				if (s.busy)
					at = std::min(at, s.at);
		return w.now() - at;
	}
	/* @return the longest a command took. */
	uint64_t
	run(uint64_t bound)
	{
		auto over = [this, bound] {
			bool all = true;

			for (auto &h : hosts)
				all &= h->over() || h->closed;
			return all || oldest() > bound;
		};
		uint64_t worst = oldest();

		EXPECT_TRUE(w.run(over, 3600 * NS_PER_SEC, [this] {
			run_hosts();
			if (std::uniform_real_distribution<>(0, 1)(rng) < sc.trouble)
				disturb();
		}));
		worst = std::max(worst, oldest());
		if (worst > bound)
			show();
		for (auto &h : hosts) {
			EXPECT_TRUE(h->over())
				<< "ready " << h->ready << " closed " << h->closed << " busy " << h->busy;
			worst = std::max(worst, h->worst);
		}
		return worst;
	}

	const SimConf &sc;
	World w;
	std::vector<std::unique_ptr<SimHost>> hosts;

      private:
	/* What a run that stalled needs to be understood. */
	void
	show()
	{
		printf("budget %lu pinned %lu, mbufs %u, held %u\n", w.inst[1]->pin_budget, w.inst[1]->pinned,
		       rte_mempool_avail_count(World::pool), fake->held);
		for (int i = 0; i < 2; i++) {
			const char *name;

			for (unsigned int k = 0; (name = tcp_counter_name(k, nullptr)) != nullptr; k++)
				if (((const uint64_t *)tcp_lcore_counters(w.inst[i]))[k] != 0)
					printf("side %d %s %lu\n", i, name,
					       ((const uint64_t *)tcp_lcore_counters(w.inst[i]))[k]);
		}
		tcp_lcore_walk(w.inst[0], show_stream, (void *)"host");
		tcp_lcore_walk(w.inst[1], show_stream, (void *)"target");
	}
	static void
	show_stream(strake_stream *s, const char *state, void *arg)
	{
		const char *names[32];
		uint64_t values[32];
		unsigned int n = s->figures(s, names, values, 32);

		printf("%s: %s, queued %u", (const char *)arg, state, s->tx_queued);
		for (unsigned int i = 0; i < n; i++)
			printf(", %s %lu", names[i], values[i]);
		printf("\n");
	}
	void
	disturb()
	{
		uint64_t until = w.now() + rng() % sc.pause;

		switch (rng() % 5) {
		case 0:
			w.wire->pause(0, until);
			break;
		case 1:
			w.wire->pause(1, until);
			break;
		case 2:
			w.turn(until - w.now()); /* neither side is run */
			break;
		case 3:
			hosts[rng() % hosts.size()]->deaf_until = until;
			break;
		default:
			fake->hold = true;
			hold_until = until;
		}
	}
	std::mt19937_64 rng;
	std::vector<rte_mbuf *> taken;
	uint64_t hold_until = 0;
};

/* Drawn from a seed. @return the longest a command took. */
static uint64_t
random_sim(uint64_t seed, uint64_t bound)
{
	std::mt19937_64 r(seed);
	auto pick = [&](std::initializer_list<double> l) { return *(l.begin() + r() % l.size()); };
	tcp_conf ca = small_conf(seed), cb = small_conf(seed + 1);
	WireConf wc;
	SimConf sc;

	wc.seed = seed;
	wc.mtu = (uint16_t)pick({1500, 2460, 3542, 9000, 9000});
	wc.tx_segs_max = (uint16_t)pick({1, 8});
	wc.delay_ns = (uint64_t)pick({1000, 20000, 500000});
	wc.gbps = pick({1, 10});
	wc.drop = pick({0, 0, 0.001, 0.01});
	wc.dup = pick({0, 0.01});
	wc.reorder = pick({0, 0, 0.02});
	wc.jitter_ns = 100000;
	wc.enobufs = pick({0, 0, 0.01});
	wc.ring = (size_t)pick({16, 64, 512});
	wc.chains = r() % 4 == 0;
	for (tcp_conf *c : {&ca, &cb}) {
		c->rcvbuf = (uint32_t)pick({65536, 262144, 1048576});
		c->sndbuf = (uint32_t)pick({65536, 262144, 1048576});
	}
	/* The hosts' R2T data must fit the target's window beside all else. */
	cb.rcvbuf = 1048576;
	sc.hosts = (int)pick({1, 2, 4, 8});
	sc.depth = (uint16_t)pick({1, 2, 4});
	sc.reads = pick({0, 0.3, 0.7});
	sc.hdgst = r() % 4 != 0;
	sc.ddgst = r() % 4 != 0;
	sc.spare_mbufs = (uint32_t)pick({0, 0, 0, 400});
	sc.pin_budget = (uint64_t)pick({0, 0, 0, 1000000, 4000000});
	Sim sim(sc, wc, ca, cb);
	return sim.run(bound);
}

/* All hosts begin long writes at the same time, with less memory than that takes. */
TEST(NvmeSim, WritesOfManyHostsShareTheMemory)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		tcp_conf ca = small_conf(seed), cb = small_conf(seed + 1);
		WireConf wc;
		SimConf sc;

		SCOPED_TRACE("seed " + std::to_string(seed));
		wc.seed = seed;
		wc.mtu = seed % 2 ? 9000 : 2460;
		cb.rcvbuf = 1 << 20;
		sc.hosts = 8;
		sc.depth = 1;
		sc.commands = 10;
		sc.reads = 0;
		sc.long_only = true;
		sc.trouble = 0;
		sc.pin_budget = 300000;
		Sim sim(sc, wc, ca, cb);
		EXPECT_LT(sim.run(5 * NS_PER_SEC), 2 * NS_PER_SEC);
	}
}

TEST(NvmeSim, EveryCommandIsAnsweredInTime)
{
	const char *env = getenv("STRAKE_SIM_SEEDS"), *first = getenv("STRAKE_SIM_FIRST");
	uint64_t seeds = env != nullptr ? strtoull(env, nullptr, 0) : 200;
	uint64_t from = first != nullptr ? strtoull(first, nullptr, 0) : 1, worst = 0;

	for (uint64_t seed = from; seed < from + seeds; seed++) {
		SCOPED_TRACE("seed " + std::to_string(seed));
		uint64_t took = random_sim(seed, 10 * NS_PER_SEC);

		if (getenv("STRAKE_SIM_SHOW") != nullptr)
			printf("seed %lu: %.3f s\n", seed, (double)took / 1e9);
		worst = std::max(worst, took);
		if (HasFailure())
			FAIL() << "STRAKE_SIM_FIRST=" << seed << " STRAKE_SIM_SEEDS=1 repeats it; " << took / 1000000
			       << " ms";
	}
	printf("the slowest command took %.3f s\n", (double)worst / 1e9);
}
