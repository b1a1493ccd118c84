/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef XPORT_H
#define XPORT_H

/**
 * @file
 * A byte stream as the queue pair sees it: kernel sockets, or anything else that moves bytes in order.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xport;

/** No call blocks but wait(). 0 means "not now"; a closed stream is an error (-ECONNRESET), never 0. */
struct xport_ops {
	/** Take bytes to send. @return how many were taken, at least 1; 0 not now; -errno. Required. */
	ssize_t (*send)(struct xport *x, const struct iovec *iov, int n);
	/** Fetch bytes that came. NULL for a stream that pushes them by qp_rx() instead. */
	ssize_t (*recv)(struct xport *x, const struct iovec *iov, int n);
	/** Drop up to @p len bytes that came, without copying. Optional. */
	ssize_t (*drop)(struct xport *x, size_t len);
	/** Sleep until bytes came, or (@p out) may be sent, at most @p ms. @return 0, -ETIMEDOUT, -errno. Optional. */
	int (*wait)(struct xport *x, bool out, int ms);
	void (*close)(struct xport *x);
};

struct xport {
	const struct xport_ops *ops;
};

struct sock_peer {
	const char *host;
	uint16_t port;
	int ms; /**< for connecting */
	/** TCP congestion control by the kernel's name, or "system": what the host is set to. NULL: cubic where there
	 * is. The sender of what is written decides, and BBR sends at a pace: sock.h. */
	const char *congestion;
};

/** Connect a kernel TCP socket. One line in @p err when it fails. @return 0 or -errno. */
int sock_xport_open(struct xport **out, const struct sock_peer *peer, char *err, size_t errlen);
/** Over a connected socket, which it then owns. */
int sock_xport_adopt(struct xport **out, int fd);

#ifdef __cplusplus
}
#endif

#endif /* XPORT_H */
