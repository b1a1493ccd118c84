/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <string.h>

#include "address.h"
#include "conn.h"

/* A connection as a strake_stream. */

static void
stream_send(struct strake_stream *s, struct strake_buf *bufs, uint32_t len)
{
	struct tcp_conn *c = tcp_conn_of(s);

	if (c->state == TCP_CLOSED || c->flags & TCP_F_CLOSE || len == 0) {
		strake_buf_put_list(bufs);
		return;
	}
	s->tx_queued += len;
	tcp_sndq_append(&c->q, bufs, len);
	tcp_dirty(c);
}

static void
stream_close(struct strake_stream *s)
{
	struct tcp_conn *c = tcp_conn_of(s);

	if (c->state == TCP_CLOSED || c->flags & TCP_F_CLOSE)
		return;
	if (c->state == TCP_SYN_SENT) {
		tcp_conn_close(c, 0);
		return;
	}
	c->flags |= TCP_F_CLOSE;
	tcp_dirty(c);
}

static void
stream_abort(struct strake_stream *s)
{
	tcp_abort(tcp_conn_of(s), -ECONNABORTED);
}

static unsigned int
stream_figures(struct strake_stream *s, const char **names, uint64_t *values, unsigned int max)
{
	const struct tcp_conn *c = tcp_conn_of(s);
	const struct {
		const char *name;
		uint64_t value;
	} f[] = {
		{"srtt_us", c->rtt.srtt / STRAKE_NS_PER_US},
		{"rttvar_us", c->rtt.rttvar / STRAKE_NS_PER_US},
		{"rto_us", tcp_rtt_backoff(&c->rtt, c->backoff) / STRAKE_NS_PER_US},
		{"mss", c->mss},
		{"cwnd", c->cc.cwnd},
		{"ssthresh", c->cc.ssthresh},
		{"in_flight", c->snd_max - c->snd_una},
		{"send_window", c->snd_wnd},
		{"receive_window", c->rcv_adv - c->rcv_nxt},
		{"pinned", c->pinned},
		{"retransmits", c->n_retransmits},
		{"timeouts", c->n_timeouts},
		{"recoveries", c->n_recoveries},
		{"dupacks", c->n_dupacks},
		{"sacks", c->n_sacks},
		{"out_of_order", c->n_ooo},
		{"probes", c->n_probes},
	};
	unsigned int n = RTE_MIN(max, (unsigned int)RTE_DIM(f));

	for (unsigned int i = 0; i < n; i++) {
		names[i] = f[i].name;
		values[i] = f[i].value;
	}
	return n;
}

const struct strake_stream_ops tcp_stream_ops = {
	.name = "tcp",
	.send = stream_send,
	.close = stream_close,
	.abort = stream_abort,
	.last_words = tcp_last_words,
	.tell = tcp_tell,
};

void
tcp_stream_init(struct tcp_conn *c)
{
	c->stream.ops = &tcp_stream_ops;
	c->stream.tx_limit = c->tcp->conf.sndbuf;
	c->stream.copies = c->tcp->ifp->copies;
	/* Short segments pin up to four times what they bring before they are copied together (credit.c). */
	c->stream.rx_budget = c->tcp->pin_budget / 4;
	c->stream.figures = stream_figures;
	tcp_addr_format(&c->stream.local, c->key.family, c->key.local, c->key.lport);
	tcp_addr_format(&c->stream.peer, c->key.family, c->key.remote, c->key.rport);
}

void
tcp_abort(struct tcp_conn *c, int err)
{
	if (c->state == TCP_CLOSED)
		return;
	if (c->state >= TCP_SYN_RCVD && c->state != TCP_TIME_WAIT) {
		c->tcp->n.tx_resets++;
		tcp_send_bare(c, tcp_bare_seq(c), TCP_RST | TCP_ACK, strake_now());
	}
	tcp_conn_close(c, err);
}
