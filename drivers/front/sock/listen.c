/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Listening: one socket for each data lcore on the same address (SO_REUSEPORT), so that the kernel deals connections
 * out and nobody hands them over. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"

#define BACKLOG 1024

socklen_t
sock_addr_len(const struct sockaddr *addr)
{
	return addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

int
sock_tune(int fd)
{
	int one = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ? -errno : 0;
}

int
sock_congestion(const struct sock_carrier *sc, int fd)
{
	const char *name = sc->congestion;

	if (name[0] == '\0')
		return 0;
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, strlen(name)) < 0 ? -errno : 0;
}

/* What is set here the connections inherit. */
static int
open_listener(const struct sock_carrier *sc, const struct sockaddr *addr, bool shared)
{
	int fd, one = 1, ret;

	fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0) ||
	    (addr->sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0) ||
	    sock_congestion(sc, fd) < 0 || bind(fd, addr, sock_addr_len(addr)) < 0 || listen(fd, BACKLOG) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

static void
retry_accept(struct strake_timer *t, uint64_t now)
{
	struct sock_listener *l = (struct sock_listener *)((char *)t - offsetof(struct sock_listener, retry));
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};

	epoll_ctl(l->lc->poller.fd, EPOLL_CTL_MOD, l->fd, &ev);
}

static void
listener_add(struct strake_msg *msg)
{
	struct sock_listener *l = (struct sock_listener *)((char *)msg - offsetof(struct sock_listener, add));
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};

	LIST_INSERT_HEAD(&l->lc->listeners, l, link);
	epoll_ctl(l->lc->poller.fd, EPOLL_CTL_ADD, l->fd, &ev);
}

static void
listener_del(struct strake_msg *msg)
{
	struct sock_listener *l = (struct sock_listener *)((char *)msg - offsetof(struct sock_listener, del));

	strake_timer_cancel(&l->retry);
	LIST_REMOVE(l, link);
	close(l->fd);
	free(l);
}

static struct sock_listener *
make(struct sock_lcore *lc, const struct sockaddr *addr, int fd, strake_stream_accept accept, void *arg)
{
	struct sock_listener *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->kind = WATCH_LISTENER;
	l->fd = fd;
	l->lc = lc;
	l->accept = accept;
	l->arg = arg;
	l->retry.fn = retry_accept;
	memcpy(&l->addr, addr, sock_addr_len(addr));
	return l;
}

static unsigned int
lcores(const struct sock_carrier *sc)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++)
		n += sc->lc[i] != NULL;
	return n;
}

/* Sockets that share an address would share it with another process of ours as well: find out first whether somebody
 * has it. */
static int
probe(const struct sock_carrier *sc, const struct sockaddr *addr)
{
	int fd = open_listener(sc, addr, false);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int
sock_listen(struct strake_carrier *c, const struct sockaddr *addr, strake_stream_accept accept, void *arg)
{
	struct sock_carrier *sc = (struct sock_carrier *)c;
	struct sock_listeners made = LIST_HEAD_INITIALIZER(made);
	struct sock_listener *l;
	bool shared = lcores(sc) > 1;
	int ret = shared ? probe(sc, addr) : 0;

	for (unsigned int i = 0; ret == 0 && i < STRAKE_LCORE_MAX; i++) {
		int fd;

		if (sc->lc[i] == NULL)
			continue;
		fd = open_listener(sc, addr, shared);
		if (fd < 0) {
			ret = fd;
			break;
		}
		l = make(sc->lc[i], addr, fd, accept, arg);
		if (l == NULL) {
			close(fd);
			ret = -ENOMEM;
			break;
		}
		LIST_INSERT_HEAD(&made, l, main_link);
	}
	while ((l = LIST_FIRST(&made)) != NULL) {
		LIST_REMOVE(l, main_link);
		if (ret == 0) {
			LIST_INSERT_HEAD(&sc->listeners, l, main_link);
			l->add.fn = listener_add;
			strake_msg_send(l->lc->index, &l->add);
		} else {
			close(l->fd);
			free(l);
		}
	}
	return ret;
}

void
sock_unlisten(struct strake_carrier *c, const struct sockaddr *addr)
{
	struct sock_carrier *sc = (struct sock_carrier *)c;
	struct sock_listener *l, *next;

	for (l = LIST_FIRST(&sc->listeners); l != NULL; l = next) {
		next = LIST_NEXT(l, main_link);
		if (memcmp(&l->addr, addr, sock_addr_len(addr)) != 0)
			continue;
		LIST_REMOVE(l, main_link);
		/* A message of its own: the one that adds may still be on its way. */
		l->del.fn = listener_del;
		strake_msg_send(l->lc->index, &l->del);
	}
}

/* Out of descriptors or memory: the peer waits in the backlog. A listener that stays readable would spin the lcore, so
 * it is not looked at for a while. */
static void
back_off(struct sock_listener *l)
{
	struct epoll_event ev = {.events = 0, .data.ptr = l};

	l->lc->stats.out_of_fds++;
	epoll_ctl(l->lc->poller.fd, EPOLL_CTL_MOD, l->fd, &ev);
	strake_timer_arm(&l->retry, strake_now() + SOCK_RETRY_NS);
}

static void
refuse(int fd)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static void
welcome(struct sock_listener *l, int fd)
{
	struct sock_stream *st = NULL;

	if (sock_tune(fd) == 0)
		st = sock_stream_open(l->lc, fd, false);
	if (st == NULL) {
		l->lc->stats.refused++;
		refuse(fd);
		return;
	}
	if (l->accept(&st->s, l->arg) < 0) {
		struct linger hard = {.l_onoff = 1, .l_linger = 0};

		l->lc->stats.refused++;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		sock_stream_forget(st);
		return;
	}
	l->lc->stats.accepts++;
}

void
sock_accept(struct sock_listener *l)
{
	for (unsigned int i = 0; i < SOCK_ACCEPTS; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			welcome(l, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			back_off(l);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}
