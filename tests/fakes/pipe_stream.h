/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PIPE_STREAM_H
#define PIPE_STREAM_H

/**
 * @file
 * A strake_carrier in memory, for tests: two ends, bytes cut and held back as a seed says.
 *
 * An end is a stream (with callbacks), or raw: the test writes and reads its bytes. Everything moves in the poller of
 * the lcore the pipe was made on. Ends live until pipe_destroy(), so that a test can look at them after the end.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strake_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pipe_conf {
	uint64_t seed;
	uint32_t chunk_max; /**< bytes moved at a time: 1 to this many; 0: all there are, in one buf */
	uint32_t delay_max; /**< turns between two chunks: 0 to this many */
	uint32_t tx_limit;  /**< of stream ends; 0: 1 MiB */
	bool expect;	    /**< stream ends offer expect() */
};

struct pipe;
struct pipe_end;

/** On an lcore: adds a poller. */
struct pipe *pipe_create(const struct pipe_conf *conf);
void pipe_destroy(struct pipe *p);
struct strake_carrier *pipe_carrier(struct pipe *p);

/** Connect to whoever listens at @p port: a raw end. NULL: refused. */
struct pipe_end *pipe_open(struct pipe *p, uint16_t port);
void pipe_write(struct pipe_end *end, const void *data, size_t len);
/** Bytes that have come and were not read yet. */
size_t pipe_avail(const struct pipe_end *end);
size_t pipe_read(struct pipe_end *end, void *dst, size_t max);
/** What has come, without taking it. NULL: nothing. */
const uint8_t *pipe_peek(const struct pipe_end *end);
/** FIN after what was written. */
void pipe_shut(struct pipe_end *end);
void pipe_reset(struct pipe_end *end);
/** Closed window: what the other end sends stays there, unacknowledged. */
void pipe_stop_reading(struct pipe_end *end, bool stop);
/** The other end's FIN has come. */
bool pipe_eof(const struct pipe_end *end);
/** Reset by the other end. */
bool pipe_was_reset(const struct pipe_end *end);
/** Whose last words were told, and by whom; NULL: nobody's yet. */
const struct strake_stream *pipe_told(const struct pipe *p, const struct strake_stream **by);
/** The stream end gives up: it has heard nothing for long. */
void pipe_time_out(struct pipe_end *end);
/** Bytes handed to the stream end's rx() so far that lay in an expect() window. */
uint64_t pipe_placed(const struct pipe *p);

#ifdef __cplusplus
}
#endif

#endif /* PIPE_STREAM_H */
