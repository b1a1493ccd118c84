/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_TRANSFORM_H
#define STRAKE_TRANSFORM_H

/**
 * @file
 * A stream on top of a stream: what its user sends and gets goes through a transform, such as the records of TLS.
 *
 * strake_transform_create() makes a carrier of a carrier; whoever listens or connects there has streams like any
 * others and need not know. The transform sees bytes in both directions as lists of strake_buf, may say things of its
 * own (a handshake, a farewell), and ends the stream with an error that its user is told. Until it says that it is
 * ready, what the user sends is kept here.
 *
 * A stream, its transform and the stream below belong to one lcore and run there. tx_queued and tx_limit are those of
 * the stream below, as of the beginning of the turn: what a transform adds goes beyond the limit, which is what should
 * be queued, not what may. There is no expect(): bytes must pass here first.
 */

#include "strake_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

struct strake_transform;

/** The transform. Callbacks that return an int give 0, or -errno: then the stream is reset, and closed() says why. */
struct strake_transform_ops {
	const char *name; /**< of its streams, in telemetry */
	size_t state;	  /**< bytes of its own for each stream, zeroed before begin() */
	/** The stream below is there: accepted (before its user is asked) or @p active and connected. May send.
	 * Required. */
	int (*begin)(struct strake_transform *t, bool active);
	/** Bytes of the peer; takes the list. Required. */
	int (*in)(struct strake_transform *t, struct strake_buf *bufs, uint32_t len);
	/** Bytes of the user, after ready; takes the list. Required. */
	int (*out)(struct strake_transform *t, struct strake_buf *bufs, uint32_t len);
	/** The peer sends no more: -errno if that was too early. Optional. */
	int (*eof)(struct strake_transform *t);
	/** The user sends no more: last words. Optional. */
	void (*finish)(struct strake_transform *t);
	/** The end; once for each begin() that returned 0. Optional. */
	void (*end)(struct strake_transform *t);
};

/** Its own bytes. */
void *strake_transform_state(struct strake_transform *t);
/** From here on the user's bytes go out; what was kept goes first; connected() if it was an active open. */
void strake_transform_ready(struct strake_transform *t);
/** Bytes for the user; takes the list. Not from begin(). */
void strake_transform_up(struct strake_transform *t, struct strake_buf *bufs, uint32_t len);
/** Bytes for the peer; takes the list. */
void strake_transform_down(struct strake_transform *t, struct strake_buf *bufs, uint32_t len);

/** A carrier whose streams are those of @p below with a transform. Main. @return 0, -ENOMEM. */
int strake_transform_create(struct strake_carrier **out, struct strake_carrier *below,
			    const struct strake_transform_ops *ops);
/** No listener and no stream is left. */
void strake_transform_destroy(struct strake_carrier *c);
/** On each data lcore after the lcore_init() of the carrier below: room for @p streams at once. @return 0, -ENOMEM. */
int strake_transform_lcore_init(struct strake_carrier *c, uint32_t streams);
/** Before the carrier below leaves; its streams have ended. */
void strake_transform_lcore_fini(struct strake_carrier *c);

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_TRANSFORM_H */
