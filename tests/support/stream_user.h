/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STREAM_USER_H
#define STREAM_USER_H

/* A user of a stream that keeps all it is told, and two of them over a carrier with a transform. */

#include <cstring>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "xor_transform.h"
}

using Bytes = std::vector<uint8_t>;

static inline Bytes
some_bytes(size_t n, uint32_t seed)
{
	Bytes b(n);

	for (auto &x : b)
		x = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
	return b;
}

struct StreamUser {
	strake_stream *s = nullptr;
	Bytes got;
	int eof = 0, closed = 0, room = 0, connected = 0, err = 1;
	bool close_at_eof = true;
	std::function<void()> on_rx;

	static const strake_stream_cb *
	callbacks()
	{
		static const strake_stream_cb cb = {
			[](strake_stream *s, strake_buf *bufs, uint32_t len) {
				StreamUser *u = (StreamUser *)s->user;
				size_t at = u->got.size();

				EXPECT_EQ(0, u->closed);
				EXPECT_EQ(len, strake_buf_list_len(bufs));
				u->got.resize(at + len);
				strake_buf_copy_out(bufs, 0, u->got.data() + at, len);
				strake_buf_put_list(bufs);
				if (u->on_rx)
					u->on_rx();
			},
			[](strake_stream *s) { ((StreamUser *)s->user)->room++; },
			[](strake_stream *s) {
				StreamUser *u = (StreamUser *)s->user;

				if (u->eof++ == 0 && u->close_at_eof)
					s->ops->close(s);
			},
			[](strake_stream *s) { ((StreamUser *)s->user)->connected++; },
			[](strake_stream *s, int err) {
				StreamUser *u = (StreamUser *)s->user;

				u->closed++;
				u->err = err;
				u->s = nullptr;
			},
		};
		return &cb;
	}

	static int
	accept(strake_stream *s, void *arg)
	{
		StreamUser *u = (StreamUser *)arg;

		if (u->s != nullptr)
			return -EBUSY;
		u->s = s;
		s->cb = callbacks();
		s->user = u;
		return 0;
	}

	void
	send(const Bytes &b, size_t piece = 3000)
	{
		for (size_t off = 0; off < b.size(); off += piece) {
			uint32_t n = (uint32_t)std::min(piece, b.size() - off);
			strake_buf *buf = strake_buf_page(n);

			memcpy(buf->addr, b.data() + off, n);
			buf->next = nullptr;
			strake_stream_send(s, buf, n);
		}
	}

	/* What was sent, but for the farewell of the one that has it. */
	bool
	has(const Bytes &b, bool farewell) const
	{
		return got.size() == b.size() + farewell && std::equal(b.begin(), b.end(), got.begin());
	}
};

#endif /* STREAM_USER_H */
