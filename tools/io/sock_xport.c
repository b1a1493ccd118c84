/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xport.h"

#define CONTROLS "/proc/sys/net/ipv4/tcp_available_congestion_control"

struct sock_xport {
	struct xport x;
	int fd;
};

static ssize_t
would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
}

static ssize_t
sock_send(struct xport *x, const struct iovec *iov, int n)
{
	struct sock_xport *s = (struct sock_xport *)x;
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
	ssize_t ret;

	if (n == 1)
		ret = send(s->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
	else
		ret = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	return ret < 0 ? would_block() : ret;
}

static ssize_t
sock_recv(struct xport *x, const struct iovec *iov, int n)
{
	struct sock_xport *s = (struct sock_xport *)x;
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
	ssize_t ret;

	if (n == 1)
		ret = recv(s->fd, iov->iov_base, iov->iov_len, MSG_DONTWAIT);
	else
		ret = recvmsg(s->fd, &msg, MSG_DONTWAIT);
	if (ret == 0)
		return -ECONNRESET;
	return ret < 0 ? would_block() : ret;
}

/* MSG_TRUNC makes Linux's TCP drop the bytes instead of copying them: tcp(7). */
static ssize_t
sock_drop(struct xport *x, size_t len)
{
	struct sock_xport *s = (struct sock_xport *)x;
	ssize_t ret = recv(s->fd, NULL, len, MSG_DONTWAIT | MSG_TRUNC);

	if (ret == 0)
		return -ECONNRESET;
	return ret < 0 ? would_block() : ret;
}

static int
sock_wait(struct xport *x, bool out, int ms)
{
	struct sock_xport *s = (struct sock_xport *)x;
	struct pollfd p = {.fd = s->fd, .events = (short)(POLLIN | (out ? POLLOUT : 0))};
	int ret = poll(&p, 1, ms);

	if (ret == 0)
		return -ETIMEDOUT;
	return ret < 0 && errno != EINTR ? -errno : 0;
}

static void
sock_close(struct xport *x)
{
	struct sock_xport *s = (struct sock_xport *)x;

	close(s->fd);
	free(s);
}

static const struct xport_ops sock_ops = {
	.send = sock_send,
	.recv = sock_recv,
	.drop = sock_drop,
	.wait = sock_wait,
	.close = sock_close,
};

int
sock_xport_adopt(struct xport **out, int fd)
{
	struct sock_xport *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->x.ops = &sock_ops;
	s->fd = fd;
	*out = &s->x;
	return 0;
}

/* A non-blocking connect, so that a host that swallows SYNs costs @p ms and not two minutes. */
static int
connect_one(const struct addrinfo *ai, int ms)
{
	struct pollfd p = {.events = POLLOUT};
	int one = 1, err = 0, ret;
	socklen_t len = sizeof(err);

	p.fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol);
	if (p.fd < 0)
		return -errno;
	if (connect(p.fd, ai->ai_addr, ai->ai_addrlen) < 0) {
		if (errno != EINPROGRESS) {
			ret = -errno;
			goto err_close;
		}
		ret = poll(&p, 1, ms);
		if (ret <= 0) {
			ret = ret == 0 ? -ETIMEDOUT : -errno;
			goto err_close;
		}
		getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err != 0) {
			ret = -err;
			goto err_close;
		}
	}
	setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return p.fd;

err_close:
	close(p.fd);
	return ret;
}

/* Not having the default is no fault: the system's stays. */
static int
set_congestion(int fd, const char *name)
{
	const char *used = name != NULL ? name : "cubic";

	if (strcmp(used, "system") == 0 || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, used, strlen(used)) == 0)
		return 0;
	return name != NULL ? -errno : 0;
}

int
sock_xport_open(struct xport **out, const struct sock_peer *peer, char *err, size_t errlen)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
	char service[8];
	int ret, fd = -EHOSTUNREACH;

	snprintf(service, sizeof(service), "%u", peer->port);
	ret = getaddrinfo(peer->host, service, &hints, &list);
	if (ret != 0) {
		snprintf(err, errlen, "cannot find the address of '%s': %s", peer->host, gai_strerror(ret));
		return -EHOSTUNREACH;
	}
	for (struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next)
		fd = connect_one(ai, peer->ms);
	freeaddrinfo(list);
	if (fd < 0) {
		snprintf(err, errlen, "cannot connect to %s port %u: %s", peer->host, peer->port, strerror(-fd));
		return fd;
	}
	ret = set_congestion(fd, peer->congestion);
	if (ret < 0) {
		snprintf(err, errlen, "the kernel does not give congestion control '%s': %s; expected one of " CONTROLS,
			 peer->congestion, strerror(-ret));
		close(fd);
		return ret;
	}
	ret = sock_xport_adopt(out, fd);
	if (ret < 0)
		close(fd);
	return ret;
}
