/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "conn.h"

static uint32_t
key_hash(const struct tcp *tcp, const struct tcp_key *key)
{
	uint64_t w[5];
	unsigned __int128 a, b;

	static_assert(sizeof(*key) == sizeof(w), "the key is five words without padding");
	memcpy(w, key, sizeof(w));
	/* Keyed multiplication: a peer that does not know the key cannot aim at one slot. */
	a = (unsigned __int128)(w[0] ^ w[1] ^ tcp->hash_key[0]) * (w[2] ^ tcp->hash_key[1]);
	b = (unsigned __int128)(w[3] ^ (uint64_t)a ^ tcp->hash_key[2]) *
	    (w[4] ^ (uint64_t)(a >> 64) ^ tcp->hash_key[3]);
	return (uint32_t)((uint64_t)b ^ (uint64_t)(b >> 64));
}

static bool
key_equal(const struct tcp_key *a, const struct tcp_key *b)
{
	uint64_t x[5], y[5];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4])) == 0;
}

void
tcp_key_init(struct tcp_key *key, const struct port_addr *local, uint16_t lport, const struct port_addr *remote,
	     uint16_t rport)
{
	memcpy(key->local, local->b, sizeof(key->local));
	memcpy(key->remote, remote->b, sizeof(key->remote));
	key->lport = lport;
	key->rport = rport;
	key->family = local->family;
}

struct tcp_conn *
tcp_conn_find(struct tcp *tcp, const struct tcp_key *key)
{
	uint32_t hash = key_hash(tcp, key);

	for (uint32_t i = hash & tcp->table_mask; tcp->table[i].conn != 0; i = (i + 1) & tcp->table_mask) {
		struct tcp_conn *c;

		if (tcp->table[i].hash != hash)
			continue;
		c = &tcp->conns[tcp->table[i].conn - 1];
		if (key_equal(&c->key, key))
			return c;
	}
	return NULL;
}

static void
table_add(struct tcp *tcp, struct tcp_conn *c)
{
	uint32_t i = c->hash & tcp->table_mask;

	while (tcp->table[i].conn != 0)
		i = (i + 1) & tcp->table_mask;
	tcp->table[i].hash = c->hash;
	tcp->table[i].conn = (uint32_t)(c - tcp->conns) + 1;
	c->flags |= TCP_F_IN_TABLE;
}

/* Close the gap (Knuth, 6.4, algorithm R), so that no tombstones gather. */
static void
table_del(struct tcp *tcp, struct tcp_conn *c)
{
	uint32_t mask = tcp->table_mask;
	uint32_t id = (uint32_t)(c - tcp->conns) + 1;
	uint32_t i = c->hash & mask, j;

	if (!(c->flags & TCP_F_IN_TABLE))
		return;
	c->flags &= ~TCP_F_IN_TABLE;
	while (tcp->table[i].conn != id)
		i = (i + 1) & mask;
	for (j = (i + 1) & mask; tcp->table[j].conn != 0; j = (j + 1) & mask) {
		uint32_t home = tcp->table[j].hash & mask;

		if (((j - home) & mask) >= ((j - i) & mask)) {
			tcp->table[i] = tcp->table[j];
			i = j;
		}
	}
	tcp->table[i].conn = 0;
}

static struct tcp_conn *
conn_alloc(struct tcp *tcp)
{
	struct tcp_conn *c = TAILQ_FIRST(&tcp->idle);

	if (c == NULL && (c = TAILQ_FIRST(&tcp->time_wait)) != NULL) {
		/* The oldest has waited longest. Reaped at once unless a user still holds its bufs. */
		tcp->n.time_wait_reused++;
		tcp_conn_close(c, 0);
		c = TAILQ_FIRST(&tcp->idle);
	}
	if (c == NULL)
		return NULL;
	TAILQ_REMOVE(&tcp->idle, c, link);
	tcp->n_conns++;
	return c;
}

struct tcp_conn *
tcp_conn_open(struct tcp *tcp, const struct tcp_key *key)
{
	struct port_addr local = {.family = (uint8_t)key->family}, remote = local;
	struct port_dst *dst;
	struct tcp_conn *c;

	memcpy(local.b, key->local, sizeof(local.b));
	memcpy(remote.b, key->remote, sizeof(remote.b));
	dst = tcp->ifp->ops->route(tcp->ifp, &local, &remote);
	if (dst == NULL)
		return NULL;
	c = conn_alloc(tcp);
	if (c == NULL) {
		tcp->ifp->ops->unroute(dst);
		return NULL;
	}
	memset(c, 0, sizeof(*c));
	tcp_trouble_none(c);
	c->tcp = tcp;
	c->dst = dst;
	c->key = *key;
	if (memcmp(local.b, dst->local.b, sizeof(local.b)) != 0)
		memcpy(c->key.local, dst->local.b, sizeof(c->key.local));
	c->hash = key_hash(tcp, &c->key);
	c->timer.fn = tcp_timer_fire;
	c->credit_msg.fn = tcp_credit_msg;
	c->ts_off = tcp_ts_offset(tcp, &c->key);
	c->rcv_shift = tcp->rcv_shift;
	c->mss = tcp_mss(dst, 0, false);
	tcp_rtt_init(&c->rtt);
	tcp_stream_init(c);
	table_add(tcp, c);
	return c;
}

