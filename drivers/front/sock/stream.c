/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The life of a stream over a kernel socket. closed() is called from one place, sock_stream_finish(), never from inside
 * a call of the user's. */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"

static struct sock_stream *
of(struct strake_stream *s)
{
	return (struct sock_stream *)((char *)s - offsetof(struct sock_stream, s));
}

static void
mark_dirty(struct sock_stream *st)
{
	if (st->is_dirty || st->ending)
		return;
	st->is_dirty = true;
	TAILQ_INSERT_TAIL(&st->lc->dirty, st, dirty_link);
}

static void
stream_send(struct strake_stream *s, struct strake_buf *bufs, uint32_t len)
{
	struct sock_stream *st = of(s);

	if (st->ending || st->closing) {
		strake_buf_put_list(bufs);
		return;
	}
	if (st->tx_head == NULL)
		st->tx_head = bufs;
	else
		st->tx_tail->next = bufs;
	while (bufs->next != NULL)
		bufs = bufs->next;
	st->tx_tail = bufs;
	s->tx_queued += len;
	if (!st->blocked)
		mark_dirty(st);
}

static void
stream_close(struct strake_stream *s)
{
	struct sock_stream *st = of(s);

	if (st->ending || st->closing)
		return;
	st->closing = true;
	if (st->connecting)
		sock_stream_end(st, 0);
	else if (!st->blocked)
		mark_dirty(st);
}

static void
stream_abort(struct strake_stream *s)
{
	struct sock_stream *st = of(s);
	struct linger hard = {.l_onoff = 1, .l_linger = 0};

	if (st->ending)
		return;
	setsockopt(st->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)); /* close() sends RST */
	sock_stream_end(st, -ECONNABORTED);
}

static void
stream_expect(struct strake_stream *s, struct strake_buf *buf, uint32_t off, uint32_t len)
{
	struct sock_stream *st = of(s);

	if (st->ending)
		return;
	if (st->exp != NULL)
		strake_buf_put(st->exp);
	st->exp = strake_buf_get(buf);
	st->exp_off = off;
	st->exp_len = len;
}

const struct strake_stream_ops sock_stream_ops = {
	.name = "sock",
	.send = stream_send,
	.close = stream_close,
	.abort = stream_abort,
	.expect = stream_expect,
};

