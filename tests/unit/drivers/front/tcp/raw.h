/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_RAW_H
#define TCP_RAW_H

/* A TCP that speaks to a hand-made peer: segments in, segments out. */

#include <string>

#include <gtest/gtest.h>
#include <rte_byteorder.h>
#include <rte_tcp.h>

#include "tcp_peer.h"

extern "C" {
#include "drivers/front/tcp/conn.h"
}

struct Reply {
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t wnd, sport, dport;
	tcp_options o;
	std::string data;
};

/* Who has the stream. */
struct User {
	strake_stream *s = nullptr;
	std::string rx;
	std::vector<strake_buf *> kept;
	bool keep = false;
	int closed = 0, err = 1, eofs = 0, rooms = 0, connects = 0, calls = 0, refuse = 0;

	static const strake_stream_cb cb;
	void
	put()
	{
		for (strake_buf *b : kept)
			strake_buf_put(b);
		kept.clear();
	}
	~User()
	{
		put();
	}
};

inline const strake_stream_cb User::cb = {
	[](strake_stream *s, strake_buf *bufs, uint32_t len) {
		auto *u = (User *)s->user;

		EXPECT_EQ(len, strake_buf_list_len(bufs));
		u->calls++;
		for (strake_buf *next; bufs != nullptr; bufs = next) {
			next = bufs->next;
			u->rx.append((char *)bufs->addr, bufs->len);
			if (u->keep)
				u->kept.push_back(bufs);
			else
				strake_buf_put(bufs);
		}
	},
	[](strake_stream *s) { ((User *)s->user)->rooms++; },
	[](strake_stream *s) { ((User *)s->user)->eofs++; },
	[](strake_stream *s) { ((User *)s->user)->connects++; },
	[](strake_stream *s, int err) {
		auto *u = (User *)s->user;

		u->closed++;
		u->err = err;
		u->s = nullptr;
	},
};

