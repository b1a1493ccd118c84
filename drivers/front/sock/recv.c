/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Reading: one recv() for each stream with bytes in a turn, as long as the slab allows; straight into the user's window
 * where it named one. */

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "stream.h"

/* Not read until its bufs are put: out of epoll's sight too, or an idle lcore would spin. */
static void
pause_stream(struct sock_stream *st)
{
	if (st->paused)
		return;
	st->paused = true;
	st->lc->stats.paused++;
	TAILQ_INSERT_TAIL(&st->lc->paused, st, paused_link);
	sock_watch(st, st->events & ~(uint32_t)EPOLLIN);
}

static void
warm(struct sock_stream *st)
{
	struct sock_lcore *lc = st->lc;

	st->misses = 0;
	if (st->is_hot && st->reads < SOCK_HOT_READS)
		st->reads++;
	else if (st->is_hot)
		sock_watch_less(st);
	if (st->is_hot || lc->n_hot == SOCK_HOT)
		return;
	st->is_hot = true;
	lc->n_hot++;
	TAILQ_INSERT_TAIL(&lc->hot, st, hot_link);
}

static void
saw_eof(struct sock_stream *st)
{
	st->eof = true;
	sock_watch(st, st->events & ~(uint32_t)EPOLLIN);
	if (st->shut)
		sock_stream_end(st, 0);
	else
		st->s.cb->eof(&st->s);
}

/* The part of @n received bytes that went into the window; moves it on. */
static struct strake_buf *
take_window(struct sock_stream *st, uint32_t n)
{
	struct strake_buf *buf = strake_buf_slice(st->exp, st->exp_off, n);

	st->lc->stats.placed_bytes += n;
	st->exp_off += n;
	st->exp_len -= n;
	if (st->exp_len == 0) {
		strake_buf_put(st->exp);
		st->exp = NULL;
	}
	return buf;
}

static void
deliver(struct sock_stream *st, uint32_t n)
{
	struct strake_buf *list = NULL, *rest = NULL;
	uint32_t placed = RTE_MIN(n, st->exp != NULL ? st->exp_len : 0);

	if (n > placed)
		rest = sock_slab_cut(st->lc, st, n - placed);
	if (placed > 0)
		list = take_window(st, placed);
	if (unlikely((n > placed && rest == NULL) || (placed > 0 && list == NULL))) {
		/* Out of descriptors with bytes in hand: the stream cannot go on without them. */
		strake_buf_put_list(list);
		strake_buf_put_list(rest);
		sock_stream_end(st, -ENOBUFS);
		return;
	}
	if (list == NULL)
		list = rest;
	else
		list->next = rest;
	st->s.rx_bytes += n;
	warm(st);
	st->s.cb->rx(&st->s, list, n);
}

static ssize_t
read_some(struct sock_stream *st, uint8_t *room, uint32_t len)
{
	struct iovec iov[2];
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (st->exp == NULL)
		return recv(st->fd, room, len, MSG_DONTWAIT);
	iov[0] = (struct iovec){.iov_base = st->exp->addr + st->exp_off, .iov_len = st->exp_len};
	iov[1] = (struct iovec){.iov_base = room, .iov_len = len};
	return recvmsg(st->fd, &msg, MSG_DONTWAIT);
}

bool
sock_recv(struct sock_stream *st)
{
	struct sock_lcore *lc = st->lc;
	uint32_t len;
	uint8_t *room;
	ssize_t n;

	if (st->fd < 0 || st->paused || st->eof || st->connecting)
		return false;
	room = __atomic_load_n(&st->held, __ATOMIC_ACQUIRE) < SOCK_RX_CREDIT ? sock_slab_room(lc, &len) : NULL;
	if (unlikely(room == NULL)) {
		pause_stream(st);
		return false;
	}
	/* Behind a large window comes the next header: no more than that, so that its data finds its window too. */
	if (st->exp != NULL && st->exp_len >= SLAB_WINDOW)
		len = RTE_MIN(len, SLAB_LEAST);
	n = read_some(st, room, len);
	lc->stats.recvs++;
	if (n > 0) {
		lc->stats.recv_bytes += (uint64_t)n;
		deliver(st, (uint32_t)n);
		return true;
	}
	if (n == 0) {
		saw_eof(st);
		return true;
	}
	if (errno == EAGAIN || errno == EINTR) {
		lc->stats.recv_misses++;
		return false;
	}
	sock_stream_end(st, -errno);
	return true;
}
