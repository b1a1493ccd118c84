/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_STREAM_H
#define STRAKE_STREAM_H

/**
 * @file
 * A reliable byte stream, whoever carries it: Strake's own TCP, a kernel socket, an in-memory pipe, or a transform
 * (such as TLS) on top of one of them (strake_transform.h).
 *
 * A stream belongs to one lcore; every function and callback of it runs there. Bytes come as lists of strake_buf, in
 * order, still where the carrier received them; the user keeps what it needs and puts the rest. Received bytes count
 * against the carrier's window until their bufs are put, with what they really pin. Bytes to send are lists of
 * strake_buf too; the carrier holds them unchanged until the peer has acknowledged them (or the kernel has its copy).
 *
 * Life: a listener's accept(), or strake_stream_connect(), gives a stream; closed() is its last callback and comes
 * exactly once, whoever began the end; after it the pointer is dead.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "strake_buf.h"
#include "strake_lcore.h"

#ifdef __cplusplus
extern "C" {
#endif

struct strake_stream;
struct strake_stream_ops;

/** What a carrier needs to tell a peer that one of its streams is over when the stream itself cannot. Plain bytes: it
 * outlives the stream and may be handed to another lcore. */
struct strake_stream_words {
	const struct strake_stream_ops *ops; /**< whose language it is; NULL: there are none */
	uint64_t w[6];
};

/** What the user of a stream is told. All required unless said otherwise. */
struct strake_stream_cb {
	/** In-order bytes: takes the list. May call send(), abort(), close(). */
	void (*rx)(struct strake_stream *s, struct strake_buf *bufs, uint32_t len);
	/** tx_room has grown after strake_stream_room() was found too small (see want_room). */
	void (*room)(struct strake_stream *s);
	/** The peer will send nothing more (FIN). What is owed to it may still be sent. */
	void (*eof)(struct strake_stream *s);
	/** Active open succeeded. Optional for streams that were accepted. */
	void (*connected)(struct strake_stream *s);
	/** The end. 0 orderly, -ECONNRESET, -ETIMEDOUT, -ECONNREFUSED, -ECONNABORTED (our abort), ... */
	void (*closed)(struct strake_stream *s, int err);
};

struct strake_stream_ops {
	const char *name;
	/** Queue bytes; takes the list. They leave by the end of this turn as far as the peer's window allows.
	 * Never refuses: the user keeps within tx_room by its own account. */
	void (*send)(struct strake_stream *s, struct strake_buf *bufs, uint32_t len);
	/** Send what is queued, then FIN; closed() follows. No more send(). */
	void (*close)(struct strake_stream *s);
	/** Drop what is queued, RST; closed(-ECONNABORTED) follows, not from inside this call. */
	void (*abort)(struct strake_stream *s);
	/** Optional: the next @p len in-order bytes after those already given to rx() would best lie in window
	 * [off, off + len) of @p buf. A carrier that copies anyway (kernel socket) reads them there and hands rx()
	 * slices of it; others ignore it. Takes a reference to @p buf while it uses it. */
	void (*expect)(struct strake_stream *s, struct strake_buf *buf, uint32_t off, uint32_t len);
	/** Optional, with tell(): note what would tell the peer that this stream is over, before close() or abort(), or
	 * from inside closed(). Only of a stream that was connected. */
	void (*last_words)(const struct strake_stream *s, struct strake_stream_words *out);
	/** Optional, with last_words(): bring the last words of another stream with these ops to the peer of this one,
	 * by this one's way: the other's is dead, and the peer would wait for its own timeouts. May be lost on the way;
	 * the peer may drop what comes by a way that it did not expect. */
	void (*tell)(struct strake_stream *s, const struct strake_stream_words *words);
};

/** The part every carrier begins its connection with. */
struct strake_stream {
	const struct strake_stream_ops *ops;
	const struct strake_stream_cb *cb;
	void *user;
	uint32_t tx_queued; /**< bytes accepted and not acknowledged; the carrier's */
	uint32_t tx_limit;  /**< most that should be queued; the carrier's */
	uint64_t rx_budget; /**< bytes that all users of the carrier on this lcore should have asked their peers for and
			     * not received; 0: as many as they like; the carrier's */
	bool want_room;	    /**< the user waits for room(); cleared by the carrier when it calls */
	bool copies;	    /**< a processor of ours reads what is sent, to copy or cipher it; the carrier's */
	struct sockaddr_storage local, peer;
	uint64_t rx_bytes, tx_bytes;
	uint8_t tos; /**< DSCP and ECN of the peer's newest packet; 0 where the carrier cannot know */
	uint8_t pcp; /**< its 802.1Q priority, likewise */
	/** The connection's own figures for telemetry (rtt, cwnd, retransmissions...): name and value pairs. Optional.
	 */
	unsigned int (*figures)(struct strake_stream *s, const char **names, uint64_t *values, unsigned int max);
};

/** Bytes that may be queued now. Before a read is issued, its reply must fit. */
static inline uint32_t
strake_stream_room(const struct strake_stream *s)
{
	return s->tx_queued < s->tx_limit ? s->tx_limit - s->tx_queued : 0;
}

static inline void
strake_stream_send(struct strake_stream *s, struct strake_buf *bufs, uint32_t len)
{
	s->ops->send(s, bufs, len);
}

/** A new stream arrived: set s->cb and s->user and return 0, or return -errno to have it reset. On the lcore that owns
 * the stream. */
typedef int (*strake_stream_accept)(struct strake_stream *s, void *arg);

/**
 * A carrier: listens and connects. One static object per carrier instance (a TCP port, the kernel's sockets).
 * listen() is called on main before or after traffic starts; accept() then runs on whichever data lcore owns a flow.
 */
struct strake_carrier {
	const char *name;
	/** @return 0, -EADDRINUSE, -EADDRNOTAVAIL, -ENOMEM */
	int (*listen)(struct strake_carrier *c, const struct sockaddr *addr, strake_stream_accept accept, void *arg);
	/** Stop accepting at addr; streams live on. */
	void (*unlisten)(struct strake_carrier *c, const struct sockaddr *addr);
	/** Active open, on the lcore that will own it; *out is set at once, connected() or closed() follows. */
	int (*connect)(struct strake_carrier *c, const struct sockaddr *peer, const struct strake_stream_cb *cb,
		       void *user, struct strake_stream **out);
};

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_STREAM_H */
