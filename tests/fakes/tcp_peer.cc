/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "tcp_peer.h"

#include <arpa/inet.h>

uint64_t Peer::live_blocks;
rte_mempool *World::pool, *World::ext_pool;
uint64_t World::clock = 1000000000;

const strake_stream_cb Peer::callbacks = {on_rx, on_room, on_eof, on_connected, on_closed};

/* Freed blocks are overwritten, so that a carrier that lets go too early sends wrong bytes. */
static void
block_release(strake_buf *buf)
{
	memset(buf->addr, 0xdd, buf->len);
	free(buf->opaque);
	Peer::live_blocks--;
}

static const strake_backing block_backing = {"block", block_release};

strake_buf *
Peer::block(uint32_t len)
{
	auto *p = (uint8_t *)malloc(len);
	strake_buf *b = strake_buf_wrap(p, len, &block_backing, p, STRAKE_BUF_STABLE);

	if (b == nullptr) {
		free(p);
		return nullptr;
	}
	live_blocks++;
	for (uint32_t i = 0; i < len; i++)
		p[i] = pattern(conf.key, sent + i);
	sent += len;
	return b;
}

void
Peer::pump()
{
	if (!open || closed || closing)
		return;
	while (sent < conf.total) {
		uint64_t want = std::min<uint64_t>(1 + rng() % conf.chunk, conf.total - sent);
		strake_buf *list = nullptr, **at = &list;

		if (want > strake_stream_room(stream)) {
			stream->want_room = true;
			return;
		}
		for (uint64_t left = want; left > 0;) {
			/* A header and a payload, as protocols send. */
			uint32_t n = (uint32_t)std::min<uint64_t>(left, rng() % 3 == 0 ? 24 : 1 + rng() % 5000);

			*at = block(n);
			if (*at == nullptr)
				abort();
			at = &(*at)->next;
			left -= n;
		}
		strake_stream_send(stream, list, (uint32_t)want);
		if (rng() % 4 == 0)
			break;
	}
	if (conf.abort_early && sent > conf.total / 2) {
		closing = true;
		stream->ops->abort(stream);
	} else if (sent == conf.total) {
		closing = true;
		stream->ops->close(stream);
	} else {
		stream->want_room = true;
	}
}

void
Peer::drain(size_t n)
{
	while (n-- > 0 && !held.empty()) {
		strake_buf *b = held.front();

		held.pop_front();
		strake_buf_put(b);
	}
}

void
Peer::on_rx(strake_stream *s, strake_buf *bufs, uint32_t len)
{
	auto *p = (Peer *)s->user;

	if (p->closed)
		p->bad++;
	if (strake_buf_list_len(bufs) != len)
		p->bad++;
	p->rx_calls++;
	while (bufs != nullptr) {
		strake_buf *next = bufs->next;

		for (uint32_t i = 0; i < bufs->len; i++)
			if (bufs->addr[i] != pattern(p->conf.expect_key, p->received + i)) {
				p->bad++;
				break;
			}
		p->received += bufs->len;
		if (p->conf.frozen ||
		    (p->conf.hold > 0 && std::uniform_real_distribution<>(0, 1)(p->rng) < p->conf.hold))
			p->held.push_back(bufs);
		else
			strake_buf_put(bufs);
		bufs = next;
	}
	if (p->first_rx_at == 0)
		p->first_rx_at = strake_now();
	p->last_rx_at = strake_now();
	if (!p->conf.frozen && p->rng() % 2)
		p->drain(p->rng() % 8);
	p->pump();
}

void
Peer::on_room(strake_stream *s)
{
	((Peer *)s->user)->pump();
}

void
Peer::on_eof(strake_stream *s)
{
	((Peer *)s->user)->eofs++;
}

void
Peer::on_connected(strake_stream *s)
{
	((Peer *)s->user)->connects++;
	((Peer *)s->user)->start();
}

void
Peer::on_closed(strake_stream *s, int err)
{
	auto *p = (Peer *)s->user;

	p->closed++;
	p->err = err;
	p->stream = nullptr;
}

