/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "conn.h"

/* What is told of an instance. */

static const char *const state_name[] = {
	[TCP_CLOSED] = "closed",	   [TCP_SYN_SENT] = "syn_sent",	    [TCP_SYN_RCVD] = "syn_rcvd",
	[TCP_ESTABLISHED] = "established", [TCP_FIN_WAIT_1] = "fin_wait_1", [TCP_FIN_WAIT_2] = "fin_wait_2",
	[TCP_CLOSE_WAIT] = "close_wait",   [TCP_CLOSING] = "closing",	    [TCP_LAST_ACK] = "last_ack",
	[TCP_TIME_WAIT] = "time_wait",
};

static const struct {
	const char *name, *text;
} counter[] = {
#define TCP_COUNTER(name, text) {#name, text},
#include "tcp_counter.def"
#undef TCP_COUNTER
};

static_assert(sizeof(struct tcp_counters) == RTE_DIM(counter) * sizeof(uint64_t), "counters are an array");

const struct tcp_counters *
tcp_lcore_counters(const struct tcp *tcp)
{
	return &tcp->n;
}

const char *
tcp_counter_name(unsigned int i, const char **text)
{
	if (i >= RTE_DIM(counter))
		return NULL;
	if (text != NULL)
		*text = counter[i].text;
	return counter[i].name;
}

void
tcp_lcore_usage(const struct tcp *tcp, struct tcp_usage *out)
{
	out->conns = tcp->n_conns;
	out->conns_max = tcp->conf.conns;
	out->half_open = tcp->half_open;
	out->time_wait = tcp->n_time_wait;
	out->conn_bytes = sizeof(struct tcp_conn);
	out->pinned = tcp->pinned;
}

void
tcp_lcore_walk(struct tcp *tcp, void (*fn)(struct strake_stream *s, const char *state, void *arg), void *arg)
{
	for (uint32_t i = 0; i < tcp->conf.conns; i++)
		if (tcp->conns[i].flags & TCP_F_USER)
			fn(&tcp->conns[i].stream, state_name[tcp->conns[i].state], arg);
}
