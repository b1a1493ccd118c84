/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>

#include "conn.h"

/* Every function of this file runs user code: none may be called from input, output or timers. */

static bool
aborted(const struct tcp_conn *c)
{
	return c->state == TCP_CLOSED && c->err == -ECONNABORTED;
}

static void
drop_rx(struct tcp_conn *c)
{
	struct strake_buf *list = c->rx_head;

	c->rx_head = NULL;
	c->rx_len = 0;
	strake_buf_put_list(list);
}

static void
give_rx(struct tcp_conn *c)
{
	struct strake_buf *list = c->rx_head;
	uint32_t len = c->rx_len;

	c->rx_head = NULL;
	c->rx_len = 0;
	c->stream.rx_bytes += len;
	c->stream.cb->rx(&c->stream, list, len);
}

static void
deliver(struct tcp_conn *c, uint8_t ev)
{
	const struct strake_stream_cb *cb = c->stream.cb;

	if (!(c->flags & TCP_F_USER)) {
		drop_rx(c);
		return;
	}
	if (ev & TCP_EV_CONNECTED && cb->connected != NULL && c->state != TCP_CLOSED)
		cb->connected(&c->stream);
	if (c->rx_head != NULL && !aborted(c))
		give_rx(c);
	if (ev & TCP_EV_EOF && !aborted(c))
		cb->eof(&c->stream);
	if (ev & TCP_EV_ROOM && c->stream.want_room && c->state != TCP_CLOSED && !(c->flags & TCP_F_CLOSE)) {
		c->stream.want_room = false;
		cb->room(&c->stream);
	}
	if (ev & TCP_EV_CLOSED) {
		drop_rx(c);
		c->flags &= ~TCP_F_USER;
		cb->closed(&c->stream, c->err);
	}
}

uint32_t
tcp_events_run(struct tcp *tcp)
{
	struct tcp_conn *c;
	uint32_t done = 0;

	if (tcp->running_events)
		return 0;
	tcp->running_events = true;
	while ((c = STAILQ_FIRST(&tcp->events)) != NULL) {
		uint8_t ev = c->events;

		STAILQ_REMOVE_HEAD(&tcp->events, event_link);
		c->flags &= ~TCP_F_QUEUED;
		c->events = 0;
		deliver(c, ev);
		tcp_conn_reap(c);
		done++;
	}
	tcp->running_events = false;
	return done;
}
