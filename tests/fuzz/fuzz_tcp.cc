/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Segments into a TCP instance with a listener, from four hand-made peers and one it connected to, while time passes
 * and users send, keep, close and abort. What users receive are the bytes of those sequence numbers, in order; what the
 * stack sends are the users' bytes; closed() comes once; memory is bounded; nothing is left at the end.
 */

#include "fuzz_world.h"

#include <memory>
#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_tcp.h>

extern "C" {
#include "drivers/front/tcp/conn.h"
}

namespace
{

constexpr unsigned int kFlows = 5, kActive = 4; /* the last is the one we connect by */
constexpr uint16_t kService = 4420, kRemote = 7000;

struct User;

struct Flow {
	port_addr local, remote; /* as the stack sees them */
	uint16_t lport, rport;
	uint32_t seq; /* the peer's next byte */
	uint32_t ack; /* after the stack's last byte seen */
	uint32_t stack_ack;
	uint32_t ts;  /* the stack's last TSval */
	uint16_t wnd; /* as the stack tells it */
	User *user;   /* who has the stream now */
};

struct User {
	strake_stream *s = nullptr;
	Flow *flow = nullptr;
	bool known = false; /* iss and irs are */
	uint32_t iss = 0, irs = 0;
	uint64_t received = 0, sent = 0;
	int closed = 0;
	bool closing = false, keep = false;
	uint8_t on_rx = 0; /* what to do inside rx() */
	std::vector<strake_buf *> held;
};

FuzzPool *rx_pool;
rte_mempool *tx_pool, *ext_pool;
port_if ifp;
Flow flows[kFlows];
std::vector<std::unique_ptr<User>> users;
tcp *inst;
strake_carrier *carrier;
unsigned int fail_sends, routes;
bool refuse;
uint8_t accept_with;

/* The byte of sequence number @p seq of a peer; with @p salt, of place @p seq in a user's stream. */
uint8_t
pattern(uint32_t seq, uint8_t salt = 0)
{
	return (uint8_t)((seq * 131 + (seq >> 8)) ^ salt);
}

constexpr uint8_t kOurs = 0x5a;

/* --- the users of streams ------------------------------------------------------------------------------------------
 */

void
user_send(User *u, uint32_t len)
{
	if (u->s == nullptr || u->closing || len == 0 || len > strake_stream_room(u->s)) {
		if (u->s != nullptr)
			u->s->want_room = true;
		return;
	}
	strake_buf *list = nullptr, **tail = &list;

	for (uint32_t left = len, run; left > 0; left -= run) {
		Bytes b(run = std::min<uint32_t>(left, 1 + (len * 7 + left) % 3000));

		for (uint32_t i = 0; i < run; i++)
			b[i] = pattern((uint32_t)(u->sent + len - left + i), kOurs);
		*tail = fuzz_heap_buf(b.data(), run);
		if (*tail == nullptr) {
			strake_buf_put_list(list);
			return;
		}
		tail = &(*tail)->next;
	}
	u->sent += len;
	strake_stream_send(u->s, list, len);
}

void
user_close(User *u, bool abort)
{
	if (u->s == nullptr || (u->closing && !abort))
		return;
	u->closing = true;
	if (abort)
		u->s->ops->abort(u->s);
	else
		u->s->ops->close(u->s);
}

void
user_put(User *u, size_t n)
{
	while (n-- > 0 && !u->held.empty()) {
		strake_buf_put(u->held.back());
		u->held.pop_back();
	}
}

void
know(User *u)
{
	const tcp_conn *c = tcp_conn_of(u->s);

	u->iss = c->iss;
	u->irs = c->irs;
	u->known = true;
}

void
on_rx(strake_stream *s, strake_buf *bufs, uint32_t len)
{
	User *u = (User *)s->user;

	FUZZ_CHECK(u->s == s && u->closed == 0 && u->known);
	FUZZ_CHECK(strake_buf_list_len(bufs) == len && len > 0);
	for (strake_buf *next; bufs != nullptr; bufs = next) {
		next = bufs->next;
		FUZZ_CHECK(bufs->len > 0);
		for (uint32_t i = 0; i < bufs->len; i++)
			FUZZ_CHECK(bufs->addr[i] == pattern(u->irs + 1 + (uint32_t)u->received + i));
		u->received += bufs->len;
		if (u->keep)
			u->held.push_back(bufs);
		else
			strake_buf_put(bufs);
	}
	if (u->on_rx & 1)
		user_send(u, 700);
	if (u->on_rx & 6)
		user_close(u, (u->on_rx & 4) != 0);
}

void
on_room(strake_stream *s)
{
	User *u = (User *)s->user;

	FUZZ_CHECK(u->closed == 0);
	user_send(u, 1000);
}

void
on_eof(strake_stream *s)
{
	User *u = (User *)s->user;

	FUZZ_CHECK(u->closed == 0);
	if (u->on_rx & 8)
		user_close(u, false);
}

void
on_connected(strake_stream *s)
{
	User *u = (User *)s->user;

	FUZZ_CHECK(u->closed == 0 && !u->known);
	know(u);
}

void
on_closed(strake_stream *s, int)
{
	User *u = (User *)s->user;

	FUZZ_CHECK(u->s == s && u->closed == 0);
	u->closed++;
	u->s = nullptr;
	if (u->flow != nullptr)
		u->flow->user = nullptr;
}

const strake_stream_cb callbacks = {on_rx, on_room, on_eof, on_connected, on_closed};

User *
new_user(strake_stream *s)
{
	users.push_back(std::make_unique<User>());
	users.back()->s = s;
	return users.back().get();
}

int
on_accept(strake_stream *s, void *)
{
	const tcp_conn *c = tcp_conn_of(s);

	if (refuse)
		return -EPERM;
	User *u = new_user(s);

	s->cb = &callbacks;
	s->user = u;
	u->keep = (accept_with & 16) != 0;
	u->on_rx = accept_with & 15;
	know(u);
	for (Flow &f : flows) {
		tcp_key key;

		tcp_key_init(&key, &f.local, rte_cpu_to_be_16(f.lport), &f.remote, rte_cpu_to_be_16(f.rport));
		if (memcmp(&key, &c->key, sizeof(key)) == 0) {
			FUZZ_CHECK(f.user == nullptr);
			f.user = u;
			u->flow = &f;
		}
	}
	FUZZ_CHECK(u->flow != nullptr);
	return 0;
}

/* --- the wire ------------------------------------------------------------------------------------------------------
 */

struct Way {
	port_dst d; /* first */
};

port_dst *
route(port_if *, const port_addr *local, const port_addr *remote)
{
	auto *w = new Way();

	w->d.ifp = &ifp;
	w->d.local = *local;
	w->d.remote = *remote;
	if (local->family == 0)
		w->d.local = flows[remote->family == 6].local;
	w->d.mtu = ifp.mtu;
	routes++;
	return &w->d;
}

void
unroute(port_dst *d)
{
	delete (Way *)d;
	routes--;
}

Flow *
flow_of(const port_dst *d, const rte_tcp_hdr *th)
{
	for (Flow &f : flows)
		if (memcmp(&f.remote, &d->remote, sizeof(f.remote)) == 0 && rte_be_to_cpu_16(th->dst_port) == f.rport &&
		    (rte_be_to_cpu_16(th->src_port) == f.lport || &f == &flows[kActive]))
			return &f;
	return nullptr;
}

/* What every segment of the stack must be. */
void
sent(const port_dst *d, const Bytes &b, uint32_t segsz)
{
	const auto *th = (const rte_tcp_hdr *)b.data();
	uint32_t hlen = (uint32_t)(th->data_off >> 4) * 4, len, seq = rte_be_to_cpu_32(th->sent_seq);
	tcp_options o;
	Flow *f;

	FUZZ_CHECK(b.size() >= 20 && hlen >= 20 && hlen <= b.size());
	FUZZ_CHECK(tcp_option_parse(&o, b.data() + 20, hlen - 20));
	len = (uint32_t)b.size() - hlen;
	FUZZ_CHECK(segsz != 0 || b.size() + (d->remote.family == 6 ? 40 : 20) <= ifp.mtu);
	f = flow_of(d, th);
	FUZZ_CHECK(f != nullptr);
	if (f == &flows[kActive] && (th->tcp_flags & TCP_SYN))
		f->lport = rte_be_to_cpu_16(th->src_port);
	if (th->tcp_flags & TCP_SYN)
		f->ack = seq + 1;
	else if ((int32_t)(seq + len - f->ack) > 0 && !(th->tcp_flags & TCP_RST))
		f->ack = seq + len + ((th->tcp_flags & TCP_FIN) != 0);
	if (th->tcp_flags & TCP_ACK)
		f->stack_ack = rte_be_to_cpu_32(th->recv_ack);
	if (o.has & TCP_HAS_TS)
		f->ts = o.tsval;
	f->wnd = rte_be_to_cpu_16(th->rx_win);
	User *u = f->user;

	if (len == 0 || u == nullptr || !u->known)
		return;
	FUZZ_CHECK(!(th->tcp_flags & (TCP_SYN | TCP_RST)));
	/* A byte before the stream is the keepalive's. */
	uint32_t at = seq - (u->iss + 1);

	if (len == 1 && (int32_t)at < 0)
		return;
	FUZZ_CHECK((uint64_t)at + len <= u->sent);
	for (uint32_t i = 0; i < len; i++)
		FUZZ_CHECK(b[hlen + i] == pattern(at + i, kOurs));
}

int
transmit(port_dst *d, rte_mbuf *m, uint8_t)
{
	Bytes b;
	uint32_t segsz = m->tso_segsz;

	FUZZ_CHECK(rte_pktmbuf_headroom(m) >= 128 && m->nb_segs <= ifp.tx_segs_max && m->data_len >= 20);
	for (rte_mbuf *s = m; s != nullptr; s = s->next)
		b.insert(b.end(), rte_pktmbuf_mtod(s, uint8_t *), rte_pktmbuf_mtod_offset(s, uint8_t *, s->data_len));
	FUZZ_CHECK(b.size() == m->pkt_len);
	rte_pktmbuf_free(m);
	if (fail_sends > 0) {
		fail_sends--;
		return -ENOBUFS;
	}
	sent(d, b, segsz);
	return 0;
}

const port_if_ops wire_ops = {route, unroute, transmit, nullptr, nullptr};

/* --- what peers send ------------------------------------------------------------------------------------------------
 */

Bytes
options(Input &in, const Flow &f)
{
	uint8_t how = in.u8();
	Bytes o;

	if (how & 1)
		o = o + Bytes{2, 4, (uint8_t)(how & 2 ? 5 : 0), in.u8()};
	if (how & 4)
		o = o + Bytes{3, 3, in.u8(), 1};
	if (how & 8)
		o = o + Bytes{4, 2};
	if (how & 16) {
		uint32_t val = rte_cpu_to_be_32((uint32_t)(FuzzLcores::clock / 1000000) + (int8_t)in.u8());
		uint32_t ecr = rte_cpu_to_be_32(f.ts);

		o = o + Bytes{1, 1, 8, 10} + bytes_of(val) + bytes_of(ecr);
	}
	if (how & 32) {
		uint8_t n = (uint8_t)(1 + in.u8() % 4);

		o = o + Bytes{1, 1, 5, (uint8_t)(2 + 8 * n)};
		for (uint8_t i = 0; i < n; i++) {
			uint32_t start = f.ack - in.u16(), end = start + in.u16();

			o = o + bytes_of(rte_cpu_to_be_32(start)) + bytes_of(rte_cpu_to_be_32(end));
		}
	}
	if (how & 64)
		o = o + in.bytes(in.u8() % 40);
	o.resize(std::min<size_t>((o.size() + 3) / 4 * 4, 40));
	return o;
}

void
segment(Input &in)
{
	static const uint8_t usual[] = {TCP_ACK,	   TCP_ACK | TCP_PSH, TCP_SYN,		 TCP_ACK | TCP_FIN,
					TCP_RST,	   TCP_RST | TCP_ACK, TCP_SYN | TCP_ACK, TCP_SYN | 0xc0,
					TCP_ACK | TCP_ECE, TCP_ACK | TCP_CWR, TCP_ACK,		 TCP_ACK};
	uint8_t who = in.u8(), how = in.u8();
	Flow &f = flows[(who & 15) % kFlows];
	uint8_t flags = how & 1 ? in.u8() : usual[(who >> 4) % sizeof(usual)];
	uint32_t seq = f.seq, ack = f.ack, len = how & 2 ? in.u16() % 3000 : 0;
	uint16_t wnd = 65535;
	Bytes opts = how & 4 ? options(in, f) : Bytes();

	if (how & 8)
		seq += (uint32_t)(int16_t)in.u16();
	if (how & 16)
		ack -= in.u16();
	if (how & 32)
		wnd = in.u16() & (how & 64 ? 15 : 0xffff);
	Bytes b = bytes_of(rte_cpu_to_be_16(f.rport)) + bytes_of(rte_cpu_to_be_16(f.lport)) +
		  bytes_of(rte_cpu_to_be_32(seq)) + bytes_of(flags & TCP_ACK ? rte_cpu_to_be_32(ack) : (uint32_t)0) +
		  Bytes{(uint8_t)((20 + opts.size()) << 2), flags} + bytes_of(rte_cpu_to_be_16(wnd)) + Bytes(4) + opts;
	uint32_t first = seq + ((flags & TCP_SYN) != 0);
	size_t head = b.size();

	b.resize(head + len);
	for (uint32_t i = 0; i < len; i++)
		b[head + i] = pattern(first + i);
	if (!(how & 8) && !(flags & TCP_RST))
		f.seq = first + len + ((flags & TCP_FIN) != 0);
	uint16_t piece = 0;

	if (how & 128) { /* now and then a header that lies, and pieces */
		uint8_t more = in.u8();

		if (more & 1) {
			b[12] = in.u8();
			/* The bytes are right for where it says they begin. */
			for (size_t i = head = (size_t)(b[12] >> 4) * 4; i >= 20 && i < b.size(); i++)
				b[i] = pattern(first + (uint32_t)(i - head));
		}
		if (more & 2)
			b.resize(std::max<size_t>(20, b.size() - in.u8() % b.size()));
		if (more & 4)
			piece = (uint16_t)(20 + in.u8());
		if (more & 8)
			f.seq += in.u32();
	}
	rte_mbuf *m = rx_pool->frame(b, piece);

	if (m == nullptr)
		return;
	struct port_pkt *pkt = port_pkt(m);

	pkt->ifp = &ifp;
	pkt->src = f.remote;
	pkt->dst = f.local;
	pkt->tos = (uint8_t)(who >> 6);
	pkt->l4_len = (uint16_t)b.size();
	ifp.rx(ifp.user, &m, 1);
}

/* The handshake of a well-behaved peer. */
void
establish(Flow &f, uint8_t how)
{
	Bytes opts = {2, 4, 5, 0xb4};

	if (how & 1)
		opts = opts + Bytes{3, 3, 7, 1};
	if (how & 2)
		opts = opts + Bytes{4, 2, 1, 1};
	for (int i = 0; i < 2; i++) {
		Bytes o = i == 0 ? opts : Bytes();
		Bytes b = bytes_of(rte_cpu_to_be_16(f.rport)) + bytes_of(rte_cpu_to_be_16(f.lport)) +
			  bytes_of(rte_cpu_to_be_32(f.seq)) + bytes_of(i == 0 ? (uint32_t)0 : rte_cpu_to_be_32(f.ack)) +
			  Bytes{(uint8_t)((20 + o.size()) << 2), (uint8_t)(i == 0 ? TCP_SYN : TCP_ACK), 0xff, 0xff} +
			  Bytes(4) + o;
		rte_mbuf *m = rx_pool->frame(b, 0);

		if (m == nullptr)
			return;
		struct port_pkt *pkt = port_pkt(m);

		pkt->ifp = &ifp;
		pkt->src = f.remote;
		pkt->dst = f.local;
		pkt->tos = 0;
		pkt->l4_len = (uint16_t)b.size();
		f.seq += i == 0;
		ifp.rx(ifp.user, &m, 1);
		FuzzLcores::turn(1000);
	}
}

void
too_big(Input &in)
{
	Flow &f = flows[in.u8() % kFlows];
	uint32_t seq = f.ack - in.u16();
	/* Exactly the eight bytes that are promised. */
	uint8_t *l4 = (uint8_t *)malloc(8);
	Bytes b = bytes_of(rte_cpu_to_be_16(f.lport)) + bytes_of(rte_cpu_to_be_16(f.rport)) +
		  bytes_of(rte_cpu_to_be_32(seq));

	memcpy(l4, b.data(), 8);
	ifp.too_big(ifp.user, &f.local, &f.remote, l4, in.u16());
	free(l4);
}

sockaddr_storage
address(const port_addr &a, uint16_t service)
{
	sockaddr_storage ss = {};

	if (a.family == 4) {
		auto *s = (sockaddr_in *)&ss;

		s->sin_family = AF_INET;
		s->sin_port = htons(service);
		memcpy(&s->sin_addr, a.b, 4);
	} else {
		auto *s = (sockaddr_in6 *)&ss;

		s->sin6_family = AF_INET6;
		s->sin6_port = htons(service);
		memcpy(&s->sin6_addr, a.b, 16);
	}
	return ss;
}

void
open_active()
{
	Flow &f = flows[kActive];
	sockaddr_storage ss = address(f.remote, kRemote);
	strake_stream *s = nullptr;

	if (f.user != nullptr)
		return;
	User *u = new_user(nullptr);

	if (carrier->connect(carrier, (sockaddr *)&ss, &callbacks, u, &s) != 0)
		return;
	u->s = s;
	u->flow = &f;
	f.user = u;
}

void
user_step(Input &in)
{
	uint8_t who = in.u8();
	User *u = flows[(who & 15) % kFlows].user;

	if (u == nullptr) {
		/* Bufs outlive their stream. */
		if (!users.empty())
			user_put(users[who % users.size()].get(), 1);
		return;
	}
	switch (who >> 4) {
	case 0:
	case 1:
	case 2:
		user_send(u, in.u16() % 20000);
		break;
	case 3:
		user_close(u, false);
		break;
	case 4:
		user_close(u, true);
		break;
	case 5:
		u->keep = true;
		break;
	case 6:
		u->keep = false;
		user_put(u, SIZE_MAX);
		break;
	case 7:
		user_put(u, 1);
		break;
	case 8:
		u->on_rx = in.u8();
		break;
	default:
		user_send(u, 1 + who);
	}
}

void
step(Input &in)
{
	static const uint64_t ns[] = {0, 1000, 1000000, 5000000, 40000000, 250000000, 1000000000, 10000000000};
	uint8_t op = in.u8();

	switch (op & 15) {
	case 8:
	case 9:
		user_step(in);
		break;
	case 10:
	case 11:
	case 12:
		FuzzLcores::turns(1 + (op >> 7) * 8, ns[op >> 4 & 7]);
		break;
	case 13:
		too_big(in);
		break;
	case 14:
		if (op & 16)
			open_active();
		else
			fail_sends = op >> 5;
		break;
	case 15:
		if (op & 16)
			FuzzHog::take(op >> 5);
		else
			FuzzHog::put();
		refuse = (op & 0xe0) == 0x60;
		break;
	default:
		segment(in);
	}
}

void
check_bounds(const tcp_conf &conf)
{
	tcp_usage u;

	tcp_lcore_usage(inst, &u);
	FUZZ_CHECK(u.conns <= u.conns_max && u.conns_max == conf.conns);
	FUZZ_CHECK(u.half_open <= u.conns && u.time_wait <= u.conns);
	FUZZ_CHECK(u.pinned <= (uint64_t)conf.conns * (2 * conf.rcvbuf + 16384));
	FUZZ_CHECK(routes <= conf.conns);
}

void
set_up(const tcp_conf &conf)
{
	for (unsigned int i = 0; i < kFlows; i++) {
		Flow &f = flows[i];

		f = Flow();
		f.local.family = f.remote.family = i & 1 ? 6 : 4;
		f.local.b[0] = f.remote.b[0] = i & 1 ? 0xfd : 10;
		f.local.b[i & 1 ? 15 : 3] = 2;
		f.remote.b[i & 1 ? 15 : 3] = 1;
		f.lport = i == kActive ? 0 : kService;
		f.rport = (uint16_t)(i == kActive ? kRemote : 5000 + i);
		f.seq = i == 0 ? 0xfffff000 : 1000 * i; /* one that wraps soon */
	}
	FUZZ_CHECK(tcp_lcore_create(&inst, &conf, &ifp) == 0);
	carrier = tcp_carrier_create(&inst, 1);
	FUZZ_CHECK(carrier != nullptr);
	for (int i = 0; i < 2; i++) {
		sockaddr_storage ss = address(flows[i].local, kService);

		FUZZ_CHECK(carrier->listen(carrier, (sockaddr *)&ss, on_accept, nullptr) == 0);
	}
	FuzzLcores::turn(0);
}

void
tear_down()
{
	FuzzHog::put();
	for (auto &u : users)
		user_put(u.get(), SIZE_MAX);
	FuzzLcores::turn();
	tcp_lcore_abort_all(inst);
	FuzzLcores::turn();
	for (auto &u : users)
		FUZZ_CHECK(u->s == nullptr && (u->closed == 1 || !u->flow) && u->held.empty());
	users.clear();
	tcp_usage usage;

	tcp_lcore_usage(inst, &usage);
	FUZZ_CHECK(usage.conns == 0 && usage.pinned == 0 && usage.half_open == 0 && usage.time_wait == 0);
	FUZZ_CHECK(routes == 0);
	tcp_lcore_destroy(inst);
	tcp_carrier_destroy(carrier);
	rx_pool->check_leaks();
	FUZZ_CHECK(rte_mempool_full(tx_pool) && rte_mempool_full(ext_pool));
	FuzzLcores::check_leaks();
}

} // namespace

