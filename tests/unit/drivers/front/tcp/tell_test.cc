/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Two connections of one peer. The way of the first dies; the peer is told by that of the second. */

#include "raw.h"

class TcpTell : public testing::Test
{
      protected:
	void
	SetUp() override
	{
		w = std::make_unique<World>(WireConf(), small_conf(1), small_conf(2));
		w->on_accept = [this](strake_stream *s) {
			User *u = ours[n_ours++];

			s->cb = &User::cb;
			s->user = u;
			u->s = s;
			return 0;
		};
		for (int i = 0; i < 2; i++) {
			sockaddr_storage ss = peer_address(1, 4420, i == 0 ? 4 : 6);

			ASSERT_EQ(0, w->carrier[0]->connect(w->carrier[0], (sockaddr *)&ss, &User::cb, theirs[i],
							    &theirs[i]->s));
			ASSERT_TRUE(w->run([&] { return theirs[i]->connects != 0 && n_ours == i + 1; },
					   1000 * STRAKE_NS_PER_MS));
		}
		later(100);
	}

	void
	later(uint64_t ms)
	{
		for (uint64_t i = 0; i < ms; i++)
			w->turn(STRAKE_NS_PER_MS);
	}

	/* From now on nothing of IPv4 arrives from either side, but for what goes by another way. */
	void
	cut(bool ours_too = true)
	{
		uint16_t port = tcp_conn_of(ours[0]->s)->key.rport;

		w->wire->filter = [=](int from, std::vector<uint8_t> &b) {
			auto *th = (const rte_tcp_hdr *)b.data();

			return (from == 0 ? th->src_port : th->dst_port) != port || (from == 1 && !ours_too);
		};
	}

	static void
	write(const User &u, const char *text)
	{
		std::string data = text;
		void *p = malloc(data.size());
		static strake_backing backing = {"copy", [](strake_buf *b) { free(b->opaque); }};

		memcpy(p, data.data(), data.size());
		strake_stream_send(u.s, strake_buf_wrap(p, (uint32_t)data.size(), &backing, p, STRAKE_BUF_STABLE),
				   (uint32_t)data.size());
	}

	/* Our end of the first closes, as when its keep-alive expired, and the second tells. */
	void
	tell()
	{
		strake_stream_words words = {};

		ours[0]->s->ops->last_words(ours[0]->s, &words);
		ours[0]->s->ops->close(ours[0]->s);
		later(10);
		ASSERT_EQ(ours[1]->s->ops, words.ops);
		ours[1]->s->ops->tell(ours[1]->s, &words);
		later(10);
	}

	uint64_t
	n_told()
	{
		return tcp_lcore_counters(w->inst[1])->tx_told;
	}

	void
	expect_told(int err)
	{
		EXPECT_EQ(1, theirs[0]->closed);
		EXPECT_EQ(err, theirs[0]->err);
		EXPECT_EQ(0, theirs[1]->closed);
		EXPECT_EQ(0, ours[1]->closed);
		write(*ours[1], "alive");
		later(10);
		EXPECT_EQ("alive", theirs[1]->rx);
	}

	User a, b, c, d;
	User *const ours[2] = {&a, &b}, *const theirs[2] = {&c, &d};
	int n_ours = 0;
	std::unique_ptr<World> w;
};

TEST_F(TcpTell, APeerThatIsIdle)
{
	cut();
	tell();
	EXPECT_EQ(1u, n_told());
	expect_told(-ECONNRESET);
}

TEST_F(TcpTell, APeerThatHasAllThatWasSentAndCannotSaySo)
{
	cut(false);
	write(*ours[0], "an answer");
	later(10);
	EXPECT_EQ("an answer", theirs[0]->rx);
	cut();
	tell();
	EXPECT_EQ(2u, n_told());
	expect_told(-ECONNRESET);
}

TEST_F(TcpTell, APeerThatHasNothingOfIt)
{
	cut();
	write(*ours[0], "an answer");
	later(10);
	tell();
	EXPECT_EQ(2u, n_told());
	expect_told(-ECONNRESET);
	EXPECT_EQ("", theirs[0]->rx);
}

/* From inside closed(), when we gave up by ourselves. */
TEST_F(TcpTell, WhenItGaveUpItself)
{
	static strake_stream_words words;
	static const strake_stream_cb noting = {User::cb.rx, User::cb.room, User::cb.eof, User::cb.connected,
						[](strake_stream *s, int err) {
							s->ops->last_words(s, &words);
							User::cb.closed(s, err);
						}};

	ours[0]->s->cb = &noting;
	cut();
	write(*ours[0], "an answer");
	later(130000);
	ASSERT_EQ(-ETIMEDOUT, ours[0]->err);
	ours[1]->s->ops->tell(ours[1]->s, &words);
	later(10);
	EXPECT_EQ(2u, n_told());
	expect_told(-ECONNRESET);
}

TEST_F(TcpTell, NobodyOnceItIsClosedItself)
{
	strake_stream_words words = {};
	strake_stream *by = ours[1]->s;

	ours[0]->s->ops->last_words(ours[0]->s, &words);
	by->ops->abort(by);
	by->ops->tell(by, &words);
	EXPECT_EQ(0u, n_told());
	later(10);
}