class Raw : public testing::Test
{
      protected:
	void
	SetUp() override
	{
		build(WireConf(), conf());
	}
	void
	TearDown() override
	{
		user.put();
		w.reset();
	}
	static tcp_conf
	conf()
	{
		tcp_conf c = small_conf(42);

		c.rcvbuf = 1 << 20;
		return c;
	}
	void
	build(const WireConf &wc, const tcp_conf &c)
	{
		w = std::make_unique<World>(wc, small_conf(1), c);
		w->wire->filter = [this](int from, std::vector<uint8_t> &b) {
			if (from == 1)
				capture(b);
			return false;
		};
		w->on_accept = [this](strake_stream *s) {
			accepts++;
			if (user.refuse)
				return -EPERM;
			s->cb = &User::cb;
			s->user = &user;
			user.s = s;
			return 0;
		};
		us = w->inst[1];
	}
	void
	capture(const std::vector<uint8_t> &b)
	{
		auto *th = (const rte_tcp_hdr *)b.data();
		unsigned int hlen = (unsigned int)(th->data_off >> 4) * 4;
		Reply r;

		EXPECT_TRUE(tcp_option_parse(&r.o, b.data() + 20, hlen - 20));
		r.seq = rte_be_to_cpu_32(th->sent_seq);
		r.ack = rte_be_to_cpu_32(th->recv_ack);
		r.flags = th->tcp_flags;
		r.wnd = rte_be_to_cpu_16(th->rx_win);
		r.sport = rte_be_to_cpu_16(th->src_port);
		r.dport = rte_be_to_cpu_16(th->dst_port);
		r.data.assign((const char *)b.data() + hlen, b.size() - hlen);
		out.push_back(r);
	}
	std::vector<uint8_t>
	segment(uint8_t flags, uint32_t seq, uint32_t ack, const std::string &data = "", std::vector<uint8_t> opts = {},
		int wnd = 65535)
	{
		while (opts.size() % 4 != 0)
			opts.push_back(0);
		std::vector<uint8_t> b(20 + opts.size() + data.size());
		auto *th = (rte_tcp_hdr *)b.data();

		th->src_port = rte_cpu_to_be_16(sport);
		th->dst_port = rte_cpu_to_be_16(dport);
		th->sent_seq = rte_cpu_to_be_32(seq);
		th->recv_ack = rte_cpu_to_be_32(ack);
		th->data_off = (uint8_t)((20 + opts.size()) << 2);
		th->tcp_flags = flags;
		th->rx_win = rte_cpu_to_be_16((uint16_t)wnd);
		std::copy(opts.begin(), opts.end(), b.begin() + 20);
		std::copy(data.begin(), data.end(), b.begin() + 20 + (long)opts.size());
		return b;
	}
	void
	inject(const std::vector<uint8_t> &b, uint8_t tos = 0)
	{
		w->wire->inject(1, b, Wire::address(0), Wire::address(1), tos);
	}
	/* One segment, one turn; what it brought out is in `out`. */
	void
	send(uint8_t flags, uint32_t seq, uint32_t ack, const std::string &data = "", std::vector<uint8_t> opts = {},
	     int wnd = 65535)
	{
		out.clear();
		inject(segment(flags, seq, ack, data, opts, wnd));
		w->turn(1000);
	}
	void
	later(uint64_t ms)
	{
		for (uint64_t i = 0; i < ms; i++)
			w->turn(1000000);
	}
	/* SYN, SYN-ACK, ACK; afterwards the next bytes are `seq` of ours-as-peer and `ack` of the stack's. */
	void
	establish(std::vector<uint8_t> opts = {2, 4, 5, 0xb4}, uint32_t isn = 1000)
	{
		send(TCP_SYN, isn, 0, "", opts);
		ASSERT_EQ(1u, out.size());
		ASSERT_EQ(TCP_SYN | TCP_ACK, out[0].flags & ~TCP_ECE);
		ASSERT_EQ(isn + 1, out[0].ack);
		seq = isn + 1;
		ack = out[0].seq + 1;
		peer_wnd = out[0].wnd;
		tsval = out[0].o.tsval;
		std::vector<uint8_t> o;

		if (out[0].o.has & TCP_HAS_TS)
			o = ts(2, out[0].o.tsval);
		send(TCP_ACK, seq, ack, "", o);
		ASSERT_EQ(1, accepts);
		ASSERT_NE(nullptr, user.s);
	}
	static std::vector<uint8_t>
	ts(uint32_t val, uint32_t ecr)
	{
		std::vector<uint8_t> o = {1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0};

		val = rte_cpu_to_be_32(val);
		ecr = rte_cpu_to_be_32(ecr);
		memcpy(&o[4], &val, 4);
		memcpy(&o[8], &ecr, 4);
		return o;
	}
	static std::vector<uint8_t>
	sack(std::initializer_list<tcp_range> l)
	{
		std::vector<uint8_t> o = {1, 1, 5, (uint8_t)(2 + 8 * l.size())};

		for (const tcp_range &r : l)
			for (uint32_t v : {r.start, r.end})
				for (int i = 24; i >= 0; i -= 8)
					o.push_back((uint8_t)(v >> i));
		return o;
	}
	void
	write(const std::string &data)
	{
		auto *p = strdup_buf(data);

		strake_stream_send(user.s, p, (uint32_t)data.size());
	}
	static strake_buf *
	strdup_buf(const std::string &data)
	{
		static strake_backing backing = {"copy", [](strake_buf *b) { free(b->opaque); }};
		void *p = malloc(data.size());

		memcpy(p, data.data(), data.size());
		return strake_buf_wrap(p, (uint32_t)data.size(), &backing, p, STRAKE_BUF_STABLE);
	}
	const tcp_counters &
	n()
	{
		return *tcp_lcore_counters(us);
	}
	tcp_conn *
	conn()
	{
		return tcp_conn_of(user.s);
	}
	uint8_t
	state()
	{
		tcp_key key;
		port_addr l = Wire::address(1), r = Wire::address(0);

		tcp_key_init(&key, &l, rte_cpu_to_be_16(dport), &r, rte_cpu_to_be_16(sport));
		tcp_conn *c = tcp_conn_find(us, &key);
		return c == nullptr ? (uint8_t)TCP_CLOSED : c->state;
	}

	std::unique_ptr<World> w;
	tcp *us = nullptr;
	User user;
	std::vector<Reply> out;
	int accepts = 0;
	uint16_t sport = 5000, dport = 4420;
	uint32_t seq = 0, ack = 0, peer_wnd = 0, tsval = 0;
};

#endif /* TCP_RAW_H */
