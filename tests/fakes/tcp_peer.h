/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_PEER_H
#define TCP_PEER_H

/* Users of streams for tests: one that sends and checks pseudorandom bytes, and the world they live in. */

#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <netinet/in.h>

#include "tcp_wire.h"

extern "C" {
#include "strake_buf.h"
#include "strake_stream.h"
#include "tcp.h"
}

/* Byte at position @p pos of stream @p key. */
static inline uint8_t
pattern(uint64_t key, uint64_t pos)
{
	uint64_t x = (pos >> 3) * 0x9e3779b97f4a7c15ULL + key;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 32;
	return (uint8_t)(x >> (8 * (pos & 7)));
}

/* What a peer does with its stream. */
struct PeerConf {
	uint64_t total = 100000; /* bytes to send, then close */
	uint64_t key = 1;	 /* of the bytes sent */
	uint64_t expect_key = 2; /* of the bytes received */
	uint64_t expect = 100000;
	uint32_t chunk = 8192; /* longest send */
	double hold = 0;       /* chance that a received buf is kept for a while */
	bool frozen = false;   /* never puts what it receives, until thawed */
	bool abort_early = false;
};

class Peer
{
      public:
	explicit Peer(const PeerConf &c, uint64_t seed) : conf(c), rng(seed)
	{
	}
	~Peer()
	{
		release_all();
	}

	void
	attach(strake_stream *s)
	{
		stream = s;
		s->cb = &callbacks;
		s->user = this;
	}
	void
	start()
	{
		open = true;
		pump();
	}
	/* Send what fits; close after the last byte. */
	void pump();
	/* Put some of what is held. */
	void drain(size_t n);
	void
	release_all()
	{
		drain(held.size());
	}

	static const strake_stream_cb callbacks;
	PeerConf conf;
	std::mt19937_64 rng;
	strake_stream *stream = nullptr;
	std::deque<strake_buf *> held;
	uint64_t sent = 0, received = 0, bad = 0;
	uint64_t first_rx_at = 0, last_rx_at = 0;
	int closed = 0, err = 1, eofs = 0, connects = 0, rx_calls = 0;
	bool open = false, closing = false;
	static uint64_t live_blocks;

      private:
	strake_buf *block(uint32_t len);
	static void on_rx(strake_stream *s, strake_buf *bufs, uint32_t len);
	static void on_room(strake_stream *s);
	static void on_eof(strake_stream *s);
	static void on_connected(strake_stream *s);
	static void on_closed(strake_stream *s, int err);
};

/* One lcore, one wire, an instance at each end, a listener at side 1. */
class World
{
      public:
	explicit World(const WireConf &wire, const tcp_conf &a, const tcp_conf &b);
	~World();
	void turn(uint64_t ns);
	/* Turns until @p done or @p limit of virtual time. */
	bool run(const std::function<bool()> &done, uint64_t limit_ns, const std::function<void()> &each = nullptr);
	int connect(Peer *p, uint16_t port = 4420, int family = 4);
	void settle(); /* run until both sides are quiet, at most 200 s */

	static void global_init();
	static rte_mempool *pool, *ext_pool;
	static uint64_t clock; /* of lcore 0: never goes back */
	uint64_t
	now() const
	{
		return clock;
	}
	std::unique_ptr<Wire> wire;
	tcp *inst[2];
	strake_carrier *carrier[2];
	std::function<int(strake_stream *)> on_accept;
};

sockaddr_storage peer_address(int side, uint16_t port, int family);
tcp_conf small_conf(uint64_t seed);

#endif /* TCP_PEER_H */
