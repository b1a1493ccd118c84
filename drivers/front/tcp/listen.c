/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "address.h"
#include "conn.h"

/* The carrier: listeners on every instance, and active opens. */

#define LISTENS_MAX	64
#define EPHEMERAL_FIRST 32768u
#define EPHEMERAL_COUNT 28232u /* to 60,999, as hosts do */
#define PORT_TRIES	4096

struct listen {
	struct port_addr addr;
	uint16_t lport;
	struct tcp_listener *on[STRAKE_LCORE_MAX];
};

struct carrier {
	struct strake_carrier base; /* first */
	struct tcp *instance[STRAKE_LCORE_MAX];
	unsigned int n, n_listens;
	struct listen listens[LISTENS_MAX];
};

static bool
is_any(const struct port_addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->b, zero, sizeof(zero)) == 0;
}

struct tcp_listener *
tcp_listener_find(struct tcp *tcp, const struct port_addr *local, uint16_t lport)
{
	struct tcp_listener *l;

	LIST_FOREACH (l, &tcp->listeners, link) {
		if (l->lport == lport && l->addr.family == local->family && !l->gone &&
		    (is_any(&l->addr) || memcmp(l->addr.b, local->b, sizeof(local->b)) == 0))
			return l;
	}
	return NULL;
}

void
tcp_listener_put(struct tcp_listener *l)
{
	if (--l->refs > 0)
		return;
	LIST_REMOVE(l, link);
	rte_free(l);
}

/* On the instance's lcore. */
static void
listener_add(struct strake_msg *msg)
{
	struct tcp_listener *l = (struct tcp_listener *)((char *)msg - offsetof(struct tcp_listener, add_msg));

	LIST_INSERT_HEAD(&l->tcp->listeners, l, link);
}

static void
listener_del(struct strake_msg *msg)
{
	struct tcp_listener *l = (struct tcp_listener *)((char *)msg - offsetof(struct tcp_listener, del_msg));

	l->gone = true;
	tcp_listener_put(l);
}

static struct listen *
listen_find(struct carrier *car, const struct port_addr *addr, uint16_t lport)
{
	for (unsigned int i = 0; i < car->n_listens; i++) {
		struct listen *li = &car->listens[i];

		if (li->lport == lport && li->addr.family == addr->family &&
		    memcmp(li->addr.b, addr->b, sizeof(addr->b)) == 0)
			return li;
	}
	return NULL;
}

static struct tcp_listener *
listener_new(struct tcp *tcp, const struct listen *li, strake_stream_accept accept, void *arg)
{
	struct tcp_listener *l = rte_zmalloc("tcp_listener", sizeof(*l), 0);

	if (l == NULL)
		return NULL;
	l->tcp = tcp;
	l->addr = li->addr;
	l->lport = li->lport;
	l->accept = accept;
	l->arg = arg;
	l->refs = 1;
	l->add_msg.fn = listener_add;
	l->del_msg.fn = listener_del;
	return l;
}

static int
carrier_listen(struct strake_carrier *base, const struct sockaddr *sa, strake_stream_accept accept, void *arg)
{
	struct carrier *car = (struct carrier *)base;
	struct listen li = {0};
	int ret = tcp_addr_parse(sa, &li.addr, &li.lport);

	if (ret < 0)
		return -EADDRNOTAVAIL;
	if (listen_find(car, &li.addr, li.lport) != NULL)
		return -EADDRINUSE;
	if (car->n_listens == LISTENS_MAX)
		return -ENOMEM;
	for (unsigned int i = 0; i < car->n; i++) {
		struct tcp *tcp = car->instance[i];

		if (tcp == NULL)
			continue;
		if (tcp->ifp->port != NULL && !is_any(&li.addr) && !port_has_addr(tcp->ifp->port, &li.addr)) {
			ret = -EADDRNOTAVAIL;
			break;
		}
		li.on[i] = listener_new(tcp, &li, accept, arg);
		if (li.on[i] == NULL) {
			ret = -ENOMEM;
			break;
		}
	}
	for (unsigned int i = 0; i < car->n; i++) {
		if (li.on[i] == NULL)
			continue;
		if (ret < 0)
			rte_free(li.on[i]);
		else
			strake_msg_send(li.on[i]->tcp->lcore, &li.on[i]->add_msg);
	}
	if (ret == 0)
		car->listens[car->n_listens++] = li;
	return ret;
}

