/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Writing: what a turn queued leaves in as few sendmsg() as iovecs allow. */

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "stream.h"

static int
gather(struct sock_stream *st, uint32_t *len)
{
	struct iovec *iov = st->lc->iov;
	uint32_t off = st->tx_off;
	int n = 0;

	*len = 0;
	for (struct strake_buf *buf = st->tx_head; buf != NULL && n < SOCK_IOV; buf = buf->next) {
		iov[n].iov_base = buf->addr + off;
		iov[n].iov_len = buf->len - off;
		*len += buf->len - off;
		off = 0;
		n++;
	}
	return n;
}

/* The kernel has copied @n bytes. */
static void
taken(struct sock_stream *st, uint32_t n)
{
	st->s.tx_queued -= n;
	st->s.tx_bytes += n;
	st->lc->stats.send_bytes += n;
	n += st->tx_off;
	while (st->tx_head != NULL && n >= st->tx_head->len) {
		struct strake_buf *buf = st->tx_head;

		n -= buf->len;
		st->tx_head = buf->next;
		strake_buf_put(buf);
	}
	st->tx_off = n;
	if (st->s.want_room && !st->is_roomy && !st->ending) {
		st->is_roomy = true;
		TAILQ_INSERT_TAIL(&st->lc->roomy, st, roomy_link);
	}
}

static void
all_sent(struct sock_stream *st)
{
	if (st->blocked) {
		st->blocked = false;
		sock_watch(st, st->events & ~(uint32_t)EPOLLOUT);
	}
	if (!st->closing || st->shut)
		return;
	st->shut = true;
	shutdown(st->fd, SHUT_WR);
	if (st->eof)
		sock_stream_end(st, 0);
}

void
sock_send_flush(struct sock_stream *st)
{
	if (st->fd < 0 || st->connecting || st->ending)
		return;
	while (st->tx_head != NULL) {
		struct msghdr msg = {.msg_iov = st->lc->iov};
		uint32_t len;
		ssize_t n;

		msg.msg_iovlen = (size_t)gather(st, &len);
		n = sendmsg(st->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		st->lc->stats.sends++;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			sock_stream_end(st, -errno);
			return;
		}
		if (n > 0)
			taken(st, (uint32_t)n);
		if (n < (ssize_t)len) {
			st->blocked = true;
			st->lc->stats.blocked++;
			sock_watch(st, st->events | EPOLLOUT);
			return;
		}
	}
	all_sent(st);
}