struct sock_stream *
sock_stream_open(struct sock_lcore *lc, int fd, bool connecting)
{
	struct sock_stream *st = TAILQ_FIRST(&lc->free);
	socklen_t len = sizeof(st->s.peer);
	struct epoll_event ev = {.events = connecting ? EPOLLOUT : EPOLLIN};

	if (st == NULL)
		return NULL;
	ev.data.ptr = st;
	if (epoll_ctl(lc->poller.fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return NULL;
	TAILQ_REMOVE(&lc->free, st, link);
	memset(st, 0, sizeof(*st));
	st->kind = WATCH_STREAM;
	st->fd = fd;
	st->lc = lc;
	st->events = ev.events;
	st->connecting = connecting;
	st->s.ops = &sock_stream_ops;
	st->s.tx_limit = SOCK_TX_LIMIT;
	st->s.copies = true; /* in sendmsg() */
	getpeername(fd, (struct sockaddr *)&st->s.peer, &len);
	len = sizeof(st->s.local);
	getsockname(fd, (struct sockaddr *)&st->s.local, &len);
	TAILQ_INSERT_TAIL(&lc->active, st, link);
	lc->n_active++;
	return st;
}

/* Off every list but `link`, socket closed, queues dropped. */
static void
strip(struct sock_stream *st)
{
	struct sock_lcore *lc = st->lc;

	if (st->is_hot) {
		st->is_hot = false;
		lc->n_hot--;
		TAILQ_REMOVE(&lc->hot, st, hot_link);
	}
	if (st->is_dirty) {
		st->is_dirty = false;
		TAILQ_REMOVE(&lc->dirty, st, dirty_link);
	}
	if (st->is_roomy) {
		st->is_roomy = false;
		TAILQ_REMOVE(&lc->roomy, st, roomy_link);
	}
	if (st->paused) {
		st->paused = false;
		TAILQ_REMOVE(&lc->paused, st, paused_link);
	}
	if (st->exp != NULL)
		strake_buf_put(st->exp);
	st->exp = NULL;
	strake_buf_put_list(st->tx_head);
	st->tx_head = NULL;
	close(st->fd); /* leaves the epoll set by that */
	st->fd = -1;
}

void
sock_stream_end(struct sock_stream *st, int err)
{
	if (st->ending)
		return;
	strip(st);
	st->ending = true;
	st->err = err;
	TAILQ_INSERT_TAIL(&st->lc->ending, st, roomy_link);
}

/* Pieces still out there name the stream: it is not used again before they are put. */
static void
retire(struct sock_stream *st)
{
	struct sock_lcore *lc = st->lc;

	TAILQ_REMOVE(&lc->active, st, link);
	lc->n_active--;
	TAILQ_INSERT_TAIL(&lc->zombies, st, link);
}

void
sock_stream_forget(struct sock_stream *st)
{
	strip(st);
	retire(st);
}

void
sock_stream_finish(struct sock_lcore *lc)
{
	struct sock_stream *st, *next;

	while ((st = TAILQ_FIRST(&lc->ending)) != NULL) {
		TAILQ_REMOVE(&lc->ending, st, roomy_link);
		st->s.cb->closed(&st->s, st->err);
		retire(st);
	}
	for (st = TAILQ_FIRST(&lc->zombies); st != NULL; st = next) {
		next = TAILQ_NEXT(st, link);
		if (__atomic_load_n(&st->held, __ATOMIC_ACQUIRE) != 0)
			continue;
		TAILQ_REMOVE(&lc->zombies, st, link);
		TAILQ_INSERT_TAIL(&lc->free, st, link);
	}
}

void
sock_stream_resume(struct sock_lcore *lc)
{
	struct sock_stream *st, *next;
	uint32_t len;

	for (st = TAILQ_FIRST(&lc->paused); st != NULL; st = next) {
		next = TAILQ_NEXT(st, paused_link);
		if (__atomic_load_n(&st->held, __ATOMIC_ACQUIRE) > SOCK_RX_CREDIT / 2 ||
		    sock_slab_room(lc, &len) == NULL)
			continue;
		st->paused = false;
		TAILQ_REMOVE(&lc->paused, st, paused_link);
		sock_watch(st, st->events | EPOLLIN);
	}
}

static void
connect_done(struct sock_stream *st)
{
	socklen_t len = sizeof(int);
	int err = 0;

	getsockopt(st->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err != 0) {
		sock_stream_end(st, -err);
		return;
	}
	st->connecting = false;
	len = sizeof(st->s.local);
	getsockname(st->fd, (struct sockaddr *)&st->s.local, &len);
	sock_watch(st, EPOLLIN);
	st->s.cb->connected(&st->s);
	if (st->tx_head != NULL)
		mark_dirty(st);
}

void
sock_stream_event(struct sock_stream *st, uint32_t events)
{
	if (st->ending)
		return;
	if (st->connecting) {
		connect_done(st);
		return;
	}
	if (events & EPOLLOUT) {
		st->blocked = false;
		sock_watch(st, st->events & ~(uint32_t)EPOLLOUT);
		mark_dirty(st);
	}
	/* A stream that is not read may still be reset: nobody but SO_ERROR tells then. */
	if ((events & EPOLLERR) != 0 && (st->paused || st->eof)) {
		socklen_t len = sizeof(int);
		int err = 0;

		getsockopt(st->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		sock_stream_end(st, err != 0 ? -err : -ECONNRESET);
		return;
	}
	if (!st->is_hot && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		sock_recv(st);
}