static void
carrier_unlisten(struct strake_carrier *base, const struct sockaddr *sa)
{
	struct carrier *car = (struct carrier *)base;
	struct port_addr addr;
	struct listen *li;
	uint16_t lport;

	if (tcp_addr_parse(sa, &addr, &lport) < 0)
		return;
	li = listen_find(car, &addr, lport);
	if (li == NULL)
		return;
	for (unsigned int i = 0; i < car->n; i++)
		if (li->on[i] != NULL)
			strake_msg_send(li->on[i]->tcp->lcore, &li->on[i]->del_msg);
	*li = car->listens[--car->n_listens];
}

/* A source port whose answers come home to this lcore (RFC 6056: at random). @return 0: none free. */
static uint16_t
choose_port(struct tcp *tcp, struct tcp_key *key, const struct port_dst *dst)
{
	for (unsigned int i = 0; i < PORT_TRIES; i++) {
		uint64_t w[1] = {tcp->port_rng++};
		uint32_t p = EPHEMERAL_FIRST + (uint32_t)(tcp_prf(&tcp->secret, w, 1) % EPHEMERAL_COUNT);

		key->lport = rte_cpu_to_be_16((uint16_t)p);
		if (tcp->ifp->port != NULL && port_flow_lcore(tcp->ifp->port, &dst->local, (uint16_t)p, &dst->remote,
							      rte_be_to_cpu_16(key->rport)) != tcp->lcore)
			continue;
		if (tcp_conn_find(tcp, key) == NULL)
			return key->lport;
	}
	return 0;
}

static int
carrier_connect(struct strake_carrier *base, const struct sockaddr *peer, const struct strake_stream_cb *cb, void *user,
		struct strake_stream **out)
{
	struct carrier *car = (struct carrier *)base;
	unsigned int self = strake_self_index();
	struct tcp *tcp = self < car->n ? car->instance[self] : NULL;
	struct port_addr local = {0}, remote;
	struct tcp_conn *c = NULL;
	struct port_dst *dst;
	struct tcp_key key;
	uint16_t rport;
	int ret;

	if (tcp == NULL)
		return -EINVAL;
	ret = tcp_addr_parse(peer, &remote, &rport);
	if (ret < 0)
		return ret;
	local.family = remote.family;
	dst = tcp->ifp->ops->route(tcp->ifp, &local, &remote);
	if (dst == NULL)
		return -ENETUNREACH;
	tcp_key_init(&key, &dst->local, 0, &remote, rport);
	ret = -EADDRNOTAVAIL;
	if (choose_port(tcp, &key, dst) != 0) {
		ret = -ENOMEM;
		c = tcp_conn_open(tcp, &key);
	}
	tcp->ifp->ops->unroute(dst);
	if (c == NULL)
		return ret;
	c->stream.cb = cb;
	c->stream.user = user;
	tcp_conn_active(c, strake_now());
	*out = &c->stream;
	return 0;
}

struct strake_carrier *
tcp_carrier_create(struct tcp **instances, unsigned int n)
{
	struct carrier *car;

	if (n > STRAKE_LCORE_MAX)
		return NULL;
	car = rte_zmalloc("tcp_carrier", sizeof(*car), 0);
	if (car == NULL)
		return NULL;
	memcpy(car->instance, instances, n * sizeof(*instances));
	car->n = n;
	car->base.name = "tcp";
	car->base.listen = carrier_listen;
	car->base.unlisten = carrier_unlisten;
	car->base.connect = carrier_connect;
	return &car->base;
}

void
tcp_carrier_destroy(struct strake_carrier *c)
{
	rte_free(c);
}