extern "C" int
LLVMFuzzerInitialize(int *, char ***argv)
{
	fuzz_eal((*argv)[0]);
	FuzzLcores::create(0, 2048, 1u << 20);
	rx_pool = new FuzzPool("fuzz_rx", 1023, PORT_MBUF_PRIV);
	tx_pool =
		rte_pktmbuf_pool_create("fuzz_tx", 1023, 0, PORT_MBUF_PRIV, RTE_PKTMBUF_HEADROOM + 9216, SOCKET_ID_ANY);
	ext_pool = rte_pktmbuf_pool_create("fuzz_ext", 1023, 0, PORT_MBUF_PRIV, 0, SOCKET_ID_ANY);
	FUZZ_CHECK(tx_pool != nullptr && ext_pool != nullptr);
	return 0;
}

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t mtus[] = {1500, 9000, 1280, 576};
	Input in(data, size);
	uint8_t how = in.u8(), open = in.u8();
	tcp_conf conf = {};

	FuzzLcores::begin();
	ifp = port_if();
	ifp.ops = &wire_ops;
	ifp.name = "fuzz";
	ifp.mtu = mtus[how & 3];
	ifp.tx_segs_max = how & 4 ? 1 : 8;
	ifp.caps = how & 8 ? PORT_CAP_TSO : 0;
	ifp.tso_max = 65000;
	ifp.pool = tx_pool;
	ifp.ext_pool = ext_pool;
	conf.conns = how & 16 ? 4 : 16;
	conf.rcvbuf = how & 32 ? 16384 : 65536;
	conf.sndbuf = 65536;
	conf.congestion = how & 64 ? "cubic" : "newreno";
	conf.seed = 42;
	fail_sends = 0;
	refuse = false;
	accept_with = (uint8_t)(open >> 3);
	set_up(conf);
	for (unsigned int i = 0; i < (open & 3u); i++)
		establish(flows[i], how >> 7 | (uint8_t)i << 1);
	while (!in.empty()) {
		step(in);
		check_bounds(conf);
	}
	tear_down();
	return 0;
}