static void
time_wait_leave(struct tcp_conn *c)
{
	TAILQ_REMOVE(&c->tcp->time_wait, c, link);
	c->tcp->n_time_wait--;
}

void
tcp_conn_close(struct tcp_conn *c, int err)
{
	if (c->state == TCP_CLOSED && c->dst == NULL)
		return;
	if (c->state == TCP_TIME_WAIT)
		time_wait_leave(c);
	c->state = TCP_CLOSED;
	c->err = err;
	table_del(c->tcp, c);
	tcp_half_open_done(c);
	strake_timer_cancel(&c->timer);
	tcp_credit_starve_end(c);
	memset(c->due, 0, sizeof(c->due));
	tcp_sndq_clear(&c->q);
	if (c->trouble != NULL) {
		tcp_reasm_clear(c->reasm);
		c->board->n = 0;
		tcp_trouble_done(c);
	}
	tcp_credit_drop_slab(c);
	c->tcp->ifp->ops->unroute(c->dst);
	c->dst = NULL;
	if (c->flags & TCP_F_USER)
		tcp_event(c, TCP_EV_CLOSED);
	tcp_conn_reap(c);
}

void
tcp_conn_reap(struct tcp_conn *c)
{
	if (c->state != TCP_CLOSED || c->dst != NULL || c->pinned != 0 ||
	    c->flags & (TCP_F_DIRTY | TCP_F_QUEUED | TCP_F_USER | TCP_F_FREE))
		return;
	c->flags |= TCP_F_FREE;
	c->tcp->n_conns--;
	TAILQ_INSERT_HEAD(&c->tcp->idle, c, link);
}

void
tcp_conn_time_wait(struct tcp_conn *c, uint64_t now)
{
	if (c->state != TCP_TIME_WAIT) {
		c->state = TCP_TIME_WAIT;
		TAILQ_INSERT_TAIL(&c->tcp->time_wait, c, link);
		c->tcp->n_time_wait++;
		c->due[TCP_DUE_RXT] = 0;
		tcp_credit_starve_end(c);
		tcp_sndq_clear(&c->q);
		tcp_credit_drop_slab(c);
		c->err = 0;
		if (c->flags & TCP_F_USER)
			tcp_event(c, TCP_EV_CLOSED);
	}
	tcp_timer_set(c, TCP_DUE_LIFE, now + TCP_2MSL_NS);
}

uint32_t
tcp_isn(const struct tcp *tcp, const struct tcp_key *key, uint64_t now)
{
	uint64_t w[5];

	memcpy(w, key, sizeof(w));
	return (uint32_t)(tcp_prf(&tcp->secret, w, 5) + now / 4000);
}

uint32_t
tcp_ts_offset(const struct tcp *tcp, const struct tcp_key *key)
{
	uint64_t w[6];

	/* One offset for all ports of a pair of hosts: a peer's PAWS check then holds across connections (RFC 7323,
	 * 5.8, and RFC 6191). */
	memset(w, 0, sizeof(w));
	memcpy(w, key->local, 16);
	memcpy(w + 2, key->remote, 16);
	w[5] = 1;
	return (uint32_t)tcp_prf(&tcp->secret, w, 6);
}

static uint32_t
header_bytes(uint32_t family)
{
	return (family == 4 ? 20 : 40) + TCP_HDR_MIN;
}

uint16_t
tcp_mss_local(const struct tcp *tcp, uint32_t family)
{
	return (uint16_t)(tcp->ifp->mtu - header_bytes(family));
}

uint16_t
tcp_mss(const struct port_dst *dst, uint16_t peer_mss, bool said)
{
	uint32_t most = dst->mtu - header_bytes(dst->remote.family);

	if (!said)
		peer_mss = dst->remote.family == 4 ? TCP_MSS_DEFAULT4 : TCP_MSS_DEFAULT6;
	if (peer_mss < most)
		most = peer_mss;
	return (uint16_t)(most > TCP_MSS_MIN ? most : TCP_MSS_MIN);
}

void
tcp_conn_options(struct tcp_conn *c, const struct tcp_options *o, uint64_t now)
{
	c->mss = tcp_mss(c->dst, o->mss, o->has & TCP_HAS_MSS);
	if (o->has & TCP_HAS_SACK_PERM)
		c->flags |= TCP_F_SACK;
	if (o->has & TCP_HAS_WSCALE) {
		c->flags |= TCP_F_WSCALE;
		c->snd_shift = o->wscale;
	} else {
		c->snd_shift = 0;
		c->rcv_shift = 0;
	}
	if (o->has & TCP_HAS_TS) {
		c->flags |= TCP_F_TS;
		c->ts_recent = o->tsval;
		c->ts_recent_at = now;
	}
}

void
tcp_conn_established(struct tcp_conn *c, uint64_t now)
{
	c->state = TCP_ESTABLISHED;
	c->backoff = 0;
	c->heard_at = now;
	c->una_at = now;
	c->cc.mss = c->mss;
	c->cc.ssthresh = UINT32_MAX / 2;
	c->tcp->cc->start(&c->cc);
	/* RFC 5681, 3.1: after a lost SYN begin with one segment. */
	if (c->n_timeouts > 0)
		c->cc.cwnd = c->mss;
	c->recover = c->snd_una;
	c->high_rxt = c->snd_una;
	tcp_timer_set(c, TCP_DUE_LIFE, now + c->tcp->conf.keepalive_ns);
	tcp_timer_rxt(c, now);
}
