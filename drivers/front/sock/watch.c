/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What epoll sees of a stream. One that is read all the time is taken out of the set, for there it costs the kernel a
 * wake-up of nobody with every segment, and epoll_wait() an event that is not wanted. */

#include <errno.h>
#include <sys/epoll.h>

#include "stream.h"

void
sock_watch(struct sock_stream *st, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = st};

	if (st->events == events || st->fd < 0)
		return;
	st->events = events;
	if (!st->apart)
		epoll_ctl(st->lc->poller.fd, EPOLL_CTL_MOD, st->fd, &ev);
	else if ((events & EPOLLOUT) != 0)
		sock_watch_again(st);
}

void
sock_watch_less(struct sock_stream *st)
{
	/* Nothing but epoll tells that a full send buffer has room again. */
	if (st->apart || (st->events & EPOLLOUT) != 0)
		return;
	if (epoll_ctl(st->lc->poller.fd, EPOLL_CTL_DEL, st->fd, NULL) < 0)
		return;
	st->apart = true;
	st->lc->stats.parted++;
}

void
sock_watch_again(struct sock_stream *st)
{
	struct epoll_event ev = {.events = st->events, .data.ptr = st};

	st->reads = 0;
	if (!st->apart)
		return;
	st->apart = false;
	if (epoll_ctl(st->lc->poller.fd, EPOLL_CTL_ADD, st->fd, &ev) < 0)
		sock_stream_end(st, -errno); /* nobody would ever look at it */
}