sockaddr_storage
peer_address(int side, uint16_t port, int family)
{
	sockaddr_storage ss;
	port_addr a = Wire::address(side, family);

	memset(&ss, 0, sizeof(ss));
	if (family == 4) {
		auto *in = (sockaddr_in *)&ss;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a.b, 4);
	} else {
		auto *in6 = (sockaddr_in6 *)&ss;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, a.b, 16);
	}
	return ss;
}

tcp_conf
small_conf(uint64_t seed)
{
	tcp_conf c;

	memset(&c, 0, sizeof(c));
	c.conns = 16;
	c.rcvbuf = 256 << 10;
	c.sndbuf = 256 << 10;
	c.congestion = "cubic";
	c.seed = seed;
	return c;
}

void
World::global_init()
{
	if (pool != nullptr)
		return;
	strake_buf_conf bc;
	strake_lcore_conf lc;

	memset(&bc, 0, sizeof(bc));
	memset(&lc, 0, sizeof(lc));
	bc.descriptors = 65536;
	bc.arena_bytes = 4 << 20;
	bc.socket = SOCKET_ID_ANY;
	lc.socket = SOCKET_ID_ANY;
	if (strake_buf_init(&bc) != 0 || strake_lcore_create(0, &lc) != 0)
		abort();
	strake_lcore_enter(0);
	pool = rte_pktmbuf_pool_create("wire", 16383, 256, PORT_MBUF_PRIV, RTE_PKTMBUF_HEADROOM + 9216, SOCKET_ID_ANY);
	ext_pool = rte_pktmbuf_pool_create("wire_ext", 16383, 256, PORT_MBUF_PRIV, 0, SOCKET_ID_ANY);
	if (pool == nullptr || ext_pool == nullptr)
		abort();
	strake_lcore_turn(clock);
}

static int
accept_one(strake_stream *s, void *arg)
{
	auto *w = (World *)arg;

	return w->on_accept ? w->on_accept(s) : -ECONNREFUSED;
}

World::World(const WireConf &wc, const tcp_conf &a, const tcp_conf &b)
{
	const tcp_conf *conf[2] = {&a, &b};

	global_init();
	wire = std::make_unique<Wire>(wc, pool, ext_pool);
	for (int i = 0; i < 2; i++) {
		if (tcp_lcore_create(&inst[i], conf[i], wire->side(i)) != 0)
			abort();
		carrier[i] = tcp_carrier_create(&inst[i], 1);
	}
	for (int family : {4, 6}) {
		sockaddr_storage ss = peer_address(1, 4420, family);

		if (carrier[1]->listen(carrier[1], (sockaddr *)&ss, accept_one, this) != 0)
			abort();
	}
	turn(0);
}

World::~World()
{
	for (int i = 0; i < 2; i++) {
		tcp_lcore_destroy(inst[i]);
		tcp_carrier_destroy(carrier[i]);
	}
}

void
World::turn(uint64_t ns)
{
	clock += ns;
	strake_lcore_turn(clock);
}

bool
World::run(const std::function<bool()> &done, uint64_t limit_ns, const std::function<void()> &each)
{
	uint64_t end = clock + limit_ns;

	while (!done()) {
		/* To the next packet, else to the next tick of the timers. */
		uint64_t tick = (clock / 1000000 + 1) * 1000000;
		uint64_t at = std::max(clock + 1, std::min(wire->next(), tick));

		if (clock >= end)
			return false;
		turn(at - clock);
		if (each)
			each();
	}
	return true;
}

int
World::connect(Peer *p, uint16_t port, int family)
{
	sockaddr_storage ss = peer_address(1, port, family);
	strake_stream *s = nullptr;
	int ret = carrier[0]->connect(carrier[0], (sockaddr *)&ss, &Peer::callbacks, p, &s);

	p->stream = s;
	return ret;
}

void
World::settle()
{
	run(
		[this] {
			tcp_usage a, b;

			tcp_lcore_usage(inst[0], &a);
			tcp_lcore_usage(inst[1], &b);
			return a.conns == a.time_wait && b.conns == b.time_wait && wire->next() == UINT64_MAX;
		},
		200000000000ULL);
}
